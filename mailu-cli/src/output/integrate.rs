//! What became of an app.

use mailu_core::host::{Integrated, PartAction, Proof};

use super::{BOLD, GREEN, Printer};

impl Printer {
    pub(crate) fn integrated(&mut self, done: &Integrated, removed: bool) {
        let name = match &done.site {
            Some(site) => format!("{} {site}", done.app),
            None => done.app.clone(),
        };
        for part in &done.parts {
            let did = match (part.action, done.performed) {
                (PartAction::Keep, _) => continue,
                (PartAction::Create, true) => "made",
                (PartAction::Change, true) => "changed",
                (PartAction::Create, false) => "would make",
                (PartAction::Change, false) => "would change",
                (_, true) => "removed",
                (_, false) => "would remove",
            };
            let details = if part.details.is_empty() {
                String::new()
            } else {
                format!(" ({})", part.details.join(", "))
            };
            self.line(format_args!("{did}: {} {}{details}", part.kind, part.name));
        }
        if removed {
            if done.performed {
                self.line(format_args!("{GREEN}{name}{GREEN:#}: disconnected"));
            }
        } else {
            match done.proof {
                Proof::Arrived => self.line(format_args!(
                    "{GREEN}✓{GREEN:#} a message that {name} sent arrived in {}",
                    done.login
                )),
                Proof::Sent => self.line(format_args!(
                    "{GREEN}✓{GREEN:#} the server took a message that {name} sent"
                )),
                Proof::Server => self.line(format_args!(
                    "{GREEN}✓{GREEN:#} the server takes mail from {} with this login",
                    done.from
                )),
                _ => {}
            }
            if !done.changed {
                self.line(format_args!("{BOLD}{name}{BOLD:#}: nothing to do"));
            } else if done.performed {
                self.line(format_args!(
                    "{GREEN}{name}{GREEN:#}: sends as {} through the login {}",
                    done.from, done.login
                ));
            }
        }
        for note in &done.notes {
            self.line(format_args!("note: {note}"));
        }
    }
}
