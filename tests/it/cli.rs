//! The program: what it prints where, how it ends, what it asks.

use std::os::unix::fs::MetadataExt as _;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::{Root, SMALL, finished, program, succeed, tests};

#[test]
fn data_goes_to_stdout_and_json_is_json() {
    let root = Root::new();
    let run = root
        .run(&[
            "--json",
            "install",
            "--no-start",
            "--domain",
            "mail.example.com",
            "--email-domain",
            "example.com",
            "--admin-email",
            "admin@example.com",
        ])
        .expect_code(0);
    let json = run.json();
    assert_eq!(json["performed"], true);
    assert_eq!(
        json["details"]["admin_url"],
        "https://mail.example.com/admin/"
    );
    assert!(json["dns"]["zones"][0]["records"].as_array().unwrap().len() > 10);
    for args in [
        &["--json", "list"][..],
        &["--json", "show"],
        &["--json", "dns"],
        &["--json", "plan"],
        &["--json", "apply"],
        &["--json", "config", "get"],
        &["--json", "config", "get", "limits"],
        &["--json", "config", "check"],
        &["--json", "config", "schema"],
        &["dns", "--format", "json"],
    ] {
        root.run(args).expect_code(0).json();
    }
    let file = root.beside("small.toml", SMALL);
    let files = root
        .run(&["--json", "render", file.to_str().unwrap()])
        .expect_code(0)
        .json();
    assert_eq!(files.as_array().unwrap().len(), 6);
    // Errors are JSON too.
    let error = root
        .run(&["--json", "show", "--domain", "mail.two.com"])
        .expect_code(2)
        .json();
    assert_eq!(error["error"]["kind"], "not_found");
    assert_eq!(error["error"]["code"], "deployment.not_found");
    assert!(
        error["error"]["hints"]
            .as_array()
            .is_some_and(|hints| !hints.is_empty())
    );
}

#[test]
fn the_schema_describes_every_key() {
    let root = Root::new();
    let schema = root.run(&["--json", "config", "schema"]).json();
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(
        schema["required"],
        serde_json::json!(["mail_host", "email_domain", "admin_email"])
    );
    let text = root.run(&["config", "schema"]).expect_code(0).out;
    for key in mailu_core::config::known_keys() {
        let resolve = |value: &Value| -> Value {
            let reference = value["$ref"]
                .as_str()
                .or_else(|| value["allOf"][0]["$ref"].as_str())
                .or_else(|| value["anyOf"][0]["$ref"].as_str());
            reference.map_or_else(
                || value.clone(),
                |r| schema.pointer(r.trim_start_matches('#')).unwrap().clone(),
            )
        };
        let mut node = schema.clone();
        for part in key.path.split('.') {
            let child = node["properties"][part].clone();
            assert!(!child.is_null(), "{} is not in the schema", key.path);
            node = resolve(&child);
        }
        let name = key.path.rsplit('.').next().unwrap();
        assert!(
            text.contains(&format!("{name} =")),
            "{} is not in the text",
            key.path
        );
        assert!(!key.doc.is_empty(), "{} has no description", key.path);
    }
    // What it prints is a mailu.toml: with the three answers it is valid.
    let defaults: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let defaults = defaults.join("\n");
    let config = mailu_core::Config::from_toml(&format!("{SMALL}{defaults}"))
        .unwrap_or_else(|e| panic!("{e}\n{defaults}"))
        .config;
    assert_eq!(config, mailu_core::Config::from_toml(SMALL).unwrap().config);
}

#[test]
fn without_docker_it_says_what_no_start_would_do() {
    let root = Root::new();
    let output = root
        .command(&[
            "install",
            "--domain",
            "mail.example.com",
            "--email-domain",
            "example.com",
            "--admin-email",
            "admin@example.com",
        ])
        .env("DOCKER_HOST", "unix:///nonexistent.sock")
        .output()
        .unwrap();
    let run = finished(output).expect_code(2);
    assert!(
        run.err
            .contains("does not answer at unix:///nonexistent.sock")
            && run.err.contains("--no-start")
            && run.err.contains("nothing was changed"),
        "{}",
        run.err
    );
    assert!(!root.path().exists());
}

#[test]
fn agencystacks_flags_are_accepted() {
    let root = Root::new();
    root.install_with(&[
        "--client-id",
        "",
        "--force",
        "--verbose",
        "--enable-cloud",
        "--enable-openai",
        "--use-github",
    ])
    .expect_code(0);
    assert!(
        root.file("mailu.env").exists(),
        "an empty client means none"
    );
    root.run(&[
        "install",
        "--no-start",
        "--domain",
        "mail.two.com",
        "--email-domain",
        "two.com",
        "--admin-email",
        "admin@two.com",
        "--client-id",
        "tenant1",
        "--set",
        "ports.mail=465,993",
    ])
    .expect_code(0);
    assert!(
        root.path()
            .join("mailu/clients/tenant1/mail.two.com/mailu.env")
            .exists()
    );
    assert!(
        root.path()
            .join("secrets/mailu/clients/tenant1/mail.two.com/secret_key")
            .exists()
    );
}

/// Answers the questions in a terminal of its own.
#[test]
fn with_a_terminal_it_asks_for_what_is_missing() {
    let root = Root::new();
    let script = tests("tools/answer.py");
    let text = succeed(
        Command::new("/usr/bin/python3")
            .arg(&script)
            .arg("mail.example.com||boss@example.com|tenant1")
            .arg(program())
            .arg("--root")
            .arg(root.path())
            .args(["install", "--no-start"]),
    );
    for question in [
        "Public name of the server",
        "Email domain",
        "example.com",
        "first administrator",
        "Client",
    ] {
        assert!(text.contains(question), "{question} is not in {text}");
    }
    let toml = std::fs::read_to_string(
        root.path()
            .join("mailu/clients/tenant1/mail.example.com/mailu.toml"),
    )
    .unwrap();
    assert!(
        toml.contains("email_domain = \"example.com\"")
            && toml.contains("boss@example.com")
            && toml.contains("tenant1"),
        "{toml}"
    );

    // A wrong answer is asked for again, with the rule.
    let root = Root::new();
    let text = succeed(
        Command::new("/usr/bin/python3")
            .arg(&script)
            .arg("mail|mail.example.com|||")
            .arg(program())
            .arg("--root")
            .arg(root.path())
            .args(["install", "--no-start"]),
    );
    assert!(text.contains("fully qualified"), "{text}");
    assert!(root.read("mailu.toml").contains("admin@example.com"));
}

#[test]
fn dns_in_its_forms() {
    let root = Root::new();
    root.install();
    root.run(&[
        "config",
        "set",
        "dns.ipv4=203.0.113.10",
        "email_domains=example.org",
    ])
    .expect_code(0);
    root.run(&["apply"]).expect_code(0);
    let table = root.run(&["dns"]).expect_code(0).out;
    assert!(
        table.contains("Zone example.com")
            && table.contains("Zone example.org")
            && table.contains("required")
    );
    // People paste what they see: in one piece.
    assert!(
        table
            .lines()
            .any(|line| line.contains("v=DKIM1") && line.matches('"').count() == 2),
        "{table}"
    );
    let zone = root
        .run(&["dns", "--format", "zone", "--zone", "example.org"])
        .expect_code(0)
        .out;
    assert!(zone.contains("$ORIGIN example.org.") && !zone.contains("$ORIGIN example.com."));
    let records = root.run(&["dns", "--format", "records"]).expect_code(0).out;
    assert!(
        records.contains("mail.example.com. 3600 IN A 203.0.113.10") && !records.contains("SOA")
    );
    let json = root.run(&["dns", "--json"]).json();
    let written: Value = serde_json::from_str(&root.read("dns/records.json")).unwrap();
    assert_eq!(json, written);
    root.run(&["dns", "--zone", "example.net"]).expect_code(2);
}

#[test]
fn render_is_files_in_files_out() {
    let root = Root::new();
    let config = root.beside("small.toml", SMALL);
    let secrets = tempfile::tempdir().unwrap();
    std::fs::write(secrets.path().join("secret_key"), "RENDEREDSECRETKEY\n").unwrap();
    let keys = tempfile::tempdir().unwrap();
    std::fs::copy(
        tests("fixtures/dkim.pem"),
        keys.path().join("example.com.dkim.key"),
    )
    .unwrap();
    let out = tempfile::tempdir().unwrap();
    let (config, out) = (config.to_str().unwrap(), out.path().to_str().unwrap());
    root.run(&[
        "render",
        config,
        "--out",
        out,
        "--secrets",
        secrets.path().to_str().unwrap(),
        "--keys",
        keys.path().to_str().unwrap(),
    ])
    .expect_code(0);
    let read = |name: &str| std::fs::read_to_string(std::path::Path::new(out).join(name)).unwrap();
    assert!(
        read("mailu.env").contains("SECRET_KEY=RENDEREDSECRETKEY\n")
            && read("dns/example.com.zone").contains("v=DKIM1; k=rsa; p=")
    );
    let mode = std::fs::metadata(std::path::Path::new(out).join("mailu.env"))
        .unwrap()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let run = root.run(&["render", config, "--out", out]).expect_code(2);
    assert!(run.err.contains("not empty"));
    let printed = root.run(&["render", config]).expect_code(0);
    assert!(
        printed.out.contains("==> docker-compose.yml <==") && !printed.out.contains("SECRET_KEY=")
    );
    assert!(printed.err.contains("left out"));
}

#[test]
fn config_get_set_and_unset() {
    let root = Root::new();
    root.install();
    assert_eq!(
        root.run(&["config", "get", "limits.quota"]).out,
        "25000000000\n"
    );
    assert_eq!(root.run(&["config", "get", "tls.mode"]).out, "traefik\n");
    root.run(&["config", "set", "limits.quota", "10GB"])
        .expect_code(0);
    assert_eq!(
        root.run(&["config", "get", "limits.quota"]).out,
        "10000000000\n"
    );
    root.run(&["config", "unset", "limits.quota"])
        .expect_code(0);
    assert_eq!(
        root.run(&["config", "get", "limits.quota"]).out,
        "25000000000\n"
    );
    root.run(&["config", "get", "limits.nonsense"])
        .expect_code(2);
}

#[test]
fn help_version_completions_and_manual() {
    let root = Root::new();
    for args in [
        &["--help"][..],
        &["--version"],
        &["install", "--help"],
        &["config", "--help"],
        &["man"],
    ] {
        let run = root.run(args).expect_code(0);
        assert!(!run.out.is_empty() && run.err.is_empty(), "{args:?}");
    }
    for (shell, word) in [
        ("bash", "_mailu"),
        ("zsh", "#compdef mailu"),
        ("fish", "complete -c mailu"),
    ] {
        assert!(
            root.run(&["completions", shell])
                .expect_code(0)
                .out
                .contains(word)
        );
    }
    let manual = root.run(&["man"]).out;
    for verb in mailu_cli::command().get_subcommands() {
        assert!(
            manual.contains(verb.get_name()),
            "{} is not in the manual",
            verb.get_name()
        );
    }
    let nothing = Command::new(program()).output().unwrap();
    assert_eq!(nothing.status.code(), Some(2));
}

#[test]
fn colour_only_where_it_is_wanted() {
    let root = Root::new();
    root.install();
    assert!(!root.run(&["dns"]).out.contains('\u{1b}'));
    assert!(
        root.run(&["--color", "always", "dns"])
            .out
            .contains('\u{1b}')
    );
    assert!(
        !root
            .run(&["--color", "never", "dns"])
            .out
            .contains('\u{1b}')
    );
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let root = Root::new();
    root.install();
    let mut child = root
        .command(&["dns"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// No secret in the arguments of any process while an installation runs, read from /proc as any user of the host could.
#[test]
fn no_secret_is_in_any_process_title() {
    let root = Root::new();
    let file = root.beside("password", "visible-to-nobody-1234\n");
    let mut child = root
        .command(&[
            "install",
            "--no-start",
            "--domain",
            "mail.example.com",
            "--email-domain",
            "example.com",
            "--admin-email",
            "admin@example.com",
            "--admin-password-file",
            file.to_str().unwrap(),
        ])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut seen = 0;
    while child.try_wait().unwrap().is_none() {
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            if let Ok(title) = std::fs::read(entry.path().join("cmdline")) {
                seen += usize::from(!title.is_empty());
                root.no_secret_in(&String::from_utf8_lossy(&title), "arguments of a process");
                assert!(!String::from_utf8_lossy(&title).contains("visible-to-nobody"));
            }
        }
    }
    assert!(seen > 0);
}
