//! Where a restore works, its note, and its lock.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind};
use crate::host::files::{self, Disk};
use crate::host::observe;
use crate::paths::Layout;
use crate::restore::Journal;

/// The paths beside a deployment: on the same file systems as its directory and that of its secrets, so that renaming is all it takes.
#[derive(Debug, Clone)]
pub(super) struct Places {
    /// The deployment's directory.
    pub(super) live: PathBuf,
    /// That of its secrets.
    pub(super) live_secrets: PathBuf,
    /// What is restored before the swap, and after it what was there.
    pub(super) stage: PathBuf,
    /// The same for the secrets.
    pub(super) stage_secrets: PathBuf,
    /// Where a live directory waits while two are exchanged that the file system cannot exchange.
    pub(super) aside: PathBuf,
    /// The same for the secrets.
    pub(super) aside_secrets: PathBuf,
    /// Of an update: copies of what is below `data`, which may be a file system of its own.
    pub(super) stage_data: PathBuf,
    /// The note.
    pub(super) journal: PathBuf,
}

fn beside(directory: &Path, end: &str) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(directory.file_name().unwrap_or_default());
    name.push(end);
    directory.with_file_name(name)
}

impl Places {
    pub(super) fn of(layout: &Layout) -> Self {
        let (live, live_secrets) = (layout.directory(), layout.secrets());
        let (work, work_secrets) = (beside(&live, STAGE), beside(&live_secrets, STAGE));
        Self {
            stage: work.join("deployment"),
            aside: work.join("aside"),
            stage_secrets: work_secrets.join("secrets"),
            aside_secrets: work_secrets.join("aside"),
            stage_data: live.join("data").join(UPDATING),
            journal: beside(&live, JOURNAL),
            live,
            live_secrets,
        }
    }

    /// Where the copy of something is that an update changes, by its path in the deployment.
    pub(super) fn copy_of(&self, path: &str) -> PathBuf {
        match path.strip_prefix("data/") {
            Some(name) => self.stage_data.join(name),
            None => self.stage.join(path),
        }
    }

    /// The directory beside the deployment that is there as long as a restore is.
    pub(super) fn work(&self) -> &Path {
        self.stage.parent().unwrap_or(&self.stage)
    }

    /// The same beside the secrets.
    pub(super) fn work_secrets(&self) -> &Path {
        self.stage_secrets.parent().unwrap_or(&self.stage_secrets)
    }

    fn lock(&self) -> PathBuf {
        self.work().join("lock")
    }

    /// Reads the note.
    pub(super) fn journal(&self) -> Result<Option<Journal>, Error> {
        read(&self.journal)
    }

    /// Writes the note.
    pub(super) fn note(&self, journal: &Journal) -> Result<(), Error> {
        let mut text = serde_json::to_string_pretty(journal).unwrap_or_default();
        text.push('\n');
        files::write_atomically(&mut Disk, &self.journal, 0o600, None, text.as_bytes())
    }

    /// Removes what was unpacked or copied, or what has changed places with it.
    pub(super) fn remove_copies(&self) -> Result<(), Error> {
        for path in [
            &self.stage,
            &self.aside,
            &self.stage_data,
            &self.stage_secrets,
            &self.aside_secrets,
        ] {
            remove(path)?;
        }
        Ok(())
    }

    /// Removes everything of a restore: what is left beside the deployment, then the note.
    pub(super) fn clear(&self) -> Result<(), Error> {
        // The lock stays until the note is gone, or another run could begin while this one is not over.
        self.remove_copies()?;
        remove(self.work_secrets())?;
        // What a run left that was killed while it wrote the note.
        let unwritten = beside(&self.journal, crate::plan::TEMPORARY_SUFFIX);
        files::clear(&mut Disk, &unwritten)?;
        files::clear(&mut Disk, &self.journal)?;
        files::sync_parent(&mut Disk, &self.journal)?;
        remove(self.work())
    }
}

/// There while an update is under way.
pub(super) const UPDATING: &str = ".mailu-updating";

const STAGE: &str = ".restoring";
const JOURNAL: &str = ".restore.json";

fn read(path: &Path) -> Result<Option<Journal>, Error> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(files::failed("read", path, error)),
    };
    let unreadable = || {
        Error::new(
            ErrorKind::Corrupt,
            "restore.journal",
            format!(
                "read {}, the note of an unfinished restore or update: it was not written by this program, or by a newer one",
                path.display()
            ),
        )
        .hint("use the release of this program that began it")
    };
    let journal: Journal =
        serde_json::from_slice(&text).map_err(|error| unreadable().source(error))?;
    if !(1..=Journal::FORMAT).contains(&journal.format) {
        return Err(unreadable());
    }
    Ok(Some(journal))
}

/// The note of an unfinished restore of the deployment at `layout`.
pub(in crate::host) fn unfinished(layout: &Layout) -> Result<Option<Journal>, Error> {
    Places::of(layout).journal()
}

/// Nobody else works on a deployment whose restore is not finished.
pub(in crate::host) fn refuse_unfinished(layout: &Layout) -> Result<(), Error> {
    let Some(journal) = unfinished(layout)? else {
        return Ok(());
    };
    Err(refused(layout, &journal))
}

/// What is said to whoever wants to work on a deployment that `journal` is about.
pub(super) fn refused(layout: &Layout, journal: &Journal) -> Error {
    let code = match journal.update {
        Some(_) => "update.unfinished",
        None => "restore.unfinished",
    };
    Error::new(
        ErrorKind::Conflict,
        code,
        format!("work on {}: {}", layout.mail_host(), journal.interrupted()),
    )
    .hint(format!("`{}` finishes it", layout.command(journal.verb())))
}

/// Every deployment below `root` whose restore, or update, is not finished.
pub(super) fn all_unfinished(root: &Path) -> Result<Vec<(Layout, Journal)>, Error> {
    let mut out = Vec::new();
    for (path, client) in observe::directories(root)? {
        let host = path
            .file_name()
            .and_then(|name| name.to_str())
            .and_then(|name| name.strip_prefix('.')?.strip_suffix(JOURNAL)?.parse().ok());
        let client = client.map(|client| client.parse()).transpose().ok();
        if let (Some(host), Some(client)) = (host, client) {
            let layout = Layout::new(root, client, host);
            if let Some(journal) = unfinished(&layout)? {
                out.push((layout, journal));
            }
        }
    }
    Ok(out)
}

/// The lock of a restore. Others of the same deployment are refused at once.
#[derive(Debug)]
pub(super) struct Alone {
    _lock: File,
}

impl Alone {
    /// For a run that begins: none that was interrupted may have left its note since somebody last looked.
    pub(super) fn begin(layout: &Layout, places: &Places) -> Result<Self, Error> {
        let alone = Self::take(places)?;
        refuse_unfinished(layout)?;
        Ok(alone)
    }

    pub(super) fn take(places: &Places) -> Result<Self, Error> {
        let path = places.lock();
        loop {
            for directory in [places.work(), places.work_secrets()] {
                private(directory)?;
            }
            let file = match fs::OpenOptions::new()
                .create(true)
                .truncate(false)
                .write(true)
                .open(&path)
            {
                Ok(file) => file,
                // Another run that has just ended took it away.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(files::failed("open the lock", &path, error)),
            };
            match file.try_lock() {
                Ok(()) if same(&file, &path) => return Ok(Self { _lock: file }),
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    return Err(Error::new(
                        ErrorKind::Conflict,
                        "restore.running",
                        format!(
                            "work on {}: another run is restoring or updating it",
                            places.live.display()
                        ),
                    )
                    .hint(format!(
                        "`fuser -v {}` names its process",
                        crate::paths::quoted(&path)
                    )));
                }
                Err(TryLockError::Error(error)) => {
                    return Err(files::failed("take the lock", &path, error));
                }
            }
        }
    }
}

/// Whether `file` is still what is called `path`.
pub(in crate::host) fn same(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(one), Ok(other)) => one.dev() == other.dev() && one.ino() == other.ino(),
        _ => false,
    }
}

/// Makes a directory that only we may look into, with its parents.
pub(super) fn private(path: &Path) -> Result<(), Error> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent().filter(|parent| !parent.exists()) {
        let secret = parent
            .components()
            .any(|part| part.as_os_str() == "secrets");
        fs::DirBuilder::new()
            .recursive(true)
            .mode(if secret { 0o700 } else { 0o755 })
            .create(parent)
            .map_err(|error| files::failed("make the directory", parent, error))?;
    }
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(files::failed("make the directory", path, error))
        }
        _ => Ok(()),
    }
}

/// File system and number of a file or directory; nothing if it is not there.
pub(super) fn identity(path: &Path) -> Result<Option<(u64, u64)>, Error> {
    match fs::symlink_metadata(path) {
        Ok(there) => Ok(Some((there.dev(), there.ino()))),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(files::failed("look at", path, error)),
    }
}

/// Whether something changes places with nothing beside it: a link, or where something is mounted, be it of the same file system.
pub(super) fn is_fixed(path: &Path) -> bool {
    let Ok(there) = fs::symlink_metadata(path) else {
        return false;
    };
    let parent = path.parent().and_then(|parent| fs::metadata(parent).ok());
    there.is_symlink()
        || parent.is_some_and(|parent| parent.dev() != there.dev())
        || is_mount_point(path)
}

fn is_mount_point(path: &Path) -> bool {
    let Ok(real) = path.canonicalize() else {
        return false;
    };
    let mounts = fs::read("/proc/self/mountinfo").unwrap_or_default();
    mounts
        .split(|byte| *byte == b'\n')
        .filter_map(|line| line.split(|byte| *byte == b' ').nth(4))
        .any(|point| unescaped(point) == real.as_os_str().as_bytes())
}

/// `\040` and the like of the kernel's lists.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        let octal = after.get(..3).filter(|_| *first == b'\\');
        let byte = octal
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        out.push(byte.unwrap_or(*first));
        rest = after
            .get(if byte.is_some() { 3 } else { 0 }..)
            .unwrap_or_default();
    }
    out
}

/// Removes a file, a link or a directory with all that is in it.
pub(super) fn remove(path: &Path) -> Result<(), Error> {
    let done = match fs::symlink_metadata(path) {
        Ok(there) if there.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match done {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(files::failed("remove", path, error))
        }
        _ => Ok(()),
    }
}

/// What is in a directory, by name; nothing where there is none.
pub(super) fn listed(directory: &Path) -> Result<Vec<fs::DirEntry>, Error> {
    let failed = |error| files::failed("list", directory, error);
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut out = entries.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    out.sort_unstable_by_key(fs::DirEntry::file_name);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_mount_points_are_read() {
        assert_eq!(unescaped(br"/a\040b\134/c\x\"), br"/a b\/c\x\");
        assert!(is_fixed(Path::new("/proc")));
        assert!(!is_fixed(Path::new("/proc/self/fd")));
    }
}
