//! Apps for people.

use mailu_core::apps::{Info, Starttls};

use super::{BOLD, DIM, Printer};

impl Printer {
    /// The apps that can be told how to send.
    pub(crate) fn apps(&mut self, all: &[Info]) {
        let width = all.iter().map(|app| app.name.len()).max().unwrap_or(0);
        for app in all {
            let starttls = match app.starttls {
                Starttls::Opportunistic => "  STARTTLS: goes on without, where it is not offered",
                Starttls::Unverified => "  STARTTLS: without looking at the certificate",
                Starttls::Impossible => "  STARTTLS: no",
                _ => "",
            };
            self.line(format_args!(
                "{BOLD}{:<width$}{BOLD:#}  {}{DIM}{starttls}{DIM:#}",
                app.name,
                app.formats.join(" ")
            ));
        }
    }
}
