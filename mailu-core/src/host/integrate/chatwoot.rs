//! An inbox of Chatwoot's.

use std::fs;
use std::io;

use serde::{Deserialize, Serialize};

use super::record::Known;
use super::{Integrated, Part, PartAction, Work};
use crate::apps::Profile;
use crate::apps::chatwoot::inbox::{self, Channel, Inbox, Record};
use crate::error::{Error, ErrorKind};
use crate::host::chatwoot::Chatwoot;
use crate::host::files;
use crate::names::EmailAddress;

/// What an inbox was before, with the passwords of its former servers: kept among the secrets.
#[derive(Serialize, Deserialize)]
struct Former {
    inbox: u64,
    channel: Channel,
}

impl Work<'_> {
    pub(super) fn connect_inbox(
        &mut self,
        chatwoot: &Chatwoot,
        profile: &Profile,
        mut known: Known,
        done: &mut Integrated,
        said: &mut dyn FnMut(&str),
    ) -> Result<(), Error> {
        said("looking at Chatwoot");
        let seen = chatwoot.look(&profile.from)?;
        let plan = inbox::plan(seen.as_ref(), profile, known.chatwoot.as_ref())?;
        let action = match (&plan.create, &plan.channel) {
            (Some(_), _) => PartAction::Create,
            (None, Some(_)) => PartAction::Change,
            (None, None) => PartAction::Keep,
        };
        let mut part = Part::new("settings", &format!("inbox {}", profile.from), action);
        if action == PartAction::Change {
            part.details.clone_from(&plan.changes);
        }
        done.parts.push(part);
        done.findings.extend(plan.findings.iter().cloned());
        done.notes.push(
            "an inbox is what people are answered from; Chatwoot's own mail (invitations, forgotten passwords) is sent as its variables say: `mailu app settings chatwoot` has them"
                .to_owned(),
        );
        if self.options.dry_run {
            return Ok(());
        }
        let mut record = Record::new(seen.as_ref(), profile);
        if let Some(seen) = &seen
            && !plan.is_empty()
        {
            self.keep_former(seen, &record)?;
        }
        known.chatwoot = Some(record.clone());
        self.keep(known.clone())?;
        if plan.is_empty() {
            return Ok(());
        }
        said(&format!(
            "connecting the inbox {}, for which Chatwoot logs in to {}",
            profile.from, profile.host
        ));
        let now = chatwoot.apply(&plan, seen.as_ref())?;
        record.inbox = Some(now.id);
        known.chatwoot = Some(record);
        self.keep(known)
    }

    /// What an inbox was before it was ours; not again when it is.
    fn keep_former(&self, seen: &Inbox, record: &Record) -> Result<(), Error> {
        let there = self.former()?;
        let is_known = there.is_some_and(|former| former.inbox == seen.id);
        if is_known || seen.is_ours(record) {
            return Ok(());
        }
        let former = Former {
            inbox: seen.id,
            channel: seen.channel(),
        };
        let text = serde_json::to_vec(&former).unwrap_or_default();
        self.write_secret(&self.before_file(), &text)
    }

    fn former(&self) -> Result<Option<Former>, Error> {
        let path = self.before_file();
        match fs::read(&path) {
            Ok(text) => Ok(serde_json::from_slice(&text).ok()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(files::failed("read", &path, error)),
        }
    }

    pub(super) fn disconnect_inbox(
        &self,
        chatwoot: &Chatwoot,
        known: &Known,
        done: &mut Integrated,
        said: &mut dyn FnMut(&str),
    ) -> Result<(), Error> {
        let Some(record) = &known.chatwoot else {
            return Ok(());
        };
        let email: EmailAddress = record.email.parse().map_err(|_| {
            Error::new(
                ErrorKind::Corrupt,
                "app.record",
                "read the record: the address of its inbox is none",
            )
        })?;
        said("looking at Chatwoot");
        let Some(seen) = chatwoot.look(&email)? else {
            done.notes
                .push(format!("the inbox {email} is gone from Chatwoot already"));
            return Ok(());
        };
        let former = self.former()?.filter(|former| former.inbox == seen.id);
        let removal = inbox::removal(&seen, record, former.as_ref().map(|one| &one.channel));
        done.parts.push(Part::new(
            "settings",
            &format!("inbox {email}"),
            if removal.channel.is_some() {
                PartAction::Remove
            } else {
                PartAction::Keep
            },
        ));
        done.findings.extend(removal.findings.iter().cloned());
        let what = match (&removal.channel, removal.back) {
            (None, _) => "is left as it is",
            (Some(_), true) => "is connected as it was before",
            (Some(_), false) => "is switched off",
        };
        done.notes.push(format!(
            "the inbox {email} stays in Chatwoot with its conversations, which would be deleted with it, and {what}"
        ));
        if !self.options.dry_run {
            done.findings.extend(chatwoot.remove(&seen, &removal)?);
        }
        Ok(())
    }
}
