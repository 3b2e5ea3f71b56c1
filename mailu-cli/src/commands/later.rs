//! A verb that AgencyStack documents and that is not there yet: what can be done meanwhile.

use mailu_core::paths::Layout;
use mailu_core::{Error, ErrorKind};

use super::chosen;
use crate::args::{Global, Later};

/// That connecting apps is not there yet, with the commands that help for now.
pub(crate) fn integrate(global: &Global, args: &Later) -> Error {
    let found = chosen(global, &args.which);
    let layout = found.as_ref().ok().map(|(_, layout)| layout);
    let host = layout.map_or_else(
        || "the mail host".to_owned(),
        |layout| layout.mail_host().to_string(),
    );
    let show = layout.map_or_else(
        || "mailu show".to_owned(),
        |layout: &Layout| layout.command("show"),
    );
    let error = Error::new(
        ErrorKind::InvalidInput,
        "verb.later",
        "connect an app: this version cannot do that yet; nothing was changed",
    )
    .hint(format!(
        "by hand: make a mailbox for the app, and enter in the app: SMTP server {host}, port 465 with TLS, the mailbox's address as user name and as sender"
    ))
    .hint(format!("`{show}` shows the admin interface, where mailboxes are made"));
    match found {
        Ok(_) => error,
        Err(lost) => error.hint(lost.to_string()),
    }
}
