//! `mailu backup`

use std::path::Path;

use mailu_core::Error;
use mailu_core::host::{Backup, BackupOptions, Keys, Mailu};
use mailu_core::timer::Chore;

use super::{chosen, each, timer};
use crate::args::{self, ArchiveKeys, BackupCommand, Global, Which};
use crate::output::{Printer, Steps};

pub(crate) fn run(global: &Global, printer: &mut Printer, args: args::Backup) -> Result<u8, Error> {
    match args.command {
        None => take(global, printer, &args),
        Some(BackupCommand::List(which)) => list(global, printer, &which),
        Some(BackupCommand::Verify { file, keys }) => verify(global, printer, &file, keys),
        Some(BackupCommand::Prune { which, dry_run }) => prune(global, printer, &which, dry_run),
        Some(BackupCommand::Timer(args)) => timer(global, printer, &args, Chore::Backups),
    }
}

fn take(global: &Global, printer: &mut Printer, args: &args::Backup) -> Result<u8, Error> {
    let mut options = BackupOptions::default();
    options.output.clone_from(&args.output);
    options.recipients.clone_from(&args.age_recipient);
    options.passphrase_file.clone_from(&args.passphrase_file);
    options.verify = args.verify;
    options.keep_all = args.keep_all;
    options.cold = args.cold;
    options.without_database = args.without_database;
    each(
        global,
        printer,
        &args.of,
        |mailu, layout, printer| {
            let mut steps = Steps::new(printer, None);
            steps.stops_when_interrupted();
            let done = mailu.backup(layout, &options, &mut steps);
            let file = match &done {
                Ok(done) => Ok(done.file.display().to_string()),
                Err(error) => Err(error),
            };
            crate::log::note(
                global,
                layout,
                "backup",
                file.as_deref().map_err(|error| *error),
            );
            done
        },
        |printer, done: &Backup| {
            printer.backup(done);
            printer.findings(&done.findings);
        },
        |_| false,
    )
}

fn list(global: &Global, printer: &mut Printer, which: &Which) -> Result<u8, Error> {
    let (mailu, layout) = chosen(global, which)?;
    let all = mailu.backups(&layout)?;
    if printer.json {
        printer.data(&all)?;
    } else if all.is_empty() {
        printer.note(format_args!(
            "there is none yet: `{}` takes one",
            layout.command("backup")
        ));
    } else {
        printer.backups(&all);
    }
    let readable = all.iter().all(|one| one.error.is_none());
    Ok(if readable {
        crate::FINE
    } else {
        crate::FINDINGS
    })
}

fn verify(
    global: &Global,
    printer: &mut Printer,
    file: &Path,
    keys: ArchiveKeys,
) -> Result<u8, Error> {
    let mailu = Mailu::new(&global.root)?;
    let keys = Keys::new(keys.age_identity, keys.passphrase_file);
    let mut steps = Steps::new(printer, None);
    steps.stops_when_interrupted();
    let verified = mailu.verify_backup(file, &keys, &mut steps)?;
    if printer.json {
        printer.data(&verified)?;
    } else {
        printer.verified(&verified);
    }
    Ok(crate::FINE)
}

fn prune(
    global: &Global,
    printer: &mut Printer,
    which: &Which,
    dry_run: bool,
) -> Result<u8, Error> {
    let (mailu, layout) = chosen(global, which)?;
    let pruned = mailu.prune_backups(&layout, dry_run)?;
    if printer.json {
        printer.data(&pruned)?;
    } else {
        printer.pruned(&pruned);
    }
    Ok(crate::FINE)
}
