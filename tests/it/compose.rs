//! `docker-compose.yml`: what Docker Compose and a YAML parser of somebody else's make of it.

use std::path::Path;
use std::process::Command;

use mailu_core::compose::{self, Compose};
use mailu_core::network::{Reserved, draw};
use mailu_core::{Config, Secret, Secrets, render};
use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::random;
use crate::support::{SMALL, compose_v2, succeed, tool};
use crate::yaml::parse;

/// A valid configuration with its networks.
pub(crate) fn config(text: &str) -> Config {
    let mut config = Config::from_toml(text)
        .unwrap_or_else(|e| panic!("{e}\n{text}"))
        .config;
    draw(&mut config, &Reserved::default(), &[]).unwrap();
    config
}

pub(crate) fn secrets() -> Secrets {
    let mut secrets = Secrets::default();
    secrets.set(
        "secret_key",
        Secret::new("TESTSECRETKEY0123456789ABCDEFGHI"),
    );
    secrets.set("api_token", Secret::new("test-api-token-0123456789abcdef"));
    secrets.set("relay_password", Secret::new("pa$s'w\"or\\d # 1"));
    secrets
}

/// A directory with the files of `config`.
pub(crate) fn written(config: &Config) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let files = render(config, &secrets(), &mailu_core::dns::PublicKeys::default())
        .unwrap()
        .files(config)
        .unwrap();
    for file in files {
        let path = directory.path().join(&file.path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, file.text).unwrap();
    }
    directory
}

fn accepted_by_v2(directory: &Path) {
    succeed(compose_v2().args(["config", "-q"]).current_dir(directory));
}

#[test]
fn compose_v2_accepts_every_mode_webmail_and_option() {
    let mut count = 0;
    for mode in ["traefik", "passthrough", "letsencrypt", "cert", "none"] {
        for webmail in ["roundcube", "snappymail", "none"] {
            let text =
                format!("{SMALL}[tls]\nmode = \"{mode}\"\n[services]\nwebmail = \"{webmail}\"\n");
            accepted_by_v2(written(&config(&text)).path());
            count += 1;
        }
        for option in [
            "[services]\nadmin = false",
            "[services]\napi = true",
            "[services]\nantivirus = false",
            "[services]\nmacro_scan = false",
            "[services]\nsearch = false",
            "[services]\nsearch_attachments = true",
            "[services]\nsearch_attachments = true\nresolver = false",
            "[services]\nwebdav = true",
            "[services]\nfetchmail = true",
            "[services]\nresolver = false",
            "[network]\nipv6 = true",
            "[ports]\nmail = [25]",
            "[logs]\ndriver = \"journald\"",
            "[logs]\ndriver = \"local\"",
            "[images]\nregistry = \"registry.example.com:5000/mailu\"\nprefix = \"x-\"",
        ] {
            accepted_by_v2(
                written(&config(&format!(
                    "{SMALL}[tls]\nmode = \"{mode}\"\n{option}\n"
                )))
                .path(),
            );
            count += 1;
        }
    }
    for more in [
        "client = \"tenant1\"\n",
        "[ports]\nvia = \"published\"\naddress = \"203.0.113.10\"\n",
        "[tls]\nmode = \"passthrough\"\n[ports]\nvia = \"published\"\n",
        "[tls]\nmode = \"letsencrypt\"\n[ports]\naddress6 = \"::\"\n[network]\nipv6 = true\n",
        "[traefik]\nnetwork = \"agency-network\"\ntrusted = [\"172.20.0.5\"]\n",
    ] {
        accepted_by_v2(written(&config(&format!("{SMALL}{more}"))).path());
        count += 1;
    }
    assert_eq!(count, 5 * (3 + 15) + 5);
}

#[test]
fn compose_v1_accepts_the_default() {
    let directory = written(&config(SMALL));
    let v1 = tool("docker-compose");
    let version = succeed(Command::new(&v1).arg("version").arg("--short"));
    assert!(
        version.starts_with("1."),
        "{} is not Compose v1 but {version}",
        v1.display()
    );
    succeed(
        Command::new(v1)
            .args(["config", "-q"])
            .current_dir(directory.path()),
    );
}

/// What Compose makes of names, addresses and mounts, against what was meant.
#[test]
fn compose_v2_reads_what_was_meant() {
    for config in random::some(25) {
        let directory = written(&config);
        let text = succeed(
            compose_v2()
                .args(["config", "--format", "json"])
                .current_dir(directory.path()),
        );
        let read: Value = serde_json::from_str(&text).unwrap();
        let meant = compose::build(&config);
        assert_eq!(read["name"], json!(config.project_name()));
        let services = read["services"].as_object().unwrap();
        assert_eq!(services.len(), meant.services.len());
        for service in &meant.services {
            let got = &services[&service.name];
            assert_eq!(got["container_name"], json!(service.container_name));
            assert_eq!(got["restart"], json!("unless-stopped"));
            let image = got["image"].as_str().unwrap();
            assert!(!image.contains('$') && image.contains(':'), "{image}");
            if service.image.contains("MAILU_VERSION") {
                assert!(image.ends_with(&format!(":{}", config.version)), "{image}");
            }
            let mounts: Vec<String> = got["volumes"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|v| {
                    let source = Path::new(v["source"].as_str().unwrap());
                    let relative = source
                        .strip_prefix(directory.path())
                        .unwrap()
                        .display()
                        .to_string();
                    format!(
                        "{relative}:{}:{}",
                        v["target"].as_str().unwrap(),
                        v["read_only"] == json!(true)
                    )
                })
                .collect();
            let meant_mounts: Vec<String> = service
                .volumes
                .iter()
                .map(|m| format!("{}:{}:{}", m.source, m.target, m.read_only))
                .collect();
            assert_eq!(mounts, meant_mounts, "{}", service.name);
            let ports: Vec<String> = got["ports"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|p| {
                    let address = p["host_ip"].as_str().unwrap();
                    let address = if address.contains(':') {
                        format!("[{address}]")
                    } else {
                        address.to_owned()
                    };
                    format!(
                        "{address}:{}:{}",
                        p["published"].as_str().unwrap(),
                        p["target"]
                    )
                })
                .collect();
            assert_eq!(ports, service.ports);
            for (key, value) in &service.labels {
                assert_eq!(got["labels"][key], json!(value), "{key}");
            }
            for (network, address) in &service.networks {
                if let Some(address) = address {
                    assert_eq!(got["networks"][network]["ipv4_address"], json!(address));
                }
                assert!(
                    got["networks"].get(network).is_some(),
                    "{} is not on {network}",
                    service.name
                );
            }
        }
    }
}

fn in_container(config: &Config, service: &str, variable: &str) -> Option<String> {
    let directory = written(config);
    let text = succeed(
        compose_v2()
            .args(["config", "--format", "json"])
            .current_dir(directory.path()),
    );
    let read: Value = serde_json::from_str(&text).unwrap();
    Some(
        read["services"][service]["environment"][variable]
            .as_str()?
            .to_owned(),
    )
}

/// With a PROXY header on port 25, Mailu's Dovecot and Fetchmail would take the way through Traefik, and what Sieve sends to
/// other servers would be refused there. The templates decide by these two variables.
#[test]
fn sieve_and_fetchmail_send_without_leaving_the_host() {
    let text = format!("{SMALL}[services]\nfetchmail = true\n");
    for (more, proxied) in [
        ("", true),
        ("[tls]\nmode = \"passthrough\"\n", true),
        ("[ports]\nvia = \"published\"\n", false),
        ("[ports]\nmail = [465, 993]\n", false),
        ("[tls]\nmode = \"letsencrypt\"\n", false),
    ] {
        let config = config(&format!("{text}{more}"));
        // core/dovecot/conf/dovecot.conf
        let asks_for_25 = |service: &str| {
            in_container(&config, service, "PROXY_PROTOCOL")
                .unwrap()
                .split(',')
                .any(|port| port == "25")
        };
        let sieve = if asks_for_25("imap") {
            in_container(&config, "imap", "HOSTNAMES")
        } else {
            in_container(&config, "imap", "FRONT_ADDRESS").or(Some("front".to_owned()))
        };
        // optional/fetchmail/fetchmail.py
        let scanned = if asks_for_25("fetchmail") {
            in_container(&config, "fetchmail", "HOSTNAMES")
        } else {
            in_container(&config, "fetchmail", "FRONT_ADDRESS").or(Some("front".to_owned()))
        };
        let unscanned = in_container(&config, "fetchmail", "FRONT_ADDRESS");
        let goes_to = Some(if proxied { "smtp" } else { "front" }.to_owned());
        assert_eq!((sieve, scanned), (goes_to.clone(), goes_to), "{more}");
        assert_eq!(unscanned, None, "LMTP is front's: {more}");
        assert_eq!(
            in_container(&config, "front", "PROXY_PROTOCOL")
                .unwrap()
                .split(',')
                .any(|port| port == "25"),
            proxied,
            "{more}"
        );
    }
}

/// Docker lets published ports in by the first of front's networks, by name.
#[test]
fn published_ports_enter_by_the_access_network() {
    for (more, client) in [
        ("", "tenant1"),
        ("", "zz"),
        ("[network]\nipv6 = true\n", "a"),
    ] {
        let config = config(&format!(
            "client = \"{client}\"\n{SMALL}[ports]\nvia = \"published\"\n{more}"
        ));
        let compose = compose::build(&config);
        let mut names: Vec<(String, &str)> = compose
            .networks
            .iter()
            .map(|network| {
                let name = network
                    .external
                    .clone()
                    .or_else(|| network.host_name.clone())
                    .unwrap_or_else(|| format!("{}_{}", config.project_name(), network.name));
                (name, network.name.as_str())
            })
            .collect();
        names.sort();
        assert_eq!(names[0].1, "access", "{names:?}");
    }
}

/// The webmail's filters go to a port that Mailu opens together with 4190.
#[test]
fn filters_in_the_webmail_work_without_a_public_sieve_port() {
    let text = format!("{SMALL}[ports]\nmail = [25, 465, 993]\n");
    let ports = |config: &Config| in_container(config, "front", "PORTS").unwrap();
    let with = config(&text);
    assert_eq!(ports(&with), "25,80,443,465,993,4190");
    assert!(
        !in_container(&with, "front", "PROXY_PROTOCOL")
            .unwrap()
            .contains("4190")
    );
    let front = &compose::build(&with);
    let labels = &front
        .services
        .iter()
        .find(|s| s.name == "front")
        .unwrap()
        .labels;
    assert!(
        !labels.iter().any(|(_, value)| value == "4190"),
        "{labels:?}"
    );
    let without = config(&format!("{text}[services]\nwebmail = \"none\"\n"));
    assert_eq!(ports(&without), "25,80,443,465,993");
}

/// The file that `compose` means, before Compose's interpolation.
fn meant(compose: &Compose) -> Value {
    let dollars = |text: &str| text.replace('$', "$$");
    let mut services = serde_json::Map::new();
    for s in &compose.services {
        let mut service = json!({
            "image": s.image,
            "container_name": dollars(&s.container_name),
            "restart": "unless-stopped",
            "networks": s.networks.iter().map(|(name, address)| {
                (name.clone(), address.as_ref().map_or(json!({}), |a| json!({ "ipv4_address": dollars(a) })))
            }).collect::<serde_json::Map<_, _>>(),
            "logging": {
                "driver": dollars(&s.logging.0),
                "options": s.logging.1.iter().map(|(k, v)| (k.clone(), json!(dollars(v)))).collect::<serde_json::Map<_, _>>(),
            },
        });
        let mut put = |key: &str, value: Value| {
            service[key] = value;
        };
        if let Some(hostname) = &s.hostname {
            put("hostname", json!(dollars(hostname)));
        }
        if s.env_file {
            put("env_file", json!(["mailu.env"]));
        }
        if !s.environment.is_empty() {
            let variables = s.environment.iter();
            put(
                "environment",
                Value::Object(
                    variables
                        .map(|(k, v)| (k.clone(), json!(dollars(v))))
                        .collect(),
                ),
            );
        }
        if !s.depends_on.is_empty() {
            put("depends_on", json!(s.depends_on));
        }
        if !s.dns.is_empty() {
            put("dns", s.dns.iter().map(|d| dollars(d)).collect());
        }
        if !s.ports.is_empty() {
            put("ports", s.ports.iter().map(|p| dollars(p)).collect());
        }
        if !s.volumes.is_empty() {
            put(
                "volumes",
                s.volumes
                    .iter()
                    .map(|m| {
                        dollars(&format!(
                            "./{}:{}{}",
                            m.source,
                            m.target,
                            if m.read_only { ":ro" } else { "" }
                        ))
                    })
                    .collect(),
            );
        }
        if !s.labels.is_empty() {
            put(
                "labels",
                Value::Object(
                    s.labels
                        .iter()
                        .map(|(k, v)| (dollars(k), json!(dollars(v))))
                        .collect(),
                ),
            );
        }
        if let Some(h) = &s.healthcheck {
            put(
                "healthcheck",
                json!({
                    "test": ["CMD-SHELL", dollars(&h.command)],
                    "interval": h.interval,
                    "timeout": h.timeout,
                    "retries": h.retries,
                    "start_period": h.start_period,
                }),
            );
        }
        services.insert(s.name.clone(), service);
    }
    let mut networks = serde_json::Map::new();
    for n in &compose.networks {
        let mut network = match &n.external {
            Some(name) => json!({ "external": true, "name": dollars(name) }),
            None => json!({ "driver": "bridge" }),
        };
        if let Some(name) = &n.host_name {
            network["name"] = json!(dollars(name));
        }
        if n.internal {
            network["internal"] = json!(true);
        }
        if n.ipv6 {
            network["enable_ipv6"] = json!(true);
        }
        if !n.subnets.is_empty() {
            let subnets: Vec<_> = n
                .subnets
                .iter()
                .map(|s| json!({ "subnet": dollars(s) }))
                .collect();
            network["ipam"] = json!({ "driver": "default", "config": subnets });
        }
        networks.insert(n.name.clone(), network);
    }
    json!({ "services": services, "networks": networks })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn random_deployments_parse_to_what_was_meant(table in random::config()) {
        let config = config(&table.to_string());
        let compose = compose::build(&config);
        let text = compose::render(&compose, "head").unwrap();
        prop_assert_eq!(parse(&text), meant(&compose));
    }

    /// The rules let no hostile text into names and labels; the quoting does not rely on that.
    #[test]
    fn hostile_text_anywhere_is_only_text(texts in proptest::collection::vec(random::hostile_line(), 11), head in random::hostile_line()) {
        let mut compose = compose::build(&config(SMALL));
        for service in &mut compose.services {
            service.container_name.clone_from(&texts[0]);
            service.hostname = Some(format!("h{}", texts[1]));
            service.dns = vec![texts[2].clone()];
            service.ports = vec![texts[3].clone()];
            service.labels = vec![(format!("k{}", texts[4]), texts[5].clone())];
            for mount in &mut service.volumes {
                mount.source.clone_from(&texts[6]);
            }
            if let Some(health) = &mut service.healthcheck {
                health.command.clone_from(&texts[7]);
            }
            service.logging.1 = vec![("option".to_owned(), texts[8].clone())];
            service.environment = vec![("NAME".to_owned(), texts[9].clone())];
        }
        for network in compose.networks.iter_mut().filter(|n| n.external.is_none()) {
            network.host_name = Some(format!("n{}", texts[10]));
        }
        let text = compose::render(&compose, &head).unwrap();
        prop_assert_eq!(parse(&text), meant(&compose));
    }
}
