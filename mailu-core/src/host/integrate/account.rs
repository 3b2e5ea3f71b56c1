//! The mailbox, the alias and the token of an app, and whether the server takes them.

use std::fs;
use std::io;
use std::time::Duration;

use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::commands::{Mail, Noop, Rcpt, Rset};

use super::record::Kept;
use super::{Integrated, Part, PartAction, Target, Work};
use crate::accounts::AliasSettings;
use crate::apps::{self, Ownership, Profile, Sender};
use crate::config::MailPort;
use crate::error::{Error, ErrorKind};
use crate::finding::Finding;
use crate::host::accounts::{Change, ChangeOptions};
use crate::host::engine::Docker;
use crate::host::{delivery, files, pause, status};
use crate::names::EmailAddress;
use crate::secret::Secret;

/// How long the server may take for one answer.
const ANSWER: Duration = Duration::from_secs(45);

impl Work<'_> {
    /// Mailbox and alias. Returns the aliases that we made.
    pub(super) fn accounts(
        &self,
        sender: &Sender,
        target: &Target,
        done: &mut Integrated,
    ) -> Result<Vec<String>, Error> {
        let options = ChangeOptions::new(Change::Ensure, self.options.dry_run);
        let there = self.mailu.user(self.layout, &sender.login)?;
        if let Some(user) = &there
            && user.settings.enabled == Some(false)
        {
            return Err(Error::new(
                ErrorKind::Conflict,
                "app.disabled",
                format!("send as {}: that mailbox is disabled", sender.login),
            )
            .hint(format!(
                "`mailu user enable {} {}`, or another login: `--login ADDRESS`",
                sender.login,
                self.config.options()
            )));
        }
        let from_user = self.mailu.user(self.layout, &sender.from)?;
        let from_alias = self.mailu.alias(self.layout, &sender.from)?;
        let ownership = sender.ownership(
            target.envelope_is_login(),
            from_user.as_ref().filter(|user| user.email != sender.login),
            from_alias.as_ref(),
            &self.config.admin_email,
        )?;
        let wanted = sender.mailbox(there.as_ref());
        let change = self
            .mailu
            .put_user(self.layout, &sender.login, &wanted, None, options)?;
        let action = match (&there, change.action.is_some()) {
            (None, _) => PartAction::Create,
            (Some(_), true) => PartAction::Change,
            (Some(_), false) => PartAction::Keep,
        };
        done.parts.push(Part::new("mailbox", &sender.login, action));
        if there.is_none() && !sender.bounces && !sender.incoming {
            done.notes.push(format!(
                "nobody reads the mailbox {} yet: what people answer to it is kept there. `mailu user set {} enable_imap=true {}` opens it for a mail program",
                sender.login,
                sender.login,
                self.config.options()
            ));
        }
        let mut made = self
            .known
            .get(&self.key)
            .map(|known| known.aliases.clone())
            .unwrap_or_default();
        if let Ownership::Alias(destination) = ownership {
            let mut settings = AliasSettings {
                destination: Some(destination.clone()),
                ..AliasSettings::default()
            };
            if from_alias.is_none() {
                settings.comment = Some(sender.comment.clone());
                made.push(sender.from.to_string());
            }
            // In a dry run, the mailbox that it leads to may not be there yet.
            if !self.options.dry_run {
                self.mailu
                    .put_alias(self.layout, &sender.from, &settings, options)?;
            }
            let action = if from_alias.is_some() {
                PartAction::Change
            } else {
                PartAction::Create
            };
            let mut part = Part::new("alias", &sender.from, action);
            part.details
                .push(format!("leads to {}", destination.join(", ")));
            done.parts.push(part);
        } else if sender.from != sender.login {
            done.parts
                .push(Part::new("alias", &sender.from, PartAction::Keep));
        }
        Ok(made)
    }

    /// The token that is kept, or a new one; and those that are to go when the app works.
    pub(super) fn token(
        &self,
        sender: &Sender,
        done: &mut Integrated,
        said: &mut dyn FnMut(&str),
    ) -> Result<(Option<Secret>, Vec<u64>), Error> {
        let path = self.kept_file();
        let kept: Option<Kept> = match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).ok(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(files::failed("read", &path, error)),
        };
        let there = match self.mailu.user(self.layout, &sender.login)? {
            Some(_) => self.mailu.tokens(self.layout, Some(&sender.login))?,
            None => Vec::new(),
        };
        let ours: Vec<u64> = there
            .iter()
            .filter(|token| token.comment == sender.comment)
            .map(|token| token.id)
            .collect();
        let valid = kept.filter(|kept| {
            kept.login == sender.login.to_string()
                && ours.contains(&kept.id)
                && !apps::is_numeric_looking(&kept.secret)
        });
        if let Some(kept) = valid
            && !self.options.rotate
        {
            done.parts
                .push(Part::new("token", &sender.comment, PartAction::Keep));
            let old = ours.into_iter().filter(|id| *id != kept.id).collect();
            return Ok((Some(Secret::new(kept.secret)), old));
        }
        let action = if ours.is_empty() {
            PartAction::Create
        } else {
            PartAction::Change
        };
        done.parts.push(Part::new("token", &sender.comment, action));
        if self.options.dry_run {
            return Ok((None, ours));
        }
        said(&format!("making a token for {}", sender.login));
        let made = self
            .mailu
            .create_token(self.layout, &sender.login, &sender.comment, &[])?;
        let kept = Kept {
            id: made.token.id,
            login: sender.login.to_string(),
            secret: made.secret.expose().to_owned(),
        };
        self.write_secret(&path, &serde_json::to_vec(&kept).unwrap_or_default())?;
        Ok((Some(made.secret), ours))
    }

    /// Logs in, and offers a message from the app's address to the login, without sending it. It counts as one recipient.
    pub(super) fn try_server(
        &self,
        profile: &Profile,
        secret: &Secret,
    ) -> Result<Option<Finding>, Error> {
        let options = self.config.options();
        let docker = Docker::connect()?;
        let all = docker.containers()?;
        let port = match profile.tls {
            apps::Tls::Starttls => MailPort::Submission,
            _ => MailPort::Submissions,
        };
        let failed = |id: &str, message: String, hint: String| {
            Some(Finding::error(id, profile.login.to_string(), message).hint(hint))
        };
        let own = docker.project(&status::project(self.layout, &self.config))?;
        let front = pause::running(&own, "front");
        let Some(place) = delivery::place(&self.config, front, &all, port) else {
            return Ok(failed(
                "app.no_way",
                format!("port {} is not published", port.number()),
                format!("`mailu check {options}` says what is missing"),
            ));
        };
        let mut smtp = match delivery::open_smtp(place, &self.config, port, ANSWER) {
            Ok(smtp) => smtp,
            Err(why) => {
                return Ok(failed(
                    "app.no_way",
                    format!("{place} does not answer as it should: {why}"),
                    format!("`mailu status {options}` shows how the services are"),
                ));
            }
        };
        let login = profile.login.to_string();
        let credentials = Credentials::new(login.clone(), secret.expose().to_owned());
        let shown = |error: &lettre::transport::smtp::Error| {
            error.to_string().replace(secret.expose(), "***")
        };
        if let Err(error) = smtp.auth(&[Mechanism::Plain, Mechanism::Login], &credentials) {
            return Ok(failed(
                "app.login",
                format!("its token is refused: {}", shown(&error)),
                format!(
                    "`mailu logs {options} --tail 20 admin` says why, in the line `Login attempt`; the same command with `--rotate` makes another token"
                ),
            ));
        }
        let address = |one: &EmailAddress| one.to_string().parse::<lettre::Address>().ok();
        let offered = smtp
            .command(Mail::new(address(profile.envelope()), Vec::new()))
            .and_then(|_| match address(&profile.login) {
                Some(to) => smtp.command(Rcpt::new(to, Vec::new())),
                None => smtp.command(Noop),
            });
        let outcome = match offered {
            Ok(_) => None,
            Err(error) => {
                let text = shown(&error);
                let code: u16 = error
                    .status()
                    .and_then(|code| code.to_string().parse().ok())
                    .unwrap_or_default();
                let hint = match code {
                    553 => format!(
                        "{} has to be the login itself, or an alias that leads to it: `mailu alias show {} {options}`",
                        profile.envelope(),
                        profile.envelope()
                    ),
                    450 => format!(
                        "the login has sent as much as it may: `mailu config get limits.messages {options}` shows the limit"
                    ),
                    _ => format!("`mailu logs {options} --tail 20 smtp` says why"),
                };
                failed(
                    "app.sender_refused",
                    format!("a message from {} is refused: {text}", profile.envelope()),
                    hint,
                )
            }
        };
        let _ = smtp.command(Rset);
        smtp.abort();
        Ok(outcome)
    }
}
