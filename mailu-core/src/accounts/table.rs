//! Users as a table: CSV (RFC 4180).

use std::collections::BTreeMap;

use csv::{ReaderBuilder, StringRecord, WriterBuilder};
use serde_json::Value;

use super::export::Accounts;
use super::fields::{Field, Kind, Settings, fields};
use super::file::{HASH, Item, Password, Wanted, refused};
use super::password::{PasswordHash, check_password};
use crate::error::{Error, ErrorKind};
use crate::finding::{Finding, nearest};
use crate::secret::Secret;

/// What a column holds.
enum Column {
    Email,
    Password,
    Hash,
    Field(&'static Field),
}

/// Spreadsheets take what begins so for a formula, unless a quote stands before it.
const FORMULA: [char; 7] = ['=', '+', '-', '@', '\t', '\r', '\''];

impl Wanted {
    /// Reads a table of users. Its first line names the columns: `email`, `password` or `password_hash`, and every key that a user has in
    /// `accounts.toml`. Columns are divided by commas or semicolons; what is empty says nothing.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`], `accounts.invalid`, with everything that is wrong and the number of its line.
    pub fn from_csv(text: &str) -> Result<Self, Error> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let head = text.lines().next().unwrap_or_default();
        let divided_by = |sign: char| head.matches(sign).count();
        let delimiter = if divided_by(';') > divided_by(',') {
            b';'
        } else {
            b','
        };
        let mut reader = ReaderBuilder::new()
            .delimiter(delimiter)
            .flexible(true)
            .has_headers(false)
            .from_reader(text.as_bytes());
        let mut records = reader.records();
        let mut findings = Vec::new();
        let columns = if let Some(Ok(head)) = records.next() {
            columns(&head, &mut findings)
        } else {
            let rule = "has to name the columns";
            findings.push(Finding::error("accounts.invalid", "line 1", rule));
            Vec::new()
        };
        let mut out = Self::default();
        let mut seen = BTreeMap::new();
        if findings.is_empty() {
            let ends: Vec<usize> = text.match_indices('\n').map(|(at, _)| at).collect();
            let line = |position: Option<&csv::Position>| line(text, &ends, position);
            for record in records {
                match record {
                    Ok(record) => {
                        let line = line(record.position());
                        row(line, &columns, &record, &mut out, &mut seen, &mut findings);
                    }
                    Err(error) => {
                        let line = line(error.position());
                        findings.push(Finding::error(
                            "accounts.invalid",
                            format!("line {line}"),
                            "is no line of a table in UTF-8",
                        ));
                    }
                }
            }
        }
        if findings.is_empty() {
            Ok(out)
        } else {
            Err(refused("the table of users", findings))
        }
    }
}

fn columns(head: &StringRecord, findings: &mut Vec<Finding>) -> Vec<Column> {
    let mut columns = Vec::new();
    let mut names: Vec<String> = Vec::new();
    for name in head {
        let name = name.trim().to_ascii_lowercase();
        let field = fields(Kind::User)
            .iter()
            .find(|field| field.typed == name || field.name == name);
        match (name.as_str(), field) {
            ("email", _) => columns.push(Column::Email),
            ("password", _) => columns.push(Column::Password),
            (HASH, _) => columns.push(Column::Hash),
            (_, Some(field)) => columns.push(Column::Field(field)),
            _ => {
                let known = fields(Kind::User).iter().map(|field| field.typed);
                let finding = Finding::error(
                    "accounts.invalid",
                    format!("line 1: column `{name}`"),
                    "there is no such column",
                );
                findings.push(
                    match nearest(&name, known.chain(["email", "password", HASH])) {
                        Some(near) => finding.hint(format!("did you mean `{near}`?")),
                        None => finding.hint("`mailu accounts schema` lists every key"),
                    },
                );
            }
        }
        if names.contains(&name) {
            findings.push(Finding::error(
                "accounts.invalid",
                format!("line 1: column `{name}`"),
                "stands there twice",
            ));
        }
        names.push(name);
    }
    if !names.iter().any(|name| name == "email") {
        findings.push(
            Finding::error("accounts.invalid", "line 1", "has to name a column `email`")
                .hint("email,password,displayed_name,quota"),
        );
    }
    columns
}

/// The line in which a record begins. Its position is that of empty lines before it.
fn line(text: &str, ends: &[usize], position: Option<&csv::Position>) -> usize {
    let at = position.map_or(0, csv::Position::byte);
    let at = usize::try_from(at).unwrap_or_default().min(text.len());
    let rest = text.as_bytes().get(at..).unwrap_or_default();
    let empty = rest
        .iter()
        .take_while(|b| matches!(b, b'\r' | b'\n'))
        .count();
    1 + ends.partition_point(|end| *end < at + empty)
}

fn row(
    line: usize,
    columns: &[Column],
    record: &StringRecord,
    out: &mut Wanted,
    seen: &mut BTreeMap<(Kind, String), String>,
    findings: &mut Vec<Finding>,
) {
    if record.iter().all(|cell| cell.trim().is_empty()) {
        return;
    }
    let mut wrong = |what: &str, rule: String| {
        findings.push(Finding::error(
            "accounts.invalid",
            format!("line {line}{what}"),
            rule,
        ));
    };
    if record.len() != columns.len() {
        wrong(
            "",
            format!(
                "has {} columns, where {} are named",
                record.len(),
                columns.len()
            ),
        );
        return;
    }
    let mut email = None;
    let mut password = None;
    let mut settings = Settings::new();
    for (column, cell) in columns.iter().zip(record) {
        match column {
            Column::Email => match Kind::User.name(unquoted(cell.trim())) {
                Ok(name) => email = Some(name),
                Err(rule) => wrong(": email", rule),
            },
            _ if cell.is_empty() => {}
            Column::Password | Column::Hash if password.is_some() => {
                wrong("", "has a password and a hash of one".to_owned());
            }
            Column::Password => {
                let secret = Secret::new(cell);
                match check_password(&secret) {
                    Ok(()) => password = Some(Password::Plain(secret)),
                    Err(rule) => wrong(": password", rule.to_owned()),
                }
            }
            Column::Hash => match PasswordHash::parse(cell) {
                Ok(hash) => password = Some(Password::Hash(hash)),
                Err(rule) => wrong(": password_hash", rule.to_owned()),
            },
            Column::Field(field) => match field.read(unquoted(cell)) {
                Ok(value) => {
                    settings.insert(field.name.to_owned(), value);
                }
                Err(rule) => wrong(&format!(": {}", field.typed), rule),
            },
        }
    }
    if let Some(name) = email {
        let item = Item {
            kind: Kind::User,
            place: format!("line {line}: user {name}"),
            name,
            settings,
            password,
        };
        findings.extend(out.push(seen, item));
    }
}

/// Without the quote that keeps a spreadsheet from taking a text for a formula.
fn unquoted(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(rest) if rest.starts_with(FORMULA) => rest,
        _ => cell,
    }
}

/// With the quote, where it is needed.
fn quoted(text: &str) -> String {
    if text.starts_with(FORMULA) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

impl Accounts {
    /// The users as a table that [`Wanted::from_csv`] reads, with every key. With `hashes`, the hashes of passwords are in it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Internal`], which does not happen.
    pub fn to_csv(&self, hashes: bool) -> Result<String, Error> {
        let failed = |_| Error::new(ErrorKind::Internal, "accounts.table", "write a table");
        let mut writer = WriterBuilder::new().from_writer(Vec::new());
        let mut head = vec!["email"];
        if hashes {
            head.push(HASH);
        }
        head.extend(fields(Kind::User).iter().map(|field| field.typed));
        writer.write_record(&head).map_err(failed)?;
        for (name, settings) in self.of(Kind::User) {
            let mut row = vec![quoted(name)];
            if hashes {
                let hash = self.passwords.get(name);
                row.push(hash.map_or_else(String::new, |hash| hash.expose().to_owned()));
            }
            for field in fields(Kind::User) {
                let text = match settings.get(field.name) {
                    Some(Value::String(text)) => quoted(text),
                    Some(Value::Bool(true)) => "yes".to_owned(),
                    Some(Value::Bool(false)) => "no".to_owned(),
                    Some(Value::Array(items)) => {
                        let items: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
                        quoted(&items.join(" "))
                    }
                    Some(other) => other.to_string(),
                    None => String::new(),
                };
                row.push(text);
            }
            writer.write_record(&row).map_err(failed)?;
        }
        let bytes = writer
            .into_inner()
            .map_err(|_| Error::new(ErrorKind::Internal, "accounts.table", "write a table"))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wrong_line_is_named() {
        let text = "email;Password;quota;enabled\n\
            anna@example.com;geheim-und-lang;5GB;yes\n\
            \n\
            bea;geheim-und-lang;5GB;yes\n\
            cleo@example.com;kurz;viel;vielleicht\n\
            dora@example.com;geheim-und-lang\n\
            \"emma@example.com\";\"zwei\nZeilen\";;\n\
            anna@example.com;;;\n";
        let error = Wanted::from_csv(text).expect_err("it is wrong");
        let all: Vec<String> = error
            .all_findings()
            .iter()
            .map(|one| one.subject.clone())
            .collect();
        assert_eq!(
            all,
            [
                "line 4: email",
                "line 5: password",
                "line 5: quota",
                "line 5: enabled",
                "line 6",
                "line 7: password",
                "line 9: user anna@example.com",
            ]
        );
        let shown = format!("{error:?}");
        assert!(
            !shown.contains("geheim") && !shown.contains("kurz"),
            "{shown}"
        );
    }

    #[test]
    fn a_head_has_to_name_known_columns() {
        for (head, part) in [
            ("mail,quota", "no such column"),
            ("email,email", "stands there twice"),
            ("quota", "a column `email`"),
            ("", "name the columns"),
        ] {
            let error = Wanted::from_csv(head).expect_err(head);
            let all = format!("{:?}", error.all_findings());
            assert!(all.contains(part), "{head}: {all}");
        }
        let read = Wanted::from_csv("\u{feff}EMAIL, quota_bytes\nA@example.com, 5\n");
        assert_eq!(read.expect("a table").len(), 1);
    }
}
