//! Whether the records that a deployment needs are in DNS: facts from name servers in, a state for each record and findings out.
//!
//! The model is that of the generator ([`super::records`]), so that the two cannot contradict each other. Records are judged by what
//! they mean, not by how they are written: texts cut into strings otherwise, other orders of tags and further senders are no faults.

mod expected;
mod names;
mod policy;
mod sender;
#[cfg(test)]
mod tests;
mod text;
mod whole;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use serde::Serialize;

use super::record::{Data, Level, Record};
use super::reverse::is_reverse;
use super::zone::Report as Records;
use crate::finding::{Finding, Severity};

pub use expected::Expected;
pub use world::Wanted;
use world::World;
pub(crate) use world::zone_of;

/// One question to a name server.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Question {
    /// The zone whose servers are to be asked.
    pub zone: String,
    /// The name, without the final dot.
    pub name: String,
    /// The type: `A`, `TXT` …
    pub kind: &'static str,
}

impl Question {
    /// The question for `kind` records of `name`, which lies in `zone`.
    pub fn new(zone: &str, name: impl Into<String>, kind: &'static str) -> Self {
        Self {
            zone: zone.to_owned(),
            name: name.into(),
            kind,
        }
    }
}

/// A record as a server gave it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Seen {
    /// The strings of a TXT record, as octets.
    Text(Vec<Vec<u8>>),
    /// Any other, in the presentation form of zone files: names in lower case with the final dot.
    Plain(String),
}

impl Seen {
    /// A text in one string.
    pub fn text(text: &str) -> Self {
        Self::Text(vec![text.as_bytes().to_vec()])
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(strings) => {
                let text = String::from_utf8_lossy(&strings.concat()).into_owned();
                write!(f, "\"{text}\"")
            }
            Self::Plain(text) => f.write_str(text),
        }
    }
}

/// What one server said to one question.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Reply {
    /// There are such records.
    Found {
        /// The records of the type that was asked for.
        records: Vec<Seen>,
        /// Where the name leads, if it is an alias.
        alias: Option<String>,
    },
    /// The name is there, and has no records of that type.
    Empty,
    /// There is no such name.
    Absent,
    /// The server did not answer, or refused to. Why.
    Failed(String),
}

impl Reply {
    fn records(&self) -> &[Seen] {
        match self {
            Self::Found { records, .. } => records,
            _ => &[],
        }
    }

    fn alias(&self) -> Option<&str> {
        match self {
            Self::Found { alias, .. } => alias.as_deref(),
            _ => None,
        }
    }

    fn failed(&self) -> bool {
        matches!(self, Self::Failed(_))
    }
}

/// Who answers for a zone.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Servers {
    /// Its name servers, as they are printed.
    Known(Vec<String>),
    /// There is no such zone.
    Absent,
    /// That could not be found out. Why.
    Unknown(String),
}

/// What name servers say.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Facts {
    /// The servers of each zone.
    pub zones: BTreeMap<String, Servers>,
    /// The replies of each server. Those about `SOA` records hold the serial alone.
    pub replies: BTreeMap<Question, BTreeMap<String, Reply>>,
    /// What a validating resolver says of each zone. None for those that were not asked about.
    pub trust: BTreeMap<String, Trust>,
    /// Records of signed zones, by name and type, whose signatures do not verify. Why.
    pub bogus: BTreeMap<(String, &'static str), String>,
    /// What was asked beside that, by name and type.
    pub outside: BTreeMap<(String, &'static str), Reply>,
    /// The MTA-STS policy that is served for each domain.
    pub policies: BTreeMap<String, Fetched>,
    /// What port 25 of the mail host shows.
    pub shown: Option<Shown>,
}

/// What a validating resolver says of a zone (RFC 4035 §4.3).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trust {
    /// It is signed, and that verifies.
    Secure,
    /// It is not signed, or nothing above vouches for its keys.
    Insecure,
    /// Its signatures do not verify, so that it does not exist for whoever validates. Why.
    Bogus(String),
    /// The resolver did not answer, or validates nothing. Why.
    Unknown(String),
}

/// What came of fetching an MTA-STS policy.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fetched {
    /// Its text.
    Text(String),
    /// There is none that a sender would take (RFC 8461 §3.3). Why.
    Refused(String),
    /// That could not be found out from here. Why.
    Unknown(String),
}

/// What port 25 shows.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shown {
    /// The chains, the server's certificate first, DER.
    Chains(Vec<Vec<Vec<u8>>>),
    /// That could not be found out. Why.
    Unknown(String),
}

/// How a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "RecordState")
)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum State {
    /// It is there, at every name server, and says what it should.
    Right,
    /// It is there, and says something else that does no harm.
    Accepted,
    /// It is at some name servers only.
    Partial,
    /// It is not there.
    Missing,
    /// What is there is wrong.
    Wrong,
    /// It could not be found out.
    Unknown,
    /// It is not known yet what it should say.
    Open,
}

impl State {
    /// As it is printed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::Accepted => "accepted",
            Self::Partial => "partial",
            Self::Missing => "missing",
            Self::Wrong => "wrong",
            Self::Unknown => "unknown",
            Self::Open => "open",
        }
    }

    fn serves(self) -> bool {
        matches!(self, Self::Right | Self::Accepted)
    }
}

/// A record, compared with what name servers say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Checked {
    /// The record's identifier.
    pub id: String,
    /// Its zone.
    pub zone: String,
    /// Its owner name.
    pub fqdn: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// How much depends on it.
    pub level: Level,
    /// How it is.
    pub state: State,
    /// What it should say, in one piece and without quotes.
    pub wanted: Option<String>,
    /// What is there instead, or beside it.
    pub seen: Vec<String>,
    /// Those of the report's findings that are about this record.
    #[serde(skip)]
    pub findings: Vec<Finding>,
}

/// The result of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "PublishedReport")
)]
#[non_exhaustive]
pub struct Report {
    /// Version of this format.
    pub schema: u32,
    /// The deployment.
    pub mail_host: String,
    /// Whether every required record is there and right.
    pub complete: bool,
    /// Whether something could not be found out.
    pub uncertain: bool,
    /// The records, in the order of the generator.
    pub records: Vec<Checked>,
    /// What is wrong, worst first, each with what to change.
    pub findings: Vec<Finding>,
    /// Those of the findings that are about a zone as a whole.
    #[serde(skip)]
    pub zones: BTreeMap<String, Vec<Finding>>,
}

/// What mends signatures.
const RESIGN: &str = "see that the DS record at your registrar is that of the key which your DNS provider signs with (after moving to another provider: the new one's, or none), and that the zone was signed again since its last change; `delv NAME` and dnsviz.net show the broken link";

/// A name that nobody has, in every zone: who answers for it answers for everything.
const NOBODY: &str = "mailu-asks-whether-every-name-is-here";

/// Where a record gets to when a form appends by itself what was typed already.
fn doubled(record: &Record) -> Vec<String> {
    let mut all = vec![format!("{}.{}", record.fqdn, record.zone)];
    for start in ["_domainkey.", "_dmarc.", "_mta-sts.", "_smtp._tls."] {
        if let Some((head, domain)) = record.fqdn.split_once(start) {
            all.push(format!("{head}{start}{start}{domain}"));
        }
    }
    all
}

fn label(record: &Record) -> &str {
    record.id.rsplit_once('/').map_or("", |(_, label)| label)
}

/// What a receiver makes of mail from `sender` (`local@domain`, or nothing for bounces) that comes from `address`, which greets as
/// `greeting`, by what `facts.outside` has of names: `none`, `neutral`, `pass`, `fail`, `softfail`, `temperror` or `permerror`
/// (RFC 7208 §2.6).
///
/// # Errors
///
/// What is missing there, and has to be asked first.
pub fn spf_result(
    facts: &Facts,
    sender: &str,
    greeting: &str,
    address: IpAddr,
) -> Result<&'static str, Wanted> {
    let world = World::new(facts, Vec::new());
    let outcome = sender::receive(&world, sender, greeting, address);
    let wanted = world.wanted();
    if wanted.is_empty() {
        Ok(outcome.map_or("none", sender::Outcome::as_str))
    } else {
        Err(wanted)
    }
}

/// What has to be asked to judge `records`.
pub fn questions(records: &Records) -> Vec<Question> {
    let mut all = BTreeSet::new();
    let names: Vec<&str> = records
        .zones
        .iter()
        .map(|zone| zone.zone.as_str())
        .collect();
    let host = &records.mail_host;
    if let Some(zone) = zone_of(&names, host) {
        all.insert(Question::new(zone, format!("_25._tcp.{host}"), "TLSA"));
        all.insert(Question::new(zone, host, "AAAA"));
    }
    for zone in &records.zones {
        let name = &zone.zone;
        if !is_reverse(name) {
            all.insert(Question::new(name, name, "SOA"));
            for kind in ["A", "TXT"] {
                all.insert(Question::new(name, format!("{NOBODY}.{name}"), kind));
            }
        }
        for record in zone.records.iter().filter(|record| record.data.is_some()) {
            all.insert(Question::new(name, &record.fqdn, record.kind));
            if is_reverse(name) {
                continue;
            }
            if record.level != Level::Optional {
                for place in doubled(record) {
                    all.insert(Question::new(name, place, record.kind));
                }
            }
            match record.kind {
                // Addresses do as well.
                "CNAME" => {
                    for kind in ["A", "AAAA"] {
                        all.insert(Question::new(name, &record.fqdn, kind));
                    }
                }
                _ if label(record) == "DMARC" => {
                    for place in misplaced(record) {
                        all.insert(Question::new(name, place, "TXT"));
                    }
                }
                _ => {}
            }
        }
    }
    all.into_iter().collect()
}

/// Where DMARC records are put by mistake.
fn misplaced(record: &Record) -> Vec<String> {
    let domain = record.fqdn.strip_prefix("_dmarc.").unwrap_or_default();
    vec![
        domain.to_owned(),
        format!("dmarc.{domain}"),
        format!("_dmarc.www.{domain}"),
        format!("_dmarc.mail.{domain}"),
        format!("_demarc.{domain}"),
        format!("_dmark.{domain}"),
    ]
}

/// A record's judgement by one reply.
struct Judgement {
    state: State,
    findings: Vec<Finding>,
    /// Whether what is found may only follow from what is wrong with other records.
    rests: bool,
}

impl Judgement {
    fn right() -> Self {
        Self {
            state: State::Right,
            findings: Vec::new(),
            rests: false,
        }
    }

    /// What cannot be told.
    fn unknown() -> Self {
        Self {
            state: State::Unknown,
            findings: Vec::new(),
            rests: false,
        }
    }

    fn resting_on_others(mut self, rests: bool) -> Self {
        self.rests = rests;
        self
    }

    fn of(state: State, finding: Finding) -> Self {
        Self {
            state,
            findings: vec![finding],
            rests: false,
        }
    }
}

/// A finding as serious as its record is important.
fn finding(record: &Record, id: &str, message: impl Into<String>) -> Finding {
    match record.level {
        Level::Required => Finding::error(id, &record.fqdn, message),
        Level::Recommended => Finding::warning(id, &record.fqdn, message),
        Level::Optional => Finding::notice(id, &record.fqdn, message),
    }
}

/// What to type into a provider's form.
pub(super) fn form(record: &Record) -> String {
    let value = record.data.as_ref().map(Data::plain).unwrap_or_default();
    format!(
        "in zone {}: type {}, host `{}`, value `{value}`",
        record.zone,
        record.kind,
        record.name()
    )
}

fn add(record: &Record) -> String {
    format!("add, {}", form(record))
}

fn replace(record: &Record) -> String {
    format!("let it be, {}", form(record))
}

struct Judge<'a> {
    facts: &'a Facts,
    all: Vec<&'a Record>,
    expected: &'a Expected,
    world: World<'a>,
    mail_host: &'a str,
}

/// What is said of one record.
struct Said {
    state: State,
    seen: Vec<String>,
    findings: Vec<Finding>,
    rests: bool,
}

impl Judge<'_> {
    fn replies(&self, zone: &str, name: &str, kind: &'static str) -> Vec<(&str, &Reply)> {
        self.facts
            .replies
            .get(&Question::new(zone, name, kind))
            .into_iter()
            .flatten()
            .map(|(server, reply)| (server.as_str(), reply))
            .collect()
    }

    /// One reply of those that came.
    fn reply(&self, zone: &str, name: &str, kind: &'static str) -> Option<&Reply> {
        let all = self.replies(zone, name, kind);
        all.into_iter()
            .map(|(_, reply)| reply)
            .find(|reply| !reply.failed())
    }

    fn record(&self, record: &Record) -> Said {
        let said = |state, seen, findings| Said {
            state,
            seen,
            findings,
            rests: false,
        };
        if let Some(why) = self.facts.bogus.get(&(record.fqdn.clone(), record.kind)) {
            let found = Finding::error("dnssec.bogus", &record.fqdn, format!("has {} records whose DNSSEC signature does not verify: for whoever validates they are not there ({why})", record.kind))
                .hint(RESIGN);
            return said(State::Wrong, Vec::new(), vec![found]);
        }
        let replies = self.replies(&record.zone, &record.fqdn, record.kind);
        let answered: Vec<&(&str, &Reply)> = replies
            .iter()
            .filter(|(_, reply)| !reply.failed())
            .collect();
        let judged: Vec<(&str, &Reply, Judgement)> = answered
            .iter()
            .map(|(server, reply)| (*server, *reply, self.judge(record, reply)))
            .collect();
        let Some((_, reply, worst)) = judged.iter().max_by_key(|(_, _, one)| one.state) else {
            return said(State::Unknown, Vec::new(), Vec::new());
        };
        let seen = if worst.state == State::Right {
            Vec::new()
        } else {
            reply.records().iter().map(ToString::to_string).collect()
        };
        if !worst.state.serves() && judged.iter().any(|(_, _, one)| one.state.serves()) {
            let behind: Vec<&str> = judged
                .iter()
                .filter(|(_, _, one)| !one.state.serves())
                .map(|(server, ..)| *server)
                .collect();
            let found = Finding::warning(
                    "ns.consistent",
                    &record.fqdn,
                    format!("{} is not the same at all name servers yet: not at {}", record.kind, behind.join(", ")),
                )
                .hint("wait until all have it; if that takes more than an hour, ask your DNS provider, or look whether the zone was changed at an earlier one");
            return said(State::Partial, seen, vec![found]);
        }
        let state = worst.state;
        if state == State::Missing
            && let Some(found) = self.doubled(record)
        {
            return said(State::Wrong, seen, vec![found]);
        }
        let worst = judged
            .into_iter()
            .map(|(_, _, one)| one)
            .find(|one| one.state == state);
        let worst = worst.unwrap_or_else(Judgement::unknown);
        Said {
            state,
            seen,
            findings: worst.findings,
            rests: worst.rests,
        }
    }

    /// The record under a name that has the zone's name twice: forms append it by themselves.
    fn doubled(&self, record: &Record) -> Option<Finding> {
        let name = doubled(record).into_iter().find(|name| {
            self.reply(&record.zone, name, record.kind)
                .is_some_and(|reply| {
                    self.judge(record, reply).state != State::Missing && !self.wild(record, reply)
                })
        })?;
        Some(
            finding(
                record,
                "ns.double",
                format!(
                    "is not there, but {name} is: the provider's form adds by itself what was typed"
                ),
            )
            .value(record.kind)
            .hint(format!(
                "in zone {}: change the host from `{}` to `{}`",
                record.zone,
                name.strip_suffix(&format!(".{}", record.zone))
                    .unwrap_or(&name),
                record.name()
            )),
        )
    }

    /// Whether a reply is one that every name gets.
    fn wild(&self, record: &Record, reply: &Reply) -> bool {
        let name = format!("{NOBODY}.{}", record.zone);
        let any = self.reply(&record.zone, &name, record.kind);
        any.is_some_and(|any| !any.records().is_empty() && any.records() == reply.records())
    }

    fn judge(&self, record: &Record, reply: &Reply) -> Judgement {
        let Some(data) = &record.data else {
            return Judgement::right();
        };
        match (data, label(record)) {
            (Data::Txt { text }, "SPF") => text::sender_policy(record, text, reply, &|there| {
                let senders = &self.expected.senders;
                sender::look(&self.world, there, &record.fqdn, self.mail_host, senders)
            }),
            (Data::Txt { text }, "DKIM") => text::dkim(record, text, reply),
            (Data::Txt { text }, "DMARC") => {
                let elsewhere = misplaced(record).into_iter().find(|name| {
                    self.reply(&record.zone, name, "TXT")
                        .is_some_and(text::has_dmarc)
                });
                text::dmarc(record, text, reply, elsewhere)
            }
            (Data::Txt { text }, _) => text::other(record, text, reply),
            (Data::Mx { exchange, .. }, _) => names::mx(record, exchange, reply, &self.world),
            (Data::A { .. } | Data::Aaaa { .. }, _) => names::address(record, data, reply),
            (Data::Cname { target }, _) => names::alias(
                record,
                target,
                reply,
                || {
                    ["A", "AAAA"]
                        .into_iter()
                        .filter_map(|kind| self.reply(&record.zone, &record.fqdn, kind))
                        .flat_map(Reply::records)
                        .map(ToString::to_string)
                        .collect()
                },
                &self.addresses(target),
            ),
            (Data::Ptr { target }, _) => names::reverse(record, target, reply, &self.world),
            (Data::Caa { .. }, _) => names::caa(record, data, reply),
            (Data::Srv { .. } | Data::Tlsa { .. }, _) => names::exact(record, data, reply),
        }
    }

    /// The addresses that a name of ours is to have.
    fn addresses(&self, name: &str) -> BTreeSet<String> {
        self.all
            .iter()
            .filter(|record| record.fqdn == name)
            .filter_map(|record| match &record.data {
                Some(data @ (Data::A { .. } | Data::Aaaa { .. })) => Some(data.presentation()),
                _ => None,
            })
            .collect()
    }

    /// What is wrong with a zone as a whole; whether its records can be judged.
    fn zone(&self, zone: &str, findings: &mut Vec<Finding>, uncertain: &mut bool) -> bool {
        if let Some(Trust::Bogus(why)) = self.facts.trust.get(zone) {
            findings.push(
                Finding::error("dnssec.bogus", zone, format!("has DNSSEC signatures that do not verify, so that it does not exist for whoever validates: no mail comes, and no authority issues certificates ({why})"))
                    .hint(RESIGN),
            );
            return false;
        }
        let servers = match self.facts.zones.get(zone) {
            Some(Servers::Known(servers)) if !servers.is_empty() => servers,
            Some(Servers::Absent) => {
                findings.push(
                    Finding::error("ns.exists", zone, "is not in DNS: it is not registered, has expired, or is not delegated")
                        .hint("look at your registrar whether the domain is paid for, and which name servers it has"),
                );
                return false;
            }
            other => {
                *uncertain = true;
                let why = match other {
                    Some(Servers::Unknown(why)) => why.as_str(),
                    _ => "nobody was asked",
                };
                findings.push(Finding::warning(
                    "ns.unknown",
                    zone,
                    format!("could not be looked at: {why}"),
                ).hint("try again later, or name a DNS server that answers: `--resolver ADDRESS`"));
                return false;
            }
        };
        let mut silent: BTreeMap<&str, &str> = BTreeMap::new();
        let mut speaks: BTreeSet<&str> = BTreeSet::new();
        for (question, replies) in &self.facts.replies {
            if question.zone != zone {
                continue;
            }
            for (server, reply) in replies {
                match reply {
                    Reply::Failed(why) => {
                        silent.insert(server, why);
                    }
                    _ => {
                        speaks.insert(server);
                    }
                }
            }
        }
        if speaks.is_empty() {
            *uncertain = true;
            let why = silent.values().next().copied().unwrap_or("no answer");
            findings.push(
                Finding::error(
                    "ns.silent",
                    zone,
                    format!("no name server of it answers: {why}"),
                )
                .value(servers.join(", "))
                .hint("if they are the right ones, try again later; if not, have the zone delegated to those of your DNS provider"),
            );
            return false;
        }
        for (server, why) in silent {
            if !speaks.contains(server) {
                findings.push(
                    Finding::warning("ns.lame", zone, format!("its name server {server} does not answer for it: {why}"))
                        .hint("who asks that one gets nothing, so that mail is late: have it answer, or take it out of the delegation"),
                );
            }
        }
        for (kind, what) in [("TXT", "texts"), ("A", "addresses")] {
            let any = self.reply(zone, &format!("{NOBODY}.{zone}"), kind);
            let alias = any.and_then(Reply::alias).filter(|_| kind == "TXT");
            let first = any.and_then(|reply| reply.records().first());
            if let Some(record) = first.map(ToString::to_string).or(alias.map(str::to_owned)) {
                findings.push(
                    Finding::warning("ns.wildcard", zone, format!("has {what} for every name (a wildcard), so that records which are missing look as if they were wrong"))
                        .value(record)
                        .hint(format!("take `*` of type {kind} out of zone {zone}, if nothing needs it")),
                );
            }
        }
        true
    }
}

/// Compares `records` with what name servers say.
pub fn judge(records: &Records, expected: &Expected, facts: &Facts) -> Report {
    run(records, expected, facts).0
}

/// What is still to be found out before [`judge`] knows all that it can. With the answers more may be wanted.
pub fn wanted(records: &Records, expected: &Expected, facts: &Facts) -> Wanted {
    run(records, expected, facts).1
}

fn run(records: &Records, expected: &Expected, facts: &Facts) -> (Report, Wanted) {
    let zones: Vec<&str> = records
        .zones
        .iter()
        .map(|zone| zone.zone.as_str())
        .collect();
    let judge = Judge {
        facts,
        all: records
            .zones
            .iter()
            .flat_map(|zone| &zone.records)
            .collect(),
        expected,
        world: World::new(facts, zones),
        mail_host: &records.mail_host,
    };
    let mut findings = Vec::new();
    let mut uncertain = false;
    let mut all = Vec::new();
    let mut zones = BTreeMap::new();
    let since = |findings: &[Finding], before: usize| -> Vec<Finding> {
        findings.iter().skip(before).cloned().collect()
    };
    let mut resting: Vec<(String, Finding)> = Vec::new();
    let mut known_zones = BTreeSet::new();
    for zone in &records.zones {
        let before = findings.len();
        let known = judge.zone(&zone.zone, &mut findings, &mut uncertain);
        let stale = known && judge.stale(&zone.zone, &mut findings);
        if known {
            known_zones.insert(zone.zone.as_str());
        }
        zones.insert(zone.zone.clone(), since(&findings, before));
        for record in &zone.records {
            let before = findings.len();
            let (state, seen) = if record.data.is_none() {
                (State::Open, Vec::new())
            } else if known {
                let said = judge.record(record);
                for one in said.findings {
                    if said.rests {
                        resting.push((record.id.clone(), one));
                    } else if !(stale && one.id == "ns.consistent") {
                        findings.push(one);
                    }
                }
                (said.state, said.seen)
            } else {
                (State::Unknown, Vec::new())
            };
            all.push(Checked {
                id: record.id.clone(),
                zone: record.zone.clone(),
                fqdn: record.fqdn.clone(),
                kind: record.kind,
                level: record.level,
                state,
                wanted: record.data.as_ref().map(Data::plain),
                seen,
                findings: since(&findings, before),
            });
        }
    }
    let waiting = resting.clone();
    judge.resting(resting, &mut all, &mut findings);
    for (id, finding) in waiting {
        if findings.contains(&finding)
            && let Some(record) = all.iter_mut().find(|record| record.id == id)
        {
            record.findings.push(finding);
        }
    }
    judge.reports(&all, &mut findings);
    uncertain |= judge.policies(&all, &known_zones, &mut findings);
    judge.authorities(&known_zones, &mut findings);
    judge.pinned(&known_zones, &mut findings);
    judge.unexpected(&known_zones, &mut findings);
    uncertain |= all.iter().any(|one| one.state == State::Unknown);
    findings.sort_by_key(|one| std::cmp::Reverse(one.severity));
    let report = Report {
        schema: 1,
        mail_host: records.mail_host.clone(),
        complete: !findings.iter().any(|one| one.severity == Severity::Error)
            && all
                .iter()
                .filter(|one| one.level == Level::Required)
                .all(|one| one.state.serves()),
        uncertain,
        records: all,
        findings,
        zones,
    };
    (report, judge.world.wanted())
}
