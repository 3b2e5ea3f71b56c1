//! The records of a report as text for other programs, and for people. Every format quotes in a layer of its own.

mod csv;
mod html;
mod markdown;
mod nsupdate;
mod octodns;
mod terraform;

pub use crate::pages::{Logo, Page};

use html::Looked;

use super::check;
use super::record::{Data, Level, Record};
use super::reverse::is_providers;
use super::zone::{LEVELS, Report, ZoneReport, zone_file, zone_records};
use crate::config::Config;
use crate::error::{Error, ErrorKind};

/// A form of DNS records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Format {
    /// Lines of a zone file to paste or import.
    Records,
    /// Complete zone files with SOA and NS.
    Zone,
    /// The report itself.
    Json,
    /// Zone files of octoDNS.
    Octodns,
    /// Terraform with Cloudflare's provider, version 5.
    TerraformCloudflare,
    /// Terraform with AWS' provider: Route 53.
    TerraformRoute53,
    /// Commands for `nsupdate` (RFC 2136) that add and never remove.
    Nsupdate,
    /// A table for spreadsheets and scripts (RFC 4180).
    Csv,
    /// A table for tickets and wikis.
    Markdown,
    /// A page for whoever owns the domain.
    Html,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 10] = [
        Self::Records,
        Self::Zone,
        Self::Json,
        Self::Octodns,
        Self::TerraformCloudflare,
        Self::TerraformRoute53,
        Self::Nsupdate,
        Self::Csv,
        Self::Markdown,
        Self::Html,
    ];

    /// Its name on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Records => "records",
            Self::Zone => "zone",
            Self::Json => "json",
            Self::Octodns => "octodns",
            Self::TerraformCloudflare => "terraform-cloudflare",
            Self::TerraformRoute53 => "terraform-route53",
            Self::Nsupdate => "nsupdate",
            Self::Csv => "csv",
            Self::Markdown => "markdown",
            Self::Html => "html",
        }
    }

    /// The name of the file for `zone`: what the tools look for, and no two formats with the same.
    fn file_name(self, zone: &str) -> String {
        let ending = match self {
            Self::Json => return "records.json".to_owned(),
            Self::Records | Self::Zone | Self::Nsupdate | Self::Csv | Self::Html => self.as_str(),
            Self::Octodns => "yaml",
            Self::TerraformCloudflare => "cloudflare.tf",
            Self::TerraformRoute53 => "route53.tf",
            Self::Markdown => "md",
        };
        format!("{zone}.{ending}")
    }

    /// The texts of several zones as one text; nothing where the format has one text for each zone.
    pub fn joined(self, texts: &[RenderedText]) -> Option<String> {
        if let [only] = texts {
            return Some(only.text.clone());
        }
        match self {
            Self::Octodns | Self::Html => None,
            // One table has one head.
            Self::Csv => Some(
                texts
                    .iter()
                    .enumerate()
                    .map(|(index, text)| match text.text.split_once('\n') {
                        Some((_, rest)) if index > 0 => rest,
                        _ => &text.text,
                    })
                    .collect(),
            ),
            Self::Records | Self::Zone | Self::Json => {
                Some(texts.iter().map(|text| text.text.as_str()).collect())
            }
            Self::TerraformCloudflare
            | Self::TerraformRoute53
            | Self::Nsupdate
            | Self::Markdown => {
                let texts: Vec<&str> = texts.iter().map(|text| text.text.as_str()).collect();
                Some(texts.join("\n"))
            }
        }
    }
}

/// One rendered file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RenderedText {
    /// Whose records they are; empty where they are those of all zones.
    pub zone: String,
    /// What it is called: `example.com.yaml`.
    pub name: String,
    /// What is in it. Its first line says what it is (with JSON the first three), so that the same file is recognised later.
    pub text: String,
}

/// The records of `report` in `format`: one text for each zone, or one for all where the format is [`Format::Json`].
///
/// A record whose data is not known yet stands there as a note. Names of addresses in a zone of somebody else (the
/// provider who gave the server its address) have no text of their own where a program would act on it, and none on pages:
/// they are notes in that of the first zone, which is the mail host's.
///
/// # Errors
///
/// [`ErrorKind::Internal`] if a template is broken.
pub fn render(
    config: &Config,
    report: &Report,
    format: Format,
    page: &Page,
) -> Result<Vec<RenderedText>, Error> {
    all(config, report, format, page, None)
}

/// The pages of [`Format::Html`], on which each record says how it is according to `check`: what is right is folded away,
/// and what is not has what is there instead, and what to do. A record that `check` knows nothing of says so.
///
/// `checked_at` is when name servers were asked, in UTC: `2026-11-26T14:05:00Z` (ISO 8601).
///
/// # Errors
///
/// [`ErrorKind::Internal`] if a template is broken.
pub fn render_checked(
    config: &Config,
    report: &Report,
    page: &Page,
    check: &check::Report,
    checked_at: &str,
) -> Result<Vec<RenderedText>, Error> {
    let looked = Looked {
        report: check,
        at: checked_at,
    };
    all(config, report, Format::Html, page, Some(looked))
}

fn all(
    config: &Config,
    report: &Report,
    format: Format,
    page: &Page,
    looked: Option<Looked<'_>>,
) -> Result<Vec<RenderedText>, Error> {
    if format == Format::Json {
        let mut text =
            serde_json::to_string_pretty(report).map_err(|error| failed(error, format))?;
        text.push('\n');
        return Ok(vec![RenderedText {
            zone: String::new(),
            name: format.file_name(""),
            text,
        }]);
    }
    let is_list = matches!(format, Format::Records | Format::Csv | Format::Markdown);
    let (lists, others): (Vec<_>, Vec<_>) = report
        .zones
        .iter()
        .partition(|zone| is_list || !is_providers(config, &zone.zone));
    let mut elsewhere: Vec<&Record> = others.iter().flat_map(|zone| &zone.records).collect();
    if lists.is_empty() {
        return others
            .into_iter()
            .map(|zone| {
                let nothing = ZoneReport {
                    zone: zone.zone.clone(),
                    records: Vec::new(),
                };
                let records: Vec<&Record> = zone.records.iter().collect();
                one(config, report, format, page, &nothing, &records, looked)
            })
            .collect();
    }
    lists
        .into_iter()
        .map(|zone| {
            let elsewhere = std::mem::take(&mut elsewhere);
            one(config, report, format, page, zone, &elsewhere, looked)
        })
        .collect()
}

/// The text for one zone, with notes about records `elsewhere`.
fn one(
    config: &Config,
    report: &Report,
    format: Format,
    page: &Page,
    zone: &ZoneReport,
    elsewhere: &[&Record],
    looked: Option<Looked<'_>>,
) -> Result<RenderedText, Error> {
    let notes: Vec<String> = elsewhere
        .iter()
        .map(|record| set_elsewhere(record))
        .collect();
    let text = match format {
        Format::Records => zone_records(zone),
        Format::Zone => {
            let notes = notes.iter().map(|note| comment(";", note));
            zone_file(config, zone, 1) + &notes.collect::<String>()
        }
        Format::Octodns => octodns::render(zone, &notes),
        Format::TerraformCloudflare => terraform::cloudflare(zone, &notes),
        Format::TerraformRoute53 => terraform::route53(zone, &notes),
        Format::Nsupdate => nsupdate::render(zone, &notes),
        Format::Csv => csv::render(zone).map_err(|error| failed(error, format))?,
        Format::Markdown => markdown::render(&report.mail_host, zone),
        Format::Html | Format::Json => {
            html::render(&report.mail_host, zone, elsewhere, page, looked)
                .map_err(|error| failed(error, format))?
        }
    };
    Ok(RenderedText {
        zone: zone.zone.clone(),
        name: format.file_name(&zone.zone),
        text,
    })
}

/// What is to be done about a record in somebody else's zone.
fn set_elsewhere(record: &Record) -> String {
    match &record.data {
        Some(data) => format!(
            "{}. {} {}: {}",
            record.fqdn,
            record.kind,
            data.presentation(),
            record.condition.as_deref().unwrap_or(
                "whoever gave the server its address sets it, often under the name \"reverse DNS\""
            )
        ),
        None => missing(record),
    }
}

fn failed(error: impl std::error::Error + Send + Sync + 'static, format: Format) -> Error {
    Error::new(
        ErrorKind::Internal,
        "dns.format",
        format!("write the DNS records as {}", format.as_str()),
    )
    .source(error)
}

/// A record, and its data.
type Known<'a> = (&'a Record, &'a Data);

/// A record as a program gets it: data to act on, or a note.
enum Entry<'a> {
    Data(Known<'a>),
    Note(String),
}

/// What a program that changes zones may act on.
fn entry(record: &Record) -> Entry<'_> {
    match &record.data {
        Some(data) => Entry::Data((record, data)),
        None => Entry::Note(missing(record)),
    }
}

/// A record without data.
fn missing(record: &Record) -> String {
    format!("{}. {}: {}", record.fqdn, record.kind, unknown(record))
}

/// Why a record has no data.
fn unknown(record: &Record) -> String {
    match &record.condition {
        Some(reason) if reason.contains("not known yet") => reason.clone(),
        Some(reason) => format!("not known yet ({reason})"),
        None => "not known yet".to_owned(),
    }
}

/// What is said beside a record that has data.
fn note(record: &Record) -> Option<&str> {
    record
        .condition
        .as_deref()
        .filter(|_| record.data.is_some())
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Required => "required",
        Level::Recommended => "recommended",
        Level::Optional => "optional",
    }
}

/// `text` as comments: never more lines than were given a `#`.
fn comment(mark: &str, text: &str) -> String {
    let text = text.split(char::is_control).collect::<Vec<_>>().join(" ");
    format!("{mark} {text}\n")
}

/// The comment above a record: how important it is, why, and what must hold.
fn reason(mark: &str, record: &Record) -> String {
    let mut words = level(record.level).to_owned();
    words[..1].make_ascii_uppercase();
    let mut out = comment(mark, &format!("{words}: {}", record.why));
    if let Some(note) = note(record) {
        out.push_str(&comment(mark, &format!("Note: {note}")));
    }
    out
}

/// A name with its final dot.
fn absolute(name: &str) -> String {
    if name == "." {
        name.to_owned()
    } else {
        format!("{name}.")
    }
}

/// The records by level, the most important first; levels without records are left out.
fn by_level(zone: &ZoneReport) -> Vec<(Level, &'static str, Vec<&Record>)> {
    LEVELS
        .into_iter()
        .map(|(level, heading)| {
            let records = zone.records.iter().filter(|r| r.level == level).collect();
            (level, heading, records)
        })
        .filter(|(_, _, records): &(_, _, Vec<_>)| !records.is_empty())
        .collect()
}

/// The parts of a record's data that forms and tables have fields for, in the order of the presentation.
struct Fields {
    priority: Option<u16>,
    weight: Option<u16>,
    port: Option<u16>,
    value: String,
}

fn fields(data: &Data) -> Fields {
    match data {
        Data::Mx {
            preference,
            exchange,
        } => Fields {
            priority: Some(*preference),
            weight: None,
            port: None,
            value: absolute(exchange),
        },
        Data::Srv {
            priority,
            weight,
            port,
            target,
        } => Fields {
            priority: Some(*priority),
            weight: Some(*weight),
            port: Some(*port),
            value: absolute(target),
        },
        other => Fields {
            priority: None,
            weight: None,
            port: None,
            value: other.plain(),
        },
    }
}
