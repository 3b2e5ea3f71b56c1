//! A container engine that plays a script: Docker's API on a socket of its own, and a `docker` program that runs Compose against it.
//!
//! A test says what the engine has (`add`, `image`, `network`), what starting a service leads to (`fate`), what programs in
//! containers answer (`program`), what fails (`fail`) and when the engine is away (`vanish_during`); then it reads what was asked for (`calls`) and what there is (`container`).
//! `Root::command` and its like find the engine by `FakeEngine::reach`.

// Where they lie is said, because this file is included by path, too.
#[path = "fake_engine/api.rs"]
mod api;
#[path = "fake_engine/docker.rs"]
mod docker;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard};

use tempfile::TempDir;

/// A container. Everything in it may be changed at any time with [`FakeEngine::change`].
#[derive(Debug, Clone)]
pub(crate) struct FakeContainer {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) image: String,
    pub(crate) image_id: String,
    /// In Docker's words: `running`, `exited`, `restarting` …
    pub(crate) state: &'static str,
    /// In Docker's words: `healthy`, `unhealthy`, `starting`; absent without a health check.
    pub(crate) health: Option<&'static str>,
    pub(crate) health_output: String,
    pub(crate) exit_code: i64,
    pub(crate) out_of_memory: bool,
    pub(crate) error: String,
    pub(crate) restarts: u32,
    pub(crate) created: String,
    pub(crate) started: String,
    pub(crate) finished: String,
    /// `NAME=VALUE`
    pub(crate) environment: Vec<String>,
    pub(crate) labels: BTreeMap<String, String>,
    /// Network's name and address in it.
    pub(crate) networks: BTreeMap<String, String>,
    /// Address and port of the host, port in the container.
    pub(crate) published: Vec<(String, u16, u16)>,
    /// On the host, in the container.
    pub(crate) mounts: Vec<(String, String)>,
    /// What is in it that no mount shows: its directory, and where the test keeps the files.
    pub(crate) inside: Vec<(String, PathBuf)>,
    pub(crate) command: Vec<String>,
    pub(crate) network_mode: String,
    pub(crate) log: Vec<FakeLine>,
    /// Percent of one processor.
    pub(crate) cpu: f64,
    /// Bytes, besides a page cache of a megabyte.
    pub(crate) memory: u64,
    /// How often it is looked at until it is healthy.
    pending: u32,
    fate: Fate,
}

/// A line that a container wrote: when (RFC 3339), 1 for stdout or 2 for stderr, and what.
#[derive(Debug, Clone)]
pub(crate) struct FakeLine {
    pub(crate) at: String,
    pub(crate) stream: u8,
    pub(crate) text: String,
}

/// What starting a container leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It runs, and is healthy when it is looked at the second time.
    Well,
    /// It runs, and is healthy after being looked at so often.
    Slow(u32),
    /// It runs, and its health check fails with these words.
    Unhealthy(String),
    /// It ends at once, with this code.
    Exits(i64),
    /// It ends at once, and the engine starts it again and again.
    Loops(i64),
    /// The engine cannot start it.
    Refused(String),
}

/// What a program in a container answers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) code: i64,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Answer {
    pub(crate) fn out(text: &str) -> Self {
        Self {
            out: text.to_owned(),
            ..Self::default()
        }
    }

    pub(crate) fn failed(code: i64, err: &str) -> Self {
        Self {
            code,
            err: err.to_owned(),
            ..Self::default()
        }
    }
}

/// A network.
#[derive(Debug, Clone, Default)]
pub(crate) struct FakeNetwork {
    pub(crate) name: String,
    pub(crate) subnet: String,
    pub(crate) gateway: Option<String>,
    pub(crate) range: Option<String>,
    pub(crate) internal: bool,
    pub(crate) labels: BTreeMap<String, String>,
}

/// Runs while others ask the engine for something else.
type Program = Arc<Mutex<dyn FnMut(&[String], &[u8]) -> Answer + Send>>;

/// What the engine has and does.
struct World {
    /// Its version.
    version: String,
    containers: Vec<FakeContainer>,
    networks: Vec<FakeNetwork>,
    /// Name to identifier and digests.
    images: BTreeMap<String, (String, Vec<String>)>,
    /// Whether Compose gets an image that is not there.
    registry: bool,
    /// What Compose says of itself; `None` where there is no Compose.
    compose: Option<String>,
    fates: BTreeMap<String, Fate>,
    /// The same by image, which counts more.
    fates_of: BTreeMap<String, Fate>,
    /// What happens whenever a container of an image is started.
    starts: Vec<(String, Box<dyn FnMut() + Send>)>,
    /// What happens during the next call that contains this.
    events: Vec<(String, Box<dyn FnOnce() + Send>)>,
    programs: Vec<(String, Vec<String>, Program)>,
    failures: Vec<Failure>,
    calls: Vec<Call>,
    execs: BTreeMap<String, Exec>,
    count: u64,
    /// Where it listens.
    socket: PathBuf,
    /// During which call it goes away.
    vanishes: Option<String>,
}

/// Something that was asked of the engine or of the `docker` program.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// `docker compose up -d`, `POST /containers/mailu_smtp/restart?t=10`, `exec mailu_smtp postqueue -j`. Only what changes something is noted
    /// of the API.
    pub(crate) what: String,
    /// Where the `docker` program was called.
    pub(crate) directory: PathBuf,
    /// What was written to a program in a container.
    pub(crate) input: Vec<u8>,
}

struct Failure {
    part: String,
    message: String,
    times: u32,
}

#[derive(Clone)]
struct Exec {
    container: String,
    command: Vec<String>,
    stdin: bool,
    started: bool,
    code: Option<i64>,
}

impl FakeContainer {
    /// A container that runs and is healthy.
    pub(crate) fn new(name: &str, image: &str) -> Self {
        Self {
            id: String::new(),
            name: name.to_owned(),
            image: image.to_owned(),
            image_id: image_id(image),
            state: "running",
            health: Some("healthy"),
            health_output: String::new(),
            exit_code: 0,
            out_of_memory: false,
            error: String::new(),
            restarts: 0,
            created: now(),
            started: now(),
            finished: "0001-01-01T00:00:00Z".to_owned(),
            environment: Vec::new(),
            labels: BTreeMap::new(),
            networks: BTreeMap::new(),
            published: Vec::new(),
            mounts: Vec::new(),
            inside: Vec::new(),
            command: vec!["/start.py".to_owned()],
            network_mode: "bridge".to_owned(),
            log: Vec::new(),
            cpu: 1.5,
            memory: 50 << 20,
            pending: 0,
            fate: Fate::Well,
        }
    }

    /// The same, as Compose makes it for a service of a project.
    pub(crate) fn of(project: &str, service: &str, image: &str) -> Self {
        let mut out = Self::new(&format!("{project}_{service}"), image);
        for (key, value) in [
            ("project", project),
            ("service", service),
            ("oneoff", "False"),
        ] {
            out.labels
                .insert(format!("com.docker.compose.{key}"), value.to_owned());
        }
        out
    }

    fn label(&self, name: &str) -> Option<&str> {
        self.labels
            .get(&format!("com.docker.compose.{name}"))
            .map(String::as_str)
    }

    /// A line for its log, written now.
    pub(crate) fn says(&mut self, text: &str) {
        self.log.push(FakeLine {
            at: now(),
            stream: 1,
            text: text.to_owned(),
        });
    }

    fn begin(&mut self) {
        self.started = now();
        self.restarts = 0;
        self.exit_code = 0;
        self.out_of_memory = false;
        self.error.clear();
        self.state = "running";
        let checked = self.health.is_some();
        self.pending = match self.fate {
            Fate::Well => 1,
            Fate::Slow(times) => times,
            _ => 0,
        };
        self.health = checked.then_some("starting");
        match &self.fate {
            Fate::Well | Fate::Slow(_) => {}
            Fate::Unhealthy(words) => {
                self.health_output.clone_from(words);
                self.health = Some("unhealthy");
            }
            Fate::Exits(code) => {
                self.exit_code = *code;
                self.end("exited");
            }
            Fate::Loops(code) => {
                self.exit_code = *code;
                self.end("restarting");
            }
            Fate::Refused(message) => {
                self.error.clone_from(message);
                self.exit_code = 127;
                self.state = "created";
            }
        }
    }

    fn end(&mut self, state: &'static str) {
        self.state = state;
        self.finished = now();
        if let Some(health) = &mut self.health {
            *health = "unhealthy";
        }
    }

    /// Time goes by with each look.
    fn looked_at(&mut self) {
        match self.fate {
            Fate::Loops(_) if self.state == "restarting" => self.restarts += 1,
            Fate::Well | Fate::Slow(_) if self.health == Some("starting") => {
                if self.pending == 0 {
                    self.health = Some("healthy");
                }
                self.pending = self.pending.saturating_sub(1);
            }
            _ => {}
        }
    }

    fn is_running(&self) -> bool {
        matches!(self.state, "running" | "paused" | "restarting")
    }
}

impl World {
    fn find(&mut self, name: &str) -> Option<&mut FakeContainer> {
        self.containers
            .iter_mut()
            .find(|there| there.name == name || (name.len() >= 12 && there.id.starts_with(name)))
    }

    fn note(&mut self, what: String, directory: &Path) {
        self.calls.push(Call {
            what,
            directory: directory.to_path_buf(),
            input: Vec::new(),
        });
    }

    fn vanish(&self) {
        std::fs::rename(&self.socket, away(&self.socket)).unwrap();
    }

    /// Starts a container; what keeps the engine from it.
    fn begin(&mut self, name: &str) -> Option<String> {
        let there = self.find(name)?;
        there.begin();
        let (image, error) = (there.image.clone(), there.error.clone());
        for (of, happens) in &mut self.starts {
            if *of == image {
                happens();
            }
        }
        Some(error).filter(|error| !error.is_empty())
    }

    /// The failure that was asked for, if `what` is to fail.
    fn failure(&mut self, what: &str) -> Option<String> {
        if let Some(at) = self
            .events
            .iter()
            .position(|(part, _)| what.contains(&**part))
        {
            self.events.swap_remove(at).1();
        }
        if self
            .vanishes
            .take_if(|part| what.contains(&**part))
            .is_some()
        {
            self.vanish();
        }
        let failure = self
            .failures
            .iter_mut()
            .find(|failure| failure.times > 0 && what.contains(&failure.part))?;
        failure.times = failure.times.saturating_sub(1);
        Some(failure.message.clone())
    }

    fn insert(&mut self, mut container: FakeContainer) {
        if container.id.is_empty() {
            self.count += 1;
            container.id = format!(
                "{:064x}",
                0xc0_ffee_0000_0000_0000_u128 * 7 + u128::from(self.count)
            );
        }
        self.containers.push(container);
    }

    /// Runs a program in a container, and waits for it.
    fn run(&mut self, container: &str, command: &[String], input: &[u8]) -> Answer {
        match self.begin_program(container, command, input) {
            Ok(answer) => answer,
            Err(program) => program.lock().unwrap()(command, input),
        }
    }

    /// What a program in a container answers, or the program that says so.
    fn begin_program(
        &mut self,
        container: &str,
        command: &[String],
        input: &[u8],
    ) -> Result<Answer, Program> {
        self.calls.push(Call {
            what: format!("exec {container} {}", command.join(" ")),
            directory: PathBuf::new(),
            input: input.to_vec(),
        });
        let what = format!("exec {container} {}", command.join(" "));
        if let Some(message) = self.failure(&what) {
            return Ok(Answer::failed(1, &message));
        }
        let service = self
            .find(container)
            .and_then(|there| there.label("service").map(str::to_owned))
            .unwrap_or_else(|| container.to_owned());
        // The newest wins.
        for (of, start, program) in self.programs.iter().rev() {
            if *of == service && command.starts_with(start) {
                return Err(program.clone());
            }
        }
        Ok(match command.first().map(String::as_str) {
            // An empty queue.
            Some("postqueue") => Answer::default(),
            // Its health check.
            Some("/bin/sh") => {
                let (health, said) = self.find(container).map_or((None, String::new()), |there| {
                    (there.health, there.health_output.clone())
                });
                match (service.as_str(), health) {
                    (_, Some("unhealthy" | "starting")) => Answer {
                        code: 1,
                        out: said,
                        ..Answer::default()
                    },
                    ("redis", _) => Answer::out("PONG\n"),
                    ("resolver", _) => Answer::out(
                        ";; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: 1\n;; flags: qr rd ra ad; QUERY: 1\n",
                    ),
                    _ => Answer::default(),
                }
            }
            first => Answer::failed(
                126,
                &format!(
                    "OCI runtime exec failed: exec failed: unable to start container process: exec: \"{}\": executable file not found in $PATH: unknown\n",
                    first.unwrap_or_default()
                ),
            ),
        })
    }
}

/// The engine; gone with the value.
pub(crate) struct FakeEngine {
    directory: TempDir,
    world: Arc<Mutex<World>>,
}

impl FakeEngine {
    /// An engine with nothing in it but its own networks.
    pub(crate) fn start() -> Self {
        let directory = tempfile::Builder::new().prefix("e").tempdir().unwrap();
        let network = |name: &str, subnet: &str| FakeNetwork {
            name: name.to_owned(),
            subnet: subnet.to_owned(),
            ..FakeNetwork::default()
        };
        let world = Arc::new(Mutex::new(World {
            version: "28.2.2".to_owned(),
            containers: Vec::new(),
            networks: vec![network("bridge", "172.17.0.0/16"), network("host", "")],
            images: BTreeMap::new(),
            registry: true,
            compose: Some("2.36.2".to_owned()),
            fates: BTreeMap::new(),
            fates_of: BTreeMap::new(),
            starts: Vec::new(),
            events: Vec::new(),
            programs: Vec::new(),
            failures: Vec::new(),
            calls: Vec::new(),
            execs: BTreeMap::new(),
            count: 0,
            socket: directory.path().join("docker.sock"),
            vanishes: None,
        }));
        let socket = UnixListener::bind(directory.path().join("docker.sock")).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap();
        docker::install(directory.path(), port.local_addr().unwrap().port());
        for (name, one) in [("api", world.clone()), ("docker", world.clone())] {
            let socket = socket.try_clone().unwrap();
            let port = port.try_clone().unwrap();
            std::thread::spawn(move || {
                // These threads end with the test program; a socket without a file is reached by nobody.
                if name == "api" {
                    for connection in socket.incoming().flatten() {
                        let world = one.clone();
                        std::thread::spawn(move || api::serve(connection, &world));
                    }
                } else {
                    for connection in port.incoming().flatten() {
                        let world = one.clone();
                        std::thread::spawn(move || docker::serve(connection, &world));
                    }
                }
            });
        }
        Self { directory, world }
    }

    fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }

    /// For `DOCKER_HOST`.
    pub(crate) fn host(&self) -> String {
        format!(
            "unix://{}",
            self.directory.path().join("docker.sock").display()
        )
    }

    /// For `PATH`: the `docker` program first.
    pub(crate) fn path(&self) -> OsString {
        let old = std::env::var_os("PATH").unwrap_or_default();
        let all =
            std::iter::once(self.directory.path().join("bin")).chain(std::env::split_paths(&old));
        std::env::join_paths(all).unwrap()
    }

    /// Has `command` find this engine and this `docker`.
    pub(crate) fn reach<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        // The host that these tests run on has nothing to do with this engine.
        let checks = mailu_core::preflight::CHECKS.iter();
        let all: Vec<&str> = checks
            .filter(|check| check.skippable)
            .map(|check| check.id)
            .collect();
        command
            .env("DOCKER_HOST", self.host())
            .env("PATH", self.path())
            .env("MAILU_SKIP_CHECK", all.join(","))
    }

    /// Takes the engine's socket away, as when it is stopped.
    pub(crate) fn vanish(&self) {
        self.world().vanish();
    }

    /// The same during the next call that contains `part` (see [`Call::what`]; looks are `GET /path`): that is still answered.
    pub(crate) fn vanish_during(&self, part: &str) {
        self.world().vanishes = Some(part.to_owned());
    }

    /// Puts the engine's socket back, as when it is started again. Its containers are as they were.
    pub(crate) fn come_back(&self) {
        let socket = self.world().socket.clone();
        std::fs::rename(away(&socket), socket).unwrap();
    }

    /// Adds a container, and its image if the engine does not have that yet.
    pub(crate) fn add(&self, container: FakeContainer) {
        let mut world = self.world();
        let entry = (container.image_id.clone(), Vec::new());
        world.images.entry(container.image.clone()).or_insert(entry);
        world.insert(container);
    }

    /// Adds an image, or another one by the same name.
    pub(crate) fn image(&self, name: &str, id: &str, digests: &[&str]) {
        let digests = digests.iter().map(|one| (*one).to_owned()).collect();
        self.world()
            .images
            .insert(name.to_owned(), (id.to_owned(), digests));
    }

    /// Adds a network.
    pub(crate) fn network(&self, network: FakeNetwork) {
        self.world().networks.push(network);
    }

    /// The names of its networks.
    pub(crate) fn networks(&self) -> Vec<String> {
        self.world()
            .networks
            .iter()
            .map(|one| one.name.clone())
            .collect()
    }

    /// Brings the deployment in `directory` up, as `docker compose up -d` does, and lets everything become healthy.
    pub(crate) fn up(&self, directory: &Path) {
        let mut world = self.world();
        docker::bring_up(&mut world, directory);
        for container in &mut world.containers {
            for _ in 0..3 {
                container.looked_at();
            }
        }
    }

    /// What starting a service leads to, from now on.
    pub(crate) fn fate(&self, service: &str, fate: Fate) {
        let mut world = self.world();
        let world = &mut *world;
        for container in &mut world.containers {
            let own = world.fates_of.contains_key(&container.image);
            if container.label("service") == Some(service) && !own {
                container.fate = fate.clone();
            }
        }
        world.fates.insert(service.to_owned(), fate);
    }

    /// What starting a container of an image leads to, whatever the fate of its service is.
    pub(crate) fn fate_of(&self, image: &str, fate: Fate) {
        let mut world = self.world();
        for container in &mut world.containers {
            if container.image == image {
                container.fate = fate.clone();
            }
        }
        world.fates_of.insert(image.to_owned(), fate);
    }

    /// What happens whenever a container of an image is started.
    pub(crate) fn on_start(&self, image: &str, happens: impl FnMut() + Send + 'static) {
        let happens = Box::new(happens);
        self.world().starts.push((image.to_owned(), happens));
    }

    /// What happens during the next call that contains `part` (see [`Call::what`]), before it is answered.
    pub(crate) fn during(&self, part: &str, happens: impl FnOnce() + Send + 'static) {
        let happens = Box::new(happens);
        self.world().events.push((part.to_owned(), happens));
    }

    /// Lets starting a service lead to that which is its fate, now.
    pub(crate) fn befall(&self, service: &str, fate: Fate) {
        self.fate(service, fate);
        for container in &mut self.world().containers {
            if container.label("service") == Some(service) {
                container.begin();
            }
        }
    }

    /// Changes a container.
    pub(crate) fn change(&self, name: &str, change: impl FnOnce(&mut FakeContainer)) {
        let mut world = self.world();
        change(
            world
                .find(name)
                .unwrap_or_else(|| panic!("no container {name}")),
        );
    }

    /// A container as it is now.
    pub(crate) fn container(&self, name: &str) -> Option<FakeContainer> {
        self.world().find(name).map(|there| there.clone())
    }

    /// The names of its containers.
    pub(crate) fn containers(&self) -> Vec<String> {
        self.world()
            .containers
            .iter()
            .map(|one| one.name.clone())
            .collect()
    }

    /// Whether every container runs.
    pub(crate) fn all_run(&self) -> bool {
        let all = &self.world().containers;
        all.iter().all(|one| one.state == "running")
    }

    /// Takes a container away.
    pub(crate) fn remove(&self, name: &str) {
        self.world().containers.retain(|one| one.name != name);
    }

    /// What programs in a service's container answer whose command starts with `start`. The newest wins.
    pub(crate) fn program(
        &self,
        service: &str,
        start: &[&str],
        program: impl FnMut(&[String], &[u8]) -> Answer + Send + 'static,
    ) {
        let start = start.iter().map(|part| (*part).to_owned()).collect();
        self.world()
            .programs
            .push((service.to_owned(), start, Arc::new(Mutex::new(program))));
    }

    /// Lets the next `times` calls fail that contain `part` (see [`Call::what`]).
    pub(crate) fn fail(&self, part: &str, times: u32, message: &str) {
        self.world().failures.push(Failure {
            part: part.to_owned(),
            message: message.to_owned(),
            times,
        });
    }

    /// Whether Compose gets images that are not there.
    pub(crate) fn registry(&self, there: bool) {
        self.world().registry = there;
    }

    /// Which version Docker says it is.
    pub(crate) fn version(&self, version: &str) {
        version.clone_into(&mut self.world().version);
    }

    /// Which version Compose says it is; `None` for a `docker` without Compose.
    pub(crate) fn compose(&self, version: Option<&str>) {
        self.world().compose = version.map(str::to_owned);
    }

    /// Everything that was asked for so far, in words.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.world()
            .calls
            .iter()
            .map(|call| call.what.clone())
            .collect()
    }

    /// The same, with places and input; forgets it.
    pub(crate) fn take_calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.world().calls)
    }
}

/// Where the socket lies while nobody is to find it.
fn away(socket: &Path) -> PathBuf {
    socket.with_extension("away")
}

fn lock(world: &Mutex<World>) -> MutexGuard<'_, World> {
    world
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// An identifier that follows from the image's name.
pub(crate) fn image_id(name: &str) -> String {
    format!("sha256:{}", hash(&[name]).repeat(4))
}

fn hash(parts: &[&str]) -> String {
    use std::hash::{Hash as _, Hasher as _};
    let mut hasher = std::hash::DefaultHasher::new();
    parts.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// Now, as Docker writes it.
pub(crate) fn now() -> String {
    format!("{:.9}", jiff::Timestamp::now())
}
