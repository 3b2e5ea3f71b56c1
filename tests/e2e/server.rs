//! A server behind Traefik that several scenarios use one after another, and what its containers are.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::support::{Root, Run};
use crate::world::{
    self, HOST, Network, Traefik, Zone, arrives_in, docker, fetch, inspect, wait_long,
};

pub(crate) const PASSWORD: &str = "correct horse battery staple";
pub(crate) const ADMIN: &str = "admin@example.com";

/// Names without which nothing is installed, and mail finds no way in.
pub(crate) const NAMES: &str = "@ MX 10 mail.example.com.\nmail A 198.51.100.1\nautoconfig CNAME mail\nautodiscover CNAME mail\n";

/// What the pre-flight checks are to ask in this Internet.
pub(crate) const CHECKS: [&str; 4] = [
    "--root-server",
    "198.51.100.2",
    "--outbound-to",
    "mx.outside.test",
];

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

/// Containers and networks of the server; removed with the value.
pub(crate) struct Up(pub(crate) &'static [&'static str]);

impl Drop for Up {
    fn drop(&mut self) {
        world::show_if_failing(self.0);
        world::remove_containers("mailu_");
    }
}

/// An installed server. It goes in the order of its parts.
pub(crate) struct Server {
    _up: Up,
    traefik: Traefik,
    _network: Network,
    zone: Zone,
    install: Vec<String>,
    pub(crate) root: Root,
}

impl Server {
    /// Few services, and passwords that cost little.
    const CONFIG: &'static str = "mail_host = \"mail.example.com\"\nemail_domain = \"example.com\"\n\
        admin_email = \"admin@example.com\"\n[services]\nwebmail = \"none\"\nantivirus = false\nmacro_scan = false\n\
        [env]\nCREDENTIAL_ROUNDS = \"4\"\n";

    pub(crate) fn install() -> Self {
        let root = Root::new();
        let network = Network::make();
        let traefik = Traefik::new();
        traefik.start(&network, &[]);
        let names = Zone::load("example.com", NAMES);
        let config = root.beside("given.toml", Self::CONFIG);
        let password = root.beside("password", PASSWORD);
        let mut install: Vec<String> = [
            "install",
            "--config",
            config.to_str().unwrap(),
            "--admin-password-file",
            password.to_str().unwrap(),
            "--set",
            &format!("traefik.acme_store={}", traefik.store().display()),
            "--set",
            &format!("dns.ipv4={HOST}"),
            "--set",
            "dns.nameservers=[\"ns.outside.test\"]",
        ]
        .map(str::to_owned)
        .to_vec();
        install.extend(CHECKS.map(str::to_owned));
        let mut server = Self {
            _up: Up(&["mailu_front", "mailu_admin", "mailu_smtp"]),
            traefik,
            _network: network,
            zone: names,
            install,
            root,
        };
        server.again().expect_code(0);
        let zone = server.root.read("dns/example.com.zone");
        let before = std::mem::replace(&mut server.zone, Zone::load("example.com", &zone));
        std::mem::forget(before);
        wait_long("a certificate", Duration::from_secs(120), || {
            let all = server.traefik.certificates();
            all.contains(&"mail.example.com".to_owned()).then_some(())
        });
        server.root.run(&["apply"]).expect_code(0);
        Server::log_in();
        server
    }

    /// The same command again, without what only the first one may say.
    pub(crate) fn again(&self) -> Run {
        let args: Vec<&str> = self.install.iter().map(String::as_str).collect();
        self.root.run(&args)
    }

    /// Waits until the administrator's mail can be read.
    pub(crate) fn log_in() {
        let mut why = String::new();
        wait_long("a login over IMAPS", Duration::from_secs(60), || {
            let fetched = fetch(ADMIN, PASSWORD, &["--verify"]);
            why = fetched.why;
            fetched.ok.then_some(())
        });
    }

    /// Sends a message in, and waits until it can be read.
    pub(crate) fn mail_in(subject: &str) {
        arrives_in(ADMIN, PASSWORD, subject);
    }
}
