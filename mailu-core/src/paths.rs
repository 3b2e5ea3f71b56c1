//! Where everything of a deployment lies, as arithmetic on paths.

use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::names::{ClientId, MailHost};

/// The root unless `--root` or `AGENCY_STACK_ROOT` says otherwise.
pub const DEFAULT_ROOT: &str = "/opt/agency_stack";

/// `path` as a word for a POSIX shell: quoted where it needs that.
pub(crate) fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%,=".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// The program's name with the option that leads to `root`, if it needs one.
pub(crate) fn program(root: &Path) -> String {
    if root == Path::new(DEFAULT_ROOT) {
        "mailu".to_owned()
    } else {
        format!("mailu --root {}", quoted(root))
    }
}

/// The options that name a deployment.
pub(crate) fn options(client: Option<&ClientId>, mail_host: &MailHost) -> String {
    match client {
        Some(client) => format!("--domain {mail_host} --client-id {client}"),
        None => format!("--domain {mail_host}"),
    }
}

/// The paths of one deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    root: PathBuf,
    client: Option<ClientId>,
    mail_host: MailHost,
}

/// A directory that a deployment needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Directory {
    /// Relative to the deployment's directory; empty for that itself.
    pub path: &'static str,
    /// Permission bits for a new directory.
    pub mode: u32,
    /// Numeric owner and group for a new directory; root otherwise. Most images take over their directories when they start.
    pub owner: Option<(u32, u32)>,
    /// Whether the mode is put right if it has changed. Data directories belong to the containers and are left alone.
    pub enforced: bool,
}

const fn directory(path: &'static str, mode: u32) -> Directory {
    Directory {
        path,
        mode,
        owner: None,
        enforced: false,
    }
}

const fn ours(path: &'static str, mode: u32) -> Directory {
    Directory {
        path,
        mode,
        owner: None,
        enforced: true,
    }
}

/// User and group `mail` of Alpine Linux, in whose name Mailu's Dovecot stores mail. It takes over `/mail` itself, but not what is below.
pub(crate) const MAIL: (u32, u32) = (8, 12);

/// Every directory of a deployment, parents first. Overrides are read inside containers by users other than root.
pub const DIRECTORIES: &[Directory] = &[
    ours("", 0o750),
    ours(".mailu", 0o700),
    directory("dns", 0o755),
    directory("data", 0o755),
    directory("data/admin", 0o750),
    directory("data/certs", 0o700),
    directory("data/clamav", 0o755),
    directory("data/dav", 0o700),
    directory("data/dkim", 0o700),
    directory("data/fetchmail", 0o755),
    directory("data/filter", 0o755),
    Directory {
        path: "data/mail",
        mode: 0o700,
        owner: Some(MAIL),
        enforced: false,
    },
    directory("data/mailqueue", 0o755),
    directory("data/redis", 0o755),
    directory("data/webmail", 0o755),
    directory("overrides", 0o755),
    directory("overrides/dovecot", 0o755),
    directory("overrides/nginx", 0o755),
    directory("overrides/postfix", 0o755),
    directory("overrides/roundcube", 0o755),
    directory("overrides/rspamd", 0o755),
    directory("overrides/snappymail", 0o755),
];

impl Layout {
    /// The paths of the deployment of `mail_host` for `client` below `root`.
    pub fn new(root: impl Into<PathBuf>, client: Option<ClientId>, mail_host: MailHost) -> Self {
        Self {
            root: root.into(),
            client,
            mail_host,
        }
    }

    /// The paths of `config` below `root`.
    pub fn of(root: impl Into<PathBuf>, config: &Config) -> Self {
        Self::new(root, config.client.clone(), config.mail_host.clone())
    }

    /// The mail host.
    pub fn mail_host(&self) -> &MailHost {
        &self.mail_host
    }

    /// The client.
    pub fn client(&self) -> Option<&ClientId> {
        self.client.as_ref()
    }

    /// The root.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The command for this deployment, as it is typed: `mailu VERB --domain MAIL_HOST`, with client and root where it needs them.
    pub fn command(&self, verb: &str) -> String {
        format!(
            "{} {verb} {}",
            program(&self.root),
            options(self.client.as_ref(), &self.mail_host)
        )
    }

    fn below(&self, base: &str) -> PathBuf {
        let mut path = self.root.join(base);
        if let Some(client) = &self.client {
            path.push("clients");
            path.push(client.as_str());
        }
        path.push(self.mail_host.as_str());
        path
    }

    /// The deployment's directory.
    pub fn directory(&self) -> PathBuf {
        self.below("mailu")
    }

    /// The directory of its secrets.
    pub fn secrets(&self) -> PathBuf {
        self.below("secrets/mailu")
    }

    /// The file of the secret `name`.
    pub fn secret(&self, name: &str) -> PathBuf {
        self.secrets().join(name)
    }

    /// A path below the deployment's directory.
    pub fn file(&self, relative: &str) -> PathBuf {
        self.directory().join(relative)
    }

    /// `mailu.toml`.
    pub fn config(&self) -> PathBuf {
        self.file("mailu.toml")
    }

    /// The record of what was written last.
    pub fn rendered(&self) -> PathBuf {
        self.file(".mailu/rendered.json")
    }

    /// What a run was about to write; there only while one is under way or was interrupted.
    pub fn journal(&self) -> PathBuf {
        self.file(".mailu/journal.json")
    }

    /// The lock of the deployment.
    pub fn lock(&self) -> PathBuf {
        self.file(".mailu/lock")
    }

    /// The lock of a backup, which reads on while the deployment is worked on.
    pub fn backup_lock(&self) -> PathBuf {
        self.file(".mailu/backup.lock")
    }

    /// The mark that `AgencyStack` looks for.
    pub fn installed(&self) -> PathBuf {
        self.file(".installed_ok")
    }

    /// What says that the deployment was taken down.
    pub fn uninstalled(&self) -> PathBuf {
        self.file(".mailu/uninstalled")
    }

    /// Where its backups lie: beside the deployments, so that they outlive it.
    pub fn backups(&self) -> PathBuf {
        self.below("backups/mailu")
    }

    /// Where `AgencyStack` keeps the logs of components.
    pub fn logs() -> PathBuf {
        PathBuf::from("/var/log/agency_stack/components")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_quoted_for_a_shell_only_where_they_need_it() {
        for (path, word) in [
            ("/opt/agency_stack", "/opt/agency_stack"),
            ("/srv/two words", "'/srv/two words'"),
            ("/srv/it's", r"'/srv/it'\''s'"),
            ("/srv/$HOME", "'/srv/$HOME'"),
        ] {
            assert_eq!(quoted(Path::new(path)), word);
        }
    }
}
