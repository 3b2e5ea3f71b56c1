//! Mailu's limit of messages, which does not count for some logins.

use super::record::Known;
use super::{Integrated, Part, PartAction, Work};
use crate::apps::{self, Exemption, Sender};
use crate::error::{Error, ErrorKind};
use crate::finding::Finding;
use crate::host::engine::Docker;
use crate::host::perform::Progress;
use crate::host::up::UpOptions;
use crate::host::{pause, status};
use crate::names::EmailAddress;
use crate::plan::Request;

/// The key of `mailu.toml`.
const KEY: &str = "limits.exempt";

/// Mailu's name of it.
const VARIABLE: &str = "MESSAGE_RATELIMIT_EXEMPTION";

/// Says what is under way.
struct Saying<'a>(&'a mut dyn FnMut(&str));

impl Progress for Saying<'_> {
    fn said(&mut self, line: &str) {
        (self.0)(line);
    }
}

impl Work<'_> {
    /// What becomes of the list for this app's login.
    pub(super) fn exemption(&self, login: &EmailAddress) -> Result<Exemption, Error> {
        let known = self.known.get(&self.key);
        let ours: Option<EmailAddress> =
            known.and_then(|known| known.exempted.as_ref()?.parse().ok());
        Ok(apps::exemption(
            &self.config.limits.exempt,
            &self.exempted()?,
            login,
            ours.as_ref(),
            self.options.exempt,
        ))
    }

    /// The list as admin was started with it.
    fn exempted(&self) -> Result<String, Error> {
        let docker = Docker::connect()?;
        let all = docker.project(&status::project(self.layout, &self.config))?;
        let admin = pause::running(&all, "admin");
        Ok(admin
            .and_then(|admin| admin.environment.get(VARIABLE).cloned())
            .unwrap_or_default())
    }

    /// Puts it among the parts, and refuses what would change more than the list.
    pub(super) fn show_exemption(
        &self,
        login: &EmailAddress,
        exemption: &Exemption,
        done: &mut Integrated,
    ) -> Result<(), Error> {
        if self.options.exempt == Some(false) && exemption.exempt {
            done.notes.push(format!(
                "{login} is in {KEY} without us, and stays there: `mailu config get {KEY} {}`",
                self.config.options()
            ));
        }
        if !exemption.applies {
            if exemption.exempt && self.options.exempt == Some(true) {
                done.parts
                    .push(Part::new("exemption", login, PartAction::Keep));
            }
            return Ok(());
        }
        let action = match (
            exemption.exempt,
            exemption.list.len() < self.config.limits.exempt.len(),
        ) {
            (true, false) => PartAction::Create,
            (true, true) => PartAction::Change,
            (false, _) => PartAction::Remove,
        };
        done.parts
            .push(self.planned(login, action, &exemption.list)?);
        Ok(())
    }

    /// The part, where nothing speaks against it.
    fn planned(
        &self,
        login: &EmailAddress,
        action: PartAction,
        list: &[EmailAddress],
    ) -> Result<Part, Error> {
        let options = self.config.options();
        // What others have changed and not yet applied is not applied by the way; a run of ours that was killed is finished.
        let on_the_way = self
            .known
            .get(&self.key)
            .is_some_and(|known| known.exempting);
        let now = self.mailu.plan(self.layout, &Request::default())?;
        if !on_the_way && (!now.containers.is_empty() || !now.plan.steps.is_empty()) {
            return Err(Error::new(
                ErrorKind::Conflict,
                "app.unapplied",
                format!("change {KEY} of {}: something else was changed and not yet applied, which would be applied with it", self.config.mail_host),
            )
            .hint(format!("`mailu plan {options}` shows it, `mailu apply {options}` applies it; then the same command again")));
        }
        let planned = self.mailu.plan(self.layout, &request(list))?;
        if !planned.plan.conflicts.is_empty() {
            let error = Error::new(
                ErrorKind::Conflict,
                "app.exemption_edited",
                format!(
                    "change {KEY} of {}: files were edited by hand since",
                    self.config.mail_host
                ),
            );
            let hints = planned.plan.conflicts.into_iter().flat_map(|one| one.hints);
            return Err(hints.fold(error, Error::hint));
        }
        let mut part = Part::new("exemption", login, action);
        part.details.push(format!("{KEY} in mailu.toml"));
        part.details.extend(
            planned
                .containers
                .iter()
                .map(|one| format!("makes {} anew", one.service)),
        );
        Ok(part)
    }

    /// Finishes what a killed run has begun: admin may be between two containers.
    pub(super) fn finish_exempting(&mut self, said: &mut dyn FnMut(&str)) -> Result<(), Error> {
        let begun = self
            .known
            .get(&self.key)
            .is_some_and(|known| known.exempting);
        if !begun || self.options.dry_run {
            return Ok(());
        }
        said("finishing what an interrupted run has begun");
        let mut progress = Saying(said);
        self.mailu.apply(
            self.layout,
            &Request::default(),
            &UpOptions::new(None),
            &mut progress,
        )?;
        (self.config, _) = self.mailu.config(self.layout)?;
        Ok(())
    }

    /// Brings Mailu to the list, and looks whether it has it.
    pub(super) fn exempt(
        &mut self,
        sender: &Sender,
        exemption: &Exemption,
        done: &mut Integrated,
        said: &mut dyn FnMut(&str),
    ) -> Result<(), Error> {
        if !exemption.applies {
            return Ok(());
        }
        let mut known = self.begun(sender);
        known.exempt = self.options.exempt;
        known.exempting = true;
        let ours = exemption.ours.as_ref().map(ToString::to_string);
        if ours.is_some() {
            known.exempted.clone_from(&ours);
        }
        self.keep(known.clone())?;
        self.apply_list(&sender.login, &exemption.list, exemption.exempt, done, said)?;
        known.exempted = ours;
        known.exempting = false;
        self.keep(known)
    }

    /// Takes the login out of the list, where it is there because of this app and of no other.
    pub(super) fn limit_again(
        &mut self,
        known: &Known,
        done: &mut Integrated,
        said: &mut dyn FnMut(&str),
    ) -> Result<(), Error> {
        let Some(own) = known
            .exempted
            .as_ref()
            .and_then(|own| own.parse::<EmailAddress>().ok())
        else {
            return Ok(());
        };
        let heir = self.known.iter_mut().find(|(key, other)| {
            **key != self.key && other.exempt == Some(true) && other.login == own.to_string()
        });
        if let Some((_, heir)) = heir {
            heir.exempted.clone_from(&known.exempted);
            return Ok(());
        }
        let plan = apps::exemption(
            &self.config.limits.exempt,
            &self.exempted()?,
            &own,
            Some(&own),
            Some(false),
        );
        if !plan.applies {
            return Ok(());
        }
        let part = self.planned(&own, PartAction::Remove, &plan.list)?;
        done.parts.push(part);
        if self.options.dry_run {
            return Ok(());
        }
        let mut marked = known.clone();
        marked.exempting = true;
        self.keep(marked)?;
        self.apply_list(&own, &plan.list, false, done, said)
    }

    fn apply_list(
        &mut self,
        login: &EmailAddress,
        list: &[EmailAddress],
        exempt: bool,
        done: &mut Integrated,
        said: &mut dyn FnMut(&str),
    ) -> Result<(), Error> {
        said(&format!("changing {KEY} of {}", self.config.mail_host));
        let mut wanted = request(list);
        if list.is_empty() {
            self.mailu
                .configure(self.layout, &[(KEY.to_owned(), None)])?;
            wanted = Request::default();
        }
        let mut progress = Saying(said);
        let applied =
            self.mailu
                .apply(self.layout, &wanted, &UpOptions::new(None), &mut progress)?;
        if let Some(run) = applied.run {
            done.findings.extend(run.findings);
        }
        (self.config, _) = self.mailu.config(self.layout)?;
        if apps::is_exempt(&self.exempted()?, login) != exempt {
            let options = self.config.options();
            done.findings.push(
                Finding::error(
                    "app.not_exempt",
                    login.to_string(),
                    format!("Mailu's admin does not have {VARIABLE} as mailu.toml says"),
                )
                .hint(format!(
                    "`mailu apply {options}` says what keeps it from that; then the same command again"
                )),
            );
        }
        Ok(())
    }
}

fn request(list: &[EmailAddress]) -> Request {
    let all: Vec<String> = list.iter().map(|one| format!("\"{one}\"")).collect();
    Request {
        settings: vec![(KEY.to_owned(), format!("[{}]", all.join(",")))],
        ..Request::default()
    }
}
