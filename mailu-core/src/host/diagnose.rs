//! Gathers what a diagnosis judges: bounded in time, side by side, and nothing is changed by it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{RData, RecordType};
use rand_core::{OsRng, RngCore as _};

use super::engine::Docker;
use super::lanes::at_once;
use super::nameservers::DnsOptions;
use super::preflight::static_configuration;
use super::root::Mailu;
use super::up::of_service;
use super::{dialog, files, hints, lock, lookup, observe, probe, status, verify, wiring};
use crate::compose;
use crate::config::{Config, TlsMode};
use crate::diagnose::{
    self, Disk, Files, Greeting, LISTS, ListKind, ListSeen, Memo, Memory, Observed, PortSeen,
    RelaySeen, Reply, Report, Signing, Unsaid, Wiring,
};
use crate::dns::{self, Data};
use crate::engine::{Container, State};
use crate::env::{self, EnvFile};
use crate::error::Error;
use crate::paths::Layout;
use crate::plan::Request;
use crate::preflight::{self, traefik};
use crate::secret::Secrets;
use crate::start;

/// What the diagnosis before has found, for the next one to be compared with.
const MEMO: &str = ".mailu/diagnosis.json";

/// Variables of `mailu.env` that fit the containers to each other and to Traefik.
const WIRING: [&str; 9] = [
    "SUBNET",
    "SUBNET6",
    "PROXY_PROTOCOL",
    "REAL_IP_FROM",
    "REAL_IP_HEADER",
    "TLS_FLAVOR",
    "PORTS",
    "DOMAIN",
    "HOSTNAMES",
];

/// Servers of the time, asked in turn until one answers.
const TIME_SERVERS: [&str; 3] = ["0.pool.ntp.org", "1.pool.ntp.org", "2.pool.ntp.org"];

const TIME_PATIENCE: Duration = Duration::from_secs(3);

/// How many connections to the same server, questions about the same list, or programs in the same container, at a time.
const LANES: usize = 4;

/// How to diagnose.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct DiagnoseOptions {
    /// Which checks.
    pub checks: diagnose::Options,
    /// Whom to ask about the records.
    pub dns: DnsOptions,
    /// Mail servers to try, root servers to ask, as before an installation.
    pub outbound: preflight::Options,
    /// Servers of the time, `HOST` or `HOST:PORT`, instead of those of the NTP pool.
    pub time_servers: Vec<String>,
    /// Compare with the diagnosis before.
    pub changes: bool,
}

impl Mailu {
    /// Looks at everything about the deployment at `layout`, from its containers to what DNS and reputation lists say of it. Takes
    /// seconds; sends no message; changes nothing but the note of what was found, which `changes` compares with next time.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::InvalidInput`] for an unknown check, and as [`Mailu::config`]. What does not answer is part of the report.
    pub fn diagnose(&self, layout: &Layout, options: &DiagnoseOptions) -> Result<Report, Error> {
        options.checks.known()?;
        let (config, _) = self.config(layout)?;
        let observed = self.looked(layout, &config, options);
        let mut report = diagnose::judge(&config, &observed, &options.checks, &observe::now());
        hints::findings(&mut report.findings, self.root());
        for one in &mut report.silenced {
            hints::findings(std::slice::from_mut(&mut one.finding), self.root());
        }
        for one in &mut report.ignored {
            hints::findings(std::slice::from_mut(&mut one.finding), self.root());
        }
        if options.changes {
            report.compare(memo(layout).as_ref());
        }
        // A part is no ground for comparing the whole with.
        if options.checks == diagnose::Options::default() {
            remember(layout, &report)?;
        }
        Ok(report)
    }

    fn looked(&self, layout: &Layout, config: &Config, options: &DiagnoseOptions) -> Observed {
        let wants = |check: &str| options.checks.wants(check);
        let now = observe::now_seconds();
        let mut observed = Observed {
            now,
            today: observe::now().chars().take(10).collect(),
            ..Observed::default()
        };
        let records = self.dns(layout).ok().map(|(_, report)| report);
        thread::scope(|scope| {
            // What asks other hosts takes its time beside the rest.
            let published = wants("dns").then(|| {
                scope.spawn(|| {
                    self.check_dns(layout, &options.dns)
                        .map_err(|error| error.to_string())
                })
            });
            let clock = wants("clock").then(|| scope.spawn(|| clock(&options.time_servers)));
            let outbound = wants("outbound").then(|| {
                scope.spawn(|| {
                    let mut asked = options.outbound.clone();
                    asked.resolver = options.dns.resolver;
                    asked.skip = preflight::CHECKS
                        .iter()
                        .map(|check| check.id.to_owned())
                        .filter(|id| id != "preflight.outbound")
                        .collect();
                    let report = self.outbound(layout, config, &asked);
                    report
                        .into_iter()
                        .filter(|finding| finding.id == "preflight.outbound")
                        .collect()
                })
            });
            let certificates =
                wants("certificates").then(|| scope.spawn(|| self.certificates(layout, true).ok()));

            if wants("settings") {
                observed.files = Some(self.files(layout, config));
            }
            if wants("secrets") {
                observed.open_files = Some(open_files(layout));
            }
            if wants("memory") {
                observed.memory =
                    observe::memory_left().map(|(total, available)| Memory::new(total, available));
            }
            let docker = Docker::connect();
            let docker_root = docker
                .as_ref()
                .ok()
                .and_then(|docker| docker.engine_facts().ok())
                .and_then(|facts| facts.directory);
            if wants("apps") {
                observed.apps = Some(wiring::look(self, layout, docker.as_ref().ok()));
            }
            if wants("disk") {
                observed.disks = disks(layout, docker_root.as_deref());
            }
            match &docker {
                Ok(docker) => {
                    if let Err(error) = self.containers(
                        layout,
                        config,
                        docker,
                        options,
                        records.as_ref(),
                        &mut observed,
                    ) {
                        observed.engine = Some(status::about(&error, &super::engine::address()));
                    }
                }
                Err(error) => {
                    observed.engine = Some(status::about(error, &super::engine::address()));
                }
            }

            observed.dns = joined(published);
            observed.clock = joined(clock);
            observed.outbound = joined(outbound);
            observed.certificates = joined(certificates).flatten();
        });
        observed
    }

    /// What the engine and its containers say.
    fn containers(
        &self,
        layout: &Layout,
        config: &Config,
        docker: &Docker,
        options: &DiagnoseOptions,
        records: Option<&dns::Report>,
        observed: &mut Observed,
    ) -> Result<(), Error> {
        let wants = |check: &str| options.checks.wants(check);
        let all = docker.containers()?;
        let project = status::project(layout, config);
        let own: Vec<Container> = all
            .iter()
            .filter(|container| container.project.as_deref() == Some(project.as_str()))
            .cloned()
            .collect();
        let front = of_service(&own, "front");
        if let (Some(files), Some(front)) = (&mut observed.files, front) {
            files.wiring.extend(labels(config, front));
        }
        let running = |service: &str| {
            of_service(&own, service).filter(|container| container.state == State::Running)
        };
        let traefik = config
            .tls
            .mode
            .behind_traefik()
            .then(|| traefik::find(config, &all))
            .flatten();
        let settings = traefik.and_then(|traefik| static_configuration(traefik).ok());
        let proxy = traefik.map(|container| start::Proxy::new(container, settings.as_ref()));
        let host = start::Host::new(probe::own_address());
        let place = |port: u16| start::outside(config, front, proxy, port, host);
        let mail: Vec<u16> = config
            .open_ports()
            .iter()
            .map(|port| port.number())
            .collect();
        let resolver = resolver(config, &own, options);
        let own = own.as_slice();

        thread::scope(|scope| {
            let status = scope.spawn(|| self.status_with(layout, docker));
            let nets = wants("settings").then(|| scope.spawn(|| docker.nets()));
            let mut ports = Vec::new();
            if wants("ports") && !own.is_empty() {
                let web = (config.tls.mode != TlsMode::None || config.tls.mode.behind_traefik())
                    .then_some(443);
                for port in mail.iter().copied().chain(web) {
                    let place = place(port);
                    ports.push((port, place, scope.spawn(move || said(config, port, place))));
                }
            }
            let lists = wants("lists").then(|| scope.spawn(|| lists(config, resolver)));
            let validates = (wants("resolver") && !own.is_empty())
                .then(|| resolver.map(|server| (server, scope.spawn(move || validates(server)))))
                .flatten();

            // Without one of these nobody answers, which takes its time.
            let answers = ["front", "smtp", "admin"]
                .iter()
                .all(|service| running(service).is_some());
            let smtp = mail
                .contains(&25)
                .then(|| place(25))
                .flatten()
                .filter(|_| answers);
            let relayed = smtp.filter(|_| wants("relay")).map(|smtp| {
                scope.spawn(move || relay(config, docker, own, smtp, [traefik, front]))
            });
            let accepted = smtp
                .filter(|_| wants("recipients"))
                .map(|smtp| scope.spawn(move || recipients(config, smtp)));
            let signed = match (running("antispam"), records) {
                (Some(antispam), Some(records)) if wants("signing") => {
                    Some(scope.spawn(move || signing(config, docker, &antispam.name, records)))
                }
                _ => None,
            };

            for (port, place, thread) in ports {
                let said = thread.join().unwrap_or_else(|_| {
                    Err(Unsaid::Silent("it was not asked to the end".to_owned()))
                });
                observed.ports.push(PortSeen::new(port, place, said));
            }
            observed.lists = joined(lists).unwrap_or_default();
            observed.resolver =
                validates.and_then(|(server, thread)| Some((server, thread.join().ok()?)));
            observed.relay = joined(relayed);
            observed.recipients = joined(accepted).unwrap_or_default();
            observed.signing = joined(signed).unwrap_or_default();
            let nets = joined(nets).transpose();
            observed.status = joined(Some(status)).transpose()?;
            if let Some(nets) = nets? {
                let own = nets
                    .into_iter()
                    .filter(|net| net.project.as_deref() == Some(project.as_str()));
                observed.networks = Some(
                    own.filter_map(|net| Some((net.key?, net.subnets)))
                        .collect(),
                );
            }
            Ok(())
        })
    }

    /// The files, compared with what this program would write.
    fn files(&self, layout: &Layout, config: &Config) -> Files {
        let mut out = Files::default();
        match self.plan(layout, &Request::default()) {
            Ok(outcome) => {
                out.findings = outcome.plan.findings;
                out.steps = outcome
                    .plan
                    .steps
                    .iter()
                    .map(|step| step.path.display().to_string())
                    .collect();
            }
            Err(error) => {
                out.findings = error.all_findings().to_vec();
                if out.findings.is_empty() {
                    out.findings.push(status::about(&error, "files"));
                }
            }
        }
        let text = fs::read_to_string(layout.file("mailu.env")).unwrap_or_default();
        let there = EnvFile::parse(&text).unwrap_or_default();
        let wanted = env::mailu_variables(config, &Secrets::default());
        for name in WIRING {
            let found = there.get(name).map(|value| value.text.clone());
            let wanted = wanted.get(name).map(str::to_owned);
            let blank = |value: &Option<String>| value.as_deref().is_none_or(str::is_empty);
            if found != wanted && !(blank(&found) && blank(&wanted)) {
                out.wiring
                    .push(Wiring::new(format!("mailu.env: {name}"), found, wanted));
            }
        }
        out
    }
}

/// What a thread has found; nothing if it was not begun or did not end well.
fn joined<T>(thread: Option<thread::ScopedJoinHandle<'_, T>>) -> Option<T> {
    thread.and_then(|thread| thread.join().ok())
}

/// Labels of front's by which Traefik leads to it, where they are not ours.
fn labels(config: &Config, front: &Container) -> Vec<Wiring> {
    let project = compose::build(config);
    let Some(wanted) = project
        .services
        .iter()
        .find(|service| service.name == "front")
    else {
        return Vec::new();
    };
    wanted
        .labels
        .iter()
        .filter(|(name, _)| name.starts_with("traefik."))
        .filter_map(|(name, value)| {
            let there = front.labels.get(name);
            (there != Some(value)).then(|| {
                Wiring::new(
                    format!("front: {name}"),
                    there.cloned(),
                    Some(value.clone()),
                )
            })
        })
        .collect()
}

fn said(config: &Config, port: u16, place: Option<SocketAddr>) -> Result<Greeting, Unsaid> {
    let Some(place) = place else {
        return Err(Unsaid::Unreached("it leads nowhere".to_owned()));
    };
    let name = config.mail_host.as_str();
    if port == 443 {
        return match probe::https(place, name, "/sso/login") {
            Ok((status, _)) => Ok(Greeting {
                banner: status.to_string(),
                ..Greeting::default()
            }),
            Err(why) if why.contains("refused") => Err(Unsaid::Unreached(why)),
            Err(why) => Err(Unsaid::Silent(why)),
        };
    }
    dialog::greeting(port, place, name, config.tls.mode != TlsMode::None)
}

/// The resolver that the containers use, or the one that was named.
fn resolver(config: &Config, own: &[Container], options: &DiagnoseOptions) -> Option<SocketAddr> {
    if config.services.resolver {
        let container = of_service(own, "resolver")?;
        let address = container.networks.values().find_map(|address| *address)?;
        return Some(SocketAddr::new(address, lookup::PORT));
    }
    options
        .dns
        .resolver
        .or_else(|| lookup::system().into_iter().next())
}

fn validates(server: SocketAddr) -> Result<bool, String> {
    lookup::validated(server).map(|answer| answer.authentic)
}

fn token() -> String {
    format!("diagnose-probe-{:016x}", OsRng.next_u64())
}

fn relay(
    config: &Config,
    docker: &Docker,
    own: &[Container],
    place: SocketAddr,
    proxies: [Option<&Container>; 2],
) -> Result<RelaySeen, String> {
    let token = token();
    let since = observe::now_seconds();
    let attempt = probe::relay(place, config.mail_host.as_str(), &token)?;
    let known =
        verify::known_addresses(docker, config, proxies).map_err(|error| error.to_string())?;
    let client = of_service(own, "smtp").and_then(|smtp| {
        verify::logged_client(docker, &smtp.name, &token, since, &mut || Ok(()))
            .ok()
            .flatten()
    });
    Ok(RelaySeen::new(
        place,
        Reply::new(attempt.code, attempt.text),
        client,
        known,
    ))
}

fn recipients(config: &Config, place: SocketAddr) -> BTreeMap<String, Result<Reply, String>> {
    let all: BTreeSet<String> = config
        .domains()
        .map(|domain| format!("postmaster@{domain}"))
        .collect();
    let all: Vec<String> = all.into_iter().collect();
    let said = at_once(&all, LANES, |address| {
        probe::recipient(place, config.mail_host.as_str(), &token(), address)
            .map(|attempt| Reply::new(attempt.code, attempt.text))
    });
    all.into_iter().zip(said).collect()
}

fn signing(
    config: &Config,
    docker: &Docker,
    antispam: &str,
    records: &dns::Report,
) -> BTreeMap<String, Signing> {
    let selector = config.dns.selector.to_string();
    let all = records.zones.iter().flat_map(|zone| &zone.records);
    let texts: BTreeMap<&str, &str> = all
        .filter_map(|record| match &record.data {
            Some(Data::Txt { text }) => Some((record.fqdn.as_str(), text.as_str())),
            _ => None,
        })
        .collect();
    let wanted: Vec<(&str, String, &str)> = config
        .domains()
        .filter_map(|domain| {
            let fqdn = format!("{selector}._domainkey.{domain}");
            let text = *texts.get(fqdn.as_str())?;
            Some((domain.as_str(), fqdn, text))
        })
        .collect();
    let signed = at_once(&wanted, LANES, |(domain, _, wanted)| {
        let key = match verify::vault(docker, antispam, domain) {
            Err(error) => Err(Some(error.to_string())),
            Ok((vault, why)) => {
                match start::dkim_text(&vault, domain, &selector) {
                    Some(text) => Ok(text),
                    // Admin did not answer: its own check says why.
                    None if !why.trim().is_empty() => Err(Some(why.trim().to_owned())),
                    None => Err(None),
                }
            }
        };
        Signing::new((*domain).to_owned(), key, *wanted)
    });
    let names = wanted.iter().map(|(_, fqdn, _)| fqdn.clone());
    names.zip(signed).collect()
}

/// What reputation lists say of the addresses that mail leaves from, and of the email domains.
fn lists(config: &Config, resolver: Option<SocketAddr>) -> Vec<ListSeen> {
    let mut addresses: BTreeSet<IpAddr> = config.dns.egress.iter().copied().collect();
    if addresses.iter().all(IpAddr::is_ipv6) {
        addresses.extend(config.dns.ipv4.map(IpAddr::V4));
    }
    if addresses.iter().all(IpAddr::is_ipv4) {
        addresses.extend(config.dns.ipv6.map(IpAddr::V6));
    }
    let servers: Vec<SocketAddr> = match resolver {
        Some(server) => vec![server],
        None => lookup::system(),
    };
    let ask = |name: &str| -> Result<Vec<IpAddr>, String> {
        let answer = lookup::first(&servers, &format!("{name}."), RecordType::A)?;
        if answer.metadata.response_code == ResponseCode::NXDomain {
            return Ok(Vec::new());
        }
        Ok(answer
            .answers
            .iter()
            .filter_map(|record| match &record.data {
                RData::A(address) => Some(IpAddr::V4(address.0)),
                _ => None,
            })
            .collect())
    };
    let mut wanted: Vec<(usize, String, String)> = Vec::new();
    for (at, list) in LISTS.iter().enumerate() {
        match list.kind {
            ListKind::Domain => {
                for domain in config.domains() {
                    wanted.push((at, domain.to_string(), format!("{domain}.{}", list.zone)));
                }
            }
            _ => {
                for address in &addresses {
                    if let Some(name) = list.name_of_address(*address) {
                        wanted.push((at, address.to_string(), name));
                    }
                }
            }
        }
    }
    thread::scope(|scope| {
        let running: Vec<_> = LISTS
            .iter()
            .enumerate()
            .map(|(at, list)| {
                let (ask, wanted) = (&ask, &wanted);
                scope.spawn(move || {
                    let mine: Vec<_> = wanted.iter().filter(|(of, ..)| *of == at).collect();
                    if mine.is_empty() {
                        return Vec::new();
                    }
                    let [good, bad] = list.tests();
                    let tests = [ask(&good), ask(&bad)];
                    // Who does not answer for the tests needs no further questions.
                    at_once(&mine, LANES, |(_, subject, name)| {
                        let answer = match &tests[0] {
                            Err(why) => Err(why.clone()),
                            Ok(_) => ask(name),
                        };
                        ListSeen::new(list.zone, subject.clone(), tests.clone(), answer)
                    })
                })
            })
            .collect();
        running
            .into_iter()
            .filter_map(|thread| thread.join().ok())
            .flatten()
            .collect()
    })
}

/// How far this host's clock is ahead, in milliseconds.
fn clock(servers: &[String]) -> Result<i64, String> {
    let servers: Vec<String> = if servers.is_empty() {
        TIME_SERVERS.map(str::to_owned).to_vec()
    } else {
        servers.to_vec()
    };
    let config = rsntp::Config::default()
        .bind_address((Ipv4Addr::UNSPECIFIED, 0).into())
        .timeout(TIME_PATIENCE);
    let client = rsntp::SntpClient::with_config(config);
    let mut last = "no time server is known".to_owned();
    for server in servers {
        match client.synchronize(&server) {
            Ok(result) => {
                // How much has to be added to this clock.
                let seconds = result.clock_offset().as_secs_f64();
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "a float that is too large for it becomes the largest"
                )]
                return Ok((-seconds * 1000.0).round() as i64);
            }
            Err(error) => last = format!("the time server {server} does not answer: {error}"),
        }
    }
    Err(last)
}

fn disks(layout: &Layout, images: Option<&Path>) -> Vec<Disk> {
    let mut seen = BTreeSet::new();
    let places = [
        (diagnose::MAIL, Some(layout.file("data/mail"))),
        ("images and containers", images.map(Path::to_path_buf)),
        ("system and logs", Some(PathBuf::from("/"))),
    ];
    let mut out = Vec::new();
    for (holds, path) in places {
        let Some(path) = path else { continue };
        let (Ok(there), Ok(room)) = (fs::metadata(&path), nix::sys::statvfs::statvfs(&path)) else {
            continue;
        };
        if !seen.insert(there.dev()) {
            continue;
        }
        let block = room.fragment_size();
        let mut disk = Disk::new(
            holds,
            path,
            room.blocks().saturating_mul(block),
            room.blocks_available().saturating_mul(block),
        );
        disk.files = room.files();
        disk.free_files = room.files_available();
        out.push(disk);
    }
    out
}

/// Files with secrets that others than their owner may read.
fn open_files(layout: &Layout) -> Vec<(PathBuf, u32)> {
    let mut all: Vec<PathBuf> = Secrets::NAMES
        .iter()
        .map(|name| layout.secret(name))
        .collect();
    all.push(layout.file("mailu.env"));
    all.push(layout.rendered());
    all.into_iter()
        .filter_map(|path| {
            let mode = fs::metadata(&path).ok()?.mode() & 0o7777;
            (mode & 0o077 != 0).then_some((path, mode))
        })
        .collect()
}

fn memo(layout: &Layout) -> Option<Memo> {
    serde_json::from_slice(&fs::read(layout.file(MEMO)).ok()?).ok()
}

fn remember(layout: &Layout, report: &Report) -> Result<(), Error> {
    // Whoever may only read gets the report all the same.
    if !observe::privileged() {
        return Ok(());
    }
    let _locks = lock::take(layout)?;
    let mut text = serde_json::to_string_pretty(&report.memo()).unwrap_or_default();
    text.push('\n');
    files::write_atomically(
        &mut files::Disk,
        &layout.file(MEMO),
        0o600,
        None,
        text.as_bytes(),
    )
}
