//! Measurements, each against a named opponent in the same run, with its growth. `make bench` runs them,
//! `cargo bench -p mailu-tests --bench bench -- audit` one of them.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program that prints measurements"
)]

mod accounts;
mod backup;
mod diagnose;
mod dns;
#[path = "../it/fake_engine.rs"]
#[expect(
    dead_code,
    reason = "shared with the integration tests, which use more of it"
)]
mod fake_engine;
mod rendering;
#[path = "../it/standin.rs"]
mod standin;
#[path = "../it/yaml.rs"]
mod yaml;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use mailu_core::paths::Layout;

fn tool(name: &str) -> PathBuf {
    let cached = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../.cache/tools")
        .join(name);
    if cached.is_file() {
        cached
    } else {
        PathBuf::from(name)
    }
}

/// Built by `make bench` before this program, in the same directory of artifacts.
fn program() -> PathBuf {
    let here = std::env::current_exe().unwrap();
    here.parent().unwrap().with_file_name("mailu")
}

fn time(run: impl FnOnce()) -> Duration {
    let start = Instant::now();
    run();
    start.elapsed()
}

/// Smallest, median and largest of `count` runs after one that does not count.
fn runs(count: usize, mut run: impl FnMut()) -> [f64; 3] {
    run();
    let mut all: Vec<f64> = (0..count)
        .map(|_| time(&mut run).as_secs_f64() * 1e3)
        .collect();
    all.sort_by(f64::total_cmp);
    [all[0], all[count / 2], all[count - 1]]
}

fn row(what: &str, [low, median, high]: [f64; 3]) {
    println!("  {what:<58} {median:>9.2} ms   ({low:.2} to {high:.2})");
}

fn quiet(command: &mut Command) {
    let status = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success(), "{command:?}");
}

/// Where [`install`] has put it.
fn layout(root: &Path) -> Layout {
    Layout::new(root, None, "mail.d0.example".parse().unwrap())
}

/// A deployment of `mail.d0.example` for so many domains, which are returned.
fn install(root: &Path, count: usize, settings: &[&str]) -> Vec<String> {
    let domains: Vec<String> = (0..count).map(|n| format!("d{n}.example")).collect();
    let more: Vec<String> = domains[1..]
        .iter()
        .map(|name| format!("\"{name}\""))
        .collect();
    let settings = settings.iter().flat_map(|setting| ["--set", *setting]);
    quiet(
        Command::new(program())
            .env(
                "MAILU_SKIP_CHECK",
                "preflight.names,preflight.dnssec,preflight.outbound",
            )
            .arg("--root")
            .arg(root)
            .args(["install", "--no-start", "--domain", "mail.d0.example"])
            .args(["--email-domain", "d0.example"])
            .args(["--admin-email", "admin@d0.example"])
            .args(["--set", "dns.ipv4=192.0.2.10"])
            .arg(format!("--set=email_domains=[{}]", more.join(", ")))
            .args(settings),
    );
    domains
}

fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with("--"))
        .collect();
    if diagnose::within(&arguments) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let all: [(&str, &dyn Fn()); 7] = [
        ("audit", &|| dns::audit(here)),
        ("diagnose", &|| diagnose::measure(here)),
        ("backup", &|| backup::measure(here)),
        ("accounts", &|| accounts::measure(here)),
        ("one_rendering", &|| rendering::one_rendering(here)),
        ("growth", &|| rendering::growth(here)),
        ("keys", &rendering::keys),
    ];
    for (name, measure) in all {
        if arguments.is_empty() || arguments.iter().any(|one| one == name) {
            measure();
        }
    }
}
