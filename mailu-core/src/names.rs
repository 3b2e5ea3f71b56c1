//! Names, parsed once and trusted afterwards: lower case, and ASCII (A-labels) wherever DNS or a file of Mailu's sees them.

use std::fmt;
use std::str::FromStr;

use idna::AsciiDenyList;
use idna::uts46::{DnsLength, Hyphens, Uts46};
use serde::{Serialize, Serializer};
use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

/// Why a text is not the name it should be. Says the rule, not the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NameError(String);

impl NameError {
    fn new(rule: impl Into<String>) -> Self {
        Self(rule.into())
    }
}

/// A fully qualified domain name of at least two labels, without the final dot.
///
/// Kept twice: as A-labels (RFC 5890) for DNS, certificates and Mailu's environment, and as people write it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DomainName {
    ascii: String,
    unicode: String,
}

impl DomainName {
    /// The name in A-labels: `xn--mnchen-3ya.de`.
    pub fn as_str(&self) -> &str {
        &self.ascii
    }

    /// The name as people write it: `münchen.de`. Mailu names DKIM key files and mailboxes in this form.
    pub fn unicode(&self) -> &str {
        &self.unicode
    }

    /// With the final dot, as zone files want it.
    pub fn absolute(&self) -> String {
        format!("{}.", self.ascii)
    }

    /// Whether this name is `zone` or lies below it.
    pub fn is_in(&self, zone: &Self) -> bool {
        self.ascii
            .strip_suffix(&zone.ascii)
            .is_some_and(|head| head.is_empty() || head.ends_with('.'))
    }

    /// The domain that a registry sells this name under, by the public suffix list; the last two labels where no rule is known.
    #[must_use]
    pub fn registrable(&self) -> Self {
        let found = psl::domain_str(&self.ascii).map_or_else(
            || {
                let mut labels = self.ascii.rsplit('.');
                let (last, second) = (labels.next(), labels.next());
                match (second, last) {
                    (Some(second), Some(last)) => format!("{second}.{last}"),
                    _ => self.ascii.clone(),
                }
            },
            str::to_owned,
        );
        found.parse().unwrap_or_else(|_| self.clone())
    }
}

impl FromStr for DomainName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::new("must not be empty"));
        }
        if text.trim() != text || text.contains(char::is_whitespace) {
            return Err(NameError::new("must not contain spaces"));
        }
        if text.contains("://") || text.contains('/') {
            return Err(NameError::new("must be a name, not a URL"));
        }
        if text.contains('@') {
            return Err(NameError::new("must be a domain name, not a mail address"));
        }
        if text.starts_with("*.") {
            return Err(NameError::new("must be one name, not a wildcard"));
        }
        if text.parse::<std::net::IpAddr>().is_ok() {
            return Err(NameError::new("must be a name, not an IP address"));
        }
        let text = text.strip_suffix('.').unwrap_or(text);
        let ascii = Uts46::new()
            .to_ascii(
                text.as_bytes(),
                AsciiDenyList::STD3,
                Hyphens::CheckFirstLast,
                DnsLength::Verify,
            )
            .map_err(|_| {
                NameError::new(
                    "must be a host name: labels of letters, digits and inner hyphens, at most 63 octets each and 253 in all (RFC 1123)",
                )
            })?
            .into_owned();
        if !ascii.contains('.') {
            return Err(NameError::new(
                "must be fully qualified: at least two labels, such as `mail.example.com`",
            ));
        }
        if ascii
            .rsplit('.')
            .next()
            .is_some_and(|tld| tld.bytes().all(|b| b.is_ascii_digit()))
        {
            return Err(NameError::new(
                "must not end in an all-numeric label: that is read as an IP address",
            ));
        }
        let (unicode, valid) = Uts46::new().to_unicode(
            ascii.as_bytes(),
            AsciiDenyList::STD3,
            Hyphens::CheckFirstLast,
        );
        if valid.is_err() || !unicode.chars().all(is_idna2008) {
            return Err(NameError::new(
                "must be a valid internationalised name by IDNA 2008 (letters, digits and marks; no symbols or emoji)",
            ));
        }
        Ok(Self {
            unicode: unicode.into_owned(),
            ascii,
        })
    }
}

/// IDNA 2008 (RFC 5892) admits letters, marks and decimal digits; UTS 46 alone also lets symbols pass, on which Mailu's admin fails.
fn is_idna2008(c: char) -> bool {
    c.is_ascii()
        || matches!(
            c,
            '\u{b7}' | '\u{375}' | '\u{5f3}' | '\u{5f4}' | '\u{30fb}' | '\u{200c}' | '\u{200d}'
        )
        || matches!(
            c.general_category_group(),
            GeneralCategoryGroup::Letter | GeneralCategoryGroup::Mark
        )
        || c.is_numeric() && c.general_category_group() == GeneralCategoryGroup::Number
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.ascii)
    }
}

impl Serialize for DomainName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.ascii)
    }
}

macro_rules! domain_role {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(DomainName);

        impl std::ops::Deref for $name {
            type Target = DomainName;
            fn deref(&self) -> &DomainName {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        #[cfg(feature = "schema")]
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "minLength": 3, "maxLength": 254 })
            }
        }
    };
}

domain_role! {
    /// The public name of the server: Mailu's `HOSTNAMES[0]`, AgencyStack's DOMAIN.
    MailHost
}
domain_role! {
    /// The part after the `@`: Mailu's `DOMAIN`, AgencyStack's `EMAIL_DOMAIN`.
    EmailDomain
}

impl FromStr for MailHost {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        text.parse().map(Self)
    }
}

impl EmailDomain {
    /// Mailu's database column for a domain name holds this many octets.
    pub const MAX_LEN: usize = 80;
}

impl FromStr for EmailDomain {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        let name: DomainName = text.parse()?;
        if name.as_str().len() > Self::MAX_LEN {
            return Err(NameError::new(
                "must be at most 80 octets long: that is all Mailu's database keeps of a domain name",
            ));
        }
        Ok(Self(name))
    }
}

/// A mail address with a dot-atom local part (RFC 5321 §4.1.2), lower case, as Mailu's admin accepts it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EmailAddress {
    local: LocalPart,
    domain: EmailDomain,
}

impl EmailAddress {
    /// The part before the `@`.
    pub fn local(&self) -> &LocalPart {
        &self.local
    }

    /// The part after the `@`.
    pub fn domain(&self) -> &EmailDomain {
        &self.domain
    }
}

impl FromStr for EmailAddress {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (local, domain) = text.rsplit_once('@').ok_or_else(|| {
            NameError::new("must be a mail address with an `@`, such as `admin@example.com`")
        })?;
        Ok(Self {
            local: local.parse()?,
            domain: domain
                .parse()
                .map_err(|NameError(rule)| NameError(format!("the part after the `@` {rule}")))?,
        })
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local, self.domain)
    }
}

impl Serialize for EmailAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for EmailAddress {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "EmailAddress".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "email", "maxLength": 320 })
    }
}

macro_rules! text_name {
    ($(#[$meta:meta])* $name:ident, $max:literal, $pattern:literal, $check:expr) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                let check: fn(&str) -> Result<String, NameError> = $check;
                check(text).map(Self)
            }
        }

        #[cfg(feature = "schema")]
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "pattern": $pattern, "maxLength": $max })
            }
        }
    };
}

text_name! {
    /// The part of an address before the `@`: a dot-atom of at most 64 octets (RFC 5321 §4.5.3.1.1), lower case.
    LocalPart, 64, r"^[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+$", |text| {
        let atom = |part: &str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+/=?^_`{|}~-".contains(&b))
        };
        if text.is_empty() || text.len() > 64 || !text.split('.').all(atom) {
            return Err(NameError::new(
                "the part before the `@` must be a plain local part: letters, digits and inner dots, at most 64 octets",
            ));
        }
        Ok(text.to_ascii_lowercase())
    }
}

text_name! {
    /// The tenant a deployment belongs to. Part of folder, project and container names.
    ClientId, 32, "^[a-z0-9]([a-z0-9_-]*[a-z0-9])?$", |text| {
        let bytes = text.as_bytes();
        let inner = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-');
        let outer = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if bytes.len() > 32 || !bytes.iter().all(inner) || !outer(bytes.first()) || !outer(bytes.last()) {
            return Err(NameError::new(
                "must be 1 to 32 lower-case letters, digits, `-` or `_`, starting and ending with a letter or digit: it becomes part of folder and container names",
            ));
        }
        Ok(text.to_owned())
    }
}

text_name! {
    /// A DKIM selector: one or more DNS labels (RFC 6376 §3.1).
    Selector, 63, "^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$", |text| {
        let label = |label: &str| {
            !label.is_empty()
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        if text.len() > 63 || !text.split('.').all(label) {
            return Err(NameError::new(
                "must be a DKIM selector: DNS labels of letters, digits and inner hyphens, at most 63 octets (RFC 6376 §3.1)",
            ));
        }
        Ok(text.to_ascii_lowercase())
    }
}

text_name! {
    /// A Compose project name, which is also the prefix of the deployment's container names.
    ProjectName, 63, "^[a-z0-9][a-z0-9_-]*$", |text| {
        let bytes = text.as_bytes();
        let inner = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-');
        if bytes.is_empty() || bytes.len() > 63 || !bytes.iter().all(inner) || matches!(bytes.first(), Some(b'_' | b'-')) {
            return Err(NameError::new(
                "must be 1 to 63 lower-case letters, digits, `-` or `_`, starting with a letter or digit (Compose's rule for project names)",
            ));
        }
        Ok(text.to_owned())
    }
}

text_name! {
    /// A name of Docker's or Traefik's: a network, an entry point, a certificate resolver.
    ObjectName, 63, "^[A-Za-z0-9][A-Za-z0-9_.-]*$", |text| {
        let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
        if text.is_empty() || text.len() > 63 || !text.bytes().all(inner) || !text.as_bytes()[0].is_ascii_alphanumeric() {
            return Err(NameError::new(
                "must be 1 to 63 letters, digits, `_`, `-` or `.`, starting with a letter or digit (Docker's rule for object names)",
            ));
        }
        Ok(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lower_case_a_labels() {
        let name: DomainName = "Mail.MÜNCHEN.de.".parse().expect("a valid name");
        assert_eq!(name.as_str(), "mail.xn--mnchen-3ya.de");
        assert_eq!(name.unicode(), "mail.münchen.de");
        assert_eq!(name.absolute(), "mail.xn--mnchen-3ya.de.");
    }

    #[test]
    fn bad_names_are_refused_with_the_rule() {
        for (text, rule) in [
            ("", "empty"),
            ("localhost", "fully qualified"),
            ("mail example.com", "spaces"),
            ("https://mail.example.com", "URL"),
            ("a@example.com", "mail address"),
            ("*.example.com", "wildcard"),
            ("192.0.2.1", "IP address"),
            ("2001:db8::1", "IP address"),
            ("10.0", "all-numeric"),
            ("-a.example.com", "host name"),
            ("a_b.example.com", "host name"),
            ("a..example.com", "host name"),
            ("☃.example.com", "IDNA 2008"),
            ("💌.example.com", "IDNA 2008"),
            (&format!("{}.example.com", "a".repeat(64)), "host name"),
            (&format!("{}com", "abcdefgh.".repeat(32)), "host name"),
        ] {
            let error = text.parse::<DomainName>().expect_err(text);
            assert!(error.to_string().contains(rule), "{text}: {error}");
        }
        let long = format!("{}.{}.com", "a".repeat(40), "b".repeat(40));
        assert!(long.parse::<MailHost>().is_ok());
        assert!(long.parse::<EmailDomain>().is_err());
    }

    #[test]
    fn zones() {
        let name = |text: &str| text.parse::<DomainName>().expect(text);
        assert!(name("mail.example.com").is_in(&name("example.com")));
        assert!(!name("mail.notexample.com").is_in(&name("example.com")));
        assert_eq!(
            name("mail.client.co.uk").registrable(),
            name("client.co.uk")
        );
        assert_eq!(name("mx.mail1.test").registrable(), name("mail1.test"));
    }

    #[test]
    fn addresses() {
        let address: EmailAddress = "Jane.Doe+x@Example.COM".parse().expect("valid");
        assert_eq!(address.to_string(), "jane.doe+x@example.com");
        for bad in [
            "jane",
            "@example.com",
            "a b@example.com",
            "a@b",
            ".a@example.com",
            "a..b@example.com",
            "\"a\"@example.com",
            "a@b@example.com",
        ] {
            assert!(bad.parse::<EmailAddress>().is_err(), "{bad}");
        }
    }

    #[test]
    fn small_names() {
        assert!("tenant1".parse::<ClientId>().is_ok());
        for bad in [
            "",
            "Tenant",
            "a/b",
            "..",
            "-a",
            "a-",
            "a b",
            &"a".repeat(33),
        ] {
            assert!(bad.parse::<ClientId>().is_err(), "{bad}");
        }
        assert_eq!(
            "DKIM".parse::<Selector>().map(|s| s.to_string()),
            Ok("dkim".to_owned())
        );
        assert!("a_b".parse::<Selector>().is_err());
        assert!("_x".parse::<ProjectName>().is_err());
        assert!("a`b".parse::<ObjectName>().is_err());
    }
}
