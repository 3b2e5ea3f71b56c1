//! Plan and perform: a deployment is complete, and the same again changes nothing.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::time::Duration;

use crate::support::{Root, files_below, mode, typed};

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

/// What the summary tells a person to do next, and the document that makes the first account.
#[test]
fn the_summary_says_what_is_left_to_do() {
    let root = Root::new();
    let run = root.install();
    let next: Vec<&str> = run.out.split("\nNext\n").nth(1).unwrap().lines().collect();
    assert_eq!(next.len(), 2, "{next:?}");
    assert!(
        next[1].ends_with("install --domain mail.example.com"),
        "{next:?}"
    );
    let ours = format!(
        "mailu --root {} show --reveal first_account",
        root.path().display()
    );
    let document = typed(&ours).expect_code(0).json();
    let password = std::fs::read_to_string(root.layout().secret("admin_password")).unwrap();
    assert_eq!(
        document,
        serde_json::json!({
            "domain": [{ "name": "example.com" }],
            "alias": [{ "email": "postmaster@example.com", "destination": ["admin@example.com"] }],
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
    assert!(!root.install().out.contains("\nNext\n"));
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

/// Only what Compose reads makes containers anew.
#[test]
fn running_containers_are_mentioned_only_where_they_are_touched() {
    let root = Root::new();
    root.install();
    let touched = || {
        let run = root.run(&["apply"]).expect_code(0);
        assert!(run.out.contains(": done"), "{}", run.out);
        run.err.contains("apply.no_engine")
    };
    let secret = root.layout().secret("admin_password");
    std::fs::remove_file(secret).unwrap();
    assert!(!touched());
    let secrets = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(root.layout().secrets(), secrets).unwrap();
    assert!(!touched());
    for (setting, touches) in [
        ("limits.quota=5GB", true),
        ("version=2024.06.56", true),
        ("services.webdav=true", true),
        ("dns.ttl=300", false),
    ] {
        root.run(&["config", "set", setting]).expect_code(0);
        assert_eq!(touched(), touches, "{setting}");
    }
}

#[test]
fn a_link_to_nothing_is_explained() {
    let root = Root::new();
    root.install();
    std::fs::remove_file(root.file(".env")).unwrap();
    std::os::unix::fs::symlink("/nowhere/at/all", root.file(".env")).unwrap();
    let run = root.run(&["apply"]).expect_code(2);
    assert!(
        run.err.contains("follow the link")
            && run.err.contains("hint: make what the link leads to"),
        "{}",
        run.err
    );
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
