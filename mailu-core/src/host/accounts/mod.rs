//! Looking at accounts and changing them: single ones over Mailu's API, many by one import. What was written is read back.

mod desk;
mod many;

use std::path::{Path, PathBuf};

use ipnet::IpNet;
use rand_core::OsRng;
use serde::Serialize;
use serde_json::{Value, json};

use super::files::{self, Disk};
use super::root::Mailu;
use super::{hints, lock};
use crate::accounts::{
    self, Accounts, Action, Alias, AliasSettings, Difference, Domain, DomainSettings, Kind,
    NewToken, Plan, Prune, Relay, RelaySettings, Settings, Token, User, UserSettings,
};
use crate::error::{Error, ErrorKind};
use crate::names::{EmailAddress, EmailDomain};
use crate::paths::Layout;
use crate::secret::Secret;

pub(super) use desk::Desk;

/// How an account is to be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// It is made; one that is there has to be so already.
    Add,
    /// One that is there is changed.
    Set,
    /// It is made, or changed.
    Ensure,
}

/// How a change is made.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct ChangeOptions {
    /// What may be done.
    pub change: Change,
    /// Only say what would be done.
    pub dry_run: bool,
}

impl ChangeOptions {
    /// With these.
    pub const fn new(change: Change, dry_run: bool) -> Self {
        Self { change, dry_run }
    }
}

impl Default for ChangeOptions {
    /// An account is made, or changed.
    fn default() -> Self {
        Self::new(Change::Ensure, false)
    }
}

/// What became of an account.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct AccountChange {
    /// What it is.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// What was done, or in a dry run would be; nothing if it is as it should be.
    pub action: Option<Action>,
    /// What became of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Difference>,
    /// Whether its password was set.
    pub password: bool,
    /// Whether it was done.
    pub performed: bool,
    /// What else follows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl AccountChange {
    fn none(kind: Kind, name: &str) -> Self {
        Self {
            kind,
            name: name.to_owned(),
            action: None,
            changes: Vec::new(),
            password: false,
            performed: false,
            notes: Vec::new(),
        }
    }
}

/// What goes when an account is deleted, and what is left of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Departure {
    /// Whether it is there.
    pub exists: bool,
    /// Users that go with a domain.
    pub users: Vec<String>,
    /// Aliases that go with a domain.
    pub aliases: Vec<String>,
    /// How many tokens go with it.
    pub tokens: usize,
    /// Directories with mail, which stay and which nobody reads then.
    pub mail: Vec<PathBuf>,
    /// Aliases that lead to it, and then to nobody.
    pub leading_to_it: Vec<String>,
}

/// How many accounts are changed.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct AccountsOptions {
    /// What happens to accounts that are not named.
    pub prune: Prune,
    /// Whether users that exist get the passwords that are named, too.
    pub reset_passwords: bool,
    /// A file for the passwords that are drawn for new users without one; only its owner can read it.
    pub passwords_out: Option<PathBuf>,
}

/// What became of many accounts.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct AccountsApplied {
    /// The plan.
    pub plan: Plan,
    /// Whether it was performed.
    pub performed: bool,
    /// For how many users a password was drawn.
    pub drawn: usize,
    /// The file that those are in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passwords_file: Option<PathBuf>,
}

/// Draws a password that nobody has to type often: 20 letters and digits.
pub fn draw_password() -> Secret {
    Secret::draw(&mut OsRng, desk::DRAWN)
}

/// Keeps a secret in a file that only its owner can read.
///
/// # Errors
///
/// [`ErrorKind::Io`].
pub fn keep_secret(path: &Path, text: &str) -> Result<(), Error> {
    files::write_atomically(&mut Disk, path, 0o600, None, text.as_bytes())
}

/// Looking.
impl Mailu {
    /// All accounts at `layout`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Docker`] or [`ErrorKind::Conflict`] if Mailu cannot be asked.
    pub fn accounts(&self, layout: &Layout) -> Result<Accounts, Error> {
        self.asking(layout, Desk::exported)
    }

    /// The email domains.
    ///
    /// # Errors
    ///
    /// As [`Mailu::accounts`].
    pub fn domains(&self, layout: &Layout) -> Result<Vec<Domain>, Error> {
        self.asking(layout, |desk| {
            desk.all(Kind::Domain, |name, map, _| {
                Some(Domain {
                    name: name.parse().ok()?,
                    settings: DomainSettings::from_map(map),
                })
            })
        })
    }

    /// The users.
    ///
    /// # Errors
    ///
    /// As [`Mailu::accounts`].
    pub fn users(&self, layout: &Layout) -> Result<Vec<User>, Error> {
        self.asking(layout, |desk| desk.all(Kind::User, user))
    }

    /// The aliases.
    ///
    /// # Errors
    ///
    /// As [`Mailu::accounts`].
    pub fn aliases(&self, layout: &Layout) -> Result<Vec<Alias>, Error> {
        self.asking(layout, |desk| desk.all(Kind::Alias, alias))
    }

    /// The relayed domains.
    ///
    /// # Errors
    ///
    /// As [`Mailu::accounts`].
    pub fn relays(&self, layout: &Layout) -> Result<Vec<Relay>, Error> {
        self.asking(layout, |desk| {
            desk.all(Kind::Relay, |name, map, _| {
                Some(Relay {
                    name: name.parse().ok()?,
                    settings: RelaySettings::from_map(map),
                })
            })
        })
    }

    /// An email domain; nothing if there is no such.
    ///
    /// # Errors
    ///
    /// As [`Mailu::accounts`].
    pub fn domain(&self, layout: &Layout, name: &EmailDomain) -> Result<Option<Domain>, Error> {
        self.asking(layout, |desk| {
            Ok(desk.look(Kind::Domain, name.as_str())?.map(|found| Domain {
                name: name.clone(),
                settings: DomainSettings::from_map(&found.settings),
            }))
        })
    }

    /// A user; nothing if there is no such.
    ///
    /// # Errors
    ///
    /// As [`Mailu::accounts`].
    pub fn user(&self, layout: &Layout, email: &EmailAddress) -> Result<Option<User>, Error> {
        self.asking(layout, |desk| {
            let name = email.to_string();
            let found = desk.look(Kind::User, &name)?;
            Ok(found.and_then(|found| user(&name, &found.settings, &found.raw)))
        })
    }

    /// An alias; nothing if there is no such.
    ///
    /// # Errors
    ///
    /// As [`Mailu::accounts`].
    pub fn alias(&self, layout: &Layout, email: &EmailAddress) -> Result<Option<Alias>, Error> {
        self.asking(layout, |desk| {
            let name = email.to_string();
            let found = desk.look(Kind::Alias, &name)?;
            Ok(found.and_then(|found| alias(&name, &found.settings, &found.raw)))
        })
    }

    /// A relayed domain; nothing if there is no such.
    ///
    /// # Errors
    ///
    /// As [`Mailu::accounts`].
    pub fn relay(&self, layout: &Layout, name: &EmailDomain) -> Result<Option<Relay>, Error> {
        self.asking(layout, |desk| {
            Ok(desk.look(Kind::Relay, name.as_str())?.map(|found| Relay {
                name: name.clone(),
                settings: RelaySettings::from_map(&found.settings),
            }))
        })
    }

    /// The tokens, of one user or of all.
    ///
    /// # Errors
    ///
    /// As [`Mailu::accounts`].
    pub fn tokens(
        &self,
        layout: &Layout,
        email: Option<&EmailAddress>,
    ) -> Result<Vec<Token>, Error> {
        self.asking(layout, |desk| desk.tokens(email))
    }

    /// What goes when an account is deleted, and what is left of it.
    ///
    /// # Errors
    ///
    /// As [`Mailu::accounts`].
    pub fn departure(&self, layout: &Layout, kind: Kind, name: &str) -> Result<Departure, Error> {
        self.asking(layout, |desk| desk.departure(kind, name))
    }
}

/// Changing one.
impl Mailu {
    /// Makes an email domain, or changes it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] or [`ErrorKind::Conflict`] if that cannot be, and as [`Mailu::accounts`].
    pub fn put_domain(
        &self,
        layout: &Layout,
        name: &EmailDomain,
        settings: &DomainSettings,
        options: ChangeOptions,
    ) -> Result<AccountChange, Error> {
        self.put(
            layout,
            Kind::Domain,
            name.as_str(),
            &settings.to_map(),
            None,
            options,
        )
    }

    /// Makes a user, or changes one. `password` is for a user that is made; without one, it is drawn, and nobody knows it: tokens, or
    /// [`Mailu::set_password`], let the user in. A quota that is not given is the deployment's.
    ///
    /// # Errors
    ///
    /// As [`Mailu::put_domain`].
    pub fn put_user(
        &self,
        layout: &Layout,
        email: &EmailAddress,
        settings: &UserSettings,
        password: Option<&Secret>,
        options: ChangeOptions,
    ) -> Result<AccountChange, Error> {
        self.put(
            layout,
            Kind::User,
            &email.to_string(),
            &settings.to_map(),
            password,
            options,
        )
    }

    /// Makes an alias, or changes one.
    ///
    /// # Errors
    ///
    /// As [`Mailu::put_domain`].
    pub fn put_alias(
        &self,
        layout: &Layout,
        email: &EmailAddress,
        settings: &AliasSettings,
        options: ChangeOptions,
    ) -> Result<AccountChange, Error> {
        self.put(
            layout,
            Kind::Alias,
            &email.to_string(),
            &settings.to_map(),
            None,
            options,
        )
    }

    /// Makes a relayed domain, or changes one.
    ///
    /// # Errors
    ///
    /// As [`Mailu::put_domain`].
    pub fn put_relay(
        &self,
        layout: &Layout,
        name: &EmailDomain,
        settings: &RelaySettings,
        options: ChangeOptions,
    ) -> Result<AccountChange, Error> {
        self.put(
            layout,
            Kind::Relay,
            name.as_str(),
            &settings.to_map(),
            None,
            options,
        )
    }

    /// Makes an account of any kind, or changes one: attributes by Mailu's names.
    ///
    /// # Errors
    ///
    /// As [`Mailu::put_domain`].
    pub fn put(
        &self,
        layout: &Layout,
        kind: Kind,
        name: &str,
        settings: &Settings,
        password: Option<&Secret>,
        options: ChangeOptions,
    ) -> Result<AccountChange, Error> {
        let (name, settings) = checked(kind, name, settings, password)?;
        let _lock = locked(layout, options.dry_run)?;
        self.asking(layout, |desk| {
            desk.put(kind, &name, &settings, password, options)
        })
    }

    /// Gives a user another password. Its sessions on the web end.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] if there is no such user, and as [`Mailu::put_domain`].
    pub fn set_password(
        &self,
        layout: &Layout,
        email: &EmailAddress,
        password: &Secret,
    ) -> Result<AccountChange, Error> {
        let name = email.to_string();
        checked(Kind::User, &name, &Settings::new(), Some(password))?;
        let _lock = locked(layout, false)?;
        self.asking(layout, |desk| desk.set_password(&name, password))
    }

    /// Deletes an account. One that is not there is deleted. With a domain go its users and aliases. Mail is never deleted.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Conflict`] for what the deployment itself needs, and as [`Mailu::put_domain`].
    pub fn delete_account(
        &self,
        layout: &Layout,
        kind: Kind,
        name: &str,
        dry_run: bool,
    ) -> Result<AccountChange, Error> {
        let (name, _) = checked(kind, name, &Settings::new(), None)?;
        let _lock = locked(layout, dry_run)?;
        self.asking(layout, |desk| desk.delete(kind, &name, dry_run))
    }

    /// Has Mailu draw a token for a user. With networks, it counts only for whoever comes from there; behind Docker's own addresses that
    /// is often somebody else than it seems.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] if there is no such user, and as [`Mailu::put_domain`].
    pub fn create_token(
        &self,
        layout: &Layout,
        email: &EmailAddress,
        comment: &str,
        authorized: &[IpNet],
    ) -> Result<NewToken, Error> {
        let note = json!({ "comment": comment });
        accounts::check_settings(
            Kind::User,
            &email.to_string(),
            note.as_object().unwrap_or(&Settings::new()),
        )?;
        let _lock = locked(layout, false)?;
        self.asking(layout, |desk| desk.create_token(email, comment, authorized))
    }

    /// Deletes a token; whether it was there. Whoever uses it is refused from then on.
    ///
    /// # Errors
    ///
    /// As [`Mailu::put_domain`].
    pub fn delete_token(&self, layout: &Layout, id: u64) -> Result<bool, Error> {
        let _lock = locked(layout, false)?;
        self.asking(layout, |desk| desk.delete_token(id))
    }

    fn asking<T>(
        &self,
        layout: &Layout,
        what: impl FnOnce(&Desk) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.config(layout)
            .and_then(|(config, _)| what(&Desk::open(layout, config)?))
            .map_err(|error| hints::error(error, self.root()))
    }
}

fn locked(layout: &Layout, dry_run: bool) -> Result<lock::Locks, Error> {
    if dry_run {
        Ok(lock::Locks::none())
    } else {
        lock::take_own(layout)
    }
}

/// A name and attributes in the form in which Mailu keeps them.
fn checked(
    kind: Kind,
    name: &str,
    settings: &Settings,
    password: Option<&Secret>,
) -> Result<(String, Settings), Error> {
    let invalid = |what: String| Error::new(ErrorKind::InvalidInput, "accounts.invalid", what);
    let name = kind
        .name(name)
        .map_err(|rule| invalid(format!("use the {} `{name}`: it {rule}", kind.key())))?;
    if let Some(password) = password {
        accounts::check_password(password)
            .map_err(|rule| invalid(format!("set the password of {name}: it {rule}")))?;
    }
    let settings = accounts::check_settings(kind, &name, settings)?;
    Ok((name, settings))
}

fn user(name: &str, map: &Settings, raw: &Value) -> Option<User> {
    Some(User {
        email: name.parse().ok()?,
        settings: UserSettings::from_map(map),
        quota_bytes_used: raw.get("quota_bytes_used").and_then(Value::as_u64),
    })
}

fn alias(name: &str, map: &Settings, _: &Value) -> Option<Alias> {
    Some(Alias {
        email: name.parse().ok()?,
        settings: AliasSettings::from_map(map),
    })
}

impl Departure {
    /// What becomes of it, in words.
    pub fn notes(&self) -> Vec<String> {
        let mut out = Vec::new();
        let count = |n: usize, one: &str, many: &str| match n {
            1 => format!("1 {one}"),
            n => format!("{n} {many}"),
        };
        if !self.users.is_empty() {
            out.push(format!(
                "{} go with it: {}",
                count(self.users.len(), "user", "users"),
                self.users.join(", ")
            ));
        }
        if !self.aliases.is_empty() {
            out.push(format!(
                "{} go with it: {}",
                count(self.aliases.len(), "alias", "aliases"),
                self.aliases.join(", ")
            ));
        }
        if self.tokens > 0 {
            out.push(format!(
                "{} go with it: apps that use them are refused",
                count(self.tokens, "token", "tokens")
            ));
        }
        if !self.leading_to_it.is_empty() {
            out.push(format!(
                "lead to nobody then: {}",
                self.leading_to_it.join(", ")
            ));
        }
        for path in &self.mail {
            out.push(format!(
                "mail stays in {}, where nobody reads it until there is a user of that address again",
                path.display()
            ));
        }
        out
    }
}
