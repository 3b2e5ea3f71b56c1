//! Two clients on one engine, each with an address of its own: neither sees anything of the other.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::server::{BARE, LIGHT, PASSWORD, Up};
use crate::support::{Root, files_below};
use crate::world::{self, Place, Zone, certificate, docker, inspect, wait_for};
use serde_json::Value;

struct Client {
    id: &'static str,
    address: &'static str,
    admin: String,
    password: String,
    directory: PathBuf,
    secrets: PathBuf,
    _up: Up,
    _zone: Zone,
}

/// Ports that something in a deployment listens on, inside.
const PORTS: [u16; 16] = [
    25, 80, 110, 143, 443, 465, 587, 993, 2102, 2525, 4190, 6379, 8080, 10025, 10143, 11334,
];

impl Client {
    fn install(
        root: &Root,
        id: &'static str,
        address: &'static str,
        containers: &'static str,
    ) -> Self {
        let (host, domain) = (format!("mail.{id}.test"), format!("{id}.test"));
        let admin = format!("admin@{domain}");
        let password = format!("{PASSWORD} of {id}");
        let password_file = root.beside(&format!("{id}.password"), &password);
        let (chain, key) = certificate(&[&host]);
        let chain = root.beside(&format!("{id}.pem"), &chain);
        let key = root.beside(&format!("{id}.key"), &key);
        let sets = [
            "tls.mode=cert".to_owned(),
            format!("tls.certificate={}", chain.display()),
            format!("tls.key={}", key.display()),
            format!("ports.address={address}"),
        ];
        // Senders in domains that do not exist are put off, not refused.
        let zone = Zone::load(&domain, &format!("mail A {address}\n@ MX 10 mail\n"));
        let mut args = vec![
            "install",
            "--domain",
            &host,
            "--email-domain",
            &domain,
            "--admin-email",
            &admin,
            "--client-id",
            id,
            "--admin-password-file",
            password_file.to_str().unwrap(),
        ];
        for set in &sets {
            args.extend(["--set", set]);
        }
        args.extend(LIGHT.iter().chain(&BARE));
        let up = Up(containers);
        root.run(&args).expect_code(0);
        let below = |base: &str| root.path().join(base).join("clients").join(id).join(&host);
        let (directory, secrets) = (below("mailu"), below("secrets/mailu"));
        Self {
            id,
            address,
            admin,
            password,
            directory,
            secrets,
            _up: up,
            _zone: zone,
        }
    }

    fn at(&self, port: u16) -> String {
        format!("{}:{port}", self.address)
    }

    fn login(&self) -> String {
        format!("{}:{}", self.admin, self.password)
    }

    fn containers(&self) -> Vec<Value> {
        let filter = format!("name=^/?mailu_{}_", self.id);
        let ids = docker(&["ps", "-q", "--filter", &filter]);
        let all: Vec<Value> = ids.split_whitespace().map(inspect).collect();
        assert!(all.len() >= 6, "{}: {} containers", self.id, all.len());
        all
    }

    /// Networks that its containers are in, and their addresses there.
    fn addresses(&self) -> Vec<(String, String)> {
        let of = |container: &Value| -> Vec<(String, String)> {
            let networks = container["NetworkSettings"]["Networks"]
                .as_object()
                .unwrap();
            networks
                .iter()
                .map(|(name, there)| {
                    (
                        name.clone(),
                        there["IPAddress"].as_str().unwrap().to_owned(),
                    )
                })
                .collect()
        };
        self.containers().iter().flat_map(of).collect()
    }

    /// Everything that may listen in it.
    fn targets(&self) -> Vec<String> {
        let all = self.addresses();
        let pairs = all
            .iter()
            .flat_map(|(_, address)| PORTS.map(|port| format!("{address} {port}")));
        pairs.collect()
    }

    fn address_of(&self, service: &str) -> String {
        let network = format!("mailu_{}_default", self.id);
        inspect(&format!("mailu_{}_{service}", self.id))["NetworkSettings"]["Networks"][network]
            ["IPAddress"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    fn secrets(&self) -> BTreeSet<String> {
        let mut files = files_below(&self.secrets);
        files.extend(files_below(&self.directory.join("data/dkim")));
        let all: BTreeSet<String> = files
            .iter()
            .map(|path| std::fs::read_to_string(path).unwrap().trim().to_owned())
            .filter(|text| !text.is_empty())
            .collect();
        assert!(all.len() >= 3, "{}: {} secrets", self.id, all.len());
        all
    }

    /// Writes to itself, and reads it.
    fn writes_to_itself(&self, here: &Place) {
        let said = here.send(
            &[
                "--from",
                &self.admin,
                "--to",
                &self.admin,
                "--server",
                &self.at(465),
                "--tls",
                "implicit",
                "--auth",
                &self.login(),
            ],
            &format!("Subject: a secret of {}\n\nHello.\n", self.id),
        );
        assert!(said.ok, "{said:?}");
        wait_for(&format!("{}'s own message", self.id), || {
            let fetched = here.fetch(&self.at(993), &self.admin, &self.password);
            (fetched.ok && !fetched.messages.is_empty()).then_some(())
        });
    }

    /// What the other one tries, from everywhere.
    fn is_closed_to(&self, other: &Self, here: &Place) {
        // The other's account is nobody here.
        let fetched = here.fetch(&self.at(993), &other.admin, &other.password);
        assert!(!fetched.ok, "{fetched:?}");
        let said = here.send(
            &[
                "--from",
                &other.admin,
                "--to",
                &self.admin,
                "--server",
                &self.at(465),
                "--tls",
                "implicit",
                "--auth",
                &other.login(),
            ],
            "",
        );
        assert_eq!(said.code("AUTH"), Some(535), "{said:?}");
        // Who has an account here writes in no name of the other's.
        let said = here.send(
            &[
                "--from",
                &other.admin,
                "--to",
                "someone@outside.test",
                "--server",
                &self.at(587),
                "--tls",
                "starttls",
                "--auth",
                &self.login(),
            ],
            "Subject: in another's name\n\n",
        );
        assert!(!said.ok && said.code("AUTH") == Some(235), "{said:?}");
        // This machine, at the published address, is a stranger like any other.
        for (from, to) in [
            ("a@stranger.test", "someone@outside.test"),
            (self.admin.as_str(), "someone@outside.test"),
            (other.admin.as_str(), other.admin.as_str()),
        ] {
            let said = here.send(&["--from", from, "--to", to, "--server", &self.at(25)], "");
            assert!(
                said.steps
                    .iter()
                    .any(|(step, code, _)| (step == "RCPT" || step == "MAIL")
                        && (500..600).contains(code)),
                "{from} to {to}: {said:?}"
            );
        }
        let said = here.send(
            &[
                "--from",
                &self.admin,
                "--to",
                "someone@outside.test",
                "--server",
                &self.at(465),
                "--tls",
                "implicit",
            ],
            "",
        );
        assert!(!said.ok && said.code("EHLO") == Some(250), "{said:?}");

        // From inside the other's networks nothing here can be reached: not around front, and not through it.
        let mut targets = self.targets();
        targets.extend(PORTS.map(|port| format!("{} {port}", world::HOST)));
        for network in [
            format!("mailu_{}_default", other.id),
            format!("container:mailu_{}_front", other.id),
            format!("container:mailu_{}_smtp", other.id),
        ] {
            let place = Place::on(&network);
            let own = ["redis 6379", "imap 143", "admin 8080"].map(|target| {
                let (service, port) = target.split_once(' ').unwrap();
                format!("{} {port}", other.address_of(service))
            });
            let reached: BTreeSet<String> = place.reaches(&own).into_iter().collect();
            assert_eq!(
                reached,
                own.into_iter().collect(),
                "{network} reaches what is its own"
            );
            assert_eq!(
                place.reaches(&targets),
                Vec::<String>::new(),
                "{network} reaches {}",
                self.id
            );
        }
    }
}

#[test]
fn two_clients_are_strangers_to_each_other() {
    let _alone = world::alone();
    let root = Root::new();
    let one = Client::install(&root, "one", "127.0.0.2", "mailu_one_");
    let two = Client::install(&root, "two", "127.0.0.3", "mailu_two_");

    // Nothing is shared: networks, published addresses, directories, secrets.
    let networks = |client: &Client| -> BTreeSet<String> {
        client
            .addresses()
            .into_iter()
            .map(|(name, _)| name)
            .collect()
    };
    assert!(networks(&one).is_disjoint(&networks(&two)));
    for client in [&one, &two] {
        for container in client.containers() {
            for mount in container["Mounts"].as_array().unwrap() {
                let source = mount["Source"].as_str().unwrap();
                assert!(
                    mount["Type"] != "bind" || Path::new(source).starts_with(&client.directory),
                    "{} mounts {source}",
                    container["Name"]
                );
            }
            let bindings = container["HostConfig"]["PortBindings"].as_object().unwrap();
            for binding in bindings.values().flat_map(|all| all.as_array().unwrap()) {
                assert_eq!(binding["HostIp"], client.address, "{}", container["Name"]);
            }
        }
    }
    assert!(one.secrets().is_disjoint(&two.secrets()));

    // Both work, each at its address.
    let here = Place::on("host");
    for client in [&one, &two] {
        client.writes_to_itself(&here);
    }
    for (client, other) in [(&one, &two), (&two, &one)] {
        let fetched = here.fetch(&client.at(993), &client.admin, &client.password);
        assert_eq!(fetched.messages.len(), 1, "{fetched:?}");
        assert!(fetched.messages[0].contains(&format!("a secret of {}", client.id)));
        let foreign = format!("a secret of {}", other.id);
        let found = Command::new("grep")
            .args(["-rqa", &foreign])
            .arg(&client.directory)
            .status()
            .unwrap();
        assert_eq!(
            found.code(),
            Some(1),
            "{} holds mail of {}",
            client.id,
            other.id
        );
    }

    one.is_closed_to(&two, &here);
    two.is_closed_to(&one, &here);
}
