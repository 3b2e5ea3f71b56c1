//! Which services read a variable of `mailu.env`, so that a change makes only those containers anew.

/// Every service that reads `mailu.env` may read it.
const ALL: Option<&[&str]> = None;

const ADMIN: Option<&[&str]> = Some(&["admin"]);
const FRONT: Option<&[&str]> = Some(&["front"]);
const SMTP: Option<&[&str]> = Some(&["smtp"]);
const IMAP: Option<&[&str]> = Some(&["imap"]);
const ANTISPAM: Option<&[&str]> = Some(&["antispam"]);
const WEBMAIL: Option<&[&str]> = Some(&["webmail"]);

/// Whether `service` reads the variable `name`. What is not known counts as read.
pub fn reads(service: &str, name: &str) -> bool {
    readers(name).is_none_or(|services| services.contains(&service))
}

/// The services that read `name`; nothing if all may.
fn readers(name: &str) -> Option<&'static [&'static str]> {
    // Admin takes each of its settings from a file, too.
    if let Some(of) = name
        .strip_suffix("_FILE")
        .filter(|of| *of != "SECRET_KEY" && name != "SQLITE_DATABASE_FILE")
    {
        return match readers(of) {
            Some(services) if services.contains(&"admin") => ADMIN,
            _ => ALL,
        };
    }
    match name {
        "INBOUND_TLS_ENFORCE"
        | "AUTH_RATELIMIT_IP"
        | "AUTH_RATELIMIT_USER"
        | "AUTH_RATELIMIT_IP_V4_MASK"
        | "AUTH_RATELIMIT_IP_V6_MASK"
        | "AUTH_RATELIMIT_EXEMPTION"
        | "AUTH_RATELIMIT_EXEMPTION_LENGTH"
        | "DISABLE_STATISTICS"
        | "DMARC_RUA"
        | "DMARC_RUF"
        | "WELCOME"
        | "WELCOME_SUBJECT"
        | "WELCOME_BODY"
        | "DKIM_SELECTOR"
        | "DKIM_PATH"
        | "DEFAULT_QUOTA"
        | "MESSAGE_RATELIMIT"
        | "MESSAGE_RATELIMIT_EXEMPTION"
        | "WILDCARD_SENDERS"
        | "SITENAME"
        | "WEBSITE"
        | "LOGO_URL"
        | "LOGO_BACKGROUND"
        | "API_TOKEN"
        | "AUTH_REQUIRE_TOKENS"
        | "SESSION_KEY_BITS"
        | "SESSION_TIMEOUT"
        | "SESSION_COOKIE_SECURE"
        | "CREDENTIAL_ROUNDS"
        | "DEFAULT_SPAM_THRESHOLD"
        | "PROXY_AUTH_WHITELIST"
        | "PROXY_AUTH_HEADER"
        | "PROXY_AUTH_CREATE"
        | "PROXY_AUTH_LOGOUT_URL"
        | "DB_FLAVOR"
        | "DB_USER"
        | "DB_PW"
        | "DB_HOST"
        | "DB_NAME"
        | "SQLITE_DATABASE_FILE"
        | "SQLALCHEMY_DATABASE_URI"
        | "IMAP_ADDRESS"
        | "RATELIMIT_STORAGE_URL"
        | "INSTANCE_ID_PATH"
        | "STATS_ENDPOINT"
        | "MEMORY_SESSIONS"
        | "DEBUG_PROFILER"
        | "DEBUG_ASSETS"
        | "TEMPLATES_AUTO_RELOAD"
        | "BABEL_DEFAULT_LOCALE"
        | "BABEL_DEFAULT_TIMEZONE"
        | "DOMAIN_REGISTRATION"
        | "RECAPTCHA_PUBLIC_KEY"
        | "RECAPTCHA_PRIVATE_KEY"
        | "INITIAL_ADMIN_ACCOUNT"
        | "INITIAL_ADMIN_DOMAIN"
        | "INITIAL_ADMIN_PW"
        | "INITIAL_ADMIN_MODE" => ADMIN,
        "WEBROOT_REDIRECT"
        | "WEBDAV"
        | "REAL_IP_HEADER"
        | "REAL_IP_FROM"
        | "TLS"
        | "TLS_CERT_FILENAME"
        | "TLS_KEYPAIR_FILENAME"
        | "LETSENCRYPT_SHORTCHAIN"
        | "WEBDAV_ADDRESS"
        | "WEBMAIL_ADDRESS" => FRONT,
        "RELAYHOST"
        | "RELAYUSER"
        | "RELAYPASSWORD"
        | "OUTBOUND_TLS_LEVEL"
        | "REJECT_UNLISTED_RECIPIENT"
        | "POSTFIX_LOG_FILE" => SMTP,
        "COMPRESSION" | "COMPRESSION_LEVEL" | "FTS_ATTACHMENTS_ADDRESS" => IMAP,
        "ANTIVIRUS" | "ANTIVIRUS_ACTION" | "SCAN_MACROS" | "OLETOOLS_ADDRESS"
        | "ANTIVIRUS_ADDRESS" => ANTISPAM,
        "ROUNDCUBE_DB_FLAVOR"
        | "ROUNDCUBE_DB_USER"
        | "ROUNDCUBE_DB_PW"
        | "ROUNDCUBE_DB_HOST"
        | "ROUNDCUBE_DB_NAME"
        | "ROUNDCUBE_PLUGINS" => WEBMAIL,
        "FETCHMAIL_DELAY" => Some(&["fetchmail"]),
        "DOMAIN" | "RECIPIENT_DELIMITER" => Some(&["admin", "front", "imap", "smtp"]),
        "HOSTNAMES" => Some(&["admin", "front", "imap", "smtp", "webmail", "fetchmail"]),
        "POSTMASTER" => Some(&["admin", "front", "imap"]),
        "SUBNET" => Some(&["admin", "front", "imap", "smtp", "antispam", "resolver"]),
        "TLS_FLAVOR" | "API" | "WEB_API" | "PORTS" | "TLS_PERMISSIVE" | "SMTP_ADDRESS" => {
            Some(&["admin", "front"])
        }
        "DEFER_ON_TLS_ERROR" => Some(&["admin", "smtp"]),
        "ADMIN" | "WEB_ADMIN" | "WEB_WEBMAIL" | "WEBMAIL" => Some(&["admin", "front", "webmail"]),
        "FULL_TEXT_SEARCH" => Some(&["admin", "imap", "webmail"]),
        "FULL_TEXT_SEARCH_ATTACHMENTS" => Some(&["admin", "imap"]),
        "SECRET_KEY"
        | "SECRET_KEY_FILE"
        | "PERMANENT_SESSION_LIFETIME"
        | "SQLALCHEMY_DATABASE_URI_ROUNDCUBE" => Some(&["admin", "webmail"]),
        "FETCHMAIL_ENABLED" | "DEBUG" => Some(&["admin", "fetchmail"]),
        "MESSAGE_SIZE_LIMIT" => Some(&["front", "smtp", "webmail"]),
        "RELAYNETS" => Some(&["smtp", "antispam"]),
        // Every container parses it; these act on it.
        "PROXY_PROTOCOL" => Some(&["front", "imap", "fetchmail"]),
        "REDIS_ADDRESS" => Some(&["admin", "antispam"]),
        "ANTISPAM_ADDRESS" => Some(&["front", "imap", "smtp"]),
        _ => ALL,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_read_by_all() {
        for service in ["front", "admin", "imap", "smtp", "resolver"] {
            assert!(reads(service, "SOMETHING_NEW"));
            assert!(reads(service, "LOG_LEVEL"));
        }
        assert!(reads("smtp", "MESSAGE_SIZE_LIMIT") && !reads("imap", "MESSAGE_SIZE_LIMIT"));
        assert!(reads("admin", "SITENAME") && !reads("front", "SITENAME"));
        assert!(reads("admin", "DB_PW_FILE") && !reads("smtp", "DB_PW_FILE"));
        assert!(reads("webmail", "SECRET_KEY_FILE") && !reads("smtp", "SECRET_KEY"));
        assert!(reads("smtp", "RELAYPASSWORD_FILE"));
    }

    /// Of a variable that is added to the table, somebody has to look up who reads it.
    #[test]
    fn what_all_read_is_known() {
        use super::super::table::{Rule, VARIABLES};
        let all: Vec<&str> = VARIABLES
            .iter()
            .filter(|variable| !matches!(variable.rule, Rule::Removed(_) | Rule::NextRelease))
            .map(|variable| variable.name)
            .filter(|name| readers(name).is_none())
            .collect();
        assert_eq!(
            all,
            [
                "SUBNET6",
                "LOG_LEVEL",
                "TZ",
                "LD_PRELOAD",
                "CPU_COUNT",
                "ADMIN_ADDRESS",
                "FRONT_ADDRESS",
                "I_KNOW_MY_SETUP_DOESNT_FIT_REQUIREMENTS_AND_WONT_FILE_ISSUES_WITHOUT_PATCHES",
                "MAILU_HELM_CHART",
            ]
        );
    }

    /// Every name here is one that the table has.
    #[test]
    fn the_names_are_mailus() {
        let source = include_str!("readers.rs");
        let (source, _) = source.split_once("mod tests").unwrap_or_default();
        let names = source.split('"').filter(|word| {
            word.len() > 1
                && word
                    .bytes()
                    .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
        });
        for name in names.filter(|name| *name != "_FILE") {
            assert!(super::super::table::find(name).is_some(), "{name}");
        }
    }
}
