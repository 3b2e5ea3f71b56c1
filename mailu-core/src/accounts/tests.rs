//! What holds whatever the accounts are.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::secret::Secret;

fn address() -> impl Strategy<Value = String> {
    let local = "[a-z0-9!#$%&'*+/=?^_`{|}~][a-z0-9!#$%&'*+/=?^_`{|}~-]{0,12}";
    (local, 0..3_usize).prop_map(|(local, domain)| format!("{local}@d{domain}.example"))
}

/// A text of one line, or of several.
fn line() -> impl Strategy<Value = String> {
    "[^\\x00-\\x1f\\x7f-\\x9f]{0,40}"
}

fn user() -> impl Strategy<Value = Value> {
    let flags = prop::collection::vec(any::<bool>(), 6);
    let lists = prop::collection::btree_set(address(), 0..4);
    (address(), line(), line(), flags, lists, "(?s)[^\\x00]{0,60}", 0..i64::MAX).prop_map(
        |(email, name, comment, flags, to, body, quota)| {
            json!({
                "email": email, "displayed_name": name, "comment": comment, "quota_bytes": quota, "enabled": flags[0], "global_admin": flags[1],
                "enable_imap": flags[2], "forward_enabled": flags[3], "forward_destination": to, "reply_enabled": flags[4], "reply_body": body,
                "reply_subject": if flags[5] { Value::Null } else { Value::from(comment.clone()) }, "reply_enddate": "2999-12-31",
                "spam_threshold": 80, "manager_of": if flags[1] { json!(["d1.example"]) } else { json!([]) }, "tokens": [],
                "password": "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
            })
        },
    )
}

/// An export of Mailu's.
fn export() -> impl Strategy<Value = String> {
    let aliases = prop::collection::btree_map(
        address(),
        (
            prop::collection::btree_set(address(), 1..4),
            any::<bool>(),
            line(),
        ),
        0..4,
    );
    (prop::collection::vec(user(), 0..5), aliases, -1..9_i64).prop_map(|(users, aliases, most)| {
        let users: BTreeMap<String, Value> = users
            .into_iter()
            .map(|user| (user["email"].as_str().unwrap_or_default().to_owned(), user))
            .collect();
        let aliases: Vec<Value> = aliases
            .into_iter()
            .filter(|(email, _)| !users.contains_key(email))
            .map(|(email, (to, wildcard, comment))| {
                json!({ "email": email, "destination": to, "wildcard": wildcard, "comment": comment })
            })
            .collect();
        json!({
            "domain": [
                { "name": "d0.example", "max_users": most, "comment": null, "alternatives": [] },
                { "name": "d1.example", "max_users": -1, "alternatives": ["münchen.example"], "dkim_key": "<hidden>" },
                { "name": "d2.example", "max_users": -1, "alternatives": [], "signup_enabled": true },
            ],
            "user": users.into_values().collect::<Vec<_>>(),
            "alias": aliases,
            "relay": [{ "name": "r.example", "smtp": null, "comment": "" }],
        })
        .to_string()
    })
}

fn context() -> Context {
    Context {
        quota: 1,
        prune: Prune::Delete,
        ..Context::default()
    }
}

proptest! {
    #[test]
    fn what_is_written_down_is_what_is_there(export in export()) {
        let there = Accounts::from_export(&format!("Warning: x\n{export}")).expect("an export");
        for hashes in [true, false] {
            let text = there.to_toml(hashes);
            let wanted = Wanted::from_toml(&text).map_err(|e| TestCaseError::fail(format!("{e:?}\n{text}")))?;
            let plan = plan(&wanted, &there, &context()).expect("a plan");
            prop_assert!(plan.is_empty(), "{:?}\n{}", plan.steps, text);
            let text = there.to_csv(hashes).expect("a table");
            let wanted = Wanted::from_csv(&text).map_err(|e| TestCaseError::fail(format!("{e:?}\n{text}")))?;
            let plan = super::plan(&wanted, &there, &Context::default()).expect("a plan");
            prop_assert!(plan.is_empty(), "{:?}\n{}", plan.steps, text);
        }
    }

    /// From nothing, everything is made, each account once, and no password is among what is shown.
    #[test]
    fn everything_can_be_made_anew(export in export()) {
        let there = Accounts::from_export(&export).expect("an export");
        let wanted = Wanted::from_toml(&there.to_toml(true)).expect("a file");
        // It may have more users than it allows, or forward to nobody: then nothing is planned.
        if let Ok(plan) = plan(&wanted, &Accounts::default(), &context()) {
            prop_assert_eq!(plan.steps.len(), wanted.len());
            prop_assert_eq!(plan.count(Action::Create), wanted.len());
            let document = plan.document(&BTreeMap::new());
            let made: Value = serde_json::from_str(document.expose()).expect("JSON");
            prop_assert!(!document.expose().contains("-prune-"));
            let count = |kind: &str| made[kind].as_array().map_or(0, Vec::len);
            prop_assert_eq!(count("domain") + count("user") + count("alias") + count("relay"), wanted.len());
            let shown = format!("{plan:?}{}", serde_json::to_string(&plan).expect("JSON"));
            prop_assert!(!shown.contains("$2b$"));
        }
    }

    #[test]
    fn nothing_makes_the_readers_fail_badly(text in "(?s).{0,200}", head in "[a-z_,;\"\n]{0,40}") {
        let _ = Wanted::from_toml(&text);
        let _ = Wanted::from_csv(&text);
        let _ = Wanted::from_csv(&format!("email,{head}\n{text}"));
        let _ = Accounts::from_export(&text);
        let _ = PasswordHash::parse(&text);
        let _ = check_password(&Secret::new(text.as_str()));
        for kind in Kind::ALL {
            let _ = read_settings(kind, "x", std::slice::from_ref(&text));
            for field in fields(kind) {
                if let Ok(value) = field.read(&text) {
                    prop_assert_eq!(field.check(&value), Ok(value.clone()));
                }
            }
        }
    }
}

const THERE: &str = r#"{
    "domain": [{ "name": "example.com", "max_users": 2, "max_aliases": -1, "max_quota_bytes": 1000, "alternatives": ["example.org"] }],
    "user": [
        { "email": "admin@example.com", "enabled": true, "quota_bytes": 10, "manager_of": ["example.com"], "tokens": [{ "id": 1 }, { "id": 2 }] }
    ],
    "alias": [{ "email": "info@example.com", "destination": ["admin@example.com", "x@elsewhere.example"], "wildcard": false }],
    "relay": []
}"#;

fn planned(text: &str, context: &Context) -> Result<Plan, crate::Error> {
    let there = Accounts::from_export(THERE).expect("an export");
    plan(&Wanted::from_toml(text).expect("a file"), &there, context)
}

#[test]
fn everything_that_speaks_against_it_is_said() {
    let text = r#"
[[domain]]
name = "example.org"
managers = ["nobody@example.com"]
[[user]]
email = "anna@example.com"
quota = 1001
forward_enabled = true
[[user]]
email = "info@example.com"
password_hash = "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"
quota = 0
[[alias]]
email = "sales@elsewhere.example"
"#;
    let error = planned(text, &Context::default()).expect_err("it is impossible");
    assert_eq!(error.code(), "accounts.impossible");
    let all: Vec<&str> = error
        .all_findings()
        .iter()
        .map(|one| one.id.as_str())
        .collect();
    for id in [
        "accounts.name_taken",
        "accounts.manager",
        "accounts.no_password",
        "accounts.quota",
        "accounts.forward",
        "accounts.address_taken",
        "accounts.no_domain",
        "accounts.destination",
        "accounts.too_many",
    ] {
        assert!(all.contains(&id), "{id}: {all:?}");
    }
    let places = error
        .all_findings()
        .iter()
        .filter(|one| one.subject.starts_with("line "));
    assert!(places.count() >= 8);
}

/// Lists take the place of what is there, for Mailu would unite them.
#[test]
fn lists_are_written_whole() {
    let text = r#"
[[domain]]
name = "example.com"
alternatives = []
managers = []
[[alias]]
email = "info@example.com"
to = ["x@elsewhere.example"]
"#;
    let plan = planned(text, &Context::default()).expect("a plan");
    let document: Value =
        serde_json::from_str(plan.document(&BTreeMap::new()).expose()).expect("JSON");
    assert_eq!(
        document,
        json!({
            "domain": [{ "name": "example.com", "alternatives": ["-prune-"] }],
            "user": [{ "email": "admin@example.com", "manager_of": ["-prune-"] }],
            "alias": [{ "email": "info@example.com", "destination": ["-prune-", "x@elsewhere.example"] }],
        })
    );
}

#[test]
fn only_what_is_asked_for_is_pruned() {
    let text = "[[user]]\nemail = \"bea@example.com\"\npassword_hash = \"$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW\"\n";
    let steps = |prune: Prune, protected: &[(Kind, &str)]| -> Vec<String> {
        let context = Context {
            prune,
            quota: 5,
            protected: protected
                .iter()
                .map(|(kind, name)| (*kind, (*name).to_owned()))
                .collect(),
            ..Context::default()
        };
        let plan = planned(text, &context).expect("a plan");
        plan.steps
            .iter()
            .map(|step| format!("{} {}", step.action.as_str(), step.name))
            .collect()
    };
    let made = "create bea@example.com".to_owned();
    assert_eq!(steps(Prune::No, &[]), std::slice::from_ref(&made));
    assert_eq!(
        steps(Prune::Disable, &[]),
        [made.clone(), "disable admin@example.com".to_owned()]
    );
    assert_eq!(
        steps(Prune::Delete, &[]),
        [made.clone(), "delete admin@example.com".to_owned()]
    );
    assert_eq!(
        steps(Prune::Delete, &[(Kind::User, "admin@example.com")]),
        [made]
    );
    let context = Context {
        prune: Prune::Delete,
        quota: 5,
        ..Context::default()
    };
    let plan = planned(text, &context).expect("a plan");
    let note = plan
        .steps
        .iter()
        .find_map(|step| step.note.clone())
        .unwrap_or_default();
    assert!(
        note.contains("2 tokens") && note.contains("mail stays"),
        "{note}"
    );
}
