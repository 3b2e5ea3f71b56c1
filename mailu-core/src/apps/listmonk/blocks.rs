//! Our elements of `smtp` and `bounce.mailboxes`.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{Options, Version};
use crate::apps::{Profile, Tls};
use crate::names::EmailAddress;

pub(super) const PASSWORD: &str = "password";
pub(super) const HEADERS: &str = "email_headers";
/// The header that Listmonk takes out of messages, and uses as envelope sender.
pub(super) const RETURN_PATH: &str = "Return-Path";

/// An element of a list.
pub(super) struct Block {
    pub(super) uuid: String,
    /// Set where the element has nothing.
    pub(super) defaults: Map<String, Value>,
    /// Set whatever is there. Without the password.
    pub(super) fields: Map<String, Value>,
}

impl Block {
    /// The element as it is to be, over what there is of it. Fields that are not known here stay.
    pub(super) fn over(&self, there: Option<&Value>, secret: &str) -> Value {
        let mut all = self.defaults.clone();
        all.extend(
            there
                .and_then(Value::as_object)
                .into_iter()
                .flatten()
                .map(|(key, value)| (key.clone(), value.clone())),
        );
        let headers = all.get(HEADERS).and_then(Value::as_array).cloned();
        all.extend(self.fields.clone());
        if let Some(Value::Array(own)) = all.get_mut(HEADERS) {
            let others = headers.into_iter().flatten().filter(|header| {
                let mut names = header.as_object().into_iter().flat_map(Map::keys);
                !names.any(|name| name.eq_ignore_ascii_case(RETURN_PATH))
            });
            own.extend(others);
        }
        all.insert(PASSWORD.to_owned(), secret.into());
        Value::Object(all)
    }
}

/// The envelope sender, where what cannot be delivered comes back to.
pub(super) fn envelope(profile: &Profile) -> &EmailAddress {
    match (&profile.envelope_from, &profile.bounces) {
        (Some(envelope), _) => envelope,
        (None, Some(bounces)) => &bounces.login,
        (None, None) => profile.envelope(),
    }
}

fn uuid(kind: &str, options: &Options, login: &EmailAddress) -> String {
    // Neither name has a line end: the three parts cannot run into each other.
    let name = format!("mailu\n{kind}\n{}\n{login}", options.instance);
    Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes()).to_string()
}

/// The server, as `version` knows it.
pub(super) fn smtp(profile: &Profile, options: &Options, version: Version) -> Block {
    let uuid = uuid("smtp", options, &profile.login);
    let mut fields = object(json!({
        "uuid": uuid,
        "enabled": true,
        "host": profile.host.to_string(),
        "port": profile.port,
        // Go's own, which keeps the password to itself where there is no TLS.
        "auth_protocol": "plain",
        "username": profile.login.to_string(),
        "tls_type": match profile.tls {
            Tls::Implicit => "TLS",
            Tls::Starttls => "STARTTLS",
        },
        "tls_skip_verify": false,
        HEADERS: [{ RETURN_PATH: envelope(profile).to_string() }],
    }));
    let mut defaults = object(json!({
        "hello_hostname": "",
        "max_conns": 5,
        "max_msg_retries": 2,
        "idle_timeout": "15s",
        "wait_timeout": "5s",
    }));
    if let Some(helo) = &profile.helo {
        fields.insert("hello_hostname".to_owned(), helo.as_str().into());
    }
    if version >= Version::NAMES {
        defaults.insert("name".to_owned(), "email-mailu".into());
    }
    if version >= Version::ROUTES {
        defaults.insert("msg_retry_delay".to_owned(), "10s".into());
        // What is from this domain goes through no other server, be others enabled or not.
        let domain = profile.from.domain().as_str();
        fields.insert("from_addresses".to_owned(), json!([domain]));
    }
    Block {
        uuid,
        defaults,
        fields,
    }
}

/// The mailbox for what came back.
pub(super) fn mailbox(profile: &Profile, options: &Options) -> Option<Block> {
    let bounces = profile.bounces.as_ref()?;
    let uuid = uuid("bounces", options, &bounces.login);
    let fields = object(json!({
        "uuid": uuid,
        "enabled": true,
        "type": "pop",
        "host": profile.host.to_string(),
        "port": bounces.port,
        "auth_protocol": "userpass",
        "return_path": envelope(profile).to_string(),
        "username": bounces.login.to_string(),
        "tls_enabled": true,
        "tls_skip_verify": false,
    }));
    Some(Block {
        uuid,
        defaults: object(json!({ "scan_interval": "15m" })),
        fields,
    })
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// An address with a name, as it stands in a header (RFC 5322 §3.4): `"Doe, Jane" <jane@example.com>`.
pub(super) fn mailbox_text(name: Option<&str>, address: &EmailAddress) -> String {
    match name.map(str::trim).filter(|name| !name.is_empty()) {
        None => address.to_string(),
        Some(name) => {
            let quoted = name.replace('\\', "\\\\").replace('"', "\\\"");
            format!("\"{quoted}\" <{address}>")
        }
    }
}
