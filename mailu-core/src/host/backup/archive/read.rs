//! What is in an archive, held against what it says about itself.

use std::io::{self, BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::open::{Entry, Open, Stamp, broken};
use super::{Keys, SMALL, Summing, member_of, refused};
use crate::backup::{END, End, FILES, FORMAT, HEAD, Head, Kind, Member, Refused, Rules};
use crate::error::{Error, ErrorKind};
use crate::hash::hex;
use crate::host::files;

/// The longest line of the list of files.
const LINE: u64 = 64 << 10;

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
        let mut member = member_of(name, kind, entry.attributes);
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

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::Write as _;

    use super::super::{Attributes, Lock, Packing, Writer};
    use super::*;
    use crate::backup::DEPLOYMENT;

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
