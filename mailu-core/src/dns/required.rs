//! Which records a deployment needs, and why. The texts for MX, SPF, DKIM and DMARC are `AgencyStack`'s.

use std::collections::{BTreeMap, BTreeSet};

use super::record::{Data, Level, Record};
use crate::config::{Alignment, Config, DmarcPolicy, MailPort, SpfAll, TlsMode};
use crate::names::{DomainName, EmailDomain};
use crate::network;

/// The DKIM record's text for each email domain whose key exists.
pub type PublicKeys = BTreeMap<EmailDomain, String>;

/// Every record that `config` needs, host first, then each email domain.
pub fn records(config: &Config, keys: &PublicKeys) -> Vec<Record> {
    let mut all = Builder {
        config,
        records: Vec::new(),
    };
    all.host();
    for domain in config.domains() {
        all.domain(domain, keys.get(domain));
    }
    all.resolve_aliases();
    all.records
}

/// The zone that `name` is looked up in: the longest configured one, else its registrable domain.
fn zone_of(config: &Config, name: &DomainName) -> String {
    config
        .dns
        .zones
        .iter()
        .filter(|zone| name.is_in(zone))
        .max_by_key(|zone| zone.as_str().len())
        .map_or_else(|| name.registrable().to_string(), ToString::to_string)
}

struct Builder<'a> {
    config: &'a Config,
    records: Vec<Record>,
}

impl Builder<'_> {
    fn add(
        &mut self,
        label: &str,
        zone: &str,
        fqdn: impl Into<String>,
        level: Level,
        data: Data,
        why: impl Into<String>,
    ) -> &mut Record {
        let kind = data.kind();
        self.push(
            label,
            zone,
            fqdn.into(),
            level,
            Some(data),
            kind,
            why.into(),
        )
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one call for a known and an unknown value"
    )]
    fn push(
        &mut self,
        label: &str,
        zone: &str,
        fqdn: String,
        level: Level,
        data: Option<Data>,
        kind: &'static str,
        why: String,
    ) -> &mut Record {
        self.records.push(Record {
            id: format!("{fqdn}/{label}"),
            zone: zone.to_owned(),
            fqdn,
            ttl: self.config.dns.ttl,
            data,
            kind,
            level,
            why,
            condition: None,
        });
        let last = self.records.len() - 1;
        &mut self.records[last]
    }

    fn public_ipv4(&self) -> Option<std::net::Ipv4Addr> {
        let published = self.config.ports.address;
        self.config.dns.ipv4.or_else(|| {
            (self.config.publishes() && network::is_public(published.into())).then_some(published)
        })
    }

    fn public_ipv6(&self) -> Option<std::net::Ipv6Addr> {
        let published = self.config.ports.address6;
        self.config.dns.ipv6.or_else(|| {
            published
                .filter(|address| self.config.publishes() && network::is_public((*address).into()))
        })
    }

    /// A and AAAA of `name`.
    fn addresses(&mut self, name: &str, zone: &str, why: &str) {
        let (v4, v6) = (self.public_ipv4(), self.public_ipv6());
        if let Some(address) = v4 {
            self.add("A", zone, name, Level::Required, Data::A { address }, why);
        } else if v6.is_none() {
            self.push(
                "A",
                zone,
                name.to_owned(),
                Level::Required,
                None,
                "A",
                why.to_owned(),
            )
            .condition = Some(format!(
                "the server's public address is not known yet: `mailu config set {} dns.ipv4 ADDRESS`",
                self.config.options()
            ));
        }
        if let Some(address) = v6 {
            self.add(
                "AAAA",
                zone,
                name,
                Level::Recommended,
                Data::Aaaa { address },
                why,
            )
            .condition = Some(
                "only if ports 25, 443 and 993 work over IPv6 and the address has a PTR record"
                    .to_owned(),
            );
        }
    }

    fn host(&mut self) {
        let config = self.config;
        let host = &config.mail_host;
        let zone = zone_of(config, host);
        self.addresses(
            host.as_str(),
            &zone,
            "The mail host's address. MX and SRV records point to this name, so it must never be an alias (RFC 2181 §10.3), and no proxy such as Cloudflare's may stand before it.",
        );
        for name in &config.hostnames {
            let zone = zone_of(config, name);
            self.add(
                "CNAME",
                &zone,
                name.as_str(),
                Level::Required,
                Data::Cname { target: host.to_string() },
                "A further name of the server. It is part of the certificate, so it must resolve before one is requested.",
            );
        }
        if !config
            .domains()
            .any(|domain| domain.as_str() == host.as_str())
        {
            self.add(
                "SPF",
                &zone,
                host.as_str(),
                Level::Recommended,
                Data::Txt { text: "v=spf1 a -all".to_owned() },
                "SPF for the name that the server greets with. Receivers check it for bounces, which have no sender (RFC 7208 §2.3).",
            );
        }
    }

    fn domain(&mut self, domain: &EmailDomain, key: Option<&String>) {
        let config = self.config;
        let host = config.mail_host.to_string();
        let zone = zone_of(config, domain);
        let d = domain.as_str();

        self.add(
            "MX",
            &zone,
            d,
            Level::Required,
            Data::Mx { preference: 10, exchange: host.clone() },
            format!("Mail for anybody@{d} goes to this host. Remove MX records of an earlier provider, or it keeps part of the mail."),
        );
        self.add(
            "SPF",
            &zone,
            d,
            Level::Required,
            Data::Txt { text: spf(config) },
            format!("Only the mail host may send for {d}. There must be exactly one such record: if one exists, merge the two (RFC 7208 §3.2)."),
        );

        let selector = format!("{}._domainkey.{d}", config.dns.selector);
        let why = "The public half of the key that signs outgoing mail. Without it receivers treat mail from here as forged.";
        match key {
            Some(text) => {
                self.add(
                    "DKIM",
                    &zone,
                    selector,
                    Level::Required,
                    Data::Txt { text: text.clone() },
                    why,
                );
            }
            None => {
                self.push(
                    "DKIM",
                    &zone,
                    selector,
                    Level::Required,
                    None,
                    "TXT",
                    why.to_owned(),
                )
                .condition = Some("the key is drawn at installation".to_owned());
            }
        }

        self.add(
            "DMARC",
            &zone,
            format!("_dmarc.{d}"),
            Level::Required,
            Data::Txt { text: dmarc(config) },
            "What receivers do with mail that only pretends to be from this domain (RFC 9989). Publish it after SPF and DKIM.",
        );
        if config.dmarc.rua.is_some() || config.dmarc.ruf.is_some() {
            let home = &config.email_domain;
            if domain.registrable() != home.registrable() {
                let zone = zone_of(config, home);
                self.add(
                    "DMARC-REPORT",
                    &zone,
                    format!("{d}._report._dmarc.{home}"),
                    Level::Required,
                    Data::Txt { text: "v=DMARC1".to_owned() },
                    format!("{home} agrees to receive DMARC reports about {d}. Without it they are not sent (RFC 9990)."),
                );
            }
        }

        self.service_records(&zone, d, &host);

        for (label, name) in config.autoconfig_names_of(domain) {
            let program = if label == "autoconfig" {
                "Thunderbird and many phones"
            } else {
                "Outlook"
            };
            let zone = zone_of(config, &name);
            self.add(
                "CNAME",
                &zone,
                name.as_str(),
                Level::Recommended,
                Data::Cname { target: host.clone() },
                format!("{program} ask this name for the settings of a new account, so that people only type address and password."),
            )
            .condition = Some("the server obtains a certificate for this name once it resolves".to_owned());
        }
    }

    /// SRV records for mail programs (RFC 6186, RFC 8314 §5.1): what is offered, and what is not.
    fn service_records(&mut self, zone: &str, d: &str, host: &str) {
        let config = self.config;
        let ports = config.open_ports();
        let services: [(&str, MailPort, u16); 6] = [
            ("submissions", MailPort::Submissions, 10),
            ("submission", MailPort::Submission, 20),
            ("imaps", MailPort::Imaps, 10),
            ("imap", MailPort::Imap, 20),
            ("pop3s", MailPort::Pop3s, 10),
            ("pop3", MailPort::Pop3, 20),
        ];
        for (name, port, priority) in services {
            // Front always opens the implicit-TLS ports of sending and IMAP, but nothing leads to them from outside.
            let offered = ports.contains(&port);
            let (data, why) = if offered {
                (
                    Data::Srv {
                        priority,
                        weight: 1,
                        port: port.number(),
                        target: host.to_owned(),
                    },
                    format!("Tells mail programs where {name} is served (RFC 6186)."),
                )
            } else {
                (
                    Data::Srv {
                        priority: 0,
                        weight: 0,
                        port: 0,
                        target: ".".to_owned(),
                    },
                    format!("Tells mail programs that {name} is not offered (RFC 2782)."),
                )
            };
            let record = self.add(
                "SRV",
                zone,
                format!("_{name}._tcp.{d}"),
                Level::Recommended,
                data,
                why,
            );
            if !offered {
                record.level = Level::Optional;
                record.condition =
                    Some("leave it out if your provider's form refuses `.` as a target".to_owned());
            }
        }
        if ports.contains(&MailPort::Sieve) {
            self.add(
                "SRV",
                zone,
                format!("_sieve._tcp.{d}"),
                Level::Optional,
                Data::Srv {
                    priority: 0,
                    weight: 1,
                    port: 4190,
                    target: host.to_owned(),
                },
                "Tells mail programs where filter rules are kept (RFC 5804 §1.8).",
            );
        }
        if config.tls.mode == TlsMode::None {
            return;
        }
        self.add(
            "SRV",
            zone,
            format!("_autodiscover._tcp.{d}"),
            Level::Recommended,
            Data::Srv { priority: 10, weight: 1, port: 443, target: host.to_owned() },
            "Sends Outlook to the mail host for the settings of a new account; needs no certificate for another name.",
        );
        if config.services.webdav {
            for name in ["caldavs", "carddavs"] {
                self.add(
                    "SRV",
                    zone,
                    format!("_{name}._tcp.{d}"),
                    Level::Optional,
                    Data::Srv {
                        priority: 0,
                        weight: 1,
                        port: 443,
                        target: host.to_owned(),
                    },
                    "Tells calendars and address books where they are served (RFC 6764).",
                );
                self.add(
                    "TXT",
                    zone,
                    format!("_{name}._tcp.{d}"),
                    Level::Optional,
                    Data::Txt {
                        text: "path=/webdav/".to_owned(),
                    },
                    "The path that belongs to the record above (RFC 6764 §4).",
                );
            }
        }
    }

    /// A name with other records, or a zone's own name, cannot be an alias (RFC 1034 §3.6.2): it gets addresses instead.
    fn resolve_aliases(&mut self) {
        let owners: BTreeSet<String> = self
            .records
            .iter()
            .filter(|r| r.kind != "CNAME")
            .map(|r| r.fqdn.clone())
            .collect();
        let impossible: Vec<Record> = self
            .records
            .extract_if(.., |r| {
                r.kind == "CNAME" && (owners.contains(&r.fqdn) || r.fqdn == r.zone)
            })
            .collect();
        for record in impossible {
            let already = self
                .records
                .iter()
                .any(|r| r.fqdn == record.fqdn && matches!(r.kind, "A" | "AAAA"));
            if !already {
                self.addresses(&record.fqdn, &record.zone, &record.why);
            }
        }
        let mut seen = BTreeSet::new();
        self.records.retain(|r| {
            seen.insert((
                r.fqdn.clone(),
                r.kind,
                r.data.as_ref().map(Data::presentation),
            ))
        });
    }
}

fn spf(config: &Config) -> String {
    let mut terms = vec!["v=spf1".to_owned(), "mx".to_owned()];
    terms.extend(config.dns.spf.iter().map(ToString::to_string));
    terms.push(
        match config.dns.spf_all {
            SpfAll::Fail => "-all",
            SpfAll::Softfail => "~all",
        }
        .to_owned(),
    );
    terms.join(" ")
}

fn dmarc(config: &Config) -> String {
    let dmarc = &config.dmarc;
    let policy = DmarcPolicy::as_str;
    let alignment = |a: Alignment| match a {
        Alignment::Strict => "s",
        Alignment::Relaxed => "r",
    };
    let mut tags = vec![
        "v=DMARC1".to_owned(),
        format!("p={}", policy(dmarc.policy)),
        format!("sp={}", policy(dmarc.subdomain_policy)),
        format!("adkim={}", alignment(dmarc.dkim_alignment)),
        format!("aspf={}", alignment(dmarc.spf_alignment)),
    ];
    for (tag, local) in [("rua", &dmarc.rua), ("ruf", &dmarc.ruf)] {
        if let Some(local) = local {
            // `,` and `!` separate addresses and sizes there (RFC 9989 §4.7); a local part has only the latter.
            let local = local.as_str().replace('%', "%25").replace('!', "%21");
            tags.push(format!("{tag}=mailto:{local}@{}", config.email_domain));
        }
    }
    format!("{};", tags.join("; "))
}
