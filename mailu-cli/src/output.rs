//! Printing: data to stdout, everything else to stderr.

mod accounts;
mod app;
mod backup;
mod certs;
mod delivery;

use std::fmt::Display;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anstyle::{AnsiColor, Style};
use mailu_core::dns::check::{Report as PublishedReport, State};
use mailu_core::dns::{Data, Level, Report as Records};
use mailu_core::host::api::Installed;
use mailu_core::host::{Dependencies, Details, NextStep, Outcome, Progress};
use mailu_core::plan::{Action, Plan, Step};
use mailu_core::preflight::{Outcome as Checked, Report};
use mailu_core::start::{Done, Run, ServiceRun, Stage};
use mailu_core::{Error, Finding, Severity};
use serde::Serialize;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::args::{Color, Global};

mod diagnose;
mod integrate;
mod operate;
mod restore;
mod update;

pub(crate) use operate::Prefixes;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const RED: Style = AnsiColor::Red.on_default().bold();
const YELLOW: Style = AnsiColor::Yellow.on_default().bold();
const CYAN: Style = AnsiColor::Cyan.on_default();
const GREEN: Style = AnsiColor::Green.on_default().bold();

/// Writes to the two streams of the process.
#[derive(Debug)]
pub(crate) struct Printer {
    pub(crate) json: bool,
    pub(crate) quiet: bool,
    pub(crate) verbose: bool,
    out: anstream::Stdout,
    err: anstream::Stderr,
}

impl Printer {
    pub(crate) fn new(global: &Global) -> Self {
        match global.color {
            Color::Auto => anstream::ColorChoice::Auto,
            Color::Always => anstream::ColorChoice::Always,
            Color::Never => anstream::ColorChoice::Never,
        }
        .write_global();
        Self {
            json: global.json,
            quiet: global.quiet,
            verbose: global.verbose > 0,
            out: anstream::stdout(),
            err: anstream::stderr(),
        }
    }

    /// A line of the result. A reader that has gone away is no failure.
    pub(crate) fn line(&mut self, text: impl Display) {
        let _ = writeln!(self.out, "{text}");
    }

    /// A line of a result without end; whether somebody still reads it.
    pub(crate) fn streamed(&mut self, text: impl Display) -> bool {
        writeln!(self.out, "{text}")
            .and_then(|()| self.out.flush())
            .is_ok()
    }

    /// Text of the result as it is.
    pub(crate) fn raw(&mut self, text: &str) {
        let _ = self.out.write_all(text.as_bytes());
    }

    /// A line beside the result.
    pub(crate) fn note(&mut self, text: impl Display) {
        if !self.quiet {
            let _ = writeln!(self.err, "{text}");
        }
    }

    /// The result as JSON.
    pub(crate) fn data<T: Serialize>(&mut self, value: &T) -> Result<(), Error> {
        let text = serde_json::to_string_pretty(value).map_err(|error| {
            Error::new(
                mailu_core::ErrorKind::Internal,
                "output.json",
                "print the result as JSON",
            )
            .source(error)
        })?;
        self.line(text);
        Ok(())
    }

    /// A failure, with everything that is wrong and what to type next.
    ///
    /// `writes`: the command would have written, so that people want to hear that an invalid configuration kept it from that.
    pub(crate) fn error(&mut self, error: &Error, writes: bool) {
        if self.json {
            let value = serde_json::json!({ "error": error.to_json() });
            self.line(format_args!("{value:#}"));
        }
        let unchanged = if writes && error.code() == "config.invalid" {
            "; nothing was changed"
        } else {
            ""
        };
        let _ = writeln!(self.err, "{RED}error:{RED:#} {error}{unchanged}");
        let mut source = std::error::Error::source(error);
        while let Some(cause) = source {
            let _ = writeln!(self.err, "  {DIM}caused by:{DIM:#} {cause}");
            source = cause.source();
        }
        self.findings(error.all_findings());
        for hint in error.hints() {
            let _ = writeln!(self.err, "  {CYAN}hint:{CYAN:#} {hint}");
        }
    }

    /// Warnings beside a result, and notices unless there is to be quiet.
    pub(crate) fn findings(&mut self, findings: &[Finding]) {
        for finding in findings {
            if self.quiet && finding.severity == Severity::Notice {
                continue;
            }
            let style = match finding.severity {
                Severity::Error => RED,
                Severity::Warning => YELLOW,
                _ => CYAN,
            };
            let _ = writeln!(
                self.err,
                "{style}{}:{style:#} {finding}  {DIM}[{}]{DIM:#}",
                finding.severity, finding.id
            );
            for hint in &finding.hints {
                let _ = writeln!(self.err, "  {CYAN}fix:{CYAN:#} {hint}");
            }
        }
    }

    /// What the pre-flight checks saw, each on a line.
    pub(crate) fn checks(&mut self, report: &Report) {
        let width = report.checks.iter().map(|check| check.id.len()).max();
        for check in &report.checks {
            let (style, word) = match check.outcome {
                Checked::Passed => (GREEN, "ok"),
                Checked::Warned => (YELLOW, "look"),
                Checked::Failed => (RED, "failed"),
                _ => (DIM, "skipped"),
            };
            self.line(format_args!(
                "{style}{word:<7}{style:#}  {:<width$}  {}",
                check.id,
                check.summary,
                width = width.unwrap_or(0)
            ));
        }
    }

    /// What a run did or would do.
    pub(crate) fn outcome(&mut self, installed: &Installed, dry_run: bool) -> Result<u8, Error> {
        let outcome = &installed.outcome;
        self.findings(&outcome.plan.findings);
        self.overrides(&outcome.plan);
        let found = outcome.run.as_ref().map(|run| run.findings.as_slice());
        let found = found.unwrap_or_default();
        let conflicts = self.conflicts(&outcome.plan);
        if self.json {
            self.data(installed)?;
        } else if conflicts {
            self.line(format_args!(
                "{BOLD}{}{BOLD:#}: nothing was changed",
                outcome.plan.mail_host
            ));
        } else if dry_run {
            self.steps(&outcome.plan, &outcome.containers);
        } else if let Some(run) = &outcome.run {
            self.run(outcome, run);
        } else if outcome.performed {
            self.line(format_args!(
                "{GREEN}{}{GREEN:#}: done",
                outcome.plan.mail_host
            ));
        } else {
            self.line(format_args!(
                "{GREEN}{}{GREEN:#}: nothing to do",
                outcome.plan.mail_host
            ));
        }
        Ok(if conflicts || mailu_core::has_errors(found) {
            crate::FINDINGS
        } else {
            crate::FINE
        })
    }

    /// What bringing a server up did and found.
    fn run(&mut self, outcome: &Outcome, run: &Run) {
        let host = &outcome.plan.mail_host;
        for change in &run.changes {
            self.line(format_args!("  {change}"));
        }
        for done in [
            Done::Created,
            Done::Recreated,
            Done::Restarted,
            Done::Started,
        ] {
            let services = run.touched(done);
            if !services.is_empty() {
                self.line(format_args!("  {}: {}", done.as_str(), services.join(", ")));
            }
        }
        for fact in &run.verified {
            self.line(format_args!("  {GREEN}✓{GREEN:#} {}", fact.message));
        }
        self.findings(&run.findings);
        let style = if run.installed { GREEN } else { RED };
        let result = if !run.installed {
            "not installed yet; once what is said above is put right, the same command continues"
        } else if run.is_unchanged() && !outcome.performed {
            "nothing to do: it is installed and works, and no container was touched"
        } else if run.is_unchanged() {
            "done; no container was touched"
        } else {
            "installed, and it works"
        };
        self.line(format_args!("{style}{host}{style:#}: {result}"));
    }

    /// What was or would be installed before everything else.
    pub(crate) fn dependencies(&mut self, done: &Dependencies, dry_run: bool) {
        if !self.json && dry_run && !done.steps.is_empty() {
            self.line(format_args!("{BOLD}This host{BOLD:#}: would do"));
            for step in &done.steps {
                self.line(format_args!("  {}", step.describe()));
            }
        }
    }

    fn overrides(&mut self, plan: &Plan) {
        for edit in &plan.overrides {
            match &edit.variable {
                Some(v) => {
                    let show = |value: &Option<String>| {
                        value
                            .as_ref()
                            .map_or("(not set)".to_owned(), |v| format!("`{v}`"))
                    };
                    self.note(format_args!(
                        "{CYAN}kept:{CYAN:#} {} {} = {}, edited by hand; configured is {}",
                        edit.file,
                        v.name,
                        show(&v.theirs),
                        show(&v.ours)
                    ));
                }
                None => self.note(format_args!(
                    "{CYAN}kept:{CYAN:#} {}, edited by hand",
                    edit.file
                )),
            }
        }
    }

    fn conflicts(&mut self, plan: &Plan) -> bool {
        for conflict in &plan.conflicts {
            let show = |value: &Option<String>| {
                value
                    .as_ref()
                    .map_or("(not set)".to_owned(), |v| format!("`{v}`"))
            };
            match &conflict.variable {
                Some(v) => {
                    let _ = writeln!(
                        self.err,
                        "{RED}conflict:{RED:#} {} {}: there is {}, wanted is {}, written last was {}: {}",
                        conflict.file,
                        v.name,
                        show(&v.theirs),
                        show(&v.ours),
                        show(&v.base),
                        v.reason
                    );
                }
                None => {
                    let _ = writeln!(
                        self.err,
                        "{RED}conflict:{RED:#} {}: it was edited, and another content is wanted now",
                        conflict.file
                    );
                }
            }
            for hint in &conflict.hints {
                let _ = writeln!(self.err, "  {CYAN}fix:{CYAN:#} {hint}");
            }
        }
        !plan.conflicts.is_empty()
    }

    fn steps(&mut self, plan: &Plan, containers: &[ServiceRun]) {
        if plan.steps.is_empty() && containers.is_empty() {
            self.line(format_args!(
                "{GREEN}{}{GREEN:#}: nothing to do",
                plan.mail_host
            ));
            return;
        }
        self.line(format_args!("{BOLD}{}{BOLD:#}: would do", plan.mail_host));
        for step in &plan.steps {
            if matches!(step.action, Action::Journal | Action::Commit) && !self.verbose {
                continue;
            }
            self.line(format_args!("  {}", step.describe()));
            for line in &step.detail {
                self.line(format_args!("      {DIM}{line}{DIM:#}"));
            }
        }
        for drawn in &plan.drawn {
            self.line(format_args!(
                "  keep {} = {} in mailu.toml",
                drawn.key, drawn.value
            ));
        }
        for one in containers {
            let verb = match one.done {
                Done::Created => "make",
                Done::Started => "start",
                _ => "make anew",
            };
            self.line(format_args!("  {verb} container {}", one.container));
            for line in &one.why {
                self.line(format_args!("      {DIM}{line}{DIM:#}"));
            }
        }
    }

    /// What a person needs after an installation.
    pub(crate) fn summary(&mut self, details: &Details, dns: &Records, next: &[NextStep]) {
        self.line("");
        self.details(details);
        self.line("");
        self.line(format_args!(
            "{BOLD}DNS records to publish{BOLD:#} (as files in {}):",
            details.directory.join("dns").display()
        ));
        self.records(dns, false);
        self.next(next);
    }

    /// How records are, as name servers have them.
    pub(crate) fn published(&mut self, report: &PublishedReport) {
        let width = report.records.iter().map(|one| one.fqdn.len()).max();
        let width = width.unwrap_or_default() + 1;
        let mut zone = "";
        for one in &report.records {
            if one.zone != zone {
                self.line(format_args!("{BOLD}Zone {}{BOLD:#}", one.zone));
                zone = &one.zone;
            }
            let style = match one.state {
                State::Right | State::Accepted => GREEN,
                State::Missing | State::Wrong if one.level == Level::Required => RED,
                State::Missing | State::Wrong | State::Partial => YELLOW,
                _ => DIM,
            };
            let state = one.state.as_str();
            let seen = if one.seen.is_empty() {
                String::new()
            } else {
                format!("  {}", one.seen.join(" | "))
            };
            self.line(format_args!(
                "  {style}{state:<8}{style:#}  {:<width$}  {:<5}{DIM}{seen}{DIM:#}",
                format!("{}.", one.fqdn),
                one.kind
            ));
        }
        let right = report
            .records
            .iter()
            .filter(|one| matches!(one.state, State::Right | State::Accepted));
        self.line(format_args!(
            "{} of {} records are right",
            right.count(),
            report.records.len()
        ));
    }

    /// What is left to a person.
    pub(crate) fn next(&mut self, next: &[NextStep]) {
        if !next.is_empty() {
            self.line(format_args!("\n{BOLD}Next{BOLD:#}"));
        }
        for (number, step) in (1..).zip(next) {
            self.line(format_args!("  {number}. {}:", step.why));
            self.line(format_args!("     {}", step.command));
        }
    }

    /// Addresses and places.
    pub(crate) fn details(&mut self, details: &Details) {
        let mut rows: Vec<(&str, String)> = Vec::new();
        if let Some(url) = &details.admin_url {
            rows.push(("Admin", format!("{url} as {}", details.admin_email)));
        }
        rows.push((
            "Password",
            format!(
                "in {} (`{}` prints it)",
                details.admin_password_file.display(),
                details.admin_password_command
            ),
        ));
        if let Some(url) = &details.webmail_url {
            rows.push(("Webmail", url.clone()));
        }
        if let Some(url) = &details.api_url {
            rows.push(("API", url.clone()));
        }
        rows.push(("Files", details.directory.display().to_string()));
        rows.push(("Secrets", details.secrets.display().to_string()));
        for (name, value) in rows {
            self.line(format_args!("{BOLD}{name:<10}{BOLD:#}{value}"));
        }
    }

    /// DNS records for people.
    pub(crate) fn records(&mut self, dns: &Records, reasons: bool) {
        for zone in &dns.zones {
            self.line(format_args!("\n{BOLD}Zone {}{BOLD:#}", zone.zone));
            for (level, heading) in [
                (Level::Required, "required"),
                (Level::Recommended, "recommended"),
                (Level::Optional, "optional"),
            ] {
                let group: Vec<_> = zone.records.iter().filter(|r| r.level == level).collect();
                if group.is_empty() {
                    continue;
                }
                self.line(format_args!("  {CYAN}{heading}{CYAN:#}"));
                let width = group.iter().map(|r| r.fqdn.len()).max().unwrap_or(0) + 1;
                for record in group {
                    let value = match &record.data {
                        // In one piece: a text that is cut gets pasted with the cut.
                        Some(Data::Txt { text }) => format!("\"{text}\""),
                        Some(data) => data.presentation(),
                        None => format!(
                            "({})",
                            record.condition.as_deref().unwrap_or("not known yet")
                        ),
                    };
                    self.line(format_args!(
                        "    {:<width$}  {:<5} {value}",
                        format!("{}.", record.fqdn),
                        record.kind
                    ));
                    if reasons {
                        self.line(format_args!("        {DIM}{}{DIM:#}", record.why));
                        if let (Some(condition), Some(_)) = (&record.condition, &record.data) {
                            self.line(format_args!("        {DIM}Note: {condition}{DIM:#}"));
                        }
                    }
                }
            }
        }
    }
}

/// Tells of each step on stderr, and in AgencyStack's log.
#[derive(Debug)]
pub(crate) struct Steps {
    verbose: bool,
    quiet: bool,
    log: Option<std::fs::File>,
    interrupted: Arc<AtomicBool>,
}

impl Steps {
    pub(crate) fn new(printer: &Printer, log: Option<std::fs::File>) -> Self {
        Self {
            verbose: printer.verbose && !printer.quiet,
            quiet: printer.quiet,
            log,
            interrupted: Arc::default(),
        }
    }

    /// From now on Ctrl-C stops at the next point from which the same command continues; a second one at once.
    pub(crate) fn stops_when_interrupted(&self) {
        for signal in [SIGINT, SIGTERM] {
            let flag = Arc::clone(&self.interrupted);
            let code = i32::from(crate::INTERRUPTED);
            // Without a handler the signal ends the process, which is all that it has to do.
            let _ = flag::register_conditional_shutdown(signal, code, Arc::clone(&flag))
                .and_then(|_| flag::register(signal, flag));
        }
    }

    fn tell(&mut self, text: &str) {
        if !self.quiet {
            let _ = writeln!(anstream::stderr(), "{DIM}{text}{DIM:#}");
        }
        if let Some(log) = &mut self.log {
            let _ = writeln!(log, "{text}");
        }
    }
}

impl Steps {
    /// Notes in the log what was checked before, and what was left out.
    pub(crate) fn note_checks(&mut self, report: &Report) {
        if let Some(log) = &mut self.log {
            for check in &report.checks {
                let outcome = format!("{:?}", check.outcome).to_lowercase();
                let _ = writeln!(log, "{} {outcome}: {}", check.id, check.summary);
            }
        }
    }
}

impl Progress for Steps {
    fn step(&mut self, number: usize, total: usize, step: &Step) {
        let text = step.describe();
        if self.verbose {
            let _ = writeln!(anstream::stderr(), "{DIM}[{number}/{total}]{DIM:#} {text}");
        }
        if let Some(log) = &mut self.log {
            let _ = writeln!(log, "[{number}/{total}] {text}");
        }
    }

    fn stage(&mut self, stage: Stage) {
        if self.verbose {
            self.tell(&format!("[{}]", stage.as_str()));
        }
    }

    fn said(&mut self, line: &str) {
        self.tell(line);
    }

    fn interrupted(&mut self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }
}

/// Whether a person can be asked.
pub(crate) fn is_interactive() -> bool {
    use io::IsTerminal as _;
    io::stdin().is_terminal() && io::stderr().is_terminal()
}
