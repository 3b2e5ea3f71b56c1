//! The operating verbs, against an engine that plays a script.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::fake_engine::{
    Answer, FakeContainer, FakeEngine, FakeLine, FakeNetwork, Fate, image_id,
};
use crate::support::{Root, Run, finished, succeed};

/// A deployment on an engine.
struct Host {
    root: Root,
    engine: FakeEngine,
}

impl Host {
    /// One that runs, everything well.
    fn new() -> Self {
        let host = Self::stopped();
        host.engine.up(&host.root.layout().directory());
        host
    }

    /// One that was never started.
    fn stopped() -> Self {
        /// Keys take a while to draw, and every test wants a deployment of its own.
        static INSTALLED: LazyLock<Root> = LazyLock::new(|| {
            let root = Root::new();
            root.install();
            root
        });
        let root = Root::new();
        succeed(
            Command::new("cp")
                .arg("-a")
                .args([INSTALLED.path(), root.path()]),
        );
        Self {
            root,
            engine: FakeEngine::start(),
        }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.root.command(args);
        self.engine.reach(&mut command);
        command.env("AGENCY_STACK_LOG_DIR", self.logs());
        command
    }

    fn logs(&self) -> std::path::PathBuf {
        self.root.path().join("logs")
    }

    fn run(&self, args: &[&str]) -> Run {
        let run = finished(self.command(args).output().unwrap());
        self.root
            .no_secret_in(&run.out, &format!("stdout of {args:?}"));
        self.root
            .no_secret_in(&run.err, &format!("stderr of {args:?}"));
        run
    }

    fn status(&self) -> Value {
        self.run(&["status", "--json"]).json()
    }
}

fn ids(report: &Value) -> Vec<&str> {
    report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["id"].as_str().unwrap())
        .collect()
}

fn service<'a>(report: &'a Value, name: &str) -> &'a Value {
    report["services"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["name"] == name)
        .unwrap_or_else(|| panic!("no {name} in {report}"))
}

/// A way in which a deployment can be, what `status` calls it, and its findings beside those about certificate and backups.
struct Way {
    name: &'static str,
    make: fn() -> Host,
    verdict: &'static str,
    finding: &'static str,
}

const WAYS: [Way; 7] = [
    Way {
        name: "healthy",
        make: Host::new,
        verdict: "healthy",
        finding: "",
    },
    Way {
        name: "killed",
        make: || {
            let host = Host::new();
            host.engine.change("mailu_smtp", |c| {
                c.state = "exited";
                c.exit_code = 137;
                c.says("postfix/master: terminating");
            });
            host
        },
        verdict: "degraded",
        finding: "service.stopped",
    },
    Way {
        name: "unhealthy",
        make: || {
            let host = Host::new();
            host.engine
                .befall("front", Fate::Unhealthy("nobody answers".to_owned()));
            host
        },
        verdict: "degraded",
        finding: "service.unhealthy",
    },
    Way {
        name: "looping",
        make: || {
            let host = Host::new();
            host.engine.befall("antispam", Fate::Loops(132));
            host
        },
        verdict: "degraded",
        finding: "service.looping",
    },
    Way {
        name: "absent container",
        make: || {
            let host = Host::new();
            host.engine.remove("mailu_webmail");
            host
        },
        verdict: "degraded",
        finding: "service.absent",
    },
    Way {
        name: "never started",
        make: Host::stopped,
        verdict: "absent",
        finding: "status.absent",
    },
    Way {
        name: "no engine",
        make: || {
            let host = Host::new();
            host.engine.vanish();
            host
        },
        verdict: "unknown",
        finding: "engine.unreachable",
    },
];

#[test]
fn status_tells_every_way_of_being_apart() {
    for way in &WAYS {
        let host = (way.make)();
        let fine = way.verdict == "healthy";
        let run = host
            .run(&["status", "--json"])
            .expect_code(i32::from(!fine));
        let report = run.json();
        assert_eq!(report["verdict"], way.verdict, "{}", way.name);
        assert_eq!(report["healthy"], fine, "{}", way.name);
        let ids = ids(&report);
        assert!(
            way.finding.is_empty() || ids.contains(&way.finding),
            "{}: {ids:?}",
            way.name
        );
        // What the files tell is there in any case.
        assert!(report["services"].as_array().unwrap().len() > 8);
        assert_eq!(report["urls"]["admin"], "https://mail.example.com/admin/");
        assert_eq!(
            report["certificates"][0]["certificate"]["names"][0],
            "mail.example.com"
        );
        assert!(report["disk"]["free"].as_u64().unwrap() > 0);
        assert_eq!(report["backups"]["count"], 0);

        let run = host.run(&["status"]).expect_code(i32::from(!fine));
        assert!(run.out.contains(way.verdict), "{}", run.out);
        assert!(run.out.contains("https://mail.example.com/admin/"));
        assert!(run.out.contains("none in "), "{}", run.out);

        let run = host.run(&["status", "--all"]).expect_code(i32::from(!fine));
        assert!(run.out.contains("mail.example.com") && run.out.contains(way.verdict));
        let fleet = host
            .run(&["status", "--all", "--json"])
            .expect_code(i32::from(!fine))
            .json();
        assert_eq!(fleet["healthy"], fine);
        assert_eq!(fleet["deployments"][0]["verdict"], way.verdict);
    }
}

#[test]
fn status_says_why_a_service_is_not_well() {
    let host = (WAYS[1].make)();
    let run = host.run(&["status"]);
    assert!(
        run.out.contains("exit code 137") && run.out.contains("terminating"),
        "{}",
        run.out
    );
    assert!(
        run.err.contains("start --domain mail.example.com smtp`"),
        "{}",
        run.err
    );
    let host = (WAYS[2].make)();
    assert!(
        host.run(&["status"])
            .out
            .contains("health check: nobody answers")
    );
    let host = (WAYS[3].make)();
    let run = host.run(&["status"]);
    assert!(run.err.contains("LD_PRELOAD"), "{}", run.err);
    host.engine
        .change("mailu_antispam", |c| c.out_of_memory = true);
    assert!(host.run(&["status"]).err.contains("want of memory"));
}

#[test]
fn status_measures_and_compares() {
    let host = Host::new();
    host.engine.change("mailu_imap", |c| {
        c.cpu = 12.0;
        c.memory = 300 << 20;
        c.restarts = 2;
    });
    let report = host.status();
    let imap = service(&report, "imap");
    assert_eq!(imap["usage"]["memory"], 300 << 20);
    assert!(
        (imap["usage"]["cpu_percent"].as_f64().unwrap() - 12.0).abs() < 0.5,
        "{imap}"
    );
    assert_eq!(imap["restarts"], 2);
    assert!(
        imap["digests"][0]
            .as_str()
            .unwrap()
            .contains("dovecot@sha256:"),
        "{imap}"
    );
    assert_eq!(imap["drift"], serde_json::json!([]));

    // Another image by the same name, another version, and another value of a variable.
    let image = host.engine.container("mailu_imap").unwrap().image;
    host.engine.image(&image, "sha256:new", &[]);
    host.root
        .edit("mailu.env", "LOG_LEVEL=INFO", "LOG_LEVEL=DEBUG");
    host.engine.change("mailu_admin", |c| {
        c.image = c.image.replace("2024.06.57", "2024.06.50");
    });
    let report = host.status();
    let drift = |name: &str| service(&report, name)["drift"].to_string();
    assert!(drift("imap").contains("another image"), "{}", drift("imap"));
    assert!(drift("smtp").contains("LOG_LEVEL") && !drift("smtp").contains("DEBUG"));
    assert!(drift("admin").contains("2024.06.50"), "{}", drift("admin"));
    assert_eq!(drift("redis"), "[]");
    assert_eq!(report["healthy"], true);
    assert!(host.run(&["status"]).out.contains("(drifted)"));
}

#[test]
fn status_shows_queue_and_backups() {
    let host = Host::new();
    host.engine.program("smtp", &["postqueue", "-j"], |_, _| {
        let now = jiff::Timestamp::now().as_second();
        let line = |id: u32, age: i64| {
            format!(
                "{{\"queue_name\": \"deferred\", \"queue_id\": \"{id}\", \"arrival_time\": {}, \"message_size\": 2000, \"sender\": \"a@example.com\", \"recipients\": [{{\"address\": \"b@x.test\", \"delay_reason\": \"connect to x.test: Connection refused\"}}]}}\n",
                now - age
            )
        };
        Answer::out(&(line(1, 60) + &line(2, 30_000)))
    });
    let backups = host.root.layout().backups();
    std::fs::create_dir_all(&backups).unwrap();
    std::fs::write(backups.join("one.tar.zst"), "x").unwrap();
    std::fs::write(backups.join("two.tar.zst.partial"), "x").unwrap();
    let report = host.status();
    assert_eq!(report["queue"]["messages"], 2);
    assert_eq!(report["queue"]["queues"]["deferred"], 2);
    assert_eq!(report["queue"]["reasons"][0]["recipients"], 2);
    assert!(ids(&report).contains(&"queue.old"));
    assert_eq!(report["backups"]["count"], 1);
    let run = host.run(&["status"]).expect_code(0);
    assert!(run.out.contains("2 × connect to x.test"), "{}", run.out);
    assert!(run.out.contains("one.tar.zst"), "{}", run.out);
    host.engine.program("smtp", &["postqueue", "-j"], |_, _| {
        Answer::failed(
            69,
            "postqueue: fatal: Queue report unavailable - mail system is down\n",
        )
    });
    let run = host.run(&["status"]).expect_code(1);
    assert!(run.err.contains("mail system is down"), "{}", run.err);
}

#[test]
fn status_watches_until_it_is_interrupted() {
    let host = Host::new();
    let mut child = host
        .command(&["status", "--json", "--watch=1"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!(first["verdict"], "healthy");
    host.engine.change("mailu_smtp", |c| c.state = "exited");
    let changed = lines.find_map(|line| {
        let report: Value = serde_json::from_str(&line.unwrap()).unwrap();
        (report["verdict"] == "degraded").then_some(())
    });
    assert!(changed.is_some());
    assert_eq!(interrupted(&mut child), 130);
}

/// Sends Ctrl-C, and returns what a shell calls the exit status.
fn interrupted(child: &mut std::process::Child) -> i32 {
    use std::os::unix::process::ExitStatusExt as _;
    succeed(Command::new("kill").args(["-INT", &child.id().to_string()]));
    let status = child.wait().unwrap();
    status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap())
}

#[test]
fn status_of_all_shows_each_deployment() {
    let host = Host::new();
    let second = [
        "install",
        "--no-start",
        "--domain",
        "mail.example.net",
        "--email-domain",
        "example.net",
        "--admin-email",
        "a@example.net",
        "--client-id",
        "acme",
        "--set",
        "ports.via=published",
        "--set",
        "ports.address=127.0.0.9",
    ];
    host.run(&second).expect_code(0);
    let run = host.run(&["status", "--all"]).expect_code(1);
    assert!(
        run.out.contains("mail.example.net") && run.out.contains("acme"),
        "{}",
        run.out
    );
    let fleet = host
        .run(&["status", "--all", "--json"])
        .expect_code(1)
        .json();
    let verdicts: Vec<&str> = fleet["deployments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["verdict"].as_str().unwrap())
        .collect();
    assert_eq!(verdicts, ["healthy", "absent"]);
    // One that cannot be read does not hide the others.
    let toml = host
        .root
        .path()
        .join("mailu/clients/acme/mail.example.net/mailu.toml");
    std::fs::write(toml, "nonsense").unwrap();
    let fleet = host
        .run(&["status", "--all", "--json"])
        .expect_code(1)
        .json();
    assert_eq!(fleet["deployments"][1]["verdict"], "invalid");
    assert_eq!(fleet["deployments"][0]["verdict"], "healthy");
}

fn line(at: &str, text: &str) -> FakeLine {
    FakeLine {
        at: at.to_owned(),
        stream: 1,
        text: text.to_owned(),
    }
}

#[test]
fn logs_are_interleaved_by_time() {
    let host = Host::new();
    // Docker leaves out zeros at the end, so that times do not sort as text.
    host.engine.change("mailu_smtp", |c| {
        c.log = vec![
            line("2026-11-22T10:00:00.5Z", "smtp one"),
            line("2026-11-22T10:00:02Z", "smtp two"),
        ];
    });
    host.engine.change("mailu_imap", |c| {
        c.log = vec![line("2026-11-22T10:00:00.45Z", "imap one")];
        c.log.push(FakeLine {
            stream: 2,
            ..line("2026-11-22T10:00:01.000000001Z", "imap two")
        });
    });
    let run = host.run(&["logs"]).expect_code(0);
    let texts: Vec<&str> = run
        .out
        .lines()
        .map(|line| line.rsplit("Z ").next().unwrap())
        .collect();
    assert_eq!(texts, ["imap one", "smtp one", "imap two", "smtp two"]);
    assert!(run.out.starts_with("imap "), "{}", run.out);
    let run = host.run(&["logs", "--tail", "2", "--json"]).expect_code(0);
    let entries: Vec<Value> = run
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(entries.len(), 2);
    assert_eq!(entries[0]["service"], "imap");
    assert_eq!(entries[1]["container"], "mailu_smtp");
    assert_eq!(entries[1]["text"], "smtp two");
    let run = host
        .run(&["logs", "mailu_smtp", "--since", "2026-11-22T10:00:01Z"])
        .expect_code(0);
    assert_eq!(run.out.lines().count(), 1, "{}", run.out);
    let coloured = host.run(&["logs", "--color", "always"]).expect_code(0);
    assert!(coloured.out.contains("\u{1b}["));
    let wrong = host.run(&["logs", "--since", "yesterday"]).expect_code(2);
    assert!(wrong.err.contains("10m"), "{}", wrong.err);
}

#[test]
fn logs_follow_containers_that_are_restarted_or_made_anew() {
    let host = Host::new();
    host.engine.change("mailu_smtp", |c| c.says("first"));
    let mut child = host
        .command(&["logs", "-f", "--json", "smtp"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || {
        let entry: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        entry["text"].as_str().unwrap().to_owned()
    };
    assert_eq!(next(), "first");
    host.engine.change("mailu_smtp", |c| c.says("second"));
    assert_eq!(next(), "second");
    // Stopped and started again, with a line in between.
    host.engine.change("mailu_smtp", |c| {
        c.says("last words");
        c.state = "exited";
    });
    assert_eq!(next(), "last words");
    host.engine.befall("smtp", Fate::Well);
    host.engine.change("mailu_smtp", |c| c.says("third"));
    assert_eq!(next(), "third");
    // Another container of the same service.
    let old = host.engine.container("mailu_smtp").unwrap();
    host.engine.remove("mailu_smtp");
    let mut new = FakeContainer::of("mailu", "smtp", &old.image);
    new.says("fourth");
    host.engine.add(new);
    assert_eq!(next(), "fourth");
    host.engine.change("mailu_smtp", |c| c.says("fifth"));
    assert_eq!(next(), "fifth");
    assert_eq!(interrupted(&mut child), 130);
}

#[test]
fn a_reader_that_goes_away_ends_the_logs() {
    let host = Host::new();
    host.engine.change("mailu_smtp", |c| c.says("first"));
    let mut child = host
        .command(&["logs", "-f"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < Duration::from_secs(20));
        host.engine.change("mailu_smtp", |c| c.says("more"));
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn an_unknown_service_is_answered_with_those_there_are() {
    let host = Host::new();
    for args in [
        &["logs", "stmp"][..],
        &["restart", "stmp"],
        &["start", "stmp"],
        &["stop", "stmp"],
        &["exec", "stmp", "--", "true"],
    ] {
        let run = host.run(args).expect_code(2);
        assert!(run.err.contains("did you mean `smtp`"), "{}", run.err);
        assert!(run.err.contains("antispam"), "{}", run.err);
        let json = host.run(&[args, &["--json"][..]].concat());
        if args[0] != "exec" {
            assert_eq!(
                json.expect_code(2).json()["error"]["code"],
                "service.unknown"
            );
        }
    }
    assert_eq!(
        host.engine
            .calls()
            .iter()
            .filter(|call| call.contains(" up "))
            .count(),
        0
    );
}

/// What each verb answers in each way of being: its exit status, and the code of its error.
#[test]
fn every_verb_works_in_every_way_of_being() {
    for way in &WAYS {
        for verb in ["start", "restart", "stop", "logs", "exec", "uninstall"] {
            for json in [false, true] {
                let host = (way.make)();
                let mut args = vec![verb];
                match verb {
                    "start" | "restart" => args.extend(["--wait", "1"]),
                    "exec" => {
                        host.engine
                            .program("smtp", &["true"], |_, _| Answer::out("fine\n"));
                    }
                    _ => {}
                }
                if json {
                    args.push("--json");
                }
                if verb == "exec" {
                    args.extend(["smtp", "--", "true"]);
                }
                let (code, error) = match (way.name, verb) {
                    ("no engine", _) => (2, "engine.unreachable"),
                    ("never started", "stop" | "uninstall") => (0, ""),
                    ("never started", _) => (2, "deployment.absent"),
                    ("killed", "exec") => (2, "service.not_running"),
                    // It stays as it is; starting does not help it.
                    ("unhealthy" | "looping", "start" | "restart") => (1, ""),
                    _ => (0, ""),
                };
                let run = host.run(&args);
                let what = format!("{verb} {json} {}\n{}\n{}", way.name, run.out, run.err);
                assert_eq!(run.code, code, "{what}");
                if json && !error.is_empty() {
                    assert_eq!(run.json()["error"]["code"], error, "{what}");
                } else if !error.is_empty() {
                    assert!(run.err.contains("hint:"), "{what}");
                } else if json && verb != "logs" {
                    assert!(run.json().is_object(), "{what}");
                }
                let log = std::fs::read_to_string(host.logs().join("mailu.log")).unwrap();
                assert!(log.contains(&format!("mail.example.com: {verb}")), "{log}");
                assert_eq!(log.contains("[ERROR]"), !error.is_empty(), "{log}");
                let there = host.engine.container("mailu_smtp");
                let state = there.map_or("", |there| there.state);
                match (code, verb) {
                    (0, "start" | "restart") => {
                        assert_eq!(state, "running", "{what}");
                        assert_eq!(host.status()["verdict"], "healthy", "{what}");
                    }
                    (0, "stop") if way.name != "never started" => {
                        assert_eq!(state, "exited", "{what}");
                        assert_eq!(host.status()["verdict"], "stopped", "{what}");
                    }
                    (0, "uninstall") => assert_eq!(state, "", "{what}"),
                    _ => {}
                }
            }
        }
    }
}

#[test]
fn every_verb_names_a_deployment_that_is_not_there() {
    let host = Host::new();
    for verb in [
        "status",
        "start",
        "restart",
        "stop",
        "logs",
        "exec",
        "uninstall",
    ] {
        let mut args = vec![verb, "--domain", "mail.example.org"];
        if verb == "exec" {
            args.extend(["smtp", "--", "true"]);
        }
        let run = host.run(&args).expect_code(2);
        assert!(
            run.err.contains("there are: mail.example.com"),
            "{}",
            run.err
        );
        args.insert(1, "--json");
        let run = host.run(&args).expect_code(2);
        assert_eq!(run.json()["error"]["code"], "deployment.not_found");
    }
}

/// Nobody has to wait for what goes on by itself.
#[test]
fn waiting_for_services_can_be_stopped() {
    let host = Host::new();
    host.engine.fate("smtp", Fate::Slow(100_000));
    let mut child = host
        .command(&["restart", "smtp", "--wait", "600"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let waits = lines.find(|line| line.as_ref().unwrap().contains("waiting for smtp"));
    assert!(waits.is_some());
    assert_eq!(interrupted(&mut child), 130);
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    assert!(
        rest.concat().contains("the same command continues"),
        "{rest:?}"
    );
    // It was ended by itself, not by the signal, and left nothing that keeps others out.
    host.engine.fate("smtp", Fate::Well);
    host.run(&["restart", "smtp"]).expect_code(0);
}

#[test]
fn one_service_is_restarted_alone_and_waited_for() {
    let host = Host::new();
    let before = host.engine.container("mailu_imap").unwrap().started;
    host.engine.fate("smtp", Fate::Slow(30));
    host.engine.take_calls();
    let run = host.run(&["restart", "smtp"]).expect_code(0);
    assert!(run.err.contains("waiting for smtp"), "{}", run.err);
    assert!(run.out.contains("ready"), "{}", run.out);
    let calls = host.engine.take_calls();
    let call = calls
        .iter()
        .find(|call| call.what.contains("restart"))
        .unwrap();
    assert_eq!(call.what, "docker compose --ansi never restart smtp");
    assert_eq!(call.directory, host.root.layout().directory());
    assert!(call.input.is_empty());
    assert_eq!(host.engine.container("mailu_imap").unwrap().started, before);

    // One that does not become ready is shown with its cause.
    host.engine.fate("smtp", Fate::Exits(1));
    let run = host.run(&["restart", "smtp", "--wait", "1"]).expect_code(1);
    assert!(
        run.out.contains("exit code 1") && run.out.contains("not ready"),
        "{}",
        run.out
    );
    // One that Docker refuses is an error with its words.
    host.engine.fate(
        "smtp",
        Fate::Refused("port is already allocated".to_owned()),
    );
    let run = host.run(&["restart", "smtp"]).expect_code(2);
    assert!(run.err.contains("port is already allocated"), "{}", run.err);
}

/// Docker knows the name of a running container only, and Postfix returns what it cannot find anybody for.
#[test]
fn postfix_is_away_while_front_is() {
    let host = Host::new();
    let said = |args: &[&str]| -> Vec<String> {
        host.engine.take_calls();
        host.run(args).expect_code(0);
        let calls = host.engine.take_calls();
        let compose = calls.iter().filter_map(|call| {
            let words = call.what.strip_prefix("docker compose --ansi never ")?;
            ["stop", "start", "restart"]
                .iter()
                .any(|verb| words.starts_with(verb))
                .then(|| words.to_owned())
        });
        compose.collect()
    };
    assert_eq!(
        said(&["restart", "front"]),
        ["stop smtp", "restart front", "start smtp"]
    );
    let all = said(&["restart"]);
    assert_eq!(
        all.first().map(String::as_str),
        Some("stop smtp"),
        "{all:?}"
    );
    assert_eq!(
        all.last().map(String::as_str),
        Some("start smtp"),
        "{all:?}"
    );
    assert!(
        !all[1].contains("smtp") && all[1].contains("front"),
        "{all:?}"
    );
    assert_eq!(said(&["stop", "front"]), ["stop front smtp"]);
}

#[test]
fn starting_makes_nothing_anew() {
    let host = Host::new();
    let ids = |host: &Host| -> Vec<String> {
        let all = host.engine.containers();
        all.iter()
            .map(|name| host.engine.container(name).unwrap().id)
            .collect()
    };
    let before = ids(&host);
    host.root
        .edit("mailu.env", "LOG_LEVEL=INFO", "LOG_LEVEL=DEBUG");
    host.run(&["stop"]).expect_code(0);
    let run = host.run(&["start"]).expect_code(0);
    assert_eq!(ids(&host), before);
    // And it says that what was changed does not count yet.
    assert!(
        run.err.contains("LOG_LEVEL") && run.err.contains("mailu"),
        "{}",
        run.err
    );
}

#[test]
fn failures_of_docker_and_compose_are_told() {
    let host = Host::new();
    host.engine
        .fail("compose --ansi never stop", 1, "something is broken");
    let run = host.run(&["stop"]).expect_code(2);
    assert!(run.err.contains("something is broken"), "{}", run.err);
    host.run(&["stop"]).expect_code(0);
    host.engine.compose(None);
    let run = host.run(&["start", "--json"]).expect_code(2);
    assert_eq!(run.json()["error"]["code"], "compose.missing");
    host.engine.compose(Some("2.36.2"));
    host.engine.version("20.10.0");
    host.engine.fail("GET /containers/json", 1, "out of order");
    let run = host.run(&["status"]).expect_code(1);
    assert!(run.err.contains("list the containers"), "{}", run.err);
    // An image that is missing and cannot be had.
    let host = Host::stopped();
    host.engine.registry(false);
    host.engine.add(FakeContainer::of(
        "mailu",
        "admin",
        "ghcr.io/mailu/admin:2024.06.57",
    ));
    let run = host.run(&["start"]).expect_code(2);
    assert!(
        run.err.contains("mailu_proxy") || run.err.contains("no such host"),
        "{}",
        run.err
    );
}

/// Services of the operator's own, in an override, are operated like the others.
#[test]
fn services_of_an_override_are_services() {
    let host = Host::new();
    host.root
        .write("docker-compose.override.yml", "services: {}\n");
    let mut own = FakeContainer::of("mailu", "exporter", "own/exporter:1");
    own.health = None;
    own.says("counting");
    host.engine.add(own);
    let report = host.run(&["status", "--json"]).expect_code(0).json();
    assert_eq!(service(&report, "exporter")["level"], "well");
    let ids = ids(&report);
    assert!(
        ids.contains(&"status.overridden") && !ids.contains(&"service.orphan"),
        "{ids:?}"
    );
    assert!(
        host.run(&["logs", "exporter"])
            .expect_code(0)
            .out
            .contains("counting")
    );
    std::fs::remove_file(host.root.file("docker-compose.override.yml")).unwrap();
    let report = host.run(&["status", "--json"]).expect_code(0).json();
    assert!(self::ids(&report).contains(&"service.orphan"));
    host.run(&["logs", "exporter"]).expect_code(2);
}

#[test]
fn smtp_never_runs_without_front() {
    let host = Host::new();
    host.run(&["stop"]).expect_code(0);
    let run = host.run(&["start", "smtp"]).expect_code(0);
    assert!(run.err.contains("starting front too"), "{}", run.err);
    assert_eq!(
        host.engine.container("mailu_front").unwrap().state,
        "running"
    );
    assert_eq!(host.engine.container("mailu_imap").unwrap().state, "exited");
}

#[test]
fn a_secret_that_a_service_logs_is_not_shown() {
    let host = Host::new();
    let secret = std::fs::read_to_string(host.root.layout().secret("secret_key")).unwrap();
    host.engine.change("mailu_admin", |c| {
        c.says(&format!("the key is {}", secret.trim()));
        c.state = "exited";
    });
    // `run` looks for secrets itself.
    assert!(host.run(&["logs", "admin"]).out.contains("the key is ***"));
    assert!(host.run(&["status"]).out.contains("the key is ***"));
}

#[test]
fn exec_passes_everything_through() {
    let host = Host::new();
    host.engine.program("smtp", &["cat"], |_, input| {
        Answer::out(&String::from_utf8_lossy(input))
    });
    host.engine.program("smtp", &["fail"], |args, _| {
        Answer::failed(7, &format!("{} is no good\n", args.join("|")))
    });
    let input = host.root.beside("input", "one\ntwo\n");
    let output = host
        .command(&["exec", "smtp", "--", "cat"])
        .stdin(std::fs::File::open(&input).unwrap())
        .output()
        .unwrap();
    assert_eq!(finished(output).expect_code(0).out, "one\ntwo\n");
    let run = host
        .run(&["exec", "smtp", "--", "fail", "--json", "a b"])
        .expect_code(7);
    assert!(
        run.err.contains("fail|--json|a b is no good"),
        "{}",
        run.err
    );
    let run = host
        .run(&["--json", "exec", "smtp", "--", "fail"])
        .expect_code(7);
    assert_eq!(run.json()["exit_code"], 7);
    assert!(run.json()["stderr"].as_str().unwrap().contains("no good"));
    let run = host
        .run(&["exec", "smtp", "fail", "-p", "--json"])
        .expect_code(7);
    assert!(run.err.contains("fail|-p|--json"), "{}", run.err);
    // Arguments stay out of the log.
    let log = std::fs::read_to_string(host.logs().join("mailu.log")).unwrap();
    assert!(
        log.contains("exec smtp fail: ended with exit code 7") && !log.contains("a b"),
        "{log}"
    );
}

#[test]
fn uninstall_keeps_what_is_precious_and_can_be_repeated() {
    let host = Host::new();
    host.engine.add({
        let mut traefik = FakeContainer::new("traefik", "traefik:v3.7.9");
        traefik
            .networks
            .insert("mailu_proxy".to_owned(), "10.203.255.64".to_owned());
        traefik
    });
    std::fs::write(host.root.file("data/mail/message"), "precious").unwrap();
    let before = host.root.read("mailu.toml");
    let run = host.run(&["uninstall"]).expect_code(0);
    assert_eq!(host.engine.containers(), ["traefik"]);
    assert_eq!(host.engine.networks(), ["bridge", "host", "mailu_proxy"]);
    assert!(run.out.contains("used by traefik"), "{}", run.out);
    assert!(run.out.contains("brings it back"), "{}", run.out);
    assert_eq!(host.root.read("data/mail/message"), "precious");
    assert_eq!(host.root.read("mailu.toml"), before);
    assert!(host.root.layout().secret("secret_key").exists());
    let list = host.run(&["list", "--json"]).expect_code(0).json();
    assert_eq!(list[0]["state"], "uninstalled");
    assert!(ids(&host.status()).contains(&"status.uninstalled"));
    let run = host.run(&["start"]).expect_code(2);
    assert!(run.err.contains("taken down by `mailu uninstall`") || run.err.contains("uninstall"));

    let again = host.run(&["uninstall", "--json"]).expect_code(0).json();
    assert_eq!(again["containers"], serde_json::json!([]));
    // The network goes when its last user has gone.
    host.engine.remove("traefik");
    let last = host.run(&["uninstall", "--json"]).expect_code(0).json();
    assert_eq!(last["networks"][0], "mailu_proxy");

    host.root.install();
    assert_eq!(
        host.run(&["list", "--json"]).json()[0]["state"],
        "installed"
    );
    host.engine.up(&host.root.layout().directory());
    assert_eq!(host.status()["verdict"], "healthy");
    assert_eq!(host.root.read("data/mail/message"), "precious");
}

#[test]
fn data_is_deleted_only_by_the_name_of_the_server() {
    let host = Host::new();
    host.engine.network(FakeNetwork {
        name: "other".to_owned(),
        ..FakeNetwork::default()
    });
    let snapshot = host.root.snapshot();
    for args in [
        &["uninstall", "--delete-data"][..],
        &[
            "uninstall",
            "--delete-data",
            "--yes-delete",
            "mail.example.org",
        ],
    ] {
        let run = host.run(args).expect_code(2);
        assert!(
            run.err.contains("--yes-delete mail.example.com"),
            "{}",
            run.err
        );
    }
    host.run(&["uninstall", "--yes-delete", "mail.example.com"])
        .expect_code(2);
    assert!(host.engine.container("mailu_smtp").is_some());
    snapshot.assert_same(&host.root.snapshot(), "nothing was confirmed");

    // A directory that lies elsewhere is not ours to delete.
    let elsewhere = host.root.beside("note", "x").with_file_name("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    std::fs::write(elsewhere.join("message"), "precious").unwrap();
    std::fs::remove_dir_all(host.root.file("data/mail")).unwrap();
    std::os::unix::fs::symlink(&elsewhere, host.root.file("data/mail")).unwrap();
    let delete = [
        "uninstall",
        "--domain",
        "mail.example.com",
        "--delete-data",
        "--yes-delete",
        "mail.example.com",
    ];
    let run = host.run(&delete).expect_code(0);
    assert!(
        run.out.contains(&elsewhere.display().to_string()),
        "{}",
        run.out
    );
    assert!(elsewhere.join("message").exists());
    assert!(!host.root.layout().directory().exists() && !host.root.layout().secrets().exists());
    assert!(host.engine.containers().is_empty());
    assert!(host.engine.networks().contains(&"other".to_owned()));
    assert_eq!(
        host.run(&["list", "--json"]).expect_code(0).json(),
        serde_json::json!([])
    );
    host.run(&delete).expect_code(0);
    host.root.install();
    assert_eq!(image_id("x").len(), 71);
}

#[test]
fn verbs_that_change_something_wait_for_each_other() {
    let host = Host::new();
    let lock = std::fs::File::open(host.root.layout().lock()).unwrap();
    lock.lock().unwrap();
    let mut child = host
        .command(&["restart", "smtp"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(600));
    assert!(child.try_wait().unwrap().is_none());
    assert!(
        !host
            .engine
            .calls()
            .iter()
            .any(|call| call.contains("restart"))
    );
    // Looking is not changing.
    host.run(&["status"]).expect_code(0);
    lock.unlock().unwrap();
    assert!(child.wait().unwrap().success());
}
