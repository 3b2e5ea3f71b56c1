//! Plan, then perform: what has to be done to bring a deployment on disk to what its configuration says.

mod adopt;
mod certificates;
mod deploy;
mod generated;
pub(crate) mod kept;
mod keys;
mod merge;
mod resolve;

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::path::PathBuf;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::dkim::DkimKey;
use crate::engine::Engine;
use crate::env::{self, Conflict, Override};
use crate::finding::Finding;
use crate::fleet::Neighbour;
use crate::names::EmailDomain;
use crate::network::Drawn;
use crate::secret::Secret;

pub(crate) use adopt::adopt;
pub use certificates::certificates;
pub use certificates::origin;
pub use deploy::STARTING;
pub use deploy::{Deployment, deploy};
pub(crate) use merge::{Verdict, decide};
pub use resolve::{Resolved, resolve, settled, standing};

/// What somebody asks for.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Request {
    /// A whole `mailu.toml` to start from, instead of the one in place.
    pub config: Option<String>,
    /// Keys to set, as typed: `("limits.quota", "10GB")`.
    pub settings: Vec<(String, String)>,
    /// Overwrite edited files, keeping a copy of each. Secrets and keys are never drawn again.
    pub force: bool,
    /// Variables and files that get our value whatever stands there: `MESSAGE_SIZE_LIMIT`, `docker-compose.yml`.
    pub reset: BTreeSet<String>,
    /// Variables whose edited value becomes part of `mailu.toml`.
    pub adopt: BTreeSet<String>,
    /// Email domains whose lost DKIM key is given up for a new one.
    pub new_dkim_key: BTreeSet<EmailDomain>,
    /// The first administrator's password; drawn if absent.
    pub admin_password: Option<Secret>,
    /// The password at the relay.
    pub relay_password: Option<Secret>,
    /// Whether the deployment is to be started, so that what keeps it from running is an error.
    pub start: bool,
    /// Pre-flight checks that were left out (`preflight.memory`): what they would find is no error. Absent: as at the last installation.
    pub skip: Option<BTreeSet<String>>,
}

/// A file or directory as it is on disk. `Debug` leaves out its content.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// Permission bits.
    pub mode: u32,
    /// Numeric owner.
    pub uid: u32,
    /// Numeric group.
    pub gid: u32,
    /// The content of a file that is small enough to matter here; `None` for a directory.
    pub content: Option<Vec<u8>>,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry")
            .field("mode", &format_args!("{:04o}", self.mode))
            .field("uid", &self.uid)
            .field("gid", &self.gid)
            .field("bytes", &self.content.as_ref().map(Vec::len))
            .finish_non_exhaustive()
    }
}

impl Entry {
    /// A directory.
    pub fn directory(mode: u32, uid: u32, gid: u32) -> Self {
        Self {
            mode,
            uid,
            gid,
            content: None,
        }
    }

    /// A file.
    pub fn file(mode: u32, uid: u32, gid: u32, content: Vec<u8>) -> Self {
        Self {
            mode,
            uid,
            gid,
            content: Some(content),
        }
    }

    /// The permission bits of what replaces this: its own, unless they let more in than `designed`.
    pub(crate) fn kept_mode(&self, designed: u32) -> u32 {
        kept_mode(self.mode, designed)
    }

    pub(crate) fn text(&self) -> Option<&str> {
        std::str::from_utf8(self.content.as_deref()?).ok()
    }
}

/// As [`Entry::kept_mode`].
pub(crate) fn kept_mode(mode: u32, designed: u32) -> u32 {
    let mode = mode & 0o777;
    if mode & !designed == 0 {
        mode
    } else {
        designed
    }
}

/// Certificate chain and private key, PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CertificatePair {
    /// The chain.
    pub certificate: String,
    /// The key.
    pub key: Secret,
}

impl CertificatePair {
    /// A pair.
    pub fn new(certificate: impl Into<String>, key: Secret) -> Self {
        Self {
            certificate: certificate.into(),
            key,
        }
    }
}

/// What the certificate in `data/certs` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PairInPlace {
    /// Whole days until it ends; negative once it has.
    pub days_left: i64,
    /// Whether it is one that this program makes to start with.
    pub self_signed: bool,
}

impl PairInPlace {
    /// A certificate that ends in `days_left` days.
    pub fn new(days_left: i64, self_signed: bool) -> Self {
        Self {
            days_left,
            self_signed,
        }
    }
}

/// Facts about the host, gathered before planning.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Observed {
    /// Now, in UTC: `2026-11-22T10:00:00Z`.
    pub now: String,
    /// Files and directories of the deployment, by path relative to its directory; the directory itself is `""`.
    pub entries: BTreeMap<String, Entry>,
    /// The same for the secrets directory.
    pub secrets: BTreeMap<String, Entry>,
    /// Other deployments below the root.
    pub neighbours: Vec<Neighbour>,
    /// Networks that the host reaches otherwise than by its default route.
    pub routes: Vec<IpNet>,
    /// The container engine, if one answers.
    pub engine: Option<Engine>,
    /// The host's own public address, if it has one on an interface.
    pub public_ipv4: Option<Ipv4Addr>,
    /// Memory in bytes.
    pub memory: Option<u64>,
    /// The pair that `tls.certificate` and `tls.key` name.
    pub certificate: Option<CertificatePair>,
    /// The pair that Traefik has for the names of the server.
    pub traefik_certificate: Option<CertificatePair>,
    /// The certificate in `data/certs`.
    pub pair_in_place: Option<PairInPlace>,
}

/// Where new secrets and keys come from. Returns nothing when only a plan is wanted, so that none is drawn in vain.
pub trait Fresh {
    /// A secret of `length` characters.
    fn secret(&mut self, name: &str, length: usize) -> Option<Secret>;

    /// A DKIM key.
    ///
    /// # Errors
    ///
    /// If none can be made.
    fn dkim(&mut self, domain: &EmailDomain) -> Result<Option<DkimKey>, crate::Error>;

    /// A self-signed certificate for `names`.
    ///
    /// # Errors
    ///
    /// If none can be made.
    fn certificate(&mut self, names: &[String]) -> Result<Option<CertificatePair>, crate::Error>;
}

/// Draws nothing: for plans that are only shown.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nothing;

impl Fresh for Nothing {
    fn secret(&mut self, _: &str, _: usize) -> Option<Secret> {
        None
    }
    fn dkim(&mut self, _: &EmailDomain) -> Result<Option<DkimKey>, crate::Error> {
        Ok(None)
    }
    fn certificate(&mut self, _: &[String]) -> Result<Option<CertificatePair>, crate::Error> {
        Ok(None)
    }
}

/// What a step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Action {
    /// Makes a directory.
    CreateDirectory,
    /// Puts permissions right.
    SetMode,
    /// Notes what is about to be written, so that an interrupted run can be told from an edit.
    Journal,
    /// Draws a secret, or stores one that was given.
    StoreSecret,
    /// Makes a DKIM key.
    CreateKey,
    /// Makes a self-signed certificate, or copies yours.
    StoreCertificate,
    /// Writes a new file.
    CreateFile,
    /// Changes a file.
    UpdateFile,
    /// Keeps a copy of an edited file that is about to be overwritten.
    KeepCopy,
    /// Removes a file of ours that is no longer needed.
    RemoveFile,
    /// Makes the note the record of what was written.
    Commit,
}

/// One step of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Step {
    /// What it does.
    pub action: Action,
    /// To which file or directory.
    pub path: PathBuf,
    /// Permission bits, in octal: `0600`.
    #[serde(serialize_with = "octal", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub mode: Option<u32>,
    /// Numeric owner and group, where they matter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<(u32, u32)>,
    /// What changes, line by line. Never a secret.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub detail: Vec<String>,
    /// What to write; nothing if it has yet to be drawn. Never shown.
    #[serde(skip)]
    pub(crate) content: Option<Content>,
}

impl Step {
    /// What it does, in words.
    pub fn describe(&self) -> String {
        let path = self.path.display();
        let mode = self
            .mode
            .map(|mode| format!(" (mode {mode:04o})"))
            .unwrap_or_default();
        match self.action {
            Action::CreateDirectory => format!("make directory {path}{mode}"),
            Action::SetMode => format!("set mode {:04o} on {path}", self.mode.unwrap_or_default()),
            Action::Journal => format!("note in {path} what is about to be written"),
            Action::StoreSecret => format!("store secret {path}{mode}"),
            Action::CreateKey => format!("make DKIM key {path}{mode}"),
            Action::StoreCertificate => format!("store certificate {path}{mode}"),
            Action::CreateFile => format!("write {path}{mode}"),
            Action::UpdateFile => format!("update {path}"),
            Action::KeepCopy => format!("keep a copy as {path}"),
            Action::RemoveFile => format!("remove {path}"),
            Action::Commit => format!("record in {path} what was written"),
        }
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    clippy::ref_option,
    reason = "serde's signature"
)]
fn octal<S: serde::Serializer>(mode: &Option<u32>, serializer: S) -> Result<S::Ok, S::Error> {
    match mode {
        Some(mode) => serializer.collect_str(&format_args!("{mode:04o}")),
        None => serializer.serialize_none(),
    }
}

/// Bytes to write, which debug output does not show.
#[derive(Clone, PartialEq, Eq, Default)]
pub(crate) struct Content(pub(crate) Vec<u8>);

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Content({} bytes)", self.0.len())
    }
}

/// An edit of a file that stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct FileOverride {
    /// The file, relative to the deployment's directory.
    pub file: String,
    /// The variable; nothing if the whole file was edited.
    #[serde(flatten)]
    pub variable: Option<Override>,
}

/// A disagreement about a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct FileConflict {
    /// The file, relative to the deployment's directory.
    pub file: String,
    /// The variable; nothing if it is about the whole file.
    #[serde(flatten)]
    pub variable: Option<Conflict>,
    /// What to type.
    pub hints: Vec<String>,
}

/// What has to be done, in order.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[must_use = "a plan changes nothing until it is performed"]
#[non_exhaustive]
pub struct Plan {
    /// The deployment's mail host.
    pub mail_host: String,
    /// The deployment's directory.
    pub directory: PathBuf,
    /// The steps. None: nothing to do.
    pub steps: Vec<Step>,
    /// Values that were drawn and are kept in `mailu.toml`.
    pub drawn: Vec<Drawn>,
    /// Warnings and notices.
    pub findings: Vec<Finding>,
    /// Edits that stay.
    pub overrides: Vec<FileOverride>,
    /// Disagreements. While there is one, nothing is performed.
    pub conflicts: Vec<FileConflict>,
}

impl Plan {
    /// Whether everything is as it should be.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.conflicts.is_empty()
    }
}

/// The record of what was written last: `.mailu/rendered.json`, and while a run is under way `.mailu/journal.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Version of this format.
    pub(crate) format: u32,
    /// Values of environment files.
    pub(crate) env: BTreeMap<String, env::Base>,
    /// SHA-256 of whole files.
    pub(crate) files: BTreeMap<String, String>,
    /// Keys of `mailu.toml` that were drawn, as long as they have that value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) drawn: BTreeMap<String, String>,
    /// The text of `mailu.toml` that counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) toml: Option<String>,
    /// The file that was given last with `--config`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) given: Option<String>,
    /// SHA-256 of the DNS text of each DKIM key that was ever in place, by the name of its file.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) dkim: BTreeMap<String, String>,
    /// SHA-256 of the files of the self-signed pair that was made here last.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) seeded: BTreeMap<String, String>,
    /// The same for the pair that was taken from Traefik or from `tls.certificate` last.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) taken: BTreeMap<String, String>,
}

impl Record {
    pub(crate) const FORMAT: u32 = 1;
}

/// Marks files of an interrupted run.
pub(crate) const TEMPORARY_SUFFIX: &str = ".mailu-new";
