//! `mailu completions`, `mailu man`

use clap_complete::{Shell, generate};
use mailu_core::{Error, ErrorKind};

use crate::output::Printer;

pub(crate) fn completions(printer: &mut Printer, shell: Shell) -> u8 {
    let mut text = Vec::new();
    generate(shell, &mut crate::command(), "mailu", &mut text);
    printer.raw(&String::from_utf8_lossy(&text));
    crate::FINE
}

pub(crate) fn man(printer: &mut Printer) -> Result<u8, Error> {
    let mut text = Vec::new();
    let failed = |error: std::io::Error| {
        Error::new(ErrorKind::Internal, "man", "write the manual page").source(error)
    };
    let command = crate::command();
    clap_mangen::Man::new(command.clone())
        .render(&mut text)
        .map_err(failed)?;
    for verb in command.get_subcommands() {
        let verb = verb.clone().name(format!("mailu-{}", verb.get_name()));
        clap_mangen::Man::new(verb)
            .render(&mut text)
            .map_err(failed)?;
    }
    printer.raw(&String::from_utf8_lossy(&text));
    Ok(crate::FINE)
}
