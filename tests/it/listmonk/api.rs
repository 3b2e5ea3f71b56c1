//! Over the HTTP API: against the emulator, and against real ones where the environment names some (`tests/tools/real_listmonk.sh`).

use mailu_core::Secret;
use mailu_core::apps::listmonk::{Options, Patch, Record, Seen, blanked, patch, verify};
use mailu_core::apps::{Bounces, Profile};
use mailu_core::host::{Listmonk, ListmonkReport};
use serde_json::{Value, json};

use super::emulator::{Emulator, PASSWORD, USER};
use super::real::Real;
use super::smtp::{self, Server};
use super::{BOUNCES, TOKEN, fixture, object, options, profile};

const LOGIN: &str = "newsletter-bounce@example.com";

/// A Listmonk, real or not.
pub(crate) trait Target {
    fn listmonk(&self) -> Listmonk;
    /// The settings as they are stored, secrets included.
    fn rows(&self) -> Value;
    fn change(&self, key: &str, value: Value);
    /// Whether a campaign is being sent; false where that cannot be had.
    fn campaign(&self, runs: bool) -> bool;
}

impl Target for (&'static str, Emulator) {
    fn listmonk(&self) -> Listmonk {
        Listmonk::over_api(&self.1.url(), USER, Secret::new(PASSWORD), None).unwrap()
    }
    fn rows(&self) -> Value {
        self.1.rows()
    }
    fn change(&self, key: &str, value: Value) {
        self.1.change(key, value);
    }
    fn campaign(&self, runs: bool) -> bool {
        self.1.campaign(runs);
        true
    }
}

fn emulator(version: &'static str) -> (&'static str, Emulator) {
    (version, Emulator::start(version, &with_others(version)))
}

/// Servers of others with secrets of theirs, each with a uuid, as Listmonk itself saves them.
pub(crate) fn with_others(version: &str) -> Value {
    let mut settings = fixture(version);
    let mut other = settings["smtp"][0].clone();
    for (key, value) in [
        ("uuid", json!("3f0c2a52-7d0e-4a55-8e09-0a0f6d8c1111")),
        ("host", json!("smtp.other.example")),
        ("username", json!("other")),
        ("password", json!("ge\\heim'\"é•")),
        ("auth_protocol", json!("plain")),
    ] {
        other[key] = value;
    }
    if version != "v3" {
        other["name"] = "email-other".into();
    }
    settings["smtp"].as_array_mut().unwrap().push(other);
    settings["bounce.mailboxes"][0]["uuid"] = "aaaa2a52-7d0e-4a55-8e09-0a0f6d8c2222".into();
    settings["bounce.mailboxes"][0]["password"] = "pöp-Geheim".into();
    settings
}

/// Every secret in the settings that is not ours, by where it is.
fn secrets(rows: &Value) -> Vec<(String, String)> {
    fn walk(path: &str, value: &Value, out: &mut Vec<(String, String)>) {
        match value {
            Value::String(text) if text.contains("eheim") || text.contains("ge\\heim") => {
                out.push((path.to_owned(), text.clone()));
            }
            Value::Array(all) => {
                for one in all {
                    let host = one["host"].as_str().or(one["name"].as_str()).unwrap_or("?");
                    walk(&format!("{path}/{host}"), one, out);
                }
            }
            Value::Object(all) => {
                for (key, one) in all {
                    walk(&format!("{path}/{key}"), one, out);
                }
            }
            _ => {}
        }
    }
    let mut out = Vec::new();
    walk("", rows, &mut out);
    out.sort();
    out
}

fn applied(
    target: &dyn Target,
    profile: &Profile,
    options: &Options,
    record: Option<&Record>,
) -> ListmonkReport {
    let mut said = Vec::new();
    let report = target
        .listmonk()
        .apply(profile, options, record, false, &mut |line| {
            said.push(line.to_owned());
        })
        .unwrap();
    assert!(
        report.performed && report.restarted && !report.needs_restart,
        "{report:#?}"
    );
    assert_eq!(said.len(), 1, "{said:?}");
    report
}

/// All that is asked of every Listmonk.
pub(crate) fn every_listmonk(target: &dyn Target) {
    let server = Server::start(LOGIN, TOKEN, 3);
    let mut profile = profile();
    profile.port = server.port;
    let before = target.rows();
    let known = secrets(&before);
    assert!(known.len() >= 6, "{known:?}");

    // A plan changes nothing.
    let plan = target.listmonk().plan(&profile, &options(), None).unwrap();
    assert_eq!(target.rows(), before);
    assert!(!plan.performed && !plan.changes.is_empty());
    let shown = serde_json::to_string(&plan).unwrap();
    assert!(
        !shown.contains(TOKEN) && !shown.contains("eheim"),
        "{shown}"
    );

    // What has been sent is what is there: nothing lost, nothing wiped.
    let report = applied(target, &profile, &options(), None);
    let ids: Vec<_> = report
        .findings
        .iter()
        .map(|one| (one.id.as_str(), one.subject.as_str()))
        .collect();
    assert_eq!(
        ids,
        [("listmonk.other_servers", "smtp")],
        "{:#?}",
        report.findings
    );
    let rows = target.rows();
    assert_eq!(secrets(&rows), known);
    let smtp = rows["smtp"].as_array().unwrap();
    assert_eq!(smtp.len(), 2, "{smtp:#?}");
    assert_eq!(
        (&smtp[0]["host"], &smtp[0]["password"]),
        (&json!(smtp::NAME), &json!(TOKEN))
    );
    assert_eq!(smtp[1]["host"], "smtp.other.example");
    let box_of = |rows: &Value| {
        rows["bounce.mailboxes"]
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["username"] == LOGIN)
            .cloned()
    };
    assert_eq!(box_of(&rows).unwrap()["password"], TOKEN);
    let named = report
        .changes
        .iter()
        .map(|one| one.key.split('.').take(2).collect::<Vec<_>>().join("."));
    let named: Vec<String> = named.collect();
    for (key, value) in before.as_object().unwrap() {
        let touched = named.contains(key) || key == "smtp" || key == "bounce.mailboxes";
        assert!(
            touched || rows[key] == *value,
            "{key}: {value} became {}",
            rows[key]
        );
    }

    // Again: nothing, and nothing is even sent.
    let record = report.record.as_ref().unwrap();
    let stored = serde_json::to_string(record).unwrap();
    assert!(!stored.contains(TOKEN), "{stored}");
    let again = target
        .listmonk()
        .apply(&profile, &options(), Some(record), false, &mut |_| {})
        .unwrap();
    assert_eq!(again.changes, [], "{:#?}", again.changes);
    assert!(!again.performed && !again.restarted);
    assert_eq!(again.record.as_ref(), Some(record));
    assert_eq!(target.rows(), rows);

    messages(target, &server, &profile, record);
    rotated(target, &profile, record);
    removed(target, &before, record);
    busy(target, &profile);
}

/// Listmonk itself sends, and what the server says of it is understood.
fn messages(target: &dyn Target, server: &Server, profile: &Profile, record: &Record) {
    let recipient = "somebody@example.com".parse().unwrap();
    let listmonk = target.listmonk();
    let verified = listmonk
        .verify(profile, &options(), Some(record), Some(&recipient))
        .unwrap();
    assert!(
        verified.good && verified.sent == Some(true),
        "{verified:#?}"
    );
    let taken = server.taken();
    assert_eq!(taken.len(), 1, "{taken:#?}");
    // The envelope sender is the login, whoever stands in `From:`.
    assert_eq!(
        (&*taken[0].sender, &*taken[0].recipients[0]),
        (LOGIN, "somebody@example.com")
    );
    assert!(
        taken[0]
            .text
            .contains("From: \"Example News\" <news@example.com>"),
        "{}",
        taken[0].text
    );
    assert!(!taken[0].text.contains("Return-Path"), "{}", taken[0].text);

    let wrong = |profile: &Profile, text: &str| {
        let verified = listmonk
            .verify(profile, &options(), Some(record), Some(&recipient))
            .unwrap();
        assert!(
            !verified.good && verified.sent == Some(false),
            "{verified:#?}"
        );
        let said = &verified
            .findings
            .iter()
            .find(|one| one.id == "listmonk.test")
            .unwrap()
            .message;
        assert!(said.contains(text), "{verified:#?}");
        assert!(!format!("{verified:?}").contains(profile.secret.expose()));
    };
    let mut other = profile.clone();
    other.secret = Secret::new(BOUNCES);
    wrong(&other, "token is wrong");
    let mut other = profile.clone();
    other.envelope_from = Some("news@example.com".parse().unwrap());
    other.bounces = None;
    wrong(&other, "envelope sender");
    let mut other = profile.clone();
    other.host = "other.example.com".parse().unwrap();
    // Another name than that of the certificate.
    wrong(&other, "");
    // Two more, and the limit is reached.
    for _ in 0..2 {
        assert!(
            listmonk
                .verify(profile, &options(), Some(record), Some(&recipient))
                .unwrap()
                .good
        );
    }
    wrong(profile, "limit");
}

/// A token of the same length: bullets do not tell, our record does.
fn rotated(target: &dyn Target, profile: &Profile, record: &Record) {
    let mut wanted = profile.clone();
    wanted.secret = Secret::new(BOUNCES);
    wanted.bounces = Some(Bounces::new(wanted.login.clone(), Secret::new(BOUNCES)));
    let known = secrets(&target.rows());
    let report = applied(target, &wanted, &options(), Some(record));
    let changed: Vec<_> = report.changes.iter().map(|one| one.key.as_str()).collect();
    assert_eq!(
        changed,
        ["smtp.mailu.password", "bounce.mailboxes.mailu.password"]
    );
    let rows = target.rows();
    assert_eq!(rows["smtp"][0]["password"], BOUNCES);
    assert_eq!(secrets(&rows), known);
    applied(target, profile, &options(), report.record.as_ref());
    assert_eq!(target.rows()["smtp"][0]["password"], TOKEN);
}

fn removed(target: &dyn Target, before: &Value, record: &Record) {
    // What somebody changed since stays.
    target.change("app.max_send_errors", json!(17));
    let plan = target.listmonk().plan_removal(record).unwrap();
    let report = target
        .listmonk()
        .remove(record, false, &mut |_| {})
        .unwrap();
    assert_eq!(report.changes, plan.changes);
    assert!(report.performed && report.restarted && report.record.is_none());
    let ids: Vec<_> = report.findings.iter().map(|one| one.id.as_str()).collect();
    assert_eq!(ids, ["listmonk.kept"], "{:#?}", report.findings);
    let rows = target.rows();
    assert_eq!(secrets(&rows), secrets(before));
    assert_eq!(
        rows["smtp"].as_array().unwrap().len(),
        1,
        "{:#}",
        rows["smtp"]
    );
    assert_eq!(rows["smtp"][0]["host"], "smtp.other.example");
    assert_eq!(rows["app.max_send_errors"], 17);
    for key in [
        "app.from_email",
        "app.root_url",
        "app.message_sliding_window",
        "bounce.enabled",
        "privacy.unsubscribe_header",
    ] {
        assert_eq!(rows[key], before[key], "{key}");
    }
    let again = target
        .listmonk()
        .remove(record, false, &mut |_| {})
        .unwrap();
    assert!(again.changes.is_empty() && !again.performed, "{again:#?}");
    // Without the last server there would be none.
    let mut rows = rows["smtp"].clone();
    rows[0]["enabled"] = false.into();
    rows[0]["uuid"] = record.uuids[0].clone().into();
    target.change("smtp", rows);
    let mut bare = record.clone();
    bare.samples.clear();
    let error = target
        .listmonk()
        .remove(&bare, false, &mut |_| {})
        .unwrap_err();
    assert_eq!(error.code(), "listmonk.no_server");
    target.change("smtp", before["smtp"].clone());
}

/// While a campaign is being sent, Listmonk goes on as it is until somebody asks for more.
fn busy(target: &dyn Target, profile: &Profile) {
    if !target.campaign(true) {
        return;
    }
    let apply = |record: Option<&Record>, interrupt: bool| {
        target
            .listmonk()
            .apply(profile, &options(), record, interrupt, &mut |_| {})
            .unwrap()
    };
    let report = apply(None, false);
    assert!(
        report.performed && report.needs_restart && !report.restarted,
        "{report:#?}"
    );
    assert!(
        report
            .findings
            .iter()
            .any(|one| one.id == "listmonk.needs_restart")
    );
    let again = apply(report.record.as_ref(), false);
    assert!(
        !again.performed && again.needs_restart && again.changes.is_empty(),
        "{again:#?}"
    );
    let asked = apply(report.record.as_ref(), true);
    assert!(asked.restarted && !asked.needs_restart, "{asked:#?}");
    target.campaign(false);
    let done = apply(report.record.as_ref(), false);
    assert!(!done.restarted && !done.needs_restart, "{done:#?}");
}

#[test]
fn the_api_of_v3() {
    every_listmonk(&emulator("v3"));
    for real in Real::named("v3") {
        every_listmonk(&real);
        real.by_its_database();
    }
}

#[test]
fn the_api_of_v6_2() {
    let target = emulator("v6.2");
    every_listmonk(&target);
    let calls = target.1.calls();
    assert!(
        calls.iter().all(|call| call.starts_with("token ")),
        "{calls:?}"
    );
    for real in Real::named("v6.2") {
        every_listmonk(&real);
        real.by_its_database();
    }
}

/// What is sent, made of what is planned and what is there.
type Way = fn(&Patch, &Seen) -> Value;

/// Each way in which settings are usually saved wrongly does the harm that it does to a real Listmonk, and is noticed.
#[test]
fn what_is_not_ours_is_lost_in_every_other_way() {
    for version in ["v3", "v6.2"] {
        let known = secrets(&with_others(version));
        let ways: [(&str, Way); 4] = [
            // As GET gave it: bullets are stored.
            ("naive", |_, seen| Value::Object(seen.settings.clone())),
            // Only what changes: the rest is zeroed.
            ("partial", |patch, _| {
                let body = patch.body().unwrap();
                let only: serde_json::Map<_, _> = body
                    .into_iter()
                    .filter(|(key, _)| key == "smtp" || key == "app.from_email")
                    .collect();
                only.into()
            }),
            // Without uuids: no password is found.
            ("anonymous", |patch, _| {
                let mut body = Value::Object(patch.body().unwrap());
                for one in body["smtp"].as_array_mut().unwrap() {
                    one["uuid"] = "".into();
                }
                body
            }),
            // Nothing but blanked: that is right, and the measure.
            ("ours", |patch, _| Value::Object(patch.body().unwrap())),
        ];
        for (name, way) in ways {
            let (_, emulator) = emulator(version);
            let seen = Seen::new(
                api(&emulator, "GET", "/api/settings", None)
                    .as_object()
                    .unwrap()
                    .clone(),
                format!("{version}.0").parse().unwrap(),
            );
            let plan = patch(&seen, &profile(), &options(), None, "salt").unwrap();
            api(&emulator, "PUT", "/api/settings", Some(&way(&plan, &seen)));
            let after = secrets(&emulator.rows());
            while emulator.restarts() == 0 {
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            if name == "partial" {
                // It does not even start any more.
                assert!(emulator.is_dead() && after != known, "{version}");
                continue;
            }
            let now = object(&api(&emulator, "GET", "/api/settings", None));
            let found = verify(&plan, &now);
            let lost = found.iter().any(|one| {
                matches!(
                    one.id.as_str(),
                    "listmonk.secret_lost" | "listmonk.not_applied"
                )
            });
            assert_eq!(after == known, name == "ours", "{version} {name}");
            assert_eq!(lost, name != "ours", "{version} {name}: {found:#?}");
        }
    }
}

/// Where two elements have no uuid, one would get the password of the other; that is refused, and the samples do not count.
#[test]
fn elements_that_cannot_be_told_apart_are_not_saved() {
    for uuid in ["", "3f0c2a52-7d0e-4a55-8e09-0a0f6d8c1111"] {
        let (_, emulator) = emulator("v6.2");
        let mut smtp = emulator.row("smtp");
        let mut another = smtp[2].clone();
        another["host"] = "smtp.third.example".into();
        another["name"] = "email-third".into();
        another["password"] = "Geheimer".into();
        smtp[2]["uuid"] = uuid.into();
        another["uuid"] = uuid.into();
        smtp.as_array_mut().unwrap().push(another);
        emulator.change("smtp", smtp);
        let before = emulator.rows();
        let listmonk = ("v6.2", emulator);
        let plan = listmonk
            .listmonk()
            .plan(&profile(), &options(), None)
            .unwrap();
        assert!(
            plan.findings
                .iter()
                .any(|one| one.id == "listmonk.ambiguous"),
            "{:#?}",
            plan.findings
        );
        let error = listmonk
            .listmonk()
            .apply(&profile(), &options(), None, false, &mut |_| {})
            .unwrap_err();
        assert_eq!(error.code(), "listmonk.ambiguous");
        assert!(error.hints()[0].contains("database"));
        assert_eq!(listmonk.rows(), before);
        // It would have been so.
        let seen = api(&listmonk.1, "GET", "/api/settings", None);
        api(
            &listmonk.1,
            "PUT",
            "/api/settings",
            Some(&Value::Object(blanked(&object(&seen)))),
        );
        assert_ne!(secrets(&listmonk.rows()), secrets(&before));
    }
    // A single one without, after which no sample comes, is safe.
    let (_, emulator) = emulator("v6.2");
    let mut smtp = emulator.row("smtp");
    smtp[2]["uuid"] = "".into();
    emulator.change("smtp", smtp);
    let before = secrets(&emulator.rows());
    let target = ("v6.2", emulator);
    applied(&target, &profile(), &options(), None);
    assert_eq!(secrets(&target.rows()), before);
}

#[test]
fn what_does_not_work_is_said() {
    let (_, emulator) = emulator("v6.2");
    let wrong =
        Listmonk::over_api(&emulator.url(), USER, Secret::new("wrong-Geheim"), None).unwrap();
    let error = wrong.plan(&profile(), &options(), None).unwrap_err();
    assert_eq!(error.code(), "listmonk.credentials");
    assert!(!format!("{error} {error:?} {}", error.to_json()).contains("wrong-Geheim"));
    assert_eq!(
        emulator.calls(),
        ["token GET /api/config", "Basic GET /api/config"]
    );

    let error =
        Listmonk::over_api("ftp://lists.example.com", USER, Secret::new("x"), None).unwrap_err();
    assert_eq!(error.code(), "listmonk.url");
    let error = Listmonk::over_api(
        "https://a:geheim@lists.example.com",
        USER,
        Secret::new("x"),
        None,
    )
    .unwrap_err();
    assert!(error.code() == "listmonk.url" && !error.to_string().contains("geheim"));
    let far = Listmonk::over_api("http://192.0.2.1", USER, Secret::new("x"), None).unwrap();
    assert_eq!(
        far.plan(&profile(), &options(), None).unwrap_err().code(),
        "listmonk.plain_http"
    );
    let gone = Listmonk::over_api("http://127.98.0.1:9", USER, Secret::new("x"), None).unwrap();
    assert_eq!(
        gone.plan(&profile(), &options(), None).unwrap_err().code(),
        "listmonk.unreachable"
    );

    // Everything that is wrong with a profile comes at once, and nothing is asked for.
    let mut profile = profile();
    profile.from = "news@example.org".parse().unwrap();
    profile.from_name = Some("A\r\nBcc: all@example.com".to_owned());
    profile.secret = Secret::new("•••");
    profile.envelope_from = Some("other@example.com".parse().unwrap());
    let mut options = options();
    options.root_url = Some("lists".to_owned());
    let listmonk = Listmonk::over_api(&emulator.url(), USER, Secret::new(PASSWORD), None).unwrap();
    let error = listmonk.plan(&profile, &options, None).unwrap_err();
    let mut found: Vec<_> = error
        .all_findings()
        .iter()
        .map(|one| one.id.as_str())
        .collect();
    found.sort_unstable();
    assert_eq!(
        found,
        [
            "listmonk.bounces",
            "listmonk.control_character",
            "listmonk.root_url",
            "listmonk.secret",
            "listmonk.sender_domain"
        ]
    );
}

/// What stands below `data` in the emulator's answer, by a client that does nothing by itself.
fn api(emulator: &Emulator, method: &str, path: &str, body: Option<&Value>) -> Value {
    use std::io::{Read as _, Write as _};

    use base64::Engine as _;
    let url = emulator.url();
    let mut stream = std::net::TcpStream::connect(url.trim_start_matches("http://")).unwrap();
    let login = base64::engine::general_purpose::STANDARD.encode(format!("{USER}:{PASSWORD}"));
    let body = body.map(Value::to_string).unwrap_or_default();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: x\r\nauthorization: Basic {login}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
    serde_json::from_str::<Value>(body).unwrap()["data"].take()
}
