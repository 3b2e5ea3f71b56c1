//! The operating verbs, against an engine that plays a script.

use std::process::Command;

use crate::fake_engine::FakeEngine;
use crate::support::{Root, succeed};

#[test]
fn the_fake_engine_brings_a_deployment_up() {
    let root = Root::new();
    root.install();
    let engine = FakeEngine::start();
    let directory = root.layout().directory();
    engine.up(&directory);
    assert!(
        engine.container("mailu_front").is_some(),
        "{:?}",
        engine.containers()
    );
    let compose = |args: &[&str]| {
        let mut command = Command::new("docker");
        succeed(engine.reach(command.arg("compose").args(args).current_dir(&directory)))
    };
    assert!(compose(&["config", "--hash", "*"]).contains("front "));
    compose(&["up", "-d"]);
    assert_eq!(engine.calls().last().unwrap(), "docker compose up -d");
}
