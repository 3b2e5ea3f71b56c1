//! Edits of generated files: they survive, or are refused or reported with what to type.

use serde_json::Value;

use crate::support::{Root, SMALL, files_below, mode, typed};

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
            .contains("install --domain mail.example.com --relay-password-file FILE`"),
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
        " config set --domain mail.two.com --client-id one ports.via=published ports.address=ADDRESS`",
        "`--set ports.via=published --set ports.address=ADDRESS`",
        " config set --domain mail.two.com --client-id one traefik.entrypoints.smtp=NAME`",
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
        .split('`')
        .find(|command| command.starts_with("mailu "))
        .unwrap();
    typed(&command.replace("ADDRESS", "127.0.0.9")).expect_code(0);
    root.run(&apply).expect_code(0);
}

/// With a root of its own whose name has a space, and two deployments: word for word, in a shell.
#[test]
fn printed_commands_succeed_as_they_are_printed() {
    let root = Root::called("two words");
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
        "one",
        "--set",
        "ports.mail=465,993",
    ])
    .expect_code(0);
    let run = root.install();
    let password = std::fs::read_to_string(root.layout().secret("admin_password")).unwrap();
    let command = |text: &str, verb: &str| -> String {
        let found = text
            .split(['`', '"'])
            .find(|part| part.starts_with("mailu ") && part.contains(verb));
        found
            .unwrap_or_else(|| panic!("no `{verb}` in {text}"))
            .to_owned()
    };
    let revealed = typed(&command(&run.out, "--reveal admin_password"));
    assert_eq!(revealed.expect_code(0).out.trim_end(), password.trim_end());
    let next = run.out.split("\nNext\n").nth(1).unwrap();
    let start = next.lines().nth(1).unwrap().trim();
    typed(&format!("{start} --dry-run")).expect_code(0);

    let which = ["--domain", "mail.example.com"];
    for text in [
        root.run(&[&["dns"], &which[..]].concat()).out,
        root.run(&[&["--json", "dns"], &which[..]].concat()).out,
        root.run(&[&["--json", "plan"], &which[..]].concat()).out,
    ] {
        command(
            &text,
            " config set --domain mail.example.com dns.ipv4 ADDRESS",
        );
    }
    let set = command(
        &root.run(&[&["dns"], &which[..]].concat()).out,
        "dns.ipv4 ADDRESS",
    );
    let run = typed(&set.replace("ADDRESS", "8.8.4.4")).expect_code(0);
    typed(&command(&run.err, " apply ")).expect_code(0);
    let run = root.run(
        &[
            &["config", "set", "network.webmail=10.99.0.0/28"],
            &which[..],
        ]
        .concat(),
    );
    let run = typed(&command(&run.expect_code(0).err, " apply "));
    assert!(run.err.contains("take_down_first"), "{}", run.err);
    let line = run
        .err
        .lines()
        .find(|line| line.contains(" down "))
        .unwrap();
    let change = line
        .split('`')
        .nth(1)
        .unwrap()
        .split(" && ")
        .next()
        .unwrap();
    typed(change).expect_code(0);

    // Errors and findings, as text and as JSON.
    for json in [&[][..], &["--json"]] {
        let more = [
            "config",
            "set",
            "relay.host=[smtp.example.net]:587",
            "relay.user=a",
        ];
        root.run(&[json, &more, &which].concat()).expect_code(0);
        let run = root
            .run(&[json, &["apply"], &which].concat())
            .expect_code(2);
        let text = if json.is_empty() { run.err } else { run.out };
        let file = root.beside("password", "hunter2hunter2");
        let install = command(&text, "--relay-password-file FILE")
            .replace("FILE", file.to_str().unwrap())
            + " --no-start --dry-run";
        typed(&install).expect_code(0);
        let run = root
            .run(
                &[
                    json,
                    &["apply", "--reset", "NONE"],
                    &["--domain", "mail.two.com"],
                ]
                .concat(),
            )
            .expect_code(0);
        let text = if json.is_empty() { run.err } else { run.out };
        typed(&command(&text, " plan ")).expect_code(0);
    }
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

/// Removing such a line would be the next conflict.
#[test]
fn a_line_that_mailu_needs_is_not_told_to_be_removed() {
    let root = Root::new();
    root.install();
    let text = root.read("mailu.env");
    let start = "\nSECRET_KEY=";
    let line = text
        .lines()
        .find(|line| line.starts_with(start.trim()))
        .unwrap();
    root.edit("mailu.env", line, "SECRET_KEY=short");
    let run = root.run(&["apply"]).expect_code(2);
    assert!(
        run.err.contains("`--reset SECRET_KEY`") && !run.err.contains("remove it"),
        "{}",
        run.err
    );
    root.run(&["apply", "--reset", "SECRET_KEY"]).expect_code(0);
    assert_eq!(root.read("mailu.env"), text);
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

/// Only hashes tell what we wrote into a whole file: what goes from an edited one may be anything.
#[test]
fn what_people_wrote_into_a_compose_file_is_not_shown() {
    let root = Root::new();
    root.install();
    // Not edited: both sides.
    root.run(&["config", "set", "network.webmail=10.99.0.0/28"])
        .expect_code(0);
    let run = root.run(&["plan"]).expect_code(0);
    assert!(
        run.out.contains("- - subnet: ") && run.out.contains("+ - subnet: \"10.99.0.0/28"),
        "{}",
        run.out
    );
    root.edit(
        "docker-compose.yml",
        "\nnetworks:\n",
        "\n# PASSWORD: hunter2\n# TOKEN: hunter2\nnetworks:\n",
    );
    for args in [
        &["plan", "--force"][..],
        &["--json", "plan", "--force"],
        &["plan", "--reset", "docker-compose.yml"],
        &["--json", "apply", "--reset", "docker-compose.yml"],
    ] {
        let run = root.run(args).expect_code(0);
        assert!(
            !format!("{}{}", run.out, run.err).contains("hunter2"),
            "{}",
            run.out
        );
        assert!(
            run.out.contains(" lines of the edited file (not shown)")
                && run.out.contains("+ - subnet: "),
            "{}",
            run.out
        );
    }
}

/// A password that somebody put before the name of a host is refused, and not repeated.
#[test]
fn what_stands_before_a_host_is_not_shown() {
    let root = Root::new();
    root.install();
    let hidden = |run: &crate::support::Run| {
        let text = format!("{}{}", run.out, run.err);
        assert!(
            !text.contains("hunter2") && text.contains("***@smtp.example.net"),
            "{text}"
        );
    };
    for json in [&[][..], &["--json"]] {
        let set = ["config", "set", "relay.host=user:hunter2@smtp.example.net"];
        hidden(&root.run(&[json, &set].concat()).expect_code(2));
        let text = root.read("mailu.toml");
        root.write(
            "mailu.toml",
            &format!("{text}\n[relay]\nhost = \"user:hunter2@smtp.example.net\"\n"),
        );
        hidden(&root.run(&[json, &["plan"]].concat()).expect_code(2));
        root.write("mailu.toml", &text);
        let text = root.read("mailu.env");
        root.write(
            "mailu.env",
            &format!("{text}RELAYHOST=user:hunter2@smtp.example.net\n"),
        );
        hidden(&root.run(&[json, &["plan"]].concat()).expect_code(2));
        let run = root.run(&[json, &["plan", "--reset", "RELAYHOST"]].concat());
        hidden(&run.expect_code(0));
        root.write("mailu.env", &text);
    }
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
