//! Where a client from outside connects to reach a port of front's.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::config::{Config, MailPort, Via};
use crate::engine::{Container, Published};
use crate::preflight::traefik::Settings;

/// The addresses of this host that matter.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Host {
    /// The one that it uses towards other hosts.
    pub own: IpAddr,
}

impl Host {
    /// A host that other hosts see as `own`.
    pub fn new(own: IpAddr) -> Self {
        Self { own }
    }
}

/// The Traefik that leads to front: its container, and what it was told, as far as that can be read.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Proxy<'a> {
    /// Its container.
    pub container: &'a Container,
    /// Its static configuration.
    pub settings: Option<&'a Settings>,
}

impl<'a> Proxy<'a> {
    /// A Traefik.
    pub fn new(container: &'a Container, settings: Option<&'a Settings>) -> Self {
        Self {
            container,
            settings,
        }
    }

    /// The port of an entry point, in its container.
    fn entry_point(&self, name: &str) -> Option<u16> {
        let address = self.settings?.get(&format!("entryPoints.{name}.address"))?;
        let (_, port) = address.rsplit_once(':')?;
        port.split('/').next()?.parse().ok()
    }
}

/// Where to connect for `port`, one of front's: to what front publishes, or to Traefik's entry point for it.
pub fn outside(
    config: &Config,
    front: Option<&Container>,
    proxy: Option<Proxy<'_>>,
    port: u16,
    host: Host,
) -> Option<SocketAddr> {
    let mail = MailPort::ALL.iter().find(|mail| mail.number() == port);
    let by_traefik =
        config.tls.mode.behind_traefik() && (mail.is_none() || config.via() == Via::Traefik);
    if !by_traefik {
        return published(&front?.published, port, host);
    }
    let points = &config.traefik.entrypoints;
    let point = match mail {
        Some(mail) => points.for_port(*mail),
        None if port == 443 => &points.websecure,
        None => &points.web,
    };
    // It may run without a container.
    let Some(proxy) = proxy else {
        return Some(SocketAddr::new(host.own, port));
    };
    let inside = proxy.entry_point(&point.to_string()).unwrap_or(port);
    if proxy.container.network_mode.as_deref() == Some("host") {
        return Some(SocketAddr::new(host.own, inside));
    }
    published(&proxy.container.published, inside, host)
}

fn published(all: &[Published], inside: u16, host: Host) -> Option<SocketAddr> {
    let mut there: Vec<&Published> = all
        .iter()
        .filter(|published| published.container_port == inside)
        .collect();
    there.sort_by_key(|published| published.address.is_ipv6());
    let first = there.first()?;
    let address = if first.address.is_unspecified() {
        match host.own {
            own if own.is_ipv4() == first.address.is_ipv4() => own,
            _ => Ipv4Addr::LOCALHOST.into(),
        }
    } else {
        first.address
    };
    Some(SocketAddr::new(address, first.port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(more: &str) -> Config {
        Config::from_toml(&format!(
            "mail_host = \"mail.example.com\"\nemail_domain = \"example.com\"\nadmin_email = \"admin@example.com\"\n{more}"
        ))
        .expect("a valid configuration")
        .config
    }

    fn place(
        config: &Config,
        front: Option<&Container>,
        traefik: Option<&Container>,
        port: u16,
    ) -> String {
        let host = Host::new("198.51.100.7".parse().expect("an address"));
        let settings = traefik.map(Settings::of_container);
        let proxy = traefik.map(|container| Proxy::new(container, settings.as_ref()));
        outside(config, front, proxy, port, host).map_or(String::new(), |place| place.to_string())
    }

    #[test]
    fn traefiks_entry_points_lead_in() {
        let mut traefik = Container::new("proxy", "traefik:v3.1");
        traefik.networks.insert("mailu_proxy".to_owned(), None);
        traefik.command = [
            "--entryPoints.smtp.address=:2525",
            "--entrypoints.websecure.address=:443",
        ]
        .map(str::to_owned)
        .to_vec();
        let any = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let one: IpAddr = "127.0.0.2".parse().expect("an address");
        traefik.published = vec![Published::new(any, 25, 2525), Published::new(one, 443, 443)];
        let config = config("");
        assert_eq!(place(&config, None, Some(&traefik), 25), "198.51.100.7:25");
        assert_eq!(place(&config, None, Some(&traefik), 443), "127.0.0.2:443");
        assert_eq!(place(&config, None, Some(&traefik), 993), "");
        assert_eq!(place(&config, None, None, 993), "198.51.100.7:993");
    }

    #[test]
    fn published_ports_lead_in() {
        let config = config("[tls]\nmode = \"letsencrypt\"\n");
        let mut front = Container::new("mailu_front", "x");
        front.published = vec![
            Published::new("::".parse().expect("an address"), 25, 25),
            Published::new("127.0.0.3".parse().expect("an address"), 25, 25),
        ];
        assert_eq!(place(&config, Some(&front), None, 25), "127.0.0.3:25");
        assert_eq!(place(&config, None, None, 25), "");
    }
}
