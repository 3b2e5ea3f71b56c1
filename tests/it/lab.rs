//! `mailu dns --check` in a DNSSEC lab: a signed tree from a root of its own down, two name servers (NSD), a validating resolver (unbound),
//! and the deployment's HTTPS and SMTP, all in a network of their own that leads nowhere. Others (checkdmarc, pyspf, dkimpy,
//! opendkim-testkey) say of the same zones whether they are right.

mod faults;
mod world;

use std::io::Write as _;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::{succeed, tests, tool, workspace};
use world::{DOMAINS, Lab, SELECTOR, Zones};

fn findings(report: &Value) -> Vec<(String, String)> {
    let all = report["findings"].as_array().unwrap();
    let text = |one: &Value, key: &str| one[key].as_str().unwrap().to_owned();
    all.iter()
        .map(|one| (text(one, "id"), text(one, "severity")))
        .collect()
}

/// One lab for all: it takes ports and a second to come up.
#[test]
fn the_lab() {
    let mut lab = Lab::new();
    healthy(&mut lab);
    faults::all(&mut lab);
}

fn healthy(lab: &mut Lab) {
    let zones = lab.right();
    lab.serve(&zones);
    let report = lab.check(0);
    assert_eq!(findings(&report), [], "{report:#}");
    assert_eq!(report["complete"], true, "{report:#}");
    assert_eq!(report["uncertain"], false, "{report:#}");
    for one in report["records"].as_array().unwrap() {
        assert_eq!(one["state"], "right", "{one}");
    }
    assert!(
        report["records"].as_array().unwrap().len() > 40,
        "{report:#}"
    );
    dmarc_says(lab);
    receivers_say(lab);
    key_files_say(lab);
    pinned(lab, &zones);
}

/// TLSA records of what port 25 shows, which openssl makes.
fn pinned(lab: &mut Lab, zones: &Zones) {
    let mut zones = zones.clone();
    zones.add("example.com", &lab.pin("right"));
    lab.serve(&zones);
    let report = lab.check(0);
    assert_eq!(findings(&report), [], "{report:#}");
}

fn dmarc_says(lab: &Lab) {
    let text = succeed(
        lab.inside(&workspace().join(".cache/python/bin/python"))
            .arg(tests("tools/lab_checkdmarc.py"))
            .arg(world::RESOLVER)
            .args(DOMAINS)
            .env("REQUESTS_CA_BUNDLE", lab.path("ca.pem")),
    );
    let all: Value = serde_json::from_str(&text).unwrap();
    for domain in DOMAINS {
        let one = &all[domain];
        assert_eq!(one["spf"]["valid"], true, "{domain}: {:#}", one["spf"]);
        assert_eq!(one["dmarc"]["valid"], true, "{domain}: {:#}", one["dmarc"]);
        assert_eq!(
            one["mta_sts"]["valid"], true,
            "{domain}: {:#}",
            one["mta_sts"]
        );
        assert_eq!(
            one["smtp_tls_reporting"]["valid"], true,
            "{domain}: {one:#}"
        );
        assert_eq!(one["dnssec"], domain != "example.org", "{domain}");
        assert_eq!(
            one["mx"]["hosts"][0]["hostname"], "mail.example.com",
            "{:#}",
            one["mx"]
        );
        assert_eq!(one["mx"]["warnings"], json!([]), "{:#}", one["mx"]);
        assert_eq!(one["spf"]["warnings"], json!([]), "{:#}", one["spf"]);
    }
}

fn receivers_say(lab: &Lab) {
    let address = world::HOST_ADDRESS;
    let mut spf = vec![json!([address, "", "mail.example.com"])];
    let mut keys = serde_json::Map::new();
    for domain in DOMAINS {
        spf.push(json!([
            address,
            format!("somebody@{domain}"),
            "mail.example.com"
        ]));
        // An alternative's mail is signed with the key of the domain that it belongs to.
        let of = if domain == "example.net" {
            "example.com"
        } else {
            domain
        };
        let path = lab.key_file(of);
        keys.insert(domain.to_owned(), json!(path.display().to_string()));
    }
    spf.push(json!([
        "203.0.113.1",
        "somebody@example.com",
        "elsewhere.example"
    ]));
    spf.push(json!([address, "somebody@parked.org", "mail.example.com"]));
    let work = json!({ "spf": spf, "dkim": keys });
    let mut child = lab
        .inside(std::path::Path::new("/usr/bin/python3"))
        .arg(tests("tools/lab_receiver.py"))
        .args([world::RESOLVER, SELECTOR])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(work.to_string().as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        said["spf"],
        json!(["pass", "pass", "pass", "pass", "fail", "fail"])
    );
    for domain in DOMAINS {
        assert_eq!(said["dkim"][domain], true, "{domain}: {said}");
    }
}

fn key_files_say(lab: &Lab) {
    let config = lab.path("opendkim.conf");
    std::fs::write(
        &config,
        format!(
            "Nameservers {}\nTrustAnchorFile {}\n",
            world::RESOLVER,
            lab.path("root.ds").display()
        ),
    )
    .unwrap();
    for domain in ["example.com", "example.org"] {
        let key = lab.copied(&lab.key_file(domain));
        let output = lab
            .inside(&tool("opendkim-testkey"))
            .args(["-vvv", "-d", domain, "-s", SELECTOR, "-k"])
            .arg(&key)
            .arg("-x")
            .arg(&config)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned()
            + &String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("key OK"), "{said}");
    }
}
