//! Chatwoot: variables for mail of its own, and a channel for each inbox that people are answered from.

pub mod inbox;

use super::registry::{App, Environment, Form, Merge, Starttls, Variables};
use super::value::Map;
use super::{Profile, Tls, mailbox};
use crate::error::Error;

pub(super) const APP: App = App {
    name: "chatwoot",
    title: "Chatwoot",
    aliases: &[],
    starttls: Starttls::Opportunistic,
    notes: &[
        "recreate both containers, the web server's and Sidekiq's: they read this when they start",
        "an inbox sends from its own address only while sending is switched on in it; otherwise from the account's support address, which the login has to own",
        "Chatwoot connects while the channel is changed, and answers 422 with what the server said",
    ],
    forms: &[
        Form {
            name: "inbox",
            about: "POST to /api/v1/accounts/ACCOUNT/inboxes, where there is no inbox for the address yet",
            write: |profile| Ok(inbox(profile).json()),
            merge: Merge::None,
        },
        Form {
            name: "channel",
            about: "PATCH to /api/v1/accounts/ACCOUNT/inboxes/INBOX",
            write: |profile| Ok(channel(profile).json()),
            merge: Merge::None,
        },
    ],
    environment: Some(Environment {
        about: "the env_file of the web server and of Sidekiq",
        variables,
        // Whatever it says, its presence counts.
        unwanted: &["SMTP_SSL", "SMTP_TLS", "SMTP_EMAIL_DOMAIN"],
    }),
    by_port: false,
    usual: "env",
};

fn helo(profile: &Profile) -> String {
    let helo = profile.helo.as_ref().map(ToString::to_string);
    helo.unwrap_or_else(|| profile.from.domain().to_string())
}

#[expect(clippy::unnecessary_wraps, reason = "as in every app")]
fn variables(profile: &Profile) -> Result<Variables, Error> {
    let implicit = profile.tls == Tls::Implicit;
    let mut all = vec![
        (
            "MAILER_SENDER_EMAIL",
            mailbox(profile.from_name.as_deref(), &profile.from),
        ),
        ("SMTP_ADDRESS", profile.host.to_string()),
        ("SMTP_PORT", profile.port.to_string()),
        ("SMTP_DOMAIN", helo(profile)),
        ("SMTP_USERNAME", profile.login.to_string()),
        ("SMTP_PASSWORD", profile.secret.expose().to_owned()),
        ("SMTP_AUTHENTICATION", "login".to_owned()),
        ("SMTP_ENABLE_STARTTLS_AUTO", (!implicit).to_string()),
        ("SMTP_OPENSSL_VERIFY_MODE", "peer".to_owned()),
    ];
    if implicit {
        all.push(("SMTP_SSL", "true".to_owned()));
    }
    Ok(all)
}

/// What makes an inbox.
fn inbox(profile: &Profile) -> Map {
    Map::from([
        ("name", inbox::name(profile).into()),
        (
            "channel",
            Map::from([
                ("type", "email".into()),
                ("email", profile.from.to_string().into()),
            ])
            .into(),
        ),
    ])
}

/// What connects it.
fn channel(profile: &Profile) -> Map {
    let mut channel = Map::default();
    // Nothing about reading, if the app is not to read: somebody may have set that up.
    if let Some(incoming) = profile.incoming {
        channel.put("imap_enabled", true);
        channel.put("imap_address", profile.host.to_string());
        channel.put("imap_port", incoming.port);
        channel.put("imap_login", profile.login.to_string());
        channel.put("imap_password", profile.secret.expose());
        channel.put("imap_enable_ssl", true);
    }
    channel.put("smtp_enabled", true);
    channel.put("smtp_address", profile.host.to_string());
    channel.put("smtp_port", profile.port);
    channel.put("smtp_login", profile.login.to_string());
    channel.put("smtp_password", profile.secret.expose());
    channel.put("smtp_domain", helo(profile));
    channel.put("smtp_enable_ssl_tls", profile.tls == Tls::Implicit);
    channel.put("smtp_enable_starttls_auto", profile.tls == Tls::Starttls);
    channel.put("smtp_authentication", "plain");
    // Its default is to believe anybody.
    channel.put("smtp_openssl_verify_mode", "peer");
    Map::from([("channel", channel.into())])
}
