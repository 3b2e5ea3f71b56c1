//! What the name servers of a deployment's zones say: all authoritative ones, without a cache between.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{RData, RecordType};

use super::lookup;
use super::root::Mailu;
use crate::dns::check::{self, Facts, Question, Reply, Report, Seen, Servers};
use crate::dns::is_reverse;
use crate::error::Error;
use crate::paths::Layout;
use crate::preflight::Lookup;

/// How many questions are under way at a time.
const AT_ONCE: usize = 24;
/// So many servers of a zone are asked; more only take time.
const SERVERS: usize = 8;
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
}

impl Mailu {
    /// Compares the records of the deployment at `layout` with what all name servers of its zones say. Changes nothing.
    ///
    /// # Errors
    ///
    /// As [`Mailu::dns`]. Name servers that do not answer are part of the report.
    pub fn check_dns(&self, layout: &Layout, options: &DnsOptions) -> Result<Report, Error> {
        let (_, mut records) = self.dns(layout)?;
        if let Some(zone) = &options.zone {
            records.zones.retain(|one| one.zone == *zone);
        }
        let resolvers = match options.resolver {
            Some(server) => vec![server],
            None => lookup::system(),
        };
        let mut places: BTreeMap<String, Vec<Server>> = BTreeMap::new();
        let mut facts = Facts::default();
        for zone in records.zones.iter().map(|one| one.zone.as_str()) {
            let found = servers(&resolvers, zone, &options.authoritative);
            let known = match found {
                Ok(servers) => {
                    let names = servers.iter().map(|one| one.label.clone()).collect();
                    places.insert(zone.to_owned(), servers);
                    Servers::Known(names)
                }
                Err(other) => other,
            };
            facts.zones.insert(zone.to_owned(), known);
        }
        facts.replies = asked(&resolvers, &check::questions(&records), &places);
        Ok(check::judge(&records, &facts))
    }
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
    let next = AtomicUsize::new(0);
    let replies = Mutex::new(BTreeMap::new());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(work.len()) {
            scope.spawn(|| {
                while let Some((question, server)) = work.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    let reply = ask(resolvers, question, server);
                    if let Ok(mut replies) = replies.lock() {
                        let of: &mut BTreeMap<String, Reply> =
                            replies.entry((*question).clone()).or_default();
                        of.insert(server.label.clone(), reply);
                    }
                }
            });
        }
    });
    replies.into_inner().unwrap_or_default()
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
