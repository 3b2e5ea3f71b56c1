//! The pages of `docs/`: every command on them is run, as a shell runs it, and the reference is what the program says.
//!
//! The word behind `sh` says on what: `files` (a deployment without an engine), `engine` (an engine that plays a script), `accounts` (beside it the stand-in
//! for Mailu's admin), `backup` (a server's data, and mail in it), `zone` (its zones in a real name server), `network` (see [`crate::examples`]), `outside`
//! and `real` (`tests/e2e/docs.rs` runs those on another host than the server's, and on a real server).

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::fake_engine::FakeEngine;
use crate::published::NameServer;
use crate::standin::StandIn;
use crate::support::{INSTALL, Root, finished, printed, program, workspace};
use crate::up::{QUIET, engine, run};

/// A block of commands on a page.
struct Block {
    page: String,
    line: usize,
    on: String,
    commands: Vec<String>,
}

fn pages() -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = std::fs::read_dir(workspace().join("docs"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "md"))
        .collect();
    all.sort();
    assert!(all.len() >= 9, "{all:?}");
    all
}

/// The blocks of commands on a page. One that does not say where it is to be run is a mistake.
fn blocks(path: &Path) -> Vec<Block> {
    let text = std::fs::read_to_string(path).unwrap();
    let page = path.file_name().unwrap().to_string_lossy().into_owned();
    let mut out: Vec<Block> = Vec::new();
    let mut within = false;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(kind) = line.strip_prefix("```") {
            if within {
                within = false;
                continue;
            }
            within = true;
            let on = kind.strip_prefix("sh").map(str::trim);
            assert!(
                on.is_some_and(|on| WORLDS.contains(&on)),
                "{page}:{}: `{line}` does not say where it is run: {WORLDS:?}",
                number + 1
            );
            out.push(Block {
                page: page.clone(),
                line: number + 1,
                on: on.unwrap_or_default().to_owned(),
                commands: Vec::new(),
            });
        } else if within && !line.is_empty() {
            out.last_mut().unwrap().commands.push(line.to_owned());
        }
    }
    out
}

const WORLDS: [&str; 8] = [
    "files", "engine", "accounts", "backup", "zone", "network", "outside", "real",
];

/// Pages that begin with nothing.
const FROM_NOTHING: [&str; 2] = ["install.md", "clients.md"];

/// Commands that rightly end with another status than 0 here, and why.
const OTHERWISE: [(&str, i32, &str); 3] = [
    (
        "mailu check --domain mail.example.com",
        1,
        "there is no engine in this world",
    ),
    ("mailu status --all", 1, "nor here"),
    (
        "mailu diagnose --only settings --changes",
        1,
        "without TLS passwords are sent in the open, which is said",
    ),
];

/// What a page's commands run on.
struct World {
    root: Root,
    engine: Option<FakeEngine>,
    /// Nothing asks it here; it has to be there.
    admin: Option<StandIn>,
    names: Option<NameServer>,
    directory: tempfile::TempDir,
}

impl World {
    fn new(on: &str, page: &str) -> Self {
        let root = Root::new();
        let mut world = Self {
            root,
            engine: None,
            admin: None,
            names: None,
            directory: tempfile::tempdir().unwrap(),
        };
        let empty = FROM_NOTHING.contains(&page);
        match on {
            "files" | "zone" if !empty => {
                let install = [&INSTALL[..], &["--set", "dns.ipv4=192.0.2.10"]].concat();
                world.root.run(&install).expect_code(0);
            }
            "engine" | "accounts" | "backup" => {
                let (engine, _) = engine(&world.root);
                if !empty {
                    run(&world.root, &engine, &QUIET).expect_code(0);
                }
                world.engine = Some(engine);
            }
            _ => {}
        }
        match on {
            "accounts" => world.admin = Some(accounts(world.engine.as_ref().unwrap())),
            "backup" => mail(&world.root),
            "zone" => {
                let text = world.root.read("dns/example.com.zone");
                world.names = Some(NameServer::serve(&[("example.com", &text)]));
            }
            _ => {}
        }
        world.program();
        world
    }

    /// A `mailu` in PATH that reaches this world's.
    fn program(&self) {
        let text = format!(
            "#!/bin/sh\n{}{}exec {} \"$@\"\n",
            // This engine plays no certificates, and no port is a client's.
            if self.engine.is_some() {
                "[ \"$1\" != install ] || set -- \"$@\" --set tls.mode=none --set ports.mail=143 --set services.antivirus=false\n"
            } else {
                ""
            },
            // Nobody outside is asked.
            self.names.as_ref().map_or_else(String::new, |names| format!(
                "[ \"$1\" != dns ] || set -- \"$@\" --nameserver {0} --resolver {0} --zone example.com\n",
                names.address
            )),
            program().display()
        );
        let path = self.directory.path().join("bin/mailu");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Runs one line, in a directory of this world's own.
    fn shell(&self, line: &str) -> crate::support::Run {
        let mut command = Command::new("bash");
        command.args(["-euc", line]);
        let here = self.directory.path().join("here");
        std::fs::create_dir_all(&here).unwrap();
        command.current_dir(here);
        if let Some(engine) = &self.engine {
            engine.reach(&mut command);
        } else {
            command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
            command.env("DOCKER_HOST", "unix:///nowhere/docker.sock");
            command.env(
                "MAILU_SKIP_CHECK",
                "preflight.names,preflight.dnssec,preflight.outbound",
            );
        }
        let paths = command
            .get_envs()
            .find(|(name, _)| *name == "PATH")
            .and_then(|(_, value)| value.map(ToOwned::to_owned))
            .unwrap_or_default();
        let mut path = self.directory.path().join("bin").into_os_string();
        path.push(":");
        path.push(paths);
        command
            .env("PATH", path)
            .env("AGENCY_STACK_ROOT", self.root.path())
            .env("AGENCY_STACK_LOG_DIR", self.directory.path().join("logs"))
            .env_remove("MAILU_ADMIN_PASSWORD");
        let output = command.output().unwrap();
        if line.contains("--reveal") {
            return printed(output);
        }
        let run = finished(output);
        self.root
            .no_secret_in(&run.out, &format!("output of `{line}`"));
        self.root
            .no_secret_in(&run.err, &format!("errors of `{line}`"));
        run
    }
}

fn accounts(engine: &FakeEngine) -> StandIn {
    let admin = StandIn::start(4);
    admin.plays(engine, "mailu_admin");
    let first: Value = json!({
        "domain": [{ "name": "example.com" }],
        "user": [{ "email": "admin@example.com", "password": "first-of-all", "hash_password": true, "global_admin": true }],
    });
    let made = admin.flask(
        &["mailu", "config-import", "-u"],
        first.to_string().as_bytes(),
    );
    assert_eq!(made.code, 0, "{}", made.err);
    admin
}

/// A message in the first administrator's mailbox.
fn mail(root: &Root) {
    let mailbox = root.file("data/mail/admin@example.com");
    for part in ["cur", "new", "tmp"] {
        std::fs::create_dir_all(mailbox.join(part)).unwrap();
    }
    std::fs::write(mailbox.join("cur/1700000000.M1P1.mail,S=4:2,S"), "one\n").unwrap();
}

/// Runs the blocks of all pages that are for the world `on`: those of one page on the same one, in their order.
fn every_command(on: &str) -> usize {
    let mut count = 0;
    let mut failed = String::new();
    for path in pages() {
        let all: Vec<Block> = blocks(&path)
            .into_iter()
            .filter(|block| block.on == on)
            .collect();
        let Some(first) = all.first() else {
            continue;
        };
        let world = World::new(on, &first.page);
        for block in &all {
            for line in &block.commands {
                let run = world.shell(line);
                let bare = line.split("  #").next().unwrap().trim();
                let wanted = OTHERWISE
                    .iter()
                    .find(|(command, ..)| *command == bare)
                    .map_or(0, |(_, code, _)| *code);
                if run.code != wanted {
                    let _ = writeln!(
                        failed,
                        "{}:{}: `{line}` ended with {}, not {wanted}\n{}\n{}",
                        block.page, block.line, run.code, run.out, run.err
                    );
                }
                count += 1;
            }
        }
    }
    assert!(failed.is_empty(), "{failed}");
    count
}

#[test]
fn commands_about_files_work() {
    assert!(every_command("files") > 30);
}

#[test]
fn commands_about_a_running_server_work() {
    assert!(every_command("engine") > 15);
}

#[test]
fn commands_about_accounts_work() {
    assert!(every_command("accounts") > 20);
}

#[test]
fn commands_about_backups_work() {
    assert!(every_command("backup") > 8);
}

#[test]
fn commands_about_zones_work() {
    assert!(every_command("zone") >= 2);
}

/// A command within a sentence or a table is one that the program understands. What stands for something else is in capital letters.
#[test]
fn commands_in_sentences_are_understood() {
    let mut count = 0;
    for path in pages().into_iter().chain([workspace().join("README.md")]) {
        let text = std::fs::read_to_string(&path).unwrap();
        let sentences = text.split("```").step_by(2);
        for code in sentences.flat_map(|text| text.split('`').skip(1).step_by(2)) {
            let words: Vec<&str> = code.split_whitespace().collect();
            if words.len() < 2 || words[0] != "mailu" || words.contains(&"…") {
                continue;
            }
            count += 1;
            let stands_for = |word: &&str| {
                word.len() > 2
                    && word
                        .chars()
                        .all(|c| c.is_ascii_uppercase() || "_.=".contains(c))
            };
            if let Err(error) = mailu_cli::command().try_get_matches_from(&words) {
                use clap::error::ErrorKind::{
                    DisplayVersion, MissingRequiredArgument, ValueValidation,
                };
                let fine = [DisplayVersion, MissingRequiredArgument].contains(&error.kind())
                    || error.kind() == ValueValidation && words.iter().any(stands_for);
                assert!(fine, "{}: `{code}`: {error}", path.display());
            }
        }
    }
    assert!(count > 40, "{count}");
}

/// What the program says of itself, as pages. `MAILU_BLESS=1` writes them.
#[test]
fn the_reference_is_what_the_program_says() {
    for (name, text) in [
        ("commands.md", commands()),
        ("configuration.md", configuration()),
    ] {
        let path = workspace().join("docs/reference").join(name);
        if std::env::var_os("MAILU_BLESS").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        let there = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            there == text,
            "{} is not what the program says; MAILU_BLESS=1 writes it",
            path.display()
        );
    }
}

/// One line of a list or table: no line ends, and no bars that end a cell.
fn flat(text: &str) -> String {
    text.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace('|', "\\|")
}

fn commands() -> String {
    let mut command = mailu_cli::command();
    command.build();
    let mut out = "# Every command\n\nGenerated from the program; `mailu VERB --help` says the same.\n\n## For all of them\n\n".to_owned();
    for arg in command.get_arguments() {
        describe(&mut out, arg);
    }
    verbs(&mut out, &command, "mailu");
    out
}

fn verbs(out: &mut String, command: &clap::Command, path: &str) {
    for verb in command.get_subcommands() {
        if verb.is_hide_set() || verb.get_name() == "help" {
            continue;
        }
        let path = format!("{path} {}", verb.get_name());
        let about = verb.get_long_about().or_else(|| verb.get_about());
        let usage = verb.clone().render_usage().to_string();
        let _ = write!(
            out,
            "\n## {path}\n\n{}\n\n```text\n{}\n```\n\n",
            about.map(ToString::to_string).unwrap_or_default().trim(),
            usage.trim_start_matches("Usage: ").trim()
        );
        for arg in verb.get_arguments() {
            if !arg.is_global_set() {
                describe(out, arg);
            }
        }
        verbs(out, verb, &path);
    }
}

fn describe(out: &mut String, arg: &clap::Arg) {
    if arg.is_hide_set() || ["help", "version"].contains(&arg.get_id().as_str()) {
        return;
    }
    let help = arg
        .get_long_help()
        .or_else(|| arg.get_help())
        .map(|help| flat(&help.to_string()))
        .unwrap_or_default();
    let _ = write!(out, "- `{arg}`");
    if let Some(short) = arg.get_short().filter(|_| arg.get_long().is_some()) {
        let _ = write!(out, ", `-{short}`");
    }
    if !help.is_empty() {
        let _ = write!(out, ": {}.", help.trim_end_matches('.'));
    }
    let values: Vec<String> = arg
        .get_possible_values()
        .iter()
        .filter(|value| !value.is_hide_set())
        .map(|value| format!("`{}`", value.get_name()))
        .collect();
    if arg.get_action().takes_values() && !values.is_empty() {
        let _ = write!(out, " One of {}.", values.join(", "));
    }
    let defaults: Vec<String> = arg
        .get_default_values()
        .iter()
        .map(|value| format!("`{}`", value.to_string_lossy()))
        .collect();
    if arg.get_action().takes_values() && !defaults.is_empty() {
        let _ = write!(out, " Default: {}.", defaults.join(", "));
    }
    if let Some(name) = arg.get_env() {
        let _ = write!(out, " In the environment: `{}`.", name.to_string_lossy());
    }
    out.push('\n');
}

fn configuration() -> String {
    let schema: Value = Root::new()
        .run(&["config", "schema", "--json"])
        .expect_code(0)
        .json();
    let mut out = "# Every key of mailu.toml\n\nGenerated from the program; `mailu config schema` says the same, and `mailu config schema --json` is a JSON schema for editors.\n".to_owned();
    section(&mut out, &schema, &schema, "");
    out
}

fn resolved<'s>(schema: &'s Value, of: &'s Value) -> &'s Value {
    let name = of["$ref"].as_str().or_else(|| {
        of["anyOf"]
            .as_array()
            .and_then(|any| any.iter().find_map(|one| one["$ref"].as_str()))
    });
    match name.and_then(|name| name.strip_prefix("#/$defs/")) {
        Some(name) => &schema["$defs"][name],
        None => of,
    }
}

/// What a key may have, in words.
fn kind(schema: &Value, key: &Value) -> String {
    let of = resolved(schema, key);
    if let Some(all) = of["oneOf"]
        .as_array()
        .filter(|all| all.iter().all(|one| one["const"].is_string()))
    {
        let all: Vec<String> = all
            .iter()
            .map(|one| format!("`{}`", one["const"].as_str().unwrap()))
            .collect();
        return all.join(", ");
    }
    if let Some(all) = of["enum"].as_array() {
        let all: Vec<String> = all
            .iter()
            .map(|one| format!("`{}`", one.as_str().unwrap_or_default()))
            .collect();
        return all.join(", ");
    }
    let types: Vec<&str> = match &of["type"] {
        Value::String(one) => vec![one.as_str()],
        Value::Array(all) => all
            .iter()
            .filter_map(Value::as_str)
            .filter(|one| *one != "null")
            .collect(),
        _ => Vec::new(),
    };
    match types.as_slice() {
        ["array"] => format!("list of {}", kind(schema, &of["items"])),
        ["object"] => "table".to_owned(),
        ["string"] => "text".to_owned(),
        ["integer"] => "number".to_owned(),
        ["boolean"] => "`true`, `false`".to_owned(),
        all => all.join(" or "),
    }
}

fn section(out: &mut String, schema: &Value, table: &Value, at: &str) {
    let none = serde_json::Map::new();
    let properties = table["properties"].as_object().unwrap_or(&none);
    let (tables, keys): (Vec<_>, Vec<_>) = properties
        .iter()
        .partition(|(_, value)| resolved(schema, value)["properties"].is_object());
    if !keys.is_empty() {
        let title = if at.is_empty() {
            "At the top".to_owned()
        } else {
            format!("`[{at}]`")
        };
        let about = table["description"]
            .as_str()
            .filter(|_| !at.is_empty())
            .map(flat)
            .unwrap_or_default();
        let about = about
            .trim_start_matches(&format!("`[{at}]`"))
            .trim_start_matches(':')
            .trim();
        let _ = write!(out, "\n## {title}\n\n");
        if !about.is_empty() {
            let _ = write!(out, "{about}\n\n");
        }
        out.push_str("| key | value | default | meaning |\n|---|---|---|---|\n");
        for (name, value) in keys {
            let default = match &value["default"] {
                Value::Null => String::new(),
                default => format!("`{default}`"),
            };
            let meaning = value["description"]
                .as_str()
                .or_else(|| resolved(schema, value)["description"].as_str());
            let _ = writeln!(
                out,
                "| `{name}` | {} | {} | {} |",
                kind(schema, value),
                flat(&default),
                meaning.map(flat).unwrap_or_default()
            );
        }
    }
    for (name, value) in tables {
        let below = if at.is_empty() {
            name.clone()
        } else {
            format!("{at}.{name}")
        };
        section(out, schema, resolved(schema, value), &below);
    }
}
