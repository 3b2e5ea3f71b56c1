//! Merging an SPF record (RFC 7208) that a domain has already with ours: there must be one, never two (§3.2).

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::finding::Finding;

/// How often one check may ask DNS (RFC 7208 §4.6.4).
pub const LOOKUPS: usize = 10;

/// From this length on, an answer with the record may no longer fit into 512 octets (RFC 7208 §3.4).
const LONG: usize = 450;

const MECHANISMS: [&str; 8] = ["all", "include", "a", "mx", "ptr", "ip4", "ip6", "exists"];

/// One record out of two.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Merged {
    /// The record to publish in place of the existing one.
    pub text: String,
    /// Terms in it that ask DNS. What an `include` names asks more, which is not counted here.
    pub lookups: usize,
    /// What is different from the existing record, for people.
    pub changes: Vec<String>,
    /// What is wrong with it, or worth knowing. With an error among them it is void: nothing is to be published before that is mended.
    pub findings: Vec<Finding>,
}

/// What a term says about a sender that it matches (RFC 7208 §4.6.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Qualifier {
    Pass,
    Fail,
    Softfail,
    Neutral,
}

/// One term, its name in lower case; the rest as written, because upper case means something in macros (RFC 7208 §7.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Term {
    /// `mx`, `ip4:192.0.2.1`: the rest begins with `:` or `/`, or is empty.
    Mechanism(Qualifier, String, String),
    /// `redirect=example.net`.
    Modifier(String, String),
    /// Anything else.
    Wrong(String),
}

impl Term {
    pub(super) fn parse(text: &str) -> Self {
        let end = text.find([':', '/', '=']).unwrap_or(text.len());
        let (head, rest) = text.split_at(end);
        let letters = |name: &str| {
            name.starts_with(|c: char| c.is_ascii_alphabetic())
                && name
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        };
        if let Some(value) = rest.strip_prefix('=') {
            return if letters(head) {
                Self::Modifier(head.to_ascii_lowercase(), value.to_owned())
            } else {
                Self::Wrong(text.to_owned())
            };
        }
        let (qualifier, name) = match head.split_at_checked(1) {
            Some(("+", name)) => (Qualifier::Pass, name),
            Some(("-", name)) => (Qualifier::Fail, name),
            Some(("~", name)) => (Qualifier::Softfail, name),
            Some(("?", name)) => (Qualifier::Neutral, name),
            _ => (Qualifier::Pass, head),
        };
        let name = name.to_ascii_lowercase();
        if MECHANISMS.contains(&name.as_str()) {
            Self::Mechanism(qualifier, name, rest.to_owned())
        } else {
            Self::Wrong(text.to_owned())
        }
    }

    /// The rule that it breaks (RFC 7208 §5, §6, §7.1): one such term makes the whole record void.
    pub(super) fn broken(&self) -> Option<&'static str> {
        const DOMAIN: &str =
            "must name a domain, in which `%` stands before `{…}`, `%`, `_` or `-`";
        match self {
            Self::Wrong(_) => Some("is no SPF term"),
            Self::Modifier(name, value) => {
                let ours = matches!(name.as_str(), "redirect" | "exp");
                (ours && !is_domain(value) || !macros_fit(value)).then_some(DOMAIN)
            }
            Self::Mechanism(_, name, rest) => match name.as_str() {
                "all" => (!rest.is_empty()).then_some("must stand alone"),
                "include" | "exists" => {
                    (!rest.strip_prefix(':').is_some_and(is_domain)).then_some(DOMAIN)
                }
                "ptr" => (!rest.is_empty() && !rest.strip_prefix(':').is_some_and(is_domain))
                    .then_some(DOMAIN),
                "ip4" => network(name, rest)
                    .is_none()
                    .then_some("must have an IPv4 address or network after `ip4:`"),
                "ip6" => network(name, rest)
                    .is_none()
                    .then_some("must have an IPv6 address or network after `ip6:`"),
                _ => {
                    let (domain, prefixes) = cut_prefixes(rest);
                    let domain =
                        domain.is_empty() || domain.strip_prefix(':').is_some_and(is_domain);
                    (!domain || !prefixes_fit(prefixes)).then_some(
                        "must be alone, or followed by a domain, a prefix such as `/24`, or both",
                    )
                }
            },
        }
    }

    fn asks(&self) -> bool {
        match self {
            Self::Mechanism(_, name, _) => {
                matches!(name.as_str(), "include" | "a" | "mx" | "ptr" | "exists")
            }
            Self::Modifier(name, _) => name == "redirect",
            Self::Wrong(_) => false,
        }
    }

    fn is_all(&self) -> bool {
        matches!(self, Self::Mechanism(_, name, _) if name == "all")
    }

    fn is_redirect(&self) -> bool {
        matches!(self, Self::Modifier(name, _) if name == "redirect")
    }

    /// Whether both are for the same senders, whatever they say about them.
    fn same_senders(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Mechanism(_, name, rest), Self::Mechanism(_, other_name, other_rest)) => {
                if name != other_name {
                    return false;
                }
                match (network(name, rest), network(other_name, other_rest)) {
                    (Some(one), Some(two)) => one == two,
                    // Upper case means something in macros alone.
                    _ if rest.contains('%') => rest == other_rest,
                    _ => canonical(rest) == canonical(other_rest),
                }
            }
            (one, two) => one == two,
        }
    }

    /// Whether this lets everybody pass whom `other` lets pass.
    fn covers(&self, other: &Self) -> bool {
        if let (
            Self::Mechanism(Qualifier::Pass, name, rest),
            Self::Mechanism(_, other_name, other_rest),
        ) = (self, other)
            && let (Some(IpNet::V4(_)), Some(IpNet::V4(_)))
            | (Some(IpNet::V6(_)), Some(IpNet::V6(_))) =
                (network(name, rest), network(other_name, other_rest))
        {
            return network(name, rest)
                .zip(network(other_name, other_rest))
                .is_some_and(|(wide, narrow)| wide.contains(&narrow));
        }
        self.same_senders(other) && matches!(self, Self::Mechanism(Qualifier::Pass, ..))
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mechanism(qualifier, name, rest) => {
                let sign = match qualifier {
                    Qualifier::Pass => "",
                    Qualifier::Fail => "-",
                    Qualifier::Softfail => "~",
                    Qualifier::Neutral => "?",
                };
                write!(f, "{sign}{name}{rest}")
            }
            Self::Modifier(name, value) => write!(f, "{name}={value}"),
            Self::Wrong(text) => f.write_str(text),
        }
    }
}

fn canonical(rest: &str) -> String {
    let (domain, prefixes) = cut_prefixes(rest);
    let domain = domain.strip_suffix('.').unwrap_or(domain);
    format!("{}{prefixes}", domain.to_ascii_lowercase())
}

/// The network of `ip4` and `ip6`, without host bits.
pub(super) fn network(name: &str, rest: &str) -> Option<IpNet> {
    let text = rest.strip_prefix(':')?;
    let net: IpNet = match name {
        "ip4" => text
            .parse::<Ipv4Addr>()
            .map(|address| Ipv4Net::from(address).into())
            .or_else(|_| text.parse::<Ipv4Net>().map(IpNet::V4))
            .ok()?,
        "ip6" => text
            .parse::<Ipv6Addr>()
            .map(|address| Ipv6Net::from(address).into())
            .or_else(|_| text.parse::<Ipv6Net>().map(IpNet::V6))
            .ok()?,
        _ => return None,
    };
    Some(net.trunc())
}

/// The rest of `a` and `mx`: the domain with its colon, and `/24`, `//64`, `/24//64` or nothing (RFC 7208 §5.6). A `/` may be in
/// the domain too.
pub(super) fn cut_prefixes(rest: &str) -> (&str, &str) {
    let cut = |text: &str, slashes: &str| {
        let head = text.trim_end_matches(|c: char| c.is_ascii_digit());
        let head = (head.len() < text.len()).then(|| head.strip_suffix(slashes));
        head.flatten().map_or(text.len(), str::len)
    };
    let six = cut(rest, "//");
    let four = cut(rest.get(..six).unwrap_or_default(), "/");
    rest.split_at(four)
}

fn prefixes_fit(text: &str) -> bool {
    let (four, six) = match text.split_once("//") {
        Some((four, six)) => (four, Some(six)),
        None => (text, None),
    };
    let fits = |text: &str, most: u8| {
        (text == "0" || !text.starts_with('0')) && text.parse::<u8>().is_ok_and(|n| n <= most)
    };
    (four.is_empty() || four.strip_prefix('/').is_some_and(|n| fits(n, 32)))
        && six.is_none_or(|n| fits(n, 128))
}

/// A domain (RFC 7208 §7.1): what stands before its last label may be anything that can be seen.
fn is_domain(text: &str) -> bool {
    let only_explained = |text: &str| {
        text.split('%').skip(1).any(|macros| {
            macros
                .strip_prefix('{')
                .is_some_and(|inside| inside.starts_with(['c', 'r', 't', 'C', 'R', 'T']))
        })
    };
    text.bytes().all(|b| b.is_ascii_graphic())
        && macros_fit(text)
        && !only_explained(text)
        && (ends_with_macro(text) || {
            let plain = text.strip_suffix('.').unwrap_or(text);
            plain
                .rsplit_once('.')
                .is_some_and(|(_, label)| is_top_label(label))
        })
}

fn ends_with_macro(text: &str) -> bool {
    let Some((head, last)) = text.rsplit_once('%') else {
        return false;
    };
    // `%%` is one sign.
    let escaped = head.len() - head.trim_end_matches('%').len();
    match last {
        "" => escaped % 2 == 1,
        "_" | "-" => escaped % 2 == 0,
        _ => escaped % 2 == 0 && last.starts_with('{') && last.find('}') == Some(last.len() - 1),
    }
}

fn is_top_label(label: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    label.bytes().all(inner)
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.bytes().any(|b| !b.is_ascii_digit())
}

/// Macros (RFC 7208 §7.1): `%{`, a letter, digits, perhaps `r`, delimiters, `}`; or `%%`, `%_`, `%-`.
fn macros_fit(text: &str) -> bool {
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix(['%', '_', '-']) {
            rest = after;
            continue;
        }
        let Some((inside, after)) = rest.strip_prefix('{').and_then(|r| r.split_once('}')) else {
            return false;
        };
        let Some(how) = inside.strip_prefix(|c: char| "slodiphcrtvSLODIPHCRTV".contains(c)) else {
            return false;
        };
        let how = how.trim_start_matches(|c: char| c.is_ascii_digit());
        let how = how.strip_prefix(['r', 'R']).unwrap_or(how);
        if !how.bytes().all(|b| b".-+,/_=".contains(&b)) {
            return false;
        }
        rest = after;
    }
    true
}

fn is_version(word: &str) -> bool {
    word.eq_ignore_ascii_case("v=spf1")
}

/// Makes one record of `existing`, what the domain has now, and `ours`, which lets this server send.
///
/// Senders that `existing` names stay. What is missing of ours comes before `all`, because nothing after it counts
/// (RFC 7208 §5.1), or before `redirect`, which counts only where nothing else matches (§6.1). `all` stays as strict as it
/// was, so that nobody's forgotten sender is refused all of a sudden, unless it lets everybody pass.
///
/// # Examples
///
/// ```
/// let merged = mailu_core::dns::spf::merge("v=spf1 include:_spf.example.net ~all", "v=spf1 mx -all");
/// assert_eq!(merged.text, "v=spf1 include:_spf.example.net mx ~all");
/// assert_eq!(merged.lookups, 2);
/// ```
pub fn merge(existing: &str, ours: &str) -> Merged {
    let mut changes = Vec::new();
    let mut findings = Vec::new();
    let parse = |text: &str| -> Vec<Term> {
        text.split_ascii_whitespace()
            .filter(|word| !is_version(word))
            .map(Term::parse)
            .collect()
    };
    let wanted = parse(ours);
    let mut words = existing.split_ascii_whitespace();
    let first = words.next();
    if !first.is_some_and(is_version) {
        if let Some(first) = first {
            findings.push(
                Finding::warning(
                    "spf.not_spf",
                    "SPF",
                    "is no SPF record: one begins with `v=spf1` and a space (RFC 7208 §4.5)",
                )
                .value(first)
                .hint("replace it; where a form made one word of all, put the text in quotes"),
            );
        }
        changes.push("new record".to_owned());
        return finish(&wanted, changes, findings);
    }
    let mut terms = parse(existing);
    let records = 1 + words.filter(|word| is_version(word)).count();
    if records > 1 {
        changes.push(format!("made one of {records} records"));
        findings.push(
            Finding::warning(
                "spf.several",
                "SPF",
                format!(
                    "stands there {records} times: receivers take none of them (RFC 7208 §4.5)"
                ),
            )
            .value(records)
            .hint("publish the merged record alone"),
        );
        // Between the former records an `all` would cut off what follows; the last one speaks for all of them.
        let last = terms.iter().rposition(Term::is_all);
        let mut at = 0;
        terms.retain(|term| {
            at += 1;
            !term.is_all() || Some(at - 1) == last
        });
        if let Some(at) = terms.iter().position(Term::is_all) {
            let all = terms.remove(at);
            terms.push(all);
        }
    }

    let mut seen: Vec<Term> = Vec::new();
    for term in terms {
        // Of two for the same senders only the first counts; a sender's own words about `exp` and others stay.
        if seen.iter().any(|other| other.same_senders(&term)) {
            changes.push(format!("removed the second {term}"));
        } else {
            seen.push(term);
        }
    }
    let mut terms = seen;

    end(&mut terms, &wanted, &mut changes, &mut findings);
    for term in wanted
        .iter()
        .filter(|term| matches!(term, Term::Mechanism(..)) && !term.is_all())
    {
        let end = terms
            .iter()
            .position(|other| other.is_all() || other.is_redirect())
            .unwrap_or(terms.len());
        if terms[..end].iter().any(|other| other.covers(term)) {
            continue;
        }
        if let Some(at) = terms.iter().position(|other| other.same_senders(term)) {
            changes.push(if at < end {
                format!("replaced {} by {term}", terms[at])
            } else {
                format!("moved {term} to where it counts")
            });
            if at < end {
                terms[at] = term.clone();
                continue;
            }
            terms.remove(at);
        } else {
            changes.push(format!("added {term}"));
        }
        terms.insert(end, term.clone());
    }
    finish(&terms, changes, findings)
}

/// Sees to it that the record says something about everybody else.
fn end(
    terms: &mut Vec<Term>,
    wanted: &[Term],
    changes: &mut Vec<String>,
    findings: &mut Vec<Finding>,
) {
    let ours = wanted.iter().find(|term| term.is_all());
    let Some(at) = terms.iter().position(Term::is_all) else {
        if let (false, Some(ours)) = (terms.iter().any(Term::is_redirect), ours) {
            // Modifiers may stand anywhere (RFC 7208 §6), and people look for `all` at the end.
            terms.push(ours.clone());
            changes.push(format!("added {ours}"));
        }
        return;
    };
    if let Some(redirect) = terms.iter().position(Term::is_redirect) {
        let gone = terms.remove(redirect);
        changes.push(format!(
            "removed {gone}, which has no effect beside `all` (RFC 7208 §6.1)"
        ));
        return end(terms, wanted, changes, findings);
    }
    let all = terms[at].clone();
    if let Some(ours) = ours {
        if matches!(
            all,
            Term::Mechanism(Qualifier::Pass | Qualifier::Neutral, ..)
        ) {
            findings.push(
                Finding::warning("spf.open", "SPF", "let everybody send for the domain")
                    .value(&all)
                    .hint(format!(
                        "publish {ours} in its place; name whoever else sends before it"
                    )),
            );
            changes.push(format!("replaced {all} by {ours}"));
            terms[at] = ours.clone();
        } else if all != *ours {
            findings.push(
                Finding::notice(
                    "spf.all_kept",
                    "SPF",
                    format!(
                        "keeps {all}: who else sends is known to its owner alone. Ours is {ours}"
                    ),
                )
                .value(&all)
                .hint(format!("write {ours} once every sender is named")),
            );
        }
    }
}

fn finish(terms: &[Term], changes: Vec<String>, mut findings: Vec<Finding>) -> Merged {
    let mut text = "v=spf1".to_owned();
    for term in terms {
        text.push(' ');
        text.push_str(&term.to_string());
        if let Some(rule) = term.broken() {
            findings.push(
                Finding::error(
                    "spf.syntax",
                    "SPF",
                    format!("has a term that {rule}: receivers then take no word of the record (RFC 7208 §4.6)"),
                )
                .value(term)
                .hint(match term {
                    Term::Wrong(text) if text.parse::<std::net::IpAddr>().is_ok() || text.starts_with("ip") => {
                        "addresses are written `ip4:192.0.2.1` and `ip6:2001:db8::1`"
                    }
                    _ => "correct it or remove it",
                }),
            );
        }
    }
    for name in ["redirect", "exp"] {
        let many = terms
            .iter()
            .filter(|t| matches!(t, Term::Modifier(n, _) if n == name))
            .count();
        if many > 1 {
            findings.push(
                Finding::error(
                    "spf.syntax",
                    "SPF",
                    format!("has `{name}=` {many} times: receivers then take no word of the record (RFC 7208 §6)"),
                )
                .value(many)
                .hint("keep one of them"),
            );
        }
    }
    let all = terms.iter().position(Term::is_all).unwrap_or(terms.len());
    for late in terms
        .iter()
        .skip(all + 1)
        .filter(|term| matches!(term, Term::Mechanism(..)))
    {
        findings.push(
            Finding::warning(
                "spf.after_all",
                "SPF",
                "has a sender after `all`, where nothing counts (RFC 7208 §5.1)",
            )
            .value(late)
            .hint("move it before `all` if it is a sender of yours, else remove it"),
        );
    }
    for term in terms {
        if let Term::Modifier(name, value) = term
            && MECHANISMS.contains(&name.as_str())
        {
            findings.push(
                Finding::warning(
                    "spf.ignored",
                    "SPF",
                    "has a sender with `=` in place of `:`, which receivers pass over (RFC 7208 §6)",
                )
                .value(term)
                .hint(format!("write `{name}:{value}`")),
            );
        }
    }
    // What stands after `all` is never looked at.
    let lookups = terms.iter().take(all).filter(|term| term.asks()).count();
    let elsewhere = terms.iter().any(|term| {
        term.is_redirect() || matches!(term, Term::Mechanism(_, name, _) if name == "include")
    });
    if lookups > LOOKUPS {
        findings.push(
            Finding::error(
                "spf.lookups",
                "SPF",
                format!("asks DNS more than {LOOKUPS} times, and what it includes asks more: receivers give up, and the record is void (RFC 7208 §4.6.4)"),
            )
            .value(lookups)
            .hint("replace `include:`, `a:` and `mx:` by `ip4:` and `ip6:` where the addresses are known, or remove senders that are gone"),
        );
    } else if elsewhere {
        findings.push(
            Finding::notice(
                "spf.includes",
                "SPF",
                format!("asks DNS {lookups} times itself, and what it includes asks more: {LOOKUPS} in all are allowed (RFC 7208 §4.6.4)"),
            )
            .value(lookups),
        );
    }
    if terms
        .iter()
        .any(|t| matches!(t, Term::Mechanism(_, name, _) if name == "ptr"))
    {
        findings.push(
            Finding::warning(
                "spf.ptr",
                "SPF",
                "has `ptr`, which is slow and not to be used (RFC 7208 §5.5)",
            )
            .hint("name the addresses with `ip4:` and `ip6:`"),
        );
    }
    if text.len() > LONG {
        findings.push(
            Finding::warning(
                "spf.long",
                "SPF",
                format!("is longer than {LONG} octets: an answer with it may not fit into one packet, and some receivers do not ask again (RFC 7208 §3.4)"),
            )
            .value(text.len())
            .hint("put several networks together, or move some into a record of their own and `include:` that"),
        );
    }
    Merged {
        text,
        lookups,
        changes,
        findings,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OURS: &str = "v=spf1 mx -all";

    fn ids(merged: &Merged) -> Vec<&str> {
        merged.findings.iter().map(|f| f.id.as_str()).collect()
    }

    #[test]
    fn existing_records_keep_their_senders() {
        for (existing, text, lookups) in [
            ("", "v=spf1 mx -all", 1),
            ("v=spf1 mx -all", "v=spf1 mx -all", 1),
            ("v=spf1 -all", "v=spf1 mx -all", 1),
            ("v=spf1", "v=spf1 mx -all", 1),
            (
                "v=spf1 include:_spf.example.net -all",
                "v=spf1 include:_spf.example.net mx -all",
                2,
            ),
            (
                "v=spf1 include:_spf.example.net ~all",
                "v=spf1 include:_spf.example.net mx ~all",
                2,
            ),
            (
                "v=spf1 include:_spf.example.net ?all",
                "v=spf1 include:_spf.example.net mx -all",
                2,
            ),
            ("v=spf1 a +all", "v=spf1 a mx -all", 2),
            ("v=spf1 a all", "v=spf1 a mx -all", 2),
            ("v=spf1 ip4:192.0.2.1", "v=spf1 ip4:192.0.2.1 mx -all", 1),
            // Names of terms are the same in upper case; what follows keeps its case.
            ("V=SPF1 MX -ALL", "v=spf1 mx -all", 1),
            (
                "V=SPF1 Include:_SPF.Example.NET +MX -All",
                "v=spf1 include:_SPF.Example.NET mx -all",
                2,
            ),
            // `redirect` counts where nothing matches: ours comes before it, and no `all`.
            (
                "v=spf1 redirect=_spf.example.net",
                "v=spf1 mx redirect=_spf.example.net",
                2,
            ),
            (
                "v=spf1 a redirect=_spf.example.net",
                "v=spf1 a mx redirect=_spf.example.net",
                3,
            ),
            ("v=spf1 redirect=_spf.example.net -all", "v=spf1 mx -all", 1),
            ("v=spf1 -all redirect=_spf.example.net", "v=spf1 mx -all", 1),
            (
                "v=spf1 exp=why.example.net -all",
                "v=spf1 exp=why.example.net mx -all",
                1,
            ),
            (
                "v=spf1 a -all exp=why.example.net",
                "v=spf1 a mx -all exp=why.example.net",
                2,
            ),
            // Macros stay as they are.
            (
                "v=spf1 exists:%{i}._spf.%{D2} -all",
                "v=spf1 exists:%{i}._spf.%{D2} mx -all",
                2,
            ),
            (
                "v=spf1 include:%{d} include:%{D} -all",
                "v=spf1 include:%{d} include:%{D} mx -all",
                3,
            ),
            // Twice the same.
            ("v=spf1 a a mx -all", "v=spf1 a mx -all", 2),
            (
                "v=spf1 include:x.example include:X.example. -all",
                "v=spf1 include:x.example mx -all",
                2,
            ),
            (
                "v=spf1 ip4:192.0.2.1 ip4:192.0.2.1/32 -all",
                "v=spf1 ip4:192.0.2.1 mx -all",
                1,
            ),
            (
                "v=spf1 ip6:2001:db8::1 ip6:2001:DB8:0::1 -all",
                "v=spf1 ip6:2001:db8::1 mx -all",
                1,
            ),
            // What says something else about our server.
            ("v=spf1 ~mx -all", "v=spf1 mx -all", 1),
            (
                "v=spf1 a -mx ip4:192.0.2.1 ~all",
                "v=spf1 a mx ip4:192.0.2.1 ~all",
                2,
            ),
            ("v=spf1 a -all mx", "v=spf1 a mx -all", 2),
            // Two records in one.
            (
                "v=spf1 a -all v=spf1 include:x.example ~all",
                "v=spf1 a include:x.example mx ~all",
                3,
            ),
            ("v=spf1 mx -all\nv=spf1 mx -all", "v=spf1 mx -all", 1),
            ("  v=spf1   mx   -all  ", "v=spf1 mx -all", 1),
            // Not SPF.
            ("v=spf10 mx -all", "v=spf1 mx -all", 1),
            ("v=spf1mx-all", "v=spf1 mx -all", 1),
            ("spf2.0/pra mx -all", "v=spf1 mx -all", 1),
        ] {
            let merged = merge(existing, OURS);
            assert_eq!(merged.text, text, "{existing}");
            assert_eq!(merged.lookups, lookups, "{existing}");
            let words: Vec<_> = existing
                .split_whitespace()
                .map(|word| word.trim_start_matches('+'))
                .collect();
            let same = words.join(" ").eq_ignore_ascii_case(text);
            assert_eq!(
                merged.changes.is_empty(),
                same,
                "{existing}: {:?}",
                merged.changes
            );
        }
    }

    #[test]
    fn several_terms_of_ours() {
        let ours = "v=spf1 mx ip4:192.0.2.9 include:_spf.relay.example -all";
        for (existing, text) in [
            (
                "v=spf1 ip4:192.0.2.0/24 -all",
                "v=spf1 ip4:192.0.2.0/24 mx include:_spf.relay.example -all",
            ),
            (
                "v=spf1 ~ip4:192.0.2.0/24 -all",
                "v=spf1 ~ip4:192.0.2.0/24 mx ip4:192.0.2.9 include:_spf.relay.example -all",
            ),
            (
                "v=spf1 include:_spf.relay.example mx ~all",
                "v=spf1 include:_spf.relay.example mx ip4:192.0.2.9 ~all",
            ),
        ] {
            assert_eq!(merge(existing, ours).text, text, "{existing}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let includes = |count: usize| {
            let all: Vec<String> = (0..count)
                .map(|n| format!("include:s{n}.example.net"))
                .collect();
            format!("v=spf1 {} -all", all.join(" "))
        };
        let nets = |count: usize| {
            let all: Vec<String> = (0..count).map(|n| format!("ip4:192.0.{n}.0/24")).collect();
            format!("v=spf1 {} -all", all.join(" "))
        };
        for (existing, expected) in [
            ("v=spf1 mx -all", vec![]),
            (
                "v=spf1 a:mail.example.com/24//64 mx/24 mx:example.net -all",
                vec![],
            ),
            ("v=spf1 mx ~all", vec!["spf.all_kept"]),
            ("v=spf1 mx +all", vec!["spf.open"]),
            ("v=spf1 mx -all ip4:192.0.2.1", vec!["spf.after_all"]),
            ("v=spf1mx-all", vec!["spf.not_spf"]),
            ("v=spf1 ptr -all", vec!["spf.ptr"]),
            ("v=spf1 mx -all v=spf1 mx -all", vec!["spf.several"]),
            ("v=spf1 ipv4:192.0.2.1 -all", vec!["spf.syntax"]),
            ("v=spf1 192.0.2.1 -all", vec!["spf.syntax"]),
            ("v=spf1 ip4:192.0.2.256 -all", vec!["spf.syntax"]),
            ("v=spf1 ip4:2001:db8::1 -all", vec!["spf.syntax"]),
            ("v=spf1 include: -all", vec!["spf.syntax", "spf.includes"]),
            ("v=spf1 include=x.example -all", vec!["spf.ignored"]),
            ("v=spf1 a/33 -all", vec!["spf.syntax"]),
            ("v=spf1 --all", vec!["spf.syntax"]),
            ("v=spf1 exists:%{z}.x.example -all", vec!["spf.syntax"]),
            ("v=spf1 exists:%x.example -all", vec!["spf.syntax"]),
            (
                "v=spf1 redirect=a.example redirect=b.example",
                vec!["spf.syntax", "spf.includes"],
            ),
            (&includes(9), vec!["spf.includes"]),
            (&includes(10), vec!["spf.lookups"]),
            (&nets(20), vec![]),
            (&nets(28), vec!["spf.long"]),
        ] {
            assert_eq!(ids(&merge(existing, OURS)), expected, "{existing}");
        }
        assert_eq!(merge(&includes(9), OURS).lookups, 10);
        assert_eq!(merge(&includes(10), OURS).lookups, 11);
    }

    fn term() -> impl Strategy<Value = String> {
        prop_oneof![
            "[+~?-]?(mx|a|ptr|MX)",
            "[+~?-]?(include|exists|a|mx):[a-c]\\.example",
            "[+~?-]?ip4:192\\.0\\.2\\.[0-9](/2[4-9])?",
            "[+~?-]?all",
            "(redirect|exp|x)=[a-c]\\.example",
            "v=spf1",
            "\\PC{0,12}",
        ]
    }

    proptest! {
        /// Merging is done once: the same again changes nothing, there is one record, and our server may send.
        #[test]
        fn merging_again_changes_nothing(words in proptest::collection::vec(term(), 0..8), ours in prop_oneof![Just(OURS), Just("v=spf1 mx ip4:192.0.2.7 ~all")]) {
            let existing = format!("v=spf1 {}", words.join(" "));
            let merged = merge(&existing, ours);
            prop_assert_eq!(merged.text.split(' ').filter(|w| is_version(w)).count(), 1);
            prop_assert!(merged.text.split(' ').any(|w| w == "mx"), "{}", merged.text);
            let again = merge(&merged.text, ours);
            prop_assert_eq!(&again.text, &merged.text);
            prop_assert_eq!(again.changes, Vec::<String>::new());
        }
    }
}
