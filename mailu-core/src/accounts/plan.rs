//! What has to be done so that what is wanted is there.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;
use serde_json::{Value, json};

use super::export::Accounts;
use super::fields::{Kind, Settings, fields};
use super::file::{Item, Password, Wanted};
use super::password::PasswordHash;
use crate::error::{Error, ErrorKind};
use crate::finding::Finding;
use crate::secret::Secret;

/// What happens to accounts that are not named, in the sections that are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Prune {
    /// Nothing.
    #[default]
    No,
    /// Users are disabled; aliases and relayed domains deleted; domains left.
    Disable,
    /// Users are deleted too, and domains that have no address left. Their mail stays where it is.
    Delete,
}

/// What a plan depends on besides what is wanted and what is there.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Context {
    /// The quota of a new user for whom none is given, in bytes: the deployment's `limits.quota`.
    pub quota: i64,
    /// What happens to accounts that are not named.
    pub prune: Prune,
    /// Whether passwords are set for users that exist, too. Otherwise a password is for whoever is made, and nobody loses the one they chose.
    pub reset_passwords: bool,
    /// Users of whom it is known that they have the wanted password.
    pub matching: BTreeSet<String>,
    /// What never goes: the first administrator, the configured domains and their postmasters.
    pub protected: BTreeSet<(Kind, String)>,
}

/// What is done with an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "AccountAction")
)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Action {
    /// It is made.
    Create,
    /// Some of it becomes something else.
    Change,
    /// It may not log in any more.
    Disable,
    /// It is taken out of Mailu's database. Mail stays.
    Delete,
}

impl Action {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Change => "change",
            Self::Disable => "disable",
            Self::Delete => "delete",
        }
    }
}

/// An attribute that becomes something else.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Difference {
    /// Its name, as Mailu calls it.
    pub field: String,
    /// What it is; null where there is nothing yet.
    pub from: Value,
    /// What it becomes.
    pub to: Value,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |value: &Value| match value {
            Value::String(text) => format!("{text:?}"),
            Value::Array(items) => items
                .iter()
                .map(|item| item.as_str().unwrap_or_default())
                .collect::<Vec<_>>()
                .join(", "),
            other => other.to_string(),
        };
        if self.from.is_null() {
            write!(f, "{}: {}", self.field, shown(&self.to))
        } else {
            write!(
                f,
                "{}: {} -> {}",
                self.field,
                shown(&self.from),
                shown(&self.to)
            )
        }
    }
}

/// What is done with one account.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "AccountStep")
)]
#[non_exhaustive]
pub struct Step {
    /// What is done.
    pub action: Action,
    /// With what.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// What becomes of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Difference>,
    /// Whether its password is set.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub password: bool,
    /// What else follows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What has to be done.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "AccountsPlan")
)]
#[non_exhaustive]
pub struct Plan {
    /// In this order.
    pub steps: Vec<Step>,
    /// How many accounts are as they should be.
    pub unchanged: usize,
    /// Accounts that are there and not named, in the sections that are; they stay.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<String>,
    /// What is worth knowing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    /// What users are to have as their passwords.
    #[serde(skip)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    passwords: BTreeMap<String, Password>,
    /// Which domains users manage, where that changes: before, after.
    #[serde(skip)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    managed: BTreeMap<String, BTreeSet<String>>,
}

/// The attributes that are to be others than they are.
pub fn differences(kind: Kind, wanted: &Settings, there: &Settings) -> Vec<Difference> {
    fields(kind)
        .iter()
        .filter_map(|field| {
            let to = wanted.get(field.name)?;
            let from = there.get(field.name);
            (from != Some(to)).then(|| Difference {
                field: field.name.to_owned(),
                from: from.cloned().unwrap_or_default(),
                to: to.clone(),
            })
        })
        .collect()
}

/// The domain of an address.
fn domain_of(address: &str) -> &str {
    address.rsplit_once('@').map_or("", |(_, domain)| domain)
}

/// Compares.
///
/// # Errors
///
/// [`ErrorKind::InvalidInput`], `accounts.impossible`, with everything that speaks against it.
pub fn plan(wanted: &Wanted, there: &Accounts, context: &Context) -> Result<Plan, Error> {
    let mut plan = Plan::default();
    // What there will be.
    let mut after = there.all.clone();
    for item in &wanted.items {
        plan.put(item, there, context);
        let entry = after.entry((item.kind, item.name.clone())).or_default();
        entry.extend(item.settings.clone());
    }
    plan.prune(wanted, there, context, &mut after);
    plan.manage(there, &after);
    plan.steps.sort_by_key(|step| {
        let last = step.action == Action::Delete;
        // What is in a domain goes before it.
        let kind = if last {
            4 - step.kind as usize
        } else {
            step.kind as usize
        };
        (last, kind)
    });
    let wrong = wrong(&plan, wanted, &after);
    if wrong.is_empty() {
        return Ok(plan);
    }
    Err(Error::new(
        ErrorKind::InvalidInput,
        "accounts.impossible",
        format!(
            "change accounts: {} thing{} speak{} against it; nothing was changed",
            wrong.len(),
            if wrong.len() == 1 { "" } else { "s" },
            if wrong.len() == 1 { "s" } else { "" },
        ),
    )
    .findings(wrong))
}

impl Plan {
    fn put(&mut self, item: &Item, there: &Accounts, context: &Context) {
        let Some(now) = there.get(item.kind, &item.name) else {
            let mut settings = item.settings.clone();
            if item.kind == Kind::User {
                settings
                    .entry("quota_bytes")
                    .or_insert_with(|| Value::from(context.quota));
            }
            if let Some(password) = &item.password {
                self.passwords.insert(item.name.clone(), password.clone());
            }
            self.steps.push(Step {
                action: Action::Create,
                kind: item.kind,
                name: item.name.clone(),
                changes: differences(item.kind, &settings, &Settings::new()),
                password: item.password.is_some(),
                note: None,
            });
            return;
        };
        let changes = differences(item.kind, &item.settings, now);
        let password = item.password.as_ref().filter(|password| {
            context.reset_passwords
                && !context.matching.contains(&item.name)
                && match password {
                    Password::Hash(hash) => there.passwords.get(&item.name) != Some(hash),
                    Password::Plain(_) => true,
                }
        });
        if changes.is_empty() && password.is_none() {
            self.unchanged += 1;
            return;
        }
        if let Some(password) = password {
            self.passwords.insert(item.name.clone(), password.clone());
        }
        self.steps.push(Step {
            action: Action::Change,
            kind: item.kind,
            name: item.name.clone(),
            changes,
            password: password.is_some(),
            note: None,
        });
    }

    fn prune(
        &mut self,
        wanted: &Wanted,
        there: &Accounts,
        context: &Context,
        after: &mut BTreeMap<(Kind, String), Settings>,
    ) {
        let named: BTreeSet<(Kind, &str)> = wanted
            .items
            .iter()
            .map(|item| (item.kind, item.name.as_str()))
            .collect();
        // Domains come last: they can only go when nothing is left in them.
        for kind in [Kind::Alias, Kind::User, Kind::Relay, Kind::Domain] {
            if !wanted.sections.contains(&kind) {
                continue;
            }
            for (name, settings) in there.of(kind) {
                if named.contains(&(kind, name)) {
                    continue;
                }
                let id = (kind, name.to_owned());
                let stays = context.prune == Prune::No || context.protected.contains(&id);
                let has_addresses = || {
                    after.keys().any(|(kind, address)| {
                        matches!(kind, Kind::User | Kind::Alias) && domain_of(address) == name
                    })
                };
                let action = match kind {
                    _ if stays => None,
                    Kind::User if context.prune == Prune::Disable => {
                        let on = settings.get("enabled") != Some(&Value::Bool(false));
                        on.then_some(Action::Disable)
                    }
                    Kind::Domain if context.prune == Prune::Disable || has_addresses() => None,
                    _ => Some(Action::Delete),
                };
                let Some(action) = action else {
                    self.left.push(format!("{kind} {name}"));
                    continue;
                };
                let mut step = Step {
                    action,
                    kind,
                    name: name.to_owned(),
                    changes: Vec::new(),
                    password: false,
                    note: None,
                };
                if action == Action::Disable {
                    step.changes.push(Difference {
                        field: "enabled".to_owned(),
                        from: Value::Bool(true),
                        to: Value::Bool(false),
                    });
                } else {
                    after.remove(&id);
                    if kind == Kind::User {
                        step.note = Some(there.what_goes_with(name));
                    }
                }
                self.steps.push(step);
            }
        }
    }

    /// Managers stand with domains here, and with users in Mailu's import.
    fn manage(&mut self, there: &Accounts, after: &BTreeMap<(Kind, String), Settings>) {
        let managed = |all: &BTreeMap<(Kind, String), Settings>| {
            let mut out: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
            for ((kind, domain), settings) in all {
                if *kind == Kind::Domain {
                    let list = settings.get("managers").and_then(Value::as_array);
                    for user in list.into_iter().flatten().filter_map(Value::as_str) {
                        out.entry(user.to_owned())
                            .or_default()
                            .insert(domain.clone());
                    }
                }
            }
            out
        };
        let (before, mut later) = (managed(&there.all), managed(after));
        for (user, domains) in before {
            if later.get(&user) == Some(&domains) {
                later.remove(&user);
            } else {
                later.entry(user).or_default();
            }
        }
        // Whoever goes, goes with all of that.
        later.retain(|user, _| after.contains_key(&(Kind::User, user.clone())));
        self.managed = later;
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The passwords that have to be hashed before [`Plan::document`].
    pub fn to_hash(&self) -> Vec<(&str, &Secret)> {
        self.passwords
            .iter()
            .filter_map(|(name, password)| match password {
                Password::Plain(secret) => Some((name.as_str(), secret)),
                Password::Hash(_) => None,
            })
            .collect()
    }

    /// The hash that a user is to have, if its password is set.
    pub fn hash<'p>(
        &'p self,
        user: &str,
        hashed: &'p BTreeMap<String, PasswordHash>,
    ) -> Option<&'p PasswordHash> {
        match self.passwords.get(user)? {
            Password::Hash(hash) => Some(hash),
            Password::Plain(_) => hashed.get(user),
        }
    }

    /// What `flask mailu config-import -u` has to read, with the hashes of [`Plan::to_hash`]. Deleting domains is not in it: what of that is
    /// left to do is [`Plan::domains_to_delete`].
    ///
    /// Lists are given whole, after `-prune-`: otherwise Mailu unites them with what it has (`core/admin/mailu/schemas.py`).
    pub fn document(&self, hashed: &BTreeMap<String, PasswordHash>) -> Secret {
        let mut sections: BTreeMap<Kind, Vec<Value>> = BTreeMap::new();
        let mut managed = self.managed.clone();
        for step in &self.steps {
            let key = step.kind.key();
            if step.action == Action::Delete {
                if step.kind != Kind::Domain {
                    let entry = json!({ format!("-{key}"): step.name });
                    sections.entry(step.kind).or_default().push(entry);
                }
                continue;
            }
            let mut entry = Settings::new();
            entry.insert(key.to_owned(), Value::from(step.name.as_str()));
            let exists = step.action != Action::Create;
            for change in &step.changes {
                if change.field == "managers" {
                    continue;
                }
                entry.insert(change.field.clone(), whole(&change.to, exists));
            }
            if step.kind == Kind::User {
                if let Some(hash) = self.hash(&step.name, hashed) {
                    entry.insert("password".to_owned(), Value::from(hash.expose()));
                }
                if let Some(domains) = managed.remove(&step.name) {
                    entry.insert("manager_of".to_owned(), whole(&names(domains), exists));
                }
            }
            if entry.len() > 1 || !exists {
                sections
                    .entry(step.kind)
                    .or_default()
                    .push(Value::Object(entry));
            }
        }
        for (user, domains) in managed {
            let entry = json!({ "email": user, "manager_of": whole(&names(domains), true) });
            sections.entry(Kind::User).or_default().push(entry);
        }
        let document: Settings = sections
            .into_iter()
            .map(|(kind, items)| (kind.as_str().to_owned(), items.into()))
            .collect();
        Secret::new(Value::Object(document).to_string())
    }

    /// Domains that are to be deleted once their addresses are gone.
    pub fn domains_to_delete(&self) -> Vec<&str> {
        self.steps
            .iter()
            .filter(|step| step.action == Action::Delete && step.kind == Kind::Domain)
            .map(|step| step.name.as_str())
            .collect()
    }

    /// Who goes, in words.
    pub fn departures(&self) -> Vec<String> {
        self.steps
            .iter()
            .filter(|step| matches!(step.action, Action::Disable | Action::Delete))
            .map(|step| {
                let note = step.note.as_deref().map(|note| format!(": {note}"));
                format!(
                    "{} {} {}{}",
                    step.action.as_str(),
                    step.kind,
                    step.name,
                    note.unwrap_or_default()
                )
            })
            .collect()
    }

    /// How many steps are of this kind.
    pub fn count(&self, action: Action) -> usize {
        self.steps
            .iter()
            .filter(|step| step.action == action)
            .count()
    }
}

fn names(names: BTreeSet<String>) -> Value {
    names.into_iter().map(Value::from).collect()
}

/// A list, so that it takes the place of the one that is there.
fn whole(value: &Value, exists: bool) -> Value {
    match value.as_array() {
        Some(items) if exists => std::iter::once(Value::from("-prune-"))
            .chain(items.iter().cloned())
            .collect(),
        _ => value.clone(),
    }
}

impl Accounts {
    /// What is lost with a user, and what is not.
    pub(super) fn what_goes_with(&self, user: &str) -> String {
        let tokens = self.tokens.get(user).copied().unwrap_or_default();
        let tokens = match tokens {
            0 => String::new(),
            1 => " and its token".to_owned(),
            n => format!(" and its {n} tokens"),
        };
        format!(
            "its settings{tokens} go; its mail stays on disk, where nobody reads it until there is a user of that address again"
        )
    }
}

/// Everything that speaks against it.
fn wrong(plan: &Plan, wanted: &Wanted, after: &BTreeMap<(Kind, String), Settings>) -> Vec<Finding> {
    let mut out = Vec::new();
    let has = |kind: Kind, name: &str| after.contains_key(&(kind, name.to_owned()));
    let places: BTreeMap<(Kind, &str), &Item> = wanted
        .items
        .iter()
        .map(|item| ((item.kind, item.name.as_str()), item))
        .collect();
    let number = |kind: Kind, name: &str, what: &str| {
        let settings = after.get(&(kind, name.to_owned()));
        settings.and_then(|s| s.get(what)?.as_i64())
    };
    let mut created: BTreeMap<(Kind, &str), usize> = BTreeMap::new();
    // Whoever has each name of a domain.
    let mut taken: BTreeMap<String, String> = BTreeMap::new();
    for ((kind, name), settings) in after {
        let mut own = vec![];
        if matches!(kind, Kind::Domain | Kind::Relay) {
            own.push(name.clone());
            let list = settings.get("alternatives").and_then(Value::as_array);
            own.extend(
                list.into_iter()
                    .flatten()
                    .filter_map(|n| Some(n.as_str()?.to_owned())),
            );
        }
        for one in own {
            if let Some(other) = taken.insert(one.clone(), format!("{kind} {name}")) {
                let place = places.get(&(*kind, name.as_str()));
                out.push(Finding::error(
                    "accounts.name_taken",
                    place.map_or_else(|| format!("{kind} {name}"), |item| item.place.clone()),
                    format!("`{one}` is also a name of {other}"),
                ));
            }
        }
    }
    for step in &plan.steps {
        let Some(item) = places.get(&(step.kind, step.name.as_str())) else {
            continue;
        };
        let wrong = |id: &str, what: String| Finding::error(id, item.place.clone(), what);
        let domain = domain_of(&step.name);
        let settings = after.get(&(step.kind, step.name.clone()));
        let setting = |name: &str| settings.and_then(|s| s.get(name));
        if matches!(step.kind, Kind::User | Kind::Alias) && !has(Kind::Domain, domain) {
            out.push(
                wrong(
                    "accounts.no_domain",
                    format!("{domain} is no email domain of this server"),
                )
                .hint(format!("`mailu domain add {domain}`")),
            );
        }
        if step.action == Action::Create && matches!(step.kind, Kind::User | Kind::Alias) {
            *created.entry((step.kind, domain)).or_default() += 1;
            let other = match step.kind {
                Kind::User => Kind::Alias,
                _ => Kind::User,
            };
            if has(other, &step.name) {
                out.push(wrong(
                    "accounts.address_taken",
                    format!("{} is also the address of a {other}", step.name),
                ));
            }
        }
        match step.kind {
            Kind::User => {
                if step.action == Action::Create && !step.password {
                    out.push(
                        wrong(
                            "accounts.no_password",
                            format!("{} is to be made, and has no password", step.name),
                        )
                        .hint("give a hash (`password_hash`), or let one be drawn: `--passwords-out FILE`"),
                    );
                }
                let most = number(Kind::Domain, domain, "max_quota_bytes").unwrap_or_default();
                let quota = step
                    .changes
                    .iter()
                    .find(|change| change.field == "quota_bytes")
                    .and_then(|change| change.to.as_i64());
                if let Some(quota) = quota
                    && most > 0
                    && (quota == 0 || quota > most)
                {
                    out.push(wrong(
                        "accounts.quota",
                        format!(
                            "the quota of {} is more than the {most} bytes that {domain} allows",
                            step.name
                        ),
                    ));
                }
                let no_place = setting("forward_destination")
                    .and_then(Value::as_array)
                    .is_none_or(Vec::is_empty);
                if setting("forward_enabled") == Some(&Value::Bool(true)) && no_place {
                    out.push(wrong(
                        "accounts.forward",
                        format!("{} is to forward its mail, to nobody", step.name),
                    ));
                }
            }
            Kind::Alias => {
                let nowhere = setting("destination")
                    .and_then(Value::as_array)
                    .is_none_or(Vec::is_empty);
                if nowhere {
                    out.push(wrong(
                        "accounts.destination",
                        format!("{} leads to nobody", step.name),
                    ));
                }
            }
            Kind::Domain => {
                let managers = step
                    .changes
                    .iter()
                    .find(|change| change.field == "managers");
                let managers = managers.and_then(|change| change.to.as_array());
                for user in managers.into_iter().flatten().filter_map(Value::as_str) {
                    if !has(Kind::User, user) {
                        out.push(wrong(
                            "accounts.manager",
                            format!("{user}, who is to manage it, is no user of this server"),
                        ));
                    }
                }
            }
            Kind::Relay => {}
        }
    }
    for ((kind, domain), new) in created {
        let limit = match kind {
            Kind::User => "max_users",
            _ => "max_aliases",
        };
        let most = number(Kind::Domain, domain, limit).unwrap_or(-1);
        let all = after
            .keys()
            .filter(|(of, name)| *of == kind && domain_of(name) == domain)
            .count();
        if usize::try_from(most).is_ok_and(|most| all > most) {
            out.push(
                Finding::error(
                    "accounts.too_many",
                    format!("domain {domain}"),
                    format!(
                        "would have {all} {}, {new} of them new; it may have {most}",
                        if kind == Kind::User {
                            "users"
                        } else {
                            "aliases"
                        }
                    ),
                )
                .hint(format!("`mailu domain set {domain} {limit}={all}`")),
            );
        }
    }
    out
}
