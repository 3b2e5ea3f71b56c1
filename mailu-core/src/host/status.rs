//! How deployments are.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::engine::{self, Docker};
use super::root::{Details, Mailu, Target};
use super::{hints, observe, ready, restore};
use crate::config::Config;
use crate::engine::{Container, Health, State};
use crate::env::EnvFile;
use crate::error::Error;
use crate::finding::Finding;
use crate::hash::sha256;
use crate::paths::Layout;
use crate::plan;
use crate::start::{self, Readiness, Wanted};
use crate::status::{self, Addresses, Backups, Disk, Fleet, Observed, Queue, Report};

/// How many last lines of a container that is not well are looked at.
const LAST_LINES: u64 = 5;

/// How long Postfix may take to list its queue.
const QUEUE_PATIENCE: Duration = Duration::from_secs(15);

/// How long mailboxes are counted: with many thousands of messages that takes its time, and somebody waits.
const COUNT_PATIENCE: Duration = Duration::from_millis(800);

impl Mailu {
    /// How the deployment at `layout` is. Asks the engine and Postfix, which takes a second or two; changes nothing.
    ///
    /// An engine that does not answer is part of the report.
    ///
    /// # Errors
    ///
    /// As [`Mailu::config`].
    pub fn status(&self, layout: &Layout) -> Result<Report, Error> {
        self.report(layout, &Docker::connect(), true)
    }

    /// How every deployment is. What each uses is not measured.
    ///
    /// # Errors
    ///
    /// As [`Mailu::list`].
    pub fn status_of_all(&self) -> Result<Fleet, Error> {
        let docker = Docker::connect();
        let mut reports = Vec::new();
        for info in self.list()? {
            let target = Target::new(
                info.mail_host.parse().ok(),
                info.client.as_ref().and_then(|client| client.parse().ok()),
            );
            let report = self
                .find(&target)
                .and_then(|layout| self.report(&layout, &docker, false));
            reports.push(report.unwrap_or_else(|error| {
                let mut findings = error.all_findings().to_vec();
                if findings.is_empty() {
                    findings.push(about(&error, "mailu.toml"));
                }
                Report::invalid(info.mail_host, info.client, info.directory, findings)
            }));
        }
        Ok(Fleet::new(reports))
    }

    /// How the deployment at `layout` is, by an engine that answers; what its containers use is not measured.
    pub(super) fn status_with(&self, layout: &Layout, docker: &Docker) -> Result<Report, Error> {
        self.judged(layout, Ok(docker), false)
    }

    fn report(
        &self,
        layout: &Layout,
        docker: &Result<Docker, Error>,
        usage: bool,
    ) -> Result<Report, Error> {
        self.judged(layout, docker.as_ref(), usage)
    }

    fn judged(
        &self,
        layout: &Layout,
        docker: Result<&Docker, &Error>,
        usage: bool,
    ) -> Result<Report, Error> {
        let (config, _) = self.config(layout)?;
        let mut observed = observed(layout, &config, docker, usage);
        observed.certificates = Some(self.certificates(layout, false)?);
        let details = Details::of(layout, &config);
        let urls = Addresses {
            admin: details.admin_url,
            webmail: details.webmail_url,
            api: details.api_url,
        };
        let mut report = status::judge(&config, urls, &observed);
        hints::findings(&mut report.findings, self.root());
        Ok(report)
    }
}

/// An error as a finding.
pub(super) fn about(error: &Error, subject: &str) -> Finding {
    let finding = Finding::error(error.code(), subject, error.to_string());
    error.hints().iter().fold(finding, Finding::hint)
}

/// The files that say what runs, and what they say.
pub(super) fn wanted(layout: &Layout, config: &Config) -> Vec<Wanted> {
    let read = |name: &str| {
        let text = fs::read_to_string(layout.file(name)).unwrap_or_default();
        EnvFile::parse(&text).unwrap_or_default()
    };
    status::wanted(config, &read("mailu.env"), &read(".env"))
}

/// `wanted`, and what an override adds to it, as far as it has containers.
pub(super) fn with_own(
    layout: &Layout,
    mut wanted: Vec<Wanted>,
    containers: &[Container],
) -> Vec<Wanted> {
    if overridden(layout).is_some() {
        for container in containers {
            let Some(service) = &container.service else {
                continue;
            };
            if wanted.iter().all(|one| one.service != *service) {
                wanted.push(Wanted::found(service, container));
            }
        }
    }
    wanted
}

/// The name under which Compose knows the deployment.
pub(super) fn project(layout: &Layout, config: &Config) -> String {
    let text = fs::read_to_string(layout.file(".env")).unwrap_or_default();
    EnvFile::parse(&text)
        .ok()
        .and_then(|env| env.get("COMPOSE_PROJECT_NAME").map(|v| v.text.clone()))
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| config.project_name())
}

/// Everything there is to see of a deployment.
fn observed(
    layout: &Layout,
    config: &Config,
    docker: Result<&Docker, &Error>,
    usage: bool,
) -> Observed {
    let now = observe::now_seconds();
    let mut observed = Observed {
        now,
        directory: layout.directory(),
        installed: layout.installed().exists(),
        interrupted: layout.journal().exists() || layout.file(plan::STARTING).exists(),
        restoring: restore::unfinished(layout).ok().flatten(),
        uninstalled: layout.uninstalled().exists() && !layout.installed().exists(),
        wanted: wanted(layout, config),
        ..Observed::default()
    };
    match docker {
        Ok(docker) => {
            let project = project(layout, config);
            observed.overridden = overridden(layout);
            if let Err(error) = ask(docker, layout, config, &project, &mut observed, usage) {
                observed.engine = None;
                observed.engine_error = Some(about(&error, &engine::address()));
            }
        }
        Err(error) => observed.engine_error = Some(about(error, &engine::address())),
    }
    observed.disk = disk(layout);
    observed.backups = backups(layout, config, now);
    observed
}

/// What the engine says.
fn ask(
    docker: &Docker,
    layout: &Layout,
    config: &Config,
    project: &str,
    observed: &mut Observed,
    usage: bool,
) -> Result<(), Error> {
    observed.engine = Some(docker.version()?);
    observed.containers = docker.project(project)?;
    let wanted = std::mem::take(&mut observed.wanted);
    observed.wanted = with_own(layout, wanted, &observed.containers);
    for wanted in &observed.wanted {
        if !observed.images.contains_key(&wanted.image)
            && let Some(image) = docker.image(&wanted.image)?
        {
            observed.images.insert(wanted.image.clone(), image);
        }
    }
    for container in &observed.containers {
        if !observed
            .image_environments
            .contains_key(&container.image_id)
            && let Some(variables) = docker.image_environment(&container.image_id)?
        {
            observed
                .image_environments
                .insert(container.image_id.clone(), variables);
        }
    }
    let secrets = ready::secrets(layout);
    let hide = |line: &str| ready::without(&secrets, line);
    let looker = ready::Looker {
        docker,
        layout,
        config,
        hide: &hide,
    };
    for container in &observed.containers {
        let Some(service) = container.service.as_deref() else {
            continue;
        };
        // The engine runs a health check after its first interval; `start` did not wait for that either.
        if container.state == State::Running && container.health == Health::Starting {
            let seen = looker.look(
                service,
                &container.name,
                container.restarts,
                &mut ready::Checks::new(),
            )?;
            if start::judge(service, &seen) == Readiness::Ready {
                observed.ready.insert(container.name.clone());
            }
        }
    }
    for container in observed.containers.iter().filter(|one| !one.is_well()) {
        let lines = ready::last_words(docker, &container.name, LAST_LINES, &hide);
        observed.last_lines.insert(container.name.clone(), lines);
    }
    let running = |container: &&Container| container.state == State::Running;
    if usage {
        let names: Vec<String> = observed
            .containers
            .iter()
            .filter(running)
            .map(|container| container.name.clone())
            .collect();
        observed.usage = docker.usage(&names).into_iter().collect();
    }
    let smtp = observed
        .containers
        .iter()
        .filter(running)
        .find(|container| container.service.as_deref() == Some("smtp"));
    if let Some(smtp) = smtp {
        observed.queue = Some(queue(docker, &smtp.name));
    }
    Ok(())
}

/// Why Compose alone could tell whether containers are as the files say.
fn overridden(layout: &Layout) -> Option<String> {
    if let Some(name) = ready::override_of(layout) {
        return Some(format!("{name} is there"));
    }
    let text = fs::read(layout.file("docker-compose.yml")).ok()?;
    let record: plan::Record = serde_json::from_slice(&fs::read(layout.rendered()).ok()?).ok()?;
    let written = record.files.get("docker-compose.yml")?;
    (*written != sha256(&text)).then(|| "docker-compose.yml was edited".to_owned())
}

fn queue(docker: &Docker, container: &str) -> Result<Queue, String> {
    let done = docker
        .execute(container, &["postqueue", "-j"], None, QUEUE_PATIENCE)
        .map_err(|error| error.to_string())?;
    if done.code == 0 {
        Ok(status::queue(&done.out))
    } else {
        let said = done.err.lines().chain(done.out.lines()).next_back();
        Err(said.unwrap_or("postqueue failed").trim().to_owned())
    }
}

fn disk(layout: &Layout) -> Option<Disk> {
    let data = layout.file("data/mail");
    let there = nix::sys::statvfs::statvfs(&data).ok()?;
    let block = there.fragment_size();
    let mut disk = Disk::new(
        there.blocks().saturating_mul(block),
        there.blocks_available().saturating_mul(block),
    );
    let until = Instant::now() + COUNT_PATIENCE;
    let (mail, all) = size(&data, until);
    let (queue, all_of_queue) = size(&layout.file("data/mailqueue"), until);
    disk.mail = Some(mail);
    disk.queue = Some(queue);
    disk.counted = all && all_of_queue;
    Some(disk)
}

/// What is below `directory`, in bytes, and whether that is all of it.
fn size(directory: &Path, until: Instant) -> (u64, bool) {
    let mut sum: u64 = 0;
    let mut todo = vec![directory.to_path_buf()];
    while let Some(next) = todo.pop() {
        // What goes away in between is gone.
        let Ok(entries) = fs::read_dir(&next) else {
            continue;
        };
        for entry in entries.flatten() {
            if Instant::now() > until {
                return (sum, false);
            }
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => todo.push(entry.path()),
                Ok(kind) if kind.is_file() => {
                    let length = entry.metadata().map(|there| there.size());
                    sum = sum.saturating_add(length.unwrap_or_default());
                }
                _ => {}
            }
        }
    }
    (sum, true)
}

fn backups(layout: &Layout, config: &Config, now: i64) -> Backups {
    let mut backups = Backups {
        directory: super::backup::directory(layout, config),
        ..Backups::default()
    };
    let mut newest: Option<(i64, PathBuf)> = None;
    for entry in fs::read_dir(&backups.directory)
        .into_iter()
        .flatten()
        .flatten()
    {
        let name = entry.file_name().to_string_lossy().into_owned();
        // One that is being written has another ending. One that somebody named otherwise counts where only this deployment's are.
        let complete = crate::backup::SUFFIXES
            .iter()
            .any(|end| name.ends_with(end));
        let others = config.backup.directory.is_some()
            && crate::backup::stamp(config.mail_host.as_str(), &name).is_none();
        if !complete || others || name.starts_with('.') {
            continue;
        }
        let Ok(there) = entry.metadata() else {
            continue;
        };
        backups.count += 1;
        if newest.as_ref().is_none_or(|(at, _)| there.mtime() > *at) {
            newest = Some((there.mtime(), entry.path()));
        }
    }
    if let Some((at, path)) = newest {
        backups.age = Some(now.saturating_sub(at).max(0));
        backups.newest = Some(path);
    }
    backups
}
