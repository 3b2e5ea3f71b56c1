//! One `mailu install` behind Traefik, and mail in and out.

use std::time::Duration;

use crate::checks::{ADMIN, PASSWORD, Server};
use crate::support::Root;
use crate::world::{self, Network, Traefik, browse, wait_long};

#[test]
fn mail_in_and_out_behind_traefik() {
    let _alone = world::alone();
    let traefik = Traefik::new();
    let store = format!("traefik.acme_store={}", traefik.store().display());
    let network = Network::make();
    traefik.start(&network, &[]);
    let server = Server::install(Root::new(), &["--set", &store]);

    // Traefik has its certificate, and front has it for the mail ports.
    wait_long(
        "a certificate for mail.example.com",
        Duration::from_secs(120),
        || {
            traefik
                .certificates()
                .contains(&"mail.example.com".to_owned())
                .then_some(())
        },
    );
    server.root.run(&["apply"]).expect_code(0);
    Server::has_certificate();
    Server::delivers("traefik");
    in_a_browser();
}

/// The administrator logs in, sees the administration, and then the message in the webmail.
fn in_a_browser() {
    let seen = browse(&serde_json::json!([
        ["open", "http://mail.example.com/"],
        ["type", "input[name=email]", ADMIN],
        ["type", "input[name=pw]", PASSWORD],
        ["url"],
        ["click", "[name=submitAdmin]"],
        ["gone", "input[name=pw]"],
        ["open", "https://mail.example.com/admin/domain"],
        ["text", "body"],
        ["open", "https://mail.example.com/webmail/"],
        ["wait", "#messagelist"],
        ["wait", "#messagelist tbody tr"],
        ["text", "#messagelist"],
    ]));
    let text = |index: usize| seen[index].as_str().unwrap_or_default();
    assert!(
        text(3).starts_with("https://mail.example.com/sso/login"),
        "{seen:?}"
    );
    assert!(text(7).contains("example.com"), "{seen:?}");
    assert!(text(11).contains("to traefik"), "{seen:?}");
}
