//! What can go wrong, as data: a kind to branch on, a stable code, what was attempted on what, why, and what to type next.

use std::fmt;

use crate::finding::{Finding, Severity};

/// What an [`Error`] is about, for callers that branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// Something that was given is wrong; the findings say what.
    InvalidInput,
    /// There is no such deployment, file or key.
    NotFound,
    /// What is there and what is wanted exclude each other; nothing was changed.
    Conflict,
    /// Reading or writing a file failed.
    Io,
    /// A file of ours is damaged.
    Corrupt,
    /// Docker or Compose is missing or refused.
    Docker,
    /// A mistake in this program.
    Internal,
}

impl ErrorKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::InvalidInput,
        Self::NotFound,
        Self::Conflict,
        Self::Io,
        Self::Corrupt,
        Self::Docker,
        Self::Internal,
    ];

    /// The kind as text: `invalid_input`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidInput => "invalid_input",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::Io => "io",
            Self::Corrupt => "corrupt",
            Self::Docker => "docker",
            Self::Internal => "internal",
        }
    }
}

/// A failed operation.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
#[non_exhaustive]
pub struct Error {
    kind: ErrorKind,
    code: &'static str,
    message: String,
    hints: Vec<String>,
    findings: Vec<Finding>,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// A failure of `kind`; `message` says what was attempted on what.
    pub fn new(kind: ErrorKind, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            kind,
            code,
            message: message.into(),
            hints: Vec::new(),
            findings: Vec::new(),
            source: None,
        }
    }

    /// Adds what to type next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn source(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// Says what was attempted on what, where only the caller knows: the message becomes `{attempt}: {message}`.
    #[must_use]
    pub fn about(mut self, attempt: impl fmt::Display) -> Self {
        self.message = format!("{attempt}: {}", self.message);
        self
    }

    /// Adds findings: everything that is wrong, not just the first.
    #[must_use]
    pub fn findings(mut self, findings: Vec<Finding>) -> Self {
        self.findings = findings;
        self
    }

    /// Words every hint anew, those of the findings too.
    #[must_use]
    pub fn map_hints(mut self, word: impl Fn(&str) -> String) -> Self {
        let found = self.findings.iter_mut().flat_map(|f| &mut f.hints);
        for hint in self.hints.iter_mut().chain(found) {
            *hint = word(hint);
        }
        self
    }

    /// What it is about.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Stable, dotted: `config.invalid`, `install.foreign_directory`.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// What to type next.
    pub fn hints(&self) -> &[String] {
        &self.hints
    }

    /// Everything that is wrong, where that is a list.
    pub fn all_findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The error as the CLI and the bindings hand it on: a [`Failure`].
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!(Failure::from(self))
    }
}

/// An [`Error`] as plain data.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Failure {
    /// What it is about.
    pub kind: ErrorKind,
    /// Stable, dotted: `config.invalid`.
    pub code: &'static str,
    /// What was attempted on what.
    pub message: String,
    /// Why it failed, if something else made it fail.
    pub cause: Option<String>,
    /// What to type next.
    pub hints: Vec<String>,
    /// Everything that is wrong, where that is a list.
    pub findings: Vec<Finding>,
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        Self {
            kind: error.kind,
            code: error.code,
            message: error.message.clone(),
            cause: std::error::Error::source(error).map(ToString::to_string),
            hints: error.hints.clone(),
            findings: error.findings.clone(),
        }
    }
}

/// A configuration that breaks rules: all of them, with their keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    findings: Vec<Finding>,
}

impl Invalid {
    pub(crate) fn new(mut findings: Vec<Finding>) -> Self {
        findings.sort_by_key(|f| std::cmp::Reverse(f.severity));
        Self { findings }
    }

    /// Everything found, errors first.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let errors: Vec<_> = self
            .findings
            .iter()
            .filter(|finding| finding.severity == Severity::Error)
            .collect();
        write!(
            f,
            "the configuration has {} error{}",
            errors.len(),
            if errors.len() == 1 { "" } else { "s" }
        )?;
        for finding in errors {
            write!(f, "\n  {finding}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Invalid {}

impl From<Invalid> for Error {
    fn from(invalid: Invalid) -> Self {
        let errors = crate::config::errors(&invalid.findings).count();
        Self::new(
            ErrorKind::InvalidInput,
            "config.invalid",
            format!(
                "the configuration has {errors} error{}",
                if errors == 1 { "" } else { "s" }
            ),
        )
        .findings(invalid.findings)
    }
}
