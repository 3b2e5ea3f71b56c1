//! Accounts as plain data. Attributes have Mailu's names; what a caller leaves out stays as it is.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::fields::Settings;
use crate::names::{EmailAddress, EmailDomain};
use crate::secret::Secret;

macro_rules! settings {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $field:ident: $ty:ty,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(default)]
        #[non_exhaustive]
        pub struct $name {
            $(
                $(#[$doc])*
                #[serde(skip_serializing_if = "Option::is_none")]
                pub $field: Option<$ty>,
            )*
        }

        impl $name {
            /// As attributes by name.
            pub fn to_map(&self) -> Settings {
                match serde_json::to_value(self) {
                    Ok(Value::Object(map)) => map,
                    _ => Settings::new(),
                }
            }

            /// From attributes by name. What is of another type than it should be is left out.
            pub fn from_map(map: &Settings) -> Self {
                Self {
                    $(
                        $field: map
                            .get(stringify!($field))
                            .and_then(|value| serde_json::from_value(value.clone()).ok()),
                    )*
                }
            }
        }
    };
}

settings! {
    /// What can be said of an email domain.
    DomainSettings {
        /// A note, 255 characters at most.
        comment: String,
        /// Domains whose addresses are the same as this one's.
        alternatives: Vec<String>,
        /// How many users it may have; -1: as many as you like.
        max_users: i64,
        /// How many aliases it may have; -1: as many as you like.
        max_aliases: i64,
        /// The largest quota of a user, in bytes; 0: any.
        max_quota_bytes: i64,
        /// Whether people may sign up themselves.
        signup_enabled: bool,
        /// Users who may manage it in the admin interface.
        managers: Vec<String>,
    }
}

settings! {
    /// What can be said of a mailbox.
    UserSettings {
        /// The name beside the address, 160 characters at most.
        displayed_name: String,
        /// A note, 255 characters at most.
        comment: String,
        /// How much mail there may be, in bytes; 0: any.
        quota_bytes: i64,
        /// Whether it may log in. Mail is delivered either way.
        enabled: bool,
        /// Whether it may do anything in the admin interface.
        global_admin: bool,
        /// Whether mail may be read by IMAP.
        enable_imap: bool,
        /// Whether mail may be read by POP3.
        enable_pop: bool,
        /// Whether it may send as anybody in its domain.
        allow_spoofing: bool,
        /// Whether it has to choose a password at its next log-in on the web.
        change_pw_next_login: bool,
        /// Whether mail is forwarded.
        forward_enabled: bool,
        /// Where to.
        forward_destination: Vec<String>,
        /// Whether forwarded mail is kept too.
        forward_keep: bool,
        /// Whether mail is answered automatically.
        reply_enabled: bool,
        /// With which subject.
        reply_subject: String,
        /// With which text.
        reply_body: String,
        /// From this day on, `YYYY-MM-DD`.
        reply_startdate: String,
        /// Until this day, `YYYY-MM-DD`.
        reply_enddate: String,
        /// Whether spam goes into its folder.
        spam_enabled: bool,
        /// Whether it is marked as read there.
        spam_mark_as_read: bool,
        /// How sure of that Rspamd has to be, in percent of what rejects.
        spam_threshold: i64,
    }
}

settings! {
    /// What can be said of an alias.
    AliasSettings {
        /// Where its mail goes.
        destination: Vec<String>,
        /// Whether `%` in its address stands for any characters.
        wildcard: bool,
        /// A note, 255 characters at most.
        comment: String,
    }
}

settings! {
    /// What can be said of a relayed domain.
    RelaySettings {
        /// The server that its mail goes to, `HOST` or `HOST:PORT`; empty: DNS says.
        smtp: String,
        /// A note, 255 characters at most.
        comment: String,
    }
}

/// An email domain of the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Domain {
    /// Its name.
    pub name: EmailDomain,
    /// What is said of it.
    #[serde(flatten)]
    pub settings: DomainSettings,
}

/// A mailbox. Its password is nowhere here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct User {
    /// Its address, which is its login.
    pub email: EmailAddress,
    /// What is said of it.
    #[serde(flatten)]
    pub settings: UserSettings,
    /// How much mail there is, in bytes; nothing where Mailu was not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quota_bytes_used: Option<u64>,
}

/// An alias.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Alias {
    /// Its address.
    pub email: EmailAddress,
    /// What is said of it.
    #[serde(flatten)]
    pub settings: AliasSettings,
}

/// A relayed domain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "RelayedDomain")
)]
#[non_exhaustive]
pub struct Relay {
    /// Its name.
    pub name: EmailDomain,
    /// What is said of it.
    #[serde(flatten)]
    pub settings: RelaySettings,
}

/// A password that Mailu has drawn for one program of a user's. What it is, is told once, when it is made: [`NewToken`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Token {
    /// Its number.
    pub id: u64,
    /// Whose it is.
    pub email: EmailAddress,
    /// What it is for.
    pub comment: String,
    /// Where it may be used from; empty: anywhere.
    pub authorized: Vec<IpNet>,
    /// The day on which it was made, `YYYY-MM-DD`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
}

/// A token that was just made.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewToken {
    /// What is known of it from now on.
    pub token: Token,
    /// The token itself, 32 hexadecimal digits. Nobody can say it again.
    pub secret: Secret,
}

impl NewToken {
    /// A token and what it is.
    pub fn new(token: Token, secret: Secret) -> Self {
        Self { token, secret }
    }
}

impl Token {
    /// A token as Mailu's API describes it: `{"id", "email", "comment", "AuthorizedIP", "Created", …}`, the number as number or text.
    pub fn from_api(value: &Value) -> Option<Self> {
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        let id = value.get("id")?;
        Some(Self {
            id: id.as_u64().or_else(|| id.as_str()?.parse().ok())?,
            email: text("email")?.parse().ok()?,
            comment: text("comment").unwrap_or_default().to_owned(),
            authorized: value
                .get("AuthorizedIP")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(|one| network(one.as_str()?))
                .collect(),
            created: text("Created").and_then(|day| Some(day.get(..10)?.to_owned())),
        })
    }
}

/// A network of addresses.
pub type Network = IpNet;

/// A network, or an address, which is one of itself.
pub fn network(text: &str) -> Option<IpNet> {
    text.parse()
        .ok()
        .or_else(|| Some(IpNet::from(text.parse::<std::net::IpAddr>().ok()?)))
}
