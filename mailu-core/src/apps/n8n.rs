//! n8n: variables for its own mail (invitations, password resets).

use super::registry::{App, Environment, Starttls, Variables};
use super::{Profile, Tls, mailbox};
use crate::error::Error;

pub(super) const APP: App = App {
    name: "n8n",
    title: "n8n",
    aliases: &[],
    starttls: Starttls::Opportunistic,
    notes: &[
        "recreate the container: it reads this when it starts",
        "the nodes of workflows send with a credential of their own, of type SMTP: the same values go there",
    ],
    forms: &[],
    environment: Some(Environment {
        about: "the environment of n8n's container",
        variables,
        unwanted: &["N8N_SMTP_PASS_FILE"],
    }),
    by_port: false,
    usual: "env",
};

#[expect(clippy::unnecessary_wraps, reason = "as in every app")]
fn variables(profile: &Profile) -> Result<Variables, Error> {
    let implicit = profile.tls == Tls::Implicit;
    Ok(vec![
        ("N8N_EMAIL_MODE", "smtp".to_owned()),
        ("N8N_SMTP_HOST", profile.host.to_string()),
        ("N8N_SMTP_PORT", profile.port.to_string()),
        ("N8N_SMTP_USER", profile.login.to_string()),
        ("N8N_SMTP_PASS", profile.secret.expose().to_owned()),
        (
            "N8N_SMTP_SENDER",
            mailbox(profile.from_name.as_deref(), &profile.from),
        ),
        ("N8N_SMTP_SSL", implicit.to_string()),
        ("N8N_SMTP_STARTTLS", (!implicit).to_string()),
    ])
}
