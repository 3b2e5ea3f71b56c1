//! Values with a grammar of their own: sizes, rates, versions, networks, image references, paths.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::{Serialize, Serializer};
use toml::Value;

use super::value::{FromValue, from_text, invalid, parse_text, wrong_type};
use crate::diagnose::IgnoreRule;
use crate::finding::Finding;
use crate::names::{
    ClientId, EmailAddress, EmailDomain, LocalPart, MailHost, ObjectName, ProjectName, Selector,
};

from_text! {
    MailHost => "mail.example.com",
    EmailDomain => "example.com",
    EmailAddress => "admin@example.com",
    ClientId => "tenant1",
    LocalPart => "postmaster",
    Selector => "dkim",
    ProjectName => "mailu_tenant1",
    ObjectName => "mailu_proxy",
    RateLimit => "200/day",
    Version => "2024.06.57",
    ImageRef => "redis:7.4.2-alpine",
    UrlPath => "/webmail",
    HttpUrl => "https://www.example.com",
    Line => "one line of text",
    FilePath => "/etc/ssl/private/mail.pem",
    AgeRecipient => "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p",
    RelayHost => "[smtp.example.net]:587",
    SpfTerm => "include:_spf.example.net",
    IgnoreRule => "spf.all@example.com until 2027-01-31: the newsletter service is being moved",
    ReportUri => "tlsrpt@example.com",
    HttpsUrl => "https://www.example.com/logo.svg",
    CaaIssuer => "letsencrypt.org",
    Alternative => "example.net=example.com",
    Language => "en",
    Timezone => "Europe/Berlin",
    Delimiters => "+",
    Text => "one or more lines",
    Registry => "ghcr.io/mailu",
    Prefix => "stable-",
}

macro_rules! display_and_serialize {
    ($($ty:ty),*) => {$(
        impl Serialize for $ty {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        #[cfg(feature = "schema")]
        impl schemars::JsonSchema for $ty {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($ty).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string" })
            }
        }
    )*};
}
display_and_serialize!(
    RateLimit,
    Version,
    ImageRef,
    UrlPath,
    HttpUrl,
    Line,
    FilePath,
    AgeRecipient,
    RelayHost,
    SpfTerm,
    IgnoreRule,
    ReportUri,
    HttpsUrl,
    CaaIssuer,
    Alternative,
    Language,
    Timezone,
    Delimiters,
    Cidr
);

/// A number of bytes; `25GB` is 25 · 10⁹, `25GiB` is 25 · 2³⁰.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Bytes(#[cfg_attr(feature = "schema", schemars(with = "BytesSchema"))] pub u64);

/// `Bytes` as a file may write it.
#[cfg(feature = "schema")]
#[derive(schemars::JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum BytesSchema {
    Number(u64),
    Text(String),
}

impl FromValue for Bytes {
    fn from_value(value: &Value, at: &str, out: &mut Vec<Finding>) -> Option<Self> {
        let example = "write a number of bytes, or a size such as \"25GB\" or \"50MB\"";
        match value {
            Value::Integer(number) => {
                let bytes = u64::try_from(*number).ok().map(Self);
                if bytes.is_none() {
                    out.push(invalid(at, number, "must not be negative").hint(example));
                }
                bytes
            }
            Value::String(text) => {
                let parsed = text
                    .parse::<bytesize::ByteSize>()
                    .ok()
                    .filter(|_| text.bytes().any(|b| b.is_ascii_digit()));
                if parsed.is_none() {
                    out.push(
                        invalid(at, text, "must be a size: a number, then B, kB, MB, GB, TB or KiB, MiB, GiB, TiB")
                            .hint(example),
                    );
                }
                parsed.map(|size| Self(size.as_u64()))
            }
            other => {
                out.push(wrong_type(other, at, "a size", "quota = \"25GB\"").hint(example));
                None
            }
        }
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", bytesize::ByteSize(self.0).display().si())
    }
}

/// How often something may happen: one rate in the grammar of Python's `limits`, which Mailu's admin parses on every request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateLimit(String);

impl FromStr for RateLimit {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const RULE: &str = "must be a rate such as `200/day` or `10 per 2 hours`: a whole number above 0 per second, minute, hour, day, month or year (Mailu parses it on every request and answers 500 to all of them if it cannot)";
        let mut rates = text.split([',', ';', '|']);
        if !rates.clone().all(|item| amount(item).is_some()) {
            Err(RULE)
        } else if rates.nth(1).is_some() {
            Err("must be one rate: Mailu goes by the first of several and ignores the others")
        } else {
            Ok(Self(text.trim().to_owned()))
        }
    }
}

/// How often, in how many seconds. Months and years are those of `limits`: 30 days, and twelve months.
fn amount(rate: &str) -> Option<(u32, u64)> {
    let rate = rate.trim().to_ascii_lowercase();
    let digits = rate.bytes().take_while(u8::is_ascii_digit).count();
    let (count, rest) = rate.split_at(digits);
    let count = count.parse::<u32>().ok().filter(|count| *count > 0)?;
    let rest = rest.trim_start();
    let rest = rest
        .strip_prefix('/')
        .or_else(|| rest.strip_prefix("per "))?
        .trim_start();
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (every, unit) = rest.split_at(digits);
    let every: u32 = match every {
        "" => 1,
        every => every.parse().ok().filter(|every| *every > 0)?,
    };
    let unit = unit.trim_start();
    let seconds = match unit.strip_suffix('s').unwrap_or(unit) {
        "second" => 1,
        "minute" => 60,
        "hour" => 3_600,
        "day" => 86_400,
        "month" => 30 * 86_400,
        "year" => 12 * 30 * 86_400,
        _ => return None,
    };
    Some((count, u64::from(every) * seconds))
}

impl RateLimit {
    /// How often, in how many seconds.
    pub fn amount(&self) -> (u32, u64) {
        // What is not one was refused when it was read.
        amount(&self.0).unwrap_or((1, 1))
    }
}

impl fmt::Display for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A release of the 2024.06 series, always with its patch number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// The number after `2024.06.`.
    pub patch: u32,
}

impl Version {
    /// What a new deployment gets.
    pub const DEFAULT: Self = Self { patch: 57 };
    /// Below it, `ClamAV`'s data lies elsewhere (Mailu's fragment 3735).
    pub const OLDEST: Self = Self { patch: 33 };
    /// Below it, anybody may change tokens through the exposed API (CVE-2026-49217).
    pub const SAFE_API: Self = Self { patch: 52 };
    /// Below it, a forged header logs in wherever `PROXY_AUTH_WHITELIST` is used (GHSA-rfhj-4wcq-74xg).
    pub const SAFE_PROXY_AUTH: Self = Self { patch: 55 };
}

impl Default for Version {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl Default for Timezone {
    fn default() -> Self {
        Self("Etc/UTC".to_owned())
    }
}

impl FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let pinned = format!("`{}`", Self::DEFAULT);
        if matches!(text, "latest" | "master" | "2024.06") {
            return Err(format!(
                "must be pinned to a patch release such as {pinned}: `{text}` is a tag that moves, so two hosts, or one host on two days, would run different software"
            ));
        }
        if text.starts_with("1.") || text.starts_with("2.0") {
            return Err(format!(
                "must be of the 2024.06 series, such as {pinned}: Mailu {text} is no longer maintained and its variables differ"
            ));
        }
        let patch = text
            .strip_prefix("2024.06.")
            .filter(|patch| !patch.starts_with('0') && patch.bytes().all(|b| b.is_ascii_digit()))
            .and_then(|patch| patch.parse().ok())
            .ok_or_else(|| {
                format!("must be a patch release of the 2024.06 series, such as {pinned}")
            })?;
        let version = Self { patch };
        if version < Self::OLDEST {
            return Err(format!(
                "must be at least `{}`: older releases keep ClamAV's data in another place; use {pinned}",
                Self::OLDEST
            ));
        }
        Ok(version)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "2024.06.{}", self.patch)
    }
}

/// A network in CIDR notation, without host bits; a bare address counts as a network of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cidr(pub IpNet);

impl FromStr for Cidr {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self(address.into()));
        }
        let net: IpNet = text.parse().map_err(|_| {
            "must be a network in CIDR notation, such as `10.203.0.0/24`".to_owned()
        })?;
        if net.trunc() != net {
            return Err(format!(
                "must not have bits set after the prefix; did you mean `{}`?",
                net.trunc()
            ));
        }
        Ok(Self(net))
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromValue for Cidr {
    fn from_value(value: &Value, at: &str, out: &mut Vec<Finding>) -> Option<Self> {
        parse_text(value, at, "10.203.0.0/24", out)
    }
}

macro_rules! network_value {
    ($net:ty, $pattern:path, $rule:literal, $example:literal) => {
        impl FromValue for $net {
            fn from_value(value: &Value, at: &str, out: &mut Vec<Finding>) -> Option<Self> {
                let Cidr(net) = parse_text(value, at, $example, out)?;
                if let $pattern(net) = net {
                    return Some(net);
                }
                out.push(invalid(at, net, $rule).hint(concat!("write it like \"", $example, "\"")));
                None
            }
        }
    };
}
network_value!(
    Ipv4Net,
    IpNet::V4,
    "must be an IPv4 network",
    "10.203.0.0/25"
);
network_value!(
    Ipv6Net,
    IpNet::V6,
    "must be an IPv6 network",
    "fd12:3456:789a:beef::/64"
);

macro_rules! address_value {
    ($($ty:ty => $rule:literal, $example:literal);* $(;)?) => {$(
        impl FromValue for $ty {
            fn from_value(value: &Value, at: &str, out: &mut Vec<Finding>) -> Option<Self> {
                let Value::String(text) = value else {
                    out.push(wrong_type(value, at, "text in quotes", concat!("address = \"", $example, "\"")));
                    return None;
                };
                let parsed = text.parse().ok();
                if parsed.is_none() {
                    out.push(invalid(at, text, $rule).hint(concat!("write it like \"", $example, "\"")));
                }
                parsed
            }
        }
    )*};
}
address_value! {
    IpAddr => "must be an IP address", "203.0.113.10";
    Ipv4Addr => "must be an IPv4 address", "203.0.113.10";
    std::net::Ipv6Addr => "must be an IPv6 address", "2001:db8::10";
}

macro_rules! checked_text {
    ($($(#[$meta:meta])* $name:ident : $check:expr;)*) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = &'static str;
            fn from_str(text: &str) -> Result<Self, &'static str> {
                let check: fn(&str) -> Result<(), &'static str> = $check;
                check(text)?;
                Ok(Self(text.to_owned()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

fn require(holds: bool, rule: &'static str) -> Result<(), &'static str> {
    if holds { Ok(()) } else { Err(rule) }
}

const LANGUAGES: [&str; 14] = [
    "da", "de", "en", "es", "fi", "fr", "it", "nl", "no", "pt", "ro", "ru", "sv", "tr",
];

checked_text! {
    /// One line of text for people. Quotes, `$` and `#` are fine; line breaks are not.
    Line: |text| {
        require(!text.chars().any(char::is_control), "must be one line without control characters")?;
        require(!text.ends_with('\\'), "must not end in a backslash: an environment file cannot carry that to both versions of Compose")?;
        require(text.chars().count() <= 200, "must be at most 200 characters long")
    };
    /// An image with a tag or digest that does not move.
    ImageRef: |text| {
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest)),
            None => (text, None),
        };
        let (path, tag) = match name.rsplit_once(':') {
            Some((path, tag)) if !tag.contains('/') => (path, Some(tag)),
            _ => (name, None),
        };
        let port_or_label = |part: &str| {
            !part.is_empty()
                && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b))
        };
        let mut parts = path.split('/');
        let first_ok = parts.next().is_some_and(|first| {
            first.split_once(':').map_or_else(
                || port_or_label(first),
                |(host, port)| port_or_label(host) && path.contains('/') && port.parse::<u16>().is_ok(),
            )
        });
        require(
            first_ok && parts.all(port_or_label),
            "must be an image reference such as `registry.example.com/redis:7.4.2-alpine`",
        )?;
        let digest_ok = digest.is_none_or(|d| {
            d.strip_prefix("sha256:").is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
        });
        require(digest_ok, "must end in `@sha256:` and 64 hexadecimal digits if it names a digest")?;
        let tag_ok = tag.is_none_or(|t| {
            !t.is_empty() && t.len() <= 128 && t.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        });
        require(tag_ok, "must have a tag of letters, digits, `.`, `_` and `-`")?;
        require(
            digest.is_some() || tag.is_some_and(|t| t.bytes().any(|b| b.is_ascii_digit()) && !t.starts_with("latest")),
            "must be pinned by a version tag or a digest: `latest` and tags without a number move",
        )
    };
    /// A path on the web server: leading slash, no trailing one.
    UrlPath: |text| {
        require(
            text.starts_with('/'),
            "must start with a slash: Mailu's front and admin fail without it",
        )?;
        require(
            text == "/" || !text.ends_with('/'),
            "must not end in a slash: front appends its own",
        )?;
        require(
            text.bytes().all(|b| b.is_ascii_alphanumeric() || b"/_.-".contains(&b)) && !text.contains("//") && !text.contains(".."),
            "must be a plain path of letters, digits, `-`, `_`, `.`: it is copied into nginx's configuration",
        )
    };
    /// An address of a web site.
    HttpUrl: |text| {
        let url = url::Url::parse(text).map_err(|_| "must be a URL such as `https://www.example.com`")?;
        require(
            matches!(url.scheme(), "http" | "https") && url.has_host() && !text.chars().any(|c| c.is_control() || c.is_whitespace()),
            "must be an http or https URL on one line",
        )?;
        require(url.password().is_none(), "must not contain a password")
    };
    /// An absolute path of a file on the host.
    FilePath: |text| {
        require(text.starts_with('/'), "must be an absolute path")?;
        require(!text.chars().any(char::is_control), "must not contain control characters")
    };
    /// A public key of age, which backups are encrypted for: `age1…`.
    AgeRecipient: |text| {
        require(
            !text.to_ascii_uppercase().starts_with("AGE-SECRET-KEY"),
            "must be the public key, age1…: the secret one, which opens backups, does not belong on this host (`age-keygen -y FILE` prints the public one)",
        )?;
        // Bech32 of 32 bytes: 52 characters and a checksum of 6.
        let letters = text.strip_prefix("age1").unwrap_or_default();
        require(
            letters.len() == 58 && letters.bytes().all(|b| b"qpzry9x8gf2tvdw0s3jn54khce6mua7l".contains(&b)),
            "must be a public key of age, `age1` and 58 characters, as `age-keygen` prints it",
        )
    };
    /// Where all outgoing mail goes: `[host]:port`.
    RelayHost: |text| {
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (text, None),
        };
        let inner = host.strip_prefix('[').map_or(Some(host), |h| h.strip_suffix(']'));
        let host_ok = inner.is_some_and(|h| {
            h.parse::<IpAddr>().is_ok() || h.parse::<crate::names::DomainName>().is_ok()
        });
        require(host_ok, "must be `[host]:port` with a full host name or address: the brackets keep Postfix from looking up MX records")?;
        let port = port.map(str::parse::<u16>);
        require(!matches!(port, Some(Err(_) | Ok(0))), "must have a port between 1 and 65535")?;
        require(
            port != Some(Ok(465)),
            "must not use port 465: Mailu's Postfix speaks STARTTLS to a relay and would wait for ever on an implicit-TLS port; use 587",
        )
    };
    /// A mechanism for the SPF record (RFC 7208 §5), such as `include:_spf.example.net` or `ip4:192.0.2.0/24`.
    SpfTerm: |text| {
        let bare = text.strip_prefix(['+', '?', '~', '-']).unwrap_or(text);
        let (name, rest) = match bare.find([':', '/']) {
            Some(at) => (&bare[..at], &bare[at + 1..]),
            None => (bare, ""),
        };
        require(
            text.is_ascii() && !text.bytes().any(|b| b <= b' ' || b == b'"' || b == b'\\'),
            "must be one SPF mechanism without spaces or quotes",
        )?;
        let ok = match name {
            "include" | "exists" => bare[name.len()..].starts_with(':') && !rest.is_empty(),
            "ip4" => rest.parse::<Ipv4Addr>().is_ok() || rest.parse::<Ipv4Net>().is_ok(),
            "ip6" => rest.parse::<std::net::Ipv6Addr>().is_ok() || rest.parse::<Ipv6Net>().is_ok(),
            "a" | "mx" => true,
            _ => false,
        };
        require(
            ok,
            "must be an SPF mechanism: `include:…`, `ip4:…`, `ip6:…`, `a:…`, `mx:…` or `exists:…` (RFC 7208 §5; `all` is set by `dns.spf_all`)",
        )
    };
    /// Where reports go (RFC 8460 §3): a mail address, with or without `mailto:`, or an https address.
    ReportUri: |text| {
        if text.starts_with("https://") {
            let url = url::Url::parse(text).ok();
            require(
                url.is_some_and(|url| url.has_host() && url.password().is_none())
                    && text.bytes().all(|b| b.is_ascii_graphic() && !b",!;\"\\".contains(&b)),
                "must be an https address in plain ASCII; `,`, `!` and `;` separate there and are written as %2C, %21 and %3B (RFC 8460 §3)",
            )
        } else {
            require(
                text.strip_prefix("mailto:").unwrap_or(text).parse::<EmailAddress>().is_ok(),
                "must be a mail address or an https address (RFC 8460 §3)",
            )
        }
    };
    /// An https address as the tags of a record can have it: `;` and `,` separate there.
    HttpsUrl: |text| {
        let url = url::Url::parse(text).ok();
        require(
            text.starts_with("https://")
                && url.is_some_and(|url| url.has_host() && url.password().is_none() && url.username().is_empty())
                && text.bytes().all(|b| b.is_ascii_graphic() && !b",;\"\\".contains(&b)),
            "must be an https address in plain ASCII, with `,` and `;` written as %2C and %3B",
        )
    };
    /// A certificate authority as CAA records name it (RFC 8659 §4.2): its domain, perhaps with parameters.
    CaaIssuer: |text| {
        let mut parts = text.split(';').map(str::trim);
        let issuer = parts.next().is_some_and(|name| name.is_ascii() && name.parse::<crate::names::DomainName>().is_ok());
        let parameters = parts.all(|part| {
            part.split_once('=').is_some_and(|(tag, value)| {
                !tag.is_empty()
                    && tag.bytes().all(|b| b.is_ascii_alphanumeric())
                    && value.bytes().all(|b| b.is_ascii_graphic() && !b"\"\\".contains(&b))
            })
        });
        require(
            issuer && parameters,
            "must be the domain that a certificate authority goes by in CAA records, perhaps with parameters: `letsencrypt.org;validationmethods=http-01` (RFC 8659 §4.2)",
        )
    };
    /// A language code for full-text search: one of those that Dovecot has a stemmer for.
    Language: |text| {
        require(
            LANGUAGES.contains(&text),
            "must be a language code that Dovecot's search knows: da, de, en, es, fi, fr, it, nl, no, pt, ro, ru, sv or tr",
        )
    };
    /// A zone of the tz database, such as `Europe/Berlin`.
    Timezone: |text| {
        require(
            !text.is_empty()
                && text.len() <= 64
                && text.split('/').all(|part| {
                    !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+-".contains(&b))
                }),
            "must be a zone of the tz database, such as `Etc/UTC` or `Europe/Berlin`",
        )
    };
    /// The characters that separate a mailbox from a tag in an address.
    Delimiters: |text| {
        let mut seen = Vec::new();
        let ok = text.bytes().all(|b| {
            let fresh = !seen.contains(&b);
            seen.push(b);
            fresh && b"+-_.=~".contains(&b)
        });
        require(
            ok,
            "must be some of `+`, `-`, `_`, `.`, `=`, `~`, each once: it is copied into Postfix's and Dovecot's configuration",
        )
    };
}

impl ReportUri {
    /// As it stands in a record: a mail address as `mailto:`, with what separates there in per cent form (RFC 8460 §3).
    pub fn uri(&self) -> String {
        use fmt::Write as _;
        let address = self.0.strip_prefix("mailto:").unwrap_or(&self.0);
        let Ok(address) = address.parse::<EmailAddress>() else {
            return self.0.clone();
        };
        let mut uri = "mailto:".to_owned();
        for byte in address.local().as_str().bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~+".contains(&byte) {
                uri.push(char::from(byte));
            } else {
                let _ = write!(uri, "%{byte:02X}");
            }
        }
        let _ = write!(uri, "@{}", address.domain());
        uri
    }
}

/// A domain whose mail is that of an email domain: Mailu's "alternative".
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Alternative {
    /// The domain.
    pub name: EmailDomain,
    /// Whose mail it is; none: that of `email_domain`.
    pub of: Option<EmailDomain>,
}

impl FromStr for Alternative {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, of) = match text.split_once('=') {
            Some((name, of)) => (name.trim(), Some(of.trim())),
            None => (text, None),
        };
        let parse = |name: &str| {
            name.parse::<EmailDomain>()
                .map_err(|rule| format!("`{name}` {rule}"))
        };
        Ok(Self {
            name: parse(name)?,
            of: of.map(parse).transpose()?,
        })
    }
}

impl fmt::Display for Alternative {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.of {
            Some(of) => write!(f, "{}={of}", self.name),
            None => self.name.fmt(f),
        }
    }
}

/// Text of several lines for people, at most 10,000 characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Text(String);

impl Text {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Text {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text
            .chars()
            .any(|c| c.is_control() && c != '\n' && c != '\t')
        {
            return Err("must not contain control characters other than line breaks and tabs");
        }
        if text.ends_with('\\') {
            return Err(
                "must not end in a backslash: an environment file cannot carry that to both versions of Compose",
            );
        }
        if text.chars().count() > 10_000 {
            return Err("must be at most 10,000 characters long");
        }
        Ok(Self(text.to_owned()))
    }
}

/// Registry and organisation: `ghcr.io/mailu`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Registry(String);

impl Registry {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Registry {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let probe: Result<ImageRef, _> = format!("{text}/x:1").parse();
        if probe.is_err() || text.ends_with('/') {
            return Err(
                "must be a registry and path such as `ghcr.io/mailu`, without a scheme or a final slash",
            );
        }
        Ok(Self(text.to_owned()))
    }
}

/// Text before image names; often empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Prefix(String);

impl Prefix {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Prefix {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fine = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
        if text.len() > 64 || !text.bytes().all(fine) {
            return Err(
                "must be lower-case letters, digits, `.`, `_` or `-`: it becomes the start of an image name",
            );
        }
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ok<T: FromStr>(text: &str) -> bool {
        text.parse::<T>().is_ok()
    }

    #[test]
    fn rates() {
        for good in [
            "5/hour",
            "50/day",
            "10 per 2 hours",
            "200/DAY",
            "3 / minute",
        ] {
            assert!(ok::<RateLimit>(good), "{good}");
        }
        for bad in [
            "",
            "5",
            "5/",
            "/hour",
            "0/day",
            "x/hour",
            "5/fortnight",
            "5 hour",
            "-5/hour",
            "5/day,",
            "99999999999/day",
            "1/second;100/day",
            "1/second, 100/day",
            "1/second|100/day",
        ] {
            assert!(!ok::<RateLimit>(bad), "{bad}");
        }
    }

    #[test]
    fn versions() {
        assert_eq!("2024.06.57".parse(), Ok(Version::DEFAULT));
        for bad in [
            "2024.06",
            "latest",
            "master",
            "2.0",
            "2.0.45",
            "1.9",
            "2024.06.32",
            "2024.06.",
            "2024.06.5x",
            "2024.06.057",
            "2025.01.1",
        ] {
            assert!(!ok::<Version>(bad), "{bad}");
        }
    }

    #[test]
    fn images() {
        for good in [
            "redis:7.4.2-alpine",
            "registry.example.com:5000/a/b:1.0",
            "clamav/clamav-debian:1.4",
            &format!("redis@sha256:{}", "a".repeat(64)),
        ] {
            assert!(ok::<ImageRef>(good), "{good}");
        }
        for bad in [
            "redis",
            "redis:alpine",
            "redis:latest",
            "redis:latest2",
            "Redis:1",
            "a b:1",
            "redis:1\n",
            "redis@sha256:zz",
            ":1",
            "a//b:1",
            "${X}:1",
        ] {
            assert!(!ok::<ImageRef>(bad), "{bad}");
        }
    }

    #[test]
    fn relay_hosts() {
        for good in [
            "[smtp.example.net]:587",
            "smtp.example.net",
            "[192.0.2.1]:25",
            "[2001:db8::1]:587",
            "[smtp.example.net]",
        ] {
            assert!(ok::<RelayHost>(good), "{good}");
        }
        for bad in [
            "",
            "smtp",
            "[smtp.example.net]:465",
            "[smtp.example.net]:0",
            "[smtp.example.net",
            "smtp.example.net:x",
            "a b:25",
            "[smtp.example.net]:70000",
        ] {
            assert!(!ok::<RelayHost>(bad), "{bad}");
        }
    }

    #[test]
    fn paths_terms_and_the_rest() {
        assert!(ok::<UrlPath>("/") && ok::<UrlPath>("/web/mail"));
        for bad in ["", "webmail", "/a/", "/a b", "/a{", "/../x", "//"] {
            assert!(!ok::<UrlPath>(bad), "{bad}");
        }
        for good in [
            "include:_spf.example.net",
            "ip4:192.0.2.0/24",
            "ip6:2001:db8::/32",
            "a",
            "a:mail.example.com",
            "mx/24",
            "~include:x.example",
        ] {
            assert!(ok::<SpfTerm>(good), "{good}");
        }
        for bad in [
            "",
            "all",
            "-all",
            "include:",
            "ip4:x",
            "redirect=x",
            "a b",
            "include:\"x\"",
            "ip4:2001:db8::1",
        ] {
            assert!(!ok::<SpfTerm>(bad), "{bad}");
        }
        for (text, uri) in [
            ("tlsrpt@example.com", "mailto:tlsrpt@example.com"),
            ("mailto:a!b@Example.com", "mailto:a%21b@example.com"),
            ("https://r.example/v1?x=1", "https://r.example/v1?x=1"),
        ] {
            assert_eq!(
                text.parse::<ReportUri>().map(|uri| uri.uri()),
                Ok(uri.to_owned())
            );
        }
        for bad in [
            "",
            "tlsrpt",
            "http://r.example",
            "https://r.example/a,b",
            "https://u:p@r.example",
            "mailto:",
        ] {
            assert!(!ok::<ReportUri>(bad), "{bad}");
        }
        for (text, fine) in [
            ("https://www.example.com/logo.svg", true),
            ("http://www.example.com/logo.svg", false),
            ("https://www.example.com/a;b.svg", false),
            ("https://", false),
            ("logo.svg", false),
        ] {
            assert_eq!(ok::<HttpsUrl>(text), fine, "{text}");
        }
        for good in [
            "letsencrypt.org",
            "letsencrypt.org;validationmethods=http-01",
            "ca.example; account=1; x=y",
        ] {
            assert!(ok::<CaaIssuer>(good), "{good}");
        }
        for bad in [
            "",
            ";",
            "letsencrypt",
            "letsencrypt.org;x",
            "ca.example;a=\"b\"",
            "ca.example;a=b c",
        ] {
            assert!(!ok::<CaaIssuer>(bad), "{bad}");
        }
        assert!(ok::<Alternative>("example.net") && ok::<Alternative>("example.net=example.com"));
        assert!(
            !ok::<Alternative>("example.net=")
                && !ok::<Alternative>("=example.net")
                && !ok::<Alternative>("net")
        );
        assert!(
            ok::<Delimiters>("+-")
                && ok::<Delimiters>("")
                && !ok::<Delimiters>("++")
                && !ok::<Delimiters>("#")
                && !ok::<Delimiters>("a")
        );
        assert!(
            ok::<HttpUrl>("https://example.com/x?y=$z")
                && !ok::<HttpUrl>("javascript:alert(1)")
                && !ok::<HttpUrl>("https://u:p@example.com")
        );
        assert_eq!(
            "10.0.0.5/24"
                .parse::<Cidr>()
                .map_err(|e| e.contains("10.0.0.0/24")),
            Err(true)
        );
    }
}
