//! `mailu test-email`

use std::time::Duration;

use mailu_core::Error;
use mailu_core::host::TestEmail;

use super::install::secret;
use super::{chosen, read};
use crate::args::{self, Global};
use crate::output::Printer;

pub(crate) fn run(
    global: &Global,
    printer: &mut Printer,
    args: args::TestEmail,
) -> Result<u8, Error> {
    let (mailu, layout) = chosen(global, &args.which)?;
    let mut wish = TestEmail::default();
    wish.to = args.recipient.or(args.to);
    wish.from = args.from;
    wish.password = secret(None, args.password_file.as_deref(), "sender's password")?;
    wish.subject = args.subject;
    wish.body = match &args.body_file {
        Some(path) => Some(read(path)?),
        None => args.body,
    };
    wish.timeout = Duration::from_secs(args.timeout);
    wish.keep = args.keep;
    wish.negative = !args.no_negative;
    let result = mailu.test_email(&layout, &wish, &mut |step| printer.stage(step));
    let said = result.as_ref().map(|report| {
        if report.delivered {
            "delivered"
        } else {
            "not delivered"
        }
    });
    crate::log::note(global, &layout, "test-email", said);
    let report = result?;
    if printer.json {
        printer.data(&report)?;
    } else {
        printer.test_email(&report);
    }
    Ok(report.exit_code)
}
