//! How front is reached: Traefik's labels for both proxy modes, and published ports for the others.
//!
//! The labels mean the same to Traefik 2.11 and 3.

use crate::config::{Config, MailPort, TlsMode, Via};
use crate::names::{EmailDomain, MailHost};

/// `ADDRESS:PORT:PORT` for each port that Docker publishes. Always with an address: without one Docker also binds `[::]`.
pub(crate) fn published(config: &Config) -> Vec<String> {
    let mut ports = Vec::new();
    if !config.tls.mode.behind_traefik() {
        ports.push(80);
        if config.tls.mode != TlsMode::None {
            ports.push(443);
        }
    }
    if config.via() == Via::Published {
        ports.extend(config.open_ports().iter().map(|port| port.number()));
    }
    ports.sort_unstable();
    let mut all: Vec<String> = ports
        .iter()
        .map(|port| format!("{}:{port}:{port}", config.ports.address))
        .collect();
    if let Some(address) = config.ports.address6 {
        all.extend(
            ports
                .iter()
                .map(|port| format!("[{address}]:{port}:{port}")),
        );
    }
    all
}

fn any_of<'a>(matcher: &str, names: impl IntoIterator<Item = &'a MailHost>) -> String {
    names
        .into_iter()
        .map(|name| format!("{matcher}(`{name}`)"))
        .collect::<Vec<_>>()
        .join(" || ")
}

struct Labels<'a> {
    project: &'a str,
    all: Vec<(String, String)>,
}

impl Labels<'_> {
    fn put(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.all.push((key.into(), value.into()));
    }

    fn http_router(&mut self, name: &str, settings: &[(&str, String)]) {
        for (key, value) in settings {
            self.put(
                format!("traefik.http.routers.{}-{name}.{key}", self.project),
                value.clone(),
            );
        }
    }

    /// A TCP router with a service that tells front the client's address by PROXY protocol, version 2.
    fn tcp(&mut self, name: &str, rule: String, entrypoint: &str, port: u16, passthrough: bool) {
        let id = format!("{}-{name}", self.project);
        self.put(format!("traefik.tcp.routers.{id}.rule"), rule);
        self.put(format!("traefik.tcp.routers.{id}.entrypoints"), entrypoint);
        if passthrough {
            self.put(format!("traefik.tcp.routers.{id}.tls.passthrough"), "true");
        }
        self.put(format!("traefik.tcp.routers.{id}.service"), id.clone());
        self.put(
            format!("traefik.tcp.services.{id}.loadbalancer.server.port"),
            port.to_string(),
        );
        self.put(
            format!("traefik.tcp.services.{id}.loadbalancer.proxyprotocol.version"),
            "2",
        );
    }
}

/// Labels for front behind Traefik.
pub(super) fn traefik(config: &Config, project: &str) -> Vec<(String, String)> {
    let points = &config.traefik.entrypoints;
    let mut labels = Labels {
        project,
        all: Vec::new(),
    };
    let service = format!("{project}-web");
    labels.put("traefik.enable", "true");
    // Front has several networks, and Traefik would pick any of them.
    labels.put("traefik.docker.network", config.traefik.network.as_str());
    labels.put(
        format!("traefik.http.services.{service}.loadbalancer.server.port"),
        "80",
    );

    let extra = config.further_names();
    let every_name = any_of("Host", config.public_names().chain(&extra));
    if config.tls.mode == TlsMode::Traefik {
        let resolver = config.traefik.resolver.to_string();
        labels.http_router(
            "web",
            &[
                ("rule", any_of("Host", config.public_names())),
                ("entrypoints", points.websecure.to_string()),
                ("tls", "true".to_owned()),
                ("tls.certresolver", resolver.clone()),
                ("tls.domains[0].main", config.mail_host.to_string()),
            ],
        );
        if !config.hostnames.is_empty() {
            let sans: Vec<_> = config.hostnames.iter().map(ToString::to_string).collect();
            labels.http_router("web", &[("tls.domains[0].sans", sans.join(","))]);
        }
        labels.http_router("web", &[("service", service.clone())]);
        // Each domain's setup names have a certificate of their own: a name that does not resolve yet must not keep the
        // mail host from getting one.
        for domain in config.domains() {
            let names: Vec<_> = extra
                .iter()
                .filter(|name| {
                    name.as_str()
                        .strip_suffix(domain.as_str())
                        .is_some_and(|head| matches!(head, "autoconfig." | "autodiscover."))
                })
                .collect();
            if names.is_empty() {
                continue;
            }
            labels.http_router(
                &format!("setup-{}", slug(domain)),
                &[
                    ("rule", any_of("Host", names)),
                    ("entrypoints", points.websecure.to_string()),
                    ("tls", "true".to_owned()),
                    ("tls.certresolver", resolver.clone()),
                    ("service", service.clone()),
                ],
            );
        }
        for domain in config.receiving() {
            if let Some(name) = config.mta_sts_name_of(domain) {
                labels.http_router(
                    &format!("mta-sts-{}", slug(domain)),
                    &[
                        ("rule", any_of("Host", [&name])),
                        ("entrypoints", points.websecure.to_string()),
                        ("tls", "true".to_owned()),
                        ("tls.certresolver", resolver.clone()),
                        ("service", service.clone()),
                    ],
                );
            }
        }
        let middleware = format!("{project}-https");
        labels.http_router(
            "http",
            &[
                ("rule", every_name),
                ("entrypoints", points.web.to_string()),
                ("middlewares", middleware.clone()),
                ("service", service.clone()),
            ],
        );
        labels.put(
            format!("traefik.http.middlewares.{middleware}.redirectscheme.scheme"),
            "https",
        );
        labels.put(
            format!("traefik.http.middlewares.{middleware}.redirectscheme.permanent"),
            "true",
        );
    } else {
        // Plain HTTP for these names only: a rule on the challenge path alone would take other sites' challenges too.
        labels.http_router(
            "http",
            &[
                ("rule", every_name),
                ("entrypoints", points.web.to_string()),
                ("service", service),
            ],
        );
        labels.tcp(
            "websecure",
            any_of("HostSNI", config.public_names().chain(&extra)),
            points.websecure.as_str(),
            443,
            true,
        );
    }

    if config.via() == Via::Traefik {
        for port in config.open_ports() {
            let (rule, passthrough) = mail_rule(config, port);
            labels.tcp(
                port.name(),
                rule,
                points.for_port(port).as_str(),
                port.number(),
                passthrough,
            );
        }
    }
    labels.all
}

/// A domain as part of a router's name. Doubling the hyphens first keeps `a-b.example` and `a.b.example` apart.
fn slug(domain: &EmailDomain) -> String {
    domain.as_str().replace('-', "--").replace('.', "-")
}

/// Where the client speaks first it names the server, so several deployments can share the port. Where the server speaks
/// first there is nothing to route by, and any TLS rule on the entry point would make Traefik wait for ever.
fn mail_rule(config: &Config, port: MailPort) -> (String, bool) {
    if port.implicit_tls() {
        (any_of("HostSNI", config.public_names()), true)
    } else {
        ("HostSNI(`*`)".to_owned(), false)
    }
}
