//! Zone text (RFC 1035 §5): records to paste or import, and complete zones for a name server of one's own.

use std::collections::HashMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::record::{Level, Record};
use crate::config::Config;

/// All records of a deployment, by zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "DnsReport")
)]
#[non_exhaustive]
pub struct Report {
    /// Version of this format.
    pub schema: u32,
    /// The deployment.
    pub mail_host: String,
    /// One entry for each zone that somebody has to edit.
    pub zones: Vec<ZoneReport>,
}

/// The records of one zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "DnsZone")
)]
#[non_exhaustive]
pub struct ZoneReport {
    /// The zone's name.
    pub zone: String,
    /// Its records.
    pub records: Vec<Record>,
}

/// Sorts `records` by zone, in the order in which the zones appear.
pub fn report(config: &Config, records: Vec<Record>) -> Report {
    let mut zones: Vec<ZoneReport> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for record in records {
        if let Some(zone) = places.get(&record.zone).and_then(|&at| zones.get_mut(at)) {
            zone.records.push(record);
        } else {
            places.insert(record.zone.clone(), zones.len());
            zones.push(ZoneReport {
                zone: record.zone.clone(),
                records: vec![record],
            });
        }
    }
    Report {
        schema: 1,
        mail_host: config.mail_host.to_string(),
        zones,
    }
}

/// The levels in order of importance, each with what stands above its records.
pub(super) const LEVELS: [(Level, &str); 3] = [
    (
        Level::Required,
        "Required: mail does not work, or is refused, without these.",
    ),
    (
        Level::Recommended,
        "Recommended: mail programs and large receivers use these.",
    ),
    (Level::Optional, "Optional."),
];

fn lines(zone: &ZoneReport) -> String {
    let mut out = String::new();
    for (level, heading) in LEVELS {
        let group: Vec<_> = zone.records.iter().filter(|r| r.level == level).collect();
        if group.is_empty() {
            continue;
        }
        let _ = writeln!(out, "\n; {heading}");
        for record in group {
            if let Some(data) = &record.data {
                let _ = writeln!(
                    out,
                    "{}. {} IN {} {}",
                    record.fqdn,
                    record.ttl,
                    record.kind,
                    data.presentation()
                );
            } else {
                let reason = record.condition.as_deref().unwrap_or("not known yet");
                let _ = writeln!(
                    out,
                    "; {}. {} IN {} ... ({reason})",
                    record.fqdn, record.ttl, record.kind
                );
            }
        }
    }
    out
}

/// The records alone, to paste into a provider's zone editor or import there.
pub fn zone_records(zone: &ZoneReport) -> String {
    format!(
        "; Records for {}: add these to what the zone has already.\n; Long texts are cut into strings of 255 octets; they are one text without a space between.\n{}",
        zone.zone,
        lines(zone)
    )
}

/// A complete zone with SOA and NS, for NSD, BIND or Knot.
///
/// The negative time in the SOA record is that of the records, so that one that was looked up too early is not missing for
/// longer than any other change takes (RFC 2308 §4). Name servers inside the zone need address records of their own.
pub fn zone_file(config: &Config, zone: &ZoneReport, serial: u32) -> String {
    let placeholder = vec!["ns.invalid".to_owned()];
    let configured: Vec<String> = config
        .dns
        .nameservers
        .iter()
        .map(ToString::to_string)
        .collect();
    let named = !configured.is_empty();
    let servers = if named { configured } else { placeholder };
    let ttl = config.dns.ttl;
    let mut out = format!(
        "; Complete zone {}, for a name server of your own. To add the records to a zone that exists elsewhere, use {}.records.\n",
        zone.zone, zone.zone
    );
    if !named {
        out.push_str("; Put your name servers in place of ns.invalid, or set `dns.nameservers` in mailu.toml.\n");
    }
    let first = servers.first().map_or("ns.invalid", String::as_str);
    let _ = writeln!(out, "$ORIGIN {}.\n$TTL {ttl}", zone.zone);
    let _ = writeln!(
        out,
        "@ IN SOA {first}. hostmaster.{}. {serial} 7200 900 1209600 {ttl} ; serial {serial}",
        zone.zone
    );
    for server in &servers {
        let _ = writeln!(out, "@ IN NS {server}.");
    }
    for cut in cuts(config, &zone.zone) {
        let _ = writeln!(
            out,
            "; {cut} is a zone of its own; without these nobody finds it."
        );
        for server in &servers {
            let _ = writeln!(out, "{cut}. IN NS {server}.");
        }
    }
    out.push_str(&lines(zone));
    out
}

/// The zones of `dns.zones` that lie directly below `zone`, which delegates them.
fn cuts<'a>(config: &'a Config, zone: &str) -> Vec<&'a str> {
    let is_below = |name: &str, above: &str| {
        name.strip_suffix(above)
            .is_some_and(|head| head.ends_with('.'))
    };
    let inside: Vec<&str> = config
        .dns
        .zones
        .iter()
        .map(|name| name.as_str())
        .filter(|name| is_below(name, zone))
        .collect();
    inside
        .iter()
        .filter(|name| !inside.iter().any(|other| is_below(name, other)))
        .copied()
        .collect()
}

/// The serial of a zone file of ours.
pub(crate) fn serial_of(text: &str) -> Option<u32> {
    text.lines()
        .find(|line| line.starts_with("@ IN SOA "))?
        .rsplit(' ')
        .next()?
        .parse()
        .ok()
}
