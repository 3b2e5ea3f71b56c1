//! DKIM keys (RFC 6376, RFC 8301): 2048-bit RSA, stored as Mailu's admin and Rspamd read them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, EncodePublicKey as _, LineEnding};
use rand_core::CryptoRngCore;
use rsa::traits::PublicKeyParts as _;
use rsa::{RsaPrivateKey, RsaPublicKey};

use crate::error::{Error, ErrorKind};
use crate::names::{EmailDomain, Selector};
use crate::secret::Secret;

/// Bits of a new key. RFC 8301 §3.2 asks signers for at least 2048; 4096 does not fit some DNS panels.
pub const BITS: usize = 2048;

/// The name of the file in which Mailu's admin looks for the key of `domain`: with the domain as people write it.
pub fn file_name(domain: &EmailDomain, selector: &Selector) -> String {
    format!("{}.{selector}.key", domain.unicode())
}

/// A signing key.
#[derive(Clone)]
pub struct DkimKey {
    pem: Secret,
    public: RsaPublicKey,
}

impl std::fmt::Debug for DkimKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DkimKey")
            .field("bits", &self.bits())
            .finish_non_exhaustive()
    }
}

impl DkimKey {
    /// Draws a key of [`BITS`] bits.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Internal`] if no primes are found, which only a broken source of randomness can cause.
    pub fn generate(rng: &mut dyn CryptoRngCore) -> Result<Self, Error> {
        let failed = |cause: Cause| {
            Error::new(ErrorKind::Internal, "dkim.generate", "generate a DKIM key").source(cause)
        };
        let mut rng = DynRng(rng);
        let key = RsaPrivateKey::new(&mut rng, BITS).map_err(|error| failed(Cause::of(error)))?;
        let pem = key
            .to_pkcs8_pem(LineEnding::LF)
            .map_err(|error| failed(Cause::of(error)))?;
        Ok(Self {
            pem: Secret::new(pem.as_str()),
            public: key.to_public_key(),
        })
    }

    /// Reads a key file: PEM, PKCS#8 as Mailu writes it or PKCS#1 as older tools do.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Corrupt`] if the text is no such key, or the key has fewer than 1024 bits (RFC 8301 §3.2).
    pub fn from_pem(pem: &str) -> Result<Self, Error> {
        use rsa::pkcs1::DecodeRsaPrivateKey as _;
        let key = RsaPrivateKey::from_pkcs8_pem(pem).or_else(|error| {
            RsaPrivateKey::from_pkcs1_pem(pem).map_err(|_| {
                Error::new(
                    ErrorKind::Corrupt,
                    "dkim.unreadable",
                    "read a DKIM key: it is no RSA private key in PEM form",
                )
                .source(Cause::of(error))
                .hint("restore the key file from a backup; a new key needs a new DNS record")
            })
        })?;
        let bits = key.size() * 8;
        if bits < 1024 {
            return Err(Error::new(
                ErrorKind::Corrupt,
                "dkim.too_short",
                format!("read a DKIM key: it has {bits} bits, and receivers ignore keys below 1024 (RFC 8301)"),
            )
            .hint("move it away, make a new one with `mailu apply --new-dkim-key DOMAIN`, and publish its DNS record"));
        }
        Ok(Self {
            pem: Secret::new(pem),
            public: key.to_public_key(),
        })
    }

    /// The key file's text.
    pub fn pem(&self) -> &Secret {
        &self.pem
    }

    /// Size of the modulus.
    pub fn bits(&self) -> usize {
        self.public.size() * 8
    }

    /// The public half, as the `p=` tag carries it: base64 of the `SubjectPublicKeyInfo` (RFC 6376 §3.6.1).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Internal`] if the key cannot be encoded.
    pub fn public_base64(&self) -> Result<String, Error> {
        let der = self.public.to_public_key_der().map_err(|error| {
            Error::new(
                ErrorKind::Internal,
                "dkim.encode",
                "encode a DKIM public key",
            )
            .source(Cause::of(error))
        })?;
        Ok(BASE64.encode(der.as_bytes()))
    }

    /// The value of the DNS record: `v=DKIM1; k=rsa; p=…`.
    ///
    /// # Errors
    ///
    /// As [`DkimKey::public_base64`].
    pub fn txt(&self) -> Result<String, Error> {
        Ok(format!("v=DKIM1; k=rsa; p={}", self.public_base64()?))
    }
}

/// The value of the DNS record for the key `pem`, which is called `name` in errors: a path or an email domain.
///
/// # Errors
///
/// As [`DkimKey::from_pem`] and [`DkimKey::txt`].
pub fn public_text(pem: &str, name: &dyn std::fmt::Display) -> Result<String, Error> {
    DkimKey::from_pem(pem)
        .and_then(|key| key.txt())
        .map_err(|error| error.about(format!("use the DKIM key of {name}")))
}

/// What the key libraries say; without `std`, which would bring in the system's randomness, their errors are only text.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Cause(String);

impl Cause {
    fn of(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}

/// `rsa` wants a sized generator.
struct DynRng<'a>(&'a mut dyn CryptoRngCore);

impl rand_core::RngCore for DynRng<'_> {
    fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }
    fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }
    fn fill_bytes(&mut self, dest: &mut [u8]) {
        self.0.fill_bytes(dest);
    }
    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), rand_core::Error> {
        self.0.try_fill_bytes(dest)
    }
}

impl rand_core::CryptoRng for DynRng<'_> {}
