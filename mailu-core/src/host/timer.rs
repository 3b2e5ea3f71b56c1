//! Installs the timers that look after certificates and take backups.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Serialize;

use super::deps;
use super::engine;
use super::files::{self, Disk, Files as _};
use super::observe;
use super::root::Mailu;
use crate::error::{Error, ErrorKind};
use crate::finding::Finding;
use crate::paths::quoted;
use crate::timer::{self, Chore, Timer, Unit};

/// The timer, and what was done about it.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct TimerState {
    /// Its units and their text.
    pub units: Vec<(PathBuf, String)>,
    /// A line for cron that does the same.
    pub cron: String,
    /// Whether this host runs systemd.
    pub systemd: bool,
    /// Whether the units are in place.
    pub installed: bool,
    /// Whether anything was changed.
    pub changed: bool,
    /// What is worth knowing.
    pub findings: Vec<Finding>,
}

impl Mailu {
    /// The timer that does a chore for all deployments.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] if the program that it runs is not there.
    pub fn timer(&self, chore: Chore) -> Result<TimerState, Error> {
        let (timer, directory) = (self.wanted(chore)?, Path::new(timer::DIRECTORY));
        let mut state = state(&timer, directory);
        state.installed = timer
            .files()
            .iter()
            .all(|(name, _)| directory.join(name).exists());
        Ok(state)
    }

    /// Installs that timer, and starts it. Units that somebody edited stay as they are.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] without systemd; [`ErrorKind::Io`] if a unit cannot be written, or systemd refuses it.
    pub fn install_timer(&self, chore: Chore) -> Result<TimerState, Error> {
        let (timer, directory) = (self.wanted(chore)?, Path::new(timer::DIRECTORY));
        let mut state = state(&timer, directory);
        if !state.systemd {
            return Err(Error::new(
                ErrorKind::NotFound,
                "timer.no_systemd",
                "install a systemd timer: this host does not run systemd",
            )
            .hint(format!(
                "have cron do it: `echo {} > /etc/cron.d/{}`",
                quoted(Path::new(&timer.cron)),
                timer.name
            )));
        }
        for (name, text) in timer.files() {
            let path = directory.join(&name);
            let there = match fs::read_to_string(&path) {
                Ok(text) => Some(text),
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(error) => return Err(files::failed("read", &path, error)),
            };
            match timer::judge(there.as_deref(), text) {
                Unit::Write => {
                    state.changed = true;
                    files::write_atomically(&mut Disk, &path, 0o644, None, text.as_bytes())?;
                }
                Unit::Edited => state.findings.push(
                    Finding::notice(
                        "timer.edited",
                        path.display().to_string(),
                        "was edited, and stays as it is",
                    )
                    .hint(format!(
                        "put changes into a drop-in: `systemctl edit {name}`"
                    )),
                ),
                Unit::Same => {}
            }
        }
        let unit = format!("{}.timer", timer.name);
        if state.changed {
            systemctl(&["daemon-reload"])?;
        }
        if state.changed || systemctl(&["is-active", "--quiet", &unit]).is_err() {
            systemctl(&["enable", "--now", &unit])?;
            state.changed = true;
        }
        state.installed = true;
        Ok(state)
    }

    /// Stops and removes that timer.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`] if a unit cannot be removed.
    pub fn remove_timer(&self, chore: Chore) -> Result<TimerState, Error> {
        let (timer, directory) = (self.wanted(chore)?, Path::new(timer::DIRECTORY));
        let mut state = state(&timer, directory);
        let there: Vec<PathBuf> = timer
            .files()
            .iter()
            .map(|(name, _)| directory.join(name))
            .filter(|path| path.exists())
            .collect();
        if there.is_empty() {
            return Ok(state);
        }
        if state.systemd {
            systemctl(&["disable", "--now", &format!("{}.timer", timer.name)])?;
        }
        for path in there {
            Disk.remove(&path)
                .map_err(|error| files::failed("remove", &path, error))?;
        }
        if state.systemd {
            systemctl(&["daemon-reload"])?;
        }
        state.changed = true;
        Ok(state)
    }

    /// What an installation does about it: installs it as root where systemd runs, else says what cron could do.
    pub fn keep_current(&self) -> Vec<Finding> {
        let said = |message: &str, hint: String| {
            vec![Finding::notice("timer.by_hand", "certs sync", message).hint(hint)]
        };
        let by_cron = |state: &TimerState| format!("for cron: `{}`", state.cron);
        match self.timer(Chore::Certificates) {
            Ok(state) if !state.systemd => said(
                "has to be run hourly, so that renewed certificates reach the mail ports; this host has no systemd to do it",
                by_cron(&state),
            ),
            Ok(state) if !observe::privileged() => said(
                "has to be run hourly, so that renewed certificates reach the mail ports; only root can install its timer",
                by_cron(&state),
            ),
            // Then this is no ordinary installation, and what the host does hourly is not touched unasked.
            Ok(state) if !engine::is_usual(&engine::address()) => said(
                "has to be run hourly, so that renewed certificates reach the mail ports; with DOCKER_HOST set, no timer is installed unasked",
                by_cron(&state),
            ),
            Ok(_) => match self.install_timer(Chore::Certificates) {
                Ok(state) => state.findings,
                Err(error) => vec![
                    Finding::warning(
                        "timer.failed",
                        "certs sync",
                        format!("has no timer: {error}"),
                    )
                    .hint(format!(
                        "`{} certs timer --install` tries again",
                        crate::paths::program(self.root())
                    )),
                ],
            },
            Err(error) => vec![Finding::warning(
                "timer.failed",
                "certs sync",
                format!("has no timer: {error}"),
            )],
        }
    }

    fn wanted(&self, chore: Chore) -> Result<Timer, Error> {
        let binary = binary()?;
        let address = engine::address();
        let elsewhere = (!engine::is_usual(&address)).then_some(address);
        Ok(Timer::new(
            chore,
            self.root(),
            &binary,
            elsewhere.as_deref(),
        ))
    }
}

/// The program that a timer runs: this one; or, where Python or Node call this library, the one that is installed.
fn binary() -> Result<PathBuf, Error> {
    let this = std::env::current_exe().map_err(|error| {
        Error::new(
            ErrorKind::Io,
            "timer.program",
            "find out where this program lies",
        )
        .source(error)
    })?;
    let name = this.file_name().unwrap_or_default().to_string_lossy();
    if name.starts_with("mailu") {
        return Ok(this);
    }
    deps::program("mailu").ok_or_else(|| {
        Error::new(
            ErrorKind::NotFound,
            "timer.program",
            "find the program `mailu`, which a timer runs: it is not in any directory of PATH",
        )
        .hint("put it into /usr/local/bin; `make mailu-program` builds it")
    })
}

fn state(timer: &Timer, directory: &Path) -> TimerState {
    TimerState {
        units: timer
            .files()
            .into_iter()
            .map(|(name, text)| (directory.join(name), text.to_owned()))
            .collect(),
        cron: timer.cron.clone(),
        systemd: Path::new("/run/systemd/system").exists(),
        installed: false,
        changed: false,
        findings: Vec::new(),
    }
}

fn systemctl(arguments: &[&str]) -> Result<(), Error> {
    let typed = format!("systemctl {}", arguments.join(" "));
    let failed = |why: String| {
        Error::new(
            ErrorKind::Io,
            "timer.systemctl",
            format!("run `{typed}`: {why}"),
        )
        .hint("`systemctl status` shows whether systemd is well; then run the same command again")
    };
    let output = Command::new("systemctl")
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| failed("it does not start".to_owned()).source(error))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(failed(format!("{} {said}", output.status)))
}
