//! The pure heart: a configuration and its key material in, every generated file out.

use std::fmt;

use serde::Serialize;

use crate::compose;
use crate::config::Config;
use crate::dns::{self, PublicKeys, Report};
use crate::env::{self, Variables};
use crate::error::{Error, ErrorKind};
use crate::mta_sts;
use crate::secret::Secrets;

/// A generated file. `Debug` leaves out its text.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct RenderedFile {
    /// Relative to the deployment's directory.
    pub path: String,
    /// Permission bits.
    pub mode: u32,
    /// The text. `mailu.env` holds secrets if they were given.
    pub text: String,
}

impl fmt::Debug for RenderedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RenderedFile")
            .field("path", &self.path)
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}

/// Everything that follows from a configuration.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Rendered {
    /// `mailu.env`, as variables.
    pub mailu_env: Variables,
    /// `.env`, as variables.
    pub compose_env: Variables,
    /// `docker-compose.yml`.
    pub compose: String,
    /// The DNS records.
    pub dns: Report,
}

/// First lines of `mailu.env`.
const MAILU_ENV_HEAD: &str = "Mailu's settings, written by `mailu` from mailu.toml. You may edit this file: what you change stays,\n`mailu apply` reports it, and `mailu apply --reset NAME` or `--adopt NAME` settles disagreements.\nChanges need `docker compose up -d`, not a restart.";

/// First lines of `.env`.
const COMPOSE_ENV_HEAD: &str = "Compose's own settings, written by `mailu` from mailu.toml. You may edit this file: what you change stays.";

/// First lines of `docker-compose.yml`.
const COMPOSE_HEAD: &str = "Written by `mailu` from mailu.toml. Put changes of your own into docker-compose.override.yml, which Compose\nreads too: an edit of this file keeps it from being updated.";

/// Renders `config`. Networks should have been drawn; secrets and keys that are missing are left out.
///
/// # Errors
///
/// [`ErrorKind::Internal`] if the template is broken.
///
/// # Examples
///
/// ```
/// # use mailu_core::{Config, Secrets, render};
/// let config = Config::from_toml(
///     "mail_host = 'mail.example.com'\nemail_domain = 'example.com'\nadmin_email = 'admin@example.com'",
/// )?
/// .config;
/// let rendered = render(&config, &Secrets::default(), &Default::default())?;
/// assert_eq!(rendered.mailu_env.get("DOMAIN"), Some("example.com"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn render(config: &Config, secrets: &Secrets, keys: &PublicKeys) -> Result<Rendered, Error> {
    Ok(Rendered {
        mailu_env: env::mailu_variables(config, secrets),
        compose_env: env::compose_variables(config),
        compose: compose::render(&compose::build(config), COMPOSE_HEAD)?,
        dns: dns::report(config, dns::records(config, keys)),
    })
}

impl Rendered {
    /// The files of a new deployment, `mailu.toml` excepted.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] if a value cannot stand in an environment file.
    pub fn files(&self, config: &Config) -> Result<Vec<RenderedFile>, Error> {
        let mut files = vec![
            RenderedFile {
                path: ".env".to_owned(),
                mode: 0o644,
                text: env_file(".env", &self.compose_env, COMPOSE_ENV_HEAD)?,
            },
            RenderedFile {
                path: "mailu.env".to_owned(),
                mode: 0o600,
                text: env_file("mailu.env", &self.mailu_env, MAILU_ENV_HEAD)?,
            },
            RenderedFile {
                path: "docker-compose.yml".to_owned(),
                mode: 0o644,
                text: self.compose.clone(),
            },
        ];
        if let Some(text) = mta_sts::snippet(config) {
            files.push(RenderedFile {
                path: mta_sts::FILE.to_owned(),
                mode: 0o644,
                text,
            });
        }
        files.extend(self.dns_files(config, |_| 1)?);
        Ok(files)
    }

    /// The files below `dns/`; `serial` tells the serial of a zone's complete file by its path.
    pub(crate) fn dns_files(
        &self,
        config: &Config,
        serial: impl Fn(&str) -> u32,
    ) -> Result<Vec<RenderedFile>, Error> {
        let mut files = Vec::new();
        for zone in &self.dns.zones {
            // The provider's zone of addresses holds names of other customers too: it is not ours to write.
            if !dns::is_providers(config, &zone.zone) {
                let path = format!("dns/{}.zone", zone.zone);
                files.push(RenderedFile {
                    mode: 0o644,
                    text: dns::zone_file(config, zone, serial(&path)),
                    path,
                });
            }
            files.push(RenderedFile {
                path: format!("dns/{}.records", zone.zone),
                mode: 0o644,
                text: dns::zone_records(zone),
            });
        }
        files.push(RenderedFile {
            path: "dns/records.json".to_owned(),
            mode: 0o644,
            text: self.dns_json()?,
        });
        Ok(files)
    }

    /// The records as JSON.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Internal`] if they cannot be written as JSON.
    pub fn dns_json(&self) -> Result<String, Error> {
        let mut text = serde_json::to_string_pretty(&self.dns).map_err(|error| {
            Error::new(
                ErrorKind::Internal,
                "dns.json",
                "write the DNS records as JSON",
            )
            .source(error)
        })?;
        text.push('\n');
        Ok(text)
    }
}

pub(crate) fn env_file(path: &str, variables: &Variables, head: &str) -> Result<String, Error> {
    variables
        .to_file(head)
        .map(|file| file.to_string())
        .map_err(|error| {
            Error::new(
                ErrorKind::InvalidInput,
                "env.unwritable",
                format!("write {path}"),
            )
            .source(error)
            .hint("remove unusual characters from the value in mailu.toml")
        })
}

/// The head for a new environment file.
pub(crate) fn env_head(path: &str) -> &'static str {
    if path == ".env" {
        COMPOSE_ENV_HEAD
    } else {
        MAILU_ENV_HEAD
    }
}
