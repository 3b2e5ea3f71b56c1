//! Archives: written in one go, and read with nothing believed that was not looked at.

mod open;
mod read;
mod write;

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use age::secrecy::SecretString;
use sha2::{Digest as _, Sha256};

use crate::backup::{self, DEPLOYMENT, Kind, Member, SECRETS};
use crate::error::{Error, ErrorKind};
use crate::host::files;

pub(in crate::host) use open::{Entry, Open};
pub use read::Verified;
pub(in crate::host) use read::{Proof, foreign, head, read, verify};
pub(in crate::host::backup) use write::shrunk;
pub(in crate::host) use write::{Lock, Writer};

/// The most that a head, an end or an extended name may have.
const SMALL: u64 = 1 << 20;

/// How an archive is opened that is encrypted.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Keys {
    /// A file with age identities (`AGE-SECRET-KEY-1…`).
    pub identity: Option<PathBuf>,
    /// A file whose first line is the passphrase.
    pub passphrase_file: Option<PathBuf>,
}

impl Keys {
    /// From files.
    pub fn new(identity: Option<PathBuf>, passphrase_file: Option<PathBuf>) -> Self {
        Self {
            identity,
            passphrase_file,
        }
    }
}

fn passphrase(path: &Path) -> Result<SecretString, Error> {
    let text = fs::read_to_string(path).map_err(|error| files::failed("read", path, error))?;
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            "backup.passphrase",
            format!(
                "read a passphrase from {}: its first line is empty",
                path.display()
            ),
        ));
    }
    Ok(SecretString::from(line.to_owned()))
}

/// How an archive is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::host) enum Packing {
    Zstd,
    Gzip,
}

/// What is known of a member before it is written.
#[derive(Debug, Clone, Copy)]
pub(in crate::host) struct Attributes {
    pub(in crate::host) mode: u32,
    pub(in crate::host) uid: u64,
    pub(in crate::host) gid: u64,
    pub(in crate::host) mtime: u64,
}

impl Attributes {
    pub(in crate::host) fn of(metadata: &fs::Metadata) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        Self {
            mode: metadata.mode() & 0o7777,
            uid: metadata.uid().into(),
            gid: metadata.gid().into(),
            mtime: u64::try_from(metadata.mtime()).unwrap_or_default(),
        }
    }
}

/// A member, before anything is known of its content.
fn member_of(path: &[u8], kind: Kind, attributes: Attributes) -> Member {
    Member {
        path: Member::text(path),
        kind,
        size: 0,
        mode: attributes.mode,
        uid: attributes.uid,
        gid: attributes.gid,
        mtime: attributes.mtime,
        sha256: None,
        target: None,
    }
}

struct Summing<R> {
    from: R,
    /// Nothing, where only bytes are counted.
    sum: Option<Sha256>,
    count: u64,
}

impl<R: Read> Read for Summing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(buffer)?;
        if let (Some(sum), Some(read)) = (&mut self.sum, buffer.get(..count)) {
            sum.update(read);
        }
        self.count += count as u64;
        Ok(count)
    }
}

/// An error about an archive.
pub(in crate::host) fn refused(
    path: &Path,
    code: &'static str,
    why: impl std::fmt::Display,
) -> Error {
    Error::new(
        ErrorKind::Corrupt,
        code,
        format!("read the backup {}: {why}", path.display()),
    )
}

/// The path of a deployment's file in an archive.
pub(in crate::host) fn inside(top: Top, relative: &Path) -> Vec<u8> {
    use std::os::unix::ffi::OsStrExt as _;
    let top = match top {
        Top::Deployment => DEPLOYMENT,
        Top::Secrets => SECRETS,
    };
    let mut out = top.as_bytes().to_vec();
    if !relative.as_os_str().is_empty() {
        out.push(b'/');
        out.extend_from_slice(relative.as_os_str().as_bytes());
    }
    out
}

/// One of the two directories of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::host) enum Top {
    Deployment,
    Secrets,
}

/// How the archive at `path` is to be packed, by its name.
pub(in crate::host) fn packing(path: &Path, encrypted: bool) -> Result<Packing, Error> {
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let found = backup::SUFFIXES
        .iter()
        .find(|suffix| name.ends_with(**suffix));
    let wanted = if encrypted { ".age" } else { "" };
    match found {
        Some(suffix) if backup::is_encrypted(suffix) == encrypted => Ok(if suffix.contains("gz") {
            Packing::Gzip
        } else {
            Packing::Zstd
        }),
        _ => Err(Error::new(
            ErrorKind::InvalidInput,
            "backup.suffix",
            format!(
                "write the backup {}: its name has to end with .tar.zst{wanted} or .tar.gz{wanted}",
                path.display()
            ),
        )),
    }
}
