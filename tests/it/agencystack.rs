//! AgencyStack's Make targets and the old installer's name, with a program that notes how it was called.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::fake_engine::FakeEngine;
use crate::support::{Root, Run, files_below, finished, program, tests, workspace};

/// A `mailu` that notes its arguments.
struct Noted {
    directory: TempDir,
}

impl Noted {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let noted = Self { directory };
        let text = format!(
            "#!/bin/sh\nprintf '%s\\n' \"$@\" \"password:${{MAILU_ADMIN_PASSWORD-none}}\" >{}\n",
            noted.file().display()
        );
        std::fs::write(noted.program(), text).unwrap();
        std::fs::set_permissions(noted.program(), std::fs::Permissions::from_mode(0o755)).unwrap();
        noted
    }

    fn program(&self) -> PathBuf {
        self.directory.path().join("mailu")
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("noted")
    }

    /// How it was called last, and with which password.
    fn called(&self) -> (String, String) {
        let text = std::fs::read_to_string(self.file()).unwrap();
        let (call, password) = text.trim_end().rsplit_once("\npassword:").unwrap();
        (call.replace('\n', " "), password.to_owned())
    }

    fn make(&self, args: &[&str]) -> Run {
        finished(
            make()
                .args(args)
                .arg(format!("MAILU={}", self.program().display()))
                .output()
                .unwrap(),
        )
    }
}

fn make() -> Command {
    let mut make = Command::new("make");
    make.current_dir(workspace())
        .env_remove("MAKEFLAGS")
        .env_remove("MAKELEVEL");
    make
}

/// What AgencyStack's documentation writes, and what it calls here.
const CALLS: [(&[&str], &str); 19] = [
    (
        &[
            "mailu",
            "DOMAIN=mail.example.com",
            "EMAIL_DOMAIN=example.com",
            "ADMIN_EMAIL=admin@example.com",
        ],
        "install --domain mail.example.com --email-domain example.com --admin-email admin@example.com",
    ),
    (
        &[
            "mailu",
            "DOMAIN=mail.example.com",
            "CLIENT_ID=tenant1",
            "FORCE=true",
            "WITH_DEPS=true",
        ],
        "install --domain mail.example.com --client-id tenant1 --force --with-deps",
    ),
    (&["mailu-status"], "status"),
    (
        &["mailu-status", "DOMAIN=mail.example.com"],
        "status --domain mail.example.com",
    ),
    (
        &["mailu-status", "ALL=true", "WATCH=true", "JSON=true"],
        "--json status --all --watch",
    ),
    (
        &["mailu-logs", "DOMAIN=mail.example.com", "CONTAINER=smtp"],
        "logs --domain mail.example.com -- smtp",
    ),
    (
        &["mailu-logs", "FOLLOW=true", "SINCE=10m", "TAIL=100"],
        "logs --follow --since 10m --tail 100",
    ),
    (
        &["mailu-restart", "CLIENT_ID=tenant1"],
        "restart --client-id tenant1",
    ),
    (&["mailu-restart", "CONTAINER=imap"], "restart -- imap"),
    (
        &["mailu-backup", "DOMAIN=mail.example.com"],
        "backup --domain mail.example.com",
    ),
    (
        &[
            "mailu-restore",
            "DOMAIN=mail.example.com",
            "BACKUP_FILE=/path/to/backup.tar.gz",
        ],
        "restore --domain mail.example.com -- /path/to/backup.tar.gz",
    ),
    (
        &["mailu-listmonk", "DOMAIN=mail.example.com"],
        "integrate --domain mail.example.com listmonk",
    ),
    (
        &["mailu-test-email", "DOMAIN=mail.example.com"],
        "test-email --domain mail.example.com",
    ),
    (
        &[
            "mailu-test-email",
            "TO=somebody@example.net",
            "SUBJECT=it's $5",
            "BODY=Hello.",
            "FROM=user@example.com",
            "PASSWORD_FILE=/a file",
        ],
        "test-email --from user@example.com --password-file /a file --subject it's $5 --body Hello. -- somebody@example.net",
    ),
    (
        &["mailu-diagnose", "DOMAIN=mail.example.com"],
        "diagnose --domain mail.example.com",
    ),
    (
        &["mailu-update", "DOMAIN=mail.example.com"],
        "update --domain mail.example.com",
    ),
    (&["mailu-update", "ROOT=/srv/a b"], "--root /srv/a b update"),
    (
        &[
            "wordpress-mailu-integration",
            "DOMAIN=blog.example.com",
            "MAIL_DOMAIN=mail.example.com",
        ],
        "integrate --domain mail.example.com wordpress -- blog.example.com",
    ),
    (
        &["mailu", "DOMAIN=$(shell touch /tmp/x)'\"", "NO_START=true"],
        "install --domain $(shell touch /tmp/x)'\" --no-start",
    ),
];

#[test]
fn each_documented_target_is_one_call() {
    let noted = Noted::new();
    for (args, call) in CALLS {
        noted.make(args).expect_code(0);
        assert_eq!(
            noted.called(),
            (call.to_owned(), "none".to_owned()),
            "{args:?}"
        );
    }
    noted
        .make(&["mailu", "ADMIN_PASSWORD=it's $5"])
        .expect_code(0);
    assert_eq!(noted.called(), ("install".to_owned(), "it's $5".to_owned()));
}

#[test]
fn targets_are_documented_and_documented_targets_exist() {
    let text = std::fs::read_to_string(workspace().join("Makefile")).unwrap();
    let readme =
        std::fs::read_to_string(workspace().join("examples/agencystack/README.md")).unwrap();
    for (args, _) in CALLS {
        assert!(text.contains(&format!("\n{}: ", args[0])), "{}", args[0]);
        assert!(readme.contains(&format!("`{}`", args[0])), "{}", args[0]);
        for variable in args.iter().skip(1) {
            let name = variable.split('=').next().unwrap();
            assert!(
                readme.contains(&format!("`{name}`")) || readme.contains(&format!("`{name}=")),
                "{name}"
            );
        }
    }
}

/// Included from another Makefile, the targets are there, and nothing of the other's is replaced.
#[test]
fn the_targets_can_be_included_from_another_makefile() {
    let noted = Noted::new();
    let directory = tempfile::tempdir().unwrap();
    let text = format!(
        "here = elsewhere\nDOMAIN ?= mail.example.net\ninclude {}\nquoted = wrong\nall:\n\t@echo all of AgencyStack\ntest:\n\t@echo AgencyStack tests\n",
        workspace().join("Makefile").display()
    );
    std::fs::write(directory.path().join("Makefile"), text).unwrap();
    let path = |first: &str| {
        let old = std::env::var("PATH").unwrap();
        format!("{first}:{old}")
    };
    let run = |args: &[&str]| {
        let mut command = make();
        command
            .current_dir(directory.path())
            .args(args)
            .env("PATH", path(&noted.directory.path().display().to_string()));
        finished(command.output().unwrap()).expect_code(0)
    };
    assert_eq!(run(&[]).out, "all of AgencyStack\n");
    let tested = run(&["test"]);
    assert_eq!(
        (tested.out.as_str(), tested.err.as_str()),
        ("AgencyStack tests\n", "")
    );
    // The program that is installed is used.
    run(&["mailu-status"]);
    assert_eq!(noted.called().0, "status --domain mail.example.net");
    let out = finished(
        make()
            .current_dir(directory.path())
            .arg("check")
            .output()
            .unwrap(),
    );
    out.expect_code(2);
}

#[test]
fn an_app_that_is_not_there_is_said_with_what_helps() {
    let root = Root::new();
    root.install();
    let engine = FakeEngine::start();
    engine.up(&root.layout().directory());
    for (target, domain, code, words) in [
        (
            "mailu-listmonk",
            "DOMAIN=mail.example.com",
            "there is no container listmonk-default",
            "docker ps -a",
        ),
        (
            "wordpress-mailu-integration",
            "DOMAIN=blog.example.com",
            "blog.example.com",
            "--path",
        ),
    ] {
        let mut command = make();
        command
            .args([target, domain, "MAIL_DOMAIN=mail.example.com"])
            .arg(format!("ROOT={}", root.path().display()))
            .arg(format!("MAILU={}", program().display()));
        let output = engine.reach(&mut command).output().unwrap();
        let run = finished(output).expect_code(2);
        assert!(run.err.contains(code), "{}", run.err);
        assert!(run.err.contains(words), "{}", run.err);
    }
    let which = root.run(&["integrate", "wordpress", "--json"]);
    assert_eq!(which.expect_code(2).json()["error"]["code"], "app.which");
    let near = root.run(&["integrate", "gost", "--json"]).expect_code(2);
    assert_eq!(near.json()["error"]["code"], "app.unknown");
    assert!(near.out.contains("did you mean `ghost`?"), "{}", near.out);
}

#[test]
fn targets_operate_a_deployment() {
    let root = Root::new();
    root.install();
    let engine = FakeEngine::start();
    engine.up(&root.layout().directory());
    engine.change("mailu_smtp", |c| c.says("hello from smtp"));
    let run = |args: &[&str]| {
        let mut command = make();
        command
            .args(args)
            .arg(format!("ROOT={}", root.path().display()))
            .arg(format!("MAILU={}", program().display()));
        finished(engine.reach(&mut command).output().unwrap())
    };
    let status = run(&["mailu-status", "DOMAIN=mail.example.com"]).expect_code(0);
    assert!(status.out.contains("healthy"), "{}", status.out);
    let logs = run(&["mailu-logs", "DOMAIN=mail.example.com", "CONTAINER=smtp"]).expect_code(0);
    assert!(logs.out.contains("hello from smtp"), "{}", logs.out);
    run(&["mailu-restart", "DOMAIN=mail.example.com"]).expect_code(0);
    engine.remove("mailu_smtp");
    // Make has one exit status for whatever fails.
    run(&["mailu-status"]).expect_code(2);
}

fn install_script(args: &[&str], program: &std::path::Path) -> Run {
    let script = workspace().join("examples/agencystack/install_mailu.sh");
    let mut command = Command::new("bash");
    command
        .arg(script)
        .args(args)
        .env("MAILU", program)
        .env_remove("AGENCY_STACK_ROOT")
        .env_remove("ADMIN_PASSWORD");
    finished(command.output().unwrap())
}

#[test]
fn the_old_installer_s_name_and_arguments_work() {
    let noted = Noted::new();
    for (args, call) in [
        (
            &[
                "--domain",
                "mail.example.com",
                "--email-domain",
                "example.org",
                "--admin-email",
                "a@example.org",
            ][..],
            "install --domain mail.example.com --email-domain example.org --admin-email a@example.org",
        ),
        (
            &[
                "--domain=mail.example.com",
                "--client-id",
                "tenant1",
                "--with-deps",
                "--force",
                "--verbose",
            ],
            "--verbose install --domain mail.example.com --client-id tenant1 --email-domain example.com --admin-email admin@example.com --with-deps --force",
        ),
        (
            &[
                "--domain",
                "mail.example.com",
                "--admin-email",
                "a@b.test",
                "--enable-cloud",
                "--port",
                "8080",
                "--use-github",
                "--no-start",
            ],
            "install --domain mail.example.com --email-domain example.com --admin-email a@b.test --no-start",
        ),
        (
            &["--status-only", "--domain", "mail.example.com"],
            "status --domain mail.example.com",
        ),
        (
            &[
                "--restart-only",
                "--domain",
                "mail.example.com",
                "--client-id=",
            ],
            "restart --domain mail.example.com",
        ),
        (
            &["--logs-only", "--domain", "mail.example.com"],
            "logs --domain mail.example.com",
        ),
    ] {
        install_script(args, &noted.program()).expect_code(0);
        assert_eq!(noted.called().0, call, "{args:?}");
    }
    let password = [
        "--domain",
        "mail.example.com",
        "--admin-password",
        "it's $5",
    ];
    install_script(&password, &noted.program()).expect_code(0);
    let (call, given) = noted.called();
    assert_eq!(given, "it's $5");
    assert!(!call.contains("$5"));

    std::fs::remove_file(noted.file()).unwrap();
    for wrong in [
        &[][..],
        &["--domain"],
        &["--domain", "mail.example.com", "--client-id"],
    ] {
        install_script(wrong, &noted.program()).expect_code(2);
        assert!(!noted.file().exists());
    }
    assert!(
        install_script(&["--help"], &noted.program())
            .expect_code(0)
            .out
            .contains("--email-domain")
    );
}

/// What AgencyStack's validators look for in an installer.
#[test]
fn the_installer_pleases_agencystack_s_validators() {
    let files = files_below(&workspace().join("examples/agencystack"));
    assert_eq!(files.len(), 2);
    let script =
        std::fs::read_to_string(workspace().join("examples/agencystack/install_mailu.sh")).unwrap();
    assert!(script.contains(".installed_ok") && script.contains("idempotent"));
    assert!(tests("it").is_dir());
}
