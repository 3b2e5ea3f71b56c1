//! One mistake at a time: each is named by its id, and nothing else as serious is said.

use serde_json::{Value, json};

use super::findings;
use super::world::{Damage, Lab, NOBODY_ADDRESS, Zones};

const D: &str = "example.com";
const H: &str = "mail.example.com";
const DKIM: &str = "dkim._domainkey.example.com";
const DMARC: &str = "_dmarc.example.com";
const STS: &str = "_mta-sts.example.com";
const WEB: &str = "mta-sts.example.com";
const PTR: &str = "10.2.0.192.in-addr.arpa";

/// What is changed in a right zone.
type Change = Box<dyn Fn(&mut Zones)>;

struct Fault {
    name: &'static str,
    id: &'static str,
    severity: &'static str,
    /// What the finding's subject begins with.
    subject: &'static str,
    make: Change,
}

fn fault(
    name: &'static str,
    id: &'static str,
    subject: &'static str,
    make: impl Fn(&mut Zones) + 'static,
) -> Fault {
    Fault {
        name,
        id,
        severity: "error",
        subject,
        make: Box::new(make),
    }
}

fn warning(
    name: &'static str,
    id: &'static str,
    subject: &'static str,
    make: impl Fn(&mut Zones) + 'static,
) -> Fault {
    Fault {
        severity: "warning",
        ..fault(name, id, subject, make)
    }
}

/// The apex has an SPF text and no other.
fn spf(text: &str) -> impl Fn(&mut Zones) + 'static {
    let text = text.to_owned();
    move |zones| {
        zones.instead(D, "TXT", &[&text]);
    }
}

fn mx(values: &'static [&'static str]) -> impl Fn(&mut Zones) + 'static {
    move |zones| {
        zones.instead(D, "MX", values);
    }
}

fn dmarc(value: &str) -> impl Fn(&mut Zones) + 'static {
    let value = format!("\"{value}\"");
    move |zones| {
        zones.instead(DMARC, "TXT", &[&value]);
    }
}

fn sts(value: &str) -> impl Fn(&mut Zones) + 'static {
    let value = format!("\"{value}\"");
    move |zones| {
        zones.instead(STS, "TXT", &[&value]);
    }
}

/// The text of the key, as the zone has it.
fn key(zones: &Zones) -> String {
    let start = format!("{DKIM}. ");
    let line = zones.lines[D].iter().find(|line| line.starts_with(&start));
    let (_, text) = line.unwrap().split_once(" IN TXT ").unwrap();
    text.replace("\" \"", "").trim_matches('"').to_owned()
}

/// The key's text, changed, in as many strings as it takes.
fn dkim(change: impl Fn(&str) -> Vec<String> + 'static) -> impl Fn(&mut Zones) + 'static {
    move |zones| {
        let all: Vec<String> = change(&key(zones))
            .iter()
            .map(|text| {
                let strings: Vec<String> = text
                    .as_bytes()
                    .chunks(200)
                    .map(|part| format!("\"{}\"", String::from_utf8_lossy(part)))
                    .collect();
                strings.join(" ")
            })
            .collect();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        zones.instead(DKIM, "TXT", &all);
    }
}

fn web(change: impl Fn(&mut Value) + 'static) -> impl Fn(&mut Zones) + 'static {
    move |zones| change(&mut zones.state["web"][WEB])
}

fn body(text: &'static str) -> impl Fn(&mut Zones) + 'static {
    web(move |page| page["body"] = json!(text))
}

fn ptr(values: &'static [&'static str]) -> impl Fn(&mut Zones) + 'static {
    move |zones| {
        zones.instead(PTR, "PTR", values);
    }
}

fn damage(zone: &'static str, how: Damage) -> impl Fn(&mut Zones) + 'static {
    move |zones| zones.damage = Some((zone, how))
}

fn sender() -> Vec<Fault> {
    let many: Vec<String> = (1..=11).map(|n| format!("a:h{n}.foreign.net")).collect();
    let many = many.join(" ");
    vec![
        fault("spf2", "spf.one", D, |z| {
            z.instead(
                D,
                "TXT",
                &[
                    "\"v=spf1 mx -all\"",
                    "\"v=spf1 include:_spf.foreign.net ~all\"",
                ],
            );
        }),
        fault("spf2, the same twice in other letters", "spf.one", D, |z| {
            z.instead(D, "TXT", &["\"v=spf1 mx -all\"", "\"V=SPF1 mx -all\""]);
        }),
        fault("spf-none", "spf.one", D, |z| {
            z.instead(D, "TXT", &["\"google-site-verification=x\""]);
        }),
        fault("spf-unquoted", "spf.syntax", D, spf("v=spf1 mx -all")),
        fault(
            "spf, quotes inside",
            "spf.syntax",
            D,
            spf("\"\\\"v=spf1 mx -all\\\"\""),
        ),
        fault(
            "spf, a blank before",
            "spf.syntax",
            D,
            spf("\" v=spf1 mx -all\""),
        ),
        fault(
            "spf, unknown term",
            "spf.syntax",
            D,
            spf("\"v=spf1 mx ip:192.0.2.10 -all\""),
        ),
        fault(
            "spf, bad prefix",
            "spf.syntax",
            D,
            spf("\"v=spf1 mx ip4:192.0.2.0/33 -all\""),
        ),
        fault(
            "spf-11lookups",
            "spf.lookups",
            D,
            spf(&format!("\"v=spf1 mx\" \" {many} -all\"")),
        ),
        fault(
            "spf-11lookups, in an include",
            "spf.lookups",
            D,
            spf("\"v=spf1 mx include:_many.foreign.net -all\""),
        ),
        fault(
            "spf-3void",
            "spf.voids",
            D,
            spf("\"v=spf1 a:v1.foreign.net a:v2.foreign.net a:v3.foreign.net mx -all\""),
        ),
        fault(
            "spf-3void, mx and exists",
            "spf.voids",
            D,
            spf("\"v=spf1 mx mx:v1.foreign.net exists:v2.foreign.net a:v3.foreign.net ~all\""),
        ),
        fault(
            "spf-loop",
            "spf.loop",
            D,
            spf("\"v=spf1 mx include:_loop.foreign.net -all\""),
        ),
        fault(
            "spf-loop, itself",
            "spf.loop",
            D,
            spf("\"v=spf1 mx include:example.com -all\""),
        ),
        fault(
            "spf-loop, redirects",
            "spf.loop",
            D,
            spf("\"v=spf1 mx include:_ring.foreign.net -all\""),
        ),
        fault(
            "spf, dead include",
            "spf.includes-dead",
            D,
            spf("\"v=spf1 mx include:_gone.foreign.net -all\""),
        ),
        fault(
            "spf, include without a record",
            "spf.includes-dead",
            D,
            spf("\"v=spf1 mx include:h1.foreign.net -all\""),
        ),
        fault(
            "spf, broken include",
            "spf.includes-dead",
            D,
            spf("\"v=spf1 mx include:_broken.foreign.net -all\""),
        ),
        fault(
            "spf, include with two",
            "spf.includes-dead",
            D,
            spf("\"v=spf1 mx redirect=_twice.foreign.net\""),
        ),
        fault(
            "spf, eleven mail servers",
            "spf.mx10",
            D,
            spf("\"v=spf1 mx mx:big.foreign.net -all\""),
        ),
        fault(
            "spf, not ours",
            "spf.pass",
            D,
            spf("\"v=spf1 include:_spf.foreign.net -all\""),
        ),
        fault(
            "spf, softfail for us",
            "spf.pass",
            D,
            spf("\"v=spf1 ip4:203.0.113.1 ~all\""),
        ),
        fault(
            "spf, refused before",
            "spf.pass",
            D,
            spf("\"v=spf1 -ip4:192.0.2.0/24 mx -all\""),
        ),
        fault("spf, after all", "spf.pass", D, spf("\"v=spf1 -all mx\"")),
        fault("spf, everybody", "spf.all", D, spf("\"v=spf1 mx +all\"")),
        fault(
            "spf, everybody without a sign",
            "spf.all",
            D,
            spf("\"v=spf1 mx all\""),
        ),
        warning("spf, neutral", "spf.all", D, spf("\"v=spf1 mx ?all\"")),
        warning("spf, no all", "spf.all", D, spf("\"v=spf1 mx\"")),
        warning("spf, ptr", "spf.ptr", D, spf("\"v=spf1 mx ptr -all\"")),
        warning("spf of the greeting", "spf.one", H, |z| {
            z.without(H, "TXT");
        }),
        warning("spf of the greeting refuses", "spf.pass", H, |z| {
            z.instead(H, "TXT", &["\"v=spf1 -all\""]);
        }),
        warning("spf of a parked name", "spf.all", "parked.org", |z| {
            z.instead("parked.org", "TXT", &["\"v=spf1 mx ~all\""]);
        }),
    ]
}

fn servers() -> Vec<Fault> {
    vec![
        fault("mx, none", "mx.present", D, |z| {
            z.without(D, "MX");
        }),
        fault("mx-ip", "mx.ip", D, mx(&["10 192.0.2.10."])),
        fault(
            "mx-ip beside ours",
            "mx.ip",
            D,
            mx(&["10 mail.example.com.", "20 192.0.2.10."]),
        ),
        fault("mx-cname", "mx.cname", D, |z| {
            z.instead(D, "MX", &["10 mx.example.com."]);
            z.add(D, "mx.example.com. 60 IN CNAME mail.example.com.");
        }),
        fault("mx-cname, beside ours and elsewhere", "mx.cname", D, |z| {
            z.instead(D, "MX", &["10 mail.example.com.", "20 backup.foreign.net."]);
            z.add("foreign.net", "backup IN CNAME mx.foreign.net.");
        }),
        fault(
            "mx, no address",
            "mx.noaddr",
            D,
            mx(&["10 mx.example.com."]),
        ),
        fault("mx-doubled", "mx.dot", D, mx(&["10 mail.example.com"])),
        fault(
            "mx-doubled, another name",
            "mx.dot",
            D,
            mx(&["10 mx1.example.com.example.com."]),
        ),
        fault("mx-doubled, its own name", "ns.double", D, |z| {
            z.without(D, "MX");
            z.add(D, "example.com.example.com. 60 IN MX 10 mail.example.com.");
        }),
        fault(
            "mx, another host",
            "mx.ours",
            D,
            mx(&["10 mx.foreign.net."]),
        ),
        fault("mx, null", "mx.null", D, mx(&["0 ."])),
        fault(
            "mx, null beside ours",
            "mx.null",
            D,
            mx(&["0 .", "10 mail.example.com."]),
        ),
        fault(
            "mx, others beside ours that the policy does not have",
            "sts.cover",
            WEB,
            mx(&["10 mail.example.com.", "20 mx.foreign.net."]),
        ),
        fault("host, another address", "host.a", H, |z| {
            z.instead(H, "A", &["203.0.113.7"]);
        }),
        fault("v6-dead", "host.aaaa", H, |z| {
            z.add(D, "mail.example.com. 60 IN AAAA 2001:db8::dead");
        }),
        warning("wildcard-txt", "ns.wildcard", D, |z| {
            z.add(D, "*.example.com. 60 IN TXT \"v=spf1 -all\"");
        }),
        warning(
            "wildcard, of addresses",
            "ns.wildcard",
            "example.net",
            |z| {
                z.add("example.net", "*.example.net. 60 IN A 203.0.113.5");
            },
        ),
        fault("ptr-none", "ptr.exists", PTR, |z| {
            z.without(PTR, "PTR");
        }),
        warning(
            "ptr-generic",
            "ptr.generic",
            PTR,
            ptr(&["192-0-2-10.dyn.foreign.net."]),
        ),
        warning(
            "ptr-generic, backwards",
            "ptr.generic",
            PTR,
            ptr(&["host10.2.0.192.customers.foreign.net."]),
        ),
        warning(
            "ptr-generic, by a word",
            "ptr.generic",
            PTR,
            ptr(&["vps4711.foreign.net."]),
        ),
        warning(
            "ptr-double",
            "ptr.multiple",
            PTR,
            ptr(&["mail.example.com.", "www.foreign.net."]),
        ),
        fault(
            "ptr, leads elsewhere",
            "ptr.fcrdns",
            PTR,
            ptr(&["mx.foreign.net."]),
        ),
        fault(
            "ptr, doubled",
            "ptr.fcrdns",
            PTR,
            ptr(&["mail.example.com"]),
        ),
        warning("ptr, another name of ours", "ptr.helo", PTR, |z| {
            z.instead(PTR, "PTR", &["box.foreign.net."]);
            z.add("foreign.net", "box IN A 192.0.2.10");
        }),
        warning("ns-stale", "ns.stale", D, |z| {
            let old = z.lines[D].iter().map(|line| old_serial(line)).collect();
            z.second.insert(D.to_owned(), old);
        }),
        warning("ns-stale, without the key", "ns.stale", D, |z| {
            let old = z.lines[D].iter().filter(|line| !line.starts_with(DKIM));
            z.second
                .insert(D.to_owned(), old.map(|line| old_serial(line)).collect());
        }),
        fault("zone that is not there", "ns.exists", "example.net", |z| {
            z.gone.insert("example.net".to_owned());
        }),
        fault(
            "dnssec-bogus",
            "dnssec.bogus",
            D,
            damage(D, Damage::Signature("SOA")),
        ),
        fault(
            "dnssec-bogus, another key's DS",
            "dnssec.bogus",
            D,
            damage(D, Damage::OtherKey),
        ),
        fault(
            "dnssec-bogus, expired",
            "dnssec.bogus",
            "example.net",
            damage("example.net", Damage::Expired),
        ),
        fault(
            "dnssec-bogus, DS without keys",
            "dnssec.bogus",
            D,
            damage(D, Damage::Unsigned),
        ),
        fault(
            "dnssec-bogus, one set",
            "dnssec.bogus",
            D,
            damage(D, Damage::Signature("MX")),
        ),
    ]
}

/// The SOA line with an earlier serial.
fn old_serial(line: &str) -> String {
    if !line.contains(" IN SOA ") {
        return line.to_owned();
    }
    let mut words: Vec<&str> = line.split(' ').collect();
    words[5] = "0";
    words.join(" ")
}

fn keys() -> Vec<Fault> {
    vec![
        fault("dkim-none", "dkim.present", DKIM, |z| {
            z.without(DKIM, "TXT");
        }),
        fault(
            "dkim-cut255",
            "dkim.mangled",
            DKIM,
            dkim(|text| vec![text[..255].to_owned()]),
        ),
        fault(
            "dkim, without its first string",
            "dkim.mangled",
            DKIM,
            dkim(|text| vec![format!("v=DKIM1; k=rsa; p={}", &text[255..])]),
        ),
        warning(
            "dkim-spaces",
            "dkim.mangled",
            DKIM,
            dkim(|text| vec![format!("{} {}", &text[..255], &text[255..])]),
        ),
        warning(
            "dkim-spaces, many",
            "dkim.mangled",
            DKIM,
            dkim(|text| {
                let (head, key) = text.split_once("p=").unwrap();
                let parts: Vec<&str> = (0..key.len())
                    .step_by(64)
                    .map(|at| &key[at..key.len().min(at + 64)])
                    .collect();
                vec![format!("{head}p={}", parts.join("  "))]
            }),
        ),
        fault("dkim-innerquotes", "dkim.mangled", DKIM, |z| {
            let text = key(z);
            let value = format!("\"\\\"{}\\\"\" \"\\\"{}\\\"\"", &text[..200], &text[200..]);
            z.instead(DKIM, "TXT", &[&value]);
        }),
        fault("dkim, unquoted", "dkim.mangled", DKIM, |z| {
            let text = key(z);
            z.instead(DKIM, "TXT", &[&text]);
        }),
        fault(
            "dkim, shortened",
            "dkim.mangled",
            DKIM,
            dkim(|text| vec![format!("{}...", &text[..100])]),
        ),
        fault(
            "dkim, small letters",
            "dkim.mangled",
            DKIM,
            dkim(|text| {
                let (head, key) = text.split_once("p=").unwrap();
                vec![format!("{head}p={}", key.to_ascii_lowercase())]
            }),
        ),
        fault(
            "dkim-2rr",
            "dkim.split",
            DKIM,
            dkim(|text| vec![text[..200].to_owned(), text[200..].to_owned()]),
        ),
        fault(
            "dkim, old one beside",
            "dkim.several",
            DKIM,
            dkim(|text| {
                vec![
                    text.to_owned(),
                    "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCB".to_owned(),
                ]
            }),
        ),
        fault(
            "dkim-wrongkey",
            "dkim.match",
            DKIM,
            dkim(|text| {
                // The key of another domain of this server, as it were.
                let (head, key) = text.split_once("p=").unwrap();
                let middle: String = key[60..90].chars().rev().collect();
                vec![format!("{head}p={}{middle}{}", &key[..60], &key[90..])]
            }),
        ),
        fault(
            "dkim-revoked",
            "dkim.revoked",
            DKIM,
            dkim(|_| vec!["v=DKIM1; k=rsa; p=".to_owned()]),
        ),
        fault(
            "dkim, sha1",
            "dkim.tags",
            DKIM,
            dkim(|text| vec![text.replace("k=rsa", "h=sha1")]),
        ),
        fault(
            "dkim, another kind",
            "dkim.tags",
            DKIM,
            dkim(|text| vec![text.replace("k=rsa", "k=ed25519")]),
        ),
        warning(
            "dkim, testing",
            "dkim.testing",
            DKIM,
            dkim(|text| vec![text.replace("k=rsa", "t=y")]),
        ),
        fault("dkim-sel-doubled", "ns.double", DKIM, |z| {
            let text = key(z);
            z.without(DKIM, "TXT");
            z.add(
                D,
                &format!(
                    "{DKIM}.example.com. 60 IN TXT \"{}\" \"{}\"",
                    &text[..200],
                    &text[200..]
                ),
            );
        }),
        fault(
            "dkim-sel-doubled, only its middle",
            "ns.double",
            DKIM,
            |z| {
                let text = key(z);
                z.without(DKIM, "TXT");
                z.add(
                    D,
                    &format!(
                        "dkim._domainkey._domainkey.example.com. 60 IN TXT \"{}\" \"{}\"",
                        &text[..200],
                        &text[200..]
                    ),
                );
            },
        ),
        fault(
            "dkim, alias that leads nowhere",
            "dkim.present",
            "dkim._domainkey.example.net",
            |z| {
                z.without("dkim._domainkey.example.net", "CNAME");
            },
        ),
    ]
}

fn reports() -> Vec<Fault> {
    vec![
        fault("dmarc-none", "dmarc.one", DMARC, |z| {
            z.without(DMARC, "TXT");
        }),
        fault("dmarc2", "dmarc.one", DMARC, |z| {
            z.instead(
                DMARC,
                "TXT",
                &["\"v=DMARC1; p=none\"", "\"v=DMARC1; p=reject\""],
            );
        }),
        fault("dmarc-at-apex", "dmarc.name", DMARC, |z| {
            z.without(DMARC, "TXT");
            z.add(D, "@ 60 IN TXT \"v=DMARC1; p=reject\"");
        }),
        fault("dmarc-wrong-name", "dmarc.name", DMARC, |z| {
            z.without(DMARC, "TXT");
            z.add(D, "dmarc.example.com. 60 IN TXT \"v=DMARC1; p=reject\"");
        }),
        fault("dmarc-wrong-name, doubled", "ns.double", DMARC, |z| {
            z.without(DMARC, "TXT");
            z.add(
                D,
                "_dmarc.example.com.example.com. 60 IN TXT \"v=DMARC1; p=reject\"",
            );
        }),
        fault(
            "dmarc-case",
            "dmarc.syntax",
            DMARC,
            dmarc("v=dmarc1; p=reject"),
        ),
        fault(
            "dmarc-case, the policy first",
            "dmarc.syntax",
            DMARC,
            dmarc("p=reject; v=DMARC1"),
        ),
        fault(
            "dmarc, bad value",
            "dmarc.syntax",
            DMARC,
            dmarc("v=DMARC1; p=block"),
        ),
        fault(
            "dmarc, comma",
            "dmarc.syntax",
            DMARC,
            dmarc("v=DMARC1; p=reject, sp=reject"),
        ),
        fault(
            "dmarc, without a semicolon",
            "dmarc.syntax",
            DMARC,
            dmarc("v=DMARC1 p=reject"),
        ),
        fault(
            "dmarc, twice",
            "dmarc.syntax",
            DMARC,
            dmarc("v=DMARC1; p=reject; p=none"),
        ),
        fault(
            "dmarc, address without mailto",
            "dmarc.syntax",
            DMARC,
            dmarc("v=DMARC1; p=reject; rua=dmarc@example.com"),
        ),
        warning(
            "dmarc, no policy",
            "dmarc.policy",
            DMARC,
            dmarc("v=DMARC1; rua=mailto:dmarc@example.com"),
        ),
        warning(
            "dmarc, lax below",
            "dmarc.policy",
            DMARC,
            dmarc("v=DMARC1; p=reject; sp=none"),
        ),
        fault(
            "ext-report-missing",
            "dmarc.ext",
            DMARC,
            dmarc("v=DMARC1; p=reject; rua=mailto:reports@foreign.net"),
        ),
        fault(
            "ext-report-missing, of two",
            "dmarc.ext",
            DMARC,
            dmarc("v=DMARC1; p=reject; rua=mailto:dmarc@example.com,mailto:x@foreign.net!10m"),
        ),
        fault(
            "ext-report-missing, at home",
            "dmarc.ext",
            "example.org._report._dmarc.example.com",
            |z| {
                z.without("example.org._report._dmarc.example.com", "TXT");
            },
        ),
        warning("rua takes no mail", "dmarc.rua", DMARC, |z| {
            z.instead(
                DMARC,
                "TXT",
                &["\"v=DMARC1; p=reject; rua=mailto:x@lists.example.com\""],
            );
        }),
    ]
}

fn policies() -> Vec<Fault> {
    vec![
        fault("sts-noserve", "sts.policy", WEB, |z| {
            z.without(WEB, "CNAME");
            z.add(D, &format!("{WEB}. 60 IN A {NOBODY_ADDRESS}"));
        }),
        fault("sts-noserve, no name", "sts.policy", WEB, |z| {
            z.without(WEB, "CNAME");
        }),
        fault("sts-noserve, not found", "sts.policy", WEB, |z| {
            z.state["web"].as_object_mut().unwrap().remove(WEB);
        }),
        fault(
            "sts-noserve, redirect",
            "sts.policy",
            WEB,
            web(|page| {
                page["status"] = json!(301);
                page["location"] = json!("https://mta-sts.example.org/.well-known/mta-sts.txt");
            }),
        ),
        fault(
            "sts-noserve, another type",
            "sts.policy",
            WEB,
            web(|page| page["type"] = json!("text/html")),
        ),
        fault(
            "sts-noserve, another certificate",
            "sts.policy",
            WEB,
            web(|page| page["certificate"] = json!("other")),
        ),
        fault(
            "sts-noserve, too large",
            "sts.policy",
            WEB,
            web(|page| {
                let text = page["body"].as_str().unwrap().to_owned() + &"x: y\n".repeat(20_000);
                page["body"] = json!(text);
            }),
        ),
        fault(
            "sts, no version",
            "sts.policy",
            WEB,
            body("mode: enforce\nmx: mail.example.com\nmax_age: 604800\n"),
        ),
        fault(
            "sts, another mode while the id is the same",
            "sts.policy",
            WEB,
            body("version: STSv1\nmode: testing\nmx: mail.example.com\nmax_age: 604800\n"),
        ),
        fault(
            "sts-mx-miss",
            "sts.cover",
            WEB,
            body("version: STSv1\nmode: enforce\nmx: mx.example.com\nmax_age: 604800\n"),
        ),
        fault(
            "sts-mx-miss, one label too many",
            "sts.cover",
            WEB,
            body(
                "version: STSv1\r\nmode: enforce\r\nmx: *.mail.example.com\r\nmax_age: 604800\r\n",
            ),
        ),
        fault(
            "sts, too long",
            "sts.age",
            WEB,
            body("version: STSv1\nmode: enforce\nmx: mail.example.com\nmax_age: 99999999\n"),
        ),
        fault("sts-id-bad", "sts.txt", STS, sts("v=STSv1; id=2026-11-22")),
        fault("sts-id-bad, none", "sts.txt", STS, sts("v=STSv1;")),
        fault(
            "sts-id-bad, too long",
            "sts.txt",
            STS,
            sts(&format!("v=STSv1; id={}", "1".repeat(33))),
        ),
        fault("sts2", "sts.txt", STS, |z| {
            z.instead(STS, "TXT", &["\"v=STSv1; id=1\"", "\"v=STSv1; id=2\""]);
        }),
        fault(
            "sts, other letters",
            "sts.txt",
            STS,
            sts("v=stsv1; id=20261122"),
        ),
        warning(
            "sts, id of an earlier policy",
            "sts.txt",
            STS,
            sts("v=STSv1; id=20261122"),
        ),
        fault("tlsrpt2", "tlsrpt.one", "_smtp._tls.example.com", |z| {
            z.instead(
                "_smtp._tls.example.com",
                "TXT",
                &[
                    "\"v=TLSRPTv1; rua=mailto:a@example.com\"",
                    "\"v=TLSRPTv1; rua=mailto:b@example.com\"",
                ],
            );
        }),
        fault(
            "tlsrpt, no address",
            "tlsrpt.one",
            "_smtp._tls.example.com",
            |z| {
                z.instead(
                    "_smtp._tls.example.com",
                    "TXT",
                    &["\"v=TLSRPTv1; rua=a@example.com\""],
                );
            },
        ),
        fault("caa-deny", "caa.allows", D, |z| {
            z.add(D, "@ 60 IN CAA 0 issue \"digicert.com\"");
        }),
        fault("caa-deny, at the host", "caa.allows", H, |z| {
            z.add(D, "mail 60 IN CAA 0 issue \";\"");
        }),
        fault(
            "caa-deny, of a domain's names",
            "caa.allows",
            "example.org",
            |z| {
                // Its names are aliases of the mail host, which has no rule of its own: then their own parents count.
                z.add("example.org", "@ 60 IN CAA 0 issue \"digicert.com\"");
            },
        ),
        fault("caa-deny, critical", "caa.allows", D, |z| {
            z.add(D, "@ 60 IN CAA 0 issue \"letsencrypt.org\"");
            z.add(D, "@ 60 IN CAA 128 future \"x\"");
        }),
        warning(
            "tlsa-insecure",
            "tlsa.insecure",
            "_25._tcp.mail.example.com",
            |z| {
                z.signed.remove(D);
                z.add(
                    D,
                    &format!(
                        "_25._tcp.mail.example.com. 60 IN TLSA 3 1 1 {}",
                        "ab".repeat(32)
                    ),
                );
            },
        ),
        fault(
            "tlsa-stale",
            "tlsa.stale",
            "_25._tcp.mail.example.com",
            |z| {
                z.add(
                    D,
                    &format!(
                        "_25._tcp.mail.example.com. 60 IN TLSA 3 1 1 {}",
                        "ab".repeat(32)
                    ),
                );
            },
        ),
        fault(
            "tlsa-stale, a usage that is not for mail",
            "tlsa.stale",
            "_25._tcp.mail.example.com",
            |z| {
                z.add(
                    D,
                    &format!(
                        "_25._tcp.mail.example.com. 60 IN TLSA 2 0 1 {}",
                        "cd".repeat(32)
                    ),
                );
            },
        ),
    ]
}

/// What receivers accept, and we have to.
fn harmless() -> Vec<(&'static str, Change)> {
    vec![
        (
            "covered by a network",
            Box::new(spf("\"v=spf1 ip4:192.0.2.0/28 -all\"")),
        ),
        (
            "covered by an include",
            Box::new(spf("\"v=spf1 include:_open.foreign.net ~all\"")),
        ),
        (
            "by redirect",
            Box::new(spf("\"v=spf1 redirect=_open.foreign.net\"")),
        ),
        (
            "by the host's name",
            Box::new(spf("\"V=spf1 a:MAIL.example.com -all\"")),
        ),
        (
            "with a macro",
            Box::new(spf("\"v=spf1 mx exists:%{i}._spf.foreign.net -all\"")),
        ),
        (
            "dmarc in another order",
            Box::new(dmarc(
                "v=DMARC1;sp=reject;p=reject;rua=mailto:dmarc@example.com",
            )),
        ),
        (
            "agreed reports",
            Box::new(|z: &mut Zones| {
                z.instead(
                    DMARC,
                    "TXT",
                    &["\"v=DMARC1; p=reject; rua=mailto:x@foreign.net\""],
                );
                z.add("foreign.net", "*._report._dmarc IN TXT \"v=DMARC1;\"");
            }),
        ),
        (
            "policy with a pattern and CRLF",
            Box::new(|z: &mut Zones| {
                z.add(D, "@ 60 IN CAA 0 issue \"digicert.com\"");
                z.add(
                    D,
                    "@ 60 IN CAA 0 issue \"letsencrypt.org; validationmethods=http-01,dns-01\"",
                );
                z.add(D, "@ 60 IN CAA 0 iodef \"mailto:a@example.com\"");
            }),
        ),
        (
            "only rules for wildcards",
            Box::new(|z: &mut Zones| {
                z.add(D, "@ 60 IN CAA 0 issuewild \";\"");
            }),
        ),
        (
            "key cut otherwise",
            Box::new(dkim(|text| vec![text.to_owned()])),
        ),
    ]
}

pub(super) fn all(lab: &mut Lab) {
    let right = lab.right();
    let mut wrong = Vec::new();
    let faults = [sender(), servers(), keys(), reports(), policies()];
    for fault in faults.into_iter().flatten() {
        let mut zones = right.clone();
        (fault.make)(&mut zones);
        lab.serve(&zones);
        let run = crate::support::finished(lab.checked(&[]));
        let report = run.json();
        let found = findings(&report);
        let subject = report["findings"][0]["subject"]
            .as_str()
            .unwrap_or_default();
        let hints = report["findings"][0]["hints"]
            .as_array()
            .map_or(0, Vec::len);
        let as_serious = found
            .iter()
            .filter(|(_, severity)| severity == fault.severity);
        let named = found.first() == Some(&(fault.id.to_owned(), fault.severity.to_owned()));
        let code = i32::from(fault.severity == "error");
        let code_fits = run.code == code || fault.id == "ns.stale";
        if !named || as_serious.count() != 1 || hints == 0 || !code_fits || subject != fault.subject
        {
            wrong.push(format!(
                "{}: {} of {} expected, exit status {}: {:#}",
                fault.name, fault.id, fault.subject, run.code, report["findings"]
            ));
        }
    }
    for (name, make) in harmless() {
        let mut zones = right.clone();
        make(&mut zones);
        lab.serve(&zones);
        let report = crate::support::finished(lab.checked(&[])).json();
        if !findings(&report).is_empty() || report["complete"] != true {
            wrong.push(format!("{name}: {:#}", report["findings"]));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} faults:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
