//! `mailu integrate`

use mailu_core::apps::Tls;
use mailu_core::host::{AppApi, IntegrateOptions};
use mailu_core::{Error, has_errors};

use super::chosen;
use super::install::secret;
use crate::args::{AppTls, Global, Integrate};
use crate::output::{Printer, Steps};

pub(crate) fn run(global: &Global, printer: &mut Printer, args: Integrate) -> Result<u8, Error> {
    let (mailu, layout) = chosen(global, &args.which)?;
    let mut options = IntegrateOptions::new(args.app);
    options.site = args.site.filter(|site| !site.is_empty());
    options.wish.login = args.login;
    options.wish.from = args.from;
    options.wish.from_name = args.from_name;
    options.wish.tls = args.tls.map(|tls| match tls {
        AppTls::Implicit => Tls::Implicit,
        AppTls::Starttls => Tls::Starttls,
    });
    options.wish.incoming = args.incoming;
    options.path = args.path;
    options.format = args.format;
    options.container = args.container;
    options.restart = args.restart;
    options.ca = args.ca;
    options.only = args.only;
    options.exempt = args.exempt;
    options.interrupt = args.interrupt;
    options.rotate = args.rotate;
    options.dry_run = args.dry_run;
    options.reports = crate::log::reports(global);
    if args.api_url.is_some() || args.api_token_file.is_some() {
        let mut api = AppApi::new(args.api_url.unwrap_or_default());
        api.user = args.api_user;
        api.account = args.api_account;
        match args.api_token_file {
            Some(file) if file.as_os_str() == "-" => {
                api.secret = secret(None, Some(&file), "app's token")?;
            }
            file => api.token_file = file,
        }
        options.api = Some(api);
    }
    let result = {
        let mut steps = Steps::new(printer, None);
        let mut said = |line: &str| mailu_core::host::Progress::said(&mut steps, line);
        if args.remove {
            mailu.disconnect(&layout, &options, &mut said)
        } else {
            mailu.integrate(&layout, &options, &mut said)
        }
    };
    if !options.dry_run {
        let said = result
            .as_ref()
            .map(|done| match (done.performed, args.remove) {
                (true, false) => "connected",
                (true, true) => "disconnected",
                (false, _) => "nothing changed",
            });
        crate::log::note(global, &layout, "integrate", said);
    }
    let done = result?;
    printer.findings(&done.findings);
    if printer.json {
        printer.data(&done)?;
    } else {
        printer.integrated(&done, args.remove);
    }
    Ok(if has_errors(&done.findings) {
        crate::FINDINGS
    } else {
        crate::FINE
    })
}
