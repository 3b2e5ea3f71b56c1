//! TXT records: SPF (RFC 7208), DKIM keys (RFC 6376), DMARC (RFC 9989), and others that are one text.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Judgement, Reply, Seen, State, add, finding, form, replace};
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
fn is_spf(text: &str) -> bool {
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

/// So many terms may ask DNS (RFC 7208 §4.6.4).
const MOST_LOOKUPS: usize = 10;

/// One record that says what `there` say, and what we need.
fn merged(wanted: &str, there: &[&str]) -> String {
    let first = there.first().copied().unwrap_or(wanted);
    let all = there.iter().skip(1).copied().chain([wanted]);
    all.fold(first.to_owned(), |one, other| spf::merge(&one, other).text)
}

pub(super) fn sender_policy(record: &Record, wanted: &str, reply: &Reply) -> Judgement {
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
    if there == wanted {
        return Judgement::right();
    }
    if let Some(what) = damage(there) {
        return wrong(record, "spf.syntax", format!("is damaged: {what}"), there);
    }
    let terms: Vec<(char, String)> = there.split_whitespace().skip(1).map(term).collect();
    let mut lost: Vec<&str> = Vec::new();
    for word in wanted.split_whitespace().skip(1) {
        let (_, body) = term(word);
        if body != "all" && !terms.contains(&('+', body)) {
            lost.push(word);
        }
    }
    let nobody = wanted.split_whitespace().skip(1).eq(["-all"]);
    if nobody && terms != [('-', "all".to_owned())] {
        return wrong(
            record,
            "spf.all",
            "sends no mail, and lets others send in its name",
            there,
        );
    }
    let all_at = terms.iter().position(|(_, body)| body == "all");
    let redirected = terms.iter().any(|(_, body)| body.starts_with("redirect="));
    if !lost.is_empty() {
        let merged = merged(wanted, &[there]);
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
            .hint(format!("keep what is there, as one record: `{merged}`")),
        );
    }
    let count = spf::merge(there, wanted).lookups;
    if count > MOST_LOOKUPS {
        return Judgement::of(
            State::Wrong,
            finding(record, "spf.lookups", format!("makes receivers ask DNS {count} times; with more than {MOST_LOOKUPS} they give up (RFC 7208 §4.6.4)"))
                .value(there)
                .hint("remove includes of services that no longer send, or replace `a` and `mx` terms by `ip4:` and `ip6:`"),
        );
    }
    let policy = all_at.and_then(|at| terms.get(at)).map(|(sign, _)| *sign);
    match policy {
        Some('+') => wrong(
            record,
            "spf.all",
            "allows everybody to send in its name (`+all`)",
            there,
        ),
        Some('?') | None if !redirected => Judgement {
            state: State::Accepted,
            findings: vec![
                Finding::warning(
                    "spf.all",
                    &record.fqdn,
                    "does not say what is to become of mail from elsewhere",
                )
                .value(there)
                .hint("let it end with `-all`, or `~all` while you find out who sends"),
            ],
        },
        _ if all_at.is_some_and(|at| at + 1 < terms.len()) => Judgement {
            state: State::Accepted,
            findings: vec![
                Finding::warning(
                    "spf.all",
                    &record.fqdn,
                    "has terms after `all`, which nobody looks at",
                )
                .value(there)
                .hint("put `all` last"),
            ],
        },
        _ => accepted(Vec::new()),
    }
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
        return tags_of_key(record, &list, there);
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
    let mut findings = Vec::new();
    for name in ["p", "sp"] {
        let Some(value) = tag(&list, name) else {
            continue;
        };
        let Some(level) = strictness(value) else {
            return wrong(
                record,
                "dmarc.syntax",
                format!(
                    "has `{name}={value}`, where only none, quarantine and reject have a meaning"
                ),
                there,
            );
        };
        let wanted = tag(&ours, name).and_then(strictness).unwrap_or_default();
        if level < wanted {
            let what = if level == 0 {
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
    if tag(&list, "p").is_none() {
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
    if let Some((name, _)) = list
        .iter()
        .find(|(name, _)| matches!(name.as_str(), "pct" | "rf" | "ri"))
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
    accepted(findings)
}

/// A text of which only one counts, told by how it begins; beside others where the name has them.
pub(super) fn other(record: &Record, wanted: &str, reply: &Reply) -> Judgement {
    let all = texts(reply);
    let family = wanted.split([';', ' ']).next().unwrap_or(wanted);
    let id = match family {
        "v=STSv1" => "sts.txt",
        "v=TLSRPTv1" => "tlsrpt.one",
        "v=DMARC1" => "dmarc.ext",
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
    match same.as_slice() {
        [one] if **one == wanted => Judgement::right(),
        [one] if spaced(one) == spaced(wanted) => accepted(Vec::new()),
        [one] if family == "v=TLSRPTv1" && tags(one).iter().any(|(name, _)| name == "rua") => {
            accepted(Vec::new())
        }
        [one] => wrong(record, id, "says something else than it should", one),
        [] => {
            if let Some(text) = all.iter().find(|text| {
                text.to_ascii_lowercase()
                    .contains(&family.to_ascii_lowercase())
            }) {
                let why = damage(text).unwrap_or("the beginning is not as it has to be");
                return wrong(record, id, format!("is damaged: {why}"), text);
            }
            Judgement::of(
                State::Missing,
                finding(record, id, "has no such text").hint(add(record)),
            )
        }
        several => {
            let seen: Vec<&str> = several.iter().map(|text| text.as_str()).collect();
            wrong(
                record,
                id,
                format!(
                    "has {} such texts, of which only one may be there",
                    several.len()
                ),
                &seen.join(" | "),
            )
        }
    }
}
