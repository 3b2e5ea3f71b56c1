//! Every operating verb on a server that is well, on one that is not, and on one that is not there.

use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;

use serde_json::Value;

use crate::server::{BARE, Front, LIGHT, Server, changed, containers};
use crate::support::{Root, Run, succeed};
use crate::world::{self, Traefik, docker, wait_for};

#[test]
fn every_verb() {
    let _alone = world::alone();
    let more = [&LIGHT[..], &BARE].concat();
    let server = Server::prepare(Root::new(), Front::Theirs(Traefik::start()), &more).install();
    server.takes_certificate();
    healthy(&server);
    degraded(&server);
    absent(&server);
}

/// The state of a service, by `mailu status --json`.
fn level(server: &Server, service: &str) -> String {
    let json = server.root.run(&["status", "--json"]).json();
    let found = find(&json["services"], "name", service);
    found["level"].as_str().unwrap_or_default().to_owned()
}

fn find(list: &Value, key: &str, value: &str) -> Value {
    let all = list.as_array().unwrap_or_else(|| panic!("no list: {list}"));
    let found = all.iter().find(|one| one[key] == value);
    found.cloned().unwrap_or_default()
}

/// Both forms of the same call, which end alike.
fn both(server: &Server, args: &[&str], code: i32) -> (Run, Value) {
    let text = server.root.run(args).expect_code(code);
    let json = server
        .root
        .run(&[&["--json"], args].concat())
        .expect_code(code)
        .json();
    (text, json)
}

/// A call that is refused: by code, in words, and with something to type.
fn refused(server: &Server, args: &[&str], code: &str) {
    let (text, json) = both(server, args, 2);
    assert_eq!(json["error"]["code"], code, "{args:?}: {json}");
    assert!(text.err.starts_with("error:"), "{}", text.err);
    assert!(text.err.contains("hint:"), "{}", text.err);
}

/// Waits until status calls the service so, with a finding about it.
fn becomes(server: &Server, service: &str, wanted: &str, finding: &str) {
    wait_for(&format!("{service} {wanted}"), || {
        (level(server, service) == wanted).then_some(())
    });
    let run = server.root.run(&["status", "--json"]).expect_code(1);
    let json = run.json();
    assert_eq!(json["verdict"], "degraded", "{json}");
    assert_eq!(json["healthy"], false);
    let found = find(&json["findings"], "id", finding);
    assert_eq!(found["subject"], service, "{json}");
    assert_ne!(found["hints"].as_array().map_or(0, Vec::len), 0, "{found}");
    let text = server.root.run(&["status"]).expect_code(1);
    assert!(text.out.contains("degraded"), "{}", text.out);
    assert!(text.out.contains(&format!("{service} is ")), "{}", text.out);
}

fn all_is_well(server: &Server) {
    let (text, json) = both(server, &["status"], 0);
    assert_eq!(json["verdict"], "healthy", "{json}");
    assert!(text.out.contains("healthy"), "{}", text.out);
    for service in json["services"].as_array().unwrap() {
        assert_eq!(service["level"], "well", "{service}");
        assert_eq!(service["drift"], Value::Array(Vec::new()), "{service}");
    }
    let (text, json) = both(server, &["status", "--all"], 0);
    assert!(text.out.contains("mail.example.com"), "{}", text.out);
    assert_eq!(json["deployments"][0]["verdict"], "healthy", "{json}");
}

fn healthy(server: &Server) {
    all_is_well(server);
    certificates_and_checks(server, 0);
    let list = server.root.run(&["list", "--json"]).expect_code(0).json();
    assert_eq!(list[0]["state"], "installed", "{list}");

    // Logs: of one service, of several in order, of none that exists.
    let run = server
        .root
        .run(&["logs", "smtp", "--tail", "5"])
        .expect_code(0);
    assert_eq!(run.out.lines().count(), 5, "{}", run.out);
    assert!(
        run.out.lines().all(|line| line.starts_with("smtp ")),
        "{}",
        run.out
    );
    let run = server
        .root
        .run(&["logs", "--json", "--tail", "60", "smtp", "front", "admin"])
        .expect_code(0);
    let lines: Vec<Value> = run
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 60);
    assert!(lines.is_sorted_by_key(|line| line["at"].as_str().unwrap().to_owned()));
    refused(server, &["logs", "smpt"], "service.unknown");

    // Programs: their output, their exit code.
    let run = server
        .root
        .run(&["exec", "smtp", "--", "postconf", "-h", "myhostname"]);
    assert_eq!(run.expect_code(0).out.trim(), "mail.example.com");
    both(server, &["exec", "admin", "--", "sh", "-c", "exit 7"], 7);
    let json = server
        .root
        .run(&["--json", "exec", "admin", "--", "echo", "hello"]);
    assert_eq!(json.expect_code(0).json()["stdout"], "hello\n");
    refused(server, &["exec", "nosuch", "--", "true"], "service.unknown");

    // Only what was named is restarted, and it is ready then. Whoever follows its log goes on reading.
    let log = server.root.path().with_file_name("followed");
    let mut follower = server
        .root
        .command(&["logs", "--follow", "--since", "1s", "smtp"])
        .stdout(std::fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let before = containers();
    both(server, &["restart", "smtp"], 0);
    let after = containers();
    wait_for("two starts in the followed log", || {
        let text = std::fs::read_to_string(&log).unwrap();
        (text.matches("daemon started").count() >= 2).then_some(())
    });
    succeed(Command::new("kill").args(["-INT", &follower.id().to_string()]));
    assert_eq!(follower.wait().unwrap().signal(), Some(2));
    assert_eq!(changed(&before, &after), ["smtp"]);
    assert_eq!(before["smtp"].0, after["smtp"].0, "the same container");
    refused(server, &["restart", "nosuch"], "service.unknown");
    let (_, json) = both(server, &["start"], 0);
    assert_eq!(json["done"], true, "{json}");
    assert_eq!(changed(&after, &containers()), [""; 0], "nothing to start");

    // All of it down and up again.
    let (_, json) = both(server, &["stop"], 0);
    assert_eq!(json["done"], true, "{json}");
    let (_, json) = both(server, &["status"], 1);
    assert_eq!(json["verdict"], "stopped", "{json}");
    refused(
        server,
        &["exec", "admin", "--", "true"],
        "service.not_running",
    );
    server
        .root
        .run(&["logs", "smtp", "--tail", "1"])
        .expect_code(0);
    let run = server.root.run(&["start"]).expect_code(0);
    assert!(run.out.contains("ready"), "{}", run.out);
    all_is_well(server);
    Server::mail_in("after stop and start");
}

fn certificates_and_checks(server: &Server, code: i32) {
    let (text, json) = both(server, &["certs"], code);
    assert!(text.out.contains("mail.example.com"), "{}", text.out);
    assert!(json.is_object(), "{json}");
    both(server, &["certs", "sync"], code);
    let (text, json) = both(server, &["check"], 0);
    assert!(text.out.contains("preflight.traefik"), "{}", text.out);
    assert_eq!(json["ready"], true, "{json}");
}

fn degraded(server: &Server) {
    // Killed from outside.
    docker(&["kill", "mailu_smtp"]);
    becomes(server, "smtp", "stopped", "service.stopped");
    let json = server.root.run(&["status", "--json"]).json();
    let smtp = find(&json["services"], "name", "smtp");
    assert_eq!(smtp["cause"]["exit_code"], 137, "{smtp}");
    refused(
        server,
        &["exec", "smtp", "--", "true"],
        "service.not_running",
    );
    server
        .root
        .run(&["logs", "smtp", "--tail", "3"])
        .expect_code(0);
    both(server, &["start", "smtp"], 0);
    all_is_well(server);

    // Killed from inside, the engine starts it again.
    let before = containers();
    docker(&["exec", "mailu_smtp", "sh", "-c", "kill -TERM 1"]);
    wait_for("smtp back", || {
        (changed(&before, &containers()) == ["smtp"] && level(server, "smtp") == "well")
            .then_some(())
    });

    // Paused.
    docker(&["pause", "mailu_imap"]);
    becomes(server, "imap", "stopped", "service.stopped");
    docker(&["unpause", "mailu_imap"]);

    // Frozen: it runs, and answers nobody.
    docker(&["exec", "mailu_antispam", "sh", "-c", "kill -STOP -1"]);
    docker(&["kill", "--signal", "STOP", "mailu_antispam"]);
    becomes(server, "antispam", "failing", "service.unhealthy");
    let (text, _) = both(server, &["status", "--all"], 1);
    assert!(text.out.contains("degraded"), "{}", text.out);
    server.root.run(&["restart", "antispam"]).expect_code(0);
    wait_for("imap and antispam well", || {
        (level(server, "antispam") == "well" && level(server, "imap") == "well").then_some(())
    });

    // It ends each time.
    docker(&[
        "exec",
        "mailu_antispam",
        "sh",
        "-c",
        "echo 'raise SystemExit(3)' >/start.py",
    ]);
    let (text, json) = both(server, &["restart", "antispam"], 1);
    assert!(text.out.contains("not ready"), "{}", text.out);
    assert_eq!(json["done"], false, "{json}");
    becomes(server, "antispam", "looping", "service.looping");
    wait_for("the exit code, between two starts", || {
        let json = server.root.run(&["status", "--json"]).json();
        let antispam = find(&json["services"], "name", "antispam");
        assert_eq!(antispam["level"], "looping", "{antispam}");
        (antispam["cause"]["exit_code"] == 3).then_some(())
    });
    server
        .root
        .run(&["logs", "antispam", "--tail", "3"])
        .expect_code(0);
    both(server, &["stop", "antispam"], 0);

    // Gone.
    docker(&["rm", "--force", "mailu_antispam"]);
    becomes_absent(server);
    both(server, &["start", "antispam"], 0);
    all_is_well(server);
}

fn becomes_absent(server: &Server) {
    let (_, json) = both(server, &["status"], 1);
    assert_eq!(
        find(&json["services"], "name", "antispam")["level"],
        "absent"
    );
    assert_eq!(
        find(&json["findings"], "id", "service.absent")["subject"],
        "antispam"
    );
    refused(
        server,
        &["exec", "antispam", "--", "true"],
        "service.not_running",
    );
}

fn absent(server: &Server) {
    refused(
        server,
        &["uninstall", "--delete-data"],
        "uninstall.unconfirmed",
    );
    all_is_well(server);
    let run = server.root.run(&["uninstall"]).expect_code(0);
    assert!(run.out.contains("brings it back"), "{}", run.out);
    assert!(containers().is_empty());
    let (_, json) = both(server, &["uninstall"], 0);
    assert_eq!(json["containers"], Value::Array(Vec::new()), "{json}");

    let (text, json) = both(server, &["status"], 1);
    assert_eq!(json["verdict"], "absent", "{json}");
    assert!(text.out.contains("absent"), "{}", text.out);
    assert_ne!(
        find(&json["findings"], "id", "status.uninstalled"),
        Value::Null
    );
    for args in [
        ["start"].as_slice(),
        &["restart", "smtp"],
        &["logs"],
        &["exec", "smtp", "--", "true"],
    ] {
        refused(server, args, "deployment.absent");
    }
    both(server, &["stop"], 0);
    // Whether anything still answers at the ports is Traefik's affair.
    let certs = server.root.run(&["certs"]);
    assert!(
        certs.code <= 1 && certs.out.contains("data/certs/cert.pem"),
        "{}{}",
        certs.out,
        certs.err
    );
    both(server, &["check"], 0);
    let list = server.root.run(&["list", "--json"]).expect_code(0).json();
    assert_ne!(list[0]["state"], "installed", "{list}");

    // What was kept is all that is needed.
    server.run().expect_code(0);
    Server::has_certificate();
    all_is_well(server);

    let run = server
        .root
        .run(&[
            "uninstall",
            "--delete-data",
            "--yes-delete",
            "mail.example.com",
        ])
        .expect_code(0);
    assert!(run.out.contains("deleted"), "{}", run.out);
    assert!(!server.root.path().join("mailu/mail.example.com").exists());
    for args in [["status"].as_slice(), &["logs"], &["certs"], &["stop"]] {
        refused(server, args, "deployment.not_found");
    }
    let list = server.root.run(&["list", "--json"]).expect_code(0).json();
    assert_eq!(list, Value::Array(Vec::new()));
}
