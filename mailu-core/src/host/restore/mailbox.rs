//! One mailbox, beside a server that goes on: what is missing is added, and nothing that is there is touched.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::carry::{self, Dir, How};
use super::places::{self, Alone};
use super::stage;
use super::{Restoring, empty};
use crate::backup::Member;
use crate::error::{Error, ErrorKind};
use crate::finding::Finding;
use crate::host::backup::archive::Top;
use crate::host::engine::Docker;
use crate::host::up::going_on;
use crate::host::{files, lock, pause, status};
use crate::names::EmailAddress;
use crate::restore::{Restored, Step};

use super::source::Source;

/// How long Mailu's database may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// How many names an error shows.
const SHOWN: usize = 20;

/// The directory for what is unpacked, where mail lies on another file system than the deployment.
const BESIDE_MAIL: &str = ".mailu-restoring";

/// Run in admin's container, with the archived database as its input: makes the account again as it was. Writes a line of JSON.
const ACCOUNT: &str = r#"
import json, os, sqlite3, sys, tempfile
address = sys.argv[1]
def out(**what):
    print(json.dumps(what))
    sys.exit(0)
with tempfile.TemporaryDirectory() as directory:
    path = os.path.join(directory, 'main.db')
    with open(path, 'wb') as file:
        file.write(sys.stdin.buffer.read())
    old = sqlite3.connect(path)
    old.row_factory = sqlite3.Row
    new = sqlite3.connect('/data/main.db', timeout=60, isolation_level=None)
    new.row_factory = sqlite3.Row
    def names(base, table):
        return [row[1] for row in base.execute('pragma table_info("%s")' % table)]
    def again(table, row):
        both = [name for name in names(new, table) if name in row.keys()]
        new.execute('insert into "%s" (%s) values (%s)' % (table, ', '.join('"%s"' % name for name in both), ', '.join('?' * len(both))), [row[name] for name in both])
    new.execute('begin immediate')
    try:
        if new.execute('select 1 from "user" where lower(email) = ?', [address]).fetchone():
            new.execute('rollback')
            out(state='there')
        row = old.execute('select * from "user" where lower(email) = ?', [address]).fetchone()
        if row is None:
            new.execute('rollback')
            out(state='unknown')
        domain = old.execute('select * from domain where name = ?', [row['domain_name']]).fetchone()
        if domain is not None and not new.execute('select 1 from domain where name = ?', [row['domain_name']]).fetchone():
            again('domain', domain)
        again('user', row)
        new.execute('commit')
    except sqlite3.Error:
        new.execute('rollback')
        raise
    aliases = [row['email'] for row in old.execute('select email, destination from alias')
               if address in [part.strip().lower() for part in (row['destination'] or '').split(',')]]
    missing = [email for email in aliases if not new.execute('select 1 from alias where email = ?', [email]).fetchone()]
    out(state='made', aliases=missing)
"#;

#[derive(Debug, Deserialize)]
struct Account {
    state: String,
    #[serde(default)]
    aliases: Vec<String>,
}

/// What was found of the mailbox in the archive.
#[derive(Debug, Default)]
struct Unpacked {
    mailbox: bool,
    others: BTreeSet<String>,
    database: bool,
}

impl Restoring<'_> {
    /// Adds what `into` has not of the archived mailbox `address`.
    pub(super) fn mailbox(
        &mut self,
        source: &Source,
        address: &EmailAddress,
        into: &EmailAddress,
        dry_run: bool,
    ) -> Result<Restored, Error> {
        let live = self.layout.file("data/mail");
        if !live.is_dir() {
            return Err(Error::new(
                ErrorKind::NotFound,
                "restore.nothing_here",
                format!(
                    "restore the mailbox {address}: {} has no deployment here",
                    self.layout.mail_host()
                ),
            )
            .hint("without `--mailbox` everything is restored"));
        }
        let verified = self.verified(source)?;
        let mut out = empty(&self.layout);
        out.archive = Some(verified.archive);
        out.findings = verified.findings;
        out.steps = vec![
            Step::new(
                "verify",
                format!("read {} to its end", source.file.display()),
            ),
            Step::new("stage", format!("unpack the mailbox {address}")),
            Step::new(
                "merge",
                format!("add to {into} the messages that it does not have"),
            ),
        ];
        if dry_run {
            return Ok(out);
        }
        let alone = Alone::take(&self.places)?;
        let live = files::behind_links(&live)?;
        let device = |path: &Path| fs::metadata(path).map(|there| there.dev()).ok();
        let (own, beside) = (self.places.stage.clone(), live.join(BESIDE_MAIL));
        // Messages get their places by names, not by copies.
        let stage = if device(self.places.work()) == device(&live) {
            own
        } else {
            beside.clone()
        };
        for left in [&stage, &beside] {
            places::remove(left)?;
        }
        places::private(&stage)?;
        let done = self.merged(source, address, into, &stage, &live, &mut out);
        let cleared = places::remove(&stage).and_then(|()| self.places.clear());
        drop(alone);
        done?;
        cleared?;
        out.performed = true;
        Ok(out)
    }

    fn merged(
        &mut self,
        source: &Source,
        address: &EmailAddress,
        into: &EmailAddress,
        stage: &Path,
        live: &Path,
        out: &mut Restored,
    ) -> Result<(), Error> {
        let found = self.unpack_mailbox(source, address, stage)?;
        if !found.mailbox {
            let names: Vec<&str> = found.others.iter().map(String::as_str).collect();
            let shown = names.get(..SHOWN.min(names.len())).unwrap_or_default();
            let more = names.len().saturating_sub(SHOWN);
            let more = if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            };
            return Err(Error::new(
                ErrorKind::NotFound,
                "restore.no_mailbox",
                format!(
                    "restore the mailbox {address}: {} does not have it",
                    source.file.display()
                ),
            )
            .hint(format!("it has: {}{more}", shown.join(", "))));
        }
        {
            let _lock = lock::take_own(&self.layout)?;
            self.merge(address, into, stage, live, out)?;
        }
        if address == into {
            let database = found.database.then(|| stage.join("main.db"));
            self.account(address, database.as_deref(), out)?;
        }
        Ok(())
    }

    fn unpack_mailbox(
        &mut self,
        source: &Source,
        address: &EmailAddress,
        stage: &Path,
    ) -> Result<Unpacked, Error> {
        self.say(&format!("unpacking the mailbox {address}"));
        let wanted = name_of(address);
        let mut found = Unpacked::default();
        let progress = &mut *self.progress;
        let base = stage.join("mailbox");
        stage::unpack(|unpacking| {
            source.each(&mut |member, content| {
                going_on(progress)?;
                let Some((Top::Deployment, path)) = stage::split(&member.path) else {
                    return Ok(());
                };
                if path == Path::new("data/admin/main.db") {
                    found.database = true;
                    return unpacking.member(&stage.join("main.db"), member, content);
                }
                let Ok(rest) = path.strip_prefix("data/mail") else {
                    return Ok(());
                };
                let Some(first) = rest.iter().next() else {
                    return Ok(());
                };
                let first = first.to_string_lossy().to_lowercase();
                if first != wanted {
                    found.others.insert(first);
                    return Ok(());
                }
                found.mailbox = true;
                let to = inside(&base, rest);
                match same_as(member) {
                    Some(from) => unpacking.link(&inside(&base, &from), &to),
                    None => unpacking.member(&to, member, content),
                }
            })
        })?;
        stage::sync(stage)?;
        Ok(found)
    }

    fn merge(
        &mut self,
        address: &EmailAddress,
        into: &EmailAddress,
        stage: &Path,
        live: &Path,
        out: &mut Restored,
    ) -> Result<(), Error> {
        let gone = || files::failed("open", live, std::io::ErrorKind::NotFound.into());
        let tree = Dir::open(live)?.ok_or_else(gone)?;
        // As it is written there.
        let name = tree
            .entries()?
            .into_iter()
            .find(|(name, _)| name.to_string_lossy().to_lowercase() == name_of(into))
            .map_or_else(|| name_of(into).into(), |(name, _)| name);
        let Some(source) = Dir::open(&stage.join("mailbox"))? else {
            return Err(gone());
        };
        let Some(target) = tree.inner(&name)? else {
            self.say(&format!(
                "putting the whole mailbox in place: {into} has none"
            ));
            let count = carry::count(&source)?;
            let to = tree.at(&name);
            fs::rename(stage.join("mailbox"), &to)
                .map_err(|error| files::failed("put in place", &live.join(&name), error))?;
            files::sync_parent(&mut files::Disk, &live.join(&name))?;
            out.carried.messages = count;
            out.carried.whole.push(into.to_string());
            return Ok(());
        };
        let how = How {
            since: None,
            served: true,
        };
        let merged = carry::mailbox(&source, &target, how)?;
        carry::scripts(&source, &target)?;
        stage::sync(live)?;
        self.say(&format!(
            "{} messages of {address} were missing in {into}, {} were there",
            merged.messages, merged.there
        ));
        out.carried.messages = merged.messages;
        out.carried.there = merged.there;
        if merged.messages > 0 {
            out.carried.mailboxes.push(into.to_string());
        }
        Ok(())
    }

    /// Makes the account again where there is none any more.
    fn account(
        &mut self,
        address: &EmailAddress,
        database: Option<&Path>,
        out: &mut Restored,
    ) -> Result<(), Error> {
        let unknown = |why: &str| {
            Finding::warning(
                "restore.account",
                address.to_string(),
                format!("whether there is an account for it was not looked at: {why}"),
            )
            .hint("its mail is there; make the account with the same address, if there is none")
        };
        let (config, _) = self.mailu.config(&self.layout)?;
        let there = Docker::connect().and_then(|docker| {
            let all = docker.project(&status::project(&self.layout, &config))?;
            Ok((docker, all))
        });
        let (docker, all) = match there {
            Ok(there) => there,
            Err(error) => {
                out.findings.push(unknown(&error.to_string()));
                return Ok(());
            }
        };
        let (Some(admin), Some(database)) = (pause::running(&all, "admin"), database) else {
            out.findings.push(unknown(if database.is_none() {
                "the archive has no database"
            } else {
                "admin does not run"
            }));
            return Ok(());
        };
        let bytes = fs::read(database).map_err(|error| files::failed("read", database, error))?;
        let name = name_of(address);
        let command = ["python3", "-c", ACCOUNT, name.as_str()];
        let ran =
            docker.execute_as(&admin.name, Some("mailu"), &command, Some(&bytes), PATIENCE)?;
        let account: Option<Account> = serde_json::from_str(ran.out.trim()).ok();
        match account {
            Some(account) if account.state == "made" => {
                self.say(&format!("made the account {address} again, as it was"));
                out.findings.push(Finding::notice(
                    "restore.account_made",
                    address.to_string(),
                    "had no account any more; it was made again with the password that it had then",
                ));
                if !account.aliases.is_empty() {
                    out.findings.push(
                        Finding::notice(
                            "restore.aliases",
                            account.aliases.join(", "),
                            format!("led to {address} then, and are gone"),
                        )
                        .hint("make them again in the admin interface, if they are wanted"),
                    );
                }
            }
            Some(account) if account.state == "there" => {}
            Some(_) => out.findings.push(unknown("the archive has none")),
            None => {
                // Its last words may quote what it read, and a hash is among that.
                let said = ran.err.lines().next_back().unwrap_or_default();
                let kind = said.split(':').next().unwrap_or_default();
                out.findings.push(unknown(&format!(
                    "the program in admin's container failed ({kind})"
                )));
            }
        }
        Ok(())
    }
}

/// The name of a mailbox's directory.
fn name_of(address: &EmailAddress) -> String {
    address.to_string().to_lowercase()
}

/// The path of something in a mailbox, whose own directory is `base`.
fn inside(base: &Path, rest: &Path) -> PathBuf {
    let mut out = base.to_path_buf();
    out.extend(rest.iter().skip(1).filter(|part| *part != OsStr::new(".")));
    out
}

/// What a file is the same as, in an archive that was made by hand: below the mail tree.
fn same_as(member: &Member) -> Option<PathBuf> {
    if !super::source::is_file(member) {
        return None;
    }
    match stage::split(member.target.as_deref()?)? {
        (Top::Deployment, path) => Some(path.strip_prefix("data/mail").ok()?.to_path_buf()),
        (Top::Secrets, _) => None,
    }
}
