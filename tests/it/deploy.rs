//! Plan and perform: the same again changes nothing, edits survive, disagreements are settled by people.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::support::{Root, SMALL, files_below, succeed, tool};

fn mode(path: &std::path::Path) -> u32 {
    std::fs::metadata(path).unwrap().mode() & 0o7777
}

#[test]
fn a_deployment_is_complete_and_has_its_modes() {
    let root = Root::new();
    let run = root.install();
    for (file, bits) in [
        ("", 0o750),
        ("mailu.toml", 0o640),
        (".env", 0o644),
        ("mailu.env", 0o600),
        ("docker-compose.yml", 0o644),
        (".installed_ok", 0o644),
        (".mailu", 0o700),
        (".mailu/rendered.json", 0o600),
        ("dns/example.com.zone", 0o644),
        ("dns/example.com.records", 0o644),
        ("dns/records.json", 0o644),
        ("data/dkim/example.com.dkim.key", 0o600),
        ("data/certs/cert.pem", 0o644),
        ("data/certs/key.pem", 0o600),
        ("data/certs", 0o700),
        ("data/mail", 0o700),
        ("overrides/nginx", 0o755),
        ("overrides/roundcube", 0o755),
    ] {
        assert_eq!(mode(&root.file(file)), bits, "{file}");
    }
    for name in [
        "mail",
        "redis",
        "filter",
        "dkim",
        "certs",
        "admin",
        "mailqueue",
        "webmail",
        "dav",
        "fetchmail",
        "clamav",
    ] {
        assert!(root.file("data").join(name).is_dir(), "data/{name}");
    }
    let secrets = root.layout().secrets();
    assert_eq!(secrets, root.path().join("secrets/mailu/mail.example.com"));
    assert_eq!(mode(&secrets), 0o700);
    let names: Vec<_> = files_below(&secrets);
    assert_eq!(names.len(), 3);
    for file in names {
        assert_eq!(mode(&file), 0o600);
    }
    if std::fs::metadata("/proc/self").unwrap().uid() == 0 {
        let mail = std::fs::metadata(root.file("data/mail")).unwrap();
        assert_eq!(
            (mail.uid(), mail.gid()),
            (8, 12),
            "mail belongs to Alpine's mail user"
        );
    }
    let mark = root.read(".installed_ok");
    assert!(
        mark.contains("DOMAIN=mail.example.com\n")
            && mark.contains("ADMIN_EMAIL=admin@example.com\n")
            && mark.contains("INSTALL_DATE=20")
    );
    // What a person needs next.
    for text in [
        "https://mail.example.com/admin/",
        "https://mail.example.com/webmail/",
        "secrets/mailu/mail.example.com/admin_password",
        "v=DKIM1; k=rsa; p=",
        "v=DMARC1; p=reject;",
    ] {
        assert!(run.out.contains(text), "{text} is not in\n{}", run.out);
    }
}

#[test]
fn no_world_readable_file_holds_a_secret() {
    let root = Root::new();
    root.install();
    let private: Vec<String> = files_below(&root.layout().secrets())
        .iter()
        .map(|path| std::fs::read_to_string(path).unwrap().trim().to_owned())
        .collect();
    let key = root.read("data/dkim/example.com.dkim.key");
    for path in files_below(&root.path()) {
        let text = std::fs::read_to_string(&path).unwrap();
        let exposed = mode(&path) & 0o077 != 0;
        for secret in private
            .iter()
            .map(String::as_str)
            .chain(key.lines().filter(|l| !l.starts_with('-')))
        {
            assert!(
                !(exposed && text.contains(secret)),
                "{} holds a secret",
                path.display()
            );
        }
    }
    // The record of what was written knows secrets only by hash.
    let record = root.read(".mailu/rendered.json");
    assert!(private.iter().all(|secret| !record.contains(secret)));
}

#[test]
fn a_second_run_writes_nothing_at_all() {
    let root = Root::new();
    root.install();
    let times = || -> Vec<_> {
        let mut all: Vec<_> = files_below(&root.path());
        all.extend(
            all.clone()
                .iter()
                .filter_map(|p| p.parent().map(std::path::Path::to_path_buf)),
        );
        all.into_iter()
            .map(|path| {
                let m = std::fs::metadata(&path).unwrap();
                (
                    path,
                    m.mtime(),
                    m.mtime_nsec(),
                    m.ctime(),
                    m.ctime_nsec(),
                    m.ino(),
                )
            })
            .collect()
    };
    let (before, content) = (times(), root.snapshot());
    std::thread::sleep(Duration::from_millis(20));
    let again = root.install();
    assert!(again.out.contains("nothing to do"), "{}", again.out);
    for verb in [
        &["apply"][..],
        &["plan"],
        &["install", "--no-start", "--domain", "mail.example.com"],
        &["apply", "--force"],
    ] {
        let run = root.run(verb).expect_code(0);
        assert!(run.out.contains("nothing to do"), "{verb:?}: {}", run.out);
    }
    for verb in [
        &["list"][..],
        &["show"],
        &["dns"],
        &["config", "get"],
        &["config", "check"],
    ] {
        root.run(verb).expect_code(0);
    }
    root.snapshot().assert_same(&content, "a second run");
    assert_eq!(times(), before);
}

#[test]
fn a_dry_run_writes_nothing_and_draws_nothing() {
    let root = Root::new();
    let run = root
        .run(&[
            "install",
            "--dry-run",
            "--domain",
            "mail.example.com",
            "--email-domain",
            "example.com",
            "--admin-email",
            "admin@example.com",
        ])
        .expect_code(0);
    assert!(
        run.out.contains("would do")
            && run.out.contains("make DKIM key")
            && run.out.contains("store secret")
    );
    assert!(!root.path().exists());
    let run = root.run(&[
        "--json",
        "install",
        "--dry-run",
        "--domain",
        "mail.example.com",
        "--email-domain",
        "example.com",
        "--admin-email",
        "admin@example.com",
    ]);
    let json = run.json();
    assert_eq!(json["performed"], false);
    assert!(json["plan"]["steps"].as_array().unwrap().len() > 30);
    assert!(!run.out.contains("PRIVATE") && !run.out.contains("\"content\""));
}

#[test]
fn an_edited_variable_survives_and_is_reported() {
    let root = Root::new();
    root.install();
    root.edit(
        "mailu.env",
        "MESSAGE_SIZE_LIMIT=50000000",
        "# mine\nMESSAGE_SIZE_LIMIT=70000000   # more",
    );
    root.write(
        "mailu.env",
        &format!("{}CREDENTIAL_ROUNDS=13\n", root.read("mailu.env")),
    );
    let edited = root.read("mailu.env");
    let run = root.run(&["apply"]).expect_code(0);
    assert!(
        run.err.contains("MESSAGE_SIZE_LIMIT")
            && run.err.contains("70000000")
            && run.err.contains("50000000"),
        "{}",
        run.err
    );
    assert!(root.read("mailu.env") == edited);

    // Another key changes: the edit, its comment and the added line stay as they are.
    root.run(&["config", "set", "limits.messages", "500/day"])
        .expect_code(0);
    root.run(&["apply"]).expect_code(0);
    assert_eq!(
        root.read("mailu.env"),
        edited.replace("MESSAGE_RATELIMIT=200/day", "MESSAGE_RATELIMIT=500/day")
    );
}

#[test]
fn a_conflict_is_reported_and_nothing_changes_until_somebody_chooses() {
    let root = Root::new();
    root.install();
    root.edit(
        "mailu.env",
        "MESSAGE_SIZE_LIMIT=50000000",
        "MESSAGE_SIZE_LIMIT=70000000",
    );
    root.run(&[
        "config",
        "set",
        "limits.message_size=60MB",
        "services.webdav=true",
    ])
    .expect_code(0);
    let before = root.snapshot();
    let run = root.run(&["apply"]).expect_code(1);
    assert!(run.out.contains("nothing was changed"));
    for text in [
        "MESSAGE_SIZE_LIMIT",
        "`70000000`",
        "`60000000`",
        "`50000000`",
        "--reset MESSAGE_SIZE_LIMIT",
        "--adopt MESSAGE_SIZE_LIMIT",
        "limits.message_size",
    ] {
        assert!(run.err.contains(text), "{text} is not in {}", run.err);
    }
    let json = root.run(&["--json", "apply"]).expect_code(1).json();
    assert_eq!(json["performed"], false);
    assert_eq!(json["plan"]["conflicts"][0]["name"], "MESSAGE_SIZE_LIMIT");
    assert_eq!(json["plan"]["steps"], Value::Array(vec![]));
    root.snapshot().assert_same(&before, "nothing changes");

    let other = Root::new();
    other.install();
    // Ours counts.
    root.run(&["apply", "--reset", "MESSAGE_SIZE_LIMIT"])
        .expect_code(0);
    assert!(
        root.read("mailu.env")
            .contains("MESSAGE_SIZE_LIMIT=60000000\n")
    );
    assert!(
        root.replaced("mailu.env")[0].contains("70000000"),
        "a copy of the edited file is kept"
    );
    for copy in files_below(&root.file(".mailu/replaced")) {
        assert_eq!(mode(&copy), 0o600);
    }
    // Theirs counts.
    other.edit(
        "mailu.env",
        "MESSAGE_SIZE_LIMIT=50000000",
        "MESSAGE_SIZE_LIMIT=70000000",
    );
    other
        .run(&["config", "set", "limits.message_size", "60MB"])
        .expect_code(0);
    other
        .run(&["apply", "--adopt", "MESSAGE_SIZE_LIMIT"])
        .expect_code(0);
    assert!(other.read("mailu.toml").contains("message_size = 70000000"));
    assert!(
        other
            .read("mailu.env")
            .contains("MESSAGE_SIZE_LIMIT=70000000\n")
    );
    assert!(
        other
            .run(&["apply"])
            .expect_code(0)
            .out
            .contains("nothing to do")
    );
}

/// What is offered works.
#[test]
fn adopting_is_offered_only_where_it_succeeds() {
    for (from, to, name, offered) in [
        ("WEBMAIL=roundcube", "WEBMAIL=snappymail", "WEBMAIL", true),
        ("WEBMAIL=roundcube", "WEBMAIL=horde", "WEBMAIL", false),
        ("WEBMAIL=roundcube\n", "", "WEBMAIL", false),
        ("TLS_FLAVOR=mail", "TLS_FLAVOR=cert", "TLS_FLAVOR", false),
        (
            "HOSTNAMES=mail.example.com",
            "HOSTNAMES=mx.example.com",
            "HOSTNAMES",
            false,
        ),
        (
            "DKIM_SELECTOR=dkim",
            "DKIM_SELECTOR=other",
            "DKIM_SELECTOR",
            false,
        ),
        ("PORTS=25,80", "PORTS=${PORTS},25,80", "PORTS", false),
        (
            "SITENAME=Mailu",
            "SITENAME=Mailu\nSUBNET6=fd00::/64",
            "SUBNET6",
            false,
        ),
    ] {
        let root = Root::new();
        root.install();
        root.edit("mailu.env", from, to);
        let run = root.run(&["apply"]).expect_code(1);
        let hint = format!("--adopt {name}");
        assert_eq!(run.err.contains(&hint), offered, "{to}: {}", run.err);
        assert!(run.err.contains(&format!("--reset {name}")), "{}", run.err);
        let adopted = root.run(&["apply", "--adopt", name]);
        assert_eq!(adopted.code == 0, offered, "{to}: {}", adopted.err);
        root.run(&["apply", "--reset", name]).expect_code(0);
    }
}

/// Hints name commands as they can be typed.
#[test]
fn hints_name_options_that_their_command_has() {
    let root = Root::new();
    root.install();
    root.run(&[
        "config",
        "set",
        "relay.host=[smtp.example.net]:587",
        "relay.user=agency",
    ])
    .expect_code(0);
    let run = root.run(&["apply"]).expect_code(2);
    assert!(
        run.err
            .contains("`mailu install --domain mail.example.com --relay-password-file FILE`"),
        "{}",
        run.err
    );
    root.run(&["config", "unset", "relay.host", "relay.user"])
        .expect_code(0);
    let two = |args: &[&str]| {
        let base = [
            "install",
            "--no-start",
            "--domain",
            "mail.two.com",
            "--email-domain",
            "two.com",
            "--admin-email",
            "admin@two.com",
        ];
        root.run(&[&base[..], args].concat())
    };
    let run = two(&["--client-id", "one"]).expect_code(2);
    for command in [
        "`mailu config set --domain mail.two.com --client-id one ports.via=published ports.address=ADDRESS`",
        "`--set ports.via=published --set ports.address=ADDRESS`",
        "`mailu config set --domain mail.two.com --client-id one traefik.entrypoints.smtp=NAME`",
    ] {
        assert!(run.err.contains(command), "{}", run.err);
    }
    // Word for word.
    two(&["--client-id", "one", "--set", "ports.mail=465,993"]).expect_code(0);
    root.run(&[
        "config",
        "set",
        "--domain",
        "mail.two.com",
        "--client-id",
        "one",
        "ports.mail=25,465,993",
    ])
    .expect_code(0);
    let apply = ["apply", "--domain", "mail.two.com", "--client-id", "one"];
    let run = root.run(&apply).expect_code(2);
    let command = run
        .err
        .split("`mailu ")
        .nth(1)
        .unwrap()
        .split('`')
        .next()
        .unwrap();
    let command = command.replace("ADDRESS", "127.0.0.9");
    root.run(&command.split(' ').collect::<Vec<_>>())
        .expect_code(0);
    root.run(&apply).expect_code(0);
}

#[test]
fn variables_that_other_files_follow_from_cannot_be_edited_alone() {
    for (from, to, name) in [
        ("SUBNET=10.", "SUBNET=172.30.0.0/24 # 10.", "SUBNET"),
        ("WEBMAIL=roundcube", "WEBMAIL=snappymail", "WEBMAIL"),
        ("PORTS=25,80", "PORTS=110,25,80", "PORTS"),
        (
            "HOSTNAMES=mail.example.com",
            "HOSTNAMES=mail.example.com,webmail.example.com",
            "HOSTNAMES",
        ),
        ("ANTIVIRUS=clamav", "ANTIVIRUS=none", "ANTIVIRUS"),
    ] {
        let root = Root::new();
        root.install();
        root.edit("mailu.env", from, to);
        let before = root.snapshot();
        let run = root.run(&["apply"]).expect_code(1);
        assert!(
            run.err.contains(name) && run.err.contains("docker-compose.yml follows from it"),
            "{}",
            run.err
        );
        root.snapshot().assert_same(&before, "nothing changes");
        // Adopted, the other files follow.
        let compose = root.read("docker-compose.yml");
        root.run(&["apply", "--adopt", name]).expect_code(0);
        assert_ne!(root.read("docker-compose.yml"), compose, "{name}");
        assert!(
            root.run(&["apply"])
                .expect_code(0)
                .out
                .contains("nothing to do")
        );
    }
}

/// Every variable that we write can be changed by hand, adopted, and then says what was written by hand.
#[test]
fn what_is_adopted_is_what_was_edited() {
    for (name, value, key) in [
        ("POSTMASTER", "post", "postmaster"),
        ("TZ", "Europe/Berlin", "timezone"),
        ("ADMIN", "false", "services.admin"),
        ("API", "True", "services.api"),
        ("WEBDAV", "radicale", "services.webdav"),
        ("SCAN_MACROS", "no", "services.macro_scan"),
        ("FETCHMAIL_ENABLED", "true", "services.fetchmail"),
        ("FETCHMAIL_DELAY", "900", "mail.fetchmail_delay"),
        ("FULL_TEXT_SEARCH", "en,de", "mail.search_languages"),
        ("FULL_TEXT_SEARCH", "off", "services.search"),
        (
            "FULL_TEXT_SEARCH_ATTACHMENTS",
            "true",
            "services.search_attachments",
        ),
        ("DISABLE_STATISTICS", "false", "services.statistics"),
        ("DEFAULT_QUOTA", "5000000000", "limits.quota"),
        ("MESSAGE_RATELIMIT", "10 per hour", "limits.messages"),
        ("RECIPIENT_DELIMITER", "+-", "mail.recipient_delimiter"),
        ("DEFAULT_SPAM_THRESHOLD", "60", "mail.spam_threshold"),
        ("DMARC_RUA", "dmarc", "dmarc.rua"),
        ("COMPRESSION", "zstd", "mail.compression"),
        (
            "REJECT_UNLISTED_RECIPIENT",
            "yes",
            "mail.reject_unlisted_recipient",
        ),
        ("WELCOME", "true", "welcome.enabled"),
        (
            "WELCOME_SUBJECT",
            "'It costs $5, \"friend\"'",
            "welcome.subject",
        ),
        ("RELAYHOST", "[smtp.example.net]:587", "relay.host"),
        ("RELAYNETS", "10.77.0.0/24,10.78.0.1/32", "relay.networks"),
        ("SITENAME", "'Bob'", "web.site_name"),
        ("WEBROOT_REDIRECT", "/admin", "web.root_redirect"),
        ("LOG_LEVEL", "DEBUG", "logs.level"),
        ("DOMAIN", "example.com", "email_domain"),
    ] {
        let root = Root::new();
        root.install();
        let line = root
            .read("mailu.env")
            .lines()
            .find(|l| l.starts_with(&format!("{name}=")))
            .unwrap()
            .to_owned();
        let wanted = format!("{name}={value}");
        if line == wanted {
            continue;
        }
        root.edit(
            "mailu.env",
            &format!("\n{line}\n"),
            &format!("\n{wanted}\n"),
        );
        root.run(&["apply", "--adopt", name]).expect_code(0);
        let toml = root.read("mailu.toml");
        assert!(
            toml.contains(key.rsplit('.').next().unwrap()),
            "{name}: {key} is not in\n{toml}"
        );
        let again = root.run(&["apply"]).expect_code(0);
        assert!(
            again.out.contains("nothing to do"),
            "{name}: {}{}",
            again.out,
            again.err
        );
        let env = mailu_core::env::EnvFile::parse(&root.read("mailu.env")).unwrap();
        let meant = mailu_core::env::EnvFile::parse(&format!("{wanted}\n")).unwrap();
        let (now, then) = (&env.get(name).unwrap().text, &meant.get(name).unwrap().text);
        let bool_like = |t: &str| {
            t.to_ascii_lowercase()
                .replace("yes", "true")
                .replace("no", "false")
        };
        assert!(
            now == then || bool_like(now) == bool_like(then),
            "{name}: {now} is not {then}"
        );
        assert!(
            !again.err.contains("kept:"),
            "{name} is still an edit: {}",
            again.err
        );
    }
}

#[test]
fn variables_without_a_key_and_secrets_can_be_adopted_too() {
    let root = Root::new();
    root.install();
    root.write(
        "mailu.env",
        &format!(
            "{}LOGO_URL=https://www.example.com/logo.png\n",
            root.read("mailu.env")
        ),
    );
    root.run(&["apply", "--adopt", "LOGO_URL"]).expect_code(0);
    assert!(
        root.read("mailu.toml")
            .contains("LOGO_URL = \"https://www.example.com/logo.png\"")
    );
    // A SECRET_KEY brought along from another installation.
    let old = std::fs::read_to_string(root.layout().secret("secret_key")).unwrap();
    root.edit(
        "mailu.env",
        &format!("SECRET_KEY={}", old.trim()),
        "SECRET_KEY=BROUGHTALONG12345",
    );
    let run = root.run(&["apply"]).expect_code(0);
    assert!(
        run.err.contains("SECRET_KEY") && !run.err.contains("BROUGHTALONG"),
        "{}",
        run.err
    );
    let run = root.run(&["apply", "--adopt", "SECRET_KEY"]).expect_code(0);
    assert!(!run.out.contains("BROUGHTALONG") && !run.err.contains("BROUGHTALONG"));
    assert_eq!(
        std::fs::read_to_string(root.layout().secret("secret_key")).unwrap(),
        "BROUGHTALONG12345\n"
    );
    assert!(
        root.run(&["apply"])
            .expect_code(0)
            .out
            .contains("nothing to do")
    );
}

/// Without such a line a service crashes, or takes a default that the deployment was not made with.
#[test]
fn a_line_that_mailu_needs_cannot_be_left_out() {
    for (file, name) in [
        ("mailu.env", "SECRET_KEY"),
        ("mailu.env", "DOMAIN"),
        ("mailu.env", "HOSTNAMES"),
        ("mailu.env", "POSTMASTER"),
        ("mailu.env", "SUBNET"),
        ("mailu.env", "TLS_FLAVOR"),
        ("mailu.env", "PORTS"),
        ("mailu.env", "ADMIN"),
        ("mailu.env", "WEBMAIL"),
        ("mailu.env", "WEBDAV"),
        ("mailu.env", "API_TOKEN"),
        ("mailu.env", "MESSAGE_SIZE_LIMIT"),
        ("mailu.env", "MESSAGE_RATELIMIT"),
        (".env", "COMPOSE_PROJECT_NAME"),
    ] {
        let root = Root::new();
        root.install();
        let text = root.read(file);
        let start = format!("{name}=");
        let line = text.lines().find(|line| line.starts_with(&start)).unwrap();
        root.edit(file, &format!("{line}\n"), &format!("# {line}\n"));
        let edited = root.snapshot();
        let run = root.run(&["apply"]).expect_code(1);
        assert!(
            run.err
                .contains(&format!("{file} {name}: there is (not set)"))
                && run.err.contains("it was removed, and Mailu does not start")
                && run.err.contains(&format!("`--reset {name}`")),
            "{}",
            run.err
        );
        root.snapshot().assert_same(&edited, "nothing changes");
        root.run(&["apply", "--reset", name]).expect_code(0);
        assert!(root.read(file).contains(&format!("\n{line}\n")), "{name}");
        let again = root.run(&["apply"]).expect_code(0);
        assert!(again.out.contains("nothing to do"), "{name}");
    }
    // Of the others, Mailu's default does as well.
    let root = Root::new();
    root.install();
    root.edit("mailu.env", "SITENAME=Mailu\n", "");
    let run = root.run(&["apply"]).expect_code(0);
    assert!(
        run.err.contains("kept: mailu.env SITENAME = (not set)"),
        "{}",
        run.err
    );
}

/// Mailu with a database of its own host: everything but the password stands in mailu.toml.
#[test]
fn a_secret_written_into_mailu_env_by_hand_stays_there_and_is_never_shown() {
    let root = Root::new();
    root.install();
    for setting in [
        "DB_FLAVOR=postgresql",
        "DB_USER=mailu",
        "DB_HOST=db",
        "DB_NAME=mailu",
        "DB_PW_FILE=/data/pw",
    ] {
        root.run(&["config", "set", &format!("env.{setting}")])
            .expect_code(0);
    }
    let run = root
        .run(&["config", "set", "env.DB_PW=hunter2hunter2"])
        .expect_code(2);
    assert!(
        run.err.contains("write `DB_PW=…` into mailu.env by hand") && !run.err.contains("hunter2"),
        "{}",
        run.err
    );
    root.run(&["apply"]).expect_code(0);
    root.write(
        "mailu.env",
        &format!("{}DB_PW=hunter2hunter2\n", root.read("mailu.env")),
    );
    for args in [
        &["apply"][..],
        &["--json", "apply"],
        &["apply", "--force"],
        &["config", "set", "limits.quota", "5GB"],
        &["--json", "plan"],
        &["apply", "--dry-run"],
        &["apply"],
        &["config", "unset", "env.DB_FLAVOR"],
        &["--json", "apply", "--force"],
        &["install", "--no-start", "--domain", "mail.example.com"],
    ] {
        let run = root.run(args).expect_code(0);
        assert!(
            !format!("{}{}", run.out, run.err).contains("hunter2"),
            "{args:?}"
        );
        assert!(
            root.read("mailu.env").ends_with("\nDB_PW=hunter2hunter2\n"),
            "{args:?}"
        );
    }
    let before = root.snapshot();
    let run = root
        .run(&["--json", "apply", "--adopt", "DB_PW"])
        .expect_code(2);
    assert!(
        run.out.contains("adopt.secret") && !format!("{}{}", run.out, run.err).contains("hunter2"),
        "{}",
        run.err
    );
    root.snapshot().assert_same(&before, "nothing changes");
}

#[test]
fn what_crashes_mailu_is_refused_in_the_edited_file_too() {
    for (from, to) in [
        ("LOG_LEVEL=INFO", "LOG_LEVEL=info"),
        ("MESSAGE_RATELIMIT=200/day", "MESSAGE_RATELIMIT="),
        ("AUTH_RATELIMIT_IP=5/hour", "AUTH_RATELIMIT_IP=often"),
        ("COMPRESSION=\n", "COMPRESSION=none\n"),
        ("WEB_ADMIN=/admin", "WEB_ADMIN=admin"),
        (
            "SITENAME=Mailu",
            "SITENAME=Mailu\nINITIAL_ADMIN_PW=topsecretvalue",
        ),
        ("SITENAME=Mailu", "SITENAME='Mailu"),
        ("SITENAME=Mailu", "SITE NAME=Mailu"),
    ] {
        let root = Root::new();
        root.install();
        root.edit("mailu.env", from, to);
        let before = root.snapshot();
        let run = root.run(&["apply"]).expect_code(2);
        assert!(
            run.err.contains("mailu.env") && run.err.contains("nothing was changed")
                || run.err.contains("read "),
            "{to}: {}",
            run.err
        );
        assert!(
            run.err.contains("fix:") || run.err.contains("hint:"),
            "{to}: {}",
            run.err
        );
        assert!(!run.err.contains("topsecretvalue"));
        root.snapshot().assert_same(&before, "nothing changes");
    }
}

/// How it was installed, what is edited where, the subject that is named, a word of the rule.
#[rustfmt::skip]
const EDITS: &[(&str, &str, &str, &str, &str, &str)] = &[
    ("network.access=10.8.0.0/28", "mailu.env", "RELAYNETS=", "RELAYNETS=10.77.0.5,10.8.0.0/24", "mailu.env: RELAYNETS", "`network.access` (10.8.0.0/28)"),
    ("traefik.subnet=10.9.0.0/24", "mailu.env", "RELAYNETS=", "RELAYNETS=10.77.0.5, 10.9.0.64/26", "mailu.env: RELAYNETS", "Traefik's network"),
    ("traefik.subnet=10.9.0.0/24", "mailu.env", "RELAYNETS=", "RELAYNETS=10.9.0.1", "mailu.env: RELAYNETS", "Traefik's network"),
    ("", "mailu.env", "RELAYNETS=", "RELAYNETS=0.0.0.0/1,128.0.0.0/1", "mailu.env: RELAYNETS", "open relay"),
    ("", "mailu.env", "RELAYNETS=", "RELAYNETS=2001:db8::5", "mailu.env: RELAYNETS", "always with a prefix"),
    ("", "mailu.env", "SITENAME=", "PROXY_AUTH_WHITELIST=0.0.0.0/0\nSITENAME=", "mailu.env: PROXY_AUTH_WHITELIST", "log in as anybody"),
    ("traefik.subnet=10.9.0.0/24", "mailu.env", "SITENAME=", "PROXY_AUTH_WHITELIST=10.9.0.0/24\nSITENAME=", "mailu.env: PROXY_AUTH_WHITELIST", "more than Traefik"),
    ("", "mailu.env", "WEB_WEBMAIL=/webmail", "WEB_WEBMAIL=/mail", "mailu.env: WEBROOT_REDIRECT", "round in circles"),
    ("", "mailu.env", "WEBROOT_REDIRECT=/webmail", "WEBROOT_REDIRECT=/", "mailu.env: WEBROOT_REDIRECT", "round in circles"),
    ("", "mailu.env", "WEB_ADMIN=/admin", "WEB_ADMIN=/webmail/admin", "mailu.env: WEB_WEBMAIL", "WEB_ADMIN` or above it"),
    ("services.webmail=none", "mailu.env", "ADMIN=true", "ADMIN=false", "mailu.env: WEBROOT_REDIRECT", "switched off"),
    ("web.webmail_path=/apimail", "mailu.env", "API=false", "API=true", "mailu.env: WEB_WEBMAIL", "to the API"),
    ("admin_email=first.last@example.com", "mailu.env", "RECIPIENT_DELIMITER=+", "RECIPIENT_DELIMITER=+.", "mailu.env: RECIPIENT_DELIMITER", "would go to `first`"),
    ("services.api=true", ".env", "MAILU_VERSION=2024.06.57", "MAILU_VERSION=2024.06.40", ".env: MAILU_VERSION", "CVE-2026-49217"),
    ("env.PROXY_AUTH_WHITELIST=192.0.2.7", ".env", "MAILU_VERSION=2024.06.57", "MAILU_VERSION=2024.06.54", ".env: MAILU_VERSION", "GHSA-rfhj-4wcq-74xg"),
    ("version=2024.06.40", "mailu.env", "API=false", "API=true", "mailu.env: API", "CVE-2026-49217"),
    ("", "mailu.env", "SITENAME=", "SQLALCHEMY_DATABASE_URI=hunter2hunter2\nSITENAME=", "mailu.env: SQLALCHEMY_DATABASE_URI", "sqlite:////data/main.db"),
    ("", ".env", "MAILU_VERSION=2024.06.57", "MAILU_VERSION=latest", ".env: MAILU_VERSION", "a tag that moves"),
    ("", ".env", "DOCKER_ORG=ghcr.io/mailu", "DOCKER_ORG=https://ghcr.io/mailu", ".env: DOCKER_ORG", "without a scheme"),
    ("", ".env", "DOCKER_PREFIX=", "DOCKER_PREFIX=Own/", ".env: DOCKER_PREFIX", "start of an image name"),
];

/// An edit is held to what the rest of the deployment is, as a key of mailu.toml is.
#[test]
fn edits_that_do_not_fit_the_rest_are_refused() {
    for (setting, file, from, to, subject, rule) in EDITS {
        let root = Root::new();
        let given = root.beside("mailu.toml", SMALL);
        let mut args = vec!["install", "--no-start", "--config", given.to_str().unwrap()];
        if !setting.is_empty() {
            args.extend(["--set", setting]);
        }
        root.run(&args).expect_code(0);
        root.edit(file, &format!("\n{from}"), &format!("\n{to}"));
        let before = root.snapshot();
        let run = root.run(&["apply"]).expect_code(2);
        let line = run
            .err
            .lines()
            .find(|line| line.contains(&format!("`{subject}`")))
            .unwrap_or_default();
        assert!(
            line.contains(rule) && !run.err.contains("hunter2"),
            "{to}: {}",
            run.err
        );
        root.snapshot().assert_same(&before, to);
    }
    // What fits stays, with a warning where the key would have one.
    for (file, from, to, warning) in [
        (
            "mailu.env",
            "RELAYNETS=",
            "RELAYNETS=192.0.2.5",
            "relay.without_password",
        ),
        (
            "mailu.env",
            "RECIPIENT_DELIMITER=+",
            "RECIPIENT_DELIMITER=-",
            "mail.delimiter_ordinary",
        ),
        (
            "mailu.env",
            "WEBROOT_REDIRECT=/webmail",
            "WEBROOT_REDIRECT=none",
            "",
        ),
        (
            "mailu.env",
            "WEBROOT_REDIRECT=/webmail",
            "WEBROOT_REDIRECT=/admin/?a=b",
            "",
        ),
        (
            ".env",
            "MAILU_VERSION=2024.06.57",
            "MAILU_VERSION=2024.06.40",
            "",
        ),
        (".env", "DOCKER_ORG=ghcr.io/mailu", "DOCKER_ORG=", ""),
    ] {
        let root = Root::new();
        root.install();
        root.edit(file, &format!("\n{from}"), &format!("\n{to}"));
        let run = root.run(&["apply"]).expect_code(0);
        assert!(
            run.err.contains(warning) && root.read(file).contains(to),
            "{to}: {}",
            run.err
        );
    }
}

/// Container names and labels carry the project's name.
#[test]
fn the_project_cannot_be_renamed_in_dot_env_alone() {
    for (from, to) in [
        (
            "COMPOSE_PROJECT_NAME=mailu\n",
            "COMPOSE_PROJECT_NAME=other\n",
        ),
        ("COMPOSE_PROJECT_NAME=mailu\n", ""),
    ] {
        let root = Root::new();
        root.install();
        root.edit(".env", from, to);
        let before = root.snapshot();
        let run = root.run(&["apply"]).expect_code(1);
        let reason = if to.is_empty() {
            "it was removed"
        } else {
            "docker-compose.yml follows from it"
        };
        assert!(
            run.err.contains("COMPOSE_PROJECT_NAME") && run.err.contains(reason),
            "{}",
            run.err
        );
        root.snapshot().assert_same(&before, "nothing changes");
        let choice = if to.is_empty() { "--reset" } else { "--adopt" };
        root.run(&["apply", choice, "COMPOSE_PROJECT_NAME"])
            .expect_code(0);
        assert_eq!(
            root.read("docker-compose.yml")
                .contains("container_name: \"other_front\""),
            !to.is_empty()
        );
        assert!(
            root.run(&["apply"])
                .expect_code(0)
                .out
                .contains("nothing to do")
        );
    }
}

#[test]
fn a_hand_edited_compose_file_is_never_silently_replaced() {
    let root = Root::new();
    root.install();
    let ours = root.read("docker-compose.yml");
    root.write("docker-compose.yml", &format!("{ours}# mine\n"));
    // Nothing new is wanted: it stays, and is mentioned.
    let run = root.run(&["apply"]).expect_code(0);
    assert!(run.err.contains("kept:") && run.err.contains("docker-compose.yml"));
    // Something new is wanted: nothing happens without a decision.
    root.run(&["config", "set", "services.webdav", "true"])
        .expect_code(0);
    let run = root.run(&["apply"]).expect_code(1);
    assert!(
        run.err.contains("conflict:")
            && run.err.contains("--reset docker-compose.yml")
            && run.err.contains("docker-compose.override.yml")
    );
    assert!(root.read("docker-compose.yml").ends_with("# mine\n"));
    root.run(&["apply", "--reset", "docker-compose.yml"])
        .expect_code(0);
    assert!(root.read("docker-compose.yml").contains("radicale"));
    assert!(root.replaced("docker-compose.yml")[0].ends_with("# mine\n"));
}

/// The copy of the first edit is not lost to that of the second.
#[test]
fn a_kept_copy_is_never_overwritten() {
    let root = Root::new();
    root.install();
    let edits = ["First", "Second", "Third"];
    for edit in edits {
        root.edit("mailu.env", "SITENAME=Mailu", &format!("SITENAME={edit}"));
        root.run(&["apply", "--reset", "SITENAME"]).expect_code(0);
    }
    let copies = root.replaced("mailu.env");
    assert_eq!(copies.len(), 3);
    for edit in edits {
        assert!(copies.iter().any(|text| text.contains(edit)), "{edit}");
    }
    // Nor is the same kept twice.
    root.edit("mailu.env", "SITENAME=Mailu", "SITENAME=First");
    root.run(&["apply", "--force"]).expect_code(0);
    assert_eq!(root.replaced("mailu.env").len(), 3);
}

#[test]
fn force_renders_anew_but_never_draws_anew() {
    let root = Root::new();
    root.install();
    let material = |root: &Root| {
        let mut all: Vec<String> = files_below(&root.layout().secrets())
            .iter()
            .map(|p| std::fs::read_to_string(p).unwrap())
            .collect();
        all.push(root.read("data/dkim/example.com.dkim.key"));
        all.push(root.read("data/certs/key.pem"));
        all.push(root.read("mailu.toml"));
        all
    };
    let (before, compose, env) = (
        material(&root),
        root.read("docker-compose.yml"),
        root.read("mailu.env"),
    );
    root.write("docker-compose.yml", "services: {}\n");
    root.edit("mailu.env", "SITENAME=Mailu", "SITENAME=Other\nMY_OWN=1");
    root.run(&[
        "install",
        "--no-start",
        "--force",
        "--domain",
        "mail.example.com",
    ])
    .expect_code(0);
    assert!(material(&root) == before, "a secret or key was drawn again");
    assert_eq!(root.read("docker-compose.yml"), compose);
    assert_eq!(
        root.read("mailu.env"),
        env.replace("SITENAME=Mailu", "SITENAME=Mailu\nMY_OWN=1"),
        "a line that is not ours stays"
    );
    assert!(root.replaced("mailu.env")[0].contains("SITENAME=Other"));
}

/// Not only what we would set: also a line that must go.
#[test]
fn force_settles_every_conflict() {
    let root = Root::new();
    root.install();
    root.run(&["config", "set", "env.CREDENTIAL_ROUNDS=13"])
        .expect_code(0);
    root.run(&["apply"]).expect_code(0);
    let env = root.read("mailu.env");
    root.edit(
        "mailu.env",
        "CREDENTIAL_ROUNDS=13",
        "CREDENTIAL_ROUNDS=14\nSUBNET6=fd00::/64\nMY_OWN=1",
    );
    root.run(&["config", "unset", "env.CREDENTIAL_ROUNDS"])
        .expect_code(0);
    let run = root.run(&["apply"]).expect_code(1);
    assert!(
        run.err.contains("CREDENTIAL_ROUNDS") && run.err.contains("SUBNET6"),
        "{}",
        run.err
    );
    root.run(&["apply", "--force"]).expect_code(0);
    assert_eq!(
        root.read("mailu.env"),
        env.replace("CREDENTIAL_ROUNDS=13", "MY_OWN=1")
    );
    assert!(root.replaced("mailu.env")[0].contains("SUBNET6=fd00::/64"));
    assert!(
        root.run(&["apply"])
            .expect_code(0)
            .out
            .contains("nothing to do")
    );
}

#[test]
fn what_is_lost_is_made_again_except_what_depends_on_it() {
    let root = Root::new();
    root.install();
    let before = root.snapshot();
    for file in [
        "docker-compose.yml",
        "mailu.env",
        ".env",
        "dns/records.json",
        ".installed_ok",
    ] {
        std::fs::remove_file(root.file(file)).unwrap();
    }
    std::fs::remove_dir(root.file("overrides/nginx")).unwrap();
    std::fs::set_permissions(root.file(".mailu"), std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::set_permissions(
        root.layout().secret("secret_key"),
        std::fs::Permissions::from_mode(0o644),
    )
    .unwrap();
    std::fs::set_permissions(
        root.layout().secrets(),
        std::fs::Permissions::from_mode(0o755),
    )
    .unwrap();
    root.run(&["apply"]).expect_code(0);
    let mut after = root.snapshot();
    let date = |text: &str| text.split("INSTALL_DATE=").next().unwrap().to_owned();
    let name = "mailu/mail.example.com/.installed_ok";
    assert_eq!(date(&after.0[name]), date(&before.0[name]));
    after.0.insert(name.to_owned(), before.0[name].clone());
    after.assert_same(&before, "everything is there again");

    // Secrets that became unusable are not drawn again.
    std::fs::write(root.layout().secret("secret_key"), "").unwrap();
    let run = root.run(&["apply"]).expect_code(2);
    assert!(
        run.err.contains("secret_key") && run.err.contains("backup"),
        "{}",
        run.err
    );
    let other = Root::new();
    other.install();
    other.write("data/dkim/example.com.dkim.key", "garbage");
    let run = other.run(&["apply"]).expect_code(2);
    assert!(
        run.err.contains("example.com.dkim.key") && run.err.contains("backup"),
        "{}",
        run.err
    );
    let other = Root::new();
    other.install();
    std::fs::remove_file(other.file("data/certs/cert.pem")).unwrap();
    let run = other.run(&["apply"]).expect_code(2);
    assert!(run.err.contains("cert.pem"), "{}", run.err);
}

/// The DNS record is published for one key: another one in its place means mail that is refused.
#[test]
fn a_lost_dkim_key_is_given_up_only_by_name() {
    let key = "data/dkim/example.com.dkim.key";
    let root = Root::new();
    root.install();
    let (before, pem) = (root.snapshot(), root.read(key));
    assert!(
        root.read(".mailu/rendered.json")
            .contains("example.com.dkim.key")
    );
    std::fs::remove_file(root.file(key)).unwrap();
    let there = root.snapshot();
    for verb in [
        &["apply"][..],
        &["plan"],
        &["apply", "--force"],
        &["apply", "--new-dkim-key", "example.org"],
    ] {
        let run = root.run(verb).expect_code(2);
        assert!(
            run.err.contains(key)
                && run.err.contains("backup")
                && run.err.contains("`--new-dkim-key example.com`"),
            "{}",
            run.err
        );
    }
    let json = root.run(&["--json", "apply"]).expect_code(2).json();
    assert_eq!(json["error"]["code"], "dkim.lost");
    root.snapshot().assert_same(&there, "nothing changes");
    // Restored, all is well.
    root.write(key, &pem);
    std::fs::set_permissions(root.file(key), std::fs::Permissions::from_mode(0o600)).unwrap();
    let run = root.run(&["apply"]).expect_code(0);
    assert!(run.out.contains("nothing to do") && !run.err.contains("dkim"));
    root.snapshot().assert_same(&before, "restored");
    // A key that works is not given up.
    let run = root
        .run(&["apply", "--new-dkim-key", "example.com"])
        .expect_code(0);
    assert!(
        run.out.contains("nothing to do") && run.err.contains("dkim.in_place"),
        "{}",
        run.err
    );

    // Given up, and published anew.
    std::fs::remove_file(root.file(key)).unwrap();
    let args = ["apply", "--new-dkim-key", "example.com"];
    let run = root
        .run(&["--json", "plan", args[1], args[2]])
        .expect_code(0);
    assert!(run.out.contains("dkim.new_key"), "{}", run.out);
    let records = root.read("dns/records.json");
    let run = root.run(&args).expect_code(0);
    assert!(
        run.err.contains("dkim._domainkey.example.com"),
        "{}",
        run.err
    );
    assert!(root.read(key) != pem && root.read("dns/records.json") != records);
    let run = root.run(&["apply"]).expect_code(0);
    assert!(run.out.contains("nothing to do") && !run.err.contains("dkim"));

    // Somebody put another key there: it counts, and is mentioned once.
    root.write(key, &pem);
    let run = root.run(&["apply"]).expect_code(0);
    assert!(
        run.err.contains("dkim.replaced") && run.err.contains("dkim._domainkey.example.com"),
        "{}",
        run.err
    );
    assert_eq!(root.read("dns/records.json"), records);
    let run = root.run(&["apply"]).expect_code(0);
    assert!(run.out.contains("nothing to do") && !run.err.contains("dkim"));

    // A domain that was away for a while needs the key that it had.
    root.run(&["config", "set", "email_domains", "example.org"])
        .expect_code(0);
    root.run(&["apply"]).expect_code(0);
    root.run(&["config", "unset", "email_domains"])
        .expect_code(0);
    root.run(&["apply"]).expect_code(0);
    std::fs::remove_file(root.file("data/dkim/example.org.dkim.key")).unwrap();
    root.run(&["apply"]).expect_code(0);
    root.run(&["config", "set", "email_domains", "example.org"])
        .expect_code(0);
    let run = root.run(&["apply"]).expect_code(2);
    assert!(run.err.contains("example.org.dkim.key"), "{}", run.err);
}

/// The running server has the secret still; a new one would end its sessions and break what is encrypted with the old one.
#[test]
fn a_lost_secret_file_comes_back_from_mailu_env() {
    let root = Root::new();
    root.install();
    let before = root.snapshot();
    for name in ["secret_key", "api_token"] {
        std::fs::remove_file(root.layout().secret(name)).unwrap();
    }
    let run = root.run(&["apply"]).expect_code(0);
    assert!(run.out.contains("done"), "{}", run.out);
    root.snapshot().assert_same(&before, "restored");
    // Without the record too.
    std::fs::remove_file(root.layout().secret("secret_key")).unwrap();
    std::fs::remove_file(root.file(".mailu/rendered.json")).unwrap();
    root.run(&["apply"]).expect_code(0);
    let mut after = root.snapshot();
    let record = "mailu/mail.example.com/.mailu/rendered.json";
    after.0.insert(record.to_owned(), before.0[record].clone());
    after.assert_same(&before, "restored without a record");

    // Neither file has it, and one was there: only a person can decide.
    let key = std::fs::read_to_string(root.layout().secret("secret_key")).unwrap();
    let line = format!("SECRET_KEY={}\n", key.trim());
    let env = root.read("mailu.env");
    for (now, adoptable) in [("", false), ("SECRET_KEY=EDITEDEDITEDEDITED\n", true)] {
        std::fs::remove_file(root.layout().secret("secret_key")).unwrap();
        root.write("mailu.env", &env.replace(&line, now));
        let there = root.snapshot();
        for verb in [&["apply"][..], &["plan"], &["apply", "--force"]] {
            let run = root.run(verb).expect_code(2);
            assert!(
                run.err
                    .contains("secrets/mailu/mail.example.com/secret_key")
                    && run.err.contains("backup")
                    && run.err.contains("--reset SECRET_KEY")
                    && run.err.contains("--adopt SECRET_KEY") == adoptable
                    && !run.err.contains("EDITED"),
                "{}",
                run.err
            );
        }
        root.snapshot().assert_same(&there, "nothing changes");
        root.write("mailu.env", &env);
        root.run(&["apply"]).expect_code(0);
    }
    std::fs::remove_file(root.layout().secret("secret_key")).unwrap();
    root.write("mailu.env", &env.replace(&line, ""));
    root.run(&["apply", "--reset", "SECRET_KEY"]).expect_code(0);
    let drawn = std::fs::read_to_string(root.layout().secret("secret_key")).unwrap();
    assert_ne!(drawn, key);
    assert!(root.read("mailu.env").contains(drawn.trim()));
    assert!(
        root.run(&["apply"])
            .expect_code(0)
            .out
            .contains("nothing to do")
    );
}

/// Where a file lies, whose it is and who may read it are decisions of people.
#[test]
fn links_owners_and_stricter_modes_stay() {
    let root = Root::new();
    root.install();
    let elsewhere = root.path().join("etc");
    std::fs::create_dir(&elsewhere).unwrap();
    let files = [
        ("mailu.toml", 0o600, 0o600),
        ("mailu.env", 0o644, 0o600),
        (".env", 0o664, 0o644),
        ("docker-compose.yml", 0o640, 0o640),
    ];
    let privileged = std::fs::metadata("/proc/self").unwrap().uid() == 0;
    for (name, bits, _) in files {
        let target = elsewhere.join(name);
        std::fs::rename(root.file(name), &target).unwrap();
        std::fs::set_permissions(&target, std::fs::Permissions::from_mode(bits)).unwrap();
        if privileged {
            std::os::unix::fs::chown(&target, Some(1234), Some(1235)).unwrap();
        }
        let link = if name == ".env" {
            std::path::Path::new("../../etc/.env")
        } else {
            &target
        };
        std::os::unix::fs::symlink(link, root.file(name)).unwrap();
    }
    let settings = [
        "config",
        "set",
        "limits.quota=5GB",
        "services.webdav=true",
        "project=other",
    ];
    root.run(&settings).expect_code(0);
    root.run(&["apply"]).expect_code(0);
    for (name, _, bits) in files {
        assert!(root.file(name).is_symlink(), "{name}");
        let target = elsewhere.join(name);
        assert_eq!(mode(&target), bits, "{name}");
        if privileged {
            let metadata = std::fs::metadata(&target).unwrap();
            assert_eq!((metadata.uid(), metadata.gid()), (1234, 1235), "{name}");
        }
    }
    for (name, text) in [
        ("mailu.toml", "5GB"),
        ("mailu.env", "DEFAULT_QUOTA=5000000000"),
        (".env", "COMPOSE_PROJECT_NAME=other"),
        ("docker-compose.yml", "radicale"),
    ] {
        assert!(
            std::fs::read_to_string(elsewhere.join(name))
                .unwrap()
                .contains(text),
            "{name}"
        );
    }
    assert_eq!(files_below(&elsewhere).len(), files.len());
    assert!(
        root.run(&["apply"])
            .expect_code(0)
            .out
            .contains("nothing to do")
    );

    // Among the containers' data a link may be anybody's: it is replaced, and what it leads to stays.
    let key = root.beside("key", "theirs");
    for file in ["data/certs/key.pem", "data/certs/cert.pem"] {
        std::fs::remove_file(root.file(file)).unwrap();
    }
    let pair = rcgen::generate_simple_self_signed(vec!["mail.example.com".to_owned()]).unwrap();
    let path = |name: &str, text: String| root.beside(name, &text).display().to_string();
    let (certificate, own) = (
        path("own.pem", pair.cert.pem()),
        path("own.key", pair.signing_key.serialize_pem()),
    );
    std::os::unix::fs::symlink(&key, root.file("data/certs/key.pem")).unwrap();
    root.run(&[
        "config",
        "set",
        "tls.mode=cert",
        &format!("tls.certificate={certificate}"),
        &format!("tls.key={own}"),
    ])
    .expect_code(0);
    root.run(&["apply"]).expect_code(0);
    assert!(!root.file("data/certs/key.pem").is_symlink());
    assert_eq!(std::fs::read_to_string(&key).unwrap(), "theirs");
}

#[test]
fn zones_keep_their_serial_until_they_change() {
    let root = Root::new();
    root.install();
    let serial = || {
        root.read("dns/example.com.zone")
            .split("; serial ")
            .nth(1)
            .unwrap()
            .lines()
            .next()
            .unwrap()
            .to_owned()
    };
    assert_eq!(serial(), "1");
    root.run(&["config", "set", "services.webdav", "true"])
        .expect_code(0);
    root.run(&["apply"]).expect_code(0);
    assert_eq!(serial(), "2");
    root.run(&["config", "set", "limits.quota", "1GB"])
        .expect_code(0);
    root.run(&["apply"]).expect_code(0);
    assert_eq!(serial(), "2");
    // A domain more, and gone again with its files.
    root.run(&["config", "set", "email_domains", "example.org"])
        .expect_code(0);
    root.run(&["apply"]).expect_code(0);
    assert!(
        root.file("dns/example.org.zone").exists()
            && root.file("data/dkim/example.org.dkim.key").exists()
    );
    root.run(&["config", "unset", "email_domains"])
        .expect_code(0);
    root.run(&["apply"]).expect_code(0);
    assert!(!root.file("dns/example.org.zone").exists());
    assert!(
        root.file("data/dkim/example.org.dkim.key").exists(),
        "a key is never removed"
    );
}

#[test]
fn another_tools_directory_is_not_touched() {
    for file in ["mailu.env", "docker-compose.yml", "data/main.db"] {
        let root = Root::new();
        std::fs::create_dir_all(root.file("data")).unwrap();
        root.write(file, "theirs");
        let before = root.snapshot();
        let run = root.run(&[
            "install",
            "--no-start",
            "--domain",
            "mail.example.com",
            "--email-domain",
            "example.com",
            "--admin-email",
            "admin@example.com",
        ]);
        assert_eq!(run.code, 2, "{file}");
        assert!(
            run.err.contains(file) && run.err.contains("did not make"),
            "{}",
            run.err
        );
        root.snapshot().assert_same(&before, "nothing changes");
    }
}

#[test]
fn a_given_file_is_merged_with_what_was_changed_since() {
    let root = Root::new();
    let file = root.beside(
        "agency.toml",
        "# our template\nmail_host = \"mail.example.com\"\nemail_domain = \"example.com\"\nadmin_email = \"admin@example.com\"\n[limits]\nquota = \"5GB\" # small\n",
    );
    let file = file.to_str().unwrap();
    let install = ["install", "--no-start", "--config", file];
    root.run(&install).expect_code(0);
    let toml = root.read("mailu.toml");
    assert!(
        toml.contains("# our template") && toml.contains("# small") && toml.contains("[network]")
    );
    assert!(
        root.run(&install)
            .expect_code(0)
            .out
            .contains("nothing to do")
    );

    // Networks that were drawn stay, whatever else the file says.
    std::fs::write(
        file,
        std::fs::read_to_string(file).unwrap().replace("5GB", "6GB"),
    )
    .unwrap();
    root.run(&install).expect_code(0);
    assert!(root.read("mailu.env").contains("DEFAULT_QUOTA=6000000000"));
    let networks = |text: &str| text[text.find("[network]").unwrap()..].to_owned();
    assert_eq!(networks(&root.read("mailu.toml")), networks(&toml));

    // Changed since, by whatever means: the same file does not undo it.
    root.edit("mailu.toml", "6GB", "7GB");
    root.run(&["config", "set", "timezone", "Europe/Berlin"])
        .expect_code(0);
    root.edit("mailu.env", "SITENAME=Mailu", "SITENAME=Bob");
    root.run(&["apply", "--adopt", "SITENAME"]).expect_code(0);
    let set = [&install[..], &["--set", "services.webdav=true"]].concat();
    root.run(&set).expect_code(0);
    let before = root.snapshot();
    let run = root.run(&install).expect_code(0);
    assert!(run.out.contains("nothing to do"), "{}", run.out);
    for kept in [
        "limits.quota = \"7GB\"",
        "timezone = \"Europe/Berlin\"",
        "web.site_name = \"Bob\"",
        "services.webdav = true",
    ] {
        assert!(run.err.contains(kept), "{kept} is not in {}", run.err);
    }
    root.snapshot().assert_same(&before, "nothing changes");

    // The file changes elsewhere: both changes count.
    let text = std::fs::read_to_string(file).unwrap();
    std::fs::write(file, format!("{text}messages = \"300/day\"\n")).unwrap();
    root.run(&install).expect_code(0);
    let toml = root.read("mailu.toml");
    assert!(toml.contains("7GB") && toml.contains("300/day") && toml.contains("# small"));
    assert!(
        root.run(&install)
            .expect_code(0)
            .out
            .contains("nothing to do")
    );

    // Both changed one key: somebody chooses.
    let text = std::fs::read_to_string(file).unwrap();
    std::fs::write(file, text.replace("6GB", "8GB")).unwrap();
    let before = root.snapshot();
    let run = root.run(&install).expect_code(1);
    for text in [
        "mailu.toml limits.quota: there is `\"7GB\"`, wanted is `\"8GB\"`, written last was `\"6GB\"`",
        "--reset limits.quota",
        "--adopt limits.quota",
        "--force",
    ] {
        assert!(run.err.contains(text), "{text} is not in {}", run.err);
    }
    let json = root
        .run(&[&["--json"], &install[..]].concat())
        .expect_code(1)
        .json();
    assert_eq!(json["plan"]["conflicts"][0]["name"], "limits.quota");
    root.snapshot().assert_same(&before, "nothing changes");
    for (choice, value) in [("--adopt", "7GB"), ("--reset", "8GB")] {
        root.run(&[&install[..], &[choice, "limits.quota"]].concat())
            .expect_code(0);
        assert!(root.read("mailu.toml").contains(value), "{choice}");
        let run = root.run(&install).expect_code(0);
        assert!(run.out.contains("nothing to do") && !run.err.contains("unknown"));
    }

    // The whole file, with a copy of the other.
    let forced = [&install[..], &["--force"]].concat();
    root.run(&forced).expect_code(0);
    let toml = root.read("mailu.toml");
    assert!(toml.contains("8GB") && !toml.contains("Berlin") && !toml.contains("Bob"));
    assert!(root.replaced("mailu.toml")[0].contains("Berlin"));
    assert!(
        root.run(&forced)
            .expect_code(0)
            .out
            .contains("nothing to do")
    );
    assert_eq!(networks_of(&toml), networks_of(&root.read("mailu.toml")));
}

fn networks_of(toml: &str) -> Vec<String> {
    let table: toml::Table = toml.parse().unwrap();
    table["network"]
        .as_table()
        .unwrap()
        .iter()
        .map(|(key, value)| format!("{key} = {value}"))
        .collect()
}

/// A file that is given for the first time to what flags have made.
#[test]
fn a_first_file_does_not_undo_what_flags_have_set() {
    let root = Root::new();
    root.install();
    root.run(&["config", "set", "limits.quota=3GB", "services.webdav=true"])
        .expect_code(0);
    root.run(&["apply"]).expect_code(0);
    let file = root.beside(
        "agency.toml",
        "mail_host = \"mail.example.com\"\nemail_domain = \"example.com\"\nadmin_email = \"admin@example.com\"\ntimezone = \"Europe/Paris\"\n[limits]\nquota = \"4GB\"\n",
    );
    let install = ["install", "--no-start", "--config", file.to_str().unwrap()];
    let run = root.run(&install).expect_code(1);
    assert!(
        run.err.contains("limits.quota") && !run.err.contains("conflict: mailu.toml services"),
        "{}",
        run.err
    );
    root.run(&[&install[..], &["--reset", "limits.quota"]].concat())
        .expect_code(0);
    let toml = root.read("mailu.toml");
    for text in ["4GB", "Paris", "webdav = true"] {
        assert!(toml.contains(text), "{text} is not in {toml}");
    }
}

/// What was drawn for a switch goes with it; what somebody wrote stays to be refused.
#[test]
fn what_was_drawn_for_what_is_switched_off_goes_with_it() {
    let root = Root::new();
    root.install();
    let first = root.read("mailu.toml");
    root.run(&["config", "set", "network.ipv6", "true"])
        .expect_code(0);
    root.run(&["apply"]).expect_code(0);
    assert!(root.read("mailu.toml").contains("subnet6 = \""));
    let run = root
        .run(&["config", "set", "network.ipv6", "false"])
        .expect_code(0);
    assert!(run.err.contains("network.subnet6"), "{}", run.err);
    root.run(&["apply"]).expect_code(0);
    assert!(!root.read("mailu.toml").contains("subnet6"));
    assert!(!root.read("mailu.env").contains("SUBNET6"));
    assert!(
        root.run(&["apply"])
            .expect_code(0)
            .out
            .contains("nothing to do")
    );

    // By hand, too.
    root.edit("mailu.toml", "ipv6 = false", "ipv6 = true");
    root.run(&["apply"]).expect_code(0);
    root.edit("mailu.toml", "ipv6 = true", "ipv6 = false");
    root.run(&["apply"]).expect_code(0);
    assert!(!root.read("mailu.toml").contains("subnet6"));
    root.run(&[
        "config",
        "set",
        "network.ipv6=true",
        "network.subnet6=fd00:1::/64",
    ])
    .expect_code(0);
    root.run(&["apply"]).expect_code(0);
    let run = root
        .run(&["config", "set", "network.ipv6", "false"])
        .expect_code(2);
    assert!(run.err.contains("network.subnet6_unused"), "{}", run.err);
    root.run(&["config", "unset", "network.ipv6", "network.subnet6"])
        .expect_code(0);

    // Traefik's network of our own making, until there is another.
    let drawn = |toml: &str| toml.contains("[traefik]\nsubnet") && toml.contains("\naddress = ");
    assert!(drawn(&first));
    for settings in [
        &["traefik.network=agency", "traefik.trusted=172.20.0.5/32"][..],
        &["tls.mode=cert"],
    ] {
        root.run(
            &[
                &["install", "--no-start", "--domain", "mail.example.com"],
                &settings
                    .iter()
                    .flat_map(|s| ["--set", s])
                    .collect::<Vec<_>>()[..],
            ]
            .concat(),
        )
        .expect_code(0);
        let toml = root.read("mailu.toml");
        assert!(
            !toml.contains("address = ") && !toml.contains("10.203.255"),
            "{toml}"
        );
        assert!(
            root.run(&["apply"])
                .expect_code(0)
                .out
                .contains("nothing to do")
        );
        let keys: Vec<_> = settings
            .iter()
            .map(|s| s.split('=').next().unwrap())
            .collect();
        root.run(&[&["config", "unset"], &keys[..]].concat())
            .expect_code(0);
        root.run(&["apply"]).expect_code(0);
        assert!(root.read("mailu.toml").contains("address = "));
    }
}

/// Ours, though without its mailu.toml: nothing is guessed, and what was drawn is not drawn again.
#[test]
fn a_lost_mailu_toml_is_named_and_can_be_given_anew() {
    let root = Root::new();
    root.run(&[
        "install",
        "--no-start",
        "--domain",
        "mail.example.com",
        "--email-domain",
        "example.com",
        "--admin-email",
        "admin@example.com",
        "--set",
        "network.ipv6=true",
    ])
    .expect_code(0);
    let toml = root.read("mailu.toml");
    let before = root.snapshot();
    let file = root.beside("agency.toml", &format!("{SMALL}[network]\nipv6 = true\n"));
    let given = [
        "install",
        "--no-start",
        "--domain",
        "mail.example.com",
        "--config",
        file.to_str().unwrap(),
    ];
    let flags = [
        "install",
        "--no-start",
        "--domain",
        "mail.example.com",
        "--email-domain",
        "example.com",
        "--admin-email",
        "admin@example.com",
        "--set",
        "network.ipv6=true",
    ];
    for install in [&given[..], &flags] {
        std::fs::remove_file(root.file("mailu.toml")).unwrap();
        for verb in [
            &["apply"][..],
            &["plan", "--domain", "mail.example.com"],
            &["show"],
            &["install", "--no-start", "--domain", "mail.example.com"],
        ] {
            let run = root.run(verb).expect_code(2);
            assert!(
                run.err.contains("mailu.toml: it is gone")
                    && run.err.contains("backup")
                    && run
                        .err
                        .contains("`mailu install --domain mail.example.com --config FILE`"),
                "{verb:?}: {}",
                run.err
            );
        }
        // Others hear that its networks are not known.
        let other = root.run(&[
            "install",
            "--dry-run",
            "--domain",
            "mail.two.com",
            "--email-domain",
            "two.com",
            "--admin-email",
            "admin@two.com",
        ]);
        assert!(other.err.contains("fleet.lost"), "{}", other.err);
        let run = root.run(install).expect_code(0);
        assert!(run.err.contains("config.rebuilt"), "{}", run.err);
        assert_eq!(
            networks_of(&root.read("mailu.toml")).len(),
            networks_of(&toml).len()
        );
        let mut after = root.snapshot();
        for name in ["mailu.toml", ".mailu/rendered.json"] {
            let name = format!("mailu/mail.example.com/{name}");
            after.0.insert(name.clone(), before.0[&name].clone());
        }
        after.assert_same(&before, "all else is as it was");
        assert!(
            root.run(install)
                .expect_code(0)
                .out
                .contains("nothing to do")
        );
    }
}

#[test]
fn flags_write_into_the_file() {
    let root = Root::new();
    root.install();
    root.run(&[
        "install",
        "--no-start",
        "--domain",
        "mail.example.com",
        "--set",
        "limits.quota=3GB",
        "--set",
        "hostnames=webmail.example.com,mx.example.com",
    ])
    .expect_code(0);
    let toml = root.read("mailu.toml");
    assert!(
        toml.contains("quota = \"3GB\"")
            && toml.contains("hostnames = [\"webmail.example.com\", \"mx.example.com\"]"),
        "{toml}"
    );
    assert!(
        root.read("mailu.env")
            .contains("HOSTNAMES=mail.example.com,webmail.example.com,mx.example.com")
    );
}

#[test]
fn passwords_come_by_file_input_or_environment() {
    let root = Root::new();
    let file = root.beside("password", "correct horse battery\n");
    let base = [
        "install",
        "--no-start",
        "--domain",
        "mail.example.com",
        "--email-domain",
        "example.com",
        "--admin-email",
        "admin@example.com",
    ];
    let run = root
        .run(
            &[
                &base[..],
                &["--admin-password-file", file.to_str().unwrap()],
            ]
            .concat(),
        )
        .expect_code(0);
    assert!(!run.err.contains("argv"));
    let stored = || std::fs::read_to_string(root.layout().secret("admin_password")).unwrap();
    assert_eq!(stored(), "correct horse battery\n");
    let revealed = root
        .run_revealing(&["show", "--reveal", "admin_password"])
        .expect_code(0);
    assert_eq!(revealed.out, "correct horse battery\n");
    // Not started yet: it may still be replaced. Once there is a database, it may not.
    let mut command = root.command(&base);
    let output = command
        .env("MAILU_ADMIN_PASSWORD", "from the environment")
        .output()
        .unwrap();
    assert!(output.status.success());
    assert_eq!(stored(), "from the environment\n");
    root.write("data/admin/main.db", "");
    let run = root
        .run(&[&base[..], &["--admin-password", "yet another one"]].concat())
        .expect_code(2);
    assert!(run.err.contains("--admin-password-file"), "{}", run.err);
    assert!(!run.err.contains("yet another one"));
    assert_eq!(stored(), "from the environment\n");
}

/// What the summary tells a person to do next, and the document that makes the first account.
#[test]
fn the_summary_says_what_is_left_to_do() {
    let root = Root::new();
    let run = root.install();
    let next: Vec<&str> = run.out.split("\nNext\n").nth(1).unwrap().lines().collect();
    assert_eq!(next.len(), 6, "{next:?}");
    assert!(next[1].contains("--gateway 10.203.255.1 --ip-range 10.203.255.64/26 mailu_proxy"));
    let directory = root.file("").display().to_string();
    assert!(
        next[3].contains(directory.trim_end_matches('/'))
            && next[3].ends_with("docker compose up -d")
    );
    let (ours, theirs) = next[5].trim().split_once(" | ").unwrap();
    assert_eq!(
        theirs,
        "docker compose exec -T admin flask mailu config-import -u"
    );
    let args: Vec<&str> = ours.strip_prefix("mailu ").unwrap().split(' ').collect();
    let document = root.run_revealing(&args).expect_code(0).json();
    let password = std::fs::read_to_string(root.layout().secret("admin_password")).unwrap();
    assert_eq!(
        document,
        serde_json::json!({
            "domain": [{ "name": "example.com" }],
            "user": [{
                "email": "admin@example.com",
                "password": password.trim_end(),
                "hash_password": true,
                "global_admin": true,
            }],
        })
    );
    // Once admin has run, there is nothing left.
    root.write("data/admin/main.db", "");
    assert!(!root.install().out.contains("docker compose"));
}

/// Docker keeps the addresses of a network in use, and containers of a project by its old name.
#[test]
fn changes_that_docker_does_not_make_by_itself_are_said() {
    let root = Root::new();
    root.install();
    root.run(&["config", "set", "limits.quota=5GB", "services.webdav=true"])
        .expect_code(0);
    // A network that is only added needs nothing.
    let added = root.run(&["apply"]).expect_code(0);
    assert!(!added.err.contains("take_down_first"), "{}", added.err);
    root.run(&["config", "set", "network.webmail=10.99.0.0/28"])
        .expect_code(0);
    let moved = root.run(&["apply"]).expect_code(0);
    assert!(
        moved.err.contains("docker compose -p mailu down"),
        "{}",
        moved.err
    );
    root.run(&["config", "set", "project=mailu_two"])
        .expect_code(0);
    let renamed = root.run(&["apply"]).expect_code(0);
    assert!(
        renamed.err.contains("docker compose -p mailu down"),
        "{}",
        renamed.err
    );
    assert!(!root.run(&["apply"]).expect_code(0).err.contains("down"));
}

#[test]
fn a_relay_needs_its_password() {
    let root = Root::new();
    root.install();
    root.run(&[
        "config",
        "set",
        "relay.host=[smtp.example.net]:587",
        "relay.user=agency",
    ])
    .expect_code(0);
    let before = root.snapshot();
    let run = root.run(&["apply"]).expect_code(2);
    assert!(
        run.err.contains("--relay-password-file") && run.err.contains("relay_password"),
        "{}",
        run.err
    );
    root.snapshot().assert_same(&before, "nothing changes");
    let file = root.beside("relay", "it's $5 # \"x\"\n");
    root.run(&[
        "install",
        "--no-start",
        "--domain",
        "mail.example.com",
        "--relay-password-file",
        file.to_str().unwrap(),
    ])
    .expect_code(0);
    let env = mailu_core::env::EnvFile::parse(&root.read("mailu.env")).unwrap();
    assert_eq!(env.get("RELAYPASSWORD").unwrap().text, "it's $5 # \"x\"");
    // Lost, it comes back from there; lost in both places, it can only be given again.
    let stored = root.layout().secret("relay_password");
    std::fs::remove_file(&stored).unwrap();
    root.run(&["apply"]).expect_code(0);
    assert_eq!(
        std::fs::read_to_string(&stored).unwrap(),
        "it's $5 # \"x\"\n"
    );
    std::fs::remove_file(&stored).unwrap();
    std::fs::remove_file(root.file("mailu.env")).unwrap();
    let run = root.run(&["apply"]).expect_code(2);
    assert!(
        run.err
            .contains("`mailu install --domain mail.example.com --relay-password-file FILE`"),
        "{}",
        run.err
    );
}

#[test]
fn your_own_certificate_is_checked_and_copied() {
    let root = Root::new();
    let directory = tempfile::tempdir().unwrap();
    let make = |name: &str, until: i32, host: &str| {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec![host.to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(until, 1, 1);
        let path = |suffix: &str, text: String| {
            let path = directory.path().join(format!("{name}.{suffix}"));
            std::fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let certificate = params.self_signed(&key).unwrap().pem();
        (path("pem", certificate), path("key", key.serialize_pem()))
    };
    let good = make("good", 2099, "mail.example.com");
    let wildcard = make("wildcard", 2099, "*.example.com");
    let other = make("other", 2099, "www.example.org");
    let expired = make("expired", 2021, "mail.example.com");
    let install = |(cert, key): (&str, &str)| {
        root.run(&[
            "install",
            "--no-start",
            "--domain",
            "mail.example.com",
            "--email-domain",
            "example.com",
            "--admin-email",
            "admin@example.com",
            "--set",
            "tls.mode=cert",
            "--set",
            &format!("tls.certificate={cert}"),
            "--set",
            &format!("tls.key={key}"),
        ])
    };
    for ((cert, key), id) in [
        ((other.0.as_str(), other.1.as_str()), "certificate.name"),
        ((&good.0, &other.1), "certificate.other_key"),
        ((&expired.0, &expired.1), "certificate.expired"),
        ((&good.1, &good.1), "certificate.unreadable"),
        ((&good.0, &good.0), "certificate.key_unreadable"),
        (("/nowhere/cert.pem", &good.1), "/nowhere/cert.pem"),
    ] {
        let run = install((cert, key)).expect_code(2);
        assert!(run.err.contains(id), "{id} is not in {}", run.err);
        assert!(!root.path().exists(), "{id}");
    }
    install((&good.0, &good.1)).expect_code(0);
    assert!(root.read("data/certs/cert.pem") == std::fs::read_to_string(&good.0).unwrap());
    assert!(root.read("data/certs/key.pem") == std::fs::read_to_string(&good.1).unwrap());
    assert!(
        root.run(&["apply"])
            .expect_code(0)
            .out
            .contains("nothing to do")
    );
    // Renewed: the next run copies it.
    install((&wildcard.0, &wildcard.1)).expect_code(0);
    assert!(root.read("data/certs/cert.pem") == std::fs::read_to_string(&wildcard.0).unwrap());
    assert_eq!(mode(&root.file("data/certs/key.pem")), 0o600);
}

/// An ended certificate that is in use keeps nobody from changing something else.
#[test]
fn a_certificate_that_ended_while_in_use_is_a_warning() {
    let root = Root::new();
    let own = |until: i32| {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params =
            rcgen::CertificateParams::new(vec!["mail.example.com".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(until, 1, 1);
        let certificate = params.self_signed(&key).unwrap().pem();
        (
            root.beside("own.pem", &certificate),
            root.beside("own.key", &key.serialize_pem()),
        )
    };
    let (certificate, key) = own(2099);
    root.install();
    root.run(&[
        "config",
        "set",
        "tls.mode=cert",
        &format!("tls.certificate={}", certificate.display()),
        &format!("tls.key={}", key.display()),
    ])
    .expect_code(0);
    root.run(&["apply"]).expect_code(0);
    // Another one that has ended already is refused.
    own(2021);
    let run = root.run(&["apply"]).expect_code(2);
    assert!(run.err.contains("certificate.expired"), "{}", run.err);
    // Time passes.
    for (from, to) in [(&certificate, "cert.pem"), (&key, "key.pem")] {
        std::fs::copy(from, root.file("data/certs").join(to)).unwrap();
    }
    root.run(&["config", "set", "limits.quota", "5GB"])
        .expect_code(0);
    let run = root.run(&["apply"]).expect_code(0);
    assert!(
        run.err.contains("warning:") && run.err.contains("certificate.expired"),
        "{}",
        run.err
    );
    assert!(root.read("mailu.env").contains("DEFAULT_QUOTA=5000000000"));
}

/// As OpenSSL has written them over the years; nginx, Dovecot and Postfix read all.
#[test]
fn private_keys_in_all_forms_are_accepted() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let openssl = |args: &[&str]| succeed(Command::new(tool("openssl")).args(args));
    openssl(&["genrsa", "-traditional", "-out", &path("pkcs1"), "2048"]);
    openssl(&[
        "ecparam",
        "-name",
        "prime256v1",
        "-genkey",
        "-out",
        &path("sec1"),
    ]);
    openssl(&[
        "ecparam",
        "-name",
        "secp384r1",
        "-genkey",
        "-noout",
        "-out",
        &path("sec1-384"),
    ]);
    openssl(&[
        "genpkey",
        "-algorithm",
        "EC",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-out",
        &path("pkcs8"),
    ]);
    let forms = [
        ("pkcs1", "BEGIN RSA PRIVATE KEY"),
        ("sec1", "BEGIN EC PRIVATE KEY"),
        ("sec1-384", "BEGIN EC PRIVATE KEY"),
        ("pkcs8", "BEGIN PRIVATE KEY"),
    ];
    let install = |certificate: &str, key: &str| {
        let root = Root::new();
        let run = root.run(&[
            "install",
            "--no-start",
            "--domain",
            "mail.example.com",
            "--email-domain",
            "example.com",
            "--admin-email",
            "admin@example.com",
            "--set",
            "tls.mode=cert",
            "--set",
            &format!("tls.certificate={}", path(certificate)),
            "--set",
            &format!("tls.key={}", path(key)),
        ]);
        (run, root)
    };
    for (key, head) in forms {
        let text = std::fs::read_to_string(path(key)).unwrap();
        assert!(text.contains(head), "{key}");
        let pem = format!("{key}.pem");
        openssl(&[
            "req",
            "-x509",
            "-key",
            &path(key),
            "-subj",
            "/CN=mail.example.com",
            "-addext",
            "subjectAltName=DNS:mail.example.com",
            "-days",
            "3650",
            "-out",
            &path(&pem),
        ]);
        let (run, root) = install(&pem, key);
        run.expect_code(0);
        assert!(root.read("data/certs/key.pem") == text, "{key}");
    }
    for (key, _) in forms {
        let other = if key == "sec1" { "pkcs8" } else { "sec1" };
        let run = install(&format!("{other}.pem"), key).0.expect_code(2);
        assert!(
            run.err.contains("certificate.other_key"),
            "{key}: {}",
            run.err
        );
    }
    openssl(&[
        "rsa",
        "-in",
        &path("pkcs1"),
        "-aes128",
        "-passout",
        "pass:x",
        "-traditional",
        "-out",
        &path("locked"),
    ]);
    let run = install("pkcs1.pem", "locked").0.expect_code(2);
    assert!(run.err.contains("without a passphrase"), "{}", run.err);
}

/// One after the other although they start at once, and never the same network twice.
#[test]
fn installations_at_the_same_time_do_not_get_in_each_others_way() {
    let root = Root::new();
    let children: Vec<_> = (0..6)
        .map(|n| {
            root.command(&[
                "install",
                "--no-start",
                "--domain",
                &format!("mail.example{n}.com"),
                "--email-domain",
                &format!("example{n}.com"),
                "--admin-email",
                &format!("admin@example{n}.com"),
                "--client-id",
                &format!("client{n}"),
                "--set",
                "ports.via=published",
                "--set",
                &format!("ports.address=127.0.0.{}", n + 2),
            ])
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap()
        })
        .collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let json = root.run(&["--json", "list"]).json();
    assert_eq!(json.as_array().unwrap().len(), 6);
    let mut subnets: Vec<String> = files_below(&root.path().join("mailu"))
        .into_iter()
        .filter(|path| path.ends_with("mailu.env"))
        .map(|path| {
            std::fs::read_to_string(path)
                .unwrap()
                .lines()
                .find(|l| l.starts_with("SUBNET="))
                .unwrap()
                .to_owned()
        })
        .collect();
    subnets.sort();
    subnets.dedup();
    assert_eq!(subnets.len(), 6);
}
