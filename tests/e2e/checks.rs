//! What every installation has to do, however it gets its certificate and whoever stands in front of it.

use std::time::Duration;

use crate::server::{ADMIN, PASSWORD, USER};
use crate::world::{STRANGER, arrives, fetch, send, visit, wait_long};

/// Mail comes in and goes out, pages are served, and strangers get nothing. `tag` tells this installation's messages from those of
/// others in the same world.
pub(crate) fn delivers(tag: &str) {
    comes_in(tag);
    goes_out(tag);
    for page in ["webmail", "admin"] {
        let seen = visit(page, ADMIN, PASSWORD);
        assert!(
            seen.ok,
            "{page} is {} {}: {}",
            seen.status, seen.url, seen.why
        );
    }
    strangers_get_nothing(tag);
}

/// Signed, from the address that SPF names; and forged, from another.
fn comes_in(tag: &str) {
    let subject = format!("Subject: to {tag}");
    let said = send(
        &["--to", USER, "--dkim", "--queue"],
        &format!("{subject}\n\nHello.\n"),
    );
    assert!(said.ok, "{said:?}");
    // From another address than SPF and DMARC allow: put off, refused or called junk.
    let forged = send(
        &["--to", USER, "--source", STRANGER],
        &format!(
            "From: someone@outside.test\nSubject: forged for {tag}\n\nHello from elsewhere.\n"
        ),
    );
    let message = wait_long(
        &format!("`{subject}` over IMAPS"),
        Duration::from_secs(120),
        || {
            let fetched = fetch(USER, PASSWORD, &["--verify"]);
            fetched
                .messages
                .into_iter()
                .find(|message| message.contains(&subject))
        },
    );
    let results = unfolded(&message, "Authentication-Results").unwrap_or_default();
    for result in ["spf=pass", "dkim=pass", "dmarc=pass"] {
        assert!(results.contains(result), "{result} is not in: {message}");
    }
    if forged.ok {
        let junk = fetch(USER, PASSWORD, &["--folder", "Junk"]).messages;
        assert!(
            junk.iter().any(|message| message.contains("spf=fail")
                && message.contains(&format!("forged for {tag}"))),
            "{junk:?}"
        );
    } else {
        assert!(
            forged.steps.iter().any(|(_, code, _)| *code >= 400),
            "{forged:?}"
        );
    }
    let inbox = fetch(USER, PASSWORD, &[]).messages;
    assert!(
        !inbox.iter().any(|message| message.contains("forged for")),
        "{inbox:?}"
    );
}

/// Over 465 and 587, signed so that others accept it.
fn goes_out(tag: &str) {
    let login = format!("{USER}:{PASSWORD}");
    let ports = [
        ("mail.example.com:465", "implicit"),
        ("mail.example.com:587", "starttls"),
    ];
    let subject = |tls: &str| format!("{tls} from {tag}");
    for (server, tls) in ports {
        let said = send(
            &[
                "--from",
                USER,
                "--to",
                "someone@outside.test",
                "--server",
                server,
                "--tls",
                tls,
                "--verify",
                "--auth",
                &login,
            ],
            &format!("Subject: {}\n\nHello.\n", subject(tls)),
        );
        assert!(said.ok, "{said:?}");
    }
    for (_, tls) in ports {
        let arrived = arrives("someone@outside.test", &subject(tls));
        assert!(
            arrived.dkim.iter().any(|signature| signature.ok
                && signature.domain == "example.com"
                && signature.selector == "dkim"),
            "{:?}\n{}",
            arrived.dkim.iter().map(|one| &one.why).collect::<Vec<_>>(),
            arrived.raw
        );
    }
}

fn strangers_get_nothing(tag: &str) {
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
        &format!("Subject: relayed by {tag}\n\n"),
    );
    assert!(
        relay
            .code("RCPT")
            .is_some_and(|code| (500..600).contains(&code)),
        "{relay:?}"
    );
    let (_, greeting) = relay.to("EHLO").unwrap();
    assert!(!greeting.contains("AUTH"), "{greeting}");
    // Before and after STARTTLS alike.
    let encrypted = send(
        &[
            "--to",
            ADMIN,
            "--server",
            "mail.example.com:25",
            "--tls",
            "starttls",
            "--verify",
            "--auth",
            &format!("{ADMIN}:{PASSWORD}"),
        ],
        "",
    );
    assert_eq!(encrypted.code("AUTH"), Some(503), "{encrypted:?}");
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
    let pages = visit("admin", ADMIN, "wrong");
    assert!(!pages.ok && pages.status == 200, "{pages:?}");
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
