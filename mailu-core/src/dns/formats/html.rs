//! A page for whoever owns the domain: one file that asks nobody for anything, and works without JavaScript.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior, context};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::{absolute, by_level, level, note, unknown};
use crate::dns::{Data, Record, ZoneReport, chunks};
use crate::error::{Error, ErrorKind};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Whose page it is.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Page {
    /// The name of the agency.
    pub agency: Option<String>,
    /// Its logo.
    pub logo: Option<Logo>,
}

impl Page {
    /// The page of an agency.
    pub fn new(agency: Option<String>, logo: Option<Logo>) -> Self {
        Self { agency, logo }
    }
}

/// A picture inside the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logo {
    media: &'static str,
    bytes: Vec<u8>,
}

impl Logo {
    /// The most that a logo may have: the page is sent by mail.
    pub const LIMIT: usize = 256 * 1024;

    /// A picture, whose kind is told from its first bytes: PNG, JPEG or SVG.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] if it is none of them, or larger than [`Logo::LIMIT`].
    pub fn new(bytes: Vec<u8>) -> Result<Self, Error> {
        if bytes.len() > Self::LIMIT {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "dns.logo",
                format!(
                    "put the logo into the page: it has more than {} KiB, and the page is to stay small",
                    Self::LIMIT / 1024
                ),
            )
            .hint("give a smaller one: an SVG, or a PNG that is 400 pixels wide, is enough"));
        }
        let media = if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
            "image/png"
        } else if bytes.starts_with(&[0xff, 0xd8, 0xff]) {
            "image/jpeg"
        } else if is_svg(&bytes) {
            "image/svg+xml"
        } else {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "dns.logo",
                "put the logo into the page: it is neither PNG nor JPEG nor SVG",
            )
            .hint("convert it to PNG"));
        };
        Ok(Self { media, bytes })
    }

    fn uri(&self) -> String {
        format!(
            "data:{};base64,{}",
            self.media,
            STANDARD.encode(&self.bytes)
        )
    }
}

/// Whether XML begins with, or comes to, the element `svg`.
fn is_svg(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| {
        let text = text.trim_start_matches('\u{feff}').trim_start();
        text.starts_with("<svg")
            || ((text.starts_with("<?xml") || text.starts_with("<!")) && text.contains("<svg"))
    })
}

/// A field of a provider's form.
#[derive(Serialize)]
struct Field {
    /// Stable, for programs that read the page.
    id: &'static str,
    label: &'static str,
    value: String,
    /// The same, cut into strings of 255 octets; only where that makes a difference.
    split: Option<String>,
}

#[derive(Serialize)]
struct Row<'a> {
    id: &'a str,
    kind: &'a str,
    fqdn: &'a str,
    ttl: u32,
    why: &'a str,
    note: Option<&'a str>,
    /// Whether it goes where the others of the page go.
    in_zone: bool,
    /// In place of fields.
    unknown: Option<String>,
    fields: Vec<Field>,
    /// What was found in the DNS, once somebody looks: `(class, words)`.
    state: Option<(&'a str, &'a str)>,
}

#[derive(Serialize)]
struct Group<'a> {
    level: &'static str,
    title: &'static str,
    text: &'static str,
    rows: Vec<Row<'a>>,
}

pub(super) fn render(
    mail_host: &str,
    zone: &ZoneReport,
    elsewhere: &[&Record],
    page: &Page,
) -> Result<String, minijinja::Error> {
    let mut groups = Vec::new();
    for (of, _, records) in by_level(zone) {
        let rows: Vec<_> = records.into_iter().map(row).collect();
        let (title, text) = match level(of) {
            "required" => (
                "Required",
                "Without these mail does not work, or is refused.",
            ),
            "recommended" => (
                "Recommended",
                "Mail programs and large mail providers use these.",
            ),
            _ => ("Optional", "For those who want them."),
        };
        groups.push(Group {
            level: level(of),
            title,
            text,
            rows,
        });
    }
    let is_own = !groups.is_empty();
    if !elsewhere.is_empty() {
        groups.push(Group {
            level: "elsewhere",
            title: "For the provider of the server's address",
            text: "These do not belong into the domain. Whoever gave the server its address sets them, often under the name \"reverse DNS\".",
            rows: elsewhere
                .iter()
                .map(|record| Row {
                    in_zone: false,
                    ..row(record)
                })
                .collect(),
        });
    }
    let has_split = groups
        .iter()
        .flat_map(|group| &group.rows)
        .flat_map(|row| &row.fields)
        .any(|field| field.split.is_some());
    // A host for the note on what doubling does.
    let example = zone
        .records
        .iter()
        .map(Record::name)
        .find(|name| name.starts_with("_dmarc"))
        .unwrap_or_else(|| "_dmarc".to_owned());

    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_syntax(
        SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .keep_trailing_newline(true)
            .build()?,
    );
    // The name's ending switches escaping on.
    environment.add_template("page.html", include_str!("page.html.j2"))?;
    environment.get_template("page.html")?.render(context! {
        zone => &zone.zone,
        mail_host => mail_host,
        agency => &page.agency,
        logo => page.logo.as_ref().map(Logo::uri),
        unicode => idna::domain_to_unicode(&zone.zone).0,
        is_own => is_own,
        groups => minijinja::value::Serde(&groups),
        has_split => has_split,
        example => example,
        style => STYLE,
        script => SCRIPT,
        style_hash => hash(STYLE),
        script_hash => hash(SCRIPT),
    })
}

/// What allows this text, and no other, in a policy.
fn hash(text: &str) -> String {
    format!(
        "sha256-{}",
        STANDARD.encode(Sha256::digest(text.as_bytes()))
    )
}

fn row(record: &Record) -> Row<'_> {
    let field = |id: &'static str, label: &'static str, value: String| Field {
        id,
        label,
        value,
        split: None,
    };
    let mut fields = vec![
        field("type", "Type", record.kind.to_owned()),
        field("host", "Host", record.name()),
    ];
    match &record.data {
        None => {}
        Some(Data::A { .. } | Data::Aaaa { .. }) => {
            let value = record.data.as_ref().map(Data::plain).unwrap_or_default();
            fields.push(field("value", "Address", value));
        }
        Some(Data::Cname { target } | Data::Ptr { target }) => {
            fields.push(field("value", "Target", absolute(target)));
        }
        Some(Data::Mx {
            preference,
            exchange,
        }) => {
            fields.push(field("priority", "Priority", preference.to_string()));
            fields.push(field("value", "Mail server", absolute(exchange)));
        }
        Some(Data::Srv {
            priority,
            weight,
            port,
            target,
        }) => {
            fields.push(field("priority", "Priority", priority.to_string()));
            fields.push(field("weight", "Weight", weight.to_string()));
            fields.push(field("port", "Port", port.to_string()));
            fields.push(field("value", "Target", absolute(target)));
        }
        Some(Data::Caa { flags, tag, value }) => {
            fields.push(field("flags", "Flags", flags.to_string()));
            fields.push(field("tag", "Tag", tag.clone()));
            fields.push(field("value", "Value", value.clone()));
        }
        Some(Data::Tlsa {
            usage,
            selector,
            matching,
            association,
        }) => {
            fields.push(field("usage", "Usage", usage.to_string()));
            fields.push(field("selector", "Selector", selector.to_string()));
            fields.push(field("matching", "Matching type", matching.to_string()));
            fields.push(field("value", "Certificate data", association.clone()));
        }
        Some(data @ Data::Txt { text }) => fields.push(Field {
            id: "value",
            label: "Text",
            value: text.clone(),
            split: (chunks(text).len() > 1).then(|| data.presentation()),
        }),
    }
    if record.data.is_some() {
        fields.push(field("ttl", "TTL (seconds)", record.ttl.to_string()));
    }
    Row {
        id: &record.id,
        kind: record.kind,
        fqdn: &record.fqdn,
        ttl: record.ttl,
        why: &record.why,
        note: note(record),
        in_zone: true,
        // What the operator types is nothing for the domain's owner.
        unknown: record
            .data
            .is_none()
            .then(|| match unknown(record).split_once(": `") {
                Some((reason, _)) => reason.to_owned(),
                None => unknown(record),
            }),
        fields,
        state: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logo_is_known_by_its_bytes() {
        let media = |bytes: &[u8]| Logo::new(bytes.to_vec()).map(|logo| logo.media).ok();
        assert_eq!(media(b"\x89PNG\r\n\x1a\n..."), Some("image/png"));
        assert_eq!(media(b"\xff\xd8\xff\xe0"), Some("image/jpeg"));
        let svg = b"<?xml version=\"1.0\"?>\n<!-- x --><svg xmlns=\"http://www.w3.org/2000/svg\"/>";
        assert_eq!(media(svg), Some("image/svg+xml"));
        assert_eq!(media(b"GIF89a"), None);
        assert_eq!(media(b"<html><svg></svg></html>"), None);
        assert!(Logo::new(vec![b' '; Logo::LIMIT + 1]).is_err());
    }
}
