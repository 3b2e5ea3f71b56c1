//! `mailu install --with-deps`

use mailu_core::Error;
use mailu_core::host::{Dependencies, Mailu};
use mailu_core::paths::Layout;
use mailu_core::plan::Request;

use crate::output::{Printer, Steps};

/// Installs Docker, Compose and Traefik where they are missing, or shows how. `request` gets the settings that follow from it.
pub(crate) fn provide(
    mailu: &Mailu,
    layout: &Layout,
    request: &mut Request,
    dry_run: bool,
    printer: &mut Printer,
) -> Result<Dependencies, Error> {
    let done = if dry_run {
        mailu.plan_dependencies(layout, request)?
    } else {
        let mut progress = Steps::new(printer, None);
        progress.stops_when_interrupted();
        mailu.install_dependencies(layout, request, &mut progress)?
    };
    printer.findings(&done.findings);
    printer.dependencies(&done, dry_run);
    Ok(done)
}
