//! Every variable that Mailu 2024.06 reads, and what a wrong value does to it.
//!
//! Used three times: for `[env]` in `mailu.toml`, for what people wrote into `mailu.env` by hand, and in a test over
//! everything that we render.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

use crate::config::sounds_secret;
use crate::config::units::{
    Delimiters, HttpUrl, Language, RateLimit, RelayHost, Timezone, UrlPath, Version,
};
use crate::finding::{Finding, Severity, nearest};
use crate::names::{DomainName, EmailAddress, EmailDomain, LocalPart, MailHost, Selector};
use crate::network;

/// What a value must be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Rule {
    /// Any text.
    Any,
    /// `true` or `false` (or `yes`, `no`): anything else counts as true in some services and as text in others.
    Bool,
    /// On is any text, off is only the empty one.
    EmptyIsOff,
    /// A whole number in a range, and what happens otherwise.
    Integer(u64, u64, &'static str),
    /// One of these, and what happens otherwise.
    OneOf(&'static [&'static str], &'static str),
    /// A check of its own.
    Custom(fn(&str) -> Result<(), String>),
    /// Set by us and by nobody else; says why.
    Ours(&'static str),
    /// No longer read; says what is.
    Removed(&'static str),
    /// Read only by a release after the 2024.06 series.
    NextRelease,
}

/// One variable.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Variable {
    pub(crate) name: &'static str,
    pub(crate) rule: Rule,
    /// The key of `mailu.toml` that sets it.
    pub(crate) key: Option<&'static str>,
    /// Whether other files follow from it too, so that changing it in `mailu.env` alone breaks the deployment.
    pub(crate) structural: bool,
}

const CRASH: &str = "Mailu's admin does not start with anything else";

const fn var(name: &'static str, rule: Rule) -> Variable {
    Variable {
        name,
        rule,
        key: None,
        structural: false,
    }
}

const fn keyed(name: &'static str, key: &'static str, rule: Rule) -> Variable {
    Variable {
        name,
        rule,
        key: Some(key),
        structural: false,
    }
}

const fn structural(name: &'static str, key: &'static str, rule: Rule) -> Variable {
    Variable {
        name,
        rule,
        key: Some(key),
        structural: true,
    }
}

fn parses<T: std::str::FromStr<Err: ToString>>(text: &str) -> Result<(), String> {
    text.parse::<T>().map(drop).map_err(|e| e.to_string())
}

fn or_empty<T: std::str::FromStr<Err: ToString>>(text: &str) -> Result<(), String> {
    if text.is_empty() {
        Ok(())
    } else {
        parses::<T>(text)
    }
}

fn list(text: &str, each: impl Fn(&str) -> bool, rule: &str) -> Result<(), String> {
    if text.is_empty() || text.split(',').all(each) {
        Ok(())
    } else {
        Err(rule.to_owned())
    }
}

fn is_cidr(item: &str) -> bool {
    item.parse::<IpNet>().is_ok() || item.parse::<IpAddr>().is_ok()
}

fn networks(text: &str) -> Result<(), String> {
    list(
        text,
        |item| is_cidr(item.trim()),
        "must be a comma-separated list of networks in CIDR notation; admin does not start with anything else",
    )
}

fn networks_without_spaces(text: &str) -> Result<(), String> {
    list(
        text,
        is_cidr,
        "must be a comma-separated list of networks in CIDR notation, without spaces: nginx, Dovecot and Postfix read it as it stands",
    )
}

/// The networks in a list that was accepted.
pub(crate) fn listed(text: &str) -> impl Iterator<Item = IpNet> {
    text.split(',').map(str::trim).filter_map(|item| {
        item.parse()
            .ok()
            .or_else(|| Some(item.parse::<IpAddr>().ok()?.into()))
    })
}

fn narrow(text: &str, rule: &str) -> Result<(), String> {
    match listed(text).find(|net| net.prefix_len() < network::widest(*net)) {
        Some(net) => Err(format!(
            "must not contain {net}, which is wider than a /{}: {rule}",
            network::widest(net)
        )),
        None => Ok(()),
    }
}

/// Postfix takes an address with a colon for the name of a lookup table unless it stands in brackets. Mailu puts those
/// around what has a prefix and begins with a digit; Rspamd reads the same list and knows none.
fn relay_networks(text: &str) -> Result<(), String> {
    let item = |item: &str| {
        let item = item.trim();
        match item.parse::<IpNet>() {
            Ok(net) => net.trunc() == net && (net.addr().is_ipv4() || !item.starts_with(':')),
            Err(_) => item.parse::<Ipv4Addr>().is_ok(),
        }
    };
    list(
        text,
        item,
        "must be a comma-separated list of networks such as 10.77.0.0/24 or 2001:db8:5::/64, without bits after the prefix; IPv6 always with a prefix, without brackets, and not beginning with a colon, or Postfix defers all mail",
    )?;
    narrow(
        text,
        "every host in it may send to anybody without a password (an open relay)",
    )
}

fn trusted_proxies(text: &str) -> Result<(), String> {
    networks_without_spaces(text)?;
    narrow(
        text,
        "whoever is in it can pretend to be any client, and relay; name only the proxy",
    )
}

fn authenticating_proxies(text: &str) -> Result<(), String> {
    networks(text)?;
    narrow(
        text,
        "whoever is in it can log in as anybody with a header; name only the proxy",
    )
}

fn addresses(text: &str) -> Result<(), String> {
    list(
        text,
        |item| item.trim().parse::<EmailAddress>().is_ok(),
        "must be a comma-separated list of full mail addresses",
    )
}

fn host_names(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err("must not be empty: smtp and imap do not start without it".to_owned());
    }
    list(
        text,
        |item| item.parse::<MailHost>().is_ok(),
        "must be a comma-separated list of host names without spaces: Dovecot, nginx and the webmail take a space as part of the name",
    )
}

fn service_address(text: &str) -> Result<(), String> {
    let label = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
    };
    if text.parse::<IpAddr>().is_ok() || text.split('.').all(label) {
        Ok(())
    } else {
        Err("must be a host name without a port: each service adds its own".to_owned())
    }
}

fn ports(text: &str) -> Result<(), String> {
    const KNOWN: [&str; 10] = [
        "25", "80", "110", "143", "443", "465", "587", "993", "995", "4190",
    ];
    if text.split(',').all(|item| KNOWN.contains(&item)) {
        Ok(())
    } else {
        Err("must be a comma-separated list out of 25,80,110,143,443,465,587,993,995,4190 without spaces: a port after a space is ignored, and other text makes the admin interface answer 500".to_owned())
    }
}

fn tls_ports(text: &str) -> Result<(), String> {
    list(
        text,
        |item| ["25", "80", "443", "465", "993", "995", "4190"].contains(&item),
        "must be a comma-separated list out of 443,465,993,995 without spaces",
    )
}

/// `PROXY_PROTOCOL`: an unknown token crashes every container of Mailu's.
fn proxy_protocol(text: &str) -> Result<(), String> {
    let known = |item: &str| {
        matches!(item, "mail" | "all" | "all-but-http") || ports(item).is_ok() && !item.is_empty()
    };
    if text.is_empty() || text.split(',').all(known) {
        return Ok(());
    }
    let mut rule = String::from(
        "must be a comma-separated list without spaces of mail, all, all-but-http or ports out of 25,80,110,143,443,465,587,993,995,4190: every container of Mailu's crashes on anything else",
    );
    if text.split(',').any(|item| item.trim() == "http") {
        rule.push_str("; what Mailu 2.0 called `http` is `80,443` now");
    }
    Err(rule)
}

fn search_languages(text: &str) -> Result<(), String> {
    if matches!(text, "off" | "false" | "0") {
        return Ok(());
    }
    if text == "no" {
        return Err("must be `off` to switch search off: `no` is the code of Norwegian".to_owned());
    }
    match text.split(',').map(parses::<Language>).find(Result::is_err) {
        Some(Err(rule)) => Err(format!(
            "must be `off` or a comma-separated list without spaces; each item {rule}"
        )),
        _ => Ok(()),
    }
}

fn root_redirect(text: &str) -> Result<(), String> {
    if matches!(text, "" | "none") || text.starts_with('/') {
        Ok(())
    } else {
        Err("must be a path with a leading slash, empty, or `none`".to_owned())
    }
}

fn header_name(text: &str) -> Result<(), String> {
    if text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        Ok(())
    } else {
        Err("must be the name of an HTTP header: letters, digits and hyphens".to_owned())
    }
}

/// What the image has drivers for: `mysql:` without one, for example, asks for a module that is not there.
fn database(text: &str) -> Result<(), String> {
    const SERVERS: [&str; 4] = [
        "postgresql",
        "postgresql+psycopg2",
        "mysql+mysqlconnector",
        "mariadb+mysqlconnector",
    ];
    let fine = text
        .strip_prefix("sqlite:////")
        .is_some_and(|path| !path.is_empty())
        || text.split_once("://").is_some_and(|(dialect, rest)| {
            SERVERS.contains(&dialect) && !rest.starts_with('/') && rest.contains('/')
        });
    if fine {
        Ok(())
    } else {
        Err("must be a URL such as `sqlite:////data/main.db`, `postgresql://user:password@host/name` or `mysql+mysqlconnector://user:password@host/name`; admin does not start with anything else, or loses its data with the container".to_owned())
    }
}

fn plugins(text: &str) -> Result<(), String> {
    list(
        text,
        |item| {
            item.trim()
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'_')
        },
        "must be a comma-separated list of plugin names",
    )
}

fn api_token(text: &str) -> Result<(), String> {
    if text.chars().count() >= 4 {
        Ok(())
    } else {
        Err("must be at least four characters long: Mailu never accepts a shorter one, and answers 500 to an empty one".to_owned())
    }
}

fn secret_key(text: &str) -> Result<(), String> {
    if text.len() >= 16 && text != "changeMe" {
        Ok(())
    } else {
        Err("must be at least 16 characters long: sessions, SRS and the webmail's keys are derived from it".to_owned())
    }
}

const BOOL_WORDS: [&str; 4] = ["true", "false", "yes", "no"];

/// The table, by services that read them. Sources: Mailu 2024.06.57 `core/admin/mailu/configuration.py` and the start-up scripts and templates of each image.
pub(crate) const VARIABLES: &[Variable] = &[
    var("SECRET_KEY", Rule::Custom(secret_key)),
    structural(
        "DOMAIN",
        "email_domain",
        Rule::Custom(parses::<EmailDomain>),
    ),
    structural("HOSTNAMES", "hostnames", Rule::Custom(host_names)),
    keyed(
        "POSTMASTER",
        "postmaster",
        Rule::Custom(parses::<LocalPart>),
    ),
    structural(
        "SUBNET",
        "network.subnet",
        Rule::Custom(parses::<crate::config::units::Cidr>),
    ),
    structural(
        "SUBNET6",
        "network.subnet6",
        Rule::Custom(parses::<crate::config::units::Cidr>),
    ),
    structural(
        "TLS_FLAVOR",
        "tls.mode",
        Rule::OneOf(
            &["letsencrypt", "cert", "notls", "mail", "mail-letsencrypt"],
            "front does not start with anything else",
        ),
    ),
    var("INBOUND_TLS_ENFORCE", Rule::Bool),
    var("DEFER_ON_TLS_ERROR", Rule::EmptyIsOff),
    keyed(
        "AUTH_RATELIMIT_IP",
        "limits.auth_per_ip",
        Rule::Custom(parses::<RateLimit>),
    ),
    keyed(
        "AUTH_RATELIMIT_USER",
        "limits.auth_per_user",
        Rule::Custom(parses::<RateLimit>),
    ),
    var(
        "AUTH_RATELIMIT_IP_V4_MASK",
        Rule::Integer(0, 32, "otherwise nobody can log in"),
    ),
    var(
        "AUTH_RATELIMIT_IP_V6_MASK",
        Rule::Integer(0, 128, "otherwise nobody can log in"),
    ),
    var("AUTH_RATELIMIT_EXEMPTION", Rule::Custom(networks)),
    var(
        "AUTH_RATELIMIT_EXEMPTION_LENGTH",
        Rule::Integer(0, u32::MAX as u64, CRASH),
    ),
    keyed("DISABLE_STATISTICS", "services.statistics", Rule::Bool),
    keyed(
        "DMARC_RUA",
        "dmarc.rua",
        Rule::Custom(or_empty::<LocalPart>),
    ),
    keyed(
        "DMARC_RUF",
        "dmarc.ruf",
        Rule::Custom(or_empty::<LocalPart>),
    ),
    var("DMARC_SEND_REPORTS", Rule::NextRelease),
    keyed("WELCOME", "welcome.enabled", Rule::Bool),
    keyed("WELCOME_SUBJECT", "welcome.subject", Rule::Any),
    keyed("WELCOME_BODY", "welcome.body", Rule::Any),
    structural(
        "DKIM_SELECTOR",
        "dns.selector",
        Rule::Custom(parses::<Selector>),
    ),
    var(
        "DKIM_PATH",
        Rule::Ours("the keys lie where Mailu's default pattern looks for them"),
    ),
    keyed(
        "DEFAULT_QUOTA",
        "limits.quota",
        Rule::Integer(0, i64::MAX as u64, CRASH),
    ),
    keyed(
        "MESSAGE_RATELIMIT",
        "limits.messages",
        Rule::Custom(parses::<RateLimit>),
    ),
    keyed(
        "MESSAGE_RATELIMIT_EXEMPTION",
        "limits.exempt",
        Rule::Custom(addresses),
    ),
    keyed(
        "RECIPIENT_DELIMITER",
        "mail.recipient_delimiter",
        Rule::Custom(parses::<Delimiters>),
    ),
    var("WILDCARD_SENDERS", Rule::Custom(addresses)),
    keyed("SITENAME", "web.site_name", Rule::Any),
    keyed("WEBSITE", "web.website", Rule::Custom(parses::<HttpUrl>)),
    var("LOGO_URL", Rule::Any),
    var("LOGO_BACKGROUND", Rule::Any),
    keyed("ADMIN", "services.admin", Rule::Bool),
    keyed(
        "WEB_ADMIN",
        "web.admin_path",
        Rule::Custom(parses::<UrlPath>),
    ),
    keyed(
        "WEB_WEBMAIL",
        "web.webmail_path",
        Rule::Custom(parses::<UrlPath>),
    ),
    keyed("WEB_API", "web.api_path", Rule::Custom(parses::<UrlPath>)),
    structural(
        "WEBMAIL",
        "services.webmail",
        Rule::OneOf(
            &["none", "roundcube", "snappymail"],
            "front renders an empty location for anything else, and nginx fails",
        ),
    ),
    keyed(
        "WEBROOT_REDIRECT",
        "web.root_redirect",
        Rule::Custom(root_redirect),
    ),
    keyed("API", "services.api", Rule::Bool),
    var("API_TOKEN", Rule::Custom(api_token)),
    var("AUTH_REQUIRE_TOKENS", Rule::Bool),
    keyed(
        "FULL_TEXT_SEARCH",
        "mail.search_languages",
        Rule::Custom(search_languages),
    ),
    structural(
        "FULL_TEXT_SEARCH_ATTACHMENTS",
        "services.search_attachments",
        Rule::EmptyIsOff,
    ),
    keyed(
        "LOG_LEVEL",
        "logs.level",
        Rule::OneOf(
            &["CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG", "NOTSET"],
            "every container of Mailu's crashes on anything else, lower case included",
        ),
    ),
    var("SESSION_KEY_BITS", Rule::Integer(64, 256, CRASH)),
    var("SESSION_TIMEOUT", Rule::Integer(1, u32::MAX as u64, CRASH)),
    var(
        "PERMANENT_SESSION_LIFETIME",
        Rule::Integer(1, u32::MAX as u64, CRASH),
    ),
    var("SESSION_COOKIE_SECURE", Rule::Bool),
    var(
        "CREDENTIAL_ROUNDS",
        Rule::Integer(4, 31, "otherwise the first password that is set fails"),
    ),
    var("TLS_PERMISSIVE", Rule::Bool),
    keyed("TZ", "timezone", Rule::Custom(parses::<Timezone>)),
    keyed(
        "DEFAULT_SPAM_THRESHOLD",
        "mail.spam_threshold",
        Rule::Integer(0, 100, CRASH),
    ),
    structural("PORTS", "ports.mail", Rule::Custom(ports)),
    var("PROXY_AUTH_WHITELIST", Rule::Custom(authenticating_proxies)),
    var("PROXY_AUTH_HEADER", Rule::Custom(header_name)),
    var("PROXY_AUTH_CREATE", Rule::Bool),
    var("PROXY_AUTH_LOGOUT_URL", Rule::Any),
    var(
        "DB_FLAVOR",
        Rule::OneOf(&["sqlite", "postgresql", "mysql"], CRASH),
    ),
    var("DB_USER", Rule::Any),
    var("DB_PW", Rule::Any),
    var("DB_HOST", Rule::Any),
    var("DB_NAME", Rule::Any),
    var("SQLITE_DATABASE_FILE", Rule::Any),
    var("SQLALCHEMY_DATABASE_URI", Rule::Custom(database)),
    var("SQLALCHEMY_DATABASE_URI_ROUNDCUBE", Rule::Any),
    var("RATELIMIT_STORAGE_URL", Rule::Any),
    var("INSTANCE_ID_PATH", Rule::Any),
    var("STATS_ENDPOINT", Rule::Any),
    var("MEMORY_SESSIONS", Rule::Bool),
    var("DEBUG", Rule::Bool),
    var("DEBUG_PROFILER", Rule::Bool),
    var("DEBUG_ASSETS", Rule::Any),
    var("TEMPLATES_AUTO_RELOAD", Rule::Bool),
    var("BABEL_DEFAULT_LOCALE", Rule::Any),
    var("BABEL_DEFAULT_TIMEZONE", Rule::Any),
    var("DOMAIN_REGISTRATION", Rule::Bool),
    structural("FETCHMAIL_ENABLED", "services.fetchmail", Rule::Bool),
    var(
        "RECAPTCHA_PUBLIC_KEY",
        Rule::Ours(
            "Mailu deletes every variable that ends in _KEY before its admin reads it; use RECAPTCHA_PUBLIC_KEY_FILE",
        ),
    ),
    var(
        "RECAPTCHA_PRIVATE_KEY",
        Rule::Ours(
            "Mailu deletes every variable that ends in _KEY before its admin reads it; use RECAPTCHA_PRIVATE_KEY_FILE",
        ),
    ),
    var("RECAPTCHA_PUBLIC_KEY_FILE", Rule::Any),
    var("RECAPTCHA_PRIVATE_KEY_FILE", Rule::Any),
    var(
        "SECRET_KEY_FILE",
        Rule::Ours(
            "admin reads it as another user than root, and changing over ends every session",
        ),
    ),
    keyed(
        "MESSAGE_SIZE_LIMIT",
        "limits.message_size",
        Rule::Integer(
            1,
            i64::MAX as u64,
            "Postfix and the webmail do not start with anything else, empty included",
        ),
    ),
    keyed("RELAYNETS", "relay.networks", Rule::Custom(relay_networks)),
    keyed(
        "RELAYHOST",
        "relay.host",
        Rule::Custom(or_empty::<RelayHost>),
    ),
    keyed("RELAYUSER", "relay.user", Rule::Any),
    var("RELAYPASSWORD", Rule::Any),
    var(
        "OUTBOUND_TLS_LEVEL",
        Rule::OneOf(
            &[
                "none",
                "may",
                "encrypt",
                "dane",
                "dane-only",
                "fingerprint",
                "verify",
                "secure",
            ],
            "Postfix defers all outgoing mail otherwise",
        ),
    ),
    keyed(
        "REJECT_UNLISTED_RECIPIENT",
        "mail.reject_unlisted_recipient",
        Rule::OneOf(&["", "yes", "no"], "Postfix refuses the setting otherwise"),
    ),
    var(
        "POSTFIX_LOG_FILE",
        Rule::Removed("Postfix logs to the container's output; use `docker logs`"),
    ),
    keyed(
        "COMPRESSION",
        "mail.compression",
        Rule::OneOf(
            &["", "gz", "bz2", "zstd", "lz4"],
            "Dovecot cannot save mail otherwise; off is the empty value",
        ),
    ),
    keyed(
        "COMPRESSION_LEVEL",
        "mail.compression_level",
        Rule::Custom(compression_level),
    ),
    structural(
        "ANTIVIRUS",
        "services.antivirus",
        Rule::OneOf(&["none", "clamav"], "Rspamd does not scan otherwise"),
    ),
    var(
        "ANTIVIRUS_ACTION",
        Rule::OneOf(&["discard", "reject"], "Rspamd does not know anything else"),
    ),
    structural("SCAN_MACROS", "services.macro_scan", Rule::Bool),
    structural(
        "WEBDAV",
        "services.webdav",
        Rule::OneOf(
            &["none", "radicale"],
            "front proxies to a service that is not there otherwise",
        ),
    ),
    structural("REAL_IP_HEADER", "tls.mode", Rule::Custom(header_name)),
    structural(
        "REAL_IP_FROM",
        "traefik.trusted",
        Rule::Custom(trusted_proxies),
    ),
    structural("PROXY_PROTOCOL", "ports.via", Rule::Custom(proxy_protocol)),
    var("TLS", Rule::Custom(tls_ports)),
    var(
        "TLS_CERT_FILENAME",
        Rule::Ours("the certificate is seeded and renewed as cert.pem"),
    ),
    var(
        "TLS_KEYPAIR_FILENAME",
        Rule::Ours("the key is seeded and renewed as key.pem"),
    ),
    var("LETSENCRYPT_SHORTCHAIN", Rule::Bool),
    var(
        "INITIAL_ADMIN_ACCOUNT",
        Rule::Ours("the first administrator is made without a password in the environment"),
    ),
    var(
        "INITIAL_ADMIN_DOMAIN",
        Rule::Ours("the first administrator is made without a password in the environment"),
    ),
    var(
        "INITIAL_ADMIN_PW",
        Rule::Ours(
            "the first administrator is made without a password in the environment, where every process of the container could read it",
        ),
    ),
    var(
        "INITIAL_ADMIN_MODE",
        Rule::Ours("the first administrator is made without a password in the environment"),
    ),
    keyed(
        "FETCHMAIL_DELAY",
        "mail.fetchmail_delay",
        Rule::Integer(
            1,
            u32::MAX as u64,
            "fetchmail does not start with anything else",
        ),
    ),
    var("FETCHMAIL_OPTIONS", Rule::NextRelease),
    var("DB_APPENDIX", Rule::NextRelease),
    var("ANONMAIL_MAX_RETRIES", Rule::NextRelease),
    var(
        "ROUNDCUBE_DB_FLAVOR",
        Rule::OneOf(
            &["sqlite", "mysql", "postgresql"],
            "the webmail does not start with anything else",
        ),
    ),
    var("ROUNDCUBE_DB_USER", Rule::Any),
    var("ROUNDCUBE_DB_PW", Rule::Any),
    var("ROUNDCUBE_DB_HOST", Rule::Any),
    var("ROUNDCUBE_DB_NAME", Rule::Any),
    var("ROUNDCUBE_PLUGINS", Rule::Custom(plugins)),
    var("LD_PRELOAD", Rule::Any),
    var(
        "CPU_COUNT",
        Rule::Integer(1, 1024, "Dovecot in front does not start otherwise"),
    ),
    var("ADMIN_ADDRESS", Rule::Custom(service_address)),
    var("FRONT_ADDRESS", Rule::Custom(service_address)),
    var("FTS_ATTACHMENTS_ADDRESS", Rule::Custom(service_address)),
    var("SMTP_ADDRESS", Rule::Custom(service_address)),
    var("IMAP_ADDRESS", Rule::Custom(service_address)),
    var("OLETOOLS_ADDRESS", Rule::Custom(service_address)),
    var("REDIS_ADDRESS", Rule::Custom(service_address)),
    var("ANTIVIRUS_ADDRESS", Rule::Custom(service_address)),
    var("ANTISPAM_ADDRESS", Rule::Custom(service_address)),
    var("WEBMAIL_ADDRESS", Rule::Custom(service_address)),
    var("WEBDAV_ADDRESS", Rule::Custom(service_address)),
    var(
        "I_KNOW_MY_SETUP_DOESNT_FIT_REQUIREMENTS_AND_WONT_FILE_ISSUES_WITHOUT_PATCHES",
        Rule::Any,
    ),
    var("MAILU_HELM_CHART", Rule::Any),
    var(
        "AUTH_RATELIMIT",
        Rule::Removed(
            "use AUTH_RATELIMIT_IP and AUTH_RATELIMIT_USER, or `limits.auth_per_ip` and `limits.auth_per_user`",
        ),
    ),
    var("HOSTNAME", Rule::Removed("use HOSTNAMES")),
    var("HOST_ADMIN", Rule::Removed("use ADMIN_ADDRESS")),
    var("HOST_FRONT", Rule::Removed("use FRONT_ADDRESS")),
    var("HOST_SMTP", Rule::Removed("use SMTP_ADDRESS")),
    var("HOST_IMAP", Rule::Removed("use IMAP_ADDRESS")),
    var("HOST_REDIS", Rule::Removed("use REDIS_ADDRESS")),
    var("HOST_ANTISPAM", Rule::Removed("use ANTISPAM_ADDRESS")),
    var("HOST_WEBMAIL", Rule::Removed("use WEBMAIL_ADDRESS")),
    var(
        "POD_ADDRESS_RANGE",
        Rule::Removed("use SUBNET, or `network.subnet`"),
    ),
    var(
        "KUBERNETES_INGRESS",
        Rule::Removed("use TLS_FLAVOR, or `tls.mode`"),
    ),
    var(
        "QUOTA_STORAGE_URL",
        Rule::Removed("quotas are kept in the database"),
    ),
    var("BIND_ADDRESS4", Rule::Removed("use `ports.address`")),
    var("BIND_ADDRESS6", Rule::Removed("use `ports.address6`")),
    var("LOG_DRIVER", Rule::Removed("use `logs.driver`")),
    var(
        "ROOT",
        Rule::Removed("data lies in the deployment's directory"),
    ),
    var("VERSION", Rule::Removed("use `version`")),
    var(
        "COMPOSE_PROJECT_NAME",
        Rule::Removed("Compose reads it from `.env` only; use `project`"),
    ),
    var(
        "MAILU_VERSION",
        Rule::Removed("Compose reads it from `.env` only; use `version`"),
    ),
    var(
        "DOCKER_ORG",
        Rule::Removed("Compose reads it from `.env` only; use `images.registry`"),
    ),
    var(
        "DOCKER_PREFIX",
        Rule::Removed("Compose reads it from `.env` only; use `images.prefix`"),
    ),
    var(
        "TRAEFIK_VERSION",
        Rule::Removed(
            "only Mailu's certdumper read it, and the certificate is copied without that",
        ),
    ),
    var(
        "ENABLE_CERTWATCHER",
        Rule::Removed("front watches its certificate by itself"),
    ),
];

fn compression_level(text: &str) -> Result<(), String> {
    match text.parse::<u8>() {
        Ok(1..=9) => Ok(()),
        _ if text.is_empty() => Ok(()),
        _ => Err("must be empty or a number from 1 to 9".to_owned()),
    }
}

/// The variable called `name`.
pub(crate) fn find(name: &str) -> Option<&'static Variable> {
    VARIABLES.iter().find(|variable| variable.name == name)
}

/// Whether the value of `name` must not be shown.
pub fn is_secret(name: &str) -> bool {
    matches!(name, "SECRET_KEY" | "API_TOKEN" | "RELAYPASSWORD")
        || name.ends_with("_PW")
        || name.contains("DATABASE_URI")
        || name == "RATELIMIT_STORAGE_URL"
        || (find(name).is_none() && (sounds_secret(name) || name.ends_with("_KEY")))
}

/// Whether nothing is wrong with `value` by itself.
pub(crate) fn accepts(name: &str, value: &str, version: Version) -> bool {
    check(name, value, name, version).is_none_or(|finding| finding.severity != Severity::Error)
}

/// Whether `name`, though it looks like a secret, is a path to one, or may not be set at all.
pub(crate) fn refused_for_another_reason(name: &str) -> bool {
    name.strip_suffix("_FILE")
        .is_some_and(|of| find(of).is_some())
        || find(name).is_some_and(|variable| matches!(variable.rule, Rule::Ours(_)))
}

/// Judges one variable. `at` is the subject of findings, such as `env.LOG_LEVEL` or `mailu.env: LOG_LEVEL`.
pub(crate) fn check(name: &str, value: &str, at: &str, version: Version) -> Option<Finding> {
    let shown = |finding: Finding| {
        if is_secret(name) {
            finding
        } else {
            finding.value(value)
        }
    };
    let wrong = |rule: String| shown(Finding::error("env.invalid_value", at, rule));

    if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        || name.as_bytes().first().is_none_or(u8::is_ascii_digit)
    {
        return Some(
            Finding::error(
                "env.invalid_name",
                at,
                "must be a variable name: letters, digits and `_`, not starting with a digit",
            )
            .hint("rename or remove it"),
        );
    }
    if value
        .chars()
        .any(|c| c.is_control() && !(name == "WELCOME_BODY" && matches!(c, '\n' | '\t')))
    {
        return Some(
            wrong(
                "must be one line without control characters: services read it line by line"
                    .to_owned(),
            )
            .hint("write it on one line"),
        );
    }

    if value.ends_with('\\') {
        return Some(
            wrong("must not end in a backslash: an environment file cannot carry that to both versions of Compose".to_owned())
                .hint("write it without the backslash"),
        );
    }
    let Some(variable) = find(name) else {
        return unknown(name, at);
    };
    let fix = match variable.key {
        Some(key) => format!("correct `{name}`, or set `{key}` in mailu.toml instead"),
        None if super::merge::needed(name) => {
            format!("correct `{name}`; `--reset {name}` takes the configured value")
        }
        None => format!("correct `{name}` or remove it"),
    };
    let finding = match variable.rule {
        Rule::Any => None,
        Rule::Bool => (!BOOL_WORDS.contains(&value.to_ascii_lowercase().as_str())).then(|| {
            wrong(
                "must be `true` or `false`: other words, `0` and `off` among them, count as true"
                    .to_owned(),
            )
        }),
        Rule::EmptyIsOff => matches!(
            value.to_ascii_lowercase().as_str(),
            "false" | "no" | "off" | "0" | "none"
        )
        .then(|| {
            wrong(
                "must be empty to be off: the service takes any text, this one too, as on"
                    .to_owned(),
            )
            .hint(format!("write `{name}=`"))
        }),
        Rule::Integer(low, high, otherwise) => {
            let fits = value
                .parse::<u64>()
                .is_ok_and(|n| (low..=high).contains(&n));
            (!fits).then(|| {
                wrong(format!(
                    "must be a whole number from {low} to {high}; {otherwise}"
                ))
            })
        }
        Rule::OneOf(words, otherwise) => (!words.contains(&value)).then(|| {
            let list: Vec<_> = words
                .iter()
                .map(|w| {
                    if w.is_empty() {
                        "empty".to_owned()
                    } else {
                        format!("`{w}`")
                    }
                })
                .collect();
            wrong(format!("must be one of {}; {otherwise}", list.join(", ")))
        }),
        Rule::Custom(check) => check(value).err().map(wrong),
        Rule::Ours(why) => Some(
            Finding::error("env.not_yours", at, format!("cannot be set here: {why}"))
                .hint(format!("remove `{name}`")),
        ),
        Rule::Removed(instead) => Some(
            Finding::warning(
                "env.removed",
                at,
                format!("has no effect in Mailu 2024.06: {instead}"),
            )
            .hint(format!("remove `{name}`")),
        ),
        Rule::NextRelease => Some(
            Finding::warning(
                "env.next_release",
                at,
                "has no effect in the 2024.06 series; a later release reads it",
            )
            .hint(format!("remove `{name}`")),
        ),
    };
    if name == "PROXY_AUTH_WHITELIST" && !value.is_empty() && version < Version::SAFE_PROXY_AUTH {
        return Some(
            wrong(format!(
                "needs Mailu {} or later: before, a forged header logs in as anybody (GHSA-rfhj-4wcq-74xg)",
                Version::SAFE_PROXY_AUTH
            ))
            .hint(format!("set `version = \"{}\"`", Version::DEFAULT)),
        );
    }
    finding.map(|finding| {
        if finding.hints.is_empty() {
            finding.hint(fix)
        } else {
            finding
        }
    })
}

/// Those that admin also takes from a file: `DEFAULT_CONFIG` in `core/admin/mailu/configuration.py`.
const FROM_FILES: &str = "SECRET_KEY DOMAIN HOSTNAMES POSTMASTER SUBNET SUBNET6 TLS_FLAVOR INBOUND_TLS_ENFORCE \
    DEFER_ON_TLS_ERROR AUTH_RATELIMIT_IP AUTH_RATELIMIT_USER AUTH_RATELIMIT_IP_V4_MASK AUTH_RATELIMIT_IP_V6_MASK \
    AUTH_RATELIMIT_EXEMPTION AUTH_RATELIMIT_EXEMPTION_LENGTH DISABLE_STATISTICS DMARC_RUA DMARC_RUF WELCOME \
    WELCOME_SUBJECT WELCOME_BODY DKIM_SELECTOR DKIM_PATH DEFAULT_QUOTA MESSAGE_RATELIMIT MESSAGE_RATELIMIT_EXEMPTION \
    RECIPIENT_DELIMITER WILDCARD_SENDERS SITENAME WEBSITE LOGO_URL LOGO_BACKGROUND ADMIN WEB_ADMIN WEB_WEBMAIL WEB_API \
    WEBMAIL API API_TOKEN AUTH_REQUIRE_TOKENS FULL_TEXT_SEARCH FULL_TEXT_SEARCH_ATTACHMENTS LOG_LEVEL SESSION_KEY_BITS \
    SESSION_TIMEOUT PERMANENT_SESSION_LIFETIME SESSION_COOKIE_SECURE CREDENTIAL_ROUNDS TLS_PERMISSIVE TZ \
    DEFAULT_SPAM_THRESHOLD PORTS PROXY_AUTH_WHITELIST PROXY_AUTH_HEADER PROXY_AUTH_CREATE PROXY_AUTH_LOGOUT_URL \
    DB_FLAVOR DB_USER DB_PW DB_HOST DB_NAME SQLITE_DATABASE_FILE SQLALCHEMY_DATABASE_URI \
    SQLALCHEMY_DATABASE_URI_ROUNDCUBE RATELIMIT_STORAGE_URL INSTANCE_ID_PATH STATS_ENDPOINT MEMORY_SESSIONS DEBUG \
    DEBUG_PROFILER DEBUG_ASSETS TEMPLATES_AUTO_RELOAD BABEL_DEFAULT_LOCALE BABEL_DEFAULT_TIMEZONE DOMAIN_REGISTRATION \
    FETCHMAIL_ENABLED RECAPTCHA_PUBLIC_KEY RECAPTCHA_PRIVATE_KEY";

/// `NAME_FILE`: admin alone reads it, and takes it instead of `NAME`.
fn from_file(variable: &Variable, at: &str) -> Option<Finding> {
    let name = variable.name;
    if !FROM_FILES.split(' ').any(|known| known == name) {
        return Some(
            Finding::warning(
                "env.no_file",
                at,
                format!("has no effect: no service takes `{name}` from a file"),
            )
            .hint(format!("remove it, and set `{name}`")),
        );
    }
    let overrides = |fix: String| {
        Finding::error(
            "env.file_overrides",
            at,
            format!("cannot be set here: admin would take `{name}` from that file, and the other services from `{name}` itself"),
        )
        .hint(fix)
    };
    match (variable.key, variable.rule) {
        (Some(key), _) => Some(overrides(format!(
            "remove it, and set `{key}` in mailu.toml"
        ))),
        (None, Rule::Ours(why)) => Some(
            Finding::error("env.not_yours", at, format!("cannot be set here: {why}"))
                .hint("remove it"),
        ),
        // Drawn or given, and kept in a secret file.
        (None, _) if name == "API_TOKEN" => Some(overrides("remove it".to_owned())),
        _ => None,
    }
}

fn unknown(name: &str, at: &str) -> Option<Finding> {
    if let Some(variable) = name.strip_suffix("_FILE").and_then(find) {
        return from_file(variable, at);
    }
    let names = VARIABLES.iter().map(|v| v.name);
    let mut finding = Finding::warning(
        "env.unknown",
        at,
        "is not a variable that Mailu 2024.06 reads",
    );
    if let Some(near) = nearest(name, names) {
        let _ = write!(finding.message, "; the nearest is `{near}`");
        finding
            .hints
            .push(format!("write `{near}` if that is meant"));
    } else {
        finding
            .hints
            .push("remove it unless an override of yours reads it".to_owned());
    }
    Some(finding)
}

/// Whether a domain name is one that no public certificate can be had for.
pub(crate) fn is_private_name(name: &DomainName) -> bool {
    [
        "local",
        "localhost",
        "internal",
        "lan",
        "home",
        "corp",
        "test",
        "example",
        "invalid",
        "home.arpa",
        "onion",
    ]
    .iter()
    .any(|suffix| {
        name.as_str()
            .strip_suffix(suffix)
            .is_some_and(|head| head.is_empty() || head.ends_with('.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(name: &str, value: &str) -> Option<Finding> {
        check(name, value, name, Version::DEFAULT)
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = VARIABLES.iter().map(|v| v.name).collect();
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn keys_exist() {
        let keys = crate::config::known_keys();
        for variable in VARIABLES {
            if let Some(key) = variable.key {
                assert!(keys.iter().any(|info| info.path == key), "{key}");
            }
        }
    }

    #[test]
    fn values_that_crash_mailu_are_refused() {
        for (name, value) in [
            ("PROXY_PROTOCOL", "http"),
            ("PROXY_PROTOCOL", "none"),
            ("PROXY_PROTOCOL", "25, 465"),
            ("LOG_LEVEL", "info"),
            ("LOG_LEVEL", ""),
            ("TLS_FLAVOR", "selfsigned"),
            ("AUTH_RATELIMIT_IP", "5 per fortnight"),
            ("MESSAGE_RATELIMIT", ""),
            ("MESSAGE_RATELIMIT", "10/hour;200/day"),
            ("AUTH_RATELIMIT_USER", "10/hour,50/day"),
            ("AUTH_RATELIMIT_IP_V4_MASK", "33"),
            ("AUTH_RATELIMIT_EXEMPTION", "10.0.0.0/33"),
            ("SESSION_KEY_BITS", "32"),
            ("SESSION_TIMEOUT", "1h"),
            ("CREDENTIAL_ROUNDS", "3"),
            ("DEFAULT_SPAM_THRESHOLD", "high"),
            ("PROXY_AUTH_WHITELIST", "proxy"),
            ("PROXY_AUTH_WHITELIST", "0.0.0.0/0"),
            ("PROXY_AUTH_WHITELIST", "10.0.0.1, ::/0"),
            ("PROXY_AUTH_WHITELIST", "0.0.0.0/1,128.0.0.0/1"),
            ("DB_FLAVOR", "mariadb"),
            ("SQLALCHEMY_DATABASE_URI", "garbage"),
            ("SQLALCHEMY_DATABASE_URI", "mysql://u:p@host/mailu"),
            ("SQLALCHEMY_DATABASE_URI", "postgres://u:p@host/mailu"),
            ("SQLALCHEMY_DATABASE_URI", "postgresql://"),
            ("SQLALCHEMY_DATABASE_URI", "sqlite:///data/main.db"),
            ("MESSAGE_SIZE_LIMIT", ""),
            ("FETCHMAIL_DELAY", "10m"),
            ("ROUNDCUBE_DB_FLAVOR", "mariadb"),
            ("HOSTNAMES", "a.example.com, b.example.com"),
            ("HOSTNAMES", ""),
            ("WEB_ADMIN", "admin"),
            ("WEB_API", "api"),
            ("WEBMAIL", "rainloop"),
            ("WEBMAIL", ""),
            ("API_TOKEN", "abc"),
            ("API_TOKEN", ""),
            ("FULL_TEXT_SEARCH", "no"),
            ("FULL_TEXT_SEARCH", "en,pl"),
            ("FULL_TEXT_SEARCH", "en, de"),
            ("FULL_TEXT_SEARCH", ""),
            ("FULL_TEXT_SEARCH_ATTACHMENTS", "false"),
            ("DEFER_ON_TLS_ERROR", "False"),
            ("COMPRESSION", "none"),
            ("PORTS", "25, 465"),
            ("PORTS", "smtp"),
            ("ADMIN", "none"),
            ("REAL_IP_FROM", "0.0.0.0/0"),
            ("REAL_IP_FROM", "2000::/3"),
            ("RELAYNETS", "0.0.0.0/0"),
            ("RELAYNETS", "0.0.0.0/1,128.0.0.0/1"),
            ("RELAYNETS", "10.0.0.1, 0.0.0.0/5"),
            ("RELAYNETS", "2000::/3"),
            ("RELAYNETS", "10.77.0.5/24"),
            ("RELAYNETS", "10.77.0.0/24 10.78.0.0/24"),
            ("RELAYNETS", "2001:db8::1"),
            ("RELAYNETS", "[2001:db8::1]/128"),
            ("RELAYNETS", "::1/128"),
            ("RELAYNETS", "/etc/networks"),
            ("SITENAME", "a\nb"),
            ("INITIAL_ADMIN_PW", "x"),
            ("RECAPTCHA_PUBLIC_KEY", "x"),
        ] {
            let finding =
                judged(name, value).unwrap_or_else(|| panic!("{name}={value} was accepted"));
            assert_eq!(finding.severity, Severity::Error, "{name}={value}");
            assert!(!finding.hints.is_empty(), "{name}={value} has no hint");
        }
    }

    #[test]
    fn good_values_pass_and_unknown_names_get_a_suggestion() {
        for (name, value) in [
            ("PROXY_PROTOCOL", "25,465"),
            ("PROXY_PROTOCOL", "mail"),
            ("PROXY_PROTOCOL", ""),
            ("DEFER_ON_TLS_ERROR", ""),
            ("DEFER_ON_TLS_ERROR", "True"),
            ("FULL_TEXT_SEARCH", "en,de"),
            ("FULL_TEXT_SEARCH", "off"),
            ("WELCOME_BODY", "a\nb"),
            ("RELAYNETS", "10.77.0.5, 10.78.0.0/24,2001:db8::/64"),
            ("PROXY_AUTH_WHITELIST", "10.0.0.1, 10.1.0.5/24"),
            ("SQLALCHEMY_DATABASE_URI", "sqlite:////data/main.db"),
            ("SQLALCHEMY_DATABASE_URI", "postgresql://u:p@host/mailu"),
            ("SQLALCHEMY_DATABASE_URI", "mysql+mysqlconnector://u:p@h/m"),
            ("SQLALCHEMY_DATABASE_URI_FILE", "/run/secrets/uri"),
        ] {
            assert_eq!(judged(name, value), None, "{name}={value}");
        }
        let finding = judged("MESSAGE_RATELIMT", "1/day").expect("a warning");
        assert!(finding.message.contains("`MESSAGE_RATELIMIT`"));
    }

    #[test]
    fn files_are_taken_by_admin_alone_and_must_not_override_what_follows_from_keys() {
        for name in FROM_FILES.split(' ') {
            assert!(find(name).is_some(), "{name}");
        }
        for (name, id) in [
            ("SUBNET_FILE", "env.file_overrides"),
            ("HOSTNAMES_FILE", "env.file_overrides"),
            ("MESSAGE_RATELIMIT_FILE", "env.file_overrides"),
            ("API_TOKEN_FILE", "env.file_overrides"),
            ("DKIM_PATH_FILE", "env.not_yours"),
            ("SECRET_KEY_FILE", "env.not_yours"),
            ("RELAYNETS_FILE", "env.no_file"),
            ("RELAYPASSWORD_FILE", "env.no_file"),
            ("ROUNDCUBE_DB_PW_FILE", "env.no_file"),
        ] {
            let finding = judged(name, "/run/x").unwrap_or_else(|| panic!("{name} was accepted"));
            assert_eq!(finding.id, id, "{name}");
        }
        for name in ["DB_PW_FILE", "RECAPTCHA_PRIVATE_KEY_FILE"] {
            assert_eq!(judged(name, "/run/x"), None, "{name}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let finding = judged("SECRET_KEY", "short").expect("refused");
        assert_eq!(finding.value, None);
        assert!(is_secret("MY_PASSWORD") && is_secret("DB_PW") && !is_secret("DKIM_SELECTOR"));
    }
}
