//! Rights, memory and disk.

use super::{Disk, Facts, Holds, Verdict, gigabytes};
use crate::config::Config;
use crate::finding::{Finding, Severity};

const GB: u64 = 1_000_000_000;

pub(super) fn root(_: &Config, facts: &Facts) -> Verdict {
    if facts.privileged {
        return Verdict::of("root", Vec::new());
    }
    Verdict::of(
        "not root",
        vec![
            Finding::error(
                "preflight.root",
                "user",
                "is not root: data for the containers has to be given to the users that they run as (mail to 8:12), secrets kept from everybody else, and ports below 1024 tried",
            )
            .hint("run the same command with `sudo`"),
        ],
    )
}

/// The least that anything runs in at all.
const LEAST_MEMORY: u64 = 900_000_000;

pub(super) fn memory(config: &Config, facts: &Facts) -> Verdict {
    let Some(there) = facts.memory else {
        return Verdict::undone("not checked: /proc/meminfo cannot be read");
    };
    let mut out: Vec<Finding> = facts
        .settled
        .iter()
        .filter(|finding| finding.id == "host.memory")
        .cloned()
        .collect();
    if there < LEAST_MEMORY {
        out.push(
            Finding::error(
                "preflight.memory",
                "memory",
                "is less than 1 GB, the least that Mailu runs in (with 1 GB of swap beside it)",
            )
            .value(gigabytes(there))
            .hint("give the host more memory")
            .hint(format!(
                "or do without what is not needed: {}",
                config.setting(&[
                    "services.antivirus=false",
                    "services.webmail=none",
                    "services.macro_scan=false"
                ])
            )),
        );
    }
    Verdict::of(format!("{} of memory", gigabytes(there)), out)
}

/// Mailu's images with `ClamAV`, unpacked.
const IMAGES: u64 = 4 * GB;
/// The configuration, `ClamAV`'s signatures and a beginning of mail.
const MAIL: u64 = GB;
/// For a deployment that is there already.
const LITTLE: u64 = GB / 2;
/// Images, and maildirs, are made of small files.
const FILES: u64 = 100_000;

pub(super) fn disk(config: &Config, facts: &Facts) -> Verdict {
    const ID: &str = "preflight.disk";
    if facts.disks.is_empty() {
        return Verdict::undone("not checked: no file system tells how much room it has");
    }
    let running = matches!(&facts.engine, Some(Ok(engine)) if engine
        .containers
        .iter()
        .any(|container| container.project.as_deref() == Some(config.project_name().as_str())));
    let mut out: Vec<Finding> = Vec::new();
    let mut seen: Vec<u64> = Vec::new();
    let mut summary = Vec::new();
    for disk in &facts.disks {
        if seen.contains(&disk.device) {
            continue;
        }
        seen.push(disk.device);
        // One file system may have to hold both.
        let held: Vec<&Disk> = facts
            .disks
            .iter()
            .filter(|other| other.device == disk.device)
            .collect();
        let needed: u64 = held
            .iter()
            .map(|disk| match disk.holds {
                _ if running => LITTLE,
                Holds::Images => IMAGES,
                Holds::Mail => MAIL,
            })
            .sum();
        let what = held
            .iter()
            .map(|disk| match disk.holds {
                Holds::Images => "Docker's images",
                Holds::Mail => "the mail",
            })
            .collect::<Vec<_>>()
            .join(" and ");
        let path = disk.path.display();
        summary.push(format!("{} free in {path}", gigabytes(disk.free)));
        let found = |severity: Severity, message: String| {
            let finding = match severity {
                Severity::Error => Finding::error(ID, path.to_string(), message),
                _ => Finding::warning(ID, path.to_string(), message),
            };
            let finding = if held.iter().any(|disk| disk.holds == Holds::Images) {
                finding.hint("`docker system df` shows what Docker keeps, `docker image prune` drops images without a name")
            } else {
                finding
            };
            finding.hint(format!(
                "`df -h {path}` and `df -i {path}` show the file system; make room, or give it more"
            ))
        };
        if disk.free < needed {
            out.push(
                found(
                    Severity::Error,
                    format!(
                        "has too little room for {what}: {} are needed",
                        gigabytes(needed)
                    ),
                )
                .value(gigabytes(disk.free)),
            );
        } else if disk.free < needed * 2 && !running {
            out.push(
                found(
                    Severity::Warning,
                    format!("has room to start with, and not much more for {what}"),
                )
                .value(gigabytes(disk.free)),
            );
        }
        let files = if running { FILES / 10 } else { FILES };
        if let Some(free) = disk.free_files.filter(|free| *free < files) {
            out.push(
                found(
                    Severity::Error,
                    format!("has places for {free} more files (inodes) only: {what} are small files, and {files} places are needed"),
                )
                .value(format!("{free} inodes")),
            );
        }
    }
    Verdict::of(summary.join(", "), out)
}
