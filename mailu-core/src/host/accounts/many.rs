//! Many accounts at once, by one import.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rand_core::{OsRng, RngCore as _};

use super::desk::{DRAWN, Desk, not_taken, protected, quota};
use super::{AccountsApplied, AccountsOptions};
use crate::accounts::{self, Accounts, Action, Context, PasswordHash, Plan, Wanted};
use crate::error::{Error, ErrorKind};
use crate::host::compose::interrupted;
use crate::host::files;
use crate::host::perform::Progress;
use crate::host::root::Mailu;
use crate::host::{admin, lock, up};
use crate::paths::Layout;
use crate::secret::Secret;

/// How long an import that somebody has left running is waited for.
const IMPORT_PATIENCE: Duration = Duration::from_secs(900);

/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// How long Mailu may take for each account of an import, besides what any command may take.
const EACH: Duration = Duration::from_millis(250);

/// Passwords that were drawn.
#[derive(Default)]
struct Drawn {
    count: usize,
    /// Where they are to be kept, and what is to be in there.
    file: Option<(PathBuf, Secret)>,
}

/// Changing many.
impl Mailu {
    /// What has to be done at `layout` so that the accounts are as they are wanted. Nothing is changed.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] with everything that speaks against it, and as [`Mailu::accounts`].
    pub fn plan_accounts(
        &self,
        layout: &Layout,
        wanted: &Wanted,
        options: &AccountsOptions,
        progress: &mut dyn Progress,
    ) -> Result<AccountsApplied, Error> {
        self.asking(layout, |desk| {
            let there = desk.exported()?;
            let (wanted, drawn) = Desk::with_passwords(wanted, &there, options)?;
            let plan = desk.planned(&wanted, &there, options, progress)?;
            Ok(AccountsApplied {
                plan,
                performed: false,
                drawn: drawn.count,
                passwords_file: None,
            })
        })
    }

    /// Brings the accounts at `layout` to what is wanted, in one transaction of Mailu's: all of it, or nothing. Stopped at any point, the
    /// same call goes on. What was written is read back.
    ///
    /// # Errors
    ///
    /// As [`Mailu::plan_accounts`]; and [`ErrorKind::Docker`], `accounts.not_taken`, if Mailu did not do it.
    pub fn apply_accounts(
        &self,
        layout: &Layout,
        wanted: &Wanted,
        options: &AccountsOptions,
        progress: &mut dyn Progress,
    ) -> Result<AccountsApplied, Error> {
        let before = self.plan_accounts(layout, wanted, options, progress)?;
        if before.plan.is_empty() {
            return Ok(before);
        }
        let _lock = lock::take_own(layout)?;
        self.asking(layout, |desk| desk.apply(wanted, options, progress))
    }
}

impl Desk {
    /// Everything that Mailu exports.
    pub(in crate::host) fn exported(&self) -> Result<Accounts, Error> {
        let export = ["config-export", "-f", "-j"];
        let ran = self.admin.flask(&export, None, IMPORT_PATIENCE)?;
        Accounts::from_export(&ran.out).ok_or_else(|| {
            Error::new(
                ErrorKind::Docker,
                "admin.failed",
                format!(
                    "read the accounts (`flask mailu config-export`, which ended with {}):\n  {}",
                    ran.code,
                    admin::last_lines(&ran.err, |line| self.admin.hide(line))
                ),
            )
            .hint(format!(
                "`docker logs {}` may say more",
                self.admin.container
            ))
        })
    }

    pub(super) fn context(&self, options: &AccountsOptions) -> Context {
        Context {
            quota: quota(&self.config),
            prune: options.prune,
            reset_passwords: options.reset_passwords,
            protected: protected(&self.config),
            ..Context::default()
        }
    }

    fn planned(
        &self,
        wanted: &Wanted,
        there: &Accounts,
        options: &AccountsOptions,
        progress: &mut dyn Progress,
    ) -> Result<Plan, Error> {
        let mut context = self.context(options);
        if options.reset_passwords {
            let known: Vec<(&str, (&Secret, &PasswordHash))> = wanted
                .passwords()
                .filter_map(|(user, secret)| Some((user, (secret, there.password(user)?))))
                .collect();
            let matching = each(&known, progress, "comparing passwords", |(secret, hash)| {
                hash.verifies(secret) == Some(true)
            })?;
            context.matching = matching
                .into_iter()
                .filter(|(_, same)| *same)
                .map(|(user, _)| user)
                .collect();
        }
        accounts::plan(wanted, there, &context)
    }

    /// Draws passwords for whoever is to be made without one. What is in the file for them from a run that was stopped is used again.
    fn with_passwords(
        wanted: &Wanted,
        there: &Accounts,
        options: &AccountsOptions,
    ) -> Result<(Wanted, Drawn), Error> {
        let mut wanted = wanted.clone();
        let without = wanted.without_password(there);
        let Some(path) = options
            .passwords_out
            .as_ref()
            .filter(|_| !without.is_empty())
        else {
            return Ok((wanted, Drawn::default()));
        };
        let mut text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(files::failed("read", path, error)),
        };
        if text.is_empty() {
            "email,password\n".clone_into(&mut text);
        }
        let kept = Wanted::from_csv(&text).map_err(|_| {
            Error::new(
                ErrorKind::Conflict,
                "accounts.foreign_file",
                format!(
                    "write passwords to {}: it has something else in it",
                    path.display()
                ),
            )
            .hint("name another file")
        })?;
        for user in &without {
            let secret = kept.password(user).cloned().unwrap_or_else(|| {
                let secret = Secret::draw(&mut OsRng, DRAWN);
                let _ = writeln!(text, "{user},{}", secret.expose());
                secret
            });
            wanted.set_password(user, secret);
        }
        let drawn = Drawn {
            count: without.len(),
            file: Some((path.clone(), Secret::new(text))),
        };
        Ok((wanted, drawn))
    }

    fn apply(
        &self,
        wanted: &Wanted,
        options: &AccountsOptions,
        progress: &mut dyn Progress,
    ) -> Result<AccountsApplied, Error> {
        self.settle(progress)?;
        let there = self.exported()?;
        let (wanted, drawn) = Self::with_passwords(wanted, &there, options)?;
        let plan = self.planned(&wanted, &there, options, progress)?;
        let mut applied = AccountsApplied {
            plan,
            performed: false,
            drawn: drawn.count,
            passwords_file: drawn.file.as_ref().map(|(path, _)| path.clone()),
        };
        if applied.plan.is_empty() {
            return Ok(applied);
        }
        // Before they count, or a run that is stopped would have given users passwords that nobody knows.
        if let Some((path, text)) = &drawn.file {
            super::keep_secret(path, text.expose())?;
        }
        let hashed = self.hashed(&applied.plan.to_hash(), progress)?;
        up::going_on(progress)?;
        self.import(&applied.plan, &hashed, progress)?;
        applied.performed = true;
        Ok(applied)
    }

    /// Waits until no import runs that a run before this one has begun. Its end would be taken for a change by somebody else.
    pub(super) fn settle(&self, progress: &mut dyn Progress) -> Result<(), Error> {
        let begun = Instant::now();
        let mut told = false;
        loop {
            let running = self.admin.docker.programs(&self.admin.container)?;
            let importing = running
                .iter()
                .any(|words| words.iter().any(|word| word == "config-import"));
            if !importing {
                return Ok(());
            }
            if begun.elapsed() > IMPORT_PATIENCE {
                return Err(Error::new(
                    ErrorKind::Conflict,
                    "accounts.busy",
                    format!(
                        "change accounts: an import has been running in {} for {} minutes",
                        self.admin.container,
                        IMPORT_PATIENCE.as_secs() / 60
                    ),
                )
                .hint(format!("`docker top {}` shows it", self.admin.container)));
            }
            if !told {
                progress.said("waiting for an import that is still running");
                told = true;
            }
            up::going_on(progress)?;
            std::thread::sleep(LOOK);
        }
    }

    /// Hashes passwords, on all processors.
    pub(super) fn hashed(
        &self,
        passwords: &[(&str, &Secret)],
        progress: &mut dyn Progress,
    ) -> Result<BTreeMap<String, PasswordHash>, Error> {
        let rounds = self.admin.rounds;
        let all = each(passwords, progress, "hashing passwords", |secret| {
            let mut salt = [0; 16];
            OsRng.fill_bytes(&mut salt);
            PasswordHash::new(secret, rounds, salt)
        })?;
        Ok(all.into_iter().collect())
    }

    /// Has Mailu do what a plan says, and reads back whether it is done.
    pub(super) fn import(
        &self,
        plan: &Plan,
        hashed: &BTreeMap<String, PasswordHash>,
        progress: &mut dyn Progress,
    ) -> Result<(), Error> {
        let count = plan.steps.len();
        progress.said(&format!(
            "writing {count} account{}",
            if count == 1 { "" } else { "s" }
        ));
        let said = self.write_document(&plan.document(hashed), count, hashed)?;
        for domain in plan.domains_to_delete() {
            let doing = format!("delete the domain {domain}");
            self.admin.delete(&doing, &["domain", domain])?;
        }
        // What the import ended with says little; what is there now is what counts.
        let there = self.exported()?;
        let left: Vec<String> = plan
            .steps
            .iter()
            .filter(|step| {
                let Some(now) = there.get(step.kind, &step.name) else {
                    return step.action != Action::Delete;
                };
                let hash = plan.hash(&step.name, hashed).filter(|_| step.password);
                step.action == Action::Delete
                    || step
                        .changes
                        .iter()
                        .any(|change| now.get(&change.field) != Some(&change.to))
                    || hash.is_some_and(|hash| there.password(&step.name) != Some(hash))
            })
            .map(|step| format!("{} {}", step.kind, step.name))
            .collect();
        if left.is_empty() {
            return Ok(());
        }
        let shown = left.len().min(5);
        Err(not_taken(
            &format!("change {count} accounts"),
            &format!(
                "it did not take {}{}:\n  {said}",
                left[..shown].join(", "),
                if left.len() > shown { " …" } else { "" }
            ),
        ))
    }

    pub(super) fn write_document(
        &self,
        document: &Secret,
        count: usize,
        hashed: &BTreeMap<String, PasswordHash>,
    ) -> Result<String, Error> {
        let patience =
            admin::FLASK_PATIENCE + EACH * u32::try_from(count).unwrap_or(u32::MAX / 1000);
        let input = Some(document.expose().as_bytes());
        let ran = self
            .admin
            .flask(&["config-import", "-u"], input, patience)?;
        let said = if ran.err.trim().is_empty() {
            ran.out
        } else {
            ran.err
        };
        Ok(admin::last_lines(said.trim(), |line| {
            // It shows a password that it does not take.
            let line = self.admin.hide(line);
            let mut words: Vec<&str> = line.split_inclusive([' ', '\'', '"']).collect();
            for word in &mut words {
                let bare = word.trim_end_matches([' ', '\'', '"']);
                let known = hashed.values().any(|hash| hash.expose() == bare);
                if known || PasswordHash::parse(bare).is_ok() {
                    *word = "*** ";
                }
            }
            words.concat()
        }))
    }
}

/// Does something with every item, on all processors, until somebody wants it to stop.
fn each<T: Sync, R: Send>(
    items: &[(&str, T)],
    progress: &mut dyn Progress,
    what: &str,
    work: impl Fn(&T) -> R + Sync,
) -> Result<Vec<(String, R)>, Error> {
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut told = 0;
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.min(items.len()))
            .map(|_| {
                scope.spawn(|| {
                    let mut done = Vec::new();
                    while !stop.load(Ordering::Relaxed) {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        let Some((name, item)) = items.get(index) else {
                            break;
                        };
                        done.push(((*name).to_owned(), work(item)));
                    }
                    done
                })
            })
            .collect();
        while workers.iter().any(|worker| !worker.is_finished()) {
            if progress.interrupted() {
                stop.store(true, Ordering::Relaxed);
            }
            let at = next.load(Ordering::Relaxed).min(items.len());
            // Every tenth part, where that takes its time.
            if items.len() >= 50 && at * 10 / items.len() > told {
                told = at * 10 / items.len();
                progress.said(&format!("{what}: {at} of {}", items.len()));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        if stop.load(Ordering::Relaxed) {
            return Err(interrupted());
        }
        let mut all = Vec::new();
        for worker in workers {
            all.extend(worker.join().map_err(|_| {
                Error::new(
                    ErrorKind::Internal,
                    "accounts.work",
                    format!("{what}: a thread failed"),
                )
            })?);
        }
        Ok(all)
    })
}
