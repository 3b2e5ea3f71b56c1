//! `mailu apply`, `mailu plan`

use mailu_core::Error;
use mailu_core::plan::{Action, Plan, Request};

use super::chosen;
use super::install::request_choices;
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
        mailu.deploy(&layout, &request, &mut Steps::new(printer, None))?
    };
    let code = printer.outcome(&outcome, dry_run)?;
    if outcome.performed && !printer.json && changes_containers(&outcome.plan) {
        printer.note(format_args!(
            "Running containers keep their old settings until `docker compose up -d` in {}.",
            outcome.plan.directory.display()
        ));
    }
    Ok(code)
}

/// Whether Compose would make a container anew.
fn changes_containers(plan: &Plan) -> bool {
    let files = ["docker-compose.yml", ".env", "mailu.env"].map(|name| plan.directory.join(name));
    plan.steps.iter().any(|step| {
        matches!(step.action, Action::CreateFile | Action::UpdateFile) && files.contains(&step.path)
    })
}
