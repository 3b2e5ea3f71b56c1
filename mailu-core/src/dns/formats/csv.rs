//! CSV: one line for each record, TXT in one piece and without quotes of its own.

use super::{Fields, fields, level, note, unknown};
use crate::dns::ZoneReport;

/// The columns. A field that a type does not have is empty.
const HEAD: [&str; 12] = [
    "zone", "level", "type", "name", "fqdn", "ttl", "priority", "weight", "port", "value", "why",
    "note",
];

pub(super) fn render(zone: &ZoneReport) -> Result<String, csv::Error> {
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(Vec::new());
    writer.write_record(HEAD)?;
    for record in &zone.records {
        let Fields {
            priority,
            weight,
            port,
            value,
        } = record.data.as_ref().map_or_else(
            || Fields {
                priority: None,
                weight: None,
                port: None,
                value: String::new(),
            },
            fields,
        );
        let number = |n: Option<u16>| n.map(|n| n.to_string()).unwrap_or_default();
        let remark = match &record.data {
            Some(_) => note(record).unwrap_or_default().to_owned(),
            None => unknown(record),
        };
        writer.write_record([
            &zone.zone,
            level(record.level),
            record.kind,
            &record.name(),
            &record.fqdn,
            &record.ttl.to_string(),
            &number(priority),
            &number(weight),
            &number(port),
            &value,
            &record.why,
            &remark,
        ])?;
    }
    let bytes = writer
        .into_inner()
        .map_err(|error| csv::Error::from(error.into_error()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
