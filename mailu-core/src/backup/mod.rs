//! Backups: what an archive consists of, what of a deployment goes into one, what is refused in one, and which are kept.
//!
//! An archive is a tar file, compressed with zstd or gzip, and encrypted with age if that is wanted. Its members, in this order:
//!
//! | member | what |
//! |---|---|
//! | [`HEAD`] | who it belongs to, and what made it ([`Head`]) |
//! | `deployment/…`, `secrets/…` | directories, files and links with owner, mode and time; a directory comes before what is in it |
//! | [`FILES`] | a line of JSON for each of them ([`Member`]), in the same order, with the SHA-256 of each file |
//! | [`END`] | how much there was, and the SHA-256 of [`FILES`] ([`End`]) |
//!
//! So it can be written and verified in one go without keeping anything in memory, and one that was cut off has no end.

mod keep;
mod member;
mod select;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use keep::{Keeping, Kept, choose};

pub use member::{Kind, Member, Refused, Rules, may_lead};
pub use select::{MAIL, PLACES, Place, SNAPSHOT, Way, left_out, place};

/// The version of the format. A reader refuses newer ones.
pub const FORMAT: u32 = 1;

/// The first member.
pub const HEAD: &str = "mailu-backup.json";
/// The last member but one.
pub const FILES: &str = "files.jsonl";
/// The last member.
pub const END: &str = "end.json";
/// The directory in the archive for that of the deployment.
pub const DEPLOYMENT: &str = "deployment";
/// The directory in the archive for that of the secrets.
pub const SECRETS: &str = "secrets";

/// How names of archives end, the usual one first.
pub const SUFFIXES: [&str; 4] = [".tar.zst", ".tar.gz", ".tar.zst.age", ".tar.gz.age"];

/// Whose backup it is, and what made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Head {
    /// [`FORMAT`] of its writer.
    pub format: u32,
    /// The program that wrote it, with its version.
    pub program: String,
    /// When it was begun, RFC 3339 in UTC.
    pub created: String,
    /// The mail host.
    pub mail_host: String,
    /// The client.
    pub client: Option<String>,
    /// The email domains, the main one first.
    pub email_domains: Vec<String>,
    /// Mailu's release.
    pub mailu_version: String,
    /// Alembic's revision of Mailu's database; absent where there is no database yet.
    pub schema_head: Option<String>,
    /// The images that the services had.
    pub images: BTreeMap<String, String>,
    /// Whether mail, queue and calendars are known to be of one moment: the engine said that the services that write them stood still or did
    /// not run.
    pub consistent: bool,
}

/// What an archive ends with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct End {
    /// How many members there are between head and list.
    pub members: u64,
    /// How many of them are files.
    pub files: u64,
    /// How many are messages.
    pub messages: u64,
    /// The bytes in all files.
    pub bytes: u64,
    /// SHA-256 of the member [`FILES`].
    pub files_sha256: String,
}

/// Whether an archive of this name is encrypted.
pub fn is_encrypted(name: &str) -> bool {
    std::path::Path::new(name)
        .extension()
        .is_some_and(|end| end == "age")
}

/// The name of an archive of `mail_host` that is begun at `timestamp` (`20261122-100000`), without its suffix.
pub fn stem(mail_host: &str, timestamp: &str) -> String {
    format!("{mail_host}-{timestamp}")
}

/// The time in the name of an archive of `mail_host`, `20261122-100000`; nothing if it is not named as one of ours.
pub fn stamp<'n>(mail_host: &str, name: &'n str) -> Option<&'n str> {
    let rest = name.strip_prefix(mail_host)?.strip_prefix('-')?;
    let (stamp, suffix) = rest.split_at_checked(15)?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (day, time) = stamp.split_once('-')?;
    // Two within a second get a number.
    let suffix = suffix.trim_start_matches(|c: char| c == '-' || c.is_ascii_digit());
    (day.len() == 8 && digits(day) && digits(time) && SUFFIXES.contains(&suffix)).then_some(stamp)
}
