//! What is given in files and flags, and what is drawn, come together in `mailu.toml`.

use crate::support::{INSTALL, Root};

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

/// Comments are somebody's work as well as values are.
#[test]
fn a_given_file_leaves_comments_where_they_are() {
    let root = Root::new();
    let template = format!(
        "# template\n{}[limits]\nquota = \"5GB\"\n",
        crate::support::SMALL
    );
    let file = root.beside("agency.toml", &template);
    let give = |text: &str, more: &[&str]| {
        std::fs::write(&file, text).unwrap();
        let install = ["install", "--no-start", "--config", file.to_str().unwrap()];
        root.run(&[&install[..], more].concat()).expect_code(0)
    };
    give(&template, &[]);
    // Nobody's remarks: the file comes with its own.
    give(&template.replace("# template", "# second template"), &[]);
    assert!(root.read("mailu.toml").starts_with("# second template\n"));

    root.edit(
        "mailu.toml",
        "quota = \"5GB\"",
        "quota = \"5GB\" # ticket 4711",
    );
    let toml = format!("{}# the end\n", root.read("mailu.toml"));
    root.write("mailu.toml", &toml);
    for quota in ["6GB", "7GB"] {
        give(&template.replace("5GB", quota), &[]);
        assert_eq!(root.read("mailu.toml"), toml.replace("5GB", quota));
        let again = give(&template.replace("5GB", quota), &[]);
        assert!(again.out.contains("nothing to do"), "{}", again.out);
    }
    assert_eq!(root.replaced("mailu.toml").len(), 0);

    // What cannot stay is kept as a copy: the remark of a key that goes, and all of them with the whole file.
    give(&template.replace("quota = \"5GB\"\n", ""), &[]);
    let now = root.read("mailu.toml");
    assert!(!now.contains("4711") && now.contains("# the end"), "{now}");
    assert_eq!(root.replaced("mailu.toml"), [toml.replace("5GB", "7GB")]);
    give(&template, &["--force"]);
    assert!(!root.read("mailu.toml").contains("# the end"));
    assert!(root.replaced("mailu.toml").contains(&now));
}

pub(crate) fn networks_of(toml: &str) -> Vec<String> {
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

/// A file of a client, and a flag that says there is none.
#[test]
fn a_flag_and_a_file_that_contradict_each_other_are_named() {
    let root = Root::new();
    let file = root.beside(
        "agency.toml",
        &format!("client = \"agency\"\n{}", crate::support::SMALL),
    );
    let install = ["install", "--no-start", "--config", file.to_str().unwrap()];
    let run = root
        .run(&[&install[..], &["--client-id", ""]].concat())
        .expect_code(2);
    assert!(
        run.err.contains("--client-id contradicts it")
            && run.err.contains("client = \"agency\"")
            && !run.err.contains("config.elsewhere"),
        "{}",
        run.err
    );
    assert!(!root.path().exists(), "something was written");
    root.run(&install).expect_code(0);
}

/// What is worth a warning together with a drawn value is said by the run that draws it, and once.
#[test]
fn warnings_about_drawn_values_come_at_once() {
    let root = Root::new();
    let settings = [
        "--set",
        "env.PROXY_AUTH_WHITELIST=10.203.255.64/26",
        "--set",
        "env.PROXY_AUTH_HEADER=X-Auth-Email",
    ];
    let warned = |err: &str| err.matches("env.proxy_auth_by_traefik").count();
    let first = root.install_with(&settings).expect_code(0);
    assert_eq!(warned(&first.err), 1, "{}", first.err);
    let second = root.run(&["apply"]).expect_code(0);
    assert_eq!(warned(&second.err), 1, "{}", second.err);
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
    let base = INSTALL;
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
    let revealed = root
        .run_revealing(&["--json", "show", "--reveal", "admin_password"])
        .expect_code(0)
        .json();
    assert_eq!(
        revealed,
        serde_json::json!({ "name": "admin_password", "value": "correct horse battery" })
    );
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
            .contains("install --domain mail.example.com --relay-password-file FILE`"),
        "{}",
        run.err
    );
}
