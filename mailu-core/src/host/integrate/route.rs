//! The way from the app's container to the server by its public name: looked at from there, and made where there is none.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use super::record::Known;
use super::{Integrated, Part, PartAction, Target, Work};
use crate::apps::{Sender, Tls, route};
use crate::config::{MailPort, TlsMode};
use crate::engine::{Container, State};
use crate::error::{Error, ErrorKind};
use crate::finding::Finding;
use crate::hash::sha256;
use crate::host::compose::Compose;
use crate::host::engine::Docker;
use crate::host::files::{self, Disk};
use crate::host::{delivery, observe, pause, served, status};

/// How long one look may take; the program gives up after eight seconds.
const LOOK: Duration = Duration::from_secs(60);

/// How long an app may take until it runs again.
const START: Duration = Duration::from_secs(180);

/// How long a new way may take to work.
const SETTLE: Duration = Duration::from_secs(20);

/// The server, as whoever is led there sees it.
struct View {
    port: MailPort,
    /// By which it is known again.
    certificates: Vec<String>,
    /// The image of the program that looks.
    image: String,
    /// The line for `extra_hosts`.
    line: Option<String>,
}

/// A way that is to be made.
pub(super) struct Way {
    app: String,
    /// Whether it was well before.
    well: bool,
    making: route::Making,
    view: View,
}

impl Work<'_> {
    /// Looks from the app's container. What is to be made is put among the parts; where nothing can be made, a finding says so, before anything is
    /// written.
    pub(super) fn way(
        &self,
        target: &Target,
        sender: &Sender,
        done: &mut Integrated,
        said: &mut dyn FnMut(&str),
    ) -> Result<Option<Way>, Error> {
        let Some(name) = self.container_of(target) else {
            return Ok(None);
        };
        let docker = Docker::connect()?;
        let all = docker.containers()?;
        let Some(app) = running(&all, &name) else {
            return Ok(None);
        };
        let Some(view) = self.view(&docker, &all, sender)? else {
            return Ok(None);
        };
        said(&format!("looking at {} from {name}", self.config.mail_host));
        let known = self
            .known
            .get(&self.key)
            .is_some_and(|known| known.route.is_some());
        let why = match self.looks(&docker, app, &view) {
            Err(why) => {
                done.notes.push(format!(
                    "whether {name} reaches {} was not seen: {why}",
                    self.config.mail_host
                ));
                return Ok(None);
            }
            Ok(Ok(())) => {
                if known {
                    done.parts.push(Part::new("route", &name, PartAction::Keep));
                }
                return Ok(None);
            }
            Ok(Err(why)) => why,
        };
        match self.makes(app, &all, &view) {
            Ok(making) => {
                let action = if known {
                    PartAction::Change
                } else {
                    PartAction::Create
                };
                let mut part = Part::new("route", &name, action);
                part.details = vec![
                    why,
                    making.route.file.display().to_string(),
                    format!("makes {} anew", making.route.services.join(", ")),
                ];
                done.parts.push(part);
                Ok(Some(Way {
                    app: name,
                    well: app.is_well(),
                    making,
                    view,
                }))
            }
            Err(cannot) => {
                done.findings
                    .push(self.no_way(&name, &why, Some(&cannot), &view));
                Ok(None)
            }
        }
    }

    /// The container that sends; nothing where the app runs in none, or in one that was not named.
    pub(super) fn container_of(&self, target: &Target) -> Option<String> {
        let named = self.options.container.clone();
        match target {
            Target::WordPress(site, _) => site.container.clone(),
            Target::Listmonk(_, more) if self.options.api.is_none() => Some(more.instance.clone()),
            Target::Listmonk(..) | Target::Chatwoot(_) | Target::ErpNext(_) => named,
            Target::Frappe { container, .. } => Some(container.clone()),
            Target::File(..) | Target::Own(..) => named.or_else(|| self.options.restart.clone()),
        }
    }

    fn view(
        &self,
        docker: &Docker,
        all: &[Container],
        sender: &Sender,
    ) -> Result<Option<View>, Error> {
        if self.config.tls.mode == TlsMode::None {
            return Ok(None);
        }
        let port = match sender.tls {
            Tls::Starttls => MailPort::Submission,
            Tls::Implicit => MailPort::Submissions,
        };
        let own = docker.project(&status::project(self.layout, &self.config))?;
        let (front, admin) = (pause::running(&own, "front"), pause::running(&own, "admin"));
        let Some(place) = delivery::place(&self.config, front, all, port) else {
            return Ok(None);
        };
        let host = &self.config.mail_host;
        let shown = served::fingerprints(place, !port.implicit_tls(), host.as_str());
        // A server that does not answer here is told of when it is tried.
        let (Ok(certificates), Some(admin)) = (shown, admin) else {
            return Ok(None);
        };
        Ok(Some(View {
            port,
            certificates,
            image: admin.image_id.clone(),
            line: route::entry(host, place, port.number(), all),
        }))
    }

    /// What is seen from a container; an error where nobody could look.
    fn looks(
        &self,
        docker: &Docker,
        app: &Container,
        view: &View,
    ) -> Result<Result<(), String>, String> {
        let port = view.port.number().to_string();
        let tls = if view.port.implicit_tls() {
            "implicit"
        } else {
            "starttls"
        };
        let host = &self.config.mail_host;
        let command = ["python3", "-c", route::PROBE, host.as_str(), &port, tls];
        let ran = docker
            .run_beside(app, &view.image, &command, LOOK)
            .map_err(|error| error.to_string())?;
        let last = ran.out.lines().rev().find(|line| line.starts_with('{'));
        let seen: route::Sight = last
            .and_then(|line| serde_json::from_str(line).ok())
            .ok_or_else(|| {
                let last = ran.err.lines().last().unwrap_or("it says nothing");
                format!("the program that looks failed: {last}")
            })?;
        Ok(seen.leads(host, view.port.number(), &view.certificates))
    }

    /// What would make a way; or why nothing does.
    fn makes(
        &self,
        app: &Container,
        all: &[Container],
        view: &View,
    ) -> Result<route::Making, String> {
        let line = view.line.as_deref().ok_or_else(|| {
            format!(
                "port {} of this host leads to the server on its loopback address alone, or under another number",
                view.port.number()
            )
        })?;
        let making = route::making(app, all, line, &self.config.mail_host)?;
        let file = &making.route.file;
        let directory = file.parent().unwrap_or(Path::new("/"));
        if !directory.is_dir() {
            return Err(format!(
                "{}, from which it was made, is not on this host",
                directory.display()
            ));
        }
        let mut ours = false;
        for name in route::OVERRIDES {
            let there = directory.join(name);
            if there.symlink_metadata().is_err() {
                continue;
            }
            ours = there == *file && holds(file, &making.route.sha256);
            let before = self
                .known
                .get(&self.key)
                .and_then(|known| known.route.as_ref());
            ours |= there == *file && before.is_some_and(|before| holds(file, &before.sha256));
            if !ours {
                return Err(format!("{} is there already", there.display()));
            }
        }
        let compose = Compose::required().map_err(|error| error.to_string())?;
        if compose.is_first() {
            return Err("Docker Compose is of its first series".to_owned());
        }
        // Whatever else was changed in its files is not for us to bring into force.
        if !ours && !in_force(&compose, &making.route, all).map_err(|error| error.to_string())? {
            return Err(format!(
                "its files in {} were changed since it was made (`docker compose up -d` there brings them into force)",
                directory.display()
            ));
        }
        Ok(making)
    }

    fn no_way(&self, app: &str, why: &str, cannot: Option<&str>, view: &View) -> Finding {
        let message = match cannot {
            Some(cannot) => {
                format!(
                    "does not reach the server: {why}. A way cannot be made by itself: {cannot}"
                )
            }
            None => format!("does not reach the server: {why}"),
        };
        let host = &self.config.mail_host;
        let line = view
            .line
            .clone()
            .unwrap_or_else(|| format!("{host}:host-gateway"));
        Finding::error("app.no_route", app, message)
            .hint(format!(
                "give the app's service in its docker-compose.override.yml: `extra_hosts: [\"{line}\"]`, and recreate it"
            ))
            .hint(format!(
                "where a firewall keeps containers from the ports of this host, let their networks reach port {}",
                view.port.number()
            ))
    }

    /// Makes it, and looks again; what does not help is taken back.
    pub(super) fn make_way(
        &mut self,
        way: &Way,
        sender: &Sender,
        done: &mut Integrated,
        said: &mut dyn FnMut(&str),
    ) -> Result<(), Error> {
        let mut known = self.begun(sender);
        known.route = Some(way.making.route.clone());
        self.keep(known.clone())?;
        let made = &way.making.route;
        let directory = made.file.parent().unwrap_or(Path::new("/"));
        let there =
            fs::metadata(directory).map_err(|error| files::failed("look at", directory, error))?;
        let owner = observe::privileged().then(|| (there.uid(), there.gid()));
        said(&format!(
            "making a way for {} to {}",
            way.app, self.config.mail_host
        ));
        files::write_atomically(
            &mut Disk,
            &made.file,
            0o644,
            owner,
            way.making.text.as_bytes(),
        )?;
        let docker = Docker::connect()?;
        let tried = recreate(&docker, made, way, said).and_then(|()| self.settled(&docker, way));
        let why = match tried {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(why)) => why,
            Err(error) => error.to_string(),
        };
        self.unmake(made, &mut done.notes, said)?;
        known.route = None;
        self.keep(known)?;
        done.findings.push(self.no_way(
            &way.app,
            &why,
            Some("what was tried did not help, and was taken back"),
            &way.view,
        ));
        Ok(())
    }

    fn settled(&self, docker: &Docker, way: &Way) -> Result<Result<(), String>, Error> {
        let until = Instant::now() + SETTLE;
        loop {
            let all = docker.containers()?;
            let seen = match running(&all, &way.app) {
                Some(app) => self.looks(docker, app, &way.view).unwrap_or_else(Err),
                None => Err(format!("{} does not run", way.app)),
            };
            if seen.is_ok() || Instant::now() > until {
                return Ok(seen);
            }
            std::thread::sleep(Duration::from_secs(1));
        }
    }

    /// Takes a way back that is there because of this app and of no other.
    pub(super) fn no_more_way(
        &mut self,
        known: &Known,
        done: &mut Integrated,
        said: &mut dyn FnMut(&str),
    ) -> Result<(), Error> {
        let Some(made) = &known.route else {
            return Ok(());
        };
        let shared = self.known.iter().any(|(key, other)| {
            *key != self.key
                && other
                    .route
                    .as_ref()
                    .is_some_and(|one| one.file == made.file)
        });
        if shared {
            return Ok(());
        }
        let mut part = Part::new("route", &made.project, PartAction::Remove);
        part.details = vec![
            made.file.display().to_string(),
            format!("makes {} anew", made.services.join(", ")),
        ];
        done.parts.push(part);
        if self.options.dry_run {
            return Ok(());
        }
        self.unmake(made, &mut done.notes, said)
    }

    fn unmake(
        &self,
        made: &route::Route,
        notes: &mut Vec<String>,
        said: &mut dyn FnMut(&str),
    ) -> Result<(), Error> {
        let directory = made.file.parent().unwrap_or(Path::new("/"));
        if !directory.is_dir() {
            return Ok(());
        }
        if made.file.symlink_metadata().is_ok() {
            if !holds(&made.file, &made.sha256) {
                notes.push(format!(
                    "{} was edited since, and stays: take the line with {} out by hand",
                    made.file.display(),
                    self.config.mail_host
                ));
                return Ok(());
            }
            let compose = Compose::required()?;
            let all = Docker::connect()?.containers()?;
            // Where they do not answer, nothing is brought into force either.
            let as_made = in_force(&compose, made, &all).unwrap_or(false);
            files::clear(&mut Disk, &made.file)?;
            if !as_made {
                notes.push(format!(
                    "{} were not made anew without it: their files were changed since. `docker compose up -d` in {} brings all of that into force",
                    made.services.join(", "),
                    directory.display()
                ));
                return Ok(());
            }
        }
        said(&format!(
            "making {} anew without it",
            made.services.join(", ")
        ));
        up(made)
    }

    /// What is remembered of this app from the first change on.
    pub(super) fn begun(&self, sender: &Sender) -> Known {
        let mut known = self.known.get(&self.key).cloned().unwrap_or_default();
        self.app().clone_into(&mut known.app);
        known.site.clone_from(&self.options.site);
        known.login = sender.login.to_string();
        known.from = sender.from.to_string();
        known.comment.clone_from(&sender.comment);
        known
    }
}

fn running<'c>(all: &'c [Container], name: &str) -> Option<&'c Container> {
    all.iter()
        .find(|one| one.name == name && one.state == State::Running)
}

fn holds(file: &Path, hash: &str) -> bool {
    let plain = file.symlink_metadata().is_ok_and(|there| there.is_file());
    plain && fs::read(file).is_ok_and(|bytes| sha256(&bytes) == hash)
}

/// Whether the containers of the services are as Compose would make them now.
fn in_force(compose: &Compose, made: &route::Route, all: &[Container]) -> Result<bool, Error> {
    let directory = made.file.parent().unwrap_or(Path::new("/"));
    let services = made.services.join(",");
    let arguments = ["-p", &made.project, "config", "--hash", &services];
    let mut now = BTreeMap::new();
    compose.run(directory, &arguments, &mut |line| {
        if let Some((service, hash)) = line.rsplit_once(' ') {
            now.insert(service.to_owned(), hash.to_owned());
        }
    })?;
    let mut own = all
        .iter()
        .filter(|one| one.project.as_deref() == Some(made.project.as_str()))
        .filter_map(|one| Some((one.service.as_ref()?, one)))
        .filter(|(service, _)| made.services.contains(service));
    Ok(own.all(|(service, one)| {
        let hash = one.labels.get("com.docker.compose.config-hash");
        hash.is_some() && hash == now.get(service)
    }))
}

/// Has Compose bring the services to their files.
fn up(made: &route::Route) -> Result<(), Error> {
    let directory = made.file.parent().unwrap_or(Path::new("/"));
    let mut arguments = vec!["-p", &made.project, "up", "-d", "--no-deps"];
    arguments.extend(made.services.iter().map(String::as_str));
    Compose::required()?.run(directory, &arguments, &mut |_| {})
}

/// The same, and waits until the app is there again.
fn recreate(
    docker: &Docker,
    made: &route::Route,
    way: &Way,
    said: &mut dyn FnMut(&str),
) -> Result<(), Error> {
    let app = &way.app;
    said(&format!("making {} anew", made.services.join(", ")));
    up(made)?;
    let until = Instant::now() + START;
    loop {
        let all = docker.containers()?;
        // One that was not well before need not become so.
        if running(&all, app).is_some_and(|one| one.is_well() || !way.well) {
            return Ok(());
        }
        if Instant::now() > until {
            return Err(Error::new(
                ErrorKind::Docker,
                "app.not_back",
                format!(
                    "make {app} anew: it is not ready after {} s",
                    START.as_secs()
                ),
            )
            .hint(format!("`docker logs --tail 50 {app}` says why")));
        }
        std::thread::sleep(Duration::from_millis(500));
    }
}
