//! Taking mail from one tree into another: what the other does not have.
//!
//! Containers write in these trees, so no link in them is followed: every directory is opened by name in the one above it, and what is in
//! it is reached by that open directory.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use nix::fcntl::OFlag;
use sha2::{Digest as _, Sha256};

use super::stage;
use crate::backup::left_out;
use crate::error::Error;
use crate::host::files;
use crate::restore::Carried;
use crate::restore::maildir::{self, Listing, Message, Side};

/// Dovecot's files of a folder that go with it where it is made anew.
const OF_A_FOLDER: [&str; 4] = [
    "dovecot-uidlist",
    "dovecot-keywords",
    "dovecot-acl",
    "maildirfolder",
];

/// An open directory.
#[derive(Debug)]
pub(super) struct Dir {
    file: File,
    /// What it is called, for messages.
    path: PathBuf,
}

impl Dir {
    /// Opens a directory; nothing where there is none, or a link.
    pub(super) fn open(path: &Path) -> Result<Option<Self>, Error> {
        Self::opened(path, path.to_path_buf())
    }

    fn opened(path: &Path, shown: PathBuf) -> Result<Option<Self>, Error> {
        let file = fs::OpenOptions::new()
            .read(true)
            .custom_flags((OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW).bits())
            .open(path);
        match file {
            Ok(file) => Ok(Some(Self { file, path: shown })),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) || error.raw_os_error() == Some(nix::errno::Errno::ELOOP as i32) =>
            {
                Ok(None)
            }
            Err(error) => Err(files::failed("open", &shown, error)),
        }
    }

    /// Opens a directory in it.
    pub(super) fn inner(&self, name: &OsStr) -> Result<Option<Self>, Error> {
        Self::opened(&self.at(name), self.path.join(name))
    }

    /// The path of something in it, whatever it is called by now.
    pub(super) fn at(&self, name: impl AsRef<Path>) -> PathBuf {
        self.here().join(name)
    }

    fn here(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.file.as_raw_fd()))
    }

    /// What is in it, by name, with its kind.
    pub(super) fn entries(&self) -> Result<Vec<(OsString, fs::FileType)>, Error> {
        let failed = |error| files::failed("list", &self.path, error);
        let mut out = Vec::new();
        for entry in fs::read_dir(self.here()).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            match entry.file_type() {
                Ok(kind) => out.push((entry.file_name(), kind)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(failed(error)),
            }
        }
        out.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        Ok(out)
    }

    /// Opens a directory in it, which is made like `model` where there is none.
    fn made(&self, name: &OsStr, model: &Self) -> Result<Self, Error> {
        if let Some(there) = self.inner(name)? {
            return Ok(there);
        }
        let failed = |error| files::failed("make the directory", &self.path.join(name), error);
        let model = model.file.metadata().map_err(failed)?;
        stage::directory_like(&self.at(name), &model).map_err(failed)?;
        self.inner(name)?
            .ok_or_else(|| failed(io::ErrorKind::NotADirectory.into()))
    }

    /// The text of a small file of Dovecot's; nothing where there is none, or none that is text.
    fn text(&self, name: &str) -> Option<String> {
        let mut file = fs::OpenOptions::new()
            .read(true)
            .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits())
            .open(self.at(name))
            .ok()?;
        if !file.metadata().ok()?.is_file() {
            return None;
        }
        let mut text = String::new();
        file.read_to_string(&mut text).ok()?;
        Some(text)
    }

    fn rewrite(&self, name: &str, text: &str) -> Result<(), Error> {
        stage::rewrite(&self.at(name), text.as_bytes(), &self.here())
            .map_err(|error| files::failed("write", &self.path.join(name), error))
    }

    fn copy_from(&self, from: &Self, name: &OsStr) -> Result<(), Error> {
        stage::copy(&from.at(name), &self.at(name)).map_err(|error| {
            let what = format!("copy {} to", from.path.join(name).display());
            files::failed(&what, &self.path.join(name), error)
        })
    }

    /// Puts a file of `from` into this directory without its bytes being written again, if that can be.
    fn link_from(&self, from: &Self, name: &OsStr, to: &OsStr) -> Result<bool, Error> {
        let failed = |error| {
            let what = format!("link {} to", from.path.join(name).display());
            files::failed(&what, &self.path.join(to), error)
        };
        match fs::hard_link(from.at(name), self.at(to)) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(true),
            Err(error) if files::cannot_link(&error) => Ok(false),
            Err(error) => Err(failed(error)),
        }
    }
}

/// How mail is taken along.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct How {
    /// Only messages that got their names since then, in seconds since 1970.
    pub(super) since: Option<i64>,
    /// Whether a Dovecot serves the target meanwhile: its own files are left to it.
    pub(super) served: bool,
}

/// Takes along what the mail tree `from` has and `into` has not.
pub(super) fn trees(
    from: &Path,
    into: &Path,
    how: How,
    said: &mut dyn FnMut(&str),
) -> Result<Carried, Error> {
    let mut carried = Carried::default();
    let (Some(from), Some(into)) = (Dir::open(from)?, Dir::open(into)?) else {
        return Ok(carried);
    };
    for (name, kind) in from.entries()? {
        // No address begins with a dot: such a directory is one that a run of ours has left.
        if !kind.is_dir() || name.as_bytes().starts_with(b".") {
            continue;
        }
        let Some(source) = from.inner(&name)? else {
            continue;
        };
        let shown = name.to_string_lossy().into_owned();
        let Some(target) = into.inner(&name)? else {
            if how.since.is_none() {
                let target = into.made(&name, &source)?;
                let count = whole(&source, &target, &mut Vec::new())?;
                carried.messages += count;
                carried.whole.push(shown);
            } else if !fresh_ones(&source, how)?.is_empty() {
                let target = into.made(&name, &source)?;
                carried.messages += mailbox(&source, &target, how)?.messages;
                carried.mailboxes.push(shown);
            }
            continue;
        };
        let one = mailbox(&source, &target, how)?;
        if one.messages > 0 {
            said(&format!(
                "taking along {} messages of {shown}",
                one.messages
            ));
            carried.messages += one.messages;
            carried.mailboxes.push(shown);
        }
        carried.there += one.there;
    }
    Ok(carried)
}

/// Copies a whole mailbox; its messages are linked. Returns how many there are.
fn whole(from: &Dir, into: &Dir, inside: &mut Vec<String>) -> Result<u64, Error> {
    let mut count = 0;
    for (name, kind) in from.entries()? {
        let text = name.to_string_lossy().into_owned();
        let names: Vec<&str> = inside.iter().map(String::as_str).collect();
        if left_out("mail", &names, &text) {
            continue;
        }
        if kind.is_dir() {
            if let Some(source) = from.inner(&name)? {
                let target = into.made(&name, &source)?;
                inside.push(text);
                count += whole(&source, &target, inside)?;
                inside.pop();
            }
        } else if kind.is_symlink() {
            let failed = |error| files::failed("copy the link", &from.path.join(&name), error);
            let target = fs::read_link(from.at(&name)).map_err(failed)?;
            match std::os::unix::fs::symlink(target, into.at(&name)) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(failed(error));
                }
                _ => {}
            }
        } else if kind.is_file() {
            let message = matches!(inside.last().map(String::as_str), Some("cur" | "new"));
            count += u64::from(message);
            // Dovecot adds to its own files in their places, messages never change.
            if !message || !into.link_from(from, &name, &name)? {
                into.copy_from(from, &name)?;
            }
        }
    }
    Ok(count)
}

/// How many messages a mailbox has.
pub(super) fn count(mailbox: &Dir) -> Result<u64, Error> {
    Ok(listing(mailbox)?.messages.len() as u64)
}

/// Takes along filters, where the mailbox `into` has none.
pub(super) fn scripts(from: &Dir, into: &Dir) -> Result<(), Error> {
    const ACTIVE: &str = ".dovecot.sieve";
    let name = OsStr::new("sieve");
    let Some(source) = from.inner(name)? else {
        return Ok(());
    };
    let none = |file: &str| fs::symlink_metadata(into.at(file)).is_err();
    if !none("sieve") || !none(ACTIVE) {
        return Ok(());
    }
    let target = into.made(name, &source)?;
    whole(&source, &target, &mut vec!["sieve".to_owned()])?;
    if let Ok(active) = fs::read_link(from.at(ACTIVE)) {
        std::os::unix::fs::symlink(active, into.at(ACTIVE))
            .map_err(|error| files::failed("write", &into.path.join(ACTIVE), error))?;
    }
    Ok(())
}

/// What came of one mailbox.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Merged {
    /// Messages that were added.
    pub(super) messages: u64,
    /// Messages that were there.
    pub(super) there: u64,
}

/// Adds to the mailbox `into` what `from` has and it has not.
pub(super) fn mailbox(from: &Dir, into: &Dir, how: How) -> Result<Merged, Error> {
    let source = listing(from)?;
    let target = listing(into)?;
    let missing = maildir::missing(&source, &target, &mut |side, at| match side {
        Side::Source => hash(from, &source, at),
        Side::Target => hash(into, &target, at),
    })?;
    let mut merged = Merged {
        there: (source.messages.len() - missing.len()) as u64,
        ..Merged::default()
    };
    let mut by_folder: BTreeMap<usize, Vec<&Message>> = BTreeMap::new();
    for at in missing {
        let Some(message) = source.messages.get(at) else {
            continue;
        };
        if wanted(message, how) {
            by_folder.entry(message.folder).or_default().push(message);
        }
    }
    let mut made = Vec::new();
    for (at, name) in source.folders.iter().enumerate() {
        let messages = by_folder.remove(&at).unwrap_or_default();
        let Some(one) = folder(from, name)? else {
            continue;
        };
        let there = target.folder(name).is_some();
        if !there && messages.is_empty() {
            continue;
        }
        let other = if name.is_empty() {
            None
        } else {
            Some(into.made(OsStr::from_bytes(name), &one)?)
        };
        let other = other.as_ref().unwrap_or(into);
        if !there {
            made_anew(&one, other, !name.is_empty())?;
            made.push(name.clone());
        }
        merged.messages += add(&one, other, &messages, how, there)?;
    }
    if !made.is_empty() {
        subscribe(from, into, &made)?;
    }
    if !how.served {
        higher_validity(from, into)?;
    }
    Ok(merged)
}

fn wanted(message: &Message, how: How) -> bool {
    how.since
        .is_none_or(|since| maildir::named_at(&message.name).is_some_and(|at| at >= since))
}

fn fresh_ones(mailbox: &Dir, how: How) -> Result<Vec<Message>, Error> {
    let mut listing = listing(mailbox)?;
    listing.messages.retain(|message| wanted(message, how));
    Ok(listing.messages)
}

/// Opens a folder of a mailbox; the inbox is the mailbox itself.
fn folder(mailbox: &Dir, name: &[u8]) -> Result<Option<Dir>, Error> {
    if name.is_empty() {
        let here = mailbox.file.try_clone();
        let file = here.map_err(|error| files::failed("open", &mailbox.path, error))?;
        return Ok(Some(Dir {
            file,
            path: mailbox.path.clone(),
        }));
    }
    mailbox.inner(OsStr::from_bytes(name))
}

/// The folders and messages of a mailbox.
fn listing(mailbox: &Dir) -> Result<Listing, Error> {
    let mut listing = Listing::new();
    let mut names = vec![Vec::new()];
    for (name, kind) in mailbox.entries()? {
        if kind.is_dir() && name.as_bytes().starts_with(b".") {
            names.push(name.into_vec());
        }
    }
    for name in names {
        let Some(folder) = folder(mailbox, &name)? else {
            continue;
        };
        let mut is_one = false;
        for (sub, fresh) in [("cur", false), ("new", true)] {
            let Some(directory) = folder.inner(OsStr::new(sub))? else {
                continue;
            };
            if !is_one {
                listing.folders.push(name.clone());
                is_one = true;
            }
            for (file, kind) in directory.entries()? {
                if !kind.is_file() {
                    continue;
                }
                // What has another name by now is counted with it, or looked for by content.
                let size = match fs::symlink_metadata(directory.at(&file)) {
                    Ok(there) => there.len(),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
                    Err(error) => {
                        return Err(files::failed("look at", &directory.path.join(&file), error));
                    }
                };
                let at = listing.folders.len() - 1;
                let message = Message::new(at, fresh, file.into_vec(), size);
                listing.messages.push(message);
            }
        }
    }
    Ok(listing)
}

fn directory_of(mailbox: &Dir, name: &[u8], fresh: bool) -> Result<Option<Dir>, Error> {
    match folder(mailbox, name)? {
        Some(folder) => folder.inner(OsStr::new(if fresh { "new" } else { "cur" })),
        None => Ok(None),
    }
}

/// SHA-256 of a message. Where another program has renamed it meanwhile, it is found by the part of its name that stays.
fn hash(mailbox: &Dir, listing: &Listing, at: usize) -> Result<[u8; 32], Error> {
    let (Some(message), Some(name)) = (
        listing.messages.get(at),
        listing
            .messages
            .get(at)
            .and_then(|message| listing.folders.get(message.folder)),
    ) else {
        return Ok([0; 32]);
    };
    let shown = mailbox.path.join(OsStr::from_bytes(&message.name));
    let failed = |error| files::failed("read", &shown, error);
    for fresh in [message.fresh, false] {
        let Some(directory) = directory_of(mailbox, name, fresh)? else {
            continue;
        };
        let mut names = vec![OsString::from_vec(message.name.clone())];
        if !directory.at(OsStr::from_bytes(&message.name)).exists() {
            names = directory
                .entries()?
                .into_iter()
                .map(|(name, _)| name)
                .filter(|name| maildir::base(name.as_bytes()) == message.base())
                .collect();
        }
        for name in names {
            let file = fs::OpenOptions::new()
                .read(true)
                .custom_flags(OFlag::O_NOFOLLOW.bits())
                .open(directory.at(&name));
            let mut file = match file {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(failed(error)),
            };
            let mut sum = Sha256::new();
            let mut buffer = vec![0; 64 << 10];
            loop {
                let read = file.read(&mut buffer).map_err(failed)?;
                if read == 0 {
                    return Ok(sum.finalize().into());
                }
                sum.update(buffer.get(..read).unwrap_or_default());
            }
        }
    }
    // It was deleted meanwhile: then it is like nothing else.
    let mut none = Sha256::digest(&message.name);
    none.reverse();
    Ok(none.into())
}

/// Makes a folder complete that was not there.
fn made_anew(from: &Dir, into: &Dir, sub: bool) -> Result<(), Error> {
    for name in ["cur", "new", "tmp"] {
        let model = from.inner(OsStr::new(name))?;
        into.made(OsStr::new(name), model.as_ref().unwrap_or(from))?;
    }
    for name in OF_A_FOLDER {
        let there = fs::symlink_metadata(from.at(name)).is_ok_and(|there| there.is_file());
        if there && fs::symlink_metadata(into.at(name)).is_err() {
            into.copy_from(from, OsStr::new(name))?;
        }
    }
    if sub && fs::symlink_metadata(into.at("maildirfolder")).is_err() {
        into.rewrite("maildirfolder", "")?;
    }
    Ok(())
}

/// Adds messages to a folder. `there`: it has numbers and keywords of its own.
fn add(from: &Dir, into: &Dir, messages: &[&Message], how: How, there: bool) -> Result<u64, Error> {
    let read = |dir: &Dir| maildir::keywords(&dir.text("dovecot-keywords").unwrap_or_default());
    let letters = read(from);
    let mut own = if there { read(into) } else { letters.clone() };
    let mut held = None;
    if there && !messages.is_empty() && maildir::add_keywords(&mut own, &letters) {
        if how.served {
            held = Some(Held::take(into)?);
            // Dovecot may have added some until then.
            own = read(into);
            maildir::add_keywords(&mut own, &letters);
        }
        write_keywords(into, &own)?;
    }
    if there && !how.served {
        let carried: BTreeSet<Vec<u8>> = messages.iter().map(|one| one.base().to_vec()).collect();
        let lists = into
            .text("dovecot-uidlist")
            .zip(from.text("dovecot-uidlist"));
        if let Some(text) = lists.and_then(|(own, other)| maildir::uid_list(&own, &other, &carried))
        {
            into.rewrite("dovecot-uidlist", &text)?;
        }
    }
    let mut count = 0;
    for fresh in [false, true] {
        let messages: Vec<_> = messages.iter().filter(|one| one.fresh == fresh).collect();
        if messages.is_empty() {
            continue;
        }
        let sub = OsStr::new(if fresh { "new" } else { "cur" });
        let Some(source) = from.inner(sub)? else {
            continue;
        };
        let target = into.made(sub, &source)?;
        let mut tmp = None;
        for message in messages {
            let name = OsStr::from_bytes(&message.name);
            let new = maildir::renamed(&message.name, &letters, &own);
            let new = OsStr::from_bytes(&new);
            if !target.link_from(&source, name, new)? {
                if tmp.is_none() {
                    tmp = Some(into.made(OsStr::new("tmp"), &source)?);
                }
                if let Some(tmp) = &tmp {
                    tmp.copy_from(&source, name)?;
                    fs::rename(tmp.at(name), target.at(new)).map_err(|error| {
                        files::failed("rename to", &target.path.join(new), error)
                    })?;
                }
            }
            count += 1;
        }
    }
    drop(held);
    Ok(count)
}

/// Dovecot's lock of a folder, under which it also changes what the letters of keywords mean: a file that only one can make.
struct Held(PathBuf);

impl Held {
    fn take(folder: &Dir) -> Result<Self, Error> {
        const PATIENCE: Duration = Duration::from_secs(60);
        let path = folder.at(OsStr::new("dovecot-uidlist.lock"));
        let begun = Instant::now();
        loop {
            match fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .open(&path)
            {
                Ok(_) => return Ok(Self(path)),
                Err(error)
                    if error.kind() == io::ErrorKind::AlreadyExists
                        && begun.elapsed() < PATIENCE =>
                {
                    std::thread::sleep(Duration::from_millis(50));
                }
                Err(error) => {
                    let shown = folder.path.join("dovecot-uidlist.lock");
                    return Err(files::failed("take Dovecot's lock", &shown, error)
                        .hint("run the same command again: it goes on with what is missing"));
                }
            }
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Writes what the letters of a folder mean. Dovecot reads it again when its time is another, in seconds.
fn write_keywords(folder: &Dir, letters: &BTreeMap<u8, String>) -> Result<(), Error> {
    const FILE: &str = "dovecot-keywords";
    let path = folder.at(OsStr::new(FILE));
    let time = || fs::metadata(&path).and_then(|there| there.modified()).ok();
    let before = time();
    folder.rewrite(FILE, &maildir::keywords_text(letters))?;
    let seconds = |time: SystemTime| {
        time.duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |since| since.as_secs())
    };
    if let (Some(before), Some(after)) = (before, time())
        && seconds(before) >= seconds(after)
    {
        File::open(&path)
            .and_then(|file| file.set_modified(before + Duration::from_secs(1)))
            .map_err(|error| files::failed("set the time of", &folder.path.join(FILE), error))?;
    }
    Ok(())
}

fn subscribe(from: &Dir, into: &Dir, made: &[Vec<u8>]) -> Result<(), Error> {
    let Some(source) = from.text("subscriptions") else {
        return Ok(());
    };
    let target = into.text("subscriptions").unwrap_or_default();
    match maildir::subscriptions(&target, &source, made) {
        Some(text) => into.rewrite("subscriptions", &text),
        None => Ok(()),
    }
}

/// New folders get numbers that no folder had: the higher of the two counts.
fn higher_validity(from: &Dir, into: &Dir) -> Result<(), Error> {
    const FILE: &str = "dovecot-uidvalidity";
    let value = |dir: &Dir| u32::from_str_radix(dir.text(FILE)?.trim(), 16).ok();
    let (Some(other), own) = (value(from), value(into)) else {
        return Ok(());
    };
    if own.is_some_and(|own| own >= other) {
        return Ok(());
    }
    let marks = |dir: &Dir| -> Result<Vec<OsString>, Error> {
        let all = dir.entries()?.into_iter();
        Ok(all
            .filter(|(name, kind)| {
                kind.is_file() && name.as_bytes().starts_with(b"dovecot-uidvalidity.")
            })
            .map(|(name, _)| name)
            .collect())
    };
    for old in marks(into)? {
        fs::remove_file(into.at(&old))
            .map_err(|error| files::failed("remove", &into.path.join(&old), error))?;
    }
    into.copy_from(from, OsStr::new(FILE))?;
    for name in marks(from)? {
        into.copy_from(from, &name)?;
    }
    Ok(())
}

/// Directories of Postfix's queue in which messages are.
const QUEUES: [&str; 5] = ["incoming", "active", "deferred", "hold", "maildrop"];

/// Every message of a queue: its path in it. Its name is the last part.
fn queue(tree: &Path) -> Result<Vec<PathBuf>, Error> {
    let base = tree.join("data/mailqueue");
    let mut out = Vec::new();
    let mut todo: Vec<PathBuf> = QUEUES.iter().map(PathBuf::from).collect();
    while let Some(relative) = todo.pop() {
        let Some(directory) = Dir::open(&base.join(&relative))? else {
            continue;
        };
        for (name, kind) in directory.entries()? {
            if kind.is_dir() {
                todo.push(relative.join(name));
            } else if kind.is_file() {
                out.push(relative.join(name));
            }
        }
    }
    Ok(out)
}

/// The names of the messages in a queue.
pub(super) fn queued(tree: &Path) -> Result<Vec<String>, Error> {
    let name = |path: PathBuf| Some(path.file_name()?.to_string_lossy().into_owned());
    Ok(queue(tree)?.into_iter().filter_map(name).collect())
}

/// Moves messages from one queue to another that were not in it: `known` are those that were.
pub(super) fn queue_since(from: &Path, into: &Path, known: &[String]) -> Result<u64, Error> {
    let known: BTreeSet<&str> = known.iter().map(String::as_str).collect();
    let base = into.join("data/mailqueue");
    let mut count = 0;
    for path in queue(from)? {
        let name = path.file_name().unwrap_or_default();
        if known.contains(&*name.to_string_lossy()) {
            continue;
        }
        // Postfix sorts what comes in anew, whatever queue it was in.
        let to = base.join("incoming").join(name);
        if !base.join("incoming").is_dir() || to.exists() {
            continue;
        }
        let from = from.join("data/mailqueue").join(&path);
        fs::rename(&from, &to)
            .map_err(|error| files::failed(&format!("rename {} to", from.display()), &to, error))?;
        count += 1;
    }
    Ok(count)
}
