//! The pure operations as other languages call them: configuration as TOML text or as a table, results as plain data.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::{Map, Value};

use crate::apps::{self, Profile, Settings};
use crate::config::{Config, Parsed, join};
use crate::dkim;
use crate::dns::{self, PublicKeys, Report};
use crate::error::{Error, ErrorKind, Invalid};
use crate::finding::Finding;
use crate::network::{self, Reserved};
use crate::render::{RenderedFile, render};
use crate::secret::{Secret, Secrets};

/// Runs an operation for a caller that no panic may reach: it becomes an error of kind [`ErrorKind::Internal`].
///
/// The panic's text stays on standard error: it may quote the input, and with it a secret.
///
/// # Errors
///
/// Those of `operation`.
pub fn guarded<T>(operation: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(operation)).unwrap_or_else(|_| {
        Err(Error::new(
            ErrorKind::Internal,
            "internal.panic",
            "run an operation: it panicked, which is a mistake in mailu",
        )
        .hint("report it, with what was written to standard error"))
    })
}

/// Reads a configuration: TOML text, or a table as JSON.
fn parse(config: &Value) -> Result<Parsed, Error> {
    let map = match config {
        Value::String(text) => return Ok(Config::from_toml(text)?),
        Value::Object(map) => map,
        _ => return Err(not_a_table()),
    };
    let mut findings = Vec::new();
    let parsed = Config::from_table(table(map, "", &mut findings));
    if findings.is_empty() {
        return Ok(parsed?);
    }
    findings.extend(match parsed {
        Ok(parsed) => parsed.findings,
        Err(invalid) => invalid.findings().to_vec(),
    });
    Err(Invalid::new(findings).into())
}

fn not_a_table() -> Error {
    Error::new(
        ErrorKind::InvalidInput,
        "config.not_a_table",
        "read a configuration: it must be TOML text or a table of keys",
    )
    .hint("pass the text of mailu.toml, or {\"mail_host\": \"mail.example.com\", …}")
}

/// A configuration, as text or as a table, as the text of a `mailu.toml`. Whether it is a valid one is another question.
///
/// # Errors
///
/// [`ErrorKind::InvalidInput`] if it is neither, or has values that TOML cannot hold.
pub fn document(config: &Value) -> Result<String, Error> {
    let map = match config {
        Value::String(text) => return Ok(text.clone()),
        Value::Object(map) => map,
        _ => return Err(not_a_table()),
    };
    let mut findings = Vec::new();
    let table = table(map, "", &mut findings);
    if findings.is_empty() {
        Ok(table.to_string())
    } else {
        Err(Invalid::new(findings).into())
    }
}

/// TOML has no null; a key without a value is a key that is not set.
fn table(map: &Map<String, Value>, at: &str, out: &mut Vec<Finding>) -> toml::Table {
    map.iter()
        .filter(|(_, value)| !value.is_null())
        .filter_map(|(key, value)| Some((key.clone(), toml_value(value, &join(at, key), out)?)))
        .collect()
}

/// What TOML cannot hold is a finding, and left out.
fn toml_value(value: &Value, at: &str, out: &mut Vec<Finding>) -> Option<toml::Value> {
    Some(match value {
        Value::Null => {
            out.push(
                Finding::error("config.wrong_type", at, "must have a value, found null")
                    .hint("leave it out of the list"),
            );
            return None;
        }
        Value::Bool(flag) => (*flag).into(),
        Value::String(text) => text.as_str().into(),
        Value::Number(number) => {
            let whole = number.as_i64().map(toml::Value::Integer);
            let found = whole.or_else(|| {
                number
                    .as_f64()
                    .filter(|_| number.is_f64())
                    .map(toml::Value::Float)
            });
            if found.is_none() {
                out.push(
                    Finding::error("config.invalid_value", at, "must fit into 64 bits")
                        .value(number)
                        .hint("write a smaller number"),
                );
            }
            return found;
        }
        Value::Array(items) => items
            .iter()
            .enumerate()
            .filter_map(|(index, item)| toml_value(item, &format!("{at}[{index}]"), out))
            .collect::<Vec<_>>()
            .into(),
        Value::Object(map) => table(map, at, out).into(),
    })
}

fn public_keys(config: &Config, keys: &BTreeMap<String, String>) -> Result<PublicKeys, Error> {
    let mut public = PublicKeys::new();
    for (name, pem) in keys {
        let Some(domain) = config
            .domains()
            .find(|d| d.as_str() == name || d.unicode() == name)
        else {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "dkim.unknown_domain",
                format!(
                    "use the DKIM key of `{name}`: that is no email domain of this configuration"
                ),
            )
            .hint("name keys by email domain"));
        };
        public.insert(domain.clone(), dkim::public_text(pem, domain)?);
    }
    Ok(public)
}

/// Everything that is wrong with a configuration, or worth knowing about it. Empty: all is well.
///
/// # Errors
///
/// [`ErrorKind::InvalidInput`] only if `config` is neither text nor a table.
pub fn check_config(config: &Value) -> Result<Vec<Finding>, Error> {
    match parse(config) {
        Ok(parsed) => Ok(parsed.findings),
        Err(error) if error.all_findings().is_empty() => Err(error),
        Err(error) => Ok(error.all_findings().to_vec()),
    }
}

/// Every generated file of a deployment: `.env`, `mailu.env`, `docker-compose.yml`, and below `dns/`.
///
/// Networks that the configuration leaves open are drawn as on a host without any other deployment. `secrets` are named
/// as their files are (`secret_key`, `api_token`, `relay_password`), `dkim_keys` (PEM) by email domain; what is missing is
/// left out of the files.
///
/// # Errors
///
/// [`ErrorKind::InvalidInput`] with findings, or for unknown names; [`ErrorKind::Corrupt`] for an unreadable key.
///
/// # Examples
///
/// ```
/// use mailu_core::api::render_files;
/// let config = serde_json::json!({
///     "mail_host": "mail.example.com",
///     "email_domain": "example.com",
///     "admin_email": "admin@example.com",
/// });
/// let files = render_files(&config, &Default::default(), &Default::default())?;
/// assert!(files.iter().any(|file| file.path == "docker-compose.yml"));
/// # Ok::<(), mailu_core::Error>(())
/// ```
pub fn render_files(
    config: &Value,
    secrets: &BTreeMap<String, String>,
    dkim_keys: &BTreeMap<String, String>,
) -> Result<Vec<RenderedFile>, Error> {
    let mut config = parse(config)?.config;
    network::draw(&mut config, &Reserved::default(), &[])
        .map_err(|finding| Invalid::new(vec![*finding]))?;
    let mut known = Secrets::default();
    for (name, value) in secrets {
        if !Secrets::NAMES.contains(&name.as_str()) {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "secret.unknown",
                format!("use the secret `{name}`: there is no such secret"),
            )
            .hint(format!("there are: {}", Secrets::NAMES.join(", "))));
        }
        known.set(name, Secret::new(value.as_str()));
    }
    let keys = public_keys(&config, dkim_keys)?;
    render(&config, &known, &keys)?.files(&config)
}

/// The DNS records that a configuration needs, by zone.
///
/// # Errors
///
/// As [`render_files`].
///
/// # Examples
///
/// ```
/// use mailu_core::api::dns_records;
/// let config = serde_json::json!({
///     "mail_host": "mail.example.com",
///     "email_domain": "example.com",
///     "admin_email": "admin@example.com",
/// });
/// let report = dns_records(&config, &Default::default())?;
/// assert_eq!(report.zones[0].zone, "example.com");
/// # Ok::<(), mailu_core::Error>(())
/// ```
pub fn dns_records(config: &Value, dkim_keys: &BTreeMap<String, String>) -> Result<Report, Error> {
    let config = parse(config)?.config;
    let keys = public_keys(&config, dkim_keys)?;
    Ok(dns::report(&config, dns::records(&config, &keys)))
}

/// The apps that can be told how to send through a server: names, formats, what STARTTLS is worth in each, notes for people.
pub fn app_list() -> Vec<apps::Info> {
    apps::list()
}

/// What an app is to be told, in one of its formats (without: its usual one). `profile` has `host`, `login` and `secret`, and perhaps
/// what else [`Profile::from_json`] reads. An app that is not known gets `SMTP_…` variables, if `format` is one for variables.
///
/// The text has the secret, unless stars were handed in for it.
///
/// # Errors
///
/// [`ErrorKind::NotFound`] for an unknown app; [`ErrorKind::InvalidInput`] for everything that is wrong with the profile, and for what the
/// app cannot do.
///
/// # Examples
///
/// ```
/// use mailu_core::api::app_settings;
/// let profile = serde_json::json!({
///     "host": "mail.example.com",
///     "login": "ghost@example.com",
///     "secret": "0123456789abcdef0123456789abcdef",
/// });
/// let settings = app_settings("ghost", None, &profile)?;
/// assert!(settings.text.contains("\"secure\": true"));
/// # Ok::<(), mailu_core::Error>(())
/// ```
pub fn app_settings(app: &str, format: Option<&str>, profile: &Value) -> Result<Settings, Error> {
    let (app, unknown) = apps::find(app, format)?;
    let mut settings = app.settings(&Profile::from_json(profile)?, format)?;
    settings.notes.splice(0..0, unknown);
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_toml_cannot_hold_is_a_finding_at_its_key() {
        let config = json!({
            "mail_host": "mail.example.com",
            "email_domain": "example.com",
            "admin_email": null,
            "client_id": null,
            "domains": ["one.example.com", null],
            "ports": { "mail": [25], "pop3": u64::MAX },
        });
        let findings = check_config(&config).expect("a table");
        let of = |subject: &str| findings.iter().find(|f| f.subject == subject);
        assert!(
            of("domains[1]")
                .expect("null in a list")
                .message
                .contains("null")
        );
        assert!(
            of("ports.pop3")
                .expect("a huge number")
                .message
                .contains("64 bits")
        );
        assert!(
            of("admin_email").is_some(),
            "null is a key that is not set: {findings:?}"
        );
        assert!(of("client_id").is_none());
    }

    #[test]
    fn a_wrong_key_is_named_by_its_domain() {
        let config = json!({
            "mail_host": "mail.example.com",
            "email_domain": "example.com",
            "admin_email": "admin@example.com",
        });
        let keys = BTreeMap::from([("example.com".to_owned(), "hunter2".to_owned())]);
        let error = dns_records(&config, &keys).expect_err("no key");
        assert_eq!(error.code(), "dkim.unreadable");
        assert!(error.to_string().contains("of example.com:"), "{error}");
        assert!(!error.to_json().to_string().contains("hunter2"));
    }

    #[test]
    fn a_panic_becomes_an_internal_error_without_its_text() {
        let error = guarded::<()>(|| panic!("hunter2")).expect_err("it panicked");
        assert_eq!(error.kind(), ErrorKind::Internal);
        assert_eq!(error.code(), "internal.panic");
        assert!(!error.to_json().to_string().contains("hunter2"));
        assert_eq!(guarded(|| Ok(1)).expect("no panic"), 1);
        let conflict = || Error::new(ErrorKind::Conflict, "x.y", "do a thing");
        assert_eq!(
            guarded::<()>(|| Err(conflict()))
                .expect_err("passed on")
                .code(),
            "x.y"
        );
    }
}
