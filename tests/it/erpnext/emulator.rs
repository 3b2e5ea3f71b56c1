//! Frappe's REST API for the documents Email Account and Email Domain, by the rules of its source (integrations.md §5; `api/v1.py`, both
//! document types with their controllers, `base_document.py`): who may, which fields there are, what is taken, what reads as stars, when it
//! logs in to servers, and what one document does to others. What is refused changes nothing: a request is one transaction.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Map, Value, json};

use super::http_api::{self, Request};

/// Key and secret of a System Manager, and of somebody who may read accounts and nothing else.
pub(crate) const MANAGER: &str = "1a2b3c4d5e6f708:9f8e7d6c5b4a302";
pub(crate) const READER: &str = "0000aaaa1111bbb:2222cccc3333ddd";

/// Whether servers take an account, with its password, or answer a domain: the document, and its password.
pub(crate) type Servers = Box<dyn Fn(&Document, Option<&str>) -> Result<(), String> + Send>;

pub(crate) type Document = Map<String, Value>;

const ACCOUNT: &str = "Email Account";
const DOMAIN: &str = "Email Domain";

/// Fields of texts, of checks (with their defaults), and those that choose.
const TEXTS: [&str; 16] = [
    "email_account_name",
    "email_id",
    "login_id",
    "domain",
    "service",
    "auth_method",
    "smtp_server",
    "smtp_port",
    "email_server",
    "incoming_port",
    "append_to",
    "email_sync_option",
    "initial_sync_count",
    "sent_folder_name",
    "signature",
    "footer",
];
const CHECKS: [(&str, u8); 22] = [
    ("login_id_is_different", 0),
    ("awaiting_password", 0),
    ("ascii_encode_password", 0),
    ("enable_outgoing", 0),
    ("default_outgoing", 0),
    ("use_ssl_for_outgoing", 0),
    ("use_tls", 0),
    ("no_smtp_authentication", 0),
    ("always_use_account_email_id_as_sender", 0),
    ("always_use_account_name_as_sender_name", 0),
    ("enable_incoming", 0),
    ("default_incoming", 0),
    ("use_imap", 0),
    ("use_ssl", 0),
    ("use_starttls", 0),
    ("validate_ssl_certificate", 1),
    ("validate_ssl_certificate_for_outgoing", 1),
    ("track_email_status", 1),
    ("add_signature", 0),
    ("send_unsubscribe_message", 1),
    ("append_emails_to_sent_folder", 0),
    ("create_contact", 1),
];
const SELECTS: [(&str, &[&str], &str); 4] = [
    ("auth_method", &["Basic", "OAuth"], "Basic"),
    ("email_sync_option", &["ALL", "UNSEEN"], "UNSEEN"),
    ("initial_sync_count", &["100", "250", "500"], "250"),
    (
        "service",
        &[
            "",
            "GMail",
            "Sendgrid",
            "SparkPost",
            "Yahoo Mail",
            "Outlook.com",
            "Yandex.Mail",
        ],
        "",
    ),
];
const OF_DOMAIN: [&str; 13] = [
    "domain_name",
    "email_server",
    "smtp_server",
    "smtp_port",
    "incoming_port",
    "use_imap",
    "use_ssl",
    "use_starttls",
    "use_tls",
    "use_ssl_for_outgoing",
    "validate_ssl_certificate",
    "validate_ssl_certificate_for_outgoing",
    "append_emails_to_sent_folder",
];
/// What an account takes over from its domain whenever it is saved.
const FETCHED: [&str; 6] = [
    "use_imap",
    "email_server",
    "use_ssl",
    "smtp_server",
    "use_tls",
    "smtp_port",
];
/// What a domain hands to its accounts when it is saved.
const PUSHED: [&str; 10] = [
    "email_server",
    "use_imap",
    "use_ssl",
    "use_starttls",
    "use_tls",
    "smtp_server",
    "smtp_port",
    "use_ssl_for_outgoing",
    "append_emails_to_sent_folder",
    "incoming_port",
];

/// A refusal: status, kind, and what people are told.
type Refused = (u16, &'static str, String);

#[derive(Clone, Default)]
struct Tables {
    accounts: BTreeMap<String, Document>,
    domains: BTreeMap<String, Document>,
    /// What the accounts' passwords are; in the documents there are stars.
    passwords: BTreeMap<String, String>,
}

struct World {
    tables: Tables,
    servers: Servers,
    lacks: &'static [&'static str],
    calls: Vec<String>,
}

/// Runs as long as the tests do.
pub(crate) struct Emulator {
    world: Arc<Mutex<World>>,
    address: SocketAddr,
}

fn lock(world: &Mutex<World>) -> MutexGuard<'_, World> {
    world
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Emulator {
    /// `lacks` are fields that this release does not have.
    pub(crate) fn start(lacks: &'static [&'static str], servers: Servers) -> Self {
        let world = Arc::new(Mutex::new(World {
            tables: Tables::default(),
            servers,
            lacks,
            calls: Vec::new(),
        }));
        let one = world.clone();
        let address = http_api::serve(move |request| answer(&mut lock(&one), request));
        Self { world, address }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Puts a document there as it is, without any of the rules.
    pub(crate) fn put(&self, doctype: &str, name: &str, fields: &Value) {
        let mut world = lock(&self.world);
        let lacks = world.lacks;
        let mut document = empty(doctype, lacks);
        document.extend(fields.as_object().unwrap().clone());
        document.insert("name".to_owned(), name.into());
        if let Some(password) = fields["password"].as_str() {
            document.insert("password".to_owned(), "*".repeat(password.len()).into());
            world
                .tables
                .passwords
                .insert(name.to_owned(), password.to_owned());
        }
        world.tables.of(doctype).insert(name.to_owned(), document);
    }

    /// A document as it is stored, with its password.
    pub(crate) fn stored(&self, doctype: &str, name: &str) -> Option<Value> {
        let mut world = lock(&self.world);
        let password = world.tables.passwords.get(name).cloned();
        let mut document = world.tables.of(doctype).get(name)?.clone();
        if let Some(password) = password.filter(|_| doctype == ACCOUNT) {
            document.insert("password".to_owned(), password.into());
        }
        Some(document.into())
    }

    /// Everything that is stored.
    pub(crate) fn all(&self) -> Value {
        let world = lock(&self.world);
        let tables = &world.tables;
        json!({ "accounts": tables.accounts, "domains": tables.domains, "passwords": tables.passwords })
    }

    /// What was asked for since the last time: `PUT /api/resource/Email Account/Mailu Outgoing`.
    pub(crate) fn calls(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.world).calls)
    }
}

impl Tables {
    fn of(&mut self, doctype: &str) -> &mut BTreeMap<String, Document> {
        match doctype {
            ACCOUNT => &mut self.accounts,
            _ => &mut self.domains,
        }
    }
}

/// A document of this type without values.
fn empty(doctype: &str, lacks: &[&str]) -> Document {
    let mut document = Document::new();
    let mut put = |field: &str, value: Value| {
        if !lacks.contains(&field) {
            document.insert(field.to_owned(), value);
        }
    };
    put("name", Value::Null);
    put("doctype", doctype.into());
    put("docstatus", json!(0));
    put("owner", "Administrator".into());
    let mine = |field: &str| doctype == ACCOUNT || OF_DOMAIN.contains(&field);
    for field in TEXTS.iter().filter(|field| mine(field)) {
        put(field, Value::Null);
    }
    for (field, value) in CHECKS.iter().filter(|(field, _)| mine(field)) {
        put(field, json!(value));
    }
    if doctype == ACCOUNT {
        for (field, _, value) in SELECTS {
            put(field, value.into());
        }
        put("password", Value::Null);
        put("imap_folder", json!([]));
    } else {
        put("domain_name", Value::Null);
    }
    document
}

fn throw<T>(kind: &'static str, why: impl Into<String>) -> Result<T, Refused> {
    let status = match kind {
        "PermissionError" => 403,
        "DoesNotExistError" => 404,
        "DuplicateEntryError" | "UniqueValidationError" => 409,
        _ => 417,
    };
    Err((status, kind, why.into()))
}

fn answer(world: &mut World, request: &Request) -> (u16, Value) {
    world
        .calls
        .push(format!("{} {}", request.method, request.path));
    let refused = |(status, kind, why): Refused| {
        let message =
            json!({ "message": why, "title": "Message", "raise_exception": 1 }).to_string();
        (
            status,
            json!({
                "exception": format!("frappe.exceptions.{kind}: {why}"), "exc_type": kind,
                "_server_messages": json!([message]).to_string()
            }),
        )
    };
    let manager = match request.header("authorization") {
        Some(text) if text == format!("token {MANAGER}") => Some(true),
        Some(text) if text == format!("token {READER}") => Some(false),
        Some(text) if text.starts_with("token ") && text.matches(':').count() == 1 => {
            return (401, json!({ "exc_type": "AuthenticationError" }));
        }
        // Whoever has no such header is a guest.
        _ => None,
    };
    // What is refused is rolled back.
    let mut tables = world.tables.clone();
    match done(world, &mut tables, request, manager) {
        Ok((status, value)) => {
            world.tables = tables;
            (status, value)
        }
        Err(why) => refused(why),
    }
}

fn done(
    world: &World,
    tables: &mut Tables,
    request: &Request,
    manager: Option<bool>,
) -> Result<(u16, Value), Refused> {
    let parts: Vec<&str> = request
        .path
        .trim_start_matches('/')
        .splitn(4, '/')
        .collect();
    let ["api", "resource", doctype, rest @ ..] = &parts[..] else {
        return Ok((404, Value::Null));
    };
    if ![ACCOUNT, DOMAIN].contains(doctype) {
        return throw("DoesNotExistError", format!("DocType {doctype} not found"));
    }
    let reads = manager == Some(true) || (manager == Some(false) && *doctype == ACCOUNT);
    if !reads || (manager != Some(true) && request.method != "GET") {
        return throw(
            "PermissionError",
            format!(
                "User does not have doctype access via role permission for document <strong>{doctype}</strong>"
            ),
        );
    }
    let body = request.json().unwrap_or_default();
    let data = |document: &Document| (200, json!({ "data": document }));
    match (request.method.as_str(), rest) {
        ("GET", []) => listed(tables.of(doctype), &request.query, world.lacks),
        ("POST", []) => {
            let mut document = empty(doctype, world.lacks);
            update(&mut document, &body);
            let name = save(world, tables, doctype, document, true)?;
            Ok(data(&tables.of(doctype)[&name]))
        }
        (method, [name]) => {
            let Some(there) = tables.of(doctype).get(*name).cloned() else {
                return throw("DoesNotExistError", format!("{doctype} {name} not found"));
            };
            match method {
                "GET" => Ok(data(&there)),
                "PUT" => {
                    let mut document = there;
                    update(&mut document, &body);
                    save(world, tables, doctype, document, false)?;
                    Ok(data(&tables.of(doctype)[*name]))
                }
                "DELETE" => {
                    let linked = tables.accounts.values().find(|one| one["domain"] == **name);
                    if let Some(linked) = linked.filter(|_| *doctype == DOMAIN) {
                        let why = format!(
                            "Cannot delete or cancel because {doctype} <a href=\"x\">{name}</a> is linked with {ACCOUNT} {}",
                            linked["name"]
                        );
                        return throw("LinkExistsError", why);
                    }
                    tables.of(doctype).remove(*name);
                    Ok((202, json!({ "data": "ok" })))
                }
                _ => Ok((404, Value::Null)),
            }
        }
        _ => Ok((404, Value::Null)),
    }
}

fn listed(
    table: &BTreeMap<String, Document>,
    query: &[(String, String)],
    lacks: &[&str],
) -> Result<(u16, Value), Refused> {
    let given = |name: &str| {
        let found = query.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    };
    let fields: Vec<String> = given("fields").map_or(vec!["name".to_owned()], |text| {
        serde_json::from_str(text).unwrap()
    });
    if let Some(unknown) = fields.iter().find(|field| lacks.contains(&field.as_str())) {
        return throw(
            "DataError",
            format!("Field not permitted in query: {unknown}"),
        );
    }
    // 0 is no limit; without a word there are 20.
    let limit = given("limit_page_length").map_or(20, |text| text.parse::<usize>().unwrap());
    let limit = if limit == 0 { usize::MAX } else { limit };
    let rows = table.values().take(limit).map(|one| {
        let row = fields
            .iter()
            .map(|field| (field.clone(), one[field].clone()));
        Value::Object(row.collect())
    });
    Ok((200, json!({ "data": rows.collect::<Vec<_>>() })))
}

/// What is not among its fields is not stored.
fn update(document: &mut Document, body: &Value) {
    for (field, value) in body.as_object().into_iter().flatten() {
        if let Some(there) = document.get_mut(field)
            && !["name", "doctype", "owner"].contains(&field.as_str())
        {
            *there = value.clone();
        }
    }
}

fn on(document: &Document, field: &str) -> bool {
    document.get(field).is_some_and(|value| *value == json!(1))
}

fn text<'a>(document: &'a Document, field: &str) -> &'a str {
    document
        .get(field)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn save(
    world: &World,
    tables: &mut Tables,
    doctype: &str,
    mut document: Document,
    is_new: bool,
) -> Result<String, Refused> {
    let (key, mandatory): (&str, &[&str]) = match doctype {
        ACCOUNT => ("email_account_name", &["email_id"]),
        _ => (
            "domain_name",
            &["domain_name", "email_server", "smtp_server"],
        ),
    };
    for (field, _) in CHECKS {
        if let Some(value) = document.get_mut(field) {
            // Anything is made a number.
            *value = match value {
                Value::Bool(on) => json!(u8::from(*on)),
                Value::String(text) => json!(u8::from(text == "1")),
                Value::Number(_) => value.clone(),
                _ => json!(0),
            };
        }
    }
    if is_new {
        let own = text(&document, key).to_owned();
        let name = if own.is_empty() {
            text(&document, "email_id").to_owned()
        } else {
            own
        };
        if tables.of(doctype).contains_key(&name) {
            return throw(
                "DuplicateEntryError",
                format!("{doctype} {name} already exists"),
            );
        }
        document.insert("name".to_owned(), name.into());
    }
    let name = text(&document, "name").to_owned();
    for field in mandatory {
        if text(&document, field).is_empty() {
            return throw("MandatoryError", format!("[{doctype}, {name}]: {field}"));
        }
    }
    for (field, options, _) in SELECTS {
        let value = text(&document, field);
        if !value.is_empty() && !options.contains(&value) {
            return throw(
                "ValidationError",
                format!("{field} cannot be \"{value}\". It should be one of {options:?}"),
            );
        }
    }
    if doctype == DOMAIN {
        let connected = (world.servers)(&document, None);
        connected.or_else(|why| throw("ValidationError", why))?;
        tables.domains.insert(name.clone(), document.clone());
        let linked: Vec<Document> = tables
            .accounts
            .values()
            .filter(|one| text(one, "domain") == name)
            .cloned()
            .collect();
        for mut account in linked {
            for field in PUSHED {
                if account.contains_key(field) {
                    let value = document
                        .get(field)
                        .cloned()
                        .filter(|value| !value.is_null());
                    account.insert(field.to_owned(), value.unwrap_or(json!(0)));
                }
            }
            save(world, tables, ACCOUNT, account, false)?;
        }
        return Ok(name);
    }
    validate(world, tables, &mut document)?;
    let name = text(&document, "name").to_owned();
    // One default of each kind; the others are saved for that, with all that saving does.
    for field in ["default_incoming", "default_outgoing"] {
        if on(&document, field) {
            let others: Vec<Document> = tables
                .accounts
                .values()
                .filter(|one| on(one, field) && text(one, "name") != name)
                .cloned()
                .collect();
            for mut other in others {
                other.insert(field.to_owned(), json!(0));
                save(world, tables, ACCOUNT, other, false)?;
            }
        }
    }
    tables.accounts.insert(name.clone(), document);
    Ok(name)
}

fn validate(world: &World, tables: &mut Tables, document: &mut Document) -> Result<(), Refused> {
    let name = text(document, "name").to_owned();
    let email = text(document, "email_id").to_owned();
    if email.matches('@').count() != 1 || email.contains('<') {
        return throw(
            "InvalidEmailAddressError",
            format!("{email} is not a valid Email Address"),
        );
    }
    // The links come first, and what is fetched by them.
    let domain = text(document, "domain").to_owned();
    if !domain.is_empty() {
        let Some(domain) = tables.domains.get(&domain) else {
            return throw(
                "LinkValidationError",
                format!("Could not find Domain: {domain}"),
            );
        };
        for field in FETCHED {
            document.insert(field.to_owned(), domain[field].clone());
        }
    }
    let unique = tables
        .accounts
        .values()
        .all(|one| text(one, "name") == name || text(one, "email_id") != email);
    if !unique {
        return throw("UniqueValidationError", "Email Address must be unique");
    }
    if on(document, "login_id_is_different") {
        if text(document, "login_id").is_empty() {
            return throw("ValidationError", "Login Id is required");
        }
    } else {
        document.insert("login_id".to_owned(), Value::Null);
    }
    let folders = document["imap_folder"].as_array().map_or(0, Vec::len);
    if on(document, "enable_incoming") && on(document, "use_imap") && folders == 0 {
        return throw(
            "ValidationError",
            format!("You need to set one IMAP folder for <strong>{email}</strong>"),
        );
    }
    if document.contains_key("use_starttls") {
        let starttls =
            on(document, "use_imap") && on(document, "use_starttls") && !on(document, "use_ssl");
        document.insert("use_starttls".to_owned(), json!(u8::from(starttls)));
    }
    let given = text(document, "password").to_owned();
    let is_dummy = !given.is_empty() && given.chars().all(|c| c == '*');
    let password = if is_dummy {
        tables.passwords.get(&name).cloned()
    } else {
        Some(given.clone())
    };
    let sends = on(document, "enable_outgoing");
    let reads = on(document, "enable_incoming");
    if !on(document, "awaiting_password") && (sends || reads) {
        if given.is_empty() && !(sends && !reads && on(document, "no_smtp_authentication")) {
            return throw(
                "ValidationError",
                "Password is required or select Awaiting Password",
            );
        }
        if sends && text(document, "smtp_server").is_empty() {
            return throw("ValidationError", "SMTP Server is required");
        }
        if reads && text(document, "email_server").is_empty() {
            return throw("ValidationError", "Email Server is required");
        }
        let connected = (world.servers)(document, password.as_deref());
        connected.or_else(|why| throw("ValidationError", why))?;
    }
    for (field, needs) in [("default_incoming", reads), ("default_outgoing", sends)] {
        if !needs {
            document.insert(field.to_owned(), json!(0));
        }
    }
    match password.filter(|one| !one.is_empty()) {
        None => {
            tables.passwords.remove(&name);
            document.insert("password".to_owned(), Value::Null);
        }
        Some(password) => {
            document.insert(
                "password".to_owned(),
                "*".repeat(password.chars().count()).into(),
            );
            tables.passwords.insert(name, password);
        }
    }
    Ok(())
}
