//! Which findings follow from others: a root cause silences them.

use crate::finding::{Finding, Severity};

/// Whether `effect` is there because of `cause`.
pub(super) fn follows(cause: &Finding, effect: &Finding) -> bool {
    // Whatever else is wrong, somebody has to hear of this.
    const NEVER: [&str; 2] = ["smtp.relay", "smtp.client_trusted"];
    if NEVER.contains(&effect.id.as_str()) || cause.severity < effect.severity {
        return false;
    }
    let id = effect.id.as_str();
    let area = id.split('.').next().unwrap_or_default();
    let subject = effect.subject.as_str();
    match cause.id.as_str() {
        "service.stopped" | "service.absent" | "service.looping" | "service.unhealthy" => {
            if area == "service" {
                // A container that does not run has ended by itself, or somebody has ended it.
                return matches!(
                    id,
                    "service.unhealthy" | "service.looping" | "service.starting"
                ) && behind(&cause.subject).contains(&subject);
            }
            // A service that looks ill may be the effect, too: of what it says itself nothing is hidden by it.
            without(&cause.subject, area, id, subject)
        }
        "status.stopped" | "status.absent" | "status.uninstalled" => matches!(
            area,
            "service" | "port" | "smtp" | "signing" | "resolver" | "queue" | "certs" | "list"
        ),
        // What connects the containers: nothing works behind it.
        "settings.subnet" => matches!(
            area,
            "service" | "port" | "smtp" | "signing" | "resolver" | "queue"
        ),
        "settings.wiring" => match cause.subject.rsplit(' ').next() {
            Some("PROXY_PROTOCOL" | "REAL_IP_FROM" | "REAL_IP_HEADER") => {
                matches!(area, "port" | "smtp" | "queue") || id == "certs.not_seen"
            }
            Some("SUBNET") => matches!(area, "service" | "smtp" | "signing" | "resolver" | "queue"),
            Some("PORTS" | "TLS_FLAVOR") => area == "port" || id == "certs.not_seen",
            _ => false,
        },
        "port.proxy" => {
            matches!(area, "port" | "queue") && id != "port.proxy"
                || id == "certs.not_seen"
                || area == "smtp"
        }
        "port.closed" | "port.silent" => {
            id == "certs.not_seen" && subject == cause.subject
                || cause.subject == "port 25" && area == "smtp"
        }
        "disk.full" | "disk.inodes" => {
            matches!(area, "queue" | "smtp" | "service")
                || matches!(id, "port.silent" | "port.answer" | "disk.short")
        }
        "resolver.validates" | "resolver.silent" => {
            area == "list" || area == "service" && matches!(subject, "admin" | "antispam")
        }
        "port.out25" => area == "queue",
        "certs.missing" | "certs.key" | "certs.unreadable" | "certs.interrupted" => {
            matches!(
                id,
                "certs.not_seen" | "certs.served_other" | "port.starttls"
            ) || area == "service" && subject == "front"
                || area == "port" && subject != "port 25"
        }
        _ => false,
    }
}

/// The services that cannot be well without `service`.
fn behind(service: &str) -> &'static [&'static str] {
    match service {
        "resolver" => &["admin", "antispam", "smtp", "front", "imap", "webmail"],
        "redis" => &["admin", "antispam", "front", "imap", "smtp", "webmail"],
        "admin" => &["antispam", "front", "imap", "smtp", "webmail"],
        // Admin waits for their names in requests, its own health check among them.
        "smtp" | "imap" => &["admin", "antispam", "webmail", "front"],
        "antivirus" | "oletools" => &["antispam"],
        _ => &[],
    }
}

/// Whether something is found because `service` does not do its work.
fn without(service: &str, area: &str, id: &str, subject: &str) -> bool {
    match service {
        "front" => matches!(area, "port" | "smtp" | "queue") || id == "certs.not_seen",
        "smtp" => {
            matches!(area, "smtp" | "queue")
                || area == "port" && matches!(subject, "port 25" | "port 465" | "port 587")
        }
        "imap" => {
            area == "queue"
                || area == "port"
                    && matches!(
                        subject,
                        "port 993" | "port 143" | "port 995" | "port 110" | "port 4190"
                    )
        }
        "antispam" => matches!(area, "signing" | "queue") || area == "smtp",
        "admin" | "redis" => matches!(area, "port" | "smtp" | "signing" | "queue" | "resolver"),
        "resolver" => matches!(
            area,
            "resolver" | "list" | "smtp" | "signing" | "queue" | "port"
        ),
        _ => false,
    }
}

/// Takes the effects out of `findings`, which stand in the order of checks: each with the finding that it follows from.
pub(super) fn separate(findings: &[Finding]) -> (Vec<Finding>, Vec<(Finding, Finding)>) {
    let mut roots: Vec<Finding> = Vec::new();
    let mut effects: Vec<(Finding, Finding)> = Vec::new();
    for (at, finding) in findings.iter().enumerate() {
        // Two that seem to follow from each other: the first is the cause.
        let cause = findings.iter().enumerate().find(|(other, cause)| {
            *other != at
                && cause.severity != Severity::Notice
                && follows(cause, finding)
                && (*other < at || !follows(finding, cause))
        });
        match cause {
            Some((_, cause)) => effects.push((finding.clone(), cause.clone())),
            None => roots.push(finding.clone()),
        }
    }
    // The cause of a cause is what counts.
    let of_effect = |finding: &Finding| {
        effects
            .iter()
            .find(|(effect, _)| effect == finding)
            .map(|(_, cause)| cause.clone())
    };
    let resolved = effects
        .iter()
        .map(|(effect, cause)| {
            let mut cause = cause.clone();
            for _ in 0..effects.len() {
                match of_effect(&cause) {
                    Some(further) => cause = further,
                    None => break,
                }
            }
            (effect.clone(), cause)
        })
        .collect();
    (roots, resolved)
}
