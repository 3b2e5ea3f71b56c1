//! What has to hold of a profile, whatever the app.

use super::{Profile, Tls};
use crate::error::{Error, ErrorKind};
use crate::finding::Finding;
use crate::names::EmailAddress;

/// Whether something on the way to an app could take `text` for a number: Ghost's configuration, YAML without quotes,
/// `bench set-config -p`. Then another token has to be made: one of a million of Mailu's 32 hexadecimal digits has but digits and perhaps
/// one `e`.
pub fn is_numeric_looking(text: &str) -> bool {
    let text = text.trim();
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let lower = unsigned.to_ascii_lowercase();
    if matches!(lower.as_str(), "inf" | "infinity" | "nan" | ".inf" | ".nan") {
        return true;
    }
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(digits) = lower.strip_prefix(prefix) {
            return !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix) || c == '_');
        }
    }
    let (mantissa, exponent) = match lower.split_once('e') {
        Some((mantissa, exponent)) => (
            mantissa,
            Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)),
        ),
        None => (lower.as_str(), None),
    };
    let digits = |text: &str, more: &[char]| {
        text.contains(|c: char| c.is_ascii_digit())
            && text
                .chars()
                .all(|c| c.is_ascii_digit() || more.contains(&c))
    };
    digits(mantissa, &['.', '_', ':']) && exponent.is_none_or(|exponent| digits(exponent, &['_']))
}

/// What nothing may contain that ends up in a line of its own: control characters and the line breaks of Unicode.
fn breaks_lines(text: &str) -> bool {
    text.contains(|c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'))
}

/// Everything that is wrong with `profile`, in one error.
///
/// # Errors
///
/// [`ErrorKind::InvalidInput`] with findings; none of them has the secret.
pub(super) fn check(profile: &Profile) -> Result<(), Error> {
    let mut findings = Vec::new();
    let secret = profile.secret.expose();
    if secret.is_empty() {
        findings.push(
            Finding::error("app.secret", "secret", "must not be empty")
                .hint("give the token of the app's mailbox"),
        );
    } else if breaks_lines(secret) {
        findings.push(
            Finding::error(
                "app.secret",
                "secret",
                "must be one line without control characters",
            )
            .hint("use a token of Mailu's: 32 hexadecimal digits"),
        );
    } else if is_numeric_looking(secret) {
        findings.push(
            Finding::error(
                "app.numeric_secret",
                "secret",
                "looks like a number, and some apps would read it as one",
            )
            .hint("rotate the token: make another one, and delete this one"),
        );
    }
    if let Some(name) = &profile.from_name {
        if breaks_lines(name) {
            findings.push(
                Finding::error(
                    "app.from_name",
                    "from_name",
                    "must be one line without control characters: it would add header fields",
                )
                .value(name)
                .hint("write the name in one line"),
            );
        } else if name.trim().is_empty() {
            findings.push(
                Finding::error("app.from_name", "from_name", "must not be empty")
                    .hint("leave it out, if the address is to stand alone"),
            );
        }
    }
    let mut same_domain = |key: &str, address: &EmailAddress| {
        let wanted = profile.login.domain();
        if address.domain() != wanted {
            findings.push(
                Finding::error(
                    "app.sender_domain",
                    key,
                    format!("must be in {wanted}, the domain of the login: Mailu refuses other envelope senders, and signs nothing where domains differ"),
                )
                .value(address)
                .hint(format!("use an address in {wanted} that the login owns: itself, or an alias that leads to it")),
            );
        }
    };
    same_domain("from", &profile.from);
    if let Some(envelope) = &profile.envelope_from {
        same_domain("envelope_from", envelope);
    }
    let other = match profile.tls {
        Tls::Implicit => Tls::Starttls,
        Tls::Starttls => Tls::Implicit,
    };
    if profile.port == other.port() || matches!(profile.port, 0 | 25) {
        findings.push(
            Finding::error(
                "app.port",
                "port",
                "is a port where mail is not handed in in this way",
            )
            .value(profile.port)
            .hint(format!("use {}", profile.tls.port())),
        );
    }
    if findings.is_empty() {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::InvalidInput,
        "app.profile",
        format!(
            "write settings for {}: what they are to say is not right",
            profile.login
        ),
    )
    .findings(findings))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn profile(secret: &str) -> Profile {
        Profile::new(
            "mail.example.com".parse().expect("a host"),
            Tls::Implicit,
            "app@example.com".parse().expect("an address"),
            Secret::new(secret),
        )
    }

    #[test]
    fn what_looks_like_a_number_is_told_from_what_does_not() {
        for number in [
            "12345678901234567890123456789012",
            "1234567890123456789012345678901e5",
            "1e5",
            "1.5",
            "-7",
            "+7",
            ".5",
            "0x1f",
            "0b1",
            "1_000",
            "190:20:30",
            "1E+5",
            " 12 ",
            ".inf",
            "NaN",
        ] {
            assert!(is_numeric_looking(number), "{number}");
        }
        for text in [
            "",
            "e5",
            "1e",
            "1e2e3",
            "0123456789abcdef0123456789abcdef",
            "12a",
            "1-2",
            "0x",
            "correct horse",
            ".",
            "-",
        ] {
            assert!(!is_numeric_looking(text), "{text}");
        }
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once_and_nothing_secret() {
        let mut bad = profile("123456e7");
        bad.from_name = Some("a\nBcc: x@y".to_owned());
        bad.from = "a@other.com".parse().expect("an address");
        bad.envelope_from = Some("b@sub.example.com".parse().expect("an address"));
        bad.port = 587;
        let error = check(&bad).expect_err("five mistakes");
        let ids: Vec<_> = error.all_findings().iter().map(|f| f.id.as_str()).collect();
        assert_eq!(
            ids,
            [
                "app.numeric_secret",
                "app.from_name",
                "app.sender_domain",
                "app.sender_domain",
                "app.port"
            ]
        );
        assert!(!error.to_json().to_string().contains("123456e7"));
        for secret in ["", "a\rb", "a\u{85}b", "a\u{2028}b", "a\0"] {
            assert!(check(&profile(secret)).is_err(), "{secret:?}");
        }
        check(&profile("0123abcd")).expect("all is well");
    }
}
