//! The documents of a site over Frappe's REST API: what of them has to change, told from what they are.
//!
//! The same rules as those of the program that runs in the site's container ([`super::program`]). Over the API a password reads as so many stars
//! as it has characters, and fields that this Frappe does not know are missing in what it shows.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::super::{Digest, Profile};
use crate::error::{Error, ErrorKind};
use crate::finding::Finding;
use crate::names::EmailAddress;

/// The type of document by which Frappe sends.
pub const ACCOUNT: &str = "Email Account";
/// The type of document that has the servers for further accounts.
pub const DOMAIN: &str = "Email Domain";

/// What AgencyStack's older installer has called its account.
const OLD_NAME: &str = "ERPNext Notifications";
const PASSWORD: &str = "password";
const LINK: &str = "domain";

/// A document: fields as the API has them.
pub type Document = Map<String, Value>;

/// What a site has.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct Seen {
    /// The account that is ours or becomes ours.
    pub account: Option<Document>,
    /// The Email Domain of the sender's domain.
    pub domain: Option<Document>,
    /// The other account by which the site sends what is sent by none in particular.
    pub default: Option<String>,
}

impl std::fmt::Debug for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seen")
            .field("account", &self.account.is_some())
            .field("domain", &self.domain.is_some())
            .field("default", &self.default)
            .finish()
    }
}

/// What is known of reading from the server, which an Email Domain has to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DomainWish {
    /// There shall be one.
    Wanted,
    /// Frappe has refused it: the account goes without.
    Refused,
    /// The deployment offers no port for it: nothing is done about it.
    None,
}

/// What is remembered of a site. There is no secret in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Record {
    /// The account.
    pub account: String,
    /// Its password, which nobody can read.
    pub secret: Digest,
}

/// A document that is made or changed.
#[derive(Clone)]
#[non_exhaustive]
pub struct Step {
    /// [`ACCOUNT`] or [`DOMAIN`].
    pub doctype: &'static str,
    /// Which; the name it will have, for one that is made.
    pub name: String,
    /// Whether it is made.
    pub create: bool,
    /// The fields that are sent. A password may be among them.
    pub fields: Document,
}

impl std::fmt::Debug for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Step")
            .field("doctype", &self.doctype)
            .field("name", &self.name)
            .field("create", &self.create)
            .field("fields", &self.fields.keys())
            .finish()
    }
}

impl Step {
    /// A change of a document.
    pub fn changing(doctype: &'static str, name: &str, fields: Document) -> Self {
        step(doctype, name, false, fields)
    }
}

/// What has to be done.
#[derive(Clone)]
#[non_exhaustive]
pub struct Plan {
    /// The Email Domain, before the account that refers to it.
    pub domain: Option<Step>,
    /// The Email Account.
    pub account: Option<Step>,
    /// What the account is called.
    pub name: String,
    /// The account that is the default now, and is not ours: Frappe takes that mark from it.
    pub former: Option<String>,
    /// What needs an eye.
    pub findings: Vec<Finding>,
    /// What to remember.
    pub record: Record,
}

impl std::fmt::Debug for Plan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let keys = |step: &Option<Step>| -> Vec<String> {
            let fields = step.iter().flat_map(|step| step.fields.keys());
            fields.cloned().collect()
        };
        f.debug_struct("Plan")
            .field("domain", &keys(&self.domain))
            .field("account", &keys(&self.account))
            .field("name", &self.name)
            .field("findings", &self.findings)
            .finish_non_exhaustive()
    }
}

/// The account to use among all (`name`, `email_id`): ours by its name, else that of the address, which can have one only, else that of
/// AgencyStack's older installer.
pub fn choose<'a>(listed: &'a [Document], email: &EmailAddress) -> Option<&'a str> {
    let email = email.to_string();
    let by = |key: &str, value: &str| {
        listed
            .iter()
            .find(|one| one.get(key).and_then(Value::as_str) == Some(value))
    };
    by("name", super::NAME)
        .or_else(|| by("email_id", &email))
        .or_else(|| by("name", OLD_NAME))
        .and_then(|one| one.get("name").and_then(Value::as_str))
}

/// The accounts among all (`name`, `domain`) that refer to an Email Domain, but `own`.
pub fn users<'a>(listed: &'a [Document], domain: &str, own: &str) -> Vec<&'a str> {
    listed
        .iter()
        .filter(|one| one.get(LINK).and_then(Value::as_str) == Some(domain))
        .filter_map(|one| one.get("name").and_then(Value::as_str))
        .filter(|name| *name != own)
        .collect()
}

/// The account among all (`name`, `default_outgoing`) that is the default, but `own`.
pub fn default<'a>(listed: &'a [Document], own: &str) -> Option<&'a str> {
    listed
        .iter()
        .filter(|one| !is_nothing(one.get("default_outgoing")))
        .filter_map(|one| one.get("name").and_then(Value::as_str))
        .find(|name| *name != own)
}

/// What to send so that an account is the default again; nothing for one that does not send.
pub fn again(account: &Document) -> Option<Document> {
    let sends = !is_nothing(account.get("enable_outgoing"));
    sends.then(|| Document::from_iter([("default_outgoing".to_owned(), json!(1))]))
}

/// What has to be done so that the site sends by the profile's login. `ours` says that the Email Domain was made by us; `salt` is one that
/// nobody has used before.
///
/// # Errors
///
/// [`ErrorKind::InvalidInput`] where the profile breaks a rule.
pub fn plan(
    seen: &Seen,
    profile: &Profile,
    wish: DomainWish,
    ours: bool,
    record: Option<&Record>,
    salt: &str,
) -> Result<Plan, Error> {
    super::APP.check(profile)?;
    let mut findings = Vec::new();
    let wanted = document(&super::domain(profile).json());
    let name = profile.from.domain().to_string();
    let (domain, left) = match (wish, &seen.domain) {
        (DomainWish::Wanted, None) => (Some(step(DOMAIN, &name, true, wanted)), false),
        (DomainWish::Wanted, Some(there)) => {
            let changed = differing(there, &wanted, None);
            if changed.is_empty() {
                (None, false)
            } else if ours {
                (Some(step(DOMAIN, &name, false, changed)), false)
            } else {
                let keys: Vec<&str> = changed.keys().map(String::as_str).collect();
                findings.push(domain_left(&name, &keys));
                (None, true)
            }
        }
        (DomainWish::Refused | DomainWish::None, _) => (None, true),
    };
    let mut wanted = document(&super::account(profile).json());
    let linked = text(seen.account.as_ref().and_then(|one| one.get(LINK)));
    if wish != DomainWish::None && !linked.is_empty() && (linked != name || left) {
        // The servers of that one would go before the account's own.
        wanted.insert(LINK.to_owned(), "".into());
    }
    let digest = match record.map(|record| &record.secret) {
        Some(there) if there.matches(&profile.secret) => there.clone(),
        _ => Digest::new(&profile.secret, salt),
    };
    let (name, account) = match &seen.account {
        None => (
            super::NAME.to_owned(),
            Some(step(ACCOUNT, super::NAME, true, wanted)),
        ),
        Some(there) => {
            let name = text(there.get("name"));
            // As many stars, and the same secret as the last time.
            let is_right = record.is_some_and(|record| {
                record.account == name && record.secret.matches(&profile.secret)
            }) && text(there.get(PASSWORD))
                == "*".repeat(profile.secret.expose().chars().count());
            wanted.remove("email_account_name");
            let changed = differing(there, &wanted, Some(is_right));
            let step = (!changed.is_empty()).then(|| step(ACCOUNT, &name, false, changed));
            (name, step)
        }
    };
    Ok(Plan {
        domain,
        account,
        former: seen.default.clone(),
        findings,
        record: Record {
            account: name.clone(),
            secret: digest,
        },
        name,
    })
}

/// That an Email Domain has other servers, and stays as it is.
pub fn domain_left(name: &str, keys: &[&str]) -> Finding {
    Finding::notice(
        "erpnext.domain_left",
        name,
        format!(
            "the Email Domain has other values for {}, and is left: whatever changes there goes to all of its accounts",
            keys.join(", ")
        ),
    )
    .hint("our account has its own; if nobody needs that Email Domain, delete it in ERPNext and run the same command again")
}

/// That Frappe has refused the Email Domain.
pub fn domain_refused(name: &str, why: &str) -> Finding {
    Finding::warning(
        "erpnext.domain_refused",
        name,
        format!("the Email Domain was not saved: {why}"),
    )
    .hint("Frappe connects to its server for reading, port 993, from inside of its container; the account sends without an Email Domain")
}

fn step(doctype: &'static str, name: &str, create: bool, fields: Document) -> Step {
    Step {
        doctype,
        name: name.to_owned(),
        create,
        fields,
    }
}

fn document(text: &str) -> Document {
    match serde_json::from_str(text) {
        Ok(Value::Object(document)) => document,
        _ => Document::new(),
    }
}

/// The fields of a document that are not as wanted, of those that this Frappe knows, with what is wanted. Whether the password is right is told
/// by `password`, where it is known.
fn differing(there: &Document, wanted: &Document, password: Option<bool>) -> Document {
    wanted
        .iter()
        .filter(|(field, wanted)| {
            if field.as_str() == PASSWORD {
                return password == Some(false);
            }
            there.get(*field).is_some_and(|there| !same(there, wanted))
        })
        .map(|(field, value)| (field.clone(), value.clone()))
        .collect()
}

/// What a saved document does not have as it was sent.
pub fn lost(saved: &Document, sent: &Document) -> Vec<String> {
    differing(saved, sent, None).keys().cloned().collect()
}

/// Nothing, an empty text and 0 are the same there; numbers may be texts. Of rows, what is wanted counts.
fn same(there: &Value, wanted: &Value) -> bool {
    if let Value::Array(wanted) = wanted {
        let rows = there.as_array().map_or(&[][..], Vec::as_slice);
        return rows.len() == wanted.len()
            && rows.iter().zip(wanted).all(|(row, wanted)| {
                let wanted = wanted.as_object().into_iter().flatten();
                wanted
                    .into_iter()
                    .all(|(key, value)| same(&row[key], value))
            });
    }
    (is_nothing(Some(there)) && is_nothing(Some(wanted))) || text(Some(there)) == text(Some(wanted))
}

fn is_nothing(value: Option<&Value>) -> bool {
    matches!(&*text(value), "" | "0")
}

fn text(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Bool(on)) => u8::from(*on).to_string(),
        Some(other) => other.to_string(),
    }
}

/// What to send so that an account is switched off, and refers no more to an Email Domain of ours. Messages refer to it: it stays.
pub fn off(account: &Document, domain: Option<&str>) -> Document {
    let switches = [
        "enable_outgoing",
        "default_outgoing",
        "enable_incoming",
        "default_incoming",
    ];
    let mut fields: Document = switches
        .iter()
        .filter(|field| !is_nothing(account.get(**field)))
        .map(|field| ((*field).to_owned(), json!(0)))
        .collect();
    if domain.is_some_and(|domain| text(account.get(LINK)) == domain) {
        fields.insert(LINK.to_owned(), "".into());
    }
    fields
}

/// The fields in which an Email Domain is no more as we made it.
pub fn edited(domain: &Document, profile: &Profile) -> Vec<String> {
    let wanted = document(&super::domain(profile).json());
    differing(domain, &wanted, None).keys().cloned().collect()
}

/// Key and secret of an API user, as they stand in the header.
///
/// # Errors
///
/// [`ErrorKind::InvalidInput`], `erpnext.credentials`, where one of them is missing.
pub fn credentials(user: Option<&str>, token: &str) -> Result<String, Error> {
    let pair = match user {
        Some(user) => format!("{user}:{token}"),
        None => token.to_owned(),
    };
    match pair.split_once(':') {
        Some((key, secret)) if !key.is_empty() && !secret.is_empty() && !secret.contains(':') => {
            Ok(format!("token {pair}"))
        }
        _ => Err(Error::new(
            ErrorKind::InvalidInput,
            "erpnext.credentials",
            "log in to ERPNext: API key and API secret belong into the file, with a colon between",
        )
        .hint("ERPNext makes both: User, Settings, API Access, Generate Keys; the user has to be a System Manager")),
    }
}

/// What Frappe says for people in a refusal, without its markup.
pub fn said(answer: &Value) -> String {
    let messages = answer["_server_messages"]
        .as_str()
        .and_then(|text| serde_json::from_str::<Vec<String>>(text).ok())
        .unwrap_or_default();
    let message = messages.iter().find_map(|one| {
        let one: Value = serde_json::from_str(one).ok()?;
        one["message"].as_str().map(str::to_owned)
    });
    let other = ["exception", "message", "exc_type"]
        .iter()
        .find_map(|key| answer[*key].as_str().map(str::to_owned));
    let text = message
        .or(other)
        .unwrap_or_else(|| "it says no more".to_owned());
    let mut inside = false;
    text.chars()
        .filter(|c| {
            inside = (inside || *c == '<') && *c != '>';
            !inside && *c != '>'
        })
        .collect()
}
