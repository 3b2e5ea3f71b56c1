//! What is remembered of an app, and AgencyStack's list.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::api::KnownApi;
use super::{IntegrateOptions, Integrated, Part, PartAction, Target, Work};
use crate::apps::{self, Entry, Sender, chatwoot, frappe, listmonk, route};
use crate::error::{Error, ErrorKind};
use crate::host::engine::Docker;
use crate::host::files::{self, Disk};
use crate::host::observe;
use crate::paths::Layout;

/// What is remembered of an app. There is no secret in it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is remembered by itself"
)]
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
    /// Whether the login is to be free of Mailu's limit.
    #[serde(default)]
    pub(super) exempt: Option<bool>,
    /// The login that is in `limits.exempt` because of this app.
    #[serde(default)]
    pub(super) exempted: Option<String>,
    /// Whether that list is being changed: a run that was killed is finished by the next.
    #[serde(default)]
    pub(super) exempting: bool,
    /// The way to the server that was made for its containers.
    #[serde(default)]
    pub(super) route: Option<route::Route>,
    /// Whether Mailu is among AgencyStack's components because of this app.
    #[serde(default)]
    pub(super) listed: bool,
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
        options.exempt = options.exempt.or(self.exempt);
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
        self.exempt = options.exempt;
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
        let version = self.version_of(target);
        let details = format!("{} through {}", sender.login, self.config.mail_host);
        let mut entry = Entry::new(title, version.as_deref().unwrap_or("unknown"), "", &details);
        let line = there
            .lines()
            .find(|line| line.split(':').next() == Some(title));
        // The same app has the same line, with the time at which it was connected last.
        let mut parts = line.unwrap_or_default().splitn(4, ':').skip(1);
        let (was, at, about) = (parts.next(), parts.next(), parts.next());
        let same = was == Some(&entry.version) && about == Some(&entry.details);
        let now = observe::compact();
        entry.at = match at {
            Some(at) if same && !done.changed => at.to_owned(),
            _ => now,
        };
        let existed = line.is_some();
        let wrote = self.tell(title, Some(&entry))?;
        self.list(&mut done.notes)?;
        let action = match (existed, wrote) {
            (_, false) => PartAction::Keep,
            (true, true) => PartAction::Change,
            (false, true) => PartAction::Create,
        };
        done.parts
            .push(Part::new("record", &path.display(), action));
        if wrote {
            done.changed = true;
            done.performed = true;
        }
        done.version = version;
        Ok(())
    }

    /// The app's version, as it says itself, or its container's image.
    fn version_of(&self, target: &Target) -> Option<String> {
        if let Some(version) = &self.version {
            return Some(version.clone());
        }
        let name = self.container_of(target)?;
        let all = Docker::connect().ok()?.containers().ok()?;
        let app = all.into_iter().find(|one| one.name == name)?;
        apps::image_version(&app.image).map(str::to_owned)
    }

    /// Writes `AgencyStack`'s list and page, with an app's entry or without it, and where that changes anything, a report. Says whether it did.
    pub(super) fn tell(&self, title: &str, entry: Option<&Entry>) -> Result<bool, Error> {
        let integrations = self.layout.root().join("integrations");
        let docs = integrations.join("docs/email.md");
        let mut wrote = false;
        for (path, write) in [
            (
                self.state(),
                apps::state_file as fn(&str, &str, Option<&Entry>) -> String,
            ),
            (docs, apps::docs_file),
        ] {
            let there = read_or_empty(&path)?;
            let now = write(&there, title, entry);
            if now != there {
                write_state(&path, &now)?;
                wrote = true;
            }
        }
        if wrote && let Some(directory) = &self.options.reports {
            let states = integrations.join("state");
            let mut all = Vec::new();
            for file in fs::read_dir(&states).into_iter().flatten().flatten() {
                let path = file.path();
                if path.extension().is_some_and(|end| end == "state")
                    && let Some(kind) = path.file_stem().and_then(|kind| kind.to_str())
                {
                    all.push((kind.to_owned(), read_or_empty(&path)?));
                }
            }
            all.sort();
            let path = directory.join(format!("integration_report-{}.txt", observe::timestamp()));
            write_state(&path, &apps::report(&all, &observe::moment()))?;
        }
        Ok(wrote)
    }

    /// Mailu's line in `AgencyStack`'s list of components, where there is such a list.
    fn list(&mut self, notes: &mut Vec<String>) -> Result<(), Error> {
        let path = self.components();
        if !path.is_file() {
            return Ok(());
        }
        let Some(now) = apps::with_component(&read_or_empty(&path)?) else {
            return Ok(());
        };
        if let Some(known) = self.known.get_mut(&self.key) {
            known.listed = true;
        }
        self.write_known()?;
        write_over(&path, &now)?;
        notes.push(format!("Mailu is in {} now", path.display()));
        Ok(())
    }

    /// Takes that line out, where we have put it there and no app needs it any more. It is called when this app's record is gone.
    pub(super) fn unlist(&mut self, known: &Known) -> Result<(), Error> {
        if !known.listed {
            return Ok(());
        }
        if let Some(heir) = self.known.values_mut().next() {
            heir.listed = true;
            return Ok(());
        }
        let others = self.mailu.list()?.into_iter().any(|one| {
            one.directory != self.layout.directory()
                && read_or_empty(&one.directory.join(".mailu/apps.json"))
                    .is_ok_and(|text| text.contains("\"app\""))
        });
        let path = self.components();
        if others || !path.is_file() {
            return Ok(());
        }
        let there = read_or_empty(&path)?;
        let now = apps::without_component(&there);
        if now != there {
            write_over(&path, &now)?;
        }
        Ok(())
    }

    fn components(&self) -> PathBuf {
        self.layout.root().join("installed_components.txt")
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

/// Writes a file of AgencyStack's, with the mode and owner that it has.
fn write_over(path: &Path, text: &str) -> Result<(), Error> {
    super::settings::rewrite(path, text.as_bytes())
}
