//! Restoring a backup: what is done in which order, what an interrupted run has left, what is merged. Doing it is the host's business.

mod journal;
mod judge;
pub mod maildir;

use std::path::PathBuf;

use serde::Serialize;

use crate::finding::Finding;
use crate::start::Run;

pub use journal::{Course, Item, Journal, Releases, Scope, State};
pub use judge::{Facts, KNOWN_SCHEMAS, judge, steps};

/// One thing that restoring does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "RestoreStep")
)]
#[non_exhaustive]
pub struct Step {
    /// A word for it: `verify`, `stage`, `hold`, `carry`, `swap`, `start`, `keep`; for one mailbox `merge`.
    pub action: String,
    /// What it does to what.
    pub detail: String,
}

impl Step {
    pub(crate) fn new(action: &str, detail: impl Into<String>) -> Self {
        Self {
            action: action.to_owned(),
            detail: detail.into(),
        }
    }
}

/// Mail that was taken along from one tree into another.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Carried {
    /// How many messages.
    pub messages: u64,
    /// Mailboxes that got some.
    pub mailboxes: Vec<String>,
    /// Mailboxes that were taken over as a whole, because they were not there.
    pub whole: Vec<String>,
    /// How many messages were there already.
    pub there: u64,
}

/// The archive, as it was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "RestoredArchive")
)]
#[non_exhaustive]
pub struct Archive {
    /// The file.
    pub file: PathBuf,
    /// When it was made; absent where it was made by hand.
    pub created: Option<String>,
    /// Mailu's release.
    pub mailu_version: Option<String>,
    /// How many files it has.
    pub files: u64,
    /// How many of them are messages.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Archive {
    /// An archive that nothing is known of but its place.
    pub fn new(file: PathBuf) -> Self {
        Self {
            file,
            created: None,
            mailu_version: None,
            files: 0,
            messages: 0,
            bytes: 0,
        }
    }
}

/// What came of restoring.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Restored {
    /// The mail host.
    pub mail_host: String,
    /// Its client.
    pub client: Option<String>,
    /// The deployment's directory.
    pub directory: PathBuf,
    /// The archive; absent where an interrupted run was finished without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archive: Option<Archive>,
    /// What is done, in order.
    pub steps: Vec<Step>,
    /// Whether it was done.
    pub performed: bool,
    /// What was found of an interrupted run, and what was done about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovered: Option<String>,
    /// Mail that had arrived since the backup and is still there; for one mailbox, what was added to it.
    pub carried: Carried,
    /// What was there before, kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept: Option<PathBuf>,
    /// The command that removes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remove_command: Option<String>,
    /// What bringing it up did and found; absent where nothing was started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<Run>,
    /// Whatever needs an eye.
    pub findings: Vec<Finding>,
}

impl Restored {
    /// Nothing done yet.
    pub fn new(mail_host: String, client: Option<String>, directory: PathBuf) -> Self {
        Self {
            mail_host,
            client,
            directory,
            archive: None,
            steps: Vec::new(),
            performed: false,
            recovered: None,
            carried: Carried::default(),
            kept: None,
            remove_command: None,
            run: None,
            findings: Vec::new(),
        }
    }
}
