//! The deployment file `mailu.toml`: what may stand in it, what each key means, and its defaults.
//!
//! Reading collects every error with the path of its key; `check` then applies the rules between keys.

pub(crate) mod check;
pub mod edit;
pub(crate) mod front;
mod ports;
mod sections;
pub mod units;
mod value;

use std::collections::BTreeMap;

use serde::Serialize;
use toml::Value;

use crate::error::Invalid;
use crate::finding::{Finding, Severity, has_errors};
use crate::names::{ClientId, EmailAddress, EmailDomain, LocalPart, MailHost, ProjectName};
pub use ports::MailPort;
pub use sections::{
    Alignment, Backup, Bimi, Compression, DEFAULT_POOL, DEFAULT_PROXY_NETWORK, Diagnose, Dmarc,
    DmarcPolicy, Dns, EntryPoints, Images, Limits, LogDriver, LogLevel, Logs, Mail, MtaSts,
    MtaStsMode, Network, Ports, Relay, Services, SpfAll, Tls, TlsMode, TlsRpt, Traefik, Via, Web,
    Webmail, Welcome,
};
use units::{Timezone, Version};
pub use value::KeyInfo;
pub(crate) use value::join;
pub(crate) use value::{FromValue, sounds_secret};
use value::{Reader, parsed};

/// Words of other tools and of `AgencyStack`'s documentation, and the key that means the same here.
const RENAMED: &[(&str, &str)] = &[
    ("domain", "mail_host"),
    ("DOMAIN", "mail_host"),
    ("EMAIL_DOMAIN", "email_domain"),
    ("ADMIN_EMAIL", "admin_email"),
    ("CLIENT_ID", "client"),
    ("client_id", "client"),
    ("webmail", "services.webmail"),
    ("antivirus", "services.antivirus"),
    ("antispam", "services.antispam"),
    ("webdav", "services.webdav"),
    ("api", "services.api"),
    ("ipv6", "network.ipv6"),
    ("subnet", "network.subnet"),
    ("quota", "limits.quota"),
    ("rua", "dmarc.rua"),
    ("relayhost", "relay.host"),
    ("tls_flavor", "tls.mode"),
    ("tls", "tls.mode"),
];

/// Declares [`Config`]: as `section!`, with keys that have no default.
macro_rules! root {
    ($(#[$meta:meta])* pub struct $name:ident {
        $( $(#[doc = $rdoc:literal])+ $rfield:ident : $rty:ty, hint $hint:literal, stand_in $stand_in:literal; )*
        ;
        $( $(#[doc = $doc:literal])+ $field:ident : $ty:ty = $default:expr ),* $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Serialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
        #[non_exhaustive]
        pub struct $name {
            $( $(#[doc = $rdoc])+ pub $rfield: $rty, )*
            $( $(#[doc = $doc])+ #[cfg_attr(feature = "schema", schemars(default))] pub $field: $ty ),*
        }

        impl FromValue for $name {
            fn from_value(value: &Value, at: &str, out: &mut Vec<Finding>) -> Option<Self> {
                let mut reader = Reader::new(value, at, out)?;
                $( let $rfield = reader.require(
                    stringify!($rfield),
                    "is missing; a deployment cannot do without it",
                    $hint,
                ); )*
                $( let $field = reader.get(stringify!($field)).unwrap_or_else(|| $default); )*
                reader.finish();
                // A stand-in lets the rules between the other keys be checked in the same run.
                Some(Self { $( $rfield: $rfield.unwrap_or_else(|| parsed($stand_in)), )* $( $field ),* })
            }

            fn describe(at: &str, _: &str, _: Option<String>, out: &mut Vec<KeyInfo>) {
                $( <$rty>::describe(&join(at, stringify!($rfield)), concat!($($rdoc, "\n"),+).trim(), None, out); )*
                $( {
                    let default: $ty = $default;
                    <$ty as FromValue>::describe(
                        &join(at, stringify!($field)),
                        concat!($($doc, "\n"),+).trim(),
                        value::toml_text(&default),
                        out,
                    );
                } )*
            }
        }
    };
}

root! {
    /// One deployment: everything that is not a secret.
    pub struct Config {
        /// The public name of the server.
        mail_host: MailHost, hint "add `mail_host = \"mail.example.com\"`, or pass `--domain mail.example.com`", stand_in "mail.missing.invalid";
        /// The part after the `@`.
        email_domain: EmailDomain, hint "add `email_domain = \"example.com\"`, or pass `--email-domain example.com`", stand_in "missing.invalid";
        /// The first administrator. An address in one of the email domains.
        admin_email: EmailAddress, hint "add `admin_email = \"admin@example.com\"`, or pass `--admin-email admin@example.com`", stand_in "admin@missing.invalid";
        ;
        /// The tenant. None: the agency's own mail.
        client: Option<ClientId> = None,
        /// Compose project and prefix of container names. Default: `mailu`, with a client `mailu_CLIENT`.
        project: Option<ProjectName> = None,
        /// Further public names of the server.
        hostnames: Vec<MailHost> = Vec::new(),
        /// Further email domains.
        email_domains: Vec<EmailDomain> = Vec::new(),
        /// The postmaster's part before the `@`. Default: the administrator's.
        postmaster: Option<LocalPart> = None,
        /// Mailu's release.
        version: Version = Version::DEFAULT,
        /// Time zone of the containers. UTC makes logs comparable with those of other servers.
        timezone: Timezone = Timezone::default(),
        /// Who terminates TLS.
        tls: Tls = Tls::default(),
        /// Where Traefik lives.
        traefik: Traefik = Traefik::default(),
        /// The mail ports and how they are reached.
        ports: Ports = Ports::default(),
        /// What runs.
        services: Services = Services::default(),
        /// The web interfaces.
        web: Web = Web::default(),
        /// How mail is treated.
        mail: Mail = Mail::default(),
        /// Sizes and rates.
        limits: Limits = Limits::default(),
        /// A message to each new user.
        welcome: Welcome = Welcome::default(),
        /// Another server that takes outgoing mail.
        relay: Relay = Relay::default(),
        /// The DMARC record.
        dmarc: Dmarc = Dmarc::default(),
        /// The policy for verified TLS between servers.
        mta_sts: MtaSts = MtaSts::default(),
        /// Reports about deliveries over TLS.
        tls_rpt: TlsRpt = TlsRpt::default(),
        /// The logo beside mail.
        bimi: Bimi = Bimi::default(),
        /// What the DNS records need to know.
        dns: Dns = Dns::default(),
        /// Backups: where they are written, who can read them, which are kept.
        backup: Backup = Backup::default(),
        /// What a diagnosis does not have to tell.
        diagnose: Diagnose = Diagnose::default(),
        /// Docker networks.
        network: Network = Network::default(),
        /// Where images come from.
        images: Images = Images::default(),
        /// Logging.
        logs: Logs = Logs::default(),
        /// Further variables for `mailu.env`, by Mailu's names.
        env: BTreeMap<String, String> = BTreeMap::new(),
    }
}

/// A valid configuration and what is worth knowing about it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Parsed {
    /// The configuration.
    pub config: Config,
    /// Warnings and notices; no errors.
    pub findings: Vec<Finding>,
}

impl Config {
    /// Reads `mailu.toml`.
    ///
    /// # Errors
    ///
    /// [`Invalid`] with every error found: TOML syntax, unknown or missing keys, wrong types, broken rules.
    ///
    /// # Examples
    ///
    /// ```
    /// let parsed = mailu_core::Config::from_toml(
    ///     r#"
    ///     mail_host = "mail.example.com"
    ///     email_domain = "example.com"
    ///     admin_email = "admin@example.com"
    ///     "#,
    /// )?;
    /// assert_eq!(parsed.config.limits.quota.0, 25_000_000_000);
    /// # Ok::<(), mailu_core::Invalid>(())
    /// ```
    pub fn from_toml(text: &str) -> Result<Parsed, Invalid> {
        match text.parse::<toml::Table>() {
            Ok(table) => Self::from_table(table),
            Err(error) => {
                let line = error.span().map_or(1, |span| {
                    text[..span.start.min(text.len())].matches('\n').count() + 1
                });
                Err(Invalid::new(vec![
                    Finding::error(
                        "config.syntax",
                        format!("mailu.toml line {line}"),
                        format!("is not valid TOML: {}", error.message().replace('\n', ", ")),
                    )
                    .hint("text goes in quotes, lists in square brackets; https://toml.io shows the rest"),
                ]))
            }
        }
    }

    /// As [`Config::from_toml`], from a parsed table.
    ///
    /// # Errors
    ///
    /// As [`Config::from_toml`].
    pub fn from_table(mut table: toml::Table) -> Result<Parsed, Invalid> {
        let mut findings = Vec::new();
        migrate(&mut table, &mut findings);
        let config = Self::from_value(&Value::Table(table), "", &mut findings);
        let Some(config) = config else {
            return Err(Invalid::new(findings));
        };
        check::rules(&config, &mut findings);
        if has_errors(&findings) {
            return Err(Invalid::new(findings));
        }
        Ok(Parsed { config, findings })
    }

    /// Compose's project name and the prefix of container names.
    pub fn project_name(&self) -> String {
        match (&self.project, &self.client) {
            (Some(project), _) => project.to_string(),
            (None, Some(client)) => format!("mailu_{client}"),
            (None, None) => "mailu".to_owned(),
        }
    }

    /// The name on the host of the network by which published ports enter front.
    ///
    /// Docker takes a container's networks in the order of these names and lets published ports in by the first, so this one
    /// sorts before all others that front joins.
    pub fn access_network(&self) -> String {
        format!("0-{}_access", self.project_name())
    }

    /// The mail host and the further host names.
    pub fn public_names(&self) -> impl Iterator<Item = &MailHost> {
        std::iter::once(&self.mail_host).chain(&self.hostnames)
    }

    /// The email domain and the further ones.
    pub fn domains(&self) -> impl Iterator<Item = &EmailDomain> {
        std::iter::once(&self.email_domain).chain(&self.email_domains)
    }

    /// Names below the email domains for automatic client setup, if that is on.
    pub fn autoconfig_names(&self) -> Vec<MailHost> {
        self.domains()
            .flat_map(|domain| self.autoconfig_names_of(domain))
            .map(|(_, name)| name)
            .collect()
    }

    /// Those of one email domain, each with its first label.
    pub(crate) fn autoconfig_names_of(
        &self,
        domain: &EmailDomain,
    ) -> impl Iterator<Item = (&'static str, MailHost)> {
        let offered =
            self.dns.autoconfig && !matches!(self.tls.mode, TlsMode::None | TlsMode::Cert);
        ["autoconfig", "autodiscover"]
            .into_iter()
            .filter(move |_| offered)
            .filter_map(move |label| Some((label, format!("{label}.{domain}").parse().ok()?)))
            .filter(|(_, name)| !self.public_names().any(|known| known == name))
    }

    /// The domains that mail is received for: the email domains, and those whose mail is one of theirs.
    pub fn receiving(&self) -> impl Iterator<Item = &EmailDomain> {
        self.domains()
            .chain(self.dns.alternatives.iter().map(|other| &other.name))
    }

    /// The name below `domain` at which other servers look for its MTA-STS policy (RFC 8461 §3.3), if there is one; nothing where
    /// it is a name of the server anyway.
    pub(crate) fn mta_sts_name_of(&self, domain: &EmailDomain) -> Option<MailHost> {
        if self.mta_sts.mode == MtaStsMode::Off || self.tls.mode == TlsMode::None {
            return None;
        }
        format!("mta-sts.{domain}")
            .parse()
            .ok()
            .filter(|name| !self.public_names().any(|known| known == name))
    }

    /// The names at which other servers look for MTA-STS policies.
    pub fn mta_sts_names(&self) -> Vec<MailHost> {
        self.receiving()
            .filter_map(|domain| self.mta_sts_name_of(domain))
            .collect()
    }

    /// The names below email domains that front serves besides the public ones: each wants a certificate, and none may keep the
    /// mail host from getting its own.
    pub fn further_names(&self) -> Vec<MailHost> {
        let mut names = self.autoconfig_names();
        names.extend(self.mta_sts_names());
        names
    }

    /// How the mail ports are reached.
    pub fn via(&self) -> Via {
        self.ports.via.unwrap_or(if self.tls.mode.behind_traefik() {
            Via::Traefik
        } else {
            Via::Published
        })
    }

    /// The mail ports that front opens: without TLS the implicit-TLS ones stay shut.
    pub fn open_ports(&self) -> Vec<MailPort> {
        let mut ports: Vec<MailPort> = self
            .ports
            .mail
            .iter()
            .copied()
            .filter(|port| self.tls.mode != TlsMode::None || !port.implicit_tls())
            .collect();
        ports.sort_unstable_by_key(|port| port.number());
        ports.dedup();
        ports
    }

    /// The postmaster's part before the `@`.
    pub fn postmaster(&self) -> LocalPart {
        match &self.postmaster {
            Some(local) => local.clone(),
            None if *self.admin_email.domain() == self.email_domain => {
                self.admin_email.local().clone()
            }
            None => parsed("postmaster"),
        }
    }

    /// The link in the web interfaces.
    pub fn website(&self) -> String {
        self.web.website.as_ref().map_or_else(
            || format!("https://{}", self.email_domain),
            ToString::to_string,
        )
    }

    /// The options that name this deployment, for commands in hints.
    pub(crate) fn options(&self) -> String {
        crate::paths::options(self.client.as_ref(), &self.mail_host)
    }

    /// The command that sets keys, for hints: of a deployment that is there, and of one that is about to be made.
    pub(crate) fn setting(&self, settings: &[&str]) -> String {
        format!(
            "`mailu config set {} {}`, or at its installation `--set {}`",
            self.options(),
            settings.join(" "),
            settings.join(" --set ")
        )
    }

    /// Whether Docker publishes any port of front.
    pub fn publishes(&self) -> bool {
        !self.tls.mode.behind_traefik() || self.via() == Via::Published
    }
}

/// Every key that `mailu.toml` may hold, in the order of the documentation.
pub fn known_keys() -> Vec<KeyInfo> {
    let mut keys = Vec::new();
    Config::describe("", "", None, &mut keys);
    keys
}

/// Values that meant something once.
fn migrate(table: &mut toml::Table, findings: &mut Vec<Finding>) {
    let webmail = table
        .get_mut("services")
        .and_then(|services| services.get_mut("webmail"));
    if let Some(Value::String(name)) = webmail
        && name.eq_ignore_ascii_case("rainloop")
    {
        findings.push(
                Finding::warning(
                    "services.rainloop",
                    "services.webmail",
                    "Mailu dropped RainLoop in 2.0; its successor SnappyMail is used, and finds RainLoop's data in place",
                )
                .value("rainloop")
                .hint("write `webmail = \"snappymail\"` to silence this"),
            );
        "snappymail".clone_into(name);
    }
}

/// The errors among `findings`.
pub(crate) fn errors(findings: &[Finding]) -> impl Iterator<Item = &Finding> {
    findings.iter().filter(|f| f.severity == Severity::Error)
}

/// The JSON Schema of `mailu.toml`.
#[cfg(feature = "schema")]
pub fn json_schema() -> serde_json::Value {
    schemars::schema_for!(Config).to_value()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str = "mail_host = \"mail.example.com\"\nemail_domain = \"example.com\"\nadmin_email = \"admin@example.com\"\n";

    /// Also the literals in `parsed(…)`: a section's defaults are made whenever it is read.
    #[test]
    fn every_default_written_out_means_the_same() {
        let least = Config::from_toml(LEAST).expect("valid").config;
        let mut tried = 0;
        for key in known_keys() {
            let Some(default) = key.default else { continue };
            let text = match key.path.rsplit_once('.') {
                Some((section, name)) => format!("{LEAST}[{section}]\n{name} = {default}\n"),
                None => format!("{LEAST}{} = {default}\n", key.path),
            };
            let written = Config::from_toml(&text)
                .unwrap_or_else(|invalid| panic!("{}: {invalid}", key.path));
            assert_eq!(written.config, least, "{}", key.path);
            tried += 1;
        }
        assert!(tried > 50, "{tried}");
    }

    #[test]
    fn stand_ins_are_valid_and_reach_no_message() {
        let invalid = Config::from_toml("").expect_err("nothing is there");
        assert_eq!(invalid.findings().len(), 3);
        assert!(!invalid.to_string().contains("missing.invalid"));
    }

    #[test]
    fn the_postmaster_is_the_administrator_or_an_address_of_the_domain() {
        let of = |text: &str| Config::from_toml(text).expect("valid").config.postmaster();
        assert_eq!(of(LEAST).as_str(), "admin");
        let elsewhere =
            LEAST.replace("@example.com", "@two.example") + "email_domains = [\"two.example\"]\n";
        assert_eq!(of(&elsewhere).as_str(), "postmaster");
    }
}
