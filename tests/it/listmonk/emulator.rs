//! Listmonk's HTTP API, written from integrations.md alone (its sections stand beside the rules), and corrected by what real ones
//! do (README.md). It forgives nothing that they do not forgive.

use std::collections::BTreeMap;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use base64::Engine as _;
use mailu_core::apps::listmonk::Settings;
use serde_json::{Map, Value, json};

use super::smtp;
use crate::http_api::{self, Request};

/// Name and secret that log in.
pub(crate) const USER: &str = "mailu";
pub(crate) const PASSWORD: &str = "an API token: with a colon";

/// Where it listens: addresses that nothing else on this host uses, so that the port is still free after a restart.
static NEXT: std::sync::atomic::AtomicU8 = std::sync::atomic::AtomicU8::new(1);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Here,
    /// It is to start again.
    Leaving,
    /// It could not.
    Dead,
}

struct World {
    version: &'static str,
    /// The table.
    rows: BTreeMap<String, Value>,
    /// The settings that the program runs with.
    running: BTreeMap<String, Value>,
    needs_restart: bool,
    /// Whether a campaign is being sent.
    campaign: bool,
    restarts: u32,
    connections: Vec<TcpStream>,
    /// What was asked for, and with which kind of authorization.
    calls: Vec<String>,
    phase: Phase,
    drawn: u32,
}

/// Ended with the value.
pub(crate) struct Emulator {
    world: Arc<Mutex<World>>,
    address: SocketAddr,
}

impl Emulator {
    /// `v3` or `v6.2`, with these rows.
    pub(crate) fn start(version: &'static str, rows: &Value) -> Self {
        let rows: BTreeMap<String, Value> = rows.as_object().unwrap().clone().into_iter().collect();
        let world = Arc::new(Mutex::new(World {
            version,
            running: rows.clone(),
            rows,
            needs_restart: false,
            campaign: false,
            restarts: 0,
            connections: Vec::new(),
            calls: Vec::new(),
            phase: Phase::Here,
            drawn: 0,
        }));
        let last = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let own = (std::process::id() % 250) as u8;
        let listener = TcpListener::bind(SocketAddr::from(([127, 99, own, last], 0))).unwrap();
        let address = listener.local_addr().unwrap();
        let one = world.clone();
        std::thread::spawn(move || listen(listener, address, &one));
        Self { world, address }
    }

    fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What SIGHUP does.
    pub(crate) fn hang_up(&self) -> impl FnOnce() + Send + 'static + use<> {
        let world = self.world.clone();
        move || lock(&world).phase = Phase::Leaving
    }

    /// A row as it is stored.
    pub(crate) fn row(&self, key: &str) -> Value {
        self.world().rows[key].clone()
    }

    pub(crate) fn rows(&self) -> Value {
        let rows: Settings = self.world().rows.clone().into_iter().collect();
        rows.into()
    }

    pub(crate) fn change(&self, key: &str, value: Value) {
        self.world().rows.insert(key.to_owned(), value);
    }

    pub(crate) fn campaign(&self, runs: bool) {
        self.world().campaign = runs;
    }

    /// Whether it has ended for good.
    pub(crate) fn is_dead(&self) -> bool {
        self.world().phase == Phase::Dead
    }

    pub(crate) fn restarts(&self) -> u32 {
        self.world().restarts
    }

    /// What was asked for since the last time: `token PUT /api/settings`.
    pub(crate) fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.world().calls)
    }
}

fn lock(world: &Mutex<World>) -> MutexGuard<'_, World> {
    world
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Takes connections until it is to start again; then nobody listens for a second, and all that were open end (§2.2, "Effect").
fn listen(mut listener: TcpListener, address: SocketAddr, world: &Arc<Mutex<World>>) {
    loop {
        listener.set_nonblocking(true).unwrap();
        while lock(world).phase == Phase::Here {
            if let Ok((stream, _)) = listener.accept() {
                stream.set_nonblocking(false).unwrap();
                lock(world).connections.push(stream.try_clone().unwrap());
                let world = world.clone();
                std::thread::spawn(move || serve(&stream, &world));
            } else {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        drop(listener);
        for one in lock(world).connections.drain(..) {
            let _ = one.shutdown(Shutdown::Both);
        }
        std::thread::sleep(Duration::from_secs(1));
        let mut there = lock(world);
        there.phase = Phase::Here;
        there.needs_restart = false;
        there.restarts += 1;
        there.running = there.rows.clone();
        // A mailbox of another type ends the real one as it starts (§2.1).
        for one in list(&there.rows, "bounce.mailboxes") {
            assert!(
                one["enabled"] != true || one["type"] == "pop",
                "fatal: {one}"
            );
        }
        // Nor does it start without a language (README.md).
        if there.running["app.lang"] == "" {
            there.phase = Phase::Dead;
            return;
        }
        listener = TcpListener::bind(address).unwrap();
    }
}

fn list(rows: &BTreeMap<String, Value>, key: &str) -> Vec<Value> {
    rows.get(key)
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default()
}

/// Half a second after the answer, it goes (§2.2).
fn leave(world: &Arc<Mutex<World>>) {
    let world = world.clone();
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(500));
        lock(&world).phase = Phase::Leaving;
    });
}

fn serve(stream: &TcpStream, world: &Arc<Mutex<World>>) {
    let _ = http_api::one(stream, &|request| answer(world, request));
    // Another handle on it is kept until it starts again.
    let _ = stream.shutdown(Shutdown::Both);
}

fn refused(status: u16, message: &str) -> (u16, Value) {
    (status, json!({ "message": message }))
}

fn answer(world: &Arc<Mutex<World>>, request: &Request) -> (u16, Value) {
    let (method, path, body) = (
        request.method.as_str(),
        request.path.as_str(),
        request.body.as_slice(),
    );
    if path == "/health" {
        return (200, json!({ "data": true }));
    }
    let mut there = lock(world);
    let (kind, allowed) = authorized(there.version, request);
    there.calls.push(format!("{kind} {method} {path}"));
    if !allowed {
        return match there.version {
            "v3" => refused(401, "Unauthorized"),
            _ => refused(403, "invalid API credentials"),
        };
    }
    match (method, path) {
        ("GET", "/api/health") => (200, json!({ "data": true })),
        ("GET", "/api/config") => {
            let version = match there.version {
                "v3" => "v3.0.0",
                _ => "v6.2.0",
            };
            let enabled = list(&there.running, "smtp")
                .into_iter()
                .filter(|one| one["enabled"] == true);
            let names = enabled.filter_map(|one| {
                one["name"]
                    .as_str()
                    .filter(|name| !name.is_empty())
                    .map(str::to_owned)
            });
            let mut messengers = vec!["email".to_owned()];
            messengers.extend(names);
            (
                200,
                json!({ "data": { "version": version, "needs_restart": there.needs_restart, "messengers": messengers, "lang": "en" } }),
            )
        }
        ("GET", "/api/settings") => {
            let mut settings = decoded(
                there.version,
                &Value::Object(there.rows.clone().into_iter().collect()),
            )
            .unwrap();
            mask(&mut settings);
            (200, json!({ "data": settings }))
        }
        ("PUT", "/api/settings") => {
            let body: Value = match serde_json::from_slice(body) {
                Ok(body) => body,
                Err(error) => return refused(400, &error.to_string()),
            };
            let saved = saved(&mut there, &body);
            match saved {
                Err(message) => refused(400, &message),
                Ok(settings) => {
                    for (key, value) in settings {
                        // Only keys that exist as rows (§2.2).
                        if let Some(row) = there.rows.get_mut(&key) {
                            *row = value;
                        }
                    }
                    if there.campaign {
                        there.needs_restart = true;
                        return (200, json!({ "data": { "needs_restart": true } }));
                    }
                    leave(world);
                    (200, json!({ "data": true }))
                }
            }
        }
        ("POST", "/api/admin/reload") => {
            leave(world);
            (200, json!({ "data": true }))
        }
        ("POST", "/api/settings/smtp/test") => {
            let Ok(block) = serde_json::from_slice::<Value>(body) else {
                return refused(400, "Internal server error");
            };
            let Some(to) = block["email"]
                .as_str()
                .filter(|to| !to.is_empty())
                .map(str::to_owned)
            else {
                return refused(400, "Missing field(s): email");
            };
            // From whom, the running program knows (§2.2).
            let from = there.running["app.from_email"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            drop(there);
            match smtp::send(&block, &from, &to) {
                Ok(()) => (200, json!({ "data": ["log lines"] })),
                Err(error) => refused(500, &error),
            }
        }
        _ => refused(404, "Not Found"),
    }
}

/// Which kind of authorization there is, and whether it will do (§2.2).
fn authorized(version: &str, request: &Request) -> (&'static str, bool) {
    let given = request.header("authorization").unwrap_or_default();
    let right = format!("{USER}:{PASSWORD}");
    // A session of a browser switches the header off.
    let cookie = request
        .header("cookie")
        .is_some_and(|cookie| cookie.contains("session="));
    if let Some(token) = given.strip_prefix("token ") {
        return ("token", version != "v3" && !cookie && token == right);
    }
    if let Some(basic) = given.strip_prefix("Basic ") {
        let text = base64::engine::general_purpose::STANDARD
            .decode(basic)
            .unwrap();
        return ("Basic", !cookie && text == right.as_bytes());
    }
    ("nothing", false)
}

/// What Go's types are before anything is read into them, by version (§2.1, §2.4). `null` is an empty list or map.
fn zero(version: &str) -> Map<String, Value> {
    let mut all: Value = serde_json::from_str(
        r#"{
        "app.site_name": "", "app.root_url": "", "app.logo_url": "", "app.favicon_url": "", "app.from_email": "", "app.notify_emails": null,
        "app.enable_public_subscription_page": false, "app.enable_public_archive": false, "app.enable_public_archive_rss_content": false,
        "app.send_optin_confirmation": false, "app.check_updates": false, "app.lang": "", "app.batch_size": 0, "app.concurrency": 0,
        "app.max_send_errors": 0, "app.message_rate": 0, "app.cache_slow_queries": false, "app.cache_slow_queries_interval": "",
        "app.message_sliding_window": false, "app.message_sliding_window_duration": "", "app.message_sliding_window_rate": 0,
        "privacy.individual_tracking": false, "privacy.unsubscribe_header": false, "privacy.allow_blocklist": false,
        "privacy.allow_preferences": false, "privacy.allow_export": false, "privacy.allow_wipe": false, "privacy.exportable": null,
        "privacy.record_optin_ip": false, "privacy.domain_blocklist": null,
        "upload.provider": "", "upload.extensions": null, "upload.filesystem.upload_path": "", "upload.filesystem.upload_uri": "",
        "upload.s3.url": "", "upload.s3.public_url": "", "upload.s3.aws_access_key_id": "", "upload.s3.aws_default_region": "",
        "upload.s3.aws_secret_access_key": "", "upload.s3.bucket": "", "upload.s3.bucket_domain": "", "upload.s3.bucket_path": "",
        "upload.s3.bucket_type": "", "upload.s3.expiry": "",
        "smtp": null, "messengers": null, "bounce.enabled": false, "bounce.webhooks_enabled": false, "bounce.actions": null,
        "bounce.ses_enabled": false, "bounce.sendgrid_enabled": false, "bounce.sendgrid_key": "", "bounce.mailboxes": null,
        "bounce.postmark": { "enabled": false, "username": "", "password": "" },
        "appearance.admin.custom_css": "", "appearance.admin.custom_js": "", "appearance.public.custom_css": "", "appearance.public.custom_js": ""
    }"#,
    )
    .unwrap();
    let more = match version {
        "v3" => {
            json!({ "security.enable_captcha": false, "security.captcha_key": "", "security.captcha_secret": "" })
        }
        _ => json!({
            "app.show_optin_page": false, "privacy.disable_tracking": false, "privacy.domain_allowlist": null, "security.trusted_urls": null,
            "security.captcha": { "altcha": { "enabled": false, "complexity": 0 }, "hcaptcha": { "enabled": false, "key": "", "secret": "" } },
            "security.oidc": { "enabled": false, "provider_url": "", "provider_name": "", "client_id": "", "client_secret": "",
                "auto_create_users": false, "default_user_role_id": null, "default_list_role_id": null },
            "bounce.azure": { "enabled": false, "shared_secret": "", "shared_secret_header": "" },
            "bounce.forwardemail": { "enabled": false, "key": "" }, "bounce.lettermint": { "enabled": false, "key": "" },
            "maintenance.db": { "vacuum": false, "vacuum_cron_interval": "" },
        }),
    };
    let all = all.as_object_mut().unwrap();
    all.extend(more.as_object().unwrap().clone());
    all.clone()
}

fn zero_element(version: &str, list: &str) -> Map<String, Value> {
    let element = match list {
        "smtp" => {
            let mut block = json!({
                "uuid": "", "enabled": false, "host": "", "hello_hostname": "", "port": 0, "auth_protocol": "", "username": "", "password": "",
                "email_headers": null, "max_conns": 0, "max_msg_retries": 0, "idle_timeout": "", "wait_timeout": "", "tls_type": "",
                "tls_skip_verify": false,
            });
            if version != "v3" {
                block["name"] = "".into();
                block["msg_retry_delay"] = "".into();
                block["from_addresses"] = Value::Null;
            }
            block
        }
        "messengers" => json!({
            "uuid": "", "enabled": false, "name": "", "root_url": "", "username": "", "password": "", "max_conns": 0, "timeout": "",
            "max_msg_retries": 0,
        }),
        _ => json!({
            "uuid": "", "enabled": false, "type": "", "host": "", "port": 0, "auth_protocol": "", "return_path": "", "username": "",
            "password": "", "tls_enabled": false, "tls_skip_verify": false, "scan_interval": "",
        }),
    };
    element.as_object().unwrap().clone()
}

const LISTS: [&str; 3] = ["smtp", "messengers", "bounce.mailboxes"];

/// Reads an object as Go does: what is missing becomes zero, what is unknown is dropped, what has the wrong type is an error (§2.2).
fn decoded(version: &str, from: &Value) -> Result<Settings, String> {
    let mut settings = structure("", &zero(version), from)?;
    for list in LISTS {
        let Some(all) = settings.get(list).and_then(Value::as_array).cloned() else {
            continue;
        };
        let zero = zero_element(version, list);
        let all = all.iter().map(|one| {
            let mut one = structure(list, &zero, one)?;
            // `omitempty`
            if one["password"] == "" {
                one.remove("password");
            }
            Ok(Value::Object(one))
        });
        let all = all.collect::<Result<Vec<_>, String>>()?;
        settings.insert(list.to_owned(), all.into());
    }
    if settings["upload.s3.aws_secret_access_key"] == "" {
        settings.remove("upload.s3.aws_secret_access_key");
    }
    Ok(settings)
}

fn structure(
    path: &str,
    zero: &Map<String, Value>,
    from: &Value,
) -> Result<Map<String, Value>, String> {
    let Some(from) = from.as_object() else {
        return Err(format!("Unmarshal type error: field={path}"));
    };
    let mut out = Map::new();
    for (key, nothing) in zero {
        let path = format!("{path}.{key}");
        let value = match (nothing, from.get(key)) {
            (_, None | Some(Value::Null)) => nothing.clone(),
            (Value::Object(zero), Some(value)) => structure(&path, zero, value)?.into(),
            (Value::Null, Some(value))
                if match key.as_str() {
                    "bounce.actions" => value.is_object(),
                    "default_user_role_id" | "default_list_role_id" => value.is_number(),
                    _ => value.is_array(),
                } =>
            {
                value.clone()
            }
            (Value::String(_), Some(value @ Value::String(_)))
            | (Value::Bool(_), Some(value @ Value::Bool(_))) => value.clone(),
            (Value::Number(_), Some(value @ Value::Number(number))) if number.is_i64() => {
                value.clone()
            }
            _ => {
                return Err(format!("Unmarshal type error: field={path}"));
            }
        };
        out.insert(key.clone(), value);
    }
    Ok(out)
}

/// Where secrets are beside the lists (§2.2).
const SECRETS: [&str; 10] = [
    "/upload.s3.aws_secret_access_key",
    "/bounce.sendgrid_key",
    "/security.captcha_secret",
    "/bounce.postmark/password",
    "/security.oidc/client_secret",
    "/bounce.forwardemail/key",
    "/security.captcha/hcaptcha/secret",
    "/bounce.lettermint/key",
    "/bounce.azure/shared_secret",
    "/nothing",
];

fn mask(settings: &mut Settings) {
    let mut all = Value::Object(std::mem::take(settings));
    let hide = |value: &mut Value| {
        if let Some(text) = value.as_str() {
            *value = "•".repeat(text.chars().count()).into();
        }
    };
    for list in LISTS {
        for one in all[list].as_array_mut().into_iter().flatten() {
            one.get_mut("password").into_iter().for_each(hide);
        }
    }
    for secret in SECRETS {
        all.pointer_mut(secret).into_iter().for_each(hide);
    }
    let Value::Object(all) = all else {
        unreachable!()
    };
    *settings = all;
}

/// What is written for a PUT (§2.2).
fn saved(there: &mut World, body: &Value) -> Result<Settings, String> {
    let stored = Value::Object(there.rows.clone().into_iter().collect());
    let current = decoded(there.version, &stored)?;
    let mut set = decoded(there.version, body)?;
    let mut names = vec!["email".to_owned()];
    let enabled = set["smtp"].as_array().into_iter().flatten();
    if !enabled.clone().any(|one| one["enabled"] == true) {
        return Err("At least one SMTP block should be enabled".to_owned());
    }
    for list in LISTS {
        let current = current[list].as_array().cloned().unwrap_or_default();
        for one in set[list].as_array_mut().into_iter().flatten() {
            let uuid = one["uuid"].clone();
            if one.get("password").is_none() {
                // The last that matches; without a uuid, any without (§2.2).
                for old in &current {
                    if old["uuid"] == uuid {
                        match old.get("password") {
                            Some(password) => one["password"] = password.clone(),
                            None => {
                                one.as_object_mut().unwrap().remove("password");
                            }
                        }
                    }
                }
            }
            if uuid == "" {
                there.drawn += 1;
                one["uuid"] = format!("00000000-0000-4000-8000-{:012}", there.drawn).into();
            }
            match list {
                "smtp" if there.version != "v3" => {
                    let name = one["name"]
                        .as_str()
                        .unwrap_or_default()
                        .trim()
                        .to_lowercase();
                    let mut name: String = name
                        .chars()
                        .map(|c| {
                            if c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' {
                                c
                            } else {
                                '-'
                            }
                        })
                        .collect();
                    if !name.is_empty() {
                        if !name.starts_with("email-") {
                            name = format!("email-{name}");
                        }
                        if names.contains(&name) {
                            return Err(format!("Duplicate messenger name: {name}"));
                        }
                        names.push(name.clone());
                    }
                    one["name"] = name.into();
                    one["host"] = one["host"].as_str().unwrap_or_default().trim().into();
                    if one["enabled"] == true {
                        let addresses = one["from_addresses"]
                            .as_array()
                            .cloned()
                            .unwrap_or_default();
                        let addresses = addresses
                            .iter()
                            .filter_map(|one| Some(one.as_str()?.trim().to_lowercase()));
                        one["from_addresses"] = addresses.filter(|one| !one.is_empty()).collect();
                    }
                }
                "bounce.mailboxes" => {
                    let interval = one["scan_interval"].as_str().unwrap_or_default();
                    let number: u32 = interval
                        .trim_end_matches(|c: char| !c.is_ascii_digit())
                        .parse()
                        .unwrap_or_default();
                    let minutes = interval.ends_with('m') || interval.ends_with('h');
                    if number == 0 || !minutes && number < 60 {
                        return Err("Bounce scan interval should be minimum 1 minute.".to_owned());
                    }
                }
                "messengers" => {
                    let name = one["name"].as_str().unwrap_or_default().to_lowercase();
                    let name: String = name
                        .chars()
                        .filter(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-')
                        .collect();
                    if name.is_empty() || names.contains(&name) {
                        return Err(format!("Duplicate messenger name: {name}"));
                    }
                    names.push(name.clone());
                    one["name"] = name.into();
                }
                _ => {}
            }
        }
    }
    let root = set["app.root_url"].as_str().unwrap_or_default();
    let root = root.trim_end_matches('/').to_owned();
    set.insert("app.root_url".to_owned(), root.into());
    let current = Value::Object(current);
    let mut all = Value::Object(set);
    for secret in SECRETS {
        let old = current.pointer(secret).cloned();
        if let (Some(value), Some(old)) = (all.pointer_mut(secret), old.clone())
            && *value == ""
        {
            *value = old;
        } else if secret.contains("s3")
            && all.pointer(secret).is_none()
            && let Some(old) = old
        {
            all[&secret[1..]] = old;
        }
    }
    // Empty lists come back as such, not as nothing.
    for key in [
        "privacy.domain_blocklist",
        "privacy.domain_allowlist",
        "security.trusted_urls",
    ] {
        if all.get(key).is_some_and(Value::is_null) {
            all[key] = json!([]);
        }
    }
    match all {
        Value::Object(all) => Ok(all),
        _ => unreachable!(),
    }
}
