//! An archive that is being written.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Seek as _, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use age::secrecy::SecretString;
use sha2::{Digest as _, Sha256};

use super::{Attributes, Packing, Summing, member_of, passphrase};
use crate::backup::{END, End, FILES, HEAD, Head, Kind, Member, Refused, Rules};
use crate::error::{Error, ErrorKind};
use crate::hash::hex;
use crate::host::files;

/// How compression with zstd is done.
const LEVEL: i32 = 2;
/// How much is handed to the packer at once, whose threads wait for each other each time.
const PORTION: usize = 1 << 20;

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

    /// Adds a directory.
    pub(in crate::host) fn directory(
        &mut self,
        path: &[u8],
        attributes: Attributes,
    ) -> Result<(), Error> {
        let member = member_of(path, Kind::Directory, attributes);
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
        let mut member = member_of(path, Kind::Link, attributes);
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
    pub(in crate::host::backup) fn whole(
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
        let mut member = member_of(path, Kind::File, attributes);
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
pub(in crate::host::backup) fn shrunk(path: &str, count: u64, size: u64) -> Error {
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
