//! octoDNS: what its YAML provider reads.
//!
//! It keeps texts with `\;` for `;`, takes quotes around a text for a zone file's, and by default refuses anything but
//! ASCII. Names and keys have to be in natural order (`enforce_order`).

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Entry, Known, absolute, comment, entry, reason};
use crate::dns::{Data, ZoneReport};

pub(super) fn render(zone: &ZoneReport, notes: &[String]) -> String {
    let mut out = format!("---\n# Records for {}, for octoDNS.\n", zone.zone);
    out.push_str(
        "# octoDNS removes from a zone what is not in its file: add these to the file that you have, or dump the zone into one first.\n\
         # \"\\;\" is for octoDNS' YAML provider as it is by default. With `escaped_semicolons: false` write \";\".\n",
    );
    for note in notes {
        out.push_str(&comment("#", note));
    }
    let mut names: BTreeMap<Natural, BTreeMap<&str, Vec<Known<'_>>>> = BTreeMap::new();
    for record in &zone.records {
        match entry(record) {
            Entry::Note(text) => out.push_str(&comment("#", &text)),
            Entry::Data((record, data)) => {
                if let Some(why) = refused(data) {
                    let (fqdn, kind, data) = (&record.fqdn, record.kind, data.presentation());
                    let text = format!("{fqdn}. {kind} {data}: add it elsewhere, {why}.");
                    out.push_str(&comment("#", &text));
                    continue;
                }
                let name = record.name();
                let name = if name == "@" { String::new() } else { name };
                let kinds = names.entry(Natural(name)).or_default();
                kinds.entry(record.kind).or_default().push((record, data));
            }
        }
    }
    if names.is_empty() {
        out.push_str("{}\n");
    }
    for (Natural(name), kinds) in &names {
        let _ = writeln!(out, "{}:", quote(name));
        for (kind, records) in kinds {
            for (record, _) in records {
                for line in reason("#", record).lines() {
                    let _ = writeln!(out, "  {line}");
                }
            }
            let lenient = records
                .iter()
                .any(|(_, data)| matches!(data, Data::Txt { text } if !text.is_ascii()));
            let ttl = records.iter().map(|(record, _)| record.ttl).min();
            let mut mark = "  - ";
            if lenient {
                let _ = writeln!(out, "{mark}octodns:\n      lenient: true");
                mark = "    ";
            }
            let _ = writeln!(
                out,
                "{mark}ttl: {}\n    type: {kind}",
                ttl.unwrap_or_default()
            );
            if let (&"CNAME", [(_, Data::Cname { target })]) = (kind, records.as_slice()) {
                let _ = writeln!(out, "    value: {}", quote(&absolute(target)));
                continue;
            }
            out.push_str("    values:\n");
            for (_, data) in records {
                out.push_str(&value(data));
            }
        }
    }
    out
}

/// One item of `values`.
fn value(data: &Data) -> String {
    let map = |pairs: &[(&str, String)]| {
        let mut out = String::new();
        for (index, (key, value)) in pairs.iter().enumerate() {
            let mark = if index == 0 { "- " } else { "  " };
            let _ = writeln!(out, "      {mark}{key}: {value}");
        }
        out
    };
    let one = |text: &str| format!("      - {}\n", quote(text));
    match data {
        Data::A { .. } | Data::Aaaa { .. } => one(&data.presentation()),
        Data::Cname { target } | Data::Ptr { target } => one(&absolute(target)),
        Data::Mx {
            preference,
            exchange,
        } => map(&[
            ("exchange", quote(&absolute(exchange))),
            ("preference", preference.to_string()),
        ]),
        Data::Srv {
            priority,
            weight,
            port,
            target,
        } => map(&[
            ("port", port.to_string()),
            ("priority", priority.to_string()),
            ("target", quote(&absolute(target))),
            ("weight", weight.to_string()),
        ]),
        Data::Caa { flags, tag, value } => map(&[
            ("flags", flags.to_string()),
            ("tag", quote(tag)),
            ("value", quote(value)),
        ]),
        Data::Tlsa {
            usage,
            selector,
            matching,
            association,
        } => map(&[
            ("certificate_association_data", quote(association)),
            ("certificate_usage", usage.to_string()),
            ("matching_type", matching.to_string()),
            ("selector", selector.to_string()),
        ]),
        Data::Txt { text } => {
            let text = text.replace(';', "\\;");
            // A text in quotes loses them, so that one that begins with a quote needs another pair.
            one(&if text.starts_with('"') {
                format!("\"{text}\"")
            } else {
                text
            })
        }
    }
}

/// Why octoDNS would change the record, or refuse it.
fn refused(data: &Data) -> Option<&'static str> {
    match data {
        Data::Txt { text } if text.is_empty() => Some("octoDNS has no empty texts"),
        Data::Txt { text } if text.contains("\\;") => {
            Some("octoDNS takes a backslash before a semicolon away")
        }
        Data::Txt { text } if text.contains("\" \"") => {
            Some("octoDNS takes quotes with a space between them out of texts")
        }
        _ => None,
    }
}

/// A double-quoted scalar of plain ASCII: YAML forbids some characters as they are, and has no pairs of surrogates.
fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            ' '..='~' => out.push(c),
            _ => {
                let _ = write!(out, "\\U{:08x}", u32::from(c));
            }
        }
    }
    out.push('"');
    out
}

/// A name that sorts as octoDNS wants it: numbers by what they count.
#[derive(Debug, PartialEq, Eq)]
struct Natural(String);

impl Natural {
    /// Text and digits in turn, beginning with text.
    fn parts(&self) -> Vec<&str> {
        let mut parts = Vec::new();
        let mut rest = self.0.as_str();
        let mut digits = false;
        loop {
            let end = rest
                .find(|c: char| c.is_ascii_digit() != digits)
                .unwrap_or(rest.len());
            let (head, tail) = rest.split_at(end);
            parts.push(head);
            rest = tail;
            digits = !digits;
            if rest.is_empty() {
                return parts;
            }
        }
    }
}

impl Ord for Natural {
    fn cmp(&self, other: &Self) -> Ordering {
        let (ours, theirs) = (self.parts(), other.parts());
        for (index, (a, b)) in ours.iter().zip(&theirs).enumerate() {
            let order = if index % 2 == 0 {
                a.cmp(b)
            } else {
                let (a, b) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
                a.len().cmp(&b.len()).then_with(|| a.cmp(b))
            };
            if order.is_ne() {
                return order;
            }
        }
        ours.len()
            .cmp(&theirs.len())
            .then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for Natural {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn natural_order() {
        let mut names: Vec<Natural> = ["x10", "x9", "", "10", "9a", "x", "_dmarc", "x9.b", "x09"]
            .map(|name| Natural(name.to_owned()))
            .into();
        names.sort();
        let names: Vec<&str> = names.iter().map(|name| name.0.as_str()).collect();
        assert_eq!(
            names,
            ["", "9a", "10", "_dmarc", "x", "x09", "x9", "x9.b", "x10"]
        );
    }
}
