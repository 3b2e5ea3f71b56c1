//! Two thousand users from a table in one run against one call of Mailu's API for each user. Both meet the stand-in for Mailu's admin, without
//! containers: its API answers at an address of this machine, its import is a process as in the container.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::fake_engine::{FakeContainer, FakeEngine};
use crate::standin::{StandIn, TOKEN};
use crate::{install, program, time};

/// One connection, one call after the other, as a script does it.
const CALLS: &str = "
import csv, http.client, json, sys
host, token, file = sys.argv[1:]
connection = http.client.HTTPConnection(host, 8080)
for row in csv.DictReader(open(file)):
    body = json.dumps({'email': row['email'], 'raw_password': row['password'], 'displayed_name': row['displayed_name'], 'quota_bytes': 10 ** 9})
    connection.request('POST', '/api/v1/user', body, {'Authorization': f'Bearer {token}', 'Content-Type': 'application/json'})
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 200, answer.status
";

fn table(here: &Path, count: usize) -> std::path::PathBuf {
    let mut text = String::from("email,password,displayed_name,quota\n");
    for n in 0..count {
        let _ = writeln!(
            text,
            "user{n}@d0.example,secret-{n}-of-some-length,User {n},1GB"
        );
    }
    let path = here.join(format!("users{count}.csv"));
    std::fs::write(&path, text).unwrap();
    path
}

/// A stand-in with the email domain, and nobody in it.
fn admin(rounds: u32) -> StandIn {
    let admin = StandIn::start(rounds);
    let made = admin.flask(&["mailu", "domain", "d0.example"], b"");
    assert_eq!(made.code, 0, "{}", made.err);
    admin
}

fn users(admin: &StandIn) -> usize {
    let said = admin
        .flask(&["mailu", "config-export", "-j", "user"], b"")
        .out;
    said.matches("\"email\"").count()
}

fn apply(root: &Path, engine: &FakeEngine, file: &Path) -> f64 {
    let mut command = Command::new(program());
    command
        .arg("--root")
        .arg(root)
        .args(["accounts", "apply"])
        .arg(file)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let command = engine.reach(&mut command);
    time(|| assert!(command.status().unwrap().success())).as_secs_f64()
}

pub(crate) fn measure(here: &Path) {
    let root = here.join("accounts");
    install(&root, 1, &[]);
    println!(
        "users from a table, against the stand-in for Mailu's admin (no engine); bcrypt at cost 4 and at Mailu's 12"
    );
    for (count, rounds) in [(200, 4), (2000, 4), (100, 12)] {
        let file = table(here, count);
        let engine = FakeEngine::start();
        let mut container = FakeContainer::of("mailu", "admin", "ghcr.io/mailu/admin:2024.06");
        container
            .networks
            .insert("mailu_default".to_owned(), String::new());
        engine.add(container);
        let ours = admin(rounds);
        ours.plays(&engine, "mailu_admin");
        let first = apply(&root, &engine, &file);
        assert_eq!(users(&ours), count);
        let again = apply(&root, &engine, &file);

        let theirs = admin(rounds);
        let calls = time(|| {
            let address = theirs.address().to_string();
            let status = Command::new("/usr/bin/python3")
                .args(["-c", CALLS, &address, TOKEN])
                .arg(&file)
                .status()
                .unwrap();
            assert!(status.success());
        })
        .as_secs_f64();
        assert_eq!(users(&theirs), count);
        println!(
            "  {count:>5} users, cost {rounds:>2}: one run {first:>7.2} s; a call for each {calls:>7.2} s ({:.1} times as long); again, no change {again:.2} s",
            calls / first
        );
    }
}
