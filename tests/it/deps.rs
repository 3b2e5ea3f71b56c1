//! `install --with-deps`: the Traefik that we install, in other tools' opinion.

use std::path::Path;

use mailu_core::Config;
use mailu_core::traefik::Settings;

use crate::fake_engine::{FakeEngine, Fate};
use crate::support::{Root, Run, SMALL, compose_v2, finished, mode, succeed, tests, tool};

fn settings(more: &str) -> Settings {
    let config = Config::from_toml(&format!("{SMALL}{more}")).unwrap().config;
    Settings::of(
        Path::new("/opt/agency_stack"),
        &config,
        "/var/run/docker.sock",
    )
}

#[test]
fn traefik_s_project_is_as_it_was() {
    let path = tests("fixtures/traefik/docker-compose.yml");
    let now = settings("").compose().unwrap();
    if std::env::var_os("MAILU_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &now).unwrap();
    }
    let before = std::fs::read_to_string(&path).unwrap();
    assert_eq!(before, now, "MAILU_BLESS=1 writes it anew");
}

/// Both Composes understand it, and read the same arguments.
#[test]
fn compose_takes_traefik_s_project() {
    let odd = "[traefik]\nacme_ca = \"https://127.0.0.1:14000/dir?a=$b\"\nresolver = \"own\"\n[images]\ntraefik = \"registry.example.com:5000/traefik:v3.7\"\n[logs]\ndriver = \"journald\"\n[ports]\nmail = [25, 465]\n";
    for more in ["", odd] {
        let settings = settings(more);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("docker-compose.yml");
        std::fs::write(&path, settings.compose().unwrap()).unwrap();
        std::fs::write(directory.path().join(".env"), Settings::env()).unwrap();
        let text = succeed(
            compose_v2()
                .args(["config", "--format", "json"])
                .current_dir(directory.path()),
        );
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["name"], mailu_core::traefik::PROJECT);
        let service = &read["services"]["traefik"];
        // Compose doubles dollars where it prints.
        let command: Vec<String> = service["command"]
            .as_array()
            .unwrap()
            .iter()
            .map(|part| part.as_str().unwrap().replace("$$", "$"))
            .collect();
        assert_eq!(command, settings.arguments());
        let ports: Vec<u64> = service["ports"]
            .as_array()
            .unwrap()
            .iter()
            .map(|port| port["target"].as_u64().unwrap())
            .collect();
        assert_eq!(ports.len(), settings.published.len());
        assert!(
            service["ports"]
                .as_array()
                .unwrap()
                .iter()
                .all(|port| port["host_ip"] == "0.0.0.0")
        );
        assert_eq!(service["volumes"][0]["read_only"], true);
        succeed(
            std::process::Command::new(tool("docker-compose"))
                .args(["config", "-q"])
                .current_dir(directory.path()),
        );
    }
}

const INSTALL: [&str; 8] = [
    "install",
    "--with-deps",
    "--domain",
    "mail.example.com",
    "--email-domain",
    "example.com",
    "--admin-email",
    "admin@example.com",
];

fn install(root: &Root, engine: &FakeEngine, more: &[&str]) -> Run {
    let mut command = root.command(&[&INSTALL, more].concat());
    finished(engine.reach(&mut command).output().unwrap())
}

fn planned(root: &Root, engine: &FakeEngine) -> Vec<String> {
    let run = install(root, engine, &["--dry-run", "--json"]).expect_code(0);
    run.json()["dependencies"]["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["action"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn traefik_is_installed_where_there_is_none() {
    let root = Root::new();
    let engine = FakeEngine::start();
    let all = [
        "make_network",
        "make_directory",
        "write_file",
        "write_file",
        "write_file",
        "write_file",
        "start_traefik",
        "await_traefik",
    ];
    assert_eq!(planned(&root, &engine), all);
    assert!(!root.path().exists() && engine.containers().is_empty());
    let shown = install(&root, &engine, &["--dry-run"]).expect_code(0);
    assert!(
        shown.out.contains("make the Docker network mailu_proxy"),
        "{}",
        shown.out
    );

    // What comes after Traefik is another matter.
    engine.fail("pull", 9, "not today");
    let _ = install(&root, &engine, &["--wait", "1"]);
    let directory = root.path().join("traefik");
    assert_eq!(mode(&directory.join("acme.json")), 0o600);
    let traefik = engine.container("traefik").unwrap();
    assert_eq!(
        traefik.labels["com.docker.compose.project"],
        "mailu-traefik"
    );
    assert!(engine.networks().contains(&"mailu_proxy".to_owned()));
    assert_eq!(planned(&root, &engine), [""; 0]);
    // Stopped: started again, and nothing else.
    engine.change("traefik", |traefik| traefik.state = "exited");
    assert_eq!(planned(&root, &engine), ["start_traefik", "await_traefik"]);
    // It does not become well: said with where to look.
    engine.remove("traefik");
    engine.fate("traefik", Fate::Exits(1));
    std::fs::remove_file(directory.join("acme.json")).unwrap();
    assert_eq!(
        planned(&root, &engine),
        ["write_file", "start_traefik", "await_traefik"]
    );
}

/// `--no-start` is about the mail server: what the host lacks comes all the same.
#[test]
fn the_host_gets_what_it_lacks_without_a_mail_server_that_starts() {
    let root = Root::new();
    let engine = FakeEngine::start();
    let shown = install(&root, &engine, &["--no-start", "--dry-run"]).expect_code(0);
    assert!(
        shown.out.contains("make the Docker network mailu_proxy")
            && shown.out.contains("start Traefik in"),
        "{}",
        shown.out
    );
    assert!(!root.path().exists() && engine.containers().is_empty());

    install(&root, &engine, &["--no-start"]).expect_code(0);
    assert_eq!(engine.containers().len(), 1);
    assert!(engine.container("traefik").is_some());
    let store = root.path().join("traefik/acme.json");
    assert!(root.read("mailu.toml").contains(store.to_str().unwrap()));
    assert!(root.file("mailu.env").exists());
    // And the same again: nothing to do.
    let calls = |engine: &FakeEngine| {
        let calls = engine.take_calls().into_iter();
        calls.filter(|call| call.what.contains(" up ")).count()
    };
    assert_eq!(calls(&engine), 1);
    install(&root, &engine, &["--no-start"]).expect_code(0);
    assert_eq!(calls(&engine), 0);
}

/// Compose alone is missing: it comes as a package, and the engine stays what it is.
#[test]
fn compose_is_installed_as_a_package() {
    use std::os::unix::fs::PermissionsExt as _;
    let root = Root::new();
    let engine = FakeEngine::start();
    engine.compose(None);
    let bin = tempfile::tempdir().unwrap();
    let script = |name: &str, text: &str| {
        let path = bin.path().join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    let log = bin.path().join("log");
    let lists = bin.path().join("lists");
    script("dpkg", "exit 0");
    script(
        "apt-cache",
        &format!(
            "printf 'docker.io:\\n  Installed: 20.10.24\\n  Candidate: 20.10.24\\n'\n[ -e {0} ] && printf 'docker-compose:\\n  Installed: (none)\\n  Candidate: 1.29.2-3\\n'\nexit 0",
            lists.display()
        ),
    );
    script(
        "apt-get",
        &format!(
            "echo \"$DEBIAN_FRONTEND $*\" >>{0}\ncase \"$*\" in\n*update) : >{1} ;;\n*) echo 'Setting up docker-compose'\nprintf '#!/bin/sh\\necho 1.29.2\\n' >{2}\nchmod 755 {2} ;;\nesac",
            log.display(),
            lists.display(),
            bin.path().join("docker-compose").display()
        ),
    );
    let run = |more: &[&str]| {
        let mut places = vec![bin.path().to_path_buf()];
        places.extend(std::env::split_paths(&engine.path()));
        let mut command = root.command(&[&INSTALL, more].concat());
        engine.reach(&mut command);
        command.env("PATH", std::env::join_paths(places).unwrap());
        command.args(["--set", "tls.mode=letsencrypt"]);
        finished(command.output().unwrap())
    };
    if !Path::new("/etc/debian_version").exists() {
        return;
    }
    let shown = run(&["--dry-run"]).expect_code(0);
    assert!(
        shown.out.contains("fetch the lists of packages")
            && shown.out.contains("whichever packages"),
        "{}",
        shown.out
    );
    engine.fail("pull", 9, "not today");
    let done = run(&["--wait", "1"]);
    assert!(
        done.err.contains("Setting up docker-compose"),
        "{}",
        done.err
    );
    let log = std::fs::read_to_string(&log).unwrap();
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(lines.len(), 2, "{log}");
    assert!(lines[0].starts_with("noninteractive ") && lines[0].ends_with(" update"));
    assert!(lines[1].ends_with("install --yes docker-compose"), "{log}");
}
