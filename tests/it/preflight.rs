//! `mailu check`, and what `install` makes of it: an engine that plays a script, real sockets on loopback for everything else.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::{A, CNAME, NULL};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use mailu_core::preflight::{CHECKS, traefik};

use crate::fake_engine::{FakeContainer, FakeEngine, FakeNetwork};
use crate::support::{Root, Run, finished};

/// Where this server is, by its records: nowhere near.
const HERE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 5);

/// Mail ports on an address that nobody else uses, and one that hardly anybody else does.
const OWN: [&str; 10] = [
    "--set",
    "ports.via=published",
    "--set",
    "ports.address=127.0.0.77",
    "--set",
    "ports.mail=4190",
    "--set",
    "dns.ipv4=203.0.113.5",
    "--set",
    "services.antivirus=false",
];

/// What a DNS server of the tests knows.
#[derive(Clone, Copy)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one thing that may be missing"
)]
struct Zone {
    /// `mail.example.com` exists, and so do the names for automatic setup, as aliases of it.
    names: bool,
    /// It is a root server, and says so.
    root: bool,
    signed: bool,
    /// It validates.
    validates: bool,
}

const ALL: Zone = Zone {
    names: true,
    root: true,
    signed: true,
    validates: true,
};

fn answer(zone: Zone, question: &[u8], whole: bool) -> Vec<u8> {
    let mut message = Message::from_vec(question).unwrap().into_response();
    let query = message.queries[0].clone();
    let name = query.name().clone();
    let kind = query.query_type();
    let mut put = |name: &Name, data: RData| {
        message
            .answers
            .push(Record::from_rdata(name.clone(), 60, data));
    };
    let raw = |code: RecordType| RData::Unknown {
        code,
        rdata: NULL::with(vec![0; 300]),
    };
    let mail = Name::from_ascii("mail.example.com.").unwrap();
    let mut absent = false;
    match (name.to_ascii().to_ascii_lowercase().as_str(), kind) {
        (".", RecordType::DNSKEY) if zone.root => {
            put(&name, raw(RecordType::DNSKEY));
            if zone.signed {
                put(&name, raw(RecordType::RRSIG));
            }
            message.metadata.authoritative = true;
            // As long as the real one, which does not fit into a datagram.
            if !whole {
                message.answers.clear();
                message.metadata.truncation = true;
            }
        }
        ("example.org.", RecordType::A) => put(&name, RData::A(A(Ipv4Addr::new(192, 0, 2, 9)))),
        ("mail.example.com.", RecordType::A) if zone.names => put(&name, RData::A(A(HERE))),
        ("autoconfig.example.com." | "autodiscover.example.com.", RecordType::A) if zone.names => {
            put(&name, RData::CNAME(CNAME(mail.clone())));
            put(&mail, RData::A(A(HERE)));
        }
        ("mail.example.com." | "autoconfig.example.com." | "autodiscover.example.com.", _)
            if zone.names => {}
        _ => absent = true,
    }
    if absent {
        message.metadata.response_code = ResponseCode::NXDomain;
    }
    message.metadata.authentic_data = zone.validates;
    message.to_vec().unwrap()
}

/// A DNS server on loopback, over UDP and TCP. It ends with the test program.
fn dns(zone: Zone) -> SocketAddr {
    // The same port for both may be taken for one of them.
    let (udp, tcp) = (0..50)
        .find_map(|_| {
            let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
            let tcp = TcpListener::bind(udp.local_addr().unwrap()).ok()?;
            Some((udp, tcp))
        })
        .unwrap();
    let at = udp.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok((length, from)) = udp.recv_from(&mut buffer) {
            let _ = udp.send_to(&answer(zone, &buffer[..length], false), from);
        }
    });
    std::thread::spawn(move || {
        for mut stream in tcp.incoming().flatten() {
            let mut length = [0; 2];
            stream.read_exact(&mut length).unwrap();
            let mut question = vec![0; u16::from_be_bytes(length).into()];
            stream.read_exact(&mut question).unwrap();
            let answer = answer(zone, &question, true);
            let length = u16::try_from(answer.len()).unwrap().to_be_bytes();
            stream.write_all(&[&length[..], &answer].concat()).unwrap();
        }
    });
    at
}

/// A mail server on loopback.
fn smtp(greeting: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.write_all(greeting.as_bytes());
        }
    });
    at
}

/// An engine with a Traefik that has all that the deployment needs.
fn engine() -> FakeEngine {
    let engine = FakeEngine::start();
    engine.network(FakeNetwork {
        name: "mailu_proxy".to_owned(),
        subnet: "10.203.255.0/24".to_owned(),
        gateway: Some("10.203.255.1".to_owned()),
        range: Some("10.203.255.64/26".to_owned()),
        ..FakeNetwork::default()
    });
    let config = mailu_core::Config::from_toml(
        "mail_host = \"mail.example.com\"\nemail_domain = \"example.com\"\nadmin_email = \"admin@example.com\"\n",
    )
    .unwrap()
    .config;
    let mut traefik = FakeContainer::new("traefik", "traefik:v3.6.2");
    traefik.command = ["traefik".to_owned()]
        .into_iter()
        .chain(traefik::arguments(&config))
        .collect();
    for port in [80, 443] {
        traefik.published.push(("0.0.0.0".to_owned(), port, port));
    }
    for (host, inside) in [
        ("/var/run/docker.sock", "/var/run/docker.sock"),
        ("/srv/traefik-of-a-test", "/acme"),
    ] {
        traefik.mounts.push((host.to_owned(), inside.to_owned()));
    }
    traefik
        .networks
        .insert("mailu_proxy".to_owned(), "10.203.255.64".to_owned());
    engine.add(traefik);
    engine
}

const STORE: [&str; 2] = [
    "--set",
    "traefik.acme_store=/srv/traefik-of-a-test/acme.json",
];

struct World {
    root: Root,
    engine: FakeEngine,
    dns: String,
    smtp: String,
}

impl World {
    fn new(zone: Zone) -> Self {
        Self {
            root: Root::new(),
            engine: engine(),
            dns: dns(zone).to_string(),
            smtp: smtp("220 mx.example.net ESMTP\r\n").to_string(),
        }
    }

    fn run(&self, args: &[&str]) -> Run {
        let mut command = self.root.command(args);
        self.engine.reach(&mut command);
        command.env_remove("MAILU_SKIP_CHECK");
        finished(command.output().unwrap())
    }

    fn verb<'a>(&'a self, start: &[&'a str], more: &[&'a str]) -> Run {
        let probes = [
            "--resolver",
            &self.dns,
            "--root-server",
            &self.dns,
            "--outbound-to",
            &self.smtp,
        ];
        self.run(&[start, &probes, &OWN, &STORE, more].concat())
    }

    fn check(&self, more: &[&str]) -> Run {
        self.verb(&["--json", "check", "--domain", "mail.example.com"], more)
    }
}

/// How a check ended.
fn outcome(report: &serde_json::Value, id: &str) -> String {
    let checks = report["checks"].as_array().unwrap();
    let one = checks.iter().find(|check| check["id"] == id);
    one.map_or("absent", |check| check["outcome"].as_str().unwrap())
        .to_owned()
}

/// What a check found.
fn findings(report: &serde_json::Value, id: &str) -> Vec<String> {
    report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["id"] == id)
        .map(|finding| {
            assert!(
                !finding["hints"].as_array().unwrap().is_empty(),
                "{finding}"
            );
            finding.to_string()
        })
        .collect()
}

/// What depends on the machine that runs the tests.
const OF_THE_HOST: [&str; 4] = [
    "preflight.root",
    "preflight.memory",
    "preflight.disk",
    "preflight.ports",
];

#[test]
fn a_host_that_has_everything_is_ready() {
    let world = World::new(ALL);
    let run = world.check(&[]);
    let report = run.json();
    for check in CHECKS {
        if !OF_THE_HOST.contains(&check.id) {
            assert_eq!(
                outcome(&report, check.id),
                "passed",
                "{} in {report:#}",
                check.id
            );
        }
    }
    assert!(!world.root.path().exists(), "checking writes nothing");
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let world = World::new(Zone {
        names: false,
        root: false,
        signed: false,
        validates: false,
    });
    world.engine.remove("traefik");
    world
        .engine
        .add(FakeContainer::new("mailu_smtp", "boky/postfix"));
    world.engine.network(FakeNetwork {
        name: "shop".to_owned(),
        subnet: "10.203.0.0/20".to_owned(),
        ..FakeNetwork::default()
    });
    // Nobody answers on a port that was free a moment ago.
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = free.local_addr().unwrap().to_string();
    drop(free);
    let subnet = [
        "--set",
        "network.subnet=10.203.3.0/25",
        "--outbound-to",
        &closed,
    ];
    let silent = World {
        smtp: closed.clone(),
        ..world
    };
    let run = silent.check(&subnet).expect_code(1);
    let report = run.json();
    assert_eq!(report["ready"], false);
    for id in ["containers", "networks", "names", "dnssec", "traefik"] {
        let id = format!("preflight.{id}");
        assert_eq!(outcome(&report, &id), "failed", "{id} in {report:#}");
        assert!(!findings(&report, &id).is_empty(), "{id}");
    }
    assert_eq!(outcome(&report, "preflight.outbound"), "warned");
    assert_eq!(outcome(&report, "preflight.entrypoints"), "skipped");
    for (id, part) in [
        ("preflight.containers", "docker rm -f mailu_smtp"),
        ("preflight.networks", "docker network rm shop"),
        ("preflight.outbound", &closed),
        ("preflight.traefik", "--entryPoints.websecure.address=:443"),
    ] {
        assert!(
            findings(&report, id)[0].contains(part),
            "{id} in {report:#}"
        );
    }
    // The same for people, with what to type.
    let text = silent.verb(&["check", "--domain", "mail.example.com"], &subnet);
    assert_eq!(text.code, 1);
    assert!(
        text.out.contains("failed   preflight.names"),
        "{}",
        text.out
    );
    let root = silent.root.path();
    assert!(
        text.err
            .contains(&format!("mailu --root {} config set", root.display())),
        "{}",
        text.err
    );
}

#[test]
fn an_engine_that_does_not_answer_leaves_the_rest_to_be_checked() {
    let world = World::new(ALL);
    world.engine.vanish();
    let report = world.check(&[]).expect_code(1).json();
    assert_eq!(outcome(&report, "preflight.engine"), "failed");
    assert_eq!(outcome(&report, "preflight.traefik"), "skipped");
    assert_eq!(outcome(&report, "preflight.names"), "passed");
    assert!(findings(&report, "preflight.engine")[0].contains("systemctl start docker"));
}

#[test]
fn whoever_listens_is_named() {
    let world = World::new(ALL);
    let Ok(_taken) = TcpListener::bind("127.0.0.77:4190") else {
        // Somebody has it on every address already, who is then named.
        assert_eq!(
            outcome(&world.check(&[]).json(), "preflight.ports"),
            "failed"
        );
        return;
    };
    let report = world.check(&[]).expect_code(1).json();
    let found = findings(&report, "preflight.ports");
    let process = format!("(process {})", std::process::id());
    assert!(
        found[0].contains(&process) && found[0].contains("127.0.0.77:4190"),
        "{found:?}"
    );
    // On another address it is free, if this host has that.
    let beside = world.check(&["--set", "ports.address=127.0.0.78"]).json();
    assert_eq!(outcome(&beside, "preflight.ports"), "passed", "{beside:#}");
    let nowhere = world.check(&["--set", "ports.address=192.0.2.77"]).json();
    assert!(findings(&nowhere, "preflight.ports")[0].contains("none of this host's addresses"));
    // Whoever has it in a container is named by that.
    let mut other = FakeContainer::new("old-mail", "mailserver:14");
    other.published = vec![("127.0.0.77".to_owned(), 4190, 4190)];
    world.engine.add(other);
    let report = world.check(&[]).expect_code(1).json();
    assert!(findings(&report, "preflight.ports")[0].contains("docker stop old-mail"));
}

#[test]
fn dns_is_asked_as_it_will_be_asked_later() {
    let with = |zone: Zone, more: &[&str]| {
        let report = World::new(zone).check(more).json();
        outcome(&report, "preflight.dnssec")
    };
    let unsigned = Zone {
        signed: false,
        ..ALL
    };
    assert_eq!(with(unsigned, &[]), "failed");
    // Somebody who answers in place of the root servers.
    assert_eq!(with(Zone { root: false, ..ALL }, &[]), "failed");
    let own = ["--set", "services.resolver=false"];
    assert_eq!(with(ALL, &own), "passed");
    let blind = Zone {
        validates: false,
        ..ALL
    };
    assert_eq!(with(blind, &own), "failed");
    assert_eq!(with(blind, &[]), "passed");
}

#[test]
fn mail_servers_are_called_and_a_relay_in_their_place() {
    let world = World::new(ALL);
    let relay = smtp("220 relay\r\n");
    let report = world
        .check(&["--set", &format!("relay.host=[127.0.0.1]:{}", relay.port())])
        .json();
    assert_eq!(outcome(&report, "preflight.outbound"), "passed");
    let refusing = smtp("554 no\r\n");
    let report = world
        .check(&[
            "--set",
            &format!("relay.host=[127.0.0.1]:{}", refusing.port()),
        ])
        .json();
    assert!(findings(&report, "preflight.outbound")[0].contains("554 no"));
}

#[test]
fn traefik_is_read_from_a_file_too() {
    let world = World::new(ALL);
    let yaml = "entryPoints:\n  web: {address: ':80'}\nproviders: {docker: {}}\ncertificatesResolvers:\n  letsencrypt: {acme: {tlsChallenge: {}, storage: /acme/acme.json}}\n";
    let file = world.root.beside("traefik.yml", yaml);
    let mount = file.display().to_string();
    world.engine.change("traefik", |traefik| {
        traefik.command = vec!["traefik".to_owned()];
        traefik
            .mounts
            .push((mount, "/etc/traefik/traefik.yml".to_owned()));
    });
    let report = world.check(&[]).expect_code(1).json();
    let found = findings(&report, "preflight.entrypoints");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].contains("entryPoints: {websecure: {address: \\\":443\\\"}}"),
        "{found:?}"
    );
    assert_eq!(outcome(&report, "preflight.acme"), "passed");
}

const INSTALL: [&str; 8] = [
    "--json",
    "install",
    "--domain",
    "mail.example.com",
    "--email-domain",
    "example.com",
    "--admin-email",
    "admin@example.com",
];

#[test]
fn install_refuses_before_anything_is_written_and_notes_what_was_skipped() {
    let world = World::new(Zone {
        names: false,
        ..ALL
    });
    let refused = world.verb(&INSTALL, &[]).expect_code(2);
    assert_eq!(refused.json()["error"]["code"], "preflight.failed");
    assert!(
        findings(&refused.json()["error"], "preflight.names").len() == 3,
        "{}",
        refused.out
    );
    assert!(
        refused.err.contains("--skip-check preflight.names"),
        "{}",
        refused.err
    );
    assert!(!world.root.path().exists());
    let calls = world.engine.calls();
    assert!(
        calls.iter().all(|call| call.contains("version")),
        "{calls:?}"
    );

    // Bringing it up is another test's matter: here it fails at the first call of Compose.
    world.engine.fail("--ansi never", 99, "not today");
    let host: Vec<String> = OF_THE_HOST
        .iter()
        .map(|id| format!("--skip-check={id}"))
        .collect();
    let mut more = vec!["--skip-check", "preflight.names"];
    more.extend(host.iter().map(String::as_str));
    let skipped = world.verb(&INSTALL, &more).expect_code(2);
    assert!(
        skipped.err.contains("[preflight.skipped]"),
        "{}",
        skipped.err
    );
    assert_ne!(skipped.json()["error"]["code"], "preflight.failed");
    let path = world.root.file(".mailu/skipped.json");
    let noted: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert_eq!(noted.len(), 5);
    assert!(noted.contains_key("preflight.names"));
    // Checking later says so, and the same installation leaves the note as it is.
    let before = std::fs::metadata(&path).unwrap().modified().unwrap();
    let later = world.run(&[
        "check",
        "--resolver",
        &world.dns,
        "--root-server",
        &world.dns,
        "--outbound-to",
        &world.smtp,
    ]);
    assert!(
        later
            .err
            .contains("preflight.names has been skipped at installation since 20"),
        "{}",
        later.err
    );
    world.verb(&INSTALL, &more).expect_code(2);
    let after = std::fs::metadata(&path).unwrap().modified().unwrap();
    assert_eq!(before, after);
}

/// Running it again, as timers and provisioning do, must not depend on the network.
#[test]
fn where_it_is_installed_the_network_is_no_reason_to_refuse() {
    let world = World::new(Zone {
        names: false,
        root: false,
        ..ALL
    });
    // Bringing it up is another test's matter.
    world.engine.fail("--ansi never", 99, "not today");
    let host: Vec<String> = OF_THE_HOST
        .iter()
        .map(|id| format!("--skip-check={id}"))
        .collect();
    let host: Vec<&str> = host.iter().map(String::as_str).collect();
    let code = |run: &Run| run.json()["error"]["code"].as_str().unwrap().to_owned();
    let first = world.verb(&INSTALL, &host).expect_code(2);
    assert_eq!(code(&first), "preflight.failed");

    let network = [
        "--skip-check=preflight.names",
        "--skip-check=preflight.dnssec",
    ];
    let written = world.verb(&INSTALL, &[&host[..], &network].concat());
    assert_ne!(code(&written.expect_code(2)), "preflight.failed");
    assert!(!world.root.file(".installed_ok").exists());
    let refused = world.verb(&INSTALL, &host).expect_code(2);
    assert_eq!(code(&refused), "preflight.failed");

    // As after `--no-start`: the server never ran.
    world.root.write(".installed_ok", "");
    let refused = world.verb(&INSTALL, &host).expect_code(2);
    assert_eq!(code(&refused), "preflight.failed");

    std::fs::create_dir_all(world.root.file("data/admin")).unwrap();
    world.root.write("data/admin/main.db", "");
    let again = world.verb(&INSTALL, &host).expect_code(2);
    assert_ne!(code(&again), "preflight.failed", "{}", again.err);
    for id in ["preflight.names", "preflight.dnssec"] {
        let warned = |line: &str| line.starts_with("warning: ") && line.contains(id);
        assert!(again.err.lines().any(warned), "{id}: {}", again.err);
    }
    // Who asks gets the whole truth.
    let report = world.check(&host).expect_code(1).json();
    assert_eq!(outcome(&report, "preflight.names"), "failed");
    // What this host lacks counts as before.
    world.engine.compose(None);
    let refused = world.verb(&INSTALL, &host).expect_code(2);
    assert_eq!(code(&refused), "preflight.failed");
}

#[test]
fn an_unknown_check_is_not_skipped_in_silence() {
    let world = World::new(ALL);
    for verb in [
        &["check", "--domain", "mail.example.com"][..],
        &[
            "install",
            "--domain",
            "mail.example.com",
            "--email-domain",
            "example.com",
            "--admin-email",
            "admin@example.com",
        ],
    ] {
        let run = world
            .verb(verb, &["--skip-check", "preflight.dns"])
            .expect_code(2);
        assert!(
            run.err
                .contains("checks that can be skipped: preflight.root,"),
            "{}",
            run.err
        );
    }
    assert!(!world.root.path().exists());
}

#[test]
fn what_neighbours_have_is_among_the_findings() {
    let world = World::new(ALL);
    let neighbour = [
        "install",
        "--no-start",
        "--domain",
        "mail.example.net",
        "--email-domain",
        "example.net",
        "--admin-email",
        "admin@example.net",
    ];
    world.run(&neighbour).expect_code(0);
    let report = world.check(&[]).expect_code(1).json();
    assert_eq!(outcome(&report, "preflight.fleet"), "failed");
    assert!(!findings(&report, "fleet.project").is_empty());
    // All at once: the host was looked at as well.
    assert_eq!(outcome(&report, "preflight.names"), "passed");
    let never = world
        .check(&["--skip-check", "preflight.fleet"])
        .expect_code(2);
    assert!(never.err.contains("never skipped"));
}

#[test]
fn a_slow_world_does_not_hold_anybody_up() {
    // Nobody ever answers here, and nobody refuses either.
    let silent = Arc::new(UdpSocket::bind("127.0.0.1:0").unwrap());
    let world = World {
        dns: silent.local_addr().unwrap().to_string(),
        ..World::new(ALL)
    };
    let start = std::time::Instant::now();
    let report = world.check(&[]).expect_code(1).json();
    assert_eq!(outcome(&report, "preflight.dnssec"), "failed");
    assert_eq!(outcome(&report, "preflight.names"), "warned");
    assert!(start.elapsed().as_secs() < 40, "{:?}", start.elapsed());
}
