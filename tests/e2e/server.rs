//! A server on the engine: how it is installed, who has mail there, and what its containers are.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::support::{Root, Run};
use crate::world::{
    self, HOST, Traefik, Zone, arrives_in, certificate, docker, fetch, inspect, stored, wait_long,
};

pub(crate) const PASSWORD: &str = "correct horse battery staple";
pub(crate) const ADMIN: &str = "admin@example.com";
/// Somebody who has an account, and no more.
pub(crate) const USER: &str = "user@example.com";

/// What has to be there before: names for certificates, and the way in for mail.
pub(crate) const NAMES: &str = "@ MX 10 mail.example.com.\nmail A 198.51.100.1\nautoconfig CNAME mail\nautodiscover CNAME mail\n";

/// Without what costs much and is not looked at: virus and macro scanners, slow password hashes.
pub(crate) const LIGHT: [&str; 6] = [
    "--set",
    "services.antivirus=false",
    "--set",
    "services.macro_scan=false",
    "--set",
    "env.CREDENTIAL_ROUNDS=4",
];

/// And without webmail and search.
pub(crate) const BARE: [&str; 4] = [
    "--set",
    "services.webmail=none",
    "--set",
    "services.search=false",
];

/// Who is in front of it.
pub(crate) enum Front {
    /// Nobody: this host's ports are its own.
    Itself,
    /// Traefik as an operator has it, with a store of certificates that we are told of.
    Theirs(Traefik),
    /// Traefik as `--with-deps` installs it.
    Ours(WithDeps),
}

/// mail.example.com on this machine, with its zone in the world. Taken down with the value, in the order of its parts.
pub(crate) struct Server {
    _up: Up,
    front: Front,
    zone: Zone,
    /// The command that installs it, and is the same every time.
    pub(crate) words: Vec<String>,
    pub(crate) root: Root,
}

impl Server {
    /// All but the installation itself.
    pub(crate) fn prepare(root: Root, front: Front, more: &[&str]) -> Self {
        let password = root.beside("password", PASSWORD);
        let mut words: Vec<String> = [
            "install",
            "--domain",
            "mail.example.com",
            "--email-domain",
            "example.com",
            "--admin-email",
            ADMIN,
            "--admin-password-file",
            password.to_str().unwrap(),
            "--set",
            &format!("dns.ipv4={HOST}"),
            "--set",
            "dns.nameservers=[\"ns.outside.test\"]",
        ]
        .map(str::to_owned)
        .into();
        words.extend(more.iter().copied().map(str::to_owned));
        match &front {
            Front::Itself => {}
            Front::Theirs(traefik) => words.extend([
                "--set".to_owned(),
                format!("traefik.acme_store={}", traefik.store().display()),
            ]),
            Front::Ours(_) => words.push("--with-deps".to_owned()),
        }
        Self {
            _up: Up("mailu_"),
            front,
            zone: Zone::load("example.com", NAMES),
            words,
            root,
        }
    }

    /// With files for certificates, which the world's authority signed.
    pub(crate) fn with_files(root: Root, more: &[&str]) -> Self {
        let names =
            ["mail", "autoconfig", "autodiscover"].map(|name| format!("{name}.example.com"));
        let (chain, key) = certificate(&names.each_ref().map(String::as_str));
        let chain = root.beside("chain.pem", &chain);
        let key = root.beside("key.pem", &key);
        let (chain, key) = (
            format!("tls.certificate={}", chain.display()),
            format!("tls.key={}", key.display()),
        );
        let files = ["--set", "tls.mode=cert", "--set", &chain, "--set", &key];
        Self::prepare(root, Front::Itself, &[more, &files].concat())
    }

    pub(crate) fn command(&self) -> Vec<&str> {
        self.words.iter().map(String::as_str).collect()
    }

    pub(crate) fn run(&self) -> Run {
        self.root.run(&self.command())
    }

    /// Runs it, serves the zone that was written, and gives somebody an account.
    pub(crate) fn install(self) -> Self {
        self.run().expect_code(0);
        self.zone.replace(&self.root.read("dns/example.com.zone"));
        docker(&[
            "exec",
            "mailu_admin",
            "flask",
            "mailu",
            "user",
            "user",
            "example.com",
            PASSWORD,
        ]);
        self
    }

    /// Serves another text for its zone from now on.
    pub(crate) fn publish(&self, text: &str) {
        self.zone.replace(text);
    }

    /// Where Traefik keeps certificates.
    fn store(&self) -> Option<PathBuf> {
        match &self.front {
            Front::Itself => None,
            Front::Theirs(traefik) => Some(traefik.store()),
            Front::Ours(_) => Some(self.root.path().join("traefik/acme.json")),
        }
    }

    /// The names that Traefik has certificates for.
    pub(crate) fn certificates(&self) -> Vec<String> {
        self.store().map(|store| stored(&store)).unwrap_or_default()
    }

    /// Waits until Traefik has its certificate, and gives it to the mail ports, as the timer would.
    pub(crate) fn takes_certificate(&self) {
        wait_long(
            "a certificate for mail.example.com",
            Duration::from_secs(120),
            || {
                let all = self.certificates();
                all.contains(&"mail.example.com".to_owned()).then_some(())
            },
        );
        self.root.run(&["certs", "sync"]).expect_code(0);
        Self::has_certificate();
    }

    /// Waits until mail programs accept the certificate.
    pub(crate) fn has_certificate() {
        let mut why = String::new();
        let start = std::time::Instant::now();
        while start.elapsed() < Duration::from_secs(120) {
            let fetched = fetch(ADMIN, PASSWORD, &["--verify"]);
            if fetched.ok {
                return;
            }
            why = fetched.why;
            std::thread::sleep(Duration::from_millis(500));
        }
        panic!("nobody can log in on 993: {why}");
    }

    /// Sends a message in, and waits until it can be read.
    pub(crate) fn mail_in(subject: &str) {
        arrives_in(USER, PASSWORD, subject);
    }
}

/// What `--with-deps` has installed for a root. Its settings are ours; this machine's authority is added in a file for that.
pub(crate) struct WithDeps;

impl WithDeps {
    pub(crate) fn in_root(root: &Root) -> Self {
        let directory = root.path().join("traefik");
        std::fs::create_dir_all(&directory).unwrap();
        let more = format!(
            "services:\n  traefik:\n    environment:\n      LEGO_CA_CERTIFICATES: /world.pem\n    volumes:\n      - \"{}:/world.pem:ro\"\n",
            world::authority().display()
        );
        std::fs::write(directory.join("docker-compose.override.yml"), more).unwrap();
        Self
    }
}

impl Drop for WithDeps {
    fn drop(&mut self) {
        world::show_if_failing(&["traefik"]);
        world::remove_containers("traefik");
    }
}

/// Containers whose names begin so, and networks that are empty then; removed with the value.
pub(crate) struct Up(pub(crate) &'static str);

impl Drop for Up {
    fn drop(&mut self) {
        let services = ["front", "admin", "smtp", "antispam", "imap"];
        let names = services.map(|service| format!("{}{service}", self.0));
        world::show_if_failing(&names.each_ref().map(String::as_str));
        world::remove_containers(self.0);
    }
}

/// Identity and last start of each container of the server.
pub(crate) type Containers = BTreeMap<String, (String, String)>;

pub(crate) fn containers() -> Containers {
    let names = docker(&[
        "ps",
        "-a",
        "--filter",
        "name=^/?mailu_",
        "--format",
        "{{.Names}}",
    ]);
    names
        .lines()
        .map(|name| {
            let there = inspect(name);
            let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
            (
                name.trim_start_matches("mailu_").to_owned(),
                (text(&there["Id"]), text(&there["State"]["StartedAt"])),
            )
        })
        .collect()
}

/// The services whose containers are others, or were started again.
pub(crate) fn changed(before: &Containers, after: &Containers) -> Vec<String> {
    before
        .keys()
        .chain(after.keys().filter(|name| !before.contains_key(*name)))
        .filter(|name| before.get(*name) != after.get(*name))
        .cloned()
        .collect()
}
