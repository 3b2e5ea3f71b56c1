//! `mailu install` and `apply` with containers, against an engine that plays a script.

use std::io::{BufRead as _, BufReader, Read as _, Seek as _, Write as _};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::fake_engine::{Answer, FakeContainer, FakeEngine, Fate};
use crate::support::{Root, Run, finished};

/// A server without ports that somebody could try: the engine's containers are not there.
pub(crate) const QUIET: [&str; 18] = [
    "install",
    "--domain",
    "mail.example.com",
    "--email-domain",
    "example.com",
    "--admin-email",
    "admin@example.com",
    "--set",
    "tls.mode=none",
    "--set",
    "ports.mail=143",
    "--set=services.antivirus=false",
    NO_NAMES,
    NO_DNSSEC,
    NO_OUTBOUND,
    NO_MEMORY,
    NO_PORTS,
    NO_RELAY,
];

// What the machine that runs the tests has is not what they are about.
const NO_NAMES: &str = "--skip-check=preflight.names";
const NO_DNSSEC: &str = "--skip-check=preflight.dnssec";
const NO_OUTBOUND: &str = "--skip-check=preflight.outbound";
const NO_MEMORY: &str = "--skip-check=preflight.memory";
const NO_PORTS: &str = "--skip-check=preflight.ports";
const NO_RELAY: &str = "--skip-check=preflight.open_relay";

const SERVICES: [&str; 9] = [
    "resolver", "redis", "admin", "oletools", "antispam", "imap", "smtp", "front", "webmail",
];

/// What Mailu's admin keeps: the JSON of its export.
pub(crate) type Admin = Arc<Mutex<serde_json::Value>>;

/// An engine whose containers answer as Mailu's do.
pub(crate) fn engine(root: &Root) -> (FakeEngine, Admin) {
    let engine = FakeEngine::start();
    let fine = |_: &[String], _: &[u8]| Answer::default();
    for service in [
        "front", "imap", "smtp", "antispam", "admin", "webmail", "oletools",
    ] {
        engine.program(service, &["/bin/sh"], fine);
    }
    engine.program("redis", &["/bin/sh"], |_, _| Answer::out("PONG\n"));
    engine.program("resolver", &["/bin/sh"], |_, _| {
        Answer::out(";; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: 1\n;; flags: qr rd ra ad; QUERY: 1\n")
    });
    engine.program("resolver", &["dig"], |_, _| {
        Answer::out(";; ->>HEADER<<- opcode: QUERY, status: NXDOMAIN, id: 1\n")
    });
    let admin = Admin::default();
    let kept = admin.clone();
    engine.program(
        "admin",
        &["flask", "mailu", "config-export"],
        move |_, _| {
            let kept = kept.lock().unwrap();
            Answer::out(&if kept.is_null() {
                "{}".to_owned()
            } else {
                kept.to_string()
            })
        },
    );
    let kept = admin.clone();
    engine.program(
        "admin",
        &["flask", "mailu", "config-import"],
        move |command, input| {
            assert_eq!(command.last().unwrap(), "-u");
            *kept.lock().unwrap() = serde_json::from_slice(input).unwrap();
            Answer::out("Committing changes.")
        },
    );
    engine.program("redis", &["redis-cli", "SAVE"], |_, _| Answer::out("OK\n"));
    // Python itself, with its paths led to where the container has them from.
    let data = root.file("data/admin").display().to_string();
    engine.program("admin", &["python3", "-"], move |_, input| {
        let script = String::from_utf8_lossy(input).replace("/data/", &format!("{data}/"));
        let done = Command::new("/usr/bin/python3")
            .args(["-c", &script])
            .output()
            .unwrap();
        Answer {
            code: done.status.code().unwrap_or(137).into(),
            out: String::from_utf8(done.stdout).unwrap(),
            err: String::from_utf8(done.stderr).unwrap(),
        }
    });
    let keys = root.file("data/dkim");
    engine.program("antispam", &["curl"], move |command, _| {
        let domain = command.last().unwrap().rsplit('/').next().unwrap();
        let key = std::fs::read_to_string(keys.join(format!("{domain}.dkim.key"))).unwrap();
        let selectors = serde_json::json!([{ "domain": domain, "key": key, "selector": "dkim" }]);
        Answer::out(&serde_json::json!({ "data": { "selectors": selectors } }).to_string())
    });
    (engine, admin)
}

pub(crate) fn run(root: &Root, engine: &FakeEngine, args: &[&str]) -> Run {
    let run = finished(engine.reach(&mut root.command(args)).output().unwrap());
    root.no_secret_in(&run.out, &format!("stdout of {args:?}"));
    root.no_secret_in(&run.err, &format!("stderr of {args:?}"));
    run
}

pub(crate) fn state(root: &Root) -> String {
    let list = root.run(&["--json", "list"]).expect_code(0).json();
    list[0]["state"].as_str().unwrap_or("none").to_owned()
}

/// What was called that makes or ends containers.
fn changing(engine: &FakeEngine) -> Vec<String> {
    let calls = engine.calls().into_iter();
    calls
        .filter(|call| {
            [
                "compose --ansi never up",
                "compose --ansi never down",
                "pull",
                "/start",
                "/restart",
                "/stop",
            ]
            .iter()
            .any(|part| call.contains(part) && !call.contains("/exec/"))
        })
        .collect()
}

fn ids(engine: &FakeEngine) -> Vec<(&'static str, String)> {
    SERVICES
        .into_iter()
        .map(|service| {
            let there = engine.container(&format!("mailu_{service}"));
            (service, there.map(|one| one.id).unwrap_or_default())
        })
        .collect()
}

/// Which services have another container than before.
fn made_anew(engine: &FakeEngine, before: &[(&'static str, String)]) -> Vec<&'static str> {
    ids(engine)
        .into_iter()
        .filter(|one| !before.contains(one))
        .map(|(service, _)| service)
        .collect()
}

#[test]
fn install_brings_everything_up_in_order_once() {
    let root = Root::new();
    let (engine, admin) = engine(&root);
    let first = run(&root, &engine, &QUIET).expect_code(0);
    assert!(
        first.out.contains("installed, and it works"),
        "{}",
        first.out
    );
    let order: Vec<String> = changing(&engine)
        .iter()
        .filter_map(|call| Some(call.split_once("--no-deps ")?.1.to_owned()))
        .collect();
    assert_eq!(
        order,
        [
            "resolver",
            "redis",
            "admin",
            "oletools",
            "antispam",
            "imap smtp front",
            "webmail"
        ]
    );
    // The password went in by the input, and nowhere else.
    let password = std::fs::read_to_string(root.layout().secret("admin_password")).unwrap();
    let password = password.trim();
    let calls = engine.take_calls();
    let import = calls
        .iter()
        .find(|call| call.what.contains("config-import"))
        .unwrap();
    assert!(String::from_utf8_lossy(&import.input).contains(password));
    assert!(calls.iter().all(|call| !call.what.contains(password)));
    assert_eq!(
        admin.lock().unwrap()["user"][0]["email"],
        "admin@example.com"
    );
    assert_eq!(state(&root), "installed");
    assert!(!root.file(".mailu/starting").exists() && !root.file(".mailu/administrator").exists());

    let before = ids(&engine);
    let second = run(&root, &engine, &[&["--json"], &QUIET[..]].concat()).expect_code(0);
    let json = second.json();
    assert_eq!(json["run"]["installed"], true, "{json:#}");
    assert!(
        json["run"]["services"]
            .as_array()
            .unwrap()
            .iter()
            .all(|one| one["done"] == "unchanged"),
        "{json:#}"
    );
    assert_eq!(changing(&engine), [""; 0]);
    assert_eq!(made_anew(&engine, &before), [""; 0]);
    let third = run(&root, &engine, &QUIET).expect_code(0);
    assert!(
        third.out.contains("no container was touched"),
        "{}",
        third.out
    );
}

#[test]
fn only_services_that_read_what_changed_are_made_anew() {
    let root = Root::new();
    let (engine, _) = engine(&root);
    run(&root, &engine, &QUIET).expect_code(0);
    for (setting, expected) in [
        (
            "limits.message_size=60MB",
            &["smtp", "front", "webmail"][..],
        ),
        ("web.site_name=Post", &["admin"]),
        ("limits.exempt=news@example.com", &["admin"]),
        ("limits.exempt=[]", &["admin"]),
        ("mail.compression=zstd", &["imap"]),
        ("services.webdav=true", &["front"]),
        ("dns.ttl=300", &[]),
        ("logs.driver=local", &SERVICES),
    ] {
        root.run(&["config", "set", setting]).expect_code(0);
        let before = ids(&engine);
        let plan = run(&root, &engine, &["plan"]).expect_code(0);
        for service in SERVICES {
            let said = format!("make anew container mailu_{service}\n");
            assert_eq!(
                plan.out.contains(&said),
                expected.contains(&service),
                "{}",
                plan.out
            );
        }
        let said = run(&root, &engine, &["apply"]).expect_code(0);
        assert_eq!(
            made_anew(&engine, &before),
            expected,
            "{setting}: {}",
            said.err
        );
    }
    // Who reads a variable that nobody knows is not known either.
    let env = root.read("mailu.env");
    root.write("mailu.env", &format!("{env}SOMETHING_OF_OURS=1\n"));
    let before = ids(&engine);
    run(&root, &engine, &["apply"]);
    let with_env = [
        "resolver", "admin", "antispam", "imap", "smtp", "front", "webmail",
    ];
    assert_eq!(made_anew(&engine, &before), with_env);
    // What is switched off goes away.
    root.run(&["config", "set", "services.webdav=false"])
        .expect_code(0);
    run(&root, &engine, &["apply"]).expect_code(0);
    assert!(engine.container("mailu_webdav").is_none());
}

#[test]
fn stopped_containers_are_started_as_they_are() {
    let root = Root::new();
    let (engine, _) = engine(&root);
    run(&root, &engine, &QUIET).expect_code(0);
    engine.change("mailu_smtp", |smtp| smtp.state = "exited");
    engine.remove("mailu_imap");
    let before = ids(&engine);
    let again = run(&root, &engine, &QUIET).expect_code(0);
    assert!(
        again.out.contains("created: imap") && again.out.contains("started: smtp"),
        "{}",
        again.out
    );
    assert_eq!(made_anew(&engine, &before), ["imap"]);
}

#[test]
fn with_an_override_compose_judges() {
    let root = Root::new();
    let (engine, _) = engine(&root);
    run(&root, &engine, &QUIET).expect_code(0);
    root.write("docker-compose.override.yml", "services: {}\n");
    let before = ids(&engine);
    let run = run(&root, &engine, &QUIET).expect_code(0);
    assert!(run.out.contains("no container was touched"), "{}", run.out);
    assert_eq!(made_anew(&engine, &before), [""; 0]);
    assert!(
        engine
            .calls()
            .iter()
            .any(|call| call.ends_with("up -d --no-deps imap smtp front"))
    );
}

#[test]
fn a_missing_image_is_named_and_the_same_command_continues() {
    let root = Root::new();
    let (engine, _) = engine(&root);
    engine.registry(false);
    let failed = run(&root, &engine, &QUIET).expect_code(2);
    assert!(
        failed.err.contains("ghcr.io/mailu/admin:")
            && failed.err.contains("no such host")
            && failed.err.contains("docker pull"),
        "{}",
        failed.err
    );
    assert_eq!(state(&root), "incomplete");
    assert!(!root.file(".installed_ok").exists());
    // Also `apply` does not take it for installed.
    run(&root, &engine, &["apply"]).expect_code(0);
    assert_eq!(state(&root), "incomplete");
    engine.registry(true);
    run(&root, &engine, &QUIET).expect_code(0);
    assert_eq!(state(&root), "installed");
}

#[test]
fn what_keeps_a_service_from_its_work_is_said() {
    let root = Root::new();
    let (engine, _) = engine(&root);
    engine.fate("smtp", Fate::Loops(1));
    let failed = run(&root, &engine, &QUIET).expect_code(2);
    assert!(
        failed
            .err
            .contains("start smtp: it ends again and again, last with exit code 1")
            && failed.err.contains("docker logs mailu_smtp"),
        "{}",
        failed.err
    );
    assert_eq!(state(&root), "incomplete");
    engine.fate("smtp", Fate::Well);
    engine.remove("mailu_smtp");
    engine.befall("admin", Fate::Unhealthy("no".to_owned()));
    engine.program("admin", &["/bin/sh"], |_, _| Answer::failed(7, ""));
    engine.change("mailu_admin", |admin| {
        admin.says("CRITICAL:root:Your DNS resolver at 10.203.0.126 isn't doing DNSSEC validation; Please see https://mailu.io/x");
    });
    let failed = run(&root, &engine, &[&QUIET[..], &["--wait=3"]].concat()).expect_code(2);
    assert!(
        failed.err.contains("does not validate (DNSSEC)") && failed.err.contains("port 53"),
        "{}",
        failed.err
    );
}

#[test]
fn who_has_a_port_is_said() {
    let root = Root::new();
    let (engine, _) = engine(&root);
    let mut other = FakeContainer::new("somebodys_imap", "x");
    other.published = vec![("0.0.0.0".to_owned(), 143, 143)];
    engine.add(other);
    engine.fate("front", Fate::Refused("driver failed programming external connectivity on endpoint mailu_front: Bind for 0.0.0.0:143 failed: port is already allocated".to_owned()));
    let failed = run(&root, &engine, &QUIET).expect_code(2);
    assert!(
        failed.err.contains("a port is taken")
            && failed.err.contains("somebodys_imap has port 143"),
        "{}",
        failed.err
    );
    assert_eq!(state(&root), "incomplete");
}

#[test]
fn what_exists_in_mailu_is_left_as_it_is() {
    let root = Root::new();
    let (engine, admin) = engine(&root);
    *admin.lock().unwrap() = serde_json::json!({
        "domain": [{ "name": "example.com" }],
        "user": [{ "email": "admin@example.com", "global_admin": false }],
    });
    let run = run(&root, &engine, &QUIET).expect_code(0);
    assert!(run.err.contains("install.not_administrator"), "{}", run.err);
    assert!(
        engine
            .calls()
            .iter()
            .all(|call| !call.contains("config-import"))
    );
}

#[test]
fn an_admin_that_could_not_make_its_database_is_started_again() {
    let root = Root::new();
    let (engine, kept) = engine(&root);
    // The disk was full when it started, and is full a second time.
    let left = AtomicUsize::new(2);
    engine.program(
        "admin",
        &["flask", "mailu", "config-export"],
        move |_, _| {
            let again = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
            if again.is_ok() {
                return Answer::failed(1, "sqlite3.OperationalError: no such table: domain\n");
            }
            let kept = kept.lock().unwrap();
            Answer::out(&if kept.is_null() {
                "{}".to_owned()
            } else {
                kept.to_string()
            })
        },
    );
    let failed = run(&root, &engine, &QUIET).expect_code(2);
    assert!(failed.err.contains("no such table"), "{}", failed.err);
    assert!(failed.err.contains("restart"), "{}", failed.err);
    assert_eq!(state(&root), "incomplete");
    let restarts = || -> usize {
        let all = engine.calls();
        all.iter()
            .filter(|call| call.contains("mailu_admin/restart"))
            .count()
    };
    assert_eq!(restarts(), 0);
    run(&root, &engine, &QUIET).expect_code(0);
    assert_eq!(restarts(), 1);
    assert_eq!(state(&root), "installed");
}

#[test]
fn an_import_that_did_nothing_is_an_error() {
    let root = Root::new();
    let (engine, _) = engine(&root);
    engine.program("admin", &["flask", "mailu", "config-import"], |_, _| {
        Answer::failed(0, "Error: [ValidationError] no")
    });
    let failed = run(&root, &engine, &QUIET).expect_code(2);
    assert!(
        failed.err.contains("Mailu did not take it") && failed.err.contains("ValidationError"),
        "{}",
        failed.err
    );
    assert_eq!(state(&root), "incomplete");
}

#[test]
fn an_interrupt_stops_where_the_same_command_continues() {
    let root = Root::new();
    let (engine, _) = engine(&root);
    engine.program("admin", &["/bin/sh"], |_, _| Answer::failed(7, ""));
    engine.fate("admin", Fate::Slow(1_000_000));
    let mut child = engine
        .reach(&mut root.command(&QUIET))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let begin = Instant::now();
    while engine.container("mailu_admin").is_none() {
        assert!(begin.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(50));
    }
    let id = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &id])
            .status()
            .unwrap()
            .success()
    );
    let code = child.wait().unwrap().code();
    assert_eq!(code, Some(130));
    assert_eq!(state(&root), "incomplete");
    engine.befall("admin", Fate::Well);
    engine.program("admin", &["/bin/sh"], |_, _| Answer::default());
    run(&root, &engine, &QUIET).expect_code(0);
    assert_eq!(state(&root), "installed");
}

#[test]
fn an_engine_that_goes_away_is_named_and_the_same_command_continues() {
    // While the first containers are made, and while they are waited for.
    for call in [
        "up -d --no-deps resolver",
        "GET /containers/mailu_resolver/json",
    ] {
        let root = Root::new();
        let (engine, _) = engine(&root);
        engine.fate("resolver", Fate::Slow(1_000_000));
        engine.vanish_during(call);
        let gone = run(
            &root,
            &engine,
            &[&["--json"], &QUIET[..], &["--wait=1"]].concat(),
        )
        .expect_code(2);
        let error = &gone.json()["error"];
        assert_eq!(error["code"], "engine.gone", "{call}: {error:#}");
        let hints = error["hints"].to_string();
        assert!(
            hints.contains("`systemctl status docker`")
                && hints.contains("the same command continues"),
            "{call}: {hints}"
        );
        assert_eq!(
            gone.err.contains("waiting for it"),
            call.starts_with("GET"),
            "{call}: {}",
            gone.err
        );
        assert_eq!(state(&root), "incomplete", "{call}");
        assert!(!root.file(".installed_ok").exists());

        engine.come_back();
        engine.befall("resolver", Fate::Well);
        let before = ids(&engine);
        assert_eq!(before[0].0, "resolver");
        run(&root, &engine, &QUIET).expect_code(0);
        assert_eq!(state(&root), "installed", "{call}");
        assert_eq!(ids(&engine)[0], before[0], "{call}");
    }
}

#[test]
fn an_engine_that_is_restarted_is_waited_for() {
    let root = Root::new();
    let (engine, _) = engine(&root);
    engine.vanish_during("GET /containers/mailu_redis/json");
    let mut child = engine
        .reach(&mut root.command(&QUIET))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(said.any(|line| {
        line.unwrap()
            .contains("the Docker engine does not answer; waiting for it")
    }));
    engine.come_back();
    let rest: Vec<String> = said.map_while(Result::ok).collect();
    let ended = finished(child.wait_with_output().unwrap());
    assert_eq!(ended.code, 0, "{rest:?}");
    assert_eq!(state(&root), "installed");
}

/// Every call that changes something fails once; the next run goes on to the same end.
#[test]
fn a_failure_anywhere_is_made_good_by_the_next_run() {
    let root = Root::new();
    let (whole, _) = engine(&root);
    run(&root, &whole, &QUIET).expect_code(0);
    let calls = changing(&whole);
    assert!(calls.len() >= 7, "{calls:?}");
    for call in calls {
        let root = Root::new();
        let (engine, _) = engine(&root);
        engine.fail(&call, 1, "Error response from daemon: something broke");
        run(&root, &engine, &QUIET).expect_code(2);
        assert_eq!(state(&root), "incomplete", "{call}");
        run(&root, &engine, &QUIET).expect_code(0);
        assert_eq!(state(&root), "installed", "{call}");
        assert_eq!(
            ids(&engine).iter().filter(|(_, id)| id.is_empty()).count(),
            0
        );
    }
}

/// A mail server at a port of its own that answers recipients with `answer`.
fn mail_server(answer: &'static str, seen: impl Fn(&str) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut writer = stream.try_clone().unwrap();
            let _ = writer.write_all(b"220 mail.example.com ESMTP\r\n");
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                let reply = if line.starts_with("RCPT") {
                    seen(&line);
                    answer
                } else if line.starts_with("QUIT") {
                    "221 Bye"
                } else {
                    "250 Ok"
                };
                if writer.write_all(format!("{reply}\r\n").as_bytes()).is_err() {
                    break;
                }
            }
        }
    });
    port
}

/// An engine with a Traefik whose entry point `smtp` leads to `port`.
fn behind_traefik(engine: &FakeEngine, port: u16) {
    let mut traefik = FakeContainer::new("proxy", "traefik:v3.5");
    traefik.command = vec![
        "traefik".to_owned(),
        "--entrypoints.smtp.address=:25".to_owned(),
        "--providers.docker=true".to_owned(),
        "--providers.docker.exposedByDefault=false".to_owned(),
    ];
    let socket = "/var/run/docker.sock".to_owned();
    traefik.mounts.push((socket.clone(), socket));
    traefik
        .networks
        .insert("mailu_proxy".to_owned(), "10.203.255.64".to_owned());
    traefik.published = vec![("127.0.0.1".to_owned(), port, 25)];
    engine.add(traefik);
}

const WITH_SMTP: [&str; 18] = [
    "install",
    "--domain",
    "mail.example.com",
    "--email-domain",
    "example.com",
    "--admin-email",
    "admin@example.com",
    "--set=ports.mail=25",
    "--set=services.antivirus=false",
    "--wait=4",
    NO_NAMES,
    NO_DNSSEC,
    NO_OUTBOUND,
    NO_MEMORY,
    NO_PORTS,
    NO_RELAY,
    "--skip-check=preflight.entrypoints",
    "--skip-check=preflight.acme",
];

#[test]
fn an_open_relay_is_stopped_at_once() {
    let root = Root::new();
    let (engine, _) = engine(&root);
    let engine = Arc::new(engine);
    behind_traefik(&engine, mail_server("250 2.1.5 Ok", |_| {}));
    let failed = run(&root, &engine, &WITH_SMTP).expect_code(2);
    assert!(
        failed.err.contains("accepts their mail for other servers")
            && failed.err.contains("mailu_front was stopped at once"),
        "{}",
        failed.err
    );
    assert_eq!(engine.container("mailu_front").unwrap().state, "exited");
    assert_eq!(state(&root), "incomplete");
}

/// Without a summary as of a server that works: what was found comes last, and what to type.
#[test]
fn what_does_not_work_is_said_last() {
    let root = Root::new();
    let (engine, _) = engine(&root);
    behind_traefik(
        &engine,
        mail_server("554 5.7.1 Relay access denied", |_| {}),
    );
    let mut command = root.command(&WITH_SMTP);
    // Both streams as a terminal shows them.
    let mut both = tempfile::tempfile().unwrap();
    command
        .stdout(both.try_clone().unwrap())
        .stderr(both.try_clone().unwrap());
    let code = engine.reach(&mut command).status().unwrap().code();
    let mut said = String::new();
    both.rewind().unwrap();
    both.read_to_string(&mut said).unwrap();
    assert_eq!(code, Some(1), "{said}");
    let at = |part: &str| said.find(part).unwrap_or_else(|| panic!("{part}: {said}"));
    let order = [
        "created: ",
        "✓ ",
        "error: ",
        "mail.example.com: not installed yet; once what is said above is put right, the same command continues\n",
        "Next\n",
        "dns --domain mail.example.com\n",
    ]
    .map(at);
    assert!(order.is_sorted(), "{order:?}: {said}");
    assert!(said.ends_with("dns --domain mail.example.com\n"), "{said}");
    for part in ["DNS records to publish", "Admin ", "Password "] {
        assert!(!said.contains(part), "{part}: {said}");
    }
}

#[test]
fn whom_postfix_takes_a_client_for_counts() {
    for (client, id) in [
        ("10.203.0.1", "install.client_trusted"),
        ("10.203.255.64", "install.client_hidden"),
        ("203.0.113.9", "client_seen"),
    ] {
        let root = Root::new();
        let (engine, _) = engine(&root);
        let engine = Arc::new(engine);
        let logs = engine.clone();
        let port = mail_server("554 5.7.1 Relay access denied", move |line| {
            let token = line.split(['<', '@']).nth(1).unwrap().to_owned();
            logs.change("mailu_smtp", |smtp| {
                smtp.says(&format!("Nov 22 10:00:00 mail postfix/smtpd[9]: NOQUEUE: reject: RCPT from unknown[{client}]: 554 5.7.1 <x>: Relay access denied; helo=<{token}.invalid>"));
            });
        });
        behind_traefik(&engine, port);
        let args: Vec<&str> = ["--json"].into_iter().chain(WITH_SMTP).collect();
        // Nothing answers on 443 here.
        let json = run(&root, &engine, &args).expect_code(1).json();
        let found = |list: &str, key: &str| {
            let all = json["run"][list].as_array().unwrap();
            all.iter().any(|one| one[key] == id)
        };
        assert!(
            found("findings", "id") || found("verified", "id"),
            "{client}: {json:#}"
        );
        assert_eq!(json["run"]["installed"], false);
        assert!(engine.networks().contains(&"mailu_proxy".to_owned()));
    }
}
