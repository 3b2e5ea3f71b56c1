//! Bad input: each case names key, value, rule and fix, and nothing is written.

use crate::support::{Root, SMALL};

/// Lines added to the small configuration, the key that is named, the value that is shown (empty: none), a word of the rule.
#[rustfmt::skip]
const CASES: &[(&str, &str, &str, &str)] = &[
    // Names.
    ("mail_host = \"\"", "mail_host", "", "must not be empty"),
    ("mail_host = \"mail\"", "mail_host", "mail", "fully qualified"),
    ("mail_host = \"192.0.2.1\"", "mail_host", "192.0.2.1", "not an IP address"),
    ("mail_host = \"*.example.com\"", "mail_host", "*.example.com", "not a wildcard"),
    ("mail_host = \"https://mail.example.com\"", "mail_host", "https://mail.example.com", "not a URL"),
    ("mail_host = \"mail example.com\"", "mail_host", "mail example.com", "spaces"),
    ("mail_host = \"mail_1.example.com\"", "mail_host", "mail_1.example.com", "RFC 1123"),
    ("mail_host = \"-mail.example.com\"", "mail_host", "-mail.example.com", "inner hyphens"),
    ("mail_host = \"mail..example.com\"", "mail_host", "mail..example.com", "host name"),
    ("mail_host = \"mail.example.123\"", "mail_host", "mail.example.123", "all-numeric"),
    ("mail_host = \"💌.example.com\"", "mail_host", "💌.example.com", "IDNA 2008"),
    ("mail_host = 5", "mail_host", "5", "text in quotes"),
    ("mail_host = [\"mail.example.com\"]", "mail_host", "[…]", "found a list"),
    ("email_domain = \"info@example.com\"", "email_domain", "info@example.com", "not a mail address"),
    ("email_domain = \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.com\"", "email_domain", "aaaa", "80 octets"),
    ("admin_email = \"admin\"", "admin_email", "admin", "with an `@`"),
    ("admin_email = \"ad min@example.com\"", "admin_email", "ad min@example.com", "local part"),
    ("admin_email = \"boss@agency.net\"", "admin_email", "boss@agency.net", "in an email domain of this deployment"),
    ("client = \"Tenant 1\"", "client", "Tenant 1", "lower-case"),
    ("client = \"../x\"", "client", "../x", "folder and container names"),
    ("project = \"_x\"", "project", "_x", "Compose's rule"),
    ("hostnames = [\"mail.example.com\"]", "hostnames[0]", "mail.example.com", "must not repeat"),
    ("hostnames = \"webmail.example.com\"", "hostnames", "webmail.example.com", "a list"),
    ("email_domains = [\"example.org\", \"example.org\"]", "email_domains[1]", "example.org", "must not repeat"),
    ("postmaster = \"post master\"", "postmaster", "post master", "local part"),
    ("version = \"latest\"", "version", "latest", "a tag that moves"),
    ("version = \"2024.06\"", "version", "2024.06", "pinned"),
    ("version = \"2.0.45\"", "version", "2.0.45", "no longer maintained"),
    ("version = \"2024.06.1\"", "version", "2024.06.1", "at least `2024.06.33`"),
    ("timezone = \"Berlin time\"", "timezone", "Berlin time", "tz database"),
    ("project = \"0--x\"\nports.via = \"published\"", "project", "0--x", "must not sort before"),
    // TLS and Traefik.
    ("tls.mode = \"selfsigned\"", "tls.mode", "selfsigned", "must be one of"),
    ("tls.certificate = \"/etc/ssl/mail.pem\"", "tls.certificate", "", "only read in mode `cert`"),
    ("[tls]\nmode = \"cert\"\nkey = \"/etc/ssl/mail.key\"", "tls.certificate", "", "of no use without the other"),
    ("[tls]\nmode = \"cert\"\nkey = \"mail.key\"\ncertificate = \"/x\"", "tls.key", "mail.key", "absolute path"),
    ("traefik.network = \"agency-network\"", "traefik.trusted", "", "every container in it can relay"),
    ("traefik.network = \"a b\"", "traefik.network", "a b", "object names"),
    ("traefik.trusted = [\"0.0.0.0/0\"]", "traefik.trusted[0]", "0.0.0.0/0", "pretend to be any client"),
    ("traefik.trusted = [\"172.20.0.5/16\"]", "traefik.trusted[0]", "172.20.0.5/16", "172.20.0.0/16"),
    ("[traefik]\nnetwork = \"0-agency\"\ntrusted = [\"172.20.0.5\"]\n[ports]\nvia = \"published\"", "traefik.network", "0-agency", "must not sort before"),
    ("[traefik]\nnetwork = \"agency-network\"\ntrusted = [\"172.20.0.0/24\"]", "traefik.trusted[0]", "172.20.0.0/24", "at most /28"),
    ("[traefik]\nnetwork = \"agency-network\"\ntrusted = [\"2001:db8::/120\"]", "traefik.trusted[0]", "2001:db8::/120", "at most /124"),
    ("traefik.resolver = \"le`s\"", "traefik.resolver", "le`s", "object names"),
    ("[traefik.entrypoints]\nsmtp = \"imap\"", "traefik.entrypoints.imap", "imap", "must differ"),
    ("[traefik]\nsubnet = \"10.203.255.0/24\"\naddress = \"10.203.254.9\"", "traefik.address", "10.203.254.9", "inside `traefik.subnet`"),
    ("[traefik]\nsubnet = \"10.203.255.0/24\"\naddress = \"10.203.255.70\"", "traefik.address", "10.203.255.70", "outside what front trusts"),
    // Ports.
    ("ports.mail = [25, 26]", "ports.mail[1]", "26", "mail port"),
    ("ports.mail = [25, 443]", "ports.mail[1]", "443", "mail port"),
    ("ports.mail = [25, 25]", "ports.mail[1]", "25", "must not repeat"),
    ("ports.mail = [25, 99999]", "ports.mail[1]", "99999", "between 0 and 65535"),
    ("ports.mail = 25", "ports.mail", "25", "a list"),
    ("[tls]\nmode = \"letsencrypt\"\n[ports]\nvia = \"traefik\"", "ports.via", "traefik", "cannot be `traefik`"),
    ("ports.address = \"203.0.113.10\"", "ports.address", "203.0.113.10", "no effect"),
    ("ports.address = \"203.0.113.300\"", "ports.address", "203.0.113.300", "IPv4 address"),
    ("[tls]\nmode = \"letsencrypt\"\n[ports]\naddress6 = \"2001:db8::1\"", "ports.address6", "2001:db8::1", "every one of them looks local"),
    // Services.
    ("services.webmail = \"horde\"", "services.webmail", "horde", "must be one of"),
    ("services.antispam = false", "services.antispam", "false", "defers all mail"),
    ("services.antivirus = \"no\"", "services.antivirus", "no", "true or false"),
    ("[services]\nsearch = false\nsearch_attachments = true", "services.search_attachments", "true", "full-text index"),
    ("mail.search_languages = []", "mail.search_languages", "[]", "at least one language"),
    ("mail.search_languages = [\"english\"]", "mail.search_languages[0]", "english", "language code"),
    ("mail.search_languages = [\"en\", \"pl\"]", "mail.search_languages[1]", "pl", "ru, sv or tr"),
    ("version = \"2024.06.51\"\nservices.api = true", "services.api", "true", "CVE-2026-49217"),
    ("mail.compression = \"lzma\"", "mail.compression", "lzma", "must be one of"),
    ("mail.compression_level = 3", "mail.compression_level", "3", "no effect"),
    ("mail.recipient_delimiter = \"#\"", "mail.recipient_delimiter", "#", "Dovecot's"),
    ("admin_email = \"first.last@example.com\"\nmail.recipient_delimiter = \"+.\"", "mail.recipient_delimiter", "+.", "would go to `first`"),
    ("admin_email = \"admin+x@example.com\"", "mail.recipient_delimiter", "+", "would go to `admin`"),
    ("mail.spam_threshold = 101", "mail.spam_threshold", "101", "between 0 and 100"),
    ("mail.fetchmail_delay = 5", "mail.fetchmail_delay", "5", "at least 60"),
    // Web.
    ("web.admin_path = \"admin\"", "web.admin_path", "admin", "start with a slash"),
    ("web.webmail_path = \"/webmail/\"", "web.webmail_path", "/webmail/", "not end in a slash"),
    ("web.webmail_path = \"/a; return 200\"", "web.webmail_path", "/a; return 200", "nginx"),
    ("web.admin_path = \"/\"", "web.admin_path", "/", "every request"),
    ("web.admin_path = \"/sso\"", "web.admin_path", "/sso", "front uses itself"),
    ("web.webmail_path = \"/admin/mail\"", "web.webmail_path", "/admin/mail", "must not lie below"),
    ("[services]\nwebmail = \"none\"\n[web]\nroot_redirect = \"/webmail\"", "web.root_redirect", "/webmail", "switched off"),
    ("web.website = \"example.com\"", "web.website", "example.com", "URL"),
    ("web.site_name = \"a\\nb\"", "web.site_name", "a\\nb", "one line"),
    // Limits.
    ("limits.quota = \"much\"", "limits.quota", "much", "must be a size"),
    ("limits.quota = -1", "limits.quota", "-1", "negative"),
    ("limits.quota = \"10MB\"", "limits.quota", "10000000", "cannot hold one message"),
    ("limits.message_size = \"1kB\"", "limits.message_size", "1000", "between 1 MB and 2 GB"),
    ("limits.messages = \"\"", "limits.messages", "", "answers 500"),
    ("limits.auth_per_ip = \"5 per fortnight\"", "limits.auth_per_ip", "5 per fortnight", "answers 500"),
    ("limits.auth_per_user = \"0/day\"", "limits.auth_per_user", "0/day", "above 0"),
    ("limits.messages = \"10/hour;200/day\"", "limits.messages", "10/hour;200/day", "the first of several"),
    ("limits.auth_per_user = \"10/hour, 50/day\"", "limits.auth_per_user", "10/hour, 50/day", "the first of several"),
    ("limits.exempt = [\"newsletter\"]", "limits.exempt[0]", "newsletter", "@"),
    ("env.MESSAGE_RATELIMIT_EXEMPTION = \"a@example.com\"", "env.MESSAGE_RATELIMIT_EXEMPTION", "a@example.com", "is set by `limits.exempt`"),
    // Relay.
    ("relay.host = \"[smtp.example.net]:465\"", "relay.host", "[smtp.example.net]:465", "use 587"),
    ("relay.host = \"smtp\"", "relay.host", "smtp", "[host]:port"),
    ("relay.user = \"agency\"", "relay.user", "agency", "without `relay.host`"),
    ("relay.networks = [\"0.0.0.0/0\"]", "relay.networks[0]", "0.0.0.0/0", "open relay"),
    ("relay.networks = [\"0.0.0.0/1\", \"128.0.0.0/1\"]", "relay.networks[1]", "128.0.0.0/1", "open relay"),
    ("relay.networks = [\"::1\"]", "relay.networks[0]", "::1/128", "begin with a colon"),
    // Also where the network is drawn only now.
    ("[relay]\nnetworks = [\"10.77.0.0/16\"]\n[network]\npool = [\"10.77.0.0/16\"]\n[traefik]\nsubnet = \"10.78.0.0/24\"", "relay.networks[0]", "10.77.0.0/16", "may relay already"),
    ("[relay]\nnetworks = [\"10.8.0.1\"]\n[network]\naccess = \"10.8.0.0/28\"", "relay.networks[0]", "10.8.0.1/32", "`network.access` (10.8.0.0/28)"),
    ("relay.networks = [\"10.203.0.0/16\"]", "relay.networks[0]", "10.203.0.0/16", "must not contain Traefik's network"),
    ("[relay]\nnetworks = [\"10.8.0.32/27\"]\n[network]\nwebmail = \"10.8.0.48/28\"", "relay.networks[0]", "10.8.0.32/27", "`network.webmail` (10.8.0.48/28)"),
    ("[relay]\nnetworks = [\"fd00:0:0:6::/64\"]\n[network]\nipv6 = true\nsubnet6 = \"fd00:0:0:5::/64\"\n[ports]\nvia = \"published\"\naddress6 = \"2001:db8::1\"", "relay.networks[0]", "fd00:0:0:6::/64", "where Docker loses a client's address"),
    ("relay.password = \"hunter2hunter2\"", "relay.password", "", "secrets are not kept"),
    ("admin_password = \"hunter2hunter2\"", "admin_password", "", "secrets are not kept"),
    ("relay.pasword = \"hunter2hunter2\"", "relay.pasword", "", "secrets are not kept"),
    // DNS.
    ("dns.ipv4 = \"127.0.0.1\"", "dns.ipv4", "127.0.0.1", "the internet reaches"),
    ("dns.ipv6 = \"::1\"", "dns.ipv6", "::1", "the internet reaches"),
    ("dns.ttl = 5", "dns.ttl", "5", "between 60 and 86400"),
    ("dns.selector = \"a_b\"", "dns.selector", "a_b", "RFC 6376"),
    ("dns.spf = [\"-all\"]", "dns.spf[0]", "-all", "RFC 7208"),
    ("dns.spf = [\"mx\"]", "dns.spf", "mx", "by itself already"),
    ("dns.spf = [\"include:a.example\", \"include:b.example\", \"include:c.example\", \"include:d.example\", \"include:e.example\", \"include:f.example\", \"include:g.example\", \"include:h.example\", \"include:i.example\", \"include:j.example\"]", "dns.spf", "11", "more than ten times"),
    ("dmarc.policy = \"strict\"", "dmarc.policy", "strict", "must be one of"),
    // Networks.
    ("network.subnet = \"10.203.0.5/24\"", "network.subnet", "10.203.0.5/24", "10.203.0.0/24"),
    ("network.subnet = \"192.0.2.0/24\"", "network.subnet", "192.0.2.0/24", "RFC 1918"),
    ("network.subnet = \"10.0.0.0/30\"", "network.subnet", "10.0.0.0/30", "between /12 and /28"),
    ("network.subnet = \"fd00::/64\"", "network.subnet", "fd00::/64", "IPv4 network"),
    ("[network]\nsubnet = \"10.9.0.0/24\"\nwebmail = \"10.9.0.64/28\"", "network.webmail", "10.9.0.64/28", "must not overlap `network.subnet`"),
    ("[network]\nsubnet = \"10.203.255.0/24\"\n[traefik]\nsubnet = \"10.203.255.0/24\"", "network.subnet", "10.203.255.0/24", "may relay"),
    ("network.pool = []", "network.pool", "[]", "at least one network"),
    ("network.pool = [\"10.0.0.0/28\"]", "network.pool[0]", "10.0.0.0/28", "between /8 and /24"),
    ("network.subnet6 = \"fd00::/64\"", "network.subnet6", "fd00::/64", "no effect while"),
    // What other servers are told.
    ("mta_sts.mode = \"on\"", "mta_sts.mode", "on", "must be one of"),
    ("mta_sts.max_age = 31557601", "mta_sts.max_age", "31557601", "between 1 and 31557600"),
    ("mta_sts.max_age = 0", "mta_sts.max_age", "0", "RFC 8461"),
    ("mta_sts.mode = \"testing\"\ntls.mode = \"none\"", "mta_sts.mode", "testing", "needs TLS"),
    ("tls_rpt.rua = \"tlsrpt@example.com\"", "tls_rpt.rua", "tlsrpt@example.com", "must be a list"),
    ("bimi.logo = \"http://x.example/l.svg\"", "bimi.logo", "http://x.example/l.svg", "must be an https address"),
    ("tls_rpt.rua = [\"tlsrpt\"]", "tls_rpt.rua[0]", "tlsrpt", "mail address or an https address"),
    ("tls_rpt.rua = [\"http://r.example\"]", "tls_rpt.rua[0]", "http://r.example", "mail address or an https address"),
    ("tls_rpt.rua = [\"https://r.example/a,b\"]", "tls_rpt.rua[0]", "https://r.example/a,b", "RFC 8460"),
    ("dns.caa = [\"Let's Encrypt\"]", "dns.caa[0]", "Let's Encrypt", "RFC 8659"),
    ("dns.egress = [\"10.0.0.1\"]", "dns.egress[0]", "10.0.0.1", "must be a public address"),
    ("dns.egress = [\"mail\"]", "dns.egress[0]", "mail", "must be an IP address"),
    ("dns.alternatives = [\"example.com\"]", "dns.alternatives[0]", "example.com", "an email domain already"),
    ("dns.alternatives = [\"a.example\", \"a.example\"]", "dns.alternatives[1]", "a.example", "an alternative already"),
    ("dns.alternatives = [\"a.example=example.org\"]", "dns.alternatives[0]", "example.org", "must name an email domain"),
    ("dns.alternatives = [\"a.example=\"]", "dns.alternatives[0]", "a.example=", "must not be empty"),
    ("dns.parked = [\"mail.example.com\"]", "dns.parked[0]", "mail.example.com", "a name of the server already"),
    ("dns.parked = [\"example.com\"]", "dns.parked[0]", "example.com", "an email domain already"),
    // Images.
    ("images.redis = \"redis:alpine\"", "images.redis", "redis:alpine", "must be pinned"),
    ("images.tika = \"apache/tika:latest-full\"", "images.tika", "apache/tika:latest-full", "must be pinned"),
    ("images.clamav = \"Clam AV\"", "images.clamav", "Clam AV", "image reference"),
    ("images.registry = \"https://ghcr.io/mailu\"", "images.registry", "https://ghcr.io/mailu", "without a scheme"),
    ("images.prefix = \"${X}\"", "images.prefix", "${X}", "start of an image name"),
    ("logs.driver = \"syslog\"", "logs.driver", "syslog", "must be one of"),
    // Extra variables.
    ("env.LOG_LEVEL = \"INFO\"", "env.LOG_LEVEL", "INFO", "set by `logs.level`"),
    ("env.SECRET_KEY = \"hunter2hunter2\"", "env.SECRET_KEY", "", "is a secret"),
    ("env.DB_PW = \"hunter2hunter2\"", "env.DB_PW", "", "is a secret"),
    ("env.ROUNDCUBE_DB_PW = [\"hunter2hunter2\"]", "env.ROUNDCUBE_DB_PW", "", "must be text"),
    ("env.SESSION_TIMEOUT = \"1h\"", "env.SESSION_TIMEOUT", "1h", "does not start"),
    ("env.DEFER_ON_TLS_ERROR = \"False\"", "env.DEFER_ON_TLS_ERROR", "False", "empty to be off"),
    ("env.INITIAL_ADMIN_PW = \"hunter2hunter2\"", "env.INITIAL_ADMIN_PW", "", "cannot be set here"),
    ("env.RECAPTCHA_PUBLIC_KEY = \"x\"", "env.RECAPTCHA_PUBLIC_KEY", "", "RECAPTCHA_PUBLIC_KEY_FILE"),
    ("env.\"A B\" = \"x\"", "env.A B", "", "variable name"),
    ("env.AUTH_REQUIRE_TOKENS = \"1\"", "env.AUTH_REQUIRE_TOKENS", "1", "count as true"),
    ("version = \"2024.06.54\"\nenv.PROXY_AUTH_WHITELIST = \"10.0.0.1\"", "env.PROXY_AUTH_WHITELIST", "10.0.0.1", "GHSA-rfhj-4wcq-74xg"),
    ("env.SUBNET_FILE = \"/data/subnet\"", "env.SUBNET_FILE", "", "admin would take `SUBNET` from that file"),
    ("env.SQLALCHEMY_DATABASE_URI = \"hunter2hunter2\"", "env.SQLALCHEMY_DATABASE_URI", "", "is a secret"),
    ("env.PROXY_AUTH_WHITELIST = \"0.0.0.0/0\"", "env.PROXY_AUTH_WHITELIST", "0.0.0.0/0", "log in as anybody"),
    ("[env]\nPROXY_AUTH_WHITELIST = \"10.8.0.1\"\n[network]\naccess = \"10.8.0.0/28\"", "env.PROXY_AUTH_WHITELIST", "10.8.0.1", "`network.access` (10.8.0.0/28)"),
    ("[env]\nPROXY_AUTH_WHITELIST = \"10.8.0.0/24\"\n[traefik]\nsubnet = \"10.8.0.0/24\"", "env.PROXY_AUTH_WHITELIST", "10.8.0.0/24", "more than Traefik"),
    ("[env]\nPROXY_AUTH_WHITELIST = \"10.8.0.65\"\n[tls]\nmode = \"passthrough\"\n[traefik]\nsubnet = \"10.8.0.0/24\"", "env.PROXY_AUTH_WHITELIST", "10.8.0.65", "hands connections on unread"),
    // Unknown keys.
    ("mailhost = \"x\"", "mailhost", "x", "nearest is `mail_host`"),
    ("webmail = \"roundcube\"", "webmail", "roundcube", "services.webmail"),
    ("limits.qouta = \"1GB\"", "limits.qouta", "1GB", "nearest is `limits.quota`"),
    ("tls.quota = \"1GB\"", "tls.quota", "1GB", "set by `limits.quota`"),
    ("tls_flavor = \"cert\"", "tls_flavor", "cert", "`tls.mode`"),
    ("services = true", "services", "true", "must be a section"),
];

/// The small configuration with one key replaced or added.
fn with(lines: &str) -> String {
    let key = lines.split([' ', '=', '.', '[']).next().unwrap_or_default();
    let kept: Vec<&str> = SMALL
        .lines()
        .filter(|line| key.is_empty() || !line.starts_with(&format!("{key} ")))
        .collect();
    format!("{}\n{lines}\n", kept.join("\n"))
}

#[test]
fn each_case_names_key_value_rule_and_fix_and_writes_nothing() {
    assert!(CASES.len() >= 60, "{} cases", CASES.len());
    for (lines, key, value, rule) in CASES {
        let root = Root::new();
        let file = root.beside("mailu.toml", &with(lines));
        let file = file.to_str().unwrap();
        // `--domain`, which names the directory, would mend a wrong mail host; so that is judged without it.
        let run = if *key == "mail_host" {
            root.run(&["config", "check", file])
        } else {
            root.run(&[
                "install",
                "--no-start",
                "--domain",
                "mail.example.com",
                "--config",
                file,
            ])
        };
        assert_eq!(run.code, 2, "{lines}: {}{}", run.out, run.err);
        assert!(
            run.err.contains(&format!("`{key}`")),
            "{lines}: the key is not named in {}",
            run.err
        );
        if !value.is_empty() {
            let line = run
                .err
                .lines()
                .find(|line| line.contains(&format!("`{key}`")) && line.contains(rule))
                .unwrap_or_default();
            assert!(
                line.contains(value),
                "{lines}: the value {value} is not in {}",
                run.err
            );
        }
        assert!(
            run.err.contains(rule),
            "{lines}: the rule is not in {}",
            run.err
        );
        assert!(run.err.contains("fix:"), "{lines}: no fix in {}", run.err);
        assert!(
            !run.err.contains("hunter2"),
            "{lines}: a secret is in {}",
            run.err
        );
        assert!(!root.path().exists(), "{lines}: something was written");
    }
}

/// The administrator's account answers for the main email domain, unless it lies in another one.
#[test]
fn a_postmaster_without_a_mailbox_is_mentioned() {
    let found = |text: &str| {
        let parsed = mailu_core::Config::from_toml(text).unwrap();
        let found = parsed.findings.into_iter();
        found
            .filter(|f| f.id == "names.postmaster")
            .map(|f| f.message)
            .collect::<Vec<_>>()
    };
    let two = format!("{SMALL}email_domains = [\"other.org\"]\n");
    let elsewhere = two.replace("admin@example.com", "chef@other.org");
    let messages = found(&elsewhere);
    assert!(
        messages.len() == 1 && messages[0].contains("postmaster@example.com"),
        "{messages:?}"
    );
    assert!(found(&two).is_empty());
    assert!(found(&format!("postmaster = \"postmaster\"\n{elsewhere}")).is_empty());
}

#[test]
fn doubtful_values_are_accepted_with_a_warning() {
    for (lines, id, key) in [
        (
            "[mail]\nrecipient_delimiter = \"+-\"",
            "mail.delimiter_ordinary",
            "mail.recipient_delimiter",
        ),
        (
            "[env]\nPROXY_AUTH_WHITELIST = \"192.0.2.7, 10.8.0.65\"\n[traefik]\nsubnet = \"10.8.0.0/24\"",
            "env.proxy_auth_by_traefik",
            "env.PROXY_AUTH_WHITELIST",
        ),
        (
            "[mta_sts]\nmode = \"testing\"",
            "mta_sts.blind",
            "tls_rpt.rua",
        ),
        (
            "[mta_sts]\nmode = \"enforce\"\n[tls_rpt]\nrua = [\"tlsrpt@example.com\"]",
            "mta_sts.certificate",
            "mta_sts.mode",
        ),
        (
            "[traefik]\nnetwork = \"agency-network\"\ntrusted = [\"172.20.0.0/28\"]",
            "traefik.trusted_several",
            "traefik.trusted[0]",
        ),
    ] {
        let parsed = mailu_core::Config::from_toml(&format!("{SMALL}{lines}\n")).unwrap();
        let found: Vec<_> = parsed
            .findings
            .iter()
            .map(|f| (f.id.as_str(), f.subject.as_str()))
            .collect();
        assert_eq!(found, [(id, key)], "{lines}");
    }
    let one =
        format!("{SMALL}[traefik]\nnetwork = \"agency-network\"\ntrusted = [\"172.20.0.5\"]\n");
    assert_eq!(
        mailu_core::Config::from_toml(&one).unwrap().findings,
        vec![]
    );
}

/// What front has room for is not refused.
#[test]
fn free_paths_are_accepted() {
    for lines in [
        "[web]\nwebmail_path = \"/mail\"",
        "[web]\nwebmail_path = \"/webdav\"",
        "[web]\nwebmail_path = \"/apimail\"",
        "[web]\nadmin_path = \"/internals\"\nwebmail_path = \"/\"",
        "[services]\napi = true\n[web]\nroot_redirect = \"/api/v1\"",
        "[services]\nwebdav = true\n[web]\nroot_redirect = \"/webdav\"",
        "[web]\nroot_redirect = \"/sso/login\"",
        "[web]\nroot_redirect = \"/admin/ui\"",
    ] {
        let parsed = mailu_core::Config::from_toml(&format!("{SMALL}{lines}\n"));
        assert!(parsed.is_ok(), "{lines}: {}", parsed.unwrap_err());
    }
}

#[test]
fn all_errors_come_at_once() {
    let root = Root::new();
    let file = root.beside(
        "mailu.toml",
        "mail_host = \"mail\"\nadmin_email = \"x\"\nfoo = 1\n[limits]\nquota = \"?\"\nmessages = \"?\"\n[ports]\nmail = [1, 2]\n[web]\nadmin_path = \"/\"\n[network]\npool = []\n",
    );
    let run = root
        .run(&["--json", "config", "check", file.to_str().unwrap()])
        .expect_code(2);
    let json = run.json();
    assert_eq!(json["error"]["kind"], "invalid_input");
    let subjects: Vec<&str> = json["error"]["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["subject"].as_str().unwrap())
        .collect();
    for subject in [
        "mail_host",
        "email_domain",
        "admin_email",
        "foo",
        "limits.quota",
        "limits.messages",
        "ports.mail[0]",
        "ports.mail[1]",
        "web.admin_path",
        "network.pool",
    ] {
        assert!(
            subjects.contains(&subject),
            "{subject} is not among {subjects:?}"
        );
    }
}

/// A rule about a key that could not be read would complain about a value that nobody wrote.
#[test]
fn what_follows_from_an_unreadable_key_is_not_reported() {
    let text = format!(
        "{SMALL}[tls]\nmode = \"cret\"\ncertificate = \"/a\"\nkey = \"/b\"\n[ports]\naddress = \"203.0.113.10\"\n"
    );
    let invalid = mailu_core::Config::from_toml(&text).unwrap_err();
    let subjects: Vec<_> = invalid
        .findings()
        .iter()
        .map(|f| f.subject.as_str())
        .collect();
    assert_eq!(subjects, ["tls.mode"]);
}

#[test]
fn wrong_usage_is_refused_by_the_command_line() {
    let root = Root::new();
    for (args, word) in [
        (&["install", "--domain", "mail"][..], "fully qualified"),
        (
            &[
                "install",
                "--domain",
                "mail.example.com",
                "--client-id",
                "A B",
            ],
            "lower-case",
        ),
        (&["install", "--set", "x"], "KEY=VALUE"),
        (
            &["install", "--domain", "mail.example.com"],
            "--email-domain, --admin-email",
        ),
        (&["install"], "--domain, --email-domain, --admin-email"),
        (
            &["install", "--config", "/nowhere/mailu.toml"],
            "/nowhere/mailu.toml",
        ),
        (
            &[
                "install",
                "--no-start",
                "--domain",
                "mail.example.com",
                "--email-domain",
                "example.com",
                "--admin-email",
                "admin@example.com",
                "--admin-password-file",
                "/nowhere",
            ],
            "/nowhere",
        ),
        (
            &[
                "install",
                "--no-start",
                "--domain",
                "mail.example.com",
                "--email-domain",
                "example.com",
                "--admin-email",
                "admin@example.com",
                "--admin-password",
                "short",
            ],
            "8 characters",
        ),
        (&["apply"], "there is none"),
        (&["show", "--domain", "mail.example.com"], "there is none"),
        (&["frobnicate"], "unrecognized subcommand"),
        (&["dns", "--format", "xml"], "possible values"),
        (&["config", "check", "/nowhere"], "/nowhere"),
        (&["render", "/nowhere"], "/nowhere"),
    ] {
        let run = root.run(args);
        assert_eq!(run.code, 2, "{args:?}: {}{}", run.out, run.err);
        assert!(
            run.err.contains(word),
            "{args:?}: {word} is not in {}",
            run.err
        );
        assert!(!root.path().exists(), "{args:?}: something was written");
    }
}

#[test]
fn bad_changes_leave_the_file_as_it_was() {
    let root = Root::new();
    root.install();
    let before = root.snapshot();
    for args in [
        &["config", "set", "limits.quota", "much"][..],
        &["config", "set", "services.antispam=false"],
        &["config", "set", "nonsense=1"],
        &["config", "set", "mail_host", "other.example.com"],
        &["config", "set", "client", "tenant1"],
        &["config", "set", "limits.quota"],
        &["config", "unset", "mail_host"],
        &["config", "unset", "nonsense"],
        &["apply", "--adopt", "NONSENSE"],
        &["apply", "--adopt", "TLS_FLAVOR"],
        &[
            "install",
            "--no-start",
            "--domain",
            "mail.example.com",
            "--set",
            "limits.quota=x",
        ],
        &[
            "install",
            "--no-start",
            "--domain",
            "mail.example.com",
            "--set",
            "network.pool=[\"10.0.0.0/30\"]",
        ],
    ] {
        let run = root.run(args);
        assert_eq!(run.code, 2, "{args:?}: {}{}", run.out, run.err);
        assert!(
            run.err.contains("fix:") || run.err.contains("hint:"),
            "{args:?}: {}",
            run.err
        );
        root.snapshot().assert_same(&before, &format!("{args:?}"));
    }
    let run = root.run(&["apply", "--reset", "SITE_NAME"]).expect_code(0);
    assert!(
        run.err.contains("did you mean `--reset SITENAME`"),
        "{}",
        run.err
    );
}
