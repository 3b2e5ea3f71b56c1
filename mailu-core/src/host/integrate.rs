//! Having an app send through a deployment: a mailbox and a token of its own, tried before anything of the app's is changed, then the app's
//! settings, then a message that the app itself sends, and a record.
//!
//! The token is kept among the deployment's secrets before anybody uses it, because Mailu says it once. Stopped anywhere, the same call goes
//! on: what is there already is found by the comment of the token, the record and the app's own settings.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::commands::{Mail, Rcpt, Rset};
use serde::{Deserialize, Serialize};

use super::accounts::{Change, ChangeOptions};
use super::engine::Docker;
use super::files::{self, Disk};
use super::listmonk::Listmonk;
use super::root::Mailu;
use super::wordpress::{WordPressOptions, WordPressSite, WordPressTarget};
use super::{delivery, hints, lock, observe, pause, status};
use crate::accounts::{AliasSettings, Kind};
use crate::apps::{self, App, Entry, Ownership, Profile, Sender, Wish, listmonk};
use crate::config::{Config, MailPort};
use crate::error::{Error, ErrorKind};
use crate::finding::{Finding, has_errors};
use crate::hash::sha256;
use crate::names::DomainName;
use crate::paths::Layout;
use crate::secret::Secret;

/// How long a message may take into a mailbox of the same server.
const ARRIVAL: Duration = Duration::from_secs(90);

/// How long the server may take for one answer.
const ANSWER: Duration = Duration::from_secs(45);

/// How long Dovecot may take for one command.
const LOOK: Duration = Duration::from_secs(30);

/// Which app, and how.
#[derive(Debug, Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option by itself")]
#[non_exhaustive]
pub struct IntegrateOptions {
    /// Its name: `wordpress`, `listmonk`, or one of [`apps::ALL`].
    pub app: String,
    /// Which of several: the name of a WordPress site (needed there), or the identifier of AgencyStack's client whose Listmonk it is.
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
    /// A container to restart when its settings have changed.
    pub restart: Option<String>,
    /// A file with authorities (PEM) that the app does not know by itself.
    pub ca: Option<PathBuf>,
    /// Listmonk's API: address, name, token. Without it, its database is changed.
    pub api: Option<(String, String, Secret)>,
    /// Listmonk: switch other servers off, which would get a share of the mail.
    pub only: bool,
    /// Listmonk: restart it though it is sending a campaign, which goes on by itself then.
    pub interrupt: bool,
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
    /// `mailbox`, `alias`, `token`, `settings` or `record`.
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

/// What is remembered of an app. There is no secret in it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Known {
    app: String,
    site: Option<String>,
    login: String,
    from: String,
    comment: String,
    /// The file that has its settings.
    file: Option<PathBuf>,
    /// The hash of that file as we wrote it.
    written: Option<String>,
    path: Option<PathBuf>,
    ca: Option<PathBuf>,
    from_name: Option<String>,
    tls: Option<apps::Tls>,
    format: Option<String>,
    #[serde(default)]
    incoming: bool,
    #[serde(default)]
    only: bool,
    listmonk: Option<listmonk::Record>,
    /// Made by us, and taken away with it.
    #[serde(default)]
    aliases: Vec<String>,
}

impl Known {
    /// What was chosen once stays, unless something else is asked for.
    fn fill(&self, options: &mut IntegrateOptions) {
        let wish = &mut options.wish;
        if wish.login.is_none() {
            wish.login = self.login.parse().ok();
            wish.from = wish.from.take().or_else(|| self.from.parse().ok());
        }
        wish.from_name = wish.from_name.take().or_else(|| self.from_name.clone());
        wish.tls = wish.tls.or(self.tls);
        wish.incoming |= self.incoming;
        options.only |= self.only;
        options.path = options.path.take().or_else(|| self.path.clone());
        options.ca = options.ca.take().or_else(|| self.ca.clone());
        options.format = options.format.take().or_else(|| self.format.clone());
    }

    /// Remembers what was chosen.
    fn choose(&mut self, options: &IntegrateOptions) {
        let absolute = |path: &PathBuf| fs::canonicalize(path).unwrap_or_else(|_| path.clone());
        self.from_name.clone_from(&options.wish.from_name);
        self.tls = options.wish.tls;
        self.incoming = options.wish.incoming;
        self.only = options.only;
        self.path = options.path.as_ref().map(absolute);
        self.ca = options.ca.as_ref().map(absolute);
        self.format.clone_from(&options.format);
    }
}

/// The token of an app, as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    id: u64,
    login: String,
    secret: String,
}

/// An app and where it is.
enum Target {
    WordPress(Box<WordPressSite>, WordPressOptions),
    Listmonk(Box<Listmonk>, listmonk::Options),
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
    known: BTreeMap<String, Known>,
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
        Ok(Work {
            mailu: self,
            layout,
            config,
            options,
            key,
            known,
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

fn known_file(layout: &Layout) -> PathBuf {
    layout.file(".mailu/apps.json")
}

impl Work<'_> {
    fn app(&self) -> &'static str {
        name_of(&self.options.app).unwrap_or("app")
    }

    fn kept_file(&self) -> PathBuf {
        self.layout.secret(&format!("app_{}", self.key))
    }

    /// What the app's file was before.
    fn before_file(&self) -> PathBuf {
        self.layout.secret(&format!("app_{}.before", self.key))
    }

    fn settings_file(&self) -> PathBuf {
        self.layout.secret(&format!("app_{}.settings", self.key))
    }

    /// Finds the app.
    fn target(&self) -> Result<Target, Error> {
        let path = self.options.path.clone();
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
                let id = self.options.site.clone().unwrap_or_else(|| {
                    self.config
                        .client
                        .as_ref()
                        .map_or("default", |client| client.as_str())
                        .to_owned()
                });
                let (listmonk, instance) = if let Some((url, user, secret)) = &self.options.api {
                    let ca = self.options.ca.as_deref();
                    (
                        Listmonk::over_api(url, user, secret.clone(), ca)?,
                        url.trim_end_matches('/').to_owned(),
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
            name => {
                let app = apps::by_name(name)?;
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

    fn sender(&self) -> Result<Sender, Error> {
        let site = self.options.site.as_deref();
        apps::sender(&self.config, self.app(), site, &self.options.wish)
    }

    fn connect(&mut self, said: &mut dyn FnMut(&str)) -> Result<Integrated, Error> {
        let sender = self.sender()?;
        let target = self.target()?;
        let _alone = if self.options.dry_run {
            lock::Locks::none()
        } else {
            let mut locks = lock::Locks::none();
            locks.add(&self.layout.file(".mailu/apps.lock"))?;
            locks
        };
        let mut done = Integrated {
            app: self.app().to_owned(),
            site: self.options.site.clone(),
            login: sender.login.to_string(),
            from: sender.from.to_string(),
            parts: Vec::new(),
            changed: false,
            performed: false,
            proof: Proof::None,
            findings: Vec::new(),
            notes: Vec::new(),
        };
        said(&format!(
            "looking at the accounts of {}",
            self.config.mail_host
        ));
        let aliases = self.accounts(&sender, &target, &mut done)?;
        let (secret, old) = self.token(&sender, &mut done, said)?;
        let exempt = self.exempt();
        // In a dry run there may be no token yet; nothing of the app's is compared with it then.
        let placeholder = Secret::new("f".repeat(32));
        let profile = {
            let shown = secret.as_ref().unwrap_or(&placeholder);
            let mut profile =
                sender.profile(&self.config, &exempt, shown, target.envelope_is_login());
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

    /// Mailbox and alias. Returns the aliases that we made.
    fn accounts(
        &self,
        sender: &Sender,
        target: &Target,
        done: &mut Integrated,
    ) -> Result<Vec<String>, Error> {
        let options = ChangeOptions::new(Change::Ensure, self.options.dry_run);
        let there = self.mailu.user(self.layout, &sender.login)?;
        if let Some(user) = &there
            && user.settings.enabled == Some(false)
        {
            return Err(Error::new(
                ErrorKind::Conflict,
                "app.disabled",
                format!("send as {}: that mailbox is disabled", sender.login),
            )
            .hint(format!(
                "`mailu user enable {} {}`, or another login: `--login ADDRESS`",
                sender.login,
                self.config.options()
            )));
        }
        let from_user = self.mailu.user(self.layout, &sender.from)?;
        let from_alias = self.mailu.alias(self.layout, &sender.from)?;
        let ownership = sender.ownership(
            target.envelope_is_login(),
            from_user.as_ref().filter(|user| user.email != sender.login),
            from_alias.as_ref(),
            &self.config.admin_email,
        )?;
        let wanted = sender.mailbox(there.as_ref());
        let change = self
            .mailu
            .put_user(self.layout, &sender.login, &wanted, None, options)?;
        let action = match (&there, change.action.is_some()) {
            (None, _) => PartAction::Create,
            (Some(_), true) => PartAction::Change,
            (Some(_), false) => PartAction::Keep,
        };
        done.parts.push(Part::new("mailbox", &sender.login, action));
        if there.is_none() && !sender.bounces && !sender.incoming {
            done.notes.push(format!(
                "nobody reads the mailbox {} yet: what people answer to it is kept there. `mailu user set {} enable_imap=true {}` opens it for a mail program",
                sender.login,
                sender.login,
                self.config.options()
            ));
        }
        let mut made = self
            .known
            .get(&self.key)
            .map(|known| known.aliases.clone())
            .unwrap_or_default();
        if let Ownership::Alias(destination) = ownership {
            let mut settings = AliasSettings {
                destination: Some(destination.clone()),
                ..AliasSettings::default()
            };
            if from_alias.is_none() {
                settings.comment = Some(sender.comment.clone());
                made.push(sender.from.to_string());
            }
            // In a dry run, the mailbox that it leads to may not be there yet.
            if !self.options.dry_run {
                self.mailu
                    .put_alias(self.layout, &sender.from, &settings, options)?;
            }
            let action = if from_alias.is_some() {
                PartAction::Change
            } else {
                PartAction::Create
            };
            let mut part = Part::new("alias", &sender.from, action);
            part.details
                .push(format!("leads to {}", destination.join(", ")));
            done.parts.push(part);
        } else if sender.from != sender.login {
            done.parts
                .push(Part::new("alias", &sender.from, PartAction::Keep));
        }
        Ok(made)
    }

    /// The token that is kept, or a new one; and those that are to go when the app works.
    fn token(
        &self,
        sender: &Sender,
        done: &mut Integrated,
        said: &mut dyn FnMut(&str),
    ) -> Result<(Option<Secret>, Vec<u64>), Error> {
        let path = self.kept_file();
        let kept: Option<Kept> = match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).ok(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(files::failed("read", &path, error)),
        };
        let there = match self.mailu.user(self.layout, &sender.login)? {
            Some(_) => self.mailu.tokens(self.layout, Some(&sender.login))?,
            None => Vec::new(),
        };
        let ours: Vec<u64> = there
            .iter()
            .filter(|token| token.comment == sender.comment)
            .map(|token| token.id)
            .collect();
        let valid = kept.filter(|kept| {
            kept.login == sender.login.to_string()
                && ours.contains(&kept.id)
                && !apps::is_numeric_looking(&kept.secret)
        });
        if let Some(kept) = valid
            && !self.options.rotate
        {
            done.parts
                .push(Part::new("token", &sender.comment, PartAction::Keep));
            let old = ours.into_iter().filter(|id| *id != kept.id).collect();
            return Ok((Some(Secret::new(kept.secret)), old));
        }
        let action = if ours.is_empty() {
            PartAction::Create
        } else {
            PartAction::Change
        };
        done.parts.push(Part::new("token", &sender.comment, action));
        if self.options.dry_run {
            return Ok((None, ours));
        }
        said(&format!("making a token for {}", sender.login));
        let made = self
            .mailu
            .create_token(self.layout, &sender.login, &sender.comment, &[])?;
        let kept = Kept {
            id: made.token.id,
            login: sender.login.to_string(),
            secret: made.secret.expose().to_owned(),
        };
        self.write_secret(&path, &serde_json::to_vec(&kept).unwrap_or_default())?;
        Ok((Some(made.secret), ours))
    }

    fn write_secret(&self, path: &Path, bytes: &[u8]) -> Result<(), Error> {
        let directory = self.layout.secrets();
        if !directory.exists() {
            files::make_directory(&mut Disk, &directory, 0o700, None)?;
        }
        files::write_atomically(&mut Disk, path, 0o600, None, bytes)
    }

    /// Mailu's list of logins without a limit, as admin was started with it.
    fn exempt(&self) -> String {
        let look = || -> Option<String> {
            let docker = Docker::connect().ok()?;
            let all = docker
                .project(&status::project(self.layout, &self.config))
                .ok()?;
            let admin = pause::running(&all, "admin")?;
            admin
                .environment
                .get("MESSAGE_RATELIMIT_EXEMPTION")
                .cloned()
        };
        look().unwrap_or_default()
    }

    /// Logs in, and offers a message from the app's address to the login, without sending it. It counts as one recipient.
    fn try_server(&self, profile: &Profile, secret: &Secret) -> Result<Option<Finding>, Error> {
        let options = self.config.options();
        let docker = Docker::connect()?;
        let all = docker.containers()?;
        let port = match profile.tls {
            apps::Tls::Starttls => MailPort::Submission,
            _ => MailPort::Submissions,
        };
        let failed = |id: &str, message: String, hint: String| {
            Some(Finding::error(id, profile.login.to_string(), message).hint(hint))
        };
        let own = docker.project(&status::project(self.layout, &self.config))?;
        let front = pause::running(&own, "front");
        let Some(place) = delivery::place(&self.config, front, &all, port) else {
            return Ok(failed(
                "app.no_way",
                format!("port {} is not published", port.number()),
                format!("`mailu check {options}` says what is missing"),
            ));
        };
        let mut smtp = match delivery::open_smtp(place, &self.config, port, ANSWER) {
            Ok(smtp) => smtp,
            Err(why) => {
                return Ok(failed(
                    "app.no_way",
                    format!("{place} does not answer as it should: {why}"),
                    format!("`mailu status {options}` shows how the services are"),
                ));
            }
        };
        let login = profile.login.to_string();
        let credentials = Credentials::new(login.clone(), secret.expose().to_owned());
        let shown = |error: &lettre::transport::smtp::Error| {
            error.to_string().replace(secret.expose(), "***")
        };
        if let Err(error) = smtp.auth(&[Mechanism::Plain, Mechanism::Login], &credentials) {
            return Ok(failed(
                "app.login",
                format!("its token is refused: {}", shown(&error)),
                format!(
                    "`mailu logs {options} --tail 20 admin` says why, in the line `Login attempt`; the same command with `--rotate` makes another token"
                ),
            ));
        }
        let address =
            |one: &crate::names::EmailAddress| one.to_string().parse::<lettre::Address>().ok();
        let offered = smtp
            .command(Mail::new(address(profile.envelope()), Vec::new()))
            .and_then(|_| match address(&profile.login) {
                Some(to) => smtp.command(Rcpt::new(to, Vec::new())),
                None => smtp.command(lettre::transport::smtp::commands::Noop),
            });
        let outcome = match offered {
            Ok(_) => None,
            Err(error) => {
                let text = shown(&error);
                let code: u16 = error
                    .status()
                    .and_then(|code| code.to_string().parse().ok())
                    .unwrap_or_default();
                let hint = match code {
                    553 => format!(
                        "{} has to be the login itself, or an alias that leads to it: `mailu alias show {} {options}`",
                        profile.envelope(),
                        profile.envelope()
                    ),
                    450 => format!(
                        "the login has sent as much as it may: `mailu config get limits.messages {options}` shows the limit"
                    ),
                    _ => format!("`mailu logs {options} --tail 20 smtp` says why"),
                };
                failed(
                    "app.sender_refused",
                    format!("a message from {} is refused: {text}", profile.envelope()),
                    hint,
                )
            }
        };
        let _ = smtp.command(Rset);
        smtp.abort();
        Ok(outcome)
    }

    /// The app's own settings.
    fn settings(
        &mut self,
        target: &Target,
        profile: &Profile,
        aliases: Vec<String>,
        done: &mut Integrated,
        said: &mut dyn FnMut(&str),
    ) -> Result<(), Error> {
        let dry = self.options.dry_run;
        let mut known = self.known.get(&self.key).cloned().unwrap_or_default();
        self.app().clone_into(&mut known.app);
        known.site.clone_from(&self.options.site);
        known.login.clone_from(&done.login);
        known.from.clone_from(&done.from);
        known.aliases = aliases;
        known.choose(&self.options);
        match target {
            Target::WordPress(site, more) => {
                let plan = self.mailu.wordpress_plan(site, profile, more)?;
                let mut part = Part::new(
                    "settings",
                    &site.domain,
                    change_of(!plan.changes.is_empty()),
                );
                part.details = plan
                    .changes
                    .iter()
                    .map(|change| format!("{:?} {}", change.action, change.path.display()))
                    .collect();
                done.parts.push(part);
                done.findings.extend(plan.findings.clone());
                if dry || has_errors(&done.findings) {
                    return Ok(());
                }
                said(&format!("trying the server from {}", site.domain));
                if let (_, Some(finding)) = self.mailu.wordpress_probe(site, profile, more)? {
                    done.findings.push(finding);
                }
                if has_errors(&done.findings) {
                    return Ok(());
                }
                self.keep(known)?;
                said(&format!("changing {}", site.domain));
                let applied = self.mailu.wordpress_apply(site, profile, more)?;
                for finding in applied.plan.findings {
                    if !done.findings.contains(&finding) {
                        done.findings.push(finding);
                    }
                }
            }
            Target::Listmonk(listmonk, more) => {
                let plan = listmonk.plan(profile, more, known.listmonk.as_ref())?;
                let mut part = Part::new(
                    "settings",
                    &more.instance,
                    change_of(!plan.changes.is_empty()),
                );
                part.details = plan
                    .changes
                    .iter()
                    .map(|change| change.key.clone())
                    .collect();
                done.parts.push(part);
                done.findings.extend(plan.findings);
                if dry || has_errors(&done.findings) {
                    return Ok(());
                }
                // What was there before is remembered before it is changed.
                let before = known.listmonk.take();
                known.listmonk = plan.record.or_else(|| before.clone());
                self.keep(known.clone())?;
                said(&format!("changing {}", more.instance));
                let applied =
                    listmonk.apply(profile, more, before.as_ref(), self.options.interrupt, said)?;
                for finding in applied.findings {
                    if !done.findings.contains(&finding) {
                        done.findings.push(finding);
                    }
                }
                if applied.record.is_some() {
                    known.listmonk = applied.record;
                    self.keep(known)?;
                }
                if applied.needs_restart {
                    done.notes.push("Listmonk is sending a campaign, and works with the old settings until it is restarted: the same command with `--interrupt` does it".to_owned());
                }
            }
            Target::File(app, path) => {
                let there =
                    fs::read_to_string(path).map_err(|error| files::failed("read", path, error))?;
                let settings = app.merged(profile, self.options.format.as_deref(), &there)?;
                let changed = settings.text != there;
                done.parts
                    .push(Part::new("settings", &path.display(), change_of(changed)));
                done.notes.extend(settings.notes);
                if dry {
                    return Ok(());
                }
                known.file = Some(path.clone());
                if changed {
                    let before = self.before_file();
                    if known.written.is_none() || !before.exists() {
                        self.write_secret(&before, there.as_bytes())?;
                    }
                    known.written = Some(sha256(settings.text.as_bytes()));
                    self.keep(known)?;
                    rewrite(path, settings.text.as_bytes())?;
                    self.restart(done, said)?;
                } else {
                    if known.written.is_none() {
                        known.written = Some(sha256(there.as_bytes()));
                    }
                    self.keep(known)?;
                }
            }
            Target::Own(app, path) => {
                let settings = app.settings(profile, self.options.format.as_deref())?;
                let there = fs::read_to_string(path).ok();
                let changed = there.as_deref() != Some(settings.text.as_str());
                let action = match (&there, changed) {
                    (None, _) => PartAction::Create,
                    (Some(_), true) => PartAction::Change,
                    (Some(_), false) => PartAction::Keep,
                };
                done.parts
                    .push(Part::new("settings", &path.display(), action));
                done.notes.push(format!(
                    "{} is not changed: its settings are in {} ({}); {}",
                    app.title,
                    path.display(),
                    settings.format,
                    settings.about
                ));
                done.notes.extend(settings.notes);
                if dry {
                    return Ok(());
                }
                known.file = Some(path.clone());
                self.keep(known)?;
                if changed {
                    self.write_secret(path, settings.text.as_bytes())?;
                    self.restart(done, said)?;
                }
            }
        }
        Ok(())
    }

    fn restart(&self, done: &mut Integrated, said: &mut dyn FnMut(&str)) -> Result<(), Error> {
        if let Some(container) = &self.options.restart {
            said(&format!("restarting {container}"));
            Docker::connect()?.restart(container, 30)?;
        } else {
            done.notes.push(
                "with `--restart CONTAINER`, it is restarted where its settings have changed"
                    .to_owned(),
            );
        }
        Ok(())
    }

    /// A message that the app itself sends.
    fn prove(
        &self,
        target: &Target,
        profile: &Profile,
        sender: &Sender,
        done: &mut Integrated,
        said: &mut dyn FnMut(&str),
    ) -> Result<(), Error> {
        match target {
            Target::WordPress(site, _) => {
                said(&format!("having {} send to {}", site.domain, sender.login));
                let sent = self
                    .mailu
                    .wordpress_verify(site, profile, Some(&sender.login))?;
                done.findings.extend(sent.findings.clone());
                if has_errors(&done.findings) {
                    return Ok(());
                }
                done.proof = Proof::Sent;
                said(&format!("waiting for it in {}", sender.login));
                match self.arrived(&sender.login.to_string(), &sent.mark)? {
                    Ok(()) => done.proof = Proof::Arrived,
                    Err(why) => done.findings.push(
                        Finding::warning("app.not_arrived", &done.login, why).hint(format!(
                            "`mailu logs {} --tail 50 smtp` says where it is",
                            self.config.options()
                        )),
                    ),
                }
            }
            Target::Listmonk(listmonk, more) => {
                let record = self
                    .known
                    .get(&self.key)
                    .and_then(|known| known.listmonk.as_ref());
                let with_api = self.options.api.is_some().then_some(&sender.login);
                said("asking Listmonk");
                let sent = listmonk.verify(profile, more, record, with_api)?;
                for finding in sent.findings {
                    if !done.findings.contains(&finding) {
                        done.findings.push(finding);
                    }
                }
                if !sent.good && !has_errors(&done.findings) {
                    done.findings.push(Finding::error(
                        "app.not_as_wanted",
                        &more.instance,
                        "is not as it was asked to be",
                    ));
                }
                if sent.sent == Some(true) {
                    done.proof = Proof::Sent;
                }
            }
            Target::File(..) | Target::Own(..) => {}
        }
        Ok(())
    }

    /// Waits for a message with this mark in a mailbox of the server, and takes it away; or says why it did not come.
    fn arrived(&self, login: &str, mark: &str) -> Result<Result<(), String>, Error> {
        let docker = Docker::connect()?;
        let all = docker.project(&status::project(self.layout, &self.config))?;
        let Some(imap) = pause::running(&all, "imap") else {
            return Ok(Err("imap does not run, so nobody can look".to_owned()));
        };
        let search = [
            "doveadm",
            "search",
            "-u",
            login,
            "mailbox",
            "*",
            "header",
            "X-Agency-Probe",
            mark,
        ];
        let until = Instant::now() + ARRIVAL;
        loop {
            let found = docker.execute(&imap.name, &search, None, LOOK)?;
            if found.code == 0 && !found.out.trim().is_empty() {
                let mut expunge = search;
                expunge[1] = "expunge";
                docker.execute(&imap.name, &expunge, None, LOOK)?;
                return Ok(Ok(()));
            }
            if Instant::now() > until {
                return Ok(Err(format!(
                    "the server took the message, which did not come into the mailbox within {} s",
                    ARRIVAL.as_secs()
                )));
            }
            std::thread::sleep(Duration::from_millis(500));
        }
    }

    /// Remembers, before anything is changed that has to be taken back.
    fn keep(&mut self, known: Known) -> Result<(), Error> {
        self.known.insert(self.key.clone(), known);
        self.write_known()
    }

    fn write_known(&self) -> Result<(), Error> {
        let path = known_file(self.layout);
        let mut text = serde_json::to_vec_pretty(&self.known).map_err(|error| {
            Error::new(
                ErrorKind::Internal,
                "app.record",
                format!("write the record {}", path.display()),
            )
            .source(error)
        })?;
        text.push(b'\n');
        if fs::read(&path).is_ok_and(|there| there == text) {
            return Ok(());
        }
        files::write_atomically(&mut Disk, &path, 0o600, None, &text)
    }

    /// The record, and the line in `AgencyStack`'s list.
    fn note(
        &mut self,
        target: &Target,
        sender: &Sender,
        done: &mut Integrated,
    ) -> Result<(), Error> {
        if let Some(known) = self.known.get_mut(&self.key) {
            known.comment.clone_from(&sender.comment);
        }
        self.write_known()?;
        let path = self.state();
        let there = read_or_empty(&path)?;
        let title = target.title();
        let is_there = there
            .lines()
            .any(|line| line.split(':').next() == Some(title));
        if is_there && !done.changed {
            done.parts
                .push(Part::new("record", &path.display(), PartAction::Keep));
            return Ok(());
        }
        let details = format!("{} through {}", sender.login, self.config.mail_host);
        let at: String = observe::timestamp()
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .collect();
        let entry = Entry::new(title, "unknown", &at, &details);
        write_state(&path, &apps::state_file(&there, title, Some(&entry)))?;
        done.parts.push(Part::new(
            "record",
            &path.display(),
            if is_there {
                PartAction::Change
            } else {
                PartAction::Create
            },
        ));
        if !is_there {
            done.changed = true;
            done.performed = true;
        }
        Ok(())
    }

    fn state(&self) -> PathBuf {
        self.layout.root().join("integrations/state/email.state")
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
        let mut locks = lock::Locks::none();
        if !dry {
            locks.add(&self.layout.file(".mailu/apps.lock"))?;
        }
        let mut done = Integrated {
            app: self.app().to_owned(),
            site: self.options.site.clone(),
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
        let target = self.target()?;
        self.take_back(&target, &known, &mut done, said)?;
        if has_errors(&done.findings) {
            done.performed = false;
            return Ok(done);
        }
        let login: Option<crate::names::EmailAddress> = known.login.parse().ok();
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
        if dry {
            return Ok(done);
        }
        let path = self.state();
        let there = read_or_empty(&path)?;
        let others = self
            .known
            .iter()
            .any(|(key, one)| *key != self.key && one.app == known.app);
        if !others && !there.is_empty() {
            let now = apps::state_file(&there, target.title(), None);
            if now != there {
                write_state(&path, &now)?;
            }
        }
        for path in [self.kept_file(), self.before_file(), self.settings_file()] {
            files::clear(&mut Disk, &path)?;
        }
        self.known.remove(&self.key);
        self.write_known()?;
        Ok(done)
    }

    /// The app's settings as they were.
    fn take_back(
        &self,
        target: &Target,
        known: &Known,
        done: &mut Integrated,
        said: &mut dyn FnMut(&str),
    ) -> Result<(), Error> {
        let dry = self.options.dry_run;
        match target {
            Target::WordPress(site, _) => {
                done.parts
                    .push(Part::new("settings", &site.domain, PartAction::Remove));
                if !dry {
                    let removed = self.mailu.wordpress_remove(site)?;
                    done.findings.extend(removed.findings);
                }
            }
            Target::Listmonk(listmonk, more) => {
                done.parts
                    .push(Part::new("settings", &more.instance, PartAction::Remove));
                if let Some(record) = &known.listmonk {
                    let report = if dry {
                        listmonk.plan_removal(record)?
                    } else {
                        listmonk.remove(record, self.options.interrupt, said)?
                    };
                    done.findings.extend(report.findings);
                }
            }
            Target::File(_, path) => {
                done.parts
                    .push(Part::new("settings", &path.display(), PartAction::Remove));
                let there =
                    fs::read_to_string(path).map_err(|error| files::failed("read", path, error))?;
                let before = self.before_file();
                if known.written.as_deref() == Some(sha256(there.as_bytes()).as_str())
                    && before.exists()
                {
                    let was =
                        fs::read(&before).map_err(|error| files::failed("read", &before, error))?;
                    if !dry {
                        rewrite(path, &was)?;
                        self.restart(done, said)?;
                    }
                } else {
                    // It was edited since. A block of variables can be taken out all the same.
                    let without = apps::unmerge_env(&there)
                        .ok()
                        .filter(|without| *without != there);
                    let Some(without) = without else {
                        return Err(Error::new(
                            ErrorKind::Conflict,
                            "app.edited",
                            format!("take the settings out of {}: it was edited since", path.display()),
                        )
                        .hint(format!(
                            "what it was before is in {}: put back by hand what you need, then remove that file, and run the same command again",
                            before.display()
                        )));
                    };
                    if !dry {
                        rewrite(path, without.as_bytes())?;
                        self.restart(done, said)?;
                    }
                }
            }
            Target::Own(_, path) => {
                done.parts
                    .push(Part::new("settings", &path.display(), PartAction::Remove));
            }
        }
        Ok(())
    }
}

const fn change_of(differs: bool) -> PartAction {
    if differs {
        PartAction::Change
    } else {
        PartAction::Keep
    }
}

fn read_or_empty(path: &Path) -> Result<String, Error> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(files::failed("read", path, error)),
    }
}

fn write_state(path: &Path, text: &str) -> Result<(), Error> {
    if let Some(parent) = path.parent()
        && !parent.exists()
    {
        files::make_directory(&mut Disk, parent, 0o755, None)?;
    }
    files::write_atomically(&mut Disk, path, 0o644, None, text.as_bytes())
}

/// Writes a file of somebody else's, with the mode and owner that it has.
fn rewrite(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let path = files::behind_links(path)?;
    let metadata = fs::metadata(&path).map_err(|error| files::failed("look at", &path, error))?;
    let owner = observe::privileged().then(|| (metadata.uid(), metadata.gid()));
    files::write_atomically(&mut Disk, &path, metadata.mode() & 0o7777, owner, bytes)
}
