//! Looking whether services do their work; `start` judges.

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::time::Duration;

use super::engine::{Docker, LogWish};
use crate::config::{Config, TlsMode};
use crate::error::Error;
use crate::paths::Layout;
use crate::secret::{Secret, Secrets};
use crate::start::{self, Readiness, Watched};

/// How long a check in a container may take.
const CHECK_PATIENCE: Duration = Duration::from_secs(15);

/// How many last lines of a log are looked at.
const LOG_LINES: u64 = 40;

/// Files by which people change what Compose makes of ours.
pub(super) const OVERRIDES: [&str; 4] = [
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
    "compose.override.yml",
    "compose.override.yaml",
];

/// The file by which somebody changes what Compose makes of ours, if there is one.
pub(super) fn override_of(layout: &Layout) -> Option<&'static str> {
    OVERRIDES
        .into_iter()
        .find(|name| layout.file(name).exists())
}

/// The checks of services, as far as they are known.
pub(super) type Checks = BTreeMap<String, Option<Vec<String>>>;

/// Whoever looks at the services of a deployment.
pub(super) struct Looker<'a> {
    pub(super) docker: &'a Docker,
    pub(super) layout: &'a Layout,
    pub(super) config: &'a Config,
    /// Hides secrets in what a service wrote.
    pub(super) hide: &'a dyn Fn(&str) -> String,
}

impl Looker<'_> {
    /// What is seen of `service` in its `container`.
    pub(super) fn look(
        &self,
        service: &str,
        container: &str,
        restarts_before: u64,
        checks: &mut Checks,
    ) -> Result<Watched, Error> {
        let mut seen = Watched {
            container: self.docker.container(container)?,
            restarts_before,
            certificate_pending: certificate_pending(self.layout, self.config),
            behind_traefik: self.config.tls.mode.behind_traefik(),
            ..Watched::default()
        };
        if seen.needs_check(service) {
            if !checks.contains_key(service) {
                let image = self.docker.health_test(container)?;
                let check = start::self_check(service, image.as_deref());
                checks.insert(service.to_owned(), check);
            }
            if let Some(Some(command)) = checks.get(service) {
                let command: Vec<&str> = command.iter().map(String::as_str).collect();
                // A container that has just ended cannot be asked.
                let ran = self
                    .docker
                    .execute(container, &command, None, CHECK_PATIENCE);
                seen.check = Some(match ran {
                    Ok(ran) => (ran.code == 0, format!("{}{}", ran.out, ran.err)),
                    Err(error) => (false, error.to_string()),
                });
            }
        }
        if !matches!(start::judge(service, &seen), Readiness::Ready) {
            seen.log = last_words(self.docker, container, LOG_LINES, self.hide);
        }
        Ok(seen)
    }
}

/// The last lines that a container wrote. A log driver that cannot be read is no reason to fail.
pub(super) fn last_words(
    docker: &Docker,
    container: &str,
    count: u64,
    hide: &dyn Fn(&str) -> String,
) -> Vec<String> {
    let wish = LogWish {
        tail: Some(count),
        ..LogWish::default()
    };
    let mut lines = Vec::new();
    let _ = docker.logs(&[container.to_owned()], &wish, &mut |line| {
        lines.push(hide(&line.text));
        ControlFlow::Continue(())
    });
    lines
}

/// Whether Mailu gets the certificate itself and has none yet.
pub(super) fn certificate_pending(layout: &Layout, config: &Config) -> bool {
    matches!(config.tls.mode, TlsMode::Passthrough | TlsMode::Letsencrypt)
        && !layout
            .file("data/certs/letsencrypt/live/mailu-ecdsa")
            .exists()
}

/// The secrets of a deployment, as far as they can be read.
pub(super) fn secrets(layout: &Layout) -> Vec<Secret> {
    Secrets::NAMES
        .iter()
        .filter_map(|name| fs::read_to_string(layout.secret(name)).ok())
        .map(|text| Secret::new(text.trim()))
        .collect()
}

/// A line of somebody else's, in which no secret of the deployment may get on a screen.
pub(super) fn without<'a>(secrets: impl IntoIterator<Item = &'a Secret>, line: &str) -> String {
    secrets
        .into_iter()
        .map(Secret::expose)
        .filter(|secret| secret.len() >= 6)
        .fold(line.to_owned(), |line, secret| line.replace(secret, "***"))
}
