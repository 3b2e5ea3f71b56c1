//! The container engine's networks and version, judged against a configuration. Asking the engine is the host's business.

mod container;

use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};

use crate::config::{Config, DEFAULT_PROXY_NETWORK};
use crate::finding::Finding;
use crate::network;

pub use container::{Container, Health, Image, Published, State, Usage};

/// What a container engine says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Engine {
    /// The first number of its version.
    pub major: Option<u32>,
    /// Its IPv4 networks.
    pub networks: Vec<EngineNetwork>,
}

/// An IPv4 network of the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EngineNetwork {
    /// Its name.
    pub name: String,
    /// Its addresses.
    pub subnet: Ipv4Net,
    /// The part of it from which containers get theirs; absent if that is all of it.
    pub range: Option<Ipv4Net>,
    /// The engine's own address in it.
    pub gateway: Option<Ipv4Addr>,
}

impl EngineNetwork {
    /// A network without a range or gateway of its own.
    pub fn new(name: impl Into<String>, subnet: Ipv4Net) -> Self {
        Self {
            name: name.into(),
            subnet,
            range: None,
            gateway: None,
        }
    }
}

/// From this version on Docker passes IPv6 connections to containers without hiding where they come from
/// (`ip6tables` is on by default).
const IPV6_SINCE: u32 = 27;

/// The network which Traefik and the fronts share, as it is made; absent where that network is the operator's own.
pub fn proxy_network(config: &Config) -> Option<EngineNetwork> {
    let traefik = &config.traefik;
    if !config.tls.mode.behind_traefik() || traefik.network.as_str() != DEFAULT_PROXY_NETWORK {
        return None;
    }
    let subnet = traefik.subnet?;
    let mut wanted = EngineNetwork::new(traefik.network.as_str(), subnet);
    wanted.gateway = Some(network::first_address(subnet)?);
    wanted.range = Some(network::traefik_range(subnet)?);
    Some(wanted)
}

/// The command that makes [`proxy_network`].
pub fn proxy_command(config: &Config) -> Option<String> {
    let wanted = proxy_network(config)?;
    Some(format!(
        "docker network create --subnet {} --gateway {} --ip-range {} {}",
        wanted.subnet, wanted.gateway?, wanted.range?, wanted.name
    ))
}

/// Whatever on this engine keeps `config` from working as meant.
pub fn judge(config: &Config, engine: &Engine) -> Vec<Finding> {
    let mut out = Vec::new();
    if config.tls.mode.behind_traefik() {
        shared_network(config, engine, &mut out);
    }
    if config.network.ipv6
        && config.publishes()
        && let Some(major) = engine.major.filter(|major| *major < IPV6_SINCE)
    {
        out.push(
            Finding::warning(
                "engine.ipv6",
                "network.ipv6",
                format!("is on, and Docker {major} gives every IPv6 client the address of its own gateway, unless `ip6tables` is on: limits for each address then count all of them as one, and SPF fails"),
            )
            .value("true")
            .hint(format!("update Docker to {IPV6_SINCE} or later, or set `\"experimental\": true, \"ip6tables\": true` in /etc/docker/daemon.json")),
        );
    }
    out
}

fn shared_network(config: &Config, engine: &Engine, out: &mut Vec<Finding>) {
    let traefik = &config.traefik;
    let Some(there) = engine
        .networks
        .iter()
        .find(|network| network.name == traefik.network.as_str())
    else {
        return;
    };
    let again = |finding: Finding| match proxy_command(config) {
        Some(create) => finding.hint(format!(
            "take the containers off it, then: `docker network rm {} && {create}`",
            traefik.network
        )),
        None => finding,
    };
    if let Some(subnet) = traefik.subnet.filter(|subnet| *subnet != there.subnet) {
        out.push(again(
            Finding::error(
                "engine.proxy_subnet",
                "traefik.subnet",
                format!("is not what the Docker network `{}` has, which is {}: front would trust addresses that Traefik does not have", traefik.network, there.subnet),
            )
            .value(subnet)
            .hint("remove `traefik.subnet` and `traefik.address` to take what is there"),
        ));
        return;
    }
    if !traefik.trusted.is_empty() {
        return;
    }
    let handed_out = there.range.unwrap_or(there.subnet);
    let trusted = network::trusted(config);
    if !trusted
        .iter()
        .any(|net| net.contains(&IpNet::V4(handed_out)))
    {
        let trusted: Vec<String> = trusted.iter().map(ToString::to_string).collect();
        out.push(again(
            Finding::error(
                "engine.proxy_range",
                "traefik.network",
                format!("is a Docker network that gives containers addresses from {handed_out}; front believes {} only, so that no front can pretend to be Traefik, and would not learn the clients' addresses", trusted.join(", ")),
            )
            .value(&traefik.network)
            .hint("or set `traefik.trusted` to Traefik's fixed address there"),
        ));
        return;
    }
    // Without one of its own, Docker takes the first address that it may hand out.
    let gateway = there
        .gateway
        .or_else(|| there.range.map(|range| range.network()))
        .or_else(|| network::first_address(there.subnet));
    if let Some(gateway) = gateway.filter(|gateway| {
        trusted
            .iter()
            .any(|net| net.contains(&IpAddr::V4(*gateway)))
    }) {
        out.push(again(
            Finding::error(
                "engine.proxy_gateway",
                "traefik.network",
                format!("is a Docker network whose gateway, {gateway}, lies in what front believes: whoever reaches front by way of this host could pretend to be any client"),
            )
            .value(&traefik.network),
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{Reserved, draw};

    fn config(more: &str) -> Config {
        let text = format!(
            "mail_host = \"mail.example.com\"\nemail_domain = \"example.com\"\nadmin_email = \"admin@example.com\"\n{more}"
        );
        let mut config = Config::from_toml(&text)
            .expect("a valid configuration")
            .config;
        draw(&mut config, &Reserved::default(), &[]).expect("room");
        config
    }

    fn found(config: &Config, range: Option<&str>, gateway: Option<&str>) -> Vec<String> {
        let mut network = EngineNetwork::new(
            config.traefik.network.as_str(),
            Ipv4Net::new_assert(Ipv4Addr::new(10, 203, 255, 0), 24),
        );
        network.range = range.map(|text| text.parse().expect("a network"));
        network.gateway = gateway.map(|text| text.parse().expect("an address"));
        let engine = Engine {
            major: Some(26),
            networks: vec![
                EngineNetwork::new("bridge", "172.17.0.0/16".parse().expect("a network")),
                network,
            ],
        };
        judge(config, &engine)
            .into_iter()
            .map(|finding| finding.id)
            .collect()
    }

    #[test]
    fn the_shared_network_is_as_the_command_makes_it() {
        let config = config("");
        assert_eq!(
            proxy_command(&config).as_deref(),
            Some(
                "docker network create --subnet 10.203.255.0/24 --gateway 10.203.255.1 --ip-range 10.203.255.64/26 mailu_proxy"
            )
        );
        let range = Some("10.203.255.64/26");
        assert_eq!(found(&config, range, Some("10.203.255.1")), [""; 0]);
        // Docker's own choices: all of it, and the first of the range.
        assert_eq!(
            found(&config, None, Some("10.203.255.1")),
            ["engine.proxy_range"]
        );
        assert_eq!(found(&config, range, None), ["engine.proxy_gateway"]);
        assert_eq!(
            found(&config, range, Some("10.203.255.64")),
            ["engine.proxy_gateway"]
        );
    }

    #[test]
    fn another_subnet_is_seen_wherever_it_is_configured() {
        let elsewhere = "[traefik]\nsubnet = \"10.9.8.0/24\"\n";
        assert_eq!(
            found(&config(elsewhere), None, None),
            ["engine.proxy_subnet"]
        );
        let own = "[traefik]\nnetwork = \"agency-network\"\ntrusted = [\"10.203.255.9\"]\n";
        assert_eq!(found(&config(own), None, None), [""; 0]);
        assert_eq!(proxy_command(&config(own)), None);
        let published = "[tls]\nmode = \"letsencrypt\"\n";
        assert_eq!(found(&config(published), None, None), [""; 0]);
    }

    #[test]
    fn an_old_engine_hides_ipv6_clients() {
        let text =
            "[tls]\nmode = \"letsencrypt\"\n[network]\nipv6 = true\n[ports]\naddress6 = \"::\"\n";
        let with = |major| Engine {
            major,
            networks: Vec::new(),
        };
        let judged = |major| judge(&config(text), &with(major)).len();
        assert_eq!(
            [
                judged(Some(20)),
                judged(Some(26)),
                judged(Some(27)),
                judged(None)
            ],
            [1, 1, 0, 0]
        );
        assert_eq!(judge(&config(""), &with(Some(20))), []);
    }
}
