//! What is known of names, and what has to be asked yet: judging is done again and again, until nothing more is wanted.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

use super::{Facts, Fetched, Question, Reply, Shown};
use crate::dns::is_reverse;

/// What the judgement lacks, for the host to find out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Wanted {
    /// Names and types. Those in a zone of the deployment are asked of its own servers, others of the resolver.
    pub names: BTreeSet<(String, &'static str)>,
    /// Domains whose MTA-STS policy is to be fetched.
    pub policies: BTreeSet<String>,
    /// Whether port 25 of the mail host is to be looked at.
    pub chains: bool,
}

impl Wanted {
    /// Whether there is nothing more to find out.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty() && self.policies.is_empty() && !self.chains
    }
}

pub(super) struct World<'a> {
    facts: &'a Facts,
    zones: Vec<&'a str>,
    names: RefCell<BTreeSet<(String, &'static str)>>,
    policies: RefCell<BTreeSet<String>>,
    chains: Cell<bool>,
}

impl<'a> World<'a> {
    pub(super) fn new(facts: &'a Facts, zones: Vec<&'a str>) -> Self {
        Self {
            facts,
            zones,
            names: RefCell::default(),
            policies: RefCell::default(),
            chains: Cell::new(false),
        }
    }

    /// What is said of a name; nothing if nobody was asked yet.
    pub(super) fn ask(&self, name: &str, kind: &'static str) -> Option<&'a Reply> {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        if name.is_empty()
            || name.len() > 253
            || name.split('.').any(|l| l.is_empty() || l.len() > 63)
        {
            return Some(&Reply::Absent);
        }
        if let Some(zone) = zone_of(&self.zones, &name) {
            let own = self
                .facts
                .replies
                .get(&Question::new(zone, name.as_str(), kind));
            let own = own.and_then(|all| all.values().find(|reply| !reply.failed()));
            if own.is_some() {
                return own;
            }
        }
        let key = (name, kind);
        let found = self.facts.outside.get(&key);
        if found.is_none() {
            self.names.borrow_mut().insert(key);
        }
        found
    }

    /// The policy of a domain; nothing if nobody has fetched it yet.
    pub(super) fn policy(&self, domain: &str) -> Option<&'a Fetched> {
        let found = self.facts.policies.get(domain);
        if found.is_none() {
            self.policies.borrow_mut().insert(domain.to_owned());
        }
        found
    }

    /// What port 25 shows; nothing if nobody has looked yet.
    pub(super) fn shown(&self) -> Option<&'a Shown> {
        self.chains.set(self.facts.shown.is_none());
        self.facts.shown.as_ref()
    }

    pub(super) fn wanted(self) -> Wanted {
        Wanted {
            names: self.names.into_inner(),
            policies: self.policies.into_inner(),
            chains: self.chains.get(),
        }
    }
}

/// The zone of `zones` that `name` lies in. Where reverse zones begin is not known.
pub(crate) fn zone_of<'a>(zones: &[&'a str], name: &str) -> Option<&'a str> {
    zones
        .iter()
        .filter(|zone| {
            name.strip_suffix(**zone)
                .is_some_and(|head| head.is_empty() || head.ends_with('.'))
                && !is_reverse(zone)
        })
        .max_by_key(|zone| zone.len())
        .copied()
}
