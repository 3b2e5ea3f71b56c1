//! Listmonk 2.5 to 6.2: which of its settings make it send through the server, and how they get there without harm to the others.
//!
//! Everything is in one table, `settings`, with a JSON value for each dotted key. Two ways lead to it. Over the HTTP API the whole
//! object is read and written: what is missing is wiped, and secrets are masked by as many bullets as they have characters; [`patch`]
//! makes what can be sent back without loss. Without credentials the database is changed itself: [`sql`]. Both follow the same rules:
//!
//! * Of the list `smtp`, one element is ours, known by its uuid. All enabled elements form one pool from which Listmonk takes at random,
//!   so that others are switched off where that is consented to ([`Options::only`]); the samples of a new database are taken out.
//! * Listmonk has an envelope sender for itself: a header `Return-Path` of the element. Mailu wants one that belongs to the login.
//! * Of the list `bounce.mailboxes`, only the first that is enabled is read. It is emptied, whatever is in it.
//! * A login that may send so many messages in a day gets a pace that cannot exceed it ([`Pace`]): Listmonk gives up on a
//!   recipient that is refused, with 450 too.

mod blocks;
mod pace;
mod patch;
mod place;
mod record;
mod sql;

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use serde_json::{Map, Value};

use super::profile::Profile;
use crate::error::{Error, ErrorKind};
use crate::finding::{Finding, has_errors};
use crate::names::EmailAddress;

pub use super::digest::Digest;
pub use pace::Pace;
pub use patch::{Change, Passwords, Patch, Seen, blanked, patch, remove, verify};
pub use place::{Place, find, place};
pub use record::{Former, Kept, Record};
pub use sql::{Done, Script, sql, sql_look, sql_remove};

/// Listmonk's settings as `GET /api/settings` has them below `data`: dotted keys, no nesting.
pub type Settings = Map<String, Value>;

/// A version of Listmonk: `v6.2.0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Version {
    major: u32,
    minor: u32,
    patch: u32,
}

impl Version {
    /// A version by its numbers.
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self {
            major,
            minor,
            patch,
        }
    }

    /// The oldest whose settings are known here.
    pub const OLDEST: Self = Self::new(2, 5, 0);
    /// From here on there are users and tokens; before, one pair of credentials in `config.toml`.
    pub const USERS: Self = Self::new(4, 0, 0);
    /// From here on an element of `smtp` has a name.
    pub const NAMES: Self = Self::new(5, 0, 0);
    /// From here on an element of `smtp` has `msg_retry_delay` and `from_addresses`.
    pub const ROUTES: Self = Self::new(6, 2, 0);
}

impl FromStr for Version {
    type Err = Error;

    /// Reads what `GET /api/config` or the row `migrations` says; what stands behind the numbers does not count.
    fn from_str(text: &str) -> Result<Self, Error> {
        let numbers = text.trim().trim_start_matches('v');
        let end = numbers
            .find(|c: char| c != '.' && !c.is_ascii_digit())
            .unwrap_or(numbers.len());
        let mut numbers = numbers[..end].split('.').map(str::parse);
        match (numbers.next(), numbers.next(), numbers.next()) {
            (Some(Ok(major)), Some(Ok(minor)), None) => Ok(Self::new(major, minor, 0)),
            (Some(Ok(major)), Some(Ok(minor)), Some(Ok(patch))) => {
                Ok(Self::new(major, minor, patch))
            }
            _ => Err(Error::new(
                ErrorKind::InvalidInput,
                "listmonk.version",
                format!("read Listmonk's version: `{text}` is none"),
            )
            .hint("releases are named like v6.2.0; a build of your own needs such a name, too")),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// What is wanted besides the [`Profile`].
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Options {
    /// Which Listmonk: the name of its container or its address. With the login it makes the uuid of our elements, so that the same
    /// command finds them again.
    pub instance: String,
    /// Whether other enabled servers and mailboxes may be switched off. Listmonk goes on sending through them otherwise.
    pub only: bool,
    /// Where Listmonk is reached, without a slash at the end: links to unsubscribe begin with it. Left as it is without one.
    pub root_url: Option<String>,
    /// Who hears of campaigns that end or were paused. Left as it is without one.
    pub notify: Vec<EmailAddress>,
    /// How many of the throttled recipients are left for what no campaign sends: opt-in and transactional mail. A tenth without one.
    pub reserve: Option<u32>,
}

impl Options {
    /// For a Listmonk by name, with nothing else wanted.
    pub fn new(instance: impl Into<String>) -> Self {
        Self {
            instance: instance.into(),
            ..Self::default()
        }
    }
}

/// Refuses what would not work, all of it at once.
fn check(profile: &Profile, options: &Options) -> Result<(), Error> {
    let mut found = Vec::new();
    let envelope = blocks::envelope(profile);
    if envelope.domain() != profile.from.domain() {
        found.push(
            Finding::error(
                "listmonk.sender_domain",
                "envelope_from",
                format!(
                    "`From:` is in {}, the envelope sender in {}: Mailu signs nothing where the two differ",
                    profile.from.domain(),
                    envelope.domain()
                ),
            )
            .value(envelope)
            .hint("take two addresses of the same domain"),
        );
    }
    if let Some(bounces) = &profile.bounces
        && bounces.login != *envelope
    {
        found.push(
            Finding::error(
                "listmonk.bounces",
                "bounces",
                format!("what cannot be delivered is returned to the envelope sender {envelope}, and the mailbox that Listmonk empties is another"),
            )
            .value(&bounces.login)
            .hint("the envelope sender has to be the mailbox for returned mail"),
        );
    }
    let mut text = |subject: &str, text: &str, shown: bool| {
        if text.chars().any(char::is_control) {
            let finding = Finding::error(
                "listmonk.control_character",
                subject,
                "it has a control character, such as an end of line",
            );
            found.push(if shown { finding.value(text) } else { finding });
        }
    };
    text(
        "from_name",
        profile.from_name.as_deref().unwrap_or_default(),
        true,
    );
    text("secret", profile.secret.expose(), false);
    if let Some(bounces) = &profile.bounces {
        text("bounces.secret", bounces.secret.expose(), false);
    }
    for (subject, secret) in [("secret", Some(&profile.secret))].into_iter().chain([(
        "bounces.secret",
        profile.bounces.as_ref().map(|b| &b.secret),
    )]) {
        let Some(secret) = secret else { continue };
        if patch::is_mask(secret.expose()) || secret.expose().is_empty() {
            found.push(Finding::error(
                "listmonk.secret",
                subject,
                "it is empty or consists of bullets, which is how Listmonk shows a secret that it hides",
            ));
        }
    }
    if let Some(url) = &options.root_url {
        let parsed = url::Url::parse(url);
        if !parsed.is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host()) {
            found.push(
                Finding::error(
                    "listmonk.root_url",
                    "root_url",
                    "it is no address of a site",
                )
                .value(url)
                .hint("like https://lists.example.com"),
            );
        }
    }
    if has_errors(&found) {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            "listmonk.profile",
            format!(
                "connect Listmonk {}: what it is to be told would not work",
                options.instance
            ),
        )
        .findings(found));
    }
    Ok(())
}

/// What is set beside the two lists.
#[derive(Debug, Clone, PartialEq)]
enum Rule {
    /// To this value.
    Set(Value),
    /// To this number, unless a smaller one above zero is there.
    AtMost(u32),
    /// Back to what was there, unless somebody has changed it since.
    Back(Kept),
}

/// The settings beside the two lists, and what they become.
fn rules(
    profile: &Profile,
    options: &Options,
    record: Option<&Record>,
) -> Vec<(&'static str, Rule)> {
    let mut all = vec![
        (
            "app.from_email",
            Rule::Set(blocks::mailbox_text(profile.from_name.as_deref(), &profile.from).into()),
        ),
        ("privacy.unsubscribe_header", Rule::Set(true.into())),
    ];
    if let Some(url) = &options.root_url {
        let url = url.trim_end_matches('/');
        all.push(("app.root_url", Rule::Set(url.into())));
    }
    if !options.notify.is_empty() {
        let notify = options.notify.iter().map(ToString::to_string).collect();
        all.push(("app.notify_emails", Rule::Set(notify)));
    }
    if profile.bounces.is_some() {
        all.push(("bounce.enabled", Rule::Set(true.into())));
    }
    if let Some(throttle) = profile.throttle {
        all.extend(Pace::of(throttle, options.reserve).rules());
    } else {
        all.push(("app.concurrency", Rule::AtMost(pace::GENTLE)));
        all.push(("app.message_rate", Rule::AtMost(pace::GENTLE)));
        // A window that was ours has no reason any more.
        for key in pace::KEYS {
            if let Some(kept) = record.and_then(|record| record.kept.get(key)) {
                all.push((key, Rule::Back(kept.clone())));
            }
        }
    }
    all
}

/// Whether an element of `smtp` is one of the two that Listmonk puts into a new database.
fn is_sample(element: &Value) -> bool {
    let is = |key: &str, value: &str| element[key] == value;
    is("host", "smtp.yoursite.com") && is("username", "username")
        || is("host", "smtp.gmail.com") && is("username", "username@gmail.com")
}
