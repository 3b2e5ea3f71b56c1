//! Measurements, each against a named opponent in the same run, with its growth. `make bench` runs them.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program that prints measurements"
)]

use std::fmt::Write as _;
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mailu_core::dns::PublicKeys;
use mailu_core::network::{Reserved, draw};
use mailu_core::{Config, Secret, Secrets, dkim::DkimKey, render};

fn tool(name: &str) -> PathBuf {
    let cached = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../.cache/tools")
        .join(name);
    if cached.is_file() {
        cached
    } else {
        PathBuf::from(name)
    }
}

fn time(run: impl FnOnce()) -> Duration {
    let start = Instant::now();
    run();
    start.elapsed()
}

/// Smallest, median and largest of `count` runs after one that does not count.
fn runs(count: usize, mut run: impl FnMut()) -> [f64; 3] {
    run();
    let mut all: Vec<f64> = (0..count)
        .map(|_| time(&mut run).as_secs_f64() * 1e3)
        .collect();
    all.sort_by(f64::total_cmp);
    [all[0], all[count / 2], all[count - 1]]
}

fn row(what: &str, [low, median, high]: [f64; 3]) {
    println!("  {what:<58} {median:>9.2} ms   ({low:.2} to {high:.2})");
}

fn quiet(command: &mut Command) {
    let status = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success(), "{command:?}");
}

fn config(n: u32) -> Config {
    let text = format!(
        "mail_host = \"mail.d{n}.example.com\"\nemail_domain = \"d{n}.example.com\"\nadmin_email = \"admin@d{n}.example.com\"\nclient = \"c{n}\"\n"
    );
    let mut config = Config::from_toml(&text).unwrap().config;
    draw(&mut config, &Reserved::default(), &[]).unwrap();
    config
}

fn secrets() -> Secrets {
    let mut secrets = Secrets::default();
    secrets.set(
        "secret_key",
        Secret::new("BENCHSECRETKEY0123456789ABCDEFGH"),
    );
    secrets.set("api_token", Secret::new("bench-api-token-0123456789"));
    secrets
}

fn one_rendering(directory: &Path) {
    println!("\nOne rendering as a whole process, and Compose reading the result");
    // Built by `make bench` before this program, in the same directory of artifacts.
    let program = std::env::current_exe()
        .unwrap()
        .parent()
        .unwrap()
        .with_file_name("mailu");
    let file = directory.join("mailu.toml");
    std::fs::write(&file, "mail_host = \"mail.example.com\"\nemail_domain = \"example.com\"\nadmin_email = \"admin@example.com\"\n").unwrap();
    let mut n = 0;
    let ours = runs(30, || {
        n += 1;
        quiet(
            Command::new(&program)
                .arg("render")
                .arg(&file)
                .arg("--out")
                .arg(directory.join(format!("out{n}"))),
        );
    });
    let out = directory.join("out1");
    let start = runs(30, || quiet(Command::new(&program).arg("--version")));
    let theirs = runs(30, || {
        quiet(
            Command::new(tool("compose-v2"))
                .args(["config", "-q"])
                .current_dir(&out),
        );
    });
    row("mailu --version (cold start)", start);
    row("mailu render (configuration in, six files out)", ours);
    row("docker compose config -q (the result in)", theirs);
    println!(
        "  ratio of the medians, ours to theirs: {:.2}",
        ours[1] / theirs[1]
    );
}

fn growth(directory: &Path) {
    println!(
        "\nRendering many deployments in one process (configuration, files and records of each; keys excluded)"
    );
    let secrets = secrets();
    let mut first = None;
    for count in [10_u32, 100, 1_000, 10_000] {
        let elapsed = time(|| {
            for n in 0..count {
                let config = config(n);
                let files = render(&config, &secrets, &PublicKeys::default())
                    .unwrap()
                    .files(&config)
                    .unwrap();
                assert_eq!(files.len(), 6);
            }
        });
        let each = elapsed.as_secs_f64() * 1e3 / f64::from(count);
        let base = *first.get_or_insert(each);
        println!(
            "  {count:>6} deployments {:>10.1} ms   {each:.3} ms each, {:.2} times the first row",
            elapsed.as_secs_f64() * 1e3,
            each / base
        );
    }

    println!("\nListing the deployments of a host");
    let root = directory.join("root");
    let mut made = 0;
    let mut first = None;
    for count in [10_u32, 100, 1_000, 10_000] {
        for n in made..count {
            let path = root.join(format!("mailu/clients/c{n}/mail.d{n}.example.com"));
            std::fs::create_dir_all(&path).unwrap();
            std::fs::write(
                path.join("mailu.toml"),
                format!("mail_host = \"mail.d{n}.example.com\"\nemail_domain = \"d{n}.example.com\"\nadmin_email = \"admin@d{n}.example.com\"\nclient = \"c{n}\"\n"),
            )
            .unwrap();
        }
        made = count;
        let mailu = mailu_core::host::Mailu::new(&root).unwrap();
        let [_, median, _] = runs(3, || {
            assert_eq!(mailu.list().unwrap().len(), count as usize);
        });
        let each = median / f64::from(count);
        let base = *first.get_or_insert(each);
        println!(
            "  {count:>6} deployments {median:>10.1} ms   {each:.3} ms each, {:.2} times the first row",
            each / base
        );
    }
}

fn keys() {
    const COUNT: u32 = 60;
    println!(
        "\nA 2048-bit RSA key (mean of 60, because one key takes many times as long as another)"
    );
    let ours = time(|| {
        for _ in 0..COUNT {
            DkimKey::generate(&mut rand_core::OsRng).unwrap();
        }
    });
    let theirs = time(|| {
        for _ in 0..COUNT {
            quiet(Command::new("openssl").args(["genrsa", "2048"]));
        }
    });
    let mean = |total: Duration| total.as_secs_f64() * 1e3 / f64::from(COUNT);
    println!("  mailu (in the library)   {:>9.1} ms", mean(ours));
    println!(
        "  openssl genrsa 2048      {:>9.1} ms (a process each)",
        mean(theirs)
    );
    println!("  ratio, ours to theirs: {:.2}", mean(ours) / mean(theirs));
}

/// How long the name server of the audit takes for an answer, as one on another continent does.
const DELAY: Duration = Duration::from_millis(20);

/// A DNS server that hands questions on to another one, and answers after [`DELAY`]. It ends with the program.
fn delayed(behind: SocketAddr) -> SocketAddr {
    let front = Arc::new(UdpSocket::bind("127.0.0.1:0").unwrap());
    let address = front.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok((length, client)) = front.recv_from(&mut buffer) {
            let question = buffer[..length].to_vec();
            let front = Arc::clone(&front);
            std::thread::spawn(move || {
                std::thread::sleep(DELAY);
                let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
                socket
                    .set_read_timeout(Some(Duration::from_secs(2)))
                    .unwrap();
                socket.send_to(&question, behind).unwrap();
                let mut answer = [0; 4096];
                if let Ok(length) = socket.recv(&mut answer) {
                    let _ = front.send_to(&answer[..length], client);
                }
            });
        }
    });
    address
}

/// The zone files of a directory, served by NSD.
fn nsd(directory: &Path, zones: &Path) -> (Child, SocketAddr) {
    let address = UdpSocket::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let at = |name: &str| directory.join(name).display().to_string();
    let mut config = format!(
        "server:\n ip-address: 127.0.0.1@{}\n username: \"\"\n chroot: \"\"\n database: \"\"\n pidfile: \"{}\"\n xfrdfile: \"{}\"\n zonelistfile: \"{}\"\n server-count: 1\nremote-control:\n control-enable: no\n",
        address.port(),
        at("nsd.pid"),
        at("nsd.xfrd"),
        at("nsd.zonelist"),
    );
    for entry in std::fs::read_dir(zones).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "zone") {
            let name = path.file_stem().unwrap().to_string_lossy();
            let _ = write!(
                config,
                "zone:\n name: {name}\n zonefile: {}\n",
                path.display()
            );
        }
    }
    std::fs::write(directory.join("nsd.conf"), config).unwrap();
    let program = if Path::new("/usr/sbin/nsd").is_file() {
        PathBuf::from("/usr/sbin/nsd")
    } else {
        tool("nsd")
    };
    let child = Command::new(program)
        .args(["-d", "-c"])
        .arg(directory.join("nsd.conf"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    let answers = || {
        let output = Command::new("dig")
            .args(["+short", "+time=1", "+tries=1", "-p"])
            .arg(address.port().to_string())
            .args(["@127.0.0.1", "d0.example", "SOA"])
            .output()
            .unwrap();
        output.status.success() && !output.stdout.is_empty()
    };
    while !answers() && begun.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(50));
    }
    (child, address)
}

fn audit(directory: &Path) {
    const COUNT: usize = 100;
    println!(
        "\nAudit of {COUNT} domains whose name server answers after {} ms",
        DELAY.as_millis()
    );
    let root = directory.join("audit");
    let domains: Vec<String> = (0..COUNT).map(|n| format!("d{n}.example")).collect();
    let more: Vec<String> = domains[1..]
        .iter()
        .map(|name| format!("\"{name}\""))
        .collect();
    let program = std::env::current_exe()
        .unwrap()
        .parent()
        .unwrap()
        .with_file_name("mailu");
    quiet(
        Command::new(program)
            .env(
                "MAILU_SKIP_CHECK",
                "preflight.names,preflight.dnssec,preflight.outbound",
            )
            .arg("--root")
            .arg(&root)
            .args(["install", "--no-start", "--domain", "mail.d0.example"])
            .args(["--email-domain", "d0.example"])
            .args(["--admin-email", "admin@d0.example"])
            .args(["--set", "dns.ipv4=192.0.2.10"])
            .arg(format!("--set=email_domains=[{}]", more.join(", "))),
    );
    let mailu = mailu_core::host::Mailu::new(&root).unwrap();
    let layout =
        mailu_core::paths::Layout::new(root.clone(), None, "mail.d0.example".parse().unwrap());
    let (mut server, address) = nsd(directory, &layout.file("dns"));
    let slow = delayed(address);
    let mut options = mailu_core::host::DnsOptions::default();
    options.resolver = Some(slow);
    options.authoritative = vec![slow];
    let ours = runs(3, || {
        let report = mailu.check_dns(&layout, &options).unwrap();
        let forward = report
            .records
            .iter()
            .filter(|one| !mailu_core::dns::is_reverse(&one.zone));
        assert!(forward.clone().count() > COUNT * 10);
        for one in forward {
            assert_eq!(one.state, mailu_core::dns::check::State::Right, "{one:?}");
        }
    });
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.cache/python/bin/python");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/bench_checkdmarc.py");
    let theirs = time(|| {
        quiet(
            Command::new(&python)
                .arg(script)
                .arg(slow.port().to_string())
                .args(&domains),
        );
    });
    let theirs = theirs.as_secs_f64() * 1e3;
    row("mailu (in the library; all records of each)", ours);
    println!("  checkdmarc (its own records, one domain after the other)   {theirs:>9.2} ms");
    println!("  ratio, ours to theirs: {:.3}", ours[1] / theirs);
    let _ = Command::new("kill").arg(server.id().to_string()).status();
    let _ = server.wait();
}

fn main() {
    let directory = tempfile::tempdir().unwrap();
    audit(directory.path());
    one_rendering(directory.path());
    growth(directory.path());
    keys();
}
