//! A PostgreSQL of a test's own: a cluster in a temporary directory, reached by a socket in it and by nothing else.

use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::fake_engine::Answer;
use crate::support::{succeed, tool};

/// PostgreSQL refuses to run as root; this user has nothing else to do.
const NOBODY: u32 = 65_534;

/// Ended and gone with the value.
pub(crate) struct Postgres {
    directory: TempDir,
    server: Child,
}

/// A program of the server's. Debian keeps them where no `PATH` leads.
fn program(name: &str) -> Command {
    let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .unwrap_or_else(|error| panic!("`make tools` installs PostgreSQL: {error}"))
        .map(|entry| entry.unwrap().path().join("bin").join(name))
        .filter(|path| path.exists())
        .collect();
    versions.sort();
    let path = versions
        .pop()
        .unwrap_or_else(|| panic!("`make tools` installs PostgreSQL"));
    let mut command = Command::new(path);
    command.env("LC_ALL", "C.UTF-8");
    if is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

fn is_root() -> bool {
    std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap()) == 0
}

impl Postgres {
    pub(crate) fn start() -> Self {
        let directory = tempfile::Builder::new().prefix("pg").tempdir().unwrap();
        if is_root() {
            std::os::unix::fs::chown(directory.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let data = directory.path().join("data");
        succeed(
            program("initdb")
                .args(["-U", "listmonk", "-A", "trust", "-E", "UTF8", "-N", "-D"])
                .arg(&data)
                .current_dir(directory.path()),
        );
        let log = std::fs::File::create(directory.path().join("log")).unwrap();
        let server = program("postgres")
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(directory.path())
            // Every statement goes into the log: no secret may be in one.
            .args([
                "-c",
                "listen_addresses=",
                "-c",
                "fsync=off",
                "-c",
                "log_statement=all",
            ])
            .args([
                "-c",
                "log_min_error_statement=debug5",
                "-c",
                "log_min_messages=debug1",
            ])
            .current_dir(directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let postgres = Self { directory, server };
        while !postgres
            .command("postgres")
            .args(["-c", "SELECT 1"])
            .output()
            .unwrap()
            .status
            .success()
        {
            assert!(
                postgres
                    .log()
                    .lines()
                    .all(|line| !line.contains("FATAL:") || line.contains("starting up")),
                "{}",
                postgres.log()
            );
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        postgres
    }

    /// Everything it has said so far, statements included.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap()
    }

    fn command(&self, database: &str) -> Command {
        let mut command = Command::new(tool("psql"));
        command
            .args(["-X", "-q", "-w", "-A", "-t", "-v", "ON_ERROR_STOP=1"])
            .args(["-U", "listmonk", "-d", database, "-h"])
            .arg(self.directory.path());
        command
    }

    /// `psql` as it is called in a container: with these arguments and this input.
    pub(crate) fn psql(&self, arguments: &[&str], input: &[u8]) -> Output {
        psql(self.directory.path(), arguments, input)
    }

    /// `psql` in a container of a fake engine.
    pub(crate) fn in_container(
        &self,
    ) -> impl FnMut(&[String], &[u8]) -> Answer + Send + 'static + use<> {
        let socket = self.directory.path().to_path_buf();
        move |command, input| {
            let arguments: Vec<&str> = command.iter().skip(1).map(String::as_str).collect();
            let ended = psql(&socket, &arguments, input);
            Answer {
                code: ended.status.code().unwrap_or(-1).into(),
                out: String::from_utf8(ended.stdout).unwrap(),
                err: String::from_utf8(ended.stderr).unwrap(),
            }
        }
    }

    /// Makes a database.
    pub(crate) fn create(&self, database: &str) {
        self.sql("postgres", &format!("CREATE DATABASE \"{database}\""));
    }

    /// What a statement gives.
    pub(crate) fn sql(&self, database: &str, statement: &str) -> String {
        succeed(self.command(database).args(["-c", statement]))
            .trim_end()
            .to_owned()
    }

    /// A database with a table of settings, as Listmonk makes it.
    pub(crate) fn settings(&self, database: &str, settings: &Value) {
        self.create(database);
        self.sql(
            database,
            "CREATE TABLE settings (key TEXT NOT NULL UNIQUE, value JSONB NOT NULL DEFAULT '{}', updated_at TIMESTAMP WITH TIME ZONE DEFAULT NOW())",
        );
        let mut script = String::from("COPY settings (key, value) FROM STDIN;\n");
        for (key, value) in settings.as_object().unwrap() {
            writeln!(script, "{key}\t{}", value.to_string().replace('\\', "\\\\")).unwrap();
        }
        script += "\\.\n";
        let output = self.psql(
            &["-X", "-q", "-U", "listmonk", "-d", database, "-f-"],
            script.as_bytes(),
        );
        assert!(
            output.status.success() && output.stderr.is_empty(),
            "{output:?}"
        );
    }

    /// Every row of the table, to the byte.
    pub(crate) fn rows(&self, database: &str) -> Vec<String> {
        let text = self.sql(
            database,
            "SELECT key || ' ' || value::text FROM settings ORDER BY key",
        );
        text.lines().map(str::to_owned).collect()
    }

    /// The elements of a list in a setting, to the byte.
    pub(crate) fn elements(&self, database: &str, key: &str) -> Vec<String> {
        let text = self.sql(
            database,
            &format!("SELECT e::text FROM settings, jsonb_array_elements(value) WITH ORDINALITY t(e, n) WHERE key = '{key}' ORDER BY n"),
        );
        text.lines().map(str::to_owned).collect()
    }
}

fn psql(socket: &Path, arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(tool("psql"))
        .args(arguments)
        .env("PGHOST", socket)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Where `psql` stops before the end, nobody reads the rest.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Its other processes end with it.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
