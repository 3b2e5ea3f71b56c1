//! Archives that were made with `tar` of a deployment's directory, as AgencyStack's documentation has it. Nothing in them says whether they
//! are whole; what is refused in ours is refused in them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::path::Path;

use super::source::Visit;
use crate::backup::{DEPLOYMENT, END, FILES, Kind, Member, Refused, Rules, SECRETS, left_out};
use crate::config::Config;
use crate::error::{Error, ErrorKind};
use crate::host::backup::Keys;
use crate::host::backup::archive::{self, Entry, Open};
use crate::names::{ClientId, MailHost};

/// A `mailu.toml` is never longer.
const CONFIGURATION: u64 = 1 << 20;

/// What the archive of a deployment is in: its directories in the archive.
#[derive(Debug, Clone)]
pub(super) struct ByHand {
    pub(super) host: MailHost,
    pub(super) client: Option<ClientId>,
    pub(super) version: String,
    deployment: Vec<u8>,
    secrets: Option<Vec<u8>>,
}

/// The parts of a path, without what `tar` puts before it; nothing for one that leads elsewhere.
fn parts(path: &[u8]) -> Option<Vec<&[u8]>> {
    if path.starts_with(b"/") {
        return None;
    }
    let parts: Vec<&[u8]> = path
        .split(|byte| *byte == b'/')
        .filter(|part| !part.is_empty() && *part != b"." as &[u8])
        .collect();
    (!parts.contains(&(b".." as &[u8]))).then_some(parts)
}

/// `path` in order: `a/b/c`.
fn normal(path: &[u8]) -> Option<Vec<u8>> {
    Some(parts(path)?.join(&b'/'))
}

/// What is left of `path` below `directory`.
fn below<'p>(path: &'p [u8], directory: &[u8]) -> Option<&'p [u8]> {
    if directory.is_empty() {
        return Some(path);
    }
    let rest = path.strip_prefix(directory)?;
    if rest.is_empty() {
        Some(rest)
    } else {
        rest.strip_prefix(b"/")
    }
}

fn escapes(file: &Path, path: &[u8]) -> Error {
    archive::refused(file, "backup.refused", Refused::Path(Member::text(path)))
}

impl ByHand {
    /// Finds the deployment in an archive.
    pub(super) fn find(file: &Path, keys: &Keys, wanted: Option<&MailHost>) -> Result<Self, Error> {
        let mut found: Vec<(Vec<u8>, Config)> = Vec::new();
        let mut secrets: BTreeSet<Vec<u8>> = BTreeSet::new();
        Open::new(file, keys)?.each(&mut |entry, content| {
            let Some(path) = normal(&entry.path) else {
                return Err(escapes(file, &entry.path));
            };
            // What `mailu backup` wrote begins with its head. Without that it is damaged, and nothing vouches for the rest.
            let ours = [FILES, END].iter().any(|name| path == name.as_bytes())
                || path.starts_with(format!("{DEPLOYMENT}/").as_bytes());
            if ours {
                return Err(archive::refused(
                    file,
                    "backup.damaged",
                    "it was written by `mailu backup`, and does not begin as those do",
                )
                .hint("take another one: `mailu backup list` shows which there are"));
            }
            if let Some(directory) = path
                .strip_suffix(b"mailu.toml")
                .filter(|directory| directory.is_empty() || directory.ends_with(b"/"))
                && entry.kind.is_file()
                && entry.size <= CONFIGURATION
            {
                let mut text = String::new();
                let read = content.read_to_string(&mut text);
                if read.is_ok()
                    && let Ok(parsed) = Config::from_toml(&text)
                {
                    let directory = directory.strip_suffix(b"/").unwrap_or(directory);
                    found.push((directory.to_vec(), parsed.config));
                }
            }
            // `…secrets/mailu/[clients/CLIENT/]HOST`
            let all = parts(&path).unwrap_or_default();
            let at = all
                .windows(2)
                .position(|two| two == [b"secrets" as &[u8], b"mailu"]);
            if let Some(at) = at {
                let length = if all.get(at + 2) == Some(&(b"clients" as &[u8])) {
                    5
                } else {
                    3
                };
                if let Some(directory) = all.get(..at + length) {
                    secrets.insert(directory.join(&b'/'));
                }
            }
            Ok(())
        })?;
        if let Some(host) = wanted.filter(|_| found.len() > 1) {
            found.retain(|(_, config)| config.mail_host == *host);
        }
        let (deployment, config) = match found.as_slice() {
            [one] => one.clone(),
            [] => {
                return Err(archive::foreign(file)
                    .hint("one that was made with `tar` has to have the deployment's directory in it, with its mailu.toml"));
            }
            several => {
                let names: Vec<String> = several
                    .iter()
                    .map(|(_, config)| config.mail_host.to_string())
                    .collect();
                return Err(Error::new(
                    ErrorKind::InvalidInput,
                    "restore.several",
                    format!(
                        "restore {}: there are {} deployments in it",
                        file.display(),
                        several.len()
                    ),
                )
                .hint(format!("name one with `--domain`: {}", names.join(", "))));
            }
        };
        let mut end = b"secrets/mailu/".to_vec();
        if let Some(client) = &config.client {
            end.extend_from_slice(format!("clients/{client}/").as_bytes());
        }
        end.extend_from_slice(config.mail_host.as_str().as_bytes());
        let secrets = secrets.into_iter().find(|path| {
            path.strip_suffix(end.as_slice())
                .is_some_and(|before| before.is_empty() || before.ends_with(b"/"))
        });
        Ok(Self {
            host: config.mail_host.clone(),
            client: config.client.clone(),
            version: config.version.to_string(),
            deployment,
            secrets,
        })
    }

    /// The path of a member as it would be in an archive of ours; nothing for what is not restored.
    fn ours(&self, path: &[u8]) -> Option<Vec<u8>> {
        let (top, rest) = match self.secrets.as_deref().and_then(|at| below(path, at)) {
            Some(rest) => (SECRETS, rest),
            None => (DEPLOYMENT, below(path, &self.deployment)?),
        };
        let mut inside = parts(rest)?
            .into_iter()
            .map(|part| std::str::from_utf8(part).unwrap_or("?"));
        if inside.next() == Some("data")
            && let Some(place) = inside.next()
        {
            let inside: Vec<&str> = inside.collect();
            for (at, name) in inside.iter().enumerate() {
                if left_out(place, inside.get(..at).unwrap_or_default(), name) {
                    return None;
                }
            }
        }
        let mut out = top.as_bytes().to_vec();
        if !rest.is_empty() {
            out.push(b'/');
            out.extend_from_slice(rest);
        }
        Some(out)
    }

    /// Hands over each member of the deployment, as it would be in an archive of ours. A hard link is a file with a target: the member that it
    /// is the same as.
    pub(super) fn each(
        &self,
        file: &Path,
        keys: &Keys,
        visit: &mut Visit<'_>,
    ) -> Result<(), Error> {
        let mut walk = Walk {
            file,
            rules: Rules::default(),
            made: BTreeSet::new(),
            files: BTreeMap::new(),
        };
        Open::new(file, keys)?.each(&mut |entry, content| {
            let Some(path) = normal(&entry.path) else {
                return Err(escapes(file, &entry.path));
            };
            let Some(path) = self.ours(&path) else {
                return Ok(());
            };
            walk.next(self, &path, &entry, content, visit)
        })
    }
}

struct Walk<'f> {
    file: &'f Path,
    rules: Rules,
    made: BTreeSet<Vec<u8>>,
    /// Files that a hard link may lead to.
    files: BTreeMap<Vec<u8>, u64>,
}

impl Walk<'_> {
    fn refused(&self, why: Refused) -> Error {
        archive::refused(self.file, "backup.refused", why)
    }

    fn next(
        &mut self,
        by_hand: &ByHand,
        path: &[u8],
        entry: &Entry,
        content: &mut dyn Read,
        visit: &mut Visit<'_>,
    ) -> Result<(), Error> {
        let mut member = Member {
            path: Member::text(path),
            kind: Kind::File,
            size: entry.size,
            mode: entry.attributes.mode,
            uid: entry.attributes.uid,
            gid: entry.attributes.gid,
            mtime: entry.attributes.mtime,
            sha256: None,
            target: None,
        };
        match entry.kind {
            tar::EntryType::Directory => member.kind = Kind::Directory,
            tar::EntryType::Regular | tar::EntryType::Continuous => {}
            tar::EntryType::Symlink => {
                member.kind = Kind::Link;
                let target = entry.target.as_deref().unwrap_or_default();
                member.target = Some(Member::text(target));
            }
            tar::EntryType::Link => {
                let target = entry.target.as_deref().unwrap_or_default();
                let ours = normal(target).and_then(|target| by_hand.ours(&target));
                let Some((target, size)) =
                    ours.and_then(|target| self.files.get_key_value(&target))
                else {
                    let (name, target) = (member.path, Member::text(target));
                    return Err(self.refused(Refused::LeadsOut(name, target)));
                };
                member.size = *size;
                member.target = Some(Member::text(target));
            }
            // Postfix makes these when it starts.
            tar::EntryType::Fifo if path.starts_with(b"deployment/data/mailqueue/") => {
                return Ok(());
            }
            _ => return Err(self.refused(Refused::Special(member.path))),
        }
        if member.kind == Kind::Directory && self.made.contains(path) {
            return Ok(());
        }
        self.parents(path, visit)?;
        let target = entry
            .target
            .as_deref()
            .filter(|_| member.kind == Kind::Link);
        self.rules
            .next(path, member.kind, member.mode, target)
            .map_err(|why| self.refused(why))?;
        match member.kind {
            Kind::Directory => {
                self.made.insert(path.to_vec());
            }
            Kind::File => {
                self.files.insert(path.to_vec(), member.size);
            }
            Kind::Link => {}
        }
        visit(&member, content)
    }

    /// The directories that something is in, where the archive does not name them before.
    fn parents(&mut self, path: &[u8], visit: &mut Visit<'_>) -> Result<(), Error> {
        for (at, byte) in path.iter().enumerate() {
            let parent = path.get(..at).unwrap_or_default();
            if *byte != b'/' || self.made.contains(parent) {
                continue;
            }
            self.rules
                .next(parent, Kind::Directory, 0o750, None)
                .map_err(|why| self.refused(why))?;
            self.made.insert(parent.to_vec());
            let private = parent.starts_with(SECRETS.as_bytes());
            let made = Member {
                path: Member::text(parent),
                kind: Kind::Directory,
                size: 0,
                mode: if private { 0o700 } else { 0o755 },
                uid: 0,
                gid: 0,
                mtime: 0,
                sha256: None,
                target: None,
            };
            visit(&made, &mut io::empty())?;
        }
        Ok(())
    }
}
