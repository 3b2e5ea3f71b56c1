//! The container engine, over its API. No other file names bollard.

use std::collections::HashMap;
use std::future::Future;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use bollard::container::LogOutput;
use bollard::exec::StartExecResults;
use bollard::models::{
    ContainerCreateBody, ContainerInspectResponse, ContainerStateStatusEnum,
    ContainerStatsResponse, ExecConfig, HealthConfig, HealthStatusEnum, HostConfig,
    HostConfigLogConfig, Ipam, IpamConfig, NetworkCreateRequest,
};
use bollard::query_parameters::{
    CreateContainerOptions, InspectContainerOptions, KillContainerOptions, ListContainersOptions,
    ListNetworksOptions, LogsOptions, RemoveContainerOptions, RestartContainerOptions,
    StartContainerOptions, StatsOptions, StopContainerOptions, WaitContainerOptions,
};
use futures_util::stream::{self, StreamExt as _};
use ipnet::{IpNet, Ipv6Net};
use tokio::io::AsyncWriteExt as _;

use crate::engine::{Container, Engine, EngineNetwork, Health, Image, Published, State, Usage};
use crate::error::{Error, ErrorKind};
use crate::preflight::{EngineFacts, NetworkFacts};

/// How long the engine may take to answer. It is asked on the way, so a slow one must not hold anybody up.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long starting, stopping or describing a container may take.
const LONG_PATIENCE: Duration = Duration::from_secs(120);

/// Where the engine listens: `DOCKER_HOST`, or Docker's usual socket.
pub(super) fn address() -> String {
    std::env::var("DOCKER_HOST")
        .ok()
        .filter(|host| !host.is_empty())
        .unwrap_or_else(|| "unix:///var/run/docker.sock".to_owned())
}

/// Whether there is an engine at [`address`], be it that it does not answer.
pub(super) fn is_there() -> bool {
    address()
        .strip_prefix("unix://")
        .is_none_or(|socket| Path::new(socket).exists())
}

/// Whether an address is where Docker listens unless it is told otherwise.
pub(super) fn is_usual(address: &str) -> bool {
    matches!(
        address,
        "unix:///var/run/docker.sock" | "unix:///run/docker.sock"
    )
}

/// The engine's answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Answer {
    pub(super) engine: Engine,
    pub(super) networks6: Vec<Ipv6Net>,
}

/// Where an engine is that does not run on this host.
fn remote(address: &str) -> Option<String> {
    let (scheme, rest) = address.split_once("://")?;
    if matches!(scheme, "unix" | "npipe") {
        return None;
    }
    let host = rest.rsplit('@').next()?.split(['/', ':']).next()?;
    let here = host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback());
    (!here).then(|| format!("{scheme}://{}", rest.rsplit('@').next().unwrap_or(rest)))
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
}

/// What the engine says of itself; nothing if none answers.
pub(super) fn ask() -> Option<Answer> {
    let host = address();
    if !is_there() {
        return None;
    }
    runtime().ok()?.block_on(async {
        tokio::time::timeout(PATIENCE, ask_at(&host))
            .await
            .ok()?
            .ok()
    })
}

async fn ask_at(host: &str) -> Result<Answer, bollard::errors::Error> {
    let docker = bollard::Docker::connect_with_host(host)?
        .negotiate_version()
        .await?;
    let mut answer = Answer::default();
    answer.engine.major = docker
        .version()
        .await?
        .version
        .and_then(|version| version.split('.').next()?.parse().ok());
    for network in docker.list_networks(None::<ListNetworksOptions>).await? {
        let name = network.name.unwrap_or_default();
        for config in network
            .ipam
            .and_then(|ipam| ipam.config)
            .into_iter()
            .flatten()
        {
            match config.subnet.and_then(|subnet| subnet.parse().ok()) {
                Some(IpNet::V4(subnet)) => {
                    let mut one = EngineNetwork::new(&name, subnet);
                    one.range = config.ip_range.and_then(|range| range.parse().ok());
                    one.gateway = config.gateway.and_then(|gateway| gateway.parse().ok());
                    answer.engine.networks.push(one);
                }
                Some(IpNet::V6(subnet)) => answer.networks6.push(subnet),
                None => {}
            }
        }
    }
    Ok(answer)
}

/// A line that a container wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LogLine {
    /// The container's name.
    pub(super) container: String,
    /// When, RFC 3339 in UTC with nanoseconds, as the engine writes it.
    pub(super) at: String,
    /// The line, without its end.
    pub(super) text: String,
}

/// Which lines of a container are wanted.
#[derive(Debug, Clone, Default)]
pub(super) struct LogWish {
    /// The last so many; all of them without.
    pub(super) tail: Option<u64>,
    /// Only since then, in seconds of Unix time.
    pub(super) since: Option<i64>,
    /// Whether to go on with what is written from now on.
    pub(super) follow: bool,
}

impl LogWish {
    /// As the engine is asked for it.
    fn options(&self) -> LogsOptions {
        LogsOptions {
            follow: self.follow,
            stdout: true,
            stderr: true,
            since: self
                .since
                .and_then(|since| i32::try_from(since).ok())
                .unwrap_or_default(),
            timestamps: true,
            tail: self
                .tail
                .map_or_else(|| "all".to_owned(), |count| count.to_string()),
            ..LogsOptions::default()
        }
    }
}

/// How a program in a container ended.
#[derive(Debug, Clone)]
pub(super) struct Executed {
    pub(super) code: i64,
    pub(super) out: String,
    pub(super) err: String,
}

/// A connection to an engine that answers.
pub(super) struct Docker {
    runtime: tokio::runtime::Runtime,
    api: bollard::Docker,
}

impl std::fmt::Debug for Docker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Docker").finish_non_exhaustive()
    }
}

impl Docker {
    /// Connects to the engine at [`address`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Docker`], `engine.unreachable`.
    pub(super) fn connect() -> Result<Self, Error> {
        let host = address();
        let unreachable = || {
            Error::new(
                ErrorKind::Docker,
                "engine.unreachable",
                format!("talk to the Docker engine at {host}: it does not answer"),
            )
            .hint("start it: `systemctl start docker`; `docker info` shows whether it runs")
            .hint("where Docker is not installed yet: `mailu install --with-deps` installs it")
        };
        let runtime = runtime().map_err(|error| unreachable().source(error))?;
        let api = runtime
            .block_on(async {
                tokio::time::timeout(PATIENCE, async {
                    let api = bollard::Docker::connect_with_host(&host)?
                        .negotiate_version()
                        .await?;
                    // Negotiating alone does not tell that somebody is there.
                    api.ping().await?;
                    Ok::<_, bollard::errors::Error>(api)
                })
                .await
            })
            .map_err(|error| unreachable().source(error))?
            .map_err(|error| unreachable().source(error))?;
        Ok(Self { runtime, api })
    }

    fn wait<T>(
        &self,
        doing: &str,
        patience: Duration,
        what: impl Future<Output = Result<T, bollard::errors::Error>>,
    ) -> Result<T, Error> {
        self.runtime
            .block_on(async { tokio::time::timeout(patience, what).await })
            .map_err(|_| {
                Error::new(
                    ErrorKind::Docker,
                    "engine.slow",
                    format!(
                        "{doing}: the Docker engine did not answer within {} seconds",
                        patience.as_secs()
                    ),
                )
                .hint("`docker info` and `journalctl -u docker` show what it is doing")
            })?
            .map_err(|error| {
                Error::new(ErrorKind::Docker, "engine.refused", doing.to_owned()).source(error)
            })
    }

    /// The engine's version: `28.2.2`.
    pub(super) fn version(&self) -> Result<String, Error> {
        let version = self.wait("ask Docker for its version", PATIENCE, self.api.version())?;
        Ok(version.version.unwrap_or_default())
    }

    /// Every container of the host, those that do not run included, in order of their names.
    pub(super) fn containers(&self) -> Result<Vec<Container>, Error> {
        self.matching(HashMap::new())
    }

    /// What the pre-flight checks want to know: version and kind, directory, log drivers, containers, networks.
    pub(super) fn engine_facts(&self) -> Result<EngineFacts, Error> {
        let version = self.wait("ask Docker for its version", PATIENCE, self.api.version())?;
        let info = self.wait("ask Docker about itself", PATIENCE, self.api.info())?;
        let mut facts = EngineFacts::default();
        let name = |component: &bollard::models::SystemVersionComponents| {
            let name = component.name.clone();
            name.to_ascii_lowercase().contains("podman").then_some(name)
        };
        facts.other = version.components.iter().flatten().find_map(name);
        facts.version = version.version.or(info.server_version).unwrap_or_default();
        facts.remote = remote(&address());
        facts.rootless = info
            .security_options
            .iter()
            .flatten()
            .any(|option| option.split(',').any(|part| part == "name=rootless"));
        facts.directory = info.docker_root_dir.map(std::path::PathBuf::from);
        facts.log_drivers = info
            .plugins
            .and_then(|plugins| plugins.log)
            .unwrap_or_default();
        let networks = self.wait(
            "list the networks",
            PATIENCE,
            self.api.list_networks(None::<ListNetworksOptions>),
        )?;
        for network in networks {
            let project = network
                .labels
                .as_ref()
                .and_then(|labels| labels.get("com.docker.compose.project").cloned());
            let pools = network
                .ipam
                .and_then(|ipam| ipam.config)
                .unwrap_or_default();
            let subnets = pools
                .iter()
                .filter_map(|pool| pool.subnet.as_ref()?.parse().ok())
                .collect();
            let mut one = NetworkFacts::new(network.name.unwrap_or_default(), project, subnets);
            one.gateways = pools
                .iter()
                .filter_map(|pool| pool.gateway.as_ref()?.parse().ok())
                .collect();
            facts.networks.push(one);
        }
        facts.containers = self.containers()?;
        Ok(facts)
    }

    /// The containers of a Compose project, in order of their names.
    pub(super) fn project(&self, project: &str) -> Result<Vec<Container>, Error> {
        let label = format!("com.docker.compose.project={project}");
        self.matching(HashMap::from([("label".to_owned(), vec![label])]))
    }

    fn matching(&self, filters: HashMap<String, Vec<String>>) -> Result<Vec<Container>, Error> {
        let options = ListContainersOptions {
            all: true,
            filters: Some(filters),
            ..ListContainersOptions::default()
        };
        let mut all = self.wait("list the containers", LONG_PATIENCE, async {
            let mut all = Vec::new();
            for summary in self.api.list_containers(Some(options)).await? {
                let Some(id) = summary.id else { continue };
                match self
                    .api
                    .inspect_container(&id, None::<InspectContainerOptions>)
                    .await
                {
                    Ok(there) => all.push(container(there)),
                    // It went away in between.
                    Err(error) if is_absent(&error) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(all)
        })?;
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    /// A container by name or identifier.
    pub(super) fn container(&self, name: &str) -> Result<Option<Container>, Error> {
        self.wait(&format!("look at the container {name}"), PATIENCE, async {
            match self
                .api
                .inspect_container(name, None::<InspectContainerOptions>)
                .await
            {
                Ok(there) => Ok(Some(container(there))),
                Err(error) if is_absent(&error) => Ok(None),
                Err(error) => Err(error),
            }
        })
    }

    /// An image by name, if the engine has it.
    pub(super) fn image(&self, name: &str) -> Result<Option<Image>, Error> {
        self.wait(&format!("look for the image {name}"), PATIENCE, async {
            match self.api.inspect_image(name).await {
                Ok(image) => Ok(Some(Image::new(
                    image.id.unwrap_or_default(),
                    image.repo_digests.unwrap_or_default(),
                ))),
                Err(error) if is_absent(&error) => Ok(None),
                Err(error) => Err(error),
            }
        })
    }

    /// Starts a container.
    pub(super) fn start(&self, name: &str) -> Result<(), Error> {
        self.wait(
            &format!("start the container {name}"),
            LONG_PATIENCE,
            self.api
                .start_container(name, None::<StartContainerOptions>),
        )
    }

    /// Stops a container, which has `grace` seconds to end by itself.
    pub(super) fn stop(&self, name: &str, grace: i32) -> Result<(), Error> {
        let options = StopContainerOptions {
            t: Some(grace),
            ..StopContainerOptions::default()
        };
        self.wait(
            &format!("stop the container {name}"),
            LONG_PATIENCE,
            self.api.stop_container(name, Some(options)),
        )
    }

    /// Restarts a container, which has `grace` seconds to end by itself.
    pub(super) fn restart(&self, name: &str, grace: i32) -> Result<(), Error> {
        let options = RestartContainerOptions {
            t: Some(grace),
            ..RestartContainerOptions::default()
        };
        self.wait(
            &format!("restart the container {name}"),
            LONG_PATIENCE,
            self.api.restart_container(name, Some(options)),
        )
    }

    /// Sends a signal to a container's first process.
    pub(super) fn signal(&self, name: &str, signal: &str) -> Result<(), Error> {
        let options = KillContainerOptions {
            signal: signal.to_owned(),
        };
        self.wait(
            &format!("send {signal} to the container {name}"),
            LONG_PATIENCE,
            self.api.kill_container(name, Some(options)),
        )
    }

    /// Freezes a container: none of its processes gets time.
    pub(super) fn pause(&self, name: &str) -> Result<(), Error> {
        self.wait(
            &format!("freeze the container {name}"),
            LONG_PATIENCE,
            self.api.pause_container(name),
        )
    }

    /// Lets a frozen container go on. One that does is no error.
    pub(super) fn unpause(&self, name: &str) -> Result<(), Error> {
        self.wait(
            &format!("let the container {name} go on"),
            LONG_PATIENCE,
            async {
                match self.api.unpause_container(name).await {
                    Err(error) if is_absent(&error) || is_conflict(&error) => Ok(()),
                    other => other,
                }
            },
        )
    }

    /// What a running container uses. Takes about a second: the engine compares two readings.
    pub(super) fn usage(&self, names: &[String]) -> HashMap<String, Usage> {
        let all = async {
            stream::iter(names)
                .map(|name| async move {
                    let options = StatsOptions {
                        stream: false,
                        one_shot: false,
                    };
                    let mut readings = std::pin::pin!(self.api.stats(name, Some(options)));
                    let reading = readings.next().await?.ok()?;
                    Some((name.clone(), usage(&reading)))
                })
                .buffer_unordered(32)
                .filter_map(|one| async { one })
                .collect()
                .await
        };
        self.runtime
            .block_on(async { tokio::time::timeout(2 * PATIENCE, all).await })
            .unwrap_or_default()
    }

    /// Hands over the lines of `containers`, each container's in order; with `follow`, until `each` breaks or all have ended.
    pub(super) fn logs(
        &self,
        containers: &[String],
        wish: &LogWish,
        each: &mut dyn FnMut(LogLine) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let streams = containers.iter().map(|name| {
            self.api
                .logs(name, Some(wish.options()))
                .map(move |output| (name, output))
                .boxed_local()
        });
        let mut lines = stream::select_all(streams);
        self.runtime.block_on(async {
            while let Some((name, output)) = lines.next().await {
                let output = output.map_err(|error| {
                    Error::new(
                        ErrorKind::Docker,
                        "engine.logs",
                        format!("read the log of the container {name}"),
                    )
                    .source(error)
                })?;
                for line in String::from_utf8_lossy(&output.into_bytes()).lines() {
                    let (at, text) = line.split_once(' ').unwrap_or((line, ""));
                    let line = LogLine {
                        container: name.clone(),
                        at: at.to_owned(),
                        text: text.to_owned(),
                    };
                    if each(line).is_break() {
                        return Ok(());
                    }
                }
            }
            Ok(())
        })
    }

    /// Runs a program in a container, hands it `input`, and waits for it. Secrets go through `input`, never through `command`.
    pub(super) fn execute(
        &self,
        name: &str,
        command: &[&str],
        input: Option<&[u8]>,
        patience: Duration,
    ) -> Result<Executed, Error> {
        self.execute_as(name, None, command, input, patience)
    }

    /// As [`Docker::execute`], as a certain user of the container.
    pub(super) fn execute_as(
        &self,
        name: &str,
        user: Option<&str>,
        command: &[&str],
        input: Option<&[u8]>,
        patience: Duration,
    ) -> Result<Executed, Error> {
        let config = ExecConfig {
            user: user.map(str::to_owned),
            attach_stdin: Some(input.is_some()),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(command.iter().map(|part| (*part).to_owned()).collect()),
            ..ExecConfig::default()
        };
        let doing = format!("run `{}` in the container {name}", command.join(" "));
        self.wait(&doing, patience, async {
            let made = self.api.create_exec(name, config).await?;
            let mut out = Vec::new();
            let mut err = Vec::new();
            if let StartExecResults::Attached {
                mut output,
                input: mut writer,
            } = self.api.start_exec(&made.id, None).await?
            {
                let write = async {
                    if let Some(input) = input {
                        // A program that does not read all of it says itself what it did not like.
                        let _ = writer.write_all(input).await;
                    }
                    let _ = writer.shutdown().await;
                };
                let read = async {
                    while let Some(piece) = output.next().await {
                        match piece? {
                            LogOutput::StdErr { message } => err.extend_from_slice(&message),
                            piece => out.extend_from_slice(&piece.into_bytes()),
                        }
                    }
                    Ok::<(), bollard::errors::Error>(())
                };
                let ((), read) = futures_util::join!(write, read);
                read?;
            }
            let ended = self.api.inspect_exec(&made.id).await?;
            Ok(Executed {
                code: ended.exit_code.unwrap_or(-1),
                out: String::from_utf8_lossy(&out).into_owned(),
                err: String::from_utf8_lossy(&err).into_owned(),
            })
        })
    }
}

/// For what goes on in a container without whoever began it.
impl Docker {
    /// The programs that were begun in a container and have not ended, as their words. They go on when whoever began them is killed.
    pub(super) fn programs(&self, name: &str) -> Result<Vec<Vec<String>>, Error> {
        let doing = format!("look at what runs in the container {name}");
        self.wait(&doing, LONG_PATIENCE, async {
            let options = None::<InspectContainerOptions>;
            let there = self.api.inspect_container(name, options).await?;
            let mut all = Vec::new();
            for id in there.exec_ids.into_iter().flatten() {
                let exec = match self.api.inspect_exec(&id).await {
                    Ok(exec) => exec,
                    Err(error) if is_absent(&error) => continue,
                    Err(error) => return Err(error),
                };
                if exec.running == Some(true)
                    && let Some(process) = exec.process_config
                {
                    let mut words: Vec<String> = process.entrypoint.into_iter().collect();
                    words.extend(process.arguments.into_iter().flatten());
                    all.push(words);
                }
            }
            Ok(all)
        })
    }
}

/// The label of a container that only looks at something, and is removed afterwards.
const LOOKER: &str = "mailu.looks-from";

/// For looking at the world as a container sees it.
impl Docker {
    /// Runs `command` in a container of its own that has the network of the container `whose`: its addresses, its resolver, its `/etc/hosts`. It is
    /// made of an image that is here, keeps nothing, and is gone afterwards.
    pub(super) fn run_beside(
        &self,
        whose: &Container,
        image: &str,
        command: &[&str],
        patience: Duration,
    ) -> Result<Executed, Error> {
        let doing = format!("look at the network from the container {}", whose.name);
        let remove = |id: &str| {
            let options = RemoveContainerOptions {
                force: true,
                v: true,
                ..RemoveContainerOptions::default()
            };
            self.wait(&doing, LONG_PATIENCE, async {
                match self.api.remove_container(id, Some(options)).await {
                    Err(error) if !is_absent(&error) => Err(error),
                    _ => Ok(()),
                }
            })
        };
        // What a killed run has left.
        let label = format!("{LOOKER}={}", whose.name);
        for left in self.matching(HashMap::from([("label".to_owned(), vec![label])]))? {
            if left.state != State::Running {
                remove(&left.id)?;
            }
        }
        let mut words = command.iter().map(|word| (*word).to_owned());
        let request = ContainerCreateBody {
            image: Some(image.to_owned()),
            entrypoint: words.next().map(|program| vec![program]),
            cmd: Some(words.collect()),
            // The image's own would be tried meanwhile.
            healthcheck: Some(HealthConfig {
                test: Some(vec!["NONE".to_owned()]),
                ..HealthConfig::default()
            }),
            labels: Some(HashMap::from([(LOOKER.to_owned(), whose.name.clone())])),
            host_config: Some(HostConfig {
                network_mode: Some(format!("container:{}", whose.id)),
                cap_drop: Some(vec!["ALL".to_owned()]),
                readonly_rootfs: Some(true),
                log_config: Some(HostConfigLogConfig {
                    typ: Some("json-file".to_owned()),
                    config: None,
                }),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        };
        let made = self.wait(
            &doing,
            LONG_PATIENCE,
            self.api
                .create_container(None::<CreateContainerOptions>, request),
        )?;
        let ran = self.wait(&doing, patience, async {
            self.api
                .start_container(&made.id, None::<StartContainerOptions>)
                .await?;
            let mut ended = self
                .api
                .wait_container(&made.id, None::<WaitContainerOptions>);
            let code = match ended.next().await {
                Some(Ok(end)) => end.status_code,
                // A program that fails is an error for this library.
                Some(Err(bollard::errors::Error::DockerContainerWaitError { code, .. })) => code,
                Some(Err(error)) => return Err(error),
                None => -1,
            };
            let mut lines = self.api.logs(
                &made.id,
                Some(LogsOptions {
                    stdout: true,
                    stderr: true,
                    ..LogsOptions::default()
                }),
            );
            let (mut out, mut err) = (Vec::new(), Vec::new());
            while let Some(piece) = lines.next().await {
                match piece? {
                    LogOutput::StdErr { message } => err.extend_from_slice(&message),
                    piece => out.extend_from_slice(&piece.into_bytes()),
                }
            }
            Ok(Executed {
                code,
                out: String::from_utf8_lossy(&out).into_owned(),
                err: String::from_utf8_lossy(&err).into_owned(),
            })
        });
        let gone = remove(&made.id);
        let ran = ran?;
        gone.map(|()| ran)
    }
}

/// A network of the engine, with what Compose notes on it.
#[derive(Debug, Clone)]
pub(super) struct Net {
    pub(super) name: String,
    /// The Compose project that it belongs to.
    pub(super) project: Option<String>,
    /// Its name in that project.
    pub(super) key: Option<String>,
    pub(super) subnets: Vec<IpNet>,
    pub(super) gateways: Vec<std::net::IpAddr>,
    pub(super) internal: bool,
    pub(super) ipv6: bool,
}

/// For bringing a deployment up.
impl Docker {
    /// Every network.
    pub(super) fn nets(&self) -> Result<Vec<Net>, Error> {
        let all = self.wait(
            "list the networks",
            PATIENCE,
            self.api.list_networks(None::<ListNetworksOptions>),
        )?;
        Ok(all
            .into_iter()
            .map(|network| {
                let labels = network.labels.unwrap_or_default();
                let config = network.ipam.and_then(|ipam| ipam.config);
                let config = config.unwrap_or_default();
                Net {
                    name: network.name.unwrap_or_default(),
                    project: labels.get("com.docker.compose.project").cloned(),
                    key: labels.get("com.docker.compose.network").cloned(),
                    subnets: config
                        .iter()
                        .filter_map(|one| one.subnet.as_ref()?.parse().ok())
                        .collect(),
                    // Without one of its own, Docker takes the first address.
                    gateways: config
                        .iter()
                        .filter_map(|one| match &one.gateway {
                            Some(gateway) => gateway.split('/').next()?.parse().ok(),
                            None => one.subnet.as_ref()?.parse::<IpNet>().ok()?.hosts().next(),
                        })
                        .collect(),
                    internal: network.internal.unwrap_or_default(),
                    ipv6: network.enable_ipv6.unwrap_or_default(),
                }
            })
            .collect())
    }

    /// Makes a bridge network.
    pub(super) fn make_network(&self, wanted: &EngineNetwork) -> Result<(), Error> {
        let request = NetworkCreateRequest {
            name: wanted.name.clone(),
            ipam: Some(Ipam {
                config: Some(vec![IpamConfig {
                    subnet: Some(wanted.subnet.to_string()),
                    gateway: wanted.gateway.map(|gateway| gateway.to_string()),
                    ip_range: wanted.range.map(|range| range.to_string()),
                    ..IpamConfig::default()
                }]),
                ..Ipam::default()
            }),
            ..NetworkCreateRequest::default()
        };
        self.wait(
            &format!("make the network {}", wanted.name),
            LONG_PATIENCE,
            self.api.create_network(request),
        )
        .map(drop)
    }

    /// The health check of a container, as Docker keeps it: `CMD-SHELL` and a text, or `CMD` and words.
    pub(super) fn health_test(&self, name: &str) -> Result<Option<Vec<String>>, Error> {
        let there = self.wait(
            &format!("look at the container {name}"),
            PATIENCE,
            self.api
                .inspect_container(name, None::<InspectContainerOptions>),
        )?;
        Ok(there
            .config
            .and_then(|config| config.healthcheck)
            .and_then(|check| check.test)
            .filter(|test| !test.is_empty()))
    }

    /// The variables that an image brings along, if the engine has it.
    pub(super) fn image_environment(
        &self,
        image: &str,
    ) -> Result<Option<std::collections::BTreeMap<String, String>>, Error> {
        self.wait(&format!("look for the image {image}"), PATIENCE, async {
            match self.api.inspect_image(image).await {
                Ok(image) => Ok(Some(
                    image
                        .config
                        .and_then(|config| config.env)
                        .into_iter()
                        .flatten()
                        .filter_map(|line| {
                            let (name, value) = line.split_once('=')?;
                            Some((name.to_owned(), value.to_owned()))
                        })
                        .collect(),
                )),
                Err(error) if is_absent(&error) => Ok(None),
                Err(error) => Err(error),
            }
        })
    }
}

/// How often it is looked whether followed containers were started or made anew.
const LOOK: Duration = Duration::from_millis(400);

/// For how many of these looks in a row the engine may be away, as when it is restarted.
const LOOKS_IN_VAIN: u32 = 75;

/// Hears each line with its service. Between lines it is only asked whether to go on.
pub(super) type EachLine<'a> = dyn FnMut(Option<(&str, LogLine)>) -> ControlFlow<()> + 'a;

/// What happens while logs are followed.
enum Event {
    Line { id: String, line: LogLine },
    End { id: String },
    Look,
}

/// Up to where a container's log was handed over: the last line's time, and how many lines have it.
type Seen = HashMap<String, (jiff::Timestamp, usize)>;

/// For operating a deployment.
impl Docker {
    /// The names of a Compose project's own networks.
    pub(super) fn project_networks(&self, project: &str) -> Result<Vec<String>, Error> {
        let label = format!("com.docker.compose.project={project}");
        let options = ListNetworksOptions {
            filters: Some(HashMap::from([("label".to_owned(), vec![label])])),
        };
        let all = self.wait(
            "list the networks",
            PATIENCE,
            self.api.list_networks(Some(options)),
        )?;
        let mut names: Vec<String> = all.into_iter().filter_map(|network| network.name).collect();
        names.sort();
        Ok(names)
    }

    /// Whether there is a network of that name.
    pub(super) fn network_exists(&self, name: &str) -> Result<bool, Error> {
        let all = self.wait(
            "list the networks",
            PATIENCE,
            self.api.list_networks(None::<ListNetworksOptions>),
        )?;
        Ok(all
            .into_iter()
            .any(|network| network.name.as_deref() == Some(name)))
    }

    /// Removes a network.
    pub(super) fn remove_network(&self, name: &str) -> Result<(), Error> {
        self.wait(
            &format!("remove the network {name}"),
            LONG_PATIENCE,
            async {
                match self.api.remove_network(name).await {
                    Err(error) if !is_absent(&error) => Err(error),
                    _ => Ok(()),
                }
            },
        )
    }

    /// Hands over what services of a project wrote, in order of time, with each line's service; with `follow`, until `each`
    /// breaks, containers that are started or made anew included. `tail` counts the lines of all of them.
    pub(super) fn project_logs(
        &self,
        project: &str,
        services: &[String],
        wish: &LogWish,
        each: &mut EachLine<'_>,
    ) -> Result<(), Error> {
        let begun = jiff::Timestamp::now();
        let of_these = |all: Vec<Container>| -> Vec<(Container, String)> {
            all.into_iter()
                .filter_map(|one| {
                    let service = one.service.clone()?;
                    services.contains(&service).then_some((one, service))
                })
                .collect()
        };
        let there = of_these(self.project(project)?);
        let mut seen = Seen::new();
        if self.merged(&there, wish, &mut seen, each)?.is_break() || !wish.follow {
            return Ok(());
        }
        for (container, _) in &there {
            seen.entry(container.id.clone()).or_insert((begun, 0));
        }
        // Which run of a container is being followed, by when that began.
        let mut known: HashMap<String, (String, Option<String>)> = HashMap::new();
        let mut open: Vec<String> = Vec::new();
        let mut in_vain = 0;
        let looks = stream::unfold(true, |first| async move {
            if !first {
                tokio::time::sleep(LOOK).await;
            }
            Some((Event::Look, false))
        });
        let mut events = stream::select_all([looks.boxed_local()]);
        self.runtime.block_on(async {
            while let Some(event) = events.next().await {
                match event {
                    Event::Line { id, line } => {
                        let at: jiff::Timestamp = line.at.parse().unwrap_or_default();
                        let (last, count) = seen.entry(id.clone()).or_default();
                        if at == *last {
                            *count += 1;
                        } else {
                            (*last, *count) = (at, 1);
                        }
                        let service = known.get(&id).map_or("", |(service, _)| service);
                        if each(Some((service, line))).is_break() {
                            return Ok(());
                        }
                    }
                    Event::End { id } => open.retain(|one| *one != id),
                    Event::Look => {
                        if each(None).is_break() {
                            return Ok(());
                        }
                        let now = match self.matching_now(project).await {
                            Ok(all) => of_these(all),
                            Err(error) => {
                                in_vain += 1;
                                if in_vain > LOOKS_IN_VAIN {
                                    return Err(Error::new(
                                        ErrorKind::Docker,
                                        "engine.unreachable",
                                        "follow the logs: the Docker engine does not answer any more",
                                    )
                                    .source(error)
                                    .hint("`systemctl status docker` shows why"));
                                }
                                continue;
                            }
                        };
                        in_vain = 0;
                        for (container, service) in now {
                            let started = container.started_at.clone();
                            let is_known = known
                                .get(&container.id)
                                .is_some_and(|(_, before)| *before == started);
                            if is_known || open.contains(&container.id) {
                                continue;
                            }
                            known.insert(container.id.clone(), (service, started));
                            open.push(container.id.clone());
                            let from = seen.get(&container.id).copied();
                            events.push(self.followed(container, from).boxed_local());
                        }
                    }
                }
            }
            Ok(())
        })
    }

    async fn matching_now(&self, project: &str) -> Result<Vec<Container>, bollard::errors::Error> {
        let label = format!("com.docker.compose.project={project}");
        let options = ListContainersOptions {
            all: true,
            filters: Some(HashMap::from([("label".to_owned(), vec![label])])),
            ..ListContainersOptions::default()
        };
        let mut all = Vec::new();
        for summary in self.api.list_containers(Some(options)).await? {
            let Some(id) = summary.id else { continue };
            let there = self
                .api
                .inspect_container(&id, None::<InspectContainerOptions>);
            match there.await {
                Ok(there) => all.push(container(there)),
                Err(error) if is_absent(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(all)
    }

    /// The lines of a container from where they were seen, then those to come, until it ends.
    fn followed(
        &self,
        container: Container,
        from: Option<(jiff::Timestamp, usize)>,
    ) -> impl futures_util::Stream<Item = Event> + '_ {
        let wish = LogWish {
            tail: None,
            since: from.map(|(at, _)| at.as_second()),
            follow: true,
        };
        let Container { id, name, .. } = container;
        let ended = id.clone();
        let mut skip = from.map_or(0, |(_, count)| count);
        // A container that goes away meanwhile has said everything.
        self.api
            .logs(&id, Some(wish.options()))
            .filter_map(|output| async { output.ok() })
            .flat_map(move |output| stream::iter(lines(&name, output)))
            .filter(move |line| {
                let new = match (from, line.at.parse::<jiff::Timestamp>()) {
                    (Some((last, _)), Ok(at)) if at == last && skip > 0 => {
                        skip -= 1;
                        false
                    }
                    (Some((last, _)), Ok(at)) => at >= last,
                    _ => true,
                };
                async move { new }
            })
            .map(move |line| Event::Line {
                id: id.clone(),
                line,
            })
            .chain(stream::once(async move { Event::End { id: ended } }))
    }

    /// What containers have written so far, in order of time.
    fn merged(
        &self,
        containers: &[(Container, String)],
        wish: &LogWish,
        seen: &mut Seen,
        each: &mut EachLine<'_>,
    ) -> Result<ControlFlow<()>, Error> {
        let wish = LogWish {
            follow: false,
            ..wish.clone()
        };
        let mut streams: Vec<_> = containers
            .iter()
            .map(|(container, service)| {
                let name = container.name.clone();
                let lines = self
                    .api
                    .logs(&container.id, Some(wish.options()))
                    .flat_map(move |output| match output {
                        Ok(output) => {
                            let lines = lines(&name, output).into_iter().map(Ok);
                            stream::iter(lines.collect::<Vec<_>>())
                        }
                        Err(error) => stream::iter(vec![Err(error)]),
                    })
                    .boxed_local();
                (&container.id, service, container, lines)
            })
            .collect();
        self.runtime.block_on(async {
            let mut heads: Vec<Option<(jiff::Timestamp, LogLine)>> = Vec::new();
            for (_, _, container, lines) in &mut streams {
                heads.push(head(&container.name, lines.next().await)?);
            }
            let mut last = std::collections::VecDeque::new();
            loop {
                let first = heads
                    .iter()
                    .enumerate()
                    .filter_map(|(index, head)| Some((head.as_ref()?.0, index)))
                    .min();
                let Some((at, index)) = first else { break };
                let (Some(place), Some((id, service, container, lines))) =
                    (heads.get_mut(index), streams.get_mut(index))
                else {
                    break;
                };
                let next = head(&container.name, lines.next().await)?;
                let Some((_, line)) = std::mem::replace(place, next) else {
                    break;
                };
                let (newest, count) = seen.entry((*id).clone()).or_insert((at, 0));
                if at == *newest {
                    *count += 1;
                } else {
                    (*newest, *count) = (at, 1);
                }
                match wish.tail.and_then(|tail| usize::try_from(tail).ok()) {
                    Some(tail) => {
                        last.push_back((*service, line));
                        if last.len() > tail {
                            last.pop_front();
                        }
                    }
                    None => {
                        if each(Some((service, line))).is_break() {
                            return Ok(ControlFlow::Break(()));
                        }
                    }
                }
            }
            for (service, line) in last {
                if each(Some((service, line))).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            Ok(ControlFlow::Continue(()))
        })
    }
}

/// The next line of a container; nothing when that was all, also because the container went away.
fn head(
    container: &str,
    next: Option<Result<LogLine, bollard::errors::Error>>,
) -> Result<Option<(jiff::Timestamp, LogLine)>, Error> {
    match next {
        None => Ok(None),
        Some(Ok(line)) => Ok(Some((line.at.parse().unwrap_or_default(), line))),
        Some(Err(error)) if is_absent(&error) => Ok(None),
        Some(Err(error)) => Err(Error::new(
            ErrorKind::Docker,
            "engine.logs",
            format!("read the log of the container {container}"),
        )
        .source(error)),
    }
}

/// The lines in a piece of a container's log.
fn lines(container: &str, output: LogOutput) -> Vec<LogLine> {
    String::from_utf8_lossy(&output.into_bytes())
        .lines()
        .map(|line| {
            let (at, text) = line.split_once(' ').unwrap_or((line, ""));
            LogLine {
                container: container.to_owned(),
                at: at.to_owned(),
                text: text.to_owned(),
            }
        })
        .collect()
}

fn is_absent(error: &bollard::errors::Error) -> bool {
    matches!(
        error,
        bollard::errors::Error::DockerResponseServerError {
            status_code: 404,
            ..
        }
    )
}

fn is_conflict(error: &bollard::errors::Error) -> bool {
    matches!(
        error,
        bollard::errors::Error::DockerResponseServerError {
            status_code: 409 | 500,
            message,
        } if message.contains("not paused")
    )
}

fn usage(reading: &ContainerStatsResponse) -> Usage {
    let total = |stats: &Option<bollard::models::ContainerCpuStats>| {
        let stats = stats.as_ref()?;
        Some((
            stats.cpu_usage.as_ref()?.total_usage?,
            stats.system_cpu_usage?,
            stats.online_cpus.unwrap_or(1),
        ))
    };
    #[expect(clippy::cast_precision_loss, reason = "a percentage for people")]
    let cpu = total(&reading.cpu_stats)
        .zip(total(&reading.precpu_stats))
        .and_then(
            |((own, system, processors), (own_before, system_before, _))| {
                let system = system.checked_sub(system_before).filter(|n| *n > 0)?;
                let own = own.saturating_sub(own_before);
                Some(own as f64 / system as f64 * f64::from(processors) * 100.0)
            },
        );
    let memory = reading.memory_stats.as_ref();
    let cache = memory
        .and_then(|memory| memory.stats.as_ref())
        .and_then(|stats| {
            stats
                .get("inactive_file")
                .or_else(|| stats.get("total_inactive_file"))
        })
        .copied()
        .unwrap_or_default();
    Usage::new(
        cpu,
        memory
            .and_then(|memory| memory.usage)
            .map(|used| used.saturating_sub(cache)),
        memory.and_then(|memory| memory.limit),
    )
}

fn container(there: ContainerInspectResponse) -> Container {
    let config = there.config.unwrap_or_default();
    let name = there.name.unwrap_or_default();
    let mut out = Container::new(
        name.trim_start_matches('/'),
        config.image.unwrap_or_default(),
    );
    out.id = there.id.unwrap_or_default();
    out.image_id = there.image.unwrap_or_default();
    out.created_at = there.created;
    out.restarts = there
        .restart_count
        .and_then(|n| u64::try_from(n).ok())
        .unwrap_or_default();
    out.labels = config.labels.unwrap_or_default().into_iter().collect();
    out.project = out.labels.get("com.docker.compose.project").cloned();
    out.service = out.labels.get("com.docker.compose.service").cloned();
    out.command = there
        .path
        .into_iter()
        .chain(there.args.into_iter().flatten())
        .collect();
    out.environment = config
        .env
        .into_iter()
        .flatten()
        .filter_map(|line| {
            let (key, value) = line.split_once('=')?;
            Some((key.to_owned(), value.to_owned()))
        })
        .collect();
    if let Some(state) = there.state {
        out.state = match state.status {
            Some(ContainerStateStatusEnum::CREATED) => State::Created,
            Some(ContainerStateStatusEnum::RUNNING) => State::Running,
            Some(ContainerStateStatusEnum::PAUSED) => State::Paused,
            Some(ContainerStateStatusEnum::RESTARTING) => State::Restarting,
            Some(ContainerStateStatusEnum::REMOVING) => State::Removing,
            Some(ContainerStateStatusEnum::DEAD) => State::Dead,
            _ => State::Exited,
        };
        let started = |at: Option<String>| at.filter(|at| !at.starts_with("0001-"));
        out.started_at = started(state.started_at);
        out.finished_at = started(state.finished_at);
        out.exit_code = state.exit_code;
        out.out_of_memory = state.oom_killed.unwrap_or_default();
        out.error = state.error.filter(|error| !error.is_empty());
        if let Some(health) = state.health {
            out.health = match health.status {
                Some(HealthStatusEnum::STARTING) => Health::Starting,
                Some(HealthStatusEnum::HEALTHY) => Health::Healthy,
                Some(HealthStatusEnum::UNHEALTHY) => Health::Unhealthy,
                _ => Health::None,
            };
            out.health_output = health
                .log
                .into_iter()
                .flatten()
                .next_back()
                .filter(|last| last.exit_code != Some(0))
                .and_then(|last| last.output)
                .map(|text| text.trim().to_owned());
        }
    }
    if let Some(settings) = there.network_settings {
        for (name, endpoint) in settings.networks.into_iter().flatten() {
            let address = endpoint.ip_address.and_then(|text| text.parse().ok());
            out.networks.insert(name, address);
        }
        for (port, bindings) in settings.ports.into_iter().flatten() {
            let Some(inside) = port.strip_suffix("/tcp").and_then(|n| n.parse().ok()) else {
                continue;
            };
            for binding in bindings.into_iter().flatten() {
                let address = binding.host_ip.as_deref().map_or("", |ip| ip);
                if let (Ok(address), Some(Ok(port))) = (
                    if address.is_empty() {
                        "0.0.0.0"
                    } else {
                        address
                    }
                    .parse(),
                    binding.host_port.map(|port| port.parse()),
                ) {
                    out.published.push(Published::new(address, port, inside));
                }
            }
        }
        out.published.sort();
    }
    if let Some(host) = there.host_config {
        out.network_mode = host.network_mode;
    }
    out.mounts = there
        .mounts
        .into_iter()
        .flatten()
        .filter_map(|mount| Some((mount.source?, mount.destination?)))
        .collect();
    out
}
