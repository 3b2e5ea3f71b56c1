//! Certificates as they are found, judged: what front has, what it should have, what it serves.

use std::path::PathBuf;

use serde::Serialize;

use crate::config::{Config, TlsMode};
use crate::finding::Finding;
use crate::paths::Layout;

/// Traefik and certbot renew a month before the end; a certificate that is nearer to it should have been renewed.
pub const LATE_DAYS: i64 = 14;

/// What a certificate says.
#[expect(
    clippy::struct_excessive_bools,
    reason = "answers to independent questions"
)]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Certificate {
    /// The names it is for.
    pub names: Vec<String>,
    /// Who issued it.
    pub issuer: String,
    /// When it begins, RFC 3339 in UTC.
    pub not_before: String,
    /// When it ends, RFC 3339 in UTC.
    pub not_after: String,
    /// Whole days until it ends; negative once it has.
    pub days_left: i64,
    /// Whether it has not begun yet.
    pub too_early: bool,
    /// Whether this program made it to start with.
    pub self_signed: bool,
    /// How many certificates come with it, itself included.
    pub chain: usize,
    /// Whether each of them is issued by the next.
    pub chain_in_order: bool,
    /// Whether it is its own issuer.
    pub own_issuer: bool,
    /// SHA-256 of it, in hexadecimal.
    pub fingerprint: String,
}

impl Certificate {
    /// A certificate for `names`, with nothing else said of it.
    pub fn new(names: Vec<String>, days_left: i64, fingerprint: impl Into<String>) -> Self {
        Self {
            names,
            issuer: String::new(),
            not_before: String::new(),
            not_after: String::new(),
            days_left,
            too_early: false,
            self_signed: false,
            chain: 1,
            chain_in_order: true,
            own_issuer: false,
            fingerprint: fingerprint.into(),
        }
    }

    /// Whether it is for `name` (RFC 9525 §6.3): exactly, or by a wildcard for its first label.
    pub fn covers(&self, name: &str) -> bool {
        self.names.iter().any(|pattern| matches(pattern, name))
    }
}

/// Whether the name in a certificate stands for `name`.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let pattern = pattern.to_ascii_lowercase();
    pattern == name
        || pattern
            .strip_prefix("*.")
            .is_some_and(|rest| name.split_once('.').is_some_and(|(_, tail)| tail == rest))
}

/// Where the pair that front has comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Origin {
    /// Made here, to keep front alive until there is a real one.
    SelfSigned,
    /// Taken from Traefik's store.
    Traefik,
    /// Copied from `tls.certificate` and `tls.key`.
    Files,
    /// Mailu's own, from Let's Encrypt.
    LetsEncrypt,
    /// Somebody put it there.
    ByHand,
    /// Of two different pairs: a run was interrupted between the two files.
    Interrupted,
    /// There is none.
    Missing,
}

impl Origin {
    /// In words.
    pub fn describe(self) -> &'static str {
        match self {
            Self::SelfSigned => "self-signed, made here to start with",
            Self::Traefik => "from Traefik's store",
            Self::Files => "from tls.certificate and tls.key",
            Self::LetsEncrypt => "Mailu's own, from Let's Encrypt",
            Self::ByHand => "put there by hand",
            Self::Interrupted => "half of it written by an interrupted run",
            Self::Missing => "missing",
        }
    }
}

/// Whether a key belongs to its certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum KeyFit {
    /// It does.
    Matches,
    /// It is another certificate's.
    Other,
    /// It is no private key that can be read.
    Unreadable,
    /// There is none.
    Missing,
}

/// A certificate and its key, as files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Pair {
    /// The chain's file, relative to the deployment's directory.
    pub path: String,
    /// The key's file.
    pub key_path: String,
    /// Where they come from.
    pub origin: Origin,
    /// The certificate, if it can be read.
    pub certificate: Option<Certificate>,
    /// Whether the key is its own.
    pub key: KeyFit,
    /// Permission bits of the key that others than its owner and group have.
    #[serde(skip)]
    pub key_is_open: bool,
}

impl Pair {
    /// A pair of which nothing but its place is known.
    pub fn new(path: impl Into<String>, key_path: impl Into<String>, origin: Origin) -> Self {
        Self {
            path: path.into(),
            key_path: key_path.into(),
            origin,
            certificate: None,
            key: KeyFit::Missing,
            key_is_open: false,
        }
    }
}

/// What the pair in `data/certs` is taken from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Source {
    /// Traefik's store, or the file that `tls.certificate` names.
    pub path: PathBuf,
    /// What it has for this server, if anything.
    pub certificate: Option<Certificate>,
    /// Whether that is what front has.
    pub in_place: bool,
}

impl Source {
    /// A source.
    pub fn new(path: PathBuf, certificate: Option<Certificate>, in_place: bool) -> Self {
        Self {
            path,
            certificate,
            in_place,
        }
    }
}

/// What a port was found to serve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Served {
    /// The port.
    pub port: u16,
    /// The address that was asked.
    pub address: String,
    /// The certificate that it showed.
    pub certificate: Option<Certificate>,
    /// Why it showed none.
    pub error: Option<String>,
    /// Whether it is one that it should show; nothing where that is not known.
    pub expected: Option<bool>,
}

impl Served {
    /// What was shown at `address`, or why nothing was.
    pub fn new(port: u16, address: String, shown: Result<Certificate, String>) -> Self {
        let (certificate, error) = match shown {
            Ok(certificate) => (Some(certificate), None),
            Err(error) => (None, Some(error)),
        };
        Self {
            port,
            address,
            certificate,
            error,
            expected: None,
        }
    }
}

/// The certificates of a deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "CertificateReport")
)]
#[non_exhaustive]
pub struct Report {
    /// The deployment's mail host.
    pub mail_host: String,
    /// The deployment's directory.
    pub directory: PathBuf,
    /// `tls.mode`.
    pub mode: String,
    /// The names that a certificate must be for.
    pub needed: Vec<String>,
    /// The pairs that front has.
    pub pairs: Vec<Pair>,
    /// What they are taken from.
    pub source: Option<Source>,
    /// What was found to be served.
    pub served: Vec<Served>,
    /// What needs an eye, and what is worth knowing.
    pub findings: Vec<Finding>,
}

impl Report {
    /// The facts about the deployment of `config`, before anything is judged.
    pub fn new(layout: &Layout, config: &Config) -> Self {
        Self {
            mail_host: config.mail_host.to_string(),
            directory: layout.directory(),
            mode: config.tls.mode.to_string(),
            needed: config.public_names().map(ToString::to_string).collect(),
            pairs: Vec::new(),
            source: None,
            served: Vec::new(),
            findings: Vec::new(),
        }
    }

    /// Whether somebody has to look at it.
    pub fn needs_an_eye(&self) -> bool {
        needs_an_eye(&self.findings)
    }
}

/// Whether one of `findings` is more than a notice.
pub fn needs_an_eye(findings: &[Finding]) -> bool {
    findings
        .iter()
        .any(|finding| finding.severity > crate::Severity::Notice)
}

/// What mail programs will say of a certificate that this program made, or that ends.
pub(crate) fn serving(
    layout: &Layout,
    config: &Config,
    days_left: Option<i64>,
    self_signed: bool,
) -> Option<Finding> {
    let traefik = config.tls.mode == TlsMode::Traefik;
    let store = &config.traefik.acme_store;
    let sync = layout.command("certs sync");
    if self_signed {
        return (traefik && store.is_none()).then(|| {
            Finding::warning(
                "tls.mail_self_signed",
                "traefik.acme_store",
                "is not set: Traefik's certificate serves the web only, and on the mail ports is a self-signed one, which mail programs refuse",
            )
            .hint(format!(
                "name the file on this host in which Traefik keeps its certificates: {}; once it has one for {}, `{sync}` takes it over, and every renewal",
                config.setting(&["traefik.acme_store=/path/to/acme.json"]),
                config.mail_host,
            ))
            .hint("or put your own into data/certs/cert.pem and key.pem")
        });
    }
    let left = days_left.filter(|left| *left < LATE_DAYS)?;
    let (id, message) = if left < 0 {
        (
            "tls.mail_ended",
            "has ended: mail programs refuse the mail ports".to_owned(),
        )
    } else {
        (
            "tls.mail_ends",
            format!(
                "ends in {left} days, and should have been renewed: mail programs refuse the mail ports then"
            ),
        )
    };
    let finding = Finding::warning(id, "data/certs/cert.pem", message);
    Some(match config.tls.mode {
        TlsMode::Traefik if store.is_some() => finding.hint(format!(
            "Traefik's log says why it gets no new one; once it has one, `{sync}` takes it over"
        )),
        TlsMode::Traefik => finding.hint(format!(
            "put a renewed one there, or have Traefik's taken over: {}",
            config.setting(&["traefik.acme_store=/path/to/acme.json"])
        )),
        TlsMode::Passthrough | TlsMode::Letsencrypt => finding.hint(format!(
            "front's log says why Let's Encrypt gives no new one: `docker logs {}_front`; the names must lead here on port 80",
            config.project_name()
        )),
        TlsMode::Cert if config.tls.certificate.is_some() => {
            finding.hint(format!("renew the file that `tls.certificate` names, then `{sync}`"))
        }
        _ => finding.hint("put a renewed one there, with its key"),
    })
}

/// Everything that is wrong with what `report` says, or worth knowing about it.
pub fn judge(layout: &Layout, config: &Config, report: &Report) -> Vec<Finding> {
    let mut out = Vec::new();
    let mode = config.tls.mode;
    let sync = layout.command("certs sync");
    if mode == TlsMode::None {
        return out;
    }
    if report.pairs.is_empty() {
        out.push(
            Finding::warning(
                "certs.none_yet",
                "data/certs/letsencrypt",
                "holds no certificate yet: Mailu asks Let's Encrypt once it runs and its names lead here on port 80",
            )
            .hint(format!("`docker logs {}_front` says how far it came", config.project_name()))
            .hint(format!("`{}` lists the DNS records that it needs", layout.command("dns"))),
        );
    }
    for pair in &report.pairs {
        out.extend(one(layout, config, pair, &report.needed));
    }
    if let Some(source) = &report.source
        && let Some(certificate) = source.certificate.as_ref().filter(|_| !source.in_place)
    {
        let by_hand = report
            .pairs
            .iter()
            .any(|pair| pair.origin == Origin::ByHand);
        let what = match mode {
            TlsMode::Traefik => "Traefik's store",
            _ => "the file that `tls.certificate` names",
        };
        out.push(if by_hand && mode == TlsMode::Traefik {
            Finding::notice(
                "acme.kept",
                "data/certs/cert.pem",
                "and key.pem were put there by hand and stay; Traefik's are others",
            )
            .hint(format!(
                "to take Traefik's: move data/certs/cert.pem and key.pem away, then `{sync}`"
            ))
        } else {
            Finding::warning(
                "certs.not_synced",
                "data/certs/cert.pem",
                format!(
                    "is not the one in {what}, which lasts {} days more",
                    certificate.days_left
                ),
            )
            .hint(format!("`{sync}` takes it over"))
        });
    }
    for served in &report.served {
        let subject = format!("port {}", served.port);
        if let Some(error) = &served.error {
            out.push(Finding::notice(
                "certs.not_seen",
                subject,
                format!("showed no certificate at {}: {error}", served.address),
            ));
        } else if served.expected == Some(false) {
            let certificate = served.certificate.as_ref();
            let finding = Finding::warning(
                "certs.served_other",
                subject,
                format!(
                    "serves another certificate at {} than the one in place: {}",
                    served.address,
                    certificate.map_or_else(String::new, |c| format!(
                        "for {}, {} days left",
                        c.names.join(", "),
                        c.days_left
                    ))
                ),
            );
            out.push(
                finding
                    .hint("front reads a new one within seconds; if that stays, restart it:")
                    .hint(format!("`docker restart {}_front`", config.project_name())),
            );
        } else if let Some(certificate) = &served.certificate
            && served.expected.is_none()
        {
            // Traefik's own: judged by what it says, because nothing else is known of it.
            let lacking: Vec<&String> = report
                .needed
                .iter()
                .filter(|name| !certificate.covers(name))
                .collect();
            if !lacking.is_empty() || certificate.days_left < 0 {
                out.push(
                    Finding::warning(
                        "certs.web",
                        subject,
                        format!(
                            "serves a certificate for {}, which browsers refuse for {}",
                            certificate.names.join(", "),
                            report.needed.join(", ")
                        ),
                    )
                    .hint("Traefik's log says why it has no better one"),
                );
            }
        }
    }
    out.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    out
}

fn one(layout: &Layout, config: &Config, pair: &Pair, needed: &[String]) -> Vec<Finding> {
    let mut out = Vec::new();
    let sync = layout.command("certs sync");
    let mend = format!("`{sync}` puts a pair that belongs together in its place");
    if pair.origin == Origin::Missing {
        out.push(
            Finding::error(
                "certs.missing",
                pair.path.as_str(),
                "is missing, or its key is: front's Dovecot does not start without them",
            )
            .hint(format!(
                "`{}` makes a pair to start with",
                layout.command("apply")
            )),
        );
        return out;
    }
    if pair.origin == Origin::Interrupted {
        out.push(
            Finding::error(
                "certs.interrupted",
                pair.path.as_str(),
                "and its key are of two different pairs: a run was interrupted between them",
            )
            .hint(mend),
        );
        return out;
    }
    let Some(certificate) = &pair.certificate else {
        out.push(
            Finding::error(
                "certs.unreadable",
                pair.path.as_str(),
                "holds no certificate in PEM form: front serves no TLS with it",
            )
            .hint("put a certificate there, the server's own first, then its issuers"),
        );
        return out;
    };
    let bad_key = match pair.key {
        KeyFit::Matches => None,
        KeyFit::Other => Some("does not belong to the certificate"),
        KeyFit::Unreadable => Some("is no private key that can be read"),
        KeyFit::Missing => Some("is missing"),
    };
    if let Some(what) = bad_key {
        out.push(
            Finding::error(
                "certs.key",
                pair.key_path.as_str(),
                format!("{what}: front serves no TLS with it"),
            )
            .hint("put the key there that the certificate was requested with"),
        );
    }
    if pair.key_is_open {
        out.push(
            Finding::warning(
                "certs.key_open",
                pair.key_path.as_str(),
                "may be read by every user of this host",
            )
            .hint(format!("`{sync}` hides it")),
        );
    }
    let lacking: Vec<&str> = needed
        .iter()
        .map(String::as_str)
        .filter(|name| !certificate.covers(name))
        .collect();
    if !lacking.is_empty() {
        let finding = Finding::warning(
            "certs.names",
            pair.path.as_str(),
            format!("is not for {}: mail programs refuse it", lacking.join(", ")),
        );
        out.push(match pair.origin {
            Origin::LetsEncrypt => finding
                .hint("Mailu asks for the missing names daily; they must lead here on port 80"),
            Origin::SelfSigned => finding.hint("the real one will be"),
            Origin::Traefik => finding.hint(format!(
                "once Traefik has one for all names, `{sync}` takes it over"
            )),
            _ => finding.hint("request one for all names of the server"),
        });
    }
    if certificate.too_early {
        out.push(
            Finding::warning(
                "certs.too_early",
                pair.path.as_str(),
                format!("is valid only from {}", certificate.not_before),
            )
            .hint("check the clock of this host"),
        );
    }
    if !certificate.chain_in_order {
        out.push(
            Finding::warning(
                "certs.chain_order",
                pair.path.as_str(),
                "has its certificates in another order than server, issuer, issuer's issuer: some programs refuse that",
            )
            .hint("put them in that order"),
        );
    } else if certificate.chain == 1 && !certificate.own_issuer {
        out.push(
            Finding::notice(
                "certs.chain_short",
                pair.path.as_str(),
                format!(
                    "comes without its issuer, {}: programs that do not know that one refuse it",
                    certificate.issuer
                ),
            )
            .hint("give the file with the full chain, often called fullchain.pem"),
        );
    }
    if pair.origin == Origin::SelfSigned && config.tls.mode == TlsMode::Traefik {
        // With a store, what that lacks is said instead.
        out.extend(serving(layout, config, None, true));
    } else {
        out.extend(
            serving(layout, config, Some(certificate.days_left), false).map(|mut finding| {
                finding.subject.clone_from(&pair.path);
                finding
            }),
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(more: &str) -> Config {
        Config::from_toml(&format!(
            "mail_host = \"mail.example.com\"\nemail_domain = \"example.com\"\nadmin_email = \"admin@example.com\"\n{more}"
        ))
        .expect("a valid configuration")
        .config
    }

    fn ids(config: &Config, change: impl FnOnce(&mut Report)) -> Vec<String> {
        let layout = Layout::of("/opt/agency_stack", config);
        let mut report = Report::new(&layout, config);
        let mut pair = Pair::new("data/certs/cert.pem", "data/certs/key.pem", Origin::Traefik);
        pair.key = KeyFit::Matches;
        let mut certificate = Certificate::new(vec!["MAIL.example.com".to_owned()], 60, "aa");
        certificate.chain = 2;
        pair.certificate = Some(certificate);
        report.pairs = vec![pair];
        change(&mut report);
        judge(&layout, config, &report)
            .into_iter()
            .map(|finding| finding.id)
            .collect()
    }

    fn certificate(report: &mut Report) -> &mut Certificate {
        report.pairs[0].certificate.as_mut().expect("a certificate")
    }

    #[test]
    fn what_needs_an_eye_is_found() {
        let traefik = config("[traefik]\nacme_store = \"/srv/acme.json\"\n");
        assert_eq!(ids(&traefik, |_| {}), [""; 0]);
        assert_eq!(ids(&traefik, |r| certificate(r).days_left = 14), [""; 0]);
        assert_eq!(
            ids(&traefik, |r| certificate(r).days_left = 13),
            ["tls.mail_ends"]
        );
        assert_eq!(
            ids(&traefik, |r| certificate(r).days_left = -1),
            ["tls.mail_ended"]
        );
        assert_eq!(
            ids(&traefik, |r| certificate(r).chain = 1),
            ["certs.chain_short"]
        );
        assert_eq!(
            ids(&traefik, |r| certificate(r).chain_in_order = false),
            ["certs.chain_order"]
        );
        assert_eq!(
            ids(&traefik, |r| certificate(r).too_early = true),
            ["certs.too_early"]
        );
        assert_eq!(
            ids(&traefik, |r| r.pairs[0].key = KeyFit::Other),
            ["certs.key"]
        );
        assert_eq!(
            ids(&traefik, |r| r.pairs[0].key_is_open = true),
            ["certs.key_open"]
        );
        assert_eq!(
            ids(&traefik, |r| r.pairs[0].certificate = None),
            ["certs.unreadable"]
        );
        assert_eq!(
            ids(&traefik, |r| r.pairs[0].origin = Origin::Missing),
            ["certs.missing"]
        );
        assert_eq!(
            ids(&traefik, |r| r.pairs[0].origin = Origin::Interrupted),
            ["certs.interrupted"]
        );
        assert_eq!(
            ids(&traefik, |r| r.needed.push("imap.example.com".to_owned())),
            ["certs.names"]
        );
        let wildcard = |r: &mut Report| {
            r.needed.push("imap.example.com".to_owned());
            certificate(r).names = vec!["*.example.com".to_owned()];
        };
        assert_eq!(ids(&traefik, wildcard), [""; 0]);
        let store = |in_place| {
            move |r: &mut Report| {
                let newer = Certificate::new(vec!["mail.example.com".to_owned()], 80, "bb");
                r.source = Some(Source::new("/srv/acme.json".into(), Some(newer), in_place));
            }
        };
        assert_eq!(ids(&traefik, store(true)), [""; 0]);
        assert_eq!(ids(&traefik, store(false)), ["certs.not_synced"]);
        assert_eq!(
            ids(&traefik, |r| {
                store(false)(r);
                r.pairs[0].origin = Origin::ByHand;
            }),
            ["acme.kept"]
        );
        let own = config("[tls]\nmode = \"letsencrypt\"\n");
        assert_eq!(ids(&own, |r| r.pairs.clear()), ["certs.none_yet"]);
        assert_eq!(
            ids(&config("[tls]\nmode = \"none\"\n"), |r| r.pairs.clear()),
            [""; 0]
        );
        let without = config("");
        assert_eq!(
            ids(&without, |r| r.pairs[0].origin = Origin::SelfSigned),
            ["tls.mail_self_signed"]
        );
    }

    #[test]
    fn what_is_served_is_compared() {
        let config = config("");
        let served = |names: &'static str, expected| {
            move |r: &mut Report| {
                let mut served = Served::new(
                    443,
                    "127.0.0.1".to_owned(),
                    Ok(Certificate::new(vec![names.to_owned()], 60, "cc")),
                );
                served.expected = expected;
                r.served.push(served);
            }
        };
        assert_eq!(
            ids(&config, served("mail.example.com", Some(true))),
            [""; 0]
        );
        assert_eq!(
            ids(&config, served("mail.example.com", Some(false))),
            ["certs.served_other"]
        );
        assert_eq!(ids(&config, served("mail.example.com", None)), [""; 0]);
        assert_eq!(
            ids(&config, served("TRAEFIK DEFAULT CERT", None)),
            ["certs.web"]
        );
        assert_eq!(
            ids(&config, |r| r.served.push(Served::new(
                25,
                "127.0.0.1".to_owned(),
                Err("refused".to_owned())
            ))),
            ["certs.not_seen"]
        );
    }
}
