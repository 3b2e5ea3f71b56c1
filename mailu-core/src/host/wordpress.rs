//! Has a WordPress site send through a server: finds the site, says what would be changed, changes it, has the site send, and takes all of it back.

pub(super) mod change;
mod site;

use std::path::PathBuf;

use rand_core::{OsRng, RngCore as _};
use serde::Serialize;

use super::files::Disk;
use super::hints;
use super::root::Mailu;
use crate::apps::Profile;
use crate::apps::wordpress::{self, Probe, Seen, Verified};
use crate::error::Error;
use crate::finding::Finding;
use crate::names::{DomainName, EmailAddress};

pub use site::WordPressSite;

/// Which site is meant.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct WordPressTarget {
    /// The name under which it is visited.
    pub domain: DomainName,
    /// Its document root, or AgencyStack's directory of it; without, containers are looked through.
    pub path: Option<PathBuf>,
}

impl WordPressTarget {
    /// The site of a name, which is found among the containers.
    pub fn new(domain: DomainName) -> Self {
        Self { domain, path: None }
    }

    /// The same in a directory.
    #[must_use]
    pub fn at(mut self, path: impl Into<PathBuf>) -> Self {
        self.path = Some(path.into());
        self
    }
}

/// What is to be there besides the profile.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct WordPressOptions {
    /// The certificate (PEM) of an authority that PHP does not know by itself; where the server's certificate is from one of your own.
    pub ca: Option<String>,
}

impl WordPressOptions {
    /// With an authority of one's own.
    pub fn with_ca(pem: impl Into<String>) -> Self {
        Self {
            ca: Some(pem.into()),
        }
    }
}

/// What happens to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WordPressAction {
    /// It is made.
    Create,
    /// It gets another content, mode or owner. What was there before the first time is kept, and comes back with `remove`.
    Replace,
    /// What was there before comes back.
    Restore,
    /// It is removed.
    Remove,
}

/// A change to a file. Its content is not shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct WordPressChange {
    /// The file, on the host.
    pub path: PathBuf,
    /// What happens to it.
    pub action: WordPressAction,
    /// Permission bits afterwards.
    pub mode: Option<u32>,
    /// Whether it holds the login's secret.
    pub secret: bool,
}

/// What a site needs so that it sends through the server, and what is known of it.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct WordPressPlan {
    /// The site.
    pub site: WordPressSite,
    /// What it says of itself.
    pub seen: Seen,
    /// What is wrong, or worth knowing. With an error among them, nothing is changed.
    pub findings: Vec<Finding>,
    /// The files that differ from what they should be; none where everything is done.
    pub changes: Vec<WordPressChange>,
}

/// What was done to a site.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct WordPressApplied {
    /// What was planned.
    pub plan: WordPressPlan,
    /// Whether it was performed; not with an error among the findings, nor where there was nothing to do.
    pub performed: bool,
}

/// What became of a site's message.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct WordPressVerified {
    /// What the site did.
    pub sent: Verified,
    /// What stands in the subject and in the field `X-Agency-Probe` of the message.
    pub mark: String,
    /// What is wrong; nothing where the site sends as it should.
    pub findings: Vec<Finding>,
}

/// What was taken back.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct WordPressRemoved {
    /// The files that were restored or removed; none where nothing of ours was there.
    pub changes: Vec<WordPressChange>,
    /// What could not be taken back.
    pub findings: Vec<Finding>,
}

impl Mailu {
    /// Finds a site: by its directory, or among the containers of this host.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::NotFound`] where there is none, [`crate::ErrorKind::InvalidInput`] for a directory without WordPress or where several could be meant,
    /// [`crate::ErrorKind::Docker`] where the engine does not answer.
    pub fn wordpress_site(&self, target: &WordPressTarget) -> Result<WordPressSite, Error> {
        site::find(self.root(), target).map_err(|error| hints::error(error, self.root()))
    }

    /// Tries from where the site's PHP runs whether the server takes a message with this profile: name, connection, certificate, login, sender. Nothing is
    /// written, no message is sent. It counts as one recipient.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::NotFound`] where PHP is missing, [`crate::ErrorKind::Conflict`] where it does not get to an answer.
    pub fn wordpress_probe(
        &self,
        site: &WordPressSite,
        profile: &Profile,
        options: &WordPressOptions,
    ) -> Result<(Probe, Option<Finding>), Error> {
        let probe: Probe = site
            .ask(
                &site.seen_by_php().probe(profile, options.ca.as_deref()),
                "try the server from",
                &[&profile.secret],
            )
            .map_err(|error| hints::error(error, self.root()))?;
        let mut finding: Vec<Finding> = probe
            .finding(profile, site.container.as_deref())
            .into_iter()
            .collect();
        hints::findings(&mut finding, self.root());
        Ok((probe, finding.pop()))
    }

    /// What has to be changed at a site. Nothing is written.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::InvalidInput`] for a profile that no site can use, [`crate::ErrorKind::Conflict`] where the site does not load or something is in the way,
    /// [`crate::ErrorKind::Io`] where a file cannot be read.
    pub fn wordpress_plan(
        &self,
        site: &WordPressSite,
        profile: &Profile,
        options: &WordPressOptions,
    ) -> Result<WordPressPlan, Error> {
        change::plan(self.root(), site, profile, options)
            .map(|(plan, _)| self.worded(plan))
            .map_err(|error| hints::error(error, self.root()))
    }

    /// Changes a site so that it sends through the server. Stopped anywhere, the same call continues; a second one changes nothing.
    ///
    /// # Errors
    ///
    /// As [`Mailu::wordpress_plan`], and [`crate::ErrorKind::Io`] where a file cannot be written.
    pub fn wordpress_apply(
        &self,
        site: &WordPressSite,
        profile: &Profile,
        options: &WordPressOptions,
    ) -> Result<WordPressApplied, Error> {
        change::apply(self.root(), site, profile, options, &mut Disk)
            .map(|mut applied| {
                applied.plan = self.worded(applied.plan);
                applied
            })
            .map_err(|error| hints::error(error, self.root()))
    }

    /// Has the site itself send a message to `to`, or without one log in.
    ///
    /// # Errors
    ///
    /// As [`Mailu::wordpress_probe`]. A message that the server does not take is a finding.
    pub fn wordpress_verify(
        &self,
        site: &WordPressSite,
        profile: &Profile,
        to: Option<&EmailAddress>,
    ) -> Result<WordPressVerified, Error> {
        let mark = format!("{:016x}", OsRng.next_u64());
        let script = site.seen_by_php().send(profile, to, &mark);
        let sent: Verified = site
            .ask(&script, "send a message from", &[&profile.secret])
            .map_err(|error| hints::error(error, self.root()))?;
        let mut findings = sent.findings(profile);
        hints::findings(&mut findings, self.root());
        Ok(WordPressVerified {
            sent,
            mark,
            findings,
        })
    }

    /// Takes back everything that [`Mailu::wordpress_apply`] has changed: files are what they were before, to the byte. Where nothing was changed, nothing is
    /// done.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Conflict`] where a file of ours was edited since, [`crate::ErrorKind::Io`] where a file cannot be written.
    pub fn wordpress_remove(&self, site: &WordPressSite) -> Result<WordPressRemoved, Error> {
        change::remove(self.root(), site, &mut Disk)
            .map(|mut removed| {
                hints::findings(&mut removed.findings, self.root());
                removed
            })
            .map_err(|error| hints::error(error, self.root()))
    }

    fn worded(&self, mut plan: WordPressPlan) -> WordPressPlan {
        hints::findings(&mut plan.findings, self.root());
        plan
    }
}

/// The settings file's name with the directory that a container is to mount, as a hint.
fn mount_hint(home: &std::path::Path) -> String {
    format!(
        "to have them outside: give the site's service in its docker-compose.override.yml `volumes: [\"{}:{}:ro\"]`, recreate it, and run the same command again",
        home.display(),
        wordpress::INSIDE
    )
}
