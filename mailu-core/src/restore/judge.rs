//! Whether an archive can be restored here, and what that takes.

use std::path::PathBuf;

use super::{Scope, Step};
use crate::finding::Finding;

/// Revisions of Mailu's database that its images can read: 1.7 to 1.9, 2.0, and 2024.06. They bring older ones up to their own.
pub const KNOWN_SCHEMAS: [&str; 3] = ["3b7eee912b41", "7ac252f2bbbf", "0ba45693748d"];

/// What is known before anything is changed.
#[expect(
    clippy::struct_excessive_bools,
    reason = "facts, which do not depend on each other"
)]
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Facts {
    /// The archive.
    pub file: PathBuf,
    /// The mail host.
    pub mail_host: String,
    /// Where it goes.
    pub directory: PathBuf,
    /// Mailu's release in the archive.
    pub version: Option<String>,
    /// Mailu's release of the deployment that is there.
    pub version_here: Option<String>,
    /// The revision of the archived database.
    pub schema: Option<String>,
    /// The bytes that unpacking takes.
    pub needed: u64,
    /// The bytes that are free.
    pub free: Option<u64>,
    /// Whether there is a deployment.
    pub replaces: bool,
    /// Paths of the deployment that lie elsewhere: links, and file systems of their own.
    pub elsewhere: Vec<PathBuf>,
    /// Whether files can be given to their owners.
    pub privileged: bool,
    /// Whether the archive counts exactly.
    pub exact: bool,
    /// Whether the server is started.
    pub start: bool,
    /// Whether containers run.
    pub running: bool,
}

fn size(bytes: u64) -> String {
    bytesize::ByteSize(bytes).display().si().to_string()
}

/// What speaks against it; errors refuse it.
pub fn judge(scope: Scope, facts: &Facts) -> Vec<Finding> {
    let mut out = Vec::new();
    if scope == Scope::Configuration && !facts.replaces {
        out.push(
            Finding::error(
                "restore.nothing_here",
                facts.mail_host.as_str(),
                "has no deployment here whose data could go with this configuration",
            )
            .hint("without `--config-only` everything is restored"),
        );
    }
    if let Some(free) = facts.free
        && free < facts.needed
    {
        out.push(
            Finding::error(
                "restore.space",
                facts.directory.display().to_string(),
                format!(
                    "is on a file system with {} left, and unpacking beside it takes {}: what is there stays until the restored server works",
                    size(free),
                    size(facts.needed)
                ),
            )
            .hint("make room there, or enlarge that file system"),
        );
    }
    if scope == Scope::Everything
        && let Some(schema) = &facts.schema
        && !KNOWN_SCHEMAS.contains(&schema.as_str())
    {
        out.push(
            Finding::error(
                "restore.schema",
                "data/admin/main.db",
                "has a revision that this program does not know: Mailu's images would start with a database that they cannot read",
            )
            .value(schema)
            .hint("restore it with the release of this program that made it, or with a newer one"),
        );
    }
    for path in &facts.elsewhere {
        out.push(
            Finding::error(
                "restore.elsewhere",
                path.display().to_string(),
                "is a link or a file system of its own, and cannot change places in one step with what is restored",
            )
            .hint("`--mailbox ADDRESS` restores into it, one mailbox at a time")
            .hint("or stop the server, move what it leads to into the deployment's directory, and restore then"),
        );
    }
    if !facts.privileged {
        out.push(
            Finding::warning(
                "restore.unprivileged",
                "root",
                "this is not root: files are not given to the owners that they had",
            )
            .hint("use `sudo` for a server that is to run"),
        );
    }
    if let (Some(archived), Some(here)) = (&facts.version, &facts.version_here)
        && archived != here
    {
        out.push(Finding::notice(
            "restore.version",
            "version",
            format!("becomes that of the backup, {archived}; here it was {here}"),
        ));
    }
    if facts.exact && facts.replaces {
        out.push(Finding::warning(
            "restore.exact",
            facts.mail_host.as_str(),
            "loses mail that has arrived since the backup, and what waits in its queue; it stays in what is kept of before",
        ));
    }
    if facts.running && !facts.start {
        out.push(
            Finding::warning(
                "restore.stopped",
                facts.mail_host.as_str(),
                "is stopped for this and not started afterwards; mail waits with its senders",
            )
            .hint("without `--no-start` it is started"),
        );
    }
    out
}

/// What is done, in order.
pub fn steps(scope: Scope, facts: &Facts) -> Vec<Step> {
    let directory = facts.directory.display();
    let mut out = vec![
        Step::new(
            "verify",
            format!("read {} to its end", facts.file.display()),
        ),
        Step::new(
            "stage",
            match scope {
                Scope::Everything => {
                    format!("unpack {} beside {directory}", size(facts.needed))
                }
                Scope::Configuration => {
                    format!(
                        "unpack configuration, secrets, keys and certificates beside {directory}"
                    )
                }
            },
        ),
    ];
    if facts.running {
        out.push(Step::new(
            "hold",
            "stop the services; mail waits with its senders",
        ));
    }
    if facts.replaces {
        match scope {
            Scope::Everything if facts.exact => {}
            Scope::Everything => out.push(Step::new(
                "carry",
                "take along mail that has arrived since the backup, and the queue",
            )),
            Scope::Configuration => out.push(Step::new("carry", "take the data over as they are")),
        }
    }
    out.push(Step::new(
        "swap",
        if facts.replaces {
            format!("exchange {directory} and its secrets with what was unpacked")
        } else {
            format!("put what was unpacked at {directory}")
        },
    ));
    if facts.start {
        out.push(Step::new(
            "start",
            "start the server, try it, and send it a message; else go back",
        ));
    }
    if facts.replaces {
        out.push(Step::new("keep", "keep what was there before"));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        Facts {
            mail_host: "mail.example.com".to_owned(),
            directory: "/srv/mail.example.com".into(),
            schema: Some("0ba45693748d".to_owned()),
            needed: 1000,
            free: Some(1000),
            replaces: true,
            privileged: true,
            start: true,
            running: true,
            ..Facts::default()
        }
    }

    fn ids(scope: Scope, facts: &Facts) -> Vec<String> {
        judge(scope, facts).into_iter().map(|one| one.id).collect()
    }

    #[test]
    fn what_speaks_against_it_is_said_all_at_once() {
        assert_eq!(ids(Scope::Everything, &facts()), [""; 0]);
        let mut bad = facts();
        bad.free = Some(999);
        bad.schema = Some("9a5866105f5a".to_owned());
        bad.elsewhere = vec!["/srv/mail.example.com/data/mail".into()];
        bad.privileged = false;
        bad.exact = true;
        bad.start = false;
        assert_eq!(
            ids(Scope::Everything, &bad),
            [
                "restore.space",
                "restore.schema",
                "restore.elsewhere",
                "restore.unprivileged",
                "restore.exact",
                "restore.stopped"
            ]
        );
        let mut empty = facts();
        empty.replaces = false;
        empty.schema = Some("9a5866105f5a".to_owned());
        assert_eq!(ids(Scope::Configuration, &empty), ["restore.nothing_here"]);
    }

    #[test]
    fn steps_are_those_that_are_done() {
        let words = |facts: &Facts, scope| -> Vec<String> {
            steps(scope, facts)
                .into_iter()
                .map(|step| step.action)
                .collect()
        };
        assert_eq!(
            words(&facts(), Scope::Everything),
            ["verify", "stage", "hold", "carry", "swap", "start", "keep"]
        );
        let mut empty = facts();
        (empty.replaces, empty.running) = (false, false);
        assert_eq!(
            words(&empty, Scope::Everything),
            ["verify", "stage", "swap", "start"]
        );
    }
}
