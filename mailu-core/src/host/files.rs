//! Changes to files, each of them atomic or repeatable.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind};
use crate::plan::TEMPORARY_SUFFIX;

/// The changes that performing a plan consists of. A test replaces it to stop at a chosen one.
pub trait Files {
    /// Makes one directory, whose parent exists.
    ///
    /// # Errors
    ///
    /// As `mkdir(2)`.
    fn make_directory(&mut self, path: &Path, mode: u32) -> io::Result<()>;

    /// Writes a new file and waits until it is on disk.
    ///
    /// # Errors
    ///
    /// As `open(2)` with `O_EXCL`, `write(2)` and `fsync(2)`.
    fn write_new(&mut self, path: &Path, mode: u32, bytes: &[u8]) -> io::Result<()>;

    /// Sets permission bits.
    ///
    /// # Errors
    ///
    /// As `chmod(2)`.
    fn set_mode(&mut self, path: &Path, mode: u32) -> io::Result<()>;

    /// Sets owner and group.
    ///
    /// # Errors
    ///
    /// As `chown(2)`.
    fn set_owner(&mut self, path: &Path, owner: (u32, u32)) -> io::Result<()>;

    /// Renames, over what is there.
    ///
    /// # Errors
    ///
    /// As `rename(2)`.
    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file or an empty directory.
    ///
    /// # Errors
    ///
    /// As `unlink(2)` and `rmdir(2)`.
    fn remove(&mut self, path: &Path) -> io::Result<()>;

    /// Waits until the entries of a directory are on disk.
    ///
    /// # Errors
    ///
    /// As `fsync(2)`.
    fn sync_directory(&mut self, path: &Path) -> io::Result<()>;
}

/// The real thing.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Disk;

impl Files for Disk {
    fn make_directory(&mut self, path: &Path, mode: u32) -> io::Result<()> {
        fs::DirBuilder::new().mode(mode).create(path)
    }

    fn write_new(&mut self, path: &Path, mode: u32, bytes: &[u8]) -> io::Result<()> {
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    }

    fn set_mode(&mut self, path: &Path, mode: u32) -> io::Result<()> {
        fs::set_permissions(path, fs::Permissions::from_mode(mode))
    }

    fn set_owner(&mut self, path: &Path, (user, group): (u32, u32)) -> io::Result<()> {
        std::os::unix::fs::chown(path, Some(user), Some(group))
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&mut self, path: &Path) -> io::Result<()> {
        if fs::symlink_metadata(path)?.is_dir() {
            fs::remove_dir(path)
        } else {
            fs::remove_file(path)
        }
    }

    fn sync_directory(&mut self, path: &Path) -> io::Result<()> {
        fs::File::open(path)?.sync_all()
    }
}

/// An [`Error`] about a file: what was attempted, and what usually helps.
pub(crate) fn failed(doing: &str, path: &Path, error: io::Error) -> Error {
    let hint = match error.kind() {
        io::ErrorKind::PermissionDenied => {
            Some("run it as root (`sudo`), or choose another place with `--root DIR`")
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Some("free some space and run the same command again: it continues where it stopped")
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            Some("mount the file system writable, or choose another place with `--root DIR`")
        }
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            Some("something else has this name: move it away, and run the same command again")
        }
        _ => None,
    };
    let error = Error::new(
        ErrorKind::Io,
        "file.failed",
        format!("{doing} {}", path.display()),
    )
    .source(error);
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

/// Whether a file cannot get a second name where it was to have one: on another file system, on one that has no links, or because it has too
/// many.
pub(super) fn cannot_link(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::CrossesDevices
            | io::ErrorKind::Unsupported
            | io::ErrorKind::PermissionDenied
            | io::ErrorKind::TooManyLinks
    )
}

/// As [`failed`], about a link that cannot be followed.
pub(super) fn lost_link(path: &Path, error: io::Error) -> Error {
    let nowhere = error.kind() == io::ErrorKind::NotFound;
    let error = failed("follow the link", path, error);
    if nowhere {
        error.hint("make what the link leads to, or remove the link")
    } else {
        error
    }
}

/// The name under which a file is written before it takes its place.
pub(super) fn temporary(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(TEMPORARY_SUFFIX);
    path.with_file_name(name)
}

/// Removes what an interrupted run left at `path`.
pub(super) fn clear(files: &mut dyn Files, path: &Path) -> Result<(), Error> {
    match files.remove(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed("remove", path, error)),
    }
}

/// Where the file called `path` really lies: a link to elsewhere is somebody's decision, and stays.
pub(crate) fn behind_links(path: &Path) -> Result<PathBuf, Error> {
    if fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink()) {
        fs::canonicalize(path).map_err(|error| lost_link(path, error))
    } else {
        Ok(path.to_path_buf())
    }
}

/// Writes a file so that at any moment either the old or the new content is there, with its permissions.
pub(crate) fn write_atomically(
    files: &mut dyn Files,
    path: &Path,
    mode: u32,
    owner: Option<(u32, u32)>,
    bytes: &[u8],
) -> Result<(), Error> {
    let new = temporary(path);
    clear(files, &new)?;
    let mut attempt = || {
        files.write_new(&new, 0o600, bytes)?;
        if let Some(owner) = owner {
            files.set_owner(&new, owner)?;
        }
        if mode != 0o600 {
            files.set_mode(&new, mode)?;
        }
        files.rename(&new, path)
    };
    if let Err(error) = attempt() {
        // A full disk stays full as long as the half-written file is there.
        let _ = files.remove(&new);
        return Err(failed("write", path, error));
    }
    sync_parent(files, path)
}

pub(crate) fn sync_parent(files: &mut dyn Files, path: &Path) -> Result<(), Error> {
    let parent = match path.parent().unwrap_or(path) {
        // A bare name is one in the working directory.
        here if here.as_os_str().is_empty() => Path::new("."),
        parent => parent,
    };
    files
        .sync_directory(parent)
        .map_err(|error| failed("sync", parent, error))
}

/// Makes a directory that appears with its permissions already right, and its parents if they are missing.
pub(crate) fn make_directory(
    files: &mut dyn Files,
    path: &Path,
    mode: u32,
    owner: Option<(u32, u32)>,
) -> Result<(), Error> {
    // Nobody but root has business among secrets, their parents included.
    let parents_mode = if path.components().any(|part| part.as_os_str() == "secrets") {
        0o700
    } else {
        0o755
    };
    let missing: Vec<PathBuf> = path
        .ancestors()
        .skip(1)
        .take_while(|parent| !parent.as_os_str().is_empty() && !parent.exists())
        .map(Path::to_path_buf)
        .collect();
    for parent in missing.iter().rev() {
        make_one(files, parent, parents_mode, None)?;
    }
    make_one(files, path, mode, owner)
}

fn make_one(
    files: &mut dyn Files,
    path: &Path,
    mode: u32,
    owner: Option<(u32, u32)>,
) -> Result<(), Error> {
    let new = temporary(path);
    clear(files, &new)?;
    let mut attempt = || {
        files.make_directory(&new, 0o700)?;
        if let Some(owner) = owner {
            files.set_owner(&new, owner)?;
        }
        if mode != 0o700 {
            files.set_mode(&new, mode)?;
        }
        files.rename(&new, path)
    };
    attempt().map_err(|error| failed("make the directory", path, error))?;
    sync_parent(files, path)
}
