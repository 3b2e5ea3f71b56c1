//! A table in Markdown (GitHub's).

use std::fmt::Write as _;

use super::{by_level, fields, note, unknown};
use crate::dns::{Data, Record, ZoneReport};

pub(super) fn render(mail_host: &str, zone: &ZoneReport) -> String {
    let mut out = format!(
        "# DNS records for {}\n\nFor the mail server {}. Add them to what the zone has. `@` is the domain itself. Where a form appends the domain by \
         itself, give the host as it stands here: a full name would become `{}.{}`. Texts are in one piece, without quotes.\n",
        escaped(&zone.zone),
        escaped(mail_host),
        zone.zone,
        zone.zone
    );
    for (_, heading, records) in by_level(zone) {
        let _ = writeln!(
            out,
            "\n## {heading}\n\n| Done | Type | Host | Full name | Priority | Value | TTL | Why |\n|---|---|---|---|---|---|---|---|"
        );
        for record in records {
            let (priority, value) = match &record.data {
                Some(data) => {
                    let fields = fields(data);
                    let value = match (fields.weight, fields.port) {
                        (Some(weight), Some(port)) => format!("{weight} {port} {}", fields.value),
                        _ => fields.value,
                    };
                    let priority = fields.priority.map(|p| p.to_string()).unwrap_or_default();
                    (priority, code(&value))
                }
                None => (String::new(), format!("*{}*", escaped(&unknown(record)))),
            };
            let _ = writeln!(
                out,
                "| ☐ | {} | {} | {} | {priority} | {value} | {} | {} |",
                record.kind,
                code(&record.name()),
                code(&record.fqdn),
                record.ttl,
                escaped(&why(record))
            );
        }
    }
    out
}

fn why(record: &Record) -> String {
    let mut why = record.why.clone();
    if let Some(note) = note(record) {
        let _ = write!(why, " Note: {note}.");
    }
    if matches!(record.data, Some(Data::Ptr { .. })) {
        why.push_str(" It is set by whoever gave the server its address.");
    }
    why
}

/// `text` as it is, in a cell. A fence is longer than any run of backticks inside; spaces at both ends are cut off
/// together, so that spare ones keep those that belong to the text.
fn code(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let spare = if text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']) {
        " "
    } else {
        ""
    };
    // What ends lines would end the table; code has no escapes but this one of tables.
    let text = text.replace(char::is_control, " ").replace('|', "\\|");
    format!("{fence}{spare}{text}{spare}{fence}")
}

/// `text` as it is, outside of code.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            _ if c.is_control() => out.push(' '),
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '&' | '~' | '#' => {
                out.push('\\');
                out.push(c);
            }
            _ => out.push(c),
        }
    }
    out
}
