//! What a host needs before a mail server can run on it: Docker, Compose and Traefik. What is missing, and the steps that bring it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::config::{Config, TlsMode};
use crate::engine::{Container, EngineNetwork, State, proxy_command, proxy_network};
use crate::error::{Error, ErrorKind};
use crate::finding::Finding;
use crate::plan::{Content, Verdict, decide};
use crate::traefik::{self, Record, Settings};

/// The distribution, from `/etc/os-release`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct System {
    /// `debian`, `ubuntu` …
    pub id: String,
    /// Those that it is like.
    pub like: Vec<String>,
    /// What it calls itself.
    pub name: String,
}

impl System {
    /// Reads `/etc/os-release`.
    pub fn parse(text: &str) -> Self {
        let mut out = Self::default();
        for line in text.lines() {
            let Some((key, value)) = line.split_once('=') else {
                continue;
            };
            let value = value.trim().trim_matches(['"', '\'']);
            match key.trim() {
                "ID" => value.clone_into(&mut out.id),
                "ID_LIKE" => out.like = value.split_whitespace().map(str::to_owned).collect(),
                "PRETTY_NAME" => value.clone_into(&mut out.name),
                _ => {}
            }
        }
        out
    }

    /// Whether its packages are Debian's or Ubuntu's.
    pub fn has_apt(&self) -> bool {
        std::iter::once(&self.id)
            .chain(&self.like)
            .any(|id| matches!(id.as_str(), "debian" | "ubuntu"))
    }
}

/// What is known of Docker on the host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Docker {
    /// The engine's version, if it answers.
    pub engine: Option<String>,
    /// Where it is looked for, if not at the usual place: `DOCKER_HOST`.
    pub elsewhere: Option<String>,
    /// Whether its program `dockerd` is there.
    pub installed: bool,
    /// Whether the `docker` program is another's, such as Podman's.
    pub imitated: bool,
    /// Compose's version, if it answers.
    pub compose: Option<String>,
}

/// What is known of the packages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Packages {
    /// The version that would be installed, by package; those that are not to be had are absent.
    pub candidates: BTreeMap<String, String>,
    /// Those that are installed.
    pub installed: BTreeSet<String>,
    /// Whether an installation was interrupted.
    pub unfinished: bool,
}

/// Packages that matter.
pub const PACKAGES: [&str; 8] = [
    "docker.io",
    "docker-cli",
    "docker-compose",
    "docker-compose-plugin",
    "docker-compose-v2",
    "docker-ce",
    "docker-ce-cli",
    "containerd.io",
];

/// The host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Host {
    /// Whether this process may install anything.
    pub root: bool,
    /// Whether systemd runs.
    pub systemd: bool,
    /// The distribution.
    pub system: System,
    /// Docker.
    pub docker: Docker,
    /// Packages.
    pub packages: Packages,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "DependencyStep")
)]
#[serde(rename_all = "snake_case", tag = "action")]
#[non_exhaustive]
pub enum Step {
    /// Completes an interrupted installation of packages.
    MendPackages,
    /// Fetches the lists of packages.
    UpdateLists,
    /// Installs packages; none where the lists have to be fetched before it is known which.
    InstallPackages {
        /// Their names.
        packages: Vec<String>,
    },
    /// Starts the engine, now and at every start of the host.
    StartEngine,
    /// Waits until the engine answers.
    AwaitEngine,
    /// Makes the network that Traefik and the fronts share.
    MakeNetwork {
        /// Its name.
        name: String,
        /// The command that does the same.
        command: String,
    },
    /// Makes Traefik's directory.
    MakeDirectory {
        /// Which.
        path: PathBuf,
    },
    /// Writes a file of Traefik's project.
    WriteFile {
        /// Which.
        path: PathBuf,
        /// Its permission bits.
        #[serde(skip)]
        mode: u32,
        /// What is written.
        #[serde(skip)]
        content: Text,
    },
    /// Starts Traefik, or brings it to what its files say.
    StartTraefik {
        /// Its directory.
        directory: PathBuf,
    },
    /// Waits until Traefik is healthy.
    AwaitTraefik,
}

/// The content of a file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Text(pub(crate) Content);

impl Step {
    /// In words.
    pub fn describe(&self) -> String {
        match self {
            Self::MendPackages => "complete an interrupted installation of packages".to_owned(),
            Self::UpdateLists => "fetch the lists of packages".to_owned(),
            Self::InstallPackages { packages } if packages.is_empty() => {
                "install Docker and Compose, whichever packages the lists then have".to_owned()
            }
            Self::InstallPackages { packages } => format!("install {}", packages.join(", ")),
            Self::StartEngine => "start Docker, now and at every start of this host".to_owned(),
            Self::AwaitEngine => "wait until Docker answers".to_owned(),
            Self::MakeNetwork { name, .. } => format!("make the Docker network {name}"),
            Self::MakeDirectory { path } => format!("make directory {}", path.display()),
            Self::WriteFile { path, mode, .. } => {
                format!("write {} (mode {mode:04o})", path.display())
            }
            Self::StartTraefik { directory } => {
                format!("start Traefik in {}", directory.display())
            }
            Self::AwaitTraefik => "wait until Traefik is healthy".to_owned(),
        }
    }
}

/// Steps, and what is worth knowing about them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Steps {
    /// In their order.
    pub steps: Vec<Step>,
    /// Warnings and notices.
    pub findings: Vec<Finding>,
}

/// The steps that bring Docker and Compose. None where both answer: what is there is never exchanged for another.
///
/// `fresh` says whether the lists of packages have just been fetched.
///
/// # Errors
///
/// [`ErrorKind::Docker`] if it cannot be done here, with what to do instead.
pub fn docker(host: &Host, fresh: bool) -> Result<Steps, Error> {
    let docker = &host.docker;
    if docker.engine.is_some() && docker.compose.is_some() {
        return Ok(Steps::default());
    }
    let fail = |code, why: String| {
        Error::new(
            ErrorKind::Docker,
            code,
            format!("install Docker and Compose: {why}"),
        )
    };
    if let Some(address) = docker
        .elsewhere
        .as_ref()
        .filter(|_| docker.engine.is_none())
    {
        return Err(fail(
            "deps.elsewhere",
            format!("DOCKER_HOST is {address}, where no engine answers"),
        )
        .hint("start the engine there, or unset DOCKER_HOST to have one on this host"));
    }
    if docker.imitated && docker.engine.is_none() {
        return Err(fail(
            "deps.imitated",
            "the program `docker` of this host is Podman's, and Docker would take its place"
                .to_owned(),
        )
        .hint("remove the package podman-docker, then run the same command again"));
    }
    if !host.root {
        return Err(fail("deps.not_root", "only root may".to_owned())
            .hint("run the same command with `sudo`"));
    }
    let mut steps = Vec::new();
    let missing_engine = docker.engine.is_none() && !docker.installed;
    let missing_compose = docker.compose.is_none();
    if missing_engine || missing_compose {
        if !host.system.has_apt() {
            let name = if host.system.name.is_empty() {
                "this system"
            } else {
                &host.system.name
            };
            return Err(fail(
                "deps.system",
                format!("that is done on Debian and Ubuntu only, and this is {name}"),
            )
            .hint("install Docker 20.10 or later and Docker Compose as your system does, then run the same command again")
            .hint("Docker's own guide: https://docs.docker.com/engine/install/"));
        }
        if host.packages.unfinished {
            steps.push(Step::MendPackages);
        }
        let packages = choose(&host.packages, missing_engine, missing_compose);
        match packages {
            Some(packages) => {
                if !fresh {
                    steps.push(Step::UpdateLists);
                }
                steps.push(Step::InstallPackages { packages });
            }
            None if fresh => {
                return Err(fail(
                    "deps.no_package",
                    format!(
                        "{} has no package for {}",
                        host.system.name,
                        if missing_engine { "Docker" } else { "Compose" }
                    ),
                )
                .hint("`apt-cache policy docker.io docker-compose` shows where packages come from; on Ubuntu, they are in `universe`")
                .hint("Docker's own guide: https://docs.docker.com/engine/install/"));
            }
            None => {
                steps.push(Step::UpdateLists);
                steps.push(Step::InstallPackages {
                    packages: Vec::new(),
                });
            }
        }
    }
    if docker.engine.is_none() {
        steps.push(Step::StartEngine);
        steps.push(Step::AwaitEngine);
    }
    Ok(Steps {
        steps,
        findings: Vec::new(),
    })
}

/// The packages for what is missing: Docker's own where its repository is configured, else the distribution's.
fn choose(packages: &Packages, engine: bool, compose: bool) -> Option<Vec<String>> {
    let to_be_had = |name: &str| packages.candidates.contains_key(name);
    let installed = |name: &str| packages.installed.contains(name);
    // A package of the other kind would take the engine's place.
    let dockers_own = if engine {
        to_be_had("docker-ce") && !installed("docker.io")
    } else {
        installed("docker-ce")
    };
    let mut chosen: Vec<&str> = Vec::new();
    if engine && dockers_own {
        chosen.extend(["docker-ce", "docker-ce-cli", "containerd.io"]);
    } else if engine {
        if !to_be_had("docker.io") {
            return None;
        }
        chosen.push("docker.io");
        // Newer releases have the program `docker` in a package of its own.
        if to_be_had("docker-cli") {
            chosen.push("docker-cli");
        }
    }
    if compose {
        let order: &[&str] = if dockers_own {
            &["docker-compose-plugin"]
        } else {
            &[
                "docker-compose-v2",
                "docker-compose-plugin",
                "docker-compose",
            ]
        };
        let found = order.iter().find(|name| to_be_had(name))?;
        chosen.push(found);
    }
    Some(chosen.into_iter().map(str::to_owned).collect())
}

/// What is known of Traefik and its project.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct Place {
    /// Docker's socket.
    pub socket: String,
    /// The engine's containers.
    pub containers: Vec<Container>,
    /// The names of its networks.
    pub networks: BTreeSet<String>,
    /// The files in Traefik's directory: `docker-compose.yml`, `.env`, `settings.json`, `acme.json`.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Whether that directory is there.
    pub directory: bool,
}

/// Of the files, only the names: `acme.json` has private keys.
impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place")
            .field("socket", &self.socket)
            .field("containers", &self.containers)
            .field("networks", &self.networks)
            .field("files", &self.files.keys())
            .field("directory", &self.directory)
            .finish()
    }
}

/// A Traefik on this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Whose<'a> {
    /// None.
    Nobodys,
    /// Of our project.
    Ours(&'a Container),
    /// Somebody else's.
    Anothers(&'a Container),
}

/// The Traefik among `containers`.
pub fn whose(containers: &[Container]) -> Whose<'_> {
    let ours = containers
        .iter()
        .find(|container| container.project.as_deref() == Some(traefik::PROJECT));
    if let Some(container) = ours {
        return Whose::Ours(container);
    }
    let is_traefik = |container: &&Container| {
        let image = container.image.split('@').next().unwrap_or_default();
        let name = image.rsplit('/').next().unwrap_or_default();
        name.split(':').next() == Some("traefik")
            || container
                .command
                .iter()
                .any(|part| part.to_ascii_lowercase().starts_with("--entrypoints."))
    };
    let all = || containers.iter().filter(is_traefik);
    all()
        .find(|container| container.state == State::Running)
        .or_else(|| all().next())
        .map_or(Whose::Nobodys, Whose::Anothers)
}

/// The steps that bring a Traefik of our own, where there is none, or ours.
///
/// # Errors
///
/// [`ErrorKind::Corrupt`] if its `settings.json` cannot be read; [`ErrorKind::Conflict`] if it cannot serve this deployment too.
pub fn traefik(root: &Path, config: &Config, place: &Place) -> Result<Steps, Error> {
    let mut out = Steps::default();
    if !config.tls.mode.behind_traefik() {
        return Ok(out);
    }
    let running = match whose(&place.containers) {
        Whose::Anothers(container) => {
            if container.state != State::Running {
                out.findings.push(
                    Finding::warning(
                        "deps.traefik_stopped",
                        format!("container {}", container.name),
                        "is a Traefik that does not run; no other is installed beside it",
                    )
                    .hint(format!(
                        "`docker start {0}`, or `docker rm {0}` to have one installed",
                        container.name
                    )),
                );
            }
            return Ok(out);
        }
        Whose::Ours(container) => container.is_well(),
        Whose::Nobodys => false,
    };
    let directory = traefik::directory(root);
    let before = match place.files.get("settings.json") {
        None => None,
        Some(bytes) => Some(serde_json::from_slice::<Record>(bytes).map_err(|error| {
            let path = directory.join("settings.json");
            Error::new(
                ErrorKind::Corrupt,
                "deps.settings",
                format!("read {}", path.display()),
            )
            .source(error)
            .hint(format!(
                "remove it: `rm {}`; edited files beside it are then kept as they are",
                crate::paths::quoted(&path)
            ))
        })?),
    };
    let wanted = Settings::of(root, config, &place.socket);
    let (settings, conflicts) = match &before {
        Some(before) => wanted.beside(&before.settings),
        None => (wanted, Vec::new()),
    };
    if !conflicts.is_empty() {
        return Err(crate::error::Invalid::new(conflicts).into());
    }
    if let (Some(command), Some(network)) = (proxy_command(config), proxy_network(config))
        && !place.networks.contains(&network.name)
    {
        out.steps.push(Step::MakeNetwork {
            name: network.name,
            command,
        });
    }
    if !place.directory {
        out.steps.push(Step::MakeDirectory {
            path: directory.clone(),
        });
    }
    let files = [
        (".env", Settings::env()),
        ("docker-compose.yml", settings.compose()?),
    ];
    let record = Record::next(settings, &files, before.as_ref());
    if before.as_ref() != Some(&record) {
        let mut text = serde_json::to_vec_pretty(&record).map_err(|error| {
            Error::new(
                ErrorKind::Internal,
                "deps.settings",
                "write Traefik's settings",
            )
            .source(error)
        })?;
        text.push(b'\n');
        out.steps
            .push(write(directory.join("settings.json"), 0o644, text));
    }
    if !place.files.contains_key("acme.json") {
        // Traefik refuses one that others may read; and Docker would make a directory of one that is missing.
        out.steps
            .push(write(traefik::store(root), 0o600, Vec::new()));
    }
    let mut changed = false;
    for (name, text) in files {
        let there = place.files.get(name).map(Vec::as_slice);
        let bases: Vec<&String> = before
            .iter()
            .filter_map(|record| record.files.get(name))
            .flatten()
            .collect();
        let path = directory.join(name);
        match decide(there, text.as_bytes(), &bases, false) {
            Verdict::Same => {}
            Verdict::Write | Verdict::Replace => {
                changed = true;
                out.steps.push(write(path, 0o644, text.into_bytes()));
            }
            verdict => {
                let edited = Finding::notice(
                    "deps.traefik_edited",
                    path.display().to_string(),
                    "was edited, and stays as it is",
                );
                out.findings.push(if verdict == Verdict::Edited {
                    edited
                } else {
                    Finding::warning(
                        "deps.traefik_conflict",
                        path.display().to_string(),
                        "was edited, and another content is wanted now; it stays as it is",
                    )
                    .hint("move your changes to docker-compose.override.yml beside it, and remove the file: the same command writes it anew")
                });
            }
        }
    }
    if changed || !running {
        out.steps.push(Step::StartTraefik { directory });
        out.steps.push(Step::AwaitTraefik);
    }
    Ok(out)
}

/// The setting that tells where the certificates of our Traefik lie, if nothing else is said.
pub fn store_setting(
    root: &Path,
    config: &Config,
    containers: &[Container],
) -> Option<(String, String)> {
    let ours = !matches!(whose(containers), Whose::Anothers(_));
    let wanted = config.tls.mode == TlsMode::Traefik && config.traefik.acme_store.is_none();
    (ours && wanted).then(|| {
        (
            "traefik.acme_store".to_owned(),
            traefik::store(root).display().to_string(),
        )
    })
}

/// The network of [`Step::MakeNetwork`].
pub fn network(config: &Config) -> Option<EngineNetwork> {
    proxy_network(config)
}

fn write(path: PathBuf, mode: u32, text: Vec<u8>) -> Step {
    Step::WriteFile {
        path,
        mode,
        content: Text(Content(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(candidates: &[&str]) -> Host {
        Host {
            root: true,
            systemd: true,
            system: System::parse("ID=debian\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n"),
            docker: Docker::default(),
            packages: Packages {
                candidates: candidates
                    .iter()
                    .map(|name| ((*name).to_owned(), "1".to_owned()))
                    .collect(),
                ..Packages::default()
            },
        }
    }

    fn said(host: &Host, fresh: bool) -> Vec<String> {
        match docker(host, fresh) {
            Ok(steps) => steps.steps.iter().map(Step::describe).collect(),
            Err(error) => vec![error.code().to_owned()],
        }
    }

    #[test]
    fn each_release_gets_the_packages_that_it_has() {
        let chosen = |candidates: &[&str]| said(&host(candidates), false)[1].clone();
        assert_eq!(
            chosen(&["docker.io", "docker-compose"]),
            "install docker.io, docker-compose"
        );
        assert_eq!(
            chosen(&["docker.io", "docker-cli", "docker-compose"]),
            "install docker.io, docker-cli, docker-compose"
        );
        assert_eq!(
            chosen(&["docker.io", "docker-compose", "docker-compose-v2"]),
            "install docker.io, docker-compose-v2"
        );
        assert_eq!(
            chosen(&[
                "docker.io",
                "docker-compose",
                "docker-ce",
                "docker-compose-plugin"
            ]),
            "install docker-ce, docker-ce-cli, containerd.io, docker-compose-plugin"
        );
        assert!(chosen(&[]).starts_with("install Docker and Compose"));
        assert_eq!(said(&host(&[]), true), ["deps.no_package"]);
    }

    #[test]
    fn what_is_there_is_not_exchanged() {
        let mut host = host(&[
            "docker.io",
            "docker-compose",
            "docker-ce",
            "docker-compose-plugin",
        ]);
        host.docker.engine = Some("28.0.0".to_owned());
        host.docker.compose = Some("2.30.0".to_owned());
        assert_eq!(said(&host, false), [""; 0]);
        host.docker.compose = None;
        host.packages.installed.insert("docker.io".to_owned());
        assert_eq!(said(&host, true), ["install docker-compose-plugin"]);
        host.docker.engine = None;
        host.docker.installed = true;
        host.docker.compose = Some("1.29.2".to_owned());
        assert_eq!(
            said(&host, false),
            [
                "start Docker, now and at every start of this host",
                "wait until Docker answers"
            ]
        );
    }

    #[test]
    fn where_it_cannot_be_done_that_is_said() {
        let all = ["docker.io", "docker-compose"];
        let mut one = host(&all);
        one.root = false;
        assert_eq!(said(&one, false), ["deps.not_root"]);
        let mut one = host(&all);
        one.system = System::parse("ID=fedora\nID_LIKE=\"rhel centos\"\n");
        assert_eq!(said(&one, false), ["deps.system"]);
        one.system = System::parse("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n");
        assert_eq!(said(&one, false).len(), 4);
        let mut one = host(&all);
        one.docker.elsewhere = Some("tcp://192.0.2.1:2375".to_owned());
        assert_eq!(said(&one, false), ["deps.elsewhere"]);
        let mut one = host(&all);
        one.docker.imitated = true;
        assert_eq!(said(&one, false), ["deps.imitated"]);
        let mut one = host(&all);
        one.packages.unfinished = true;
        assert_eq!(
            said(&one, false)[0],
            "complete an interrupted installation of packages"
        );
    }

    fn config(more: &str) -> Config {
        let mut config = Config::from_toml(&format!(
            "mail_host = \"mail.example.com\"\nemail_domain = \"example.com\"\nadmin_email = \"admin@example.com\"\n{more}"
        ))
        .expect("a valid configuration")
        .config;
        crate::network::draw(&mut config, &crate::network::Reserved::default(), &[]).expect("room");
        config
    }

    /// Performs the steps on a place of the mind.
    fn perform(place: &mut Place, steps: &Steps) {
        for step in &steps.steps {
            match step {
                Step::MakeNetwork { name, .. } => {
                    place.networks.insert(name.clone());
                }
                Step::MakeDirectory { .. } => place.directory = true,
                Step::WriteFile { path, content, .. } => {
                    let name = path.file_name().expect("a name").to_string_lossy();
                    place.files.insert(name.into_owned(), content.0.0.clone());
                }
                Step::StartTraefik { .. } => {
                    let mut container = Container::new("traefik", "traefik:v3.7.13");
                    container.project = Some(traefik::PROJECT.to_owned());
                    place.containers = vec![container];
                }
                _ => {}
            }
        }
    }

    #[test]
    fn traefik_is_installed_once_and_stays_as_people_made_it() {
        let root = Path::new("/opt/agency_stack");
        let mut place = Place {
            socket: "/var/run/docker.sock".to_owned(),
            ..Place::default()
        };
        let first = traefik(root, &config(""), &place).expect("a plan");
        assert_eq!(first.steps.len(), 8, "{:#?}", first.steps);
        // Stopped after any step, the rest is done by the next run.
        for done in 0..first.steps.len() {
            let mut part = place.clone();
            let steps = Steps {
                steps: first.steps[..done].to_vec(),
                ..Steps::default()
            };
            perform(&mut part, &steps);
            let rest = traefik(root, &config(""), &part).expect("a plan");
            perform(&mut part, &rest);
            assert_eq!(
                traefik(root, &config(""), &part).expect("a plan"),
                Steps::default()
            );
        }
        perform(&mut place, &first);
        assert_eq!(
            traefik(root, &config(""), &place).expect("a plan"),
            Steps::default()
        );

        // A second deployment needs another port.
        let mut more = place.clone();
        let second =
            traefik(root, &config("[ports]\nmail = [25, 110, 465]\n"), &more).expect("a plan");
        let said: Vec<String> = second.steps.iter().map(Step::describe).collect();
        assert_eq!(said.len(), 4, "{said:?}");
        assert!(said[1].contains("docker-compose.yml"), "{said:?}");
        perform(&mut more, &second);
        assert_eq!(
            traefik(root, &config(""), &more).expect("a plan"),
            Steps::default()
        );

        // Edited, and nothing new is wanted; then something is.
        let file = place.files.get_mut("docker-compose.yml").expect("the file");
        file.extend_from_slice(b"# mine\n");
        let ids = |steps: Steps| -> Vec<String> {
            assert!(
                !steps
                    .steps
                    .iter()
                    .any(|step| step.describe().contains("docker-compose.yml"))
            );
            steps
                .findings
                .into_iter()
                .map(|finding| finding.id)
                .collect()
        };
        assert_eq!(
            ids(traefik(root, &config(""), &place).expect("a plan")),
            ["deps.traefik_edited"]
        );
        let second = traefik(root, &config("[ports]\nmail = [25, 110, 465]\n"), &place);
        assert_eq!(ids(second.expect("a plan")), ["deps.traefik_conflict"]);
    }

    #[test]
    fn somebody_s_traefik_stays_alone() {
        let root = Path::new("/opt/agency_stack");
        let mut place = Place {
            containers: vec![Container::new("proxy", "docker.io/library/traefik:v2.11")],
            ..Place::default()
        };
        assert_eq!(
            traefik(root, &config(""), &place).expect("a plan"),
            Steps::default()
        );
        assert_eq!(store_setting(root, &config(""), &place.containers), None);
        place.containers[0].state = State::Exited;
        let found = traefik(root, &config(""), &place).expect("a plan");
        assert!(found.steps.is_empty() && found.findings.len() == 1);
        assert_eq!(
            traefik(
                root,
                &config("[tls]\nmode = \"letsencrypt\"\n"),
                &Place::default()
            )
            .expect("a plan"),
            Steps::default()
        );
        assert_eq!(
            store_setting(root, &config(""), &[]).expect("a setting").1,
            "/opt/agency_stack/traefik/acme.json"
        );
    }
}
