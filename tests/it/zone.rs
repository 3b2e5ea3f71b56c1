//! Zone files: what BIND's and NSD's checkers make of them, and what BIND reads back.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use mailu_core::dns::{
    Data, PublicKeys, Report, ZoneReport, chunks, records, records_with, report, tlsa::Shown,
    zone_file, zone_records,
};
use mailu_core::{Config, config::TlsMode, dkim::DkimKey};

use crate::random;
use crate::support::{succeed, tests, tool};

fn keys(config: &Config) -> PublicKeys {
    let pem = std::fs::read_to_string(tests("fixtures/dkim.pem")).unwrap();
    let txt = DkimKey::from_pem(&pem).unwrap().txt().unwrap();
    config
        .domains()
        .enumerate()
        .map(|(index, domain)| {
            // A key of 4096 bits makes a record of 736 octets more; nothing here depends on it being a key.
            let long = format!("{txt}{}", "A".repeat(if index == 1 { 326 } else { 0 }));
            (domain.clone(), long)
        })
        .collect()
}

/// The records with keys of two lengths.
pub(crate) fn whole(config: &Config) -> Report {
    report(config, records(config, &keys(config)))
}

fn zones(config: &Config) -> Vec<ZoneReport> {
    whole(config).zones
}

/// The strictest BIND can be about names inside the zone; names outside would be looked up in the real DNS.
fn named_checkzone(zone: &str, file: &Path) {
    succeed(
        Command::new(tool("named-checkzone"))
            .args([
                "-i", "local", "-k", "fail", "-m", "fail", "-M", "fail", "-n", "fail", "-r",
                "fail", "-S", "fail",
            ])
            .arg(zone)
            .arg(file),
    );
}

#[test]
fn checkers_accept_the_zones_of_random_deployments() {
    let directory = tempfile::tempdir().unwrap();
    let (mut checked, mut international) = (0, 0);
    for config in random::some(60) {
        for zone in zones(&config) {
            let file = directory.path().join(format!("{}.zone", zone.zone));
            std::fs::write(&file, zone_file(&config, &zone, 7)).unwrap();
            named_checkzone(&zone.zone, &file);
            succeed(
                Command::new(tool("nsd-checkzone"))
                    .arg(&zone.zone)
                    .arg(&file),
            );
            checked += 1;
            international += usize::from(zone.zone.starts_with("xn--"));
        }
    }
    assert!(
        checked >= 60 && international >= 5,
        "{checked} zones, {international} international"
    );
}

/// Every kind of record at once, also those that follow from a certificate.
#[test]
fn checkers_accept_everything_switched_on() {
    let mut config = crate::compose::config(
        &std::fs::read_to_string(tests("golden/everything/mailu.toml")).unwrap(),
    );
    config.tls.mode = TlsMode::Letsencrypt;
    // Those of the file lie in one of the zones, and have no addresses there.
    config.dns.nameservers = vec!["ns1.outside.test".parse().unwrap()];
    let chain = crate::deliverability::chain();
    let chain = chain.iter().map(|(der, _)| der.clone()).collect();
    let shown = Shown::new(vec![chain], true);
    let all = report(&config, records_with(&config, &keys(&config), Some(&shown))).zones;
    let directory = tempfile::tempdir().unwrap();
    let mut kinds = std::collections::BTreeSet::new();
    for zone in &all {
        kinds.extend(
            zone.records
                .iter()
                .filter(|r| r.data.is_some())
                .map(|r| r.kind),
        );
        for text in [
            zone_file(&config, zone, 7),
            format!(
                "$TTL 300\n{0}. IN SOA ns.invalid. hostmaster.{0}. 1 7200 900 1209600 300\n{0}. IN NS ns.invalid.\n{1}",
                zone.zone,
                zone_records(zone)
            ),
        ] {
            let file = directory.path().join("zone");
            std::fs::write(&file, text).unwrap();
            named_checkzone(&zone.zone, &file);
            succeed(
                Command::new(tool("nsd-checkzone"))
                    .arg(&zone.zone)
                    .arg(&file),
            );
        }
    }
    let expected = [
        "A", "AAAA", "CAA", "CNAME", "MX", "PTR", "SRV", "TLSA", "TXT",
    ];
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), expected);
    // A provider's zone of addresses is not ours to write; what to ask for stands beside the others.
    let rendered =
        mailu_core::render(&config, &mailu_core::Secrets::default(), &keys(&config)).unwrap();
    let files = rendered.files(&config).unwrap();
    let written: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    assert!(
        written
            .iter()
            .any(|path| path.ends_with(".ip6.arpa.records")),
        "{written:?}"
    );
    assert!(
        !written.iter().any(|path| path.ends_with(".arpa.zone")),
        "{written:?}"
    );
}

/// A zone below another one is delegated in that one, and only in the nearest.
#[test]
fn a_zone_below_another_is_delegated() {
    let config = Config::from_toml(
        r#"
mail_host = "mail.eu.example.com"
email_domain = "example.com"
email_domains = ["shop.eu.example.com"]
admin_email = "admin@example.com"
[dns]
zones = ["eu.example.com", "shop.eu.example.com", "example.com"]
nameservers = ["ns1.example.net", "ns2.example.net"]
"#,
    )
    .unwrap()
    .config;
    let directory = tempfile::tempdir().unwrap();
    let mut delegated = BTreeMap::new();
    for zone in zones(&config) {
        let file = directory.path().join("zone");
        std::fs::write(&file, zone_file(&config, &zone, 7)).unwrap();
        named_checkzone(&zone.zone, &file);
        let canonical = succeed(
            Command::new(tool("named-compilezone"))
                .args(["-q", "-i", "local", "-o", "-"])
                .arg(&zone.zone)
                .arg(&file),
        );
        let servers: Vec<String> = canonical
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>())
            .filter(|fields| fields[3] == "NS" && fields[0] != format!("{}.", zone.zone))
            .map(|fields| format!("{} {}", fields[0], fields[4]))
            .collect();
        delegated.insert(zone.zone.clone(), servers);
    }
    let to = |name: &str| {
        vec![
            format!("{name}. ns1.example.net."),
            format!("{name}. ns2.example.net."),
        ]
    };
    assert_eq!(delegated["example.com"], to("eu.example.com"));
    assert_eq!(delegated["eu.example.com"], to("shop.eu.example.com"));
    assert_eq!(delegated["shop.eu.example.com"], Vec::<String>::new());
}

/// The records without SOA and NS, pasted into a zone that exists.
#[test]
fn the_records_alone_fit_into_a_zone() {
    let directory = tempfile::tempdir().unwrap();
    for config in random::some(20) {
        for zone in zones(&config) {
            let file = directory.path().join("zone");
            let head = format!(
                "$TTL 300\n{0}. IN SOA ns.invalid. hostmaster.{0}. 1 7200 900 1209600 300\n{0}. IN NS ns.invalid.\n",
                zone.zone
            );
            std::fs::write(&file, format!("{head}{}", zone_records(&zone))).unwrap();
            named_checkzone(&zone.zone, &file);
        }
    }
}

/// BIND's canonical form of a zone, and from it the same records.
#[test]
fn bind_reads_back_the_same_records() {
    let directory = tempfile::tempdir().unwrap();
    for config in random::some(40) {
        for zone in zones(&config) {
            let file = directory.path().join("zone");
            std::fs::write(&file, zone_file(&config, &zone, 7)).unwrap();
            let canonical = succeed(
                Command::new(tool("named-compilezone"))
                    .args(["-q", "-i", "local", "-o", "-"])
                    .arg(&zone.zone)
                    .arg(&file),
            );
            let mut read: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
            for line in canonical.lines().filter(|line| !line.starts_with(';')) {
                let mut rest = line;
                let mut field = || {
                    let (head, tail) = rest.trim_start().split_once(char::is_whitespace).unwrap();
                    rest = tail;
                    head
                };
                let (name, _ttl, _class, kind) = (field(), field(), field(), field());
                let data = rest;
                read.entry((name.to_ascii_lowercase(), kind.to_owned()))
                    .or_default()
                    .push(data.trim().to_owned());
            }
            for record in zone.records.iter().filter(|r| r.data.is_some()) {
                let key = (format!("{}.", record.fqdn), record.kind.to_owned());
                let data = record.data.as_ref().unwrap().presentation();
                let found = read
                    .get(&key)
                    .unwrap_or_else(|| panic!("{key:?} is not in\n{canonical}"));
                assert!(found.contains(&data), "{data} is not among {found:?}");
            }
            let ours = zone.records.iter().filter(|r| r.data.is_some()).count();
            let servers = config.dns.nameservers.len().max(1);
            let theirs: usize = read.values().map(Vec::len).sum();
            assert_eq!(theirs, ours + 1 + servers, "{canonical}");
        }
    }
}

#[test]
fn no_string_is_longer_than_255_octets() {
    for config in random::some(20) {
        for record in zones(&config).into_iter().flat_map(|zone| zone.records) {
            if let Some(Data::Txt { text }) = &record.data {
                assert!(chunks(text).iter().all(|chunk| chunk.len() <= 255));
                assert_eq!(chunks(text).concat(), *text);
            }
        }
    }
}

/// AgencyStack's documentation promises these four lines.
#[test]
fn the_text_is_agencystacks() {
    let config = crate::compose::config(crate::support::SMALL);
    let text = zone_records(&zones(&config)[0]);
    for line in [
        "example.com. 3600 IN MX 10 mail.example.com.",
        "example.com. 3600 IN TXT \"v=spf1 mx -all\"",
        "dkim._domainkey.example.com. 3600 IN TXT \"v=DKIM1; k=rsa; p=",
        "_dmarc.example.com. 3600 IN TXT \"v=DMARC1; p=reject; sp=reject; adkim=s; aspf=s;\"",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}
