//! Chatwoot's API for inboxes, by the rules of its source (integrations.md §6.3; the controllers for inboxes and profile, the model of the
//! channel, the view of an inbox): who sees what, what is taken, when it logs in to servers, and what it keeps of what it has refused.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Map, Value, json};

use super::http_api::{self, Request};

/// Access tokens: an administrator of account 1, an agent there, and an administrator of account 2.
pub(crate) const ADMIN: &str = "chatwoot-admin-token-0001";
pub(crate) const AGENT: &str = "chatwoot-agent-token-0002";
pub(crate) const OTHER: &str = "chatwoot-other-token-0003";

/// Whether a server takes a login: `imap` or `smtp`, and all that the request has of the channel.
pub(crate) type Login = Box<dyn Fn(&str, &Map<String, Value>) -> Result<(), String> + Send>;

/// The releases that behave differently.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Release {
    /// Ends with the refusal; names of inboxes are narrow.
    Old,
    /// Answers that it refuses, and then keeps it all the same.
    New,
}

/// What may be changed of a channel, with what it is at first.
fn columns() -> Value {
    json!({
        "imap_enabled": false, "imap_address": "", "imap_port": 0, "imap_login": "", "imap_password": "", "imap_enable_ssl": true,
        "smtp_enabled": false, "smtp_address": "", "smtp_port": 0, "smtp_login": "", "smtp_password": "", "smtp_domain": "",
        "smtp_enable_starttls_auto": true, "smtp_enable_ssl_tls": false, "smtp_openssl_verify_mode": "none", "smtp_authentication": "login",
        "provider": null
    })
}

struct Inbox {
    account: u64,
    id: u64,
    name: String,
    email: String,
    greeting: Option<String>,
    channel: Map<String, Value>,
}

struct World {
    release: Release,
    inboxes: Vec<Inbox>,
    login: Login,
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
    pub(crate) fn start(release: Release, login: Login) -> Self {
        let world = Arc::new(Mutex::new(World {
            release,
            inboxes: Vec::new(),
            login,
            calls: Vec::new(),
        }));
        let one = world.clone();
        let address = http_api::serve(move |request| answer(&mut lock(&one), request));
        Self { world, address }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Puts an inbox there, as somebody has set it up in the browser.
    pub(crate) fn put(&self, account: u64, email: &str, channel: &Value) -> u64 {
        let mut world = lock(&self.world);
        let id = world.inboxes.len() as u64 + 1;
        let mut all = columns().as_object().unwrap().clone();
        all.extend(channel.as_object().unwrap().clone());
        world.inboxes.push(Inbox {
            account,
            id,
            name: "Somebody's".to_owned(),
            email: email.to_owned(),
            greeting: Some("Hello".to_owned()),
            channel: all,
        });
        id
    }

    /// Changes an inbox behind everybody's back.
    pub(crate) fn change(&self, id: u64, key: &str, value: Value) {
        let mut world = lock(&self.world);
        let inbox = world.inboxes.iter_mut().find(|one| one.id == id).unwrap();
        inbox.channel.insert(key.to_owned(), value);
    }

    /// An inbox as it is stored, with its name and greeting.
    pub(crate) fn stored(&self, email: &str) -> Option<Value> {
        let world = lock(&self.world);
        let inbox = world.inboxes.iter().find(|one| one.email == email)?;
        let mut all = inbox.channel.clone();
        all.insert("id".to_owned(), inbox.id.into());
        all.insert("name".to_owned(), inbox.name.clone().into());
        all.insert("greeting".to_owned(), inbox.greeting.clone().into());
        Some(all.into())
    }

    /// What was asked for since the last time: `PATCH /api/v1/accounts/1/inboxes/1`.
    pub(crate) fn calls(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.world).calls)
    }
}

fn unauthorized(why: &str) -> (u16, Value) {
    (401, json!({ "error": why }))
}

fn invalid(message: &str, attribute: &str) -> (u16, Value) {
    (
        422,
        json!({ "message": message, "attributes": [attribute] }),
    )
}

fn gone() -> (u16, Value) {
    (404, json!({ "error": "Resource could not be found" }))
}

fn answer(world: &mut World, request: &Request) -> (u16, Value) {
    world
        .calls
        .push(format!("{} {}", request.method, request.path));
    let (own, role) = match request.header("api_access_token") {
        Some(ADMIN) => (1, "administrator"),
        Some(AGENT) => (1, "agent"),
        Some(OTHER) => (2, "administrator"),
        Some(_) => return unauthorized("Invalid Access Token"),
        None => {
            let why = "You need to sign in or sign up before continuing.";
            return (401, json!({ "errors": [why] }));
        }
    };
    let parts: Vec<&str> = request.path.trim_matches('/').split('/').collect();
    if parts == ["api", "v1", "profile"] {
        let token = request.header("api_access_token");
        let account = json!({ "id": own, "name": "Agency", "status": "active", "role": role, "permissions": [role] });
        return (
            200,
            json!({ "access_token": token, "account_id": own, "id": 7, "role": role, "accounts": [account] }),
        );
    }
    let ["api", "v1", "accounts", account, "inboxes", rest @ ..] = &parts[..] else {
        return (404, Value::Null);
    };
    let Some(account) = account.parse::<u64>().ok().filter(|account| *account <= 2) else {
        return gone();
    };
    if account != own {
        return unauthorized("You are not authorized to access this account");
    }
    let admin = role == "administrator";
    match (request.method.as_str(), rest) {
        ("GET", []) => {
            // An agent is in no inbox here but the first.
            let all = world
                .inboxes
                .iter()
                .filter(|one| one.account == own && (admin || one.id == 1))
                .map(|one| shown(one, admin));
            (200, json!({ "payload": all.collect::<Vec<_>>() }))
        }
        ("POST", []) if !admin => unauthorized("You are not authorized to do this action"),
        ("POST", []) => create(world, own, &request.json().unwrap_or_default()),
        (method, [id]) => {
            let found = world
                .inboxes
                .iter()
                .position(|one| one.account == own && one.id.to_string() == **id);
            let Some(index) = found else { return gone() };
            if !admin && (world.inboxes[index].id != 1 || method != "GET") {
                return unauthorized("You are not authorized to do this action");
            }
            match method {
                "GET" => (200, shown(&world.inboxes[index], admin)),
                "PATCH" | "PUT" => update(world, index, &request.json().unwrap_or_default()),
                "DELETE" => {
                    world.inboxes.remove(index);
                    (
                        200,
                        json!({ "message": "Your inbox deletion request will be processed in some time." }),
                    )
                }
                _ => (404, Value::Null),
            }
        }
        _ => (404, Value::Null),
    }
}

/// An inbox in the API. Servers, logins and passwords are for administrators.
fn shown(inbox: &Inbox, admin: bool) -> Value {
    let mut all = json!({
        "id": inbox.id, "channel_id": inbox.id + 100, "name": inbox.name, "channel_type": "Channel::Email", "greeting_message": inbox.greeting,
        "working_hours_enabled": false, "email": inbox.email, "forward_to_email": format!("{}@in.chat.test", inbox.id),
        "provider": inbox.channel["provider"], "phone_number": null
    });
    if admin {
        let all = all.as_object_mut().unwrap();
        all.extend(inbox.channel.clone());
    }
    all
}

/// What names may be, where they are narrow: `^^\b[^/\\<>@]*\b$` for each line.
fn is_narrow(name: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    name.lines().all(|line| {
        line.starts_with(is_word)
            && line.ends_with(is_word)
            && !line.contains(['/', '\\', '<', '>', '@'])
    })
}

fn create(world: &mut World, account: u64, body: &Value) -> (u16, Value) {
    let name = body["name"].as_str().unwrap_or_default();
    let channel = &body["channel"];
    if channel["type"] != "email" {
        return (500, Value::Null);
    }
    let Some(email) = channel["email"].as_str() else {
        return (500, Value::Null);
    };
    // Of all accounts: the index knows none.
    if world.inboxes.iter().any(|one| one.email == email) {
        return invalid("Email has already been taken", "email");
    }
    if name.trim().is_empty() {
        return invalid("Name can't be blank", "name");
    }
    if world.release == Release::Old && !is_narrow(name) {
        let why = "Name should not start or end with symbols, and it should not have < > / \\ @ characters.";
        return invalid(why, "name");
    }
    let id = world.inboxes.len() as u64 + 1;
    // Whatever of the channel is there is taken without a look at servers.
    let mut all = columns().as_object().unwrap().clone();
    if let Err(refused) = cast(&mut all, channel) {
        return refused;
    }
    world.inboxes.push(Inbox {
        account,
        id,
        name: name.to_owned(),
        email: email.to_owned(),
        greeting: None,
        channel: all,
    });
    (200, shown(&world.inboxes[world.inboxes.len() - 1], true))
}

/// Values as the columns hold them; keys that are none are dropped.
fn cast(all: &mut Map<String, Value>, given: &Value) -> Result<(), (u16, Value)> {
    for (key, value) in given.as_object().into_iter().flatten() {
        let Some(there) = all.get_mut(key) else {
            continue;
        };
        *there = match (columns()[key].clone(), value) {
            (Value::Bool(_), Value::Bool(_))
            | (Value::Number(_), Value::Number(_))
            | (Value::String(_) | Value::Null, Value::String(_)) => value.clone(),
            (Value::Bool(_), Value::String(text)) => json!(text == "true"),
            (Value::Number(_), Value::String(text)) => json!(text.parse::<u32>().unwrap_or(0)),
            _ => return Err((500, Value::Null)),
        };
    }
    Ok(())
}

fn update(world: &mut World, index: usize, body: &Value) -> (u16, Value) {
    if let Some(name) = body["name"].as_str() {
        if world.release == Release::Old && !is_narrow(name) {
            return invalid("Name should not start or end with symbols", "name");
        }
        name.clone_into(&mut world.inboxes[index].name);
    }
    let Some(given) = body["channel"].as_object() else {
        return (200, shown(&world.inboxes[index], true));
    };
    // It logs in with what the request has, not with what is stored.
    let mut refused = None;
    for kind in ["imap", "smtp"] {
        if refused.is_none() && given.get(&format!("{kind}_enabled")) == Some(&json!(true)) {
            refused = (world.login)(kind, given).err();
        }
    }
    if refused.is_none() || world.release == Release::New {
        let mut all = world.inboxes[index].channel.clone();
        if let Err(broken) = cast(&mut all, &body["channel"]) {
            return broken;
        }
        world.inboxes[index].channel = all;
    }
    match refused {
        Some(why) => (422, json!({ "message": why })),
        None => (200, shown(&world.inboxes[index], true)),
    }
}
