//! Mailu's own setup wizard as an oracle: the same choices give the same services, images, mounts and environment, or a
//! difference that is in the table below.
//!
//! `fixtures/wizard/CASE` holds inputs given to the wizard of Mailu 2024.06.57 and facts of what it made. More cases can be
//! tried with `MAILU_WIZARD_CASES=DIR`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use mailu_core::compose;
use mailu_core::env::{compose_variables, mailu_variables};
use serde_json::Value;

use crate::compose::{config, secrets};
use crate::support::tests;

/// Where we differ on purpose, and why. Each line must be needed by at least one case.
const DIFFERENCES: &[(&str, &str)] = &[
    (
        "image: Mailu's own",
        "the wizard names the moving tag 2024.06; we pin the patch release, so that two hosts run the same",
    ),
    (
        "image: redis",
        "redis:alpine moves, and a newer Redis writes files that an older one cannot read back",
    ),
    (
        "image: antivirus",
        "clamav-debian:1.4 moves; we pin the patch release",
    ),
    ("image: fts_attachments", "apache/tika:latest-full moves"),
    (
        "network: access",
        "published ports enter by a network of their own, whose gateway may not relay (Mailu #3680)",
    ),
    (
        "network: proxy",
        "in mode `traefik` front is reached through the network shared with Traefik",
    ),
    (
        "env: SECRET_KEY",
        "drawn here, with more characters than the wizard's 16",
    ),
    (
        "env: API_TOKEN",
        "always drawn: with an empty one every request to the API answers 500, and we use it inside",
    ),
    (
        "env: COMPOSE_PROJECT_NAME",
        "Compose reads it from .env only, where we write it; in mailu.env it has no effect",
    ),
    (
        "env: REAL_IP_HEADER",
        "follows from the TLS mode; the wizard leaves it to be set by hand",
    ),
    (
        "env: REAL_IP_FROM",
        "follows from where Traefik is; the wizard leaves it to be set by hand",
    ),
    (
        "wizard: refused by Compose",
        "the wizard's own file is invalid there (Mailu's templates write an empty depends_on, or unquoted text); ours is accepted",
    ),
    (
        "refused: limits.auth_per_ip",
        "the wizard takes any text; Mailu answers 500 to every login if it is no rate above zero",
    ),
    (
        "refused: limits.auth_per_user",
        "the wizard takes any text; Mailu answers 500 to every login if it is no rate above zero",
    ),
    (
        "refused: limits.messages",
        "the wizard takes any text; Mailu answers 500 to every message if it is no rate above zero",
    ),
    (
        "env: COMPRESSION_LEVEL",
        "a level without compression has no effect; we refuse the pair",
    ),
    (
        "refused: admin_email",
        "the wizard takes any text; Mailu's admin then refuses the address",
    ),
    (
        "refused: tls.mode",
        "`mail-letsencrypt` is undocumented since 2024.06; `passthrough` and `traefik` serve the purpose",
    ),
    (
        "refused: postmaster",
        "the wizard takes any text; it becomes part of an address",
    ),
    (
        "refused: dmarc.rua",
        "the wizard takes any text; it becomes part of an address",
    ),
    (
        "refused: dmarc.ruf",
        "the wizard takes any text; it becomes part of an address",
    ),
    (
        "refused: network.subnet",
        "fewer than 16 addresses do not suffice for the eight containers of the main network",
    ),
    (
        "ours: PORTS",
        "Mailu alone would close 587 and 143, which AgencyStack promises",
    ),
    (
        "ours: PROXY_PROTOCOL",
        "mail ports through Traefik carry the client's address",
    ),
    (
        "ours: DEFAULT_QUOTA",
        "25 GB for each mailbox, as AgencyStack promises; Mailu's default is 1 GB",
    ),
    (
        "ours: DKIM_SELECTOR",
        "said explicitly, since the key's file name follows from it",
    ),
];

/// The differences that need choices which the ten cases do not make; the last test makes them.
const ELSEWHERE: &[&str] = &[
    "image: fts_attachments",
    "network: proxy",
    "env: REAL_IP_HEADER",
    "env: REAL_IP_FROM",
    "env: COMPRESSION_LEVEL",
    "refused: admin_email",
    "refused: tls.mode",
    "refused: postmaster",
    "refused: dmarc.rua",
    "refused: dmarc.ruf",
    "refused: network.subnet",
    "wizard: refused by Compose",
    "refused: limits.auth_per_ip",
    "refused: limits.auth_per_user",
    "refused: limits.messages",
];

/// What Mailu takes if a variable is not set.
const MAILU_DEFAULTS: &[(&str, &str)] = &[
    ("CREDENTIAL_ROUNDS", "12"),
    ("AUTH_RATELIMIT_IP", "5/hour"),
    ("AUTH_RATELIMIT_USER", "50/day"),
    ("MESSAGE_RATELIMIT", "200/day"),
    ("DOMAIN_REGISTRATION", "false"),
];

/// The `mailu.toml` that means the same as the wizard's inputs.
fn translate(inputs: &BTreeMap<String, String>) -> String {
    let get = |key: &str| inputs.get(key).map(String::as_str);
    let given = |key: &str| get(key).filter(|value| !value.is_empty());
    let on = |key: &str| given(key).is_some_and(|value| value != "none" && value != "false");
    let text = |value: &str| toml::Value::String(value.to_owned()).to_string();
    let mut out = String::new();
    let mut put = |key: &str, value: String| writeln!(out, "{key} = {value}").unwrap();

    let domain = get("domain").unwrap();
    let postmaster = get("postmaster").unwrap();
    let mut names = get("hostnames").unwrap().split(',').map(str::trim);
    put("mail_host", text(names.next().unwrap()));
    let more: Vec<String> = names.map(text).collect();
    put("hostnames", format!("[{}]", more.join(", ")));
    put("email_domain", text(domain));
    put("admin_email", text(&format!("{postmaster}@{domain}")));
    put("postmaster", text(postmaster));
    if let Some(project) = given("compose_project_name") {
        put("project", text(project));
    }
    put(
        "tls.mode",
        text(match get("tls_flavor").unwrap() {
            "notls" => "none",
            "mail" => "traefik",
            other => other,
        }),
    );
    put("dns.autoconfig", "false".to_owned());
    put("services.webmail", text(get("webmail_type").unwrap()));
    for (key, input) in [
        ("admin", "admin_enabled"),
        ("api", "api_enabled"),
        ("antivirus", "antivirus_enabled"),
        ("macro_scan", "oletools_enabled"),
        ("search_attachments", "tika_enabled"),
        ("webdav", "webdav_enabled"),
        ("fetchmail", "fetchmail_enabled"),
        ("resolver", "resolver_enabled"),
        ("statistics", "statistics_enabled"),
    ] {
        put(&format!("services.{key}"), on(input).to_string());
    }
    put("web.site_name", text(get("site_name").unwrap()));
    put("web.website", text(get("website").unwrap()));
    put("network.subnet", text(get("subnet").unwrap()));
    if on("ipv6_enabled") {
        put("network.ipv6", "true".to_owned());
        put("network.subnet6", text(get("subnet6").unwrap()));
    }
    for (key, input, unit) in [
        ("limits.auth_per_ip", "auth_ratelimit_ip", "hour"),
        ("limits.auth_per_user", "auth_ratelimit_user", "day"),
        ("limits.messages", "message_ratelimit_pd", "day"),
    ] {
        // The wizard compares text, and leaves the variable out where that is not above "0".
        if let Some(rate) = given(input).filter(|rate| *rate > "0") {
            put(key, text(&format!("{rate}/{unit}")));
        }
    }
    if let Some(size) = given("message_size_limit") {
        put("limits.message_size", size.to_owned());
    }
    if let Some(relay) = given("relayhost") {
        put("relay.host", text(relay));
    }
    if let Some(delay) = given("fetchmail_delay") {
        put("mail.fetchmail_delay", delay.to_owned());
    }
    if let Some(delimiter) = given("recipient_delimiter") {
        put("mail.recipient_delimiter", text(delimiter));
    }
    for (key, input) in [("dmarc.rua", "dmarc_rua"), ("dmarc.ruf", "dmarc_ruf")] {
        put(key, text(given(input).unwrap_or(postmaster)));
    }
    if let Some(compression) = given("compression") {
        put("mail.compression", text(compression));
        if let Some(level) = given("compression_level") {
            put("mail.compression_level", level.to_owned());
        }
    }
    if given("reject_unlisted_recipient") == Some("yes") {
        put("mail.reject_unlisted_recipient", "true".to_owned());
    }
    put("welcome.enabled", on("welcome_enable").to_string());
    for (key, input) in [
        ("welcome.subject", "welcome_subject"),
        ("welcome.body", "welcome_body"),
    ] {
        if let Some(value) = given(input) {
            put(key, text(value));
        }
    }
    if on("domain_registration") {
        put("env.DOMAIN_REGISTRATION", text("true"));
    }
    out
}

/// What a value says, however it is spelled.
fn meaning(name: &str, value: &str) -> String {
    match (name, value.to_ascii_lowercase().as_str()) {
        // Postfix's template takes the empty value as `no`.
        ("REJECT_UNLISTED_RECIPIENT", "") | (_, "false" | "no") => "false".to_owned(),
        (_, "true" | "yes") => "true".to_owned(),
        // A space in it is taken as part of a name by three services; what is meant is the list.
        ("HOSTNAMES", list) => list.split(',').map(str::trim).collect::<Vec<_>>().join(","),
        _ => value.to_owned(),
    }
}

/// Image references with Compose's defaults filled in.
fn resolved(image: &str) -> String {
    let mut out = String::new();
    let mut rest = image;
    while let Some(start) = rest.find("${") {
        out.push_str(&rest[..start]);
        let end = start + rest[start..].find('}').unwrap();
        out.push_str(rest[start + 2..end].split_once(":-").unwrap().1);
        rest = &rest[end + 1..];
    }
    out.push_str(rest);
    out
}

/// Without its tag.
fn name_of(image: &str) -> &str {
    image.rsplit_once(':').unwrap().0
}

struct Comparison {
    used: BTreeSet<&'static str>,
    unexplained: Vec<String>,
}

impl Comparison {
    fn differs(&mut self, case: &str, what: &str, ours: &str, theirs: &str) {
        match DIFFERENCES.iter().find(|(known, _)| *known == what) {
            Some((known, _)) => {
                self.used.insert(known);
            }
            None => self.unexplained.push(format!(
                "{case}: {what}: ours {ours:?}, the wizard's {theirs:?}"
            )),
        }
    }

    fn case(&mut self, case: &str, inputs: &BTreeMap<String, String>, facts: &Value) {
        let toml = translate(inputs);
        if let Err(invalid) = mailu_core::Config::from_toml(&toml) {
            for finding in invalid
                .findings()
                .iter()
                .filter(|f| f.severity == mailu_core::Severity::Error)
            {
                let key = finding.subject.split('[').next().unwrap_or_default();
                self.differs(
                    case,
                    &format!("refused: {key}"),
                    &finding.message,
                    finding.value.as_deref().unwrap_or_default(),
                );
            }
            return;
        }
        let config = config(&toml);
        let compose = compose::build(&config);
        let strings = |value: &Value| -> BTreeSet<String> {
            value
                .as_array()
                .unwrap()
                .iter()
                .map(|v| v.as_str().unwrap().to_owned())
                .collect()
        };

        let ours: BTreeSet<String> = compose.services.iter().map(|s| s.name.clone()).collect();
        let theirs = strings(&facts["services"]);
        if ours != theirs {
            self.differs(
                case,
                "services",
                &format!("{ours:?}"),
                &format!("{theirs:?}"),
            );
        }
        for service in &compose.services {
            let Some(theirs) = facts["images"][&service.name].as_str() else {
                continue;
            };
            let (ours, theirs) = (resolved(&service.image), resolved(theirs));
            if name_of(&ours) != name_of(&theirs) {
                self.differs(
                    case,
                    &format!("image name of {}", service.name),
                    &ours,
                    &theirs,
                );
            } else if ours != theirs {
                let what = if theirs.contains("mailu/") {
                    "Mailu's own"
                } else {
                    &service.name
                };
                self.differs(case, &format!("image: {what}"), &ours, &theirs);
            }

            let inside = |mount: &str| {
                let mut parts = mount.split(':').skip(1);
                (parts.next().unwrap().to_owned(), parts.next() == Some("ro"))
            };
            let ours: BTreeSet<_> = service
                .volumes
                .iter()
                .map(|m| (m.target.clone(), m.read_only))
                .collect();
            let root = inputs["root"].len();
            let theirs: BTreeSet<_> = strings(&facts["volumes"][&service.name])
                .iter()
                .map(|mount| inside(&mount[root.min(mount.len())..]))
                .collect();
            if ours != theirs {
                self.differs(
                    case,
                    &format!("mounts of {}", service.name),
                    &format!("{ours:?}"),
                    &format!("{theirs:?}"),
                );
            }
        }
        let ours: BTreeSet<String> = compose.networks.iter().map(|n| n.name.clone()).collect();
        let theirs = strings(&facts["networks"]);
        for name in ours.symmetric_difference(&theirs) {
            self.differs(
                case,
                &format!("network: {name}"),
                &format!("{ours:?}"),
                &format!("{theirs:?}"),
            );
        }

        let env = mailu_variables(&config, &secrets());
        let default = |name: &str| {
            MAILU_DEFAULTS
                .iter()
                .find(|(n, _)| *n == name)
                .map(|(_, value)| *value)
        };
        for (name, theirs) in facts["env"].as_object().unwrap() {
            let theirs = theirs.as_str().unwrap();
            let ours = env
                .get(name)
                .or_else(|| default(name))
                .map(|value| meaning(name, value));
            if ours.as_deref() != Some(&meaning(name, theirs)) {
                let shown = if name == "SECRET_KEY" {
                    "…".to_owned()
                } else {
                    format!("{ours:?}")
                };
                self.differs(case, &format!("env: {name}"), &shown, theirs);
            }
        }
        for (name, ours) in env.iter() {
            if facts["env"].get(name).is_none() && default(name) != Some(ours) {
                self.differs(case, &format!("ours: {name}"), ours, "(not set)");
            }
        }
        let project = facts["env"]["COMPOSE_PROJECT_NAME"]
            .as_str()
            .unwrap_or("mailu");
        if compose_variables(&config).get("COMPOSE_PROJECT_NAME") != Some(project) {
            self.differs(case, "project name", &config.project_name(), project);
        }
        if facts["compose_config_rc"] != 0 {
            self.differs(case, "wizard: refused by Compose", "accepted", "refused");
        }
    }
}

fn cases(directory: &Path) -> Vec<(String, BTreeMap<String, String>, Value)> {
    let read = |path: PathBuf| std::fs::read_to_string(path).unwrap();
    let mut all: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            (
                path.file_name().unwrap().to_string_lossy().into_owned(),
                serde_json::from_str(&read(path.join("inputs.json"))).unwrap(),
                serde_json::from_str(&read(path.join("facts.json"))).unwrap(),
            )
        })
        .collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

#[test]
fn the_same_choices_give_the_same_deployment() {
    let mut comparison = Comparison {
        used: BTreeSet::new(),
        unexplained: Vec::new(),
    };
    let mut all = cases(&tests("fixtures/wizard"));
    assert_eq!(all.len(), 10);
    if let Some(more) = std::env::var_os("MAILU_WIZARD_CASES") {
        all.extend(cases(Path::new(&more)));
        eprintln!("{} cases", all.len());
    }
    for (case, inputs, facts) in &all {
        comparison.case(case, inputs, facts);
    }
    assert!(
        comparison.unexplained.is_empty(),
        "{:#?}",
        comparison.unexplained
    );
    // A difference that no case shows any more is not one.
    for (known, _) in DIFFERENCES {
        assert!(
            comparison.used.contains(known) || ELSEWHERE.contains(known),
            "{known} is a difference that no case shows"
        );
    }
}

/// The differences that the ten cases cannot show, from choices that can be made.
#[test]
fn the_remaining_differences_are_real() {
    let base = std::fs::read_to_string(tests("fixtures/wizard/default/inputs.json")).unwrap();
    let mut inputs: BTreeMap<String, String> = serde_json::from_str(&base).unwrap();
    inputs.insert("tls_flavor".to_owned(), "mail".to_owned());
    inputs.insert("tika_enabled".to_owned(), "true".to_owned());
    inputs.remove("resolver_enabled");
    let config = config(&translate(&inputs));
    let compose = compose::build(&config);
    assert!(compose.networks.iter().any(|n| n.name == "proxy"));
    let tika = compose
        .services
        .iter()
        .find(|s| s.name == "fts_attachments")
        .unwrap();
    assert!(tika.image.starts_with("apache/tika:") && !tika.image.contains("latest"));
    // Without a resolver the wizard writes an empty list of dependencies here, which Compose refuses.
    assert!(tika.depends_on.is_empty());
    let env = mailu_variables(&config, &secrets());
    assert_eq!(env.get("REAL_IP_HEADER"), Some("X-Forwarded-For"));
    assert_ne!(env.get("REAL_IP_FROM"), Some(""));

    let refused = |key: &str, value: &str, subject: &str| {
        let mut inputs: BTreeMap<String, String> = serde_json::from_str(&base).unwrap();
        inputs.insert(key.to_owned(), value.to_owned());
        let invalid = mailu_core::Config::from_toml(&translate(&inputs)).unwrap_err();
        assert!(
            invalid.findings().iter().any(|f| f.subject == subject),
            "{key} = {value}: {invalid}"
        );
    };
    for subject in ["admin_email", "postmaster", "dmarc.rua", "dmarc.ruf"] {
        refused("postmaster", "post master", subject);
    }
    refused("tls_flavor", "mail-letsencrypt", "tls.mode");
    for (key, subject) in [
        ("auth_ratelimit_ip", "limits.auth_per_ip"),
        ("auth_ratelimit_user", "limits.auth_per_user"),
        ("message_ratelimit_pd", "limits.messages"),
    ] {
        refused(key, "00", subject);
    }
    refused("subnet", "192.168.99.8/29", "network.subnet");
    let level = format!("{}mail.compression_level = 6\n", crate::support::SMALL);
    assert!(mailu_core::Config::from_toml(&level).is_err());
}
