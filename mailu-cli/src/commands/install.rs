//! `mailu install`

use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use mailu_core::host::api::{Installed, Names};
use mailu_core::host::{Mailu, UpOptions};
use mailu_core::names::{EmailAddress, EmailDomain, MailHost};
use mailu_core::paths::{DEFAULT_ROOT, Layout};
use mailu_core::plan::Request;
use mailu_core::preflight::Report;
use mailu_core::{Error, ErrorKind, Finding, Secret};

use super::{check, read};
use crate::args::{Choices, ClientArg, Global, Install};
use crate::output::{Printer, Steps, is_interactive};

pub(crate) fn run(global: &Global, printer: &mut Printer, mut args: Install) -> Result<u8, Error> {
    let mailu = Mailu::new(&global.root)?;
    if args.admin_password.is_some()
        && std::env::args_os().any(|arg| {
            arg.to_string_lossy().starts_with("--admin-password")
                && !arg.to_string_lossy().starts_with("--admin-password-file")
        })
    {
        printer.findings(&[Finding::warning(
            "install.password_in_argv",
            "--admin-password",
            "shows the password to every user of this host while the command runs, and to the shell's history",
        )
        .hint("use --admin-password-file, or MAILU_ADMIN_PASSWORD in the environment")]);
    }

    let mut request = Request::default();
    request.start = !args.no_start;
    request_choices(&mut request, &args.choices);
    if let Some(path) = &args.config {
        request.config = Some(read(path)?);
    }
    let layout = settle(&mailu, &mut request, &mut args)?;
    request.admin_password = secret(
        args.admin_password.take(),
        args.admin_password_file.as_deref(),
        "admin password",
    )?;
    request.relay_password = secret(None, args.relay_password_file.as_deref(), "relay password")?;

    let mut dependencies = None;
    if args.with_deps {
        let done = super::deps::provide(&mailu, &layout, &mut request, args.dry_run, printer)?;
        dependencies = Some(done);
    }
    let with = |outcome| {
        let mut installed = Installed::new(outcome);
        installed.dependencies = dependencies;
        installed
    };
    if args.dry_run {
        let installed = with(mailu.plan(&layout, &request)?);
        return printer.outcome(&installed, true);
    }
    let report = if args.no_start {
        None
    } else {
        Some(ready(&mailu, &layout, &mut request, &args, printer)?)
    };
    let log = open_log(global, printer);
    let mut steps = Steps::new(printer, log);
    let outcome = match report {
        None => mailu.deploy(&layout, &request, &mut steps)?,
        Some(report) => {
            steps.note_checks(&report);
            steps.stops_when_interrupted();
            let mut outcome = mailu.install(&layout, &request, &waiting(args.wait), &mut steps)?;
            outcome.preflight = Some(report);
            outcome
        }
    };
    let mut installed = with(outcome);
    // Before the outcome, so that what was found is said last.
    if !args.no_start && !args.no_timer && installed.outcome.plan.conflicts.is_empty() {
        installed.timers = mailu.keep_current();
        printer.findings(&installed.timers);
    }
    let code = printer.outcome(&installed, false)?;
    let outcome = installed.outcome;
    if !printer.json && outcome.plan.conflicts.is_empty() {
        match &outcome.run {
            // Addresses would look as if there were something at them.
            Some(run) if !run.installed => printer.next(&outcome.next),
            _ => printer.summary(&outcome.details, &outcome.dns, &outcome.next),
        }
    }
    Ok(code)
}

/// Refuses to go on where the server could not run, with everything that keeps it from that.
fn ready(
    mailu: &Mailu,
    layout: &Layout,
    request: &mut Request,
    args: &Install,
    printer: &mut Printer,
) -> Result<Report, Error> {
    let options = check::options(&args.checks);
    request.skip = Some(options.skip.clone());
    let report = mailu.check_before_install(layout, request, &options)?;
    report.refusal().map_err(|error| {
        error.hint("`--no-start` writes the files, and leaves everything else for later")
    })?;
    printer.findings(&check::remarks(&report));
    Ok(report)
}

/// How long each service may take.
pub(crate) fn waiting(seconds: Option<u64>) -> UpOptions {
    UpOptions::new(seconds.map(Duration::from_secs))
}

/// Copies what was chosen about edited files.
pub(crate) fn request_choices(request: &mut Request, choices: &Choices) {
    request.force = choices.force;
    request.reset = choices.reset.iter().cloned().collect();
    request.adopt = choices.adopt.iter().cloned().collect();
    request.new_dkim_key = choices.new_dkim_key.iter().cloned().collect();
}

/// Finds out which deployment is meant, and turns flags and answers into settings.
fn settle(mailu: &Mailu, request: &mut Request, args: &mut Install) -> Result<Layout, Error> {
    let mut names = Names::default();
    names.mail_host = args.which.domain.take();
    names.client = args.which.client_id.take().map(|client| client.0);
    names.email_domain = args.email_domain.take();
    names.admin_email = args.admin_email.take();
    if let Some(text) = &request.config {
        names.read(text)?;
    }
    // Whose it is, is asked for where everything else was said, too.
    let is_new = !names.exists(mailu) && request.config.is_none() && is_interactive();
    if is_new || names.missing(mailu).contains(&true) {
        ask(mailu, &mut names, request.config.is_some())?;
    }
    request.settings.append(&mut args.settings);
    names.settle(mailu, request)
}

/// Asks for what no flag has said.
fn ask(mailu: &Mailu, names: &mut Names, from_file: bool) -> Result<(), Error> {
    let missing = names.missing(mailu);
    if !is_interactive() {
        let flags: Vec<&str> = missing
            .into_iter()
            .zip(["--domain", "--email-domain", "--admin-email"])
            .filter_map(|(absent, flag)| absent.then_some(flag))
            .collect();
        return Err(Names::refusal(&flags, ", and there is no terminal to ask"));
    }
    let [_, email_domain, admin_email] = missing;
    if names.mail_host.is_none() {
        names.mail_host = Some(prompt::<MailHost>(
            "Public name of the server (mail.example.com)",
            None,
        )?);
    }
    let parent = names
        .mail_host
        .as_ref()
        .and_then(|h| h.as_str().split_once('.').map(|(_, rest)| rest.to_owned()));
    if email_domain {
        let default = parent.filter(|p| p.parse::<EmailDomain>().is_ok());
        names.email_domain =
            Some(prompt::<EmailDomain>("Email domain, the part after the @", default)?.to_string());
    }
    if admin_email {
        let default = names
            .email_domain
            .as_ref()
            .map(|domain| format!("admin@{domain}"));
        names.admin_email = Some(
            prompt::<EmailAddress>("Address of the first administrator", default)?.to_string(),
        );
    }
    if names.client.is_none() && !from_file {
        let client: ClientArg = prompt(
            "Client that this server belongs to (empty: your own)",
            Some(String::new()),
        )?;
        names.client = Some(client.0);
    }
    Ok(())
}

fn prompt<T>(question: &str, default: Option<String>) -> Result<T, Error>
where
    T: std::str::FromStr<Err: std::fmt::Display> + Clone,
{
    let mut input = dialoguer::Input::<String>::new()
        .with_prompt(question)
        .allow_empty(true);
    if let Some(default) = default {
        input = input.show_default(!default.is_empty()).default(default);
    }
    let text = input
        .validate_with(|text: &String| text.parse::<T>().map(drop).map_err(|rule| rule.to_string()))
        .interact_text()
        .map_err(|error| {
            Error::new(
                ErrorKind::Io,
                "install.no_answer",
                "read an answer from the terminal",
            )
            .source(error)
        })?;
    text.parse().map_err(|_| {
        Error::new(
            ErrorKind::Internal,
            "install.answer",
            "read an answer from the terminal",
        )
    })
}

/// A secret from a flag, from a file, or from the input.
pub(super) fn secret(
    flag: Option<Secret>,
    file: Option<&Path>,
    what: &str,
) -> Result<Option<Secret>, Error> {
    let text = match (flag, file) {
        (Some(given), _) => given.expose().to_owned(),
        (None, Some(path)) if path.as_os_str() == "-" => {
            let mut text = String::new();
            std::io::stdin()
                .read_to_string(&mut text)
                .map_err(|error| {
                    Error::new(
                        ErrorKind::Io,
                        "secret.unreadable",
                        format!("read the {what} from the input"),
                    )
                    .source(error)
                })?;
            text
        }
        (None, Some(path)) => read(path)?,
        (None, None) => return Ok(None),
    };
    Ok(Some(Secret::new(text.trim_end_matches(['\r', '\n']))))
}

/// AgencyStack's log of this installation.
pub(crate) fn open_log(global: &Global, printer: &mut Printer) -> Option<std::fs::File> {
    if global.root != Path::new(DEFAULT_ROOT) {
        return None;
    }
    let directory = Layout::logs();
    let stamp = mailu_core::host::timestamp();
    let path = directory.join(format!("install_mailu-{stamp}.log"));
    let open = || {
        std::fs::create_dir_all(&directory)?;
        std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
    };
    match open() {
        Ok(file) => Some(file),
        Err(error) => {
            printer.note(format_args!(
                "no log is kept in {}: {error}",
                directory.display()
            ));
            None
        }
    }
}
