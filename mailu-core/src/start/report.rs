//! What a run did and found.

use serde::Serialize;

use crate::finding::Finding;

/// What became of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Done {
    /// Its container was left alone.
    Unchanged,
    /// Its container was started as it was.
    Started,
    /// Its container was restarted.
    Restarted,
    /// It has a container for the first time.
    Created,
    /// Its container was replaced.
    Recreated,
}

impl Done {
    /// As in the sentence "front was recreated".
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Started => "started",
            Self::Restarted => "restarted",
            Self::Created => "created",
            Self::Recreated => "recreated",
        }
    }
}

/// A part of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Stage {
    /// Looking at what is there.
    Look,
    /// The images.
    Images,
    /// The network shared with Traefik, and old networks.
    Networks,
    /// The containers.
    Services,
    /// Email domains and the first administrator.
    Accounts,
    /// Trying the running server.
    Verify,
    /// Noting that it is installed.
    Finish,
}

impl Stage {
    /// Every stage, in order.
    pub const ALL: [Self; 7] = [
        Self::Look,
        Self::Images,
        Self::Networks,
        Self::Services,
        Self::Accounts,
        Self::Verify,
        Self::Finish,
    ];

    /// In words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Look => "look",
            Self::Images => "images",
            Self::Networks => "networks",
            Self::Services => "services",
            Self::Accounts => "accounts",
            Self::Verify => "verify",
            Self::Finish => "finish",
        }
    }
}

/// A service after a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ServiceRun {
    /// Its name.
    pub service: String,
    /// Its container's name.
    pub container: String,
    /// What became of it.
    pub done: Done,
    /// Why it was made anew or restarted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub why: Vec<String>,
    /// Whether it does its work.
    pub ready: bool,
}

impl ServiceRun {
    /// A service that is ready.
    pub fn new(
        service: impl Into<String>,
        container: impl Into<String>,
        done: Done,
        why: Vec<String>,
    ) -> Self {
        Self {
            service: service.into(),
            container: container.into(),
            done,
            why,
            ready: true,
        }
    }
}

/// Something that was seen to work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Fact {
    /// Stable: `relay_refused`.
    pub id: String,
    /// What was seen, and where.
    pub message: String,
}

impl Fact {
    /// A fact.
    pub fn new(id: &str, message: impl Into<String>) -> Self {
        Self {
            id: id.to_owned(),
            message: message.into(),
        }
    }
}

/// What bringing a deployment up did, and what the running server showed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Run {
    /// The stages that were passed.
    pub stages: Vec<Stage>,
    /// What was changed beside containers: images, networks, accounts.
    pub changes: Vec<String>,
    /// The services, in the order in which they start.
    pub services: Vec<ServiceRun>,
    /// What was seen to work.
    pub verified: Vec<Fact>,
    /// What does not work, and what could not be tried.
    pub findings: Vec<Finding>,
    /// Whether the deployment counts as installed now.
    pub installed: bool,
}

impl Run {
    /// Whether nothing was changed.
    pub fn is_unchanged(&self) -> bool {
        self.changes.is_empty()
            && self
                .services
                .iter()
                .all(|service| service.done == Done::Unchanged)
    }

    /// The services of which something became.
    pub fn touched(&self, done: Done) -> Vec<&str> {
        self.services
            .iter()
            .filter(|service| service.done == done)
            .map(|service| service.service.as_str())
            .collect()
    }
}
