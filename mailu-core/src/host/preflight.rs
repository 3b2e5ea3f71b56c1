//! Gathers what the pre-flight checks judge: bounded in time, and what takes long side by side.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use super::compose::Compose;
use super::engine::{self, Docker};
use super::files;
use super::lock;
use super::lookup;
use super::root::Mailu;
use super::{hints, observe};
use crate::config::Config;
use crate::engine::Container;
use crate::error::Error;
use crate::finding::Finding;
use crate::paths::Layout;
use crate::plan::{self, Request};
use crate::preflight::{
    self, Bind, Daemon, Disk, DnsProbe, Facts, Holds, Listener, MailProbe, Options, Report, Taken,
    TraefikFacts, Unanswered, traefik,
};

/// Large mail domains: one that lets us in shows that port 25 is open.
const LARGE: [&str; 3] = ["gmail.com", "outlook.com", "yahoo.com"];

/// Root servers of three operators, on different networks: k, l and m.
const ROOTS: [Ipv4Addr; 3] = [
    Ipv4Addr::new(193, 0, 14, 129),
    Ipv4Addr::new(199, 7, 83, 42),
    Ipv4Addr::new(202, 12, 27, 33),
];
/// The same for a host without IPv4.
const ROOTS6: [Ipv6Addr; 3] = [
    Ipv6Addr::new(0x2001, 0x7fd, 0, 0, 0, 0, 0, 1),
    Ipv6Addr::new(0x2001, 0x500, 0x9f, 0, 0, 0, 0, 0x42),
    Ipv6Addr::new(0x2001, 0xdc3, 0, 0, 0, 0, 0, 0x35),
];

/// How long a mail server may take to be reached, and then to greet.
const PATIENCE: Duration = Duration::from_secs(6);

/// Where it is noted which checks were left out.
pub(super) const SKIPPED: &str = ".mailu/skipped.json";

impl Mailu {
    /// Checks whether this host can run the deployment at `layout` with `config`. Nothing is changed.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::InvalidInput`] if a check to skip does not exist, [`crate::ErrorKind::Io`] if something of the deployment cannot be read.
    pub fn preflight(
        &self,
        layout: &Layout,
        config: &Config,
        options: &Options,
    ) -> Result<Report, Error> {
        options.known()?;
        let (observed, mut settled) = observe::observe(layout)?;
        settled.extend(plan::standing(config, &observed));
        Ok(self.preflight_report(layout, config, settled, options))
    }

    /// As [`Mailu::preflight`], for what `request` would make of the deployment at `layout`: what is wrong with that is among the findings.
    ///
    /// # Errors
    ///
    /// As [`Mailu::preflight`], and as [`Mailu::plan`] where there is no configuration to go on with.
    pub fn check(
        &self,
        layout: &Layout,
        request: &Request,
        options: &Options,
    ) -> Result<Report, Error> {
        options.known()?;
        let (observed, mut settled) = observe::observe(layout)?;
        let (config, found) = plan::settled(layout, request, &observed)
            .map_err(|error| hints::error(error, self.root()))?;
        settled.extend(found);
        Ok(self.preflight_report(layout, &config, settled, options))
    }

    /// As [`Mailu::check`], as it counts before [`Mailu::install`]: see [`Report::of_installed`].
    ///
    /// # Errors
    ///
    /// As [`Mailu::check`].
    pub fn check_before_install(
        &self,
        layout: &Layout,
        request: &Request,
        options: &Options,
    ) -> Result<Report, Error> {
        let report = self.check(layout, request, options)?;
        // `--no-start` leaves the mark too: the server has to have run.
        let has_run = layout.file("data/admin/main.db").exists();
        Ok(if has_run && layout.installed().exists() {
            report.of_installed()
        } else {
            report
        })
    }

    /// What is found about the way out for mail.
    pub(super) fn outbound(
        &self,
        layout: &Layout,
        config: &Config,
        options: &Options,
    ) -> Vec<Finding> {
        self.preflight_report(layout, config, Vec::new(), options)
            .findings
    }

    fn preflight_report(
        &self,
        layout: &Layout,
        config: &Config,
        settled: Vec<Finding>,
        options: &Options,
    ) -> Report {
        let mut facts = gather(layout, config, options);
        facts.settled = settled;
        let mut report = preflight::judge(config, &facts, options);
        hints::findings(&mut report.findings, self.root());
        report
    }

    /// Notes in the deployment at `layout` which checks were left out, and since when; nothing is written where that is noted already.
    pub(super) fn note_skipped(
        &self,
        layout: &Layout,
        skipped: &BTreeSet<String>,
    ) -> Result<(), Error> {
        let path = layout.file(SKIPPED);
        let before = self.skipped(layout);
        if before.keys().eq(skipped) {
            return Ok(());
        }
        let _locks = lock::take(layout)?;
        let text = skipped_since(skipped, &before);
        files::write_atomically(&mut files::Disk, &path, 0o600, None, text.as_bytes())
    }

    /// The checks that were left out when the deployment at `layout` was installed last, and since when.
    pub fn skipped(&self, layout: &Layout) -> BTreeMap<String, String> {
        fs::read(layout.file(SKIPPED))
            .ok()
            .and_then(|text| serde_json::from_slice(&text).ok())
            .unwrap_or_default()
    }
}

/// The note of checks that are left out; `before` has since when some are.
pub(super) fn skipped_since(
    skipped: &BTreeSet<String>,
    before: &BTreeMap<String, String>,
) -> String {
    let now = observe::now();
    let after: BTreeMap<&String, &String> = skipped
        .iter()
        .map(|id| (id, before.get(id).unwrap_or(&now)))
        .collect();
    let mut text = serde_json::to_string_pretty(&after).unwrap_or_default();
    text.push('\n');
    text
}

fn gather(layout: &Layout, config: &Config, options: &Options) -> Facts {
    let servers = options
        .resolver
        .map_or_else(lookup::system, |server| vec![server]);
    let servers = servers.as_slice();
    let mut facts = Facts {
        directory: layout.directory(),
        real_directory: fs::canonicalize(layout.directory()).ok(),
        privileged: observe::privileged(),
        memory: observe::memory(),
        journal: Path::new("/run/systemd/journal/socket").exists(),
        addresses: interfaces(),
        ..Facts::default()
    };
    thread::scope(|scope| {
        let names = (!options.skips("preflight.names")).then(|| {
            preflight::wanted_names(config)
                .into_iter()
                .map(|name| {
                    scope.spawn(move || {
                        let found = lookup::addresses(servers, name.as_str());
                        (name.to_string(), found)
                    })
                })
                .collect::<Vec<_>>()
        });
        let dnssec = (!options.skips("preflight.dnssec")).then(|| {
            let asked: Vec<SocketAddr> = if !config.services.resolver {
                servers.to_vec()
            } else if options.roots.is_empty() {
                roots(&facts.addresses)
            } else {
                options.roots.clone()
            };
            let own = config.services.resolver;
            asked
                .into_iter()
                .map(|server| {
                    scope.spawn(move || {
                        let answer = if own {
                            lookup::root_keys(server)
                        } else {
                            lookup::validated(server)
                        };
                        DnsProbe::new(server, answer)
                    })
                })
                .collect::<Vec<_>>()
        });
        let outbound = (!options.skips("preflight.outbound")).then(|| {
            targets(config, options)
                .into_iter()
                .map(|target| scope.spawn(move || target.call(servers)))
                .collect::<Vec<_>>()
        });
        let compose = scope.spawn(Compose::find);

        let engine = Docker::connect().and_then(|docker| docker.engine_facts());
        let engine = engine.map_err(|error| {
            let cause = std::error::Error::source(&error)
                .map_or_else(|| error.to_string(), ToString::to_string);
            format!("at {}: {cause}", engine::address())
        });
        let containers: &[Container] = match &engine {
            Ok(engine) => &engine.containers,
            Err(_) => &[],
        };
        let traefik = config
            .tls
            .mode
            .behind_traefik()
            .then(|| traefik::find(config, containers))
            .flatten();
        if !options.skips("preflight.ports") {
            facts.binds = preflight::wanted_ports(config, traefik.is_some())
                .into_iter()
                .map(|at| Bind::new(at, try_port(at)))
                .collect();
            if facts.binds.iter().any(|bind| bind.taken != Taken::No) {
                facts.listeners = listeners();
            }
        }
        facts.traefik = traefik.map(|container| look_at(config, container));
        facts.daemon = daemon();
        let images = match &engine {
            Ok(engine) => engine.directory.clone(),
            Err(_) => None,
        };
        facts.disks = disk(Holds::Mail, &layout.directory())
            .into_iter()
            .chain(images.and_then(|path| disk(Holds::Images, &path)))
            .collect();
        facts.engine = Some(engine);

        facts.compose = compose.join().ok().flatten().map(|compose| compose.version);
        facts.lookups = names
            .into_iter()
            .flatten()
            .filter_map(|one| one.join().ok())
            .collect();
        facts.dnssec = dnssec
            .into_iter()
            .flatten()
            .filter_map(|one| one.join().ok())
            .collect();
        facts.outbound = outbound
            .into_iter()
            .flatten()
            .filter_map(|one| one.join().ok())
            .collect();
    });
    facts
}

/// Root servers that this host can reach by its addresses.
fn roots(addresses: &[IpAddr]) -> Vec<SocketAddr> {
    let at = |ip: IpAddr| SocketAddr::new(ip, lookup::PORT);
    let global = |address: &&IpAddr| !address.is_loopback();
    if addresses.iter().filter(global).any(IpAddr::is_ipv4)
        || addresses.iter().all(IpAddr::is_loopback)
    {
        ROOTS.map(|ip| at(ip.into())).to_vec()
    } else {
        ROOTS6.map(|ip| at(ip.into())).to_vec()
    }
}

/// A mail server to try.
struct Target {
    name: String,
    port: u16,
    /// Whether its name is a domain, whose mail servers have to be looked up.
    domain: bool,
}

fn targets(config: &Config, options: &Options) -> Vec<Target> {
    if let Some((name, port, domain)) = preflight::relay_target(config) {
        return vec![Target { name, port, domain }];
    }
    if options.outbound.is_empty() {
        return LARGE
            .map(|name| Target {
                name: name.to_owned(),
                port: 25,
                domain: true,
            })
            .into();
    }
    let named = |text: &String| {
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                (host, port.parse().unwrap_or(25))
            }
            _ => (text.as_str(), 25),
        };
        Target {
            name: host.trim_matches(['[', ']']).to_owned(),
            port,
            domain: false,
        }
    };
    options.outbound.iter().map(named).collect()
}

impl Target {
    fn call(self, servers: &[SocketAddr]) -> MailProbe {
        let shown = if self.domain && self.port == 25 {
            format!("the mail server of {}", self.name)
        } else {
            format!("{}:{}", self.name, self.port)
        };
        match self.address(servers) {
            Ok(address) => {
                let at = SocketAddr::new(address, self.port);
                MailProbe::new(
                    shown,
                    greeting(at).map_err(|error| Unanswered::Unreached(format!("{at}: {error}"))),
                )
            }
            Err(why) => MailProbe::new(shown, Err(Unanswered::Unresolved(why))),
        }
    }

    fn address(&self, servers: &[SocketAddr]) -> Result<IpAddr, String> {
        if let Ok(address) = self.name.parse() {
            return Ok(address);
        }
        let name = if self.domain {
            lookup::mail_servers(servers, &self.name)?
                .into_iter()
                .next()
                .unwrap_or_else(|| self.name.clone())
        } else {
            self.name.clone()
        };
        match lookup::addresses(servers, &name) {
            // Sorted: IPv4 comes first.
            preflight::Lookup::Found { addresses, .. } if !addresses.is_empty() => {
                addresses.first().copied().ok_or_else(String::new)
            }
            preflight::Lookup::Failed(why) => Err(why),
            _ => Err(format!("{name} has no address")),
        }
    }
}

/// The first line that a mail server says.
fn greeting(at: SocketAddr) -> Result<String, String> {
    let worded = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut => {
            "no answer in time".to_owned()
        }
        _ => error.to_string(),
    };
    let mut stream = TcpStream::connect_timeout(&at, PATIENCE).map_err(worded)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(worded)?;
    let mut buffer = [0_u8; 512];
    let Ok(length) = stream.read(&mut buffer) else {
        // It let us in, which is what matters; it may not like to be called from here.
        return Ok(String::new());
    };
    let text = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default()).into_owned();
    Ok(text.lines().next().unwrap_or_default().trim().to_owned())
}

/// Takes a port for a moment, without listening, so that nobody can connect.
fn try_port(at: SocketAddr) -> Taken {
    let attempt = || {
        let socket = Socket::new(Domain::for_address(at), Type::STREAM, None)?;
        // Connections that ended a moment ago do not count.
        socket.set_reuse_address(true)?;
        if at.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.bind(&at.into())
    };
    match attempt() {
        Ok(()) => Taken::No,
        Err(error) => match error.kind() {
            std::io::ErrorKind::AddrInUse => Taken::Yes,
            std::io::ErrorKind::AddrNotAvailable => Taken::Elsewhere,
            _ => Taken::Unknown,
        },
    }
}

/// Who listens on TCP ports.
fn listeners() -> Vec<Listener> {
    let sockets: Vec<_> = procfs::net::tcp()
        .into_iter()
        .chain(procfs::net::tcp6())
        .flatten()
        .filter(|entry| entry.state == procfs::net::TcpState::Listen)
        .collect();
    let mut owners: BTreeMap<u64, (String, i32)> = BTreeMap::new();
    for process in procfs::process::all_processes()
        .into_iter()
        .flatten()
        .flatten()
    {
        let Ok(open) = process.fd() else { continue };
        for file in open.flatten() {
            if let procfs::process::FDTarget::Socket(inode) = file.target
                && sockets.iter().any(|socket| socket.inode == inode)
                // The first one has opened it, those after it were handed it.
                && !owners.contains_key(&inode)
                && let Ok(stat) = process.stat()
            {
                owners.insert(inode, (stat.comm, process.pid));
            }
        }
    }
    sockets
        .into_iter()
        .map(|socket| {
            let process = owners.get(&socket.inode).cloned();
            let container = process.as_ref().and_then(|(_, pid)| container_of(*pid));
            Listener::new(socket.local_address, process, container)
        })
        .collect()
}

/// The identifier of the container that a process runs in: its control group is named by that.
fn container_of(pid: i32) -> Option<String> {
    const LENGTH: usize = 64;
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    text.split(|c: char| !c.is_ascii_hexdigit())
        .find(|part| part.len() == LENGTH)
        .map(str::to_owned)
}

/// The addresses of this host's interfaces, those for one link only left out.
fn interfaces() -> Vec<IpAddr> {
    let mut all: Vec<IpAddr> = nix::ifaddrs::getifaddrs()
        .into_iter()
        .flatten()
        .filter_map(|interface| {
            let address = interface.address?;
            let four = address.as_sockaddr_in().map(|a| IpAddr::V4(a.ip()));
            let six = address.as_sockaddr_in6().map(|a| IpAddr::V6(a.ip()));
            four.or(six)
        })
        .filter(|address| match address {
            IpAddr::V4(address) => !address.is_link_local(),
            IpAddr::V6(address) => !address.is_unicast_link_local(),
        })
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// The room on the file system of `path`, or of the nearest directory above it that exists.
fn disk(holds: Holds, path: &Path) -> Option<Disk> {
    let there = path.ancestors().find(|path| path.exists())?;
    let room = nix::sys::statvfs::statvfs(there).ok()?;
    let device = fs::metadata(there).ok()?.dev();
    let mut disk = Disk::new(
        holds,
        there,
        device,
        room.blocks_available().saturating_mul(room.fragment_size()),
    );
    disk.free_files = (room.files() > 0).then(|| room.files_available());
    Some(disk)
}

/// Traefik's static configuration, and what its store looks like.
fn look_at(config: &Config, container: &Container) -> TraefikFacts {
    let settings = static_configuration(container);
    let store = settings.as_ref().ok().and_then(|settings| {
        let key = format!(
            "certificatesResolvers.{}.acme.storage",
            config.traefik.resolver
        );
        traefik::on_host(container, settings.get(&key).unwrap_or("acme.json"))
    });
    let mut facts = TraefikFacts::new(container.clone(), settings);
    let real = |path: &str| fs::canonicalize(path).ok();
    facts.store_is_configured = config
        .traefik
        .acme_store
        .as_ref()
        .and_then(|path| real(path.as_str()))
        .is_some_and(|path| Some(path) == store.as_deref().and_then(real));
    facts.store_mode = store
        .and_then(|path| fs::metadata(path).ok())
        .filter(fs::Metadata::is_file)
        .map(|metadata| metadata.mode());
    facts
}

pub(super) fn static_configuration(container: &Container) -> Result<traefik::Settings, String> {
    for inside in traefik::files(container) {
        let Some(path) = traefik::on_host(container, &inside) else {
            continue;
        };
        match fs::read_to_string(&path) {
            Ok(text) => {
                return traefik::Settings::of_file(&inside, &text)
                    .map_err(|why| format!("{path}: {why}"));
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(format!("{path}: {error}")),
        }
    }
    if let Some(named) = traefik::named_file(container) {
        return Err(format!(
            "its file {named} is inside the container, and not on this host"
        ));
    }
    Ok(traefik::Settings::of_container(container))
}

/// How the engine was told to treat packets, where it runs on this host: by its file, and by its arguments, which count more.
fn daemon() -> Daemon {
    let address = engine::address();
    if !address.starts_with("unix://") {
        return Daemon::default();
    }
    let running: Vec<Vec<String>> = procfs::process::all_processes()
        .into_iter()
        .flatten()
        .flatten()
        .filter(|process| process.stat().is_ok_and(|stat| stat.comm == "dockerd"))
        .filter_map(|process| process.cmdline().ok())
        .collect();
    // Several engines may run: the one that was given this socket by its arguments, else the one that was given none.
    let arguments = running
        .iter()
        .find(|words| words.iter().any(|word| word.contains(&address)))
        .or_else(|| {
            running.iter().find(|words| {
                !words
                    .iter()
                    .any(|word| word.contains("unix://") && !word.contains("docker.sock"))
            })
        })
        .cloned()
        .unwrap_or_default();
    let value = |name: &str| {
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            let word = word.trim_start_matches('-');
            if let Some(value) = word
                .strip_prefix(name)
                .and_then(|rest| rest.strip_prefix('='))
            {
                return Some(value.to_owned());
            }
            if word == name {
                return Some(words.next().cloned().unwrap_or_default());
            }
        }
        None
    };
    let file = value("config-file")
        .map_or_else(|| PathBuf::from("/etc/docker/daemon.json"), PathBuf::from);
    let file: serde_json::Value = fs::read(file)
        .ok()
        .and_then(|text| serde_json::from_slice(&text).ok())
        .unwrap_or_default();
    let switch = |name: &str| match value(name).as_deref() {
        Some("false" | "0") => Some(false),
        Some(_) => Some(true),
        None => file.get(name).and_then(serde_json::Value::as_bool),
    };
    Daemon {
        userland_proxy: switch("userland-proxy"),
        iptables: switch("iptables"),
        ip6tables: switch("ip6tables"),
    }
}
