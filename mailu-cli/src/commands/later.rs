//! Verbs that AgencyStack documents and that are not there yet: what can be done meanwhile.

use mailu_core::paths::Layout;
use mailu_core::{Error, ErrorKind};

use super::chosen;
use crate::args::{Global, Later};

/// One of them.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Verb {
    Update,
    Integrate,
}

/// That it is not there yet, with the commands that help for now.
pub(crate) fn error(global: &Global, args: &Later, verb: Verb) -> Error {
    let found = chosen(global, &args.which);
    let layout = found.as_ref().ok().map(|(_, layout)| layout);
    let (doing, hints) = match verb {
        Verb::Update => ("update Mailu", update(layout)),
        Verb::Integrate => ("connect an app", integrate(layout)),
    };
    let error = Error::new(
        ErrorKind::InvalidInput,
        "verb.later",
        format!("{doing}: this version cannot do that yet; nothing was changed"),
    );
    let error = hints.into_iter().fold(error, Error::hint);
    match found {
        Ok(_) => error,
        Err(lost) => error.hint(lost.to_string()),
    }
}

/// A command of ours, as it has to be typed for a deployment.
fn typed(layout: Option<&Layout>, verb: &str) -> String {
    layout.map_or_else(|| format!("mailu {verb}"), |layout| layout.command(verb))
}

fn update(layout: Option<&Layout>) -> Vec<String> {
    let set = typed(layout, "config set");
    let install = typed(layout, "install");
    vec![
        format!(
            "back up, then `{set} version=2024.06.N && {install}`, with N from https://github.com/Mailu/Mailu/releases"
        ),
        "within 2024.06 the same leads back".to_owned(),
    ]
}

fn integrate(layout: Option<&Layout>) -> Vec<String> {
    let host = layout.map_or_else(
        || "the mail host".to_owned(),
        |layout| layout.mail_host().to_string(),
    );
    vec![
        format!(
            "by hand: make a mailbox for the app, and enter in the app: SMTP server {host}, port 465 with TLS, the mailbox's address as user name and as sender"
        ),
        format!(
            "`{}` shows the admin interface, where mailboxes are made",
            typed(layout, "show")
        ),
    ]
}
