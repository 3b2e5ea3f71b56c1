//! Performs a plan.

use std::ops::ControlFlow;

use super::files::{self, Files};
use crate::error::{Error, ErrorKind};
use crate::plan::{Action, Plan, Step};
use crate::start::Stage;

/// Hears about each step before it is done.
pub trait Progress {
    /// Step `number` of `total`, counted from 1.
    fn step(&mut self, number: usize, total: usize, step: &Step) {
        let _ = (number, total, step);
    }

    /// A part of bringing a deployment up begins.
    fn stage(&mut self, stage: Stage) {
        let _ = stage;
    }

    /// What is being done, or waited for and why.
    fn said(&mut self, line: &str) {
        let _ = line;
    }

    /// A piece of the result, as soon as there is one: a line of a log, a stage of a test message. Breaking ends what has no end.
    fn item(&mut self, item: serde_json::Value) -> ControlFlow<()> {
        let _ = item;
        ControlFlow::Continue(())
    }

    /// Whether somebody wants it to stop. It then stops where the same call continues.
    fn interrupted(&mut self) -> bool {
        false
    }
}

/// Hears nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Hidden;

impl Progress for Hidden {}

/// Performs every step. Stopped anywhere, a new plan continues.
///
/// `privileged` says whether owners can be set.
pub(super) fn perform(
    plan: &Plan,
    files: &mut dyn Files,
    privileged: bool,
    progress: &mut dyn Progress,
) -> Result<(), Error> {
    let total = plan.steps.len();
    for (index, step) in plan.steps.iter().enumerate() {
        progress.step(index + 1, total, step);
        one(step, plan, files, privileged)?;
    }
    Ok(())
}

fn one(step: &Step, plan: &Plan, files: &mut dyn Files, privileged: bool) -> Result<(), Error> {
    let path = &step.path;
    let mode = step.mode.unwrap_or(0o600);
    let owner = step.owner.filter(|_| privileged);
    match step.action {
        Action::CreateDirectory => files::make_directory(files, path, mode, owner),
        Action::SetMode => files
            .set_mode(path, mode)
            .map_err(|error| files::failed("set the permissions of", path, error)),
        Action::RemoveFile => {
            // A leftover may have been put to use by an earlier step.
            files::clear(files, path)?;
            files::sync_parent(files, path)
        }
        Action::Commit => {
            let journal = plan.directory.join(".mailu/journal.json");
            files
                .rename(&journal, path)
                .map_err(|error| files::failed("record in", path, error))?;
            files::sync_parent(files, path)
        }
        Action::Journal
        | Action::StoreSecret
        | Action::CreateKey
        | Action::StoreCertificate
        | Action::CreateFile
        | Action::UpdateFile
        | Action::KeepCopy => {
            let Some(content) = &step.content else {
                return Err(Error::new(
                    ErrorKind::Internal,
                    "plan.only_shown",
                    format!(
                        "write {}: the plan was made to be shown, not performed",
                        path.display()
                    ),
                ));
            };
            // What lies among the containers' data is theirs to replace, so a link there is not followed.
            let follow = matches!(
                step.action,
                Action::CreateFile | Action::UpdateFile | Action::StoreSecret
            );
            let path = if follow {
                files::behind_links(path)?
            } else {
                path.clone()
            };
            files::write_atomically(files, &path, mode, owner, &content.0)
        }
    }
}
