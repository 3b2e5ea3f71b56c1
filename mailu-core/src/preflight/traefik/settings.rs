//! Traefik's static configuration: from its arguments, its environment, or a file, as one list of keys.

use std::collections::BTreeMap;
use std::fmt;

use saphyr::{LoadableYamlNode as _, Scalar, Yaml};

use crate::engine::Container;

/// Where Traefik takes its static configuration from. It reads one of them and leaves the others alone.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// Its arguments.
    Arguments,
    /// Its environment.
    Environment,
    /// A file, by its path in the container.
    File(String),
}

/// Traefik's static configuration.
#[derive(Clone, PartialEq, Eq)]
pub struct Settings {
    source: Source,
    /// Keys in lower case: Traefik does not look at case.
    values: BTreeMap<String, String>,
}

/// Of the values, only the keys: passwords of providers and tokens may be among them.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("source", &self.source)
            .field("values", &self.values.keys())
            .finish()
    }
}

/// Where Traefik looks for a file unless it is told, in this order.
const PLACES: [&str; 6] = [
    "/etc/traefik/traefik.toml",
    "/etc/traefik/traefik.yaml",
    "/etc/traefik/traefik.yml",
    "/traefik.toml",
    "/traefik.yaml",
    "/traefik.yml",
];

/// The words after the program; those of a shell's command line too.
fn words(container: &Container) -> Vec<String> {
    container
        .command
        .iter()
        .flat_map(|word| {
            if word.starts_with('-') || !word.contains(" -") {
                vec![word.clone()]
            } else {
                word.split_whitespace()
                    .map(|part| part.trim_matches(['"', '\'']).to_owned())
                    .collect()
            }
        })
        .collect()
}

fn arguments(container: &Container) -> BTreeMap<String, String> {
    let words = words(container);
    let mut values = BTreeMap::new();
    let mut words = words.iter().peekable();
    while let Some(word) = words.next() {
        let Some(flag) = word.strip_prefix("--").or_else(|| word.strip_prefix('-')) else {
            continue;
        };
        let (key, value) = if let Some((key, value)) = flag.split_once('=') {
            (key, value.trim_matches(['"', '\'']).to_owned())
        } else {
            let next = words.next_if(|next| !next.starts_with('-'));
            (flag, next.map_or_else(|| "true".to_owned(), Clone::clone))
        };
        if key.contains('.') || key.eq_ignore_ascii_case("configfile") {
            values.insert(key.to_ascii_lowercase(), value);
        }
    }
    values
}

/// The file that Traefik was told to read, by its path in the container.
pub fn named_file(container: &Container) -> Option<String> {
    arguments(container).remove("configfile")
}

/// The files in which the static configuration may be, by their paths in the container, in the order in which Traefik looks.
pub fn files(container: &Container) -> Vec<String> {
    if let Some(named) = named_file(container) {
        return vec![named];
    }
    PLACES.iter().map(|&place| place.to_owned()).collect()
}

/// The path on the host of what a container sees as `inside`.
pub fn on_host(container: &Container, inside: &str) -> Option<String> {
    let inside = if inside.starts_with('/') {
        inside.to_owned()
    } else {
        // Traefik's image has no working directory of its own.
        format!("/{}", inside.trim_start_matches("./"))
    };
    container
        .mounts
        .iter()
        .filter_map(|(source, target)| {
            let rest = inside.strip_prefix(target.trim_end_matches('/'))?;
            (rest.is_empty() || rest.starts_with('/'))
                .then(|| (target.len(), format!("{source}{rest}")))
        })
        .max_by_key(|(length, _)| *length)
        .map(|(_, path)| path)
}

impl Settings {
    /// What the container's arguments, else its environment, say.
    pub fn of_container(container: &Container) -> Self {
        let values = arguments(container);
        if !values.is_empty() {
            return Self {
                source: Source::Arguments,
                values,
            };
        }
        let values = container
            .environment
            .iter()
            .filter_map(|(name, value)| {
                let key = name.strip_prefix("TRAEFIK_")?;
                Some((key.to_ascii_lowercase().replace('_', "."), value.clone()))
            })
            .collect();
        Self {
            source: Source::Environment,
            values,
        }
    }

    /// What a file says.
    ///
    /// # Errors
    ///
    /// Why it cannot be understood.
    pub fn of_file(path: &str, text: &str) -> Result<Self, String> {
        let mut values = BTreeMap::new();
        if std::path::Path::new(path)
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("toml"))
        {
            let table: toml::Table = text
                .parse()
                .map_err(|error: toml::de::Error| error.message().to_owned())?;
            flatten_toml("", &toml::Value::Table(table), &mut values);
        } else {
            let documents = Yaml::load_from_str(text).map_err(|error| error.to_string())?;
            if let Some(document) = documents.first() {
                flatten_yaml("", document, &mut values, 0);
            }
        }
        Ok(Self {
            source: Source::File(path.to_owned()),
            values,
        })
    }

    /// Where it is from.
    pub fn source(&self) -> &Source {
        &self.source
    }

    fn key(&self, key: &str) -> String {
        let key = key.to_ascii_lowercase();
        match self.source {
            // A `_` in a name cannot be told from the one between names.
            Source::Environment => key.replace(['_', '-'], "."),
            _ => key,
        }
    }

    /// The value of `key`.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.values.get(&self.key(key)).map(String::as_str)
    }

    /// Whether there is `key`, or something below it.
    pub fn has(&self, key: &str) -> bool {
        let key = self.key(key);
        self.values.iter().any(|(there, value)| {
            (*there == key && !value.eq_ignore_ascii_case("false"))
                || there
                    .strip_prefix(&key)
                    .is_some_and(|rest| rest.starts_with(['.', '[']))
        })
    }

    /// Whether `key` is true.
    pub fn is_on(&self, key: &str) -> bool {
        self.get(key).is_some_and(|value| {
            matches!(value.to_ascii_lowercase().as_str(), "true" | "1" | "yes")
        })
    }

    /// The names directly below `key`.
    pub fn below(&self, key: &str) -> Vec<String> {
        let start = format!("{}.", self.key(key));
        let mut names: Vec<String> = self
            .values
            .keys()
            .filter_map(|there| {
                let rest = there.strip_prefix(&start)?;
                Some(rest.split(['.', '[']).next().unwrap_or(rest).to_owned())
            })
            .collect();
        names.dedup();
        names
    }

    /// What to add to have `key` at `value`, the way this Traefik is configured.
    pub fn addition(&self, key: &str, value: &str) -> String {
        match &self.source {
            Source::Arguments => format!("--{key}={value}"),
            Source::Environment => format!(
                "TRAEFIK_{}={value}",
                key.to_ascii_uppercase().replace(['.', '-'], "_")
            ),
            Source::File(path) => {
                let plain = value.parse::<i64>().is_ok() || matches!(value, "true" | "false");
                let value = if plain {
                    value.to_owned()
                } else {
                    format!("\"{value}\"")
                };
                let toml = path.to_ascii_lowercase().ends_with(".toml");
                match key.rsplit_once('.') {
                    Some((table, last)) if toml => format!("[{table}] {last} = {value}"),
                    _ if toml => format!("{key} = {value}"),
                    _ => {
                        let mut parts = key.split('.');
                        let first = parts.next().unwrap_or(key);
                        let rest: Vec<&str> = parts.collect();
                        let inner = rest
                            .iter()
                            .rev()
                            .fold(value, |inner, part| format!("{{{part}: {inner}}}"));
                        format!("{first}: {inner}")
                    }
                }
            }
        }
    }

    /// Where additions go, in words.
    pub fn place(&self) -> String {
        match &self.source {
            Source::Arguments => "Traefik's arguments".to_owned(),
            Source::Environment => "Traefik's environment".to_owned(),
            Source::File(path) => format!("Traefik's file {path}"),
        }
    }
}

fn flatten_toml(at: &str, value: &toml::Value, out: &mut BTreeMap<String, String>) {
    match value {
        toml::Value::Table(table) => {
            if table.is_empty() && !at.is_empty() {
                out.insert(at.to_owned(), "true".to_owned());
            }
            for (key, value) in table {
                flatten_toml(&below(at, key), value, out);
            }
        }
        toml::Value::Array(list) => {
            for (index, value) in list.iter().enumerate() {
                flatten_toml(&format!("{at}[{index}]"), value, out);
            }
        }
        toml::Value::String(text) => {
            out.insert(at.to_owned(), text.clone());
        }
        other => {
            out.insert(at.to_owned(), other.to_string());
        }
    }
}

/// Deeper than any configuration: a file of somebody else's must not exhaust the stack.
const DEEPEST: usize = 32;

fn flatten_yaml(at: &str, value: &Yaml<'_>, out: &mut BTreeMap<String, String>, depth: usize) {
    if depth > DEEPEST {
        return;
    }
    match value {
        Yaml::Mapping(map) => {
            if map.is_empty() && !at.is_empty() {
                out.insert(at.to_owned(), "true".to_owned());
            }
            for (key, value) in map {
                if let Some(key) = scalar(key) {
                    flatten_yaml(&below(at, &key), value, out, depth + 1);
                }
            }
        }
        Yaml::Sequence(list) => {
            for (index, value) in list.iter().enumerate() {
                flatten_yaml(&format!("{at}[{index}]"), value, out, depth + 1);
            }
        }
        other => {
            if let Some(text) = scalar(other).filter(|_| !at.is_empty()) {
                out.insert(at.to_owned(), text);
            }
        }
    }
}

fn scalar(value: &Yaml<'_>) -> Option<String> {
    Some(match value {
        Yaml::Value(Scalar::Integer(number)) => number.to_string(),
        Yaml::Value(Scalar::Boolean(on)) => on.to_string(),
        Yaml::Value(Scalar::FloatingPoint(number)) => number.to_string(),
        // `docker:` without anything below it is there all the same.
        Yaml::Value(Scalar::Null) => "true".to_owned(),
        Yaml::Value(Scalar::String(text)) | Yaml::Representation(text, ..) => text.to_string(),
        _ => return None,
    })
}

fn below(at: &str, key: &str) -> String {
    let key = key.to_ascii_lowercase();
    if at.is_empty() {
        key
    } else {
        format!("{at}.{key}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traefik(command: &[&str]) -> Container {
        let mut container = Container::new("traefik", "traefik:v3.6.2");
        container.command = command.iter().map(|&word| word.to_owned()).collect();
        container
    }

    #[test]
    fn arguments_are_read_as_traefik_reads_them() {
        let settings = Settings::of_container(&traefik(&[
            "/entrypoint.sh",
            "traefik",
            "--providers.docker",
            "--entryPoints.smtp.Address=:25",
            "--certificatesresolvers.le.acme.storage",
            "/acme/acme.json",
            "-entrypoints.web.address=:80",
        ]));
        assert_eq!(*settings.source(), Source::Arguments);
        assert!(settings.has("providers.docker"));
        assert_eq!(settings.get("entrypoints.smtp.address"), Some(":25"));
        assert_eq!(settings.get("entryPoints.web.address"), Some(":80"));
        assert_eq!(
            settings.get("certificatesResolvers.le.acme.storage"),
            Some("/acme/acme.json")
        );
        assert_eq!(settings.below("entrypoints"), ["smtp", "web"]);
        let shell = Settings::of_container(&traefik(&[
            "sh",
            "-c",
            "exec traefik --providers.docker=true --entrypoints.web.address=:80",
        ]));
        assert!(shell.is_on("providers.docker"));
        assert_eq!(shell.get("entrypoints.web.address"), Some(":80"));
    }

    #[test]
    fn environment_and_files_say_the_same() {
        let mut container = traefik(&["traefik"]);
        for (name, value) in [
            ("TRAEFIK_ENTRYPOINTS_SMTP_ADDRESS", ":25"),
            ("TRAEFIK_PROVIDERS_DOCKER", "true"),
            ("PATH", "/bin"),
        ] {
            container
                .environment
                .insert(name.to_owned(), value.to_owned());
        }
        let yaml = "entryPoints:\n  smtp:\n    address: \":25\"\nproviders:\n  docker: {}\n";
        let bare = "entryPoints:\n  smtp: {address: :25}\nproviders:\n  docker:\n";
        let toml = "[entryPoints.smtp]\naddress = \":25\"\n[providers.docker]\n";
        for settings in [
            Settings::of_container(&container),
            Settings::of_file("/etc/traefik/traefik.yml", yaml).expect("valid"),
            Settings::of_file("/etc/traefik/traefik.yml", bare).expect("valid"),
            Settings::of_file("/etc/traefik/traefik.toml", toml).expect("valid"),
        ] {
            assert_eq!(settings.get("entrypoints.smtp.address"), Some(":25"));
            assert!(settings.has("providers.docker"), "{settings:?}");
            assert!(!settings.has("providers.file"));
        }
        assert!(Settings::of_file("a.toml", "= 1").is_err());
        assert!(Settings::of_file("a.yml", "a: [").is_err());
    }

    #[test]
    fn additions_are_in_the_form_that_this_traefik_reads() {
        let key = "entryPoints.smtp.address";
        let of = |path: &str, text: &str| Settings::of_file(path, text).expect("valid");
        assert_eq!(
            Settings::of_container(&traefik(&["--api.dashboard=true"])).addition(key, ":25"),
            "--entryPoints.smtp.address=:25"
        );
        assert_eq!(
            Settings::of_container(&traefik(&[])).addition(key, ":25"),
            "TRAEFIK_ENTRYPOINTS_SMTP_ADDRESS=:25"
        );
        assert_eq!(
            of("t.toml", "").addition(key, ":25"),
            "[entryPoints.smtp] address = \":25\""
        );
        let yaml = of("t.yml", "").addition(key, ":25");
        assert_eq!(yaml, "entryPoints: {smtp: {address: \":25\"}}");
        assert_eq!(
            of("t.yml", &yaml).get("entrypoints.smtp.address"),
            Some(":25")
        );
    }

    #[test]
    fn what_a_container_sees_is_found_on_the_host() {
        let mut container = traefik(&["--configFile=/conf/t.toml"]);
        container.mounts = vec![
            ("/srv/traefik".to_owned(), "/etc/traefik".to_owned()),
            ("/srv/acme.json".to_owned(), "/acme.json".to_owned()),
            (
                "/srv/other.yml".to_owned(),
                "/etc/traefik/traefik.yml".to_owned(),
            ),
        ];
        let host = |inside| on_host(&container, inside);
        assert_eq!(host("acme.json").as_deref(), Some("/srv/acme.json"));
        assert_eq!(
            host("/etc/traefik/traefik.toml").as_deref(),
            Some("/srv/traefik/traefik.toml")
        );
        assert_eq!(
            host("/etc/traefik/traefik.yml").as_deref(),
            Some("/srv/other.yml")
        );
        assert_eq!(host("/etc/traefik2"), None);
        assert_eq!(files(&container), ["/conf/t.toml"]);
        assert_eq!(files(&traefik(&[])).len(), 6);
    }
}
