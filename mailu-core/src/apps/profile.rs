//! What an app has to know of the server and of its own account there, whatever the app.

use crate::names::{DomainName, EmailAddress, MailHost};
use crate::secret::Secret;

/// How a connection for handing mail in is encrypted (RFC 8314).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Tls {
    /// TLS from the first byte, port 465: what every Mailu server offers.
    Implicit,
    /// STARTTLS, required, port 587: only where the deployment has that port.
    Starttls,
}

impl Tls {
    /// The port of submission in this way (RFC 8314 §7.3, RFC 6409).
    pub const fn port(self) -> u16 {
        match self {
            Self::Implicit => 465,
            Self::Starttls => 587,
        }
    }
}

/// Everything that an app is told. All of it is about one login.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Profile {
    /// The name to dial: the one in the certificate, never a container's name or an address.
    pub host: MailHost,
    /// How, which decides the port.
    pub tls: Tls,
    /// The port; another than [`Tls::port`] where the deployment publishes it elsewhere.
    pub port: u16,
    /// Who logs in.
    pub login: EmailAddress,
    /// Its token (or password). A token is 32 hexadecimal digits.
    pub secret: Secret,
    /// What stands in `From:`. The login itself or an address whose mail it gets, in the login's domain: Mailu refuses other
    /// envelope senders, and signs nothing where the two domains differ.
    pub from: EmailAddress,
    /// The name beside the address, as people read it.
    pub from_name: Option<String>,
    /// What the app says of itself in EHLO: the name of its site.
    pub helo: Option<DomainName>,
    /// The envelope sender, where it is not `from`.
    pub envelope_from: Option<EmailAddress>,
    /// Where the app collects what came back. Listmonk alone.
    pub bounces: Option<Bounces>,
    /// Where the app reads mail that it answers.
    pub incoming: Option<Incoming>,
    /// How many messages the login may send; nothing where it is exempt.
    pub throttle: Option<Throttle>,
}

impl Profile {
    /// A profile with the usual port, and all else that is optional left out.
    pub fn new(host: MailHost, tls: Tls, login: EmailAddress, secret: Secret) -> Self {
        Self {
            host,
            tls,
            port: tls.port(),
            from: login.clone(),
            login,
            secret,
            from_name: None,
            helo: None,
            envelope_from: None,
            bounces: None,
            incoming: None,
            throttle: None,
        }
    }

    /// The envelope sender.
    pub fn envelope(&self) -> &EmailAddress {
        self.envelope_from.as_ref().unwrap_or(&self.from)
    }
}

/// A mailbox that is emptied by POP over TLS, port 995.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Bounces {
    /// Its address, which is its login.
    pub login: EmailAddress,
    /// Its token.
    pub secret: Secret,
    /// The port.
    pub port: u16,
}

impl Bounces {
    /// A mailbox at the usual port.
    pub const fn new(login: EmailAddress, secret: Secret) -> Self {
        Self {
            login,
            secret,
            port: 995,
        }
    }
}

/// A mailbox that is read by IMAP over TLS, port 993, with the login and secret of the profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Incoming {
    /// The port.
    pub port: u16,
}

impl Default for Incoming {
    fn default() -> Self {
        Self { port: 993 }
    }
}

/// How much a login may send: Mailu's `MESSAGE_RATELIMIT`, which counts recipients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Throttle {
    /// Recipients.
    pub recipients: u32,
    /// In how many seconds.
    pub seconds: u32,
}

impl Throttle {
    /// So many recipients in so many seconds.
    pub const fn new(recipients: u32, seconds: u32) -> Self {
        Self {
            recipients,
            seconds,
        }
    }
}
