//! The mail ports of front.

use serde::Serialize;
use toml::Value;

use super::value::{self, FromValue};
use crate::finding::Finding;

/// One mail port of front.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MailPort {
    /// 25
    Smtp,
    /// 465
    Submissions,
    /// 587
    Submission,
    /// 143
    Imap,
    /// 993
    Imaps,
    /// 110
    Pop3,
    /// 995
    Pop3s,
    /// 4190
    Sieve,
}

impl MailPort {
    /// Every mail port that front knows.
    pub const ALL: [Self; 8] = [
        Self::Smtp,
        Self::Submissions,
        Self::Submission,
        Self::Imap,
        Self::Imaps,
        Self::Pop3,
        Self::Pop3s,
        Self::Sieve,
    ];

    /// What a deployment offers unless told otherwise: all but plain POP3.
    pub const DEFAULT: [Self; 7] = [
        Self::Smtp,
        Self::Submissions,
        Self::Submission,
        Self::Imap,
        Self::Imaps,
        Self::Pop3s,
        Self::Sieve,
    ];

    /// The number.
    pub fn number(self) -> u16 {
        match self {
            Self::Smtp => 25,
            Self::Pop3 => 110,
            Self::Imap => 143,
            Self::Submissions => 465,
            Self::Submission => 587,
            Self::Imaps => 993,
            Self::Pop3s => 995,
            Self::Sieve => 4190,
        }
    }

    /// The name in RFC 6335's registry, which is also our name for Traefik's router.
    pub fn name(self) -> &'static str {
        match self {
            Self::Smtp => "smtp",
            Self::Pop3 => "pop3",
            Self::Imap => "imap",
            Self::Submissions => "submissions",
            Self::Submission => "submission",
            Self::Imaps => "imaps",
            Self::Pop3s => "pop3s",
            Self::Sieve => "sieve",
        }
    }

    /// Whether the client speaks TLS at once, so that a proxy can route by the server name it asks for.
    pub fn implicit_tls(self) -> bool {
        matches!(self, Self::Submissions | Self::Imaps | Self::Pop3s)
    }
}

impl Serialize for MailPort {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u16(self.number())
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for MailPort {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "MailPort".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "enum": Self::ALL.map(Self::number) })
    }
}

impl FromValue for MailPort {
    fn from_value(value: &Value, at: &str, out: &mut Vec<Finding>) -> Option<Self> {
        let number = u16::from_value(value, at, out)?;
        let found = Self::ALL.into_iter().find(|port| port.number() == number);
        if found.is_none() {
            let hint = match number {
                80 | 443 => "web ports are not listed here: they follow from tls.mode",
                _ => "use some of 25, 110, 143, 465, 587, 993, 995, 4190",
            };
            out.push(
                value::invalid(at, number, "must be a mail port that front can open: 25, 110, 143, 465, 587, 993, 995 or 4190")
                    .hint(hint),
            );
        }
        found
    }
}
