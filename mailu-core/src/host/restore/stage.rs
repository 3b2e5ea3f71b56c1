//! Unpacking beside what is there.

use std::ffi::OsStr;
use std::fs::{self, File, FileTimes};
use std::io::{self, Read, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::{Duration, SystemTime};

use crate::backup::{DEPLOYMENT, Kind, Member, SECRETS};
use crate::error::Error;
use crate::host::backup::archive::Top;
use crate::host::{files, observe};
use crate::paths::DIRECTORIES;

/// How much is copied at once. What is no larger is written by other threads than the one that reads.
const BUFFER: usize = 256 << 10;

/// How many write small files, and how many files may wait for each of them.
const WRITERS: usize = 4;
const WAITING: usize = 8;

/// Which of the two directories of an archive a path is in, and what it is there.
pub(super) fn split(path: &str) -> Option<(Top, PathBuf)> {
    let bytes = Member::bytes(path);
    let (top, rest) = match bytes.iter().position(|byte| *byte == b'/') {
        Some(at) => {
            let (top, rest) = bytes.split_at(at);
            (top, rest.get(1..).unwrap_or_default())
        }
        None => (bytes.as_slice(), &[][..]),
    };
    let top = if top == DEPLOYMENT.as_bytes() {
        Top::Deployment
    } else if top == SECRETS.as_bytes() {
        Top::Secrets
    } else {
        return None;
    };
    Some((top, PathBuf::from(OsStr::from_bytes(rest))))
}

/// Unpacks members one by one. Directories get their permissions at the end, or nothing could be put into some of them.
#[derive(Debug)]
pub(super) struct Unpacking<'scope> {
    directories: Vec<(PathBuf, Attributes)>,
    buffer: Vec<u8>,
    privileged: bool,
    writers: Vec<FileWriter<'scope>>,
    /// Which of them is next.
    next: usize,
}

/// A thread that writes small files.
#[derive(Debug)]
struct FileWriter<'scope> {
    give: SyncSender<Job>,
    thread: ScopedJoinHandle<'scope, Result<(), Error>>,
}

enum Job {
    File(PathBuf, Attributes, Vec<u8>),
    /// Tell when everything before is done.
    Tell(SyncSender<()>),
}

#[derive(Debug, Clone, Copy)]
struct Attributes {
    mode: u32,
    owner: (u32, u32),
    mtime: u64,
}

impl Attributes {
    fn of(member: &Member) -> Self {
        let number = |id: u64| u32::try_from(id).unwrap_or(u32::MAX - 1);
        Self {
            mode: member.mode & 0o7777,
            owner: (number(member.uid), number(member.gid)),
            mtime: member.mtime,
        }
    }

    fn time(self) -> FileTimes {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(self.mtime);
        FileTimes::new().set_modified(time).set_accessed(time)
    }

    fn give(self, file: &File, privileged: bool) -> io::Result<()> {
        if privileged {
            std::os::unix::fs::fchown(file, Some(self.owner.0), Some(self.owner.1))?;
        }
        // After the owner, whose change takes bits away.
        file.set_permissions(fs::Permissions::from_mode(self.mode))?;
        file.set_times(self.time())
    }
}

/// Writes files until nobody has any more, or one cannot be written.
fn write_files(jobs: Receiver<Job>, privileged: bool) -> Result<(), Error> {
    for job in jobs {
        match job {
            Job::File(path, attributes, content) => {
                write_file(&path, attributes, &content, privileged)
                    .map_err(|error| files::failed("write", &path, error))?;
            }
            Job::Tell(to) => {
                let _ = to.send(());
            }
        }
    }
    Ok(())
}

fn created(path: &Path) -> io::Result<File> {
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

fn write_file(
    path: &Path,
    attributes: Attributes,
    content: &[u8],
    privileged: bool,
) -> io::Result<()> {
    let mut file = created(path)?;
    file.write_all(content)?;
    attributes.give(&file, privileged)
}

/// Why a thread that writes takes nothing any more. Its own reason is told in place of this.
fn ended() -> io::Error {
    io::Error::other("writing has ended")
}

/// Has `run` unpack members. When it returns, all of them are on their way to disk, or there is an error and nobody writes any more.
pub(super) fn unpack(
    run: impl FnOnce(&mut Unpacking<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    thread::scope(|scope| {
        let mut unpacking = Unpacking::new(scope);
        let done = run(&mut unpacking);
        unpacking.finish(done)
    })
}

impl<'scope> Unpacking<'scope> {
    fn new(scope: &'scope Scope<'scope, '_>) -> Self {
        let privileged = observe::privileged();
        let writers = (0..WRITERS).map(|_| {
            let (give, jobs) = mpsc::sync_channel(WAITING);
            let thread = scope.spawn(move || write_files(jobs, privileged));
            FileWriter { give, thread }
        });
        Self {
            directories: Vec::new(),
            buffer: vec![0; BUFFER],
            privileged,
            writers: writers.collect(),
            next: 0,
        }
    }

    /// Unpacks one member to `path`.
    pub(super) fn member(
        &mut self,
        path: &Path,
        member: &Member,
        content: &mut dyn Read,
    ) -> Result<(), Error> {
        let attributes = Attributes::of(member);
        match member.kind {
            Kind::Directory => {
                match fs::DirBuilder::new().mode(0o700).create(path) {
                    Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                        return Err(files::failed("make the directory", path, error));
                    }
                    _ => {}
                }
                self.directories.push((path.to_path_buf(), attributes));
                Ok(())
            }
            Kind::Link => {
                let target = Member::bytes(member.target.as_deref().unwrap_or_default());
                let done = std::os::unix::fs::symlink(OsStr::from_bytes(&target), path);
                let done = match done {
                    Ok(()) if self.privileged => std::os::unix::fs::lchown(
                        path,
                        Some(attributes.owner.0),
                        Some(attributes.owner.1),
                    ),
                    done => done,
                };
                done.map_err(|error| files::failed("write", path, error))
            }
            Kind::File => match usize::try_from(member.size) {
                Ok(size) if size <= BUFFER => self.small(path, attributes, size, content),
                _ => self.file(path, attributes, content),
            }
            .map_err(|error| files::failed("write", path, error)),
        }
    }

    fn file(
        &mut self,
        path: &Path,
        attributes: Attributes,
        content: &mut dyn Read,
    ) -> io::Result<()> {
        let mut file = created(path)?;
        loop {
            let read = match content.read(&mut self.buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            file.write_all(self.buffer.get(..read).unwrap_or_default())?;
        }
        attributes.give(&file, self.privileged)
    }

    /// Has another thread write a file. It may be shorter than it ought to be: whoever reads the archive sees that.
    fn small(
        &mut self,
        path: &Path,
        attributes: Attributes,
        size: usize,
        content: &mut dyn Read,
    ) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(size);
        content.read_to_end(&mut bytes)?;
        let Some(writer) = self.writers.get(self.next) else {
            return Err(ended());
        };
        self.next = (self.next + 1) % self.writers.len();
        writer
            .give
            .send(Job::File(path.to_path_buf(), attributes, bytes))
            .map_err(|_| ended())
    }

    /// Makes `to` the same file as `from`, which was unpacked before.
    pub(super) fn link(&mut self, from: &Path, to: &Path) -> Result<(), Error> {
        // It may still be on its way.
        for writer in &self.writers {
            let (tell, told) = mpsc::sync_channel(1);
            let asked = writer.give.send(Job::Tell(tell)).map_err(|_| ended());
            asked
                .and_then(|()| told.recv().map_err(|_| ended()))
                .map_err(|error| files::failed("write", to, error))?;
        }
        fs::hard_link(from, to)
            .map_err(|error| files::failed(&format!("link {} to", from.display()), to, error))
    }

    /// Waits until every file is written, and gives directories their permissions and times, innermost first. `unpacked` is how handing over
    /// the members has ended.
    fn finish(self, unpacked: Result<(), Error>) -> Result<(), Error> {
        let mut written = Ok(());
        for FileWriter { give, thread } in self.writers {
            drop(give);
            let done = thread
                .join()
                .unwrap_or_else(|_| Err(files::failed("write", Path::new("files"), ended())));
            written = written.and(done);
        }
        // What kept a file from being written comes before what followed from that.
        written.and(unpacked)?;
        for (path, attributes) in self.directories.iter().rev() {
            File::open(path)
                .and_then(|directory| attributes.give(&directory, self.privileged))
                .map_err(|error| files::failed("set the permissions of", path, error))?;
        }
        Ok(())
    }
}

/// Makes the directories that a deployment needs and that are not at `base`, without those below `data` that `leave` names.
pub(super) fn complete(base: &Path, leave: &[String]) -> Result<(), Error> {
    let privileged = observe::privileged();
    for directory in DIRECTORIES {
        let left = directory
            .path
            .strip_prefix("data/")
            .is_some_and(|name| leave.iter().any(|one| one == name));
        let path = base.join(directory.path);
        if left || fs::symlink_metadata(&path).is_ok() {
            continue;
        }
        let failed = |error| files::failed("make the directory", &path, error);
        fs::DirBuilder::new()
            .mode(directory.mode)
            .create(&path)
            .map_err(failed)?;
        if let Some((user, group)) = directory.owner.filter(|_| privileged) {
            std::os::unix::fs::chown(&path, Some(user), Some(group)).map_err(failed)?;
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(directory.mode)).map_err(failed)?;
    }
    Ok(())
}

/// Waits until everything on the file system of `path` is on disk.
pub(super) fn sync(path: &Path) -> Result<(), Error> {
    let failed = |error: io::Error| files::failed("sync", path, error);
    let directory = File::open(path).map_err(failed)?;
    nix::unistd::syncfs(&directory).map_err(|error| failed(error.into()))
}

/// What is free on the file system of `path`, or of the nearest directory above it that is there.
pub(super) fn free(path: &Path) -> Option<u64> {
    let there = path.ancestors().find(|path| path.exists())?;
    let found = nix::sys::statvfs::statvfs(there).ok()?;
    Some(
        found
            .blocks_available()
            .saturating_mul(found.fragment_size()),
    )
}

/// Copies a file with owner, permissions and time; what is at `to` is replaced.
pub(super) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let mut source = fs::OpenOptions::new()
        .read(true)
        .custom_flags(nix::fcntl::OFlag::O_NOFOLLOW.bits())
        .open(from)?;
    let there = source.metadata()?;
    match fs::remove_file(to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut target = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(to)?;
    io::copy(&mut source, &mut target)?;
    own(&target, &there)?;
    let time = there.modified()?;
    target.set_times(FileTimes::new().set_modified(time).set_accessed(time))
}

/// Writes a small file with owner and permissions of what was there, or of `like_that`.
pub(super) fn rewrite(path: &Path, text: &[u8], like_that: &Path) -> io::Result<()> {
    let there = fs::symlink_metadata(path).or_else(|_| fs::metadata(like_that))?;
    let new = files::temporary(path);
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&new)?;
    file.write_all(text)?;
    own(&file, &there)?;
    file.sync_all()?;
    fs::rename(&new, path)
}

/// Gives `file` the owner and the permissions of `there`; a file that is made like a directory gets no right to be entered.
fn own(file: &File, there: &fs::Metadata) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    if observe::privileged() {
        std::os::unix::fs::fchown(file, Some(there.uid()), Some(there.gid()))?;
    }
    let bits = if there.is_dir() { 0o666 } else { 0o777 };
    file.set_permissions(fs::Permissions::from_mode(there.mode() & bits))
}

/// Makes a directory with owner and permissions of another.
pub(super) fn directory_like(path: &Path, there: &fs::Metadata) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    fs::DirBuilder::new().mode(0o700).create(path)?;
    let made = fs::OpenOptions::new()
        .read(true)
        .custom_flags(nix::fcntl::OFlag::O_NOFOLLOW.bits())
        .open(path)?;
    if observe::privileged() {
        std::os::unix::fs::fchown(&made, Some(there.uid()), Some(there.gid()))?;
    }
    made.set_permissions(fs::Permissions::from_mode(there.mode() & 0o7777))
}
