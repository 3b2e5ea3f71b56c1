//! Secrets: drawn once, never printed.

use std::fmt;

use rand_core::RngCore;

/// A secret text. `Debug` hides it, and it has neither `Display` nor `Serialize`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

impl Secret {
    /// Takes a text as a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Draws `length` letters and digits, each equally likely; nearly six bits each.
    pub fn draw(rng: &mut dyn RngCore, length: usize) -> Self {
        let mut text = String::with_capacity(length);
        let mut buffer = [0_u8; 64];
        while text.len() < length {
            rng.fill_bytes(&mut buffer);
            // Bytes from 248 on would make the first letters likelier.
            let letters = buffer
                .iter()
                .filter(|byte| **byte < 248)
                .map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()]));
            text.extend(letters.take(length - text.len()));
        }
        Self(text)
    }

    /// The text. Every use of this is a place where the secret leaves.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// From plain data. What is no text is not repeated in the error.
impl<'de> serde::Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::String(text) => Ok(Self(text)),
            _ => Err(serde::de::Error::custom("must be a text")),
        }
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Secret {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Secret".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "writeOnly": true })
    }
}

/// A secret that is the result, because somebody asked for it. `Debug` hides it.
#[derive(Clone, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(inline))]
#[serde(transparent)]
pub struct Revealed(String);

impl Revealed {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&Secret> for Revealed {
    fn from(secret: &Secret) -> Self {
        Self(secret.0.clone())
    }
}

impl fmt::Debug for Revealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Revealed(***)")
    }
}

/// The secrets of one deployment, each in a file of its own below the secrets directory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Secrets {
    /// Mailu's `SECRET_KEY`: sessions, SRS and the webmail's keys are derived from it.
    pub secret_key: Option<Secret>,
    /// The token of Mailu's REST API.
    pub api_token: Option<Secret>,
    /// The first administrator's password.
    pub admin_password: Option<Secret>,
    /// The password at `relay.host`.
    pub relay_password: Option<Secret>,
}

impl Secrets {
    /// File names below the secrets directory.
    pub const NAMES: [&str; 4] = [
        "secret_key",
        "api_token",
        "admin_password",
        "relay_password",
    ];

    /// The secret in the file `name`.
    pub fn get(&self, name: &str) -> Option<&Secret> {
        match name {
            "secret_key" => self.secret_key.as_ref(),
            "api_token" => self.api_token.as_ref(),
            "admin_password" => self.admin_password.as_ref(),
            "relay_password" => self.relay_password.as_ref(),
            _ => None,
        }
    }

    /// Sets the secret of the file `name`; unknown names change nothing.
    pub fn set(&mut self, name: &str, secret: Secret) {
        match name {
            "secret_key" => self.secret_key = Some(secret),
            "api_token" => self.api_token = Some(secret),
            "admin_password" => self.admin_password = Some(secret),
            "relay_password" => self.relay_password = Some(secret),
            _ => {}
        }
    }

    /// How many characters a drawn secret has.
    pub fn length(name: &str) -> usize {
        match name {
            "admin_password" => 20,
            "api_token" => 40,
            _ => 32,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Counter(u8);

    impl RngCore for Counter {
        fn next_u32(&mut self) -> u32 {
            0
        }
        fn next_u64(&mut self) -> u64 {
            0
        }
        fn fill_bytes(&mut self, dest: &mut [u8]) {
            for byte in dest {
                *byte = self.0;
                self.0 = self.0.wrapping_add(1);
            }
        }
        fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), rand_core::Error> {
            self.fill_bytes(dest);
            Ok(())
        }
    }

    #[test]
    fn a_drawn_secret_has_its_length_and_alphabet_and_hides() {
        let secret = Secret::draw(&mut Counter(0), 500);
        assert_eq!(secret.expose().len(), 500);
        assert!(secret.expose().bytes().all(|b| b.is_ascii_alphanumeric()));
        assert_eq!(format!("{secret:?}"), "Secret(***)");
        // A full cycle of bytes hits every letter equally often: 248 / 62 = 4 times.
        let cycle = Secret::draw(&mut Counter(0), 248);
        for letter in ALPHABET {
            let count = cycle.expose().bytes().filter(|b| b == letter).count();
            assert_eq!(count, 4);
        }
    }

    /// Whatever holds values next to names shows the names only.
    #[test]
    fn debug_output_shows_no_value() {
        use std::collections::BTreeMap;

        use crate::compose::build;
        use crate::deps::Place;
        use crate::engine::Container;
        use crate::env::EnvFile;
        use crate::plan::Entry;
        use crate::preflight::traefik::Settings;
        use crate::start::Wanted;
        use crate::{Config, render};

        const VALUE: &str = "PrecioUs";
        let config = Config::from_toml(
            "mail_host = 'mail.example.com'\nemail_domain = 'example.com'\nadmin_email = 'admin@example.com'",
        )
        .expect("a configuration")
        .config;
        let secrets = Secrets {
            secret_key: Some(Secret::new(VALUE)),
            ..Secrets::default()
        };
        let mut container = Container::new("traefik", "traefik:v3");
        container.command = vec![format!("--providers.redis.password={VALUE}")];
        container.environment = BTreeMap::from([("SECRET_KEY".to_owned(), VALUE.to_owned())]);
        container.labels = BTreeMap::from([("users".to_owned(), VALUE.to_owned())]);
        let file = EnvFile::parse(&format!("# {VALUE}\nSECRET_KEY={VALUE}\n")).expect("a file");
        let rendered = render(&config, &secrets, &BTreeMap::default()).expect("rendered files");
        let service = build(&config).services.remove(0);
        let place = Place {
            containers: vec![container.clone()],
            files: BTreeMap::from([("acme.json".to_owned(), VALUE.as_bytes().to_vec())]),
            ..Place::default()
        };
        let shown = [
            format!("{secrets:?}"),
            format!("{container:?}"),
            format!("{place:?}"),
            format!("{:?}", Settings::of_container(&container)),
            format!("{:?}", file.get("SECRET_KEY")),
            format!("{:?}", Wanted::new(&service, &file, &EnvFile::default())),
            format!("{file:?}"),
            format!("{:?}", rendered.files(&config).expect("files")),
            format!("{rendered:?}"),
            format!("{:?}", Entry::file(0o600, 0, 0, VALUE.as_bytes().to_vec())),
        ];
        let bytes = format!("{:?}", VALUE.as_bytes());
        for text in &shown {
            assert!(!text.contains(VALUE) && !text.contains(&bytes), "{text}");
        }
        assert!(shown[1].contains("SECRET_KEY"), "{}", shown[1]);
    }
}
