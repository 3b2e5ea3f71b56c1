//! `mailu status`

use std::io::IsTerminal as _;
use std::time::Duration;

use mailu_core::Error;
use mailu_core::host::Mailu;

use super::chosen;
use crate::args::{Global, Status};
use crate::output::Printer;

pub(crate) fn run(global: &Global, printer: &mut Printer, args: &Status) -> Result<u8, Error> {
    let one = if args.all {
        None
    } else {
        Some(chosen(global, &args.which)?)
    };
    let redraws = args.watch.is_some() && !printer.json && std::io::stdout().is_terminal();
    let mut noted = None;
    loop {
        let healthy = if let Some((mailu, layout)) = &one {
            let report = mailu.status(layout)?;
            if redraws {
                printer.clear();
            }
            show(printer, args, &report, |printer| printer.status(&report))?;
            // Who looks every minute has no need of a line for each time that all was well.
            if !report.healthy && noted != Some(report.verdict) {
                crate::log::note(global, layout, "status", Ok(report.verdict.as_str()));
            }
            noted = Some(report.verdict);
            report.healthy
        } else {
            let fleet = Mailu::new(&global.root)?.status_of_all()?;
            if redraws {
                printer.clear();
            }
            show(printer, args, &fleet, |printer| printer.fleet(&fleet))?;
            fleet.healthy
        };
        let Some(seconds) = args.watch else {
            return Ok(if healthy {
                crate::FINE
            } else {
                crate::FINDINGS
            });
        };
        std::thread::sleep(Duration::from_secs(seconds));
        if !redraws && !printer.json {
            printer.line("");
        }
    }
}

/// Prints it; with `--watch`, JSON in a line each time.
fn show<T: serde::Serialize>(
    printer: &mut Printer,
    args: &Status,
    value: &T,
    print: impl FnOnce(&mut Printer),
) -> Result<(), Error> {
    if !printer.json {
        print(printer);
        Ok(())
    } else if args.watch.is_some() {
        printer.json_line(value).map(drop)
    } else {
        printer.data(value)
    }
}
