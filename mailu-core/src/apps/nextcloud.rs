//! Nextcloud: a file of our own beside `config.php`, or the variables of its image.

use super::registry::{App, Environment, Form, Merge, Starttls, Variables};
use super::value::Value;
use super::{Profile, Tls};
use crate::error::Error;

pub(super) const APP: App = App {
    name: "nextcloud",
    title: "Nextcloud",
    aliases: &[],
    starttls: Starttls::Opportunistic,
    notes: &[
        "the file must be readable for the web server's user, and for nobody else",
        "in the image, variables go before the file: use one of the two",
    ],
    forms: &[Form {
        name: "php",
        about: "config/mail.config.php, which goes before config.php",
        write: php,
        merge: Merge::None,
    }],
    environment: Some(Environment {
        about: "the environment of Nextcloud's container, and of the one for cron",
        variables,
        unwanted: &["SMTP_PASSWORD_FILE"],
    }),
    by_port: false,
    usual: "php",
};

/// `''` is STARTTLS, where the server offers it; `tls` was that once, and is nothing today.
fn secure(tls: Tls) -> &'static str {
    match tls {
        Tls::Implicit => "ssl",
        Tls::Starttls => "",
    }
}

#[expect(clippy::unnecessary_wraps, reason = "as in every form")]
fn php(profile: &Profile) -> Result<String, Error> {
    let keys: [(&str, Value); 10] = [
        ("mail_smtpmode", "smtp".into()),
        ("mail_smtphost", profile.host.to_string().into()),
        ("mail_smtpport", profile.port.into()),
        ("mail_smtpsecure", secure(profile.tls).into()),
        ("mail_smtpauth", true.into()),
        ("mail_smtpname", profile.login.to_string().into()),
        ("mail_smtppassword", profile.secret.expose().into()),
        ("mail_from_address", profile.from.local().to_string().into()),
        ("mail_domain", profile.from.domain().to_string().into()),
        ("mail_smtptimeout", 15_u16.into()),
    ];
    let lines: Vec<_> = keys
        .iter()
        .map(|(key, value)| format!("  '{key}' => {},\n", value.in_single_quotes()))
        .collect();
    Ok(format!("<?php\n$CONFIG = array (\n{});\n", lines.concat()))
}

#[expect(clippy::unnecessary_wraps, reason = "as in every app")]
fn variables(profile: &Profile) -> Result<Variables, Error> {
    Ok(vec![
        ("SMTP_HOST", profile.host.to_string()),
        ("SMTP_SECURE", secure(profile.tls).to_owned()),
        ("SMTP_PORT", profile.port.to_string()),
        ("SMTP_NAME", profile.login.to_string()),
        ("SMTP_PASSWORD", profile.secret.expose().to_owned()),
        ("MAIL_FROM_ADDRESS", profile.from.local().to_string()),
        ("MAIL_DOMAIN", profile.from.domain().to_string()),
    ])
}
