//! `PeerTube`: the key `smtp` of its YAML, or variables.

use super::registry::{App, Environment, Form, Merge, Starttls, Variables};
use super::value::{Map, Value};
use super::{Profile, Tls};
use crate::error::Error;

pub(super) const APP: App = App {
    name: "peertube",
    title: "PeerTube",
    aliases: &[],
    starttls: Starttls::Opportunistic,
    notes: &[
        "restart PeerTube: it reads this only when it starts",
        "there is no name beside the address: PeerTube takes the instance's",
    ],
    forms: &[Form {
        name: "yaml",
        about: "production.yaml",
        write: |profile| Ok(document(profile).yaml()),
        merge: Merge::None,
    }],
    environment: Some(Environment {
        about: "the environment of PeerTube's container",
        variables,
        unwanted: &["PEERTUBE_SMTP_SENDMAIL"],
    }),
    by_port: false,
    usual: "yaml",
};

fn document(profile: &Profile) -> Map {
    let smtp = Map::from([
        ("transport", "smtp".into()),
        ("hostname", profile.host.to_string().into()),
        ("port", profile.port.into()),
        ("username", profile.login.to_string().into()),
        ("password", profile.secret.expose().into()),
        ("tls", (profile.tls == Tls::Implicit).into()),
        ("disable_starttls", false.into()),
        ("ca_file", Value::Null),
        ("from_address", profile.from.to_string().into()),
    ]);
    Map::from([("smtp", smtp.into())])
}

#[expect(clippy::unnecessary_wraps, reason = "as in every app")]
fn variables(profile: &Profile) -> Result<Variables, Error> {
    Ok(vec![
        ("PEERTUBE_SMTP_HOSTNAME", profile.host.to_string()),
        ("PEERTUBE_SMTP_PORT", profile.port.to_string()),
        ("PEERTUBE_SMTP_USERNAME", profile.login.to_string()),
        ("PEERTUBE_SMTP_PASSWORD", profile.secret.expose().to_owned()),
        (
            "PEERTUBE_SMTP_TLS",
            (profile.tls == Tls::Implicit).to_string(),
        ),
        ("PEERTUBE_SMTP_DISABLE_STARTTLS", "false".to_owned()),
        ("PEERTUBE_SMTP_FROM", profile.from.to_string()),
    ])
}
