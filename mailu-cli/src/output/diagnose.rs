//! A diagnosis, for people.

use mailu_core::diagnose::{NOT_ASKED_FOR, Outcome, Report};
use mailu_core::{Finding, Severity};

use super::{BOLD, CYAN, DIM, GREEN, Printer, RED, YELLOW};

impl Printer {
    /// A diagnosis: checks, what they found, and what else is to be known.
    pub(crate) fn diagnosis(&mut self, report: &Report) {
        if let Some(changes) = &report.changes {
            match &changes.since {
                Some(since) => self.note(format_args!("since {since}:")),
                None => self.note("there is no earlier diagnosis: all is new"),
            }
            for finding in &changes.appeared {
                self.found(finding);
            }
            for gone in &changes.gone {
                self.line(format_args!(
                    "{GREEN}gone:{GREEN:#} `{}`: {}  {DIM}[{}]{DIM:#}",
                    gone.subject, gone.message, gone.id
                ));
            }
            if changes.appeared.is_empty() && changes.gone.is_empty() {
                self.note("nothing has changed");
            }
            return;
        }
        let width = report.checks.iter().map(|check| check.id.len()).max();
        for check in &report.checks {
            if check.outcome == Outcome::Skipped && check.summary == NOT_ASKED_FOR {
                continue;
            }
            let (style, word) = match check.outcome {
                Outcome::Passed => (GREEN, "ok"),
                Outcome::Warned => (YELLOW, "look"),
                Outcome::Failed => (RED, "failed"),
                Outcome::Unknown => (DIM, "unknown"),
                _ => (DIM, "skipped"),
            };
            self.line(format_args!(
                "{style}{word:<7}{style:#}  {:<width$}  {}",
                check.id,
                check.summary,
                width = width.unwrap_or(0)
            ));
        }
        self.line("");
        for finding in &report.findings {
            if self.quiet && finding.severity == Severity::Notice {
                continue;
            }
            self.found(finding);
            let after: Vec<&Finding> = report
                .silenced
                .iter()
                .filter(|one| one.cause == finding.id && one.cause_subject == finding.subject)
                .map(|one| &one.finding)
                .collect();
            for one in after {
                self.line(format_args!(
                    "  {DIM}hence:{DIM:#} {one}  {DIM}[{}]{DIM:#}",
                    one.id
                ));
            }
        }
        for one in &report.unknown {
            self.line(format_args!(
                "{DIM}unknown:{DIM:#} `{}`: {}  {DIM}[{}]{DIM:#}",
                one.subject, one.why, one.check
            ));
        }
        for one in &report.ignored {
            let until = one
                .until
                .as_ref()
                .map_or_else(String::new, |until| format!(" until {until}"));
            self.line(format_args!(
                "{DIM}ignored{until}:{DIM:#} {} ({})  {DIM}[{}]{DIM:#}",
                one.finding, one.reason, one.finding.id
            ));
        }
        let count = |severity: Severity| {
            report
                .findings
                .iter()
                .filter(|finding| finding.severity == severity)
                .count()
        };
        let verdict = if report.healthy {
            format!("{GREEN}nothing is wrong{GREEN:#}")
        } else {
            format!(
                "{RED}{} to mend{RED:#}, {YELLOW}{} to look at{YELLOW:#}",
                count(Severity::Error),
                count(Severity::Warning)
            )
        };
        self.line(format_args!(
            "{BOLD}{}{BOLD:#}: {verdict}",
            report.mail_host
        ));
    }

    fn found(&mut self, finding: &Finding) {
        let style = match finding.severity {
            Severity::Error => RED,
            Severity::Warning => YELLOW,
            _ => CYAN,
        };
        self.line(format_args!(
            "{style}{}:{style:#} {finding}  {DIM}[{}]{DIM:#}",
            finding.severity, finding.id
        ));
        for hint in &finding.hints {
            self.line(format_args!("  {CYAN}fix:{CYAN:#} {hint}"));
        }
    }
}
