//! Email domains and the first administrator: what Mailu has, and what it still needs.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::config::Config;
use crate::secret::Secret;

/// What Mailu has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Accounts {
    /// Its email domains.
    pub domains: BTreeSet<String>,
    /// Its users.
    pub users: BTreeSet<String>,
    /// Those of its users who may do anything.
    pub administrators: BTreeSet<String>,
}

/// Reads what `flask mailu config-export -j domain user` printed; nothing if it is something else.
pub fn accounts(exported: &str) -> Option<Accounts> {
    // Warnings may stand before it.
    let start = exported.find('{')?;
    let value: Value = serde_json::from_str(exported.get(start..)?).ok()?;
    let all = |kind: &str, key: &str| -> Vec<(String, bool)> {
        let items = value.get(kind).and_then(Value::as_array);
        items
            .into_iter()
            .flatten()
            .filter_map(|item| {
                let name = item.get(key)?.as_str()?.to_ascii_lowercase();
                let all = item.get("global_admin").and_then(Value::as_bool);
                Some((name, all.unwrap_or_default()))
            })
            .collect()
    };
    let users = all("user", "email");
    Some(Accounts {
        domains: all("domain", "name").into_iter().map(|(n, _)| n).collect(),
        administrators: users
            .iter()
            .filter(|(_, all)| *all)
            .map(|(name, _)| name.clone())
            .collect(),
        users: users.into_iter().map(|(name, _)| name).collect(),
    })
}

/// What `flask mailu config-import -u` has to read so that `config`'s domains and administrator exist, with their names;
/// nothing if they do. What exists is not in it: Mailu would set an existing administrator's password again.
///
/// Mailu reads JSON, as YAML (`core/admin/mailu/schemas.py`), and hashes the password itself.
pub fn missing(
    config: &Config,
    password: &Secret,
    there: &Accounts,
) -> Option<(Secret, Vec<String>)> {
    let mut names = Vec::new();
    let mut document = serde_json::Map::new();
    let domains: Vec<Value> = config
        .domains()
        .filter(|domain| !there.domains.contains(domain.as_str()))
        .map(|domain| {
            names.push(domain.to_string());
            json!({ "name": domain.as_str() })
        })
        .collect();
    let address = config.admin_email.to_string();
    // Every domain takes mail for its postmaster (RFC 5321 §4.5.1). Only together with the domain: whoever removes it later has a reason.
    let postmasters: Vec<Value> = config
        .domains()
        .filter(|domain| !there.domains.contains(domain.as_str()))
        .map(|domain| format!("postmaster@{domain}"))
        .filter(|alias| !alias.eq_ignore_ascii_case(&address) && !there.users.contains(alias))
        .map(|alias| json!({ "email": alias, "destination": [address] }))
        .collect();
    if !domains.is_empty() {
        document.insert("domain".to_owned(), domains.into());
    }
    if !postmasters.is_empty() {
        document.insert("alias".to_owned(), postmasters.into());
    }
    if !there.users.contains(&address.to_ascii_lowercase()) {
        document.insert(
            "user".to_owned(),
            json!([{
                "email": address,
                "password": password.expose(),
                "hash_password": true,
                "global_admin": true,
            }]),
        );
        names.push(address);
    }
    if document.is_empty() {
        return None;
    }
    Some((Secret::new(Value::Object(document).to_string()), names))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        Config::from_toml(
            "mail_host = \"mail.example.com\"\nemail_domain = \"example.com\"\nemail_domains = [\"example.org\"]\nadmin_email = \"admin@example.com\"\n",
        )
        .expect("a valid configuration")
        .config
    }

    #[test]
    fn only_what_is_missing_is_imported() {
        let password = Secret::new("geheim");
        let there = accounts("{}").expect("an export");
        let (all, names) = missing(&config(), &password, &there).expect("work");
        assert_eq!(names, ["example.com", "example.org", "admin@example.com"]);
        assert!(all.expose().contains("geheim") && all.expose().contains("hash_password"));
        for address in ["postmaster@example.com", "postmaster@example.org"] {
            assert!(all.expose().contains(address), "{address}");
        }

        let some = "LegacyAPIWarning: x\n{\"domain\": [{\"name\": \"example.com\"}], \"user\": [{\"email\": \"Admin@example.com\", \"password\": \"$bcrypt\", \"global_admin\": true}]}\n";
        let there = accounts(some).expect("an export");
        assert_eq!(there.administrators.len(), 1);
        let (rest, names) = missing(&config(), &password, &there).expect("work");
        assert_eq!(names, ["example.org"]);
        assert!(!rest.expose().contains("user"));
        assert!(!rest.expose().contains("postmaster@example.com"));

        let full = "{\"domain\": [{\"name\": \"example.com\"}, {\"name\": \"example.org\"}], \"user\": [{\"email\": \"admin@example.com\"}]}";
        let there = accounts(full).expect("an export");
        assert!(there.administrators.is_empty());
        assert_eq!(missing(&config(), &password, &there), None);
        assert_eq!(accounts("Error: no"), None);
    }
}
