//! `mailu certs`: what it shows, and what it takes over while nobody watches.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use mailu_core::host::testing::{Dying, Moment, Repeatable, sync_certificates};

use crate::certificates::{obtained, store};
use crate::fake_engine::{Answer, FakeContainer, FakeEngine};
use crate::support::{Root, Run, finished, mode, succeed, tool};

const NAMES: [&str; 1] = ["mail.example.com"];

/// A deployment that takes Traefik's certificate, and where its store is.
fn with_store(root: &Root, pairs: &[&(String, String)]) -> std::path::PathBuf {
    let acme = root.beside("acme.json", &store(pairs));
    root.install_with(&["--set", &format!("traefik.acme_store={}", acme.display())])
        .expect_code(0);
    acme
}

fn serves(root: &Root, pair: &(String, String)) -> bool {
    root.read("data/certs/cert.pem") == pair.0 && root.read("data/certs/key.pem") == pair.1
}

fn ids(json: &serde_json::Value) -> Vec<&str> {
    json["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["id"].as_str().unwrap())
        .collect()
}

#[test]
fn a_renewal_is_shown_and_taken_over() {
    let directory = tempfile::tempdir().unwrap();
    let make = |days: &str| obtained(directory.path(), &NAMES, days);
    let (first, second) = (make("40"), make("80"));
    let root = Root::new();
    let acme = with_store(&root, &[&first]);
    let run = root.run(&["certs", "--json"]).expect_code(0);
    let shown = run.json();
    let pair = &shown["pairs"][0];
    assert_eq!(pair["origin"], "traefik");
    assert_eq!(pair["key"], "matches");
    assert_eq!(pair["certificate"]["names"], serde_json::json!(NAMES));
    // Forty to the second, or a bit less.
    let left = pair["certificate"]["days_left"].as_u64().unwrap();
    assert!([39, 40].contains(&left), "{left}");
    assert_eq!(pair["certificate"]["issuer"], "CN=x");
    assert_eq!(shown["source"]["in_place"], true);
    // What OpenSSL says of the same file.
    let path = root.file("data/certs/cert.pem");
    let said = succeed(Command::new(tool("openssl")).args([
        "x509",
        "-noout",
        "-fingerprint",
        "-sha256",
        "-in",
        path.to_str().unwrap(),
    ]));
    let fingerprint = said.trim().split_once('=').unwrap().1;
    assert_eq!(
        pair["certificate"]["fingerprint"].as_str().unwrap(),
        fingerprint.replace(':', "").to_lowercase()
    );

    std::fs::write(&acme, store(&[&first, &second])).unwrap();
    let run = root.run(&["certs", "--no-probe"]).expect_code(1);
    assert!(run.err.contains("certs.not_synced"), "{}", run.err);
    assert!(run.out.contains("another, until"), "{}", run.out);
    let run = root
        .run(&["certs", "sync", "--all", "--quiet"])
        .expect_code(0);
    assert!(run.err.is_empty(), "{}", run.err);
    assert!(
        // The day may turn between its making and this.
        ["79", "80"].iter().any(|days| run
            .out
            .contains(&format!("certificate replaced, {days} days left"))),
        "{}",
        run.out
    );
    assert!(serves(&root, &second));
    assert_eq!(mode(&root.file("data/certs/key.pem")), 0o600);
    let run = root
        .run(&["certs", "sync", "--all", "--quiet"])
        .expect_code(0);
    assert_eq!((run.out.as_str(), run.err.as_str()), ("", ""));
    // The record is as `apply` leaves it.
    let before = root.snapshot();
    let run = root.run(&["apply"]).expect_code(0);
    assert!(run.out.contains("nothing to do"), "{}", run.out);
    before.assert_same(&root.snapshot(), "apply after sync");
}

/// An edit that `apply` has to ask about keeps nobody's certificate from being renewed.
#[test]
fn a_conflict_elsewhere_does_not_matter() {
    let directory = tempfile::tempdir().unwrap();
    let make = |days: &str| obtained(directory.path(), &NAMES, days);
    let (first, second) = (make("40"), make("80"));
    let root = Root::new();
    let acme = with_store(&root, &[&first]);
    root.edit(
        "mailu.env",
        "MESSAGE_SIZE_LIMIT=50000000",
        "MESSAGE_SIZE_LIMIT=1000",
    );
    root.run(&["config", "set", "limits.message_size=7MB"])
        .expect_code(0);
    std::fs::write(&acme, store(&[&second])).unwrap();
    root.run(&["apply"]).expect_code(1);
    assert!(serves(&root, &first));
    let env = root.read("mailu.env");
    root.run(&["certs", "sync"]).expect_code(0);
    assert!(serves(&root, &second));
    assert_eq!(root.read("mailu.env"), env);
    // And the conflict is still one.
    root.run(&["apply"]).expect_code(1);
    root.run(&["apply", "--reset", "MESSAGE_SIZE_LIMIT"])
        .expect_code(0);
}

#[test]
fn what_is_wrong_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let make = |names: &[&str], days: &str| obtained(directory.path(), names, days);
    let (good, soon, other) = (
        make(&NAMES, "40"),
        make(&NAMES, "5"),
        make(&["www.example.org"], "40"),
    );
    let root = Root::new();
    root.run(&["certs"]).expect_code(2);
    root.install();
    let look = || root.run(&["certs", "--no-probe", "--json"]);
    let shown = look().expect_code(1).json();
    assert_eq!(shown["pairs"][0]["origin"], "self_signed");
    assert_eq!(ids(&shown), ["tls.mail_self_signed"]);
    let put = |certificate: &str, key: &str| {
        root.write("data/certs/cert.pem", certificate);
        root.write("data/certs/key.pem", key);
        let shown = look().json();
        assert_eq!(shown["pairs"][0]["origin"], "by_hand");
        ids(&shown).join(" ")
    };
    assert_eq!(put(&good.0, &good.1), "");
    assert_eq!(put(&good.0, &other.1), "certs.key");
    assert_eq!(put(&good.0, "nothing"), "certs.key");
    assert_eq!(put(&other.0, &other.1), "certs.names");
    assert_eq!(put(&soon.0, &soon.1), "tls.mail_ends");
    assert_eq!(put(&format!("{}{}", good.0, other.0), &good.1), "");
    assert_eq!(put("nothing", &good.1), "certs.unreadable");
    // Not even one that may not be looked at keeps the others from being looked after.
    std::fs::remove_file(root.file("data/certs/key.pem")).unwrap();
    assert_eq!(ids(&look().expect_code(1).json()), ["certs.missing"]);
    root.write("data/certs/cert.pem", &good.0);
    root.write("data/certs/key.pem", &good.1);
    succeed(
        Command::new("chmod")
            .arg("644")
            .arg(root.file("data/certs/key.pem")),
    );
    assert_eq!(ids(&look().expect_code(1).json()), ["certs.key_open"]);
    root.run(&["certs", "sync"]).expect_code(0);
    assert_eq!(mode(&root.file("data/certs/key.pem")), 0o640);
    assert!(serves(&root, &good));
    // Traefik's is not taken over what somebody put there.
    let acme = root.beside("acme.json", &store(&[&soon]));
    root.run(&[
        "config",
        "set",
        &format!("traefik.acme_store={}", acme.display()),
    ])
    .expect_code(0);
    let run = root.run(&["certs", "sync"]).expect_code(0);
    assert!(run.err.contains("acme.kept"), "{}", run.err);
    assert!(serves(&root, &good));
}

#[test]
fn one_broken_deployment_does_not_keep_the_others_from_their_certificates() {
    let directory = tempfile::tempdir().unwrap();
    let make = |days: &str| obtained(directory.path(), &NAMES, days);
    let (first, second) = (make("40"), make("80"));
    let root = Root::new();
    let acme = with_store(&root, &[&first]);
    let broken = root.path().join("mailu/broken.example.net");
    std::fs::create_dir_all(&broken).unwrap();
    std::fs::write(broken.join("mailu.toml"), "mail_host = 1\n").unwrap();
    std::fs::write(&acme, store(&[&second])).unwrap();
    let run = root.run(&["certs", "sync", "--all"]).expect_code(2);
    assert!(run.err.contains("broken.example.net"), "{}", run.err);
    assert!(serves(&root, &second));
    let all = root
        .run(&["certs", "--all", "--json", "--no-probe"])
        .expect_code(2)
        .json();
    assert_eq!(all.as_array().unwrap().len(), 2, "{all}");
}

/// The operator's files are read again each time; what front would refuse changes nothing.
#[test]
fn renewed_files_of_yours_are_copied() {
    let directory = tempfile::tempdir().unwrap();
    let make = |days: &str| obtained(directory.path(), &NAMES, days);
    let (first, second, other) = (
        make("40"),
        make("80"),
        obtained(directory.path(), &["www.example.org"], "80"),
    );
    let root = Root::new();
    let put = |certificate: &str, key: &str| {
        (
            root.beside("own.pem", certificate),
            root.beside("own.key", key),
        )
    };
    let (certificate, key) = put(&first.0, &first.1);
    root.install_with(&[
        "--set",
        "tls.mode=cert",
        "--set",
        &format!("tls.certificate={}", certificate.display()),
        "--set",
        &format!("tls.key={}", key.display()),
    ])
    .expect_code(0);
    let shown = root
        .run(&["certs", "--no-probe", "--json"])
        .expect_code(0)
        .json();
    assert_eq!(shown["pairs"][0]["origin"], "files");
    put(&other.0, &other.1);
    let run = root.run(&["certs", "sync"]).expect_code(1);
    assert!(
        run.err.contains("certificate.name") && serves(&root, &first),
        "{}",
        run.err
    );
    put(&second.0, &first.1);
    root.run(&["certs", "sync"]).expect_code(1);
    assert!(serves(&root, &first));
    std::fs::remove_file(&certificate).unwrap();
    let run = root.run(&["certs", "sync"]).expect_code(1);
    assert!(run.err.contains("certs.file_unreadable"), "{}", run.err);
    put(&second.0, &second.1);
    let run = root.run(&["certs", "--no-probe"]).expect_code(1);
    assert!(run.err.contains("certs.not_synced"), "{}", run.err);
    root.run(&["certs", "sync"]).expect_code(0);
    assert!(serves(&root, &second));
}

#[test]
fn mailu_s_own_are_shown() {
    let directory = tempfile::tempdir().unwrap();
    let pair = obtained(directory.path(), &NAMES, "40");
    let root = Root::new();
    root.install_with(&["--set", "tls.mode=letsencrypt"])
        .expect_code(0);
    let run = root.run(&["certs", "--no-probe"]).expect_code(1);
    assert!(run.err.contains("certs.none_yet"), "{}", run.err);
    let live = root.file("data/certs/letsencrypt/live/mailu-ecdsa");
    let archive = root.file("data/certs/letsencrypt/archive");
    std::fs::create_dir_all(&live).unwrap();
    std::fs::create_dir_all(&archive).unwrap();
    std::fs::write(archive.join("key1.pem"), &pair.1).unwrap();
    std::os::unix::fs::symlink("../../archive/key1.pem", live.join("privkey.pem")).unwrap();
    succeed(
        Command::new("chmod")
            .arg("600")
            .arg(archive.join("key1.pem")),
    );
    std::fs::write(live.join("nginx-chain.pem"), &pair.0).unwrap();
    let shown = root
        .run(&["certs", "--no-probe", "--json"])
        .expect_code(0)
        .json();
    assert_eq!(shown["pairs"][0]["origin"], "lets_encrypt");
    assert_eq!(shown["pairs"][0]["key"], "matches");
    root.run(&["certs", "sync"]).expect_code(0);
}

/// Whatever a run leaves that was killed, the next one mends, also with an unfinished `apply` around it.
#[test]
fn a_sync_that_was_killed_is_completed() {
    let directory = tempfile::tempdir().unwrap();
    let make = |days: &str| obtained(directory.path(), &NAMES, days);
    let (first, second) = (make("30"), make("60"));
    for pending in [false, true] {
        let root = Root::new();
        let acme = with_store(&root, &[&first]);
        if pending {
            // As an `apply` leaves it that was killed before it changed anything.
            root.run(&["config", "set", "limits.quota=7GB"])
                .expect_code(0);
            let mut note: serde_json::Value =
                serde_json::from_str(&root.read(".mailu/rendered.json")).unwrap();
            note["files"]["docker-compose.yml"] = serde_json::json!("another");
            root.write(".mailu/journal.json", &note.to_string());
        }
        let layout = root.layout();
        let mut fresh = Repeatable::default();
        let mut run = |at: usize| {
            let mut files = Dying::at(at, Moment::After);
            sync_certificates(&layout, &mut files, &mut fresh).map(|done| (files.changes, done))
        };
        let mut killed = 0;
        for at in 1.. {
            std::fs::write(&acme, store(&[&second])).unwrap();
            if run(at).is_ok() {
                break;
            }
            killed += 1;
            let (_, done) = run(usize::MAX).unwrap();
            assert!(!done.report.needs_an_eye(), "{:?}", done.report.findings);
            assert!(serves(&root, &second), "killed at change {at}");
            std::fs::write(&acme, store(&[&first])).unwrap();
            let _ = run(usize::MAX).unwrap();
            assert!(serves(&root, &first), "killed at change {at}");
        }
        assert!(killed > 8, "{killed}");
        assert_eq!(root.file(".mailu/journal.json").exists(), pending);
        root.run(&["apply"]).expect_code(0);
        assert!(serves(&root, &second));
    }
}

/// A port shows its certificate to a client that believes none of it, with STARTTLS where mail servers want that.
#[test]
fn what_a_port_shows_is_seen() {
    let directory = tempfile::tempdir().unwrap();
    let pair = obtained(directory.path(), &NAMES, "40");
    let path = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (certificate, key) = (path("c.pem", &pair.0), path("k.pem", &pair.1));
    let mut server = Command::new(tool("openssl"))
        .args([
            "s_server",
            "-accept",
            "127.0.0.1:0",
            "-cert",
            &certificate,
            "-key",
            &key,
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(server.stdout.take().unwrap());
    let port: u16 = loop {
        let mut line = String::new();
        assert!(out.read_line(&mut line).unwrap() > 0, "no port");
        if let Some(at) = line.trim().strip_prefix("ACCEPT ") {
            break at.rsplit(':').next().unwrap().parse().unwrap();
        }
    };
    let shown = mailu_core::host::testing::shown_by(([127, 0, 0, 1], port).into(), false, NAMES[0])
        .unwrap();
    assert_eq!(shown.names, NAMES);
    server.kill().unwrap();
    let _ = server.wait();
    // Nobody there; and somebody who does not speak TLS.
    let refused =
        mailu_core::host::testing::shown_by(([127, 0, 0, 1], port).into(), false, NAMES[0]);
    assert!(refused.is_err());
    for (answer, reason) in [
        ("550 go away\r\n", "it said `550 go away`"),
        ("220 x\r\n", "closed the connection"),
    ] {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let thread = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let _ = stream.read_to_end(&mut Vec::new());
        });
        let error = mailu_core::host::testing::shown_by(address, true, NAMES[0]).unwrap_err();
        assert!(error.contains(reason), "{error}");
        thread.join().unwrap();
    }
}

fn with_engine(root: &Root, engine: &FakeEngine, args: &[&str]) -> Run {
    finished(engine.reach(&mut root.command(args)).output().unwrap())
}

/// A front that runs since long ago. Its Dovecot is alive when it was asked `dead` times, and shows each of `shown` once, the last for ever.
fn front(engine: &FakeEngine, dead: usize, shown: &[&(String, String)]) {
    let mut container = FakeContainer::of("mailu", "front", "ghcr.io/mailu/nginx:2024.06.57");
    "2026-01-01T00:00:00Z".clone_into(&mut container.started);
    engine.add(container);
    let mut asked = 0;
    engine.program("front", &["sh", "-c"], move |_, _| {
        asked += 1;
        if asked > dead {
            Answer::default()
        } else {
            Answer::failed(1, "sh: can't kill pid 42: No such process\n")
        }
    });
    let mut shown: Vec<String> = shown.iter().map(|pair| pair.0.clone()).collect();
    shown.reverse();
    engine.program("front", &["openssl", "s_client"], move |_, _| {
        let one = if shown.len() > 1 {
            shown.pop()
        } else {
            shown.last().cloned()
        };
        Answer::out(&format!("CONNECTED(00000003)\n---\n{}---\n", one.unwrap()))
    });
}

fn restarts(engine: &FakeEngine) -> usize {
    engine
        .calls()
        .iter()
        .filter(|call| call.contains("/restart"))
        .count()
}

#[test]
fn front_is_seen_to_serve_what_is_new() {
    let directory = tempfile::tempdir().unwrap();
    let make = |days: &str| obtained(directory.path(), &NAMES, days);
    let (first, second) = (make("40"), make("80"));
    let root = Root::new();
    let acme = with_store(&root, &[&first]);

    // Nothing new, and nobody is disturbed.
    let engine = FakeEngine::start();
    front(&engine, 0, &[&first]);
    let run = with_engine(&root, &engine, &["certs", "sync", "--json"]).expect_code(0);
    assert_eq!(run.json()["front"], "not_needed");
    // New, and front takes its time.
    std::fs::write(&acme, store(&[&second])).unwrap();
    let engine = FakeEngine::start();
    front(&engine, 0, &[&first, &first, &second]);
    let run = with_engine(&root, &engine, &["certs", "sync", "--json"]).expect_code(0);
    assert_eq!(run.json()["front"], "serving");
    assert_eq!(restarts(&engine), 0);

    // A Dovecot that ended when there was no certificate; also where there is nothing new.
    let engine = FakeEngine::start();
    front(&engine, 1, &[&second]);
    let run = with_engine(&root, &engine, &["certs", "sync"]).expect_code(0);
    assert!(
        run.out.contains("front was restarted, and serves it"),
        "{}",
        run.out
    );
    assert_eq!(restarts(&engine), 1);
    // It cannot be restarted: said, and the certificate is in place all the same.
    std::fs::write(&acme, store(&[&first])).unwrap();
    let engine = FakeEngine::start();
    front(&engine, 9, &[&second]);
    engine.fail("/restart", 9, "no space left on device");
    let run = with_engine(&root, &engine, &["certs", "sync"]).expect_code(1);
    assert!(run.err.contains("certs.front"), "{}", run.err);
    assert!(serves(&root, &first));
    // It does not run.
    let engine = FakeEngine::start();
    front(&engine, 9, &[&second]);
    engine.change("mailu_front", |front| front.state = "exited");
    let run = with_engine(&root, &engine, &["certs", "sync", "--json"]).expect_code(0);
    assert_eq!(run.json()["front"], "not_running");
}

#[test]
fn systemd_takes_the_timer() {
    let root = Root::called("a root with 100% $odd names");
    let run = root.run(&["certs", "timer"]).expect_code(0);
    assert!(run.out.contains("OnCalendar=hourly"), "{}", run.out);
    let state = root
        .run(&["certs", "timer", "--json"])
        .expect_code(0)
        .json();
    let directory = tempfile::tempdir().unwrap();
    let mut paths = Vec::new();
    for unit in state["units"].as_array().unwrap() {
        let name = Path::new(unit[0].as_str().unwrap()).file_name().unwrap();
        let path = directory.path().join(name);
        std::fs::write(&path, unit[1].as_str().unwrap()).unwrap();
        paths.push(path);
    }
    // It comes with systemd, which containers do without.
    if let Ok(output) = Command::new("systemd-analyze")
        .arg("verify")
        .args(&paths)
        .output()
    {
        assert!(
            output.status.success() && output.stderr.is_empty(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    if !Path::new("/run/systemd/system").exists() {
        let run = root.run(&["certs", "timer", "--install"]).expect_code(2);
        assert!(run.err.contains("have cron do it"), "{}", run.err);
    }
}
