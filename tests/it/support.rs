//! What the tests share: paths, foreign tools, and the program run as a user runs it.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use mailu_core::names::MailHost;
use mailu_core::paths::Layout;
use tempfile::TempDir;

/// The workspace.
pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_path_buf()
}

/// A path below `tests/`.
pub(crate) fn tests(relative: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(relative)
}

/// A program that is not ours. `make tools` installs all of them; a test never goes on without.
pub(crate) fn tool(name: &str) -> PathBuf {
    let cached = workspace().join(".cache/tools").join(name);
    let places = std::env::var_os("PATH").unwrap_or_default();
    std::iter::once(cached)
        .chain(std::env::split_paths(&places).map(|directory| directory.join(name)))
        .chain([Path::new("/usr/sbin").join(name)])
        .find(|path| path.is_file())
        .unwrap_or_else(|| {
            panic!("`{name}` is missing: run `make tools`, which installs what the tests need")
        })
}

/// Compose v2, by the name under which `make tools` keeps it.
pub(crate) fn compose_v2() -> Command {
    Command::new(tool("compose-v2"))
}

/// Runs a command to its end, and returns what it printed; fails with that if it fails.
pub(crate) fn succeed(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?} ended with {}:\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The command that installs [`SMALL`].
pub(crate) const INSTALL: [&str; 8] = [
    "install",
    "--no-start",
    "--domain",
    "mail.example.com",
    "--email-domain",
    "example.com",
    "--admin-email",
    "admin@example.com",
];

/// The smallest valid configuration.
pub(crate) const SMALL: &str = "mail_host = \"mail.example.com\"\nemail_domain = \"example.com\"\nadmin_email = \"admin@example.com\"\n";

/// A root of its own for one test.
pub(crate) struct Root {
    directory: TempDir,
    name: &'static str,
}

/// What a run of the program gave.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Run {
    /// The result as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out)
            .unwrap_or_else(|error| panic!("{error} in {}\n{}", self.out, self.err))
    }

    /// Fails unless the program ended with `code`.
    pub(crate) fn expect_code(self, code: i32) -> Self {
        assert_eq!(
            self.code, code,
            "stdout:\n{}\nstderr:\n{}",
            self.out, self.err
        );
        self
    }
}

/// Notes the secrets for the search through the output of all tests (`tools/no_secrets.sh`).
impl Drop for Root {
    fn drop(&mut self) {
        let secrets = self.secrets();
        let lines: Vec<&str> = secrets.iter().flat_map(|secret| secret.lines()).collect();
        note("MAILU_TEST_SECRETS", &lines);
    }
}

impl Root {
    pub(crate) fn new() -> Self {
        Self::called("root")
    }

    /// A root whose directory has a name that was chosen.
    pub(crate) fn called(name: &'static str) -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            name,
        }
    }

    /// The root. It does not exist until something is installed.
    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join(self.name)
    }

    pub(crate) fn layout(&self) -> Layout {
        Layout::new(
            self.path(),
            None,
            "mail.example.com".parse::<MailHost>().unwrap(),
        )
    }

    /// A file of the deployment of [`SMALL`].
    pub(crate) fn file(&self, relative: &str) -> PathBuf {
        self.layout().file(relative)
    }

    pub(crate) fn read(&self, relative: &str) -> String {
        std::fs::read_to_string(self.file(relative))
            .unwrap_or_else(|error| panic!("{relative}: {error}"))
    }

    /// The copies of an edited file that were kept when it was overwritten, in order of time.
    pub(crate) fn replaced(&self, name: &str) -> Vec<String> {
        let start = format!("{name}.");
        files_below(&self.file(".mailu/replaced"))
            .iter()
            .filter(|path| {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                name.starts_with(&start)
            })
            .map(|path| std::fs::read_to_string(path).unwrap())
            .collect()
    }

    pub(crate) fn write(&self, relative: &str, text: &str) {
        std::fs::write(self.file(relative), text).unwrap();
    }

    /// Replaces text in a file, which must be there.
    pub(crate) fn edit(&self, relative: &str, from: &str, to: &str) {
        let text = self.read(relative);
        assert!(text.contains(from), "{relative} does not contain {from}");
        self.write(relative, &text.replace(from, to));
    }

    /// Puts a file beside the root, and returns its path.
    pub(crate) fn beside(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// The program with arguments, in an environment that says nothing about it.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.arg("--root").arg(self.path()).args(args);
        for name in [
            "AGENCY_STACK_ROOT",
            "MAILU_ADMIN_PASSWORD",
            "NO_COLOR",
            "CLICOLOR_FORCE",
        ] {
            command.env_remove(name);
        }
        if std::env::var_os("MAILU_ROOT_SERVER").is_none() {
            // Outside the machine of tests/stack nothing may be asked of other hosts.
            command.env(
                "MAILU_SKIP_CHECK",
                "preflight.names,preflight.dnssec,preflight.outbound",
            );
        }
        command.stdin(std::process::Stdio::null());
        command
    }

    /// Runs the program, and looks for every secret of this root in what it printed.
    pub(crate) fn run(&self, args: &[&str]) -> Run {
        let run = finished(self.command(args).output().unwrap());
        self.no_secret_in(&run.out, &format!("stdout of {args:?}"));
        self.no_secret_in(&run.err, &format!("stderr of {args:?}"));
        run
    }

    /// Runs the program where it is to print a secret.
    pub(crate) fn run_revealing(&self, args: &[&str]) -> Run {
        printed(self.command(args).output().unwrap())
    }

    /// Fails if `text` contains a secret of this root: one of the secret files, a line of a private key, or what stands in `mailu.env`.
    pub(crate) fn no_secret_in(&self, text: &str, place: &str) {
        for secret in self.secrets() {
            assert!(!text.contains(&secret), "a secret is in the {place}");
        }
    }

    fn secrets(&self) -> Vec<String> {
        let mut all = Vec::new();
        for path in files_below(&self.path()) {
            let name = path.to_string_lossy().into_owned();
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            if name.contains("/secrets/") {
                all.push(text.trim().to_owned());
            } else if text.contains("PRIVATE KEY") {
                all.extend(
                    text.lines()
                        .filter(|line| !line.starts_with('-'))
                        .map(str::to_owned),
                );
            }
        }
        all.retain(|secret| secret.len() >= 8);
        all
    }

    /// Installs [`SMALL`].
    pub(crate) fn install(&self) -> Run {
        self.install_with(&[]).expect_code(0)
    }

    /// The same, with more arguments.
    pub(crate) fn install_with(&self, more: &[&str]) -> Run {
        self.run(&[&INSTALL, more].concat())
    }

    /// Everything below the root: kind, mode, owner and content of each path.
    pub(crate) fn snapshot(&self) -> Snapshot {
        snapshot(&self.path())
    }
}

/// The `mailu` program, built by the same command as the tests.
pub(crate) fn program() -> PathBuf {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    let path = path.join("mailu");
    assert!(
        path.is_file(),
        "{} is missing: run `cargo build` or `make test`",
        path.display()
    );
    path
}

/// Runs a command line word for word as it was printed, in a shell that knows nothing but where the program is.
pub(crate) fn typed(line: &str) -> Run {
    let program = program();
    let mut places = vec![program.parent().unwrap().to_path_buf()];
    places.extend(std::env::split_paths(
        &std::env::var_os("PATH").unwrap_or_default(),
    ));
    let mut shell = Command::new("sh");
    shell
        .args(["-c", line])
        .env("PATH", std::env::join_paths(places).unwrap())
        .env_remove("AGENCY_STACK_ROOT")
        .stdin(std::process::Stdio::null());
    printed(shell.output().unwrap())
}

/// What a run printed; `tools/no_secrets.sh` gets it too.
pub(crate) fn finished(output: Output) -> Run {
    let run = printed(output);
    note("MAILU_TEST_OUTPUT", &[&run.out, &run.err]);
    run
}

/// Appends to a file that a variable names, if it does.
fn note(variable: &str, texts: &[&str]) {
    if let Some(path) = std::env::var_os(variable) {
        let file = std::fs::OpenOptions::new().append(true).open(path);
        let texts: String = texts.iter().flat_map(|text| [*text, "\n"]).collect();
        file.unwrap().write_all(texts.as_bytes()).unwrap();
    }
}

/// What a run printed that was to print a secret.
pub(crate) fn printed(output: Output) -> Run {
    Run {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Every file below `directory`.
pub(crate) fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    let mut todo = vec![directory.to_path_buf()];
    while let Some(next) = todo.pop() {
        let Ok(entries) = std::fs::read_dir(&next) else {
            continue;
        };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                todo.push(path);
            } else {
                all.push(path);
            }
        }
    }
    all.sort();
    all
}

/// Kind, mode, owner and content of everything below a directory. Comparing two shows names, never contents: secrets are among them.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Snapshot(pub(crate) BTreeMap<String, String>);

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} files", self.0.len())
    }
}

impl Snapshot {
    /// Fails with the names of what differs.
    pub(crate) fn assert_same(&self, other: &Self, what: &str) {
        let names: Vec<&String> = self
            .0
            .keys()
            .chain(other.0.keys())
            .filter(|name| self.0.get(*name) != other.0.get(*name))
            .collect();
        assert!(names.is_empty(), "{what}: these differ: {names:?}");
    }
}

/// A [`Snapshot`] of `directory`.
pub(crate) fn snapshot(directory: &Path) -> Snapshot {
    use std::os::unix::fs::MetadataExt as _;
    let mut all = BTreeMap::new();
    let mut todo = vec![directory.to_path_buf()];
    while let Some(path) = todo.pop() {
        let Ok(metadata) = std::fs::symlink_metadata(&path) else {
            continue;
        };
        let name = path
            .strip_prefix(directory)
            .unwrap()
            .to_string_lossy()
            .into_owned();
        let head = format!(
            "{:o} {}:{}",
            metadata.mode(),
            metadata.uid(),
            metadata.gid()
        );
        if metadata.is_dir() {
            todo.extend(
                std::fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
            all.insert(name, head);
        } else if metadata.is_symlink() {
            let target = std::fs::read_link(&path).unwrap();
            all.insert(name, format!("{head} -> {}", target.display()));
        } else {
            let content = std::fs::read(&path).unwrap();
            all.insert(
                name,
                format!("{head}\n{}", String::from_utf8_lossy(&content)),
            );
        }
    }
    Snapshot(all)
}

/// Whether this test may mount. Without that it is run once more, by its whole name, in a namespace where it may.
pub(crate) fn may_mount(test: &str) -> bool {
    const INSIDE: &str = "MAILU_TEST_MOUNTS";
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let mut unshare = Command::new("unshare");
    if succeed(Command::new("id").arg("-u")).trim() != "0" {
        unshare.args(["--map-root-user", "--map-auto"]);
    }
    unshare
        .args(["--mount", "--"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, "1");
    let said = succeed(&mut unshare);
    assert!(said.contains("1 passed"), "{said}");
    false
}

/// Something mounted, as long as this is there.
pub(crate) struct Mounted(PathBuf);

impl Mounted {
    pub(crate) fn new(args: &[&str], at: &Path) -> Self {
        succeed(Command::new("mount").args(args).arg(at));
        Self(at.to_path_buf())
    }

    /// A directory at its own place: the same file system, and yet nothing that can be renamed.
    pub(crate) fn itself(at: &Path) -> Self {
        Self::new(&["--bind", at.to_str().unwrap()], at)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// A file of bytes that cannot be made smaller.
pub(crate) fn noise(path: &Path, megabytes: u64) {
    use std::io::Read as _;
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut random = std::fs::File::open("/dev/urandom")
        .unwrap()
        .take(megabytes << 20);
    let mut file = std::fs::File::create(path).unwrap();
    // It may be more than there is room for.
    let _ = std::io::copy(&mut random, &mut file);
}

/// Permission bits.
pub(crate) fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(path).unwrap().mode() & 0o7777
}
