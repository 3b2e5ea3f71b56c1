//! Names that have to lead to this host.

use std::net::IpAddr;

use super::{Facts, Lookup, Verdict, listed};
use crate::config::{Config, TlsMode, Via};
use crate::finding::Finding;
use crate::names::MailHost;
use crate::network::is_public;

/// The names to look up: those of the server, and those for automatic setup and MTA-STS, which need certificates too.
pub fn wanted(config: &Config) -> Vec<MailHost> {
    if config.tls.mode == TlsMode::None {
        return Vec::new();
    }
    config
        .public_names()
        .cloned()
        .chain(config.further_names())
        .collect()
}

/// The addresses under which this host is known outside, as far as that is certain.
struct Here {
    /// Where connections have to arrive; anywhere on this host if there is none.
    bound: Vec<IpAddr>,
    /// Set by somebody who knows.
    told: Vec<IpAddr>,
    interfaces: Vec<IpAddr>,
}

impl Here {
    fn of(config: &Config, facts: &Facts) -> Self {
        let told = [
            config.dns.ipv4.map(IpAddr::from),
            config.dns.ipv6.map(IpAddr::from),
        ];
        let mut bound: Vec<IpAddr> = Vec::new();
        if config.via() == Via::Published {
            bound.push(config.ports.address.into());
            bound.extend(config.ports.address6.map(IpAddr::from));
        }
        bound.retain(|address| !address.is_unspecified());
        Self {
            bound,
            told: told.into_iter().flatten().collect(),
            interfaces: facts
                .addresses
                .iter()
                .copied()
                .filter(|address| !address.is_loopback())
                .collect(),
        }
    }

    fn has(&self, address: IpAddr) -> bool {
        self.told.contains(&address)
            || self.bound.contains(&address)
            || self.interfaces.contains(&address)
    }

    /// Whether connections to the internet leave through somebody else's address.
    fn behind_nat(&self) -> bool {
        !self
            .interfaces
            .iter()
            .any(|address| address.is_ipv4() && is_public(*address))
    }
}

pub(super) fn judge(config: &Config, facts: &Facts) -> Verdict {
    let names = wanted(config);
    if names.is_empty() {
        return Verdict::not_needed();
    }
    let here = Here::of(config, facts);
    let mut out = Vec::new();
    let mut right = 0;
    for name in &names {
        let Some(lookup) = facts.lookups.get(name.as_str()) else {
            continue;
        };
        match one(config, &here, name, lookup) {
            found if found.is_empty() => right += 1,
            found => out.extend(found),
        }
    }
    Verdict::of(format!("{right} of {} names lead here", names.len()), out)
}

fn one(config: &Config, here: &Here, name: &MailHost, lookup: &Lookup) -> Vec<Finding> {
    const ID: &str = "preflight.names";
    let of_server = config.public_names().any(|own| own == name);
    let of_policy = config.mta_sts_names().contains(name);
    let found = |message: String| {
        // Names for automatic setup and MTA-STS have certificates of their own; without ACME nobody outside asks.
        let fatal =
            of_server && (config.tls.mode.own_acme() || config.tls.mode == TlsMode::Traefik);
        if fatal {
            Finding::error(ID, name.to_string(), message)
        } else {
            Finding::warning(ID, name.to_string(), message)
        }
    };
    let consequence = if of_server {
        "no mail arrives, and no certificate can be had for it"
    } else if of_policy {
        "other servers do not find the MTA-STS policy"
    } else {
        "mail programs do not set themselves up"
    };
    let record = |address: &str| format!("publish: `{name}. A {address}`");
    let publish = |finding: Finding| {
        let addresses = here.told.iter().chain(&here.bound).chain(&here.interfaces);
        let best = addresses.clone().find(|a| a.is_ipv4() && is_public(**a));
        let finding = match best {
            Some(address) => finding.hint(record(&address.to_string())),
            None => finding.hint(format!(
                "{} with this host's public address",
                record("ADDRESS")
            )),
        };
        if of_server {
            finding
        } else if of_policy {
            finding.hint(format!(
                "or do without MTA-STS: {}",
                config.setting(&["mta_sts.mode=off"])
            ))
        } else {
            finding.hint(format!(
                "or do without automatic setup: {}",
                config.setting(&["dns.autoconfig=false"])
            ))
        }
    };
    let (addresses, alias) = match lookup {
        Lookup::Failed(why) => {
            return vec![
                Finding::warning(
                    ID,
                    name.to_string(),
                    format!("could not be looked up, so that nobody knows whether it leads here: {why}"),
                )
                .hint(format!("`dig {name} A` shows what the DNS says; `--resolver ADDRESS` asks another server")),
            ];
        }
        Lookup::Absent => {
            return vec![publish(found(format!(
                "does not exist in the DNS: {consequence}"
            )))];
        }
        Lookup::Found { addresses, .. } if addresses.is_empty() => {
            return vec![publish(found(format!(
                "has no address in the DNS: {consequence}"
            )))];
        }
        Lookup::Found { addresses, alias } => (addresses, alias),
    };
    let mut out = Vec::new();
    if let Some(alias) = alias.as_ref().filter(|_| of_server) {
        out.push(
            Finding::warning(
                ID,
                name.to_string(),
                format!("is an alias (CNAME) of {alias}: a mail host must not be one (RFC 5321 §5.1, RFC 2181 §10.3), and some servers refuse its mail"),
            )
            .hint(format!("publish an A record for {name} in place of the CNAME")),
        );
    }
    let (mine, theirs): (Vec<IpAddr>, Vec<IpAddr>) = addresses
        .iter()
        .copied()
        .partition(|address| here.has(*address));
    let wrong_one: Vec<IpAddr> = if of_server && !here.bound.is_empty() && here.told.is_empty() {
        mine.iter()
            .copied()
            .filter(|address| {
                here.bound
                    .iter()
                    .any(|bound| bound.is_ipv4() == address.is_ipv4() && is_public(*bound))
                    && !here.bound.contains(address)
            })
            .collect()
    } else {
        Vec::new()
    };
    if !wrong_one.is_empty() {
        out.push(
            found(format!(
                "leads to {} here, and the mail ports are published on {}: {consequence}",
                listed(&wrong_one),
                listed(&here.bound)
            ))
            .value(listed(addresses))
            .hint(record(&listed(&here.bound))),
        );
        return out;
    }
    if theirs.is_empty() {
        return out;
    }
    let elsewhere = listed(&theirs);
    if !mine.is_empty() {
        out.push(
            Finding::warning(
                ID,
                name.to_string(),
                format!("leads to {elsewhere} besides this host: what arrives there is lost to it"),
            )
            .value(listed(addresses))
            .hint("remove those records, or, if the address is this host's too, set it: `dns.ipv4`, `dns.ipv6`"),
        );
    } else if here.told.is_empty() && here.behind_nat() && theirs.iter().any(|a| is_public(*a)) {
        out.push(
            Finding::warning(
                ID,
                name.to_string(),
                format!(
                    "leads to {elsewhere}, which is no interface of this host ({}); if that is the address of the router in front of it, all is well",
                    listed(&here.interfaces)
                ),
            )
            .value(listed(addresses))
            .hint(format!(
                "if it is, say so: {}",
                config.setting(&[&format!(
                    "{}={}",
                    if theirs.iter().any(IpAddr::is_ipv4) { "dns.ipv4" } else { "dns.ipv6" },
                    theirs.iter().find(|a| a.is_ipv4()).or(theirs.first()).map(ToString::to_string).unwrap_or_default()
                )])
            ))
            .hint(format!("if it is not: {}", record("ADDRESS"))),
        );
    } else {
        out.push(publish(
            found(format!(
                "leads to {elsewhere}, and not to this host: {consequence}"
            ))
            .value(listed(addresses)),
        ));
    }
    out
}
