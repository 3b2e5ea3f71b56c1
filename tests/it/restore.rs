//! `mailu restore`, on a disk of its own: without an engine, and against one that plays a script.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::archives::{damaged, of_another};
use crate::backup::filled;
use crate::fake_engine::{FakeEngine, Fate};
use crate::interrupted::{at_system_calls, inventory, killed_when, note, noted};
use crate::kill::copy;
use crate::support::{Mounted, Root, Run, finished, may_mount, noise, snapshot, succeed};
use crate::up::{self, QUIET};

const OLD: &str = "1700000000.M1P1.mail,S=4:2,S";
const NEW: &str = "1700000900.M2P1.mail,S=4";

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A folder of a mailbox as Dovecot makes it.
fn folder(root: &Root, folder: &str) {
    for sub in ["cur", "new", "tmp"] {
        std::fs::create_dir_all(root.file(&format!("data/mail/{folder}/{sub}"))).unwrap();
    }
}

/// Mail as it is when the backup is made.
fn mail(root: &Root) {
    folder(root, "a@example.com");
    folder(root, "a@example.com/.Work");
    let file = |path: &str, text: &str| write(&root.file(&format!("data/mail/{path}")), text);
    file(&format!("a@example.com/cur/{OLD}"), "one\n");
    file(
        "a@example.com/dovecot-uidlist",
        "3 V7 N2 Gx\n1 :1700000000.M1P1.mail,S=4\n",
    );
    file("a@example.com/.Work/cur/1700000001.M1P1.mail:2,", "work\n");
    file("a@example.com/subscriptions", "V\t2\n\nWork\n");
    write(&root.file("data/clamav/main.cvd"), "signatures\n");
    write(&root.file("data/mailqueue/deferred/A/OLD"), "old\n");
}

/// What happens after the backup.
fn later(root: &Root) {
    folder(root, "b@example.com");
    folder(root, "a@example.com/.Later");
    let file = |path: &str, text: &str| write(&root.file(&format!("data/mail/{path}")), text);
    file(&format!("a@example.com/new/{NEW}"), "two\n");
    file(
        "a@example.com/dovecot-uidlist",
        "3 V7 N5 Gx\n1 :1700000000.M1P1.mail,S=4\n4 :1700000900.M2P1.mail,S=4\n",
    );
    // Moved to another folder: another name, the same content.
    let work = root.file("data/mail/a@example.com/.Work/cur/1700000001.M1P1.mail:2,");
    let moved = "data/mail/a@example.com/.Later/cur/1700000950.M7P1.mail:2,S";
    std::fs::rename(work, root.file(moved)).unwrap();
    file(
        "a@example.com/.Later/cur/1700000960.M8P1.mail:2,",
        "later\n",
    );
    file("a@example.com/subscriptions", "V\t2\n\nWork\nLater\n");
    file("b@example.com/cur/1700000970.M9P1.mail:2,", "three\n");
    std::fs::remove_file(root.file("data/mailqueue/deferred/A/OLD")).unwrap();
    write(&root.file("data/mailqueue/deferred/B/NEW"), "new\n");
    root.write("garbage", "of an operator\n");
    root.edit("mailu.toml", "example.com", "example.com");
}

/// An archive of everything, made by hand.
fn archive(root: &Root, name: &str) -> PathBuf {
    let path = root.path().parent().unwrap().join(name);
    succeed(
        Command::new("tar")
            .arg("-czf")
            .arg(&path)
            .arg("-C")
            .arg(root.path())
            .args(["mailu/mail.example.com", "secrets/mailu/mail.example.com"]),
    );
    path
}

fn restore(root: &Root, file: &Path, more: &[&str]) -> Run {
    root.run(&[&["restore", file.to_str().unwrap(), "--no-start"], more].concat())
}

fn ids(value: &Value) -> Vec<String> {
    let all = value.as_array().unwrap().iter();
    all.map(|one| one["id"].as_str().unwrap().to_owned())
        .filter(|id| id != "restore.by_hand")
        .collect()
}

#[test]
fn everything_comes_back_and_mail_that_arrived_since_stays() {
    let root = Root::new();
    root.install();
    mail(&root);
    let file = archive(&root, "a.tar.gz");
    later(&root);
    let before = inventory(&root.path());
    let shown = restore(&root, &file, &["--dry-run", "--json"])
        .expect_code(0)
        .json();
    assert_eq!(shown["performed"], false);
    inventory(&root.path()).assert_same(&before, "a dry run");

    let done = restore(&root, &file, &["--json"]).expect_code(0).json();
    assert_eq!(done["performed"], true);
    assert_eq!(done["carried"]["messages"], 3);
    assert_eq!(done["carried"]["mailboxes"], json!(["a@example.com"]));
    assert_eq!(done["carried"]["whole"], json!(["b@example.com"]));
    let at = |path: &str| root.file(&format!("data/mail/{path}"));
    assert_eq!(read(&at(&format!("a@example.com/cur/{OLD}"))), "one\n");
    assert_eq!(read(&at(&format!("a@example.com/new/{NEW}"))), "two\n");
    assert_eq!(
        read(&at("a@example.com/dovecot-uidlist")),
        "3 V7 N5 Gx\n1 :1700000000.M1P1.mail,S=4\n4 :1700000900.M2P1.mail,S=4\n"
    );
    // What was moved is where it was in the backup, once.
    assert!(at("a@example.com/.Work/cur/1700000001.M1P1.mail:2,").exists());
    assert!(!at("a@example.com/.Later/cur/1700000950.M7P1.mail:2,S").exists());
    assert!(at("a@example.com/.Later/cur/1700000960.M8P1.mail:2,").exists());
    assert!(at("a@example.com/.Later/maildirfolder").exists());
    assert_eq!(
        read(&at("a@example.com/subscriptions")),
        "V\t2\n\nWork\nLater\n"
    );
    assert!(at("b@example.com/cur/1700000970.M9P1.mail:2,").exists());
    // The queue and what can be had again are those of now.
    assert!(root.file("data/mailqueue/deferred/B/NEW").exists());
    assert!(!root.file("data/mailqueue/deferred/A/OLD").exists());
    assert_eq!(root.read("data/clamav/main.cvd"), "signatures\n");
    assert!(!root.file("garbage").exists());
    assert!(ids(&done["findings"]).contains(&"restore.newer_mailboxes".to_owned()));

    // What was there is kept, and goes with the command that is printed.
    let kept = PathBuf::from(done["kept"].as_str().unwrap());
    assert_eq!(read(&kept.join("deployment/garbage")), "of an operator\n");
    assert!(kept.join("secrets/secret_key").exists());
    assert_eq!(crate::support::mode(&kept), 0o700);
    succeed(Command::new("sh").args(["-c", done["remove_command"].as_str().unwrap()]));
    assert!(!kept.exists());
    assert_eq!(up::state(&root), "installed");
    // Nothing is to be done about the files.
    assert!(
        root.run(&["plan", "--json"]).expect_code(0).json()["plan"]["steps"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    let names: Vec<_> = std::fs::read_dir(root.path().join("mailu"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names.len(), 2, "{names:?}");
}

#[test]
fn exactly_the_backup_if_that_is_wanted() {
    let root = Root::new();
    root.install();
    mail(&root);
    let file = archive(&root, "a.tar.gz");
    let mut wanted = inventory(&root.path());
    later(&root);
    let done = restore(&root, &file, &["--exact", "--json"])
        .expect_code(0)
        .json();
    assert!(ids(&done["findings"]).contains(&"restore.exact".to_owned()));
    let mut now = inventory(&root.path());
    for snapshot in [&mut now, &mut wanted] {
        snapshot
            .0
            .retain(|name, _| !name.ends_with("mailu/mail.example.com"));
    }
    now.assert_same(&wanted, "exact");
}

#[test]
fn an_empty_host_gets_everything() {
    let root = Root::new();
    root.install();
    mail(&root);
    let file = archive(&root, "a.tar.gz");
    let wanted = inventory(&root.path());
    let other = Root::new();
    let refused = other
        .run(&[
            "restore",
            file.to_str().unwrap(),
            "--domain",
            "mail.example.org",
            "--no-start",
            "--json",
        ])
        .expect_code(2)
        .json();
    assert_eq!(refused["error"]["code"], "restore.other");
    let hint = refused["error"]["hints"][0].as_str().unwrap();
    assert!(hint.contains("restore --domain mail.example.com"), "{hint}");
    // Without an engine nothing can be started, and nothing is left.
    let mut command = other.command(&["restore", file.to_str().unwrap()]);
    command.env("DOCKER_HOST", "unix:///nowhere.sock");
    let run = finished(command.output().unwrap()).expect_code(2);
    assert!(run.err.contains("--no-start"), "{}", run.err);
    assert!(!other.path().exists());

    restore(&other, &file, &[]).expect_code(0);
    inventory(&other.path()).assert_same(&wanted, "an empty host");
    assert!(!other.path().join("backups").exists());
}

#[test]
fn only_the_configuration_leaves_data_alone() {
    let root = Root::new();
    root.install();
    mail(&root);
    write(&root.file("data/admin/main.db"), "accounts of then");
    let file = archive(&root, "a.tar.gz");
    later(&root);
    root.write("data/admin/main.db", "accounts of now");
    root.edit("mailu.env", "SITENAME=Mailu", "SITENAME=Broken");
    std::fs::remove_file(root.file("data/dkim/example.com.dkim.key")).unwrap();
    let mail = snapshot(&root.file("data/mail"));
    let done = restore(&root, &file, &["--config-only", "--json"])
        .expect_code(0)
        .json();
    assert_eq!(done["carried"]["messages"], 0);
    assert_eq!(root.read("data/admin/main.db"), "accounts of now");
    assert!(root.read("mailu.env").contains("SITENAME=Mailu"));
    assert!(root.file("data/dkim/example.com.dkim.key").exists());
    assert!(root.file("data/mailqueue/deferred/B/NEW").exists());
    snapshot(&root.file("data/mail")).assert_same(&mail, "mail");
    let kept = PathBuf::from(done["kept"].as_str().unwrap());
    assert!(read(&kept.join("deployment/mailu.env")).contains("SITENAME=Broken"));

    let refused = restore(&Root::new(), &file, &["--config-only", "--json"])
        .expect_code(2)
        .json();
    assert_eq!(ids(&refused["error"]["findings"]), ["restore.nothing_here"]);
}

#[test]
fn data_that_lie_elsewhere_are_not_touched() {
    let root = Root::new();
    root.install();
    mail(&root);
    let file = archive(&root, "a.tar.gz");
    let elsewhere = root.path().join("disk");
    std::fs::rename(root.file("data/mail"), &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, root.file("data/mail")).unwrap();
    let refused = restore(&root, &file, &["--json"]).expect_code(2).json();
    assert_eq!(ids(&refused["error"]["findings"]), ["restore.elsewhere"]);
    assert!(!root.path().join("backups").exists());
}

#[test]
fn what_mailu_backup_wrote_comes_back() {
    let root = Root::new();
    root.install();
    mail(&root);
    std::fs::remove_dir_all(root.file("data/clamav")).unwrap();
    std::fs::create_dir(root.file("data/clamav")).unwrap();
    let wanted = inventory(&root.path());
    let file = root.path().parent().unwrap().join("a.tar.zst");
    root.run(&["backup", "--cold", "--output", file.to_str().unwrap()])
        .expect_code(0);
    let other = Root::new();
    let done = restore(&other, &file, &["--json"]).expect_code(0).json();
    assert_eq!(done["archive"]["messages"], 2);
    inventory(&other.path()).assert_same(&wanted, "a backup");
    // Again, over what is there.
    later(&other);
    restore(&other, &file, &["--exact"]).expect_code(0);
    inventory(&other.path()).assert_same(&wanted, "a backup over something");

    // A bit anywhere is another, and nothing is touched.
    let bytes = std::fs::read(&file).unwrap();
    let whole = zstd::decode_all(bytes.as_slice()).unwrap();
    for at in (0..bytes.len()).step_by(bytes.len() / 20) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        // A few mean nothing to who unpacks it: what is in it is the same.
        if zstd::decode_all(damaged.as_slice()).is_ok_and(|all| all == whole) {
            continue;
        }
        let path = root.path().parent().unwrap().join("damaged.tar.zst");
        std::fs::write(&path, damaged).unwrap();
        restore(&other, &path, &[]).expect_code(2);
        inventory(&other.path()).assert_same(&wanted, "damaged");
    }
}

#[test]
fn one_mailbox_gets_what_it_lacks_and_nothing_twice() {
    let root = Root::new();
    root.install();
    mail(&root);
    write(
        &root.file("data/mail/a@example.com/sieve/a.sieve"),
        "keep;\n",
    );
    let file = archive(&root, "a.tar.gz");
    later(&root);
    let path = file.to_str().unwrap();
    let at = |path: &str| root.file(&format!("data/mail/{path}"));
    // A message is gone, a folder too, and the filter.
    std::fs::remove_file(at(&format!("a@example.com/cur/{OLD}"))).unwrap();
    std::fs::remove_dir_all(at("a@example.com/.Work")).unwrap();
    std::fs::remove_dir_all(at("a@example.com/sieve")).unwrap();
    std::fs::write(at("a@example.com/subscriptions"), "V\t2\n\nLater\n").unwrap();
    let others = snapshot(&root.file("data/mail/b@example.com"));
    let done = root
        .run(&["restore", path, "--mailbox", "A@example.com", "--json"])
        .expect_code(0)
        .json();
    assert_eq!(done["carried"]["messages"], 1);
    assert_eq!(done["carried"]["there"], 1);
    assert_eq!(read(&at(&format!("a@example.com/cur/{OLD}"))), "one\n");
    assert_eq!(read(&at(&format!("a@example.com/new/{NEW}"))), "two\n");
    assert!(at("a@example.com/.Later/cur/1700000950.M7P1.mail:2,S").exists());
    assert_eq!(read(&at("a@example.com/sieve/a.sieve")), "keep;\n");
    // Dovecot's own files are Dovecot's.
    assert!(read(&at("a@example.com/dovecot-uidlist")).contains("N5"));
    snapshot(&root.file("data/mail/b@example.com")).assert_same(&others, "another mailbox");
    // Again, nothing.
    let before = inventory(&root.path());
    let done = root
        .run(&["restore", path, "--mailbox", "a@example.com", "--json"])
        .expect_code(0)
        .json();
    assert_eq!(done["carried"]["messages"], 0);
    inventory(&root.path()).assert_same(&before, "again");

    // Into another one, with its folder and the subscription.
    let into = [
        "restore",
        path,
        "--mailbox",
        "a@example.com",
        "--into",
        "b@example.com",
    ];
    root.run(&into).expect_code(0);
    assert!(at("b@example.com/.Work/cur/1700000001.M1P1.mail:2,").exists());
    assert_eq!(read(&at("b@example.com/subscriptions")), "V\t2\n\nWork\n");
    // One that is gone altogether comes back with its numbers.
    std::fs::remove_dir_all(at("a@example.com")).unwrap();
    let done = root
        .run(&["restore", path, "--mailbox", "a@example.com", "--json"])
        .expect_code(0)
        .json();
    assert_eq!(done["carried"]["whole"], json!(["a@example.com"]));
    assert!(read(&at("a@example.com/dovecot-uidlist")).starts_with("3 V7 N2"));
    assert_eq!(ids(&done["findings"]), ["restore.account"]);

    let lost = root
        .run(&["restore", path, "--mailbox", "c@example.com", "--json"])
        .expect_code(2)
        .json();
    assert_eq!(lost["error"]["code"], "restore.no_mailbox");
    assert!(
        lost["error"]["hints"][0]
            .as_str()
            .unwrap()
            .contains("a@example.com")
    );
    assert!(
        !root
            .path()
            .join("mailu/.mail.example.com.restoring")
            .exists()
    );
}

/// Killed anywhere, and run again: every message once.
#[test]
fn one_mailbox_killed_at_any_system_call_is_completed_by_the_next_run() {
    let seed = Root::new();
    seed.install();
    mail(&seed);
    let file = archive(&seed, "a.tar.gz");
    later(&seed);
    std::fs::remove_file(seed.file(&format!("data/mail/a@example.com/cur/{OLD}"))).unwrap();
    std::fs::remove_dir_all(seed.file("data/mail/a@example.com/.Later")).unwrap();
    let args = [
        "restore",
        file.to_str().unwrap(),
        "--mailbox",
        "a@example.com",
    ];
    let root = Root::new();
    copy(&seed.path(), &root.path());
    root.run(&args).expect_code(0);
    let wanted = inventory(&root.path());
    let calls = [
        ("link,linkat", 1),
        ("rename", 1),
        ("mkdir", 2),
        ("unlink,unlinkat", 2),
        ("openat", 41),
    ];
    let points = at_system_calls(&calls, |killer| {
        let root = Root::new();
        copy(&seed.path(), &root.path());
        let killed = killer.kills(&root.command(&args));
        if killed {
            root.run(&args).expect_code(0);
            inventory(&root.path()).assert_same(&wanted, &killer.to_string());
        }
        killed
    });
    assert!(points > 15, "only {points} points");
}

/// Writes an archive with more in it than a deployment.
fn hostile(root: &Root, name: &str, kind: &str) -> PathBuf {
    let path = root.path().parent().unwrap().join(name);
    let script = r"
import io, sys, tarfile
path, toml, kind = sys.argv[1:]
archive = tarfile.open(path, 'w:gz')
def add(name, text=b'', type=tarfile.REGTYPE, link='', mode=0o644):
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname, info.mode = len(text), type, link, mode
    archive.addfile(info, io.BytesIO(text))
add('mail.example.com/mailu.toml', open(toml, 'rb').read())
{
    'traversal': lambda: add('mail.example.com/../../x'),
    'absolute': lambda: add('/etc/x'),
    'link out': lambda: add('mail.example.com/data', type=tarfile.SYMTYPE, link='/etc'),
    'link up': lambda: add('mail.example.com/x', type=tarfile.SYMTYPE, link='../../x'),
    'through a link': lambda: (add('mail.example.com/dns', type=tarfile.SYMTYPE, link='data'), add('mail.example.com/dns/x')),
    'hard link out': lambda: add('mail.example.com/x', type=tarfile.LNKTYPE, link='/etc/passwd'),
    'hard link to nothing': lambda: add('mail.example.com/x', type=tarfile.LNKTYPE, link='mail.example.com/y'),
    'device': lambda: add('mail.example.com/x', type=tarfile.BLKTYPE),
    'pipe': lambda: add('mail.example.com/x', type=tarfile.FIFOTYPE),
    'other rights': lambda: add('mail.example.com/x', mode=0o4755),
    'twice': lambda: (add('mail.example.com/x'), add('mail.example.com/x')),
    'another host': lambda: (add('b/mailu.toml', open(toml, 'rb').read())),
}[kind]()
archive.close()
";
    succeed(
        Command::new("python3")
            .args(["-c", script])
            .arg(&path)
            .arg(root.file("mailu.toml"))
            .arg(kind),
    );
    path
}

#[test]
fn hostile_archives_are_refused_and_nothing_is_changed() {
    let root = Root::new();
    root.install();
    mail(&root);
    let good = archive(&root, "a.tar.gz");
    let before = inventory(&root.path());
    for kind in [
        "traversal",
        "absolute",
        "link out",
        "link up",
        "through a link",
        "hard link out",
        "hard link to nothing",
        "device",
        "pipe",
        "other rights",
        "twice",
        "another host",
    ] {
        let file = hostile(&root, "hostile.tar.gz", kind);
        let refused = restore(&root, &file, &["--json"]);
        assert_eq!(refused.code, 2, "{kind}: {}", refused.err);
        inventory(&root.path()).assert_same(&before, kind);
    }
    let bytes = std::fs::read(&good).unwrap();
    for length in [0, 10, 100, bytes.len() / 2, bytes.len() - 1] {
        let cut = root.path().parent().unwrap().join("cut.tar.gz");
        std::fs::write(&cut, &bytes[..length]).unwrap();
        restore(&root, &cut, &[]).expect_code(2);
        inventory(&root.path()).assert_same(&before, "cut off");
    }
    assert!(!root.path().join("backups").exists());
}

#[test]
fn no_damaged_archive_changes_what_is_there() {
    let root = Root::new();
    filled(&root);
    let good = root.path().with_file_name("good.tar.zst");
    root.run(&["backup", "--cold", "--output", good.to_str().unwrap()])
        .expect_code(0);
    let bytes = std::fs::read(&good).unwrap();
    let path = root.path().with_file_name("case.tar.zst");
    let cases = damaged(&bytes);
    assert!(cases.len() >= 100, "{}", cases.len());
    let before = inventory(&root.path());
    // Which code each has is said by the tests of reading them: this is the same reader.
    for case in &cases {
        std::fs::write(&path, &case.bytes).unwrap();
        let run = restore(&root, &path, &["--json"]);
        assert_eq!(run.code, 2, "{}: {}{}", case.name, run.out, run.err);
        let code = run.json()["error"]["code"].as_str().unwrap().to_owned();
        assert!(code.starts_with("backup."), "{}: {code}", case.name);
        inventory(&root.path()).assert_same(&before, &case.name);
    }
    let other = of_another(&bytes, "other.example.com");
    std::fs::write(&path, other).unwrap();
    let named = ["--domain", "mail.example.com", "--json"];
    let run = restore(&root, &path, &named).expect_code(2);
    assert_eq!(run.json()["error"]["code"], "restore.other");
    inventory(&root.path()).assert_same(&before, "another's");
}

/// A deployment on an engine, with an archive of then, and mail of since.
fn running() -> (Root, FakeEngine, PathBuf) {
    let root = Root::new();
    let (engine, _) = up::engine(&root);
    up::run(&root, &engine, &QUIET).expect_code(0);
    mail(&root);
    let file = archive(&root, "a.tar.gz");
    later(&root);
    engine.take_calls();
    (root, engine, file)
}

fn calls(engine: &FakeEngine, parts: &[&str]) -> Vec<String> {
    let calls = engine.calls().into_iter();
    calls
        .filter(|call| parts.iter().any(|part| call.contains(part)) && !call.contains("/exec/"))
        .collect()
}

#[test]
fn a_running_server_is_stopped_restored_and_started() {
    let (root, engine, file) = running();
    let done = up::run(
        &root,
        &engine,
        &["restore", file.to_str().unwrap(), "--json"],
    )
    .expect_code(0)
    .json();
    assert_eq!(done["run"]["installed"], true);
    assert_eq!(done["carried"]["messages"], 3);
    assert!(engine.all_run());
    let order = calls(&engine, &["stop", "/start"]);
    let at = |part: &str| order.iter().position(|call| call.contains(part)).unwrap();
    assert!(at("mailu_smtp/stop") < at("compose"), "{order:?}");
    assert_eq!(up::state(&root), "installed");
    assert!(
        root.file(&format!("data/mail/a@example.com/new/{NEW}"))
            .exists()
    );
}

#[test]
fn what_does_not_start_is_taken_back() {
    let (root, engine, _) = running();
    let before = inventory(&root.path());
    // One with a service more, which does not start.
    let another = Root::new();
    another
        .run(&[&QUIET[..], &["--no-start", "--set", "services.webdav=true"]].concat())
        .expect_code(0);
    mail(&another);
    let file = archive(&another, "b.tar.gz");
    engine.fate("webdav", Fate::Exits(1));
    let args = ["restore", file.to_str().unwrap(), "--json", "--wait", "20"];
    let error = up::run(&root, &engine, &args).expect_code(2).json();
    let text = error["error"]["hints"].to_string();
    assert!(text.contains("everything is as it was before"), "{error}");
    inventory(&root.path()).assert_same(&before, "taken back");
    assert!(engine.all_run());
    assert_eq!(up::state(&root), "installed");
    assert!(!root.path().join("backups").exists());

    // On an empty host nothing is left.
    let other = Root::new();
    let (engine, _) = up::engine(&other);
    engine.fate("webdav", Fate::Exits(1));
    let run = up::run(
        &other,
        &engine,
        &["restore", file.to_str().unwrap(), "--wait", "3"],
    );
    let run = run.expect_code(2);
    assert!(run.err.contains("nothing of it is left"), "{}", run.err);
    assert!(
        inventory(&other.path()).0.is_empty(),
        "{:?}",
        inventory(&other.path()).0.keys()
    );
    assert!(engine.containers().is_empty());
}

/// Mail that a restored server takes in before it turns out not to work is not lost with it.
#[test]
fn an_interrupted_start_goes_on_or_back_with_all_mail() {
    for back in [false, true] {
        let (root, engine, file) = running();
        let before = inventory(&root.path());
        // Killed while it starts.
        let mut command = root.command(&["restore", file.to_str().unwrap()]);
        engine.fate("imap", Fate::Slow(1_000_000));
        killed_when(engine.reach(&mut command), || {
            noted(&root).as_deref() == Some("starting")
        });
        let at = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_secs();
        let arrived = format!("data/mail/a@example.com/new/{}.M1P1.mail", at + 1);
        write(&root.file(&arrived), "in between\n");

        // Nobody else works on it meanwhile, and everybody is told.
        let refused =
            up::run(&root, &engine, &["config", "set", "limits.quota=5GB"]).expect_code(2);
        assert!(
            refused.err.contains("a restore of ") && refused.err.contains("was interrupted"),
            "{}",
            refused.err
        );
        assert!(
            refused.err.contains("restore --domain mail.example.com"),
            "{}",
            refused.err
        );
        let status = up::run(&root, &engine, &["status", "--json"]).json();
        assert!(ids(&status["findings"]).contains(&"restore.unfinished".to_owned()));
        let shown = up::run(&root, &engine, &["restore", "--dry-run"]).expect_code(2);
        assert!(
            shown.err.contains("starting the restored server"),
            "{}",
            shown.err
        );

        engine.befall("imap", Fate::Well);
        let args: &[&str] = if back {
            &["restore", "--undo", "--json"]
        } else {
            &["restore", "--json"]
        };
        let done = up::run(&root, &engine, args).expect_code(0).json();
        let what = done["recovered"].as_str().unwrap();
        assert!(what.contains("was interrupted while"), "{what}");
        assert_eq!(read(&root.file(&arrived)), "in between\n");
        assert_eq!(root.file("garbage").exists(), back);
        assert!(engine.all_run());
        assert!(!note(&root).exists());
        if back {
            let mut now = inventory(&root.path());
            now.0.retain(|name, _| !name.ends_with(&arrived));
            now.assert_same(&before, "gone back");
        }
        up::run(&root, &engine, &["config", "set", "limits.quota=5GB"]).expect_code(0);
    }
}

/// Neither bytes nor inodes are enough: what was there stays, and nothing looks like an archive.
#[test]
fn on_a_full_disk_everything_is_as_before() {
    if !may_mount("restore::on_a_full_disk_everything_is_as_before") {
        return;
    }
    let root = Root::new();
    std::fs::create_dir(root.path()).unwrap();
    let _disk = Mounted::new(&["-t", "tmpfs", "-o", "size=400M", "none"], &root.path());
    let remount = |options: &str| {
        let options = format!("remount,{options}");
        succeed(
            Command::new("mount")
                .args(["-o", &options])
                .arg(root.path()),
        );
    };
    root.install();
    mail(&root);
    noise(&root.file("data/webmail/large"), 20);
    let file = archive(&root, "a.tar.gz");
    later(&root);
    // Its lock is among what is compared.
    let elsewhere = root.path().with_file_name("first.tar.zst");
    root.run(&["backup", "--cold", "--output", elsewhere.to_str().unwrap()])
        .expect_code(0);
    let before = inventory(&root.path());

    remount("size=32M");
    let backups = root.path().join("backups");
    let run = root.run(&["backup", "--cold", "--json"]);
    assert_eq!(run.code, 2, "{}", run.out);
    assert!(run.out.contains("No space left"), "{}", run.out);
    assert!(crate::support::files_below(&backups).is_empty());
    let refused = restore(&root, &file, &["--json"]).expect_code(2).json();
    assert_eq!(ids(&refused["error"]["findings"]), ["restore.space"]);
    inventory(&root.path()).assert_same(&before, "too little room");

    // There are bytes enough, and it is seen only when a file cannot be made.
    let used = succeed(Command::new("df").args(["--output=iused"]).arg(root.path()));
    let used: u64 = used.lines().last().unwrap().trim().parse().unwrap();
    remount(&format!("size=400M,nr_inodes={}", used + 30));
    let failed = restore(&root, &file, &["--json"]).expect_code(2).json();
    let said = failed.to_string();
    assert!(
        said.contains("No space left") && said.contains("nothing was changed"),
        "{failed:#}"
    );
    inventory(&root.path()).assert_same(&before, "no inodes");
    remount("nr_inodes=100000");
    restore(&root, &file, &[]).expect_code(0);
    root.run(&["backup", "--cold", "--verify"]).expect_code(0);
}

/// The program, killed by the kernel at system calls that change files: it is as before or as after, and the next run says which and finishes.
#[test]
fn killed_at_any_system_call_it_is_as_before_or_as_after() {
    let seed = Root::new();
    seed.install();
    mail(&seed);
    let file = archive(&seed, "a.tar.gz");
    later(&seed);
    let before = inventory(&seed.path());
    let fresh = || {
        let root = Root::new();
        copy(&seed.path(), &root.path());
        root
    };
    let after = {
        let root = fresh();
        restore(&root, &file, &[]).expect_code(0);
        inventory(&root.path())
    };
    let mut states = std::collections::BTreeMap::new();
    let calls = [
        ("rename", 1),
        ("renameat2", 1),
        ("mkdir", 3),
        ("link,linkat", 1),
        ("fsync", 2),
        ("syncfs", 1),
        ("openat", 19),
        ("write", 17),
        ("unlink,unlinkat", 3),
        ("rmdir", 1),
    ];
    let points = at_system_calls(&calls, |killer| {
        let root = fresh();
        let killed =
            killer.kills(&root.command(&["restore", file.to_str().unwrap(), "--no-start"]));
        if !killed {
            return false;
        }
        if let Some(state) = noted(&root) {
            *states.entry(state).or_insert(0) += 1;
            let text = read(&note(&root));
            let said = root.run(&["restore"]);
            assert_eq!(said.code, 0, "{killer}: {}", said.err);
            assert!(
                said.out.contains("was interrupted while"),
                "{killer}: {}",
                said.out
            );
            let now = inventory(&root.path());
            let same = [&before, &after].iter().any(|one| one.0 == now.0);
            if !same {
                now.assert_same(&before, &format!("{killer} in {text}"));
            }
        } else {
            let mut now = inventory(&root.path());
            // Of a restore that had not begun or was over, at most empty directories are left.
            now.0.retain(|name, _| !name.contains(".restor"));
            assert!(now.0 == before.0 || now.0 == after.0, "{killer}");
        }
        restore(&root, &file, &[]).expect_code(0);
        inventory(&root.path()).assert_same(&after, &killer.to_string());
        true
    });
    assert!(points > 60, "only {points} points");
    for state in ["staging", "holding", "swapping", "starting", "proven"] {
        assert!(
            states.contains_key(state),
            "never killed while {state}: {states:?}"
        );
    }
}
