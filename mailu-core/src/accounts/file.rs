//! `accounts.toml`: the accounts that are to be there.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::export::Accounts;
use super::fields::{Field, Form, Kind, Settings, fields};
use super::password::PasswordHash;
use crate::error::{Error, ErrorKind};
use crate::finding::{Finding, nearest};
use crate::secret::Secret;

/// The key of a password's hash.
pub(super) const HASH: &str = "password_hash";

/// What a user is to have as its password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Password {
    Plain(Secret),
    Hash(PasswordHash),
}

/// An account that is to be there. What is not said of it stays as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) kind: Kind,
    pub(super) name: String,
    pub(super) settings: Settings,
    pub(super) password: Option<Password>,
    /// Where it stands.
    pub(super) place: String,
}

/// The accounts that are to be there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    pub(super) items: Vec<Item>,
    /// The kinds of which all that are wanted are named: only there can others be too many.
    pub(super) sections: BTreeSet<Kind>,
}

/// Something that is wrong with what was given.
pub(super) fn refused(what: &str, findings: Vec<Finding>) -> Error {
    let count = findings.len();
    Error::new(
        ErrorKind::InvalidInput,
        "accounts.invalid",
        format!(
            "read {what}: it has {count} error{}; nothing was changed",
            if count == 1 { "" } else { "s" }
        ),
    )
    .findings(findings)
}

impl Wanted {
    /// One account, by a caller.
    pub fn one(kind: Kind, name: &str, settings: Settings) -> Self {
        Self {
            items: vec![Item {
                kind,
                name: name.to_owned(),
                settings,
                password: None,
                place: format!("{kind} {name}"),
            }],
            sections: BTreeSet::new(),
        }
    }

    /// Reads an `accounts.toml`: sections `[[domain]]`, `[[user]]`, `[[alias]]` and `[[relay]]`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`], `accounts.invalid`, with everything that is wrong and the line it stands in.
    pub fn from_toml(text: &str) -> Result<Self, Error> {
        let mut reader = Reader {
            lines: text.match_indices('\n').map(|(at, _)| at).collect(),
            out: Self::default(),
            findings: Vec::new(),
            seen: BTreeMap::new(),
        };
        let (document, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            // Its own text would show the line, in which a hash may stand.
            let line = error.span().map_or(0, |span| reader.line(span.start));
            reader.findings.push(Finding::error(
                "accounts.syntax",
                format!("line {line}"),
                error.message().lines().next().unwrap_or("is no TOML"),
            ));
        }
        if errors.is_empty() {
            reader.document(document.get_ref());
        }
        if reader.findings.is_empty() {
            Ok(reader.out)
        } else {
            Err(refused("accounts.toml", reader.findings))
        }
    }

    /// How many accounts are named.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether none is named.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Users who are to be made and have no password yet.
    pub fn without_password(&self, there: &Accounts) -> Vec<String> {
        self.items
            .iter()
            .filter(|item| {
                item.kind == Kind::User
                    && item.password.is_none()
                    && !there.has(Kind::User, &item.name)
            })
            .map(|item| item.name.clone())
            .collect()
    }

    /// The password that a user is to have, where it is named as such and not as a hash.
    pub fn password(&self, user: &str) -> Option<&Secret> {
        self.items.iter().find_map(|item| match &item.password {
            Some(Password::Plain(secret)) if item.kind == Kind::User && item.name == user => {
                Some(secret)
            }
            _ => None,
        })
    }

    /// All passwords that are named as such, with their users.
    pub fn passwords(&self) -> impl Iterator<Item = (&str, &Secret)> {
        self.items.iter().filter_map(|item| match &item.password {
            Some(Password::Plain(secret)) => Some((item.name.as_str(), secret)),
            _ => None,
        })
    }

    /// Gives a user a password.
    pub fn set_password(&mut self, user: &str, password: Secret) {
        let found = self
            .items
            .iter_mut()
            .find(|item| item.kind == Kind::User && item.name == user);
        if let Some(item) = found {
            item.password = Some(Password::Plain(password));
        }
    }

    pub(super) fn push(
        &mut self,
        seen: &mut BTreeMap<(Kind, String), String>,
        item: Item,
    ) -> Option<Finding> {
        let first = seen.insert((item.kind, item.name.clone()), item.place.clone());
        let doubled = first.map(|first| {
            Finding::error(
                "accounts.doubled",
                item.place.clone(),
                format!(
                    "{} {} stands here a second time, after {first}",
                    item.kind, item.name
                ),
            )
        });
        self.items.push(item);
        doubled
    }
}

struct Reader {
    /// Where lines end.
    lines: Vec<usize>,
    out: Wanted,
    findings: Vec<Finding>,
    seen: BTreeMap<(Kind, String), String>,
}

impl Reader {
    fn line(&self, at: usize) -> usize {
        1 + self.lines.partition_point(|end| *end < at)
    }

    fn wrong(&mut self, at: usize, key: &str, rule: impl Into<String>, hint: &str) {
        let place = format!("line {}: {key}", self.line(at));
        let finding = Finding::error("accounts.invalid", place, rule);
        self.findings.push(if hint.is_empty() {
            finding
        } else {
            finding.hint(hint)
        });
    }

    fn document(&mut self, document: &DeTable<'_>) {
        // In the order in which they stand.
        let mut sections: Vec<_> = document.iter().collect();
        sections.sort_by_key(|(key, _)| key.span().start);
        for (key, value) in sections {
            let at = key.span().start;
            let name = key.get_ref().as_ref();
            let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.as_str() == name) else {
                let near = nearest(name, Kind::ALL.iter().map(|kind| kind.as_str()));
                let hint = near.map_or_else(
                    || "there are `[[domain]]`, `[[user]]`, `[[alias]]` and `[[relay]]`".to_owned(),
                    |near| format!("did you mean `[[{near}]]`?"),
                );
                self.wrong(at, name, "there is no such section", &hint);
                continue;
            };
            self.out.sections.insert(kind);
            let DeValue::Array(items) = value.get_ref() else {
                let hint = format!("write `[[{kind}]]` for each");
                self.wrong(at, name, "must be a list of sections", &hint);
                continue;
            };
            for (index, item) in items.iter().enumerate() {
                let path = format!("{kind}[{index}]");
                let at = item.span().start;
                match item.get_ref() {
                    DeValue::Table(table) => self.item(kind, &path, at, table),
                    _ => self.wrong(at, &path, "must be a section", ""),
                }
            }
        }
    }

    fn item(&mut self, kind: Kind, path: &str, at: usize, table: &DeTable<'_>) {
        let mut name = None;
        let mut settings = Settings::new();
        let mut password = None;
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        for (key, value) in entries {
            let start = key.span().start;
            let word = key.get_ref().as_ref();
            let place = format!("{path}.{word}");
            let field = fields(kind).iter().find(|field| field.typed == word);
            if word == kind.key() {
                match text(value).map(|text| kind.name(text)) {
                    Some(Ok(read)) => name = Some(read),
                    Some(Err(rule)) => self.wrong(start, &place, rule, ""),
                    None => self.wrong(start, &place, "must be text", ""),
                }
            } else if kind == Kind::User && word == HASH {
                match text(value).map(PasswordHash::parse) {
                    Some(Ok(hash)) => password = Some(Password::Hash(hash)),
                    Some(Err(rule)) => self.wrong(start, &place, rule, ""),
                    None => self.wrong(start, &place, "must be text", ""),
                }
            } else if kind == Kind::User && word.starts_with("password") {
                self.wrong(
                    start,
                    &place,
                    "a password does not stand in this file",
                    "write its hash to `password_hash`, or leave it out and let one be drawn: `--passwords-out FILE`",
                );
            } else if let Some(field) = field {
                match read(field, value) {
                    Ok(value) => {
                        settings.insert(field.name.to_owned(), value);
                    }
                    Err(rule) => {
                        let hint = format!("write it like `{word} = {}`", field.example());
                        self.wrong(start, &place, rule, &hint);
                    }
                }
            } else {
                self.unknown(kind, start, &place, word);
            }
        }
        match name {
            Some(name) => {
                let place = format!("line {}: {kind} {name}", self.line(at));
                let item = Item {
                    kind,
                    name,
                    settings,
                    password,
                    place,
                };
                let doubled = self.out.push(&mut self.seen, item);
                self.findings.extend(doubled);
            }
            None if table.iter().any(|(key, _)| key.get_ref() == kind.key()) => {}
            None => {
                let rule = format!("needs `{}`", kind.key());
                self.wrong(at, path, rule, "");
            }
        }
    }

    fn unknown(&mut self, kind: Kind, at: usize, place: &str, word: &str) {
        let known = fields(kind).iter().map(|field| field.typed);
        // Who knows Mailu's names may use those.
        let near = fields(kind)
            .iter()
            .find(|field| field.name == word)
            .map(|field| field.typed)
            .or_else(|| nearest(word, known.chain([kind.key()])));
        let hint = near.map(|near| format!("did you mean `{near}`?"));
        self.wrong(
            at,
            place,
            "there is no such key",
            hint.as_deref()
                .unwrap_or("`mailu accounts schema` lists every key"),
        );
    }
}

fn text<'v>(value: &'v Spanned<DeValue<'_>>) -> Option<&'v str> {
    value.get_ref().as_str()
}

/// The value of a field, of the type that it has to have.
fn read(field: &Field, value: &Spanned<DeValue<'_>>) -> Result<Value, String> {
    let plain = match value.get_ref() {
        DeValue::String(text) if field.form == Form::Size => return field.read(text),
        DeValue::String(text) => Value::from(text.as_ref()),
        DeValue::Integer(number) => {
            let read = i64::from_str_radix(number.as_str(), number.radix());
            Value::from(read.map_err(|_| "must be a whole number".to_owned())?)
        }
        DeValue::Boolean(flag) => Value::from(*flag),
        // Dates of TOML's own are as good.
        DeValue::Datetime(date) if field.form == Form::Date => Value::from(date.to_string()),
        DeValue::Array(items) => items
            .iter()
            .map(|item| text(item).map(Value::from).ok_or("must be a list of texts"))
            .collect::<Result<_, _>>()?,
        _ => return Err("is of another type".to_owned()),
    };
    field.check(&plain)
}

impl Accounts {
    /// The accounts as an `accounts.toml`, whose plan against them is empty. What is as Mailu makes it is left out, but quotas.
    ///
    /// With `hashes`, the hashes of passwords are in it: then it is as good as a secret.
    pub fn to_toml(&self, hashes: bool) -> String {
        let mut out = String::from(
            "# The accounts of a mail server. `mailu accounts plan` compares them with what is there.\n",
        );
        for kind in Kind::ALL {
            for (name, settings) in self.of(kind) {
                let mut table = toml::Table::new();
                table.insert(kind.key().to_owned(), name.into());
                for field in fields(kind) {
                    let value = settings.get(field.name);
                    // What breaks our rules cannot be asked for.
                    let Some(value) = value.and_then(|value| field.check(value).ok()) else {
                        continue;
                    };
                    if field.default().as_ref() != Some(&value)
                        && let Ok(value) = toml::Value::try_from(&value)
                    {
                        table.insert(field.typed.to_owned(), value);
                    }
                }
                if hashes
                    && kind == Kind::User
                    && let Some(hash) = self.passwords.get(name)
                {
                    table.insert(HASH.to_owned(), hash.expose().into());
                }
                // The name first, for whoever reads it.
                let first = table.remove(kind.key());
                let _ = writeln!(out, "\n[[{kind}]]");
                if let Some(first) = first {
                    let _ = writeln!(out, "{} = {first}", kind.key());
                }
                let _ = write!(out, "{table}");
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_wrong_is_said_with_its_line() {
        let text = r#"
[[domain]]
name = "example.com"
max_userz = 3

[[user]]
email = "anna"
quota = "much"
enabled = "yes"
password = "geheim12"

[[user]]
quota_bytes = 5

[[users]]
email = "x@example.com"

[[user]]
email = "bea@example.com"
password_hash = "geheim12"
[[user]]
email = "Bea@Example.com"
forward_to = ["-x@example.com"]
"#;
        let error = Wanted::from_toml(text).expect_err("it is wrong");
        let all: Vec<String> = error
            .all_findings()
            .iter()
            .map(ToString::to_string)
            .collect();
        for (line, part) in [
            (4, "max_userz"),
            (7, "with an `@`"),
            (8, "must be a size"),
            (9, "true or false"),
            (10, "does not stand in this file"),
            (13, "no such key"),
            (12, "needs `email`"),
            (15, "no such section"),
            (20, "must be a hash"),
            (23, "must not begin with `-`"),
            (21, "a second time, after line 18"),
        ] {
            assert!(
                all.iter()
                    .any(|one| one.contains(&format!("line {line}:")) && one.contains(part)),
                "{line} {part}: {all:#?}"
            );
        }
        assert_eq!(all.len(), 11, "{all:#?}");
        let shown = format!("{error:?} {all:?}");
        assert!(!shown.contains("geheim12"), "{shown}");
    }

    #[test]
    fn what_is_no_toml_is_said_without_the_line() {
        let text = "[[user]]\nemail = \"a@example.com\"\npassword_hash = \"$6$precious\n";
        let error = Wanted::from_toml(text).expect_err("it is wrong");
        let shown = format!("{error:?}");
        assert!(
            shown.contains("line 3") && !shown.contains("precious"),
            "{shown}"
        );
    }
}
