//! Kill Bill: properties, for the notification plugin of a tenant or for the whole server.

use super::registry::{App, Form, Merge, Starttls};
use super::{Profile, mailbox, quote};
use crate::error::Error;

pub(super) const APP: App = App {
    name: "killbill",
    title: "Kill Bill",
    aliases: &["kill-bill"],
    // Without SSL it goes on in the clear.
    starttls: Starttls::Impossible,
    notes: &[
        "the text for the plugin is replaced whole when it is uploaded: add the events and templates that you have",
        "`server` needs a restart",
    ],
    forms: &[
        Form {
            name: "plugin",
            about: "POST as text/plain to /1.0/kb/tenants/uploadPluginConfig/killbill-email-notifications",
            write: plugin,
            merge: Merge::None,
        },
        Form {
            name: "server",
            about: "killbill.properties",
            write: server,
            merge: Merge::None,
        },
    ],
    environment: None,
    by_port: false,
    usual: "plugin",
};

fn lines(prefix: &str, keys: &[(&str, String)]) -> String {
    let lines: Vec<_> = keys
        .iter()
        .map(|(key, value)| format!("{prefix}{key}={}\n", quote::properties(value)))
        .collect();
    lines.concat()
}

#[expect(clippy::unnecessary_wraps, reason = "as in every form")]
fn plugin(profile: &Profile) -> Result<String, Error> {
    Ok(lines(
        "org.killbill.billing.plugin.email-notifications.smtp.",
        &[
            ("host", profile.host.to_string()),
            ("port", profile.port.to_string()),
            ("useAuthentication", "true".to_owned()),
            ("userName", profile.login.to_string()),
            ("password", profile.secret.expose().to_owned()),
            ("useSSL", "true".to_owned()),
            (
                "defaultSender",
                mailbox(profile.from_name.as_deref(), &profile.from),
            ),
        ],
    ))
}

#[expect(clippy::unnecessary_wraps, reason = "as in every form")]
fn server(profile: &Profile) -> Result<String, Error> {
    Ok(lines(
        "org.killbill.mail.",
        &[
            ("smtp.host", profile.host.to_string()),
            ("smtp.port", profile.port.to_string()),
            ("smtp.auth", "true".to_owned()),
            ("smtp.user", profile.login.to_string()),
            ("smtp.password", profile.secret.expose().to_owned()),
            ("useSSL", "true".to_owned()),
            ("from", profile.from.to_string()),
        ],
    ))
}
