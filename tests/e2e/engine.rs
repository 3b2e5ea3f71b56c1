//! A real Docker engine takes what we render: names, networks, addresses, mounts and environment are as designed, and a
//! connection to a published port never seems to come from the network whose members may relay.
//!
//! The images are stand-ins with names of their own: one static `BusyBox` under each. What runs inside them is not tested here.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{Root, compose_v2, succeed};
use crate::world::{self, Network, docker, inspect, wait_for};
use ipnet::Ipv4Net;
use serde_json::Value;

/// So that no image of the test stack is meant.
const IMAGES: [&str; 8] = [
    "--set",
    "images.registry=busybox.test/mailu",
    "--set",
    "images.redis=busybox.test/redis:1",
    "--set",
    "images.clamav=busybox.test/clamav:1",
    "--set",
    "images.tika=busybox.test/tika:1",
];

/// Imports `BusyBox` as `image`, if it is not there.
fn stand_in(image: &str) {
    assert!(image.starts_with("busybox.test/"), "{image}");
    let there = Command::new("docker")
        .args(["image", "inspect", image])
        .output()
        .unwrap();
    if there.status.success() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(root.path().join("bin")).unwrap();
    std::fs::copy("/bin/busybox", root.path().join("bin/busybox")).unwrap();
    std::os::unix::fs::symlink("busybox", root.path().join("bin/sh")).unwrap();
    if image.contains("/nginx:") {
        front_programs(root.path());
    }
    let tar = Command::new("tar")
        .arg("-C")
        .arg(root.path())
        .args(["-c", "."])
        .output()
        .unwrap();
    let mut import = Command::new("docker")
        .args([
            "import",
            "--change",
            "CMD [\"/bin/busybox\", \"sleep\", \"100000\"]",
            "-",
            image,
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    import.stdin.take().unwrap().write_all(&tar.stdout).unwrap();
    assert!(import.wait().unwrap().success());
}

/// What front's health check runs. This Dovecot ends at once without its certificate, as the real one, and stays in the
/// background otherwise, its output open.
fn front_programs(root: &Path) {
    const DOVECOT: &str = "#!/bin/sh
[ \"$*\" = '-c /etc/dovecot/proxy.conf' ] || exit 64
[ -e /certs/letsencrypt/live/mailu-ecdsa/nginx-chain.pem ] || exit 89
echo dovecot starts up >&2
while :; do /bin/busybox sleep 1; done &
";
    std::os::unix::fs::symlink("busybox", root.join("bin/pidof")).unwrap();
    for (name, text) in [("dovecot", DOVECOT), ("curl", "#!/bin/sh\nexit 0\n")] {
        let path = root.join("bin").join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
}

/// A deployment on the engine; taken down with the value.
struct Up<'a> {
    directory: &'a Path,
}

impl<'a> Up<'a> {
    fn new(directory: &'a Path) -> Self {
        let read = compose_json(directory);
        for service in read["services"].as_object().unwrap().values() {
            stand_in(service["image"].as_str().unwrap());
        }
        let up = Self { directory };
        let output = compose_v2()
            .args(["up", "-d", "--quiet-pull"])
            .current_dir(directory)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        up
    }
}

impl Drop for Up<'_> {
    fn drop(&mut self) {
        let _ = compose_v2()
            .args(["down", "-t", "0"])
            .current_dir(self.directory)
            .output();
    }
}

fn compose_json(directory: &Path) -> Value {
    serde_json::from_str(&succeed(
        compose_v2()
            .args(["config", "--format", "json"])
            .current_dir(directory),
    ))
    .unwrap()
}

fn install(root: &Root, n: u8, client: &str, more: &[&str]) -> std::path::PathBuf {
    let (host, domain) = (format!("mail.d{n}.example"), format!("d{n}.example"));
    let admin = format!("admin@{domain}");
    let mut args = vec![
        "install",
        "--no-start",
        "--domain",
        &host,
        "--email-domain",
        &domain,
        "--admin-email",
        &admin,
        "--client-id",
        client,
    ];
    args.extend(IMAGES);
    args.extend(more);
    root.run(&args).expect_code(0);
    root.path().join("mailu/clients").join(client).join(host)
}

/// The source address that a connection to `port` of the host has inside front: whoever listens there answers with the list
/// of its connections.
fn seen_by_front(container: &str, address: Ipv4Addr, port: u16) -> Ipv4Addr {
    let number = port.to_string();
    docker(&[
        "exec",
        "-d",
        container,
        "/bin/busybox",
        "nc",
        "-l",
        "-p",
        &number,
        "-e",
        "/bin/busybox",
        "netstat",
        "-tn",
    ]);
    wait_for("listening", || {
        let listening = docker(&["exec", container, "/bin/busybox", "netstat", "-lnt"]);
        listening.contains(&format!(":{port} ")).then_some(())
    });
    let mut text = String::new();
    TcpStream::connect((address, port))
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    let line = text
        .lines()
        .find(|line| line.contains("ESTABLISHED"))
        .unwrap_or_else(|| panic!("no connection in {text}"));
    let peer = line
        .split_whitespace()
        .nth(4)
        .unwrap()
        .rsplit_once(':')
        .unwrap()
        .0;
    peer.trim_start_matches("::ffff:").parse().unwrap()
}

/// Makes the network as our documentation says, after others that look alike were refused.
fn proxy(root: &Root) -> Network {
    let args = [
        "install",
        "--no-start",
        "--dry-run",
        "--json",
        "--domain",
        "mail.d1.example",
        "--email-domain",
        "d1.example",
        "--admin-email",
        "admin@d1.example",
    ];
    for (options, id) in [
        (&["--subnet", "10.203.255.0/24"][..], "engine.proxy_range"),
        (
            &[
                "--subnet",
                "10.203.255.0/24",
                "--ip-range",
                "10.203.255.64/26",
            ],
            "engine.proxy_gateway",
        ),
    ] {
        docker(&[&["network", "create"], options, &["mailu_proxy"]].concat());
        let refused = root.run(&args).expect_code(2);
        docker(&["network", "rm", "mailu_proxy"]);
        assert!(refused.out.contains(id), "{}", refused.out);
    }
    let network = Network::make();
    root.run(&args).expect_code(0);
    network
}

/// One test, because the scenarios share the engine.
#[test]
fn a_real_engine_takes_what_we_render() {
    let _alone = world::alone();
    let root = Root::new();
    let _proxy = proxy(&root);

    // Everything that can be switched on, behind Traefik.
    let first = install(
        &root,
        1,
        "one",
        &[
            "--set",
            "services.webdav=true",
            "--set",
            "services.fetchmail=true",
            "--set",
            "services.search_attachments=true",
        ],
    );
    let up = Up::new(&first);
    let read = compose_json(&first);
    let services = read["services"].as_object().unwrap();
    assert_eq!(services.len(), 13);
    for name in services.keys() {
        let container = inspect(&format!("mailu_one_{name}"));
        assert_eq!(container["State"]["Running"], true, "{name}");
        assert_eq!(
            container["HostConfig"]["RestartPolicy"]["Name"],
            "unless-stopped"
        );
    }

    // The environment inside is the one that was meant, every character of it.
    let env: BTreeSet<String> = inspect("mailu_one_admin")["Config"]["Env"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_str().unwrap().to_owned())
        .collect();
    let file =
        mailu_core::env::EnvFile::parse(&std::fs::read_to_string(first.join("mailu.env")).unwrap())
            .unwrap();
    for (name, value) in file.variables() {
        assert!(
            env.contains(&format!("{name}={}", value.text)),
            "{name} is not in the container as it was meant"
        );
    }

    // Networks as designed, and only those.
    let subnet: Ipv4Net = file.get("SUBNET").unwrap().text.parse().unwrap();
    let main: Value =
        serde_json::from_str(&docker(&["network", "inspect", "mailu_one_default"])).unwrap();
    assert_eq!(main[0]["IPAM"]["Config"][0]["Subnet"], subnet.to_string());
    for internal in ["oletools", "fts_attachments"] {
        let net: Value = serde_json::from_str(&docker(&[
            "network",
            "inspect",
            &format!("mailu_one_{internal}"),
        ]))
        .unwrap();
        assert_eq!(net[0]["Internal"], true, "{internal} has a way out");
    }
    let address = |container: &str, network: &str| -> String {
        inspect(container)["NetworkSettings"]["Networks"][network]["IPAddress"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    let resolver = address("mailu_one_resolver", "mailu_one_default");
    for name in [
        "admin",
        "front",
        "imap",
        "smtp",
        "antispam",
        "redis",
        "fetchmail",
    ] {
        assert_eq!(
            inspect(&format!("mailu_one_{name}"))["HostConfig"]["Dns"],
            serde_json::json!([resolver]),
            "{name}"
        );
    }
    for name in [
        "webmail",
        "webdav",
        "antivirus",
        "oletools",
        "fts_attachments",
    ] {
        assert_eq!(
            address(&format!("mailu_one_{name}"), "mailu_one_default"),
            "",
            "{name} could relay"
        );
    }
    let front = inspect("mailu_one_front");
    assert_eq!(
        front["NetworkSettings"]["Networks"]
            .as_object()
            .unwrap()
            .len(),
        4
    );
    assert_eq!(address("mailu_one_front", "mailu_proxy"), "10.203.255.128");
    assert_eq!(
        front["HostConfig"]["PortBindings"],
        serde_json::json!({}),
        "nothing is published behind Traefik"
    );
    for name in services.keys().filter(|name| *name != "front") {
        assert_eq!(
            address(&format!("mailu_one_{name}"), "mailu_proxy"),
            "",
            "{name} shares a network with Traefik"
        );
    }
    // Whoever joins that network later gets an address that front believes; the fronts have others.
    docker(&[
        "run",
        "-d",
        "--name",
        "mailu_e2e_traefik",
        "--network",
        "mailu_proxy",
        "busybox.test/redis:1",
    ]);
    let traefik: Ipv4Addr = address("mailu_e2e_traefik", "mailu_proxy").parse().unwrap();
    docker(&["rm", "-f", "mailu_e2e_traefik"]);
    let trusted: Ipv4Net = file.get("REAL_IP_FROM").unwrap().text.parse().unwrap();
    assert!(
        trusted.contains(&traefik)
            && !trusted.contains(&Ipv4Addr::new(10, 203, 255, 128))
            && !trusted.contains(&Ipv4Addr::new(10, 203, 255, 1))
    );

    // Mounts lead to the deployment's own directories.
    let canary = first.join("data/mail/canary");
    std::fs::write(&canary, "here").unwrap();
    assert_eq!(
        docker(&[
            "exec",
            "mailu_one_imap",
            "/bin/busybox",
            "cat",
            "/mail/canary"
        ]),
        "here"
    );
    let denied = Command::new("docker")
        .args([
            "exec",
            "mailu_one_smtp",
            "/bin/busybox",
            "touch",
            "/overrides/x",
        ])
        .output()
        .unwrap();
    assert!(
        !denied.status.success(),
        "overrides can be written from inside"
    );

    // A second client beside it, with mail ports on an address of its own, and a third without any proxy.
    let second = install(
        &root,
        2,
        "two",
        &[
            "--set",
            "ports.via=published",
            "--set",
            "ports.address=127.0.0.2",
        ],
    );
    let third = install(
        &root,
        3,
        "three",
        &[
            "--set",
            "tls.mode=letsencrypt",
            "--set",
            "ports.address=127.0.0.3",
        ],
    );
    let more = [Up::new(&second), Up::new(&third)];
    for (client, directory, host) in [
        ("two", &second, Ipv4Addr::new(127, 0, 0, 2)),
        ("three", &third, Ipv4Addr::new(127, 0, 0, 3)),
    ] {
        let file = mailu_core::env::EnvFile::parse(
            &std::fs::read_to_string(directory.join("mailu.env")).unwrap(),
        )
        .unwrap();
        let relaying: Ipv4Net = file.get("SUBNET").unwrap().text.parse().unwrap();
        for port in [25, 587] {
            let seen = seen_by_front(&format!("mailu_{client}_front"), host, port);
            assert!(
                !relaying.contains(&seen),
                "a connection from this host to port {port} comes from {seen}, which is in SUBNET {relaying}: an open relay"
            );
            let access: Value = serde_json::from_str(&docker(&[
                "network",
                "inspect",
                &format!("0-mailu_{client}_access"),
            ]))
            .unwrap();
            let access: Ipv4Net = access[0]["IPAM"]["Config"][0]["Subnet"]
                .as_str()
                .unwrap()
                .parse()
                .unwrap();
            assert!(
                access.contains(&seen),
                "{client}: port {port} is entered by {seen}, not by {access}"
            );
        }
    }

    // Front's Dovecot has ended, for want of a certificate. When that comes, the health check starts it, and does not wait for
    // its end.
    let health = |log: &str| {
        inspect("mailu_three_front")["State"]["Health"]["Log"]
            .as_array()
            .into_iter()
            .flatten()
            .next_back()
            .map(|entry| entry[log].clone())
    };
    wait_for("a health check without certificate", || {
        health("ExitCode").filter(|code| *code == 1)
    });
    let live = third.join("data/certs/letsencrypt/live/mailu-ecdsa");
    std::fs::create_dir_all(&live).unwrap();
    std::fs::write(live.join("nginx-chain.pem"), "").unwrap();
    wait_for("a health check with Dovecot", || {
        health("ExitCode").filter(|code| *code == 0)
    });
    let log = Command::new("docker")
        .args(["logs", "mailu_three_front"])
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&log.stderr)
            .matches("dovecot starts up")
            .count(),
        1,
        "Dovecot's words are not in the container's log"
    );

    // The same files again: no container is made anew.
    let id = |name: &str| inspect(name)["Id"].as_str().unwrap().to_owned();
    let before: Vec<String> = services
        .keys()
        .map(|name| id(&format!("mailu_one_{name}")))
        .collect();
    assert!(
        root.run(&[
            "install",
            "--no-start",
            "--domain",
            "mail.d1.example",
            "--client-id",
            "one"
        ])
        .expect_code(0)
        .out
        .contains("nothing to do")
    );
    succeed(
        compose_v2()
            .args(["up", "-d"])
            .current_dir(&first)
            .stderr(Stdio::null()),
    );
    let after: Vec<String> = services
        .keys()
        .map(|name| id(&format!("mailu_one_{name}")))
        .collect();
    assert_eq!(before, after);
    drop(more);
    drop(up);
}
