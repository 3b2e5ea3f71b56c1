//! Files that are gone: made again, restored, or asked about.

use std::os::unix::fs::PermissionsExt as _;

use crate::kill::copy;
use crate::support::{INSTALL, Root, SMALL};

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
    for key in ["data/certs/key.pem", "data/dkim/example.com.dkim.key"] {
        std::fs::set_permissions(root.file(key), std::fs::Permissions::from_mode(0o604)).unwrap();
    }
    root.run(&["apply"]).expect_code(0);
    let mut after = root.snapshot();
    let date = |text: &str| text.split("INSTALL_DATE=").next().unwrap().to_owned();
    let name = "mailu/mail.example.com/.installed_ok";
    assert_eq!(date(&after.0[name]), date(&before.0[name]));
    after.0.insert(name.to_owned(), before.0[name].clone());
    after.assert_same(&before, "everything is there again");

    // The note of a password is not the password: no other is drawn once the account may exist.
    let noted = Root::new();
    noted.install();
    noted.write("data/admin/main.db", "");
    std::fs::remove_file(noted.layout().secret("admin_password")).unwrap();
    let run = noted.run(&["apply"]).expect_code(0);
    assert!(
        run.out.contains("nothing to do") && run.err.contains("secret.note_lost"),
        "{}",
        run.err
    );
    let run = noted
        .run(&["show", "--reveal", "first_account"])
        .expect_code(2);
    assert!(run.err.contains("noted nowhere else"), "{}", run.err);
    let file = noted.beside("password", "the one that it has\n");
    let run = noted
        .install_with(&["--admin-password-file", file.to_str().unwrap()])
        .expect_code(0);
    assert!(run.err.contains("secret.only_noted"), "{}", run.err);

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
    // A self-signed pair is made anew when half of it is gone, but not over somebody's key.
    std::fs::remove_file(other.file("data/certs/cert.pem")).unwrap();
    other.run(&["apply"]).expect_code(0);
    std::fs::remove_file(other.file("data/certs/cert.pem")).unwrap();
    other.write("data/certs/key.pem", "somebody's own");
    let run = other.run(&["apply"]).expect_code(2);
    assert!(run.err.contains("cert.pem"), "{}", run.err);
    assert_eq!(other.read("data/certs/key.pem"), "somebody's own");
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

/// The copy in the record, as if an earlier version had written that.
fn forget(root: &Root) {
    let record = root.read(".mailu/rendered.json");
    let mut record: serde_json::Value = serde_json::from_str(&record).unwrap();
    assert!(record.as_object_mut().unwrap().remove("toml").is_some());
    root.write(".mailu/rendered.json", &record.to_string());
}

/// The ordinary line, or less than that, makes nothing anew with defaults.
#[test]
fn a_lost_mailu_toml_is_restored_by_an_installation() {
    let root = Root::new();
    let settings = [
        "--set",
        "email_domains=[\"example.org\"]",
        "--set",
        "project=kunde",
        "--set",
        "limits.quota=3GB",
    ];
    root.install_with(&settings).expect_code(0);
    // By hand, with what only people read.
    root.edit("mailu.toml", "3GB\"", "4GB\" # ticket 4711");
    root.run(&["apply"]).expect_code(0);
    let (before, toml) = (root.snapshot(), root.read("mailu.toml"));
    let short = ["install", "--no-start", "--domain", "mail.example.com"];
    for install in [&INSTALL[..], &short] {
        std::fs::remove_file(root.file("mailu.toml")).unwrap();
        let there = root.snapshot();
        for verb in ["apply", "plan", "show"] {
            let run = root.run(&[verb]).expect_code(2);
            assert!(
                run.err.contains("mailu.toml: it is gone")
                    && run
                        .err
                        .contains("install --domain mail.example.com --no-start`"),
                "{}",
                run.err
            );
        }
        let dry = [install, &["--dry-run"]].concat();
        let run = root.run(&dry).expect_code(0);
        assert!(run.err.contains("config.restored"), "{}", run.err);
        root.snapshot().assert_same(&there, "nothing changes");
        let run = root.run(install).expect_code(0);
        assert!(
            run.err.contains("config.restored") && run.err.contains("changed in it since then"),
            "{}",
            run.err
        );
        // The record now has it as our own work.
        let mut after = root.snapshot();
        let record = "mailu/mail.example.com/.mailu/rendered.json";
        after.0.insert(record.to_owned(), before.0[record].clone());
        after.assert_same(&before, "restored");
        let run = root.run(install).expect_code(0);
        assert!(
            run.out.contains("nothing to do") && !run.err.contains("config.restored"),
            "{}",
            run.err
        );
    }

    // A file that is given is merged with it, and counts alone where that is asked for.
    let file = root.beside("agency.toml", SMALL);
    let given = [&short[..], &["--config", file.to_str().unwrap()]].concat();
    std::fs::remove_file(root.file("mailu.toml")).unwrap();
    let run = root.run(&given).expect_code(0);
    assert!(
        run.err.contains("config.restored") && run.err.contains("project = \"kunde\""),
        "{}",
        run.err
    );
    assert_eq!(root.read("mailu.toml"), toml);
    let other = Root::new();
    copy(&root.path(), &other.path());
    std::fs::remove_file(other.file("mailu.toml")).unwrap();
    let run = other.run(&[&given[..], &["--force"]].concat());
    assert!(
        run.err.contains("config.rebuilt") && !other.read("mailu.toml").contains("kunde"),
        "{}",
        run.err
    );

    // What the line itself says counts.
    std::fs::remove_file(root.file("mailu.toml")).unwrap();
    root.install_with(&["--set", "limits.quota=5GB"])
        .expect_code(0);
    let toml = root.read("mailu.toml");
    assert!(
        toml.contains("quota = \"5GB\" # ticket 4711") && toml.contains("kunde"),
        "{toml}"
    );
    // A remark alone is in the copy, too.
    root.write("mailu.toml", &format!("{toml}# the end\n"));
    root.run(&["apply"]).expect_code(0);
    std::fs::remove_file(root.file("mailu.toml")).unwrap();
    root.install();
    assert_eq!(root.read("mailu.toml"), format!("{toml}# the end\n"));
}

/// Ours, though without its mailu.toml and the copy of it: nothing is guessed, and what was drawn is not drawn again.
#[test]
fn a_lost_mailu_toml_is_named_and_can_be_given_anew() {
    let root = Root::new();
    root.install_with(&["--set", "network.ipv6=true"])
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
    let flags = [&INSTALL[..], &["--set", "network.ipv6=true"]].concat();
    let forced = [&flags[..], &["--force"]].concat();
    for install in [&given[..], &forced] {
        std::fs::remove_file(root.file("mailu.toml")).unwrap();
        forget(&root);
        for verb in [
            &["apply"][..],
            &["plan", "--domain", "mail.example.com"],
            &["show"],
            &["install", "--no-start", "--domain", "mail.example.com"],
            &flags,
        ] {
            let run = root.run(verb).expect_code(2);
            assert!(
                run.err.contains("mailu.toml: it is gone")
                    && run.err.contains("backup")
                    && run
                        .err
                        .contains("install --domain mail.example.com --config FILE`")
                    && !run.err.contains("last finished run"),
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
            crate::settings::networks_of(&root.read("mailu.toml")).len(),
            crate::settings::networks_of(&toml).len()
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
fn another_tools_directory_is_not_touched() {
    for file in ["mailu.env", "docker-compose.yml", "data/main.db"] {
        let root = Root::new();
        std::fs::create_dir_all(root.file("data")).unwrap();
        root.write(file, "theirs");
        let before = root.snapshot();
        let run = root.install_with(&[]);
        assert_eq!(run.code, 2, "{file}");
        assert!(
            run.err.contains(file) && run.err.contains("did not make"),
            "{}",
            run.err
        );
        root.snapshot().assert_same(&before, "nothing changes");
    }
}
