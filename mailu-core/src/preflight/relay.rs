//! Conditions under which connections seem to come from elsewhere than they do: Mailu trusts what is near, so that it would relay for
//! strangers, or take all of them for one client.

use std::net::IpAddr;

use super::neighbours::is_ours;
use super::{EngineFacts, Facts, Verdict};
use crate::config::Config;
use crate::finding::Finding;
use crate::network;

const ID: &str = "preflight.open_relay";

pub(super) fn judge(config: &Config, facts: &Facts) -> Verdict {
    let Some(Ok(engine)) = &facts.engine else {
        return Verdict::not_needed();
    };
    let mut out: Vec<Finding> = Vec::new();
    if facts.daemon.iptables == Some(false) {
        out.push(
            Finding::error(
                ID,
                "/etc/docker/daemon.json",
                "has `\"iptables\": false`: every connection reaches the containers from Docker's own address, so that limits, SPF and block lists see one client only, strangers seem to be neighbours, and containers cannot reach the internet",
            )
            .value("\"iptables\": false")
            .hint("remove it (and `--iptables=false` from dockerd's arguments), then `systemctl restart docker`; rules of your own go into the chain DOCKER-USER"),
        );
    }
    ipv6(config, facts, &mut out);
    strangers(config, facts, engine, &mut out);
    relay_networks(config, facts, engine, &mut out);
    let proxy = match facts.daemon.userland_proxy {
        Some(false) => "off",
        _ => "on",
    };
    Verdict::of(
        format!(
            "iptables {}, userland proxy {proxy}",
            if facts.daemon.iptables == Some(false) {
                "off"
            } else {
                "on"
            }
        ),
        out,
    )
}

fn ipv6(config: &Config, facts: &Facts, out: &mut Vec<Finding>) {
    let publishes6 = config.publishes() && config.ports.address6.is_some();
    if publishes6 && facts.daemon.ip6tables == Some(false) {
        out.push(
            Finding::error(
                ID,
                "/etc/docker/daemon.json",
                "has `\"ip6tables\": false` while ports are published on an IPv6 address: every IPv6 client would have the address of Docker's gateway",
            )
            .value("\"ip6tables\": false")
            .hint("remove it, then `systemctl restart docker`")
            .hint(format!("or do without IPv6: `mailu config unset {} ports.address6`", config.options())),
        );
    }
    // Judged with the version alone when the configuration was settled; here it is known how the engine was told.
    let told = facts.daemon.ip6tables == Some(true);
    out.extend(
        facts
            .settled
            .iter()
            .filter(|finding| finding.id == "engine.ipv6" && !told)
            .cloned(),
    );
}

/// Whatever has an address in Mailu's SUBNET may send to anybody.
fn strangers(config: &Config, facts: &Facts, engine: &EngineFacts, out: &mut Vec<Finding>) {
    let Some(subnet) = config.network.subnet else {
        return;
    };
    let project = config.project_name();
    for container in &engine.containers {
        if is_ours(container, &project, facts) {
            continue;
        }
        for (name, address) in &container.networks {
            let inside = matches!(address, Some(IpAddr::V4(address)) if subnet.contains(address))
                || *name == format!("{project}_default");
            if inside {
                out.push(
                    Finding::error(
                        ID,
                        format!("container {}", container.name),
                        format!("is in Mailu's own network {name}: whatever is in there may send mail to anybody, without a password"),
                    )
                    .hint(format!("`docker network disconnect {name} {}`", container.name))
                    .hint("what has to send mail uses port 465 with an account; Traefik joins the network in `traefik.network` only"),
                );
            }
        }
    }
}

/// Networks that may send without a password must not have an address from which Docker passes strangers on.
fn relay_networks(config: &Config, facts: &Facts, engine: &EngineFacts, out: &mut Vec<Finding>) {
    if facts.daemon.userland_proxy == Some(false) && facts.daemon.iptables != Some(false) {
        return;
    }
    for trusted in &config.relay.networks {
        let gateways = engine.networks.iter().flat_map(|network| {
            network
                .gateways
                .iter()
                .map(move |gateway| (network.name.as_str(), *gateway))
        });
        if let Some((name, gateway)) = gateways
            .into_iter()
            .find(|(_, gateway)| trusted.0.contains(gateway))
        {
            out.push(
                Finding::error(
                    ID,
                    "relay.networks",
                    format!("contains {gateway}, Docker's own address in the network {name}: connections that Docker's proxy passes on come from there, whoever makes them, and would be relayed to anybody"),
                )
                .value(trusted)
                .hint("name the addresses of the hosts that may send, and no more")
                .hint("or have such hosts log in on port 465"),
            );
        }
    }
}

/// Traefik that publishes its ports on IPv6 without an IPv6 network: Docker's proxy passes such connections on, from the gateway's address.
pub(super) fn traefik_ipv6(config: &Config, facts: &Facts, out: &mut Vec<Finding>) {
    let (Some(Ok(engine)), Some(traefik)) = (&facts.engine, &facts.traefik) else {
        return;
    };
    let container = &traefik.container;
    let host_network = container.network_mode.as_deref() == Some("host");
    let on_ipv6 = container
        .published
        .iter()
        .any(|one| one.address.is_ipv6() && matches!(one.port, 25 | 80 | 443));
    let has_ipv6 = engine.networks.iter().any(|network| {
        container.networks.contains_key(&network.name)
            && network.subnets.iter().any(|net| net.addr().is_ipv6())
    });
    if host_network || !on_ipv6 || has_ipv6 || facts.daemon.userland_proxy == Some(false) {
        return;
    }
    let public = facts
        .addresses
        .iter()
        .any(|address| address.is_ipv6() && network::is_public(*address));
    if !public && config.dns.ipv6.is_none() {
        return;
    }
    out.push(
        Finding::warning(
            "preflight.proxy_network",
            format!("container {}", container.name),
            "publishes its ports on IPv6 and has no IPv6 network: Docker's proxy passes such connections on from its own address, so that all IPv6 clients count as one for limits and SPF",
        )
        .hint("publish on the IPv4 address only (`ADDRESS:25:25`), and publish no AAAA record")
        .hint("or give one of its networks IPv6 (`enable_ipv6: true` with a subnet), with Docker 27 or later"),
    );
}
