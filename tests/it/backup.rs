//! `mailu backup` of a deployment that does not run: what is in an archive, who can read it, which are kept, and what is refused.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::archives::{damaged, members, of_another, signed};
use crate::support::{Root, Snapshot, snapshot, succeed, tool};

/// A deployment with mail, queue and what else there may be.
pub(crate) fn filled(root: &Root) {
    root.install();
    let put = |path: &[u8], content: &[u8]| {
        let path = root.file("").join(OsStr::from_bytes(path));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    };
    let folder = "data/mail/user@example.com";
    for (at, name) in [
        "cur/1700000000.M1P1.mail,S=11,W=12:2,S",
        "cur/1700000001.M2P1.mail,S=11,W=12:2,FRSab",
        "new/1700000002.M3P1.mail,S=11,W=12",
    ]
    .into_iter()
    .enumerate()
    {
        put(
            format!("{folder}/{name}").as_bytes(),
            format!("Subject: {at}\n\n").as_bytes(),
        );
        put(
            format!("{folder}/.Archive.2026/{name}").as_bytes(),
            format!("Subject: a{at}\n\n").as_bytes(),
        );
    }
    put(format!("{folder}/tmp/1700000003.half").as_bytes(), b"Subj");
    put(
        format!("{folder}/dovecot-uidlist").as_bytes(),
        b"3 V1700000000 N4 Gabc\n1 :1700000000.M1P1.mail,S=11,W=12\n",
    );
    put(format!("{folder}/dovecot.index.cache").as_bytes(), b"cache");
    put(format!("{folder}/dovecot.index").as_bytes(), b"index");
    put(
        format!("{folder}/subscriptions").as_bytes(),
        b"Archive.2026\n",
    );
    put(
        format!("{folder}/sieve/filter.sieve").as_bytes(),
        b"keep;\n",
    );
    std::os::unix::fs::symlink(
        "sieve/filter.sieve",
        root.file(&format!("{folder}/.dovecot.sieve")),
    )
    .unwrap();
    // Names as somebody may have made them.
    put(
        &[folder.as_bytes(), b"/cur/1700000004.M5P1.\xff\xfe:2,"].concat(),
        b"not UTF-8\n",
    );
    put(
        format!("{folder}/cur/1700000005.back\\slash:2,").as_bytes(),
        b"backslash\n",
    );
    put(
        format!("{folder}/cur/1700000006.{}:2,", "x".repeat(200)).as_bytes(),
        b"long\n",
    );
    put(format!("{folder}/cur/1700000007.empty:2,").as_bytes(), b"");
    put(
        format!("{folder}/cur/1700000008.line\nend:2,").as_bytes(),
        b"line\n",
    );
    put(b"data/mailqueue/deferred/A/ABCDEF0123", b"queued");
    put(b"data/mailqueue/pid/master.pid", b"7\n");
    put(b"data/clamav/main.cvd", b"signatures");
    put(b"data/filter/rspamd.rrd", b"statistics");
    put(b"data/filter/a.hs", b"compiled");
    put(b"data/redis/dump.rdb", b"REDIS0011");
    put(b"data/redis/temp-7.rdb", b"half");
    put(
        b"data/dav/collections/collection-root/user/cal/1.ics",
        b"BEGIN:VCALENDAR\n",
    );
    put(
        b"data/certs/letsencrypt/archive/m/cert1.pem",
        b"certificate\n",
    );
    fs::create_dir_all(root.file("data/certs/letsencrypt/live/m")).unwrap();
    std::os::unix::fs::symlink(
        "../../archive/m/cert1.pem",
        root.file("data/certs/letsencrypt/live/m/cert.pem"),
    )
    .unwrap();
    put(b"overrides/postfix/postfix.cf", b"# mine\n");
    put(b"docker-compose.override.yml", b"services: {}\n");
    put(b".mail.mailu-new", b"half");
    succeed(
        Command::new("/usr/bin/python3").args(["-c", "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('create table user (email)'); c.execute(\"insert into user values ('user@example.com')\"); c.commit()"])
            .arg(root.file("data/admin/main.db")),
    );
    if fs::metadata("/proc/self").is_ok() && unprivileged() {
        return;
    }
    succeed(
        Command::new("chown")
            .args(["-R", "8:12"])
            .arg(root.file("data/mail")),
    );
}

fn unprivileged() -> bool {
    succeed(Command::new("id").arg("-u")).trim() != "0"
}

/// What is left out: what can be had again, what is of a run, and what is no file.
fn kept(name: &str) -> bool {
    !(name.starts_with("data/clamav")
        || name.contains("/dovecot.index")
        || name.contains("/tmp/")
        || name.contains("mailqueue/pid/")
        || name.ends_with("a.hs")
        || name.ends_with("temp-7.rdb")
        || name.ends_with(".mailu-new")
        || matches!(name, ".mailu/lock" | ".mailu/backup.lock"))
}

fn without_left_out(all: Snapshot) -> Snapshot {
    Snapshot(all.0.into_iter().filter(|(name, _)| kept(name)).collect())
}

fn backup(root: &Root, args: &[&str]) -> Value {
    let args = [&["backup", "--cold", "--json"], args].concat();
    root.run(&args).expect_code(0).json()
}

fn file(value: &Value) -> PathBuf {
    PathBuf::from(value["file"].as_str().unwrap())
}

/// Unpacks an archive with programs that are not ours.
fn foreign(archive: &Path, to: &Path, decrypt: Option<&[&str]>) {
    fs::create_dir_all(to).unwrap();
    let name = archive.to_string_lossy().into_owned();
    let bytes = match decrypt {
        None => fs::read(archive).unwrap(),
        Some(arguments) => {
            let output = Command::new(tool("age"))
                .args(arguments)
                .arg(archive)
                .output()
                .unwrap();
            assert!(
                output.status.success(),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
            output.stdout
        }
    };
    let packer = if name.contains(".zst") {
        "--zstd"
    } else {
        "--gzip"
    };
    let mut child = Command::new("tar")
        .args([
            "--extract",
            "--preserve-permissions",
            "--numeric-owner",
            packer,
            "--directory",
        ])
        .arg(to)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), &bytes).unwrap();
    assert!(child.wait().unwrap().success());
}

#[test]
fn an_archive_has_what_was_there_for_tar_and_age_too() {
    let root = Root::new();
    filled(&root);
    let before = root.snapshot();
    let deployment = without_left_out(snapshot(&root.file("")));
    let secrets = snapshot(&root.layout().secrets());
    let identity = root.beside("key", "");
    fs::remove_file(&identity).unwrap();
    succeed(Command::new(tool("age-keygen")).arg("-o").arg(&identity));
    let public = succeed(Command::new(tool("age-keygen")).arg("-y").arg(&identity));
    let key = identity.to_str().unwrap();
    let out = root.beside("out", "");
    fs::remove_file(&out).unwrap();
    for (number, name, more, decrypt) in [
        (0, "a.tar.zst", vec![], None),
        (1, "b.tar.gz", vec![], None),
        (
            2,
            "c.tar.zst.age",
            vec!["--age-recipient", public.trim()],
            Some(vec!["-d", "-i", key]),
        ),
        (
            3,
            "d.tar.gz.age",
            vec!["--age-recipient", public.trim()],
            Some(vec!["-d", "-i", key]),
        ),
    ] {
        let archive = root.path().with_file_name(name);
        let done = backup(
            &root,
            &[&["--output", archive.to_str().unwrap()], more.as_slice()].concat(),
        );
        assert_eq!(file(&done), archive);
        assert_eq!(done["encrypted"], decrypt.is_some());
        assert_eq!(crate::support::mode(&archive), 0o600);
        let to = out.join(number.to_string());
        foreign(&archive, &to, decrypt.as_deref());
        without_left_out(snapshot(&to.join("deployment"))).assert_same(&deployment, name);
        snapshot(&to.join("secrets")).assert_same(&secrets, name);
        // The hashes in it are right, by somebody else's reckoning.
        let list = fs::read_to_string(to.join("files.jsonl")).unwrap();
        let mut sums = String::new();
        for line in list.lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            let path = line["path"].as_str().unwrap();
            if let Some(sum) = line["sha256"].as_str().filter(|_| !path.contains('\\')) {
                writeln!(sums, "{sum}  {path}").unwrap();
            }
        }
        fs::write(to.join("sums"), &sums).unwrap();
        assert!(sums.lines().count() > 20);
        succeed(
            Command::new("sha256sum")
                .args(["--check", "--quiet", "sums"])
                .current_dir(&to),
        );
        let mut verify = vec!["backup", "verify", "--json", archive.to_str().unwrap()];
        if decrypt.is_some() {
            let locked = root.run(&verify).expect_code(2);
            assert!(locked.err.contains("--age-identity"), "{}", locked.err);
            verify.extend(["--age-identity", key]);
        }
        let verified = root.run(&verify).expect_code(0).json();
        assert_eq!(verified["end"], done["end"]);
        assert_eq!(verified["end"]["messages"], 11, "{verified:#}");
        assert_eq!(verified["head"]["mail_host"], "mail.example.com");
    }
    let passphrase = root.beside("passphrase", "correct horse\n");
    let other = root.beside("other", "another horse\n");
    let archive = root.path().with_file_name("e.tar.zst.age");
    let (archive, passphrase) = (archive.to_str().unwrap(), passphrase.to_str().unwrap());
    backup(
        &root,
        &[
            "--output",
            archive,
            "--passphrase-file",
            passphrase,
            "--verify",
        ],
    );
    root.run(&["backup", "verify", archive, "--passphrase-file", passphrase])
        .expect_code(0);
    for (wrong, says) in [
        (
            vec!["--passphrase-file", other.to_str().unwrap()],
            "does not open it",
        ),
        (vec!["--age-identity", key], "--passphrase-file"),
        (vec![], "--passphrase-file"),
    ] {
        let run = root
            .run(&[&["backup", "verify", archive], wrong.as_slice()].concat())
            .expect_code(2);
        assert!(run.err.contains(says), "{}", run.err);
        assert!(!run.err.contains("horse"));
    }
    // Nothing of it is left, and nothing was touched.
    let mut after = root.snapshot();
    after.0.retain(|name, _| !name.ends_with("backup.lock"));
    before.assert_same(&after, "after five backups");
}

#[test]
fn damaged_and_hostile_archives_are_refused_with_a_reason() {
    let root = Root::new();
    filled(&root);
    let good = root.path().with_file_name("good.tar.zst");
    backup(&root, &["--output", good.to_str().unwrap()]);
    let bytes = fs::read(&good).unwrap();
    // The means that the cases are made with make a good one too.
    let again = root.path().with_file_name("again.tar.zst");
    fs::write(
        &again,
        zstd::encode_all(signed(&members(&bytes)).as_slice(), 1).unwrap(),
    )
    .unwrap();
    root.run(&["backup", "verify", again.to_str().unwrap()])
        .expect_code(0);
    fs::write(&again, of_another(&bytes, "other.example.com")).unwrap();
    root.run(&["backup", "verify", again.to_str().unwrap()])
        .expect_code(0);
    let cases = damaged(&bytes);
    assert!(cases.len() >= 100, "{}", cases.len());
    let path = root.path().with_file_name("case.tar.zst");
    let before = snapshot(&root.path());
    for case in cases {
        fs::write(&path, &case.bytes).unwrap();
        let run = root.run(&["backup", "verify", "--json", path.to_str().unwrap()]);
        let said = format!("{}{}", run.out, run.err);
        assert_eq!(run.code, 2, "{}: {said}", case.name);
        let error: Value =
            serde_json::from_str(&run.out).unwrap_or_else(|_| panic!("{}: {said}", case.name));
        let error = if error["error"].is_null() {
            &error
        } else {
            &error["error"]
        };
        let code = error["code"].as_str().unwrap_or_default();
        let exactly = !case.code.ends_with('.');
        assert!(
            if exactly {
                code == case.code
            } else {
                code.starts_with(case.code)
            },
            "{}: {said}",
            case.name
        );
        assert!(
            error["message"]
                .as_str()
                .unwrap()
                .contains("case.tar.zst: "),
            "{said}"
        );
    }
    before.assert_same(&snapshot(&root.path()), "after reading them");
}

#[test]
fn which_file_differs_is_said() {
    let root = Root::new();
    filled(&root);
    let good = root.path().with_file_name("good.tar.zst");
    backup(&root, &["--output", good.to_str().unwrap()]);
    let mut all = members(&fs::read(&good).unwrap());
    let message = all
        .iter_mut()
        .find(|one| one.path.ends_with(b"mail,S=11,W=12:2,S"))
        .unwrap();
    message.content[0] ^= 1;
    let path = root.path().with_file_name("bad.tar.zst");
    fs::write(
        &path,
        zstd::encode_all(crate::archives::tarred(&all).as_slice(), 1).unwrap(),
    )
    .unwrap();
    let run = root
        .run(&["backup", "verify", path.to_str().unwrap()])
        .expect_code(2);
    assert!(
        run.err
            .contains("1700000000.M1P1.mail,S=11,W=12:2,S` is not as it was written"),
        "{}",
        run.err
    );
}

#[test]
fn what_could_not_be_restored_fails_and_leaves_nothing() {
    let root = Root::new();
    filled(&root);
    let place = root.path().join("backups/mailu/mail.example.com");
    let nothing_left = |what: &str| {
        let left = fs::read_dir(&place).map_or(0, Iterator::count);
        assert_eq!(left, 0, "{what}");
        assert!(!root.file("data/mail/.mailu-snapshot").exists(), "{what}");
    };
    let link = root.file("data/mail/user@example.com/.Out");
    std::os::unix::fs::symlink("/etc", &link).unwrap();
    let run = root.run(&["backup", "--cold"]).expect_code(2);
    assert!(
        run.err.contains("leads out of the deployment: /etc"),
        "{}",
        run.err
    );
    nothing_left("a link out");
    fs::remove_file(&link).unwrap();

    // Sockets and pipes of services are no part of it.
    let socket = root.file("data/mailqueue/pickup");
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    fs::remove_file(file(&backup(&root, &["--verify"]))).unwrap();
    drop(listener);
    fs::remove_file(&socket).unwrap();

    // A link to data elsewhere is followed: it is the deployment's own.
    let elsewhere = root.path().with_file_name("elsewhere");
    fs::rename(root.file("data/dav"), &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, root.file("data/dav")).unwrap();
    let archive = file(&backup(&root, &[]));
    let all = members(&fs::read(&archive).unwrap());
    assert!(
        all.iter().any(
            |one| one.path == b"deployment/data/dav/collections/collection-root/user/cal/1.ics"
        )
    );
    fs::remove_file(&archive).unwrap();

    // Accounts elsewhere.
    let env = root.read("mailu.env");
    root.write("mailu.env", &format!("{env}DB_FLAVOR=postgresql\n"));
    let run = root.run(&["backup", "--cold"]).expect_code(2);
    assert!(run.err.contains("--without-database"), "{}", run.err);
    nothing_left("another database");
    root.run(&["backup", "--cold", "--without-database"])
        .expect_code(0);
    root.write("mailu.env", &env);

    for (args, says) in [
        (vec!["--output", "/nowhere/x.tar.zst"], "mkdir"),
        (vec!["--output", "x.zip"], ".tar.zst"),
        (vec!["--output", "x.tar.zst.age"], ".tar.zst or .tar.gz"),
        (vec!["--age-recipient", "age1x"], "no public key"),
        (vec!["--passphrase-file", "/dev/null"], "empty"),
    ] {
        let run = root
            .run(&[&["backup", "--cold"], args.as_slice()].concat())
            .expect_code(2);
        assert!(run.err.contains(says), "{args:?}: {}", run.err);
    }
    // Without an engine nobody knows whether mail is being written.
    let mut command = root.command(&["backup"]);
    command.env("DOCKER_HOST", "unix:///nonexistent/docker.sock");
    let run = crate::support::finished(command.output().unwrap()).expect_code(2);
    assert!(run.err.contains("--cold"), "{}", run.err);
}

#[test]
fn archives_are_listed_and_given_up_by_the_rules() {
    let root = Root::new();
    root.install();
    let none = root.run(&["backup", "list"]).expect_code(0);
    assert!(
        none.err.contains("mailu") && none.out.is_empty(),
        "{}",
        none.err
    );
    let first = file(&backup(&root, &[]));
    let place = first.parent().unwrap().to_path_buf();
    assert_eq!(crate::support::mode(&place), 0o700);
    // The same one, as if it had been taken every night.
    for (month, day) in (1..=11).flat_map(|month| (1..=28).map(move |day| (month, day))) {
        let name = format!("mail.example.com-2025{month:02}{day:02}-023000.tar.zst");
        fs::copy(&first, place.join(name)).unwrap();
    }
    let foreign = [
        "notes.txt",
        "mail.example.org-20250101-023000.tar.zst",
        "before-restore-20250101-000000",
    ];
    for name in foreign {
        fs::write(place.join(name), "somebody's").unwrap();
    }
    let half = place.join(".mail.example.com-20250101-023000.tar.zst.mailu-new");
    fs::write(&half, "half").unwrap();
    let dry = root
        .run(&["backup", "prune", "--dry-run", "--json"])
        .expect_code(0)
        .json();
    let would: Vec<String> = serde_json::from_value(dry["removed"].clone()).unwrap();
    assert!(would.len() > 280, "{}", would.len());
    assert!(would.iter().all(|path| Path::new(path).exists()));
    let done = backup(&root, &[]);
    let gone: Vec<String> = serde_json::from_value(done["removed"].clone()).unwrap();
    assert!(gone.len() > 280 && gone.iter().all(|path| !Path::new(path).exists()));
    assert!(!half.exists());
    for name in foreign {
        assert!(place.join(name).exists(), "{name}");
    }
    let list = root
        .run(&["backup", "list", "--json"])
        .expect_code(0)
        .json();
    let kept = list.as_array().unwrap();
    assert_eq!(kept.len() + gone.len(), 11 * 28 + 2);
    assert!(
        kept.iter()
            .all(|one| !one["kept"].as_array().unwrap().is_empty())
    );
    assert_eq!(kept[0]["file"], done["file"]);
    // One that cannot be read is told.
    fs::write(&first, "damaged").unwrap();
    let run = root.run(&["backup", "list"]).expect_code(1);
    assert!(run.out.contains("neither compressed"), "{}", run.out);
    // Rules and places of one's own.
    let elsewhere = root.path().with_file_name("elsewhere");
    let directory = format!("backup.directory={}", elsewhere.display());
    root.run(&[
        "config",
        "set",
        &directory,
        "backup.keep_last=1",
        "backup.keep_daily=0",
        "backup.keep_weekly=0",
        "backup.keep_monthly=0",
    ])
    .expect_code(0);
    for _ in 0..3 {
        backup(&root, &[]);
    }
    let list = root
        .run(&["backup", "list", "--json"])
        .expect_code(0)
        .json();
    assert_eq!(list.as_array().unwrap().len(), 1, "{list:#}");
    assert!(file(&list[0]).starts_with(&elsewhere));
}

#[test]
fn a_backup_that_is_killed_leaves_nothing_that_looks_whole() {
    let root = Root::new();
    filled(&root);
    // Enough that there is something to kill.
    for at in 0..400 {
        let name = format!("data/mail/user@example.com/cur/1710000000.M{at}P9.mail:2,");
        fs::write(
            root.file(&name),
            vec![u8::try_from(at % 251).unwrap(); 20_000],
        )
        .unwrap();
    }
    let before = snapshot(&root.file(""));
    let place = root.path().join("backups/mailu/mail.example.com");
    let begun = std::time::Instant::now();
    let whole = file(&backup(&root, &[]));
    let course = begun.elapsed();
    fs::remove_file(&whole).unwrap();
    let mut halves = 0;
    for point in 0..24 {
        let mut child = root
            .command(&["backup", "--cold", "--keep-all"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(course * point / 24);
        let _ = child.kill();
        child.wait().unwrap();
        for entry in fs::read_dir(&place).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if name.starts_with('.') {
                halves += 1;
            } else {
                // It had been finished.
                root.run(&["backup", "verify", path.to_str().unwrap()])
                    .expect_code(0);
                fs::remove_file(&path).unwrap();
            }
        }
    }
    assert!(halves > 0, "nothing was interrupted");
    // The next one finds nothing in its way, and clears up.
    let done = file(&backup(&root, &["--verify"]));
    let left: Vec<_> = fs::read_dir(&place)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(left, [done]);
    let mut after = snapshot(&root.file(""));
    after.0.retain(|name, _| !name.ends_with("backup.lock"));
    let mut before = before;
    before.0.retain(|name, _| !name.ends_with("backup.lock"));
    before.assert_same(&after, "after interrupted backups");
}
