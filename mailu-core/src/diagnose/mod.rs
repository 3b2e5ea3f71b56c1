//! What is wrong with a deployment, from its containers to what the world says of it: facts in, findings out.
//!
//! The host gathers [`Observed`]; [`judge`] says what follows. A finding that is there only because of another is silenced, what could
//! not be found out is *unknown* and no finding, and what somebody has decided to live with is set aside by a rule with a reason.

mod apps;
mod causes;
mod facts;
mod ignore;
mod lists;
mod machine;
mod mail;
mod ports;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::dns::check::State;
use crate::error::{Error, ErrorKind};
use crate::finding::{Finding, Severity, nearest};
use crate::pages::{self, Page};

pub use apps::{
    AppsSeen, Connected, FILES as APP_FILES, SCRIPT as APP_SCRIPT, UNWIRED as APP_DIRECTORIES,
};
pub use facts::{
    Disk, Files, Greeting, ListSeen, Memory, Observed, PortSeen, RelaySeen, Reply, Signing, Unsaid,
    Wiring,
};
pub use ignore::IgnoreRule;
pub(crate) use ignore::is_date;
pub use lists::{Kind as ListKind, LISTS, List, Meaning, meaning};

/// What [`Disk::holds`] says of the file system for mail.
pub const MAIL: &str = "mail and configuration";

/// The summary of a check that `--only` or `--skip` leaves out.
pub const NOT_ASKED_FOR: &str = "not asked for";

/// A check.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Check {
    /// Its name, for `--only` and `--skip`.
    pub id: &'static str,
    /// What it looks at.
    pub about: &'static str,
    /// The first parts of the identifiers of what it finds.
    pub areas: &'static [&'static str],
    /// Whether it asks other hosts.
    pub asks_others: bool,
    judge: fn(&Config, &Observed) -> Verdict,
}

const fn check(
    id: &'static str,
    about: &'static str,
    areas: &'static [&'static str],
    judge: fn(&Config, &Observed) -> Verdict,
) -> Check {
    Check {
        id,
        about,
        areas,
        asks_others: false,
        judge,
    }
}

const fn others(check: Check) -> Check {
    Check {
        asks_others: true,
        ..check
    }
}

/// Every check. What comes first is taken for the cause of what comes later.
pub const CHECKS: [Check; 19] = [
    check("engine", "the Docker engine", &["engine"], engine),
    check(
        "disk",
        "room on disk, and for files",
        &["disk"],
        machine::disk,
    ),
    check("memory", "memory", &["memory"], machine::memory),
    others(check("clock", "the clock", &["clock"], machine::clock)),
    check(
        "settings",
        "files, and what connects the containers",
        &[
            "settings", "env", "config", "compose", "status", "tls", "names", "network", "relay",
            "secret", "mta_sts", "fleet", "dns", "dkim", "web",
        ],
        settings,
    ),
    check(
        "services",
        "the containers",
        &["service", "status"],
        services,
    ),
    check(
        "resolver",
        "DNSSEC, as the containers see it",
        &["resolver"],
        machine::resolver,
    ),
    check(
        "certificates",
        "certificates and keys",
        &["certs", "acme"],
        certificates,
    ),
    check(
        "ports",
        "what ports answer",
        &["port", "smtp"],
        ports::judge,
    ),
    check("relay", "what strangers may do", &["smtp"], mail::relay),
    check(
        "recipients",
        "addresses that every domain needs",
        &["smtp"],
        mail::recipients,
    ),
    check("signing", "DKIM keys in use", &["signing"], mail::signing),
    check("queue", "the mail queue", &["queue"], queue),
    check("backups", "backups", &["backup"], backups),
    others(check(
        "outbound",
        "the way out for mail",
        &["port"],
        machine::outbound,
    )),
    others(check(
        "dns",
        "DNS records",
        &[
            "ns", "dnssec", "host", "ptr", "helo", "mx", "spf", "dkim", "dmarc", "sts", "tlsrpt",
            "caa", "srv", "auto", "tlsa", "bimi", "dns", "txt",
        ],
        records,
    )),
    others(check("lists", "reputation lists", &["list"], lists::judge)),
    check("secrets", "who can read secrets", &["secrets"], secrets),
    check(
        "apps",
        "what AgencyStack's scripts have left with apps",
        &["app"],
        apps::judge,
    ),
];

/// Which checks are done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// Only these: names of checks (`ports`), identifiers of findings (`spf.all`) or their first parts (`spf`). All, if empty.
    pub only: BTreeSet<String>,
    /// Not these, likewise.
    pub skip: BTreeSet<String>,
}

/// The check of that name.
fn named(name: &str) -> Option<&'static Check> {
    CHECKS.iter().find(|check| check.id == name)
}

/// Whether `name` can be the identifier of something that `check` finds, or its first part.
fn finds(check: &Check, name: &str) -> bool {
    let area = name.split('.').next().unwrap_or_default();
    check.areas.contains(&area)
}

impl Options {
    /// Sees that every name means something.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] with the names that there are.
    pub fn known(&self) -> Result<(), Error> {
        for name in self.only.iter().chain(&self.skip) {
            if named(name).is_some() || CHECKS.iter().any(|check| finds(check, name)) {
                continue;
            }
            let all: Vec<&str> = CHECKS.iter().map(|check| check.id).collect();
            let mut error = Error::new(
                ErrorKind::InvalidInput,
                "diagnose.unknown_check",
                format!(
                    "choose checks by `{name}`: there is no such check, and nothing that is found is called so"
                ),
            );
            if let Some(near) = nearest(name, all.iter().copied()) {
                error = error.hint(format!("did you mean `{near}`?"));
            }
            return Err(error.hint(format!("checks: {}", all.join(", "))));
        }
        Ok(())
    }

    /// Whether `check` is to be done.
    pub fn wants(&self, check: &str) -> bool {
        let Some(check) = named(check) else {
            return false;
        };
        let asked = self.only.is_empty()
            || self
                .only
                .iter()
                .any(|name| name == check.id || named(name).is_none() && finds(check, name));
        asked && !self.skip.contains(check.id)
    }

    /// Whether a finding of `check` is to be reported.
    fn keeps(&self, check: &Check, finding: &Finding) -> bool {
        let by_finding = |name: &&String| {
            named(name).is_none_or(|named| named.id != check.id)
                && ignore::covers(name, &finding.id)
        };
        let asked = self.only.is_empty()
            || self.only.contains(check.id)
            || self.only.iter().any(|name| by_finding(&name));
        asked && !self.skip.iter().any(|name| by_finding(&name))
    }
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "DiagnosisOutcome")
)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Outcome {
    /// All is well.
    Passed,
    /// Somebody should look at something.
    Warned,
    /// Something does not work.
    Failed,
    /// It could not be found out, at least not all of it.
    Unknown,
    /// It was not done.
    Skipped,
}

impl Outcome {
    /// As it is printed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Warned => "warned",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Skipped => "skipped",
        }
    }
}

/// A check and how it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "DiagnosisCheck")
)]
#[non_exhaustive]
pub struct CheckResult {
    /// The check's name.
    pub id: String,
    /// What it looks at.
    pub about: String,
    /// How it ended.
    pub outcome: Outcome,
    /// What was seen, in a few words.
    pub summary: String,
}

/// A finding that is there only because of another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Silenced {
    /// The finding.
    pub finding: Finding,
    /// The identifier of its cause.
    pub cause: String,
    /// The subject of its cause.
    pub cause_subject: String,
}

/// A finding that somebody has decided to live with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Ignored {
    /// The finding.
    pub finding: Finding,
    /// Why.
    pub reason: String,
    /// The last day, `YYYY-MM-DD`.
    pub until: Option<String>,
}

/// Something that could not be found out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Unknown {
    /// The check.
    pub check: String,
    /// What about.
    pub subject: String,
    /// Why not.
    pub why: String,
}

/// How the findings differ from those of the diagnosis before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Changes {
    /// When the diagnosis before was made, RFC 3339 in UTC; absent where there is none.
    pub since: Option<String>,
    /// What was not found then.
    pub appeared: Vec<Finding>,
    /// What was found only then.
    pub gone: Vec<Remembered>,
}

/// A finding of an earlier diagnosis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Remembered {
    /// Its identifier.
    pub id: String,
    /// What it was about.
    pub subject: String,
    /// What it said.
    pub message: String,
}

/// What is kept of a diagnosis, to compare the next one with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Memo {
    /// When it was made, RFC 3339 in UTC.
    pub at: String,
    /// What it found.
    pub findings: Vec<Remembered>,
}

/// A diagnosis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Diagnosis")
)]
#[non_exhaustive]
pub struct Report {
    /// Version of this format.
    pub schema: u32,
    /// The deployment's mail host.
    pub mail_host: String,
    /// Its client.
    pub client: Option<String>,
    /// When it was made, RFC 3339 in UTC.
    pub at: String,
    /// Whether nothing was found that needs an eye.
    pub healthy: bool,
    /// What is wrong, worst first, causes only.
    pub findings: Vec<Finding>,
    /// What follows from those.
    pub silenced: Vec<Silenced>,
    /// What somebody has decided to live with.
    pub ignored: Vec<Ignored>,
    /// What could not be found out.
    pub unknown: Vec<Unknown>,
    /// The checks, in the order in which they were judged.
    pub checks: Vec<CheckResult>,
    /// What is new and what is gone; absent where nobody asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changes: Option<Changes>,
}

impl Report {
    /// It as a page that needs nothing else, with the name and logo of `page`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Internal`] if the template is broken.
    pub fn page(&self, page: &Page) -> Result<String, Error> {
        let count = |severity: Severity| {
            let all = self.findings.iter();
            all.filter(|finding| finding.severity == severity).count()
        };
        let (verdict, headline) = match (count(Severity::Error), count(Severity::Warning)) {
            (0, 0) => (pages::Verdict::Good, "Nothing is wrong.".to_owned()),
            (0, warnings) => (
                pages::Verdict::Unsure,
                format!("It works; {warnings} to look at."),
            ),
            (errors, warnings) => (
                pages::Verdict::Bad,
                format!("{errors} to mend, {warnings} to look at."),
            ),
        };
        let silenced: Vec<pages::Silenced> = self
            .silenced
            .iter()
            .map(|one| pages::Silenced {
                finding: one.finding.clone(),
                cause: one.cause.clone(),
            })
            .collect();
        let ignored: Vec<pages::Ignored> = self
            .ignored
            .iter()
            .map(|one| pages::Ignored {
                finding: one.finding.clone(),
                reason: one.reason.clone(),
                until: one.until.clone(),
            })
            .collect();
        let mut checks: Vec<pages::Check> = self
            .checks
            .iter()
            .map(|one| pages::Check {
                id: one.id.clone(),
                about: one.about.clone(),
                outcome: match one.outcome {
                    Outcome::Passed => pages::CheckOutcome::Passed,
                    Outcome::Warned => pages::CheckOutcome::Warned,
                    Outcome::Failed => pages::CheckOutcome::Failed,
                    Outcome::Unknown => pages::CheckOutcome::Unknown,
                    Outcome::Skipped => pages::CheckOutcome::Skipped,
                },
                summary: one.summary.clone(),
            })
            .collect();
        for one in &mut checks {
            let why: Vec<String> = self
                .unknown
                .iter()
                .filter(|unknown| unknown.check == one.id)
                .map(|unknown| format!("{}: {}", unknown.subject, unknown.why))
                .collect();
            if !why.is_empty() {
                one.summary = why.join("; ");
            }
        }
        pages::report_page(&pages::ReportPage {
            mail_host: &self.mail_host,
            checked_at: &self.at,
            verdict,
            headline: &headline,
            findings: &self.findings,
            silenced: &silenced,
            ignored: &ignored,
            checks: &checks,
            page,
        })
    }

    /// What is to be kept of it.
    pub fn memo(&self) -> Memo {
        Memo {
            at: self.at.clone(),
            findings: self
                .findings
                .iter()
                .map(|finding| Remembered {
                    id: finding.id.clone(),
                    subject: finding.subject.clone(),
                    message: finding.message.clone(),
                })
                .collect(),
        }
    }

    /// Compares it with the one before.
    pub fn compare(&mut self, before: Option<&Memo>) {
        let same =
            |one: &Remembered, other: &Finding| one.id == other.id && one.subject == other.subject;
        let old: &[Remembered] = before.map_or(&[], |memo| &memo.findings);
        self.changes = Some(Changes {
            since: before.map(|memo| memo.at.clone()),
            appeared: self
                .findings
                .iter()
                .filter(|now| !old.iter().any(|then| same(then, now)))
                .cloned()
                .collect(),
            gone: old
                .iter()
                .filter(|then| !self.findings.iter().any(|now| same(then, now)))
                .cloned()
                .collect(),
        });
    }
}

/// What a check says.
struct Verdict {
    findings: Vec<Finding>,
    unknown: Vec<(String, String)>,
    /// What was seen; nothing where the check does not concern this deployment.
    summary: Option<String>,
    undone: bool,
}

impl Verdict {
    fn of(summary: impl Into<String>, findings: Vec<Finding>) -> Self {
        Self {
            findings,
            unknown: Vec::new(),
            summary: Some(summary.into()),
            undone: false,
        }
    }

    fn undone(summary: impl Into<String>) -> Self {
        Self {
            undone: true,
            ..Self::of(summary, Vec::new())
        }
    }

    fn unknown(subject: &str, why: String) -> Self {
        Self {
            unknown: vec![(subject.to_owned(), why.clone())],
            ..Self::of(why, Vec::new())
        }
    }

    /// By what nobody has decided to live with.
    fn outcome(&self, ignored: impl Fn(&Finding) -> bool) -> Outcome {
        let worst = self
            .findings
            .iter()
            .filter(|finding| !ignored(finding))
            .map(|finding| finding.severity)
            .max();
        match worst {
            Some(Severity::Error) => Outcome::Failed,
            Some(Severity::Warning) => Outcome::Warned,
            _ if self.undone => Outcome::Skipped,
            _ if !self.unknown.is_empty() => Outcome::Unknown,
            _ => Outcome::Passed,
        }
    }
}

fn engine(_: &Config, observed: &Observed) -> Verdict {
    if let Some(finding) = &observed.engine {
        return Verdict::of("does not answer", vec![finding.clone()]);
    }
    match observed
        .status
        .as_ref()
        .and_then(|status| status.engine.as_ref())
    {
        Some(version) => Verdict::of(format!("Docker {version}"), Vec::new()),
        None => Verdict::undone("not asked"),
    }
}

/// Those of `mailu status` whose identifiers begin with one of `areas`.
fn of_status(observed: &Observed, areas: &[&str]) -> Vec<Finding> {
    observed
        .status
        .iter()
        .flat_map(|status| &status.findings)
        .filter(|finding| {
            let area = finding.id.split('.').next().unwrap_or_default();
            areas.contains(&area)
        })
        .cloned()
        .collect()
}

fn services(_: &Config, observed: &Observed) -> Verdict {
    let Some(status) = observed
        .status
        .as_ref()
        .filter(|status| status.engine.is_some())
    else {
        return Verdict::undone("not seen");
    };
    Verdict::of(
        format!(
            "{} of {} services are well",
            status.well(),
            status.services.len()
        ),
        of_status(observed, &["service", "status"]),
    )
}

fn settings(config: &Config, observed: &Observed) -> Verdict {
    let Some(files) = &observed.files else {
        return Verdict::undone("not looked at");
    };
    let options = config.options();
    let mut out: Vec<Finding> = Vec::new();
    for wiring in &files.wiring {
        let shown = |value: &Option<String>| match value {
            Some(value) if value.is_empty() => "nothing".to_owned(),
            Some(value) => format!("`{value}`"),
            None => "nothing".to_owned(),
        };
        out.push(
            Finding::error(
                "settings.wiring",
                &wiring.subject,
                format!(
                    "is {}, and has to be {}, or the containers and Traefik do not fit together",
                    shown(&wiring.there),
                    shown(&wiring.wanted)
                ),
            )
            .hint(match wiring.subject.strip_prefix("mailu.env: ") {
                Some(name) => format!("`mailu apply {options} --reset {name}` puts it back"),
                None => format!("take what changes it out of docker-compose.override.yml, then `mailu apply {options}`"),
            }),
        );
    }
    if let Some(networks) = &observed.networks
        && let Some(subnet) = config.network.subnet
        && let Some(there) = networks.get("default")
        && !there.is_empty()
        && !there.contains(&ipnet::IpNet::V4(subnet))
    {
        let seen: Vec<String> = there.iter().map(ToString::to_string).collect();
        out.push(
            Finding::error(
                "settings.subnet",
                "network default",
                format!("has other addresses than SUBNET ({subnet}): containers trust the wrong ones, or none"),
            )
            .value(seen.join(", "))
            .hint(format!("make the network anew: `mailu uninstall {options}`, which keeps all data, then `mailu install {options}`")),
        );
    }
    let told: Vec<&str> = out.iter().map(|finding| finding.subject.as_str()).collect();
    let more: Vec<Finding> = files
        .findings
        .iter()
        .filter(|finding| finding.severity != Severity::Notice)
        .filter(|finding| !told.contains(&finding.subject.as_str()))
        .cloned()
        .collect();
    let pending = !files.steps.is_empty() && out.is_empty() && more.is_empty();
    out.extend(more);
    if pending {
        out.push(
            Finding::warning("settings.pending", "files", "are not as mailu.toml says")
                .value(files.steps.join(", "))
                .hint(format!(
                    "`mailu plan {options}` shows what `mailu apply {options}` would do"
                )),
        );
    }
    Verdict::of("as they should be", out)
}

fn certificates(_: &Config, observed: &Observed) -> Verdict {
    let Some(report) = &observed.certificates else {
        return Verdict::undone("not looked at");
    };
    let days: Vec<String> = report
        .pairs
        .iter()
        .filter_map(|pair| pair.certificate.as_ref())
        .map(|certificate| format!("{} days left", certificate.days_left))
        .collect();
    let mut verdict = Verdict::of(
        if days.is_empty() {
            "none".to_owned()
        } else {
            days.join(", ")
        },
        Vec::new(),
    );
    for finding in &report.findings {
        if finding.id == "certs.not_seen" {
            verdict
                .unknown
                .push((finding.subject.clone(), finding.message.clone()));
        } else {
            verdict.findings.push(finding.clone());
        }
    }
    verdict
}

/// So many messages wait where something is wrong.
const LONG_QUEUE: u64 = 100;

fn queue(config: &Config, observed: &Observed) -> Verdict {
    let mut out = of_status(observed, &["queue"]);
    let Some(queue) = observed
        .status
        .as_ref()
        .and_then(|status| status.queue.as_ref())
    else {
        return if out.is_empty() {
            Verdict::undone("not seen")
        } else {
            Verdict::of("not seen", out)
        };
    };
    let options = config.options();
    let why = queue
        .reasons
        .first()
        .map(|reason| format!(", mostly because: {}", reason.reason))
        .unwrap_or_default();
    if queue.messages > LONG_QUEUE && out.is_empty() {
        out.push(
            Finding::warning(
                "queue.long",
                "mail queue",
                format!("has {} messages{why}", queue.messages),
            )
            .hint(format!("`mailu exec {options} smtp -- postqueue -p` lists them, with the reason for each"))
            .hint("many from one sender are a stolen password or a script out of hand: change the password, then `postsuper -d` removes them by queue id"),
        );
    }
    if let Some(held) = queue.queues.get("hold").filter(|held| **held > 0) {
        out.push(
            Finding::warning(
                "queue.held",
                "mail queue",
                format!("holds {held} messages back until somebody decides about them"),
            )
            .hint(format!("`mailu exec {options} smtp -- postqueue -p` marks them with `!`; `mailu exec {options} smtp -- postsuper -H ALL` lets them go")),
        );
    }
    Verdict::of(format!("{} messages wait{why}", queue.messages), out)
}

fn backups(_: &Config, observed: &Observed) -> Verdict {
    let Some(status) = &observed.status else {
        return Verdict::undone("not looked at");
    };
    Verdict::of(
        match status.backups.age {
            Some(age) => format!(
                "{}, the newest {} hours old",
                status.backups.count,
                age / 3600
            ),
            None => "none".to_owned(),
        },
        of_status(observed, &["backup"]),
    )
}

fn records(_: &Config, observed: &Observed) -> Verdict {
    let report = match &observed.dns {
        None => return Verdict::undone("not asked"),
        Some(Err(why)) => return Verdict::unknown("records", why.clone()),
        Some(Ok(report)) => report,
    };

    let right = report
        .records
        .iter()
        .filter(|record| matches!(record.state, State::Right | State::Accepted))
        .count();
    let mut verdict = Verdict::of(
        format!("{right} of {} records are there", report.records.len()),
        report.findings.clone(),
    );
    let unknown = report
        .records
        .iter()
        .filter(|record| record.state == State::Unknown);
    verdict.unknown = unknown
        .map(|record| {
            let subject = format!("{} {}", record.fqdn, record.kind);
            (subject, "no name server could be asked".to_owned())
        })
        .collect();
    verdict
}

fn secrets(_: &Config, observed: &Observed) -> Verdict {
    let Some(open) = &observed.open_files else {
        return Verdict::undone("not looked at");
    };
    let out = open
        .iter()
        .map(|(path, mode)| {
            Finding::error(
                "secrets.open",
                path.display().to_string(),
                "holds a secret, and others than its owner can read it",
            )
            .value(format!("{mode:04o}"))
            .hint(format!("`chmod go= '{}'`; whoever has an account on this host may have read it: think of a new one", path.display()))
        })
        .collect();
    Verdict::of("only their owner reads them", out)
}

/// Judges what was seen of the deployment of `config`; `at` is now, RFC 3339 in UTC.
pub fn judge(config: &Config, observed: &Observed, options: &Options, at: &str) -> Report {
    let rule_about = |finding: &Finding| {
        let rules = &mut config.diagnose.ignore.iter();
        rules.find(|rule| rule.is_about(finding) && !rule.is_over(&observed.today))
    };
    let mut all: Vec<Finding> = Vec::new();
    let mut unknown = Vec::new();
    let mut checks = Vec::new();
    for check in &CHECKS {
        let mut verdict = if options.wants(check.id) {
            (check.judge)(config, observed)
        } else {
            Verdict::undone(NOT_ASKED_FOR)
        };
        verdict
            .findings
            .retain(|finding| options.keeps(check, finding));
        let Some(summary) = verdict.summary.clone() else {
            continue;
        };
        let outcome = verdict.outcome(|finding| rule_about(finding).is_some());
        let worst = verdict
            .findings
            .iter()
            .filter(|finding| rule_about(finding).is_none())
            .max_by_key(|finding| finding.severity)
            .filter(|_| matches!(outcome, Outcome::Failed | Outcome::Warned));
        checks.push(CheckResult {
            id: check.id.to_owned(),
            about: check.about.to_owned(),
            outcome,
            summary: worst.map_or(summary, |finding| finding.id.clone()),
        });
        unknown.extend(verdict.unknown.into_iter().map(|(subject, why)| Unknown {
            check: check.id.to_owned(),
            subject,
            why,
        }));
        for finding in verdict.findings {
            // Two checks may look at the same.
            if !all.contains(&finding) {
                all.push(finding);
            }
        }
    }
    let (roots, effects) = causes::separate(&all);
    let mut findings = Vec::new();
    let mut ignored = Vec::new();
    for finding in roots {
        match rule_about(&finding) {
            Some(rule) => ignored.push(Ignored {
                finding,
                reason: rule.reason().to_owned(),
                until: rule.until().map(str::to_owned),
            }),
            None => findings.push(finding),
        }
    }
    for rule in &config.diagnose.ignore {
        if rule.is_over(&observed.today) && findings.iter().any(|finding| rule.is_about(finding)) {
            findings.push(
                Finding::notice(
                    "diagnose.ignore_over",
                    "diagnose.ignore",
                    "has a rule whose time is over, and what it was about is still there",
                )
                .value(rule)
                .hint("mend that, or give the rule a later day"),
            );
        }
    }
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    // What is unknown because of something that was found needs no mention.
    let explained = |one: &Unknown| {
        let as_finding = Finding::notice(
            match one.check.as_str() {
                "certificates" => "certs.not_seen",
                "relay" | "recipients" => "smtp.unknown",
                "signing" => "signing.unknown",
                "lists" => "list.unknown",
                _ => "unknown",
            },
            &one.subject,
            "",
        );
        findings
            .iter()
            .chain(ignored.iter().map(|ignored| &ignored.finding))
            .any(|cause| cause.severity != Severity::Notice && causes::follows(cause, &as_finding))
    };
    unknown.retain(|one| !explained(one));
    Report {
        schema: 1,
        mail_host: config.mail_host.to_string(),
        client: config.client.as_ref().map(ToString::to_string),
        at: at.to_owned(),
        healthy: !findings
            .iter()
            .any(|finding| finding.severity != Severity::Notice),
        findings,
        silenced: effects
            .into_iter()
            .map(|(finding, cause)| Silenced {
                finding,
                cause: cause.id,
                cause_subject: cause.subject,
            })
            .collect(),
        ignored,
        unknown,
        checks,
        changes: None,
    }
}
