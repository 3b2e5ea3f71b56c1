//! Email domains, users, aliases, tokens, relayed domains.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::request::{Parsed, Plains, Request, Source, of, request};
use crate::accounts::{
    self, Alias, Domain, Kind, NewToken, Prune, Relay, Settings, Token, User, Wanted,
};
use crate::error::{Error, ErrorKind};
use crate::host::accounts::{
    AccountChange, AccountsApplied, AccountsOptions, Change, ChangeOptions, draw_password,
    keep_secret,
};
use crate::host::files;
use crate::host::perform::Progress;
use crate::host::root::{Mailu, Target};
use crate::names::{EmailAddress, EmailDomain};
use crate::paths::Layout;
use crate::secret::{Revealed, Secret};

/// What became of a user, and of a password that was drawn for it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct UserChanged {
    /// What became of it.
    #[serde(flatten)]
    pub change: AccountChange,
    /// The password that was drawn, which is told this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drawn_password: Option<Revealed>,
    /// The file that it is in instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
}

/// A password that a user gets.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum NewPassword {
    /// This one.
    Given(Secret),
    /// One that is drawn, and told once: in the result, or in a file that only its owner can read.
    Drawn(Option<PathBuf>),
}

/// A token that was made. `Debug` hides what it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct TokenMade {
    /// What is known of it from now on.
    #[serde(flatten)]
    pub about: Token,
    /// The token itself, which is told this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<Revealed>,
    /// The file that it is in instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
}

/// What became of a token that was to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct TokenDeleted {
    /// Its number.
    pub id: u64,
    /// Whether there was one.
    pub deleted: bool,
}

impl TokenDeleted {
    /// Of that number.
    pub const fn new(id: u64, deleted: bool) -> Self {
        Self { id, deleted }
    }
}

/// All accounts of a deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct AllAccounts {
    /// Its email domains.
    pub domains: Vec<Domain>,
    /// Its users.
    pub users: Vec<User>,
    /// Its aliases.
    pub aliases: Vec<Alias>,
    /// Domains whose mail is handed on.
    pub relays: Vec<Relay>,
}

impl From<&accounts::Accounts> for AllAccounts {
    fn from(there: &accounts::Accounts) -> Self {
        Self {
            domains: there.domains(),
            users: there.users(),
            aliases: there.aliases(),
            relays: there.relays(),
        }
    }
}

/// Accounts written down.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Exported {
    /// The text, where it was not written into a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The file that it is in instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
}

/// Without the text, which may have hashes of passwords.
impl std::fmt::Debug for Exported {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exported")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

impl Exported {
    /// In a file.
    pub fn in_file(path: impl Into<PathBuf>) -> Self {
        Self {
            text: None,
            file: Some(path.into()),
        }
    }
}

/// The refusal of what takes accounts away, where nobody has confirmed it: `why` that is, and what would go.
pub fn unconfirmed(what: &str, why: &str, going: &[String]) -> Error {
    Error::new(
        ErrorKind::InvalidInput,
        "accounts.unconfirmed",
        format!(
            "{what}: {why}; nothing was changed:\n  {}",
            going.join("\n  ")
        ),
    )
    .hint("add `--yes` if that is meant")
}

impl Mailu {
    /// Has Mailu draw a token for a user. With `replace`, tokens of the same comment go once the new one is there. With `out`, it is written
    /// into that file, which only its owner can read, and is not in the result.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Conflict`] if there is one of that comment and it is not to be replaced; and as [`Mailu::create_token`].
    pub fn add_token(
        &self,
        layout: &Layout,
        email: &EmailAddress,
        comment: &str,
        authorized: &[accounts::Network],
        replace: bool,
        out: Option<&Path>,
    ) -> Result<TokenMade, Error> {
        let old: Vec<u64> = self
            .tokens(layout, Some(email))?
            .into_iter()
            .filter(|token| !comment.is_empty() && token.comment == comment)
            .map(|token| token.id)
            .collect();
        if let (Some(first), false) = (old.first(), replace) {
            return Err(Error::new(
                ErrorKind::Conflict,
                "accounts.token_exists",
                format!("make a token for {email}: there is one for `{comment}`, which nobody can say again"),
            )
            .hint("`--replace` makes another and deletes it")
            .hint(format!("`mailu token delete {first}`")));
        }
        let NewToken { token, secret } = self.create_token(layout, email, comment, authorized)?;
        if let Some(path) = out
            && let Err(error) = keep_secret(path, &format!("{}\n", secret.expose()))
        {
            // Nobody would ever know it.
            self.delete_token(layout, token.id)?;
            return Err(error);
        }
        for id in old {
            self.delete_token(layout, id)?;
        }
        Ok(TokenMade {
            about: token,
            token: out.is_none().then(|| Revealed::from(&secret)),
            file: out.map(Path::to_owned),
        })
    }

    /// Makes a user. Without `password` it gets one that nobody knows. One that is there keeps its own, and nothing is drawn.
    ///
    /// # Errors
    ///
    /// As [`Mailu::put_domain`].
    pub fn add_user(
        &self,
        layout: &Layout,
        email: &EmailAddress,
        settings: &Settings,
        password: Option<&NewPassword>,
        dry_run: bool,
    ) -> Result<UserChanged, Error> {
        let made = self.user(layout, email)?.is_none();
        let secret = match password {
            // What is drawn is kept before it counts, so that it is not lost with this run.
            Some(password) => Some(drawn(password, made && !dry_run)?),
            None => None,
        };
        let options = ChangeOptions::new(Change::Add, dry_run);
        let name = email.to_string();
        let change = self.put(
            layout,
            Kind::User,
            &name,
            settings,
            secret.as_ref(),
            options,
        )?;
        let told = change.performed && change.password;
        Ok(UserChanged::of(change, password.filter(|_| told), secret))
    }

    /// Gives a user another password. Its sessions on the web end.
    ///
    /// # Errors
    ///
    /// As [`Mailu::set_password`].
    pub fn change_password(
        &self,
        layout: &Layout,
        email: &EmailAddress,
        password: &NewPassword,
    ) -> Result<UserChanged, Error> {
        let secret = drawn(password, true)?;
        let change = self.set_password(layout, email, &secret)?;
        Ok(UserChanged::of(change, Some(password), Some(secret)))
    }
}

/// The password; a drawn one is in its file already, if `keep` says so.
fn drawn(password: &NewPassword, keep: bool) -> Result<Secret, Error> {
    let file = match password {
        NewPassword::Given(secret) => return Ok(secret.clone()),
        NewPassword::Drawn(file) => file,
    };
    let secret = draw_password();
    if let (Some(path), true) = (file, keep) {
        keep_secret(path, &format!("{}\n", secret.expose()))?;
    }
    Ok(secret)
}

impl UserChanged {
    fn of(change: AccountChange, told: Option<&NewPassword>, secret: Option<Secret>) -> Self {
        let (drawn_password, password_file) = match (told, secret) {
            (Some(NewPassword::Drawn(Some(file))), _) => (None, Some(file.clone())),
            (Some(NewPassword::Drawn(None)), Some(secret)) => (Some(Revealed::from(&secret)), None),
            _ => (None, None),
        };
        Self {
            change,
            drawn_password,
            password_file,
        }
    }
}

/// What is said of an account, read as the program reads `KEY=VALUE`.
fn said(kind: Kind, name: &str, plains: &Plains) -> Result<Settings, Error> {
    let pairs: Vec<String> = plains
        .iter()
        .map(|(key, value)| format!("{key}={}", value.typed()))
        .collect();
    accounts::read_settings(kind, name, &pairs)
}

fn put(
    mailu: &Mailu,
    target: &Target,
    kind: Kind,
    name: &str,
    plains: &Plains,
    options: ChangeOptions,
) -> Result<AccountChange, Error> {
    let settings = said(kind, name, plains)?;
    let layout = mailu.find(target)?;
    mailu.put(&layout, kind, name, &settings, None, options)
}

fn show<T>(kind: Kind, name: &dyn std::fmt::Display, found: Option<T>) -> Result<T, Error> {
    found.ok_or_else(|| {
        Error::new(
            ErrorKind::NotFound,
            "accounts.not_found",
            format!("show the {kind} {name}: there is no such {kind}"),
        )
        .hint(format!("`mailu {kind} list` shows those there are"))
    })
}

fn delete(
    mailu: &Mailu,
    target: &Target,
    kind: Kind,
    name: &str,
    (yes, dry_run): (bool, bool),
) -> Result<AccountChange, Error> {
    let layout = mailu.find(target)?;
    if !dry_run && !yes {
        let going = mailu.departure(&layout, kind, name)?.notes();
        if !going.is_empty() {
            let what = format!("delete the {kind} {name}");
            return Err(unconfirmed(&what, "it was not confirmed", &going));
        }
    }
    mailu.delete_account(&layout, kind, name, dry_run)
}

/// The operations that every kind of account has.
macro_rules! of_a_kind {
    ($kind:ident, $what:literal, $account:ty, $key:ident: $name:ty, $one:ident, $all:ident;
        $list:ident, $show:ident, $set:ident, $delete:ident) => {
        request! {
            #[doc = concat!("All ", $what, "s.")]
            $list of one () {}
        }

        impl Request for $list {
            type Answer = Vec<$account>;

            fn perform(self, mailu: &Mailu, _: &mut dyn Progress) -> Result<Self::Answer, Error> {
                mailu.$all(&mailu.find(&self.target())?)
            }
        }

        request! {
            #[doc = concat!("One ", $what, ".")]
            $show of one
            (
                /// Its name.
                $key: Parsed<$name>,
            )
            {}
        }

        impl Request for $show {
            type Answer = $account;

            fn perform(self, mailu: &Mailu, _: &mut dyn Progress) -> Result<Self::Answer, Error> {
                let layout = mailu.find(&self.target())?;
                let found = mailu.$one(&layout, &self.$key.0)?;
                show(Kind::$kind, &self.$key.0, found)
            }
        }

        of_a_kind!($kind, concat!("Changes one ", $what, "."), $key: $name, Change::Set; $set);

        request! {
            #[doc = concat!("Deletes one ", $what, ". Mail stays on disk.")]
            $delete of one
            (
                /// Its name.
                $key: Parsed<$name>,
            )
            {
                /// Whatever goes with it.
                yes: bool,
                /// Only say what would be done.
                dry_run: bool,
            }
        }

        impl Request for $delete {
            type Answer = AccountChange;

            fn perform(self, mailu: &Mailu, _: &mut dyn Progress) -> Result<Self::Answer, Error> {
                let name = self.$key.0.to_string();
                delete(
                    mailu,
                    &self.target(),
                    Kind::$kind,
                    &name,
                    (self.yes, self.dry_run),
                )
            }
        }
    };
    ($kind:ident, $doc:expr, $key:ident: $name:ty, $change:expr; $put:ident) => {
        request! {
            #[doc = $doc]
            $put of one
            (
                /// Its name.
                $key: Parsed<$name>,
            )
            {
                /// What is said of it; `accounts_schema` has every key.
                settings: Plains,
                /// Only say what would be done.
                dry_run: bool,
            }
        }

        impl Request for $put {
            type Answer = AccountChange;

            fn perform(self, mailu: &Mailu, _: &mut dyn Progress) -> Result<Self::Answer, Error> {
                let options = ChangeOptions::new($change, self.dry_run);
                let name = self.$key.0.to_string();
                put(
                    mailu,
                    &self.target(),
                    Kind::$kind,
                    &name,
                    &self.settings,
                    options,
                )
            }
        }
    };
}

of_a_kind!(Domain, "email domain", Domain, name: EmailDomain, domain, domains; DomainList, DomainShow, DomainSet, DomainDelete);
of_a_kind!(Domain, "Makes one email domain. One that is there has to be so already.", name: EmailDomain, Change::Add; DomainAdd);
of_a_kind!(User, "user", User, email: EmailAddress, user, users; UserList, UserShow, UserSet, UserDelete);
of_a_kind!(Alias, "alias", Alias, email: EmailAddress, alias, aliases; AliasList, AliasShow, AliasSet, AliasDelete);
of_a_kind!(Alias, "Makes one alias. One that is there has to be so already.", email: EmailAddress, Change::Add; AliasAdd);
of_a_kind!(Relay, "domain whose mail is handed on", Relay, name: EmailDomain, relay, relays; RelayList, RelayShow, RelaySet, RelayDelete);
of_a_kind!(Relay, "Makes one domain whose mail is handed on. One that is there has to be so already.", name: EmailDomain, Change::Add; RelayAdd);

request! {
    /// Makes a user. One of `password`, `generate` and `no_password` says which password it gets.
    UserAdd of one
    (
        /// Its address.
        email: Parsed<EmailAddress>,
    )
    {
        /// What is said of it; `accounts_schema` has every key.
        settings: Plains,
        /// Its password.
        password: Option<Secret>,
        /// Draw its password, and tell it once.
        generate: bool,
        /// With `generate`: write it into this file, which only its owner can read, instead.
        #[cfg_attr(feature = "schema", schemars(extend("x-path" = true)))]
        password_out: Option<PathBuf>,
        /// Give it one that nobody knows: tokens, or `user_passwd`, let it in.
        no_password: bool,
        /// Only say what would be done.
        dry_run: bool,
    }
}

impl Request for UserAdd {
    type Answer = UserChanged;

    fn perform(self, mailu: &Mailu, _: &mut dyn Progress) -> Result<Self::Answer, Error> {
        let target = self.target();
        let settings = said(Kind::User, &self.email.0.to_string(), &self.settings)?;
        let email = self.email.0;
        let password = chosen(
            &format!("make the user {email}"),
            self.password,
            self.generate,
            self.password_out,
            self.no_password,
        )?;
        let layout = mailu.find(&target)?;
        mailu.add_user(&layout, &email, &settings, password.as_ref(), self.dry_run)
    }
}

request! {
    /// Gives a user another password: `password`, or with `generate` one that is drawn.
    UserPasswd of one
    (
        /// Its address.
        email: Parsed<EmailAddress>,
    )
    {
        /// The password.
        password: Option<Secret>,
        /// Draw it, and tell it once.
        generate: bool,
        /// With `generate`: write it into this file, which only its owner can read, instead.
        #[cfg_attr(feature = "schema", schemars(extend("x-path" = true)))]
        password_out: Option<PathBuf>,
    }
}

impl Request for UserPasswd {
    type Answer = UserChanged;

    fn perform(self, mailu: &Mailu, _: &mut dyn Progress) -> Result<Self::Answer, Error> {
        let target = self.target();
        let email = self.email.0;
        let what = format!("set the password of {email}");
        let password = chosen(
            &what,
            self.password,
            self.generate,
            self.password_out,
            false,
        )?;
        let Some(password) = password else {
            return Err(no_password(&what));
        };
        let layout = mailu.find(&target)?;
        mailu.change_password(&layout, &email, &password)
    }
}

fn no_password(what: &str) -> Error {
    Error::new(
        ErrorKind::InvalidInput,
        "accounts.no_password",
        format!("{what}: it needs a password"),
    )
    .hint("give `password`, or `generate`, which draws one and tells it once")
}

/// Which password a user gets; nothing is one that nobody knows.
fn chosen(
    what: &str,
    password: Option<Secret>,
    generate: bool,
    out: Option<PathBuf>,
    nobodys: bool,
) -> Result<Option<NewPassword>, Error> {
    if out.is_some() && !generate {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            "call.invalid",
            format!("{what}: `password_out` is for a password that is drawn"),
        )
        .hint("add `generate`"));
    }
    match (password, generate, nobodys) {
        (Some(secret), false, false) => Ok(Some(NewPassword::Given(secret))),
        (None, true, false) => Ok(Some(NewPassword::Drawn(out))),
        (None, false, true) => Ok(None),
        (None, false, false) => Err(no_password(what).hint(
            "`no_password` gives it one that nobody knows, for programs that log in with tokens",
        )),
        _ => Err(Error::new(
            ErrorKind::InvalidInput,
            "call.invalid",
            format!("{what}: `password`, `generate` and `no_password` exclude each other"),
        )
        .hint("give one of them")),
    }
}

macro_rules! switch {
    ($name:ident, $on:literal, $doc:literal) => {
        request! {
            #[doc = $doc]
            $name of one
            (
                /// Its address.
                email: Parsed<EmailAddress>,
            )
            {
                /// Only say what would be done.
                dry_run: bool,
            }
        }

        impl Request for $name {
            type Answer = AccountChange;

            fn perform(self, mailu: &Mailu, _: &mut dyn Progress) -> Result<Self::Answer, Error> {
                let name = self.email.0.to_string();
                let pair = [concat!("enabled=", $on).to_owned()];
                let settings = accounts::read_settings(Kind::User, &name, &pair)?;
                let layout = mailu.find(&self.target())?;
                let options = ChangeOptions::new(Change::Set, self.dry_run);
                mailu.put(&layout, Kind::User, &name, &settings, None, options)
            }
        }
    };
}

switch!(UserEnable, "true", "Lets a user in again.");
switch!(
    UserDisable,
    "false",
    "Lets a user in no more, anywhere. Mail still arrives."
);

request! {
    /// All tokens, or those of a user. What they are, nobody can say again.
    TokenList of one ()
    {
        /// Whose.
        email: Option<Parsed<EmailAddress>>,
    }
}

impl Request for TokenList {
    type Answer = Vec<Token>;

    fn perform(self, mailu: &Mailu, _: &mut dyn Progress) -> Result<Self::Answer, Error> {
        let layout = mailu.find(&self.target())?;
        mailu.tokens(&layout, of(self.email).as_ref())
    }
}

request! {
    /// Has a token drawn for a user, and tells it once. It is a password for SMTP, IMAP and POP3.
    TokenAdd of one
    (
        /// Whose.
        email: Parsed<EmailAddress>,
    )
    {
        /// What it is for.
        comment: String,
        /// Only for who comes from these addresses or networks.
        authorized: Vec<Parsed<Source>>,
        /// Delete those of the same comment once the new one is there.
        replace: bool,
        /// Write it into this file, which only its owner can read, instead of telling it.
        #[cfg_attr(feature = "schema", schemars(extend("x-path" = true)))]
        out: Option<PathBuf>,
    }
}

impl Request for TokenAdd {
    type Answer = TokenMade;

    fn perform(self, mailu: &Mailu, _: &mut dyn Progress) -> Result<Self::Answer, Error> {
        let layout = mailu.find(&self.target())?;
        let authorized: Vec<_> = self.authorized.iter().map(|one| one.0.0).collect();
        mailu.add_token(
            &layout,
            &self.email.0,
            &self.comment,
            &authorized,
            self.replace,
            self.out.as_deref(),
        )
    }
}

request! {
    /// Deletes a token. Whoever uses it is refused from then on.
    TokenDelete of one
    (
        /// Its number.
        id: u64,
    )
    {}
}

impl Request for TokenDelete {
    type Answer = TokenDeleted;

    fn perform(self, mailu: &Mailu, _: &mut dyn Progress) -> Result<Self::Answer, Error> {
        let layout = mailu.find(&self.target())?;
        let deleted = mailu.delete_token(&layout, self.id)?;
        Ok(TokenDeleted::new(self.id, deleted))
    }
}

request! {
    /// All accounts of a deployment.
    AccountsList of one () {}
}

impl Request for AccountsList {
    type Answer = AllAccounts;

    fn perform(self, mailu: &Mailu, _: &mut dyn Progress) -> Result<Self::Answer, Error> {
        let layout = mailu.find(&self.target())?;
        Ok(AllAccounts::from(&mailu.accounts(&layout)?))
    }
}

request! {
    /// Writes down what accounts there are, as an `accounts.toml`, or as a table of the users.
    AccountsExport of one ()
    {
        /// The users alone, as a table.
        csv: bool,
        /// With the hashes of passwords, for another server. Whoever has them can find weak passwords.
        hashes: bool,
        /// Into this file, which only its owner can read.
        #[cfg_attr(feature = "schema", schemars(extend("x-path" = true)))]
        out: Option<PathBuf>,
    }
}

impl Request for AccountsExport {
    type Answer = Exported;

    fn perform(self, mailu: &Mailu, _: &mut dyn Progress) -> Result<Self::Answer, Error> {
        let there = mailu.accounts(&mailu.find(&self.target())?)?;
        let text = if self.csv {
            there.to_csv(self.hashes)?
        } else {
            there.to_toml(self.hashes)
        };
        match self.out {
            Some(path) => {
                keep_secret(&path, &text)?;
                Ok(Exported::in_file(path))
            }
            None => Ok(Exported {
                text: Some(text),
                file: None,
            }),
        }
    }
}

/// What accounts are to be there.
struct Asked {
    file: Option<PathBuf>,
    text: Option<Secret>,
    csv: bool,
    options: AccountsOptions,
}

impl Asked {
    fn read(&self) -> Result<Wanted, Error> {
        let (text, name) = match (&self.file, &self.text) {
            (Some(path), None) => {
                let text =
                    fs::read_to_string(path).map_err(|error| files::failed("read", path, error))?;
                (text, path.display().to_string())
            }
            (None, Some(text)) => (text.expose().to_owned(), "text".to_owned()),
            _ => {
                return Err(Error::new(
                    ErrorKind::InvalidInput,
                    "call.invalid",
                    "read accounts: `file` and `text` exclude each other, and one is needed",
                )
                .hint("give the path of an accounts.toml as `file`, or what would stand in one as `text`"));
            }
        };
        let is_table = self.csv
            || self
                .file
                .as_ref()
                .and_then(|file| file.extension())
                .is_some_and(|name| name.eq_ignore_ascii_case("csv"));
        let wanted = if is_table {
            Wanted::from_csv(&text)
        } else {
            Wanted::from_toml(&text)
        };
        wanted.map_err(|error| error.about(name))
    }
}

fn prune(prune: bool, delete_users: bool) -> Result<Prune, Error> {
    match (prune, delete_users) {
        (false, false) => Ok(Prune::No),
        (true, false) => Ok(Prune::Disable),
        (true, true) => Ok(Prune::Delete),
        (false, true) => Err(Error::new(
            ErrorKind::InvalidInput,
            "call.invalid",
            "read accounts: `delete_users` is for `prune`",
        )
        .hint("add `prune`")),
    }
}

macro_rules! many {
    ($name:ident, $doc:literal { $($(#[$doc2:meta])* $opt:ident: $ty:ty),* }) => {
        request! {
            #[doc = $doc]
            $name of one ()
            {
                /// An `accounts.toml`; or a table of users, if its name ends with `.csv`.
                #[cfg_attr(feature = "schema", schemars(extend("x-path" = true)))]
                file: Option<PathBuf>,
                /// What would stand in such a file. It may have passwords.
                text: Option<Secret>,
                /// It is a table of users.
                csv: bool,
                /// In the sections that it has: disable users that it does not name, and delete such aliases and relayed domains.
                prune: bool,
                /// With `prune`: delete such users, and domains without any address left. Their mail stays on disk.
                delete_users: bool,
                /// Set the passwords of users that exist, too.
                reset_passwords: bool,
                /// Draw passwords for new users without one, and write them into this file, which only its owner can read.
                #[cfg_attr(feature = "schema", schemars(extend("x-path" = true)))]
                passwords_out: Option<PathBuf>,
                $($(#[$doc2])* $opt: $ty,)*
            }
        }

        impl $name {
            fn asked(&self) -> Result<Asked, Error> {
                Ok(Asked {
                    file: self.file.clone(),
                    text: self.text.clone(),
                    csv: self.csv,
                    options: AccountsOptions {
                        prune: prune(self.prune, self.delete_users)?,
                        reset_passwords: self.reset_passwords,
                        passwords_out: self.passwords_out.clone(),
                    },
                })
            }
        }
    };
}

many!(AccountsPlan, "Compares what accounts are to be there with those that are, and says what `accounts_apply` would do." {});
many!(AccountsApply, "Brings the accounts to what is said: all of it, or nothing." {
    /// Whoever is disabled or deleted.
    yes: bool,
    /// Only say what would be done.
    dry_run: bool
});

impl Request for AccountsPlan {
    type Answer = AccountsApplied;

    fn perform(self, mailu: &Mailu, progress: &mut dyn Progress) -> Result<Self::Answer, Error> {
        let asked = self.asked()?;
        let wanted = asked.read()?;
        let layout = mailu.find(&self.target())?;
        mailu.plan_accounts(&layout, &wanted, &asked.options, progress)
    }
}

impl Request for AccountsApply {
    type Answer = AccountsApplied;

    fn perform(self, mailu: &Mailu, progress: &mut dyn Progress) -> Result<Self::Answer, Error> {
        let asked = self.asked()?;
        let wanted = asked.read()?;
        let layout = mailu.find(&self.target())?;
        let options = &asked.options;
        if self.dry_run || (options.prune != Prune::No && !self.yes) {
            let planned = mailu.plan_accounts(&layout, &wanted, options, progress)?;
            if self.dry_run {
                return Ok(planned);
            }
            let going = planned.plan.departures();
            if !going.is_empty() {
                return Err(unconfirmed(
                    "apply the file",
                    "it was not confirmed",
                    &going,
                ));
            }
        }
        mailu.apply_accounts(&layout, &wanted, options, progress)
    }
}
