//! Accounts end to end: who was made logs in and sends, who was disabled does not, aliases lead somewhere, and two thousand come at once.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::server::{ADMIN, BARE, LIGHT, PASSWORD, Server};
use crate::support::{Root, Run, finished};
use crate::watch::Watch;
use crate::world::{self, docker, fetch, send, wait_for};

fn fine(server: &Server, args: &[&str]) -> Run {
    server.root.run(args).expect_code(0)
}

fn json(server: &Server, args: &[&str]) -> Value {
    fine(server, &[&["--json"], args].concat()).json()
}

fn spawn(server: &Server, args: &[&str]) -> Child {
    let mut command = server.root.command(args);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn with_input(server: &Server, args: &[&str], input: &str) -> Run {
    let mut child = spawn(server, args);
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    finished(child.wait_with_output().unwrap())
}

/// Whether somebody may hand in a message as `from`.
fn submits(login: &str, password: &str, from: &str, subject: &str) -> bool {
    let auth = format!("{login}:{password}");
    let args = [
        "--server",
        "mail.example.com:465",
        "--tls",
        "implicit",
        "--auth",
        &auth,
        "--from",
        from,
        "--to",
        ADMIN,
    ];
    send(&args, &format!("Subject: {subject}\n\nAbout {subject}.\n")).ok
}

fn logs_in(user: &str, password: &str) -> bool {
    fetch(user, password, &[]).ok
}

fn server() -> Server {
    Server::with_files(Root::new(), &[&LIGHT[..], &BARE].concat()).install()
}

#[test]
fn every_account_verb() {
    let _alone = world::alone();
    one_by_one(&server());
}

#[test]
fn two_thousand_from_a_table() {
    let _alone = world::alone();
    two_thousand(&server());
}

fn one_by_one(server: &Server) {
    const WORD: &str = "Geheim-und-lang-42";
    let watch = Watch::begin();
    let args = [
        "user",
        "add",
        "anna@example.com",
        "displayed_name=Anna",
        "quota=1GB",
        "--password-stdin",
    ];
    with_input(server, &args, WORD).expect_code(0);
    fine(
        server,
        &["alias", "add", "info@example.com", "to=anna@example.com"],
    );
    let token = json(
        server,
        &[
            "token",
            "add",
            "anna@example.com",
            "--comment",
            "agencystack:blog",
        ],
    );
    let token = token["token"].as_str().unwrap().to_owned();
    watch.shows_none_of(&[WORD, PASSWORD, &token]);
    assert!(logs_in("anna@example.com", WORD));
    assert!(submits(
        "anna@example.com",
        WORD,
        "anna@example.com",
        "by password"
    ));
    // The address of an alias is its own too; a stranger's is not.
    assert!(submits(
        "anna@example.com",
        &token,
        "info@example.com",
        "by token"
    ));
    assert!(!submits(
        "anna@example.com",
        &token,
        ADMIN,
        "as somebody else"
    ));
    let said = send(
        &["--to", "info@example.com", "--dkim", "--queue"],
        "Subject: to an alias\n\nIt leads to Anna.\n",
    );
    assert!(said.ok, "{said:?}");
    wait_for("the message to the alias", || {
        let there = fetch("anna@example.com", WORD, &[]);
        let arrived = there
            .messages
            .iter()
            .any(|text| text.contains("to an alias"));
        arrived.then_some(())
    });

    let id = json(server, &["token", "list", "anna@example.com"])[0]["id"].to_string();
    let watch = Watch::begin();
    fine(server, &["token", "delete", &id]);
    fine(server, &["user", "disable", "anna@example.com"]);
    watch.shows_none_of(&[&token, WORD]);
    assert!(!submits(
        "anna@example.com",
        &token,
        "anna@example.com",
        "by a token that is gone"
    ));
    assert!(!logs_in("anna@example.com", WORD));
    fine(server, &["user", "enable", "anna@example.com"]);
    assert!(logs_in("anna@example.com", WORD));
    // Whatever is done, the new passwords and the server's own secrets are in nobody's arguments.
    let own = ["api_token", "secret_key", "admin_password"].map(|name| {
        let secret = std::fs::read_to_string(server.root.layout().secret(name)).unwrap();
        secret.trim().to_owned()
    });
    let (typed, filed) = ("Getippt-und-lang-43", "Abgelegt-und-lang-44");
    let password = server.root.beside("another-password", filed);
    let passwd = ["user", "passwd", "anna@example.com"];
    let watch = Watch::begin();
    with_input(
        server,
        &[&passwd[..], &["--password-stdin"]].concat(),
        typed,
    )
    .expect_code(0);
    fine(
        server,
        &[
            &passwd[..],
            &["--password-file", password.to_str().unwrap()],
        ]
        .concat(),
    );
    let made = json(server, &[&passwd[..], &["--generate"]].concat());
    let drawn = made["drawn_password"].as_str().unwrap().to_owned();
    for args in [
        ["domain", "add", "example.net", "comment=the second"].as_slice(),
        &["domain", "set", "example.net", "max_users=7"],
        &["relay", "add", "example.info", "smtp=mx.outside.test"],
        &["relay", "set", "example.info", "smtp=mx2.outside.test"],
    ] {
        fine(server, args);
    }
    for what in ["domain", "relay"] {
        fine(server, &[what, "list"]);
    }
    let all: Vec<&str> = own
        .iter()
        .map(String::as_str)
        .chain([typed, filed, drawn.as_str()])
        .collect();
    watch.shows_none_of(&all);
    assert!(logs_in("anna@example.com", &drawn));
    for old in [WORD, typed, filed] {
        assert!(!logs_in("anna@example.com", old));
    }

    for (verb, name) in [
        ("domain", "example.net"),
        ("relay", "example.info"),
        ("user", "anna@example.com"),
        ("alias", "info@example.com"),
    ] {
        assert!(fine(server, &[verb, "list"]).out.contains(name), "{verb}");
        fine(server, &[verb, "show", name]);
    }
    // A hash from another server lets its owner in.
    let hash = docker(&[
        "exec",
        "mailu_admin",
        "python3",
        "-c",
        "from passlib.hash import sha512_crypt as h; print(h.using(rounds=1000).hash('moved-with-me'))",
    ]);
    let file = server.root.beside(
        "moved.csv",
        &format!("email,password_hash\nmoved@example.com,{}\n", hash.trim()),
    );
    fine(server, &["accounts", "apply", file.to_str().unwrap()]);
    assert!(logs_in("moved@example.com", "moved-with-me"));
    // Mailu has replaced it by its own meanwhile; nothing of that is undone.
    assert_eq!(
        json(server, &["accounts", "apply", file.to_str().unwrap()])["performed"],
        false
    );

    let watch = Watch::begin();
    fine(server, &["relay", "delete", "example.info"]);
    fine(server, &["domain", "delete", "example.net"]);
    watch.shows_none_of(&all);
    fine(server, &["alias", "delete", "info@example.com"]);
    let refused = server
        .root
        .run(&["user", "delete", "anna@example.com"])
        .expect_code(2);
    assert!(
        refused.err.contains("data/mail/anna@example.com"),
        "{}",
        refused.err
    );
    fine(server, &["user", "delete", "anna@example.com", "--yes"]);
    assert!(!logs_in("anna@example.com", &drawn));
    assert!(server.root.file("data/mail/anna@example.com").is_dir());
    // And is there again, with its mail, for whoever is made anew.
    with_input(
        server,
        &["user", "add", "anna@example.com", "--password-stdin"],
        WORD,
    )
    .expect_code(0);
    let there = fetch("anna@example.com", WORD, &[]);
    assert!(
        there
            .messages
            .iter()
            .any(|text| text.contains("to an alias"))
    );
}

fn two_thousand(server: &Server) {
    const COUNT: usize = 2000;
    let mut text = String::from("email,password,displayed_name,quota\n");
    for n in 0..COUNT {
        let _ = writeln!(text, "user{n}@example.com,geheim-{n}-und-lang,User {n},1GB");
    }
    let wrong = text
        .replace("user7@example.com,", "user7,")
        .replace("User 1999,1GB", "User 1999,viel");
    let wrong = server.root.beside("wrong.csv", &wrong);
    let before = json(server, &["user", "list"]);
    let refused = server
        .root
        .run(&["accounts", "apply", wrong.to_str().unwrap()])
        .expect_code(2);
    for part in ["line 9: email", "line 2001: quota"] {
        assert!(refused.err.contains(part), "{part}: {}", refused.err);
    }
    assert_eq!(json(server, &["user", "list"]), before);

    let file = server.root.beside("users.csv", &text);
    let file = file.to_str().unwrap();
    let secrets = [
        "geheim-0-und-lang",
        "geheim-1999-und-lang",
        "$bcrypt-sha256$",
    ];
    let watch = Watch::begin();
    // Killed while Mailu is at work, which goes on by itself.
    let mut killed = spawn(server, &["accounts", "apply", file]);
    let importing = || {
        std::fs::read_dir("/proc").unwrap().flatten().any(|entry| {
            let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).into_owned();
            line.contains("flask") && line.contains("config-import")
        })
    };
    let begun = Instant::now();
    while !importing() {
        assert!(begun.elapsed() < Duration::from_secs(120));
        assert_eq!(killed.try_wait().unwrap(), None);
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    fine(server, &["accounts", "apply", file]);
    watch.shows_none_of(&secrets);
    let users = json(server, &["user", "list"]);
    let own = users.as_array().unwrap().iter().filter(|one| {
        let name = one["email"].as_str().unwrap();
        let number = name
            .strip_prefix("user")
            .and_then(|rest| rest.split_once('@'));
        number.is_some_and(|(number, _)| number.parse::<usize>().is_ok())
            && one["quota_bytes"] == 1_000_000_000
    });
    assert_eq!(own.count(), COUNT);
    for n in [0, 999, 1999] {
        assert!(logs_in(
            &format!("user{n}@example.com"),
            &format!("geheim-{n}-und-lang")
        ));
    }
    let again = json(server, &["accounts", "apply", file]);
    assert_eq!(
        (&again["performed"], &again["plan"]["unchanged"]),
        (&Value::Bool(false), &COUNT.into())
    );
    assert_eq!(json(server, &["user", "list"]), users);
}
