//! `mailu update`, against an engine that plays a script.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use serde_json::Value;

use crate::fake_engine::{FakeEngine, Fate};
use crate::interrupted::{self, Killer, counted, inventory, noted};
use crate::kill::{copy, without_date};
use crate::support::{
    Mounted, Root, Run, Snapshot, files_below, may_mount, noise, snapshot, succeed,
};
use crate::up::{self, Admin, QUIET};

const OLD: &str = "2024.06.55";
const NEW: &str = "2024.06.57";

/// The revision of every release of the series.
const REVISION: &str = "0ba45693748d";

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// Lets `SQLite` do something in Mailu's database.
fn sql(root: &Path, commands: &str) {
    let script = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.executescript(sys.argv[2]); c.close()";
    succeed(
        Command::new("/usr/bin/python3")
            .args(["-c", script])
            .arg(root.join("data/admin/main.db"))
            .arg(commands),
    );
}

/// The image of a service in a release.
fn image(service: &str, release: &str) -> String {
    format!("ghcr.io/mailu/{service}:{release}")
}

/// A server of the older release with mail and a database.
fn running() -> (Root, FakeEngine) {
    let (root, engine, _) = with_admin();
    (root, engine)
}

/// The same, with what its admin knows.
fn with_admin() -> (Root, FakeEngine, Admin) {
    running_at(Root::new())
}

fn running_at(root: Root) -> (Root, FakeEngine, Admin) {
    let (engine, admin) = up::engine(&root);
    let version = format!("--set=version={OLD}");
    up::run(&root, &engine, &[&QUIET[..], &[&version]].concat()).expect_code(0);
    root.edit(
        "mailu.toml",
        &format!("version = \"{OLD}\""),
        &format!("# ours\nversion = \"{OLD}\" # stays"),
    );
    write(
        &root.file("data/mail/a@example.com/cur/1.M1P1.mail:2,S"),
        "one\n",
    );
    write(&root.file("data/mailqueue/deferred/A/1"), "queued\n");
    write(&root.file("data/webmail/a"), "settings\n");
    sql(
        &root.file(""),
        &format!(
            "create table alembic_version (version_num); insert into alembic_version values ('{REVISION}')"
        ),
    );
    engine.take_calls();
    (root, engine, admin)
}

fn update(root: &Root, engine: &FakeEngine, more: &[&str]) -> Run {
    up::run(root, engine, &[&["update"], more].concat())
}

/// Every container, with its image.
fn containers(engine: &FakeEngine) -> Vec<(String, String, String)> {
    let names = engine.containers().into_iter();
    names
        .map(|name| {
            let one = engine.container(&name).unwrap();
            (name, one.id, one.image)
        })
        .collect()
}

/// Fails unless everything runs, and with the images of `release`.
fn runs(engine: &FakeEngine, release: &str) {
    assert!(engine.all_run());
    let all = containers(engine);
    assert_eq!(all.len(), 9, "{all:?}");
    for (name, _, image) in all {
        let mailus = image.starts_with("ghcr.io/mailu/");
        assert!(!mailus || image.ends_with(release), "{name}: {image}");
    }
}

/// Fails if anything of an update is left beside the deployment or in it.
fn nothing_is_left(root: &Root) {
    for name in inventory(&root.path()).0.keys() {
        let left = [".restor", ".mailu-updating", ".mailu-new", "mailu-snapshot"];
        assert!(
            !left.iter().any(|part| name.contains(part)),
            "{name} is left"
        );
    }
}

fn backups(root: &Root) -> Vec<PathBuf> {
    files_below(&root.path().join("backups"))
}

fn ids(value: &Value) -> Vec<String> {
    let all = value.as_array().unwrap().iter();
    all.map(|one| one["id"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn another_release_takes_over_and_again_nothing_is_to_do() {
    let (root, engine) = running();
    let toml = root.read("mailu.toml");
    let done = update(&root, &engine, &["--json"]).expect_code(0).json();
    assert_eq!(done["performed"], true);
    assert_eq!((&done["from"], &done["to"]), (&OLD.into(), &NEW.into()));
    assert_eq!(done["run"]["installed"], true);
    assert_eq!(root.read("mailu.toml"), toml.replace(OLD, NEW));
    assert!(root.read(".env").contains(NEW) && !root.read(".env").contains(OLD));
    runs(&engine, NEW);
    nothing_is_left(&root);
    assert_eq!(up::state(&root), "installed");

    let backup = done["backup"].as_str().unwrap();
    let verified = root.run(&["backup", "verify", backup, "--json"]);
    let verified = verified.expect_code(0).json();
    assert_eq!(verified["head"]["mailu_version"], OLD);
    assert_eq!(verified["head"]["schema_head"], REVISION);
    assert_eq!(verified["end"]["messages"], 1);

    let calls = engine.calls();
    let first = |part: &str| calls.iter().position(|call| call.contains(part)).unwrap();
    let last = |part: &str| calls.iter().rposition(|call| call.contains(part)).unwrap();
    assert!(last("docker pull") < first("/pause"), "{calls:#?}");
    assert!(last("/unpause") < first("mailu_smtp/stop"), "{calls:#?}");
    assert!(first("mailu_smtp/stop") < first(" stop"), "{calls:#?}");
    assert!(first(" stop") < first(" up "), "{calls:#?}");

    let (before, there) = (inventory(&root.path()), containers(&engine));
    let again = update(&root, &engine, &[]).expect_code(0);
    assert!(again.out.contains("nothing to do"), "{}", again.out);
    inventory(&root.path()).assert_same(&before, "again");
    assert_eq!(containers(&engine), there);
}

#[test]
fn a_dry_run_shows_and_changes_nothing() {
    let (root, engine) = running();
    let (before, there) = (inventory(&root.path()), containers(&engine));
    let shown = update(&root, &engine, &["--dry-run"]).expect_code(0);
    for part in [
        "from Mailu 2024.06.55 to 2024.06.57",
        "would pull: get ghcr.io/mailu/admin:2024.06.57",
        "would hold: stop the services",
    ] {
        assert!(shown.out.contains(part), "{part}: {}", shown.out);
    }
    let json = update(&root, &engine, &["--dry-run", "--json"]);
    let json = json.expect_code(0).json();
    let steps = json["steps"].as_array().unwrap().iter();
    let steps: Vec<&str> = steps.map(|step| step["action"].as_str().unwrap()).collect();
    assert_eq!(
        steps,
        [
            "test", "pull", "backup", "hold", "copy", "start", "prove", "keep"
        ]
    );
    assert_eq!(json["performed"], false);
    let older = update(
        &root,
        &engine,
        &["--dry-run", "--json", "--to", "2024.06.54"],
    );
    assert_eq!(ids(&older.json()["findings"]), ["update.older"]);
    inventory(&root.path()).assert_same(&before, "a dry run");
    assert_eq!(containers(&engine), there);
    assert!(!root.path().join("backups").exists());
    // Nothing but the question for the database's revision.
    for call in engine.calls() {
        assert!(
            call.contains("python3 -") || call.contains(" version"),
            "{call}"
        );
    }
}

/// What a new release does to what it finds, and what comes meanwhile.
fn changes_on_start(root: &Root, engine: &FakeEngine) {
    let base = root.file("");
    engine.on_start(&image("admin", NEW), move || {
        sql(&base, "create table if not exists new (a)");
        write(&base.join("data/admin/new"), "new\n");
        write(&base.join("data/new/file"), "new\n");
        std::fs::write(base.join("data/webmail/a"), "changed\n").unwrap();
        write(&base.join(ARRIVED), "in between\n");
        write(&base.join(THEIRS), "of an operator\n");
    });
}

const ARRIVED: &str = "data/mail/a@example.com/new/2.M1P1.mail";

const THEIRS: &str = "notes";

/// Fails unless everything is as before, but for mail that came meanwhile, and what an operator has put there.
fn as_before(root: &Root, before: &Snapshot, what: &str) {
    let mut now = inventory(&root.path());
    now.0
        .retain(|name, _| !name.contains("a@example.com/new") && !name.ends_with(THEIRS));
    let mut before = before.clone();
    // The backup has it.
    for all in [&mut now, &mut before] {
        all.0
            .retain(|name, _| !name.ends_with(".mailu/backup.lock"));
    }
    now.assert_same(&before, what);
    nothing_is_left(root);
}

#[test]
fn a_release_that_does_not_start_is_taken_back() {
    let (root, engine) = running();
    let before = inventory(&root.path());
    changes_on_start(&root, &engine);
    for fate in [
        Fate::Exits(1),
        Fate::Loops(1),
        Fate::Unhealthy("no".to_owned()),
        Fate::Refused("no such device".to_owned()),
    ] {
        engine.fate_of(&image("dovecot", NEW), fate.clone());
        let what = format!("{fate:?}");
        let failed = update(&root, &engine, &["--json", "--wait=2"]).expect_code(2);
        let error = failed.json()["error"].clone();
        let hints = error["hints"].to_string();
        for part in [
            "everything is as it was before the update",
            "the backup that",
        ] {
            assert!(hints.contains(part), "{what}: {error:#}");
        }
        as_before(&root, &before, &what);
        runs(&engine, OLD);
        assert_eq!(root.read(ARRIVED), "in between\n");
        assert_eq!(root.read(THEIRS), "of an operator\n");
        assert_eq!(up::state(&root), "installed");
    }
    engine.fate_of(&image("dovecot", NEW), Fate::Well);
    update(&root, &engine, &[]).expect_code(0);
    runs(&engine, NEW);
    assert_eq!(root.read("data/webmail/a"), "changed\n");
    // Within the series an older one reads what the newer one wrote.
    let done = update(&root, &engine, &["--to", OLD, "--json"]);
    let done = done.expect_code(0).json();
    assert!(ids(&done["findings"]).contains(&"update.older".to_owned()));
    runs(&engine, OLD);
    assert_eq!(root.read("data/webmail/a"), "changed\n");
}

#[test]
fn an_account_that_is_gone_goes_back() {
    let (root, engine, admin) = with_admin();
    let user = serde_json::json!({ "email": "b@example.com" });
    let with = move |there: bool, accounts: &mut Value| {
        let all = accounts["user"].as_array_mut().unwrap();
        all.retain(|one| one["email"] != "b@example.com");
        all.extend(there.then(|| user.clone()));
    };
    with(true, &mut admin.lock().unwrap());
    let before = inventory(&root.path());
    for (release, there) in [(OLD, true), (NEW, false)] {
        let (admin, with) = (admin.clone(), with.clone());
        engine.on_start(&image("admin", release), move || {
            with(there, &mut admin.lock().unwrap());
        });
    }
    let error = update(&root, &engine, &["--json"]).expect_code(2).json();
    assert_eq!(error["error"]["code"], "update.accounts", "{error:#}");
    assert!(error.to_string().contains("b@example.com"), "{error:#}");
    as_before(&root, &before, "without an account");
    runs(&engine, OLD);
}

#[test]
fn an_image_that_somebody_has_chosen_stays_and_is_named() {
    let (root, engine) = running();
    let chosen = "ghcr.io/mailu/webmail:2024.06.55";
    let text = format!("services:\n  webmail:\n    image: {chosen}\n");
    root.write("docker-compose.override.yml", &text);
    let done = update(&root, &engine, &["--json"]).expect_code(0).json();
    let all = done["run"]["findings"].as_array().unwrap();
    let one = all.iter().find(|one| one["id"] == "update.other_image");
    let one = one.unwrap_or_else(|| panic!("{done:#}"));
    assert_eq!(
        (&one["subject"], &one["value"]),
        (&"webmail".into(), &chosen.into())
    );
    assert_eq!(engine.container("mailu_webmail").unwrap().image, chosen);
    assert_eq!(
        engine.container("mailu_admin").unwrap().image,
        image("admin", NEW)
    );
}

/// While the new release starts, the engine ends: nobody can go back then, but with the next command.
#[test]
fn an_engine_that_goes_away_leaves_a_way_back() {
    for back in [false, true] {
        let (root, engine) = running();
        let before = inventory(&root.path());
        changes_on_start(&root, &engine);
        engine.vanish_during("--force-recreate imap");
        let error = update(&root, &engine, &["--json"]).expect_code(2).json();
        let hints = error["error"]["hints"].to_string();
        assert!(hints.contains("going back failed, too"), "{error:#}");
        assert_eq!(noted(&root).as_deref(), Some("undoing"));
        engine.come_back();
        let args: &[&str] = if back { &["--undo"] } else { &[] };
        let run = update(&root, &engine, args).expect_code(0);
        assert!(
            run.out.contains("going back to Mailu 2024.06.55"),
            "{}",
            run.out
        );
        if back {
            as_before(&root, &before, "gone back");
            runs(&engine, OLD);
        } else {
            nothing_is_left(&root);
            runs(&engine, NEW);
        }
    }
}

#[test]
fn a_database_of_another_revision_goes_back() {
    let (root, engine) = running();
    let before = inventory(&root.path());
    let base = root.file("");
    engine.on_start(&image("admin", NEW), move || {
        sql(
            &base,
            "update alembic_version set version_num = 'ffffffffffff'",
        );
    });
    let error = update(&root, &engine, &["--json"]).expect_code(2).json();
    assert_eq!(error["error"]["code"], "update.schema");
    assert!(error.to_string().contains("ffffffffffff"), "{error:#}");
    as_before(&root, &before, "another revision");
    runs(&engine, OLD);
    // One that is of no release already is not touched.
    sql(
        &root.file(""),
        "update alembic_version set version_num = 'eeeeeeeeeeee'",
    );
    refused(&root, &engine, &[], "update.refused", &["update.schema"]);
}

/// Fails unless it is refused for what is expected, with hints, and nothing was changed.
fn refused(root: &Root, engine: &FakeEngine, args: &[&str], code: &str, findings: &[&str]) {
    let (before, there) = (inventory(&root.path()), containers(engine));
    let archives = backups(root);
    engine.take_calls();
    let run = update(root, engine, &[args, &["--json"]].concat()).expect_code(2);
    let error = run.json()["error"].clone();
    assert_eq!(error["code"], code, "{error:#}");
    let all = error["findings"].as_array().cloned().unwrap_or_default();
    assert_eq!(ids(&Value::Array(all.clone())), findings, "{error:#}");
    let hinted = |one: &Value| one["hints"].as_array().is_some_and(|all| !all.is_empty());
    assert!(hinted(&error) || all.iter().all(hinted), "{error:#}");
    inventory(&root.path()).assert_same(&before, code);
    assert_eq!(containers(engine), there, "{code}");
    for call in engine.calls() {
        assert!(
            !["/stop", "/start", " stop", " up ", "/pause"]
                .iter()
                .any(|part| call.contains(part)),
            "{code}: {call}"
        );
    }
    assert_eq!(backups(root), archives, "{code}");
}

#[test]
fn what_cannot_be_done_is_refused_and_nothing_is_changed() {
    let (root, engine) = running();
    refused(&root, &engine, &["--undo"], "update.nothing_to_undo", &[]);
    for release in ["2.0", "latest", "2024.06", "2024.06.20", "2023.12.1"] {
        let before = inventory(&root.path());
        let run = update(&root, &engine, &["--to", release]).expect_code(2);
        assert!(run.err.contains("2024.06."), "{release}: {}", run.err);
        inventory(&root.path()).assert_same(&before, release);
    }
    engine.registry(false);
    let code = "image.unreachable";
    refused(&root, &engine, &[], code, &[]);
    engine.registry(true);

    // Links.
    let elsewhere = root.path().join("elsewhere");
    for path in ["data/webmail", "mailu.toml", "overrides"] {
        std::fs::rename(root.file(path), &elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, root.file(path)).unwrap();
        refused(&root, &engine, &[], "update.refused", &["update.elsewhere"]);
        std::fs::remove_file(root.file(path)).unwrap();
        std::fs::rename(&elsewhere, root.file(path)).unwrap();
    }

    // Somebody's edit against ours.
    let env = root.read("mailu.env");
    root.edit(
        "mailu.env",
        "MESSAGE_SIZE_LIMIT=50000000",
        "MESSAGE_SIZE_LIMIT=70000000",
    );
    let toml = root.read("mailu.toml");
    root.run(&["config", "set", "limits.message_size=60MB"])
        .expect_code(0);
    refused(&root, &engine, &[], "update.edited", &["update.conflict"]);
    root.write("mailu.toml", &toml);
    root.write("mailu.env", &env);

    let pinned = format!("MAILU_VERSION={OLD}");
    root.edit(".env", &pinned, "MAILU_VERSION=2024.06.54");
    refused(&root, &engine, &[], "update.edited", &["update.conflict"]);
    up::run(&root, &engine, &["apply", "--reset", "MAILU_VERSION"]).expect_code(0);
    assert!(root.read(".env").contains(&pinned));
    let compose = root.read("docker-compose.yml");
    root.edit("docker-compose.yml", "services:", "# mine\nservices:");
    refused(&root, &engine, &[], "update.edited", &["update.conflict"]);
    up::run(&root, &engine, &["apply", "--reset", "docker-compose.yml"]).expect_code(0);
    assert_eq!(root.read("docker-compose.yml"), compose);

    up::run(&root, &engine, &["stop"]).expect_code(0);
    refused(
        &root,
        &engine,
        &[],
        "update.refused",
        &["update.not_running"],
    );
    up::run(&root, &engine, &["start"]).expect_code(0);

    root.write("mailu.env", &format!("{env}DB_FLAVOR=mysql\n"));
    refused(
        &root,
        &engine,
        &[],
        "update.refused",
        &["update.outside_database"],
    );
    let done = update(&root, &engine, &["--without-database", "--json"]);
    let done = done.expect_code(0).json();
    assert!(ids(&done["findings"]).contains(&"update.outside_database".to_owned()));
    assert_eq!(done["performed"], true);
    runs(&engine, NEW);
    assert!(root.read("mailu.env").contains("DB_FLAVOR=mysql"));
}

#[test]
fn mail_may_be_elsewhere() {
    let (root, engine) = running();
    let elsewhere = root.path().join("disk");
    let mail = root.file("data/mail");
    std::fs::rename(&mail, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &mail).unwrap();
    let before = snapshot(&elsewhere);
    update(&root, &engine, &[]).expect_code(0);
    runs(&engine, NEW);
    assert_eq!(std::fs::read_link(&mail).unwrap(), elsewhere);
    snapshot(&elsewhere).assert_same(&before, "mail");
    nothing_is_left(&root);
}

#[test]
fn an_interrupted_start_goes_on_or_back() {
    for back in [false, true] {
        let (root, engine) = running();
        let before = inventory(&root.path());
        changes_on_start(&root, &engine);
        engine.fate_of(&image("dovecot", NEW), Fate::Slow(1_000_000));
        // The services before it run, with what they changed.
        killed_when(&root, &engine, || root.file(ARRIVED).exists());
        assert_eq!(noted(&root).as_deref(), Some("starting"));

        let status = up::run(&root, &engine, &["status", "--json"]).json();
        let all = status["findings"].as_array().unwrap();
        let one = all.iter().find(|one| one["id"] == "update.unfinished");
        let one = one.unwrap_or_else(|| panic!("{status:#}")).to_string();
        assert!(one.contains("update --domain mail.example.com`"), "{one}");
        let archive = &backups(&root)[0];
        let now = inventory(&root.path());
        for verb in [
            &["config", "set", "limits.quota=5GB"][..],
            &["apply"],
            &["backup"],
            &["restart"],
            &["update", "--dry-run"],
            &["update", "--to", "2024.06.56"],
            &["restore"],
            &["restore", "--undo"],
            &["restore", archive.to_str().unwrap()],
            &QUIET,
        ] {
            let error = up::run(&root, &engine, &[verb, &["--json"]].concat());
            let error = error.expect_code(2).json()["error"].clone();
            assert_eq!(error["code"], "update.unfinished", "{verb:?}: {error:#}");
            let hints = error["hints"].to_string();
            assert!(
                hints.contains("update --domain mail.example.com`"),
                "{verb:?}: {hints}"
            );
            inventory(&root.path()).assert_same(&now, verb[0]);
        }

        engine.fate_of(&image("dovecot", NEW), Fate::Well);
        engine.befall("imap", Fate::Well);
        let args: &[&str] = if back {
            &["--undo", "--json"]
        } else {
            &["--json"]
        };
        let done = update(&root, &engine, args).expect_code(0).json();
        let what = done["recovered"].as_str().unwrap();
        assert!(
            what.contains("was interrupted while starting Mailu 2024.06.57"),
            "{what}"
        );
        assert_eq!(done["performed"], !back);
        assert_eq!(root.read(ARRIVED), "in between\n");
        if back {
            as_before(&root, &before, "gone back");
            runs(&engine, OLD);
        } else {
            assert_eq!(root.read("data/webmail/a"), "changed\n");
            nothing_is_left(&root);
            runs(&engine, NEW);
        }
        up::run(&root, &engine, &["config", "set", "limits.quota=5GB"]).expect_code(0);
    }
}

/// Starts an update, and kills it as soon as it `is` so.
fn killed_when(root: &Root, engine: &FakeEngine, is: impl Fn() -> bool) {
    interrupted::killed_when(engine.reach(&mut root.command(&["update"])), is);
}

/// Where calls that change files are made, and at how many of each the program is killed.
type Calls = [(&'static str, usize)];

/// A deployment as it is before an update, as often as it is wanted.
struct Seed {
    root: Root,
    accounts: Value,
    before: Snapshot,
}

impl Seed {
    fn new() -> Self {
        let (root, _, admin) = with_admin();
        let before = inventory(&root.path());
        let accounts = admin.lock().unwrap().clone();
        Self {
            root,
            accounts,
            before,
        }
    }

    fn fresh(&self) -> (Root, FakeEngine) {
        let root = Root::new();
        copy(&self.root.path(), &root.path());
        let (engine, admin) = up::engine(&root);
        admin.lock().unwrap().clone_from(&self.accounts);
        engine.up(&root.file(""));
        changes_on_start(&root, &engine);
        (root, engine)
    }

    /// Kills updates all along their way, and has `next` judge what it finds of each. Returns how often which state was noted.
    fn sweep(
        &self,
        calls: &Calls,
        prepare: impl Fn(&FakeEngine) + Sync,
        next: impl Fn(&Root, &FakeEngine, usize, Option<&str>, &str) + Sync,
    ) -> BTreeMap<String, usize> {
        let command = |root: &Root, engine: &FakeEngine| {
            let mut command = root.command(&["update", "--wait=5"]);
            engine.reach(&mut command);
            command
        };
        let (root, engine) = self.fresh();
        prepare(&engine);
        let names: Vec<&str> = calls.iter().map(|(call, _)| *call).collect();
        let counts = counted(&command(&root, &engine), &names, &root.beside("log", ""));
        let mut killers = Vec::new();
        for ((call, times), count) in calls.iter().zip(counts) {
            assert!(count > 0, "{call} is never called");
            let numbers = (1..=count).rev().step_by(count.div_ceil(*times));
            killers.extend(numbers.map(|number| Killer::new(call, number)));
        }
        let states = Mutex::new(BTreeMap::new());
        let one = |number: usize, killer: &Killer| {
            let (root, engine) = self.fresh();
            prepare(&engine);
            if !killer.kills(&command(&root, &engine)) {
                // Threads share the work differently each time.
                return;
            }
            let state = noted(&root);
            let known = state.clone().unwrap_or_default();
            *states.lock().unwrap().entry(known).or_insert(0) += 1;
            let what = format!("{killer} in {state:?}");
            next(&root, &engine, number, state.as_deref(), &what);
        };
        // Most of the time it is waited for something.
        std::thread::scope(|scope| {
            for part in 0..4 {
                let (killers, one) = (&killers, &one);
                scope.spawn(move || {
                    for (number, killer) in killers.iter().enumerate().skip(part).step_by(4) {
                        one(number, killer);
                    }
                });
            }
        });
        states.into_inner().unwrap()
    }
}

/// The program, killed by the kernel all along its way: the next run says what it found, and finishes or goes back.
#[test]
fn killed_anywhere_it_is_finished_or_taken_back() {
    let seed = Seed::new();
    let after = {
        let (root, engine) = seed.fresh();
        update(&root, &engine, &[]).expect_code(0);
        without_date(inventory(&root.path()))
    };
    let calls = [
        ("rename", 15),
        ("renameat2", 4),
        ("fsync", 8),
        ("syncfs", 3),
        ("mkdir", 5),
        ("unlink,unlinkat", 6),
        ("openat", 6),
    ];
    let next = |root: &Root, engine: &FakeEngine, number, state: Option<&str>, what: &str| {
        // Every other one goes back, where there is something to go back from.
        let back = number % 2 == 1 && state.is_some();
        let run = update(root, engine, if back { &["--undo"] } else { &[] });
        assert_eq!(run.code, 0, "{what}: {}", run.err);
        assert!(
            state.is_none() || run.out.contains("was interrupted while"),
            "{what}: {}",
            run.out
        );
        if back && state != Some("proven") {
            as_before(root, &seed.before, what);
            runs(engine, OLD);
            return;
        }
        let mut now = without_date(inventory(&root.path()));
        if state.is_none() {
            // Of one that had not begun or was over, at most empty directories are left.
            now.0.retain(|name, _| !name.contains(".restoring"));
        }
        now.assert_same(&after, what);
        runs(engine, NEW);
    };
    let states = seed.sweep(&calls, |_| {}, next);
    for state in ["", "staging", "holding", "swapping", "starting", "proven"] {
        assert!(
            states.contains_key(state),
            "never killed while {state}: {states:?}"
        );
    }
    assert!(states.values().sum::<usize>() > 35, "{states:?}");
}

/// The same where the new release does not work: on the way back, too.
#[test]
fn killed_on_the_way_back_everything_goes_back() {
    let seed = Seed::new();
    let broken = |engine: &FakeEngine| engine.fate_of(&image("dovecot", NEW), Fate::Exits(1));
    let calls = [
        ("rename", 8),
        ("renameat2", 8),
        ("fsync", 4),
        ("unlink,unlinkat", 8),
    ];
    let next = |root: &Root, engine: &FakeEngine, number, state: Option<&str>, what: &str| {
        let again = number % 2 == 1 || state.is_none();
        let run = update(root, engine, if again { &[] } else { &["--undo"] });
        assert_eq!(run.code, if again { 2 } else { 0 }, "{what}: {}", run.err);
        as_before(root, &seed.before, what);
        runs(engine, OLD);
        engine.fate_of(&image("dovecot", NEW), Fate::Well);
        update(root, engine, &[]).expect_code(0);
        runs(engine, NEW);
    };
    let states = seed.sweep(&calls, broken, next);
    assert!(states["undoing"] > 5, "{states:?}");
}

#[test]
fn what_is_mounted_is_refused() {
    if !may_mount("update::what_is_mounted_is_refused") {
        return;
    }
    let (root, engine) = running();
    let webmail = root.file("data/webmail");
    let refuses = || refused(&root, &engine, &[], "update.refused", &["update.elsewhere"]);
    for directory in [&webmail, &root.file(""), &root.layout().secrets()] {
        let _mounted = Mounted::itself(directory);
        refuses();
    }
    {
        let _mounted = Mounted::new(&["-t", "tmpfs", "none"], &webmail);
        refuses();
    }
    // Data may be a file system of its own.
    let _data = Mounted::itself(&root.file("data"));
    update(&root, &engine, &[]).expect_code(0);
    runs(&engine, NEW);
    nothing_is_left(&root);
}

#[test]
fn on_a_full_disk_everything_is_as_before() {
    if !may_mount("update::on_a_full_disk_everything_is_as_before") {
        return;
    }
    let disk = |megabytes: u64| {
        let root = Root::new();
        std::fs::create_dir(root.path()).unwrap();
        // An installation wants more room.
        let disk = Mounted::new(&["-t", "tmpfs", "-o", "size=2G", "none"], &root.path());
        let (root, engine, _) = running_at(root);
        let smaller = format!("remount,size={megabytes}M");
        succeed(
            Command::new("mount")
                .args(["-o", &smaller])
                .arg(root.path()),
        );
        noise(&root.file("data/filter/large"), 20);
        (root, engine, disk)
    };
    // Too small for the copies, with the margin.
    let (root, engine, _disk) = disk(90);
    refused(&root, &engine, &[], "update.refused", &["update.space"]);

    // The backup takes what there was.
    let (root, engine, _disk) = disk(160);
    noise(
        &root.file("data/mail/a@example.com/cur/3.M1P1.mail:2,S"),
        40,
    );
    let (before, there) = (inventory(&root.path()), containers(&engine));
    let error = update(&root, &engine, &["--json"]).expect_code(2).json();
    assert_eq!(
        ids(&error["error"]["findings"]),
        ["update.space"],
        "{error:#}"
    );
    assert!(
        error["error"]["hints"]
            .to_string()
            .contains("nothing was changed")
    );
    as_before(&root, &before, "no room for copies");
    assert_eq!(containers(&engine), there);
    runs(&engine, OLD);
    assert!(!engine.calls().iter().any(|call| call.contains("/stop")));

    // Somebody else takes it when services stand still already.
    let (root, engine, _disk) = disk(160);
    let before = inventory(&root.path());
    let filler = root.path().join("filler");
    let full = filler.clone();
    engine.during("/stop", move || {
        noise(&full, 1000);
        let file = std::fs::OpenOptions::new().write(true).open(&full).unwrap();
        let size = file.metadata().unwrap().len();
        file.set_len(size - (10 << 20)).unwrap();
    });
    let error = update(&root, &engine, &["--json"]).expect_code(2).json();
    let said = error["error"].to_string();
    for part in ["No space left", "everything is as it was before the update"] {
        assert!(said.contains(part), "{part}: {error:#}");
    }
    as_before(&root, &before, "a full disk");
    runs(&engine, OLD);
    std::fs::remove_file(filler).unwrap();
    update(&root, &engine, &[]).expect_code(0);
    runs(&engine, NEW);
}
