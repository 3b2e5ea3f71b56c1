//! Grafana: `[smtp]`. Port 465 is TLS from the first byte, every other port is not.

use super::registry::{App, Environment, Form, Merge, Starttls};
use super::{Profile, Tls, quote};
use crate::error::{Error, ErrorKind};

pub(super) const APP: App = App {
    name: "grafana",
    title: "Grafana",
    aliases: &[],
    starttls: Starttls::Required,
    notes: &[
        "restart Grafana: it reads this only when it starts",
        "a variable whose name ends in `__FILE` takes the value from a file, for the password for instance",
    ],
    forms: &[Form {
        name: "ini",
        about: "grafana.ini or custom.ini",
        write: ini,
        merge: Merge::Ini,
    }],
    environment: Some(Environment {
        about: "the environment of Grafana's container",
        variables: |profile| {
            Ok(keys(profile)?
                .into_iter()
                .map(|(_, name, value)| (name, value))
                .collect())
        },
        unwanted: &["GF_SMTP_PASSWORD__FILE"],
    }),
    by_port: true,
    usual: "env",
};

/// Key, variable and value of each setting.
fn keys(profile: &Profile) -> Result<Vec<(&'static str, &'static str, String)>, Error> {
    let mut all = vec![
        ("enabled", "GF_SMTP_ENABLED", "true".to_owned()),
        (
            "host",
            "GF_SMTP_HOST",
            format!("{}:{}", profile.host, profile.port),
        ),
        ("user", "GF_SMTP_USER", profile.login.to_string()),
        (
            "password",
            "GF_SMTP_PASSWORD",
            profile.secret.expose().to_owned(),
        ),
        ("skip_verify", "GF_SMTP_SKIP_VERIFY", "false".to_owned()),
        (
            "from_address",
            "GF_SMTP_FROM_ADDRESS",
            profile.from.to_string(),
        ),
    ];
    if let Some(name) = &profile.from_name {
        all.push(("from_name", "GF_SMTP_FROM_NAME", name.clone()));
    }
    if let Some(helo) = &profile.helo {
        all.push(("ehlo_identity", "GF_SMTP_EHLO_IDENTITY", helo.to_string()));
    }
    if profile.tls == Tls::Starttls {
        all.push((
            "startTLS_policy",
            "GF_SMTP_STARTTLS_POLICY",
            "MandatoryStartTLS".to_owned(),
        ));
    }
    for (key, _, value) in &all {
        // Grafana replaces these wherever a value comes from, and has no way to write them otherwise.
        if value.contains("${") || value.contains("$__") {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "app.unwritable",
                format!("write `{key}` for Grafana: its value has `${{` or `$__`, which Grafana replaces"),
            )
            .hint("use another password or name"));
        }
    }
    Ok(all)
}

fn ini(profile: &Profile) -> Result<String, Error> {
    let keys = keys(profile)?.into_iter();
    quote::ini_file(keys.map(|(key, _, value)| ("smtp", key, value)))
}
