//! What a receiver makes of an SPF record: the evaluation of RFC 7208 for the addresses that mail leaves from, and what the whole
//! tree of a record costs.
//!
//! Answers are looked up in what the host has gathered. One that is not there yet is noted as wanted, and makes the result uncertain.

use std::fmt::Write as _;
use std::net::IpAddr;

use super::world::World;
use super::{Reply, Seen};
use crate::dns::spf::{LOOKUPS, Qualifier, Term, cut_prefixes, network};

/// So many lookups may come back empty (RFC 7208 §4.6.4).
pub(super) const VOIDS: usize = 2;
/// So many mail servers may stand behind one `mx` (RFC 7208 §4.6.4).
pub(super) const EXCHANGES: usize = 10;
/// So many names of an address are looked at (RFC 7208 §5.5).
const NAMES: usize = 10;
/// Who sends where no local part is known (RFC 7208 §4.3).
const POSTMASTER: &str = "postmaster";
/// A tree that is larger is not walked to its end.
const LARGEST: usize = 200;

/// RFC 7208 §2.6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Neutral,
    Pass,
    Fail,
    Softfail,
    Temporary,
    Permanent,
}

impl Outcome {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Neutral => "neutral",
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Softfail => "softfail",
            Self::Temporary => "temperror",
            Self::Permanent => "permerror",
        }
    }
}

/// What a record costs and where it breaks, whoever the sender is.
#[derive(Debug, Default)]
pub(super) struct Tree {
    /// Terms that ask DNS, in all records of the tree.
    pub(super) lookups: usize,
    /// Names that were asked for in vain.
    pub(super) voids: Vec<String>,
    /// A record that leads back to itself: the way.
    pub(super) circle: Option<Vec<String>>,
    /// The first record that is included and is none, and why.
    pub(super) dead: Option<(String, &'static str)>,
    /// A domain with more mail servers than one `mx` may have.
    pub(super) exchanges: Option<(String, usize)>,
    /// Whether an answer is missing.
    pub(super) uncertain: bool,
}

/// What receivers make of a record.
#[derive(Debug, Default)]
pub(super) struct Look {
    /// The whole tree.
    pub(super) tree: Tree,
    /// The result for each address that mail leaves from; none if they are not known.
    pub(super) results: Vec<(IpAddr, Outcome)>,
}

/// Evaluates `text`, the record of `domain`, for all `senders`, which greet as `greeting`.
pub(super) fn look(
    world: &World<'_>,
    text: &str,
    domain: &str,
    greeting: &str,
    senders: &[IpAddr],
) -> Look {
    let sender = |address| Sender {
        address,
        local: POSTMASTER,
        domain,
        greeting,
    };
    // Without an address of ours, the tree is that of any other.
    let first = senders.first().copied();
    let first = first.unwrap_or(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)));
    let mut tree = tree(world, text, sender(first));
    if let Some(other) = senders.iter().find(|one| one.is_ipv4() != first.is_ipv4()) {
        let other = self::tree(world, text, sender(*other));
        if other.voids.len() > tree.voids.len() {
            tree.voids = other.voids;
        }
        tree.uncertain |= other.uncertain;
    }
    let results = senders
        .iter()
        .map(|address| (*address, evaluate(world, text, sender(*address))));
    Look {
        results: results.collect(),
        tree,
    }
}

/// Whom a record is evaluated for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sender<'a> {
    /// The address that the mail comes from.
    pub(super) address: IpAddr,
    /// What stands before the @.
    pub(super) local: &'a str,
    /// The domain of the sender's address; that of the greeting, for bounces.
    pub(super) domain: &'a str,
    /// The name in the greeting.
    pub(super) greeting: &'a str,
}

/// What a receiver makes of mail from `sender`, `local@domain` or nothing (RFC 7208 §4); nothing if no domain speaks about it.
pub(super) fn receive(
    world: &World<'_>,
    sender: &str,
    greeting: &str,
    address: IpAddr,
) -> Option<Outcome> {
    let (local, domain) = sender.rsplit_once('@').unwrap_or(("", greeting));
    let fits = |label: &str| !label.is_empty() && label.len() <= 63;
    let name = domain.strip_suffix('.').unwrap_or(domain);
    if !name.contains('.') || name.starts_with('[') || !name.split('.').all(fits) {
        return None;
    }
    let sender = Sender {
        // An IPv4 address may come as an IPv6 one (§4.1).
        address: address.to_canonical(),
        local: if local.is_empty() { POSTMASTER } else { local },
        domain,
        greeting,
    };
    match policy_of(world, domain) {
        Policy::Terms(terms) => Some(evaluated(world, &terms, sender)),
        Policy::None(_) => None,
        Policy::Broken(_) => Some(Outcome::Permanent),
        Policy::Unknown => Some(Outcome::Temporary),
    }
}

impl Sender<'_> {
    fn kind(&self) -> &'static str {
        if self.address.is_ipv4() { "A" } else { "AAAA" }
    }

    /// Whether the address is one of `found`, or near it.
    fn among<'t>(&self, found: impl IntoIterator<Item = &'t str>, four: u8, six: u8) -> bool {
        found.into_iter().any(|text| {
            text.parse::<IpAddr>().is_ok_and(|address| {
                let prefix = if address.is_ipv4() { four } else { six };
                ipnet::IpNet::new(address, prefix).is_ok_and(|net| net.contains(&self.address))
            })
        })
    }
}

/// What stands under a name.
enum Policy {
    Terms(Vec<Term>),
    None(&'static str),
    /// There is one, which no receiver can read.
    Broken(&'static str),
    Unknown,
}

/// The SPF record among `all`.
fn policy(all: &[Seen]) -> Policy {
    let texts: Vec<String> = all
        .iter()
        .filter_map(|one| match one {
            Seen::Text(strings) => Some(String::from_utf8_lossy(&strings.concat()).into_owned()),
            Seen::Plain(_) => None,
        })
        .filter(|text| super::text::is_spf(text))
        .collect();
    match texts.as_slice() {
        [] => Policy::None("has no SPF record"),
        [one] => {
            let all = terms(one);
            if broken(&all) {
                Policy::Broken("has an SPF record that breaks the rules")
            } else {
                Policy::Terms(all)
            }
        }
        _ => Policy::Broken("has several SPF records"),
    }
}

fn policy_of(world: &World<'_>, name: &str) -> Policy {
    match world.ask(name, "TXT") {
        Some(Reply::Found { records, .. }) => policy(records),
        Some(Reply::Empty) => Policy::None("has no SPF record"),
        Some(Reply::Absent) => Policy::None("does not exist"),
        Some(Reply::Failed(_)) | None => Policy::Unknown,
    }
}

/// The terms of a record's text.
pub(super) fn terms(text: &str) -> Vec<Term> {
    text.split(' ')
        .skip(1)
        .filter(|word| !word.is_empty())
        .map(Term::parse)
        .collect()
}

fn broken(all: &[Term]) -> bool {
    let twice = ["redirect", "exp"].into_iter().any(|name| {
        all.iter()
            .filter(|term| matches!(term, Term::Modifier(there, _) if there == name))
            .count()
            > 1
    });
    twice || all.iter().any(|term| term.broken().is_some())
}

/// Domain and prefix lengths of `a` and `mx`.
fn place<'a>(rest: &'a str, domain: &'a str) -> (&'a str, u8, u8) {
    let (name, prefixes) = cut_prefixes(rest);
    let (four, six) = prefixes
        .split_once("//")
        .map_or((prefixes, ""), |(four, six)| (four, six));
    let number = |text: &str, most: u8| text.trim_start_matches('/').parse().unwrap_or(most);
    let name = name.strip_prefix(':').filter(|name| !name.is_empty());
    (name.unwrap_or(domain), number(four, 32), number(six, 128))
}

/// Macros of RFC 7208 §7.
fn expand(world: &World<'_>, text: &str, sender: &Sender<'_>, domain: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        let (head, tail) = rest.split_at(at);
        out.push_str(head);
        let tail = tail.strip_prefix('%').unwrap_or(tail);
        if let Some((inside, after)) = tail.strip_prefix('{').and_then(|t| t.split_once('}')) {
            out.push_str(&letter(world, inside, sender, domain));
            rest = after;
            continue;
        }
        let mut letters = tail.chars();
        match letters.next() {
            Some('_') => out.push(' '),
            Some('-') => out.push_str("%20"),
            Some('%') => out.push('%'),
            _ => {}
        }
        rest = letters.as_str();
    }
    out.push_str(rest);
    if out.ends_with('.') {
        out.pop();
    }
    // What is too long loses labels at the left (§7.3).
    while out.len() > 253 {
        match out.split_once('.') {
            Some((_, shorter)) => out = shorter.to_owned(),
            None => break,
        }
    }
    out
}

fn letter(world: &World<'_>, inside: &str, sender: &Sender<'_>, domain: &str) -> String {
    let mut letters = inside.chars();
    let first = letters.next().unwrap_or_default();
    let value = match Some(first.to_ascii_lowercase()) {
        Some('s') => format!("{}@{}", sender.local, sender.domain),
        Some('l') => sender.local.to_owned(),
        Some('o') => sender.domain.to_owned(),
        Some('d') => domain.to_owned(),
        Some('h') => sender.greeting.to_owned(),
        Some('v') if sender.address.is_ipv4() => "in-addr".to_owned(),
        Some('v') => "ip6".to_owned(),
        Some('i') => match sender.address {
            IpAddr::V4(four) => four.to_string(),
            IpAddr::V6(six) => {
                let nibbles = six.octets().into_iter().flat_map(|b| [b >> 4, b & 15]);
                let digits: Vec<String> = nibbles.map(|n| format!("{n:x}")).collect();
                digits.join(".")
            }
        },
        _ => validated(world, sender, domain),
    };
    let how = letters.as_str();
    let count: String = how.chars().take_while(char::is_ascii_digit).collect();
    let how = how.get(count.len()..).unwrap_or_default();
    let turned = how.starts_with(['r', 'R']);
    let signs: Vec<char> = how.chars().filter(|c| ".-+,/_=".contains(*c)).collect();
    let signs = if signs.is_empty() { vec!['.'] } else { signs };
    let mut parts: Vec<&str> = value.split(|c| signs.contains(&c)).collect();
    if turned {
        parts.reverse();
    }
    let keep = count.parse().unwrap_or(parts.len()).max(1);
    let skip = parts.len().saturating_sub(keep);
    let value = parts.split_off(skip).join(".");
    if first.is_ascii_uppercase() {
        escaped(&value)
    } else {
        value
    }
}

/// As in URLs (RFC 7208 §7.3).
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte.into());
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// The names of the sender's address that lead back to it (RFC 7208 §5.5). None if they cannot be had.
fn names(world: &World<'_>, sender: &Sender<'_>) -> Option<Vec<String>> {
    let reverse = crate::dns::reverse::name_of(sender.address);
    let all = match world.ask(&reverse, "PTR") {
        None | Some(Reply::Failed(_)) => return None,
        Some(reply) => super::names::plain(reply),
    };
    let name = |text: &str| text.trim_end_matches('.').to_ascii_lowercase();
    Some(all.into_iter().take(NAMES).map(name).collect())
}

fn leads_back(world: &World<'_>, sender: &Sender<'_>, name: &str) -> bool {
    world
        .ask(name, sender.kind())
        .is_some_and(|reply| sender.among(super::names::plain(reply), 32, 128))
}

fn lies_in(name: &str, domain: &str) -> bool {
    name.strip_suffix(domain)
        .is_some_and(|head| head.is_empty() || head.ends_with('.'))
}

/// The macro `p`: the name of the sender's address, in `domain` if there is one.
fn validated(world: &World<'_>, sender: &Sender<'_>, domain: &str) -> String {
    let domain = domain.to_ascii_lowercase();
    let mut all = names(world, sender).unwrap_or_default();
    all.retain(|name| leads_back(world, sender, name));
    let best = all
        .iter()
        .find(|name| **name == domain)
        .or_else(|| all.iter().find(|name| lies_in(name, &domain)))
        .or(all.first());
    best.map_or_else(|| "unknown".to_owned(), Clone::clone)
}

/// Why an evaluation ends early.
enum Stop {
    Permanent,
    Temporary,
}

struct Evaluation<'a> {
    world: &'a World<'a>,
    sender: Sender<'a>,
    lookups: usize,
    voids: usize,
}

/// What a receiver makes of `text`, the record of `sender.domain`.
pub(super) fn evaluate(world: &World<'_>, text: &str, sender: Sender<'_>) -> Outcome {
    let all = terms(text);
    if broken(&all) {
        return Outcome::Permanent;
    }
    evaluated(world, &all, sender)
}

fn evaluated(world: &World<'_>, all: &[Term], sender: Sender<'_>) -> Outcome {
    let mut evaluation = Evaluation {
        world,
        sender,
        lookups: 0,
        voids: 0,
    };
    match evaluation.policy(all, sender.domain) {
        Ok(outcome) => outcome,
        Err(Stop::Permanent) => Outcome::Permanent,
        Err(Stop::Temporary) => Outcome::Temporary,
    }
}

impl Evaluation<'_> {
    fn count(&mut self) -> Result<(), Stop> {
        self.lookups += 1;
        if self.lookups > LOOKUPS {
            return Err(Stop::Permanent);
        }
        Ok(())
    }

    /// The records of a name; counts what comes back empty.
    fn look(&mut self, name: &str, kind: &'static str) -> Result<Vec<String>, Stop> {
        let found = match self.world.ask(name, kind) {
            None | Some(Reply::Failed(_)) => return Err(Stop::Temporary),
            Some(reply) => super::names::plain(reply),
        };
        if found.is_empty() {
            self.voids += 1;
            if self.voids > VOIDS {
                return Err(Stop::Permanent);
            }
        }
        Ok(found.into_iter().map(str::to_owned).collect())
    }

    fn expand(&self, text: &str, domain: &str) -> String {
        expand(self.world, text, &self.sender, domain)
    }

    fn within(&self, found: &[String], four: u8, six: u8) -> bool {
        let found = found.iter().map(String::as_str);
        self.sender.among(found, four, six)
    }

    fn policy(&mut self, all: &[Term], domain: &str) -> Result<Outcome, Stop> {
        for term in all {
            let Term::Mechanism(qualifier, name, rest) = term else {
                continue;
            };
            if self.matches(name, rest, domain)? {
                return Ok(match qualifier {
                    Qualifier::Pass => Outcome::Pass,
                    Qualifier::Fail => Outcome::Fail,
                    Qualifier::Softfail => Outcome::Softfail,
                    Qualifier::Neutral => Outcome::Neutral,
                });
            }
        }
        let redirect = all.iter().find_map(|term| match term {
            Term::Modifier(name, value) if name == "redirect" => Some(value),
            _ => None,
        });
        let Some(redirect) = redirect else {
            return Ok(Outcome::Neutral);
        };
        self.count()?;
        let target = self.expand(redirect, domain);
        match policy_of(self.world, &target) {
            Policy::Terms(terms) => self.policy(&terms, &target),
            Policy::Unknown => Err(Stop::Temporary),
            Policy::None(_) | Policy::Broken(_) => Err(Stop::Permanent),
        }
    }

    fn matches(&mut self, name: &str, rest: &str, domain: &str) -> Result<bool, Stop> {
        match name {
            "all" => return Ok(true),
            "ip4" | "ip6" => {
                return Ok(
                    network(name, rest).is_some_and(|net| net.contains(&self.sender.address))
                );
            }
            _ => self.count()?,
        }
        let named = rest.strip_prefix(':').unwrap_or(domain);
        match name {
            "include" => {
                let target = self.expand(named, domain);
                match policy_of(self.world, &target) {
                    Policy::Terms(terms) => Ok(self.policy(&terms, &target)? == Outcome::Pass),
                    Policy::Unknown => Err(Stop::Temporary),
                    Policy::None(_) | Policy::Broken(_) => Err(Stop::Permanent),
                }
            }
            "a" => {
                let (place, four, six) = place(rest, domain);
                let found = self.look(&self.expand(place, domain), self.sender.kind())?;
                Ok(self.within(&found, four, six))
            }
            "mx" => {
                let (place, four, six) = place(rest, domain);
                let hosts = self.look(&self.expand(place, domain), "MX")?;
                if hosts.len() > EXCHANGES {
                    return Err(Stop::Permanent);
                }
                for host in hosts {
                    let host = super::names::exchange(&host).to_owned();
                    // A null MX names no host (RFC 7505).
                    if host == "." {
                        continue;
                    }
                    let found = self.look(&host, self.sender.kind())?;
                    if self.within(&found, four, six) {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            "exists" => {
                let found = self.look(&self.expand(named, domain), "A")?;
                Ok(!found.is_empty())
            }
            // `ptr`: a name of the address in the domain (§5.5). Names that cannot be had match nothing.
            _ => {
                let domain = self.expand(named, domain).to_ascii_lowercase();
                let all = names(self.world, &self.sender).unwrap_or_default();
                Ok(all.iter().any(|name| {
                    lies_in(name, &domain) && leads_back(self.world, &self.sender, name)
                }))
            }
        }
    }
}

/// Walks through all records that `text` leads to.
pub(super) fn tree(world: &World<'_>, text: &str, sender: Sender<'_>) -> Tree {
    let mut tree = Tree::default();
    let mut seen = 0;
    let mut way = vec![sender.domain.to_ascii_lowercase()];
    walk(world, &terms(text), &sender, &mut way, &mut tree, &mut seen);
    tree
}

fn walk(
    world: &World<'_>,
    all: &[Term],
    sender: &Sender<'_>,
    way: &mut Vec<String>,
    tree: &mut Tree,
    seen: &mut usize,
) {
    let domain = way.last().cloned().unwrap_or_default();
    let ends = all
        .iter()
        .any(|term| matches!(term, Term::Mechanism(_, name, _) if name == "all"));
    for term in all {
        *seen += 1;
        if *seen > LARGEST {
            return;
        }
        let (name, rest) = match term {
            Term::Mechanism(_, name, rest) => (name.as_str(), rest.as_str()),
            Term::Modifier(name, value) if name == "redirect" && !ends => {
                ("redirect", value.as_str())
            }
            _ => continue,
        };
        match name {
            // What stands after it is never looked at.
            "all" => return,
            "ip4" | "ip6" => continue,
            _ => tree.lookups += 1,
        }
        let place = match name {
            "redirect" => rest,
            _ => place(rest, &domain).0,
        };
        let target = expand(world, place, sender, &domain).to_ascii_lowercase();
        match name {
            "include" | "redirect" => {
                if let Some(at) = way.iter().position(|one| *one == target) {
                    let mut circle = way.get(at..).unwrap_or_default().to_vec();
                    circle.push(target);
                    tree.circle.get_or_insert(circle);
                    continue;
                }
                match policy_of(world, &target) {
                    Policy::Terms(terms) => {
                        way.push(target);
                        walk(world, &terms, sender, way, tree, seen);
                        way.pop();
                    }
                    Policy::None(why) | Policy::Broken(why) => {
                        tree.dead.get_or_insert((target, why));
                    }
                    Policy::Unknown => tree.uncertain = true,
                }
            }
            "a" | "exists" => void(world, &target, name == "exists", sender, tree),
            "mx" => match world.ask(&target, "MX") {
                None | Some(Reply::Failed(_)) => tree.uncertain = true,
                Some(reply) => {
                    let hosts: Vec<&str> = super::names::plain(reply)
                        .into_iter()
                        .map(super::names::exchange)
                        .collect();
                    if hosts.is_empty() {
                        tree.voids.push(target.clone());
                    }
                    if hosts.len() > EXCHANGES {
                        tree.exchanges.get_or_insert((target.clone(), hosts.len()));
                    }
                    for host in hosts
                        .into_iter()
                        .filter(|host| *host != ".")
                        .take(EXCHANGES)
                    {
                        void(world, host, false, sender, tree);
                    }
                }
            },
            _ => {}
        }
    }
}

/// Notes a name without addresses.
fn void(world: &World<'_>, name: &str, four: bool, sender: &Sender<'_>, tree: &mut Tree) {
    let kind = if four { "A" } else { sender.kind() };
    match world.ask(name, kind) {
        None | Some(Reply::Failed(_)) => tree.uncertain = true,
        Some(reply) if reply.records().is_empty() => {
            tree.voids.push(name.trim_end_matches('.').to_owned());
        }
        Some(_) => {}
    }
}
