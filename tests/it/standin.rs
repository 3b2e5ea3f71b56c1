//! The stand-in for Mailu's admin (tests/stack/images/admin) without containers: its web server at an address of its own in 127.0.0.0/8, and its
//! commands, which an engine that plays a script hands over.

use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::fake_engine::{Answer, FakeEngine};

/// The token of its API.
pub(crate) const TOKEN: &str = "t0ken-of-the-stand-in";

/// Where its Redis listens.
const REDIS: u16 = 16379;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A program, ended with the value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The admin service; gone with the value.
pub(crate) struct StandIn {
    _servers: Vec<Running>,
    commands: Arc<Commands>,
}

/// How its programs are called.
struct Commands {
    directory: TempDir,
    address: Ipv4Addr,
    rounds: u32,
}

impl Commands {
    fn python(&self, arguments: &[&str]) -> Command {
        let images = Path::new(env!("CARGO_MANIFEST_DIR")).join("stack/images");
        let data = self.directory.path();
        let mut command = Command::new("/usr/bin/python3");
        command
            .args(arguments)
            .current_dir(data)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env(
                "PYTHONPATH",
                format!("{0}/admin:{0}/base", images.display()),
            )
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("LANG", "C.UTF-8")
            .env("FLASK_APP", "mailu")
            .env("SECRET_KEY", "changeMe")
            .env("API_TOKEN", TOKEN)
            .env("DOMAIN", "example.com")
            .env("HOSTNAMES", "mail.example.com")
            .env("DISABLE_STATISTICS", "True")
            .env("CREDENTIAL_ROUNDS", self.rounds.to_string())
            .env("REDIS_ADDRESS", format!("{}:{REDIS}", self.address))
            .env("INSTANCE_ID_PATH", data.join("instance"))
            .env(
                "DKIM_PATH",
                format!("{}/{{domain}}.{{selector}}.key", data.display()),
            )
            .env(
                "SQLALCHEMY_DATABASE_URI",
                format!("sqlite:///{}", data.join("main.db").display()),
            )
            .stdin(Stdio::null());
        command
    }

    /// Runs it to its end.
    fn run(&self, arguments: &[&str], input: &[u8]) -> Answer {
        let mut child = self
            .python(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut to = child.stdin.take().unwrap();
        let input = input.to_vec();
        // It may say much before it has read everything.
        let writer = std::thread::spawn(move || {
            let _ = to.write_all(&input);
        });
        let done = child.wait_with_output().unwrap();
        writer.join().unwrap();
        Answer {
            code: done.status.code().unwrap_or(137).into(),
            out: String::from_utf8(done.stdout).unwrap(),
            err: String::from_utf8(done.stderr).unwrap(),
        }
    }
}

impl StandIn {
    /// Starts it, with an empty database. `rounds`: what hashing a password costs; 4 is the least.
    pub(crate) fn start(rounds: u32) -> Self {
        let address = free();
        let commands = Commands {
            directory: tempfile::Builder::new().prefix("a").tempdir().unwrap(),
            address,
            rounds,
        };
        let redis = Command::new("/usr/bin/redis-server")
            .args([
                "--bind",
                &address.to_string(),
                "--port",
                &REDIS.to_string(),
                "--save",
                "",
            ])
            .args(["--dir", &commands.directory.path().display().to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut servers = vec![Running(redis)];
        answers(address, REDIS);
        let made = commands.run(&["-m", "flask", "db", "upgrade"], b"");
        assert_eq!(made.code, 0, "{}", made.err);
        let log = std::fs::File::create(commands.directory.path().join("log")).unwrap();
        let place = format!("{address}:8080");
        let server = commands
            .python(&[
                "-m",
                "gunicorn",
                "--threads",
                "2",
                "-b",
                &place,
                "--log-level",
                "ERROR",
                "mailu:create_app()",
            ])
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        servers.push(Running(server));
        answers(address, 8080);
        Self {
            _servers: servers,
            commands: Arc::new(commands),
        }
    }

    /// Where its web server is.
    pub(crate) fn address(&self) -> Ipv4Addr {
        self.commands.address
    }

    /// Runs `flask mailu …`, or whatever else Flask knows.
    pub(crate) fn flask(&self, arguments: &[&str], input: &[u8]) -> Answer {
        self.commands
            .run(&[&["-m", "flask"], arguments].concat(), input)
    }

    /// Runs a command of the container's.
    pub(crate) fn commands(&self) -> impl FnMut(&[String], &[u8]) -> Answer + Send + 'static {
        let commands = self.commands.clone();
        move |command, input| {
            let words: Vec<&str> = command.iter().skip(1).map(String::as_str).collect();
            commands.run(&[&["-m", "flask"], &words[..]].concat(), input)
        }
    }

    /// Lets it play the service admin of an engine's containers: `name` is the container.
    pub(crate) fn plays(&self, engine: &FakeEngine, name: &str) {
        engine.program("admin", &["flask"], self.commands());
        let (address, rounds) = (self.address(), self.commands.rounds);
        engine.change(name, |admin| {
            for own in admin.networks.values_mut() {
                *own = address.to_string();
            }
            admin.environment.retain(|line| {
                !line.starts_with("API_TOKEN=") && !line.starts_with("CREDENTIAL_ROUNDS=")
            });
            admin.environment.push(format!("API_TOKEN={TOKEN}"));
            admin
                .environment
                .push(format!("CREDENTIAL_ROUNDS={rounds}"));
        });
    }
}

/// An address of this machine's that nobody uses.
fn free() -> Ipv4Addr {
    for _ in 0..1000 {
        let number = NEXT.fetch_add(1, Ordering::SeqCst);
        let process = std::process::id();
        let [_, _, a, b] = (process.wrapping_mul(64).wrapping_add(number)).to_be_bytes();
        let address = Ipv4Addr::new(127, 77, a, b.clamp(1, 254));
        let taken = [8080, REDIS].map(|port| TcpListener::bind((address, port)).is_err());
        if taken == [false, false] {
            return address;
        }
    }
    panic!("ports 8080 and {REDIS} are taken on every address of this machine");
}

fn answers(address: Ipv4Addr, port: u16) {
    let begun = Instant::now();
    while TcpStream::connect((address, port)).is_err() {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "nobody listens on {address}:{port}"
        );
        std::thread::sleep(Duration::from_millis(30));
    }
}
