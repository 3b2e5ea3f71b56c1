//! AgencyStack's log of the component: what was done, when, and what came of it.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use mailu_core::Error;
use mailu_core::paths::{DEFAULT_ROOT, Layout};

use crate::args::Global;

/// Where AgencyStack's logs go. Other roots than the usual one have none, unless a directory is named.
pub(crate) fn directory(global: &Global) -> Option<PathBuf> {
    match &global.log_dir {
        Some(directory) if !directory.as_os_str().is_empty() => Some(directory.clone()),
        _ => (global.root == Path::new(DEFAULT_ROOT)).then(Layout::logs),
    }
}

/// Where AgencyStack's reports on connected apps go: above its logs of components, or where those were told to go.
pub(crate) fn reports(global: &Global) -> Option<PathBuf> {
    let logs = directory(global)?;
    if logs == Layout::logs() {
        return logs.parent().map(Path::to_path_buf);
    }
    Some(logs)
}

/// Appends to `mailu.log` that `what` was done to a deployment, and what came of it. A log that cannot be written stops nobody.
pub(crate) fn note(global: &Global, layout: &Layout, what: &str, result: Result<&str, &Error>) {
    let Some(directory) = directory(global) else {
        return;
    };
    let (level, said) = match result {
        Ok(said) => ("INFO", said.to_owned()),
        Err(error) => ("ERROR", error.to_string()),
    };
    let client = layout
        .client()
        .map(|client| format!(" (client {client})"))
        .unwrap_or_default();
    let said = said.replace('\n', " | ");
    let line = format!(
        "{} [{level}] {}{client}: {what}: {said}\n",
        mailu_core::host::moment(),
        layout.mail_host()
    );
    let append = || -> std::io::Result<()> {
        std::fs::create_dir_all(&directory)?;
        std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(directory.join("mailu.log"))?
            .write_all(line.as_bytes())
    };
    let _ = append();
}
