//! `mailu.env` and `.env`: every variable that we set, and how people's edits of the files survive.

mod file;
mod merge;
mod readers;
mod render;
pub(crate) mod table;
pub(crate) mod together;

use std::fmt;

pub use file::{EnvFile, EnvValue};
pub use merge::{Base, Conflict, Merged, Override, merge};
pub use readers::reads;
pub(crate) use render::judge;
pub use render::{Variables, check, compose_variables, mailu_variables};
pub use table::is_secret;

/// An environment file that Compose would refuse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvError {
    line: usize,
    rule: String,
}

impl EnvError {
    fn new(line: usize, rule: impl Into<String>) -> Self {
        Self {
            line,
            rule: rule.into(),
        }
    }

    /// Counted from 1; 0 if it is about a value to be written.
    pub fn line(&self) -> usize {
        self.line
    }
}

impl fmt::Display for EnvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "line {}: ", self.line)?;
        }
        f.write_str(&self.rule)
    }
}

impl std::error::Error for EnvError {}
