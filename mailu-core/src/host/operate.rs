//! Starting, stopping and restarting services, and running programs in them.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::compose::{Compose, interrupted};
use super::engine::Docker;
use super::perform::Progress;
use super::root::Mailu;
use super::{files, hints, lock, pause, ready, status};
use crate::config::Config;
use crate::engine::{Container, State};
use crate::error::{Error, ErrorKind};
use crate::finding::{Finding, Severity, nearest};
use crate::paths::Layout;
use crate::start::{self, Readiness, Wanted, Watched};
use crate::status::{Report, Service};

/// How often services are looked at that are to become ready.
const PAUSE: Duration = Duration::from_millis(300);

/// What takes so little needs no words.
const QUIET: Duration = Duration::from_millis(1500);

/// What is to be done with services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Power {
    /// Start those that do not run; make the container of one that has none.
    Start,
    /// Stop them.
    Stop,
    /// Stop and start them.
    Restart,
}

impl Power {
    /// The verb.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
        }
    }
}

/// How it is to be done.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct OperateOptions {
    /// The services; all of them if none is named.
    pub services: Vec<String>,
    /// How long each service may take until it is ready; without, as long as is usual for it. With zero, nobody waits.
    pub patience: Option<Duration>,
}

impl OperateOptions {
    /// All of `services`, or everything if there are none.
    pub fn new(services: Vec<String>, patience: Option<Duration>) -> Self {
        Self { services, patience }
    }
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Operated {
    /// What was done.
    pub action: Power,
    /// The mail host.
    pub mail_host: String,
    /// Whether the services are as they should be now.
    pub done: bool,
    /// How long that took, in seconds.
    pub seconds: u64,
    /// The services.
    pub services: Vec<Service>,
    /// Whatever needs an eye.
    pub findings: Vec<Finding>,
}

/// How a program in a container ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Executed {
    /// The service.
    pub service: String,
    /// Its exit code.
    pub exit_code: i32,
    /// What it wrote to its output; empty where that went through.
    pub stdout: String,
    /// What it wrote to its error output; empty where that went through.
    pub stderr: String,
}

impl Mailu {
    /// Starts, stops or restarts services of the deployment at `layout`, and waits until they are ready, or stopped.
    ///
    /// `progress` hears what Compose says and what is waited for. Waiting can be stopped: then services go on starting by themselves, and the same
    /// call waits again.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] for a service that the deployment does not have, or where it has no containers at all;
    /// [`ErrorKind::Docker`] where engine or Compose do not answer or refuse. Services that do not become ready are no error but
    /// a result.
    pub fn power(
        &self,
        layout: &Layout,
        action: Power,
        options: &OperateOptions,
        progress: &mut dyn Progress,
    ) -> Result<Operated, Error> {
        self.powered(layout, action, options, progress)
            .map_err(|error| hints::error(error, self.root()))
    }

    fn powered(
        &self,
        layout: &Layout,
        action: Power,
        options: &OperateOptions,
        progress: &mut dyn Progress,
    ) -> Result<Operated, Error> {
        let begun = Instant::now();
        let (config, _) = self.config(layout)?;
        let project = status::project(layout, &config);
        // A service that is misspelt is told before anything that needs Docker.
        let files = status::wanted(layout, &config);
        let docker = Docker::connect();
        let wanted = match &docker {
            Ok(docker) => status::with_own(layout, files, &docker.project(&project)?),
            Err(_) => files,
        };
        let mut services = chosen(&options.services, &wanted, &config)?;
        let compose = Compose::required()?;
        let docker = docker?;
        {
            let lock = match action {
                Power::Stop => lock::take_in_any_state(layout)?,
                _ => lock::take_own(layout)?,
            };
            let there = docker.project(&project)?;
            if there.is_empty() {
                if action == Power::Stop {
                    return Ok(operated(
                        self.status(layout)?,
                        action,
                        &services,
                        true,
                        begun,
                    ));
                }
                return Err(no_containers(layout, &config, action.as_str()));
            }
            let named = |name: &str| services.iter().any(|service| service == name);
            if action == Power::Start
                && named("smtp")
                && !named("front")
                && pause::running(&there, "front").is_none()
            {
                progress
                    .said("starting front too: without it smtp would return mail to its senders");
                services = chosen(
                    &[services, vec!["front".to_owned()]].concat(),
                    &wanted,
                    &config,
                )?;
            }
            carry_out(
                &compose.holding(&lock),
                layout,
                action,
                &services,
                &there,
                options.services.is_empty(),
                &mut |line| progress.said(line),
            )?;
        }
        let mut failures = Vec::new();
        // Others may work on the deployment while its services take their time.
        let done = match action {
            Power::Stop => docker
                .project(&project)?
                .iter()
                .filter(|one| named(one, &services))
                .all(|one| !matches!(one.state, State::Running | State::Restarting)),
            _ if options.patience == Some(Duration::ZERO) => true,
            _ => {
                let waiting = Waiting {
                    docker: &docker,
                    layout,
                    config: &config,
                    project: &project,
                    services: &services,
                    patience: options.patience,
                };
                failures = waiting.finish(progress)?;
                failures.is_empty()
            }
        };
        let mut out = operated(self.status(layout)?, action, &services, done, begun);
        hints::findings(&mut failures, self.root());
        // What waiting has found out is more than what a look tells.
        out.findings.retain(|one| {
            one.severity < Severity::Error
                || failures.iter().all(|other| other.subject != one.subject)
        });
        out.findings.splice(0..0, failures);
        Ok(out)
    }

    /// Runs a program in a service's container, with the terminal if there is one, and returns its exit code. With `capture`,
    /// what it writes is returned instead of passed through.
    ///
    /// # Errors
    ///
    /// As [`Mailu::power`]; and [`ErrorKind::Conflict`] if the service does not run.
    pub fn execute(
        &self,
        layout: &Layout,
        service: &str,
        command: &[String],
        terminal: bool,
        capture: bool,
    ) -> Result<Executed, Error> {
        self.executed(layout, service, command, terminal, capture)
            .map_err(|error| hints::error(error, self.root()))
    }

    fn executed(
        &self,
        layout: &Layout,
        service: &str,
        command: &[String],
        terminal: bool,
        capture: bool,
    ) -> Result<Executed, Error> {
        let (config, _) = self.config(layout)?;
        let files = status::wanted(layout, &config);
        let there =
            Docker::connect().and_then(|docker| docker.project(&status::project(layout, &config)));
        let wanted = match &there {
            Ok(there) => status::with_own(layout, files, there),
            Err(_) => files,
        };
        let services = chosen(&[service.to_owned()], &wanted, &config)?;
        let service = services.first().map_or(service, String::as_str);
        let compose = Compose::required()?;
        let there = there?;
        running(&there, service, layout, &config)?;
        let mut call = compose.command(&layout.directory());
        call.arg("exec");
        if !terminal || capture {
            call.arg("-T");
        }
        call.arg(service).args(command);
        let failed = |error: std::io::Error| {
            Error::new(
                ErrorKind::Docker,
                "exec.failed",
                format!("run a program in {service}: Docker Compose does not start"),
            )
            .source(error)
        };
        let (status, stdout, stderr) = if capture {
            call.stdin(Stdio::inherit());
            let output = call.output().map_err(failed)?;
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            (output.status, text(&output.stdout), text(&output.stderr))
        } else {
            (call.status().map_err(failed)?, String::new(), String::new())
        };
        let code = status.code().or_else(|| Some(128 + status.signal()?));
        Ok(Executed {
            service: service.to_owned(),
            exit_code: code.unwrap_or(1),
            stdout,
            stderr,
        })
    }
}

fn operated(
    report: Report,
    action: Power,
    services: &[String],
    done: bool,
    begun: Instant,
) -> Operated {
    let own = |finding: &Finding| services.contains(&finding.subject);
    Operated {
        action,
        mail_host: report.mail_host,
        done,
        seconds: begun.elapsed().as_secs(),
        findings: match action {
            Power::Stop => Vec::new(),
            // Docker looks less often than we did.
            _ => report
                .findings
                .into_iter()
                .filter(|one| own(one) && !(done && one.id == "service.starting"))
                .collect(),
        },
        services: report
            .services
            .into_iter()
            .filter(|one| services.contains(&one.name))
            .collect(),
    }
}

/// The services that were named, by their or their containers' names; all of them if none was.
pub(super) fn chosen(
    names: &[String],
    wanted: &[Wanted],
    config: &Config,
) -> Result<Vec<String>, Error> {
    if names.is_empty() {
        return Ok(wanted.iter().map(|one| one.service.clone()).collect());
    }
    let mut out = BTreeSet::new();
    for name in names {
        let found = wanted
            .iter()
            .find(|one| one.service == *name || one.container == *name);
        match found {
            Some(one) => out.insert(one.service.clone()),
            None => return Err(unknown(name, wanted, config)),
        };
    }
    // In the order in which they start.
    Ok(wanted
        .iter()
        .map(|one| one.service.clone())
        .filter(|name| out.contains(name))
        .collect())
}

fn unknown(name: &str, wanted: &[Wanted], config: &Config) -> Error {
    let all: Vec<&str> = wanted.iter().map(|one| one.service.as_str()).collect();
    let error = Error::new(
        ErrorKind::NotFound,
        "service.unknown",
        format!(
            "find the service `{name}` of {}: it has none of that name",
            config.mail_host
        ),
    );
    let error = match nearest(name, all.iter().copied()) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error,
    };
    error.hint(format!("it has: {}", all.join(", ")))
}

/// The error about a deployment that nothing can be done with.
pub(super) fn no_containers(layout: &Layout, config: &Config, doing: &str) -> Error {
    let uninstalled = layout.uninstalled().exists() && !layout.installed().exists();
    let why = if uninstalled {
        "it was taken down by `mailu uninstall`; its data is kept"
    } else {
        "it has no containers yet"
    };
    Error::new(
        ErrorKind::NotFound,
        "deployment.absent",
        format!("{doing} {}: {why}", config.mail_host),
    )
    .hint(format!(
        "`mailu install {}` makes and starts them",
        config.options()
    ))
}

fn named(container: &Container, services: &[String]) -> bool {
    container
        .service
        .as_ref()
        .is_some_and(|service| services.contains(service))
}

fn running(
    there: &[Container],
    service: &str,
    layout: &Layout,
    config: &Config,
) -> Result<(), Error> {
    if there.is_empty() {
        return Err(no_containers(layout, config, "run a program in"));
    }
    let container = there
        .iter()
        .find(|one| one.service.as_deref() == Some(service));
    let why = match container {
        Some(one) if one.state == State::Running => return Ok(()),
        Some(one) => format!("its container {} is {}", one.name, one.state.as_str()),
        None => "it has no container".to_owned(),
    };
    let options = config.options();
    Err(Error::new(
        ErrorKind::Conflict,
        "service.not_running",
        format!("run a program in {service} of {}: {why}", config.mail_host),
    )
    .hint(format!("`mailu start {options} {service}` starts it"))
    .hint(format!(
        "`mailu logs {options} --tail 50 {service}` shows why it does not run"
    )))
}

/// Has Compose do it.
fn carry_out(
    compose: &Compose,
    layout: &Layout,
    action: Power,
    services: &[String],
    there: &[Container],
    all: bool,
    said: &mut dyn FnMut(&str),
) -> Result<(), Error> {
    let directory = layout.directory();
    let names = |wanted: &dyn Fn(&str) -> bool| -> Vec<&str> {
        services
            .iter()
            .map(String::as_str)
            .filter(|name| wanted(name))
            .collect()
    };
    let exists = |name: &str| there.iter().any(|one| one.service.as_deref() == Some(name));
    let present = names(&exists);
    let mut call =
        |words: &[&str], names: &[&str]| compose.run(&directory, &[words, names].concat(), said);
    // Without front, Postfix would return mail that it could keep.
    let smtp = pause::running(there, "smtp").filter(|_| present.contains(&"front"));
    match action {
        Power::Stop => {
            let mut present = present;
            if smtp.is_some() && !present.contains(&"smtp") {
                said("stopping smtp too: without front it would return mail to its senders");
                present.push("smtp");
            }
            if !present.is_empty() {
                // Those that others depend on come last.
                compose.run(
                    &directory,
                    &[&["stop"][..], if all { &[] } else { &present }].concat(),
                    said,
                )?;
            }
        }
        Power::Restart => {
            if smtp.is_some() {
                call(&["stop"], &["smtp"])?;
            }
            let others: Vec<&str> = present
                .iter()
                .copied()
                .filter(|name| smtp.is_none() || *name != "smtp")
                .collect();
            if !others.is_empty() {
                call(&["restart"], &others)?;
            }
            if smtp.is_some() {
                call(&["start"], &["smtp"])?;
            }
            let missing = names(&|name| !exists(name));
            if !missing.is_empty() {
                call(&["up", "-d", "--no-recreate", "--no-deps"], &missing)?;
            }
        }
        Power::Start => {
            // It makes what is missing, and leaves alone what is there: making anew is for `install`.
            let words: &[&str] = if all {
                &["up", "-d", "--no-recreate"]
            } else {
                &["up", "-d", "--no-recreate", "--no-deps"]
            };
            // With those that only an override names.
            let everything = names(&|_| true);
            call(words, if all { &[] } else { &everything })?;
        }
    }
    Ok(())
}

/// Services that are waited for.
struct Waiting<'a> {
    docker: &'a Docker,
    layout: &'a Layout,
    config: &'a Config,
    project: &'a str,
    services: &'a [String],
    /// How long each may take; without, as long as is usual for it.
    patience: Option<Duration>,
}

impl Waiting<'_> {
    /// Waits until all of them are ready, or will not be; says of each that is not, why.
    fn finish(&self, progress: &mut dyn Progress) -> Result<Vec<Finding>, Error> {
        let begun = Instant::now();
        let secrets = ready::secrets(self.layout);
        let looker = ready::Looker {
            docker: self.docker,
            layout: self.layout,
            config: self.config,
            hide: &|line| ready::without(&secrets, line),
        };
        let restarts: BTreeMap<String, u64> = self
            .docker
            .project(self.project)?
            .into_iter()
            .filter_map(|container| Some((container.service?, container.restarts)))
            .collect();
        let mut checks = ready::Checks::new();
        let mut told: BTreeMap<&str, String> = BTreeMap::new();
        let mut out = Vec::new();
        let mut waiting: Vec<&str> = self.services.iter().map(String::as_str).collect();
        while !waiting.is_empty() {
            if progress.interrupted() {
                return Err(interrupted());
            }
            let there = self.docker.project(self.project)?;
            let mut still = Vec::new();
            for service in waiting {
                let container = there
                    .iter()
                    .find(|one| one.service.as_deref() == Some(service))
                    .map_or("", |one| one.name.as_str());
                let before = restarts.get(service).copied().unwrap_or_default();
                let seen = if container.is_empty() {
                    Watched::default()
                } else {
                    looker.look(service, container, before, &mut checks)?
                };
                match start::judge(service, &seen) {
                    Readiness::Ready => {
                        if told.contains_key(service) {
                            progress.said(&format!("{service} is ready"));
                        }
                    }
                    Readiness::Failed { code, why, hints } => {
                        let finding = Finding::error(code, service, why);
                        out.push(hints.iter().fold(finding, Finding::hint));
                    }
                    Readiness::Waiting(why) => {
                        let patience = self.patience.unwrap_or_else(|| start::patience(service));
                        if begun.elapsed() >= patience {
                            let seconds = patience.as_secs();
                            let finding = Finding::error(
                                "start.late",
                                service,
                                format!("is not ready after {seconds} seconds: {why}"),
                            );
                            let hints = start::late_hints(service, &seen);
                            out.push(hints.iter().fold(finding, Finding::hint));
                        } else {
                            if told.get(service) != Some(&why) && begun.elapsed() > QUIET {
                                progress.said(&format!("waiting for {service}: {why}"));
                                told.insert(service, why);
                            }
                            still.push(service);
                        }
                    }
                }
            }
            waiting = still;
            if !waiting.is_empty() {
                std::thread::sleep(PAUSE);
            }
        }
        Ok(out)
    }
}

/// Whether a path can be used at all; for errors that say which.
pub(super) fn removed(result: std::io::Result<()>, path: &std::path::Path) -> Result<(), Error> {
    match result {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(files::failed("remove", path, error))
        }
        _ => Ok(()),
    }
}
