//! `mailu test-email` on a server that is well, and on the same server broken in one place after the other.
//!
//! `MAILU_E2E_FULL=1` (`make e2e-full`) breaks more.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::server::{ADMIN, BARE, LIGHT, PASSWORD, Server, USER};
use crate::support::{Root, finished, program, tests, workspace};
use crate::world::{self, Zone, arrives, docker, fetch, inside};

/// Somebody whose server takes mail.
pub(crate) const SOMEONE: &str = "someone@outside.test";

#[test]
fn a_test_message_is_followed_to_where_it_stops() {
    let _alone = world::alone();
    let more = [&LIGHT[..], &BARE].concat();
    let server = Server::with_files(Root::new(), &more).install();
    healthy(&server);
    broken(&server);
    if std::env::var_os("MAILU_E2E_FULL").is_some() {
        broken_otherwise(&server);
    }
    // None of it has left a trace.
    assert_eq!(tested(&server, &[], 0)["delivered"], true);
}

/// What the test says, which has to end with `code`.
fn tested(server: &Server, args: &[&str], code: i32) -> Value {
    let args = [&["test-email", "--json"], args].concat();
    server.root.run(&args).expect_code(code).json()
}

/// How each stage ended.
fn outcomes(report: &Value) -> Vec<(&str, &str)> {
    let stages = report["stages"].as_array().unwrap().iter();
    stages
        .map(|one| {
            (
                one["stage"].as_str().unwrap(),
                one["outcome"].as_str().unwrap(),
            )
        })
        .collect()
}

/// Stops at `stage`, with a finding and something to type.
fn stops(server: &Server, args: &[&str], code: i32, stage: &str, finding: &str) -> Value {
    let report = tested(server, args, code);
    let outcomes = outcomes(&report);
    let (last, before) = outcomes.split_last().unwrap();
    assert_eq!(*last, (stage, "failed"), "{report}");
    assert!(
        before.iter().all(|(_, outcome)| *outcome != "failed"),
        "{report}"
    );
    let findings = report["findings"].as_array().unwrap();
    let found = findings.iter().find(|one| one["id"] == finding);
    let found = found.unwrap_or_else(|| panic!("no {finding} in {report}"));
    assert_ne!(found["hints"].as_array().map_or(0, Vec::len), 0, "{found}");
    assert_eq!(report["negative"], Value::Array(Vec::new()), "{report}");
    report
}

/// What a receiver makes of a message that has arrived outside, by another's judgement (authheaders).
pub(crate) fn judged_outside(subject: &str) -> String {
    let message = arrives(SOMEONE, subject);
    let mut child = Command::new("/usr/bin/python3")
        .arg(tests("tools/receive.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(message.raw.as_bytes()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", message.raw);
    String::from_utf8(output.stdout).unwrap()
}

fn healthy(server: &Server) {
    let report = tested(server, &[], 0);
    let all = [
        "connect",
        "login",
        "submit",
        "queue",
        "deliver",
        "arrive",
        "authenticate",
    ];
    assert_eq!(outcomes(&report), all.map(|stage| (stage, "passed")));
    // What is handed in with a login is not checked like a stranger's.
    assert_eq!(report["results"]["auth"], "pass", "{report}");
    assert_eq!(
        report["results"]["signed"], "dkim._domainkey.example.com",
        "{report}"
    );
    assert_eq!(report["findings"], Value::Array(Vec::new()), "{report}");
    let refused: Vec<(&str, &str)> = report["negative"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            (
                one["name"].as_str().unwrap(),
                one["outcome"].as_str().unwrap(),
            )
        })
        .collect();
    let names = ["relay", "auth_on_25", "forged_sender"];
    assert_eq!(refused, names.map(|name| (name, "passed")), "{report}");
    assert!(
        fetch(ADMIN, PASSWORD, &[]).messages.is_empty(),
        "it was deleted"
    );

    // Somebody else's account, and a message that stays; in words, as Make calls it.
    let password = server.root.beside("user-password", PASSWORD);
    let mut make = Command::new("make");
    make.current_dir(workspace())
        .args([
            "--no-print-directory",
            "mailu-test-email",
            "DOMAIN=mail.example.com",
        ])
        .arg(format!("ROOT={}", server.root.path().display()))
        .arg(format!("MAILU={}", program().display()))
        .arg(format!("FROM={USER}"))
        .arg(format!("PASSWORD_FILE={}", password.display()))
        .arg("SUBJECT=made");
    let run = finished(make.output().unwrap()).expect_code(0);
    assert!(run.out.contains("ok       arrive"), "{}", run.out);
    assert!(run.out.contains("delivered"), "{}", run.out);
    let from = [
        "--from",
        USER,
        "--password-file",
        password.to_str().unwrap(),
    ];
    let more = ["--keep", "--subject", "kept", "--body", "as it was typed"];
    tested(server, &[&from[..], &more].concat(), 0);
    let messages = fetch(USER, PASSWORD, &[]).messages;
    assert_eq!(messages.len(), 1, "{messages:?}");
    let kept = messages.first().unwrap();
    assert!(
        kept.contains("Subject: kept") && kept.contains("as it was typed"),
        "{kept}"
    );

    // To a colleague, whose mailbox is nobody's business.
    let report = tested(server, &["--to", USER], 0);
    assert_eq!(
        outcomes(&report).get(4..),
        Some(
            &[
                ("deliver", "passed"),
                ("arrive", "skipped"),
                ("authenticate", "skipped")
            ][..]
        )
    );
    // To another server, which is content.
    let report = tested(server, &[SOMEONE, "--subject", "to elsewhere"], 0);
    assert_eq!(report["delivered"], true, "{report}");
    let judged = judged_outside("to elsewhere");
    for result in ["spf=pass", "dkim=pass", "dmarc=pass"] {
        assert!(judged.contains(result), "{result} is not in {judged}");
    }
}

fn broken(server: &Server) {
    let wrong = server.root.beside("wrong-password", "wrong");
    let wrong = ["--password-file", wrong.to_str().unwrap()];
    let report = stops(server, &wrong, 11, "login", "delivery.login");
    assert!(report.to_string().contains("535"), "{report}");

    let report = stops(
        server,
        &["reject@outside.test"],
        14,
        "deliver",
        "delivery.bounced",
    );
    assert!(report.to_string().contains("nobody here"), "{report}");
    let report = stops(
        server,
        &["later@outside.test"],
        14,
        "deliver",
        "delivery.deferred",
    );
    let id = report["queue_ids"][0].as_str().unwrap();
    assert!(
        report.to_string().contains(&format!("postqueue -i {id}")),
        "{report}"
    );
    // As it says: there it is, and so it goes.
    let queue = inside("mailu_smtp", &["postqueue", "-j"], "");
    assert!(queue.contains(id), "{queue}");
    docker(&["exec", "mailu_smtp", "postsuper", "-d", id]);

    without(server, "antispam", 12, "submit", "delivery.submit");

    // Another key in DNS than the server signs with.
    let zone = server.root.read("dns/example.com.zone");
    let text = server.root.read("data/dkim/example.com.dkim.key");
    let ours = mailu_core::dkim::public_text(&text, &"example.com").unwrap();
    let start = &ours[ours.find("p=").unwrap() + 2..][..60];
    // The modulus begins later.
    let other: String = start.chars().take(50).chain("AAAAAAAAAA".chars()).collect();
    assert!(zone.contains(start), "{zone}");
    server.publish(&zone.replace(start, &other));
    let args = [SOMEONE, "--subject", "with another key"];
    let report = stops(server, &args, 16, "authenticate", "delivery.dkim_other");
    assert_eq!(report["delivered"], true, "{report}");
    // So say receivers.
    let judged = judged_outside("with another key");
    assert!(!judged.contains("dkim=pass"), "{judged}");
    stops(server, &[], 16, "authenticate", "delivery.dkim_other");
    server.publish(&zone);
}

/// With a service that does not run; what is said names it, and what is said to type helps.
fn without(server: &Server, service: &str, code: i32, stage: &str, finding: &str) {
    docker(&["stop", "-t", "1", &format!("mailu_{service}")]);
    let args = ["--timeout", "12"];
    let report = stops(server, &args, code, stage, finding);
    let start = format!("start --domain mail.example.com {service}");
    assert!(report.to_string().contains(&start), "{report}");
    server.root.run(&["start", service]).expect_code(0);
    // What waits in the queue is on its way again.
    docker(&["exec", "mailu_smtp", "postsuper", "-d", "ALL"]);
}

fn broken_otherwise(server: &Server) {
    without(server, "front", 10, "connect", "delivery.connect");
    // Front cannot log in at Postfix for anybody then.
    without(server, "smtp", 11, "login", "delivery.login");
    without(server, "imap", 14, "deliver", "delivery.slow");
    stops(
        server,
        &["nobody@example.com"],
        14,
        "deliver",
        "delivery.bounced",
    );
    // A server that nobody reaches.
    let zone = Zone::load("dead.test", "@ MX 10 mx\nmx A 198.51.100.99\n");
    stops(
        server,
        &["someone@dead.test"],
        14,
        "deliver",
        "delivery.deferred",
    );
    drop(zone);
    docker(&["exec", "mailu_smtp", "postsuper", "-d", "ALL"]);

    let account = |key: &str, value: bool| {
        let text = format!("user:\n- email: {ADMIN}\n  {key}: {value}\n");
        inside(
            "mailu_admin",
            &["flask", "mailu", "config-import", "-u"],
            &text,
        );
    };
    account("enable_imap", false);
    stops(server, &[], 15, "arrive", "delivery.arrive");
    account("enable_imap", true);
    // The message came, and somebody could send in anybody's name.
    account("allow_spoofing", true);
    let report = tested(server, &[], 17);
    assert_eq!(report["delivered"], true, "{report}");
    assert!(
        report.to_string().contains("delivery.forged_sender"),
        "{report}"
    );
    account("allow_spoofing", false);
}
