//! What every installation has to do, however it gets its certificate and whoever stands in front of it.

use std::time::Duration;

use crate::support::Root;
use crate::world::{self, HOST, STRANGER, Zone, arrives, fetch, send, visit, wait_long};

pub(crate) const PASSWORD: &str = "correct horse battery staple";
pub(crate) const ADMIN: &str = "admin@example.com";

/// What has to be there before: the names under which certificates are asked for.
const BEFORE: &str = "mail A 198.51.100.1\nautoconfig CNAME mail\nautodiscover CNAME mail\n";

/// mail.example.com, installed on this machine, with its zone in the world. Taken down with the value.
pub(crate) struct Server {
    pub(crate) root: Root,
    _zone: Zone,
    _up: Up,
}

impl Server {
    /// Runs `install` on an empty root, with more arguments.
    pub(crate) fn install(root: Root, more: &[&str]) -> Self {
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
            &address,
            "--set",
            "dns.nameservers=[\"ns.outside.test\"]",
        ];
        let before = Zone::load("example.com", BEFORE);
        let up = Up("mailu_");
        root.run(&[&install, more].concat()).expect_code(0);
        // The zone as it was written is what the name servers serve.
        let written = root
            .path()
            .join("mailu/mail.example.com/dns/example.com.zone");
        let zone = Zone::load("example.com", &std::fs::read_to_string(written).unwrap());
        std::mem::forget(before);
        Self {
            root,
            _zone: zone,
            _up: up,
        }
    }

    /// Waits until mail programs accept the certificate.
    pub(crate) fn has_certificate() {
        let mut why = String::new();
        let start = std::time::Instant::now();
        while start.elapsed() < Duration::from_secs(120) {
            let fetched = fetch(ADMIN, PASSWORD, &["--verify"]);
            if fetched.ok {
                return;
            }
            why = fetched.why;
            std::thread::sleep(Duration::from_millis(500));
        }
        panic!("nobody can log in on 993: {why}");
    }

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
}

/// Signed, from the address that SPF names; and forged, from another.
fn comes_in(tag: &str) {
    let subject = format!("Subject: to {tag}");
    let said = send(
        &["--to", ADMIN, "--dkim", "--queue"],
        &format!("{subject}\n\nHello.\n"),
    );
    assert!(said.ok, "{said:?}");
    // Greylisted and sent again, or scored at once: the address of the sender is what is judged.
    let forged = send(
        &["--to", ADMIN, "--source", STRANGER],
        &format!("From: someone@outside.test\nSubject: forged for {tag}\n\nHello.\n"),
    );
    let message = wait_long(
        &format!("`{subject}` over IMAPS"),
        Duration::from_secs(120),
        || {
            let fetched = fetch(ADMIN, PASSWORD, &["--verify"]);
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
    assert!(
        !forged.ok
            || fetch(ADMIN, PASSWORD, &["--folder", "Junk"])
                .messages
                .iter()
                .any(|message| message.contains("spf=fail")),
        "{forged:?}"
    );
}

/// Over 465 and 587, signed so that others accept it.
fn goes_out(tag: &str) {
    let login = format!("{ADMIN}:{PASSWORD}");
    let ports = [
        ("mail.example.com:465", "implicit"),
        ("mail.example.com:587", "starttls"),
    ];
    let subject = |tls: &str| format!("{tls} from {tag}");
    for (server, tls) in ports {
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

/// Containers whose names begin so; removed with the value.
pub(crate) struct Up(pub(crate) &'static str);

impl Drop for Up {
    fn drop(&mut self) {
        let services = ["front", "admin", "smtp", "antispam", "imap"];
        let names = services.map(|service| format!("{}{service}", self.0));
        world::show_if_failing(&names.each_ref().map(String::as_str));
        world::remove_containers(self.0);
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
