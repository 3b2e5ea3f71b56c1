//! Rules between variables, for what people wrote into `mailu.env` and `.env`: those that `config::check` has for the keys.

use ipnet::IpNet;

use super::{Variables, table};
use crate::config::Config;
use crate::config::check;
use crate::config::front::{Front, Interface};
use crate::config::units::{Prefix, Registry, Version};
use crate::finding::Finding;
use crate::network;

/// What the edits in `mailu.env` break together with everything else. `ours` is what we would write, `value` what will stand there.
///
/// Only what differs from ours is judged: the rest follows from keys that were judged before.
pub(crate) fn mailu<'a>(
    config: &Config,
    ours: &Variables,
    value: &impl Fn(&str) -> Option<&'a str>,
) -> Vec<Finding> {
    let edited = |names: &[&str]| names.iter().any(|name| value(name) != ours.get(name));
    let subject = |name: &str| format!("mailu.env: {name}");
    let fine = |name: &str| {
        value(name).filter(|text| !text.is_empty() && table::accepts(name, text, config.version))
    };
    let mut out = Vec::new();

    let mut trusted: Vec<IpNet> = network::trusted(config);
    trusted.extend(value("REAL_IP_FROM").into_iter().flat_map(table::listed));
    if edited(&["RELAYNETS", "REAL_IP_FROM"])
        && let Some(text) = fine("RELAYNETS")
    {
        out.extend(
            table::listed(text)
                .map(|net| check::relay_network(config, &trusted, net, &subject("RELAYNETS"))),
        );
    }
    if edited(&["PROXY_AUTH_WHITELIST", "REAL_IP_FROM"])
        && let Some(text) = fine("PROXY_AUTH_WHITELIST")
    {
        let at = subject("PROXY_AUTH_WHITELIST");
        out.extend(check::authenticating_proxies(config, &trusted, text, &at));
    }
    if edited(&["RECIPIENT_DELIMITER"])
        && let Some(text) = fine("RECIPIENT_DELIMITER")
    {
        out.extend(check::delimiter(
            config,
            text,
            &subject("RECIPIENT_DELIMITER"),
        ));
    }
    let web = [
        "WEB_ADMIN",
        "WEB_WEBMAIL",
        "WEB_API",
        "WEBROOT_REDIRECT",
        "ADMIN",
        "WEBMAIL",
        "API",
        "WEBDAV",
    ];
    if edited(&web) {
        out.extend(front(value, &subject));
    }
    out
}

fn front<'a>(
    value: &impl Fn(&str) -> Option<&'a str>,
    subject: &impl Fn(&str) -> String,
) -> Vec<Finding> {
    let (admin, webmail, api, root) = (
        subject("WEB_ADMIN"),
        subject("WEB_WEBMAIL"),
        subject("WEB_API"),
        subject("WEBROOT_REDIRECT"),
    );
    let other = |name: &str| value(name).is_some_and(|text| text != "none");
    Front {
        admin: Interface {
            on: is_on(value("ADMIN")),
            path: value("WEB_ADMIN").unwrap_or_default(),
            subject: &admin,
        },
        webmail: Interface {
            on: other("WEBMAIL"),
            path: value("WEB_WEBMAIL").unwrap_or_default(),
            subject: &webmail,
        },
        api: Interface {
            on: is_on(value("API")),
            path: value("WEB_API")
                .filter(|path| !path.is_empty())
                .unwrap_or("/api"),
            subject: &api,
        },
        webdav: other("WEBDAV"),
        // Empty: 404. `none`: an override of the operator's has the location.
        root: value("WEBROOT_REDIRECT")
            .filter(|text| !matches!(*text, "" | "none"))
            .map(|text| text.split('?').next().unwrap_or(text)),
        root_subject: &root,
    }
    .judge()
}

fn is_on(value: Option<&str>) -> bool {
    value.is_some_and(|text| matches!(text.to_ascii_lowercase().as_str(), "true" | "yes"))
}

/// What the edits in `.env` break. `ours` is what we would write, `value` what will stand there, `mailu` what will stand in `mailu.env`.
pub(crate) fn compose<'a>(
    ours: &Variables,
    value: &impl Fn(&str) -> Option<&'a str>,
    mailu: &impl Fn(&str) -> Option<&'a str>,
) -> Vec<Finding> {
    let mut out = Vec::new();
    let edited = |name: &str| value(name) != ours.get(name);
    for name in ["MAILU_VERSION", "DOCKER_ORG", "DOCKER_PREFIX"] {
        // Compose takes the configured value for one that is missing or empty.
        let Some(text) = value(name).filter(|text| !text.is_empty()) else {
            continue;
        };
        let rule = match name {
            "MAILU_VERSION" => text.parse::<Version>().err(),
            "DOCKER_ORG" => text.parse::<Registry>().err().map(str::to_owned),
            _ => text.parse::<Prefix>().err().map(str::to_owned),
        };
        if let Some(rule) = rule.filter(|_| edited(name)) {
            out.push(
                Finding::error("env.invalid_value", format!(".env: {name}"), rule)
                    .value(text)
                    .hint(format!("`--reset {name}` restores the configured value")),
            );
        }
    }
    let version = value("MAILU_VERSION").and_then(|text| text.parse::<Version>().ok());
    let proxies = mailu("PROXY_AUTH_WHITELIST").is_some_and(|list| !list.is_empty());
    for (on, floor, name, danger) in [
        (
            is_on(mailu("API")),
            Version::SAFE_API,
            "API",
            "anybody who reaches the API can change tokens without logging in (CVE-2026-49217)",
        ),
        (
            proxies,
            Version::SAFE_PROXY_AUTH,
            "PROXY_AUTH_WHITELIST",
            "a forged header logs in as anybody (GHSA-rfhj-4wcq-74xg)",
        ),
    ] {
        let Some(version) = version.filter(|version| on && *version < floor) else {
            continue;
        };
        out.push(if edited("MAILU_VERSION") {
            Finding::error(
                "env.version_too_old",
                ".env: MAILU_VERSION",
                format!("must be {floor} or later while `{name}` is set: before, {danger}"),
            )
            .value(version)
            .hint("`--reset MAILU_VERSION` restores the configured release")
        } else {
            Finding::error(
                "env.version_too_old",
                format!("mailu.env: {name}"),
                format!("needs Mailu {floor} or later, and this is {version}: before, {danger}"),
            )
            .hint(format!(
                "set `version = \"{}\"`, or `--reset {name}`",
                Version::DEFAULT
            ))
        });
    }
    out
}
