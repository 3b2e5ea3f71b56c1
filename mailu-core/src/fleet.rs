//! Deployments that share a host must not share names, networks, entry points or ports.

use std::path::PathBuf;

use ipnet::IpNet;

use crate::config::{Config, Via};
use crate::finding::Finding;
use crate::network::{self, Reserved};

/// Another deployment below the same root.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Neighbour {
    /// Its directory.
    pub directory: PathBuf,
    /// Its configuration.
    pub config: Config,
}

impl Neighbour {
    /// A deployment in `directory`.
    pub fn new(directory: PathBuf, config: Config) -> Self {
        Self { directory, config }
    }

    fn name(&self) -> String {
        format!("{} ({})", self.config.mail_host, self.directory.display())
    }
}

/// What the neighbours have been promised.
pub fn reserved(neighbours: &[Neighbour]) -> Reserved {
    let mut reserved = Reserved::default();
    for neighbour in neighbours {
        reserved.add(&neighbour.config);
    }
    reserved
}

/// Whatever `config` claims although a neighbour has it.
pub fn clashes(config: &Config, neighbours: &[Neighbour]) -> Vec<Finding> {
    let mut out = Vec::new();
    for neighbour in neighbours {
        one(config, neighbour, &mut out);
    }
    out
}

fn one(config: &Config, neighbour: &Neighbour, out: &mut Vec<Finding>) {
    let other = &neighbour.config;
    let name = neighbour.name();

    if config.project_name() == other.project_name() {
        out.push(
            Finding::error(
                "fleet.project",
                "project",
                format!("is the container prefix of {name} already: Docker refuses two containers of one name"),
            )
            .value(config.project_name())
            .hint("install it for a client: `mailu install --client-id tenant1`")
            .hint(format!("or give it a prefix of its own: {}", config.setting(&["project=mailu_two"]))),
        );
    }

    let theirs: Vec<_> = other
        .public_names()
        .cloned()
        .chain(other.further_names())
        .collect();
    for (key, mine) in config
        .public_names()
        .map(|n| {
            (
                if *n == config.mail_host {
                    "mail_host"
                } else {
                    "hostnames"
                },
                n.clone(),
            )
        })
        .chain(
            config
                .autoconfig_names()
                .into_iter()
                .map(|n| ("dns.autoconfig", n)),
        )
        .chain(
            config
                .mta_sts_names()
                .into_iter()
                .map(|n| ("mta_sts.mode", n)),
        )
    {
        if theirs.contains(&mine) {
            out.push(
                Finding::error(
                    "fleet.name",
                    key,
                    format!("is a name of {name} already: both would claim its web traffic"),
                )
                .value(&mine)
                .hint("choose another name, or remove it there first"),
            );
        }
    }
    for domain in config.receiving() {
        if other.receiving().any(|d| d == domain) {
            let key = if *domain == config.email_domain {
                "email_domain"
            } else if config.email_domains.contains(domain) {
                "email_domains"
            } else {
                "dns.alternatives"
            };
            out.push(
                Finding::error(
                    "fleet.email_domain",
                    key,
                    format!("is served by {name} already: each of the two would keep mail from its own users for itself"),
                )
                .value(domain)
                .hint("remove it there first"),
            );
        }
    }

    let same_proxy = config.tls.mode.behind_traefik()
        && other.tls.mode.behind_traefik()
        && config.traefik.network == other.traefik.network;
    let their_networks = network::named(other);
    for (key, mine) in network::named(config) {
        for (their_key, theirs) in &their_networks {
            let shared = same_proxy && key == "traefik.subnet" && *their_key == "traefik.subnet";
            if shared && mine != *theirs {
                out.push(
                    Finding::error(
                        "fleet.proxy_subnet",
                        key,
                        format!(
                            "must be {theirs}, as {name} has it: both are on the network `{}`",
                            config.traefik.network
                        ),
                    )
                    .value(mine)
                    .hint(format!("set `traefik.subnet = \"{theirs}\"`")),
                );
            } else if !shared && network::overlap(IpNet::V4(mine), IpNet::V4(*theirs)) {
                out.push(
                    Finding::error(
                        "fleet.network",
                        key,
                        format!("overlaps `{their_key}` ({theirs}) of {name}"),
                    )
                    .value(mine)
                    .hint(format!("remove `{key}` to have another one drawn")),
                );
            }
        }
    }
    let six = |config: &Config| -> Vec<IpNet> {
        let all = network::claimed(config).into_iter().map(|(_, net)| net);
        all.filter(|net| net.addr().is_ipv6()).collect()
    };
    let theirs = six(other);
    let shared = six(config).into_iter().find_map(|mine| {
        Some((
            mine,
            *theirs.iter().find(|net| network::overlap(mine, **net))?,
        ))
    });
    if let Some((mine, theirs)) = shared {
        out.push(
            Finding::error(
                "fleet.network",
                "network.subnet6",
                format!(
                    "must not share addresses with {name}: {mine} here, {theirs} there. Where ports are published, `access` takes the network after `network.subnet6` too"
                ),
            )
            .value(config.network.subnet6.map(|net| net.to_string()).unwrap_or_default())
            .hint("remove `network.subnet6` to have another one drawn"),
        );
    }
    if same_proxy
        && config.traefik.address.is_some()
        && config.traefik.address == other.traefik.address
    {
        out.push(
            Finding::error(
                "fleet.front_address",
                "traefik.address",
                format!("is the address of the front of {name} already"),
            )
            .value(
                config
                    .traefik
                    .address
                    .map(|a| a.to_string())
                    .unwrap_or_default(),
            )
            .hint("remove `traefik.address` to have another one drawn"),
        );
    }

    if same_proxy && config.via() == Via::Traefik && other.via() == Via::Traefik {
        let taken = other.open_ports();
        for port in config.open_ports() {
            let point = config.traefik.entrypoints.for_port(port);
            let clash = taken
                .iter()
                .find(|their_port| other.traefik.entrypoints.for_port(**their_port) == point);
            // Where both ends speak TLS at once, Traefik tells the deployments apart by server name.
            if clash.is_none_or(|their_port| *their_port == port && port.implicit_tls()) {
                continue;
            }
            out.push(
                Finding::error(
                    "fleet.entrypoint",
                    format!("traefik.entrypoints.{}", port.name()),
                    format!(
                        "is taken by {name}: on port {} the server speaks first, so there is no name to route by and one entry point serves one deployment",
                        port.number()
                    ),
                )
                .value(point)
                .hint(format!(
                    "publish the mail ports on an address of their own: {}",
                    config.setting(&["ports.via=published", "ports.address=ADDRESS"])
                ))
                .hint(format!(
                    "or name another entry point: {}",
                    config.setting(&[&format!("traefik.entrypoints.{}=NAME", port.name())])
                ))
                .hint(format!("or do without port {}: list the others in `ports.mail`", port.number())),
            );
        }
    }

    let mine = crate::compose::published(config);
    let theirs = crate::compose::published(other);
    let mut ports: Vec<&str> = Vec::new();
    for (address, port) in mine.iter().filter_map(|p| split(p)) {
        let any = |a: &str| matches!(a, "0.0.0.0" | "[::]");
        let same_family = |a: &str, b: &str| a.starts_with('[') == b.starts_with('[');
        let taken = theirs
            .iter()
            .filter_map(|p| split(p))
            .any(|(their_address, their_port)| {
                port == their_port
                    && same_family(address, their_address)
                    && (address == their_address || any(address) || any(their_address))
            });
        if taken {
            ports.push(port);
        }
    }
    if !ports.is_empty() {
        ports.dedup();
        out.push(
            Finding::error(
                "fleet.port",
                "ports.address",
                format!(
                    "is not free: {name} publishes port {} there",
                    ports.join(", ")
                ),
            )
            .value(config.ports.address)
            .hint(format!(
                "give each deployment an address of its own: {}",
                config.setting(&["ports.address=ADDRESS"])
            )),
        );
    }

    // A specific address may be one that Traefik leaves alone; all addresses never are.
    for (key, every, hint) in [
        ("ports.address", "0.0.0.0", "--set ports.address=ADDRESS"),
        ("ports.address6", "[::]", "--set ports.address6=ADDRESS"),
    ] {
        let ours = against_traefik(config, &[every], other);
        if !ours.is_empty() {
            out.push(
                Finding::error(
                    "fleet.port",
                    key,
                    format!(
                        "must be an address that Traefik leaves free: it has port {} already, for {name}",
                        ours.join(", ")
                    ),
                )
                .value(every.trim_matches(['[', ']']))
                .hint(format!("publish on another address of this host (`{hint}`), and have Traefik listen on its own one only")),
            );
        }
    }
    let theirs = against_traefik(other, &["0.0.0.0", "[::]"], config);
    if !theirs.is_empty() {
        let only_mail = !theirs
            .iter()
            .any(|port| matches!(port.as_str(), "80" | "443"));
        let mut finding = Finding::error(
            "fleet.port",
            if only_mail { "ports.via" } else { "tls.mode" },
            format!(
                "needs Traefik to listen on port {}, which {name} publishes on every address of this host",
                theirs.join(", ")
            ),
        );
        if only_mail {
            finding = finding.hint("publish the mail ports on an address of their own: `--set ports.via=published --set ports.address=ADDRESS`");
        }
        out.push(finding.hint("set `ports.address` there to an address of its own, and have Traefik listen on another"));
    }
}

/// The ports that Traefik holds on the host for `config`.
fn held_by_traefik(config: &Config) -> Vec<u16> {
    if !config.tls.mode.behind_traefik() {
        return Vec::new();
    }
    let mut ports = vec![80, 443];
    if config.via() == Via::Traefik {
        ports.extend(config.open_ports().iter().map(|port| port.number()));
    }
    ports
}

/// Ports that `publisher` wants on `every` address of the host, and that Traefik has on one of them for `other`.
fn against_traefik(publisher: &Config, every: &[&str], other: &Config) -> Vec<String> {
    let held = held_by_traefik(other);
    let mut ports: Vec<String> = crate::compose::published(publisher)
        .iter()
        .filter_map(|published| split(published))
        .filter(|(address, _)| every.contains(address))
        .filter(|(_, port)| held.iter().any(|held| held.to_string() == *port))
        .map(|(_, port)| port.to_owned())
        .collect();
    ports.dedup();
    ports
}

/// Address and port of `ADDRESS:PORT:PORT`.
fn split(published: &str) -> Option<(&str, &str)> {
    let (rest, port) = published.rsplit_once(':')?;
    let (address, _) = rest.rsplit_once(':')?;
    Some((address, port))
}
