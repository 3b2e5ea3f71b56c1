//! An update of Mailu. It is a restore whose archive is the deployment itself: what a new release may change is copied while services stand
//! still, the copies take the place of the originals, and the new release starts with them. If it does not work, the originals go back.
//! Mail and queue stay where they are, so that what arrives meanwhile is nobody's loss.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::migrate;
use super::places::{
    Alone, UPDATING, identity, is_fixed, listed, private, refused, remove, unfinished,
};
use super::stage::{self, Unpacking};
use super::{MARGIN, OF_A_MEMBER, QUEUE, Restoring, SIGNATURES, empty};
use crate::backup::{Kind, Member, SNAPSHOT, left_out};
use crate::compose;
use crate::config::Config;
use crate::config::edit::Document;
use crate::config::units::Version;
use crate::delivery::Outcome;
use crate::dns::PublicKeys;
use crate::engine::State as Running;
use crate::env::EnvFile;
use crate::error::{Error, ErrorKind};
use crate::finding::{Finding, Severity, has_errors};
use crate::host::backup::{BackupOptions, outside_database, revision};
use crate::host::engine::Docker;
use crate::host::perform::Progress;
use crate::host::ready::OVERRIDES;
use crate::host::root::{Mailu, prepare};
use crate::host::up::going_on;
use crate::host::{files, hints, observe};
use crate::paths::{DIRECTORIES, Layout};
use crate::plan::{Deployment, FileConflict, Nothing, Request, TEMPORARY_SUFFIX};
use crate::render::{Rendered, render};
use crate::restore::{Course, Item, Journal, Releases, Restored};
use crate::secret::Secrets;
use crate::start::{self, Wanted};
use crate::update::{self, Facts, Updated};

/// How an update is made.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct UpdateOptions {
    /// The release to go to; without it, the newest that this program knows.
    pub to: Option<Version>,
    /// Only say what would be done.
    pub dry_run: bool,
    /// Of an interrupted update: go back to what was there before, where that is still possible.
    pub undo: bool,
    /// Where accounts are in another database: update without a way back for it.
    pub without_database: bool,
    /// Of a deployment of `AgencyStack`'s old installer: keys of `mailu.toml` to set, as typed, where its files do not say what is wanted.
    pub settings: Vec<(String, String)>,
    /// Of such a deployment: pre-flight checks that it is installed without, as noted by [`Mailu::install`].
    pub skip: BTreeSet<String>,
    /// How long each service may take to become ready, instead of what is usual for it.
    pub wait: Option<Duration>,
}

/// What stays where it is: mail, its queue, and what antivirus can get again.
const STAYS: [&str; 3] = ["mail", QUEUE, SIGNATURES];

/// How long an image may take.
const PULL: Duration = Duration::from_secs(3600);

impl Mailu {
    /// Goes to another release of Mailu: images first, then a backup, then the new release with copies of databases and settings. It has to
    /// show that everything works that worked before; else everything goes back to how it was, databases included.
    ///
    /// Stopped at any point, the next call says how far it was and finishes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Conflict`] if something speaks against it, [`ErrorKind::Docker`] if the new release does not work: then everything is as it
    /// was before, unless the error says otherwise.
    pub fn update(
        &self,
        layout: &Layout,
        options: &UpdateOptions,
        progress: &mut dyn Progress,
    ) -> Result<Updated, Error> {
        self.updated(layout, options, progress)
            .map(|mut out| {
                hints::findings(&mut out.findings, self.root());
                out
            })
            .map_err(|error| hints::error(error, self.root()))
    }

    fn updated(
        &self,
        layout: &Layout,
        options: &UpdateOptions,
        progress: &mut dyn Progress,
    ) -> Result<Updated, Error> {
        let mut run = Restoring::new(self, layout, options.wait, progress);
        let mut recovered = None;
        if let Some(journal) = unfinished(layout)? {
            let Some(releases) = journal.update.clone().filter(|_| !options.dry_run) else {
                return Err(refused(layout, &journal));
            };
            let other = options.to.is_some_and(|to| to.to_string() != releases.to);
            let goes_on = matches!(
                journal.state.course(options.undo),
                Course::Start | Course::Finish
            );
            if other && goes_on {
                return Err(refused(layout, &journal).hint(format!(
                    "`{} --undo` goes back to {}",
                    layout.command("update"),
                    releases.from
                )));
            }
            let done = run.recover(options.undo)?;
            if goes_on || options.undo {
                let mut out = outcome(layout, &releases, done);
                out.backup = Some(journal.file).filter(|_| !journal.migration);
                return Ok(out);
            }
            recovered = done.recovered;
            run = Restoring::new(self, layout, options.wait, progress);
        } else if options.undo {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "update.nothing_to_undo",
                format!(
                    "go back to the release before: no update of {} is unfinished",
                    layout.mail_host()
                ),
            )
            .hint(format!(
                "`{} --to RELEASE` goes to another release, an older one too",
                layout.command("update")
            )));
        }
        let mut out = if migrate::is_old(&layout.directory()) {
            run.migrate(options)?
        } else if options.settings.is_empty() {
            run.update(options)?
        } else {
            let set = layout.command("config set");
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "update.settings",
                format!(
                    "set keys together with an update of {}: only a deployment of AgencyStack's installer gets its mailu.toml then",
                    layout.mail_host()
                ),
            )
            .hint(format!("`{set} KEY=VALUE` changes one, before or after")));
        };
        out.recovered = recovered;
        Ok(out)
    }
}

pub(super) fn outcome(layout: &Layout, releases: &Releases, done: Restored) -> Updated {
    let mut out = Updated::new(
        layout.mail_host().to_string(),
        layout.client().map(ToString::to_string),
        layout.directory(),
    );
    out.from.clone_from(&releases.from);
    out.to.clone_from(&releases.to);
    out.performed = done.performed;
    out.recovered = done.recovered;
    out.run = done.run;
    out.kept = done.kept;
    out.remove_command = done.remove_command;
    out.findings = done.findings;
    out
}

/// Something of a deployment that an update copies.
struct Source {
    /// Its path in the deployment.
    path: String,
    /// Whether it can change places with its copy.
    movable: bool,
}

impl Restoring<'_> {
    fn update(&mut self, options: &UpdateOptions) -> Result<Updated, Error> {
        let layout = self.layout.clone();
        let (config, _) = self.mailu.config(&layout)?;
        let from = self.release(&config);
        let to = options.to.unwrap_or(Version::DEFAULT.max(from));
        let releases = Releases::new(from.to_string(), to.to_string());
        let mut out = outcome(&layout, &releases, empty(&layout));
        if from == to {
            return Ok(out);
        }
        self.can_start()?;
        let docker = Docker::connect()?;
        let (facts, images) = self.about_update(&docker, from, to, options)?;
        out.findings = update::judge(&facts);
        out.steps = update::steps(&facts);
        let doing = format!("update {} from Mailu {from} to {to}", layout.mail_host());
        if !self.agreed(&out, &doing, options.dry_run)? {
            return Ok(out);
        }
        let unchanged = |error: Error| {
            error
                .about(format!("update {}", layout.mail_host()))
                .hint("nothing was changed")
        };

        let passed = self.works(&mut out.findings);
        for image in &images {
            self.pull(image).map_err(unchanged)?;
        }
        let backup = BackupOptions {
            keep_all: true,
            without_database: options.without_database,
            ..BackupOptions::default()
        };
        let taken = self
            .mailu
            .backup(&layout, &backup, self.progress)
            .map_err(unchanged)?;
        out.findings.extend(taken.findings);

        let _alone = Alone::begin(&layout, &self.places)?;
        let mut journal = Journal::of_update(taken.file.clone(), releases, self.stamp());
        journal.passed = passed;
        let ready = self
            .own_lock()
            .and_then(|()| self.still_so(from))
            .and_then(|()| self.places.note(&journal));
        if let Err(error) = ready {
            self.places.clear()?;
            return Err(unchanged(error).hint(format!(
                "the backup that was taken is {}",
                taken.file.display()
            )));
        }
        let begun = Instant::now();
        let mut done = empty(&layout);
        match self.onward(&mut journal, &mut done) {
            Ok(()) => {}
            Err(error) => {
                return Err(self.go_back(&mut journal, error).hint(format!(
                    "the backup that was taken before is {}",
                    taken.file.display()
                )));
            }
        }
        out.performed = true;
        out.backup = Some(taken.file);
        out.stood_still_seconds = Some(begun.elapsed().as_secs());
        out.run = done.run;
        out.findings.extend(done.findings);
        Ok(out)
    }

    /// Refuses what something speaks against, and says what will be done. False where it was only asked what that is.
    pub(super) fn agreed(
        &mut self,
        out: &Updated,
        doing: &str,
        dry_run: bool,
    ) -> Result<bool, Error> {
        if has_errors(&out.findings) {
            return Err(Error::new(
                ErrorKind::Conflict,
                "update.refused",
                format!("{doing}: that cannot be done now; nothing was changed"),
            )
            .findings(out.findings.clone()));
        }
        if !dry_run {
            for step in &out.steps {
                self.say(&format!("{}: {}", step.action, step.detail));
            }
        }
        Ok(!dry_run)
    }

    /// What was found out before the backup, which took a while and has taken room.
    fn still_so(&self, from: Version) -> Result<(), Error> {
        let (config, _) = self.mailu.config(&self.layout)?;
        let now = self.release(&config);
        if now != from {
            return Err(Error::new(
                ErrorKind::Conflict,
                "update.meanwhile",
                format!("go on from Mailu {from}: another run made it {now} meanwhile"),
            )
            .hint("run the same command again"));
        }
        let facts = Facts {
            needed: self.needed(&self.sources()?)?,
            free: stage::free(&self.places.live.join("data")),
            ..Facts::new(
                self.layout.mail_host().to_string(),
                self.layout.directory(),
                from,
                from,
            )
        };
        let findings = update::judge(&facts);
        if has_errors(&findings) {
            return Err(Error::new(
                ErrorKind::Conflict,
                "update.refused",
                "copy databases and settings, now that the backup is there: that cannot be done",
            )
            .findings(findings));
        }
        Ok(())
    }

    /// The bytes that copies take.
    fn needed(&self, sources: &[Source]) -> Result<u64, Error> {
        let mut out = MARGIN + weight(&self.places.live_secrets, "")?;
        for source in sources {
            out += weight(&self.places.live.join(&source.path), &source.path)?;
        }
        Ok(out)
    }

    /// Services whose images somebody has chosen: they are what they were.
    fn other_images(&self, docker: &Docker, config: &Config) -> Result<Vec<Finding>, Error> {
        let env = fs::read_to_string(self.layout.file(".env")).unwrap_or_default();
        let wanted = services(config, &env);
        let there = self.containers(docker)?;
        let other = there.iter().filter_map(|container| {
            let service = container.service.as_deref()?;
            let wanted = wanted.iter().find(|one| one.service == service)?;
            (wanted.image != container.image).then(|| {
                Finding::warning(
                    "update.other_image",
                    service,
                    format!("does not have the image of the release, {}", wanted.image),
                )
                .value(&container.image)
                .hint("docker-compose.yml was edited, or has an override beside it, that names another one")
            })
        });
        Ok(other.collect())
    }

    /// The release that containers are made from.
    fn release(&self, config: &Config) -> Version {
        let text = fs::read_to_string(self.layout.file(".env")).unwrap_or_default();
        let env = EnvFile::parse(&text).unwrap_or_default();
        env.get("MAILU_VERSION")
            .and_then(|value| value.text.parse().ok())
            .unwrap_or(config.version)
    }

    /// What is known before, and the images that have to be got.
    fn about_update(
        &mut self,
        docker: &Docker,
        from: Version,
        to: Version,
        options: &UpdateOptions,
    ) -> Result<(Facts, Vec<String>), Error> {
        let layout = self.layout.clone();
        let pending = prepare(&layout, &Request::default(), &mut Nothing)?.0.plan;
        let request = Request {
            settings: vec![("version".to_owned(), to.to_string())],
            start: true,
            ..Request::default()
        };
        let (planned, _) = prepare(&layout, &request, &mut Nothing)?;
        let plan = &planned.plan;
        if !plan.conflicts.is_empty() || has_errors(&plan.findings) {
            let (code, why, hint) = if plan.conflicts.is_empty() {
                let hint = format!("correct {}", layout.file("mailu.toml").display());
                ("update.unfit", "mailu.toml does not fit that release", hint)
            } else {
                let why = "what was edited by hand has to be settled first";
                let hint = format!("`{}` takes those options", layout.command("apply"));
                ("update.edited", why, hint)
            };
            let errors = plan.findings.iter();
            let errors = errors
                .filter(|one| one.severity == Severity::Error)
                .cloned();
            let findings = plan.conflicts.iter().map(disagreement).chain(errors);
            return Err(Error::new(
                ErrorKind::Conflict,
                code,
                format!(
                    "update {} to Mailu {to}: {why}; nothing was changed",
                    layout.mail_host()
                ),
            )
            .findings(findings.collect())
            .hint(hint));
        }
        let mut facts = Facts::new(layout.mail_host().to_string(), layout.directory(), from, to);
        facts.running = !self.running()?.is_empty();
        facts.outside_database = outside_database(&layout)?;
        facts.without_database = options.without_database;
        facts.schema = None;
        if facts.outside_database.is_none() {
            facts.schema = self.schema(docker).ok().flatten();
        }
        facts.privileged = observe::privileged();
        facts.pending = pending
            .steps
            .iter()
            .filter_map(|step| step.path.strip_prefix(layout.directory()).ok())
            // Our own notes change with every comment in mailu.toml.
            .filter(|path| !path.starts_with(".mailu"))
            .map(|path| path.display().to_string())
            .collect();
        let sources = self.sources()?;
        facts.elsewhere = self.immovable(&sources);
        facts.needed = self.needed(&sources)?;
        facts.free = stage::free(&self.places.live.join("data"));
        let images = wanted(&layout, &planned)?;
        for image in images {
            if docker.image(&image)?.is_none() {
                facts.missing.push(image);
            }
        }
        let missing = facts.missing.clone();
        Ok((facts, missing))
    }

    /// The stages that a message to oneself goes through now.
    fn works(&mut self, findings: &mut Vec<Finding>) -> Vec<String> {
        let untested = |why: String| {
            Finding::warning(
                "update.untested",
                "test message",
                format!("does not come through even before the update ({why}): afterwards it cannot be told whether mail flows"),
            )
            .hint("`mailu test-email` says why; Ctrl-C stops the update")
        };
        match self.message() {
            Ok(report) => {
                let failed = report
                    .stages
                    .iter()
                    .find(|step| step.outcome == Outcome::Failed);
                if let Some(step) = failed.filter(|_| !report.delivered) {
                    findings.push(untested(format!(
                        "{}: {}",
                        step.stage.as_str(),
                        step.detail
                    )));
                }
                report
                    .stages
                    .iter()
                    .filter(|step| step.outcome == Outcome::Passed)
                    .map(|step| step.stage.as_str().to_owned())
                    .collect()
            }
            Err(error) => {
                findings.push(untested(error.to_string()));
                Vec::new()
            }
        }
    }

    /// The revision of the database.
    fn schema(&self, docker: &Docker) -> Result<Option<String>, Error> {
        let there = self.containers(docker)?;
        let admin = there.iter().find(|container| {
            container.service.as_deref() == Some("admin") && container.state == Running::Running
        });
        match admin {
            Some(admin) => revision(docker, &admin.name),
            None => Ok(None),
        }
    }

    /// Gets an image. Docker's own program does it, because that knows how to log in at a registry.
    pub(super) fn pull(&mut self, image: &str) -> Result<(), Error> {
        self.say(&format!("getting {image}"));
        let failed = |said: &str| {
            let known = start::explain(said);
            let why = known
                .as_ref()
                .map_or_else(|| said.trim().to_owned(), |trouble| trouble.why.clone());
            let code = known
                .as_ref()
                .map_or("image.missing", |trouble| trouble.code);
            let error = Error::new(
                ErrorKind::Docker,
                code,
                format!("get the image {image}: {why}"),
            );
            let hints = known.map(|trouble| trouble.hints).unwrap_or_default();
            hints
                .into_iter()
                .fold(error, Error::hint)
                .hint(format!("`docker pull {image}` shows it again"))
        };
        let mut child = Command::new("docker")
            .args(["pull", "--quiet", image])
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .map_err(|error| failed(&error.to_string()))?;
        let begun = Instant::now();
        let status = loop {
            let over = begun.elapsed() > PULL;
            let stopped = going_on(self.progress);
            match child.try_wait() {
                Ok(Some(status)) => break status,
                Ok(None) if over || stopped.is_err() => {
                    let _ = child.kill();
                    let _ = child.wait();
                    stopped?;
                    return Err(failed("it takes more than an hour"));
                }
                Ok(None) => std::thread::sleep(Duration::from_millis(100)),
                Err(error) => return Err(failed(&error.to_string())),
            }
        };
        let mut said = String::new();
        if let Some(mut stderr) = child.stderr.take() {
            let _ = std::io::Read::read_to_string(&mut stderr, &mut said);
        }
        if status.success() {
            Ok(())
        } else {
            Err(failed(&said))
        }
    }

    /// What cannot change places with a copy.
    fn immovable(&self, sources: &[Source]) -> Vec<String> {
        let paths = sources.iter().filter(|source| !source.movable);
        // Copies lie beside the deployment, and beside the secrets.
        let around = [&self.places.live, &self.places.live_secrets];
        paths
            .map(|source| source.path.clone())
            .chain(
                around
                    .into_iter()
                    .filter(|path| is_fixed(path))
                    .map(|path| path.display().to_string()),
            )
            .collect()
    }

    /// What an update may change: everything but mail, its queue, what can be had again, and what is nobody's we know.
    fn sources(&self) -> Result<Vec<Source>, Error> {
        let live = &self.places.live;
        let mut out = Vec::new();
        for entry in listed(live)? {
            let path = entry.file_name().to_string_lossy().into_owned();
            let theirs = OVERRIDES.contains(&path.as_str());
            if path == "data" || !(is_ours(&path) || theirs) {
                continue;
            }
            // Nobody here writes what somebody has added for Compose: a link to it goes as it is.
            let link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
            out.push(Source {
                movable: (theirs && link) || !is_fixed(&entry.path()),
                path,
            });
        }
        let data = live.join("data");
        for entry in listed(&data)? {
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = format!("data/{name}");
            if !is_ours(&path) || STAYS.contains(&name.as_str()) {
                continue;
            }
            out.push(Source {
                movable: !is_fixed(&entry.path()),
                path,
            });
        }
        Ok(out)
    }

    /// Copies what the new release may change, beside the originals, and sets the release in the copy of `mailu.toml`. Services stand still.
    pub(super) fn copied(&mut self, journal: &mut Journal) -> Result<(), Error> {
        let places = self.places.clone();
        places.remove_copies()?;
        for directory in [&places.stage, &places.stage_data] {
            private(directory)?;
        }
        self.say("copying databases and settings");
        journal.items.clear();
        journal.names = self.names()?;
        let sources = self.sources()?;
        let secrets = identity(&places.live_secrets)?.is_some();
        let progress = &mut *self.progress;
        stage::unpack(|unpacking| {
            for Source { path, .. } in &sources {
                going_on(progress)?;
                copy(
                    unpacking,
                    &places.live.join(path),
                    &places.copy_of(path),
                    path,
                )?;
            }
            if secrets {
                let (from, to) = (&places.live_secrets, &places.stage_secrets);
                copy(unpacking, from, to, "")?;
            }
            Ok(())
        })?;
        self.staged_lock()?;
        self.set_release(journal)?;
        for source in sources {
            let original = identity(&places.live.join(&source.path))?;
            let copied = identity(&places.copy_of(&source.path))?.is_some();
            if let Some(original) = original.filter(|_| copied) {
                journal.items.push(Item::new(source.path, original));
            }
        }
        journal.secrets = identity(&places.stage_secrets)?;
        stage::sync(&places.stage_data)?;
        if secrets {
            stage::sync(&places.stage_secrets)?;
        }
        Ok(())
    }

    fn set_release(&self, journal: &Journal) -> Result<(), Error> {
        let Some(releases) = &journal.update else {
            return Ok(());
        };
        let path = self.places.copy_of("mailu.toml");
        let text =
            fs::read_to_string(&path).map_err(|error| files::failed("read", &path, error))?;
        let mut document = Document::parse(&text)?;
        document.set_text("version", &releases.to);
        // The copy has mode and owner already.
        fs::write(&path, document.to_string()).map_err(|error| files::failed("write", &path, error))
    }

    /// Everything that there is, by its path: of the deployment, and below `data`.
    fn names(&self) -> Result<Vec<String>, Error> {
        let mut out = Vec::new();
        for (directory, before) in [("", ""), ("data", "data/")] {
            for entry in listed(&self.places.live.join(directory))? {
                let name = entry.file_name().to_string_lossy().into_owned();
                if name != UPDATING {
                    out.push(format!("{before}{name}"));
                }
            }
        }
        Ok(out)
    }

    /// Removes what has come beside the originals since an update put copies in their place. They are back already. What is nobody's we know
    /// stays, but for what services have below `data`.
    pub(super) fn remove_new(&self, journal: &Journal) -> Result<(), Error> {
        // Before anything changed places it was not noted what there was.
        if journal.update.is_none() || journal.names.is_empty() {
            return Ok(());
        }
        let before: BTreeSet<&str> = journal.names.iter().map(String::as_str).collect();
        for name in self.names()? {
            let passing = name.ends_with(TEMPORARY_SUFFIX);
            let goes = passing || is_ours(&name) || name.starts_with("data/");
            if goes && !before.contains(name.as_str()) {
                remove(&self.places.live.join(&name))?;
            }
        }
        Ok(())
    }

    /// Whether what runs is what was meant, with a database that it understands.
    pub(super) fn updated(&self, journal: &Journal, run: &mut start::Run) -> Result<(), Error> {
        let Some(releases) = &journal.update else {
            return Ok(());
        };
        let (config, _) = self.mailu.config(&self.layout)?;
        let runs = self.release(&config).to_string();
        if runs != releases.to {
            return Err(Error::new(
                ErrorKind::Conflict,
                "update.pinned",
                format!("start Mailu {}: `.env` has {runs}", releases.to),
            )
            .hint(
                "somebody set MAILU_VERSION there: take that line out, or set it to what is wanted",
            ));
        }
        let docker = Docker::connect()?;
        run.findings.extend(self.other_images(&docker, &config)?);
        if outside_database(&self.layout)?.is_some() {
            return Ok(());
        }
        let wanted = update::schema_of(self.release(&config));
        match self.schema(&docker)? {
            Some(schema) if schema == wanted => Ok(()),
            schema => Err(Error::new(
                ErrorKind::Docker,
                "update.schema",
                format!(
                    "use Mailu {}: its database has the revision {}, and should have {wanted}",
                    releases.to,
                    schema.as_deref().unwrap_or("of no release")
                ),
            )
            .hint("a newer release of this program may know it")),
        }
    }
}

/// The images that a deployment needs which is not there yet.
pub(super) fn images(config: &Config) -> Result<Vec<String>, Error> {
    let rendered = render(config, &Secrets::default(), &PublicKeys::default())?;
    images_of(config, &rendered, &EnvFile::default())
}

/// Whether `path` in the deployment is something that Mailu or this program has there.
fn is_ours(path: &str) -> bool {
    DIRECTORIES.iter().any(|one| one.path == path) || observe::FILES.contains(&path)
}

/// An edit that another release would overwrite.
fn disagreement(conflict: &FileConflict) -> Finding {
    let shown = |value: &Option<String>| match value {
        Some(value) => format!("`{value}`"),
        None => "nothing".to_owned(),
    };
    let (subject, message) = match &conflict.variable {
        Some(of) => (
            format!("{} {}", conflict.file, of.name),
            format!(
                "has {}, where {} is wanted: {}",
                shown(&of.theirs),
                shown(&of.ours),
                of.reason
            ),
        ),
        None => (
            conflict.file.clone(),
            "was edited, and another content is wanted now".to_owned(),
        ),
    };
    let hints = conflict.hints.iter().cloned();
    hints.fold(
        Finding::error("update.conflict", subject, message),
        Finding::hint,
    )
}

/// The images that a planned deployment needs.
fn wanted(layout: &Layout, planned: &Deployment) -> Result<Vec<String>, Error> {
    let there = fs::read_to_string(layout.file(".env")).unwrap_or_default();
    let there = EnvFile::parse(&there).unwrap_or_default();
    images_of(&planned.config, &planned.rendered, &there)
}

/// The same, of what was rendered and the `.env` that is there: where images come from may have been set by hand.
fn images_of(config: &Config, rendered: &Rendered, there: &EnvFile) -> Result<Vec<String>, Error> {
    let files = rendered.files(config)?;
    let mut text = files
        .iter()
        .find(|file| file.path == ".env")
        .map(|file| file.text.clone())
        .unwrap_or_default();
    for name in ["DOCKER_ORG", "DOCKER_PREFIX"] {
        if let Some(value) = there.get(name).filter(|value| !value.text.is_empty()) {
            let _ = writeln!(text, "{name}={}", value.text);
        }
    }
    Ok(start::images_of(&services(config, &text))
        .into_keys()
        .map(str::to_owned)
        .collect())
}

/// The services of a configuration, with their images by the text of `.env`.
fn services(config: &Config, env: &str) -> Vec<Wanted> {
    let env = EnvFile::parse(env).unwrap_or_default();
    let built = compose::build(config);
    let services = built.services.iter();
    services
        .map(|service| Wanted::new(service, &EnvFile::default(), &env))
        .collect()
}

/// Whether a member of `path` in the deployment is not worth a copy.
fn skipped(path: &str) -> bool {
    if matches!(path, ".mailu/lock") {
        return true;
    }
    let mut parts = path.split('/');
    if parts.next() != Some("data") {
        return false;
    }
    let (Some(place), rest) = (parts.next(), parts.collect::<Vec<_>>()) else {
        return false;
    };
    match rest.split_last() {
        Some((name, inside)) => *name == SNAPSHOT || left_out(place, inside, name),
        None => false,
    }
}

/// What a copy of `from` takes.
pub(super) fn weight(from: &Path, path: &str) -> Result<u64, Error> {
    let there = match fs::symlink_metadata(from) {
        Ok(there) => there,
        // Services go on, and what they had a moment ago may be gone.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(files::failed("look at", from, error)),
    };
    let mut out = OF_A_MEMBER;
    if there.is_file() {
        out += there.size();
    }
    if there.is_dir() {
        for entry in listed(from)? {
            let inner = format!("{path}/{}", entry.file_name().to_string_lossy());
            if !skipped(&inner) {
                out += weight(&entry.path(), &inner)?;
            }
        }
    }
    Ok(out)
}

/// Copies `from`, which is `path` in the deployment, to `to`.
pub(super) fn copy(
    unpacking: &mut Unpacking<'_>,
    from: &Path,
    to: &Path,
    path: &str,
) -> Result<(), Error> {
    let there =
        fs::symlink_metadata(from).map_err(|error| files::failed("look at", from, error))?;
    let kind = if there.is_dir() {
        Kind::Directory
    } else if there.is_symlink() {
        Kind::Link
    } else if there.is_file() {
        Kind::File
    } else {
        // Sockets and the like are made by whoever listens.
        return Ok(());
    };
    let target = match kind {
        Kind::Link => {
            let target = fs::read_link(from).map_err(|error| files::failed("read", from, error))?;
            Some(Member::text(target.as_os_str().as_bytes()))
        }
        _ => None,
    };
    let member = Member {
        path: path.to_owned(),
        kind,
        size: there.size(),
        mode: there.mode() & 0o7777,
        uid: there.uid().into(),
        gid: there.gid().into(),
        mtime: u64::try_from(there.mtime()).unwrap_or_default(),
        sha256: None,
        target,
    };
    match kind {
        Kind::File => {
            let mut content =
                fs::File::open(from).map_err(|error| files::failed("read", from, error))?;
            unpacking.member(to, &member, &mut content)
        }
        _ => unpacking.member(to, &member, &mut std::io::empty()),
    }?;
    if kind == Kind::Directory {
        for entry in listed(from)? {
            let inner = format!("{path}/{}", entry.file_name().to_string_lossy());
            if !skipped(&inner) {
                copy(
                    unpacking,
                    &entry.path(),
                    &to.join(entry.file_name()),
                    &inner,
                )?;
            }
        }
    }
    Ok(())
}
