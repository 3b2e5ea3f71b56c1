//! People at work on a server: what `mailboxes.py` does, and whether what it was told is still true afterwards.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::ledger::{History, Inventory, Line, Span, Verdict};
use crate::server::{BARE, LIGHT, PASSWORD, Server, USER};
use crate::support::Root;
use crate::world::{docker, outside, wait_long};

const SCRIPT: &str = include_str!("mailboxes.py");
pub(crate) const ACCOUNTS: [&str; 3] = [USER, "second@example.com", "third@example.com"];
/// Whose messages `mailboxes.py` sends.
pub(crate) const SENDER: &str = "load@outside.test";
/// Operations of a second, at least.
pub(crate) const RATE: f64 = 20.0;

pub(crate) fn full() -> bool {
    std::env::var_os("MAILU_E2E_FULL").is_some()
}

pub(crate) fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs_f64()
}

#[expect(clippy::print_stderr, reason = "numbers for whoever reads the output")]
pub(crate) fn say(text: &str) {
    eprintln!("{text}");
}

/// A server with [`ACCOUNTS`].
pub(crate) fn server(more: &[&str]) -> Server {
    let more = [&LIGHT[..], &BARE, more].concat();
    let server = Server::with_files(Root::new(), &more).install();
    for account in &ACCOUNTS[1..] {
        let (name, domain) = account.split_once('@').unwrap();
        add_account(name, domain);
    }
    server
}

pub(crate) fn add_account(name: &str, domain: &str) {
    add_account_in("mailu_admin", name, domain);
}

pub(crate) fn add_account_in(admin: &str, name: &str, domain: &str) {
    docker(&[
        "exec", admin, "flask", "mailu", "user", name, domain, PASSWORD,
    ]);
}

/// What a verb of `mailboxes.py` has to know.
fn with(more: &Value) -> String {
    let accounts: BTreeMap<&str, &str> = ACCOUNTS.map(|one| (one, PASSWORD)).into();
    let mut config = json!({ "accounts": accounts });
    let all = config.as_object_mut().unwrap();
    all.extend(more.as_object().unwrap().clone());
    format!("{config}\n")
}

fn ledger(text: &str) -> Vec<Line> {
    text.lines()
        .map(|line| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in `{line}`"))
        })
        .collect()
}

/// Runs a verb to its end.
pub(crate) fn perform(verb: &str, more: &Value) -> Vec<Line> {
    ledger(&outside(&["python3", "-c", SCRIPT, verb], &with(more)))
}

/// Everything that all accounts have, over IMAP.
pub(crate) fn look() -> Inventory {
    let printed = outside(&["python3", "-c", SCRIPT, "look"], &with(&json!({})));
    serde_json::from_str(&printed).unwrap()
}

/// People at work, until they are told to stop or the value goes.
pub(crate) struct Load {
    child: Child,
    input: Option<ChildStdin>,
    directory: tempfile::TempDir,
}

impl Load {
    pub(crate) fn start(verb: &str, more: &Value) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str| std::fs::File::create(directory.path().join(name)).unwrap();
        let mut child = Command::new("docker")
            .args(["exec", "-i", "world_outside", "python3", "-c", SCRIPT, verb])
            .stdin(Stdio::piped())
            .stdout(file("ledger"))
            .stderr(file("said"))
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(with(more).as_bytes()).unwrap();
        Self {
            child,
            input: Some(input),
            directory,
        }
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.directory.path().join(name)).unwrap()
    }

    /// What was acknowledged so far.
    fn so_far(&mut self) -> Vec<Line> {
        let ended = self.child.try_wait().unwrap();
        assert!(ended.is_none(), "{ended:?}: {}", self.read("said"));
        let text = self.read("ledger");
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        ledger(&text[..whole])
    }

    /// Waits until it has been at work for so long since its first operation.
    pub(crate) fn has_lasted(&mut self, time: Duration) {
        let limit = time + Duration::from_secs(120);
        wait_long("the work", limit, || {
            let lines = self.so_far();
            let mut working = lines.iter().filter(|line| line.counts());
            let (first, last) = (working.next()?, working.next_back()?);
            (last.t1 - first.t1 >= time.as_secs_f64()).then_some(())
        });
    }

    pub(crate) fn stop(mut self) -> Vec<Line> {
        drop(self.input.take());
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{}", self.read("said"));
        let lines = ledger(&self.read("ledger"));
        assert_eq!(lines.last().map(|line| line.op.as_str()), Some("end"));
        // The moments are compared with this host's clock, which nobody may set meanwhile.
        let clock = |line: &Line| line.t1 - line.mono;
        let first = clock(lines.first().unwrap());
        for line in &lines {
            assert!(
                (clock(line) - first).abs() < 0.2,
                "the clock was set: {line:?}"
            );
        }
        lines
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }
}

/// How much was done, in words, and how much of it a second.
pub(crate) fn rate(lines: &[Line]) -> (String, f64) {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for line in lines {
        *counts.entry(&line.op).or_default() += 1;
    }
    let working: Vec<&Line> = lines.iter().filter(|line| line.counts()).collect();
    let time = working.last().unwrap().t1 - working.first().unwrap().t1;
    #[expect(clippy::cast_precision_loss, reason = "thousands")]
    let rate = working.len() as f64 / time;
    (
        format!(
            "{} operations in {time:.0} s, {rate:.1} a second: {counts:?}",
            working.len()
        ),
        rate,
    )
}

/// Nobody was disturbed, except by a server that asks to try again.
pub(crate) fn undisturbed(lines: &[Line]) {
    let broken: Vec<(&str, &str)> = lines
        .iter()
        .filter(|line| line.op == "broken")
        .map(|line| (line.account.as_str(), line.why.as_str()))
        .collect();
    assert!(broken.is_empty(), "{broken:?}");
}

/// The mailboxes, once everything has arrived that was taken before `window`; without one, before now.
pub(crate) fn arrived_of(
    history: &History,
    window: Option<Span>,
    what: &str,
) -> (Verdict, Inventory) {
    let start = std::time::Instant::now();
    loop {
        let inventory = look();
        let moment = now();
        let verdict = history.judge(
            window.unwrap_or(Span {
                from: moment,
                to: moment,
            }),
            &inventory,
        );
        verdict.nothing_wrong(what);
        if verdict.waiting.is_empty() {
            return (verdict, inventory);
        }
        assert!(
            start.elapsed() < Duration::from_secs(180),
            "{what}: {} messages have not arrived:\n{}",
            verdict.waiting.len(),
            verdict.waiting.join("\n")
        );
        std::thread::sleep(Duration::from_millis(500));
    }
}

// --- an engine that dies ----------------------------------------------------------------------------------------------------------

/// What stands still.
pub(crate) fn frozen() -> Vec<String> {
    let names = docker(&["ps", "--filter", "status=paused", "--format", "{{.Names}}"]);
    names.lines().map(str::to_owned).collect()
}

/// Kills the engine. It comes back, as systemd would have it.
pub(crate) fn kill_engine() {
    let pid = std::fs::read_to_string("/run/docker.pid").unwrap();
    let _ = Command::new("kill").args(["-KILL", pid.trim()]).output();
}

/// Waits until the engine answers.
pub(crate) fn engine_answers() {
    wait_long("the engine", Duration::from_secs(120), || {
        let up = Command::new("docker").args(["ps", "-q"]).output();
        up.is_ok_and(|output| output.status.success()).then_some(())
    });
}

/// Waits until the world is there again after the engine's return, and starts the server, which Docker has stopped.
pub(crate) fn comes_back(server: &Server) {
    wait_long("the world", Duration::from_secs(120), || {
        let up = Command::new("docker")
            .args(["exec", "world_outside", "test", "-e", "/run/ready"])
            .output();
        up.is_ok_and(|output| output.status.success()).then_some(())
    });
    // Zones are of the world's life before.
    server.publish(&server.root.read("dns/example.com.zone"));
    server.root.run(&["start"]).expect_code(0);
    let start = std::time::Instant::now();
    loop {
        let report = server.root.run(&["status", "--json"]).json();
        let unwell: Vec<Value> = report["services"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|one| one["level"] != "well")
            .cloned()
            .collect();
        if frozen().is_empty() && unwell.is_empty() && report["engine"].is_string() {
            return;
        }
        assert!(
            start.elapsed() < Duration::from_secs(180),
            "{:?} {unwell:#?} {}",
            frozen(),
            report["findings"]
        );
        std::thread::sleep(Duration::from_millis(500));
    }
}
