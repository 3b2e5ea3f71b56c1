//! The formats of DNS records: somebody else's reader of each finds the records that went in, byte for byte.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use mailu_core::Config;
use mailu_core::dns::check::{self, Expected, Facts, Reply, Seen, Servers, State};
use mailu_core::dns::formats::{Format, Logo, Page, RenderedText, render, render_checked};
use mailu_core::dns::{Data, Record, Report, ZoneReport, is_providers};
use proptest::strategy::{Strategy as _, ValueTree as _};
use serde_json::Value;

use crate::browser::{HOSTILE, diagnosis};
use crate::random;
use crate::support::{Root, SMALL, succeed, tests, tool, workspace};
use crate::zone::whole;

/// One record in the form of `tools/read_dns.py`: owner, time to live, type, data.
type Row = (String, u32, String, String);

fn hex(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

fn row(record: &Record, data: &Data) -> Row {
    let dotted = |name: &str| format!("{}.", name.trim_end_matches('.'));
    let text = match data {
        Data::A { address } => address.to_string(),
        Data::Aaaa { address } => address.to_string(),
        Data::Cname { target } | Data::Ptr { target } => dotted(target),
        Data::Mx {
            preference,
            exchange,
        } => format!("{preference} {}", dotted(exchange)),
        Data::Srv {
            priority,
            weight,
            port,
            target,
        } => format!("{priority} {weight} {port} {}", dotted(target)),
        Data::Caa { flags, tag, value } => format!("{flags} {tag} {}", hex(value)),
        Data::Tlsa {
            usage,
            selector,
            matching,
            association,
        } => format!("{usage} {selector} {matching} {association}"),
        Data::Txt { text } => hex(text),
        other => panic!("{other:?}"),
    };
    (
        format!("{}.", record.fqdn),
        record.ttl,
        record.kind.to_owned(),
        text,
    )
}

/// Texts as nobody writes them, the same ones every time.
struct Odd {
    runner: proptest::test_runner::TestRunner,
}

impl Odd {
    fn new() -> Self {
        Self {
            runner: proptest::test_runner::TestRunner::deterministic(),
        }
    }

    fn text(&mut self) -> String {
        let line = random::hostile_line().new_tree(&mut self.runner).unwrap();
        line.current().replace(char::is_control, "")
    }

    /// Adds to each zone what no deployment has yet: records of every type, odd texts, two records of one name, and
    /// one whose data is not known.
    fn add(&mut self, report: &mut Report) {
        for zone in &mut report.zones {
            let origin = zone.zone.clone();
            let like = zone.records[0].clone();
            let mut add = |name: &str, data: Data| {
                let mut record = like.clone();
                record.fqdn = format!("{name}.{origin}");
                record.kind = data.kind();
                record.id = format!("{}/{}", record.fqdn, record.kind);
                record.data = Some(data);
                zone.records.push(record);
            };
            let caa = |tag: &str, value: &str| Data::Caa {
                flags: if tag == "issue" { 128 } else { 0 },
                tag: tag.to_owned(),
                value: value.to_owned(),
            };
            add(
                "odd",
                caa(
                    "issue",
                    "letsencrypt.org;accounturi=https://acme.test/acct/1;validationmethods=http-01",
                ),
            );
            add("odd", caa("issuewild", ";"));
            add("odd", caa("iodef", "mailto:\"a;b\\c\"@example.com"));
            for (name, association) in
                [("_25._tcp", "0".repeat(64)), ("_465._tcp", "1e".repeat(32))]
            {
                add(
                    name,
                    Data::Tlsa {
                        usage: 3,
                        selector: 1,
                        matching: 1,
                        association,
                    },
                );
            }
            add(
                "_none._tcp",
                Data::Srv {
                    priority: 0,
                    weight: 0,
                    port: 0,
                    target: ".".to_owned(),
                },
            );
            add(
                "_two._tcp",
                Data::Srv {
                    priority: 10,
                    weight: 1,
                    port: 993,
                    target: "mail.example.net".to_owned(),
                },
            );
            add(
                "_two._tcp",
                Data::Srv {
                    priority: 20,
                    weight: 5,
                    port: 143,
                    target: "mail.example.org".to_owned(),
                },
            );
            add(
                "odd",
                Data::A {
                    address: "192.0.2.1".parse().unwrap(),
                },
            );
            add(
                "odd",
                Data::A {
                    address: "192.0.2.2".parse().unwrap(),
                },
            );
            add(
                "odd",
                Data::Aaaa {
                    address: "2001:db8::1".parse().unwrap(),
                },
            );
            add(
                "odd",
                Data::Mx {
                    preference: 0,
                    exchange: "mail.example.net".to_owned(),
                },
            );
            // Their order is by what the numbers count.
            add(
                "x9",
                Data::Cname {
                    target: "mail.example.net".to_owned(),
                },
            );
            add(
                "x10",
                Data::Cname {
                    target: "mail.example.net".to_owned(),
                },
            );
            let mut texts = BTreeSet::from([
                format!("{}\"\\\"{}", "é".repeat(126), "ü;".repeat(200)),
                format!(
                    "{}\"{}\\{}",
                    "a".repeat(254),
                    "b".repeat(255),
                    "c".repeat(300)
                ),
                "${a} %{b} $${c} %%{d} $".to_owned(),
                "a`b``c|d\\|e <b>&amp;</b> *x* '\"".to_owned(),
                "\"in quotes\"".to_owned(),
                "e\u{301} \u{e9} 😀".to_owned(),
                "\\195\\300;\\; \" \"".to_owned(),
            ]);
            texts.extend((0..4).map(|_| self.text()));
            texts.retain(|text| !text.trim().is_empty());
            for (index, text) in texts.into_iter().enumerate() {
                add(&format!("t{}", index / 2), Data::Txt { text });
            }
            let mut unknown = like.clone();
            unknown.fqdn = format!("unknown.{origin}");
            unknown.kind = "TXT";
            unknown.data = None;
            unknown.condition = Some("it is drawn later".to_owned());
            zone.records.push(unknown);
        }
    }
}

/// Adds a zone with the name of an address; every other one is the deployment's own.
fn add_pointer(config: &mut Config, report: &mut Report, number: usize) {
    let mut zone = report.zones[0].clone();
    zone.zone = format!("{number}.0.192.in-addr.arpa");
    let mut record = zone.records[0].clone();
    record.zone.clone_from(&zone.zone);
    record.fqdn = format!("10.{}", zone.zone);
    let data = Data::Ptr {
        target: "mail.example.com".to_owned(),
    };
    record.kind = data.kind();
    record.id = format!("{}/{}", record.fqdn, record.kind);
    record.data = Some(data);
    record.condition = None;
    zone.records = vec![record];
    if number.is_multiple_of(2) {
        config.dns.zones.push(zone.zone.parse().unwrap());
    }
    report.zones.push(zone);
}

/// The thirty that most tests look at.
static THIRTY: LazyLock<Vec<(Config, Report)>> = LazyLock::new(|| some(30));

/// Deployments at random, each with odd records.
fn some(count: usize) -> Vec<(Config, Report)> {
    let mut odd = Odd::new();
    let mut all: Vec<_> = random::some(count)
        .into_iter()
        .enumerate()
        .map(|(number, mut config)| {
            let mut report = whole(&config);
            // One of them is added below, in a form of its own for each deployment.
            report
                .zones
                .retain(|zone| !is_providers(&config, &zone.zone));
            odd.add(&mut report);
            add_pointer(&mut config, &mut report, number);
            (config, report)
        })
        .collect();
    let zones = all.iter().flat_map(|(_, report)| &report.zones);
    let international = zones.filter(|zone| zone.zone.starts_with("xn--")).count();
    assert!(international >= 3, "{international} international zones");
    // One with a zone that none of the records is known of.
    let config = crate::compose::config(SMALL);
    let mut report = whole(&config);
    report.zones[0]
        .records
        .iter_mut()
        .for_each(|record| record.data = None);
    all.push((config, report));
    all
}

/// What a reader should find of a zone.
fn rows(zone: &ZoneReport, wanted: impl Fn(&Data) -> bool) -> BTreeSet<Row> {
    let known = zone
        .records
        .iter()
        .filter_map(|record| Some((record, record.data.as_ref()?)));
    known
        .filter(|(_, data)| wanted(data))
        .map(|(record, data)| row(record, data))
        .collect()
}

/// Each text with its zone. What has no text of its own stands in the first one.
fn pairs(config: &Config, report: &Report, format: Format) -> Vec<(ZoneReport, RenderedText)> {
    let texts = texts(config, report, format);
    let first = texts[0].clone();
    let mut without: Vec<&ZoneReport> = report.zones.iter().collect();
    let pairs: Vec<_> = texts
        .into_iter()
        .map(|text| {
            let at = without.iter().position(|zone| zone.zone == text.zone);
            (without.remove(at.unwrap()).clone(), text)
        })
        .collect();
    for zone in without {
        assert!(
            is_providers(config, &zone.zone),
            "{} has no text",
            zone.zone
        );
        for record in &zone.records {
            assert!(first.text.contains(&record.fqdn), "{}", first.text);
        }
    }
    for (zone, text) in &pairs {
        assert_unknown_is_said(zone, text);
    }
    pairs
}

fn texts(config: &Config, report: &Report, format: Format) -> Vec<RenderedText> {
    render(config, report, format, &Page::default()).unwrap()
}

/// `tools/read_dns.py` over `files`.
fn read(format: &str, files: &[PathBuf]) -> BTreeMap<PathBuf, Value> {
    let python = workspace().join(".cache/python/bin/python");
    assert!(
        python.exists(),
        "the tests' Python is missing: run `make tools`"
    );
    let printed = succeed(
        Command::new(python)
            .arg(tests("tools/read_dns.py"))
            .arg(format)
            .args(files),
    );
    serde_json::from_str(&printed).unwrap()
}

/// The rows in what was read; nothing twice.
fn as_rows(value: Value, place: &Path) -> BTreeSet<Row> {
    let list: Vec<Row> = serde_json::from_value(value).unwrap();
    let all: BTreeSet<Row> = list.iter().cloned().collect();
    assert_eq!(
        all.len(),
        list.len(),
        "something is in {} twice",
        place.display()
    );
    all
}

/// Writes every zone of `all` in `format`, reads it back, and compares.
fn compare(
    all: &[(Config, Report)],
    format: Format,
    write: impl Fn(&RenderedText) -> String,
    wanted: impl Fn(&Data) -> bool,
) {
    let directory = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    let mut expected = Vec::new();
    for (index, (config, report)) in all.iter().enumerate() {
        let place = directory.path().join(index.to_string());
        std::fs::create_dir(&place).unwrap();
        for (at, (zone, text)) in pairs(config, report, format).into_iter().enumerate() {
            let path = place.join(&text.name);
            std::fs::write(&path, write(&text)).unwrap();
            files.push(path);
            let mut rows_here = rows(&zone, &wanted);
            if format == Format::Html && at == 0 {
                // People get them as records.
                let theirs = report
                    .zones
                    .iter()
                    .filter(|zone| is_providers(config, &zone.zone));
                rows_here.extend(theirs.flat_map(|zone| rows(zone, &wanted)));
            }
            expected.push(rows_here);
        }
    }
    let mut read = read(format.as_str(), &files);
    let mut count = 0;
    for (file, expected) in files.iter().zip(expected) {
        let mut value = read.remove(file).unwrap();
        if let Some(records) = value.get_mut("records") {
            value = records.take();
        }
        let found = as_rows(value, file);
        same(&found, &expected, file);
        count += expected.len();
    }
    assert!(count > 20 * all.len(), "only {count} records");
}

fn same(found: &BTreeSet<Row>, expected: &BTreeSet<Row>, file: &Path) {
    let missing: Vec<_> = expected.difference(found).collect();
    let strange: Vec<_> = found.difference(expected).collect();
    assert!(
        missing.is_empty() && strange.is_empty(),
        "{}: missing {missing:#?}, and instead {strange:#?}",
        file.display()
    );
}

/// What is not known yet is said with its reason.
fn assert_unknown_is_said(zone: &ZoneReport, text: &RenderedText) {
    for record in zone.records.iter().filter(|record| record.data.is_none()) {
        // Its longest run of words, which nothing escapes.
        let reason = record.condition.as_deref().unwrap_or("not known yet");
        let runs = reason.split(|c: char| !c.is_alphanumeric() && c != ' ');
        let reason = runs.max_by_key(|run| run.len()).unwrap();
        for words in [record.fqdn.as_str(), reason] {
            let escaped = words.replace('_', "\\_");
            assert!(
                text.text.contains(words) || text.text.contains(&escaped),
                "{words} is not in {}",
                text.text
            );
        }
    }
}

#[test]
fn octodns_reads_the_same_records() {
    compare(
        &THIRTY,
        Format::Octodns,
        |text| text.text.clone(),
        |data| match data {
            // What octoDNS' own form of texts has no place for stands there as a comment.
            Data::Txt { text } => !text.contains("\\;") && !text.contains("\" \""),
            _ => true,
        },
    );
}

#[test]
fn spreadsheets_read_the_same_records() {
    compare(&THIRTY, Format::Csv, |text| text.text.clone(), |_| true);
}

#[test]
fn markdown_shows_the_same_records() {
    compare(
        &THIRTY,
        Format::Markdown,
        |text| text.text.clone(),
        |_| true,
    );
}

#[test]
fn the_page_shows_the_same_records() {
    compare(&THIRTY, Format::Html, |text| text.text.clone(), |_| true);
}

#[test]
fn terraform_reads_the_same_records() {
    let formatter = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
        .map(|place| place.join("terraform"))
        .find(|path| path.is_file());
    for format in [Format::TerraformCloudflare, Format::TerraformRoute53] {
        // A parser of HCL in place of the program, which few machines have; and the program where it is.
        let json = |text: &RenderedText| {
            let body: Value = hcl::from_str(&text.text)
                .unwrap_or_else(|error| panic!("{error} in\n{}", text.text));
            body.to_string()
        };
        compare(&THIRTY, format, json, |_| true);
        if let Some(terraform) = &formatter {
            let directory = tempfile::tempdir().unwrap();
            let (config, report) = &THIRTY[0];
            for text in texts(config, report, format) {
                std::fs::write(directory.path().join(&text.name), &text.text).unwrap();
            }
            succeed(
                Command::new(terraform)
                    .args(["fmt", "-check", "-diff"])
                    .arg(directory.path()),
            );
        }
    }
}

/// A resource keeps its address as long as its record is wanted, and no two have the same.
#[test]
fn terraform_addresses_are_different() {
    for (config, report) in &THIRTY[..5] {
        for format in [Format::TerraformCloudflare, Format::TerraformRoute53] {
            let text = format.joined(&texts(config, report, format)).unwrap();
            let heads: Vec<&str> = text
                .lines()
                .filter(|line| line.starts_with("resource ") || line.starts_with("variable "))
                .collect();
            let different: BTreeSet<&str> = heads.iter().copied().collect();
            assert_eq!(heads.len(), different.len(), "{heads:#?}");
        }
    }
    let config = crate::compose::config(SMALL);
    let text = &texts(&config, &whole(&config), Format::TerraformCloudflare)[0].text;
    assert!(
        text.contains("\"cloudflare_dns_record\" \"_dmarc_example_com_dmarc\""),
        "{text}"
    );
}

/// BIND's canonical form of a zone, read by dnspython.
#[test]
fn bind_reads_the_same_records() {
    let directory = tempfile::tempdir().unwrap();
    for format in [Format::Records, Format::Zone] {
        let (mut files, mut expected) = (Vec::new(), Vec::new());
        for (config, report) in &THIRTY[..20] {
            for (zone, text) in pairs(config, report, format) {
                let file = directory
                    .path()
                    .join(format!("{}.{}", files.len(), text.name));
                let head = if format == Format::Zone {
                    String::new()
                } else {
                    start(&zone.zone)
                };
                std::fs::write(&file, format!("{head}{}", text.text)).unwrap();
                let canonical = succeed(
                    Command::new(tool("named-compilezone"))
                        .args(["-q", "-i", "local", "-o", "-"])
                        .arg(&zone.zone)
                        .arg(&file),
                );
                std::fs::write(&file, canonical).unwrap();
                files.push(file);
                expected.push(rows(&zone, |_| true));
            }
        }
        let mut read = read("zone", &files);
        for (file, expected) in files.iter().zip(expected) {
            same(&as_rows(read.remove(file).unwrap(), file), &expected, file);
        }
    }
}

/// An empty zone.
fn start(zone: &str) -> String {
    format!(
        "$TTL 300\n{zone}. 300 IN SOA ns.invalid. hostmaster.{zone}. 1 7200 900 1209600 300\n{zone}. 300 IN NS ns.invalid.\n"
    )
}

/// A name server for dynamic updates, which goes away with the test.
struct Named {
    process: Child,
    port: u16,
    directory: tempfile::TempDir,
}

impl Drop for Named {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Named {
    /// Serves `zones`, each with its text.
    fn serving(zones: &BTreeMap<String, String>) -> Self {
        // Another process may take the port before the server does.
        (0..5)
            .find_map(|_| Self::try_serving(zones))
            .unwrap_or_else(|| panic!("named finds no port"))
    }

    fn try_serving(zones: &BTreeMap<String, String>) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().display();
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let key = "key \"test\" { algorithm hmac-sha256; secret \"bWFpbHUgdGVzdHMgbWFpbHUgdGVzdHMgMTIzNDU2Nzg=\"; };\n";
        std::fs::write(directory.path().join("key"), key).unwrap();
        let mut settings = format!(
            "{key}options {{ directory \"{place}\"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; pid-file none; session-keyfile none; \
             recursion no; notify no; dnssec-validation no; empty-zones-enable no; allow-transfer {{ 127.0.0.1; }}; }};\ncontrols {{ }};\n"
        );
        for (index, (zone, text)) in zones.iter().enumerate() {
            std::fs::write(directory.path().join(format!("{index}.db")), text).unwrap();
            let _ = writeln!(
                settings,
                "zone \"{zone}\" {{ type primary; file \"{index}.db\"; allow-update {{ key \"test\"; }}; }};"
            );
        }
        let file = directory.path().join("named.conf");
        std::fs::write(&file, settings).unwrap();
        let log = std::fs::File::create(directory.path().join("log")).unwrap();
        let process = Command::new(tool("named"))
            .args(["-g", "-n", "1", "-c"])
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut server = Self {
            process,
            port,
            directory,
        };
        let last = zones.keys().next_back().unwrap().clone();
        let until = Instant::now() + Duration::from_secs(60);
        while server.process.try_wait().unwrap().is_none() && Instant::now() < until {
            if server.dig(&[&last, "SOA"]).contains("SOA") {
                return Some(server);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let log = std::fs::read_to_string(server.directory.path().join("log")).unwrap();
        assert!(log.contains("address in use"), "{log}");
        None
    }

    fn dig(&self, question: &[&str]) -> String {
        let output = Command::new(tool("dig"))
            .args(["@127.0.0.1", "-p", &self.port.to_string()])
            .args(["+noall", "+answer", "+onesoa", "+tries=1", "+time=2"])
            .args(question)
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Sends commands; whether all of them were accepted.
    fn update(&self, commands: &str) -> bool {
        let file = self.directory.path().join("commands");
        std::fs::write(&file, format!("server 127.0.0.1 {}\n{commands}", self.port)).unwrap();
        let output = Command::new(tool("nsupdate"))
            .arg("-k")
            .arg(self.directory.path().join("key"))
            .arg(&file)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            output.status.success() || said.lines().all(|line| line == "update failed: YXRRSET"),
            "{said}\n{}",
            std::fs::read_to_string(self.directory.path().join("log")).unwrap()
        );
        output.status.success()
    }

    fn rows(&self, zones: &[&str]) -> BTreeMap<String, BTreeSet<Row>> {
        let files: Vec<PathBuf> = zones
            .iter()
            .map(|zone| {
                let file = self.directory.path().join(format!("{zone}.axfr"));
                std::fs::write(&file, self.dig(&[zone, "AXFR"])).unwrap();
                file
            })
            .collect();
        let mut read = read("zone", &files);
        zones
            .iter()
            .zip(&files)
            .map(|(zone, file)| {
                (
                    (*zone).to_owned(),
                    as_rows(read.remove(file).unwrap(), file),
                )
            })
            .collect()
    }
}

/// The commands are sent to a real name server, and asked back from there.
#[test]
fn nsupdate_adds_the_same_records() {
    let mut all: BTreeMap<String, (ZoneReport, String)> = BTreeMap::new();
    for (config, report) in THIRTY.iter() {
        for (zone, text) in pairs(config, report, Format::Nsupdate) {
            assert!(!text.text.contains("update del"), "{}", text.text);
            all.insert(zone.zone.clone(), (zone, text.text));
        }
    }
    let empty = all.keys().map(|zone| (zone.clone(), start(zone))).collect();
    let server = Named::serving(&empty);
    for (_, commands) in all.values() {
        assert!(server.update(commands));
    }
    let zones: Vec<&str> = all.keys().map(String::as_str).collect();
    let found = server.rows(&zones);
    let mut count = 0;
    for (zone, (report, _)) in &all {
        let expected = rows(report, |_| true);
        same(&found[zone], &expected, Path::new(zone));
        count += expected.len();
    }
    assert!(
        zones.len() >= 20 && count > 600,
        "{count} records in {} zones",
        zones.len()
    );
}

/// What the zone has stays, an alias that leads elsewhere too; the same again changes nothing.
#[test]
fn nsupdate_leaves_what_is_there() {
    // BIND refuses an MX record whose host is in the same zone without an address.
    let config = crate::compose::config(&format!("{SMALL}[dns]\nipv4 = \"203.0.113.10\"\n"));
    let report = whole(&config);
    let commands = &texts(&config, &report, Format::Nsupdate)[0].text;
    let there = "example.com. 300 IN MX 5 old.example.net.\nexample.com. 300 IN TXT \"google-site-verification=x\"\n\
                 autoconfig.example.com. 300 IN CNAME other.example.net.\nwww.example.com. 300 IN A 192.0.2.80\n";
    let text = format!("{}{there}", start("example.com"));
    let server = Named::serving(&BTreeMap::from([("example.com".to_owned(), text)]));
    // A time to live belongs to all records of a name and type, so that it is left out here.
    let now = || -> BTreeSet<(String, String, String)> {
        let mut read = server.rows(&["example.com"]);
        let rows = read.remove("example.com").unwrap();
        rows.into_iter()
            .map(|(name, _, kind, data)| (name, kind, data))
            .collect()
    };
    let before = now();
    assert!(
        !server.update(commands),
        "the alias that is there must be said"
    );
    let after = now();
    assert!(before.is_subset(&after), "{before:#?}\n{after:#?}");
    let added = rows(&report.zones[0], |_| true)
        .into_iter()
        .map(|(name, _, kind, data)| (name, kind, data))
        .filter(|(name, _, _)| name != "autoconfig.example.com.");
    let expected: BTreeSet<_> = before.into_iter().chain(added).collect();
    assert_eq!(after, expected);
    server.update(commands);
    assert_eq!(now(), after);
}

/// The page asks nobody for anything, and its policy allows its own style and script alone.
#[test]
fn the_page_is_complete_in_itself() {
    let directory = tempfile::tempdir().unwrap();
    let svg = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"10\" height=\"10\"/>";
    let name = "Müller & <Söhne> \"GmbH\"";
    let page = Page::new(
        Some(name.to_owned()),
        Some(Logo::new(svg.as_bytes().to_vec()).unwrap()),
    );
    let (config, report) = &THIRTY[0];
    for text in render(config, report, Format::Html, &page).unwrap() {
        let file = directory.path().join(&text.name);
        std::fs::write(&file, &text.text).unwrap();
        let read = read("html", std::slice::from_ref(&file))
            .remove(&file)
            .unwrap();
        assert_complete(&read);
        assert!(!text.text.contains(name), "the name is not escaped");
    }
}

/// Nothing is loaded but the logo, and nothing may be.
fn assert_complete(read: &Value) {
    let list = |key: &str| -> Vec<String> { serde_json::from_value(read[key].clone()).unwrap() };
    let loads = list("loads");
    assert!(
        loads.len() == 1 && loads[0].starts_with("data:image/svg+xml;base64,"),
        "{loads:?}"
    );
    let allowed = list("allowed");
    for rule in [
        "default-src 'none'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
    ] {
        assert!(allowed.iter().any(|one| one == rule), "{allowed:?}");
    }
    let there = list("there");
    assert_eq!(there.len(), 2, "{there:?}");
    assert!(
        there.iter().all(|one| allowed.contains(one)),
        "{there:?} {allowed:?}"
    );
    assert_eq!(allowed.len(), 6, "{allowed:?}");
}

/// What a stranger's name servers say is text, and the records are what they were.
#[test]
fn what_others_have_published_cannot_change_the_page() {
    let directory = tempfile::tempdir().unwrap();
    let svg = "<svg xmlns=\"http://www.w3.org/2000/svg\"/>";
    let page = Page::new(None, Some(Logo::new(svg.as_bytes().to_vec()).unwrap()));
    let (mut files, mut expected) = (Vec::new(), Vec::new());
    for (index, (config, report)) in THIRTY[..10].iter().enumerate() {
        let mut facts = Facts::default();
        for zone in &report.zones {
            let servers = Servers::Known(vec![HOSTILE[0].to_owned()]);
            facts.zones.insert(zone.zone.clone(), servers);
        }
        for (number, question) in check::questions(report).into_iter().enumerate() {
            let hostile = HOSTILE[number % HOSTILE.len()];
            let seen = if question.kind == "TXT" {
                let head =
                    ["v=spf1 ", "v=DKIM1; p=", "v=DMARC1; p=", ""][number / HOSTILE.len() % 4];
                Seen::text(&format!("{head}{hostile}"))
            } else {
                Seen::Plain(hostile.to_owned())
            };
            let records = vec![seen];
            let alias = number.is_multiple_of(7).then(|| hostile.to_owned());
            let reply = Reply::Found { records, alias };
            facts
                .replies
                .insert(question, BTreeMap::from([(HOSTILE[0].to_owned(), reply)]));
        }
        let published = check::judge(report, &Expected::default(), &facts);
        assert!(
            published
                .records
                .iter()
                .any(|one| one.state == State::Wrong)
        );
        let texts = render_checked(config, report, &page, &published, HOSTILE[2]).unwrap();
        let place = directory.path().join(index.to_string());
        std::fs::create_dir(&place).unwrap();
        for text in texts {
            let zone = report
                .zones
                .iter()
                .find(|zone| zone.zone == text.zone)
                .unwrap();
            let file = place.join(&text.name);
            std::fs::write(&file, &text.text).unwrap();
            files.push(file);
            expected.push(rows(zone, |_| true));
        }
    }
    let mut read = read("html", &files);
    for (file, expected) in files.iter().zip(expected) {
        let mut value = read.remove(file).unwrap();
        assert_complete(&value);
        assert_tags(&value);
        let text = value["text"].as_str().unwrap();
        assert!(
            expected.len() < 10 || HOSTILE.iter().all(|hostile| text.contains(hostile)),
            "{text}"
        );
        // What others have in their SPF records may be merged into ours; and pages have the provider's records, too.
        let found = as_rows(value["records"].take(), file);
        let missing: Vec<_> = expected
            .difference(&found)
            .filter(|(_, _, kind, data)| kind != "TXT" || !data.starts_with(&hex("v=spf1 ")))
            .collect();
        assert!(missing.is_empty(), "{}: {missing:#?}", file.display());
    }
}

/// Only elements that the templates have.
fn assert_tags(read: &Value) {
    let tags: BTreeSet<String> = serde_json::from_value(read["tags"].clone()).unwrap();
    for tag in &tags {
        let known = "a article bdi body button code dd details div dl dt footer h1 h2 h3 head header html img input label li main \
                     meta p script section span strong style summary time title ul";
        assert!(known.split(' ').any(|known| known == tag), "{tag}");
    }
}

#[test]
fn the_report_is_complete_in_itself_and_hostile_values_are_text() {
    let directory = tempfile::tempdir().unwrap();
    let svg = "<svg xmlns=\"http://www.w3.org/2000/svg\"/>";
    let page = Page::new(
        Some(HOSTILE[1].to_owned()),
        Some(Logo::new(svg.as_bytes().to_vec()).unwrap()),
    );
    let file = directory.path().join("report.html");
    std::fs::write(&file, diagnosis(&page)).unwrap();
    let value = read("report", std::slice::from_ref(&file))
        .remove(&file)
        .unwrap();
    assert_complete(&value);
    assert_tags(&value);
    let text = value["text"].as_str().unwrap();
    for hostile in HOSTILE {
        assert!(text.matches(hostile).count() >= 2, "{hostile} in {text}");
    }
    let articles = value["articles"].as_array().unwrap();
    let ids: Vec<&str> = articles
        .iter()
        .map(|one| one["data-id"].as_str().unwrap())
        .collect();
    // The worst first; then what follows from it, and what is ignored.
    let wanted = [
        "smtp.relay",
        "spf.one",
        HOSTILE[3],
        "names.postmaster",
        "dmarc.aligned",
        "x.other",
        "rdns.generic",
        "bimi.none",
    ];
    assert_eq!(ids, wanted);
    for words in [
        "Ignored until 2027-01-31",
        "Ignored for good: the client does not want it",
        "because of spf.one",
        "2026-11-26 14:05 UTC",
        "port 25 is closed",
    ] {
        assert!(text.contains(words), "{words} in {text}");
    }
}

/// The zone of a provider has no file that a program would act on, also where it is asked for by its name.
#[test]
fn a_providers_zone_is_not_written() {
    let (mut config, mut report) = THIRTY[1].clone();
    assert!(is_providers(&config, &report.zones.last().unwrap().zone));
    report.zones.drain(..report.zones.len() - 1);
    let name = report.zones[0].records[0].fqdn.clone();
    let acts = |line: &str| !line.starts_with([';', '#']) && line.contains(&name);
    for format in [
        Format::Zone,
        Format::Octodns,
        Format::TerraformCloudflare,
        Format::TerraformRoute53,
        Format::Nsupdate,
    ] {
        let text = &texts(&config, &report, format)[0].text;
        assert!(text.contains(&name) && !text.lines().any(acts), "{text}");
    }
    config.dns.zones.push(report.zones[0].zone.parse().unwrap());
    let text = &texts(&config, &report, Format::Nsupdate)[0].text;
    assert!(text.lines().any(acts), "{text}");
}

/// Several zones: one text where the format allows that, files otherwise.
#[test]
fn the_command_prints_and_writes_every_format() {
    let root = Root::new();
    root.install();
    root.run(&[
        "config",
        "set",
        "email_domains=[\"example.org\"]",
        "dns.ipv4=203.0.113.10",
    ])
    .expect_code(0);
    let out = root.path().join("out/records");
    let out_text = out.to_str().unwrap();
    for format in Format::ALL {
        let name = format.as_str();
        let run = root.run(&["dns", "--format", name]);
        if matches!(format, Format::Octodns | Format::Html) {
            assert_eq!(run.code, 2, "{}", run.out);
            for word in ["--zone", "--out", "example.com, example.org"] {
                assert!(run.err.contains(word), "{}", run.err);
            }
        } else {
            assert_eq!(run.code, 0, "{}", run.err);
            assert!(run.out.contains("example.com") && run.out.contains("example.org"));
        }
        let one = root
            .run(&["dns", "--format", name, "--zone", "example.org"])
            .expect_code(0);
        let paths = root
            .run(&["dns", "--format", name, "--out", out_text])
            .expect_code(0)
            .out;
        for path in paths.lines() {
            let text = std::fs::read_to_string(path).unwrap();
            if path.contains("/example.org.") {
                assert_eq!(text, one.out, "{path}");
            }
        }
        // The same again is ours; an edited file that still says what it is, too.
        let path = paths.lines().next().unwrap();
        let text = std::fs::read_to_string(path).unwrap();
        std::fs::write(path, format!("{text}\n")).unwrap();
        root.run(&["dns", "--format", name, "--out", out_text])
            .expect_code(0);
        assert_eq!(std::fs::read_to_string(path).unwrap(), text);
        // What is not ours stays, and nothing beside it is written.
        for path in paths.lines() {
            std::fs::remove_file(path).unwrap();
        }
        let path = paths.lines().last().unwrap();
        std::fs::write(path, "mine\n").unwrap();
        let run = root
            .run(&["dns", "--format", name, "--out", out_text])
            .expect_code(2);
        assert!(
            run.err.contains(path) && run.err.contains("--out"),
            "{}",
            run.err
        );
        assert_eq!(std::fs::read_to_string(path).unwrap(), "mine\n");
        assert_eq!(std::fs::read_dir(&out).unwrap().count(), 1, "{name}");
        std::fs::remove_file(path).unwrap();
    }
    let json = root
        .run(&["--json", "dns", "--format", "csv", "--out", out_text])
        .json();
    // Two of ours, and that of whoever has the address.
    assert_eq!(json["files"].as_array().unwrap().len(), 3);
    let table = root.run(&["dns", "--format", "csv"]).out;
    assert_eq!(table.matches("zone,level,type").count(), 1, "{table}");
    root.run(&["dns", "--out", out_text]).expect_code(2);
    root.run(&["dns", "--format", "csv", "--agency", "A"])
        .expect_code(2);

    let logo = root.beside("logo.gif", "GIF89a");
    let page = [
        "dns",
        "--format",
        "html",
        "--zone",
        "example.com",
        "--agency",
        "Blue & Co",
        "--logo",
    ];
    let run = root
        .run(&[&page[..], &[logo.to_str().unwrap()]].concat())
        .expect_code(2);
    assert!(run.err.contains("PNG"), "{}", run.err);
    let logo = root.beside("logo.svg", "<svg xmlns=\"http://www.w3.org/2000/svg\"/>");
    let run = root
        .run(&[&page[..], &[logo.to_str().unwrap()]].concat())
        .expect_code(0);
    assert!(
        run.out.contains("Blue &amp; Co") && run.out.contains("data:image"),
        "{}",
        run.out
    );
}
