//! Takes a backup.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::archive::{self, Attributes, Lock, Top, Writer, inside};
use super::databases::{self, Copies};
use super::still::{self, Still};
use super::tree::Tree;
use super::{Backup, BackupOptions};
use crate::backup::{self, FORMAT, Head, MAIL, PLACES, Place, SNAPSHOT, Way, left_out};
use crate::config::Config;
use crate::engine::{Container, State};
use crate::env::EnvFile;
use crate::error::{Error, ErrorKind};
use crate::finding::Finding;
use crate::host::engine::Docker;
use crate::host::perform::Progress;
use crate::host::root::Mailu;
use crate::host::{compose, files, lock, observe, status};
use crate::paths::Layout;

/// What belongs to a run and not to the deployment.
const PASSING: [&str; 4] = [
    ".mailu/lock",
    ".mailu/backup.lock",
    ".mailu/frozen",
    ".mailu/journal.json",
];

/// Larger files are not read into memory to see whether they change.
const SMALL: u64 = 8 << 20;

/// How often a file is read again that changes while it is read.
const ATTEMPTS: u32 = 20;

/// How often progress is told.
const REMINDER: Duration = Duration::from_secs(5);

/// How long Redis may take to write its data.
const REDIS_PATIENCE: Duration = Duration::from_secs(600);

/// The services that stand still while mail is looked at: whoever hands over before whoever takes.
const WRITERS: [&str; 4] = ["fetchmail", "smtp", "imap", "webdav"];

fn gone(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::NotFound
}

/// Takes a backup of the deployment at `layout`.
pub(super) fn create(
    mailu: &Mailu,
    layout: &Layout,
    options: &BackupOptions,
    progress: &mut dyn Progress,
) -> Result<Backup, Error> {
    let begun = Instant::now();
    let (config, _) = mailu.config(layout)?;
    let recipients: Vec<String> = if options.recipients.is_empty() {
        config
            .backup
            .recipients
            .iter()
            .map(ToString::to_string)
            .collect()
    } else {
        options.recipients.clone()
    };
    // A passphrase that was asked for is meant instead of the keys in mailu.toml.
    let keys = if options.passphrase_file.is_some() {
        &options.recipients
    } else {
        &recipients
    };
    let secret = Lock::new(keys, options.passphrase_file.as_deref())?;
    let outside = outside_database(layout)?;
    if let Some(outside) = &outside
        && !options.without_database
    {
        return Err(Error::new(
            ErrorKind::Conflict,
            "backup.outside_database",
            format!(
                "back up {}: its accounts are in another database ({outside})",
                config.mail_host
            ),
        )
        .hint(
            "dump that database with its own tools, and back up the rest with `--without-database`",
        ));
    }
    let _alone = lock::take_for_backup(layout)?;
    let mut locks = Some(lock::take_own(layout)?);
    let (docker, containers) = engine(layout, &config, options)?;
    if let Some(docker) = &docker {
        still::thaw(docker, layout, &containers)?;
    }
    let file = super::place(layout, &config, options, &secret)?;
    let packing = archive::packing(&file, !secret.is_open())?;

    progress.said("looking at mail");
    let data = layout.file("data");
    let mut trees = Vec::new();
    let mut copies: BTreeMap<&str, Copies> = BTreeMap::new();
    for place in PLACES.into_iter().chain([MAIL]) {
        if place.way == Way::Plain {
            let taken = databases_of(docker.as_ref(), &containers, &data, place)?;
            copies.insert(place.name, taken);
        }
        if matches!(place.way, Way::Linked | Way::Copied) {
            trees.extend(Tree::new(&data, place)?);
        }
    }
    let schema_head = copies
        .get("admin")
        .and_then(|copies| {
            copies
                .all
                .iter()
                .find(|one| one.relative == Path::new("main.db"))
        })
        .and_then(|main| main.head.clone());
    if let Some(docker) = &docker {
        save_redis(docker, &containers)?;
    }
    for tree in &mut trees {
        tree.prepare(&mut || going_on(progress))?;
    }
    going_on(progress)?;
    // What the engine is about to start again may write in between.
    let unsteady = containers.iter().any(|one| {
        one.state == State::Restarting
            && WRITERS
                .iter()
                .any(|name| one.service.as_deref() == Some(name))
    });
    let moment = Instant::now();
    match &docker {
        Some(docker) => {
            let still = Still::begin(docker, layout, &containers, &WRITERS)?;
            trees.iter_mut().try_for_each(Tree::take)?;
            still.end()?;
        }
        None => trees.iter_mut().try_for_each(Tree::take)?,
    }
    let stood_still = moment.elapsed();

    let head = Head {
        format: FORMAT,
        program: format!("mailu {}", env!("CARGO_PKG_VERSION")),
        created: observe::moment(),
        mail_host: config.mail_host.to_string(),
        client: layout.client().map(ToString::to_string),
        email_domains: config.domains().map(ToString::to_string).collect(),
        mailu_version: config.version.to_string(),
        schema_head,
        images: containers
            .iter()
            .filter_map(|one| Some((one.service.clone()?, one.image.clone())))
            .collect(),
        consistent: docker.is_some() && !unsteady,
    };
    progress.said(&format!("writing {}", file.display()));
    let mut writer = Writer::begin(&file, packing, &secret, &head)?;
    let mut plain = Plain {
        writer: &mut writer,
        progress,
        told: Instant::now(),
    };
    plain.deployment(&layout.directory(), &copies)?;
    plain.secrets(&layout.secrets())?;
    // What is left is ours alone: nobody has to wait for it.
    locks.take();
    for tree in &trees {
        let Plain {
            writer,
            progress,
            told,
        } = &mut plain;
        tree.store(writer, &mut |writer| {
            told_sometimes(*progress, told, writer)
        })?;
    }
    going_on(progress)?;
    let (file, end, size) = thread::scope(|scope| {
        // Nobody needs our links any more; with many messages it takes its time.
        scope.spawn(|| drop(trees));
        writer.finish()
    })?;
    drop(copies);
    Ok(Backup {
        file,
        size,
        encrypted: !secret.is_open(),
        head,
        end,
        seconds: begun.elapsed().as_secs(),
        stood_still_ms: docker
            .is_some()
            .then(|| u64::try_from(stood_still.as_millis()).unwrap_or(u64::MAX)),
        verified: false,
        removed: Vec::new(),
        findings: if unsteady {
            vec![
                Finding::warning(
                    "backup.unsteady",
                    config.mail_host.to_string(),
                    "has a service that is started again and again: mail may not be of one moment",
                )
                .hint(format!("`{}` says why", layout.command("diagnose"))),
            ]
        } else {
            Vec::new()
        },
    })
}

fn going_on(progress: &mut dyn Progress) -> Result<(), Error> {
    if progress.interrupted() {
        return Err(compose::interrupted());
    }
    Ok(())
}

fn told_sometimes(
    progress: &mut dyn Progress,
    told: &mut Instant,
    writer: &Writer,
) -> Result<(), Error> {
    if told.elapsed() >= REMINDER {
        *told = Instant::now();
        let so_far = writer.so_far();
        progress.said(&format!(
            "{} files, {} so far",
            so_far.files,
            bytesize::ByteSize(so_far.bytes).display().si()
        ));
    }
    going_on(progress)
}

/// The engine and the deployment's containers; none, where nobody is to be asked.
fn engine(
    layout: &Layout,
    config: &Config,
    options: &BackupOptions,
) -> Result<(Option<Docker>, Vec<Container>), Error> {
    if options.cold {
        return Ok((None, Vec::new()));
    }
    let docker = Docker::connect().map_err(|error| {
        error
            .about(format!("back up {}", config.mail_host))
            .hint("where its services certainly do not run: `--cold` reads the files as they are")
    })?;
    let containers = docker.project(&status::project(layout, config))?;
    Ok((Some(docker), containers))
}

/// What says that accounts are not in a file of Mailu's.
pub(in crate::host) fn outside_database(layout: &Layout) -> Result<Option<String>, Error> {
    let path = layout.file("mailu.env");
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if gone(&error) => return Ok(None),
        Err(error) => return Err(files::failed("read", &path, error)),
    };
    let env = EnvFile::parse(&text).unwrap_or_default();
    let value = |name: &str| {
        env.get(name)
            .map(|value| value.text.trim().to_owned())
            .filter(|text| !text.is_empty())
    };
    if let Some(flavor) = value("DB_FLAVOR").filter(|flavor| flavor != "sqlite") {
        return Ok(Some(format!("DB_FLAVOR={flavor}")));
    }
    // The address may hold a password.
    let elsewhere = value("SQLALCHEMY_DATABASE_URI").filter(|uri| !uri.starts_with("sqlite:"));
    Ok(elsewhere.map(|_| "SQLALCHEMY_DATABASE_URI".to_owned()))
}

/// Copies of the databases of a place.
fn databases_of(
    docker: Option<&Docker>,
    containers: &[Container],
    data: &Path,
    place: Place,
) -> Result<Copies, Error> {
    let path = data.join(place.name);
    let root = match fs::canonicalize(&path) {
        Ok(root) => root,
        Err(error) if gone(&error) => return Ok(Copies::default()),
        Err(error) => return Err(files::failed("find", &path, error)),
    };
    let running = containers.iter().find(|one| {
        one.service.as_deref() == Some(place.service)
            && matches!(
                one.state,
                State::Running | State::Paused | State::Restarting
            )
    });
    let (Some(docker), Some(container)) = (docker, running) else {
        // Nobody writes: a database and its journal are what they are.
        return Ok(Copies::default());
    };
    let found = databases::find(&root)?;
    if found.is_empty() {
        return Ok(Copies::default());
    }
    if container.state != State::Running {
        return Err(Error::new(
            ErrorKind::Conflict,
            "backup.not_running",
            format!(
                "back up the databases in {}: the container {} is {}",
                path.display(),
                container.name,
                container.state.as_str()
            ),
        )
        .hint(format!(
            "`docker unpause {}` lets it go on; `mailu status` says how it is",
            container.name
        )));
    }
    databases::copy(docker, container, &root, &found)
}

/// Has Redis write what it has in memory.
fn save_redis(docker: &Docker, containers: &[Container]) -> Result<(), Error> {
    let Some(redis) = containers
        .iter()
        .find(|one| one.service.as_deref() == Some("redis") && one.state == State::Running)
    else {
        return Ok(());
    };
    let done = docker.execute(&redis.name, &["redis-cli", "SAVE"], None, REDIS_PATIENCE)?;
    // It ends with 0 even where the answer is an error.
    if done.out.trim() != "OK" {
        let said = format!("{}{}", done.out, done.err);
        return Err(Error::new(
            ErrorKind::Docker,
            "backup.redis",
            format!("have {} write its data: {}", redis.name, said.trim()),
        )
        .hint(format!(
            "`docker logs --tail 50 {}` may say more",
            redis.name
        )));
    }
    Ok(())
}

/// Everything that is read file by file.
struct Plain<'w, 'p> {
    writer: &'w mut Writer,
    progress: &'p mut dyn Progress,
    told: Instant,
}

impl Plain<'_, '_> {
    /// The deployment's directory, but for the places that are taken at one moment.
    fn deployment(
        &mut self,
        directory: &Path,
        copies: &BTreeMap<&str, Copies>,
    ) -> Result<(), Error> {
        self.below(Top::Deployment, directory, Path::new(""), &mut |relative| {
            let mut parts = relative
                .components()
                .map(|part| part.as_os_str().to_string_lossy());
            if PASSING.iter().any(|passing| relative == Path::new(passing)) {
                return Treatment::Skip;
            }
            let (Some(top), place) = (parts.next(), parts.next()) else {
                return Treatment::Take;
            };
            let rest: Vec<_> = parts.collect();
            if relative.file_name().is_some_and(|name| {
                name.to_string_lossy()
                    .ends_with(crate::plan::TEMPORARY_SUFFIX)
            }) {
                return Treatment::Skip;
            }
            let Some(place) = place.filter(|_| top == "data") else {
                return Treatment::Take;
            };
            if place == "clamav" {
                return Treatment::Skip;
            }
            let Some(known) = backup::place(&place) else {
                return Treatment::Take;
            };
            if matches!(known.way, Way::Linked | Way::Copied) {
                // Databases are added to their place, which comes later.
                return Treatment::Skip;
            }
            if let Some((name, inside)) = rest.split_last() {
                let inside: Vec<&str> = inside.iter().map(AsRef::as_ref).collect();
                if left_out(known.name, &inside, name) {
                    return Treatment::Skip;
                }
            }
            let below: PathBuf = relative.components().skip(2).collect();
            let copied = copies.get(known.name);
            if let Some(database) =
                copied.and_then(|copies| copies.all.iter().find(|one| one.relative == below))
            {
                return Treatment::Instead(database.copy.clone());
            }
            let beside = |database: &databases::Database| {
                databases::companions(&database.relative).contains(&below)
            };
            if copied.is_some_and(|copies| copies.all.iter().any(beside)) {
                return Treatment::Skip;
            }
            if known.way == Way::Loose {
                Treatment::Loose
            } else {
                Treatment::Take
            }
        })
    }

    fn secrets(&mut self, directory: &Path) -> Result<(), Error> {
        if !directory.exists() {
            return Ok(());
        }
        self.below(Top::Secrets, directory, Path::new(""), &mut |relative| {
            let name = relative
                .file_name()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default();
            if name.ends_with(crate::plan::TEMPORARY_SUFFIX) {
                Treatment::Skip
            } else {
                Treatment::Take
            }
        })
    }

    /// The directory `base`/`relative` and what is below.
    fn below(
        &mut self,
        top: Top,
        base: &Path,
        relative: &Path,
        treat: &mut dyn FnMut(&Path) -> Treatment,
    ) -> Result<(), Error> {
        let directory = base.join(relative);
        let metadata = fs::metadata(&directory)
            .map_err(|error| files::failed("look at", &directory, error))?;
        self.writer
            .directory(&inside(top, relative), Attributes::of(&metadata))?;
        let mut names = Vec::new();
        for entry in
            fs::read_dir(&directory).map_err(|error| files::failed("list", &directory, error))?
        {
            names.push(
                entry
                    .map_err(|error| files::failed("list", &directory, error))?
                    .file_name(),
            );
        }
        names.sort_unstable();
        for name in names {
            let relative = relative.join(&name);
            if name == SNAPSHOT {
                continue;
            }
            let treatment = treat(&relative);
            if matches!(treatment, Treatment::Skip) {
                continue;
            }
            told_sometimes(self.progress, &mut self.told, self.writer)?;
            self.one(top, base, &relative, treatment, treat)?;
        }
        Ok(())
    }

    fn one(
        &mut self,
        top: Top,
        base: &Path,
        relative: &Path,
        treatment: Treatment,
        treat: &mut dyn FnMut(&Path) -> Treatment,
    ) -> Result<(), Error> {
        let path = base.join(relative);
        let loose = matches!(treatment, Treatment::Loose);
        let metadata = match fs::symlink_metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) if gone(&error) && loose => return Ok(()),
            Err(error) => return Err(moved(&path, error)),
        };
        let name = inside(top, relative);
        if let Treatment::Instead(copy) = treatment {
            let file = File::open(&copy).map_err(|error| files::failed("read", &copy, error))?;
            let size = file
                .metadata()
                .map_err(|error| files::failed("look at", &copy, error))?
                .len();
            return self
                .writer
                .file(&name, Attributes::of(&metadata), size, file);
        }
        if metadata.is_symlink() {
            let target = fs::read_link(&path)
                .map_err(|error| files::failed("read the link", &path, error))?;
            if backup::may_lead(&name, target.as_os_str().as_bytes()) {
                return self.writer.link(
                    &name,
                    target.as_os_str().as_bytes(),
                    Attributes::of(&metadata),
                );
            }
            // Somebody keeps it elsewhere; what is there belongs to the deployment.
            let behind = fs::metadata(&path).map_err(|error| files::lost_link(&path, error))?;
            if relative.components().count() > 2 && relative.starts_with("data") {
                return self.writer.link(
                    &name,
                    target.as_os_str().as_bytes(),
                    Attributes::of(&metadata),
                );
            }
            return if behind.is_dir() {
                self.below(top, base, relative, treat)
            } else {
                self.stable(&name, &path, loose)
            };
        }
        if metadata.is_dir() {
            return self.below(top, base, relative, treat);
        }
        if !metadata.is_file() {
            return Ok(());
        }
        self.stable(&name, &path, loose)
    }

    /// A file, as it is from its beginning to its end.
    fn stable(&mut self, name: &[u8], path: &Path, loose: bool) -> Result<(), Error> {
        for _ in 0..ATTEMPTS {
            let mut file = match File::open(path) {
                Ok(file) => file,
                Err(error) if gone(&error) && loose => return Ok(()),
                Err(error) => return Err(moved(path, error)),
            };
            let look = |file: &File| {
                file.metadata()
                    .map_err(|error| files::failed("look at", path, error))
            };
            let before = look(&file)?;
            let same = |after: &fs::Metadata| {
                after.len() == before.len() && after.modified().ok() == before.modified().ok()
            };
            if before.len() > SMALL {
                self.writer
                    .file(name, Attributes::of(&before), before.len(), &file)?;
                if !loose && !same(&look(&file)?) {
                    return Err(changing(path));
                }
                return Ok(());
            }
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)
                .map_err(|error| files::failed("read", path, error))?;
            if loose || (same(&look(&file)?) && bytes.len() as u64 == before.len()) {
                return self.writer.file(
                    name,
                    Attributes::of(&before),
                    bytes.len() as u64,
                    bytes.as_slice(),
                );
            }
            thread::sleep(Duration::from_millis(50));
        }
        Err(changing(path))
    }
}

/// What is done about a path.
enum Treatment {
    Take,
    Skip,
    /// It may change or go away meanwhile.
    Loose,
    /// With the content of another file.
    Instead(PathBuf),
}

fn moved(path: &Path, error: std::io::Error) -> Error {
    if gone(&error) {
        Error::new(
            ErrorKind::Conflict,
            "backup.moved",
            format!("back up {}: it went away while it was read", path.display()),
        )
        .hint("run the same command again")
    } else {
        files::failed("read", path, error)
    }
}

fn changing(path: &Path) -> Error {
    Error::new(
        ErrorKind::Conflict,
        "backup.changing",
        format!("back up {}: it changes while it is read", path.display()),
    )
    .hint("find out who writes it, and run the same command again")
}
