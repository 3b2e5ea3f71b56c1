//! Going to another release of Mailu: what speaks against it, the steps, what came of it. Doing it is the host's business.

use std::path::PathBuf;

use serde::Serialize;

use crate::config::units::Version;
use crate::finding::Finding;
use crate::restore::Step;
use crate::start::Run;

/// The revision of the database of `version`. Within 2024.06 it never changes, so that every release reads what any other wrote.
pub fn schema_of(_: Version) -> &'static str {
    "0ba45693748d"
}

/// What is known before anything is changed.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Facts {
    /// The mail host.
    pub mail_host: String,
    /// The deployment's directory.
    pub directory: PathBuf,
    /// The release that runs.
    pub from: Version,
    /// The release that is to run.
    pub to: Version,
    /// Whether any container runs.
    pub running: bool,
    /// The revision of the database; absent where it could not be asked for.
    pub schema: Option<String>,
    /// What says that accounts are in another database than a file of Mailu's.
    pub outside_database: Option<String>,
    /// Whether that is no reason not to update.
    pub without_database: bool,
    /// Images that are not here yet.
    pub missing: Vec<String>,
    /// Files and directories that it would change, by path in the deployment, and that cannot change places with a copy.
    pub elsewhere: Vec<String>,
    /// The bytes that copies of them take.
    pub needed: u64,
    /// The bytes that are free for them.
    pub free: Option<u64>,
    /// Changes of the configuration that were not applied yet, as paths of the files that they would change.
    pub pending: Vec<String>,
    /// Whether files can be given to their owners.
    pub privileged: bool,
}

impl Facts {
    /// Facts about an update that nothing speaks against.
    pub fn new(mail_host: String, directory: PathBuf, from: Version, to: Version) -> Self {
        Self {
            mail_host,
            directory,
            from,
            to,
            running: true,
            schema: Some(schema_of(from).to_owned()),
            outside_database: None,
            without_database: false,
            missing: Vec::new(),
            elsewhere: Vec::new(),
            needed: 0,
            free: None,
            pending: Vec::new(),
            privileged: true,
        }
    }
}

fn size(bytes: u64) -> String {
    bytesize::ByteSize(bytes).display().si().to_string()
}

/// What speaks against it; errors refuse it.
pub fn judge(facts: &Facts) -> Vec<Finding> {
    let mut out = Vec::new();
    let host = facts.mail_host.as_str();
    if !facts.privileged {
        out.push(
            Finding::error(
                "update.unprivileged",
                "root",
                "this is not root, who alone may give files to the owners that they have",
            )
            .hint("use `sudo`"),
        );
    }
    if !facts.running {
        out.push(
            Finding::error(
                "update.not_running",
                host,
                "does not run: whether it works afterwards could not be told from whether it worked before",
            )
            .hint("`mailu start` starts it"),
        );
    }
    if let Some(schema) = &facts.schema
        && schema != schema_of(facts.from)
    {
        out.push(
            Finding::error(
                "update.schema",
                "data/admin/main.db",
                format!(
                    "has another revision than Mailu {} makes, {}: it would not be understood by another release, either",
                    facts.from,
                    schema_of(facts.from)
                ),
            )
            .value(schema)
            .hint("the log of admin says why it was not brought up to date: `mailu logs admin`"),
        );
    }
    match &facts.outside_database {
        Some(outside) if facts.without_database => out.push(Finding::warning(
            "update.outside_database",
            outside.as_str(),
            "is not in the backup, and does not go back with the rest if the update fails",
        )),
        Some(outside) => out.push(
            Finding::error(
                "update.outside_database",
                outside.as_str(),
                "says that accounts are in another database, which can neither be backed up nor put back here",
            )
            .hint("dump that database with its own tools, and update with `--without-database`"),
        ),
        None => {}
    }
    for path in &facts.elsewhere {
        out.push(
            Finding::error(
                "update.elsewhere",
                facts.directory.join(path).display().to_string(),
                "is a link or a file system of its own, and cannot change places with a copy",
            )
            .hint("move what it leads to into the deployment's directory; mail and queue may stay where they are"),
        );
    }
    if let Some(free) = facts.free
        && free < facts.needed
    {
        out.push(
            Finding::error(
                "update.space",
                facts.directory.display().to_string(),
                format!(
                    "is on a file system with {} left, and copies of databases and settings take {}",
                    size(free),
                    size(facts.needed)
                ),
            )
            .hint("make room there, or enlarge that file system"),
        );
    }
    if !facts.pending.is_empty() {
        out.push(
            Finding::warning(
                "update.pending",
                facts.pending.join(", "),
                "would change without an update, too: what was changed in mailu.toml since comes with it, and goes back with it",
            )
            .hint("`mailu apply` first keeps the two apart"),
        );
    }
    if facts.to < facts.from {
        out.push(Finding::notice(
            "update.older",
            "version",
            format!(
                "goes back from {} to {}: Mailu allows that within a series",
                facts.from, facts.to
            ),
        ));
    }
    if facts.to > Version::DEFAULT {
        out.push(
            Finding::notice(
                "update.newer",
                "version",
                format!(
                    "{} is newer than what this program was tried with, {}",
                    facts.to,
                    Version::DEFAULT
                ),
            )
            .hint("read what Mailu says of that release first"),
        );
    }
    out
}

/// What is done, in order.
pub fn steps(facts: &Facts) -> Vec<Step> {
    let Facts { from, to, .. } = facts;
    let mut out = vec![Step::new(
        "test",
        "send a message to the first administrator, to know what works",
    )];
    if !facts.missing.is_empty() {
        out.push(Step::new(
            "pull",
            format!("get {}", facts.missing.join(", ")),
        ));
    }
    out.extend([
        Step::new("backup", "take a backup, while mail flows"),
        Step::new("hold", "stop the services; mail waits with its senders"),
        Step::new(
            "copy",
            format!(
                "copy databases and settings ({}); mail and queue stay where they are",
                size(facts.needed)
            ),
        ),
        Step::new(
            "start",
            format!("start Mailu {to}, service after service, and wait until each is ready"),
        ),
        Step::new(
            "prove",
            "look at ports, log-in, relay and the database's revision, and send a message again",
        ),
        Step::new(
            "keep",
            format!(
                "if any of that fails: back to Mailu {from}, with databases and settings as they were"
            ),
        ),
    ]);
    out
}

/// What came of it.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Updated {
    /// The mail host.
    pub mail_host: String,
    /// Its client.
    pub client: Option<String>,
    /// The deployment's directory.
    pub directory: PathBuf,
    /// The release that ran before.
    pub from: String,
    /// The release that runs now, or would.
    pub to: String,
    /// What is done, in order; nothing where there is nothing to do.
    pub steps: Vec<Step>,
    /// Whether it was done.
    pub performed: bool,
    /// What was found of an interrupted run, and what was done about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovered: Option<String>,
    /// The backup that was taken for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup: Option<PathBuf>,
    /// What was there before, kept: of a deployment that `AgencyStack`'s old installer had made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept: Option<PathBuf>,
    /// The command that removes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remove_command: Option<String>,
    /// How long services stood still, in seconds: from the first that was stopped until all were ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stood_still_seconds: Option<u64>,
    /// What bringing it up did and found; absent where nothing was started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<Run>,
    /// Whatever needs an eye.
    pub findings: Vec<Finding>,
}

impl Updated {
    /// Nothing done yet.
    pub fn new(mail_host: String, client: Option<String>, directory: PathBuf) -> Self {
        Self {
            mail_host,
            client,
            directory,
            from: String::new(),
            to: String::new(),
            steps: Vec::new(),
            performed: false,
            recovered: None,
            backup: None,
            kept: None,
            remove_command: None,
            stood_still_seconds: None,
            run: None,
            findings: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        let version = |text: &str| text.parse().unwrap();
        Facts::new(
            "mail.example.com".to_owned(),
            "/srv/mail.example.com".into(),
            version("2024.06.55"),
            version("2024.06.57"),
        )
    }

    fn ids(change: fn(&mut Facts)) -> Vec<String> {
        let mut facts = facts();
        change(&mut facts);
        judge(&facts).into_iter().map(|one| one.id).collect()
    }

    #[test]
    fn what_speaks_against_it_is_said() {
        assert_eq!(ids(|_| {}), [""; 0]);
        for (change, id) in [
            (
                (|facts| facts.privileged = false) as fn(&mut Facts),
                "unprivileged",
            ),
            (|facts| facts.running = false, "not_running"),
            (
                |facts| facts.schema = Some("7ac252f2bbbf".to_owned()),
                "schema",
            ),
            (
                |facts| facts.outside_database = Some("DB_FLAVOR=mysql".to_owned()),
                "outside_database",
            ),
            (
                |facts| facts.elsewhere = vec!["data/webmail".to_owned()],
                "elsewhere",
            ),
            (|facts| (facts.needed, facts.free) = (2, Some(1)), "space"),
            (
                |facts| facts.pending = vec!["mailu.env".to_owned()],
                "pending",
            ),
            (|facts| facts.to = "2024.06.54".parse().unwrap(), "older"),
            (|facts| facts.to = "2024.06.99".parse().unwrap(), "newer"),
        ] {
            assert_eq!(ids(change), [format!("update.{id}")]);
        }
        let all = ids(|facts| {
            facts.outside_database = Some("DB_FLAVOR=mysql".to_owned());
            facts.without_database = true;
        });
        assert_eq!(all, ["update.outside_database"]);
    }

    #[test]
    fn images_are_got_before_anything_stops() {
        let mut facts = facts();
        let words = |facts: &Facts| -> Vec<String> {
            steps(facts).into_iter().map(|step| step.action).collect()
        };
        assert_eq!(
            words(&facts),
            ["test", "backup", "hold", "copy", "start", "prove", "keep"]
        );
        facts.missing = vec!["ghcr.io/mailu/nginx:2024.06.57".to_owned()];
        assert_eq!(
            words(&facts),
            [
                "test", "pull", "backup", "hold", "copy", "start", "prove", "keep"
            ]
        );
    }
}
