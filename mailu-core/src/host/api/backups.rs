//! Backups, and what brings a deployment back, further, or away.

use std::path::PathBuf;
use std::time::Duration;

use super::operate::{Each, TimerAction, each, timer};
use super::request::{Parsed, Plains, Request, of, request, settings};
use crate::config::units::Version;
use crate::error::{Error, ErrorKind};
use crate::host::backup::{self, Archive, BackupOptions, Keys, Pruned, Verified};
use crate::host::perform::Progress;
use crate::host::restore::{RestoreOptions, UpdateOptions};
use crate::host::root::Mailu;
use crate::host::timer::TimerState;
use crate::host::uninstall::Uninstalled;
use crate::names::{EmailAddress, MailHost};
use crate::restore::Restored;
use crate::timer::Chore;
use crate::update::Updated;

macro_rules! backing_up {
    ($name:ident $(of $one:ident)?, $doc:literal { $($(#[$doc2:meta])* $opt:ident: $ty:ty),* }, |$this:ident| $output:expr) => {
        request! {
            #[doc = $doc]
            $name $(of $one)? ()
            {
                /// Public keys of age (`age1…`) to encrypt it for, instead of `backup.recipients`.
                age_recipient: Vec<String>,
                /// A file whose first line is the passphrase to encrypt it with.
                #[cfg_attr(feature = "schema", schemars(extend("x-path" = true)))]
                passphrase_file: Option<PathBuf>,
                /// Read it once it is written.
                verify: bool,
                /// Keep the older archives that `backup.keep_*` would give up.
                keep_all: bool,
                /// Ask no engine: nothing of the deployment runs.
                cold: bool,
                /// Where accounts are in another database than Mailu's own file: back up without them.
                without_database: bool,
                $($(#[$doc2])* $opt: $ty,)*
            }
        }

        impl $name {
            fn options(&self) -> Result<BackupOptions, Error> {
                if self.passphrase_file.is_some() && !self.age_recipient.is_empty() {
                    return Err(Error::new(
                        ErrorKind::InvalidInput,
                        "call.invalid",
                        "back up: `age_recipient` and `passphrase_file` exclude each other",
                    )
                    .hint("give one of them"));
                }
                let $this = self;
                Ok(BackupOptions {
                    output: $output,
                    recipients: self.age_recipient.clone(),
                    passphrase_file: self.passphrase_file.clone(),
                    cold: self.cold,
                    without_database: self.without_database,
                    verify: self.verify,
                    keep_all: self.keep_all,
                })
            }
        }
    };
}

backing_up!(Backup of one, "Backs a deployment up while it runs: mail, accounts, keys, configuration, secrets, in one archive." {
    /// The archive: its name ends with `.tar.zst` or `.tar.gz`, and with `.age` behind that if it is encrypted. Without it, one with the time in its
    /// name, where `backup.directory` says.
    #[cfg_attr(feature = "schema", schemars(extend("x-path" = true)))]
    output: Option<PathBuf>
}, |this| this.output.clone());
backing_up!(BackupAll, "Backs every deployment up." {}, |_this| None);

impl Request for Backup {
    type Answer = backup::Backup;

    fn perform(self, mailu: &Mailu, progress: &mut dyn Progress) -> Result<Self::Answer, Error> {
        let options = self.options()?;
        mailu.backup(&mailu.find(&self.target())?, &options, progress)
    }
}

impl Request for BackupAll {
    type Answer = Vec<Each<backup::Backup>>;

    fn perform(self, mailu: &Mailu, progress: &mut dyn Progress) -> Result<Self::Answer, Error> {
        let options = self.options()?;
        each(mailu, progress, |layout, progress| {
            mailu.backup(layout, &options, progress)
        })
    }
}

request! {
    /// The archives there are, and which of them are kept for what.
    BackupList of one () {}
}

impl Request for BackupList {
    type Answer = Vec<Archive>;

    fn perform(self, mailu: &Mailu, _: &mut dyn Progress) -> Result<Self::Answer, Error> {
        mailu.backups(&mailu.find(&self.target())?)
    }
}

request! {
    /// Reads an archive from its beginning to its end, and says whether everything in it is as it was written.
    BackupVerify
    (
        /// The archive.
        #[cfg_attr(feature = "schema", schemars(extend("x-path" = true)))]
        file: PathBuf,
    )
    {
        /// A file with the secret key of age, where the archive is encrypted for one.
        #[cfg_attr(feature = "schema", schemars(extend("x-path" = true)))]
        age_identity: Option<PathBuf>,
        /// A file whose first line is the passphrase, where it is encrypted with one.
        #[cfg_attr(feature = "schema", schemars(extend("x-path" = true)))]
        passphrase_file: Option<PathBuf>,
    }
}

impl Request for BackupVerify {
    type Answer = Verified;

    fn perform(self, mailu: &Mailu, progress: &mut dyn Progress) -> Result<Self::Answer, Error> {
        let keys = Keys::new(self.age_identity, self.passphrase_file);
        mailu.verify_backup(&self.file, &keys, progress)
    }
}

request! {
    /// Gives up the archives that `backup.keep_*` does not keep.
    BackupPrune of one ()
    {
        /// Only say which would go.
        dry_run: bool,
    }
}

impl Request for BackupPrune {
    type Answer = Pruned;

    fn perform(self, mailu: &Mailu, _: &mut dyn Progress) -> Result<Self::Answer, Error> {
        mailu.prune_backups(&mailu.find(&self.target())?, self.dry_run)
    }
}

request! {
    /// The systemd timer that backs every deployment up every night.
    BackupTimer ()
    {
        /// What is done with it.
        action: TimerAction,
    }
}

impl Request for BackupTimer {
    type Answer = TimerState;

    fn perform(self, mailu: &Mailu, _: &mut dyn Progress) -> Result<Self::Answer, Error> {
        timer(mailu, self.action, Chore::Backups)
    }
}

request! {
    /// Restores a backup: read whole first, unpacked beside what is there, kept only if it works. Mail that has arrived since stays.
    Restore of one ()
    {
        /// The archive. Without it, a restore that was interrupted is finished.
        #[cfg_attr(feature = "schema", schemars(extend("x-path" = true)))]
        file: Option<PathBuf>,
        /// A file with the age key that opens an encrypted archive.
        #[cfg_attr(feature = "schema", schemars(extend("x-path" = true)))]
        age_identity: Option<PathBuf>,
        /// A file whose first line is the passphrase of an encrypted archive.
        #[cfg_attr(feature = "schema", schemars(extend("x-path" = true)))]
        passphrase_file: Option<PathBuf>,
        /// Restore configuration, secrets, keys and certificates; mail, accounts and other data stay as they are.
        config_only: bool,
        /// Restore one mailbox, beside the running server: messages that it does not have are added, and nothing else is changed.
        mailbox: Option<Parsed<EmailAddress>>,
        /// With `mailbox`: add its messages to this mailbox.
        into: Option<Parsed<EmailAddress>>,
        /// Leave out mail that has arrived since the backup, and take its queue instead of the one that is there.
        exact: bool,
        /// Read the archive, and only say what would be done.
        dry_run: bool,
        /// Leave the server stopped. Works without Docker.
        no_start: bool,
        /// Of a restore that was interrupted: go back to what was there before, instead of going on.
        undo: bool,
        /// How many seconds each service may take to become ready. Without it, as long as is usual for each.
        wait: Option<u64>,
    }
}

impl Restore {
    /// What the program does not let be typed together.
    fn together(&self) -> Result<(), Error> {
        let without_file = self.file.is_none();
        let one = self.mailbox.is_some();
        let wrong = [
            (
                without_file && self.config_only,
                "`config_only` needs `file`",
            ),
            (without_file && one, "`mailbox` needs `file`"),
            (without_file && self.exact, "`exact` needs `file`"),
            (without_file && self.no_start, "`no_start` needs `file`"),
            (self.into.is_some() && !one, "`into` needs `mailbox`"),
            (
                self.exact && self.config_only,
                "`exact` and `config_only` exclude each other",
            ),
            (
                one && (self.config_only || self.exact || self.no_start || self.undo),
                "`mailbox` excludes `config_only`, `exact`, `no_start` and `undo`",
            ),
            (
                self.age_identity.is_some() && self.passphrase_file.is_some(),
                "`age_identity` and `passphrase_file` exclude each other",
            ),
        ];
        match wrong.into_iter().find(|(is_wrong, _)| *is_wrong) {
            Some((_, why)) => Err(Error::new(
                ErrorKind::InvalidInput,
                "call.invalid",
                format!("restore: {why}"),
            )),
            None => Ok(()),
        }
    }
}

impl Request for Restore {
    type Answer = Restored;

    fn perform(self, mailu: &Mailu, progress: &mut dyn Progress) -> Result<Self::Answer, Error> {
        self.together()?;
        let options = RestoreOptions {
            target: self.target(),
            file: self.file,
            keys: Keys::new(self.age_identity, self.passphrase_file),
            config_only: self.config_only,
            mailbox: of(self.mailbox),
            into: of(self.into),
            exact: self.exact,
            dry_run: self.dry_run,
            no_start: self.no_start,
            undo: self.undo,
            wait: self.wait.map(Duration::from_secs),
        };
        mailu.restore(&options, progress)
    }
}

request! {
    /// Goes to another release of Mailu: backup first, and back to what was there if anything does not work that worked before.
    Update of one ()
    {
        /// The release to go to. Without it, the newest that this library knows.
        to: Option<Parsed<Version>>,
        /// Only say what would be done, and what speaks against it.
        dry_run: bool,
        /// Of an update that was interrupted: go back to what was there before, instead of going on.
        undo: bool,
        /// Of a deployment that AgencyStack's old installer made: keys of `mailu.toml` to set.
        settings: Plains,
        /// Of such a deployment: checks to leave out, such as `preflight.open_relay`.
        skip_check: Vec<String>,
        /// Update though accounts are in another database, which is not in the backup and does not go back with the rest.
        without_database: bool,
        /// How many seconds each service may take to become ready. Without it, as long as is usual for each.
        wait: Option<u64>,
    }
}

impl Request for Update {
    type Answer = Updated;

    fn perform(self, mailu: &Mailu, progress: &mut dyn Progress) -> Result<Self::Answer, Error> {
        if self.undo && (self.to.is_some() || self.dry_run || !self.settings.is_empty()) {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "call.invalid",
                "update: `undo` excludes `to`, `dry_run` and `settings`",
            ));
        }
        let layout = mailu.find_for_update(&self.target())?;
        let options = UpdateOptions {
            to: of(self.to),
            dry_run: self.dry_run,
            undo: self.undo,
            without_database: self.without_database,
            settings: settings(&self.settings),
            skip: self.skip_check.into_iter().collect(),
            wait: self.wait.map(Duration::from_secs),
        };
        mailu.update(&layout, &options, progress)
    }
}

request! {
    /// Takes a deployment's containers and networks down. Data, configuration and secrets stay unless told otherwise. Nothing is the result where there
    /// was nothing left of it.
    Uninstall of one ()
    {
        /// Delete mail, accounts, configuration, keys and secrets too. Nothing brings them back but a backup.
        delete_data: bool,
        /// Confirms `delete_data` by the mail host's name.
        yes_delete: Option<Parsed<MailHost>>,
    }
}

impl Request for Uninstall {
    type Answer = Option<Uninstalled>;

    fn perform(self, mailu: &Mailu, progress: &mut dyn Progress) -> Result<Self::Answer, Error> {
        let target = self.target();
        let named = of(self.yes_delete);
        let layout = match mailu.find(&target) {
            // Deleted is deleted, also the second time.
            Err(error)
                if error.code() == "deployment.not_found"
                    && named.is_some()
                    && named == target.mail_host =>
            {
                return Ok(None);
            }
            found => found?,
        };
        if self.delete_data {
            confirm_deletion(named.as_ref(), layout.mail_host(), "it was not confirmed")?;
        }
        mailu
            .uninstall(&layout, self.delete_data, &mut |line| progress.said(line))
            .map(Some)
    }
}

/// Sees that the mail host whose data is to be deleted was named; `unnamed` says why it was not.
///
/// # Errors
///
/// [`ErrorKind::InvalidInput`], `uninstall.unconfirmed`.
pub fn confirm_deletion(
    named: Option<&MailHost>,
    host: &MailHost,
    unnamed: &str,
) -> Result<(), Error> {
    let why = match named {
        Some(name) if name == host => return Ok(()),
        Some(name) => format!("--yes-delete names {name}"),
        None => unnamed.to_owned(),
    };
    Err(Error::new(
        ErrorKind::InvalidInput,
        "uninstall.unconfirmed",
        format!("delete all data of {host}: {why}; nothing was changed"),
    )
    .hint(format!(
        "add `--yes-delete {host}` if all of its mail is to be deleted"
    )))
}
