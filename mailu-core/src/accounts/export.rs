//! What there is: Mailu's export.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use super::fields::{Kind, Settings, fields, normal};
use super::model::{
    Alias, AliasSettings, Domain, DomainSettings, Relay, RelaySettings, User, UserSettings,
};
use super::password::PasswordHash;

/// The accounts of a server.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Accounts {
    pub(super) all: BTreeMap<(Kind, String), Settings>,
    pub(super) passwords: BTreeMap<String, PasswordHash>,
    /// How many tokens each user has.
    pub(super) tokens: BTreeMap<String, usize>,
    /// Names that are none by our rules. They are left alone.
    foreign: Vec<String>,
}

/// Without the passwords' hashes.
impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accounts")
            .field("all", &self.all)
            .finish_non_exhaustive()
    }
}

/// The JSON in what a command of Mailu's has printed; warnings may stand before it.
pub fn json_in(printed: &str) -> Option<Value> {
    let start = printed.find('{')?;
    serde_json::from_str(printed.get(start..)?).ok()
}

impl Accounts {
    /// Reads what `flask mailu config-export -f -j` has printed; nothing if it is something else.
    pub fn from_export(printed: &str) -> Option<Self> {
        let value = json_in(printed)?;
        let mut out = Self::default();
        let mut managers: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for kind in Kind::ALL {
            let items = value.get(kind.as_str()).and_then(Value::as_array);
            for item in items.into_iter().flatten() {
                let written = item.get(kind.key())?.as_str()?;
                let Ok(name) = kind.name(written) else {
                    out.foreign.push(format!("{kind} {written}"));
                    continue;
                };
                let mut settings = Settings::new();
                for field in fields(kind) {
                    if let Some(value) = item.get(field.name) {
                        settings.insert(field.name.to_owned(), normal(field, value));
                    }
                }
                if kind == Kind::User {
                    let hash = item.get("password").and_then(Value::as_str);
                    if let Some(hash) = hash.and_then(|text| PasswordHash::parse(text).ok()) {
                        out.passwords.insert(name.clone(), hash);
                    }
                    let tokens = item.get("tokens").and_then(Value::as_array);
                    out.tokens.insert(name.clone(), tokens.map_or(0, Vec::len));
                    for domain in item
                        .get("manager_of")
                        .and_then(Value::as_array)
                        .into_iter()
                        .flatten()
                    {
                        let domain = domain
                            .as_str()
                            .and_then(|text| Kind::Domain.name(text).ok());
                        if let Some(domain) = domain {
                            managers
                                .entry(domain)
                                .or_default()
                                .push(Value::from(name.as_str()));
                        }
                    }
                }
                out.all.insert((kind, name), settings);
            }
        }
        for ((kind, name), settings) in &mut out.all {
            if *kind == Kind::Domain {
                let mut all = managers.remove(name).unwrap_or_default();
                all.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
                settings.insert("managers".to_owned(), all.into());
            }
        }
        Some(out)
    }

    /// Whether there is an account of this name.
    pub fn has(&self, kind: Kind, name: &str) -> bool {
        self.all.contains_key(&(kind, name.to_owned()))
    }

    /// What is said of an account.
    pub fn get(&self, kind: Kind, name: &str) -> Option<&Settings> {
        self.all.get(&(kind, name.to_owned()))
    }

    pub(super) fn of(&self, kind: Kind) -> impl Iterator<Item = (&str, &Settings)> {
        self.all
            .iter()
            .filter(move |((of, _), _)| *of == kind)
            .map(|((_, name), settings)| (name.as_str(), settings))
    }

    /// Its email domains.
    pub fn domains(&self) -> Vec<Domain> {
        self.of(Kind::Domain)
            .filter_map(|(name, map)| {
                Some(Domain {
                    name: name.parse().ok()?,
                    settings: DomainSettings::from_map(map),
                })
            })
            .collect()
    }

    /// Its users.
    pub fn users(&self) -> Vec<User> {
        self.of(Kind::User)
            .filter_map(|(name, map)| {
                Some(User {
                    email: name.parse().ok()?,
                    settings: UserSettings::from_map(map),
                    quota_bytes_used: None,
                })
            })
            .collect()
    }

    /// Its aliases.
    pub fn aliases(&self) -> Vec<Alias> {
        self.of(Kind::Alias)
            .filter_map(|(name, map)| {
                Some(Alias {
                    email: name.parse().ok()?,
                    settings: AliasSettings::from_map(map),
                })
            })
            .collect()
    }

    /// Its relayed domains.
    pub fn relays(&self) -> Vec<Relay> {
        self.of(Kind::Relay)
            .filter_map(|(name, map)| {
                Some(Relay {
                    name: name.parse().ok()?,
                    settings: RelaySettings::from_map(map),
                })
            })
            .collect()
    }

    /// The hash of a user's password, where it is of a form that is known.
    pub fn password(&self, user: &str) -> Option<&PasswordHash> {
        self.passwords.get(user)
    }

    /// Accounts whose names are none by the rules for new ones. They are left as they are.
    pub fn foreign(&self) -> &[String] {
        &self.foreign
    }
}
