use std::collections::BTreeMap;

use super::*;
use crate::engine::{Health, State};
use crate::env::EnvFile;
use crate::restore::{Journal, Releases, Scope};

fn config() -> Config {
    Config::from_toml("mail_host = \"mail.example.com\"\nemail_domain = \"example.com\"\nadmin_email = \"admin@example.com\"\n")
        .expect("a valid configuration")
        .config
}

/// A deployment of which everything runs.
fn well() -> Observed {
    let config = config();
    let env =
        EnvFile::parse("DOMAIN=example.com\nSUBNET=10.0.0.0/24\n").expect("an environment file");
    let wanted = wanted(&config, &env, &EnvFile::default());
    let mut images = BTreeMap::new();
    let containers = wanted
        .iter()
        .map(|wanted| {
            let id = format!("sha256:{}", wanted.service);
            images.insert(wanted.image.clone(), Image::new(id.clone(), Vec::new()));
            let mut container = Container::new(&wanted.container, &wanted.image);
            container.service = Some(wanted.service.clone());
            container.image_id = id;
            container.health = Health::Healthy;
            container.environment.clone_from(&wanted.environment);
            container
                .labels
                .insert(compose::DEFINITION.to_owned(), wanted.definition.clone());
            container.started_at = Some("2026-11-22T10:00:00Z".to_owned());
            container
        })
        .collect();
    Observed {
        now: 1_800_000_000,
        installed: true,
        engine: Some("28.0.0".to_owned()),
        wanted,
        containers,
        images,
        disk: Some(Disk::new(100_000_000_000, 50_000_000_000)),
        queue: Some(Ok(Queue::default())),
        ..Observed::default()
    }
}

fn report(observed: &Observed) -> Report {
    judge(&config(), Addresses::default(), observed)
}

fn ids(report: &Report) -> Vec<&str> {
    report
        .findings
        .iter()
        .map(|finding| finding.id.as_str())
        .collect()
}

fn with(change: impl FnOnce(&mut Container)) -> Report {
    let mut observed = well();
    let smtp = observed
        .containers
        .iter_mut()
        .find(|one| one.name == "mailu_smtp")
        .expect("smtp");
    change(smtp);
    observed
        .last_lines
        .insert("mailu_smtp".to_owned(), vec!["fatal: no".to_owned()]);
    report(&observed)
}

#[test]
fn a_healthy_deployment_is_that() {
    let report = report(&well());
    assert_eq!(report.verdict, Verdict::Healthy);
    assert!(report.healthy);
    assert_eq!(ids(&report), ["backup.none"]);
    assert_eq!(report.well(), report.services.len());
}

#[test]
fn each_way_of_being_down_has_its_name_and_its_command() {
    type Change = fn(&mut Container);
    let all: [(Change, &str, &str); 6] = [
        (
            |c| {
                c.state = State::Exited;
                c.exit_code = Some(137);
            },
            "service.stopped",
            "killed",
        ),
        (
            |c| {
                c.state = State::Exited;
                c.out_of_memory = true;
            },
            "service.stopped",
            "memory",
        ),
        (
            |c| {
                c.state = State::Restarting;
                c.restarts = 9;
                c.exit_code = Some(1);
            },
            "service.looping",
            "9 times",
        ),
        (
            |c| {
                c.health = Health::Unhealthy;
                c.health_output = Some("no answer".to_owned());
            },
            "service.unhealthy",
            "health check fails",
        ),
        (
            |c| {
                c.state = State::Created;
                c.error = Some("port is already allocated".to_owned());
            },
            "service.stopped",
            "already allocated",
        ),
        (|c| c.state = State::Paused, "service.stopped", "paused"),
    ];
    for (change, id, words) in all {
        let report = with(change);
        assert_eq!(report.verdict, Verdict::Degraded, "{id}");
        assert!(!report.healthy);
        let finding = report.findings.first().expect("a finding");
        assert_eq!(finding.id, id);
        assert_eq!(finding.subject, "smtp");
        assert!(finding.message.contains(words), "{}", finding.message);
        assert!(!finding.hints.is_empty());
        let smtp = report.services.iter().find(|one| one.name == "smtp");
        let cause = smtp.and_then(|one| one.cause.as_ref()).expect("a cause");
        assert_eq!(cause.last_lines, ["fatal: no"]);
    }
}

#[test]
fn what_just_started_is_neither_well_nor_broken() {
    let starting = with(|c| c.health = Health::Starting);
    assert_eq!(starting.verdict, Verdict::Starting);
    assert!(!starting.healthy);
    let again = with(|c| {
        c.health = Health::Starting;
        c.restarts = 5;
    });
    assert_eq!(again.findings[0].id, "service.looping");
    let mut observed = well();
    for container in &mut observed.containers {
        container.health = Health::Starting;
        observed.ready.insert(container.name.clone());
    }
    assert_eq!(report(&observed).verdict, Verdict::Healthy);
}

#[test]
fn drift_is_told_by_image_name_identifier_and_variables_without_values() {
    let report = with(|c| {
        c.environment
            .insert("SUBNET".to_owned(), "geheim".to_owned());
    });
    assert!(report.healthy);
    let finding = report.findings.first().expect("a finding");
    assert_eq!(finding.id, "service.drift");
    assert!(finding.message.contains("variable SUBNET"));
    let text = serde_json::to_string(&report).unwrap_or_default();
    assert!(!text.contains("geheim") && !text.contains("10.0.0.0/24"));
    let drift = |report: &Report| {
        let smtp = report.services.iter().find(|one| one.name == "smtp");
        smtp.map(|one| one.drift.join("; ")).unwrap_or_default()
    };
    let old = with(|c| c.image = "ghcr.io/mailu/postfix:2024.06.1".to_owned());
    assert!(
        drift(&old).contains("2024.06.1 → ghcr.io"),
        "{}",
        drift(&old)
    );
    let moved = with(|c| c.image_id = "sha256:old".to_owned());
    assert!(drift(&moved).contains("another image"), "{}", drift(&moved));
}

#[test]
fn nothing_there_and_nobody_to_ask_are_told_apart() {
    let mut observed = well();
    observed.containers.clear();
    let absent = report(&observed);
    assert_eq!(absent.verdict, Verdict::Absent);
    assert_eq!(ids(&absent), ["status.absent", "backup.none"]);
    observed.uninstalled = true;
    assert_eq!(
        ids(&report(&observed)),
        ["status.uninstalled", "backup.none"]
    );
    observed.engine = None;
    observed.engine_error = Some(Finding::error("engine.unreachable", "x", "no"));
    let unknown = report(&observed);
    assert_eq!(unknown.verdict, Verdict::Unknown);
    assert!(!unknown.healthy && unknown.services.len() == observed.wanted.len());
    let mut observed = well();
    for container in &mut observed.containers {
        container.state = State::Exited;
    }
    let stopped = report(&observed);
    assert_eq!(stopped.verdict, Verdict::Stopped);
    assert_eq!(ids(&stopped), ["status.stopped", "backup.none"]);
}

#[test]
fn certificate_queue_disk_and_backups_have_their_limits() {
    let check = |change: fn(&mut Observed)| {
        let mut observed = well();
        observed.backups.age = Some(3600);
        change(&mut observed);
        let report = report(&observed);
        let all = ids(&report).join(" ");
        (all, report.healthy)
    };
    for (change, id, healthy) in [
        (
            (|o| {
                let layout = crate::paths::Layout::new("/r", None, config().mail_host);
                let mut report = certs::Report::new(&layout, &config());
                report.findings = vec![Finding::error("certs.ended", "x", "ended")];
                o.certificates = Some(report);
            }) as fn(&mut Observed),
            "certs.ended",
            false,
        ),
        (
            |o| o.overridden = Some("x is there".to_owned()),
            "status.overridden",
            true,
        ),
        (
            |o| o.queue = Some(Err("mail system is down".to_owned())),
            "queue.unreadable",
            false,
        ),
        (
            |o| {
                o.queue = Some(Ok(queue(
                    "{\"queue_name\":\"deferred\",\"arrival_time\":1799900000,\"recipients\":[]}",
                )));
            },
            "queue.old",
            true,
        ),
        (
            |o| o.disk = Some(Disk::new(100_000_000_000, 9_000_000_000)),
            "disk.short",
            true,
        ),
        (
            |o| o.disk = Some(Disk::new(100_000_000_000, 1_000_000)),
            "disk.full",
            false,
        ),
        (|o| o.backups.age = Some(400_000), "backup.old", true),
        (|o| o.interrupted = true, "status.interrupted", true),
        (
            |o| {
                o.restoring = Some(Journal::new("/a".into(), Scope::Everything, String::new()));
            },
            "restore.unfinished",
            false,
        ),
        (
            |o| {
                let releases = Releases::new("2024.06.55", "2024.06.57");
                o.restoring = Some(Journal::of_update("/a".into(), releases, String::new()));
            },
            "update.unfinished",
            false,
        ),
        (|o| o.installed = true, "", true),
    ] {
        assert_eq!(check(change), (id.to_owned(), healthy));
    }
}
