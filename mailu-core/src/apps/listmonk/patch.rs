//! What `GET /api/settings` gave, changed so that it can be sent back whole.

use serde::Serialize;
use serde_json::{Map, Value};

use super::blocks::{self, Block, PASSWORD};
use super::record::{Former, Kept, Record, essence, same, without_password};
use super::{Options, Rule, Settings, Version, check, is_sample, rules};
use crate::apps::{Digest, Profile};
use crate::error::{Error, ErrorKind};
use crate::finding::Finding;
use crate::secret::Secret;

/// By how many of these as it has characters Listmonk shows a secret.
const BULLET: char = '•';
const SAMPLE_PASSWORD: &str = "password";
const HIDDEN: &str = "***";
const SMTP: &str = "smtp";
const MAILBOXES: &str = "bounce.mailboxes";

/// What is there.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Seen {
    /// The settings, secrets masked by bullets.
    pub settings: Settings,
    /// Which Listmonk they are of.
    pub version: Version,
    /// Whether the passwords of our elements are those that are wanted.
    pub passwords: Passwords,
}

impl Seen {
    /// As the API shows it.
    pub fn new(settings: Settings, version: Version) -> Self {
        Self {
            settings,
            version,
            passwords: Passwords::Masked,
        }
    }
}

/// How it is known whether the passwords in our elements are the right ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Passwords {
    /// They are hidden. The right one is there if our record says that it was put there, and as many bullets are shown as it has
    /// characters. Somebody who has exchanged it in Listmonk for another of the same length is not noticed; the test message fails then.
    Masked,
    /// They were compared in the database.
    Compared {
        /// That of the server.
        smtp: bool,
        /// That of the mailbox.
        mailbox: bool,
    },
}

/// A setting that becomes another.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Change {
    /// The dotted key. Behind a list stands whose element it is: `smtp.mailu.port`, `smtp.smtp.other.example.enabled`.
    pub key: String,
    /// What is there; secrets are `***`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// What it becomes; nothing where it is taken out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

/// Settings as they are to be, and how they differ from what is there.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Patch {
    /// What differs. Nothing is to be done where that is empty.
    pub changes: Vec<Change>,
    /// What needs an eye.
    pub findings: Vec<Finding>,
    /// What to remember once it is done; nothing after [`remove`].
    pub record: Option<Record>,
    /// The settings with every secret masked, as they are to be seen afterwards.
    expected: Settings,
    /// The secrets that are sent: list, place in it.
    secrets: Vec<(&'static str, usize, Secret)>,
    /// Where secrets could not be told apart over the API.
    ambiguous: Vec<Finding>,
}

impl Patch {
    /// The keys of the settings that differ, each once.
    pub fn keys(&self) -> Vec<&str> {
        let whole = |key: &str| {
            [SMTP, MAILBOXES]
                .into_iter()
                .find(|list| key.starts_with(&format!("{list}.")))
        };
        let mut all: Vec<&str> = self
            .changes
            .iter()
            .map(|change| whole(&change.key).unwrap_or(&change.key))
            .collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Our element of `smtp` with its password, for `POST /api/settings/smtp/test`.
    pub fn server(&self) -> Option<Map<String, Value>> {
        let (_, index, secret) = self.secrets.iter().find(|(list, ..)| *list == SMTP)?;
        let mut element = self.expected.get(SMTP)?.get(index)?.as_object()?.clone();
        element.insert(PASSWORD.to_owned(), secret.expose().into());
        Some(element)
    }

    /// The whole object for `PUT /api/settings`: our secrets as they are, all others empty, which leaves them as they are.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Conflict`], `listmonk.ambiguous`: Listmonk finds the password of an element by its uuid. Where two have the same, or none,
    /// one would get the other's.
    pub fn body(&self) -> Result<Settings, Error> {
        if !self.ambiguous.is_empty() {
            return Err(Error::new(
                ErrorKind::Conflict,
                "listmonk.ambiguous",
                "save Listmonk's settings over its API: elements that are not ours would lose their passwords",
            )
            .findings(self.ambiguous.clone())
            .hint("change the database instead; that leaves them alone"));
        }
        let mut body = blanked(&self.expected);
        for (list, index, secret) in &self.secrets {
            if let Some(element) = body.get_mut(*list).and_then(|list| list.get_mut(index)) {
                element[PASSWORD] = secret.expose().into();
            }
        }
        Ok(body)
    }
}

/// Whether a text is how Listmonk shows a secret.
pub(super) fn is_mask(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c == BULLET)
}

fn mask(secret: &str) -> Value {
    BULLET.to_string().repeat(secret.chars().count()).into()
}

/// The settings with every masked secret empty, which is how Listmonk is told to keep it; whatever keys there are in versions to come.
pub fn blanked(settings: &Settings) -> Settings {
    fn blank(value: &mut Value) {
        match value {
            Value::String(text) if is_mask(text) => text.clear(),
            Value::Array(all) => all.iter_mut().for_each(blank),
            Value::Object(all) => all.values_mut().for_each(blank),
            _ => {}
        }
    }
    let mut settings = settings.clone();
    for (key, value) in &mut settings {
        // There are no secrets, and whoever calls a list `•••` keeps its name.
        if !key.starts_with("app.") && !key.starts_with("appearance.") {
            blank(value);
        }
    }
    settings
}

/// An element of a list on its way.
struct Item {
    element: Value,
    /// Its place in the list as it is stored.
    from: Option<usize>,
    secret: Option<Secret>,
}

/// The two lists' common part.
struct List<'a> {
    key: &'static str,
    stored: Vec<Value>,
    changes: &'a mut Vec<Change>,
}

impl<'a> List<'a> {
    fn of(key: &'static str, settings: &Settings, changes: &'a mut Vec<Change>) -> Self {
        let stored = settings.get(key).and_then(Value::as_array);
        Self {
            key,
            stored: stored.cloned().unwrap_or_default(),
            changes,
        }
    }

    fn items(&self) -> Vec<Item> {
        let all = self.stored.iter().cloned().enumerate();
        all.map(|(index, element)| Item {
            element,
            from: Some(index),
            secret: None,
        })
        .collect()
    }

    fn note(&mut self, whose: &str, before: Option<Value>, after: Option<Value>) {
        self.changes.push(Change {
            key: format!("{}.{whose}", self.key),
            before,
            after,
        });
    }

    /// Our element over what is there of it, and what differs.
    fn ours(&mut self, there: Option<&Value>, block: &Block, secret: &Secret, right: bool) -> Item {
        let mut element = block.over(there, secret.expose());
        element[PASSWORD] = mask(secret.expose());
        for (key, after) in element.as_object().into_iter().flatten() {
            let before = there.and_then(|there| there.get(key));
            let (before, after) = if key == PASSWORD {
                if right && before == Some(after) {
                    continue;
                }
                (before.map(|_| HIDDEN.into()), HIDDEN.into())
            } else if before == Some(after) {
                continue;
            } else {
                (before.cloned(), after.clone())
            };
            self.changes.push(Change {
                key: format!("{}.mailu.{key}", self.key),
                before,
                after: Some(after),
            });
        }
        Item {
            element,
            from: None,
            secret: Some(secret.clone()),
        }
    }

    /// Switches off what is enabled and not ours.
    fn switch_off(&mut self, items: &mut [Item], uuid: &str) -> Vec<Value> {
        let mut off = Vec::new();
        for item in items {
            if item.element["enabled"] == true && item.element["uuid"] != uuid {
                item.element["enabled"] = false.into();
                off.push(essence(&item.element));
                let whose = format!("{}.enabled", host(&item.element));
                self.note(&whose, Some(true.into()), Some(false.into()));
            }
        }
        off
    }

    /// Listmonk looks for the password of an element that comes without one among the stored ones, by uuid; the last one counts.
    fn ambiguous(&self, items: &[Item]) -> Vec<Finding> {
        let mut found = Vec::new();
        for item in items.iter().filter(|item| item.secret.is_none()) {
            let uuid = uuid(&item.element);
            let last = self.stored.iter().rposition(|one| self::uuid(one) == uuid);
            if last != item.from {
                found.push(Finding::error(
                    "listmonk.ambiguous",
                    format!("{}.{}", self.key, host(&item.element)),
                    if uuid.is_empty() {
                        "it has no uuid, as others"
                    } else {
                        "it has the same uuid as others"
                    },
                ));
            }
        }
        found
    }
}

fn uuid(element: &Value) -> &str {
    element["uuid"].as_str().unwrap_or_default()
}

fn host(element: &Value) -> &str {
    element["host"].as_str().unwrap_or("?")
}

/// Whether the right password is known to be there.
fn is_right(known: Option<bool>, digest: Option<&Digest>, secret: &Secret) -> bool {
    known.unwrap_or_else(|| digest.is_some_and(|digest| digest.matches(secret)))
}

/// The digest that is there where it is of this secret, a new one otherwise.
fn digest(there: Option<&Digest>, secret: &Secret, salt: &str) -> Digest {
    match there {
        Some(there) if there.matches(secret) => there.clone(),
        _ => Digest::new(secret, salt),
    }
}

fn all_keys_kept(seen: &Seen, key: &str, findings: &mut Vec<Finding>) -> bool {
    let there = seen.settings.contains_key(key);
    if !there {
        findings.push(Finding::warning(
            "listmonk.no_such_setting",
            key,
            format!("Listmonk {} has no such setting", seen.version),
        ));
    }
    there
}

/// Sets our server, mailbox and settings.
///
/// `record` is what was remembered last, `salt` a text that was never used before.
///
/// # Errors
///
/// [`ErrorKind::InvalidInput`]: `listmonk.profile`, with everything that would not work; `listmonk.too_old`.
pub fn patch(
    seen: &Seen,
    profile: &Profile,
    options: &Options,
    record: Option<&Record>,
    salt: &str,
) -> Result<Patch, Error> {
    check(profile, options)?;
    if seen.version < Version::OLDEST {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            "listmonk.too_old",
            format!(
                "connect Listmonk {}: it is {}, and nothing before {} is known here",
                options.instance,
                seen.version,
                Version::OLDEST
            ),
        )
        .hint("update Listmonk; `listmonk --upgrade` carries its database over"));
    }
    let mut out = Patch {
        changes: Vec::new(),
        findings: Vec::new(),
        record: None,
        expected: seen.settings.clone(),
        secrets: Vec::new(),
        ambiguous: Vec::new(),
    };
    let mut next = Record::new(profile, options, salt);
    if let Some(record) = record {
        next.follow(record, profile, salt);
    }
    let (smtp_known, mailbox_known) = match seen.passwords {
        Passwords::Masked => (None, None),
        Passwords::Compared { smtp, mailbox } => (Some(smtp), Some(mailbox)),
    };
    let right = is_right(
        smtp_known,
        record.map(|record| &record.secret),
        &profile.secret,
    );
    servers(seen, profile, options, &mut next, right, &mut out);
    if let (Some(bounces), Some(block)) = (&profile.bounces, blocks::mailbox(profile, options)) {
        let digest = record.and_then(|record| record.bounces.as_ref());
        let right = is_right(mailbox_known, digest, &bounces.secret);
        mailboxes(
            seen,
            options,
            &block,
            &bounces.secret,
            &mut next,
            right,
            &mut out,
        );
    }
    for (key, rule) in rules(profile, options, record) {
        if !all_keys_kept(seen, key, &mut out.findings) {
            continue;
        }
        let before = &seen.settings[key];
        let after = match rule {
            Rule::Set(value) => value,
            Rule::AtMost(most) => match before.as_u64() {
                Some(there) if (1..=u64::from(most)).contains(&there) => continue,
                _ => most.into(),
            },
            Rule::Back(kept) if *before == kept.after => kept.before,
            Rule::Back(_) => continue,
        };
        if *before != after {
            out.changes.push(Change {
                key: key.to_owned(),
                before: Some(before.clone()),
                after: Some(after.clone()),
            });
            next.keep(key, before, &after);
            out.expected.insert(key.to_owned(), after);
        }
    }
    let root = out.expected.get("app.root_url").and_then(Value::as_str);
    if let Some(root) = root
        && (root.contains("//localhost") || root.contains("//127.0.0.1"))
    {
        let finding = Finding::warning(
            "listmonk.root_url",
            "app.root_url",
            "links to unsubscribe lead to the reader's own computer",
        );
        out.findings.push(
            finding
                .value(root)
                .hint("say where Listmonk is reached: https://lists.example.com"),
        );
    }
    out.record = Some(next);
    Ok(out)
}

fn servers(
    seen: &Seen,
    profile: &Profile,
    options: &Options,
    next: &mut Record,
    right: bool,
    out: &mut Patch,
) {
    let block = blocks::smtp(profile, options, seen.version);
    let mut list = List::of(SMTP, &seen.settings, &mut out.changes);
    let mut items = Vec::new();
    let mut there = false;
    for item in list.items() {
        let element = &item.element;
        let whose = host(element).to_owned();
        if uuid(element) == block.uuid {
            // A second one with our uuid is nobody's.
            if there {
                list.note("mailu", Some(essence(element)), None);
                continue;
            }
            there = true;
            items.push(list.ours(Some(element), &block, &profile.secret, right));
        } else if next.is_ours(element) {
            list.note("mailu", Some(essence(element)), None);
        } else if is_sample(element) && element[PASSWORD] == mask(SAMPLE_PASSWORD) {
            list.note(&whose, Some(essence(element)), None);
            next.samples.push(Former {
                index: item.from.unwrap_or_default(),
                element: without_password(element),
            });
        } else {
            items.push(item);
        }
    }
    if !there {
        let ours = list.ours(None, &block, &profile.secret, false);
        items.insert(0, ours);
    }
    if options.only {
        let off = list.switch_off(&mut items, &block.uuid);
        next.servers.extend(off);
    }
    let ambiguous = list.ambiguous(&items);
    out.ambiguous.extend(ambiguous);
    let others: Vec<&str> = items
        .iter()
        .filter(|item| item.secret.is_none() && item.element["enabled"] == true)
        .map(|item| host(&item.element))
        .collect();
    if !others.is_empty() {
        let message = if seen.version >= Version::ROUTES {
            format!(
                "mail from other domains than {} goes out through any enabled server, at random",
                profile.from.domain()
            )
        } else {
            "each message goes out through any enabled server, at random".to_owned()
        };
        out.findings.push(
            Finding::warning("listmonk.other_servers", SMTP, message)
                .value(others.join(", "))
                .hint("have the others switched off, where all mail is to go through Mailu"),
        );
    }
    put(out, SMTP, items);
}

fn mailboxes(
    seen: &Seen,
    options: &Options,
    block: &Block,
    secret: &Secret,
    next: &mut Record,
    right: bool,
    out: &mut Patch,
) {
    let mut list = List::of(MAILBOXES, &seen.settings, &mut out.changes);
    let mut items = Vec::new();
    let mut ours = None;
    for item in list.items() {
        if uuid(&item.element) == block.uuid {
            if ours.is_none() {
                ours = Some((
                    items.len(),
                    list.ours(Some(&item.element), block, secret, right),
                ));
            } else {
                list.note("mailu", Some(essence(&item.element)), None);
            }
        } else if next.is_ours(&item.element) {
            list.note("mailu", Some(essence(&item.element)), None);
        } else {
            items.push(item);
        }
    }
    if options.only {
        let off = list.switch_off(&mut items, &block.uuid);
        next.mailboxes.extend(off);
    }
    // Only the first that is enabled is read.
    let others = items
        .iter()
        .position(|item| item.element["enabled"] == true);
    let (at, item) = ours.unwrap_or_else(|| {
        let at = if others.is_some() { items.len() } else { 0 };
        (at, list.ours(None, block, secret, false))
    });
    if let Some(first) = others
        && first < at
    {
        out.findings.push(
            Finding::warning(
                "listmonk.other_mailbox",
                MAILBOXES,
                "Listmonk reads only the first enabled mailbox, so that it never sees what comes back to ours",
            )
            .value(host(&items[first].element))
            .hint("have the others switched off, where all mail goes through Mailu"),
        );
    }
    items.insert(at, item);
    let ambiguous = list.ambiguous(&items);
    out.ambiguous.extend(ambiguous);
    put(out, MAILBOXES, items);
}

fn put(out: &mut Patch, key: &'static str, items: Vec<Item>) {
    let mut all = Vec::new();
    for (index, item) in items.into_iter().enumerate() {
        if let Some(secret) = item.secret {
            out.secrets.push((key, index, secret));
        }
        all.push(item.element);
    }
    out.expected.insert(key.to_owned(), all.into());
}

/// Takes our server and mailbox out, and gives back what `record` says was there before.
///
/// Settings that somebody has changed since stay as they are. The samples of a new database come back only where no other server is enabled:
/// Listmonk wants one. What cannot be given back is among the findings.
pub fn remove(seen: &Seen, record: &Record) -> Patch {
    let mut out = Patch {
        changes: Vec::new(),
        findings: Vec::new(),
        record: None,
        expected: seen.settings.clone(),
        secrets: Vec::new(),
        ambiguous: Vec::new(),
    };
    for (key, off) in [(SMTP, &record.servers), (MAILBOXES, &record.mailboxes)] {
        let mut list = List::of(key, &seen.settings, &mut out.changes);
        let mut items = list.items();
        items.retain(|item| {
            let ours = record.is_ours(&item.element);
            if ours {
                list.note("mailu", Some(essence(&item.element)), None);
            }
            !ours
        });
        for item in &mut items {
            let was_on = off.iter().any(|one| same(one, &item.element));
            if was_on && item.element["enabled"] == false {
                item.element["enabled"] = true.into();
                let whose = format!("{}.enabled", host(&item.element));
                list.note(&whose, Some(false.into()), Some(true.into()));
            }
        }
        let mut ambiguous = list.ambiguous(&items);
        out.ambiguous.append(&mut ambiguous);
        if key == SMTP && !items.iter().any(|item| item.element["enabled"] == true) {
            for former in &record.samples {
                list.note(host(&former.element), None, Some(essence(&former.element)));
                let mut element = former.element.clone();
                element[PASSWORD] = mask(SAMPLE_PASSWORD);
                let at = former.index.min(items.len());
                items.insert(
                    at,
                    Item {
                        element,
                        from: None,
                        secret: Some(Secret::new(SAMPLE_PASSWORD)),
                    },
                );
            }
        }
        if key == SMTP && !items.iter().any(|item| item.element["enabled"] == true) {
            out.findings.push(
                Finding::error(
                    "listmonk.no_server",
                    SMTP,
                    "no enabled server would be left, which Listmonk refuses",
                )
                .hint("enable another server in Listmonk first"),
            );
        }
        put(&mut out, key, items);
    }
    for (key, kept) in &record.kept {
        let Some(now) = seen.settings.get(key) else {
            continue;
        };
        if *now == kept.after && *now != kept.before {
            out.changes.push(Change {
                key: key.clone(),
                before: Some(now.clone()),
                after: Some(kept.before.clone()),
            });
            out.expected.insert(key.clone(), kept.before.clone());
        } else if *now != kept.before {
            out.findings.push(
                Finding::notice(
                    "listmonk.kept",
                    key.as_str(),
                    "somebody has changed it since, so that it stays",
                )
                .value(now),
            );
        }
    }
    if record.kept.is_empty() {
        out.findings.push(Finding::notice(
            "listmonk.nothing_recorded",
            "app.from_email",
            "nothing was noted of the settings that were there before: sender, pace and unsubscribe header stay as they are",
        ));
    }
    out
}

impl Record {
    /// What is remembered of a first time; for [`remove`] enough to find our elements where the real record was lost.
    pub fn new(profile: &Profile, options: &Options, salt: &str) -> Self {
        let mailbox = blocks::mailbox(profile, options);
        // The version does not count for the uuid.
        let server = blocks::smtp(profile, options, Version::OLDEST);
        Self {
            instance: options.instance.clone(),
            uuids: mailbox
                .map(|block| block.uuid)
                .into_iter()
                .chain([server.uuid])
                .collect(),
            secret: Digest::new(&profile.secret, salt),
            bounces: profile
                .bounces
                .as_ref()
                .map(|bounces| Digest::new(&bounces.secret, salt)),
            kept: std::collections::BTreeMap::new(),
            samples: Vec::new(),
            servers: Vec::new(),
            mailboxes: Vec::new(),
        }
    }

    /// Takes over what an older record has.
    fn follow(&mut self, older: &Self, profile: &Profile, salt: &str) {
        let mut uuids = older.uuids.clone();
        uuids.retain(|uuid| !self.uuids.contains(uuid));
        uuids.append(&mut self.uuids);
        self.uuids = uuids;
        self.secret = digest(Some(&older.secret), &profile.secret, salt);
        self.bounces = profile
            .bounces
            .as_ref()
            .map(|bounces| digest(older.bounces.as_ref(), &bounces.secret, salt));
        self.kept.clone_from(&older.kept);
        self.samples.clone_from(&older.samples);
        self.servers.clone_from(&older.servers);
        self.mailboxes.clone_from(&older.mailboxes);
    }

    /// Notes that a setting was changed. What was there before the first time counts, unless somebody has changed it in between.
    fn keep(&mut self, key: &str, before: &Value, after: &Value) {
        let ours = self.kept.get(key).filter(|kept| kept.after == *before);
        let before = ours.map_or_else(|| before.clone(), |kept| kept.before.clone());
        self.kept.insert(
            key.to_owned(),
            Kept {
                before,
                after: after.clone(),
            },
        );
    }
}

/// Whether Listmonk's settings are now as they were to be: nothing of others lost, ours there.
///
/// A secret is masked by as many bullets as it has characters, so that one that was wiped or overwritten by bullets shows.
pub fn verify(sent: &Patch, after: &Settings) -> Vec<Finding> {
    let mut found = Vec::new();
    let changed = sent.keys();
    for (key, expected) in &sent.expected {
        let ours = changed.contains(&key.as_str());
        compare(key, expected, after.get(key), ours, &mut found);
    }
    found
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(all) => all.is_empty(),
        _ => false,
    }
}

fn compare(
    path: &str,
    expected: &Value,
    there: Option<&Value>,
    ours: bool,
    found: &mut Vec<Finding>,
) {
    let nothing = Value::Null;
    let there = there.unwrap_or(&nothing);
    match (expected, there) {
        (Value::Object(expected), Value::Object(there)) => {
            for (key, value) in expected {
                // Listmonk gives one to whatever has none.
                if key == "uuid" && is_nothing(value) {
                    continue;
                }
                compare(&format!("{path}.{key}"), value, there.get(key), ours, found);
            }
            lost_or_new(path, expected, there, found);
        }
        (Value::Array(expected), Value::Array(there)) if expected.len() == there.len() => {
            for (index, (expected, there)) in expected.iter().zip(there).enumerate() {
                compare(
                    &format!("{path}.{index}"),
                    expected,
                    Some(there),
                    ours,
                    found,
                );
            }
        }
        _ if expected == there || is_nothing(expected) && is_nothing(there) => {}
        (Value::String(secret), _) if is_mask(secret) => found.push(Finding::error(
            "listmonk.secret_lost",
            path,
            "it is not the secret that was there: Listmonk shows another number of bullets",
        )),
        _ if ours => found.push(
            Finding::error(
                "listmonk.not_applied",
                path,
                format!("it was to become {}", shown(expected)),
            )
            .value(shown(there)),
        ),
        _ => found.push(
            Finding::warning(
                "listmonk.changed",
                path,
                format!("it was {} before the settings were saved", shown(expected)),
            )
            .value(shown(there)),
        ),
    }
}

/// A secret where there was none.
fn lost_or_new(
    path: &str,
    expected: &Map<String, Value>,
    there: &Map<String, Value>,
    found: &mut Vec<Finding>,
) {
    for (key, value) in there {
        let masked = value.as_str().is_some_and(is_mask);
        if masked && !expected.contains_key(key) {
            found.push(Finding::error(
                "listmonk.secret_lost",
                format!("{path}.{key}"),
                "there is a secret now where there was none",
            ));
        }
    }
}

/// A value for people, without anything that could be a secret.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) if is_mask(text) => HIDDEN.to_owned(),
        Value::Array(all) => format!("a list of {}", all.len()),
        Value::Object(_) => "an object".to_owned(),
        _ => value.to_string(),
    }
}
