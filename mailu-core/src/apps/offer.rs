//! What a deployment offers to apps.

use super::{Profile, Tls};
use crate::config::{Config, MailPort};
use crate::error::{Error, ErrorKind};
use crate::finding::Finding;
use crate::names::EmailAddress;
use crate::secret::Secret;

/// What an app is to be told of a deployment, before the app is known.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Offer {
    /// How mail is handed in.
    pub tls: Tls,
    /// Who logs in.
    pub login: EmailAddress,
    /// Its token or password.
    pub secret: Secret,
    /// Whether the app reads mail, too.
    pub incoming: bool,
}

impl Offer {
    /// TLS from the first byte, and nothing is read.
    pub fn new(login: EmailAddress, secret: Secret) -> Self {
        Self {
            tls: Tls::Implicit,
            login,
            secret,
            incoming: false,
        }
    }

    /// The profile of the login at the deployment of `config`, by the name in its certificate.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] with findings, if the deployment does not offer one of the ports, or has no such email domain.
    pub fn profile(self, config: &Config) -> Result<Profile, Error> {
        let mut findings = Vec::new();
        let submission = match self.tls {
            Tls::Implicit => MailPort::Submissions,
            Tls::Starttls => MailPort::Submission,
        };
        let reading = self.incoming.then_some(MailPort::Imaps);
        let offered = &config.ports.mail;
        for port in [Some(submission), reading].into_iter().flatten() {
            if !offered.contains(&port) {
                let mut all: Vec<u16> = offered.iter().map(|port| port.number()).collect();
                all.push(port.number());
                all.sort_unstable();
                let all: Vec<_> = all.iter().map(ToString::to_string).collect();
                findings.push(
                    Finding::error(
                        "app.port_closed",
                        "ports.mail",
                        format!(
                            "does not have port {}, which the app would use",
                            port.number()
                        ),
                    )
                    .hint(format!("`mailu config set ports.mail=[{}]`", all.join(","))),
                );
            }
        }
        let domain = self.login.domain();
        if !config.domains().any(|one| one == domain) {
            let all: Vec<_> = config.domains().map(ToString::to_string).collect();
            findings.push(
                Finding::error(
                    "app.foreign_login",
                    "login",
                    format!("is not in an email domain of {}", config.mail_host),
                )
                .value(&self.login)
                .hint(format!("there are: {}", all.join(", "))),
            );
        }
        if !findings.is_empty() {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "app.not_offered",
                format!("write settings for {} at {}", self.login, config.mail_host),
            )
            .findings(findings));
        }
        let mut profile = Profile::new(config.mail_host.clone(), self.tls, self.login, self.secret);
        if self.incoming {
            profile.incoming = Some(super::Incoming::default());
        }
        Ok(profile)
    }
}
