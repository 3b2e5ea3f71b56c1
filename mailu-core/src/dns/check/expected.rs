//! What a configuration makes one expect of DNS beside its records.

use std::net::IpAddr;

use crate::config::{Config, TlsMode};
use crate::dns::required;
use crate::mta_sts;

/// What the check has to know of a deployment beside its records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Expected {
    /// The addresses that mail leaves from. None where they are not known, or where it leaves by way of another server.
    pub senders: Vec<IpAddr>,
    /// The MTA-STS policy and its id, if there is one.
    pub policy: Option<(String, String)>,
    /// The domains that mail is received for.
    pub domains: Vec<String>,
    /// The names that certificates are needed for.
    pub certificates: Vec<String>,
    /// The authorities that may be in use, by their names in CAA records; one of them has to be allowed. None if not known.
    pub issuers: Vec<String>,
    /// Whether the authority verifies names by files on port 80.
    pub http: bool,
}

impl Expected {
    /// What `config` makes one expect.
    pub fn new(config: &Config) -> Self {
        let names = std::iter::once(&config.mail_host)
            .chain(&config.hostnames)
            .map(ToString::to_string);
        let more = config.autoconfig_names().into_iter();
        let more = more.chain(config.mta_sts_names());
        let mut certificates: Vec<String> =
            names.chain(more.map(|name| name.to_string())).collect();
        certificates.dedup();
        let issuers = match config.tls.mode {
            TlsMode::Cert | TlsMode::None => Vec::new(),
            mode => {
                let listed = config.dns.caa.iter().map(|issuer| {
                    let text = issuer.to_string();
                    let name = text.split(';').next().unwrap_or_default();
                    name.trim().to_owned()
                });
                let mut all: Vec<String> = listed.collect();
                // Traefik's own default, unless the operator says what else it uses.
                if mode.own_acme() || all.is_empty() {
                    all.push(required::LETS_ENCRYPT.to_owned());
                }
                all.dedup();
                all
            }
        };
        Self {
            senders: if config.relay.host.is_some() {
                Vec::new()
            } else {
                required::leaving(config)
            },
            policy: mta_sts::policy(config).zip(mta_sts::id(config)),
            domains: config.receiving().map(ToString::to_string).collect(),
            certificates,
            issuers,
            http: config.tls.mode.own_acme(),
        }
    }
}
