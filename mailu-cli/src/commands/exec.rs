//! `mailu exec`

use std::io::IsTerminal as _;

use mailu_core::Error;

use super::chosen;
use crate::args::{Exec, Global};
use crate::output::Printer;

pub(crate) fn run(global: &Global, printer: &mut Printer, args: &Exec) -> Result<u8, Error> {
    let (mailu, layout) = chosen(global, &args.which)?;
    let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let result = mailu.execute(
        &layout,
        &args.service,
        &args.command,
        terminal,
        printer.json,
    );
    // Without its arguments: they may hold what is nobody's business.
    let program = args.command.first().map_or("", String::as_str);
    let said = result
        .as_ref()
        .map(|done| format!("ended with exit code {}", done.exit_code));
    crate::log::note(
        global,
        &layout,
        &format!("exec {} {program}", args.service),
        said.as_deref().map_err(|error| *error),
    );
    let done = result?;
    if printer.json {
        printer.data(&done)?;
    }
    Ok(u8::try_from(done.exit_code).unwrap_or(crate::FAILED))
}
