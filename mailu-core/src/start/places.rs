//! Where a client from outside connects to reach a port of front's.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::config::{Config, MailPort, Via};
use crate::engine::{Container, Published};

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

/// Where to connect for `port`, one of front's: to what front publishes, or to Traefik's entry point for it.
pub fn outside(
    config: &Config,
    containers: &[Container],
    front: &str,
    port: u16,
    host: Host,
) -> Option<SocketAddr> {
    let mail = MailPort::ALL.iter().find(|mail| mail.number() == port);
    let by_traefik =
        config.tls.mode.behind_traefik() && (mail.is_none() || config.via() == Via::Traefik);
    if !by_traefik {
        let front = containers
            .iter()
            .find(|container| container.name == front)?;
        return published(&front.published, port, host);
    }
    let point = match mail {
        Some(mail) => config.traefik.entrypoints.for_port(*mail).to_string(),
        None if port == 443 => config.traefik.entrypoints.websecure.to_string(),
        None => config.traefik.entrypoints.web.to_string(),
    };
    match traefik(config, containers, front) {
        Some(traefik) => {
            let inside = entry_point(traefik, &point).unwrap_or(port);
            if traefik.network_mode.as_deref() == Some("host") {
                return Some(SocketAddr::new(host.own, inside));
            }
            published(&traefik.published, inside, host)
        }
        // It may run without a container.
        None => Some(SocketAddr::new(host.own, port)),
    }
}

/// Traefik's container: in the network that it shares with front, else wherever one runs.
pub fn traefik<'a>(
    config: &Config,
    containers: &'a [Container],
    front: &str,
) -> Option<&'a Container> {
    let network = config.traefik.network.as_str();
    let is_traefik = |container: &&Container| {
        let name = container.image.rsplit('/').next().unwrap_or_default();
        container.name != front
            && (name.to_ascii_lowercase().contains("traefik")
                || container
                    .command
                    .iter()
                    .any(|part| part.to_ascii_lowercase().starts_with("--entrypoints.")))
    };
    let shares = |container: &&Container| container.networks.contains_key(network);
    let all = || containers.iter().filter(is_traefik);
    all()
        .find(shares)
        .or_else(|| all().find(|container| container.network_mode.as_deref() == Some("host")))
}

/// The port of an entry point in Traefik's container, as far as its arguments and variables tell.
fn entry_point(traefik: &Container, name: &str) -> Option<u16> {
    let argument = format!("--entrypoints.{name}.address=").to_ascii_lowercase();
    let variable = format!("TRAEFIK_ENTRYPOINTS_{name}_ADDRESS").to_ascii_uppercase();
    let address = traefik
        .command
        .iter()
        .find_map(|part| {
            let start = part.get(..argument.len())?;
            start
                .eq_ignore_ascii_case(&argument)
                .then(|| part.get(argument.len()..))?
        })
        .or_else(|| {
            traefik
                .environment
                .iter()
                .find(|(key, _)| key.eq_ignore_ascii_case(&variable))
                .map(|(_, value)| value.as_str())
        })?;
    let (_, port) = address.rsplit_once(':')?;
    port.split('/').next()?.parse().ok()
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

    fn place(config: &Config, containers: &[Container], port: u16) -> String {
        let host = Host::new("198.51.100.7".parse().expect("an address"));
        outside(config, containers, "mailu_front", port, host)
            .map_or(String::new(), |place| place.to_string())
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
        let all = [traefik];
        assert_eq!(place(&config, &all, 25), "198.51.100.7:25");
        assert_eq!(place(&config, &all, 443), "127.0.0.2:443");
        assert_eq!(place(&config, &all, 993), "");
        assert_eq!(place(&config, &[], 993), "198.51.100.7:993");
    }

    #[test]
    fn published_ports_lead_in() {
        let config = config("[tls]\nmode = \"letsencrypt\"\n");
        let mut front = Container::new("mailu_front", "x");
        front.published = vec![
            Published::new("::".parse().expect("an address"), 25, 25),
            Published::new("127.0.0.3".parse().expect("an address"), 25, 25),
        ];
        assert_eq!(place(&config, &[front], 25), "127.0.0.3:25");
        assert_eq!(place(&config, &[], 25), "");
    }
}
