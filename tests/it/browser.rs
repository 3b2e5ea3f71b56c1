//! The pages in a real browser (headless Chromium): what is copied, what is asked of others, what fits on a phone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use mailu_core::Finding;
use mailu_core::dns::check::{self, Expected, Facts, Reply, Seen, Servers, State};
use mailu_core::dns::formats::{Format, Logo, Page, render, render_checked};
use mailu_core::dns::{Data, Record, Report, chunks};
use mailu_core::pages::{Check, CheckOutcome, Ignored, ReportPage, Silenced, Verdict, report_page};
use serde_json::Value;

use crate::support::{SMALL, succeed, tests};
use crate::zone::whole;

/// What nobody should ever be able to say on a page.
pub(crate) const HOSTILE: [&str; 4] = [
    "<script>document.title=\"x\"</script>",
    "\"><img src=http://192.0.2.1/x.png onerror=alert(1)>",
    "--></style></title><b>&amp;&lt;b&gt;</b>' \" ` \u{e9}\u{202e}",
    "{{ agency }}{% raw %}</article></main>",
];

/// `tools/look_at_pages.py` over `files`: what was seen in each, by way of looking. `MAILU_SHOTS=DIR` keeps pictures.
fn look(files: &[PathBuf]) -> BTreeMap<PathBuf, Value> {
    let mut command = Command::new("/usr/bin/python3");
    command.arg(tests("tools/look_at_pages.py"));
    if let Some(shots) = std::env::var_os("MAILU_SHOTS") {
        command.arg("--shots").arg(shots);
    }
    serde_json::from_str(&succeed(command.args(files))).unwrap()
}

fn logo() -> Logo {
    let svg = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 120 40\"><rect width=\"120\" height=\"40\" rx=\"6\" fill=\"#0b57d0\"/></svg>";
    Logo::new(svg.as_bytes().to_vec()).unwrap()
}

/// What two name servers say of `records`, which have a mistake of each kind.
pub(crate) fn mistakes(records: &Report) -> Facts {
    let mut facts = Facts::default();
    let servers = ["ns1.example.net", "ns2.example.net"];
    for zone in &records.zones {
        let names = servers.map(str::to_owned).to_vec();
        facts.zones.insert(zone.zone.clone(), Servers::Known(names));
    }
    let all = || records.zones.iter().flat_map(|zone| &zone.records);
    for question in check::questions(records) {
        for (number, server) in servers.into_iter().enumerate() {
            let right: Vec<Seen> = all()
                .filter(|record| record.fqdn == question.name && record.kind == question.kind)
                .filter_map(|record| match record.data.as_ref()? {
                    Data::Txt { text } => Some(Seen::Text(
                        chunks(text)
                            .into_iter()
                            .map(|one| one.as_bytes().to_vec())
                            .collect(),
                    )),
                    other => Some(Seen::Plain(other.presentation())),
                })
                .collect();
            let found = |records: Vec<Seen>| Reply::Found {
                records,
                alias: None,
            };
            let reply = match (question.name.as_str(), question.kind) {
                _ if right.is_empty() => Reply::Absent,
                ("example.com", "MX") => Reply::Empty,
                ("example.com", "TXT") => found(vec![Seen::text("v=spf1 ip4:203.0.113.9 -all")]),
                ("_dmarc.example.com", _) if number == 1 => Reply::Absent,
                ("dkim._domainkey.example.com", _) => found(vec![Seen::text(&format!(
                    "v=DKIM1; k=rsa; p={}",
                    HOSTILE[1]
                ))]),
                ("autoconfig.example.com", _) => Reply::Failed("timed out".to_owned()),
                ("_imaps._tcp.example.com", _) => found(vec![Seen::Plain(HOSTILE[0].to_owned())]),
                _ => found(right),
            };
            let replies = facts.replies.entry(question.clone()).or_default();
            replies.insert(server.to_owned(), reply);
        }
    }
    facts
}

/// A diagnosis with something of everything.
pub(crate) fn diagnosis(page: &Page) -> String {
    let [script, image, markup, template] = HOSTILE;
    let findings = [
        Finding::notice("names.postmaster", "admin@example.org", "nobody has postmaster's mailbox"),
        Finding::error("smtp.relay", "mail.example.com:25", "takes mail from anybody for anybody: it will be listed within hours")
            .value("250 2.1.5 Ok")
            .hint("set `relay.networks=[]`, then `mailu --root /srv/mailu/clients/example apply --domain mail.example.com --force`"),
        Finding::error("spf.one", "example.com", "has two SPF records, so that receivers use none (RFC 7208 §4.5)")
            .value(format!("v=spf1 {}-all", "include:spf.example.net ".repeat(8)))
            .hint(format!("make one of them: `v=spf1 {}-all`", "include:spf.example.net ".repeat(16)))
            .hint("ask whoever runs the newsletter which of them is theirs"),
        Finding::warning(template, script, markup)
            .value(image)
            .hint(format!("type `{image}`"))
            .hint(script)
            .hint(markup),
    ];
    let silenced = [
        Silenced {
            finding: Finding::error("dmarc.aligned", "example.com", "mail does not pass DMARC")
                .value(script),
            cause: "spf.one".to_owned(),
        },
        Silenced {
            finding: Finding::warning("x.other", markup, template),
            cause: script.to_owned(),
        },
    ];
    let ignored = [
        Ignored {
            finding: Finding::warning(
                "rdns.generic",
                "192.0.2.10",
                "has a name as dial-in lines have",
            ),
            reason: image.to_owned(),
            until: Some("2027-01-31".to_owned()),
        },
        Ignored {
            finding: Finding::notice("bimi.none", "example.com", "has no BIMI record"),
            reason: "the client does not want it".to_owned(),
            until: None,
        },
    ];
    let outcomes = [
        CheckOutcome::Passed,
        CheckOutcome::Warned,
        CheckOutcome::Failed,
        CheckOutcome::Unknown,
        CheckOutcome::Skipped,
    ];
    let checks: Vec<Check> = outcomes
        .into_iter()
        .enumerate()
        .map(|(number, outcome)| Check {
            id: format!("check.{number}"),
            about: format!("the {outcome:?} one"),
            outcome,
            summary: HOSTILE
                .get(number)
                .copied()
                .unwrap_or("port 25 is closed")
                .to_owned(),
        })
        .collect();
    report_page(&ReportPage {
        mail_host: "mail.example.com",
        checked_at: "2026-11-26T14:05:00Z",
        verdict: Verdict::Bad,
        headline: "Mail can be lost: 2 things are broken",
        findings: &findings,
        silenced: &silenced,
        ignored: &ignored,
        checks: &checks,
        page,
    })
    .unwrap()
}

/// What a form's field for the data has to get.
fn value(data: &Data, in_pieces: bool) -> String {
    match data {
        Data::Txt { text } if in_pieces && chunks(text).len() > 1 => data.presentation(),
        Data::Txt { text } => text.clone(),
        Data::Mx { exchange: name, .. }
        | Data::Srv { target: name, .. }
        | Data::Cname { target: name }
        | Data::Ptr { target: name } => {
            format!("{}.", name.trim_end_matches('.'))
        }
        other => other.plain(),
    }
}

fn list<'a>(value: &'a Value, key: &str) -> &'a Vec<Value> {
    value[key]
        .as_array()
        .unwrap_or_else(|| panic!("no {key} in {value}"))
}

fn number(value: &Value, key: &str) -> f64 {
    value[key]
        .as_f64()
        .unwrap_or_else(|| panic!("no {key} in {value}"))
}

/// What holds for every page: nothing is asked for, nothing is complained of, all of it fits and can be read.
fn assert_page(file: &Path, ways: &Value) {
    let own = format!("file://{}", file.display());
    for (way, width) in [
        ("desktop", 1280),
        ("phone", 360),
        ("plain", 360),
        ("print", 794),
    ] {
        let seen = &ways[way];
        let place = format!("{} ({way})", file.display());
        for url in list(seen, "asked") {
            let url = url.as_str().unwrap();
            assert!(
                url == own || url.starts_with("data:image/svg+xml;base64,"),
                "{place}: {url}"
            );
        }
        assert!(
            list(seen, "asked").iter().any(|url| *url == own.as_str()),
            "{place}"
        );
        assert!(
            list(seen, "complaints").is_empty(),
            "{place}: {}",
            seen["complaints"]
        );
        // Before anything is opened, and with everything open.
        for facts in [Some(seen), seen.get("opened")].into_iter().flatten() {
            assert_eq!(facts["width"], width, "{place}");
            assert!(
                number(facts, "scroll") <= f64::from(width),
                "{place}: {facts}"
            );
            assert!(list(facts, "over").is_empty(), "{place}: {}", facts["over"]);
            assert!(
                list(facts, "mirrored").is_empty(),
                "{place}: {}",
                facts["mirrored"]
            );
            let least = if way == "print" { 13.0 } else { 14.0 };
            assert!(
                number(facts, "smallest") >= least,
                "{place}: {}",
                facts["small"]
            );
            assert!(
                number(facts, "faintest") >= 4.5,
                "{place}: {} {}",
                facts["faintest"],
                facts["faint"]
            );
        }
    }
    // Without the script, and on paper, there is no button that does nothing.
    for way in ["plain", "print"] {
        assert_eq!(ways[way]["buttons"], 0, "{}", file.display());
    }
    assert_eq!(ways["print"]["background"], "rgb(255, 255, 255)");
    assert!(
        (1.0..=12.0).contains(&number(&ways["print"], "pages")),
        "{}",
        ways["print"]["pages"]
    );
}

/// What each button put into the clipboard, with what it says it copies.
fn copied(file: &Path, seen: &Value) -> BTreeSet<(String, String)> {
    let all = list(seen, "copied");
    assert!(all.len() >= 5, "{}: {} buttons", file.display(), all.len());
    all.iter()
        .map(|one| {
            let text = |key: &str| one[key].as_str().unwrap().to_owned();
            assert_eq!(one["word"], "Copied", "{}: {one}", file.display());
            assert_eq!(list(one, "shown").len(), 1, "{}: {one}", file.display());
            assert_eq!(one["shown"][0], one["pasted"], "{}", file.display());
            let of = text("label").strip_prefix("Copy ").unwrap().to_owned();
            assert_eq!(text("said"), format!("Copied: {of}"), "{}", file.display());
            (of, text("pasted"))
        })
        .collect()
}

/// Every record's data can be copied: whole on the desktop, in pieces on the phone where the switch says so.
///
/// `spf` is what to put there instead of the domain's SPF record.
fn assert_records(file: &Path, ways: &Value, records: &[&Record], spf: Option<&str>) {
    let mut long = 0;
    for (way, in_pieces) in [("desktop", false), ("phone", true)] {
        let copied = copied(file, &ways[way]);
        for record in records {
            let Some(data) = &record.data else { continue };
            let (value, other) = match spf {
                Some(spf) if record.id == "example.com/SPF" => {
                    (spf.to_owned(), Some(value(data, false)))
                }
                _ => (value(data, in_pieces), None),
            };
            let of = format!(" of {} {}", record.kind, record.fqdn);
            assert!(
                copied
                    .iter()
                    .any(|(what, pasted)| what.ends_with(&of) && *pasted == value),
                "{} ({way}): nothing copies {value} of {}",
                file.display(),
                record.id
            );
            // What would throw others out is not offered.
            assert!(
                !copied
                    .iter()
                    .any(|(_, pasted)| Some(pasted) == other.as_ref())
            );
            long += usize::from(in_pieces && value.contains("\" \""));
        }
    }
    assert!(long > 0, "no long text");
    // The switch needs no script.
    let shown = |facts: &Value, field: &str| {
        list(facts, "codes")
            .iter()
            .filter(|one| one["fields"].get(field).is_some())
            .count()
    };
    let (before, after) = (&ways["plain"], &ways["plain"]["opened"]);
    assert_eq!(shown(before, "split"), 0);
    assert!(shown(after, "split") > 0);
    assert_eq!(
        shown(before, "value"),
        shown(after, "value") + shown(after, "split")
    );
}

#[test]
fn pages_work_in_a_browser() {
    let directory = tempfile::tempdir().unwrap();
    let config = crate::compose::config(&format!("{SMALL}[dns]\nipv4 = \"192.0.2.10\"\n"));
    let records = whole(&config);
    let all: Vec<&Record> = records
        .zones
        .iter()
        .flat_map(|zone| &zone.records)
        .collect();
    let published = check::judge(&records, &Expected::new(&config), &mistakes(&records));
    let page = Page::new(Some("Müller & Söhne".to_owned()), Some(logo()));
    let at = "2026-11-26T14:05:00Z";
    let checked = render_checked(&config, &records, &page, &published, at).unwrap();
    let texts = [
        (
            "plain.html",
            render(&config, &records, Format::Html, &page)
                .unwrap()
                .remove(0)
                .text,
        ),
        ("checked.html", checked.into_iter().next().unwrap().text),
        ("report.html", diagnosis(&page)),
    ];
    let files: Vec<PathBuf> = texts
        .into_iter()
        .map(|(name, text)| {
            let path = directory.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        })
        .collect();
    let seen = look(&files);
    for file in &files {
        assert_page(file, &seen[file]);
    }
    assert_records(&files[0], &seen[&files[0]], &all, None);

    let ways = &seen[&files[1]];
    let spf = "v=spf1 ip4:203.0.113.9 mx -all";
    assert_records(&files[1], ways, &all, Some(spf));
    // What people see of each state.
    let states: BTreeSet<State> = published.records.iter().map(|one| one.state).collect();
    let wanted = [
        State::Right,
        State::Partial,
        State::Missing,
        State::Wrong,
        State::Unknown,
    ];
    assert!(
        wanted.iter().all(|state| states.contains(state)),
        "{states:?}"
    );
    let shown = list(&ways["desktop"], "codes");
    assert_eq!(shown.len(), published.records.len());
    for one in &published.records {
        let on_page = shown
            .iter()
            .find(|shown| shown["id"] == one.id.as_str())
            .unwrap();
        assert_eq!(on_page["state"], one.state.as_str(), "{on_page}");
        // What is right is folded, and still there.
        let is_folded = on_page["fields"].as_object().unwrap().is_empty();
        assert_eq!(is_folded, one.state == State::Right, "{on_page}");
    }
    let required = |of: &dyn Fn(State) -> bool| {
        let all = published.records.iter();
        // The name of the address is counted by itself.
        all.filter(|one| {
            one.level == mailu_core::dns::Level::Required && one.kind != "PTR" && of(one.state)
        })
        .count()
    };
    let right = required(&|state| matches!(state, State::Right | State::Accepted));
    let headline = format!(
        "Not complete: {right} of {} required records are right; checked 2026-11-26 14:05 UTC.",
        required(&|_| true)
    );
    for way in ["desktop", "phone", "plain", "print"] {
        let text = ways[way]["text"].as_str().unwrap();
        for words in [
            headline.as_str(),
            "Missing",
            "Wrong",
            "At some name servers only",
            "Could not be looked up",
            HOSTILE[0],
        ] {
            assert!(text.contains(words), "{way}: no {words} in {text}");
        }
    }
    let report = copied(&files[2], &seen[&files[2]]["desktop"]);
    for wanted in [
        "relay.networks=[]",
        "mailu --root /srv/mailu/clients/example apply --domain mail.example.com --force",
        "ask whoever runs the newsletter which of them is theirs",
        HOSTILE[1],
        HOSTILE[0],
    ] {
        assert!(
            report.iter().any(|(_, pasted)| pasted == wanted),
            "{wanted} in {report:#?}"
        );
    }
}

/// What is looked for would be found: a page on which all of it is wrong.
#[test]
fn the_browser_sees_what_is_wrong() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("wrong.html");
    let page = "<!doctype html><html><head><meta name=\"viewport\" content=\"width=device-width\"></head><body style=\"background: #fff\">\
         <img src=\"http://192.0.2.1/x.png\"><p style=\"font-size: 10px; color: #aaa\">small</p><div style=\"width: 2000px\">wide</div>\
         <p><code>this</code><button class=\"copy\" aria-label=\"Copy this\" onclick=\"this.textContent = 'Copied'\">Copy</button></p>\
         <p>\u{202e}<span>turned</span></p><p id=\"said\"></p></body></html>";
    std::fs::write(&file, page).unwrap();
    let seen = look(std::slice::from_ref(&file)).remove(&file).unwrap();
    for way in ["desktop", "phone"] {
        let seen = &seen[way];
        assert!(
            list(seen, "asked")
                .iter()
                .any(|url| url == "http://192.0.2.1/x.png"),
            "{seen}"
        );
        assert!(!list(seen, "complaints").is_empty(), "{seen}");
        assert!(
            !list(seen, "over").is_empty() && number(seen, "scroll") > number(seen, "width"),
            "{seen}"
        );
        assert!(
            number(seen, "smallest") < 14.0 && number(seen, "faintest") < 4.5,
            "{seen}"
        );
        assert_eq!(list(seen, "mirrored").len(), 1, "{seen}");
        assert_eq!(seen["copied"][0]["pasted"], "before 0", "{seen}");
    }
}
