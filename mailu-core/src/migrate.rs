//! A deployment that `AgencyStack`'s old installer made: what its files say, as a configuration of ours.
//!
//! That installer wrote `mailu.env` and `docker-compose.yml` for Mailu 1.9 or 2.0, and `.installed_ok`. Admin's data were all of `data`, keys and
//! queue were in volumes of the containers, and `DOMAIN` was the mail host.

use std::collections::BTreeSet;
use std::path::Path;

use crate::config::Config;
use crate::config::edit::Document;
use crate::env::{EnvFile, table};
use crate::error::{Error, ErrorKind};
use crate::finding::Finding;
use crate::names::{ClientId, EmailAddress, EmailDomain, MailHost};
use crate::paths::quoted;
use crate::plan::adopt;
use crate::secret::{Secret, Secrets};

/// The files by which a directory of the old installer is known.
pub const FILES: [&str; 2] = ["mailu.env", "docker-compose.yml"];

/// Releases that the images of 2024.06 can follow: their databases are brought up to date when admin starts.
const FROM: [&str; 5] = ["1.7", "1.8", "1.9", "2.0", "2024.06"];

/// Variables that follow from the configuration, or mean nothing to 2024.06.
const FOLLOWS: [&str; 45] = [
    "SECRET_KEY",
    "DOMAIN",
    "HOSTNAMES",
    "HOSTNAME",
    "POSTMASTER",
    "SUBNET",
    "SUBNET6",
    "TLS_FLAVOR",
    "INITIAL_ADMIN_ACCOUNT",
    "INITIAL_ADMIN_DOMAIN",
    "INITIAL_ADMIN_PW",
    "INITIAL_ADMIN_PASSWORD",
    "INITIAL_ADMIN_MODE",
    "RELAYPASSWORD",
    "TRAEFIK_VERSION",
    "POD_ADDRESS_RANGE",
    "PASSWORD_SCHEME",
    "KUBERNETES_INGRESS",
    "POSTFIX_LOG_FILE",
    "FRONT",
    "ANTISPAM",
    "VERSION",
    "MAILU_VERSION",
    "ROOT",
    "BIND_ADDRESS4",
    "BIND_ADDRESS6",
    "LOG_DRIVER",
    "COMPOSE_PROJECT_NAME",
    "DOCKER_ORG",
    "DOCKER_PREFIX",
    "HOST_IMAP",
    "HOST_LMTP",
    "HOST_POP3",
    "HOST_SMTP",
    "HOST_AUTHSMTP",
    "HOST_ADMIN",
    "HOST_WEBMAIL",
    "HOST_WEBDAV",
    "HOST_REDIS",
    "HOST_ANTISPAM",
    "HOST_ANTIVIRUS",
    "REAL_IP_HEADER",
    "REAL_IP_FROM",
    "PROXY_PROTOCOL",
    "PORTS",
];

/// What the old installer's files say.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Old {
    /// Mailu's release, `2.0`.
    pub release: String,
    /// A `mailu.toml` that means the same.
    pub toml: String,
    /// The same, read.
    pub config: Config,
    /// Secrets that have to stay what they are.
    pub secrets: Secrets,
    /// What could not be taken over.
    pub findings: Vec<Finding>,
}

/// The release in the name of Mailu's admin image.
fn release(compose: &str) -> Option<String> {
    compose
        .lines()
        .filter_map(|line| line.trim().strip_prefix("image:"))
        .map(|image| image.trim().trim_matches(['"', '\'']))
        .filter(|image| image.contains("mailu"))
        .find_map(|image| {
            let (name, tag) = image.rsplit_once(':')?;
            // `${MAILU_VERSION:-2.0}` splits at its colon, too.
            let tag = tag.trim_start_matches('-').trim_end_matches('}');
            (name.contains("/admin") && !tag.is_empty()).then(|| tag.to_owned())
        })
}

/// Reads what the old installer has left in `directory`: the texts of `mailu.env`, `docker-compose.yml` and `.installed_ok`. `mailboxes` are the
/// addresses that have mail.
///
/// # Errors
///
/// [`ErrorKind::Conflict`] for a release that no release of 2024.06 can follow, or files that do not say whose server it is.
pub fn read(
    directory: &Path,
    host: &MailHost,
    client: Option<&ClientId>,
    texts: [&str; 3],
    mailboxes: &[String],
) -> Result<Old, Error> {
    let [env, compose, installed] = texts;
    let refuse = |why: String| {
        Error::new(
            ErrorKind::Conflict,
            "update.unknown_layout",
            format!("take over {}: {why}", directory.display()),
        )
        .hint(format!(
            "a directory of AgencyStack's installer has mailu.env, docker-compose.yml and data; what is in {} was not touched",
            quoted(directory)
        ))
    };
    let env = EnvFile::parse(env).map_err(|error| refuse(format!("mailu.env: {error}")))?;
    let value = |name: &str| {
        env.get(name)
            .map(|value| value.text.trim().to_owned())
            .filter(|text| !text.is_empty())
    };
    let release = release(compose)
        .ok_or_else(|| refuse("docker-compose.yml names no image of Mailu's admin".to_owned()))?;
    if !FROM
        .iter()
        .any(|series| release == *series || release.starts_with(&format!("{series}.")))
    {
        return Err(refuse(format!(
            "it runs Mailu {release}, and only {} can be followed by 2024.06",
            FROM.join(", ")
        )));
    }
    let names: Vec<String> = value("HOSTNAMES")
        .or_else(|| value("HOSTNAME"))
        .unwrap_or_default()
        .split(',')
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    if names.first().map(String::as_str) != Some(host.as_str()) {
        return Err(refuse(format!(
            "its first name in HOSTNAMES is {:?}, and its directory is called {host}",
            names.first().map_or("", String::as_str)
        )));
    }
    let domain = value("INITIAL_ADMIN_DOMAIN")
        .or_else(|| value("DOMAIN"))
        .ok_or_else(|| refuse("mailu.env has no DOMAIN".to_owned()))?;
    let domain: EmailDomain = domain
        .parse()
        .map_err(|error| refuse(format!("the email domain {domain}: {error}")))?;
    let noted = installed
        .lines()
        .find_map(|line| line.trim().strip_prefix("ADMIN_EMAIL="))
        .map(|text| text.trim().to_owned());
    let first = value("INITIAL_ADMIN_ACCOUNT").map(|local| format!("{local}@{domain}"));
    let admin = first.or(noted).unwrap_or_else(|| format!("admin@{domain}"));
    let admin: EmailAddress = admin
        .parse()
        .map_err(|error| refuse(format!("the administrator {admin}: {error}")))?;

    let mut secrets = Secrets::default();
    let secret_key =
        value("SECRET_KEY").ok_or_else(|| refuse("mailu.env has no SECRET_KEY".to_owned()))?;
    secrets.set("secret_key", Secret::new(secret_key));
    let password = value("INITIAL_ADMIN_PW").or_else(|| value("INITIAL_ADMIN_PASSWORD"));
    if let Some(password) = password {
        secrets.set("admin_password", Secret::new(password));
    }
    if let Some(password) = value("RELAYPASSWORD") {
        secrets.set("relay_password", Secret::new(password));
    }

    let mut document = Document::new();
    document.set_text("mail_host", host.as_str());
    document.set_text("email_domain", domain.as_str());
    document.set_text("admin_email", &admin.to_string());
    if let Some(client) = client {
        document.set_text("client", client.as_str());
    }
    if names.len() > 1 {
        document.set_typed("hostnames", &names[1..].join(","));
    }
    let others = others(&domain, mailboxes);
    if !others.is_empty() {
        let list: Vec<String> = others.iter().map(|one| format!("\"{one}\"")).collect();
        document.set_typed("email_domains", &format!("[{}]", list.join(", ")));
    }
    let postmaster = value("POSTMASTER")
        .map(|text| text.split('@').next().unwrap_or_default().to_owned())
        .filter(|local| !local.is_empty() && *local != admin.local().to_string());
    if let Some(postmaster) = postmaster {
        document.set_text("postmaster", &postmaster);
    }
    let mut findings = Vec::new();
    for (name, value) in env.variables() {
        let text = value.text.trim();
        if text.is_empty() || FOLLOWS.contains(&name) {
            continue;
        }
        if let Err(why) = take(&mut document, name, text) {
            findings.push(
                Finding::warning(
                    "update.left_out",
                    format!("mailu.env: {name}"),
                    format!("is not taken over: {why}"),
                )
                .hint("`mailu config set` sets what is wanted instead"),
            );
        }
    }
    let toml = document.to_string();
    let config = Config::from_toml(&toml)?.config;
    Ok(Old {
        release,
        toml,
        config,
        secrets,
        findings,
    })
}

/// The email domains that have mailboxes, without the first.
fn others(first: &EmailDomain, mailboxes: &[String]) -> BTreeSet<String> {
    mailboxes
        .iter()
        .filter_map(|address| address.parse::<EmailAddress>().ok())
        .map(|address| address.domain().to_string())
        .filter(|domain| domain != first.as_str())
        .collect()
}

/// Takes a variable over if a configuration with it is a valid one.
fn take(document: &mut Document, name: &str, text: &str) -> Result<(), String> {
    // What 1.9 and 2.0 called it, as 2024.06 does.
    let on = matches!(text.to_ascii_lowercase().as_str(), "true" | "yes" | "1");
    let off = matches!(text.to_ascii_lowercase().as_str(), "false" | "no" | "0");
    let (name, text) = match name {
        "WEBMAIL" if on => ("WEBMAIL", "roundcube"),
        "WEBMAIL" if text == "rainloop" => ("WEBMAIL", "snappymail"),
        "WEBMAIL" | "WEBDAV" | "ANTIVIRUS" if off => (name, "none"),
        "WEBDAV" if on => (name, "radicale"),
        "ANTIVIRUS" if on => (name, "clamav"),
        "AUTH_RATELIMIT" => {
            return Err(
                "its successors AUTH_RATELIMIT_IP and AUTH_RATELIMIT_USER count otherwise"
                    .to_owned(),
            );
        }
        _ => (name, text),
    };
    if table::find(name).is_none() {
        return Err("2024.06 does not know it".to_owned());
    }
    let mut changed = Document::parse(&document.to_string()).map_err(|error| error.to_string())?;
    adopt(&mut changed, name, text)?;
    match Config::from_toml(&changed.to_string()) {
        Ok(_) => {
            *document = changed;
            Ok(())
        }
        Err(invalid) => Err(Error::from(invalid)
            .all_findings()
            .first()
            .map_or_else(|| "it is not valid".to_owned(), ToString::to_string)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENV: &str = "SECRET_KEY=0123456789abcdef0123456789abcdef\nDOMAIN=mail.example.com\nHOSTNAMES=mail.example.com\nSUBNET=192.168.203.0/24\n\
        POSTMASTER=boss@example.com\nTLS_FLAVOR=cert\nTRAEFIK_VERSION=2\nAUTH_RATELIMIT_IP=60/hour\nDISABLE_STATISTICS=True\n\
        MESSAGE_SIZE_LIMIT=50000000\nADMIN=true\nWEBMAIL=roundcube\nANTISPAM=true\nANTIVIRUS=true\nWEBDAV=true\n\
        INITIAL_ADMIN_ACCOUNT=admin\nINITIAL_ADMIN_DOMAIN=example.com\nINITIAL_ADMIN_PW=old-password-1\nINITIAL_ADMIN_MODE=update\n";
    const COMPOSE: &str =
        "version: '3.7'\nservices:\n  admin:\n    image: ghcr.io/mailu/admin:2.0\n";
    const INSTALLED: &str =
        "DOMAIN=mail.example.com\nADMIN_EMAIL=admin@example.com\nINSTALL_DATE=today\n";

    fn old(env: &str, compose: &str) -> Result<Old, Error> {
        let host = "mail.example.com".parse().unwrap();
        let mailboxes = ["a@example.com".to_owned(), "b@example.net".to_owned()];
        read(
            Path::new("/srv/x"),
            &host,
            None,
            [env, compose, INSTALLED],
            &mailboxes,
        )
    }

    #[test]
    fn what_the_old_installer_wrote_is_understood() {
        let old = old(ENV, COMPOSE).unwrap();
        assert_eq!(old.release, "2.0");
        assert!(old.findings.is_empty(), "{:?}", old.findings);
        let config = &old.config;
        assert_eq!(config.email_domain.as_str(), "example.com");
        assert_eq!(config.admin_email.to_string(), "admin@example.com");
        let domains: Vec<String> = config.domains().map(ToString::to_string).collect();
        assert_eq!(domains, ["example.com", "example.net"]);
        assert!(config.services.webdav && config.services.antivirus && !config.services.statistics);
        assert!(old.toml.contains("postmaster = \"boss\""), "{}", old.toml);
        assert!(old.toml.contains("50000000"), "{}", old.toml);
        assert!(!old.toml.contains("password") && !old.toml.contains("0123456789abcdef"));
        let key = old.secrets.get("secret_key").unwrap().expose();
        assert_eq!(key, "0123456789abcdef0123456789abcdef");
        assert_eq!(
            old.secrets.get("admin_password").unwrap().expose(),
            "old-password-1"
        );
    }

    #[test]
    fn the_one_before_it_too() {
        let env = ENV
            .replace(
                "AUTH_RATELIMIT_IP=60/hour",
                "AUTH_RATELIMIT=10/minute;1000/hour\nFOO=bar",
            )
            .replace("WEBMAIL=roundcube", "WEBMAIL=rainloop")
            .replace("DOMAIN=mail.example.com\n", "DOMAIN=example.com\n");
        let compose =
            "services:\n  admin:\n    image: ${DOCKER_ORG:-mailu}/admin:${MAILU_VERSION:-1.9}\n";
        let old = old(&env, compose).unwrap();
        assert_eq!(old.release, "1.9");
        assert!(old.toml.contains("snappymail"), "{}", old.toml);
        let left: Vec<&str> = old
            .findings
            .iter()
            .map(|one| one.subject.as_str())
            .collect();
        assert_eq!(left, ["mailu.env: AUTH_RATELIMIT", "mailu.env: FOO"]);
    }

    #[test]
    fn no_secret_is_shown_or_taken_into_the_configuration() {
        let secret = "hunter2-hunter2";
        let env = format!(
            "{ENV}DB_PW={secret}\nAPI_TOKEN={secret}\nROUNDCUBE_DB_PW={secret}\nSOME_PASSWORD={secret}\nSQLALCHEMY_DATABASE_URI=mysql+mysqlconnector://u:{secret}@db/mailu\nRELAYPASSWORD={secret}\n"
        );
        let old = old(&env, COMPOSE).unwrap();
        let shown = format!("{:?} {old:?}", old.findings);
        assert!(!shown.contains(secret), "{shown}");
        assert!(!old.toml.contains(secret), "{}", old.toml);
        for finding in &old.findings {
            assert!(!finding.to_string().contains(secret), "{finding}");
        }
        assert_eq!(old.secrets.get("relay_password").unwrap().expose(), secret);
    }

    #[test]
    fn what_cannot_be_followed_is_refused() {
        for (env, compose) in [
            (ENV.to_owned(), COMPOSE.replace("2.0", "master")),
            (ENV.to_owned(), COMPOSE.replace("2.0", "1.5")),
            (ENV.to_owned(), "services: {}\n".to_owned()),
            (
                ENV.replace("HOSTNAMES=mail.", "HOSTNAMES=mx."),
                COMPOSE.to_owned(),
            ),
            (ENV.replace("SECRET_KEY=", "NO_KEY="), COMPOSE.to_owned()),
            (
                ENV.replace("INITIAL_ADMIN_DOMAIN=example.com", "INITIAL_ADMIN_DOMAIN=-"),
                COMPOSE.to_owned(),
            ),
        ] {
            let error = old(&env, &compose).unwrap_err();
            assert_eq!(error.code(), "update.unknown_layout", "{error}");
        }
    }
}
