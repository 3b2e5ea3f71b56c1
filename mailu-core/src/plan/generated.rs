//! Generated files, and what people made of them.

use std::collections::{BTreeMap, BTreeSet};

use super::deploy::Planner;
use super::merge::{Verdict, decide};
use super::resolve::{invalid_input, resolve, secret_of};
use super::{Action, FileConflict, FileOverride, TEMPORARY_SUFFIX};
use crate::config::edit::Document;
use crate::dns;
use crate::env::{self, Base, EnvFile, Variables, together};
use crate::error::{Error, ErrorKind};
use crate::finding::{Finding, has_errors, without_userinfo};
use crate::hash::sha256;
use crate::mta_sts;
use crate::render::{self, Rendered};

impl Planner<'_> {
    pub(super) fn env_file(&mut self, relative: &str, wanted: &Variables) -> Result<(), Error> {
        self.next.env.insert(relative.to_owned(), Base::of(wanted));
        let mode = if relative == "mailu.env" {
            0o600
        } else {
            0o644
        };
        let Some(entry) = self.entry(relative) else {
            let text = render::env_file(relative, wanted, render::env_head(relative))?;
            if relative == "mailu.env" {
                self.mailu_env = wanted
                    .iter()
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .collect();
            }
            self.write(relative, mode, text.into_bytes()).detail =
                vec![format!("{} variables", wanted.names().len())];
            return Ok(());
        };
        let entry = entry.clone();
        let unreadable = |line: usize, rule: String| {
            Error::new(
                ErrorKind::InvalidInput,
                "env.unreadable",
                format!("read {}: {rule}", self.layout.file(relative).display()),
            )
            .hint(if line > 0 {
                format!("correct line {line}; Compose would stop there too")
            } else {
                "correct the file".to_owned()
            })
        };
        let text = entry
            .text()
            .ok_or_else(|| unreadable(0, "it is not text".to_owned()))?;
        let current = EnvFile::parse(text).map_err(|e| unreadable(e.line(), e.to_string()))?;
        let bases: Vec<&Base> = self
            .bases
            .records()
            .filter_map(|record| record.env.get(relative))
            .collect();
        let mut reset: BTreeSet<String> = if self.request.force {
            wanted.names().into_iter().map(str::to_owned).collect()
        } else {
            self.request
                .reset
                .union(&self.request.adopt)
                .cloned()
                .collect()
        };
        let merge = |reset: &BTreeSet<String>| {
            env::merge(&bases, &current, wanted, reset).map_err(|error| {
                Error::new(
                    ErrorKind::InvalidInput,
                    "env.unwritable",
                    format!("write {relative}"),
                )
                .source(error)
                .hint("remove unusual characters from the value in mailu.toml")
            })
        };
        let mut merged = merge(&reset)?;
        if self.request.force && !merged.conflicts.is_empty() {
            // Also what is not wanted at all.
            reset.extend(merged.conflicts.iter().map(|c| c.name.clone()));
            merged = merge(&reset)?;
        }

        // What people wrote is held to the same rules as what we write. Of a conflict, and of what Compose computes, our side counts.
        let judged: Vec<(&str, &str)> = merged
            .file
            .variables()
            .into_iter()
            .filter(|(name, value)| {
                !value.interpolates && wanted.get(name) != Some(value.text.as_str())
            })
            .filter(|(name, _)| !merged.conflicts.iter().any(|c| c.name == *name))
            .map(|(name, value)| (name, value.text.as_str()))
            .collect();
        let value = |name: &str| match merged.file.get(name) {
            _ if merged.conflicts.iter().any(|c| c.name == name) => wanted.get(name),
            Some(value) if value.interpolates => wanted.get(name),
            there => there.map(|value| value.text.as_str()),
        };
        if relative == "mailu.env" {
            self.findings
                .extend(env::judge(judged, self.config.version, |name| {
                    format!("mailu.env: {name}")
                }));
            self.findings
                .extend(together::mailu(self.config, wanted, &value));
            let there = merged.file.variables();
            self.mailu_env = there
                .iter()
                .filter_map(|(name, _)| Some(((*name).to_owned(), value(name)?.to_owned())))
                .collect();
        } else {
            let mailu = |name: &str| self.mailu_env.get(name).map(String::as_str);
            self.findings
                .extend(together::compose(wanted, &value, &mailu));
        }
        if has_errors(&self.findings) {
            return Err(invalid_input(std::mem::take(&mut self.findings)));
        }

        for variable in merged.overrides {
            self.overrides.push(FileOverride {
                file: relative.to_owned(),
                variable: Some(variable),
            });
        }
        for variable in merged.conflicts {
            let name = &variable.name;
            let mut hints = vec![format!("`--reset {name}` takes the configured value")];
            if self.adoptable(name) {
                hints.push(match &variable.key {
                    Some(key) => {
                        format!(
                            "`--adopt {name}` keeps yours and writes it into mailu.toml as `{key}`"
                        )
                    }
                    None if secret_of(name).is_some() => {
                        format!("`--adopt {name}` keeps yours and stores it among the secrets")
                    }
                    None => format!("`--adopt {name}` keeps yours and writes it into mailu.toml"),
                });
            }
            self.conflicts.push(FileConflict {
                file: relative.to_owned(),
                variable: Some(variable),
                hints,
            });
        }
        let new = merged.file.to_string();
        if new != text {
            // What was adopted is kept in mailu.toml, perhaps spelled in our way.
            if merged
                .replaced
                .iter()
                .any(|name| !self.request.adopt.contains(name))
            {
                self.keep_copy(relative);
            }
            self.write(relative, mode, new.into_bytes()).detail = merged.changes;
        } else if mode == 0o600 && entry.mode & 0o077 != 0 {
            let step = self.step(Action::SetMode, relative);
            step.mode = Some(mode);
            step.detail = vec![format!("was {:04o}; it holds secrets", entry.mode & 0o7777)];
        }
        Ok(())
    }

    /// Whether `--adopt` would take what somebody wrote for `name`: tried out, because what it says is checked in many places.
    pub(super) fn adoptable(&self, name: &str) -> bool {
        let mut request = self.request.clone();
        request.adopt.insert(name.to_owned());
        let judged = |secret: &str| {
            self.adopted(&request, secret).is_some_and(|value| {
                let found =
                    env::judge([(name, value.expose())], self.config.version, str::to_owned);
                !has_errors(&found) && self.check_given(secret, &value, false).is_ok()
            })
        };
        resolve(self.layout, &request, self.observed).is_ok() && secret_of(name).is_none_or(judged)
    }

    pub(super) fn whole_file(&mut self, relative: &str, wanted: &[u8]) {
        self.next.files.insert(relative.to_owned(), sha256(wanted));
        let current = self.entry(relative).and_then(|e| e.content.clone());
        let bases: Vec<&String> = self
            .bases
            .records()
            .filter_map(|r| r.files.get(relative))
            .collect();
        let overwrite = self.request.force || self.request.reset.contains(relative);
        let verdict = decide(current.as_deref(), wanted, &bases, overwrite);
        match verdict {
            Verdict::Same => {}
            Verdict::Edited => self.overrides.push(FileOverride {
                file: relative.to_owned(),
                variable: None,
            }),
            Verdict::Conflict => self.conflicts.push(FileConflict {
                file: relative.to_owned(),
                variable: None,
                hints: vec![
                    format!("`--reset {relative}` writes ours and keeps a copy of yours in .mailu/replaced/"),
                    if relative == "docker-compose.yml" {
                        "put lasting changes into docker-compose.override.yml".to_owned()
                    } else {
                        "move your copy to another name".to_owned()
                    },
                ],
            }),
            Verdict::Write | Verdict::Replace => {
                if verdict == Verdict::Replace {
                    self.keep_copy(relative);
                }
                let edited = verdict == Verdict::Replace;
                let detail = current
                    .as_deref()
                    .map(|old| line_changes(old, wanted, edited))
                    .unwrap_or_default();
                self.write(relative, 0o644, wanted.to_vec()).detail = detail;
            }
        }
    }

    pub(super) fn dns(&mut self, rendered: &Rendered) -> Result<(), Error> {
        let serials: BTreeMap<String, u32> = self
            .observed
            .entries
            .iter()
            .filter(|(path, _)| path.starts_with("dns/"))
            .filter_map(|(path, entry)| Some((path.clone(), dns::serial_of(entry.text()?)?)))
            .collect();
        let serial = |path: &str| serials.get(path).copied();
        let same = rendered.dns_files(self.config, |path| serial(path).unwrap_or(1))?;
        let next = rendered.dns_files(self.config, |path| {
            serial(path).map_or(1, |n| n.wrapping_add(1))
        })?;
        for (same, next) in same.into_iter().zip(next) {
            let there = self.entry(&same.path).and_then(|e| e.content.as_deref());
            let unchanged = there == Some(same.text.as_bytes())
                || there.is_some_and(|text| {
                    self.bases.records().any(|r| {
                        // An edited zone keeps its serial as long as we want nothing new in it.
                        r.files.get(&same.path) == Some(&sha256(same.text.as_bytes()))
                            && text != same.text.as_bytes()
                    })
                });
            let chosen = if unchanged { same } else { next };
            self.whole_file(&chosen.path, chosen.text.as_bytes());
        }
        Ok(())
    }
}

impl Planner<'_> {
    /// The policy that front serves, and what somebody made by hand for the same address.
    pub(super) fn mta_sts(&mut self) {
        let Some(snippet) = mta_sts::snippet(self.config) else {
            return;
        };
        self.whole_file(mta_sts::FILE, snippet.as_bytes());
        let others: Vec<&String> = self
            .observed
            .entries
            .iter()
            .filter(|(path, entry)| {
                path.starts_with("overrides/nginx/")
                    && !path.ends_with(TEMPORARY_SUFFIX)
                    && *path != mta_sts::FILE
                    && entry.text().is_some_and(|text| text.contains("mta-sts"))
            })
            .map(|(path, _)| path)
            .collect();
        for path in others {
            self.findings.push(
                Finding::warning(
                    "mta_sts.by_hand",
                    path,
                    "speaks of MTA-STS too: nginx may answer with the policy in it, which other servers then go by, and not with that of mailu.toml",
                )
                .hint("remove it, or set `mta_sts.mode = \"off\"` and keep the records of your own policy"),
            );
        }
    }
}

/// Keys of `mailu.toml` that differ, with both values.
pub(super) fn changed_keys(old: &str, new: &str) -> Vec<String> {
    let (Ok(old), Ok(new)) = (Document::parse(old), Document::parse(new)) else {
        return Vec::new();
    };
    let (old, new) = (old.leaves(), new.leaves());
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    keys.into_iter()
        .filter(|key| old.get(*key) != new.get(*key))
        .map(|key| {
            let show = |value: Option<&String>| match value {
                None => "(default)".to_owned(),
                Some(_) if is_hidden(key) => "***".to_owned(),
                Some(value) => without_userinfo(key, value),
            };
            format!("{key}: {} -> {}", show(old.get(key)), show(new.get(key)))
        })
        .collect()
}

/// Whether the value of a key of `mailu.toml` must not be shown. No valid one is, but what is replaced need not be valid.
pub(super) fn is_hidden(key: &str) -> bool {
    key.strip_prefix("env.")
        .map_or_else(|| crate::config::sounds_secret(key), env::is_secret)
}

/// Lines that go and lines that come, as far as they fit. Those that go from an edited file are only counted: what people wrote
/// there may be a secret, and only hashes tell what we wrote.
fn line_changes(old: &[u8], new: &[u8], edited: bool) -> Vec<String> {
    const LIMIT: usize = 40;
    let (old, new) = (String::from_utf8_lossy(old), String::from_utf8_lossy(new));
    let count = |text: &str| {
        let mut lines: BTreeMap<String, i32> = BTreeMap::new();
        for line in text.lines() {
            *lines.entry(line.to_owned()).or_default() += 1;
        }
        lines
    };
    let (before, after) = (count(&old), count(&new));
    let mut gone: Vec<String> = old
        .lines()
        .filter(|line| {
            after.get(*line).copied().unwrap_or(0) < before.get(*line).copied().unwrap_or(0)
        })
        .map(|line| format!("- {}", line.trim_start()))
        .collect();
    if edited && !gone.is_empty() {
        gone = vec![match gone.len() {
            1 => "- 1 line of the edited file (not shown)".to_owned(),
            number => format!("- {number} lines of the edited file (not shown)"),
        }];
    }
    let mut changes: Vec<String> = gone
        .into_iter()
        .chain(
            new.lines()
                .filter(|line| {
                    before.get(*line).copied().unwrap_or(0) < after.get(*line).copied().unwrap_or(0)
                })
                .map(|line| format!("+ {}", line.trim_start())),
        )
        .collect();
    if changes.len() > LIMIT {
        let rest = changes.len() - LIMIT;
        changes.truncate(LIMIT);
        changes.push(format!("… and {rest} more lines"));
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_of_mailu_toml_hide_secrets_and_nothing_else() {
        let old = "[env]\nDB_PW = \"hunter2\"\nDB_HOST = \"a\"\n[relay]\npassword = \"hunter2\"\n";
        assert_eq!(
            changed_keys(old, "[env]\nDB_HOST = \"b\"\n"),
            [
                "env.DB_HOST: \"a\" -> \"b\"",
                "env.DB_PW: *** -> (default)",
                "relay.password: *** -> (default)"
            ]
        );
        for key in crate::config::known_keys() {
            assert!(!is_hidden(&key.path), "{}", key.path);
        }
    }
}
