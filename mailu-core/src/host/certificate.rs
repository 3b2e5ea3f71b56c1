//! Certificates: a self-signed one to start with, and a look at those that are given.

use std::path::Path;

use rcgen::{CertificateParams, DnType, KeyPair};
use rsa::pkcs1::RsaPrivateKey;
use rsa::pkcs8::der::Encode as _;
use rsa::pkcs8::der::asn1::AnyRef;
use rsa::pkcs8::{AlgorithmIdentifierRef, ObjectIdentifier, PrivateKeyInfo};
use x509_parser::pem::Pem;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};
use x509_parser::public_key::PublicKey;

use super::files;
use crate::certs::{self, Certificate, KeyFit};
use crate::config::Config;
use crate::error::{Error, ErrorKind};
use crate::finding::{Finding, Severity};
use crate::plan::{CertificatePair, PairInPlace};
use crate::secret::Secret;

const EXPIRED: &str = "certificate.expired";

/// A self-signed certificate (ECDSA P-256) for `names`.
///
/// It only keeps front's services alive until there is a real one, so its long life harms nobody.
pub(super) fn self_signed(names: &[String]) -> Result<CertificatePair, Error> {
    let failed = |error: rcgen::Error| {
        Error::new(
            ErrorKind::Internal,
            "certificate.create",
            "make a self-signed certificate",
        )
        .source(error)
    };
    let key = KeyPair::generate().map_err(failed)?;
    let mut params = CertificateParams::new(names.to_vec()).map_err(failed)?;
    // X.520 allows 64 characters; the full names are in the subject alternative names.
    let common = names
        .first()
        .filter(|name| name.len() <= 64)
        .map_or("mailu", String::as_str);
    params.distinguished_name.push(DnType::CommonName, common);
    params.not_before = rcgen::date_time_ymd(SEED_YEARS.0, 1, 1);
    params.not_after = rcgen::date_time_ymd(SEED_YEARS.1, 12, 31);
    let certificate = params.self_signed(&key).map_err(failed)?;
    Ok(CertificatePair::new(
        certificate.pem(),
        Secret::new(key.serialize_pem()),
    ))
}

/// Reads the files that `tls.certificate` and `tls.key` name, and refuses what front or other servers would.
///
/// `serving` is the pair in place: that it has ended keeps nobody from changing something else.
pub(super) fn read(
    config: &Config,
    serving: impl FnOnce(&CertificatePair) -> bool,
    now: i64,
) -> Result<(Option<CertificatePair>, Vec<Finding>), Error> {
    let (Some(certificate), Some(key)) = (&config.tls.certificate, &config.tls.key) else {
        return Ok((None, Vec::new()));
    };
    let text = |path: &str| {
        let path = Path::new(path);
        std::fs::read_to_string(path).map_err(|error| {
            files::failed("read", path, error)
                .hint("correct `tls.certificate` and `tls.key` in mailu.toml")
        })
    };
    let pair = CertificatePair::new(
        text(certificate.as_str())?,
        Secret::new(text(key.as_str())?),
    );
    let mut findings = judge(config, &pair, now);
    if serving(&pair) {
        for finding in findings.iter_mut().filter(|f| f.id == EXPIRED) {
            finding.severity = Severity::Warning;
        }
    }
    if crate::finding::has_errors(&findings) {
        return Err(crate::error::Invalid::new(findings).into());
    }
    Ok((Some(pair), findings))
}

fn judge(config: &Config, pair: &CertificatePair, now: i64) -> Vec<Finding> {
    let mut out = Vec::new();
    let path = |p: &Option<crate::config::units::FilePath>| {
        p.as_ref().map(ToString::to_string).unwrap_or_default()
    };
    let (certificate_path, key_path) = (path(&config.tls.certificate), path(&config.tls.key));
    let chain: Vec<Pem> = Pem::iter_from_buffer(pair.certificate.as_bytes())
        .filter_map(Result::ok)
        .filter(|pem| pem.label == "CERTIFICATE")
        .collect();
    let Some(leaf) = chain.first().and_then(|pem| pem.parse_x509().ok()) else {
        out.push(
            Finding::error(
                "certificate.unreadable",
                "tls.certificate",
                "must hold a certificate in PEM form",
            )
            .value(certificate_path)
            .hint("give the file with the full chain, often called fullchain.pem"),
        );
        return out;
    };
    match fit(&leaf, pair.key.expose()) {
        KeyFit::Matches | KeyFit::Missing => {}
        KeyFit::Other => out.push(
            Finding::error("certificate.other_key", "tls.key", format!("does not belong to the first certificate in {certificate_path}"))
                .value(key_path)
                .hint("give the key that the certificate was requested with; the server's own certificate comes first in the chain"),
        ),
        KeyFit::Unreadable => out.push(
            Finding::error("certificate.key_unreadable", "tls.key", "must hold a private key in PEM form, without a passphrase: RSA, or EC on P-256 or P-384")
                .value(key_path)
                .hint("give the file often called privkey.pem"),
        ),
    }
    let until = leaf.validity().not_after;
    if until.timestamp() <= now {
        out.push(
            Finding::error(EXPIRED, "tls.certificate", format!("ended on {until}"))
                .value(&certificate_path)
                .hint("renew it"),
        );
    } else if leaf.validity().not_before.timestamp() > now {
        out.push(
            Finding::error(
                "certificate.too_early",
                "tls.certificate",
                format!("is valid only from {}", leaf.validity().not_before),
            )
            .value(&certificate_path)
            .hint("check the clock of this host"),
        );
    }
    for name in config.public_names() {
        if !covers(&leaf, name.as_str()) {
            out.push(
                Finding::error(
                    "certificate.name",
                    "tls.certificate",
                    format!("is not for `{name}`: mail programs refuse it"),
                )
                .value(&certificate_path)
                .hint("request one for all names of the server"),
            );
        }
    }
    out
}

/// When a self-signed pair of ours begins and ends. No authority's certificate lasts so long, so that the pair is known by it.
const SEED_YEARS: (i32, i32) = (2020, 2049);

/// What can be seen of the pair that front has.
pub(super) fn look(certificate: &str, now: i64) -> Option<PairInPlace> {
    let first = Pem::iter_from_buffer(certificate.as_bytes()).next()?.ok()?;
    let leaf = first.parse_x509().ok()?;
    let until = leaf.validity().not_after;
    Some(PairInPlace {
        days_left: (until.timestamp() - now).div_euclid(24 * 60 * 60),
        self_signed: is_seed(&leaf),
    })
}

fn is_seed(leaf: &X509Certificate<'_>) -> bool {
    let (from, until) = (leaf.validity().not_before, leaf.validity().not_after);
    let years = (from.to_datetime().year(), until.to_datetime().year());
    leaf.issuer() == leaf.subject() && years == SEED_YEARS
}

/// When `pair` ends, in seconds since 1970, if it serves every name of the server now.
pub(super) fn serves(config: &Config, pair: &CertificatePair, now: i64) -> Option<i64> {
    let chain = Pem::iter_from_buffer(pair.certificate.as_bytes())
        .next()?
        .ok()?;
    let leaf = chain.parse_x509().ok()?;
    let belongs = matches!(fit(&leaf, pair.key.expose()), KeyFit::Matches);
    let (from, until) = (
        leaf.validity().not_before.timestamp(),
        leaf.validity().not_after.timestamp(),
    );
    let named = config
        .public_names()
        .all(|name| covers(&leaf, name.as_str()));
    (belongs && named && (from..until).contains(&now)).then_some(until)
}

/// RFC 8017 appendix A.1, RFC 5480 §2.1.1.
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");

/// Compares the first private key in `pem` with the certificate's: PKCS#8, PKCS#1 as `openssl genrsa -traditional` writes it, SEC1
/// as `openssl ecparam`.
fn fit(leaf: &X509Certificate<'_>, pem: &str) -> KeyFit {
    let Some(block) = Pem::iter_from_buffer(pem.as_bytes())
        .filter_map(Result::ok)
        .find(|block| block.label.ends_with("PRIVATE KEY"))
    else {
        return KeyFit::Unreadable;
    };
    let der = block.contents.as_slice();
    let pkcs1 = match block.label.as_str() {
        "RSA PRIVATE KEY" => Some(der),
        _ => PrivateKeyInfo::try_from(der)
            .ok()
            .filter(|info| info.algorithm.oid == RSA)
            .map(|info| info.private_key),
    };
    // RSA by its numbers, whatever their length; ring, which reads the others, stops at 4096 bits.
    let same = if let Some(der) = pkcs1 {
        RsaPrivateKey::try_from(der).ok().map(|key| {
            let number = |bytes: &[u8]| bytes.iter().copied().skip_while(|b| *b == 0).collect::<Vec<_>>();
            let own = (number(key.modulus.as_bytes()), number(key.public_exponent.as_bytes()));
            matches!(leaf.public_key().parsed(), Ok(PublicKey::RSA(public)) if (number(public.modulus), number(public.exponent)) == own)
        })
    } else {
        let key = |der: Vec<u8>| KeyPair::try_from(der).ok();
        let key = match block.label.as_str() {
            "EC PRIVATE KEY" => [P256, P384]
                .iter()
                .find_map(|curve| key(pkcs8(EC, curve.into(), der)?)),
            _ => key(der.to_vec()),
        };
        key.map(|key| rcgen::PublicKeyData::subject_public_key_info(&key) == leaf.public_key().raw)
    };
    match same {
        Some(true) => KeyFit::Matches,
        Some(false) => KeyFit::Other,
        None => KeyFit::Unreadable,
    }
}

/// A key in a form of its own as PKCS#8 (RFC 5958).
fn pkcs8(algorithm: ObjectIdentifier, parameters: AnyRef<'_>, key: &[u8]) -> Option<Vec<u8>> {
    let algorithm = AlgorithmIdentifierRef {
        oid: algorithm,
        parameters: Some(parameters),
    };
    PrivateKeyInfo::new(algorithm, key).to_der().ok()
}

/// Whether a certificate is for `name` (RFC 9525 §6.3): exactly, or by a wildcard for its first label.
pub(super) fn covers(certificate: &X509Certificate<'_>, name: &str) -> bool {
    names(certificate)
        .iter()
        .any(|pattern| certs::matches(pattern, name))
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(names)) = certificate.subject_alternative_name() else {
        return Vec::new();
    };
    let dns = |general: &GeneralName<'_>| match general {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        _ => None,
    };
    names.value.general_names.iter().filter_map(dns).collect()
}

/// What the certificates in `text`, the server's own first, say. `None` if there is none that can be read.
pub(super) fn describe(text: &str, now: i64) -> Option<Certificate> {
    let chain: Vec<Vec<u8>> = Pem::iter_from_buffer(text.as_bytes())
        .filter_map(Result::ok)
        .filter(|pem| pem.label == "CERTIFICATE")
        .map(|pem| pem.contents)
        .collect();
    let chain: Vec<&[u8]> = chain.iter().map(Vec::as_slice).collect();
    described(&chain, now)
}

/// The same of certificates in DER form.
pub(super) fn described(chain: &[&[u8]], now: i64) -> Option<Certificate> {
    let first = chain.first()?;
    let (_, leaf) = X509Certificate::from_der(first).ok()?;
    let parsed: Vec<X509Certificate<'_>> = chain
        .iter()
        .filter_map(|der| Some(X509Certificate::from_der(der).ok()?.1))
        .collect();
    let (from, until) = (leaf.validity().not_before, leaf.validity().not_after);
    let shown = |time: i64| {
        jiff::Timestamp::from_second(time).map_or_else(
            |_| String::new(),
            |t| t.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        )
    };
    let left = (until.timestamp() - now).div_euclid(24 * 60 * 60);
    let mut out = Certificate::new(names(&leaf), left, crate::hash::sha256(first));
    out.issuer = leaf.issuer().to_string();
    out.not_before = shown(from.timestamp());
    out.not_after = shown(until.timestamp());
    out.too_early = from.timestamp() > now;
    out.own_issuer = leaf.issuer() == leaf.subject();
    out.self_signed = is_seed(&leaf);
    out.chain = chain.len();
    out.chain_in_order = parsed.len() == chain.len()
        && parsed
            .windows(2)
            .all(|pair| matches!(pair, [a, b] if a.issuer() == b.subject()));
    Some(out)
}

/// Whether the first key in `key` is that of the first certificate in `certificate`.
pub(super) fn key_fit(certificate: &str, key: &str) -> KeyFit {
    let Some(Ok(first)) = Pem::iter_from_buffer(certificate.as_bytes()).next() else {
        return KeyFit::Unreadable;
    };
    let Ok(leaf) = first.parse_x509() else {
        return KeyFit::Unreadable;
    };
    fit(&leaf, key)
}
