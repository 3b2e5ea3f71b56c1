//! Ghost: nodemailer's options, in `config.production.json` or in the environment, which goes before the file.

use super::registry::{App, Environment, Form, Merge, Starttls, Variables};
use super::value::Map;
use super::{Profile, Tls, mailbox};
use crate::error::{Error, ErrorKind};

pub(super) const APP: App = App {
    name: "ghost",
    title: "Ghost",
    aliases: &[],
    starttls: Starttls::Required,
    notes: &[
        "restart Ghost: it reads this only when it starts",
        "variables go before the file: use one of the two",
        "this is for single messages (invitations, log-in links, codes); newsletters go through Mailgun's API only",
        "members' mail comes from the support address in Ghost's settings, `noreply@` the site's domain by default: that has to be an alias that leads to the login",
        "staff cannot log in on a new device while mail fails; `security__staffDeviceVerification=false` is the way back in",
    ],
    forms: &[Form {
        name: "json",
        about: "the key `mail` of config.production.json",
        write: |profile| Ok(document(profile).json()),
        merge: Merge::Json,
    }],
    environment: Some(Environment {
        about: "the environment of Ghost's container",
        variables,
        unwanted: &["mail__options__service", "mail__options__ignoreTLS"],
    }),
    by_port: false,
    usual: "json",
};

/// `{"mail": …}`.
fn document(profile: &Profile) -> Map {
    let mut auth = Map::default();
    auth.put("user", profile.login.to_string());
    auth.put("pass", profile.secret.expose());
    let mut options = Map::default();
    options.put("host", profile.host.to_string());
    options.put("port", profile.port);
    options.put("secure", profile.tls == Tls::Implicit);
    // Without it nodemailer would go on in the clear.
    options.put("requireTLS", profile.tls == Tls::Starttls);
    options.put_some("name", profile.helo.as_ref().map(ToString::to_string));
    options.put("auth", auth);
    let mut mail = Map::default();
    mail.put("from", mailbox(profile.from_name.as_deref(), &profile.from));
    mail.put("transport", "SMTP");
    mail.put("options", options);
    Map::from([("mail", mail.into())])
}

fn variables(profile: &Profile) -> Result<Variables, Error> {
    let implicit = profile.tls == Tls::Implicit;
    let mut all = vec![
        (
            "mail__from",
            mailbox(profile.from_name.as_deref(), &profile.from),
        ),
        ("mail__transport", "SMTP".to_owned()),
        ("mail__options__host", profile.host.to_string()),
        ("mail__options__port", profile.port.to_string()),
        ("mail__options__secure", implicit.to_string()),
        ("mail__options__requireTLS", (!implicit).to_string()),
    ];
    if let Some(helo) = &profile.helo {
        all.push(("mail__options__name", helo.to_string()));
    }
    all.push(("mail__options__auth__user", profile.login.to_string()));
    all.push((
        "mail__options__auth__pass",
        profile.secret.expose().to_owned(),
    ));
    let typed = [
        "mail__options__port",
        "mail__options__secure",
        "mail__options__requireTLS",
    ];
    for (name, value) in all.iter().filter(|(name, _)| !typed.contains(name)) {
        // nconf takes what JSON can read for JSON, and no quotes help.
        if value == "undefined" || serde_json::from_str::<serde_json::Value>(value).is_ok() {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "app.unwritable",
                format!(
                    "write `{name}` for Ghost's environment: Ghost would read the value as JSON"
                ),
            )
            .hint("write config.production.json instead: `--format json`"));
        }
    }
    Ok(all)
}
