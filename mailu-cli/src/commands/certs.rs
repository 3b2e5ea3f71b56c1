//! `mailu certs`

use mailu_core::certs::Report;
use mailu_core::host::{CertificateSync, Mailu};
use mailu_core::names::{ClientId, MailHost};
use mailu_core::paths::Layout;
use mailu_core::{Error, ErrorKind};

use crate::args::{Certs, CertsCommand, CertsOf, CertsTimer, Global};
use crate::output::{Printer, Steps};

pub(crate) fn run(global: &Global, printer: &mut Printer, args: Certs) -> Result<u8, Error> {
    match args.command {
        None => show(global, printer, &args.of, !args.no_probe),
        Some(CertsCommand::Sync(of)) => sync(global, printer, &of),
        Some(CertsCommand::Timer(args)) => timer(global, printer, &args),
    }
}

fn timer(global: &Global, printer: &mut Printer, args: &CertsTimer) -> Result<u8, Error> {
    let mailu = Mailu::new(&global.root)?;
    let state = if args.install {
        mailu.install_timer()?
    } else if args.remove {
        mailu.remove_timer()?
    } else {
        mailu.timer()?
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

fn show(global: &Global, printer: &mut Printer, of: &CertsOf, probe: bool) -> Result<u8, Error> {
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

fn sync(global: &Global, printer: &mut Printer, of: &CertsOf) -> Result<u8, Error> {
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

/// Does something for one deployment, or for all of them: then what fails for one does not keep the others from it.
fn each<T: serde::Serialize>(
    global: &Global,
    printer: &mut Printer,
    of: &CertsOf,
    work: impl Fn(&Mailu, &Layout, &Printer) -> Result<T, Error>,
    print: impl Fn(&mut Printer, &T),
    needs_an_eye: impl Fn(&T) -> bool,
) -> Result<u8, Error> {
    if !of.all {
        let (mailu, layout) = super::chosen(global, &of.which)?;
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
        let done = named(&info.mail_host, info.client.as_deref(), &info.directory)
            .map(|(host, client)| Layout::new(mailu.root(), client, host))
            .and_then(|layout| work(&mailu, &layout, printer));
        match done {
            Ok(done) => {
                if needs_an_eye(&done) {
                    code = code.max(crate::FINDINGS);
                }
                if printer.json {
                    all.push(serde_json::json!(done));
                } else {
                    print(printer, &done);
                }
            }
            Err(error) => {
                code = crate::FAILED;
                if printer.json {
                    all.push(serde_json::json!({
                        "directory": info.directory,
                        "error": error.to_json(),
                    }));
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

fn named(
    mail_host: &str,
    client: Option<&str>,
    directory: &std::path::Path,
) -> Result<(MailHost, Option<ClientId>), Error> {
    let host = mail_host.parse::<MailHost>().ok();
    let client = client.map(str::parse::<ClientId>).transpose().ok();
    match (host, client) {
        (Some(host), Some(client)) => Ok((host, client)),
        _ => Err(Error::new(
            ErrorKind::Corrupt,
            "deployment.misnamed",
            format!(
                "use {}: its directory is not named by a mail host and client",
                directory.display()
            ),
        )
        .hint("rename the directory to the mail host in its mailu.toml")),
    }
}
