//! The handle on a root with its deployments.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::entropy::System;
use super::files::{self, Disk, Files};
use super::hints;
use super::lock;
use super::observe;
use super::perform::{Progress, perform};
use super::preview;
use crate::config::Config;
use crate::config::edit::Document;
use crate::dkim;
use crate::dns::{self, PublicKeys, Report};
use crate::error::{Error, ErrorKind};
use crate::finding::Finding;
use crate::names::{ClientId, MailHost};
use crate::paths::Layout;
use crate::plan::{
    self, CertificatePair, Deployment, Entry, Fresh, Nothing, Observed, Plan, Request,
};
use crate::secret::{Secret, Secrets};
use crate::start::{self, Run, ServiceRun};

/// The name of the first account's document among the secrets.
const FIRST_ACCOUNT: &str = "first_account";

/// Which deployment is meant.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Target {
    /// Its mail host.
    pub mail_host: Option<MailHost>,
    /// Its client.
    pub client: Option<ClientId>,
}

impl Target {
    /// A deployment by name.
    pub fn new(mail_host: Option<MailHost>, client: Option<ClientId>) -> Self {
        Self { mail_host, client }
    }
}

/// A deployment in a list.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct DeploymentInfo {
    /// Its mail host, by the name of its directory.
    pub mail_host: String,
    /// Its client.
    pub client: Option<String>,
    /// Its email domains, the main one first.
    pub email_domains: Vec<String>,
    /// Mailu's release.
    pub version: Option<String>,
    /// TLS mode.
    pub tls: Option<String>,
    /// Its directory.
    pub directory: PathBuf,
    /// `installed`, `incomplete`, `uninstalled` or `invalid`.
    pub state: String,
}

impl DeploymentInfo {
    /// Where it lies below `root`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Corrupt`] if its directory is not named as ours are.
    pub fn layout(&self, root: &Path) -> Result<Layout, Error> {
        let host = self.mail_host.parse::<MailHost>();
        let client = self
            .client
            .as_deref()
            .map(str::parse::<ClientId>)
            .transpose();
        match (host, client) {
            (Ok(host), Ok(client)) => Ok(Layout::new(root, client, host)),
            _ => Err(Error::new(
                ErrorKind::Corrupt,
                "deployment.misnamed",
                format!(
                    "use {}: its directory is not named by a mail host and client",
                    self.directory.display()
                ),
            )
            .hint("rename the directory to the mail host in its mailu.toml")),
        }
    }
}

/// What a person needs to know about a deployment.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Details {
    /// Its mail host.
    pub mail_host: String,
    /// Its directory.
    pub directory: PathBuf,
    /// The directory of its secrets.
    pub secrets: PathBuf,
    /// The admin interface, if it is served.
    pub admin_url: Option<String>,
    /// The webmail, if it is served.
    pub webmail_url: Option<String>,
    /// The API, if it is served.
    pub api_url: Option<String>,
    /// The first administrator's login.
    pub admin_email: String,
    /// The file with the first administrator's password.
    pub admin_password_file: PathBuf,
    /// The command that prints it.
    pub admin_password_command: String,
    /// The configuration with every default.
    pub config: Config,
}

impl Details {
    pub(super) fn of(layout: &Layout, config: &Config) -> Self {
        let scheme = if config.tls.mode == crate::config::TlsMode::None {
            "http"
        } else {
            "https"
        };
        let url = |path: &str| {
            let slash = if path.ends_with('/') { "" } else { "/" };
            format!("{scheme}://{}{path}{slash}", config.mail_host)
        };
        let webmail = config.services.webmail != crate::config::Webmail::None;
        Self {
            mail_host: config.mail_host.to_string(),
            directory: layout.directory(),
            secrets: layout.secrets(),
            admin_url: config
                .services
                .admin
                .then(|| url(config.web.admin_path.as_str())),
            webmail_url: webmail.then(|| url(config.web.webmail_path.as_str())),
            api_url: config
                .services
                .api
                .then(|| url(config.web.api_path.as_str())),
            admin_email: config.admin_email.to_string(),
            admin_password_file: layout.secret("admin_password"),
            admin_password_command: format!("{} --reveal admin_password", layout.command("show")),
            config: config.clone(),
        }
    }
}

/// What an operation did, or in a dry run would do.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Outcome {
    /// The plan.
    pub plan: Plan,
    /// Whether it was performed.
    pub performed: bool,
    /// The deployment.
    pub details: Details,
    /// The DNS records to publish.
    pub dns: Report,
    /// What to do next, in this order.
    pub next: Vec<NextStep>,
    /// What was found on this host before; absent where it was not to be started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preflight: Option<crate::preflight::Report>,
    /// Which containers would be touched, where that was only planned; what only Compose can tell is not among them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub containers: Vec<ServiceRun>,
    /// What bringing it up did and found; absent where that was not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<Run>,
}

/// Something that is left to a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct NextStep {
    /// What it is for.
    pub why: String,
    /// What to type.
    pub command: String,
}

/// Operates the deployments below one root.
#[derive(Debug, Clone)]
pub struct Mailu {
    root: PathBuf,
}

impl Mailu {
    /// The deployments below `root`, usually [`crate::paths::DEFAULT_ROOT`]. Nothing is read yet.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`] if a relative path cannot be resolved.
    pub fn new(root: impl AsRef<Path>) -> Result<Self, Error> {
        let root = root.as_ref();
        let root = std::path::absolute(root).map_err(|error| files::failed("find", root, error))?;
        Ok(Self { root })
    }

    /// The root.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Every deployment, by directory.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`] if a directory cannot be listed.
    pub fn list(&self) -> Result<Vec<DeploymentInfo>, Error> {
        let mut all = Vec::new();
        for directory in observe::deployments(&self.root)? {
            let path = directory.join("mailu.toml");
            let text =
                fs::read_to_string(&path).map_err(|error| files::failed("read", &path, error))?;
            let config = Config::from_toml(&text).ok().map(|parsed| parsed.config);
            let name = |path: Option<&Path>| {
                path.and_then(Path::file_name)
                    .map(|n| n.to_string_lossy().into_owned())
            };
            let parent = directory.parent();
            let in_clients = parent
                .and_then(Path::parent)
                .is_some_and(|p| p.ends_with("clients"));
            let state = match &config {
                None => "invalid",
                Some(_)
                    if directory.join(".mailu/uninstalled").exists()
                        && !directory.join(".mailu/journal.json").exists()
                        && !directory.join(plan::STARTING).exists()
                        && !directory.join(".installed_ok").exists() =>
                {
                    "uninstalled"
                }
                Some(_)
                    if directory.join(".mailu/journal.json").exists()
                        || directory.join(plan::STARTING).exists()
                        || !directory.join(".installed_ok").exists() =>
                {
                    "incomplete"
                }
                Some(_) => "installed",
            };
            all.push(DeploymentInfo {
                mail_host: name(Some(&directory)).unwrap_or_default(),
                client: name(parent).filter(|_| in_clients),
                email_domains: config
                    .iter()
                    .flat_map(Config::domains)
                    .map(ToString::to_string)
                    .collect(),
                version: config.as_ref().map(|c| c.version.to_string()),
                tls: config.as_ref().map(|c| c.tls.mode.to_string()),
                directory,
                state: state.to_owned(),
            });
        }
        Ok(all)
    }

    /// The deployment that `target` means: by name, or the only one there is.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] if there is none, [`ErrorKind::InvalidInput`] if there are several.
    pub fn find(&self, target: &Target) -> Result<Layout, Error> {
        self.found(target)
            .map_err(|error| hints::error(error, &self.root))
    }

    fn found(&self, target: &Target) -> Result<Layout, Error> {
        let all = self.list()?;
        let wanted = |info: &&DeploymentInfo| {
            target
                .mail_host
                .as_ref()
                .is_none_or(|host| host.as_str() == info.mail_host)
                && target
                    .client
                    .as_ref()
                    .is_none_or(|client| Some(client.as_str()) == info.client.as_deref())
        };
        let matching: Vec<_> = all.iter().filter(wanted).collect();
        let names = |list: &[&DeploymentInfo]| {
            list.iter()
                .map(|i| match &i.client {
                    Some(client) => format!("{} (client {client})", i.mail_host),
                    None => i.mail_host.clone(),
                })
                .collect::<Vec<_>>()
                .join(", ")
        };
        match matching.as_slice() {
            [one] => one.layout(&self.root),
            [] => {
                if let Some(lost) = self.lost(target, all.is_empty())? {
                    return Err(lost);
                }
                let asked = match (&target.mail_host, &target.client) {
                    (Some(host), Some(client)) => format!("for {host} of client {client} "),
                    (Some(host), None) => format!("for {host} "),
                    (None, Some(client)) => format!("of client {client} "),
                    (None, None) => String::new(),
                };
                let error = Error::new(
                    ErrorKind::NotFound,
                    "deployment.not_found",
                    format!(
                        "find a deployment {asked}below {}: there is none",
                        self.root.join("mailu").display()
                    ),
                );
                Err(if all.is_empty() {
                    error.hint("`mailu install` makes one; `--root DIR` looks elsewhere")
                } else {
                    error.hint(format!(
                        "there are: {}",
                        names(&all.iter().collect::<Vec<_>>())
                    ))
                })
            }
            several => Err(Error::new(
                ErrorKind::InvalidInput,
                "deployment.ambiguous",
                format!("choose a deployment: there are {}", several.len()),
            )
            .hint(format!(
                "name one with `--domain` (and `--client-id`): {}",
                names(several)
            ))),
        }
    }

    /// The error about a deployment without its `mailu.toml`: the one that `target` names, or the only trace of any.
    fn lost(&self, target: &Target, nothing_else: bool) -> Result<Option<Error>, Error> {
        for layout in observe::lost(&self.root)? {
            let meant = match (&target.mail_host, &target.client) {
                (None, None) => nothing_else,
                (host, client) => {
                    host.as_ref().is_none_or(|host| host == layout.mail_host())
                        && client
                            .as_ref()
                            .is_none_or(|client| Some(client) == layout.client())
                }
            };
            if meant {
                let copied = record(&layout.rendered()).is_some_and(|r| r.toml.is_some());
                return Ok(Some(plan::kept::lost(&layout, copied)));
            }
        }
        Ok(None)
    }

    /// Plans what `request` needs at `layout`. Nothing is drawn, nothing is written.
    ///
    /// # Errors
    ///
    /// As [`plan::deploy`], and [`ErrorKind::Io`] if something cannot be read.
    pub fn plan(&self, layout: &Layout, request: &Request) -> Result<Outcome, Error> {
        let deployment = prepare(layout, request, &mut Nothing)?;
        let containers = preview::touched(layout, &deployment.0);
        Ok(Outcome {
            containers,
            ..outcome(layout, deployment, false)
        })
    }

    /// Brings the deployment at `layout` on disk to what its configuration and `request` say.
    ///
    /// With conflicts in the plan, nothing is performed. Stopped at any point, the same call continues.
    ///
    /// # Errors
    ///
    /// As [`Mailu::plan`], and [`ErrorKind::Io`] if something cannot be written.
    pub fn deploy(
        &self,
        layout: &Layout,
        request: &Request,
        progress: &mut dyn Progress,
    ) -> Result<Outcome, Error> {
        deploy_with(layout, request, &mut Disk, &mut System, progress)
    }

    /// The configuration at `layout`, and what is worth knowing about it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`] or [`ErrorKind::InvalidInput`].
    pub fn config(&self, layout: &Layout) -> Result<(Config, Vec<Finding>), Error> {
        let mut parsed = Config::from_toml(&config_text(layout)?)
            .map_err(|invalid| hints::error(invalid.into(), &self.root))?;
        hints::findings(&mut parsed.findings, &self.root);
        Ok((parsed.config, parsed.findings))
    }

    /// What a person needs to know about the deployment at `layout`.
    ///
    /// # Errors
    ///
    /// As [`Mailu::config`].
    pub fn show(&self, layout: &Layout) -> Result<Details, Error> {
        let (config, _) = self.config(layout)?;
        Ok(Details::of(layout, &config))
    }

    /// A secret of the deployment at `layout`, by the name of its file; or, as `first_account`, what
    /// `flask mailu config-import -u` reads to make the email domains and the first administrator.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] for an unknown name, [`ErrorKind::NotFound`] if it does not exist yet.
    pub fn secret(&self, layout: &Layout, name: &str) -> Result<Secret, Error> {
        if name == FIRST_ACCOUNT {
            let (config, _) = self.config(layout)?;
            let password = self.secret(layout, "admin_password")?;
            return Ok(first_account(&config, &password));
        }
        if !Secrets::NAMES.contains(&name) {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "secret.unknown",
                format!("read the secret `{name}`: there is no such secret"),
            )
            .hint(format!(
                "there are: {}, {FIRST_ACCOUNT}",
                Secrets::NAMES.join(", ")
            )));
        }
        let path = layout.secret(name);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Secret::new(text.trim_end_matches(['\r', '\n']))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(Error::new(
                ErrorKind::NotFound,
                "secret.missing",
                format!("read the secret {}: it does not exist", path.display()),
            )
            .hint(
                if name == "admin_password" && layout.file("data/admin/main.db").exists() {
                    format!(
                        "the account exists, with a password that is noted nowhere else; `{}` says what can be done",
                        layout.command("apply")
                    )
                } else {
                    format!("`{}` restores what is missing, or draws it", layout.command("apply"))
                },
            )),
            Err(error) => Err(files::failed("read", &path, error)),
        }
    }

    /// The DNS records of the deployment at `layout`.
    ///
    /// # Errors
    ///
    /// As [`Mailu::config`], and [`ErrorKind::Corrupt`] if a key file is damaged.
    pub fn dns(&self, layout: &Layout) -> Result<(Config, Report), Error> {
        let (config, _) = self.config(layout)?;
        let mut keys = PublicKeys::new();
        for domain in config.domains() {
            let path = layout
                .file("data/dkim")
                .join(dkim::file_name(domain, &config.dns.selector));
            match fs::read_to_string(&path) {
                Ok(pem) => {
                    let text = dkim::public_text(&pem, &path.display())
                        .map_err(|error| hints::error(error, &self.root))?;
                    keys.insert(domain.clone(), text);
                }
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(files::failed("read", &path, error)),
            }
        }
        let mut report = dns::report(&config, dns::records(&config, &keys));
        hints::report(&mut report, &self.root);
        Ok((config, report))
    }

    /// Changes keys of `mailu.toml`; a key without a value is removed. Nothing else follows until `apply`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] if the result would break a rule; then nothing is written.
    pub fn configure(
        &self,
        layout: &Layout,
        changes: &[(String, Option<String>)],
    ) -> Result<Vec<Finding>, Error> {
        let mut findings = self
            .changed(layout, changes)
            .map_err(|error| hints::error(error, &self.root))?;
        hints::findings(&mut findings, &self.root);
        Ok(findings)
    }

    fn changed(
        &self,
        layout: &Layout,
        changes: &[(String, Option<String>)],
    ) -> Result<Vec<Finding>, Error> {
        let _locks = lock::take(layout)?;
        let text = config_text(layout)?;
        let mut document = Document::parse(&text)?;
        for (key, value) in changes {
            match value {
                Some(value) => document.set_typed(key, value),
                None => {
                    if !document.unset(key)
                        && !crate::config::known_keys().iter().any(|k| k.path == *key)
                    {
                        return Err(Error::new(
                            ErrorKind::NotFound,
                            "config.no_such_key",
                            format!(
                                "remove `{key}` from {}: there is no such key",
                                layout.config().display()
                            ),
                        )
                        .hint("`mailu config schema` lists every key"));
                    }
                }
            }
        }
        let records: Vec<plan::Record> = [layout.rendered(), layout.journal()]
            .iter()
            .filter_map(|path| record(path))
            .collect();
        let dropped = plan::kept::release(&mut document, records.iter());
        let new = document.to_string();
        let mut parsed = Config::from_toml(&new)?;
        parsed.findings.extend(dropped);
        if Layout::of(&self.root, &parsed.config) != *layout {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "config.elsewhere",
                format!(
                    "change mail host or client of {}: they name the directory",
                    layout.directory().display()
                ),
            )
            .hint("install a new deployment for another mail host or client"));
        }
        if new != text {
            let path = files::behind_links(&layout.config())?;
            let there =
                fs::metadata(&path).map_err(|error| files::failed("look at", &path, error))?;
            let mode = plan::kept_mode(there.mode(), 0o640);
            let owner = observe::privileged().then(|| (there.uid(), there.gid()));
            files::write_atomically(&mut Disk, &path, mode, owner, new.as_bytes())?;
        }
        Ok(parsed.findings)
    }
}

/// What Mailu's import has to read where there is nothing yet.
fn first_account(config: &Config, password: &Secret) -> Secret {
    start::missing(config, password, &start::Accounts::default())
        .map_or_else(|| Secret::new("{}"), |(document, _)| document)
}

/// A record, if it can be read.
fn record(path: &Path) -> Option<plan::Record> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

fn config_text(layout: &Layout) -> Result<String, Error> {
    let path = layout.config();
    fs::read_to_string(&path).map_err(|error| files::failed("read", &path, error))
}

pub(super) fn prepare(
    layout: &Layout,
    request: &Request,
    fresh: &mut dyn Fresh,
) -> Result<(Deployment, Vec<NextStep>), Error> {
    let (mut deployment, next) = judged(layout, request, fresh, observe::observe(layout))
        .map_err(|error| hints::error(error, layout.root()))?;
    hints::findings(&mut deployment.plan.findings, layout.root());
    Ok((deployment, next))
}

/// Plans what the files at `base` and `secrets` need to be the deployment at `layout`. Nothing is drawn.
pub(super) fn prepare_at(
    layout: &Layout,
    base: &Path,
    secrets: &Path,
    request: &Request,
) -> Result<Deployment, Error> {
    let observed = observe::observe_at(layout, base, secrets);
    judged(layout, request, &mut Nothing, observed)
        .map(|(deployment, _)| deployment)
        .map_err(|error| hints::error(error, layout.root()))
}

fn judged(
    layout: &Layout,
    request: &Request,
    fresh: &mut dyn Fresh,
    observed: Result<(Observed, Vec<Finding>), Error>,
) -> Result<(Deployment, Vec<NextStep>), Error> {
    let (mut observed, mut findings) = observed?;
    let resolved = plan::resolve(layout, request, &observed)?;
    let in_place = |path: &str, text: &str| {
        let entry = observed.entries.get(path);
        entry.and_then(|e| e.content.as_deref()) == Some(text.as_bytes())
    };
    let serving = |pair: &CertificatePair| {
        in_place("data/certs/cert.pem", &pair.certificate)
            && in_place("data/certs/key.pem", pair.key.expose())
    };
    let (pair, noted) =
        super::certificate::read(&resolved.config, serving, observe::now_seconds())?;
    observed.certificate = pair;
    findings.extend(noted);
    let (pair, noted) = super::acme::take(&resolved.config, observe::now_seconds());
    observed.traefik_certificate = pair;
    observed.pair_in_place = observed
        .entries
        .get("data/certs/cert.pem")
        .and_then(Entry::text)
        .and_then(|text| super::certificate::look(text, observe::now_seconds()));
    findings.extend(noted);
    let mut deployment = plan::deploy(layout, request, &observed, fresh)?;
    let next = next_steps(layout, &observed);
    if !observe::privileged() {
        findings.push(
            Finding::notice(
                "host.unprivileged",
                "root",
                "this is not root: files belong to you, and Docker will have to be told who owns them",
            )
            .hint("use `sudo` for a server that is to run"),
        );
    }
    deployment.plan.findings.append(&mut findings);
    Ok((deployment, next))
}

/// From files on disk to a server that runs.
fn next_steps(layout: &Layout, observed: &Observed) -> Vec<NextStep> {
    let step = |why: &str, command: String| NextStep {
        why: why.to_owned(),
        command,
    };
    if observed.entries.contains_key("data/admin/main.db") {
        return Vec::new();
    }
    vec![step("bring the server up", layout.command("install"))]
}

fn outcome(
    layout: &Layout,
    (deployment, next): (Deployment, Vec<NextStep>),
    performed: bool,
) -> Outcome {
    let mut dns = deployment.rendered.dns;
    hints::report(&mut dns, layout.root());
    Outcome {
        details: Details::of(layout, &deployment.config),
        dns,
        plan: deployment.plan,
        performed,
        next,
        preflight: None,
        containers: Vec::new(),
        run: None,
    }
}

/// [`Mailu::deploy`] with everything that touches the world replaceable.
pub(super) fn deploy_with(
    layout: &Layout,
    request: &Request,
    disk: &mut dyn Files,
    fresh: &mut dyn Fresh,
    progress: &mut dyn Progress,
) -> Result<Outcome, Error> {
    // First without lock and without drawing: bad input must not leave so much as a directory.
    let shown = prepare(layout, request, &mut Nothing)?;
    if shown.0.plan.steps.is_empty() {
        return Ok(outcome(layout, shown, false));
    }
    let _locks = lock::take(layout)?;
    let deployment = prepare(layout, request, fresh)?;
    if deployment.0.plan.steps.is_empty() {
        return Ok(outcome(layout, deployment, false));
    }
    perform(&deployment.0.plan, disk, observe::privileged(), progress)?;
    Ok(outcome(layout, deployment, true))
}
