//! A site of Frappe's over its REST API, and what both ways to it have in common.

use super::record::Known;
use super::{Integrated, Part, PartAction, Work};
use crate::apps::frappe::rest::{DomainWish, Step};
use crate::apps::{Profile, Tls};
use crate::config::MailPort;
use crate::error::{Error, ErrorKind};
use crate::host::erpnext::ErpNext;
use crate::names::EmailAddress;
use crate::secret::Secret;

/// What happens to a site's documents.
pub(super) struct Documents<'a> {
    /// The account, what happens to it, and in which fields.
    pub(super) account: (&'a str, PartAction, Vec<String>),
    /// The Email Domain, the same.
    pub(super) domain: Option<(&'a str, PartAction, Vec<String>)>,
}

impl Documents<'_> {
    pub(super) fn add(self, done: &mut Integrated) {
        let all = [
            self.domain.map(|one| ("Email Domain", one)),
            Some(("Email Account", self.account)),
        ];
        for (kind, (name, action, fields)) in all.into_iter().flatten() {
            let mut part = Part::new("settings", &format!("{kind} {name}"), action);
            if action == PartAction::Change {
                part.details = fields;
            }
            done.parts.push(part);
        }
    }
}

impl Work<'_> {
    /// Frappe connects to the server of an Email Domain for reading: without a port for that, there is none.
    pub(super) fn domain_wish(&self, done: &mut Integrated) -> DomainWish {
        if self.config.open_ports().contains(&MailPort::Imaps) {
            return DomainWish::Wanted;
        }
        done.notes.push(format!(
            "no Email Domain is made, because Frappe would read by port 993, which {} does not have",
            self.config.mail_host
        ));
        DomainWish::None
    }

    /// What the documents were made from, but for the secret: enough to know them again.
    pub(super) fn former_profile(&self, known: &Known) -> Result<Profile, Error> {
        let address = |text: &str| -> Result<EmailAddress, Error> {
            text.parse().map_err(|_| {
                Error::new(
                    ErrorKind::Corrupt,
                    "app.record",
                    "read the record: its login or its sender is no address",
                )
            })
        };
        let mut profile = Profile::new(
            self.config.mail_host.clone(),
            known.tls.unwrap_or(Tls::Implicit),
            address(&known.login)?,
            Secret::new("f".repeat(32)),
        );
        profile.from = address(&known.from)?;
        Ok(profile)
    }

    pub(super) fn connect_erpnext(
        &mut self,
        site: &ErpNext,
        profile: &Profile,
        mut known: Known,
        done: &mut Integrated,
        said: &mut dyn FnMut(&str),
    ) -> Result<(), Error> {
        said("looking at ERPNext");
        let wish = self.domain_wish(done);
        let domain = profile.from.domain().to_string();
        let ours = known.domain.as_deref() == Some(&*domain);
        let plan = site.plan(profile, wish, ours, known.erpnext.as_ref())?;
        let described = |step: &Option<Step>| match step {
            None => (PartAction::Keep, Vec::new()),
            Some(step) if step.create => (PartAction::Create, Vec::new()),
            Some(step) => (PartAction::Change, step.fields.keys().cloned().collect()),
        };
        let (action, fields) = described(&plan.account);
        let of_domain = described(&plan.domain);
        let shown = wish == DomainWish::Wanted && plan.findings.is_empty();
        Documents {
            account: (&plan.name, action, fields),
            domain: shown.then_some((&domain, of_domain.0, of_domain.1)),
        }
        .add(done);
        done.findings.extend(plan.findings.iter().cloned());
        if self.options.dry_run {
            return Ok(());
        }
        let before = known.erpnext.replace(plan.record.clone());
        let makes = plan.domain.as_ref().is_some_and(|step| step.create);
        known.account = Some(plan.name.clone());
        known.former = plan.former.clone().or(known.former);
        if makes {
            known.domain = Some(domain);
        }
        if plan.domain.is_none() && plan.account.is_none() {
            return self.keep(known);
        }
        // The record says that the secret is there once it is.
        let record = std::mem::replace(&mut known.erpnext, before.clone());
        self.keep(known.clone())?;
        said("changing ERPNext, which logs in to the server meanwhile");
        let applied = site.apply(profile, wish, ours, before.as_ref())?;
        done.findings.extend(applied.findings);
        if makes && !applied.domain_made {
            known.domain = None;
        }
        known.erpnext = record;
        self.keep(known)
    }

    pub(super) fn disconnect_erpnext(
        &self,
        site: &ErpNext,
        known: &Known,
        done: &mut Integrated,
        said: &mut dyn FnMut(&str),
    ) -> Result<(), Error> {
        let account = known.account.as_deref().unwrap_or_default();
        let profile = self.former_profile(known)?;
        said("changing ERPNext");
        let dry = self.options.dry_run;
        let removed = site.remove(
            account,
            known.domain.as_deref(),
            known.former.as_deref(),
            &profile,
            dry,
        )?;
        done.parts.push(Part::new(
            "settings",
            &format!("Email Account {account}"),
            PartAction::Remove,
        ));
        note_switched_off(account, done);
        if let Some(default) = removed.default {
            note_default(default, done);
        }
        let gone = removed.changes.iter().any(|one| one == "Email Domain");
        note_domain(known.domain.as_deref(), gone, removed.kept, done);
        Ok(())
    }
}

pub(super) fn note_switched_off(account: &str, done: &mut Integrated) {
    done.notes.push(format!(
        "the Email Account {account} stays in Frappe, switched off: messages refer to it"
    ));
}

/// What became of the account that was the default before ours.
pub(super) fn note_default(default: Result<String, String>, done: &mut Integrated) {
    done.notes.push(match default {
        Ok(name) => format!("the Email Account {name} is the default again, as it was before"),
        Err(why) => format!(
            "no Email Account is the default now: the one of before cannot be it again, because Frappe answers: {why}"
        ),
    });
}

/// What became of an Email Domain that was made by us.
pub(super) fn note_domain(
    made: Option<&str>,
    gone: bool,
    kept: Option<String>,
    done: &mut Integrated,
) {
    let Some(made) = made else { return };
    if gone {
        done.parts.push(Part::new(
            "settings",
            &format!("Email Domain {made}"),
            PartAction::Remove,
        ));
    } else if let Some(why) = kept {
        done.notes
            .push(format!("the Email Domain {made} stays in Frappe: {why}"));
    }
}
