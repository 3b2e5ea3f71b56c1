//! What several records say together, and what is there beside ours.

use std::collections::{BTreeMap, BTreeSet};

use super::policy::{self, Published, Verdict};
use super::{
    Checked, Judge, Question, Reply, Shown, State, Trust, form, label, names, text, zone_of,
};
use crate::dns::record::Data;
use crate::dns::tlsa;
use crate::finding::{Finding, Severity};
use crate::names::DomainName;

/// The domain that an organisation registered.
fn organisation(name: &str) -> String {
    name.parse::<DomainName>()
        .map_or_else(|_| name.to_owned(), |name| name.registrable().to_string())
}

fn named<'a>(
    all: &'a [Checked],
    fqdn: &'a str,
    kinds: &'a [&str],
) -> impl Iterator<Item = &'a Checked> {
    all.iter()
        .filter(move |one| one.fqdn == fqdn && kinds.contains(&one.kind))
}

impl Judge<'_> {
    fn zones(&self) -> Vec<&str> {
        let mut all: Vec<&str> = self.all.iter().map(|record| record.zone.as_str()).collect();
        all.dedup();
        all
    }

    /// Servers that have an older version of the zone than others (RFC 1982). Whether there are any.
    pub(super) fn stale(&self, zone: &str, findings: &mut Vec<Finding>) -> bool {
        let serials: Vec<(&str, u32)> = self
            .replies(zone, zone, "SOA")
            .into_iter()
            .filter_map(|(server, reply)| {
                let serial = names::plain(reply).first()?.parse().ok()?;
                Some((server, serial))
            })
            .collect();
        let newer = |one: u32, other: u32| one != other && one.wrapping_sub(other) < 1 << 31;
        let Some(newest) = serials
            .iter()
            .map(|(_, serial)| *serial)
            .reduce(|one, other| if newer(other, one) { other } else { one })
        else {
            return false;
        };
        let behind: Vec<String> = serials
            .iter()
            .filter(|(_, serial)| *serial != newest)
            .map(|(server, serial)| format!("{server} has {serial}"))
            .collect();
        if behind.is_empty() {
            return false;
        }
        findings.push(
            Finding::warning("ns.stale", zone, format!("is not at the same version at all name servers: the newest serial is {newest}, and {}", behind.join(", ")))
                .value(behind.join(", "))
                .hint("wait until they have fetched it; if that takes more than an hour, ask your DNS provider, or look whether that server still belongs to the zone"),
        );
        true
    }

    /// What may follow from other records is said only where those are right.
    pub(super) fn resting(
        &self,
        resting: Vec<(String, Finding)>,
        all: &mut [Checked],
        findings: &mut Vec<Finding>,
    ) {
        let host = self.mail_host;
        for (id, found) in resting {
            let domain = id.rsplit_once('/').map_or("", |(name, _)| name).to_owned();
            let broken = named(all, &domain, &["MX"])
                .chain(named(all, host, &["A", "AAAA"]))
                .any(|one| !one.state.serves() && one.state != State::Open);
            if broken {
                for one in all.iter_mut().filter(|one| one.id == id) {
                    one.state = State::Accepted;
                }
            } else {
                findings.push(found);
            }
        }
    }

    /// Whether whoever gets DMARC reports has agreed to that (RFC 9990 §4), and can be reached.
    pub(super) fn reports(&self, all: &[Checked], findings: &mut Vec<Finding>) {
        let dmarc: Vec<_> = self
            .all
            .iter()
            .filter(|record| label(record) == "DMARC")
            .collect();
        for record in dmarc {
            let judged = all.iter().find(|one| one.id == record.id);
            if !judged.is_some_and(|one| one.state.serves()) {
                continue;
            }
            let domain = record.fqdn.strip_prefix("_dmarc.").unwrap_or_default();
            let Some(reply) = self.reply(&record.zone, &record.fqdn, "TXT") else {
                continue;
            };
            for place in text::report_domains(reply) {
                let agreement = format!("{domain}._report._dmarc.{place}");
                if organisation(domain) != organisation(&place) {
                    if self.all.iter().any(|one| one.fqdn == agreement) {
                        // Judged as a record of ours.
                        continue;
                    }
                    let agreed = match self.world.ask(&agreement, "TXT") {
                        None | Some(Reply::Failed(_)) => continue,
                        Some(reply) => text::has_dmarc(reply),
                    };
                    if !agreed {
                        findings.push(
                            Finding::error("dmarc.ext", &record.fqdn, format!("has reports sent to {place}, which has not agreed to that: they are not sent (RFC 9990)"))
                                .value(&place)
                                .hint(format!("have the owner of {place} add: {agreement}. IN TXT \"v=DMARC1\"; or have reports sent to an address of {}", organisation(domain))),
                        );
                        continue;
                    }
                }
                if self.expected.domains.contains(&place) {
                    continue;
                }
                if self.takes_no_mail(&place) == Some(true) {
                    findings.push(
                        Finding::warning("dmarc.rua", &record.fqdn, format!("has reports sent to {place}, which takes no mail"))
                            .value(&place)
                            .hint("write an address that exists into `rua=`: `mailu config set dmarc.rua ADDRESS`, then publish the record"),
                    );
                }
            }
        }
    }

    /// Whether a domain has no mail server; nothing if that is not known.
    fn takes_no_mail(&self, domain: &str) -> Option<bool> {
        match self.world.ask(domain, "MX")? {
            Reply::Failed(_) => None,
            Reply::Found { records, .. } if !records.is_empty() => {
                let reply = self.world.ask(domain, "MX")?;
                Some(
                    names::plain(reply)
                        .iter()
                        .all(|text| names::exchange(text) == "."),
                )
            }
            Reply::Absent => Some(true),
            // Its own address does as well (RFC 5321 §5.1).
            _ => {
                let mut none = true;
                for kind in ["A", "AAAA"] {
                    match self.world.ask(domain, kind)? {
                        Reply::Failed(_) => return None,
                        reply => none &= reply.records().is_empty(),
                    }
                }
                Some(none)
            }
        }
    }

    /// The MTA-STS policies that are served; whether one of them could not be looked at.
    pub(super) fn policies(
        &self,
        all: &[Checked],
        known: &BTreeSet<&str>,
        findings: &mut Vec<Finding>,
    ) -> bool {
        let Some((ours, id)) = &self.expected.policy else {
            return false;
        };
        // All names of policies lead to the mail host.
        if !zone_of(&self.zones(), self.mail_host).is_some_and(|zone| known.contains(zone)) {
            return true;
        }
        let mut uncertain = false;
        for domain in &self.expected.domains {
            let (text, name) = (format!("_mta-sts.{domain}"), format!("mta-sts.{domain}"));
            let Some(record) = named(all, &text, &["TXT"]).next() else {
                continue;
            };
            let damaged = findings
                .iter()
                .any(|one| one.subject == text && one.severity == Severity::Error);
            let looked = matches!(record.state, State::Right | State::Accepted | State::Wrong);
            if damaged
                || !looked
                || findings
                    .iter()
                    .any(|one| one.subject == text && one.id == "ns.double")
            {
                continue;
            }
            let there = self
                .reply(&record.zone, &text, "TXT")
                .and_then(text::sts_id);
            let published = Published {
                domain,
                id: there.as_deref(),
                wanted: id,
                servers: named(all, domain, &["MX"]).any(|one| one.state.serves()),
            };
            match policy::judge(&self.world, &published, ours) {
                Verdict::Same => {}
                Verdict::Found(found) => {
                    // What keeps the policy from being fetched, or has it differ, is not said twice.
                    findings.retain(|one| {
                        !(one.subject == text && one.id == "sts.txt"
                            || one.subject == name && one.id.starts_with("auto."))
                    });
                    findings.push(found);
                }
                Verdict::Unknown(found) => {
                    uncertain = true;
                    findings.extend(found);
                }
            }
        }
        uncertain
    }

    /// Whether the authority in use may issue for every name that needs a certificate (RFC 8659 §3: the closest records count).
    pub(super) fn authorities(&self, known: &BTreeSet<&str>, findings: &mut Vec<Finding>) {
        let issuers = &self.expected.issuers;
        if issuers.is_empty() {
            return;
        }
        let zones = self.zones();
        // One fault for each place where records stand, with the names that it concerns.
        let mut denied: BTreeMap<String, (String, Vec<&str>)> = BTreeMap::new();
        for name in &self.expected.certificates {
            if !zone_of(&zones, name).is_some_and(|zone| known.contains(zone)) {
                continue;
            }
            let mut place = name.as_str();
            while place.contains('.') {
                let Some(reply) = self.world.ask(place, "CAA") else {
                    break;
                };
                if reply.failed() {
                    break;
                }
                let all = names::plain(reply);
                if all.is_empty() {
                    place = place.split_once('.').map_or("", |(_, rest)| rest);
                    continue;
                }
                let allowed = issuers
                    .iter()
                    .any(|issuer| names::may_issue(&all, issuer, self.expected.http));
                if !allowed {
                    let alias = reply
                        .alias()
                        .map(|target| target.trim_end_matches('.').to_owned());
                    let owner = alias.unwrap_or_else(|| place.to_owned());
                    let entry = denied
                        .entry(owner)
                        .or_insert_with(|| (all.join(", "), Vec::new()));
                    entry.1.push(name);
                }
                break;
            }
        }
        for (owner, (value, concerned)) in denied {
            if findings
                .iter()
                .any(|one| one.id == "caa.allows" && one.subject == owner)
            {
                continue;
            }
            // A record of ours for that place says the rest.
            let ours = self.all.iter().find(|record| {
                record.fqdn == owner
                    && matches!(&record.data, Some(Data::Caa { tag, .. }) if tag == "issue")
            });
            let fix = ours.map_or_else(
                || {
                    let zone = zone_of(&zones, &owner).unwrap_or(&owner);
                    let issuer = issuers.first().map_or("", String::as_str);
                    format!(
                        "in zone {zone}: type CAA, host `{owner}`, value `0 issue \"{issuer}\"`"
                    )
                },
                |record| form(record),
            );
            findings.push(
                Finding::error(
                    "caa.allows",
                    &owner,
                    format!("does not allow {} to issue certificates, which this server needs for {}", issuers.join(" or "), concerned.join(", ")),
                )
                .value(value)
                .hint(format!("keep what is there, and add, {fix}; if another authority is used, name it in `dns.caa`")),
            );
        }
    }

    /// TLSA records of port 25 (RFC 7672).
    pub(super) fn pinned(&self, known: &BTreeSet<&str>, findings: &mut Vec<Finding>) {
        let owner = format!("_25._tcp.{}", self.mail_host);
        let zones = self.zones();
        let Some(zone) = zone_of(&zones, self.mail_host).filter(|zone| known.contains(zone)) else {
            return;
        };
        let reply = self
            .facts
            .replies
            .get(&Question::new(zone, owner.as_str(), "TLSA"))
            .and_then(|all| all.values().find(|reply| !reply.failed()));
        let all = reply.map(names::plain).unwrap_or_default();
        if all.is_empty() {
            return;
        }
        match self.facts.trust.get(zone) {
            Some(Trust::Insecure) => {
                findings.push(
                    Finding::warning("tlsa.insecure", &owner, format!("has TLSA records, and zone {zone} is not signed: nobody believes them (RFC 7672 §2.2)"))
                        .value(all.join(", "))
                        .hint(format!("have {zone} signed (DNSSEC) at your DNS provider and registrar, or remove the TLSA records")),
                );
                return;
            }
            Some(Trust::Secure) => {}
            _ => return,
        }
        let Some(Shown::Chains(chains)) = self.world.shown() else {
            return;
        };
        if chains.iter().all(|chain| {
            all.iter()
                .any(|text| tlsa::holds(text, chain, self.mail_host))
        }) {
            return;
        }
        let right = tlsa::records(chains, true, self.mail_host, true);
        let right: Vec<String> = right
            .unwrap_or_default()
            .iter()
            .map(Data::presentation)
            .collect();
        findings.push(
            Finding::error("tlsa.stale", &owner, "has no TLSA record for the certificate that port 25 shows: servers that verify it (DANE) do not deliver")
                .value(all.join(", "))
                .hint(format!("add at once, in zone {zone}: type TLSA, host `{owner}`, value {}; or remove all TLSA records", right.iter().map(|text| format!("`{text}`")).collect::<Vec<_>>().join(" or "))),
        );
    }

    /// Addresses of the mail host that the configuration does not have.
    pub(super) fn unexpected(&self, known: &BTreeSet<&str>, findings: &mut Vec<Finding>) {
        let host = self.mail_host;
        let has = |kind: &str| {
            self.all
                .iter()
                .any(|record| record.fqdn == host && record.kind == kind && record.data.is_some())
        };
        let zones = self.zones();
        let Some(zone) = zone_of(&zones, host).filter(|zone| known.contains(zone)) else {
            return;
        };
        if has("AAAA") || !has("A") {
            return;
        }
        let reply = self.reply(zone, host, "AAAA");
        let Some(reply) = reply.filter(|reply| reply.alias().is_none()) else {
            return;
        };
        let all = names::plain(reply);
        if all.is_empty() {
            return;
        }
        findings.push(
            Finding::error("host.aaaa", host, "has an IPv6 address that this server is not configured for: whoever prefers IPv6, senders and certificate authorities among them, gets no further")
                .value(all.join(", "))
                .hint(format!("in zone {zone}: remove the AAAA record `{}`", all.join("`, `")))
                .hint(format!("or, if mail works over it both ways: `mailu config set dns.ipv6 {}`", all.first().unwrap_or(&"ADDRESS"))),
        );
    }
}
