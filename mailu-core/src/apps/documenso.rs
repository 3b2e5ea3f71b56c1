//! Documenso: variables for nodemailer.

use super::registry::{App, Environment, Starttls, Variables};
use super::{Profile, Tls};
use crate::error::Error;

pub(super) const APP: App = App {
    name: "documenso",
    title: "Documenso",
    aliases: &[],
    starttls: Starttls::Opportunistic,
    notes: &["recreate the container: it reads this when it starts"],
    forms: &[],
    environment: Some(Environment {
        about: "the environment of Documenso's container",
        variables,
        unwanted: &[
            "NEXT_PRIVATE_SMTP_UNSAFE_IGNORE_TLS",
            "NEXT_PRIVATE_SMTP_SERVICE",
        ],
    }),
    by_port: false,
    usual: "env",
};

#[expect(clippy::unnecessary_wraps, reason = "as in every app")]
fn variables(profile: &Profile) -> Result<Variables, Error> {
    let name = profile.from_name.clone();
    Ok(vec![
        ("NEXT_PRIVATE_SMTP_TRANSPORT", "smtp-auth".to_owned()),
        ("NEXT_PRIVATE_SMTP_HOST", profile.host.to_string()),
        ("NEXT_PRIVATE_SMTP_PORT", profile.port.to_string()),
        (
            "NEXT_PRIVATE_SMTP_SECURE",
            (profile.tls == Tls::Implicit).to_string(),
        ),
        ("NEXT_PRIVATE_SMTP_USERNAME", profile.login.to_string()),
        (
            "NEXT_PRIVATE_SMTP_PASSWORD",
            profile.secret.expose().to_owned(),
        ),
        // It has to have one.
        (
            "NEXT_PRIVATE_SMTP_FROM_NAME",
            name.unwrap_or_else(|| "Documenso".to_owned()),
        ),
        ("NEXT_PRIVATE_SMTP_FROM_ADDRESS", profile.from.to_string()),
    ])
}
