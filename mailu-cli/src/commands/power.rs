//! `mailu start`, `mailu stop`, `mailu restart`

use std::time::Duration;

use mailu_core::Error;
use mailu_core::host::{OperateOptions, Power};

use super::chosen;
use crate::args::{self, Global};
use crate::output::{Printer, Steps};

pub(crate) fn run(
    global: &Global,
    printer: &mut Printer,
    args: args::Power,
    action: Power,
) -> Result<u8, Error> {
    let (mailu, layout) = chosen(global, &args.which)?;
    let what = [&[action.as_str().to_owned()], args.services.as_slice()]
        .concat()
        .join(" ");
    let options = OperateOptions::new(args.services, args.wait.map(Duration::from_secs));
    let mut steps = Steps::new(printer, None);
    steps.stops_when_interrupted();
    let result = mailu.power(&layout, action, &options, &mut steps);
    let said = result.as_ref().map(|done| {
        if done.done {
            "done"
        } else {
            "not everything is as it should be"
        }
    });
    crate::log::note(global, &layout, &what, said);
    let done = result?;
    printer.findings(&done.findings);
    if printer.json {
        printer.data(&done)?;
    } else {
        printer.operated(&done);
    }
    Ok(if done.done {
        crate::FINE
    } else {
        crate::FINDINGS
    })
}
