//! Restoring a backup: read whole, unpacked beside what is there, put in its place in one step, and kept only if it works.

mod byhand;
mod carry;
mod mailbox;
mod migrate;
mod places;
mod power;
mod source;
mod stage;
mod swap;
mod update;

use std::fs;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::backup::Keys;
use super::backup::archive::Top;
use super::perform::Progress;
use super::root::{Mailu, Target, prepare_at};
use super::up::going_on;
use super::{files, hints, lock, observe};
use crate::config::Config;
use crate::error::{Error, ErrorKind};
use crate::finding::{Finding, has_errors};
use crate::names::EmailAddress;
use crate::paths::{DIRECTORIES, Layout, quoted};
use crate::plan::Request;
use crate::restore::{self, Carried, Course, Facts, Journal, Restored, Scope, State};

pub(super) use places::{refuse_unfinished, same, unfinished};
pub use update::UpdateOptions;

use carry::How;
use places::{Alone, Places, identity, remove};
use source::{Source, Verified};

/// What is restored, and how.
#[expect(
    clippy::struct_excessive_bools,
    reason = "options, which do not depend on each other"
)]
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct RestoreOptions {
    /// The archive; without one, an interrupted restore is finished.
    pub file: Option<PathBuf>,
    /// Which deployment it has to be.
    pub target: Target,
    /// What opens an encrypted archive.
    pub keys: Keys,
    /// Only configuration, secrets, keys and certificates: data stay as they are.
    pub config_only: bool,
    /// Only this mailbox, beside a server that goes on.
    pub mailbox: Option<EmailAddress>,
    /// The mailbox that it is added to, if that is another one.
    pub into: Option<EmailAddress>,
    /// Without mail that has arrived since the backup, and with its queue.
    pub exact: bool,
    /// Only say what would be done.
    pub dry_run: bool,
    /// Leave the server stopped.
    pub no_start: bool,
    /// Of an interrupted restore: go back to what was there before, where that is still possible.
    pub undo: bool,
    /// How long each service may take to become ready, instead of what is usual for it.
    pub wait: Option<Duration>,
}

impl RestoreOptions {
    /// The whole of an archive.
    pub fn new(file: Option<PathBuf>) -> Self {
        Self {
            file,
            ..Self::default()
        }
    }
}

/// Room that is left when unpacking is done.
const MARGIN: u64 = 64 << 20;

/// What a member takes beside its bytes: its directory entry, and half a block.
const OF_A_MEMBER: u64 = 4096;

/// How often it is said how far it is.
const REMINDER: Duration = Duration::from_secs(5);

/// What a queue is in, and what need not be in a backup because it can be had again.
const QUEUE: &str = "mailqueue";
const SIGNATURES: &str = "clamav";

/// What goes with a configuration, below `data`.
const OF_CONFIGURATION: [&str; 2] = ["certs", "dkim"];

impl Mailu {
    /// Restores a backup. The archive is read to its end before anything is changed; it is unpacked beside the deployment, which goes on
    /// meanwhile, and takes its place while services stand still. Mail that has arrived since the backup is taken along. What was there before
    /// is kept. If the restored server does not work, everything goes back to how it was.
    ///
    /// Stopped at any point, the next call says how far it was and finishes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Corrupt`] for an archive that is not as it was written, [`ErrorKind::Conflict`] if it does not belong here or cannot be
    /// restored here: then nothing was changed. Others: then everything is as it was before, unless the error says otherwise.
    pub fn restore(
        &self,
        options: &RestoreOptions,
        progress: &mut dyn Progress,
    ) -> Result<Restored, Error> {
        self.restored(options, progress)
            .map(|mut out| {
                hints::findings(&mut out.findings, self.root());
                out
            })
            .map_err(|error| hints::error(error, self.root()))
    }

    fn restored(
        &self,
        options: &RestoreOptions,
        progress: &mut dyn Progress,
    ) -> Result<Restored, Error> {
        let Some(file) = &options.file else {
            return self.finished(options, progress);
        };
        let file = std::path::absolute(file).map_err(|error| files::failed("find", file, error))?;
        let source = Source::open(&file, &options.keys, options.target.mail_host.as_ref())?;
        let layout = self.belongs(&source, &options.target)?;
        let mut run = Restoring::new(self, &layout, options.wait, progress);
        if let Some(address) = &options.mailbox {
            refuse_unfinished(&layout)?;
            let into = options.into.as_ref().unwrap_or(address);
            return run.mailbox(&source, address, into, options.dry_run);
        }
        let mut recovered = None;
        if let Some(journal) = unfinished(&layout)? {
            if options.dry_run || journal.update.is_some() {
                return Err(places::refused(&layout, &journal));
            }
            match journal.state.course(options.undo) {
                Course::Discard | Course::Undo => {
                    let out = run.recover(options.undo)?;
                    recovered = out.recovered;
                    run.locks = lock::Locks::none();
                }
                _ if journal.file == file => return run.recover(options.undo),
                _ => {
                    return Err(Error::new(
                        ErrorKind::Conflict,
                        "restore.unfinished",
                        format!("restore {}: {}", file.display(), journal.interrupted()),
                    )
                    .hint(format!(
                        "`{}` finishes that one first",
                        layout.command("restore")
                    )));
                }
            }
        }
        let mut out = run.begin(&source, options)?;
        out.recovered = recovered;
        Ok(out)
    }

    /// The deployment that an archive belongs to, which has to be the one that was named.
    fn belongs(&self, source: &Source, target: &Target) -> Result<Layout, Error> {
        let (host, client) = source.owner()?;
        let other_host = target.mail_host.as_ref().is_some_and(|name| *name != host);
        let other_client = target.client.is_some() && target.client != client;
        let layout = Layout::new(self.root(), client, host);
        if other_host || other_client {
            return Err(Error::new(
                ErrorKind::Conflict,
                "restore.other",
                format!(
                    "restore {}: it is a backup of {}",
                    source.file.display(),
                    match layout.client() {
                        Some(client) => format!("{} of the client {client}", layout.mail_host()),
                        None => format!("{} of no client", layout.mail_host()),
                    }
                ),
            )
            .hint(format!(
                "`{} {}` restores that one; nothing was changed",
                layout.command("restore"),
                quoted(&source.file)
            )));
        }
        Ok(layout)
    }

    /// Finishes the restore that was interrupted, which has to be the only one, or the one that was named.
    fn finished(
        &self,
        options: &RestoreOptions,
        progress: &mut dyn Progress,
    ) -> Result<Restored, Error> {
        let target = &options.target;
        let mut all = places::all_unfinished(self.root())?;
        all.retain(|(layout, _)| {
            let host = target.mail_host.as_ref();
            host.is_none_or(|host| host == layout.mail_host())
                && (target.client.is_none() || target.client.as_ref() == layout.client())
        });
        match all.as_slice() {
            [(layout, journal)] if options.dry_run || journal.update.is_some() => {
                Err(places::refused(layout, journal))
            }
            [(layout, _)] => self.recover(layout, options, progress),
            [] => Err(Error::new(
                ErrorKind::InvalidInput,
                "restore.no_file",
                "restore: no archive was named, and there is no interrupted restore to finish",
            )
            .hint(
                "`mailu restore FILE` restores a backup; `mailu backup list` shows which there are",
            )),
            several => {
                let names: Vec<String> = several
                    .iter()
                    .map(|(layout, journal)| format!("`{}`", layout.command(journal.verb())))
                    .collect();
                Err(Error::new(
                    ErrorKind::InvalidInput,
                    "deployment.ambiguous",
                    format!("finish a restore: {} were interrupted", several.len()),
                )
                .hint(names.join(", ")))
            }
        }
    }

    fn recover(
        &self,
        layout: &Layout,
        options: &RestoreOptions,
        progress: &mut dyn Progress,
    ) -> Result<Restored, Error> {
        Restoring::new(self, layout, options.wait, progress).recover(options.undo)
    }
}

fn empty(layout: &Layout) -> Restored {
    Restored::new(
        layout.mail_host().to_string(),
        layout.client().map(ToString::to_string),
        layout.directory(),
    )
}

/// A restore at work.
struct Restoring<'a> {
    mailu: &'a Mailu,
    layout: Layout,
    places: Places,
    wait: Option<Duration>,
    locks: lock::Locks,
    progress: &'a mut dyn Progress,
}

impl<'a> Restoring<'a> {
    fn new(
        mailu: &'a Mailu,
        layout: &Layout,
        wait: Option<Duration>,
        progress: &'a mut dyn Progress,
    ) -> Self {
        Self {
            mailu,
            layout: layout.clone(),
            places: Places::of(layout),
            wait,
            locks: lock::Locks::none(),
            progress,
        }
    }

    fn say(&mut self, line: &str) {
        self.progress.said(line);
    }

    /// A restore from the beginning.
    fn begin(&mut self, source: &Source, options: &RestoreOptions) -> Result<Restored, Error> {
        let scope = if options.config_only {
            Scope::Configuration
        } else {
            Scope::Everything
        };
        if !options.no_start {
            self.can_start().map_err(|error| {
                error.hint("`--no-start` restores the files and starts nothing")
            })?;
        }
        let verified = self.verified(source)?;
        let running = self.running()?;
        let facts = self.facts(scope, &verified, options, !running.is_empty());
        let mut findings = verified.findings.clone();
        findings.extend(restore::judge(scope, &facts));
        if has_errors(&findings) {
            return Err(Error::new(
                ErrorKind::Conflict,
                "restore.refused",
                format!(
                    "restore {} to {}: that cannot be done here; nothing was changed",
                    source.file.display(),
                    self.layout.directory().display()
                ),
            )
            .findings(findings));
        }
        let mut out = empty(&self.layout);
        out.archive = Some(verified.archive.clone());
        out.steps = restore::steps(scope, &facts);
        out.findings = findings;
        if options.dry_run {
            return Ok(out);
        }

        let _alone = Alone::begin(&self.layout, &self.places)?;
        self.own_lock()?;
        let mut journal = Journal::new(source.file.clone(), scope, self.stamp());
        journal.exact = options.exact;
        journal.start = !options.no_start;
        journal.replaces = facts.replaces;
        let unpacked = self.unpacked(source, &mut journal, &verified);
        if let Err(error) = unpacked {
            self.places.clear()?;
            self.leave_nothing(&journal);
            return Err(error
                .about(format!("restore {}", self.layout.mail_host()))
                .hint("nothing was changed"));
        }
        match self.onward(&mut journal, &mut out) {
            Ok(()) => Ok(out),
            Err(error) => Err(self.go_back(&mut journal, error)),
        }
    }

    /// What was interrupted is finished.
    fn recover(&mut self, back: bool) -> Result<Restored, Error> {
        let _alone = Alone::take(&self.places)?;
        let mut out = empty(&self.layout);
        let Some(mut journal) = self.places.journal()? else {
            // Another run finished it meanwhile.
            self.places.clear()?;
            return Ok(out);
        };
        self.own_lock()?;
        let begun = journal.interrupted();
        self.say(&begun);
        let end = match journal.state.course(back) {
            Course::Discard => {
                self.places.clear()?;
                self.leave_nothing(&journal);
                "what was unpacked was removed"
            }
            Course::Undo => {
                let failed = self
                    .undo(&mut journal)
                    .map_err(|error| error.about("go back to what was there before"))?;
                if let Some(why) = failed {
                    let host = self.layout.mail_host().to_string();
                    let why = format!(
                        "the files are as they were before, but starting it again failed: {why}"
                    );
                    out.findings
                        .push(
                            Finding::error("restore.not_started", host, why).hint(format!(
                                "`{}` tries that again",
                                self.layout.command("start")
                            )),
                        );
                }
                if journal.replaces {
                    "everything is as it was before"
                } else {
                    "nothing of it is left"
                }
            }
            Course::Start => {
                self.say("going on: starting what was restored");
                self.staged_lock()?;
                if let Err(error) = self.onward(&mut journal, &mut out) {
                    return Err(self.go_back(&mut journal, error));
                }
                "it is finished now"
            }
            Course::Finish => {
                self.put_away(&journal, &mut out)?;
                out.performed = true;
                "it is finished now"
            }
        };
        out.recovered = Some(format!("{begun}; {end}"));
        Ok(out)
    }

    /// A time for names, with a number where there was another restore in the same second.
    fn stamp(&self) -> String {
        let now = observe::timestamp();
        let numbered = (2..100).map(|number| format!("{now}-{number}"));
        std::iter::once(now.clone())
            .chain(numbered)
            .find(|stamp| {
                self.kept("restore", stamp)
                    .iter()
                    .all(|path| !path.exists())
            })
            .unwrap_or(now)
    }

    /// Where what was there before is put: among the backups, or beside the deployment.
    fn kept(&self, verb: &str, stamp: &str) -> [PathBuf; 2] {
        let name = format!("before-{verb}-{stamp}");
        let beside = format!(".{}.{name}", self.layout.mail_host());
        [
            self.layout.backups().join(name),
            self.places.live.with_file_name(beside),
        ]
    }

    /// Nobody else works on the deployment meanwhile.
    fn own_lock(&mut self) -> Result<(), Error> {
        if self.layout.lock().exists() {
            // A backup goes on reading when it has given the deployment's lock back. The next one waits for that.
            if self.layout.backup_lock().exists() {
                self.locks.add(&self.layout.backup_lock())?;
            }
            self.locks.add(&self.layout.lock())?;
        }
        Ok(())
    }

    /// The lock of what was unpacked, which becomes that of the deployment.
    fn staged_lock(&mut self) -> Result<(), Error> {
        let path = self.places.stage.join(".mailu/lock");
        if !path.parent().is_some_and(Path::is_dir) {
            return Ok(());
        }
        // Backups do not have it.
        let made = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path);
        match made {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                Err(files::failed("make the lock", &path, error))
            }
            _ => self.locks.add(&path),
        }
    }

    fn verified(&mut self, source: &Source) -> Result<Verified, Error> {
        self.say(&format!("reading {} to its end", source.file.display()));
        let progress = &mut *self.progress;
        let mut said = Instant::now();
        source.verify(&mut |bytes| {
            going_on(progress)?;
            if said.elapsed() > REMINDER {
                said = Instant::now();
                progress.said(&format!("read {} of files", megabytes(bytes)));
            }
            Ok(())
        })
    }

    fn facts(
        &self,
        scope: Scope,
        verified: &Verified,
        options: &RestoreOptions,
        running: bool,
    ) -> Facts {
        let archive = &verified.archive;
        let here = self.mailu.config(&self.layout).ok();
        let unpacked = match scope {
            Scope::Everything => archive
                .bytes
                .saturating_add(verified.members.saturating_mul(OF_A_MEMBER)),
            Scope::Configuration => 0,
        };
        Facts {
            file: archive.file.clone(),
            mail_host: self.layout.mail_host().to_string(),
            directory: self.layout.directory(),
            version: archive.mailu_version.clone(),
            version_here: here.map(|(config, _)| config.version.to_string()),
            schema: verified.schema.clone(),
            needed: MARGIN + unpacked,
            free: stage::free(&self.places.live),
            replaces: fs::symlink_metadata(&self.places.live).is_ok(),
            elsewhere: elsewhere(&self.places),
            privileged: observe::privileged(),
            exact: options.exact && scope == Scope::Everything,
            start: !options.no_start,
            running,
        }
    }

    /// Unpacks beside the deployment, and looks whether that could run here. Nothing that is there is changed.
    fn unpacked(
        &mut self,
        source: &Source,
        journal: &mut Journal,
        verified: &Verified,
    ) -> Result<(), Error> {
        let places = self.places.clone();
        for left in [
            &places.stage,
            &places.stage_secrets,
            &places.aside,
            &places.aside_secrets,
        ] {
            remove(left)?;
        }
        places.note(journal)?;
        // The queue of now counts: what was in it then has been delivered since.
        let keeps_queue =
            journal.replaces && !journal.exact && places.live.join("data").join(QUEUE).is_dir();
        let wanted = |top: Top, path: &Path| -> bool {
            let mut parts = path.iter();
            if top == Top::Secrets || parts.next().is_none_or(|first| first != "data") {
                return true;
            }
            let Some(name) = parts.next().map(|name| name.to_string_lossy()) else {
                return true;
            };
            match journal.scope {
                Scope::Everything => !(keeps_queue && name == QUEUE),
                Scope::Configuration => OF_CONFIGURATION.contains(&name.as_ref()),
            }
        };
        self.say(&format!("unpacking it beside {}", places.live.display()));
        let mut secrets = false;
        let mut count: u64 = 0;
        let mut said = Instant::now();
        let progress = &mut *self.progress;
        stage::unpack(|unpacking| {
            source.each(&mut |member, content| {
                going_on(progress)?;
                count += u64::from(source::is_file(member));
                if said.elapsed() > REMINDER {
                    said = Instant::now();
                    progress.said(&format!(
                        "unpacked {count} of {} files",
                        verified.archive.files
                    ));
                }
                let Some((top, path)) = stage::split(&member.path) else {
                    return Ok(());
                };
                if !wanted(top, &path) {
                    return Ok(());
                }
                let base = match top {
                    Top::Deployment => &places.stage,
                    Top::Secrets => {
                        secrets = true;
                        &places.stage_secrets
                    }
                };
                let to = if path.as_os_str().is_empty() {
                    base.clone()
                } else {
                    base.join(path)
                };
                // A file with a target is the same as another one, in an archive that was made by hand.
                let same = member
                    .target
                    .as_deref()
                    .filter(|_| source::is_file(member))
                    .and_then(stage::split);
                match same {
                    Some((Top::Deployment, from)) => unpacking.link(&places.stage.join(from), &to),
                    Some((Top::Secrets, from)) => {
                        unpacking.link(&places.stage_secrets.join(from), &to)
                    }
                    None => unpacking.member(&to, member, content),
                }
            })
        })?;
        if !places.stage.join("mailu.toml").is_file() {
            return Err(Error::new(
                ErrorKind::Corrupt,
                "restore.no_configuration",
                format!(
                    "use {}: there is no mailu.toml in it",
                    source.file.display()
                ),
            ));
        }
        let moves = self.moves(journal, keeps_queue)?;
        stage::complete(&places.stage, &moves)?;
        self.staged_lock()?;
        self.could_run(secrets)?;
        stage::sync(&places.stage)?;
        if secrets {
            stage::sync(&places.stage_secrets)?;
        }
        journal.moves = moves;
        journal.deployment = identity(&places.stage)?;
        journal.secrets = identity(&places.stage_secrets)?;
        Ok(())
    }

    /// What is below the live `data` and goes on being used.
    fn moves(&self, journal: &Journal, keeps_queue: bool) -> Result<Vec<String>, Error> {
        if !journal.replaces {
            return Ok(Vec::new());
        }
        let kept = |name: &str| match journal.scope {
            Scope::Configuration => !OF_CONFIGURATION.contains(&name),
            Scope::Everything => {
                // What is nobody's we know was not in the backup, and is not ours to take away.
                let ours = DIRECTORIES
                    .iter()
                    .any(|one| one.path.strip_prefix("data/") == Some(name));
                name == SIGNATURES || (name == QUEUE && keeps_queue) || !ours
            }
        };
        let mut out = Vec::new();
        for entry in places::listed(&self.places.live.join("data"))? {
            let name = entry.file_name().to_string_lossy().into_owned();
            let unpacked = fs::symlink_metadata(self.places.stage.join("data").join(&name)).is_ok();
            if kept(&name) && (!unpacked || name == SIGNATURES) {
                if unpacked {
                    remove(&self.places.stage.join("data").join(&name))?;
                }
                out.push(name);
            }
        }
        Ok(out)
    }

    /// Looks whether what was unpacked would run here: its configuration, and the names, networks and ports of others.
    fn could_run(&mut self, secrets: bool) -> Result<(), Error> {
        let path = self.places.stage.join("mailu.toml");
        let text =
            fs::read_to_string(&path).map_err(|error| files::failed("read", &path, error))?;
        let config = Config::from_toml(&text)?.config;
        if Layout::of(self.layout.root(), &config) != self.layout {
            return Err(Error::new(
                ErrorKind::Corrupt,
                "restore.other",
                format!(
                    "use its mailu.toml: that is for {}, not for {}",
                    config.mail_host,
                    self.layout.mail_host()
                ),
            ));
        }
        let secrets = if secrets {
            self.places.stage_secrets.clone()
        } else {
            self.layout.secrets()
        };
        prepare_at(
            &self.layout,
            &self.places.stage,
            &secrets,
            &Request::default(),
        )
        .map(drop)
    }

    /// From what is unpacked to a server that runs, from wherever the note says.
    fn onward(&mut self, journal: &mut Journal, out: &mut Restored) -> Result<(), Error> {
        if journal.state < State::Holding {
            journal.ran = self.running()?;
            journal.accounts = self.accounts();
            journal.state = State::Holding;
            self.places.note(journal)?;
        }
        if journal.state < State::Swapping {
            self.hold()?;
            if journal.in_its_directory() {
                self.copied(journal)?;
            } else {
                if journal.migration {
                    self.migrated(journal)?;
                }
                if journal.replaces && journal.scope == Scope::Everything && !journal.exact {
                    out.carried = self.carried()?;
                }
                if journal.migration {
                    migrate::own_mail(&self.places.stage.join("data/mail"))?;
                }
                journal.queued = carry::queued(&self.places.stage)?;
            }
            stage::sync(&self.places.stage)?;
            journal.moment = observe::now_seconds();
            journal.state = State::Swapping;
            self.places.note(journal)?;
        }
        if journal.state < State::Starting {
            swap::forward(&self.places, journal)?;
            journal.state = State::Starting;
            self.places.note(journal)?;
        }
        if journal.state < State::Proven {
            if journal.start {
                out.run = Some(self.started(out, journal)?);
            }
            journal.state = State::Proven;
            self.places.note(journal)?;
        }
        if !journal.migration {
            newer_mailboxes(journal, out);
        }
        self.put_away(journal, out)?;
        out.performed = true;
        Ok(())
    }

    fn carried(&mut self) -> Result<Carried, Error> {
        let progress = &mut *self.progress;
        carry::trees(
            &self.places.live.join("data/mail"),
            &self.places.stage.join("data/mail"),
            How::default(),
            &mut |line| progress.said(line),
        )
    }

    /// Puts what was there before where backups are, and forgets the restore. What an update has replaced is in the backup that it took.
    fn put_away(&mut self, journal: &Journal, out: &mut Restored) -> Result<(), Error> {
        if journal.in_its_directory() {
            return self.places.clear();
        }
        if journal.migration {
            self.remove_old()?;
        }
        let places = &self.places;
        let [mut there, beside] = self.kept(journal.verb(), &journal.stamp);
        if beside.exists() {
            there.clone_from(&beside);
        }
        for (from, what) in [
            (&places.stage, "deployment"),
            (&places.stage_secrets, "secrets"),
        ] {
            if identity(from)?.is_none() {
                continue;
            }
            places::private(&there)?;
            let moved = match fs::rename(from, there.join(what)) {
                // Backups are on another file system.
                Err(error)
                    if error.kind() == std::io::ErrorKind::CrossesDevices && there != beside =>
                {
                    let _ = fs::remove_dir(&there);
                    there.clone_from(&beside);
                    places::private(&there)?;
                    fs::rename(from, there.join(what))
                }
                moved => moved,
            };
            moved.map_err(|error| {
                files::failed(
                    &format!("rename {} to", from.display()),
                    &there.join(what),
                    error,
                )
            })?;
            files::sync_parent(&mut files::Disk, &there.join(what))?;
        }
        places.clear()?;
        if there.exists() {
            out.remove_command = Some(format!("rm -r {}", quoted(&there)));
            out.kept = Some(there);
        }
        Ok(())
    }

    /// After a failure: back to what was there before. Returns what to tell.
    fn go_back(&mut self, journal: &mut Journal, error: Error) -> Error {
        let host = self.layout.mail_host().clone();
        let verb = journal.verb();
        let again = self.layout.command(verb);
        let about = format!("{verb} {host}");
        if journal.state == State::Proven {
            return error.about(about).hint(format!(
                "the server works; `{again}` puts away what was there before the {verb}"
            ));
        }
        if error.code() == "interrupted" && journal.state == State::Starting {
            return error.about(about).hint(format!(
                "the new files are in place: `{again}` goes on, `{again} --undo` goes back"
            ));
        }
        self.say("that failed; going back to what was there before");
        match self.undo(journal) {
            Ok(None) if journal.replaces => error
                .about(about)
                .hint(format!("everything is as it was before the {verb}")),
            Ok(None) => error.about(about).hint("nothing of it is left on this host"),
            Ok(Some(why)) => error.about(about).hint(format!(
                "the files are as they were before the {verb}, but starting the server again failed: {why}"
            )),
            Err(undoing) => {
                let mut why = undoing.to_string();
                if let Some(cause) = std::error::Error::source(&undoing) {
                    why = format!("{why}: {cause}");
                }
                error.about(about).hint(format!(
                    "going back failed, too: {why}; `{again}` tries that again"
                ))
            }
        }
    }

    /// Puts everything back. Returns why what ran before does not run again, if it does not.
    fn undo(&mut self, journal: &mut Journal) -> Result<Option<String>, Error> {
        let was = journal.state;
        let in_place = swap::is_in_place(&self.places, journal)?;
        if !in_place {
            // Their room may be what was lacking, also for the note.
            self.places.remove_copies()?;
        }
        journal.state = State::Undoing;
        self.places.note(journal)?;
        self.staged_lock()?;
        if in_place {
            self.stop_restored(journal)?;
            let keeps_mail = journal.in_its_directory() || journal.scope != Scope::Everything;
            if journal.replaces && was >= State::Starting && !keeps_mail {
                // Mail that the restored server took in belongs to what was there before, too.
                let progress = &mut *self.progress;
                carry::trees(
                    &self.places.live.join("data/mail"),
                    &self.places.stage.join("data/mail"),
                    How {
                        since: Some(journal.moment),
                        served: false,
                    },
                    &mut |line| progress.said(line),
                )?;
                if !journal.moves.iter().any(|name| name == QUEUE) {
                    carry::queue_since(&self.places.live, &self.places.stage, &journal.queued)?;
                }
            }
        }
        swap::back(&self.places, journal)?;
        // A run that was killed while it went back may have left containers of what is no longer in place, and new files beside what is.
        let changed = in_place || was == State::Undoing;
        if changed {
            self.remove_new(journal)?;
        }
        let started = self.start_again(journal, changed);
        self.places.clear()?;
        self.leave_nothing(journal);
        Ok(started.err().map(|error| error.to_string()))
    }

    /// Where nothing was, not even empty directories stay.
    fn leave_nothing(&self, journal: &Journal) {
        if journal.replaces {
            return;
        }
        for path in [&self.places.live, &self.places.live_secrets] {
            let own = path.ancestors().skip(1);
            // Only those that are empty can be removed.
            for parent in own.take_while(|parent| *parent != self.layout.root()) {
                if fs::remove_dir(parent).is_err() {
                    break;
                }
            }
        }
    }
}

/// Mailboxes whose accounts were made since the backup.
fn newer_mailboxes(journal: &Journal, out: &mut Restored) {
    if journal.accounts.is_empty() && !out.carried.whole.is_empty() {
        out.findings.push(
            Finding::warning(
                "restore.newer_mailboxes",
                out.carried.whole.join(", "),
                "came into being after the backup: the mail is kept, but the restored database may not know the account",
            )
            .hint("make the account again with the same address: its mail is there"),
        );
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{} MB", bytes / 1_000_000)
}

/// Paths of a deployment that are links or file systems of their own.
fn elsewhere(places: &Places) -> Vec<PathBuf> {
    DIRECTORIES
        .iter()
        .map(|directory| {
            if directory.path.is_empty() {
                places.live.clone()
            } else {
                places.live.join(directory.path)
            }
        })
        .chain([places.live_secrets.clone()])
        .filter(|path| places::is_fixed(path))
        .collect()
}
