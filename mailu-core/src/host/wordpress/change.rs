//! The files of a site: what they should be, what they were before, and the record of that.
//!
//! The record lies among the secrets of the root, because what it keeps may hold some. It names a file, and what was there before, ahead of the first change to it;
//! and the hash of what is about to be written ahead of each. So whatever a killed run has left is known as ours.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{
    WordPressAction, WordPressApplied, WordPressChange, WordPressOptions, WordPressPlan,
    WordPressRemoved, WordPressSite, mount_hint,
};
use crate::apps::Profile;
use crate::apps::wordpress::{self, CA_FILE, PLUGIN_FILE, SETTINGS_FILE, Seen};
use crate::error::{Error, ErrorKind};
use crate::finding::{Finding, has_errors};
use crate::hash::sha256;
use crate::host::files::{self, Files};
use crate::host::lock::Locks;
use crate::host::observe;
use crate::names::DomainName;
use crate::paths::quoted;

/// User and group, where they can be set.
type Owner = Option<(u32, u32)>;

/// A file as it should be.
pub(super) struct Wanted {
    path: PathBuf,
    mode: u32,
    owner: Owner,
    bytes: Vec<u8>,
    secret: bool,
}

/// What a plan does, with contents.
#[derive(Default)]
pub(super) struct Work {
    /// In the order in which they are written: the plugin last, so that it never looks for what is not there.
    wanted: Vec<Wanted>,
    /// Directories that are missing, with mode and owner; parents first.
    directories: Vec<(PathBuf, u32, Owner)>,
    /// Files of the record that are not wanted any more.
    stale: Vec<PathBuf>,
}

/// What was there before.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Before {
    /// The copy's name, beside the record.
    copy: String,
    hash: String,
    mode: u32,
    owner: (u32, u32),
}

/// A file of ours.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Was {
    path: PathBuf,
    before: Option<Before>,
    /// Hashes of what we wrote, or were about to.
    ours: Vec<String>,
}

/// Everything that was changed at a site.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Record {
    files: Vec<Was>,
    /// Directories that we made, parents first.
    directories: Vec<PathBuf>,
}

impl Record {
    fn read(place: &Place) -> Result<Option<Self>, Error> {
        let path = place.record();
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(files::failed("read", &path, error)),
        };
        serde_json::from_slice(&text).map(Some).map_err(|error| {
            Error::new(
                ErrorKind::Corrupt,
                "wordpress.record",
                format!("read the record {}", path.display()),
            )
            .source(error)
            .hint("it says what the site's files were before: restore it from a backup, or remove it and the site's agencystack-mail files by hand")
        })
    }

    fn write(&self, place: &Place, disk: &mut dyn Files) -> Result<(), Error> {
        let text = serde_json::to_vec(self).map_err(|error| {
            Error::new(
                ErrorKind::Internal,
                "wordpress.record",
                format!("write the record {}", place.record().display()),
            )
            .source(error)
        })?;
        files::write_atomically(disk, &place.record(), 0o600, None, &text)
    }

    fn get(&self, path: &Path) -> Option<&Was> {
        self.files.iter().find(|was| was.path == path)
    }
}

/// Where what we know of a site is kept.
struct Place(PathBuf);

impl Place {
    fn of(root: &Path, domain: &DomainName) -> Self {
        Self(
            root.join("secrets/wordpress")
                .join(format!("{domain}.mail")),
        )
    }

    fn record(&self) -> PathBuf {
        self.0.join("record.json")
    }

    fn lock(&self) -> PathBuf {
        self.0.join("lock")
    }
}

/// A regular file that is there.
struct There {
    bytes: Vec<u8>,
    mode: u32,
    owner: (u32, u32),
}

impl There {
    /// What is at `path`. A link is refused: the site could lead us anywhere with one.
    fn look(path: &Path) -> Result<Option<Self>, Error> {
        let metadata = match fs::symlink_metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(files::failed("look at", path, error)),
        };
        if !metadata.is_file() {
            return Err(Error::new(
                ErrorKind::Conflict,
                "wordpress.in_the_way",
                format!("write {}: something there is no file", path.display()),
            )
            .hint(format!("move it away: `mv {0} {0}.old`", quoted(path))));
        }
        let bytes = fs::read(path).map_err(|error| files::failed("read", path, error))?;
        Ok(Some(Self {
            bytes,
            mode: metadata.permissions().mode() & 0o7777,
            owner: (metadata.uid(), metadata.gid()),
        }))
    }

    fn is(&self, wanted: &Wanted) -> bool {
        self.bytes == wanted.bytes
            && self.mode == wanted.mode
            && wanted.owner.is_none_or(|owner| owner == self.owner)
    }
}

/// Plans the files of a site.
pub(super) fn plan(
    root: &Path,
    site: &WordPressSite,
    profile: &Profile,
    options: &WordPressOptions,
) -> Result<(WordPressPlan, Work), Error> {
    // What is wrong with the profile is said before anything is asked.
    wordpress::settings(profile, None)?;
    let seen: Seen = site.ask(&site.seen_by_php().look(), "look at", &[])?;
    let mut plan = WordPressPlan {
        findings: wordpress::judge(&seen, profile),
        site: site.clone(),
        seen,
        changes: Vec::new(),
    };
    if plan.seen.is_theirs() || has_errors(&plan.findings) {
        return Ok((plan, Work::default()));
    }
    let mut work = work(root, site, &plan.seen, profile, options, &mut plan.findings)?;
    let record = Record::read(&Place::of(root, &site.domain))?.unwrap_or_default();
    for wanted in &work.wanted {
        let there = There::look(&wanted.path)?;
        let action = match &there {
            None => WordPressAction::Create,
            Some(there) if there.is(wanted) => continue,
            Some(there) => {
                plan.findings
                    .extend(edited(record.get(&wanted.path), &wanted.path, &there.bytes));
                WordPressAction::Replace
            }
        };
        plan.changes.push(WordPressChange {
            path: wanted.path.clone(),
            action,
            mode: Some(wanted.mode),
            secret: wanted.secret,
        });
    }
    for was in &record.files {
        if work.wanted.iter().any(|wanted| wanted.path == was.path) {
            continue;
        }
        if let Some(there) = There::look(&was.path)? {
            plan.findings
                .extend(edited(Some(was), &was.path, &there.bytes));
        }
        work.stale.push(was.path.clone());
        plan.changes.extend(undoing(was)?);
    }
    Ok((plan, work))
}

/// That somebody has changed a file of ours since.
fn edited(was: Option<&Was>, path: &Path, bytes: &[u8]) -> Option<Finding> {
    let was = was?;
    let hash = sha256(bytes);
    let known = was.ours.contains(&hash) || was.before.as_ref().is_some_and(|b| b.hash == hash);
    (!known).then(|| {
        Finding::error(
            "wordpress.edited",
            path.display().to_string(),
            "was changed by somebody since it was written",
        )
        .hint(format!(
            "`mv {0} {0}.edited` puts it aside; then run the same command again",
            quoted(path)
        ))
    })
}

/// What putting a file back as it was changes.
fn undoing(was: &Was) -> Result<Option<WordPressChange>, Error> {
    let there = There::look(&was.path)?;
    let action = match (&was.before, there) {
        (None, None) => return Ok(None),
        (None, Some(_)) => WordPressAction::Remove,
        (Some(before), Some(there))
            if sha256(&there.bytes) == before.hash && there.mode == before.mode =>
        {
            return Ok(None);
        }
        (Some(_), _) => WordPressAction::Restore,
    };
    Ok(Some(WordPressChange {
        path: was.path.clone(),
        action,
        mode: was.before.as_ref().map(|before| before.mode),
        secret: was.path.ends_with(SETTINGS_FILE),
    }))
}

/// The files that a site is to have, and the directories that are missing for them.
fn work(
    root: &Path,
    site: &WordPressSite,
    seen: &Seen,
    profile: &Profile,
    options: &WordPressOptions,
    findings: &mut Vec<Finding>,
) -> Result<Work, Error> {
    let privileged = observe::privileged();
    let owned = |owner| privileged.then_some(owner);
    let mut work = Work::default();

    let content = inside(site, Path::new(&seen.content), seen)?;
    let plugins = inside(site, Path::new(&seen.mu_plugins), seen)?;
    if !plugins.exists() {
        let owner = fs::metadata(&content).map_or((0, 0), |there| (there.uid(), there.gid()));
        work.directories
            .push((plugins.clone(), 0o755, owned(owner)));
    }

    let home = root
        .join("wordpress")
        .join(site.domain.as_str())
        .join("mail");
    let outside = site
        .in_php(&home)
        .filter(|path| !path.starts_with(&site.docroot));
    let (settings, settings_in_php) = if let Some(path) = outside {
        if !home.exists() {
            work.directories
                .push((home.clone(), 0o750, owned((0, site.owner.1))));
        }
        (home, path)
    } else {
        let place = [&site.docroot, Path::new(&seen.content)]
            .into_iter()
            .find_map(|path| Some((inside(site, path, seen).ok()?, path.to_path_buf())))
            .unwrap_or((content, PathBuf::from(&seen.content)));
        findings.push(
            Finding::warning(
                "wordpress.in_docroot",
                place.0.join(SETTINGS_FILE).display().to_string(),
                "is as safe as wp-config.php and no safer: the container has no other directory of the host for it",
            )
            .hint(mount_hint(&home)),
        );
        place
    };

    let ca_in_php = options
        .ca
        .as_ref()
        .map(|_| settings_in_php.join(CA_FILE).to_string_lossy().into_owned());
    if let Some(pem) = &options.ca {
        work.wanted.push(Wanted {
            path: settings.join(CA_FILE),
            mode: 0o644,
            owner: owned((0, 0)),
            bytes: pem.clone().into_bytes(),
            secret: false,
        });
    }
    let text = wordpress::settings(profile, ca_in_php.as_deref())?;
    work.wanted.push(Wanted {
        path: settings.join(SETTINGS_FILE),
        mode: 0o640,
        owner: owned((0, site.owner.1)),
        bytes: text.expose().as_bytes().to_vec(),
        secret: true,
    });
    let path = settings_in_php.join(SETTINGS_FILE);
    work.wanted.push(Wanted {
        path: plugins.join(PLUGIN_FILE),
        mode: 0o644,
        owner: owned((0, 0)),
        bytes: wordpress::plugin(&path.to_string_lossy()).into_bytes(),
        secret: false,
    });
    Ok(work)
}

/// Where a path of the site's lies on the host. The site says where its directories are, and could have put links among them: whatever leads out of
/// the directory that it has of the host is refused.
fn inside(site: &WordPressSite, path: &Path, seen: &Seen) -> Result<PathBuf, Error> {
    let refused = |why: &str| {
        Error::new(
            ErrorKind::Conflict,
            "wordpress.outside",
            format!(
                "write into {} of the site {}: {why}",
                path.display(),
                site.domain
            ),
        )
    };
    let Some((host, limit)) = site.on_host(path) else {
        return Err(refused("it is in the container alone, and goes with it")
            .hint("give the site's service a volume for it, and recreate it"));
    };
    // Its last part may be missing.
    let real = fs::canonicalize(&host)
        .or_else(|_| {
            let parent = host.parent().unwrap_or(&host);
            Ok(fs::canonicalize(parent)?.join(host.file_name().unwrap_or_default()))
        })
        .map_err(|error: io::Error| files::failed("find", &host, error))?;
    let mut limits = vec![limit];
    if site.container.is_none() {
        // As in Debian's package, it may lie elsewhere; it has to belong to the site.
        let content = Path::new(&seen.content);
        if fs::metadata(content).is_ok_and(|there| there.uid() == site.owner.0) {
            limits.push(content.to_path_buf());
        }
    }
    let within = limits
        .iter()
        .filter_map(|limit| fs::canonicalize(limit).ok())
        .any(|limit| real.starts_with(limit));
    if within {
        Ok(host)
    } else {
        Err(refused("it leads out of the site's own directory")
            .hint(format!("`ls -ld {}` shows the link", quoted(&host))))
    }
}

/// Brings the files of a site to what they should be.
pub(in crate::host) fn apply(
    root: &Path,
    site: &WordPressSite,
    profile: &Profile,
    options: &WordPressOptions,
    disk: &mut dyn Files,
) -> Result<WordPressApplied, Error> {
    let (first, _) = plan(root, site, profile, options)?;
    if first.changes.is_empty() || has_errors(&first.findings) {
        return Ok(WordPressApplied {
            plan: first,
            performed: false,
        });
    }
    let place = Place::of(root, &site.domain);
    let mut made = Vec::new();
    if !place.0.exists() {
        made = missing(&place.0, root);
        files::make_directory(disk, &place.0, 0o700, None)?;
    }
    let mut locks = Locks::none();
    locks.add(&place.lock())?;
    let (plan, work) = plan(root, site, profile, options)?;
    if plan.changes.is_empty() || has_errors(&plan.findings) {
        return Ok(WordPressApplied {
            plan,
            performed: false,
        });
    }

    let mut record = Record::read(&place)?.unwrap_or_default();
    note(&mut record.directories, made);
    for (path, ..) in &work.directories {
        note(&mut record.directories, missing(path, root));
    }
    for wanted in &work.wanted {
        remember(&mut record, wanted, &place, disk)?;
    }
    record.write(&place, disk)?;

    for (path, mode, owner) in &work.directories {
        files::make_directory(disk, path, *mode, *owner)?;
    }
    for wanted in &work.wanted {
        if There::look(&wanted.path)?.is_some_and(|there| there.is(wanted)) {
            continue;
        }
        files::write_atomically(disk, &wanted.path, wanted.mode, wanted.owner, &wanted.bytes)?;
    }
    for path in &work.stale {
        if let Some(was) = record.get(path) {
            put_back(was, &place, disk)?;
        }
    }
    record.files.retain(|was| !work.stale.contains(&was.path));
    for was in &mut record.files {
        if let Some(wanted) = work.wanted.iter().find(|one| one.path == was.path) {
            was.ours = vec![sha256(&wanted.bytes)];
        }
    }
    record.write(&place, disk)?;
    Ok(WordPressApplied {
        plan,
        performed: true,
    })
}

/// The directories that making `path` makes, parents first; the root itself is not ours.
fn missing(path: &Path, root: &Path) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = path
        .ancestors()
        .take_while(|one| *one != root && !one.as_os_str().is_empty() && !one.exists())
        .map(Path::to_path_buf)
        .collect();
    all.reverse();
    all
}

fn note(all: &mut Vec<PathBuf>, more: Vec<PathBuf>) {
    for one in more {
        if !all.contains(&one) {
            all.push(one);
        }
    }
}

/// Notes what is about to be written, and the first time keeps what is there.
fn remember(
    record: &mut Record,
    wanted: &Wanted,
    place: &Place,
    disk: &mut dyn Files,
) -> Result<(), Error> {
    let hash = sha256(&wanted.bytes);
    if let Some(was) = record.files.iter_mut().find(|was| was.path == wanted.path) {
        if !was.ours.contains(&hash) {
            was.ours.push(hash);
        }
        return Ok(());
    }
    let mut before = None;
    // One of ours whose record was lost is nobody's.
    if let Some(there) = There::look(&wanted.path)?
        && !is_ours(&there.bytes)
    {
        let name = wanted.path.file_name().unwrap_or_default();
        let copy = format!("{}.before", name.to_string_lossy());
        files::write_atomically(disk, &place.0.join(&copy), 0o600, None, &there.bytes)?;
        before = Some(Before {
            copy,
            hash: sha256(&there.bytes),
            mode: there.mode,
            owner: there.owner,
        });
    }
    record.files.push(Was {
        path: wanted.path.clone(),
        before,
        ours: vec![hash],
    });
    Ok(())
}

/// Whether a file says that it is ours.
fn is_ours(bytes: &[u8]) -> bool {
    let head = bytes.get(..400).unwrap_or(bytes);
    String::from_utf8_lossy(head).contains("ritten by `mailu integrate wordpress`")
}

/// Makes a file what it was before.
fn put_back(was: &Was, place: &Place, disk: &mut dyn Files) -> Result<(), Error> {
    if undoing(was)?.is_none() {
        return Ok(());
    }
    match &was.before {
        None => {
            files::clear(disk, &was.path)?;
            files::sync_parent(disk, &was.path)
        }
        Some(before) => {
            let copy = place.0.join(&before.copy);
            let bytes = fs::read(&copy).map_err(|error| files::failed("read", &copy, error))?;
            let owner = observe::privileged().then_some(before.owner);
            files::write_atomically(disk, &was.path, before.mode, owner, &bytes)
        }
    }
}

/// Takes back everything that was changed at a site.
pub(in crate::host) fn remove(
    root: &Path,
    site: &WordPressSite,
    disk: &mut dyn Files,
) -> Result<WordPressRemoved, Error> {
    let place = Place::of(root, &site.domain);
    let mut removed = WordPressRemoved {
        changes: Vec::new(),
        findings: Vec::new(),
    };
    if !place.0.exists() {
        return Ok(removed);
    }
    let mut locks = Locks::none();
    locks.add(&place.lock())?;
    let record = Record::read(&place)?.unwrap_or_default();
    let mut edits = Vec::new();
    for was in &record.files {
        if let Some(there) = There::look(&was.path)? {
            edits.extend(edited(Some(was), &was.path, &there.bytes));
        }
    }
    if !edits.is_empty() {
        return Err(Error::new(
            ErrorKind::Conflict,
            "wordpress.edited",
            format!(
                "take back what was changed at the site {}: nothing was changed",
                site.domain
            ),
        )
        .findings(edits));
    }
    // The plugin first: it must not look for settings that are gone.
    for was in record.files.iter().rev() {
        removed.changes.extend(undoing(was)?);
        put_back(was, &place, disk)?;
        // What a killed run has left.
        files::clear(disk, &files::temporary(&was.path))?;
    }
    let forgotten: Result<serde_json::Value, Error> =
        site.ask(&site.seen_by_php().forget(), "clean up at", &[]);
    if let Err(error) = forgotten {
        removed.findings.push(
            Finding::warning(
                "wordpress.option",
                "agencystack_mail_last",
                format!("is left in the site's database: {error}"),
            )
            .hint("`wp option delete agencystack_mail_last`"),
        );
    }
    // Copies, and what a killed run has left of them. The record is the last to go: without it, nobody would know what the rest is.
    let listed = |error| files::failed("list", &place.0, error);
    for entry in fs::read_dir(&place.0).map_err(listed)? {
        let path = entry.map_err(listed)?.path();
        if path != place.record() && path != place.lock() {
            files::clear(disk, &path)?;
        }
    }
    for path in [place.record(), place.lock(), place.0.clone()] {
        files::clear(disk, &path)?;
    }
    for path in record.directories.iter().rev() {
        let _ = disk.remove(&files::temporary(path));
        // Others may have put something there since.
        let _ = disk.remove(path);
    }
    Ok(removed)
}
