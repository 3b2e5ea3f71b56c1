//! What the outside lets through: DNS with DNSSEC, and mail.

use super::{DnsAnswer, DnsProbe, Facts, Unanswered, Verdict, listed};
use crate::config::Config;
use crate::finding::Finding;

/// Port 25 of a relay is never what is meant where none is named: Postfix takes it.
const SMTP: u16 = 25;

/// Host and port of the relay, and whether its MX records count.
pub fn relay_target(config: &Config) -> Option<(String, u16, bool)> {
    let text = config.relay.host.as_ref()?.to_string();
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().unwrap_or(SMTP)),
        _ => (text.as_str(), SMTP),
    };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    Some((bare.to_owned(), port, bare.len() == host.len()))
}

/// `192.0.2.1:53 did not answer, …`, each reason once.
fn reasons(probes: &[DnsProbe]) -> String {
    let all: Vec<String> = probes
        .iter()
        .filter_map(|probe| {
            let why = probe.answer.as_ref().err()?;
            Some(format!("{}: {why}", probe.server))
        })
        .take(3)
        .collect();
    all.join("; ")
}

pub(super) fn dnssec(config: &Config, facts: &Facts) -> Verdict {
    const ID: &str = "preflight.dnssec";
    if facts.dnssec.is_empty() {
        return Verdict::of(
            "no DNS server",
            vec![
                Finding::error(
                    ID,
                    "/etc/resolv.conf",
                    "names no DNS server that could be asked",
                )
                .hint("name one: `nameserver 9.9.9.9`, or use Mailu's: `services.resolver = true`"),
            ],
        );
    }
    let answers: Vec<&DnsAnswer> = facts
        .dnssec
        .iter()
        .filter_map(|probe| probe.answer.as_ref().ok())
        .collect();
    let admin = "Without DNSSEC, Mailu's admin does not start";
    let mut out = Vec::new();
    if config.services.resolver {
        let good = answers
            .iter()
            .any(|answer| answer.authoritative && answer.signed);
        if good {
            return Verdict::of("root servers answer with signatures", out);
        }
        let leave = "have the provider or router leave port 53 alone";
        let finding = if answers.is_empty() {
            Finding::error(
                ID,
                "services.resolver",
                format!(
                    "needs the root servers of the DNS, and none answers ({}). {admin}",
                    reasons(&facts.dnssec)
                ),
            )
            .hint("let this host reach port 53 everywhere, UDP and TCP, in its firewall and the provider's")
        } else {
            let servers = listed(
                facts
                    .dnssec
                    .iter()
                    .filter(|probe| probe.answer.is_ok())
                    .map(|probe| probe.server.ip()),
            );
            let what = if answers.iter().any(|answer| answer.authoritative) {
                "without signatures: something on the way takes them out"
            } else {
                "and not as one that knows: somebody on the way answers in its place"
            };
            Finding::error(
                ID,
                "services.resolver",
                format!("needs the root servers of the DNS; {servers} answers {what}. {admin}"),
            )
            .hint(leave)
        };
        out.push(finding.hint(format!(
            "or use a resolver of yours that validates: {}",
            config.setting(&["services.resolver=false"])
        )));
        return Verdict::of("Mailu's resolver would not work", out);
    }
    for probe in &facts.dnssec {
        let why = match &probe.answer {
            Ok(answer) if answer.authentic => continue,
            Ok(_) => {
                "does not validate: answers for example.org come without the AD flag".to_owned()
            }
            Err(why) => format!("does not answer: {why}"),
        };
        out.push(
            Finding::error(
                ID,
                format!("DNS server {}", probe.server.ip()),
                format!("{why}. {admin}"),
            )
            .hint(format!("run Mailu's resolver: {}", config.setting(&["services.resolver=true"])))
            .hint("or name servers that validate, such as 9.9.9.9, in /etc/resolv.conf; systemd-resolved and dnsmasq do not without configuration"),
        );
    }
    let servers = listed(facts.dnssec.iter().map(|probe| probe.server.ip()));
    Verdict::of(
        if out.is_empty() {
            format!("{servers} validate")
        } else {
            format!("of {servers}, {} cannot be used", out.len())
        },
        out,
    )
}

pub(super) fn outbound(config: &Config, facts: &Facts) -> Verdict {
    const ID: &str = "preflight.outbound";
    if facts.outbound.is_empty() {
        return Verdict::undone("not checked: nobody to try was named");
    }
    let relay = config.relay.host.as_ref();
    let greeted = |text: &String| text.starts_with("220");
    let reached: Vec<&str> = facts
        .outbound
        .iter()
        .filter(|probe| probe.answer.as_ref().is_ok_and(greeted))
        .map(|probe| probe.target.as_str())
        .collect();
    if let Some(first) = reached.first() {
        return Verdict::of(format!("{first} answers"), Vec::new());
    }
    let why: Vec<String> = facts
        .outbound
        .iter()
        .map(|probe| {
            let why = match &probe.answer {
                Ok(greeting) if greeting.is_empty() => "it says nothing".to_owned(),
                Ok(greeting) => format!(
                    "it answers `{}`",
                    greeting.chars().take(60).collect::<String>()
                ),
                Err(Unanswered::Unresolved(why) | Unanswered::Unreached(why)) => why.clone(),
            };
            format!("{}: {why}", probe.target)
        })
        .collect();
    let why = why.join("; ");
    let unresolved = facts
        .outbound
        .iter()
        .all(|probe| matches!(probe.answer, Err(Unanswered::Unresolved(_))));
    let finding = match relay {
        Some(relay) => Finding::warning(
            ID,
            "relay.host",
            format!("cannot be reached, so that outgoing mail would wait: {why}"),
        )
        .value(relay)
        .hint("ask its operator, and let this host reach it through its firewall"),
        None if unresolved => Finding::warning(
            ID,
            "port 25",
            format!("could not be tried: the mail servers' addresses were not found ({why})"),
        )
        .hint("`--outbound-to HOST` tries another one, `--resolver ADDRESS` asks another DNS server"),
        None => Finding::warning(
            ID,
            "port 25",
            format!("is closed on the way out, as many providers have it, so that outgoing mail would wait: {why}"),
        )
        .hint("ask the provider to open it")
        .hint(format!(
            "or send through a relay: {}, with the password by `--relay-password-file FILE`",
            config.setting(&["relay.host=[smtp.example.net]:587", "relay.user=USER"])
        )),
    };
    Verdict::of("nobody answers", vec![finding])
}
