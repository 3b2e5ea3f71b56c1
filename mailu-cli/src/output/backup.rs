//! Backups for people.

use mailu_core::backup::{End, Head};
use mailu_core::host::{Archive, Backup, Pruned, Verified};

use super::operate::bytes;
use super::{BOLD, DIM, GREEN, Printer, RED};

impl Printer {
    /// A backup that was taken.
    pub(crate) fn backup(&mut self, done: &Backup) {
        self.line(format_args!("{BOLD}{}{BOLD:#}", done.file.display()));
        self.archive(&done.head, &done.end, done.size, done.encrypted);
        let read = if done.verified {
            ", read again and whole"
        } else {
            ""
        };
        let still = done
            .stood_still_ms
            .map(|time| format!("; mail stood still for {}", stood(time)))
            .unwrap_or_default();
        self.line(format_args!("  took {} s{read}{still}", done.seconds));
        for gone in &done.removed {
            self.line(format_args!("  {DIM}gave up {}{DIM:#}", gone.display()));
        }
    }

    fn archive(&mut self, head: &Head, end: &End, size: u64, encrypted: bool) {
        let lock = if encrypted { ", encrypted" } else { "" };
        self.line(format_args!(
            "  {} messages and {} other files, {}; {} packed{lock}",
            end.messages,
            end.files - end.messages.min(end.files),
            bytes(end.bytes),
            bytes(size),
        ));
        self.line(format_args!(
            "  {}, Mailu {}, {}",
            head.mail_host, head.mailu_version, head.created
        ));
    }

    /// An archive that is as it was written.
    pub(crate) fn verified(&mut self, done: &Verified) {
        self.line(format_args!(
            "{BOLD}{}{BOLD:#}  {GREEN}whole{GREEN:#}",
            done.file.display()
        ));
        self.archive(&done.head, &done.end, done.size, done.encrypted);
    }

    /// The archives of a deployment.
    pub(crate) fn backups(&mut self, all: &[Archive]) {
        for one in all {
            let name = one.file.display();
            let kept = if one.kept.is_empty() {
                "goes with the next backup".to_owned()
            } else {
                one.kept.join(", ")
            };
            let state = match (&one.error, one.encrypted) {
                (Some(error), _) => format!("  {RED}{error}{RED:#}"),
                (None, true) => "  encrypted".to_owned(),
                (None, false) => String::new(),
            };
            self.line(format_args!(
                "{}  {:>10}  {name}  {DIM}{kept}{DIM:#}{state}",
                one.created,
                bytes(one.size)
            ));
        }
    }

    /// What was given up.
    pub(crate) fn pruned(&mut self, pruned: &Pruned) {
        if pruned.removed.is_empty() {
            self.line("every archive is kept");
        }
        for path in &pruned.removed {
            let what = if pruned.dry_run {
                "would give up"
            } else {
                "gave up"
            };
            self.line(format_args!("{what} {}", path.display()));
        }
    }
}

fn stood(milliseconds: u64) -> String {
    if milliseconds < 1000 {
        format!("{milliseconds} ms")
    } else {
        format!("{}.{} s", milliseconds / 1000, milliseconds % 1000 / 100)
    }
}
