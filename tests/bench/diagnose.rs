//! One whole diagnosis against the longest of its own checks: what does not depend on each other is to be done side by side.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mailu_core::diagnose::{CHECKS, LISTS, ListKind, Outcome, Report};
use mailu_core::host::{DiagnoseOptions, Mailu};

use crate::dns::{DELAY, delayed, nsd};
use crate::fake_engine::{Answer, FakeEngine};
use crate::{install, layout, row, runs};

const DOMAINS: usize = 10;

/// The first argument of this program where it is to diagnose.
const WITHIN: &str = "diagnose-within";

/// Who Postfix says the client is: an address that is nobody's of the engine's.
const CLIENT: &str = "198.51.100.7";

/// An SMTP server that answers after [`DELAY`] each time. `rejected` gets the name that a stranger gave who wanted to relay. It ends with the program.
fn smtp(rejected: impl Fn(&str) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let rejected = Arc::new(rejected);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let rejected = Arc::clone(&rejected);
            thread::spawn(move || talk(stream, &*rejected));
        }
    });
    address
}

fn talk(mut stream: TcpStream, rejected: &dyn Fn(&str)) -> Option<()> {
    let say = |stream: &mut TcpStream, answer: &str| {
        thread::sleep(DELAY);
        stream.write_all(format!("{answer}\r\n").as_bytes()).ok()
    };
    let mut name = String::new();
    let lines = BufReader::new(stream.try_clone().ok()?).lines();
    say(&mut stream, "220 mail.d0.example ESMTP")?;
    for line in lines.map_while(Result::ok) {
        let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
        let answer = match verb {
            "EHLO" => {
                rest.clone_into(&mut name);
                "250-mail.d0.example\r\n250 8BITMIME"
            }
            "RCPT" if rest.contains("@[") => {
                rejected(&name);
                "554 5.7.1 Relay access denied"
            }
            "QUIT" => "221 2.0.0 Bye",
            _ => "250 2.0.0 Ok",
        };
        say(&mut stream, answer)?;
    }
    Some(())
}

/// A server of the time that answers after [`DELAY`] (RFC 4330). It ends with the program.
fn clock() -> SocketAddr {
    /// From 1900 to 1970.
    const EPOCH: Duration = Duration::from_secs(2_208_988_800);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    thread::spawn(move || {
        let mut packet = [0; 48];
        while let Ok((48, client)) = socket.recv_from(&mut packet) {
            thread::sleep(DELAY);
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + EPOCH;
            let fraction = (u64::from(now.subsec_nanos()) << 32) / 1_000_000_000;
            let stamp = (now.as_secs() << 32 | fraction).to_be_bytes();
            let asked: [u8; 8] = packet[40..].try_into().unwrap();
            // Version 4, a server, the first after a clock.
            packet[..4].copy_from_slice(&[0x24, 1, 0, 0xe8]);
            packet[12..16].copy_from_slice(b"LOCL");
            packet[16..24].copy_from_slice(&stamp);
            packet[24..32].copy_from_slice(&asked);
            packet[32..40].copy_from_slice(&stamp);
            packet[40..].copy_from_slice(&stamp);
            let _ = socket.send_to(&packet, client);
        }
    });
    address
}

/// The zones that a diagnosis asks besides the deployment's own.
fn others(directory: &Path) {
    let mut zones = vec![
        ("example.org", "@ A 192.0.2.1"),
        ("2.0.192.in-addr.arpa", "10 PTR mail.d0.example."),
    ];
    // Each with its test entry (RFC 5782 §5).
    zones.extend(LISTS.iter().map(|list| {
        let test = match list.kind {
            ListKind::Domain => "test A 127.0.1.2",
            _ => "2.0.0.127 A 127.0.0.2",
        };
        (list.zone, test)
    }));
    for (zone, record) in zones {
        let text = format!(
            "$TTL 60\n@ SOA ns.invalid. nobody.invalid. 1 60 60 60 60\n@ NS ns.invalid.\n{record}\n"
        );
        std::fs::write(directory.join(format!("{zone}.zone")), text).unwrap();
    }
}

/// Diagnoses where the arguments say so.
pub(crate) fn within(arguments: &[String]) -> bool {
    let [first, root, dns, smtp, clock] = arguments else {
        return false;
    };
    if first != WITHIN {
        return false;
    }
    let mailu = Mailu::new(root).unwrap();
    let layout = layout(Path::new(root));
    let mut options = DiagnoseOptions::default();
    options.dns.resolver = Some(dns.parse().unwrap());
    options.dns.authoritative = vec![dns.parse().unwrap()];
    options.outbound.outbound = vec![smtp.clone()];
    options.time_servers = vec![clock.clone()];
    let all = runs(5, || {
        sane(&mailu.diagnose(&layout, &options).unwrap());
    });
    let mut each: Vec<(&str, [f64; 3])> = CHECKS
        .iter()
        .map(|check| {
            options.checks.only = [check.id.to_owned()].into();
            let took = runs(5, || {
                mailu.diagnose(&layout, &options).unwrap();
            });
            (check.id, took)
        })
        .collect();
    each.sort_by(|(_, one), (_, other)| other[1].total_cmp(&one[1]));
    row("mailu diagnose (in the library; all checks)", all);
    for (name, took) in each.iter().take(5) {
        row(&format!("the check {name} alone"), *took);
    }
    let sum: f64 = each.iter().map(|(_, took)| took[1]).sum();
    println!("  all of them, one after the other {sum:>35.2} ms");
    let (name, longest) = each[0];
    println!(
        "  ratio of the medians, the whole to {name}: {:.2}",
        all[1] / longest[1]
    );
    true
}

/// Everything was asked, and there was an answer to everything.
fn sane(report: &Report) {
    for check in &report.checks {
        assert!(
            !matches!(check.outcome, Outcome::Skipped | Outcome::Unknown),
            "{check:?} {:#?}",
            report.unknown
        );
    }
}

pub(crate) fn measure(directory: &Path) {
    println!(
        "\nDiagnosis of a server with {DOMAINS} domains, where whoever is asked answers after {} ms",
        DELAY.as_millis()
    );
    let root = directory.join("diagnose");
    install(
        &root,
        DOMAINS,
        &[
            "tls.mode=none",
            "ports.mail=25",
            "services.resolver=false",
            "services.antivirus=false",
        ],
    );
    let layout = layout(&root);
    let zones = directory.join("zones");
    std::fs::create_dir(&zones).unwrap();
    others(&zones);
    let (_server, address) = nsd(&zones, &[&layout.file("dns"), &zones]);

    let engine = Arc::new(FakeEngine::start());
    engine.up(&layout.directory());
    let named = |service: &str| {
        let all = engine.containers();
        let end = format!("_{service}");
        all.into_iter().find(|name| name.ends_with(&end)).unwrap()
    };
    let (postfix, engine_of_it) = (named("smtp"), Arc::clone(&engine));
    let smtp = smtp(move |name| {
        let line = format!(
            "postfix/smtpd[9]: NOQUEUE: reject: RCPT from unknown[{CLIENT}]: 554 5.7.1 Relay access denied; helo=<{name}>"
        );
        engine_of_it.change(&postfix, |there| there.says(&line));
    });
    engine.change(&named("front"), |front| {
        front.published = vec![("127.0.0.1".to_owned(), smtp.port(), 25)];
    });
    let keys = layout.file("data/dkim");
    engine.program("antispam", &["curl"], move |command, _| {
        let domain = command.last().unwrap().rsplit('/').next().unwrap();
        let key = std::fs::read_to_string(keys.join(format!("{domain}.dkim.key"))).unwrap();
        let selectors = serde_json::json!([{ "domain": domain, "key": key, "selector": "dkim" }]);
        Answer::out(&serde_json::json!({ "data": { "selectors": selectors } }).to_string())
    });
    // A process of its own, because the library finds the engine by a variable of its process.
    let mut command = Command::new(std::env::current_exe().unwrap());
    let done = engine
        .reach(&mut command)
        .arg(WITHIN)
        .arg(&root)
        .args([delayed(address), smtp, clock()].map(|address| address.to_string()))
        .status()
        .unwrap();
    assert!(done.success(), "{done}");
}
