use super::*;
use crate::config::Config;
use crate::dns::record::chunks;
use crate::dns::{self, PublicKeys};

/// A zone that somebody typed in: what names have, by type.
#[derive(Clone)]
struct World {
    records: Records,
    expected: Expected,
    there: BTreeMap<(String, &'static str), Vec<Seen>>,
    aliases: BTreeMap<String, String>,
}

const KEY: &str = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAtYkDzUbGqJBGG0Nq0aM2vLsYkKvXnqH6F5Zk2c8a0mT7w1e9rX4sQhUuVdPjLoWbC3iYg5tKxRzE8nMlSfA7qHvJp2DcB6uXwTyGzQe1Ns9OkVr4iUhLaFmPdCxZbY3tWgKjRoEnS0MlqAf5HvIuT8pDcX2rB7yGwQe9Nk1zOsVh4iLaUmFdPxCbZ6tYgWjK3oRnEsMlA0f5qHvTu8IpcX2DrB7GywQ9eNkz1OVsh4ULiaFmdPCxZb6tYgWj3KoRnEsM0lAf5HqvTu8IcpX2rDB7ywGQ9ekN1zOVhs4LUiamFdPCZxb6tYWgjK3oRnEMs0lAf5HqvuT8IcpX2rDB7yIDAQAB";

fn records(more: &str) -> (Records, Expected) {
    let config = Config::from_toml(&format!(
        "mail_host = \"mail.example.com\"\nemail_domain = \"example.com\"\nadmin_email = \"admin@example.com\"\n[dns]\nipv4 = \"192.0.2.10\"\n{more}"
    ))
    .expect("a configuration")
    .config;
    let mut keys = PublicKeys::new();
    for domain in config.domains() {
        keys.insert(domain.clone(), format!("v=DKIM1; k=rsa; p={KEY}"));
    }
    let records = dns::report(&config, dns::records(&config, &keys));
    (records, Expected::new(&config))
}

impl World {
    /// All as the generator says.
    fn right() -> Self {
        Self::of("")
    }

    /// The same with more in the configuration.
    fn of(more: &str) -> Self {
        let (records, expected) = records(more);
        let mut world = Self {
            records,
            expected,
            there: BTreeMap::new(),
            aliases: BTreeMap::new(),
        };
        world.fill();
        world
    }

    /// Judges what `facts` and further questions to this world tell.
    fn judge(&self, mut facts: Facts) -> Report {
        for _ in 0..40 {
            let wanted = super::wanted(&self.records, &self.expected, &facts);
            if wanted.names.is_empty() {
                break;
            }
            for (name, kind) in wanted.names {
                let reply = self.reply(&Question::new("", name.as_str(), kind));
                facts.outside.insert((name, kind), reply);
            }
        }
        judge(&self.records, &self.expected, &facts)
    }

    fn fill(&mut self) {
        for zone in &self.records.zones {
            for record in &zone.records {
                let Some(data) = &record.data else { continue };
                let seen = match data {
                    Data::Txt { text } => Seen::Text(
                        chunks(text)
                            .into_iter()
                            .map(|chunk| chunk.as_bytes().to_vec())
                            .collect(),
                    ),
                    other => Seen::Plain(other.presentation()),
                };
                self.there
                    .entry((record.fqdn.clone(), record.kind))
                    .or_default()
                    .push(seen);
            }
        }
    }

    /// Without names of addresses, which are somebody else's.
    fn forward() -> Self {
        let mut world = Self::right();
        world.records.zones.retain(|zone| !is_reverse(&zone.zone));
        world
    }

    fn set(&mut self, name: &str, kind: &'static str, seen: Vec<Seen>) -> &mut Self {
        self.there.insert((name.to_owned(), kind), seen);
        self
    }

    fn text(&mut self, name: &str, texts: &[&str]) -> &mut Self {
        self.set(
            name,
            "TXT",
            texts.iter().map(|text| Seen::text(text)).collect(),
        )
    }

    fn plain(&mut self, name: &str, kind: &'static str, all: &[&str]) -> &mut Self {
        let all = all.iter().map(|text| Seen::Plain((*text).to_owned()));
        self.set(name, kind, all.collect())
    }

    fn reply(&self, question: &Question) -> Reply {
        let key = (question.name.clone(), question.kind);
        match self.there.get(&key) {
            Some(records) if !records.is_empty() => Reply::Found {
                records: records.clone(),
                alias: self.aliases.get(&question.name).cloned(),
            },
            _ if self.there.keys().any(|(name, _)| *name == question.name) => Reply::Empty,
            _ => Reply::Absent,
        }
    }

    fn facts(&self, servers: &[&str]) -> Facts {
        let mut facts = Facts::default();
        for zone in &self.records.zones {
            facts.zones.insert(
                zone.zone.clone(),
                Servers::Known(servers.iter().map(|name| (*name).to_owned()).collect()),
            );
        }
        for question in questions(&self.records) {
            let replies = servers
                .iter()
                .map(|server| ((*server).to_owned(), self.reply(&question)));
            let replies = replies.collect();
            facts.replies.insert(question, replies);
        }
        facts
    }

    fn judged(&self) -> Report {
        self.judge(self.facts(&["ns1.example.net"]))
    }
}

fn state(report: &Report, id: &str) -> State {
    let one = report.records.iter().find(|one| one.id == id);
    one.unwrap_or_else(|| panic!("no {id} in {:?}", report.records))
        .state
}

fn wanted(world: &World, id: &str) -> String {
    let mut all = world.records.zones.iter().flat_map(|zone| &zone.records);
    let record = all.find(|record| record.id == id).expect("a record");
    record.data.as_ref().map(Data::plain).unwrap_or_default()
}

#[test]
fn what_the_generator_says_is_right() {
    let report = World::right().judged();
    assert_eq!(report.findings, []);
    assert!(report.complete && !report.uncertain);
    assert!(report.records.iter().all(|one| one.state == State::Right));
}

#[test]
fn each_mistake_has_its_name_and_nothing_else_is_said() {
    const DKIM: &str = "dkim._domainkey.example.com";
    type Fault = fn(&mut World);
    let dkim = |world: &World| wanted(world, "dkim._domainkey.example.com/DKIM");
    assert_eq!(dkim(&World::right()).len(), KEY.len() + 18);
    let faults: [(&str, &str, Fault); 46] = [
        ("mx.present", "example.com", |w| {
            w.plain("example.com", "MX", &[]);
        }),
        ("mx.ours", "example.com", |w| {
            w.plain("example.com", "MX", &["10 mx.old.example."]);
            w.plain("mx.old.example", "A", &["203.0.113.1"]);
        }),
        ("mx.noaddr", "example.com", |w| {
            w.plain("example.com", "MX", &["10 mx.old.example."]);
        }),
        ("mx.cname", "example.com", |w| {
            w.plain("example.com", "MX", &["10 mx.example.com."]);
            w.plain("mx.example.com", "A", &["192.0.2.10"]);
            w.aliases
                .insert("mx.example.com".to_owned(), "mail.example.com.".to_owned());
        }),
        ("mx.null", "example.com", |w| {
            w.plain("example.com", "MX", &["0 ."]);
        }),
        ("mx.ip", "example.com", |w| {
            w.plain("example.com", "MX", &["10 192.0.2.10."]);
        }),
        ("mx.dot", "example.com", |w| {
            w.plain("example.com", "MX", &["10 mail.example.com.example.com."]);
        }),
        ("host.a", "mail.example.com", |w| {
            w.plain("mail.example.com", "A", &["203.0.113.9"]);
        }),
        ("host.cname", "mail.example.com", |w| {
            w.aliases
                .insert("mail.example.com".to_owned(), "www.example.net".to_owned());
        }),
        ("spf.one", "example.com", |w| {
            w.text("example.com", &["google-site-verification=x"]);
        }),
        ("spf.one", "example.com", |w| {
            w.text(
                "example.com",
                &["v=spf1 mx -all", "v=spf1 include:_spf.other.example ~all"],
            );
        }),
        ("spf.syntax", "example.com", |w| {
            let words = ["v=spf1", "mx", "-all"].map(|word| word.as_bytes().to_vec());
            w.set("example.com", "TXT", vec![Seen::Text(words.into())]);
        }),
        ("spf.syntax", "example.com", |w| {
            w.text("example.com", &["\"v=spf1 mx -all\""]);
        }),
        ("spf.syntax", "example.com", |w| {
            w.text("example.com", &[" v=spf1 mx -all"]);
        }),
        ("spf.pass", "example.com", |w| {
            w.text("example.com", &["v=spf1 include:_spf.other.example -all"]);
            w.text("_spf.other.example", &["v=spf1 ip4:203.0.113.0/24 -all"]);
        }),
        ("spf.pass", "example.com", |w| {
            w.text("example.com", &["v=spf1 -ip4:192.0.2.0/24 mx -all"]);
        }),
        ("spf.syntax", "example.com", |w| {
            w.text("example.com", &["v=spf1 mx ipv4:192.0.2.10 -all"]);
        }),
        ("spf.includes-dead", "example.com", |w| {
            w.text(
                "example.com",
                &["v=spf1 mx include:_spf.other.example -all"],
            );
        }),
        ("spf.loop", "example.com", |w| {
            w.text(
                "example.com",
                &["v=spf1 mx include:_spf.other.example -all"],
            );
            w.text("_spf.other.example", &["v=spf1 include:Example.com ~all"]);
        }),
        ("spf.voids", "example.com", |w| {
            w.text(
                "example.com",
                &["v=spf1 a:a.other.example a:b.other.example exists:c.other.example mx -all"],
            );
        }),
        ("spf.lookups", "example.com", |w| {
            w.text(
                "example.com",
                &["v=spf1 mx include:_spf.other.example -all"],
            );
            let many: Vec<String> = (0..9).map(|n| format!("a:h{n}.example.net")).collect();
            w.text(
                "_spf.other.example",
                &[&format!("v=spf1 {} -all", many.join(" "))],
            );
        }),
        ("host.aaaa", "mail.example.com", |w| {
            w.plain("mail.example.com", "AAAA", &["2001:db8::9"]);
        }),
        ("dmarc.syntax", "_dmarc.example.com", |w| {
            w.text("_dmarc.example.com", &["v=DMARC1; p=reject; p=none"]);
        }),
        ("dmarc.syntax", "_dmarc.example.com", |w| {
            w.text(
                "_dmarc.example.com",
                &["v=DMARC1; p=reject; rua=reports@example.com"],
            );
        }),
        ("dmarc.ext", "_dmarc.example.com", |w| {
            w.text(
                "_dmarc.example.com",
                &["v=DMARC1; p=reject; rua=mailto:a@reports.example"],
            );
            w.plain("reports.example", "MX", &["10 mx.reports.example."]);
        }),
        ("spf.all", "example.com", |w| {
            w.text("example.com", &["v=spf1 mx +all"]);
        }),
        ("spf.lookups", "example.com", |w| {
            let many: Vec<String> = (0..11).map(|n| format!("a:h{n}.example.net")).collect();
            let many = many.join(" ");
            w.text("example.com", &[&format!("v=spf1 mx {many} -all")]);
        }),
        ("dkim.present", DKIM, |w| {
            w.text(DKIM, &[]);
        }),
        ("dkim.match", DKIM, |w| {
            let other = KEY.replace("tYkDzUbG", "uYkDzUbG");
            w.text(DKIM, &[&format!("v=DKIM1; k=rsa; p={other}")]);
        }),
        ("dkim.revoked", DKIM, |w| {
            w.text(DKIM, &["v=DKIM1; k=rsa; p="]);
        }),
        ("dkim.mangled", DKIM, |w| {
            w.text(DKIM, &[&format!("v=DKIM1; k=rsa; p={}", &KEY[..237])]);
        }),
        ("dkim.mangled", DKIM, |w| {
            w.text(DKIM, &[&format!("\"v=DKIM1; k=rsa; \" \"p={KEY}\"")]);
        }),
        ("dkim.mangled", DKIM, |w| {
            w.text(DKIM, &[&format!("v=DKIM1\\; k=rsa\\; p={KEY}")]);
        }),
        ("dkim.mangled", DKIM, |w| {
            w.text(
                DKIM,
                &[&format!(
                    "v=DKIM1; k=rsa; p=-----BEGIN PUBLIC KEY-----{KEY}"
                )],
            );
        }),
        ("dkim.mangled", DKIM, |w| {
            w.text(
                DKIM,
                &[&format!("v=DKIM1; k=rsa; p={}", KEY.to_ascii_lowercase())],
            );
        }),
        ("dkim.mangled", DKIM, |w| {
            let text = format!("v=DKIM1; k=rsa; p={KEY}");
            let [first, second] = [&text[..255], &text[255..]].map(|part| part.as_bytes().to_vec());
            w.set(DKIM, "TXT", vec![Seen::Text(vec![second, first])]);
        }),
        ("dkim.split", DKIM, |w| {
            let text = format!("v=DKIM1; k=rsa; p={KEY}");
            w.text(DKIM, &[&text[..255], &text[255..]]);
        }),
        ("dkim.tags", DKIM, |w| {
            w.text(DKIM, &[&format!("v=DKIM1; h=sha1; p={KEY}")]);
        }),
        ("dmarc.one", "_dmarc.example.com", |w| {
            w.text("_dmarc.example.com", &[]);
        }),
        ("dmarc.one", "_dmarc.example.com", |w| {
            w.text(
                "_dmarc.example.com",
                &["v=DMARC1; p=none", "v=DMARC1; p=reject"],
            );
        }),
        ("dmarc.syntax", "_dmarc.example.com", |w| {
            w.text("_dmarc.example.com", &["v=dmarc1; p=reject"]);
        }),
        ("dmarc.syntax", "_dmarc.example.com", |w| {
            w.text("_dmarc.example.com", &["v=DMARC1; p=refuse"]);
        }),
        ("dmarc.name", "_dmarc.example.com", |w| {
            w.text("_dmarc.example.com", &[]);
            let spf = Seen::text("v=spf1 mx -all");
            w.set(
                "example.com",
                "TXT",
                vec![spf, Seen::text("v=DMARC1; p=reject")],
            );
        }),
        ("ns.double", "_dmarc.example.com", |w| {
            w.text("_dmarc.example.com", &[]);
            w.text("_dmarc.example.com.example.com", &["v=DMARC1; p=reject"]);
        }),
        ("ns.double", DKIM, |w| {
            w.text(DKIM, &[]);
            w.text(
                &format!("{DKIM}.example.com"),
                &[&format!("v=DKIM1; k=rsa; p={KEY}")],
            );
        }),
        ("ns.double", "example.com", |w| {
            w.plain("example.com", "MX", &[]);
            w.plain("example.com.example.com", "MX", &["10 mail.example.com."]);
        }),
    ];
    for (id, subject, fault) in faults {
        let mut world = World::right();
        fault(&mut world);
        let report = world.judged();
        let ids: Vec<(&str, &str)> = report
            .findings
            .iter()
            .map(|one| (one.id.as_str(), one.subject.as_str()))
            .collect();
        assert_eq!(ids, [(id, subject)], "{:?}", report.findings);
        assert_eq!(report.findings[0].severity, Severity::Error);
        assert!(!report.findings[0].hints.is_empty(), "{id}");
        assert!(!report.complete, "{id}");
    }
}

#[test]
fn what_does_no_harm_is_accepted() {
    type Change = fn(&mut World);
    let all: [(&str, Change); 9] = [
        ("example.com/SPF", |w| {
            w.text(
                "example.com",
                &[
                    "v=spf1 ip4:192.0.2.77 mx include:_spf.other.example ~all",
                    "unrelated",
                ],
            );
            w.text("_spf.other.example", &["v=spf1 ip4:203.0.113.0/24 -all"]);
        }),
        // Another way to let the same address send.
        ("example.com/SPF", |w| {
            w.text("example.com", &["v=spf1 redirect=_spf.other.example"]);
            w.text("_spf.other.example", &["v=spf1 ip4:192.0.2.0/28 ?all"]);
        }),
        ("example.com/SPF", |w| {
            w.text(
                "example.com",
                &["v=spf1 exists:%{ir}.%{v}.%{d2}.list.example -all"],
            );
            w.plain(
                "10.2.0.192.in-addr.example.com.list.example",
                "A",
                &["127.0.0.2"],
            );
        }),
        ("_dmarc.example.com/DMARC", |w| {
            w.text(
                "_dmarc.example.com",
                &["v=DMARC1;p=reject;sp=reject;adkim=s;aspf=s;rua=mailto:a@example.com"],
            );
        }),
        ("dkim._domainkey.example.com/DKIM", |w| {
            let text = format!("p={KEY}; v=DKIM1; x=1").replace("p=", "k=rsa ; p = ");
            let text = text.replace("; v=DKIM1", "");
            w.text("dkim._domainkey.example.com", &[&text]);
        }),
        ("autoconfig.example.com/CNAME", |w| {
            w.plain("autoconfig.example.com", "CNAME", &[]);
            w.plain("autoconfig.example.com", "A", &["192.0.2.10"]);
        }),
        ("_imaps._tcp.example.com/SRV", |w| {
            w.plain(
                "_imaps._tcp.example.com",
                "SRV",
                &["0 5 993 mail.example.com."],
            );
        }),
        ("_pop3._tcp.example.com/SRV", |w| {
            w.plain("_pop3._tcp.example.com", "SRV", &[]);
        }),
        ("mail.example.com/SPF", |w| {
            w.text("mail.example.com", &["v=spf1 a mx -all"]);
        }),
    ];
    for (id, change) in all {
        let mut world = World::right();
        change(&mut world);
        let report = world.judged();
        assert_eq!(report.findings, [], "{id}");
        assert!(report.complete, "{id}");
        assert!(
            state(&report, id).serves(),
            "{id}: {:?}",
            state(&report, id)
        );
    }
}

#[test]
fn a_server_that_is_behind_is_named() {
    let world = World::forward();
    let mut old = world.clone();
    old.text("_dmarc.example.com", &[]);
    let mut facts = world.facts(&["ns1.example.net", "ns2.example.net"]);
    for (question, replies) in &mut facts.replies {
        replies.insert("ns2.example.net".to_owned(), old.reply(question));
    }
    let report = world.judge(facts.clone());
    let ids: Vec<&str> = report.findings.iter().map(|one| one.id.as_str()).collect();
    assert_eq!(ids, ["ns.consistent"]);
    assert!(report.findings[0].message.contains("ns2.example.net"));
    assert_eq!(state(&report, "_dmarc.example.com/DMARC"), State::Partial);
}

#[test]
fn what_could_not_be_asked_is_unknown_and_never_missing() {
    let world = World::forward();
    let mut facts = world.facts(&["ns1.example.net"]);
    for replies in facts.replies.values_mut() {
        for reply in replies.values_mut() {
            *reply = Reply::Failed("no answer in time".to_owned());
        }
    }
    let report = world.judge(facts.clone());
    let ids: Vec<&str> = report.findings.iter().map(|one| one.id.as_str()).collect();
    assert_eq!(ids, ["ns.silent"]);
    assert!(report.uncertain);
    assert!(report.records.iter().all(|one| one.state == State::Unknown));

    // One of two that does not answer is told from a zone that is away.
    let mut facts = world.facts(&["ns1.example.net", "ns2.example.net"]);
    for replies in facts.replies.values_mut() {
        replies.insert(
            "ns2.example.net".to_owned(),
            Reply::Failed("it says REFUSED".to_owned()),
        );
    }
    let report = world.judge(facts.clone());
    let ids: Vec<&str> = report.findings.iter().map(|one| one.id.as_str()).collect();
    assert_eq!(ids, ["ns.lame"]);
    assert!(report.complete);

    facts
        .zones
        .insert("example.com".to_owned(), Servers::Absent);
    let report = world.judge(facts.clone());
    assert_eq!(report.findings[0].id, "ns.exists");
    assert_eq!(report.findings.len(), 1);
}

#[test]
fn a_wildcard_is_told_and_is_no_doubled_name() {
    let mut world = World::right();
    world.text("_dmarc.example.com", &["hello"]);
    for name in [NOBODY, "_dmarc.example.com", "dkim._domainkey.example.com"] {
        world.text(&format!("{name}.example.com"), &["hello"]);
    }
    let report = world.judged();
    let ids: Vec<&str> = report.findings.iter().map(|one| one.id.as_str()).collect();
    assert_eq!(ids, ["dmarc.one", "ns.wildcard"]);
}

#[test]
fn two_spf_records_become_one_that_has_both() {
    let mut world = World::right();
    world.text(
        "example.com",
        &["v=spf1 include:_spf.other.example ~all", "v=spf1 mx -all"],
    );
    let report = world.judged();
    assert_eq!(
        report.findings[0].hints,
        ["make one of them: `v=spf1 include:_spf.other.example mx ~all`"]
    );
}

#[test]
fn alternatives_parked_names_and_authorities() {
    let world = World::of(
        "alternatives = [\"example.net\"]\nparked = [\"parked.example\"]\ncaa = [\"ca.example\"]\n",
    );
    let report = world.judged();
    assert_eq!(report.findings, []);
    let one = |change: fn(&mut World)| -> Vec<(String, Severity)> {
        let mut world = world.clone();
        change(&mut world);
        let found = world.judged().findings;
        found
            .into_iter()
            .map(|one| (one.id, one.severity))
            .collect()
    };
    let warned = |id: &str| vec![(id.to_owned(), Severity::Warning)];
    let failed = |id: &str| vec![(id.to_owned(), Severity::Error)];
    assert_eq!(
        one(|w| {
            w.text("parked.example", &["v=spf1 mx -all"]);
        }),
        warned("spf.all")
    );
    assert_eq!(
        one(|w| {
            w.plain("dkim._domainkey.example.net", "CNAME", &[]);
        }),
        failed("dkim.present")
    );
    assert_eq!(
        one(|w| {
            w.plain("mail.example.com", "CAA", &["0 issue \"other.example\""]);
        }),
        failed("caa.allows")
    );
    assert_eq!(
        one(|w| {
            let both = ["0 issue \"other.example\"", "0 issue \"ca.example;a=1\""];
            w.plain("mail.example.com", "CAA", &both);
        }),
        []
    );

    // Other rules for certificates with a wildcard are the owner's affair.
    let mut world = World::of("[tls]\nmode = \"letsencrypt\"\n");
    let there = [
        "0 issue \"letsencrypt.org\"",
        "0 issuewild \"letsencrypt.org\"",
    ];
    world.plain("mail.example.com", "CAA", &there);
    assert_eq!(world.judged().findings, []);
}

#[test]
fn findings_are_kept_with_what_they_are_about() {
    let mut world = World::forward();
    world.plain("example.com", "MX", &[]);
    world.text("example.com", &["v=spf1 -all"]);
    let report = world.judged();
    let of = |id: &str| -> Vec<&str> {
        let checked = report.records.iter().find(|one| one.id == id);
        let findings = &checked.expect("the record").findings;
        findings.iter().map(|finding| finding.id.as_str()).collect()
    };
    // Both have the same name.
    assert_eq!(of("example.com/MX"), ["mx.present"]);
    assert_eq!(of("example.com/SPF"), ["spf.pass"]);
    assert_eq!(of("_dmarc.example.com/DMARC"), [""; 0]);
    assert!(report.zones["example.com"].is_empty());
    let mut alone: Vec<Finding> = report
        .records
        .iter()
        .flat_map(|one| one.findings.clone())
        .collect();
    alone.extend(report.zones.values().flatten().cloned());
    assert_eq!(alone.len(), report.findings.len());
}
