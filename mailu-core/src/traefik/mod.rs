//! A Traefik of our own, for hosts that have none: a Compose project that serves every deployment of a root.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use minijinja::context;
use serde::{Deserialize, Serialize};

use crate::compose::environment;
use crate::config::{Config, MailPort, Via};
use crate::error::{Error, ErrorKind};
use crate::finding::Finding;
use crate::hash::sha256;

/// The name of its Compose project.
pub const PROJECT: &str = "mailu-traefik";

/// The name of its container.
pub const CONTAINER: &str = "traefik";

/// Where it lies below `root`.
pub fn directory(root: &Path) -> PathBuf {
    root.join("traefik")
}

/// Its store of certificates.
pub fn store(root: &Path) -> PathBuf {
    directory(root).join("acme.json")
}

/// What it is to be like. Kept in `settings.json`, because several deployments share it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Settings {
    /// The root whose deployments it serves.
    pub root: PathBuf,
    /// Its image.
    pub image: String,
    /// The address that Let's Encrypt writes to.
    pub email: String,
    /// Where certificates come from, if not from Let's Encrypt.
    pub acme_ca: Option<String>,
    /// Its certificate resolvers.
    pub resolvers: BTreeSet<String>,
    /// The Docker networks that it shares with fronts.
    pub networks: BTreeSet<String>,
    /// Its entry points, by port.
    pub entrypoints: BTreeMap<u16, String>,
    /// The ports that it publishes.
    pub published: BTreeSet<u16>,
    /// The address on which it publishes them. IPv4: Docker would hand IPv6 clients over with its own address.
    pub address: String,
    /// Docker's socket on the host.
    pub socket: String,
    /// Docker's log driver.
    pub log_driver: String,
}

impl Settings {
    /// What the deployment of `config` needs.
    pub fn of(root: &Path, config: &Config, socket: &str) -> Self {
        let points = &config.traefik.entrypoints;
        let mut entrypoints = BTreeMap::from([
            (80, points.web.to_string()),
            (443, points.websecure.to_string()),
        ]);
        for port in MailPort::ALL {
            entrypoints.insert(port.number(), points.for_port(port).to_string());
        }
        // A port that a front publishes itself must stay free.
        let mut published = BTreeSet::from([80, 443]);
        if config.via() == Via::Traefik {
            published.extend(config.open_ports().iter().map(|port| port.number()));
        }
        Self {
            root: root.to_path_buf(),
            image: config.images.traefik.to_string(),
            email: config.admin_email.to_string(),
            acme_ca: config.traefik.acme_ca.as_ref().map(ToString::to_string),
            resolvers: BTreeSet::from([config.traefik.resolver.to_string()]),
            networks: BTreeSet::from([config.traefik.network.to_string()]),
            entrypoints,
            published,
            address: "0.0.0.0".to_owned(),
            socket: socket.to_owned(),
            log_driver: config.logs.driver.to_string(),
        }
    }

    /// These settings, where another deployment has settled some already: what that one relies on stays.
    #[must_use]
    pub fn beside(self, there: &Self) -> (Self, Vec<Finding>) {
        let mut findings = Vec::new();
        for (port, wanted) in &self.entrypoints {
            if let Some(name) = there.entrypoints.get(port).filter(|name| *name != wanted)
                && self.published.contains(port)
            {
                findings.push(
                    Finding::error(
                        "deps.entrypoint",
                        "traefik.entrypoints",
                        format!("has another name for port {port} than the Traefik of this host, which calls it `{name}`"),
                    )
                    .value(wanted)
                    .hint(format!("call it `{name}` here too")),
                );
            }
        }
        let mut entrypoints = self.entrypoints;
        entrypoints.extend(there.entrypoints.clone());
        let settled = Self {
            email: there.email.clone(),
            acme_ca: there.acme_ca.clone(),
            resolvers: self.resolvers.union(&there.resolvers).cloned().collect(),
            networks: self.networks.union(&there.networks).cloned().collect(),
            published: self.published.union(&there.published).copied().collect(),
            entrypoints,
            address: there.address.clone(),
            log_driver: there.log_driver.clone(),
            ..self
        };
        (settled, findings)
    }

    /// Traefik's arguments.
    pub fn arguments(&self) -> Vec<String> {
        let mut all: Vec<String> = [
            "--global.checkNewVersion=false",
            "--global.sendAnonymousUsage=false",
            "--log.level=INFO",
            "--ping=true",
            "--entryPoints.traefik.address=127.0.0.1:8080",
            "--providers.docker=true",
            "--providers.docker.exposedByDefault=false",
            // A front that is not healthy yet keeps its routers.
            "--providers.docker.allowEmptyServices=true",
        ]
        .map(str::to_owned)
        .into();
        for (port, name) in &self.entrypoints {
            all.push(format!("--entryPoints.{name}.address=:{port}"));
            if matches!(port, 80 | 443) {
                // A router that names no entry point would else be on the mail ports too, and make Traefik wait for TLS there.
                all.push(format!("--entryPoints.{name}.asDefault=true"));
            }
            if *port == 443 {
                // The default, a minute, cuts large attachments off on slow lines.
                all.push(format!(
                    "--entryPoints.{name}.transport.respondingTimeouts.readTimeout=600s"
                ));
            }
        }
        for name in &self.resolvers {
            let acme = format!("--certificatesResolvers.{name}.acme");
            all.push(format!("{acme}.email={}", self.email));
            all.push(format!("{acme}.storage=/acme.json"));
            // By port 443: answers on port 80 would take Mailu's own challenges.
            all.push(format!("{acme}.tlsChallenge=true"));
            if let Some(server) = &self.acme_ca {
                all.push(format!("{acme}.caServer={server}"));
            }
        }
        all
    }

    /// Its `docker-compose.yml`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Internal`] if the template is broken.
    pub fn compose(&self) -> Result<String, Error> {
        let failed = |error: minijinja::Error| {
            Error::new(
                ErrorKind::Internal,
                "compose.template",
                "render Traefik's docker-compose.yml",
            )
            .source(error)
        };
        environment()
            .and_then(|environment| {
                environment.render_str(
                    include_str!("docker-compose.yml.j2"),
                    context! {
                        settings => minijinja::value::Serde(self),
                        arguments => self.arguments(),
                    },
                )
            })
            .map_err(failed)
    }

    /// Its `.env`, which names the project.
    pub fn env() -> String {
        format!("COMPOSE_PROJECT_NAME={PROJECT}\n")
    }
}

/// `settings.json`: what was wanted last, and hashes of what was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Record {
    /// What was wanted.
    pub settings: Settings,
    /// SHA-256 of the last texts that were written or about to be, by file; the newest first.
    pub files: BTreeMap<String, Vec<String>>,
}

impl Record {
    /// The record of writing `files` for `settings`, after `before`.
    pub fn next(settings: Settings, files: &[(&str, String)], before: Option<&Self>) -> Self {
        // The one before the last counts too: the run that was to replace it may have been interrupted.
        const KEPT: usize = 2;
        let files = files
            .iter()
            .map(|(name, text)| {
                let hash = sha256(text.as_bytes());
                let mut all = vec![hash.clone()];
                let old = before.and_then(|record| record.files.get(*name));
                all.extend(
                    old.into_iter()
                        .flatten()
                        .filter(|old| **old != hash)
                        .cloned(),
                );
                all.truncate(KEPT);
                ((*name).to_owned(), all)
            })
            .collect();
        Self { settings, files }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(more: &str) -> Config {
        Config::from_toml(&format!(
            "mail_host = \"mail.example.com\"\nemail_domain = \"example.com\"\nadmin_email = \"admin@example.com\"\n{more}"
        ))
        .expect("a valid configuration")
        .config
    }

    fn settings(more: &str) -> Settings {
        Settings::of(
            Path::new("/opt/agency_stack"),
            &config(more),
            "/var/run/docker.sock",
        )
    }

    #[test]
    fn a_second_deployment_adds_and_takes_nothing_away() {
        let first = settings("[logs]\ndriver = \"journald\"\n");
        assert_eq!(first.clone().beside(&first), (first.clone(), Vec::new()));
        let (both, findings) = settings(
            "[traefik]\nresolver = \"other\"\nnetwork = \"own\"\ntrusted = [\"10.0.0.2\"]\n[ports]\nmail = [25, 110]\n",
        )
        .beside(&first);
        assert_eq!(findings, []);
        assert!(both.published.is_superset(&first.published) && both.published.contains(&110));
        assert_eq!(both.resolvers.len(), 2);
        assert_eq!(both.networks.len(), 2);
        assert_eq!(both.log_driver, "journald");
        // Names that differ on one port cannot both be.
        let (kept, findings) =
            settings("[traefik.entrypoints]\nsmtp = \"mail-in\"\n").beside(&first);
        assert_eq!(kept.entrypoints, first.entrypoints);
        assert_eq!(findings.len(), 1);
    }

    #[test]
    fn ports_that_fronts_publish_stay_free() {
        assert_eq!(
            settings("[ports]\nvia = \"published\"\naddress = \"192.0.2.7\"\n").published,
            BTreeSet::from([80, 443])
        );
        assert!(settings("").published.contains(&25));
    }

    #[test]
    fn the_last_two_texts_count_as_ours() {
        let files = |text: &str| vec![("a", text.to_owned())];
        let one = Record::next(settings(""), &files("1"), None);
        let same = Record::next(settings(""), &files("1"), Some(&one));
        assert_eq!(same, one);
        let three = ["2", "3"].iter().fold(one, |before, text| {
            Record::next(settings(""), &files(text), Some(&before))
        });
        assert_eq!(three.files["a"], [sha256(b"3"), sha256(b"2")]);
    }
}
