//! Apps send through the server with the settings that we write for them, and do not with wrong ones: Ghost, `ERPNext` and Chatwoot,
//! each by the libraries that it sends with.

use std::process::Command;

use mailu_core::Secret;
use mailu_core::apps::{self, Profile, Tls};
use serde_json::{Value, json};

use crate::delivery::judged_outside;
use crate::server::{BARE, LIGHT, PASSWORD, Server, USER};
use crate::support::{Root, succeed, tests, tool};
use crate::world::{self, HOST, arrives, authority, docker, inside};

const SOMEONE: &str = "someone@outside.test";
/// The app's login, and the alias that its mail comes from.
const LOGIN: &str = "app@example.com";
const SENDER: &str = "hello@example.com";
const NAME: &str = "Grüße, \"Blue\" & Co.";

/// An app, as what it is played by.
#[derive(Clone, Copy)]
struct Player {
    app: &'static str,
    format: &'static str,
    program: &'static [&'static str],
}

const GHOST: Player = Player {
    app: "ghost",
    format: "json",
    program: &["node", "e2e/ghost.js"],
};
/// By variables.
const GHOST_VARIABLES: Player = Player {
    format: "toml",
    ..GHOST
};
const FRAPPE: Player = Player {
    app: "erpnext",
    format: "account",
    program: &["python3", "e2e/frappe_mail.py"],
};
const CHATWOOT: Player = Player {
    app: "chatwoot",
    format: "json",
    program: &["ruby", "e2e/chatwoot.rb"],
};

impl Player {
    /// Its settings, as JSON.
    fn settings(self, profile: &Profile) -> String {
        let app = apps::by_name(self.app).unwrap();
        let text = app.settings(profile, Some(self.format)).unwrap().text;
        if self.format == "toml" {
            let table: toml::Table = text.parse().unwrap();
            return json!(table).to_string();
        }
        text
    }

    /// Has it send; nothing if the server took the message, else what the app says of it.
    fn sends(self, settings: &str, subject: &str) -> Option<String> {
        self.sends_within(settings, subject, 120)
    }

    /// The same, by a program that waits so many seconds for a server that says nothing.
    fn sends_within(self, settings: &str, subject: &str, patience: u32) -> Option<String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), settings).unwrap();
        let printed = succeed(
            Command::new(tool(self.program[0]))
                .arg(tests(self.program[1]))
                .arg(file.path())
                .args([SOMEONE, subject, &patience.to_string()])
                // The world's authority is none that these programs know.
                .env("NODE_EXTRA_CA_CERTS", authority())
                .env("SSL_CERT_FILE", authority()),
        );
        let said: Value = serde_json::from_str(&printed).unwrap();
        (said["ok"] != true).then(|| said["why"].as_str().unwrap().to_owned())
    }
}

/// The app's mailbox, its alias and its token.
fn account(server: &Server) -> String {
    const ASK: &str = r#"
import json, sys, urllib.request
token, *asks = json.load(sys.stdin)
for path, body in asks:
    ask = urllib.request.Request(f"http://127.0.0.1:8080/api/v1/{path}", json.dumps(body).encode(),
                                 {"Authorization": f"Bearer {token}", "Content-Type": "application/json"})
    answer = json.load(urllib.request.urlopen(ask, timeout=20))
print(json.dumps(answer))
"#;
    docker(&[
        "exec",
        "mailu_admin",
        "flask",
        "mailu",
        "user",
        "app",
        "example.com",
        PASSWORD,
    ]);
    let secret = server.root.layout().secrets().join("api_token");
    let input = json!([
        std::fs::read_to_string(secret).unwrap().trim(),
        ["alias", { "email": SENDER, "destination": [LOGIN], "wildcard": false }],
        ["token", { "email": LOGIN, "comment": "agencystack:app:", "AuthorizedIP": [] }],
    ]);
    let said = inside("mailu_admin", &["python3", "-c", ASK], &input.to_string());
    let answer: Value = serde_json::from_str(&said).unwrap();
    answer["token"].as_str().unwrap().to_owned()
}

fn profile(tls: Tls, token: &str) -> Profile {
    let mut profile = Profile::new(
        "mail.example.com".parse().unwrap(),
        tls,
        LOGIN.parse().unwrap(),
        Secret::new(token),
    );
    profile.from = SENDER.parse().unwrap();
    profile.from_name = Some(NAME.to_owned());
    profile.helo = Some("site.example.com".parse().unwrap());
    profile
}

/// Settings with a piece replaced, which has to be there.
fn replaced(settings: &str, from: &str, to: &str) -> String {
    assert!(settings.contains(from), "{from} is not in {settings}");
    settings.replace(from, to)
}

#[test]
fn apps_send_with_their_settings_and_not_with_wrong_ones() {
    let _alone = world::alone();
    let more = [&LIGHT[..], &BARE].concat();
    let server = Server::with_files(Root::new(), &more).install();
    let token = account(&server);
    assert!(!apps::is_numeric_looking(&token));
    for tls in [Tls::Implicit, Tls::Starttls] {
        for player in [GHOST, GHOST_VARIABLES, FRAPPE, CHATWOOT] {
            right(player, &profile(tls, &token));
        }
    }
    for player in [GHOST, FRAPPE, CHATWOOT] {
        wrong(player, &token);
    }
}

/// The message arrives outside, signed and from whom it should be.
fn right(player: Player, profile: &Profile) {
    const READ: &str = "import email.policy, sys
for one in email.policy.default.header_factory('From', sys.argv[1]).addresses:
    print(one.display_name, one.addr_spec, sep='|')";
    let subject = format!("{} {} {:?}", player.app, player.format, profile.tls);
    let why = player.sends(&player.settings(profile), &subject);
    assert_eq!(why, None, "{subject}");
    let message = arrives(SOMEONE, &subject);
    let from = message.header("From").unwrap();
    let said = succeed(Command::new(tool("python3")).args(["-c", READ, from]));
    // Frappe sends by the address alone.
    let name = if player.app == "erpnext" { "" } else { NAME };
    assert_eq!(said.trim_end(), format!("{name}|{SENDER}"), "{from}");
    let judged = judged_outside(&subject);
    for result in ["spf=pass", "dkim=pass", "dmarc=pass"] {
        assert!(judged.contains(result), "{result} is not in {judged}");
    }
}

fn wrong(player: Player, token: &str) {
    let [implicit, starttls] =
        [Tls::Implicit, Tls::Starttls].map(|tls| player.settings(&profile(tls, token)));
    let mut count = 0;
    let mut fails = |settings: &str, patience: u32, with: &[&str]| {
        count += 1;
        let subject = format!("{} wrong {count}", player.app);
        let why = player.sends_within(settings, &subject, patience);
        let why = why.unwrap_or_else(|| panic!("{subject} was taken: {with:?}"));
        assert!(with.iter().any(|one| why.contains(one)), "{subject}: {why}");
        subject
    };
    let mut subjects = Vec::new();
    // The other way of TLS at each port.
    subjects.push(fails(
        &replaced(&implicit, "465", "587"),
        120,
        &["wrong version number", "WRONG_VERSION_NUMBER"],
    ));
    subjects.push(fails(
        &replaced(&starttls, "587", "465"),
        5,
        &["Greeting never received", "timed out", "ReadTimeout"],
    ));
    // Somebody else's address.
    let mut other = profile(Tls::Implicit, token);
    other.from = USER.parse().unwrap();
    other.login = LOGIN.parse().unwrap();
    subjects.push(fails(
        &player.settings(&other),
        120,
        &["553 5.7.1", "(553, b'5.7.1"],
    ));
    // The address of the host is not in the certificate. Frappe does not look, and that is what its notes say.
    let by_address = replaced(&implicit, "mail.example.com", HOST);
    if player.app == "erpnext" {
        assert_eq!(player.sends(&by_address, "unverified"), None);
        arrives(SOMEONE, "unverified");
    } else {
        subjects.push(fails(
            &by_address,
            120,
            &[
                "does not match certificate's altnames",
                "certificate verify failed (hostname mismatch)",
            ],
        ));
    }
    let password = replaced(&implicit, token, "0123456789abcdef0123456789abcdef");
    subjects.push(fails(&password, 120, &["535"]));
    // None of them has arrived: what was sent after them has, by the right settings.
    let last = format!("{} last", player.app);
    assert_eq!(player.sends(&implicit, &last), None);
    arrives(SOMEONE, &last);
    for subject in subjects {
        let there = world::inbox(SOMEONE);
        assert!(
            there
                .iter()
                .all(|message| message.header("Subject") != Some(&subject)),
            "{subject}"
        );
    }
}
