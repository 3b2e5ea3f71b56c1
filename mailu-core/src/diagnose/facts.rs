//! What is looked at for a diagnosis, as plain data. Nobody looked at what is absent.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use ipnet::IpNet;

use super::AppsSeen;
use crate::certs;
use crate::dns;
use crate::finding::Finding;
use crate::start::Seen;
use crate::status;

/// Everything that was looked at.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Observed {
    /// Now, in seconds since 1970.
    pub now: i64,
    /// Today in UTC, `YYYY-MM-DD`.
    pub today: String,
    /// Why the engine does not answer.
    pub engine: Option<Finding>,
    /// Services, queue, disk and backups, as `mailu status` sees them.
    pub status: Option<status::Report>,
    /// What the files say that differs from what this program would write, and what is wrong with that.
    pub files: Option<Files>,
    /// The subnets of Docker networks, by the names that the networks have in `docker-compose.yml`.
    pub networks: Option<BTreeMap<String, Vec<IpNet>>>,
    /// Certificates on disk, and what ports serve.
    pub certificates: Option<certs::Report>,
    /// What ports answer to somebody on this host.
    pub ports: Vec<PortSeen>,
    /// What became of a stranger's attempt to send to another server.
    pub relay: Option<Result<RelaySeen, String>>,
    /// What port 25 says to recipients that every domain has to have, by address.
    pub recipients: BTreeMap<String, Result<Reply, String>>,
    /// What Rspamd signs with, by the name of the record: see [`Signing`].
    pub signing: BTreeMap<String, Signing>,
    /// Whether the deployment's own resolver, or the host's, validates.
    pub resolver: Option<(SocketAddr, Result<bool, String>)>,
    /// What DNS says of the records.
    pub dns: Option<Result<dns::check::Report, String>>,
    /// Findings about the way out on port 25.
    pub outbound: Option<Vec<Finding>>,
    /// What reputation lists say.
    pub lists: Vec<ListSeen>,
    /// How far this host's clock is ahead of that of time servers, in milliseconds.
    pub clock: Option<Result<i64, String>>,
    /// Memory.
    pub memory: Option<Memory>,
    /// File systems that fill.
    pub disks: Vec<Disk>,
    /// What AgencyStack's scripts have left with apps.
    pub apps: Option<AppsSeen>,
    /// Files that hold secrets, and that others than their owner may read.
    pub open_files: Option<Vec<(PathBuf, u32)>>,
}

/// The files of the deployment, compared with what this program would write.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Files {
    /// What is wrong with them.
    pub findings: Vec<Finding>,
    /// What `mailu apply` would do.
    pub steps: Vec<String>,
    /// What connects the containers with each other and with Traefik, and is otherwise than it has to be.
    pub wiring: Vec<Wiring>,
}

/// A setting that connects containers, where it is otherwise than it has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Wiring {
    /// `mailu.env: SUBNET`, or a label of front's.
    pub subject: String,
    /// What stands there.
    pub there: Option<String>,
    /// What belongs there.
    pub wanted: Option<String>,
}

impl Wiring {
    /// A setting.
    pub fn new(subject: impl Into<String>, there: Option<String>, wanted: Option<String>) -> Self {
        Self {
            subject: subject.into(),
            there,
            wanted,
        }
    }
}

/// The key that Rspamd signs an email domain's mail with.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Signing {
    /// The email domain.
    pub domain: String,
    /// The DNS text of the key; or why it gets none, if that is known.
    pub key: Result<String, Option<String>>,
    /// The DNS text of our record.
    pub wanted: String,
}

impl Signing {
    /// What an email domain's mail is signed with.
    pub fn new(
        domain: impl Into<String>,
        key: Result<String, Option<String>>,
        wanted: impl Into<String>,
    ) -> Self {
        Self {
            domain: domain.into(),
            key,
            wanted: wanted.into(),
        }
    }
}

/// What a port answered.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PortSeen {
    /// The port, as clients know it.
    pub port: u16,
    /// Where it was tried; nothing where it leads nowhere.
    pub place: Option<SocketAddr>,
    /// What it said, or why it said nothing.
    pub said: Result<Greeting, Unsaid>,
}

/// Why a port said nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unsaid {
    /// Nobody took the connection.
    Unreached(String),
    /// Somebody took it, and did not greet.
    Silent(String),
}

impl PortSeen {
    /// A port that was tried.
    pub fn new(port: u16, place: Option<SocketAddr>, said: Result<Greeting, Unsaid>) -> Self {
        Self { port, place, said }
    }
}

/// How a port greets.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Greeting {
    /// Its first line.
    pub banner: String,
    /// What it offers before there is encryption: SMTP extensions, IMAP or POP3 capabilities, in capital letters.
    pub plain: Vec<String>,
    /// What it offers afterwards; or why encryption did not come about. Nothing where that was not tried.
    pub encrypted: Option<Result<Vec<String>, String>>,
}

/// What became of an attempt to relay.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RelaySeen {
    /// Where it was tried.
    pub place: SocketAddr,
    /// The answer to the recipient.
    pub reply: Reply,
    /// Whom Postfix took the client for.
    pub client: Option<IpAddr>,
    /// What addresses of the engine's mean.
    pub known: Seen,
}

impl RelaySeen {
    /// An attempt.
    pub fn new(place: SocketAddr, reply: Reply, client: Option<IpAddr>, known: Seen) -> Self {
        Self {
            place,
            reply,
            client,
            known,
        }
    }
}

/// An answer of an SMTP server.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reply {
    /// Its code.
    pub code: u16,
    /// Its words.
    pub text: String,
}

impl Reply {
    /// An answer.
    pub fn new(code: u16, text: impl Into<String>) -> Self {
        Self {
            code,
            text: text.into(),
        }
    }
}

/// What a reputation list says of an address or a domain.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ListSeen {
    /// The list's zone.
    pub zone: &'static str,
    /// The address or domain.
    pub subject: String,
    /// What it says of its test entries: the one that it must list, and the one that it must not.
    pub tests: [Result<Vec<IpAddr>, String>; 2],
    /// What it says of the subject.
    pub answer: Result<Vec<IpAddr>, String>,
}

impl ListSeen {
    /// What a list said.
    pub fn new(
        zone: &'static str,
        subject: impl Into<String>,
        tests: [Result<Vec<IpAddr>, String>; 2],
        answer: Result<Vec<IpAddr>, String>,
    ) -> Self {
        Self {
            zone,
            subject: subject.into(),
            tests,
            answer,
        }
    }
}

/// Memory, in bytes.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Memory {
    /// All of it.
    pub total: u64,
    /// What programs could still get.
    pub available: u64,
}

impl Memory {
    /// So much.
    pub fn new(total: u64, available: u64) -> Self {
        Self { total, available }
    }
}

/// A file system.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Disk {
    /// What lies there.
    pub holds: &'static str,
    /// Where.
    pub path: PathBuf,
    /// Its size in bytes.
    pub total: u64,
    /// What is free of it.
    pub free: u64,
    /// How many files it can hold; 0 where there is no limit.
    pub files: u64,
    /// How many more.
    pub free_files: u64,
}

impl Disk {
    /// A file system with room for any number of files.
    pub fn new(holds: &'static str, path: impl Into<PathBuf>, total: u64, free: u64) -> Self {
        Self {
            holds,
            path: path.into(),
            total,
            free,
            files: 0,
            free_files: 0,
        }
    }
}
