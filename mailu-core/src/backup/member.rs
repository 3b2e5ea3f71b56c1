//! One member of an archive, and what is refused.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{DEPLOYMENT, SECRETS};

/// The longest path that Linux takes.
const LONGEST: usize = 4095;
/// The longest name that its file systems take.
const LONGEST_NAME: usize = 255;
/// How many levels deep: more than any mail folder's.
const DEEPEST: usize = 64;

/// What a member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A directory.
    Directory,
    /// A regular file.
    File,
    /// A symbolic link.
    Link,
}

/// A line of [`super::FILES`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Member {
    /// Its path in the archive; bytes that are not UTF-8, and backslashes, as `\xNN`.
    pub path: String,
    /// What it is.
    pub kind: Kind,
    /// Bytes of a file.
    pub size: u64,
    /// Permission bits.
    pub mode: u32,
    /// Owner, as a number.
    pub uid: u64,
    /// Group, as a number.
    pub gid: u64,
    /// When it was changed last, in seconds since 1970.
    pub mtime: u64,
    /// SHA-256 of a file.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sha256: Option<String>,
    /// Where a link leads; written as the path is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub target: Option<String>,
}

impl Member {
    /// Whether it is a message: a file in `cur` or `new` of a mailbox.
    pub fn is_message(&self) -> bool {
        let mut parts = self.path.rsplit('/').skip(1);
        self.kind == Kind::File
            && matches!(parts.next(), Some("cur" | "new"))
            && self.path.starts_with("deployment/data/mail/")
    }

    /// A path as text: `\xNN` for what is not UTF-8, and for backslashes.
    pub fn text(bytes: &[u8]) -> String {
        let mut out = String::with_capacity(bytes.len());
        for piece in bytes.utf8_chunks() {
            for c in piece.valid().chars() {
                if c == '\\' || c.is_control() {
                    let mut raw = [0; 4];
                    for byte in c.encode_utf8(&mut raw).bytes() {
                        let _ = write!(out, "\\x{byte:02x}");
                    }
                } else {
                    out.push(c);
                }
            }
            for byte in piece.invalid() {
                let _ = write!(out, "\\x{byte:02x}");
            }
        }
        out
    }

    /// The bytes that [`Member::text`] was made of.
    pub fn bytes(text: &str) -> Vec<u8> {
        let raw = text.as_bytes();
        let mut out = Vec::with_capacity(raw.len());
        let mut at = 0;
        while let Some(&byte) = raw.get(at) {
            let escaped = raw
                .get(at..at + 4)
                .and_then(|four| four.strip_prefix(b"\\x"))
                .and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
            out.push(escaped.unwrap_or(byte));
            at += if escaped.is_some() { 4 } else { 1 };
        }
        out
    }
}

/// Why a member is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// Its path is not one below the two directories.
    #[error("`{0}` is not a path below deployment/ or secrets/")]
    Path(String),
    /// It comes twice.
    #[error("`{0}` is there twice")]
    Twice(String),
    /// The directory that it is in did not come before.
    #[error("`{0}` is in a directory that the archive does not have")]
    Orphan(String),
    /// A link that leads out.
    #[error("the link `{0}` leads out of the deployment: {1}")]
    LeadsOut(String, String),
    /// Something that no backup has: a device, a socket, a hard link.
    #[error("`{0}` is neither a file, nor a directory, nor a symbolic link")]
    Special(String),
    /// Permission bits that would be dangerous.
    #[error("`{0}` would run with other rights than whoever starts it (mode {1:o})")]
    Mode(String, u32),
}

/// What is refused in an archive, member by member. Keeps the directories, and eight bytes for each member.
#[derive(Debug, Default)]
pub struct Rules {
    directories: HashSet<Vec<u8>>,
    seen: HashSet<u64>,
    links: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Rules {
    /// Takes note of the next member.
    ///
    /// # Errors
    ///
    /// [`Refused`], if it must not be unpacked.
    pub fn next(
        &mut self,
        path: &[u8],
        kind: Kind,
        mode: u32,
        target: Option<&[u8]>,
    ) -> Result<(), Refused> {
        let path = path.strip_suffix(b"/").unwrap_or(path);
        let name = || Member::text(path);
        let parts: Vec<&[u8]> = path.split(|byte| *byte == b'/').collect();
        let proper = |part: &&[u8]| {
            !part.is_empty()
                && **part != b"."[..]
                && **part != b".."[..]
                && part.len() <= LONGEST_NAME
                && !part.contains(&0)
        };
        let top = parts.first().copied().unwrap_or_default();
        if path.len() > LONGEST
            || parts.len() > DEEPEST
            || !parts.iter().all(proper)
            || (top != DEPLOYMENT.as_bytes() && top != SECRETS.as_bytes())
        {
            return Err(Refused::Path(name()));
        }
        if parts.len() == 1 && kind != Kind::Directory {
            return Err(Refused::Special(name()));
        }
        if kind == Kind::File && mode & 0o6000 != 0 {
            return Err(Refused::Mode(name(), mode));
        }
        let parent = path
            .get(..path.len() - parts.last().map_or(0, |last| last.len()))
            .unwrap_or_default();
        let parent = parent.strip_suffix(b"/").unwrap_or(parent);
        if parts.len() > 1 && !self.directories.contains(parent) {
            return Err(Refused::Orphan(name()));
        }
        let sum = Sha256::digest(path);
        let short = sum
            .iter()
            .take(8)
            .fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        if !self.seen.insert(short) {
            return Err(Refused::Twice(name()));
        }
        match kind {
            Kind::Directory => {
                self.directories.insert(path.to_vec());
            }
            Kind::Link => {
                let target = target.unwrap_or_default();
                if !stays(&parts, target) {
                    return Err(Refused::LeadsOut(name(), Member::text(target)));
                }
                self.links.insert(path.to_vec(), target.to_vec());
            }
            Kind::File => {}
        }
        Ok(())
    }

    /// Whether the archive has the directory `path`.
    pub fn has_directory(&self, path: &[u8]) -> bool {
        self.directories.contains(path)
    }
}

/// Whether a link at `parts` with `target` leads to something below the same top directory, however its parts are taken.
///
/// Links to directories that are links themselves could be led out by `..`; a path of the archive never goes through a link,
/// because the directory that something is in has to come before as a directory.
fn stays(parts: &[&[u8]], target: &[u8]) -> bool {
    if target.is_empty()
        || target.starts_with(b"/")
        || target.contains(&0)
        || target.len() > LONGEST
    {
        return false;
    }
    let mut depth = parts.len().saturating_sub(1);
    for part in target.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return false;
                }
            }
            _ => depth += 1,
        }
    }
    true
}

/// Whether a link at the path `at` of an archive may lead to `target`.
pub fn may_lead(at: &[u8], target: &[u8]) -> bool {
    let parts: Vec<&[u8]> = at.split(|byte| *byte == b'/').collect();
    stays(&parts, target)
}
