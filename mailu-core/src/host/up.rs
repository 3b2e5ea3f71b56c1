//! Brings a deployment up: images, networks, containers in their order, accounts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::ControlFlow;
use std::thread;
use std::time::{Duration, Instant};

use ipnet::IpNet;

use super::admin::{self, SHOWN_LINES};
use super::compose::{Compose, interrupted};
use super::engine::{Docker, Net};
use super::entropy::System;
use super::files::{self, Disk};
use super::lock;
use super::observe;
use super::pause::Pause;
use super::perform::{Progress, perform};
use super::ready;
use super::root::{Mailu, NextStep, Outcome, deploy_with, prepare};
use super::verify;
use crate::compose::{self, NetworkDef};
use crate::config::Config;
use crate::engine::{self, Container, State};
use crate::env::EnvFile;
use crate::error::{Error, ErrorKind};
use crate::finding::{Finding, has_errors};
use crate::paths::Layout;
use crate::plan::{self, Deployment, Nothing, Plan, Request};
use crate::secret::Secrets;
use crate::start::{
    self, Done, Readiness, Run, ServiceRun, Stage, Trouble, Verdict, Wanted, Watched,
};

/// How often waiting looks.
const PAUSE: Duration = Duration::from_millis(400);

/// How often a line is said again while nothing changes.
const REMINDER: Duration = Duration::from_secs(30);

/// How long an engine may be away while containers are waited for.
const ENGINE_PATIENCE: Duration = Duration::from_secs(60);

/// How a deployment is brought up.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct UpOptions {
    /// How long each service may take to become ready, instead of what is usual for it.
    pub wait: Option<Duration>,
    /// Whether containers stay that were made from this directory by somebody else: they may be needed again.
    pub(super) leave_others: bool,
}

impl UpOptions {
    /// With a patience for each service.
    pub fn new(wait: Option<Duration>) -> Self {
        Self {
            wait,
            leave_others: false,
        }
    }
}

impl Mailu {
    /// [`Mailu::deploy`], and then brings the server up and tries it. Only then does the deployment count as installed.
    ///
    /// # Errors
    ///
    /// As [`Mailu::deploy`]; [`ErrorKind::Docker`] if the engine or Compose is missing (then nothing was changed), or if a
    /// service does not become ready.
    pub fn install(
        &self,
        layout: &Layout,
        request: &Request,
        options: &UpOptions,
        progress: &mut dyn Progress,
    ) -> Result<Outcome, Error> {
        Docker::connect()
            .and_then(|_| Compose::required())
            .map_err(|error| {
                error
                    .about("start the mail server, for which nothing was changed yet")
                    .hint("`--no-start` writes everything (files, keys, secrets, DNS records) and starts nothing")
            })?;
        let mut request = Request {
            start: true,
            ..request.clone()
        };
        let skip = request
            .skip
            .get_or_insert_with(|| self.skipped(layout).into_keys().collect())
            .clone();
        let mut outcome = deploy_with(layout, &request, &mut Disk, &mut System, progress)?;
        if outcome.plan.conflicts.is_empty() {
            self.note_skipped(layout, &skip)?;
            let run = self.up(layout, options, progress)?;
            outcome.next = if run.installed {
                Vec::new()
            } else {
                vec![NextStep {
                    why: "publish the DNS records, if they are not there yet".to_owned(),
                    command: layout.command("dns"),
                }]
            };
            outcome.run = Some(run);
        }
        Ok(outcome)
    }

    /// [`Mailu::deploy`], and if the server has containers, brings those to the new files.
    ///
    /// # Errors
    ///
    /// As [`Mailu::install`].
    pub fn apply(
        &self,
        layout: &Layout,
        request: &Request,
        options: &UpOptions,
        progress: &mut dyn Progress,
    ) -> Result<Outcome, Error> {
        match has_containers(layout) {
            Some(true) => self.install(layout, request, options, progress),
            Some(false) => self.deploy(layout, request, progress),
            None => {
                let mut outcome = self.deploy(layout, request, progress)?;
                if outcome.performed && changes_containers(&outcome.plan) {
                    outcome.plan.findings.push(
                        Finding::notice(
                            "apply.no_engine",
                            "containers",
                            "keep what they have, if some run: no Docker engine answers to bring them to the new files",
                        )
                        .hint(format!(
                            "where it does: `{}`",
                            layout.command("apply")
                        )),
                    );
                }
                Ok(outcome)
            }
        }
    }

    /// Brings the server at `layout` up as its files say, tries it, and notes that it is installed. Stopped at any point, the
    /// same call continues; what is as it should be is left alone.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Docker`] if the engine or Compose fails, or a service does not become ready; `install.open_relay` if it
    /// relays for strangers.
    pub fn up(
        &self,
        layout: &Layout,
        options: &UpOptions,
        progress: &mut dyn Progress,
    ) -> Result<Run, Error> {
        let lock = lock::take_own(layout)?;
        up_with(layout, options, progress, &lock)
    }
}

/// [`Mailu::up`] for whoever has the lock of the deployment.
pub(super) fn up_with(
    layout: &Layout,
    options: &UpOptions,
    progress: &mut dyn Progress,
    lock: &lock::Locks,
) -> Result<Run, Error> {
    let request = Request {
        start: true,
        ..Request::default()
    };
    let (deployment, _) = prepare(layout, &request, &mut Nothing)?;
    Up::new(layout, deployment, *options, progress, lock)?
        .run()
        .map_err(|error| {
            let refused = matches!(error.code(), "engine.refused" | "engine.slow");
            if refused && Docker::connect().is_err() {
                engine_gone(error)
            } else {
                super::hints::error(error, layout.root())
            }
        })
}

/// Whether the deployment has containers; nothing if no engine answers.
fn has_containers(layout: &Layout) -> Option<bool> {
    let env = fs::read_to_string(layout.file(".env")).ok();
    let env = env.and_then(|text| EnvFile::parse(&text).ok());
    let Some(project) = env.and_then(|env| Some(env.get("COMPOSE_PROJECT_NAME")?.text.clone()))
    else {
        // It was never written.
        return Some(false);
    };
    let directory = layout.directory().display().to_string();
    let all = Docker::connect().and_then(|docker| docker.project(&project));
    Some(all.ok()?.iter().any(|container| {
        let from = container.labels.get(WORKING_DIRECTORY);
        from.is_none_or(|from| *from == directory)
    }))
}

/// Whether a plan writes a file by which containers are made.
fn changes_containers(plan: &Plan) -> bool {
    let files = ["docker-compose.yml", ".env", "mailu.env"].map(|name| plan.directory.join(name));
    plan.steps
        .iter()
        .any(|step| step.action == plan::Action::UpdateFile && files.contains(&step.path))
}

/// Where Compose notes the directory that a container comes from.
pub(super) const WORKING_DIRECTORY: &str = "com.docker.compose.project.working_dir";

/// A run that brings a deployment up.
pub(super) struct Up<'a> {
    pub(super) layout: &'a Layout,
    pub(super) config: Config,
    pub(super) secrets: Secrets,
    pub(super) rendered: crate::render::Rendered,
    pub(super) docker: Docker,
    compose: Compose,
    installed: Option<plan::Step>,
    plan: Plan,
    pub(super) project: String,
    wanted: Vec<Wanted>,
    /// All services, those of an override included.
    services: Vec<String>,
    networks: Vec<NetworkDef>,
    /// Why Compose alone can tell what has to be made anew.
    composes_judgement: Option<&'static str>,
    pub(super) options: UpOptions,
    pub(super) progress: &'a mut dyn Progress,
    pub(super) report: Run,
    /// Whether this run, or the one that it continues, made the first administrator.
    pub(super) fresh_administrator: bool,
    pub(super) env: EnvFile,
    /// Front's address in the webmail's network before this run.
    front_before: Option<Container>,
}

impl<'a> Up<'a> {
    fn new(
        layout: &'a Layout,
        deployment: Deployment,
        options: UpOptions,
        progress: &'a mut dyn Progress,
        lock: &lock::Locks,
    ) -> Result<Self, Error> {
        let docker = Docker::connect()?;
        let compose = Compose::required()?.holding(lock);
        let text = |name: &str| -> Result<String, Error> {
            let path = layout.file(name);
            fs::read_to_string(&path).map_err(|error| files::failed("read", &path, error))
        };
        let env = |name: &str| -> Result<EnvFile, Error> {
            EnvFile::parse(&text(name)?).map_err(|error| {
                Error::new(
                    ErrorKind::InvalidInput,
                    "env.unreadable",
                    format!("read {}: {error}", layout.file(name).display()),
                )
                .hint("correct the file")
            })
        };
        let (mailu_env, compose_env) = (env("mailu.env")?, env(".env")?);
        let project = compose_env
            .get("COMPOSE_PROJECT_NAME")
            .map(|value| value.text.clone())
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| deployment.config.project_name());
        let built = compose::build(&deployment.config);
        let edited = text("docker-compose.yml")? != deployment.rendered.compose;
        let has_override = ready::override_of(layout).is_some();
        let composes_judgement = if has_override {
            Some("docker-compose.override.yml is there")
        } else if edited {
            Some("docker-compose.yml was edited")
        } else if compose.is_first() {
            Some("Compose is of its first series")
        } else {
            None
        };
        let wanted: Vec<Wanted> = built
            .services
            .iter()
            .map(|service| Wanted::new(service, &mailu_env, &compose_env))
            .collect();
        let services = if has_override || edited {
            listed(&compose, layout)?
        } else {
            wanted.iter().map(|one| one.service.clone()).collect()
        };
        Ok(Self {
            fresh_administrator: layout.file(MADE).exists(),
            layout,
            config: deployment.config,
            secrets: deployment.secrets,
            rendered: deployment.rendered,
            docker,
            compose,
            installed: deployment.installed,
            plan: deployment.plan,
            project,
            wanted,
            services,
            networks: built.networks,
            composes_judgement,
            options,
            progress,
            report: Run::default(),
            env: mailu_env,
            front_before: None,
        })
    }

    fn run(mut self) -> Result<Run, Error> {
        self.stage(Stage::Look)?;
        let before = self.docker.project(&self.project)?;
        self.front_before = of_service(&before, "front").cloned();
        self.stage(Stage::Images)?;
        self.images()?;
        self.stage(Stage::Networks)?;
        self.networks(&before)?;
        self.stage(Stage::Services)?;
        self.bring_up()?;
        self.orphans()?;
        self.stage(Stage::Verify)?;
        verify::run(&mut self)?;
        if has_errors(&self.report.findings) {
            self.ended_since()?;
            return Ok(self.report);
        }
        self.stage(Stage::Finish)?;
        self.finish()?;
        Ok(self.report)
    }

    fn stage(&mut self, stage: Stage) -> Result<(), Error> {
        self.go_on()?;
        self.progress.stage(stage);
        self.report.stages.push(stage);
        Ok(())
    }

    /// Stops here if somebody wants that.
    pub(super) fn go_on(&mut self) -> Result<(), Error> {
        going_on(self.progress)
    }

    pub(super) fn say(&mut self, line: &str) {
        self.progress.said(line);
    }

    /// Notes that the deployment is being changed, so that an interrupted run can be told.
    fn note(&mut self, file: &str) -> Result<(), Error> {
        let path = self.layout.file(file);
        if path.exists() {
            return Ok(());
        }
        let text = format!("{}\n", observe::now());
        files::write_atomically(&mut Disk, &path, 0o600, None, text.as_bytes())
    }

    fn changing(&mut self) -> Result<(), Error> {
        self.note(plan::STARTING)
    }

    /// The images that are missing are pulled; what is here is used.
    fn images(&mut self) -> Result<(), Error> {
        let absent = |up: &Self| -> Result<BTreeMap<String, Vec<String>>, Error> {
            let mut absent = BTreeMap::new();
            for (image, services) in start::images_of(&up.wanted) {
                if up.docker.image(image)?.is_none() {
                    let services = services.iter().map(|name| (*name).to_owned()).collect();
                    absent.insert(image.to_owned(), services);
                }
            }
            Ok(absent)
        };
        let missing = absent(self)?;
        if missing.is_empty() {
            return Ok(());
        }
        self.changing()?;
        let names: Vec<&str> = missing.keys().map(String::as_str).collect();
        self.say(&format!("pulling {}", names.join(", ")));
        let services: Vec<&str> = missing
            .values()
            .filter_map(|s| s.first())
            .map(String::as_str)
            .collect();
        let mut arguments = vec!["pull"];
        arguments.extend(services);
        let pulled = self.compose(&arguments);
        if matches!(&pulled, Err(error) if error.code() == "interrupted") {
            return pulled;
        }
        let left = absent(self)?;
        if left.is_empty() {
            for image in missing.keys() {
                self.report.changes.push(format!("pulled {image}"));
            }
            return Ok(());
        }
        let names: Vec<&str> = left.keys().map(String::as_str).collect();
        let said = pulled
            .as_ref()
            .err()
            .map(ToString::to_string)
            .unwrap_or_default();
        let reason = start::explain(&said);
        let (code, why, hints) = match reason {
            Some(Trouble {
                code, why, hints, ..
            }) => (code, why, hints),
            None => (
                "image.missing",
                "it could not be pulled".to_owned(),
                Vec::new(),
            ),
        };
        let said: Vec<&str> = said
            .lines()
            .skip(1)
            .filter(|line| {
                let line = line.to_ascii_lowercase();
                line.contains("error") || line.contains("denied") || line.contains("not found")
            })
            .collect();
        let words = if said.is_empty() {
            String::new()
        } else {
            format!("\n  {}", said.join("\n  "))
        };
        let mut error = Error::new(
            ErrorKind::Docker,
            code,
            format!("get the image {}: {why}{words}", names.join(", ")),
        );
        for hint in hints {
            error = error.hint(hint);
        }
        Err(error.hint(format!(
            "`docker pull {}` shows it again; then the same command continues",
            names.first().copied().unwrap_or_default()
        )))
    }

    /// The network shared with Traefik; and Docker changes no network that is in use.
    fn networks(&mut self, before: &[Container]) -> Result<(), Error> {
        let nets = self.docker.nets()?;
        if self.config.tls.mode.behind_traefik() {
            let name = self.config.traefik.network.to_string();
            if !nets.iter().any(|net| net.name == name) {
                let Some(wanted) = engine::proxy_network(&self.config) else {
                    return Err(Error::new(
                        ErrorKind::Docker,
                        "network.missing",
                        format!("join the Docker network {name}, which `traefik.network` names: there is none"),
                    )
                    .hint(format!("make it: `docker network create {name}`, and let Traefik join it")));
                };
                self.changing()?;
                self.docker.make_network(&wanted).map_err(|error| {
                    let known = std::error::Error::source(&error)
                        .and_then(|cause| start::explain(&cause.to_string()));
                    match known {
                        Some(trouble) => described(&error, &trouble, ""),
                        None => error,
                    }
                })?;
                self.say(&format!("made the network {name} for Traefik and front"));
                self.report.changes.push(format!("made the network {name}"));
            }
        }
        self.moved(&nets, before)
    }

    /// Takes containers down whose networks or project are others now.
    fn moved(&mut self, nets: &[Net], before: &[Container]) -> Result<(), Error> {
        let directory = self.layout.directory();
        let here = directory.display().to_string();
        let old: BTreeSet<String> = self
            .docker
            .containers()?
            .into_iter()
            .filter(|_| !self.options.leave_others)
            .filter(|container| container.labels.get(WORKING_DIRECTORY) == Some(&here))
            .filter_map(|container| container.project)
            .filter(|project| *project != self.project)
            .collect();
        for project in old {
            self.changing()?;
            self.say(&format!("taking down the containers of the project {project}, as which this server ran before"));
            self.compose(&["-p", &project, "down", "--remove-orphans"])?;
            self.report
                .changes
                .push(format!("took down the project {project}"));
        }
        let changed: Vec<&str> = self
            .networks
            .iter()
            .filter(|wanted| wanted.external.is_none())
            .filter(|wanted| {
                nets.iter().any(|net| {
                    net.project.as_deref() == Some(&self.project)
                        && net.key.as_deref() == Some(&wanted.name)
                        && differs(wanted, net)
                })
            })
            .map(|wanted| wanted.name.as_str())
            .collect();
        if changed.is_empty() || self.composes_judgement == Some("docker-compose.yml was edited") {
            return Ok(());
        }
        let networks = changed.join(", ");
        self.changing()?;
        if !before.is_empty() {
            self.say(&format!(
                "taking all containers down, because Docker changes no network in use: {networks}"
            ));
        }
        self.compose(&["down", "--remove-orphans"])?;
        self.report
            .changes
            .push(format!("made the networks anew: {networks}"));
        Ok(())
    }

    fn bring_up(&mut self) -> Result<(), Error> {
        let mut later = Vec::new();
        for wave in start::waves(&self.services) {
            self.go_on()?;
            self.start(&wave.services)?;
            if wave.waits {
                self.wait_for(&wave.services)?;
            } else {
                later.extend(wave.services.clone());
            }
            if wave.services.iter().any(|service| service == "admin") {
                self.stage(Stage::Accounts)?;
                self.accounts()?;
            }
        }
        self.wait_for(&later)
    }

    /// Brings the containers of `services` to what they should be.
    fn start(&mut self, services: &[String]) -> Result<(), Error> {
        let containers = self.docker.project(&self.project)?;
        let mut make: Vec<&String> = Vec::new();
        let mut anew: Vec<&String> = Vec::new();
        let mut why: BTreeMap<&String, Vec<String>> = BTreeMap::new();
        for service in services {
            let there = of_service(&containers, service);
            match self.verdict(service, there)? {
                Verdict::Same => {
                    if service == "webmail"
                        && let Some(container) = there
                        && self.front_moved(&containers)
                    {
                        let name = container.name.clone();
                        let why =
                            "front has another address, which it looks up only when it starts";
                        self.changing()?;
                        self.say(&format!("restarting webmail: {why}"));
                        self.docker.restart(&name, 10)?;
                        self.became(service, &name, Done::Restarted, vec![why.to_owned()]);
                        continue;
                    }
                    let name = there.map(|c| c.name.clone()).unwrap_or_default();
                    self.became(service, &name, Done::Unchanged, Vec::new());
                }
                Verdict::Stopped => {
                    let name = there.map(|c| c.name.clone()).unwrap_or_default();
                    self.changing()?;
                    self.say(&format!("starting {service}"));
                    self.docker
                        .start(&name)
                        .map_err(|error| self.explained(error))?;
                    self.became(service, &name, Done::Started, Vec::new());
                }
                Verdict::Missing | Verdict::Undecided(_) => make.push(service),
                Verdict::Differs(reasons) => {
                    self.say(&format!("making {service} anew: {}", reasons.join("; ")));
                    why.insert(service, reasons);
                    anew.push(service);
                }
            }
        }
        for (list, force) in [(&anew, true), (&make, false)] {
            if list.is_empty() {
                continue;
            }
            let names: Vec<&str> = list.iter().map(|name| name.as_str()).collect();
            // Compose is asked about running ones only where it alone can tell; then nothing may have to be done.
            if !names
                .iter()
                .all(|name| of_service(&containers, name).is_some())
                || force
            {
                self.changing()?;
            }
            if !force
                && names
                    .iter()
                    .any(|name| of_service(&containers, name).is_none())
            {
                self.say(&format!("starting {}", names.join(", ")));
            }
            let mut arguments = vec!["up", "-d", "--no-deps"];
            if force {
                arguments.push("--force-recreate");
            }
            arguments.extend(&names);
            if force && names.contains(&"front") {
                let pause = Pause::begin(&self.docker, &containers)?;
                self.compose(&arguments)?;
                // Where it was made anew as well, its new container runs already, and nothing happens.
                pause.end(&self.docker)?;
            } else {
                self.compose(&arguments)?;
            }
        }
        if anew.is_empty() && make.is_empty() {
            return Ok(());
        }
        let now = self.docker.project(&self.project)?;
        for service in anew.iter().chain(&make) {
            let (old, new) = (of_service(&containers, service), of_service(&now, service));
            let done = match (old, new) {
                (_, None) => continue,
                (None, Some(_)) => Done::Created,
                (Some(old), Some(new)) if old.id != new.id => Done::Recreated,
                (Some(old), Some(new)) if old.started_at != new.started_at => Done::Started,
                _ => Done::Unchanged,
            };
            let name = new.map(|c| c.name.clone()).unwrap_or_default();
            self.became(
                service,
                &name,
                done,
                why.remove(*service).unwrap_or_default(),
            );
        }
        Ok(())
    }

    fn became(&mut self, service: &str, container: &str, done: Done, why: Vec<String>) {
        let mut one = ServiceRun::new(service, container, done, why);
        one.ready = false;
        self.report.services.push(one);
    }

    fn verdict(&self, service: &str, there: Option<&Container>) -> Result<Verdict, Error> {
        if there.is_none() {
            return Ok(Verdict::Missing);
        }
        if let Some(why) = self.composes_judgement {
            return Ok(Verdict::Undecided(why.to_owned()));
        }
        let Some(wanted) = self.wanted.iter().find(|one| one.service == service) else {
            return Ok(Verdict::Undecided("only Compose knows it".to_owned()));
        };
        let image = self.docker.image(&wanted.image)?;
        let environment = match there {
            Some(container) => self.docker.image_environment(&container.image_id)?,
            None => None,
        };
        Ok(start::compare(
            wanted,
            there,
            image.as_ref().map(|image| image.id.as_str()),
            environment.as_ref(),
        ))
    }

    /// Whether front has another address in a network that it shares with the webmail.
    fn front_moved(&self, containers: &[Container]) -> bool {
        let Some((before, now)) = self
            .front_before
            .as_ref()
            .zip(of_service(containers, "front"))
        else {
            return false;
        };
        let network = format!("{}_webmail", self.project);
        before.id != now.id && before.networks.get(&network) != now.networks.get(&network)
    }

    /// Waits until every one of `services` is ready.
    fn wait_for(&mut self, services: &[String]) -> Result<(), Error> {
        let start = Instant::now();
        let restarts: BTreeMap<String, u64> = self
            .docker
            .project(&self.project)?
            .into_iter()
            .filter_map(|container| Some((container.service?, container.restarts)))
            .collect();
        let mut tests: BTreeMap<String, Option<Vec<String>>> = BTreeMap::new();
        let mut waiting: Vec<String> = services.to_vec();
        let mut said: BTreeMap<String, (String, Instant)> = BTreeMap::new();
        let mut away: Option<Instant> = None;
        while !waiting.is_empty() {
            self.go_on()?;
            let mut still = Vec::new();
            for service in &waiting {
                let before = restarts.get(service).copied().unwrap_or_default();
                let seen = match self.watch(service, before, &mut tests) {
                    Ok(seen) => seen,
                    Err(error) => {
                        self.reconnect(&mut away, error)?;
                        still.push(service.clone());
                        continue;
                    }
                };
                away = None;
                match start::judge(service, &seen) {
                    Readiness::Ready => {
                        if said.contains_key(service) {
                            self.say(&format!("{service} is ready"));
                        }
                        self.ready(service);
                    }
                    Readiness::Waiting(why) => {
                        let patience = self
                            .options
                            .wait
                            .unwrap_or_else(|| start::patience(service));
                        if start.elapsed() > patience {
                            if service == "antivirus" {
                                self.late_scanner(&why);
                                continue;
                            }
                            return Err(self.not_ready(service, &why, patience, &seen));
                        }
                        // Numbers change without anything being new.
                        let gist: String = why.chars().filter(|c| !c.is_ascii_digit()).collect();
                        let new = said
                            .get(service)
                            .is_none_or(|(old, at)| *old != gist || at.elapsed() > REMINDER);
                        // What takes a moment needs no words.
                        if new && start.elapsed() > Duration::from_secs(2) {
                            self.say(&format!("waiting for {service}: {why}"));
                            said.insert(service.clone(), (gist, Instant::now()));
                        }
                        still.push(service.clone());
                    }
                    Readiness::Failed { code, why, hints } => {
                        return Err(self.failed(service, code, &why, hints, &seen));
                    }
                }
            }
            waiting = still;
            if !waiting.is_empty() {
                thread::sleep(PAUSE);
            }
        }
        Ok(())
    }

    /// Behind what does not work may be a service that ended after it was ready.
    fn ended_since(&self) -> Result<(), Error> {
        for one in &self.report.services {
            let mut seen = self.watch(&one.service, 0, &mut BTreeMap::new())?;
            if one.done == Done::Unchanged {
                let container = seen.container.as_ref();
                seen.restarts_before = container.map_or(0, |container| container.restarts);
            }
            if let Readiness::Failed { code, why, hints } = start::judge(&one.service, &seen) {
                return Err(self.failed(&one.service, code, &why, hints, &seen));
            }
        }
        Ok(())
    }

    fn ready(&mut self, service: &str) {
        for one in &mut self.report.services {
            if one.service == service {
                one.ready = true;
            }
        }
    }

    /// An engine that is restarted comes back.
    fn reconnect(&mut self, away: &mut Option<Instant>, error: Error) -> Result<(), Error> {
        if away.is_none() {
            self.say("the Docker engine does not answer; waiting for it");
        }
        let since = *away.get_or_insert_with(Instant::now);
        if since.elapsed() > self.options.wait.unwrap_or(ENGINE_PATIENCE) {
            return Err(engine_gone(error));
        }
        if let Ok(docker) = Docker::connect() {
            self.docker = docker;
        }
        Ok(())
    }

    fn watch(
        &self,
        service: &str,
        restarts_before: u64,
        tests: &mut BTreeMap<String, Option<Vec<String>>>,
    ) -> Result<Watched, Error> {
        let name = self
            .report
            .services
            .iter()
            .find(|one| one.service == service)
            .map(|one| one.container.clone())
            .unwrap_or_default();
        ready::Looker {
            docker: &self.docker,
            layout: self.layout,
            config: &self.config,
            hide: &|line| self.without_secrets(line),
        }
        .look(service, &name, restarts_before, tests)
    }

    /// Whether Mailu gets the certificate itself and has none yet.
    pub(super) fn certificate_pending(&self) -> bool {
        ready::certificate_pending(self.layout, &self.config)
    }

    /// A line of somebody else's, in which no secret of the deployment may get on a screen.
    fn without_secrets(&self, line: &str) -> String {
        let secrets = Secrets::NAMES
            .iter()
            .filter_map(|name| self.secrets.get(name));
        ready::without(secrets, line)
    }

    fn failed(
        &self,
        service: &str,
        code: &'static str,
        why: &str,
        hints: Vec<String>,
        seen: &Watched,
    ) -> Error {
        let skip = seen.log.len().saturating_sub(SHOWN_LINES);
        let words: Vec<&str> = seen.log.iter().skip(skip).map(String::as_str).collect();
        let words = if words.is_empty() {
            String::new()
        } else {
            format!("; its last words:\n  {}", words.join("\n  "))
        };
        if let Some(trouble) = start::explain(why) {
            let error = Error::new(
                ErrorKind::Docker,
                trouble.code,
                format!("start {service}: {why}{words}"),
            );
            return self.holder(with_hints(error, trouble.hints.clone()), &trouble);
        }
        let name = seen.container.as_ref().map_or(service, |c| c.name.as_str());
        with_hints(
            Error::new(
                ErrorKind::Docker,
                code,
                format!("start {service}: {why}{words}"),
            ),
            hints,
        )
        .hint(format!(
            "`docker logs {name}` shows all of it; once it is put right, the same command continues"
        ))
    }

    fn not_ready(&self, service: &str, why: &str, patience: Duration, seen: &Watched) -> Error {
        let why = format!("not ready after {} seconds: {why}", patience.as_secs());
        let hints = start::late_hints(service, seen);
        self.failed(service, "start.not_ready", &why, hints, seen)
            .hint("on a slow machine, `--wait SECONDS` gives every service more time")
    }

    /// `ClamAV` loads for minutes; mail waits for it on the other side meanwhile.
    fn late_scanner(&mut self, why: &str) {
        self.report.findings.push(
            Finding::warning(
                "start.antivirus",
                "antivirus",
                format!("is not ready yet ({why}); until it is, mail that has to be scanned is deferred, and sent again by the other side"),
            )
            .hint("`docker logs` of its container shows how far it is"),
        );
    }

    /// Compose, with what it says on the way.
    fn compose(&mut self, arguments: &[&str]) -> Result<(), Error> {
        let directory = self.layout.directory();
        let progress = &mut *self.progress;
        let mut each = |line: Option<&str>| {
            if let Some(line) = line
                && worth_saying(line)
            {
                progress.said(line.trim());
            }
            if progress.interrupted() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        };
        self.compose
            .run_until(&directory, arguments, &mut each)
            .map_err(|error| self.explained(error))
    }

    /// An error of Docker's or Compose's in our words, where its reason is known.
    fn explained(&self, error: Error) -> Error {
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        let said = format!("{error} {}", cause.unwrap_or_default());
        match start::explain(&said) {
            Some(trouble) => self.holder(described(&error, &trouble, &said), &trouble),
            None => error,
        }
    }

    /// Says who has what is taken.
    fn holder(&self, error: Error, trouble: &Trouble) -> Error {
        let all = self.docker.containers().unwrap_or_default();
        if let Some(port) = trouble.port {
            let holder = all.iter().find(|container| {
                container.state == State::Running
                    && container.project.as_deref() != Some(&self.project)
                    && container.published.iter().any(|p| p.port == port)
            });
            return match holder {
                Some(container) => error.hint(format!(
                    "the container {} has port {port}: stop it (`docker stop {}`), or set `ports.address` to another address of this host",
                    container.name, container.name
                )),
                None => error.hint(format!(
                    "`ss -ltnp 'sport = :{port}'` names the program that has port {port}: stop it (often `systemctl disable --now postfix` or `exim4`), or set `ports.address` to another address of this host"
                )),
            };
        }
        error
    }

    /// Containers of services that are no longer wanted.
    fn orphans(&mut self) -> Result<(), Error> {
        let directory = self.layout.directory().display().to_string();
        let orphans: Vec<Container> = self
            .docker
            .project(&self.project)?
            .into_iter()
            .filter(|container| {
                container
                    .service
                    .as_ref()
                    .is_some_and(|service| !self.services.contains(service))
            })
            .collect();
        if orphans.is_empty() {
            return Ok(());
        }
        let names: Vec<&str> = orphans.iter().map(|c| c.name.as_str()).collect();
        let ours = orphans.iter().all(|container| {
            let from = container.labels.get(WORKING_DIRECTORY);
            from.is_none_or(|from| *from == directory)
                && container
                    .labels
                    .get("com.docker.compose.oneoff")
                    .map(String::as_str)
                    != Some("True")
        });
        if !ours {
            self.report.findings.push(
                Finding::warning(
                    "start.orphans",
                    names.join(", "),
                    format!(
                        "belong to the project {}, and not to this server's services",
                        self.project
                    ),
                )
                .hint("remove them if nobody needs them: `docker rm -f NAME`"),
            );
            return Ok(());
        }
        self.changing()?;
        self.say(&format!(
            "removing {}, which no service needs any more",
            names.join(", ")
        ));
        self.compose(&["up", "-d", "--no-recreate", "--remove-orphans"])?;
        self.report
            .changes
            .push(format!("removed {}", names.join(", ")));
        Ok(())
    }

    /// Makes the email domains and the first administrator where they do not exist.
    fn accounts(&mut self) -> Result<(), Error> {
        let there = match self.exported() {
            Ok(there) => there,
            Err(_) if self.may_lack_its_database() => {
                let why = "it does not know its database, which it makes when it starts";
                self.changing()?;
                self.say(&format!("restarting admin: {why}"));
                self.docker.restart(&self.container("admin"), 10)?;
                for one in &mut self.report.services {
                    if one.service == "admin" {
                        one.done = Done::Restarted;
                        one.why = vec![why.to_owned()];
                    }
                }
                self.wait_for(&["admin".to_owned()])?;
                self.exported()?
            }
            Err(error) => return Err(error),
        };
        let address = self.config.admin_email.to_string().to_ascii_lowercase();
        if there.users.contains(&address) && !there.administrators.contains(&address) {
            self.report.findings.push(
                Finding::warning(
                    "install.not_administrator",
                    "admin_email",
                    "is a user of this server, but no administrator; users that exist are left as they are",
                )
                .value(&self.config.admin_email)
                .hint("make it one in the admin interface, or name another address"),
            );
        }
        let Some(password) = self.secrets.get("admin_password").cloned() else {
            if there.users.contains(&address) {
                return Ok(());
            }
            return Err(Error::new(
                ErrorKind::NotFound,
                "secret.missing",
                format!(
                    "make the administrator {address}: its password is not in {}",
                    self.layout.secrets().display()
                ),
            )
            .hint(format!("`{}` draws it", self.layout.command("apply"))));
        };
        let Some((document, names)) = start::missing(&self.config, &password, &there) else {
            return Ok(());
        };
        self.changing()?;
        if names
            .iter()
            .any(|name| name.to_ascii_lowercase() == address)
        {
            // Noted first: an interrupted run may have made it.
            self.note(MADE)?;
            self.fresh_administrator = true;
        }
        self.say(&format!("making {}", names.join(", ")));
        let imported = admin::flask(
            &self.docker,
            &self.container("admin"),
            &["config-import", "-u"],
            Some(document.expose().as_bytes()),
            admin::FLASK_PATIENCE,
        )?;
        // What it ends with says little; what it made is what counts.
        let there = self.exported()?;
        if let Some((_, left)) = start::missing(&self.config, &password, &there) {
            let said = imported.err.trim();
            let said = if said.is_empty() {
                imported.out.trim()
            } else {
                said
            };
            return Err(Error::new(
                ErrorKind::Docker,
                "install.accounts",
                format!(
                    "make {}: Mailu did not take it:\n  {}",
                    left.join(", "),
                    admin::last_lines(said, |line| self.without_secrets(line))
                ),
            )
            .hint(format!(
                "by hand: `{} --reveal first_account | docker exec -i -u mailu {} flask mailu config-import -u`",
                self.layout.command("show"),
                self.container("admin")
            )));
        }
        self.report
            .changes
            .push(format!("made {}", names.join(", ")));
        Ok(())
    }

    /// Mailu's admin goes on without its database, where there was no room to make it. A server that has shown that it works is left alone.
    fn may_lack_its_database(&self) -> bool {
        let untouched = self
            .report
            .services
            .iter()
            .any(|one| one.service == "admin" && one.done == Done::Unchanged);
        untouched && !self.layout.installed().exists()
    }

    fn exported(&self) -> Result<start::Accounts, Error> {
        let (there, ran) = admin::exported(
            &self.docker,
            &self.container("admin"),
            admin::FLASK_PATIENCE,
        )?;
        there.ok_or_else(|| {
            Error::new(
                ErrorKind::Docker,
                "install.accounts",
                format!(
                    "read Mailu's domains and users (`flask mailu config-export`, which ended with {}):\n  {}",
                    ran.code,
                    admin::last_lines(&ran.err, |line| self.without_secrets(line))
                ),
            )
            .hint(format!("`docker logs {}` may say more", self.container("admin")))
            .hint(format!("`{} admin` has Mailu make its database again, where there was no room for it", self.layout.command("restart")))
        })
    }

    /// The name of a service's container.
    pub(super) fn container(&self, service: &str) -> String {
        self.report
            .services
            .iter()
            .find(|one| one.service == service)
            .map_or_else(
                || format!("{}_{service}", self.project),
                |one| one.container.clone(),
            )
    }

    /// What the run leaves behind: the mark of an installation, and no notes of a run.
    fn finish(&mut self) -> Result<(), Error> {
        if let Some(step) = self.installed.take() {
            let plan = Plan {
                steps: vec![step],
                ..self.plan.clone()
            };
            perform(
                &plan,
                &mut Disk,
                observe::privileged(),
                &mut super::perform::Hidden,
            )?;
        }
        for name in [MADE, plan::STARTING] {
            let path = self.layout.file(name);
            match fs::remove_file(&path) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(files::failed("remove", &path, error)),
            }
        }
        self.report.installed = true;
        Ok(())
    }
}

/// There while a run that makes the first administrator has not finished.
const MADE: &str = ".mailu/administrator";

/// Stops here if somebody wants that.
pub(super) fn going_on(progress: &mut dyn Progress) -> Result<(), Error> {
    if progress.interrupted() {
        return Err(interrupted());
    }
    Ok(())
}

pub(super) fn of_service<'c>(containers: &'c [Container], service: &str) -> Option<&'c Container> {
    containers
        .iter()
        .find(|container| container.service.as_deref() == Some(service))
}

/// Whether a network of the engine is not what it should be.
fn differs(wanted: &NetworkDef, there: &Net) -> bool {
    let subnets: BTreeSet<IpNet> = wanted
        .subnets
        .iter()
        .filter_map(|subnet| subnet.parse().ok())
        .collect();
    let have: BTreeSet<IpNet> = there.subnets.iter().copied().collect();
    !subnets.is_empty() && subnets != have
        || wanted.internal != there.internal
        || wanted.ipv6 != there.ipv6
}

/// The services that Compose sees, an override's included.
fn listed(compose: &Compose, layout: &Layout) -> Result<Vec<String>, Error> {
    let mut services = Vec::new();
    compose.run(
        &layout.directory(),
        &["config", "--services"],
        &mut |line| services.push(line.trim().to_owned()),
    )?;
    services.retain(|name| {
        !name.is_empty()
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
    });
    Ok(services)
}

/// Of what Compose says, what tells how far it is.
fn worth_saying(line: &str) -> bool {
    let last = line.split_whitespace().next_back().unwrap_or_default();
    matches!(last, "Pulling" | "Pulled") && line.split_whitespace().count() <= 3
        || line.starts_with("Pulling ") && line.ends_with("...")
}

fn engine_gone(error: Error) -> Error {
    Error::new(
        ErrorKind::Docker,
        "engine.gone",
        "go on: the Docker engine does not answer any more",
    )
    .source(error)
    .hint("`systemctl status docker` says why; once it runs, the same command continues")
}

fn with_hints(error: Error, hints: Vec<String>) -> Error {
    hints.into_iter().fold(error, Error::hint)
}

fn described(error: &Error, trouble: &Trouble, said: &str) -> Error {
    let line = said
        .lines()
        .rev()
        .find(|line| start::explain(line).is_some())
        .unwrap_or_default()
        .trim();
    let what = match &trouble.container {
        Some(name) => format!("{} {name}", trouble.why),
        None => trouble.why.clone(),
    };
    let attempt = error.to_string();
    let attempt = attempt.lines().next().unwrap_or_default();
    let mut message = format!("{attempt}: {what}");
    if !line.is_empty() && line != attempt {
        message.push_str("\n  ");
        message.push_str(line);
    }
    with_hints(
        Error::new(ErrorKind::Docker, trouble.code, message),
        trouble.hints.clone(),
    )
    .hint("once that is put right, the same command continues")
}
