//! An inbox for e-mail in Chatwoot: what its channel has to be, told from what it is.
//!
//! Chatwoot shows a channel to administrators alone, its passwords too, and has them in one object with the inbox; to others it leaves these
//! keys out. A change has to bring everything of the half (reading, sending) that it switches on: Chatwoot logs in with what the request has,
//! not with what it keeps.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::super::Profile;
use crate::error::{Error, ErrorKind};
use crate::finding::Finding;
use crate::names::EmailAddress;
use crate::secret::Secret;

/// What a channel has for reading. The first switches it on.
const READING: [&str; 6] = [
    "imap_enabled",
    "imap_address",
    "imap_port",
    "imap_login",
    "imap_password",
    "imap_enable_ssl",
];

/// What it has for sending.
const SENDING: [&str; 10] = [
    "smtp_enabled",
    "smtp_address",
    "smtp_port",
    "smtp_login",
    "smtp_password",
    "smtp_domain",
    "smtp_enable_ssl_tls",
    "smtp_enable_starttls_auto",
    "smtp_authentication",
    "smtp_openssl_verify_mode",
];

/// The two halves of a channel, each with the keys of its server and its login.
const HALVES: [(&[&str], &str, &str); 2] = [
    (&READING, "imap_address", "imap_login"),
    (&SENDING, "smtp_address", "smtp_login"),
];

/// A channel's settings: keys as Chatwoot's API has them.
pub type Channel = Map<String, Value>;

/// An inbox for e-mail as it is. Its settings have passwords.
#[derive(Clone)]
#[non_exhaustive]
pub struct Inbox {
    /// Its number.
    pub id: u64,
    /// Its name, which people see.
    pub name: String,
    /// Its address, by which it is found: no two inboxes of one Chatwoot have the same.
    pub email: String,
    channel: Channel,
}

impl std::fmt::Debug for Inbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inbox")
            .field("id", &self.id)
            .field("email", &self.email)
            .finish_non_exhaustive()
    }
}

impl Inbox {
    /// Reads one inbox of the API; nothing for one that is not for e-mail.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`], `chatwoot.not_administrator`, where its settings are not shown.
    pub fn read(value: &Value) -> Result<Option<Self>, Error> {
        let (Some(id), Some(email), "Channel::Email") = (
            value["id"].as_u64(),
            value["email"].as_str(),
            value["channel_type"].as_str().unwrap_or_default(),
        ) else {
            return Ok(None);
        };
        let keys = READING.iter().chain(&SENDING);
        let channel: Channel = keys
            .filter_map(|key| Some(((*key).to_owned(), value.get(*key)?.clone())))
            .chain(
                value
                    .get("provider")
                    .map(|one| ("provider".to_owned(), one.clone())),
            )
            .collect();
        if !channel.contains_key("smtp_enabled") {
            return Err(not_administrator());
        }
        Ok(Some(Self {
            id,
            name: value["name"].as_str().unwrap_or_default().to_owned(),
            email: email.to_owned(),
            channel,
        }))
    }

    /// What of the channel we may change, as it is: what has to be kept to give it back. It has passwords.
    pub fn channel(&self) -> Channel {
        let mut channel = self.channel.clone();
        channel.remove("provider");
        channel
    }

    /// Whether both halves are connected to this server with this login: what was there before is not to be learned from it.
    pub fn is_ours(&self, record: &Record) -> bool {
        HALVES
            .iter()
            .all(|(_, server, login)| record.has(&self.channel, server, login))
    }
}

/// That the token is not an administrator's of the account.
pub fn not_administrator() -> Error {
    Error::new(
        ErrorKind::InvalidInput,
        "chatwoot.not_administrator",
        "look at an inbox of Chatwoot's: its settings are shown to administrators of the account alone",
    )
    .hint("take the access token of an administrator: Profile settings, at the end of the page")
}

/// The inbox with this address among all that the API has listed.
///
/// # Errors
///
/// As [`Inbox::read`].
pub fn find(listed: &Value, email: &EmailAddress) -> Result<Option<Inbox>, Error> {
    let email = email.to_string();
    for one in listed.as_array().into_iter().flatten() {
        if one["email"]
            .as_str()
            .is_some_and(|there| there.eq_ignore_ascii_case(&email))
            && let Some(inbox) = Inbox::read(one)?
        {
            return Ok(Some(inbox));
        }
    }
    Ok(None)
}

/// What is remembered of an inbox that was connected. There is no secret in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Record {
    /// Its address.
    pub email: String,
    /// Its number; nothing where a run ended before Chatwoot had told it.
    pub inbox: Option<u64>,
    /// The server that it was connected to.
    pub server: String,
    /// The login there.
    pub login: String,
}

impl Record {
    /// Of an inbox that is about to be connected.
    pub fn new(inbox: Option<&Inbox>, profile: &Profile) -> Self {
        Self {
            email: profile.from.to_string(),
            inbox: inbox.map(|inbox| inbox.id),
            server: profile.host.to_string(),
            login: profile.login.to_string(),
        }
    }

    fn has(&self, channel: &Channel, server: &str, login: &str) -> bool {
        channel.get(server).and_then(Value::as_str) == Some(self.server.as_str())
            && channel.get(login).and_then(Value::as_str) == Some(self.login.as_str())
    }
}

/// What has to be done to an inbox. Its bodies have passwords.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct Plan {
    /// What to post for an inbox that is not there.
    pub create: Option<Value>,
    /// What to send for its channel; nothing where that is as it should be.
    pub channel: Option<Channel>,
    /// The keys in which the channel differs.
    pub changes: Vec<String>,
    /// What needs an eye.
    pub findings: Vec<Finding>,
}

impl std::fmt::Debug for Plan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plan")
            .field("create", &self.create.is_some())
            .field("changes", &self.changes)
            .field("findings", &self.findings)
            .finish_non_exhaustive()
    }
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.create.is_none() && self.channel.is_none()
    }
}

/// What has to be done so that the inbox of the profile's sender reads and sends by the profile's login.
///
/// # Errors
///
/// [`ErrorKind::InvalidInput`] where the profile breaks a rule, or reads no mailbox (`chatwoot.not_reading`); [`ErrorKind::Conflict`]:
/// `chatwoot.provider` for an inbox that is connected to another provider by a login of its own, `chatwoot.other_inbox` where another inbox
/// reads the mailbox already.
pub fn plan(
    seen: Option<&Inbox>,
    profile: &Profile,
    record: Option<&Record>,
) -> Result<Plan, Error> {
    super::APP.check(profile)?;
    let email = profile.from.to_string();
    if profile.incoming.is_none() {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            "chatwoot.not_reading",
            format!("connect the inbox {email}: an inbox without reading hears of no answer"),
        )
        .hint("have the app read its mailbox, too: `--incoming`"));
    }
    if let Some(record) = record
        && !record.email.eq_ignore_ascii_case(&email)
    {
        return Err(Error::new(
            ErrorKind::Conflict,
            "chatwoot.other_inbox",
            format!(
                "connect the inbox {email}: the inbox {} is connected under the same name, and one mailbox is read by one inbox",
                record.email
            ),
        )
        .hint("give the second one a name and a mailbox of its own: `mailu integrate chatwoot NAME --login ADDRESS …`")
        .hint("or disconnect the first: `mailu integrate chatwoot --remove`"));
    }
    let wanted = wanted(profile);
    let Some(seen) = seen else {
        let create: Value = serde_json::from_str(&super::inbox(profile).json()).unwrap_or_default();
        return Ok(Plan {
            create: Some(create),
            changes: wanted.keys().cloned().collect(),
            channel: Some(wanted),
            findings: Vec::new(),
        });
    };
    let provider = seen.channel.get("provider").and_then(Value::as_str);
    if let Some(provider @ ("microsoft" | "google")) = provider {
        return Err(Error::new(
            ErrorKind::Conflict,
            "chatwoot.provider",
            format!(
                "connect the inbox {email}: it is connected to {provider}, which Chatwoot goes on using whatever its settings say"
            ),
        )
        .hint("make another inbox in Chatwoot, or give another address: `--from ADDRESS`"));
    }
    let changes = differing(&seen.channel, &wanted);
    // All of a half that differs: Chatwoot logs in with what the request has.
    let channel: Channel = HALVES
        .iter()
        .filter(|(keys, ..)| changes.iter().any(|key| keys.contains(&key.as_str())))
        .flat_map(|(keys, ..)| keys.iter())
        .filter_map(|key| Some(((*key).to_owned(), wanted.get(*key)?.clone())))
        .collect();
    Ok(Plan {
        create: None,
        channel: (!channel.is_empty()).then_some(channel),
        changes,
        findings: Vec::new(),
    })
}

/// The keys in which a channel is not as it is wanted.
pub fn differing(there: &Channel, wanted: &Channel) -> Vec<String> {
    wanted
        .iter()
        .filter(|(key, wanted)| !same(there.get(*key), wanted))
        .map(|(key, _)| key.clone())
        .collect()
}

/// Ports come as numbers or as texts, by version.
fn same(there: Option<&Value>, wanted: &Value) -> bool {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    there.is_some_and(|there| text(there) == text(wanted))
}

/// The settings of the profile.
fn wanted(profile: &Profile) -> Channel {
    let mut all: Value = serde_json::from_str(&super::channel(profile).json()).unwrap_or_default();
    match all["channel"].take() {
        Value::Object(channel) => channel,
        _ => Channel::new(),
    }
}

/// What taking an inbox out means. The inbox itself stays, with its conversations: Chatwoot deletes them with it.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct Removal {
    /// What to send for its channel; nothing where none of it is ours.
    pub channel: Option<Channel>,
    /// What to send where that is refused: our halves switched off.
    pub off: Channel,
    /// Whether a half gets back what it was before; otherwise it is switched off.
    pub back: bool,
    /// What needs an eye.
    pub findings: Vec<Finding>,
}

impl std::fmt::Debug for Removal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Removal")
            .field("back", &self.back)
            .field("findings", &self.findings)
            .finish_non_exhaustive()
    }
}

/// What to do so that nothing of ours is in an inbox: each half that is connected to our server with our login gets back what it was
/// (`former`), and is switched off where that is not known, or was ours, too. A half that somebody has connected elsewhere stays.
pub fn removal(seen: &Inbox, record: &Record, former: Option<&Channel>) -> Removal {
    let mut removal = Removal::default();
    let mut channel = Channel::new();
    for (keys, server, login) in HALVES {
        let [switch, ..] = keys else { continue };
        if !record.has(&seen.channel, server, login) {
            if seen.channel.get(*switch) == Some(&Value::Bool(true)) {
                removal.findings.push(
                    Finding::notice(
                        "chatwoot.kept",
                        *switch,
                        format!(
                            "the inbox {} stays connected to a server that somebody has set since",
                            seen.email
                        ),
                    )
                    .value(
                        seen.channel
                            .get(server)
                            .and_then(Value::as_str)
                            .unwrap_or_default(),
                    ),
                );
            }
            continue;
        }
        let former = former.filter(|former| {
            keys.iter().all(|key| former.contains_key(*key)) && !record.has(former, server, login)
        });
        for key in keys {
            let off = if key == switch {
                json!(false)
            } else if key.ends_with("_password") {
                json!("")
            } else {
                continue;
            };
            removal.off.insert((*key).to_owned(), off);
        }
        if let Some(former) = former {
            removal.back |= former.get(*switch) == Some(&Value::Bool(true));
            channel.extend(
                keys.iter()
                    .filter_map(|key| Some(((*key).to_owned(), former.get(*key)?.clone()))),
            );
        } else {
            let keys = removal
                .off
                .iter()
                .filter(|(key, _)| keys.contains(&key.as_str()));
            channel.extend(keys.map(|(key, value)| (key.clone(), value.clone())));
        }
    }
    let differs = !differing(&seen.channel, &channel).is_empty();
    removal.channel = differs.then_some(channel);
    removal
}

/// The secrets in a channel, which no message may show.
pub fn secrets(channel: &Channel) -> Vec<Secret> {
    channel
        .iter()
        .filter(|(key, _)| key.ends_with("_password"))
        .filter_map(|(_, value)| value.as_str().map(Secret::new))
        .collect()
}

/// A name that every Chatwoot takes: none of `/ \ < > @`, and a letter, digit or underscore at each end (before 4.0, others are refused).
/// It is what people see in Chatwoot alone, and may be changed there.
pub(super) fn name(profile: &Profile) -> String {
    let is_inner = |c: char| c.is_alphanumeric() || c == '_';
    let tidy = |text: &str| -> String {
        let text: String = text
            .chars()
            .map(|c| if "/\\<>@".contains(c) { ' ' } else { c })
            .collect();
        text.trim_matches(|c| !is_inner(c)).to_owned()
    };
    let from_name = profile.from_name.as_deref().map(tidy);
    let address = profile.from.to_string();
    let local = address.split('@').next().unwrap_or_default();
    from_name
        .into_iter()
        .chain([tidy(local)])
        .find(|name| !name.is_empty())
        .unwrap_or_else(|| "Mail".to_owned())
}
