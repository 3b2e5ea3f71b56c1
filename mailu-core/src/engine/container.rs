//! A container as the engine describes it, as plain data.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use serde::Serialize;

/// What a container is doing, in Docker's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "ContainerState")
)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum State {
    /// Made, and never started.
    Created,
    /// Running.
    Running,
    /// Stopped for the time being.
    Paused,
    /// It ended, and the engine is about to start it again.
    Restarting,
    /// Being removed.
    Removing,
    /// It ended.
    Exited,
    /// It could not be removed.
    Dead,
}

impl State {
    /// As Docker writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Restarting => "restarting",
            Self::Removing => "removing",
            Self::Exited => "exited",
            Self::Dead => "dead",
        }
    }
}

/// What a container's health check says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Health {
    /// It has none.
    None,
    /// It did not succeed yet, and may still take its time.
    Starting,
    /// It succeeds.
    Healthy,
    /// It failed several times in a row.
    Unhealthy,
}

impl Health {
    /// As Docker writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Starting => "starting",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
        }
    }
}

/// A port of the host that leads to a container.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Published {
    /// Address of the host; unspecified (`0.0.0.0`, `::`) for all of them.
    pub address: IpAddr,
    /// Port of the host.
    pub port: u16,
    /// Port in the container.
    pub container_port: u16,
}

impl Published {
    /// A published TCP port.
    pub fn new(address: IpAddr, port: u16, container_port: u16) -> Self {
        Self {
            address,
            port,
            container_port,
        }
    }
}

/// A container.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Container {
    /// Its identifier.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The Compose project that it belongs to.
    pub project: Option<String>,
    /// Its service in that project.
    pub service: Option<String>,
    /// The image's name, as it was asked for.
    pub image: String,
    /// The identifier (`sha256:…`) of the image that it was made from.
    pub image_id: String,
    /// What it is doing.
    pub state: State,
    /// What its health check says.
    pub health: Health,
    /// The last words of its health check, where that failed.
    pub health_output: Option<String>,
    /// When it was made, RFC 3339.
    pub created_at: Option<String>,
    /// When it was last started, RFC 3339.
    pub started_at: Option<String>,
    /// When it last ended, RFC 3339.
    pub finished_at: Option<String>,
    /// How it last ended.
    pub exit_code: Option<i64>,
    /// Whether the kernel ended it for want of memory.
    pub out_of_memory: bool,
    /// Why the engine could not start it.
    pub error: Option<String>,
    /// How often the engine has started it again by itself.
    pub restarts: u64,
    /// The TCP ports of the host that lead to it.
    pub published: Vec<Published>,
    /// Its networks by name, with its address in each.
    pub networks: BTreeMap<String, Option<IpAddr>>,
    /// Its labels.
    #[serde(skip)]
    pub labels: BTreeMap<String, String>,
    /// What it runs: program and arguments. They may hold secrets, so that they are not handed on.
    #[serde(skip)]
    pub command: Vec<String>,
    /// Its environment. It holds secrets, so that it is not handed on.
    #[serde(skip)]
    pub environment: BTreeMap<String, String>,
    /// Directories and files of the host in it: where on the host, where in the container.
    pub mounts: Vec<(String, String)>,
    /// The network mode, such as `host`.
    pub network_mode: Option<String>,
}

impl Container {
    /// A container that runs, without anything else known of it.
    pub fn new(name: impl Into<String>, image: impl Into<String>) -> Self {
        Self {
            id: String::new(),
            name: name.into(),
            project: None,
            service: None,
            image: image.into(),
            image_id: String::new(),
            state: State::Running,
            health: Health::None,
            health_output: None,
            created_at: None,
            started_at: None,
            finished_at: None,
            exit_code: None,
            out_of_memory: false,
            error: None,
            restarts: 0,
            published: Vec::new(),
            networks: BTreeMap::new(),
            labels: BTreeMap::new(),
            command: Vec::new(),
            environment: BTreeMap::new(),
            mounts: Vec::new(),
            network_mode: None,
        }
    }

    /// Whether it runs, and its health check, if it has one, succeeds.
    pub fn is_well(&self) -> bool {
        self.state == State::Running && matches!(self.health, Health::None | Health::Healthy)
    }
}

/// Of what may hold secrets, only the names.
impl fmt::Debug for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Container")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("project", &self.project)
            .field("service", &self.service)
            .field("image", &self.image)
            .field("image_id", &self.image_id)
            .field("state", &self.state)
            .field("health", &self.health)
            .field("created_at", &self.created_at)
            .field("started_at", &self.started_at)
            .field("finished_at", &self.finished_at)
            .field("exit_code", &self.exit_code)
            .field("out_of_memory", &self.out_of_memory)
            .field("error", &self.error)
            .field("restarts", &self.restarts)
            .field("published", &self.published)
            .field("networks", &self.networks)
            .field("labels", &self.labels.keys())
            .field("environment", &self.environment.keys())
            .field("mounts", &self.mounts)
            .field("network_mode", &self.network_mode)
            .finish_non_exhaustive()
    }
}

/// An image that the engine has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Image {
    /// Its identifier (`sha256:…`).
    pub id: String,
    /// Its digests in registries, `NAME@sha256:…`; none for an image that was made here.
    pub digests: Vec<String>,
}

/// What a container uses at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Usage {
    /// Share of one processor, in percent; more than 100 with several.
    pub cpu_percent: Option<f64>,
    /// Memory in bytes, without the page cache.
    pub memory: Option<u64>,
    /// How much memory it may have, in bytes.
    pub memory_limit: Option<u64>,
}

impl Usage {
    /// Both readings, as far as the engine has them.
    pub fn new(cpu_percent: Option<f64>, memory: Option<u64>, memory_limit: Option<u64>) -> Self {
        Self {
            cpu_percent,
            memory,
            memory_limit,
        }
    }
}

impl Image {
    /// An image.
    pub fn new(id: impl Into<String>, digests: Vec<String>) -> Self {
        Self {
            id: id.into(),
            digests,
        }
    }
}
