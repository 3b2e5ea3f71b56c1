//! Printing what restoring did, or would do.

use mailu_core::restore::Restored;

use super::{BOLD, GREEN, Printer};

impl Printer {
    pub(crate) fn restored(&mut self, done: &Restored, mailbox: bool) {
        if let Some(what) = &done.recovered {
            self.line(what);
        }
        if let Some(archive) = &done.archive {
            let made = match (&archive.created, &archive.mailu_version) {
                (Some(created), Some(version)) => format!("of {created}, Mailu {version}, "),
                (Some(created), None) => format!("of {created}, "),
                _ => String::new(),
            };
            self.line(format_args!(
                "{BOLD}{}{BOLD:#}: {made}{} files, {} messages",
                archive.file.display(),
                archive.files,
                archive.messages
            ));
        }
        if !done.performed {
            for step in &done.steps {
                self.line(format_args!("would {}: {}", step.action, step.detail));
            }
            return;
        }
        let carried = &done.carried;
        if mailbox {
            let whole = carried.whole.first().map_or("", |_| ", as a whole");
            self.line(format_args!(
                "{GREEN}{}{GREEN:#}: {} messages added{whole}, {} were there",
                done.mail_host, carried.messages, carried.there
            ));
            return;
        }
        if carried.messages > 0 {
            let boxes = carried.mailboxes.len() + carried.whole.len();
            self.line(format_args!(
                "taken along: {} messages that were not in the backup, in {boxes} mailbox{}",
                carried.messages,
                if boxes == 1 { "" } else { "es" }
            ));
        }
        for fact in done.run.iter().flat_map(|run| &run.verified) {
            self.line(format_args!("{GREEN}✓{GREEN:#} {}", fact.message));
        }
        if let (Some(kept), Some(command)) = (&done.kept, &done.remove_command) {
            self.line(format_args!(
                "kept: {} (what was there before; `{command}` removes it)",
                kept.display()
            ));
        }
        self.line(format_args!(
            "{GREEN}{}{GREEN:#}: restored{}",
            done.mail_host,
            if done.run.is_some() {
                ""
            } else {
                "; `mailu install` starts it"
            }
        ));
    }
}
