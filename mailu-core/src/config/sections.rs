//! The sections of `mailu.toml`, their keys and defaults.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

use super::ports::MailPort;
use super::units::{
    AgeRecipient, Alternative, Bytes, CaaIssuer, Cidr, Delimiters, FilePath, HttpUrl, HttpsUrl,
    ImageRef, Language, Line, Prefix, RateLimit, Registry, RelayHost, ReportUri, SpfTerm, Text,
    UrlPath,
};
use super::value::{choice, parsed, section};
use crate::diagnose::IgnoreRule;
use crate::names::{EmailAddress, EmailDomain, LocalPart, MailHost, ObjectName, Selector};

choice! {
    /// Who terminates TLS, and where the certificate comes from.
    pub enum TlsMode {
        /// Traefik terminates HTTPS and obtains the certificate; mail ports get a copy of it.
        Traefik = "traefik",
        /// Traefik passes TLS through by server name; Mailu obtains its own certificate from Let's Encrypt.
        Passthrough = "passthrough",
        /// No proxy: Mailu holds ports 80 and 443 and obtains its own certificate from Let's Encrypt.
        Letsencrypt = "letsencrypt",
        /// No proxy: the certificate comes from files of yours.
        Cert = "cert",
        /// No encryption at all. For tests.
        None = "none",
    }
}

impl TlsMode {
    /// Whether web traffic reaches front through Traefik.
    pub fn behind_traefik(self) -> bool {
        matches!(self, Self::Traefik | Self::Passthrough)
    }

    /// Whether Mailu itself talks to Let's Encrypt.
    pub fn own_acme(self) -> bool {
        matches!(self, Self::Passthrough | Self::Letsencrypt)
    }

    /// Whether front reads `cert.pem` and `key.pem`, which must then exist before its first start:
    /// its Dovecot dies without them and never comes back.
    pub fn needs_seed(self) -> bool {
        matches!(self, Self::Traefik | Self::Cert)
    }
}

choice! {
    /// How the mail ports are reached from outside.
    pub enum Via {
        /// Through Traefik's TCP entry points, with PROXY protocol.
        Traefik = "traefik",
        /// Published by Docker on an address of the host.
        Published = "published",
    }
}

choice! {
    /// The webmail that is served below `web.webmail_path`.
    pub enum Webmail {
        /// Roundcube.
        Roundcube = "roundcube",
        /// SnappyMail, the successor of RainLoop.
        Snappymail = "snappymail",
        /// None.
        None = "none",
    }
}

choice! {
    /// What receivers are asked to do with mail that fails DMARC (RFC 9989 §4.7).
    pub enum DmarcPolicy {
        /// Nothing; only report.
        None = "none",
        /// Treat as suspicious.
        Quarantine = "quarantine",
        /// Refuse.
        Reject = "reject",
    }
}

choice! {
    /// How closely the authenticated domain must match the `From` domain (RFC 9989 §4.7).
    pub enum Alignment {
        /// Exactly.
        Strict = "strict",
        /// Same organisation.
        Relaxed = "relaxed",
    }
}

choice! {
    /// What the SPF record says about everybody else (RFC 7208 §5.1).
    pub enum SpfAll {
        /// `-all`: refuse.
        Fail = "fail",
        /// `~all`: accept, with suspicion.
        Softfail = "softfail",
    }
}

choice! {
    /// What other servers do that cannot deliver here over verified TLS (RFC 8461 §5).
    pub enum MtaStsMode {
        /// No policy is published.
        Off = "off",
        /// They deliver, and report.
        Testing = "testing",
        /// They do not deliver.
        Enforce = "enforce",
        /// The policy is withdrawn (RFC 8461 §8.3).
        None = "none",
    }
}

choice! {
    /// How mail is compressed on disk.
    pub enum Compression {
        /// Not.
        None = "none",
        /// gzip.
        Gz = "gz",
        /// bzip2.
        Bz2 = "bz2",
        /// Zstandard.
        Zstd = "zstd",
    }
}

choice! {
    /// Docker's log driver. `docker logs` reads all three.
    pub enum LogDriver {
        /// Files beside the container, rotated at 10 MB, five kept.
        JsonFile = "json-file",
        /// Docker's compact files, rotated.
        Local = "local",
        /// systemd's journal; the host must have one.
        Journald = "journald",
    }
}

choice! {
    /// Threshold of Mailu's own log lines.
    pub enum LogLevel {
        /// Only what stops a service.
        Critical = "critical",
        /// Failures.
        Error = "error",
        /// Doubtful things.
        Warning = "warning",
        /// Logins and deliveries too. Monitoring needs it.
        Info = "info",
        /// Everything.
        Debug = "debug",
    }
}

section! {
    /// `[tls]`
    pub struct Tls {
        /// Who terminates TLS: `traefik`, `passthrough`, `letsencrypt`, `cert` or `none`.
        mode: TlsMode = TlsMode::Traefik,
        /// Mode `cert`: the certificate chain, PEM. Copied into the deployment at every `apply`.
        certificate: Option<FilePath> = None,
        /// Mode `cert`: the private key, PEM.
        key: Option<FilePath> = None,
    }
}

section! {
    /// `[traefik.entrypoints]`: the names of Traefik's entry points.
    pub struct EntryPoints {
        /// Port 80.
        web: ObjectName = parsed("web"),
        /// Port 443.
        websecure: ObjectName = parsed("websecure"),
        /// Port 25.
        smtp: ObjectName = parsed("smtp"),
        /// Port 465.
        submissions: ObjectName = parsed("submissions"),
        /// Port 587.
        submission: ObjectName = parsed("submission"),
        /// Port 993.
        imaps: ObjectName = parsed("imaps"),
        /// Port 143.
        imap: ObjectName = parsed("imap"),
        /// Port 995.
        pop3s: ObjectName = parsed("pop3s"),
        /// Port 110.
        pop3: ObjectName = parsed("pop3"),
        /// Port 4190.
        sieve: ObjectName = parsed("sieve"),
    }
}

impl EntryPoints {
    /// The entry point for a mail port.
    pub fn for_port(&self, port: MailPort) -> &ObjectName {
        match port {
            MailPort::Smtp => &self.smtp,
            MailPort::Pop3 => &self.pop3,
            MailPort::Imap => &self.imap,
            MailPort::Submissions => &self.submissions,
            MailPort::Submission => &self.submission,
            MailPort::Imaps => &self.imaps,
            MailPort::Pop3s => &self.pop3s,
            MailPort::Sieve => &self.sieve,
        }
    }
}

section! {
    /// `[traefik]`: where Traefik lives.
    pub struct Traefik {
        /// The Docker network that Traefik and front share. Nothing else belongs in it.
        network: ObjectName = parsed(DEFAULT_PROXY_NETWORK),
        /// The subnet of that network. Drawn from the pool for the default network; its second quarter is for Traefik.
        subnet: Option<Ipv4Net> = None,
        /// Front's fixed address in that network. Drawn from the upper half of `subnet`.
        address: Option<Ipv4Addr> = None,
        /// Whose word about client addresses front believes. Default: Traefik's part of `subnet`. Set it for a network that you made.
        trusted: Vec<Cidr> = Vec::new(),
        /// Traefik's certificate resolver.
        resolver: ObjectName = parsed("letsencrypt"),
        /// Traefik's ACME store on the host, from which the certificate for the mail ports is taken.
        acme_store: Option<FilePath> = None,
        /// Where a Traefik that `install --with-deps` installs gets certificates: an ACME directory. Default: Let's Encrypt.
        acme_ca: Option<HttpUrl> = None,
        /// The names of Traefik's entry points.
        entrypoints: EntryPoints = EntryPoints::default(),
    }
}

section! {
    /// `[ports]`: the mail ports and how they are reached.
    pub struct Ports {
        /// Mail ports to offer, out of 25 110 143 465 587 993 995 4190.
        mail: Vec<MailPort> = MailPort::DEFAULT.to_vec(),
        /// `traefik` or `published`. Default: as web traffic.
        via: Option<Via> = None,
        /// The host's IPv4 address on which Docker publishes ports.
        address: Ipv4Addr = Ipv4Addr::UNSPECIFIED,
        /// The host's IPv6 address on which Docker publishes ports. Needs `network.ipv6`.
        address6: Option<Ipv6Addr> = None,
    }
}

section! {
    /// `[services]`: what runs.
    pub struct Services {
        /// `roundcube`, `snappymail` or `none`. `rainloop` is read as `snappymail`.
        webmail: Webmail = Webmail::Roundcube,
        /// Serve the admin interface.
        admin: bool = true,
        /// Serve the REST API to the outside. Inside, it always runs.
        api: bool = false,
        /// Rspamd. Always on: it also signs DKIM, and Postfix defers mail without it.
        antispam: bool = true,
        /// ClamAV. Needs 3 GB of memory in all.
        antivirus: bool = true,
        /// Refuse documents with dangerous macros (oletools).
        macro_scan: bool = true,
        /// Full-text search over IMAP.
        search: bool = true,
        /// Search inside attachments (Apache Tika). Needs 1 to 2 GB of memory more.
        search_attachments: bool = false,
        /// Calendars and contacts (Radicale).
        webdav: bool = false,
        /// Let users fetch mail from other servers.
        fetchmail: bool = false,
        /// A DNSSEC-validating resolver (unbound). Mailu's admin does not start without one.
        resolver: bool = true,
        /// Let Mailu count this installation by a DNS query.
        statistics: bool = false,
    }
}

section! {
    /// `[web]`: the web interfaces.
    pub struct Web {
        /// Name shown in the interfaces.
        site_name: Line = parsed("Mailu"),
        /// Link shown in the interfaces. Default: `https://` and the email domain.
        website: Option<HttpUrl> = None,
        /// Path of the admin interface.
        admin_path: UrlPath = parsed("/admin"),
        /// Path of the webmail.
        webmail_path: UrlPath = parsed("/webmail"),
        /// Path of the REST API. Front takes it for every address that contains it.
        api_path: UrlPath = parsed("/api"),
        /// Where `/` leads. Default: the webmail, else the admin interface.
        root_redirect: Option<UrlPath> = None,
    }
}

section! {
    /// `[mail]`: how mail is treated.
    pub struct Mail {
        /// Characters that separate a mailbox from a tag: `jane+shop@example.com`.
        recipient_delimiter: Delimiters = parsed("+"),
        /// Compression of stored mail: `none`, `gz`, `bz2` or `zstd`.
        compression: Compression = Compression::None,
        /// Its level, 1 to 9.
        compression_level: Option<u8> = None,
        /// Languages for full-text search.
        search_languages: Vec<Language> = vec![parsed("en")],
        /// Score in percent from which mail counts as spam for a new user.
        spam_threshold: u8 = 80,
        /// Seconds between two fetches from other servers.
        fetchmail_delay: u32 = 600,
        /// Refuse unknown local recipients of authenticated senders at once instead of bouncing.
        reject_unlisted_recipient: bool = false,
    }
}

section! {
    /// `[network]`: Docker networks. Drawn once from the pool, then kept.
    pub struct Network {
        /// Where subnets are drawn from: one /24 for each deployment, the last one for Traefik's network.
        pool: Vec<Ipv4Net> = DEFAULT_POOL.to_vec(),
        /// The main network: Mailu's SUBNET. Whatever has an address in it may relay.
        subnet: Option<Ipv4Net> = None,
        /// The network through which published ports enter.
        access: Option<Ipv4Net> = None,
        /// The webmail's network.
        webmail: Option<Ipv4Net> = None,
        /// The WebDAV server's network.
        radicale: Option<Ipv4Net> = None,
        /// The virus scanner's network.
        clamav: Option<Ipv4Net> = None,
        /// The macro scanner's network.
        oletools: Option<Ipv4Net> = None,
        /// The attachment reader's network.
        fts_attachments: Option<Ipv4Net> = None,
        /// Give the main network IPv6.
        ipv6: bool = false,
        /// Its IPv6 subnet: Mailu's SUBNET6. Default: a unique local one derived from the mail host.
        subnet6: Option<Ipv6Net> = None,
    }
}

section! {
    /// `[limits]`
    pub struct Limits {
        /// Quota of a new mailbox. `0` is unlimited.
        quota: Bytes = Bytes(25_000_000_000),
        /// Largest message, encoded. Attachments can be about a third smaller.
        message_size: Bytes = Bytes(50_000_000),
        /// Recipients that one user may write to.
        messages: RateLimit = parsed("200/day"),
        /// Users for whom `messages` does not count: those by which newsletters go out. `mailu integrate APP --exempt` adds an app's.
        exempt: Vec<EmailAddress> = Vec::new(),
        /// Failed logins by unknown accounts from one network (/24, IPv6 /48).
        auth_per_ip: RateLimit = parsed("5/hour"),
        /// Failed logins of one account.
        auth_per_user: RateLimit = parsed("50/day"),
    }
}

section! {
    /// `[welcome]`: a message to each new user.
    pub struct Welcome {
        /// Send it. Only users made in the web interface get it.
        enabled: bool = false,
        /// Its subject.
        subject: Line = parsed("Welcome to your new email account"),
        /// Its text.
        body: Text = parsed("Welcome to your new email account, if you can read this, then it is configured properly!"),
    }
}

section! {
    /// `[relay]`: another server that takes outgoing mail, and networks that may send without a password.
    pub struct Relay {
        /// `[host]:port`. Empty: deliver directly.
        host: Option<RelayHost> = None,
        /// User at that server. The password is a secret: `mailu install --relay-password-file FILE`.
        user: Option<Line> = None,
        /// Networks whose hosts may send without a password.
        networks: Vec<Cidr> = Vec::new(),
    }
}

section! {
    /// `[dmarc]`: the DMARC record.
    pub struct Dmarc {
        /// `none`, `quarantine` or `reject`.
        policy: DmarcPolicy = DmarcPolicy::Reject,
        /// The same for subdomains.
        subdomain_policy: DmarcPolicy = DmarcPolicy::Reject,
        /// DKIM alignment: `strict` or `relaxed`.
        dkim_alignment: Alignment = Alignment::Strict,
        /// SPF alignment: `strict` or `relaxed`.
        spf_alignment: Alignment = Alignment::Strict,
        /// Mailbox for aggregate reports, by its part before the `@`, at the email domain.
        rua: Option<LocalPart> = None,
        /// Mailbox for failure reports.
        ruf: Option<LocalPart> = None,
    }
}

section! {
    /// `[mta_sts]`: the policy by which other servers deliver here over verified TLS only (RFC 8461).
    pub struct MtaSts {
        /// `off`, `testing` (failures are only reported, see `tls_rpt.rua`), `enforce` (other servers keep mail back unless the
        /// certificate on port 25 is valid) or `none` (withdraws a policy: keep it for the old `max_age` before `off`). Front serves
        /// the policy as `https://mta-sts.` and each email domain, so those names must lead here. Off by default: a wrong policy
        /// keeps mail away for as long as `max_age`, so begin with `testing`.
        mode: MtaStsMode = MtaStsMode::Off,
        /// Seconds that other servers keep the policy, at most 31557600. Short ones protect little: use weeks with `enforce`.
        max_age: u32 = 604_800,
    }
}

section! {
    /// `[bimi]`: the logo that mail programs show beside mail that passes DMARC (draft-brand-indicators-for-message-identification).
    pub struct Bimi {
        /// Where it lies: a square SVG of the profile Tiny PS. Without it there is no record.
        logo: Option<HttpsUrl> = None,
        /// Where the certificate for it lies (VMC or CMC, PEM). Gmail and Apple show no logo without one.
        certificate: Option<HttpsUrl> = None,
    }
}

section! {
    /// `[tls_rpt]`: reports about deliveries over TLS that failed (RFC 8460).
    pub struct TlsRpt {
        /// Where other servers send them, once a day: mail addresses or https addresses. Empty: no reports.
        rua: Vec<ReportUri> = Vec::new(),
    }
}

section! {
    /// `[dns]`: what the DNS records need to know.
    pub struct Dns {
        /// The server's public IPv4 address.
        ipv4: Option<Ipv4Addr> = None,
        /// The server's public IPv6 address. Only if mail works over it both ways.
        ipv6: Option<Ipv6Addr> = None,
        /// Seconds that resolvers may keep a record.
        ttl: u32 = 3600,
        /// DKIM selector.
        selector: Selector = parsed("dkim"),
        /// More mechanisms for the SPF record, before `all`: what else sends for these domains.
        spf: Vec<SpfTerm> = Vec::new(),
        /// `fail` (`-all`) or `softfail` (`~all`).
        spf_all: SpfAll = SpfAll::Fail,
        /// Addresses that mail leaves from, where they are not the mail host's: NAT, a second address. They come into SPF records.
        egress: Vec<IpAddr> = Vec::new(),
        /// Certificate authorities that may issue for the mail host, by their names in CAA records. Where Mailu gets the certificate
        /// itself (modes `letsencrypt` and `passthrough`), Let's Encrypt is among them anyway. List every one that Traefik uses.
        caa: Vec<CaaIssuer> = Vec::new(),
        /// Domains whose mail is that of an email domain (Mailu's alternatives): `example.net`, or `example.net=example.org` where
        /// it is not that of `email_domain`. Only for their DNS records: Mailu's admin interface makes the alternative.
        alternatives: Vec<Alternative> = Vec::new(),
        /// Names that neither send nor receive mail: their records say so, and nobody can pretend to be them.
        parked: Vec<EmailDomain> = Vec::new(),
        /// Serve automatic client setup below `autoconfig.` and `autodiscover.` of each email domain.
        autoconfig: bool = true,
        /// Zones that you have. Default: each name's registrable domain.
        zones: Vec<EmailDomain> = Vec::new(),
        /// Name servers for the SOA and NS lines of complete zone files.
        nameservers: Vec<MailHost> = Vec::new(),
    }
}

section! {
    /// `[diagnose]`
    pub struct Diagnose {
        /// Findings of `mailu diagnose` to live with: `spf.all@example.com until 2027-01-31: the newsletter service is being moved`.
        ignore: Vec<IgnoreRule> = Vec::new(),
    }
}

section! {
    /// `[backup]`
    pub struct Backup {
        /// Where archives are written. Default: `backups/mailu/…` below the root.
        directory: Option<FilePath> = None,
        /// Public keys of age (`age1…`): archives can be read only by whoever has one of the secret keys, which do not belong on this host.
        recipients: Vec<AgeRecipient> = Vec::new(),
        /// How many of the newest archives are kept.
        keep_last: u32 = 3,
        /// For how many days the last archive of each is kept.
        keep_daily: u32 = 7,
        /// For how many weeks.
        keep_weekly: u32 = 4,
        /// For how many months.
        keep_monthly: u32 = 6,
    }
}

section! {
    /// `[images]`: where images come from.
    pub struct Images {
        /// Registry and organisation of Mailu's images.
        registry: Registry = parsed("ghcr.io/mailu"),
        /// Text before each of their names.
        prefix: Prefix = parsed(""),
        /// Traefik, where `install --with-deps` installs one.
        traefik: ImageRef = parsed("traefik:v3.7.13"),
        /// Redis.
        redis: ImageRef = parsed("redis:7.4.9-alpine"),
        /// ClamAV.
        clamav: ImageRef = parsed("clamav/clamav-debian:1.4.6"),
        /// Apache Tika.
        tika: ImageRef = parsed("apache/tika:3.2.3.0-full"),
    }
}

section! {
    /// `[logs]`
    pub struct Logs {
        /// Docker's log driver: `json-file`, `local` or `journald`.
        driver: LogDriver = LogDriver::JsonFile,
        /// Mailu's threshold: `critical`, `error`, `warning`, `info` or `debug`.
        level: LogLevel = LogLevel::Info,
    }
}

/// Name of the Docker network that Traefik and the fronts share unless another is configured.
pub const DEFAULT_PROXY_NETWORK: &str = "mailu_proxy";

/// Where subnets come from unless `network.pool` says otherwise.
pub const DEFAULT_POOL: [Ipv4Net; 2] = [
    Ipv4Net::new_assert(Ipv4Addr::new(10, 203, 0, 0), 16),
    Ipv4Net::new_assert(Ipv4Addr::new(192, 168, 192, 0), 19),
];
