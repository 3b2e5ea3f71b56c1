//! MTA-STS policies as they are served (RFC 8461 §3.2), compared with the one that is configured and with the domain's mail servers.

use super::world::World;
use super::{Fetched, names};
use crate::finding::Finding;

/// Less than a day, and senders forget the policy between two messages (as mox and others warn).
const SHORTEST: u64 = 86_400;
/// RFC 8461 §3.2.
const LONGEST: u64 = 31_557_600;

/// A policy.
#[derive(Debug, PartialEq, Eq)]
struct Policy {
    mode: String,
    hosts: Vec<String>,
    max_age: u64,
}

fn parse(text: &str) -> Result<Policy, String> {
    let mut version = None;
    let (mut mode, mut max_age) = (None, None);
    let mut hosts = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let Some((key, value)) = line.split_once(':') else {
            return Err(format!("has a line without a colon: `{}`", line.trim()));
        };
        let (key, value) = (key.trim(), value.trim());
        let slot = match key {
            "version" => &mut version,
            "mode" => &mut mode,
            "max_age" => &mut max_age,
            "mx" => {
                hosts.push(value.trim_end_matches('.').to_ascii_lowercase());
                continue;
            }
            _ => continue,
        };
        // The first one counts (§3.2).
        slot.get_or_insert(value);
    }
    if version != Some("STSv1") {
        return Err("does not say `version: STSv1`".to_owned());
    }
    let mode = match mode {
        Some(mode @ ("none" | "testing" | "enforce")) => mode.to_owned(),
        Some(other) => {
            return Err(format!(
                "says `mode: {other}`, where none, testing and enforce have a meaning"
            ));
        }
        None => return Err("has no `mode`".to_owned()),
    };
    let max_age = max_age
        .filter(|text| text.bytes().all(|b| b.is_ascii_digit()))
        .and_then(|text| text.parse().ok())
        .ok_or("has no `max_age` in seconds")?;
    if hosts.is_empty() && mode != "none" {
        return Err("names no mail server (`mx`)".to_owned());
    }
    Ok(Policy {
        mode,
        hosts,
        max_age,
    })
}

/// Whether `pattern` is for `host`: `*` stands for one label (RFC 8461 §4.1).
fn covers(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix("*.") {
        Some(rest) => host.split_once('.').is_some_and(|(_, tail)| tail == rest),
        None => pattern == host,
    }
}

/// What is published beside the policy.
pub(super) struct Published<'a> {
    /// The email domain.
    pub(super) domain: &'a str,
    /// The identifier in the TXT record.
    pub(super) id: Option<&'a str>,
    /// The identifier that it should be.
    pub(super) wanted: &'a str,
    /// Whether the domain's MX records are right, so that the policy can be held against them.
    pub(super) servers: bool,
}

/// What is wrong with the served policy of a domain.
pub(super) enum Verdict {
    /// Nothing, and the policy says what is configured.
    Same,
    /// That, and nothing else needs to be said of the TXT record.
    Found(Finding),
    /// Nobody knows. Why, if it was tried.
    Unknown(Option<Finding>),
}

/// Judges the policy that is served for a domain; `ours` is the configured one.
pub(super) fn judge(world: &World<'_>, published: &Published<'_>, ours: &str) -> Verdict {
    let domain = published.domain;
    let subject = format!("mta-sts.{domain}");
    let place = format!("https://{subject}/.well-known/mta-sts.txt");
    let error = |id: &str, message: String| Finding::error(id, &subject, message);
    let text = match world.policy(domain) {
        None => return Verdict::Unknown(None),
        Some(Fetched::Unknown(why)) => {
            return Verdict::Unknown(Some(
                Finding::warning(
                    "sts.policy",
                    &subject,
                    format!("could not be looked at from here: {why}"),
                )
                .hint(format!("open {place} elsewhere: it must show the policy")),
            ));
        }
        Some(Fetched::Refused(why)) => {
            return Verdict::Found(
                error("sts.policy", format!("serves no policy that a sender takes: {why}"))
                    .hint(format!("see that {place} answers with status 200, text/plain and a certificate for {subject}: it leads to this server, whose front serves the policy (`mailu status` shows whether it runs, `mailu certs status` for which names it has certificates); or remove the TXT record _mta-sts.{domain} until it does")),
            );
        }
        Some(Fetched::Text(text)) => text,
    };
    let apply = "`mailu apply` writes the policy that is configured; then restart front";
    let there = match parse(text) {
        Ok(there) => there,
        Err(why) => {
            return Verdict::Found(
                error("sts.policy", format!("serves a policy that {why}"))
                    .value(first_line(text))
                    .hint(apply),
            );
        }
    };
    if there.max_age > LONGEST {
        return Verdict::Found(
            error(
                "sts.age",
                format!(
                    "serves a policy for {} seconds, where {LONGEST} are allowed (RFC 8461 §3.2)",
                    there.max_age
                ),
            )
            .value(there.max_age)
            .hint("`mailu config set mta_sts.max_age 604800`, then `mailu apply`"),
        );
    }
    if there.mode != "none"
        && published.servers
        && let Some(missed) = servers(world, domain)
            .into_iter()
            .find(|host| !there.hosts.iter().any(|one| covers(one, host)))
    {
        let message = if there.mode == "enforce" {
            format!(
                "serves a policy that does not name the mail server {missed}: senders refuse to deliver there"
            )
        } else {
            format!(
                "serves a policy that does not name the mail server {missed}: senders report it, and will refuse to deliver there once the mode is `enforce`"
            )
        };
        return Verdict::Found(
            error("sts.cover", message)
                .value(there.hosts.join(", "))
                .hint(format!("add the line `mx: {missed}` to the policy ({apply}), or remove that MX record of {domain}")),
        );
    }
    let same = parse(ours).is_ok_and(|mut ours| {
        let mut there = there.hosts.clone();
        there.sort();
        ours.hosts.sort();
        ours.hosts == there
    }) && parse(ours)
        .is_ok_and(|ours| ours.mode == there.mode && ours.max_age == there.max_age);
    if !same {
        let message = if published.id == Some(published.wanted) {
            "serves another policy than the one that is configured, while the TXT record has its id already: senders keep what they have fetched"
        } else {
            "serves another policy than the one that is configured"
        };
        return Verdict::Found(
            error("sts.policy", message.to_owned())
                .value(text.lines().map(str::trim).collect::<Vec<_>>().join(" "))
                .hint(format!(
                    "{apply}; it has to say: {}",
                    ours.trim().replace('\n', ", ")
                )),
        );
    }
    if there.max_age < SHORTEST {
        return Verdict::Found(
            Finding::warning("sts.age", &subject, format!("serves a policy for {} seconds: senders forget it between two messages, and it protects nothing", there.max_age))
                .value(there.max_age)
                .hint("`mailu config set mta_sts.max_age 604800`, then `mailu apply`"),
        );
    }
    Verdict::Same
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// The published mail servers of a domain.
fn servers(world: &World<'_>, domain: &str) -> Vec<String> {
    let reply = world.ask(domain, "MX");
    let all = reply.map(names::plain).unwrap_or_default();
    all.into_iter()
        .map(|text| names::exchange(text).trim_end_matches('.').to_owned())
        .filter(|host| !host.is_empty())
        .collect()
}

/// Whether an identifier is one (RFC 8461 §3.1).
pub(super) fn is_id(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_read_as_rfc_8461_says() {
        let text = "version: STSv1\r\nmode: enforce\r\nmx: Mail.example.com\r\nmx: *.example.net\r\nmax_age: 604800\r\nnew: x\r\n";
        let policy = parse(text).expect("a policy");
        assert_eq!(policy.hosts, ["mail.example.com", "*.example.net"]);
        for wrong in [
            "mode: enforce\nmx: a.example\nmax_age: 1",
            "version: STSv2\nmode: enforce\nmx: a.example\nmax_age: 1",
            "version: STSv1\nmode: on\nmx: a.example\nmax_age: 1",
            "version: STSv1\nmode: enforce\nmax_age: 1",
            "version: STSv1\nmode: enforce\nmx: a.example\nmax_age: +1",
            "version: STSv1\nmode: enforce\nmx: a.example",
            "<html>",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        assert!(parse("version: STSv1\nmode: none\nmax_age: 1").is_ok());
        assert!(covers("*.example.net", "a.example.net"));
        assert!(!covers("*.example.net", "example.net"));
        assert!(!covers("*.example.net", "a.b.example.net"));
        assert!(
            is_id("20261122T1015") && !is_id("2026-11-22") && !is_id("") && !is_id(&"a".repeat(33))
        );
    }
}
