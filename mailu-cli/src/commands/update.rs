//! `mailu update`

use std::time::Duration;

use mailu_core::host::{Mailu, Target, UpdateOptions};
use mailu_core::{Error, has_errors};

use super::install::open_log;
use crate::args::{Global, Update};
use crate::output::{Printer, Steps};

pub(crate) fn run(global: &Global, printer: &mut Printer, args: &Update) -> Result<u8, Error> {
    let mailu = Mailu::new(&global.root)?;
    let target = Target::new(args.which.domain.clone(), args.which.client());
    let layout = mailu.find_for_update(&target)?;
    let mut options = UpdateOptions::default();
    options.to = args.to;
    options.dry_run = args.dry_run;
    options.undo = args.undo;
    options.settings.clone_from(&args.set);
    options.skip = args.skip_check.iter().cloned().collect();
    options.without_database = args.without_database;
    options.wait = args.wait.map(Duration::from_secs);
    let log = if options.dry_run {
        None
    } else {
        open_log(global, printer)
    };
    let mut steps = Steps::new(printer, log);
    steps.stops_when_interrupted();
    let result = mailu.update(&layout, &options, &mut steps);
    if !options.dry_run {
        let said = result.as_ref().map(|done| {
            let did = if done.performed {
                format!("{} to {}", done.from, done.to)
            } else {
                "nothing to do".to_owned()
            };
            done.recovered.clone().unwrap_or(did)
        });
        crate::log::note(
            global,
            &layout,
            "update",
            said.as_deref().map_err(|error| *error),
        );
    }
    let done = result?;
    let run = done.run.iter().flat_map(|run| &run.findings);
    let all: Vec<_> = done.findings.iter().chain(run).cloned().collect();
    printer.findings(&all);
    if printer.json {
        printer.data(&done)?;
    } else {
        printer.updated(&done);
    }
    Ok(if has_errors(&all) {
        crate::FINDINGS
    } else {
        crate::FINE
    })
}
