//! Cal.com: variables for nodemailer. Port 465 is TLS from the first byte, every other port is not.

use super::Profile;
use super::registry::{App, Environment, Starttls, Variables};
use crate::error::Error;

pub(super) const APP: App = App {
    name: "calcom",
    title: "Cal.com",
    aliases: &["cal.com", "cal"],
    starttls: Starttls::Opportunistic,
    notes: &["recreate the container: it reads this when it starts"],
    forms: &[],
    environment: Some(Environment {
        about: "the environment of Cal.com's container",
        variables,
        // Each of them goes before the rest.
        unwanted: &["EMAIL_SERVER", "RESEND_API_KEY", "SENDGRID_API_KEY"],
    }),
    by_port: true,
    usual: "env",
};

#[expect(clippy::unnecessary_wraps, reason = "as in every app")]
fn variables(profile: &Profile) -> Result<Variables, Error> {
    let mut all = vec![("EMAIL_FROM", profile.from.to_string())];
    if let Some(name) = &profile.from_name {
        all.push(("EMAIL_FROM_NAME", name.clone()));
    }
    all.extend([
        ("EMAIL_SERVER_HOST", profile.host.to_string()),
        ("EMAIL_SERVER_PORT", profile.port.to_string()),
        ("EMAIL_SERVER_USER", profile.login.to_string()),
        ("EMAIL_SERVER_PASSWORD", profile.secret.expose().to_owned()),
    ]);
    Ok(all)
}
