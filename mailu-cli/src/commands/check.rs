//! `mailu check`

use mailu_core::host::Mailu;
use mailu_core::host::api::candidate;
use mailu_core::plan::Request;
use mailu_core::preflight::{Options, Report};
use mailu_core::{Error, Finding};

use super::read;
use crate::args::{Check, Checks, Global};
use crate::output::Printer;

pub(crate) fn run(global: &Global, printer: &mut Printer, args: &Check) -> Result<u8, Error> {
    let mailu = Mailu::new(&global.root)?;
    let mut request = Request::default();
    request.start = true;
    let options = options(&args.checks);
    request.skip = Some(options.skip.clone());
    if let Some(path) = &args.config {
        request.config = Some(read(path)?);
    }
    request.settings.clone_from(&args.settings);
    let client = args.which.client_id.clone().map(|client| client.0);
    let layout = candidate(&mailu, args.which.domain.as_ref(), client, &mut request)?;
    let report = mailu.check(&layout, &request, &options)?;
    if printer.json {
        printer.data(&report)?;
    }
    printer.findings(&report.findings);
    for (id, since) in mailu.skipped(&layout) {
        if !report.skipped.contains(&id) {
            printer.note(format_args!(
                "{id} has been skipped at installation since {since}"
            ));
        }
    }
    if !printer.json {
        printer.checks(&report);
    }
    Ok(if report.ready {
        crate::FINE
    } else {
        crate::FINDINGS
    })
}

/// The options that were typed.
pub(crate) fn options(args: &Checks) -> Options {
    let mut options = Options::default();
    options.skip = args.skip_check.iter().cloned().collect();
    options.resolver = args.resolver;
    options.outbound.clone_from(&args.outbound_to);
    options.roots.clone_from(&args.root_server);
    options
}

/// What an installation has to hear of a report that lets it go on: what only the report says.
pub(crate) fn remarks(report: &Report) -> Vec<Finding> {
    report
        .findings
        .iter()
        .filter(|finding| finding.id.starts_with("preflight."))
        .cloned()
        .collect()
}
