//! Guards over the sources: the pure library stays pure, versions agree.

use std::process::Command;

use crate::support::{files_below, succeed, workspace};

/// Without features the library depends on nothing that could touch the world.
#[test]
fn the_pure_library_depends_on_nothing_impure() {
    let tree = succeed(
        Command::new(env!("CARGO"))
            .args([
                "tree",
                "-p",
                "mailu-core",
                "-e",
                "normal",
                "--prefix",
                "none",
            ])
            .current_dir(workspace()),
    );
    assert!(tree.contains("minijinja"), "{tree}");
    for name in [
        "tokio",
        "bollard",
        "hyper",
        "mio",
        "rcgen",
        "ring",
        "jiff",
        "getrandom",
        "tempfile",
        "socket2",
        "rustix",
        "libc",
    ] {
        let found: Vec<_> = tree
            .lines()
            .filter(|line| line.starts_with(&format!("{name} ")))
            .collect();
        assert!(found.is_empty(), "{found:?} in\n{tree}");
    }
}

/// The feature is a boundary only as long as nothing else looks at it.
#[test]
fn only_the_boundary_knows_the_feature_host() {
    let source = workspace().join("mailu-core/src");
    for path in files_below(&source) {
        let name = path
            .strip_prefix(&source)
            .unwrap()
            .to_string_lossy()
            .into_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        if text.contains("feature = \"host\"") {
            assert!(
                name == "lib.rs" || name == "error.rs" || name.starts_with("host/"),
                "{name}"
            );
        }
        if text.contains("disallowed_methods") {
            assert!(
                name == "lib.rs" || name == "host/mod.rs",
                "{name} lifts the ban on impure functions"
            );
        }
    }
}

#[test]
fn every_manifest_has_the_same_version() {
    let root = workspace();
    let read = |name: &str| std::fs::read_to_string(root.join(name)).unwrap();
    let cargo: toml::Table = read("Cargo.toml").parse().unwrap();
    let version = cargo["workspace"]["package"]["version"]
        .as_str()
        .unwrap()
        .to_owned();
    let npm: serde_json::Value = serde_json::from_str(&read("mailu-node/package.json")).unwrap();
    assert_eq!(npm["version"], version);
    let pyproject: toml::Table = read("mailu-py/pyproject.toml").parse().unwrap();
    let dynamic = pyproject["project"]
        .get("dynamic")
        .is_some_and(|d| d.to_string().contains("version"));
    assert!(dynamic || pyproject["project"]["version"].as_str() == Some(&version));
    assert!(read("CHANGELOG.md").contains(&format!("## {version}")));
}

/// Which registry a machine takes packages from is its own business.
#[test]
fn nothing_names_a_registry_host() {
    let listed = succeed(
        Command::new("git")
            .args(["ls-files"])
            .current_dir(workspace()),
    );
    // In two parts, so that this file does not name them either.
    let hosts = [
        concat!("pypi", ".org"),
        concat!("python", "hosted.org"),
        concat!("registry", ".npmjs"),
        concat!("static", ".crates.io"),
        concat!("index", ".crates.io"),
        concat!("proxy", ".golang.org"),
        concat!("repo1", ".maven"),
        concat!("deb", ".debian.org"),
        concat!("security", ".debian.org"),
    ];
    for name in listed
        .lines()
        .filter(|name| !name.ends_with("lock") && !name.ends_with("-lock.json"))
    {
        let text = std::fs::read_to_string(workspace().join(name)).unwrap_or_default();
        for host in hosts {
            assert!(!text.contains(host), "{name} names {host}");
        }
    }
}
