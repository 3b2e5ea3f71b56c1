//! One list of operations: `tests/api.json`, the library's table and the program's verbs name the same, with the same options, results and errors.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use mailu_core::host::api::{self, Event, Listening, Operation};
use mailu_core::host::{Hidden, Progress};
use serde_json::{Value, json};

use crate::support::{INSTALL, Root, SMALL, tests};

fn list() -> Value {
    let text = std::fs::read_to_string(tests("api.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn texts(value: &Value) -> BTreeSet<String> {
    let items = value.as_array().unwrap().iter();
    items.map(|one| one.as_str().unwrap().to_owned()).collect()
}

fn keys(value: &Value) -> BTreeSet<String> {
    let map = value.as_object().into_iter().flatten();
    map.map(|(key, _)| key.clone()).collect()
}

/// The operations of the list by name.
fn operations(list: &Value) -> BTreeMap<String, &Value> {
    let all = list["operations"].as_array().unwrap();
    let named: BTreeMap<_, _> = all
        .iter()
        .map(|one| (one["name"].as_str().unwrap().to_owned(), one))
        .collect();
    assert_eq!(named.len(), all.len(), "a name is there twice");
    named
}

#[test]
fn the_list_and_the_library_name_the_same() {
    let list = list();
    let listed = operations(&list);
    let there: BTreeSet<String> = Operation::ALL
        .iter()
        .map(|one| one.name().to_owned())
        .collect();
    assert_eq!(listed.keys().cloned().collect::<BTreeSet<_>>(), there);
    let schema = api::schema();
    assert_eq!(keys(&schema["operations"]), there);
    for operation in Operation::ALL {
        let name = operation.name();
        assert_eq!(name.parse::<Operation>().unwrap(), *operation);
        let one = listed[name];
        assert_eq!(one["side"], json!(operation.side()), "{name}");
        let options = keys(&schema["operations"][name]["request"]["properties"]);
        if one["verbs"].as_array().unwrap().is_empty() {
            assert!(one["why_no_verb"].is_string(), "{name}");
            continue;
        }
        let mut said = keys(&one["options"]);
        said.extend(keys(&one["only_here"]));
        assert_eq!(said, options, "{name}");
    }
}

/// Every verb with something to do, and its arguments as the list names them.
fn verbs(command: &clap::Command, at: &str, out: &mut BTreeMap<String, BTreeSet<String>>) {
    if !at.is_empty() && !command.is_subcommand_required_set() {
        let named = |arg: &clap::Arg| match arg.get_long() {
            Some(long) => format!("--{long}"),
            None => format!("<{}>", arg.get_id()),
        };
        let args = command.get_arguments();
        let own = args.filter(|arg| !arg.is_global_set()).map(named);
        out.insert(at.to_owned(), own.collect());
    }
    for one in command.get_subcommands() {
        let name = format!("{at} {}", one.get_name());
        verbs(one, name.trim_start(), out);
    }
}

#[test]
fn the_list_and_the_program_name_the_same() {
    let list = list();
    let listed = operations(&list);
    let command = mailu_cli::command();
    let mut there = BTreeMap::new();
    verbs(&command, "", &mut there);
    assert!(there.len() > 60, "{}", there.len());

    let mut said: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, one) in &listed {
        let verbs = texts(&one["verbs"]);
        for verb in &verbs {
            assert!(there.contains_key(verb), "{name}: there is no `{verb}`");
        }
        for (option, argument) in one["options"].as_object().unwrap() {
            let argument = argument.as_str().unwrap();
            let of: Vec<_> = verbs
                .iter()
                .filter(|verb| there[*verb].contains(argument))
                .collect();
            assert!(!of.is_empty(), "{name}: {option} is no {argument} there");
            for verb in of {
                said.entry(verb.clone())
                    .or_default()
                    .insert(argument.to_owned());
            }
        }
        for verb in verbs {
            said.entry(verb).or_default();
        }
    }
    let reasons = list["options_of_verbs_without_operation"].as_object();
    for (verb, options) in reasons.unwrap() {
        for argument in keys(options) {
            let is_new = said.get_mut(verb).unwrap().insert(argument.clone());
            assert!(is_new, "{verb} {argument} is an option after all");
        }
    }
    for verb in keys(&list["verbs_without_operation"]) {
        assert!(!said.contains_key(&verb), "{verb}");
        said.insert(verb.clone(), there[&verb].clone());
    }
    assert_eq!(said, there);
    let global: BTreeSet<String> = command
        .get_arguments()
        .filter(|arg| arg.is_global_set())
        .map(|arg| arg.get_id().to_string())
        .collect();
    assert_eq!(keys(&list["options_without_operation"]), global);
}

/// Sees that a value is of the kind that its schema promises, with the keys that it promises and no others.
fn described(value: &Value, schema: &Value, whole: &Value, at: &str) -> Result<(), String> {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.strip_prefix("#/types/").unwrap();
        return described(value, &whole["types"][name], whole, at);
    }
    for variants in [&schema["anyOf"], &schema["oneOf"]] {
        if let Some(all) = variants.as_array() {
            let wrong: Vec<String> = all
                .iter()
                .filter_map(|one| described(value, one, whole, at).err())
                .collect();
            if wrong.len() == all.len() {
                return Err(format!("{at}: {value} is nothing of all: {wrong:?}"));
            }
        }
    }
    if !schema["const"].is_null() && schema["const"] != *value {
        return Err(format!("{at}: {value} is not {}", schema["const"]));
    }
    let is = |kind: &Value| match kind.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        _ => value.is_object(),
    };
    let kinds = match &schema["type"] {
        Value::Null => Vec::new(),
        Value::Array(kinds) => kinds.clone(),
        kind => vec![kind.clone()],
    };
    if !kinds.is_empty() && !kinds.iter().any(is) {
        return Err(format!("{at}: {value} is none of {kinds:?}"));
    }
    if let (Some(map), Some(known)) = (value.as_object(), schema["properties"].as_object()) {
        for need in schema["required"].as_array().into_iter().flatten() {
            if !map.contains_key(need.as_str().unwrap()) {
                return Err(format!("{at}: {need} is missing"));
            }
        }
        for (key, value) in map {
            let of = known.get(key).unwrap_or(&schema["additionalProperties"]);
            if of.is_null() {
                return Err(format!("{at}: {key} is not in the schema"));
            }
            described(value, of, whole, &format!("{at}.{key}"))?;
        }
    }
    if let (Some(items), false) = (value.as_array(), schema["items"].is_null()) {
        for item in items {
            described(item, &schema["items"], whole, &format!("{at}[]"))?;
        }
    }
    Ok(())
}

fn assert_described(value: &Value, schema: &Value, whole: &Value, at: &str) {
    described(value, schema, whole, at).unwrap();
}

/// What differs from run to run: when it was.
fn without_times(mut value: Value) -> Value {
    match &mut value {
        Value::Object(map) => {
            for key in ["at", "seconds", "created", "age_seconds", "milliseconds"] {
                if let Some(one) = map.get_mut(key) {
                    *one = Value::Null;
                }
            }
            for one in map.values_mut() {
                *one = without_times(one.take());
            }
        }
        Value::Array(items) => {
            for one in items {
                *one = without_times(one.take());
            }
        }
        _ => {}
    }
    value
}

/// Without an engine, nothing of a test asks one that happens to be there.
fn same(root: &Root, args: &[&str], operation: &str, request: Value) {
    let run = root.run(&[&["--json"], args].concat());
    let printed = run.json();
    let called = api::call(&root.path(), operation, request, &mut Hidden);
    let schema = api::schema();
    match called {
        Ok(value) => {
            assert!(printed.get("error").is_none(), "{operation}: {printed}");
            assert_eq!(
                without_times(value.clone()),
                without_times(printed),
                "{operation}"
            );
            let of = &schema["operations"][operation]["result"];
            assert_described(&value, of, &schema, operation);
        }
        Err(error) => {
            let error = error.to_json();
            assert_eq!(error, printed["error"], "{operation}");
            assert_described(&error, &schema["failure"], &schema, operation);
        }
    }
}

#[test]
fn results_are_those_that_the_program_prints() {
    let root = Root::new();
    root.run(&INSTALL).expect_code(0);
    let archive = root.beside("one.tar.zst", "");
    std::fs::remove_file(&archive).unwrap();
    let archive = archive.to_str().unwrap();
    let toml = root.beside("small.toml", SMALL);
    let toml = toml.to_str().unwrap();
    same(&root, &["list"], "list", json!({}));
    same(&root, &["show"], "show", json!({}));
    // By itself, because no other output may have a secret.
    let shown = root.command(&["--json", "show", "--reveal", "api_token"]);
    let shown = { shown }.output().unwrap().stdout;
    let secret = json!({ "name": "api_token" });
    let secret = api::call(&root.path(), "secret", secret, &mut Hidden).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&shown).unwrap(), secret);
    same(&root, &["plan"], "plan", json!({}));
    same(&root, &["apply"], "apply", json!({}));
    same(
        &root,
        &["install", "--no-start", "--domain", "mail.example.com"],
        "install",
        json!({ "no_start": true, "mail_host": "mail.example.com" }),
    );
    same(&root, &["dns"], "dns", json!({}));
    same(
        &root,
        &["dns", "--zone", "example.com"],
        "dns",
        json!({ "zone": "example.com" }),
    );
    let out = root.path().join("zones");
    let out = out.to_str().unwrap();
    same(
        &root,
        &["dns", "--format", "html", "--out", out],
        "dns_export",
        json!({ "format": "html", "out": out }),
    );
    same(&root, &["config", "get"], "config_get", json!({}));
    same(
        &root,
        &["config", "get", "limits"],
        "config_get",
        json!({ "key": "limits" }),
    );
    same(
        &root,
        &["config", "set", "limits.quota=7GB", "ports.mail=25,465,993"],
        "config_set",
        json!({ "settings": { "limits.quota": "7GB", "ports.mail": [25, 465, 993] } }),
    );
    same(&root, &["config", "check"], "config_check", json!({}));
    same(
        &root,
        &["config", "unset", "ports.mail"],
        "config_unset",
        json!({ "keys": ["ports.mail"] }),
    );
    same(&root, &["config", "schema"], "config_schema", json!({}));
    same(&root, &["accounts", "schema"], "accounts_schema", json!({}));
    same(&root, &["app", "list"], "app_list", json!({}));
    same(
        &root,
        &["app", "settings", "ghost", "--login", "ghost@example.com"],
        "app_settings",
        json!({ "app": "ghost", "login": "ghost@example.com" }),
    );
    same(
        &root,
        &["render", toml],
        "render",
        json!({ "config": SMALL }),
    );
    same(
        &root,
        &["config", "check", toml],
        "check_config",
        json!({ "config": SMALL }),
    );
    same(
        &root,
        &[
            "diagnose",
            "--ignore",
            "spf.all",
            "--reason",
            "on purpose",
            "--subject",
            "example.com",
        ],
        "diagnose_ignore",
        json!({ "id": "spf.all", "reason": "on purpose", "subject": "example.com" }),
    );
    root.run(&["backup", "--cold", "--output", archive])
        .expect_code(0);
    same(
        &root,
        &["backup", "verify", archive],
        "backup_verify",
        json!({ "file": archive }),
    );
    same(&root, &["backup", "list"], "backup_list", json!({}));
    same(
        &root,
        &["backup", "prune", "--dry-run"],
        "backup_prune",
        json!({ "dry_run": true }),
    );
    same(
        &root,
        &["restore", archive, "--dry-run", "--no-start"],
        "restore",
        json!({ "file": archive, "dry_run": true, "no_start": true }),
    );
}

#[test]
fn bad_input_is_refused_alike() {
    let root = Root::new();
    same(&root, &["show"], "show", json!({}));
    root.run(&INSTALL).expect_code(0);
    for (args, operation, request) in [
        (
            &["show", "--domain", "mail.two.com"][..],
            "show",
            json!({ "mail_host": "mail.two.com" }),
        ),
        (
            &["show", "--reveal", "nonsense"],
            "secret",
            json!({ "name": "nonsense" }),
        ),
        (
            &["config", "get", "limits.nonsense"],
            "config_get",
            json!({ "key": "limits.nonsense" }),
        ),
        (
            &["config", "set", "limits.quota=lots"],
            "config_set",
            json!({ "settings": { "limits.quota": "lots" } }),
        ),
        (
            &["dns", "--zone", "elsewhere.org"],
            "dns",
            json!({ "zone": "elsewhere.org" }),
        ),
        (
            &["uninstall", "--delete-data"],
            "uninstall",
            json!({ "delete_data": true }),
        ),
        (
            &["uninstall", "--delete-data", "--yes-delete", "mail.two.com"],
            "uninstall",
            json!({ "delete_data": true, "yes_delete": "mail.two.com" }),
        ),
        (
            &[
                "user",
                "add",
                "anna@example.com",
                "quota=lots",
                "--no-password",
            ],
            "user_add",
            json!({ "email": "anna@example.com", "settings": { "quota": "lots" }, "no_password": true }),
        ),
        (
            &["diagnose", "--unignore", "spf.all"],
            "diagnose_unignore",
            json!({ "id": "spf.all" }),
        ),
        (
            &["app", "settings", "nonsense", "--login", "a@example.com"],
            "app_settings",
            json!({ "app": "nonsense", "login": "a@example.com" }),
        ),
        (
            &["backup", "verify", "/nowhere.tar.zst"],
            "backup_verify",
            json!({ "file": "/nowhere.tar.zst" }),
        ),
        (
            &["logs", "nonsense"],
            "logs",
            json!({ "services": ["nonsense"] }),
        ),
    ] {
        same(&root, args, operation, request);
    }
}

#[test]
fn a_request_says_what_is_wrong_with_it_and_not_what_was_given() {
    let root = Root::new();
    let call = |operation: &str, request: Value| {
        api::call(&root.path(), operation, request, &mut Hidden).unwrap_err()
    };
    let error = call("user_ad", json!({}));
    assert_eq!(error.code(), "call.unknown");
    assert_eq!(error.hints(), ["did you mean `user_add`?"]);
    for (operation, request, subject, rule) in [
        ("user_add", json!({}), "email", "is missing"),
        (
            "user_add",
            json!({ "email": 5 }),
            "email",
            "must be a string",
        ),
        (
            "user_add",
            json!({ "email": "anna" }),
            "email",
            "must be a mail address",
        ),
        (
            "user_add",
            json!({ "email": "a@example.com", "password": ["hunter2"] }),
            "password",
            "must be a text",
        ),
        (
            "install",
            json!({ "wait": "hunter2" }),
            "wait",
            "must be u64",
        ),
        (
            "install",
            json!({ "passwort": "hunter2" }),
            "passwort",
            "is no option of `install`",
        ),
        (
            "install",
            json!({ "settings": { "limits.quota": { "hunter2": 1 } } }),
            "settings.limits.quota",
            "must be a text, a whole number",
        ),
        (
            "certs_timer",
            json!({ "action": "hunter2" }),
            "action",
            "must be one of",
        ),
    ] {
        let error = call(operation, request);
        assert_eq!(error.code(), "call.invalid", "{error}");
        let finding = &error.all_findings()[0];
        assert_eq!(finding.subject, subject, "{error}");
        assert!(finding.message.contains(rule), "{error}");
        assert!(!error.to_json().to_string().contains("hunter2"), "{error}");
    }
    assert!(!root.path().exists(), "bad input changes nothing");
}

#[test]
fn what_happens_is_heard_and_can_be_stopped() {
    let root = Root::new();
    let mut heard = Vec::new();
    let mut listening = Listening::new(
        |event| {
            heard.push(event);
            ControlFlow::Continue(())
        },
        || false,
    );
    let request = json!({
        "mail_host": "mail.example.com",
        "email_domain": "example.com",
        "admin_email": "admin@example.com",
        "admin_password": "a-password-of-ours",
        "no_start": true,
    });
    api::call(&root.path(), "install", request, &mut listening).unwrap();
    let schema = api::schema();
    assert!(heard.len() > 10);
    for event in &heard {
        let text = json!(event).to_string();
        assert_described(&json!(event), &schema["event"], &schema, "event");
        assert!(!text.contains("a-password-of-ours"), "{text}");
    }
    assert!(
        matches!(&heard[0], Event::Step { number: 1, text, .. } if text.starts_with("make directory")),
        "{:?}",
        heard[0]
    );
    let secret = json!({ "name": "admin_password" });
    let secret = api::call(&root.path(), "secret", secret, &mut Hidden).unwrap();
    assert_eq!(secret["value"], "a-password-of-ours");

    // Stopped, a backup leaves nothing.
    let file = root.path().join("x.tar.zst");
    let request = json!({ "cold": true, "output": file });
    let mut stopping = Listening::new(|_| ControlFlow::Continue(()), || true);
    let error = api::call(&root.path(), "backup", request.clone(), &mut stopping).unwrap_err();
    assert_eq!(error.code(), "interrupted");
    assert!(!file.exists());
    api::call(&root.path(), "backup", request, &mut Hidden).unwrap();
    assert!(file.exists());

    // What has no end is ended by whoever listens.
    let mut count = 0;
    let mut watching = Listening::new(
        |event| {
            assert!(matches!(event, Event::Item { .. }));
            count += 1;
            ControlFlow::Break(())
        },
        || false,
    );
    let watched = api::call(&root.path(), "status_watch", json!({}), &mut watching).unwrap();
    assert_eq!((watched, count), (Value::Null, 1));
    let mut stopping = Listening::new(|_| ControlFlow::Continue(()), || true);
    let error = api::call(&root.path(), "status_watch", json!({}), &mut stopping).unwrap_err();
    assert_eq!(error.code(), "interrupted");
}

#[test]
fn no_two_types_share_a_name() {
    let schema = api::schema();
    for name in keys(&schema["types"]) {
        assert!(
            !name.ends_with(|last: char| last.is_ascii_digit()),
            "{name}: two types have this name; `schemars(rename = …)` gives one of them another"
        );
    }
    // Who reads it finds every type.
    let text = schema.to_string();
    for part in text.split("\"$ref\":\"").skip(1) {
        let name = part.split('"').next().unwrap();
        let name = name
            .strip_prefix("#/types/")
            .unwrap_or_else(|| panic!("{name}"));
        assert!(schema["types"].get(name).is_some(), "{name}");
    }
}

/// The default of everything that listens is to hear nothing and to go on.
#[test]
fn who_does_not_listen_stops_nothing() {
    let mut hidden = Hidden;
    assert!(hidden.item(Value::Null).is_continue());
    assert!(!hidden.interrupted());
}
