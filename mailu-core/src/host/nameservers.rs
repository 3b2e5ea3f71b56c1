//! What the name servers of a deployment's zones say: all authoritative ones, without a cache between.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{RData, RecordType};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::lanes::at_once;
use super::root::Mailu;
use super::{lookup, policy, served, trust};
use crate::dns::check::{self, Expected, Facts, Question, Reply, Report, Seen, Servers, Shown};
use crate::dns::{Report as Records, is_reverse};
use crate::error::{Error, ErrorKind};
use crate::paths::Layout;
use crate::preflight::Lookup;

/// How many questions are under way at a time.
pub(super) const AT_ONCE: usize = 64;
/// So many servers of a zone are asked; more only take time.
const SERVERS: usize = 8;
/// What was found out may make one ask more: includes of includes. A tree that is deeper is none that receivers follow.
const ROUNDS: usize = 32;
/// After so many questions without any answer, a server is not asked again.
const SILENT: usize = 2;

/// Whom to ask.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct DnsOptions {
    /// The resolver that finds name servers, and answers for reverse zones. Default: the host's.
    pub resolver: Option<SocketAddr>,
    /// Servers to ask for every zone, instead of those that the zones are delegated to.
    pub authoritative: Vec<SocketAddr>,
    /// Only this zone.
    pub zone: Option<String>,
    /// A file with certificates (PEM) of authorities to trust beside those that browsers do, for MTA-STS policies.
    pub authorities: Option<PathBuf>,
}

impl Mailu {
    /// Compares the records of the deployment at `layout` with what all name servers of its zones say. Changes nothing.
    ///
    /// # Errors
    ///
    /// As [`Mailu::dns`], and [`ErrorKind::InvalidInput`] for a file of authorities that cannot be read. Name servers that do not
    /// answer are part of the report.
    pub fn check_dns(&self, layout: &Layout, options: &DnsOptions) -> Result<Report, Error> {
        let (config, mut records) = self.dns(layout)?;
        if let Some(zone) = &options.zone {
            records.zones.retain(|one| one.zone == *zone);
        }
        let more = options.authorities.as_deref().map(certificates);
        let more = more.transpose()?.unwrap_or_default();
        let resolvers = match options.resolver {
            Some(server) => vec![server],
            None => lookup::system(),
        };
        Ok(published(
            &records,
            &Expected::new(&config),
            &resolvers,
            &options.authoritative,
            &more,
        ))
    }
}

/// Compares `records` with what is published: asks `resolvers` where the zones are, unless `authoritative` servers are given, and
/// believes `authorities` beside those of browsers.
fn published(
    records: &Records,
    expected: &Expected,
    resolvers: &[SocketAddr],
    authoritative: &[SocketAddr],
    authorities: &[CertificateDer<'static>],
) -> Report {
    let zones: Vec<&str> = records.zones.iter().map(|one| one.zone.as_str()).collect();
    let mut facts = Facts::default();
    let mut places: BTreeMap<String, Vec<Server>> = BTreeMap::new();
    let validates = resolvers
        .first()
        .is_some_and(|server| trust::validates(*server));
    let found = at_once(&zones, AT_ONCE, |zone| {
        let trust = if is_reverse(zone) {
            None
        } else {
            Some(trust::of(resolvers, zone, validates))
        };
        (servers(resolvers, zone, authoritative), trust)
    });
    for (zone, (found, trust)) in zones.iter().zip(found) {
        let known = match found {
            Ok(servers) => {
                let names = servers.iter().map(|one| one.label.clone()).collect();
                places.insert((*zone).to_owned(), servers);
                Servers::Known(names)
            }
            Err(other) => other,
        };
        facts.zones.insert((*zone).to_owned(), known);
        if let Some(trust) = trust {
            facts.trust.insert((*zone).to_owned(), trust);
        }
    }
    facts.replies = asked(resolvers, &check::questions(records), &places);
    facts.bogus = trust::bogus(resolvers, records, &facts);
    for _ in 0..ROUNDS {
        let wanted = check::wanted(records, expected, &facts);
        if wanted.is_empty() {
            break;
        }
        let names: Vec<(String, &'static str)> = wanted.names.into_iter().collect();
        let replies = at_once(&names, AT_ONCE, |(name, kind)| {
            elsewhere(resolvers, &zones, &places, name, kind)
        });
        facts.outside.extend(names.into_iter().zip(replies));
        let domains: Vec<String> = wanted.policies.into_iter().collect();
        let policies = at_once(&domains, AT_ONCE, |domain| {
            policy::fetch(resolvers, domain, authorities)
        });
        facts.policies.extend(domains.into_iter().zip(policies));
        if wanted.chains {
            facts.shown = Some(shown(resolvers, &records.mail_host));
        }
    }
    check::judge(records, expected, &facts)
}

/// The certificates in a file.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let wrong = |why: String| {
        Error::new(
            ErrorKind::InvalidInput,
            "dns.authorities",
            format!("read certificates from {}: {why}", path.display()),
        )
        .hint("name a file with one or more certificates in PEM form: `--ca FILE`")
    };
    let all: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path)
        .map_err(|error| wrong(error.to_string()))?
        .collect();
    let all = all.map_err(|error| wrong(error.to_string()))?;
    if all.is_empty() {
        return Err(wrong("there is none in it".to_owned()));
    }
    Ok(all)
}

/// What is said of a name that no record of ours has: by its own servers if it lies in one of our zones, else by the resolver.
fn elsewhere(
    resolvers: &[SocketAddr],
    zones: &[&str],
    places: &BTreeMap<String, Vec<Server>>,
    name: &str,
    kind: &'static str,
) -> Reply {
    if let Some(zone) = check::zone_of(zones, name) {
        let question = Question::new(zone, name, kind);
        let replies = places.get(zone).into_iter().flatten();
        // A zone may begin below it, of which its servers know nothing.
        let reply = replies
            .map(|server| ask(resolvers, &question, server))
            .find(|reply| !matches!(reply, Reply::Failed(_)));
        if let Some(reply) = reply {
            return reply;
        }
    }
    let Ok(number) = kind.parse::<RecordType>() else {
        return Reply::Failed(format!("{kind} is no type of records"));
    };
    match lookup::first(resolvers, &format!("{name}."), number) {
        Err(why) => Reply::Failed(why),
        Ok(answer) => reply_of(&answer, number),
    }
}

/// What port 25 of the mail host shows.
fn shown(resolvers: &[SocketAddr], host: &str) -> Shown {
    let addresses = match lookup::addresses(resolvers, host) {
        Lookup::Found { addresses, .. } => addresses,
        Lookup::Failed(why) => return Shown::Unknown(why),
        _ => Vec::new(),
    };
    let mut last = format!("{host} has no address");
    for address in addresses {
        match served::chains(SocketAddr::new(address, 25), host) {
            Ok(chains) => return Shown::Chains(chains),
            Err(why) => last = why,
        }
    }
    Shown::Unknown(last)
}

/// A name server of a zone.
struct Server {
    label: String,
    address: SocketAddr,
    /// Whether it has to know by itself.
    authoritative: bool,
    answered: AtomicUsize,
    failed: AtomicUsize,
}

impl Server {
    fn new(label: String, address: SocketAddr, authoritative: bool) -> Self {
        Self {
            label,
            address,
            authoritative,
            answered: AtomicUsize::new(0),
            failed: AtomicUsize::new(0),
        }
    }
}

/// The name servers of `zone`.
fn servers(
    resolvers: &[SocketAddr],
    zone: &str,
    given: &[SocketAddr],
) -> Result<Vec<Server>, Servers> {
    if is_reverse(zone) {
        // Where its zones begin is known to nobody but those who have the addresses.
        let all = resolvers.iter().take(1);
        return Ok(all
            .map(|address| Server::new(address.to_string(), *address, false))
            .collect());
    }
    if !given.is_empty() {
        let all = given.iter();
        return Ok(all
            .map(|address| Server::new(address.to_string(), *address, true))
            .collect());
    }
    let mut names = Vec::new();
    let mut above = zone;
    // A zone of ours may be part of a larger one.
    while names.is_empty() && above.contains('.') {
        let answer = lookup::first(resolvers, &format!("{above}."), RecordType::NS)
            .map_err(Servers::Unknown)?;
        if answer.metadata.response_code == ResponseCode::NXDomain && above == zone {
            return Err(Servers::Absent);
        }
        names = answer
            .answers
            .iter()
            .filter_map(|record| match &record.data {
                RData::NS(name) => Some(name.0.to_ascii().trim_end_matches('.').to_owned()),
                _ => None,
            })
            .collect();
        above = above.split_once('.').map_or("", |(_, rest)| rest);
    }
    names.sort();
    names.truncate(SERVERS);
    let mut all = Vec::new();
    let mut last = "it has no name servers".to_owned();
    for name in names {
        match lookup::addresses(resolvers, &name) {
            Lookup::Found { addresses, .. } if !addresses.is_empty() => {
                // IPv4 reaches more; an IPv6 address is asked where there is no other.
                let address = addresses
                    .iter()
                    .find(|one| one.is_ipv4())
                    .or(addresses.first());
                if let Some(address) = address {
                    all.push(Server::new(
                        format!("{name} ({address})"),
                        SocketAddr::new(*address, lookup::PORT),
                        true,
                    ));
                }
            }
            Lookup::Failed(why) => last = why,
            _ => last = format!("its name server {name} has no address"),
        }
    }
    if all.is_empty() {
        return Err(Servers::Unknown(last));
    }
    Ok(all)
}

/// Asks every server of its zone each question, several at a time.
fn asked(
    resolvers: &[SocketAddr],
    questions: &[Question],
    places: &BTreeMap<String, Vec<Server>>,
) -> BTreeMap<Question, BTreeMap<String, Reply>> {
    let work: Vec<(&Question, &Server)> = questions
        .iter()
        .flat_map(|question| {
            let servers = places.get(&question.zone).into_iter().flatten();
            servers.map(move |server| (question, server))
        })
        .collect();
    let all = at_once(&work, AT_ONCE, |(question, server)| {
        (
            *question,
            server.label.clone(),
            ask(resolvers, question, server),
        )
    });
    let mut replies: BTreeMap<Question, BTreeMap<String, Reply>> = BTreeMap::new();
    for (question, server, reply) in all {
        replies
            .entry(question.clone())
            .or_default()
            .insert(server, reply);
    }
    replies
}

fn ask(resolvers: &[SocketAddr], question: &Question, server: &Server) -> Reply {
    let silent = server.answered.load(Ordering::Relaxed) == 0
        && server.failed.load(Ordering::Relaxed) >= SILENT;
    if silent {
        return Reply::Failed("no answer in time".to_owned());
    }
    let Ok(kind) = question.kind.parse::<RecordType>() else {
        return Reply::Failed(format!("{} is no type of records", question.kind));
    };
    let name = format!("{}.", question.name);
    let answer = lookup::ask(server.address, &name, kind, false);
    let counted = match &answer {
        Ok(_) => &server.answered,
        Err(_) => &server.failed,
    };
    counted.fetch_add(1, Ordering::Relaxed);
    let answer = match answer {
        Ok(answer) => answer,
        Err(why) => return Reply::Failed(why),
    };
    let code = answer.metadata.response_code;
    if !matches!(code, ResponseCode::NoError | ResponseCode::NXDomain) {
        return Reply::Failed(format!("it says {code}"));
    }
    if server.authoritative && !answer.metadata.authoritative {
        return Reply::Failed("it is not authoritative".to_owned());
    }
    let (mut records, alias) = read(&answer, kind);
    if records.is_empty() && alias.is_some() {
        // Where the alias leads is somebody else's zone.
        match lookup::first(resolvers, &name, kind) {
            Ok(answer) => records = read(&answer, kind).0,
            Err(why) => return Reply::Failed(why),
        }
    }
    if records.is_empty() && alias.is_none() {
        return if code == ResponseCode::NXDomain {
            Reply::Absent
        } else {
            Reply::Empty
        };
    }
    Reply::Found { records, alias }
}

/// A resolver's answer, which has followed aliases already.
fn reply_of(answer: &Message, kind: RecordType) -> Reply {
    let (records, alias) = read(answer, kind);
    if records.is_empty() && alias.is_none() {
        return if answer.metadata.response_code == ResponseCode::NXDomain {
            Reply::Absent
        } else {
            Reply::Empty
        };
    }
    Reply::Found { records, alias }
}

/// The records of a type in an answer, and the alias that led to them.
fn read(answer: &Message, kind: RecordType) -> (Vec<Seen>, Option<String>) {
    let dotted = |name: &hickory_proto::rr::Name| {
        let text = name.to_ascii().to_ascii_lowercase();
        format!("{}.", text.trim_end_matches('.'))
    };
    let mut alias = None;
    let mut all = Vec::new();
    for record in answer.answers.iter().take(256) {
        let plain = match &record.data {
            RData::TXT(text) if kind == RecordType::TXT => {
                let strings = text.txt_data.iter().map(|string| string.to_vec());
                all.push(Seen::Text(strings.collect()));
                continue;
            }
            RData::CNAME(target) if kind != RecordType::CNAME => {
                alias.get_or_insert(dotted(&target.0));
                continue;
            }
            _ if record.record_type() != kind => continue,
            RData::A(address) => address.0.to_string(),
            RData::AAAA(address) => address.0.to_string(),
            RData::CNAME(target) => dotted(&target.0),
            RData::SOA(soa) => soa.serial.to_string(),
            RData::PTR(target) => dotted(&target.0),
            RData::MX(mx) => format!("{} {}", mx.preference, dotted(&mx.exchange)),
            RData::SRV(srv) => format!(
                "{} {} {} {}",
                srv.priority,
                srv.weight,
                srv.port,
                dotted(&srv.target)
            ),
            RData::CAA(caa) => format!(
                "{} {} \"{}\"",
                caa.flags(),
                caa.tag,
                String::from_utf8_lossy(&caa.value)
            ),
            RData::TLSA(tlsa) => {
                let mut hex = String::new();
                for byte in &tlsa.cert_data {
                    let _ = write!(hex, "{byte:02x}");
                }
                format!(
                    "{} {} {} {hex}",
                    u8::from(tlsa.cert_usage),
                    u8::from(tlsa.selector),
                    u8::from(tlsa.matching)
                )
            }
            _ => continue,
        };
        all.push(Seen::Plain(plain));
    }
    (all, alias)
}
