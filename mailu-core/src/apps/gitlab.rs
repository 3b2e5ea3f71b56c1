//! GitLab: lines of `gitlab.rb`.

use super::registry::{App, Form, Merge, Starttls};
use super::value::Value;
use super::{Profile, Tls};
use crate::error::Error;

pub(super) const APP: App = App {
    name: "gitlab",
    title: "GitLab",
    aliases: &[],
    starttls: Starttls::Opportunistic,
    notes: &[
        "then: gitlab-ctl reconfigure",
        "with GITLAB_OMNIBUS_CONFIG the same lines go into that variable",
        "remove other lines about smtp: GitLab fails where both ways of TLS are switched on",
    ],
    forms: &[Form {
        name: "ruby",
        about: "/etc/gitlab/gitlab.rb",
        write: ruby,
        merge: Merge::None,
    }],
    environment: None,
    by_port: false,
    usual: "ruby",
};

#[expect(clippy::unnecessary_wraps, reason = "as in every form")]
fn ruby(profile: &Profile) -> Result<String, Error> {
    let helo = profile.helo.as_ref().map(ToString::to_string);
    let mut keys: Vec<(&str, Value)> = vec![
        ("smtp_enable", true.into()),
        ("smtp_address", profile.host.to_string().into()),
        ("smtp_port", profile.port.into()),
        ("smtp_user_name", profile.login.to_string().into()),
        ("smtp_password", profile.secret.expose().into()),
        (
            "smtp_domain",
            helo.unwrap_or_else(|| profile.from.domain().to_string())
                .into(),
        ),
        ("smtp_authentication", "login".into()),
        ("smtp_tls", (profile.tls == Tls::Implicit).into()),
        (
            "smtp_enable_starttls_auto",
            (profile.tls == Tls::Starttls).into(),
        ),
        ("smtp_openssl_verify_mode", "peer".into()),
        ("gitlab_email_from", profile.from.to_string().into()),
    ];
    if let Some(name) = &profile.from_name {
        keys.push(("gitlab_email_display_name", name.as_str().into()));
    }
    keys.push(("gitlab_email_reply_to", profile.from.to_string().into()));
    if let Some(incoming) = profile.incoming {
        let address = format!(
            "{}+%{{key}}@{}",
            profile.login.local(),
            profile.login.domain()
        );
        keys.extend([
            ("incoming_email_enabled", Value::Flag(true)),
            ("incoming_email_address", address.into()),
            ("incoming_email_email", profile.login.to_string().into()),
            ("incoming_email_password", profile.secret.expose().into()),
            ("incoming_email_host", profile.host.to_string().into()),
            ("incoming_email_port", incoming.port.into()),
            ("incoming_email_ssl", true.into()),
            ("incoming_email_start_tls", false.into()),
            ("incoming_email_mailbox_name", "inbox".into()),
        ]);
    }
    let lines: Vec<_> = keys
        .iter()
        .map(|(key, value)| format!("gitlab_rails['{key}'] = {}\n", value.in_single_quotes()))
        .collect();
    Ok(lines.concat())
}
