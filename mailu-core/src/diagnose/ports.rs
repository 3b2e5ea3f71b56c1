//! What ports answer.

use super::{Observed, PortSeen, Unsaid, Verdict};
use crate::config::{Config, MailPort, TlsMode, Via};
use crate::finding::Finding;

/// Whether clients reach it through Traefik.
fn through_traefik(config: &Config, port: u16) -> bool {
    config.tls.mode.behind_traefik() && (port == 443 || config.via() == Via::Traefik)
}

/// Whether front takes connections at it only behind a PROXY header.
fn wants_header(config: &Config, port: u16) -> bool {
    config.via() == Via::Traefik && port != 443
        || config.tls.mode == TlsMode::Passthrough && port == 443
}

pub(super) fn judge(config: &Config, observed: &Observed) -> Verdict {
    if observed.ports.is_empty() {
        return Verdict::undone("not tried");
    }
    let mut out = Vec::new();
    for seen in &observed.ports {
        match &seen.said {
            Ok(_) => answered(config, seen, &mut out),
            Err(unsaid) => out.push(silent(config, seen, unsaid)),
        }
    }
    let all: Vec<String> = observed
        .ports
        .iter()
        .filter(|seen| seen.said.is_ok())
        .map(|seen| seen.port.to_string())
        .collect();
    Verdict::of(format!("{} answer from this host", all.join(", ")), out)
}

fn silent(config: &Config, seen: &PortSeen, unsaid: &Unsaid) -> Finding {
    let port = seen.port;
    let subject = format!("port {port}");
    let front = format!("`mailu logs {} --tail 50 front`", config.options());
    let by_traefik = through_traefik(config, port);
    let Some(place) = seen.place else {
        let finding = Finding::error(
            "port.closed",
            subject,
            if by_traefik {
                format!("leads nowhere: Traefik publishes no entry point for port {port}")
            } else {
                format!("leads nowhere: front does not publish port {port}")
            },
        );
        return if by_traefik {
            finding.hint(entry_point(config, port))
        } else {
            finding.hint(format!(
                "`mailu apply {}` makes front anew with its ports",
                config.options()
            ))
        };
    };
    match unsaid {
        Unsaid::Unreached(why) => {
            let finding = Finding::error(
                "port.closed",
                subject,
                format!("is not reached at {place}, not even from this host: {why}"),
            );
            if by_traefik {
                finding
                    .hint(entry_point(config, port))
                    .hint("see that no rule of this host's firewall keeps it: `iptables -L -n -v`, `nft list ruleset`")
            } else {
                finding
                    .hint(format!("see that no rule of this host's firewall keeps it (`iptables -L -n -v`, `nft list ruleset`), and that front publishes it: `docker port {}_front`", config.project_name()))
                    .hint(format!("{front} shows whether it came up"))
            }
        }
        Unsaid::Silent(why) => {
            let finding = Finding::error(
                "port.silent",
                subject,
                format!("takes connections at {place}, and does not greet: {why}"),
            );
            if wants_header(config, port) {
                finding
                    .hint("front waits there for the PROXY header that Traefik has to send: see that front's labels are ours, and that Traefik's log takes no offence at them")
                    .hint(format!("`mailu plan {}` shows what is otherwise than it should be", config.options()))
            } else {
                finding
                    .hint(format!("{front} says why"))
                    .hint("whoever expects a PROXY header where nobody sends one is as silent: `PROXY_PROTOCOL` in mailu.env belongs to ports behind Traefik")
            }
        }
    }
}

fn entry_point(config: &Config, port: u16) -> String {
    let points = &config.traefik.entrypoints;
    let name = match MailPort::ALL.iter().find(|mail| mail.number() == port) {
        Some(mail) => points.for_port(*mail).to_string(),
        None if port == 443 => points.websecure.to_string(),
        None => points.web.to_string(),
    };
    format!(
        "Traefik needs the entry point `--entrypoints.{name}.address=:{port}`, with port {port} published, in the network {}; `mailu check {}` looks at it",
        config.traefik.network,
        config.options()
    )
}

/// Whether a log-in is offered among what an SMTP server said to EHLO.
fn offers_login(extensions: &[String]) -> bool {
    extensions
        .iter()
        .any(|one| one == "AUTH" || one.starts_with("AUTH ") || one.starts_with("AUTH="))
}

fn answered(config: &Config, seen: &PortSeen, out: &mut Vec<Finding>) {
    let Ok(said) = &seen.said else { return };
    let subject = format!("port {}", seen.port);
    let host = config.mail_host.as_str();
    let logs = format!("`mailu logs {} --tail 50 front`", config.options());
    let starts = match seen.port {
        25 | 465 | 587 => "220",
        143 | 993 => "* OK",
        110 | 995 => "+OK",
        443 => "200",
        _ => "",
    };
    if !said.banner.starts_with(starts) {
        out.push(
            Finding::error(
                "port.answer",
                &subject,
                "answers, but not as it should",
            )
            .value(&said.banner)
            .hint(format!("{logs} says why"))
            .hint(if seen.port == 443 {
                format!("another router of Traefik's may have taken {host}: its dashboard shows all of them")
            } else {
                "see that it is this server that answers, and no other program or firewall in between".to_owned()
            }),
        );
        return;
    }
    if seen.port == 25 {
        let named = said.banner.split_whitespace().nth(1).unwrap_or_default();
        if !named.eq_ignore_ascii_case(host) {
            out.push(
                Finding::error(
                    "smtp.banner",
                    &subject,
                    format!("greets by another name than {host}, which other servers compare with the address's reverse name"),
                )
                .value(named)
                .hint(format!("`HOSTNAMES` in mailu.env has to begin with {host}: `mailu apply {}` after that", config.options())),
            );
        }
    }
    let encrypts = config.tls.mode != TlsMode::None;
    if matches!(seen.port, 25 | 587) && encrypts {
        match &said.encrypted {
            None => out.push(
                Finding::error(
                    "smtp.starttls",
                    &subject,
                    "does not offer STARTTLS: mail is sent in the clear, and senders that insist on TLS give up",
                )
                .hint(format!("front offers it once it has a certificate: `mailu certs {}`", config.options()))
                .hint(format!("`mailu restart {} front` reads it anew", config.options())),
            ),
            Some(Err(why)) => out.push(
                Finding::error(
                    "smtp.starttls",
                    &subject,
                    format!("offers STARTTLS, and TLS does not come about: {why}"),
                )
                .hint(format!("`mailu certs {}` shows whether key and certificate belong together", config.options())),
            ),
            Some(Ok(_)) => {}
        }
    }
    let after: &[String] = match &said.encrypted {
        Some(Ok(after)) => after,
        _ => &[],
    };
    if seen.port == 25 && (offers_login(&said.plain) || offers_login(after)) {
        out.push(
            Finding::error(
                "smtp.auth25",
                &subject,
                "offers a log-in where only other servers should come: passwords are tried there around the limits",
            )
            .hint("take what offers it out of overrides/nginx and overrides/postfix.cf, and restart front and smtp"),
        );
    }
    let in_the_clear = match seen.port {
        587 => offers_login(&said.plain),
        143 => encrypts && !said.plain.iter().any(|one| one == "LOGINDISABLED"),
        110 => {
            encrypts
                && said
                    .plain
                    .iter()
                    .any(|one| one == "USER" || one.starts_with("SASL "))
        }
        _ => false,
    };
    if in_the_clear && encrypts {
        out.push(
            Finding::error(
                "port.plain_login",
                &subject,
                "lets people log in before the connection is encrypted: their passwords can be read on the way",
            )
            .hint("take what allows it out of overrides/dovecot, and restart front"),
        );
    }
}
