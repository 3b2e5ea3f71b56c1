//! One `mailu install` behind Traefik, and mail in and out.

use crate::checks::delivers;
use crate::server::{ADMIN, Front, PASSWORD, Server, WithDeps};
use crate::support::Root;
use crate::world::{self, arrives_in, browse};

#[test]
fn one_command_and_mail_in_and_out_behind_traefik() {
    let _alone = world::alone();
    let root = Root::new();
    let traefik = WithDeps::in_root(&root);
    let server = Server::prepare(root, Front::Ours(traefik), &[]).install();
    server.takes_certificate();
    delivers("traefik");
    in_a_browser();
    crate::docs::from_outside();
    crate::docs::an_app(&server);
}

/// The administrator logs in, sees the administration, and then the message in the webmail.
fn in_a_browser() {
    arrives_in(ADMIN, PASSWORD, "for the webmail");
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
    assert!(text(11).contains("for the webmail"), "{seen:?}");
}
