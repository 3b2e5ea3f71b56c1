//! The running Traefik, judged against what a deployment behind it needs. What is missing is answered with what to add.

mod settings;

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

use super::{Facts, TraefikFacts, Verdict, listed, relay, version};
use crate::config::{Config, MailPort, TlsMode, Via};
use crate::engine::{self, Container, State};
use crate::finding::Finding;
use crate::network;

pub use settings::{Settings, Source, files, named_file, on_host};

const RUNNING: &str = "preflight.traefik";
const POINTS: &str = "preflight.entrypoints";
const NETWORK: &str = "preflight.proxy_network";
const ACME: &str = "preflight.acme";

/// The oldest of each series that a Docker since 29 speaks to.
const SPEAKS_TO_29: [(u32, u32, u32); 2] = [(2, 11, 31), (3, 6, 1)];

/// The container that is Traefik, if there is one: rather one that runs, in the shared network, with the web's ports.
pub fn find<'a>(config: &Config, containers: &'a [Container]) -> Option<&'a Container> {
    let network = config.traefik.network.as_str();
    containers
        .iter()
        .filter(|container| is_traefik(container))
        .max_by_key(|container| {
            (
                container.state == State::Running,
                container.networks.contains_key(network),
                container
                    .published
                    .iter()
                    .any(|one| matches!(one.port, 80 | 443))
                    || container.network_mode.as_deref() == Some("host"),
            )
        })
}

fn is_traefik(container: &Container) -> bool {
    let image = container.image.split('@').next().unwrap_or_default();
    let image = image.rsplit('/').next().unwrap_or_default();
    let image = image.split(':').next().unwrap_or_default();
    let program = |word: &String| word.rsplit('/').next() == Some("traefik");
    image == "traefik"
        || container
            .labels
            .get("org.opencontainers.image.title")
            .is_some_and(|title| title.eq_ignore_ascii_case("traefik"))
        // `/entrypoint.sh traefik …`, or the program itself.
        || container.command.iter().take(2).any(program)
}

/// An entry point that a deployment needs.
struct Point {
    name: String,
    key: &'static str,
    port: u16,
    /// Whether the server speaks first, so that nothing on it may wait for a client's TLS.
    server_first: bool,
}

fn points(config: &Config) -> Vec<Point> {
    let names = &config.traefik.entrypoints;
    let mut all = vec![
        Point {
            name: names.web.to_string(),
            key: "web",
            port: 80,
            server_first: false,
        },
        Point {
            name: names.websecure.to_string(),
            key: "websecure",
            port: 443,
            server_first: false,
        },
    ];
    if config.via() == Via::Traefik {
        all.extend(config.open_ports().into_iter().map(|port: MailPort| Point {
            name: names.for_port(port).to_string(),
            key: port.name(),
            port: port.number(),
            server_first: !port.implicit_tls(),
        }));
    }
    all
}

/// The arguments of a Traefik that has everything a deployment needs.
pub fn arguments(config: &Config) -> Vec<String> {
    let mut all = vec![
        "--providers.docker=true".to_owned(),
        "--providers.docker.exposedByDefault=false".to_owned(),
    ];
    for point in points(config) {
        all.push(format!(
            "--entryPoints.{}.address=:{}",
            point.name, point.port
        ));
    }
    // Without this, routers that name no entry point are on every one, and those for mail would wait for a TLS greeting.
    for name in [
        &config.traefik.entrypoints.web,
        &config.traefik.entrypoints.websecure,
    ] {
        all.push(format!("--entryPoints.{name}.asDefault=true"));
    }
    if config.tls.mode == TlsMode::Traefik {
        let resolver = format!("--certificatesResolvers.{}.acme", config.traefik.resolver);
        all.push(format!("{resolver}.email={}", config.admin_email));
        all.push(format!("{resolver}.storage=/acme/acme.json"));
        all.push(format!("{resolver}.tlsChallenge=true"));
    }
    all
}

/// `-p 25:25 -p 80:80 …`
fn publishing(config: &Config) -> String {
    let ports: Vec<String> = points(config)
        .iter()
        .map(|point| format!("{0}:{0}", point.port))
        .collect();
    ports.join(", ")
}

fn needed(config: &Config) -> bool {
    config.tls.mode.behind_traefik()
}

/// Traefik, and what it was told, where both are there.
fn known(facts: &Facts) -> Option<(&TraefikFacts, &Settings)> {
    let traefik = facts.traefik.as_ref()?;
    Some((traefik, traefik.settings.as_ref().ok()?))
}

fn undone(facts: &Facts) -> Verdict {
    Verdict::undone(match facts.traefik {
        None => "not checked: there is no Traefik",
        Some(_) => "not checked: Traefik's configuration cannot be read",
    })
}

fn release(container: &Container) -> Option<(u32, u32, u32)> {
    let label = container.labels.get("org.opencontainers.image.version");
    let tag = container
        .image
        .split('@')
        .next()
        .and_then(|image| image.rsplit('/').next())
        .and_then(|image| image.rsplit_once(':'))
        .map(|(_, tag)| tag);
    label
        .and_then(|text| version(text))
        .or_else(|| tag.and_then(version))
}

/// Whether a release is known to be older than `since`; a tag such as `v3` stands for the newest one.
fn older(container: &Container, there: (u32, u32, u32), since: (u32, u32, u32)) -> bool {
    let exact = container
        .labels
        .contains_key("org.opencontainers.image.version")
        || container
            .image
            .rsplit(':')
            .next()
            .is_some_and(|tag| tag.matches('.').count() >= 2);
    let with_minor = container
        .image
        .rsplit(':')
        .next()
        .is_some_and(|tag| tag.contains('.'));
    if exact {
        there < since
    } else if with_minor {
        (there.0, there.1) < (since.0, since.1)
    } else {
        there.0 < since.0
    }
}

pub(super) fn running(config: &Config, facts: &Facts) -> Verdict {
    let Some(Ok(engine)) = facts.engine.as_ref().filter(|_| needed(config)) else {
        return Verdict::not_needed();
    };
    let Some(traefik) = &facts.traefik else {
        return Verdict::of(
            "there is none",
            vec![
                Finding::error(
                    RUNNING,
                    "tls.mode",
                    "needs a Traefik on this host, and no container is one",
                )
                .value(config.tls.mode)
                .hint("`mailu install --with-deps` installs one with everything that is needed")
                .hint(format!(
                    "or start your own with these arguments: {}; publish its ports {}; mount /var/run/docker.sock read-only{}",
                    arguments(config).join(" "),
                    publishing(config),
                    if config.tls.mode == TlsMode::Traefik { ", and a directory of the host at /acme" } else { "" }
                ))
                .hint(format!("or do without Traefik: {}", config.setting(&["tls.mode=letsencrypt"]))),
            ],
        );
    };
    let container = &traefik.container;
    let subject = format!("container {}", container.name);
    let mut out = Vec::new();
    if container.state != State::Running {
        out.push(
            Finding::error(
                RUNNING,
                &subject,
                format!(
                    "is Traefik, and does not run: it is {}",
                    container.state.as_str()
                ),
            )
            .hint(format!(
                "`docker start {}`; `docker logs --tail 20 {}` shows why it ended",
                container.name, container.name
            )),
        );
    }
    let there = release(container);
    if let Some(there) = there {
        if older(container, there, (2, 11, 0)) {
            out.push(
                Finding::error(
                    RUNNING,
                    &subject,
                    "is too old: mail needs TCP routers with PROXY protocol as Traefik 2.11 and later have them",
                )
                .value(&container.image)
                .hint("take a newer image, such as traefik:v3.6, for it"),
            );
        } else if let Some(docker) = version(&engine.version).filter(|docker| docker.0 >= 29)
            && SPEAKS_TO_29
                .iter()
                .any(|since| since.0 == there.0 && older(container, there, *since))
        {
            out.push(
                Finding::error(
                    RUNNING,
                    &subject,
                    format!("cannot speak to Docker {}, which refuses the API of before 1.44: it sees no container", docker.0),
                )
                .value(&container.image)
                .hint("take Traefik 3.6.1 or 2.11.31, or later, for it"),
            );
        }
    }
    match &traefik.settings {
        Err(why) => out.push(
            Finding::warning(
                RUNNING,
                &subject,
                format!("is Traefik, and its configuration cannot be read, so that its entry points and certificates are not checked: {why}"),
            )
            .hint("mount its file from this host, or give it arguments instead"),
        ),
        Ok(settings) => provider(config, container, settings, &mut out),
    }
    let release = there.map_or_else(
        || container.image.clone(),
        |(major, minor, patch)| format!("{major}.{minor}.{patch}"),
    );
    Verdict::of(format!("Traefik {release} in {}", container.name), out)
}

fn provider(config: &Config, container: &Container, settings: &Settings, out: &mut Vec<Finding>) {
    let subject = format!("container {}", container.name);
    if !settings.has("providers.docker") {
        out.push(
            Finding::error(
                RUNNING,
                subject,
                "is Traefik without its Docker provider: it does not read the labels that lead to front",
            )
            .hint(format!("add to {}: {}", settings.place(), code(&[
                settings.addition("providers.docker", "true"),
                settings.addition("providers.docker.exposedByDefault", "false"),
            ])))
            .hint("and mount /var/run/docker.sock into it, read-only"),
        );
        return;
    }
    let elsewhere = settings
        .get("providers.docker.endpoint")
        .is_some_and(|endpoint| !endpoint.starts_with("unix://"));
    let socket = container.mounts.iter().any(|(source, target)| {
        let is_socket =
            |path: &str| std::path::Path::new(path).extension() == Some("sock".as_ref());
        is_socket(target) || is_socket(source) || target == "/var/run" || target == "/run"
    });
    if !elsewhere && !socket && !container.environment.contains_key("DOCKER_HOST") {
        out.push(
            Finding::error(
                RUNNING,
                &subject,
                "is Traefik without Docker's socket: it cannot see containers",
            )
            .hint("mount it, read-only: `/var/run/docker.sock:/var/run/docker.sock:ro`"),
        );
    }
    if let Some(constraints) = settings.get("providers.docker.constraints") {
        out.push(
            Finding::warning(
                RUNNING,
                &subject,
                "takes containers only that meet its constraints, and front has no label for them",
            )
            .value(constraints)
            .hint("let containers with `traefik.enable=true` pass, or add the label in docker-compose.override.yml")
            .hint(format!("front is the container {}_front", config.project_name())),
        );
    }
}

/// Several additions, each to be copied.
fn code(additions: &[String]) -> String {
    additions
        .iter()
        .map(|one| format!("`{one}`"))
        .collect::<Vec<_>>()
        .join(" ")
}

/// Host and port of `:25`, `0.0.0.0:25/tcp` or `[::]:25`.
fn listening(address: &str) -> Option<(String, u16)> {
    let (address, protocol) = address.split_once('/').unwrap_or((address, "tcp"));
    if !protocol.eq_ignore_ascii_case("tcp") {
        return None;
    }
    let (host, port) = address.rsplit_once(':')?;
    Some((
        host.trim_matches(['[', ']']).to_owned(),
        port.trim().parse().ok()?,
    ))
}

pub(super) fn entrypoints(config: &Config, facts: &Facts) -> Verdict {
    if !needed(config) {
        return Verdict::not_needed();
    }
    let Some((traefik, settings)) = known(facts) else {
        return undone(facts);
    };
    let container = &traefik.container;
    let subject = format!("container {}", container.name);
    let host_network = container.network_mode.as_deref() == Some("host");
    let mut out = Vec::new();
    let mut absent = Vec::new();
    let mut unpublished = Vec::new();
    let mut near: Vec<String> = Vec::new();
    let all = points(config);
    for point in &all {
        let key = format!("entryPoints.{}.address", point.name);
        let Some(address) = settings.get(&key) else {
            absent.push(point);
            continue;
        };
        let Some((host, inside)) = listening(address) else {
            out.push(
                Finding::error(
                    POINTS,
                    format!("traefik.entrypoints.{}", point.key),
                    format!("is an entry point that does not listen for TCP: {key} is {address}"),
                )
                .value(&point.name)
                .hint(format!(
                    "set in {}: `{}`",
                    settings.place(),
                    settings.addition(&key, &format!(":{}", point.port))
                )),
            );
            continue;
        };
        if host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()) {
            out.push(
                Finding::error(
                    POINTS,
                    format!("traefik.entrypoints.{}", point.key),
                    format!("is an entry point that listens on {host} of its container only: nobody reaches it"),
                )
                .value(&point.name)
                .hint(format!("set in {}: `{}`", settings.place(), settings.addition(&key, &format!(":{inside}")))),
            );
            continue;
        }
        if host_network {
            if inside != point.port {
                out.push(
                    Finding::error(
                        POINTS,
                        format!("traefik.entrypoints.{}", point.key),
                        format!(
                            "is an entry point on port {inside} of this host; it has to be on {}",
                            point.port
                        ),
                    )
                    .value(&point.name)
                    .hint(format!(
                        "set in {}: `{}`",
                        settings.place(),
                        settings.addition(&key, &format!(":{}", point.port))
                    )),
                );
            }
            continue;
        }
        let on: Vec<_> = container
            .published
            .iter()
            .filter(|one| one.container_port == inside && one.port == point.port)
            .collect();
        if on.is_empty() {
            unpublished.push(format!("{}:{inside}", point.port));
        } else if on.iter().all(|one| one.address.is_loopback()) {
            near.push(point.port.to_string());
        }
    }
    if !absent.is_empty() {
        let additions: Vec<String> = absent
            .iter()
            .map(|point| {
                settings.addition(
                    &format!("entryPoints.{}.address", point.name),
                    &format!(":{}", point.port),
                )
            })
            .collect();
        let ports: Vec<String> = absent
            .iter()
            .map(|point| format!("{0}:{0}", point.port))
            .filter(|_| !host_network)
            .collect();
        let there = settings.below("entrypoints");
        let mut finding = Finding::error(
            POINTS,
            &subject,
            format!(
                "is Traefik without the entry {} {}{}",
                if absent.len() == 1 { "point" } else { "points" },
                listed(
                    absent
                        .iter()
                        .map(|point| format!("{} (port {})", point.name, point.port))
                ),
                if there.is_empty() {
                    String::new()
                } else {
                    format!("; it has {}", listed(&there))
                }
            ),
        )
        .hint(format!("add to {}: {}", settings.place(), code(&additions)));
        if !ports.is_empty() {
            finding = finding.hint(format!("and publish: {}", code(&ports)));
        }
        finding = finding.hint(format!(
            "where it has them under other names: {}",
            config.setting(&[&format!(
                "traefik.entrypoints.{}=NAME",
                absent.first().map_or("smtp", |point| point.key)
            )])
        ));
        if absent.iter().any(|point| !matches!(point.port, 80 | 443)) {
            finding = finding.hint(format!(
                "or keep mail out of Traefik: {}",
                config.setting(&["ports.via=published"])
            ));
        }
        out.push(finding);
    }
    if !unpublished.is_empty() {
        out.push(
            Finding::error(
                POINTS,
                &subject,
                format!(
                    "has entry points that no port of this host leads to: {}",
                    listed(&unpublished)
                ),
            )
            .hint(format!(
                "publish them (`ports:` of its service, or `-p` of `docker run`): {}",
                code(&unpublished)
            )),
        );
    }
    if !near.is_empty() {
        out.push(
            Finding::warning(
                POINTS,
                &subject,
                format!(
                    "publishes port {} on a loopback address only: nobody outside reaches it",
                    listed(&near)
                ),
            )
            .hint("publish it without an address, or on the public one"),
        );
    }
    sharing(config, facts, settings, &all, &mut out);
    Verdict::of(
        format!("{} of {} are there", all.len() - absent.len(), all.len()),
        out,
    )
}

/// Where the server speaks first, one router that looks at TLS makes Traefik wait for the client, which waits as well.
fn sharing(
    config: &Config,
    facts: &Facts,
    settings: &Settings,
    all: &[Point],
    out: &mut Vec<Finding>,
) {
    let Some(Ok(engine)) = &facts.engine else {
        return;
    };
    let project = config.project_name();
    let first: Vec<&Point> = all.iter().filter(|point| point.server_first).collect();
    if first.is_empty() {
        return;
    }
    let default = settings
        .below("entrypoints")
        .iter()
        .any(|name| settings.is_on(&format!("entrypoints.{name}.asdefault")));
    let mut everywhere = Vec::new();
    for container in &engine.containers {
        if super::neighbours::is_ours(container, &project, facts)
            || container.state != State::Running
        {
            continue;
        }
        let off = container.labels.get("traefik.enable").map_or_else(
            || !by_default(settings),
            |on| !on.eq_ignore_ascii_case("true"),
        );
        if off {
            continue;
        }
        for (router, kind) in routers(container) {
            let label = |what: &str| {
                container
                    .labels
                    .iter()
                    .find(|(key, _)| {
                        key.eq_ignore_ascii_case(&format!("traefik.{kind}.routers.{router}.{what}"))
                    })
                    .map(|(_, value)| value.as_str())
            };
            let tls = container.labels.keys().any(|key| {
                key.to_ascii_lowercase()
                    .starts_with(&format!("traefik.{kind}.routers.{router}.tls"))
            });
            match label("entrypoints") {
                None if tls && !default => everywhere.push(container.name.clone()),
                None => {}
                Some(names) => {
                    let taken: Vec<&&Point> = first
                        .iter()
                        .filter(|point| {
                            names
                                .split(',')
                                .any(|name| name.trim().eq_ignore_ascii_case(&point.name))
                        })
                        .collect();
                    if !taken.is_empty() && (tls || kind == "tcp") {
                        out.push(
                            Finding::error(
                                POINTS,
                                format!("container {}", container.name),
                                format!(
                                    "has a router ({router}) on the entry {} {}: there the server speaks first, and one entry point serves one",
                                    if taken.len() == 1 { "point" } else { "points" },
                                    listed(taken.iter().map(|point| &point.name))
                                ),
                            )
                            .hint(format!("name another entry point in its label traefik.{kind}.routers.{router}.entrypoints"))
                            .hint(format!("or publish this deployment's mail ports on an address of their own: {}", config.setting(&["ports.via=published", "ports.address=ADDRESS"]))),
                        );
                    }
                }
            }
        }
    }
    everywhere.sort();
    everywhere.dedup();
    if !everywhere.is_empty() {
        let names = &config.traefik.entrypoints;
        out.push(
            Finding::error(
                POINTS,
                format!("container {}", everywhere.first().map_or("", String::as_str)),
                format!(
                    "has an HTTPS router that names no entry point ({}): Traefik puts it on every one, and on {} it would wait for the client's TLS while the client waits for the server",
                    listed(&everywhere),
                    listed(first.iter().map(|point| &point.name))
                ),
            )
            .hint(format!(
                "add to {}: {}",
                settings.place(),
                code(&[
                    settings.addition(&format!("entryPoints.{}.asDefault", names.web), "true"),
                    settings.addition(&format!("entryPoints.{}.asDefault", names.websecure), "true"),
                ])
            ))
            .hint(format!("or name the entry point in its labels: `entrypoints={}`", names.websecure)),
        );
    }
}

/// Whether Traefik takes containers that do not ask for it.
fn by_default(settings: &Settings) -> bool {
    settings
        .get("providers.docker.exposedbydefault")
        .is_none_or(|value| value.eq_ignore_ascii_case("true"))
}

/// Names and kinds of a container's routers.
fn routers(container: &Container) -> Vec<(String, &'static str)> {
    let mut all: Vec<(String, &'static str)> = container
        .labels
        .keys()
        .filter_map(|key| {
            let key = key.to_ascii_lowercase();
            ["http", "tcp"].into_iter().find_map(|kind| {
                let rest = key.strip_prefix(&format!("traefik.{kind}.routers."))?;
                Some((rest.split('.').next()?.to_owned(), kind))
            })
        })
        .collect();
    all.sort();
    all.dedup();
    all
}

/// A free address for Traefik in the shared network.
fn free_address(range: Ipv4Net, facts: &Facts, name: &str) -> Option<IpAddr> {
    let taken: Vec<IpAddr> = match &facts.engine {
        Some(Ok(engine)) => engine
            .containers
            .iter()
            .filter_map(|container| *container.networks.get(name)?)
            .collect(),
        _ => Vec::new(),
    };
    // The first address of a range is what Docker gives to whoever comes without one.
    range
        .hosts()
        .map(IpAddr::V4)
        .find(|address| !taken.contains(address))
}

pub(super) fn network(config: &Config, facts: &Facts) -> Verdict {
    if !needed(config) {
        return Verdict::not_needed();
    }
    let Some(Ok(engine)) = &facts.engine else {
        return Verdict::not_needed();
    };
    let name = config.traefik.network.as_str();
    let mut out: Vec<Finding> = facts
        .settled
        .iter()
        .filter(|finding| finding.id.starts_with("engine.proxy"))
        .cloned()
        .collect();
    let Some(traefik) = &facts.traefik else {
        return if out.is_empty() {
            undone(facts)
        } else {
            Verdict::of(format!("{name} does not fit"), out)
        };
    };
    let container = &traefik.container;
    let subject = format!("container {}", container.name);
    let trusted = network::trusted(config);
    let there = engine.networks.iter().find(|one| one.name == name);
    let connect = || {
        let range = trusted.iter().find_map(|net| match net {
            IpNet::V4(net) => Some(*net),
            IpNet::V6(_) => None,
        });
        let address = range.and_then(|range| free_address(range, facts, name));
        let ip = address.map(|ip| format!("--ip {ip} ")).unwrap_or_default();
        let join = format!("docker network connect {ip}{name} {}", container.name);
        match engine::proxy_command(config).filter(|_| there.is_none()) {
            Some(create) => format!("`{create} && {join}`"),
            None => format!("`{join}`"),
        }
    };
    let stay = format!(
        "and, for the next time that it is made, in its Compose file: `networks: {{{name}: {{external: true}}}}` at the top, and `{name}` among the networks of its service"
    );
    if container.network_mode.as_deref() == Some("host") {
        let gateway = there.and_then(|one| one.gateways.first());
        let believed =
            gateway.is_some_and(|gateway| trusted.iter().any(|net| net.contains(gateway)));
        if !believed {
            out.push(
                Finding::error(
                    NETWORK,
                    &subject,
                    format!("is Traefik in the host's own network, so that it reaches front from Docker's address in {name}, which front does not believe: clients' addresses would be lost"),
                )
                .hint(format!(
                    "give it networks of its own (publish its ports, and no `network_mode: host`), and: {}",
                    connect()
                ))
                .hint(format!(
                    "or believe Docker's address: {}",
                    config.setting(&[&format!(
                        "traefik.trusted=[\"{}\"]",
                        gateway.map_or_else(|| "GATEWAY".to_owned(), ToString::to_string)
                    )])
                )),
            );
        }
        return Verdict::of("Traefik is in the host's network", out);
    }
    match container.networks.get(name) {
        None => out.push(
            Finding::error(
                NETWORK,
                &subject,
                format!("is Traefik, and not in the network {name}, in which it would reach front{}", if there.is_none() { "; there is no such network yet" } else { "" }),
            )
            .hint(connect())
            .hint(stay),
        ),
        Some(None) => {}
        Some(Some(address)) if trusted.iter().any(|net| net.contains(address)) => {}
        Some(Some(address)) => out.push(
            Finding::error(
                NETWORK,
                &subject,
                format!(
                    "has the address {address} in {name}, and front believes {} only: the clients' addresses that it tells would not count",
                    listed(&trusted)
                ),
            )
            .value(address)
            .hint(format!("`docker network disconnect {name} {}`, then {}", container.name, connect()))
            .hint(format!("or believe it: {}", config.setting(&[&format!("traefik.trusted=[\"{address}\"]")]))),
        ),
    }
    relay::traefik_ipv6(config, facts, &mut out);
    let summary = container.networks.get(name).copied().flatten().map_or_else(
        || format!("Traefik is not in {name}"),
        |address| format!("Traefik is {address} in {name}"),
    );
    Verdict::of(summary, out)
}

pub(super) fn acme(config: &Config, facts: &Facts) -> Verdict {
    if !needed(config) {
        return Verdict::not_needed();
    }
    let Some((traefik, settings)) = known(facts) else {
        return undone(facts);
    };
    let mut out = Vec::new();
    let summary = if config.tls.mode == TlsMode::Traefik {
        resolver(config, traefik, settings, &mut out)
    } else {
        way_for_mailu(config, &traefik.container, settings, &mut out);
        "Mailu's own certificates, through Traefik".to_owned()
    };
    Verdict::of(summary, out)
}

fn resolver(
    config: &Config,
    traefik: &TraefikFacts,
    settings: &Settings,
    out: &mut Vec<Finding>,
) -> String {
    let name = config.traefik.resolver.as_str();
    let container = &traefik.container;
    let subject = format!("container {}", container.name);
    let base = format!("certificatesResolvers.{name}.acme");
    if !settings.has(&base) {
        let others = settings.below("certificatesresolvers");
        let mut finding = Finding::error(
            ACME,
            "traefik.resolver",
            format!(
                "is no certificate resolver of Traefik's{}: it would serve a certificate of its own making",
                if others.is_empty() { ", which has none".to_owned() } else { format!(", which has {}", listed(&others)) }
            ),
        )
        .value(name);
        if let Some(other) = others.first() {
            finding = finding.hint(format!(
                "take that: {}",
                config.setting(&[&format!("traefik.resolver={other}")])
            ));
        }
        out.push(finding.hint(format!(
            "add to {}: {}; mount a directory of the host at /acme",
            settings.place(),
            code(&[
                settings.addition(
                    &format!("{base}.email"),
                    config.admin_email.to_string().as_str()
                ),
                settings.addition(&format!("{base}.storage"), "/acme/acme.json"),
                settings.addition(&format!("{base}.tlsChallenge"), "true"),
            ])
        )));
        return format!("no resolver {name}");
    }
    let challenge = ["tlschallenge", "httpchallenge", "dnschallenge"]
        .into_iter()
        .find(|kind| settings.has(&format!("{base}.{kind}")));
    match challenge {
        None => out.push(
            Finding::error(
                ACME,
                &subject,
                format!(
                    "has the certificate resolver {name} without a challenge: it obtains nothing"
                ),
            )
            .hint(format!(
                "add to {}: `{}`",
                settings.place(),
                settings.addition(&format!("{base}.tlsChallenge"), "true")
            )),
        ),
        Some("httpchallenge") => {
            let point = settings
                .get(&format!("{base}.httpChallenge.entryPoint"))
                .unwrap_or_default();
            let address = settings.get(&format!("entryPoints.{point}.address"));
            if address.is_none() {
                out.push(
                    Finding::error(
                        ACME,
                        &subject,
                        format!("has the certificate resolver {name} with an HTTP challenge on the entry point `{point}`, which does not exist"),
                    )
                    .hint(format!("set in {}: `{}`", settings.place(), settings.addition(&format!("{base}.httpChallenge.entryPoint"), config.traefik.entrypoints.web.as_str()))),
                );
            }
        }
        Some(_) => {}
    }
    store(config, traefik, settings, &base, out);
    format!(
        "resolver {name}{}",
        challenge
            .map(|kind| format!(" by {kind}"))
            .unwrap_or_default()
    )
}

/// The file with the certificates, from which those for the mail ports are taken.
fn store(
    config: &Config,
    traefik: &TraefikFacts,
    settings: &Settings,
    base: &str,
    out: &mut Vec<Finding>,
) {
    let container = &traefik.container;
    let subject = format!("container {}", container.name);
    let inside = settings
        .get(&format!("{base}.storage"))
        .unwrap_or("acme.json");
    let there = on_host(container, inside);
    let configured = config.traefik.acme_store.as_ref().map(ToString::to_string);
    match (&there, &configured) {
        (None, _) => out.push(
            Finding::warning(
                ACME,
                &subject,
                format!("keeps its certificates inside the container ({inside}): they are gone when it is made anew, and the mail ports cannot have them"),
            )
            .hint("mount a directory of the host there: `/srv/traefik/acme:/acme`")
            .hint(format!("and set in {}: `{}`", settings.place(), settings.addition(&format!("{base}.storage"), "/acme/acme.json")))
            .hint(format!("then name it: {}", config.setting(&["traefik.acme_store=/srv/traefik/acme/acme.json"]))),
        ),
        (Some(there), None) => out.push(
            Finding::warning(
                ACME,
                "traefik.acme_store",
                "is not set: the mail ports would have a self-signed certificate, which mail programs refuse",
            )
            .hint(format!("Traefik keeps its certificates there: {}", config.setting(&[&format!("traefik.acme_store={there}")]))),
        ),
        (Some(there), Some(configured))
            if there != configured && !traefik.store_is_configured =>
        out.push(
            Finding::error(
                ACME,
                "traefik.acme_store",
                format!("is not where Traefik keeps its certificates, which is {there}"),
            )
            .value(configured)
            .hint(config.setting(&[&format!("traefik.acme_store={there}")])),
        ),
        _ => {}
    }
    if let (Some(there), Some(mode)) = (&there, traefik.store_mode.filter(|mode| mode & 0o077 != 0))
    {
        out.push(
            Finding::error(
                ACME,
                there,
                "may be read by others than its owner, so that Traefik refuses to use it and obtains no certificate",
            )
            .value(format!("{:04o}", mode & 0o7777))
            .hint(format!("`chmod 600 {there} && docker restart {}`", container.name)),
        );
    }
}

/// Mailu's own challenge comes over plain HTTP through Traefik, which must neither answer nor redirect it.
fn way_for_mailu(
    config: &Config,
    container: &Container,
    settings: &Settings,
    out: &mut Vec<Finding>,
) {
    let subject = format!("container {}", container.name);
    let web = config.traefik.entrypoints.web.as_str();
    let redirect = format!("entryPoints.{web}.http.redirections");
    if settings.has(&redirect) {
        out.push(
            Finding::error(
                ACME,
                &subject,
                format!("redirects everything on the entry point {web} to HTTPS: Mailu would never get its first certificate, for which it is asked over plain HTTP"),
            )
            .hint(format!("remove {redirect}… from {}, and redirect site by site with a redirectScheme middleware", settings.place()))
            .hint(format!("or let Traefik obtain the certificate: {}", config.setting(&["tls.mode=traefik"]))),
        );
    }
    let bypass = format!("entryPoints.{web}.allowACMEByPass");
    let taking: Vec<String> = settings
        .below("certificatesresolvers")
        .into_iter()
        .filter(|name| {
            settings
                .get(&format!(
                    "certificatesResolvers.{name}.acme.httpChallenge.entryPoint"
                ))
                .is_some_and(|point| point.eq_ignore_ascii_case(web))
        })
        .collect();
    if taking.is_empty() || settings.is_on(&bypass) {
        return;
    }
    let old = release(container).is_some_and(|there| older(container, there, (3, 2, 0)));
    let mut finding = Finding::error(
        ACME,
        &subject,
        format!(
            "answers every HTTP challenge on the entry point {web} itself (certificate resolver {}): Mailu's own would fail",
            listed(&taking)
        ),
    );
    if !old {
        finding = finding.hint(format!(
            "add to {}: `{}`",
            settings.place(),
            settings.addition(&bypass, "true")
        ));
    }
    if let Some(name) = taking.first() {
        finding = finding.hint(format!(
            "{}have Traefik prove its names otherwise: `{}` in place of httpChallenge",
            if old { "" } else { "or " },
            settings.addition(
                &format!("certificatesResolvers.{name}.acme.tlsChallenge"),
                "true"
            )
        ));
    }
    out.push(finding);
}
