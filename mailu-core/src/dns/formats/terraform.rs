//! Terraform, laid out as `terraform fmt` does.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::{Entry, Known, absolute, comment, entry, reason};
use crate::dns::{Data, ZoneReport, chunks};

/// What Cloudflare takes for a time to live that is not its own choice.
const CLOUDFLARE_TTL: (u32, u32) = (60, 86400);

/// Records of Cloudflare's provider, version 5: one resource for each.
pub(super) fn cloudflare(zone: &ZoneReport, notes: &[String]) -> String {
    let mut out = head(
        zone,
        "Cloudflare (provider cloudflare/cloudflare, version 5)",
    );
    out.push_str(
        "# Terraform adds these beside what the zone has. A domain may have one SPF and one DMARC record only.\n",
    );
    for note in notes {
        out.push_str(&comment("#", note));
    }
    let variable = format!("cloudflare_zone_id_{}", label(&zone.zone));
    zone_id(&mut out, &variable, &zone.zone, "Cloudflare");
    let mut taken = BTreeSet::new();
    for record in &zone.records {
        match entry(record) {
            Entry::Note(text) => {
                let _ = write!(out, "\n{}", comment("#", &text));
            }
            Entry::Data((record, data)) => {
                let name = unused(&mut taken, &label(&record.id.replace('/', ".")));
                let _ = write!(out, "\n{}", reason("#", record));
                let mut lines = vec![
                    ("zone_id", format!("var.{variable}")),
                    ("name", quote(&record.fqdn)),
                    ("type", quote(record.kind)),
                    (
                        "ttl",
                        record
                            .ttl
                            .clamp(CLOUDFLARE_TTL.0, CLOUDFLARE_TTL.1)
                            .to_string(),
                    ),
                ];
                let mut parts = Vec::new();
                match data {
                    Data::A { .. } | Data::Aaaa { .. } => {
                        lines.push(("content", quote(&data.presentation())));
                        lines.push(("proxied", "false".to_owned()));
                    }
                    // Names come back without the final dot, and would differ for ever.
                    Data::Cname { target } => {
                        lines.push(("content", quote(target)));
                        lines.push(("proxied", "false".to_owned()));
                    }
                    Data::Ptr { target } => lines.push(("content", quote(target))),
                    Data::Mx {
                        preference,
                        exchange,
                    } => {
                        lines.push(("content", quote(exchange)));
                        lines.push(("priority", preference.to_string()));
                    }
                    // Texts come back in quotes and cut.
                    Data::Txt { .. } => lines.push(("content", quote(&data.presentation()))),
                    Data::Srv {
                        priority,
                        weight,
                        port,
                        target,
                    } => {
                        lines.push(("priority", priority.to_string()));
                        parts = vec![
                            ("priority", priority.to_string()),
                            ("weight", weight.to_string()),
                            ("port", port.to_string()),
                            ("target", quote(target)),
                        ];
                    }
                    Data::Caa { flags, tag, value } => {
                        parts = vec![
                            ("flags", flags.to_string()),
                            ("tag", quote(tag)),
                            ("value", quote(value)),
                        ];
                    }
                    Data::Tlsa {
                        usage,
                        selector,
                        matching,
                        association,
                    } => {
                        parts = vec![
                            ("usage", usage.to_string()),
                            ("selector", selector.to_string()),
                            ("matching_type", matching.to_string()),
                            ("certificate", quote(association)),
                        ];
                    }
                }
                let _ = writeln!(out, "resource \"cloudflare_dns_record\" \"{name}\" {{");
                aligned(&mut out, "  ", &lines);
                if !parts.is_empty() {
                    out.push_str("\n  data = {\n");
                    aligned(&mut out, "    ", &parts);
                    out.push_str("  }\n");
                }
                out.push_str("}\n");
            }
        }
    }
    out
}

/// Records of Route 53: one resource for all records of a name and type.
pub(super) fn route53(zone: &ZoneReport, notes: &[String]) -> String {
    let mut out = head(zone, "Route 53 (provider hashicorp/aws)");
    out.push_str(
        "# Route 53 has one set of records for each name and type. Where the zone has one already, Terraform stops: put its other\n\
         # values into `records` here, then `terraform import` it.\n",
    );
    for note in notes {
        out.push_str(&comment("#", note));
    }
    let variable = format!("route53_zone_id_{}", label(&zone.zone));
    zone_id(&mut out, &variable, &zone.zone, "Route 53");
    let mut sets: Vec<(&str, &str, Vec<Known<'_>>)> = Vec::new();
    let mut places: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for record in &zone.records {
        match entry(record) {
            Entry::Note(text) => {
                let _ = write!(out, "\n{}", comment("#", &text));
            }
            Entry::Data((record, data)) => {
                let at = *places
                    .entry((&record.fqdn, record.kind))
                    .or_insert(sets.len());
                if at == sets.len() {
                    sets.push((&record.fqdn, record.kind, Vec::new()));
                }
                sets[at].2.push((record, data));
            }
        }
    }
    let mut taken = BTreeSet::new();
    for (fqdn, kind, records) in sets {
        out.push('\n');
        for (record, _) in &records {
            out.push_str(&reason("#", record));
        }
        let name = unused(&mut taken, &label(&format!("{fqdn}.{kind}")));
        let ttl = records.iter().map(|(record, _)| record.ttl).min();
        let values: Vec<String> = records
            .iter()
            .map(|(_, data)| quote(&route53_value(data)))
            .collect();
        let _ = writeln!(out, "resource \"aws_route53_record\" \"{name}\" {{");
        aligned(
            &mut out,
            "  ",
            &[
                ("zone_id", format!("var.{variable}")),
                ("name", quote(fqdn)),
                ("type", quote(kind)),
                ("ttl", ttl.unwrap_or_default().to_string()),
                ("records", format!("[{}]", values.join(", "))),
            ],
        );
        out.push_str("}\n");
    }
    out
}

/// The provider puts quotes around a TXT value, so that the strings of a long one are parted by a quote on either side.
fn route53_value(data: &Data) -> String {
    match data {
        Data::Txt { text } => {
            let parts: Vec<String> = chunks(text).into_iter().map(octal).collect();
            parts.join("\"\"")
        }
        Data::Caa { flags, tag, value } => format!("{flags} {tag} \"{}\"", octal(value)),
        Data::Mx {
            preference,
            exchange,
        } => format!("{preference} {}", absolute(exchange)),
        other => other.presentation(),
    }
}

/// Route 53's escapes are octal, other than those of zone files.
fn octal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'"' => out.push_str("\\\""),
            b' '..=b'~' if byte != b'\\' => out.push(char::from(byte)),
            other => {
                let _ = write!(out, "\\{other:03o}");
            }
        }
    }
    out
}

fn head(zone: &ZoneReport, where_to: &str) -> String {
    comment(
        "#",
        &format!("Records for {}, for Terraform and {where_to}.", zone.zone),
    )
}

fn zone_id(out: &mut String, variable: &str, zone: &str, provider: &str) {
    let _ = writeln!(out, "\nvariable \"{variable}\" {{");
    aligned(
        out,
        "  ",
        &[
            (
                "description",
                quote(&format!("{provider}'s identifier of the zone {zone}")),
            ),
            ("type", "string".to_owned()),
        ],
    );
    out.push_str("}\n");
}

fn aligned(out: &mut String, indent: &str, lines: &[(&str, String)]) {
    let width = lines.iter().map(|(key, _)| key.len()).max().unwrap_or(0);
    for (key, value) in lines {
        let _ = writeln!(out, "{indent}{key:<width$} = {value}");
    }
}

/// A string of HCL: `${` and `%{` begin templates.
fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            '$' | '%' if rest.peek() == Some(&'{') => {
                out.push(c);
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

/// A name as part of an identifier: `_dmarc.example.com` is `_dmarc_example_com`.
fn label(name: &str) -> String {
    name.chars()
        .map(|c| match c {
            'a'..='z' | '0'..='9' | '-' | '_' => c,
            'A'..='Z' => c.to_ascii_lowercase(),
            '*' => 'x',
            _ => '_',
        })
        .collect()
}

/// `name`, or with a number if there is one already.
fn unused(taken: &mut BTreeSet<String>, name: &str) -> String {
    // Identifiers begin with a letter or `_`.
    let mark = if name.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
        "_"
    } else {
        ""
    };
    let name = format!("{mark}{name}");
    let mut chosen = name.clone();
    let mut number = 2;
    while !taken.insert(chosen.clone()) {
        chosen = format!("{name}_{number}");
        number += 1;
    }
    chosen
}
