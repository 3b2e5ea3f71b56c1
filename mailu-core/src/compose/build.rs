//! From the configuration to services and networks.

use std::net::Ipv4Addr;

use serde::Serialize;

use super::labels;
use crate::config::{Config, LogDriver, MailPort, TlsMode, Via, Webmail};
use crate::hash::sha256;
use crate::mta_sts;
use crate::network;

/// A Compose project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Compose {
    /// Services in order of start.
    pub services: Vec<Service>,
    /// Networks.
    pub networks: Vec<NetworkDef>,
}

/// One service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Service {
    /// Its name in the project, which the other containers resolve.
    pub name: String,
    /// Image; `${…}` is filled by Compose from `.env`.
    pub image: String,
    /// `mailu_SERVICE`, with a client `mailu_CLIENT_SERVICE`.
    pub container_name: String,
    /// Host name inside, where the image needs a certain one.
    pub hostname: Option<String>,
    /// Whether it reads `mailu.env`.
    pub env_file: bool,
    /// Variables that this service alone gets, over those of `mailu.env`.
    pub environment: Vec<(String, String)>,
    /// Services that start before it.
    pub depends_on: Vec<String>,
    /// Resolvers.
    pub dns: Vec<String>,
    /// Networks, with a fixed address where one is needed.
    pub networks: Vec<(String, Option<String>)>,
    /// Published ports: `ADDRESS:PORT:PORT`.
    pub ports: Vec<String>,
    /// Bind mounts.
    pub volumes: Vec<Mount>,
    /// Labels, for Traefik.
    pub labels: Vec<(String, String)>,
    /// A health check in place of the image's own.
    pub healthcheck: Option<Health>,
    /// Log driver and its options.
    pub logging: (String, Vec<(String, String)>),
}

/// A directory of the deployment inside a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Mount {
    /// Relative to the deployment's directory.
    pub source: String,
    /// Inside the container.
    pub target: String,
    /// Whether the container may only read.
    pub read_only: bool,
}

/// A health check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Health {
    /// A command for the container's shell.
    pub command: String,
    /// Time between two checks.
    pub interval: String,
    /// Time that one may take.
    pub timeout: String,
    /// Failures in a row that count.
    pub retries: u32,
    /// Time after the start in which failures do not count.
    pub start_period: String,
}

/// A network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct NetworkDef {
    /// Its name in the project.
    pub name: String,
    /// Its name on the host, if it is not the project's own.
    pub external: Option<String>,
    /// Its name on the host, if it is the project's own and is not to be called `PROJECT_NAME`.
    pub host_name: Option<String>,
    /// Without a way out.
    pub internal: bool,
    /// Subnets; one, and an IPv6 one where that is on.
    pub subnets: Vec<String>,
    /// Whether it has IPv6.
    pub ipv6: bool,
}

/// Front's own health check also wants its Dovecot alive. Traefik drops the routes of an unhealthy container, and with them
/// the way by which the certificate comes that Dovecot is waiting for. So behind Traefik only nginx counts.
const NGINX_HEALTH: &str = "curl -m3 -skfLo /dev/null http://127.0.0.1:10204/health || exit 1";

/// Front starts its Dovecot once, which ends at once where there is no certificate yet; when the first one comes, Mailu only
/// tells a running Dovecot. So the health check starts it.
const DOVECOT_REVIVAL: &str = "pidof dovecot >/dev/null || { \
[ -e /certs/letsencrypt/live/mailu-ecdsa/nginx-chain.pem ] && \
dovecot -c /etc/dovecot/proxy.conf </dev/null >/proc/1/fd/1 2>/proc/1/fd/2; ";

/// The services and networks of `config`.
///
/// Front enters published ports by the network `access`: Docker gives a container's published ports to the first of its
/// networks by name, and a connection that Docker's own proxy relays has that network's gateway as its source. In the main
/// network that address may send mail to anybody; in `access` it may not.
pub fn build(config: &Config) -> Compose {
    let builder = Builder::new(config);
    let mut compose = Compose {
        services: builder.services(),
        networks: builder.networks(),
    };
    for service in &mut compose.services {
        let hash = definition(service, &compose.networks);
        service.labels.push((DEFINITION.to_owned(), hash));
    }
    compose
}

/// The label with the hash of what a service's container is made by, without its image and the variables of `mailu.env`:
/// those can be seen of a container, and Compose would make every container anew for a variable that one of them reads.
pub const DEFINITION: &str = "mailu.definition";

fn definition(service: &Service, networks: &[NetworkDef]) -> String {
    let own = Service {
        image: String::new(),
        depends_on: Vec::new(),
        ..service.clone()
    };
    let networks: Vec<&NetworkDef> = networks
        .iter()
        .filter(|network| own.networks.iter().any(|(name, _)| *name == network.name))
        .collect();
    let text = serde_json::json!({ "service": own, "networks": networks }).to_string();
    let mut hash = sha256(text.as_bytes());
    hash.truncate(16);
    hash
}

struct Builder<'a> {
    config: &'a Config,
    project: String,
    resolver: Option<Ipv4Addr>,
}

impl<'a> Builder<'a> {
    fn new(config: &'a Config) -> Self {
        Self {
            config,
            project: config.project_name(),
            resolver: config
                .network
                .subnet
                .filter(|_| config.services.resolver)
                .map(network::resolver_address),
        }
    }

    fn mailu_image(&self, name: &str) -> String {
        format!(
            "${{DOCKER_ORG:-{}}}/${{DOCKER_PREFIX:-{}}}{name}:${{MAILU_VERSION:-{}}}",
            self.config.images.registry.as_str(),
            self.config.images.prefix.as_str(),
            self.config.version
        )
    }

    /// Whether front wants a PROXY header on port 25, which no other container of Mailu's sends.
    fn smtp_is_proxied(&self) -> bool {
        self.config.via() == Via::Traefik && self.config.open_ports().contains(&MailPort::Smtp)
    }

    fn logging(&self) -> (String, Vec<(String, String)>) {
        let options = match self.config.logs.driver {
            LogDriver::Journald => vec![("tag".to_owned(), "{{.Name}}".to_owned())],
            LogDriver::JsonFile | LogDriver::Local => vec![
                ("max-size".to_owned(), "10m".to_owned()),
                ("max-file".to_owned(), "5".to_owned()),
            ],
        };
        (self.config.logs.driver.to_string(), options)
    }

    fn service(&self, name: &str, image: String) -> Service {
        Service {
            name: name.to_owned(),
            image,
            container_name: format!("{}_{name}", self.project),
            logging: self.logging(),
            ..Service::default()
        }
    }

    /// A service on the main network: it uses the resolver and starts after it.
    fn core(&self, name: &str, image: String, after: &[&str]) -> Service {
        let mut service = self.service(name, image);
        service.depends_on = after.iter().map(|s| (*s).to_owned()).collect();
        service.networks.push(("default".to_owned(), None));
        if let Some(address) = self.resolver {
            service.depends_on.push("resolver".to_owned());
            service.dns.push(address.to_string());
        }
        service
    }

    fn services(&self) -> Vec<Service> {
        let config = self.config;
        let on = &config.services;
        let mut all = Vec::new();

        if let Some(address) = self.resolver {
            let mut resolver = self.service("resolver", self.mailu_image("unbound"));
            resolver.env_file = true;
            resolver
                .networks
                .push(("default".to_owned(), Some(address.to_string())));
            all.push(resolver);
        }

        let mut redis = self.core("redis", config.images.redis.to_string(), &[]);
        redis.volumes.push(writable("data/redis", "/data"));
        all.push(redis);

        let mut admin = self.core("admin", self.mailu_image("admin"), &["redis"]);
        admin.env_file = true;
        admin.volumes.push(writable("data/admin", "/data"));
        admin.volumes.push(writable("data/dkim", "/dkim"));
        all.push(admin);

        all.push(self.front());

        let mut imap = self.core("imap", self.mailu_image("dovecot"), &["front"]);
        imap.env_file = true;
        if self.smtp_is_proxied() {
            // Dovecot would submit what Sieve sends to the public name, and come back through Traefik as a stranger that may
            // not send. It uses both variables for nothing else.
            imap.environment = pairs(&[("PROXY_PROTOCOL", ""), ("FRONT_ADDRESS", "smtp")]);
        }
        imap.volumes.push(writable("data/mail", "/mail"));
        imap.volumes.push(overrides("dovecot"));
        if on.search_attachments {
            imap.depends_on.push("fts_attachments".to_owned());
            imap.networks.push(("fts_attachments".to_owned(), None));
        }
        all.push(imap);

        let mut smtp = self.core("smtp", self.mailu_image("postfix"), &["front"]);
        smtp.env_file = true;
        smtp.volumes.push(writable("data/mailqueue", "/queue"));
        smtp.volumes.push(overrides("postfix"));
        all.push(smtp);

        if on.macro_scan {
            let mut oletools = self.service("oletools", self.mailu_image("oletools"));
            oletools.hostname = Some("oletools".to_owned());
            oletools.networks.push(("oletools".to_owned(), None));
            all.push(oletools);
        }

        if on.search_attachments {
            let mut tika = self.service("fts_attachments", config.images.tika.to_string());
            // Mailu looks for it under this name, not under the service's.
            tika.hostname = Some("tika".to_owned());
            tika.networks.push(("fts_attachments".to_owned(), None));
            tika.healthcheck = Some(Health {
                command: "wget -nv -t1 -O /dev/null http://127.0.0.1:9998/tika || exit 1"
                    .to_owned(),
                interval: "10s".to_owned(),
                timeout: "5s".to_owned(),
                retries: 3,
                start_period: "10s".to_owned(),
            });
            all.push(tika);
        }

        let mut antispam = self.core("antispam", self.mailu_image("rspamd"), &["front", "redis"]);
        antispam.env_file = true;
        // Rspamd keeps its history under its host name.
        antispam.hostname = Some("antispam".to_owned());
        antispam
            .volumes
            .push(writable("data/filter", "/var/lib/rspamd"));
        antispam.volumes.push(overrides("rspamd"));
        if on.macro_scan {
            antispam.depends_on.push("oletools".to_owned());
            antispam.networks.push(("oletools".to_owned(), None));
        }
        if on.antivirus {
            antispam.depends_on.push("antivirus".to_owned());
            antispam.networks.push(("clamav".to_owned(), None));
        }
        all.push(antispam);

        if on.antivirus {
            // The image brings a health check that works; the one in Mailu's wizard never passes.
            let mut antivirus = self.service("antivirus", config.images.clamav.to_string());
            antivirus.networks.push(("clamav".to_owned(), None));
            antivirus
                .volumes
                .push(writable("data/clamav", "/var/lib/clamav"));
            all.push(antivirus);
        }

        if on.webdav {
            let mut webdav = self.service("webdav", self.mailu_image("radicale"));
            webdav.networks.push(("radicale".to_owned(), None));
            webdav.volumes.push(writable("data/dav", "/data"));
            all.push(webdav);
        }

        if on.fetchmail {
            let mut fetchmail = self.core(
                "fetchmail",
                self.mailu_image("fetchmail"),
                &["admin", "smtp", "imap"],
            );
            fetchmail.env_file = true;
            if self.smtp_is_proxied() {
                // What is to be scanned goes to the first of these names, and would come back through Traefik.
                fetchmail.environment = pairs(&[("HOSTNAMES", "smtp")]);
            }
            fetchmail.volumes.push(writable("data/fetchmail", "/data"));
            all.push(fetchmail);
        }

        if on.webmail != Webmail::None {
            let mut webmail = self.service("webmail", self.mailu_image("webmail"));
            webmail.env_file = true;
            webmail.depends_on.push("front".to_owned());
            webmail.networks.push(("webmail".to_owned(), None));
            webmail.volumes.push(writable("data/webmail", "/data"));
            webmail.volumes.push(overrides(on.webmail.as_str()));
            all.push(webmail);
        }
        all
    }

    fn front(&self) -> Service {
        let config = self.config;
        let mut front = self.core("front", self.mailu_image("nginx"), &[]);
        front.env_file = true;
        front.volumes.push(writable("data/certs", "/certs"));
        front.volumes.push(overrides("nginx"));
        if config.services.webmail != Webmail::None {
            front.networks.push(("webmail".to_owned(), None));
        }
        if config.services.webdav {
            front.networks.push(("radicale".to_owned(), None));
        }
        if config.publishes() {
            front.networks.push(("access".to_owned(), None));
            front.ports = labels::published(config);
        }
        if config.tls.mode.behind_traefik() {
            let address = config.traefik.address.map(|a| a.to_string());
            front.networks.push(("proxy".to_owned(), address));
            front.labels = labels::traefik(config, &self.project);
        }
        if let Some(snippet) = mta_sts::snippet(config) {
            // nginx reads it only when it starts; another label makes the container anew.
            let mut hash = sha256(snippet.as_bytes());
            hash.truncate(16);
            front.labels.push(("mailu.mta-sts".to_owned(), hash));
        }
        front.healthcheck = front_health(config.tls.mode).map(|command| Health {
            command,
            // Until it has succeeded once, Traefik sends nobody here.
            interval: "5s".to_owned(),
            timeout: "5s".to_owned(),
            retries: 6,
            start_period: "60s".to_owned(),
        });
        front
    }

    fn networks(&self) -> Vec<NetworkDef> {
        let config = self.config;
        let on = &config.services;
        let net = &config.network;
        let own = |name: &str, subnet: Option<ipnet::Ipv4Net>, internal: bool| NetworkDef {
            name: name.to_owned(),
            external: None,
            host_name: None,
            internal,
            subnets: subnet.map(|s| s.to_string()).into_iter().collect(),
            ipv6: false,
        };
        let mut main = own("default", net.subnet, false);
        if net.ipv6 {
            main.ipv6 = true;
            main.subnets.extend(net.subnet6.map(|s| s.to_string()));
        }
        let mut all = vec![main];
        if config.publishes() {
            let mut access = own("access", net.access, false);
            access.host_name = Some(config.access_network());
            // Without IPv6 here, Docker would hand IPv6 clients over with an IPv4 address of its own.
            if let Some(subnet6) = net.subnet6.filter(|_| net.ipv6) {
                access.ipv6 = true;
                access
                    .subnets
                    .extend(network::access_subnet6(subnet6).map(|s| s.to_string()));
            }
            all.push(access);
        }
        if on.webmail != Webmail::None {
            all.push(own("webmail", net.webmail, false));
        }
        if on.webdav {
            all.push(own("radicale", net.radicale, false));
        }
        if on.antivirus {
            all.push(own("clamav", net.clamav, false));
        }
        if on.macro_scan {
            all.push(own("oletools", net.oletools, true));
        }
        if on.search_attachments {
            all.push(own("fts_attachments", net.fts_attachments, true));
        }
        if config.tls.mode.behind_traefik() {
            all.push(NetworkDef {
                name: "proxy".to_owned(),
                external: Some(config.traefik.network.to_string()),
                host_name: None,
                internal: false,
                subnets: Vec::new(),
                ipv6: false,
            });
        }
        all
    }
}

/// A health check in place of the image's, where that one fails its purpose.
fn front_health(mode: TlsMode) -> Option<String> {
    match mode {
        TlsMode::Traefik => Some(NGINX_HEALTH.to_owned()),
        TlsMode::Passthrough => Some(format!("{NGINX_HEALTH}; {DOVECOT_REVIVAL}true; }}")),
        TlsMode::Letsencrypt => Some(format!("{NGINX_HEALTH}; {DOVECOT_REVIVAL}exit 1; }}")),
        TlsMode::Cert | TlsMode::None => None,
    }
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn writable(source: &str, target: &str) -> Mount {
    Mount {
        source: source.to_owned(),
        target: target.to_owned(),
        read_only: false,
    }
}

fn overrides(name: &str) -> Mount {
    Mount {
        source: format!("overrides/{name}"),
        target: "/overrides".to_owned(),
        read_only: true,
    }
}
