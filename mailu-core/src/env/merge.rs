//! Three-way merge: what we wrote last, what stands there now, what we want now.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::table::{self, is_secret};
use super::{EnvError, EnvFile, Variables};
use crate::finding::without_userinfo;
use crate::hash::sha256;

/// The values that we wrote last. Secrets only as SHA-256.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Base(BTreeMap<String, String>);

fn fingerprint(name: &str, value: &str) -> String {
    if is_secret(name) {
        format!("sha256:{}", sha256(value.as_bytes()))
    } else {
        value.to_owned()
    }
}

/// A value as it may be shown.
fn shown(name: &str, value: &str) -> String {
    if is_secret(name) {
        "***".to_owned()
    } else {
        without_userinfo(name, value)
    }
}

impl Base {
    /// What `variables` will be once they are written.
    pub fn of(variables: &Variables) -> Self {
        Self(
            variables
                .iter()
                .map(|(name, value)| (name.to_owned(), fingerprint(name, value)))
                .collect(),
        )
    }

    /// Whether nothing was ever written.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `name` was written.
    pub fn contains(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The names that were written.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Whether `value` is what was written for `name`; nothing stands for a variable that was not.
    pub(crate) fn matches(&self, name: &str, value: Option<&str>) -> bool {
        self.0.get(name) == value.map(|v| fingerprint(name, v)).as_ref()
    }

    fn shown(&self, name: &str) -> Option<String> {
        self.0.get(name).map(|value| shown(name, value))
    }
}

/// A variable that somebody changed by hand and that stays so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Override {
    /// The variable.
    pub name: String,
    /// What we would write; absent if we would not set it. Secrets as `***`.
    pub ours: Option<String>,
    /// What stands there; absent if it was removed. Secrets as `***`.
    pub theirs: Option<String>,
}

/// A variable about which we and somebody's edit disagree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Conflict {
    /// The variable.
    pub name: String,
    /// What we wrote last; absent if we never set it, or if that is not known. Secrets as `***`.
    pub base: Option<String>,
    /// What stands there. Secrets as `***`.
    pub theirs: Option<String>,
    /// What we want now. Secrets as `***`.
    pub ours: Option<String>,
    /// Why it cannot stay as it is.
    pub reason: String,
    /// The key of `mailu.toml` that sets the variable, if one does.
    pub key: Option<String>,
}

/// The outcome of a merge.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Merged {
    /// The file as it should be. If there are conflicts, it is not to be written.
    pub file: EnvFile,
    /// Changes that we make, as `NAME: old -> new`, secrets hidden.
    pub changes: Vec<String>,
    /// Variables whose edit is overwritten, because somebody asked for that.
    pub replaced: Vec<String>,
    /// Edits that stay.
    pub overrides: Vec<Override>,
    /// Disagreements that somebody must settle.
    pub conflicts: Vec<Conflict>,
}

/// Merges `wanted` into `current`.
///
/// `bases` are the values of the last finished run and, after an interrupted one, those that it was about to write.
/// A variable named in `reset` gets our value whatever stands there.
///
/// # Errors
///
/// If a value cannot be written in an environment file.
pub fn merge(
    bases: &[&Base],
    current: &EnvFile,
    wanted: &Variables,
    reset: &BTreeSet<String>,
) -> Result<Merged, EnvError> {
    let mut merged = Merged {
        file: current.clone(),
        changes: Vec::new(),
        replaced: Vec::new(),
        overrides: Vec::new(),
        conflicts: Vec::new(),
    };
    let hide = |name: &str, value: Option<&str>| value.map(|value| shown(name, value));
    let known = bases.iter().any(|base| !base.is_empty());
    let mut names: Vec<String> = wanted.names().into_iter().map(str::to_owned).collect();
    for base in bases {
        for name in base.0.keys() {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
    }
    for (name, _) in current.variables() {
        let structural = table::find(name).is_some_and(|variable| variable.structural);
        if structural && !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    let order = wanted.names();
    for name in &names {
        let name = name.as_str();
        let ours = wanted.get(name);
        let there = current.get(name);
        // A value that Compose computes can never be one that we wrote.
        let theirs = there.map(|value| value.text.as_str());
        let computed = there.is_some_and(|value| value.interpolates);
        if theirs == ours && !computed {
            continue;
        }
        // A secret that stands nowhere else is not ours to remove.
        let elsewhere = matches!(name, "SECRET_KEY" | "API_TOKEN" | "RELAYPASSWORD");
        if ours.is_none() && is_secret(name) && !elsewhere && !reset.contains(name) {
            continue;
        }
        let untouched = !computed && bases.iter().any(|base| base.matches(name, theirs));
        let ours_unchanged = bases.iter().any(|base| base.matches(name, ours));
        if untouched && known || reset.contains(name) {
            apply(&mut merged, name, ours, &order)?;
            if !untouched {
                merged.replaced.push(name.to_owned());
            }
            merged.changes.push(describe(name, theirs, ours));
            continue;
        }
        let structural = is_structural(name);
        let missing = there.is_none() && ours.is_some_and(|v| !v.is_empty()) && needed(name);
        if known && ours_unchanged && !structural && !missing {
            merged.overrides.push(Override {
                name: name.to_owned(),
                ours: hide(name, ours),
                theirs: hide(name, theirs),
            });
            continue;
        }
        let reason = if !known {
            "what was written last is not known, so an edit cannot be told from an old value"
        } else if missing {
            "it was removed, and Mailu does not start without it or takes a default that means something else"
        } else if structural && ours_unchanged {
            "docker-compose.yml follows from it too, so it cannot be changed in this file alone"
        } else {
            "it was edited here, and mailu.toml now wants another value"
        };
        merged.conflicts.push(Conflict {
            name: name.to_owned(),
            base: bases.iter().find_map(|base| base.shown(name)),
            theirs: hide(name, theirs),
            ours: hide(name, ours),
            reason: reason.to_owned(),
            key: key_of(name).map(str::to_owned),
        });
    }
    Ok(merged)
}

/// Whether leaving `name` out is no choice: a service crashes, or its own default is not what the deployment was made with.
pub(super) fn needed(name: &str) -> bool {
    // Of these, Mailu's default is another one than ours, or there is none; Compose's `.env` names the containers and images.
    const NEEDED: [&str; 21] = [
        "SECRET_KEY",
        "POSTMASTER",
        "ADMIN",
        "API",
        "API_TOKEN",
        "WEB_ADMIN",
        "WEB_WEBMAIL",
        "WEB_API",
        "MESSAGE_SIZE_LIMIT",
        "MESSAGE_RATELIMIT",
        "AUTH_RATELIMIT_IP",
        "AUTH_RATELIMIT_USER",
        "DISABLE_STATISTICS",
        "RECIPIENT_DELIMITER",
        "RELAYNETS",
        "RELAYHOST",
        "RELAYUSER",
        "RELAYPASSWORD",
        "MAILU_VERSION",
        "DOCKER_ORG",
        "DOCKER_PREFIX",
    ];
    NEEDED.contains(&name) || is_structural(name)
}

/// Whether docker-compose.yml follows from `name` too. Container names and labels carry the project's.
fn is_structural(name: &str) -> bool {
    name == "COMPOSE_PROJECT_NAME" || table::find(name).is_some_and(|variable| variable.structural)
}

/// The key of `mailu.toml` that sets `name`, in either file.
fn key_of(name: &str) -> Option<&'static str> {
    match name {
        "COMPOSE_PROJECT_NAME" => Some("project"),
        "MAILU_VERSION" => Some("version"),
        "DOCKER_ORG" => Some("images.registry"),
        "DOCKER_PREFIX" => Some("images.prefix"),
        _ => table::find(name)?.key,
    }
}

fn apply(
    merged: &mut Merged,
    name: &str,
    value: Option<&str>,
    order: &[&str],
) -> Result<(), EnvError> {
    if let Some(value) = value {
        let before = order.iter().position(|n| *n == name).unwrap_or(order.len());
        merged.file.set(name, value, &order[..before])
    } else {
        merged.file.remove(name);
        Ok(())
    }
}

fn describe(name: &str, from: Option<&str>, to: Option<&str>) -> String {
    if is_secret(name) {
        return format!("{name}: changed (not shown)");
    }
    let text = |value: Option<&str>| value.map(|value| shown(name, value));
    match (text(from), text(to)) {
        (None, Some(to)) => format!("{name}: set to `{to}`"),
        (Some(from), None) => format!("{name}: removed (was `{from}`)"),
        (Some(from), Some(to)) => format!("{name}: `{from}` -> `{to}`"),
        (None, None) => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_stands_nowhere_else_is_not_removed() {
        let current = EnvFile::parse("DB_PW=hunter2\nDB_HOST=db\n").expect("valid");
        let base = Base(
            [
                ("DB_PW".to_owned(), fingerprint("DB_PW", "hunter2")),
                ("DB_HOST".to_owned(), "db".to_owned()),
            ]
            .into(),
        );
        let merged = |reset: &[&str]| {
            let reset = reset.iter().map(|name| (*name).to_owned()).collect();
            merge(&[&base], &current, &Variables::default(), &reset).expect("writable")
        };
        assert_eq!(merged(&[]).file.to_string(), "DB_PW=hunter2\n");
        let merged = merged(&["DB_PW"]);
        assert_eq!(merged.file.to_string(), "");
        assert!(!format!("{:?}", merged.changes).contains("hunter2"));
    }
}
