//! DKIM keys: as OpenSSL, a foreign signer and a foreign verifier see them, with the zone served by NSD.

use std::io::Write as _;
use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Root, files_below, succeed, tests, tool};

/// An NSD on a free port of the loopback address; killed with the value.
struct Nsd {
    child: Child,
    port: u16,
}

impl Drop for Nsd {
    fn drop(&mut self) {
        // NSD's parent ends its children on SIGTERM, which `kill` of the standard library does not send.
        let _ = Command::new("kill")
            .arg(self.child.id().to_string())
            .status();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    loop {
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        if UdpSocket::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

impl Nsd {
    fn serving(directory: &Path, zone: &str, file: &Path) -> Self {
        let port = free_port();
        let base = directory.display();
        let conf = format!(
            "server:\n ip-address: 127.0.0.1@{port}\n username: \"\"\n chroot: \"\"\n database: \"\"\n zonesdir: \"{base}\"\n \
             pidfile: \"{base}/nsd.pid\"\n xfrdfile: \"{base}/xfrd.state\"\n xfrdir: \"{base}\"\n zonelistfile: \"{base}/zone.list\"\n \
             server-count: 1\n\
             remote-control:\n control-enable: no\nzone:\n name: \"{zone}\"\n zonefile: \"{}\"\n",
            file.display()
        );
        let path = directory.join("nsd.conf");
        std::fs::write(&path, conf).unwrap();
        let child = Command::new(tool("nsd"))
            .arg("-d")
            .arg("-c")
            .arg(&path)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let nsd = Self { child, port };
        let start = Instant::now();
        while !nsd.dig(zone, "SOA").contains("hostmaster") {
            assert!(
                start.elapsed() < Duration::from_secs(30),
                "NSD does not answer"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        nsd
    }

    fn dig(&self, name: &str, kind: &str) -> String {
        let output = Command::new(tool("dig"))
            .args([
                "@127.0.0.1",
                "-p",
                &self.port.to_string(),
                "+short",
                "+time=1",
                "+tries=1",
                name,
                kind,
            ])
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

fn openssl(args: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new(tool("openssl"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "openssl {args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

#[test]
fn openssl_reads_the_key_and_its_public_half_is_the_record() {
    let root = Root::new();
    root.install();
    let pem = root.read("data/dkim/example.com.dkim.key");
    assert!(
        pem.starts_with("-----BEGIN PRIVATE KEY-----\n"),
        "PKCS#8, as Mailu's admin writes it"
    );
    let text = String::from_utf8(openssl(&["pkey", "-text", "-noout"], pem.as_bytes())).unwrap();
    assert!(
        text.starts_with("Private-Key: (2048 bit, 2 primes)")
            && text.contains("publicExponent: 65537"),
        "{}",
        text.lines().next().unwrap()
    );
    openssl(&["pkey", "-check", "-noout"], pem.as_bytes());

    let public = openssl(&["pkey", "-pubout", "-outform", "DER"], pem.as_bytes());
    let base64 = String::from_utf8(openssl(&["base64", "-A"], &public)).unwrap();
    let json = root.run(&["dns", "--json"]).json();
    let record = json["zones"][0]["records"]
        .as_array()
        .unwrap()
        .iter()
        .find(|r| r["fqdn"] == "dkim._domainkey.example.com")
        .unwrap()
        .clone();
    assert_eq!(
        record["data"]["text"],
        format!("v=DKIM1; k=rsa; p={base64}")
    );
}

#[test]
fn a_foreign_signature_verifies_with_a_foreign_verifier_against_the_zone() {
    let root = Root::new();
    root.install();
    let key = root.file("data/dkim/example.com.dkim.key");
    let directory = tempfile::tempdir().unwrap();
    let nsd = Nsd::serving(
        directory.path(),
        "example.com",
        &root.file("dns/example.com.zone"),
    );

    let message = b"From: admin@example.com\r\nTo: someone@example.net\r\nSubject: test\r\nDate: Sun, 22 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@example.com>\r\n\r\nHello.\r\n";
    // Signed by Mail::DKIM (Perl) …
    let mut signer = Command::new("perl")
        .arg(tests("tools/sign.pl"))
        .arg(&key)
        .args(["example.com", "dkim"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    signer.stdin.take().unwrap().write_all(message).unwrap();
    let signed = signer.wait_with_output().unwrap();
    assert!(signed.status.success() && signed.stdout.starts_with(b"DKIM-Signature:"));

    // … and verified by dkimpy, which asks NSD.
    let verify = |message: &[u8]| {
        let file = directory.path().join("message");
        std::fs::write(&file, message).unwrap();
        succeed(
            Command::new("/usr/bin/python3")
                .arg(tests("tools/verify.py"))
                .arg(&file)
                .arg(nsd.port.to_string()),
        )
    };
    assert_eq!(verify(&signed.stdout).trim(), "pass");
    // The verifier can also say no.
    let forged = String::from_utf8(signed.stdout)
        .unwrap()
        .replace("Hello.", "Hallo.");
    assert_eq!(verify(forged.as_bytes()).trim(), "fail");
}

#[test]
fn keys_are_for_their_owner_only() {
    use std::os::unix::fs::MetadataExt as _;
    let root = Root::new();
    root.install();
    for path in files_below(&root.file("data/dkim")) {
        assert_eq!(std::fs::metadata(path).unwrap().mode() & 0o7777, 0o600);
    }
}

#[test]
fn pkcs1_keys_of_older_tools_are_read_and_short_ones_refused() {
    use mailu_core::dkim::DkimKey;
    let pkcs8 = std::fs::read(tests("fixtures/dkim.pem")).unwrap();
    let pkcs1 = openssl(&["rsa", "-traditional"], &pkcs8);
    let ours = |pem: &[u8]| DkimKey::from_pem(std::str::from_utf8(pem).unwrap());
    assert_eq!(
        ours(&pkcs1).unwrap().txt().unwrap(),
        ours(&pkcs8).unwrap().txt().unwrap()
    );

    let short = openssl(&["genrsa", "512"], b"");
    let error = ours(&short).unwrap_err();
    assert_eq!(error.code(), "dkim.too_short");
    let elliptic = openssl(&["genpkey", "-algorithm", "ed25519"], b"");
    assert_eq!(ours(&elliptic).unwrap_err().code(), "dkim.unreadable");
    for error in [ours(&elliptic).unwrap_err(), ours(b"garbage").unwrap_err()] {
        let shown = format!("{error} {error:?} {}", error.to_json());
        for line in std::str::from_utf8(&elliptic)
            .unwrap()
            .lines()
            .filter(|line| !line.starts_with('-'))
        {
            assert!(!shown.contains(line));
        }
    }
}
