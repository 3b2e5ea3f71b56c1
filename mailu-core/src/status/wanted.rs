//! What should run, by the files.

use std::collections::BTreeMap;

use crate::compose;
use crate::config::Config;
use crate::env::EnvFile;

/// A service as its container should be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Wanted {
    /// Its name.
    pub service: String,
    /// Its container's name.
    pub container: String,
    /// Its image, with registry and version.
    pub image: String,
    /// The variables that its container should have, as far as they are known without Compose. They hold secrets.
    pub environment: BTreeMap<String, String>,
}

/// The services of `config`, with what people wrote into `.env` and `mailu.env`.
pub fn wanted(config: &Config, dot_env: &EnvFile, mailu_env: &EnvFile) -> Vec<Wanted> {
    let set = |name: &str| {
        let value = dot_env.get(name)?;
        (!value.interpolates && !value.text.is_empty()).then(|| value.text.clone())
    };
    compose::build(config)
        .services
        .into_iter()
        .map(|service| {
            let mut environment = BTreeMap::new();
            if service.env_file {
                for (name, value) in mailu_env.variables() {
                    if value.interpolates {
                        environment.remove(name);
                    } else {
                        environment.insert(name.to_owned(), value.text.clone());
                    }
                }
            }
            environment.extend(service.environment.iter().cloned());
            Wanted {
                image: filled(&service.image, &set),
                service: service.name,
                container: service.container_name,
                environment,
            }
        })
        .collect()
}

/// `${NAME:-default}` as Compose fills it in.
fn filled(image: &str, set: &impl Fn(&str) -> Option<String>) -> String {
    let mut parts = image.split("${");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (inside, rest) = part.split_once('}').unwrap_or((part, ""));
        let (name, default) = inside.split_once(":-").unwrap_or((inside, ""));
        out.push_str(&set(name).unwrap_or_else(|| default.to_owned()));
        out.push_str(rest);
    }
    out
}
