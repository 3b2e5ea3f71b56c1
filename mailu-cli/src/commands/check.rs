//! `mailu check`

use mailu_core::host::Mailu;
use mailu_core::names::{ClientId, MailHost};
use mailu_core::paths::Layout;
use mailu_core::plan::Request;
use mailu_core::preflight::{Options, Report};
use mailu_core::{Error, ErrorKind, Finding};

use super::read;
use crate::args::{Check, Checks, Global};
use crate::output::Printer;

pub(crate) fn run(global: &Global, printer: &mut Printer, args: &Check) -> Result<u8, Error> {
    let mailu = Mailu::new(&global.root)?;
    let mut request = Request::default();
    request.start = true;
    let options = options(&args.checks);
    request.skip = Some(options.skip.clone());
    let layout = match &args.config {
        Some(path) => {
            let text = read(path)?;
            let layout = named(&mailu, args, &text)?;
            request.config = Some(text);
            layout
        }
        None => existing(&mailu, args, &mut request)?,
    };
    request.settings.extend(args.settings.iter().cloned());
    let report = mailu.check(&layout, &request, &options)?;
    if printer.json {
        printer.data(&report)?;
    }
    printer.findings(&report.findings);
    for (id, since) in mailu.skipped(&layout) {
        if !report.skipped.contains(&id) {
            printer.note(format_args!(
                "{id} has been skipped at installation since {since}"
            ));
        }
    }
    if !printer.json {
        printer.checks(&report);
    }
    Ok(if report.ready {
        crate::FINE
    } else {
        crate::FINDINGS
    })
}

/// The options that were typed.
pub(crate) fn options(args: &Checks) -> Options {
    let mut options = Options::default();
    options.skip = args.skip_check.iter().cloned().collect();
    options.resolver = args.resolver;
    options.outbound.clone_from(&args.outbound_to);
    options.roots.clone_from(&args.root_server);
    options
}

/// What an installation has to hear of a report that lets it go on: what only the report says.
pub(crate) fn remarks(report: &Report) -> Vec<Finding> {
    report
        .findings
        .iter()
        .filter(|finding| finding.id.starts_with("preflight."))
        .cloned()
        .collect()
}

/// The deployment that a file is for.
fn named(mailu: &Mailu, args: &Check, text: &str) -> Result<Layout, Error> {
    let document = mailu_core::config::edit::Document::parse(text)?;
    let value = |key: &str| {
        document
            .get(key)
            .map(|value| value.trim_matches(['"', '\'']).to_owned())
    };
    let host = args
        .which
        .domain
        .clone()
        .or_else(|| value("mail_host").and_then(|text| text.parse::<MailHost>().ok()))
        .ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidInput,
                "check.no_mail_host",
                "check for a file: it has no valid `mail_host`",
            )
            .hint("`mailu config check FILE` shows what is wrong with it")
        })?;
    let client = match &args.which.client_id {
        Some(client) => client.0.clone(),
        None => value("client").and_then(|text| text.parse::<ClientId>().ok()),
    };
    Ok(Layout::new(mailu.root(), client, host))
}

/// A deployment that exists; or, by its mail host alone, one that could be installed.
fn existing(mailu: &Mailu, args: &Check, request: &mut Request) -> Result<Layout, Error> {
    let which = &args.which;
    if let Some(host) = &which.domain {
        let layout = Layout::new(mailu.root(), which.client(), host.clone());
        if !layout.config().exists() && !layout.rendered().exists() {
            let domain = host
                .as_str()
                .split_once('.')
                .map_or(host.as_str(), |(_, parent)| parent);
            let mut set = |key: &str, value: String| {
                request.settings.push((key.to_owned(), value));
            };
            set("mail_host", host.to_string());
            if let Some(client) = which.client() {
                set("client", client.to_string());
            }
            let given = |key: &str| args.settings.iter().find(|(set, _)| set == key);
            let domain = given("email_domain").map_or(domain, |(_, value)| value.as_str());
            set("email_domain", domain.to_owned());
            set("admin_email", format!("postmaster@{domain}"));
            return Ok(layout);
        }
    }
    mailu.find(&mailu_core::host::Target::new(
        which.domain.clone(),
        which.client(),
    ))
}
