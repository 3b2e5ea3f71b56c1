//! A page for whoever owns the domain: one file that asks nobody for anything, and works without JavaScript.

use std::fmt::Write as _;

use minijinja::context;
use serde::Serialize;

use super::{absolute, by_level, level, note, unknown};
use crate::dns::check::{self, State};
use crate::dns::{Data, Level, Record, ZoneReport, chunks};
use crate::finding::{Finding, Severity, has_errors};
use crate::pages::{Page, Part, Sign, framed, moment, step};

/// What was found in the DNS, and when.
#[derive(Clone, Copy)]
pub(super) struct Looked<'a> {
    pub(super) report: &'a check::Report,
    /// ISO 8601, UTC.
    pub(super) at: &'a str,
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
    /// What was found in the DNS, if somebody looked.
    state: Option<Shown>,
}

#[derive(Serialize)]
struct Group<'a> {
    level: &'static str,
    title: &'static str,
    text: &'static str,
    rows: Vec<Row<'a>>,
}

/// How a record is.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    sign: Sign,
    /// As the check prints it.
    id: &'static str,
    /// Whether nothing has to be done about it.
    is_done: bool,
    /// What is there instead.
    seen: Vec<String>,
    said: Vec<Said>,
    /// Its place among the page's records.
    number: usize,
}

/// A finding, for the domain's owner.
#[derive(Serialize)]
struct Said {
    message: Vec<Part>,
    steps: Vec<Vec<Part>>,
}

/// A record that is left to do.
#[derive(Serialize)]
struct Todo {
    number: usize,
    kind: String,
    fqdn: String,
    words: &'static str,
}

/// All of it in short.
#[derive(Serialize)]
struct Summary<'a> {
    #[serde(flatten)]
    sign: Sign,
    headline: String,
    at: &'a str,
    moment: String,
    /// The levels after the first.
    counts: Vec<String>,
    todo: Vec<Todo>,
    /// What is wrong with the zone as a whole.
    said: Vec<Said>,
}

impl Looked<'_> {
    fn of(&self, record: &Record) -> Option<&check::Checked> {
        let wanted = record.data.as_ref().map(Data::plain);
        self.report
            .records
            .iter()
            .find(|one| one.id == record.id && one.zone == record.zone && one.wanted == wanted)
    }

    fn shown(&self, record: &Record, data: Option<&Data>, number: usize) -> Shown {
        let Some(checked) = self.of(record) else {
            return Shown {
                sign: Sign::soft("\u{2013}", "Not looked at"),
                id: "none",
                is_done: false,
                seen: Vec::new(),
                said: Vec::new(),
                number,
            };
        };
        let to_look_at = checked
            .findings
            .iter()
            .any(|finding| finding.severity > Severity::Notice);
        let (sign, is_done) = match (checked.state, record.level) {
            (State::Right, _) if !to_look_at => (Sign::good("Right"), true),
            (State::Accepted, _) if !to_look_at => {
                (Sign::good("Right, though written in another way"), true)
            }
            (State::Right | State::Accepted, _) => {
                (Sign::look("There, but please look at this"), false)
            }
            (State::Partial, _) => (Sign::look("At some name servers only"), false),
            (State::Missing, Level::Required) => (Sign::bad("Missing"), false),
            (State::Missing, Level::Recommended) => (
                Sign {
                    class: "look",
                    ..Sign::bad("Missing")
                },
                false,
            ),
            (State::Missing, Level::Optional) => (Sign::soft("\u{2013}", "Not there"), false),
            (State::Wrong, Level::Required) => (Sign::bad("Wrong"), false),
            (State::Wrong, _) => (
                Sign {
                    class: "look",
                    ..Sign::bad("Wrong")
                },
                false,
            ),
            (State::Unknown, _) => (Sign::soft("?", "Could not be looked up"), false),
            (State::Open, _) => (Sign::soft("\u{2026}", "Not known yet"), false),
        };
        let also = match checked.state {
            State::Unknown => Some(
                "could not be looked up: no name server answered for it. That says nothing about the record; it has to be looked at again later.",
            ),
            State::Accepted if is_done => Some(
                "is there. What it says is as good as what stands below, so leave it as it is.",
            ),
            _ => None,
        };
        let also = also.map(|text| Said {
            message: sentence(text),
            steps: Vec::new(),
        });
        Shown {
            sign,
            id: checked.state.as_str(),
            is_done,
            seen: checked.seen.clone(),
            said: checked
                .findings
                .iter()
                .map(|finding| said(finding, Some((record, data))))
                .chain(also)
                .collect(),
            number,
        }
    }
}

/// What a finding says to somebody who has the records before them, and no command line.
fn said(finding: &Finding, of: Option<(&Record, Option<&Data>)>) -> Said {
    let steps = finding
        .hints
        .iter()
        .filter(|hint| !hint.contains("`--") && !hint.contains("`mailu "))
        .map(|hint| {
            const BELOW: &str = "as it stands below";
            let mut hint = hint.clone();
            if let Some((record, data)) = of {
                hint = hint.replace(&check::form(record), BELOW);
                let text = data.map(Data::plain).unwrap_or_default();
                hint = hint.replace(&format!("`{text}`"), BELOW);
            }
            step(&upper(&hint))
        })
        .collect();
    Said {
        message: sentence(&finding.message),
        steps,
    }
}

fn sentence(text: &str) -> Vec<Part> {
    let end = if text.ends_with('.') { "" } else { "." };
    step(&format!("{text}{end}"))
}

/// What the finding of a record says to put there in its place: it keeps what others have put there.
fn instead(record: &Record, checked: &check::Checked) -> Option<Data> {
    let Some(Data::Txt { .. }) = &record.data else {
        return None;
    };
    checked
        .findings
        .iter()
        .flat_map(|finding| &finding.hints)
        .filter_map(|hint| hint.strip_suffix('`')?.split_once('`'))
        .map(|(_, text)| text)
        .find(|text| text.starts_with("v=spf1 ") && !text.contains('`'))
        .map(|text| Data::Txt {
            text: text.to_owned(),
        })
}

/// With a capital letter.
fn upper(text: &str) -> String {
    let mut rest = text.chars();
    rest.next()
        .map(|first| first.to_uppercase().chain(rest).collect())
        .unwrap_or_default()
}

fn summary<'a>(looked: Looked<'a>, zone: &ZoneReport, groups: &[Group<'_>]) -> Summary<'a> {
    let of_zone = looked.report.zones.get(&zone.zone);
    let of_zone = of_zone.map(Vec::as_slice).unwrap_or_default();
    let said = of_zone.iter().map(|finding| said(finding, None)).collect();
    let mut lines = Vec::new();
    let mut todo = Vec::new();
    let (mut is_bad, mut is_unsure) = (has_errors(of_zone), false);
    for group in groups {
        let states = || {
            group
                .rows
                .iter()
                .filter_map(|row| Some((row, row.state.as_ref()?)))
        };
        let serves = |state: &Shown| {
            [State::Right, State::Accepted]
                .iter()
                .any(|one| one.as_str() == state.id)
        };
        let right = states().filter(|(_, state)| serves(state)).count();
        let unknown = states()
            .filter(|(_, state)| state.id == State::Unknown.as_str())
            .count();
        let what = if group.level == "elsewhere" {
            "records for the provider of the server's address".to_owned()
        } else {
            format!("{} records", group.level)
        };
        let mut line = format!("{right} of {} {what} are right", group.rows.len());
        if unknown > 0 {
            let _ = write!(line, ", {unknown} could not be looked up");
        }
        if group.level == "required" {
            is_bad |= right + unknown < group.rows.len();
            is_unsure = unknown > 0;
        }
        lines.push(line);
        if group.level != "optional" {
            todo.extend(
                states()
                    .filter(|(_, state)| !state.is_done && state.sign.class != "soft")
                    .map(|(row, state)| Todo {
                        number: state.number,
                        kind: row.kind.to_owned(),
                        fqdn: row.fqdn.to_owned(),
                        words: state.sign.words,
                    }),
            );
        }
    }
    let mut lines = lines.into_iter();
    let headline = lines.next().unwrap_or_default();
    let sign = if is_bad {
        Sign::bad("Not complete")
    } else if is_unsure {
        Sign::soft("?", "Not certain")
    } else {
        Sign::good("Complete")
    };
    Summary {
        sign,
        headline,
        at: looked.at,
        moment: moment(looked.at),
        counts: lines.collect(),
        todo,
        said,
    }
}

pub(super) fn render(
    mail_host: &str,
    zone: &ZoneReport,
    elsewhere: &[&Record],
    page: &Page,
    looked: Option<Looked<'_>>,
) -> Result<String, minijinja::Error> {
    let mut number = 0;
    let mut row = |record| {
        number += 1;
        // What is to be typed is not always what the record would be by itself.
        let merged = looked.and_then(|looked| instead(record, looked.of(record)?));
        let data = merged.as_ref().or(record.data.as_ref());
        Row {
            state: looked.map(|looked| looked.shown(record, data, number)),
            ..row(record, data)
        }
    };
    let mut groups = Vec::new();
    for (of, _, records) in by_level(zone) {
        let rows: Vec<_> = records.into_iter().map(&mut row).collect();
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

    let summary = looked.map(|looked| summary(looked, zone, &groups));
    let content = context! {
        zone => &zone.zone,
        mail_host => mail_host,
        unicode => idna::domain_to_unicode(&zone.zone).0,
        is_own => is_own,
        groups => minijinja::value::Serde(&groups),
        has_split => has_split,
        example => example,
        summary => minijinja::value::Serde(&summary),
    };
    framed(
        "page.html",
        include_str!("page.html.j2"),
        page,
        looked.is_some(),
        content,
    )
}

fn row<'a>(record: &'a Record, data: Option<&Data>) -> Row<'a> {
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
    match data {
        None => {}
        Some(Data::A { .. } | Data::Aaaa { .. }) => {
            let value = data.map(Data::plain).unwrap_or_default();
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
    if data.is_some() {
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
