//! Questions to DNS servers, one at a time and bounded in time. Answers come as they are, flags included, which the system's resolver hides.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};
use rand_core::{OsRng, RngCore as _};

use crate::preflight::{DnsAnswer, Lookup};

/// How long one server may take for one answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// A datagram may get lost.
const TRIES: u32 = 2;
/// What passes everywhere in one piece, and what Mailu's admin asks for.
const PAYLOAD: u16 = 1232;
/// Aliases of aliases.
const LONGEST_CHAIN: usize = 8;

pub(super) const PORT: u16 = 53;

/// The servers that answer programs on this host, and those that containers get: Docker leaves out what only the host reaches.
pub(super) fn system() -> Vec<SocketAddr> {
    let from = |path: &str| -> Vec<IpAddr> {
        let Ok(text) = fs::read(path) else {
            return Vec::new();
        };
        let (config, _) = resolv_conf::Config::parse_with_errors(&text);
        config.nameservers.iter().map(IpAddr::from).collect()
    };
    let mut all = from("/etc/resolv.conf");
    // systemd-resolved's stub; Docker looks there too.
    if !all.is_empty() && all.iter().all(IpAddr::is_loopback) {
        let behind = from("/run/systemd/resolve/resolv.conf");
        if !behind.is_empty() {
            all = behind;
        }
    }
    all.truncate(3);
    all.into_iter()
        .map(|ip| SocketAddr::new(ip, PORT))
        .collect()
}

/// A question for `kind` records of `name`. With `signed`, for signatures too, and whether the server has validated.
pub(super) fn ask(
    server: SocketAddr,
    name: &str,
    kind: RecordType,
    signed: bool,
) -> Result<Message, String> {
    question(server, name, kind, signed, false)
}

/// The same, for whatever is there, whether its signatures verify or not (the CD bit, RFC 4035 §3.2.2).
pub(super) fn ask_unchecked(
    server: SocketAddr,
    name: &str,
    kind: RecordType,
) -> Result<Message, String> {
    question(server, name, kind, true, true)
}

fn question(
    server: SocketAddr,
    name: &str,
    kind: RecordType,
    signed: bool,
    unchecked: bool,
) -> Result<Message, String> {
    let name = Name::from_ascii(name).map_err(|error| error.to_string())?;
    #[expect(clippy::cast_possible_truncation, reason = "any sixteen bits do")]
    let id = OsRng.next_u32() as u16;
    let mut message = Message::new(id, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.metadata.authentic_data = signed;
    message.metadata.checking_disabled = unchecked;
    message.add_query(Query::query(name, kind));
    let mut edns = Edns::new();
    edns.set_max_payload(PAYLOAD).set_dnssec_ok(signed);
    message.set_edns(edns);
    let question = message.to_vec().map_err(|error| error.to_string())?;
    let mut last = String::new();
    for _ in 0..TRIES {
        match over_udp(server, id, &question) {
            Ok(answer) if answer.metadata.truncation => {
                return over_tcp(server, id, &question).map_err(|error| {
                    format!(
                        "its long answers do not arrive over TCP: {}",
                        worded(&error)
                    )
                });
            }
            Ok(answer) => return Ok(answer),
            Err(error) => last = worded(&error),
        }
    }
    Err(last)
}

fn worded(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "no answer in time".to_owned(),
        io::ErrorKind::ConnectionRefused => "nobody listens there".to_owned(),
        _ => error.to_string(),
    }
}

fn parsed(bytes: &[u8], id: u16) -> io::Result<Option<Message>> {
    match Message::from_vec(bytes) {
        Ok(answer) => Ok(Some(answer).filter(|answer| {
            answer.metadata.id == id && answer.metadata.message_type == MessageType::Response
        })),
        Err(error) => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("an answer that cannot be read: {error}"),
        )),
    }
}

fn over_udp(server: SocketAddr, id: u16, question: &[u8]) -> io::Result<Message> {
    let any: IpAddr = if server.is_ipv4() {
        Ipv4Addr::UNSPECIFIED.into()
    } else {
        Ipv6Addr::UNSPECIFIED.into()
    };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(server)?;
    socket.send(question)?;
    let end = Instant::now() + PATIENCE;
    let mut buffer = [0_u8; 4096];
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        socket.set_read_timeout(Some(left))?;
        let length = socket.recv(&mut buffer)?;
        if let Some(answer) = parsed(buffer.get(..length).unwrap_or_default(), id)? {
            return Ok(answer);
        }
    }
}

fn over_tcp(server: SocketAddr, id: u16, question: &[u8]) -> io::Result<Message> {
    let mut stream = TcpStream::connect_timeout(&server, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let length = u16::try_from(question.len()).unwrap_or(u16::MAX);
    stream.write_all(&[&length.to_be_bytes(), question].concat())?;
    let mut length = [0_u8; 2];
    stream.read_exact(&mut length)?;
    let mut answer = vec![0_u8; u16::from_be_bytes(length).into()];
    stream.read_exact(&mut answer)?;
    parsed(&answer, id)?.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
}

/// The first answer that one of `servers` gives.
pub(super) fn first(
    servers: &[SocketAddr],
    name: &str,
    kind: RecordType,
) -> Result<Message, String> {
    let mut last = "no DNS server is known".to_owned();
    for server in servers {
        match ask(*server, name, kind, false) {
            Ok(answer)
                if matches!(
                    answer.metadata.response_code,
                    ResponseCode::NoError | ResponseCode::NXDomain
                ) =>
            {
                return Ok(answer);
            }
            Ok(answer) => last = format!("{server} says {}", answer.metadata.response_code),
            Err(why) => last = format!("{server}: {why}"),
        }
    }
    Err(last)
}

/// The addresses of `name`.
pub(super) fn addresses(servers: &[SocketAddr], name: &str) -> Lookup {
    let mut found = Vec::new();
    let mut alias = None;
    let mut absent = false;
    let mut failed = None;
    for kind in [RecordType::A, RecordType::AAAA] {
        match first(servers, &format!("{name}."), kind) {
            Ok(answer) => {
                absent |= answer.metadata.response_code == ResponseCode::NXDomain;
                for record in answer.answers.iter().take(64) {
                    match &record.data {
                        RData::A(address) => found.push(IpAddr::V4(address.0)),
                        RData::AAAA(address) => found.push(IpAddr::V6(address.0)),
                        RData::CNAME(target) if alias.is_none() => {
                            alias = Some(target.0.to_utf8().trim_end_matches('.').to_owned());
                        }
                        _ => {}
                    }
                }
            }
            Err(why) => failed = Some(why),
        }
    }
    found.sort_unstable();
    found.dedup();
    match failed {
        Some(why) if found.is_empty() => Lookup::Failed(why),
        _ if absent && found.is_empty() => Lookup::Absent,
        _ => Lookup::Found {
            addresses: found,
            alias,
        },
    }
}

/// The mail servers of `domain`, best first; the domain itself if it names none (RFC 5321 §5.1).
pub(super) fn mail_servers(servers: &[SocketAddr], domain: &str) -> Result<Vec<String>, String> {
    let answer = first(servers, &format!("{domain}."), RecordType::MX)?;
    let mut all: Vec<(u16, String)> = answer
        .answers
        .iter()
        .take(LONGEST_CHAIN * 8)
        .filter_map(|record| match &record.data {
            RData::MX(mx) => Some((
                mx.preference,
                mx.exchange.to_utf8().trim_end_matches('.').to_owned(),
            )),
            _ => None,
        })
        .filter(|(_, name)| !name.is_empty())
        .collect();
    all.sort();
    if all.is_empty() {
        if answer.metadata.response_code == ResponseCode::NXDomain {
            return Err("there is no such name".to_owned());
        }
        return Ok(vec![domain.to_owned()]);
    }
    Ok(all.into_iter().map(|(_, name)| name).collect())
}

/// Asks a root server for its keys, as a validating resolver does first.
pub(super) fn root_keys(server: SocketAddr) -> Result<DnsAnswer, String> {
    let answer = ask(server, ".", RecordType::DNSKEY, true)?;
    match answer.metadata.response_code {
        code @ (ResponseCode::Refused | ResponseCode::ServFail) => Err(format!("it says {code}")),
        _ => Ok(summed_up(&answer)),
    }
}

/// Asks a resolver what Mailu's admin asks before it starts.
pub(super) fn validated(server: SocketAddr) -> Result<DnsAnswer, String> {
    let answer = ask(server, "example.org.", RecordType::A, true)?;
    match answer.metadata.response_code {
        ResponseCode::NoError => Ok(summed_up(&answer)),
        code => Err(format!("it says {code} to example.org")),
    }
}

fn summed_up(answer: &Message) -> DnsAnswer {
    let has = |kind: RecordType| {
        answer
            .answers
            .iter()
            .any(|record| record.record_type() == kind)
    };
    DnsAnswer::new(
        answer.metadata.authoritative,
        answer.metadata.authentic_data,
        has(RecordType::RRSIG),
    )
}
