//! A deployment of `AgencyStack`'s old installer becomes one of ours. What it is made of is copied into a new tree beside it; messages get hard
//! links, because nobody changes them. The old tree and its containers stay as they are until the new server has shown that it works.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::carry::Dir;
use super::places::{Alone, identity, listed, private};
use super::power::project_of;
use super::stage;
use super::update::{UpdateOptions, copy, outcome, weight};
use super::{MARGIN, Restoring, elsewhere, empty};
use crate::config::Config;
use crate::config::edit::Document;
use crate::config::units::Version;
use crate::engine::{Container, Health};
use crate::error::{Error, ErrorKind};
use crate::finding::Finding;
use crate::host::backup::outside_database;
use crate::host::engine::Docker;
use crate::host::preflight::{SKIPPED, skipped_since};
use crate::host::root::{Mailu, Target};
use crate::host::{files, observe};
use crate::migrate::{self, Old};
use crate::paths::Layout;
use crate::preflight;
use crate::restore::{Journal, Releases, Step};
use crate::secret::Secrets;
use crate::update::Updated;

/// Where things lie below the old `data`, and where below ours.
const PLACES: [(&str, &str); 9] = [
    ("certs", "certs"),
    ("dkim", "dkim"),
    ("webmail", "webmail"),
    ("redis", "redis"),
    ("dav", "dav"),
    ("webdav", "dav"),
    ("filter", "filter"),
    ("fetchmail", "fetchmail"),
    ("mailqueue", "mailqueue"),
];

/// Not copied: mail gets links, signatures can be had again.
const LEFT: [&str; 2] = ["mail", "clamav"];

/// Directories of overrides that mean the same.
const OVERRIDES: [&str; 6] = [
    "dovecot",
    "nginx",
    "postfix",
    "roundcube",
    "rspamd",
    "snappymail",
];

/// What was in volumes of containers: service, its directory, and the place below our `data`.
const IN_CONTAINERS: [(&str, &str, &str); 2] =
    [("admin", "/dkim", "dkim"), ("smtp", "/queue", "mailqueue")];

/// How long the old admin is waited for.
const ADMIN_STARTS: Duration = Duration::from_secs(90);

/// Whether a directory is one of the old installer's.
pub(super) fn is_old(directory: &Path) -> bool {
    let ours = ["mailu.toml", ".mailu/rendered.json"];
    migrate::FILES
        .iter()
        .all(|name| directory.join(name).is_file())
        && !ours.iter().any(|name| directory.join(name).exists())
}

impl Mailu {
    /// The deployment that is meant for an update: as [`Mailu::find`], and where there is none of ours, one that `AgencyStack`'s old installer made.
    ///
    /// # Errors
    ///
    /// As [`Mailu::find`].
    pub fn find_for_update(&self, target: &Target) -> Result<Layout, Error> {
        let error = match self.find(target) {
            Err(error) if error.kind() == ErrorKind::NotFound => error,
            found => return found,
        };
        let mut old = Vec::new();
        for (path, client) in observe::directories(self.root())? {
            let host = path
                .file_name()
                .and_then(|name| name.to_str())
                .and_then(|name| name.parse().ok());
            let client = client.map(|client| client.parse()).transpose().ok();
            let (Some(host), Some(client)) = (host, client) else {
                continue;
            };
            let layout = Layout::new(self.root(), client, host);
            let wanted = target
                .mail_host
                .as_ref()
                .is_none_or(|host| host == layout.mail_host())
                && (target.client.is_none() || target.client.as_ref() == layout.client());
            if wanted && is_old(&path) {
                old.push(layout);
            }
        }
        match old.as_slice() {
            [layout] => Ok(layout.clone()),
            _ => Err(error),
        }
    }
}

impl Restoring<'_> {
    /// What the old installer's files say, with `settings` on top.
    fn old(&self, settings: &[(String, String)], to: Version) -> Result<Old, Error> {
        let live = self.places.live.clone();
        let read = |name: &str| {
            let path = live.join(name);
            fs::read_to_string(&path).map_err(|error| files::failed("read", &path, error))
        };
        let installed = read(".installed_ok").unwrap_or_default();
        let mailboxes: Vec<String> = listed(&live.join("data/mail"))?
            .iter()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .filter(|name| name.contains('@'))
            .collect();
        let mut old = migrate::read(
            &live,
            self.layout.mail_host(),
            self.layout.client(),
            [
                &read("mailu.env")?,
                &read("docker-compose.yml")?,
                &installed,
            ],
            &mailboxes,
        )?;
        let mut document = Document::parse(&old.toml)?;
        if to != Version::DEFAULT {
            document.set_text("version", &to.to_string());
        }
        for (key, value) in settings {
            document.set_typed(key, value);
        }
        old.toml = document.to_string();
        old.config = Config::from_toml(&old.toml)?.config;
        Ok(old)
    }

    /// From the old installer's server to one of ours.
    pub(super) fn migrate(&mut self, options: &UpdateOptions) -> Result<Updated, Error> {
        let layout = self.layout.clone();
        let to = options.to.unwrap_or(Version::DEFAULT);
        let mut checks = preflight::Options::default();
        checks.skip.clone_from(&options.skip);
        checks.known()?;
        let old = self.old(&options.settings, to)?;
        self.can_start()?;
        let docker = Docker::connect()?;
        let releases = Releases::new(old.release.clone(), to.to_string());
        let mut out = outcome(&layout, &releases, empty(&layout));
        let mut needed = MARGIN;
        for (from, _, path) in self.sources_of_old()? {
            needed += weight(&from, &path)?;
        }
        out.findings.clone_from(&old.findings);
        out.findings.extend(self.against(&old, needed)?);
        let mut images = Vec::new();
        for image in super::update::images(&old.config)? {
            if docker.image(&image)?.is_none() {
                images.push(image);
            }
        }
        out.steps = steps(&layout, &releases, &images, needed);
        let doing = format!("take over {}", layout.directory().display());
        if !self.agreed(&out, &doing, options.dry_run)? {
            return Ok(out);
        }
        let unchanged = |error: Error| error.about(&doing).hint("nothing was changed");
        for image in &images {
            self.pull(image).map_err(unchanged)?;
        }
        let _alone = Alone::begin(&layout, &self.places)?;
        let mut journal = Journal::of_update(layout.directory(), releases, self.stamp());
        journal.migration = true;
        self.places.note(&journal)?;
        let begun = self
            .outline(&old, &options.skip)
            .and_then(|()| self.could_run(true));
        if let Err(error) = begun {
            self.places.clear()?;
            return Err(unchanged(error));
        }
        let begun = Instant::now();
        let mut done = empty(&layout);
        if let Err(error) = self.onward(&mut journal, &mut done) {
            return Err(self.go_back(&mut journal, error));
        }
        out.performed = true;
        out.stood_still_seconds = Some(begun.elapsed().as_secs());
        out.run = done.run;
        out.kept = done.kept;
        out.remove_command = done.remove_command;
        out.findings.extend(done.findings);
        Ok(out)
    }

    /// What speaks against it.
    fn against(&self, old: &Old, needed: u64) -> Result<Vec<Finding>, Error> {
        let mut out = Vec::new();
        if !observe::privileged() {
            out.push(
                Finding::error(
                    "update.unprivileged",
                    "root",
                    "this is not root, who alone may give files to the owners that they have",
                )
                .hint("use `sudo`"),
            );
        }
        for path in elsewhere(&self.places) {
            out.push(
                Finding::error(
                    "update.elsewhere",
                    path.display().to_string(),
                    "is a link or a file system of its own, and cannot change places in one step with what is made from it",
                )
                .hint("stop the server, and move what it leads to into the deployment's directory"),
            );
        }
        let free = stage::free(&self.places.live);
        if free.is_some_and(|free| free < needed) {
            out.push(
                Finding::error(
                    "update.space",
                    self.places.live.display().to_string(),
                    format!(
                        "is on a file system with too little left: copies of all but mail take {}",
                        bytesize::ByteSize(needed).display().si()
                    ),
                )
                .hint("make room there, or enlarge that file system"),
            );
        }
        if let Some(outside) = outside_database(&self.layout)? {
            out.push(
                Finding::error(
                    "update.outside_database",
                    outside,
                    "says that accounts are in another database, whose password does not go into mailu.toml",
                )
                .hint("move the accounts into Mailu's own database first (`flask mailu config-export` and `config-import`)"),
            );
        }
        let project = old.config.project_name();
        let taken = Docker::connect()?.project(&project)?;
        if let Some(container) = taken.first() {
            out.push(
                Finding::error(
                    "update.project",
                    project.as_str(),
                    format!(
                        "is the Compose project of the container {}, which would be made anew and could not be gone back to",
                        container.name
                    ),
                )
                .hint("`--set project=NAME` gives the new server another one"),
            );
        }
        if self.running()?.is_empty() {
            out.push(
                Finding::notice(
                    "update.not_running",
                    self.layout.mail_host().as_str(),
                    "does not run: nobody can tell whether it worked before",
                )
                .hint("start it first if it should: `docker-compose up -d` in its directory"),
            );
        }
        Ok(out)
    }

    /// What is copied: from where, to where below our `data` or beside it, and as which path of ours.
    fn sources_of_old(&self) -> Result<Vec<(PathBuf, PathBuf, String)>, Error> {
        let live = &self.places.live;
        let mut out = Vec::new();
        let mut children = |from: PathBuf, to: String| -> Result<(), Error> {
            for entry in listed(&from)? {
                let name = entry.file_name().to_string_lossy().into_owned();
                // Its signatures lay with what Rspamd has learned.
                let signatures = [".cvd", ".cld", ".cud", ".dat"]
                    .iter()
                    .any(|end| name.ends_with(end));
                if to == "data/filter" && (signatures || name == "clamav") {
                    continue;
                }
                let path = format!("{to}/{name}");
                out.push((entry.path(), PathBuf::from(&path), path));
            }
            Ok(())
        };
        for (from, to) in PLACES {
            children(live.join("data").join(from), format!("data/{to}"))?;
        }
        for name in OVERRIDES {
            children(
                live.join("overrides").join(name),
                format!("overrides/{name}"),
            )?;
        }
        // Admin's own files were beside those directories.
        for entry in listed(&live.join("data"))? {
            let name = entry.file_name().to_string_lossy().into_owned();
            let known = PLACES.iter().any(|(from, _)| *from == name);
            if !known && !LEFT.contains(&name.as_str()) {
                let path = format!("data/admin/{name}");
                out.push((entry.path(), PathBuf::from(&path), path));
            }
        }
        Ok(out)
    }

    /// Begins the new tree: what it is, and its secrets.
    fn outline(&mut self, old: &Old, skip: &BTreeSet<String>) -> Result<(), Error> {
        let places = self.places.clone();
        places.remove_copies()?;
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o750)
            .create(&places.stage)
            .map_err(|error| files::failed("make the directory", &places.stage, error))?;
        write(&places.stage.join("mailu.toml"), &old.toml)?;
        stage::complete(&places.stage, &[])?;
        if !skip.is_empty() {
            let text = skipped_since(skip, &BTreeMap::new());
            write(&places.stage.join(SKIPPED), &text)?;
        }
        private(&places.stage_secrets)?;
        for name in Secrets::NAMES {
            if let Some(secret) = old.secrets.get(name) {
                let path = places.stage_secrets.join(name);
                write(&path, &format!("{}\n", secret.expose()))?;
            }
        }
        Ok(())
    }

    /// Fills the new tree. Services stand still.
    pub(super) fn migrated(&mut self, journal: &mut Journal) -> Result<(), Error> {
        let places = self.places.clone();
        self.say("copying databases, keys and settings");
        let sources = self.sources_of_old()?;
        stage::unpack(|unpacking| {
            for (from, to, path) in &sources {
                copy(unpacking, from, &places.stage.join(to), path)?;
            }
            Ok(())
        })?;
        for container in self.old_containers(&Docker::connect()?)? {
            for (service, inside, place) in IN_CONTAINERS {
                if container.service.as_deref() == Some(service) && !self.mounts(&container, inside)
                {
                    let to = places.stage.join("data").join(place);
                    copy_out(&container.name, inside, &to)?;
                }
            }
        }
        self.staged_lock()?;
        journal.deployment = identity(&places.stage)?;
        journal.secrets = identity(&places.stage_secrets)?;
        stage::sync(&places.stage_secrets)
    }

    /// Whether a container has a directory of the deployment at `inside`.
    fn mounts(&self, container: &Container, inside: &str) -> bool {
        container
            .mounts
            .iter()
            .any(|(source, at)| at == inside && Path::new(source).starts_with(&self.places.live))
    }

    /// The containers that were made from the old files.
    pub(super) fn old_containers(&self, docker: &Docker) -> Result<Vec<Container>, Error> {
        let directory = self.places.live.display().to_string();
        // The old files may name a project, too.
        let ours: BTreeSet<String> = [&self.places.live, &self.places.stage]
            .into_iter()
            .filter(|base| base.join("mailu.toml").is_file())
            .filter_map(|base| project_of(base))
            .collect();
        let mut all = docker.containers()?;
        all.retain(|container| {
            container.labels.get(crate::host::up::WORKING_DIRECTORY) == Some(&directory)
                && container
                    .project
                    .as_ref()
                    .is_none_or(|project| !ours.contains(project))
        });
        Ok(all)
    }

    /// The old admin, when it starts, takes everything in `data` for its own, and Dovecot then sees no mail: that is given back when admin is up.
    pub(super) fn give_mail_back(&mut self, docker: &Docker) -> Result<(), Error> {
        let begun = Instant::now();
        while begun.elapsed() < ADMIN_STARTS {
            let all = self.old_containers(docker)?;
            let admin = all
                .iter()
                .find(|container| container.service.as_deref() == Some("admin"));
            if admin.is_none_or(|admin| admin.health != Health::Starting) {
                break;
            }
            std::thread::sleep(Duration::from_millis(500));
        }
        own_mail(&self.places.live.join("data/mail"))
    }

    /// Removes the old containers; their volumes stay.
    pub(super) fn remove_old(&mut self) -> Result<(), Error> {
        let docker = Docker::connect()?;
        for container in self.old_containers(&docker)? {
            self.say(&format!("removing the old container {}", container.name));
            docker_program(&["rm", "--force", &container.name]).map_err(|why| {
                Error::new(
                    ErrorKind::Docker,
                    "engine.refused",
                    format!("remove the container {}: {why}", container.name),
                )
            })?;
        }
        Ok(())
    }
}

/// Gives mail to whom Dovecot runs as. The old admin, who had all of `data`, took everything in it for his.
pub(super) fn own_mail(mail: &Path) -> Result<(), Error> {
    let Some(tree) = Dir::open(mail)? else {
        return Ok(());
    };
    give_away(&tree.at("."))?;
    give_away_below(&tree)
}

/// Containers may write there meanwhile: each directory is opened by name in the one above it, and no link is followed.
fn give_away_below(directory: &Dir) -> Result<(), Error> {
    for (name, kind) in directory.entries()? {
        give_away(&directory.at(&name))?;
        if kind.is_dir()
            && let Some(inner) = directory.inner(&name)?
        {
            give_away_below(&inner)?;
        }
    }
    Ok(())
}

fn give_away(path: &Path) -> Result<(), Error> {
    let (user, group) = crate::paths::MAIL;
    let there = match fs::symlink_metadata(path) {
        Ok(there) => there,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(files::failed("look at", path, error)),
    };
    if (there.uid(), there.gid()) == (user, group) {
        return Ok(());
    }
    match std::os::unix::fs::lchown(path, Some(user), Some(group)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(files::failed("give away", path, error))
        }
        _ => Ok(()),
    }
}

/// As `mailu.toml` and secrets are.
fn write(path: &Path, text: &str) -> Result<(), Error> {
    let failed = |error| files::failed("write", path, error);
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(failed)?;
    std::io::Write::write_all(&mut file, text.as_bytes()).map_err(failed)
}

fn docker_program(args: &[&str]) -> Result<(), String> {
    let output = Command::new("docker")
        .args(args)
        .output()
        .map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(said.trim().to_owned())
}

/// Copies a directory out of a container, which does not have to run, with its owners.
fn copy_out(container: &str, inside: &str, to: &Path) -> Result<(), Error> {
    let from = format!("{container}:{inside}/.");
    match docker_program(&["cp", "--archive", &from, &to.display().to_string()]) {
        Ok(()) => Ok(()),
        // An image that has no such directory has nothing in it.
        Err(why) if why.contains("Could not find the file") || why.contains("not found") => Ok(()),
        Err(why) => Err(Error::new(
            ErrorKind::Docker,
            "update.copy",
            format!("copy {from} to {}: {why}", to.display()),
        )),
    }
}

fn steps(layout: &Layout, releases: &Releases, images: &[String], needed: u64) -> Vec<Step> {
    let Releases { from, to } = releases;
    let directory = layout.directory();
    let mut out = vec![Step::new(
        "read",
        format!("understand what AgencyStack's installer wrote for Mailu {from}"),
    )];
    if !images.is_empty() {
        out.push(Step::new("pull", format!("get {}", images.join(", "))));
    }
    out.extend([
        Step::new("hold", "stop the services; mail waits with its senders"),
        Step::new(
            "copy",
            format!(
                "make a new tree beside {}: copies of databases, keys, queue and settings ({}), and links to all messages",
                directory.display(),
                bytesize::ByteSize(needed).display().si()
            ),
        ),
        Step::new("swap", format!("put it at {}", directory.display())),
        Step::new(
            "start",
            format!("start Mailu {to}, which brings the database up to date, try it, and send it a message"),
        ),
        Step::new(
            "keep",
            "keep the old tree; if anything fails, put it back and start the old containers",
        ),
    ]);
    out
}
