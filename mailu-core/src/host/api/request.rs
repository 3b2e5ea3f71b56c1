//! What is asked for, read from plain data.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use ipnet::IpNet;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::accounts::network;
use crate::error::Error;
use crate::host::perform::Progress;
use crate::host::root::Mailu;

/// Has a JSON Schema where schemas are wanted.
#[cfg(feature = "schema")]
pub(super) trait Schema: schemars::JsonSchema {}
#[cfg(feature = "schema")]
impl<T: schemars::JsonSchema> Schema for T {}
/// Has a JSON Schema where schemas are wanted.
#[cfg(not(feature = "schema"))]
pub(super) trait Schema {}
#[cfg(not(feature = "schema"))]
impl<T> Schema for T {}

/// What an operation gives.
pub(super) trait Answer: Serialize + Schema {}
impl<T: Serialize + Schema> Answer for T {}

/// An operation's options.
pub(super) trait Request: DeserializeOwned + Schema {
    /// What it gives.
    type Answer: Answer;

    fn perform(self, mailu: &Mailu, progress: &mut dyn Progress) -> Result<Self::Answer, Error>;
}

/// A request: what it needs in parentheses, what it may have in braces. One `of one` deployment names that as the program's `--domain` and `--client-id` do.
macro_rules! request {
    ($(#[$meta:meta])* $name:ident of one
        ($($(#[$nmeta:meta])* $need:ident: $nty:ty),* $(,)?)
        {$($(#[$ometa:meta])* $opt:ident: $oty:ty),* $(,)?}) => {
        $crate::host::api::request::request! {
            $(#[$meta])* $name
            ($($(#[$nmeta])* $need: $nty),*)
            {
                $($(#[$ometa])* $opt: $oty,)*
                /// Mail host of the deployment. Not needed where there is only one.
                mail_host: Option<$crate::host::api::request::Parsed<$crate::names::MailHost>>,
                /// Client of the deployment.
                client: Option<$crate::host::api::request::Parsed<$crate::names::ClientId>>,
            }
        }

        impl $name {
            fn target(&self) -> $crate::host::Target {
                $crate::host::Target::new(
                    self.mail_host.as_ref().map(|one| one.0.clone()),
                    self.client.as_ref().map(|one| one.0.clone()),
                )
            }
        }
    };
    ($(#[$meta:meta])* $name:ident
        ($($(#[$nmeta:meta])* $need:ident: $nty:ty),* $(,)?)
        {$($(#[$ometa:meta])* $opt:ident: $oty:ty),* $(,)?}) => {
        $(#[$meta])*
        #[derive(Debug, serde::Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(deny_unknown_fields)]
        pub(super) struct $name {
            $($(#[$nmeta])* $need: $nty,)*
            $($(#[$ometa])* #[serde(default)] $opt: $oty,)*
        }
    };
}
pub(super) use request;

/// A text that stands for something.
#[derive(Debug, Clone)]
pub(super) struct Parsed<T>(pub(super) T);

impl<'de, T: FromStr<Err: Display>> Deserialize<'de> for Parsed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(D::Error::custom)
    }
}

/// What was given, if it was.
pub(super) fn of<T>(parsed: Option<Parsed<T>>) -> Option<T> {
    parsed.map(|one| one.0)
}

/// A DNS server, `ADDRESS` or `ADDRESS:PORT`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Server(pub(super) SocketAddr);

impl FromStr for Server {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse::<SocketAddr>()
            .or_else(|_| text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 53)))
            .map(Self)
            .map_err(|_| "must be ADDRESS or ADDRESS:PORT, such as 9.9.9.9")
    }
}

/// The addresses of servers.
pub(super) fn addresses(servers: &[Parsed<Server>]) -> Vec<SocketAddr> {
    servers.iter().map(|server| server.0.0).collect()
}

/// An address or a network.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source(pub(super) IpNet);

impl FromStr for Source {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        network(text)
            .map(Self)
            .ok_or("must be an address or a network, such as 192.0.2.0/24")
    }
}

/// A value as it would be typed.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(
    untagged,
    expecting = "must be a text, a whole number, or true or false"
)]
pub(super) enum Scalar {
    Text(String),
    Whole(i64),
    Flag(bool),
}

/// A value as it would be typed, or a list of such.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(
    untagged,
    expecting = "must be a text, a whole number, true or false, or a list of such"
)]
pub(super) enum Plain {
    One(Scalar),
    Many(Vec<Scalar>),
}

/// Values by name.
pub(super) type Plains = BTreeMap<String, Plain>;

impl Display for Scalar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Whole(number) => number.fmt(f),
            Self::Flag(flag) => flag.fmt(f),
        }
    }
}

impl Plain {
    /// As TOML, where a text may be anything that was typed.
    fn toml(&self) -> String {
        match self {
            Self::One(one) => one.to_string(),
            // JSON's lists of one line are TOML's.
            Self::Many(items) => serde_json::json!(items).to_string(),
        }
    }

    /// As what follows `KEY=` when it is said of an account.
    pub(super) fn typed(&self) -> String {
        match self {
            Self::One(one) => one.to_string(),
            Self::Many(items) => items
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(","),
        }
    }
}

/// As keys of `mailu.toml`.
pub(super) fn settings(plains: &Plains) -> Vec<(String, String)> {
    plains
        .iter()
        .map(|(key, value)| (key.clone(), value.toml()))
        .collect()
}

/// A `mailu.toml`: its text, or its keys.
#[derive(Debug, Clone)]
pub(super) struct Document(pub(super) Value);

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(Self)
    }
}

impl Document {
    /// Its text.
    pub(super) fn text(&self) -> Result<String, Error> {
        crate::api::document(&self.0)
    }
}

#[cfg(feature = "schema")]
mod schemas {
    use std::borrow::Cow;

    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

    use super::{Document, Parsed};

    impl<T> JsonSchema for Parsed<T> {
        fn inline_schema() -> bool {
            true
        }
        fn schema_name() -> Cow<'static, str> {
            "Text".into()
        }
        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            json_schema!({ "type": "string" })
        }
    }

    impl JsonSchema for Document {
        fn inline_schema() -> bool {
            true
        }
        fn schema_name() -> Cow<'static, str> {
            "Config".into()
        }
        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            // `x-config` tells languages that have a type of their own for it.
            json_schema!({ "anyOf": [{ "type": "string" }, { "type": "object", "additionalProperties": true }], "x-config": true })
        }
    }
}
