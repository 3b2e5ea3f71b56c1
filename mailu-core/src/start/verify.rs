//! What a running server has to show.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::Value;

use crate::dkim;
use crate::secret::Secret;

/// What a stranger's attempt to send to another server met with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Relay {
    /// It was refused, because this is not a relay.
    Refused,
    /// It was accepted: an open relay.
    Accepted,
    /// It was refused for another reason, so that nothing is known.
    Unclear,
}

/// Judges the answer to the recipient.
pub fn relay(code: u16, text: &str) -> Relay {
    let lower = text.to_ascii_lowercase();
    match code {
        200..=299 => Relay::Accepted,
        500..=599
            if lower.contains("relay") || lower.contains("5.7.1") || lower.contains("5.7.0") =>
        {
            Relay::Refused
        }
        _ => Relay::Unclear,
    }
}

/// Whether an answer to the recipient leaves open what a relay would do because a look-up failed: where strangers may relay, Postfix
/// goes on to look the recipient up, and Mailu's admin fails on a domain literal. Where admin is away, the answer is the same.
pub fn relay_undecided(code: u16, text: &str) -> bool {
    (400..=499).contains(&code) && text.to_ascii_lowercase().contains("lookup failure")
}

/// The client's address in the line of Postfix's log about the attempt that is marked by `token`.
pub fn client_in(line: &str, token: &str) -> Option<IpAddr> {
    if !line.contains(token) {
        return None;
    }
    let after = line
        .split_once(" RCPT from ")
        .map(|(_, rest)| rest)
        .or_else(|| line.split_once("client=").map(|(_, rest)| rest))?;
    let (_, rest) = after.split_once('[')?;
    let (address, _) = rest.split_once(']')?;
    address.parse().ok()
}

/// As whom Postfix saw a client that came from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientSeen {
    /// As a member of the network whose members may relay.
    Trusted(IpAddr),
    /// As Traefik or front, so that all clients look the same.
    Proxy(IpAddr),
    /// As a gateway of Docker's: connections from this host itself come that way.
    Gateway(IpAddr),
    /// As itself.
    Itself(IpAddr),
}

/// What of the engine's addresses matters for [`client_seen`].
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Seen {
    /// Networks whose members may relay.
    pub trusted: Vec<IpNet>,
    /// Addresses of Traefik and of front.
    pub proxies: Vec<IpAddr>,
    /// Gateways of Docker networks.
    pub gateways: Vec<IpAddr>,
}

/// Judges the address that Postfix logged.
pub fn client_seen(address: IpAddr, seen: &Seen) -> ClientSeen {
    if seen.trusted.iter().any(|net| net.contains(&address)) {
        ClientSeen::Trusted(address)
    } else if seen.proxies.contains(&address) {
        ClientSeen::Proxy(address)
    } else if seen.gateways.contains(&address) {
        ClientSeen::Gateway(address)
    } else {
        ClientSeen::Itself(address)
    }
}

/// The DNS text of the key with `selector` that Rspamd gets from Mailu's vault for signing, from the vault's JSON.
pub fn dkim_text(vault: &Secret, domain: &str, selector: &str) -> Option<String> {
    let value: Value = serde_json::from_str(vault.expose()).ok()?;
    let keys = value.get("data")?.get("selectors")?.as_array()?;
    let pem = keys
        .iter()
        .find(|key| key.get("selector").and_then(Value::as_str) == Some(selector))?
        .get("key")?
        .as_str()?;
    dkim::public_text(pem, &domain).ok()
}

/// The status in what `dig` printed: `NOERROR`, `NXDOMAIN`, `SERVFAIL`.
pub fn dig_status(said: &str) -> Option<&str> {
    said.split_once("status: ")?.1.split(',').next()
}

/// The texts among the TXT records that `dig` printed.
pub fn txt_answers(said: &str) -> Vec<String> {
    said.lines()
        .filter(|line| !line.starts_with(';'))
        .filter_map(|line| {
            let (_, data) = line
                .split_once("\tTXT\t")
                .or_else(|| line.split_once(" TXT "))?;
            // "one" "two" is one text.
            let mut text = String::new();
            let mut inside = false;
            let mut chars = data.chars();
            while let Some(c) = chars.next() {
                match c {
                    '"' => inside = !inside,
                    '\\' if inside => text.extend(chars.next()),
                    c if inside => text.push(c),
                    _ => {}
                }
            }
            Some(text)
        })
        .collect()
}

/// Whether one of `answers` publishes the key of the DNS text `wanted`.
pub fn published(answers: &[String], wanted: &str) -> bool {
    let key = |text: &str| {
        text.split(';')
            .find_map(|tag| tag.trim().strip_prefix("p=").map(str::to_owned))
            .map(|key| key.split_whitespace().collect::<String>())
    };
    let wanted = key(wanted);
    wanted.is_some() && answers.iter().any(|answer| key(answer) == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_refusal_to_relay_counts_as_one() {
        assert_eq!(
            relay(554, "5.7.1 <a@b>: Relay access denied"),
            Relay::Refused
        );
        assert_eq!(relay(250, "2.1.5 Ok"), Relay::Accepted);
        assert_eq!(relay(450, "4.1.8 Domain not found"), Relay::Unclear);
        assert_eq!(relay(550, "5.1.1 User unknown"), Relay::Unclear);
    }

    #[test]
    fn a_failed_look_up_leaves_relaying_undecided() {
        let failed = "4.3.0 <x@[192.0.2.1]>: Temporary lookup failure";
        assert_eq!(relay(451, failed), Relay::Unclear);
        assert!(relay_undecided(451, failed));
        assert!(relay_undecided(450, "4.1.1 Address lookup failure"));
        for (code, text) in [
            (250, "2.1.5 Ok"),
            (
                450,
                "4.1.2 <x@localhost>: Recipient address rejected: Domain not found",
            ),
            (421, "4.3.2 No system resources"),
            (554, "5.7.1 <x@[192.0.2.1]>: Relay access denied"),
        ] {
            assert!(!relay_undecided(code, text), "{code} {text}");
        }
    }

    #[test]
    fn postfix_log_tells_the_client() {
        let line = "Nov 22 10:00:00 mail postfix/smtpd[99]: NOQUEUE: reject: RCPT from unknown[203.0.113.9]: 554 5.7.1 <x@[192.0.2.1]>: Relay access denied; from=<> to=<x@[192.0.2.1]> proto=ESMTP helo=<probe-abc.invalid>";
        let address: IpAddr = "203.0.113.9".parse().expect("an address");
        assert_eq!(client_in(line, "probe-abc"), Some(address));
        assert_eq!(client_in(line, "probe-other"), None);
        let seen = Seen {
            trusted: vec!["10.203.0.0/25".parse().expect("a network")],
            proxies: vec!["10.203.255.70".parse().expect("an address")],
            gateways: vec!["172.17.0.1".parse().expect("an address")],
        };
        let judged = |text: &str| client_seen(text.parse().expect("an address"), &seen);
        assert!(matches!(judged("10.203.0.1"), ClientSeen::Trusted(_)));
        assert!(matches!(judged("10.203.255.70"), ClientSeen::Proxy(_)));
        assert!(matches!(judged("172.17.0.1"), ClientSeen::Gateway(_)));
        assert!(matches!(judged("203.0.113.9"), ClientSeen::Itself(_)));
    }

    #[test]
    fn published_keys_are_compared_by_what_they_are() {
        let dig = ";; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: 7\n\n;; ANSWER SECTION:\ndkim._domainkey.example.com. 300 IN\tTXT\t\"v=DKIM1; k=rsa; p=AAAA\" \"BBBB\"\n";
        assert_eq!(dig_status(dig), Some("NOERROR"));
        let answers = txt_answers(dig);
        assert_eq!(answers, ["v=DKIM1; k=rsa; p=AAAABBBB"]);
        assert!(published(&answers, "v=DKIM1; k=rsa; p=AAAABBBB"));
        assert!(!published(&answers, "v=DKIM1; k=rsa; p=CCCC"));
        assert!(!published(&answers, "no key"));
        assert_eq!(dig_status("no servers could be reached"), None);
    }

    #[test]
    fn the_vault_is_understood() {
        let pem = include_str!("../../../tests/fixtures/dkim.pem");
        let vault = Secret::new(
            serde_json::json!({"data": {"selectors": [{"domain": "example.com", "key": pem, "selector": "dkim"}]}})
                .to_string(),
        );
        let text = dkim_text(&vault, "example.com", "dkim").expect("a key");
        assert!(text.starts_with("v=DKIM1; k=rsa; p="));
        assert_eq!(dkim_text(&vault, "example.com", "other"), None);
    }
}
