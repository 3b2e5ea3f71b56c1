//! The page of a diagnosis: what is wrong, what to do about it, and what was looked at.

use minijinja::context;
use serde::Serialize;

use super::{Page, Part, Sign, framed, moment, step};
use crate::error::{Error, ErrorKind};
use crate::finding::{Finding, Severity};

/// How a diagnosis came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Verdict {
    /// Nothing keeps mail from being delivered.
    Good,
    /// It works; something should be looked at, or could not be found out.
    Unsure,
    /// Something is broken.
    Bad,
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CheckOutcome {
    /// Nothing is wrong.
    Passed,
    /// It works, but somebody should look at it.
    Warned,
    /// It does not work.
    Failed,
    /// It could not be found out.
    Unknown,
    /// It was not done.
    Skipped,
}

/// A finding that is the consequence of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silenced {
    /// What would have been said.
    pub finding: Finding,
    /// The id of the finding that explains it.
    pub cause: String,
}

/// A finding that somebody has chosen to live with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ignored {
    /// What would have been said.
    pub finding: Finding,
    /// Why it is ignored, in the words of whoever decided it.
    pub reason: String,
    /// Until when: a date as it was given. Absent: for good.
    pub until: Option<String>,
}

/// A check that was done, or left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Its identifier, stable and dotted.
    pub id: String,
    /// What it looks at.
    pub about: String,
    /// How it ended.
    pub outcome: CheckOutcome,
    /// What was seen, or why it was not done.
    pub summary: String,
}

/// What stands on the page.
#[derive(Debug, Clone)]
pub struct ReportPage<'a> {
    /// The deployment.
    pub mail_host: &'a str,
    /// When it was looked at, in UTC: `2026-11-26T14:05:00Z` (ISO 8601).
    pub checked_at: &'a str,
    /// How it came out.
    pub verdict: Verdict,
    /// The same in a sentence.
    pub headline: &'a str,
    /// What is wrong. They are shown by severity, in this order.
    pub findings: &'a [Finding],
    /// What follows from them.
    pub silenced: &'a [Silenced],
    /// What is not to be said again.
    pub ignored: &'a [Ignored],
    /// What was looked at.
    pub checks: &'a [Check],
    /// Whose page it is.
    pub page: &'a Page,
}

/// A finding as the template has it.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    sign: Sign,
    /// Its place among the findings; 0 where nothing leads to it.
    number: usize,
    id: &'a str,
    severity: String,
    subject: &'a str,
    value: Option<&'a str>,
    message: Vec<Part>,
    steps: Vec<Vec<Part>>,
}

impl<'a> Shown<'a> {
    fn new(finding: &'a Finding, number: usize) -> Self {
        Self {
            sign: match finding.severity {
                Severity::Error => Sign::bad("Error"),
                Severity::Warning => Sign::look("Warning"),
                Severity::Notice => Sign::soft("i", "Notice"),
            },
            number,
            id: &finding.id,
            severity: finding.severity.to_string(),
            subject: &finding.subject,
            value: finding.value.as_deref(),
            message: step(&finding.message),
            steps: finding.hints.iter().map(|hint| step(hint)).collect(),
        }
    }
}

#[derive(Serialize)]
struct Group<'a> {
    id: &'static str,
    title: &'static str,
    findings: Vec<Shown<'a>>,
}

#[derive(Serialize)]
struct Follows<'a> {
    finding: Shown<'a>,
    cause: &'a str,
    /// Where the cause stands on the page; 0 where it does not.
    number: usize,
}

#[derive(Serialize)]
struct LeftOut<'a> {
    finding: Shown<'a>,
    reason: &'a str,
    until: Option<&'a str>,
}

#[derive(Serialize)]
struct Done<'a> {
    #[serde(flatten)]
    sign: Sign,
    outcome: &'static str,
    id: &'a str,
    about: &'a str,
    summary: &'a str,
}

impl<'a> Done<'a> {
    fn new(check: &'a Check) -> Self {
        let (sign, outcome) = match check.outcome {
            CheckOutcome::Passed => (Sign::good("Passed"), "passed"),
            CheckOutcome::Warned => (Sign::look("Look"), "warned"),
            CheckOutcome::Failed => (Sign::bad("Failed"), "failed"),
            CheckOutcome::Unknown => (Sign::soft("?", "Unknown"), "unknown"),
            CheckOutcome::Skipped => (Sign::soft("\u{2013}", "Skipped"), "skipped"),
        };
        Self {
            sign,
            outcome,
            id: &check.id,
            about: &check.about,
            summary: &check.summary,
        }
    }
}

/// `1 error`, `2 errors`.
fn count(number: usize, what: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {what}{ending}")
}

/// The report as one HTML file, to be sent or kept as it is. Its first line names the mail host, so that the same file is
/// recognised later.
///
/// # Errors
///
/// [`ErrorKind::Internal`] if a template is broken.
pub fn report_page(report: &ReportPage<'_>) -> Result<String, Error> {
    rendered(report).map_err(|error| {
        Error::new(
            ErrorKind::Internal,
            "pages.report",
            format!("write the report about {} as a page", report.mail_host),
        )
        .source(error)
    })
}

fn rendered(report: &ReportPage<'_>) -> Result<String, minijinja::Error> {
    let mut number = 0;
    let groups: Vec<Group<'_>> = [
        (Severity::Error, "errors", "What is broken"),
        (Severity::Warning, "warnings", "What to look at"),
        (Severity::Notice, "notices", "Worth knowing"),
    ]
    .into_iter()
    .map(|(severity, id, title)| Group {
        id,
        title,
        findings: report
            .findings
            .iter()
            .filter(|finding| finding.severity == severity)
            .map(|finding| {
                number += 1;
                Shown::new(finding, number)
            })
            .collect(),
    })
    .filter(|group| !group.findings.is_empty())
    .collect();
    let silenced: Vec<Follows<'_>> = report
        .silenced
        .iter()
        .map(|one| Follows {
            finding: Shown::new(&one.finding, 0),
            cause: &one.cause,
            number: groups
                .iter()
                .flat_map(|group| &group.findings)
                .find(|finding| finding.id == one.cause)
                .map_or(0, |finding| finding.number),
        })
        .collect();
    let ignored: Vec<LeftOut<'_>> = report
        .ignored
        .iter()
        .map(|one| LeftOut {
            finding: Shown::new(&one.finding, 0),
            reason: &one.reason,
            until: one.until.as_deref(),
        })
        .collect();
    let checks: Vec<Done<'_>> = report.checks.iter().map(Done::new).collect();
    let unknown: Vec<&Done<'_>> = checks
        .iter()
        .filter(|check| check.outcome == "unknown")
        .collect();
    let of = |severity| {
        let found = report.findings.iter();
        found.filter(|one| one.severity == severity).count()
    };
    let passed = checks.iter().filter(|one| one.outcome == "passed").count();
    let counts = format!(
        "{}, {}, {}; {passed} of {} passed",
        count(of(Severity::Error), "error"),
        count(of(Severity::Warning), "warning"),
        count(of(Severity::Notice), "notice"),
        count(checks.len(), "check"),
    );
    let sign = match report.verdict {
        Verdict::Good => Sign::good(""),
        Verdict::Unsure => Sign::look(""),
        Verdict::Bad => Sign::bad(""),
    };
    let content = context! {
        mail_host => report.mail_host,
        at => report.checked_at,
        moment => moment(report.checked_at),
        headline => report.headline,
        sign => minijinja::value::Serde(&sign),
        counts => counts,
        groups => minijinja::value::Serde(&groups),
        silenced => minijinja::value::Serde(&silenced),
        unknown => minijinja::value::Serde(&unknown),
        ignored => minijinja::value::Serde(&ignored),
        checks => minijinja::value::Serde(&checks),
    };
    framed(
        "report.html",
        include_str!("report.html.j2"),
        report.page,
        true,
        content,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(findings: &[Finding], silenced: &[Silenced]) -> String {
        report_page(&ReportPage {
            mail_host: "mail.example.com",
            checked_at: "2026-11-26T14:05:00Z",
            verdict: Verdict::Bad,
            headline: "Mail is refused.",
            findings,
            silenced,
            ignored: &[],
            checks: &[],
            page: &Page::default(),
        })
        .expect("a page")
    }

    #[test]
    fn the_worst_comes_first_and_causes_are_linked() {
        let findings = [
            Finding::notice("c.notice", "c", "is worth knowing"),
            Finding::warning("b.warning", "b", "is odd"),
            Finding::error("a.error", "a", "is broken").hint("run `mailu apply`"),
        ];
        let silenced = [
            Silenced {
                finding: Finding::error("d.later", "d", "does not answer"),
                cause: "b.warning".to_owned(),
            },
            Silenced {
                finding: Finding::error("e.later", "e", "does not answer"),
                cause: "x.elsewhere".to_owned(),
            },
        ];
        let text = page(&findings, &silenced);
        let at = |what: &str| text.find(what).unwrap_or_else(|| panic!("no {what}"));
        assert!(at("is broken") < at("is odd") && at("is odd") < at("is worth knowing"));
        assert!(at("is worth knowing") < at("does not answer"));
        assert!(
            text.contains("id=\"finding-2\" data-id=\"b.warning\""),
            "{text}"
        );
        assert!(
            text.contains("<a href=\"#finding-2\">b.warning</a>"),
            "{text}"
        );
        assert!(!text.contains("#finding-0") && text.contains("x.elsewhere"));
        assert!(text.contains("1 error, 1 warning, 1 notice; 0 of 0 checks passed"));
        assert!(text.contains("<code>mailu apply</code>"));
        assert!(text.starts_with("<!doctype html><!-- Diagnosis of mail.example.com -->\n"));
    }

    #[test]
    fn nothing_wrong_is_said() {
        let text = page(&[], &[]);
        assert!(text.contains("Nothing was found"), "{text}");
    }
}
