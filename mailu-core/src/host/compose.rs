//! Docker Compose, which converges a deployment's project: the plug-in `docker compose`, else the program `docker-compose`.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use super::lock::Locks;
use crate::error::{Error, ErrorKind};
use crate::paths::quoted;

/// How many of its last lines are shown when it fails.
const LAST_WORDS: usize = 12;

/// How often a waiting run looks whether to go on.
const PAUSE: Duration = Duration::from_millis(200);

/// Variables of the caller's shell that would change what Compose makes of a deployment's files.
const MISLEADING: [&str; 10] = [
    "COMPOSE_ENV_FILES",
    "COMPOSE_FILE",
    "COMPOSE_PROFILES",
    "COMPOSE_PROJECT_NAME",
    "COMPOSE_REMOVE_ORPHANS",
    "DOCKER_ORG",
    "DOCKER_PREFIX",
    "DOCKER_DEFAULT_PLATFORM",
    "MAILU_VERSION",
    "COMPOSE_IGNORE_ORPHANS",
];

/// A Compose that answers.
#[derive(Debug, Clone)]
pub(super) struct Compose {
    /// Program and first arguments.
    call: &'static [&'static str],
    /// What it says of itself: `2.26.1`.
    pub(super) version: String,
    /// The deployment's lock, which it is to hold while it runs.
    lock: Option<Arc<File>>,
}

impl Compose {
    /// The newest way of calling Compose that this host has.
    pub(super) fn find() -> Option<Self> {
        let all: [&'static [&'static str]; 2] = [&["docker", "compose"], &["docker-compose"]];
        all.into_iter().find_map(|call| {
            let (program, first) = call.split_first()?;
            let output = Command::new(program)
                .args(first)
                .args(["version", "--short"])
                .stdin(Stdio::null())
                .output()
                .ok()?;
            let version = String::from_utf8_lossy(&output.stdout)
                .trim()
                .trim_start_matches('v')
                .to_owned();
            (output.status.success() && version.starts_with(|c: char| c.is_ascii_digit()))
                .then_some(Self {
                    call,
                    version,
                    lock: None,
                })
        })
    }

    /// As [`Compose::find`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Docker`], `compose.missing`.
    pub(super) fn required() -> Result<Self, Error> {
        Self::find().ok_or_else(|| {
            Error::new(
                ErrorKind::Docker,
                "compose.missing",
                "run Docker Compose: neither `docker compose` nor `docker-compose` answers",
            )
            .hint("`mailu install --with-deps` installs it; or install the package docker-compose-plugin (Docker's own) or docker-compose (Debian's)")
        })
    }

    /// From now on it holds the deployment's lock as long as it runs, even if this process is killed.
    pub(super) fn holding(mut self, locks: &Locks) -> Self {
        self.lock = locks.held_by_input().map(Arc::new);
        self
    }

    /// What it reads: nothing.
    fn input(&self) -> Stdio {
        let lock = self.lock.as_ref().and_then(|lock| lock.try_clone().ok());
        lock.map_or_else(Stdio::null, Stdio::from)
    }

    /// Whether it is of the first series, written in Python.
    pub(super) fn is_first(&self) -> bool {
        self.version.starts_with("1.")
    }

    /// The call for a person to type in `directory`.
    pub(super) fn typed(&self, directory: &Path, arguments: &str) -> String {
        format!(
            "cd {} && {} {arguments}",
            quoted(directory),
            self.call.join(" ")
        )
    }

    /// A call in `directory`, for the caller to run.
    pub(super) fn command(&self, directory: &Path) -> Command {
        let mut command = Command::new(self.call.first().copied().unwrap_or("docker"));
        command
            .args(self.call.iter().skip(1))
            .current_dir(directory)
            .env("PWD", directory);
        for name in MISLEADING {
            command.env_remove(name);
        }
        command
    }

    /// Runs it in `directory` and hands over each line that it writes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Docker`], `compose.failed`, with its last words.
    pub(super) fn run(
        &self,
        directory: &Path,
        arguments: &[&str],
        said: &mut dyn FnMut(&str),
    ) -> Result<(), Error> {
        self.run_until(directory, arguments, &mut |line| {
            if let Some(line) = line {
                said(line);
            }
            ControlFlow::Continue(())
        })
    }

    /// As [`Compose::run`], and asks `each` every now and then without a line whether to go on.
    ///
    /// # Errors
    ///
    /// As [`Compose::run`]; `interrupted` if `each` breaks.
    pub(super) fn run_until(
        &self,
        directory: &Path,
        arguments: &[&str],
        each: &mut dyn FnMut(Option<&str>) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let typed = self.typed(directory, &arguments.join(" "));
        let failed = |why: String| {
            Error::new(
                ErrorKind::Docker,
                "compose.failed",
                format!("run Docker Compose ({}): {why}", arguments.join(" ")),
            )
        };
        let mut child = self
            .command(directory)
            .args(["--ansi", "never"])
            .args(arguments)
            .stdin(self.input())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| failed("it does not start".to_owned()).source(error))?;
        let (send, lines) = mpsc::channel();
        let readers = [
            child.stdout.take().map(|out| reader(out, send.clone())),
            child.stderr.take().map(|err| reader(err, send)),
        ];
        let mut last = VecDeque::new();
        loop {
            let line = match lines.recv_timeout(PAUSE) {
                Ok(line) => Some(line),
                Err(mpsc::RecvTimeoutError::Timeout) => None,
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
            };
            if each(line.as_deref()).is_break() {
                let _ = child.kill();
                let _ = child.wait();
                return Err(interrupted());
            }
            let Some(line) = line else { continue };
            if last.len() == LAST_WORDS {
                last.pop_front();
            }
            last.push_back(line);
        }
        for reader in readers.into_iter().flatten() {
            let _ = reader.join();
        }
        let status = child
            .wait()
            .map_err(|error| failed("it cannot be waited for".to_owned()).source(error))?;
        if status.success() {
            return Ok(());
        }
        let said: Vec<String> = last.into();
        Err(failed(format!("{status}\n{}", said.join("\n")))
            .hint(format!("`{typed}` shows it again")))
    }
}

/// The error of a run that was told to stop.
pub(super) fn interrupted() -> Error {
    Error::new(
        ErrorKind::Docker,
        "interrupted",
        "go on: the run was interrupted",
    )
    .hint("the same command continues where it stopped")
}

fn reader(from: impl Read + Send + 'static, to: mpsc::Sender<String>) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        while from.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            if !text.is_empty() && to.send(text).is_err() {
                return;
            }
            line.clear();
        }
    })
}
