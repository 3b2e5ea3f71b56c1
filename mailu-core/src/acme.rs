//! Traefik's ACME store (`acme.json`): the certificates that it has obtained, with their keys.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::plan::CertificatePair;
use crate::secret::Secret;

/// What a resolver keeps. Traefik 2 and 3 write the same.
#[derive(Deserialize)]
struct Resolver {
    #[serde(rename = "Certificates", default)]
    certificates: Option<Vec<Stored>>,
}

#[derive(Deserialize)]
struct Stored {
    certificate: String,
    key: String,
}

/// Every pair in the store `text`, of the resolver `resolver` alone if that has any.
///
/// # Errors
///
/// What is wrong with the text, without any of it: it holds private keys. Traefik writes the file in place, so a reader may
/// find it empty or cut off for a moment.
pub fn pairs(text: &str, resolver: &str) -> Result<Vec<CertificatePair>, &'static str> {
    if text.trim().is_empty() {
        return Err("it is empty");
    }
    // Error texts of the JSON parser would quote what it found.
    let mut store: std::collections::BTreeMap<String, Option<Resolver>> =
        serde_json::from_str(text).map_err(|_| "it is not JSON as Traefik 2 and later write it")?;
    let own = store
        .remove(resolver)
        .flatten()
        .and_then(|own| own.certificates)
        .unwrap_or_default();
    let stored = if own.is_empty() {
        store
            .into_values()
            .flatten()
            .filter_map(|resolver| resolver.certificates)
            .flatten()
            .collect()
    } else {
        own
    };
    stored
        .into_iter()
        .map(|one| {
            let decode = |text: &str| {
                STANDARD
                    .decode(text)
                    .ok()
                    .and_then(|bytes| String::from_utf8(bytes).ok())
                    .ok_or("a certificate or key in it is not PEM in base64")
            };
            Ok(CertificatePair::new(
                decode(&one.certificate)?,
                Secret::new(decode(&one.key)?),
            ))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `QQ==` is `A`, `Qg==` is `B`, and so on.
    const STORE: &str = r#"{
        "letsencrypt": {"Account": {"Email": "x"}, "Certificates": [
            {"domain": {"main": "a.example"}, "certificate": "QQ==", "key": "Qg==", "Store": "default"}
        ]},
        "other": {"Account": null, "Certificates": [
            {"domain": {"main": "b.example", "sans": ["c.example"]}, "certificate": "Qw==", "key": "RA==", "Store": "default"}
        ]},
        "new": {"Account": {}, "Certificates": null},
        "empty": null
    }"#;

    fn read(resolver: &str) -> Vec<(String, String)> {
        pairs(STORE, resolver)
            .unwrap_or_default()
            .iter()
            .map(|pair| (pair.certificate.clone(), pair.key.expose().to_owned()))
            .collect()
    }

    #[test]
    fn the_resolver_s_own_come_first_and_others_only_without_them() {
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(read("letsencrypt"), [pair("A", "B")]);
        assert_eq!(read("other"), [pair("C", "D")]);
        for resolver in ["new", "empty", "absent"] {
            assert_eq!(
                read(resolver),
                [pair("A", "B"), pair("C", "D")],
                "{resolver}"
            );
        }
    }

    #[test]
    fn a_damaged_store_is_told_without_its_content() {
        for (text, reason) in [
            ("", "empty"),
            (" \n", "empty"),
            (&STORE[..200], "not JSON"),
            ("[]", "not JSON"),
            (
                r#"{"a": {"Certificates": [{"certificate": "%", "key": "Qg=="}]}}"#,
                "base64",
            ),
            (
                r#"{"a": {"Certificates": [{"certificate": "QQ==", "key": "/w=="}]}}"#,
                "base64",
            ),
        ] {
            let error = pairs(text, "a").err().unwrap_or_default();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
