//! What is remembered of an app, and AgencyStack's list.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::api::KnownApi;
use super::{IntegrateOptions, Integrated, Part, PartAction, Target, Work};
use crate::apps::{self, Entry, Sender, chatwoot, frappe, listmonk};
use crate::error::{Error, ErrorKind};
use crate::host::files::{self, Disk};
use crate::host::observe;
use crate::paths::Layout;

/// What is remembered of an app. There is no secret in it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Known {
    pub(super) app: String,
    pub(super) site: Option<String>,
    pub(super) login: String,
    pub(super) from: String,
    pub(super) comment: String,
    /// The file that has its settings.
    pub(super) file: Option<PathBuf>,
    /// The hash of that file as we wrote it.
    pub(super) written: Option<String>,
    /// The hash of what that took the place of: there still, where a run was killed in between.
    #[serde(default)]
    pub(super) replaced: Option<String>,
    /// Whether somebody else has changed the file between two changes of ours: then what it was at first does not come back.
    #[serde(default)]
    pub(super) edited: bool,
    pub(super) path: Option<PathBuf>,
    pub(super) ca: Option<PathBuf>,
    pub(super) from_name: Option<String>,
    pub(super) tls: Option<apps::Tls>,
    pub(super) format: Option<String>,
    #[serde(default)]
    pub(super) incoming: bool,
    #[serde(default)]
    pub(super) only: bool,
    pub(super) container: Option<String>,
    /// Frappe's document.
    pub(super) account: Option<String>,
    /// The account that was the default before ours.
    pub(super) former: Option<String>,
    /// Its Email Domain, if that was made by us.
    pub(super) domain: Option<String>,
    pub(super) erpnext: Option<frappe::rest::Record>,
    pub(super) listmonk: Option<listmonk::Record>,
    /// Where its API is, for an app that is worked on over it alone.
    pub(super) api: Option<KnownApi>,
    pub(super) chatwoot: Option<chatwoot::inbox::Record>,
    /// Made by us, and taken away with it.
    #[serde(default)]
    pub(super) aliases: Vec<String>,
}

impl Known {
    /// What was chosen once stays, unless something else is asked for.
    pub(super) fn fill(&self, options: &mut IntegrateOptions) {
        let wish = &mut options.wish;
        if wish.login.is_none() {
            wish.login = self.login.parse().ok();
            wish.from = wish.from.take().or_else(|| self.from.parse().ok());
        }
        wish.from_name = wish.from_name.take().or_else(|| self.from_name.clone());
        wish.tls = wish.tls.or(self.tls);
        wish.incoming |= self.incoming;
        options.only |= self.only;
        options.ca = options.ca.take().or_else(|| self.ca.clone());
        // Another way than before is asked for by naming it.
        if options.container.is_none() && (options.path.is_none() || options.api.is_some()) {
            let api = options.api.take();
            options.api = match &self.api {
                Some(known) => Some(known.fill(api)),
                None => api,
            };
        }
        if options.api.is_none() {
            options.container = options.container.take().or_else(|| self.container.clone());
        }
        options.path = options.path.take().or_else(|| self.path.clone());
        options.format = options.format.take().or_else(|| self.format.clone());
    }

    /// Remembers what was chosen.
    pub(super) fn choose(&mut self, options: &IntegrateOptions) {
        let absolute = |path: &PathBuf| fs::canonicalize(path).unwrap_or_else(|_| path.clone());
        self.from_name.clone_from(&options.wish.from_name);
        self.tls = options.wish.tls;
        self.incoming = options.wish.incoming;
        self.only = options.only;
        self.path = options.path.as_ref().map(absolute);
        self.ca = options.ca.as_ref().map(absolute);
        self.format.clone_from(&options.format);
        // Listmonk is asked for its credentials each time: without, its database is the way.
        let remembered = options.api.as_ref().filter(|_| self.app != "listmonk");
        self.api = remembered.map(KnownApi::new);
    }
}

/// The token of an app, as it is kept.
#[derive(Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) id: u64,
    pub(super) login: String,
    pub(super) secret: String,
}

impl Work<'_> {
    pub(super) fn kept_file(&self) -> PathBuf {
        self.layout.secret(&format!("app_{}", self.key))
    }

    /// What the app's file was before.
    pub(super) fn before_file(&self) -> PathBuf {
        self.layout.secret(&format!("app_{}.before", self.key))
    }

    pub(super) fn settings_file(&self) -> PathBuf {
        self.layout.secret(&format!("app_{}.settings", self.key))
    }

    pub(super) fn write_secret(&self, path: &Path, bytes: &[u8]) -> Result<(), Error> {
        let directory = self.layout.secrets();
        if !directory.exists() {
            files::make_directory(&mut Disk, &directory, 0o700, None)?;
        }
        files::write_atomically(&mut Disk, path, 0o600, None, bytes)
    }

    /// Remembers, before anything is changed that has to be taken back.
    pub(super) fn keep(&mut self, known: Known) -> Result<(), Error> {
        self.known.insert(self.key.clone(), known);
        self.write_known()
    }

    pub(super) fn write_known(&self) -> Result<(), Error> {
        let path = known_file(self.layout);
        let mut text = serde_json::to_vec_pretty(&self.known).map_err(|error| {
            Error::new(
                ErrorKind::Internal,
                "app.record",
                format!("write the record {}", path.display()),
            )
            .source(error)
        })?;
        text.push(b'\n');
        if fs::read(&path).is_ok_and(|there| there == text) {
            return Ok(());
        }
        files::write_atomically(&mut Disk, &path, 0o600, None, &text)
    }

    /// The record, and the line in `AgencyStack`'s list.
    pub(super) fn note(
        &mut self,
        target: &Target,
        sender: &Sender,
        done: &mut Integrated,
    ) -> Result<(), Error> {
        if let Some(known) = self.known.get_mut(&self.key) {
            known.comment.clone_from(&sender.comment);
        }
        self.write_known()?;
        let path = self.state();
        let there = read_or_empty(&path)?;
        let title = target.title();
        let is_there = there
            .lines()
            .any(|line| line.split(':').next() == Some(title));
        if is_there && !done.changed {
            done.parts
                .push(Part::new("record", &path.display(), PartAction::Keep));
            return Ok(());
        }
        let details = format!("{} through {}", sender.login, self.config.mail_host);
        let at: String = observe::timestamp()
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .collect();
        let entry = Entry::new(title, "unknown", &at, &details);
        write_state(&path, &apps::state_file(&there, title, Some(&entry)))?;
        done.parts.push(Part::new(
            "record",
            &path.display(),
            if is_there {
                PartAction::Change
            } else {
                PartAction::Create
            },
        ));
        if !is_there {
            done.changed = true;
            done.performed = true;
        }
        Ok(())
    }

    pub(super) fn state(&self) -> PathBuf {
        self.layout.root().join("integrations/state/email.state")
    }
}

pub(super) fn known_file(layout: &Layout) -> PathBuf {
    layout.file(".mailu/apps.json")
}

pub(super) fn read_or_empty(path: &Path) -> Result<String, Error> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(files::failed("read", path, error)),
    }
}

pub(super) fn write_state(path: &Path, text: &str) -> Result<(), Error> {
    if let Some(parent) = path.parent()
        && !parent.exists()
    {
        files::make_directory(&mut Disk, parent, 0o755, None)?;
    }
    files::write_atomically(&mut Disk, path, 0o644, None, text.as_bytes())
}
