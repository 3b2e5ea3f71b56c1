//! TLSA records for port 25 (DANE, RFC 7672), from the certificates that are really shown there.
//!
//! Only two forms are made. `3 1 1` pins the server's own key, which must then stay the same: for keys that are kept. `2 1 1`
//! pins the key of an authority whose certificate the server sends along; it outlives renewals as long as that one is sent.
//! Usages 0 and 1 are not for mail (RFC 7672 §3.1.3), and hashes of whole certificates end with each renewal.

use std::fmt::{self, Write as _};

use sha2::Digest as _;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use super::record::Data;
use crate::certs;
use crate::hash::sha256;

/// What port 25 shows, and whether its zone is signed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Shown {
    /// Each chain that is shown, the server's certificate first, DER. There may be one with an RSA key and one with an ECDSA key.
    pub chains: Vec<Vec<Vec<u8>>>,
    /// Whether the mail host's zone is signed and verifies: elsewhere nobody believes TLSA records (RFC 7672 §2.2).
    pub signed: bool,
}

impl Shown {
    /// The chains that were seen, DER, and whether the zone is signed.
    pub fn new(chains: Vec<Vec<Vec<u8>>>, signed: bool) -> Self {
        Self { chains, signed }
    }
}

/// Why there is no TLSA record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Missing {
    /// The zone is not signed.
    Unsigned,
    /// No certificate was seen.
    NoChain,
    /// A certificate cannot be read.
    Unreadable,
    /// The server's certificate is not for the mail host, which `2 1 1` demands (RFC 7672 §3.2.2).
    OtherName,
    /// The server sends no authority's certificate along, and its key may change with each renewal.
    NoAuthority,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unsigned => "the zone must be signed by DNSSEC first",
            Self::NoChain => "port 25 must show a certificate first",
            Self::Unreadable => "a certificate that port 25 shows cannot be read",
            Self::OtherName => "the certificate on port 25 must be for the mail host first",
            Self::NoAuthority => "port 25 must send its authority's certificate along: the key of its own may change with each renewal",
        })
    }
}

/// The records for a server called `host` that shows `chains`; `lasting` says that its key stays at renewals.
///
/// Every chain has to be covered, because the other side chooses which one it sees.
///
/// # Errors
///
/// [`Missing`]: why none can be published.
pub fn records(
    chains: &[Vec<Vec<u8>>],
    signed: bool,
    host: &str,
    lasting: bool,
) -> Result<Vec<Data>, Missing> {
    if !signed {
        return Err(Missing::Unsigned);
    }
    let mut all = Vec::new();
    for chain in chains {
        for data in of_chain(chain, host, lasting)? {
            if !all.contains(&data) {
                all.push(data);
            }
        }
    }
    if all.is_empty() {
        return Err(Missing::NoChain);
    }
    Ok(all)
}

fn of_chain(chain: &[Vec<u8>], host: &str, lasting: bool) -> Result<Vec<Data>, Missing> {
    let read: Vec<X509Certificate<'_>> = chain
        .iter()
        .map(|der| X509Certificate::from_der(der).map(|(_, certificate)| certificate))
        .collect::<Result<_, _>>()
        .map_err(|_| Missing::Unreadable)?;
    let (own, others) = read.split_first().ok_or(Missing::NoChain)?;
    let mut all = Vec::new();
    if lasting {
        all.push(key_of(3, own));
    }
    let named = is_for(own, host);
    if named {
        // Only what leads from the server's certificate upwards is part of the path that the other side builds.
        let mut below = own;
        for authority in others {
            if !authority.is_ca() || below.issuer() != authority.subject() {
                break;
            }
            all.push(key_of(2, authority));
            below = authority;
        }
    }
    match (all.is_empty(), named) {
        (false, _) => Ok(all),
        (true, false) => Err(Missing::OtherName),
        (true, true) => Err(Missing::NoAuthority),
    }
}

/// Whether a TLSA record, in presentation form, is for `chain`, shown by `host` (RFC 7671 §5). Usages 0 and 1 never are (RFC 7672 §3.1.3).
pub(super) fn holds(record: &str, chain: &[Vec<u8>], host: &str) -> bool {
    let mut parts = record.split_whitespace();
    let mut number = || parts.next().and_then(|text| text.parse::<u8>().ok());
    let (Some(usage), Some(selector), Some(matching)) = (number(), number(), number()) else {
        return false;
    };
    let association = parts.collect::<String>().to_ascii_lowercase();
    let fits = |der: &[u8]| {
        let Ok((_, certificate)) = X509Certificate::from_der(der) else {
            return false;
        };
        let what = if selector == 0 {
            der
        } else {
            certificate.public_key().raw
        };
        let hex = |bytes: &[u8]| {
            bytes.iter().fold(String::new(), |mut all, byte| {
                let _ = write!(all, "{byte:02x}");
                all
            })
        };
        let there = match matching {
            0 => hex(what),
            1 => sha256(what),
            2 => hex(&sha2::Sha512::digest(what)),
            _ => return false,
        };
        there == association
    };
    let Some((own, others)) = chain.split_first() else {
        return false;
    };
    match usage {
        3 => fits(own),
        2 => {
            let named = X509Certificate::from_der(own).is_ok_and(|(_, own)| is_for(&own, host));
            named && others.iter().any(|der| fits(der))
        }
        _ => false,
    }
}

fn key_of(usage: u8, certificate: &X509Certificate<'_>) -> Data {
    Data::Tlsa {
        usage,
        selector: 1,
        matching: 1,
        association: sha256(certificate.public_key().raw),
    }
}

fn is_for(certificate: &X509Certificate<'_>, host: &str) -> bool {
    let names = certificate.subject_alternative_name();
    names.ok().flatten().is_some_and(|names| {
        names.value.general_names.iter().any(
            |name| matches!(name, GeneralName::DNSName(pattern) if certs::matches(&pattern.to_ascii_lowercase(), host)),
        )
    })
}

#[cfg(test)]
mod tests {
    use rcgen::{
        BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, Issuer, KeyPair,
    };

    use super::*;

    fn authority(name: &str) -> CertificateParams {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        params
    }

    /// Root, intermediate and leaf for mail.example.com: the chain as a server may send it, leaf first.
    fn chain() -> Vec<Vec<u8>> {
        let key = || KeyPair::generate().expect("a key");
        let root = CertifiedIssuer::self_signed(authority("root"), key()).expect("a root");
        let middle =
            CertifiedIssuer::signed_by(authority("middle"), key(), &root).expect("an intermediate");
        let leaf = leaf(&middle);
        [leaf, middle.der().to_vec(), root.der().to_vec()].into()
    }

    fn leaf(issuer: &Issuer<'_, KeyPair>) -> Vec<u8> {
        let params =
            CertificateParams::new(vec!["mail.example.com".to_owned()]).expect("parameters");
        let key = KeyPair::generate().expect("a key");
        params
            .signed_by(&key, issuer)
            .expect("a leaf")
            .der()
            .to_vec()
    }

    fn shown(
        chains: &[Vec<Vec<u8>>],
        signed: bool,
        host: &str,
        lasting: bool,
    ) -> Result<Vec<u8>, Missing> {
        let usages = |data: Data| match data {
            Data::Tlsa {
                usage,
                selector: 1,
                matching: 1,
                association,
            } if association.len() == 64 => usage,
            other => panic!("{other:?}"),
        };
        records(chains, signed, host, lasting).map(|all| all.into_iter().map(usages).collect())
    }

    #[test]
    fn authorities_that_are_sent_are_pinned() {
        let (chain, host) = (chain(), "mail.example.com");
        let all = |chain: &[Vec<u8>], signed, host, lasting| {
            shown(&[chain.to_vec()], signed, host, lasting)
        };
        assert_eq!(all(&chain, true, host, false), Ok(vec![2, 2]));
        assert_eq!(all(&chain[..2], true, host, false), Ok(vec![2]));
        assert_eq!(all(&chain, true, host, true), Ok(vec![3, 2, 2]));
        // A name that the certificate lacks: the own key alone goes without (RFC 7672 §3.1.1).
        assert_eq!(all(&chain, true, "mail.example.org", true), Ok(vec![3]));
        assert_eq!(
            all(&chain, true, "mail.example.org", false),
            Err(Missing::OtherName)
        );
        assert_eq!(
            all(&chain[..1], true, host, false),
            Err(Missing::NoAuthority)
        );
        assert_eq!(all(&chain[..1], true, host, true), Ok(vec![3]));
        assert_eq!(all(&chain, false, host, true), Err(Missing::Unsigned));
        assert_eq!(all(&[], true, host, true), Err(Missing::NoChain));
        assert_eq!(records(&[], true, host, true), Err(Missing::NoChain));
        assert_eq!(
            all(&[b"x".to_vec()], true, host, true),
            Err(Missing::Unreadable)
        );
        // An authority that has nothing to do with the leaf is never used for the path.
        let stranger = [chain[0].clone(), chain[2].clone()];
        assert_eq!(all(&stranger, true, host, false), Err(Missing::NoAuthority));
    }

    #[test]
    fn every_chain_has_to_be_covered() {
        let (one, two, host) = (chain(), chain(), "mail.example.com");
        assert_eq!(
            shown(&[one.clone(), two.clone()], true, host, false),
            Ok(vec![2; 4])
        );
        assert_eq!(
            shown(&[one.clone(), one.clone()], true, host, false),
            Ok(vec![2; 2])
        );
        assert_eq!(
            shown(&[one, two[..1].to_vec()], true, host, false),
            Err(Missing::NoAuthority)
        );
    }
}
