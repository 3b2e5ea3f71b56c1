//! `mailu diagnose` where no engine answers, on this machine alone. With a real engine it is tried in `tests/e2e/diagnosed.rs`.

use serde_json::Value;

use crate::support::{Root, Run};

/// Asks nobody outside of this machine, and no engine.
const HERE: [&str; 4] = [
    "diagnose",
    "--json",
    "--skip",
    "dns,lists,clock,outbound,certificates,tls",
];

fn diagnose(root: &Root, args: &[&str]) -> Run {
    let nowhere = root.path().join("no.sock");
    let mut command = root.command(&[&HERE[..], args].concat());
    command.env("DOCKER_HOST", format!("unix://{}", nowhere.display()));
    crate::support::finished(command.output().unwrap())
}

fn ids(report: &Value) -> Vec<&str> {
    report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["id"].as_str().unwrap())
        .collect()
}

#[test]
fn an_engine_that_does_not_answer_is_the_cause_of_nothing_else() {
    let root = Root::new();
    root.install();
    let report = diagnose(&root, &[]).expect_code(1).json();
    assert_eq!(ids(&report), ["engine.unreachable"], "{report:#}");
    let outcome = |id: &str| {
        let all = report["checks"].as_array().unwrap();
        let found = all.iter().find(|one| one["id"] == id).unwrap();
        found["outcome"].as_str().unwrap().to_owned()
    };
    for id in ["services", "ports", "relay", "signing", "queue", "dns"] {
        assert_eq!(outcome(id), "skipped", "{id}");
    }
    for id in ["settings", "secrets", "memory"] {
        assert_eq!(outcome(id), "passed", "{id}: {report:#}");
    }
}

#[test]
fn what_files_say_is_compared_with_what_belongs_there() {
    let root = Root::new();
    root.install();
    let env = root.file("mailu.env");
    let text = std::fs::read_to_string(&env).unwrap();
    std::fs::write(&env, text.replace("SUBNET=", "SUBNET=10.9.9.0/24 #")).unwrap();
    let only = ["--only", "settings"];
    let report = diagnose(&root, &only).expect_code(1).json();
    assert_eq!(ids(&report), ["settings.wiring"], "{report:#}");
    assert!(
        report["findings"][0]["hints"][0]
            .as_str()
            .unwrap()
            .contains("--reset SUBNET")
    );
    std::fs::write(&env, &text).unwrap();
    diagnose(&root, &only).expect_code(0);

    let secret = root
        .path()
        .join("secrets/mailu/mail.example.com/admin_password");
    crate::support::succeed(std::process::Command::new("chmod").arg("644").arg(&secret));
    let run = diagnose(&root, &["--only", "secrets"]).expect_code(1);
    assert_eq!(ids(&run.json()), ["secrets.open"]);
    let password = std::fs::read_to_string(&secret).unwrap();
    assert!(!run.out.contains(password.trim()));
}

#[test]
fn rules_are_kept_in_the_configuration() {
    let root = Root::new();
    root.install();
    let rule = [
        "diagnose",
        "--ignore",
        "engine",
        "--reason",
        "it is being moved: \"soon\"",
        "--until",
        "2999-12-31",
    ];
    root.run(&rule).expect_code(0);
    let report = diagnose(&root, &["--only", "engine"]).expect_code(0).json();
    assert_eq!(report["ignored"][0]["finding"]["id"], "engine.unreachable");
    assert_eq!(
        report["ignored"][0]["reason"],
        "it is being moved: \"soon\""
    );
    assert_eq!(report["ignored"][0]["until"], "2999-12-31");
    // The same again changes nothing, and another reason takes its place.
    let before = root.read("mailu.toml");
    root.run(&rule).expect_code(0);
    assert_eq!(root.read("mailu.toml"), before);
    root.run(&["diagnose", "--ignore", "engine", "--reason", "other"])
        .expect_code(0);
    assert_eq!(root.read("mailu.toml").matches("engine").count(), 1);
    root.run(&["diagnose", "--unignore", "engine"])
        .expect_code(0);
    assert!(!root.read("mailu.toml").contains("engine"));
    let run = root
        .run(&["diagnose", "--unignore", "engine", "--json"])
        .expect_code(2);
    assert_eq!(run.json()["error"]["code"], "diagnose.no_rule");

    // Bad rules change nothing.
    let before = root.read("mailu.toml");
    for bad in [
        ["diagnose", "--ignore", "No Such", "--reason", "x"].as_slice(),
        &["diagnose", "--ignore", "spf", "--reason", " "],
        &[
            "diagnose", "--ignore", "spf", "--reason", "x", "--until", "soon",
        ],
        &["diagnose", "--ignore", "spf"],
        &["diagnose", "--only", "prots"],
    ] {
        root.run(bad).expect_code(2);
    }
    assert_eq!(root.read("mailu.toml"), before);
}

#[test]
fn the_report_is_a_page_too() {
    let root = Root::new();
    root.install();
    let page = root.path().join("report.html");
    let run = diagnose(
        &root,
        &["--html", page.to_str().unwrap(), "--agency", "Agency & Co"],
    );
    run.expect_code(1);
    let text = std::fs::read_to_string(&page).unwrap();
    assert!(text.contains("engine.unreachable") && text.contains("Agency &amp; Co"));
    let nowhere = root.path().join("no/where.html");
    diagnose(&root, &["--html", nowhere.to_str().unwrap()]).expect_code(2);
}
