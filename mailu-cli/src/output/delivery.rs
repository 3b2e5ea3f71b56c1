//! Printing what became of a test message.

use anstyle::Style;
use mailu_core::delivery::{Outcome, Report, Step};

use super::{BOLD, DIM, GREEN, Printer, RED, YELLOW};

fn word(outcome: Outcome) -> (&'static str, Style) {
    match outcome {
        Outcome::Passed => ("ok", GREEN),
        Outcome::Failed => ("failed", RED),
        Outcome::Skipped => ("skipped", DIM),
        _ => ("unknown", YELLOW),
    }
}

impl Printer {
    /// A stage, as soon as it has ended.
    pub(crate) fn stage(&mut self, step: &Step) {
        if !self.json {
            self.tried(
                step.outcome,
                step.stage.as_str(),
                step.milliseconds,
                &step.detail,
            );
        }
    }

    fn tried(&mut self, outcome: Outcome, name: &str, milliseconds: u64, detail: &str) {
        let (word, style) = word(outcome);
        self.streamed(format_args!(
            "{style}{word:<7}{style:#}  {name:<13}  {DIM}{milliseconds:>6} ms{DIM:#}  {detail}"
        ));
    }

    /// All but the stages, which were printed before.
    pub(crate) fn test_email(&mut self, report: &Report) {
        for one in &report.negative {
            self.tried(one.outcome, &one.name, one.milliseconds, &one.detail);
        }
        self.findings(&report.findings);
        let failed = report
            .stages
            .iter()
            .find(|step| step.outcome == Outcome::Failed);
        let (said, style) = match (report.exit_code, failed) {
            (0, _) => ("delivered".to_owned(), GREEN),
            (_, Some(step)) if report.delivered => (
                format!("delivered, but failed at `{}`", step.stage.as_str()),
                RED,
            ),
            (_, Some(step)) => (format!("failed at `{}`", step.stage.as_str()), RED),
            (1, None) if report.delivered => {
                ("delivered, with something unknown".to_owned(), YELLOW)
            }
            (1, None) => ("not known to be delivered".to_owned(), YELLOW),
            (_, None) => (
                "delivered, but something was accepted that must not be".to_owned(),
                RED,
            ),
        };
        self.line(format_args!(
            "{BOLD}{}{BOLD:#} to {}: {style}{said}{style:#}",
            report.from, report.to
        ));
    }
}
