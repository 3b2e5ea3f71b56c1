//! Having an app send through a deployment: a mailbox and a token of its own, tried before anything of the app's is changed, then the app's
//! settings, then a message that the app itself sends, and a record.
//!
//! The token is kept among the deployment's secrets before anybody uses it, because Mailu says it once. Stopped anywhere, the same call goes
//! on: what is there already is found by the comment of the token, the record and the app's own settings.

mod account;
mod api;
mod chatwoot;
mod erpnext;
mod exempt;
mod frappe;
mod proof;
mod record;
mod route;
mod settings;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;

use serde::Serialize;

use super::chatwoot::Chatwoot;
use super::engine::Docker;
use super::erpnext::ErpNext;
use super::files::{self, Disk};
use super::listmonk::Listmonk;
use super::root::Mailu;
use super::wordpress::{WordPressOptions, WordPressSite, WordPressTarget};
use super::{hints, lock};
use crate::accounts::Kind;
use crate::apps::{self, App, Sender, Wish, listmonk};
use crate::config::Config;
use crate::error::{Error, ErrorKind};
use crate::finding::{Finding, has_errors};
use crate::names::{DomainName, EmailAddress};
use crate::paths::Layout;
use crate::secret::Secret;
pub use api::AppApi;
use record::{Known, known_file};

/// Which app, and how.
#[derive(Debug, Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option by itself")]
#[non_exhaustive]
pub struct IntegrateOptions {
    /// Its name: `wordpress`, `listmonk`, or one of [`apps::ALL`].
    pub app: String,
    /// Which of several: the name of a WordPress site (needed there), or the identifier of AgencyStack's client whose Listmonk it is; for
    /// others any name, such as that of an inbox of Chatwoot's.
    pub site: Option<String>,
    /// Its account.
    pub wish: Wish,
    /// Only say what would be done.
    pub dry_run: bool,
    /// Make a new token, and delete the old one once the app works with the new.
    pub rotate: bool,
    /// WordPress: the document root, or AgencyStack's directory of the site. Other apps: the file that has their settings, and gets ours.
    pub path: Option<PathBuf>,
    /// In which form the settings are written.
    pub format: Option<String>,
    /// The container that runs the app, where that is not found: `ERPNext`'s site, or an app that is told by a file or an API.
    pub container: Option<String>,
    /// A container to restart when its settings have changed.
    pub restart: Option<String>,
    /// A file with authorities (PEM) that the app does not know by itself.
    pub ca: Option<PathBuf>,
    /// Whether Mailu's limit of messages does not count for the login: added to `limits.exempt` in `mailu.toml`, or, where we have done that,
    /// taken out again.
    pub exempt: Option<bool>,
    /// The app's API: Listmonk's (without it, its database is changed), Chatwoot's (for an inbox; without it, for the variables), `ERPNext`'s
    /// (without it, the site's container does it).
    pub api: Option<AppApi>,
    /// Listmonk: switch other servers off, which would get a share of the mail.
    pub only: bool,
    /// Listmonk: restart it though it is sending a campaign, which goes on by itself then.
    pub interrupt: bool,
    /// Where AgencyStack's reports on what is connected go; none is written without it.
    pub reports: Option<PathBuf>,
}

impl IntegrateOptions {
    /// For an app by name.
    pub fn new(app: impl Into<String>) -> Self {
        Self {
            app: app.into(),
            ..Self::default()
        }
    }
}

/// What happens to a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PartAction {
    /// It is as it should be.
    Keep,
    /// It is made.
    Create,
    /// It is changed.
    Change,
    /// It is taken away.
    Remove,
}

/// A part of what an app needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Part {
    /// `mailbox`, `alias`, `token`, `route`, `exemption`, `settings` or `record`.
    pub kind: String,
    /// Which.
    pub name: String,
    /// What happens to it.
    pub action: PartAction,
    /// More of it, without secrets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
}

impl Part {
    fn new(kind: &str, name: &dyn std::fmt::Display, action: PartAction) -> Self {
        Self {
            kind: kind.to_owned(),
            name: name.to_string(),
            action,
            details: Vec::new(),
        }
    }
}

/// How far it was shown that the app sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Proof {
    /// Not at all: it was not tried.
    None,
    /// The server takes mail with this login and these addresses. The app itself has not sent.
    Server,
    /// The server has taken a message that the app itself has sent.
    Sent,
    /// A message that the app itself has sent has arrived.
    Arrived,
}

/// What became of an app.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Integrated {
    /// The app.
    pub app: String,
    /// Which of several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// The app's version, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Who logs in.
    pub login: String,
    /// What stands in `From:`.
    pub from: String,
    /// Everything it needs, with what happens to each.
    pub parts: Vec<Part>,
    /// Whether anything differed from what it should be.
    pub changed: bool,
    /// Whether it was done.
    pub performed: bool,
    /// How far it was shown that it sends.
    pub proof: Proof,
    /// What needs an eye. With an error among them, the app does not send.
    pub findings: Vec<Finding>,
    /// What to do, and what to know.
    pub notes: Vec<String>,
}

/// An app and where it is.
enum Target {
    WordPress(Box<WordPressSite>, WordPressOptions),
    Listmonk(Box<Listmonk>, listmonk::Options),
    /// An inbox.
    Chatwoot(Box<Chatwoot>),
    /// A site of Frappe's, over its API.
    ErpNext(Box<ErpNext>),
    /// A site in Frappe's container.
    Frappe {
        container: String,
        site: String,
    },
    /// Settings in a file that has others, too.
    File(&'static App, PathBuf),
    /// Settings in a file of their own, among the secrets.
    Own(&'static App, PathBuf),
}

impl Target {
    /// Whether the envelope can have another address than `From:`.
    fn envelope_is_login(&self) -> bool {
        matches!(self, Self::WordPress(..) | Self::Listmonk(..))
    }

    fn title(&self) -> &'static str {
        match self {
            Self::WordPress(..) => "WordPress",
            Self::Listmonk(..) => "Listmonk",
            Self::Chatwoot(_) => "Chatwoot",
            Self::ErpNext(_) | Self::Frappe { .. } => "ERPNext",
            Self::File(app, _) | Self::Own(app, _) => app.title,
        }
    }
}

/// Work on one app of one deployment.
struct Work<'a> {
    mailu: &'a Mailu,
    layout: &'a Layout,
    config: Config,
    /// What was asked for, and where nothing was, what was chosen the last time.
    options: IntegrateOptions,
    key: String,
    /// The app's version, where it has said it.
    version: Option<String>,
    known: BTreeMap<String, Known>,
    /// Held from before the record was read, so that two runs do not write over each other's.
    _alone: lock::Locks,
}

impl Mailu {
    /// Has an app send through the deployment at `layout`: a mailbox and a token of its own, a try before anything of the app's is changed, the app's settings,
    /// a message that it sends itself, and a record. A second call changes nothing. `said` hears what is under way.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] for an app that is not known and for a sender that cannot be; [`ErrorKind::NotFound`] where the app is not there;
    /// [`ErrorKind::Conflict`] where something is in the way; [`ErrorKind::Docker`] where the engine does not answer. That the server or the app
    /// refuses is a finding.
    pub fn integrate(
        &self,
        layout: &Layout,
        options: &IntegrateOptions,
        said: &mut dyn FnMut(&str),
    ) -> Result<Integrated, Error> {
        self.work(layout, options)
            .and_then(|mut work| work.connect(said))
            .map(|done| self.worded_app(done))
            .map_err(|error| hints::error(error, self.root()))
    }

    /// Takes back what [`Mailu::integrate`] has done: the app's settings, its tokens, aliases that were made for it, and the record. Its mailbox
    /// stays, with its mail.
    ///
    /// # Errors
    ///
    /// As [`Mailu::integrate`]; [`ErrorKind::Conflict`] where settings were edited since.
    pub fn disconnect(
        &self,
        layout: &Layout,
        options: &IntegrateOptions,
        said: &mut dyn FnMut(&str),
    ) -> Result<Integrated, Error> {
        self.work(layout, options)
            .and_then(|mut work| work.disconnect(said))
            .map(|done| self.worded_app(done))
            .map_err(|error| hints::error(error, self.root()))
    }

    fn worded_app(&self, mut done: Integrated) -> Integrated {
        hints::findings(&mut done.findings, self.root());
        done
    }

    fn work<'a>(
        &'a self,
        layout: &'a Layout,
        options: &IntegrateOptions,
    ) -> Result<Work<'a>, Error> {
        let (config, _) = self.config(layout)?;
        let app = name_of(&options.app)?;
        if let Some(site) = &options.site
            && (site.is_empty()
                || site.starts_with('.')
                || !site
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c)))
        {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "app.site",
                format!(
                    "connect {app}: `{}` is no name of a site",
                    site.escape_debug()
                ),
            )
            .hint("letters, digits, dots and hyphens: `blog.example.com`"));
        }
        let key = match &options.site {
            Some(site) => format!("{app}_{site}"),
            None => app.to_owned(),
        };
        let mut alone = lock::Locks::none();
        if !options.dry_run {
            alone.add(&layout.file(".mailu/apps.lock"))?;
        }
        let path = known_file(layout);
        let known: BTreeMap<String, Known> = match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).map_err(|error| {
                Error::new(
                    ErrorKind::Corrupt,
                    "app.record",
                    format!("read the record {}", path.display()),
                )
                .source(error)
                .hint("restore it from a backup, or remove it: then the same command finds tokens by their comments, and writes it anew")
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(files::failed("read", &path, error)),
        };
        let mut options = options.clone();
        if let Some(known) = known.get(&key) {
            known.fill(&mut options);
        }
        // An inbox that hears of no answer is of no use.
        options.wish.incoming |= app == "chatwoot" && options.api.is_some();
        Ok(Work {
            mailu: self,
            layout,
            config,
            options,
            key,
            version: None,
            known,
            _alone: alone,
        })
    }
}

/// The name that an app goes by here.
fn name_of(app: &str) -> Result<&'static str, Error> {
    match app.trim().to_ascii_lowercase().as_str() {
        "wordpress" => Ok("wordpress"),
        "listmonk" => Ok("listmonk"),
        _ => apps::by_name(app).map(|app| app.name).map_err(|error| {
            error.hint("and `wordpress` and `listmonk`, which are connected with all they need")
        }),
    }
}

impl Work<'_> {
    fn app(&self) -> &'static str {
        name_of(&self.options.app).unwrap_or("app")
    }

    /// As AgencyStack calls whom the deployment belongs to.
    fn client(&self) -> &str {
        let client = self.config.client.as_ref();
        client.map_or("default", |client| client.as_str())
    }

    /// Finds the app.
    fn target(&self) -> Result<Target, Error> {
        let path = self.options.path.clone();
        if let Some(api) = &self.options.api
            && !["listmonk", "chatwoot", "erpnext"].contains(&self.app())
        {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "app.no_api",
                format!(
                    "connect {} at {}: there is no such way for it",
                    self.app(),
                    api.url
                ),
            )
            .hint("Listmonk, Chatwoot and ERPNext are changed over their APIs; others by the file that has their settings: `--path FILE`"));
        }
        Ok(match self.app() {
            "wordpress" => {
                let Some(site) = &self.options.site else {
                    return Err(Error::new(
                        ErrorKind::InvalidInput,
                        "app.which",
                        "connect WordPress: which site is not said",
                    )
                    .hint("name it: `mailu integrate wordpress blog.example.com`"));
                };
                let domain: DomainName = site.parse().map_err(|why| {
                    Error::new(
                        ErrorKind::InvalidInput,
                        "app.site",
                        format!("connect the WordPress site `{site}`: it {why}"),
                    )
                    .hint("the name under which it is visited, like blog.example.com")
                })?;
                let mut target = WordPressTarget::new(domain);
                if let Some(path) = &path {
                    target = target.at(path);
                }
                let mut more = WordPressOptions::default();
                if let Some(ca) = &self.options.ca {
                    more.ca = Some(
                        fs::read_to_string(ca).map_err(|error| files::failed("read", ca, error))?,
                    );
                }
                Target::WordPress(Box::new(self.mailu.wordpress_site(&target)?), more)
            }
            "listmonk" => {
                let id = self
                    .options
                    .site
                    .clone()
                    .unwrap_or_else(|| self.client().to_owned());
                let (listmonk, instance) = if let Some(api) = &self.options.api {
                    let ca = self.options.ca.as_deref();
                    let Some(user) = &api.user else {
                        return Err(Error::new(
                            ErrorKind::InvalidInput,
                            "integrate.user",
                            format!("log in to Listmonk at {}: as whom is not said", api.url),
                        )
                        .hint("name the API user: `--api-user NAME`"));
                    };
                    (
                        Listmonk::over_api(&api.url, user, api.token("Listmonk")?, ca)?,
                        api.url.trim_end_matches('/').to_owned(),
                    )
                } else {
                    let place = Listmonk::find(&id)?;
                    let name = place.app.clone();
                    (Listmonk::in_database(place), name)
                };
                let mut more = listmonk::Options::new(instance);
                more.only = self.options.only;
                Target::Listmonk(Box::new(listmonk), more)
            }
            "chatwoot" if self.options.api.is_some() => {
                Target::Chatwoot(Box::new(self.chatwoot()?))
            }
            "erpnext" if self.options.api.is_some() => {
                let api = self.options.api.clone().unwrap_or_default();
                let (token, ca) = (api.token("ERPNext")?, self.options.ca.as_deref());
                Target::ErpNext(Box::new(ErpNext::new(
                    &api.url,
                    api.user.as_deref(),
                    &token,
                    ca,
                )?))
            }
            "erpnext" if path.is_none() && self.options.site.is_some() => {
                let site = self.options.site.clone().unwrap_or_default();
                let container = if let Some(name) = &self.options.container {
                    name.clone()
                } else {
                    let all = Docker::connect()?.containers()?;
                    apps::frappe::backend(&all, self.client(), &site)?
                        .name
                        .clone()
                };
                Target::Frappe { container, site }
            }
            name => {
                let app = apps::by_name(name)?;
                if self
                    .recorded()
                    .is_some_and(|known| known.chatwoot.is_some())
                {
                    return Err(self.another_way("its inbox"));
                }
                match path {
                    Some(path) => {
                        if !path.is_file() {
                            return Err(Error::new(
                                ErrorKind::NotFound,
                                "app.no_file",
                                format!("connect {}: {} is no file", app.title, path.display()),
                            )
                            .hint(
                                "name the file that has the app's settings; a new one may be empty",
                            ));
                        }
                        Target::File(app, path)
                    }
                    None => Target::Own(app, self.settings_file()),
                }
            }
        })
    }

    fn recorded(&self) -> Option<&Known> {
        self.known.get(&self.key)
    }

    fn chatwoot(&self) -> Result<Chatwoot, Error> {
        let api = self.options.api.clone().unwrap_or_default();
        if self.recorded().is_some_and(|known| known.file.is_some()) {
            return Err(self.another_way("the file with its variables"));
        }
        let Some(account) = api.account else {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "chatwoot.which_account",
                format!("connect an inbox of Chatwoot at {}: which account is not said", api.url),
            )
            .hint("the number stands in the address of its pages: /app/accounts/NUMBER; give it with `--api-account NUMBER`"));
        };
        let ca = self.options.ca.as_deref();
        Chatwoot::new(&api.url, account, api.token("Chatwoot")?, ca)
    }

    /// Chatwoot's variables and each of its inboxes are connected by themselves.
    fn another_way(&self, there: &str) -> Error {
        Error::new(
            ErrorKind::Conflict,
            "app.another_way",
            format!(
                "connect {} as `{}`: {there} is connected under that name, and each has a mailbox of its own",
                self.app(),
                self.key
            ),
        )
        .hint(format!(
            "give this one another name: `mailu integrate {} NAME --login ADDRESS …`",
            self.app()
        ))
    }

    fn sender(&self) -> Result<Sender, Error> {
        let site = self.options.site.as_deref();
        apps::sender(&self.config, self.app(), site, &self.options.wish)
    }

    fn connect(&mut self, said: &mut dyn FnMut(&str)) -> Result<Integrated, Error> {
        self.finish_exempting(said)?;
        let sender = self.sender()?;
        let target = self.target()?;
        let mut done = Integrated {
            app: self.app().to_owned(),
            site: self.options.site.clone(),
            version: None,
            login: sender.login.to_string(),
            from: sender.from.to_string(),
            parts: Vec::new(),
            changed: false,
            performed: false,
            proof: Proof::None,
            findings: Vec::new(),
            notes: Vec::new(),
        };
        let way = self.way(&target, &sender, &mut done, said)?;
        if has_errors(&done.findings) {
            return Ok(done);
        }
        said(&format!(
            "looking at the accounts of {}",
            self.config.mail_host
        ));
        let aliases = self.accounts(&sender, &target, &mut done)?;
        let (secret, old) = self.token(&sender, &mut done, said)?;
        let exemption = self.exemption(&sender.login)?;
        self.show_exemption(&sender.login, &exemption, &mut done)?;
        let exempt = if exemption.exempt {
            sender.login.to_string()
        } else {
            String::new()
        };
        // In a dry run there may be no token yet; nothing of the app's is compared with it then.
        let placeholder = Secret::new("f".repeat(32));
        let profile = {
            let shown = secret.as_ref().unwrap_or(&placeholder);
            let mut profile =
                sender.profile(&self.config, &exempt, shown, target.envelope_is_login());
            if let (Target::Listmonk(..), Some(limit)) = (&target, profile.throttle) {
                done.notes.push(format!(
                    "campaigns go no faster than Mailu lets {} send ({} recipients in {} s); with `--exempt` that limit does not count",
                    sender.login, limit.recipients, limit.seconds
                ));
            }
            if let Target::WordPress(..) = target {
                profile.helo = self
                    .options
                    .site
                    .as_ref()
                    .and_then(|site| site.parse().ok());
            }
            profile
        };
        if let Some(secret) = &secret
            && !self.options.dry_run
        {
            said(&format!(
                "trying {} as {}",
                self.config.mail_host, sender.login
            ));
            if let Some(finding) = self.try_server(&profile, secret)? {
                done.findings.push(finding);
                return Ok(done);
            }
            done.proof = Proof::Server;
        }
        if !self.options.dry_run {
            if let Some(way) = &way {
                self.make_way(way, &sender, &mut done, said)?;
                if has_errors(&done.findings) {
                    return Ok(done);
                }
            }
            self.exempt(&sender, &exemption, &mut done, said)?;
            if has_errors(&done.findings) {
                return Ok(done);
            }
        }
        self.settings(&target, &profile, aliases, &mut done, said)?;
        done.changed = done
            .parts
            .iter()
            .any(|part| part.action != PartAction::Keep);
        if self.options.dry_run || has_errors(&done.findings) {
            return Ok(done);
        }
        done.performed = done.changed;
        self.prove(&target, &profile, &sender, &mut done, said)?;
        if has_errors(&done.findings) {
            return Ok(done);
        }
        for id in old {
            self.mailu.delete_token(self.layout, id)?;
        }
        self.note(&target, &sender, &mut done)?;
        Ok(done)
    }

    fn disconnect(&mut self, said: &mut dyn FnMut(&str)) -> Result<Integrated, Error> {
        let Some(known) = self.known.get(&self.key).cloned() else {
            let all: Vec<&str> = self.known.keys().map(String::as_str).collect();
            let error = Error::new(
                ErrorKind::NotFound,
                "app.not_connected",
                format!(
                    "disconnect {} from {}: it is not connected",
                    self.key, self.config.mail_host
                ),
            );
            return Err(if all.is_empty() {
                error.hint("no app is")
            } else {
                error.hint(format!("there are: {}", all.join(", ")))
            });
        };
        let dry = self.options.dry_run;
        let mut done = Integrated {
            app: self.app().to_owned(),
            site: self.options.site.clone(),
            version: None,
            login: known.login.clone(),
            from: known.from.clone(),
            parts: Vec::new(),
            changed: true,
            performed: !dry,
            proof: Proof::None,
            findings: Vec::new(),
            notes: vec![format!(
                "the mailbox {} stays, with its mail: `mailu user delete {} {}` deletes the account",
                known.login,
                known.login,
                self.config.options()
            )],
        };
        self.finish_exempting(said)?;
        let target = self.target()?;
        self.take_back(&target, &known, &mut done, said)?;
        if has_errors(&done.findings) {
            done.performed = false;
            return Ok(done);
        }
        let login: Option<EmailAddress> = known.login.parse().ok();
        let tokens = match &login {
            Some(login) if self.mailu.user(self.layout, login)?.is_some() => {
                self.mailu.tokens(self.layout, Some(login))?
            }
            _ => Vec::new(),
        };
        let comment = login
            .as_ref()
            .and_then(|_| self.sender().ok())
            .map_or(known.comment.clone(), |sender| sender.comment);
        for token in tokens.iter().filter(|token| token.comment == comment) {
            done.parts
                .push(Part::new("token", &token.comment, PartAction::Remove));
            if !dry {
                self.mailu.delete_token(self.layout, token.id)?;
            }
        }
        for alias in &known.aliases {
            done.parts
                .push(Part::new("alias", &alias, PartAction::Remove));
            if !dry {
                self.mailu
                    .delete_account(self.layout, Kind::Alias, alias, false)?;
            }
        }
        self.no_more_way(&known, &mut done, said)?;
        self.limit_again(&known, &mut done, said)?;
        if dry {
            return Ok(done);
        }
        let others = self
            .known
            .iter()
            .any(|(key, one)| *key != self.key && one.app == known.app);
        if !others {
            self.tell(target.title(), None)?;
        }
        for path in [self.kept_file(), self.before_file(), self.settings_file()] {
            files::clear(&mut Disk, &path)?;
        }
        self.known.remove(&self.key);
        self.unlist(&known)?;
        self.write_known()?;
        Ok(done)
    }
}
