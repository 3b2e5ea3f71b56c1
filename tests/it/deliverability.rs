//! What makes mail arrive elsewhere and come in safely: the MTA-STS policy as nginx serves it, TLSA records as OpenSSL counts them.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mailu_core::dns::{Data, spf, tlsa};
use mailu_core::{has_errors, mta_sts};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use crate::support::{Root, succeed, tests, tool};

/// A server block that includes the overrides where Mailu's does, between locations of its own.
fn nginx_conf(directory: &Path, overrides: &Path) -> String {
    let at = directory.display();
    format!(
        "daemon off;\nmaster_process off;\npid {at}/pid;\nerror_log stderr warn;\nevents {{}}\nhttp {{\n\
         access_log off;\ndefault_type application/octet-stream;\n\
         client_body_temp_path {at};\nproxy_temp_path {at};\nfastcgi_temp_path {at};\nuwsgi_temp_path {at};\nscgi_temp_path {at};\n\
         server {{\nlisten unix:{at}/socket;\nadd_header X-Content-Type-Options 'nosniff';\n\
         location ~ ^/(\\.well\\-known/autoconfig/)?mail/ {{ return 204; }}\n\
         include {}/*.conf;\n\
         location / {{ return 404; }}\nlocation ~ /api {{ return 403; }}\n}}\n}}\n",
        overrides.display()
    )
}

/// nginx with the snippets of a deployment; ends with the value.
struct Nginx {
    directory: tempfile::TempDir,
    child: Child,
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Nginx {
    fn start(overrides: &Path) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let conf = directory.path().join("nginx.conf");
        std::fs::write(&conf, nginx_conf(directory.path(), overrides)).unwrap();
        let nginx = || {
            let mut command = Command::new(tool("nginx"));
            command.arg("-p").arg(directory.path()).arg("-c").arg(&conf);
            command
        };
        succeed(nginx().arg("-t"));
        let child = nginx().stdin(Stdio::null()).spawn().unwrap();
        let nginx = Self { directory, child };
        let end = Instant::now() + Duration::from_secs(20);
        while UnixStream::connect(nginx.socket()).is_err() {
            assert!(Instant::now() < end, "nginx does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
        nginx
    }

    fn socket(&self) -> std::path::PathBuf {
        self.directory.path().join("socket")
    }

    /// Head and body of the answer.
    fn get(&self, path: &str) -> (String, String) {
        let mut stream = UnixStream::connect(self.socket()).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: mta-sts.example.com\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.to_ascii_lowercase(), body.to_owned())
    }
}

const TESTING: [&str; 4] = [
    "--set",
    "mta_sts.mode=testing",
    "--set",
    "tls_rpt.rua=[\"tlsrpt@example.com\"]",
];

const POLICY: &str = "/.well-known/mta-sts.txt";

#[test]
fn nginx_serves_the_policy() {
    let root = Root::new();
    root.install_with(&TESTING).expect_code(0);
    let policy = "version: STSv1\nmode: testing\nmx: mail.example.com\nmax_age: 604800\n";
    let nginx = Nginx::start(&root.file("overrides/nginx"));
    let (head, body) = nginx.get(POLICY);
    assert_eq!(body, policy);
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    // RFC 8461 §3.2 wants this type, and one line for it: mail servers do not guess.
    let types: Vec<&str> = head
        .lines()
        .filter(|line| line.starts_with("content-type:"))
        .collect();
    assert_eq!(types, ["content-type: text/plain"]);
    for other in [
        "/.well-known/mta-stsXtxt",
        "/x/.well-known/mta-sts.txt",
        "/.well-known/mta-sts.txt2",
    ] {
        assert!(nginx.get(other).0.starts_with("http/1.1 404 "), "{other}");
    }
    drop(nginx);

    // What somebody made by hand for the same address keeps nginx from nothing, and answers; each run says so.
    for by_hand in [
        format!("location ^~ {POLICY} {{ return 200 \"theirs\"; }}\n"),
        format!("location = {POLICY} {{ return 200 \"theirs\"; }}\n"),
    ] {
        root.write("overrides/nginx/mta-sts.conf", &by_hand);
        let nginx = Nginx::start(&root.file("overrides/nginx"));
        assert_eq!(nginx.get(POLICY).1, "theirs");
        let run = root.run(&["apply"]).expect_code(0);
        assert!(
            run.err.contains("overrides/nginx/mta-sts.conf"),
            "{}",
            run.err
        );
        assert_eq!(root.read("overrides/nginx/mta-sts.conf"), by_hand);
    }
}

#[test]
fn the_policy_comes_and_goes_with_its_names() {
    let root = Root::new();
    root.install();
    let front = |root: &Root| -> Vec<String> {
        let lines = root.read("docker-compose.yml");
        lines
            .lines()
            .filter(|line| line.contains("mta-sts"))
            .map(|line| line.trim().to_owned())
            .collect()
    };
    assert!(front(&root).is_empty() && !root.file(mta_sts::FILE).exists());
    assert!(!root.read("dns/example.com.records").contains("sts"));
    let set = |settings: &[&str]| {
        root.run(&[&["config", "set"], settings].concat())
            .expect_code(0);
        root.run(&["apply"]).expect_code(0)
    };
    set(&[
        "mta_sts.mode=testing",
        "tls_rpt.rua=[\"tlsrpt@example.com\"]",
    ]);
    let testing = (front(&root), root.read("dns/example.com.records"));
    let labels = testing.0.join("\n");
    for part in [
        "mailu.mta-sts",
        "routers.mailu-mta-sts-example-com.rule",
        "Host(`mta-sts.example.com`)",
        "routers.mailu-mta-sts-example-com.tls.certresolver",
    ] {
        assert!(labels.contains(part), "{part} is not in {labels}");
    }
    assert!(
        testing
            .1
            .contains("mta-sts.example.com. 3600 IN CNAME mail.example.com.")
    );
    assert!(testing.1.contains(
        "_smtp._tls.example.com. 3600 IN TXT \"v=TLSRPTv1; rua=mailto:tlsrpt@example.com\""
    ));
    let before = root.snapshot();
    root.run(&["apply"]).expect_code(0);
    assert!(
        root.snapshot() == before,
        "the same again changes something"
    );

    // Another policy has another id, and front is made anew for it.
    set(&["mta_sts.max_age=1209600"]);
    let longer = (front(&root), root.read("dns/example.com.records"));
    assert!(root.read(mta_sts::FILE).contains("max_age: 1209600"));
    assert!(longer.0 != testing.0 && longer.1 != testing.1);

    // An edited one is not taken away, and that is said.
    root.edit(mta_sts::FILE, "testing", "none");
    let run = set(&["mta_sts.mode=off"]);
    assert!(
        run.err.contains("goes on serving the policy"),
        "{}",
        run.err
    );
    assert!(root.file(mta_sts::FILE).exists() && front(&root).is_empty());
    std::fs::remove_file(root.file(mta_sts::FILE)).unwrap();
    set(&["mta_sts.mode=enforce"]);
    assert!(root.file(mta_sts::FILE).exists());
    set(&["mta_sts.mode=off"]);
    assert!(
        !root.file(mta_sts::FILE).exists() && !root.read("dns/example.com.records").contains("sts")
    );
}

/// Where Mailu gets the certificate itself, the name is one of those that it asks for.
#[test]
fn own_certificates_are_for_the_policy_too() {
    for (mode, there) in [
        ("letsencrypt", true),
        ("passthrough", true),
        ("cert", false),
    ] {
        let root = Root::new();
        root.install_with(&[&TESTING[..], &["--set", &format!("tls.mode={mode}")]].concat())
            .expect_code(0);
        let env = root.read("mailu.env");
        let names = env
            .lines()
            .find(|line| line.starts_with("HOSTNAMES="))
            .unwrap();
        assert_eq!(
            names.ends_with(",mta-sts.example.com"),
            there,
            "{mode}: {names}"
        );
        assert!(
            root.read("dns/example.com.records")
                .contains("_mta-sts.example.com.")
        );
    }
}

/// A chain for mail.example.com, leaf first, DER and PEM: an ECDSA leaf, an intermediate and a root.
pub(crate) fn chain() -> Vec<(Vec<u8>, String)> {
    let authority = |name: &str| {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
        params
    };
    let key = || KeyPair::generate().unwrap();
    let root = CertifiedIssuer::self_signed(authority("root"), key()).unwrap();
    let middle = CertifiedIssuer::signed_by(authority("middle"), key(), &root).unwrap();
    let leaf = CertificateParams::new(vec!["mail.example.com".to_owned()])
        .unwrap()
        .signed_by(&key(), &middle)
        .unwrap();
    vec![
        (leaf.der().to_vec(), leaf.pem()),
        (middle.der().to_vec(), middle.pem()),
        (root.der().to_vec(), root.pem()),
    ]
}

/// SHA-256 of the public key in a certificate, as OpenSSL computes it.
fn openssl_hash(directory: &Path, pem: &str) -> String {
    let (cert, key, der) = (
        directory.join("c"),
        directory.join("k"),
        directory.join("d"),
    );
    std::fs::write(&cert, pem).unwrap();
    let openssl = || Command::new(tool("openssl"));
    let public = succeed(
        openssl()
            .args(["x509", "-noout", "-pubkey", "-in"])
            .arg(&cert),
    );
    std::fs::write(&key, public).unwrap();
    succeed(
        openssl()
            .args(["pkey", "-pubin", "-outform", "DER", "-in"])
            .arg(&key)
            .arg("-out")
            .arg(&der),
    );
    let line = succeed(openssl().args(["dgst", "-sha256", "-r"]).arg(&der));
    line.split_whitespace().next().unwrap().to_owned()
}

#[test]
fn openssl_computes_the_same_hashes() {
    let directory = tempfile::tempdir().unwrap();
    let chain = chain();
    let ders: Vec<Vec<u8>> = chain.iter().map(|(der, _)| der.clone()).collect();
    let found: Vec<String> = tlsa::records(&[ders], true, "mail.example.com", true)
        .unwrap()
        .iter()
        .map(Data::presentation)
        .collect();
    let hashes: Vec<String> = chain
        .iter()
        .map(|(_, pem)| openssl_hash(directory.path(), pem))
        .collect();
    assert_eq!(
        found,
        [
            format!("3 1 1 {}", hashes[0]),
            format!("2 1 1 {}", hashes[1]),
            format!("2 1 1 {}", hashes[2]),
        ]
    );
    // An RSA key too: rcgen makes none, so OpenSSL does.
    let (pem, key) = (
        directory.path().join("rsa.pem"),
        directory.path().join("rsa.key"),
    );
    let made = Command::new(tool("openssl"))
        .args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "30",
            "-subj",
            "/CN=mail.example.com",
        ])
        .args(["-addext", "subjectAltName=DNS:mail.example.com"])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&pem)
        .output()
        .unwrap();
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    let der = directory.path().join("rsa.der");
    succeed(
        Command::new(tool("openssl"))
            .args(["x509", "-outform", "DER", "-in"])
            .arg(&pem)
            .arg("-out")
            .arg(&der),
    );
    let chain = vec![std::fs::read(&der).unwrap()];
    let found = tlsa::records(&[chain], true, "mail.example.com", true).unwrap();
    let hash = openssl_hash(directory.path(), &std::fs::read_to_string(&pem).unwrap());
    assert_eq!(found[0].presentation(), format!("3 1 1 {hash}"));
}

/// SPF records as people have them, with every slip; sometimes two in one.
fn spf_record() -> impl Strategy<Value = String> {
    let sign = || prop_oneof![4 => Just(""), 1 => Just("+"), 1 => Just("~"), 1 => Just("-"), 1 => Just("?")];
    let term = prop_oneof![
        3 => (sign(), "(mx|MX|a|A)").prop_map(|(sign, name)| format!("{sign}{name}")),
        4 => (sign(), "(include|Include):[abcx]\\.example").prop_map(|(sign, name)| format!("{sign}{name}")),
        3 => (sign(), "ip4:198\\.51\\.100\\.([1-4]|0/29|101/32)").prop_map(|(sign, name)| format!("{sign}{name}")),
        1 => "(a|mx):[abcx]\\.example(/32)?",
        1 => "include:s1?[0-9]\\.example\\.net",
        1 => Just("ip6:2001:db8::/32".to_owned()),
        1 => Just("ip4:203.0.113.10".to_owned()),
        // Once at most, because pyspf refuses two that nobody knows, which RFC 7208 §6 does not.
        1 => Just("x-own=1".to_owned()),
        1 => proptest::sample::select(vec!["ipv4:192.0.2.1", "include:", "a/33", "192.0.2.1", "exists:%x.example", "ip4:192.0.2.256", "foo"]).prop_map(str::to_owned),
    ];
    let end = prop_oneof![
        6 => (sign(), Just("all")).prop_map(|(sign, all)| format!(" {sign}{all}")),
        2 => "( redirect=[abc]\\.example)",
        1 => "( -all redirect=[abc]\\.example| redirect=[abc]\\.example ~all| -all a| -ALL)",
        1 => Just(String::new()),
    ];
    (
        proptest::collection::vec(term, 0..6),
        end,
        proptest::bool::weighted(0.02),
    )
        .prop_map(|(terms, end, many)| {
            let more = if many {
                (0..12)
                    .map(|n| format!("include:s{n}.example.net"))
                    .collect()
            } else {
                Vec::new()
            };
            let all: Vec<String> = ["v=spf1".to_owned()]
                .into_iter()
                .chain(more)
                .chain(terms)
                .collect();
            format!("{}{end}", all.join(" "))
        })
}

/// pyspf on what merging makes: our server may send, whoever could still can, nobody else can, and the counts agree.
#[test]
fn pyspf_agrees_about_merged_records() {
    const HOST: &str = "203.0.113.10";
    const NOBODY: &str = "192.0.2.1";
    let addresses = [
        HOST,
        NOBODY,
        "192.0.2.80",
        "198.51.100.1",
        "198.51.100.2",
        "198.51.100.3",
        "198.51.100.4",
        "198.51.100.5",
        "198.51.100.101",
        "2001:db8::1",
    ];
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let strategy = spf_record();
    let pairs: Vec<(String, spf::Merged)> = (0..1500)
        .map(|_| {
            let existing = strategy.new_tree(&mut runner).unwrap().current();
            let merged = spf::merge(&existing, "v=spf1 mx -all");
            (existing, merged)
        })
        .collect();
    let asked: Vec<(&str, &str)> = pairs
        .iter()
        .flat_map(|(existing, merged)| [existing.as_str(), merged.text.as_str()])
        .flat_map(|record| addresses.iter().map(move |address| (record, *address)))
        .collect();
    let directory = tempfile::tempdir().unwrap();
    let questions = directory.path().join("questions");
    std::fs::write(&questions, serde_json::to_string(&asked).unwrap()).unwrap();
    let said = succeed(
        Command::new("/usr/bin/python3")
            .arg(tests("tools/spf_results.py"))
            .stdin(std::fs::File::open(&questions).unwrap()),
    );
    let said: Vec<(String, usize)> = serde_json::from_str(&said).unwrap();
    let (mut void, mut counted) = (0, 0);
    for ((existing, merged), said) in pairs.iter().zip(said.chunks(2 * addresses.len())) {
        let (before, after) = said.split_at(addresses.len());
        let what = format!(
            "{existing}\n{}\n{:?}\n{before:?}\n{after:?}",
            merged.text, merged.findings
        );
        let found = |id: &str| merged.findings.iter().any(|f| f.id == id);
        if has_errors(&merged.findings) {
            assert_eq!(after[1].0, "permerror", "{what}");
            void += 1;
            continue;
        }
        for (address, (before, after)) in addresses.iter().zip(before.iter().zip(after)) {
            assert_ne!(after.0, "permerror", "{what}");
            if *address == HOST {
                assert_eq!(after.0, "pass", "{what}");
            } else if !found("spf.open") && before.0 != "permerror" {
                assert_eq!(before.0 == "pass", after.0 == "pass", "{address}: {what}");
            }
        }
        assert_eq!(after[1].1, merged.lookups, "{what}");
        counted += 1;
    }
    assert!(
        void >= 50 && counted >= 500,
        "{void} void, {counted} counted"
    );
}
