//! From TOML values to typed ones, collecting every error with its key instead of stopping at the first.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

use toml::{Table, Value};

use crate::finding::{Finding, nearest};

/// A value of `mailu.toml` that knows how to read itself.
pub(crate) trait FromValue: Sized {
    /// Reads `value`, found at key `at`. On failure the reasons are in `out` and nothing is returned.
    fn from_value(value: &Value, at: &str, out: &mut Vec<Finding>) -> Option<Self>;

    /// Adds the keys at and below `at` to the list of known keys.
    fn describe(at: &str, doc: &str, default: Option<String>, out: &mut Vec<KeyInfo>) {
        out.push(KeyInfo {
            path: at.to_owned(),
            doc: doc.to_owned(),
            default,
        });
    }
}

/// One key that `mailu.toml` may hold.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct KeyInfo {
    /// Dotted: `tls.mode`.
    pub path: String,
    /// What it does.
    pub doc: String,
    /// The default as TOML text; absent where the key is required or has none.
    pub default: Option<String>,
}

/// `a.b` for the key `b` in section `a`.
pub(crate) fn join(at: &str, key: &str) -> String {
    if at.is_empty() {
        key.to_owned()
    } else {
        format!("{at}.{key}")
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "text",
        Value::Integer(_) => "an integer",
        Value::Float(_) => "a number",
        Value::Boolean(_) => "true/false",
        Value::Datetime(_) => "a date",
        Value::Array(_) => "a list",
        Value::Table(_) => "a section",
    }
}

/// What stands in the file, on one line; `…` for lists and sections.
pub(crate) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(_) => "[…]".to_owned(),
        Value::Table(_) => "{…}".to_owned(),
        other => other.to_string(),
    }
}

pub(crate) fn wrong_type(value: &Value, at: &str, expected: &str, example: &str) -> Finding {
    Finding::error(
        "config.wrong_type",
        at,
        format!("must be {expected}, found {}", kind_of(value)),
    )
    .value(shown(value))
    .hint(format!("write it like `{example}`"))
}

/// An error about a value that has the right type and breaks a rule.
pub(crate) fn invalid(at: &str, value: impl std::fmt::Display, rule: impl Into<String>) -> Finding {
    Finding::error("config.invalid_value", at, rule).value(value)
}

fn last(at: &str) -> &str {
    at.rsplit('.').next().unwrap_or(at)
}

impl FromValue for bool {
    fn from_value(value: &Value, at: &str, out: &mut Vec<Finding>) -> Option<Self> {
        if let Value::Boolean(b) = value {
            return Some(*b);
        }
        out.push(wrong_type(
            value,
            at,
            "true or false without quotes",
            &format!("{} = true", last(at)),
        ));
        None
    }
}

macro_rules! integer {
    ($($ty:ty),*) => {$(
        impl FromValue for $ty {
            fn from_value(value: &Value, at: &str, out: &mut Vec<Finding>) -> Option<Self> {
                let Value::Integer(number) = value else {
                    out.push(wrong_type(value, at, "a whole number", &format!("{} = 25", last(at))));
                    return None;
                };
                let fitting = <$ty>::try_from(*number).ok();
                if fitting.is_none() {
                    out.push(
                        invalid(at, number, format!("must lie between 0 and {}", <$ty>::MAX))
                            .hint(format!("write a whole number in that range to `{at}`")),
                    );
                }
                fitting
            }
        }
    )*};
}
integer!(u8, u16, u32);

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: &Value, at: &str, out: &mut Vec<Finding>) -> Option<Self> {
        T::from_value(value, at, out).map(Some)
    }

    fn describe(at: &str, doc: &str, default: Option<String>, out: &mut Vec<KeyInfo>) {
        T::describe(at, doc, default, out);
    }
}

impl<T: FromValue> FromValue for Vec<T> {
    fn from_value(value: &Value, at: &str, out: &mut Vec<Finding>) -> Option<Self> {
        let Value::Array(items) = value else {
            out.push(wrong_type(
                value,
                at,
                "a list",
                &format!("{} = [\"…\", \"…\"]", last(at)),
            ));
            return None;
        };
        let read: Vec<Option<T>> = items
            .iter()
            .enumerate()
            .map(|(index, item)| T::from_value(item, &format!("{at}[{index}]"), out))
            .collect();
        read.into_iter().collect()
    }
}

/// Extra variables: any scalar, kept as the text that Mailu will see.
impl FromValue for BTreeMap<String, String> {
    fn from_value(value: &Value, at: &str, out: &mut Vec<Finding>) -> Option<Self> {
        let Value::Table(table) = value else {
            out.push(wrong_type(value, at, "a section", &format!("[{at}]")));
            return None;
        };
        let mut map = Self::new();
        for (name, value) in table {
            match value {
                Value::String(text) => {
                    map.insert(name.clone(), text.clone());
                }
                Value::Integer(_) | Value::Float(_) | Value::Boolean(_) => {
                    map.insert(name.clone(), value.to_string());
                }
                other => out.push(
                    Finding::error(
                        "config.wrong_type",
                        join(at, name),
                        format!("must be text, found {}", kind_of(other)),
                    )
                    .hint(format!("write it like `{name} = \"value\"`")),
                ),
            }
        }
        Some(map)
    }
}

/// Implements [`FromValue`] through `FromStr`, with an example for the message.
macro_rules! from_text {
    ($($ty:ty => $example:literal),* $(,)?) => {$(
        impl $crate::config::value::FromValue for $ty {
            fn from_value(
                value: &toml::Value,
                at: &str,
                out: &mut Vec<$crate::finding::Finding>,
            ) -> Option<Self> {
                $crate::config::value::parse_text(value, at, $example, out)
            }
        }
    )*};
}
pub(crate) use from_text;

pub(crate) fn parse_text<T>(
    value: &Value,
    at: &str,
    example: &str,
    out: &mut Vec<Finding>,
) -> Option<T>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    let key = last(at).split('[').next().unwrap_or(at);
    let Value::String(text) = value else {
        out.push(wrong_type(
            value,
            at,
            "text in quotes",
            &format!("{key} = \"{example}\""),
        ));
        return None;
    };
    match text.parse() {
        Ok(parsed) => Some(parsed),
        Err(rule) => {
            out.push(
                invalid(at, text, rule.to_string())
                    .hint(format!("write it like `{key} = \"{example}\"`")),
            );
            None
        }
    }
}

/// Declares an enum whose variants are the texts allowed for a key.
macro_rules! choice {
    ($(#[$meta:meta])* pub enum $name:ident { $($(#[$vmeta:meta])* $variant:ident = $text:literal),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[non_exhaustive]
        pub enum $name { $($(#[$vmeta])* #[serde(rename = $text)] $variant),* }

        impl $name {
            /// Every value that the key may take, in the order of the documentation.
            pub const TEXTS: &[&str] = &[$($text),*];

            /// The text in `mailu.toml`.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl $crate::config::value::FromValue for $name {
            fn from_value(value: &toml::Value, at: &str, out: &mut Vec<$crate::finding::Finding>) -> Option<Self> {
                match $crate::config::value::choose(value, at, Self::TEXTS, out)? {
                    $($text => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}
pub(crate) use choice;

pub(crate) fn choose(
    value: &Value,
    at: &str,
    texts: &'static [&'static str],
    out: &mut Vec<Finding>,
) -> Option<&'static str> {
    let list = texts
        .iter()
        .map(|t| format!("`{t}`"))
        .collect::<Vec<_>>()
        .join(", ");
    let Value::String(text) = value else {
        out.push(wrong_type(
            value,
            at,
            &format!("one of {list}"),
            &format!("{} = \"{}\"", last(at), texts.first().unwrap_or(&"")),
        ));
        return None;
    };
    let lower = text.to_ascii_lowercase();
    let found = texts.iter().copied().find(|t| *t == lower);
    if found.is_none() {
        let guess = nearest(text, texts.iter().copied()).unwrap_or(texts.first().unwrap_or(&""));
        out.push(
            invalid(at, text, format!("must be one of {list}"))
                .hint(format!("write `{} = \"{guess}\"`", last(at))),
        );
    }
    found
}

/// Declares a section: a struct with a default for each key.
macro_rules! section {
    ($(#[$meta:meta])* pub struct $name:ident {
        $( $(#[doc = $doc:literal])+ $field:ident : $ty:ty = $default:expr ),* $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(default, deny_unknown_fields))]
        #[non_exhaustive]
        pub struct $name {
            $( $(#[doc = $doc])+ pub $field: $ty ),*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $( $field: $default ),* }
            }
        }

        impl $crate::config::value::FromValue for $name {
            fn from_value(value: &toml::Value, at: &str, out: &mut Vec<$crate::finding::Finding>) -> Option<Self> {
                let mut reader = $crate::config::value::Reader::new(value, at, out)?;
                let section = Self {
                    $( $field: reader.get(stringify!($field)).unwrap_or_else(|| $default) ),*
                };
                reader.finish();
                Some(section)
            }

            fn describe(at: &str, _: &str, _: Option<String>, out: &mut Vec<$crate::config::value::KeyInfo>) {
                let defaults = Self::default();
                $(
                    <$ty as $crate::config::value::FromValue>::describe(
                        &$crate::config::value::join(at, stringify!($field)),
                        concat!($($doc, "\n"),+).trim(),
                        $crate::config::value::toml_text(&defaults.$field),
                        out,
                    );
                )*
            }
        }
    };
}
pub(crate) use section;

/// A value as it would stand in `mailu.toml`.
pub(crate) fn toml_text<T: serde::Serialize>(value: &T) -> Option<String> {
    Value::try_from(value).ok().map(|value| value.to_string())
}

/// Reads the keys of one section and complains about those that nobody asked for.
pub(crate) struct Reader<'a> {
    table: &'a Table,
    at: &'a str,
    known: Vec<&'static str>,
    out: &'a mut Vec<Finding>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(value: &'a Value, at: &'a str, out: &'a mut Vec<Finding>) -> Option<Self> {
        let Value::Table(table) = value else {
            out.push(wrong_type(value, at, "a section", &format!("[{at}]")));
            return None;
        };
        Some(Self {
            table,
            at,
            known: Vec::new(),
            out,
        })
    }

    /// The value of `key`; nothing if it is absent, or wrong (which is then recorded).
    pub(crate) fn get<T: FromValue>(&mut self, key: &'static str) -> Option<T> {
        self.known.push(key);
        let value = self.table.get(key)?;
        T::from_value(value, &join(self.at, key), self.out)
    }

    /// As [`Reader::get`], and its absence is an error too.
    pub(crate) fn require<T: FromValue>(
        &mut self,
        key: &'static str,
        why: &str,
        hint: &str,
    ) -> Option<T> {
        if !self.table.contains_key(key) {
            self.known.push(key);
            self.out
                .push(Finding::error("config.missing_key", join(self.at, key), why).hint(hint));
            return None;
        }
        self.get(key)
    }

    pub(crate) fn finish(self) {
        for (key, value) in self.table {
            if !self.known.contains(&key.as_str()) {
                let finding = unknown_key(self.at, key, value, &self.known);
                self.out.push(finding);
            }
        }
    }
}

/// Whether a key looks as if its value were a secret, slips of the keyboard included.
pub(crate) fn sounds_secret(key: &str) -> bool {
    const WORDS: [&str; 8] = [
        "password",
        "passwd",
        "passphrase",
        "secret",
        "token",
        "private",
        "credential",
        "pw",
    ];
    let lower = key.to_ascii_lowercase();
    lower
        .split(['_', '-', '.'])
        .any(|part| WORDS.contains(&part) || part.len() > 4 && nearest(part, WORDS).is_some())
        || WORDS[..7].iter().any(|word| lower.contains(word))
}

fn unknown_key(at: &str, key: &str, value: &Value, known: &[&str]) -> Finding {
    static EVERYWHERE: LazyLock<Vec<KeyInfo>> = LazyLock::new(super::known_keys);

    let path = join(at, key);
    if sounds_secret(key) {
        return Finding::error(
            "config.secret_in_file",
            path,
            "secrets are not kept in mailu.toml: they live in files of mode 0600 below the secrets directory",
        )
        .hint("remove the key; `mailu show` says where the secret files are")
        .hint("`mailu install --admin-password-file FILE --relay-password-file FILE` reads them from files");
    }
    if let Some((old, new)) = super::RENAMED
        .iter()
        .find(|(old, _)| *old == path || *old == key)
    {
        return Finding::error(
            "config.unknown_key",
            path,
            format!("there is no such key; what `{old}` means is set by `{new}`"),
        )
        .value(shown(value))
        .hint(format!("use `{new}`"));
    }
    let everywhere = &*EVERYWHERE;
    let mut message = String::from("there is no such key");
    let hint = nearest(key, known.iter().copied()).map_or_else(
        || {
            everywhere
                .iter()
                .find(|info| last(&info.path) == key)
                .or_else(|| {
                    let found = nearest(key, everywhere.iter().map(|info| last(&info.path)))?;
                    everywhere.iter().find(|info| last(&info.path) == found)
                })
                .map(|info| info.path.clone())
        },
        |near| Some(join(at, near)),
    );
    if let Some(near) = &hint {
        let _ = write!(message, "; the nearest is `{near}`");
    }
    let finding = Finding::error("config.unknown_key", path, message).value(shown(value));
    match hint {
        Some(near) => finding.hint(format!("use `{near}`, or remove the key")),
        None => finding.hint("remove it; `mailu config schema` lists every key"),
    }
}

/// A default that is known to be valid; the unit test over all defaults proves it.
#[expect(clippy::expect_used, reason = "the literals are ours and tested")]
pub(crate) fn parsed<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("a valid default")
}
