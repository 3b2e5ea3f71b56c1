//! A Chatwoot and a site of Frappe's are connected over their APIs. They are those of `make test`, by the rules of real ones; the servers that they
//! log in to, when something is saved, are real.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use mailu_core::host::Mailu;
use serde_json::{Map, Value, json};

use crate::http_api;
use crate::server::{BARE, LIGHT, Server};
use crate::support::Root;
use crate::watch::Watch;
use crate::world::{self, fetch, outside, send, wait_for};

#[path = "../it/chatwoot/emulator.rs"]
#[expect(
    dead_code,
    reason = "shared with the tests that need no engine, which use more of it"
)]
mod chat;
#[path = "../it/erpnext/emulator.rs"]
#[expect(
    dead_code,
    reason = "shared with the tests that need no engine, which use more of it"
)]
mod erp;

use chat::Release;

const SUPPORT: &str = "support@example.com";
const ERP: &str = "erpnext@example.com";

/// Logs in as an app does; the password comes by the input, so that no process shows it.
const LOG_IN: &str = "
import imaplib, json, smtplib, ssl, sys
want = json.load(sys.stdin)
context = ssl.create_default_context(cafile='/world/ca.pem')
try:
    if want['kind'] == 'imap':
        session = imaplib.IMAP4_SSL(want['host'], want['port'], ssl_context=context)
        if want['login']:
            session.login(want['login'], want['password'])
        session.logout()
    else:
        session = smtplib.SMTP_SSL(want['host'], want['port'], context=context, timeout=60)
        if want['login']:
            session.login(want['login'], want['password'])
        session.quit()
except (imaplib.IMAP4.error, smtplib.SMTPException, OSError) as error:
    print(type(error).__name__, error)
";

fn log_in(
    kind: &str,
    host: &Value,
    port: &Value,
    login: &str,
    password: &str,
) -> Result<(), String> {
    let port = match port {
        Value::String(text) => json!(text.parse::<u16>().unwrap_or(0)),
        other => other.clone(),
    };
    let want =
        json!({ "kind": kind, "host": host, "port": port, "login": login, "password": password });
    let said = outside(&["python3", "-c", LOG_IN], &want.to_string());
    match said.trim() {
        "" => Ok(()),
        why => Err(why.to_owned()),
    }
}

fn chatwoot_logs_in(kind: &str, channel: &Map<String, Value>) -> Result<(), String> {
    let get = |key: &str| {
        channel
            .get(&format!("{kind}_{key}"))
            .cloned()
            .unwrap_or_default()
    };
    let text = |key: &str| get(key).as_str().unwrap_or_default().to_owned();
    log_in(
        kind,
        &get("address"),
        &get("port"),
        &text("login"),
        &text("password"),
    )
}

fn frappe_logs_in(document: &Map<String, Value>, password: Option<&str>) -> Result<(), String> {
    let get = |key: &str| document.get(key).cloned().unwrap_or_default();
    let (login, password) = match password {
        // An Email Domain connects to both, and logs in to neither.
        None => (String::new(), ""),
        Some(password) => (
            get("email_id").as_str().unwrap_or_default().to_owned(),
            password,
        ),
    };
    let is_on = |key: &str| get(key) == json!(1);
    if login.is_empty() || is_on("enable_incoming") {
        log_in(
            "imap",
            &get("email_server"),
            &get("incoming_port"),
            &login,
            password,
        )?;
    }
    if login.is_empty() || is_on("enable_outgoing") {
        log_in(
            "smtp",
            &get("smtp_server"),
            &get("smtp_port"),
            &login,
            password,
        )?;
    }
    Ok(())
}

fn run(server: &Server, args: &[&str], code: i32) -> Value {
    let run = server.root.run(&[&["integrate", "--json"], args].concat());
    run.expect_code(code).json()
}

/// What happened to the parts of an app: `inbox support@example.com: create`.
fn parts(done: &Value) -> Vec<String> {
    let parts = done["parts"].as_array().unwrap().iter();
    parts
        .filter(|part| part["kind"] == "settings")
        .map(|part| {
            format!(
                "{}: {}",
                part["name"].as_str().unwrap(),
                part["action"].as_str().unwrap()
            )
        })
        .collect()
}

fn tokens(server: &Server, login: &str) -> usize {
    let mailu = Mailu::new(server.root.path()).unwrap();
    let login = login.parse().unwrap();
    mailu
        .tokens(&server.root.layout(), Some(&login))
        .unwrap()
        .len()
}

#[test]
fn apps_are_connected_over_their_apis() {
    let _alone = world::alone();
    let more = [&LIGHT[..], &BARE].concat();
    let server = Server::with_files(Root::new(), &more).install();
    an_inbox(&server);
    an_inbox_of_before(&server);
    a_site(&server);
}

fn an_inbox(server: &Server) {
    let chatwoot = chat::Emulator::start(Release::New, Box::new(chatwoot_logs_in));
    let token = server.root.beside("chatwoot-token", chat::ADMIN);
    let url = chatwoot.url();
    let args = [
        "chatwoot",
        "support",
        "--login",
        SUPPORT,
        "--api-url",
        &url,
        "--api-account",
        "1",
        "--api-token-file",
        token.to_str().unwrap(),
    ];
    let dry = run(server, &[&args[..], &["--dry-run"]].concat(), 0);
    assert_eq!(parts(&dry), ["inbox support@example.com: create"], "{dry}");
    assert!(chatwoot.stored(SUPPORT).is_none());

    let watch = Watch::begin();
    let done = run(server, &args, 0);
    let inbox = chatwoot.stored(SUPPORT).unwrap();
    let secret = inbox["imap_password"].as_str().unwrap().to_owned();
    watch.shows_none_of(&[&secret, chat::ADMIN]);
    assert_eq!(
        (&done["performed"], &done["proof"]),
        (&true.into(), &"server".into()),
        "{done}"
    );
    assert_eq!(
        (secret.len(), &inbox["smtp_password"]),
        (32, &json!(secret))
    );
    let record = server
        .root
        .path()
        .join("mailu/mail.example.com/.mailu/apps.json");
    for text in [fs::read_to_string(&record).unwrap(), done.to_string()] {
        assert!(!text.contains(&secret) && !text.contains(chat::ADMIN));
    }
    // What people write to it can be read by what Chatwoot has.
    let said = send(&["--to", SUPPORT], "Subject: a question\n\nHello\n");
    assert!(said.ok, "{said:?}");
    wait_for("the question", || {
        let found = fetch(
            SUPPORT,
            &secret,
            &["--server", "mail.example.com:993", "--verify"],
        );
        found
            .messages
            .iter()
            .any(|text| text.contains("Subject: a question"))
            .then_some(())
    });

    // Again, without a word: where it is and who works on it is known.
    chatwoot.calls();
    let again = run(server, &["chatwoot", "support"], 0);
    assert_eq!(
        (&again["changed"], parts(&again)),
        (
            &false.into(),
            vec!["inbox support@example.com: keep".to_owned()]
        ),
        "{again}"
    );
    assert!(chatwoot.calls().iter().all(|call| call.starts_with("GET ")));
    let rotated = run(server, &["chatwoot", "support", "--rotate"], 0);
    assert_eq!(rotated["performed"], true, "{rotated}");
    let inbox = chatwoot.stored(SUPPORT).unwrap();
    assert_eq!(inbox["imap_password"], inbox["smtp_password"]);
    assert_ne!(inbox["imap_password"], json!(secret));
    assert_eq!(tokens(server, SUPPORT), 1);

    // Its variables are another matter, with a mailbox of their own.
    let refused = run(
        server,
        &["chatwoot", "support", "--path", record.to_str().unwrap()],
        2,
    );
    assert_eq!(refused["error"]["code"], "app.another_way");
    let wrong = server.root.beside("wrong-token", "no-such-token");
    let refused = run(
        server,
        &[
            "chatwoot",
            "support",
            "--api-token-file",
            wrong.to_str().unwrap(),
        ],
        2,
    );
    assert_eq!(refused["error"]["code"], "chatwoot.credentials");

    let gone = run(server, &["chatwoot", "support", "--remove"], 0);
    assert_eq!(gone["performed"], true, "{gone}");
    let inbox = chatwoot.stored(SUPPORT).unwrap();
    for (key, value) in [
        ("imap_enabled", json!(false)),
        ("smtp_enabled", json!(false)),
        ("imap_password", json!("")),
        ("smtp_password", json!("")),
        ("name", json!("support")),
    ] {
        assert_eq!(inbox[key], value, "{key}");
    }
    assert_eq!(tokens(server, SUPPORT), 0);
    assert!(
        chatwoot
            .calls()
            .iter()
            .all(|call| !call.starts_with("DELETE"))
    );
}

/// One that somebody has set up gets back what it was, passwords too, which lie among the secrets meanwhile.
fn an_inbox_of_before(server: &Server) {
    const SALES: &str = "sales@example.com";
    const OLD_PASSWORD: &str = "Former-Geheim-1";
    let chatwoot = chat::Emulator::start(Release::Old, Box::new(chatwoot_logs_in));
    let former = json!({
        "imap_address": "imap.former.test", "imap_port": 993, "imap_login": "me@former.test", "imap_password": OLD_PASSWORD,
        "smtp_address": "smtp.former.test", "smtp_port": 587, "smtp_login": "me@former.test", "smtp_password": OLD_PASSWORD
    });
    chatwoot.put(1, SALES, &former);
    let before = chatwoot.stored(SALES).unwrap();
    let token = server.root.beside("chatwoot-token", chat::ADMIN);
    let url = chatwoot.url();
    let args = [
        "chatwoot",
        "sales",
        "--login",
        SALES,
        "--api-url",
        &url,
        "--api-account",
        "1",
        "--api-token-file",
        token.to_str().unwrap(),
    ];
    let done = run(server, &args, 0);
    assert_eq!(parts(&done), ["inbox sales@example.com: change"], "{done}");
    assert!(!done.to_string().contains(OLD_PASSWORD));
    let now = chatwoot.stored(SALES).unwrap();
    assert_eq!(
        (&now["imap_enabled"], &now["name"], &now["greeting"]),
        (&json!(true), &before["name"], &before["greeting"])
    );
    let kept = server.root.layout().secret("app_chatwoot_sales.before");
    let mode = fs::metadata(&kept).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    assert!(fs::read_to_string(&kept).unwrap().contains(OLD_PASSWORD));
    // Another token does not take the place of what was there at first.
    run(server, &["chatwoot", "sales", "--rotate"], 0);
    let gone = run(server, &["chatwoot", "sales", "--remove"], 0);
    assert_eq!(gone["performed"], true, "{gone}");
    assert_eq!(chatwoot.stored(SALES).unwrap(), before);
    assert!(!kept.exists());
}

fn a_site(server: &Server) {
    let frappe = erp::Emulator::start(&[], Box::new(frappe_logs_in));
    let pair = server.root.beside("erpnext-token", erp::MANAGER);
    let url = frappe.url();
    let args = [
        "erpnext",
        "--api-url",
        &url,
        "--api-token-file",
        pair.to_str().unwrap(),
    ];
    let dry = run(server, &[&args[..], &["--dry-run"]].concat(), 0);
    let both = |domain: &str, account: &str| {
        vec![
            format!("Email Domain example.com: {domain}"),
            format!("Email Account Mailu Outgoing: {account}"),
        ]
    };
    assert_eq!(parts(&dry), both("create", "create"), "{dry}");
    assert!(frappe.stored("Email Account", "Mailu Outgoing").is_none());

    let watch = Watch::begin();
    let done = run(server, &args, 0);
    let account = frappe.stored("Email Account", "Mailu Outgoing").unwrap();
    let secret = account["password"].as_str().unwrap().to_owned();
    let (_, api_secret) = erp::MANAGER.split_once(':').unwrap();
    watch.shows_none_of(&[&secret, api_secret]);
    assert_eq!(
        (&done["performed"], &done["proof"]),
        (&true.into(), &"server".into()),
        "{done}"
    );
    assert_eq!(account["email_id"], ERP);
    let domain = frappe.stored("Email Domain", "example.com").unwrap();
    assert_eq!(domain["email_server"], "mail.example.com");
    let record = server
        .root
        .path()
        .join("mailu/mail.example.com/.mailu/apps.json");
    for text in [fs::read_to_string(&record).unwrap(), done.to_string()] {
        assert!(!text.contains(&secret) && !text.contains(api_secret));
    }

    let before = frappe.all();
    let again = run(server, &["erpnext"], 0);
    assert_eq!(
        (&again["changed"], parts(&again)),
        (&false.into(), both("keep", "keep")),
        "{again}"
    );
    assert_eq!(frappe.all(), before);
    let rotated = run(server, &["erpnext", "--rotate"], 0);
    assert_eq!(parts(&rotated), both("keep", "change"), "{rotated}");
    assert_ne!(
        frappe.stored("Email Account", "Mailu Outgoing").unwrap()["password"],
        json!(secret)
    );
    let again = run(server, &["erpnext"], 0);
    assert_eq!(again["changed"], false, "{again}");
    assert_eq!(tokens(server, ERP), 1);

    let gone = run(server, &["erpnext", "--remove"], 0);
    assert_eq!(
        parts(&gone),
        [
            "Email Account Mailu Outgoing: remove",
            "Email Domain example.com: remove"
        ],
        "{gone}"
    );
    assert!(frappe.stored("Email Domain", "example.com").is_none());
    assert_eq!(
        frappe.stored("Email Account", "Mailu Outgoing").unwrap()["enable_outgoing"],
        0
    );
    assert_eq!(tokens(server, ERP), 0);
}
