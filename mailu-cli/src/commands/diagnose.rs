//! `mailu diagnose`

use mailu_core::diagnose::IgnoreRule;
use mailu_core::dns::formats::{Logo, Page};
use mailu_core::host::{DiagnoseOptions, Mailu};
use mailu_core::paths::Layout;
use mailu_core::{Error, ErrorKind};

use super::{chosen, read_bytes};
use crate::args::{Diagnose, Global};
use crate::output::Printer;

pub(crate) fn run(global: &Global, printer: &mut Printer, args: &Diagnose) -> Result<u8, Error> {
    let (mailu, layout) = chosen(global, &args.which)?;
    if args.ignore.is_some() || args.unignore.is_some() {
        return rules(&mailu, &layout, printer, args);
    }
    let mut options = DiagnoseOptions::default();
    options.checks.only = args.only.iter().cloned().collect();
    options.checks.skip = args.skip.iter().cloned().collect();
    options.dns.resolver = args.resolver;
    options.dns.authoritative.clone_from(&args.nameserver);
    options.outbound.outbound.clone_from(&args.outbound_to);
    options.time_servers.clone_from(&args.time_server);
    options.changes = args.changes;
    let logo = match &args.logo {
        Some(path) => Some(Logo::new(read_bytes(path, Logo::LIMIT)?)?),
        None => None,
    };
    let page = Page::new(
        args.agency.clone().filter(|name| !name.trim().is_empty()),
        logo,
    );
    let report = mailu.diagnose(&layout, &options)?;
    if let Some(path) = &args.html {
        let text = report.page(&page)?;
        std::fs::write(path, text).map_err(|error| {
            Error::new(
                ErrorKind::Io,
                "file.failed",
                format!("write {}", path.display()),
            )
            .source(error)
            .hint("choose a file in a directory that is there, and that you may write to")
        })?;
    }
    if printer.json {
        printer.data(&report)?;
    } else {
        printer.diagnosis(&report);
    }
    let word = if report.healthy {
        "healthy"
    } else {
        "findings"
    };
    if !report.healthy {
        crate::log::note(global, &layout, "diagnose", Ok(word));
    }
    Ok(if report.healthy {
        crate::FINE
    } else {
        crate::FINDINGS
    })
}

/// Adds a rule to `mailu.toml`, or takes some out.
fn rules(
    mailu: &Mailu,
    layout: &Layout,
    printer: &mut Printer,
    args: &Diagnose,
) -> Result<u8, Error> {
    let mut rules = None;
    if let Some(id) = &args.ignore {
        let rule = IgnoreRule::new(
            id,
            args.subject.as_deref(),
            args.until.as_deref(),
            args.reason.as_deref().unwrap_or_default(),
        )
        .map_err(|why| {
            Error::new(
                ErrorKind::InvalidInput,
                "diagnose.bad_rule",
                format!("ignore `{id}`: the rule {why}"),
            )
            .hint("`mailu diagnose` shows each finding's name in brackets")
        })?;
        rules = Some(mailu.ignore(layout, rule)?);
    }
    if let Some(id) = &args.unignore {
        rules = Some(mailu.stop_ignoring(layout, id)?);
    }
    let Some(rules) = rules else {
        return Ok(crate::FINE);
    };
    if printer.json {
        printer.data(&rules)?;
    } else if rules.ignore.is_empty() {
        printer.line("nothing is ignored");
    } else {
        for text in rules.ignore {
            printer.line(format_args!("ignored: {text}"));
        }
    }
    Ok(crate::FINE)
}
