//! `mailu logs`

use std::ops::ControlFlow;

use mailu_core::Error;
use mailu_core::host::LogRequest;

use super::chosen;
use crate::args::{Global, Logs};
use crate::output::{Prefixes, Printer};

pub(crate) fn run(global: &Global, printer: &mut Printer, args: Logs) -> Result<u8, Error> {
    let (mailu, layout) = chosen(global, &args.which)?;
    let prefixes = Prefixes::of(&mailu.services(&layout)?);
    let mut request = LogRequest::default();
    request.services = args.services;
    request.since = args.since;
    request.tail = args.tail;
    request.follow = args.follow;
    let result = mailu.logs(&layout, &request, &mut |entry| {
        let Some(entry) = entry else {
            return ControlFlow::Continue(());
        };
        let read = if printer.json {
            printer.json_line(&entry).unwrap_or_default()
        } else {
            printer.streamed(prefixes.line(&entry))
        };
        if read {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    });
    crate::log::note(global, &layout, "logs", result.as_ref().map(|()| "shown"));
    result?;
    Ok(crate::FINE)
}
