//! `mailu show`

use mailu_core::Error;
use mailu_core::host::api::RevealedSecret;

use super::chosen;
use crate::args::{Global, Show};
use crate::output::Printer;

pub(crate) fn run(global: &Global, printer: &mut Printer, args: &Show) -> Result<u8, Error> {
    let (mailu, layout) = chosen(global, &args.which)?;
    if let Some(name) = &args.reveal {
        let secret = mailu.secret(&layout, name)?;
        if printer.json {
            printer.data(&RevealedSecret::new(name, &secret))?;
        } else {
            printer.line(secret.expose());
        }
        return Ok(crate::FINE);
    }
    let details = mailu.show(&layout)?;
    if printer.json {
        printer.data(&details)?;
    } else {
        printer.details(&details);
    }
    Ok(crate::FINE)
}
