//! Backups: taken, looked at, verified, and given up.

mod ahead;
pub(in crate::host) mod archive;
mod create;
mod databases;
mod still;
mod tree;

use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use serde::Serialize;

pub use archive::{Keys, Verified};
pub(in crate::host) use create::outside_database;
pub(in crate::host) use databases::revision;

use super::perform::Progress;
use super::root::Mailu;
use super::{compose, files, hints, observe};
use crate::backup::{self, End, Head, Keeping, Kept};
use crate::config::Config;
use crate::error::{Error, ErrorKind};
use crate::finding::Finding;
use crate::paths::Layout;

/// How a backup is taken.
#[expect(
    clippy::struct_excessive_bools,
    reason = "options, which do not depend on each other"
)]
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct BackupOptions {
    /// The archive; its name says how it is compressed (`.tar.zst`, `.tar.gz`) and whether it is encrypted (`.age` behind). Without it, one with
    /// the time in its name, where `backup.directory` says.
    pub output: Option<PathBuf>,
    /// Public keys of age to encrypt it for, instead of `backup.recipients`.
    pub recipients: Vec<String>,
    /// A file whose first line is the passphrase to encrypt it with.
    pub passphrase_file: Option<PathBuf>,
    /// Read the files as they are, without asking the engine: nothing of the deployment runs.
    pub cold: bool,
    /// Where accounts are in another database: back up without them.
    pub without_database: bool,
    /// Read the archive once it is written. With `recipients`, nobody on this host can.
    pub verify: bool,
    /// Keep the archives that `backup.keep_*` would give up.
    pub keep_all: bool,
}

/// A backup that was taken.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "BackupTaken")
)]
#[non_exhaustive]
pub struct Backup {
    /// The archive.
    pub file: PathBuf,
    /// Its size in bytes.
    pub size: u64,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// Whose it is.
    pub head: Head,
    /// What is in it.
    pub end: End,
    /// How long it took, in seconds.
    pub seconds: u64,
    /// How long services stood still for it, in milliseconds; absent where nobody was asked.
    pub stood_still_ms: Option<u64>,
    /// Whether it was read again and found whole.
    pub verified: bool,
    /// Older archives that were given up, as `backup.keep_*` says.
    pub removed: Vec<PathBuf>,
    /// Whatever needs an eye.
    pub findings: Vec<Finding>,
}

/// An archive in a list.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "BackupArchive")
)]
#[non_exhaustive]
pub struct Archive {
    /// The archive.
    pub file: PathBuf,
    /// Its size in bytes.
    pub size: u64,
    /// When it was taken, RFC 3339 in UTC.
    pub created: String,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// Whose it is and what made it; absent where it is encrypted or cannot be read.
    pub head: Option<Head>,
    /// Why it cannot be read.
    pub error: Option<String>,
    /// For which rules it is kept (`last`, `daily`, `weekly`, `monthly`); none if the next backup gives it up.
    pub kept: Vec<String>,
}

/// What was given up.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Pruned {
    /// Whether it was only asked what would go.
    pub dry_run: bool,
    /// Every archive, the newest first, with the rules that keep it.
    pub archives: Vec<Kept>,
    /// Those that went, or would go.
    pub removed: Vec<PathBuf>,
}

/// Where the archives of a deployment lie.
pub(super) fn directory(layout: &Layout, config: &Config) -> PathBuf {
    config
        .backup
        .directory
        .as_ref()
        .map_or_else(|| layout.backups(), |path| PathBuf::from(path.as_str()))
}

/// Where a new archive is written. Its directory exists then, and what interrupted runs have left there is gone.
fn place(
    layout: &Layout,
    config: &Config,
    options: &BackupOptions,
    lock: &archive::Lock,
) -> Result<PathBuf, Error> {
    let file = if let Some(file) = &options.output {
        let file = std::path::absolute(file).map_err(|error| files::failed("find", file, error))?;
        if file.exists() {
            return Err(Error::new(
                ErrorKind::Conflict,
                "backup.exists",
                format!(
                    "write the backup {}: something has this name",
                    file.display()
                ),
            )
            .hint("choose another name, or move it away"));
        }
        file
    } else {
        let directory = directory(layout, config);
        // Everything is in an archive, secrets too.
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&directory)
            .map_err(|error| files::failed("make the directory", &directory, error))?;
        let end = if lock.is_open() { "" } else { ".age" };
        let stem = backup::stem(config.mail_host.as_str(), &observe::timestamp());
        let mut number = 1;
        loop {
            let again = if number == 1 {
                String::new()
            } else {
                format!("-{number}")
            };
            let file = directory.join(format!("{stem}{again}.tar.zst{end}"));
            if !file.exists() {
                break file;
            }
            number += 1;
        }
    };
    let parent = file.parent().unwrap_or(Path::new("/"));
    if !parent.is_dir() {
        return Err(Error::new(
            ErrorKind::NotFound,
            "backup.no_directory",
            format!(
                "write the backup {}: its directory does not exist",
                file.display()
            ),
        )
        .hint(format!(
            "`mkdir -p -m 700 {}` makes it",
            crate::paths::quoted(parent)
        )));
    }
    sweep(parent, config.mail_host.as_str())?;
    Ok(file)
}

/// Removes the halves of archives that interrupted runs have left in `directory`.
fn sweep(directory: &Path, mail_host: &str) -> Result<(), Error> {
    for entry in fs::read_dir(directory).map_err(|error| files::failed("list", directory, error))? {
        let entry = entry.map_err(|error| files::failed("list", directory, error))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let half = name
            .strip_prefix('.')
            .and_then(|name| name.strip_suffix(crate::plan::TEMPORARY_SUFFIX))
            .map(|name| name.strip_suffix(".files").unwrap_or(name));
        if half.is_some_and(|name| backup::stamp(mail_host, name).is_some()) {
            files::clear(&mut files::Disk, &entry.path())?;
        }
    }
    Ok(())
}

impl Mailu {
    /// Takes a backup of the deployment at `layout` while it runs: mail, queue and calendars of one moment, databases by their own interface,
    /// configuration, keys and secrets. Services that write mail stand still for as long as it takes to look at all names.
    ///
    /// Either the whole archive is there afterwards, under its name, or nothing is.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Docker`] if the engine does not answer or a service cannot hand its data over; [`ErrorKind::Conflict`] for what could not be
    /// restored, or does not keep still; [`ErrorKind::Io`] for what cannot be read or written.
    pub fn backup(
        &self,
        layout: &Layout,
        options: &BackupOptions,
        progress: &mut dyn Progress,
    ) -> Result<Backup, Error> {
        self.backed_up(layout, options, progress)
            .map_err(|error| hints::error(error, self.root()))
    }

    fn backed_up(
        &self,
        layout: &Layout,
        options: &BackupOptions,
        progress: &mut dyn Progress,
    ) -> Result<Backup, Error> {
        let mut done = create::create(self, layout, options, progress)?;
        if options.verify {
            let keys = Keys::new(None, options.passphrase_file.clone());
            if done.encrypted && options.passphrase_file.is_none() {
                done.findings.push(Finding::notice(
                    "backup.not_verified",
                    done.file.display().to_string(),
                    "was not read again: only the holders of its keys can",
                ));
            } else {
                progress.said("reading it again");
                self.verify_backup(&done.file, &keys, progress)?;
                done.verified = true;
            }
        }
        if options.output.is_none() && !options.keep_all {
            done.removed = self.prune_backups(layout, false)?.removed;
        }
        Ok(done)
    }

    /// Reads an archive from its beginning to its end, and says what it is if everything is as it was written.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Corrupt`] with what is wrong, [`ErrorKind::InvalidInput`] where a key is missing or does not fit.
    pub fn verify_backup(
        &self,
        file: &Path,
        keys: &Keys,
        progress: &mut dyn Progress,
    ) -> Result<Verified, Error> {
        let mut told = std::time::Instant::now();
        archive::verify(file, keys, &mut |bytes| {
            if told.elapsed().as_secs() >= 5 {
                told = std::time::Instant::now();
                progress.said(&format!(
                    "{} so far",
                    bytesize::ByteSize(bytes).display().si()
                ));
            }
            if progress.interrupted() {
                return Err(compose::interrupted());
            }
            Ok(())
        })
        .map(|(verified, _)| verified)
        .map_err(|error| hints::error(error, self.root()))
    }

    /// The archives of the deployment at `layout`, the newest first. Only their heads are read.
    ///
    /// # Errors
    ///
    /// As [`Mailu::config`], and [`ErrorKind::Io`] if they cannot be listed.
    pub fn backups(&self, layout: &Layout) -> Result<Vec<Archive>, Error> {
        let (config, _) = self.config(layout)?;
        let directory = directory(layout, &config);
        let all = archives(&directory, config.mail_host.as_str())?;
        let kept = backup::choose(keeping(&config), &all);
        let mut out = Vec::new();
        for one in kept {
            let file = directory.join(&one.name);
            let encrypted = backup::is_encrypted(&one.name);
            let (head, error) = if encrypted {
                (None, None)
            } else {
                match archive::head(&file, &Keys::default()) {
                    Ok(head) => (Some(head), None),
                    Err(error) => (None, Some(error.to_string())),
                }
            };
            let stamp = backup::stamp(config.mail_host.as_str(), &one.name).unwrap_or_default();
            out.push(Archive {
                size: fs::metadata(&file).map_or(0, |metadata| metadata.size()),
                created: head
                    .as_ref()
                    .map_or_else(|| spelled(stamp), |head| head.created.clone()),
                encrypted,
                head,
                error,
                kept: one.rules,
                file,
            });
        }
        Ok(out)
    }

    /// Gives up the archives of the deployment at `layout` that no rule of `backup.keep_*` keeps; with `dry_run`, only says which.
    ///
    /// The newest always stays, and so does whatever is not named as archives of this deployment are.
    ///
    /// # Errors
    ///
    /// As [`Mailu::backups`], and [`ErrorKind::Io`] if one cannot be removed.
    pub fn prune_backups(&self, layout: &Layout, dry_run: bool) -> Result<Pruned, Error> {
        let (config, _) = self.config(layout)?;
        let directory = directory(layout, &config);
        let all = archives(&directory, config.mail_host.as_str())?;
        let archives = backup::choose(keeping(&config), &all);
        let mut removed = Vec::new();
        for one in archives.iter().filter(|one| one.rules.is_empty()) {
            let file = directory.join(&one.name);
            if !dry_run {
                files::clear(&mut files::Disk, &file)?;
            }
            removed.push(file);
        }
        Ok(Pruned {
            dry_run,
            archives,
            removed,
        })
    }
}

fn keeping(config: &Config) -> Keeping {
    let it = &config.backup;
    Keeping::new(it.keep_last, it.keep_daily, it.keep_weekly, it.keep_monthly)
}

/// The archives of a mail host in a directory: time and name.
pub(super) fn archives(directory: &Path, mail_host: &str) -> Result<Vec<(String, String)>, Error> {
    let listing = match fs::read_dir(directory) {
        Ok(listing) => listing,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(files::failed("list", directory, error)),
    };
    let mut all = Vec::new();
    for entry in listing {
        let entry = entry.map_err(|error| files::failed("list", directory, error))?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if let Some(stamp) = backup::stamp(mail_host, &name).filter(|_| is_file) {
            all.push((stamp.to_owned(), name));
        }
    }
    Ok(all)
}

/// `20261122-100000` as `2026-11-22T10:00:00Z`.
fn spelled(stamp: &str) -> String {
    let part = |range: std::ops::Range<usize>| stamp.get(range).unwrap_or_default();
    format!(
        "{}-{}-{}T{}:{}:{}Z",
        part(0..4),
        part(4..6),
        part(6..8),
        part(9..11),
        part(11..13),
        part(13..15)
    )
}
