//! The state of a running deployment: what is seen of it, judged into a report. Looking is the host's business.

mod queue;
mod service;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::certs;
use crate::compose;
use crate::config::Config;
use crate::engine::{Container, Image, Usage};
use crate::env::EnvFile;
use crate::finding::{Finding, has_errors};
use crate::restore;
use crate::start::Wanted;

pub use queue::{Queue, QueueReason, Queued, queue, queued};
pub use service::{Cause, Service, ServiceLevel};

/// The share of a disk, in percent, that should be free, and what a mail server cannot do without, in bytes.
const FREE_PERCENT: u64 = 10;
const FREE_LEAST: u64 = 500_000_000;

/// For how long mail may wait before somebody should look, in seconds.
const QUEUE_AGE: i64 = 4 * 60 * 60;

/// How old the newest backup may be, in seconds.
const BACKUP_AGE: i64 = 2 * 24 * 60 * 60;

/// What is seen of a deployment.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Observed {
    /// Now, in seconds since 1970.
    pub now: i64,
    /// The deployment's directory.
    pub directory: PathBuf,
    /// Whether `mailu install` has finished once.
    pub installed: bool,
    /// Whether a run was interrupted.
    pub interrupted: bool,
    /// The note of a restore or an update that is under way or was interrupted.
    pub restoring: Option<restore::Journal>,
    /// Whether it was taken down by `mailu uninstall`.
    pub uninstalled: bool,
    /// The engine's version; absent where it does not answer.
    pub engine: Option<String>,
    /// Why the engine was not asked with success.
    pub engine_error: Option<Finding>,
    /// What the files say should run.
    pub wanted: Vec<Wanted>,
    /// The project's containers.
    pub containers: Vec<Container>,
    /// Containers whose health check had no turn yet, and succeeded when it was run for this, by name.
    pub ready: BTreeSet<String>,
    /// What containers use, by name.
    pub usage: BTreeMap<String, Usage>,
    /// The images that the files name, as far as the engine has them.
    pub images: BTreeMap<String, Image>,
    /// The variables that containers' images bring along, by the image's identifier.
    pub image_environments: BTreeMap<String, BTreeMap<String, String>>,
    /// Why Compose alone could tell whether containers are as the files say; nothing where that can be told without.
    pub overridden: Option<String>,
    /// The last lines of containers that are not well, by name.
    pub last_lines: BTreeMap<String, Vec<String>>,
    /// The mail queue, or why it is not known; absent where nobody asked.
    pub queue: Option<Result<Queue, String>>,
    /// Its certificates, judged.
    pub certificates: Option<certs::Report>,
    /// The disk.
    pub disk: Option<Disk>,
    /// The backups.
    pub backups: Backups,
}

/// How a deployment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Verdict {
    /// Every service does its work.
    Healthy,
    /// Services have just been started and did not say yet that they are well.
    Starting,
    /// A service does not do its work, or something else is wrong that keeps mail from working.
    Degraded,
    /// Its containers do not run.
    Stopped,
    /// It has no containers.
    Absent,
    /// Nobody knows: the engine does not answer.
    Unknown,
    /// Its `mailu.toml` cannot be used.
    Invalid,
}

impl Verdict {
    /// As it is printed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Starting => "starting",
            Self::Degraded => "degraded",
            Self::Stopped => "stopped",
            Self::Absent => "absent",
            Self::Unknown => "unknown",
            Self::Invalid => "invalid",
        }
    }
}

/// The disk on which a deployment's data lies.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Disk {
    /// Its size in bytes.
    pub total: u64,
    /// What is free of it, in bytes.
    pub free: u64,
    /// What the mailboxes take, in bytes.
    pub mail: Option<u64>,
    /// What the mail queue takes, in bytes.
    pub queue: Option<u64>,
    /// Whether those two are complete: large directories are not counted to the end.
    pub counted: bool,
}

impl Disk {
    /// A disk of which nothing else is known.
    pub fn new(total: u64, free: u64) -> Self {
        Self {
            total,
            free,
            counted: true,
            ..Self::default()
        }
    }
}

/// The backups of a deployment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Backups {
    /// Where they lie.
    pub directory: PathBuf,
    /// How many there are.
    pub count: usize,
    /// The newest one.
    pub newest: Option<PathBuf>,
    /// How old that is, in seconds.
    pub age: Option<i64>,
}

/// Where the server is reached.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Addresses {
    /// The admin interface, if it is served.
    pub admin: Option<String>,
    /// The webmail, if it is served.
    pub webmail: Option<String>,
    /// The API, if it is served.
    pub api: Option<String>,
}

/// How a deployment is, with everything that was seen.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "StatusReport")
)]
#[non_exhaustive]
pub struct Report {
    /// Its mail host.
    pub mail_host: String,
    /// Its client.
    pub client: Option<String>,
    /// Its directory.
    pub directory: PathBuf,
    /// How it is.
    pub verdict: Verdict,
    /// Whether nothing has to be done.
    pub healthy: bool,
    /// The release of Mailu that `mailu.toml` names.
    pub version: Option<String>,
    /// The engine's version; absent where it does not answer.
    pub engine: Option<String>,
    /// Its services, in the order in which they start.
    pub services: Vec<Service>,
    /// Where it is reached.
    pub urls: Addresses,
    /// The pairs of certificate and key that front has.
    pub certificates: Vec<certs::Pair>,
    /// The mail queue; absent where smtp does not run or does not tell.
    pub queue: Option<Queue>,
    /// The disk.
    pub disk: Option<Disk>,
    /// The backups.
    pub backups: Backups,
    /// Whatever needs an eye, worst first.
    pub findings: Vec<Finding>,
}

/// How all deployments below a root are.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Fleet {
    /// Whether all of them are healthy.
    pub healthy: bool,
    /// Each.
    pub deployments: Vec<Report>,
}

impl Fleet {
    /// A fleet of `deployments`.
    pub fn new(deployments: Vec<Report>) -> Self {
        Self {
            healthy: deployments.iter().all(|one| one.healthy),
            deployments,
        }
    }
}

impl Report {
    /// A deployment whose `mailu.toml` cannot be used.
    pub fn invalid(
        mail_host: impl Into<String>,
        client: Option<String>,
        directory: PathBuf,
        findings: Vec<Finding>,
    ) -> Self {
        Self {
            mail_host: mail_host.into(),
            client,
            directory,
            verdict: Verdict::Invalid,
            healthy: false,
            version: None,
            engine: None,
            services: Vec::new(),
            urls: Addresses::default(),
            certificates: Vec::new(),
            queue: None,
            disk: None,
            backups: Backups::default(),
            findings,
        }
    }

    /// How many of the services do their work.
    pub fn well(&self) -> usize {
        self.services
            .iter()
            .filter(|service| service.level == ServiceLevel::Well)
            .count()
    }
}

/// The services of `config` as their containers should be, with what people wrote into `mailu.env` and `.env`.
pub fn wanted(config: &Config, mailu_env: &EnvFile, compose_env: &EnvFile) -> Vec<Wanted> {
    compose::build(config)
        .services
        .iter()
        .map(|service| Wanted::new(service, mailu_env, compose_env))
        .collect()
}

/// Judges what is seen of the deployment of `config`.
pub fn judge(config: &Config, urls: Addresses, observed: &Observed) -> Report {
    let mut findings = Vec::new();
    let services: Vec<Service> = observed
        .wanted
        .iter()
        .map(|wanted| service::judge(wanted, observed))
        .collect();
    let verdict = overall(observed, &services);
    whole(config, observed, verdict, &mut findings);
    if matches!(
        verdict,
        Verdict::Degraded | Verdict::Starting | Verdict::Healthy
    ) {
        for one in &services {
            findings.extend(one.findings(config));
        }
        orphans(observed, &mut findings);
        overridden(config, observed, &mut findings);
    }
    let queue = queue_of(config, observed, &mut findings);
    if let Some(certificates) = &observed.certificates {
        findings.extend(certificates.findings.iter().cloned());
    }
    if let Some(disk) = &observed.disk {
        let data = observed.directory.join("data");
        findings.extend(space(&data, disk.total, disk.free));
    }
    backups(observed, &mut findings);
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    let broken = has_errors(&findings);
    Report {
        mail_host: config.mail_host.to_string(),
        client: config.client.as_ref().map(ToString::to_string),
        directory: observed.directory.clone(),
        verdict: match verdict {
            Verdict::Healthy | Verdict::Starting if broken => Verdict::Degraded,
            other => other,
        },
        healthy: verdict == Verdict::Healthy && !broken,
        version: Some(config.version.to_string()),
        engine: observed.engine.clone(),
        services,
        urls,
        certificates: observed
            .certificates
            .as_ref()
            .map(|report| report.pairs.clone())
            .unwrap_or_default(),
        queue,
        disk: observed.disk.clone(),
        backups: observed.backups.clone(),
        findings,
    }
}

fn overall(observed: &Observed, services: &[Service]) -> Verdict {
    if observed.engine.is_none() {
        return Verdict::Unknown;
    }
    let all = |level: ServiceLevel| services.iter().all(|one| one.level == level);
    if all(ServiceLevel::Absent) {
        Verdict::Absent
    } else if all(ServiceLevel::Well) {
        Verdict::Healthy
    } else if services
        .iter()
        .all(|one| matches!(one.level, ServiceLevel::Stopped | ServiceLevel::Absent))
    {
        Verdict::Stopped
    } else if services
        .iter()
        .all(|one| matches!(one.level, ServiceLevel::Well | ServiceLevel::Starting))
    {
        Verdict::Starting
    } else {
        Verdict::Degraded
    }
}

/// What is to be said of the deployment as a whole.
fn whole(config: &Config, observed: &Observed, verdict: Verdict, out: &mut Vec<Finding>) {
    let options = config.options();
    let install = format!("`mailu install {options}` starts it");
    match verdict {
        Verdict::Unknown => out.extend(observed.engine_error.clone()),
        Verdict::Absent if observed.uninstalled => out.push(
            Finding::error(
                "status.uninstalled",
                config.mail_host.as_str(),
                "was taken down by `mailu uninstall`; its data, configuration and secrets are kept",
            )
            .hint(format!("`mailu install {options}` brings it back")),
        ),
        Verdict::Absent => out.push(
            Finding::error(
                "status.absent",
                config.mail_host.as_str(),
                "has no containers: its files are there, nothing was started",
            )
            .hint(install),
        ),
        Verdict::Stopped => out.push(
            Finding::error(
                "status.stopped",
                config.mail_host.as_str(),
                "does not run: all of its containers are stopped",
            )
            .hint(format!("`mailu start {options}` starts them")),
        ),
        _ => {}
    }
    if let Some(journal) = &observed.restoring {
        let verb = journal.verb();
        let (code, doing) = match &journal.update {
            Some(_) => ("update.unfinished", "updated"),
            None => ("restore.unfinished", "restored"),
        };
        out.push(
            Finding::error(
                code,
                config.mail_host.as_str(),
                format!(
                    "is being {doing}, or that was interrupted: {}",
                    journal.what()
                ),
            )
            .hint(format!(
                "`mailu {verb} {options}` finishes it, if it was interrupted"
            )),
        );
    }
    if observed.interrupted {
        out.push(
            Finding::warning(
                "status.interrupted",
                config.mail_host.as_str(),
                "was left by a run that did not finish",
            )
            .hint(format!("`mailu install {options}` completes it")),
        );
    }
}

/// Where `mailu` cannot tell whether containers are as the files say, it says so.
fn overridden(config: &Config, observed: &Observed, out: &mut Vec<Finding>) {
    if let Some(why) = &observed.overridden {
        out.push(
            Finding::notice(
                "status.overridden",
                config.mail_host.as_str(),
                format!("has containers of which only Compose can tell whether they are as the files say: {why}"),
            )
            .hint(format!("`mailu apply {}` has Compose bring them there", config.options())),
        );
    }
}

/// Containers of the project that no file names any more.
fn orphans(observed: &Observed, out: &mut Vec<Finding>) {
    for container in &observed.containers {
        let known = container
            .service
            .as_ref()
            .is_some_and(|name| observed.wanted.iter().any(|wanted| wanted.service == *name));
        if !known {
            out.push(
                Finding::warning(
                    "service.orphan",
                    &container.name,
                    "is a container of this deployment that none of its files names",
                )
                .hint(format!(
                    "if nobody needs it: `docker rm --force {}`",
                    container.name
                )),
            );
        }
    }
}

fn queue_of(config: &Config, observed: &Observed, out: &mut Vec<Finding>) -> Option<Queue> {
    match observed.queue.as_ref()? {
        Ok(queue) => {
            if let Some(age) = queue
                .oldest_age(observed.now)
                .filter(|age| *age > QUEUE_AGE)
            {
                let reason = queue
                    .reasons
                    .first()
                    .map(|reason| format!("; mostly: {}", reason.reason))
                    .unwrap_or_default();
                out.push(
                    Finding::warning(
                        "queue.old",
                        "mail queue",
                        format!(
                            "has {} message{}, the oldest for {} hours{reason}",
                            queue.messages,
                            if queue.messages == 1 { "" } else { "s" },
                            age / 3600
                        ),
                    )
                    .hint(format!(
                        "`mailu exec {} smtp -- postqueue -p` lists them; `mailu exec {} smtp -- postqueue -f` tries again now",
                        config.options(),
                        config.options()
                    )),
                );
            }
            Some(queue.clone())
        }
        Err(why) => {
            out.push(
                Finding::error(
                    "queue.unreadable",
                    "mail queue",
                    format!("does not tell what is in it: {why}"),
                )
                .hint(format!("`mailu logs {} --tail 50 smtp`", config.options())),
            );
            None
        }
    }
}

/// What is wrong with the room for mail in `data`, on a file system with `total` octets of which `free` are left.
pub(crate) fn space(data: &Path, total: u64, free: u64) -> Option<Finding> {
    let subject = data.display().to_string();
    let said = format!("has {} MB left", free / 1_000_000);
    let hint = "make room, or move `data` to a larger disk and leave a link: Postfix refuses mail when there is no room for it";
    if free < FREE_LEAST {
        Some(Finding::error("disk.full", subject, said).hint(hint))
    } else if total > 0 && free < total / 100 * FREE_PERCENT {
        let said = format!("{said}, {} % of its disk", free * 100 / total);
        Some(Finding::warning("disk.short", subject, said).hint(hint))
    } else {
        None
    }
}

fn backups(observed: &Observed, out: &mut Vec<Finding>) {
    match observed.backups.age {
        None => out.push(
            Finding::notice(
                "backup.none",
                observed.backups.directory.display().to_string(),
                "has no backup of this deployment",
            )
            .hint("`mailu backup` takes one; `mailu backup timer --install` has one taken every night"),
        ),
        Some(age) if age > BACKUP_AGE => out.push(
            Finding::warning(
                "backup.old",
                observed.backups.directory.display().to_string(),
                format!("has no newer backup than {} days", age / 86_400),
            )
            .hint("`mailu backup` takes one; `systemctl list-timers 'mailu-backup*'` shows whether it is taken every night"),
        ),
        Some(_) => {}
    }
}

#[cfg(test)]
mod tests;
