//! One run at a time: for all deployments below a root while networks are handed out, and for the deployment itself.

use std::fs::{self, File, TryLockError};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use super::{files, restore};
use crate::error::{Error, ErrorKind};
use crate::paths::Layout;

/// How long a run waits for another one.
const PATIENCE: Duration = Duration::from_secs(60);

/// Held locks; dropped with the value, or with the process however it ends.
#[derive(Debug)]
pub(super) struct Locks {
    held: Vec<File>,
}

impl Locks {
    /// Without any yet.
    pub(super) fn none() -> Self {
        Self { held: Vec::new() }
    }

    /// Takes one more, unless it is among them, by whatever name.
    pub(super) fn add(&mut self, path: &Path) -> Result<(), Error> {
        if !self.held.iter().any(|file| restore::same(file, path)) {
            self.held.push(wait_for(path)?);
        }
        Ok(())
    }

    /// An input for a program that this run starts: it holds the last lock, that of the deployment, as long as the program runs. So the next
    /// run waits for what one that was killed has left working.
    pub(super) fn held_by_input(&self) -> Option<File> {
        self.held.last()?.try_clone().ok()
    }
}

/// Takes both locks.
pub(super) fn take(layout: &Layout) -> Result<Locks, Error> {
    let mut locks = take_fleet(layout)?;
    // The first run of a deployment makes this file; until then nobody else can be at work in it.
    if layout.lock().exists() {
        locks.held.push(wait_for(&layout.lock())?);
    }
    restore::refuse_unfinished(layout)?;
    Ok(locks)
}

/// Takes the lock for all deployments below a root.
pub(super) fn take_fleet(layout: &Layout) -> Result<Locks, Error> {
    let fleet = layout.root().join("mailu");
    // Several first runs may get here at once.
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(&fleet)
        .map_err(|error| files::failed("make the directory", &fleet, error))?;
    Ok(Locks {
        held: vec![wait_for(&fleet.join(".lock"))?],
    })
}

/// Takes the lock of the deployment alone, so that others can be worked on meanwhile.
pub(super) fn take_own(layout: &Layout) -> Result<Locks, Error> {
    let locks = take_in_any_state(layout)?;
    restore::refuse_unfinished(layout)?;
    Ok(locks)
}

/// The same, also while a restore of the deployment is not finished.
pub(super) fn take_in_any_state(layout: &Layout) -> Result<Locks, Error> {
    let mut locks = Locks::none();
    locks.add(&layout.lock())?;
    Ok(locks)
}

/// Takes the lock of backups alone: while one is written, its deployment can be worked on.
pub(super) fn take_for_backup(layout: &Layout) -> Result<Locks, Error> {
    Ok(Locks {
        held: vec![wait_for(&layout.backup_lock())?],
    })
}

fn wait_for(path: &Path) -> Result<File, Error> {
    let open = || {
        fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)
            .map_err(|error| files::failed("open the lock", path, error))
    };
    let mut file = open()?;
    let start = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) if restore::same(&file, path) => return Ok(file),
            // Meanwhile a restore put another directory in its place.
            Ok(()) => file = open()?,
            Err(TryLockError::WouldBlock) if start.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(50));
            }
            Err(TryLockError::WouldBlock) => {
                return Err(Error::new(
                    ErrorKind::Conflict,
                    "lock.held",
                    format!(
                        "take the lock {}: another run has held it for {} seconds",
                        path.display(),
                        PATIENCE.as_secs()
                    ),
                )
                .hint("wait until it ends, and run the same command again")
                .hint(format!(
                    "`fuser -v {}` names its process",
                    crate::paths::quoted(path)
                )));
            }
            Err(TryLockError::Error(error)) => {
                return Err(files::failed("take the lock", path, error));
            }
        }
    }
}
