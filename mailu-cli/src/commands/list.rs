//! `mailu list`

use mailu_core::Error;
use mailu_core::host::Mailu;

use crate::args::Global;
use crate::output::Printer;

pub(crate) fn run(global: &Global, printer: &mut Printer) -> Result<u8, Error> {
    let all = Mailu::new(&global.root)?.list()?;
    if printer.json {
        printer.data(&all)?;
        return Ok(crate::FINE);
    }
    if all.is_empty() {
        printer.note(format_args!(
            "no deployments below {}",
            global.root.join("mailu").display()
        ));
        return Ok(crate::FINE);
    }
    let rows: Vec<[String; 6]> = std::iter::once(
        [
            "MAIL HOST",
            "CLIENT",
            "EMAIL DOMAINS",
            "TLS",
            "VERSION",
            "STATE",
        ]
        .map(str::to_owned),
    )
    .chain(all.into_iter().map(|i| {
        [
            i.mail_host,
            i.client.unwrap_or_else(|| "-".to_owned()),
            i.email_domains.join(","),
            i.tls.unwrap_or_else(|| "?".to_owned()),
            i.version.unwrap_or_else(|| "?".to_owned()),
            i.state,
        ]
    }))
    .collect();
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..6).map(width).collect();
    for row in &rows {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        printer.line(cells.join("  ").trim_end());
    }
    Ok(crate::FINE)
}
