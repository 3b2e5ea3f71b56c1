//! `mailu dns`

use mailu_core::dns::check::State;
use mailu_core::dns::{zone_file, zone_records};
use mailu_core::host::{DnsOptions, Mailu};
use mailu_core::paths::Layout;
use mailu_core::{Error, ErrorKind};

use super::chosen;
use crate::args::{Dns, DnsFormat, Global};
use crate::output::Printer;

pub(crate) fn run(global: &Global, printer: &mut Printer, args: &Dns) -> Result<u8, Error> {
    let (mailu, layout) = chosen(global, &args.which)?;
    let (config, mut report) = mailu.dns(&layout)?;
    if let Some(zone) = &args.zone {
        let names: Vec<_> = report.zones.iter().map(|z| z.zone.clone()).collect();
        report.zones.retain(|z| z.zone == *zone);
        if report.zones.is_empty() {
            return Err(Error::new(
                ErrorKind::NotFound,
                "dns.no_zone",
                format!("print the zone {zone}: this deployment has no records in it"),
            )
            .hint(format!("there are: {}", names.join(", "))));
        }
    }
    if args.check {
        return checked(&mailu, &layout, printer, args);
    }
    match args.format {
        _ if printer.json => printer.data(&report)?,
        DnsFormat::Json => printer.data(&report)?,
        DnsFormat::Table => printer.records(&report, true),
        DnsFormat::Records => {
            for zone in &report.zones {
                printer.raw(&zone_records(zone));
            }
        }
        DnsFormat::Zone => {
            for zone in &report.zones {
                printer.raw(&zone_file(&config, zone, 1));
            }
        }
    }
    Ok(crate::FINE)
}

/// Compares the records with what name servers say.
fn checked(mailu: &Mailu, layout: &Layout, printer: &mut Printer, args: &Dns) -> Result<u8, Error> {
    let mut options = DnsOptions::default();
    options.resolver = args.resolver;
    options.authoritative.clone_from(&args.nameserver);
    options.zone.clone_from(&args.zone);
    let report = mailu.check_dns(layout, &options)?;
    if printer.json {
        printer.data(&report)?;
    } else {
        printer.published(&report);
    }
    printer.findings(&report.findings);
    Ok(if report.complete {
        crate::FINE
    } else if report.uncertain
        && !report
            .records
            .iter()
            .any(|one| matches!(one.state, State::Missing | State::Wrong))
    {
        crate::FAILED
    } else {
        crate::FINDINGS
    })
}
