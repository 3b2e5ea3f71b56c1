//! The machine that `tests/stack/engine.sh` makes, the Internet around it (the container `world_outside`), and the Traefik that an
//! operator would have there.
//!
//! The host is 198.51.100.1. Outside, 198.51.100.10 is `mx.outside.test`, which the SPF record of `outside.test` names, and
//! 198.51.100.20 is somebody's address at home.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{succeed, workspace};

pub(crate) const HOST: &str = "198.51.100.1";
/// Somebody's address at home.
pub(crate) const STRANGER: &str = "198.51.100.20";

/// The machine is one: whoever uses it holds this.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static MACHINE: Mutex<()> = Mutex::new(());
    MACHINE.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn docker(args: &[&str]) -> String {
    succeed(Command::new("docker").args(args))
}

pub(crate) fn inspect(name: &str) -> Value {
    let all: Value = serde_json::from_str(&docker(&["inspect", name])).unwrap();
    all[0].clone()
}

/// Waits until `condition` gives something.
pub(crate) fn wait_for<T>(what: &str, condition: impl FnMut() -> Option<T>) -> T {
    wait_long(what, Duration::from_secs(60), condition)
}

/// The same, for what may take longer than a minute on a busy machine.
pub(crate) fn wait_long<T>(
    what: &str,
    limit: Duration,
    mut condition: impl FnMut() -> Option<T>,
) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(start.elapsed() < limit, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Runs a program of the container outside, with something on its stdin, and returns what it printed.
pub(crate) fn outside(args: &[&str], input: &str) -> String {
    inside("world_outside", args, input)
}

/// The same in another container.
pub(crate) fn inside(container: &str, args: &[&str], input: &str) -> String {
    let mut child = Command::new("docker")
        .args(["exec", "-i", container])
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{args:?} in {container}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// A conversation over SMTP.
#[derive(Debug)]
pub(crate) struct Said {
    /// Every command was answered with success.
    pub(crate) ok: bool,
    /// Command, code and text of each answer. `connect` is the greeting, `error` what ended it otherwise.
    pub(crate) steps: Vec<(String, u64, String)>,
}

impl Said {
    fn of(printed: &str) -> Self {
        let value: Value = serde_json::from_str(printed).unwrap();
        Self {
            ok: value["ok"] == true,
            steps: serde_json::from_value(value["steps"].clone()).unwrap(),
        }
    }

    /// The last answer to `command`.
    pub(crate) fn to(&self, command: &str) -> Option<(u64, &str)> {
        self.steps
            .iter()
            .rfind(|(said, ..)| said == command)
            .map(|(_, code, text)| (*code, text.as_str()))
    }

    pub(crate) fn code(&self, command: &str) -> Option<u64> {
        self.to(command).map(|(code, _)| code)
    }
}

/// Sends from outside; `images/outside/send` has the arguments.
pub(crate) fn send(args: &[&str], message: &str) -> Said {
    Said::of(&outside(&[&["send"], args].concat(), message))
}

/// A message that arrived outside.
#[derive(Debug, serde::Deserialize)]
pub(crate) struct Arrived {
    headers: Vec<(String, String)>,
    pub(crate) raw: String,
    pub(crate) dkim: Vec<Signature>,
}

/// What dkimpy says of a signature, with the key that stands in DNS.
#[derive(Debug, serde::Deserialize)]
pub(crate) struct Signature {
    pub(crate) domain: String,
    pub(crate) selector: String,
    pub(crate) ok: bool,
    /// Why not.
    pub(crate) why: String,
}

impl Arrived {
    /// The first head field of that name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// What an address outside has got.
pub(crate) fn inbox(address: &str) -> Vec<Arrived> {
    serde_json::from_str(&outside(&["inbox", address], "")).unwrap()
}

/// Waits for a message with that subject.
pub(crate) fn arrives(address: &str, subject: &str) -> Arrived {
    wait_long(
        &format!("`{subject}` at {address}"),
        Duration::from_secs(120),
        || {
            inbox(address)
                .into_iter()
                .find(|message| message.header("Subject") == Some(subject))
        },
    )
}

/// A log-in over IMAP or POP3, and the messages that it found.
#[derive(Debug, serde::Deserialize)]
pub(crate) struct Fetched {
    pub(crate) ok: bool,
    pub(crate) why: String,
    pub(crate) messages: Vec<String>,
}

/// Logs in from outside; `images/outside/fetch` has the arguments.
pub(crate) fn fetch(user: &str, password: &str, more: &[&str]) -> Fetched {
    let args = ["fetch", "--user", user, "--password", password];
    serde_json::from_str(&outside(&[&args, more].concat(), "")).unwrap()
}

/// A page, reached by logging in on the web.
#[derive(Debug, serde::Deserialize)]
pub(crate) struct Page {
    pub(crate) ok: bool,
    pub(crate) why: String,
    pub(crate) status: u64,
    pub(crate) url: String,
}

/// Logs in on the web from outside, to `webmail` or `admin`: without a browser, which takes its time.
pub(crate) fn visit(page: &str, user: &str, password: &str) -> Page {
    let args = ["visit", page, "--user", user, "--password", password];
    serde_json::from_str(&outside(&args, "")).unwrap()
}

/// A certificate of the world's authority for `names`, and its key: both PEM.
pub(crate) fn certificate(names: &[&str]) -> (String, String) {
    const MAKE: &str = "cd /tmp
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout new.key -out new.csr -subj /CN=$0 2>/dev/null
        printf 'subjectAltName=%s\\nextendedKeyUsage=serverAuth' \"$1\" >new.ext
        openssl x509 -req -in new.csr -CA /world/ca.pem -CAkey /world/ca.key -days 90 -extfile new.ext -out new.pem 2>/dev/null
        cat new.pem; rm new.pem";
    let others: Vec<String> = names.iter().map(|name| format!("DNS:{name}")).collect();
    let chain = outside(&["sh", "-ec", MAKE, names[0], &others.join(",")], "");
    (chain, outside(&["cat", "/tmp/new.key"], ""))
}

/// The certificate that a port with TLS from the start serves; nothing if it serves none.
pub(crate) fn served(server: &str) -> String {
    const LOOK: &str = "openssl s_client -connect $0 -servername ${0%:*} </dev/null 2>/dev/null | openssl x509 2>/dev/null || true";
    outside(&["sh", "-c", LOOK, server], "")
}

/// Somebody on this machine: a container with the programs of the one outside, in a network of choice. Removed with the value.
pub(crate) struct Place(String);

impl Place {
    /// In a network as Docker's `--network` names it.
    pub(crate) fn on(network: &str) -> Self {
        let name = format!("place_{}", network.replace([':', '.'], "_"));
        docker(&[
            "run",
            "-d",
            "--init",
            "--name",
            &name,
            "--network",
            network,
            "mailu-stack/outside",
            "sleep",
            "infinity",
        ]);
        let place = Self(name);
        inside(
            &place.0,
            &["sh", "-c", "cat >/run/acme-root.pem"],
            &outside(&["cat", "/run/acme-root.pem"], ""),
        );
        place
    }

    pub(crate) fn send(&self, args: &[&str], message: &str) -> Said {
        let args = [&["send", "--source", "0.0.0.0"], args].concat();
        Said::of(&inside(&self.0, &args, message))
    }

    pub(crate) fn fetch(&self, server: &str, user: &str, password: &str) -> Fetched {
        let args = [
            "fetch",
            "--source",
            "0.0.0.0",
            "--server",
            server,
            "--user",
            user,
            "--password",
            password,
        ];
        serde_json::from_str(&inside(&self.0, &args, "")).unwrap()
    }

    /// Those of `targets` that take a connection: `ADDRESS PORT`.
    pub(crate) fn reaches(&self, targets: &[String]) -> Vec<String> {
        const TRY: &str = "xargs -P 64 -n 2 sh -c 'nc -z -w 3 \"$0\" \"$1\" && echo \"$0 $1\" || true' 2>/dev/null";
        inside(&self.0, &["sh", "-c", TRY], &targets.join("\n"))
            .lines()
            .map(str::to_owned)
            .collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["rm", "-f", &self.0]).output();
    }
}

/// Sends a message from outside to `user`, signed and from where it may come, and waits until it can be read over IMAPS.
pub(crate) fn arrives_in(user: &str, password: &str, subject: &str) {
    let said = send(
        &["--to", user, "--dkim", "--queue"],
        // Rspamd puts off what has the text of another message that it has put off.
        &format!("Subject: {subject}\n\nThis is about: {subject}.\n"),
    );
    assert!(said.ok, "{said:?}");
    let line = format!("Subject: {subject}");
    wait_long(
        &format!("`{subject}` at {user}"),
        Duration::from_secs(120),
        || {
            let fetched = fetch(user, password, &[]);
            let found = fetched
                .messages
                .iter()
                .any(|message| message.contains(&line));
            found.then_some(())
        },
    );
}

/// A zone in the world's tree, signed, with its DS in the parent; taken out with the value.
pub(crate) struct Zone(String);

impl Zone {
    /// Puts a zone there.
    pub(crate) fn load(name: &str, text: &str) -> Self {
        let zone = Self(name.to_owned());
        zone.replace(text);
        zone
    }

    /// Serves another text from now on.
    pub(crate) fn replace(&self, text: &str) {
        outside(&["zone", "load", &self.0], text);
    }
}

impl Drop for Zone {
    fn drop(&mut self) {
        let _ = Command::new("docker")
            .args(["exec", "world_outside", "zone", "drop", &self.0])
            .output();
    }
}

/// The network that Traefik and front share, made as our documentation says; removed with the value.
pub(crate) struct Network;

impl Network {
    pub(crate) const NAME: &'static str = "mailu_proxy";

    pub(crate) fn make() -> Self {
        let text = "mail_host = \"mail.example.com\"\nemail_domain = \"example.com\"\nadmin_email = \"admin@example.com\"\n\
            [traefik]\nsubnet = \"10.203.255.0/24\"\n";
        let config = mailu_core::Config::from_toml(text).unwrap().config;
        let command = mailu_core::engine::proxy_command(&config).unwrap();
        assert!(command.ends_with(Self::NAME), "{command}");
        succeed(Command::new("sh").args(["-c", &command]));
        Self
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let removed = Command::new("docker")
            .args(["network", "rm", Self::NAME])
            .output();
        // The next test would fail, and nobody would know why.
        assert!(
            std::thread::panicking() || removed.is_ok_and(|output| output.status.success()),
            "something is still in {}: {}",
            Self::NAME,
            docker(&["network", "inspect", Self::NAME])
        );
    }
}

/// Traefik as an operator has it, with all entry points, and certificates from the world's authority; removed with the value.
pub(crate) struct Traefik {
    directory: tempfile::TempDir,
    _network: Network,
}

/// Names and ports of its entry points: our defaults.
pub(crate) const ENTRY_POINTS: [(&str, u16); 10] = [
    ("web", 80),
    ("websecure", 443),
    ("smtp", 25),
    ("submissions", 465),
    ("submission", 587),
    ("imap", 143),
    ("imaps", 993),
    ("pop3", 110),
    ("pop3s", 995),
    ("sieve", 4190),
];

impl Traefik {
    pub(crate) const NAME: &'static str = "traefik";

    /// Its store of certificates: `traefik.acme_store`.
    pub(crate) fn store(&self) -> PathBuf {
        self.directory.path().join("acme.json")
    }

    /// Starts it.
    pub(crate) fn start() -> Self {
        let traefik = Self {
            directory: tempfile::tempdir().unwrap(),
            _network: Network::make(),
        };
        let version = std::fs::read_to_string(workspace().join("tests/stack/traefik/version"));
        let mut run = Command::new("docker");
        run.args([
            "run",
            "-d",
            "--name",
            Self::NAME,
            "--restart",
            "unless-stopped",
        ])
        .args(["--network", Network::NAME])
        .args(["-v", "/var/run/docker.sock:/var/run/docker.sock:ro"])
        .args([
            "-v",
            &format!("{}:/acme", traefik.directory.path().display()),
        ])
        .args(["-v", &format!("{}:/world.pem:ro", authority().display())])
        .args(["-e", "LEGO_CA_CERTIFICATES=/world.pem"]);
        for (_, port) in ENTRY_POINTS {
            run.args(["-p", &format!("{port}:{port}")]);
        }
        run.arg(format!("traefik:{}", version.unwrap().trim()))
            .args(["--log.level=INFO", "--accesslog=true"])
            .args([
                "--providers.docker=true",
                "--providers.docker.exposedbydefault=false",
            ])
            // Let's Encrypt's address is Traefik's default; here it leads to Pebble.
            .arg("--certificatesresolvers.letsencrypt.acme.email=hostmaster@example.com")
            .arg("--certificatesresolvers.letsencrypt.acme.storage=/acme/acme.json")
            .arg("--certificatesresolvers.letsencrypt.acme.tlschallenge=true");
        for (name, port) in ENTRY_POINTS {
            run.arg(format!("--entrypoints.{name}.address=:{port}"));
        }
        succeed(&mut run);
        traefik
    }
}

/// The world's certificate authority.
pub(crate) fn authority() -> PathBuf {
    workspace().join(".cache/world/ca.pem")
}

/// The names on the certificates in a store of Traefik's.
pub(crate) fn stored(store: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(store).unwrap_or_default();
    let store: Value = serde_json::from_str(&text).unwrap_or_default();
    store["letsencrypt"]["Certificates"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|entry| entry["domain"]["main"].as_str())
        .map(str::to_owned)
        .collect()
}

impl Drop for Traefik {
    fn drop(&mut self) {
        show_if_failing(&[Self::NAME]);
        let _ = Command::new("docker")
            .args(["rm", "-f", Self::NAME])
            .output();
    }
}

/// The last words of containers, when a test is failing.
#[expect(clippy::print_stderr, reason = "it is for whoever reads the failure")]
pub(crate) fn show_if_failing(containers: &[&str]) {
    if !std::thread::panicking() {
        return;
    }
    for name in containers {
        if let Ok(output) = Command::new("docker")
            .args(["logs", "--tail", "30", name])
            .output()
        {
            eprintln!(
                "--- {name}\n{}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
        }
    }
}

/// Steps in a Chromium outside, which trusts the world's authority; `images/browser/browse` has them. Returns what each gave.
pub(crate) fn browse(steps: &Value) -> Vec<Value> {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("root.pem");
    std::fs::write(&root, outside(&["cat", "/run/acme-root.pem"], "")).unwrap();
    let mut child = Command::new("docker")
        .args([
            "run",
            "--rm",
            "-i",
            "--init",
            "--network",
            "container:world_outside",
        ])
        .args(["-v", &format!("{}:/root.pem:ro", root.display())])
        .arg("mailu-stack/browser")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(steps.to_string().as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "the browser: {}\n{printed}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_str(&printed).unwrap()
}

/// Removes all containers whose names begin so.
pub(crate) fn remove_containers(prefix: &str) {
    let filter = format!("name=^/?{prefix}");
    let Ok(output) = Command::new("docker")
        .args(["ps", "-aq", "--filter", &filter])
        .output()
    else {
        return;
    };
    let ids = String::from_utf8_lossy(&output.stdout).into_owned();
    let _ = Command::new("docker")
        .args(["rm", "-f", "-v"])
        .args(ids.split_whitespace())
        .output();
    let _ = Command::new("docker")
        .args(["network", "prune", "-f"])
        .output();
}
