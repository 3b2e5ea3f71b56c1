//! `SQLite` databases, by their own backup interface and in the service that writes them.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::backup::SNAPSHOT;
use crate::engine::Container;
use crate::error::{Error, ErrorKind};
use crate::host::engine::Docker;
use crate::host::files;

/// How every database of `SQLite` begins.
const MAGIC: &[u8] = b"SQLite format 3\0";

/// How long copying may take.
const PATIENCE: Duration = Duration::from_secs(1800);

/// Copies each database by the backup interface, has the copy checked, and says which revision Alembic has noted in it. The names come as
/// JSON: from and to.
const SCRIPT: &str = r#"
import json, os, sqlite3, sys
pairs = json.loads(PAIRS)
out = []
for source, target in pairs:
    os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
    there = sqlite3.connect(source, timeout=120)
    copy = sqlite3.connect(target)
    there.backup(copy)
    there.close()
    state = [row[0] for row in copy.execute("PRAGMA integrity_check")]
    if state != ["ok"]:
        sys.exit(f"{source}: " + "; ".join(str(line) for line in state[:5]))
    try:
        head = copy.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.Error:
        head = None
    copy.close()
    out.append(head[0] if head else None)
print(json.dumps(out))
"#;

/// Prints the revision that Alembic has noted in Mailu's database, as JSON.
const REVISION: &str = r#"
import json, sqlite3
there = sqlite3.connect("file:/data/main.db?mode=ro", uri=True, timeout=60)
row = there.execute("SELECT version_num FROM alembic_version").fetchone()
print(json.dumps(row[0] if row else None))
"#;

/// How long reading it may take.
const REVISION_PATIENCE: Duration = Duration::from_secs(90);

/// The revision of the database in the container `admin`.
pub(in crate::host) fn revision(docker: &Docker, admin: &str) -> Result<Option<String>, Error> {
    let about = |why: &str| {
        Error::new(
            ErrorKind::Docker,
            "database.revision",
            format!("read the revision of Mailu's database in {admin}: {why}"),
        )
        .hint(format!("`docker logs --tail 50 {admin}` may say more"))
    };
    let done = docker.execute(
        admin,
        &["python3", "-"],
        Some(REVISION.as_bytes()),
        REVISION_PATIENCE,
    )?;
    if done.code != 0 {
        let last = done.err.trim().lines().next_back();
        return Err(about(last.unwrap_or("it said nothing")));
    }
    serde_json::from_str(done.out.trim())
        .map_err(|error| about("what was printed cannot be read").source(error))
}

/// A database, and the copy of it that goes into the backup.
#[derive(Debug)]
pub(super) struct Database {
    /// Its path below the place.
    pub(super) relative: PathBuf,
    /// The copy.
    pub(super) copy: PathBuf,
    /// Alembic's revision.
    pub(super) head: Option<String>,
}

/// Copies of the databases of a place; removed with the value.
#[derive(Debug, Default)]
pub(super) struct Copies {
    pub(super) all: Vec<Database>,
    own: Option<PathBuf>,
}

impl Drop for Copies {
    fn drop(&mut self) {
        if let Some(own) = &self.own {
            let _ = fs::remove_dir_all(own);
        }
    }
}

/// The databases below `root`, by their paths there.
pub(super) fn find(root: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    let mut todo = vec![PathBuf::new()];
    while let Some(directory) = todo.pop() {
        let full = root.join(&directory);
        let listing = match fs::read_dir(&full) {
            Ok(listing) => listing,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(files::failed("list", &full, error)),
        };
        for entry in listing {
            let entry = entry.map_err(|error| files::failed("list", &full, error))?;
            let relative = directory.join(entry.file_name());
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            if kind.is_dir() && entry.file_name() != SNAPSHOT {
                todo.push(relative);
            } else if kind.is_file() && is_database(&root.join(&relative))? {
                found.push(relative);
            }
        }
    }
    found.sort_unstable();
    Ok(found)
}

fn is_database(path: &Path) -> Result<bool, Error> {
    let mut begin = Vec::new();
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(files::failed("read", path, error)),
    };
    file.take(MAGIC.len() as u64)
        .read_to_end(&mut begin)
        .map_err(|error| files::failed("read", path, error))?;
    Ok(begin == MAGIC)
}

/// What may lie beside a database while somebody writes it.
pub(super) fn companions(database: &Path) -> [PathBuf; 3] {
    ["-journal", "-wal", "-shm"].map(|end| {
        let mut name = database.as_os_str().to_owned();
        name.push(end);
        PathBuf::from(name)
    })
}

/// Has `container` copy the databases `found` below `root`, a directory of the host that it mounts.
pub(super) fn copy(
    docker: &Docker,
    container: &Container,
    root: &Path,
    found: &[PathBuf],
) -> Result<Copies, Error> {
    let mut copies = Copies::default();
    if found.is_empty() {
        return Ok(copies);
    }
    let mounted = container
        .mounts
        .iter()
        .filter(|(source, _)| root.starts_with(source))
        .max_by_key(|(source, _)| source.len())
        .and_then(|(source, inside)| Some(Path::new(inside).join(root.strip_prefix(source).ok()?)));
    let Some(mounted) = mounted else {
        return Err(Error::new(
            ErrorKind::Docker,
            "backup.not_mounted",
            format!(
                "back up the databases in {}: the container {} does not have that directory",
                root.display(),
                container.name
            ),
        )
        .hint("`mailu apply` brings containers to what the files say"));
    };
    let own = root.join(SNAPSHOT);
    let _ = fs::remove_dir_all(&own);
    copies.own = Some(own.clone());
    let pairs: Vec<(String, String)> = found
        .iter()
        .enumerate()
        .map(|(at, relative)| {
            let inside = |path: PathBuf| path.display().to_string();
            (
                inside(mounted.join(relative)),
                inside(mounted.join(SNAPSHOT).join(format!("{at}.db"))),
            )
        })
        .collect();
    let list = serde_json::json!(pairs).to_string();
    let script = format!("PAIRS = {}\n{SCRIPT}", serde_json::json!(list));
    let about = |why: &str| {
        Error::new(
            ErrorKind::Docker,
            "backup.database",
            format!("back up the databases in {}: {why}", root.display()),
        )
        .hint(format!(
            "`docker logs --tail 50 {}` may say more",
            container.name
        ))
    };
    let done = docker.execute(
        &container.name,
        &["python3", "-"],
        Some(script.as_bytes()),
        PATIENCE,
    )?;
    if done.code != 0 {
        let last = done
            .err
            .trim()
            .lines()
            .next_back()
            .unwrap_or("it said nothing");
        return Err(about(&format!(
            "{} could not copy them: {last}",
            container.name
        )));
    }
    let heads: Vec<Option<String>> =
        serde::Deserialize::deserialize(&mut serde_json::Deserializer::from_str(done.out.trim()))
            .map_err(|error| about("what it printed cannot be read").source(error))?;
    if heads.len() != found.len() {
        return Err(about("it did not copy all of them"));
    }
    for (at, (relative, head)) in found.iter().zip(heads).enumerate() {
        let copy = own.join(format!("{at}.db"));
        let synced = File::open(&copy).and_then(|file| file.metadata());
        synced.map_err(|error| files::failed("read the copy", &copy, error))?;
        copies.all.push(Database {
            relative: relative.clone(),
            copy,
            head,
        });
    }
    Ok(copies)
}
