//! The host: its clock, its memory, its disks, its way out, and the resolver.

use super::{Observed, Verdict};
use crate::config::Config;
use crate::finding::Finding;
use crate::status;

/// From here on certificates, one-time passwords and signatures with times are at risk; in milliseconds.
const CLOCK_WARNING: i64 = 2_000;
const CLOCK_ERROR: i64 = 30_000;

pub(super) fn clock(_: &Config, observed: &Observed) -> Verdict {
    let ahead = match &observed.clock {
        None => return Verdict::undone("not compared"),
        Some(Err(why)) => return Verdict::unknown("clock", why.clone()),
        Some(Ok(ahead)) => *ahead,
    };
    let off = ahead.saturating_abs();
    let side = if ahead > 0 { "ahead" } else { "behind" };
    let text = format!("{}.{} seconds {side}", off / 1000, off % 1000 / 100);
    let message =
        "is wrong: certificates, log-ins with a second factor and signatures depend on it";
    let finding = if off > CLOCK_ERROR {
        Finding::error("clock.off", "clock", message)
    } else if off > CLOCK_WARNING {
        Finding::warning("clock.off", "clock", message)
    } else {
        return Verdict::of(text, Vec::new());
    };
    let finding = finding
        .value(&text)
        .hint("let it be kept right: `timedatectl set-ntp true`, or install chrony");
    Verdict::of(text, vec![finding])
}

/// Parts of a hundred.
fn percent(part: u64, whole: u64) -> u64 {
    part.saturating_mul(100).checked_div(whole).unwrap_or(100)
}

pub(super) fn memory(config: &Config, observed: &Observed) -> Verdict {
    let Some(memory) = observed.memory else {
        return Verdict::undone("not looked at");
    };
    let left = percent(memory.available, memory.total);
    let text = format!("{left} % of {} MB are available", memory.total / 1_000_000);
    let message = "is nearly used up: the kernel will end programs, mail services among them";
    let finding = match left {
        0..5 => Finding::error("memory.short", "memory", message),
        5..10 => Finding::warning("memory.short", "memory", message),
        _ => return Verdict::of(text, Vec::new()),
    };
    let mut finding = finding
        .value(&text)
        .hint("give the host more memory or swap; `docker stats` shows what takes it");
    if config.services.antivirus {
        finding = finding.hint(format!(
            "or do without ClamAV: `mailu config set {} services.antivirus=false`, then `mailu apply {}`",
            config.options(),
            config.options()
        ));
    }
    Verdict::of(text, vec![finding])
}

pub(super) fn disk(_: &Config, observed: &Observed) -> Verdict {
    if observed.disks.is_empty() {
        return Verdict::undone("not looked at");
    }
    let mut out = Vec::new();
    let mut text = Vec::new();
    for disk in &observed.disks {
        let at = disk.path.display();
        let left = percent(disk.free, disk.total);
        text.push(format!("{left} % free at {at}"));
        if disk.holds == super::MAIL {
            // As `mailu status` has it, which may not have come so far.
            let data = disk.path.parent().unwrap_or(&disk.path);
            out.extend(status::space(data, disk.total, disk.free));
        } else {
            let message = format!("is nearly full, where {} lie", disk.holds);
            let finding = match left {
                0..2 => Some(Finding::error("disk.full", at.to_string(), message)),
                2..5 => Some(Finding::warning("disk.short", at.to_string(), message)),
                _ => None,
            };
            out.extend(finding.map(|finding| {
                finding
                    .value(format!("{left} % free"))
                    .hint("`docker system df` shows what images and containers take, `docker image prune` removes images that nobody uses")
            }));
        }
        if disk.files > 0 {
            let left = percent(disk.free_files, disk.files);
            let message = format!(
                "has nearly no room for further files, where {} lie: each message is one",
                disk.holds
            );
            let finding = match left {
                0..2 => Some(Finding::error("disk.inodes", at.to_string(), message)),
                2..5 => Some(Finding::warning("disk.inodes", at.to_string(), message)),
                _ => None,
            };
            out.extend(finding.map(|finding| {
                finding
                    .value(format!("{} of {} left", disk.free_files, disk.files))
                    .hint(format!("`df -i {at}`; remove what has many small files, or move it to a file system made with more inodes"))
            }));
        }
    }
    Verdict::of(text.join(", "), out)
}

pub(super) fn resolver(config: &Config, observed: &Observed) -> Verdict {
    let Some((server, answer)) = &observed.resolver else {
        return Verdict::undone("not asked");
    };
    let subject = format!("DNS server {}", server.ip());
    let own = config.services.resolver;
    let restart = format!("`mailu restart {} resolver`", config.options());
    let without = "Mailu's admin does not start without DNSSEC, and no mail is sent by DANE";
    let finding = match answer {
        Ok(true) => {
            return Verdict::of(format!("{} validates", server.ip()), Vec::new());
        }
        Ok(false) => Finding::error(
            "resolver.validates",
            subject,
            format!("does not validate: answers for example.org come without the AD flag. {without}"),
        )
        .hint(if own {
            format!("have the provider or router leave port 53 alone, take edits out of overrides, then {restart}")
        } else {
            format!("run Mailu's own: `mailu config set {} services.resolver=true`, then `mailu apply {}`", config.options(), config.options())
        }),
        Err(why) => Finding::error(
            "resolver.silent",
            subject,
            format!("does not answer: {why}. {without}"),
        )
        .hint(if own {
            format!("let this host reach port 53 everywhere, UDP and TCP, in its firewall and the provider's; then {restart}")
        } else {
            "name a DNS server that answers and validates in /etc/resolv.conf, such as 9.9.9.9".to_owned()
        }),
    };
    Verdict::of("does not work", vec![finding])
}

pub(super) fn outbound(_: &Config, observed: &Observed) -> Verdict {
    let Some(found) = &observed.outbound else {
        return Verdict::undone("not tried");
    };
    let mut verdict = Verdict::of("port 25 is open on the way out", Vec::new());
    for finding in found {
        let mut finding = finding.clone();
        if finding.message.starts_with("could not be tried") {
            verdict
                .unknown
                .push((finding.subject.clone(), finding.message.clone()));
            continue;
        }
        "port.out25".clone_into(&mut finding.id);
        finding.severity = crate::finding::Severity::Error;
        verdict.findings.push(finding);
    }
    verdict
}
