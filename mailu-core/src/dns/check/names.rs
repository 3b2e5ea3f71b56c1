//! Records that hold names and numbers.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::IpAddr;

use super::world::World;
use super::{Judgement, Reply, Seen, State, add, finding, form, replace};
use crate::dns::record::{Data, Level, Record};
use crate::finding::Finding;

/// The records in presentation form.
pub(super) fn plain(reply: &Reply) -> Vec<&str> {
    reply
        .records()
        .iter()
        .filter_map(|one| match one {
            Seen::Plain(text) => Some(text.as_str()),
            Seen::Text(_) => None,
        })
        .collect()
}

fn missing(record: &Record, id: &str) -> Judgement {
    Judgement::of(
        State::Missing,
        finding(record, id, format!("has no {} record", record.kind)).hint(add(record)),
    )
}

fn absolute(name: &str) -> String {
    format!("{}.", name.trim_end_matches('.').to_ascii_lowercase())
}

/// The host of `preference host`.
pub(super) fn exchange(text: &str) -> &str {
    text.split_whitespace().nth(1).unwrap_or_default()
}

/// What is wrong with a mail server's name, whoever it belongs to.
fn mx_fault(world: &World<'_>, name: &str, record: &Record) -> Option<(&'static str, String)> {
    let bare = name.trim_end_matches('.');
    if bare.parse::<IpAddr>().is_ok() {
        return Some((
            "mx.ip",
            format!(
                "names the address {bare} as its mail server, where a host name has to stand (RFC 1035 §3.3.9)"
            ),
        ));
    }
    let zone = &record.zone;
    if bare.ends_with(&format!(".{zone}.{zone}")) {
        return Some((
            "mx.dot",
            format!(
                "names the mail server {name}: the zone was added to a name that had no final dot"
            ),
        ));
    }
    let (four, six) = (world.ask(bare, "A")?, world.ask(bare, "AAAA")?);
    if let Some(target) = four.alias().or(six.alias()) {
        return Some((
            "mx.cname",
            format!(
                "names the mail server {name}, which is an alias of {target}; some senders do not follow it (RFC 2181 §10.3)"
            ),
        ));
    }
    let nothing = |reply: &Reply| matches!(reply, Reply::Empty | Reply::Absent);
    (nothing(four) && nothing(six)).then(|| {
        (
            "mx.noaddr",
            format!("names the mail server {name}, which has no address"),
        )
    })
}

/// RFC 5321 §5.1, RFC 7505.
pub(super) fn mx(record: &Record, host: &str, reply: &Reply, world: &World<'_>) -> Judgement {
    if let Some(target) = reply.alias() {
        return Judgement::of(
            State::Wrong,
            finding(record, "mx.alias", format!("is an alias of {target}, so that it cannot have a mail server of its own (RFC 1034 §3.6.2)"))
                .hint(format!("remove the CNAME record, then {}", add(record))),
        );
    }
    let all: Vec<&str> = plain(reply).into_iter().map(exchange).collect();
    if all.is_empty() {
        return missing(record, "mx.present");
    }
    let wrong = |id: &str, message: String| {
        Judgement::of(
            State::Wrong,
            finding(record, id, message)
                .value(all.join(", "))
                .hint(replace(record)),
        )
    };
    let ours = absolute(host);
    if all.contains(&".") && ours != "." {
        return wrong(
            "mx.null",
            if all.len() == 1 {
                "says that it takes no mail (a null MX, RFC 7505)".to_owned()
            } else {
                "says that it takes no mail (a null MX), and names mail servers beside that (RFC 7505 §3)"
                    .to_owned()
            },
        );
    }
    let others: Vec<&str> = all.iter().copied().filter(|name| *name != ours).collect();
    // The mail host itself is judged by its own records.
    if let Some((id, message)) = others
        .iter()
        .filter(|name| **name != ".")
        .find_map(|name| mx_fault(world, name, record))
    {
        return wrong(id, message);
    }
    if others.is_empty() {
        return Judgement::right();
    }
    if others.len() < all.len() {
        return Judgement::of(
            State::Accepted,
            Finding::warning("mx.others", &record.fqdn, "has other mail servers beside this one: part of the mail goes there")
                .value(others.join(", "))
                .hint("remove them, unless they are backup servers of your own that hand everything over to this one"),
        );
    }
    wrong(
        "mx.ours",
        "sends its mail to other servers than this one".to_owned(),
    )
}

/// A and AAAA of a host.
pub(super) fn address(record: &Record, data: &Data, reply: &Reply) -> Judgement {
    if let Some(target) = reply.alias() {
        return Judgement::of(
            State::Wrong,
            finding(record, "host.cname", format!("is an alias of {target}; a name that MX and SRV records point to must not be one (RFC 2181 §10.3)"))
                .hint(format!("remove the CNAME record, then {}", add(record))),
        );
    }
    let id = if record.kind == "A" {
        "host.a"
    } else {
        "host.aaaa"
    };
    let all = plain(reply);
    let wanted = data.presentation();
    if all.is_empty() {
        return missing(record, id);
    }
    if !all.contains(&wanted.as_str()) {
        return Judgement::of(
            State::Wrong,
            // Whoever prefers that family gets no further, however little it matters that the record be there.
            Finding::error(id, &record.fqdn, "leads to another host than this one; if that is a proxy such as Cloudflare's, mail does not pass through it")
                .value(all.join(", "))
                .hint(replace(record)),
        );
    }
    if all.len() > 1 {
        return Judgement::of(
            State::Accepted,
            Finding::warning(
                id,
                &record.fqdn,
                "has other addresses beside this host's, where part of the connections goes",
            )
            .value(all.join(", "))
            .hint(format!("remove all but {wanted}")),
        );
    }
    Judgement::right()
}

/// A further name of the host: an alias, or the same addresses.
pub(super) fn alias(
    record: &Record,
    target: &str,
    reply: &Reply,
    addresses: impl Fn() -> BTreeSet<String>,
    ours: &BTreeSet<String>,
) -> Judgement {
    let there = plain(reply);
    let led = reply.alias().map(absolute);
    if there.contains(&absolute(target).as_str()) || led.as_deref() == Some(&absolute(target)) {
        return Judgement::right();
    }
    let addresses = addresses();
    if !addresses.is_empty() && addresses.is_subset(ours) {
        return Judgement {
            state: State::Accepted,
            findings: Vec::new(),
            rests: false,
        };
    }
    // The key of an alternative is an alias of the key that signs its mail.
    let (absent, elsewhere) = if super::label(record) == "DKIM" {
        ("dkim.present", "dkim.elsewhere")
    } else {
        ("auto.missing", "auto.elsewhere")
    };
    if there.is_empty() && addresses.is_empty() {
        return missing(record, absent);
    }
    let seen: Vec<String> = if there.is_empty() {
        addresses.into_iter().collect()
    } else {
        there.into_iter().map(str::to_owned).collect()
    };
    Judgement::of(
        State::Wrong,
        finding(record, elsewhere, "leads to another host than this one")
            .value(seen.join(", "))
            .hint(replace(record)),
    )
}

/// Words that providers give to addresses of no one in particular.
const GENERIC: [&str; 13] = [
    "dyn",
    "dynamic",
    "dynip",
    "pool",
    "dhcp",
    "dsl",
    "adsl",
    "vdsl",
    "dialup",
    "ppp",
    "vps",
    "cable",
    "broadband",
];

/// Whether a name is one that a provider's program made of the address.
fn generic(name: &str, address: Option<IpAddr>) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let words = name.split(|c: char| !c.is_ascii_alphanumeric());
    let worded = words.map(|word| word.trim_end_matches(|c: char| c.is_ascii_digit()));
    if worded.into_iter().any(|word| GENERIC.contains(&word)) {
        return true;
    }
    match address {
        Some(IpAddr::V4(four)) => {
            let octets = four.octets();
            let mut backwards = octets;
            backwards.reverse();
            [octets, backwards].iter().any(|[a, b, c, d]| {
                let forms = [
                    format!("{a}-{b}-{c}-{d}"),
                    format!("{a}.{b}.{c}.{d}"),
                    format!("{a}_{b}_{c}_{d}"),
                    format!("{a}x{b}x{c}x{d}"),
                    format!("{a:03}{b:03}{c:03}{d:03}"),
                    format!("{a:03}-{b:03}-{c:03}-{d:03}"),
                    format!("{a:03}.{b:03}.{c:03}.{d:03}"),
                    format!("{a:02x}{b:02x}{c:02x}{d:02x}"),
                ];
                // Numbers that only begin or end alike are others.
                let digit = |text: &str, at_end: bool| {
                    let mut letters = text.chars();
                    let one = if at_end {
                        letters.next_back()
                    } else {
                        letters.next()
                    };
                    one.is_some_and(|c| c.is_ascii_digit())
                };
                forms.iter().any(|form| {
                    name.match_indices(form.as_str()).any(|(at, _)| {
                        !digit(name.get(..at).unwrap_or_default(), true)
                            && !digit(name.get(at + form.len()..).unwrap_or_default(), false)
                    })
                })
            })
        }
        Some(IpAddr::V6(six)) => {
            let [.., y, z] = six.segments();
            let digits: String = name.chars().filter(char::is_ascii_hexdigit).collect();
            let mut whole = String::new();
            for byte in six.octets() {
                let _ = write!(whole, "{byte:02x}");
            }
            digits.contains(&whole)
                || y != 0 && name.contains(&format!("{y:x}-{z:x}"))
                || name.contains(&six.to_string().replace("::", "--").replace(':', "-"))
        }
        None => false,
    }
}

/// What the owner of the address says it is called (RFC 1912 §2.1), and whether that leads back to it.
pub(super) fn reverse(record: &Record, host: &str, reply: &Reply, world: &World<'_>) -> Judgement {
    let all = plain(reply);
    let fix = format!(
        "where the server's addresses come from (the hoster's panel, not your DNS provider): set the reverse name of it to `{host}`"
    );
    let warned = |id: &str, message: &str| {
        Judgement::of(
            State::Accepted,
            Finding::warning(id, &record.fqdn, message)
                .value(all.join(", "))
                .hint(fix.clone()),
        )
    };
    if all.is_empty() {
        return Judgement::of(
            State::Missing,
            finding(
                record,
                "ptr.exists",
                "has no reverse name; large receivers refuse mail from such an address",
            )
            .hint(fix),
        );
    }
    if all.len() > 1 {
        return warned(
            "ptr.multiple",
            "has several reverse names; filters distrust that, and a receiver may take any of them",
        );
    }
    let ours = absolute(host);
    let Some(name) = all.first().copied().filter(|name| *name != ours) else {
        // Whether the mail host leads here is said of its own records.
        return Judgement::right();
    };
    let address = crate::dns::reverse::address_of(&record.fqdn);
    if generic(name, address) {
        return warned(
            "ptr.generic",
            "has a reverse name that its provider made of the address; filters take such a host for somebody's home",
        );
    }
    let kind = if address.is_none_or(|one| one.is_ipv4()) {
        "A"
    } else {
        "AAAA"
    };
    let back = match world.ask(name, kind) {
        None | Some(Reply::Failed(_)) => return Judgement::unknown(),
        Some(reply) => plain(reply)
            .iter()
            .any(|text| text.parse::<IpAddr>().ok() == address),
    };
    if !back {
        return Judgement::of(
            State::Wrong,
            finding(
                record,
                "ptr.fcrdns",
                "has a reverse name that does not lead back to it; large receivers refuse mail from such an address",
            )
            .value(name)
            .hint(fix),
        );
    }
    warned(
        "ptr.helo",
        "has another reverse name than the one that the server greets with",
    )
}

/// Who may issue certificates (RFC 8659). Records of other authorities beside ours do no harm.
pub(super) fn caa(record: &Record, data: &Data, reply: &Reply) -> Judgement {
    let Data::Caa { tag, value, .. } = data else {
        return Judgement::right();
    };
    let all = plain(reply);
    if all.is_empty() {
        return missing(record, "caa.missing");
    }
    let issuer = |value: &str| {
        value
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_owned()
    };
    let same: Vec<String> = all
        .iter()
        .filter_map(|text| {
            let mut parts = text.splitn(3, ' ');
            let there = parts.nth(1)?;
            let value = parts.next()?;
            there
                .eq_ignore_ascii_case(tag)
                .then(|| value.trim_matches('"').to_owned())
        })
        .collect();
    if all.contains(&data.presentation().as_str()) {
        return Judgement::right();
    }
    // Other rules for certificates with a wildcard keep nobody from issuing ours.
    if tag != "issue" && !same.is_empty() || same.iter().any(|there| issuer(there) == issuer(value))
    {
        return Judgement {
            state: State::Accepted,
            findings: Vec::new(),
            rests: false,
        };
    }
    if same.is_empty() {
        return missing(record, "caa.missing");
    }
    Judgement::of(
        State::Wrong,
        Finding::error(
            "caa.allows",
            &record.fqdn,
            format!(
                "does not allow {} to issue certificates, which this server gets its own from",
                issuer(value)
            ),
        )
        .value(all.join(", "))
        .hint(format!("keep what is there, and add, {}", form(record))),
    )
}

/// Whether the CAA records in `all` let `issuer` issue, for names without a wildcard, by a file on port 80 (RFC 8659 §4, RFC 8657 §4).
pub(super) fn may_issue(all: &[&str], issuer: &str, http: bool) -> bool {
    let mut restricted = false;
    let mut allowed = false;
    for text in all {
        let mut parts = text.splitn(3, ' ');
        let flags: u8 = parts
            .next()
            .and_then(|flags| flags.parse().ok())
            .unwrap_or_default();
        let tag = parts.next().unwrap_or_default().to_ascii_lowercase();
        let value = parts.next().unwrap_or_default().trim_matches('"');
        match tag.as_str() {
            "issue" => {
                restricted = true;
                let mut parts = value.split(';').map(str::trim);
                let same = parts
                    .next()
                    .is_some_and(|name| name.eq_ignore_ascii_case(issuer));
                let methods = parts
                    .filter_map(|part| part.split_once('='))
                    .filter(|(name, _)| name.trim().eq_ignore_ascii_case("validationmethods"));
                let fits = methods.into_iter().all(|(_, list)| {
                    !http
                        || list
                            .split(',')
                            .any(|one| one.trim().eq_ignore_ascii_case("http-01"))
                });
                allowed |= same && fits;
            }
            "issuewild" | "iodef" | "issuemail" | "issuevmc" | "contactemail" | "contactphone" => {}
            // An authority that does not know a critical property must not issue.
            _ if flags & 128 != 0 => return false,
            _ => {}
        }
    }
    !restricted || allowed
}

/// Records that are one of several, of which ours has to be there as it is.
pub(super) fn exact(record: &Record, data: &Data, reply: &Reply) -> Judgement {
    let all = plain(reply);
    let wanted = data.presentation().to_ascii_lowercase();
    if all.iter().any(|one| one.to_ascii_lowercase() == wanted) {
        if let Data::Srv { .. } = data
            && all.len() > 1
        {
            return Judgement::of(
                State::Accepted,
                Finding::warning(
                    "srv.others",
                    &record.fqdn,
                    "names other servers beside this one",
                )
                .value(all.join(", "))
                .hint("remove what belongs to an earlier provider"),
            );
        }
        return Judgement::right();
    }
    let (absent, other) = match data {
        Data::Srv { .. } => ("srv.missing", "srv.elsewhere"),
        _ => ("tlsa.missing", "tlsa.stale"),
    };
    if all.is_empty() {
        // Nothing there says the same as a record that says that there is nothing.
        if matches!(data, Data::Srv { target, .. } if target == ".") {
            return Judgement {
                state: State::Accepted,
                findings: Vec::new(),
                rests: false,
            };
        }
        return missing(record, absent);
    }
    if let Data::Srv { port, target, .. } = data {
        let same = format!("{port} {}", absolute(target));
        let reaches = |one: &&&str| {
            let parts: Vec<&str> = one.split_whitespace().skip(2).collect();
            parts.join(" ").eq_ignore_ascii_case(&same)
        };
        if all.iter().find(reaches).is_some() && all.len() == 1 {
            return Judgement {
                state: State::Accepted,
                findings: Vec::new(),
                rests: false,
            };
        }
    }
    let mut found = finding(record, other, "says something else than it should");
    if record.level == Level::Optional {
        found = Finding::warning(other, &record.fqdn, "says something else than it should");
    }
    Judgement::of(
        State::Wrong,
        found.value(all.join(", ")).hint(replace(record)),
    )
}
