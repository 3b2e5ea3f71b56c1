//! Passwords as Mailu keeps them.
//!
//! Mailu stores whatever its import is given as a password, also what is none of the hashes that it knows: nobody can log in then, or
//! everybody reads the password in the database. So everything that is handed over is checked here, and hashed here.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD, STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::secret::Secret;

const BCRYPT: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::BCRYPT, NO_PAD);

/// The longest password that Mailu's library takes.
const LONGEST: usize = 4096;

/// What Mailu's own forms want at least.
const SHORTEST: usize = 8;

/// The hash of a password, in one of the forms that Mailu verifies. Every form but its own is replaced by that at the first log-in.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(Secret);

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(***)")
    }
}

impl PasswordHash {
    /// A hash that another server has made. Prefixes of Dovecot's that Mailu drops (`{SHA512-CRYPT}`, `{BLF-CRYPT}` …) are dropped.
    ///
    /// # Errors
    ///
    /// The rule that it breaks, without the text.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const DROPPED: [&str; 6] = [
            "{PBKDF2}",
            "{BLF-CRYPT}",
            "{SHA512-CRYPT}",
            "{SHA256-CRYPT}",
            "{MD5-CRYPT}",
            "{CRYPT}",
        ];
        let text = text.trim();
        let bare = DROPPED
            .iter()
            .find_map(|prefix| text.strip_prefix(prefix))
            .unwrap_or(text);
        if text.len() > 255 {
            return Err("must have at most 255 characters");
        }
        if is_known(bare) {
            return Ok(Self(Secret::new(bare)));
        }
        Err(
            if bare.starts_with("$argon2") || text.starts_with("{ARGON2") {
                "is of Argon2, which Mailu cannot verify; give this user a new password"
            } else {
                "must be a hash that Mailu verifies: bcrypt ($2b$…), bcrypt-sha256, SHA-512 or SHA-256 crypt ($6$…, $5$…), PBKDF2 \
             ($pbkdf2-sha256$…), MD5 crypt ($1$…), or {SSHA}, {SSHA256}, {SSHA512}"
            },
        )
    }

    /// The hash of a password as Mailu makes it: passlib's `bcrypt_sha256`, version 2.
    pub fn new(password: &Secret, rounds: u32, salt: [u8; 16]) -> Self {
        let salt_text = BCRYPT.encode(salt);
        let digest = digest(password.expose(), &salt_text, rounds, salt);
        Self(Secret::new(format!(
            "$bcrypt-sha256$v=2,t=2b,r={rounds}${salt_text}${digest}"
        )))
    }

    /// Whether it is the hash of `password`; nothing if it is of another form than Mailu's own.
    pub fn verifies(&self, password: &Secret) -> Option<bool> {
        let rest = self.0.expose().strip_prefix("$bcrypt-sha256$v=2,t=2b,r=")?;
        let mut parts = rest.split('$');
        let (rounds, salt_text, wanted) = (parts.next()?, parts.next()?, parts.next()?);
        let rounds = rounds
            .parse()
            .ok()
            .filter(|rounds| (4..=31).contains(rounds))?;
        let salt: [u8; 16] = BCRYPT.decode(salt_text).ok()?.try_into().ok()?;
        Some(digest(password.expose(), salt_text, rounds, salt) == wanted)
    }

    /// The hash. It is as good as a secret: weak passwords can be found from it.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

/// Bcrypt of HMAC-SHA-256 of the password with the salt's text as its key: then it may be longer than bcrypt's 72 octets.
fn digest(password: &str, salt_text: &str, rounds: u32, salt: [u8; 16]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(salt_text.as_bytes())
        .unwrap_or_else(|_| unreachable!("HMAC takes keys of any length (RFC 2104 §2)"));
    mac.update(password.as_bytes());
    let mut key = STANDARD.encode(mac.finalize().into_bytes()).into_bytes();
    key.push(0);
    let digest = bcrypt::bcrypt(rounds, salt, &key);
    // The last octet is not part of what is written, in all of bcrypt's implementations.
    BCRYPT.encode(&digest[..23])
}

/// Whether a text is a hash of a form that Mailu's library recognises without mistaking it for another.
fn is_known(text: &str) -> bool {
    let crypt64 = |text: &str, length: usize| {
        text.len() == length
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'/'))
    };
    let salt = |text: &str, longest: usize| {
        text.len() <= longest
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'/'))
    };
    let number = |text: &str, least: u32, most: u32| {
        text.bytes().all(|b| b.is_ascii_digit())
            && text.parse().is_ok_and(|n| (least..=most).contains(&n))
    };
    if let Some((scheme, rest)) = text.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
        // Digest and salt, in base 64.
        let length = match scheme {
            "SSHA" => 20,
            "SSHA256" => 32,
            "SSHA512" => 64,
            _ => return false,
        };
        return STANDARD
            .decode(rest)
            .is_ok_and(|bytes| (length + 4..=length + 16).contains(&bytes.len()));
    }
    let parts: Vec<&str> = text.split('$').collect();
    match parts.as_slice() {
        ["", "2a" | "2b" | "2y", cost, rest] => {
            cost.len() == 2 && number(cost, 4, 31) && crypt64(rest, 53)
        }
        ["", "bcrypt-sha256", head, salt, digest] => {
            let rounds = head
                .strip_prefix("v=2,t=2b,r=")
                .or_else(|| head.strip_prefix("2b,"))
                .or_else(|| head.strip_prefix("2a,"));
            rounds.is_some_and(|rounds| number(rounds, 4, 31))
                && crypt64(salt, 22)
                && crypt64(digest, 31)
        }
        ["", "1", own, digest] => salt(own, 8) && crypt64(digest, 22),
        ["", "5", own, digest] => salt(own, 16) && crypt64(digest, 43),
        ["", "6", own, digest] => salt(own, 16) && crypt64(digest, 86),
        ["", which @ ("5" | "6"), rounds, own, digest] => {
            rounds
                .strip_prefix("rounds=")
                .is_some_and(|rounds| number(rounds, 1000, 999_999_999))
                && salt(own, 16)
                && crypt64(digest, if *which == "5" { 43 } else { 86 })
        }
        [
            "",
            which @ ("pbkdf2" | "pbkdf2-sha256" | "pbkdf2-sha512"),
            rounds,
            own,
            digest,
        ] => {
            let length = match *which {
                "pbkdf2" => 27,
                "pbkdf2-sha256" => 43,
                _ => 86,
            };
            number(rounds, 1, u32::MAX) && salt(own, 128) && crypt64(digest, length)
        }
        _ => false,
    }
}

/// Whether a password is one that Mailu takes, and that can be typed into a mail program.
///
/// # Errors
///
/// The rule that it breaks, without the text.
pub fn check_password(password: &Secret) -> Result<(), &'static str> {
    let text = password.expose();
    if text.chars().count() < SHORTEST {
        return Err("must have at least 8 characters");
    }
    if text.len() > LONGEST {
        return Err("must have at most 4096 octets");
    }
    if text.contains(char::is_control) {
        return Err("must be one line, without control characters");
    }
    if PasswordHash::parse(text).is_ok() {
        return Err("is the hash of a password; give it as one");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT: [u8; 16] = *b"0123456789abcdef";

    #[test]
    fn a_hash_is_of_its_password_alone() {
        let hash = PasswordHash::new(&Secret::new("correct horse"), 4, SALT);
        assert!(hash.expose().starts_with("$bcrypt-sha256$v=2,t=2b,r=4$"));
        assert_eq!(PasswordHash::parse(hash.expose()).as_ref(), Ok(&hash));
        assert_eq!(hash.verifies(&Secret::new("correct horse")), Some(true));
        assert_eq!(hash.verifies(&Secret::new("correct horsf")), Some(false));
        assert_eq!(format!("{hash:?}"), "PasswordHash(***)");
    }

    /// From passlib 1.7.4's own tests of `bcrypt_sha256`.
    #[test]
    fn passlibs_vectors_verify() {
        for (password, hash) in [
            (
                "",
                "$bcrypt-sha256$v=2,t=2b,r=5$E/e/2AOhqM5W/KJTFQzLce$WFPIZKtDDTriqWwlmRFfHiOTeheAZWe",
            ),
            (
                "password",
                "$bcrypt-sha256$v=2,t=2b,r=5$5Hg1DKFqPE8C2aflZ5vVoe$wOK1VFFtS8IGTrGa7.h5fs0u84qyPbS",
            ),
        ] {
            let hash = PasswordHash::parse(hash).expect("a hash");
            assert_eq!(
                hash.verifies(&Secret::new(password)),
                Some(true),
                "{password}"
            );
        }
    }

    #[test]
    fn what_is_no_hash_is_refused() {
        for text in [
            "",
            "secret",
            "$6$",
            "$2b$12$short",
            "$2b$32$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
            "{SSHA}x",
            "{PLAIN}secret",
            "{CRYPT}secret",
            "5f4dcc3b5aa765d61d8327deb882cf99",
            "rEK1ecacw.7.c",
            "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$aGFzaA",
            "!",
            "*",
        ] {
            assert!(PasswordHash::parse(text).is_err(), "{text}");
        }
        let bcrypt = "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
        let known = PasswordHash::parse(&format!("{{BLF-CRYPT}}{bcrypt}")).expect("a hash");
        assert_eq!(known.expose(), bcrypt);
        assert_eq!(known.verifies(&Secret::new("x")), None);
    }

    #[test]
    fn a_password_has_to_be_one() {
        for bad in [
            "",
            "short",
            "two\nlines!",
            "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        ] {
            assert!(check_password(&Secret::new(bad)).is_err(), "{bad}");
        }
        assert!(check_password(&Secret::new("pässwörd")).is_ok());
    }
}
