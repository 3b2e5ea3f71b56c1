//! Rules between the keys of `mailu.toml`: combinations that Mailu, Traefik or Docker would accept and that then lose
//! mail, relay for strangers or never start.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};

use super::front::Front;
use super::units::{Bytes, Version};
use super::{Config, DEFAULT_PROXY_NETWORK, DmarcPolicy, MailPort, MtaStsMode, TlsMode, Via};
use crate::env::table;
use crate::finding::Finding;
use crate::network;

type Rules = fn(&Config, &mut Vec<Finding>);

/// Groups of rules, each with the keys that it looks at.
const GROUPS: &[(Rules, &[&str])] = &[
    (
        names,
        &[
            "mail_host",
            "hostnames",
            "email_domain",
            "email_domains",
            "admin_email",
            "postmaster",
            "tls.mode",
        ],
    ),
    (tls, &["tls"]),
    (traefik, &["tls.mode", "traefik", "ports"]),
    (ports, &["tls.mode", "ports", "network.ipv6"]),
    (services, &["services", "mail", "version"]),
    (delimiters, &["mail.recipient_delimiter", "admin_email"]),
    (web, &["web", "services"]),
    (limits, &["limits"]),
    (relay, &["relay", "dns.spf", "traefik", "tls.mode"]),
    (dns, &["dns", "dmarc", "network.ipv6", "ports"]),
    (
        other_names,
        &[
            "dns",
            "mail_host",
            "hostnames",
            "email_domain",
            "email_domains",
        ],
    ),
    (
        verified_tls,
        &["mta_sts", "tls_rpt", "tls", "traefik.acme_store"],
    ),
    (logo, &["bimi", "dmarc"]),
    (
        networks,
        &[
            "network",
            "traefik",
            "tls.mode",
            "ports.via",
            "ports.address6",
        ],
    ),
    (
        access_first,
        &[
            "project",
            "client",
            "traefik.network",
            "tls.mode",
            "ports.via",
        ],
    ),
    (extra_variables, &["version"]),
    (
        authentication,
        &["env", "version", "traefik", "tls.mode", "network"],
    ),
];

/// Adds a finding for each rule that `config` breaks.
///
/// Where a key could not be read, `config` holds its default; rules that look at such a key would complain about a value
/// that nobody wrote, so they wait.
pub(crate) fn rules(config: &Config, out: &mut Vec<Finding>) {
    let unread: Vec<String> = super::errors(out)
        .map(|finding| finding.subject.clone())
        .collect();
    let touches = |key: &str| {
        unread.iter().any(|subject| {
            let below = |whole: &str, part: &str| {
                whole
                    .strip_prefix(part)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
            };
            below(subject, key) || below(key, subject)
        })
    };
    for (check, keys) in GROUPS {
        if !keys.iter().any(|key| touches(key)) {
            check(config, out);
        }
    }
}

fn names(config: &Config, out: &mut Vec<Finding>) {
    let mut seen = BTreeSet::new();
    for (index, name) in config.public_names().enumerate() {
        if !seen.insert(name) {
            out.push(
                Finding::error(
                    "names.repeated",
                    format!("hostnames[{}]", index.saturating_sub(1)),
                    "must not repeat a name: each name is listed once, and `mail_host` is one of them already",
                )
                .value(name)
                .hint("remove it from `hostnames`"),
            );
        }
    }
    let mut seen = BTreeSet::new();
    for (index, domain) in config.domains().enumerate() {
        if !seen.insert(domain) {
            out.push(
                Finding::error(
                    "names.repeated",
                    format!("email_domains[{}]", index.saturating_sub(1)),
                    "must not repeat a domain: `email_domain` is one of them already",
                )
                .value(domain)
                .hint("remove it from `email_domains`"),
            );
        }
    }
    if !config.domains().any(|d| d == config.admin_email.domain()) {
        out.push(
            Finding::error(
                "names.admin_elsewhere",
                "admin_email",
                format!(
                    "must be an address in an email domain of this deployment: Mailu would make `{}` a local domain, and mail from here to it would never leave",
                    config.admin_email.domain()
                ),
            )
            .value(&config.admin_email)
            .hint(format!(
                "use `{}@{}`; mail to it can be forwarded later",
                config.admin_email.local(),
                config.email_domain
            ))
            .hint(format!("or add `{}` to `email_domains` if this server receives its mail", config.admin_email.domain())),
        );
    }
    let elsewhere = *config.admin_email.domain() != config.email_domain;
    if config.postmaster.is_none()
        && elsewhere
        && config.domains().any(|d| d == config.admin_email.domain())
    {
        let address = format!("{}@{}", config.postmaster(), config.email_domain);
        out.push(
            Finding::notice(
                "names.postmaster",
                "postmaster",
                format!("mail to {address} is refused until there is an account or alias of that name, and RFC 5321 (4.5.1) demands that it is taken: the first administrator has an address in another domain"),
            )
            .hint(format!("make the alias {address} to {} in the admin interface", config.admin_email))
.hint("once it is there, `postmaster = \"postmaster\"` in mailu.toml ends this notice"),
        );
    }
    let public = config.public_names().count() + config.further_names().len();
    if config.tls.mode.own_acme() && public > 100 {
        out.push(
            Finding::error(
                "names.too_many",
                "hostnames",
                "must be at most 100 names together with those for automatic setup and MTA-STS: Let's Encrypt puts no more into one certificate",
            )
            .value(public)
            .hint("set `dns.autoconfig = false`, or use mode `traefik`, where each domain gets a certificate of its own"),
        );
    }
    if matches!(
        config.tls.mode,
        TlsMode::Traefik | TlsMode::Passthrough | TlsMode::Letsencrypt
    ) {
        for name in config
            .public_names()
            .filter(|name| table::is_private_name(name))
        {
            out.push(
                Finding::warning(
                    "names.private",
                    if *name == config.mail_host { "mail_host" } else { "hostnames" },
                    "is below a reserved name (RFC 6761, RFC 2606): no public certificate authority issues for it",
                )
                .value(name)
                .hint("use a name in a domain that you own, or an ACME server of your own"),
            );
        }
    }
}

fn tls(config: &Config, out: &mut Vec<Finding>) {
    let tls = &config.tls;
    if tls.mode == TlsMode::Cert {
        if tls.certificate.is_some() != tls.key.is_some() {
            let (there, missing) = if tls.key.is_none() {
                ("tls.certificate", "tls.key")
            } else {
                ("tls.key", "tls.certificate")
            };
            out.push(
                Finding::error(
                    "tls.half_pair",
                    missing,
                    format!("is missing: `{there}` is set, and one is of no use without the other"),
                )
                .hint(format!("set `{missing}` to the path of the other file")),
            );
        } else if tls.certificate.is_none() {
            out.push(
                Finding::warning(
                    "tls.no_files",
                    "tls.certificate",
                    "is not set: the server starts with a self-signed certificate, which other servers and mail programs do not accept",
                )
                .hint("set `tls.certificate` and `tls.key`, or copy the files to data/certs/cert.pem and key.pem"),
            );
        }
    } else if tls.certificate.is_some() || tls.key.is_some() {
        out.push(
            Finding::error(
                "tls.unused_files",
                if tls.certificate.is_some() { "tls.certificate" } else { "tls.key" },
                format!("is only read in mode `cert`; in mode `{}` the certificate comes from elsewhere", tls.mode),
            )
            .hint("set `tls.mode = \"cert\"`, or remove `tls.certificate` and `tls.key`"),
        );
    }
    if tls.mode == TlsMode::None {
        out.push(
            Finding::warning(
                "tls.none",
                "tls.mode",
                "sends passwords and mail in clear text. For tests only",
            )
            .value("none")
            .hint("use `traefik`, `passthrough`, `letsencrypt` or `cert`"),
        );
    }
}

fn traefik(config: &Config, out: &mut Vec<Finding>) {
    if !config.tls.mode.behind_traefik() {
        return;
    }
    let traefik = &config.traefik;
    let own = traefik.network.as_str() == DEFAULT_PROXY_NETWORK;
    if !own && traefik.trusted.is_empty() {
        out.push(
            Finding::error(
                "traefik.trusted_missing",
                "traefik.trusted",
                format!(
                    "is needed with a network of your own: front believes what these addresses say about clients, and in `{}` that must be Traefik alone, or every container in it can relay",
                    traefik.network
                ),
            )
            .hint(format!(
                "set it to Traefik's address there, such as `traefik.trusted = [\"172.20.0.5/32\"]`: `docker network inspect {}` shows it",
                traefik.network
            ))
            .hint(format!("or leave `traefik.network` at `{DEFAULT_PROXY_NETWORK}`, which only Traefik and the fronts join")),
        );
    }
    for (index, cidr) in traefik.trusted.iter().enumerate() {
        let subject = format!("traefik.trusted[{index}]");
        let one = cidr.0.max_prefix_len();
        // Nothing but Traefik and the fronts joins the default network; any other may have anybody in it.
        let limit = match (own, cidr.0) {
            (true, IpNet::V4(_)) => 16,
            (true, IpNet::V6(_)) => 48,
            (false, _) => one - 4,
        };
        let hint = "write Traefik's address, such as `172.20.0.5/32`";
        if cidr.0.prefix_len() < limit {
            out.push(
                Finding::error(
                    "traefik.trusted_wide",
                    subject,
                    format!("must be Traefik's address, or a network of at most /{limit} around it: whoever is in it can pretend to be any client, and relay"),
                )
                .value(cidr)
                .hint(hint),
            );
        } else if !own && cidr.0.prefix_len() < one {
            out.push(
                Finding::warning(
                    "traefik.trusted_several",
                    subject,
                    format!("is more than one address: every container in it can pretend to be any client, and relay. In `{}` it must be Traefik alone", traefik.network),
                )
                .value(cidr)
                .hint(hint),
            );
        }
    }
    if !own && traefik.subnet.is_some() != traefik.address.is_some() {
        out.push(
            Finding::error(
                "traefik.half_address",
                if traefik.subnet.is_some() { "traefik.address" } else { "traefik.subnet" },
                "must be set together with the other for a network of your own: front gets a fixed address only inside a known subnet",
            )
            .hint("set both `traefik.subnet` and `traefik.address`, or neither"),
        );
    }
    if let (Some(subnet), Some(address)) = (traefik.subnet, traefik.address) {
        if !subnet.contains(&address) || network::is_edge(subnet, address) {
            out.push(
                Finding::error(
                    "traefik.address_outside",
                    "traefik.address",
                    format!("must be a host address inside `traefik.subnet` ({subnet}), and not its first, which is Docker's gateway"),
                )
                .value(address)
                .hint("remove `traefik.address` to have one drawn"),
            );
        }
        let trusted = network::trusted(config);
        if trusted.iter().any(|net| net.contains(&IpAddr::V4(address))) {
            out.push(
                Finding::error(
                    "traefik.trusts_itself",
                    "traefik.address",
                    "must lie outside what front trusts: another front on the same network could then pretend to be Traefik",
                )
                .value(address)
                .hint("remove `traefik.address` to have one drawn from the upper half of `traefik.subnet`"),
            );
        }
    }
    let mut seen: Vec<(&str, &str)> = Vec::new();
    let points = &traefik.entrypoints;
    let mut used = vec![
        ("web", points.web.as_str()),
        ("websecure", points.websecure.as_str()),
    ];
    if config.via() == Via::Traefik {
        used.extend(
            config
                .open_ports()
                .into_iter()
                .map(|port| (port.name(), points.for_port(port).as_str())),
        );
    }
    for (key, name) in used {
        if let Some((other, _)) = seen.iter().find(|(_, known)| *known == name) {
            out.push(
                Finding::error(
                    "traefik.entrypoint_twice",
                    format!("traefik.entrypoints.{key}"),
                    format!("must differ from `traefik.entrypoints.{other}`: one entry point is one port, and a protocol in which the server speaks first cannot share it"),
                )
                .value(name)
                .hint(format!("name the entry point that listens for {key}")),
            );
        }
        seen.push((key, name));
    }
}

fn ports(config: &Config, out: &mut Vec<Finding>) {
    let ports = &config.ports;
    let mut seen = BTreeSet::new();
    for (index, port) in ports.mail.iter().enumerate() {
        if !seen.insert(port) {
            out.push(
                Finding::error(
                    "ports.repeated",
                    format!("ports.mail[{index}]"),
                    "must not repeat a port",
                )
                .value(port.number())
                .hint("list each port once"),
            );
        }
    }
    if !ports.mail.contains(&MailPort::Smtp) {
        out.push(
            Finding::warning(
                "ports.no_smtp",
                "ports.mail",
                "is without port 25: no other server can deliver mail here",
            )
            .hint("add 25, unless mail reaches this server through another one"),
        );
    }
    for port in [MailPort::Submissions, MailPort::Imaps] {
        if config.tls.mode != TlsMode::None && !ports.mail.contains(&port) {
            out.push(
                Finding::warning(
                    "ports.no_implicit_tls",
                    "ports.mail",
                    format!(
                        "is without port {}, which RFC 8314 recommends for mail programs and most apps use",
                        port.number()
                    ),
                )
                .hint(format!("add {}", port.number())),
            );
        }
    }
    if config.via() == Via::Traefik && !config.tls.mode.behind_traefik() {
        out.push(
            Finding::error(
                "ports.via_without_traefik",
                "ports.via",
                format!(
                    "cannot be `traefik` in mode `{}`, in which nothing else goes through Traefik",
                    config.tls.mode
                ),
            )
            .value("traefik")
            .hint("set `ports.via = \"published\"`, or `tls.mode` to `traefik` or `passthrough`"),
        );
    }
    if let Some(address) = ports.address6
        && !config.network.ipv6
    {
        out.push(
                Finding::error(
                    "ports.ipv6_without_network",
                    "ports.address6",
                    "needs `network.ipv6 = true`: otherwise Docker turns IPv6 clients into its own IPv4 gateway, and every one of them looks local",
                )
                .value(address)
                .hint("set `network.ipv6 = true`, or remove `ports.address6`"),
            );
    }
    for (key, address) in [
        ("ports.address", Some(IpAddr::V4(ports.address))),
        ("ports.address6", ports.address6.map(IpAddr::V6)),
    ] {
        let Some(address) = address else { continue };
        if address.is_multicast() || address == IpAddr::V4(Ipv4Addr::BROADCAST) {
            out.push(
                Finding::error(
                    "ports.not_an_address",
                    key,
                    "must be an address of this host",
                )
                .value(address)
                .hint("use an address that `ip address` shows, or 0.0.0.0 for all"),
            );
        }
    }
    if !config.publishes() && (ports.address != Ipv4Addr::UNSPECIFIED || ports.address6.is_some()) {
        out.push(
            Finding::error(
                "ports.address_unused",
                if ports.address6.is_some() {
                    "ports.address6"
                } else {
                    "ports.address"
                },
                "has no effect: all ports go through Traefik, which publishes them",
            )
            .value(ports.address6.map_or(IpAddr::V4(ports.address), IpAddr::V6))
            .hint("set `ports.via = \"published\"`, or remove it"),
        );
    }
}

fn services(config: &Config, out: &mut Vec<Finding>) {
    let services = &config.services;
    if !services.antispam {
        out.push(
            Finding::error(
                "services.antispam_needed",
                "services.antispam",
                "cannot be switched off: Postfix hands every message to Rspamd and defers all mail without it, and Rspamd signs DKIM",
            )
            .value("false")
            .hint("remove the key; `mail.spam_threshold = 100` marks hardly anything as spam"),
        );
    }
    if services.search_attachments && !services.search {
        out.push(
            Finding::error(
                "services.attachments_without_search",
                "services.search_attachments",
                "needs `services.search`: attachments are part of the full-text index",
            )
            .value("true")
            .hint("set `services.search = true`, or `services.search_attachments = false`"),
        );
    }
    if services.search && config.mail.search_languages.is_empty() {
        out.push(
            Finding::error(
                "services.no_languages",
                "mail.search_languages",
                "must name at least one language while search is on",
            )
            .value("[]")
            .hint("set `mail.search_languages = [\"en\"]`, or `services.search = false`"),
        );
    }
    if let [only] = config.mail.search_languages.as_slice()
        && only.as_str() == "no"
    {
        out.push(
            Finding::warning(
                "services.norwegian",
                "mail.search_languages",
                "means Norwegian; it does not switch search off",
            )
            .value("no")
            .hint("set `services.search = false` to switch search off"),
        );
    }
    if !services.resolver {
        out.push(
            Finding::warning(
                "services.no_resolver",
                "services.resolver",
                "is off: Mailu's admin waits for ever unless every resolver of the host validates DNSSEC, and few do",
            )
            .value("false")
            .hint("set `services.resolver = true`"),
        );
    }
    if services.api && config.version < Version::SAFE_API {
        out.push(
            Finding::error(
                "services.unsafe_api",
                "services.api",
                format!(
                    "needs Mailu {} or later: before, anybody who reaches the API can change tokens without logging in (CVE-2026-49217)",
                    Version::SAFE_API
                ),
            )
            .value("true")
            .hint(format!("set `version = \"{}\"`", Version::DEFAULT)),
        );
    }
    if config
        .mail
        .compression_level
        .is_some_and(|level| !(1..=9).contains(&level))
    {
        out.push(
            Finding::error(
                "mail.compression_level",
                "mail.compression_level",
                "must lie between 1 and 9",
            )
            .value(config.mail.compression_level.unwrap_or_default())
            .hint("remove it for the default"),
        );
    }
    if config.mail.compression_level.is_some()
        && config.mail.compression == super::Compression::None
    {
        out.push(
            Finding::error(
                "mail.level_without_compression",
                "mail.compression_level",
                "has no effect while `mail.compression` is `none`",
            )
            .value(config.mail.compression_level.unwrap_or_default())
            .hint("set `mail.compression = \"zstd\"`, or remove the level"),
        );
    }
    if config.mail.spam_threshold > 100 {
        out.push(
            Finding::error(
                "mail.spam_threshold",
                "mail.spam_threshold",
                "must lie between 0 and 100",
            )
            .value(config.mail.spam_threshold)
            .hint("80 is Mailu's default"),
        );
    }
    if config.mail.fetchmail_delay < 60 {
        out.push(
            Finding::error(
                "mail.fetchmail_delay",
                "mail.fetchmail_delay",
                "must be at least 60 seconds: providers lock out who asks more often",
            )
            .value(config.mail.fetchmail_delay)
            .hint("600 is the default"),
        );
    }
}

fn delimiters(config: &Config, out: &mut Vec<Finding>) {
    let text = config.mail.recipient_delimiter.as_str();
    out.extend(delimiter(config, text, "mail.recipient_delimiter"));
}

/// What is to be said about `text`, each character of which ends the mailbox's part of an address.
pub(crate) fn delimiter(config: &Config, text: &str, subject: &str) -> Option<Finding> {
    let admin = config.admin_email.local().as_str();
    let finding = if let Some(at) = admin.find(|c| text.contains(c)) {
        Finding::error(
            "mail.delimiter_in_admin",
            subject,
            format!(
                "must not contain a character of `{admin}`, the administrator's mailbox: mail to it would go to `{}`",
                &admin[..at]
            ),
        )
        .hint("use `+`, or another `admin_email`")
    } else {
        let ordinary = text.chars().find(|c| matches!(c, '.' | '-' | '_'))?;
        Finding::warning(
            "mail.delimiter_ordinary",
            subject,
            format!("contains `{ordinary}`, which is ordinary in addresses: mail to `first{ordinary}last` would go to `first`"),
        )
        .hint("use `+`, or have no mailbox with that character in its name")
    };
    Some(finding.value(text))
}

fn web(config: &Config, out: &mut Vec<Finding>) {
    out.extend(Front::of(config).judge());
}

fn limits(config: &Config, out: &mut Vec<Finding>) {
    let Bytes(size) = config.limits.message_size;
    if !(1_000_000..=2_000_000_000).contains(&size) {
        out.push(
            Finding::error(
                "limits.message_size",
                "limits.message_size",
                "must lie between 1 MB and 2 GB: smaller loses ordinary mail, larger does not fit into one request of the webmail",
            )
            .value(size)
            .hint("50MB is the default"),
        );
    } else if size > 150_000_000 {
        out.push(
            Finding::warning(
                "limits.message_size_large",
                "limits.message_size",
                "is more than any large provider accepts (Microsoft 150 MB, Google 50 MB): such mail reaches local users only",
            )
            .value(config.limits.message_size)
            .hint("50MB is the default"),
        );
    }
    let Bytes(quota) = config.limits.quota;
    if quota != 0 && quota < size {
        out.push(
            Finding::error(
                "limits.quota_below_message",
                "limits.quota",
                "must be at least `limits.message_size`, or 0 for no limit: a mailbox that cannot hold one message refuses it",
            )
            .value(quota)
            .hint("25GB is the default"),
        );
    }
    if quota > i64::MAX as u64 {
        out.push(
            Finding::error(
                "limits.quota",
                "limits.quota",
                "is larger than Mailu's database can hold",
            )
            .value(quota)
            .hint("use 0 for no limit"),
        );
    }
    for address in &config.limits.exempt {
        if !config.domains().any(|domain| domain == address.domain()) {
            out.push(
                Finding::warning(
                    "limits.exempt_elsewhere",
                    "limits.exempt",
                    "names an address outside of this server's email domains, by which nobody can log in",
                )
                .value(address)
                .hint("Mailu looks for the login as a whole, `newsletter@example.com`, whatever stands in `From:`"),
            );
        }
    }
}

fn relay(config: &Config, out: &mut Vec<Finding>) {
    let relay = &config.relay;
    if relay.user.is_some() && relay.host.is_none() {
        out.push(
            Finding::error(
                "relay.user_without_host",
                "relay.user",
                "has no effect without `relay.host`",
            )
            .value(
                relay
                    .user
                    .as_ref()
                    .map(ToString::to_string)
                    .unwrap_or_default(),
            )
            .hint("set `relay.host = \"[smtp.example.net]:587\"`, or remove the user"),
        );
    }
    if relay
        .user
        .as_ref()
        .is_some_and(|user| user.as_str().is_empty() || user.as_str().contains(':'))
    {
        out.push(
            Finding::error(
                "relay.user",
                "relay.user",
                "must be a user name without a colon: Postfix keeps it as `user:password`",
            )
            .hint("remove the colon"),
        );
    }
    if let Some(host) = &relay.host {
        if !host.as_str().starts_with('[') {
            out.push(
                Finding::warning(
                    "relay.mx_lookup",
                    "relay.host",
                    "is without brackets: Postfix then asks for its MX records and may deliver to another host",
                )
                .value(host)
                .hint(format!("write it as `[{}]:587`", host.as_str().split(':').next().unwrap_or_default())),
            );
        }
        if config.dns.spf.is_empty() {
            out.push(
                Finding::warning(
                    "relay.spf",
                    "dns.spf",
                    "does not name the relay: receivers see mail from its addresses, and `v=spf1 mx -all` refuses those",
                )
                .hint("add what the relay's documentation says, such as `dns.spf = [\"include:_spf.example.net\"]`"),
            );
        }
    }
    for (index, net) in relay.networks.iter().enumerate() {
        let subject = format!("relay.networks[{index}]");
        out.push(relay_network(
            config,
            &network::trusted(config),
            net.0,
            &subject,
        ));
    }
}

/// What is to be said about a network whose hosts may send without a password. `trusted` is whose word front believes.
pub(crate) fn relay_network(
    config: &Config,
    trusted: &[IpNet],
    net: IpNet,
    subject: &str,
) -> Finding {
    let wide = network::widest(net);
    let traefik = config.traefik.subnet.map(IpNet::V4);
    let own = network::claimed(config)
        .into_iter()
        .find(|(_, own)| network::overlap(*own, net));
    let refused = |id: &str, rule: String| {
        Finding::error(id, subject, rule)
            .hint("name the hosts that need it, or give each app an account")
    };
    let finding = if net.prefix_len() < wide {
        refused(
            "relay.open",
            format!(
                "must be at most a /{wide}: every host in it may send to anybody without a password (an open relay)"
            ),
        )
    } else if trusted
        .iter()
        .chain(&traefik)
        .any(|proxy| network::overlap(*proxy, net))
    {
        refused(
            "relay.traefik_inside",
            "must not contain Traefik's network: a connection whose client address is lost would then relay".to_owned(),
        )
    } else if let Some((key, own)) = own {
        refused(
            "relay.own_network",
            if Some(own) == config.network.subnet.map(IpNet::V4)
                || Some(own) == config.network.subnet6.map(IpNet::V6)
            {
                format!("must not overlap `{key}` ({own}): what is in there may relay already")
            } else {
                format!(
                    "must not overlap `{key}` ({own}), a network of this deployment: where Docker loses a client's address, the connection comes from such a network's gateway, and would then relay"
                )
            },
        )
    } else if net.to_string().starts_with(':') {
        refused(
            "relay.unreadable",
            "must not begin with a colon: Mailu then writes it without brackets, and Postfix takes it for a lookup table".to_owned(),
        )
    } else {
        Finding::warning(
            "relay.without_password",
            subject,
            "lets every host in it send as anybody, without a password and without a rate limit",
        )
        .hint("give each app an account or token instead")
    };
    finding.value(net)
}

fn dns(config: &Config, out: &mut Vec<Finding>) {
    let dns = &config.dns;
    if let Some(address) = dns.ipv4 {
        if address.is_unspecified()
            || address.is_loopback()
            || address.is_multicast()
            || address.is_broadcast()
        {
            out.push(
                Finding::error(
                    "dns.not_public",
                    "dns.ipv4",
                    "must be the address under which the internet reaches this server",
                )
                .value(address)
                .hint("ask your provider's panel for it"),
            );
        } else if address.is_private() || address.is_link_local() || address.is_documentation() {
            out.push(
                Finding::warning(
                    "dns.private",
                    "dns.ipv4",
                    "is not a public address: nobody outside can reach the server under it",
                )
                .value(address)
                .hint("set it to the public address, also behind NAT"),
            );
        }
    }
    if let Some(address) = dns.ipv6 {
        if address.is_unspecified() || address.is_loopback() || address.is_multicast() {
            out.push(
                Finding::error(
                    "dns.not_public",
                    "dns.ipv6",
                    "must be the address under which the internet reaches this server",
                )
                .value(address)
                .hint("ask your provider's panel for it"),
            );
        } else if !config.network.ipv6 && config.publishes() {
            out.push(
                Finding::warning(
                    "dns.ipv6_unserved",
                    "dns.ipv6",
                    "is published while `network.ipv6` is off: other servers try IPv6 first and do not get through",
                )
                .value(address)
                .hint("set `network.ipv6 = true` and `ports.address6`, or remove `dns.ipv6`"),
            );
        }
    }
    if !(60..=86_400).contains(&dns.ttl) {
        out.push(
            Finding::error(
                "dns.ttl",
                "dns.ttl",
                "must lie between 60 and 86400 seconds",
            )
            .value(dns.ttl)
            .hint("3600 is the default; 300 helps while moving"),
        );
    }
    let dmarc = &config.dmarc;
    if (dmarc.policy == DmarcPolicy::None || dmarc.subdomain_policy == DmarcPolicy::None)
        && dmarc.rua.is_none()
    {
        out.push(
            Finding::warning(
                "dmarc.blind",
                "dmarc.rua",
                "is not set: a policy of `none` only makes sense together with reports",
            )
            .hint("set `dmarc.rua = \"dmarc\"` and make that mailbox"),
        );
    }
    if let Some(mx) = dns.spf.iter().find(|term| term.as_str() == "mx") {
        out.push(
            Finding::error("dns.spf_mx", "dns.spf", "has `mx` by itself already")
                .value(mx)
                .hint("remove it"),
        );
    }
    for (index, address) in dns.egress.iter().enumerate() {
        if !network::is_public(*address) && !is_example(*address) {
            out.push(
                Finding::error(
                    "dns.egress",
                    format!("dns.egress[{index}]"),
                    "must be a public address, the one that other servers see when mail leaves",
                )
                .value(address)
                .hint("ask your provider's panel for it, or remove it: without NAT it is the mail host's own"),
            );
        }
    }
    let lookups = 1 + dns
        .spf
        .iter()
        .filter(|term| {
            let bare = term.as_str().trim_start_matches(['+', '?', '~', '-']);
            !bare.starts_with("ip4") && !bare.starts_with("ip6")
        })
        .count();
    if lookups > 10 {
        out.push(
            Finding::error(
                "dns.spf_lookups",
                "dns.spf",
                "must not make receivers ask DNS more than ten times (RFC 7208 §4.6.4): they give up and the record is void",
            )
            .value(lookups)
            .hint("replace `include:` by `ip4:` where the addresses are known"),
        );
    }
}

/// Whether an address is for documentation (RFC 5737, RFC 3849), as in our own examples.
fn is_example(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_documentation(),
        IpAddr::V6(address) => address.segments()[..2] == [0x2001, 0xdb8],
    }
}

/// Alternatives and parked names.
fn other_names(config: &Config, out: &mut Vec<Finding>) {
    let dns = &config.dns;
    let mut taken: Vec<(&str, &str)> = config
        .domains()
        .map(|domain| (domain.as_str(), "an email domain"))
        .collect();
    for (index, other) in dns.alternatives.iter().enumerate() {
        let subject = format!("dns.alternatives[{index}]");
        if let Some((_, what)) = taken.iter().find(|(name, _)| *name == other.name.as_str()) {
            out.push(
                Finding::error(
                    "dns.alternative_twice",
                    &subject,
                    format!("must be a further domain: it is {what} already"),
                )
                .value(&other.name)
                .hint("remove it from one of the two lists"),
            );
        }
        if let Some(of) = other
            .of
            .as_ref()
            .filter(|of| !config.domains().any(|d| d == *of))
        {
            out.push(
                Finding::error(
                    "dns.alternative_of",
                    &subject,
                    "must name an email domain of this deployment after the `=`: the one whose mail it is",
                )
                .value(of)
                .hint(format!("write it like `{}={}`, or add `{of}` to `email_domains`", other.name, config.email_domain)),
            );
        }
        taken.push((other.name.as_str(), "an alternative"));
    }
    taken.extend(
        config
            .public_names()
            .map(|name| (name.as_str(), "a name of the server")),
    );
    for (index, name) in dns.parked.iter().enumerate() {
        if let Some((_, what)) = taken.iter().find(|(other, _)| *other == name.as_str()) {
            out.push(
                Finding::error(
                    "dns.parked_used",
                    format!("dns.parked[{index}]"),
                    format!("must be a name without mail: it is {what} already"),
                )
                .value(name)
                .hint("remove it from `dns.parked`, whose records say that it never sends or receives mail"),
            );
        }
        taken.push((name.as_str(), "a parked name"));
    }
}

/// MTA-STS and the certificate that it makes other servers ask for.
fn verified_tls(config: &Config, out: &mut Vec<Finding>) {
    let sts = &config.mta_sts;
    if !(1..=31_557_600).contains(&sts.max_age) {
        out.push(
            Finding::error(
                "mta_sts.max_age",
                "mta_sts.max_age",
                "must lie between 1 and 31557600 seconds, which is a year (RFC 8461 §3.2)",
            )
            .value(sts.max_age)
            .hint("604800 is the default, a week; 86400 while you try it out"),
        );
    }
    if sts.mode == MtaStsMode::Off {
        return;
    }
    if config.tls.mode == TlsMode::None {
        out.push(
            Finding::error(
                "mta_sts.no_tls",
                "mta_sts.mode",
                "needs TLS: the policy is fetched over https, and promises it on port 25",
            )
            .value(sts.mode)
            .hint("set another `tls.mode`, or `mta_sts.mode = \"off\"`"),
        );
        return;
    }
    let self_signed = match config.tls.mode {
        TlsMode::Traefik => config.traefik.acme_store.is_none(),
        TlsMode::Cert => config.tls.certificate.is_none(),
        _ => false,
    };
    if sts.mode == MtaStsMode::Enforce && self_signed {
        let key = match config.tls.mode {
            TlsMode::Cert => "tls.certificate",
            _ => "traefik.acme_store",
        };
        out.push(
            Finding::warning(
                "mta_sts.certificate",
                "mta_sts.mode",
                format!("keeps mail away as long as the mail ports have a self-signed certificate, and they have one unless you put another into data/certs: `{key}` is not set"),
            )
            .value(sts.mode)
            .hint(format!("set `{key}`"))
            .hint("or `mta_sts.mode = \"testing\"` until other servers' reports are clean"),
        );
    }
    if matches!(sts.mode, MtaStsMode::Testing | MtaStsMode::Enforce)
        && config.tls_rpt.rua.is_empty()
    {
        out.push(
            Finding::warning(
                "mta_sts.blind",
                "tls_rpt.rua",
                "is not set: nobody hears of deliveries that fail because of the MTA-STS policy",
            )
            .hint(format!(
                "set `tls_rpt.rua = [\"tlsrpt@{}\"]` and make that mailbox",
                config.email_domain
            )),
        );
    }
}

/// What mail programs ask of a domain before they show its logo.
fn logo(config: &Config, out: &mut Vec<Finding>) {
    let bimi = &config.bimi;
    if bimi.logo.is_none() {
        if bimi.certificate.is_some() {
            out.push(
                Finding::error(
                    "bimi.no_logo",
                    "bimi.certificate",
                    "is for a logo, and `bimi.logo` is not set",
                )
                .hint("set `bimi.logo` to the address of the SVG that the certificate has, too"),
            );
        }
        return;
    }
    for (key, policy) in [
        ("dmarc.policy", config.dmarc.policy),
        ("dmarc.subdomain_policy", config.dmarc.subdomain_policy),
    ] {
        if policy == DmarcPolicy::None {
            out.push(
                Finding::warning(
                    "bimi.policy",
                    key,
                    "has no logo shown: mail programs show one only for domains whose policy is `quarantine` or `reject`",
                )
                .value(policy)
                .hint(format!("set `{key} = \"quarantine\"` once reports show that nothing is lost")),
            );
        }
    }
}

fn networks(config: &Config, out: &mut Vec<Finding>) {
    let own = network::named(config);
    for (key, net) in &own {
        let private = Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 0, 0), 8).contains(net)
            || Ipv4Net::new_assert(Ipv4Addr::new(172, 16, 0, 0), 12).contains(net)
            || Ipv4Net::new_assert(Ipv4Addr::new(192, 168, 0, 0), 16).contains(net)
            || Ipv4Net::new_assert(Ipv4Addr::new(100, 64, 0, 0), 10).contains(net);
        if !private {
            out.push(
                Finding::error(
                    "network.not_private",
                    *key,
                    "must be a private network (RFC 1918, RFC 6598): the server could no longer reach the public addresses in it",
                )
                .value(net)
                .hint("remove the key to have one drawn from `network.pool`"),
            );
        }
        let (low, high) = if *key == "network.subnet" {
            (12, 28)
        } else {
            (12, 29)
        };
        if !(low..=high).contains(&net.prefix_len()) {
            out.push(
                Finding::error(
                    "network.size",
                    *key,
                    format!("must have a prefix between /{low} and /{high}"),
                )
                .value(net)
                .hint("remove the key to have one drawn from `network.pool`"),
            );
        }
    }
    for (index, (key, net)) in own.iter().enumerate() {
        for (other_key, other) in own.iter().take(index) {
            if network::overlap(IpNet::V4(*net), IpNet::V4(*other)) {
                out.push(
                    Finding::error(
                        "network.overlap",
                        *key,
                        format!("must not overlap `{other_key}` ({other}): Docker refuses the second one"),
                    )
                    .value(net)
                    .hint("remove one of the two keys to have a network drawn from `network.pool`"),
                );
            }
        }
    }
    if let Some(subnet) = config.network.subnet {
        for net in network::trusted(config) {
            if network::overlap(IpNet::V4(subnet), net) {
                out.push(
                    Finding::error(
                        "network.proxy_inside",
                        "network.subnet",
                        format!("must not overlap what front trusts ({net}): everything in the subnet may relay, so every client that Traefik brings would"),
                    )
                    .value(subnet)
                    .hint("put Traefik into a network of its own, and name that in `traefik.network`"),
                );
            }
        }
    }
    for (index, pool) in config.network.pool.iter().enumerate() {
        if pool.prefix_len() > 24 || pool.prefix_len() < 8 {
            out.push(
                Finding::error(
                    "network.pool_size",
                    format!("network.pool[{index}]"),
                    "must have a prefix between /8 and /24: each deployment takes a /24 of it",
                )
                .value(pool)
                .hint("10.203.0.0/16 is the default"),
            );
        }
    }
    if config.network.pool.is_empty() {
        out.push(
            Finding::error(
                "network.pool_empty",
                "network.pool",
                "must name at least one network",
            )
            .value("[]")
            .hint("remove the key for the default"),
        );
    }
    if let Some(subnet6) = config.network.subnet6 {
        if !config.network.ipv6 {
            out.push(
                Finding::error(
                    "network.subnet6_unused",
                    "network.subnet6",
                    "has no effect while `network.ipv6` is off",
                )
                .value(subnet6)
                .hint("set `network.ipv6 = true`, or remove it"),
            );
        }
        if subnet6.prefix_len() > 112 || subnet6.prefix_len() < 48 {
            out.push(
                Finding::error(
                    "network.subnet6_size",
                    "network.subnet6",
                    "must have a prefix between /48 and /112",
                )
                .value(subnet6)
                .hint("a /64 is usual"),
            );
        }
    }
    if config.network.ipv6 && config.publishes() && config.ports.address6.is_none() {
        out.push(
            Finding::warning(
                "network.ipv6_unpublished",
                "ports.address6",
                "is not set: the containers have IPv6, and nobody outside reaches them over it",
            )
            .hint("set `ports.address6 = \"::\"`, or an address of this host"),
        );
    }
}

/// See [`Config::access_network`].
fn access_first(config: &Config, out: &mut Vec<Finding>) {
    if !config.publishes() {
        return;
    }
    let access = config.access_network();
    let main = format!("{}_default", config.project_name());
    if main < access {
        out.push(
            Finding::error(
                "network.order",
                "project",
                format!("must not sort before `{access}`: Docker would let published ports in by the main network, in which everything may relay"),
            )
            .value(config.project_name())
            .hint("begin it with a letter: `project = \"mailu_two\"`"),
        );
    }
    if config.tls.mode.behind_traefik() && *config.traefik.network.as_str() < *access {
        out.push(
            Finding::error(
                "network.order",
                "traefik.network",
                format!("must not sort before `{access}`: Docker would let published ports in by the network shared with Traefik"),
            )
            .value(&config.traefik.network)
            .hint("use a network whose name begins with a letter"),
        );
    }
}

fn extra_variables(config: &Config, out: &mut Vec<Finding>) {
    for (name, value) in &config.env {
        let at = format!("env.{name}");
        if let Some(key) = table::find(name).and_then(|variable| variable.key) {
            let mut finding = Finding::error(
                "env.has_a_key",
                at,
                format!("is set by `{key}`; two places would contradict each other"),
            )
            .hint(format!("remove it and set `{key}`"));
            if !table::is_secret(name) {
                finding = finding.value(value);
            }
            out.push(finding);
        } else if matches!(name.as_str(), "SECRET_KEY" | "API_TOKEN" | "RELAYPASSWORD") {
            out.push(
                Finding::error(
                    "env.secret",
                    at,
                    "is a secret, and secrets are not kept in mailu.toml: it lives in a file of its own, mode 0600",
                )
                .hint("remove it; `mailu show` says where the secret files are"),
            );
        } else if table::is_secret(name) && !table::refused_for_another_reason(name) {
            out.push(
                Finding::error(
                    "env.secret",
                    at,
                    "is a secret, and secrets are not kept in mailu.toml, which more people read than mailu.env",
                )
                .hint(format!("write `{name}=…` into mailu.env by hand: what is not set from here stays there on every run")),
            );
        } else if let Some(finding) = table::check(name, value, &at, config.version) {
            out.push(finding);
        }
    }
}

fn authentication(config: &Config, out: &mut Vec<Finding>) {
    const NAME: &str = "PROXY_AUTH_WHITELIST";
    if let Some(value) = config.env.get(NAME)
        && table::accepts(NAME, value, config.version)
    {
        let trusted = network::trusted(config);
        let subject = format!("env.{NAME}");
        out.extend(authenticating_proxies(config, &trusted, value, &subject));
    }
}

/// What is to be said about proxies that log people in by a header. `trusted` is whose word front believes.
pub(crate) fn authenticating_proxies(
    config: &Config,
    trusted: &[IpNet],
    list: &str,
    subject: &str,
) -> Option<Finding> {
    let header = config
        .env
        .get("PROXY_AUTH_HEADER")
        .map_or("X-Auth-Email", |name| name.as_str());
    let mut about_traefik = None;
    for net in table::listed(list) {
        let refused = |rule: String| {
            Some(
                Finding::error("env.proxy_auth", subject, rule)
                    .value(list)
                    .hint("name the proxy's address alone"),
            )
        };
        let own = network::claimed(config)
            .into_iter()
            .find(|(key, own)| *key != "traefik.subnet" && network::overlap(*own, net));
        if let Some((key, own)) = own {
            return refused(format!(
                "must not contain {net}, which overlaps `{key}` ({own}): no proxy is in there, and a connection whose client address Docker lost comes from such a network's gateway and could log in as anybody"
            ));
        }
        let beside = trusted
            .iter()
            .copied()
            .chain(config.traefik.subnet.map(IpNet::V4))
            .any(|proxy| network::overlap(proxy, net));
        if !beside {
            continue;
        }
        if config.tls.mode == TlsMode::Passthrough {
            return refused(format!(
                "must not contain {net} in mode `passthrough`: Traefik hands connections on unread, so a client's own `{header}` would count, and log it in as anybody"
            ));
        }
        if !trusted.iter().any(|proxy| proxy.contains(&net)) {
            return refused(format!(
                "must not contain {net}, which is more than Traefik: whoever else is in it can log in as anybody with a header"
            ));
        }
        about_traefik = Some(
            Finding::warning(
                "env.proxy_auth_by_traefik",
                subject,
                format!("contains Traefik, through which every client comes: Traefik must remove `{header}` from what clients send, or anybody logs in as anybody"),
            )
            .value(list)
            .hint(format!("name `{header}` in `authResponseHeaders` of a forwardAuth middleware, and have all routers of this deployment use that")),
        );
    }
    about_traefik
}
