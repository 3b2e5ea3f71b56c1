//! Several deployments on one host: nothing is promised twice.

use std::collections::BTreeSet;

use ipnet::Ipv4Net;
use mailu_core::fleet::{Neighbour, clashes};
use mailu_core::network::{Reserved, draw, overlap};

use crate::support::{Root, Run};

fn install(root: &Root, host: &str, domain: &str, client: &str, more: &[&str]) -> Run {
    let admin = format!("admin@{domain}");
    let mut args = vec![
        "install",
        "--no-start",
        "--domain",
        host,
        "--email-domain",
        domain,
        "--admin-email",
        &admin,
        "--client-id",
        client,
    ];
    args.extend(more);
    root.run(&args)
}

#[test]
fn a_clash_names_the_other_deployment_and_the_way_out() {
    for (host, domain, client, more, id, fix) in [
        // Same container prefix: two deployments without a client.
        (
            "mail.two.com",
            "two.com",
            "",
            &["--set", "ports.via=published"][..],
            "fleet.project",
            "--client-id",
        ),
        (
            "mail.two.com",
            "two.com",
            "one",
            &[],
            "fleet.entrypoint",
            "--set ports.via=published",
        ),
        (
            "mail.two.com",
            "two.com",
            "one",
            &[],
            "fleet.entrypoint",
            "ports.mail",
        ),
        (
            "mail.two.com",
            "example.com",
            "one",
            &["--set", "ports.mail=465,993"],
            "fleet.email_domain",
            "remove it there first",
        ),
        (
            "mail.two.com",
            "two.com",
            "one",
            &[
                "--set",
                "ports.mail=465,993",
                "--set",
                "hostnames=mail.example.com",
            ],
            "fleet.name",
            "choose another name",
        ),
        (
            "mail.two.com",
            "two.com",
            "one",
            &[
                "--set",
                "ports.mail=465,993",
                "--set",
                "network.subnet=10.203.0.0/24",
            ],
            "fleet.network",
            "remove `network.subnet`",
        ),
        (
            "mail.two.com",
            "two.com",
            "one",
            &[
                "--set",
                "ports.mail=465,993",
                "--set",
                "traefik.subnet=10.99.0.0/24",
            ],
            "fleet.proxy_subnet",
            "10.203.255.0/24",
        ),
        (
            "mail.two.com",
            "two.com",
            "one",
            &[
                "--set",
                "ports.mail=465,993",
                "--set",
                "traefik.subnet=10.203.255.0/24",
                "--set",
                "traefik.address=10.203.255.128",
            ],
            "fleet.front_address",
            "drawn",
        ),
        (
            "mail.two.com",
            "two.com",
            "one",
            &[
                "--set",
                "traefik.entrypoints.smtp=sieve",
                "--set",
                "ports.mail=25,465",
            ],
            "fleet.entrypoint",
            "traefik.entrypoints.smtp",
        ),
    ] {
        let root = Root::new();
        root.install();
        let before = root.snapshot();
        let run = install(&root, host, domain, client, more).expect_code(2);
        assert!(run.err.contains(id), "{id} is not in {}", run.err);
        assert!(
            run.err.contains("mail.example.com ("),
            "the other deployment is not named in {}",
            run.err
        );
        assert!(run.err.contains(fix), "{fix} is not in {}", run.err);
        root.snapshot().assert_same(&before, id);
    }
}

#[test]
fn published_addresses_are_not_shared() {
    let root = Root::new();
    let published = |n: u8, client: &str, address: &str, mode: &str| {
        install(
            &root,
            &format!("mail.d{n}.com"),
            &format!("d{n}.com"),
            client,
            &[
                "--set",
                &format!("tls.mode={mode}"),
                "--set",
                "ports.via=published",
                "--set",
                &format!("ports.address={address}"),
            ],
        )
    };
    published(1, "one", "127.0.0.2", "letsencrypt").expect_code(0);
    published(2, "two", "127.0.0.3", "letsencrypt").expect_code(0);
    for address in ["127.0.0.2", "0.0.0.0"] {
        let run = published(3, "three", address, "cert").expect_code(2);
        assert!(
            run.err.contains("fleet.port")
                && run.err.contains("mail.d1.com")
                && run.err.contains("25"),
            "{}",
            run.err
        );
    }
    published(3, "three", "127.0.0.4", "cert").expect_code(0);
}

/// The deployment of domain `d{n}.com`, with more lines of configuration.
fn deployment(n: u8, lines: &str) -> mailu_core::Config {
    let text = format!(
        "mail_host = \"mail.d{n}.com\"\nemail_domain = \"d{n}.com\"\nadmin_email = \"admin@d{n}.com\"\nclient = \"c{n}\"\n{lines}"
    );
    mailu_core::Config::from_toml(&text).unwrap().config
}

/// What the second deployment is told about the first: id, key and text of each finding.
fn told(first: &str, second: &str) -> Vec<String> {
    let neighbour = Neighbour::new("/one".into(), deployment(1, first));
    clashes(&deployment(2, second), &[neighbour])
        .into_iter()
        .map(|finding| format!("{} {finding}", finding.id))
        .collect()
}

#[test]
fn all_addresses_are_not_free_beside_traefik() {
    let at = |address: &str| format!("[tls]\nmode = \"cert\"\n[ports]\naddress = \"{address}\"\n");
    let mail_at =
        |address: &str| format!("[ports]\nvia = \"published\"\naddress = \"{address}\"\n");
    let six = "[tls]\nmode = \"cert\"\n[ports]\naddress = \"192.0.2.1\"\naddress6 = \"::\"\n[network]\nipv6 = true\n";
    for (first, second, key, ports) in [
        (
            "",
            at("0.0.0.0"),
            "ports.address",
            "port 25, 80, 143, 443, 465",
        ),
        ("", mail_at("0.0.0.0"), "ports.address", "port 25, 143, 465"),
        (
            "",
            six.to_owned(),
            "ports.address6",
            "port 25, 80, 143, 443, 465",
        ),
        (
            &mail_at("127.0.0.2"),
            at("0.0.0.0"),
            "ports.address",
            "port 80, 443 ",
        ),
        (
            &at("0.0.0.0"),
            String::new(),
            "tls.mode",
            "port 25, 80, 143, 443, 465",
        ),
        (
            &mail_at("0.0.0.0"),
            String::new(),
            "ports.via",
            "port 25, 143, 465",
        ),
        (
            &at("0.0.0.0"),
            mail_at("127.0.0.2"),
            "tls.mode",
            "port 80, 443,",
        ),
    ] {
        let told = told(first, &second);
        assert!(
            told.iter().any(
                |line| line.starts_with(&format!("fleet.port `{key}`")) && line.contains(ports)
            ),
            "{first}{second}: {told:?}"
        );
    }
    // Traefik may be bound to another address.
    for (first, second) in [
        (String::new(), at("192.0.2.7")),
        (String::new(), mail_at("192.0.2.7")),
        (at("192.0.2.7"), String::new()),
        (at("192.0.2.7"), mail_at("192.0.2.8")),
    ] {
        assert_eq!(
            told(&first, &second),
            Vec::<String>::new(),
            "{first}{second}"
        );
    }
}

#[test]
fn ipv6_networks_are_not_shared() {
    let six = |subnet: &str, n: u8| {
        format!(
            "[network]\nipv6 = true\nsubnet6 = \"{subnet}\"\n[tls]\nmode = \"cert\"\n[ports]\naddress = \"192.0.2.{n}\"\naddress6 = \"2001:db8::{n}\"\n"
        )
    };
    // The second of each pair: the same, and the ones beside it, of which `access` takes the next.
    for theirs in ["fd00:0:0:5::/64", "fd00:0:0:4::/64", "fd00:0:0:6::/64"] {
        let told = told(&six(theirs, 1), &six("fd00:0:0:5::/64", 2));
        assert!(
            told.len() == 1
                && told[0].starts_with("fleet.network `network.subnet6` = `fd00:0:0:5::/64`"),
            "{theirs}: {told:?}"
        );
    }
    assert_eq!(
        told(&six("fd00:0:0:7::/64", 1), &six("fd00:0:0:5::/64", 2)),
        Vec::<String>::new()
    );
    let mut reserved = Reserved::default();
    reserved.add(&deployment(1, &six("fd00:0:0:5::/64", 1)));
    assert!(
        reserved
            .networks
            .contains(&"fd00:0:0:6::/64".parse().unwrap())
    );
}

#[test]
fn several_deployments_share_one_traefik() {
    let root = Root::new();
    root.install();
    // Ports on which the client speaks first are told apart by name.
    install(
        &root,
        "mail.two.com",
        "two.com",
        "two",
        &["--set", "ports.mail=465,993,995"],
    )
    .expect_code(0);
    // Or with entry points of their own.
    install(
        &root,
        "mail.three.com",
        "three.com",
        "three",
        &[
            "--set",
            "ports.mail=25,465,993",
            "--set",
            "traefik.entrypoints.smtp=smtp3",
        ],
    )
    .expect_code(0);
    // Or with mail ports on an address, and only the web behind Traefik.
    install(
        &root,
        "mail.four.com",
        "four.com",
        "four",
        &[
            "--set",
            "ports.via=published",
            "--set",
            "ports.address=127.0.0.4",
        ],
    )
    .expect_code(0);

    let json = root.run(&["--json", "list"]).json();
    assert_eq!(json.as_array().unwrap().len(), 4);
    let mut nets: Vec<Ipv4Net> = Vec::new();
    let mut fronts = BTreeSet::new();
    let mut routers = BTreeSet::new();
    for (client, host) in [
        (None, "mail.example.com"),
        (Some("two"), "mail.two.com"),
        (Some("three"), "mail.three.com"),
        (Some("four"), "mail.four.com"),
    ] {
        let directory = match client {
            Some(client) => root.path().join("mailu/clients").join(client).join(host),
            None => root.path().join("mailu").join(host),
        };
        let toml: toml::Table = std::fs::read_to_string(directory.join("mailu.toml"))
            .unwrap()
            .parse()
            .unwrap();
        for (_, value) in toml["network"].as_table().unwrap() {
            nets.push(value.as_str().unwrap().parse().unwrap());
        }
        assert_eq!(toml["traefik"]["subnet"].as_str(), Some("10.203.255.0/24"));
        assert!(fronts.insert(toml["traefik"]["address"].as_str().unwrap().to_owned()));
        let compose = std::fs::read_to_string(directory.join("docker-compose.yml")).unwrap();
        for line in compose
            .lines()
            .filter(|line| line.contains("routers.") && line.contains(".rule\""))
        {
            assert!(
                routers.insert(line.split('"').nth(1).unwrap().to_owned()),
                "two routers have one name: {line}"
            );
        }
        let prefix = client.map_or("mailu_".to_owned(), |c| format!("mailu_{c}_"));
        for line in compose
            .lines()
            .filter(|line| line.contains("container_name"))
        {
            assert!(line.contains(&prefix), "{line}");
        }
    }
    for (index, net) in nets.iter().enumerate() {
        for other in &nets[..index] {
            assert!(
                !overlap((*net).into(), (*other).into()),
                "{net} and {other}"
            );
        }
    }
}

#[test]
fn the_deployment_that_is_meant_is_found_or_asked_for() {
    let root = Root::new();
    root.install();
    root.run(&["show"]).expect_code(0);
    install(
        &root,
        "mail.two.com",
        "two.com",
        "two",
        &["--set", "ports.mail=465,993"],
    )
    .expect_code(0);
    let run = root.run(&["show"]).expect_code(2);
    assert!(
        run.err.contains("mail.example.com") && run.err.contains("mail.two.com (client two)"),
        "{}",
        run.err
    );
    root.run(&["show", "--domain", "mail.two.com"])
        .expect_code(0);
    let run = root
        .run(&["--json", "show", "--client-id", "two"])
        .expect_code(0);
    assert_eq!(run.json()["mail_host"], "mail.two.com");
    let run = root
        .run(&["show", "--domain", "mail.five.com"])
        .expect_code(2);
    assert!(
        run.err
            .contains("there are: mail.example.com, mail.two.com (client two)"),
        "{}",
        run.err
    );
}

#[test]
fn a_neighbour_that_cannot_be_read_is_mentioned() {
    let root = Root::new();
    root.install();
    root.write("mailu.toml", "mail_host = \n");
    let run = install(&root, "mail.two.com", "two.com", "two", &[]).expect_code(0);
    assert!(
        run.err.contains("fleet.unreadable") && run.err.contains("mail.example.com/mailu.toml"),
        "{}",
        run.err
    );
    let list = root.run(&["--json", "list"]).json();
    let states: Vec<_> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|d| {
            (
                d["mail_host"].as_str().unwrap(),
                d["state"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        states,
        [
            ("mail.example.com", "invalid"),
            ("mail.two.com", "installed")
        ]
    );
}

/// What is wrong with a pool whose only block Traefik's network takes is not the neighbours.
#[test]
fn a_pool_needs_a_block_beside_traefik_s_network() {
    let root = Root::new();
    let run = root
        .install_with(&["--set", "network.pool=10.50.1.0/24"])
        .expect_code(2);
    assert!(
        run.err
            .contains("the network shared with Traefik, 10.50.1.0/24, so it needs at least two")
            && !run.err.contains("overlaps another deployment"),
        "{}",
        run.err
    );
    root.install_with(&["--set", "network.pool=10.50.0.0/23"])
        .expect_code(0);
}

/// 254 deployments fit into the default pool, and none of their networks overlap or cross a route of the host.
#[test]
fn networks_are_drawn_until_the_pool_is_full() {
    let mut reserved = Reserved::default();
    let route: ipnet::IpNet = "10.203.16.0/20".parse().unwrap();
    let mut all: Vec<Ipv4Net> = Vec::new();
    let mut count = 0;
    let finding = loop {
        let text = format!(
            "mail_host = \"mail.d{count}.com\"\nemail_domain = \"d{count}.com\"\nadmin_email = \"admin@d{count}.com\"\nclient = \"c{count}\"\n[network]\npool = [\"10.203.0.0/16\"]\n[traefik]\n"
        );
        let mut config = mailu_core::Config::from_toml(&text).unwrap().config;
        if let Err(finding) = draw(&mut config, &reserved, &[route]) {
            break finding;
        }
        let own = [
            config.network.subnet,
            config.network.access,
            config.network.webmail,
            config.network.radicale,
            config.network.clamav,
            config.network.oletools,
            config.network.fts_attachments,
        ];
        for net in own.into_iter().flatten() {
            assert!(!overlap(net.into(), route), "{net} crosses the route");
            assert!(
                all.iter()
                    .all(|other| !overlap((*other).into(), net.into())),
                "{net} is taken"
            );
            all.push(net);
        }
        reserved.add(&config);
        count += 1;
    };
    // Fronts have 127 addresses in the network that they share with Traefik.
    assert_eq!(count, 127, "{finding}");
    assert_eq!(finding.id, "network.fronts_full");

    let mut config = mailu_core::Config::from_toml(
        "mail_host = \"mail.x.com\"\nemail_domain = \"x.com\"\nadmin_email = \"a@x.com\"\n",
    )
    .unwrap()
    .config;
    let everything: ipnet::IpNet = "0.0.0.0/1".parse().unwrap();
    let rest: ipnet::IpNet = "128.0.0.0/1".parse().unwrap();
    let finding = draw(&mut config, &Reserved::default(), &[everything, rest]).unwrap_err();
    assert_eq!(finding.id, "network.pool_full");
    assert!(
        finding.hints[0].contains("`mailu config set --domain mail.x.com network.pool="),
        "{finding:?}"
    );
}
