//! A profile as other languages hand it in: a table of plain values.

use std::str::FromStr;

use serde_json::{Map, Value};

use super::{Incoming, Profile, Tls};
use crate::error::{Error, ErrorKind};
use crate::finding::{Finding, nearest};
use crate::secret::Secret;

const KEYS: [&str; 10] = [
    "host",
    "tls",
    "port",
    "login",
    "secret",
    "from",
    "from_name",
    "helo",
    "envelope_from",
    "incoming",
];

/// Reads a table, and notes what is wrong with it. No finding has the secret.
struct Reader<'a> {
    map: &'a Map<String, Value>,
    findings: Vec<Finding>,
}

impl<'a> Reader<'a> {
    fn text(&mut self, key: &str) -> Option<&'a str> {
        match self.map.get(key) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text),
            Some(_) => {
                self.findings.push(
                    Finding::error("app.wrong_type", key, "must be a text")
                        .hint(format!("put `{key}` into quotes")),
                );
                None
            }
        }
    }

    fn needed(&mut self, key: &str) -> Option<&'a str> {
        let found = self.map.get(key).is_some_and(|value| !value.is_null());
        if !found {
            self.findings.push(
                Finding::error("app.missing", key, "is missing").hint(format!("give `{key}`")),
            );
        }
        self.text(key)
    }

    fn parsed<T: FromStr<Err: std::fmt::Display>>(
        &mut self,
        key: &str,
        text: Option<&str>,
    ) -> Option<T> {
        let text = text?;
        match text.parse() {
            Ok(value) => Some(value),
            Err(rule) => {
                self.findings.push(
                    Finding::error("app.invalid_value", key, rule.to_string())
                        .value(text)
                        .hint(format!("correct `{key}`")),
                );
                None
            }
        }
    }

    fn optional<T: FromStr<Err: std::fmt::Display>>(&mut self, key: &str) -> Option<T> {
        let text = self.text(key);
        self.parsed(key, text)
    }
}

impl Profile {
    /// Reads `host`, `tls` (`implicit`, which is the default, or `starttls`), `port`, `login`, `secret`, `from`, `from_name`, `helo`,
    /// `envelope_from` and `incoming` (true or false). What is missing is as [`Profile::new`] has it; `host`, `login` and `secret` must be there.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] with everything that is wrong; the secret is not in it.
    pub fn from_json(given: &Value) -> Result<Self, Error> {
        let Value::Object(map) = given else {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "app.not_a_table",
                "read what an app is to be told: it must be a table of keys",
            )
            .hint("pass {\"host\": \"mail.example.com\", \"login\": …, \"secret\": …}"));
        };
        let mut reader = Reader {
            map,
            findings: Vec::new(),
        };
        for key in map.keys().filter(|key| !KEYS.contains(&key.as_str())) {
            let finding = Finding::error("app.unknown_key", key, "is not a key");
            let hint = match nearest(key, KEYS) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("there are: {}", KEYS.join(", ")),
            };
            reader.findings.push(finding.hint(hint));
        }
        let host = reader.needed("host");
        let host = reader.parsed("host", host);
        let login = reader.needed("login");
        let login = reader.parsed("login", login);
        let secret = reader.needed("secret").map(Secret::new);
        let tls = match reader.text("tls") {
            None | Some("implicit") => Tls::Implicit,
            Some("starttls") => Tls::Starttls,
            Some(other) => {
                reader.findings.push(
                    Finding::error(
                        "app.invalid_value",
                        "tls",
                        "must be `implicit` or `starttls`",
                    )
                    .value(other)
                    .hint("leave it out for TLS from the first byte"),
                );
                Tls::Implicit
            }
        };
        let port = match map.get("port") {
            None | Some(Value::Null) => None,
            Some(value) => {
                let port = value.as_u64().and_then(|port| u16::try_from(port).ok());
                if port.is_none() {
                    reader.findings.push(
                        Finding::error("app.invalid_value", "port", "must be a port")
                            .value(value)
                            .hint(format!("leave it out for {}", tls.port())),
                    );
                }
                port
            }
        };
        let incoming = match map.get("incoming") {
            None | Some(Value::Null | Value::Bool(false)) => None,
            Some(Value::Bool(true)) => Some(Incoming::default()),
            Some(_) => {
                reader.findings.push(
                    Finding::error("app.wrong_type", "incoming", "must be true or false")
                        .hint("leave it out, if the app reads no mail"),
                );
                None
            }
        };
        let from = reader.optional("from");
        let helo = reader.optional("helo");
        let envelope_from = reader.optional("envelope_from");
        let from_name = reader.text("from_name").map(str::to_owned);
        if let (true, Some(host), Some(login), Some(secret)) =
            (reader.findings.is_empty(), host, login, secret)
        {
            let mut profile = Self::new(host, tls, login, secret);
            profile.port = port.unwrap_or(profile.port);
            profile.from = from.unwrap_or(profile.from);
            profile.from_name = from_name;
            profile.helo = helo;
            profile.envelope_from = envelope_from;
            profile.incoming = incoming;
            return Ok(profile);
        }
        Err(Error::new(
            ErrorKind::InvalidInput,
            "app.profile",
            "read what an app is to be told: it is not right",
        )
        .findings(reader.findings))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_given_is_read_and_everything_wrong_is_said() {
        let profile = Profile::from_json(&json!({
            "host": "mail.example.com", "login": "a@example.com", "secret": "abc", "tls": "starttls", "from": "b@example.com",
            "from_name": "B", "helo": "x.example.com", "envelope_from": null, "incoming": true, "port": 2587,
        }))
        .expect("a profile");
        assert_eq!((profile.tls, profile.port), (Tls::Starttls, 2587));
        assert_eq!(profile.from.to_string(), "b@example.com");
        assert!(profile.incoming.is_some() && profile.envelope_from.is_none());

        let error = Profile::from_json(&json!({
            "host": "mail", "login": 1, "secret": 12345, "tls": "ssl", "port": 70000, "form": "x", "incoming": "yes",
        }))
        .expect_err("seven mistakes");
        let mut subjects: Vec<_> = error
            .all_findings()
            .iter()
            .map(|finding| finding.subject.as_str())
            .collect();
        subjects.sort_unstable();
        assert_eq!(
            subjects,
            ["form", "host", "incoming", "login", "port", "secret", "tls"]
        );
        let said = error.to_json().to_string();
        assert!(
            !said.contains("12345") && said.contains("did you mean `from`?"),
            "{said}"
        );
        assert_eq!(
            Profile::from_json(&json!({}))
                .expect_err("nothing")
                .all_findings()
                .len(),
            3
        );
        assert!(Profile::from_json(&json!([])).is_err());
    }
}
