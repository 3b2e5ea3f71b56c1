//! From the configuration to the variables of `mailu.env` and `.env`.

use std::fmt;

use super::table;
use super::{EnvError, EnvFile};
use crate::config::{Compression, Config, LogLevel, MailPort, TlsMode, Via, Webmail};
use crate::network;
use crate::secret::Secrets;

/// Variables in the order of the file, in groups with a heading. `Debug` shows names only.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Variables {
    groups: Vec<(&'static str, Vec<(String, String)>)>,
}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Variables ")?;
        f.debug_list().entries(self.names()).finish()
    }
}

impl Variables {
    fn group(&mut self, heading: &'static str) {
        self.groups.push((heading, Vec::new()));
    }

    fn put(&mut self, name: &str, value: impl Into<String>) {
        if let Some((_, variables)) = self.groups.last_mut() {
            variables.push((name.to_owned(), value.into()));
        }
    }

    /// Every variable in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.groups
            .iter()
            .flat_map(|(_, variables)| variables)
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value of `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter()
            .find(|(n, _)| *n == name)
            .map(|(_, value)| value)
    }

    /// The names in order.
    pub fn names(&self) -> Vec<&str> {
        self.iter().map(|(name, _)| name).collect()
    }

    /// A new file with headings.
    ///
    /// # Errors
    ///
    /// If a value cannot be written in an environment file.
    pub fn to_file(&self, head: &str) -> Result<EnvFile, EnvError> {
        let mut file = EnvFile::default();
        file.comment(head);
        for (heading, variables) in &self.groups {
            if variables.is_empty() {
                continue;
            }
            file.comment(heading);
            for (name, value) in variables {
                file.append(name, value)?;
            }
        }
        Ok(file)
    }
}

fn flag(on: bool) -> &'static str {
    if on { "true" } else { "false" }
}

fn joined<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    items
        .into_iter()
        .map(|item| item.to_string())
        .collect::<Vec<_>>()
        .join(",")
}

/// The variables of `mailu.env`. Secrets that are not given are left out.
pub fn mailu_variables(config: &Config, secrets: &Secrets) -> Variables {
    let mut v = Variables::default();

    v.group("Identity. SECRET_KEY protects sessions and forwarded addresses; it never changes.");
    if let Some(secret) = &secrets.secret_key {
        v.put("SECRET_KEY", secret.expose());
    }
    v.put("DOMAIN", config.email_domain.as_str());
    let mut names: Vec<String> = config.public_names().map(ToString::to_string).collect();
    if config.tls.mode.own_acme() {
        names.extend(config.further_names().iter().map(ToString::to_string));
    }
    v.put("HOSTNAMES", names.join(","));
    v.put("POSTMASTER", config.postmaster().as_str());
    v.put("TZ", config.timezone.as_str());

    v.group("Network. Everything inside SUBNET may send without a password; these follow docker-compose.yml.");
    if let Some(subnet) = config.network.subnet {
        v.put("SUBNET", subnet.to_string());
    }
    if let Some(subnet6) = config.network.subnet6.filter(|_| config.network.ipv6) {
        v.put("SUBNET6", subnet6.to_string());
    }

    v.group("TLS, ports, and whose word about client addresses counts.");
    v.put(
        "TLS_FLAVOR",
        match config.tls.mode {
            TlsMode::Traefik => "mail",
            TlsMode::Passthrough | TlsMode::Letsencrypt => "letsencrypt",
            TlsMode::Cert => "cert",
            TlsMode::None => "notls",
        },
    );
    v.put("PORTS", joined(front_ports(config)));
    v.put("PROXY_PROTOCOL", joined(proxy_protocol_ports(config)));
    v.put(
        "REAL_IP_HEADER",
        if config.tls.mode == TlsMode::Traefik {
            "X-Forwarded-For"
        } else {
            ""
        },
    );
    v.put("REAL_IP_FROM", joined(network::trusted(config)));

    v.group("Services.");
    let services = &config.services;
    v.put("ADMIN", flag(services.admin));
    v.put("WEBMAIL", services.webmail.as_str());
    v.put("API", flag(services.api));
    if let Some(secret) = &secrets.api_token {
        v.put("API_TOKEN", secret.expose());
    }
    v.put("WEBDAV", if services.webdav { "radicale" } else { "none" });
    v.put(
        "ANTIVIRUS",
        if services.antivirus { "clamav" } else { "none" },
    );
    v.put("SCAN_MACROS", flag(services.macro_scan));
    v.put("FETCHMAIL_ENABLED", flag(services.fetchmail));
    v.put("FETCHMAIL_DELAY", config.mail.fetchmail_delay.to_string());
    v.put(
        "FULL_TEXT_SEARCH",
        if services.search {
            joined(&config.mail.search_languages)
        } else {
            "off".to_owned()
        },
    );
    // Dovecot takes any text as on.
    v.put(
        "FULL_TEXT_SEARCH_ATTACHMENTS",
        if services.search_attachments {
            "true"
        } else {
            ""
        },
    );
    v.put("DISABLE_STATISTICS", flag(!services.statistics));

    v.group("Limits. Sizes in bytes.");
    let limits = &config.limits;
    v.put("MESSAGE_SIZE_LIMIT", limits.message_size.0.to_string());
    v.put("DEFAULT_QUOTA", limits.quota.0.to_string());
    v.put("MESSAGE_RATELIMIT", limits.messages.to_string());
    if !limits.exempt.is_empty() {
        v.put("MESSAGE_RATELIMIT_EXEMPTION", joined(&limits.exempt));
    }
    v.put("AUTH_RATELIMIT_IP", limits.auth_per_ip.to_string());
    v.put("AUTH_RATELIMIT_USER", limits.auth_per_user.to_string());

    v.group("Mail.");
    let mail = &config.mail;
    v.put("RECIPIENT_DELIMITER", mail.recipient_delimiter.as_str());
    v.put("DEFAULT_SPAM_THRESHOLD", mail.spam_threshold.to_string());
    v.put("DKIM_SELECTOR", config.dns.selector.as_str());
    v.put(
        "DMARC_RUA",
        config.dmarc.rua.as_ref().map_or("", |l| l.as_str()),
    );
    v.put(
        "DMARC_RUF",
        config.dmarc.ruf.as_ref().map_or("", |l| l.as_str()),
    );
    v.put(
        "COMPRESSION",
        if mail.compression == Compression::None {
            ""
        } else {
            mail.compression.as_str()
        },
    );
    v.put(
        "COMPRESSION_LEVEL",
        mail.compression_level
            .map(|l| l.to_string())
            .unwrap_or_default(),
    );
    v.put(
        "REJECT_UNLISTED_RECIPIENT",
        if mail.reject_unlisted_recipient {
            "yes"
        } else {
            ""
        },
    );
    v.put("WELCOME", flag(config.welcome.enabled));
    v.put("WELCOME_SUBJECT", config.welcome.subject.as_str());
    v.put("WELCOME_BODY", config.welcome.body.as_str());

    v.group("Relay. RELAYNETS may send without a password.");
    v.put("RELAYNETS", joined(&config.relay.networks));
    v.put(
        "RELAYHOST",
        config.relay.host.as_ref().map_or("", |h| h.as_str()),
    );
    if let Some(user) = &config.relay.user {
        v.put("RELAYUSER", user.as_str());
        if let Some(secret) = &secrets.relay_password {
            v.put("RELAYPASSWORD", secret.expose());
        }
    }

    v.group("Web.");
    v.put("SITENAME", config.web.site_name.as_str());
    v.put("WEBSITE", config.website());
    v.put("WEB_ADMIN", config.web.admin_path.as_str());
    v.put("WEB_WEBMAIL", config.web.webmail_path.as_str());
    v.put("WEB_API", config.web.api_path.as_str());
    v.put("WEBROOT_REDIRECT", root_redirect(config));

    v.group("Logs.");
    v.put(
        "LOG_LEVEL",
        match config.logs.level {
            LogLevel::Critical => "CRITICAL",
            LogLevel::Error => "ERROR",
            LogLevel::Warning => "WARNING",
            LogLevel::Info => "INFO",
            LogLevel::Debug => "DEBUG",
        },
    );

    v.group("From [env] in mailu.toml.");
    for (name, value) in &config.env {
        v.put(name, value.as_str());
    }
    v
}

fn root_redirect(config: &Config) -> &str {
    if let Some(path) = &config.web.root_redirect {
        return path.as_str();
    }
    let webmail = config.web.webmail_path.as_str();
    if config.services.webmail != Webmail::None {
        // At `/` the webmail answers by itself.
        if webmail == "/" { "" } else { webmail }
    } else if config.services.admin {
        config.web.admin_path.as_str()
    } else {
        ""
    }
}

/// Mailu's `PORTS`: left to itself, Mailu closes 587 and 143.
fn front_ports(config: &Config) -> Vec<u16> {
    let mut ports: Vec<u16> = config
        .open_ports()
        .iter()
        .map(|port| port.number())
        .collect();
    ports.push(80);
    if config.tls.mode != TlsMode::None {
        ports.push(443);
    }
    // The webmail's filters go to port 14190, which Mailu opens together with 4190. Nothing leads to 4190 from outside then.
    let sieve = MailPort::Sieve.number();
    if config.services.webmail != Webmail::None && !ports.contains(&sieve) {
        ports.push(sieve);
    }
    ports.sort_unstable();
    ports
}

/// The ports on which front demands a PROXY header: those that Traefik forwards as TCP.
fn proxy_protocol_ports(config: &Config) -> Vec<u16> {
    let mut ports = Vec::new();
    if config.via() == Via::Traefik {
        ports.extend(config.open_ports().iter().map(|port| port.number()));
    }
    if config.tls.mode == TlsMode::Passthrough {
        ports.push(443);
    }
    ports.sort_unstable();
    ports
}

/// The variables of `.env`, from which Compose fills the references in `docker-compose.yml`.
pub fn compose_variables(config: &Config) -> Variables {
    let mut v = Variables::default();
    v.group("Read by Compose.");
    v.put("COMPOSE_PROJECT_NAME", config.project_name());
    v.put("MAILU_VERSION", config.version.to_string());
    v.put("DOCKER_ORG", config.images.registry.as_str());
    v.put("DOCKER_PREFIX", config.images.prefix.as_str());
    v
}

/// What Mailu would make of `variables`: a finding for each value that crashes a service or means something else than it says.
pub fn check(
    variables: &Variables,
    version: crate::config::units::Version,
) -> Vec<crate::finding::Finding> {
    judge(variables.iter(), version, str::to_owned)
}

/// The table's opinion of a whole environment, however it came about.
pub(crate) fn judge<'a>(
    variables: impl IntoIterator<Item = (&'a str, &'a str)>,
    version: crate::config::units::Version,
    subject: impl Fn(&str) -> String,
) -> Vec<crate::finding::Finding> {
    variables
        .into_iter()
        .filter_map(|(name, value)| table::check(name, value, &subject(name), version))
        .collect()
}
