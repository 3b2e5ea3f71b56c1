//! One file for each verb.

pub(crate) mod accounts;
pub(crate) mod app;
pub(crate) mod apply;
pub(crate) mod backup;
pub(crate) mod certs;
pub(crate) mod check;
pub(crate) mod config;
pub(crate) mod deps;
pub(crate) mod diagnose;
pub(crate) mod dns;
pub(crate) mod exec;
pub(crate) mod install;
pub(crate) mod integrate;
pub(crate) mod list;
pub(crate) mod logs;
pub(crate) mod meta;
pub(crate) mod power;
pub(crate) mod render;
pub(crate) mod restore;
pub(crate) mod show;
pub(crate) mod status;
pub(crate) mod test_email;
pub(crate) mod uninstall;
pub(crate) mod update;

use std::path::Path;

use mailu_core::host::api::Each;
use mailu_core::host::{Mailu, Target};
use mailu_core::paths::Layout;
use mailu_core::timer::Chore;
use mailu_core::{Error, ErrorKind};

use crate::args::{Global, Of, TimerArgs, Which};
use crate::output::Printer;

/// The deployment that was named, or the only one.
fn chosen(global: &Global, which: &Which) -> Result<(Mailu, Layout), Error> {
    let mailu = Mailu::new(&global.root)?;
    let layout = mailu.find(&Target::new(which.domain.clone(), which.client()))?;
    Ok((mailu, layout))
}

/// Reads a file that somebody named.
fn read(path: &Path) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(|error| {
        Error::new(
            ErrorKind::Io,
            "file.failed",
            format!("read {}", path.display()),
        )
        .source(error)
        .hint("check the path")
    })
}

/// Reads a file that somebody named, but no more than shows that it has over `limit` bytes.
fn read_bytes(path: &Path, limit: usize) -> Result<Vec<u8>, Error> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(limit as u64 + 1).read_to_end(&mut bytes))
        .map_err(|error| {
            Error::new(
                ErrorKind::Io,
                "file.failed",
                format!("read {}", path.display()),
            )
            .source(error)
            .hint("check the path")
        })?;
    Ok(bytes)
}

/// Shows, installs or removes the timer for a chore.
fn timer(
    global: &Global,
    printer: &mut Printer,
    args: &TimerArgs,
    chore: Chore,
) -> Result<u8, Error> {
    let mailu = Mailu::new(&global.root)?;
    let state = if args.install {
        mailu.install_timer(chore)?
    } else if args.remove {
        mailu.remove_timer(chore)?
    } else {
        mailu.timer(chore)?
    };
    printer.findings(&state.findings);
    if printer.json {
        printer.data(&state)?;
    } else if args.install || args.remove {
        let names: Vec<String> = state
            .units
            .iter()
            .map(|(path, _)| path.display().to_string())
            .collect();
        printer.line(format_args!(
            "{}: {}",
            names.join(", "),
            match (state.changed, args.remove) {
                (false, _) => "nothing to do",
                (true, false) => "installed",
                (true, true) => "removed",
            }
        ));
    } else {
        for (path, text) in &state.units {
            printer.line(format_args!("# {}", path.display()));
            printer.raw(text);
            printer.line("");
        }
        printer.line(format_args!(
            "# for cron, where there is no systemd:\n# {}",
            state.cron
        ));
    }
    Ok(crate::FINE)
}

/// Does something for one deployment, or for all of them: then what fails for one does not keep the others from it.
fn each<T: serde::Serialize>(
    global: &Global,
    printer: &mut Printer,
    of: &Of,
    work: impl Fn(&Mailu, &Layout, &Printer) -> Result<T, Error>,
    print: impl Fn(&mut Printer, &T),
    needs_an_eye: impl Fn(&T) -> bool,
) -> Result<u8, Error> {
    if !of.all {
        let (mailu, layout) = chosen(global, &of.which)?;
        let done = work(&mailu, &layout, printer)?;
        if printer.json {
            printer.data(&done)?;
        } else {
            print(printer, &done);
        }
        return Ok(if needs_an_eye(&done) {
            crate::FINDINGS
        } else {
            crate::FINE
        });
    }
    let mailu = Mailu::new(&global.root)?;
    let mut code = crate::FINE;
    let mut all = Vec::new();
    for info in mailu.list()? {
        let done = info
            .layout(mailu.root())
            .and_then(|layout| work(&mailu, &layout, printer));
        match done {
            Ok(done) => {
                if needs_an_eye(&done) {
                    code = code.max(crate::FINDINGS);
                }
                if printer.json {
                    all.push(Each::Done(done));
                } else {
                    print(printer, &done);
                }
            }
            Err(error) => {
                code = crate::FAILED;
                if printer.json {
                    all.push(Each::failed(&info.directory, &error));
                } else {
                    printer.error(&error.about(&info.mail_host), false);
                }
            }
        }
    }
    if printer.json {
        printer.data(&all)?;
    }
    Ok(code)
}
