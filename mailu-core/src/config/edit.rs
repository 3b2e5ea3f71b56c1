//! Changing single keys of `mailu.toml` while comments and layout stay.

use toml_edit::{Array, DocumentMut, Item, Table, Value};

use std::collections::BTreeMap;

use super::{Config, join};
use crate::error::Invalid;
use crate::finding::Finding;

/// `mailu.toml` as text that can be edited.
#[derive(Debug, Clone, Default)]
pub struct Document(DocumentMut);

/// What a new `mailu.toml` starts with.
pub(crate) const HEAD: &str = "# One Mailu deployment. After a change: `mailu apply`. Every key and its default: `mailu config schema`.\n\n";

impl Document {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// [`Invalid`] if it is not TOML.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        match text.parse() {
            Ok(document) => Ok(Self(document)),
            // The other parser words the same mistake for people.
            Err(_) => match Config::from_toml(text) {
                Err(invalid) => Err(invalid),
                Ok(_) => Err(Invalid::new(vec![Finding::error(
                    "config.syntax",
                    "mailu.toml",
                    "is not valid TOML",
                )])),
            },
        }
    }

    /// A file with nothing but a comment at its head.
    pub fn new() -> Self {
        let mut document = DocumentMut::new();
        document.decor_mut().set_prefix(HEAD);
        Self(document)
    }

    /// The item at a dotted key, as TOML text.
    pub fn get(&self, key: &str) -> Option<String> {
        let mut item: &Item = self.0.as_item();
        for part in key.split('.') {
            item = item.get(part)?;
        }
        match item {
            Item::Value(value) => Some(value.clone().decorated("", "").to_string()),
            Item::None => None,
            other => Some(other.to_string().trim().to_owned()),
        }
    }

    /// Every dotted key that has a value, with that value as TOML text in one spelling.
    pub(crate) fn leaves(&self) -> BTreeMap<String, String> {
        fn collect(at: &str, table: &toml::Table, leaves: &mut BTreeMap<String, String>) {
            for (key, value) in table {
                let path = join(at, key);
                match value {
                    toml::Value::Table(inner) => collect(&path, inner, leaves),
                    value => {
                        leaves.insert(path, value.to_string());
                    }
                }
            }
        }
        let mut leaves = BTreeMap::new();
        if let Ok(table) = self.0.to_string().parse::<toml::Table>() {
            collect("", &table, &mut leaves);
        }
        leaves
    }

    /// Sets a dotted key to a text value.
    pub fn set_text(&mut self, key: &str, value: &str) {
        self.set(key, Value::from(value));
    }

    /// Sets a dotted key to what somebody typed: a TOML value where that fits the key, else text, else a list separated by
    /// commas. What fits nothing is kept as typed, for [`Config::from_toml`] to complain about.
    pub fn set_typed(&mut self, key: &str, typed: &str) {
        let list: Array = typed
            .split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty())
            .map(|item| {
                item.parse::<i64>()
                    .map_or_else(|_| Value::from(item), Value::from)
            })
            .collect();
        let candidates = typed
            .parse::<Value>()
            .ok()
            .into_iter()
            .chain([Value::from(typed), Value::Array(list)]);
        let mut first = None;
        for candidate in candidates {
            let mut attempt = self.clone();
            attempt.set(key, candidate);
            let fits = match Config::from_toml(&attempt.to_string()) {
                Ok(_) => true,
                Err(invalid) => !invalid.findings().iter().any(|finding| {
                    finding.id == "config.wrong_type"
                        && finding
                            .subject
                            .strip_prefix(key)
                            .is_some_and(|rest| rest.is_empty() || rest.starts_with('['))
                }),
            };
            if fits {
                *self = attempt;
                return;
            }
            first.get_or_insert(attempt);
        }
        if let Some(attempt) = first {
            *self = attempt;
        }
    }

    /// Takes the value of a dotted key from another document, also that it has none.
    pub(crate) fn copy(&mut self, key: &str, from: &Self) {
        let mut item = Some(from.0.as_item());
        for part in key.split('.') {
            item = item.and_then(|item| item.get(part));
        }
        match item.and_then(Item::as_value) {
            Some(value) => {
                let mut value = value.clone();
                value.decor_mut().clear();
                self.set(key, value);
            }
            None => {
                self.unset(key);
            }
        }
    }

    fn set(&mut self, key: &str, value: Value) {
        let mut parts: Vec<&str> = key.split('.').collect();
        let Some(last) = parts.pop() else { return };
        let mut table: &mut dyn toml_edit::TableLike = self.0.as_table_mut();
        for part in parts {
            let entry = table
                .entry(part)
                .or_insert_with(|| Item::Table(Table::new()));
            if entry.as_table_like().is_none() {
                *entry = Item::Table(Table::new());
            }
            match entry.as_table_like_mut() {
                Some(inner) => table = inner,
                None => return,
            }
        }
        match table.get_mut(last).and_then(Item::as_value_mut) {
            Some(old) => {
                let decor = old.decor().clone();
                *old = value;
                *old.decor_mut() = decor;
            }
            None => {
                table.insert(last, Item::Value(value));
            }
        }
    }

    /// Removes a dotted key, and says whether it was there.
    pub fn unset(&mut self, key: &str) -> bool {
        let mut parts: Vec<&str> = key.split('.').collect();
        let Some(last) = parts.pop() else {
            return false;
        };
        let mut table: &mut dyn toml_edit::TableLike = self.0.as_table_mut();
        for part in parts {
            match table.get_mut(part).and_then(Item::as_table_like_mut) {
                Some(inner) => table = inner,
                None => return false,
            }
        }
        table.remove(last).is_some()
    }
}

impl std::fmt::Display for Document {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_keep_comments_and_layout() {
        let text = "# mine\nmail_host = \"mail.example.com\" # ours\n\n[limits]\nquota = \"1GB\"\n";
        let mut document = Document::parse(text).expect("valid");
        document.set_typed("limits.quota", "2GB");
        document.set_typed("tls.mode", "cert");
        document.set_text("mail_host", "mx.example.com");
        assert_eq!(
            document.to_string(),
            "# mine\nmail_host = \"mx.example.com\" # ours\n\n[limits]\nquota = \"2GB\"\n\n[tls]\nmode = \"cert\"\n"
        );
        assert_eq!(document.get("tls.mode").as_deref(), Some("\"cert\""));
        assert!(document.unset("limits.quota") && !document.unset("limits.quota"));
    }

    #[test]
    fn leaves_are_keys_with_values_in_one_spelling() {
        let leaves = |text: &str| Document::parse(text).expect("valid").leaves();
        assert_eq!(
            leaves("a = 'x'\n[b]\nc = [ 1,2 ] # two\n[b.d]\n"),
            leaves("a = \"x\"\nb = { c = [1, 2] }\n")
        );
    }

    #[test]
    fn a_new_file_starts_with_its_comment() {
        let mut document = Document::new();
        document.set_text("mail_host", "mail.example.com");
        assert_eq!(
            document.to_string(),
            format!("{HEAD}mail_host = \"mail.example.com\"\n")
        );
    }

    #[test]
    fn typed_values_take_the_type_of_their_key() {
        let mut document = Document::new();
        for (key, typed, toml) in [
            ("ports.mail", "25,465", "[25, 465]"),
            ("ports.mail", "[25, 993]", "[25, 993]"),
            (
                "hostnames",
                "a.example.com, b.example.com",
                "[\"a.example.com\", \"b.example.com\"]",
            ),
            ("services.antivirus", "false", "false"),
            ("project", "123", "\"123\""),
            ("web.site_name", "true", "\"true\""),
            ("mail.spam_threshold", "70", "70"),
            ("limits.quota", "25GB", "\"25GB\""),
            ("mail_host", "mail.example.com", "\"mail.example.com\""),
        ] {
            document.set_typed(key, typed);
            assert_eq!(document.get(key).as_deref(), Some(toml), "{key}={typed}");
        }
    }
}
