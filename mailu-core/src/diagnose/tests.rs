use std::net::IpAddr;

use super::*;
use crate::start::Seen;

fn config(more: &str) -> Config {
    Config::from_toml(&format!(
        "mail_host = \"mail.example.com\"\nemail_domain = \"example.com\"\nadmin_email = \"admin@example.com\"\n{more}"
    ))
    .expect("a valid configuration")
    .config
}

fn diagnosed(config: &Config, observed: &Observed) -> Report {
    judge(
        config,
        observed,
        &Options::default(),
        "2026-11-26T14:05:00Z",
    )
}

fn ids(report: &Report) -> Vec<&str> {
    report.findings.iter().map(|one| one.id.as_str()).collect()
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn relay(code: u16, client: &str) -> Observed {
    let mut known = Seen::default();
    known
        .trusted
        .push("10.203.0.0/25".parse().expect("a network"));
    Observed {
        relay: Some(Ok(RelaySeen::new(
            "198.51.100.1:25".parse().expect("a socket"),
            Reply::new(code, "5.7.1 said"),
            Some(address(client)),
            known,
        ))),
        ..Observed::default()
    }
}

fn stopped(service: &str) -> Finding {
    Finding::error("service.stopped", service, "does not run")
}

#[test]
fn nobody_has_looked_at_anything() {
    let report = diagnosed(&config(""), &Observed::default());
    assert!(report.healthy && report.findings.is_empty());
    assert_eq!(report.checks.len(), CHECKS.len());
    assert!(
        report
            .checks
            .iter()
            .all(|one| one.outcome == Outcome::Skipped)
    );
}

#[test]
fn an_open_relay_is_told_whatever_else_is_wrong() {
    let config = config("");
    assert_eq!(
        ids(&diagnosed(&config, &relay(554, "203.0.113.9"))),
        [""; 0]
    );
    assert_eq!(
        ids(&diagnosed(&config, &relay(250, "203.0.113.9"))),
        ["smtp.relay"]
    );
    assert_eq!(
        ids(&diagnosed(&config, &relay(554, "10.203.0.1"))),
        ["smtp.client_trusted"]
    );
    let relay = Finding::error("smtp.relay", "port 25", "");
    assert!(!causes::follows(&stopped("front"), &relay));
}

#[test]
fn what_follows_from_a_cause_is_silenced() {
    let finding = |id: &str, subject: &str| Finding::error(id, subject, "");
    let all = [
        finding("service.stopped", "redis"),
        finding("service.unhealthy", "admin"),
        finding("port.silent", "port 465"),
        finding("spf.one", "example.com"),
    ];
    let (roots, effects) = causes::separate(&all);
    let names: Vec<&str> = roots.iter().map(|one| one.id.as_str()).collect();
    assert_eq!(names, ["service.stopped", "spf.one"]);
    // The cause of a cause is what counts.
    assert!(
        effects.len() == 2 && effects.iter().all(|(_, cause)| cause.subject == "redis"),
        "{effects:?}"
    );
    // Nothing that has ended is taken for an effect, and nothing is worse than its cause.
    let two = [stopped("smtp"), stopped("admin")];
    assert_eq!(causes::separate(&two).0.len(), 2);
    let warned = Finding::warning("disk.inodes", "/", "");
    assert!(!causes::follows(
        &warned,
        &finding("port.silent", "port 25")
    ));
}

#[test]
fn lists_are_believed_once_they_pass_their_test() {
    let codes = |all: &[&str]| -> Result<Vec<IpAddr>, String> {
        Ok(all.iter().map(|one| address(one)).collect())
    };
    let with = |zone: &'static str, tests: [&[&str]; 2], answer: &[&str]| {
        let observed = Observed {
            lists: vec![ListSeen::new(
                zone,
                "192.0.2.1",
                tests.map(codes),
                codes(answer),
            )],
            ..Observed::default()
        };
        let report = diagnosed(&config(""), &observed);
        (
            report.findings.first().map(|one| one.severity),
            report.unknown.len(),
        )
    };
    let zen = "zen.spamhaus.org";
    let good: [&[&str]; 2] = [&["127.0.0.2"], &[]];
    assert_eq!(with(zen, good, &[]), (None, 0));
    assert_eq!(with(zen, good, &["127.0.0.2"]), (Some(Severity::Error), 0));
    assert_eq!(with(zen, good, &["127.0.0.10"]), (Some(Severity::Error), 0));
    for refusal in ["127.255.255.252", "127.255.255.254", "127.255.255.255"] {
        assert_eq!(with(zen, good, &[refusal]), (None, 1), "{refusal}");
        assert_eq!(with(zen, [&[refusal], &[refusal]], &[refusal]), (None, 1));
    }
    // Somebody else's answers: a wildcard, a page for sale, a list that ended.
    assert_eq!(with(zen, good, &["203.0.113.7"]), (None, 1));
    let wild: [&[&str]; 2] = [&["127.0.0.2"], &["127.0.0.2"]];
    assert_eq!(with(zen, wild, &["127.0.0.2"]), (None, 1));
    assert_eq!(with(zen, [&[], &[]], &["127.0.0.2"]), (None, 1));
    assert_eq!(
        with("bl.spamcop.net", good, &["127.0.0.2"]),
        (Some(Severity::Warning), 0)
    );
    // Neutral and good addresses.
    assert_eq!(with("bl.mailspike.net", good, &["127.0.0.18"]), (None, 0));
}

#[test]
fn addresses_are_turned_around_for_lists() {
    let [zen, spamcop, ..] = &LISTS;
    assert_eq!(
        zen.name_of_address(address("192.0.2.99")).as_deref(),
        Some("99.2.0.192.zen.spamhaus.org")
    );
    // RFC 5782 §2.4 has this example.
    let nibbles = zen
        .name_of_address(address("2001:db8:1:2:3:4:567:89ab"))
        .expect("a name");
    assert!(
        nibbles.starts_with("b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.")
    );
    assert_eq!(spamcop.name_of_address(address("2001:db8::1")), None);
}

#[test]
fn ports_are_judged_by_what_they_offer() {
    let seen = |port: u16, banner: &str, plain: &[&str], after: Option<&[&str]>| {
        let list = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect();
        let greeting = Greeting {
            banner: banner.to_owned(),
            plain: list(plain),
            encrypted: after.map(|after| Ok(list(after))),
        };
        let place = "198.51.100.1:25".parse().ok();
        let observed = Observed {
            ports: vec![PortSeen::new(port, place, Ok(greeting))],
            ..Observed::default()
        };
        let report = diagnosed(&config(""), &observed);
        report
            .findings
            .iter()
            .map(|one| one.id.clone())
            .collect::<Vec<_>>()
            .join(" ")
    };
    let hello = "220 mail.example.com ESMTP";
    assert_eq!(seen(25, hello, &["STARTTLS"], Some(&["SIZE"])), "");
    assert_eq!(seen(25, hello, &["SIZE"], None), "smtp.starttls");
    assert_eq!(
        seen(25, "220 localhost ESMTP", &["STARTTLS"], Some(&[])),
        "smtp.banner"
    );
    assert_eq!(
        seen(25, hello, &["STARTTLS"], Some(&["AUTH PLAIN"])),
        "smtp.auth25"
    );
    assert_eq!(seen(25, "554 no", &[], None), "port.answer");
    assert_eq!(
        seen(
            587,
            hello,
            &["STARTTLS", "AUTH PLAIN"],
            Some(&["AUTH PLAIN"])
        ),
        "port.plain_login"
    );
    assert_eq!(seen(143, "* OK ready", &["LOGINDISABLED"], None), "");
    assert_eq!(
        seen(143, "* OK ready", &["IMAP4REV1"], None),
        "port.plain_login"
    );
    assert_eq!(seen(110, "+OK", &["USER"], None), "port.plain_login");
    assert_eq!(seen(443, "404", &[], None), "port.answer");
}

#[test]
fn a_silent_port_is_told_from_a_closed_one() {
    for (unsaid, id) in [
        (Unsaid::Unreached("refused".to_owned()), "port.closed"),
        (Unsaid::Silent("nothing came".to_owned()), "port.silent"),
    ] {
        let place = "198.51.100.1:465".parse().ok();
        let observed = Observed {
            ports: vec![PortSeen::new(465, place, Err(unsaid))],
            ..Observed::default()
        };
        let report = diagnosed(&config(""), &observed);
        assert_eq!(ids(&report), [id]);
        assert!(!report.findings[0].hints.is_empty());
    }
}

#[test]
fn the_host_is_judged_by_numbers() {
    let clock = |ahead: i64| {
        let observed = Observed {
            clock: Some(Ok(ahead)),
            ..Observed::default()
        };
        diagnosed(&config(""), &observed)
            .findings
            .first()
            .map(|one| one.severity)
    };
    assert_eq!(clock(-2000), None);
    assert_eq!(clock(2001), Some(Severity::Warning));
    assert_eq!(clock(-30_001), Some(Severity::Error));
    assert_eq!(clock(i64::MIN), Some(Severity::Error));
    let mut disk = Disk::new(MAIL, "/srv/data/mail", 100_000_000_000, 4_000_000);
    disk.files = 1000;
    disk.free_files = 10;
    let observed = Observed {
        disks: vec![disk],
        memory: Some(Memory::new(1000, 40)),
        ..Observed::default()
    };
    assert_eq!(
        ids(&diagnosed(&config(""), &observed)),
        ["disk.full", "disk.inodes", "memory.short"]
    );
}

#[test]
fn rules_set_findings_aside_until_their_day() {
    let config = config(
        "[diagnose]\nignore = [\"smtp.relay@port 25 until 2026-11-30: a test\", \"clock: it is what it is\"]\n",
    );
    let mut observed = relay(250, "203.0.113.9");
    observed.today = "2026-11-30".to_owned();
    let report = diagnosed(&config, &observed);
    assert!(report.healthy, "{report:?}");
    assert_eq!(report.ignored.len(), 1);
    assert_eq!(report.ignored[0].reason, "a test");
    observed.today = "2026-12-01".to_owned();
    let report = diagnosed(&config, &observed);
    assert_eq!(ids(&report), ["smtp.relay", "diagnose.ignore_over"]);
}

#[test]
fn checks_are_chosen_by_their_names_and_by_those_of_findings() {
    let options = |only: &[&str], skip: &[&str]| Options {
        only: only.iter().map(|one| (*one).to_owned()).collect(),
        skip: skip.iter().map(|one| (*one).to_owned()).collect(),
    };
    assert!(options(&["dns"], &[]).wants("dns"));
    assert!(!options(&["dns"], &[]).wants("ports"));
    assert!(options(&["spf.all"], &[]).wants("dns"));
    assert!(!options(&[], &["dns"]).wants("dns"));
    assert!(options(&[], &["spf.all"]).wants("dns"));
    assert!(options(&["spf.all", "ports"], &["lists"]).known().is_ok());
    let error = options(&["prots"], &[]).known().expect_err("a slip");
    assert!(error.hints()[0].contains("`ports`"), "{error:?}");

    let observed = relay(250, "203.0.113.9");
    let found = |only: &[&str], skip: &[&str]| {
        let report = judge(&config(""), &observed, &options(only, skip), "");
        report.findings.len()
    };
    assert_eq!(found(&["smtp"], &[]), 1);
    assert_eq!(found(&["relay"], &[]), 1);
    assert_eq!(found(&["smtp.banner"], &[]), 0);
    assert_eq!(found(&[], &["smtp.relay"]), 0);
    assert_eq!(found(&[], &["relay"]), 0);
}

#[test]
fn what_is_new_and_what_is_gone() {
    let mut first = diagnosed(&config(""), &relay(250, "203.0.113.9"));
    first.compare(None);
    let memo = first.memo();
    assert_eq!(
        first.changes.expect("a comparison").appeared.len(),
        1,
        "all is new"
    );
    let mut second = diagnosed(&config(""), &relay(554, "203.0.113.9"));
    second.compare(Some(&memo));
    let changes = second.changes.expect("a comparison");
    assert_eq!(changes.since.as_deref(), Some("2026-11-26T14:05:00Z"));
    assert!(changes.appeared.is_empty());
    assert_eq!(changes.gone[0].id, "smtp.relay");
}

#[test]
fn a_report_is_a_page() {
    let report = diagnosed(&config(""), &relay(250, "203.0.113.9"));
    let page = report.page(&Page::default()).expect("a page");
    for text in ["smtp.relay", "mail.example.com", "1 to mend"] {
        assert!(page.contains(text), "{text}");
    }
}
