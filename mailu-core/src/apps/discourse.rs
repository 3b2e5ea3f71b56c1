//! Discourse: variables, in `app.yml` or in the environment of its container.

use super::registry::{App, Environment, Starttls, Variables};
use super::{Profile, Tls};
use crate::error::Error;

pub(super) const APP: App = App {
    name: "discourse",
    title: "Discourse",
    aliases: &[],
    starttls: Starttls::Opportunistic,
    notes: &[
        "in app.yml these go below `env:` (`--format yaml`); then: ./launcher rebuild app",
        "for replies by mail set POP3 polling and `reply_by_email_address` in the site's settings",
    ],
    forms: &[],
    environment: Some(Environment {
        about: "`env:` of app.yml, or the environment of Discourse's container",
        variables,
        unwanted: &[],
    }),
    by_port: false,
    usual: "env",
};

#[expect(clippy::unnecessary_wraps, reason = "as in every app")]
fn variables(profile: &Profile) -> Result<Variables, Error> {
    let implicit = profile.tls == Tls::Implicit;
    let helo = profile.helo.as_ref().map(ToString::to_string);
    Ok(vec![
        ("DISCOURSE_SMTP_ADDRESS", profile.host.to_string()),
        ("DISCOURSE_SMTP_PORT", profile.port.to_string()),
        ("DISCOURSE_SMTP_USER_NAME", profile.login.to_string()),
        (
            "DISCOURSE_SMTP_PASSWORD",
            profile.secret.expose().to_owned(),
        ),
        (
            "DISCOURSE_SMTP_DOMAIN",
            helo.unwrap_or_else(|| profile.from.domain().to_string()),
        ),
        ("DISCOURSE_SMTP_AUTHENTICATION", "plain".to_owned()),
        ("DISCOURSE_SMTP_ENABLE_START_TLS", (!implicit).to_string()),
        ("DISCOURSE_SMTP_FORCE_TLS", implicit.to_string()),
        ("DISCOURSE_SMTP_OPENSSL_VERIFY_MODE", "peer".to_owned()),
        ("DISCOURSE_NOTIFICATION_EMAIL", profile.from.to_string()),
    ])
}
