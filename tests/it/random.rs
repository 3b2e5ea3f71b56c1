//! Random valid deployments, as hostile as the rules allow.

use proptest::prelude::*;
use toml::{Table, Value};

/// Text for people, with everything that is special somewhere.
pub(crate) fn hostile_line() -> impl Strategy<Value = String> {
    any_line().prop_map(|line| line.trim_end_matches('\\').to_owned())
}

fn any_line() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[ -~]{0,40}",
        2 => proptest::sample::select(vec![
            "$HOME", "${PATH}", "$$", "$(id)", "`id`", "a # b", "#", "'", "\"", "\\", "\\\\", "a\\", "'\\''", "it's",
            "${DOCKER_ORG:-x}", "key: value", "- item", "&anchor", "*alias", "!!python/object", "{{ x }}", "{% raw %}",
            "%d %s", "yes", "null", "~", "1e3", "0x10", "2026-11-22", "a=b", "export A=1", " lead", "trail ", "\u{fffd}",
            "Grüße aus Köln ✉", "日本語", "\u{202e}rtl", "|", ">", "[x]", "{x}", "?", "@", "=", "a\u{a0}b",
        ]).prop_map(str::to_owned),
        1 => "\\PC{0,30}",
    ]
}

fn label() -> impl Strategy<Value = String> {
    prop_oneof![
        5 => "[a-z][a-z0-9]{0,8}(-[a-z0-9]{1,4})?",
        1 => proptest::sample::select(vec!["münchen", "straße", "пример", "例え", "xn--mnchen-3ya", "ελλάδα", "भारत"]).prop_map(str::to_owned),
        1 => Just("a".repeat(40)),
    ]
}

fn zone() -> impl Strategy<Value = String> {
    (
        label(),
        proptest::sample::select(vec!["com", "de", "co.uk", "test", "org", "network"]),
    )
        .prop_map(|(l, t)| format!("{l}.{t}"))
}

/// A whole `mailu.toml`.
pub(crate) fn config() -> impl Strategy<Value = Table> {
    let names = (
        zone(),
        proptest::collection::vec(zone(), 0..3),
        label(),
        proptest::collection::vec(label(), 0..2),
        any::<bool>(),
    );
    let switches = proptest::collection::vec(any::<bool>(), 16);
    let texts = proptest::collection::vec(hostile_line(), 6);
    let modes = (
        proptest::sample::select(vec![
            "traefik",
            "passthrough",
            "letsencrypt",
            "cert",
            "none",
        ]),
        proptest::sample::select(vec!["roundcube", "snappymail", "none"]),
        proptest::sample::subsequence(vec![25_i64, 110, 143, 465, 587, 993, 995, 4190], 1..=8),
        proptest::sample::select(vec!["reject", "quarantine", "none"]),
        proptest::sample::select(vec!["json-file", "local", "journald"]),
        "[a-z][a-z0-9]{0,6}",
        proptest::option::of("[a-z0-9]([a-z0-9_-]{0,10}[a-z0-9])?"),
    );
    (
        names,
        switches,
        texts,
        modes,
        1_u8..250,
        0_u64..100_000_000_000,
    )
        .prop_map(
            |(
                (zone, more, host, hosts, apex),
                on,
                texts,
                (mode, webmail, ports, policy, driver, selector, client),
                n,
                bytes,
            )| {
                let mail_host = if apex {
                    zone.clone()
                } else {
                    format!("{host}.{zone}")
                };
                let mut root = Table::new();
                let set = |table: &mut Table, key: &str, value: Value| {
                    table.insert(key.to_owned(), value);
                };
                let text = |t: &str| Value::String(t.to_owned());
                set(&mut root, "mail_host", text(&mail_host));
                set(&mut root, "email_domain", text(&zone));
                set(&mut root, "admin_email", text(&format!("admin@{zone}")));
                let mut domains: Vec<String> = more;
                domains.sort_by_key(|domain| same(domain));
                domains.dedup_by_key(|domain| same(domain));
                domains.retain(|d| same(d) != same(&zone));
                set(
                    &mut root,
                    "email_domains",
                    Value::Array(domains.iter().map(|d| text(d)).collect()),
                );
                let mut hostnames: Vec<String> = hosts
                    .into_iter()
                    .map(|h| format!("{h}.x{n}.{zone}"))
                    .collect();
                hostnames.sort_by_key(|name| same(name));
                hostnames.dedup_by_key(|name| same(name));
                set(
                    &mut root,
                    "hostnames",
                    Value::Array(hostnames.iter().map(|d| text(d)).collect()),
                );
                if let Some(client) = client {
                    set(&mut root, "client", text(&client));
                }

                let section = |pairs: Vec<(&str, Value)>| {
                    Value::Table(pairs.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())
                };
                set(&mut root, "tls", section(vec![("mode", text(mode))]));
                let mut port_section = vec![(
                    "mail",
                    Value::Array(ports.into_iter().map(Value::Integer).collect()),
                )];
                let behind = matches!(mode, "traefik" | "passthrough");
                let published = !behind || on[0];
                if behind && on[0] {
                    port_section.push(("via", text("published")));
                }
                if published {
                    port_section.push(("address", text(&format!("203.0.113.{n}"))));
                    if on[1] {
                        port_section.push(("address6", text("2001:db8::25")));
                    }
                }
                set(&mut root, "ports", section(port_section));
                set(
                    &mut root,
                    "network",
                    section(vec![("ipv6", Value::Boolean(on[1]))]),
                );
                set(
                    &mut root,
                    "services",
                    section(vec![
                        ("webmail", text(webmail)),
                        ("admin", Value::Boolean(on[2])),
                        ("api", Value::Boolean(on[3])),
                        ("antivirus", Value::Boolean(on[4])),
                        ("macro_scan", Value::Boolean(on[5])),
                        ("search", Value::Boolean(on[6])),
                        ("search_attachments", Value::Boolean(on[6] && on[7])),
                        ("webdav", Value::Boolean(on[8])),
                        ("fetchmail", Value::Boolean(on[9])),
                        ("resolver", Value::Boolean(on[10])),
                        ("statistics", Value::Boolean(on[11])),
                    ]),
                );
                set(
                    &mut root,
                    "web",
                    section(vec![("site_name", text(&texts[0]))]),
                );
                set(
                    &mut root,
                    "welcome",
                    section(vec![
                        ("enabled", Value::Boolean(on[12])),
                        ("subject", text(&texts[1])),
                        ("body", text(&format!("{}\n{}", texts[2], texts[3]))),
                    ]),
                );
                set(
                    &mut root,
                    "limits",
                    section(vec![
                        (
                            "quota",
                            Value::Integer(i64::try_from(bytes.max(200_000_000)).unwrap_or(0)),
                        ),
                        ("messages", text(&format!("{n}/day"))),
                    ]),
                );
                if on[13] {
                    set(
                        &mut root,
                        "relay",
                        section(vec![
                            ("host", text("[smtp.example.net]:587")),
                            (
                                "user",
                                text(
                                    format!("u{}", texts[4].replace(':', ""))
                                        .trim_end_matches(|c: char| c == '\\' || c.is_whitespace()),
                                ),
                            ),
                        ]),
                    );
                }
                let mut dns = vec![
                    ("selector", text(&selector)),
                    ("ipv4", text(&format!("203.0.113.{n}"))),
                    ("autoconfig", Value::Boolean(on[14])),
                ];
                if on[15] {
                    dns.push((
                        "nameservers",
                        Value::Array(vec![text("ns1.example.net"), text("ns2.example.net")]),
                    ));
                    dns.push((
                        "spf",
                        Value::Array(vec![
                            text("include:_spf.example.net"),
                            text("ip4:198.51.100.0/24"),
                        ]),
                    ));
                }
                // What most have not, drawn from bits that mean something else too.
                if on[3] {
                    let first = domains.first().unwrap_or(&zone);
                    let list =
                        |items: &[String]| Value::Array(items.iter().map(|d| text(d)).collect());
                    dns.push((
                        "caa",
                        list(&[
                            "letsencrypt.org;validationmethods=http-01".to_owned(),
                            "ca.example".to_owned(),
                        ]),
                    ));
                    dns.push((
                        "egress",
                        list(&[format!("198.51.100.{n}"), "2001:db8::77".to_owned()]),
                    ));
                    dns.push((
                        "alternatives",
                        list(&[format!("alias{n}.net"), format!("other.{zone}={first}")]),
                    ));
                    dns.push((
                        "parked",
                        list(&[format!("parked.{zone}"), format!("parked{n}.org")]),
                    ));
                }
                set(&mut root, "dns", section(dns));
                if on[4] && mode != "none" {
                    set(
                        &mut root,
                        "mta_sts",
                        section(vec![(
                            "mode",
                            text(if on[5] { "testing" } else { "enforce" }),
                        )]),
                    );
                }
                if on[4] {
                    set(
                        &mut root,
                        "tls_rpt",
                        section(vec![(
                            "rua",
                            Value::Array(vec![
                                text(&format!("t!ls@{zone}")),
                                text("https://r.example/v1"),
                            ]),
                        )]),
                    );
                }
                set(
                    &mut root,
                    "dmarc",
                    section(vec![("policy", text(policy)), ("rua", text("dmarc"))]),
                );
                set(&mut root, "logs", section(vec![("driver", text(driver))]));
                set(
                    &mut root,
                    "env",
                    section(vec![("LOGO_BACKGROUND", text(&texts[5]))]),
                );
                root
            },
        )
}

/// Two spellings of one name are one name.
fn same(name: &str) -> String {
    name.parse::<mailu_core::names::DomainName>()
        .map_or_else(|_| name.to_owned(), |n| n.to_string())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// The generator is worth something only if nearly all that it makes is valid.
    #[test]
    fn random_deployments_are_valid(table in config()) {
        let text = table.to_string();
        let parsed = mailu_core::Config::from_toml(&text);
        prop_assert!(parsed.is_ok(), "{}\n{text}", parsed.unwrap_err());
    }
}

/// Draws `count` deployments, the same ones every time.
pub(crate) fn some(count: usize) -> Vec<mailu_core::Config> {
    use proptest::strategy::ValueTree as _;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let strategy = config();
    (0..count)
        .map(|_| {
            let table = strategy.new_tree(&mut runner).unwrap().current();
            let mut config = mailu_core::Config::from_toml(&table.to_string())
                .unwrap()
                .config;
            mailu_core::network::draw(&mut config, &mailu_core::network::Reserved::default(), &[])
                .unwrap();
            config
        })
        .collect()
}
