//! Taiga: variables of `taiga-docker`, which become Django's settings.

use super::registry::{App, Environment, Starttls, Variables};
use super::{Profile, Tls, mailbox};
use crate::error::Error;

pub(super) const APP: App = App {
    name: "taiga",
    title: "Taiga",
    aliases: &[],
    starttls: Starttls::Unverified,
    notes: &["recreate the containers taiga-back and taiga-async: they read this when they start"],
    forms: &[],
    environment: Some(Environment {
        about: "the .env of taiga-docker",
        variables,
        unwanted: &[],
    }),
    by_port: false,
    usual: "env",
};

#[expect(clippy::unnecessary_wraps, reason = "as in every app")]
fn variables(profile: &Profile) -> Result<Variables, Error> {
    // Django refuses both together. These are Python's words.
    let word = |on| if on { "True" } else { "False" }.to_owned();
    Ok(vec![
        ("EMAIL_BACKEND", "smtp".to_owned()),
        ("EMAIL_HOST", profile.host.to_string()),
        ("EMAIL_PORT", profile.port.to_string()),
        ("EMAIL_HOST_USER", profile.login.to_string()),
        ("EMAIL_HOST_PASSWORD", profile.secret.expose().to_owned()),
        (
            "EMAIL_DEFAULT_FROM",
            mailbox(profile.from_name.as_deref(), &profile.from),
        ),
        ("EMAIL_USE_SSL", word(profile.tls == Tls::Implicit)),
        ("EMAIL_USE_TLS", word(profile.tls == Tls::Starttls)),
    ])
}
