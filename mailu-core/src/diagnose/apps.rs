//! The mail settings that AgencyStack's own scripts have left with the apps of this host, most of which cannot work as they were written.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use super::{Config, Observed, Verdict};
use crate::env::EnvFile;
use crate::finding::Finding;

/// What is found below AgencyStack's root.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct AppsSeen {
    /// AgencyStack's root.
    pub root: PathBuf,
    /// Its files that have to do with mail. There are secrets among them.
    pub files: BTreeMap<PathBuf, String>,
    /// Those that could not be read, and why.
    pub unread: Vec<(PathBuf, String)>,
    /// Directories of clients' apps.
    pub directories: BTreeSet<PathBuf>,
    /// The apps that `mailu integrate` has connected, by any deployment below that root.
    pub connected: Vec<Connected>,
    /// Containers of Listmonk's that their database does not let in, with the line that says so.
    pub locked_out: Vec<(String, String)>,
    /// Clients that have a deployment of their own, which is asked about them.
    pub elsewhere: BTreeSet<String>,
    /// Whether this deployment is the one to be asked about what all clients share.
    pub shared: bool,
}

impl fmt::Debug for AppsSeen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppsSeen")
            .field("root", &self.root)
            .field("files", &self.files.keys())
            .field("unread", &self.unread)
            .field("directories", &self.directories)
            .field("connected", &self.connected)
            .field("elsewhere", &self.elsewhere)
            .field("shared", &self.shared)
            .finish_non_exhaustive()
    }
}

/// An app that `mailu integrate` has connected.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Connected {
    /// Its name.
    pub app: String,
    /// Which of several.
    pub site: Option<String>,
    /// The client of the deployment, `default` without one.
    pub client: String,
    /// The file that has its settings.
    pub file: Option<PathBuf>,
}

impl Connected {
    /// An app of a client's.
    pub fn new(app: &str, site: Option<&str>, client: &str, file: Option<&Path>) -> Self {
        Self {
            app: app.to_owned(),
            site: site.map(str::to_owned),
            client: client.to_owned(),
            file: file.map(Path::to_path_buf),
        }
    }
}

/// Files that have to do with mail, below the root; a star stands for one directory. `repo` is AgencyStack's checkout.
pub const FILES: [&str; 12] = [
    "config.env",
    "installed_components.txt",
    "integrations/state/email.state",
    "clients/*/listmonk_data/config/config.toml",
    "clients/*/peertube_data/config/production.yaml.d/mail.yaml",
    "clients/*/killbill/docker-compose.yml",
    "erpnext/*/sites/common_site_config.json",
    "erpnext/*/sites/*/site_config.json",
    "erpnext/sites/common_site_config.json",
    "erpnext/sites/*/site_config.json",
    "repo/docker/chatwoot/.env",
    "repo/Makefile",
];

/// The script that a target of AgencyStack's Makefile calls.
pub const SCRIPT: &str = "repo/scripts/integrations/integrate_mailu_listmonk.sh";

/// Directories of apps for which AgencyStack has no mail settings at all.
pub const UNWIRED: [&str; 4] = [
    "clients/*/keycloak",
    "clients/*/ghost",
    "clients/*/gitea",
    "clients/*/mattermost",
];

/// What its installers write where no password was given.
const PLACEHOLDERS: [&str; 2] = ["password_not_set", "mail_password_here"];

/// Keys of Frappe's that there are none of.
const NOT_FRAPPES: [&str; 3] = ["smtp_server", "smtp_port", "smtp_use_tls"];

struct Judge<'a> {
    config: &'a Config,
    seen: &'a AppsSeen,
    options: String,
    out: Vec<Finding>,
}

pub(super) fn judge(config: &Config, observed: &Observed) -> Verdict {
    let Some(seen) = &observed.apps else {
        return Verdict::undone("not looked at");
    };
    let mut judge = Judge {
        config,
        seen,
        options: config.options(),
        out: Vec::new(),
    };
    for (path, text) in &seen.files {
        judge.file(path, text);
    }
    for path in &seen.directories {
        judge.directory(path);
    }
    for (container, line) in &seen.locked_out {
        judge.locked_out(container, line);
    }
    let mut verdict = Verdict::of("nothing that AgencyStack's scripts have left", judge.out);
    verdict.unknown = seen
        .unread
        .iter()
        .map(|(path, why)| (path.display().to_string(), why.clone()))
        .collect();
    verdict
}

impl Judge<'_> {
    fn file(&mut self, path: &Path, text: &str) {
        let Ok(below) = path.strip_prefix(&self.seen.root) else {
            // Chatwoot's, where its container says that it is elsewhere.
            if path.file_name().is_some_and(|name| name == ".env") && self.seen.shared {
                self.chatwoot(path, text);
            }
            return;
        };
        let parts: Vec<&str> = below.iter().filter_map(|part| part.to_str()).collect();
        match parts.as_slice() {
            ["clients", client, rest @ ..] if self.asked_about(client) => match rest {
                ["listmonk_data", ..] => self.listmonk(path, client, text),
                ["peertube_data", ..] => self.peertube(path, client, text),
                ["killbill", ..] => self.killbill(path, client, text),
                _ => {}
            },
            _ if !self.seen.shared => {}
            ["config.env"] => self.config_env(path, text),
            ["installed_components.txt"] => self.components(path, text),
            ["integrations", ..] => self.state(path, text),
            ["erpnext", .., "common_site_config.json"] => self.erpnext(path, None, text),
            ["erpnext", .., site, "site_config.json"] => self.erpnext(path, Some(site), text),
            ["repo", "docker", "chatwoot", ..] => self.chatwoot(path, text),
            ["repo", "Makefile"] => self.makefile(path, text),
            _ => {}
        }
    }

    /// Whether this deployment is the one for a client's apps.
    fn asked_about(&self, client: &str) -> bool {
        match &self.config.client {
            Some(own) => own.as_str() == client,
            None => !self.seen.elsewhere.contains(client),
        }
    }

    fn connected(&self, app: &str, client: &str) -> bool {
        self.seen.connected.iter().any(|one| {
            one.app == app
                && match &one.site {
                    Some(site) => site == client,
                    None => one.client == client,
                }
        })
    }

    fn is_connected_by(&self, path: &Path) -> bool {
        let all = &self.seen.connected;
        all.iter().any(|one| one.file.as_deref() == Some(path))
    }

    fn add(&mut self, finding: Finding) {
        self.out.push(finding);
    }

    /// `mailu_setup.sh` writes the service's name, which no DNS has and no certificate, and port 25, where nobody logs in.
    fn config_env(&mut self, path: &Path, text: &str) {
        let Some(env) = variables(text) else { return };
        let value = |name: &str| env.get(name).map(String::as_str).unwrap_or_default();
        let (host, port) = (value("SMTP_HOST"), value("SMTP_PORT"));
        let by_name = host == "mailu";
        if self.is_connected_by(path) || !(by_name || !host.is_empty() && port == "25") {
            return;
        }
        let mut wrong = Vec::new();
        if by_name {
            wrong.push("the host `mailu`, which has no address and is not in the certificate");
        }
        if port == "25" {
            wrong.push("port 25, where nobody can log in");
        }
        self.add(
            Finding::error(
                "app.config_env",
                path.display().to_string(),
                format!("has AgencyStack's own mail (alerts, apps that read it) use {}", wrong.join(", and ")),
            )
            .value(format!("SMTP_HOST={host} SMTP_PORT={port}"))
            .hint(format!(
                "`mailu integrate generic agencystack --path {} --format shell {}` puts a login of its own there",
                path.display(),
                self.options
            )),
        );
    }

    /// `integrate_email.sh` looks for the line, and nobody writes it.
    fn components(&mut self, path: &Path, text: &str) {
        let has = |name: &str| text.lines().any(|line| line.contains(name));
        if has("Mailu") || !(has("WordPress") || has("ERPNext")) {
            return;
        }
        self.add(
            Finding::warning(
                "app.not_listed",
                path.display().to_string(),
                "does not name Mailu, so that AgencyStack's reports take every app for one without mail",
            )
            .hint(format!(
                "`mailu integrate APP {}` adds the line when it connects an app",
                self.options
            )),
        );
    }

    /// What their script recorded as done: nothing, or what cannot work.
    fn state(&mut self, path: &Path, text: &str) {
        for line in text.lines() {
            let Some((component, rest)) = line.split_once(':') else {
                continue;
            };
            let command = match component {
                "WordPress" => "`mailu integrate wordpress SITE",
                "ERPNext" => "`mailu integrate erpnext SITE",
                _ => continue,
            };
            let finding = if rest.contains("Manual configuration required") {
                Finding::warning(
                    "app.recorded_undone",
                    format!("{}: {component}", path.display()),
                    "is recorded as connected, and nothing was done: the script did not find the app's own program, and leaves it out from then on",
                )
            } else if rest.contains("SMTP integration with Mailu") {
                Finding::error(
                    "app.recorded_broken",
                    format!("{}: {component}", path.display()),
                    "was connected by AgencyStack's script: to the host `mailu`, which has no address and is not in the certificate, with the administrator's password",
                )
            } else {
                continue;
            };
            let options = &self.options;
            self.out.push(finding.hint(format!(
                "{command} {options}` connects it, and takes the record's place"
            )));
        }
    }

    /// Listmonk keeps its servers in its database, and reads none of this.
    fn listmonk(&mut self, path: &Path, client: &str, text: &str) {
        let Ok(table) = text.parse::<toml::Table>() else {
            return;
        };
        let Some(smtp) = table.get("smtp").and_then(toml::Value::as_table) else {
            return;
        };
        if self.connected("listmonk", client) {
            return;
        }
        let host = smtp.get("host").and_then(toml::Value::as_str);
        self.add(
            Finding::error(
                "app.listmonk_dead_smtp",
                path.display().to_string(),
                "has `[smtp]`, which Listmonk does not read: its servers are in its database, where a new one has samples only",
            )
            .value(host.unwrap_or("no host"))
            .hint(format!(
                "`mailu integrate listmonk {client} {}` puts the server there",
                self.options
            ))
            .hint("`make listmonk-mailu` does not help: it draws another password for the database, and locks Listmonk out of it"),
        );
    }

    fn locked_out(&mut self, container: &str, line: &str) {
        let client = container.trim_start_matches("listmonk-");
        let client = client.strip_prefix("app-").unwrap_or(client);
        if !self.asked_about(client) {
            return;
        }
        self.add(
            Finding::error(
                "app.listmonk_locked_out",
                container,
                "is not let in by its database: `make listmonk-mailu` has drawn another password, which the database does not know",
            )
            .value(line)
            .hint(format!(
                "`docker exec -it listmonk-postgres-{client} psql -U listmonk -d listmonk -c '\\password listmonk'` sets the one that stands in its config.toml; then `docker restart {container}`"
            )),
        );
    }

    fn peertube(&mut self, path: &Path, client: &str, text: &str) {
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let both = lines.contains(&"port: 587") && lines.contains(&"tls: true");
        let placeholder = PLACEHOLDERS.iter().any(|word| text.contains(word));
        if !(both || placeholder) || self.connected("peertube", client) {
            return;
        }
        let mut wrong = Vec::new();
        if both {
            wrong.push("asks for TLS from the first byte on port 587, which begins without");
        }
        if placeholder {
            wrong.push("has a placeholder for its password");
        }
        self.add(
            Finding::error(
                "app.peertube_mail",
                path.display().to_string(),
                wrong.join(", and "),
            )
            .hint(format!(
                "`mailu integrate peertube {client} {}` makes its login and writes what has to stand there instead",
                self.options
            )),
        );
    }

    fn killbill(&mut self, path: &Path, client: &str, text: &str) {
        let host = text.lines().find_map(|line| {
            let line = line.trim().trim_start_matches("- ");
            line.strip_prefix("KILLBILL_SMTP_HOST=")
        });
        let Some(host) = host.map(str::trim).filter(|host| !host.is_empty()) else {
            return;
        };
        if self.connected("killbill", client) {
            return;
        }
        let doubled = if host.starts_with("mail.mail.") {
            format!("; and {host} has `mail.` twice")
        } else {
            String::new()
        };
        self.add(
            Finding::error(
                "app.killbill_variables",
                path.display().to_string(),
                format!("sets `KILLBILL_SMTP_…`, which Kill Bill does not know: mail is set for each of its tenants{doubled}"),
            )
            .value(host)
            .hint(format!(
                "`mailu integrate killbill {client} {}` makes its login, and says what to upload",
                self.options
            )),
        );
    }

    fn chatwoot(&mut self, path: &Path, text: &str) {
        if self.is_connected_by(path) {
            return;
        }
        let Some(env) = variables(text) else { return };
        let mut wrong = Vec::new();
        if env.contains_key("SMTP_EMAIL_DOMAIN") {
            wrong.push("sets `SMTP_EMAIL_DOMAIN`, which Chatwoot does not know");
        }
        let password = env.get("SMTP_PASSWORD").map_or("", String::as_str);
        if PLACEHOLDERS.contains(&password) {
            wrong.push("has a placeholder for its password");
        }
        if wrong.is_empty() {
            return;
        }
        let directory = path.parent().unwrap_or(Path::new("/"));
        self.add(
            Finding::error(
                "app.chatwoot_variables",
                path.display().to_string(),
                wrong.join(", and "),
            )
            .hint(format!(
                "`mailu integrate chatwoot --path {} {}`; then `cd {} && docker compose up -d`, because containers read that file only when they are made",
                path.display(),
                self.options,
                directory.display()
            )),
        );
    }

    fn erpnext(&mut self, path: &Path, site: Option<&str>, text: &str) {
        let Ok(value) = serde_json::from_str::<serde_json::Value>(text) else {
            return;
        };
        let there: Vec<&str> = NOT_FRAPPES
            .into_iter()
            .filter(|key| value.get(key).is_some())
            .collect();
        let bench = path
            .ancestors()
            .nth(2 + usize::from(site.is_some()))
            .filter(|bench| *bench != self.seen.root.as_path());
        let bench = bench.and_then(|bench| bench.file_name()?.to_str());
        let site = site.or(bench.filter(|name| *name != "erpnext"));
        let connected = self
            .seen
            .connected
            .iter()
            .any(|one| one.app == "erpnext" && (site.is_none() || one.site.as_deref() == site));
        if there.is_empty() || connected {
            return;
        }
        let everybody = if path.ends_with("common_site_config.json") {
            ". It counts for every site, whosever it is"
        } else {
            ""
        };
        self.add(
            Finding::error(
                "app.erpnext_keys",
                path.display().to_string(),
                format!(
                    "sets {}, which Frappe does not read: mail is an Email Account of the site{everybody}",
                    there.join(", ")
                ),
            )
            .hint(format!(
                "`mailu integrate erpnext {} {}` makes one",
                site.unwrap_or("SITE"),
                self.options
            )),
        );
    }

    fn makefile(&mut self, path: &Path, text: &str) {
        let script = self.seen.root.join(SCRIPT);
        if !text.contains("integrations/integrate_mailu_listmonk.sh")
            || self.seen.files.contains_key(&script)
        {
            return;
        }
        self.add(
            Finding::notice(
                "app.make_targets",
                path.display().to_string(),
                "`make mailu-listmonk` calls a script that is not there, `make listmonk-mailu` locks Listmonk out of its database, and `make integrate-email` writes settings that cannot work",
            )
            .value(script.display())
            .hint(format!(
                "`mailu integrate listmonk CLIENT {0}` and `mailu integrate wordpress SITE {0}` do what they are for",
                self.options
            )),
        );
    }

    fn directory(&mut self, path: &Path) {
        let Ok(below) = path.strip_prefix(&self.seen.root) else {
            return;
        };
        let parts: Vec<&str> = below.iter().filter_map(|part| part.to_str()).collect();
        let ["clients", client, app] = parts.as_slice() else {
            return;
        };
        if !self.asked_about(client) || self.connected(app, client) {
            return;
        }
        self.add(
            Finding::notice(
                "app.not_wired",
                path.display().to_string(),
                "has no mail settings: AgencyStack's installer makes none",
            )
            .hint(format!(
                "`mailu integrate {app} {client} {}` makes its login and settings",
                self.options
            )),
        );
    }
}

/// The variables of a file that a shell or Compose reads, as far as both agree on it.
fn variables(text: &str) -> Option<BTreeMap<String, String>> {
    // `export` is the shell's, and quotes are both's.
    let text: String = text
        .lines()
        .map(|line| line.trim_start().strip_prefix("export ").unwrap_or(line))
        .fold(String::new(), |all, line| all + line + "\n");
    let file = EnvFile::parse(&text).ok()?;
    Some(
        file.variables()
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.text.clone()))
            .collect(),
    )
}
