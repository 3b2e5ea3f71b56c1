//! Installing, applying, planning, checking; which deployments there are.

use serde::Serialize;

use super::request::{Document, Parsed, Plains, Request, Server, addresses, request, settings};
use crate::config::edit::Document as Toml;
use crate::error::{Error, ErrorKind};
use crate::finding::Finding;
use crate::host::deps::Dependencies;
use crate::host::perform::Progress;
use crate::host::root::{DeploymentInfo, Details, Mailu, Outcome, Target};
use crate::host::up::UpOptions;
use crate::names::{ClientId, EmailDomain, MailHost};
use crate::paths::Layout;
use crate::plan;
use crate::preflight;
use crate::secret::{Revealed, Secret};

/// What an installation did, or in a dry run would do.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Installed {
    /// The deployment.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// What was installed before; absent where that was not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dependencies: Option<Dependencies>,
    /// What is worth knowing of the timers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub timers: Vec<Finding>,
}

impl Installed {
    /// Of a deployment alone.
    pub const fn new(outcome: Outcome) -> Self {
        Self {
            outcome,
            dependencies: None,
            timers: Vec::new(),
        }
    }
}

/// One secret, because somebody asked for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename = "Secret")]
#[non_exhaustive]
pub struct RevealedSecret {
    /// Its name.
    pub name: String,
    /// What it is.
    pub value: Revealed,
}

impl RevealedSecret {
    /// A secret by name.
    pub fn new(name: impl Into<String>, secret: &Secret) -> Self {
        Self {
            name: name.into(),
            value: Revealed::from(secret),
        }
    }
}

/// What an installation has to be told, as far as it is known.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Names {
    /// The server's public name.
    pub mail_host: Option<MailHost>,
    /// The client; `Some(None)` is none, said on purpose.
    pub client: Option<Option<ClientId>>,
    /// The part after the @.
    pub email_domain: Option<String>,
    /// The first administrator.
    pub admin_email: Option<String>,
    /// The given `mailu.toml` says those.
    in_file: InFile,
}

/// What a given `mailu.toml` says.
#[derive(Debug, Clone, Default)]
struct InFile {
    client: Option<ClientId>,
    email_domain: bool,
    admin_email: bool,
}

impl Names {
    /// Takes in what a given `mailu.toml` says.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] if it is no TOML, or if its client is not to be.
    pub fn read(&mut self, text: &str) -> Result<(), Error> {
        let document = Toml::parse(text)?;
        let value = |key: &str| {
            let value = document.get(key)?;
            Some(value.trim_matches(['"', '\'']).to_owned())
        };
        self.in_file = InFile {
            client: value("client").and_then(|text| text.parse().ok()),
            email_domain: value("email_domain").is_some(),
            admin_email: value("admin_email").is_some(),
        };
        if let (Some(None), Some(client)) = (&self.client, &self.in_file.client) {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "install.client",
                format!("install for no client: the given file has `client = \"{client}\"`, and an empty --client-id contradicts it"),
            )
            .hint("leave --client-id away, or remove `client` from the file"));
        }
        if self.mail_host.is_none() {
            self.mail_host = value("mail_host").and_then(|text| text.parse().ok());
        }
        Ok(())
    }

    fn chosen_client(&self) -> Option<ClientId> {
        match &self.client {
            Some(client) => client.clone(),
            None => self.in_file.client.clone(),
        }
    }

    /// Where it is, or would be.
    pub fn layout(&self, mailu: &Mailu) -> Option<Layout> {
        let host = self.mail_host.clone()?;
        Some(Layout::new(mailu.root(), self.chosen_client(), host))
    }

    /// Whether it is there already, also where its `mailu.toml` was lost: how to go on then, the library says.
    pub fn exists(&self, mailu: &Mailu) -> bool {
        self.layout(mailu)
            .is_some_and(|layout| layout.config().exists() || layout.rendered().exists())
    }

    /// What is missing: mail host, email domain, administrator. Nothing where it is installed already.
    pub fn missing(&self, mailu: &Mailu) -> [bool; 3] {
        let exists = self.exists(mailu);
        [
            self.mail_host.is_none(),
            !exists && self.email_domain.is_none() && !self.in_file.email_domain,
            !exists && self.admin_email.is_none() && !self.in_file.admin_email,
        ]
    }

    /// The refusal where `missing` are.
    pub fn refusal(missing: &[&str], why: &str) -> Error {
        Error::new(
            ErrorKind::InvalidInput,
            "install.missing_answers",
            format!("install a mail server: {} missing{why}", missing.join(", ")),
        )
        .hint("mailu install --domain mail.example.com --email-domain example.com --admin-email admin@example.com")
    }

    /// Puts them into a request. What it sets besides comes after them.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] without a mail host.
    pub fn settle(self, mailu: &Mailu, request: &mut plan::Request) -> Result<Layout, Error> {
        let Some(layout) = self.layout(mailu) else {
            return Err(Self::refusal(&["mail_host"], ""));
        };
        let client = self.chosen_client().map(|client| client.to_string());
        let host = Some(layout.mail_host().to_string());
        let named = [
            ("mail_host", host),
            ("email_domain", self.email_domain),
            ("admin_email", self.admin_email),
            ("client", client),
        ];
        let named = named
            .into_iter()
            .filter_map(|(key, value)| Some((key.to_owned(), value?)));
        request.settings.splice(0..0, named);
        Ok(layout)
    }
}

/// The deployment to check a host for: the one of a `mailu.toml` that is given in `request`; one that exists; or, by its mail host alone, one that
/// could be installed, for which `request` gets what is usual.
///
/// # Errors
///
/// [`ErrorKind::InvalidInput`] if the given file names no mail host, and as [`Mailu::find`].
pub fn candidate(
    mailu: &Mailu,
    host: Option<&MailHost>,
    client: Option<Option<ClientId>>,
    request: &mut plan::Request,
) -> Result<Layout, Error> {
    if let Some(text) = &request.config {
        let document = Toml::parse(text)?;
        let value = |key: &str| {
            let value = document.get(key)?;
            Some(value.trim_matches(['"', '\'']).to_owned())
        };
        let host = host
            .cloned()
            .or_else(|| value("mail_host").and_then(|text| text.parse().ok()))
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::InvalidInput,
                    "check.no_mail_host",
                    "check for a file: it has no valid `mail_host`",
                )
                .hint("`mailu config check FILE` shows what is wrong with it")
            })?;
        let client = match client {
            Some(client) => client,
            None => value("client").and_then(|text| text.parse().ok()),
        };
        return Ok(Layout::new(mailu.root(), client, host));
    }
    let client = client.flatten();
    if let Some(host) = host {
        let layout = Layout::new(mailu.root(), client.clone(), host.clone());
        if !layout.config().exists() && !layout.rendered().exists() {
            let parent = host.as_str().split_once('.');
            let parent = parent.map_or(host.as_str(), |(_, parent)| parent);
            let given = request
                .settings
                .iter()
                .find(|(key, _)| key == "email_domain")
                .map_or(parent, |(_, value)| value.as_str());
            let mut usual = vec![
                ("mail_host", host.to_string()),
                ("email_domain", given.to_owned()),
                ("admin_email", format!("postmaster@{given}")),
            ];
            usual.extend(client.map(|client| ("client", client.to_string())));
            let usual = usual
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value));
            request.settings.splice(0..0, usual);
            return Ok(layout);
        }
    }
    mailu.find(&Target::new(host.cloned(), client))
}

request! {
    /// Makes a deployment, or brings an existing one to what is asked for, and starts it.
    Install of one ()
    {
        /// The part after the @.
        email_domain: Option<String>,
        /// Address of the first administrator, in an email domain of this server.
        admin_email: Option<String>,
        /// The administrator's password. Without it, one is drawn.
        admin_password: Option<Secret>,
        /// The password at the relay (`relay.user`).
        relay_password: Option<Secret>,
        /// Start from this `mailu.toml`: its text, or its keys.
        config: Option<Document>,
        /// Keys of `mailu.toml` to set: `{"limits.quota": "10GB"}`.
        settings: Plains,
        /// Overwrite edited files, keeping a copy of each in `.mailu/replaced`. Secrets and keys are never drawn again.
        force: bool,
        /// Variables and files that get our value whatever was edited there.
        reset: Vec<String>,
        /// Variables whose edited value is kept, and written into `mailu.toml`.
        adopt: Vec<String>,
        /// Email domains whose lost DKIM key is given up for a new one.
        new_dkim_key: Vec<Parsed<EmailDomain>>,
        /// Only say what would be done.
        dry_run: bool,
        /// Write everything, and leave the mail server as it is. Works without Docker.
        no_start: bool,
        /// How many seconds each service may take to become ready. Without it, as long as is usual for each.
        wait: Option<u64>,
        /// Install Docker, Compose and Traefik first.
        with_deps: bool,
        /// Install no timer for renewed certificates.
        no_timer: bool,
        /// Checks to leave out, such as `preflight.outbound`. They are noted in the deployment.
        skip_check: Vec<String>,
        /// DNS server to ask for names, `ADDRESS` or `ADDRESS:PORT`. Without it, the host's.
        resolver: Option<Parsed<Server>>,
        /// Mail servers to try port 25 with, `HOST` or `HOST:PORT`. Without any, those of large mail domains.
        outbound_to: Vec<String>,
        /// Root servers of the DNS to try, in networks with a root of their own.
        root_server: Vec<Parsed<Server>>,
    }
}

impl Request for Install {
    type Answer = Installed;

    fn perform(self, mailu: &Mailu, progress: &mut dyn Progress) -> Result<Installed, Error> {
        let target = self.target();
        let mut names = Names {
            mail_host: target.mail_host,
            client: target.client.map(Some),
            email_domain: self.email_domain,
            admin_email: self.admin_email,
            in_file: InFile::default(),
        };
        let mut request = plan::Request {
            config: self.config.as_ref().map(Document::text).transpose()?,
            settings: settings(&self.settings),
            force: self.force,
            reset: self.reset.into_iter().collect(),
            adopt: self.adopt.into_iter().collect(),
            new_dkim_key: self.new_dkim_key.into_iter().map(|one| one.0).collect(),
            admin_password: self.admin_password,
            relay_password: self.relay_password,
            start: !self.no_start,
            skip: None,
        };
        if let Some(text) = &request.config {
            names.read(text)?;
        }
        let missing: Vec<&str> = names
            .missing(mailu)
            .into_iter()
            .zip(["mail_host", "email_domain", "admin_email"])
            .filter_map(|(missing, name)| missing.then_some(name))
            .collect();
        if !missing.is_empty() {
            return Err(Names::refusal(&missing, ""));
        }
        let layout = names.settle(mailu, &mut request)?;
        let mut dependencies = None;
        if self.with_deps {
            dependencies = Some(if self.dry_run {
                mailu.plan_dependencies(&layout, &mut request)?
            } else {
                mailu.install_dependencies(&layout, &mut request, progress)?
            });
        }
        let with = |outcome| Installed {
            dependencies,
            ..Installed::new(outcome)
        };
        if self.dry_run {
            return Ok(with(mailu.plan(&layout, &request)?));
        }
        if self.no_start {
            return Ok(with(mailu.deploy(&layout, &request, progress)?));
        }
        let options = checks(
            self.skip_check,
            self.resolver.as_ref(),
            self.outbound_to,
            &self.root_server,
        );
        request.skip = Some(options.skip.clone());
        let report = mailu.check_before_install(&layout, &request, &options)?;
        report.refusal().map_err(|error| {
            error.hint("`--no-start` writes the files, and leaves everything else for later")
        })?;
        let mut outcome = mailu.install(&layout, &request, &waiting(self.wait), progress)?;
        outcome.preflight = Some(report);
        let settled = outcome.plan.conflicts.is_empty();
        let mut installed = with(outcome);
        if !self.no_timer && settled {
            installed.timers = mailu.keep_current();
        }
        Ok(installed)
    }
}

fn waiting(seconds: Option<u64>) -> UpOptions {
    UpOptions::new(seconds.map(std::time::Duration::from_secs))
}

fn checks(
    skip: Vec<String>,
    resolver: Option<&Parsed<Server>>,
    outbound: Vec<String>,
    roots: &[Parsed<Server>],
) -> preflight::Options {
    preflight::Options {
        skip: skip.into_iter().collect(),
        resolver: resolver.map(|server| server.0.0),
        outbound,
        roots: addresses(roots),
    }
}

macro_rules! applying {
    ($name:ident, $doc:literal { $($(#[$doc2:meta])* $opt:ident: $ty:ty),* }) => {
        request! {
            #[doc = $doc]
            $name of one ()
            {
                /// Overwrite edited files, keeping a copy of each in `.mailu/replaced`. Secrets and keys are never drawn again.
                force: bool,
                /// Variables and files that get our value whatever was edited there.
                reset: Vec<String>,
                /// Variables whose edited value is kept, and written into `mailu.toml`.
                adopt: Vec<String>,
                /// Email domains whose lost DKIM key is given up for a new one.
                new_dkim_key: Vec<Parsed<EmailDomain>>,
                $($(#[$doc2])* $opt: $ty,)*
            }
        }

        impl $name {
            fn request(&self) -> plan::Request {
                plan::Request {
                    force: self.force,
                    reset: self.reset.iter().cloned().collect(),
                    adopt: self.adopt.iter().cloned().collect(),
                    new_dkim_key: self.new_dkim_key.iter().map(|one| one.0.clone()).collect(),
                    ..plan::Request::default()
                }
            }
        }
    };
}

applying!(Apply, "Brings a deployment's files to what its `mailu.toml` says, and its containers, if it has some." {
    /// Only say what would be done.
    dry_run: bool,
    /// How many seconds each service may take to become ready. Without it, as long as is usual for each.
    wait: Option<u64>
});
applying!(Plan, "What `apply` would do." {});

impl Request for Apply {
    type Answer = Outcome;

    fn perform(self, mailu: &Mailu, progress: &mut dyn Progress) -> Result<Outcome, Error> {
        let layout = mailu.find(&self.target())?;
        if self.dry_run {
            mailu.plan(&layout, &self.request())
        } else {
            mailu.apply(&layout, &self.request(), &waiting(self.wait), progress)
        }
    }
}

impl Request for Plan {
    type Answer = Outcome;

    fn perform(self, mailu: &Mailu, _: &mut dyn Progress) -> Result<Outcome, Error> {
        let layout = mailu.find(&self.target())?;
        mailu.plan(&layout, &self.request())
    }
}

request! {
    /// Whether this host can run a deployment, before or after its installation: engine, ports, names, room, the way out, Traefik.
    Check of one ()
    {
        /// Check for this `mailu.toml`, which is not installed yet: its text, or its keys.
        config: Option<Document>,
        /// As if these keys of `mailu.toml` were set.
        settings: Plains,
        /// Checks to leave out, such as `preflight.outbound`.
        skip_check: Vec<String>,
        /// DNS server to ask for names, `ADDRESS` or `ADDRESS:PORT`. Without it, the host's.
        resolver: Option<Parsed<Server>>,
        /// Mail servers to try port 25 with, `HOST` or `HOST:PORT`. Without any, those of large mail domains.
        outbound_to: Vec<String>,
        /// Root servers of the DNS to try, in networks with a root of their own.
        root_server: Vec<Parsed<Server>>,
    }
}

impl Request for Check {
    type Answer = preflight::Report;

    fn perform(self, mailu: &Mailu, _: &mut dyn Progress) -> Result<Self::Answer, Error> {
        let target = self.target();
        let options = checks(
            self.skip_check,
            self.resolver.as_ref(),
            self.outbound_to,
            &self.root_server,
        );
        let mut request = plan::Request {
            config: self.config.as_ref().map(Document::text).transpose()?,
            settings: settings(&self.settings),
            start: true,
            skip: Some(options.skip.clone()),
            ..plan::Request::default()
        };
        let layout = candidate(
            mailu,
            target.mail_host.as_ref(),
            target.client.map(Some),
            &mut request,
        )?;
        mailu.check(&layout, &request, &options)
    }
}

request! {
    /// The deployments of this host.
    List () {}
}

impl Request for List {
    type Answer = Vec<DeploymentInfo>;

    fn perform(self, mailu: &Mailu, _: &mut dyn Progress) -> Result<Self::Answer, Error> {
        mailu.list()
    }
}

request! {
    /// What a person needs to know about a deployment: addresses, where its files and secrets are, its configuration.
    Show of one () {}
}

impl Request for Show {
    type Answer = Details;

    fn perform(self, mailu: &Mailu, _: &mut dyn Progress) -> Result<Self::Answer, Error> {
        mailu.show(&mailu.find(&self.target())?)
    }
}

request! {
    /// One secret of a deployment.
    ShowSecret of one
    (
        /// `admin_password`, `api_token`, `secret_key`, `relay_password`, or `first_account` for Mailu's config-import.
        name: String,
    )
    {}
}

impl Request for ShowSecret {
    type Answer = RevealedSecret;

    fn perform(self, mailu: &Mailu, _: &mut dyn Progress) -> Result<Self::Answer, Error> {
        let secret = mailu.secret(&mailu.find(&self.target())?, &self.name)?;
        Ok(RevealedSecret::new(self.name, &secret))
    }
}
