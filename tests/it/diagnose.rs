//! `mailu diagnose` where no engine answers, on this machine alone. With a real engine it is tried in `tests/e2e/diagnosed.rs`.

use serde_json::Value;

use crate::fake_engine::{FakeContainer, FakeEngine};
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

/// What AgencyStack's scripts leave, by where; as they write it, with a client called acme.
const LEFT: [(&str, &str); 9] = [
    // scripts/mailu_setup.sh
    (
        "config.env",
        "PRIMARY_DOMAIN=example.com\nADMIN_EMAIL=admin@example.com\n\n# SMTP Configuration (Mailu)\nSMTP_ENABLED=true\nSMTP_HOST=mailu\nSMTP_PORT=25\nSMTP_USERNAME=admin@mail.example.com\nSMTP_PASSWORD=s3cret-of-the-admin\nSMTP_FROM=noreply@mail.example.com\n",
    ),
    // The installers of apps; Mailu's does not.
    (
        "installed_components.txt",
        "Docker\nTraefik\nWordPress\nERPNext\n",
    ),
    // scripts/integration/integrate_email.sh, without and with what it looks for
    (
        "integrations/state/email.state",
        "WordPress:1.0.1:2025-04-30T12:34:56Z:Manual configuration required - WP-CLI not available\nERPNext:1.0.1:2025-04-30T12:34:56Z:SMTP integration with Mailu for notifications and transactional emails\n",
    ),
    // scripts/components/install_listmonk.sh
    (
        "clients/acme/listmonk_data/config/config.toml",
        "[app]\naddress = \"0.0.0.0:9000\"\n\n[smtp]\nhost = \"mail.acme.example\"\nport = 587\nauth_protocol = \"login\"\nusername = \"listmonk@acme.example\"\npassword = \"password_not_set\"\n\n[smtp.headers]\nX-Mailer = \"x\"\n\n[db]\nhost = \"postgres\"\nport = 5432\npassword = \"s3cret-of-the-database\"\n",
    ),
    // scripts/components/install_peertube.sh
    (
        "clients/acme/peertube_data/config/production.yaml.d/mail.yaml",
        "smtp:\n  hostname: 'mail.acme.example'\n  port: 587\n  username: 'peertube@acme.example'\n  password: 'mail_password_here'\n  tls: true\n  disable_starttls: false\n",
    ),
    // scripts/components/install_killbill.sh --mailu-domain mail.acme.example
    (
        "clients/acme/killbill/docker-compose.yml",
        "services:\n  killbill:\n    environment:\n      - KILLBILL_SERVER_TEST_MODE=true\n      - KILLBILL_SMTP_HOST=mail.mail.acme.example\n      - KILLBILL_SMTP_PORT=587\n",
    ),
    // scripts/integrate_components.sh --type=email
    (
        "erpnext/erp.example.com/sites/common_site_config.json",
        "{\"redis_cache\": \"redis://x\", \"smtp_server\": \"mailu\", \"smtp_port\": \"587\", \"smtp_use_tls\": 1}",
    ),
    // scripts/components/install_chatwoot.sh
    (
        "repo/docker/chatwoot/.env",
        "SMTP_ADDRESS=mail.acme.example\nSMTP_PORT=587\nSMTP_USERNAME=noreply@acme.example\nSMTP_PASSWORD=password_not_set\nSMTP_AUTHENTICATION=login\nSMTP_EMAIL_DOMAIN=support.acme.example\n",
    ),
    (
        "repo/Makefile",
        "mailu-listmonk:\n\tsudo $(SCRIPTS_DIR)/integrations/integrate_mailu_listmonk.sh --domain $(DOMAIN)\n",
    ),
];

fn leave(root: &Root, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = root.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

#[test]
fn what_agencystacks_scripts_have_left_with_apps_is_found() {
    let root = Root::new();
    root.install();
    let engine = FakeEngine::start();
    engine.up(&root.layout().directory());
    let mut listmonk = FakeContainer::new("listmonk-acme", "listmonk/listmonk:v2.5.1");
    listmonk.state = "restarting";
    listmonk.restarts = 7;
    listmonk
        .says("error connecting to DB: pq: password authentication failed for user \"listmonk\"");
    engine.add(listmonk);
    // A Chatwoot that was started from elsewhere.
    let elsewhere = tempfile::tempdir().unwrap();
    let env = elsewhere.path().join(".env");
    std::fs::write(&env, "SMTP_PASSWORD=password_not_set\n").unwrap();
    let mut chatwoot = FakeContainer::new("chatwoot-app-acme", "chatwoot/chatwoot:v3.5.0");
    chatwoot.labels.insert(
        "com.docker.compose.project.working_dir".to_owned(),
        elsewhere.path().display().to_string(),
    );
    engine.add(chatwoot);
    leave(&root, &LEFT);
    std::fs::create_dir_all(root.path().join("clients/acme/keycloak/sso.example.com")).unwrap();
    let only = |root: &Root| {
        let mut command = root.command(&["diagnose", "--json", "--only", "apps"]);
        crate::support::finished(engine.reach(&mut command).output().unwrap())
    };

    let run = only(&root).expect_code(1);
    let report = run.json();
    let below = |name: &str| root.path().join(name).display().to_string();
    let state = below("integrations/state/email.state");
    let mut wanted = vec![
        ("app.config_env", below("config.env"), "--format shell"),
        (
            "app.not_listed",
            below("installed_components.txt"),
            "integrate APP",
        ),
        (
            "app.recorded_undone",
            format!("{state}: WordPress"),
            "integrate wordpress SITE",
        ),
        (
            "app.recorded_broken",
            format!("{state}: ERPNext"),
            "integrate erpnext SITE",
        ),
        (
            "app.listmonk_dead_smtp",
            below(LEFT[3].0),
            "integrate listmonk acme",
        ),
        (
            "app.listmonk_locked_out",
            "listmonk-acme".to_owned(),
            "listmonk-postgres-acme",
        ),
        (
            "app.peertube_mail",
            below(LEFT[4].0),
            "integrate peertube acme",
        ),
        (
            "app.killbill_variables",
            below(LEFT[5].0),
            "integrate killbill acme",
        ),
        (
            "app.erpnext_keys",
            below(LEFT[6].0),
            "integrate erpnext erp.example.com",
        ),
        (
            "app.chatwoot_variables",
            below(LEFT[7].0),
            "integrate chatwoot",
        ),
        (
            "app.chatwoot_variables",
            env.display().to_string(),
            "integrate chatwoot",
        ),
        (
            "app.make_targets",
            below("repo/Makefile"),
            "integrate listmonk CLIENT",
        ),
        (
            "app.not_wired",
            below("clients/acme/keycloak"),
            "integrate keycloak acme",
        ),
    ];
    let mut found: Vec<(String, String, String)> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            let text = |key: &str| one[key].as_str().unwrap().to_owned();
            (text("id"), text("subject"), one["hints"].to_string())
        })
        .collect();
    found.sort();
    wanted.sort();
    let shown = |(id, subject, _): &(String, String, String)| format!("{id} {subject}");
    assert_eq!(
        found.iter().map(shown).collect::<Vec<_>>(),
        wanted
            .iter()
            .map(|(id, subject, _)| format!("{id} {subject}"))
            .collect::<Vec<_>>(),
    );
    for ((id, _, hints), (.., words)) in found.iter().zip(&wanted) {
        assert!(hints.contains(words), "{id}: {hints}");
        // What is to be typed finds this deployment.
        assert!(
            !hints.contains("integrate ") || hints.contains("--domain mail.example.com"),
            "{hints}"
        );
    }
    for secret in ["s3cret-of-the-admin", "s3cret-of-the-database"] {
        assert!(!run.out.contains(secret), "{secret}");
    }

    // What was connected since is not told of any more: our record says so, and what it has changed.
    let record = r#"{
        "generic_agencystack": {"app": "generic", "site": "agencystack", "login": "x", "from": "x", "comment": "", "file": "CONFIG"},
        "listmonk_acme": {"app": "listmonk", "site": "acme", "login": "x", "from": "x", "comment": ""},
        "peertube_acme": {"app": "peertube", "site": "acme", "login": "x", "from": "x", "comment": ""},
        "killbill_acme": {"app": "killbill", "site": "acme", "login": "x", "from": "x", "comment": ""},
        "keycloak_acme": {"app": "keycloak", "site": "acme", "login": "x", "from": "x", "comment": ""},
        "erpnext_erp.example.com": {"app": "erpnext", "site": "erp.example.com", "login": "x", "from": "x", "comment": ""},
        "chatwoot": {"app": "chatwoot", "site": null, "login": "x", "from": "x", "comment": "", "file": "CHATWOOT"},
        "chatwoot_two": {"app": "chatwoot", "site": "two", "login": "x", "from": "x", "comment": "", "file": "ELSEWHERE"}
    }"#
    .replace("CONFIG", &below("config.env"))
    .replace("CHATWOOT", &below(LEFT[7].0))
    .replace("ELSEWHERE", &env.display().to_string());
    std::fs::write(root.file(".mailu/apps.json"), record).unwrap();
    leave(
        &root,
        &[
            (
                "installed_components.txt",
                "Docker\nTraefik\nWordPress\nERPNext\nMailu\n",
            ),
            (
                "integrations/state/email.state",
                "WordPress:6.1.9:20250430T123456Z:wordpress@example.com through mail.example.com\nERPNext:v15:20250430T123456Z:erpnext@example.com through mail.example.com\n",
            ),
            ("repo/Makefile", "all:\n"),
        ],
    );
    engine.remove("listmonk-acme");
    let report = only(&root).expect_code(0).json();
    assert_eq!(ids(&report), Vec::<&str>::new(), "{report:#}");
}

#[test]
fn apps_as_they_should_be_are_no_finding() {
    let root = Root::new();
    root.install();
    // AgencyStack before it has anything to do with mail, and what other tools write.
    leave(
        &root,
        &[
            (
                "config.env",
                "PRIMARY_DOMAIN=example.com\nSMTP_ENABLED=false\nSMTP_HOST=\nSMTP_PORT=587\n",
            ),
            ("installed_components.txt", "Docker\nTraefik\n"),
            (
                "clients/acme/listmonk_data/config/config.toml",
                "[app]\naddress = \"0.0.0.0:9000\"\n[db]\nhost = \"postgres\"\n",
            ),
            (
                "clients/acme/peertube_data/config/production.yaml.d/mail.yaml",
                "smtp:\n  hostname: 'mail.example.com'\n  port: 465\n  tls: true\n  password: 'x'\n",
            ),
            (
                "clients/acme/killbill/docker-compose.yml",
                "services:\n  killbill:\n    environment:\n      - KILLBILL_SMTP_HOST=\n",
            ),
            (
                "erpnext/erp.example.com/sites/erp.example.com/site_config.json",
                "{\"db_name\": \"x\", \"mail_server\": \"mail.example.com\"}",
            ),
            (
                "repo/docker/chatwoot/.env",
                "SMTP_ADDRESS=mail.example.com\nSMTP_PASSWORD=x\n",
            ),
        ],
    );
    let report = diagnose(&root, &["--only", "apps"]).expect_code(0).json();
    assert_eq!(ids(&report), Vec::<&str>::new(), "{report:#}");

    // A client with a deployment of its own is asked about there, and what all share is not asked about twice.
    leave(&root, &LEFT[..4]);
    let other = [
        "install",
        "--no-start",
        "--domain",
        "mail.acme.example",
        "--email-domain",
        "acme.example",
        "--admin-email",
        "admin@acme.example",
        "--client-id",
        "acme",
        "--set",
        "ports.via=published",
        "--set",
        "ports.address=198.51.100.7",
    ];
    root.run(&other).expect_code(0);
    let of = |host: &str| {
        let report = diagnose(&root, &["--only", "apps", "--domain", host]).json();
        let mut all: Vec<String> = ids(&report).into_iter().map(str::to_owned).collect();
        all.sort();
        all
    };
    assert_eq!(of("mail.acme.example"), ["app.listmonk_dead_smtp"]);
    assert_eq!(
        of("mail.example.com"),
        [
            "app.config_env",
            "app.not_listed",
            "app.recorded_broken",
            "app.recorded_undone"
        ]
    );
}
