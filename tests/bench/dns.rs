//! Whether records are published, where servers are far away.

use std::fmt::Write as _;
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mailu_core::host::{DnsOptions, Mailu};

use crate::{install, layout, quiet, row, runs, time, tool};

/// How long the servers here take for an answer, as those on another continent do.
pub(crate) const DELAY: Duration = Duration::from_millis(20);

/// A DNS server that hands questions on to another one, and answers after [`DELAY`]. It ends with the program.
pub(crate) fn delayed(behind: SocketAddr) -> SocketAddr {
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

/// A name server, which ends with the value.
pub(crate) struct Nsd(Child);

impl Drop for Nsd {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}

/// The zone files of directories, served by NSD, whose own files lie in `directory`.
pub(crate) fn nsd(directory: &Path, zones: &[&Path]) -> (Nsd, SocketAddr) {
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
    let all = zones.iter().map(|zones| std::fs::read_dir(zones).unwrap());
    for entry in all.flatten() {
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
    (Nsd(child), address)
}

pub(crate) fn audit(directory: &Path) {
    const COUNT: usize = 100;
    println!(
        "\nAudit of {COUNT} domains whose name server answers after {} ms",
        DELAY.as_millis()
    );
    let root = directory.join("audit");
    let domains = install(&root, COUNT, &[]);
    let mailu = Mailu::new(&root).unwrap();
    let layout = layout(&root);
    let (server, address) = nsd(directory, &[&layout.file("dns")]);
    let slow = delayed(address);
    let mut options = DnsOptions::default();
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
    drop(server);
}
