//! `mailu uninstall`

use mailu_core::Error;
use mailu_core::host::api::confirm_deletion;
use mailu_core::host::{Mailu, Target};
use mailu_core::names::MailHost;

use crate::args::{Global, Uninstall};
use crate::output::{Printer, is_interactive};

pub(crate) fn run(global: &Global, printer: &mut Printer, args: &Uninstall) -> Result<u8, Error> {
    let mailu = Mailu::new(&global.root)?;
    let target = Target::new(args.which.domain.clone(), args.which.client());
    let layout = match mailu.find(&target) {
        // Deleted is deleted, also the second time.
        Err(error)
            if error.code() == "deployment.not_found"
                && args.yes_delete.is_some()
                && args.yes_delete == args.which.domain =>
        {
            printer.note("there is nothing of it left");
            if printer.json {
                printer.data(&serde_json::Value::Null)?;
            }
            return Ok(crate::FINE);
        }
        found => found?,
    };
    if args.delete_data {
        confirm(args.yes_delete.as_ref(), layout.mail_host())?;
    }
    let what = if args.delete_data {
        "uninstall with all data"
    } else {
        "uninstall"
    };
    let result = mailu.uninstall(&layout, args.delete_data, &mut |line| printer.note(line));
    crate::log::note(global, &layout, what, result.as_ref().map(|_| "done"));
    let done = result?;
    if printer.json {
        printer.data(&done)?;
    } else {
        printer.uninstalled(&done, &layout.command("install"));
    }
    Ok(crate::FINE)
}

/// Nobody deletes a server's mail without having named it.
fn confirm(given: Option<&MailHost>, host: &MailHost) -> Result<(), Error> {
    if given.is_some() {
        return confirm_deletion(given, host, "");
    }
    let unconfirmed = |why: &str| confirm_deletion(None, host, why);
    if !is_interactive() {
        return unconfirmed("it was not confirmed");
    }
    let typed: Result<String, _> = dialoguer::Input::new()
        .with_prompt(format!(
            "This deletes all mail, accounts, keys and secrets of {host}. Type its name to go on"
        ))
        .allow_empty(true)
        .interact_text();
    match typed {
        Err(error) => {
            unconfirmed("the answer cannot be read").map_err(|refused| refused.source(error))
        }
        Ok(typed)
            if typed
                .trim()
                .parse()
                .is_ok_and(|name: MailHost| name == *host) =>
        {
            Ok(())
        }
        Ok(_) => unconfirmed("another name was typed"),
    }
}
