//! Apps that send through a deployment.

use std::fs;
use std::path::PathBuf;

use serde::Serialize;

use super::request::{Parsed, Request, of, request};
use crate::apps::{self, Offer, Tls};
use crate::error::{Error, ErrorKind};
use crate::host::app::write_settings;
use crate::host::files;
use crate::host::integrate::{AppApi, IntegrateOptions, Integrated};
use crate::host::perform::Progress;
use crate::host::root::Mailu;
use crate::names::{DomainName, EmailAddress};
use crate::paths::Layout;
use crate::secret::Secret;

/// What stands in the place of a password that is not to be seen. Apps that keep a password when they get stars back keep it.
const HIDDEN: &str = "********";

/// What an app is to be told.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct AppSettings {
    /// The app's name.
    pub app: &'static str,
    /// The form.
    pub format: &'static str,
    /// Where it goes.
    pub about: String,
    /// The settings, where they were not written into a file. The password is hidden unless it was to be seen.
    pub text: Option<String>,
    /// The file that they are in instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// What to restart, and what is a trap.
    pub notes: Vec<String>,
}

/// Without the text, which may have the password.
impl std::fmt::Debug for AppSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AppSettings")
            .field("app", &self.app)
            .field("format", &self.format)
            .finish_non_exhaustive()
    }
}

/// Which settings of which app somebody wants.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct AppWish {
    /// The app.
    pub app: String,
    /// Who logs in.
    pub login: EmailAddress,
    /// Its token or password.
    pub password: Option<Secret>,
    /// The address that mail comes from, if it is not the login.
    pub from: Option<EmailAddress>,
    /// The name beside it.
    pub from_name: Option<String>,
    /// The envelope sender, if it is another one.
    pub envelope_from: Option<EmailAddress>,
    /// What the app calls itself.
    pub helo: Option<DomainName>,
    /// How the connection is encrypted.
    pub tls: Tls,
    /// The app reads the account's mail, too.
    pub incoming: bool,
    /// The format; without it, the app's usual one.
    pub format: Option<String>,
    /// A file whose settings ours are put among. It is not changed.
    pub into: Option<PathBuf>,
    /// Whether the password is to be seen.
    pub reveal: bool,
    /// A new file for the settings, with the password.
    pub out: Option<PathBuf>,
}

impl AppWish {
    /// An app by name, and its login.
    pub fn new(app: impl Into<String>, login: EmailAddress) -> Self {
        Self {
            app: app.into(),
            login,
            password: None,
            from: None,
            from_name: None,
            envelope_from: None,
            helo: None,
            tls: Tls::Implicit,
            incoming: false,
            format: None,
            into: None,
            reveal: false,
            out: None,
        }
    }
}

impl Mailu {
    /// What an app is to be told to send through the deployment at `layout`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] for an unknown app; [`ErrorKind::InvalidInput`] for what the server or the app cannot do, and for a password that is to
    /// be seen and was not given; [`ErrorKind::Conflict`] for a file with anything else in it.
    pub fn app_settings(&self, layout: &Layout, wish: AppWish) -> Result<AppSettings, Error> {
        let shown = wish.reveal || wish.out.is_some();
        let password = match wish.password {
            None if shown => {
                return Err(Error::new(
                    ErrorKind::InvalidInput,
                    "app.no_password",
                    "write settings with the password: none was given",
                )
                .hint("add `--password-file FILE`, or `--password-stdin`"));
            }
            Some(given) if shown => given,
            // What is wrong with it is said all the same.
            Some(given) if apps::is_numeric_looking(given.expose()) => given,
            _ => Secret::new(HIDDEN),
        };
        let (config, _) = self.config(layout)?;
        let format = wish.format.as_deref();
        let (app, unknown) = apps::find(&wish.app, format)?;
        let mut offer = Offer::new(wish.login, password);
        offer.tls = wish.tls;
        offer.incoming = wish.incoming;
        let mut profile = offer.profile(&config)?;
        profile.from = wish.from.unwrap_or(profile.from);
        profile.from_name = wish.from_name;
        profile.envelope_from = wish.envelope_from;
        profile.helo = wish.helo;
        let mut settings = match &wish.into {
            Some(path) => {
                let there =
                    fs::read_to_string(path).map_err(|error| files::failed("read", path, error))?;
                app.merged(&profile, format, &there)?
            }
            None => app.settings(&profile, format)?,
        };
        settings.notes.splice(0..0, unknown);
        if !shown {
            settings.notes.push(
                "the password is hidden: `--reveal` prints it, `--out FILE` writes it into a file"
                    .to_owned(),
            );
        }
        let file = match &wish.out {
            Some(path) => Some(write_settings(path, &settings.text)?),
            None => None,
        };
        Ok(AppSettings {
            app: settings.app,
            format: settings.format,
            about: settings.about,
            text: file.is_none().then_some(settings.text),
            file,
            notes: settings.notes,
        })
    }
}

request! {
    /// What an app is to be told to send through a deployment, in the app's own format.
    Settings of one
    (
        /// The app, as `app_list` names it; any other one gets `SMTP_…` variables, if `format` is one for variables.
        app: String,
        /// The account with which the app logs in.
        login: Parsed<EmailAddress>,
    )
    {
        /// The account's token or password. Without it, stars stand in its place.
        password: Option<Secret>,
        /// The address that mail comes from, if it is not the login: an alias that leads to it.
        from_address: Option<Parsed<EmailAddress>>,
        /// The name beside that address.
        from_name: Option<String>,
        /// The envelope sender, if it is another one, for apps that can tell them apart.
        envelope_from: Option<Parsed<EmailAddress>>,
        /// What the app calls itself in EHLO: the name of its site.
        helo: Option<Parsed<DomainName>>,
        /// How the connection is encrypted. Without it, TLS from the first byte.
        tls: Option<Tls>,
        /// The app reads the account's mail, too.
        incoming: bool,
        /// The format. Without it, the app's usual one.
        format: Option<String>,
        /// Put them into what this file has already. The file itself is not changed.
        #[cfg_attr(feature = "schema", schemars(extend("x-path" = true)))]
        into: Option<PathBuf>,
        /// The password is seen.
        reveal: bool,
        /// Write them, with the password, into a new file that only its owner can read.
        #[cfg_attr(feature = "schema", schemars(extend("x-path" = true)))]
        out: Option<PathBuf>,
    }
}

impl Request for Settings {
    type Answer = AppSettings;

    fn perform(self, mailu: &Mailu, _: &mut dyn Progress) -> Result<Self::Answer, Error> {
        let target = self.target();
        let wish = AppWish {
            app: self.app,
            login: self.login.0,
            password: self.password,
            from: of(self.from_address),
            from_name: self.from_name,
            envelope_from: of(self.envelope_from),
            helo: of(self.helo),
            tls: self.tls.unwrap_or(Tls::Implicit),
            incoming: self.incoming,
            format: self.format,
            into: self.into,
            reveal: self.reveal,
            out: self.out,
        };
        mailu.app_settings(&mailu.find(&target)?, wish)
    }
}

macro_rules! connecting {
    ($name:ident, $doc:literal { $($(#[$doc2:meta])* $opt:ident: $ty:ty),* }) => {
        request! {
            #[doc = $doc]
            $name of one
            (
                /// The app: `wordpress`, `listmonk`, `ghost`, `chatwoot`, `gitea` … (`app_list`), or `generic`.
                app: String,
            )
            {
                /// Which of several: the name of the WordPress or `ERPNext` site, or the client whose Listmonk it is.
                site: Option<String>,
                /// Who logs in. A mailbox that is not there is made. Without it, the app's name at the email domain.
                login: Option<Parsed<EmailAddress>>,
                /// What stands in `From:`. Without it, the login.
                from_address: Option<Parsed<EmailAddress>>,
                /// The name beside it.
                from_name: Option<String>,
                /// How mail is handed in.
                tls: Option<Tls>,
                /// The app reads the mailbox by IMAP, too.
                incoming: bool,
                /// WordPress: the site's directory. Other apps: the file that has their settings, and gets ours.
                #[cfg_attr(feature = "schema", schemars(extend("x-path" = true)))]
                path: Option<PathBuf>,
                /// The form of the settings, where an app has several.
                format: Option<String>,
                /// The container that runs the app, where it cannot be found.
                container: Option<String>,
                /// Restart this container when its settings have changed.
                restart: Option<String>,
                /// A file with authorities (PEM) that the app does not know by itself.
                #[cfg_attr(feature = "schema", schemars(extend("x-path" = true)))]
                ca: Option<PathBuf>,
                /// The address of its site, for its API. Listmonk: without it, its database is changed. Chatwoot: an inbox is connected. `ERPNext`: without
                /// it, the site's container does it.
                api_url: Option<String>,
                /// Listmonk: the API user. `ERPNext`: the API key, where the token is the API secret alone.
                api_user: Option<String>,
                /// Chatwoot: the number of the account, as in /app/accounts/NUMBER.
                api_account: Option<u64>,
                /// The token. Chatwoot: an administrator's access token. `ERPNext`: API key and secret, with a colon between.
                api_token: Option<Secret>,
                /// A file that has the token; its path is remembered.
                #[cfg_attr(feature = "schema", schemars(extend("x-path" = true)))]
                api_token_file: Option<PathBuf>,
                /// Mailu's limit of messages does not count for the login; false takes that back.
                exempt: Option<bool>,
                /// Listmonk: switch its other servers off, which would get a share of the mail.
                only: bool,
                /// Listmonk: restart it though it is sending a campaign, which goes on by itself then.
                interrupt: bool,
                /// Only say what would be done.
                dry_run: bool,
                $($(#[$doc2])* $opt: $ty,)*
            }
        }

        impl $name {
            fn options(&self) -> IntegrateOptions {
                let mut options = IntegrateOptions::new(self.app.clone());
                options.site = self.site.clone().filter(|site| !site.is_empty());
                options.wish.login = self.login.as_ref().map(|one| one.0.clone());
                options.wish.from = self.from_address.as_ref().map(|one| one.0.clone());
                options.wish.from_name.clone_from(&self.from_name);
                options.wish.tls = self.tls;
                options.wish.incoming = self.incoming;
                options.path.clone_from(&self.path);
                options.format.clone_from(&self.format);
                options.container.clone_from(&self.container);
                options.restart.clone_from(&self.restart);
                options.ca.clone_from(&self.ca);
                options.only = self.only;
                options.interrupt = self.interrupt;
                options.dry_run = self.dry_run;
                options.exempt = self.exempt;
                if self.api_url.is_some() || self.api_token.is_some() || self.api_token_file.is_some() {
                    let mut api = AppApi::new(self.api_url.clone().unwrap_or_default());
                    api.user.clone_from(&self.api_user);
                    api.account = self.api_account;
                    api.secret.clone_from(&self.api_token);
                    api.token_file.clone_from(&self.api_token_file);
                    options.api = Some(api);
                }
                options
            }
        }
    };
}

connecting!(Integrate, "Has an app send through a deployment: its own mailbox and token, its settings, a test message. What is not said stays as it was chosen the last time." {
    /// Make a new token; the old one goes once the app works with the new.
    rotate: bool
});
connecting!(Disconnect, "Takes back what `integrate` has done: the app's settings, its token, the record. Its mailbox stays." {});

impl Request for Integrate {
    type Answer = Integrated;

    fn perform(self, mailu: &Mailu, progress: &mut dyn Progress) -> Result<Self::Answer, Error> {
        let mut options = self.options();
        options.rotate = self.rotate;
        let layout = mailu.find(&self.target())?;
        mailu.integrate(&layout, &options, &mut |line| progress.said(line))
    }
}

impl Request for Disconnect {
    type Answer = Integrated;

    fn perform(self, mailu: &Mailu, progress: &mut dyn Progress) -> Result<Self::Answer, Error> {
        let options = self.options();
        let layout = mailu.find(&self.target())?;
        mailu.disconnect(&layout, &options, &mut |line| progress.said(line))
    }
}
