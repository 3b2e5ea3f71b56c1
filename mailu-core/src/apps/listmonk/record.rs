//! What has to be remembered of a Listmonk that was connected.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::blocks;
use crate::apps::Digest;

/// A setting before and after.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Kept {
    /// What was there before the first time.
    pub before: Value,
    /// What was put there last.
    pub after: Value,
}

/// An element of a list that was changed or taken out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Former {
    /// Its place in the list.
    pub index: usize,
    /// The element, without a password.
    pub element: Value,
}

/// What was done to a Listmonk, without any secret: enough to see whether anything has changed since, and to take it back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Record {
    /// Which Listmonk.
    pub instance: String,
    /// Our elements of `smtp` and `bounce.mailboxes`, the present ones last.
    pub uuids: Vec<String>,
    /// The secret of the server.
    pub secret: Digest,
    /// The secret of the mailbox.
    pub bounces: Option<Digest>,
    /// The settings beside the lists.
    pub kept: BTreeMap<String, Kept>,
    /// The samples that were taken out of `smtp`. Their password is `password`.
    pub samples: Vec<Former>,
    /// Others' servers that were switched off.
    pub servers: Vec<Value>,
    /// Others' mailboxes that were switched off.
    pub mailboxes: Vec<Value>,
}

impl Record {
    /// Whether an element is one of ours.
    pub(super) fn is_ours(&self, element: &Value) -> bool {
        self.uuids.iter().any(|uuid| element["uuid"] == **uuid)
    }
}

/// What tells an element from others: its uuid, or where it has none, server and login. Listmonk gives uuids to those without when settings are saved.
pub(super) fn same(former: &Value, now: &Value) -> bool {
    match former["uuid"].as_str() {
        Some(uuid) if !uuid.is_empty() => now["uuid"] == uuid,
        _ => ["host", "port", "username"]
            .iter()
            .all(|key| former[key] == now[key]),
    }
}

/// What is remembered of an element: what tells it from others.
pub(super) fn essence(element: &Value) -> Value {
    ["uuid", "host", "port", "username"]
        .iter()
        .filter_map(|key| Some(((*key).to_owned(), element.get(key)?.clone())))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// An element without its password.
pub(super) fn without_password(element: &Value) -> Value {
    let mut element = element.clone();
    if let Some(fields) = element.as_object_mut() {
        fields.remove(blocks::PASSWORD);
    }
    element
}
