//! Whether the records that a deployment needs are in DNS: facts from name servers in, a state for each record and findings out.
//!
//! The model is that of the generator ([`super::records`]), so that the two cannot contradict each other. Records are judged by what
//! they mean, not by how they are written: texts cut into strings otherwise, other orders of tags and further senders are no faults.

mod names;
#[cfg(test)]
mod tests;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use super::record::{Data, Level, Record};
use super::reverse::is_reverse;
use super::zone::Report as Records;
use crate::finding::{Finding, Severity};

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
    fn new(zone: &str, name: impl Into<String>, kind: &'static str) -> Self {
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
    /// The replies of each server.
    pub replies: BTreeMap<Question, BTreeMap<String, Reply>>,
}

/// How a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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

/// A name that nobody has, in every zone: who answers for it answers for everything.
const NOBODY: &str = "mailu-asks-whether-every-name-is-here";

fn doubled(record: &Record) -> String {
    format!("{}.{}", record.fqdn, record.zone)
}

fn label(record: &Record) -> &str {
    record.id.rsplit_once('/').map_or("", |(_, label)| label)
}

/// What has to be asked to judge `records`.
pub fn questions(records: &Records) -> Vec<Question> {
    let mut all = BTreeSet::new();
    for zone in &records.zones {
        let name = &zone.zone;
        if !is_reverse(name) {
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
                all.insert(Question::new(name, doubled(record), record.kind));
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
    vec![domain.to_owned(), format!("dmarc.{domain}")]
}

/// A record's judgement by one reply.
struct Judgement {
    state: State,
    findings: Vec<Finding>,
}

impl Judgement {
    fn right() -> Self {
        Self {
            state: State::Right,
            findings: Vec::new(),
        }
    }

    fn of(state: State, finding: Finding) -> Self {
        Self {
            state,
            findings: vec![finding],
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

    fn record(&self, record: &Record, findings: &mut Vec<Finding>) -> (State, Vec<String>) {
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
            return (State::Unknown, Vec::new());
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
            findings.push(
                Finding::warning(
                    "ns.consistent",
                    &record.fqdn,
                    format!("{} is not the same at all name servers yet: not at {}", record.kind, behind.join(", ")),
                )
                .hint("wait until all have it; if that takes more than an hour, ask your DNS provider, or look whether the zone was changed at an earlier one"),
            );
            return (State::Partial, seen);
        }
        let state = worst.state;
        if state == State::Missing
            && let Some(found) = self.doubled(record)
        {
            findings.push(found);
            return (State::Wrong, seen);
        }
        let worst = judged
            .into_iter()
            .map(|(_, _, one)| one)
            .find(|one| one.state == state);
        findings.extend(worst.map(|one| one.findings).unwrap_or_default());
        (state, seen)
    }

    /// The record under a name that has the zone's name twice: forms append it by themselves.
    fn doubled(&self, record: &Record) -> Option<Finding> {
        let name = doubled(record);
        let reply = self.reply(&record.zone, &name, record.kind)?;
        if self.judge(record, reply).state == State::Missing || self.wild(record, reply) {
            return None;
        }
        Some(
            finding(
                record,
                "ns.double",
                format!(
                    "is not there, but {name} is: the provider's form has added {} by itself",
                    record.zone
                ),
            )
            .value(record.kind)
            .hint(format!(
                "in zone {}: change the host from `{}` to `{}`",
                record.zone,
                record.fqdn,
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
            (Data::Txt { text }, "SPF") => text::sender_policy(record, text, reply),
            (Data::Txt { text }, "DKIM") => text::dkim(record, text, reply),
            (Data::Txt { text }, "DMARC") => {
                let elsewhere = misplaced(record).into_iter().find(|name| {
                    self.reply(&record.zone, name, "TXT")
                        .is_some_and(text::has_dmarc)
                });
                text::dmarc(record, text, reply, elsewhere)
            }
            (Data::Txt { text }, _) => text::other(record, text, reply),
            (Data::Mx { exchange, .. }, _) => names::mx(record, exchange, reply),
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
            (Data::Ptr { target }, _) => names::reverse(record, target, reply),
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
            if let Some(record) = any.and_then(|reply| reply.records().first()) {
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
pub fn judge(records: &Records, facts: &Facts) -> Report {
    let judge = Judge {
        facts,
        all: records
            .zones
            .iter()
            .flat_map(|zone| &zone.records)
            .collect(),
    };
    let mut findings = Vec::new();
    let mut uncertain = false;
    let mut all = Vec::new();
    let mut zones = BTreeMap::new();
    let since = |findings: &[Finding], before: usize| -> Vec<Finding> {
        findings.iter().skip(before).cloned().collect()
    };
    for zone in &records.zones {
        let before = findings.len();
        let known = judge.zone(&zone.zone, &mut findings, &mut uncertain);
        zones.insert(zone.zone.clone(), since(&findings, before));
        for record in &zone.records {
            let before = findings.len();
            let (state, seen) = if record.data.is_none() {
                (State::Open, Vec::new())
            } else if known {
                judge.record(record, &mut findings)
            } else {
                (State::Unknown, Vec::new())
            };
            uncertain |= state == State::Unknown;
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
    findings.sort_by_key(|one| std::cmp::Reverse(one.severity));
    Report {
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
    }
}
