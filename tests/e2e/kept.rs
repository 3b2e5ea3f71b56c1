//! Backups that are taken while mail flows come back whole, and restoring loses nothing that arrives meanwhile.
//!
//! `MAILU_E2E_FULL=1` (`make e2e-full`) does it five times, for three minutes each, in every form an archive can have.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use age::secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::ledger::{History, Inventory, Span};
use crate::load::{
    self, ACCOUNTS, Load, RATE, SENDER, add_account, arrived_of, frozen, full, kill_engine, look,
    now, perform, rate, say, undisturbed,
};
use crate::maildir::{on_disk, wrong_files};
use crate::server::{PASSWORD, Server, USER, containers};
use crate::support::Root;
use crate::world::{self, docker, inbox, outside, wait_for, wait_long};

// --- backup and restore ----------------------------------------------------------------------------------------------------------

/// How an archive is written, and what opens it.
struct Form {
    suffix: &'static str,
    write: Vec<String>,
    open: Vec<String>,
}

impl Form {
    fn plain(suffix: &'static str) -> Self {
        Self {
            suffix,
            write: Vec::new(),
            open: Vec::new(),
        }
    }

    /// For whoever has a key.
    fn to_a_key(root: &Root) -> Self {
        let identity = age::x25519::Identity::generate();
        let text = identity.to_string();
        let file = root.beside("identity", text.expose_secret());
        Self {
            suffix: "tar.zst.age",
            write: vec![
                "--age-recipient".to_owned(),
                identity.to_public().to_string(),
            ],
            open: vec!["--age-identity".to_owned(), file.display().to_string()],
        }
    }

    /// For whoever knows a passphrase.
    fn with_a_passphrase(root: &Root) -> Self {
        let file = root.beside("passphrase", "seven words that nobody will ever guess");
        let words = vec!["--passphrase-file".to_owned(), file.display().to_string()];
        Self {
            suffix: "tar.gz.age",
            write: words.clone(),
            open: words,
        }
    }
}

fn words(all: &[String]) -> Vec<&str> {
    all.iter().map(String::as_str).collect()
}

/// A backup, when it ran, and for how many milliseconds services stood still. The first goes where backups go without being told, and is found there.
fn backup(server: &Server, form: &Form, name: Option<&str>) -> (PathBuf, Span, u64) {
    let mut args = vec!["backup".to_owned(), "--json".to_owned()];
    args.extend(form.write.iter().cloned());
    if let Some(name) = name {
        let path = server
            .root
            .path()
            .with_file_name(format!("{name}.{}", form.suffix));
        args.extend(["--output".to_owned(), path.display().to_string()]);
    }
    let from = now();
    let run = server.root.run(&words(&args)).expect_code(0);
    let to = now();
    let file = PathBuf::from(run.json()["file"].as_str().unwrap());
    assert!(file.is_file(), "{}", run.out);
    let shown = file.to_str().unwrap();
    assert!(shown.ends_with(&format!(".{}", form.suffix)), "{shown}");
    if name.is_none() {
        let list = server
            .root
            .run(&["backup", "list", "--json"])
            .expect_code(0);
        assert!(list.out.contains(shown), "{shown} is not in {}", list.out);
    }
    let verify = ["backup".to_owned(), "verify".to_owned(), shown.to_owned()];
    let verify = [&verify[..], &form.open].concat();
    server.root.run(&words(&verify)).expect_code(0);
    let frozen = run.json()["stood_still_ms"].as_u64().unwrap();
    (file, Span { from, to }, frozen)
}

fn restore(server: &Server, file: &Path, form: &Form, more: &[&str]) -> Value {
    let mut args = vec!["restore", file.to_str().unwrap(), "--json"];
    args.extend(words(&form.open));
    args.extend(more);
    server.root.run(&args).expect_code(0).json()
}

/// Nothing is left of it but a file that was put elsewhere.
fn take_down(server: &Server, file: &Path) -> PathBuf {
    let kept = server.root.path().with_file_name(format!(
        "kept-{}",
        file.file_name().unwrap().to_str().unwrap()
    ));
    std::fs::rename(file, &kept).unwrap();
    let away = [
        "uninstall",
        "--delete-data",
        "--yes-delete",
        "mail.example.com",
    ];
    server.root.run(&away).expect_code(0);
    assert!(containers().is_empty());
    docker(&["network", "prune", "--force"]);
    std::fs::remove_dir_all(server.root.path()).unwrap();
    kept
}

// --- scenarios -------------------------------------------------------------------------------------------------------------------

#[test]
fn a_backup_under_load_comes_back_whole() {
    let _alone = world::alone();
    let server = load::server(&[]);
    perform("seed", &json!({ "count": if full() { 600 } else { 100 } }));
    let (time, forms) = if full() {
        let root = &server.root;
        let forms = vec![
            Form::plain("tar.zst"),
            Form::plain("tar.gz"),
            Form::to_a_key(root),
            Form::plain("tar.zst"),
            Form::with_a_passphrase(root),
        ];
        (Duration::from_secs(180), forms)
    } else {
        (Duration::from_secs(20), vec![Form::plain("tar.zst")])
    };
    for (round, form) in forms.iter().enumerate() {
        under_load(&server, form, time, round);
    }
}

fn under_load(server: &Server, form: &Form, time: Duration, round: usize) {
    let before = look();
    let mail = server.root.file("data/mail");
    let files_before = on_disk(&mail);
    let config = json!({ "seed": round, "sent": 8, "used": 27 });
    let mut load = Load::start("load", &config);
    // The middle of it, by and large.
    load.has_lasted(time / 3);
    let name = (round > 0).then(|| format!("round-{round}"));
    let (file, window, frozen) = backup(server, form, name.as_deref());
    load.has_lasted(time);
    let lines = load.stop();
    let (done, a_second) = rate(&lines);
    say(&format!(
        "round {round}, {}: {done}; {} of them during the backup, which took {:.1} s and held services for {frozen} ms",
        form.suffix,
        lines
            .iter()
            .filter(|line| line.counts() && line.t1 >= window.from && line.t1 <= window.to)
            .count(),
        window.to - window.from
    ));
    undisturbed(&lines);
    assert!(a_second >= RATE, "{done}");
    let history = History::new(&before, &lines);
    // The server has what was acknowledged: so the ledger is right, too.
    arrived_of(&history, None, "before anything was restored");

    let file = take_down(server, &file);
    restore(server, &file, form, &[]);
    let (verdict, inventory) = arrived_of(&history, Some(window), "after the restore");
    let wrong = wrong_files(&files_before, &on_disk(&mail), &inventory);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(verdict.kept > 200, "{verdict:?}");
    Server::mail_in(&format!("after restore {round}"));
    say(&format!(
        "round {round}: {} messages that had to be there, {} that were changing, {} taken over SMTP, 0 lost",
        verdict.kept,
        verdict.in_flight,
        history.taken()
    ));
    std::fs::remove_file(&file).unwrap();
}

/// Message-IDs of those that `account` has, as often as it has them.
fn ids(inventory: &Inventory, account: &str) -> BTreeMap<String, usize> {
    let mut all = BTreeMap::new();
    for message in inventory[account]
        .values()
        .flat_map(|folder| &folder.messages)
    {
        *all.entry(message.id.clone()).or_default() += 1;
    }
    all
}

#[test]
fn messages_sent_during_a_restore_arrive() {
    let _alone = world::alone();
    let server = load::server(&[]);
    perform("seed", &json!({ "count": 20 }));
    let form = Form::plain("tar.zst");
    let (file, ..) = backup(&server, &form, Some("earlier"));
    let then = look();
    outside(&["inbox", "--empty", SENDER], "");

    // A mail server hands them over, and tries again.
    let mut load = Load::start("relay", &json!({ "sent": 5 }));
    load.has_lasted(Duration::from_secs(3));
    let from = now();
    restore(&server, &file, &form, &[]);
    let to = now();
    load.has_lasted(Duration::from_secs(5));
    let lines = load.stop();
    let (done, _) = rate(&lines);
    let meanwhile = lines
        .iter()
        .filter(|line| line.op == "sent" && line.t1 >= from && line.t1 <= to)
        .count();
    say(&format!(
        "{done}; {meanwhile} of them during the restore, which took {:.1} s, from {from:.1} to {to:.1}",
        to - from
    ));
    assert!(meanwhile > 10, "the restore took {} s", to - from);

    wait_long("an empty queue outside", Duration::from_secs(180), || {
        let queue = outside(&["postqueue", "-j"], "");
        queue.trim().is_empty().then_some(())
    });
    let mut history = History::new(&then, &lines);
    // Those that waited outside were handed over at some time later.
    history.may_come_again();
    let (_, after) = arrived_of(&history, None, "after the restore");
    let twice = ACCOUNTS.map(|account| ids(&after, account).values().filter(|n| **n > 1).count());
    let twice: usize = twice.iter().sum();
    say(&format!("{twice} were delivered twice"));
    // Postfix has no more than that under way to one place.
    assert!(twice <= 20, "{twice} were delivered twice");
    let returned = inbox(SENDER);
    assert!(
        returned.is_empty(),
        "{} were returned: {:?}",
        returned.len(),
        returned.first()
    );
}

#[test]
fn one_deleted_mailbox_comes_back_beside_newer_mail() {
    let _alone = world::alone();
    let server = load::server(&[]);
    perform("seed", &json!({ "count": 20 }));
    perform("post", &json!({ "to": USER, "count": 3 }));
    arrived(23);
    let form = Form::plain("tar.zst");
    let (file, ..) = backup(&server, &form, Some("then"));
    let then = look();

    // Somebody has deleted nearly all of it.
    perform("clear", &json!({ "account": USER, "keep": 2 }));
    newer(5);
    beside(&server, &file, &form, &then);

    // The account went, with its directory, and was made anew.
    docker(&[
        "exec",
        "mailu_admin",
        "flask",
        "mailu",
        "user-delete",
        "-r",
        USER,
    ]);
    std::fs::remove_dir_all(server.root.file("data/mail").join(USER)).unwrap();
    add_account("user", "example.com");
    newer(3);
    beside(&server, &file, &form, &then);

    // It went, and nobody made it anew: it comes back with its password, and everything has its number.
    docker(&[
        "exec",
        "mailu_admin",
        "flask",
        "mailu",
        "user-delete",
        "-r",
        USER,
    ]);
    std::fs::remove_dir_all(server.root.file("data/mail").join(USER)).unwrap();
    let done = restore(&server, &file, &form, &["--mailbox", USER]);
    assert!(
        done.to_string().contains("restore.account_made"),
        "{done:#}"
    );
    let now = wait_for("a mailbox that can be opened", || {
        let fetched = world::fetch(USER, PASSWORD, &[]);
        fetched.ok.then(look)
    });
    assert_eq!(now[USER], then[USER]);
    Server::mail_in("for an account that came back");
}

/// A backup, whole process group to be killed.
fn begin_backup(server: &Server) -> Child {
    use std::os::unix::process::CommandExt as _;
    server
        .root
        .command(&["backup", "--keep-all"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .unwrap()
}

/// A backup whose services stand still, or are about to.
fn begin_freezing(server: &Server, note: &Path) -> Child {
    for _ in 0..20 {
        let _ = std::fs::remove_file(note);
        let mut child = begin_backup(server);
        // It is there for some hundred milliseconds.
        while child.try_wait().unwrap().is_none() {
            if note.exists() {
                return child;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
    panic!("no service was ever seen standing still");
}

fn killed(mut child: Child) {
    let group = format!("-{}", child.id());
    let _ = Command::new("kill").args(["-KILL", "--", &group]).output();
    child.wait().unwrap();
}

/// What is there is whole, and is removed. Returns how many halves there are beside.
fn sweep_archives(server: &Server) -> usize {
    let place = server.root.path().join("backups/mailu/mail.example.com");
    let mut halves = 0;
    for entry in std::fs::read_dir(place).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_string_lossy().starts_with('.') {
            halves += 1;
            continue;
        }
        let verify = ["backup", "verify", path.to_str().unwrap()];
        server.root.run(&verify).expect_code(0);
        std::fs::remove_file(path).unwrap();
    }
    halves
}

#[test]
fn a_killed_backup_leaves_nobody_standing_still() {
    let _alone = world::alone();
    let server = load::server(&[]);
    perform("seed", &json!({ "count": 100 }));
    let note = server.root.file(".mailu/frozen");
    let begun = std::time::Instant::now();
    server.root.run(&["backup"]).expect_code(0);
    let course = begun.elapsed();
    sweep_archives(&server);
    let points: u32 = if full() { 40 } else { 8 };
    let (mut hit, mut halves) = (0, 0);
    for point in 0..points {
        let child = if point % 2 == 0 {
            let child = begin_backup(&server);
            std::thread::sleep(course * point / points);
            child
        } else {
            let child = begin_freezing(&server, &note);
            std::thread::sleep(Duration::from_millis(
                u64::from(point) * 300 / u64::from(points),
            ));
            child
        };
        killed(child);
        hit += usize::from(note.exists() && !frozen().is_empty());
        wait_for("everybody goes on", || frozen().is_empty().then_some(()));
        halves += sweep_archives(&server);
    }
    say(&format!(
        "killed at {points} points, {hit} times with services frozen; {halves} halves of archives"
    ));
    assert!(hit > 0 && halves > 0);

    // With its guard: they stand still until the next run.
    let left = (0..20)
        .find_map(|attempt| {
            let child = begin_freezing(&server, &note);
            std::thread::sleep(Duration::from_millis(40 + attempt * 20));
            let _ = Command::new("pkill")
                .args(["-KILL", "-f", "trap '' HUP INT TERM"])
                .output();
            killed(child);
            let left = frozen();
            (!left.is_empty()).then_some(left)
        })
        .expect("a backup that is killed while services stand still");
    say(&format!("left standing still without a guard: {left:?}"));
    let done = server
        .root
        .run(&["backup", "--verify", "--json"])
        .expect_code(0)
        .json();
    assert!(frozen().is_empty() && !note.exists());
    assert_eq!(done["head"]["consistent"], true);
    assert_eq!(sweep_archives(&server), 0);
    assert!(!server.root.file("data/mail/.mailu-snapshot").exists());

    // Where there is no room, nothing is left, and everybody goes on.
    let place = server.root.path().join("backups/mailu/mail.example.com");
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"])
        .arg(&place)
        .output();
    assert!(mounted.unwrap().status.success());
    let run = server.root.run(&["backup"]).expect_code(2);
    assert!(run.err.contains("No space left"), "{}", run.err);
    assert_eq!(std::fs::read_dir(&place).unwrap().count(), 0);
    let _ = Command::new("umount").arg(&place).output();
    assert!(frozen().is_empty());
    Server::mail_in("after killed backups");
    if full() {
        an_engine_that_dies(&server, &note);
    }
}

/// The engine is killed while services stand still, and while a backup is restored. It comes back, as systemd would have it.
fn an_engine_that_dies(server: &Server, note: &Path) {
    let before = look();

    let child = begin_freezing(server, note);
    std::thread::sleep(Duration::from_millis(60));
    kill_engine();
    let output = child.wait_with_output().unwrap();
    say(&format!(
        "the engine died while services were frozen: the backup ended with {}",
        output.status
    ));
    load::comes_back(server);
    server.root.run(&["backup", "--verify"]).expect_code(0);
    assert!(!note.exists());
    sweep_archives(server);

    let (file, ..) = backup(server, &Form::plain("tar.zst"), Some("before-it-dies"));
    let journal = server
        .root
        .path()
        .join("mailu/.mail.example.com.restore.json");
    for state in ["staging", "holding", "starting"] {
        let mut child = server
            .root
            .command(&["restore", file.to_str().unwrap()])
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
            server.root.run(&["restore"]).expect_code(0);
        }
        assert!(!journal.exists());
        load::comes_back(server);
        say(&format!(
            "the engine died while {state}: the restore ended with {status}"
        ));
        assert_eq!(look(), before, "{state}");
    }
    Server::mail_in("after engines that died");
}

/// Waits until the mailbox has so many messages.
fn arrived(count: usize) {
    wait_for("delivery", || {
        let there: usize = ids(&look(), USER).values().sum();
        assert!(there <= count, "{there} messages");
        (there == count).then_some(())
    });
}

/// Mail that arrives since: in the inbox, and in a folder whose name another had.
fn newer(count: usize) {
    perform(
        "append",
        &json!({ "account": USER, "folder": "Clients", "count": 1, "seed": count }),
    );
    perform("post", &json!({ "to": USER, "count": 2, "seed": count }));
    arrived(count);
}

/// Flags and date of each message with some text in some folder.
type ByText = BTreeMap<(String, String), Vec<(Vec<String>, i64)>>;

fn by_text(inventory: &Inventory) -> ByText {
    let mut all = ByText::new();
    for (name, folder) in &inventory[USER] {
        for one in &folder.messages {
            all.entry((name.clone(), one.sha.clone()))
                .or_default()
                .push((one.flags.clone(), one.date));
        }
    }
    all
}

/// The mailbox of `then` comes beside what it has now, and nothing else changes; nor does anything the second time.
fn beside(server: &Server, file: &Path, form: &Form, then: &Inventory) {
    let live = look();
    restore(server, file, form, &["--mailbox", USER]);
    let after = look();
    let mut wanted = by_text(then);
    // What is there stays as it is.
    wanted.extend(by_text(&live));
    let found = by_text(&after);
    let mut wrong = Vec::new();
    for (key, states) in &wanted {
        match found.get(key) {
            None => wrong.push(format!("{key:?} is missing")),
            Some(found) if found != states => {
                wrong.push(format!("{key:?} is {found:?}, and was {states:?}"));
            }
            Some(_) => {}
        }
    }
    let more = found.keys().filter(|key| !wanted.contains_key(*key));
    wrong.extend(more.map(|key| format!("{key:?} is new")));
    for (name, folder) in &live[USER] {
        let now = &after[USER][name];
        if now.uv != folder.uv {
            wrong.push(format!(
                "UIDVALIDITY of {name} is {}, and was {}",
                now.uv, folder.uv
            ));
        }
        let lost = folder
            .messages
            .iter()
            .filter(|one| !now.messages.contains(one));
        wrong.extend(lost.map(|one| format!("{name}: {one:?} is not as it was")));
    }
    for (name, folder) in &then[USER] {
        let now = after[USER].get(name);
        if folder.subscribed && !now.is_some_and(|now| now.subscribed) {
            wrong.push(format!("{name} is not subscribed"));
        }
    }
    for account in &ACCOUNTS[1..] {
        if after[*account] != live[*account] {
            wrong.push(format!("{account} has changed"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let mail = server.root.file("data/mail");
    let files = on_disk(&mail);
    let wrong = wrong_files(&files, &files, &after);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    restore(server, file, form, &["--mailbox", USER]);
    assert_eq!(look(), after, "the second time");
    Server::mail_in("after one mailbox");
    // For the next that counts.
    perform("clear", &json!({ "account": USER, "keep": 0 }));
}
