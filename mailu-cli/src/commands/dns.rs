//! `mailu dns`

use mailu_core::dns::check::{Report as Published, State};
use mailu_core::dns::formats::{Format, Logo, Page};
use mailu_core::host::api::{DnsExported, only_zone};
use mailu_core::host::{DnsOptions, Mailu, export, moment};
use mailu_core::paths::Layout;
use mailu_core::{Error, ErrorKind, Severity};

use super::{chosen, read_bytes};
use crate::args::{Dns, DnsFormat, Global};
use crate::output::Printer;

pub(crate) fn run(global: &Global, printer: &mut Printer, args: &Dns) -> Result<u8, Error> {
    let wrong =
        |code: &'static str, message: String| Error::new(ErrorKind::InvalidInput, code, message);
    if args.format != DnsFormat::Html && (args.agency.is_some() || args.logo.is_some()) {
        return Err(wrong(
            "dns.page_only",
            "put a name or a logo on the records: only the page for the domain's owner has room for them".to_owned(),
        )
        .hint("add `--format html`"));
    }
    let (mailu, layout) = chosen(global, &args.which)?;
    let (_, mut report) = mailu.dns(&layout)?;
    if let Some(zone) = &args.zone {
        report = only_zone(report, zone)?;
    }
    if args.check {
        let is_printed = args.out.is_none();
        match args.format {
            DnsFormat::Html if is_printed && printer.json => {
                let published = check(&mailu, &layout, args)?;
                return said(printer, &published);
            }
            DnsFormat::Html => {}
            DnsFormat::Table | DnsFormat::Json if is_printed => {
                let published = check(&mailu, &layout, args)?;
                printer.json |= args.format == DnsFormat::Json;
                return said(printer, &published);
            }
            _ => {
                return Err(wrong(
                    "dns.check_format",
                    "say in this form what is published: only the table, JSON and the page for the domain's owner have room for it"
                        .to_owned(),
                )
                .hint("leave `--format` and `--out` out, or choose `--format html`"));
            }
        }
    }
    let format = match args.format {
        DnsFormat::Table => None,
        DnsFormat::Records => Some(Format::Records),
        DnsFormat::Zone => Some(Format::Zone),
        DnsFormat::Json => Some(Format::Json),
        DnsFormat::Octodns => Some(Format::Octodns),
        DnsFormat::TerraformCloudflare => Some(Format::TerraformCloudflare),
        DnsFormat::TerraformRoute53 => Some(Format::TerraformRoute53),
        DnsFormat::Nsupdate => Some(Format::Nsupdate),
        DnsFormat::Csv => Some(Format::Csv),
        DnsFormat::Markdown => Some(Format::Markdown),
        DnsFormat::Html => Some(Format::Html),
    };
    if args.out.is_none() && printer.json {
        printer.data(&report)?;
        return Ok(crate::FINE);
    }
    let Some(format) = format else {
        if args.out.is_some() {
            return Err(wrong(
                "dns.table_out",
                "write the records into files: the table is for the terminal".to_owned(),
            )
            .hint("choose another form with `--format`, `--format markdown` for instance"));
        }
        printer.records(&report, true);
        return Ok(crate::FINE);
    };
    let logo = match &args.logo {
        Some(path) => Some(Logo::new(read_bytes(path, Logo::LIMIT)?)?),
        None => None,
    };
    let page = Page::new(
        args.agency.clone().filter(|name| !name.trim().is_empty()),
        logo,
    );
    let zone = args.zone.as_deref();
    let rendered = |published: Option<&(Published, String)>| {
        let published = published.map(|(report, at)| (report, at.as_str()));
        mailu.dns_texts(&layout, format, zone, &page, published)
    };
    let mut texts = rendered(None)?;
    if args.out.is_none() && format.joined(&texts).is_none() {
        let names: Vec<_> = texts.iter().map(|text| text.zone.as_str()).collect();
        return Err(wrong(
            "dns.several_zones",
            format!(
                "print {} zones as {}: it has a file for each",
                names.len(),
                format.as_str()
            ),
        )
        .hint(format!(
            "choose one with `--zone`, or write all of them with `--out DIR`; there are: {}",
            names.join(", ")
        )));
    }
    let mut published = None;
    if args.check {
        let found = (check(&mailu, &layout, args)?, moment());
        texts = rendered(Some(&found))?;
        published = Some(found.0);
    }
    if let Some(out) = &args.out {
        let paths = export(out, &texts)?;
        if printer.json {
            let exported = DnsExported::new(paths, published);
            printer.data(&exported)?;
            published = exported.check;
        } else {
            for path in paths {
                printer.line(path.display());
            }
        }
    } else if let Some(text) = format.joined(&texts) {
        printer.raw(&text);
    }
    Ok(match &published {
        Some(published) => concluded(printer, published),
        None => crate::FINE,
    })
}

/// Compares the records with what name servers say.
fn check(mailu: &Mailu, layout: &Layout, args: &Dns) -> Result<Published, Error> {
    let mut options = DnsOptions::default();
    options.resolver = args.resolver;
    options.authoritative.clone_from(&args.nameserver);
    options.zone.clone_from(&args.zone);
    options.authorities.clone_from(&args.ca);
    mailu.check_dns(layout, &options)
}

/// Prints how records are.
fn said(printer: &mut Printer, published: &Published) -> Result<u8, Error> {
    if printer.json {
        printer.data(published)?;
    } else {
        printer.published(published);
    }
    Ok(concluded(printer, published))
}

/// Says what is wrong; the exit status.
fn concluded(printer: &mut Printer, report: &Published) -> u8 {
    printer.findings(&report.findings);
    // What is certainly wrong is not made uncertain by what could not be looked at beside it.
    let wrong = report
        .records
        .iter()
        .any(|one| matches!(one.state, State::Missing | State::Wrong))
        || report
            .findings
            .iter()
            .any(|one| one.severity == Severity::Error && one.id != "ns.silent");
    if report.complete {
        crate::FINE
    } else if report.uncertain && !wrong {
        crate::FAILED
    } else {
        crate::FINDINGS
    }
}
