//! One record: typed data, how important it is, and why.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

use serde::Serialize;

/// How much depends on a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Level {
    /// Mail does not work, or is refused by large receivers, without it.
    Required,
    /// Large receivers or mail programs profit from it.
    Recommended,
    /// For those who want it.
    Optional,
}

/// What a record says. Names are A-labels without the final dot; `.` is the root (no service).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
#[non_exhaustive]
pub enum Data {
    /// RFC 1035 §3.4.1.
    A {
        /// The address.
        address: Ipv4Addr,
    },
    /// RFC 3596.
    Aaaa {
        /// The address.
        address: Ipv6Addr,
    },
    /// RFC 1035 §3.3.1.
    Cname {
        /// The canonical name.
        target: String,
    },
    /// RFC 1035 §3.3.9.
    Mx {
        /// Lower is tried first.
        preference: u16,
        /// The mail host.
        exchange: String,
    },
    /// RFC 2782.
    Srv {
        /// Lower is tried first.
        priority: u16,
        /// Share among equals.
        weight: u16,
        /// 0 with target `.` says that there is no such service.
        port: u16,
        /// The host, or `.`.
        target: String,
    },
    /// RFC 1035 §3.3.12.
    Ptr {
        /// The name that the address has.
        target: String,
    },
    /// RFC 8659.
    Caa {
        /// 128 is critical.
        flags: u8,
        /// `issue`, `issuewild`, `iodef` …
        tag: String,
        /// What the tag says.
        value: String,
    },
    /// RFC 6698.
    Tlsa {
        /// 2 (DANE-TA) or 3 (DANE-EE): others are not for mail (RFC 7672 §3.1.3).
        usage: u8,
        /// 0 for the certificate, 1 for its public key.
        selector: u8,
        /// 0 for all of it, 1 for SHA-256, 2 for SHA-512.
        matching: u8,
        /// In hexadecimal, lower case.
        association: String,
    },
    /// RFC 1035 §3.3.14. The text is what the strings make together, without a space between them.
    Txt {
        /// The whole text.
        text: String,
    },
}

impl Data {
    /// The record's type.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::A { .. } => "A",
            Self::Aaaa { .. } => "AAAA",
            Self::Cname { .. } => "CNAME",
            Self::Mx { .. } => "MX",
            Self::Srv { .. } => "SRV",
            Self::Ptr { .. } => "PTR",
            Self::Caa { .. } => "CAA",
            Self::Tlsa { .. } => "TLSA",
            Self::Txt { .. } => "TXT",
        }
    }

    /// The data in the presentation form of zone files (RFC 1035 §5.1).
    pub fn presentation(&self) -> String {
        let absolute = |name: &str| {
            if name == "." {
                name.to_owned()
            } else {
                format!("{name}.")
            }
        };
        match self {
            Self::A { address } => address.to_string(),
            Self::Aaaa { address } => address.to_string(),
            Self::Cname { target } | Self::Ptr { target } => absolute(target),
            Self::Caa { flags, tag, value } => format!("{flags} {tag} {}", quote(value)),
            Self::Tlsa {
                usage,
                selector,
                matching,
                association,
            } => format!("{usage} {selector} {matching} {association}"),
            Self::Mx {
                preference,
                exchange,
            } => format!("{preference} {}", absolute(exchange)),
            Self::Srv {
                priority,
                weight,
                port,
                target,
            } => {
                format!("{priority} {weight} {port} {}", absolute(target))
            }
            Self::Txt { text } => chunks(text)
                .iter()
                .map(|chunk| quote(chunk))
                .collect::<Vec<_>>()
                .join(" "),
        }
    }

    /// The value as one types it into a provider's form: TXT in one piece and without quotes.
    pub fn plain(&self) -> String {
        match self {
            Self::Txt { text } => text.clone(),
            other => other.presentation(),
        }
    }
}

/// The strings that carry `text`: at most 255 octets each, never cutting a UTF-8 sequence.
pub fn chunks(text: &str) -> Vec<&str> {
    let mut rest = text;
    let mut all = Vec::new();
    while rest.len() > 255 {
        let mut end = 255;
        while !rest.is_char_boundary(end) {
            end -= 1;
        }
        let (head, tail) = rest.split_at(end);
        all.push(head);
        rest = tail;
    }
    all.push(rest);
    all
}

/// One string in quotes (RFC 1035 §5.1): quote and backslash escaped, everything outside printable ASCII as `\DDD`.
pub(super) fn quote(chunk: &str) -> String {
    let mut out = String::with_capacity(chunk.len() + 2);
    out.push('"');
    for byte in chunk.bytes() {
        match byte {
            b'"' | b'\\' => {
                out.push('\\');
                out.push(char::from(byte));
            }
            b' '..=b'~' => out.push(char::from(byte)),
            other => {
                out.push('\\');
                let _ = write!(out, "{other:03}");
            }
        }
    }
    out.push('"');
    out
}

/// One record that a deployment needs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Record {
    /// Stable: `example.com/MX`.
    pub id: String,
    /// The zone it belongs to.
    pub zone: String,
    /// The full owner name, without the final dot.
    pub fqdn: String,
    /// Seconds.
    pub ttl: u32,
    /// What it says; nothing if that is not known yet.
    pub data: Option<Data>,
    /// Its type, also where the data is not known.
    pub kind: &'static str,
    /// How much depends on it.
    pub level: Level,
    /// Why it is there, and what it does.
    pub why: String,
    /// What must hold for it, or what keeps it from being complete.
    pub condition: Option<String>,
}

impl Record {
    /// The owner name relative to the zone; `@` is the zone itself.
    pub fn name(&self) -> String {
        if self.fqdn == self.zone {
            return "@".to_owned();
        }
        self.fqdn
            .strip_suffix(&self.zone)
            .and_then(|head| head.strip_suffix('.'))
            .unwrap_or(&self.fqdn)
            .to_owned()
    }
}

impl Serialize for Record {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct as _;
        let mut s = serializer.serialize_struct("Record", 12)?;
        s.serialize_field("id", &self.id)?;
        s.serialize_field("zone", &self.zone)?;
        s.serialize_field("name", &self.name())?;
        s.serialize_field("fqdn", &self.fqdn)?;
        s.serialize_field("type", self.kind)?;
        s.serialize_field("ttl", &self.ttl)?;
        s.serialize_field("data", &self.data)?;
        s.serialize_field("value", &self.data.as_ref().map(Data::presentation))?;
        let chunks = match &self.data {
            Some(Data::Txt { text }) => chunks(text),
            _ => Vec::new(),
        };
        s.serialize_field("chunks", &chunks)?;
        s.serialize_field("level", &self.level)?;
        s.serialize_field("why", &self.why)?;
        s.serialize_field("condition", &self.condition)?;
        s.end()
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Record {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "DnsRecord".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let data = generator.subschema_for::<Option<Data>>();
        let level = generator.subschema_for::<Level>();
        schemars::json_schema!({
            "type": "object",
            "properties": {
                "id": { "type": "string", "description": "Stable: `example.com/MX`." },
                "zone": { "type": "string", "description": "The zone it belongs to." },
                "name": { "type": "string", "description": "Relative to the zone; `@` is the zone itself." },
                "fqdn": { "type": "string", "description": "The full owner name, without the final dot." },
                "type": { "enum": ["A", "AAAA", "CAA", "CNAME", "MX", "PTR", "SRV", "TLSA", "TXT"] },
                "ttl": { "type": "integer", "description": "Seconds." },
                "data": data,
                "value": { "type": ["string", "null"], "description": "The presentation form of zone files; nothing as long as it is not known." },
                "chunks": { "type": "array", "items": { "type": "string" }, "description": "The strings of a TXT record." },
                "level": level,
                "why": { "type": "string", "description": "Why it is there, and what it does." },
                "condition": { "type": ["string", "null"], "description": "What must hold for it, or what keeps it from being complete." },
            },
            "required": ["id", "zone", "name", "fqdn", "type", "ttl", "data", "value", "chunks", "level", "why", "condition"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_at_255_octets() {
        for (length, expected) in [
            (0, vec![0]),
            (254, vec![254]),
            (255, vec![255]),
            (256, vec![255, 1]),
            (410, vec![255, 155]),
            (511, vec![255, 255, 1]),
        ] {
            let text = "x".repeat(length);
            let lengths: Vec<_> = chunks(&text).iter().map(|c| c.len()).collect();
            assert_eq!(lengths, expected, "{length}");
        }
        let text = "é".repeat(200);
        assert!(chunks(&text).iter().all(|c| c.len() <= 255));
        assert_eq!(chunks(&text).concat(), text);
    }

    #[test]
    fn records_about_certificates() {
        let caa = Data::Caa {
            flags: 0,
            tag: "issue".to_owned(),
            value: "letsencrypt.org;validationmethods=http-01".to_owned(),
        };
        assert_eq!(
            caa.presentation(),
            "0 issue \"letsencrypt.org;validationmethods=http-01\""
        );
        let tlsa = Data::Tlsa {
            usage: 2,
            selector: 1,
            matching: 1,
            association: "0b9f".to_owned(),
        };
        assert_eq!(tlsa.presentation(), "2 1 1 0b9f");
    }

    #[test]
    fn quoting() {
        let data = Data::Txt {
            text: "a\"b\\c;é".to_owned(),
        };
        assert_eq!(data.presentation(), "\"a\\\"b\\\\c;\\195\\169\"");
        assert_eq!(data.plain(), "a\"b\\c;é");
    }
}
