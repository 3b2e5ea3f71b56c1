//! Killed at every change, the next run ends in the same bytes as an undisturbed one.

use std::path::Path;
use std::process::Command;

use mailu_core::host::Hidden;
use mailu_core::host::testing::{Dying, Moment, Repeatable, deploy};
use mailu_core::paths::Layout;
use mailu_core::plan::Request;

use crate::interrupted::at_system_calls;
use crate::support::{INSTALL, Root, SMALL, Snapshot, program, tests};

/// A request for the small deployment, with more settings.
fn request(settings: &[(&str, &str)]) -> Request {
    let mut request = Request::default();
    for (key, value) in [
        ("mail_host", "mail.example.com"),
        ("email_domain", "example.com"),
        ("admin_email", "admin@example.com"),
        ("dns.ipv4", "203.0.113.10"),
        // Not where an engine that runs on this host beside the tests has its networks.
        ("network.pool", "10.211.0.0/16"),
        ("traefik.subnet", "10.211.255.0/24"),
    ]
    .iter()
    .chain(settings)
    {
        request
            .settings
            .push(((*key).to_owned(), (*value).to_owned()));
    }
    request
}

/// Dates are the only thing that may differ between two runs: of the installation, and in the names of kept copies.
pub(crate) fn without_date(mut snapshot: Snapshot) -> Snapshot {
    snapshot.0 = std::mem::take(&mut snapshot.0)
        .into_iter()
        .map(
            |(name, content)| match name.split_once(".mailu/replaced/") {
                Some((_, copy)) => (copy.rsplit_once('.').unwrap().0.to_owned(), content),
                None => (name, content),
            },
        )
        .collect();
    for (name, content) in &mut snapshot.0 {
        if name.ends_with(".installed_ok") {
            *content = content.split("INSTALL_DATE=").next().unwrap().to_owned();
        }
    }
    snapshot
}

fn run(
    layout: &Layout,
    request: &Request,
    files: &mut Dying,
    fresh: &mut Repeatable,
) -> Result<(), mailu_core::Error> {
    deploy(layout, request, files, fresh, &mut Hidden).map(drop)
}

pub(crate) fn copy(from: &Path, to: &Path) {
    assert!(
        Command::new("cp")
            .arg("-a")
            .arg(from)
            .arg(to)
            .status()
            .unwrap()
            .success()
    );
}

/// Kills a run of `request` at every change and every moment of it, starting from `start`; `next` is what the next run asks.
fn sweep(start: Option<&Path>, request_: &Request, fresh: &mut Repeatable) -> usize {
    let begin = || {
        let root = Root::new();
        if let Some(start) = start {
            copy(start, &root.path());
        }
        root
    };
    let undisturbed = begin();
    let mut count = Dying::at(usize::MAX, Moment::Before);
    run(&undisturbed.layout(), request_, &mut count, fresh).unwrap();
    let wanted = without_date(undisturbed.snapshot());

    let mut points = 0;
    for change in 1..=count.changes {
        for moment in [Moment::Before, Moment::Halfway, Moment::After] {
            let root = begin();
            let killed = run(
                &root.layout(),
                request_,
                &mut Dying::at(change, moment),
                fresh,
            );
            assert!(killed.is_err(), "change {change} was not reached");
            run(
                &root.layout(),
                request_,
                &mut Dying::at(usize::MAX, Moment::Before),
                fresh,
            )
            .unwrap_or_else(|error| {
                panic!("after a kill at change {change} ({moment:?}): {error}")
            });
            without_date(root.snapshot())
                .assert_same(&wanted, &format!("killed at change {change} ({moment:?})"));
            points += 1;
        }
    }
    points
}

#[test]
fn an_installation_killed_anywhere_is_completed_by_the_next_run() {
    let mut fresh = Repeatable::default();
    let points = sweep(None, &request(&[]), &mut fresh);
    assert!(points > 300, "only {points} points");
}

#[test]
fn a_change_killed_anywhere_is_completed_by_the_next_run() {
    let mut fresh = Repeatable::default();
    let first = Root::new();
    run(
        &first.layout(),
        &request(&[
            ("email_domains", "example.org"),
            ("mta_sts.mode", "testing"),
        ]),
        &mut Dying::at(usize::MAX, Moment::Before),
        &mut fresh,
    )
    .unwrap();
    // A key that somebody edited, to stay through it all.
    first.edit("mailu.env", "SITENAME=Mailu", "SITENAME=Theirs # mine");
    let changed = request(&[
        ("email_domains", "example.net"),
        ("limits.quota", "5GB"),
        ("services.webdav", "true"),
        ("tls.mode", "passthrough"),
        ("mta_sts.mode", "enforce"),
    ]);
    let points = sweep(Some(&first.path()), &changed, &mut fresh);
    assert!(points > 100, "only {points} points");
}

/// The same for a given file, and for what is drawn and dropped again on the way.
#[test]
fn a_given_file_killed_anywhere_is_merged_by_the_next_run() {
    let mut fresh = Repeatable::default();
    let first = Root::new();
    let given = |quota: &str, rest: &str| {
        let mut given = request(&[]);
        given.settings.clear();
        given.config = Some(format!(
            "{SMALL}[limits]\nquota = \"{quota}\"\n[dns]\nipv4 = \"203.0.113.10\"\n[network]\npool = [\"10.211.0.0/16\"]\n{rest}"
        ));
        given
    };
    run(
        &first.layout(),
        &given("1GB", "ipv6 = true\n[mta_sts]\nmode = \"testing\"\n"),
        &mut Dying::at(usize::MAX, Moment::Before),
        &mut fresh,
    )
    .unwrap();
    let without = given("2GB", "[tls]\nmode = \"letsencrypt\"\n");
    sweep(Some(&first.path()), &without, &mut fresh);
    // A change of somebody's goes its own way through it all.
    first
        .run(&["config", "set", "limits.messages", "300/day"])
        .expect_code(0);
    sweep(Some(&first.path()), &without, &mut fresh);
}

/// What is overwritten is kept once, wherever the run stopped.
#[test]
fn a_replacement_killed_anywhere_is_completed_by_the_next_run() {
    let mut fresh = Repeatable::default();
    let first = Root::new();
    run(
        &first.layout(),
        &request(&[]),
        &mut Dying::at(usize::MAX, Moment::Before),
        &mut fresh,
    )
    .unwrap();
    first.edit("mailu.env", "SITENAME=Mailu", "SITENAME=Theirs");
    first.write("docker-compose.yml", "services: {}\n");
    let mut forced = request(&[]);
    forced.force = true;
    sweep(Some(&first.path()), &forced, &mut fresh);
}

/// A run that was interrupted long ago says nothing about a key that somebody has put there since.
#[test]
fn an_old_note_is_no_leave_to_overwrite_somebodys_tls_key() {
    let mut fresh = Repeatable::default();
    for (settings, theirs) in [
        (vec![], false),
        (vec![], true),
        (vec![("limits.quota", "5GB")], true),
    ] {
        let changed = !settings.is_empty();
        // Killed when the journal is there; in the first run also the key, and no certificate.
        let root = (1..1000)
            .map(|change| {
                let root = Root::new();
                let whole = &mut Dying::at(usize::MAX, Moment::Before);
                if changed {
                    run(&root.layout(), &request(&[]), whole, &mut fresh).unwrap();
                }
                let stopped = &mut Dying::at(change, Moment::After);
                run(&root.layout(), &request(&settings), stopped, &mut fresh).unwrap_err();
                root
            })
            .find(|root| {
                root.file(".mailu/journal.json").exists()
                    && root.file("data/certs/key.pem").exists()
            })
            .unwrap();
        assert!(changed || !root.file("data/certs/cert.pem").exists());
        if theirs {
            root.write("data/certs/key.pem", "their key");
            let _ = std::fs::remove_file(root.file("data/certs/cert.pem"));
        }
        let again = run(
            &root.layout(),
            &request(&settings),
            &mut Dying::at(usize::MAX, Moment::Before),
            &mut fresh,
        );
        if theirs {
            let text = again.unwrap_err().all_findings()[0].to_string();
            assert!(text.contains("data/certs/cert.pem"), "{text}");
            assert!(root.read("data/certs/key.pem") == "their key");
        } else {
            again.unwrap();
            assert!(root.file("data/certs/cert.pem").exists());
        }
    }
}

/// What is brought back is brought back in the end, wherever the first attempt stopped.
#[test]
fn a_repair_killed_anywhere_is_completed_by_the_next_run() {
    let mut fresh = Repeatable::default();
    let first = Root::new();
    run(
        &first.layout(),
        &request(&[]),
        &mut Dying::at(usize::MAX, Moment::Before),
        &mut fresh,
    )
    .unwrap();
    // Not what would be drawn, so that drawing it anew would be seen.
    let key = std::fs::read_to_string(first.layout().secret("secret_key")).unwrap();
    first.edit(
        "mailu.env",
        &format!("SECRET_KEY={}", key.trim()),
        "SECRET_KEY=BROUGHTALONG12345",
    );
    first
        .run(&["apply", "--adopt", "SECRET_KEY"])
        .expect_code(0);
    std::fs::remove_file(first.layout().secret("secret_key")).unwrap();
    sweep(
        Some(&first.path()),
        &request(&[("limits.quota", "5GB")]),
        &mut fresh,
    );

    // The configuration, with a change.
    first
        .run(&["config", "set", "limits.messages", "300/day"])
        .expect_code(0);
    first.run(&["apply"]).expect_code(0);
    let toml = first.read("mailu.toml");
    std::fs::remove_file(first.file("mailu.toml")).unwrap();
    let changed = request(&[("limits.quota", "5GB"), ("network.ipv6", "true")]);
    sweep(Some(&first.path()), &changed, &mut fresh);
    // The same with a file that is given.
    let mut given = request(&[]);
    given.settings.clear();
    given.config = Some(format!("# template\n{toml}").replace("300/day", "200/day"));
    given.reset.insert("limits.messages".to_owned());
    sweep(Some(&first.path()), &given, &mut fresh);
    first.write("mailu.toml", &toml);

    let key = first.file("data/dkim/example.com.dkim.key");
    std::fs::copy(tests("fixtures/dkim.pem"), &key).unwrap();
    first.run(&["apply"]).expect_code(0);
    std::fs::remove_file(&key).unwrap();
    let mut given_up = request(&[]);
    given_up.new_dkim_key.insert("example.com".parse().unwrap());
    sweep(Some(&first.path()), &given_up, &mut fresh);
}

/// Killed on the way to one configuration, and then asked for a third one: what the killed run had written already is not
/// taken for somebody's edit.
#[test]
fn a_change_of_mind_after_a_kill_is_no_conflict() {
    let mut fresh = Repeatable::default();
    let first = Root::new();
    run(
        &first.layout(),
        &request(&[]),
        &mut Dying::at(usize::MAX, Moment::Before),
        &mut fresh,
    )
    .unwrap();
    let (second, third) = (
        request(&[("limits.quota", "5GB"), ("services.api", "true")]),
        request(&[("limits.quota", "6GB"), ("services.api", "false")]),
    );
    let wanted = Root::new();
    copy(&first.path(), &wanted.path());
    run(
        &wanted.layout(),
        &third,
        &mut Dying::at(usize::MAX, Moment::Before),
        &mut fresh,
    )
    .unwrap();
    let wanted = without_date(wanted.snapshot());

    let mut change = 1;
    loop {
        let root = Root::new();
        copy(&first.path(), &root.path());
        if run(
            &root.layout(),
            &second,
            &mut Dying::at(change, Moment::After),
            &mut fresh,
        )
        .is_ok()
        {
            break;
        }
        run(
            &root.layout(),
            &third,
            &mut Dying::at(usize::MAX, Moment::Before),
            &mut fresh,
        )
        .unwrap();
        let now = without_date(root.snapshot());
        // The serial of a zone counts changes, so it may be ahead; rendered.json holds the hash of the file with it.
        let (mut now, mut wanted) = (now, wanted.clone());
        for snapshot in [&mut now, &mut wanted] {
            snapshot.0.remove(".mailu/rendered.json");
            for (name, content) in &mut snapshot.0 {
                if name.strip_suffix(".zone").is_some() {
                    *content = content
                        .lines()
                        .filter(|line| !line.contains(" IN SOA "))
                        .collect();
                }
            }
        }
        now.assert_same(&wanted, &format!("killed at change {change}"));
        change += 1;
    }
    assert!(change > 10);
}

/// The program itself, killed by the kernel at every system call that changes a file.
#[test]
fn the_program_killed_at_any_system_call_is_completed_by_the_next_run() {
    // Secrets and keys are in place, so that every run ends in the same bytes.
    let seed = Root::new();
    seed.install();
    for file in [
        "mailu.env",
        ".env",
        "docker-compose.yml",
        ".installed_ok",
        "mailu.toml",
        ".mailu/rendered.json",
        ".mailu/lock",
    ] {
        std::fs::remove_file(seed.file(file)).unwrap();
    }
    for directory in ["dns", "overrides", ".mailu"] {
        std::fs::remove_dir_all(seed.file(directory)).unwrap();
    }
    let fresh = || {
        let root = Root::new();
        copy(&seed.path(), &root.path());
        root
    };
    let wanted = {
        let root = fresh();
        root.install();
        without_date(root.snapshot())
    };

    // Reading opens files too; a kill there is one more point.
    let calls = [
        ("mkdir", 2),
        ("rename", 2),
        ("chmod", 2),
        ("fsync", 2),
        ("openat", 9),
        ("write", 3),
    ];
    let points = at_system_calls(&calls, |killer| {
        let root = fresh();
        let killed = killer.kills(&root.command(&INSTALL));
        if killed {
            let again = root.run(&INSTALL);
            assert_eq!(again.code, 0, "after being {killer}: {}", again.err);
            without_date(root.snapshot()).assert_same(&wanted, &killer.to_string());
        }
        killed
    });
    assert!(points > 60, "only {points} points");
}

/// Secrets are drawn once: what is on disk when a run is killed is there after the next one.
#[test]
fn a_secret_that_was_stored_is_never_drawn_again() {
    let mut change = 1;
    loop {
        let root = Root::new();
        let killed = run(
            &root.layout(),
            &request(&[]),
            &mut Dying::at(change, Moment::After),
            &mut Repeatable::default(),
        );
        let keep = |snapshot: Snapshot| {
            let mut snapshot = snapshot;
            snapshot.0.retain(|name, _| {
                !name.ends_with(".mailu-new")
                    && (name.starts_with("secrets/mailu/mail.example.com/")
                        || name.contains("/dkim/"))
            });
            snapshot
        };
        let before = keep(root.snapshot());
        // This time with the system's randomness, as in life.
        root.install();
        let after = keep(root.snapshot());
        for (name, content) in &before.0 {
            assert!(
                after.0.get(name) == Some(content),
                "{name} was drawn again after a kill at change {change}"
            );
        }
        if killed.is_ok() {
            break;
        }
        change += 7;
    }
}

#[test]
fn a_full_disk_is_a_clear_error_and_leaves_no_half_file() {
    // A file-size limit of the process is the same to it as a full disk, and needs no privileges.
    let root = Root::new();
    let output = Command::new("sh")
        .arg("-c")
        .arg("ulimit -f 8; trap '' XFSZ; exec \"$@\"")
        .arg("sh")
        .arg(program())
        .arg("--root")
        .arg(root.path())
        .args(INSTALL)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(
        text.contains("write ") && text.contains("caused by"),
        "{text}"
    );
    assert!(!root.file(".installed_ok").exists());
    let json = root.run(&["--json", "list"]).json();
    assert_eq!(json[0]["state"], "incomplete");
    for (name, _) in root.snapshot().0 {
        assert!(!name.ends_with(".mailu-new"), "{name} is left");
    }
    root.install();
    assert_eq!(
        root.run(&["--json", "list"]).json()[0]["state"],
        "installed"
    );
}
