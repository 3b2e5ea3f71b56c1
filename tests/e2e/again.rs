//! The same installation a second time, and small changes: nobody notices more than has to be.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::server::{BARE, Front, LIGHT, Server, changed, containers};
use crate::support::Root;
use crate::world::{self, Traefik};

#[test]
fn a_second_install_changes_nothing_and_small_changes_little() {
    let _alone = world::alone();
    let more = [&LIGHT[..], &BARE].concat();
    let server = Server::prepare(Root::new(), Front::Theirs(Traefik::start()), &more).install();
    server.takes_certificate();
    second_install(&server);
    small_changes(&server);
}

/// Connects from outside, again and again.
struct Probe {
    child: Child,
    out: BufReader<ChildStdout>,
}

#[derive(Debug, serde::Deserialize)]
struct Probed {
    tried: usize,
    failed: Vec<String>,
}

impl Probe {
    fn start() -> Self {
        let mut child = Command::new("docker")
            .args(["exec", "-i", "world_outside", "python3", "-c"])
            .arg(include_str!("probe.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        Self { child, out }
    }

    fn stop(mut self) -> Probed {
        drop(self.child.stdin.take());
        let mut text = String::new();
        self.out.read_to_string(&mut text).unwrap();
        assert!(self.child.wait().unwrap().success());
        serde_json::from_str(&text).unwrap()
    }
}

fn second_install(server: &Server) {
    let before = containers();
    assert!(before.len() > 5, "{before:?}");
    for _ in 0..2 {
        let probe = Probe::start();
        let run = server.run();
        let probed = probe.stop();
        let run = run.expect_code(0);
        assert!(run.out.contains("no container was touched"), "{}", run.out);
        assert_eq!(changed(&before, &containers()), [""; 0]);
        assert!(probed.tried >= 8, "{probed:?}");
        assert!(probed.failed.is_empty(), "{probed:?}");
    }
}

fn small_changes(server: &Server) {
    for (key, value, expected) in [
        ("limits.messages", "300/day", "admin"),
        ("mail.reject_unlisted_recipient", "true", "smtp"),
    ] {
        let before = containers();
        server
            .root
            .run(&["config", "set", key, value])
            .expect_code(0);
        let json = server.root.run(&["apply", "--json"]).expect_code(0).json();
        let after = containers();
        assert_eq!(changed(&before, &after), [expected], "{key}");
        assert_ne!(before[expected].0, after[expected].0, "{key}: made anew");
        let touched: Vec<&serde_json::Value> = json["run"]["services"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|one| one["done"] != "unchanged")
            .map(|one| &one["service"])
            .collect();
        assert_eq!(touched, [expected], "{key}");
    }
    Server::mail_in("after small changes");
    Server::has_certificate();
}
