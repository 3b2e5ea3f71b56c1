//! Commands for `nsupdate`: every record is added by itself, and what the zone has already stays.

use std::fmt::Write as _;

use super::{Entry, by_level, comment, entry, reason};
use crate::dns::{Data, ZoneReport};

pub(super) fn render(zone: &ZoneReport, notes: &[String]) -> String {
    let mut out = comment(
        ";",
        &format!(
            "Records for {0}, for: nsupdate -k KEYFILE {0}.nsupdate",
            zone.zone
        ),
    );
    out.push_str(
        "; Nothing is removed. A domain may have one SPF and one DMARC record only: look whether there is another one first.\n\
         ; Where the primary name server is not the one in the SOA record: server ADDRESS PORT\n",
    );
    for note in notes {
        out.push_str(&comment(";", note));
    }
    // Of two aliases at one name the later replaces the earlier (RFC 2136 §3.4.2.2), so each of them is a transaction
    // with a condition of its own, which cannot keep the others back.
    let mut aliases = String::new();
    let mut added = false;
    let _ = writeln!(out, "\nzone {}.", zone.zone);
    for (_, heading, records) in by_level(zone) {
        let mut group = String::new();
        for record in records {
            match entry(record) {
                Entry::Note(text) => {
                    group.push_str(&comment(";", &text));
                    if record.kind == "A" {
                        group.push_str("; BIND refuses everything below until the MX record's host has an address.\n");
                    }
                }
                Entry::Data((record, data)) => {
                    let add = format!(
                        "update add {}. {} {} {}\n",
                        record.fqdn,
                        record.ttl,
                        record.kind,
                        data.presentation()
                    );
                    if matches!(data, Data::Cname { .. }) {
                        let _ = write!(
                            aliases,
                            "\n{}zone {}.\nprereq nxrrset {}. CNAME\n{add}send\n",
                            reason(";", record),
                            zone.zone,
                            record.fqdn
                        );
                    } else {
                        added = true;
                        group.push_str(&add);
                    }
                }
            }
        }
        if !group.is_empty() {
            let _ = write!(out, "\n; {heading}\n{group}");
        }
    }
    if added {
        out.push_str("send\n");
    }
    if !aliases.is_empty() {
        out.push_str(
            "\n; Aliases. \"update failed: YXRRSET\" means that there is one already, which stays as it is.\n",
        );
        out.push_str(&aliases);
    }
    out
}
