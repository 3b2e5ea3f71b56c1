//! `mailu app`

use std::path::Path;

use mailu_core::apps::{self, Offer, Tls};
use mailu_core::host::write_settings;
use mailu_core::{Error, ErrorKind, Secret};
use serde_json::json;

use super::install::secret;
use super::{chosen, read};
use crate::args::{AppCommand, AppSettings, AppTls, Global};
use crate::output::Printer;

/// What stands in the place of a password that is not to be seen. Apps that keep a password when they get stars back keep it.
const HIDDEN: &str = "********";

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
    let shown = args.reveal || args.out.is_some();
    let file = if args.password_stdin {
        Some(Path::new("-"))
    } else {
        args.password_file.as_deref()
    };
    let given = secret(None, file, "app's password")?;
    let password = match given {
        None if shown => {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "app.no_password",
                "write settings with the password: none was given",
            )
            .hint("add `--password-file FILE`, or `--password-stdin`"));
        }
        Some(given) if shown => given,
        // What is wrong with it is said all the same.
        Some(given) if apps::is_numeric_looking(given.expose()) => given,
        _ => Secret::new(HIDDEN),
    };
    let (mailu, layout) = chosen(global, &args.which)?;
    let (config, _) = mailu.config(&layout)?;
    let (app, unknown) = apps::find(&args.app, args.format.as_deref())?;
    let mut offer = Offer::new(args.login, password);
    offer.tls = match args.tls {
        AppTls::Implicit => Tls::Implicit,
        AppTls::Starttls => Tls::Starttls,
    };
    offer.incoming = args.incoming;
    let mut profile = offer.profile(&config)?;
    profile.from = args.from.unwrap_or(profile.from);
    profile.from_name = args.from_name;
    profile.envelope_from = args.envelope_from;
    profile.helo = args.helo;
    let format = args.format.as_deref();
    let mut settings = match &args.into {
        Some(path) => app.merged(&profile, format, &read(path)?)?,
        None => app.settings(&profile, format)?,
    };
    settings.notes.splice(0..0, unknown);
    if !shown {
        settings.notes.push(
            "the password is hidden: `--reveal` prints it, `--out FILE` writes it into a file"
                .to_owned(),
        );
    }
    let written = match &args.out {
        Some(path) => Some(write_settings(path, &settings.text)?),
        None => None,
    };
    if printer.json {
        let mut data = json!(settings);
        if let Some(path) = &written {
            data["text"] = json!(null);
            data["file"] = json!(path);
        }
        printer.data(&data)?;
        return Ok(crate::FINE);
    }
    match &written {
        Some(path) => printer.line(path.display()),
        None => printer.raw(&settings.text),
    }
    printer.note(format_args!("goes to: {}", settings.about));
    for note in &settings.notes {
        printer.note(format_args!("note: {note}"));
    }
    Ok(crate::FINE)
}
