//! Each check, with facts that are well and facts that are not.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use super::*;
use crate::config::Via;
use crate::engine::{Container, Published, State};
use crate::network::{Reserved, draw};

const PROJECT_LABEL: &str = "com.docker.compose.project.working_dir";

fn config(more: &str) -> Config {
    let text = format!(
        "mail_host = \"mail.example.com\"\nemail_domain = \"example.com\"\nadmin_email = \"admin@example.com\"\n{more}"
    );
    let mut config = Config::from_toml(&text).expect("valid").config;
    draw(&mut config, &Reserved::default(), &[]).expect("room");
    config
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn at(text: &str) -> SocketAddr {
    text.parse().expect("an address and a port")
}

/// A Traefik that has everything.
fn traefik(config: &Config) -> Container {
    let mut container = Container::new("traefik", "traefik:v3.6.2");
    container.command = ["/entrypoint.sh".to_owned()]
        .into_iter()
        .chain(traefik::arguments(config))
        .collect();
    container.mounts = vec![
        ("/var/run/docker.sock".into(), "/var/run/docker.sock".into()),
        ("/srv/acme".into(), "/acme".into()),
    ];
    let ports: &[u16] = if config.via() == Via::Traefik {
        &[25, 80, 143, 443, 465, 587, 993, 995, 4190]
    } else {
        &[80, 443]
    };
    for &port in ports {
        container
            .published
            .push(Published::new(ip("0.0.0.0"), port, port));
    }
    container
        .networks
        .insert("mailu_proxy".into(), Some(ip("10.203.255.65")));
    container
}

/// A host on which nothing is wrong.
fn well(config: &Config) -> Facts {
    let mut engine = EngineFacts {
        version: "28.2.2".into(),
        log_drivers: vec!["json-file".into(), "journald".into(), "local".into()],
        directory: Some("/var/lib/docker".into()),
        ..EngineFacts::default()
    };
    let mut bridge = NetworkFacts::new("bridge", None, vec!["172.17.0.0/16".parse().unwrap()]);
    bridge.gateways = vec![ip("172.17.0.1")];
    let mut proxy = NetworkFacts::new(
        "mailu_proxy",
        None,
        vec!["10.203.255.0/24".parse().unwrap()],
    );
    proxy.gateways = vec![ip("10.203.255.1")];
    engine.networks = vec![bridge, proxy];
    if config.tls.mode.behind_traefik() {
        engine.containers = vec![traefik(config)];
    }
    let lookups = wanted_names(config)
        .into_iter()
        .map(|name| (name.to_string(), Lookup::found(vec![ip("203.0.113.5")])))
        .collect();
    let mut facts = Facts {
        directory: "/opt/agency_stack/mailu/mail.example.com".into(),
        privileged: true,
        compose: Some("2.36.2".into()),
        binds: wanted_ports(config, true)
            .into_iter()
            .map(|at| Bind::new(at, Taken::No))
            .collect(),
        // 203.0.113.0/24 counts as not public: it is for documentation.
        addresses: vec![ip("127.0.0.1"), ip("203.0.113.5"), ip("9.9.9.5")],
        lookups,
        memory: Some(8_000_000_000),
        disks: vec![
            Disk::new(Holds::Mail, "/opt", 1, 100_000_000_000),
            Disk::new(Holds::Images, "/var/lib/docker", 1, 100_000_000_000),
        ],
        dnssec: vec![DnsProbe::new(
            at("193.0.14.129:53"),
            Ok(DnsAnswer::new(true, false, true)),
        )],
        outbound: vec![MailProbe::new("gmail.com", Ok("220 mx ESMTP".into()))],
        journal: true,
        engine: Some(Ok(engine)),
        ..Facts::default()
    };
    with_traefik(config, &mut facts);
    facts
}

/// Looks at Traefik as the host does.
fn with_traefik(config: &Config, facts: &mut Facts) {
    let Some(Ok(engine)) = &facts.engine else {
        return;
    };
    facts.traefik = traefik::find(config, &engine.containers).map(|container| {
        TraefikFacts::new(
            container.clone(),
            Ok(traefik::Settings::of_container(container)),
        )
    });
}

fn engine_of(facts: &mut Facts) -> &mut EngineFacts {
    facts
        .engine
        .as_mut()
        .expect("asked")
        .as_mut()
        .expect("answered")
}

const STORE: &str = "[traefik]\nacme_store = \"/srv/acme/acme.json\"\n";
const PUBLISHED: &str = "[tls]\nmode = \"letsencrypt\"\n";

/// Severity, identifier and subject of everything found on a host that is well but for `change`.
fn found(more: &str, change: impl FnOnce(&Config, &mut Facts)) -> Vec<Finding> {
    let config = config(more);
    let mut facts = well(&config);
    change(&config, &mut facts);
    let report = judge(&config, &facts, &Options::default());
    for finding in &report.findings {
        assert!(!finding.hints.is_empty(), "no fix: {finding}");
        assert!(finding.message.len() > 10, "no evidence: {finding}");
    }
    assert_eq!(report.ready, !has_errors(&report.findings));
    report.findings
}

/// As [`found`], in short.
fn short(more: &str, change: impl FnOnce(&Config, &mut Facts)) -> Vec<String> {
    found(more, change)
        .iter()
        .map(|finding| format!("{} {}", finding.severity, finding.id))
        .collect()
}

/// The only finding.
fn only(more: &str, change: impl FnOnce(&Config, &mut Facts)) -> Finding {
    let mut all = found(more, change);
    assert_eq!(all.len(), 1, "{all:#?}");
    all.remove(0)
}

#[test]
fn nothing_is_found_where_nothing_is_wrong() {
    for more in [
        STORE,
        PUBLISHED,
        "[tls]\nmode = \"passthrough\"\n",
        "[ports]\nvia = \"published\"\naddress = \"203.0.113.5\"\n[traefik]\nacme_store = \"/srv/acme/acme.json\"\n",
        "[tls]\nmode = \"none\"\n",
    ] {
        assert_eq!(short(more, |_, _| ()), [""; 0], "{more}");
    }
    let config = config(STORE);
    let report = judge(&config, &well(&config), &Options::default());
    // Traefik has the ports: there are none to try.
    assert_eq!(report.checks.len(), CHECKS.len() - 1);
    assert!(
        report
            .checks
            .iter()
            .all(|check| check.outcome == Outcome::Passed)
    );
    assert!(report.refusal().is_ok());
}

#[test]
fn everything_is_found_at_once_and_each_check_can_be_skipped() {
    let config = config("");
    let mut facts = Facts {
        engine: Some(Err("nobody listens".into())),
        memory: Some(500_000_000),
        binds: vec![Bind::new(at("0.0.0.0:25"), Taken::Yes)],
        disks: vec![Disk::new(Holds::Mail, "/opt", 1, 1)],
        outbound: vec![MailProbe::new(
            "gmail.com",
            Err(Unanswered::Unreached("no answer in time".into())),
        )],
        ..Facts::default()
    };
    facts
        .lookups
        .insert("mail.example.com".into(), Lookup::Absent);
    let report = judge(&config, &facts, &Options::default());
    let failed: Vec<&str> = report
        .checks
        .iter()
        .filter(|check| check.outcome == Outcome::Failed)
        .map(|check| check.id.trim_start_matches("preflight."))
        .collect();
    assert_eq!(
        failed,
        [
            "root", "engine", "compose", "ports", "names", "memory", "disk", "dnssec"
        ]
    );
    let error = report.refusal().expect_err("it cannot start");
    assert_eq!(error.code(), "preflight.failed");
    assert_eq!(error.all_findings(), report.findings);
    assert!(error.hints()[0].contains("--skip-check preflight.root --skip-check preflight.engine"));

    let options = Options {
        skip: CHECKS
            .iter()
            .filter(|check| check.skippable)
            .map(|check| check.id.to_owned())
            .collect(),
        ..Options::default()
    };
    assert!(options.known().is_ok());
    let report = judge(&config, &facts, &options);
    assert!(report.ready);
    assert_eq!(report.skipped, options.skip);
    assert!(
        report
            .findings
            .iter()
            .all(|finding| finding.id == "preflight.skipped")
    );
}

#[test]
fn an_installed_deployment_is_not_refused_for_what_others_answer() {
    let config = config(STORE);
    let mut facts = well(&config);
    for lookup in facts.lookups.values_mut() {
        *lookup = Lookup::Failed("no answer in time".into());
    }
    facts
        .lookups
        .insert("mail.example.com".into(), Lookup::Absent);
    facts.dnssec = vec![DnsProbe::new(at("193.0.14.129:53"), Err("no route".into()))];
    let report = judge(&config, &facts, &Options::default());
    assert!(!report.ready);
    let installed = report.clone().of_installed();
    assert!(installed.ready && installed.refusal().is_ok());
    let gist = |report: &Report| -> Vec<(String, String)> {
        let all = report.findings.iter();
        let mut all: Vec<_> = all
            .map(|one| (one.id.clone(), one.message.clone()))
            .collect();
        all.sort();
        all
    };
    assert_eq!(gist(&report), gist(&installed));
    let outcome = |id: &str| installed.checks.iter().find(|check| check.id == id);
    for id in ["preflight.names", "preflight.dnssec"] {
        assert_eq!(
            outcome(id).map(|check| check.outcome),
            Some(Outcome::Warned)
        );
    }

    // What is wrong here is wrong there too.
    facts.memory = Some(500_000_000);
    let report = judge(&config, &facts, &Options::default()).of_installed();
    assert_eq!(report.findings[0].id, "preflight.memory");
    assert!(report.refusal().is_err());
}

#[test]
fn an_unknown_check_is_answered_with_those_that_there_are() {
    let with = |id: &str| {
        let mut options = Options::default();
        options.skip.insert(id.to_owned());
        options.known().expect_err("unknown")
    };
    let error = with("preflight.port");
    assert_eq!(error.code(), "preflight.unknown_check");
    assert!(error.hints()[0].contains("--skip-check preflight.ports"));
    assert!(error.hints()[1].contains("preflight.root, "));
    let never = with("preflight.fleet");
    assert!(never.to_string().contains("never skipped"), "{never}");
    assert!(!never.hints().join(" ").contains("preflight.fleet"));
}

#[test]
fn identifiers_are_unique_and_stable() {
    let ids: BTreeSet<&str> = CHECKS.iter().map(|check| check.id).collect();
    assert_eq!(ids.len(), CHECKS.len());
    assert!(ids.iter().all(|id| id.starts_with("preflight.")));
}

#[test]
fn versions_are_numbers_before_anything_else() {
    for (text, numbers) in [
        ("28.2.2", Some((28, 2, 2))),
        ("20.10.24+dfsg1", Some((20, 10, 24))),
        ("v3.6", Some((3, 6, 0))),
        ("v3", Some((3, 0, 0))),
        ("26.1.3-rc1", Some((26, 1, 3))),
        ("latest", None),
        ("", None),
    ] {
        assert_eq!(version(text), numbers, "{text}");
    }
}

#[test]
fn old_and_broken_engines_are_refused_with_the_reason() {
    for (version, part) in [
        ("18.09.1", "too old"),
        ("24.0.0", "drops the mark"),
        ("26.1.3", "dns"),
    ] {
        let finding = only(STORE, |_, facts| engine_of(facts).version = version.into());
        assert_eq!(finding.id, "preflight.engine");
        assert!(finding.message.contains(part), "{finding}");
    }
    for version in ["19.03.0", "20.10.24+dfsg1", "24.0.1", "26.1.4"] {
        assert_eq!(
            short(STORE, |_, facts| engine_of(facts).version = version.into()),
            [""; 0]
        );
    }
    assert!(
        only(STORE, |_, facts| engine_of(facts).remote =
            Some("tcp://192.0.2.8:2375".into()))
        .message
        .contains("another host")
    );
    assert_eq!(
        short(STORE, |_, facts| {
            engine_of(facts).version = "29.1.0".into();
            facts.compose = Some("1.29.2".into());
        }),
        ["error preflight.compose"]
    );
    let podman = only(STORE, |_, facts| {
        engine_of(facts).other = Some("Podman Engine".into());
    });
    assert!(podman.message.contains(".dockerenv"));
    assert!(
        only(STORE, |_, facts| engine_of(facts).rootless = true)
            .message
            .contains("1024")
    );
    assert_eq!(
        short(STORE, |_, facts| facts.engine = Some(Err("gone".into()))),
        ["error preflight.engine"]
    );
}

#[test]
fn compose_of_both_series_from_where_it_reads_our_file() {
    for (version, expected) in [
        (Some("1.26.2"), "error"),
        (Some("1.27.0"), "notice"),
        (Some("1.29.2"), "notice"),
        (Some("2.0.1"), ""),
        (Some("5.0.0"), ""),
        (None, "error"),
    ] {
        let all = short(STORE, |_, facts| facts.compose = version.map(str::to_owned));
        let wanted: Vec<String> = (!expected.is_empty())
            .then(|| format!("{expected} preflight.compose"))
            .into_iter()
            .collect();
        assert_eq!(all, wanted, "{version:?}");
    }
}

#[test]
fn logging_needs_a_driver_that_is_there() {
    let journald = format!("{STORE}[logs]\ndriver = \"journald\"\n");
    assert_eq!(short(&journald, |_, _| ()), [""; 0]);
    assert_eq!(
        short(&journald, |_, facts| facts.journal = false),
        ["error preflight.logs"]
    );
    let finding = only(STORE, |_, facts| {
        engine_of(facts).log_drivers = vec!["local".into(), "syslog".into()];
    });
    assert!(finding.message.contains("local, syslog"), "{finding}");
}

#[test]
fn rights_memory_and_room() {
    const GB: u64 = 1_000_000_000;
    assert_eq!(
        short(STORE, |_, facts| facts.privileged = false),
        ["error preflight.root"]
    );
    assert_eq!(
        short(STORE, |_, facts| facts.memory = Some(800_000_000)),
        ["error preflight.memory"]
    );
    // What settling the configuration has found is shown here.
    let clamav = only(STORE, |_, facts| {
        facts.settled = vec![
            Finding::error(
                "host.memory",
                "services.antivirus",
                "needs 3.0 GB, and this host has 2.0 GB",
            )
            .hint("do without it"),
        ];
    });
    assert_eq!(clamav.id, "host.memory");
    let disk = |mail: u64, images: u64, together: bool| {
        short(STORE, |_, facts| {
            facts.disks[0].free = mail;
            facts.disks[1].free = images;
            facts.disks[1].device = if together { 1 } else { 2 };
        })
    };
    assert_eq!(disk(50 * GB, 50 * GB, false), [""; 0]);
    assert_eq!(disk(GB / 2, 50 * GB, false), ["error preflight.disk"]);
    assert_eq!(disk(50 * GB, 3 * GB, false), ["error preflight.disk"]);
    assert_eq!(disk(GB / 2, 3 * GB, false), ["error preflight.disk"; 2]);
    assert_eq!(disk(50 * GB, 6 * GB, false), ["warning preflight.disk"]);
    // 4.5 GB are enough for either, and not for both.
    assert_eq!(disk(9 * GB / 2, 9 * GB / 2, true), ["error preflight.disk"]);
    let inodes = only(STORE, |_, facts| facts.disks[0].free_files = Some(900));
    assert!(inodes.message.contains("900"), "{inodes}");
    // A deployment that runs already has its images.
    let running = short(STORE, |config, facts| {
        let mut front = Container::new("mailu_front", "x");
        front.project = Some(config.project_name());
        engine_of(facts).containers.push(front);
        facts.disks[1].free = 2 * GB;
        facts.disks[0].free = 2 * GB;
    });
    assert_eq!(running, [""; 0]);
}

#[test]
fn whoever_has_a_port_is_named() {
    let take = |facts: &mut Facts, port: u16| {
        for bind in &mut facts.binds {
            if bind.at.port() == port {
                bind.taken = Taken::Yes;
            }
        }
    };
    let process = only(PUBLISHED, |_, facts| {
        take(facts, 25);
        facts.listeners = vec![
            Listener::new(at("127.0.0.1:9925"), Some(("other".into(), 1)), None),
            Listener::new(at("127.0.0.1:25"), Some(("exim4".into(), 812)), None),
        ];
    });
    assert_eq!(process.subject, "port 25");
    assert!(process.message.contains("exim4 (process 812)"), "{process}");
    assert!(process.hints[0].contains("systemctl disable --now exim4"));
    // A socket for every IPv6 address has IPv4 too.
    let dual = only(PUBLISHED, |_, facts| {
        take(facts, 80);
        take(facts, 443);
        for port in [80, 443] {
            facts.listeners.push(Listener::new(
                SocketAddr::new(ip("::"), port),
                Some(("apache2".into(), 7)),
                None,
            ));
        }
    });
    assert_eq!(dual.subject, "port 80 and 443");
    let container = only(PUBLISHED, |_, facts| {
        let mut nginx = Container::new("web", "nginx:1");
        nginx.published = vec![Published::new(ip("192.0.2.1"), 443, 443)];
        engine_of(facts).containers = vec![nginx];
    });
    assert!(
        container.message.contains("container web (image nginx:1)"),
        "{container}"
    );
    assert_eq!(
        container.hints[0],
        "stop it if it is not needed: `docker stop web`"
    );
    // In the network of the host: its process tells.
    let in_host = only(PUBLISHED, |_, facts| {
        take(facts, 993);
        let mut other = Container::new("dovecot", "mail:1");
        other.id = "ab".repeat(32);
        engine_of(facts).containers = vec![other];
        facts.listeners = vec![Listener::new(
            at("0.0.0.0:993"),
            Some(("dovecot".into(), 9)),
            Some("ab".repeat(32)),
        )];
    });
    assert!(in_host.message.contains("container dovecot"), "{in_host}");
    let unseen = only(PUBLISHED, |_, facts| take(facts, 4190));
    assert!(unseen.hints[0].contains("ss -ltnp 'sport = :4190'"));
}

#[test]
fn what_does_not_collide_is_free() {
    // Our own containers, others that are stopped, and ports on other addresses.
    let own = "[tls]\nmode = \"letsencrypt\"\n[ports]\naddress = \"203.0.113.5\"\n";
    let free = short(own, |config, facts| {
        for bind in &mut facts.binds {
            bind.taken = if bind.at.port() == 25 {
                Taken::Yes
            } else {
                Taken::No
            };
        }
        let mut front = Container::new("mailu_front", "x");
        front.project = Some(config.project_name());
        front
            .labels
            .insert(PROJECT_LABEL.into(), facts.directory.display().to_string());
        front.published = vec![Published::new(ip("203.0.113.5"), 25, 25)];
        let mut stopped = Container::new("old", "x");
        stopped.state = State::Exited;
        stopped.published = vec![Published::new(ip("0.0.0.0"), 443, 443)];
        let mut beside = Container::new("beside", "x");
        beside.published = vec![
            Published::new(ip("192.0.2.9"), 443, 443),
            Published::new(ip("0.0.0.0"), 8443, 443),
        ];
        engine_of(facts).containers = vec![front, stopped, beside];
        facts.listeners = vec![Listener::new(
            at("203.0.113.5:25"),
            Some(("docker-proxy".into(), 3)),
            None,
        )];
    });
    assert_eq!(free, [""; 0]);
    let elsewhere = only(own, |_, facts| {
        for bind in &mut facts.binds {
            bind.taken = Taken::Elsewhere;
        }
    });
    assert_eq!(elsewhere.subject, "ports.address");
    assert!(elsewhere.message.contains("9.9.9.5"), "{elsewhere}");
}

#[test]
fn ports_are_those_that_will_be_published() {
    let wanted = |more: &str, there: bool| {
        wanted_ports(&config(more), there)
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(wanted("", true), "");
    assert!(wanted("", false).starts_with("0.0.0.0:25 0.0.0.0:80 0.0.0.0:143 0.0.0.0:443"));
    let own = "[ports]\nvia = \"published\"\naddress = \"127.0.0.2\"\nmail = [25, 993]\n";
    assert_eq!(wanted(own, true), "127.0.0.2:25 127.0.0.2:993");
    assert_eq!(
        wanted(own, false),
        "0.0.0.0:80 0.0.0.0:443 127.0.0.2:25 127.0.0.2:993"
    );
    let six = "[tls]\nmode = \"letsencrypt\"\n[ports]\nmail = [25]\naddress6 = \"::\"\n[network]\nipv6 = true\n";
    assert_eq!(
        wanted(six, true),
        "0.0.0.0:25 0.0.0.0:80 0.0.0.0:443 [::]:25 [::]:80 [::]:443"
    );
}

fn names(more: &str, lookup: Lookup) -> Vec<Finding> {
    found(more, |_, facts| {
        facts.lookups = BTreeMap::from([("mail.example.com".to_owned(), lookup)]);
    })
}

/// A name that only a policy needs keeps nothing else from working.
#[test]
fn the_name_of_the_mta_sts_policy_is_looked_up_too() {
    let more =
        format!("{STORE}\n[mta_sts]\nmode = \"testing\"\n[tls_rpt]\nrua = [\"t@example.com\"]");
    let all = found(&more, |_, facts| {
        let name = "mta-sts.example.com".to_owned();
        assert!(facts.lookups.contains_key(&name));
        facts.lookups.insert(name, Lookup::Absent);
    });
    assert_eq!(all.len(), 1, "{all:#?}");
    assert_eq!(all[0].severity, Severity::Warning);
    assert!(
        all[0].message.contains("MTA-STS policy") && all[0].hints[1].contains("mta_sts.mode=off"),
        "{all:#?}"
    );
}

#[test]
fn names_have_to_lead_here() {
    let one = |more: &str, lookup: Lookup| {
        let mut all = names(more, lookup);
        assert_eq!(all.len(), 1, "{all:#?}");
        all.remove(0)
    };
    let here = || Lookup::found(vec![ip("203.0.113.5")]);
    let there = || Lookup::found(vec![ip("8.8.8.8")]);
    assert_eq!(names(STORE, here()), []);
    let absent = one(STORE, Lookup::Absent);
    assert_eq!(absent.severity, Severity::Error);
    assert_eq!(absent.hints[0], "publish: `mail.example.com. A 9.9.9.5`");
    assert_eq!(one(STORE, Lookup::found(vec![])).severity, Severity::Error);
    let elsewhere = one(STORE, there());
    assert_eq!(elsewhere.severity, Severity::Error);
    assert_eq!(elsewhere.value.as_deref(), Some("8.8.8.8"));
    // Somebody has said that this is our address.
    let told = format!("{STORE}[dns]\nipv4 = \"8.8.8.8\"\n");
    assert_eq!(names(&told, there()), []);
    let both = one(STORE, Lookup::found(vec![ip("203.0.113.5"), ip("8.8.8.8")]));
    assert_eq!(both.severity, Severity::Warning);
    assert!(both.message.contains("8.8.8.8 besides"), "{both}");
    let failed = one(
        STORE,
        Lookup::Failed("192.0.2.53:53: no answer in time".into()),
    );
    assert_eq!(failed.severity, Severity::Warning);
    let alias = one(
        STORE,
        Lookup::Found {
            addresses: vec![ip("203.0.113.5")],
            alias: Some("host.example.net".into()),
        },
    );
    assert!(alias.message.contains("CNAME"), "{alias}");
    // Without ACME, mail may start before the name is there.
    let cert = "[tls]\nmode = \"cert\"\ncertificate = \"/c\"\nkey = \"/k\"\n";
    assert_eq!(one(cert, Lookup::Absent).severity, Severity::Warning);
    // Names for automatic setup are not worth refusing.
    let setup = only(STORE, |_, facts| {
        facts
            .lookups
            .insert("autoconfig.example.com".into(), Lookup::Absent);
    });
    assert_eq!(setup.severity, Severity::Warning);
    assert!(setup.hints[1].contains("dns.autoconfig=false"));
}

#[test]
fn behind_a_router_nobody_can_tell() {
    let nat = |more: &str, address: &str| {
        found(more, |_, facts| {
            facts.addresses = vec![ip("127.0.0.1"), ip("192.168.1.5")];
            facts.lookups = BTreeMap::from([(
                "mail.example.com".to_owned(),
                Lookup::found(vec![ip(address)]),
            )]);
        })
    };
    let found = nat(STORE, "8.8.8.8");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].severity, Severity::Warning);
    assert!(found[0].hints[0].contains("dns.ipv4=8.8.8.8"), "{found:?}");
    let told = format!("{STORE}[dns]\nipv4 = \"9.9.9.9\"\n");
    assert_eq!(nat(&told, "8.8.8.8")[0].severity, Severity::Error);
    assert_eq!(nat(&told, "9.9.9.9"), []);
    assert_eq!(nat(STORE, "192.168.1.5"), []);
}

#[test]
fn a_name_leads_to_the_address_on_which_mail_is_published() {
    let own = "[tls]\nmode = \"letsencrypt\"\n[ports]\naddress = \"9.9.9.5\"\n";
    assert_eq!(names(own, Lookup::found(vec![ip("9.9.9.5")])), []);
    let other = names(own, Lookup::found(vec![ip("203.0.113.5")]));
    assert_eq!(other.len(), 1);
    assert!(
        other[0].message.contains("published on 9.9.9.5"),
        "{other:?}"
    );
}

#[test]
fn dnssec_as_the_resolver_needs_it() {
    let probe = |answer: Result<DnsAnswer, String>| {
        short(STORE, |_, facts| {
            facts.dnssec = vec![
                DnsProbe::new(at("193.0.14.129:53"), answer.clone()),
                DnsProbe::new(at("199.7.83.42:53"), answer),
            ];
        })
    };
    let error = ["error preflight.dnssec"];
    assert_eq!(probe(Ok(DnsAnswer::new(true, false, true))), [""; 0]);
    assert_eq!(probe(Err("no answer in time".into())), error);
    assert_eq!(probe(Ok(DnsAnswer::new(true, false, false))), error);
    // A resolver in between answers with signatures, and not as the root itself.
    assert_eq!(probe(Ok(DnsAnswer::new(false, true, true))), error);
    let one_is_enough = short(STORE, |_, facts| {
        facts.dnssec.push(DnsProbe::new(
            at("1.2.3.4:53"),
            Err("no answer in time".into()),
        ));
    });
    assert_eq!(one_is_enough, [""; 0]);

    let own = format!("{STORE}[services]\nresolver = false\n");
    let asked = |answers: Vec<Result<DnsAnswer, String>>| {
        short(&own, |_, facts| {
            facts.dnssec = answers
                .into_iter()
                .map(|answer| DnsProbe::new(at("192.0.2.53:53"), answer))
                .collect();
        })
    };
    let good = || Ok(DnsAnswer::new(false, true, true));
    assert_eq!(asked(vec![good(), good()]), [""; 0]);
    // Admin asks each of them.
    assert_eq!(
        asked(vec![good(), Ok(DnsAnswer::new(false, false, true))]),
        error
    );
    assert_eq!(asked(vec![Err("nobody listens there".into())]), error);
    assert_eq!(asked(vec![]), error);
}

#[test]
fn a_closed_way_out_is_a_warning_with_a_relay() {
    let answers = |more: &str, answers: Vec<Result<String, Unanswered>>| {
        found(more, |_, facts| {
            facts.outbound = answers
                .into_iter()
                .map(|answer| MailProbe::new("gmail.com", answer))
                .collect();
        })
    };
    let closed = || Err(Unanswered::Unreached("no answer in time".into()));
    let found = answers(STORE, vec![closed(), closed()]);
    assert_eq!(found[0].severity, Severity::Warning);
    assert!(found[0].hints[1].contains("relay.host=[smtp.example.net]:587"));
    assert_eq!(answers(STORE, vec![closed(), Ok("220 hi".into())]), []);
    let odd = answers(STORE, vec![Ok("554 go away".into())]);
    assert!(odd[0].message.contains("554 go away"), "{odd:?}");
    let unresolved = answers(STORE, vec![Err(Unanswered::Unresolved("no name".into()))]);
    assert!(unresolved[0].message.contains("could not be tried"));
    let relay = format!("{STORE}[relay]\nhost = \"[smtp.example.net]:587\"\n");
    assert_eq!(answers(&relay, vec![closed()])[0].subject, "relay.host");
    assert_eq!(
        relay_target(&config(&relay)),
        Some(("smtp.example.net".into(), 587, false))
    );
    let by_mx = format!("{STORE}[relay]\nhost = \"example.net\"\n");
    assert_eq!(
        relay_target(&config(&by_mx)),
        Some(("example.net".into(), 25, true))
    );
    assert_eq!(relay_target(&config(STORE)), None);
}

#[test]
fn names_and_networks_of_others() {
    let foreign = only(STORE, |_, facts| {
        engine_of(facts)
            .containers
            .push(Container::new("mailu_smtp", "postfix:1"));
    });
    assert_eq!(foreign.subject, "container mailu_smtp");
    assert!(foreign.hints[0].contains("docker rm -f mailu_smtp"));
    let elsewhere = only(STORE, |_, facts| {
        let mut front = Container::new("mailu_front", "x");
        front.project = Some("mailu".into());
        front
            .labels
            .insert(PROJECT_LABEL.into(), "/srv/old mailu".into());
        engine_of(facts).containers.push(front);
    });
    assert!(elsewhere.hints[1].contains("cd '/srv/old mailu' && docker compose down"));
    let network = only(STORE, |_, facts| {
        engine_of(facts).networks.push(NetworkFacts::new(
            "shop_default",
            Some("shop".into()),
            vec!["10.203.0.0/16".parse().unwrap()],
        ));
    });
    assert!(network.subject.starts_with("network.subnet, "), "{network}");
    assert!(
        network.hints[0].contains("network.subnet network."),
        "{network:?}"
    );
    assert!(
        network
            .message
            .contains("`shop_default` of the Compose project shop"),
        "{network}"
    );
    let own = short(STORE, |config, facts| {
        engine_of(facts).networks.push(NetworkFacts::new(
            "mailu_default",
            Some(config.project_name()),
            vec![config.network.subnet.unwrap().into()],
        ));
    });
    assert_eq!(own, [""; 0]);
    let interface = only(STORE, |_, facts| facts.addresses.push(ip("10.203.0.9")));
    assert!(interface.message.contains("10.203.0.9"), "{interface}");
    let fleet = short(STORE, |_, facts| {
        facts.settled = vec![
            Finding::error(
                "fleet.project",
                "project",
                "is the container prefix of another",
            )
            .hint("x"),
            Finding::warning("web.something", "web", "that is told by planning").hint("x"),
        ];
    });
    assert_eq!(fleet, ["error fleet.project"]);
}

#[test]
fn where_connections_seem_to_come_from() {
    let rules = |facts: &mut Facts| facts.daemon.iptables = Some(false);
    assert_eq!(
        short(STORE, |_, facts| rules(facts)),
        ["error preflight.open_relay"]
    );
    let stranger = only(STORE, |_, facts| {
        let mut shop = Container::new("shop", "x");
        shop.networks
            .insert("mailu_default".into(), Some(ip("10.203.0.9")));
        engine_of(facts).containers.push(shop);
    });
    assert!(stranger.hints[0].contains("docker network disconnect mailu_default shop"));
    let relay = format!("{STORE}[relay]\nnetworks = [\"172.17.0.0/16\"]\n");
    let gateway = only(&relay, |_, _| ());
    assert!(gateway.message.contains("172.17.0.1"), "{gateway}");
    assert_eq!(
        short(&relay, |_, facts| facts.daemon.userland_proxy = Some(false)),
        [""; 0]
    );
    let six = "[tls]\nmode = \"letsencrypt\"\n[ports]\naddress6 = \"::\"\n[network]\nipv6 = true\n";
    assert_eq!(short(six, |_, _| ()), [""; 0]);
    assert_eq!(
        short(six, |_, facts| facts.daemon.ip6tables = Some(false)),
        ["error preflight.open_relay"]
    );
    let old = |told: Option<bool>| {
        short(six, |_, facts| {
            facts.daemon.ip6tables = told;
            facts.settled = vec![
                Finding::warning(
                    "engine.ipv6",
                    "network.ipv6",
                    "is on, and Docker 26 hides clients",
                )
                .hint("x"),
            ];
        })
    };
    assert_eq!(old(None), ["warning engine.ipv6"]);
    assert_eq!(old(Some(true)), [""; 0]);
}

/// Changes Traefik's container.
fn traefik_with(more: &str, change: impl FnOnce(&mut Container)) -> Vec<Finding> {
    found(more, |config, facts| {
        change(&mut engine_of(facts).containers[0]);
        with_traefik(config, facts);
    })
}

fn without(container: &mut Container, part: &str) {
    let before = container.command.len();
    container.command.retain(|word| !word.contains(part));
    assert_ne!(before, container.command.len(), "{part}");
}

#[test]
fn no_traefik_is_answered_with_the_arguments_of_one() {
    let none = only(STORE, |_, facts| {
        engine_of(facts).containers.clear();
        facts.traefik = None;
    });
    assert_eq!(none.id, "preflight.traefik");
    assert!(none.hints[0].contains("--with-deps"));
    for part in [
        "--entryPoints.smtp.address=:25",
        "--certificatesResolvers.letsencrypt.acme.storage=",
        "25:25",
    ] {
        assert!(none.hints[1].contains(part), "{none:?}");
    }
}

#[test]
fn traefik_is_found_whatever_it_is_called() {
    let config = config("");
    let named = |name: &str, image: &str| Container::new(name, image);
    let mut by_label = named("proxy", "registry.example.net/edge:4");
    by_label
        .labels
        .insert("org.opencontainers.image.title".into(), "Traefik".into());
    let mut by_program = named("p", "edge:4");
    by_program.command = vec!["/usr/local/bin/traefik".into(), "--ping".into()];
    for container in [
        named("a", "traefik"),
        named("a", "docker.io/library/traefik:v3.6@sha256:00"),
        by_label,
        by_program,
    ] {
        let all = [
            named("b", "ldez/traefik-certs-dumper:v2"),
            named("c", "traefik/whoami"),
            container,
        ];
        assert!(traefik::find(&config, &all).is_some(), "{all:?}");
        assert!(traefik::find(&config, &all[..2]).is_none());
    }
    // The one in the shared network, if there are two.
    let mut right = named("right", "traefik:v3");
    right.networks.insert("mailu_proxy".into(), None);
    let mut stopped = right.clone();
    stopped.name = "stopped".into();
    stopped.state = State::Exited;
    let all = [stopped, right, named("left", "traefik:v3")];
    assert_eq!(
        traefik::find(&config, &all).map(|c| c.name.as_str()),
        Some("right")
    );
}

#[test]
fn traefik_runs_is_new_enough_and_sees_containers() {
    let one = |change: fn(&mut Container)| {
        let mut all = traefik_with(STORE, change);
        assert_eq!(all.len(), 1, "{all:#?}");
        assert_eq!(all[0].id, "preflight.traefik");
        all.remove(0)
    };
    assert!(one(|c| c.state = State::Exited).hints[0].contains("docker start traefik"));
    assert!(
        one(|c| c.image = "traefik:v2.10.7".into())
            .message
            .contains("2.11")
    );
    assert!(
        one(|c| c.image = "traefik:1.7".into())
            .message
            .contains("too old")
    );
    assert!(
        one(|c| {
            without(c, "providers.docker");
        })
        .hints[0]
            .contains("`--providers.docker=true`")
    );
    assert!(one(|c| drop(c.mounts.remove(0))).message.contains("socket"));
    let constrained = one(|c| {
        c.command
            .push("--providers.docker.constraints=Label(`a`,`b`)".into());
    });
    assert_eq!(constrained.severity, Severity::Warning);
    for image in [
        "traefik:v2.11.53",
        "traefik:v3",
        "traefik:latest",
        "traefik",
    ] {
        assert_eq!(
            traefik_with(STORE, |c| c.image = image.into()),
            [],
            "{image}"
        );
    }
    // Docker 29 refuses what older Traefiks speak.
    let with_29 = |image: &str| {
        short(STORE, |config, facts| {
            engine_of(facts).version = "29.0.1".into();
            engine_of(facts).containers[0].image = image.into();
            with_traefik(config, facts);
        })
    };
    assert_eq!(with_29("traefik:v3.6.0"), ["error preflight.traefik"]);
    assert_eq!(with_29("traefik:v2.11.30"), ["error preflight.traefik"]);
    for image in [
        "traefik:v3.6.1",
        "traefik:v3.6",
        "traefik:v2.11.31",
        "traefik:v3",
    ] {
        assert_eq!(with_29(image), [""; 0], "{image}");
    }
    let unreadable = short(STORE, |_, facts| {
        if let Some(traefik) = &mut facts.traefik {
            traefik.settings = Err("/srv/traefik.yml: is a directory".into());
        }
    });
    assert_eq!(unreadable, ["warning preflight.traefik"]);
}

#[test]
fn missing_entry_points_are_answered_with_the_arguments_for_them() {
    let found = traefik_with(STORE, |c| {
        without(c, "entryPoints.smtp.");
        without(c, "entryPoints.imaps.");
    });
    assert_eq!(found.len(), 1);
    let hints = &found[0].hints;
    assert_eq!(
        hints[0],
        "add to Traefik's arguments: `--entryPoints.smtp.address=:25` `--entryPoints.imaps.address=:993`"
    );
    assert_eq!(hints[1], "and publish: `25:25` `993:993`");
    let unpublished = traefik_with(STORE, |c| c.published.retain(|one| one.port != 465));
    assert!(
        unpublished[0].hints[0].ends_with("`465:465`"),
        "{unpublished:?}"
    );
    let moved = traefik_with(STORE, |c| {
        without(c, "entryPoints.smtp.");
        c.command.push("--entrypoints.smtp.address=:1025".into());
    });
    assert!(moved[0].hints[0].ends_with("`25:1025`"), "{moved:?}");
    let near = traefik_with(STORE, |c| {
        for one in &mut c.published {
            one.address = ip("127.0.0.1");
        }
    });
    assert_eq!(near[0].severity, Severity::Warning);
    let udp = traefik_with(STORE, |c| {
        without(c, "entryPoints.smtp.");
        c.command.push("--entrypoints.smtp.address=:25/udp".into());
    });
    assert!(udp[0].message.contains("TCP"), "{udp:?}");
    let inside = traefik_with(STORE, |c| {
        without(c, "entryPoints.smtp.");
        c.command
            .push("--entrypoints.smtp.address=127.0.0.1:25".into());
    });
    assert!(inside[0].message.contains("nobody reaches"), "{inside:?}");
    // Mail that is published needs the web's only.
    let published = format!("{STORE}[ports]\nvia = \"published\"\naddress = \"203.0.113.5\"\n");
    assert_eq!(
        traefik_with(&published, |c| without(c, "entryPoints.websecure.address"))[0].hints[1],
        "and publish: `443:443`"
    );
    // Other names of entry points.
    let renamed = "[traefik]\nacme_store = \"/srv/acme/acme.json\"\n[traefik.entrypoints]\nsmtp = \"mail25\"\n";
    assert_eq!(traefik_with(renamed, |_| ()), []);
}

#[test]
fn nothing_else_may_be_on_an_entry_point_where_the_server_speaks_first() {
    const ON: (&str, &str) = ("traefik.enable", "true");
    let beside = |labels: &[(&str, &str)], default: bool| {
        short(STORE, |config, facts| {
            let engine = engine_of(facts);
            if !default {
                without(&mut engine.containers[0], "asDefault");
            }
            let mut other = Container::new("other", "x");
            for (key, value) in labels {
                other.labels.insert((*key).into(), (*value).into());
            }
            engine.containers.push(other);
            with_traefik(config, facts);
        })
    };
    let error = ["error preflight.entrypoints"];
    let taken = ("traefik.tcp.routers.x.entrypoints", "smtp");
    assert_eq!(beside(&[ON, taken], true), error);
    assert_eq!(beside(&[taken], true), [""; 0]);
    assert_eq!(
        beside(&[ON, ("traefik.tcp.routers.x.entrypoints", "imaps")], true),
        [""; 0]
    );
    let everywhere = [
        ON,
        ("traefik.http.routers.y.rule", "Host(`a`)"),
        ("traefik.http.routers.y.tls", "true"),
    ];
    assert_eq!(beside(&everywhere, true), [""; 0]);
    assert_eq!(beside(&everywhere, false), error);
    // Plain HTTP waits for nobody.
    assert_eq!(beside(&everywhere[..2], false), [""; 0]);
}

#[test]
fn traefik_is_in_the_shared_network_with_an_address_that_front_believes() {
    let absent = traefik_with(STORE, |c| c.networks.clear());
    assert_eq!(absent.len(), 1);
    assert_eq!(
        absent[0].hints[0],
        "`docker network connect --ip 10.203.255.65 mailu_proxy traefik`"
    );
    let no_network = only(STORE, |config, facts| {
        engine_of(facts).networks.retain(|one| one.name == "bridge");
        engine_of(facts).containers[0].networks.clear();
        with_traefik(config, facts);
    });
    assert!(
        no_network.hints[0].starts_with("`docker network create --subnet 10.203.255.0/24")
            && no_network.hints[0].ends_with(
                "mailu_proxy && docker network connect --ip 10.203.255.65 mailu_proxy traefik`"
            ),
        "{no_network:?}"
    );
    let wrong = traefik_with(STORE, |c| {
        c.networks
            .insert("mailu_proxy".into(), Some(ip("10.203.255.7")));
    });
    assert!(wrong[0].message.contains("10.203.255.7"), "{wrong:?}");
    assert!(wrong[0].hints[1].contains("traefik.trusted=[\"10.203.255.7\"]"));
    let host = traefik_with(STORE, |c| c.network_mode = Some("host".into()));
    assert!(host[0].hints[1].contains("10.203.255.1"), "{host:?}");
    let told = "[traefik]\nacme_store = \"/srv/acme/acme.json\"\ntrusted = [\"10.203.255.1\"]\n";
    assert_eq!(
        traefik_with(told, |c| c.network_mode = Some("host".into())),
        []
    );
    let range = only(STORE, |_, facts| {
        facts.settled = vec![
            Finding::error(
                "engine.proxy_range",
                "traefik.network",
                "hands out other addresses",
            )
            .hint("x"),
        ];
    });
    assert_eq!(range.id, "engine.proxy_range");
    let six = short(STORE, |config, facts| {
        engine_of(facts).containers[0]
            .published
            .push(Published::new(ip("::"), 25, 25));
        facts.addresses.push(ip("2a01:4f8::1"));
        with_traefik(config, facts);
    });
    assert_eq!(six, ["warning preflight.proxy_network"]);
}

#[test]
fn certificates_of_traefik() {
    let unset = traefik_with("", |_| ());
    assert_eq!(unset.len(), 1);
    assert_eq!(unset[0].severity, Severity::Warning);
    assert!(
        unset[0].hints[0].contains("traefik.acme_store=/srv/acme/acme.json"),
        "{unset:?}"
    );
    let elsewhere = traefik_with("[traefik]\nacme_store = \"/srv/other.json\"\n", |_| ());
    assert_eq!(elsewhere[0].severity, Severity::Error);
    let linked = short(
        "[traefik]\nacme_store = \"/srv/link.json\"\n",
        |_, facts| {
            if let Some(traefik) = &mut facts.traefik {
                traefik.store_is_configured = true;
            }
        },
    );
    assert_eq!(linked, [""; 0]);
    let inside = traefik_with(STORE, |c| c.mounts.truncate(1));
    assert!(
        inside[0].message.contains("inside the container"),
        "{inside:?}"
    );
    let open = only(STORE, |_, facts| {
        if let Some(traefik) = &mut facts.traefik {
            traefik.store_mode = Some(0o100_644);
        }
    });
    assert_eq!(open.value.as_deref(), Some("0644"));
    assert!(open.hints[0].contains("chmod 600 /srv/acme/acme.json"));
    let other = traefik_with(
        "[traefik]\nresolver = \"le\"\nacme_store = \"/srv/acme/acme.json\"\n",
        |c| {
            for word in &mut c.command {
                *word = word.replace("certificatesResolvers.le.", "certificatesResolvers.main.");
            }
        },
    );
    assert!(
        other[0].hints[0].contains("traefik.resolver=main"),
        "{other:?}"
    );
    let none = traefik_with(STORE, |c| without(c, "tlsChallenge"));
    assert!(none[0].message.contains("without a challenge"), "{none:?}");
    let http = traefik_with(STORE, |c| {
        without(c, "tlsChallenge");
        c.command
            .push("--certificatesresolvers.letsencrypt.acme.httpchallenge.entrypoint=http".into());
    });
    assert!(http[0].message.contains("`http`"), "{http:?}");
}

#[test]
fn passthrough_needs_a_free_way_for_mailus_challenge() {
    const MODE: &str = "[tls]\nmode = \"passthrough\"\n";
    let redirect = "--entrypoints.web.http.redirections.entryPoint.to=websecure";
    let redirected = traefik_with(MODE, |c| c.command.push(redirect.into()));
    assert_eq!(redirected.len(), 1);
    assert!(
        redirected[0].message.contains("plain HTTP"),
        "{redirected:?}"
    );
    assert_eq!(traefik_with(STORE, |c| c.command.push(redirect.into())), []);
    let challenge = "--certificatesresolvers.main.acme.httpchallenge.entrypoint=web";
    let taken = traefik_with(MODE, |c| c.command.push(challenge.into()));
    assert_eq!(
        taken[0].hints[0],
        "add to Traefik's arguments: `--entryPoints.web.allowACMEByPass=true`"
    );
    let old = traefik_with(MODE, |c| {
        c.image = "traefik:v2.11.53".into();
        c.command.push(challenge.into());
    });
    assert!(old[0].hints[0].contains("tlsChallenge"), "{old:?}");
    let passed = traefik_with(MODE, |c| {
        c.command.push(challenge.into());
        c.command
            .push("--entrypoints.web.allowacmebypass=true".into());
    });
    assert_eq!(passed, []);
}
