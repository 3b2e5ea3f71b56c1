//! A judged fact: what is wrong (or worth knowing), where, why, and what to do about it.

use std::fmt;

use serde::Serialize;

/// How much a [`Finding`] matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Severity {
    /// Worth knowing; nothing has to be done.
    Notice,
    /// Works, but somebody should look at it.
    Warning,
    /// Nothing is written while it stands.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// One judged fact about a configuration, a plan or a running deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Finding {
    /// Stable, dotted: `config.unknown_key`, `network.overlap`.
    pub id: String,
    /// How much it matters.
    pub severity: Severity,
    /// What it is about: a key of `mailu.toml` (`tls.mode`), a variable (`mailu.env: LOG_LEVEL`) or a file.
    pub subject: String,
    /// The value found, as written; absent where there is none or where it is a secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The rule, and why it exists.
    pub message: String,
    /// What to type or change, most useful first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<String>,
}

impl Finding {
    /// An [`Severity::Error`].
    pub fn error(id: &str, subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, id, subject, message)
    }

    /// A [`Severity::Warning`].
    pub fn warning(id: &str, subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, id, subject, message)
    }

    /// A [`Severity::Notice`].
    pub fn notice(id: &str, subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Severity::Notice, id, subject, message)
    }

    fn new(
        severity: Severity,
        id: &str,
        subject: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            id: id.to_owned(),
            severity,
            subject: shorten(&subject.into()),
            value: None,
            message: message.into(),
            hints: Vec::new(),
        }
    }

    /// Adds the value that was found. Never call it with a secret.
    #[must_use]
    pub fn value(mut self, value: impl fmt::Display) -> Self {
        self.value = Some(shorten(&without_userinfo(
            &self.subject,
            &value.to_string(),
        )));
        self
    }

    /// Adds a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.subject)?;
        if let Some(value) = &self.value {
            write!(f, " = `{value}`")?;
        }
        write!(f, ": {}", self.message)
    }
}

/// Keeps one-line messages one line long, whatever was typed.
fn shorten(text: &str) -> String {
    const LIMIT: usize = 120;
    let line: String = text
        .chars()
        .flat_map(|c| {
            let keep = !c.is_control();
            keep.then_some(c)
                .into_iter()
                .chain((!keep).then(|| c.escape_default()).into_iter().flatten())
        })
        .collect();
    if line.chars().count() <= LIMIT {
        return line;
    }
    let head: String = line.chars().take(LIMIT).collect();
    format!("{head}…")
}

/// `value` of what is called `name`, without user and password: what stands before an `@` in the name of a host, and in a URL.
pub(crate) fn without_userinfo(name: &str, value: &str) -> String {
    let name = name.to_ascii_lowercase();
    let start = match value.find("://") {
        Some(at) => at + "://".len(),
        None if name.contains("host") || name.ends_with("address") => {
            usize::from(value.starts_with(['"', '\'']))
        }
        None => return value.to_owned(),
    };
    let (head, rest) = value.split_at(start);
    // A password may have a `/` in it, a path an `@`: nothing is lost when such a path is hidden too.
    match rest.rsplit_once('@') {
        Some((_, host)) => format!("{head}***@{host}"),
        None => value.to_owned(),
    }
}

/// The error among `findings`, if there is one.
pub fn has_errors(findings: &[Finding]) -> bool {
    findings.iter().any(|f| f.severity == Severity::Error)
}

/// The candidate nearest to `word`, if it is near enough to be a slip of the keyboard.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    // No name here is longer, and the comparison takes time by the product of both lengths.
    const LONGEST: usize = 64;
    if word.len() > LONGEST {
        return None;
    }
    let wanted = word.to_ascii_lowercase();
    candidates
        .into_iter()
        .map(|candidate| {
            (
                strsim::damerau_levenshtein(&wanted, &candidate.to_ascii_lowercase()),
                candidate,
            )
        })
        .filter(|(distance, candidate)| *distance <= candidate.len().max(word.len()) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_stays_on_one_line_and_short() {
        let finding = Finding::error("x", "key", "no").value("a\nb\u{7}");
        assert_eq!(finding.to_string(), "`key` = `a\\nb\\u{7}`: no");
        let long = Finding::error("x", "key", "no").value("y".repeat(500));
        assert!(long.to_string().chars().count() < 150);
    }

    #[test]
    fn what_is_before_a_host_is_not_shown() {
        for (name, value, shown) in [
            ("relay.host", "user:pa@ss@host:587", "***@host:587"),
            ("mailu.env: RELAYHOST", "user:pass@host", "***@host"),
            ("relay.host", "\"user:pass@host\"", "\"***@host\""),
            (
                "web.website",
                "https://user:pass@host/",
                "https://***@host/",
            ),
            (
                "relay.host",
                "[smtp.example.net]:587",
                "[smtp.example.net]:587",
            ),
            ("admin_email", "admin@example", "admin@example"),
        ] {
            assert_eq!(without_userinfo(name, value), shown);
        }
    }

    #[test]
    fn nearest_needs_a_likeness() {
        assert_eq!(nearest("taefik", ["traefik", "cert"]), Some("traefik"));
        assert_eq!(nearest("zzz", ["traefik", "cert"]), None);
        let long = "x".repeat(1_000_000);
        assert_eq!(nearest(&long, [long.as_str()]), None);
    }
}
