//! Services while files change places: stopped without anything being returned to its sender, and started again.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use super::Restoring;
use super::places::identity;
use crate::config::Config;
use crate::delivery::{Outcome, Report, Stage, Step};
use crate::engine::{Container, State as Running};
use crate::env::EnvFile;
use crate::error::{Error, ErrorKind};
use crate::finding::Finding;
use crate::host::compose::Compose;
use crate::host::delivery::TestEmail;
use crate::host::engine::{Docker, is_there};
use crate::host::entropy::System;
use crate::host::files::Disk;
use crate::host::perform::perform;
use crate::host::root::prepare;
use crate::host::up::{UpOptions, up_with};
use crate::host::{admin, lock, observe, pause};
use crate::plan::Request;
use crate::restore::{Journal, Restored};
use crate::start::{self, Fact};

/// How long a service has to end, in seconds, where Compose does not do it.
const GRACE: i32 = 10;

/// How long Mailu may take to list its users.
const EXPORT: Duration = Duration::from_secs(120);

/// How long the message to oneself may take.
const PROOF: Duration = Duration::from_secs(120);

impl Restoring<'_> {
    /// Whether a server could be started at all.
    pub(super) fn can_start(&self) -> Result<(), Error> {
        Docker::connect()
            .and_then(|_| Compose::required())
            .map(drop)
            .map_err(|error| {
                error.about(format!(
                    "start {}, for which nothing was changed yet",
                    self.layout.mail_host()
                ))
            })
    }

    /// The names under which Compose knows the deployment, by the files at both places.
    pub(super) fn projects(&self) -> BTreeSet<String> {
        [&self.places.live, &self.places.stage]
            .into_iter()
            .filter_map(|base| project_of(base))
            .collect()
    }

    pub(super) fn containers(&self, docker: &Docker) -> Result<Vec<Container>, Error> {
        let mut all = Vec::new();
        for project in self.projects() {
            all.extend(docker.project(&project)?);
        }
        let old = self.old_containers(docker)?;
        let known: BTreeSet<String> = all.iter().map(|one| one.id.clone()).collect();
        all.extend(old.into_iter().filter(|one| !known.contains(&one.id)));
        Ok(all)
    }

    /// The engine; none where this host has none. One that is there and does not answer is an error: its containers may go on
    /// without it, and write into files that change places.
    fn engine(&self) -> Result<Option<Docker>, Error> {
        match Docker::connect() {
            Ok(docker) => Ok(Some(docker)),
            Err(_) if !is_there() => Ok(None),
            Err(error) => Err(error.about(format!(
                "see whether services of {} run",
                self.layout.mail_host()
            ))),
        }
    }

    /// The containers that run, in the order in which they are started. None where there is no engine.
    pub(super) fn running(&self) -> Result<Vec<String>, Error> {
        let Some(docker) = self.engine()? else {
            return Ok(Vec::new());
        };
        Ok(in_order(&self.containers(&docker)?)
            .into_iter()
            .map(|container| container.name.clone())
            .collect())
    }

    /// The accounts that there are, as far as Mailu can be asked.
    pub(super) fn accounts(&self) -> Vec<String> {
        let Ok(docker) = Docker::connect() else {
            return Vec::new();
        };
        let there = self.containers(&docker).unwrap_or_default();
        let Some(admin) = pause::running(&there, "admin") else {
            return Vec::new();
        };
        admin::exported(&docker, &admin.name, EXPORT)
            .ok()
            .and_then(|(there, _)| there)
            .map(|accounts| accounts.users.into_iter().collect())
            .unwrap_or_default()
    }

    /// Stops everything.
    pub(super) fn hold(&mut self) -> Result<(), Error> {
        let Some(docker) = self.engine()? else {
            return Ok(());
        };
        let there = self.containers(&docker)?;
        if in_order(&there).is_empty() {
            return Ok(());
        }
        self.say("stopping the services: mail waits with its senders");
        // Without front, Postfix would return mail that it could keep.
        if let Some(smtp) = pause::running(&there, "smtp") {
            docker.stop(&smtp.name, GRACE)?;
        }
        if self.places.live.join("docker-compose.yml").is_file()
            && let Some(compose) = Compose::find()
        {
            let compose = compose.holding(&self.locks);
            let progress = &mut *self.progress;
            // What it does not stop is stopped below: the files may be what has to be restored.
            let _ = compose.run(&self.places.live, &["stop"], &mut |line| {
                progress.said(line);
            });
        }
        let left = self.containers(&docker)?;
        for container in in_order(&left).into_iter().rev() {
            docker.stop(&container.name, GRACE)?;
        }
        match in_order(&self.containers(&docker)?).first() {
            None => Ok(()),
            Some(one) => Err(Error::new(
                ErrorKind::Docker,
                "restore.still_running",
                format!("stop {}: it runs again", one.name),
            )
            .hint(format!(
                "`docker update --restart no {}` keeps it stopped",
                one.name
            ))),
        }
    }

    /// Starts what is in place now, and has it show that it works.
    pub(super) fn started(
        &mut self,
        out: &mut Restored,
        journal: &Journal,
    ) -> Result<start::Run, Error> {
        self.say(&match &journal.update {
            Some(releases) => format!("starting Mailu {}", releases.to),
            None => "starting what was restored".to_owned(),
        });
        {
            let _fleet = lock::take_fleet(&self.layout)?;
            let request = Request {
                start: true,
                ..Request::default()
            };
            let (deployment, _) = prepare(&self.layout, &request, &mut System)?;
            // Edits that were in conflict then still are; they do not keep a server from running.
            if deployment.plan.conflicts.is_empty() {
                let privileged = observe::privileged();
                perform(&deployment.plan, &mut Disk, privileged, self.progress)?;
            }
        }
        let mut options = UpOptions::new(self.wait);
        options.leave_others = journal.migration;
        let mut run = up_with(&self.layout, &options, self.progress, &self.locks)?;
        if !run.installed {
            let (code, what) = match journal.update {
                Some(_) => ("update.not_working", "updated"),
                None => ("restore.not_working", "restored"),
            };
            return Err(Error::new(
                ErrorKind::Docker,
                code,
                format!("start the {what} server: it does not work as it should"),
            )
            .findings(run.findings));
        }
        if journal.update.is_some() {
            self.updated(journal, &mut run)?;
        }
        self.proof(&mut run, journal)?;
        let after: BTreeSet<String> = self.accounts().into_iter().collect();
        let gone: Vec<&str> = journal
            .accounts
            .iter()
            .filter(|account| !after.contains(*account))
            .map(String::as_str)
            .collect();
        if !gone.is_empty() && journal.update.is_some() {
            return Err(Error::new(
                ErrorKind::Docker,
                "update.accounts",
                format!(
                    "use the updated server: it does not know {}",
                    gone.join(", ")
                ),
            ));
        }
        if !gone.is_empty() && !after.is_empty() {
            out.findings.push(
                Finding::warning(
                    "restore.newer_accounts",
                    gone.join(", "),
                    "came into being after the backup, and the restored database does not know them; their mail is kept",
                )
                .hint("make them again with the same addresses: their mail is there"),
            );
        }
        Ok(run)
    }

    /// Sends a message to the first administrator, and follows it.
    pub(super) fn message(&mut self) -> Result<Report, Error> {
        self.say("sending a message to the first administrator");
        let wish = TestEmail {
            negative: false,
            timeout: self.wait.map_or(PROOF, |wait| wait.max(PROOF)),
            ..TestEmail::default()
        };
        self.mailu.test_email(&self.layout, &wish, &mut |_| {})
    }

    /// A message to oneself has to come through, where one can be sent; after an update, as far as it came before.
    fn proof(&mut self, run: &mut start::Run, journal: &Journal) -> Result<(), Error> {
        let report = match self.message() {
            Ok(report) => report,
            Err(error) if journal.passed.is_empty() => {
                run.findings.push(untried(&error.to_string()));
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let lost = report.stages.iter().find(|step| {
            let passed = journal
                .passed
                .iter()
                .any(|name| name == step.stage.as_str());
            passed && step.outcome != Outcome::Passed
        });
        if let Some(step) = lost {
            return Err(no_mail(
                "update.no_mail",
                "send a message through the updated server",
                step,
                report.findings,
            ));
        }
        if report.delivered {
            run.verified.push(Fact::new(
                "message_came_through",
                format!("a message from {} to itself came through", report.from),
            ));
            return Ok(());
        }
        let failed = report
            .stages
            .iter()
            .find(|step| step.outcome == Outcome::Failed);
        match failed {
            // Somebody else's password is not known here, and whether ports are open was tried before.
            Some(step) if step.stage > Stage::Login && step.stage < Stage::Authenticate => {
                Err(no_mail(
                    "restore.no_mail",
                    "send a message through the restored server",
                    step,
                    report.findings,
                ))
            }
            Some(step) => {
                run.findings.push(untried(&step.detail));
                Ok(())
            }
            None => {
                run.findings
                    .push(untried("it could not be found out where the message is"));
                Ok(())
            }
        }
    }

    /// Stops the restored server, to go back; where there was nothing before, its containers go.
    pub(super) fn stop_restored(&mut self, journal: &Journal) -> Result<(), Error> {
        if let Err(error) = Docker::connect() {
            // Nothing was ever started where none was wanted.
            if !journal.start && journal.ran.is_empty() {
                return Ok(());
            }
            return Err(error);
        }
        self.hold()?;
        // Interrupted on the way back, the old files may be in place again, and their containers are needed.
        let ours =
            journal.deployment.is_some() && identity(&self.places.live)? == journal.deployment;
        if (!journal.replaces || journal.migration)
            && ours
            && self.places.live.join("docker-compose.yml").is_file()
        {
            let compose = Compose::required()?.holding(&self.locks);
            let progress = &mut *self.progress;
            compose.run(
                &self.places.live,
                &["down", "--remove-orphans"],
                &mut |line| progress.said(line),
            )?;
        }
        Ok(())
    }

    /// Starts what ran before. `changed`: its containers may have been made anew.
    pub(super) fn start_again(&mut self, journal: &Journal, changed: bool) -> Result<(), Error> {
        if journal.ran.is_empty() {
            return Ok(());
        }
        let docker = Docker::connect()?;
        self.say("starting what ran before");
        if changed && !journal.migration {
            let options = UpOptions::new(self.wait);
            let run = up_with(&self.layout, &options, self.progress, &self.locks)?;
            return match run
                .findings
                .iter()
                .find(|one| one.severity == crate::finding::Severity::Error)
            {
                None => Ok(()),
                Some(finding) => Err(Error::new(
                    ErrorKind::Docker,
                    "restore.not_working",
                    finding.to_string(),
                )),
            };
        }
        for name in &journal.ran {
            docker.start(name)?;
        }
        if journal.migration {
            self.give_mail_back(&docker)?;
        }
        Ok(())
    }
}

/// The name under which Compose knows what the files at `base` describe.
pub(super) fn project_of(base: &Path) -> Option<String> {
    let read = |name: &str| std::fs::read_to_string(base.join(name)).ok();
    let named = read(".env")
        .and_then(|text| EnvFile::parse(&text).ok())
        .and_then(|env| Some(env.get("COMPOSE_PROJECT_NAME")?.text.clone()))
        .filter(|name| !name.is_empty());
    named.or_else(|| {
        let parsed = Config::from_toml(&read("mailu.toml")?).ok()?;
        Some(parsed.config.project_name())
    })
}

fn no_mail(code: &'static str, doing: &str, step: &Step, findings: Vec<Finding>) -> Error {
    Error::new(
        ErrorKind::Docker,
        code,
        format!("{doing}: {} failed: {}", step.stage.as_str(), step.detail),
    )
    .findings(findings)
}

fn untried(why: &str) -> Finding {
    Finding::warning(
        "restore.untried",
        "test message",
        format!("could not be tried: {why}"),
    )
    .hint("`mailu test-email` sends one")
}

/// Those that run or are about to, in the order in which they are started: front before smtp, which returns mail without it.
fn in_order(all: &[Container]) -> Vec<&Container> {
    let running: Vec<&Container> = all
        .iter()
        .filter(|one| matches!(one.state, Running::Running | Running::Restarting))
        .collect();
    let services: Vec<String> = running
        .iter()
        .filter_map(|one| one.service.clone())
        .collect();
    let order: Vec<String> = start::waves(&services)
        .into_iter()
        .flat_map(|wave| wave.services)
        .collect();
    let place = |one: &Container| {
        let service = one.service.as_deref().unwrap_or_default();
        let at = order.iter().position(|name| name == service);
        (service == "smtp", at.unwrap_or(order.len()))
    };
    let mut out = running;
    out.sort_by_key(|one| place(one));
    out
}
