//! Archives: written in one go, and read with nothing believed that was not looked at.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, BufWriter, Read, Seek as _, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use age::secrecy::SecretString;
use sha2::{Digest as _, Sha256};

use super::ahead::Ahead;
use crate::backup::{
    self, DEPLOYMENT, END, End, FILES, FORMAT, HEAD, Head, Kind, Member, Refused, Rules, SECRETS,
};
use crate::error::{Error, ErrorKind};
use crate::hash::hex;
use crate::host::files;

/// The most that a head, an end or an extended name may have.
const SMALL: u64 = 1 << 20;
/// The longest line of the list of files.
const LINE: u64 = 64 << 10;
/// What may follow the end of a tar file: it is filled up to a block of its own.
const PADDING: u64 = 1 << 20;
/// How compression with zstd is done.
const LEVEL: i32 = 2;
/// How much is handed to the packer at once, whose threads wait for each other each time.
const PORTION: usize = 1 << 20;

/// How an archive is opened that is encrypted.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Keys {
    /// A file with age identities (`AGE-SECRET-KEY-1…`).
    pub identity: Option<PathBuf>,
    /// A file whose first line is the passphrase.
    pub passphrase_file: Option<PathBuf>,
}

impl Keys {
    /// From files.
    pub fn new(identity: Option<PathBuf>, passphrase_file: Option<PathBuf>) -> Self {
        Self {
            identity,
            passphrase_file,
        }
    }
}

/// For whom an archive is encrypted.
#[derive(Debug, Clone, Default)]
pub(in crate::host) enum Lock {
    /// For nobody: whoever has the file can read it.
    #[default]
    Open,
    /// For the holders of keys, `age1…`.
    Recipients(Vec<age::x25519::Recipient>),
    /// For whoever knows a passphrase.
    Passphrase(SecretString),
}

impl Lock {
    /// From what a person gave.
    pub(in crate::host) fn new(
        recipients: &[String],
        passphrase_file: Option<&Path>,
    ) -> Result<Self, Error> {
        if let Some(path) = passphrase_file {
            if !recipients.is_empty() {
                return Err(Error::new(
                    ErrorKind::InvalidInput,
                    "backup.two_keys",
                    "encrypt a backup: for recipients or with a passphrase, not both",
                )
                .hint("leave out one of `--age-recipient` and `--passphrase-file`"));
            }
            return Ok(Self::Passphrase(passphrase(path)?));
        }
        let all: Result<Vec<_>, Error> = recipients.iter().map(|text| recipient(text)).collect();
        Ok(match all? {
            all if all.is_empty() => Self::Open,
            all => Self::Recipients(all),
        })
    }

    /// Whether there is any.
    pub(in crate::host) fn is_open(&self) -> bool {
        matches!(self, Self::Open)
    }
}

fn recipient(text: &str) -> Result<age::x25519::Recipient, Error> {
    age::x25519::Recipient::from_str(text.trim()).map_err(|why| {
        let error = Error::new(
            ErrorKind::InvalidInput,
            "backup.recipient",
            "encrypt a backup: a recipient is no public key of age",
        );
        if text.trim_start().starts_with("AGE-SECRET-KEY") {
            error.hint("this is the secret key, which must not be here: `age-keygen -y FILE` prints the public one, age1…")
        } else {
            error
                .source(io::Error::other(why))
                .hint("it looks like age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p; `age-keygen` makes a pair")
        }
    })
}

fn passphrase(path: &Path) -> Result<SecretString, Error> {
    let text = fs::read_to_string(path).map_err(|error| files::failed("read", path, error))?;
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            "backup.passphrase",
            format!(
                "read a passphrase from {}: its first line is empty",
                path.display()
            ),
        ));
    }
    Ok(SecretString::from(line.to_owned()))
}

/// How an archive is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::host) enum Packing {
    Zstd,
    Gzip,
}

/// What the stages of writing end in.
enum Sink {
    Plain(BufWriter<File>),
    Locked(age::stream::StreamWriter<BufWriter<File>>),
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.write(bytes),
            Self::Locked(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.flush(),
            Self::Locked(file) => file.flush(),
        }
    }
}

enum Packer {
    Zstd(zstd::Encoder<'static, Sink>),
    Gzip(flate2::write::GzEncoder<Sink>),
}

impl Write for Packer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Zstd(to) => to.write(bytes),
            Self::Gzip(to) => to.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Zstd(to) => to.flush(),
            Self::Gzip(to) => to.flush(),
        }
    }
}

/// What is known of a member before it is written.
#[derive(Debug, Clone, Copy)]
pub(in crate::host) struct Attributes {
    pub(in crate::host) mode: u32,
    pub(in crate::host) uid: u64,
    pub(in crate::host) gid: u64,
    pub(in crate::host) mtime: u64,
}

impl Attributes {
    pub(in crate::host) fn of(metadata: &fs::Metadata) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        Self {
            mode: metadata.mode() & 0o7777,
            uid: metadata.uid().into(),
            gid: metadata.gid().into(),
            mtime: u64::try_from(metadata.mtime()).unwrap_or_default(),
        }
    }
}

/// Of the members that are about the archive itself.
const OURS: Attributes = Attributes {
    mode: 0o600,
    uid: 0,
    gid: 0,
    mtime: 0,
};

/// An archive that is being written. It has another name until it is whole.
pub(in crate::host) struct Writer {
    tar: tar::Builder<BufWriter<Packer>>,
    path: PathBuf,
    temporary: Unfinished,
    /// The lines about what was written so far. Nobody else can open it.
    lines: BufWriter<File>,
    sum: Sha256,
    rules: Rules,
    end: End,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

fn fresh(path: &Path) -> Result<File, Error> {
    let _ = fs::remove_file(path);
    fs::OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| files::failed("write", path, error))
}

impl Writer {
    /// Begins the archive `path` with its head.
    pub(in crate::host) fn begin(
        path: &Path,
        packing: Packing,
        lock: &Lock,
        head: &Head,
    ) -> Result<Self, Error> {
        let temporary = Unfinished {
            path: files::temporary(path),
            whole: false,
        };
        let failed = |error: io::Error| files::failed("write", path, error);
        let file = BufWriter::with_capacity(1 << 20, fresh(&temporary.path)?);
        let encryptor = match lock {
            Lock::Open => None,
            Lock::Passphrase(secret) => Some(age::Encryptor::with_user_passphrase(secret.clone())),
            Lock::Recipients(all) => Some(
                age::Encryptor::with_recipients(all.iter().map(|one| one as &dyn age::Recipient))
                    .map_err(|error| failed(io::Error::other(error.to_string())))?,
            ),
        };
        let sink = match encryptor {
            None => Sink::Plain(file),
            Some(encryptor) => Sink::Locked(encryptor.wrap_output(file).map_err(failed)?),
        };
        let packer = match packing {
            Packing::Gzip => Packer::Gzip(flate2::write::GzEncoder::new(
                sink,
                flate2::Compression::default(),
            )),
            Packing::Zstd => {
                let mut encoder = zstd::Encoder::new(sink, LEVEL).map_err(failed)?;
                encoder.include_checksum(true).map_err(failed)?;
                let cores = std::thread::available_parallelism().map_or(1, |n| n.get().min(8));
                encoder
                    .multithread(u32::try_from(cores).unwrap_or(1))
                    .map_err(failed)?;
                Packer::Zstd(encoder)
            }
        };
        let mut lines = path.as_os_str().to_owned();
        lines.push(".files");
        let lines = files::temporary(Path::new(&lines));
        let list = fresh(&lines)?;
        // It goes with this process, however that ends.
        fs::remove_file(&lines).map_err(failed)?;
        let mut tar = tar::Builder::new(BufWriter::with_capacity(PORTION, packer));
        tar.sparse(false);
        let mut writer = Self {
            tar,
            path: path.to_path_buf(),
            temporary,
            lines: BufWriter::new(list),
            sum: Sha256::new(),
            rules: Rules::default(),
            end: End {
                members: 0,
                files: 0,
                messages: 0,
                bytes: 0,
                files_sha256: String::new(),
            },
        };
        writer.small(HEAD, head)?;
        Ok(writer)
    }

    /// What there is so far.
    pub(in crate::host) fn so_far(&self) -> &End {
        &self.end
    }

    fn failed(&self, error: io::Error) -> Error {
        files::failed("write", &self.path, error)
    }

    fn small(&mut self, name: &str, value: &impl serde::Serialize) -> Result<(), Error> {
        let text = serde_json::to_vec_pretty(value).map_err(|error| self.failed(error.into()))?;
        let mut header = Self::header(OURS, tar::EntryType::Regular, text.len() as u64);
        self.tar
            .append_data(&mut header, name, text.as_slice())
            .map_err(|error| self.failed(error))
    }

    fn header(attributes: Attributes, kind: tar::EntryType, size: u64) -> tar::Header {
        let mut header = tar::Header::new_gnu();
        header.set_mode(attributes.mode);
        header.set_uid(attributes.uid);
        header.set_gid(attributes.gid);
        header.set_mtime(attributes.mtime);
        header.set_entry_type(kind);
        header.set_size(size);
        header
    }

    /// The same rules as for whoever reads it: what could not be restored fails now.
    fn allowed(&mut self, member: &Member) -> Result<(), Error> {
        let target = member.target.as_deref().map(Member::bytes);
        self.rules
            .next(
                &Member::bytes(&member.path),
                member.kind,
                member.mode,
                target.as_deref(),
            )
            .map_err(|refused| cannot_be_kept(&refused))
    }

    fn note(&mut self, member: &Member) -> Result<(), Error> {
        let mut line = serde_json::to_vec(member).map_err(|error| self.failed(error.into()))?;
        line.push(b'\n');
        self.sum.update(&line);
        self.lines
            .write_all(&line)
            .map_err(|error| self.failed(error))?;
        self.end.members += 1;
        if member.kind == Kind::File {
            self.end.files += 1;
            self.end.bytes += member.size;
            self.end.messages += u64::from(member.is_message());
        }
        Ok(())
    }

    fn member(path: &[u8], kind: Kind, attributes: Attributes) -> Member {
        Member {
            path: Member::text(path),
            kind,
            size: 0,
            mode: attributes.mode,
            uid: attributes.uid,
            gid: attributes.gid,
            mtime: attributes.mtime,
            sha256: None,
            target: None,
        }
    }

    /// Adds a directory.
    pub(in crate::host) fn directory(
        &mut self,
        path: &[u8],
        attributes: Attributes,
    ) -> Result<(), Error> {
        let member = Self::member(path, Kind::Directory, attributes);
        self.allowed(&member)?;
        let mut header = Self::header(attributes, tar::EntryType::Directory, 0);
        self.tar
            .append_data(&mut header, as_path(path), io::empty())
            .map_err(|error| self.failed(error))?;
        self.note(&member)
    }

    /// Adds a symbolic link.
    pub(in crate::host) fn link(
        &mut self,
        path: &[u8],
        target: &[u8],
        attributes: Attributes,
    ) -> Result<(), Error> {
        let mut member = Self::member(path, Kind::Link, attributes);
        member.target = Some(Member::text(target));
        self.allowed(&member)?;
        let mut header = Self::header(attributes, tar::EntryType::Symlink, 0);
        self.tar
            .append_link(&mut header, as_path(path), as_path(target))
            .map_err(|error| self.failed(error))?;
        self.note(&member)
    }

    /// Adds a file of `size` bytes, which have to be there: no less, while more is left.
    pub(in crate::host) fn file(
        &mut self,
        path: &[u8],
        attributes: Attributes,
        size: u64,
        from: impl Read,
    ) -> Result<(), Error> {
        let mut from = Summing {
            from: from.take(size),
            sum: Some(Sha256::new()),
            count: 0,
        };
        let mut member = self.content(path, attributes, size, &mut from)?;
        if from.count != size {
            return Err(shrunk(&member.path, from.count, size));
        }
        member.sha256 = from.sum.map(hex);
        self.note(&member)
    }

    /// Adds a file that was read and has the hash `sum`.
    pub(super) fn whole(
        &mut self,
        path: &[u8],
        attributes: Attributes,
        content: &[u8],
        sum: String,
    ) -> Result<(), Error> {
        let mut member = self.content(path, attributes, content.len() as u64, content)?;
        member.sha256 = Some(sum);
        self.note(&member)
    }

    fn content(
        &mut self,
        path: &[u8],
        attributes: Attributes,
        size: u64,
        from: impl Read,
    ) -> Result<Member, Error> {
        let mut member = Self::member(path, Kind::File, attributes);
        member.size = size;
        self.allowed(&member)?;
        let mut header = Self::header(attributes, tar::EntryType::Regular, size);
        self.tar
            .append_data(&mut header, as_path(path), from)
            .map_err(|error| self.failed(error))?;
        Ok(member)
    }

    /// Ends the archive and gives it its name.
    pub(in crate::host) fn finish(mut self) -> Result<(PathBuf, End, u64), Error> {
        self.end.files_sha256 = hex(std::mem::take(&mut self.sum));
        self.lines.flush().map_err(|error| self.failed(error))?;
        let list = self.lines.get_mut();
        let rewound = list.rewind().and_then(|()| list.metadata());
        let length = rewound.map_err(|error| self.failed(error))?.len();
        let mut header = Self::header(OURS, tar::EntryType::Regular, length);
        let list = self.lines.get_ref();
        let done = self.tar.append_data(&mut header, FILES, list);
        done.map_err(|error| self.failed(error))?;
        let end = self.end.clone();
        self.small(END, &end)?;
        self.tar.finish().map_err(|error| self.failed(error))?;
        let Self {
            tar,
            path,
            mut temporary,
            end,
            ..
        } = self;
        let ended = |tar: tar::Builder<BufWriter<Packer>>| -> io::Result<u64> {
            let packer = tar.into_inner()?.into_inner();
            let sink = match packer.map_err(io::IntoInnerError::into_error)? {
                Packer::Zstd(encoder) => encoder.finish()?,
                Packer::Gzip(encoder) => encoder.finish()?,
            };
            let file = match sink {
                Sink::Plain(file) => file,
                Sink::Locked(file) => file.finish()?,
            };
            let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
            file.sync_all()?;
            Ok(file.metadata()?.len())
        };
        let failed = |error| files::failed("write", &path, error);
        let size = ended(tar).map_err(failed)?;
        fs::rename(&temporary.path, &path).map_err(failed)?;
        temporary.whole = true;
        files::sync_parent(&mut files::Disk, &path)?;
        Ok((path, end, size))
    }
}

/// The file of an archive that is being written. If that is not whole, it does not stay.
struct Unfinished {
    path: PathBuf,
    whole: bool,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.whole {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The error about a file of which less could be read than there was.
pub(super) fn shrunk(path: &str, count: u64, size: u64) -> Error {
    Error::new(
        ErrorKind::Io,
        "backup.shrunk",
        format!("back up {path}: it got shorter while it was read ({count} of {size} bytes)"),
    )
    .hint("run the same command again")
}

fn cannot_be_kept(refused: &Refused) -> Error {
    let error = Error::new(
        ErrorKind::Conflict,
        "backup.cannot_keep",
        format!("back up: {refused}, and could not be restored"),
    );
    match refused {
        Refused::LeadsOut(..) => {
            error.hint("put what it leads to in its place, or remove the link")
        }
        _ => error.hint("move it out of the deployment's directory"),
    }
}

fn as_path(bytes: &[u8]) -> &Path {
    use std::os::unix::ffi::OsStrExt as _;
    Path::new(std::ffi::OsStr::from_bytes(bytes))
}

struct Summing<R> {
    from: R,
    /// Nothing, where only bytes are counted.
    sum: Option<Sha256>,
    count: u64,
}

impl<R: Read> Read for Summing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(buffer)?;
        if let (Some(sum), Some(read)) = (&mut self.sum, buffer.get(..count)) {
            sum.update(read);
        }
        self.count += count as u64;
        Ok(count)
    }
}

// --- reading -----------------------------------------------------------------------------------------------------------------

/// An archive that was read to its end, and is as it was written.
#[derive(Debug, Clone, serde::Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Verified {
    /// The archive.
    pub file: PathBuf,
    /// Its size in bytes.
    pub size: u64,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// What it begins with.
    pub head: Head,
    /// What it ends with.
    pub end: End,
}

/// An error about an archive.
pub(in crate::host) fn refused(
    path: &Path,
    code: &'static str,
    why: impl std::fmt::Display,
) -> Error {
    Error::new(
        ErrorKind::Corrupt,
        code,
        format!("read the backup {}: {why}", path.display()),
    )
}

/// A member of a tar file, with its long names put together.
#[derive(Debug)]
pub(in crate::host) struct Entry {
    pub(in crate::host) path: Vec<u8>,
    pub(in crate::host) kind: tar::EntryType,
    pub(in crate::host) target: Option<Vec<u8>>,
    pub(in crate::host) attributes: Attributes,
    pub(in crate::host) size: u64,
}

/// An archive, open: decrypted and unpacked as it is read.
pub(in crate::host) struct Open {
    path: PathBuf,
    pub(in crate::host) size: u64,
    pub(in crate::host) encrypted: bool,
    /// Whether its form has a sum over all that is in it, which whoever unpacks it compares.
    summed: bool,
    /// For what `stamp` looks at; reading has a handle of its own.
    file: File,
    stream: Ahead,
}

impl std::fmt::Debug for Open {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Open")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

fn begins_with(from: &mut impl io::BufRead, magic: &[u8]) -> io::Result<bool> {
    Ok(from.fill_buf()?.starts_with(magic))
}

impl Open {
    /// Opens the archive at `path`.
    pub(in crate::host) fn new(path: &Path, keys: &Keys) -> Result<Self, Error> {
        let failed = |error| files::failed("read", path, error);
        let file = File::open(path).map_err(|error| {
            if error.kind() == io::ErrorKind::NotFound {
                Error::new(
                    ErrorKind::NotFound,
                    "backup.not_found",
                    format!("read the backup {}: there is no such file", path.display()),
                )
                .hint("`mailu backup list` shows which there are")
            } else {
                failed(error)
            }
        })?;
        let metadata = file.metadata().map_err(failed)?;
        if !metadata.is_file() {
            return Err(refused(path, "backup.not_a_file", "it is not a file"));
        }
        let handle = file.try_clone().map_err(failed)?;
        let mut file = BufReader::with_capacity(1 << 18, file);
        let encrypted = begins_with(&mut file, b"age-encryption.org/").map_err(failed)?;
        let stream: Box<dyn Read + Send> = if encrypted {
            decrypted(path, file, keys)?
        } else {
            Box::new(file)
        };
        let mut stream = BufReader::with_capacity(1 << 18, stream);
        let (stream, summed) = if begins_with(&mut stream, &[0x28, 0xb5, 0x2f, 0xfd])
            .map_err(|error| broken(path, error))?
        {
            // RFC 8878, 3.1.1.1.1: the flag is in the byte after the magic number. Whoever packs an archive anew may leave the sum out.
            let flags = stream.buffer().get(4).copied().unwrap_or_default();
            let summed = encrypted || flags & 0x04 != 0;
            let decoder = zstd::Decoder::with_buffer(stream).map_err(failed)?;
            (Ahead::new(decoder), summed)
        } else if begins_with(&mut stream, &[0x1f, 0x8b]).map_err(failed)? {
            // RFC 1952, 2.3.1: there is always one.
            let decoder = flate2::bufread::MultiGzDecoder::new(stream);
            (Ahead::new(decoder), true)
        } else {
            return Err(refused(
                path,
                "backup.foreign",
                "it is neither compressed with zstd or gzip, nor encrypted with age",
            )
            .hint("`mailu backup list` shows which backups there are"));
        };
        Ok(Self {
            path: path.to_path_buf(),
            size: metadata.len(),
            encrypted,
            summed,
            file: handle,
            stream,
        })
    }

    /// What changes when somebody writes to the file, or puts another one in its place.
    fn stamp(file: &File, path: &Path) -> Result<Stamp, Error> {
        use std::os::unix::fs::MetadataExt as _;
        let metadata = file
            .metadata()
            .map_err(|error| files::failed("read", path, error))?;
        Ok(Stamp {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.len(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }

    /// Hands over each member, in order, to its end and what may follow that. Long names are put together; nothing is judged
    /// beyond that.
    pub(in crate::host) fn each(
        self,
        visit: &mut dyn FnMut(Entry, &mut dyn Read) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let path = self.path;
        let mut archive = tar::Archive::new(self.stream);
        archive.set_ignore_zeros(false);
        let mut name: Option<Vec<u8>> = None;
        let mut target: Option<Vec<u8>> = None;
        let mut size: Option<u64> = None;
        let mut entries = archive
            .entries()
            .map_err(|error| broken(&path, error))?
            .raw(true);
        for entry in entries.by_ref() {
            let mut entry = entry.map_err(|error| broken(&path, error))?;
            let header = entry.header();
            let kind = header.entry_type();
            let length = header.entry_size().map_err(|error| broken(&path, error))?;
            if kind.is_pax_global_extensions() {
                continue;
            }
            if kind.is_gnu_longname() || kind.is_gnu_longlink() || kind.is_pax_local_extensions() {
                if length > SMALL {
                    return Err(refused(
                        &path,
                        "backup.damaged",
                        "a name in it is longer than any",
                    ));
                }
                let mut text = Vec::new();
                entry
                    .read_to_end(&mut text)
                    .map_err(|error| broken(&path, error))?;
                if kind.is_pax_local_extensions() {
                    for extension in tar::PaxExtensions::new(&text) {
                        let extension = extension.map_err(|error| broken(&path, error))?;
                        match extension.key_bytes() {
                            b"path" => name = Some(extension.value_bytes().to_vec()),
                            b"linkpath" => target = Some(extension.value_bytes().to_vec()),
                            b"size" => {
                                size = extension.value().ok().and_then(|text| text.parse().ok());
                            }
                            _ => {}
                        }
                    }
                    continue;
                }
                while text.last() == Some(&0) {
                    text.pop();
                }
                if kind.is_gnu_longname() {
                    name = Some(text);
                } else {
                    target = Some(text);
                }
                continue;
            }
            if size.take().is_some_and(|size| size != length) {
                return Err(refused(
                    &path,
                    "backup.damaged",
                    "it has a file whose size is in an extended header, which nothing of ours writes",
                ));
            }
            let number = |value: io::Result<u64>| value.map_err(|error| broken(&path, error));
            let attributes = Attributes {
                mode: header.mode().map_err(|error| broken(&path, error))? & 0o7777,
                uid: number(header.uid())?,
                gid: number(header.gid())?,
                mtime: number(header.mtime())?,
            };
            let found = Entry {
                path: name
                    .take()
                    .unwrap_or_else(|| header.path_bytes().into_owned()),
                kind,
                target: target
                    .take()
                    .or_else(|| header.link_name_bytes().map(std::borrow::Cow::into_owned)),
                attributes,
                size: length,
            };
            visit(found, &mut entry)?;
            // What was not read has to be there all the same.
            io::copy(&mut entry, &mut io::sink()).map_err(|error| broken(&path, error))?;
        }
        let mut rest = archive.into_inner();
        let mut buffer = vec![0; 1 << 16];
        let mut followed = 0;
        loop {
            let count = rest
                .read(&mut buffer)
                .map_err(|error| broken(&path, error))?;
            if count == 0 {
                return Ok(());
            }
            followed += count as u64;
            if followed > PADDING || buffer.iter().take(count).any(|byte| *byte != 0) {
                return Err(refused(
                    &path,
                    "backup.damaged",
                    "something follows its end",
                ));
            }
        }
    }
}

/// That reading failed where an archive is cut off, or is not as it was written.
fn broken(path: &Path, error: io::Error) -> Error {
    let code = match error.kind() {
        io::ErrorKind::UnexpectedEof => "backup.truncated",
        _ => "backup.damaged",
    };
    let why = if code == "backup.truncated" {
        "it ends too early"
    } else {
        "it is damaged"
    };
    refused(path, code, why)
        .source(error)
        .hint("take another one: `mailu backup list` shows which there are")
}

fn decrypted(
    path: &Path,
    file: BufReader<File>,
    keys: &Keys,
) -> Result<Box<dyn Read + Send>, Error> {
    let decryptor = age::Decryptor::new_buffered(file)
        .map_err(|error| broken(path, io::Error::other(error.to_string())))?;
    let by_passphrase = decryptor.is_scrypt();
    let locked = || {
        let (what, option) = if by_passphrase {
            ("with a passphrase", "--passphrase-file FILE")
        } else {
            ("for the holder of a key", "--age-identity FILE")
        };
        Error::new(
            ErrorKind::InvalidInput,
            "backup.locked",
            format!("read the backup {}: it is encrypted {what}", path.display()),
        )
        .hint(format!("name it with `{option}`"))
    };
    let wrong = |error: age::DecryptError| match error {
        age::DecryptError::Io(error) => broken(path, error),
        error => Error::new(
            ErrorKind::InvalidInput,
            "backup.wrong_key",
            format!(
                "read the backup {}: the key does not open it",
                path.display()
            ),
        )
        .source(io::Error::other(error.to_string()))
        .hint(if by_passphrase {
            "`--passphrase-file FILE` names another one"
        } else {
            "`--age-identity FILE` names another one"
        }),
    };
    let stream = if by_passphrase {
        let file = keys.passphrase_file.as_deref().ok_or_else(locked)?;
        let identity = age::scrypt::Identity::new(passphrase(file)?);
        decryptor
            .decrypt(std::iter::once(&identity as &dyn age::Identity))
            .map_err(wrong)?
    } else {
        let file = keys.identity.as_deref().ok_or_else(locked)?;
        let text = fs::read_to_string(file).map_err(|error| files::failed("read", file, error))?;
        let identities: Vec<age::x25519::Identity> = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .filter_map(|line| line.parse().ok())
            .collect();
        if identities.is_empty() {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "backup.identity",
                format!(
                    "read keys from {}: there is none of age's in it",
                    file.display()
                ),
            )
            .hint("a key looks like AGE-SECRET-KEY-1…; `age-keygen -o FILE` makes one"));
        }
        decryptor
            .decrypt(identities.iter().map(|one| one as &dyn age::Identity))
            .map_err(wrong)?
    };
    Ok(Box::new(stream))
}

/// Which state of which file was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

/// That an archive was read to its end and is as it was written: whoever reads it again need not compute its files' sums anew, as long as
/// nobody has touched it, and the sum that its form has over everything is right again.
#[derive(Debug, Clone)]
pub(in crate::host) struct Proof {
    stamp: Stamp,
    end: End,
    /// Over the lines as they ought to be, without the sums of files.
    outlines: String,
}

/// What a reader does with each member that is not refused.
pub(in crate::host) type Visit<'v> = dyn FnMut(&Member, &mut dyn Read) -> Result<(), Error> + 'v;

/// Reads the archive at `path` from its beginning to its end, hands over each member of a deployment, and returns what it is once all of it
/// has turned out to be as it was written.
///
/// `visit` gets members before the whole is known to be good: whoever acts on them reads it once without, and gives the proof that this
/// was.
///
/// # Errors
///
/// [`ErrorKind::Corrupt`] for whatever is wrong with it, `backup.locked` and `backup.wrong_key` where a key is missing or wrong,
/// `backup.changed` where it is not what was proven.
pub(in crate::host) fn read(
    path: &Path,
    keys: &Keys,
    proof: Option<&Proof>,
    visit: &mut Visit<'_>,
) -> Result<(Verified, Proof), Error> {
    let open = Open::new(path, keys)?;
    let (size, encrypted, summed) = (open.size, open.encrypted, open.summed);
    let file = open
        .file
        .try_clone()
        .map_err(|error| files::failed("read", path, error))?;
    let stamp = Open::stamp(&file, path)?;
    let mut reading = Reading::new(path);
    reading.known = proof.is_some_and(|proof| summed && proof.stamp == stamp);
    open.each(&mut |entry, content| reading.next(&entry, content, visit))?;
    let (Some(head), Some(end)) = (reading.head, reading.end) else {
        return Err(refused(path, "backup.truncated", "it has no end")
            .hint("take another one: `mailu backup list` shows which there are"));
    };
    let found = Proof {
        stamp,
        end: end.clone(),
        outlines: hex(reading.outlines),
    };
    let same = proof.is_none_or(|proof| {
        proof.end.files_sha256 == found.end.files_sha256 && proof.outlines == found.outlines
    });
    if !same || Open::stamp(&file, path)? != stamp {
        return Err(
            refused(path, "backup.changed", "it was changed while it was read")
                .hint("run the same command again once nothing writes to it"),
        );
    }
    let verified = Verified {
        file: path.to_path_buf(),
        size,
        encrypted,
        head,
        end,
    };
    Ok((verified, found))
}

/// The head of the archive at `path`, without looking at the rest.
pub(in crate::host) fn head(path: &Path, keys: &Keys) -> Result<Head, Error> {
    let mut found = None;
    let done = Open::new(path, keys)?.each(&mut |entry, content| {
        found = Some(read_head(path, &entry, content)?);
        Err(Error::new(ErrorKind::Internal, "backup.enough", "enough"))
    });
    match (found, done) {
        (Some(head), _) => Ok(head),
        (None, Err(error)) => Err(error),
        (None, Ok(())) => Err(foreign(path)),
    }
}

/// The error about an archive that is somebody else's.
pub(in crate::host) fn foreign(path: &Path) -> Error {
    refused(
        path,
        "backup.foreign",
        "it was not written by `mailu backup`: it does not begin as those do",
    )
}

fn read_head(path: &Path, entry: &Entry, content: &mut dyn Read) -> Result<Head, Error> {
    if entry.path != HEAD.as_bytes() || !entry.kind.is_file() || entry.size > SMALL {
        return Err(foreign(path));
    }
    let mut text = Vec::new();
    content
        .read_to_end(&mut text)
        .map_err(|error| broken(path, error))?;
    let format = serde_json::from_slice::<serde_json::Value>(&text)
        .ok()
        .and_then(|value| value.get("format")?.as_u64());
    if let Some(newer) = format.filter(|format| *format > u64::from(FORMAT)) {
        return Err(refused(
            path,
            "backup.newer",
            format_args!("its format {newer} is newer than this program, which knows {FORMAT}"),
        )
        .hint("use the program that wrote it, or a newer one"));
    }
    serde_json::from_slice(&text)
        .map_err(|error| refused(path, "backup.damaged", "its head cannot be read").source(error))
}

struct Reading<'p> {
    path: &'p Path,
    head: Option<Head>,
    end: Option<End>,
    rules: Rules,
    /// Whether files have the sums that they ought to have, which then are not computed.
    known: bool,
    /// Over the lines as they ought to be.
    sum: Sha256,
    /// The same, without the sums of files.
    outlines: Sha256,
    /// Over the lines as they are.
    listed: Option<String>,
    members: u64,
    files: u64,
    messages: u64,
    bytes: u64,
    /// The lines as they ought to be, with the names in them, where somebody wants to know which differ.
    lines: Option<Vec<(String, Vec<u8>)>>,
    /// The first of the names whose lines differ.
    different: Option<String>,
}

impl<'p> Reading<'p> {
    fn new(path: &'p Path) -> Self {
        Self {
            path,
            head: None,
            end: None,
            rules: Rules::default(),
            known: false,
            sum: Sha256::new(),
            outlines: Sha256::new(),
            listed: None,
            members: 0,
            files: 0,
            messages: 0,
            bytes: 0,
            lines: None,
            different: None,
        }
    }

    fn next(
        &mut self,
        entry: &Entry,
        content: &mut dyn Read,
        visit: &mut Visit<'_>,
    ) -> Result<(), Error> {
        let path = self.path;
        if self.head.is_none() {
            self.head = Some(read_head(path, entry, content)?);
            return Ok(());
        }
        if self.end.is_some() {
            return Err(refused(path, "backup.damaged", "something follows its end"));
        }
        if self.listed.is_some() {
            return self.end(entry, content);
        }
        if entry.path == FILES.as_bytes() && entry.kind.is_file() {
            return self.list(content);
        }
        let kind = match entry.kind {
            tar::EntryType::Directory => Kind::Directory,
            tar::EntryType::Regular => Kind::File,
            tar::EntryType::Symlink => Kind::Link,
            _ => {
                return Err(refused(
                    path,
                    "backup.refused",
                    Refused::Special(Member::text(&entry.path)),
                ));
            }
        };
        let name = entry.path.strip_suffix(b"/").unwrap_or(&entry.path);
        let target = entry.target.as_deref().filter(|_| kind == Kind::Link);
        self.rules
            .next(name, kind, entry.attributes.mode, target)
            .map_err(|why| refused(path, "backup.refused", why))?;
        if kind != Kind::File && entry.size != 0 {
            return Err(refused(
                path,
                "backup.damaged",
                format_args!("`{}` has content, and is no file", Member::text(name)),
            ));
        }
        let mut member = Writer::member(name, kind, entry.attributes);
        member.target = target.map(Member::text);
        if kind == Kind::File {
            member.size = entry.size;
            let mut content = Summing {
                from: content,
                sum: (!self.known).then(Sha256::new),
                count: 0,
            };
            visit(&member, &mut content)?;
            io::copy(&mut content, &mut io::sink()).map_err(|error| broken(path, error))?;
            if content.count != entry.size {
                return Err(broken(path, io::ErrorKind::UnexpectedEof.into()));
            }
            member.sha256 = content.sum.map(hex);
            self.files += 1;
            self.bytes += member.size;
            self.messages += u64::from(member.is_message());
        } else {
            visit(&member, &mut io::empty())?;
        }
        self.members += 1;
        let line_of = |member: &Member| {
            let mut line = serde_json::to_vec(member)
                .map_err(|error| refused(path, "backup.damaged", "a name in it").source(error))?;
            line.push(b'\n');
            Ok::<_, Error>(line)
        };
        let sha256 = member.sha256.take();
        self.outlines.update(line_of(&member)?);
        if self.known {
            return Ok(());
        }
        member.sha256 = sha256;
        let line = line_of(&member)?;
        self.sum.update(&line);
        if let Some(lines) = &mut self.lines {
            lines.push((member.path, line));
        }
        Ok(())
    }

    /// The first of the lines that `content` has otherwise than they ought to be.
    fn compared(
        &self,
        lines: &[(String, Vec<u8>)],
        content: impl Read,
    ) -> Result<Option<String>, Error> {
        let mut content = BufReader::new(content);
        let mut ours = lines.iter();
        loop {
            let mut line = Vec::new();
            content
                .by_ref()
                .take(LINE)
                .read_until(b'\n', &mut line)
                .map_err(|error| broken(self.path, error))?;
            let listed = || Some(serde_json::from_slice::<Member>(&line).ok()?.path);
            match ours.next() {
                None => return Ok(listed()),
                Some((_, wanted)) if *wanted == line => {}
                Some((name, _)) => return Ok(listed().or_else(|| Some(name.clone()))),
            }
        }
    }

    fn list(&mut self, content: &mut dyn Read) -> Result<(), Error> {
        let mut content = Summing {
            from: content,
            sum: Some(Sha256::new()),
            count: 0,
        };
        if let Some(lines) = self.lines.take() {
            self.different = self.compared(&lines, &mut content)?;
        }
        io::copy(&mut content, &mut io::sink()).map_err(|error| broken(self.path, error))?;
        self.listed = content.sum.map(hex);
        Ok(())
    }

    fn end(&mut self, entry: &Entry, content: &mut dyn Read) -> Result<(), Error> {
        let path = self.path;
        if entry.path != END.as_bytes() || !entry.kind.is_file() || entry.size > SMALL {
            return Err(refused(
                path,
                "backup.damaged",
                "its end is not where it belongs",
            ));
        }
        let mut text = Vec::new();
        content
            .read_to_end(&mut text)
            .map_err(|error| broken(path, error))?;
        let end: End = serde_json::from_slice(&text).map_err(|error| {
            refused(path, "backup.damaged", "its end cannot be read").source(error)
        })?;
        let sum = hex(std::mem::take(&mut self.sum));
        let listed = self.listed.clone().unwrap_or_default();
        if listed != end.files_sha256 {
            return Err(refused(
                path,
                "backup.damaged",
                "the list of its files was changed",
            ));
        }
        if (!self.known && sum != listed)
            || (self.members, self.files, self.messages, self.bytes)
                != (end.members, end.files, end.messages, end.bytes)
        {
            return Err(refused(
                path,
                "backup.differs",
                "its files are not those that it lists",
            ));
        }
        self.end = Some(end);
        Ok(())
    }
}

/// Reads the archive at `path` whole, and says what it is; where files differ from the list, which.
pub(in crate::host) fn verify(
    path: &Path,
    keys: &Keys,
    each: &mut dyn FnMut(u64) -> Result<(), Error>,
) -> Result<(Verified, Proof), Error> {
    let mut bytes = 0;
    let done = read(path, keys, None, &mut |member, _| {
        bytes += member.size;
        each(bytes)
    });
    match done {
        Err(error) if error.code() == "backup.differs" => Err(match first_difference(path, keys) {
            Ok(Some(name)) => refused(
                path,
                "backup.differs",
                format_args!("`{name}` is not as it was written"),
            )
            .hint("take another one: `mailu backup list` shows which there are"),
            _ => error,
        }),
        done => done,
    }
}

/// The first file that differs from the list of files. Only where it is known that one does: it remembers all lines.
fn first_difference(path: &Path, keys: &Keys) -> Result<Option<String>, Error> {
    let mut reading = Reading::new(path);
    reading.lines = Some(Vec::new());
    let done = Open::new(path, keys)?
        .each(&mut |entry, content| reading.next(&entry, content, &mut |_, _| Ok(())));
    match done {
        Err(error) if error.code() != "backup.differs" => Err(error),
        _ => Ok(reading.different),
    }
}

/// The path of a deployment's file in an archive.
pub(in crate::host) fn inside(top: Top, relative: &Path) -> Vec<u8> {
    use std::os::unix::ffi::OsStrExt as _;
    let top = match top {
        Top::Deployment => DEPLOYMENT,
        Top::Secrets => SECRETS,
    };
    let mut out = top.as_bytes().to_vec();
    if !relative.as_os_str().is_empty() {
        out.push(b'/');
        out.extend_from_slice(relative.as_os_str().as_bytes());
    }
    out
}

/// One of the two directories of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::host) enum Top {
    Deployment,
    Secrets,
}

/// How the archive at `path` is to be packed, by its name.
pub(in crate::host) fn packing(path: &Path, encrypted: bool) -> Result<Packing, Error> {
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let found = backup::SUFFIXES
        .iter()
        .find(|suffix| name.ends_with(**suffix));
    let wanted = if encrypted { ".age" } else { "" };
    match found {
        Some(suffix) if backup::is_encrypted(suffix) == encrypted => Ok(if suffix.contains("gz") {
            Packing::Gzip
        } else {
            Packing::Zstd
        }),
        _ => Err(Error::new(
            ErrorKind::InvalidInput,
            "backup.suffix",
            format!(
                "write the backup {}: its name has to end with .tar.zst{wanted} or .tar.gz{wanted}",
                path.display()
            ),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ATTRIBUTES: Attributes = Attributes {
        mode: 0o644,
        uid: 0,
        gid: 0,
        mtime: 1,
    };

    fn written(path: &Path, packing: Packing, content: &[u8]) {
        let head = Head {
            format: FORMAT,
            program: "mailu 0".into(),
            created: "2026-01-01T00:00:00Z".into(),
            mail_host: "mail.example.com".into(),
            client: None,
            email_domains: vec!["example.com".into()],
            mailu_version: "2024.06".into(),
            schema_head: None,
            images: std::collections::BTreeMap::new(),
            consistent: true,
        };
        let mut writer = Writer::begin(path, packing, &Lock::Open, &head).unwrap();
        let directory = Attributes {
            mode: 0o755,
            ..ATTRIBUTES
        };
        writer.directory(DEPLOYMENT.as_bytes(), directory).unwrap();
        writer
            .file(b"deployment/a", ATTRIBUTES, content.len() as u64, content)
            .unwrap();
        writer.finish().unwrap();
    }

    /// What is given when the archive is read again after `between`, which may say that it looks untouched.
    fn again(path: &Path, between: impl FnOnce(&mut Proof)) -> Result<Vec<u8>, Error> {
        let keys = Keys::default();
        let (_, mut proof) = verify(path, &keys, &mut |_| Ok(())).unwrap();
        between(&mut proof);
        let mut out = Vec::new();
        read(path, &keys, Some(&proof), &mut |_, content| {
            content.read_to_end(&mut out).unwrap();
            Ok(())
        })?;
        Ok(out)
    }

    /// As if nobody had touched `path` since.
    fn untouched(proof: &mut Proof, path: &Path) {
        proof.stamp = Open::stamp(&File::open(path).unwrap(), path).unwrap();
    }

    /// The archive `path`, with the byte in it that is `from` changed to `to`, packed without a sum or with that of before.
    fn rotten(path: &Path, with_sum: bool) {
        let packed = fs::read(path).unwrap();
        let mut tar = zstd::decode_all(packed.as_slice()).unwrap();
        let at = tar.windows(3).position(|three| three == b"xyz").unwrap();
        tar[at] ^= 1;
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
        encoder.include_checksum(with_sum).unwrap();
        encoder.write_all(&tar).unwrap();
        let mut rotten = encoder.finish().unwrap();
        if with_sum {
            let length = rotten.len();
            rotten[length - 4..].copy_from_slice(&packed[packed.len() - 4..]);
        }
        fs::write(path, rotten).unwrap();
    }

    #[test]
    fn what_was_proven_is_what_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        for (name, packing) in [("a.tar.zst", Packing::Zstd), ("a.tar.gz", Packing::Gzip)] {
            let path = dir.path().join(name);
            written(&path, packing, b"xyz");
            assert_eq!(again(&path, |_| {}).unwrap(), b"xyz");
            // Touched, and the same: its sums are computed again.
            let same = again(&path, |_| {
                fs::write(&path, fs::read(&path).unwrap()).unwrap();
            });
            assert_eq!(same.unwrap(), b"xyz");
            // Another one in its place, good in itself.
            let other = dir.path().join("b.tar.zst");
            written(&other, packing, b"abc");
            let error = again(&path, |_| fs::rename(&other, &path).unwrap()).unwrap_err();
            assert_eq!(error.code(), "backup.changed");
            // Even if it had the other one's stamp.
            written(&other, packing, b"abcd");
            let error = again(&path, |proof| {
                fs::rename(&other, &path).unwrap();
                untouched(proof, &path);
            })
            .unwrap_err();
            assert_eq!(error.code(), "backup.changed");
        }
    }

    #[test]
    fn a_disk_that_gives_something_else_the_second_time_is_found_out() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.tar.zst");
        for (with_sum, code) in [(true, "backup.damaged"), (false, "backup.differs")] {
            written(&path, Packing::Zstd, b"xyz");
            let error = again(&path, |proof| {
                rotten(&path, with_sum);
                untouched(proof, &path);
            })
            .unwrap_err();
            assert_eq!(error.code(), code, "{error}");
        }
    }
}
