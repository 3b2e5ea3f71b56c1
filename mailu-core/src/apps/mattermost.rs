//! Mattermost: `EmailSettings`.

use super::registry::{App, Environment, Form, Merge, Starttls, Variables};
use super::value::Map;
use super::{Profile, Tls};
use crate::error::Error;

pub(super) const APP: App = App {
    name: "mattermost",
    title: "Mattermost",
    aliases: &[],
    starttls: Starttls::Opportunistic,
    notes: &[
        "variables lock the same fields in the System Console",
        "`FeedbackEmail` is the envelope sender of everything that Mattermost sends",
    ],
    forms: &[Form {
        name: "json",
        about: "PUT to /api/v4/config/patch, or the file for: mmctl config patch FILE",
        write: |profile| Ok(patch(profile).json()),
        merge: Merge::None,
    }],
    environment: Some(Environment {
        about: "the environment of Mattermost's container",
        variables,
        unwanted: &[],
    }),
    by_port: false,
    usual: "json",
};

fn security(tls: Tls) -> &'static str {
    match tls {
        Tls::Implicit => "TLS",
        Tls::Starttls => "STARTTLS",
    }
}

fn patch(profile: &Profile) -> Map {
    let mut settings = Map::default();
    settings.put("SendEmailNotifications", true);
    settings.put("SMTPServer", profile.host.to_string());
    settings.put("SMTPPort", profile.port.to_string());
    settings.put("ConnectionSecurity", security(profile.tls));
    settings.put("EnableSMTPAuth", true);
    settings.put("SMTPUsername", profile.login.to_string());
    settings.put("SMTPPassword", profile.secret.expose());
    settings.put("SMTPServerTimeout", 10_u16);
    settings.put("SkipServerCertificateVerification", false);
    settings.put_some("FeedbackName", profile.from_name.as_deref());
    settings.put("FeedbackEmail", profile.from.to_string());
    settings.put("ReplyToAddress", profile.from.to_string());
    Map::from([("EmailSettings", settings.into())])
}

#[expect(clippy::unnecessary_wraps, reason = "as in every app")]
fn variables(profile: &Profile) -> Result<Variables, Error> {
    let mut all = vec![
        ("MM_EMAILSETTINGS_SENDEMAILNOTIFICATIONS", "true".to_owned()),
        ("MM_EMAILSETTINGS_SMTPSERVER", profile.host.to_string()),
        ("MM_EMAILSETTINGS_SMTPPORT", profile.port.to_string()),
        (
            "MM_EMAILSETTINGS_CONNECTIONSECURITY",
            security(profile.tls).to_owned(),
        ),
        ("MM_EMAILSETTINGS_ENABLESMTPAUTH", "true".to_owned()),
        ("MM_EMAILSETTINGS_SMTPUSERNAME", profile.login.to_string()),
        (
            "MM_EMAILSETTINGS_SMTPPASSWORD",
            profile.secret.expose().to_owned(),
        ),
        ("MM_EMAILSETTINGS_SMTPSERVERTIMEOUT", "10".to_owned()),
        (
            "MM_EMAILSETTINGS_SKIPSERVERCERTIFICATEVERIFICATION",
            "false".to_owned(),
        ),
    ];
    if let Some(name) = &profile.from_name {
        all.push(("MM_EMAILSETTINGS_FEEDBACKNAME", name.clone()));
    }
    all.push(("MM_EMAILSETTINGS_FEEDBACKEMAIL", profile.from.to_string()));
    all.push(("MM_EMAILSETTINGS_REPLYTOADDRESS", profile.from.to_string()));
    Ok(all)
}
