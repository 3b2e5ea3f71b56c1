//! Any app: `SMTP_…` variables, by the names that AgencyStack's own `config.env` has, and the others that are usual.

use super::registry::{App, Environment, Starttls, Variables};
use super::{Profile, Tls};
use crate::error::Error;

pub(super) const APP: App = App {
    name: "generic",
    title: "another app",
    aliases: &["smtp", "other"],
    starttls: Starttls::Required,
    notes: &["look up what the app calls each of these: no app reads all of them"],
    forms: &[],
    environment: Some(Environment {
        about: "wherever the app, or what configures it, takes variables from",
        variables,
        unwanted: &[],
    }),
    by_port: false,
    usual: "env",
};

#[expect(clippy::unnecessary_wraps, reason = "as in every app")]
fn variables(profile: &Profile) -> Result<Variables, Error> {
    let implicit = profile.tls == Tls::Implicit;
    let login = profile.login.to_string();
    let mut all = vec![
        ("SMTP_ENABLED", "true".to_owned()),
        ("SMTP_HOST", profile.host.to_string()),
        ("SMTP_PORT", profile.port.to_string()),
        // AgencyStack's installer reads the one, its mail scripts the other.
        ("SMTP_USER", login.clone()),
        ("SMTP_USERNAME", login),
        ("SMTP_PASSWORD", profile.secret.expose().to_owned()),
        ("SMTP_FROM", profile.from.to_string()),
        ("SMTP_SSL", implicit.to_string()),
        ("SMTP_STARTTLS", (!implicit).to_string()),
    ];
    if let Some(name) = &profile.from_name {
        all.push(("SMTP_FROM_NAME", name.clone()));
    }
    if let Some(helo) = &profile.helo {
        all.push(("SMTP_HELO", helo.to_string()));
    }
    Ok(all)
}
