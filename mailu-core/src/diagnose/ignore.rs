//! Findings that somebody has decided to live with, why, and until when.

use std::fmt;
use std::str::FromStr;

use crate::finding::Finding;

/// A rule of `diagnose.ignore`: `ID[@SUBJECT] [until YYYY-MM-DD]: REASON`.
///
/// `ID` is a finding's (`spf.all`), or the first part of several (`spf`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IgnoreRule {
    id: String,
    subject: Option<String>,
    until: Option<String>,
    reason: String,
}

impl IgnoreRule {
    /// A rule.
    ///
    /// # Errors
    ///
    /// What is wrong with it, as the rest of a sentence about it.
    pub fn new(
        id: &str,
        subject: Option<&str>,
        until: Option<&str>,
        reason: &str,
    ) -> Result<Self, &'static str> {
        let mut text = id.to_owned();
        if let Some(subject) = subject {
            text.push('@');
            text.push_str(subject);
        }
        if let Some(until) = until {
            text.push_str(" until ");
            text.push_str(until);
        }
        text.push_str(": ");
        text.push_str(reason);
        text.parse()
    }

    /// The finding's identifier, or its first part.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What it is only about, if not about everything.
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// Why it is ignored.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// The last day on which it is, `YYYY-MM-DD`.
    pub fn until(&self) -> Option<&str> {
        self.until.as_deref()
    }

    /// Whether it is about `finding`, whatever the day.
    pub fn is_about(&self, finding: &Finding) -> bool {
        covers(&self.id, &finding.id)
            && self
                .subject
                .as_ref()
                .is_none_or(|subject| *subject == finding.subject)
    }

    /// Whether `today` (`YYYY-MM-DD`) is later than its last day.
    pub fn is_over(&self, today: &str) -> bool {
        // Dates of this form are in order as texts.
        self.until.as_deref().is_some_and(|until| today > until)
    }
}

/// Whether `name` is `id`, or a first part of it.
pub(super) fn covers(name: &str, id: &str) -> bool {
    id == name
        || id
            .strip_prefix(name)
            .is_some_and(|rest| rest.starts_with('.'))
}

/// Whether `text` is a day of the calendar, `YYYY-MM-DD` (RFC 3339 §5.6, full-date).
pub(crate) fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts.as_slice() else {
        return false;
    };
    let number = |part: &str, digits: usize| {
        (part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| part.parse::<u32>().ok())
            .flatten()
    };
    let (Some(year), Some(month), Some(day)) = (number(year, 4), number(month, 2), number(day, 2))
    else {
        return false;
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    (1..=days).contains(&day)
}

impl FromStr for IgnoreRule {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "must be `ID[@SUBJECT] [until YYYY-MM-DD]: REASON`";
        let (rule, reason) = text.split_once(": ").ok_or(
            "must say why, after a colon and a space: `ID[@SUBJECT] [until YYYY-MM-DD]: REASON`",
        )?;
        let reason = reason.trim();
        if reason.is_empty() || reason.chars().any(char::is_control) {
            return Err("must say why in one line, after the colon");
        }
        let (what, until) = match rule.split_once(" until ") {
            Some((what, until)) => (what.trim(), Some(until.trim())),
            None => (rule.trim(), None),
        };
        if until.is_some_and(|until| !is_date(until)) {
            return Err("must name a day as YYYY-MM-DD after `until`");
        }
        let (id, subject) = match what.split_once('@') {
            Some((id, subject)) => (id, Some(subject)),
            None => (what, None),
        };
        let word = |part: &str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        };
        if !id.split('.').all(word) || subject.is_some_and(|subject| subject.trim().is_empty()) {
            return Err(FORM);
        }
        Ok(Self {
            id: id.to_owned(),
            subject: subject.map(str::to_owned),
            until: until.map(str::to_owned),
            reason: reason.to_owned(),
        })
    }
}

impl fmt::Display for IgnoreRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id)?;
        if let Some(subject) = &self.subject {
            write!(f, "@{subject}")?;
        }
        if let Some(until) = &self.until {
            write!(f, " until {until}")?;
        }
        write!(f, ": {}", self.reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_and_written() {
        for text in [
            "spf.all: the newsletter service is being moved",
            "ptr until 2027-02-28: the hoster does it in February: promised",
            "port.closed@port 25 until 2028-02-29: asked the provider",
        ] {
            let rule: IgnoreRule = text.parse().expect("a rule");
            assert_eq!(rule.to_string(), text);
        }
        for text in [
            "spf.all",
            "spf.all:",
            "spf.all: ",
            ": why",
            "Spf.all: why",
            "spf..all: why",
            "spf.all until tomorrow: why",
            "spf.all until 2027-02-29: why",
            "spf.all until 2027-13-01: why",
            "spf.all until 2027-1-1: why",
            "spf.all@ : why",
            "spf.all: two\nlines",
        ] {
            assert!(text.parse::<IgnoreRule>().is_err(), "{text}");
        }
    }

    #[test]
    fn rules_are_about_what_they_say() {
        let finding = Finding::warning("spf.all", "example.com", "");
        let about = |text: &str| {
            let rule: IgnoreRule = text.parse().expect("a rule");
            rule.is_about(&finding)
        };
        assert!(about("spf.all: x"));
        assert!(about("spf: x"));
        assert!(about("spf.all@example.com: x"));
        assert!(!about("spf.al: x"));
        assert!(!about("spf.all@example.org: x"));
        let rule: IgnoreRule = "spf until 2027-01-31: x".parse().expect("a rule");
        assert!(!rule.is_over("2027-01-31"));
        assert!(rule.is_over("2027-02-01"));
    }
}
