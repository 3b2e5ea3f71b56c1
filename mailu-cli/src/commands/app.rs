//! `mailu app`

use std::path::Path;

use mailu_core::Error;
use mailu_core::apps::{self, Tls};
use mailu_core::host::api::AppWish;

use super::chosen;
use super::install::secret;
use crate::args::{AppCommand, AppSettings, AppTls, Global};
use crate::output::Printer;

pub(crate) fn run(global: &Global, printer: &mut Printer, args: AppCommand) -> Result<u8, Error> {
    match args {
        AppCommand::List => list(printer),
        AppCommand::Settings(args) => settings(global, printer, *args),
    }
}

fn list(printer: &mut Printer) -> Result<u8, Error> {
    let all = apps::list();
    if printer.json {
        printer.data(&all)?;
    } else {
        printer.apps(&all);
    }
    Ok(crate::FINE)
}

fn settings(global: &Global, printer: &mut Printer, args: AppSettings) -> Result<u8, Error> {
    let file = if args.password_stdin {
        Some(Path::new("-"))
    } else {
        args.password_file.as_deref()
    };
    let mut wish = AppWish::new(args.app, args.login);
    wish.password = secret(None, file, "app's password")?;
    wish.from = args.from;
    wish.from_name = args.from_name;
    wish.envelope_from = args.envelope_from;
    wish.helo = args.helo;
    wish.tls = match args.tls {
        AppTls::Implicit => Tls::Implicit,
        AppTls::Starttls => Tls::Starttls,
    };
    wish.incoming = args.incoming;
    wish.format = args.format;
    wish.into = args.into;
    wish.reveal = args.reveal;
    wish.out = args.out;
    let (mailu, layout) = chosen(global, &args.which)?;
    let settings = mailu.app_settings(&layout, wish)?;
    if printer.json {
        printer.data(&settings)?;
        return Ok(crate::FINE);
    }
    if let Some(path) = &settings.file {
        printer.line(path.display());
    }
    if let Some(text) = &settings.text {
        printer.raw(text);
    }
    printer.note(format_args!("goes to: {}", settings.about));
    for note in &settings.notes {
        printer.note(format_args!("note: {note}"));
    }
    Ok(crate::FINE)
}
