//! `mailu restore`

use std::time::Duration;

use mailu_core::host::{Keys, Mailu, RestoreOptions, Target};
use mailu_core::paths::Layout;
use mailu_core::{Error, has_errors};

use super::install::open_log;
use crate::args::{Global, Restore};
use crate::output::{Printer, Steps};

pub(crate) fn run(global: &Global, printer: &mut Printer, args: Restore) -> Result<u8, Error> {
    let mailu = Mailu::new(&global.root)?;
    let mut options = RestoreOptions::new(args.file);
    options.target = Target::new(args.which.domain.clone(), args.which.client());
    options.keys = Keys::new(args.age_identity, args.passphrase_file);
    options.config_only = args.config_only;
    options.mailbox = args.mailbox;
    options.into = args.into;
    let one = options.mailbox.is_some();
    options.exact = args.exact;
    options.dry_run = args.dry_run;
    options.no_start = args.no_start;
    options.undo = args.undo;
    options.wait = args.wait.map(Duration::from_secs);
    let log = if options.dry_run {
        None
    } else {
        open_log(global, printer)
    };
    let mut steps = Steps::new(printer, log);
    steps.stops_when_interrupted();
    let result = mailu.restore(&options, &mut steps);
    // The archive says whose it is; where it could not be read, only what was typed does.
    let (host, client) = match &result {
        Ok(done) => (
            done.mail_host.parse().ok(),
            done.client.as_ref().and_then(|client| client.parse().ok()),
        ),
        Err(_) => (args.which.domain.clone(), args.which.client()),
    };
    if let (false, Some(host)) = (options.dry_run, host) {
        let layout = Layout::new(mailu.root(), client, host);
        crate::log::note(global, &layout, "restore", result.as_ref().map(|_| "done"));
    }
    let done = result?;
    printer.findings(&done.findings);
    if let Some(run) = &done.run {
        printer.findings(&run.findings);
    }
    if printer.json {
        printer.data(&done)?;
    } else {
        printer.restored(&done, one);
    }
    let run = done.run.iter().flat_map(|run| &run.findings);
    let all: Vec<_> = done.findings.iter().chain(run).cloned().collect();
    Ok(if has_errors(&all) {
        crate::FINDINGS
    } else {
        crate::FINE
    })
}
