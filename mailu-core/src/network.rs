//! Addresses of Docker networks: drawn from a pool, never overlapping anything known.
//!
//! A deployment takes one /24 of the pool. Its first half is Mailu's SUBNET, in which everything may relay; the second
//! half holds the side networks. The last /24 of the pool is the network that Traefik shares with every front: `.64/26`
//! for Traefik, whose word front believes, and fixed addresses from `.128` for the fronts, which nobody believes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use sha2::{Digest, Sha256};

use crate::config::Config;
use crate::finding::Finding;

/// The side networks in the second half of a deployment's /24, sixteen addresses each.
const SIDE: [(&str, u8); 6] = [
    ("access", 128),
    ("webmail", 144),
    ("radicale", 160),
    ("clamav", 176),
    ("oletools", 192),
    ("fts_attachments", 208),
];

/// Whether two networks share an address.
pub fn overlap(a: IpNet, b: IpNet) -> bool {
    match (a, b) {
        (IpNet::V4(a), IpNet::V4(b)) => a.contains(&b) || b.contains(&a),
        (IpNet::V6(a), IpNet::V6(b)) => a.contains(&b) || b.contains(&a),
        _ => false,
    }
}

/// The widest network that may be trusted with anything, by its prefix: what is wider is half the internet, and several such cover it.
pub(crate) fn widest(net: IpNet) -> u8 {
    if net.addr().is_ipv4() { 8 } else { 32 }
}

/// Network, gateway and broadcast address of a Docker network.
pub(crate) fn is_edge(net: Ipv4Net, address: Ipv4Addr) -> bool {
    address == net.network() || address == net.broadcast() || Some(address) == nth(net, 1)
}

/// The first address that a host may have, which Docker takes as the gateway.
pub(crate) fn first_address(net: Ipv4Net) -> Option<Ipv4Addr> {
    nth(net, 1)
}

fn nth(net: Ipv4Net, index: u32) -> Option<Ipv4Addr> {
    let address = u32::from(net.network()).checked_add(index)?;
    Some(Ipv4Addr::from(address)).filter(|a| net.contains(a))
}

/// The part of the shared network that Docker gives to Traefik: its second quarter.
///
/// Docker's gateway lies in the first quarter and the fronts in the upper half, so neither is believed.
pub fn traefik_range(net: Ipv4Net) -> Option<Ipv4Net> {
    let prefix = net.prefix_len().checked_add(2).filter(|p| *p <= 32)?;
    net.subnets(prefix).ok()?.nth(1)
}

/// Whose word about client addresses front believes: Mailu's `REAL_IP_FROM`.
pub fn trusted(config: &Config) -> Vec<IpNet> {
    if !config.tls.mode.behind_traefik() {
        return Vec::new();
    }
    if !config.traefik.trusted.is_empty() {
        return config.traefik.trusted.iter().map(|cidr| cidr.0).collect();
    }
    config
        .traefik
        .subnet
        .and_then(traefik_range)
        .map(IpNet::V4)
        .into_iter()
        .collect()
}

/// The resolver's fixed address: the last but one of Mailu's SUBNET, as Mailu's own wizard has it.
pub fn resolver_address(subnet: Ipv4Net) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(subnet.broadcast()).saturating_sub(1))
}

/// The networks that `config` names, with their keys.
pub(crate) fn named(config: &Config) -> Vec<(&'static str, Ipv4Net)> {
    let network = &config.network;
    let mut all = vec![
        ("network.subnet", network.subnet),
        ("network.access", network.access),
        ("network.webmail", network.webmail),
        ("network.radicale", network.radicale),
        ("network.clamav", network.clamav),
        ("network.oletools", network.oletools),
        ("network.fts_attachments", network.fts_attachments),
    ];
    if config.tls.mode.behind_traefik() {
        all.push(("traefik.subnet", config.traefik.subnet));
    }
    all.into_iter()
        .filter_map(|(key, net)| Some((key, net?)))
        .collect()
}

/// All that `config` claims: the networks that it names, its IPv6 subnet, and the IPv6 subnet that `access` gets.
pub(crate) fn claimed(config: &Config) -> Vec<(&'static str, IpNet)> {
    let mut all: Vec<(&str, IpNet)> = named(config)
        .into_iter()
        .map(|(key, net)| (key, IpNet::V4(net)))
        .collect();
    if let Some(net) = config.network.subnet6.filter(|_| config.network.ipv6) {
        let access = access_subnet6(net).filter(|_| config.publishes());
        let own = std::iter::once(net).chain(access);
        all.extend(own.map(|net| ("network.subnet6", IpNet::V6(net))));
    }
    all
}

/// The IPv6 subnet of `access`: the one after `net`, of the same size.
pub(crate) fn access_subnet6(net: Ipv6Net) -> Option<Ipv6Net> {
    let step = 1_u128.checked_shl(128 - u32::from(net.prefix_len()))?;
    let next = u128::from(net.network()).checked_add(step)?;
    Ipv6Net::new(next.into(), net.prefix_len()).ok()
}

/// What other deployments of the host have been promised.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reserved {
    /// Their networks, without Traefik's.
    pub networks: Vec<IpNet>,
    /// Traefik's networks by name.
    pub proxies: Vec<(String, Ipv4Net)>,
    /// Addresses of their fronts in Traefik's networks, by name.
    pub fronts: Vec<(String, Ipv4Addr)>,
}

impl Reserved {
    /// Adds what `config` has been promised.
    pub fn add(&mut self, config: &Config) {
        for (key, net) in claimed(config) {
            match net {
                IpNet::V4(net) if key == "traefik.subnet" => {
                    self.proxies.push((config.traefik.network.to_string(), net));
                }
                _ => self.networks.push(net),
            }
        }
        if let Some(address) = config.traefik.address {
            self.fronts
                .push((config.traefik.network.to_string(), address));
        }
    }
}

/// One value that was drawn, to be written into `mailu.toml`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Drawn {
    /// The key: `network.subnet`.
    pub key: &'static str,
    /// The value.
    pub value: String,
}

/// Fills the gaps in `config` with networks that overlap neither `reserved` nor `routes` (networks that the host reaches).
///
/// What is set already stays. The same input gives the same networks.
///
/// # Errors
///
/// A finding if the pool has no room.
pub fn draw(
    config: &mut Config,
    reserved: &Reserved,
    routes: &[IpNet],
) -> Result<Vec<Drawn>, Box<Finding>> {
    let mut drawn = Vec::new();
    let own: Vec<IpNet> = named(config)
        .into_iter()
        .map(|(_, net)| IpNet::V4(net))
        .collect();
    let taken: Vec<IpNet> = reserved
        .networks
        .iter()
        .chain(
            reserved
                .proxies
                .iter()
                .map(|(_, net)| net)
                .map(|net| IpNet::V4(*net))
                .collect::<Vec<_>>()
                .iter(),
        )
        .chain(routes)
        .chain(&own)
        .copied()
        .collect();
    let free = |block: &Ipv4Net| !taken.iter().any(|net| overlap(IpNet::V4(*block), *net));
    let blocks = || config.network.pool.clone().into_iter().flat_map(slash24);
    let other_pool = config.setting(&["network.pool=10.77.0.0/16"]);
    let full = |what: &str, proxy: Option<Ipv4Net>| {
        let every = "block overlaps another deployment or a network that this host reaches";
        let proxy = proxy.filter(|net| blocks().any(|b| overlap(IpNet::V4(b), IpNet::V4(*net))));
        let why = match proxy {
            Some(net) if blocks().nth(1).is_none() => {
                format!(
                    "its only one is the network shared with Traefik, {net}, so it needs at least two"
                )
            }
            Some(net) => {
                format!("{net} is the network shared with Traefik, and every other {every}")
            }
            None => format!("every {every}"),
        };
        Box::new(
            Finding::error(
                "network.pool_full",
                "network.pool",
                format!("has no free /24 for {what}: {why}"),
            )
            .value(
                config
                    .network
                    .pool
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join(", "),
            )
            .hint(format!("name other networks: {other_pool}")),
        )
    };

    let behind = config.tls.mode.behind_traefik();
    let shared = config.traefik.network.as_str() == crate::config::DEFAULT_PROXY_NETWORK;
    let proxy_block = config
        .network
        .pool
        .iter()
        .find_map(|pool| slash24(*pool).filter(free).last());
    if behind && shared && config.traefik.subnet.is_none() {
        let known = reserved
            .proxies
            .iter()
            .find(|(name, _)| name == config.traefik.network.as_str())
            .map(|(_, net)| *net);
        let net = known
            .or(proxy_block)
            .ok_or_else(|| full("the network shared with Traefik", None))?;
        config.traefik.subnet = Some(net);
        drawn.push(Drawn {
            key: "traefik.subnet",
            value: net.to_string(),
        });
    }
    if behind
        && shared
        && config.traefik.address.is_none()
        && let Some(net) = config.traefik.subnet
    {
        let address = front_addresses(net)
                .find(|address| {
                    !reserved
                        .fronts
                        .iter()
                        .any(|(name, taken)| name == config.traefik.network.as_str() && taken == address)
                })
                .ok_or_else(|| {
                    Box::new(
                        Finding::error(
                            "network.fronts_full",
                            "traefik.subnet",
                            "has no free address for another front",
                        )
                        .value(net)
                        .hint("use a second network: set `traefik.network`, `traefik.subnet` and `traefik.trusted`"),
                    )
                })?;
        config.traefik.address = Some(address);
        drawn.push(Drawn {
            key: "traefik.address",
            value: address.to_string(),
        });
    }

    let wanted = [
        config.network.subnet,
        config.network.access,
        config.network.webmail,
        config.network.radicale,
        config.network.clamav,
        config.network.oletools,
        config.network.fts_attachments,
    ];
    if wanted.iter().any(Option::is_none) {
        let proxy = config.traefik.subnet.filter(|_| behind);
        let beside_proxy =
            |block: &Ipv4Net| proxy.is_none_or(|net| !overlap(IpNet::V4(net), IpNet::V4(*block)));
        let block = blocks()
            .filter(free)
            .find(|block| Some(*block) != proxy_block && beside_proxy(block))
            .or_else(|| proxy_block.filter(|block| !behind || beside_proxy(block)))
            .ok_or_else(|| full("this deployment", proxy))?;
        let base = u32::from(block.network());
        let part = |offset: u8, prefix: u8| {
            Ipv4Net::new(Ipv4Addr::from(base + u32::from(offset)), prefix).ok()
        };
        let network = &mut config.network;
        let mut fill = |slot: &mut Option<Ipv4Net>, key: &'static str, net: Option<Ipv4Net>| {
            if slot.is_none() {
                *slot = net;
                if let Some(net) = net {
                    drawn.push(Drawn {
                        key,
                        value: net.to_string(),
                    });
                }
            }
        };
        fill(&mut network.subnet, "network.subnet", part(0, 25));
        for (name, offset) in SIDE {
            let (slot, key) = match name {
                "access" => (&mut network.access, "network.access"),
                "webmail" => (&mut network.webmail, "network.webmail"),
                "radicale" => (&mut network.radicale, "network.radicale"),
                "clamav" => (&mut network.clamav, "network.clamav"),
                "oletools" => (&mut network.oletools, "network.oletools"),
                _ => (&mut network.fts_attachments, "network.fts_attachments"),
            };
            fill(slot, key, part(offset, 28));
        }
    }
    if config.network.ipv6 && config.network.subnet6.is_none() {
        let net = unique_local(config.mail_host.as_str());
        config.network.subnet6 = Some(net);
        drawn.push(Drawn {
            key: "network.subnet6",
            value: net.to_string(),
        });
    }
    Ok(drawn)
}

fn slash24(pool: Ipv4Net) -> impl Iterator<Item = Ipv4Net> {
    pool.subnets(24).into_iter().flatten()
}

fn front_addresses(net: Ipv4Net) -> impl Iterator<Item = Ipv4Addr> {
    let half = 1_u32 << (31 - net.prefix_len().min(31));
    let base = u32::from(net.network());
    (half..half.saturating_mul(2).saturating_sub(1)).map(move |n| Ipv4Addr::from(base + n))
}

/// A unique local /64 (RFC 4193 §3.2) from the name of the mail host, so that the same name always gets the same one.
fn unique_local(name: &str) -> Ipv6Net {
    let hash = Sha256::digest(name.as_bytes());
    let mut octets = [0_u8; 16];
    octets[0] = 0xfd;
    octets[1..6].copy_from_slice(&hash[..5]);
    octets[6] = 0xbe;
    octets[7] = 0xef;
    Ipv6Net::new_assert(Ipv6Addr::from(octets), 64)
}

/// Whether an address is one that the internet routes to.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(a) => {
            !(a.is_private()
                || a.is_loopback()
                || a.is_link_local()
                || a.is_unspecified()
                || a.is_multicast()
                || a.is_broadcast()
                || a.is_documentation()
                || Ipv4Net::new_assert(Ipv4Addr::new(100, 64, 0, 0), 10).contains(&a)
                || Ipv4Net::new_assert(Ipv4Addr::new(198, 18, 0, 0), 15).contains(&a)
                || Ipv4Net::new_assert(Ipv4Addr::new(240, 0, 0, 0), 4).contains(&a)
                || a.octets()[0] == 0)
        }
        IpAddr::V6(a) => {
            Ipv6Net::new_assert(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3).contains(&a)
                && !Ipv6Net::new_assert(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32)
                    .contains(&a)
        }
    }
}
