//! An archive, open: decrypted, unpacked, and taken apart into its members.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use super::super::ahead::Ahead;
use super::{Attributes, Keys, SMALL, passphrase, refused};
use crate::error::{Error, ErrorKind};
use crate::host::files;

/// What may follow the end of a tar file: it is filled up to a block of its own.
const PADDING: u64 = 1 << 20;

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
    pub(super) summed: bool,
    /// For what `stamp` looks at; reading has a handle of its own.
    pub(super) file: File,
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
    pub(super) fn stamp(file: &File, path: &Path) -> Result<Stamp, Error> {
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
pub(super) fn broken(path: &Path, error: io::Error) -> Error {
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
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    changed: (i64, i64),
}
