//! Records that hold names and numbers.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::{Judgement, Reply, Seen, State, add, finding, form, replace};
use crate::dns::record::{Data, Level, Record};
use crate::finding::Finding;

/// The records in presentation form.
fn plain(reply: &Reply) -> Vec<&str> {
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
fn exchange(text: &str) -> &str {
    text.split_whitespace().nth(1).unwrap_or_default()
}

/// RFC 5321 §5.1, RFC 7505.
pub(super) fn mx(record: &Record, host: &str, reply: &Reply) -> Judgement {
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
    let ours = absolute(host);
    if all.contains(&ours.as_str()) {
        let others: Vec<&str> = all.iter().copied().filter(|name| *name != ours).collect();
        if others.is_empty() {
            return Judgement::right();
        }
        return Judgement::of(
            State::Accepted,
            Finding::warning("mx.others", &record.fqdn, "has other mail servers beside this one: part of the mail goes there")
                .value(others.join(", "))
                .hint("remove them, unless they are backup servers of your own that hand everything over to this one"),
        );
    }
    let wrong = |id: &str, message: String| {
        Judgement::of(
            State::Wrong,
            finding(record, id, message)
                .value(all.join(", "))
                .hint(replace(record)),
        )
    };
    if all == ["."] {
        return wrong(
            "mx.null",
            "says that it takes no mail (a null MX, RFC 7505)".to_owned(),
        );
    }
    if let Some(address) = all
        .iter()
        .find(|name| name.trim_end_matches('.').parse::<IpAddr>().is_ok())
    {
        return wrong(
            "mx.ip",
            format!(
                "names the address {address} as its mail server, where a host name has to stand (RFC 1035 §3.3.9)"
            ),
        );
    }
    let twice = absolute(&format!("{host}.{}", record.zone));
    if all.contains(&twice.as_str()) {
        return wrong(
            "mx.dot",
            format!(
                "names the mail server {twice}: the zone was added to a name that had no final dot"
            ),
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
            finding(record, id, "leads to another host than this one; if that is a proxy such as Cloudflare's, mail does not pass through it")
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

/// What the owner of the address says it is called (RFC 1912 §2.1).
pub(super) fn reverse(record: &Record, host: &str, reply: &Reply) -> Judgement {
    let all = plain(reply);
    let fix = format!(
        "where the server's addresses come from (the hoster's panel, not your DNS provider): set the reverse name of it to `{host}`"
    );
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
    if !all.contains(&absolute(host).as_str()) {
        return Judgement::of(
            State::Wrong,
            finding(
                record,
                "ptr.helo",
                "has another reverse name than the one that the server greets with",
            )
            .value(all.join(", "))
            .hint(fix),
        );
    }
    if all.len() > 1 {
        return Judgement::of(
            State::Accepted,
            Finding::warning(
                "ptr.multiple",
                &record.fqdn,
                "has several reverse names; filters distrust that",
            )
            .value(all.join(", "))
            .hint(fix),
        );
    }
    Judgement::right()
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
