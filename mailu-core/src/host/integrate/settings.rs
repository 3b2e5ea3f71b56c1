//! The app's own settings, changed and taken back.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::record::Known;
use super::{Integrated, Part, PartAction, Target, Work};
use crate::apps::{self, Profile};
use crate::error::{Error, ErrorKind};
use crate::finding::has_errors;
use crate::hash::sha256;
use crate::host::engine::Docker;
use crate::host::files::{self, Disk};
use crate::host::observe;

impl Work<'_> {
    /// The app's own settings.
    pub(super) fn settings(
        &mut self,
        target: &Target,
        profile: &Profile,
        aliases: Vec<String>,
        done: &mut Integrated,
        said: &mut dyn FnMut(&str),
    ) -> Result<(), Error> {
        let dry = self.options.dry_run;
        let mut known = self.known.get(&self.key).cloned().unwrap_or_default();
        self.app().clone_into(&mut known.app);
        known.site.clone_from(&self.options.site);
        known.login.clone_from(&done.login);
        known.from.clone_from(&done.from);
        known.aliases = aliases;
        known.choose(&self.options);
        match target {
            Target::WordPress(site, more) => {
                let plan = self.mailu.wordpress_plan(site, profile, more)?;
                self.version = Some(plan.seen.wordpress.clone()).filter(|one| !one.is_empty());
                let mut part = Part::new(
                    "settings",
                    &site.domain,
                    change_of(!plan.changes.is_empty()),
                );
                part.details = plan
                    .changes
                    .iter()
                    .map(|change| format!("{:?} {}", change.action, change.path.display()))
                    .collect();
                done.parts.push(part);
                done.findings.extend(plan.findings.clone());
                if dry || has_errors(&done.findings) {
                    return Ok(());
                }
                said(&format!("trying the server from {}", site.domain));
                if let (_, Some(finding)) = self.mailu.wordpress_probe(site, profile, more)? {
                    done.findings.push(finding);
                }
                if has_errors(&done.findings) {
                    return Ok(());
                }
                self.keep(known)?;
                said(&format!("changing {}", site.domain));
                let applied = self.mailu.wordpress_apply(site, profile, more)?;
                for finding in applied.plan.findings {
                    if !done.findings.contains(&finding) {
                        done.findings.push(finding);
                    }
                }
            }
            Target::Listmonk(listmonk, more) => {
                let plan = listmonk.plan(profile, more, known.listmonk.as_ref())?;
                self.version = Some(plan.version.clone());
                let mut part = Part::new(
                    "settings",
                    &more.instance,
                    change_of(!plan.changes.is_empty()),
                );
                part.details = plan
                    .changes
                    .iter()
                    .map(|change| change.key.clone())
                    .collect();
                done.parts.push(part);
                done.findings.extend(plan.findings);
                if dry || has_errors(&done.findings) {
                    return Ok(());
                }
                // What was there before is remembered before it is changed.
                let before = known.listmonk.take();
                known.listmonk = plan.record.or_else(|| before.clone());
                self.keep(known.clone())?;
                said(&format!("changing {}", more.instance));
                let applied =
                    listmonk.apply(profile, more, before.as_ref(), self.options.interrupt, said)?;
                for finding in applied.findings {
                    if !done.findings.contains(&finding) {
                        done.findings.push(finding);
                    }
                }
                if applied.record.is_some() {
                    known.listmonk = applied.record;
                    self.keep(known)?;
                }
                if applied.needs_restart {
                    done.notes.push("Listmonk is sending a campaign, and works with the old settings until it is restarted: the same command with `--interrupt` does it".to_owned());
                }
            }
            Target::Chatwoot(chatwoot) => {
                return self.connect_inbox(chatwoot, profile, known, done, said);
            }
            Target::ErpNext(site) => {
                return self.connect_erpnext(site, profile, known, done, said);
            }
            Target::Frappe { container, site } => {
                return self.connect_frappe((container, site), profile, known, done, said);
            }
            Target::File(app, path) => {
                let there =
                    fs::read_to_string(path).map_err(|error| files::failed("read", path, error))?;
                let settings = app.merged(profile, self.options.format.as_deref(), &there)?;
                let changed = settings.text != there;
                done.parts
                    .push(Part::new("settings", &path.display(), change_of(changed)));
                done.notes.extend(settings.notes);
                if dry {
                    return Ok(());
                }
                known.file = Some(path.clone());
                if changed {
                    let before = self.before_file();
                    if known.written.is_none() || !before.exists() {
                        self.write_secret(&before, there.as_bytes())?;
                    }
                    let now = Some(sha256(there.as_bytes()));
                    known.edited |=
                        known.written.is_some() && known.written != now && known.replaced != now;
                    known.replaced = now;
                    known.written = Some(sha256(settings.text.as_bytes()));
                    self.keep(known)?;
                    rewrite(path, settings.text.as_bytes())?;
                    self.restart(done, said)?;
                } else {
                    if known.written.is_none() {
                        known.written = Some(sha256(there.as_bytes()));
                    }
                    self.keep(known)?;
                }
            }
            Target::Own(app, path) => {
                let settings = app.settings(profile, self.options.format.as_deref())?;
                let there = fs::read_to_string(path).ok();
                let changed = there.as_deref() != Some(settings.text.as_str());
                let action = match (&there, changed) {
                    (None, _) => PartAction::Create,
                    (Some(_), true) => PartAction::Change,
                    (Some(_), false) => PartAction::Keep,
                };
                done.parts
                    .push(Part::new("settings", &path.display(), action));
                done.notes.push(format!(
                    "{} is not changed: its settings are in {} ({}); {}",
                    app.title,
                    path.display(),
                    settings.format,
                    settings.about
                ));
                done.notes.extend(settings.notes);
                if dry {
                    return Ok(());
                }
                known.file = Some(path.clone());
                self.keep(known)?;
                if changed {
                    self.write_secret(path, settings.text.as_bytes())?;
                    self.restart(done, said)?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn restart(
        &self,
        done: &mut Integrated,
        said: &mut dyn FnMut(&str),
    ) -> Result<(), Error> {
        if let Some(container) = &self.options.restart {
            said(&format!("restarting {container}"));
            Docker::connect()?.restart(container, 30)?;
        } else {
            done.notes.push(
                "with `--restart CONTAINER`, it is restarted where its settings have changed"
                    .to_owned(),
            );
        }
        Ok(())
    }

    /// The app's settings as they were.
    pub(super) fn take_back(
        &self,
        target: &Target,
        known: &Known,
        done: &mut Integrated,
        said: &mut dyn FnMut(&str),
    ) -> Result<(), Error> {
        let dry = self.options.dry_run;
        match target {
            Target::WordPress(site, _) => {
                done.parts
                    .push(Part::new("settings", &site.domain, PartAction::Remove));
                if !dry {
                    let removed = self.mailu.wordpress_remove(site)?;
                    done.findings.extend(removed.findings);
                }
            }
            Target::Listmonk(listmonk, more) => {
                done.parts
                    .push(Part::new("settings", &more.instance, PartAction::Remove));
                if let Some(record) = &known.listmonk {
                    let report = if dry {
                        listmonk.plan_removal(record)?
                    } else {
                        listmonk.remove(record, self.options.interrupt, said)?
                    };
                    done.findings.extend(report.findings);
                }
            }
            Target::Chatwoot(chatwoot) => {
                self.disconnect_inbox(chatwoot, known, done, said)?;
            }
            Target::ErpNext(site) => self.disconnect_erpnext(site, known, done, said)?,
            Target::Frappe { container, site } => {
                self.disconnect_frappe((container, site), known, done)?;
            }
            Target::File(_, path) => {
                done.parts
                    .push(Part::new("settings", &path.display(), PartAction::Remove));
                let there =
                    fs::read_to_string(path).map_err(|error| files::failed("read", path, error))?;
                let before = self.before_file();
                if !known.edited
                    && known.written.as_deref() == Some(sha256(there.as_bytes()).as_str())
                    && before.exists()
                {
                    let was =
                        fs::read(&before).map_err(|error| files::failed("read", &before, error))?;
                    if !dry {
                        rewrite(path, &was)?;
                        self.restart(done, said)?;
                    }
                } else {
                    // It was edited since. A block of variables can be taken out all the same.
                    let without = apps::unmerge_env(&there)
                        .ok()
                        .filter(|without| *without != there);
                    if without.is_none() && !before.exists() {
                        // As the refusal below says how to go on.
                        done.notes
                            .push(format!("{} is left as it is", path.display()));
                        return Ok(());
                    }
                    let Some(without) = without else {
                        return Err(Error::new(
                            ErrorKind::Conflict,
                            "app.edited",
                            format!("take the settings out of {}: it was edited since", path.display()),
                        )
                        .hint(format!(
                            "what it was before is in {}: put back by hand what you need, then remove that file, and run the same command again",
                            before.display()
                        )));
                    };
                    if !dry {
                        rewrite(path, without.as_bytes())?;
                        self.restart(done, said)?;
                    }
                }
            }
            Target::Own(_, path) => {
                done.parts
                    .push(Part::new("settings", &path.display(), PartAction::Remove));
            }
        }
        Ok(())
    }
}

const fn change_of(differs: bool) -> PartAction {
    if differs {
        PartAction::Change
    } else {
        PartAction::Keep
    }
}

/// Writes a file of somebody else's, with the mode and owner that it has.
pub(super) fn rewrite(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let path = files::behind_links(path)?;
    let metadata = fs::metadata(&path).map_err(|error| files::failed("look at", &path, error))?;
    let owner = observe::privileged().then(|| (metadata.uid(), metadata.gid()));
    files::write_atomically(&mut Disk, &path, metadata.mode() & 0o7777, owner, bytes)
}
