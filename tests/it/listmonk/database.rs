//! Without credentials: scripts for `psql`, on a real PostgreSQL. integrations.md §2.1, §2.3, §2.4.

use mailu_core::Secret;
use mailu_core::apps::listmonk::{
    Done, Options, Passwords, Patch, Record, Script, Seen, Version, patch, remove, sql, sql_look,
    sql_remove,
};
use mailu_core::apps::{Bounces, Profile, Tls};
use serde_json::{Value, json};

use super::postgres::Postgres;
use super::{BOUNCES, TOKEN, fixture, options, profile};

/// A Listmonk's database, used as its container is.
struct Database<'a> {
    postgres: &'a Postgres,
    name: &'static str,
}

impl Database<'_> {
    fn run(&self, script: &Script) -> String {
        let mut arguments = Script::ARGUMENTS.to_vec();
        arguments.extend(["-U", "listmonk", "-d", self.name]);
        let output = self.postgres.psql(&arguments, script.expose().as_bytes());
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && err.is_empty(), "{err}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn look(&self, profile: &Profile, options: &Options) -> Seen {
        Seen::read(&self.run(&sql_look(profile, options).unwrap())).unwrap()
    }

    /// Plans, applies, and has both agree on what is changed.
    fn apply(&self, profile: &Profile, options: &Options, record: Option<&Record>) -> Patch {
        let seen = self.look(profile, options);
        let plan = patch(&seen, profile, options, record, "salt").unwrap();
        let script = sql(profile, options, seen.version, record).unwrap();
        let changed = Done::read(&self.run(&script)).unwrap().keys;
        assert_eq!(changed, plan.keys(), "{:#?}", plan.changes);
        // What the pure code expects is what the database has now.
        let now = self.look(profile, options);
        assert_eq!(mailu_core::apps::listmonk::verify(&plan, &now.settings), []);
        plan
    }

    fn smtp(&self) -> Vec<Value> {
        let all = self.postgres.elements(self.name, "smtp");
        all.iter()
            .map(|one| serde_json::from_str(one).unwrap())
            .collect()
    }

    fn value(&self, key: &str) -> Value {
        let text = self.postgres.sql(
            self.name,
            &format!("SELECT value FROM settings WHERE key = '{key}'"),
        );
        serde_json::from_str(&text).unwrap()
    }
}

/// Servers of others: with all that a later version or a person may have put there.
fn others() -> [Value; 2] {
    [
        json!({"uuid": "3f0c2a52-7d0e-4a55-8e09-0a0f6d8c1111", "enabled": true, "host": "smtp.other.example", "port": 587, "auth_protocol": "plain",
               "username": "o'ther\"\\", "password": "ge\\heim'\"$$;--é•", "max_conns": 10, "tls_type": "STARTTLS",
               "email_headers": [{"X-Old": "1"}], "x_future": {"deep": [1, 2.50, null, "ü"]}}),
        json!({"enabled": false, "host": "smtp.off.example", "port": 25, "username": "", "auth_protocol": "none"}),
    ]
}

fn with_others(version: &str) -> Value {
    let mut settings = fixture(version);
    let [one, two] = others();
    let smtp = settings["smtp"].as_array_mut().unwrap();
    smtp.insert(1, one);
    smtp.push(two);
    settings["bounce.mailboxes"].as_array_mut().unwrap().push(json!({
        "uuid": "aaaa2a52-7d0e-4a55-8e09-0a0f6d8c2222", "enabled": true, "type": "pop", "host": "pop.other.example", "port": 995,
        "username": "x", "password": "pöp", "scan_interval": "5m"}));
    settings
}

#[test]
fn settings_in_a_database() {
    let postgres = Postgres::start();
    for version in ["v3", "v6.2"] {
        first_then_nothing(&postgres, version);
        taken_back(&postgres, version);
    }
    rotated(&postgres);
    paced(&postgres);
    hostile(&postgres);
    empty(&postgres);
    nothing_secret(&postgres);
}

fn first_then_nothing(postgres: &Postgres, version: &'static str) {
    let name = if version == "v3" { "first3" } else { "first6" };
    postgres.settings(name, &with_others(version));
    let database = Database { postgres, name };
    let before = postgres.rows(name);
    let foreign = postgres.elements(name, "smtp")[1].clone();
    let foreign_off = postgres.elements(name, "smtp")[3].clone();
    let boxes = postgres.elements(name, "bounce.mailboxes");

    // Looking changes nothing.
    let seen = database.look(&profile(), &options());
    assert_eq!(postgres.rows(name), before);
    assert_eq!(
        seen.version.to_string(),
        if version == "v3" { "v3.0.0" } else { "v6.2.0" }
    );
    assert_eq!(
        seen.passwords,
        Passwords::Compared {
            smtp: false,
            mailbox: false
        }
    );
    let shown = serde_json::to_string(&seen.settings).unwrap();
    assert!(!shown.contains("heim") && !shown.contains("pöp"), "{shown}");

    let plan = database.apply(&profile(), &options(), None);
    let smtp = postgres.elements(name, "smtp");
    assert_eq!(smtp.len(), 3, "{smtp:#?}");
    assert_eq!(smtp[1..], [foreign, foreign_off]);
    let now = postgres.elements(name, "bounce.mailboxes");
    assert_eq!(now[..2], boxes[..]);
    let ours = &database.smtp()[0];
    assert_eq!(ours["host"], "mail.example.com");
    assert_eq!(
        (&ours["port"], &ours["tls_type"]),
        (&json!(465), &json!("TLS"))
    );
    assert_eq!(ours["password"], TOKEN);
    assert_eq!(
        ours["email_headers"],
        json!([{"Return-Path": "newsletter-bounce@example.com"}])
    );
    // Fields only as the version knows them (§2.4).
    for key in ["name", "msg_retry_delay", "from_addresses"] {
        assert_eq!(ours.get(key).is_some(), version == "v6.2", "{key}");
    }
    assert_eq!(
        database.value("app.from_email"),
        r#""Example News" <news@example.com>"#
    );
    assert_eq!(database.value("app.root_url"), "https://lists.example.com");
    assert_eq!(database.value("app.message_sliding_window_rate"), 7);
    assert_eq!(database.value("app.max_send_errors"), 20);
    assert_eq!(database.value("app.batch_size"), 7);
    // All rows that are not named stay to the byte, secrets too.
    let keys = plan.keys();
    let rest = |rows: Vec<String>| -> Vec<String> {
        rows.into_iter()
            .filter(|row| !keys.contains(&row.split(' ').next().unwrap()))
            .collect()
    };
    assert_eq!(rest(postgres.rows(name)), rest(before));
    let found: Vec<_> = plan.findings.iter().map(|one| one.id.as_str()).collect();
    assert_eq!(found, ["listmonk.other_servers", "listmonk.other_mailbox"]);

    // Again: nothing, not even a time.
    let times = "SELECT string_agg(key || updated_at, ',' ORDER BY key) FROM settings";
    let then = postgres.sql(name, times);
    for record in [None, plan.record.as_ref()] {
        let again = database.apply(&profile(), &options(), record);
        assert_eq!(again.changes, []);
    }
    assert_eq!(postgres.sql(name, times), then);

    // With consent, the others are switched off, and nothing else happens to them.
    let mut only = options();
    only.only = true;
    let plan = database.apply(&profile(), &only, plan.record.as_ref());
    assert_eq!(plan.keys(), ["bounce.mailboxes", "smtp"]);
    assert_eq!(plan.findings, []);
    let mut other = database.smtp()[1].clone();
    assert_eq!(other["enabled"], false);
    other["enabled"] = true.into();
    assert_eq!(other, others()[0]);
    assert_eq!(
        database
            .apply(&profile(), &only, plan.record.as_ref())
            .changes,
        []
    );

    // Taken out again, the others are as they were; the samples are gone for good, because another server is enabled.
    let record = plan.record.unwrap();
    let seen = Seen::read(&database.run(&Script::look())).unwrap();
    let plan = remove(&seen, &record);
    let changed = Done::read(&database.run(&sql_remove(&record)))
        .unwrap()
        .keys;
    assert_eq!(changed, plan.keys());
    assert_eq!(database.smtp(), others());
    assert_eq!(postgres.elements(name, "bounce.mailboxes"), boxes);
}

/// A new Listmonk, connected and disconnected, is as it was, to the byte.
fn taken_back(postgres: &Postgres, version: &'static str) {
    let name = if version == "v3" { "back3" } else { "back6" };
    postgres.settings(name, &fixture(version));
    let database = Database { postgres, name };
    let before = postgres.rows(name);
    let plan = database.apply(&profile(), &options(), None);
    assert_eq!(plan.findings, []);
    assert_ne!(postgres.rows(name), before);
    // In between, something else is wanted, and a person changes something.
    let mut other = profile();
    other.from_name = Some("Other".to_owned());
    let plan = database.apply(&other, &options(), plan.record.as_ref());
    postgres.sql(
        name,
        "UPDATE settings SET value = '17' WHERE key = 'app.max_send_errors'",
    );

    let record: Record =
        serde_json::from_value(serde_json::to_value(plan.record).unwrap()).unwrap();
    let seen = Seen::read(&database.run(&Script::look())).unwrap();
    let plan = remove(&seen, &record);
    let found: Vec<_> = plan
        .findings
        .iter()
        .map(|one| (one.id.as_str(), one.subject.as_str()))
        .collect();
    assert_eq!(found, [("listmonk.kept", "app.max_send_errors")]);
    let changed = Done::read(&database.run(&sql_remove(&record)))
        .unwrap()
        .keys;
    assert_eq!(changed, plan.keys());
    postgres.sql(
        name,
        "UPDATE settings SET value = '1000' WHERE key = 'app.max_send_errors' AND value = '17'",
    );
    assert_eq!(postgres.rows(name), before);
    let again = Done::read(&database.run(&sql_remove(&record)))
        .unwrap()
        .keys;
    assert_eq!(again, Vec::<String>::new());
}

/// Another token, another login, headers and fields of the user's own.
fn rotated(postgres: &Postgres) {
    let name = "rotated";
    postgres.settings(name, &fixture("v6.2"));
    let database = Database { postgres, name };
    let record = database.apply(&profile(), &options(), None).record;
    postgres.sql(
        name,
        r#"UPDATE settings SET value = jsonb_set(jsonb_set(jsonb_set(value, '{0,max_conns}', '3'), '{0,x_new}', '"kept"'),
           '{0,email_headers}', '[{"X-Mine": "1"}, {"return-path": "bad@example.com"}]') WHERE key = 'smtp'"#,
    );
    let mut wanted = profile();
    wanted.secret = Secret::new(BOUNCES);
    wanted.bounces = Some(Bounces::new(wanted.login.clone(), Secret::new(BOUNCES)));
    // The record knows of the old token, but the database itself is asked.
    let plan = database.apply(&wanted, &options(), record.as_ref());
    let changed: Vec<_> = plan.changes.iter().map(|one| one.key.as_str()).collect();
    assert_eq!(
        changed,
        [
            "smtp.mailu.email_headers",
            "smtp.mailu.password",
            "bounce.mailboxes.mailu.password"
        ]
    );
    assert!(!format!("{:?}", plan.changes).contains(BOUNCES));
    let ours = &database.smtp()[0];
    assert_eq!(
        (&ours["max_conns"], &ours["x_new"]),
        (&json!(3), &json!("kept"))
    );
    assert_eq!(
        ours["email_headers"],
        json!([{"Return-Path": "newsletter-bounce@example.com"}, {"X-Mine": "1"}])
    );
    assert_eq!(ours["password"], BOUNCES);
    assert!(
        database
            .apply(&wanted, &options(), plan.record.as_ref())
            .changes
            .is_empty()
    );

    // Another login is another element; the old one was ours.
    let login: mailu_core::names::EmailAddress = "bounces@example.com".parse().unwrap();
    let mut other = Profile::new(
        wanted.host.clone(),
        Tls::Starttls,
        login.clone(),
        Secret::new(TOKEN),
    );
    other.from = "news@example.com".parse().unwrap();
    other.bounces = Some(Bounces::new(login, Secret::new(TOKEN)));
    database.apply(&other, &options(), plan.record.as_ref());
    let smtp = database.smtp();
    assert_eq!(smtp.len(), 1, "{smtp:#?}");
    assert_eq!(
        (&smtp[0]["username"], &smtp[0]["port"], &smtp[0]["tls_type"]),
        (
            &json!("bounces@example.com"),
            &json!(587),
            &json!("STARTTLS")
        )
    );
    assert_eq!(
        database.postgres.elements(name, "bounce.mailboxes").len(),
        2
    );
}

/// A login that becomes exempt from the limit gets its window back, but not the pace of a machine gun.
fn paced(postgres: &Postgres) {
    let name = "paced";
    postgres.settings(name, &fixture("v3"));
    let database = Database { postgres, name };
    let record = database.apply(&profile(), &options(), None).record;
    let mut exempt = profile();
    exempt.throttle = None;
    let plan = database.apply(&exempt, &options(), record.as_ref());
    assert_eq!(database.value("app.message_sliding_window"), false);
    assert_eq!(database.value("app.message_sliding_window_rate"), 10_000);
    assert_eq!(database.value("app.max_send_errors"), 1000);
    assert_eq!(database.value("app.batch_size"), 1000);
    assert_eq!(
        (
            database.value("app.concurrency"),
            database.value("app.message_rate")
        ),
        (json!(5), json!(5))
    );
    // A person's own window, and a gentler pace, are left alone.
    postgres.sql(
        name,
        "UPDATE settings SET value = 'true' WHERE key = 'app.message_sliding_window'",
    );
    postgres.sql(
        name,
        "UPDATE settings SET value = '2' WHERE key = 'app.concurrency'",
    );
    let plan = database.apply(&exempt, &options(), plan.record.as_ref());
    assert_eq!(plan.changes, []);
}

fn hostile(postgres: &Postgres) {
    let texts = [
        r#"\'"; DROP TABLE settings; --"#,
        "$$ || $mailu$ \\. \\N \\t :name :'name' %s {0}",
        "Ünïcödé • 日本語 🦀 \u{202e}",
        "\\u0041\\\\.",
    ];
    for (index, text) in texts.iter().enumerate() {
        let name: &'static str = ["hostile0", "hostile1", "hostile2", "hostile3"][index];
        postgres.settings(name, &fixture("v6.2"));
        let database = Database { postgres, name };
        let mut wanted = profile();
        wanted.from_name = Some((*text).to_owned());
        wanted.secret = Secret::new(*text);
        let options = Options::new(*text);
        let plan = database.apply(&wanted, &options, None);
        let ours = &database.smtp()[0];
        assert_eq!(ours["password"], *text);
        let from = database.value("app.from_email");
        let quoted = text.replace('\\', "\\\\").replace('"', "\\\"");
        assert_eq!(from, format!("\"{quoted}\" <news@example.com>"));
        assert_eq!(
            database
                .apply(&wanted, &options, plan.record.as_ref())
                .changes,
            []
        );
    }
}

fn empty(postgres: &Postgres) {
    postgres.create("empty");
    let database = Database {
        postgres,
        name: "empty",
    };
    let looked = database.run(&sql_look(&profile(), &options()).unwrap());
    let error = Seen::read(&looked).unwrap_err();
    assert_eq!(error.code(), "listmonk.empty_database");
    assert!(error.hints()[0].contains("--install"), "{error:?}");
    let script = sql(&profile(), &options(), Version::new(3, 0, 0), None).unwrap();
    let error = Done::read(&database.run(&script)).unwrap_err();
    assert_eq!(error.code(), "listmonk.empty_database");
    assert_eq!(
        postgres.sql(
            "empty",
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        ),
        "0"
    );
}

/// The server logs every statement; none had a secret in it.
fn nothing_secret(postgres: &Postgres) {
    let log = postgres.log();
    assert!(
        log.contains("UPDATE settings SET value = v"),
        "the log has no statements"
    );
    for secret in [TOKEN, BOUNCES, "Geheim", "ge\\heim"] {
        assert!(!log.contains(secret), "{secret} is in PostgreSQL's log");
    }
}
