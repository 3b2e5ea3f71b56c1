//! A Listmonk by its containers: found by name, changed by `psql` in its database's container (a real one), started again by a signal.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::TOKEN;
use super::api::with_others;
use super::emulator::Emulator;
use super::postgres::Postgres;
use crate::fake_engine::{FakeContainer, FakeEngine};
use crate::support::{Run, finished, program};

struct Host {
    engine: FakeEngine,
    postgres: Postgres,
    emulator: Emulator,
    directory: tempfile::TempDir,
}

/// A container with it: in a network, at the port that its variables name.
fn container(emulator: &Emulator) -> FakeContainer {
    let mut container = FakeContainer::new("listmonk-acme", "listmonk/listmonk:v6.2.0");
    container.health = None;
    let address = emulator.address();
    container
        .networks
        .insert("listmonk_network".to_owned(), address.ip().to_string());
    container
        .environment
        .push(format!("LISTMONK_app__address=0.0.0.0:{}", address.port()));
    container
}

impl Host {
    /// A host with the Listmonk of the client `acme`, as AgencyStack makes it.
    fn new(settings: Option<&Value>) -> Self {
        let host = Self {
            engine: FakeEngine::start(),
            postgres: Postgres::start(),
            emulator: Emulator::start("v6.2", &with_others("v6.2")),
            directory: tempfile::tempdir().unwrap(),
        };
        match settings {
            Some(settings) => host.postgres.settings("news", settings),
            None => host.postgres.create("news"),
        }
        let config = host.directory.path().join("config.toml");
        std::fs::write(
            &config,
            "[db]\nuser = \"listmonk\"\ndatabase = \"news\"\npassword = \"db-Geheim\"\n",
        )
        .unwrap();
        let mut app = container(&host.emulator);
        app.mounts.push((
            config.display().to_string(),
            "/listmonk/config.toml".to_owned(),
        ));
        host.engine.add(app);
        host.engine
            .add(FakeContainer::new("listmonk-postgres-acme", "postgres:14"));
        host.engine.program(
            "listmonk-postgres-acme",
            &["psql"],
            host.postgres.in_container(),
        );
        host.engine.during("kill", host.emulator.hang_up());
        host
    }

    /// Runs the example: a program that connects a Listmonk with the library.
    fn run(&self, client: &str, more: &[&str]) -> Run {
        let mut command = Command::new(program().with_file_name("examples").join("listmonk"));
        command
            .args([
                client,
                "mail.example.com",
                "bounces@example.com",
                "news@example.com",
            ])
            .arg(self.record())
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        self.engine.reach(&mut command);
        let mut child = command.spawn().unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(TOKEN.as_bytes())
            .unwrap();
        let run = finished(child.wait_with_output().unwrap());
        for text in [&run.out, &run.err] {
            assert!(!text.contains(TOKEN) && !text.contains("eheim"), "{text}");
        }
        run
    }

    fn record(&self) -> std::path::PathBuf {
        self.directory.path().join("record.json")
    }

    /// What was asked of the engine; no secret may be among it.
    fn calls(&self) -> Vec<String> {
        let calls: Vec<String> = self
            .engine
            .take_calls()
            .into_iter()
            .map(|call| call.what)
            .collect();
        assert!(calls.iter().all(|call| !call.contains(TOKEN)), "{calls:?}");
        calls
    }
}

fn hangs_up(calls: &[String]) -> usize {
    calls
        .iter()
        .filter(|call| call.contains("listmonk-acme/kill"))
        .count()
}

#[test]
fn a_listmonk_is_connected_by_its_containers() {
    let host = Host::new(Some(&with_others("v6.2")));
    let before = host.postgres.rows("news");
    let report = host.run("acme", &[]).expect_code(0).json();
    assert_eq!(
        (&report["performed"], &report["restarted"]),
        (&json!(true), &json!(true)),
        "{report:#}"
    );
    assert_eq!(
        (&report["way"], &report["version"]),
        (&json!("database"), &json!("v6.2.0"))
    );
    assert_eq!(host.emulator.restarts(), 1);
    assert_eq!(hangs_up(&host.calls()), 1);
    let stored = std::fs::read_to_string(host.record()).unwrap();
    assert!(!stored.contains(TOKEN), "{stored}");

    let again = host.run("acme", &[]).expect_code(0).json();
    assert_eq!(
        (&again["changes"], &again["performed"]),
        (&json!([]), &json!(false)),
        "{again:#}"
    );
    assert_eq!(hangs_up(&host.calls()), 0);

    // While a campaign is being sent, nothing is started again.
    host.postgres.sql(
        "news",
        "CREATE TABLE campaigns (status TEXT); INSERT INTO campaigns VALUES ('running')",
    );
    let gone = host.run("acme", &["remove"]).expect_code(0).json();
    assert_eq!(
        (&gone["performed"], &gone["needs_restart"]),
        (&json!(true), &json!(true)),
        "{gone:#}"
    );
    assert_eq!(hangs_up(&host.calls()), 0);
    // But for the samples, which do not come back where another server is enabled.
    let rest = |rows: Vec<String>| -> Vec<String> {
        rows.into_iter()
            .filter(|row| !row.starts_with("smtp "))
            .collect()
    };
    assert_eq!(rest(host.postgres.rows("news")), rest(before));
    assert_eq!(host.postgres.elements("news", "smtp").len(), 1);
}

#[test]
fn what_is_missing_is_said() {
    let host = Host::new(None);
    let error = host.run("acme", &[]).expect_code(1).err;
    assert!(
        error.contains("listmonk.empty_database") && error.contains("--install"),
        "{error}"
    );
    let error = host.run("other", &[]).expect_code(1).err;
    assert!(
        error.contains("listmonk.no_container") && error.contains("listmonk-acme"),
        "{error}"
    );
    assert_eq!(hangs_up(&host.calls()), 0);
    // The names in its configuration are wrong.
    std::fs::write(
        host.directory.path().join("config.toml"),
        "[db]\nuser = \"listmonk\"\ndatabase = \"elsewhere\"\n",
    )
    .unwrap();
    let error = host.run("acme", &[]).expect_code(1).err;
    assert!(
        error.contains("listmonk.database") && error.contains("elsewhere"),
        "{error}"
    );
    host.engine
        .change("listmonk-postgres-acme", |one| one.state = "exited");
    let error = host.run("acme", &[]).expect_code(1).err;
    assert!(error.contains("listmonk-postgres-acme"), "{error}");
}
