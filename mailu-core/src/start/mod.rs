//! Bringing a deployment up, as data: which services in which order, what has to be made anew, when a service is ready, and
//! what the running server has to show before it counts as installed. Doing it is the host's business.

mod accounts;
mod changes;
mod places;
mod ready;
mod report;
mod trouble;
mod verify;

pub use accounts::{Accounts, accounts, missing};
pub use changes::{Verdict, Wanted, compare, images_of};
pub use places::{Host, Proxy, outside};
pub use ready::late_hints;
pub use ready::{Readiness, Watched, judge, patience, self_check};
pub use report::{Done, Fact, Run, ServiceRun, Stage};
pub use trouble::{Trouble, explain};
pub use verify::{
    ClientSeen, Relay, Seen, client_in, client_seen, dig_status, dkim_text, published, relay,
    relay_undecided, txt_answers,
};

/// Services that are started together and waited for together.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Wave {
    /// The services.
    pub services: Vec<String>,
    /// Whether the next ones only start when these are ready. Otherwise they are waited for at the end.
    pub waits: bool,
}

/// What each wave is made of; services of other names come last. The scanners take minutes to load their databases, and
/// Rspamd defers what it cannot have scanned.
const WAVES: [(&[&str], bool); 6] = [
    (&["resolver"], true),
    (&["redis"], true),
    (&["admin"], true),
    (&["oletools", "antivirus", "fts_attachments"], false),
    (&["antispam"], true),
    (&["imap", "smtp", "front"], true),
];

/// The order in which `services` start.
pub fn waves(services: &[String]) -> Vec<Wave> {
    let known = |name: &String| {
        WAVES
            .iter()
            .any(|(services, _)| services.contains(&name.as_str()))
    };
    let named = WAVES.iter().map(|(names, waits)| Wave {
        services: names
            .iter()
            .filter(|name| services.iter().any(|service| service == *name))
            .map(|name| (*name).to_owned())
            .collect(),
        waits: *waits,
    });
    let rest = Wave {
        services: services
            .iter()
            .filter(|name| !known(name))
            .cloned()
            .collect(),
        waits: true,
    };
    named
        .chain([rest])
        .filter(|wave| !wave.services.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_starts_once_and_in_order() {
        let all: Vec<String> = [
            "webmail",
            "front",
            "own",
            "antispam",
            "admin",
            "smtp",
            "redis",
            "resolver",
            "imap",
            "antivirus",
        ]
        .map(str::to_owned)
        .to_vec();
        let order: Vec<String> = waves(&all).iter().map(|w| w.services.join("+")).collect();
        assert_eq!(
            order,
            [
                "resolver",
                "redis",
                "admin",
                "antivirus",
                "antispam",
                "imap+smtp+front",
                "webmail+own"
            ]
        );
        assert_eq!(waves(&[]), []);
    }
}
