//! `mailu update` of what AgencyStack's old installer made, against an engine that plays a script.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::fake_engine::{FakeContainer, FakeEngine, Fate};
use crate::interrupted::{inventory, killed_when, noted};
use crate::support::{Root, Run, succeed};
use crate::up;

const ENV: &str = "SECRET_KEY=5d41402abc4b2a76b9719d911017c592\nDOMAIN=mail.example.com\nHOSTNAMES=mail.example.com\nSUBNET=192.168.203.0/24\n\
    POSTMASTER=admin@example.com\nTLS_FLAVOR=cert\nTRAEFIK_VERSION=2\nAUTH_RATELIMIT_IP=60/hour\nDISABLE_STATISTICS=True\n\
    MESSAGE_SIZE_LIMIT=50000000\nADMIN=true\nWEBMAIL=roundcube\nANTISPAM=true\nANTIVIRUS=none\nWEBDAV=none\n\
    INITIAL_ADMIN_ACCOUNT=admin\nINITIAL_ADMIN_DOMAIN=example.com\nINITIAL_ADMIN_PW=correct-horse-1\nINITIAL_ADMIN_MODE=update\n";
const COMPOSE: &str = "version: '3.7'\nservices:\n  admin:\n    image: ghcr.io/mailu/admin:2.0\n";

/// The old server's services.
const SERVICES: [&str; 6] = ["front", "admin", "imap", "smtp", "antispam", "redis"];

fn directory(root: &Root) -> PathBuf {
    root.path().join("mailu/mail.example.com")
}

/// A server as the old installer made it, whose database has `revision`.
fn old(revision: &str) -> (Root, FakeEngine) {
    let root = Root::new();
    let (engine, _) = up::engine(&root);
    let at = directory(&root);
    let write = |path: &Path, text: &str| {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    for (name, text) in [
        ("mailu.env", ENV),
        ("docker-compose.yml", COMPOSE),
        (".env", "COMPOSE_PROJECT_NAME=mailexamplecom\n"),
        (
            ".installed_ok",
            "DOMAIN=mail.example.com\nADMIN_EMAIL=admin@example.com\n",
        ),
        ("data/instance", "an instance\n"),
        ("data/redis/dump.rdb", "numbers\n"),
        ("data/webmail/roundcube.db", "settings\n"),
        ("data/webdav/collection-root/a/b.ics", "a date\n"),
        ("data/filter/bayes.spam", "learned\n"),
        ("data/filter/main.cvd", "signatures\n"),
        (
            "data/mail/admin@example.com/cur/1700000000.M1P1.mail,S=4:2,S",
            "one\n",
        ),
        (
            "data/mail/a@example.net/.Work/cur/1700000001.M1P1.mail:2,",
            "two\n",
        ),
        (
            "data/mail/admin@example.com/dovecot-uidlist",
            "3 V7 N2 Gx\n1 :1700000000.M1P1.mail,S=4\n",
        ),
        ("overrides/postfix/postfix.cf", "# of an operator\n"),
    ] {
        write(&at.join(name), text);
    }
    // As Dovecot makes it.
    succeed(
        Command::new("chown")
            .args(["-R", "8:12"])
            .arg(at.join("data/mail")),
    );
    let script = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('create table alembic_version (version_num)'); \
        c.execute('insert into alembic_version values (?)', sys.argv[2:]); c.commit()";
    succeed(
        Command::new("/usr/bin/python3")
            .args(["-c", script])
            .arg(at.join("data/main.db"))
            .arg(revision),
    );
    let volumes = root.path().with_file_name("volumes");
    let key = mailu_core::dkim::DkimKey::generate(&mut rand_core::OsRng).unwrap();
    write(
        &volumes.join("dkim/example.com.dkim.key"),
        key.pem().expose(),
    );
    write(&volumes.join("queue/deferred/A/A1"), "waits\n");
    for service in SERVICES {
        let image = match service {
            "redis" => "redis:alpine".to_owned(),
            _ => format!("ghcr.io/mailu/{service}:2.0"),
        };
        let mut container = FakeContainer::of("mailexamplecom", service, &image);
        container.labels.insert(
            "com.docker.compose.project.working_dir".to_owned(),
            at.display().to_string(),
        );
        match service {
            "admin" => container
                .inside
                .push(("/dkim".to_owned(), volumes.join("dkim"))),
            "smtp" => container
                .inside
                .push(("/queue".to_owned(), volumes.join("queue"))),
            _ => {}
        }
        engine.add(container);
    }
    (root, engine)
}

fn update(root: &Root, engine: &FakeEngine, more: &[&str]) -> Run {
    let words = [
        "update",
        "--domain",
        "mail.example.com",
        "--set",
        "tls.mode=none",
        "--set",
        "ports.mail=143",
    ];
    up::run(root, engine, &[&words[..], more].concat())
}

fn old_ones(engine: &FakeEngine) -> Vec<(String, &'static str)> {
    let names = engine.containers().into_iter();
    names
        .filter(|name| name.starts_with("mailexamplecom_"))
        .map(|name| {
            let state = engine.container(&name).unwrap().state;
            (name, state)
        })
        .collect()
}

fn code(run: &Value) -> &str {
    run["error"]["code"].as_str().unwrap_or_default()
}

#[test]
fn what_agencystacks_installer_made_becomes_ours() {
    let (root, engine) = old("0ba45693748d");
    let before = inventory(&root.path());
    let shown = update(&root, &engine, &["--dry-run", "--json"])
        .expect_code(0)
        .json();
    assert_eq!(
        (shown["from"].as_str(), shown["performed"].as_bool()),
        (Some("2.0"), Some(false))
    );
    inventory(&root.path()).assert_same(&before, "a dry run");
    assert_eq!(old_ones(&engine).len(), SERVICES.len());

    let run = update(&root, &engine, &["--json"]).expect_code(0);
    assert!(!run.out.contains("5d41402abc4b") && !run.err.contains("5d41402abc4b"));
    let done = run.json();
    assert_eq!(done["performed"], true, "{done:#}");
    assert!(old_ones(&engine).is_empty(), "{:?}", old_ones(&engine));
    assert!(
        engine
            .containers()
            .iter()
            .all(|name| engine.container(name).unwrap().state == "running")
    );
    let toml = root.read("mailu.toml");
    assert!(
        toml.contains("example.net") && !toml.contains("correct-horse"),
        "{toml}"
    );
    assert!(
        root.read("mailu.env")
            .contains("SECRET_KEY=5d41402abc4b2a76b9719d911017c592")
    );
    let volumes = root.path().with_file_name("volumes");
    for (ours, theirs) in [
        (
            "data/dkim/example.com.dkim.key",
            volumes.join("dkim/example.com.dkim.key"),
        ),
        (
            "data/mailqueue/deferred/A/A1",
            volumes.join("queue/deferred/A/A1"),
        ),
    ] {
        assert_eq!(
            root.read(ours),
            std::fs::read_to_string(theirs).unwrap(),
            "{ours}"
        );
    }
    let kept = PathBuf::from(done["kept"].as_str().unwrap()).join("deployment");
    for (ours, theirs) in [
        ("data/admin/main.db", "data/main.db"),
        ("data/admin/instance", "data/instance"),
        ("data/redis/dump.rdb", "data/redis/dump.rdb"),
        ("data/webmail/roundcube.db", "data/webmail/roundcube.db"),
        (
            "data/dav/collection-root/a/b.ics",
            "data/webdav/collection-root/a/b.ics",
        ),
        ("data/filter/bayes.spam", "data/filter/bayes.spam"),
        (
            "overrides/postfix/postfix.cf",
            "overrides/postfix/postfix.cf",
        ),
        (
            "data/mail/admin@example.com/dovecot-uidlist",
            "data/mail/admin@example.com/dovecot-uidlist",
        ),
        (
            "data/mail/admin@example.com/cur/1700000000.M1P1.mail,S=4:2,S",
            "data/mail/admin@example.com/cur/1700000000.M1P1.mail,S=4:2,S",
        ),
        (
            "data/mail/a@example.net/.Work/cur/1700000001.M1P1.mail:2,",
            "data/mail/a@example.net/.Work/cur/1700000001.M1P1.mail:2,",
        ),
    ] {
        let there = std::fs::read(kept.join(theirs)).unwrap();
        assert!(std::fs::read(root.file(ours)).unwrap() == there, "{ours}");
    }
    assert!(!root.file("data/filter/main.cvd").exists());
    assert_eq!(up::state(&root), "installed");
    let set = update(&root, &engine, &["--json"]).expect_code(2).json();
    assert_eq!(code(&set), "update.settings");
    let again = update_again(&root, &engine);
    assert!(again.out.contains("nothing to do"), "{}", again.out);
}

fn update_again(root: &Root, engine: &FakeEngine) -> Run {
    up::run(root, engine, &["update"]).expect_code(0)
}

/// Admin starts also where it could not bring its database up to date, and a release may not start at all: then the old containers go on.
#[test]
fn what_does_not_work_leaves_the_old_server() {
    for (revision, fate, wanted) in [
        ("7ac252f2bbbf", Fate::Well, "update.schema"),
        ("0ba45693748d", Fate::Loops(3), "start.restart_loop"),
    ] {
        let (root, engine) = old(revision);
        let before = inventory(&root.path());
        engine.fate_of("ghcr.io/mailu/dovecot:2024.06.57", fate);
        let run = update(&root, &engine, &["--json", "--wait", "20"])
            .expect_code(2)
            .json();
        assert_eq!(code(&run), wanted, "{run:#}");
        assert!(
            run.to_string()
                .contains("everything is as it was before the update"),
            "{run:#}"
        );
        inventory(&root.path()).assert_same(&before, wanted);
        let all = old_ones(&engine);
        assert_eq!(all.len(), SERVICES.len());
        assert!(all.iter().all(|(_, state)| *state == "running"), "{all:?}");
        assert_eq!(
            engine.containers().len(),
            SERVICES.len(),
            "{:?}",
            engine.containers()
        );
    }
}

#[test]
fn an_interrupted_takeover_goes_on_or_back() {
    for back in [false, true] {
        let (root, engine) = old("0ba45693748d");
        let before = inventory(&root.path());
        engine.fate("imap", Fate::Slow(1_000_000));
        let mut command = root.command(&[
            "update",
            "--domain",
            "mail.example.com",
            "--set",
            "tls.mode=none",
            "--set",
            "ports.mail=143",
        ]);
        killed_when(engine.reach(&mut command), || {
            noted(&root).as_deref() == Some("starting")
        });
        engine.befall("imap", Fate::Well);
        let args: &[&str] = if back {
            &["update", "--undo", "--json"]
        } else {
            &["update", "--json"]
        };
        let done = up::run(&root, &engine, args).expect_code(0).json();
        assert!(done["backup"].is_null(), "{done:#}");
        assert!(
            done["recovered"]
                .as_str()
                .unwrap()
                .contains("was interrupted while"),
            "{done:#}"
        );
        assert_eq!(old_ones(&engine).is_empty(), !back);
        if back {
            inventory(&root.path()).assert_same(&before, "gone back");
        } else {
            assert_eq!(up::state(&root), "installed");
        }
    }
}

#[test]
fn what_is_not_understood_is_left_alone() {
    let (root, engine) = old("0ba45693748d");
    let compose = directory(&root).join("docker-compose.yml");
    std::fs::write(&compose, COMPOSE.replace("2.0", "master")).unwrap();
    let before = inventory(&root.path());
    let run = update(&root, &engine, &["--json"]).expect_code(2).json();
    assert_eq!(code(&run), "update.unknown_layout");
    std::fs::write(&compose, COMPOSE).unwrap();
    let env = directory(&root).join("mailu.env");
    std::fs::write(
        &env,
        format!("{ENV}DB_FLAVOR=mysql\nDB_PW=hunter2-hunter2\n"),
    )
    .unwrap();
    for (more, id) in [
        (&[][..], "update.outside_database"),
        (&["--set", "project=mailexamplecom"], "update.project"),
    ] {
        let run = update(&root, &engine, &[&["--json"], more].concat()).expect_code(2);
        assert!(!run.out.contains("hunter2") && !run.err.contains("hunter2"));
        assert!(run.out.contains(id), "{}", run.out);
    }
    std::fs::write(&env, ENV).unwrap();
    std::fs::write(&compose, COMPOSE.replace("2.0", "master")).unwrap();
    inventory(&root.path()).assert_same(&before, "refused");
    let install = up::run(&root, &engine, &up::QUIET).expect_code(2);
    assert!(
        install
            .err
            .contains("mailu update --domain mail.example.com")
            || install.err.contains("update --domain mail.example.com"),
        "{}",
        install.err
    );
    assert!(
        old_ones(&engine)
            .iter()
            .all(|(_, state)| *state == "running")
    );
}
