//! What an update did.

use mailu_core::update::Updated;

use super::{BOLD, GREEN, Printer};

impl Printer {
    pub(crate) fn updated(&mut self, done: &Updated) {
        if let Some(what) = &done.recovered {
            self.line(what);
        }
        if done.performed {
            for fact in done.run.iter().flat_map(|run| &run.verified) {
                self.line(format_args!("{GREEN}✓{GREEN:#} {}", fact.message));
            }
            if let Some(backup) = &done.backup {
                self.line(format_args!(
                    "backup of before: {} (`mailu restore` goes back to it)",
                    backup.display()
                ));
            }
            if let (Some(kept), Some(command)) = (&done.kept, &done.remove_command) {
                self.line(format_args!(
                    "kept: {} (what was there before; `{command}` removes it)",
                    kept.display()
                ));
            }
            let still = done
                .stood_still_seconds
                .map(|seconds| format!("; mail waited {seconds} s"))
                .unwrap_or_default();
            self.line(format_args!(
                "{GREEN}{}{GREEN:#}: Mailu {} became {}{still}",
                done.mail_host, done.from, done.to
            ));
            return;
        }
        if done.steps.is_empty() {
            if done.recovered.is_none() {
                self.line(format_args!(
                    "{BOLD}{}{BOLD:#}: nothing to do, it runs Mailu {}",
                    done.mail_host, done.to
                ));
            }
            return;
        }
        self.line(format_args!(
            "{BOLD}{}{BOLD:#}: from Mailu {} to {}",
            done.mail_host, done.from, done.to
        ));
        for step in &done.steps {
            self.line(format_args!("would {}: {}", step.action, step.detail));
        }
    }
}
