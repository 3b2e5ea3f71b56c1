//! An inbox of Chatwoot's, connected over its API: planned from what is there, done, read back, and taken out again.

mod emulator;

use mailu_core::Secret;
use mailu_core::apps::chatwoot::inbox::{self, Inbox, Record};
use mailu_core::apps::{Incoming, Profile, Tls};
use mailu_core::host::Chatwoot;
use mailu_core::names::EmailAddress;
use serde_json::{Map, Value, json};

use crate::http_api;
use emulator::{ADMIN, AGENT, Emulator, OTHER, Release};

const TOKEN: &str = "0a1b2c3d4e5f60718293a4b5c6d7e8f9";
const OLD_PASSWORD: &str = "Former-Geheim-1";
const EMAIL: &str = "support@example.com";
const BOTH: [Release; 2] = [Release::Old, Release::New];

/// Servers: ours, which takes the token over TLS and looks at nothing else, and the one that somebody had before.
fn logs_in(kind: &str, channel: &Map<String, Value>) -> Result<(), String> {
    let text = |key: &str| {
        channel
            .get(&format!("{kind}_{key}"))
            .and_then(Value::as_str)
    };
    let port = channel.get(&format!("{kind}_port")).and_then(Value::as_u64);
    let secure = if kind == "imap" {
        channel.get("imap_enable_ssl") == Some(&json!(true))
    } else {
        // Both at once is an error of Ruby's.
        let implicit = channel.get("smtp_enable_ssl_tls") == Some(&json!(true));
        let starttls = channel.get("smtp_enable_starttls_auto") == Some(&json!(true));
        let port = if implicit { 465 } else { 587 };
        implicit != starttls && channel.get("smtp_port") == Some(&json!(port))
    };
    let wrong = Err(format!("{kind}: 535 5.7.8 Error: authentication failed"));
    match (text("address"), text("login")) {
        (Some("mail.example.com"), Some("support@example.com")) => {
            if !secure || (kind == "imap" && port != Some(993)) {
                return Err("connection refused".to_owned());
            }
            if text("password") == Some(TOKEN) {
                Ok(())
            } else {
                wrong
            }
        }
        (Some("imap.former.test" | "smtp.former.test"), Some("me@former.test")) => {
            if text("password") == Some(OLD_PASSWORD) {
                Ok(())
            } else {
                wrong
            }
        }
        _ => Err("getaddrinfo: Name or service not known".to_owned()),
    }
}

fn emulator(release: Release) -> Emulator {
    Emulator::start(release, Box::new(logs_in))
}

fn profile() -> Profile {
    let login: EmailAddress = EMAIL.parse().unwrap();
    let host = "mail.example.com".parse().unwrap();
    let mut profile = Profile::new(host, Tls::Implicit, login, Secret::new(TOKEN));
    profile.from_name = Some("Blue & Co.".to_owned());
    profile.incoming = Some(Incoming::default());
    profile
}

fn chatwoot(emulator: &Emulator, token: &str) -> Chatwoot {
    Chatwoot::new(&emulator.url(), 1, Secret::new(token), None).unwrap()
}

/// Connects it; what was changed.
fn connect(
    emulator: &Emulator,
    profile: &Profile,
    record: Option<&Record>,
) -> (Vec<String>, Record) {
    let chatwoot = chatwoot(emulator, ADMIN);
    let seen = chatwoot.look(&profile.from).unwrap();
    let plan = inbox::plan(seen.as_ref(), profile, record).unwrap();
    let mut record = Record::new(seen.as_ref(), profile);
    if !plan.is_empty() {
        record.inbox = Some(chatwoot.apply(&plan, seen.as_ref()).unwrap().id);
    }
    (plan.changes, record)
}

fn seen(emulator: &Emulator) -> Inbox {
    let email = EMAIL.parse().unwrap();
    chatwoot(emulator, ADMIN).look(&email).unwrap().unwrap()
}

/// How an inbox with servers of somebody else's looks.
fn former() -> Value {
    json!({
        "imap_enabled": true, "imap_address": "imap.former.test", "imap_port": 993, "imap_login": "me@former.test", "imap_password": OLD_PASSWORD,
        "smtp_enabled": true, "smtp_address": "smtp.former.test", "smtp_port": 587, "smtp_login": "me@former.test",
        "smtp_password": OLD_PASSWORD, "smtp_domain": "former.test"
    })
}

#[test]
fn an_inbox_is_made_once_and_kept() {
    for release in BOTH {
        let emulator = emulator(release);
        emulator.put(2, "elsewhere@example.com", &json!({}));
        let (changes, record) = connect(&emulator, &profile(), None);
        assert_eq!(changes.len(), 16, "{changes:?}");
        let stored = emulator.stored(EMAIL).unwrap();
        for (key, value) in [
            ("imap_enabled", json!(true)),
            ("imap_address", json!("mail.example.com")),
            ("imap_port", json!(993)),
            ("imap_password", json!(TOKEN)),
            ("smtp_enabled", json!(true)),
            ("smtp_port", json!(465)),
            ("smtp_enable_ssl_tls", json!(true)),
            ("smtp_enable_starttls_auto", json!(false)),
            ("smtp_openssl_verify_mode", json!("peer")),
            ("smtp_password", json!(TOKEN)),
            // What Chatwoot takes for a name in every version.
            ("name", json!("Blue & Co")),
        ] {
            assert_eq!(stored[key], value, "{key}");
        }
        assert_eq!(record.inbox, stored["id"].as_u64());
        emulator.calls();

        let (changes, again) = connect(&emulator, &profile(), Some(&record));
        assert!(changes.is_empty() && again == record, "{changes:?}");
        let calls = emulator.calls();
        assert!(
            calls.iter().all(|call| call.starts_with("GET ")),
            "{calls:?}"
        );
        assert_eq!(emulator.stored(EMAIL).unwrap(), stored);

        // A port that comes as text is the same port.
        emulator.change(record.inbox.unwrap(), "smtp_port", json!("465"));
        assert!(connect(&emulator, &profile(), Some(&record)).0.is_empty());

        // One that people have named and greeted keeps that; only the half that differs is sent.
        emulator.change(
            record.inbox.unwrap(),
            "smtp_openssl_verify_mode",
            json!("none"),
        );
        let seen = seen(&emulator);
        let plan = inbox::plan(Some(&seen), &profile(), Some(&record)).unwrap();
        assert_eq!(plan.changes, ["smtp_openssl_verify_mode"]);
        let sent: Vec<_> = plan.channel.as_ref().unwrap().keys().collect();
        assert!(
            sent.len() == 10 && sent.iter().all(|key| key.starts_with("smtp_")),
            "{sent:?}"
        );
        connect(&emulator, &profile(), Some(&record));
        assert_eq!(
            emulator.stored(EMAIL).unwrap()["smtp_openssl_verify_mode"],
            "peer"
        );
    }
}

#[test]
fn another_token_goes_into_both_halves() {
    let emulator = emulator(Release::New);
    let (_, record) = connect(&emulator, &profile(), None);
    let id = record.inbox.unwrap();
    // As after a rotation: what is stored is not what is wanted.
    emulator.change(id, "imap_password", json!("f".repeat(32)));
    emulator.change(id, "smtp_password", json!("f".repeat(32)));
    let (changes, _) = connect(&emulator, &profile(), Some(&record));
    assert_eq!(changes, ["imap_password", "smtp_password"]);
    let stored = emulator.stored(EMAIL).unwrap();
    assert_eq!(
        (&stored["imap_password"], &stored["smtp_password"]),
        (&json!(TOKEN), &json!(TOKEN))
    );
}

#[test]
fn an_inbox_that_is_there_is_taken_and_given_back() {
    for release in BOTH {
        let emulator = emulator(release);
        let id = emulator.put(1, EMAIL, &former());
        let before = emulator.stored(EMAIL).unwrap();
        let kept = seen(&emulator).channel();
        let (changes, record) = connect(&emulator, &profile(), None);
        assert!(changes.contains(&"imap_address".to_owned()), "{changes:?}");
        let now = emulator.stored(EMAIL).unwrap();
        // Whatever people see of it is theirs.
        for key in ["id", "name", "greeting", "provider"] {
            assert_eq!(now[key], before[key], "{key}");
        }
        assert!(seen(&emulator).is_ours(&record));

        let removal = inbox::removal(&seen(&emulator), &record, Some(&kept));
        assert!(removal.back);
        let found = chatwoot(&emulator, ADMIN)
            .remove(&seen(&emulator), &removal)
            .unwrap();
        assert!(found.is_empty(), "{found:?}");
        assert_eq!(emulator.stored(EMAIL).unwrap(), before);
        // Again: nothing is ours there.
        let again = inbox::removal(&seen(&emulator), &record, Some(&kept));
        assert!(
            again.channel.is_none(),
            "{again:?}",
            again = again.channel.is_some()
        );

        // Somebody has taken sending elsewhere since: that half stays.
        connect(&emulator, &profile(), None);
        for (key, value) in former().as_object().unwrap() {
            if key.starts_with("smtp_") {
                emulator.change(id, key, value.clone());
            }
        }
        let removal = inbox::removal(&seen(&emulator), &record, None);
        let ids: Vec<_> = removal.findings.iter().map(|one| one.id.as_str()).collect();
        assert_eq!(ids, ["chatwoot.kept"]);
        chatwoot(&emulator, ADMIN)
            .remove(&seen(&emulator), &removal)
            .unwrap();
        let now = emulator.stored(EMAIL).unwrap();
        assert_eq!(
            (&now["smtp_enabled"], &now["smtp_address"]),
            (&json!(true), &json!("smtp.former.test"))
        );
        assert_eq!(
            (&now["imap_enabled"], &now["imap_password"]),
            (&json!(false), &json!(""))
        );
        let calls = emulator.calls();
        assert!(
            calls.iter().all(|call| !call.starts_with("DELETE")),
            "{calls:?}"
        );
    }
}

/// The former server is gone: some releases keep what they refuse, others have to be switched off.
#[test]
fn a_former_server_that_is_gone_is_said() {
    for release in BOTH {
        let emulator = emulator(release);
        let mut gone = former();
        gone["imap_password"] = json!("is wrong by now");
        emulator.put(1, EMAIL, &gone);
        let kept = seen(&emulator).channel();
        let (_, record) = connect(&emulator, &profile(), None);
        let removal = inbox::removal(&seen(&emulator), &record, Some(&kept));
        let found = chatwoot(&emulator, ADMIN)
            .remove(&seen(&emulator), &removal)
            .unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].id, "chatwoot.former_server");
        assert!(!format!("{found:?}").contains("is wrong by now"));
        let now = emulator.stored(EMAIL).unwrap();
        if release == Release::New {
            assert_eq!(
                (&now["imap_enabled"], &now["imap_address"]),
                (&json!(true), &json!("imap.former.test"))
            );
        } else {
            assert_eq!(
                (&now["imap_enabled"], &now["smtp_enabled"]),
                (&json!(false), &json!(false))
            );
        }
        assert_ne!(now["smtp_password"], TOKEN);
        assert_ne!(now["imap_password"], TOKEN);
    }
}

#[test]
fn what_chatwoot_refuses_changes_nothing() {
    for release in BOTH {
        let emulator = emulator(release);
        emulator.put(1, EMAIL, &former());
        let before = emulator.stored(EMAIL).unwrap();
        let mut wrong = profile();
        wrong.secret = Secret::new("e".repeat(32));
        let chatwoot = chatwoot(&emulator, ADMIN);
        let seen = chatwoot.look(&wrong.from).unwrap();
        let plan = inbox::plan(seen.as_ref(), &wrong, None).unwrap();
        let error = chatwoot.apply(&plan, seen.as_ref()).unwrap_err();
        assert_eq!(error.code(), "chatwoot.refused");
        assert!(
            error.to_string().contains("authentication failed"),
            "{error}"
        );
        let said = format!("{error} {error:?} {}", error.to_json());
        for secret in [&*"e".repeat(32), OLD_PASSWORD, ADMIN] {
            assert!(!said.contains(secret), "{said}");
        }
        assert_eq!(emulator.stored(EMAIL).unwrap(), before);

        // An inbox that was made for it stays, connected to nothing, and the same command goes on there.
        let mut new = wrong.clone();
        new.from = "sales@example.com".parse().unwrap();
        let plan = inbox::plan(None, &new, None).unwrap();
        chatwoot.apply(&plan, None).unwrap_err();
        let made = emulator.stored("sales@example.com").unwrap();
        assert_eq!(
            (
                &made["imap_enabled"],
                &made["smtp_enabled"],
                &made["smtp_password"]
            ),
            (&json!(false), &json!(false), &json!(""))
        );
        let mut right = profile();
        right.from = new.from;
        connect(&emulator, &right, None);
        assert_eq!(
            emulator.stored("sales@example.com").unwrap()["id"],
            made["id"]
        );
    }
}

#[test]
fn whoever_may_not_is_told_why() {
    let emulator = emulator(Release::New);
    emulator.put(1, EMAIL, &json!({}));
    emulator.put(2, "taken@example.com", &json!({}));
    let email: EmailAddress = EMAIL.parse().unwrap();
    let code = |token: &str, account: u64| {
        let chatwoot = Chatwoot::new(&emulator.url(), account, Secret::new(token), None).unwrap();
        let error = chatwoot.look(&email).unwrap_err();
        assert!(!format!("{error} {error:?} {}", error.to_json()).contains(token));
        assert!(!error.hints().is_empty(), "{error}");
        error.code()
    };
    assert_eq!(code("no-such-token", 1), "chatwoot.credentials");
    assert_eq!(code("a\nb", 1), "chatwoot.credentials");
    assert_eq!(code(AGENT, 1), "chatwoot.not_administrator");
    assert_eq!(code(OTHER, 1), "chatwoot.no_account");
    assert_eq!(code(ADMIN, 99), "chatwoot.no_account");
    let changed = emulator.calls();
    assert!(
        changed.iter().all(|call| call.starts_with("GET ")),
        "{changed:?}"
    );

    // An address of another account's, which cannot be seen.
    let mut profile = profile();
    profile.from = "taken@example.com".parse().unwrap();
    let plan = inbox::plan(None, &profile, None).unwrap();
    let error = chatwoot(&emulator, ADMIN).apply(&plan, None).unwrap_err();
    assert_eq!(error.code(), "chatwoot.refused");
    assert!(
        error
            .hints()
            .iter()
            .any(|hint| hint.contains("another account")),
        "{error}"
    );

    for (url, code) in [
        ("chat.example.com", "chatwoot.url"),
        ("https://me:pass@chat.example.com", "chatwoot.url"),
    ] {
        let error = Chatwoot::new(url, 1, Secret::new(ADMIN), None).unwrap_err();
        assert_eq!(error.code(), code);
    }
    for (url, code) in [
        ("http://192.0.2.1", "chatwoot.plain_http"),
        ("http://127.0.0.1:9", "chatwoot.unreachable"),
    ] {
        let far = Chatwoot::new(url, 1, Secret::new(ADMIN), None).unwrap();
        assert_eq!(far.look(&email).unwrap_err().code(), code);
    }
}

#[test]
fn an_inbox_that_is_not_ours_to_take_is_left() {
    let emulator = emulator(Release::New);
    emulator.put(1, EMAIL, &json!({ "provider": "google" }));
    let code = |profile: &Profile, record: Option<&Record>| {
        let seen = chatwoot(&emulator, ADMIN).look(&profile.from).unwrap();
        inbox::plan(seen.as_ref(), profile, record)
            .unwrap_err()
            .code()
    };
    assert_eq!(code(&profile(), None), "chatwoot.provider");
    emulator.change(1, "provider", json!("other_provider"));
    let (_, record) = connect(&emulator, &profile(), None);
    let mut second = profile();
    second.from = "sales@example.com".parse().unwrap();
    assert_eq!(code(&second, Some(&record)), "chatwoot.other_inbox");
    second.incoming = None;
    assert_eq!(code(&second, None), "chatwoot.not_reading");
}

/// Names that Chatwoot's older releases take, whatever people are called.
#[test]
fn every_inbox_has_a_name_that_chatwoot_takes() {
    let names = [
        "",
        "…",
        "@",
        "Blue & Co.",
        "<b>Bold</b>",
        "A/B\\C",
        "¡Hola!",
        "Müller",
        "_x_",
        "-",
        "Ünïcode…",
        "日本",
    ];
    for (index, name) in names.iter().enumerate() {
        let emulator = emulator(Release::Old);
        let mut profile = profile();
        profile.from_name = (!name.is_empty()).then(|| (*name).to_owned());
        if index % 2 == 0 {
            profile.from = "-.+-@example.com".parse().unwrap_or(profile.from);
        }
        let plan = match inbox::plan(None, &profile, None) {
            Ok(plan) => plan,
            Err(error) => panic!("{name:?}: {error}"),
        };
        chatwoot(&emulator, ADMIN).apply(&plan, None).unwrap();
    }
}
