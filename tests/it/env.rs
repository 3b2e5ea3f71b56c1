//! `mailu.env` and `.env`: what both Composes read from them.

use std::collections::BTreeMap;
use std::process::Command;

use mailu_core::env::{EnvFile, mailu_variables};
use mailu_core::network::{Reserved, draw};
use mailu_core::{Config, env};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use serde_json::Value;

use crate::compose::{secrets, written};
use crate::random;
use crate::support::{SMALL, compose_v2, succeed, tests, tool};

/// Compose writes a literal `$` as `$$`, so that its output can be its input.
fn environment(read: &Value, service: &str) -> BTreeMap<String, String> {
    read["services"][service]["environment"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| {
            (
                name.clone(),
                value.as_str().unwrap_or_default().replace("$$", "$"),
            )
        })
        .collect()
}

#[test]
fn compose_v2_reads_every_value_as_it_was_meant() {
    for config in random::some(40) {
        let directory = written(&config);
        let text = succeed(
            compose_v2()
                .args(["config", "--format", "json"])
                .current_dir(directory.path()),
        );
        let read: Value = serde_json::from_str(&text).unwrap();
        let meant: BTreeMap<String, String> = mailu_variables(&config, &secrets())
            .iter()
            .map(|(n, v)| (n.to_owned(), v.to_owned()))
            .collect();
        assert_eq!(environment(&read, "admin"), meant);
    }
}

/// What Compose v1 reads with: `python-dotenv`, without `${…}`, which it replaces however it is quoted.
#[test]
fn compose_v1_reads_the_same_wherever_it_can() {
    let script = tests("tools/read_dotenv.py");
    let mut compared = 0;
    for config in random::some(40) {
        let directory = written(&config);
        let text = succeed(
            Command::new("/usr/bin/python3")
                .arg(&script)
                .arg(directory.path().join("mailu.env")),
        );
        let read: BTreeMap<String, String> = serde_json::from_str(&text).unwrap();
        for (name, value) in mailu_variables(&config, &secrets()).iter() {
            if value.contains("${")
                || (value.contains('$') && (value.contains('\n') || value.contains('\\')))
            {
                continue;
            }
            compared += 1;
            assert_eq!(
                read.get(name).map(String::as_str),
                Some(value),
                "{name} in\n{}",
                std::fs::read_to_string(directory.path().join("mailu.env")).unwrap()
            );
        }
    }
    assert!(compared > 1500, "only {compared} values were compared");
}

/// Files as people write them: whatever Compose accepts, we read the same way; whatever it refuses, we refuse.
#[test]
fn hand_written_files_are_read_as_compose_reads_them() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let value = prop_oneof![
        random::hostile_line(),
        random::hostile_line().prop_map(|t| format!("\"{t}\"")),
        random::hostile_line().prop_map(|t| format!("'{t}'")),
        random::hostile_line()
            .prop_map(|t| format!("\"{}\"", t.replace('"', "\\\"").replace('$', "\\$"))),
        proptest::sample::select(vec![
            "\"a\\nb\"",
            "\"\\t\\101\\0101\"",
            "'a\nb'",
            "\"x\" # c",
            "a # c",
            "$$x",
            "a$",
            "${A:-b}",
            "\"\\q\""
        ])
        .prop_map(str::to_owned),
    ];
    let line = (
        proptest::sample::select(vec!["V=", "V: ", "export V=", "  V = ", "V\t="]),
        value,
    )
        .prop_map(|(head, value)| format!("{head}{value}\n"));
    let (mut accepted, mut refused) = (0, 0);
    for _ in 0..160 {
        let line = line.new_tree(&mut runner).unwrap().current();
        let text = format!("# c\nFIRST=1\n{line}LAST=2\n");
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("mailu.env"), &text).unwrap();
        std::fs::write(
            directory.path().join("docker-compose.yml"),
            "services:\n  admin:\n    image: x:1\n    env_file: [mailu.env]\n",
        )
        .unwrap();
        let output = compose_v2()
            .args(["config", "--format", "json"])
            .current_dir(directory.path())
            .output()
            .unwrap();
        let ours = EnvFile::parse(&text);
        if !output.status.success() {
            refused += 1;
            assert!(
                ours.is_err(),
                "Compose refuses {text:?}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            continue;
        }
        accepted += 1;
        let ours = ours.unwrap_or_else(|error| panic!("Compose accepts {text:?}: {error}"));
        let read = environment(&serde_json::from_slice(&output.stdout).unwrap(), "admin");
        for (name, value) in ours.variables() {
            if !value.interpolates {
                assert_eq!(read.get(name), Some(&value.text), "{name} in {text:?}");
            }
        }
        assert_eq!(ours.variables().len(), read.len(), "{text:?}: {read:?}");
    }
    assert!(
        accepted > 80 && refused > 10,
        "{accepted} accepted, {refused} refused"
    );
}

/// The rules for what people write hold for what we write.
#[test]
fn everything_we_write_passes_our_own_rules() {
    for config in random::some(300) {
        let text = format!("{config:?}");
        let findings: Vec<_> = env::check(&mailu_variables(&config, &secrets()), config.version)
            .into_iter()
            .filter(|finding| finding.severity == mailu_core::Severity::Error)
            .collect();
        assert_eq!(findings, vec![], "{text}");
    }
}

#[test]
fn rendering_is_repeatable() {
    let mut config = Config::from_toml(SMALL).unwrap().config;
    draw(&mut config, &Reserved::default(), &[]).unwrap();
    let render = || {
        mailu_core::render(&config, &secrets(), &mailu_core::dns::PublicKeys::default())
            .unwrap()
            .files(&config)
            .unwrap()
    };
    assert_eq!(render(), render());
    assert!(tool("compose-v2").is_file());
}
