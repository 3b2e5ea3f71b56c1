//! The certificate for the mail ports, from Traefik's ACME store.

use std::path::Path;
use std::time::Duration;

use super::certificate;
use crate::acme;
use crate::config::{Config, TlsMode};
use crate::finding::Finding;
use crate::plan::CertificatePair;

/// Traefik writes its store in place, so a read may meet it half-written.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(200);

/// The pair that fits `config`, and what is to be said if there is none.
pub(super) fn take(config: &Config, now: i64) -> (Option<CertificatePair>, Option<Finding>) {
    let Some(store) = config
        .traefik
        .acme_store
        .as_ref()
        .filter(|_| config.tls.mode == TlsMode::Traefik)
    else {
        return (None, None);
    };
    let path = Path::new(store.as_str());
    match read(path, config.traefik.resolver.as_str()) {
        Ok(pairs) => match choose(config, pairs, now) {
            Some(pair) => (Some(pair), None),
            None => (
                None,
                Some(
                    Finding::warning(
                        "acme.no_certificate",
                        "traefik.acme_store",
                        format!(
                            "holds no valid certificate for {}",
                            config
                                .public_names()
                                .map(ToString::to_string)
                                .collect::<Vec<_>>()
                                .join(", ")
                        ),
                    )
                    .value(store)
                    .hint(format!("once the containers run and the names resolve, Traefik gets it; then `mailu certs sync {}` takes it over", config.options()))
                    .hint("if it does not: Traefik's log says why"),
                ),
            ),
        },
        Err(reason) => (
            None,
            Some(
                Finding::warning(
                    "acme.unreadable",
                    "traefik.acme_store",
                    format!("cannot be read: {reason}"),
                )
                .value(store)
                .hint("name the file on this host that Traefik's `certificatesResolvers.NAME.acme.storage` is; root may read it"),
            ),
        ),
    }
}

fn read(path: &Path, resolver: &str) -> Result<Vec<CertificatePair>, String> {
    let mut left = TRIES;
    loop {
        let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
        match acme::pairs(&text, resolver) {
            Ok(pairs) => return Ok(pairs),
            Err(reason) if left <= 1 => return Err(reason.to_owned()),
            Err(_) => {
                left -= 1;
                std::thread::sleep(PAUSE);
            }
        }
    }
}

/// The pair that is for all names of the server and lasts longest.
fn choose(config: &Config, pairs: Vec<CertificatePair>, now: i64) -> Option<CertificatePair> {
    pairs
        .into_iter()
        .filter_map(|pair| Some((certificate::serves(config, &pair, now)?, pair)))
        .max_by_key(|(until, _)| *until)
        .map(|(_, pair)| pair)
}
