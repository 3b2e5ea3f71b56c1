//! The configuration with every gap filled: what is in place or given, what is asked for, what has to be drawn.

use std::collections::BTreeMap;

use super::deploy::Bases;
use super::{FileConflict, Observed, Request, adopt, kept};
use crate::config::edit::Document;
use crate::config::{Config, Parsed};
use crate::engine;
use crate::env::{EnvFile, is_secret};
use crate::error::{Error, ErrorKind};
use crate::finding::{Finding, has_errors};
use crate::fleet;
use crate::network::{self, Drawn};
use crate::paths::Layout;

/// A configuration with every gap filled.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Resolved {
    /// The configuration.
    pub config: Config,
    /// The text of `mailu.toml`.
    pub toml: String,
    /// Values that were drawn now.
    pub drawn: Vec<Drawn>,
    /// Warnings and notices.
    pub findings: Vec<Finding>,
    /// Drawn values that stand, for the record.
    pub(super) recorded: BTreeMap<String, String>,
    /// The file that was given last, for the record.
    pub(super) given: Option<String>,
    /// Disagreements between the given file and the one in place.
    pub(super) conflicts: Vec<FileConflict>,
    /// Whether a given file takes the place of one with changes.
    pub(super) replaced: bool,
}

/// Settles the configuration: what is in place or given, plus the settings of `request`, plus what has to be drawn.
///
/// # Errors
///
/// [`ErrorKind::InvalidInput`] with every finding: broken rules, clashes with neighbours, no room for networks.
/// [`ErrorKind::NotFound`] if the deployment has lost its `mailu.toml`, none is given, and the record of the last run has no copy; [`ErrorKind::Corrupt`] if that or
/// the record of the last run is damaged.
pub fn resolve(layout: &Layout, request: &Request, observed: &Observed) -> Result<Resolved, Error> {
    let resolved = settle(layout, request, observed)?;
    if has_errors(&resolved.findings) {
        return Err(invalid_input(resolved.findings));
    }
    Ok(resolved)
}

/// As [`resolve`], with what stands against it: there is a configuration as soon as its own rules are kept.
///
/// # Errors
///
/// As [`resolve`], where there is no configuration to go on with.
pub fn settled(
    layout: &Layout,
    request: &Request,
    observed: &Observed,
) -> Result<(Config, Vec<Finding>), Error> {
    let resolved = settle(layout, request, observed)?;
    Ok((resolved.config, resolved.findings))
}

/// What stands against `config` on a host where it is to be started: neighbours, the engine, memory.
pub fn standing(config: &Config, observed: &Observed) -> Vec<Finding> {
    let request = Request {
        start: true,
        ..Request::default()
    };
    let mut findings = fleet::clashes(config, &observed.neighbours);
    if let Some(engine) = &observed.engine {
        findings.extend(engine::judge(config, engine));
    }
    findings.extend(memory(config, &request, observed));
    findings
}

fn settle(layout: &Layout, request: &Request, observed: &Observed) -> Result<Resolved, Error> {
    let there = observed.entries.get("mailu.toml").map(|entry| {
        entry.text().ok_or_else(|| {
            Error::new(
                ErrorKind::Corrupt,
                "config.not_text",
                format!("read {}: it is not text", layout.config().display()),
            )
            .hint("restore mailu.toml from a backup, or move it away and install again")
        })
    });
    let there = there.transpose()?;
    let bases = Bases::read(layout, observed)?;
    let mut findings = Vec::new();
    let lost = there.is_none() && bases.committed.is_some();
    let anew = request.force && request.config.is_some();
    let copy = bases.toml().filter(|_| lost && !anew);
    if copy.is_some() {
        findings.push(
            Finding::warning(
                "config.restored",
                "mailu.toml",
                "was gone and is written anew as the last finished run left it: what was changed in it since then is lost",
            )
            .hint("if a backup has a newer one, put that in its place and run `mailu apply`"),
        );
    }
    let there = there.or(copy);
    let given = bases.given(there);
    let drawn_before = bases.drawn();
    let (mut conflicts, mut replaced) = (Vec::new(), false);
    let mut document = match (&request.config, there) {
        (Some(text), Some(there)) => {
            let merged = kept::merge(given.as_deref(), there, text, &drawn_before, request)?;
            conflicts = merged.conflicts;
            replaced = merged.replaced;
            findings.extend(merged.findings);
            merged.document
        }
        (Some(text), None) => Document::parse(text)?,
        (None, Some(text)) => Document::parse(text)?,
        (None, None) => Document::new(),
    };
    for (key, typed) in &request.settings {
        document.set_typed(key, typed);
    }
    if lost && copy.is_none() {
        let answered = |key: &str| request.settings.iter().any(|(set, _)| set == key);
        let told = request.force && answered("email_domain") && answered("admin_email");
        if request.config.is_none() && !told {
            return Err(kept::lost(layout, false));
        }
        kept::restore(&mut document, bases.records());
        findings.push(
            Finding::warning(
                "config.rebuilt",
                "mailu.toml",
                "was gone and is written anew: what else it said counts no longer",
            )
            .hint("`--dry-run` shows what changes"),
        );
    }
    findings.extend(kept::release(&mut document, bases.records()));
    let keys_count = request.config.is_some();
    for name in request
        .adopt
        .iter()
        .filter(|name| !(keys_count && kept::is_key(name)))
    {
        if let Err(finding) = adopt_variable(&mut document, name, observed) {
            findings.push(*finding);
        }
    }

    let Parsed {
        mut config,
        findings: noted,
    } = match Config::from_toml(&document.to_string()) {
        Ok(parsed) => parsed,
        Err(invalid) => {
            findings.extend(invalid.findings().iter().cloned());
            return Err(invalid_input(findings));
        }
    };
    let noted = {
        let start = findings.len();
        findings.extend(noted);
        start..findings.len()
    };
    if Layout::of(layout.root(), &config) != *layout {
        findings.push(
            Finding::error(
                "config.elsewhere",
                "mail_host",
                format!(
                    "belongs to another directory than {}: mail host and client name the directory, and do not change",
                    layout.directory().display()
                ),
            )
            .value(&config.mail_host)
            .hint("install a new deployment for another mail host or client"),
        );
    }

    let mut reserved = fleet::reserved(&observed.neighbours);
    for network in observed.engine.iter().flat_map(|engine| &engine.networks) {
        if network.name == config.traefik.network.as_str() {
            reserved
                .proxies
                .push((network.name.clone(), network.subnet));
        } else {
            reserved.networks.push(network.subnet.into());
        }
    }
    let mut drawn = Vec::new();
    match network::draw(&mut config, &reserved, &observed.routes) {
        Ok(networks) => drawn.extend(networks),
        Err(finding) => findings.push(*finding),
    }
    if config.dns.ipv4.is_none()
        && let Some(address) = observed.public_ipv4
    {
        config.dns.ipv4 = Some(address);
        drawn.push(Drawn {
            key: "dns.ipv4",
            value: address.to_string(),
        });
    }
    for Drawn { key, value } in &drawn {
        document.set_text(key, value);
    }
    // What was drawn may break rules together with what was given, and be worth a warning.
    if !drawn.is_empty() && !has_errors(&findings) {
        let again = match Config::from_toml(&document.to_string()) {
            Ok(parsed) => parsed.findings,
            Err(invalid) => invalid.findings().to_vec(),
        };
        findings.splice(noted, again);
    }
    findings.extend(fleet::clashes(&config, &observed.neighbours));
    if let Some(engine) = &observed.engine {
        findings.extend(engine::judge(&config, engine));
    }
    findings.extend(memory(&config, request, observed));
    let mut recorded = kept::standing(&document, bases.records());
    recorded.extend(drawn.iter().map(|d| (d.key.to_owned(), d.value.clone())));
    Ok(Resolved {
        recorded,
        given: request.config.clone().or(given),
        conflicts,
        replaced,
        toml: document.to_string(),
        config,
        drawn,
        findings,
    })
}

pub(super) fn invalid_input(findings: Vec<Finding>) -> Error {
    crate::error::Invalid::new(findings).into()
}

fn adopt_variable(
    document: &mut Document,
    name: &str,
    observed: &Observed,
) -> Result<(), Box<Finding>> {
    let not_there = || {
        Box::new(
            Finding::error(
                "adopt.not_there",
                name,
                "stands neither in mailu.env nor in .env",
            )
            .hint("`mailu plan` lists what was edited"),
        )
    };
    let value = [".env", "mailu.env"]
        .into_iter()
        .filter_map(|file| observed.entries.get(file)?.text())
        .filter_map(|text| EnvFile::parse(text).ok())
        .find_map(|file| file.get(name).cloned())
        .ok_or_else(not_there)?;
    if value.interpolates {
        return Err(Box::new(
            Finding::error(
                "adopt.computed",
                name,
                "is computed by Compose from other variables, which mailu.toml cannot hold",
            )
            .hint(format!("write the value itself, or `--reset {name}`")),
        ));
    }
    if secret_of(name).is_some() {
        return Ok(());
    }
    if is_secret(name) {
        return Err(Box::new(
            Finding::error(
                "adopt.secret",
                name,
                "is a secret, which mailu.toml is not for: more people read it than mailu.env",
            )
            .hint("leave it where it is: it stays there on every run"),
        ));
    }
    adopt(document, name, &value.text).map_err(|reason| {
        Box::new(
            Finding::error(
                "adopt.impossible",
                name,
                format!("cannot be adopted: {reason}"),
            )
            .hint(format!("`--reset {name}` restores our value")),
        )
    })
}

/// Variables that carry a secret, and the secret's file.
const CARRIERS: [(&str, &str); 3] = [
    ("SECRET_KEY", "secret_key"),
    ("API_TOKEN", "api_token"),
    ("RELAYPASSWORD", "relay_password"),
];

/// The secret that a variable carries.
pub(super) fn secret_of(variable: &str) -> Option<&'static str> {
    CARRIERS
        .iter()
        .find(|(name, _)| *name == variable)
        .map(|(_, secret)| *secret)
}

/// The variable that carries a secret.
pub(super) fn variable_of(secret: &str) -> Option<&'static str> {
    CARRIERS
        .iter()
        .find(|(_, name)| *name == secret)
        .map(|(variable, _)| *variable)
}

/// What the containers of a deployment need, by Mailu's documentation: 1 GB, with `ClamAV` 3 GB, with Tika 1 GB more.
fn memory_needed(config: &Config) -> u64 {
    const GB: u64 = 1_000_000_000;
    let mut needed = if config.services.antivirus {
        3 * GB
    } else {
        GB
    };
    if config.services.search_attachments {
        needed += GB;
    }
    needed
}

fn skipped(request: &Request, check: &str) -> bool {
    request
        .skip
        .as_ref()
        .is_some_and(|skip| skip.contains(check))
}

fn memory(config: &Config, request: &Request, observed: &Observed) -> Option<Finding> {
    let there = observed.memory?;
    let others: u64 = observed
        .neighbours
        .iter()
        .map(|n| memory_needed(&n.config))
        .sum();
    let needed = memory_needed(config) + others;
    if there >= needed {
        return None;
    }
    let gb = |bytes: u64| format!("{}.{} GB", bytes / 1_000_000_000, bytes / 100_000_000 % 10);
    let message = format!(
        "needs {} of memory in all{}, and this host has {}: ClamAV then dies while loading, and Rspamd defers all mail",
        gb(needed),
        if others > 0 {
            format!(", {} of it for other deployments", gb(others))
        } else {
            String::new()
        },
        gb(there)
    );
    let subject = if config.services.antivirus {
        "services.antivirus"
    } else {
        "services"
    };
    let mut finding =
        if request.start && config.services.antivirus && !skipped(request, "preflight.memory") {
            Finding::error("host.memory", subject, message)
        } else {
            Finding::warning("host.memory", subject, message)
        };
    if config.services.antivirus {
        finding = finding.value("true").hint(format!(
            "do without it: {}",
            config.setting(&["services.antivirus=false"])
        ));
    }
    Some(finding.hint("or give the host more memory"))
}
