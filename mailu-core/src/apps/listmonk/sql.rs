//! The same without credentials: scripts for `psql`, on its standard input.
//!
//! What is wanted goes into a temporary table by `COPY`, so that secrets are in no statement: the server writes statements into its log, not what is
//! copied. Lists are put together inside the database; what is not ours never leaves it, and its JSON stays as it is to the byte.

use std::fmt::{self, Write as _};

use serde_json::{Value, json};

use super::blocks;
use super::patch::{Passwords, Seen};
use super::record::Record;
use super::{Options, Rule, Settings, Version, check, rules};
use crate::apps::Profile;
use crate::error::{Error, ErrorKind};

/// What a script answers where there is no table.
const EMPTY: &str = r#"{"state":"empty"}"#;

const BEGIN: &str = r#"\set ON_ERROR_STOP on
\set VERBOSITY terse
\set QUIET on
\pset format unaligned
\pset tuples_only on
\pset pager off
SET client_encoding = 'UTF8';
SET client_min_messages = error;
SELECT to_regclass('settings') IS NULL AS empty \gset
\if :empty
SELECT '{"state":"empty"}';
\quit
\endif
SELECT to_regclass('campaigns') IS NOT NULL AS campaigns \gset
\set running 0
\if :campaigns
SELECT count(*) AS running FROM campaigns WHERE status = 'running' \gset
\endif
BEGIN;
SET LOCAL lock_timeout = '10s';
CREATE TEMP TABLE mailu_wanted (name text PRIMARY KEY, value text NOT NULL) ON COMMIT DROP;
CREATE TEMP TABLE mailu_changed (key text) ON COMMIT DROP;
"#;

/// Nobody else writes until the end, and what is read is what is changed.
const LOCK: &str = "LOCK TABLE settings IN SHARE ROW EXCLUSIVE MODE;\n";

const WANTED: &str = "(SELECT value::jsonb FROM mailu_wanted WHERE name = 'NAME')";

/// A list's elements, with their places.
const CURRENT: &str = "cur AS (
  SELECT e, ord FROM settings,
    jsonb_array_elements(CASE jsonb_typeof(value) WHEN 'array' THEN value ELSE '[]' END) WITH ORDINALITY t(e, ord)
  WHERE key = 'KEY'),
uuids AS (SELECT coalesce(array_agg(u), '{}') AS ours FROM jsonb_array_elements_text(WANTED_uuids) u),";

const SET: &str = ",
u AS (
  UPDATE settings SET value = v, updated_at = now() FROM res
  WHERE key = 'KEY' AND value IS DISTINCT FROM v RETURNING key)
INSERT INTO mailu_changed SELECT key FROM u;
";

const SMTP: &str = "WITH CURRENT
want AS (SELECT WANTED_smtp.defaults AS d, WANTED_smtp.fields AS f, WANTED_only = 'true' AS alone),
mine AS (SELECT e, ord FROM cur, want WHERE e->>'uuid' = f->>'uuid' ORDER BY ord LIMIT 1),
headers AS (
  SELECT coalesce(jsonb_agg(h ORDER BY n), '[]') AS others FROM mine,
    jsonb_array_elements(CASE jsonb_typeof(e->'email_headers') WHEN 'array' THEN e->'email_headers' ELSE '[]' END) WITH ORDINALITY t(h, n)
  WHERE NOT EXISTS (
    SELECT 1 FROM jsonb_object_keys(CASE jsonb_typeof(h) WHEN 'object' THEN h ELSE '{}' END) name WHERE lower(name) = 'return-path')),
all_of AS (
  SELECT d || coalesce((SELECT e FROM mine), '{}') || f
      || jsonb_build_object('email_headers', (f->'email_headers') || (SELECT others FROM headers)) AS e,
    coalesce((SELECT ord FROM mine), 0) AS ord FROM want
  UNION ALL
  SELECT CASE WHEN alone AND e->'enabled' = 'true' THEN jsonb_set(e, '{enabled}', 'false') ELSE e END, ord
  FROM cur, want, uuids
  WHERE coalesce(e->>'uuid', '') <> ALL (ours)
    AND NOT (coalesce(e->>'password', '') = 'password' AND (
      coalesce(e->>'host', '') = 'smtp.yoursite.com' AND coalesce(e->>'username', '') = 'username'
      OR coalesce(e->>'host', '') = 'smtp.gmail.com' AND coalesce(e->>'username', '') = 'username@gmail.com'))),
res AS (SELECT jsonb_agg(e ORDER BY ord) AS v FROM all_of)";

const MAILBOXES: &str = "WITH CURRENT
want AS (SELECT WANTED_mailbox.defaults AS d, WANTED_mailbox.fields AS f, WANTED_only = 'true' AS alone),
mine AS (SELECT e, ord FROM cur, want WHERE e->>'uuid' = f->>'uuid' ORDER BY ord LIMIT 1),
others AS (
  SELECT CASE WHEN alone AND e->'enabled' = 'true' THEN jsonb_set(e, '{enabled}', 'false') ELSE e END AS e, ord
  FROM cur, want, uuids WHERE coalesce(e->>'uuid', '') <> ALL (ours)),
all_of AS (
  SELECT d || coalesce((SELECT e FROM mine), '{}') || f AS e,
    coalesce((SELECT ord FROM mine), (SELECT max(ord) + 1 FROM cur WHERE EXISTS (SELECT 1 FROM others WHERE others.e->'enabled' = 'true')), 0) AS ord
  FROM want
  UNION ALL SELECT e, ord FROM others),
res AS (SELECT jsonb_agg(e ORDER BY ord) AS v FROM all_of)";

const RULES: &str = "WITH rules AS (
  SELECT r->>'key' AS k, r->'set' AS s, r->'at_most' AS m, r->'after' AS a FROM jsonb_array_elements(WANTED_rules) r),
u AS (
  UPDATE settings SET value = coalesce(s, m), updated_at = now() FROM rules
  WHERE key = k AND CASE
    WHEN a IS NOT NULL THEN value = a AND value <> s
    WHEN s IS NOT NULL THEN value IS DISTINCT FROM s
    WHEN jsonb_typeof(value) = 'number' THEN NOT value::numeric BETWEEN 1 AND m::numeric
    ELSE true END
  RETURNING key)
INSERT INTO mailu_changed SELECT key FROM u;
";

const END: &str = "SELECT json_build_object('state', 'ready', 'changed', coalesce((SELECT json_agg(key ORDER BY key) FROM mailu_changed), '[]'),
  'running', :running);
COMMIT;
";

/// Passwords become bullets, as the API shows them.
const LOOK: &str = "WITH
lists AS (
  SELECT key, coalesce(jsonb_agg(CASE WHEN jsonb_typeof(e->'password') = 'string'
      THEN jsonb_set(e, '{password}', to_jsonb(repeat('•', char_length(e->>'password')))) ELSE e END ORDER BY ord), '[]') AS value
  FROM settings, jsonb_array_elements(CASE jsonb_typeof(value) WHEN 'array' THEN value ELSE '[]' END) WITH ORDINALITY t(e, ord)
  WHERE key IN ('smtp', 'bounce.mailboxes') GROUP BY key),
seen AS (
  SELECT key, value FROM settings
  WHERE (key LIKE 'app.%' OR key IN ('privacy.unsubscribe_header', 'bounce.enabled', 'smtp', 'bounce.mailboxes'))
    AND key NOT IN (SELECT key FROM lists)
  UNION ALL SELECT key, value FROM lists),
known AS (
  SELECT w.name, EXISTS (
    SELECT 1 FROM settings s, jsonb_array_elements(CASE jsonb_typeof(s.value) WHEN 'array' THEN s.value ELSE '[]' END) e
    WHERE s.key = w.value::jsonb->>'key' AND e->>'uuid' = w.value::jsonb->>'uuid' AND e->>'password' = w.value::jsonb->>'password') AS same
  FROM mailu_wanted w)
SELECT json_build_object('state', 'ready',
  'version', (SELECT value->>-1 FROM settings WHERE key = 'migrations'),
  'settings', (SELECT json_object_agg(key, value) FROM seen),
  'passwords', (SELECT json_object_agg(name, same) FROM known));
ROLLBACK;
";

const REMOVE: &str = "WITH CURRENT
off AS (SELECT o FROM jsonb_array_elements(WANTED_OFF) o),
kept AS (
  SELECT CASE WHEN e->'enabled' = 'false' AND EXISTS (SELECT 1 FROM off WHERE CASE
        WHEN coalesce(o->>'uuid', '') <> '' THEN coalesce(e->>'uuid', '') = o->>'uuid'
        ELSE e->'host' IS NOT DISTINCT FROM o->'host' AND e->'port' IS NOT DISTINCT FROM o->'port'
          AND e->'username' IS NOT DISTINCT FROM o->'username' END)
      THEN jsonb_set(e, '{enabled}', 'true') ELSE e END AS e,
    row_number() OVER (ORDER BY ord) AS n
  FROM cur, uuids WHERE coalesce(e->>'uuid', '') <> ALL (ours)),
samples AS (
  SELECT (s->'element') || '{\"password\": \"password\"}' AS e, (s->>'index')::bigint AS p
  FROM jsonb_array_elements(WANTED_SAMPLES) s
  WHERE NOT EXISTS (SELECT 1 FROM kept WHERE kept.e->'enabled' = 'true')),
places AS (
  SELECT p, row_number() OVER (ORDER BY p) AS n
  FROM generate_series(0, (SELECT count(*) FROM kept) + (SELECT count(*) FROM samples)) p
  WHERE p NOT IN (SELECT p FROM samples)),
res AS (
  SELECT coalesce(jsonb_agg(e ORDER BY p), '[]') AS v
  FROM (SELECT e, p FROM kept JOIN places USING (n) UNION ALL SELECT e, p FROM samples) all_of)";

const GIVE_BACK: &str = "WITH kept AS (
  SELECT r->>'key' AS k, r->'before' AS b, r->'after' AS a FROM jsonb_array_elements(WANTED_kept) r),
u AS (UPDATE settings SET value = b, updated_at = now() FROM kept WHERE key = k AND value = a AND value <> b RETURNING key)
INSERT INTO mailu_changed SELECT key FROM u;
";

/// A script for `psql`'s standard input. It has secrets in it, so that it does not show itself.
#[derive(Clone)]
pub struct Script(String);

impl Script {
    /// The text. Every use of this is a place where secrets leave.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// `psql`'s arguments for it: nothing of the user's own settings, and no question for a password.
    pub const ARGUMENTS: [&'static str; 4] = ["-X", "-q", "-w", "-f-"];
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Script(***)")
    }
}

/// Puts a script together.
struct Writer(String);

impl Writer {
    fn begin(wanted: &[(&str, Value)]) -> Self {
        let mut text = format!("{BEGIN}COPY mailu_wanted FROM STDIN;\n");
        for (name, value) in wanted {
            // JSON has neither tabs nor line ends outside of strings, where they are escaped.
            let value = value.to_string().replace('\\', "\\\\");
            let _ = writeln!(text, "{name}\t{value}");
        }
        text.push_str("\\.\n");
        Self(text)
    }

    fn add(&mut self, statement: &str) {
        let mut text = statement.to_owned();
        while let Some(at) = text.find("WANTED_") {
            let name = &text[at + "WANTED_".len()..];
            let end = name
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '.')
                .unwrap_or(name.len());
            let value = WANTED.replace("NAME", &name[..end]);
            text.replace_range(at..at + "WANTED_".len() + end, &value);
        }
        self.0.push_str(&text);
    }

    fn list(&mut self, key: &str, statement: &str) {
        let text = format!("{}{SET}", statement.replace("CURRENT", CURRENT)).replace("KEY", key);
        self.add(&text);
    }

    fn end(mut self) -> Script {
        self.0.push_str(END);
        Script(self.0)
    }
}

fn with_password(block: &blocks::Block, secret: &str) -> Value {
    let mut fields = block.fields.clone();
    fields.insert(blocks::PASSWORD.to_owned(), secret.into());
    fields.into()
}

/// A script that says what is there, and changes nothing. [`Seen::read`] reads its answer.
///
/// # Errors
///
/// [`ErrorKind::InvalidInput`], `listmonk.profile`, with everything that would not work.
pub fn sql_look(profile: &Profile, options: &Options) -> Result<Script, Error> {
    check(profile, options)?;
    let server = blocks::smtp(profile, options, Version::OLDEST);
    let mut wanted = vec![(
        "smtp",
        json!({ "key": "smtp", "uuid": server.uuid, "password": profile.secret.expose() }),
    )];
    if let (Some(block), Some(bounces)) = (blocks::mailbox(profile, options), &profile.bounces) {
        wanted.push((
            "mailbox",
            json!({ "key": "bounce.mailboxes", "uuid": block.uuid, "password": bounces.secret.expose() }),
        ));
    }
    Ok(looking(&wanted))
}

impl Script {
    /// As [`sql_look`], where nothing is wanted: for taking out what is there.
    pub fn look() -> Self {
        looking(&[])
    }
}

fn looking(wanted: &[(&str, Value)]) -> Script {
    let mut writer = Writer::begin(wanted);
    writer.add(LOOK);
    Script(writer.0)
}

/// A script that sets our server, mailbox and settings, and touches nothing else. Run again, it changes nothing; [`Done::read`] reads
/// its answer.
///
/// `record` is what was remembered last.
///
/// # Errors
///
/// [`ErrorKind::InvalidInput`], `listmonk.profile`, with everything that would not work.
pub fn sql(
    profile: &Profile,
    options: &Options,
    version: Version,
    record: Option<&Record>,
) -> Result<Script, Error> {
    check(profile, options)?;
    let server = blocks::smtp(profile, options, version);
    let mailbox = blocks::mailbox(profile, options).zip(profile.bounces.as_ref());
    let mut uuids: Vec<&str> = record
        .into_iter()
        .flat_map(|record| &record.uuids)
        .map(String::as_str)
        .collect();
    uuids.push(&server.uuid);
    uuids.extend(mailbox.iter().map(|(block, _)| block.uuid.as_str()));
    let rules: Vec<Value> = rules(profile, options, record)
        .into_iter()
        .map(|(key, rule)| match rule {
            Rule::Set(value) => json!({ "key": key, "set": value }),
            Rule::AtMost(most) => json!({ "key": key, "at_most": most }),
            Rule::Back(kept) => json!({ "key": key, "set": kept.before, "after": kept.after }),
        })
        .collect();
    let mut wanted = vec![
        ("uuids", json!(uuids)),
        ("only", json!(options.only)),
        ("rules", rules.into()),
        ("smtp.defaults", server.defaults.clone().into()),
        (
            "smtp.fields",
            with_password(&server, profile.secret.expose()),
        ),
    ];
    if let Some((block, bounces)) = &mailbox {
        wanted.push(("mailbox.defaults", block.defaults.clone().into()));
        wanted.push((
            "mailbox.fields",
            with_password(block, bounces.secret.expose()),
        ));
    }
    let mut writer = Writer::begin(&wanted);
    writer.add(LOCK);
    writer.list("smtp", SMTP);
    if mailbox.is_some() {
        writer.list("bounce.mailboxes", MAILBOXES);
    }
    writer.add(RULES);
    Ok(writer.end())
}

/// A script that takes our server and mailbox out, and gives back what `record` says was there before, by the rules of [`super::remove`].
pub fn sql_remove(record: &Record) -> Script {
    let kept: Vec<Value> = record
        .kept
        .iter()
        .map(|(key, kept)| json!({ "key": key, "before": kept.before, "after": kept.after }))
        .collect();
    let mut writer = Writer::begin(&[
        ("uuids", json!(record.uuids)),
        ("servers", json!(record.servers)),
        ("mailboxes", json!(record.mailboxes)),
        ("samples", json!(record.samples)),
        ("none", json!([])),
        ("kept", kept.into()),
    ]);
    writer.add(LOCK);
    for (key, off, samples) in [
        ("smtp", "servers", "samples"),
        ("bounce.mailboxes", "mailboxes", "none"),
    ] {
        let text = REMOVE.replace("OFF", off).replace("SAMPLES", samples);
        writer.list(key, &text);
    }
    writer.add(GIVE_BACK);
    writer.end()
}

fn answer(line: &str) -> Result<Value, Error> {
    let line = line.trim();
    if line == EMPTY {
        return Err(Error::new(
            ErrorKind::NotFound,
            "listmonk.empty_database",
            "change Listmonk's settings: its database has no table `settings`, because Listmonk was never set up",
        )
        .hint("run `./listmonk --install` once in Listmonk's container, and start it"));
    }
    serde_json::from_str(line).map_err(|_| {
        Error::new(
            ErrorKind::Internal,
            "listmonk.answer",
            "change Listmonk's settings: what psql answered cannot be read",
        )
    })
}

impl Seen {
    /// Reads what [`sql_look`] answers.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`], `listmonk.empty_database`, where Listmonk was never set up; [`ErrorKind::InvalidInput`], `listmonk.version`;
    /// [`ErrorKind::Internal`], `listmonk.answer`.
    pub fn read(line: &str) -> Result<Self, Error> {
        let answer = answer(line)?;
        let settings: Settings = answer["settings"].as_object().cloned().unwrap_or_default();
        let version = answer["version"].as_str().unwrap_or_default().parse()?;
        let same = |name: &str| answer["passwords"][name] == true;
        let mut seen = Self::new(settings, version);
        seen.passwords = Passwords::Compared {
            smtp: same("smtp"),
            mailbox: same("mailbox"),
        };
        Ok(seen)
    }
}

/// What [`sql`] and [`sql_remove`] have done.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Done {
    /// The keys of the settings that were changed, in their order.
    pub keys: Vec<String>,
    /// How many campaigns are being sent, which starting Listmonk again would interrupt.
    pub running: u64,
}

impl Done {
    /// Reads what [`sql`] and [`sql_remove`] answer.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`], `listmonk.empty_database`; [`ErrorKind::Internal`], `listmonk.answer`.
    pub fn read(line: &str) -> Result<Self, Error> {
        let answer = answer(line)?;
        let keys = answer["changed"].as_array().into_iter().flatten();
        Ok(Self {
            keys: keys
                .filter_map(|key| key.as_str().map(str::to_owned))
                .collect(),
            running: answer["running"].as_u64().unwrap_or_default(),
        })
    }
}
