//! Which records a deployment needs, and why. The texts for MX, SPF, DKIM and DMARC are `AgencyStack`'s.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::record::{Data, Level, Record};
use super::reverse;
use super::tlsa::{self, Shown};
use crate::config::units::ReportUri;
use crate::config::{Alignment, Config, DmarcPolicy, MailPort, SpfAll, TlsMode};
use crate::mta_sts;
use crate::names::{DomainName, EmailDomain};
use crate::network;

/// The DKIM record's text for each email domain whose key exists.
pub type PublicKeys = BTreeMap<EmailDomain, String>;

/// Every record that `config` needs: host, email domains, alternatives, parked names, names of addresses.
pub fn records(config: &Config, keys: &PublicKeys) -> Vec<Record> {
    records_with(config, keys, None)
}

/// As [`records`], and with TLSA records where `shown` allows them: they follow from what port 25 really shows, so that
/// nothing but a look at it gives them (RFC 7672 §3.1).
pub fn records_with(config: &Config, keys: &PublicKeys, shown: Option<&Shown>) -> Vec<Record> {
    let mut all = Builder {
        config,
        records: Vec::new(),
    };
    all.host();
    if let Some(shown) = shown {
        all.tlsa(shown);
    }
    for domain in config.domains() {
        all.domain(domain, keys.get(domain));
    }
    for other in &config.dns.alternatives {
        all.alternative(
            &other.name,
            other.of.as_ref().unwrap_or(&config.email_domain),
        );
    }
    for name in &config.dns.parked {
        all.parked(name);
    }
    all.reverse();
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

    /// A and AAAA of `name`.
    fn addresses(&mut self, name: &str, zone: &str, why: &str) {
        let (v4, v6) = (public_ipv4(self.config), public_ipv6(self.config));
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
            .receiving()
            .any(|domain| domain.as_str() == host.as_str())
        {
            self.add(
                "SPF",
                &zone,
                host.as_str(),
                Level::Recommended,
                Data::Txt { text: ["v=spf1 a".to_owned()].into_iter().chain(egress(config)).chain(["-all".to_owned()]).collect::<Vec<_>>().join(" ") },
                "SPF for the name that the server greets with. Receivers check it for bounces, which have no sender (RFC 7208 §2.3).",
            );
            self.tls_reports(&zone, host.as_str(), Level::Optional);
        }
        self.authorities(host.as_str(), &zone);
    }

    /// Which authorities may issue (RFC 8659). Who gets certificates through Traefik, and from where, is not known here.
    fn authorities(&mut self, host: &str, zone: &str) {
        let config = self.config;
        let listed = &config.dns.caa;
        // At a zone's own name these would bind every web site below it, of which nothing is known.
        let apex = host == zone || config.receiving().any(|domain| domain.as_str() == host);
        let mut issuers: Vec<String> = listed.iter().map(ToString::to_string).collect();
        // Whoever lists Let's Encrypt says with which parameters.
        let ours = config.tls.mode.own_acme()
            && (!apex || !listed.is_empty())
            && !issuers.iter().any(|text| {
                text.split(';')
                    .next()
                    .is_some_and(|name| name.trim() == LETS_ENCRYPT)
            });
        if ours {
            // Mailu's certbot proves each name by a file on port 80 (RFC 8657 §4).
            issuers.insert(0, format!("{LETS_ENCRYPT};validationmethods=http-01"));
        }
        if issuers.is_empty() {
            return;
        }
        for value in issuers {
            let name = value.split(';').next().unwrap_or_default().trim();
            self.add(
                &format!("CAA-{name}"),
                zone,
                host,
                Level::Recommended,
                Data::Caa { flags: 0, tag: "issue".to_owned(), value },
                "Only this certificate authority, and others listed so, may issue for the mail host and for names that are aliases of it (RFC 8659).",
            )
            .condition = Some("if the name has CAA records already, keep those that name an authority still in use".to_owned());
        }
        if listed.is_empty() {
            self.add(
                "CAA-issuewild",
                zone,
                host,
                Level::Recommended,
                Data::Caa { flags: 0, tag: "issuewild".to_owned(), value: ";".to_owned() },
                "No authority may issue a certificate for every name below the mail host (RFC 8659 §4.3): there is none.",
            );
        }
    }

    /// What port 25 shows, pinned (RFC 7672).
    fn tlsa(&mut self, shown: &Shown) {
        if !shown.signed {
            return;
        }
        let config = self.config;
        let host = &config.mail_host;
        let zone = zone_of(config, host);
        let owner = format!("_25._tcp.{host}");
        // Where the operator brings files, the key is his to keep; any other renewal may come with a new one.
        let lasting = config.tls.mode == TlsMode::Cert;
        let ttl = config.dns.ttl.min(3600);
        let why = "The certificate on port 25, for servers that verify it by DNSSEC (DANE, RFC 7672). A wrong one keeps mail away: publish the new ones two TTLs before a certificate changes.";
        match tlsa::records(&shown.chains, shown.signed, host.as_str(), lasting) {
            Ok(all) => {
                for data in all {
                    let of_authority = matches!(data, Data::Tlsa { usage: 2, .. });
                    let label = format!("TLSA-{}", data.presentation().replace(' ', "-"));
                    let record =
                        self.add(&label, &zone, owner.clone(), Level::Recommended, data, why);
                    record.ttl = ttl;
                    if of_authority {
                        record.condition = Some("holds while the server shows this authority's certificate: look again after each renewal".to_owned());
                    }
                }
            }
            Err(missing) => {
                self.push(
                    "TLSA",
                    &zone,
                    owner,
                    Level::Optional,
                    None,
                    "TLSA",
                    why.to_owned(),
                )
                .condition = Some(missing.to_string());
            }
        }
    }

    /// Where other servers report deliveries over TLS (RFC 8460 §3).
    fn tls_reports(&mut self, zone: &str, name: &str, level: Level) {
        let rua: Vec<String> = self.config.tls_rpt.rua.iter().map(ReportUri::uri).collect();
        if rua.is_empty() {
            return;
        }
        self.add(
            "TLS-RPT",
            zone,
            format!("_smtp._tls.{name}"),
            level,
            Data::Txt { text: format!("v=TLSRPTv1; rua={}", rua.join(",")) },
            "Where other servers report, once a day, deliveries over TLS that worked and failed (RFC 8460). There must be exactly one such record.",
        );
    }

    /// The logo that mail programs show.
    fn logo(&mut self, zone: &str, domain: &EmailDomain) {
        let bimi = &self.config.bimi;
        let Some(logo) = &bimi.logo else {
            return;
        };
        let text = match &bimi.certificate {
            Some(certificate) => format!("v=BIMI1; l={logo}; a={certificate}"),
            None => format!("v=BIMI1; l={logo}"),
        };
        self.add(
            "BIMI",
            zone,
            format!("default._bimi.{domain}"),
            Level::Optional,
            Data::Txt { text },
            "The logo that mail programs show beside mail which passes DMARC. Gmail and Apple ask for a certificate, too.",
        )
        .condition = Some("the SVG is of the profile Tiny PS, and can be fetched".to_owned());
    }

    /// The policy for verified TLS (RFC 8461).
    fn mta_sts(&mut self, zone: &str, domain: &EmailDomain) {
        let config = self.config;
        let Some(id) = mta_sts::id(config) else {
            return;
        };
        let name = format!("mta-sts.{domain}");
        if config.mta_sts_name_of(domain).is_some() {
            self.add(
                "CNAME",
                zone,
                name.clone(),
                Level::Recommended,
                Data::Cname {
                    target: config.mail_host.to_string(),
                },
                "Where other servers fetch the policy of the record below: front serves it.",
            )
            .condition = Some(match config.tls.mode {
                TlsMode::Cert => format!("your certificate must name {name} too"),
                _ => "the server obtains a certificate for this name once it resolves".to_owned(),
            });
        }
        self.add(
            "MTA-STS",
            zone,
            format!("_mta-sts.{domain}"),
            Level::Recommended,
            Data::Txt { text: format!("v=STSv1; id={id}") },
            "Tells other servers that there is a policy for verified TLS, and by its id when it is another one (RFC 8461 §3.1).",
        )
        .condition = Some(format!("publish it once https://{name}/.well-known/mta-sts.txt answers"));
    }

    /// Agreement to reports about `domain` where they go to another organisation's domain (RFC 9990).
    fn dmarc_reports(&mut self, domain: &EmailDomain) {
        let config = self.config;
        let home = &config.email_domain;
        let none = config.dmarc.rua.is_none() && config.dmarc.ruf.is_none();
        if none || domain.registrable() == home.registrable() {
            return;
        }
        let zone = zone_of(config, home);
        self.add(
            "DMARC-REPORT",
            &zone,
            format!("{domain}._report._dmarc.{home}"),
            Level::Required,
            Data::Txt { text: "v=DMARC1".to_owned() },
            format!("{home} agrees to receive DMARC reports about {domain}. Without it they are not sent (RFC 9990)."),
        );
    }

    /// A domain whose mail is that of `of`: Mailu signs it with the same key.
    fn alternative(&mut self, name: &EmailDomain, of: &EmailDomain) {
        let config = self.config;
        let zone = zone_of(config, name);
        self.mail(&zone, name);
        self.add(
            "DKIM",
            &zone,
            format!("{}._domainkey.{name}", config.dns.selector),
            Level::Required,
            Data::Cname { target: format!("{}._domainkey.{of}", config.dns.selector) },
            format!("Mail from {name} is signed with the key of {of}; this name leads to it, so that a new key is published in one place."),
        );
        self.dmarc(&zone, name);
        self.mta_sts(&zone, name);
        self.tls_reports(&zone, name.as_str(), Level::Recommended);
        self.logo(&zone, name);
    }

    /// A name that neither sends nor receives.
    fn parked(&mut self, name: &EmailDomain) {
        let zone = zone_of(self.config, name);
        let level = Level::Recommended;
        let text = |text: &str| Data::Txt {
            text: text.to_owned(),
        };
        self.add(
            "MX",
            &zone,
            name.as_str(),
            level,
            Data::Mx {
                preference: 0,
                exchange: ".".to_owned(),
            },
            format!("{name} receives no mail (RFC 7505). It must be the only MX record."),
        )
        .condition =
            Some("leave it out if your provider's form refuses `.` as a target".to_owned());
        self.add(
            "SPF",
            &zone,
            name.as_str(),
            level,
            text("v=spf1 -all"),
            format!("Nobody may send for {name}. Names do not inherit this (RFC 7208 §4.3)."),
        );
        self.add(
            "DMARC",
            &zone,
            format!("_dmarc.{name}"),
            level,
            text("v=DMARC1; p=reject;"),
            format!("Mail that pretends to be from {name} is to be refused (RFC 9989)."),
        );
        self.add(
            "DKIM",
            &zone,
            format!("*._domainkey.{name}"),
            Level::Optional,
            text("v=DKIM1; p="),
            format!("Every key of {name} counts as revoked (RFC 6376 §3.6.1)."),
        );
    }

    /// The names of the addresses that mail leaves from.
    fn reverse(&mut self) {
        let config = self.config;
        let own = own(config);
        let host = config.mail_host.to_string();
        for address in leaving(config) {
            let name = reverse::name_of(address);
            let zone = reverse::zone_of(config, &name);
            let why = format!(
                "The name of {address}, from which mail leaves: large receivers refuse mail from addresses without one, or with one that does not lead back. There must be exactly one."
            );
            if own.contains(&address) {
                self.add("PTR", &zone, name, Level::Required, Data::Ptr { target: host.clone() }, why)
                    .condition = Some("set it where you rent the address, mostly in the server's settings under \"reverse DNS\": its zone is the provider's. Where several mail hosts share the address, the name of one is enough".to_owned());
            } else {
                self.push("PTR", &zone, name, Level::Required, None, "PTR", why)
                    .condition = Some(format!(
                    "a name that resolves to {address}, which {host} does not; set it where you rent the address"
                ));
            }
        }
    }

    fn domain(&mut self, domain: &EmailDomain, key: Option<&String>) {
        let config = self.config;
        let host = config.mail_host.to_string();
        let zone = zone_of(config, domain);
        let d = domain.as_str();
        self.mail(&zone, domain);

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

        self.dmarc(&zone, domain);
        self.mta_sts(&zone, domain);
        self.tls_reports(&zone, d, Level::Recommended);
        self.logo(&zone, domain);
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

    /// MX and SPF of a domain whose mail comes and goes here.
    fn mail(&mut self, zone: &str, domain: &EmailDomain) {
        let config = self.config;
        let d = domain.as_str();
        self.add(
            "MX",
            zone,
            d,
            Level::Required,
            Data::Mx { preference: 10, exchange: config.mail_host.to_string() },
            format!("Mail for anybody@{d} goes to this host. Remove MX records of an earlier provider, or it keeps part of the mail."),
        );
        let record = self.add(
            "SPF",
            zone,
            d,
            Level::Required,
            Data::Txt { text: spf(config) },
            format!("Only the mail host may send for {d}. There must be exactly one such record: if one exists, merge the two (RFC 7208 §3.2)."),
        );
        if let Some(relay) = config
            .relay
            .host
            .as_ref()
            .filter(|_| config.dns.spf.is_empty())
        {
            record.condition = Some(format!(
                "mail leaves by way of {relay}: add what its documentation says to `dns.spf`, or receivers refuse it"
            ));
        }
    }

    /// The DMARC record, and what makes its reports come.
    fn dmarc(&mut self, zone: &str, domain: &EmailDomain) {
        let text = dmarc(self.config);
        self.add(
            "DMARC",
            zone,
            format!("_dmarc.{domain}"),
            Level::Required,
            Data::Txt { text },
            "What receivers do with mail that only pretends to be from this domain (RFC 9989). Publish it after SPF and DKIM.",
        );
        self.dmarc_reports(domain);
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

fn public_ipv4(config: &Config) -> Option<std::net::Ipv4Addr> {
    let published = config.ports.address;
    config.dns.ipv4.or_else(|| {
        (config.publishes() && network::is_public(published.into())).then_some(published)
    })
}

fn public_ipv6(config: &Config) -> Option<std::net::Ipv6Addr> {
    let published = config.ports.address6;
    config.dns.ipv6.or_else(|| {
        published.filter(|address| config.publishes() && network::is_public((*address).into()))
    })
}

/// The mail host's addresses that the internet could look up.
fn own(config: &Config) -> Vec<IpAddr> {
    [
        public_ipv4(config).map(IpAddr::from),
        public_ipv6(config).map(IpAddr::from),
    ]
    .into_iter()
    .flatten()
    // Behind NAT.
    .filter(|address| !matches!(address, IpAddr::V4(four) if four.is_private()))
    .collect()
}

/// The addresses that mail leaves from.
pub(super) fn leaving(config: &Config) -> Vec<IpAddr> {
    let mut all = own(config);
    for kind in [IpAddr::is_ipv4, IpAddr::is_ipv6] {
        // Where mail leaves from other addresses, nobody sees the mail host's own of that kind.
        if config.dns.egress.iter().any(kind) {
            all.retain(|address| !kind(address));
            all.extend(config.dns.egress.iter().filter(|address| kind(address)));
        }
    }
    all
}

/// Let's Encrypt's name in CAA records.
pub(super) const LETS_ENCRYPT: &str = "letsencrypt.org";

/// The addresses that mail leaves from, as SPF mechanisms (RFC 7208 §5.6).
fn egress(config: &Config) -> impl Iterator<Item = String> {
    config.dns.egress.iter().map(|address| match address {
        IpAddr::V4(address) => format!("ip4:{address}"),
        IpAddr::V6(address) => format!("ip6:{address}"),
    })
}

fn spf(config: &Config) -> String {
    let mut terms = vec!["v=spf1".to_owned(), "mx".to_owned()];
    terms.extend(egress(config));
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

#[cfg(test)]
mod tests {
    use super::*;

    fn config(more: &str) -> Config {
        let least = "mail_host = \"mail.example.com\"\nemail_domain = \"example.com\"\nadmin_email = \"admin@example.com\"\n";
        Config::from_toml(&format!("{least}{more}"))
            .expect("valid")
            .config
    }

    /// What is said of `name`, as type, level and value.
    fn of(more: &str, name: &str) -> Vec<String> {
        about(&records(&config(more), &PublicKeys::new()), name)
    }

    fn about(records: &[Record], name: &str) -> Vec<String> {
        records
            .iter()
            .filter(|record| record.fqdn == name)
            .map(|record| {
                let value = record
                    .data
                    .as_ref()
                    .map_or("?".to_owned(), Data::presentation);
                format!("{} {:?} {value}", record.kind, record.level)
            })
            .collect()
    }

    #[test]
    fn mta_sts() {
        for off in ["", "mta_sts.max_age = 5"] {
            assert!(
                of(off, "_mta-sts.example.com").is_empty()
                    && of(off, "mta-sts.example.com").is_empty()
            );
        }
        let on = "dns.alternatives = [\"example.net\"]\nmta_sts.mode = \"testing\"";
        let id = mta_sts::id(&config(on)).expect("a policy");
        for domain in ["example.com", "example.net"] {
            assert_eq!(
                of(on, &format!("_mta-sts.{domain}")),
                [format!("TXT Recommended \"v=STSv1; id={id}\"")]
            );
            assert_eq!(
                of(on, &format!("mta-sts.{domain}")),
                ["CNAME Recommended mail.example.com."]
            );
        }
        // A name of the server has its record already.
        let named = format!("hostnames = [\"mta-sts.example.com\"]\n{on}");
        assert_eq!(
            of(&named, "mta-sts.example.com"),
            ["CNAME Required mail.example.com."]
        );
    }

    #[test]
    fn reports_about_tls() {
        let on = "dns.alternatives = [\"example.net\"]\ntls_rpt.rua = [\"tls!rpt@example.com\", \"https://r.example/v1\"]";
        let text = "\"v=TLSRPTv1; rua=mailto:tls%21rpt@example.com,https://r.example/v1\"";
        assert_eq!(
            of(on, "_smtp._tls.example.com"),
            [format!("TXT Recommended {text}")]
        );
        assert_eq!(
            of(on, "_smtp._tls.example.net"),
            [format!("TXT Recommended {text}")]
        );
        assert_eq!(
            of(on, "_smtp._tls.mail.example.com"),
            [format!("TXT Optional {text}")]
        );
        assert!(of("", "_smtp._tls.example.com").is_empty());
    }

    #[test]
    fn a_logo() {
        let on = "dns.alternatives = [\"example.net\"]\nbimi.logo = \"https://www.example.com/logo.svg\"";
        let text = "v=BIMI1; l=https://www.example.com/logo.svg";
        for domain in ["example.com", "example.net"] {
            let name = format!("default._bimi.{domain}");
            assert_eq!(of(on, &name), [format!("TXT Optional \"{text}\"")]);
        }
        let certified = format!("{on}\nbimi.certificate = \"https://www.example.com/vmc.pem\"");
        assert_eq!(
            of(&certified, "default._bimi.example.com"),
            [format!(
                "TXT Optional \"{text}; a=https://www.example.com/vmc.pem\""
            )]
        );
        assert!(of("", "default._bimi.example.com").is_empty());
    }

    #[test]
    fn certificate_authorities() {
        let caa = |more: &str, name: &str| -> Vec<String> {
            let mut all = of(more, name);
            all.retain(|line| line.starts_with("CAA"));
            all.iter()
                .map(|line| line.replace("CAA Recommended ", ""))
                .collect()
        };
        let host = "mail.example.com";
        let ours = "0 issue \"letsencrypt.org;validationmethods=http-01\"";
        // Through Traefik nobody knows which authority it is.
        assert!(caa("", host).is_empty() && caa("tls.mode = \"cert\"", host).is_empty());
        for mode in ["letsencrypt", "passthrough"] {
            let mode = format!("tls.mode = \"{mode}\"\n");
            assert_eq!(caa(&mode, host), [ours, "0 issuewild \";\""]);
            let listed = format!("{mode}dns.caa = [\"ca.example\"]");
            assert_eq!(caa(&listed, host), [ours, "0 issue \"ca.example\""]);
            let said = format!("{mode}dns.caa = [\"letsencrypt.org; accounturi=https://x/1\"]");
            assert_eq!(
                caa(&said, host),
                ["0 issue \"letsencrypt.org; accounturi=https://x/1\""]
            );
            // At the apex they would bind every site of the domain.
            let apex = format!(
                "mail_host = \"example.com\"\nemail_domain = \"example.com\"\nadmin_email = \"a@example.com\"\n{mode}"
            );
            let apex = Config::from_toml(&apex).expect("valid").config;
            let all = records(&apex, &PublicKeys::new());
            assert!(all.iter().all(|record| record.kind != "CAA"));
        }
        assert_eq!(
            caa("dns.caa = [\"ca.example\"]", host),
            ["0 issue \"ca.example\""]
        );
    }

    #[test]
    fn names_of_addresses() {
        let four = "10.113.0.203.in-addr.arpa";
        let on = "dns.ipv4 = \"203.0.113.10\"\ndns.ipv6 = \"2001:db8::25\"\nnetwork.ipv6 = true\nports.address6 = \"2001:db8::25\"\nports.via = \"published\"\n";
        assert_eq!(of(on, four), ["PTR Required mail.example.com."]);
        let six = "5.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa";
        assert_eq!(of(on, six), ["PTR Required mail.example.com."]);
        assert!(of("", four).is_empty());
        // Mail that leaves from elsewhere needs a name that leads there.
        let egress = format!("{on}dns.egress = [\"203.0.113.77\"]");
        assert!(of(&egress, four).is_empty());
        assert_eq!(of(&egress, "77.113.0.203.in-addr.arpa"), ["PTR Required ?"]);
        assert_eq!(of(&egress, six).len(), 1);
    }

    #[test]
    fn who_may_send() {
        let spf = |more: &str, name: &str| -> String {
            of(more, name)
                .into_iter()
                .find(|line| line.contains("v=spf1"))
                .unwrap_or_default()
        };
        assert_eq!(spf("", "example.com"), "TXT Required \"v=spf1 mx -all\"");
        let egress = "dns.egress = [\"203.0.113.77\", \"2001:db8::7\"]\ndns.spf = [\"include:_spf.example.net\"]";
        assert_eq!(
            spf(egress, "example.com"),
            "TXT Required \"v=spf1 mx ip4:203.0.113.77 ip6:2001:db8::7 include:_spf.example.net -all\""
        );
        assert_eq!(
            spf(egress, "mail.example.com"),
            "TXT Recommended \"v=spf1 a ip4:203.0.113.77 ip6:2001:db8::7 -all\""
        );
        let relayed = records(
            &config("relay.host = \"[smtp.example.net]:587\""),
            &PublicKeys::new(),
        );
        let record = relayed
            .iter()
            .find(|record| record.id == "example.com/SPF")
            .expect("SPF");
        assert!(
            record
                .condition
                .as_deref()
                .is_some_and(|text| text.contains("[smtp.example.net]:587"))
        );
    }

    #[test]
    fn alternatives() {
        let on = "email_domains = [\"example.org\"]\ndns.alternatives = [\"example.net\", \"other.test=example.org\"]\ndmarc.rua = \"dmarc\"";
        assert_eq!(
            of(on, "example.net"),
            [
                "MX Required 10 mail.example.com.",
                "TXT Required \"v=spf1 mx -all\""
            ]
        );
        assert_eq!(
            of(on, "dkim._domainkey.example.net"),
            ["CNAME Required dkim._domainkey.example.com."]
        );
        assert_eq!(
            of(on, "dkim._domainkey.other.test"),
            ["CNAME Required dkim._domainkey.example.org."]
        );
        assert_eq!(of(on, "_dmarc.example.net").len(), 1);
        // Reports about domains of other organisations go to ours only if ours agrees.
        for domain in ["example.net", "example.org", "other.test"] {
            assert_eq!(
                of(on, &format!("{domain}._report._dmarc.example.com")),
                ["TXT Required \"v=DMARC1\""]
            );
        }
        let inside = "email_domains = [\"sub.example.com\"]\ndmarc.rua = \"dmarc\"";
        assert!(of(inside, "sub.example.com._report._dmarc.example.com").is_empty());
    }

    /// Two SPF records are none (RFC 7208 §4.5), whatever a name is besides.
    #[test]
    fn one_spf_record_for_each_name() {
        for more in [
            "dns.alternatives = [\"mail.example.com\"]",
            "email_domains = [\"mail.example.com\"]",
            "hostnames = [\"example.net\"]\ndns.alternatives = [\"example.net\"]",
        ] {
            let all = records(&config(more), &PublicKeys::new());
            let mut names: Vec<&str> = all
                .iter()
                .filter(|r| {
                    r.data
                        .as_ref()
                        .is_some_and(|d| d.plain().starts_with("v=spf1"))
                })
                .map(|r| r.fqdn.as_str())
                .collect();
            let count = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), count, "{more}");
        }
    }

    #[test]
    fn parked_names() {
        let on = "dns.parked = [\"parked.example\"]";
        assert_eq!(
            of(on, "parked.example"),
            ["MX Recommended 0 .", "TXT Recommended \"v=spf1 -all\""]
        );
        assert_eq!(
            of(on, "_dmarc.parked.example"),
            ["TXT Recommended \"v=DMARC1; p=reject;\""]
        );
        assert_eq!(
            of(on, "*._domainkey.parked.example"),
            ["TXT Optional \"v=DKIM1; p=\""]
        );
    }

    #[test]
    fn tlsa_needs_a_signed_zone() {
        let config = config("");
        let with = |shown: &Shown| {
            about(
                &records_with(&config, &PublicKeys::new(), Some(shown)),
                "_25._tcp.mail.example.com",
            )
        };
        let mut shown = Shown::default();
        assert!(with(&shown).is_empty());
        shown.signed = true;
        assert_eq!(with(&shown), ["TLSA Optional ?"]);
        let names = vec!["mail.example.com".to_owned()];
        let own = rcgen::generate_simple_self_signed(names).expect("a certificate");
        shown.chains = vec![vec![own.cert.der().to_vec()]];
        assert_eq!(with(&shown), ["TLSA Optional ?"]);
    }

    #[test]
    fn ids_are_unique() {
        let on = "email_domains = [\"example.org\"]\nhostnames = [\"mx.example.com\"]\nservices.webdav = true\ndns.ipv4 = \"203.0.113.10\"\ntls.mode = \"letsencrypt\"\ndns.caa = [\"a.example\", \"b.example\"]\ndns.parked = [\"p.example\"]\ndns.alternatives = [\"q.example\"]\nmta_sts.mode = \"testing\"\ntls_rpt.rua = [\"t@example.com\"]\ndmarc.rua = \"d\"\nbimi.logo = \"https://x.example/l.svg\"";
        let all = records(&config(on), &PublicKeys::new());
        let ids: BTreeSet<&str> = all.iter().map(|record| record.id.as_str()).collect();
        assert_eq!(ids.len(), all.len());
    }
}
