//! Settings as data whose order is kept: `serde_json`'s own maps sort their keys.

use std::fmt::Write as _;

use serde::ser::{Serialize, SerializeMap as _, Serializer};

use super::quote;

/// A value of a document.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    Whole(u16),
    Flag(bool),
    Null,
    List(Vec<Self>),
    Map(Map),
}

impl Value {
    /// As PHP and Ruby have it, whose words for numbers and flags are those of JSON.
    pub(super) fn in_single_quotes(&self) -> String {
        match self {
            Self::Text(text) => quote::single(text),
            other => serde_json::to_string(other).unwrap_or_default(),
        }
    }
}

/// Keys and values in the order in which they are written.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Map(pub(super) Vec<(String, Value)>);

impl Map {
    /// Adds a key.
    pub(super) fn put(&mut self, key: &str, value: impl Into<Value>) {
        self.0.push((key.to_owned(), value.into()));
    }

    /// Adds a key, if there is a value for it.
    pub(super) fn put_some(&mut self, key: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.put(key, value);
        }
    }

    /// The document as JSON, with a final newline.
    pub(super) fn json(&self) -> String {
        // Texts, numbers and maps with text for keys cannot fail.
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// The document as YAML: blocks, and every text in quotes.
    pub(super) fn yaml(&self) -> String {
        let mut out = String::new();
        self.write_yaml(&mut out, 0);
        out
    }

    fn write_yaml(&self, out: &mut String, depth: usize) {
        for (key, value) in &self.0 {
            let _ = write!(out, "{:indent$}{key}:", "", indent = depth * 2);
            match value {
                Value::Map(map) => {
                    out.push('\n');
                    map.write_yaml(out, depth + 1);
                }
                Value::Text(text) => {
                    let _ = writeln!(out, " {}", quote::yaml(text));
                }
                // JSON, which is YAML in one line.
                other => {
                    let _ = writeln!(out, " {}", serde_json::to_string(other).unwrap_or_default());
                }
            }
        }
    }
}

impl<const N: usize> From<[(&str, Value); N]> for Map {
    fn from(pairs: [(&str, Value); N]) -> Self {
        Self(pairs.map(|(key, value)| (key.to_owned(), value)).into())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u16> for Value {
    fn from(number: u16) -> Self {
        Self::Whole(number)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<Map> for Value {
    fn from(map: Map) -> Self {
        Self::Map(map)
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Whole(number) => serializer.serialize_u16(*number),
            Self::Flag(flag) => serializer.serialize_bool(*flag),
            Self::Null => serializer.serialize_unit(),
            Self::List(items) => serializer.collect_seq(items),
            Self::Map(map) => map.serialize(serializer),
        }
    }
}

impl Serialize for Map {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}
