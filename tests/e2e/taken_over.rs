//! A server that AgencyStack's old installer made becomes one of ours, with its keys, its accounts and all of its mail.

use std::path::PathBuf;
use std::process::Command;

use serde_json::json;

use crate::load::{add_account_in, look, perform};
use crate::server::{BARE, LIGHT, NAMES, PASSWORD, USER, Up};
use crate::support::{Root, succeed};
use crate::updated::Release;
use crate::world::{self, HOST, Zone, arrives_in, certificate, docker, inspect, send, wait_for};

const SECRET_KEY: &str = "5d41402abc4b2a76b9719d911017c592";

/// The old server, as its installer would have left it.
struct Old {
    root: Root,
    directory: PathBuf,
    _zone: Zone,
    _up: [Up; 2],
}

impl Drop for Old {
    fn drop(&mut self) {
        let names = ["front", "admin", "smtp", "imap"].map(Self::container);
        world::show_if_failing(&names.each_ref().map(String::as_str));
        world::remove_containers("mailexamplecom");
        let _ = Command::new("docker")
            .args(["network", "rm", "agency-network"])
            .output();
    }
}

fn compose(directory: &std::path::Path, args: &[&str]) {
    succeed(
        Command::new("docker")
            .arg("compose")
            .args(args)
            .current_dir(directory),
    );
}

impl Old {
    fn install() -> Self {
        let root = Root::new();
        let directory = root.path().join("mailu/mail.example.com");
        let write = |name: &str, text: &str| {
            let path = directory.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let (chain, key) = certificate(&["mail.example.com"]);
        write("data/certs/cert.pem", &chain);
        write("data/certs/key.pem", &key);
        for name in ["data/mail", "overrides/nginx"] {
            std::fs::create_dir_all(directory.join(name)).unwrap();
        }
        write("overrides/postfix/postfix.cf", "# of an operator\n");
        write("docker-compose.yml", include_str!("old-compose.yml"));
        write(
            "mailu.env",
            &format!(
                "SECRET_KEY={SECRET_KEY}\nDOMAIN=mail.example.com\nHOSTNAMES=mail.example.com\nSUBNET=192.168.203.0/24\nPOSTMASTER=admin@example.com\n\
                 TLS_FLAVOR=cert\nTRAEFIK_VERSION=2\nAUTH_RATELIMIT_IP=600/hour\nDISABLE_STATISTICS=True\nMESSAGE_SIZE_LIMIT=50000000\nADMIN=true\nWEB_ADMIN=/admin\nWEB_WEBMAIL=/webmail\n\
                 WEBMAIL=none\nANTISPAM=true\nANTIVIRUS=none\nWEBDAV=none\nCREDENTIAL_ROUNDS=4\nINITIAL_ADMIN_ACCOUNT=admin\n\
                 INITIAL_ADMIN_DOMAIN=example.com\nINITIAL_ADMIN_PW={PASSWORD}\nINITIAL_ADMIN_MODE=update\n"
            ),
        );
        write(
            ".installed_ok",
            "DOMAIN=mail.example.com\nADMIN_EMAIL=admin@example.com\nINSTALL_DATE=then\n",
        );
        docker(&[
            "network",
            "create",
            "--subnet",
            "192.168.203.0/24",
            "agency-network",
        ]);
        let zone = Zone::load("example.com", NAMES);
        let old = Self {
            root,
            directory,
            _zone: zone,
            _up: [Up("mailu_"), Up("mailexamplecom")],
        };
        // Dovecot makes its directories after admin has taken everything that is there.
        compose(&old.directory, &["up", "-d", "redis", "admin", "antispam"]);
        wait_for("the old admin", || Old::is_healthy("admin").then_some(()));
        compose(&old.directory, &["up", "-d"]);
        for service in ["front", "imap", "smtp"] {
            wait_for(service, || Old::is_healthy(service).then_some(()));
        }
        for name in ["user", "second", "third"] {
            add_account_in(&Old::container("admin"), name, "example.com");
        }
        docker(&[
            "exec",
            &Old::container("admin"),
            "sh",
            "-c",
            "openssl genrsa -out /dkim/example.com.dkim.key 2048 2>/dev/null; chown mailu /dkim/*",
        ]);
        docker(&[
            "exec",
            &Old::container("admin"),
            "python3",
            "-c",
            "import sqlite3
db = sqlite3.connect('/data/main.db')
db.execute(\"update alembic_version set version_num = '7ac252f2bbbf'\")
db.commit()",
        ]);
        old
    }

    fn container(service: &str) -> String {
        let filter = format!("label=com.docker.compose.service={service}");
        let project = "label=com.docker.compose.project=mailexamplecom";
        docker(&[
            "ps",
            "-a",
            "--filter",
            &filter,
            "--filter",
            project,
            "--format",
            "{{.Names}}",
        ])
        .trim()
        .to_owned()
    }

    fn is_healthy(service: &str) -> bool {
        inspect(&Self::container(service))["State"]["Health"]["Status"] == "healthy"
    }

    fn all() -> String {
        docker(&[
            "ps",
            "-a",
            "--no-trunc",
            "--filter",
            "label=com.docker.compose.project=mailexamplecom",
            "--format",
            "{{.ID}} {{.Names}} {{.State}}",
        ])
    }
}

#[test]
fn an_old_server_is_taken_over_with_all_it_has() {
    let _alone = world::alone();
    let _images = [
        Release::make("2.0", &[]),
        Release::make(
            "2024.06.61",
            &[(
                "dovecot",
                "CMD [\"sh\", \"-c\", \"echo out of order; exit 3\"]",
            )],
        ),
    ];
    let old = Old::install();
    perform("seed", &json!({ "count": 20 }));
    let then = look();
    let key = docker(&[
        "exec",
        &Old::container("admin"),
        "cat",
        "/dkim/example.com.dkim.key",
    ]);
    let containers = Old::all();

    let install = old.root.run(&[
        "install",
        "--domain",
        "mail.example.com",
        "--email-domain",
        "example.com",
        "--admin-email",
        "admin@example.com",
        "--no-start",
    ]);
    let install = install.expect_code(2);
    assert!(
        install.err.contains("update --domain mail.example.com"),
        "{}",
        install.err
    );

    let chain = old.directory.join("data/certs/cert.pem");
    let (chain, private) = (
        chain.display().to_string(),
        old.directory
            .join("data/certs/key.pem")
            .display()
            .to_string(),
    );
    let files = old.root.path().parent().unwrap().join("files");
    std::fs::create_dir_all(&files).unwrap();
    std::fs::copy(&chain, files.join("chain.pem")).unwrap();
    std::fs::copy(&private, files.join("key.pem")).unwrap();
    let settings = [
        format!("dns.ipv4={HOST}"),
        "dns.nameservers=[\"ns.outside.test\"]".to_owned(),
        "dns.autoconfig=false".to_owned(),
        "tls.mode=cert".to_owned(),
        format!("tls.certificate={}", files.join("chain.pem").display()),
        format!("tls.key={}", files.join("key.pem").display()),
    ];
    let mut words = vec!["update", "--domain", "mail.example.com"];
    for one in &settings {
        words.extend(["--set", one]);
    }
    words.extend(BARE.iter().chain(&LIGHT[..4]));
    let update = |more: &[&str]| old.root.run(&[&words[..], more].concat());

    let shown = update(&["--dry-run", "--json"]).expect_code(0).json();
    assert_eq!(
        (&shown["from"], &shown["performed"]),
        (&json!("2.0"), &json!(false))
    );
    assert_eq!(Old::all(), containers);

    // One that does not work: the old containers run again, the same ones, and mail flows.
    let bad = update(&["--to", "2024.06.61", "--json"])
        .expect_code(2)
        .json();
    assert_eq!(bad["error"]["code"], "start.restart_loop", "{bad:#}");
    assert!(
        bad.to_string()
            .contains("everything is as it was before the update"),
        "{bad:#}"
    );
    assert_eq!(Old::all(), containers);
    assert_eq!(docker(&["ps", "-aq", "--filter", "name=^mailu_"]), "");
    wait_for("the old front", || Old::is_healthy("front").then_some(()));
    arrives_in(USER, PASSWORD, "after the first attempt");

    // Something waits in its queue.
    docker(&["stop", &Old::container("imap")]);
    let said = send(
        &["--to", USER, "--dkim", "--queue"],
        "Subject: waited in the old queue\n\nThis waits.\n",
    );
    assert!(said.ok, "{said:?}");
    docker(&["start", &Old::container("imap")]);

    let done = update(&["--json"]).expect_code(0).json();
    assert_eq!(done["performed"], true, "{done:#}");
    assert_eq!(Old::all(), "");
    let env = old.root.read("mailu.env");
    assert!(env.contains(SECRET_KEY));
    assert_eq!(old.root.read("data/dkim/example.com.dkim.key"), key);
    assert_eq!(
        old.root.read("overrides/postfix/postfix.cf"),
        "# of an operator\n"
    );
    assert!(
        PathBuf::from(done["kept"].as_str().unwrap())
            .join("deployment/mailu.env")
            .is_file()
    );
    let after = wait_for("all mail", || {
        let now = look();
        let count: usize = now[USER].values().map(|folder| folder.messages.len()).sum();
        let before: usize = then[USER]
            .values()
            .map(|folder| folder.messages.len())
            .sum();
        (count == before + 2).then_some(now)
    });
    for account in ["second@example.com", "third@example.com"] {
        assert_eq!(after[account], then[account]);
    }
    for (name, folder) in &then[USER] {
        let now = &after[USER][name];
        assert_eq!(now.uv, folder.uv, "{name}");
        for one in &folder.messages {
            assert!(now.messages.contains(one), "{name}: {one:?}");
        }
    }
    arrives_in(USER, PASSWORD, "to the new server");
    old.root
        .run(&["diagnose", "--only", "engine,services,relay,signing,queue"])
        .expect_code(0);
    let again = old.root.run(&["update"]).expect_code(0);
    assert!(again.out.contains("nothing to do"), "{}", again.out);
}
