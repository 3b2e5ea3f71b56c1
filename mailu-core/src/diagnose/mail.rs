//! What strangers may do, who is there for them, and what is signed.

use super::{Observed, Verdict};
use crate::config::Config;
use crate::finding::Finding;
use crate::start::{self, ClientSeen, Relay};

pub(super) fn relay(config: &Config, observed: &Observed) -> Verdict {
    let seen = match &observed.relay {
        None => return Verdict::undone("not tried"),
        Some(Err(why)) => return Verdict::unknown("port 25", why.clone()),
        Some(Ok(seen)) => seen,
    };
    let mut out = Vec::new();
    match start::relay(seen.reply.code, &seen.reply.text) {
        Relay::Unclear => return Verdict::unknown("port 25", seen.reply.text.clone()),
        Relay::Accepted => out.push(
            Finding::error(
                "smtp.relay",
                "port 25",
                "lets strangers send to other servers: an open relay, which is found and abused within hours",
            )
            .value(format!("{} {}", seen.reply.code, seen.reply.text))
            .hint(format!("`mailu stop {} front` closes it at once", config.options()))
            .hint("whoever is in SUBNET or RELAYNETS may send: `RELAYNETS` in mailu.env has to be empty or short, and clients must not seem to come from Docker's gateway or from Traefik"),
        ),
        Relay::Refused => {}
    }
    let hidden =
        "limits for each address count everybody as one, SPF fails, and block lists are useless";
    match seen
        .client
        .map(|client| start::client_seen(client, &seen.known))
    {
        Some(ClientSeen::Trusted(address)) => out.push(
            Finding::error(
                "smtp.client_trusted",
                "smtp",
                "takes clients from outside for a member of SUBNET, whose members may send to anybody",
            )
            .value(address)
            .hint("see that Traefik is not in this server's own network, and that Docker may use iptables"),
        ),
        Some(ClientSeen::Proxy(address)) => out.push(
            Finding::error(
                "smtp.client_hidden",
                "smtp",
                format!("takes all clients for the proxy itself: {hidden}"),
            )
            .value(address)
            .hint("Traefik has to send a PROXY header, and REAL_IP_FROM in mailu.env has to contain its address"),
        ),
        // From this host itself, connections come that way.
        Some(ClientSeen::Gateway(address)) if !seen.place.ip().is_loopback() => out.push(
            Finding::notice(
                "smtp.client_gateway",
                "smtp",
                format!("takes a client on this host for a gateway of Docker's; if that is so for other hosts' clients too, {hidden}"),
            )
            .value(address)
            .hint("`mailu logs` of smtp shows what clients it sees"),
        ),
        _ => {}
    }
    let by = seen.client.map_or(String::new(), |client| {
        format!(", and sees the client as {client}")
    });
    Verdict::of(format!("refuses to relay for strangers{by}"), out)
}

pub(super) fn recipients(config: &Config, observed: &Observed) -> Verdict {
    if observed.recipients.is_empty() {
        return Verdict::undone("not tried");
    }
    let mut verdict = Verdict::of("", Vec::new());
    let mut good = 0;
    for (address, reply) in &observed.recipients {
        match reply {
            Ok(reply) if (200..300).contains(&reply.code) => good += 1,
            Ok(reply) if reply.code >= 500 => verdict.findings.push(
                Finding::warning(
                    "smtp.postmaster",
                    address,
                    "is refused; every domain has to take mail for it (RFC 5321 §4.5.1, RFC 2142)",
                )
                .value(format!("{} {}", reply.code, reply.text))
                .hint(format!(
                    "make an alias for it in the admin interface, or: `mailu exec {} admin -- flask mailu alias {} {} {}`",
                    config.options(),
                    address.split('@').next().unwrap_or_default(),
                    address.split('@').nth(1).unwrap_or_default(),
                    config.admin_email
                )),
            ),
            Ok(reply) => verdict
                .unknown
                .push((address.clone(), format!("{} {}", reply.code, reply.text))),
            Err(why) => verdict.unknown.push((address.clone(), why.clone())),
        }
    }
    verdict.summary = Some(format!(
        "{good} of {} addresses that every domain needs are taken",
        observed.recipients.len()
    ));
    verdict
}

pub(super) fn signing(config: &Config, observed: &Observed) -> Verdict {
    if observed.signing.is_empty() {
        return Verdict::undone("not asked");
    }
    let mut verdict = Verdict::of("", Vec::new());
    let mut good = Vec::new();
    for (record, signing) in &observed.signing {
        let domain = &signing.domain;
        match &signing.key {
            Ok(text) if start::published(std::slice::from_ref(text), &signing.wanted) => {
                good.push(domain.as_str());
            }
            Ok(_) => verdict.findings.push(
                Finding::error(
                    "signing.other",
                    record,
                    "is not the key that Mailu signs with: receivers refuse what it sends",
                )
                .hint(format!("see that data/dkim/{domain}.{}.key is the only key for this domain, then `mailu restart {} admin`", config.dns.selector, config.options())),
            ),
            Err(None) => verdict.findings.push(
                Finding::error(
                    "signing.none",
                    domain,
                    format!("is not signed for: Mailu's admin hands out no DKIM key with the selector `{}`", config.dns.selector),
                )
                .hint(format!("data/dkim/{domain}.{}.key has to be readable for admin: `mailu restart {} admin` takes it over", config.dns.selector, config.options())),
            ),
            Err(Some(why)) => verdict.unknown.push((record.clone(), why.clone())),
        }
    }
    verdict.summary = Some(format!("signs for {}", good.join(", ")));
    verdict
}
