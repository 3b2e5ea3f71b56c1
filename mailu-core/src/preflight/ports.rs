//! The ports that Docker has to take on this host.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::neighbours::is_ours;
use super::{Bind, Facts, Listener, Taken, Verdict, listed};
use crate::config::{Config, Via};
use crate::engine::{Container, State};
use crate::finding::Finding;

const ID: &str = "preflight.ports";

/// Every address and port that Docker publishes for front. Where there is no Traefik yet, also those that it needs.
pub fn wanted(config: &Config, traefik_is_there: bool) -> Vec<SocketAddr> {
    let mut all: Vec<SocketAddr> = crate::compose::published(config)
        .iter()
        .filter_map(|published| published.rsplit_once(':')?.0.parse().ok())
        .collect();
    if config.tls.mode.behind_traefik() && !traefik_is_there {
        let mut ports = vec![80, 443];
        if config.via() == Via::Traefik {
            ports.extend(config.open_ports().iter().map(|port| port.number()));
        }
        all.extend(
            ports
                .into_iter()
                .map(|port| SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))),
        );
    }
    all.sort_unstable();
    all.dedup();
    all
}

/// Whether two listeners cannot both be.
fn collide(a: SocketAddr, b: SocketAddr) -> bool {
    // A socket for every IPv6 address usually takes IPv4 as well.
    let dual = |ip: IpAddr| ip.is_ipv6() && ip.is_unspecified();
    a.port() == b.port()
        && if a.is_ipv4() == b.is_ipv4() {
            a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified()
        } else {
            dual(a.ip()) || dual(b.ip())
        }
}

/// Who has a port.
#[derive(PartialEq)]
enum Holder<'a> {
    Ours,
    Container(&'a Container),
    Process(&'a str, i32),
    Somebody,
}

/// Docker's own processes listen in place of containers.
fn is_docker(listener: &Listener) -> bool {
    listener.process.as_ref().is_some_and(|(name, _)| {
        matches!(name.as_str(), "docker-proxy" | "dockerd" | "rootlesskit")
    })
}

fn holder<'a>(at: SocketAddr, taken: Taken, project: &str, facts: &'a Facts) -> Option<Holder<'a>> {
    let containers: &[Container] = match &facts.engine {
        Some(Ok(engine)) => &engine.containers,
        _ => &[],
    };
    let published = containers.iter().find(|container| {
        matches!(
            container.state,
            State::Running | State::Paused | State::Restarting
        ) && container
            .published
            .iter()
            .any(|one| collide(at, SocketAddr::new(one.address, one.port)))
    });
    if let Some(container) = published {
        return Some(if is_ours(container, project, facts) {
            Holder::Ours
        } else {
            Holder::Container(container)
        });
    }
    if matches!(taken, Taken::No | Taken::Elsewhere) {
        return None;
    }
    let mut listeners = facts
        .listeners
        .iter()
        .filter(|listener| collide(at, listener.at));
    let exact = listeners
        .clone()
        .find(|listener| listener.at == at)
        .or_else(|| listeners.next());
    match exact {
        Some(listener) => {
            let inside = listener
                .container
                .as_ref()
                .and_then(|id| containers.iter().find(|container| container.id == *id));
            Some(match (inside, &listener.process) {
                (Some(container), _) => Holder::Container(container),
                (None, Some((name, pid))) if !is_docker(listener) => Holder::Process(name, *pid),
                _ => Holder::Somebody,
            })
        }
        None if taken == Taken::Yes => Some(Holder::Somebody),
        None => None,
    }
}

pub(super) fn judge(config: &Config, facts: &Facts) -> Verdict {
    if facts.binds.is_empty() {
        return Verdict::not_needed();
    }
    let project = config.project_name();
    let mut out = Vec::new();
    let mut elsewhere: Vec<IpAddr> = Vec::new();
    let mut unknown = 0;
    let mut taken_by: Vec<(Holder<'_>, Vec<SocketAddr>)> = Vec::new();
    for Bind { at, taken } in &facts.binds {
        if *taken == Taken::Elsewhere {
            if !elsewhere.contains(&at.ip()) {
                elsewhere.push(at.ip());
            }
            continue;
        }
        match holder(*at, *taken, &project, facts) {
            None => unknown += u32::from(*taken == Taken::Unknown),
            Some(Holder::Ours) => {}
            Some(holder) => match taken_by.iter_mut().find(|(there, _)| *there == holder) {
                Some((_, all)) => all.push(*at),
                None => taken_by.push((holder, vec![*at])),
            },
        }
    }
    let taken: usize = taken_by.iter().map(|(_, all)| all.len()).sum();
    out.extend(
        taken_by
            .iter()
            .map(|(holder, all)| not_free(config, holder, all)),
    );
    for address in elsewhere {
        let key = if address.is_ipv6() {
            "ports.address6"
        } else {
            "ports.address"
        };
        let own: Vec<&IpAddr> = facts
            .addresses
            .iter()
            .filter(|own| own.is_ipv6() == address.is_ipv6() && !own.is_loopback())
            .collect();
        let mut finding = Finding::error(
            ID,
            key,
            format!(
                "is none of this host's addresses, so that Docker cannot publish there{}",
                if own.is_empty() {
                    String::new()
                } else {
                    format!("; it has {}", listed(own))
                }
            ),
        )
        .value(address)
        .hint(format!(
            "take one of those: {}",
            config.setting(&[&format!("{key}=ADDRESS")])
        ));
        if !address.is_loopback() {
            finding = finding.hint(format!("or give the host that address: `ip address add {address} dev DEVICE`, and in the network's configuration"));
        }
        out.push(finding);
    }
    if unknown > 0 && out.is_empty() {
        return Verdict::undone("not checked: only root can try ports below 1024");
    }
    let ports: Vec<u16> = facts.binds.iter().map(|bind| bind.at.port()).collect();
    let summary = if out.is_empty() {
        format!("{} free or ours", listed(unique(ports)))
    } else {
        format!("{taken} of {} not free", facts.binds.len())
    };
    Verdict::of(summary, out)
}

fn not_free(config: &Config, holder: &Holder<'_>, all: &[SocketAddr]) -> Finding {
    let for_traefik = config.tls.mode.behind_traefik() && config.via() == Via::Traefik;
    let ports = unique(all.iter().map(SocketAddr::port).collect());
    let many = ports.len() > 1;
    let (who, hint) = match holder {
        Holder::Container(container) => (
            format!(
                "the container {} (image {}) has {}",
                container.name,
                container.image,
                if many { "them" } else { "it" }
            ),
            format!(
                "stop it if it is not needed: `docker stop {}`",
                container.name
            ),
        ),
        Holder::Process(name, pid) => (
            format!("{name} (process {pid}) listens there"),
            service_hint(name, *pid),
        ),
        Holder::Ours | Holder::Somebody => (
            "somebody listens there whose process cannot be seen".to_owned(),
            format!(
                "`ss -ltnp 'sport = :{}'` as root shows who",
                ports.first().copied().unwrap_or_default()
            ),
        ),
    };
    let finding = Finding::error(
        ID,
        format!("port {}", listed(&ports)),
        format!(
            "{} not free: {who}, and {} needs {}",
            if many { "are" } else { "is" },
            if for_traefik { "Traefik" } else { "front" },
            if many { "them" } else { "it" }
        ),
    )
    .value(
        all.iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", "),
    )
    .hint(hint);
    if for_traefik {
        return finding;
    }
    let key = if all.iter().all(SocketAddr::is_ipv6) {
        "ports.address6=ADDRESS"
    } else {
        "ports.address=ADDRESS"
    };
    finding.hint(format!(
        "or publish on another address of this host: {}",
        config.setting(&[key])
    ))
}

fn unique(mut ports: Vec<u16>) -> Vec<u16> {
    ports.sort_unstable();
    ports.dedup();
    ports
}

/// How the usual mail and web servers of a distribution are switched off.
fn service_hint(name: &str, pid: i32) -> String {
    let unit = match name {
        "master" | "postfix" => Some("postfix"),
        "exim4" | "exim" => Some("exim4"),
        "sendmail" | "sendmail-mta" => Some("sendmail"),
        "nginx" => Some("nginx"),
        "apache2" | "httpd" => Some(if name == "httpd" { "httpd" } else { "apache2" }),
        "dovecot" => Some("dovecot"),
        "caddy" => Some("caddy"),
        "haproxy" => Some("haproxy"),
        "traefik" => Some("traefik"),
        _ => None,
    };
    match unit {
        Some(unit) => format!("switch it off: `systemctl disable --now {unit}`"),
        None => format!("`ps -fp {pid}` shows it; stop it, or have it listen elsewhere"),
    }
}
