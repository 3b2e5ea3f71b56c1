//! `mailu apply`, `mailu plan`

use mailu_core::Error;
use mailu_core::host::api::Installed;
use mailu_core::plan::Request;

use super::chosen;
use super::install::{request_choices, waiting};
use crate::args::{Apply, Global};
use crate::output::{Printer, Steps};

pub(crate) fn run(
    global: &Global,
    printer: &mut Printer,
    args: &Apply,
    plan_only: bool,
) -> Result<u8, Error> {
    let (mailu, layout) = chosen(global, &args.which)?;
    let mut request = Request::default();
    request_choices(&mut request, &args.choices);
    let dry_run = plan_only || args.dry_run;
    let outcome = if dry_run {
        mailu.plan(&layout, &request)?
    } else {
        let mut steps = Steps::new(printer, None);
        steps.stops_when_interrupted();
        mailu.apply(&layout, &request, &waiting(args.wait), &mut steps)?
    };
    printer.outcome(&Installed::new(outcome), dry_run)
}
