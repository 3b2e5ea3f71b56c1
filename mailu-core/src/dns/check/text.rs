//! TXT records: SPF (RFC 7208), DKIM keys (RFC 6376), DMARC (RFC 9989), and others that are one text.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::sender::{self, Look, Outcome, Tree};
use super::{Judgement, Reply, Seen, State, add, finding, form, policy, replace};
use crate::dns::record::Record;
use crate::dns::spf;
use crate::finding::Finding;

/// The texts: strings of one record belong together without a space (RFC 7208 §3.3).
fn texts(reply: &Reply) -> Vec<String> {
    reply
        .records()
        .iter()
        .filter_map(|one| match one {
            Seen::Text(strings) => Some(String::from_utf8_lossy(&strings.concat()).into_owned()),
            Seen::Plain(_) => None,
        })
        .collect()
}

/// The strings of each text.
fn strings(reply: &Reply) -> Vec<Vec<String>> {
    reply
        .records()
        .iter()
        .filter_map(|one| match one {
            Seen::Text(strings) => Some(
                strings
                    .iter()
                    .map(|string| String::from_utf8_lossy(string).into_owned())
                    .collect(),
            ),
            Seen::Plain(_) => None,
        })
        .collect()
}

fn wrong(record: &Record, id: &str, message: impl Into<String>, seen: &str) -> Judgement {
    Judgement::of(
        State::Wrong,
        finding(record, id, message)
            .value(seen)
            .hint(replace(record)),
    )
}

fn accepted(findings: Vec<Finding>) -> Judgement {
    Judgement {
        state: State::Accepted,
        findings,
        rests: false,
    }
}

/// What a text was damaged by on its way into DNS, if that can be told.
fn damage(text: &str) -> Option<&'static str> {
    [
        (
            "\"",
            "quotation marks are part of the value: type it without them",
        ),
        (
            "“",
            "typographic quotation marks are part of the value: type it without them",
        ),
        ("\\;", "`\\;` is part of the value: type a plain `;`"),
        (
            "&quot;",
            "it was copied as HTML: `&quot;` is part of the value",
        ),
        (
            "&amp;",
            "it was copied as HTML: `&amp;` is part of the value",
        ),
        (
            "&#",
            "it was copied as HTML: a character reference is part of the value",
        ),
        (
            "…",
            "it was shortened with `…` by whatever it was copied from",
        ),
        (
            "...",
            "it was shortened with `...` by whatever it was copied from",
        ),
        ("-----BEGIN", "a key file was pasted, with its first line"),
    ]
    .into_iter()
    .find(|(sign, _)| text.contains(sign))
    .map(|(_, what)| what)
}

/// Whether `text` is an SPF record (RFC 7208 §4.5).
pub(super) fn is_spf(text: &str) -> bool {
    let version = text.split(' ').next().unwrap_or_default();
    version.eq_ignore_ascii_case("v=spf1")
}

/// A term without its qualifier, and that.
fn term(text: &str) -> (char, String) {
    match text.chars().next() {
        Some(sign @ ('+' | '-' | '~' | '?')) => {
            (sign, text.get(1..).unwrap_or_default().to_ascii_lowercase())
        }
        _ => ('+', text.to_ascii_lowercase()),
    }
}

/// One record that says what `there` say, and what we need.
fn merged(wanted: &str, there: &[&str]) -> String {
    let first = there.first().copied().unwrap_or(wanted);
    let all = there.iter().skip(1).copied().chain([wanted]);
    all.fold(first.to_owned(), |one, other| spf::merge(&one, other).text)
}

/// Judges an SPF record; `look` evaluates one as receivers do.
pub(super) fn sender_policy(
    record: &Record,
    wanted: &str,
    reply: &Reply,
    look: &dyn Fn(&str) -> Look,
) -> Judgement {
    let all = texts(reply);
    let ours: Vec<&String> = all.iter().filter(|text| is_spf(text)).collect();
    let there = match ours.as_slice() {
        [one] => one.as_str(),
        [] => return no_spf(record, reply, &all),
        several => {
            let seen: Vec<&str> = several.iter().map(|text| text.as_str()).collect();
            return Judgement::of(
                State::Wrong,
                finding(
                    record,
                    "spf.one",
                    format!(
                        "has {} SPF records, so that receivers take none of them (RFC 7208 §4.5)",
                        several.len()
                    ),
                )
                .value(seen.join(" | "))
                .hint(format!("make one of them: `{}`", merged(wanted, &seen))),
            );
        }
    };
    if let Some(what) = damage(there) {
        return wrong(record, "spf.syntax", format!("is damaged: {what}"), there);
    }
    let nobody = wanted.split_whitespace().skip(1).eq(["-all"]);
    let terms: Vec<(char, String)> = there.split_whitespace().skip(1).map(term).collect();
    if nobody {
        if terms == [('-', "all".to_owned())] {
            return Judgement::right();
        }
        return wrong(
            record,
            "spf.all",
            "sends no mail, and lets others send in its name",
            there,
        );
    }
    let merged_text = merged(wanted, &[there]);
    if let Some(broken) = spf::merge(there, wanted)
        .findings
        .into_iter()
        .find(|one| one.id == "spf.syntax")
    {
        let term = broken.value.unwrap_or_default();
        return Judgement::of(
            State::Wrong,
            finding(
                record,
                "spf.syntax",
                format!("{}: `{term}`", broken.message),
            )
            .value(there)
            .hint(format!("correct or remove it; {}", broken.hints.join("; ")))
            .hint(replace(record)),
        );
    }
    let all_at = terms.iter().position(|(_, body)| body == "all");
    let policy = all_at.and_then(|at| terms.get(at)).map(|(sign, _)| *sign);
    if policy == Some('+') {
        return wrong(
            record,
            "spf.all",
            "allows everybody to send in its name (`+all`)",
            there,
        );
    }
    let seen = look(there);
    if let Some(found) = costs(record, there, &seen.tree) {
        return Judgement::of(State::Wrong, found);
    }
    let counted = terms.iter().take(all_at.unwrap_or(terms.len()));
    let counted: Vec<&(char, String)> = counted.collect();
    let lost: Vec<&str> = wanted
        .split_whitespace()
        .skip(1)
        .filter(|word| {
            let (_, body) = term(word);
            body != "all" && !counted.contains(&&('+', body))
        })
        .collect();
    let refused = seen
        .results
        .iter()
        .find(|(_, outcome)| !matches!(outcome, Outcome::Pass | Outcome::Temporary));
    let unknown = seen.results.is_empty()
        || seen
            .results
            .iter()
            .any(|(_, outcome)| *outcome == Outcome::Temporary);
    if let Some((address, outcome)) = refused {
        let why = if lost.is_empty() {
            "although its terms look right".to_owned()
        } else {
            format!("it lacks `{}`", lost.join(" "))
        };
        let found = finding(
            record,
            "spf.pass",
            format!(
                "does not allow this server to send: for {address} receivers come to `{}`, {why}",
                outcome.as_str()
            ),
        )
        .value(there);
        let found = if !lost.is_empty() {
            found.hint(format!(
                "keep what is there, as one record: `{merged_text}`"
            ))
        } else if counted
            .iter()
            .any(|(sign, body)| *sign != '+' && body != "all")
        {
            found.hint(format!(
                "remove the terms that begin with `-`, `~` or `?` and match {address}; else {}",
                replace(record)
            ))
        } else {
            found.hint(format!(
                "add `{}` to it, or have the addresses of MX and mail host be those that mail leaves from",
                mechanism(*address)
            ))
        };
        return Judgement::of(State::Wrong, found).resting_on_others(lost.is_empty());
    }
    if unknown && !lost.is_empty() {
        // What it includes may let this server send; nobody could say.
        if !seen.results.is_empty() || seen.tree.uncertain {
            return Judgement::unknown();
        }
        return Judgement::of(
            State::Wrong,
            finding(
                record,
                "spf.pass",
                format!(
                    "does not allow this server to send: it lacks `{}`",
                    lost.join(" ")
                ),
            )
            .value(there)
            .hint(format!(
                "keep what is there, as one record: `{merged_text}`"
            )),
        );
    }
    let redirected = terms.iter().any(|(_, body)| body.starts_with("redirect="));
    let mut findings = Vec::new();
    if matches!(policy, Some('?')) || policy.is_none() && !redirected {
        findings.push(
            Finding::warning(
                "spf.all",
                &record.fqdn,
                "does not say what is to become of mail from elsewhere",
            )
            .value(there)
            .hint("let it end with `-all`, or `~all` while you find out who sends"),
        );
    } else if all_at.is_some_and(|at| at + 1 < terms.len()) {
        findings.push(
            Finding::warning(
                "spf.all",
                &record.fqdn,
                "has terms after `all`, which nobody looks at",
            )
            .value(there)
            .hint("put `all` last"),
        );
    }
    if terms
        .iter()
        .any(|(_, body)| body == "ptr" || body.starts_with("ptr:"))
    {
        findings.push(
            Finding::warning(
                "spf.ptr",
                &record.fqdn,
                "has `ptr`, which is slow and not to be used (RFC 7208 §5.5)",
            )
            .value(there)
            .hint("take it out; name the addresses with `ip4:` and `ip6:`"),
        );
    }
    if there == wanted && findings.is_empty() {
        return Judgement::right();
    }
    accepted(findings)
}

fn mechanism(address: IpAddr) -> String {
    let kind = if address.is_ipv4() { "ip4" } else { "ip6" };
    format!("{kind}:{address}")
}

/// What keeps receivers from coming to an end with a record, whoever sends.
fn costs(record: &Record, there: &str, tree: &Tree) -> Option<Finding> {
    if let Some(circle) = &tree.circle {
        let last = circle.last().map_or("", String::as_str);
        return Some(
            finding(
                record,
                "spf.loop",
                format!(
                    "leads back to itself ({}), so that receivers give up (RFC 7208 §4.6.4)",
                    circle.join(" → ")
                ),
            )
            .value(there)
            .hint(format!(
                "take the `include:` or `redirect=` out that names {last} again"
            )),
        );
    }
    if tree.lookups > spf::LOOKUPS {
        return Some(
            finding(record, "spf.lookups", format!("makes receivers ask DNS {} times, with all that it includes; after {} they give up (RFC 7208 §4.6.4)", tree.lookups, spf::LOOKUPS))
                .value(there)
                .hint("remove includes of services that no longer send, or replace `a` and `mx` terms by `ip4:` and `ip6:`"),
        );
    }
    if let Some((name, why)) = &tree.dead {
        return Some(
            finding(record, "spf.includes-dead", format!("includes {name}, which {why}: receivers then take no word of it (RFC 7208 §5.2)"))
                .value(there)
                .hint(format!("take out the term that names {name}, if that service no longer sends; else write the name that its documentation says")),
        );
    }
    if let Some((name, count)) = &tree.exchanges {
        return Some(
            finding(record, "spf.mx10", format!("has an `mx` for {name}, which has {count} mail servers; after {} receivers give up (RFC 7208 §4.6.4)", sender::EXCHANGES))
                .value(there)
                .hint("replace the `mx` term by `ip4:` and `ip6:` with the addresses that send"),
        );
    }
    if tree.voids.len() > sender::VOIDS {
        return Some(
            finding(record, "spf.voids", format!("makes receivers ask for {} names that have no addresses; after {} they give up (RFC 7208 §4.6.4)", tree.voids.len(), sender::VOIDS))
                .value(tree.voids.join(", "))
                .hint("take out the terms with these names"),
        );
    }
    None
}

fn no_spf(record: &Record, reply: &Reply, all: &[String]) -> Judgement {
    // Unquoted in a zone file, each word becomes a string, and the strings are put together without spaces.
    let glued = strings(reply)
        .iter()
        .find(|strings| {
            strings.len() > 1
                && strings
                    .first()
                    .is_some_and(|first| first.eq_ignore_ascii_case("v=spf1"))
        })
        .map(|strings| strings.concat());
    if let Some(text) = glued {
        return wrong(
            record,
            "spf.syntax",
            "has lost its spaces: without quotation marks around all of it, a zone file makes several strings of a text, and they are put together as they are",
            &text,
        );
    }
    if let Some(text) = all
        .iter()
        .find(|text| text.to_ascii_lowercase().contains("v=spf1"))
    {
        let why = damage(text)
            .unwrap_or("nothing may stand before `v=spf1`, and a space has to stand behind it");
        return wrong(
            record,
            "spf.syntax",
            format!("has an SPF record that is none: {why}"),
            text,
        );
    }
    Judgement::of(
        State::Missing,
        finding(record, "spf.one", "has no SPF record").hint(add(record)),
    )
}

/// The tags of a list such as `v=DKIM1; k=rsa; p=…` (RFC 6376 §3.2), names in lower case.
fn tags(text: &str) -> Vec<(String, String)> {
    text.split(';')
        .filter_map(|part| {
            let (name, value) = part.split_once('=')?;
            Some((name.trim().to_ascii_lowercase(), value.trim().to_owned()))
        })
        .collect()
}

fn tag<'a>(tags: &'a [(String, String)], name: &str) -> Option<&'a str> {
    tags.iter()
        .find(|(there, _)| there == name)
        .map(|(_, value)| value.as_str())
}

/// A key's base64 without the white space that may stand in it.
fn key(text: &str) -> String {
    let value = tag(&tags(text), "p").unwrap_or_default().to_owned();
    value.chars().filter(|c| !c.is_whitespace()).collect()
}

pub(super) fn dkim(record: &Record, wanted: &str, reply: &Reply) -> Judgement {
    let all = texts(reply);
    let there = match all.as_slice() {
        [one] => one,
        [] => {
            return Judgement::of(
                State::Missing,
                finding(
                    record,
                    "dkim.present",
                    "has no key: what this server signs cannot be verified",
                )
                .hint(add(record)),
            );
        }
        several => {
            let halves = several.concat();
            let mut turned: Vec<&str> = several.iter().map(String::as_str).collect();
            turned.reverse();
            let parts = key(&halves) == key(wanted) || key(&turned.concat()) == key(wanted);
            if !parts && several.iter().any(|text| key(text) == key(wanted)) {
                return Judgement::of(
                    State::Wrong,
                    finding(
                        record,
                        "dkim.several",
                        "has several records, of which verifiers may take any (RFC 6376 §3.6.2.2)",
                    )
                    .value(several.join(" | "))
                    .hint(format!("remove all but this one: {}", form(record))),
                );
            }
            let message = if parts {
                "has its key in two records instead of one with two strings"
            } else {
                "has several records, and none of them is this server's key"
            };
            return wrong(record, "dkim.split", message, &several.join(" | "));
        }
    };
    let (found, expected) = (key(there), key(wanted));
    let list = tags(there);
    if let Some(what) = damage(there) {
        return wrong(
            record,
            "dkim.mangled",
            format!("has a damaged key: {what}"),
            there,
        );
    }
    if found == expected {
        let mut judgement = tags_of_key(record, &list, there);
        let spaced = tag(&list, "p").is_some_and(|p| p.contains(char::is_whitespace));
        if spaced && judgement.state.serves() {
            judgement.state = State::Accepted;
            judgement.findings.push(
                Finding::warning("dkim.mangled", &record.fqdn, "has spaces inside the key; RFC 6376 allows them, and not every verifier and DNS provider does")
                    .value(there)
                    .hint(replace(record)),
            );
        }
        return judgement;
    }
    if found.is_empty() {
        return if tag(&list, "p").is_some() {
            wrong(
                record,
                "dkim.revoked",
                "says that the key is revoked (an empty `p=`), while this server signs with it",
                there,
            )
        } else {
            wrong(
                record,
                "dkim.mangled",
                "has no `p=`, so that there is no key in it",
                there,
            )
        };
    }
    let (have, all) = (found.len(), expected.len());
    if expected.starts_with(&found) {
        return wrong(
            record,
            "dkim.mangled",
            format!(
                "has a key that is cut off after {have} of {all} characters; the form may take 255 at a time, as several strings of one record"
            ),
            there,
        );
    }
    if expected.ends_with(&found) {
        return wrong(
            record,
            "dkim.mangled",
            format!("has only the last {have} of {all} characters of the key"),
            there,
        );
    }
    if let [one] = strings(reply).as_slice() {
        let turned: String = one.iter().rev().map(String::as_str).collect();
        if key(&turned) == expected {
            return wrong(
                record,
                "dkim.mangled",
                "has the strings of its text in the wrong order",
                there,
            );
        }
        let mut once = one.clone();
        once.dedup();
        if key(&once.concat()) == expected {
            return wrong(
                record,
                "dkim.mangled",
                "has a string of its text twice",
                there,
            );
        }
    }
    if have == all && found.eq_ignore_ascii_case(&expected) {
        return wrong(
            record,
            "dkim.mangled",
            "has lost the difference between capital and small letters",
            there,
        );
    }
    if STANDARD.decode(&found).is_err() {
        return wrong(
            record,
            "dkim.mangled",
            "has a key that is no base64, so that nobody can read it",
            there,
        );
    }
    wrong(
        record,
        "dkim.match",
        "has another key than the one that this server signs with",
        there,
    )
}

/// Tags of a key that is the right one (RFC 6376 §3.6.1).
fn tags_of_key(record: &Record, list: &[(String, String)], there: &str) -> Judgement {
    let version = tag(list, "v");
    if version.is_some_and(|version| version != "DKIM1")
        || version.is_some() && list.first().is_none_or(|(name, _)| name != "v")
    {
        return wrong(record, "dkim.tags", "has to begin with `v=DKIM1`", there);
    }
    if tag(list, "k").is_some_and(|kind| !kind.eq_ignore_ascii_case("rsa")) {
        return wrong(
            record,
            "dkim.tags",
            "says another kind of key in `k=` than it has",
            there,
        );
    }
    let lists = |name: &str, needed: &[&str]| {
        tag(list, name).is_none_or(|value| {
            value.split(':').any(|one| {
                needed
                    .iter()
                    .any(|need| one.trim().eq_ignore_ascii_case(need))
            })
        })
    };
    if !lists("h", &["sha256"]) {
        return wrong(
            record,
            "dkim.tags",
            "does not allow SHA-256 in `h=`, which this server signs with",
            there,
        );
    }
    if !lists("s", &["*", "email"]) {
        return wrong(
            record,
            "dkim.tags",
            "says in `s=` that the key is not for mail",
            there,
        );
    }
    let testing =
        tag(list, "t").is_some_and(|flags| flags.split(':').any(|flag| flag.trim() == "y"));
    if testing {
        return accepted(vec![
            Finding::warning(
                "dkim.testing",
                &record.fqdn,
                "says that the key is only tested (`t=y`): receivers may ignore what it signs",
            )
            .hint("take `t=y` out once mail arrives"),
        ]);
    }
    Judgement::right()
}

/// Whether there is a DMARC record at a place where nobody looks for it.
pub(super) fn has_dmarc(reply: &Reply) -> bool {
    texts(reply).iter().any(|text| {
        text.trim_start()
            .get(..8)
            .is_some_and(|start| start.eq_ignore_ascii_case("v=DMARC1"))
    })
}

/// How strict a policy is.
fn strictness(policy: &str) -> Option<u8> {
    match policy.to_ascii_lowercase().as_str() {
        "none" => Some(0),
        "quarantine" => Some(1),
        "reject" => Some(2),
        _ => None,
    }
}

pub(super) fn dmarc(
    record: &Record,
    wanted: &str,
    reply: &Reply,
    elsewhere: Option<String>,
) -> Judgement {
    let all = texts(reply);
    let right: Vec<&String> = all
        .iter()
        .filter(|text| {
            let version = text.split(';').next().unwrap_or_default().trim_end();
            version.split_once('=').is_some_and(|(name, value)| {
                name.trim_end() == "v" && value.trim_start() == "DMARC1"
            })
        })
        .collect();
    let there = match right.as_slice() {
        [one] => one.as_str(),
        [] => {
            if let Some(text) = all
                .iter()
                .find(|text| text.to_ascii_lowercase().contains("dmarc1"))
            {
                let why = damage(text)
                    .unwrap_or("it has to begin with `v=DMARC1`, in just these letters");
                return wrong(
                    record,
                    "dmarc.syntax",
                    format!("has a DMARC record that is none: {why}"),
                    text,
                );
            }
            if let Some(place) = elsewhere {
                return Judgement::of(
                    State::Wrong,
                    finding(record, "dmarc.name", format!("has no DMARC record; there is one at {place}, where nobody looks for it"))
                        .hint(format!("remove that one, and add, {}", form(record))),
                );
            }
            return Judgement::of(
                State::Missing,
                finding(record, "dmarc.one", "has no DMARC record").hint(add(record)),
            );
        }
        several => {
            let seen: Vec<&str> = several.iter().map(|text| text.as_str()).collect();
            return wrong(
                record,
                "dmarc.one",
                format!(
                    "has {} DMARC records, so that receivers take none of them (RFC 9989)",
                    several.len()
                ),
                &seen.join(" | "),
            );
        }
    };
    if there == wanted {
        return Judgement::right();
    }
    let (list, ours) = (tags(there), tags(wanted));
    if let Some(what) = damage(there) {
        return wrong(record, "dmarc.syntax", format!("is damaged: {what}"), there);
    }
    if let Some(what) = dmarc_broken(there, &list) {
        return wrong(record, "dmarc.syntax", what, there);
    }
    accepted(dmarc_weaker(record, there, &list, &ours))
}

/// The rule of RFC 9989 §4.7 that a record breaks.
fn dmarc_broken(there: &str, list: &[(String, String)]) -> Option<String> {
    if let Some(part) = there
        .split(';')
        .map(str::trim)
        .find(|part| !part.is_empty() && !part.contains('='))
    {
        return Some(format!(
            "has `{part}`, where a tag and its value have to stand"
        ));
    }
    for (at, (name, value)) in list.iter().enumerate() {
        if list.iter().take(at).any(|(other, _)| other == name) {
            return Some(format!("has the tag `{name}` twice"));
        }
        let known: &[&str] = match name.as_str() {
            "p" | "sp" | "np" => &["none", "quarantine", "reject"],
            "adkim" | "aspf" => &["r", "s"],
            "t" => &["y", "n"],
            "psd" => &["y", "n", "u"],
            "rua" | "ruf" => {
                let uris = value.split(',').map(str::trim);
                if let Some(bad) = uris.into_iter().find(|uri| !is_uri(uri)) {
                    return Some(format!(
                        "has `{bad}` in `{name}=`, where addresses stand as `mailto:reports@example.com`, with commas between"
                    ));
                }
                continue;
            }
            "fo" => {
                if value
                    .split(':')
                    .all(|one| matches!(one.trim(), "0" | "1" | "d" | "s"))
                {
                    continue;
                }
                &["0", "1", "d", "s"]
            }
            _ => {
                // A comma or a space in place of the semicolon makes one tag of two.
                continue;
            }
        };
        if !known.iter().any(|one| one.eq_ignore_ascii_case(value)) {
            return Some(format!(
                "has `{name}={value}`, where only {} have a meaning",
                known.join(", ")
            ));
        }
    }
    None
}

fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else {
        return false;
    };
    let scheme = scheme.to_ascii_lowercase();
    match scheme.as_str() {
        "mailto" => mail_domain(text).is_some_and(|domain| domain.contains('.')),
        _ => !scheme.is_empty() && !rest.is_empty() && !rest.contains(char::is_whitespace),
    }
}

/// The domain of a `mailto:` address, without the size that RFC 7489 allowed behind a `!`.
fn mail_domain(uri: &str) -> Option<&str> {
    let head = uri.get(..7)?;
    let address = head
        .eq_ignore_ascii_case("mailto:")
        .then(|| uri.get(7..))??;
    let address = address.split(['?', '!']).next()?;
    let (local, domain) = address.rsplit_once('@')?;
    let fits = !local.is_empty()
        && !domain.is_empty()
        && !address.contains(char::is_whitespace)
        && !local.contains('@');
    fits.then_some(domain)
}

/// The domains that a DMARC record has reports sent to.
pub(super) fn report_domains(reply: &Reply) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for text in texts(reply) {
        if !text.trim_start().starts_with("v=DMARC1") {
            continue;
        }
        let list = tags(&text);
        for uri in ["rua", "ruf"]
            .iter()
            .filter_map(|name| tag(&list, name))
            .flat_map(|value| value.split(','))
        {
            if let Some(domain) = mail_domain(uri.trim()) {
                let domain = domain.to_ascii_lowercase();
                if !all.contains(&domain) {
                    all.push(domain);
                }
            }
        }
    }
    all
}

/// Where a record that is one does less than it could.
fn dmarc_weaker(
    record: &Record,
    there: &str,
    list: &[(String, String)],
    ours: &[(String, String)],
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let level = |list: &[(String, String)], name: &str| tag(list, name).and_then(strictness);
    for name in ["p", "sp"] {
        let (Some(value), Some(there)) = (tag(list, name), level(list, name)) else {
            continue;
        };
        // A laxer `sp` than `p` gets a warning below.
        let said = name == "sp" && level(list, "p").is_some_and(|p| there < p);
        if !said && there < level(ours, name).unwrap_or_default() {
            let what = if there == 0 {
                "lets mail through that only pretends to be from it"
            } else {
                "is less strict than configured"
            };
            findings.push(
                Finding::notice(
                    "dmarc.policy",
                    &record.fqdn,
                    format!("`{name}={value}` {what}"),
                )
                .hint(format!(
                    "once reports show that nothing is lost: {}",
                    replace(record)
                )),
            );
        }
    }
    let main = level(list, "p");
    if main.is_none() {
        findings.push(
            Finding::warning(
                "dmarc.policy",
                &record.fqdn,
                "has no `p=`, which counts as `p=none` (RFC 9989)",
            )
            .value(there)
            .hint(replace(record)),
        );
    }
    if let (Some(main), Some(below)) = (main, level(list, "sp"))
        && below < main
    {
        findings.push(
            Finding::warning(
                "dmarc.policy",
                &record.fqdn,
                "is laxer for names below it (`sp=`) than for itself: whoever forges takes one of those",
            )
            .value(there)
            .hint(format!("take `sp=` out, or {}", replace(record))),
        );
    }
    if let (Some(main), Some(value)) = (level(list, "sp").or(main), level(list, "np"))
        && value < main
    {
        findings.push(
            Finding::notice(
                "dmarc.policy",
                &record.fqdn,
                "is laxer for names that do not exist (`np=`) than for others",
            )
            .hint("take `np=` out"),
        );
    }
    if tag(list, "t").is_some_and(|value| value.eq_ignore_ascii_case("y")) {
        findings.push(
            Finding::notice(
                "dmarc.policy",
                &record.fqdn,
                "says that its policy is only tested (`t=y`): receivers apply the next laxer one",
            )
            .hint("take `t=y` out once reports show that nothing is lost"),
        );
    }
    for (name, _) in list
        .iter()
        .filter(|(name, _)| matches!(name.as_str(), "pct" | "rf" | "ri"))
    {
        findings.push(
            Finding::notice(
                "dmarc.removed",
                &record.fqdn,
                format!(
                    "has `{name}=`, which RFC 9989 has taken away; nobody looks at it any more"
                ),
            )
            .hint("take it out"),
        );
    }
    findings
}

/// A text of which only one counts, told by how it begins; beside others where the name has them.
pub(super) fn other(record: &Record, wanted: &str, reply: &Reply) -> Judgement {
    let all = texts(reply);
    let family = wanted.split([';', ' ']).next().unwrap_or(wanted);
    let id = match family {
        "v=STSv1" => "sts.txt",
        "v=TLSRPTv1" => "tlsrpt.one",
        "v=DMARC1" => "dmarc.ext",
        "v=BIMI1" => "bimi.txt",
        _ => "txt.missing",
    };
    let spaced = |text: &str| -> String {
        text.chars()
            .filter(|c| !c.is_whitespace())
            .collect::<String>()
            .trim_end_matches(';')
            .to_owned()
    };
    let same: Vec<&String> = all
        .iter()
        .filter(|text| text.trim_start().starts_with(family))
        .collect();
    let error = |message: String, seen: &str| {
        Judgement::of(
            State::Wrong,
            Finding::error(id, &record.fqdn, message)
                .value(seen)
                .hint(replace(record)),
        )
    };
    // A text that nobody can read is as good as none, while its owner relies on it.
    let strict = matches!(family, "v=STSv1" | "v=TLSRPTv1");
    match same.as_slice() {
        [one] if **one == wanted => Judgement::right(),
        [one] if spaced(one) == spaced(wanted) => accepted(Vec::new()),
        [one] if family == "v=TLSRPTv1" => {
            let list = tags(one);
            let uris = tag(&list, "rua").unwrap_or_default();
            let fits = |uri: &str| {
                is_uri(uri)
                    && ["mailto:", "https:"].iter().any(|scheme| {
                        uri.get(..scheme.len())
                            .is_some_and(|head| head.eq_ignore_ascii_case(scheme))
                    })
            };
            match uris.split(',').map(str::trim).find(|uri| !fits(uri)) {
                None => accepted(Vec::new()),
                Some("") => error("names nobody to report to (`rua=`)".to_owned(), one),
                Some(bad) => error(
                    format!(
                        "has `{bad}` in `rua=`, where `mailto:` or `https:` has to stand (RFC 8460 §3)"
                    ),
                    one,
                ),
            }
        }
        [one] if family == "v=STSv1" => {
            let list = tags(one);
            match tag(&list, "id") {
                None => error("has no `id=` (RFC 8461 §3.1)".to_owned(), one),
                Some(id) if !policy::is_id(id) => error(
                    format!(
                        "has the id `{id}`, where up to 32 letters and digits have to stand (RFC 8461 §3.1)"
                    ),
                    one,
                ),
                Some(_) => wrong(
                    record,
                    id,
                    "has another id than that of the configured policy: senders that have fetched an earlier policy do not fetch this one",
                    one,
                ),
            }
        }
        [one] => wrong(record, id, "says something else than it should", one),
        [] => {
            if let Some(text) = all.iter().find(|text| {
                text.to_ascii_lowercase()
                    .contains(&family.to_ascii_lowercase())
            }) {
                let why = damage(text).unwrap_or("the beginning is not as it has to be");
                let message = format!("is damaged: {why}");
                return if strict {
                    error(message, text)
                } else {
                    wrong(record, id, message, text)
                };
            }
            Judgement::of(
                State::Missing,
                finding(record, id, "has no such text").hint(add(record)),
            )
        }
        several => {
            let seen: Vec<&str> = several.iter().map(|text| text.as_str()).collect();
            let message = format!(
                "has {} such texts, of which only one may be there",
                several.len()
            );
            if strict {
                error(message, &seen.join(" | "))
            } else {
                wrong(record, id, message, &seen.join(" | "))
            }
        }
    }
}

/// The id of the MTA-STS record, if there is exactly one.
pub(super) fn sts_id(reply: &Reply) -> Option<String> {
    let all = texts(reply);
    let mut same = all.iter().filter(|text| text.starts_with("v=STSv1"));
    let one = same.next().filter(|_| same.next().is_none())?;
    tag(&tags(one), "id").map(str::to_owned)
}
