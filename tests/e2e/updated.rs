//! Other releases of Mailu: a good one comes while mail flows, and whatever is wrong with a bad one, it goes again by itself.
//!
//! `MAILU_E2E_FULL=1` (`make e2e-full`) kills updates at 40 points.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::ledger::{History, Inventory};
use crate::load::{self, Load, SENDER, arrived_of, full, kill_engine, look, perform, rate, say};
use crate::server::{ADMIN, PASSWORD, Server, containers};
use crate::support::{Snapshot, snapshot};
use crate::world::{self, arrives_in, docker, inbox, inside, inspect, outside, wait_long};

/// What the stack's images are called: the newest release that the program knows.
const NOW: &str = "2024.06.57";
const BEFORE: &str = "2024.06.56";

/// Images of another release; gone with the value.
pub(crate) struct Release(&'static str);

impl Release {
    /// The same as now, but for what `changes` say of some images, as lines of a Dockerfile.
    pub(crate) fn make(version: &'static str, changes: &[(&str, &str)]) -> Self {
        let all = format!("ghcr.io/mailu/*:{NOW}");
        let format = "{{.Repository}}";
        let names = docker(&[
            "images",
            "--filter",
            &format!("reference={all}"),
            "--format",
            format,
        ]);
        assert!(names.lines().count() > 5, "{names}");
        for name in names.lines() {
            let short = name.rsplit('/').next().unwrap();
            let change = changes
                .iter()
                .find(|(of, _)| *of == short)
                .map_or("", |(_, lines)| lines);
            let text = format!("FROM {name}:{NOW}\nLABEL release={version}\n{change}\n");
            let mut child = Command::new("docker")
                .args([
                    "build",
                    "--quiet",
                    "--tag",
                    &format!("{name}:{version}"),
                    "-",
                ])
                .env("DOCKER_BUILDKIT", "0")
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .spawn()
                .unwrap();
            child
                .stdin
                .take()
                .unwrap()
                .write_all(text.as_bytes())
                .unwrap();
            assert!(child.wait().unwrap().success(), "{text}");
        }
        Self(version)
    }
}

impl Drop for Release {
    fn drop(&mut self) {
        let reference = format!("reference=ghcr.io/mailu/*:{}", self.0);
        let format = "{{.Repository}}:{{.Tag}}";
        let output = Command::new("docker")
            .args(["images", "--filter", &reference, "--format", format])
            .output();
        let names = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        for name in names.unwrap_or_default().lines() {
            let _ = Command::new("docker")
                .args(["rmi", "--force", name])
                .output();
        }
    }
}

/// Everything by which two states of a server could be told apart, but for what goes on by itself.
#[derive(Debug, PartialEq)]
struct State {
    mailboxes: Inventory,
    accounts: String,
    images: Vec<String>,
}

/// What Mailu's database is made of, and who is in it.
const ACCOUNTS: &str = "import sqlite3
db = sqlite3.connect('file:/data/main.db?mode=ro', uri=True)
print(db.execute('select version_num from alembic_version').fetchall())
for name, text in db.execute('select name, sql from sqlite_master order by name'): print(name, text)
for table, fields in (('user', 'email, password, quota_bytes, enabled, created_at'), ('domain', 'name, created_at'), ('alias', 'email')):
    print(db.execute(f'select {fields} from \"{table}\" order by 1').fetchall())
";

fn state() -> State {
    let images = containers()
        .keys()
        .map(|service| {
            let there = inspect(&format!("mailu_{service}"));
            format!("{service} {} {}", there["Config"]["Image"], there["Image"])
        })
        .collect();
    State {
        mailboxes: look(),
        accounts: inside("mailu_admin", &["python3", "-"], ACCOUNTS),
        images,
    }
}

/// The files that say what runs, byte for byte; all but what services write.
fn files(server: &Server) -> Snapshot {
    let base = server.root.layout().directory();
    let mut all = BTreeMap::new();
    let parts = [".mailu", "dns", "overrides", "data/certs", "data/dkim"];
    let directories = parts.map(|part| base.join(part));
    for directory in directories.iter().chain([&server.root.layout().secrets()]) {
        let at = directory.display();
        let there = snapshot(directory).0.into_iter();
        all.extend(there.map(|(name, what)| (format!("{at}/{name}"), what)));
    }
    for entry in std::fs::read_dir(&base).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        all.insert(path.display().to_string(), text);
    }
    Snapshot(all)
}

fn releases_on(server: &Server) -> Vec<String> {
    let mut all: Vec<String> = containers()
        .keys()
        .map(|service| inspect(&format!("mailu_{service}"))["Config"]["Image"].to_string())
        .filter(|image| image.contains("/mailu/"))
        .map(|image| {
            image
                .rsplit(':')
                .next()
                .unwrap()
                .trim_matches('"')
                .to_owned()
        })
        .collect();
    all.dedup();
    assert!(
        server
            .root
            .read("mailu.toml")
            .contains(&format!("version = \"{}\"", all[0]))
    );
    all
}

fn code(run: &Value) -> String {
    let error = &run["error"];
    format!(
        "{} {}",
        error["code"].as_str().unwrap_or_default(),
        error["hints"]
    )
}

#[test]
fn good_releases_come_and_bad_ones_go() {
    let _alone = world::alone();
    let _images = [
        Release::make(BEFORE, &[]),
        Release::make(
            "2024.06.61",
            &[(
                "dovecot",
                "CMD [\"sh\", \"-c\", \"echo out of order; exit 3\"]",
            )],
        ),
        // Healthy, and nothing is delivered.
        Release::make(
            "2024.06.62",
            &[(
                "postfix",
                "RUN sed -i 's/:2525\"/:2526\"/' /start.py && grep -q ':2526\"' /start.py",
            )],
        ),
        // Its database is another one, and it works.
        Release::make("2024.06.63", &[("admin", MIGRATES)]),
    ];
    let server = load::server(&["--set", &format!("version={BEFORE}")]);
    perform("seed", &json!({ "count": 20 }));
    assert_eq!(releases_on(&server), [BEFORE]);
    // Its lock is among what is compared.
    server.root.run(&["backup"]).expect_code(0);
    let (then, written) = (state(), files(&server));

    let shown = server
        .root
        .run(&["update", "--dry-run", "--json"])
        .expect_code(0)
        .json();
    assert_eq!(shown["to"], NOW);
    assert!(shown["steps"].as_array().unwrap().len() > 5, "{shown:#}");
    files(&server).assert_same(&written, "a dry run");
    outside(&["inbox", "--empty", SENDER], "");

    // A mail server hands messages over all the time, and tries again.
    let mut relay = Load::start("relay", &json!({ "sent": 5 }));
    relay.has_lasted(Duration::from_secs(2));
    let bad = [
        ("2024.06.61", "start.restart_loop"),
        ("2024.06.63", "update.schema"),
        // It takes its time until mail has not come.
        ("2024.06.62", "update.no_mail"),
    ];
    for (release, why) in bad.into_iter().take(if full() { 3 } else { 2 }) {
        let from = load::now();
        let run = server
            .root
            .run(&["update", "--to", release, "--json"])
            .expect_code(2)
            .json();
        say(&format!(
            "{release}: back after {:.0} s: {}",
            load::now() - from,
            code(&run)
        ));
        assert_eq!(run["error"]["code"], why, "{run:#}");
        assert!(
            code(&run).contains("everything is as it was before the update"),
            "{run:#}"
        );
        files(&server).assert_same(&written, release);
        let now = state();
        assert_eq!(
            (now.accounts, now.images),
            (then.accounts.clone(), then.images.clone())
        );
        // To somebody whose mailbox is not counted.
        arrives_in(ADMIN, PASSWORD, &format!("after {release}"));
    }
    let from = load::now();
    let done = server.root.run(&["update", "--json"]).expect_code(0).json();
    let to = load::now();
    assert_eq!(done["performed"], true);
    assert_eq!(releases_on(&server), [NOW]);
    relay.has_lasted(Duration::from_secs(3));
    let lines = relay.stop();
    let meanwhile = lines
        .iter()
        .filter(|line| line.op == "sent" && line.t1 >= from && line.t1 <= to)
        .count();
    say(&format!(
        "{}; {meanwhile} during the update, which took {:.0} s and held mail for {} s",
        rate(&lines).0,
        to - from,
        done["stood_still_seconds"]
    ));
    assert!(meanwhile > 20, "{meanwhile}");
    wait_long("an empty queue outside", Duration::from_secs(180), || {
        let queue = outside(&["postqueue", "-j"], "");
        queue.trim().is_empty().then_some(())
    });
    let mut history = History::new(&then.mailboxes, &lines);
    history.may_come_again();
    arrived_of(&history, None, "after all updates");
    let returned = inbox(SENDER);
    assert!(
        returned.is_empty(),
        "{} were returned: {:?}",
        returned.len(),
        returned.first()
    );

    // The backup that was taken for it is one.
    let backup = done["backup"].as_str().unwrap();
    server
        .root
        .run(&["backup", "verify", backup])
        .expect_code(0);
    let (now, written) = (containers(), files(&server));
    let again = server.root.run(&["update"]).expect_code(0);
    assert!(again.out.contains("nothing to do"), "{}", again.out);
    assert_eq!(containers(), now);
    files(&server).assert_same(&written, "the same command again");
    server
        .root
        .run(&[
            "diagnose",
            "--only",
            "engine,services,ports,relay,recipients,signing,queue",
        ])
        .expect_code(0);
}

/// As a new series does: another revision, another table, another column.
const MIGRATES: &str = r#"RUN sed -i 's/^flask("db", "upgrade")/&\nimport sqlite3\ndb = sqlite3.connect("\/data\/main.db")\ndb.execute("update alembic_version set version_num = ?", ["9a5866105f5a"])\ndb.execute("create table if not exists anonmail (email text)")\ndb.commit()\ndb.close()/' /start.py && grep -q 9a5866105f5a /start.py"#;

/// Where an update notes how far it is.
fn note(server: &Server) -> PathBuf {
    let name = ".mail.example.com.restore.json";
    server.root.path().join("mailu").join(name)
}

/// The engine is killed while services are stopped for an update, and while the new release starts.
#[test]
fn an_engine_dies_during_an_update() {
    let _alone = world::alone();
    let _images = Release::make(BEFORE, &[]);
    let server = load::server(&["--set", &format!("version={BEFORE}")]);
    perform("seed", &json!({ "count": 20 }));
    let then = look();
    let journal = note(&server);
    for state in ["holding", "starting"] {
        let to = if releases_on(&server) == [NOW] {
            BEFORE
        } else {
            NOW
        };
        let mut child = server
            .root
            .command(&["update", "--to", to])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        wait_long(state, Duration::from_secs(120), || {
            let text = std::fs::read_to_string(&journal).unwrap_or_default();
            let over = child.try_wait().unwrap().is_some();
            (over || text.contains(&format!("\"{state}\""))).then_some(())
        });
        kill_engine();
        let status = child.wait().unwrap();
        load::engine_answers();
        if journal.exists() {
            server.root.run(&["update"]).expect_code(0);
        }
        assert!(!journal.exists());
        load::comes_back(&server);
        let runs = releases_on(&server);
        say(&format!(
            "the engine died while {state}: the update ended with {status}, and {runs:?} runs"
        ));
        assert_eq!(runs.len(), 1);
        assert_eq!(look(), then, "{state}");
    }
}

/// Killed wherever it is, it is as before or as after, and the next run says which and finishes.
#[test]
fn a_killed_update_is_finished_by_the_next_run() {
    let _alone = world::alone();
    let _images = Release::make(BEFORE, &[]);
    let server = load::server(&["--set", &format!("version={BEFORE}")]);
    perform("seed", &json!({ "count": 20 }));
    let then = look();
    let journal = note(&server);
    let begun = std::time::Instant::now();
    server.root.run(&["update"]).expect_code(0);
    let course = begun.elapsed();
    let points: u32 = if full() { 40 } else { 4 };
    let mut states = BTreeMap::new();
    for point in 0..points {
        let (from, to) = if releases_on(&server) == [NOW] {
            (NOW, BEFORE)
        } else {
            (BEFORE, NOW)
        };
        let child = server
            .root
            .command(&["update", "--to", to])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(course * (2 * point + 1) / (2 * points));
        let mut child = child;
        let _ = child.kill();
        child.wait().unwrap();
        let note = std::fs::read_to_string(&journal).unwrap_or_default();
        let note: Value = serde_json::from_str(&note).unwrap_or_default();
        let state = note["state"].as_str().unwrap_or("nothing noted").to_owned();
        // Half of them go on, and half go back where that is still possible.
        let back = point % 2 == 1 && !note.is_null();
        let args: &[&str] = if back {
            &["update", "--undo"]
        } else {
            &["update", "--to", to]
        };
        let run = server.root.run(args).expect_code(0);
        if !note.is_null() {
            assert!(
                run.out.contains("was interrupted while"),
                "{state}: {}",
                run.out
            );
        }
        let wanted = if back && state != "proven" { from } else { to };
        assert_eq!(releases_on(&server), [wanted], "{state}");
        assert!(!journal.exists());
        assert_eq!(look(), then, "{state}");
        *states.entry(state).or_insert(0) += 1;
    }
    say(&format!(
        "an update of {:.0} s, killed at {points} points: {states:?}",
        course.as_secs_f64()
    ));
    Server::mail_in("after killed updates");
}
