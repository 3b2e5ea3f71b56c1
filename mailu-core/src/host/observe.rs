//! Gathers facts about the host.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use ipnet::{IpNet, Ipv4Net};

use super::{engine, files};
use crate::config::Config;
use crate::error::Error;
use crate::finding::Finding;
use crate::fleet::Neighbour;
use crate::mta_sts;
use crate::network;
use crate::paths::{DIRECTORIES, Layout, quoted};
use crate::plan::{Entry, Observed, TEMPORARY_SUFFIX};

/// Files whose content matters for planning.
pub(super) const FILES: [&str; 12] = [
    "mailu.toml",
    "mailu.env",
    ".env",
    "docker-compose.yml",
    mta_sts::FILE,
    ".installed_ok",
    ".mailu/rendered.json",
    ".mailu/journal.json",
    ".mailu/lock",
    ".mailu/starting",
    "data/certs/cert.pem",
    "data/certs/key.pem",
];

/// Directories in which files have names that depend on the configuration.
const LISTED: [&str; 2] = ["dns", "data/dkim"];

/// Where edited files are kept that were overwritten. There only once one was.
const REPLACED: &str = ".mailu/replaced";

/// Snippets for front, also those of the operator's own.
const NGINX: &str = "overrides/nginx";

/// Of all these, those about the certificate.
const CERTIFICATES: [&str; 6] = [
    "data/certs",
    "data/certs/cert.pem",
    "data/certs/key.pem",
    ".mailu/rendered.json",
    ".mailu/journal.json",
    REPLACED,
];

/// Files whose presence alone matters.
const MARKS: [&str; 3] = ["data/main.db", "data/admin/main.db", REPLACED];

/// Everything that planning wants to know about `layout`.
pub(super) fn observe(layout: &Layout) -> Result<(Observed, Vec<Finding>), Error> {
    observe_at(layout, &layout.directory(), &layout.secrets())
}

/// The same for a deployment whose files are not in their place yet: they are at `base`, and its secrets at `secrets`.
pub(super) fn observe_at(
    layout: &Layout,
    base: &Path,
    secrets: &Path,
) -> Result<(Observed, Vec<Finding>), Error> {
    let mut observed = Observed {
        now: now(),
        routes: routes(),
        public_ipv4: public_ipv4(),
        memory: memory(),
        ..Observed::default()
    };
    for directory in DIRECTORIES {
        let path = if directory.path.is_empty() {
            base.to_path_buf()
        } else {
            base.join(directory.path)
        };
        note(&mut observed.entries, directory.path, &path)?;
    }
    for name in FILES.iter().chain(&MARKS) {
        note(&mut observed.entries, name, &base.join(name))?;
    }
    for directory in DIRECTORIES {
        let listed = LISTED.contains(&directory.path);
        for name in names_in(&base.join(directory.path))? {
            if listed || name.ends_with(TEMPORARY_SUFFIX) {
                let relative = if directory.path.is_empty() {
                    name
                } else {
                    format!("{}/{name}", directory.path)
                };
                note(&mut observed.entries, &relative, &base.join(&relative))?;
            }
        }
    }
    for name in names_in(&base.join(NGINX))? {
        if Path::new(&name).extension().is_some_and(|e| e == "conf") {
            let relative = format!("{NGINX}/{name}");
            // Theirs, and only looked at: one that cannot be read is front's affair.
            let _ = note(&mut observed.entries, &relative, &base.join(&relative));
        }
    }
    for name in names_in(&base.join(REPLACED))? {
        let relative = format!("{REPLACED}/{name}");
        note(&mut observed.entries, &relative, &base.join(&relative))?;
    }
    note(&mut observed.secrets, "", secrets)?;
    for name in names_in(secrets)? {
        note(&mut observed.secrets, &name, &secrets.join(&name))?;
    }
    let (neighbours, findings) = neighbours(layout)?;
    observed.neighbours = neighbours;
    if let Some(answer) = engine::ask() {
        observed
            .routes
            .extend(answer.networks6.into_iter().map(IpNet::V6));
        observed.engine = Some(answer.engine);
    }
    Ok((observed, findings))
}

/// What looking after the certificate of `layout` wants to know.
pub(super) fn certificates(layout: &Layout) -> Result<Observed, Error> {
    let mut observed = Observed {
        now: now(),
        ..Observed::default()
    };
    let base = layout.directory();
    let replaced = names_in(&base.join(REPLACED))?;
    let kept = replaced.iter().map(|name| format!("{REPLACED}/{name}"));
    for name in CERTIFICATES.into_iter().map(str::to_owned).chain(kept) {
        note(&mut observed.entries, &name, &base.join(&name))?;
    }
    Ok(observed)
}

/// Now, in UTC, to the second.
pub(super) fn now() -> String {
    jiff::Timestamp::now()
        .strftime("%Y-%m-%dT%H:%M:%SZ")
        .to_string()
}

/// Now, in UTC, for names of files: `20261122-100000`.
pub fn timestamp() -> String {
    jiff::Timestamp::now().strftime("%Y%m%d-%H%M%S").to_string()
}

/// Now, in UTC, where colons have a meaning of their own: `20261122T100000Z`.
pub(super) fn compact() -> String {
    jiff::Timestamp::now()
        .strftime("%Y%m%dT%H%M%SZ")
        .to_string()
}

/// Now, in UTC, for logs: `2026-11-22T10:00:00Z`.
pub fn moment() -> String {
    now()
}

/// Now, in seconds since 1970.
pub fn now_seconds() -> i64 {
    jiff::Timestamp::now().as_second()
}

fn note(entries: &mut BTreeMap<String, Entry>, name: &str, path: &Path) -> Result<(), Error> {
    /// Nothing that we write comes near this.
    const LIMIT: u64 = 4_000_000;
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(());
        }
        Err(error) => return Err(files::failed("look at", path, error)),
    };
    // A link to elsewhere is somebody's decision about where data lies; what it leads to counts.
    let metadata = if metadata.is_symlink() {
        fs::metadata(path).map_err(|error| files::lost_link(path, error))?
    } else {
        metadata
    };
    let (mode, uid, gid) = (metadata.mode() & 0o7777, metadata.uid(), metadata.gid());
    let entry = if metadata.is_dir() {
        Entry::directory(mode, uid, gid)
    } else if metadata.is_file() && metadata.len() <= LIMIT && !MARKS.contains(&name) {
        let content = fs::read(path).map_err(|error| files::failed("read", path, error))?;
        Entry::file(mode, uid, gid, content)
    } else {
        Entry::directory(mode, uid, gid)
    };
    entries.insert(name.to_owned(), entry);
    Ok(())
}

fn names_in(directory: &Path) -> Result<Vec<String>, Error> {
    let listing = match fs::read_dir(directory) {
        Ok(listing) => listing,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(Vec::new());
        }
        Err(error) => return Err(files::failed("list", directory, error)),
    };
    let mut names = Vec::new();
    for entry in listing {
        let entry = entry.map_err(|error| files::failed("list", directory, error))?;
        if let Ok(name) = entry.file_name().into_string() {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// The directories of all deployments below `root`.
pub(super) fn deployments(root: &Path) -> Result<Vec<PathBuf>, Error> {
    Ok(directories(root)?
        .into_iter()
        .map(|(directory, _)| directory)
        .filter(|directory| directory.join("mailu.toml").is_file())
        .collect())
}

/// Deployments of ours that have lost their `mailu.toml`.
pub(super) fn lost(root: &Path) -> Result<Vec<Layout>, Error> {
    Ok(directories(root)?
        .into_iter()
        .filter_map(|(directory, client)| {
            let host = directory.file_name()?.to_str()?.parse().ok()?;
            let client = client.map(|name| name.parse()).transpose().ok()?;
            Some(Layout::new(root, client, host))
        })
        .filter(|layout| layout.rendered().exists() && !layout.config().exists())
        .collect())
}

/// Every directory in which a deployment may lie, with its client.
pub(super) fn directories(root: &Path) -> Result<Vec<(PathBuf, Option<String>)>, Error> {
    let mailu = root.join("mailu");
    let clients = mailu.join("clients");
    let mut parents = vec![(mailu, None)];
    for client in names_in(&clients)? {
        parents.push((clients.join(&client), Some(client)));
    }
    let mut all = Vec::new();
    for (parent, client) in parents {
        for name in names_in(&parent)? {
            all.push((parent.join(name), client.clone()));
        }
    }
    Ok(all)
}

fn neighbours(layout: &Layout) -> Result<(Vec<Neighbour>, Vec<Finding>), Error> {
    let mut all = Vec::new();
    let mut findings = Vec::new();
    for directory in deployments(layout.root())? {
        if directory == layout.directory() {
            continue;
        }
        let path = directory.join("mailu.toml");
        let text =
            fs::read_to_string(&path).map_err(|error| files::failed("read", &path, error))?;
        match Config::from_toml(&text) {
            Ok(parsed) => all.push(Neighbour::new(directory, parsed.config)),
            Err(invalid) => findings.push(
                Finding::warning(
                    "fleet.unreadable",
                    path.display().to_string(),
                    format!(
                        "cannot be understood, so its names, networks and ports are not known to be free: {}",
                        invalid.to_string().replace('\n', ";")
                    ),
                )
                .hint(format!("`mailu config check {}` shows every error", quoted(&path))),
            ),
        }
    }
    for other in lost(layout.root())? {
        if other != *layout {
            findings.push(
                Finding::warning(
                    "fleet.lost",
                    other.config().display().to_string(),
                    "is gone, so its names, networks and ports are not known to be free",
                )
                .hint(format!("`{}` says how to go on", other.command("show"))),
            );
        }
    }
    Ok((all, findings))
}

/// Networks in the host's routing tables, default routes excepted. Docker's bridges are among them.
fn routes() -> Vec<IpNet> {
    let mut all = Vec::new();
    if let Ok(text) = fs::read_to_string("/proc/net/route") {
        all.extend(text.lines().skip(1).filter_map(ipv4_route));
    }
    all
}

/// One line of `/proc/net/route`, in which addresses are hexadecimal in the machine's byte order.
fn ipv4_route(line: &str) -> Option<IpNet> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let address = |field: &str| {
        u32::from_str_radix(field, 16)
            .ok()
            .map(|n| Ipv4Addr::from(n.to_ne_bytes()))
    };
    let destination = address(fields.get(1)?)?;
    let mask = address(fields.get(7)?)?;
    let net = Ipv4Net::with_netmask(destination, mask).ok()?;
    (net.prefix_len() > 0).then_some(IpNet::V4(net))
}

/// The address that this host would use towards the internet, if it is a public one. Nothing is sent: a UDP socket that
/// is only connected just asks the routing table.
fn public_ipv4() -> Option<Ipv4Addr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    match socket.local_addr().ok()?.ip() {
        IpAddr::V4(address) if network::is_public(address.into()) => Some(address),
        _ => None,
    }
}

pub(super) fn memory() -> Option<u64> {
    memory_left().map(|(total, _)| total)
}

/// Memory in bytes: all of it, and what programs could still get.
pub(super) fn memory_left() -> Option<(u64, u64)> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let read = |name: &str| -> Option<u64> {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kibibytes * 1024)
    };
    let total = read("MemTotal:")?;
    Some((total, read("MemAvailable:").unwrap_or(total)))
}

/// Whether this process may give files to other users.
pub(super) fn privileged() -> bool {
    // The effective user of a process owns its directory in /proc.
    fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_kernel_s_routes() {
        let line = "eth0\t000010AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0";
        if cfg!(target_endian = "little") {
            assert_eq!(ipv4_route(line), "172.16.0.0/16".parse().ok());
        }
        assert_eq!(
            ipv4_route("eth0\t00000000\t0102A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0"),
            None
        );
        assert_eq!(ipv4_route("garbage"), None);
    }
}
