//! What tests share that kill the program while files of a deployment change places.

use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Root, Snapshot, snapshot, tool};

/// The deployment and its secrets, and whatever else is beside them.
pub(crate) fn inventory(root: &Path) -> Snapshot {
    let mut all = snapshot(root);
    all.0.retain(|name, _| {
        (name.starts_with("mailu/") && name != "mailu/.lock") || name.starts_with("secrets/mailu/")
    });
    all
}

/// The note of a restore or an update.
pub(crate) fn note(root: &Root) -> PathBuf {
    root.path().join("mailu/.mail.example.com.restore.json")
}

/// How far the restore or the update is that left a note.
pub(crate) fn noted(root: &Root) -> Option<String> {
    let text = std::fs::read_to_string(note(root)).ok()?;
    let value: Value = serde_json::from_str(&text).unwrap();
    Some(value["state"].as_str().unwrap().to_owned())
}

/// Starts `command`, and kills it as soon as it `is` so.
pub(crate) fn killed_when(command: &mut Command, is: impl Fn() -> bool) {
    let mut child = quiet(command);
    let begun = Instant::now();
    while !is() {
        assert!(child.try_wait().unwrap().is_none(), "it ended before that");
        assert!(begun.elapsed().as_secs() < 60);
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

fn quiet(command: &mut Command) -> Child {
    let command = command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

/// A system call at which the kernel kills a program.
#[derive(Debug, Clone)]
pub(crate) struct Killer {
    call: String,
    number: usize,
}

impl std::fmt::Display for Killer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "killed at {} {}", self.call, self.number)
    }
}

/// `command` below strace, which gets `args`.
fn traced(command: &Command, args: &[&str]) -> Command {
    let mut traced = Command::new(tool("strace"));
    traced
        .args(["-f", "-qq"])
        .args(args)
        .arg(command.get_program())
        .args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => traced.env(name, value),
            None => traced.env_remove(name),
        };
    }
    traced.stdin(Stdio::null());
    traced
}

impl Killer {
    pub(crate) fn new(call: &str, number: usize) -> Self {
        Self {
            call: call.to_owned(),
            number,
        }
    }

    /// Runs `command`; whether it was killed.
    pub(crate) fn kills(&self, command: &Command) -> bool {
        let Self { call, number } = self;
        let trace = format!("trace={call}");
        let inject = format!("inject={call}:signal=KILL:when={number}");
        let args = ["-o", "/dev/null", "-e", &trace, "-e", &inject];
        let status = traced(command, &args).output().unwrap().status;
        status.signal() == Some(9)
    }
}

/// Tries `each` with every `step`th of each system call, until it says that nothing was killed. Returns how often something was.
pub(crate) fn at_system_calls(
    calls: &[(&str, usize)],
    mut each: impl FnMut(&Killer) -> bool,
) -> usize {
    let mut points = 0;
    for (call, step) in calls {
        let mut killer = Killer::new(call, 1);
        while each(&killer) {
            points += 1;
            killer.number += step;
        }
    }
    points
}

/// How often the main thread of `command` makes each of `calls`. It is run for that.
pub(crate) fn counted(command: &Command, calls: &[&str], log: &Path) -> Vec<usize> {
    let path = log.to_str().unwrap();
    let trace = format!("trace={}", calls.join(","));
    quiet(&mut traced(command, &["-o", path, "-e", &trace]))
        .wait()
        .unwrap();
    let text = std::fs::read_to_string(log).unwrap();
    // The first line is the main thread's.
    let main = text.split(' ').next().unwrap_or_default();
    let lines = || text.lines().filter_map(|line| line.strip_prefix(main));
    let is = |line: &str, call: &str| {
        let name = line.trim_start().split('(').next();
        call.split(',').any(|one| Some(one) == name)
    };
    calls
        .iter()
        .map(|call| lines().filter(|line| is(line, call)).count())
        .collect()
}
