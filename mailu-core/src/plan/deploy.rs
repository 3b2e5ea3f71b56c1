//! The plan for `install` and `apply`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::generated::changed_keys;
use super::resolve::resolve;
use super::{
    Action, Content, Entry, FileConflict, FileOverride, Fresh, Observed, Plan, Record, Request,
    Step, TEMPORARY_SUFFIX,
};
use crate::config::Config;
use crate::env::{Base, EnvFile};
use crate::error::{Error, ErrorKind};
use crate::finding::Finding;
use crate::hash::sha256;
use crate::mta_sts;
use crate::network::Drawn;
use crate::paths::{DIRECTORIES, Layout, quoted};
use crate::render::{self, Rendered};
use crate::secret::Secrets;

/// A plan, and everything that is known once it is performed.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Deployment {
    /// What has to be done.
    pub plan: Plan,
    /// The configuration.
    pub config: Config,
    /// The secrets, as far as they exist.
    pub secrets: Secrets,
    /// Every generated file.
    pub rendered: Rendered,
    /// The mark of an installation, which is set once the server has shown that it works; nothing if it is there already, or
    /// if the server is not to be started.
    pub installed: Option<Step>,
}

/// Plans everything that has to be done for `request`.
///
/// # Errors
///
/// As [`resolve`]; [`ErrorKind::Conflict`] if the directory holds a Mailu that we did not make; [`ErrorKind::Corrupt`] if
/// a secret or key file is damaged.
pub fn deploy(
    layout: &Layout,
    request: &Request,
    observed: &Observed,
    fresh: &mut dyn Fresh,
) -> Result<Deployment, Error> {
    foreign(layout, observed)?;
    let resolved = resolve(layout, request, observed)?;
    let config = resolved.config.clone();
    let mut planner = Planner {
        layout,
        request,
        observed,
        config: &config,
        bases: Bases::read(layout, observed)?,
        next: Record {
            format: Record::FORMAT,
            drawn: resolved.recorded,
            toml: Some(resolved.toml.clone()),
            given: resolved.given,
            ..Record::default()
        },
        mailu_env: BTreeMap::new(),
        steps: Vec::new(),
        late: Vec::new(),
        start: None,
        installed: None,
        overrides: Vec::new(),
        conflicts: resolved.conflicts,
        findings: resolved.findings,
    };

    planner.lock();
    planner.toml(&resolved.toml, resolved.replaced);
    let secrets = planner.secrets(fresh)?;
    let keys = planner.keys(fresh)?;
    planner.certificate(fresh)?;
    let rendered = render::render(&config, &secrets, &keys)?;
    planner.env_file("mailu.env", &rendered.mailu_env)?;
    planner.env_file(".env", &rendered.compose_env)?;
    planner.whole_file("docker-compose.yml", rendered.compose.as_bytes());
    planner.taken_down_first(&rendered.compose);
    planner.dns(&rendered)?;
    planner.mta_sts();
    planner.leftovers();
    planner.installed();
    planner.unchosen();

    let installed = planner.installed.take();
    let plan = planner.finish(resolved.drawn)?;
    Ok(Deployment {
        plan,
        config,
        secrets,
        rendered,
        installed,
    })
}

/// A directory with another tool's Mailu in it is not touched.
fn foreign(layout: &Layout, observed: &Observed) -> Result<(), Error> {
    let ours = ["mailu.toml", ".mailu/rendered.json"];
    if ours.iter().any(|name| observed.entries.contains_key(*name)) {
        return Ok(());
    }
    let found: Vec<&str> = [
        "mailu.env",
        "docker-compose.yml",
        ".env",
        "data/main.db",
        "data/admin/main.db",
    ]
    .into_iter()
    .filter(|name| observed.entries.contains_key(*name))
    .collect();
    if found.is_empty() {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Conflict,
        "install.foreign_directory",
        format!(
            "install into {}: it holds a Mailu that this program did not make ({})",
            layout.directory().display(),
            found.join(", ")
        ),
    )
    .hint(format!("if AgencyStack's installer made it: `{}` takes it over, with its mail", layout.command("update")))
    .hint("or move the directory away, or install under another mail host or client; nothing was changed"))
}

/// What we wrote last, and what an interrupted run was about to write.
pub(super) struct Bases {
    pub(super) committed: Option<Record>,
    pub(super) pending: Option<Record>,
}

impl Bases {
    pub(super) fn read(layout: &Layout, observed: &Observed) -> Result<Self, Error> {
        let read = |name: &str, path: &Path| -> Result<Option<Record>, Error> {
            let Some(entry) = observed.entries.get(name) else {
                return Ok(None);
            };
            let bytes = entry.content.as_deref().unwrap_or_default();
            let record: Record =
                serde_json::from_slice(bytes).map_err(|error| {
                    Error::new(
                    ErrorKind::Corrupt,
                    "record.unreadable",
                    format!("read {}, the record of what was written last", path.display()),
                )
                .source(error)
                .hint(format!(
                    "remove it: `rm {}`; edits of generated files are then reported as conflicts",
                    quoted(path)
                ))
                })?;
            if record.format > Record::FORMAT {
                return Err(Error::new(
                    ErrorKind::Conflict,
                    "record.newer",
                    format!(
                        "read {}: a newer version of this program wrote it",
                        path.display()
                    ),
                )
                .hint("use that version"));
            }
            Ok(Some(record))
        };
        Ok(Self {
            committed: read(".mailu/rendered.json", &layout.rendered())?,
            pending: read(".mailu/journal.json", &layout.journal())?,
        })
    }

    /// The file that was given last; `current` is the `mailu.toml` in place, which tells how far an interrupted run came.
    pub(super) fn given(&self, current: Option<&str>) -> Option<String> {
        let reached = self.pending.as_ref().filter(|record| {
            let written = record.files.get("mailu.toml");
            written.is_some() && written == current.map(|text| sha256(text.as_bytes())).as_ref()
        });
        reached.or(self.committed.as_ref())?.given.clone()
    }

    /// `mailu.toml` as the last finished run left it.
    pub(super) fn toml(&self) -> Option<&str> {
        self.committed.as_ref()?.toml.as_deref()
    }

    /// Every key that was drawn, with its value.
    pub(super) fn drawn(&self) -> BTreeMap<String, String> {
        self.records()
            .flat_map(|record| record.drawn.clone())
            .collect()
    }

    pub(super) fn records(&self) -> impl Iterator<Item = &Record> {
        self.committed.iter().chain(&self.pending)
    }
}

pub(super) struct Planner<'a> {
    pub(super) layout: &'a Layout,
    pub(super) request: &'a Request,
    pub(super) observed: &'a Observed,
    pub(super) config: &'a Config,
    pub(super) bases: Bases,
    pub(super) next: Record,
    /// What will stand in `mailu.env`.
    pub(super) mailu_env: BTreeMap<String, String>,
    pub(super) steps: Vec<Step>,
    /// Steps after the commit.
    pub(super) late: Vec<Step>,
    /// The note that the server is being started.
    pub(super) start: Option<Step>,
    pub(super) installed: Option<Step>,
    pub(super) overrides: Vec<FileOverride>,
    pub(super) conflicts: Vec<FileConflict>,
    pub(super) findings: Vec<Finding>,
}

impl<'a> Planner<'a> {
    pub(super) fn step(&mut self, action: Action, relative: &str) -> &mut Step {
        let path = self.layout.file(relative);
        push(&mut self.steps, action, &path)
    }

    /// Writes a file: a new one with `mode`, else with the owner that it has and a mode that is no wider.
    pub(super) fn write(&mut self, relative: &str, mode: u32, content: Vec<u8>) -> &mut Step {
        let step = written(
            self.layout.file(relative),
            self.entry(relative),
            mode,
            content,
        );
        self.steps.push(step);
        let last = self.steps.len() - 1;
        &mut self.steps[last]
    }

    pub(super) fn entry(&self, relative: &str) -> Option<&'a Entry> {
        self.observed.entries.get(relative)
    }

    /// The file that later runs lock.
    fn lock(&mut self) {
        if self.entry(".mailu/lock").is_none() {
            let step = self.step(Action::CreateFile, ".mailu/lock");
            step.mode = Some(0o600);
            step.content = Some(Content(Vec::new()));
        }
    }

    fn toml(&mut self, text: &str, replaced: bool) {
        let current = self.entry("mailu.toml").and_then(|e| e.content.as_deref());
        if current == Some(text.as_bytes()) {
            // Only what we wrote ourselves is recorded: it tells what an interrupted run has reached.
            let last = self
                .bases
                .records()
                .filter_map(|r| r.files.get("mailu.toml").cloned())
                .last();
            if let Some(hash) = last {
                self.next.files.insert("mailu.toml".to_owned(), hash);
            }
            return;
        }
        if replaced {
            self.keep_copy("mailu.toml");
        }
        let detail = match current.and_then(|bytes| std::str::from_utf8(bytes).ok()) {
            Some(old) => changed_keys(old, text),
            None => vec![],
        };
        self.write("mailu.toml", 0o640, text.as_bytes().to_vec())
            .detail = detail;
        self.next
            .files
            .insert("mailu.toml".to_owned(), sha256(text.as_bytes()));
    }

    /// Keeps what is about to be overwritten, under a name that nothing has yet.
    pub(super) fn keep_copy(&mut self, relative: &str) {
        let Some(content) = self.entry(relative).and_then(|e| e.content.clone()) else {
            return;
        };
        // `2026-11-22T10:00:00Z` as `20261122-100000`.
        let digits: String = self
            .observed
            .now
            .chars()
            .filter(char::is_ascii_digit)
            .collect();
        let stamp = match digits.split_at_checked(8) {
            Some((day, time)) => format!("{day}-{time}"),
            None => digits,
        };
        let name = format!(".mailu/replaced/{}", relative.replace('/', "_"));
        let mut copies = self.observed.entries.iter().filter(|(path, _)| {
            path.strip_prefix(&name)
                .is_some_and(|rest| rest.starts_with('.'))
        });
        // An interrupted run may have kept it already.
        if copies.any(|(_, entry)| entry.content.as_ref() == Some(&content)) {
            return;
        }
        let path = (1..=u32::MAX)
            .map(|number| match number {
                1 => format!("{name}.{stamp}"),
                _ => format!("{name}.{stamp}-{number}"),
            })
            .find(|path| self.entry(path).is_none())
            .unwrap_or(name);
        let step = self.step(Action::KeepCopy, &path);
        step.mode = Some(0o600);
        step.content = Some(Content(content));
    }

    /// Files of interrupted runs, and generated files that nothing needs any more.
    fn leftovers(&mut self) {
        let stale: Vec<String> = self
            .observed
            .entries
            .keys()
            .filter(|path| path.ends_with(TEMPORARY_SUFFIX))
            .cloned()
            .collect();
        for path in stale {
            self.step(Action::RemoveFile, &path).detail =
                vec!["left by an interrupted run".to_owned()];
        }
        let stale: Vec<String> = self
            .observed
            .secrets
            .keys()
            .filter(|n| n.ends_with(TEMPORARY_SUFFIX))
            .cloned()
            .collect();
        for name in stale {
            let path = self.layout.secrets().join(name);
            push(&mut self.steps, Action::RemoveFile, &path).detail =
                vec!["left by an interrupted run".to_owned()];
        }
        let old: BTreeMap<String, String> = self
            .bases
            .records()
            .flat_map(|record| record.files.clone())
            .filter(|(path, _)| path.starts_with("dns/") || path == mta_sts::FILE)
            .filter(|(path, _)| !self.next.files.contains_key(path))
            .collect();
        for (path, _) in old {
            let Some(content) = self.entry(&path).and_then(|e| e.content.as_deref()) else {
                continue;
            };
            let ours = self
                .bases
                .records()
                .any(|r| r.files.get(&path) == Some(&sha256(content)));
            let policy = path == mta_sts::FILE;
            if ours {
                let why = if policy {
                    "there is no MTA-STS policy any more"
                } else {
                    "no email domain needs this zone any more"
                };
                self.step(Action::RemoveFile, &path).detail = vec![why.to_owned()];
            } else if policy {
                self.findings.push(
                    Finding::warning(
                        "mta_sts.left",
                        mta_sts::FILE,
                        "was edited, so that it stays: front goes on serving the policy in it, although `mta_sts.mode` is `off`",
                    )
                    .hint(format!("remove it: `rm {}`", quoted(&self.layout.file(mta_sts::FILE)))),
                );
            }
        }
    }

    fn installed(&mut self) {
        let current = self
            .entry(".installed_ok")
            .and_then(Entry::text)
            .map(str::to_owned);
        let date = current
            .as_deref()
            .and_then(|text| {
                text.lines()
                    .find_map(|line| line.strip_prefix("INSTALL_DATE="))
            })
            .unwrap_or(&self.observed.now)
            .to_owned();
        let client = self
            .config
            .client
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default();
        let wanted = format!(
            "DOMAIN={}\nEMAIL_DOMAIN={}\nADMIN_EMAIL={}\nCLIENT_ID={client}\nMAILU_VERSION={}\nINSTALL_DATE={date}\n",
            self.config.mail_host,
            self.config.email_domain,
            self.config.admin_email,
            self.config.version
        );
        if current.as_deref() == Some(&wanted) {
            return;
        }
        let step = written(
            self.layout.installed(),
            self.entry(".installed_ok"),
            0o644,
            wanted.into_bytes(),
        );
        let starting = self.entry(STARTING).is_some();
        if self.request.start {
            self.installed = Some(step);
            self.start = (!starting).then(|| starting_note(self.layout, &self.observed.now));
        } else if !starting {
            // A server that was to be started counts as installed only when it has shown that it works.
            self.late.push(step);
        }
    }

    /// Docker changes neither the addresses of a network that is in use nor the name of a project.
    fn taken_down_first(&mut self, wanted: &str) {
        let path = self.layout.file("docker-compose.yml");
        if !self
            .steps
            .iter()
            .any(|step| step.path == path && step.action == Action::UpdateFile)
        {
            return;
        }
        let text = |name| self.entry(name).and_then(Entry::text).unwrap_or_default();
        let (there, wanted) = (networks(text("docker-compose.yml")), networks(wanted));
        let changed = there
            .iter()
            .any(|(name, old)| wanted.get(name).is_some_and(|new| new != old));
        let old = EnvFile::parse(text(".env"))
            .ok()
            .and_then(|file| Some(file.get("COMPOSE_PROJECT_NAME")?.text.clone()))
            .unwrap_or_else(|| self.config.project_name());
        let what = if old != self.config.project_name() {
            "the project's name changes"
        } else if changed {
            "networks change"
        } else {
            return;
        };
        if self.request.start {
            self.findings.push(Finding::notice(
                "compose.taken_down",
                "docker-compose.yml",
                format!("{what}, for which Docker takes all containers down; mail that arrives meanwhile is sent again by the other side"),
            ));
            return;
        }
        let directory = self.layout.directory();
        self.findings.push(
            Finding::notice(
                "compose.take_down_first",
                "docker-compose.yml",
                format!("{what}, which `docker compose up` alone does not bring about where containers run"),
            )
            .hint(format!(
                "if they run: `cd {} && docker compose -p {old} down && docker compose up -d`; mail that arrives meanwhile is sent again by the other side",
                quoted(&directory)
            )),
        );
    }

    /// A name after `--reset` that means nothing is a slip of the keyboard.
    fn unchosen(&mut self) {
        for name in &self.request.reset {
            let known = self.next.files.contains_key(name)
                || self.request.config.is_some() && super::kept::is_key(name)
                || self.next.env.values().any(|base| base.contains(name))
                || self
                    .bases
                    .records()
                    .any(|r| r.env.values().any(|base| base.contains(name)));
            if !known {
                let mut finding = Finding::warning(
                    "reset.unknown",
                    name.as_str(),
                    "is neither a variable nor a file that we write",
                );
                finding = match crate::finding::nearest(
                    name,
                    self.next.env.values().flat_map(Base::names),
                ) {
                    Some(near) => finding.hint(format!("did you mean `--reset {near}`?")),
                    None => finding.hint(format!(
                        "`{}` lists what was edited",
                        self.layout.command("plan")
                    )),
                };
                self.findings.push(finding);
            }
        }
    }

    fn directories(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        let secrets = self.layout.secrets();
        let mut want = |path: &Path,
                        entry: Option<&Entry>,
                        mode: u32,
                        owner: Option<(u32, u32)>,
                        enforced: bool| match entry {
            None => {
                let step = push(&mut steps, Action::CreateDirectory, path);
                step.mode = Some(mode);
                step.owner = owner;
            }
            Some(entry) if enforced && entry.mode & 0o7777 != mode => {
                let step = push(&mut steps, Action::SetMode, path);
                step.mode = Some(mode);
                step.detail = vec![format!("was {:04o}", entry.mode & 0o7777)];
            }
            Some(_) => {}
        };
        for directory in DIRECTORIES {
            let path = if directory.path.is_empty() {
                self.layout.directory()
            } else {
                self.layout.file(directory.path)
            };
            want(
                &path,
                self.entry(directory.path),
                directory.mode,
                directory.owner,
                directory.enforced,
            );
        }
        if self
            .steps
            .iter()
            .any(|step| step.action == Action::KeepCopy)
        {
            want(
                &self.layout.file(".mailu/replaced"),
                self.entry(".mailu/replaced"),
                0o700,
                None,
                false,
            );
        }
        want(&secrets, self.observed.secrets.get(""), 0o700, None, true);
        steps
    }

    fn finish(mut self, drawn: Vec<Drawn>) -> Result<Plan, Error> {
        let mut steps = self.directories();
        steps.extend(self.start.take());
        let work = std::mem::take(&mut self.steps);
        let recorded =
            self.bases.committed.as_ref() == Some(&self.next) && self.bases.pending.is_none();
        if !work.is_empty() || !recorded {
            let mut text = serde_json::to_vec_pretty(&self.next).map_err(|error| {
                Error::new(
                    ErrorKind::Internal,
                    "record.write",
                    "write the record of generated files",
                )
                .source(error)
            })?;
            text.push(b'\n');
            let journal = push(&mut steps, Action::Journal, &self.layout.journal());
            journal.mode = Some(0o600);
            journal.content = Some(Content(text));
            steps.extend(work);
            push(&mut steps, Action::Commit, &self.layout.rendered());
        }
        steps.append(&mut self.late);
        if !self.conflicts.is_empty() {
            steps.clear();
        }
        Ok(Plan {
            mail_host: self.config.mail_host.to_string(),
            directory: self.layout.directory(),
            steps,
            drawn,
            findings: self.findings,
            overrides: self.overrides,
            conflicts: self.conflicts,
        })
    }
}

/// There from before a server is started until it has shown that it works, so that an interrupted run can be told.
pub const STARTING: &str = ".mailu/starting";

/// The step that writes [`STARTING`].
fn starting_note(layout: &Layout, now: &str) -> Step {
    let mut step = written(
        layout.file(STARTING),
        None,
        0o600,
        format!("{now}\n").into_bytes(),
    );
    step.action = Action::Journal;
    step
}

/// The networks of a compose file of ours, by name.
fn networks(compose: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut all: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut name = "";
    let body = compose
        .split_once("\nnetworks:\n")
        .map_or("", |(_, rest)| rest);
    for line in body.lines() {
        match line
            .strip_prefix("  ")
            .and_then(|rest| rest.strip_suffix(':'))
        {
            Some(new) if !new.starts_with(' ') => name = new,
            _ => all.entry(name).or_default().push(line),
        }
    }
    all
}

fn written(path: PathBuf, there: Option<&Entry>, mode: u32, content: Vec<u8>) -> Step {
    Step {
        action: if there.is_some() {
            Action::UpdateFile
        } else {
            Action::CreateFile
        },
        path,
        mode: Some(there.map_or(mode, |entry| entry.kept_mode(mode))),
        owner: there.map(|entry| (entry.uid, entry.gid)),
        detail: Vec::new(),
        content: Some(Content(content)),
    }
}

pub(super) fn push<'a>(steps: &'a mut Vec<Step>, action: Action, path: &Path) -> &'a mut Step {
    steps.push(Step {
        action,
        path: path.to_path_buf(),
        mode: None,
        owner: None,
        detail: Vec::new(),
        content: None,
    });
    let last = steps.len() - 1;
    &mut steps[last]
}
