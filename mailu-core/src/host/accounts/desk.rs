//! Accounts of one deployment, one at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use ipnet::IpNet;
use rand_core::OsRng;
use serde_json::{Value, json};

use super::{AccountChange, AccountsOptions, Change, ChangeOptions, Departure};
use crate::accounts::{
    self, Action, Difference, Kind, NewToken, PasswordHash, Settings, Token, Wanted, field, normal,
};
use crate::apps;
use crate::config::Config;
use crate::error::{Error, ErrorKind};
use crate::host::admin::{Admin, has_path};
use crate::host::perform::Hidden;
use crate::names::EmailAddress;
use crate::paths::Layout;
use crate::secret::Secret;

/// The length of a password that nobody chose.
pub(super) const DRAWN: usize = 20;

/// An account as the API shows it.
pub(in crate::host) struct Found {
    pub(super) settings: Settings,
    pub(super) raw: Value,
}

/// Where accounts of one deployment are looked at and changed. Whoever changes something holds the deployment's lock.
pub(in crate::host) struct Desk {
    pub(in crate::host) admin: Admin,
    pub(in crate::host) layout: Layout,
    pub(in crate::host) config: Config,
}

impl Desk {
    /// The desk of a deployment that runs.
    pub(in crate::host) fn open(layout: &Layout, config: Config) -> Result<Self, Error> {
        Ok(Self {
            admin: Admin::open(layout, &config)?,
            layout: layout.clone(),
            config,
        })
    }

    pub(super) fn all<T>(
        &self,
        kind: Kind,
        read: impl Fn(&str, &Settings, &Value) -> Option<T>,
    ) -> Result<Vec<T>, Error> {
        let all = self.admin.list(&[kind.as_str()])?;
        let mut found: Vec<(String, T)> = all
            .iter()
            .filter_map(|raw| {
                let name = kind.name(raw.get(kind.key())?.as_str()?).ok()?;
                let one = read(&name, &settings_of(kind, raw), raw)?;
                Some((name, one))
            })
            .collect();
        found.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(found.into_iter().map(|(_, one)| one).collect())
    }

    /// An account; nothing if there is no such.
    pub(in crate::host) fn look(&self, kind: Kind, name: &str) -> Result<Option<Found>, Error> {
        let raw = if has_path(name) {
            self.admin.get(&[kind.as_str(), name])?
        } else {
            self.admin.list(&[kind.as_str()])?.into_iter().find(|raw| {
                let own = raw.get(kind.key()).and_then(Value::as_str);
                own.and_then(|own| kind.name(own).ok()).as_deref() == Some(name)
            })
        };
        Ok(raw.map(|raw| Found {
            settings: settings_of(kind, &raw),
            raw,
        }))
    }

    pub(in crate::host) fn tokens(
        &self,
        email: Option<&EmailAddress>,
    ) -> Result<Vec<Token>, Error> {
        let own = email.map(ToString::to_string);
        let raw = match &own {
            Some(name) if has_path(name) => match self.admin.get(&["tokenuser", name])? {
                Some(Value::Array(all)) => all,
                _ => return Err(no_user(name, "list the tokens of")),
            },
            _ => self.admin.list(&["token"])?,
        };
        let mut all: Vec<Token> = raw.iter().filter_map(Token::from_api).collect();
        all.retain(|token| email.is_none_or(|email| token.email == *email));
        all.sort_by(|a, b| (&a.email, a.id).cmp(&(&b.email, b.id)));
        Ok(all)
    }

    pub(in crate::host) fn create_token(
        &self,
        email: &EmailAddress,
        comment: &str,
        authorized: &[IpNet],
    ) -> Result<NewToken, Error> {
        let networks: Vec<String> = authorized.iter().map(ToString::to_string).collect();
        let doing = format!("make a token for {email}");
        let mut body = json!({ "email": email.to_string(), "comment": comment });
        if !networks.is_empty() {
            body["AuthorizedIP"] = networks.into();
        }
        loop {
            let made = self
                .admin
                .post(&doing, &["token"], &body)
                .map_err(|error| {
                    if error.code() == "admin.not_found" {
                        no_user(&email.to_string(), "make a token for")
                    } else {
                        error
                    }
                })?;
            let secret = made.get("token").and_then(Value::as_str).map(Secret::new);
            let (Some(token), Some(secret)) = (Token::from_api(&made), secret) else {
                return Err(not_taken(&doing, "its answer is no token"));
            };
            if apps::is_numeric_looking(secret.expose()) {
                self.delete_token(token.id)?;
                continue;
            }
            let kept = self.admin.get(&["token", &token.id.to_string()])?;
            let kept = kept.as_ref().and_then(Token::from_api);
            let wanted: BTreeSet<&IpNet> = authorized.iter().collect();
            return match kept {
                Some(kept)
                    if kept.email == *email
                        && kept.comment == comment
                        && kept.authorized.iter().collect::<BTreeSet<_>>() == wanted =>
                {
                    Ok(NewToken::new(kept, secret))
                }
                _ => {
                    self.delete_token(token.id)?;
                    Err(not_taken(&doing, "it is not there as it was asked for"))
                }
            };
        }
    }

    pub(in crate::host) fn delete_token(&self, id: u64) -> Result<bool, Error> {
        let id = id.to_string();
        if self.admin.get(&["token", &id])?.is_none() {
            return Ok(false);
        }
        let doing = format!("delete the token {id}");
        self.admin.delete(&doing, &["token", &id])?;
        match self.admin.get(&["token", &id])? {
            None => Ok(true),
            Some(_) => Err(not_taken(&doing, "it is still there")),
        }
    }

    pub(in crate::host) fn put(
        &self,
        kind: Kind,
        name: &str,
        settings: &Settings,
        password: Option<&Secret>,
        options: ChangeOptions,
    ) -> Result<AccountChange, Error> {
        let now = self.look(kind, name)?;
        let mut change = AccountChange::none(kind, name);
        let mut settings = settings.clone();
        let doing = match (&now, options.change) {
            (None, Change::Set) => return Err(absent(kind, name)),
            (None, _) => {
                if kind == Kind::User && !settings.contains_key("quota_bytes") {
                    settings.insert("quota_bytes".to_owned(), quota(&self.config).into());
                }
                change.action = Some(Action::Create);
                change.changes = accounts::differences(kind, &settings, &Settings::new());
                change.password = kind == Kind::User;
                self.may_be_made(kind, name, &settings)?;
                format!("make the {kind} {name}")
            }
            (Some(found), _) => {
                change.changes = accounts::differences(kind, &settings, &found.settings);
                if change.changes.is_empty() {
                    return Ok(change);
                }
                if options.change == Change::Add {
                    return Err(is_there(kind, name, &change.changes));
                }
                change.action = Some(Action::Change);
                format!("change the {kind} {name}")
            }
        };
        if kind == Kind::User {
            self.fits(name, &settings)?;
            let own = self.config.admin_email.to_string();
            if name == own.to_ascii_lowercase() && settings.get("enabled") == Some(&false.into()) {
                return Err(needed(
                    kind,
                    name,
                    "disable",
                    "it is the deployment's administrator",
                ));
            }
        }
        if options.dry_run {
            return Ok(change);
        }
        let drawn;
        let password = match (kind, change.action, password) {
            (Kind::User, Some(Action::Create), None) => {
                drawn = Secret::draw(&mut OsRng, DRAWN);
                Some(&drawn)
            }
            (Kind::User, Some(Action::Create), given) => given,
            _ => None,
        };
        if self.api_can(kind, name, &change)? {
            let there = now.as_ref().map(|found| &found.settings);
            self.write(&doing, kind, name, there, &change, password)?;
        } else {
            self.import_one(kind, name, &settings, password)?;
        }
        let after = self.look(kind, name)?;
        let left = match &after {
            Some(found) => accounts::differences(kind, &settings, &found.settings),
            None => return Err(not_taken(&doing, "it is not there")),
        };
        if let Some(first) = left.first() {
            return Err(not_taken(
                &doing,
                &format!("it did not take {}", first.field),
            ));
        }
        if let (Some(found), Some(password)) = (&after, password) {
            has_password(&doing, &found.raw, password)?;
        }
        change.performed = true;
        Ok(change)
    }

    /// What Mailu's API does not look at when an account is made.
    fn may_be_made(&self, kind: Kind, name: &str, settings: &Settings) -> Result<(), Error> {
        let other = match kind {
            Kind::User => Kind::Alias,
            Kind::Alias => Kind::User,
            Kind::Domain | Kind::Relay => return Ok(()),
        };
        if self.look(other, name)?.is_some() {
            return Err(Error::new(
                ErrorKind::Conflict,
                "accounts.address_taken",
                format!(
                    "make the {kind} {name}: there is {} of that address",
                    article(other)
                ),
            )
            .hint(format!("`mailu {other} show {name}`")));
        }
        let domain = name.rsplit_once('@').map_or("", |(_, domain)| domain);
        if self.look(Kind::Domain, domain)?.is_none() {
            return Err(Error::new(
                ErrorKind::NotFound,
                "accounts.no_domain",
                format!("make the {kind} {name}: {domain} is no email domain of this server"),
            )
            .hint(format!("`mailu domain add {domain}`")));
        }
        let destination = settings.get("destination").and_then(Value::as_array);
        if kind == Kind::Alias && destination.is_none_or(Vec::is_empty) {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "accounts.destination",
                format!("make the alias {name}: it leads to nobody"),
            )
            .hint(format!("`mailu alias add {name} anna@{domain}`")));
        }
        Ok(())
    }

    /// Whether a quota is one that the domain allows.
    fn fits(&self, name: &str, settings: &Settings) -> Result<(), Error> {
        let Some(quota) = settings.get("quota_bytes").and_then(Value::as_i64) else {
            return Ok(());
        };
        let domain = name.rsplit_once('@').map_or("", |(_, domain)| domain);
        let found = self.look(Kind::Domain, domain)?;
        let most = found
            .and_then(|found| found.settings.get("max_quota_bytes")?.as_i64())
            .unwrap_or_default();
        if most > 0 && (quota == 0 || quota > most) {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "accounts.quota",
                format!(
                    "set the quota of {name}: it is more than the {most} bytes that {domain} allows"
                ),
            )
            .hint(format!("`mailu domain set {domain} max_quota={quota}`")));
        }
        Ok(())
    }

    /// Whether the API can do it. It empties no list of addresses to forward to, and knows no alias that leads to another server.
    fn api_can(&self, kind: Kind, name: &str, change: &AccountChange) -> Result<bool, Error> {
        if !has_path(name) {
            return Ok(false);
        }
        for one in &change.changes {
            let items = one.to.as_array();
            match (kind, one.field.as_str(), items) {
                (Kind::User, "forward_destination", Some(items)) if items.is_empty() => {
                    return Ok(false);
                }
                (Kind::Alias, "destination", Some(items)) => {
                    for address in items.iter().filter_map(Value::as_str) {
                        if self.look(Kind::User, address)?.is_none() {
                            return Ok(false);
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(true)
    }

    /// Writes over the API.
    fn write(
        &self,
        doing: &str,
        kind: Kind,
        name: &str,
        there: Option<&Settings>,
        change: &AccountChange,
        password: Option<&Secret>,
    ) -> Result<(), Error> {
        let path = [kind.as_str(), name];
        // These have paths of their own.
        let (mut alternatives, mut managers) = (None, None);
        let mut body = Settings::new();
        for one in &change.changes {
            match (kind, one.field.as_str()) {
                (Kind::Domain, "alternatives") => alternatives = Some(names(&one.to)),
                (Kind::Domain, "managers") => managers = Some(names(&one.to)),
                _ => {
                    body.insert(one.field.clone(), one.to.clone());
                }
            }
        }
        let before = |field: &str| {
            let value = there.and_then(|there| there.get(field));
            value.map(names).unwrap_or_default()
        };
        let had = before("alternatives");
        if let Some(wanted) = &alternatives {
            let new: Vec<&String> = wanted.difference(&had).collect();
            if !new.is_empty() {
                body.insert("alternatives".to_owned(), json!(new));
            }
        }
        if there.is_none() {
            body.insert(kind.key().to_owned(), name.into());
            if let Some(password) = password {
                body.insert("raw_password".to_owned(), password.expose().into());
            }
            self.admin.post(doing, &path[..1], &Value::Object(body))?;
        } else if !body.is_empty() {
            self.admin.patch(doing, &path, &Value::Object(body))?;
        }
        if let Some(wanted) = &alternatives {
            for gone in had.difference(wanted) {
                self.admin.delete(doing, &["alternative", gone])?;
            }
        }
        if let Some(wanted) = &managers {
            let had = before("managers");
            for new in wanted.difference(&had) {
                let body = json!({ "user_email": new });
                self.admin
                    .post(doing, &["domain", name, "manager"], &body)?;
            }
            for gone in had.difference(wanted) {
                self.admin
                    .delete(doing, &["domain", name, "manager", gone])?;
            }
        }
        Ok(())
    }

    /// Writes what the API cannot.
    fn import_one(
        &self,
        kind: Kind,
        name: &str,
        settings: &Settings,
        password: Option<&Secret>,
    ) -> Result<(), Error> {
        let mut wanted = Wanted::one(kind, name, settings.clone());
        if let Some(password) = password {
            wanted.set_password(name, password.clone());
        }
        let mut hidden = Hidden;
        self.settle(&mut hidden)?;
        let there = self.exported()?;
        let context = self.context(&AccountsOptions::default());
        let plan = accounts::plan(&wanted, &there, &context)?;
        let hashed = self.hashed(&plan.to_hash(), &mut hidden)?;
        self.import(&plan, &hashed, &mut hidden)
    }

    pub(in crate::host) fn set_password(
        &self,
        name: &str,
        password: &Secret,
    ) -> Result<AccountChange, Error> {
        let doing = format!("set the password of {name}");
        let Some(found) = self.look(Kind::User, name)? else {
            return Err(absent(Kind::User, name));
        };
        let mut change = AccountChange::none(Kind::User, name);
        if has_password(&doing, &found.raw, password).is_ok() {
            return Ok(change);
        }
        let body = json!({ "raw_password": password.expose() });
        self.admin.patch(&doing, &["user", name], &body)?;
        let after = self.look(Kind::User, name)?;
        let raw = after.map(|found| found.raw).unwrap_or_default();
        has_password(&doing, &raw, password)?;
        change.action = Some(Action::Change);
        change.password = true;
        change.performed = true;
        Ok(change)
    }

    pub(in crate::host) fn delete(
        &self,
        kind: Kind,
        name: &str,
        dry_run: bool,
    ) -> Result<AccountChange, Error> {
        let mut change = AccountChange::none(kind, name);
        let departure = self.departure(kind, name)?;
        if !departure.exists {
            return Ok(change);
        }
        if protected(&self.config).contains(&(kind, name.to_owned())) && kind != Kind::Alias {
            let why = match kind {
                Kind::Domain => "it is an email domain of its mailu.toml",
                _ => "it is its administrator",
            };
            return Err(needed(kind, name, "delete", why));
        }
        change.action = Some(Action::Delete);
        change.notes = departure.notes();
        if dry_run {
            return Ok(change);
        }
        let doing = format!("delete the {kind} {name}");
        if has_path(name) {
            self.admin.delete(&doing, &[kind.as_str(), name])?;
        } else {
            let document = json!({ kind.as_str(): [{ format!("-{}", kind.key()): name }] });
            self.write_document(&Secret::new(document.to_string()), 1, &BTreeMap::new())?;
        }
        if self.look(kind, name)?.is_some() {
            return Err(not_taken(&doing, "it is still there"));
        }
        change.performed = true;
        Ok(change)
    }

    pub(super) fn departure(&self, kind: Kind, name: &str) -> Result<Departure, Error> {
        let mut out = Departure::default();
        if self.look(kind, name)?.is_none() {
            return Ok(out);
        }
        out.exists = true;
        let mut users = Vec::new();
        match kind {
            Kind::User => users.push(name.to_owned()),
            Kind::Domain => {
                let addresses = |kind: Kind| -> Result<Vec<String>, Error> {
                    let mut all = self.all(kind, |name, _, _| Some(name.to_owned()))?;
                    all.retain(|address| {
                        address.rsplit_once('@').is_some_and(|(_, of)| of == name)
                    });
                    Ok(all)
                };
                out.users = addresses(Kind::User)?;
                out.aliases = addresses(Kind::Alias)?;
                users.clone_from(&out.users);
            }
            Kind::Alias | Kind::Relay => {}
        }
        if users.is_empty() {
            return Ok(out);
        }
        let gone: BTreeSet<&str> = users.iter().map(String::as_str).collect();
        let tokens = self.tokens(None)?;
        out.tokens = tokens
            .iter()
            .filter(|token| gone.contains(token.email.to_string().as_str()))
            .count();
        let aliases = self.all(Kind::Alias, |name, map, _| {
            let to = map.get("destination").map(names).unwrap_or_default();
            Some((name.to_owned(), to))
        })?;
        out.leading_to_it = aliases
            .into_iter()
            .filter(|(name, to)| {
                !out.aliases.contains(name) && to.iter().any(|one| gone.contains(one.as_str()))
            })
            .map(|(name, _)| name)
            .collect();
        for user in &users {
            out.mail.extend(self.mail_of(user));
        }
        Ok(out)
    }

    /// The directory with a user's mail, if there is one. Mailu names it as people write the address.
    fn mail_of(&self, user: &str) -> Option<PathBuf> {
        let address = user.parse::<EmailAddress>().ok()?;
        let written = format!("{}@{}", address.local(), address.domain().unicode());
        [written, user.to_owned()]
            .iter()
            .map(|name| self.layout.file("data/mail").join(name))
            .find(|path| path.is_dir())
    }
}

/// The attributes of an account, as the API shows it.
fn settings_of(kind: Kind, raw: &Value) -> Settings {
    accounts::fields(kind)
        .iter()
        .filter_map(|one| {
            // In lists, the API leaves out what is nothing.
            let value = raw.get(one.name).unwrap_or(&Value::Null);
            Some((one.name.to_owned(), normal(field(kind, one.name)?, value)))
        })
        .filter(|(_, value)| !value.is_null())
        .collect()
}

pub(super) fn names(value: &Value) -> BTreeSet<String> {
    let items = value.as_array().into_iter().flatten();
    items
        .filter_map(|one| one.as_str().map(str::to_owned))
        .collect()
}

/// The quota of a new user, as in Mailu's own form.
pub(super) fn quota(config: &Config) -> i64 {
    i64::try_from(config.limits.quota.0).unwrap_or(i64::MAX)
}

/// What the deployment itself needs.
pub(super) fn protected(config: &Config) -> BTreeSet<(Kind, String)> {
    let mut all = BTreeSet::from([(
        Kind::User,
        config.admin_email.to_string().to_ascii_lowercase(),
    )]);
    for domain in config.domains() {
        all.insert((Kind::Domain, domain.to_string()));
        all.insert((Kind::Alias, format!("postmaster@{domain}")));
    }
    all
}

/// Whether a user has this password, by the hash that the API shows.
fn has_password(doing: &str, raw: &Value, password: &Secret) -> Result<(), Error> {
    let hash = raw.get("password").and_then(Value::as_str);
    let hash = hash.and_then(|text| PasswordHash::parse(text).ok());
    match hash.and_then(|hash| hash.verifies(password)) {
        Some(true) => Ok(()),
        _ => Err(not_taken(doing, "the password is another")),
    }
}

fn article(kind: Kind) -> String {
    match kind {
        Kind::Alias => "an alias".to_owned(),
        other => format!("a {other}"),
    }
}

pub(super) fn not_taken(doing: &str, why: &str) -> Error {
    Error::new(
        ErrorKind::Docker,
        "accounts.not_taken",
        format!("{doing}: Mailu was asked to, and {why}"),
    )
    .hint("the same command tries it again")
    .hint("`mailu logs --tail 50 admin` may show why")
}

fn absent(kind: Kind, name: &str) -> Error {
    Error::new(
        ErrorKind::NotFound,
        "accounts.not_found",
        format!("change the {kind} {name}: there is no such {kind}"),
    )
    .hint(format!(
        "`mailu {kind} list` shows those there are; `mailu {kind} add {name}` makes it"
    ))
}

fn no_user(name: &str, doing: &str) -> Error {
    Error::new(
        ErrorKind::NotFound,
        "accounts.not_found",
        format!("{doing} {name}: there is no such user"),
    )
    .hint("`mailu user list` shows those there are")
}

fn is_there(kind: Kind, name: &str, changes: &[Difference]) -> Error {
    let changes: Vec<String> = changes.iter().map(ToString::to_string).collect();
    Error::new(
        ErrorKind::Conflict,
        "accounts.exists",
        format!(
            "make the {kind} {name}: it is there, and differs ({})",
            changes.join("; ")
        ),
    )
    .hint(format!("`mailu {kind} set {name} …` changes it"))
}

fn needed(kind: Kind, name: &str, doing: &str, why: &str) -> Error {
    Error::new(
        ErrorKind::Conflict,
        "accounts.needed",
        format!("{doing} the {kind} {name}: the deployment needs it: {why}"),
    )
    .hint("change mailu.toml first: `mailu config set admin_email …`, `mailu config set email_domains …`")
}
