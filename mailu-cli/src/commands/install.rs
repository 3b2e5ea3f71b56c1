//! `mailu install`

use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use mailu_core::host::{Mailu, UpOptions};
use mailu_core::names::{ClientId, EmailAddress, EmailDomain, MailHost};
use mailu_core::paths::{DEFAULT_ROOT, Layout};
use mailu_core::plan::Request;
use mailu_core::preflight::Report;
use mailu_core::{Error, ErrorKind, Finding, Secret};

use super::{check, read};
use crate::args::{Choices, Global, Install};
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

    if args.with_deps {
        super::deps::provide(&mailu, &layout, &mut request, args.dry_run, printer)?;
    }
    if args.dry_run {
        let outcome = mailu.plan(&layout, &request)?;
        return printer.outcome(&outcome, true);
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
    // Before the outcome, so that what was found is said last.
    if !args.no_start && !args.no_timer && outcome.plan.conflicts.is_empty() {
        printer.findings(&mailu.keep_current());
    }
    let code = printer.outcome(&outcome, false)?;
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
    let given = request
        .config
        .as_deref()
        .map(str::parse::<KnownNames>)
        .transpose()?;
    if let (Some(flag), Some(client)) = (
        &args.which.client_id,
        given.as_ref().and_then(|g| g.client.as_ref()),
    ) && flag.0.is_none()
    {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            "install.client",
            format!("install for no client: the given file has `client = \"{client}\"`, and an empty --client-id contradicts it"),
        )
        .hint("leave --client-id away, or remove `client` from the file"));
    }
    let mut host = args
        .which
        .domain
        .clone()
        .or_else(|| given.as_ref().and_then(|g| g.mail_host.clone()));
    let exists = host.as_ref().is_some_and(|host| {
        let layout = Layout::new(mailu.root(), client(args, given.as_ref()), host.clone());
        // Of a deployment that has lost its mailu.toml, the library says how to go on.
        layout.config().exists() || layout.rendered().exists()
    });
    let complete = exists
        || given
            .as_ref()
            .is_some_and(|g| g.email_domain && g.admin_email);
    if host.is_none() || !complete {
        ask(&mut host, args, given.as_ref())?;
    }
    let Some(host) = host else {
        return Err(missing(&["--domain"]));
    };
    let client = client(args, given.as_ref());

    request
        .settings
        .push(("mail_host".to_owned(), host.to_string()));
    if let Some(domain) = &args.email_domain {
        request
            .settings
            .push(("email_domain".to_owned(), domain.clone()));
    }
    if let Some(address) = &args.admin_email {
        request
            .settings
            .push(("admin_email".to_owned(), address.clone()));
    }
    if let Some(client) = &client {
        request
            .settings
            .push(("client".to_owned(), client.to_string()));
    }
    request.settings.append(&mut args.settings);
    Ok(Layout::new(mailu.root(), client, host))
}

/// The client that was named by flag or answer, else by the given file.
fn client(args: &Install, given: Option<&KnownNames>) -> Option<ClientId> {
    match &args.which.client_id {
        Some(client) => client.0.clone(),
        None => given.and_then(|g| g.client.clone()),
    }
}

/// What a given mailu.toml says about the answers that an installation needs.
struct KnownNames {
    mail_host: Option<MailHost>,
    client: Option<ClientId>,
    email_domain: bool,
    admin_email: bool,
}

impl std::str::FromStr for KnownNames {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let document = mailu_core::config::edit::Document::parse(text)?;
        let text = |key: &str| {
            document
                .get(key)
                .map(|v| v.trim_matches(['"', '\'']).to_owned())
        };
        Ok(Self {
            mail_host: text("mail_host").and_then(|v| v.parse().ok()),
            client: text("client").and_then(|v| v.parse().ok()),
            email_domain: text("email_domain").is_some(),
            admin_email: text("admin_email").is_some(),
        })
    }
}

fn missing(flags: &[&str]) -> Error {
    Error::new(
        ErrorKind::InvalidInput,
        "install.missing_answers",
        format!("install a mail server: {} missing, and there is no terminal to ask", flags.join(", ")),
    )
    .hint("mailu install --domain mail.example.com --email-domain example.com --admin-email admin@example.com")
}

/// Asks for what no flag has said.
fn ask(
    host: &mut Option<MailHost>,
    args: &mut Install,
    given: Option<&KnownNames>,
) -> Result<(), Error> {
    let known_domain = args.email_domain.is_some() || given.is_some_and(|g| g.email_domain);
    let known_admin = args.admin_email.is_some() || given.is_some_and(|g| g.admin_email);
    if !is_interactive() {
        let flags: Vec<&str> = [
            (host.is_none(), "--domain"),
            (!known_domain, "--email-domain"),
            (!known_admin, "--admin-email"),
        ]
        .into_iter()
        .filter_map(|(absent, flag)| absent.then_some(flag))
        .collect();
        return if flags.is_empty() {
            Ok(())
        } else {
            Err(missing(&flags))
        };
    }
    if host.is_none() {
        *host = Some(prompt::<MailHost>(
            "Public name of the server (mail.example.com)",
            None,
        )?);
    }
    let parent = host
        .as_ref()
        .and_then(|h| h.as_str().split_once('.').map(|(_, rest)| rest.to_owned()));
    if !known_domain {
        let default = parent.filter(|p| p.parse::<EmailDomain>().is_ok());
        args.email_domain =
            Some(prompt::<EmailDomain>("Email domain, the part after the @", default)?.to_string());
    }
    if !known_admin {
        let default = args
            .email_domain
            .as_ref()
            .map(|domain| format!("admin@{domain}"));
        args.admin_email = Some(
            prompt::<EmailAddress>("Address of the first administrator", default)?.to_string(),
        );
    }
    if args.which.client_id.is_none() && given.is_none() {
        let client: String = prompt(
            "Client that this server belongs to (empty: your own)",
            Some(String::new()),
        )?;
        args.which.client_id = Some(client.parse().map_err(
            |error: mailu_core::names::NameError| {
                Error::new(
                    ErrorKind::InvalidInput,
                    "install.client",
                    format!("take `{client}` as a client"),
                )
                .source(error)
            },
        )?);
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
