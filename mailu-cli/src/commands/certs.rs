//! `mailu certs`

use mailu_core::Error;
use mailu_core::certs::Report;
use mailu_core::host::CertificateSync;
use mailu_core::timer::Chore;

use super::{each, timer};
use crate::args::{Certs, CertsCommand, Global, Of};
use crate::output::{Printer, Steps};

pub(crate) fn run(global: &Global, printer: &mut Printer, args: Certs) -> Result<u8, Error> {
    match args.command {
        None => show(global, printer, &args.of, !args.no_probe),
        Some(CertsCommand::Sync(of)) => sync(global, printer, &of),
        Some(CertsCommand::Timer(args)) => timer(global, printer, &args, Chore::Certificates),
    }
}

fn show(global: &Global, printer: &mut Printer, of: &Of, probe: bool) -> Result<u8, Error> {
    each(
        global,
        printer,
        of,
        |mailu, layout, _| mailu.certificates(layout, probe),
        |printer, report: &Report| {
            printer.certificates(report);
            printer.findings(&report.findings);
        },
        Report::needs_an_eye,
    )
}

fn sync(global: &Global, printer: &mut Printer, of: &Of) -> Result<u8, Error> {
    each(
        global,
        printer,
        of,
        |mailu, layout, printer| mailu.sync_certificates(layout, &mut Steps::new(printer, None)),
        |printer, done: &CertificateSync| {
            printer.certificate_sync(done);
            printer.findings(&done.report.findings);
        },
        |done| done.report.needs_an_eye(),
    )
}
