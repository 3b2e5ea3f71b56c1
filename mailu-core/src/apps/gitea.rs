//! Gitea and Forgejo: `app.ini`, or variables that are written into it when the container starts.

use super::registry::{App, Environment, Form, Merge, Starttls};
use super::{Profile, Tls, mailbox, quote};
use crate::error::Error;

pub(super) const APP: App = App {
    name: "gitea",
    title: "Gitea",
    aliases: &["forgejo"],
    starttls: Starttls::Opportunistic,
    notes: &[
        "restart Gitea: it reads app.ini only when it starts",
        "variables are written into app.ini when the container starts, and stay there after they are taken away",
        "replies by mail need `+` as the delimiter of mailbox names, which is Mailu's default",
    ],
    forms: &[Form {
        name: "ini",
        about: "app.ini",
        write: ini,
        merge: Merge::Ini,
    }],
    environment: Some(Environment {
        about: "the environment of Gitea's container",
        variables: |profile| {
            Ok(keys(profile)
                .into_iter()
                .map(|(_, _, name, value)| (name, value))
                .collect())
        },
        unwanted: &[],
    }),
    by_port: false,
    usual: "ini",
};

/// Section, key, variable and value of each setting.
fn keys(profile: &Profile) -> Vec<(&'static str, &'static str, &'static str, String)> {
    const MAILER: &str = "mailer";
    const INCOMING: &str = "email.incoming";
    let protocol = match profile.tls {
        Tls::Implicit => "smtps",
        Tls::Starttls => "smtp+starttls",
    };
    let mut all = vec![
        (
            MAILER,
            "ENABLED",
            "GITEA__mailer__ENABLED",
            "true".to_owned(),
        ),
        (
            MAILER,
            "PROTOCOL",
            "GITEA__mailer__PROTOCOL",
            protocol.to_owned(),
        ),
        (
            MAILER,
            "SMTP_ADDR",
            "GITEA__mailer__SMTP_ADDR",
            profile.host.to_string(),
        ),
        (
            MAILER,
            "SMTP_PORT",
            "GITEA__mailer__SMTP_PORT",
            profile.port.to_string(),
        ),
        (
            MAILER,
            "USER",
            "GITEA__mailer__USER",
            profile.login.to_string(),
        ),
        (
            MAILER,
            "PASSWD",
            "GITEA__mailer__PASSWD",
            profile.secret.expose().to_owned(),
        ),
        (
            MAILER,
            "FROM",
            "GITEA__mailer__FROM",
            mailbox(profile.from_name.as_deref(), &profile.from),
        ),
    ];
    if let Some(envelope) = &profile.envelope_from {
        all.push((
            MAILER,
            "ENVELOPE_FROM",
            "GITEA__mailer__ENVELOPE_FROM",
            envelope.to_string(),
        ));
    }
    if let Some(helo) = &profile.helo {
        all.push((
            MAILER,
            "HELO_HOSTNAME",
            "GITEA__mailer__HELO_HOSTNAME",
            helo.to_string(),
        ));
    }
    if let Some(incoming) = profile.incoming {
        let reply = format!(
            "{}+%{{token}}@{}",
            profile.login.local(),
            profile.login.domain()
        );
        all.extend([
            (
                INCOMING,
                "ENABLED",
                "GITEA__email_0X2E_incoming__ENABLED",
                "true".to_owned(),
            ),
            (
                INCOMING,
                "REPLY_TO_ADDRESS",
                "GITEA__email_0X2E_incoming__REPLY_TO_ADDRESS",
                reply,
            ),
            (
                INCOMING,
                "HOST",
                "GITEA__email_0X2E_incoming__HOST",
                profile.host.to_string(),
            ),
            (
                INCOMING,
                "PORT",
                "GITEA__email_0X2E_incoming__PORT",
                incoming.port.to_string(),
            ),
            (
                INCOMING,
                "USE_TLS",
                "GITEA__email_0X2E_incoming__USE_TLS",
                "true".to_owned(),
            ),
            (
                INCOMING,
                "USERNAME",
                "GITEA__email_0X2E_incoming__USERNAME",
                profile.login.to_string(),
            ),
            (
                INCOMING,
                "PASSWORD",
                "GITEA__email_0X2E_incoming__PASSWORD",
                profile.secret.expose().to_owned(),
            ),
            (
                INCOMING,
                "MAILBOX",
                "GITEA__email_0X2E_incoming__MAILBOX",
                "INBOX".to_owned(),
            ),
            (
                INCOMING,
                "DELETE_HANDLED_MESSAGE",
                "GITEA__email_0X2E_incoming__DELETE_HANDLED_MESSAGE",
                "true".to_owned(),
            ),
        ]);
    }
    all
}

fn ini(profile: &Profile) -> Result<String, Error> {
    let keys = keys(profile).into_iter();
    quote::ini_file(keys.map(|(section, key, _, value)| (section, key, value)))
}
