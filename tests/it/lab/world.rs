//! The network, its servers and its zones.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use serde_json::{Value, json};

use crate::support::{INSTALL, Root, finished, program, succeed, tests, tool};

pub(super) const RESOLVER: &str = "192.0.2.2";
pub(super) const HOST_ADDRESS: &str = "192.0.2.10";
pub(super) const NOBODY_ADDRESS: &str = "192.0.2.99";
pub(super) const SELECTOR: &str = "dkim";
const SERVERS: [&str; 2] = ["192.0.2.53", "192.0.2.54"];
/// The domains whose mail comes and goes here; the second one's zone is not signed, the last is an alternative of the first.
pub(super) const DOMAINS: [&str; 3] = ["example.com", "example.org", "example.net"];
const REVERSE: &str = "2.0.192.in-addr.arpa";

/// How a signed zone is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Damage {
    /// A signature of these records has one other letter.
    Signature(&'static str),
    /// The parent has another key's DS record, as after moving to another provider.
    OtherKey,
    /// The signatures are no longer valid.
    Expired,
    /// There is a DS record, and nothing is signed.
    Unsigned,
}

/// What is published.
#[derive(Debug, Clone)]
pub(super) struct Zones {
    /// Lines of each zone.
    pub(super) lines: BTreeMap<String, Vec<String>>,
    /// What the second server has instead.
    pub(super) second: BTreeMap<String, Vec<String>>,
    /// Signed zones.
    pub(super) signed: BTreeSet<String>,
    pub(super) damage: Option<(&'static str, Damage)>,
    /// Zones that nobody delegates.
    pub(super) gone: BTreeSet<String>,
    /// What the web server says, and which certificate port 25 shows.
    pub(super) state: Value,
}

impl Zones {
    fn of(&mut self, zone: &str) -> &mut Vec<String> {
        self.lines.get_mut(zone).unwrap()
    }

    pub(super) fn add(&mut self, zone: &str, line: &str) -> &mut Self {
        self.of(zone).push(line.to_owned());
        self
    }

    /// Takes the records of a name and type out.
    pub(super) fn without(&mut self, name: &str, kind: &str) -> &mut Self {
        let zone = self
            .lines
            .keys()
            .filter(|zone| name.ends_with(zone.as_str()));
        let zone = zone.max_by_key(|zone| zone.len()).unwrap().clone();
        let (start, kind) = (format!("{name}. "), format!(" IN {kind} "));
        let before = self.of(&zone).len();
        self.of(&zone)
            .retain(|line| !(line.starts_with(&start) && line.contains(&kind)));
        assert!(self.of(&zone).len() < before, "no{kind}of {name}");
        self
    }

    /// Puts others in their place.
    pub(super) fn instead(&mut self, name: &str, kind: &str, values: &[&str]) -> &mut Self {
        self.without(name, kind);
        let zone = self
            .lines
            .keys()
            .filter(|zone| name.ends_with(zone.as_str()));
        let zone = zone.max_by_key(|zone| zone.len()).unwrap().clone();
        for value in values {
            self.add(&zone, &format!("{name}. 60 IN {kind} {value}"));
        }
        self
    }
}

/// The lab. Its network and its servers end with the value.
pub(super) struct Lab {
    root: Root,
    directory: tempfile::TempDir,
    network: Child,
    servers: Vec<Child>,
    web: Child,
    policy: String,
    keys: BTreeMap<&'static str, String>,
    /// Zone files that were written already, by what they are made of: signing takes most of the time.
    files: RefCell<HashMap<String, PathBuf>>,
}

fn end(child: &mut Child) {
    let _ = Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status();
    let _ = child.wait();
}

impl Drop for Lab {
    fn drop(&mut self) {
        for server in &mut self.servers {
            end(server);
        }
        end(&mut self.web);
        end(&mut self.network);
    }
}

const SIGNED: [&str; 5] = [
    "example.com",
    "example.net",
    "parked.org",
    "foreign.net",
    "other.com",
];

impl Lab {
    pub(super) fn new() -> Self {
        let root = Root::new();
        let more = [
            format!("dns.ipv4={HOST_ADDRESS}"),
            "email_domains=[\"example.org\"]".to_owned(),
            "dns.alternatives=[\"example.net\"]".to_owned(),
            "dns.parked=[\"parked.org\"]".to_owned(),
            "dns.nameservers=[\"ns1.foreign.net\", \"ns2.foreign.net\"]".to_owned(),
            "mta_sts.mode=enforce".to_owned(),
            "tls_rpt.rua=[\"tlsrpt@example.com\"]".to_owned(),
            "dmarc.rua=dmarc".to_owned(),
        ];
        let set: Vec<&str> = more.iter().flat_map(|one| ["--set", one]).collect();
        root.run(&[&INSTALL[..], &set].concat()).expect_code(0);

        let directory = tempfile::tempdir().unwrap();
        let mut network = Command::new("unshare")
            .args(["--map-root-user", "--net", "--", "sh", "-c"])
            .arg(format!(
                "set -e; ip link set lo up; for a in {RESOLVER} {HOST_ADDRESS} {NOBODY_ADDRESS} {} {}; do ip addr add $a/32 dev lo; done; echo ready; exec sleep 3600",
                SERVERS[0], SERVERS[1]
            ))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        ready(&mut network);
        certificates(directory.path());
        let web = Command::new("true").spawn().unwrap();
        let mut lab = Self {
            root,
            directory,
            network,
            servers: Vec::new(),
            web,
            policy: String::new(),
            keys: BTreeMap::new(),
            files: RefCell::default(),
        };
        lab.policy = format!(
            "version: STSv1\nmode: enforce\nmx: mail.example.com\nmax_age: {}\n",
            604_800
        );
        lab.draw_keys();
        lab.write_state(&lab.right().state);
        lab.web = lab
            .inside(Path::new("/usr/bin/python3"))
            .arg(tests("tools/lab_server.py"))
            .arg(HOST_ADDRESS)
            .arg(lab.directory.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        ready(&mut lab.web);
        lab
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(super) fn key_file(&self, domain: &str) -> PathBuf {
        self.root
            .file(&format!("data/dkim/{domain}.{SELECTOR}.key"))
    }

    /// A copy that only the owner may read.
    pub(super) fn copied(&self, path: &Path) -> PathBuf {
        use std::os::unix::fs::PermissionsExt as _;
        let to = self.path("key.pem");
        let _ = std::fs::remove_file(&to);
        std::fs::copy(path, &to).unwrap();
        std::fs::set_permissions(&to, std::fs::Permissions::from_mode(0o600)).unwrap();
        to
    }

    /// A program in the lab's network.
    pub(super) fn inside(&self, program: &Path) -> Command {
        let mut command = Command::new("nsenter");
        command
            .args(["--target", &self.network.id().to_string()])
            .args(["--user", "--net", "--preserve-credentials", "--"])
            .arg(program);
        command
    }

    /// `mailu dns --check`.
    pub(super) fn check(&self, code: i32) -> Value {
        let report = self.checked(&[]);
        finished(report).expect_code(code).json()
    }

    pub(super) fn checked(&self, more: &[&str]) -> std::process::Output {
        self.inside(&program())
            .arg("--root")
            .arg(self.root.path())
            .args(["--json", "dns", "--check", "--resolver", RESOLVER, "--ca"])
            .arg(self.path("ca.pem"))
            .args(more)
            .output()
            .unwrap()
    }

    fn draw_keys(&mut self) {
        let all = SIGNED.iter().copied().chain([".", "other-key"]);
        for zone in all {
            let place = self.path(&format!("keys-{zone}"));
            std::fs::create_dir(&place).unwrap();
            let name = if zone == "other-key" {
                "example.com"
            } else {
                zone
            };
            let base = succeed(
                Command::new(tool("ldns-keygen"))
                    .args(["-k", "-a", "ECDSAP256SHA256", name])
                    .current_dir(&place),
            );
            self.keys
                .insert(zone, place.join(base.trim()).display().to_string());
        }
        let anchor = std::fs::read_to_string(format!("{}.ds", self.keys["."])).unwrap();
        std::fs::write(self.path("root.ds"), anchor).unwrap();
    }

    /// Everything as it should be: the zones that `mailu` wrote, and those of others.
    pub(super) fn right(&self) -> Zones {
        let mut lines = BTreeMap::new();
        for zone in ["example.com", "example.org", "example.net", "parked.org"] {
            let text = self.root.read(&format!("dns/{zone}.zone"));
            lines.insert(zone.to_owned(), text.lines().map(str::to_owned).collect());
        }
        let others: [(&str, &[&str]); 3] = [
            (
                "foreign.net",
                &[
                    "ns1 IN A 192.0.2.53",
                    "ns2 IN A 192.0.2.54",
                    "foreign.net. IN MX 10 mx.foreign.net.",
                    "mx IN A 192.0.2.98",
                    "_spf IN TXT \"v=spf1 ip4:203.0.113.0/24 -all\"",
                    "_open IN TXT \"v=spf1 ip4:192.0.2.0/24 -all\"",
                    "_loop IN TXT \"v=spf1 include:example.com -all\"",
                    "_ring IN TXT \"v=spf1 redirect=_chain.foreign.net\"",
                    "_chain IN TXT \"v=spf1 redirect=_ring.foreign.net\"",
                    "_many IN TXT \"v=spf1 a:h1.foreign.net a:h2.foreign.net a:h3.foreign.net a:h4.foreign.net a:h5.foreign.net a:h6.foreign.net a:h7.foreign.net a:h8.foreign.net a:h9.foreign.net -all\"",
                    "_broken IN TXT \"v=spf1 ipv4:203.0.113.1 -all\"",
                    "_twice IN TXT \"v=spf1 -all\"",
                    "_twice IN TXT \"v=spf1 ~all\"",
                ],
            ),
            ("other.com", &["other.com. IN A 192.0.2.97"]),
            (REVERSE, &[]),
        ];
        for (zone, more) in others {
            let mut all = vec![
                format!("$ORIGIN {zone}."),
                "$TTL 60".to_owned(),
                "@ IN SOA ns1.foreign.net. hostmaster.foreign.net. 1 7200 900 1209600 60"
                    .to_owned(),
                "@ IN NS ns1.foreign.net.".to_owned(),
                "@ IN NS ns2.foreign.net.".to_owned(),
            ];
            all.extend(more.iter().map(|line| (*line).to_owned()));
            if zone == "foreign.net" {
                all.extend((1..=20).map(|n| format!("h{n} IN A 203.0.113.{n}")));
                all.extend((1..=11).map(|n| format!("big IN MX {n} h{n}")));
            }
            if zone == REVERSE {
                all.push(format!("10.{REVERSE}. 60 IN PTR mail.example.com."));
            }
            lines.insert(zone.to_owned(), all);
        }
        let page = json!({ "body": self.policy });
        let web: serde_json::Map<String, Value> = DOMAINS
            .iter()
            .map(|domain| (format!("mta-sts.{domain}"), page.clone()))
            .collect();
        Zones {
            lines,
            second: BTreeMap::new(),
            signed: SIGNED.iter().map(|zone| (*zone).to_owned()).collect(),
            damage: None,
            gone: BTreeSet::new(),
            state: json!({ "smtp": "right", "web": web }),
        }
    }

    fn write_state(&self, state: &Value) {
        let path = self.path("state.new");
        std::fs::write(&path, state.to_string()).unwrap();
        std::fs::rename(path, self.path("state.json")).unwrap();
    }

    fn zone_file(&self, zone: &str, lines: &[String], zones: &Zones) -> PathBuf {
        let damage = zones
            .damage
            .filter(|(of, _)| *of == zone)
            .map(|(_, how)| how);
        let signed = zone == "." || zones.signed.contains(zone);
        let text = lines.join("\n") + "\n";
        let content = format!("{zone} {signed} {damage:?} {text}");
        if let Some(file) = self.files.borrow().get(&content) {
            return file.clone();
        }
        let number = self.files.borrow().len();
        let file = self.path(&format!("zone{number}"));
        std::fs::write(&file, text).unwrap();
        let file = if signed && damage != Some(Damage::Unsigned) {
            self.signed_file(&file, zone, damage)
        } else {
            file
        };
        self.files.borrow_mut().insert(content, file.clone());
        file
    }

    fn signed_file(&self, file: &Path, zone: &str, damage: Option<Damage>) -> PathBuf {
        let more: &[&str] = if damage == Some(Damage::Expired) {
            &["-i", "20250101000000", "-e", "20250201000000"]
        } else {
            &[]
        };
        let signed = sign(zone, file, &self.keys[zone], more);
        if let Some(Damage::Signature(kind)) = damage {
            let text = std::fs::read_to_string(&signed).unwrap();
            let mut done = false;
            let lines: Vec<String> = text
                .lines()
                .map(|line| {
                    let start = format!("{zone}.\t");
                    if done
                        || !line.starts_with(&start)
                        || !line.contains(&format!("\tRRSIG\t{kind} "))
                    {
                        return line.to_owned();
                    }
                    done = true;
                    let (head, last) = line.trim_end().rsplit_once(' ').unwrap();
                    let first = if last.starts_with('A') { 'B' } else { 'A' };
                    format!("{head} {first}{}", &last[1..])
                })
                .collect();
            assert!(done, "no signature of {kind}");
            std::fs::write(&signed, lines.join("\n") + "\n").unwrap();
        }
        signed
    }

    /// Serves `zones`, and nothing of what was there before.
    pub(super) fn serve(&mut self, zones: &Zones) {
        for server in &self.servers {
            let _ = Command::new("kill").arg(server.id().to_string()).status();
        }
        for mut server in self.servers.drain(..) {
            let _ = server.wait();
        }
        self.write_state(&zones.state);
        let mut root = vec![
            "$ORIGIN .".to_owned(),
            "$TTL 60".to_owned(),
            ". IN SOA ns1.foreign.net. hostmaster.foreign.net. 1 7200 900 1209600 60".to_owned(),
            ". IN NS ns1.foreign.net.".to_owned(),
            "ns1.foreign.net. IN A 192.0.2.53".to_owned(),
            "ns2.foreign.net. IN A 192.0.2.54".to_owned(),
        ];
        for zone in zones
            .lines
            .keys()
            .filter(|zone| !zones.gone.contains(*zone))
        {
            for server in ["ns1", "ns2"] {
                root.push(format!("{zone}. IN NS {server}.foreign.net."));
            }
            if zones.signed.contains(zone) {
                let other = zones.damage == Some(("example.com", Damage::OtherKey))
                    && zone == "example.com";
                let key = if other { "other-key" } else { zone.as_str() };
                let ds = std::fs::read_to_string(format!("{}.ds", self.keys[key])).unwrap();
                root.push(ds.trim().to_owned());
            }
        }
        for (at, address) in SERVERS.iter().enumerate() {
            let place = self.path(&format!("server{at}"));
            let _ = std::fs::remove_dir_all(&place);
            std::fs::create_dir(&place).unwrap();
            let file = |name: &str| place.join(name).display().to_string();
            let mut config = format!(
                "server:\n ip-address: {address}\n username: \"\"\n chroot: \"\"\n database: \"\"\n pidfile: \"{}\"\n xfrdfile: \"{}\"\n zonelistfile: \"{}\"\n server-count: 1\nremote-control:\n control-enable: no\n",
                file("pid"),
                file("xfrd"),
                file("zonelist"),
            );
            let mut all: Vec<(&str, &Vec<String>)> = vec![(".", &root)];
            for (zone, lines) in zones
                .lines
                .iter()
                .filter(|(zone, _)| !zones.gone.contains(*zone))
            {
                let second = zones.second.get(zone).filter(|_| at == 1);
                all.push((zone, second.unwrap_or(lines)));
            }
            for (zone, lines) in all {
                let path = self.zone_file(zone, lines, zones);
                let _ = write!(
                    config,
                    "zone:\n name: \"{zone}\"\n zonefile: \"{}\"\n",
                    path.display()
                );
            }
            std::fs::write(place.join("nsd.conf"), config).unwrap();
            let log = std::fs::File::create(place.join("log")).unwrap();
            let child = self
                .inside(&tool("nsd"))
                .args(["-d", "-c"])
                .arg(place.join("nsd.conf"))
                .stdout(Stdio::null())
                .stderr(log)
                .spawn()
                .unwrap();
            self.servers.push(child);
        }
        for address in SERVERS {
            self.await_answer(address, "foreign.net");
        }
        self.start_resolver();
    }

    fn start_resolver(&mut self) {
        let place = self.path("resolver");
        let _ = std::fs::create_dir(&place);
        std::fs::write(
            place.join("hints"),
            format!(
                ". 3600 IN NS ns1.foreign.net.\nns1.foreign.net. 3600 IN A {}\n",
                SERVERS[0]
            ),
        )
        .unwrap();
        let file = |name: &str| place.join(name).display().to_string();
        let config = format!(
            "server:\n directory: \"{}\"\n interface: {RESOLVER}\n do-not-query-localhost: no\n do-ip6: no\n access-control: 0.0.0.0/0 allow\n username: \"\"\n chroot: \"\"\n pidfile: \"{}\"\n use-syslog: no\n num-threads: 1\n module-config: \"validator iterator\"\n trust-anchor-file: \"{}\"\n root-hints: \"{}\"\n local-zone: \"{REVERSE}.\" nodefault\n qname-minimisation: no\n harden-below-nxdomain: no\n aggressive-nsec: no\nremote-control:\n control-enable: no\n",
            place.display(),
            file("pid"),
            self.path("root.ds").display(),
            file("hints"),
        );
        std::fs::write(place.join("unbound.conf"), config).unwrap();
        let log = std::fs::File::create(place.join("log")).unwrap();
        let child = self
            .inside(&tool("unbound"))
            .args(["-d", "-p", "-c"])
            .arg(place.join("unbound.conf"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.servers.push(child);
        self.await_answer(RESOLVER, "foreign.net");
    }

    fn await_answer(&self, server: &str, zone: &str) {
        let begun = Instant::now();
        loop {
            let output = self
                .inside(&tool("dig"))
                .args([
                    "+short",
                    "+time=1",
                    "+tries=1",
                    &format!("@{server}"),
                    zone,
                    "SOA",
                ])
                .output()
                .unwrap();
            if output.status.success() && output.stdout.starts_with(b"ns1.") {
                return;
            }
            let log = |name: &str| std::fs::read_to_string(self.path(name)).unwrap_or_default();
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "{server} does not answer: {}{}{}",
                log("server0/log"),
                log("server1/log"),
                log("resolver/log")
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// A TLSA record for the key of a certificate, made by openssl.
    pub(super) fn pin(&self, certificate: &str) -> String {
        let script = "openssl x509 -in \"$1\" -noout -pubkey | openssl pkey -pubin -outform der | openssl dgst -sha256 -r";
        let text = succeed(
            Command::new("sh")
                .args(["-c", script, "sh"])
                .arg(self.path(&format!("{certificate}.pem"))),
        );
        let hex = text.split_whitespace().next().unwrap();
        format!("_25._tcp.mail.example.com. 60 IN TLSA 3 1 1 {hex}")
    }
}

/// Signs the zone in a file; gives the file with the signed one.
fn sign(zone: &str, file: &Path, key: &str, more: &[&str]) -> PathBuf {
    let signed = file.with_extension("signed");
    succeed(
        Command::new(tool("ldns-signzone"))
            .args(more)
            .arg("-f")
            .arg(&signed)
            .args(["-o", zone])
            .arg(file)
            .arg(key),
    );
    signed
}

fn ready(child: &mut Child) {
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert_eq!(line.trim(), "ready");
}

/// An authority, a certificate for all names, and one for none of them.
fn certificates(directory: &Path) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
        .distinguished_name
        .push(DnType::CommonName, "Authority of the lab");
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    std::fs::write(directory.join("ca.pem"), authority.pem()).unwrap();
    let mut names = vec!["mail.example.com".to_owned()];
    names.extend(DOMAINS.iter().map(|domain| format!("mta-sts.{domain}")));
    for (file, names) in [
        ("right", names),
        ("other", vec!["www.other.com".to_owned()]),
    ] {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(names)
            .unwrap()
            .signed_by(&key, &authority)
            .unwrap();
        let text = certificate.pem() + &authority.pem() + &key.serialize_pem();
        std::fs::write(directory.join(format!("{file}.pem")), text).unwrap();
    }
}
