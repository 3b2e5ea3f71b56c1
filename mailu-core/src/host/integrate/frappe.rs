//! A site of Frappe's, by a program that runs in its container.

use std::time::Duration;

use serde_json::Value;

use super::erpnext::{Documents, note_default, note_domain, note_switched_off};
use super::record::Known;
use super::{Integrated, PartAction, Work};
use crate::apps::frappe::rest::{self, DomainWish};
use crate::apps::{Profile, frappe};
use crate::error::{Error, ErrorKind};
use crate::host::engine::Docker;
use crate::host::web::legible;

/// Frappe starts slowly, and logs in to the server when it saves.
const PATIENCE: Duration = Duration::from_secs(180);

/// Runs the program with the words behind the site's name; the secret goes in with it, by the input.
pub(super) fn ask(
    container: &str,
    site: &str,
    profile: &Profile,
    with_domain: bool,
    words: &[&str],
) -> Result<Value, Error> {
    let program = frappe::program(profile, with_domain)?;
    let shell = format!("cd {} && exec env/bin/python - \"$@\"", frappe::BENCH);
    let command = [&["sh", "-c", &shell, "sh", site], words].concat();
    let docker = Docker::connect()?;
    let input = Some(program.as_bytes());
    let ran = docker.execute(container, &command, input, PATIENCE)?;
    let failed = |why: String| {
        Error::new(
            ErrorKind::Conflict,
            "erpnext.refused",
            format!("work on the Email Account of {site} in {container}: {why}"),
        )
        .hint(format!(
            "`docker exec {container} ls {}/sites` lists its sites",
            frappe::BENCH
        ))
    };
    if ran.code != 0 {
        let said = ran.err.replace(profile.secret.expose(), "***");
        let last = said.lines().rev().find(|line| !line.trim().is_empty());
        return Err(failed(last.unwrap_or("it says nothing").trim().to_owned()));
    }
    let last = ran.out.lines().rev().find(|line| line.starts_with('{'));
    last.and_then(|line| serde_json::from_str(line).ok())
        .ok_or_else(|| failed("its answer is not understood".to_owned()))
}

impl Work<'_> {
    pub(super) fn connect_frappe(
        &mut self,
        (container, site): (&str, &str),
        profile: &Profile,
        mut known: Known,
        done: &mut Integrated,
        said: &mut dyn FnMut(&str),
    ) -> Result<(), Error> {
        let with = self.domain_wish(done) == DomainWish::Wanted;
        let name = profile.from.domain().to_string();
        let ours = match &known.domain {
            Some(made) if *made == name => "ours",
            _ => "",
        };
        let seen = ask(container, site, profile, with, &["look", ours])?;
        let changed = texts(&seen["changed"]);
        let account = seen["account"].as_str().unwrap_or_default().to_owned();
        let domain = &seen["domain"];
        let (left, created) = (domain["left"] == true, domain["created"] == true);
        let fields = texts(&domain["changed"]);
        let action = |changed: &[String], created: bool| match (changed.is_empty(), created) {
            (true, _) => PartAction::Keep,
            (false, true) => PartAction::Create,
            (false, false) => PartAction::Change,
        };
        if left {
            let keys: Vec<&str> = fields.iter().map(String::as_str).collect();
            done.findings.push(rest::domain_left(&name, &keys));
        }
        let shown = !left && domain.is_object();
        let differs = !changed.is_empty() || (shown && !fields.is_empty());
        Documents {
            account: (
                &account,
                action(&changed, seen["created"] == true),
                changed.clone(),
            ),
            domain: shown.then(|| (&*name, action(&fields, created), fields)),
        }
        .add(done);
        if self.options.dry_run {
            return Ok(());
        }
        known.account = Some(account);
        known.former = texts(&seen["former"]).into_iter().next().or(known.former);
        known.container.clone_from(&self.options.container);
        if created {
            known.domain = Some(name.clone());
        }
        self.keep(known.clone())?;
        if !differs {
            return Ok(());
        }
        said(&format!("changing {site}"));
        let set = ask(container, site, profile, with, &["set", ours])?;
        if let Some(why) = set["domain"]["error"].as_str() {
            done.findings.push(rest::domain_refused(
                &name,
                &legible(why, &[profile.secret.expose()]),
            ));
            if created {
                known.domain = None;
                self.keep(known)?;
            }
        }
        Ok(())
    }

    pub(super) fn disconnect_frappe(
        &self,
        (container, site): (&str, &str),
        known: &Known,
        done: &mut Integrated,
    ) -> Result<(), Error> {
        let account = known.account.as_deref().unwrap_or_default();
        done.parts.push(super::Part::new(
            "settings",
            &format!("Email Account {account}"),
            PartAction::Remove,
        ));
        note_switched_off(account, done);
        // Nothing was changed there yet, where a run was killed before.
        if self.options.dry_run || (known.account.is_none() && known.domain.is_none()) {
            return Ok(());
        }
        // Nothing of the profile is used but what an Email Domain is made from.
        let profile = self.former_profile(known)?;
        let mut words = vec!["off", account];
        words.push(known.domain.as_deref().unwrap_or_default());
        words.push(known.former.as_deref().unwrap_or_default());
        let off = ask(container, site, &profile, true, &words)?;
        let (used, edited) = (
            texts(&off["domain"]["used"]),
            texts(&off["domain"]["edited"]),
        );
        let kept = if !used.is_empty() {
            Some(format!("{} refer to it", used.join(", ")))
        } else if !edited.is_empty() {
            Some(format!("somebody has changed its {}", edited.join(", ")))
        } else {
            None
        };
        if let Some(name) = off["default"]["name"].as_str() {
            let why = off["default"]["error"].as_str();
            note_default(
                why.map_or(Ok(name.to_owned()), |why| Err(legible(why, &[]))),
                done,
            );
        }
        let gone = off["domain"].is_object() && kept.is_none();
        note_domain(known.domain.as_deref(), gone, kept, done);
        Ok(())
    }
}

/// The texts of a list.
fn texts(value: &Value) -> Vec<String> {
    let all = value.as_array().into_iter().flatten();
    all.filter_map(|one| one.as_str().map(str::to_owned))
        .collect()
}
