//! Accounts.

use mailu_core::Error;
use mailu_core::accounts::{Action, Difference, Step};
use mailu_core::host::{AccountChange, AccountsApplied};
use serde::Serialize;
use serde_json::Value;

use super::{BOLD, DIM, GREEN, Printer, RED, YELLOW};

/// What stands first in a line.
const NAMES: [&str; 3] = ["id", "email", "name"];

impl Printer {
    /// Accounts of a kind, one in a line: name, and what is not as usual.
    pub(crate) fn accounts<T: Serialize>(&mut self, all: &[T]) {
        let rows: Vec<(String, String)> = all
            .iter()
            .filter_map(|one| serde_json::to_value(one).ok())
            .map(|one| {
                let name: Vec<String> = NAMES
                    .iter()
                    .filter_map(|key| one.get(*key).map(shown))
                    .collect();
                (name.join("  "), summary(&one))
            })
            .collect();
        let width = rows.iter().map(|(name, _)| name.chars().count()).max();
        for (name, rest) in rows {
            self.line(format_args!(
                "{name:<width$}  {DIM}{rest}{DIM:#}",
                width = width.unwrap_or_default()
            ));
        }
    }

    /// One account, an attribute in a line.
    pub(crate) fn account<T: Serialize>(&mut self, one: &T) {
        let Ok(Value::Object(map)) = serde_json::to_value(one) else {
            return;
        };
        let width = map.keys().map(String::len).max().unwrap_or_default();
        for (key, value) in &map {
            self.line(format_args!("{key:<width$}  {}", shown(value)));
        }
    }

    /// What became of an account.
    pub(crate) fn account_change(&mut self, change: &AccountChange) {
        let what = match (change.action, change.performed) {
            (None, _) => "nothing to do".to_owned(),
            (Some(action), false) => format!("would {}", action.as_str()),
            // All of them end in `e`.
            (Some(action), true) => format!("{}d", action.as_str()),
        };
        let password = if change.password && change.action == Some(Action::Change) {
            "; its password was set"
        } else {
            ""
        };
        self.line(format_args!(
            "{GREEN}{} {}{GREEN:#}: {what}{password}",
            change.kind, change.name
        ));
        self.differences(&change.changes);
        for note in &change.notes {
            self.note(format_args!("  {note}"));
        }
    }

    fn differences(&mut self, changes: &[Difference]) {
        for change in changes {
            self.line(format_args!("      {DIM}{change}{DIM:#}"));
        }
    }

    /// What became of many accounts, or would.
    pub(crate) fn accounts_applied(
        &mut self,
        done: &AccountsApplied,
        dry_run: bool,
    ) -> Result<u8, Error> {
        self.findings(&done.plan.findings);
        if self.json {
            self.data(done)?;
            return Ok(crate::FINE);
        }
        if dry_run {
            for step in &done.plan.steps {
                self.account_step(step);
            }
        }
        let parts: Vec<String> = [
            (Action::Create, "created"),
            (Action::Change, "changed"),
            (Action::Disable, "disabled"),
            (Action::Delete, "deleted"),
        ]
        .into_iter()
        .map(|(action, word)| (done.plan.count(action), word))
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .chain([format!("{} as they should be", done.plan.unchanged)])
        .collect();
        let would = if dry_run && !done.plan.is_empty() {
            "would be: "
        } else {
            ""
        };
        self.line(format_args!(
            "{BOLD}accounts{BOLD:#}: {would}{}",
            parts.join(", ")
        ));
        if !done.plan.left.is_empty() {
            self.note(format_args!(
                "{} more are there and not in the file; they stay",
                done.plan.left.len()
            ));
        }
        if let Some(path) = &done.passwords_file {
            self.note(format_args!(
                "passwords of {} users are in {}",
                done.drawn,
                path.display()
            ));
        }
        Ok(crate::FINE)
    }

    fn account_step(&mut self, step: &Step) {
        let style = match step.action {
            Action::Create => GREEN,
            Action::Delete | Action::Disable => RED,
            _ => YELLOW,
        };
        let password = if step.password && step.action == Action::Change {
            ", and set its password"
        } else {
            ""
        };
        self.line(format_args!(
            "{style}{:<7}{style:#} {} {}{password}",
            step.action.as_str(),
            step.kind,
            step.name
        ));
        self.differences(&step.changes);
        if let Some(note) = &step.note {
            self.line(format_args!("      {DIM}{note}{DIM:#}"));
        }
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Array(items) => items.iter().map(shown).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// What a line of a list says besides the name.
fn summary(one: &Value) -> String {
    let mut parts = Vec::new();
    for key in [
        "displayed_name",
        "destination",
        "smtp",
        "alternatives",
        "comment",
    ] {
        if let Some(value) = one.get(key).map(shown).filter(|text| !text.is_empty()) {
            parts.push(value);
        }
    }
    if one.get("enabled") == Some(&Value::Bool(false)) {
        parts.push("disabled".to_owned());
    }
    if one.get("global_admin") == Some(&Value::Bool(true)) {
        parts.push("administrator".to_owned());
    }
    parts.join("; ")
}
