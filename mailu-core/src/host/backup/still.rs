//! Services that stand still for a moment.
//!
//! Mail, queue and calendars are read while the programs that write them are frozen (the engine's `pause`: no process of theirs gets
//! time, connections stay open). Whatever happens to this process meanwhile, they go on: a child that outlives it waits
//! for the end of its input, which comes with our end, and lets them go on.

use std::fs;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::engine::{Container, State};
use crate::error::{Error, ErrorKind};
use crate::host::engine::Docker;
use crate::host::files;
use crate::paths::Layout;

/// Lets containers go on when its input ends without the word that all is well; a terminal's or systemd's signals are not for it. It goes on
/// until nobody has stood still for some seconds: the engine may still be at what the killed run asked of it, or be away itself.
const GUARD: &str = r#"trap '' HUP INT TERM
read -r done
test "$done" = done && exit
quiet=0
tries=0
while test $quiet -lt 5 && test $tries -lt 900; do
    quiet=$((quiet + 1))
    tries=$((tries + 1))
    for name; do
        case $(docker inspect --format '{{.State.Paused}}' "$name" 2>&1) in
            false | *"No such"*) ;;
            *) docker unpause "$name"; quiet=0 ;;
        esac
    done
    sleep 1
done"#;

/// How long it is tried to freeze a container.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where it is noted which containers stand still.
fn note(layout: &Layout) -> PathBuf {
    layout.file(".mailu/frozen")
}

/// Containers that stand still until this is dropped.
pub(super) struct Still<'d> {
    docker: &'d Docker,
    note: PathBuf,
    names: Vec<String>,
    guard: Option<Child>,
}

impl std::fmt::Debug for Still<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Still")
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}

impl<'d> Still<'d> {
    /// Has the running ones among `containers` of `services` stand still. Those that somebody else has paused stay as they are.
    pub(super) fn begin(
        docker: &'d Docker,
        layout: &Layout,
        containers: &[Container],
        services: &[&str],
    ) -> Result<Self, Error> {
        let mut still = Self {
            docker,
            note: note(layout),
            names: Vec::new(),
            guard: None,
        };
        // In the order of the services: whoever hands over stands still before whoever takes.
        let names: Vec<String> = services
            .iter()
            .filter_map(|service| {
                containers.iter().find(|one| {
                    one.service.as_deref() == Some(service) && one.state == State::Running
                })
            })
            .map(|one| one.name.clone())
            .collect();
        if names.is_empty() {
            return Ok(still);
        }
        let able = Command::new("docker")
            .arg("--version")
            .stdin(Stdio::null())
            .output();
        if !able.is_ok_and(|output| output.status.success()) {
            return Err(Error::new(
                ErrorKind::Docker,
                "backup.no_docker",
                "back up: the program `docker` does not run, which would let frozen containers go on if this one were killed",
            )
            .hint("install it: the package docker-ce-cli (Docker's own), docker-cli or docker.io (Debian's)"));
        }
        let text = names.join("\n") + "\n";
        fs::write(&still.note, text).map_err(|error| files::failed("write", &still.note, error))?;
        let guard = Command::new("sh")
            .args(["-c", GUARD, "sh"])
            .args(&names)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(|error| {
                Error::new(
                    ErrorKind::Io,
                    "backup.guard",
                    "back up: the program that watches over frozen containers does not start",
                )
                .source(error)
            })?;
        still.guard = Some(guard);
        for name in names {
            // It may have gone on its own way; then it does not write either.
            still.names.push(name.clone());
            freeze(docker, &name)?;
        }
        Ok(still)
    }

    /// Lets them go on.
    pub(super) fn end(mut self) -> Result<(), Error> {
        self.go_on()
    }

    fn go_on(&mut self) -> Result<(), Error> {
        let Some(mut guard) = self.guard.take() else {
            return Ok(());
        };
        let mut result = Ok(());
        while let Some(name) = self.names.pop() {
            result = result.and(self.docker.unpause(&name));
        }
        let input = guard.stdin.take();
        // After a failure the guard tries, with the end of its input, and the next run does, by the note.
        result?;
        if let Some(mut input) = input {
            let _ = io::Write::write_all(&mut input, b"done\n");
        }
        let _ = guard.wait();
        let _ = fs::remove_file(&self.note);
        Ok(())
    }
}

impl Drop for Still<'_> {
    fn drop(&mut self) {
        let _ = self.go_on();
    }
}

/// Freezes a container. The kernel gives up where processes come and go too fast, or wait for a disk: then it is asked again.
fn freeze(docker: &Docker, name: &str) -> Result<(), Error> {
    let begun = Instant::now();
    loop {
        match docker.pause(name) {
            Err(error) if error.code() == "engine.refused" && begun.elapsed() < PATIENCE => {
                let ended = docker
                    .container(name)?
                    .is_none_or(|there| there.state != State::Running);
                if ended {
                    // One that does not run does not write; one that is frozen already stays so.
                    return Ok(());
                }
                std::thread::sleep(Duration::from_millis(200));
            }
            Err(error) => {
                return Err(error.hint("run the same command again when the machine is less busy"));
            }
            Ok(()) => return Ok(()),
        }
    }
}

/// Lets go on what a run that was killed, and its guard with it, has left standing still.
pub(super) fn thaw(
    docker: &Docker,
    layout: &Layout,
    containers: &[Container],
) -> Result<(), Error> {
    let path = note(layout);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(files::failed("read", &path, error)),
    };
    for name in text.lines() {
        let paused = containers
            .iter()
            .any(|one| one.name == name && one.state == State::Paused);
        if paused {
            docker.unpause(name)?;
        }
    }
    remove(&path)
}

fn remove(path: &Path) -> Result<(), Error> {
    fs::remove_file(path).map_err(|error| files::failed("remove", path, error))
}
