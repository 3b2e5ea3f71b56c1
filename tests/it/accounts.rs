//! The verbs for accounts, against the stand-in for Mailu's admin: its API, its database, its import.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::fake_engine::{Answer, FakeEngine};
use crate::standin::StandIn;
use crate::support::{Root, Run, finished, succeed};
use crate::up::{QUIET, engine, run, state};

/// A server with the stand-in in the place of its admin.
struct Server {
    root: Root,
    engine: FakeEngine,
    admin: StandIn,
}

impl Server {
    fn new() -> Self {
        let root = Root::new();
        let (engine, _) = engine(&root);
        run(&root, &engine, &QUIET).expect_code(0);
        assert_eq!(state(&root), "installed");
        let admin = StandIn::start(4);
        admin.plays(&engine, "mailu_admin");
        let first = json!({
            "domain": [{ "name": "example.com" }],
            "user": [{ "email": "admin@example.com", "password": "first-of-all", "hash_password": true, "global_admin": true }],
            "alias": [{ "email": "postmaster@example.com", "destination": ["admin@example.com"] }],
        });
        let made = admin.flask(
            &["mailu", "config-import", "-u"],
            first.to_string().as_bytes(),
        );
        assert_eq!(made.code, 0, "{}", made.err);
        Self {
            root,
            engine,
            admin,
        }
    }

    fn run(&self, args: &[&str]) -> Run {
        run(&self.root, &self.engine, args)
    }

    fn fine(&self, args: &[&str]) -> Run {
        self.run(args).expect_code(0)
    }

    fn json(&self, args: &[&str]) -> Value {
        self.fine(&[&["--json"], args].concat()).json()
    }

    /// A call that has to be refused so.
    fn refused(&self, args: &[&str], code: &str) -> Run {
        let run = self.run(&[&["--json"], args].concat()).expect_code(2);
        assert_eq!(run.json()["error"]["code"], code, "{args:?}: {}", run.out);
        assert!(
            run.err.contains("hint:") || run.err.contains("fix:") || run.err.contains("line"),
            "{args:?}: {}",
            run.err
        );
        run
    }

    fn with_input(&self, args: &[&str], input: &str) -> Run {
        let mut child = self
            .engine
            .reach(&mut self.root.command(args))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(input.as_bytes())
            .unwrap();
        finished(child.wait_with_output().unwrap())
    }

    /// What Mailu exports of a kind.
    fn exported(&self, kind: &str) -> Vec<Value> {
        let said = self
            .admin
            .flask(&["mailu", "config-export", "-f", "-j", kind], b"");
        let all: Value = serde_json::from_str(&said.out)
            .unwrap_or_else(|error| panic!("{error}: {} {}", said.out, said.err));
        all[kind].as_array().unwrap().clone()
    }

    fn one(&self, kind: &str, name: &str) -> Option<Value> {
        let key = if matches!(kind, "user" | "alias") {
            "email"
        } else {
            "name"
        };
        self.exported(kind).into_iter().find(|one| one[key] == name)
    }

    /// Everything, as text to compare.
    fn everything(&self) -> String {
        self.admin
            .flask(&["mailu", "config-export", "-f", "-j"], b"")
            .out
    }

    /// Whether a user has a password, by passlib.
    fn logs_in(&self, email: &str, password: &str) -> bool {
        let user = self.one("user", email).unwrap();
        passlib_verifies(password, user["password"].as_str().unwrap())
    }
}

fn passlib_verifies(password: &str, hash: &str) -> bool {
    let script = "import sys, passlib.context, passlib.registry\n\
        schemes = [n for n in passlib.registry.list_crypt_handlers() if n != 'scrypt' and not n.endswith('plaintext')]\n\
        context = passlib.context.CryptContext(schemes)\n\
        print(context.verify(sys.argv[1], sys.argv[2]))";
    let said = succeed(
        std::process::Command::new("/usr/bin/python3").args(["-c", script, password, hash]),
    );
    said.trim() == "True"
}

#[test]
fn every_verb_of_domains_and_relays() {
    let server = Server::new();
    let added = server.json(&[
        "domain",
        "add",
        "Example.NET",
        "comment=the second",
        "max_users=2",
        "alternatives=example.org",
    ]);
    assert_eq!(
        (added["action"].as_str(), added["performed"].as_bool()),
        (Some("create"), Some(true))
    );
    let shown = server.json(&["domain", "show", "example.net"]);
    assert_eq!(
        (
            &shown["comment"],
            &shown["max_users"],
            &shown["alternatives"]
        ),
        (&json!("the second"), &json!(2), &json!(["example.org"]))
    );
    // Again: nothing.
    let again = server.json(&[
        "domain",
        "add",
        "example.net",
        "comment=the second",
        "max_users=2",
    ]);
    assert_eq!(
        (again["action"].is_null(), again["performed"].as_bool()),
        (true, Some(false))
    );
    server.refused(
        &["domain", "add", "example.net", "max_users=3"],
        "accounts.exists",
    );
    server.refused(
        &["domain", "set", "example.edu", "max_users=3"],
        "accounts.not_found",
    );
    server.refused(
        &["domain", "set", "example.net", "max_users=much"],
        "accounts.invalid",
    );
    server.refused(
        &["domain", "set", "example.net", "nonsense"],
        "accounts.invalid",
    );
    server.refused(&["domain", "add", "example.org"], "admin.conflict");

    let dry = server.json(&["domain", "set", "example.net", "max_users=3", "--dry-run"]);
    assert_eq!(
        dry["changes"],
        json!([{ "field": "max_users", "from": 2, "to": 3 }])
    );
    assert_eq!(server.one("domain", "example.net").unwrap()["max_users"], 2);
    server.fine(&[
        "domain",
        "set",
        "example.net",
        "max_users=3",
        "alternatives=example.edu",
        "managers=admin@example.com",
    ]);
    let there = server.one("domain", "example.net").unwrap();
    assert_eq!(
        (&there["max_users"], &there["alternatives"]),
        (&json!(3), &json!(["example.edu"]))
    );
    assert_eq!(
        server.one("user", "admin@example.com").unwrap()["manager_of"],
        json!(["example.net"])
    );
    server.fine(&["domain", "set", "example.net", "managers=", "alternatives="]);
    let there = server.one("domain", "example.net").unwrap();
    assert_eq!(there["alternatives"], json!([]));
    assert_eq!(
        server.one("user", "admin@example.com").unwrap()["manager_of"],
        json!([])
    );

    server.fine(&["user", "add", "anna@example.net", "--no-password"]);
    let refused = server.refused(&["domain", "delete", "example.net"], "accounts.unconfirmed");
    assert!(refused.out.contains("anna@example.net"), "{}", refused.out);
    server.refused(
        &["domain", "delete", "example.com", "--yes"],
        "accounts.needed",
    );
    server.fine(&["domain", "delete", "example.net", "--yes"]);
    assert_eq!(server.one("domain", "example.net"), None);
    let again = server.json(&["domain", "delete", "example.net"]);
    assert!(again["action"].is_null());
    server.refused(&["domain", "show", "example.net"], "accounts.not_found");

    server.fine(&["relay", "add", "example.info", "smtp=mx.example.info:2525"]);
    assert_eq!(
        server.one("relay", "example.info").unwrap()["smtp"],
        "mx.example.info:2525"
    );
    server.fine(&["relay", "set", "example.info", "smtp=", "comment=by DNS"]);
    assert_eq!(server.json(&["relay", "show", "example.info"])["smtp"], "");
    server.refused(
        &["relay", "set", "example.info", "smtp=two words"],
        "accounts.invalid",
    );
    assert_eq!(server.json(&["relay", "list"]).as_array().unwrap().len(), 1);
    assert!(server.fine(&["relay", "list"]).out.contains("by DNS"));
    server.fine(&["relay", "delete", "example.info"]);
    assert_eq!(server.json(&["relay", "list"]), json!([]));
    assert!(server.fine(&["domain", "list"]).out.contains("example.com"));
}

#[test]
fn every_verb_of_users() {
    let server = Server::new();
    server.refused(&["user", "add", "anna@example.com"], "accounts.no_password");
    let made = server
        .with_input(
            &[
                "user",
                "add",
                "Anna@Example.com",
                "quota=5GB",
                "displayed_name=Anna Ä",
                "--password-stdin",
            ],
            "geheim und lang\n",
        )
        .expect_code(0);
    assert!(
        !made.out.contains("geheim") && !made.err.contains("geheim"),
        "{}{}",
        made.out,
        made.err
    );
    assert!(server.logs_in("anna@example.com", "geheim und lang"));
    let shown = server.json(&["user", "show", "anna@example.com"]);
    assert_eq!(
        (
            &shown["quota_bytes"],
            &shown["displayed_name"],
            &shown["quota_bytes_used"]
        ),
        (&json!(5_000_000_000_i64), &json!("Anna Ä"), &json!(0))
    );
    assert!(shown.get("password").is_none());
    // Whoever is there keeps the password.
    server
        .with_input(
            &["user", "add", "anna@example.com", "--password-stdin"],
            "another and long\n",
        )
        .expect_code(0);
    assert!(server.logs_in("anna@example.com", "geheim und lang"));
    for bad in [
        "short\n",
        "\n",
        "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW\n",
    ] {
        server
            .with_input(
                &["user", "passwd", "anna@example.com", "--password-stdin"],
                bad,
            )
            .expect_code(2);
    }

    // The deployment's quota, where none is given; a drawn password is printed once.
    let made = server.json(&["user", "add", "bea@example.com", "--generate"]);
    let drawn = made["drawn_password"].as_str().unwrap().to_owned();
    assert!(server.logs_in("bea@example.com", &drawn));
    assert_eq!(
        server.one("user", "bea@example.com").unwrap()["quota_bytes"],
        25_000_000_000_i64
    );
    let file = server.root.path().with_file_name("bea");
    server.fine(&[
        "user",
        "passwd",
        "bea@example.com",
        "--generate",
        "--password-out",
        file.to_str().unwrap(),
    ]);
    let kept = std::fs::read_to_string(&file).unwrap();
    assert!(
        server.logs_in("bea@example.com", kept.trim())
            && !server.logs_in("bea@example.com", &drawn)
    );
    let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&file).unwrap());
    assert_eq!(mode & 0o777, 0o600);
    let same = server.json(&[
        "user",
        "passwd",
        "bea@example.com",
        "--password-file",
        file.to_str().unwrap(),
    ]);
    assert_eq!(same["performed"], false);
    server.refused(
        &["user", "passwd", "nobody@example.com", "--generate"],
        "accounts.not_found",
    );

    server.fine(&["user", "disable", "anna@example.com"]);
    assert_eq!(
        server.one("user", "anna@example.com").unwrap()["enabled"],
        false
    );
    assert!(server.fine(&["user", "list"]).out.contains("disabled"));
    assert_eq!(
        server.json(&["user", "disable", "anna@example.com"])["performed"],
        false
    );
    server.fine(&["user", "enable", "anna@example.com"]);
    assert_eq!(
        server.one("user", "anna@example.com").unwrap()["enabled"],
        true
    );
    server.refused(&["user", "disable", "admin@example.com"], "accounts.needed");
    server.refused(
        &["user", "delete", "admin@example.com", "--yes"],
        "accounts.needed",
    );

    // What the API cannot do: an empty list of addresses to forward to.
    server.fine(&[
        "user",
        "set",
        "anna@example.com",
        "forward_enabled=yes",
        "forward_to=a@example.org,b@example.org",
        "reply_until=2026-12-31",
    ]);
    let there = server.one("user", "anna@example.com").unwrap();
    assert_eq!(
        there["forward_destination"],
        json!(["a@example.org", "b@example.org"])
    );
    assert_eq!(there["reply_enddate"], "2026-12-31");
    server.fine(&[
        "user",
        "set",
        "anna@example.com",
        "forward_enabled=no",
        "forward_to=",
    ]);
    let there = server.one("user", "anna@example.com").unwrap();
    assert_eq!(
        (&there["forward_destination"], &there["forward_enabled"]),
        (&json!([]), &json!(false))
    );
    assert!(server.logs_in("anna@example.com", "geheim und lang"));

    server.fine(&[
        "domain",
        "set",
        "example.com",
        "max_quota=6GB",
        "max_users=4",
    ]);
    server.refused(
        &["user", "set", "anna@example.com", "quota=7GB"],
        "accounts.quota",
    );
    server.refused(
        &[
            "user",
            "add",
            "postmaster@example.com",
            "quota=1GB",
            "--no-password",
        ],
        "accounts.address_taken",
    );
    server.refused(
        &["user", "add", "x@elsewhere.example", "--no-password"],
        "accounts.no_domain",
    );
    server.fine(&[
        "user",
        "add",
        "a/b%25+c@example.com",
        "quota=1GB",
        "--no-password",
    ]);
    assert_eq!(
        server.json(&["user", "show", "a/b%25+c@example.com"])["quota_bytes"],
        1_000_000_000
    );
    server.refused(
        &["user", "add", "e@example.com", "quota=1GB", "--no-password"],
        "admin.conflict",
    );
    server.fine(&["user", "delete", "a/b%25+c@example.com"]);
    assert_eq!(server.one("user", "a/b%25+c@example.com"), None);

    // Mail is never deleted, and whoever deletes is told.
    let mail = server.root.file("data/mail/anna@example.com/cur");
    std::fs::create_dir_all(&mail).unwrap();
    std::fs::write(mail.join("1"), "x").unwrap();
    server.fine(&["alias", "add", "info@example.com", "to=anna@example.com"]);
    let refused = server.refused(
        &["user", "delete", "anna@example.com"],
        "accounts.unconfirmed",
    );
    for part in ["data/mail/anna@example.com", "info@example.com"] {
        assert!(refused.out.contains(part), "{part}: {}", refused.out);
    }
    assert_eq!(
        server.json(&["user", "delete", "anna@example.com", "--dry-run"])["performed"],
        false
    );
    assert!(server.one("user", "anna@example.com").is_some());
    server.fine(&["user", "delete", "anna@example.com", "--yes"]);
    assert_eq!(server.one("user", "anna@example.com"), None);
    assert!(mail.join("1").exists());
    assert!(server.json(&["user", "delete", "anna@example.com"])["action"].is_null());
}

#[test]
fn every_verb_of_aliases_and_tokens() {
    let server = Server::new();
    server.fine(&["user", "add", "anna@example.com", "--no-password"]);
    server.refused(
        &["alias", "add", "info@example.com"],
        "accounts.destination",
    );
    server.fine(&["alias", "add", "info@example.com", "to=anna@example.com"]);
    assert_eq!(
        server.one("alias", "info@example.com").unwrap()["destination"],
        json!(["anna@example.com"])
    );
    // The API knows no alias that leads to another server; the import does.
    server.fine(&[
        "alias",
        "set",
        "info@example.com",
        "to=bob@elsewhere.example",
    ]);
    assert_eq!(
        server.json(&["alias", "show", "info@example.com"])["destination"],
        json!(["bob@elsewhere.example"])
    );
    server.fine(&[
        "alias",
        "add",
        "%@example.com",
        "to=anna@example.com,bob@elsewhere.example",
        "wildcard=yes",
    ]);
    let there = server.one("alias", "%@example.com").unwrap();
    assert_eq!(
        (&there["wildcard"], &there["destination"]),
        (
            &json!(true),
            &json!(["anna@example.com", "bob@elsewhere.example"])
        )
    );
    assert_eq!(server.json(&["alias", "list"]).as_array().unwrap().len(), 3);
    server.fine(&["alias", "delete", "%@example.com"]);
    server.refused(&["alias", "show", "%@example.com"], "accounts.not_found");

    let made = server.json(&[
        "token",
        "add",
        "anna@example.com",
        "--comment",
        "agencystack:blog:acme",
        "--from",
        "192.0.2.0/24",
        "--from",
        "2001:db8::1",
    ]);
    let secret = made["token"].as_str().unwrap().to_owned();
    assert!(secret.len() == 32 && secret.bytes().all(|b| b.is_ascii_hexdigit()));
    let all = server.json(&["token", "list", "anna@example.com"]);
    assert_eq!(all.as_array().unwrap().len(), 1);
    assert_eq!(
        all[0]["authorized"],
        json!(["192.0.2.0/24", "2001:db8::1/128"])
    );
    assert!(!all.to_string().contains(&secret));
    // A second of the same name only in place of the first.
    server.refused(
        &[
            "token",
            "add",
            "anna@example.com",
            "--comment",
            "agencystack:blog:acme",
        ],
        "accounts.token_exists",
    );
    let file = server.root.path().with_file_name("token");
    server.fine(&[
        "token",
        "add",
        "anna@example.com",
        "--comment",
        "agencystack:blog:acme",
        "--replace",
        "--out",
        file.to_str().unwrap(),
    ]);
    let kept = std::fs::read_to_string(&file).unwrap();
    let all = server.json(&["token", "list"]);
    assert_eq!(all.as_array().unwrap().len(), 1);
    assert_ne!(all[0]["id"], made["id"]);
    let tokens = server.one("user", "anna@example.com").unwrap()["tokens"].clone();
    let verified = passlib_verifies(kept.trim(), tokens[0]["password"].as_str().unwrap());
    assert!(verified && tokens.as_array().unwrap().len() == 1);
    let missing = server.root.path().join("no/such/token");
    server
        .run(&[
            "token",
            "add",
            "anna@example.com",
            "--out",
            missing.to_str().unwrap(),
        ])
        .expect_code(2);
    assert_eq!(server.json(&["token", "list"]).as_array().unwrap().len(), 1);
    server.refused(
        &["token", "add", "nobody@example.com"],
        "accounts.not_found",
    );
    server.refused(
        &["token", "list", "nobody@example.com"],
        "accounts.not_found",
    );
    let id = all[0]["id"].to_string();
    assert_eq!(server.json(&["token", "delete", &id])["deleted"], true);
    assert_eq!(server.json(&["token", "delete", &id])["deleted"], false);
    // What was printed is nobody's business any more, but it must not be in the log.
    for path in crate::support::files_below(&server.root.path()) {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            !text.contains(&secret) && !text.contains(kept.trim()),
            "{}",
            path.display()
        );
    }
}

const FILE: &str = r#"
[[domain]]
name = "example.com"
max_users = 10

[[domain]]
name = "münchen.example"
alternatives = ["example.net"]
managers = ["anna@example.com"]

[[user]]
email = "admin@example.com"

[[user]]
email = "anna@example.com"
displayed_name = "Anna"
quota = "2GB"
forward_enabled = true
forward_to = ["anna@elsewhere.example"]
password_hash = "$6$rounds=5000$saltsaltsaltsalt$SgMhkuoGzQ.R6qQQ6d6cXiIoKMLHpJUr6H8o6zLZH6rnBb7T9Wt0ohwrr7lSA0XMdUz/iAbxs0eFYbRFDCKqP0"

[[user]]
email = "bea@münchen.example"

[[alias]]
email = "postmaster@example.com"
to = ["admin@example.com"]

[[alias]]
email = "info@example.com"
to = ["anna@example.com", "bob@elsewhere.example"]

[[relay]]
name = "example.info"
smtp = "mx.example.info"
"#;

#[test]
fn a_file_says_what_is_there() {
    let server = Server::new();
    let file = server.root.beside("accounts.toml", FILE);
    let file = file.to_str().unwrap();
    let out = server.root.path().with_file_name("drawn.csv");
    let out = out.to_str().unwrap();
    let before = server.everything();
    // One has no password.
    let refused = server.refused(&["accounts", "apply", file], "accounts.impossible");
    assert!(
        refused.out.contains("bea@xn--mnchen-3ya.example"),
        "{}",
        refused.out
    );
    let plan = server.json(&["accounts", "plan", file, "--passwords-out", out]);
    let steps = |plan: &Value| -> Vec<String> {
        let all = plan["plan"]["steps"]
            .as_array()
            .unwrap_or_else(|| panic!("{plan}"));
        all.iter()
            .map(|step| {
                format!(
                    "{} {} {}",
                    step["action"].as_str().unwrap(),
                    step["kind"].as_str().unwrap(),
                    step["name"].as_str().unwrap()
                )
            })
            .collect()
    };
    let wanted = [
        "change domain example.com",
        "create domain xn--mnchen-3ya.example",
        "create user anna@example.com",
        "create user bea@xn--mnchen-3ya.example",
        "create alias info@example.com",
        "create relay example.info",
    ];
    assert_eq!(steps(&plan), wanted);
    assert!(!plan.to_string().contains("$6$"));
    assert_eq!(server.everything(), before);
    assert!(!std::path::Path::new(out).exists());

    let done = server.json(&["accounts", "apply", file, "--passwords-out", out]);
    assert_eq!(
        (done["performed"].as_bool(), steps(&done).len()),
        (Some(true), 6)
    );
    let kept = std::fs::read_to_string(out).unwrap();
    let password = kept.lines().nth(1).unwrap().split(',').nth(1).unwrap();
    assert!(server.logs_in("bea@münchen.example", password));
    let anna = server.one("user", "anna@example.com").unwrap();
    assert_eq!(
        (&anna["quota_bytes"], &anna["manager_of"]),
        (&json!(2_000_000_000), &json!(["münchen.example"]))
    );
    let after = server.everything();
    let again = server.json(&["accounts", "apply", file]);
    assert_eq!(
        (again["performed"].as_bool(), steps(&again)),
        (Some(false), Vec::new())
    );
    assert_eq!(server.everything(), after);

    // What is there, written down, is what is wanted.
    for more in [&["--hashes"][..], &[]] {
        let written = server.root.path().with_file_name("exported.toml");
        let written = written.to_str().unwrap();
        server.fine(&[&["accounts", "export", "--out", written], more].concat());
        let plan = server.json(&["accounts", "plan", written, "--prune", "--delete-users"]);
        assert_eq!(steps(&plan), Vec::<String>::new(), "{plan}");
        let text = std::fs::read_to_string(written).unwrap();
        assert_eq!(text.contains("password_hash"), !more.is_empty());
    }
    let table = server.root.path().with_file_name("exported.csv");
    server.fine(&[
        "accounts",
        "export",
        "--csv",
        "--out",
        table.to_str().unwrap(),
    ]);
    assert_eq!(
        steps(&server.json(&["accounts", "plan", table.to_str().unwrap()])),
        Vec::<String>::new()
    );

    // Lists lose what is not wanted any more, and managers too.
    let text = FILE
        .replace(
            "to = [\"anna@example.com\", \"bob@elsewhere.example\"]",
            "to = [\"bob@elsewhere.example\"]",
        )
        .replace("alternatives = [\"example.net\"]", "alternatives = []")
        .replace(
            "managers = [\"anna@example.com\"]",
            "managers = [\"admin@example.com\"]",
        )
        .replace("forward_enabled = true", "forward_enabled = false")
        .replace(
            "forward_to = [\"anna@elsewhere.example\"]",
            "forward_to = []",
        );
    let file = server.root.beside("less.toml", &text);
    let file = file.to_str().unwrap();
    let done = server.json(&["accounts", "apply", file]);
    assert_eq!(
        steps(&done),
        [
            "change domain xn--mnchen-3ya.example",
            "change user anna@example.com",
            "change alias info@example.com"
        ]
    );
    assert_eq!(
        server.one("alias", "info@example.com").unwrap()["destination"],
        json!(["bob@elsewhere.example"])
    );
    assert_eq!(
        server.one("domain", "münchen.example").unwrap()["alternatives"],
        json!([])
    );
    assert_eq!(
        server.one("user", "anna@example.com").unwrap()["manager_of"],
        json!([])
    );
    assert_eq!(
        server.one("user", "admin@example.com").unwrap()["manager_of"],
        json!(["münchen.example"])
    );
    assert_eq!(
        steps(&server.json(&["accounts", "plan", file])),
        Vec::<String>::new()
    );

    // Prune only when asked, and never what the deployment needs.
    let few = "[[user]]\nemail = \"anna@example.com\"\n[[alias]]\nemail = \"info@example.com\"\n[[domain]]\nname = \"example.com\"\n";
    let few = server.root.beside("few.toml", few);
    let few = few.to_str().unwrap();
    assert_eq!(
        steps(&server.json(&["accounts", "apply", few])),
        Vec::<String>::new()
    );
    server.refused(
        &["accounts", "apply", few, "--prune"],
        "accounts.unconfirmed",
    );
    let pruned = server.json(&["accounts", "apply", few, "--prune", "--yes"]);
    assert_eq!(steps(&pruned), ["disable user bea@xn--mnchen-3ya.example"]);
    assert_eq!(
        server.one("user", "bea@münchen.example").unwrap()["enabled"],
        false
    );
    let pruned = server.json(&[
        "accounts",
        "apply",
        few,
        "--prune",
        "--delete-users",
        "--yes",
    ]);
    assert_eq!(
        steps(&pruned),
        [
            "delete user bea@xn--mnchen-3ya.example",
            "delete domain xn--mnchen-3ya.example"
        ]
    );
    assert_eq!(
        (
            server.one("user", "bea@münchen.example"),
            server.one("domain", "münchen.example")
        ),
        (None, None)
    );
    assert!(
        server.one("relay", "example.info").is_some(),
        "a section that the file does not have"
    );
    assert!(server.one("alias", "postmaster@example.com").is_some());
}

fn table(count: usize, with: impl Fn(usize) -> String) -> String {
    let mut text = String::from("email,password,displayed_name,quota\n");
    for n in 0..count {
        let _ = writeln!(text, "user{n}@example.com,{},User {n},1GB", with(n));
    }
    text
}

#[test]
fn a_table_is_applied_in_whole_or_not_at_all() {
    let server = Server::new();
    let before = server.everything();
    let bad = "email,password,quota\nanna@example.com,geheim-und-lang,1GB\nbea,kurz,viel\ncleo@elsewhere.example,geheim-und-lang,1GB\n";
    let file = server.root.beside("bad.csv", bad);
    let refused = server.refused(
        &["accounts", "apply", file.to_str().unwrap()],
        "accounts.invalid",
    );
    for part in ["line 3: email", "line 3: password", "line 3: quota"] {
        assert!(refused.out.contains(part), "{part}: {}", refused.out);
    }
    assert!(!refused.out.contains("kurz"));
    let bad = bad.replace(
        "bea,kurz,viel",
        "bea@example.com,geheim-und-lang,1GB\nbea@elsewhere.example,geheim-und-lang,1GB",
    );
    let file = server.root.beside("bad.csv", &bad);
    let refused = server.refused(
        &["accounts", "apply", file.to_str().unwrap()],
        "accounts.impossible",
    );
    for part in [
        "line 4: user bea@elsewhere.example",
        "line 5: user cleo@elsewhere.example",
    ] {
        assert!(refused.out.contains(part), "{part}: {}", refused.out);
    }
    assert_eq!(server.everything(), before);

    let file = server
        .root
        .beside("users.csv", &table(60, |n| format!("geheim-{n}-und-lang")));
    let file = file.to_str().unwrap();
    let done = server.json(&["accounts", "apply", file]);
    assert_eq!(done["plan"]["steps"].as_array().unwrap().len(), 60);
    for n in [0, 31, 59] {
        assert!(server.logs_in(
            &format!("user{n}@example.com"),
            &format!("geheim-{n}-und-lang")
        ));
    }
    let after = server.everything();
    assert_eq!(
        server.json(&["accounts", "apply", file])["performed"],
        false
    );
    // Whoever exists keeps the password, unless that is asked for; and then only whoever has another one.
    let other = server.root.beside(
        "users.csv",
        &table(60, |n| {
            format!("geheim-{}-und-lang", if n == 7 { 1007 } else { n })
        }),
    );
    let other = other.to_str().unwrap();
    assert_eq!(
        server.json(&["accounts", "apply", other])["performed"],
        false
    );
    assert_eq!(server.everything(), after);
    let done = server.json(&["accounts", "apply", other, "--reset-passwords"]);
    let steps = done["plan"]["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 1, "{done}");
    assert_eq!(
        (&steps[0]["name"], &steps[0]["password"]),
        (&json!("user7@example.com"), &json!(true))
    );
    assert!(server.logs_in("user7@example.com", "geheim-1007-und-lang"));
    assert!(server.logs_in("user8@example.com", "geheim-8-und-lang"));
}

/// How many imports there were.
fn imports(engine: &FakeEngine) -> usize {
    let calls = engine.calls();
    calls
        .iter()
        .filter(|call| call.contains("config-import"))
        .count()
}

/// Killed while Mailu is at work, which goes on; killed before; the next run waits, and ends right.
#[test]
fn an_import_that_was_left_running_is_waited_for() {
    let server = Server::new();
    let count = 40;
    let file = server.root.beside(
        "users.csv",
        &table(count, |n| format!("geheim-{n}-und-lang")),
    );
    let file = file.to_str().unwrap();
    // The import waits until it may.
    let before = imports(&server.engine);
    let (begun, may) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicBool::new(false)),
    );
    let (noted, allowed) = (begun.clone(), may.clone());
    let mut commands = server.admin.commands();
    server.engine.program(
        "admin",
        &["flask", "mailu", "config-import"],
        move |command, input| {
            noted.store(true, Ordering::SeqCst);
            while !allowed.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(10));
            }
            commands(command, input)
        },
    );
    let spawn = || {
        server
            .engine
            .reach(&mut server.root.command(&["--json", "accounts", "apply", file]))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let wait = |what: &dyn Fn() -> bool| {
        let start = Instant::now();
        while !what() {
            assert!(start.elapsed() < Duration::from_secs(60));
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    let mut first = spawn();
    wait(&|| begun.load(Ordering::SeqCst));
    first.kill().unwrap();
    first.wait().unwrap();
    assert_eq!(imports(&server.engine), before + 1);
    let mut second = spawn();
    let mut said = BufReader::new(second.stderr.take().unwrap()).lines();
    let waits = said.any(|line| {
        line.unwrap()
            .contains("waiting for an import that is still running")
    });
    assert!(waits);
    may.store(true, Ordering::SeqCst);
    let rest = std::thread::spawn(move || said.map_while(Result::ok).count());
    let second = finished(second.wait_with_output().unwrap()).expect_code(0);
    rest.join().unwrap();
    assert_eq!(second.json()["performed"], false, "{}", second.out);
    assert_eq!(imports(&server.engine), before + 1);
    let all: BTreeSet<String> = server
        .exported("user")
        .iter()
        .map(|one| one["email"].to_string())
        .collect();
    assert_eq!(all.len(), count + 1);
}

#[test]
fn an_import_that_lies_is_found_out() {
    let server = Server::new();
    let file = server.root.beside(
        "users.csv",
        "email,password\nanna@example.com,geheim-und-lang\n",
    );
    server
        .engine
        .program("admin", &["flask", "mailu", "config-import"], |_, input| {
            let text = String::from_utf8_lossy(input).into_owned();
            let hash = text
                .split("\"password\":\"")
                .nth(1)
                .unwrap()
                .split('"')
                .next()
                .unwrap()
                .to_owned();
            Answer::failed(0, &format!("Error: invalid password hash '{hash}'\n"))
        });
    let refused = server.refused(
        &["accounts", "apply", file.to_str().unwrap()],
        "accounts.not_taken",
    );
    assert!(
        refused.out.contains("anna@example.com") && refused.out.contains("invalid password hash"),
        "{}",
        refused.out
    );
    assert!(!refused.out.contains("$bcrypt-sha256$"), "{}", refused.out);
}

/// Our hashes are passlib's, and every form that we take passlib verifies.
#[test]
fn passlib_and_we_agree_on_hashes() {
    use mailu_core::accounts::PasswordHash;
    let password = "pässwörd & co";
    let ours = PasswordHash::new(
        &mailu_core::Secret::new(password),
        4,
        *b"\x00\xff23456789abcde\x80",
    );
    assert!(passlib_verifies(password, ours.expose()));
    assert!(!passlib_verifies("pässwörd & Co", ours.expose()));
    let script = "import sys\nfrom passlib import hash as h\np = sys.argv[1]\n\
        for s in (h.bcrypt_sha256.using(rounds=4), h.bcrypt_sha256.using(rounds=4, version=1), h.bcrypt.using(rounds=4), h.sha512_crypt, h.sha512_crypt.using(rounds=1500),\n\
                  h.sha256_crypt, h.md5_crypt, h.pbkdf2_sha1, h.pbkdf2_sha256, h.pbkdf2_sha512, h.ldap_salted_sha1, h.ldap_salted_sha256, h.ldap_salted_sha512):\n\
            \x20   print(s.hash(p))";
    let all =
        succeed(std::process::Command::new("/usr/bin/python3").args(["-c", script, password]));
    for hash in all.lines() {
        assert!(PasswordHash::parse(hash).is_ok(), "{hash}");
    }
    assert_eq!(all.lines().count(), 13);
    let first = PasswordHash::parse(all.lines().next().unwrap()).unwrap();
    assert_eq!(
        first.verifies(&mailu_core::Secret::new(password)),
        Some(true)
    );
    assert_eq!(
        first.verifies(&mailu_core::Secret::new("another")),
        Some(false)
    );
}

#[test]
fn whoever_cannot_be_asked_is_named() {
    let server = Server::new();
    // Another token than the container was started with would lock this host out; the one that it has is used.
    std::fs::write(
        server.root.layout().secret("api_token"),
        "stale-token-of-yesterday",
    )
    .unwrap();
    server.fine(&["domain", "list"]);
    server.engine.change("mailu_admin", |admin| {
        for line in &mut admin.environment {
            if line.starts_with("API_TOKEN=") {
                "API_TOKEN=wrong-token-altogether".clone_into(line);
            }
        }
    });
    let refused = server.refused(&["domain", "list"], "admin.token");
    assert!(!refused.out.contains("wrong-token"), "{}", refused.out);
    for _ in 0..4 {
        server.run(&["domain", "list"]).expect_code(2);
    }
    server.refused(&["domain", "list"], "admin.locked_out");
    server
        .engine
        .change("mailu_admin", |admin| admin.state = "exited");
    server.refused(&["domain", "list"], "service.not_running");
}
