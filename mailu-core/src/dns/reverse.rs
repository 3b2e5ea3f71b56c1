//! Names of addresses (PTR records), whose zones belong to whoever gave out the address.

use std::fmt::Write as _;
use std::net::IpAddr;

use crate::config::Config;

/// The name under which an address is looked up (RFC 1035 §3.5, RFC 3596 §2.5): octets or nibbles backwards.
pub(super) fn name_of(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(address) => {
            let mut name = String::with_capacity(72);
            for octet in address.octets().iter().rev() {
                let _ = write!(name, "{:x}.{:x}.", octet & 15, octet >> 4);
            }
            name + "ip6.arpa"
        }
    }
}

/// The address that a name of [`name_of`] is for.
pub(super) fn address_of(name: &str) -> Option<IpAddr> {
    if let Some(head) = name.strip_suffix(".in-addr.arpa") {
        let mut parts: Vec<&str> = head.split('.').collect();
        parts.reverse();
        return parts
            .join(".")
            .parse::<std::net::Ipv4Addr>()
            .ok()
            .map(IpAddr::V4);
    }
    let head = name.strip_suffix(".ip6.arpa")?;
    let mut nibbles: Vec<&str> = head.split('.').collect();
    nibbles.reverse();
    let groups: Vec<String> = nibbles.chunks(4).map(<[&str]>::concat).collect();
    groups
        .join(":")
        .parse::<std::net::Ipv6Addr>()
        .ok()
        .map(IpAddr::V6)
}

/// The zone of that name: one of `dns.zones`, else the provider's, of which a /24 or /64 is taken for granted.
pub(super) fn zone_of(config: &Config, name: &str) -> String {
    let own = config
        .dns
        .zones
        .iter()
        .map(|zone| zone.as_str())
        .filter(|zone| {
            name.strip_suffix(zone)
                .is_some_and(|head| head.ends_with('.'))
        })
        .max_by_key(|zone| zone.len());
    if let Some(zone) = own {
        return zone.to_owned();
    }
    let below = if name.ends_with(".ip6.arpa") { 16 } else { 1 };
    name.splitn(below + 1, '.')
        .last()
        .unwrap_or(name)
        .to_owned()
}

/// Whether `zone` is one of addresses (RFC 1035 §3.5, RFC 3596 §2.5).
pub fn is_reverse(zone: &str) -> bool {
    zone.ends_with(".in-addr.arpa") || zone.ends_with(".ip6.arpa")
}

/// Whether `zone` is one of addresses that is not among `dns.zones`: its records are set in the provider's panel.
pub fn is_providers(config: &Config, zone: &str) -> bool {
    is_reverse(zone) && !config.dns.zones.iter().any(|own| own.as_str() == zone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_backwards() {
        let name = |text: &str| name_of(text.parse().expect("an address"));
        assert_eq!(name("192.0.2.10"), "10.2.0.192.in-addr.arpa");
        // RFC 3596 §2.5 has this one.
        assert_eq!(
            name("4321:0:1:2:3:4:567:89ab"),
            "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.0.0.0.0.1.2.3.4.ip6.arpa"
        );
    }

    #[test]
    fn the_zone_is_the_providers_unless_it_is_listed() {
        let config = |more: &str| {
            let least = "mail_host = \"mail.example.com\"\nemail_domain = \"example.com\"\nadmin_email = \"admin@example.com\"\n";
            Config::from_toml(&format!("{least}{more}"))
                .expect("valid")
                .config
        };
        let (none, some) = (config(""), config("dns.zones = [\"2.0.192.in-addr.arpa\"]"));
        let four = name_of("192.0.2.10".parse().expect("an address"));
        assert_eq!(zone_of(&none, &four), "2.0.192.in-addr.arpa");
        assert_eq!(zone_of(&some, &four), "2.0.192.in-addr.arpa");
        assert!(is_providers(&none, "2.0.192.in-addr.arpa"));
        assert!(!is_providers(&some, "2.0.192.in-addr.arpa"));
        let six = name_of("2001:db8:1:2::25".parse().expect("an address"));
        assert_eq!(
            zone_of(&none, &six),
            "2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"
        );
        assert!(!is_providers(&none, "example.com"));
    }
}
