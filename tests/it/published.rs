//! `mailu dns --check`: zones that a real name server (NSD) serves, right and with one mistake each.

use std::fmt::Write as _;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{INSTALL, Root, tool};

/// NSD with zones, on loopback; ends with the value.
pub(crate) struct NameServer {
    child: Child,
    pub(crate) address: SocketAddr,
    directory: tempfile::TempDir,
}

impl NameServer {
    pub(crate) fn serve(zones: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        // The same port for both may be taken for one of them.
        let address = (0..50)
            .find_map(|_| {
                let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
                let address = udp.local_addr().unwrap();
                TcpListener::bind(address).ok().map(|_| address)
            })
            .unwrap();
        let mut config = format!(
            "server:\n ip-address: {}@{}\n username: \"\"\n chroot: \"\"\n database: \"\"\n pidfile: \"{}\"\n xfrdfile: \"{}\"\n zonelistfile: \"{}\"\n server-count: 1\nremote-control:\n control-enable: no\n",
            address.ip(),
            address.port(),
            at("pid").display(),
            at("xfrd").display(),
            at("zonelist").display(),
        );
        for (name, text) in zones {
            let file = at(&format!("{name}.zone"));
            std::fs::write(&file, text).unwrap();
            let _ = write!(
                config,
                "zone:\n name: {name}\n zonefile: {}\n",
                file.display()
            );
        }
        std::fs::write(at("nsd.conf"), config).unwrap();
        let log = std::fs::File::create(at("log")).unwrap();
        let child = Command::new(tool("nsd"))
            .args(["-d", "-c"])
            .arg(at("nsd.conf"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let server = Self {
            child,
            address,
            directory,
        };
        let begun = Instant::now();
        while !server.answers(zones[0].0) {
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "NSD does not answer: {}",
                std::fs::read_to_string(server.directory.path().join("log")).unwrap_or_default()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    fn answers(&self, zone: &str) -> bool {
        let output = Command::new(tool("dig"))
            .args(["+short", "+time=1", "+tries=1", "-p"])
            .arg(self.address.port().to_string())
            .args(["@127.0.0.1", zone, "SOA"])
            .output()
            .unwrap();
        output.status.success() && !output.stdout.is_empty()
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        // Its own processes end with the first one, if that may see to it.
        let _ = Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status();
        let _ = self.child.wait();
    }
}

/// A deployment, and the zone that was written for it.
struct Case {
    root: Root,
    zone: Vec<String>,
}

impl Case {
    fn new() -> Self {
        let root = Root::new();
        root.run(&[&INSTALL[..], &["--set", "dns.ipv4=192.0.2.10"]].concat())
            .expect_code(0);
        let zone = root.read("dns/example.com.zone");
        let zone = zone.lines().map(str::to_owned).collect();
        Self { root, zone }
    }

    fn check(&self, servers: &[SocketAddr], code: i32) -> Value {
        let mut args: Vec<String> = ["--json", "dns", "--check", "--zone", "example.com"]
            .map(str::to_owned)
            .into();
        for server in servers {
            args.extend(["--nameserver".to_owned(), server.to_string()]);
        }
        args.extend(["--resolver".to_owned(), servers[0].to_string()]);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        self.root.run(&args).expect_code(code).json()
    }
}

/// The zone, and beside it that of others who send for it.
fn served(lines: &[String]) -> NameServer {
    let mut others = "@ 60 IN SOA a. b. 1 1 1 1 1\n@ 60 IN NS ns.invalid.\n_spf 60 IN TXT \"v=spf1 ip4:203.0.113.0/24 -all\"\n".to_owned();
    for n in 0..10 {
        let _ = writeln!(others, "s{n} 60 IN TXT \"v=spf1 -all\"");
    }
    NameServer::serve(&[
        ("example.com", &format!("{}\n", lines.join("\n"))),
        ("example.net", &others),
    ])
}

fn ids(report: &Value) -> Vec<(String, String)> {
    let all = report["findings"].as_array().unwrap();
    let text = |one: &Value, key: &str| one[key].as_str().unwrap().to_owned();
    all.iter()
        .map(|one| (text(one, "id"), text(one, "severity")))
        .collect()
}

/// The zone without the records of a name and type.
fn without(zone: &[String], name: &str, kind: &str) -> Vec<String> {
    let start = format!("{name}. ");
    let kind = format!(" IN {kind} ");
    let found = zone
        .iter()
        .filter(|line| line.starts_with(&start) && line.contains(&kind));
    assert!(found.count() > 0, "no {kind} of {name} in {zone:?}");
    zone.iter()
        .filter(|line| !(line.starts_with(&start) && line.contains(&kind)))
        .cloned()
        .collect()
}

fn instead(zone: &[String], name: &str, kind: &str, lines: &[&str]) -> Vec<String> {
    let mut zone = without(zone, name, kind);
    zone.extend(lines.iter().map(|line| (*line).to_owned()));
    zone
}

const D: &str = "example.com";
const HOST: &str = "mail.example.com";
const DKIM: &str = "dkim._domainkey.example.com";
const DMARC: &str = "_dmarc.example.com";

#[test]
fn what_was_written_is_what_is_looked_for() {
    let case = Case::new();
    let server = served(&case.zone);
    let report = case.check(&[server.address], 0);
    assert_eq!(ids(&report), [], "{report}");
    assert_eq!(report["complete"], true);
    let records = report["records"].as_array().unwrap();
    assert!(records.len() > 12, "{records:?}");
    for one in records {
        assert_eq!(one["state"], "right", "{one}");
    }

    // For people, too.
    let at = server.address.to_string();
    let args = [
        "dns",
        "--check",
        "--nameserver",
        &at,
        "--resolver",
        &at,
        "--zone",
        D,
    ];
    let run = case.root.run(&args).expect_code(0);
    assert!(run.out.contains("records are right"), "{}", run.out);
}

#[test]
fn each_mistake_in_a_zone_is_named() {
    let case = Case::new();
    let text = case
        .zone
        .iter()
        .find(|line| line.starts_with(DKIM))
        .unwrap();
    let (_, dkim) = text.split_once(" IN TXT ").unwrap();
    let key: String = dkim.replace("\" \"", "").trim_matches('"').to_owned();
    let dkim = |value: &str| {
        instead(
            &case.zone,
            DKIM,
            "TXT",
            &[&format!("{DKIM}. 60 IN TXT {value}")],
        )
    };
    let spf = |values: &[&str]| {
        let lines: Vec<String> = values
            .iter()
            .map(|value| format!("{D}. 60 IN TXT {value}"))
            .collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        instead(&case.zone, D, "TXT", &lines)
    };
    let mx = |values: &[&str]| {
        let lines: Vec<String> = values
            .iter()
            .map(|value| format!("{D}. 60 IN MX {value}"))
            .collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        instead(&case.zone, D, "MX", &lines)
    };
    let dmarc = |lines: &[&str]| instead(&case.zone, DMARC, "TXT", lines);
    let many: Vec<String> = (0..10)
        .map(|n| format!("include:s{n}.example.net"))
        .collect();
    let many = many.join(" ");
    // Short enough for what stands around them in a damaged one.
    let (first, rest) = key.split_at(240);
    let faults: Vec<(&str, Vec<String>)> = vec![
        ("mx.present", without(&case.zone, D, "MX")),
        ("mx.ours", mx(&["10 mx.old.example."])),
        ("mx.ip", mx(&["10 192.0.2.10."])),
        // Without the final dot, the zone is added.
        ("mx.dot", mx(&["10 mail.example.com"])),
        ("mx.null", mx(&["0 ."])),
        (
            "host.a",
            instead(
                &case.zone,
                HOST,
                "A",
                &["mail.example.com. 60 IN A 203.0.113.7"],
            ),
        ),
        ("spf.one", without(&case.zone, D, "TXT")),
        (
            "spf.one",
            spf(&[
                "\"v=spf1 mx -all\"",
                "\"v=spf1 include:_spf.example.net ~all\"",
            ]),
        ),
        // Without quotation marks, each word is a string.
        ("spf.syntax", spf(&["v=spf1 mx -all"])),
        ("spf.syntax", spf(&["\"\\\"v=spf1 mx -all\\\"\""])),
        (
            "spf.pass",
            spf(&["\"v=spf1 include:_spf.example.net -all\""]),
        ),
        ("spf.all", spf(&["\"v=spf1 mx +all\""])),
        ("spf.lookups", spf(&[&format!("\"v=spf1 mx {many} -all\"")])),
        ("dkim.present", without(&case.zone, DKIM, "TXT")),
        ("dkim.mangled", dkim(&format!("\"{first}\""))),
        ("dkim.mangled", dkim(&format!("\"{rest}\" \"{first}\""))),
        (
            "dkim.mangled",
            dkim(&format!("\"\\\"{first}\\\"\" \"\\\"{rest}\\\"\"")),
        ),
        (
            "dkim.mangled",
            dkim(&format!("\"{}\" \"{rest}\"", first.replace("; ", "\\\\; "))),
        ),
        (
            "dkim.split",
            instead(
                &case.zone,
                DKIM,
                "TXT",
                &[
                    &format!("{DKIM}. 60 IN TXT \"{first}\""),
                    &format!("{DKIM}. 60 IN TXT \"{rest}\""),
                ],
            ),
        ),
        (
            "dkim.match",
            dkim("\"v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC8\""),
        ),
        ("dkim.revoked", dkim("\"v=DKIM1; k=rsa; p=\"")),
        (
            "ns.double",
            instead(
                &case.zone,
                DKIM,
                "TXT",
                &[&format!("{DKIM} 60 IN TXT \"{first}\" \"{rest}\"")],
            ),
        ),
        ("dmarc.one", without(&case.zone, DMARC, "TXT")),
        (
            "dmarc.one",
            dmarc(&[
                "_dmarc 60 IN TXT \"v=DMARC1; p=none\"",
                "_dmarc 60 IN TXT \"v=DMARC1; p=reject\"",
            ]),
        ),
        ("dmarc.name", dmarc(&["@ 60 IN TXT \"v=DMARC1; p=reject\""])),
        (
            "dmarc.name",
            dmarc(&["dmarc 60 IN TXT \"v=DMARC1; p=reject\""]),
        ),
        (
            "dmarc.syntax",
            dmarc(&["_dmarc 60 IN TXT \"V=dmarc1; p=reject\""]),
        ),
        (
            "ns.double",
            dmarc(&["_dmarc.example.com 60 IN TXT \"v=DMARC1; p=reject\""]),
        ),
    ];
    for (id, zone) in faults {
        let server = served(&zone);
        let report = case.check(&[server.address], 1);
        let found = ids(&report);
        assert_eq!(found, [(id.to_owned(), "error".to_owned())], "{report}");
        assert_ne!(
            report["findings"][0]["hints"]
                .as_array()
                .map_or(0, Vec::len),
            0
        );
        assert_eq!(report["complete"], false);
    }
}

#[test]
fn servers_that_disagree_or_say_nothing_are_named() {
    let case = Case::new();
    let (new, old) = (
        served(&case.zone),
        served(&without(&case.zone, DMARC, "TXT")),
    );
    let report = case.check(&[new.address, old.address], 1);
    assert_eq!(
        ids(&report),
        [("ns.consistent".to_owned(), "warning".to_owned())]
    );
    let message = report["findings"][0]["message"].as_str().unwrap();
    assert!(message.contains(&old.address.to_string()), "{message}");
    assert!(!message.contains(&new.address.to_string()), "{message}");

    // A server of other zones refuses; one that is away says nothing: neither makes a record missing.
    let other = NameServer::serve(&[(
        "example.net",
        "@ 60 IN SOA a. b. 1 1 1 1 1\n@ 60 IN NS ns.example.org.\n",
    )]);
    let report = case.check(&[new.address, other.address], 0);
    assert_eq!(ids(&report), [("ns.lame".to_owned(), "warning".to_owned())]);
    let gone = other.address;
    drop(other);
    let report = case.check(&[gone], 2);
    assert_eq!(ids(&report), [("ns.silent".to_owned(), "error".to_owned())]);
    for one in report["records"].as_array().unwrap() {
        assert_eq!(one["state"], "unknown", "{one}");
    }
}

#[test]
fn a_name_server_is_found_by_asking() {
    // The zone's server is its own resolver here, and its name leads to where nobody answers: that is told, and nothing is called missing.
    let case = Case::new();
    let mut zone = case.zone.clone();
    for line in &mut zone {
        *line = line.replace("ns.invalid.", "ns.example.com.");
    }
    zone.push("ns.example.com. 60 IN A 127.0.0.77".to_owned());
    let server = served(&zone);
    let at = server.address.to_string();
    let run = case
        .root
        .run(&["--json", "dns", "--check", "--resolver", &at, "--zone", D])
        .expect_code(2);
    let report = run.json();
    assert_eq!(ids(&report), [("ns.silent".to_owned(), "error".to_owned())]);
    assert!(
        report["findings"][0]["value"]
            .as_str()
            .unwrap()
            .contains("ns.example.com (127.0.0.77)"),
        "{report}"
    );
}

/// The page for the domain's owner says what is published, too.
#[test]
fn the_owners_page_says_how_records_are() {
    let case = Case::new();
    let out = case.root.path().join("pages");
    let out = out.to_str().unwrap();
    let page = |lines: &[String], more: &[&str], code: i32| {
        let server = served(lines);
        let at = server.address.to_string();
        let args = [
            "dns",
            "--check",
            "--format",
            "html",
            "--nameserver",
            &at,
            "--resolver",
            &at,
        ];
        case.root.run(&[&args[..], more].concat()).expect_code(code)
    };
    let all = page(&case.zone, &["--zone", D], 0).out;
    assert!(
        all.starts_with("<!doctype html><!-- DNS records for example.com -->"),
        "{all}"
    );
    assert!(
        all.contains("Complete:</strong> 5 of 5 required records are right; checked <time"),
        "{all}"
    );
    assert!(all.contains("There is nothing left to do."), "{all}");
    assert_eq!(
        all.matches("data-state=\"right\"").count(),
        all.matches("<details>").count(),
        "{all}"
    );
    // The time of the look, to the minute.
    let (_, time) = all.split_once("<time datetime=\"").unwrap();
    let (time, _) = time.split_once('"').unwrap();
    let time: jiff::Timestamp = time.parse().unwrap();
    let ago = jiff::Timestamp::now().as_second() - time.as_second();
    assert!((0..600).contains(&ago), "{time}");

    // The exit status and what is said beside it are those of the check.
    let zone = without(&case.zone, D, "MX");
    let run = page(&zone, &["--zone", D], 1);
    assert!(run.err.contains("[mx.present]"), "{}", run.err);
    for words in [
        "Not complete:</strong> 4 of 5 required",
        "data-state=\"missing\" data-id=\"example.com&#x2f;MX\"",
        "Add, as it stands below",
    ] {
        assert!(run.out.contains(words), "no {words} in {}", run.out);
    }
    let files = page(&zone, &["--out", out, "--zone", D], 1);
    let path = files.out.trim();
    assert!(path.ends_with("example.com.html"), "{path}");
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains("data-state=\"missing\""), "{text}");
    // The plain page is the same file, and replaces it.
    case.root
        .run(&["dns", "--format", "html", "--out", out])
        .expect_code(0);
    let text = std::fs::read_to_string(path).unwrap();
    assert!(
        !text.contains("data-state") && !text.contains("<time"),
        "{text}"
    );
    let json = page(&zone, &["--json", "--out", out, "--zone", D], 1).json();
    assert_eq!(json["files"].as_array().unwrap().len(), 1, "{json}");
    assert_eq!(json["check"]["complete"], false, "{json}");

    // A domain that nobody answers for is neither right nor wrong.
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let at = silent.local_addr().unwrap().to_string();
    let args = [
        "dns",
        "--check",
        "--format",
        "html",
        "--zone",
        D,
        "--nameserver",
        &at,
        "--resolver",
        &at,
    ];
    let run = case.root.run(&args).expect_code(2);
    assert!(
        run.out.contains("Could not be looked up") && !run.out.contains("data-state=\"missing\""),
        "{}",
        run.out
    );

    // Forms without room for it say so, before anybody is asked.
    for more in [
        &["--format", "csv"][..],
        &["--format", "records", "--out", out],
        &["--out", out],
    ] {
        let run = case
            .root
            .run(&[&["dns", "--check"], more].concat())
            .expect_code(2);
        assert!(run.err.contains("--format html"), "{}", run.err);
    }
}

#[test]
fn options_of_the_check_need_it() {
    let case = Case::new();
    let run = case
        .root
        .run(&["dns", "--resolver", "127.0.0.1"])
        .expect_code(2);
    assert!(run.err.contains("--check"), "{}", run.err);
}
