//! Installs what a host lacks: Docker, Compose, and a Traefik of ours.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::compose::{Compose, interrupted};
use super::engine::{self, Docker};
use super::files::{self, Disk};
use super::hints;
use super::lock;
use super::observe;
use super::perform::Progress;
use super::root::Mailu;
use crate::config::Config;
use crate::deps::{self, Host, PACKAGES, Packages, Place, Step, Steps, System};
use crate::error::{Error, ErrorKind};
use crate::finding::Finding;
use crate::paths::{Layout, quoted};
use crate::plan::Request;
use crate::traefik;

/// How long a service may take to answer once it was started.
const PATIENCE: Duration = Duration::from_secs(90);

/// How many of its last lines a program is quoted with when it fails.
const LAST_WORDS: usize = 12;

/// What was done, or in a dry run would be done, before an installation.
#[derive(Debug, Clone, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Dependencies {
    /// The steps.
    pub steps: Vec<Step>,
    /// Warnings and notices.
    pub findings: Vec<Finding>,
    /// Whether they were performed.
    pub performed: bool,
}

impl Mailu {
    /// What [`Mailu::install_dependencies`] would do; `request` gets the settings that follow from it.
    ///
    /// # Errors
    ///
    /// As [`Mailu::plan`], and [`ErrorKind::Docker`] if Docker cannot be installed here.
    pub fn plan_dependencies(
        &self,
        layout: &Layout,
        request: &mut Request,
    ) -> Result<Dependencies, Error> {
        self.plan(layout, request)?;
        let mut all = deps::docker(&host(), false)?;
        let more = self.traefik_steps(layout, request)?.0;
        all.steps.extend(more.steps);
        all.findings.extend(more.findings);
        Ok(self.told(all, false))
    }

    /// Installs Docker and Compose where they are missing, and Traefik where none is; `request` gets the settings that follow
    /// from it. Stopped at any point, the same call continues.
    ///
    /// # Errors
    ///
    /// As [`Mailu::plan_dependencies`], and whatever a step fails with.
    pub fn install_dependencies(
        &self,
        layout: &Layout,
        request: &mut Request,
        progress: &mut dyn Progress,
    ) -> Result<Dependencies, Error> {
        // What is wrong with the request must not be found out with Docker half installed.
        self.plan(layout, request)?;
        let mut done = Steps::default();
        let mut fresh = false;
        loop {
            let wanted = deps::docker(&host(), fresh)?;
            let mut again = false;
            for step in wanted.steps {
                if progress.interrupted() {
                    return Err(interrupted());
                }
                progress.said(&step.describe());
                perform(&step, None, progress)?;
                again = !fresh && step == Step::UpdateLists;
                done.steps.push(step);
                if again {
                    // Only now it is known what there is to be had.
                    fresh = true;
                    break;
                }
            }
            if !again {
                break;
            }
        }
        if Compose::find().is_none() || Docker::connect().is_err() {
            Compose::required()?;
            Docker::connect()?;
        }
        let (wanted, config) = self.traefik_steps(layout, request)?;
        if !wanted.steps.is_empty() {
            let _locks = lock::take(layout)?;
            // Another run may have been at it.
            let wanted = self.traefik_steps(layout, request)?.0;
            for step in wanted.steps {
                if progress.interrupted() {
                    return Err(interrupted());
                }
                progress.said(&step.describe());
                perform(&step, Some(&config), progress)?;
                done.steps.push(step);
            }
        }
        done.findings.extend(wanted.findings);
        Ok(self.told(done, true))
    }

    fn told(&self, steps: Steps, performed: bool) -> Dependencies {
        let mut out = Dependencies {
            performed: performed && !steps.steps.is_empty(),
            steps: steps.steps,
            findings: steps.findings,
        };
        hints::findings(&mut out.findings, self.root());
        out
    }

    fn traefik_steps(
        &self,
        layout: &Layout,
        request: &mut Request,
    ) -> Result<(Steps, Config), Error> {
        let place = place(self.root())?;
        let config = self.plan(layout, request)?.details.config;
        if let Some(setting) = deps::store_setting(self.root(), &config, &place.containers) {
            request.settings.push(setting);
        }
        let steps = deps::traefik(self.root(), &config, &place)
            .map_err(|error| hints::error(error, self.root()))?;
        Ok((steps, config))
    }
}

/// What this host has.
fn host() -> Host {
    let address = engine::address();
    let engine = Docker::connect().ok();
    let imitated = program("docker").is_some()
        && output("docker", &["--version"])
            .to_ascii_lowercase()
            .contains("podman");
    let mut host = Host {
        root: observe::privileged(),
        systemd: Path::new("/run/systemd/system").exists(),
        system: System::parse(&fs::read_to_string("/etc/os-release").unwrap_or_default()),
        docker: deps::Docker {
            engine: engine.and_then(|docker| docker.version().ok()),
            elsewhere: Some(address).filter(|address| !engine::is_usual(address)),
            installed: program("dockerd").is_some(),
            imitated,
            compose: Compose::find().map(|compose| compose.version),
        },
        packages: Packages::default(),
    };
    if host.docker.engine.is_none() || host.docker.compose.is_none() {
        host.packages = packages();
    }
    host
}

fn packages() -> Packages {
    let mut all = Packages::default();
    if program("apt-cache").is_none() {
        return all;
    }
    let mut arguments = vec!["policy"];
    arguments.extend(PACKAGES);
    let text = output("apt-cache", &arguments);
    let mut name = "";
    for line in text.lines() {
        if let Some(package) = line.strip_suffix(':').filter(|name| !name.starts_with(' ')) {
            name = package;
            continue;
        }
        let Some((key, value)) = line.trim().split_once(": ") else {
            continue;
        };
        if value.trim() == "(none)" {
            continue;
        }
        match key {
            "Installed" => {
                all.installed.insert(name.to_owned());
            }
            "Candidate" => {
                all.candidates
                    .insert(name.to_owned(), value.trim().to_owned());
            }
            _ => {}
        }
    }
    let left = fs::read_dir("/var/lib/dpkg/updates").is_ok_and(|mut left| left.next().is_some());
    all.unfinished = left || !output("dpkg", &["--audit"]).trim().is_empty();
    all
}

/// What a program prints; nothing if it cannot be run.
fn output(program: &str, arguments: &[&str]) -> String {
    Command::new(program)
        .args(arguments)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        .unwrap_or_default()
}

/// Where a program lies: also where an administrator's `PATH` may not lead.
pub(super) fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/bin", "/usr/local/bin", "/snap/bin"].map(PathBuf::from))
        .map(|directory| directory.join(name))
        .find(|path| path.is_file())
}

/// What is known of Traefik.
fn place(root: &Path) -> Result<Place, Error> {
    let directory = traefik::directory(root);
    let mut place = Place {
        socket: engine::address()
            .strip_prefix("unix://")
            .unwrap_or("/var/run/docker.sock")
            .to_owned(),
        directory: directory.is_dir(),
        ..Place::default()
    };
    if let Ok(docker) = Docker::connect() {
        place.containers = docker.containers()?;
        place.networks = docker
            .nets()?
            .into_iter()
            .map(|net| net.name)
            .collect::<BTreeSet<_>>();
    }
    let mut found = BTreeMap::new();
    for name in ["docker-compose.yml", ".env", "settings.json", "acme.json"] {
        let path = directory.join(name);
        match fs::read(&path) {
            // It holds private keys, and only its being there matters.
            Ok(_) if name == "acme.json" => {
                found.insert(name.to_owned(), Vec::new());
            }
            Ok(bytes) => {
                found.insert(name.to_owned(), bytes);
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(files::failed("read", &path, error)),
        }
    }
    place.files = found;
    Ok(place)
}

fn perform(step: &Step, config: Option<&Config>, progress: &mut dyn Progress) -> Result<(), Error> {
    // Waits for another run of apt instead of failing at once.
    const WAIT: [&str; 2] = ["-o", "DPkg::Lock::Timeout=300"];
    match step {
        Step::MendPackages => run("dpkg", &["--force-confold", "--configure", "-a"], progress),
        Step::UpdateLists => {
            let mut arguments = WAIT.to_vec();
            arguments.push("update");
            run("apt-get", &arguments, progress)
        }
        Step::InstallPackages { packages } => {
            let mut arguments = WAIT.to_vec();
            arguments.extend(["-o", "Dpkg::Options::=--force-confold", "install", "--yes"]);
            arguments.extend(packages.iter().map(String::as_str));
            run("apt-get", &arguments, progress)
        }
        Step::StartEngine => {
            if Path::new("/run/systemd/system").exists() {
                run("systemctl", &["enable", "--now", "docker"], progress)
            } else {
                run("service", &["docker", "start"], progress)
            }
        }
        Step::AwaitEngine => {
            wait(progress, &mut || Ok(Docker::connect().is_ok()))?;
            Docker::connect().map(drop)
        }
        Step::MakeNetwork { .. } => match config.and_then(deps::network) {
            Some(network) => Docker::connect()?.make_network(&network),
            None => Ok(()),
        },
        Step::MakeDirectory { path } => files::make_directory(&mut Disk, path, 0o755, None),
        Step::WriteFile {
            path,
            mode,
            content,
        } => {
            let path = files::behind_links(path)?;
            files::write_atomically(&mut Disk, &path, *mode, None, &content.0.0)
        }
        Step::StartTraefik { directory } => {
            Compose::required()?.run(directory, &["up", "-d"], &mut |line| progress.said(line))
        }
        Step::AwaitTraefik => traefik_is_well(progress),
    }
}

fn traefik_is_well(progress: &mut dyn Progress) -> Result<(), Error> {
    let docker = Docker::connect()?;
    let mut last = None;
    let well = wait(progress, &mut || {
        last = docker.project(traefik::PROJECT)?.into_iter().next();
        Ok(last.as_ref().is_some_and(crate::engine::Container::is_well))
    })?;
    if well {
        return Ok(());
    }
    let state = last.map_or_else(
        || "there is no container".to_owned(),
        |container| {
            format!(
                "it is {}, its health check {}",
                container.state.as_str(),
                container.health.as_str()
            )
        },
    );
    Err(Error::new(
        ErrorKind::Docker,
        "deps.traefik",
        format!(
            "start Traefik: after {} seconds {state}",
            PATIENCE.as_secs()
        ),
    )
    .hint(format!(
        "`docker logs --tail 20 {}` says why",
        traefik::CONTAINER
    ))
    .hint("the same command continues"))
}

/// Asks once a second until the answer is yes.
fn wait(
    progress: &mut dyn Progress,
    ask: &mut dyn FnMut() -> Result<bool, Error>,
) -> Result<bool, Error> {
    let start = Instant::now();
    loop {
        if ask()? {
            return Ok(true);
        }
        if progress.interrupted() {
            return Err(interrupted());
        }
        if start.elapsed() >= PATIENCE {
            return Ok(false);
        }
        thread::sleep(Duration::from_secs(1));
    }
}

/// Runs a program to its end and hands over its lines.
fn run(program: &str, arguments: &[&str], progress: &mut dyn Progress) -> Result<(), Error> {
    let typed = arguments.iter().fold(program.to_owned(), |line, argument| {
        format!("{line} {}", quoted(Path::new(argument)))
    });
    let failed = |why: String| {
        Error::new(
            ErrorKind::Docker,
            "deps.failed",
            format!("run `{typed}`: {why}"),
        )
        .hint("once that works, the same command continues")
    };
    let mut child = Command::new(program)
        .args(arguments)
        .envs([
            ("DEBIAN_FRONTEND", "noninteractive"),
            ("NEEDRESTART_MODE", "a"),
            ("LC_ALL", "C.UTF-8"),
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // Ctrl-C stops this program after the step, not packages half installed.
        .process_group(0)
        .spawn()
        .map_err(|error| failed("it does not start".to_owned()).source(error))?;
    let (send, lines) = mpsc::channel();
    let streams: [Option<Box<dyn std::io::Read + Send>>; 2] = [
        child.stdout.take().map(|out| Box::new(out) as _),
        child.stderr.take().map(|err| Box::new(err) as _),
    ];
    for stream in streams.into_iter().flatten() {
        let send = send.clone();
        thread::spawn(move || {
            let mut stream = BufReader::new(stream);
            let mut line = Vec::new();
            while stream.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                if !text.is_empty() && send.send(text).is_err() {
                    return;
                }
                line.clear();
            }
        });
    }
    drop(send);
    let mut last = VecDeque::new();
    // What a package starts may keep the streams open for ever, so the end of the program counts.
    let status = loop {
        match lines.recv_timeout(Duration::from_millis(200)) {
            Ok(line) => {
                progress.said(&line);
                if last.len() == LAST_WORDS {
                    last.pop_front();
                }
                last.push_back(line);
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                break child.wait();
            }
            Err(mpsc::RecvTimeoutError::Timeout) => match child.try_wait() {
                Ok(None) => {}
                Ok(Some(status)) => break Ok(status),
                Err(error) => break Err(error),
            },
        }
    }
    .map_err(|error| failed("it cannot be waited for".to_owned()).source(error))?;
    if status.success() {
        return Ok(());
    }
    let said: Vec<String> = last.into();
    Err(failed(format!("{status}\n{}", said.join("\n"))))
}
