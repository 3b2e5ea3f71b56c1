//! A directory whose files are of one moment.
//!
//! What does not change once it has its name (messages, calendar entries) gets a second name, a hard link, in a directory of ours
//! on the same file system; what changes in its place is copied there. Most of that is done while everything runs; what is left for the moment in
//! which the services stand still is to look at all names once more. A message that moves meanwhile keeps its inode, so it is found under
//! its new name, and one that is deleted afterwards stays where we have it.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, BufRead as _, BufReader, BufWriter, Read as _, Write as _};
use std::num::NonZero;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{
    DirBuilderExt as _, DirEntryExt as _, MetadataExt as _, OpenOptionsExt as _,
    PermissionsExt as _,
};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, SyncSender};
use std::thread;

use serde::{Deserialize, Serialize};

use super::archive::{Attributes, Top, Writer, inside, shrunk};
use crate::backup::{Member, Place, SNAPSHOT, Way, left_out};
use crate::error::{Error, ErrorKind};
use crate::hash::sha256;
use crate::host::files;
use crate::host::lanes::at_once;

/// Larger files are read while they are written.
const SMALL: u64 = 256 << 10;
/// Smaller ones are read before, and handed over together: about so many bytes, so many files at most, and so often until they are written.
const BATCH: usize = 256 << 10;
const FILES: usize = 64;
const BATCHES: usize = 8;
/// Our links are in so many directories: whoever makes or removes one holds its directory meanwhile.
const SHELVES: u64 = 16;
/// So many directories are looked at before anybody may interrupt.
const AT_ONCE: usize = 64;

/// Something that was there at that moment.
#[derive(Debug, Serialize, Deserialize)]
struct Taken {
    /// Its path below the place, as in an archive.
    path: String,
    what: What,
}

#[derive(Debug, Serialize, Deserialize)]
enum What {
    /// A directory: mode, owner, group, time.
    Directory(u32, u64, u64, u64),
    /// A link and where it leads.
    Link(String, u64, u64, u64),
    /// A file, by its name in our directory.
    File(String),
}

/// A place, and what was taken of it.
#[derive(Debug)]
pub(super) struct Tree {
    place: Place,
    root: PathBuf,
    /// Our directory in it.
    own: PathBuf,
    /// Copies that were made before, with what they were copies of.
    copies: BTreeMap<(u64, u64), Seen>,
    links: bool,
    /// The device that it is on, and what there has a link of ours ([`Tree::key`]).
    device: u64,
    linked: HashSet<u64>,
    keys: RandomState,
}

/// What was found in a directory.
#[derive(Default)]
struct Looked {
    below: Vec<OsString>,
    /// The keys of what has a link.
    linked: Vec<u64>,
    /// Files that are to be copied.
    others: Vec<OsString>,
}

/// Something in a directory, as the directory has it.
struct Listed {
    name: OsString,
    /// Of a file.
    inode: Option<u64>,
}

/// Something that is ready to be put into an archive.
enum Ready {
    Directory(Attributes),
    Link(Vec<u8>, Attributes),
    /// What is in a file, and its hash.
    Small(Attributes, Vec<u8>, String),
    Large(Attributes, u64, File),
}

/// Members by their names in an archive, or why there are no more.
type Batch = Result<Vec<(Vec<u8>, Ready)>, Error>;

/// What tells one state of a file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Seen {
    fn of(metadata: &Metadata) -> Self {
        Self {
            size: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

fn failed(doing: &str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let (doing, path) = (doing.to_owned(), path.to_path_buf());
    move |error| files::failed(&doing, &path, error)
}

fn gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}

impl Tree {
    /// `place` below `data`; nothing if it does not exist.
    pub(super) fn new(data: &Path, place: Place) -> Result<Option<Self>, Error> {
        let path = data.join(place.name);
        let root = match fs::canonicalize(&path) {
            Ok(root) => root,
            Err(error) if gone(&error) => return Ok(None),
            Err(error) => return Err(files::failed("find", &path, error)),
        };
        let device = fs::metadata(&root).map_err(failed("look at", &root))?.dev();
        let own = root.join(SNAPSHOT);
        clear(&own)?;
        Ok(Some(Self {
            place,
            root,
            own,
            copies: BTreeMap::new(),
            links: true,
            device,
            linked: HashSet::new(),
            keys: RandomState::new(),
        }))
    }

    /// Whether a file below the directories `inside` gets a link instead of a copy.
    fn is_linked(&self, inside: &[OsString]) -> bool {
        self.links
            && self.place.way == Way::Linked
            && (self.place.name != "mail"
                || inside
                    .last()
                    .is_some_and(|last| last == "cur" || last == "new"))
    }

    /// Does beforehand what can be done while everything runs.
    pub(super) fn prepare(
        &mut self,
        going_on: &mut dyn FnMut() -> Result<(), Error>,
    ) -> Result<(), Error> {
        let make = |path: &Path| {
            fs::DirBuilder::new()
                .mode(0o700)
                .create(path)
                .map_err(failed("make the directory", path))
        };
        make(&self.own)?;
        if self.place.way == Way::Linked {
            for shelf in 0..SHELVES {
                make(&self.own.join(shelf_name(shelf)))?;
            }
        }
        let mut todo: Vec<Vec<OsString>> = vec![Vec::new()];
        while !todo.is_empty() {
            going_on()?;
            // A few directories at a time, so that an interruption does not wait for all of them.
            let some = todo.split_off(todo.len().saturating_sub(AT_ONCE));
            let this = &*self;
            let seen = at_once(&some, cores(), |parts| this.look(parts));
            for (parts, seen) in some.iter().zip(seen) {
                let seen = seen?;
                self.linked.extend(seen.linked);
                todo.extend(seen.below.into_iter().map(|name| joined(parts, name)));
                for name in seen.others {
                    // What cannot be read now is tried again when nothing moves.
                    let _ = self.copy(&self.at(&joined(parts, name)));
                }
            }
        }
        Ok(())
    }

    /// Gives a name of ours to all in a directory that is to have one.
    fn look(&self, parts: &[OsString]) -> Result<Looked, Error> {
        let mut looked = Looked::default();
        // It may have been renamed; later it is found.
        let Ok(names) = self.names(parts) else {
            return Ok(looked);
        };
        for Listed { name, .. } in names {
            let full = self.at(&joined(parts, name.clone()));
            let Ok(metadata) = fs::symlink_metadata(&full) else {
                continue;
            };
            if metadata.is_dir() {
                looked.below.push(name);
            } else if metadata.is_file() && self.is_linked(parts) {
                match self.second_name(&full, &metadata) {
                    Ok(_) if metadata.dev() == self.device => {
                        looked.linked.push(self.key(metadata.ino(), &full));
                    }
                    Ok(_) => {}
                    Err(error) if gone(&error) => {}
                    Err(error) if files::cannot_link(&error) => looked.others.push(name),
                    Err(error) => return Err(files::failed("link", &full, error)),
                }
            } else if metadata.is_file() {
                looked.others.push(name);
            }
        }
        Ok(looked)
    }

    /// Takes everything as it is now. Nobody writes meanwhile.
    pub(super) fn take(&mut self) -> Result<(), Error> {
        let path = self.own.join("list");
        let list = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(failed("write", &path))?;
        let mut list = BufWriter::new(list);
        let mut note = |taken: &Taken| -> Result<(), Error> {
            let mut line = serde_json::to_vec(taken)
                .map_err(|error| files::failed("write", &path, error.into()))?;
            line.push(b'\n');
            list.write_all(&line).map_err(failed("write", &path))
        };
        // Depth first, so that a directory comes before what is in it and its own files are together.
        let mut todo: Vec<Vec<OsString>> = vec![Vec::new()];
        while let Some(parts) = todo.pop() {
            let directory = self.at(&parts);
            let metadata =
                fs::symlink_metadata(&directory).map_err(failed("look at", &directory))?;
            let it = Attributes::of(&metadata);
            note(&Taken {
                path: text(&parts),
                what: What::Directory(it.mode, it.uid, it.gid, it.mtime),
            })?;
            let mut below = Vec::new();
            for Listed { name, inode } in self.names(&parts)? {
                let mut path = parts.clone();
                path.push(name);
                let full = self.at(&path);
                // The directory itself says the inode of what is on its device: nothing else has to be looked at.
                if let Some(inode) = inode
                    && metadata.dev() == self.device
                    && self.linked.contains(&self.key(inode, &full))
                    && self.is_linked(&parts)
                {
                    note(&Taken {
                        path: text(&path),
                        what: What::File(link_name(self.device, inode)),
                    })?;
                    continue;
                }
                let metadata = fs::symlink_metadata(&full).map_err(failed("look at", &full))?;
                let kind = metadata.file_type();
                if kind.is_dir() {
                    below.push(path);
                    continue;
                }
                let what = if kind.is_symlink() {
                    let target = fs::read_link(&full).map_err(failed("read the link", &full))?;
                    let it = Attributes::of(&metadata);
                    What::Link(
                        Member::text(target.as_os_str().as_bytes()),
                        it.uid,
                        it.gid,
                        it.mtime,
                    )
                } else if !kind.is_file() {
                    // Sockets and pipes of a service that runs.
                    continue;
                } else if self.is_linked(&parts) {
                    What::File(self.link(&full, &metadata).map_err(failed("link", &full))?)
                } else {
                    What::File(self.copy(&full)?)
                };
                note(&Taken {
                    path: text(&path),
                    what,
                })?;
            }
            below.reverse();
            todo.append(&mut below);
        }
        list.flush().map_err(failed("write", &path))
    }

    /// Puts what was taken into an archive. What is small is read and hashed by another thread than the one that writes.
    pub(super) fn store(
        &self,
        writer: &mut Writer,
        each: &mut dyn FnMut(&Writer) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let (give, take) = mpsc::sync_channel(BATCHES);
        thread::scope(|scope| {
            scope.spawn(move || {
                if let Err(error) = self.read(&give) {
                    let _ = give.send(Err(error));
                }
            });
            // Whatever ends this ends the other thread, too.
            for batch in take {
                let batch: Batch = batch;
                for (name, ready) in batch? {
                    match ready {
                        Ready::Directory(attributes) => writer.directory(&name, attributes)?,
                        Ready::Link(target, attributes) => {
                            writer.link(&name, &target, attributes)?;
                        }
                        Ready::Small(attributes, content, sum) => {
                            writer.whole(&name, attributes, &content, sum)?;
                        }
                        Ready::Large(attributes, size, file) => {
                            writer.file(&name, attributes, size, file)?;
                        }
                    }
                    each(writer)?;
                }
            }
            Ok(())
        })
    }

    /// Hands over what was taken, in order, for as long as somebody wants it.
    fn read(&self, give: &SyncSender<Batch>) -> Result<(), Error> {
        let path = self.own.join("list");
        let list = BufReader::new(File::open(&path).map_err(failed("read", &path))?);
        let base = Path::new("data").join(self.place.name);
        let (mut batch, mut bytes) = (Vec::new(), 0);
        for line in list.lines() {
            let line = line.map_err(failed("read", &path))?;
            let taken: Taken = serde_json::from_str(&line)
                .map_err(|error| files::failed("read", &path, error.into()))?;
            let relative = PathBuf::from(OsString::from_vec(Member::bytes(&taken.path)));
            let mut name = inside(Top::Deployment, &base.join(relative));
            if name.ends_with(b"/") {
                name.pop();
            }
            let ready = match taken.what {
                What::Directory(mode, uid, gid, mtime) => Ready::Directory(Attributes {
                    mode,
                    uid,
                    gid,
                    mtime,
                }),
                What::Link(target, uid, gid, mtime) => Ready::Link(
                    Member::bytes(&target),
                    Attributes {
                        mode: 0o777,
                        uid,
                        gid,
                        mtime,
                    },
                ),
                What::File(own) => {
                    let at = self.own.join(own);
                    let file = File::open(&at).map_err(failed("read", &at))?;
                    let metadata = file.metadata().map_err(failed("look at", &at))?;
                    let (attributes, size) = (Attributes::of(&metadata), metadata.len());
                    if size > SMALL {
                        Ready::Large(attributes, size, file)
                    } else {
                        let mut content = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
                        file.take(size)
                            .read_to_end(&mut content)
                            .map_err(failed("read", &at))?;
                        if content.len() as u64 != size {
                            let path = Member::text(&name);
                            return Err(shrunk(&path, content.len() as u64, size));
                        }
                        let sum = sha256(&content);
                        bytes += content.len();
                        Ready::Small(attributes, content, sum)
                    }
                }
            };
            batch.push((name, ready));
            if bytes >= BATCH || batch.len() >= FILES {
                bytes = 0;
                if give.send(Ok(std::mem::take(&mut batch))).is_err() {
                    return Ok(());
                }
            }
        }
        let _ = give.send(Ok(batch));
        Ok(())
    }

    fn at(&self, parts: &[OsString]) -> PathBuf {
        self.root.join(parts.iter().collect::<PathBuf>())
    }

    /// What is in a directory and is not left out, by name.
    fn names(&self, parts: &[OsString]) -> Result<Vec<Listed>, Error> {
        let directory = self.at(parts);
        let inside: Vec<String> = parts
            .iter()
            .map(|part| part.to_string_lossy().into_owned())
            .collect();
        let inside: Vec<&str> = inside.iter().map(String::as_str).collect();
        let mut names = Vec::new();
        for entry in fs::read_dir(&directory).map_err(failed("list", &directory))? {
            let entry = entry.map_err(failed("list", &directory))?;
            let name = entry.file_name();
            if !left_out(self.place.name, &inside, &name.to_string_lossy()) {
                let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
                let inode = is_file.then(|| entry.ino());
                names.push(Listed { name, inode });
            }
        }
        names.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        Ok(names)
    }

    /// A message keeps its inode and its name up to the flags. Both, because there are file systems whose directories have other numbers than files.
    fn key(&self, inode: u64, path: &Path) -> u64 {
        let name = path.file_name().unwrap_or_default().as_bytes();
        self.keys
            .hash_one((inode, name.split(|byte| *byte == b':').next()))
    }

    /// Gives a file a second name of ours, if it has none yet; where that cannot be, a copy.
    fn link(&mut self, path: &Path, metadata: &Metadata) -> io::Result<String> {
        match self.second_name(path, metadata) {
            Ok(name) => {
                if metadata.dev() == self.device {
                    self.linked.insert(self.key(metadata.ino(), path));
                }
                Ok(name)
            }
            // File systems without links, and directories that are on others.
            Err(error) if files::cannot_link(&error) => self
                .copy(path)
                .map_err(|error| io::Error::other(error.to_string())),
            Err(error) => Err(error),
        }
    }

    fn second_name(&self, path: &Path, metadata: &Metadata) -> io::Result<String> {
        let name = link_name(metadata.dev(), metadata.ino());
        match fs::hard_link(path, self.own.join(&name)) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(name),
        }
    }

    /// Copies a file, unless there is a copy of what it is now.
    fn copy(&mut self, path: &Path) -> Result<String, Error> {
        let mut from = File::open(path).map_err(failed("read", path))?;
        let metadata = from.metadata().map_err(failed("look at", path))?;
        let key = (metadata.dev(), metadata.ino());
        let name = format!("c{:x}-{:x}", key.0, key.1);
        let seen = Seen::of(&metadata);
        if self.copies.get(&key) == Some(&seen) {
            return Ok(name);
        }
        let own = self.own.join(&name);
        let mut write = || -> io::Result<()> {
            let mut to = fs::OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&own)?;
            io::copy(&mut from, &mut to)?;
            std::os::unix::fs::fchown(&to, Some(metadata.uid()), Some(metadata.gid())).or_else(
                |error| {
                    if crate::host::observe::privileged() {
                        Err(error)
                    } else {
                        Ok(())
                    }
                },
            )?;
            to.set_permissions(fs::Permissions::from_mode(metadata.mode() & 0o7777))?;
            to.set_modified(metadata.modified()?)
        };
        self.copies.remove(&key);
        write().map_err(failed("copy", path))?;
        // Two changes within one tick of the clock leave the same times behind: what is younger than that is not relied upon.
        let young = metadata
            .modified()
            .ok()
            .and_then(|at| at.elapsed().ok())
            .is_none_or(|age| age.as_secs() < 2);
        let after = fs::metadata(path).map(|metadata| Seen::of(&metadata)).ok();
        if !young && after == Some(seen) {
            self.copies.insert(key, seen);
        }
        Ok(name)
    }
}

/// Our directory goes, whatever became of the backup.
impl Drop for Tree {
    fn drop(&mut self) {
        let _ = clear(&self.own);
    }
}

/// Our name for a file that never changes.
fn link_name(device: u64, inode: u64) -> String {
    format!("{}/{device:x}-{inode:x}", shelf_name(inode % SHELVES))
}

fn shelf_name(shelf: u64) -> String {
    format!("l{shelf}")
}

fn joined(parts: &[OsString], name: OsString) -> Vec<OsString> {
    let mut path = parts.to_vec();
    path.push(name);
    path
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

fn text(parts: &[OsString]) -> String {
    let path: PathBuf = parts.iter().collect();
    Member::text(path.as_os_str().as_bytes())
}

/// Removes what is ours, or what an interrupted run has left.
fn clear(own: &Path) -> Result<(), Error> {
    // Containers write where this is: no link is followed.
    if fs::symlink_metadata(own).is_ok_and(|metadata| metadata.is_dir()) {
        let shelves: Vec<PathBuf> = (0..SHELVES)
            .map(|shelf| own.join(shelf_name(shelf)))
            .collect();
        // What is left here is removed or told of below.
        at_once(&shelves, cores(), |shelf| drop(fs::remove_dir_all(shelf)));
    }
    match fs::remove_dir_all(own) {
        Err(error) if !gone(&error) => Err(Error::new(
            ErrorKind::Io,
            "backup.leftover",
            format!("remove {}, which an earlier run has left", own.display()),
        )
        .source(error)),
        _ => Ok(()),
    }
}
