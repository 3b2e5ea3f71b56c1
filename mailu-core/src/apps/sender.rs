//! The account by which an app sends: its mailbox, the addresses that it may use, and how all of that is told from other people's.

use serde::{Deserialize, Serialize};

use super::{Profile, Tls};
use crate::accounts::{Alias, User, UserSettings};
use crate::config::{Config, MailPort};
use crate::error::{Error, ErrorKind};
use crate::finding::Finding;
use crate::names::EmailAddress;
use crate::secret::Secret;

/// What somebody wants of an app's account. What is left out follows from the app.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Wish {
    /// Who logs in.
    pub login: Option<EmailAddress>,
    /// What stands in `From:`.
    pub from: Option<EmailAddress>,
    /// The name beside it.
    pub from_name: Option<String>,
    /// How mail is handed in; TLS from the first byte without one.
    pub tls: Option<Tls>,
    /// Whether the app reads the mailbox by IMAP, too.
    pub incoming: bool,
}

/// The account by which an app sends.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sender {
    /// Who logs in.
    pub login: EmailAddress,
    /// What stands in `From:`.
    pub from: EmailAddress,
    /// The name beside it.
    pub from_name: Option<String>,
    /// How mail is handed in.
    pub tls: Tls,
    /// Whether the app reads the mailbox by IMAP.
    pub incoming: bool,
    /// Whether what comes back is read, by POP, and taken away.
    pub bounces: bool,
    /// The comment by which mailbox and token are known: `agencystack:APP:CLIENT`, and the site where an app has several.
    pub comment: String,
}

/// Who owns the address in `From:`, and what has to be done about it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ownership {
    /// The login has it: it is the login's own address, or an alias that leads there.
    Owned,
    /// An alias that leads to these has to be there.
    Alias(Vec<String>),
    /// It is somebody's, and nothing has to be done: the envelope has the login's own address.
    Other,
}

/// The account by which `app` (its name, in lower case) sends for the site `site`, in the deployment of `config`.
///
/// Listmonk's has one mailbox for log-in, envelope sender and bounces, and lets people read what is answered to `From:`.
///
/// # Errors
///
/// [`ErrorKind::InvalidInput`], `app.sender`, with everything that is wrong: a login outside of the deployment's domains, a sender in another
/// domain than the login, a port that is closed.
pub fn sender(
    config: &Config,
    app: &str,
    site: Option<&str>,
    wish: &Wish,
) -> Result<Sender, Error> {
    let bounces = app == "listmonk";
    let own = |local: &str| -> Result<EmailAddress, Error> {
        format!("{local}@{}", config.email_domain)
            .parse()
            .map_err(|why| {
                Error::new(
                    ErrorKind::InvalidInput,
                    "app.sender",
                    format!("make up an address for {app}: {why}"),
                )
                .hint("name one: `--login ADDRESS`")
            })
    };
    let login = match &wish.login {
        Some(login) => login.clone(),
        None => own(if bounces { "newsletter-bounce" } else { app })?,
    };
    let from = match &wish.from {
        Some(from) => from.clone(),
        None if bounces && wish.login.is_none() => own("news")?,
        None => login.clone(),
    };
    let tls = wish.tls.unwrap_or(Tls::Implicit);
    let mut findings = Vec::new();
    if !config.domains().any(|domain| domain == login.domain()) {
        let all: Vec<_> = config.domains().map(ToString::to_string).collect();
        findings.push(
            Finding::error(
                "app.foreign_login",
                "login",
                format!("is not in an email domain of {}", config.mail_host),
            )
            .value(&login)
            .hint(format!("there are: {}", all.join(", "))),
        );
    }
    if from.domain() != login.domain() {
        findings.push(
            Finding::error(
                "app.sender_domain",
                "from",
                format!("must be in {}, the domain of the login: Mailu signs nothing where the two differ", login.domain()),
            )
            .value(&from)
            .hint(format!("an address in {}, or another login", login.domain())),
        );
    }
    let submission = match tls {
        Tls::Implicit => MailPort::Submissions,
        Tls::Starttls => MailPort::Submission,
    };
    let reading = wish.incoming.then_some(MailPort::Imaps);
    let emptied = bounces.then_some(MailPort::Pop3s);
    let open = config.open_ports();
    for port in [Some(submission), reading, emptied].into_iter().flatten() {
        if !open.contains(&port) {
            let mut all: Vec<u16> = open.iter().map(|port| port.number()).collect();
            all.push(port.number());
            all.sort_unstable();
            let all: Vec<_> = all.iter().map(ToString::to_string).collect();
            let options = config.options();
            findings.push(
                Finding::error(
                    "app.port_closed",
                    "ports.mail",
                    format!(
                        "does not have port {}, which {app} would use",
                        port.number()
                    ),
                )
                .hint(format!(
                    "`mailu config set {options} ports.mail=[{}]`, then `mailu apply {options}`",
                    all.join(",")
                )),
            );
        }
    }
    if !findings.is_empty() {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            "app.sender",
            format!("have {app} send through {}", config.mail_host),
        )
        .findings(findings));
    }
    let client = config
        .client
        .as_ref()
        .map_or("default", |client| client.as_str());
    let comment = match site {
        Some(site) => format!("agencystack:{app}:{client}:{site}"),
        None => format!("agencystack:{app}:{client}"),
    };
    Ok(Sender {
        login,
        from,
        from_name: wish.from_name.clone(),
        tls,
        incoming: wish.incoming,
        bounces,
        comment,
    })
}

impl Sender {
    /// What the mailbox has to be; everything for one that is made, and for one that is there only what the app cannot do without.
    pub fn mailbox(&self, there: Option<&User>) -> UserSettings {
        let mut wanted = UserSettings {
            enable_imap: self.incoming.then_some(true),
            enable_pop: self.bounces.then_some(true),
            // What came back would look like spam, and POP sees the inbox alone.
            spam_enabled: self.bounces.then_some(false),
            ..UserSettings::default()
        };
        if there.is_none() {
            wanted.comment = Some(self.comment.clone());
            wanted.displayed_name.clone_from(&self.from_name);
            wanted.enable_imap = Some(self.incoming);
            wanted.enable_pop = Some(self.bounces);
        }
        wanted
    }

    /// Whether the login may use `From:` as it is (`user` and `alias` are what has that address now), and what has to be done. `reader` gets
    /// what is answered to a newsletter, where nobody has its address yet.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Conflict`], `app.sender_taken`, where somebody else has the address, and the app would use it for the envelope.
    pub fn ownership(
        &self,
        envelope_is_login: bool,
        user: Option<&User>,
        alias: Option<&Alias>,
        reader: &EmailAddress,
    ) -> Result<Ownership, Error> {
        if self.from == self.login {
            return Ok(Ownership::Owned);
        }
        let login = self.login.to_string();
        if user.is_some() {
            if envelope_is_login {
                return Ok(Ownership::Other);
            }
            return Err(Error::new(
                ErrorKind::Conflict,
                "app.sender_taken",
                format!(
                    "send as {} with the login {login}: that address is a mailbox of its own",
                    self.from
                ),
            )
            .hint(format!("use that mailbox itself: `--login {}`", self.from))
            .hint("or another address: `--from ADDRESS`"));
        }
        let there = alias
            .and_then(|alias| alias.settings.destination.clone())
            .unwrap_or_default();
        if there.contains(&login) {
            return Ok(Ownership::Owned);
        }
        if envelope_is_login && alias.is_some() {
            return Ok(Ownership::Other);
        }
        // Bounces are taken away by the app: what people answer must not be among them.
        let to = if self.bounces {
            reader.to_string()
        } else {
            login
        };
        Ok(Ownership::Alias(there.into_iter().chain([to]).collect()))
    }

    /// What the app is told. `exempt` is `MESSAGE_RATELIMIT_EXEMPTION` as Mailu has it.
    pub fn profile(
        &self,
        config: &Config,
        exempt: &str,
        secret: &Secret,
        envelope_is_login: bool,
    ) -> Profile {
        let mut profile = Profile::new(
            config.mail_host.clone(),
            self.tls,
            self.login.clone(),
            secret.clone(),
        );
        profile.from = self.from.clone();
        profile.from_name.clone_from(&self.from_name);
        if envelope_is_login && self.from != self.login {
            profile.envelope_from = Some(self.login.clone());
        }
        if self.bounces {
            profile.bounces = Some(super::Bounces::new(self.login.clone(), secret.clone()));
        }
        if self.incoming {
            profile.incoming = Some(super::Incoming::default());
        }
        profile.throttle = throttle(config, exempt, &self.login);
        profile
    }
}

/// How much the login may send, by the deployment's limits; nothing where `exempt`, Mailu's `MESSAGE_RATELIMIT_EXEMPTION`, names it.
fn throttle(config: &Config, exempt: &str, login: &EmailAddress) -> Option<super::Throttle> {
    if super::exempt::is_exempt(exempt, login) {
        return None;
    }
    let (recipients, seconds) = config.limits.messages.amount();
    Some(super::Throttle::new(
        recipients,
        u32::try_from(seconds).unwrap_or(u32::MAX),
    ))
}

/// What `AgencyStack` and we ourselves remember of an app. No secret is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Entry {
    /// The app's name as people write it; `AgencyStack`'s readers look for it.
    pub title: String,
    /// Its version, or `unknown`.
    pub version: String,
    /// When, in UTC: `20261127T183000Z`. Their reader splits lines at colons.
    pub at: String,
    /// Details without `: " \ | &`.
    pub details: String,
}

impl Entry {
    /// An entry, with what their readers would stumble over replaced.
    pub fn new(title: &str, version: &str, at: &str, details: &str) -> Self {
        let clean = |text: &str| -> String {
            text.chars()
                .map(|c| {
                    if c.is_control() || ":\"\\|&".contains(c) {
                        ' '
                    } else {
                        c
                    }
                })
                .collect()
        };
        Self {
            title: clean(title),
            version: clean(version),
            at: clean(at),
            details: clean(details),
        }
    }
}

/// `AgencyStack`'s list of connected apps (`integrations/state/email.state`, a line for each), with the line of one app as it should be; without it
/// where there is no entry. Lines of others stay as they are.
pub fn state_file(there: &str, title: &str, entry: Option<&Entry>) -> String {
    let is_ours = |line: &str| line.split(':').next() == Some(title);
    let new = entry.map(|entry| {
        format!(
            "{}:{}:{}:{}",
            entry.title, entry.version, entry.at, entry.details
        )
    });
    let mut out = String::new();
    let mut done = false;
    for line in there.lines() {
        if !is_ours(line) {
            out.push_str(line);
            out.push('\n');
        } else if let Some(new) = &new
            && !done
        {
            done = true;
            out.push_str(new);
            out.push('\n');
        }
    }
    if let Some(new) = new
        && !done
    {
        out.push_str(&new);
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::AliasSettings;

    fn config(more: &str) -> Config {
        Config::from_toml(&format!(
            "mail_host = \"mail.example.com\"\nemail_domain = \"example.com\"\nadmin_email = \"admin@example.com\"\n{more}"
        ))
        .expect("a valid configuration")
        .config
    }

    fn address(text: &str) -> EmailAddress {
        text.parse().expect("an address")
    }

    #[test]
    fn listmonk_has_one_mailbox_for_all_and_people_read_the_answers() {
        let config = config("");
        let sender = sender(&config, "listmonk", Some("acme"), &Wish::default()).expect("a sender");
        assert_eq!(sender.login, address("newsletter-bounce@example.com"));
        assert_eq!(sender.from, address("news@example.com"));
        assert_eq!(sender.comment, "agencystack:listmonk:default:acme");
        let made = sender.mailbox(None);
        assert_eq!(
            (made.enable_pop, made.enable_imap, made.spam_enabled),
            (Some(true), Some(false), Some(false))
        );
        let reader = address("admin@example.com");
        assert_eq!(
            sender
                .ownership(true, None, None, &reader)
                .expect("an answer"),
            Ownership::Alias(vec!["admin@example.com".to_owned()])
        );
        let secret = Secret::new("0123456789abcdef0123456789abcdef");
        let profile = sender.profile(&config, "", &secret, true);
        assert_eq!(profile.envelope(), &sender.login);
        assert_eq!(
            profile.throttle.map(|one| (one.recipients, one.seconds)),
            Some((200, 86_400))
        );
        let exempt = sender.profile(
            &config,
            "a@example.com, Newsletter-Bounce@example.com",
            &secret,
            true,
        );
        assert_eq!(exempt.throttle, None);
    }

    #[test]
    fn an_address_of_somebody_else_is_not_taken() {
        let config = config("");
        let wish = Wish {
            from: Some(address("shop@example.com")),
            ..Wish::default()
        };
        let sender = sender(&config, "ghost", None, &wish).expect("a sender");
        let reader = address("admin@example.com");
        let user = User {
            email: address("shop@example.com"),
            settings: UserSettings::default(),
            quota_bytes_used: None,
        };
        let refused = sender
            .ownership(false, Some(&user), None, &reader)
            .expect_err("somebody's");
        assert_eq!(refused.code(), "app.sender_taken");
        assert_eq!(
            sender
                .ownership(true, Some(&user), None, &reader)
                .expect("an answer"),
            Ownership::Other
        );
        let mut alias = Alias {
            email: address("shop@example.com"),
            settings: AliasSettings::default(),
        };
        alias.settings.destination = Some(vec!["jane@example.com".to_owned()]);
        // Whoever has it keeps it.
        assert_eq!(
            sender
                .ownership(false, None, Some(&alias), &reader)
                .expect("an answer"),
            Ownership::Alias(vec![
                "jane@example.com".to_owned(),
                "ghost@example.com".to_owned()
            ])
        );
        alias.settings.destination = Some(vec!["ghost@example.com".to_owned()]);
        assert_eq!(
            sender
                .ownership(false, None, Some(&alias), &reader)
                .expect("an answer"),
            Ownership::Owned
        );
    }

    #[test]
    fn everything_that_cannot_be_is_said_at_once() {
        let wish = Wish {
            login: Some(address("app@other.org")),
            from: Some(address("app@example.com")),
            tls: Some(Tls::Starttls),
            ..Wish::default()
        };
        let config = config("[ports]\nmail = [25, 465]\n");
        let error = sender(&config, "ghost", None, &wish).expect_err("three mistakes");
        let ids: Vec<_> = error
            .all_findings()
            .iter()
            .map(|one| one.id.as_str())
            .collect();
        assert_eq!(
            ids,
            ["app.foreign_login", "app.sender_domain", "app.port_closed"]
        );
    }

    #[test]
    fn only_our_own_line_of_the_list_is_changed() {
        let there = "WordPress:6.1:20250101T000000Z:x\nERPNext:15:2025:y\nWordPress:6.1:again:x\n";
        let entry = Entry::new("WordPress", "6.9", "20261127T183000Z", "login a@b|c:d");
        let now = state_file(there, "WordPress", Some(&entry));
        assert_eq!(
            now,
            "WordPress:6.9:20261127T183000Z:login a@b c d\nERPNext:15:2025:y\n"
        );
        assert_eq!(state_file(&now, "WordPress", Some(&entry)), now);
        assert_eq!(state_file(&now, "WordPress", None), "ERPNext:15:2025:y\n");
        assert_eq!(
            state_file(
                "",
                "Listmonk",
                Some(&Entry::new("Listmonk", "v6", "1", "z"))
            ),
            "Listmonk:v6:1:z\n"
        );
    }
}
