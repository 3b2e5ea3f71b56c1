//! Installations that are killed, or meet a host that cannot do what it should: the same command goes on to a server that works, and
//! nothing half-made counts as installed.
//!
//! `MAILU_E2E_FULL=1` (`make e2e-full`) kills at many more points.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::server::{ADMIN, BARE, LIGHT, NAMES, PASSWORD, Server, containers};
use crate::support::{Root, Run, succeed};
use crate::world::{self, HOST, Zone, arrives_in, docker, wait_long};

/// A server without Traefik: what it needs is this host's ports, and nobody else is involved.
struct Case {
    server: Server,
}

const FRONT: &str = "ghcr.io/mailu/nginx:2024.06.57";

impl Case {
    fn new() -> Self {
        let address = format!("ports.address={HOST}");
        let all = [&LIGHT[..], &BARE, &["--set", &address]].concat();
        Self {
            server: Server::with_files(Root::new(), &all),
        }
    }

    fn root(&self) -> &Root {
        &self.server.root
    }

    /// Starts it in a process group of its own. What it says is read by nobody until it has ended.
    fn begin(&self) -> Child {
        self.root()
            .command(&[&["--verbose"], self.server.command().as_slice()].concat())
            .process_group(0)
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(self.said()).unwrap())
            .spawn()
            .unwrap()
    }

    fn said(&self) -> std::path::PathBuf {
        self.root().path().with_file_name("said")
    }

    fn last_said(&self) -> String {
        let text = std::fs::read_to_string(self.said()).unwrap_or_default();
        text.lines().last().unwrap_or("nothing").to_owned()
    }

    fn installed(&self) -> bool {
        self.root().file(".installed_ok").exists()
    }

    /// Nothing tells anybody that this is a server.
    fn counts_as_incomplete(&self) {
        assert!(!self.installed(), "after: {}", self.last_said());
        let list = self.root().run(&["list", "--json"]).expect_code(0).json();
        for one in list.as_array().unwrap() {
            assert_eq!(one["state"], "incomplete", "{one}");
        }
    }

    /// Refused or failed: clearly, with something to do, and nothing that counts as installed.
    fn fails(&self, words: &[&str]) -> Run {
        let run = self.server.run().expect_code(2);
        let said = run.err.to_lowercase();
        for word in words {
            assert!(
                said.contains(&word.to_lowercase()),
                "`{word}` is not in: {}",
                run.err
            );
        }
        assert!(said.contains("error:"), "{}", run.err);
        assert!(
            said.contains("hint:") || said.contains("fix:"),
            "{}",
            run.err
        );
        self.counts_as_incomplete();
        run
    }

    /// The same command goes on, and the server works.
    fn goes_on(&self, subject: &str) {
        let run = self.server.run().expect_code(0);
        assert!(self.installed(), "{}", run.out);
        let list = self.root().run(&["list", "--json"]).expect_code(0).json();
        assert_eq!(list[0]["state"], "installed");
        arrives_in(ADMIN, PASSWORD, subject);
    }

    fn take_down(&self) {
        self.root()
            .run(&[
                "uninstall",
                "--delete-data",
                "--yes-delete",
                "mail.example.com",
            ])
            .expect_code(0);
        assert!(containers().is_empty());
    }
}

/// Kills an installation, with (`all`) or without what it has started, and whether it had ended before.
fn kill(mut child: Child, all: bool) -> bool {
    let group = format!("-{}", child.id());
    let target = if all { group.as_str() } else { &group[1..] };
    let ended = child.try_wait().unwrap().is_some();
    if !ended {
        succeed(Command::new("kill").args(["-KILL", "--", target]));
    }
    child.wait().unwrap();
    ended
}

/// How many points an installation is killed at.
fn points() -> u32 {
    if std::env::var_os("MAILU_E2E_FULL").is_some() {
        36
    } else {
        3
    }
}

#[test]
fn killed_anywhere_the_same_command_goes_on() {
    let _alone = world::alone();
    let case = Case::new();
    // How long it takes when nobody disturbs it. The images are warm then.
    let begun = Instant::now();
    case.goes_on("undisturbed");
    let mut course = begun.elapsed();
    case.take_down();
    let count = points();
    let mut killed = 0;
    let mut places = BTreeSet::new();
    for attempt in 1..=count * 2 {
        // The last one is close to the end.
        let at = course * (killed + 1) / (count + 1);
        let begun = Instant::now();
        let child = case.begin();
        std::thread::sleep(at.saturating_sub(begun.elapsed()));
        let ended = kill(child, attempt % 2 == 0);
        let last = case.last_said();
        if ended {
            // It was faster this time: there was nothing to kill.
            assert!(case.installed(), "{last}");
            course = course * 9 / 10;
        } else {
            killed += 1;
            if !case.installed() {
                case.counts_as_incomplete();
            }
        }
        let resumed = Instant::now();
        case.goes_on(&format!("attempt {attempt}"));
        if count > 3 {
            eprintln!(
                "{killed:>3}/{count}: {} after {:>5.1} s at `{last}`, works {:.1} s later",
                if ended { "had ended" } else { "killed" },
                at.as_secs_f32(),
                resumed.elapsed().as_secs_f32()
            );
        }
        case.take_down();
        places.insert(last);
        if killed == count {
            break;
        }
    }
    assert_eq!(killed, count, "at: {places:?}");
    // In many stages of it, and not again and again in one.
    let least = if count > 3 { 8 } else { 2 };
    assert!(places.len() >= least, "at: {places:?}");
}

#[test]
fn a_missing_image_taken_ports_and_an_engine_that_goes_away() {
    let _alone = world::alone();
    let case = Case::new();

    let kept = "mailu-kept/nginx:1";
    docker(&["tag", FRONT, kept]);
    docker(&["image", "rm", FRONT]);
    let missing = Tagged { kept, name: FRONT };
    case.fails(&["get the image", FRONT]);
    drop(missing);

    let listener = TcpListener::bind((HOST, 25)).unwrap();
    case.fails(&["port 25"]);
    drop(listener);

    docker(&[
        "run",
        "-d",
        "--name",
        "mailu_e2e_holder",
        "-p",
        "198.51.100.1:993:993",
        "redis:7.4.9-alpine",
        "sleep",
        "600",
    ]);
    case.fails(&["993", "mailu_e2e_holder"]);
    docker(&["rm", "--force", "mailu_e2e_holder"]);

    // The engine is killed while containers start, and comes back as systemd would have it.
    let mut child = case.begin();
    wait_long("the first services", Duration::from_secs(120), || {
        assert!(child.try_wait().unwrap().is_none(), "{}", case.last_said());
        let said = std::fs::read_to_string(case.said()).unwrap();
        said.contains("starting ").then_some(())
    });
    let pid = std::fs::read_to_string("/run/docker.pid").unwrap();
    succeed(Command::new("kill").args(["-KILL", pid.trim()]));
    let status = child.wait().unwrap();
    let said = std::fs::read_to_string(case.said()).unwrap();
    if status.success() {
        assert!(case.installed(), "{said}");
    } else {
        assert_eq!(status.code(), Some(2), "{said}");
        assert!(said.contains("error:") && said.contains("hint:"), "{said}");
        case.counts_as_incomplete();
    }
    wait_long("the engine", Duration::from_secs(60), || {
        let up = Command::new("docker")
            .args(["exec", "world_outside", "test", "-e", "/run/ready"])
            .output();
        up.is_ok_and(|output| output.status.success()).then_some(())
    });
    // Zones are of the world's life before.
    let _zone = std::mem::ManuallyDrop::new(Zone::load("example.com", NAMES));
    case.goes_on("after the engine was gone");
    let mut out = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut out)
        .unwrap();
    case.root()
        .no_secret_in(&format!("{out}{said}"), "output of a run without engine");
    case.take_down();
}

/// An image that has lost its name; it gets it back.
struct Tagged {
    kept: &'static str,
    name: &'static str,
}

impl Drop for Tagged {
    fn drop(&mut self) {
        docker(&["tag", self.kept, self.name]);
        docker(&["image", "rm", self.kept]);
    }
}

/// A disk of its own: a file system in a file, nearly full.
struct Small<'a>(&'a Path);

impl<'a> Small<'a> {
    fn mount(path: &'a Path, free: u64) -> Self {
        let image = path.with_file_name("disk.img");
        std::fs::create_dir_all(path).unwrap();
        std::fs::File::create(&image)
            .unwrap()
            .set_len(1 << 30)
            .unwrap();
        succeed(
            Command::new("mkfs.ext4")
                .args(["-q", "-m", "0"])
                .arg(&image),
        );
        succeed(
            Command::new("mount")
                .args(["-o", "loop"])
                .args([image.as_path(), path]),
        );
        let small = Self(path);
        small.leave(free);
        small
    }

    /// Has so many KiB free, and no more.
    fn leave(&self, free: u64) {
        let filler = self.0.join("filler");
        let _ = std::fs::remove_file(&filler);
        let printed = succeed(
            Command::new("df")
                .args(["--block-size=1K", "--output=avail"])
                .arg(self.0),
        );
        let there: u64 = printed.lines().nth(1).unwrap().trim().parse().unwrap();
        succeed(
            Command::new("fallocate")
                .args(["--length", &format!("{}KiB", there - free)])
                .arg(&filler),
        );
    }
}

impl Drop for Small<'_> {
    fn drop(&mut self) {
        world::remove_containers("mailu_");
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

#[test]
fn a_full_disk_is_named_and_the_same_command_goes_on() {
    let _alone = world::alone();
    let mut case = Case::new();
    let path = case.root().path();
    let small = Small::mount(&path, 64);
    // The checks see it first,
    case.fails(&["disk"]);
    assert!(!case.root().file("mailu.toml").exists());
    // and who leaves them out hears of it from the first file that has no room.
    case.server
        .words
        .extend(["--skip-check", "preflight.disk"].map(str::to_owned));
    case.fails(&["No space left on device"]);
    let sizes: &[u64] = if points() > 3 {
        &[128, 256, 512, 1024, 2048]
    } else {
        &[512]
    };
    for size in sizes {
        small.leave(*size);
        let run = case
            .root()
            .run(&[case.server.command().as_slice(), &["--wait", "30"]].concat());
        if run.code == 0 {
            assert!(case.installed());
            break;
        }
        // It failed, or all of it runs, and Postfix says that it has no room.
        assert!(
            run.code == 2 || run.code == 1 && run.err.contains("make room on the disk"),
            "{size} KiB: {}{}",
            run.out,
            run.err
        );
        case.counts_as_incomplete();
    }
    small.leave(512 * 1024);
    case.goes_on("with room");
    drop(small);
}
