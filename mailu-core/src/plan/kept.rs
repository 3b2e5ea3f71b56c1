//! `mailu.toml` between people and us: a file that is given again, and keys that were drawn.

use std::collections::{BTreeMap, BTreeSet};

use super::generated::is_hidden;
use super::{FileConflict, Record, Request};
use crate::config::DEFAULT_PROXY_NETWORK;
use crate::config::edit::Document;
use crate::env::Conflict;
use crate::error::{Error, ErrorKind, Invalid};
use crate::finding::Finding;
use crate::paths::Layout;

/// Keys that are drawn at the first run and then kept.
const DRAWN_KEYS: [&str; 11] = [
    "traefik.subnet",
    "traefik.address",
    "network.subnet",
    "network.access",
    "network.webmail",
    "network.radicale",
    "network.clamav",
    "network.oletools",
    "network.fts_attachments",
    "network.subnet6",
    "dns.ipv4",
];

/// A given file and the one in place, made one.
pub(super) struct Merged {
    pub(super) document: Document,
    pub(super) conflicts: Vec<FileConflict>,
    pub(super) findings: Vec<Finding>,
    /// Whether changes of the file in place are lost.
    pub(super) replaced: bool,
}

/// Merges key by key: `base` is the file that was given last, `theirs` the one in place, `ours` the one that is given now.
///
/// What `drawn` says was drawn is nobody's change.
pub(super) fn merge(
    base: Option<&str>,
    theirs: &str,
    ours: &str,
    drawn: &BTreeMap<String, String>,
    request: &Request,
) -> Result<Merged, Invalid> {
    let theirs = Document::parse(theirs)?;
    let given = Document::parse(ours)?;
    let (there, wanted) = (theirs.leaves(), given.leaves());
    let last = base
        .and_then(|text| Document::parse(text).ok())
        .map(|document| document.leaves())
        .unwrap_or_default();
    let changed = |key: &str| {
        let ours_by_chance = DRAWN_KEYS.contains(&key)
            && (!wanted.contains_key(key) || plain(&theirs, key) == drawn.get(key).cloned());
        there.get(key) != last.get(key) && !ours_by_chance
    };
    let keys: BTreeSet<&str> = there
        .keys()
        .chain(wanted.keys())
        .map(String::as_str)
        .filter(|key| there.get(*key) != wanted.get(*key))
        .collect();
    let changes: BTreeSet<&str> = keys.iter().copied().filter(|key| changed(key)).collect();
    // Comments that somebody wrote: they are in neither file that was given.
    let template = [crate::config::edit::HEAD, base.unwrap_or_default(), ours];
    let known: BTreeSet<&str> = template.iter().flat_map(|text| comments(text)).collect();
    let text = theirs.to_string();
    let remarks: BTreeSet<&str> = comments(&text).filter(|one| !known.contains(one)).collect();

    let mut merged = Merged {
        document: theirs,
        conflicts: Vec::new(),
        findings: Vec::new(),
        replaced: false,
    };
    if changes.is_empty() && base == Some(ours) {
        return Ok(merged);
    }
    if request.force || changes.is_empty() && remarks.is_empty() {
        // The given file with its comments, and what was drawn.
        let theirs = std::mem::replace(&mut merged.document, given);
        for key in DRAWN_KEYS {
            if !wanted.contains_key(key) {
                merged.document.copy(key, &theirs);
            }
        }
        merged.replaced = !(changes.is_empty() && remarks.is_empty());
        return Ok(merged);
    }
    let show = |leaves: &BTreeMap<String, String>, key: &str| {
        leaves.get(key).map(|value| {
            if is_hidden(key) {
                "***".to_owned()
            } else {
                crate::finding::without_userinfo(key, value)
            }
        })
    };
    let mut kept = Vec::new();
    for key in keys {
        let theirs_counts = changes.contains(key) && !request.reset.contains(key);
        if !theirs_counts {
            if wanted.contains_key(key) || !DRAWN_KEYS.contains(&key) {
                merged.document.copy(key, &given);
            }
        } else if wanted.get(key) == last.get(key) || request.adopt.contains(key) {
            if !request.settings.iter().any(|(set, _)| set == key) {
                let value = show(&there, key).unwrap_or_else(|| "(default)".to_owned());
                kept.push(format!("{key} = {value}"));
            }
        } else {
            merged.conflicts.push(FileConflict {
                file: "mailu.toml".to_owned(),
                variable: Some(Conflict {
                    name: key.to_owned(),
                    base: show(&last, key),
                    theirs: show(&there, key),
                    ours: show(&wanted, key),
                    reason: "it was changed there, and the given file wants another value"
                        .to_owned(),
                    key: Some(key.to_owned()),
                }),
                hints: vec![
                    format!("`--reset {key}` takes the value of the given file"),
                    format!("`--adopt {key}` keeps the one in mailu.toml"),
                    "`--force` takes the whole given file; a copy of the one in place is kept in .mailu/replaced/".to_owned(),
                ],
            });
        }
    }
    // A key that goes takes its comments along.
    let text = merged.document.to_string();
    let left: BTreeSet<&str> = comments(&text).collect();
    merged.replaced = !remarks.is_subset(&left);
    if !kept.is_empty() {
        merged.findings.push(
            Finding::notice(
                "config.kept",
                "mailu.toml",
                format!(
                    "keeps what was changed since the file was given last: {}",
                    kept.join(", ")
                ),
            )
            .hint("`--reset KEY` takes the given file's value, `--force` the whole file"),
        );
    }
    Ok(merged)
}

/// What follows the first `#` of each line: every comment, and now and then the end of a value.
fn comments(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .filter_map(|line| Some(line.split_once('#')?.1.trim()))
}

/// Whether a name after `--reset` or `--adopt` is a key of `mailu.toml`.
pub(super) fn is_key(name: &str) -> bool {
    name.starts_with("env.")
        || crate::config::known_keys()
            .iter()
            .any(|key| key.path == name)
}

/// Removes what was drawn for something that is switched off now.
pub(crate) fn release<'a>(
    document: &mut Document,
    records: impl Iterator<Item = &'a Record>,
) -> Vec<Finding> {
    let mut dropped = Vec::new();
    for (key, value) in records.flat_map(|record| &record.drawn) {
        if plain(document, key).as_ref() == Some(value) && !applies(document, key) {
            document.unset(key);
            dropped.push(
                Finding::notice(
                    "config.drawn_dropped",
                    key,
                    "was drawn for what is switched off now, and is removed",
                )
                .value(value),
            );
        }
    }
    dropped
}

/// Sets again what was drawn, in a file that is written anew.
pub(super) fn restore<'a>(document: &mut Document, records: impl Iterator<Item = &'a Record>) {
    for (key, value) in records.flat_map(|record| &record.drawn) {
        if document.get(key).is_none() && applies(document, key) {
            document.set_text(key, value);
        }
    }
}

/// Those of the recorded draws that still stand.
pub(super) fn standing<'a>(
    document: &Document,
    records: impl Iterator<Item = &'a Record>,
) -> BTreeMap<String, String> {
    records
        .flat_map(|record| &record.drawn)
        .filter(|(key, value)| plain(document, key).as_ref() == Some(value))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// The text at a key.
fn plain(document: &Document, key: &str) -> Option<String> {
    Some(document.get(key)?.trim_matches(['"', '\'']).to_owned())
}

/// Whether a drawn key is still needed.
fn applies(document: &Document, key: &str) -> bool {
    match key {
        "network.subnet6" => plain(document, "network.ipv6").as_deref() == Some("true"),
        "traefik.subnet" | "traefik.address" => {
            let behind = !matches!(
                plain(document, "tls.mode").as_deref(),
                Some("letsencrypt" | "cert" | "none")
            );
            behind
                && plain(document, "traefik.network")
                    .is_none_or(|name| name == DEFAULT_PROXY_NETWORK)
        }
        _ => true,
    }
}

/// A deployment of ours without its `mailu.toml`; `copied` says whether the record has a copy.
pub(crate) fn lost(layout: &Layout, copied: bool) -> Error {
    let client = layout
        .client()
        .map(|client| format!(" --client-id {client}"))
        .unwrap_or_default();
    let install = format!("mailu install --domain {}{client}", layout.mail_host());
    let error = Error::new(
        ErrorKind::NotFound,
        "deployment.config_lost",
        format!(
            "read {}: it is gone, while {} shows that there was one",
            layout.config().display(),
            layout.rendered().display()
        ),
    )
    .hint("restore it from a backup");
    let (error, force) = if copied {
        let restore =
            format!("or have it written as the last finished run left it: `{install} --no-start`");
        (error.hint(restore), " --force")
    } else {
        (error, "")
    };
    error.hint(format!(
        "or give it anew: `{install} --config FILE{force}`; secrets, keys and networks are kept"
    ))
}
