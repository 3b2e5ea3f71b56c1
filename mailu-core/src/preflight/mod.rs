//! Whether this host can run a deployment: facts in, findings out, all at once.
//!
//! Each check has an identifier (`preflight.ports`) by which it can be skipped. The host gathers the [`Facts`].

mod engine;
mod facts;
mod host;
mod internet;
mod names;
mod neighbours;
mod ports;
mod relay;
pub mod traefik;

use std::collections::BTreeSet;
use std::net::SocketAddr;

use serde::Serialize;

use crate::config::Config;
use crate::error::{Error, ErrorKind};
use crate::finding::{Finding, Severity, has_errors, nearest};

pub use facts::{
    Bind, Daemon, Disk, DnsAnswer, DnsProbe, EngineFacts, Facts, Holds, Listener, Lookup,
    MailProbe, NetworkFacts, Taken, TraefikFacts, Unanswered,
};
pub use internet::relay_target;
pub use names::wanted as wanted_names;
pub use ports::wanted as wanted_ports;

/// A check.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Check {
    /// Its identifier.
    pub id: &'static str,
    /// What it looks at.
    pub about: &'static str,
    /// Whether it may be skipped: what one deployment would take from another may not.
    pub skippable: bool,
    /// Whether it asks other hosts, so that it may fail for a moment without anything being wrong here.
    pub asks_others: bool,
    needs_engine: bool,
    judge: fn(&Config, &Facts) -> Verdict,
}

const fn check(
    id: &'static str,
    about: &'static str,
    needs_engine: bool,
    judge: fn(&Config, &Facts) -> Verdict,
) -> Check {
    Check {
        id,
        about,
        skippable: true,
        asks_others: false,
        needs_engine,
        judge,
    }
}

/// Every check, in the order of the report.
pub const CHECKS: [Check; 18] = [
    check(
        "preflight.root",
        "the rights of this process",
        false,
        host::root,
    ),
    check(
        "preflight.engine",
        "the Docker engine",
        false,
        engine::engine,
    ),
    check(
        "preflight.compose",
        "Docker Compose",
        false,
        engine::compose,
    ),
    Check {
        id: "preflight.fleet",
        about: "names, networks and ports of other deployments",
        skippable: false,
        asks_others: false,
        needs_engine: false,
        judge: neighbours::fleet,
    },
    check(
        "preflight.containers",
        "names of containers",
        true,
        neighbours::containers,
    ),
    check(
        "preflight.networks",
        "addresses of Docker networks",
        true,
        neighbours::networks,
    ),
    check("preflight.ports", "ports of this host", false, ports::judge),
    Check {
        asks_others: true,
        ..check(
            "preflight.names",
            "DNS names that lead here",
            false,
            names::judge,
        )
    },
    check("preflight.memory", "memory", false, host::memory),
    check("preflight.disk", "room on disk", false, host::disk),
    Check {
        asks_others: true,
        ..check(
            "preflight.dnssec",
            "DNS with DNSSEC",
            false,
            internet::dnssec,
        )
    },
    Check {
        asks_others: true,
        ..check(
            "preflight.outbound",
            "the way out for mail",
            false,
            internet::outbound,
        )
    },
    check(
        "preflight.open_relay",
        "where connections seem to come from",
        true,
        relay::judge,
    ),
    check("preflight.logs", "the log driver", true, engine::logs),
    check(
        "preflight.traefik",
        "the running Traefik",
        true,
        traefik::running,
    ),
    check(
        "preflight.entrypoints",
        "Traefik's entry points",
        true,
        traefik::entrypoints,
    ),
    check(
        "preflight.proxy_network",
        "the network that Traefik and front share",
        true,
        traefik::network,
    ),
    check(
        "preflight.acme",
        "how certificates are obtained",
        true,
        traefik::acme,
    ),
];

/// How to check.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// Checks to leave out.
    pub skip: BTreeSet<String>,
    /// The DNS server to ask, instead of the host's.
    pub resolver: Option<SocketAddr>,
    /// Mail servers to try, `HOST` or `HOST:PORT`, instead of those of large mail domains.
    pub outbound: Vec<String>,
    /// Root servers of the DNS to ask, instead of the internet's.
    pub roots: Vec<SocketAddr>,
}

impl Options {
    /// Whether a check is to be left out.
    pub fn skips(&self, id: &str) -> bool {
        self.skip.contains(id)
    }

    /// Sees that every check to leave out exists.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] with the list of those that do.
    pub fn known(&self) -> Result<(), Error> {
        let all: Vec<&str> = CHECKS
            .iter()
            .filter(|check| check.skippable)
            .map(|check| check.id)
            .collect();
        let Some(unknown) = self.skip.iter().find(|id| !all.contains(&id.as_str())) else {
            return Ok(());
        };
        let exists = CHECKS.iter().any(|check| check.id == unknown.as_str());
        let why = if exists {
            "it keeps deployments from taking each other's place, and is never skipped"
        } else {
            "there is no such check"
        };
        let mut error = Error::new(
            ErrorKind::InvalidInput,
            "preflight.unknown_check",
            format!("skip the check `{unknown}`: {why}"),
        );
        let near = nearest(unknown, all.iter().copied());
        if let Some(near) = near.filter(|_| !exists) {
            error = error.hint(format!("did you mean `--skip-check {near}`?"));
        }
        Err(error.hint(format!("checks that can be skipped: {}", all.join(", "))))
    }
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "CheckOutcome")
)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Outcome {
    /// Nothing stands against it.
    Passed,
    /// It will run; somebody should look at something.
    Warned,
    /// It would not work.
    Failed,
    /// It was not done: on request, or because something else has to be right first.
    Skipped,
}

/// A check that was done, or skipped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "PreflightCheck")
)]
#[non_exhaustive]
pub struct CheckResult {
    /// Its identifier.
    pub id: String,
    /// How it ended.
    pub outcome: Outcome,
    /// What was seen.
    pub summary: String,
}

/// What all checks found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "PreflightReport")
)]
#[non_exhaustive]
pub struct Report {
    /// The deployment's mail host.
    pub mail_host: String,
    /// Whether nothing keeps the deployment from running.
    pub ready: bool,
    /// Everything that was found, errors first.
    pub findings: Vec<Finding>,
    /// Every check.
    pub checks: Vec<CheckResult>,
    /// The checks that were left out on request.
    pub skipped: BTreeSet<String>,
}

impl Report {
    /// The report as it counts for a deployment that is installed already: what depends on other hosts' answers is worth a
    /// warning, but a network that fails for a moment must not keep anybody from running the same command again.
    #[must_use]
    pub fn of_installed(mut self) -> Self {
        let asks_others = |id: &str| CHECKS.iter().any(|one| one.asks_others && one.id == id);
        for finding in &mut self.findings {
            if finding.severity == Severity::Error && asks_others(&finding.id) {
                finding.severity = Severity::Warning;
            }
        }
        for check in &mut self.checks {
            if check.outcome == Outcome::Failed && asks_others(&check.id) {
                check.outcome = Outcome::Warned;
            }
        }
        self.findings
            .sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        self.ready = !has_errors(&self.findings);
        self
    }

    /// The error with everything that was found, if something keeps the deployment from running.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Conflict`], `preflight.failed`.
    pub fn refusal(&self) -> Result<(), Error> {
        if self.ready {
            return Ok(());
        }
        let failed: Vec<&str> = self
            .checks
            .iter()
            .filter(|check| check.outcome == Outcome::Failed)
            .map(|check| check.id.as_str())
            .collect();
        let errors = crate::config::errors(&self.findings).count();
        let mut error = Error::new(
            ErrorKind::Conflict,
            "preflight.failed",
            format!(
                "start {} on this host: {errors} {} of it; nothing was changed",
                self.mail_host,
                if errors == 1 {
                    "thing stands in the way"
                } else {
                    "things stand in the way"
                }
            ),
        );
        let skips: Vec<String> = failed
            .iter()
            .filter(|id| {
                CHECKS
                    .iter()
                    .any(|check| check.skippable && check.id == **id)
            })
            .map(|id| format!("--skip-check {id}"))
            .collect();
        if !skips.is_empty() {
            error = error.hint(format!(
                "put it right and run the same command again; what you know better, skip: {}",
                skips.join(" ")
            ));
        }
        Err(error.findings(self.findings.clone()))
    }
}

/// What a check says.
#[derive(Debug, Default)]
struct Verdict {
    findings: Vec<Finding>,
    /// What was seen; nothing if the check does not apply.
    summary: Option<String>,
    /// It could not be done.
    undone: bool,
}

impl Verdict {
    /// It does not concern this deployment.
    fn not_needed() -> Self {
        Self::default()
    }

    /// It could not be done.
    fn undone(why: impl Into<String>) -> Self {
        Self {
            findings: Vec::new(),
            summary: Some(why.into()),
            undone: true,
        }
    }

    fn of(summary: impl Into<String>, findings: Vec<Finding>) -> Self {
        Self {
            findings,
            summary: Some(summary.into()),
            undone: false,
        }
    }
}

/// Judges everything that was gathered.
pub fn judge(config: &Config, facts: &Facts, options: &Options) -> Report {
    let mut findings = Vec::new();
    let mut results = Vec::new();
    let mut skipped = BTreeSet::new();
    let mut push = |id: &str, outcome, summary: String| {
        results.push(CheckResult {
            id: id.to_owned(),
            outcome,
            summary,
        });
    };
    for check in &CHECKS {
        if options.skips(check.id) {
            skipped.insert(check.id.to_owned());
            push(check.id, Outcome::Skipped, "skipped on request".to_owned());
            findings.push(
                Finding::notice(
                    "preflight.skipped",
                    check.id,
                    format!(
                        "is left out, as was asked for: nothing is known about {}",
                        check.about
                    ),
                )
                .hint(format!("`mailu check {}` does it later", config.options())),
            );
            continue;
        }
        let there = matches!(facts.engine, Some(Ok(_)));
        let verdict = if check.needs_engine && !there {
            Verdict::undone("not checked: no Docker engine answers")
        } else {
            (check.judge)(config, facts)
        };
        let Some(summary) = verdict.summary else {
            continue;
        };
        let outcome = if verdict.undone {
            Outcome::Skipped
        } else if has_errors(&verdict.findings) {
            Outcome::Failed
        } else if verdict
            .findings
            .iter()
            .any(|finding| finding.severity == Severity::Warning)
        {
            Outcome::Warned
        } else {
            Outcome::Passed
        };
        push(check.id, outcome, summary);
        findings.extend(verdict.findings);
    }
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    Report {
        mail_host: config.mail_host.to_string(),
        ready: !has_errors(&findings),
        findings,
        checks: results,
        skipped,
    }
}

/// Numbers of a version: `28.2.2` is 28, 2, 2; what follows them is left out.
fn version(text: &str) -> Option<(u32, u32, u32)> {
    let text = text.trim().trim_start_matches('v');
    let mut numbers = text.splitn(3, '.').map(|part| {
        let digits: String = part.chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<u32>().ok()
    });
    let major = numbers.next()??;
    Some((
        major,
        numbers.next().flatten().unwrap_or(0),
        numbers.next().flatten().unwrap_or(0),
    ))
}

/// `a, b and c`
fn listed<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    match items.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => items.concat(),
    }
}

/// `2.5 GB`
fn gigabytes(bytes: u64) -> String {
    format!("{}.{} GB", bytes / 1_000_000_000, bytes / 100_000_000 % 10)
}

#[cfg(test)]
mod tests;
