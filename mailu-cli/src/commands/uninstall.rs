//! `mailu uninstall`

use mailu_core::host::{Mailu, Target};
use mailu_core::names::MailHost;
use mailu_core::{Error, ErrorKind};

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
    let unconfirmed = |why: &str| {
        Error::new(
            ErrorKind::InvalidInput,
            "uninstall.unconfirmed",
            format!("delete all data of {host}: {why}; nothing was changed"),
        )
        .hint(format!(
            "add `--yes-delete {host}` if all of its mail is to be deleted"
        ))
    };
    match given {
        Some(name) if name == host => Ok(()),
        Some(name) => Err(unconfirmed(&format!("--yes-delete names {name}"))),
        None if is_interactive() => {
            let typed: String = dialoguer::Input::new()
                .with_prompt(format!(
                    "This deletes all mail, accounts, keys and secrets of {host}. Type its name to go on"
                ))
                .allow_empty(true)
                .interact_text()
                .map_err(|error| unconfirmed("the answer cannot be read").source(error))?;
            if typed
                .trim()
                .parse()
                .is_ok_and(|name: MailHost| name == *host)
            {
                Ok(())
            } else {
                Err(unconfirmed("another name was typed"))
            }
        }
        None => Err(unconfirmed("it was not confirmed")),
    }
}
