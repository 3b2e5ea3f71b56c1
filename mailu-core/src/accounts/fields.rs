//! What can be said of an account: names, forms, and Mailu's limits.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::error::Error;
use crate::finding::{Finding, nearest};
use crate::names::{EmailAddress, EmailDomain};

/// Attributes by Mailu's names for them.
pub type Settings = Map<String, Value>;

/// What an account is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "AccountKind")
)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Kind {
    /// An email domain.
    Domain,
    /// A mailbox.
    User,
    /// An address whose mail goes to others.
    Alias,
    /// A domain whose mail is handed on to another server.
    Relay,
}

impl Kind {
    /// All of them, in the order in which Mailu makes them.
    pub const ALL: [Self; 4] = [Self::Domain, Self::User, Self::Alias, Self::Relay];

    /// The word for it, in files and in Mailu's paths.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Domain => "domain",
            Self::User => "user",
            Self::Alias => "alias",
            Self::Relay => "relay",
        }
    }

    /// What its name is called.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Domain | Self::Relay => "name",
            Self::User | Self::Alias => "email",
        }
    }

    /// A name of this kind, lower case and with A-labels.
    ///
    /// # Errors
    ///
    /// The rule that it breaks.
    pub fn name(self, text: &str) -> Result<String, String> {
        let name = match self {
            Self::Domain | Self::Relay => text.parse::<EmailDomain>().map(|name| name.to_string()),
            Self::User | Self::Alias => address(text),
        };
        name.map_err(|error| error.to_string())
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn address(text: &str) -> Result<String, crate::names::NameError> {
    text.parse::<EmailAddress>().map(|name| name.to_string())
}

/// How a value looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// One line of so many characters at most.
    Line(usize),
    /// Any text.
    Text,
    /// Yes or no.
    Flag,
    /// A number of bytes; 0 is without a limit.
    Size,
    /// How many there may be; -1 is without a limit.
    Limit,
    /// A whole number from 0 on.
    Number,
    /// A day of the calendar.
    Date,
    /// Addresses. Joined by commas they may have so many characters.
    Addresses(usize),
    /// Domains.
    Domains,
    /// A host, with a port or without.
    Host,
}

/// An attribute of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Mailu's name for it, also in JSON.
    pub name: &'static str,
    /// Its name in `accounts.toml`, in tables and on the command line.
    pub typed: &'static str,
    pub(crate) form: Form,
    /// What it is.
    pub doc: &'static str,
    /// What Mailu gives it where nothing is said, as JSON; nothing where that depends on the server.
    pub(crate) default: Option<&'static str>,
}

macro_rules! fields {
    ($($name:literal as $typed:literal: $form:expr, $default:expr, $doc:literal;)*) => {
        &[$(Field { name: $name, typed: $typed, form: $form, doc: $doc, default: $default },)*]
    };
}

const DOMAIN: &[Field] = fields! {
    "comment" as "comment": Form::Line(255), Some("\"\""), "A note.";
    "alternatives" as "alternatives": Form::Domains, Some("[]"), "Domains whose addresses are the same as this one's.";
    "max_users" as "max_users": Form::Limit, Some("-1"), "How many users it may have; -1: as many as you like.";
    "max_aliases" as "max_aliases": Form::Limit, Some("-1"), "How many aliases it may have; -1: as many as you like.";
    "max_quota_bytes" as "max_quota": Form::Size, Some("0"), "The largest quota of a user; 0: any.";
    "signup_enabled" as "signup": Form::Flag, Some("false"), "Whether people may sign up themselves.";
    "managers" as "managers": Form::Addresses(usize::MAX), Some("[]"), "Users who may manage it in the admin interface.";
};

const USER: &[Field] = fields! {
    "displayed_name" as "displayed_name": Form::Line(160), Some("\"\""), "The name beside the address.";
    "comment" as "comment": Form::Line(255), Some("\"\""), "A note.";
    "quota_bytes" as "quota": Form::Size, None, "How much mail there may be, such as 5GB; 0: any. Default: the deployment's `limits.quota`.";
    "enabled" as "enabled": Form::Flag, Some("true"), "Whether it may log in. Mail is delivered either way.";
    "global_admin" as "global_admin": Form::Flag, Some("false"), "Whether it may do anything in the admin interface.";
    "enable_imap" as "enable_imap": Form::Flag, Some("true"), "Whether mail may be read by IMAP.";
    "enable_pop" as "enable_pop": Form::Flag, Some("true"), "Whether mail may be read by POP3.";
    "allow_spoofing" as "allow_spoofing": Form::Flag, Some("false"), "Whether it may send as anybody in its domain.";
    "change_pw_next_login" as "change_password": Form::Flag, Some("false"), "Whether it has to choose a password at its next log-in on the web.";
    "forward_enabled" as "forward_enabled": Form::Flag, Some("false"), "Whether mail is forwarded.";
    "forward_destination" as "forward_to": Form::Addresses(4096), Some("[]"), "Where to.";
    "forward_keep" as "forward_keep": Form::Flag, Some("true"), "Whether forwarded mail is kept too.";
    "reply_enabled" as "reply_enabled": Form::Flag, Some("false"), "Whether mail is answered automatically.";
    "reply_subject" as "reply_subject": Form::Line(255), Some("\"\""), "With which subject.";
    "reply_body" as "reply_body": Form::Text, Some("\"\""), "With which text.";
    "reply_startdate" as "reply_from": Form::Date, Some("\"1900-01-01\""), "From this day on, YYYY-MM-DD.";
    "reply_enddate" as "reply_until": Form::Date, Some("\"2999-12-31\""), "Until this day, YYYY-MM-DD.";
    "spam_enabled" as "spam_enabled": Form::Flag, Some("true"), "Whether spam goes into its folder.";
    "spam_mark_as_read" as "spam_mark_as_read": Form::Flag, Some("true"), "Whether it is marked as read there.";
    "spam_threshold" as "spam_threshold": Form::Number, Some("80"), "How sure of that Rspamd has to be, in percent of what rejects.";
};

const ALIAS: &[Field] = fields! {
    "destination" as "to": Form::Addresses(4096), Some("[]"), "Where its mail goes.";
    "wildcard" as "wildcard": Form::Flag, Some("false"), "Whether `%` in it stands for any characters.";
    "comment" as "comment": Form::Line(255), Some("\"\""), "A note.";
};

const RELAY: &[Field] = fields! {
    "smtp" as "smtp": Form::Host, Some("\"\""), "The server that its mail goes to, HOST or HOST:PORT; without one, DNS says.";
    "comment" as "comment": Form::Line(255), Some("\"\""), "A note.";
};

/// What can be said of a kind of accounts.
pub const fn fields(kind: Kind) -> &'static [Field] {
    match kind {
        Kind::Domain => DOMAIN,
        Kind::User => USER,
        Kind::Alias => ALIAS,
        Kind::Relay => RELAY,
    }
}

/// The field that Mailu calls so.
pub fn field(kind: Kind, name: &str) -> Option<&'static Field> {
    fields(kind).iter().find(|field| field.name == name)
}

impl Field {
    /// What it is where nothing was said, if that is known.
    pub(crate) fn default(&self) -> Option<Value> {
        self.default
            .and_then(|text| serde_json::from_str(text).ok())
    }

    /// How a value of it is written: `quota = "5GB"`.
    pub fn example(&self) -> &'static str {
        match self.form {
            Form::Line(_) | Form::Text => "\"…\"",
            Form::Flag => "true",
            Form::Size => "\"5GB\"",
            Form::Limit | Form::Number => "50",
            Form::Date => "\"2026-12-31\"",
            Form::Addresses(_) => "[\"anna@example.com\"]",
            Form::Domains => "[\"example.net\"]",
            Form::Host => "\"mx.example.net\"",
        }
    }

    /// The same, on a command line.
    fn typed_example(&self) -> &'static str {
        match self.form {
            Form::Line(_) | Form::Text => "…",
            Form::Flag => "yes",
            Form::Size => "5GB",
            Form::Limit | Form::Number => "50",
            Form::Date => "2026-12-31",
            Form::Addresses(_) => "anna@example.com,bea@example.com",
            Form::Domains => "example.net",
            Form::Host => "mx.example.net:25",
        }
    }

    /// The value of a text, as in a table or on a command line. Lists are divided by commas, semicolons or spaces.
    ///
    /// # Errors
    ///
    /// The rule that it breaks.
    pub fn read(&self, text: &str) -> Result<Value, String> {
        if matches!(self.form, Form::Line(_) | Form::Text) {
            return self.check(&Value::from(text));
        }
        let text = text.trim();
        let value = match self.form {
            Form::Line(_) | Form::Text | Form::Date | Form::Host => Value::from(text),
            Form::Flag => match text.to_ascii_lowercase().as_str() {
                "true" | "yes" | "y" | "on" | "1" => Value::Bool(true),
                "false" | "no" | "n" | "off" | "0" => Value::Bool(false),
                _ => return Err("must be yes or no".to_owned()),
            },
            Form::Size => Value::from(size(text)?),
            Form::Limit | Form::Number => text
                .parse::<i64>()
                .map(Value::from)
                .map_err(|_| "must be a whole number".to_owned())?,
            Form::Addresses(_) | Form::Domains => text
                .split([',', ';', ' ', '\t', '\n'])
                .filter(|part| !part.is_empty())
                .map(Value::from)
                .collect(),
        };
        self.check(&value)
    }

    /// The value as Mailu keeps it: names in lower case, lists in order and without doubles.
    ///
    /// # Errors
    ///
    /// The rule that it breaks.
    pub fn check(&self, value: &Value) -> Result<Value, String> {
        let text = |max: usize| -> Result<Value, String> {
            let text = value.as_str().ok_or("must be text")?;
            if text.chars().count() > max {
                return Err(format!("must have at most {max} characters"));
            }
            if text.contains('\0') || (max < usize::MAX && text.contains(char::is_control)) {
                return Err("must be one line, without control characters".to_owned());
            }
            Ok(Value::from(text))
        };
        match self.form {
            Form::Line(max) => text(max),
            Form::Text => text(usize::MAX),
            Form::Flag => value
                .is_boolean()
                .then(|| value.clone())
                .ok_or_else(|| "must be true or false".to_owned()),
            Form::Size | Form::Number => value
                .as_i64()
                .filter(|number| *number >= 0)
                .map(Value::from)
                .ok_or_else(|| "must be a whole number from 0 on".to_owned()),
            Form::Limit => value
                .as_i64()
                .filter(|number| *number >= -1)
                .map(Value::from)
                .ok_or_else(|| "must be a whole number from -1 (no limit) on".to_owned()),
            Form::Date => value
                .as_str()
                .filter(|text| crate::diagnose::is_date(text))
                .map(Value::from)
                .ok_or_else(|| "must be a day, YYYY-MM-DD".to_owned()),
            Form::Host => {
                let host = text(80)?;
                match host.as_str() {
                    Some(name) if !name.is_empty() => relay_host(name).map(|()| host),
                    _ => Ok(host),
                }
            }
            Form::Addresses(max) => list(value, max, address),
            Form::Domains => list(value, usize::MAX, |text| {
                text.parse::<EmailDomain>().map(|name| name.to_string())
            }),
        }
    }
}

/// A host of Postfix's transport maps: a name or an address in brackets, and a port.
fn relay_host(text: &str) -> Result<(), String> {
    let fine = |name: &str| {
        !name.is_empty()
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b".-_".contains(&b))
    };
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (inside, rest) = rest.split_once(']').unwrap_or((rest, "?"));
        let ip = inside.strip_prefix("ipv6:").unwrap_or(inside);
        let known = fine(inside) || ip.parse::<std::net::IpAddr>().is_ok();
        let port = rest.strip_prefix(':');
        (known, port.or_else(|| rest.is_empty().then_some("25")))
    } else {
        let (host, port) = text.split_once(':').unwrap_or((text, "25"));
        (fine(host), Some(port))
    };
    let port = port.and_then(|port| port.parse::<u16>().ok());
    if host && port.is_some_and(|port| port > 0) {
        Ok(())
    } else {
        Err("must be a server, HOST or HOST:PORT".to_owned())
    }
}

fn list(
    value: &Value,
    max: usize,
    read: impl Fn(&str) -> Result<String, crate::names::NameError>,
) -> Result<Value, String> {
    let items = value.as_array().ok_or("must be a list")?;
    let mut names = Vec::new();
    for item in items {
        let text = item.as_str().ok_or("must be a list of texts")?;
        let name = read(text).map_err(|error| format!("`{text}` {error}"))?;
        if name.starts_with('-') {
            return Err(format!(
                "`{text}` must not begin with `-`: Mailu's import takes that for a removal"
            ));
        }
        names.push(name);
    }
    names.sort();
    names.dedup();
    let length = names.iter().map(|name| name.len() + 1).sum::<usize>();
    if length > max {
        return Err(format!(
            "must have at most {max} characters, joined by commas"
        ));
    }
    Ok(names.into())
}

/// A size: a number of bytes, or with a unit.
fn size(text: &str) -> Result<i64, String> {
    text.parse::<bytesize::ByteSize>()
        .ok()
        .filter(|_| text.bytes().any(|b| b.is_ascii_digit()))
        .and_then(|size| i64::try_from(size.as_u64()).ok())
        .ok_or_else(|| "must be a size, such as 5GB or 500MB".to_owned())
}

/// Checks what a caller wants of an account, all of it.
///
/// # Errors
///
/// [`crate::ErrorKind::InvalidInput`], `accounts.invalid`, with everything that is wrong.
pub fn check_settings(kind: Kind, name: &str, settings: &Settings) -> Result<Settings, Error> {
    let mut out = Settings::new();
    let mut wrong = Vec::new();
    for (key, value) in settings {
        match field(kind, key).map(|field| field.check(value)) {
            Some(Ok(value)) => {
                out.insert(key.clone(), value);
            }
            Some(Err(rule)) => wrong.push(Finding::error("accounts.invalid", key, rule)),
            None => wrong.push(Finding::error(
                "accounts.invalid",
                key,
                format!("a {kind} has no such attribute"),
            )),
        }
    }
    if wrong.is_empty() {
        Ok(out)
    } else {
        Err(super::file::refused(
            &format!("what is wanted of {kind} {name}"),
            wrong,
        ))
    }
}

/// Reads `KEY=VALUE` for each attribute, with the keys of `accounts.toml` or Mailu's.
///
/// # Errors
///
/// [`crate::ErrorKind::InvalidInput`], `accounts.invalid`, with everything that is wrong.
pub fn read_settings(kind: Kind, name: &str, pairs: &[String]) -> Result<Settings, Error> {
    let mut out = Settings::new();
    let mut wrong = Vec::new();
    for pair in pairs {
        let Some((key, text)) = pair.split_once('=') else {
            // It may be a password in the wrong place.
            wrong.push(
                Finding::error("accounts.invalid", "KEY=VALUE", "what was typed has no `=`")
                    .hint("`mailu accounts schema` lists every key"),
            );
            continue;
        };
        let known = fields(kind)
            .iter()
            .find(|field| field.typed == key || field.name == key);
        match known.map(|field| (field, field.read(text))) {
            Some((field, Ok(value))) => {
                out.insert(field.name.to_owned(), value);
            }
            Some((field, Err(rule))) => wrong.push(
                Finding::error("accounts.invalid", key, rule)
                    .hint(format!("write it like `{key}={}`", field.typed_example())),
            ),
            None => {
                let finding = Finding::error(
                    "accounts.invalid",
                    key,
                    format!("there is no such key of {kind}s"),
                );
                wrong.push(
                    match nearest(key, fields(kind).iter().map(|field| field.typed)) {
                        Some(near) => finding.hint(format!("did you mean `{near}`?")),
                        None => finding.hint("`mailu accounts schema` lists every key"),
                    },
                );
            }
        }
    }
    if wrong.is_empty() {
        Ok(out)
    } else {
        Err(super::file::refused(
            &format!("what is said of {kind} {name}"),
            wrong,
        ))
    }
}

/// An attribute, as it is told to other languages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct FieldInfo {
    /// Mailu's name for it, also in JSON.
    pub name: &'static str,
    /// What it is.
    pub doc: &'static str,
    /// How a value of it is written in `accounts.toml`.
    pub example: &'static str,
}

/// Every attribute: by kind, then by its name in `accounts.toml`.
pub fn schema() -> BTreeMap<String, BTreeMap<&'static str, FieldInfo>> {
    let info = |field: &Field| FieldInfo {
        name: field.name,
        doc: field.doc,
        example: field.example(),
    };
    Kind::ALL
        .into_iter()
        .map(|kind| {
            let all = fields(kind).iter();
            let all = all.map(|field| (field.typed, info(field))).collect();
            (kind.to_string(), all)
        })
        .collect()
}

/// What Mailu says of an attribute, in the form in which it is compared.
pub fn normal(field: &Field, value: &Value) -> Value {
    match field.form {
        Form::Addresses(_) | Form::Domains => {
            let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
            let mut names: Vec<String> = items
                .iter()
                .filter_map(Value::as_str)
                .map(|text| {
                    let read = match field.form {
                        Form::Domains => Kind::Domain.name(text),
                        _ => address(text).map_err(|error| error.to_string()),
                    };
                    read.unwrap_or_else(|_| text.to_lowercase())
                })
                .collect();
            names.sort();
            names.dedup();
            names.into()
        }
        Form::Line(_) | Form::Text | Form::Host if value.is_null() => Value::from(""),
        Form::Date => match value.as_str().and_then(|text| text.get(..10)) {
            Some(day) => Value::from(day),
            None => value.clone(),
        },
        _ => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_a_value_of_its_form() {
        for kind in Kind::ALL {
            for field in fields(kind) {
                if let Some(value) = field.default() {
                    assert_eq!(field.check(&value), Ok(value), "{kind} {}", field.name);
                }
            }
        }
    }

    #[test]
    fn texts_become_values() {
        let user = |name: &str| field(Kind::User, name).expect("a field");
        assert_eq!(
            user("quota_bytes").read("5GB"),
            Ok(5_000_000_000_i64.into())
        );
        assert_eq!(user("quota_bytes").read("0"), Ok(0.into()));
        assert_eq!(user("enabled").read("No"), Ok(false.into()));
        assert_eq!(
            user("forward_destination").read("B@Example.com, a@example.com;b@example.com"),
            Ok(vec!["a@example.com", "b@example.com"].into())
        );
        for (name, text) in [
            ("quota_bytes", "much"),
            ("quota_bytes", "-1"),
            ("enabled", "perhaps"),
            ("displayed_name", &"x".repeat(161)),
            ("comment", "two\nlines"),
            ("forward_destination", "nobody"),
            ("forward_destination", "-x@example.com"),
            ("reply_startdate", "2026-02-30"),
            ("spam_threshold", "1.5"),
        ] {
            assert!(user(name).read(text).is_err(), "{name} = {text}");
        }
        let smtp = field(Kind::Relay, "smtp").expect("a field");
        for good in [
            "",
            "mx.example.net",
            "mx.example.net:2525",
            "[192.0.2.1]",
            "[ipv6:2001:db8::1]:25",
            "[mx.example.net]:26",
        ] {
            assert!(smtp.read(good).is_ok(), "{good}");
        }
        for bad in [
            "mx example",
            "mx.example.net:",
            "mx:0",
            "[mx",
            "a/b",
            "mx:70000",
        ] {
            assert!(smtp.read(bad).is_err(), "{bad}");
        }
    }
}
