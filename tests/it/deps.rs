//! `install --with-deps`: the Traefik that we install, in other tools' opinion.

use std::path::Path;

use mailu_core::Config;
use mailu_core::traefik::Settings;

use crate::support::{SMALL, compose_v2, succeed, tests, tool};

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
