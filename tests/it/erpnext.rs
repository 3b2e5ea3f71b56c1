//! A site of Frappe's, connected over its REST API: planned from what is there, done, read back, and taken out again.

mod emulator;

use mailu_core::Secret;
use mailu_core::apps::frappe::rest::{DomainWish, Record};
use mailu_core::apps::{Incoming, Profile, Tls};
use mailu_core::host::{ErpNext, ErpNextDone};
use mailu_core::names::EmailAddress;
use serde_json::{Value, json};

use crate::http_api;
use emulator::{Document, Emulator, MANAGER, READER};

const TOKEN: &str = "0a1b2c3d4e5f60718293a4b5c6d7e8f9";
const OTHERS: &str = "Their-Geheim";
const ACCOUNT: &str = "Email Account";
const DOMAIN: &str = "Email Domain";
const OURS: &str = "Mailu Outgoing";

/// Servers: ours, which takes the token in its two ways of TLS, and somebody's.
fn servers(document: &Document, password: Option<&str>) -> Result<(), String> {
    let text = |field: &str| {
        document
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let on = |field: &str| document.get(field) == Some(&json!(1));
    if document["doctype"] == DOMAIN {
        let reads = on("use_imap") && on("use_ssl") && text("incoming_port") == "993";
        if text("email_server") == "mail.example.com" && !reads {
            return Err("Incoming email account not correct".to_owned());
        }
        return match text("smtp_server") {
            "mail.example.com" | "smtp.theirs.test" => Ok(()),
            _ => Err("Outgoing email account not correct".to_owned()),
        };
    }
    let login = if on("login_id_is_different") {
        text("login_id")
    } else {
        text("email_id")
    };
    if on("enable_outgoing") {
        let way = (text("smtp_port"), on("use_ssl_for_outgoing"), on("use_tls"));
        match (text("smtp_server"), way) {
            ("mail.example.com", ("465", true, false) | ("587", false, true)) => {
                if (login, password) != ("erp@example.com", Some(TOKEN)) {
                    return Err("Invalid credentials".to_owned());
                }
            }
            ("smtp.theirs.test", _) if password == Some(OTHERS) => {}
            _ => return Err("Invalid Outgoing Mail Server or Port: <b>refused</b>".to_owned()),
        }
    }
    if on("enable_incoming")
        && !["mail.example.com", "imap.theirs.test"].contains(&text("email_server"))
    {
        return Err("Invalid Mail Server".to_owned());
    }
    Ok(())
}

fn emulator() -> Emulator {
    Emulator::start(&[], Box::new(servers))
}

fn profile() -> Profile {
    let login: EmailAddress = "erp@example.com".parse().unwrap();
    let host = "mail.example.com".parse().unwrap();
    Profile::new(host, Tls::Implicit, login, Secret::new(TOKEN))
}

fn site(emulator: &Emulator) -> ErpNext {
    ErpNext::new(&emulator.url(), None, &Secret::new(MANAGER), None).unwrap()
}

/// Connects it as `integrate` does. The fields that differed, by document.
fn connect(
    emulator: &Emulator,
    profile: &Profile,
    wish: DomainWish,
    ours: bool,
    record: &mut Option<Record>,
) -> (Vec<(String, usize)>, ErpNextDone) {
    let site = site(emulator);
    let plan = site.plan(profile, wish, ours, record.as_ref()).unwrap();
    let steps = [&plan.domain, &plan.account].into_iter().flatten();
    let steps = steps
        .map(|step| (step.doctype.to_owned(), step.fields.len()))
        .collect();
    let mut done = site.apply(profile, wish, ours, record.as_ref()).unwrap();
    done.findings.extend(plan.findings);
    // Whatever was the default is told while it is.
    assert!(plan.former.is_none_or(|former| former != OURS));
    *record = Some(plan.record);
    (steps, done)
}

fn theirs() -> Value {
    json!({
        "email_account_name": "Theirs", "email_id": "office@example.com", "password": OTHERS, "enable_outgoing": 1, "default_outgoing": 1,
        "smtp_server": "smtp.theirs.test", "smtp_port": "587", "use_tls": 1, "footer": "Theirs"
    })
}

#[test]
fn account_and_domain_are_made_once_and_kept() {
    for lacks in [&[][..], &["validate_ssl_certificate", "use_starttls"][..]] {
        let emulator = Emulator::start(lacks, Box::new(servers));
        // More accounts than a page has.
        for number in 0..25 {
            let name = format!("Box {number:02}");
            emulator.put(ACCOUNT, &name, &json!({ "email_account_name": name, "email_id": format!("box{number}@example.com") }));
        }
        emulator.put(ACCOUNT, "Theirs", &theirs());
        let mut record = None;
        let (steps, done) = connect(
            &emulator,
            &profile(),
            DomainWish::Wanted,
            false,
            &mut record,
        );
        assert_eq!(steps.len(), 2, "{steps:?}");
        assert!(done.domain_made && done.findings.is_empty(), "{done:?}");
        let account = emulator.stored(ACCOUNT, OURS).unwrap();
        for (field, value) in [
            ("email_id", json!("erp@example.com")),
            ("password", json!(TOKEN)),
            ("domain", Value::Null),
            ("smtp_server", json!("mail.example.com")),
            ("smtp_port", json!("465")),
            ("use_ssl_for_outgoing", json!(1)),
            ("use_tls", json!(0)),
            ("default_outgoing", json!(1)),
            ("enable_incoming", json!(0)),
            ("always_use_account_email_id_as_sender", json!(1)),
        ] {
            assert_eq!(account[field], value, "{field}");
        }
        let domain = emulator.stored(DOMAIN, "example.com").unwrap();
        assert_eq!(
            (&domain["email_server"], &domain["incoming_port"]),
            (&json!("mail.example.com"), &json!("993"))
        );
        // There is one default, and nothing else of the other has changed.
        let mut other = theirs();
        other["default_outgoing"] = json!(0);
        let now = emulator.stored(ACCOUNT, "Theirs").unwrap();
        for (field, value) in other.as_object().unwrap() {
            assert_eq!(now[field], *value, "{field}");
        }
        emulator.calls();

        let before = emulator.all();
        let (steps, done) = connect(&emulator, &profile(), DomainWish::Wanted, true, &mut record);
        assert!(steps.is_empty() && !done.domain_made, "{steps:?}");
        let calls = emulator.calls();
        assert!(
            calls.iter().all(|call| call.starts_with("GET ")),
            "{calls:?}"
        );
        assert_eq!(emulator.all(), before);

        // Another way of TLS: both documents, and what others have set in ours stays.
        emulator.put(ACCOUNT, OURS, &{
            let mut edited = account.clone();
            edited["footer"] = json!("Yours");
            edited
        });
        let mut starttls = profile();
        starttls.tls = Tls::Starttls;
        starttls.port = 587;
        let (steps, _) = connect(&emulator, &starttls, DomainWish::Wanted, true, &mut record);
        assert_eq!(steps, [(DOMAIN.to_owned(), 3), (ACCOUNT.to_owned(), 3)]);
        let account = emulator.stored(ACCOUNT, OURS).unwrap();
        assert_eq!(
            (&account["use_tls"], &account["footer"]),
            (&json!(1), &json!("Yours"))
        );
    }
}

#[test]
fn a_password_that_is_not_ours_is_set_again() {
    let emulator = emulator();
    let mut record = None;
    connect(&emulator, &profile(), DomainWish::None, false, &mut record);
    assert!(emulator.stored(DOMAIN, "example.com").is_none());
    // As many stars, and our record says another secret; then the record is lost; then the length is another.
    let mut of_another = profile();
    of_another.secret = Secret::new("f".repeat(32));
    let other = site(&emulator)
        .plan(&of_another, DomainWish::None, false, None)
        .unwrap();
    for mut record in [Some(other.record), None] {
        let (steps, _) = connect(&emulator, &profile(), DomainWish::None, false, &mut record);
        assert_eq!(steps, [(ACCOUNT.to_owned(), 1)]);
        let (steps, _) = connect(&emulator, &profile(), DomainWish::None, false, &mut record);
        assert!(steps.is_empty(), "{steps:?}");
    }
    let mut short = emulator.stored(ACCOUNT, OURS).unwrap();
    short["password"] = json!("short");
    emulator.put(ACCOUNT, OURS, &short);
    let (steps, _) = connect(&emulator, &profile(), DomainWish::None, false, &mut record);
    assert_eq!(steps, [(ACCOUNT.to_owned(), 1)]);
    assert_eq!(emulator.stored(ACCOUNT, OURS).unwrap()["password"], TOKEN);
}

#[test]
fn an_account_that_is_there_is_taken_over() {
    for (name, email) in [
        ("Office", "erp@example.com"),
        ("ERPNext Notifications", "old@example.com"),
    ] {
        let emulator = emulator();
        emulator.put(ACCOUNT, name, &json!({ "email_account_name": name, "email_id": email, "service": "GMail", "signature": "Bye" }));
        let mut record = None;
        connect(
            &emulator,
            &profile(),
            DomainWish::Wanted,
            false,
            &mut record,
        );
        let now = emulator.stored(ACCOUNT, name).unwrap();
        assert_eq!(
            (&now["email_id"], &now["service"], &now["signature"]),
            (&json!("erp@example.com"), &json!(""), &json!("Bye"))
        );
        assert_eq!(emulator.all()["accounts"].as_object().unwrap().len(), 1);
        let (steps, _) = connect(&emulator, &profile(), DomainWish::Wanted, true, &mut record);
        assert!(steps.is_empty(), "{steps:?}");
    }
    // One that reads elsewhere goes on reading there: no domain with our servers is put over it.
    let emulator = emulator();
    let reading = json!({
        "email_account_name": OURS, "email_id": "erp@example.com", "password": OTHERS, "enable_incoming": 1, "use_imap": 1,
        "email_server": "imap.theirs.test", "incoming_port": "993", "use_ssl": 1, "imap_folder": [{ "folder_name": "INBOX" }]
    });
    emulator.put(ACCOUNT, OURS, &reading);
    let mut record = None;
    connect(
        &emulator,
        &profile(),
        DomainWish::Wanted,
        false,
        &mut record,
    );
    let now = emulator.stored(ACCOUNT, OURS).unwrap();
    assert_eq!(
        (
            &now["email_server"],
            &now["domain"],
            &now["enable_incoming"]
        ),
        (&json!("imap.theirs.test"), &Value::Null, &json!(1))
    );
    // With reading asked for, it reads here.
    let mut profile = profile();
    profile.incoming = Some(Incoming::default());
    connect(&emulator, &profile, DomainWish::Wanted, true, &mut record);
    let now = emulator.stored(ACCOUNT, OURS).unwrap();
    assert_eq!(
        (&now["email_server"], &now["domain"]),
        (&json!("mail.example.com"), &Value::Null)
    );
    assert_eq!(
        now["imap_folder"],
        json!([{ "folder_name": "INBOX", "append_to": "Communication" }])
    );
    let (steps, _) = connect(&emulator, &profile, DomainWish::Wanted, true, &mut record);
    assert!(steps.is_empty(), "{steps:?}");
}

#[test]
fn an_email_domain_of_somebody_elses_is_left() {
    let emulator = emulator();
    let domain = json!({ "domain_name": "example.com", "email_server": "imap.theirs.test", "smtp_server": "smtp.theirs.test", "smtp_port": "587", "use_tls": 1 });
    emulator.put(DOMAIN, "example.com", &domain);
    let mut linked = theirs();
    linked["domain"] = json!("example.com");
    emulator.put(ACCOUNT, "Theirs", &linked);
    // Ours refers to it, too: its servers would go before ours.
    emulator.put(ACCOUNT, OURS, &json!({ "email_account_name": OURS, "email_id": "erp@example.com", "domain": "example.com" }));
    let before = emulator.stored(DOMAIN, "example.com").unwrap();
    let mut record = None;
    let (_, done) = connect(
        &emulator,
        &profile(),
        DomainWish::Wanted,
        false,
        &mut record,
    );
    let ids: Vec<_> = done.findings.iter().map(|one| one.id.as_str()).collect();
    assert_eq!(ids, ["erpnext.domain_left"]);
    assert_eq!(emulator.stored(DOMAIN, "example.com").unwrap(), before);
    assert_eq!(
        emulator.stored(ACCOUNT, "Theirs").unwrap()["smtp_server"],
        "smtp.theirs.test"
    );
    let now = emulator.stored(ACCOUNT, OURS).unwrap();
    assert_eq!(
        (&now["smtp_server"], &now["domain"]),
        (&json!("mail.example.com"), &json!(""))
    );
    let (steps, _) = connect(
        &emulator,
        &profile(),
        DomainWish::Wanted,
        false,
        &mut record,
    );
    assert!(steps.is_empty(), "{steps:?}");
}

/// Frappe cannot read from where it is: the account sends all the same.
#[test]
fn an_email_domain_that_is_refused_is_left_out() {
    let closed = |document: &Document, password: Option<&str>| {
        if document["doctype"] == DOMAIN {
            return Err("Incoming email account not correct: <b>refused</b>".to_owned());
        }
        servers(document, password)
    };
    let emulator = Emulator::start(&[], Box::new(closed));
    let mut record = None;
    let (_, done) = connect(
        &emulator,
        &profile(),
        DomainWish::Wanted,
        false,
        &mut record,
    );
    assert!(!done.domain_made);
    assert_eq!(done.findings[0].id, "erpnext.domain_refused");
    assert!(
        done.findings[0].message.ends_with("not correct: refused"),
        "{}",
        done.findings[0].message
    );
    assert_eq!(
        emulator.stored(ACCOUNT, OURS).unwrap()["smtp_server"],
        "mail.example.com"
    );
    assert!(emulator.stored(DOMAIN, "example.com").is_none());
}

#[test]
fn what_frappe_refuses_changes_nothing() {
    let emulator = emulator();
    emulator.put(ACCOUNT, "Theirs", &theirs());
    let before = emulator.all();
    let mut wrong = profile();
    wrong.secret = Secret::new("e".repeat(32));
    let error = site(&emulator)
        .apply(&wrong, DomainWish::None, false, None)
        .unwrap_err();
    assert_eq!(error.code(), "erpnext.refused");
    assert!(error.to_string().contains("Invalid credentials"), "{error}");
    let said = format!("{error} {error:?} {}", error.to_json());
    let (_, secret) = MANAGER.split_once(':').unwrap();
    for secret in [&*"e".repeat(32), OTHERS, secret] {
        assert!(!said.contains(secret), "{said}");
    }
    assert_eq!(emulator.all(), before);
    // The default of before is saved as well: where its server is gone, Frappe refuses ours.
    let mut gone = theirs();
    gone["smtp_server"] = json!("smtp.gone.test");
    emulator.put(ACCOUNT, "Theirs", &gone);
    let error = site(&emulator)
        .apply(&profile(), DomainWish::None, false, None)
        .unwrap_err();
    assert_eq!(error.code(), "erpnext.refused");
    assert!(error.to_string().contains("Port: refused"), "{error}");
    assert!(
        error.hints().iter().any(|hint| hint.contains("default")),
        "{:?}",
        error.hints()
    );
    assert!(emulator.stored(ACCOUNT, OURS).is_none());
}

#[test]
fn whoever_may_not_is_told_why() {
    let emulator = emulator();
    let code = |token: &str| {
        let made = ErpNext::new(&emulator.url(), None, &Secret::new(token), None);
        let error = match made {
            Ok(site) => site
                .plan(&profile(), DomainWish::Wanted, false, None)
                .unwrap_err(),
            Err(error) => error,
        };
        assert!(!format!("{error} {error:?} {}", error.to_json()).contains(token));
        assert!(!error.hints().is_empty(), "{error}");
        error.code()
    };
    assert_eq!(code("1a2b3c4d5e6f708:wrong"), "erpnext.credentials");
    assert_eq!(code("no-colon"), "erpnext.credentials");
    assert_eq!(code("a:b\nc"), "erpnext.credentials");
    assert_eq!(code(READER), "erpnext.not_manager");
    let (key, secret) = MANAGER.split_once(':').unwrap();
    let by_parts = ErpNext::new(&emulator.url(), Some(key), &Secret::new(secret), None).unwrap();
    by_parts
        .plan(&profile(), DomainWish::Wanted, false, None)
        .unwrap();
    for (url, code) in [
        ("http://192.0.2.1", "erpnext.plain_http"),
        ("http://127.0.0.1:9", "erpnext.unreachable"),
    ] {
        let far = ErpNext::new(url, None, &Secret::new(MANAGER), None).unwrap();
        let error = far
            .plan(&profile(), DomainWish::Wanted, false, None)
            .unwrap_err();
        assert_eq!(error.code(), code);
    }
}

#[test]
fn taking_it_out_leaves_what_others_use() {
    let remove = |emulator: &Emulator, dry: bool| {
        site(emulator)
            .remove(OURS, Some("example.com"), Some("Theirs"), &profile(), dry)
            .unwrap()
    };
    let connected = || {
        let emulator = emulator();
        emulator.put(ACCOUNT, "Theirs", &theirs());
        connect(&emulator, &profile(), DomainWish::Wanted, false, &mut None);
        emulator
    };
    let emulator = connected();
    let before = emulator.all();
    let dry = remove(&emulator, true);
    assert_eq!(emulator.all(), before);
    let removed = remove(&emulator, false);
    assert_eq!(dry, removed);
    assert_eq!(
        removed.changes,
        ["default_outgoing", "enable_outgoing", DOMAIN]
    );
    assert!(emulator.stored(DOMAIN, "example.com").is_none());
    let account = emulator.stored(ACCOUNT, OURS).unwrap();
    assert_eq!(
        (
            &account["enable_outgoing"],
            &account["default_outgoing"],
            &account["domain"]
        ),
        (&json!(0), &json!(0), &Value::Null)
    );
    let again = remove(&emulator, false);
    assert!(
        again.changes.is_empty() && again.kept.is_none(),
        "{again:?}"
    );

    // Somebody has linked our account to it, which is as good; that goes, too.
    let emulator = connected();
    let mut linked = emulator.stored(ACCOUNT, OURS).unwrap();
    linked["domain"] = json!("example.com");
    emulator.put(ACCOUNT, OURS, &linked);
    let plan = site(&emulator)
        .plan(&profile(), DomainWish::Wanted, true, None)
        .unwrap();
    let sent: Vec<_> = plan
        .account
        .iter()
        .flat_map(|step| step.fields.keys())
        .collect();
    assert_eq!(
        sent,
        ["password"],
        "but for the password, of which nothing is known"
    );
    remove(&emulator, false);
    assert!(emulator.stored(DOMAIN, "example.com").is_none());
    assert_eq!(emulator.stored(ACCOUNT, OURS).unwrap()["domain"], "");

    // Somebody's account refers to it by now; or somebody has changed it.
    let emulator = connected();
    let mut linked = theirs();
    linked["domain"] = json!("example.com");
    emulator.put(ACCOUNT, "Theirs", &linked);
    let kept = remove(&emulator, false).kept.unwrap();
    assert!(kept.contains("Theirs"), "{kept}");
    assert!(emulator.stored(DOMAIN, "example.com").is_some());
    let emulator = connected();
    let mut edited = emulator.stored(DOMAIN, "example.com").unwrap();
    edited["smtp_server"] = json!("smtp.theirs.test");
    emulator.put(DOMAIN, "example.com", &edited);
    let kept = remove(&emulator, false).kept.unwrap();
    assert!(kept.contains("smtp_server"), "{kept}");
    assert!(emulator.stored(DOMAIN, "example.com").is_some());
}
