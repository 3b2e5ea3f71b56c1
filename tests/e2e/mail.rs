//! One `mailu install` behind Traefik, and mail in and out.

use std::time::Duration;

use crate::support::Root;
use crate::world::{
    self, HOST, Network, STRANGER, Traefik, Zone, arrives, browse, fetch, send, wait_long,
};

const PASSWORD: &str = "correct horse battery staple";
const ADMIN: &str = "admin@example.com";

/// What has to be there before: the names under which certificates are asked for.
const BEFORE: &str = "mail A 198.51.100.1\nautoconfig CNAME mail\nautodiscover CNAME mail\n";

#[test]
fn mail_in_and_out_behind_traefik() {
    let _alone = world::alone();
    let root = Root::new();
    let traefik = Traefik::new();
    let store = format!("traefik.acme_store={}", traefik.store().display());
    let password = root.beside("password", PASSWORD);
    let address = format!("dns.ipv4={HOST}");
    let install = [
        "install",
        "--domain",
        "mail.example.com",
        "--email-domain",
        "example.com",
        "--admin-email",
        ADMIN,
        "--admin-password-file",
        password.to_str().unwrap(),
        "--set",
        &store,
        "--set",
        &address,
        "--set",
        "dns.nameservers=[\"ns.outside.test\"]",
    ];
    let network = Network::make();
    traefik.start(&network, &[]);
    let before = Zone::load("example.com", BEFORE);

    root.run(&install).expect_code(0);
    let _up = Up;
    let directory = root.path().join("mailu/mail.example.com");

    // The zone as it was written is what the name servers serve.
    let zone = std::fs::read_to_string(directory.join("dns/example.com.zone")).unwrap();
    let _zone = Zone::load("example.com", &zone);
    std::mem::forget(before);

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
    root.run(&["apply"]).expect_code(0);
    wait_long("the certificate on 993", Duration::from_secs(60), || {
        fetch(ADMIN, PASSWORD, &["--verify"]).ok.then_some(())
    });

    // In: signed, from the address that SPF names.
    let said = send(
        &["--to", ADMIN, "--dkim", "--queue"],
        "Subject: from outside\n\nHello.\n",
    );
    assert!(said.ok, "{said:?}");
    let message = wait_long(
        "`from outside` over IMAPS",
        Duration::from_secs(120),
        || {
            let fetched = fetch(ADMIN, PASSWORD, &["--verify"]);
            fetched
                .messages
                .into_iter()
                .find(|message| message.contains("Subject: from outside"))
        },
    );
    let results = unfolded(&message, "Authentication-Results").unwrap_or_default();
    for result in ["spf=pass", "dkim=pass", "dmarc=pass"] {
        assert!(results.contains(result), "{result} is not in: {message}");
    }

    // The real address of the sender is what is judged.
    let forged = send(
        &["--to", ADMIN, "--source", STRANGER],
        "From: someone@outside.test\nSubject: forged\n\nHello.\n",
    );
    assert!(
        !forged.ok
            || fetch(ADMIN, PASSWORD, &["--folder", "Junk"])
                .messages
                .iter()
                .any(|message| message.contains("spf=fail")),
        "{forged:?}"
    );

    // Out: over 465 and 587, signed so that others accept it.
    for (subject, server, tls) in [
        ("by 465", "mail.example.com:465", "implicit"),
        ("by 587", "mail.example.com:587", "starttls"),
    ] {
        let said = send(
            &[
                "--from",
                ADMIN,
                "--to",
                "someone@outside.test",
                "--server",
                server,
                "--tls",
                tls,
                "--verify",
                "--auth",
                &format!("{ADMIN}:{PASSWORD}"),
            ],
            &format!("Subject: {subject}\n\nHello.\n"),
        );
        assert!(said.ok, "{said:?}");
        let arrived = arrives("someone@outside.test", subject);
        assert!(
            arrived.dkim.iter().any(|signature| signature.ok
                && signature.domain == "example.com"
                && signature.selector == "dkim"),
            "{:?}\n{}",
            arrived.dkim,
            arrived.raw
        );
    }

    in_a_browser();

    // What is refused.
    let relay = send(
        &[
            "--from",
            "a@stranger.test",
            "--to",
            "someone@outside.test",
            "--server",
            "mail.example.com:25",
            "--source",
            STRANGER,
        ],
        "Subject: relayed\n\n",
    );
    assert!(
        relay
            .code("RCPT")
            .is_some_and(|code| (500..600).contains(&code)),
        "{relay:?}"
    );
    let (_, greeting) = relay.to("EHLO").unwrap();
    assert!(!greeting.contains("AUTH"), "{greeting}");
    let wrong = send(
        &[
            "--from",
            ADMIN,
            "--to",
            "someone@outside.test",
            "--server",
            "mail.example.com:465",
            "--tls",
            "implicit",
            "--auth",
            &format!("{ADMIN}:wrong"),
        ],
        "",
    );
    assert_eq!(wrong.code("AUTH"), Some(535), "{wrong:?}");
    assert!(!fetch(ADMIN, "wrong", &[]).ok);
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
    assert!(text(11).contains("from outside"), "{seen:?}");
}

/// The deployment's containers; removed with the value.
struct Up;

impl Drop for Up {
    fn drop(&mut self) {
        world::show_if_failing(&[
            "mailu_front",
            "mailu_admin",
            "mailu_smtp",
            "mailu_antispam",
            "mailu_imap",
        ]);
        world::remove_containers("mailu_");
    }
}

/// A head field in one line.
fn unfolded(message: &str, name: &str) -> Option<String> {
    let head = message.split("\r\n\r\n").next()?;
    let joined = head.replace("\r\n\t", " ").replace("\r\n ", " ");
    joined
        .lines()
        .find(|line| {
            line.to_ascii_lowercase()
                .starts_with(&format!("{}:", name.to_ascii_lowercase()))
        })
        .map(str::to_owned)
}
