//! What the host gathers for the judgement, as plain data.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use ipnet::IpNet;

use super::traefik::Settings;
use crate::engine::Container;
use crate::finding::Finding;

/// Everything that was looked at. What is absent could not be looked at, or did not have to be.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Facts {
    /// The deployment's directory.
    pub directory: PathBuf,
    /// The same without links, which Compose may note in its place.
    pub real_directory: Option<PathBuf>,
    /// Whether this process may do everything.
    pub privileged: bool,
    /// The container engine, or why it cannot be asked.
    pub engine: Option<Result<EngineFacts, String>>,
    /// The version of Compose.
    pub compose: Option<String>,
    /// What came of taking each address and port that is needed.
    pub binds: Vec<Bind>,
    /// Who listens on this host.
    pub listeners: Vec<Listener>,
    /// The addresses of this host's interfaces.
    pub addresses: Vec<IpAddr>,
    /// What the DNS says of the names that have to lead here.
    pub lookups: BTreeMap<String, Lookup>,
    /// Memory in bytes.
    pub memory: Option<u64>,
    /// The file systems that will fill.
    pub disks: Vec<Disk>,
    /// What servers of the DNS answered.
    pub dnssec: Vec<DnsProbe>,
    /// What mail servers outside answered.
    pub outbound: Vec<MailProbe>,
    /// Whether there is a systemd journal.
    pub journal: bool,
    /// How the engine was told to treat packets.
    pub daemon: Daemon,
    /// The Traefik that runs here.
    pub traefik: Option<TraefikFacts>,
    /// What settling the configuration found.
    pub settled: Vec<Finding>,
}

/// What the container engine says of itself and has.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct EngineFacts {
    /// Its version: `28.2.2`.
    pub version: String,
    /// Where it is, if that is another host.
    pub remote: Option<String>,
    /// Whether it is Docker, and not something that speaks like it.
    pub other: Option<String>,
    /// Whether it runs without root's rights.
    pub rootless: bool,
    /// Where it keeps images and containers.
    pub directory: Option<PathBuf>,
    /// Its log drivers.
    pub log_drivers: Vec<String>,
    /// Its containers.
    pub containers: Vec<Container>,
    /// Its networks.
    pub networks: Vec<NetworkFacts>,
}

/// A network of the engine.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct NetworkFacts {
    /// Its name.
    pub name: String,
    /// The Compose project that made it.
    pub project: Option<String>,
    /// Its addresses.
    pub subnets: Vec<IpNet>,
    /// The engine's own addresses in it.
    pub gateways: Vec<IpAddr>,
}

impl NetworkFacts {
    /// A network.
    pub fn new(name: impl Into<String>, project: Option<String>, subnets: Vec<IpNet>) -> Self {
        Self {
            name: name.into(),
            project,
            subnets,
            gateways: Vec::new(),
        }
    }
}

/// What came of taking a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Taken {
    /// It was free.
    No,
    /// Somebody has it.
    Yes,
    /// The address is none of this host's.
    Elsewhere,
    /// It cannot be told.
    Unknown,
}

/// An attempt at a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bind {
    /// Where.
    pub at: SocketAddr,
    /// What came of it.
    pub taken: Taken,
}

impl Bind {
    /// What came of taking a port.
    pub fn new(at: SocketAddr, taken: Taken) -> Self {
        Self { at, taken }
    }
}

/// A program that listens.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listener {
    /// Where.
    pub at: SocketAddr,
    /// The program's name and process number, where those can be seen.
    pub process: Option<(String, i32)>,
    /// The identifier of the container that it runs in.
    pub container: Option<String>,
}

impl Listener {
    /// Somebody who listens.
    pub fn new(at: SocketAddr, process: Option<(String, i32)>, container: Option<String>) -> Self {
        Self {
            at,
            process,
            container,
        }
    }
}

/// What the DNS says of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lookup {
    /// It has addresses, perhaps by way of an alias; none if it exists without.
    Found {
        /// The addresses.
        addresses: Vec<IpAddr>,
        /// The name that it is an alias of.
        alias: Option<String>,
    },
    /// There is no such name.
    Absent,
    /// Nobody could say.
    Failed(String),
}

impl Lookup {
    /// A name with addresses of its own.
    pub fn found(addresses: Vec<IpAddr>) -> Self {
        Self::Found {
            addresses,
            alias: None,
        }
    }
}

/// Room on a file system.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Disk {
    /// What will be there.
    pub holds: Holds,
    /// Where.
    pub path: PathBuf,
    /// Which file system it is.
    pub device: u64,
    /// Free bytes.
    pub free: u64,
    /// Free places for files; absent on file systems that have no limit.
    pub free_files: Option<u64>,
}

/// What lies on a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Holds {
    /// Configuration and mail.
    Mail,
    /// The engine's images.
    Images,
}

impl Disk {
    /// A file system.
    pub fn new(holds: Holds, path: impl Into<PathBuf>, device: u64, free: u64) -> Self {
        Self {
            holds,
            path: path.into(),
            device,
            free,
            free_files: None,
        }
    }
}

/// A question to a server of the DNS.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DnsProbe {
    /// The server.
    pub server: SocketAddr,
    /// What it answered, or why it did not.
    pub answer: Result<DnsAnswer, String>,
}

/// What matters of an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DnsAnswer {
    /// The server speaks of its own zone.
    pub authoritative: bool,
    /// The server has validated the answer.
    pub authentic: bool,
    /// There are signatures.
    pub signed: bool,
}

impl DnsAnswer {
    /// An answer.
    pub fn new(authoritative: bool, authentic: bool, signed: bool) -> Self {
        Self {
            authoritative,
            authentic,
            signed,
        }
    }
}

impl DnsProbe {
    /// A question and its answer.
    pub fn new(server: SocketAddr, answer: Result<DnsAnswer, String>) -> Self {
        Self { server, answer }
    }
}

/// A call at a mail server.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MailProbe {
    /// Whom.
    pub target: String,
    /// How it greeted, or why nobody did.
    pub answer: Result<String, Unanswered>,
}

/// Why nobody answered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unanswered {
    /// Its address could not be found.
    Unresolved(String),
    /// It could not be reached.
    Unreached(String),
}

impl MailProbe {
    /// A call.
    pub fn new(target: impl Into<String>, answer: Result<String, Unanswered>) -> Self {
        Self {
            target: target.into(),
            answer,
        }
    }
}

/// How the engine was told to treat packets: its configuration file and its arguments. Absent: not told, or not to be seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Daemon {
    /// Whether a process of its own passes connections on where the kernel cannot. On by default.
    pub userland_proxy: Option<bool>,
    /// Whether it makes rules for IPv4. On by default.
    pub iptables: Option<bool>,
    /// Whether it makes rules for IPv6. On by default since 27.
    pub ip6tables: Option<bool>,
}

/// The Traefik that runs here.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TraefikFacts {
    /// Its container.
    pub container: Container,
    /// Its static configuration, or why that cannot be read.
    pub settings: Result<Settings, String>,
    /// The permission bits of the store of its certificates on the host, if that exists.
    pub store_mode: Option<u32>,
    /// Whether `traefik.acme_store` leads to that same file, perhaps by another path.
    pub store_is_configured: bool,
}

impl TraefikFacts {
    /// A Traefik.
    pub fn new(container: Container, settings: Result<Settings, String>) -> Self {
        Self {
            container,
            settings,
            store_mode: None,
            store_is_configured: false,
        }
    }
}
