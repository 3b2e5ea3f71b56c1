//! From an edited variable back to the key of `mailu.toml` that sets it.

use crate::config::edit::Document;
use crate::env::table;

/// Puts `value`, which stands for `name` in `mailu.env` or `.env`, into `document`.
///
/// Fails with the reason where the variable follows from several keys, or from where the deployment lies.
pub(crate) fn adopt(document: &mut Document, name: &str, value: &str) -> Result<(), String> {
    let mut set = |key: &str, typed: &str| document.set_typed(key, typed);
    let without = |dropped: &[&str]| {
        value
            .split(',')
            .filter(|item| !dropped.contains(item))
            .collect::<Vec<_>>()
            .join(",")
    };
    match name {
        "MAILU_VERSION" => set("version", value),
        "COMPOSE_PROJECT_NAME" => set("project", value),
        "DOCKER_ORG" => set("images.registry", value),
        "DOCKER_PREFIX" => set("images.prefix", value),
        "WEBDAV" => set("services.webdav", bool_text(value != "none")),
        "ANTIVIRUS" => set("services.antivirus", bool_text(value != "none")),
        "DISABLE_STATISTICS" => set("services.statistics", bool_text(!is_true(value))),
        "ADMIN" | "API" | "WELCOME" | "FETCHMAIL_ENABLED" | "SCAN_MACROS" => {
            let key = table::find(name)
                .and_then(|variable| variable.key)
                .unwrap_or_default();
            set(key, bool_text(is_true(value)));
        }
        "REJECT_UNLISTED_RECIPIENT" => {
            set("mail.reject_unlisted_recipient", bool_text(value == "yes"));
        }
        "FULL_TEXT_SEARCH" if matches!(value, "off" | "false" | "0") => {
            set("services.search", "false");
        }
        "FULL_TEXT_SEARCH" => {
            set("services.search", "true");
            set("mail.search_languages", value);
        }
        "FULL_TEXT_SEARCH_ATTACHMENTS" => {
            set("services.search_attachments", bool_text(!value.is_empty()));
        }
        "COMPRESSION" => set(
            "mail.compression",
            if value.is_empty() { "none" } else { value },
        ),
        "LOG_LEVEL" => set(
            "logs.level",
            &value.to_ascii_lowercase().replace("notset", "debug"),
        ),
        "PORTS" => set("ports.mail", &without(&["80", "443"])),
        "HOSTNAMES" => {
            let host = document.get("mail_host").unwrap_or_default();
            let (first, rest) = value.split_once(',').unwrap_or((value, ""));
            if format!("\"{first}\"") != host.replace('\'', "\"") {
                return Err("the first name is the mail host, by which the deployment's directory is named; install a new deployment for another one".to_owned());
            }
            document.set_typed("hostnames", rest);
            if rest.is_empty() {
                document.unset("hostnames");
            }
        }
        "TLS_FLAVOR" | "PROXY_PROTOCOL" | "REAL_IP_HEADER" => {
            return Err(
                "it follows from `tls.mode`, `ports.via` and `ports.mail` together; set those"
                    .to_owned(),
            );
        }
        "DKIM_SELECTOR" => {
            return Err(
                "another selector means another key and DNS record; set `dns.selector`".to_owned(),
            );
        }
        _ => match table::find(name).and_then(|variable| variable.key) {
            Some(key) if value.is_empty() => {
                document.unset(key);
            }
            Some(key) => set(key, value),
            None => document.set_text(&format!("env.{name}"), value),
        },
    }
    Ok(())
}

fn bool_text(on: bool) -> &'static str {
    if on { "true" } else { "false" }
}

fn is_true(value: &str) -> bool {
    matches!(value.to_ascii_lowercase().as_str(), "true" | "yes")
}
