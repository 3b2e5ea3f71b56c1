//! Printing what the operating verbs found and did.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;

use anstyle::{AnsiColor, Style};
use mailu_core::Error;
use mailu_core::host::{LogEntry, Operated, Power, Uninstalled};
use mailu_core::status::{Fleet, Report, Service, ServiceLevel, Verdict};
use serde::Serialize;

use super::{BOLD, DIM, GREEN, Printer, RED, YELLOW};

/// Services' names in front of their lines, each with a colour of its own.
#[derive(Debug)]
pub(crate) struct Prefixes {
    styles: BTreeMap<String, Style>,
    width: usize,
}

impl Prefixes {
    pub(crate) fn of(services: &[String]) -> Self {
        const COLORS: [AnsiColor; 10] = [
            AnsiColor::Cyan,
            AnsiColor::Yellow,
            AnsiColor::Green,
            AnsiColor::Magenta,
            AnsiColor::Blue,
            AnsiColor::BrightCyan,
            AnsiColor::BrightYellow,
            AnsiColor::BrightGreen,
            AnsiColor::BrightMagenta,
            AnsiColor::BrightBlue,
        ];
        Self {
            width: services.iter().map(String::len).max().unwrap_or(0),
            styles: services
                .iter()
                .cloned()
                .zip(COLORS.iter().cycle().map(|color| color.on_default()))
                .collect(),
        }
    }

    /// A line with its service and time.
    pub(crate) fn line(&self, entry: &LogEntry) -> String {
        let style = self.styles.get(&entry.service).copied().unwrap_or_default();
        // To the millisecond; the rest is noise to people.
        let at = entry
            .at
            .get(..23)
            .unwrap_or(&entry.at)
            .trim_end_matches('Z');
        format!(
            "{style}{:<width$}{style:#} {DIM}{at}Z{DIM:#} {}",
            entry.service,
            entry.text,
            width = self.width
        )
    }
}

/// `1.5 GB`
pub(super) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let mut value = count as f64;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    let name = UNITS.get(unit).unwrap_or(&"");
    if unit == 0 || value >= 99.5 {
        format!("{value:.0} {name}")
    } else {
        format!("{value:.1} {name}")
    }
}

/// `3 days`, `2 hours`
fn span(seconds: i64) -> String {
    let (count, unit) = match seconds.max(0) {
        s if s < 120 => (s, "second"),
        s if s < 2 * 3600 => (s / 60, "minute"),
        s if s < 2 * 86_400 => (s / 3600, "hour"),
        s => (s / 86_400, "day"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

fn level(service: &Service) -> (&'static str, Style) {
    match service.level {
        ServiceLevel::Well => match service.health {
            Some(mailu_core::engine::Health::Healthy) => ("healthy", GREEN),
            _ => ("running", GREEN),
        },
        ServiceLevel::Starting => ("starting", YELLOW),
        ServiceLevel::Failing => ("unhealthy", RED),
        ServiceLevel::Looping => ("restarting", RED),
        ServiceLevel::Stopped => (service.state.map_or("stopped", |state| state.as_str()), RED),
        ServiceLevel::Absent => ("absent", RED),
        _ => ("?", DIM),
    }
}

fn verdict(verdict: Verdict) -> (&'static str, Style) {
    let style = match verdict {
        Verdict::Healthy => GREEN,
        Verdict::Starting => YELLOW,
        _ => RED,
    };
    (verdict.as_str(), style)
}

impl Printer {
    /// Empties the terminal.
    pub(crate) fn clear(&mut self) {
        let _ = write!(self.out, "\x1b[H\x1b[2J\x1b[3J");
    }

    /// A value as JSON in one line; whether somebody still reads it.
    pub(crate) fn json_line<T: Serialize>(&mut self, value: &T) -> Result<bool, Error> {
        let text = serde_json::to_string(value).map_err(|error| {
            Error::new(
                mailu_core::ErrorKind::Internal,
                "output.json",
                "print the result as JSON",
            )
            .source(error)
        })?;
        Ok(self.streamed(text))
    }

    /// Cells in columns; the first row is the heading. A style is for the cell in `styled`.
    fn table(&mut self, rows: &[Vec<String>], styled: usize, styles: &[Style]) {
        let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for (number, row) in rows.iter().enumerate() {
            let mut line = String::new();
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let style = match number {
                    0 => DIM,
                    _ if column == styled => styles.get(number - 1).copied().unwrap_or_default(),
                    _ => Style::new(),
                };
                let space = " ".repeat(width - cell.chars().count());
                let gap = if column == 0 { "" } else { "  " };
                let _ = write!(line, "{gap}{style}{cell}{style:#}{space}");
            }
            self.line(line.trim_end());
        }
    }

    /// How a deployment is.
    pub(crate) fn status(&mut self, report: &Report) {
        let (word, style) = verdict(report.verdict);
        let of = report
            .client
            .as_ref()
            .map(|client| format!(", client {client}"))
            .unwrap_or_default();
        let version = report.version.as_deref().unwrap_or("?");
        self.line(format_args!(
            "{BOLD}{}{BOLD:#}{of}: {style}{word}{style:#} ({} of {} services, Mailu {version})",
            report.mail_host,
            report.well(),
            report.services.len()
        ));
        self.line("");
        self.services(&report.services);
        self.line("");
        self.facts(report);
        for service in &report.services {
            self.cause(service);
        }
        self.findings(&report.findings);
    }

    fn services(&mut self, services: &[Service]) {
        let heading = [
            "SERVICE",
            "STATE",
            "SINCE (UTC)",
            "RESTARTS",
            "CPU",
            "MEMORY",
            "IMAGE",
        ];
        let mut rows = vec![heading.map(str::to_owned).to_vec()];
        let mut styles = Vec::new();
        let some = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        for one in services {
            let (word, style) = level(one);
            styles.push(style);
            let cpu = one.usage.and_then(|usage| usage.cpu_percent);
            let memory = one.usage.and_then(|usage| usage.memory);
            let drift = if one.drift.is_empty() {
                String::new()
            } else {
                " (drifted)".to_owned()
            };
            rows.push(vec![
                one.name.clone(),
                word.to_owned(),
                some(
                    one.since
                        .as_deref()
                        .map(|at| at.get(..19).unwrap_or(at).replace('T', " ")),
                ),
                one.restarts.to_string(),
                some(cpu.map(|cpu| format!("{cpu:.1} %"))),
                some(memory.map(bytes)),
                format!("{}{drift}", one.image),
            ]);
        }
        self.table(&rows, 1, &styles);
    }

    fn facts(&mut self, report: &Report) {
        let mut rows: Vec<(&str, String)> = Vec::new();
        for (name, url) in [
            ("Admin", &report.urls.admin),
            ("Webmail", &report.urls.webmail),
            ("API", &report.urls.api),
        ] {
            rows.extend(url.clone().map(|url| (name, url)));
        }
        for pair in &report.certificates {
            let text = match &pair.certificate {
                Some(there) => format!(
                    "{} days left, for {}, {}",
                    there.days_left,
                    there.names.join(", "),
                    pair.origin.describe()
                ),
                None => format!("{}: {}", pair.path, pair.origin.describe()),
            };
            rows.push(("Certificate", text));
        }
        rows.push((
            "Queue",
            match &report.queue {
                None => "not known".to_owned(),
                Some(queue) if queue.messages == 0 => "empty".to_owned(),
                Some(queue) => {
                    let each: Vec<String> = queue
                        .queues
                        .iter()
                        .map(|(name, count)| format!("{count} {name}"))
                        .collect();
                    let mut text = format!(
                        "{} message{} ({}), {}",
                        queue.messages,
                        if queue.messages == 1 { "" } else { "s" },
                        each.join(", "),
                        bytes(queue.bytes)
                    );
                    if let Some(age) = queue.oldest_age(mailu_core::host::now()) {
                        let _ = write!(text, ", the oldest for {}", span(age));
                    }
                    for reason in queue.reasons.iter().take(3) {
                        let _ = write!(
                            text,
                            "\n              {} × {}",
                            reason.recipients, reason.reason
                        );
                    }
                    text
                }
            },
        ));
        if let Some(disk) = &report.disk {
            let least = if disk.counted { "" } else { "at least " };
            let mail = disk.mail.map(bytes).unwrap_or_default();
            let queue = disk.queue.map(bytes).unwrap_or_default();
            rows.push((
                "Disk",
                format!(
                    "{} of {} free; mail takes {least}{mail}, the queue {queue}",
                    bytes(disk.free),
                    bytes(disk.total)
                ),
            ));
        }
        rows.push((
            "Backup",
            match (&report.backups.newest, report.backups.age) {
                (Some(path), Some(age)) => {
                    format!(
                        "{} ago, {} in all: {}",
                        span(age),
                        report.backups.count,
                        path.display()
                    )
                }
                _ => format!("none in {}", report.backups.directory.display()),
            },
        ));
        rows.push(("Files", report.directory.display().to_string()));
        if let Some(engine) = &report.engine {
            rows.push(("Engine", format!("Docker {engine}")));
        }
        for (name, value) in rows {
            self.line(format_args!("{BOLD}{name:<14}{BOLD:#}{value}"));
        }
    }

    fn cause(&mut self, service: &Service) {
        let Some(cause) = &service.cause else {
            return;
        };
        let (word, style) = level(service);
        self.line(format_args!(
            "\n{style}{} is {word}{style:#}: {}",
            service.name, cause.why
        ));
        if let Some(output) = &cause.health_output {
            for line in output.lines() {
                self.line(format_args!("  health check: {line}"));
            }
        }
        for line in &cause.last_lines {
            self.line(format_args!("  {DIM}{line}{DIM:#}"));
        }
    }

    /// How all deployments are.
    pub(crate) fn fleet(&mut self, fleet: &Fleet) {
        if fleet.deployments.is_empty() {
            self.note("there are no deployments");
            return;
        }
        let heading = [
            "MAIL HOST",
            "CLIENT",
            "STATE",
            "SERVICES",
            "CERTIFICATE",
            "QUEUE",
            "BACKUP",
            "WORST",
        ];
        let mut rows = vec![heading.map(str::to_owned).to_vec()];
        let mut styles = Vec::new();
        let some = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        for one in &fleet.deployments {
            let (word, style) = verdict(one.verdict);
            styles.push(style);
            let worst = one
                .findings
                .first()
                .filter(|finding| finding.severity > mailu_core::Severity::Notice);
            rows.push(vec![
                one.mail_host.clone(),
                some(one.client.clone()),
                word.to_owned(),
                format!("{}/{}", one.well(), one.services.len()),
                some(
                    one.certificates
                        .iter()
                        .filter_map(|pair| Some(pair.certificate.as_ref()?.days_left))
                        .min()
                        .map(|days| format!("{days} days")),
                ),
                some(one.queue.as_ref().map(|queue| queue.messages.to_string())),
                some(one.backups.age.map(span)),
                some(worst.map(|finding| format!("{} [{}]", finding.subject, finding.id))),
            ]);
        }
        self.table(&rows, 2, &styles);
    }

    /// What came of starting, stopping or restarting services.
    pub(crate) fn operated(&mut self, done: &Operated) {
        self.services(&done.services);
        for service in &done.services {
            if !done.done && done.action != Power::Stop {
                self.cause(service);
            }
        }
        let (word, style) = match (done.done, done.action) {
            (true, Power::Stop) => ("stopped", GREEN),
            (true, _) => ("ready", GREEN),
            (false, Power::Stop) => ("not stopped", RED),
            (false, _) => ("not ready", RED),
        };
        self.line(format_args!(
            "\n{BOLD}{}{BOLD:#}: {style}{word}{style:#} after {}",
            done.mail_host,
            span(i64::try_from(done.seconds).unwrap_or_default())
        ));
    }

    /// What came of taking a deployment down.
    pub(crate) fn uninstalled(&mut self, done: &Uninstalled, again: &str) {
        for (what, names) in [("container", &done.containers), ("network", &done.networks)] {
            for name in names {
                self.line(format_args!("removed {what} {name}"));
            }
        }
        for path in &done.deleted {
            self.line(format_args!("deleted {}", path.display()));
        }
        for kept in &done.kept {
            self.line(format_args!("stays: {} ({})", kept.place, kept.what));
        }
        if done.deleted.is_empty() {
            self.line(format_args!(
                "{GREEN}{}{GREEN:#}: {}; `{again}` brings it back",
                done.mail_host,
                if done.is_unchanged() {
                    "nothing to take down"
                } else {
                    "taken down"
                }
            ));
        } else {
            self.line(format_args!("{GREEN}{}{GREEN:#}: deleted", done.mail_host));
        }
    }
}
