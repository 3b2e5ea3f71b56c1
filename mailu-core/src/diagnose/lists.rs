//! Reputation lists in DNS (RFC 5782): which are asked, and what their answers mean.

use std::net::{IpAddr, Ipv4Addr};

use super::{ListSeen, Observed, Verdict};
use crate::config::Config;
use crate::finding::Finding;

/// What a list is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// Addresses that mail comes from.
    Address,
    /// Domains.
    Domain,
}

/// A reputation list.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct List {
    /// Its zone.
    pub zone: &'static str,
    /// What it is about.
    pub kind: Kind,
    /// How many receivers go by it: 1 most, 2 many.
    pub tier: u8,
    /// Whether it knows addresses of IPv6.
    pub ipv6: bool,
    /// Where somebody asks to be taken off.
    pub removal: &'static str,
}

/// The lists that are asked. Those that ended (SORBS), that want a registration, or that are paid to be left are not among them.
pub const LISTS: [List; 5] = [
    List {
        zone: "zen.spamhaus.org",
        kind: Kind::Address,
        tier: 1,
        ipv6: true,
        removal: "https://check.spamhaus.org/",
    },
    List {
        zone: "bl.spamcop.net",
        kind: Kind::Address,
        tier: 2,
        ipv6: false,
        removal: "https://www.spamcop.net/bl.shtml",
    },
    List {
        zone: "psbl.surriel.com",
        kind: Kind::Address,
        tier: 2,
        ipv6: false,
        removal: "https://psbl.org/remove",
    },
    List {
        zone: "bl.mailspike.net",
        kind: Kind::Address,
        tier: 2,
        ipv6: false,
        removal: "https://www.mailspike.org/iplookup.html",
    },
    List {
        zone: "dbl.spamhaus.org",
        kind: Kind::Domain,
        tier: 1,
        ipv6: false,
        removal: "https://check.spamhaus.org/",
    },
];

impl List {
    /// The name to ask for an address; nothing where the list does not know its kind.
    pub fn name_of_address(&self, address: IpAddr) -> Option<String> {
        if self.kind != Kind::Address {
            return None;
        }
        let reversed = match address {
            IpAddr::V4(v4) => {
                let [a, b, c, d] = v4.octets();
                format!("{d}.{c}.{b}.{a}")
            }
            // RFC 5782 §2.4: by nibbles.
            IpAddr::V6(v6) if self.ipv6 => {
                let nibbles: Vec<String> = v6
                    .octets()
                    .iter()
                    .rev()
                    .flat_map(|octet| [octet & 15, octet >> 4])
                    .map(|nibble| format!("{nibble:x}"))
                    .collect();
                nibbles.join(".")
            }
            IpAddr::V6(_) => return None,
        };
        Some(format!("{reversed}.{}", self.zone))
    }

    /// The names of its test entries: one that it must list, and one that it must not (RFC 5782 §5).
    pub fn tests(&self) -> [String; 2] {
        match self.kind {
            Kind::Address => ["2.0.0.127", "1.0.0.127"],
            Kind::Domain => ["test", "invalid"],
        }
        .map(|name| format!("{name}.{}", self.zone))
    }
}

/// What an answer means.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Meaning {
    /// It is not listed.
    Unlisted,
    /// It is listed, and for what.
    Listed(&'static str),
    /// The list did not say. Why.
    Unknown(String),
}

/// What addresses in an answer of the list `zone` mean.
pub fn meaning(zone: &str, answer: &[IpAddr]) -> Meaning {
    let Some(IpAddr::V4(first)) = answer.first() else {
        return if answer.is_empty() {
            Meaning::Unlisted
        } else {
            Meaning::Unknown("it answers with something that is no code".to_owned())
        };
    };
    let codes: Vec<[u8; 4]> = answer
        .iter()
        .filter_map(|one| match one {
            IpAddr::V4(v4) => Some(v4.octets()),
            IpAddr::V6(_) => None,
        })
        .collect();
    // Never a listing: 127.255.255.0/24 is how lists refuse, and whatever is outside 127.0.0.0/8 comes from somebody else.
    for code in &codes {
        match code {
            [127, 255, 255, last] => {
                let why = match last {
                    252 => "it says that its name was typed wrongly",
                    254 => {
                        "it does not answer to public or unknown resolvers; ask by a resolver of your own"
                    }
                    255 => "it has had too many questions from this resolver",
                    _ => "it refuses to answer",
                };
                return Meaning::Unknown(format!("{why} ({})", Ipv4Addr::from(*code)));
            }
            [127, ..] => {}
            _ => {
                return Meaning::Unknown(format!(
                    "{first} is no code of a list: somebody else answers for it"
                ));
            }
        }
    }
    let has = |wanted: &dyn Fn(&[u8; 4]) -> bool| codes.iter().any(wanted);
    match zone {
        "zen.spamhaus.org" => {
            if has(&|code| matches!(code, [127, 0, 0, 2 | 3 | 9])) {
                Meaning::Listed("as a source of spam (SBL, CSS, DROP)")
            } else if has(&|code| matches!(code, [127, 0, 0, 4..=7])) {
                Meaning::Listed("as a machine that somebody else controls (XBL)")
            } else if has(&|code| matches!(code, [127, 0, 0, 10 | 11])) {
                Meaning::Listed(
                    "as an address that should send no mail by itself (PBL): it is from a range for homes or new servers",
                )
            } else {
                Meaning::Unknown(format!("it answers with a code that is not known: {first}"))
            }
        }
        "dbl.spamhaus.org" => {
            if has(&|code| matches!(code, [127, 0, 1, 255])) {
                Meaning::Unknown("it was asked for an address".to_owned())
            } else if has(&|code| matches!(code, [127, 0, 1, 2..=6])) {
                Meaning::Listed("as a domain of spam, phishing or malware")
            } else if has(&|code| matches!(code, [127, 0, 1, 102..=106])) {
                Meaning::Listed("as a domain that was broken into and abused")
            } else {
                Meaning::Unknown(format!("it answers with a code that is not known: {first}"))
            }
        }
        // 127.0.0.16 to 18 of bl.mailspike.net say that an address is neutral or good.
        "bl.mailspike.net" if has(&|code| matches!(code, [127, 0, 0, 16..=20])) => {
            Meaning::Unlisted
        }
        _ => Meaning::Listed("as a source of spam"),
    }
}

/// Why a list's answers cannot be believed, by what it says of its test entries.
fn broken(seen: &ListSeen) -> Option<String> {
    let [listed, unlisted] = &seen.tests;
    match (listed, unlisted) {
        (Err(why), _) | (_, Err(why)) => Some(why.clone()),
        (Ok(listed), Ok(unlisted)) => match meaning(seen.zone, listed) {
            Meaning::Unknown(why) => Some(why),
            Meaning::Unlisted => Some(
                "it does not list its own test entry (RFC 5782 §5), so that it may have ended"
                    .to_owned(),
            ),
            Meaning::Listed(_) if !unlisted.is_empty() => Some(
                "it lists what it must not (RFC 5782 §5): it answers for everything".to_owned(),
            ),
            Meaning::Listed(_) => None,
        },
    }
}

pub(super) fn judge(_: &Config, observed: &Observed) -> Verdict {
    if observed.lists.is_empty() {
        return Verdict::undone("not asked: no public address is known (`dns.ipv4`)");
    }
    let mut verdict = Verdict::of("", Vec::new());
    let mut good = 0;
    for seen in &observed.lists {
        let mut unknown = |why: String| {
            let subject = format!("{} at {}", seen.subject, seen.zone);
            verdict.unknown.push((subject, why));
        };
        if let Some(why) = broken(seen) {
            unknown(why);
            continue;
        }
        let answer = match &seen.answer {
            Ok(answer) => answer,
            Err(why) => {
                unknown(why.clone());
                continue;
            }
        };
        match meaning(seen.zone, answer) {
            Meaning::Unlisted => good += 1,
            Meaning::Unknown(why) => unknown(why),
            Meaning::Listed(what) => {
                let Some(list) = LISTS.iter().find(|list| list.zone == seen.zone) else {
                    continue;
                };
                let message = format!("is on the list {}, {what}", list.zone);
                let finding = if list.tier == 1 {
                    Finding::error("list.listed", &seen.subject, message)
                } else {
                    Finding::warning("list.listed", &seen.subject, message)
                };
                let codes: Vec<String> = answer.iter().map(ToString::to_string).collect();
                let finding = finding.value(codes.join(", ")).hint(if what.contains("(PBL)") {
                    "send through a relay (`relay.host`), or ask the provider for an address that may send mail".to_owned()
                } else {
                    "find out first who sent it (`mailu logs` of smtp, and each account's password), then ask to be taken off".to_owned()
                });
                verdict
                    .findings
                    .push(finding.hint(format!("{} says why, and takes off", list.removal)));
            }
        }
    }
    verdict.summary = Some(format!(
        "{good} of {} answers say that nothing is listed",
        observed.lists.len()
    ));
    verdict
}
