//! A service: what its container does, judged.

use serde::Serialize;

use super::Observed;
use crate::config::Config;
use crate::engine::{Container, Health, State, Usage};
use crate::finding::Finding;
use crate::start::{self, Verdict, Wanted};

/// How a service is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ServiceLevel {
    /// It runs, and its health check, if it has one, succeeds.
    Well,
    /// It runs, and its health check did not succeed yet.
    Starting,
    /// It runs, and does not do its work.
    Failing,
    /// It ends again and again.
    Looping,
    /// It does not run.
    Stopped,
    /// It has no container.
    Absent,
    /// Nobody knows: the engine does not answer.
    Unknown,
}

/// Why a service is not well.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Cause {
    /// In a sentence.
    pub why: String,
    /// How it last ended.
    pub exit_code: Option<i64>,
    /// Whether the kernel ended it for want of memory.
    pub out_of_memory: bool,
    /// The last words of its health check.
    pub health_output: Option<String>,
    /// The last lines that it wrote.
    pub last_lines: Vec<String>,
}

/// A service of a deployment.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Service {
    /// Its name.
    pub name: String,
    /// Its container's name.
    pub container: String,
    /// How it is.
    pub level: ServiceLevel,
    /// What the container is doing; absent without one.
    pub state: Option<State>,
    /// What its health check says.
    pub health: Option<Health>,
    /// Since when it runs, or does not: RFC 3339.
    pub since: Option<String>,
    /// How often the engine has started it again by itself.
    pub restarts: u64,
    /// The image that it should have.
    pub image: String,
    /// The identifier of the image that it has.
    pub image_id: Option<String>,
    /// The image's digests in registries; none for an image that was made here.
    pub digests: Vec<String>,
    /// How its container differs from what the files say, in words; it stays so until it is made anew.
    pub drift: Vec<String>,
    /// What it uses.
    pub usage: Option<Usage>,
    /// Why it is not well.
    pub cause: Option<Cause>,
}

/// How often the engine may start a container again by itself before that is more than a stumble.
const LOOP: u64 = 3;

fn level(container: &Container) -> ServiceLevel {
    match (container.state, container.health) {
        (State::Running, Health::None | Health::Healthy) => ServiceLevel::Well,
        (State::Running, Health::Starting) => ServiceLevel::Starting,
        (State::Running, Health::Unhealthy) => ServiceLevel::Failing,
        (State::Restarting, _) => ServiceLevel::Looping,
        _ => ServiceLevel::Stopped,
    }
}

pub(super) fn judge(wanted: &Wanted, observed: &Observed) -> Service {
    let found = observed
        .containers
        .iter()
        .find(|there| there.service.as_deref() == Some(&wanted.service))
        .or_else(|| {
            observed
                .containers
                .iter()
                .find(|there| there.name == wanted.container)
        });
    let image = observed.images.get(&wanted.image);
    let mut service = Service {
        name: wanted.service.clone(),
        container: wanted.container.clone(),
        level: if observed.engine.is_some() {
            ServiceLevel::Absent
        } else {
            ServiceLevel::Unknown
        },
        state: None,
        health: None,
        since: None,
        restarts: 0,
        image: wanted.image.clone(),
        image_id: None,
        digests: Vec::new(),
        drift: Vec::new(),
        usage: None,
        cause: None,
    };
    let Some(there) = found else {
        return service;
    };
    service.container.clone_from(&there.name);
    service.level = match level(there) {
        ServiceLevel::Starting if observed.ready.contains(&there.name) => ServiceLevel::Well,
        // Between two of its ends.
        ServiceLevel::Starting if there.restarts >= LOOP => ServiceLevel::Looping,
        level => level,
    };
    service.state = Some(there.state);
    service.health = Some(there.health);
    service.restarts = there.restarts;
    service.image_id = Some(there.image_id.clone()).filter(|id| !id.is_empty());
    service.since = match there.state {
        State::Running | State::Paused => there.started_at.clone(),
        State::Created => there.created_at.clone(),
        _ => there.finished_at.clone(),
    };
    if let Some(image) = image.filter(|image| image.id == there.image_id) {
        service.digests.clone_from(&image.digests);
    }
    service.drift = drift(wanted, there, observed);
    service.usage = observed.usage.get(&there.name).copied();
    if service.level != ServiceLevel::Well {
        service.cause = Some(cause(there, observed));
    }
    service
}

/// How a container differs from what it should be.
fn drift(wanted: &Wanted, there: &Container, observed: &Observed) -> Vec<String> {
    if observed.overridden.is_some() {
        return Vec::new();
    }
    let image = observed.images.get(&wanted.image);
    let environment = observed.image_environments.get(&there.image_id);
    match start::compare(
        wanted,
        Some(there),
        image.map(|image| image.id.as_str()),
        environment,
    ) {
        Verdict::Differs(why) => why,
        _ => Vec::new(),
    }
}

/// What an exit code of a container means, beyond its number.
fn meaning(code: i64) -> Option<&'static str> {
    match code {
        126 | 127 => Some("its program could not be run"),
        132 => Some("the processor lacks an instruction that its memory allocator needs"),
        134 => Some("it aborted"),
        137 => Some("it was killed"),
        139 => Some("it accessed memory that it may not"),
        143 => Some("it was told to end"),
        _ => None,
    }
}

fn cause(there: &Container, observed: &Observed) -> Cause {
    let code = there.exit_code.unwrap_or_default();
    let ended = || {
        if there.out_of_memory {
            return "the kernel ended it for want of memory".to_owned();
        }
        match meaning(code) {
            Some(meaning) => format!("it ended with exit code {code}: {meaning}"),
            None => format!("it ended with exit code {code}"),
        }
    };
    let why = match there.state {
        State::Running => match there.health {
            Health::Starting if there.restarts >= LOOP => format!(
                "the engine has started it {} times, and its health check did not succeed since the last",
                there.restarts
            ),
            Health::Starting => "its health check did not succeed yet".to_owned(),
            _ => "its health check fails".to_owned(),
        },
        State::Restarting => format!(
            "the engine has started it {} times, and it ends each time; last time {}",
            there.restarts,
            ended()
        ),
        State::Paused => "it is paused".to_owned(),
        State::Removing => "it is being removed".to_owned(),
        State::Created => match &there.error {
            Some(error) => format!("Docker could not start it: {error}"),
            None => "it was never started".to_owned(),
        },
        State::Exited | State::Dead => match &there.error {
            Some(error) => format!("Docker could not start it: {error}"),
            None => ended(),
        },
    };
    Cause {
        why,
        exit_code: there.exit_code.filter(|_| there.state != State::Running),
        out_of_memory: there.out_of_memory,
        health_output: there.health_output.clone().filter(|text| !text.is_empty()),
        last_lines: observed
            .last_lines
            .get(&there.name)
            .cloned()
            .unwrap_or_default(),
    }
}

impl Service {
    /// Whether it does its work.
    pub fn is_well(&self) -> bool {
        self.level == ServiceLevel::Well
    }

    /// What is to be said of it, with what to type.
    pub fn findings(&self, config: &Config) -> Vec<Finding> {
        let options = config.options();
        let name = &self.name;
        let why = self.cause.as_ref().map(|cause| cause.why.clone());
        let why = why.unwrap_or_default();
        let mut out = Vec::new();
        let finding = match self.level {
            ServiceLevel::Well | ServiceLevel::Unknown => None,
            ServiceLevel::Starting => Some(Finding::notice(
                "service.starting",
                name,
                "was started and is not ready yet",
            )),
            ServiceLevel::Failing => Some(
                Finding::error("service.unhealthy", name, format!("runs, but {why}"))
                    .hint(format!("`mailu logs {options} --tail 50 {name}` shows why"))
                    .hint(format!("`mailu restart {options} {name}`")),
            ),
            ServiceLevel::Looping => Some(
                Finding::error("service.looping", name, format!("cannot stay up: {why}"))
                    .hint(format!("`mailu logs {options} --tail 50 {name}` shows why")),
            ),
            ServiceLevel::Stopped => {
                let verb = if self.state == Some(State::Paused) {
                    format!("`docker unpause {}`", self.container)
                } else {
                    format!("`mailu start {options} {name}`")
                };
                Some(
                    Finding::error("service.stopped", name, format!("does not run: {why}"))
                        .hint(format!("{verb} starts it"))
                        .hint(format!(
                            "`mailu logs {options} --tail 50 {name}` shows why it ended"
                        )),
                )
            }
            ServiceLevel::Absent => Some(
                Finding::error("service.absent", name, "has no container").hint(format!(
                    "`mailu start {options} {name}` makes and starts it"
                )),
            ),
        };
        out.extend(finding.map(|finding| self.known(finding, &options)));
        if !self.drift.is_empty() {
            out.push(
                Finding::warning(
                    "service.drift",
                    name,
                    format!(
                        "runs with something else than the files say: {}",
                        self.drift.join("; ")
                    ),
                )
                .hint(format!("`mailu apply {options}` makes it anew")),
            );
        }
        out
    }

    /// Adds what is known to be behind a service's trouble.
    fn known(&self, finding: Finding, options: &str) -> Finding {
        let code = self.cause.as_ref().and_then(|cause| cause.exit_code);
        let said = |text: &str| {
            self.cause.as_ref().is_some_and(|cause| {
                let lines = cause.last_lines.iter().chain(&cause.health_output);
                lines.into_iter().any(|line| line.contains(text))
            })
        };
        if self.cause.as_ref().is_some_and(|cause| cause.out_of_memory) {
            return finding.hint(format!("give the host more memory, or do without ClamAV: `mailu config set {options} services.antivirus=false`"));
        }
        match (self.name.as_str(), code) {
            (_, Some(132)) => finding.hint(format!("`mailu config set {options} env.LD_PRELOAD=` does without Mailu's memory allocator")),
            ("admin", _) if said("DNS") => finding.hint("admin starts only behind a DNS resolver that validates (DNSSEC); `services.resolver` is one, and needs port 53 to the outside"),
            ("front", _) if said("dovecot") || said("certificate") => finding.hint(format!("front's Dovecot does not come up without a certificate; `mailu restart {options} front` once there is one")),
            _ => finding,
        }
    }
}
