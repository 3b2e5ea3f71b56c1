//! `mailu diagnose` on a server that is well, where it finds nothing, and on the same server broken in one place after the other, where
//! it has to name just that, and nothing else that is as bad.
//!
//! `MAILU_E2E_FULL=1` (`make e2e-full`) breaks more.

use std::net::UdpSocket;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{CertificateParams, KeyPair};
use serde_json::Value;

use crate::server::{BARE, Front, LIGHT, Server};
use crate::support::{Root, Run, succeed};
use crate::world::{self, Traefik, Zone, docker, wait_for};

/// The addresses of the test world are for documentation, which is worth a warning anywhere else.
const WORLD: [&str; 2] = [
    "--set",
    "diagnose.ignore=[\"dns.private: the test world has addresses for documentation\"]",
];

#[test]
fn what_is_broken_is_named() {
    let _alone = world::alone();
    let more = [&LIGHT[..], &BARE, &WORLD].concat();
    let server = Server::with_files(Root::new(), &more).install();
    healthy(&server);
    services(&server);
    published(&server);
    if std::env::var_os("MAILU_E2E_FULL").is_some() {
        ports_and_mail(&server);
        host(&server);
        files(&server);
    }
    // None of it has left a trace.
    healthy(&server);
}

#[test]
fn what_is_broken_between_traefik_and_front_is_named() {
    let _alone = world::alone();
    let more = [&LIGHT[..], &BARE, &WORLD].concat();
    let server = Server::prepare(Root::new(), Front::Theirs(Traefik::start()), &more).install();
    server.takes_certificate();
    healthy(&server);

    // Traefik sends no PROXY header: an override takes the label for it away.
    let front = world::inspect("mailu_front");
    let labels = front["Config"]["Labels"].as_object().unwrap();
    let (label, _) = labels
        .iter()
        .find(|(name, _)| name.contains("smtp") && name.ends_with("proxyprotocol.version"))
        .unwrap();
    let over = server.root.file("docker-compose.override.yml");
    std::fs::write(
        &over,
        format!("services:\n  front:\n    labels:\n      {label}: \"1\"\n"),
    )
    .unwrap();
    compose(&server, &["up", "-d", "front"]);
    becomes_well("front");
    found(&server, &[], "settings.wiring", label);
    std::fs::remove_file(&over).unwrap();
    compose(&server, &["up", "-d", "front"]);
    becomes_well("front");

    // Nobody leads to the mail ports.
    docker(&["network", "disconnect", "mailu_proxy", Traefik::NAME]);
    let report = diagnosed(&server, &["--only", "ports,services,settings"], 1);
    assert!(
        ids(&report).iter().all(|(id, ..)| id.starts_with("port.")),
        "{report:#}"
    );
    docker(&["network", "connect", "mailu_proxy", Traefik::NAME]);
    wait_for("all well again", || {
        let run = server.root.run(&["diagnose", "--json"]);
        (run.code == 0).then_some(())
    });
}

/// What it says, which has to end with `code`.
fn diagnosed(server: &Server, args: &[&str], code: i32) -> Value {
    let args = [&["diagnose", "--json"], args].concat();
    let run = server.root.run(&args);
    assert_eq!(run.code, code, "{}\n{}", run.out, run.err);
    run.json()
}

/// Identifier, subject and severity of each finding.
fn ids(report: &Value) -> Vec<(&str, &str, &str)> {
    report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            (
                one["id"].as_str().unwrap(),
                one["subject"].as_str().unwrap(),
                one["severity"].as_str().unwrap(),
            )
        })
        .collect()
}

fn healthy(server: &Server) {
    // That is found, too, and is not what is looked for here.
    let used = succeed(
        Command::new("df")
            .arg("--output=pcent")
            .arg(server.root.path()),
    );
    let used: u32 = used
        .lines()
        .nth(1)
        .unwrap()
        .trim()
        .trim_end_matches('%')
        .parse()
        .unwrap();
    assert!(
        used < 89,
        "the machine of the tests has only {} % of its disk left: make room",
        100 - used
    );
    let run: Run = server.root.run(&["diagnose"]).expect_code(0);
    assert!(run.out.contains("nothing is wrong"), "{}", run.out);
    let report = diagnosed(server, &[], 0);
    assert_eq!(report["healthy"], true);
    for (id, subject, severity) in ids(&report) {
        assert_eq!(severity, "notice", "{id} {subject}: {report:#}");
    }
    assert_eq!(report["silenced"], Value::Array(Vec::new()), "{report:#}");
    for one in report["checks"].as_array().unwrap() {
        // The world has no time servers and no reputation lists.
        let able = !matches!(one["id"].as_str(), Some("clock" | "lists"));
        assert_eq!(one["outcome"] == "passed", able, "{report:#}");
    }
}

/// The first finding is this one, has something to type, and nothing else is as bad.
fn found(server: &Server, args: &[&str], id: &str, subject: &str) -> Value {
    let report = diagnosed(server, args, 1);
    let all = ids(&report);
    let (first, about, severity) = all[0];
    assert_eq!(first, id, "{report:#}");
    assert!(about.contains(subject), "{about}: {report:#}");
    assert!(
        all.iter().skip(1).all(|(_, _, other)| *other != severity),
        "{report:#}"
    );
    let hints = report["findings"][0]["hints"].as_array();
    assert!(hints.is_some_and(|hints| !hints.is_empty()), "{report:#}");
    report
}

fn becomes_well(service: &str) {
    let name = format!("mailu_{service}");
    wait_for(&format!("{service} well"), || {
        let state = &world::inspect(&name)["State"];
        let well = state["Running"] == true
            && (state["Health"].is_null() || state["Health"]["Status"] == "healthy");
        well.then_some(())
    });
}

fn compose(server: &Server, args: &[&str]) {
    let directory = server.root.file("");
    succeed(
        Command::new("docker")
            .args(["compose", "--project-directory"])
            .arg(&directory)
            .args(args),
    );
}

fn shell(container: &str, script: &str) -> String {
    docker(&["exec", container, "sh", "-ec", script])
}

/// Containers that do not do their work. What cannot work without them is silenced.
fn services(server: &Server) {
    docker(&["rm", "-f", "mailu_antispam"]);
    let report = found(server, &[], "service.absent", "antispam");
    assert!(report["changes"].is_null());
    let changes = diagnosed(server, &["--changes"], 1);
    assert_eq!(changes["changes"]["appeared"], Value::Array(Vec::new()));
    server.root.run(&["start", "antispam"]).expect_code(0);
    let changes = diagnosed(server, &["--changes"], 0);
    assert_eq!(changes["changes"]["gone"][0]["id"], "service.absent");

    if std::env::var_os("MAILU_E2E_FULL").is_none() {
        return;
    }
    docker(&["stop", "-t", "1", "mailu_smtp"]);
    found(server, &[], "service.stopped", "smtp");
    docker(&["start", "mailu_smtp"]);
    becomes_well("smtp");

    docker(&["pause", "mailu_imap"]);
    found(server, &[], "service.stopped", "imap");
    docker(&["unpause", "mailu_imap"]);
    becomes_well("imap");

    docker(&["stop", "-t", "1", "mailu_redis"]);
    found(server, &[], "service.stopped", "redis");
    docker(&["start", "mailu_redis"]);

    docker(&["stop", "-t", "1", "mailu_front"]);
    found(server, &[], "service.stopped", "front");
    docker(&["start", "mailu_front"]);
    becomes_well("front");

    shell("mailu_antispam", "echo 'raise SystemExit(3)' >/start.py");
    docker(&["restart", "-t", "1", "mailu_antispam"]);
    wait_for("a restart loop", || {
        (world::inspect("mailu_antispam")["RestartCount"].as_u64() >= Some(3)).then_some(())
    });
    found(server, &[], "service.looping", "antispam");
    docker(&["rm", "-f", "mailu_antispam"]);
    server.root.run(&["start", "antispam"]).expect_code(0);
}

/// What DNS says, by the zone that is served.
fn published(server: &Server) {
    let right = server.root.read("dns/example.com.zone");
    let serve = |change: &dyn Fn(&str) -> Option<String>| {
        let text: Vec<String> = right.lines().filter_map(change).collect();
        Zone::load("example.com", &text.join("\n"))
    };
    let without =
        |word: &'static str| move |line: &str| (!line.contains(word)).then(|| line.to_owned());
    let other =
        |from: &'static str, to: &'static str| move |line: &str| Some(line.replace(from, to));
    let dns = ["--only", "dns"];
    // The zone that the server came with stays hung in: each of these is forgotten, not dropped.
    std::mem::forget(serve(&without("v=spf1 mx")));
    found(server, &[], "spf.one", "example.com");
    std::mem::forget(serve(&other("10 mail.example.com.", "10 mx.outside.test.")));
    found(server, &dns, "mx.ours", "example.com");
    std::mem::forget(serve(&without("v=DMARC1")));
    found(server, &dns, "dmarc.one", "_dmarc.example.com");
    std::mem::forget(serve(&other("p=MII", "p=MIJ")));
    found(server, &dns, "dkim.match", "dkim._domainkey.example.com");
    std::mem::forget(serve(&other("-all\"", "+all\"")));
    let report = diagnosed(server, &dns, 1);
    assert!(ids(&report)[0].0 == "spf.all", "{report:#}");
    std::mem::forget(Zone::load("example.com", &right));

    let reverse = Zone::load("1.100.51.198.in-addr.arpa", "@ PTR other.example.com.\n");
    found(server, &dns, "ptr.fcrdns", "1.100.51.198.in-addr.arpa");
    drop(reverse);

    // A list is believed once it passes its own test; what it refuses to say is no listing.
    let list = |code: &str| {
        Zone::load(
            "zen.spamhaus.org",
            &format!("2.0.0.127 A 127.0.0.2\n1.100.51.198 A {code}\n"),
        )
    };
    let lists = ["--only", "lists"];
    let listed = list("127.0.0.2");
    server.root.run(&["restart", "resolver"]).expect_code(0);
    found(server, &lists, "list.listed", "198.51.100.1");
    drop(listed);
    let refused = list("127.255.255.254");
    server.root.run(&["restart", "resolver"]).expect_code(0);
    let report = diagnosed(server, &lists, 0);
    assert!(
        report["unknown"]
            .as_array()
            .unwrap()
            .iter()
            .any(|one| one["why"].as_str().unwrap().contains("127.255.255.254")),
        "{report:#}"
    );
    drop(refused);
    server.root.run(&["restart", "resolver"]).expect_code(0);
}

/// A rule of this machine's firewall; removed with the value.
struct Rule(Vec<String>);

impl Rule {
    fn add(words: &str) -> Self {
        let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
        succeed(Command::new("iptables").arg("-I").args(&words));
        Self(words)
    }
}

impl Drop for Rule {
    fn drop(&mut self) {
        let _ = Command::new("iptables").arg("-D").args(&self.0).output();
    }
}

fn ports_and_mail(server: &Server) {
    let rule = Rule::add("OUTPUT -p tcp --dport 465 -j REJECT --reject-with tcp-reset");
    found(server, &[], "port.closed", "port 465");
    drop(rule);

    let rule = Rule::add("OUTPUT -p tcp -d 198.51.100.10 --dport 25 -j REJECT");
    found(server, &[], "port.out25", "port 25");
    drop(rule);

    // Everybody may relay.
    shell(
        "mailu_smtp",
        "postconf -e 'mynetworks=0.0.0.0/0' && postfix reload",
    );
    wait_for("an open relay", || {
        let report = server.root.run(&["diagnose", "--json", "--only", "relay"]);
        (report.code == 1).then_some(())
    });
    found(server, &[], "smtp.relay", "port 25");
    server.root.run(&["restart", "smtp"]).expect_code(0);

    docker(&[
        "exec",
        "mailu_admin",
        "flask",
        "mailu",
        "alias-delete",
        "postmaster@example.com",
    ]);
    found(server, &[], "smtp.postmaster", "postmaster@example.com");
    docker(&[
        "exec",
        "mailu_admin",
        "flask",
        "mailu",
        "alias",
        "postmaster",
        "example.com",
        "admin@example.com",
    ]);

    // Messages that nobody takes.
    shell(
        "mailu_smtp",
        "postconf -e 'defer_transports=smtp' && postfix reload && for i in $(seq 101); do printf 'Subject: %s\\n\\n' $i | sendmail -f user@example.com someone@outside.test; done",
    );
    wait_for("a long queue", || {
        let report = diagnosed_any(server, &["--only", "queue"]);
        (!ids(&report).is_empty()).then_some(())
    });
    found(server, &[], "queue.long", "mail queue");
    shell("mailu_smtp", "postsuper -h ALL");
    let report = diagnosed(server, &["--only", "queue"], 1);
    assert!(ids(&report).iter().any(|(id, ..)| *id == "queue.held"));
    shell("mailu_smtp", "postsuper -d ALL");
    server.root.run(&["restart", "smtp"]).expect_code(0);

    // The resolver does not validate any more.
    shell(
        "mailu_resolver",
        "mv /start.py /validating.py && printf '%s\\n' 'import validating' 'validating.CONFIG += \"  module-config: iterator\\n\"' 'validating.main()' >/start.py",
    );
    docker(&["restart", "-t", "1", "mailu_resolver"]);
    becomes_well("resolver");
    found(
        server,
        &["--only", "resolver"],
        "resolver.validates",
        "DNS server",
    );
    docker(&["rm", "-f", "mailu_resolver"]);
    server.root.run(&["start", "resolver"]).expect_code(0);
}

fn diagnosed_any(server: &Server, args: &[&str]) -> Value {
    server
        .root
        .run(&[&["diagnose", "--json"], args].concat())
        .json()
}

/// A file system of its own over a directory; taken away with the value.
struct Over<'a>(&'a Path);

impl<'a> Over<'a> {
    fn mount(path: &'a Path, options: &str) -> Self {
        succeed(
            Command::new("mount")
                .args(["-t", "tmpfs", "-o", options, "tmpfs"])
                .arg(path),
        );
        Self(path)
    }
}

impl Drop for Over<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).output();
    }
}

/// The machine that it runs on.
fn host(server: &Server) {
    let mail = server.root.file("data/mail");
    let full = Over::mount(&mail, "size=1G");
    std::fs::File::create(mail.join("filler")).unwrap();
    succeed(
        Command::new("fallocate")
            .args(["-l", "1020M"])
            .arg(mail.join("filler")),
    );
    let report = diagnosed(server, &["--only", "disk,services"], 1);
    assert!(ids(&report)[0].0.starts_with("disk."), "{report:#}");
    drop(full);
    let many = Over::mount(&mail, "size=4G,nr_inodes=100");
    for at in 0..98 {
        std::fs::File::create(mail.join(at.to_string())).unwrap();
    }
    found(server, &[], "disk.inodes", "data/mail");
    drop(many);

    // A server of the time that is a minute ahead.
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let at = socket.local_addr().unwrap().to_string();
    let answering = std::thread::spawn(move || {
        let mut question = [0_u8; 48];
        let (_, from) = socket.recv_from(&mut question).unwrap();
        let mut answer = [0_u8; 48];
        answer[0] = 0b00_100_100;
        answer[1] = 1;
        answer[24..32].copy_from_slice(&question[40..48]);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + Duration::from_secs(60);
        let seconds = u32::try_from(now.as_secs() + 2_208_988_800).unwrap();
        for at in [16, 32, 40] {
            answer[at..at + 4].copy_from_slice(&seconds.to_be_bytes());
        }
        socket.send_to(&answer, from).unwrap();
    });
    found(server, &["--time-server", &at], "clock.off", "clock");
    answering.join().unwrap();
}

/// What somebody has done to files.
fn files(server: &Server) {
    let env = server.root.file("mailu.env");
    let text = std::fs::read_to_string(&env).unwrap();
    for (line, subject) in [
        ("SUBNET=", "mailu.env: SUBNET"),
        ("HOSTNAMES=", "mailu.env: HOSTNAMES"),
    ] {
        let changed: Vec<String> = text
            .lines()
            .map(|there| {
                if there.starts_with(line) {
                    format!(
                        "{line}{}",
                        if line == "SUBNET=" {
                            "10.9.9.0/24"
                        } else {
                            "other.example.com"
                        }
                    )
                } else {
                    there.to_owned()
                }
            })
            .collect();
        std::fs::write(&env, changed.join("\n") + "\n").unwrap();
        found(server, &["--skip", "services"], "settings.wiring", subject);
    }
    // A PROXY header that nobody sends.
    let changed = format!("{text}\nPROXY_PROTOCOL=25\nREAL_IP_FROM=10.9.9.9/32\n");
    std::fs::write(&env, changed).unwrap();
    compose(
        server,
        &["up", "-d", "--force-recreate", "--no-deps", "front"],
    );
    becomes_well("front");
    let report = diagnosed(server, &["--skip", "services"], 1);
    assert_eq!(ids(&report)[0].0, "settings.wiring", "{report:#}");
    assert!(
        report["silenced"]
            .as_array()
            .unwrap()
            .iter()
            .any(|one| one["finding"]["subject"] == "port 25"),
        "{report:#}"
    );
    std::fs::write(&env, &text).unwrap();
    compose(
        server,
        &["up", "-d", "--force-recreate", "--no-deps", "front"],
    );
    becomes_well("front");

    // Edited, and not applied.
    std::fs::write(
        &env,
        text.replace("MESSAGE_SIZE_LIMIT=", "MESSAGE_SIZE_LIMIT=1"),
    )
    .unwrap();
    let report = diagnosed(server, &[], 1);
    assert!(
        ids(&report).iter().all(|(id, ..)| *id == "service.drift"
            || *id == "backup.none"
            || *id == "certs.chain_short"),
        "{report:#}"
    );
    std::fs::write(&env, &text).unwrap();

    // Certificates: over, and for somebody else.
    let pair = ["data/certs/cert.pem", "data/certs/key.pem"].map(|name| server.root.file(name));
    let kept = pair.each_ref().map(|path| std::fs::read(path).unwrap());
    let put = |chain: &str, key: &str| {
        std::fs::write(&pair[1], key).unwrap();
        std::fs::write(&pair[0], chain).unwrap();
    };
    let key = KeyPair::generate().unwrap();
    let mut over = CertificateParams::new(vec!["mail.example.com".to_owned()]).unwrap();
    over.not_before = rcgen::date_time_ymd(2020, 1, 1);
    over.not_after = rcgen::date_time_ymd(2021, 1, 1);
    let ended = over.self_signed(&key).unwrap();
    put(&ended.pem(), &key.serialize_pem());
    let report = diagnosed(server, &["--only", "certificates"], 1);
    assert!(
        ids(&report)[0].0 == "certs.ended" || ids(&report)[0].0 == "tls.mail_ended",
        "{report:#}"
    );
    let (chain, key) = world::certificate(&["other.example.com"]);
    put(&chain, &key);
    let report = diagnosed(server, &["--only", "certificates"], 1);
    assert_eq!(ids(&report)[0].0, "certs.names", "{report:#}");
    for (path, bytes) in pair.iter().zip(kept) {
        std::fs::write(path, bytes).unwrap();
    }

    // A key that anybody may read.
    let secret = server
        .root
        .path()
        .join("secrets/mailu/mail.example.com/admin_password");
    succeed(Command::new("chmod").arg("644").arg(&secret));
    let report = found(
        server,
        &["--skip", "settings"],
        "secrets.open",
        "admin_password",
    );
    assert!(!report.to_string().contains(crate::server::PASSWORD));
    succeed(Command::new("chmod").arg("600").arg(&secret));
    server.root.run(&["apply"]).expect_code(0);
    wait_for("the certificate in its place", || {
        let report = diagnosed_any(server, &["--only", "certificates"]);
        (report["healthy"] == true).then_some(())
    });
}
