//! The container engine, over its API. No other file names bollard.

use std::path::Path;
use std::time::Duration;

use bollard::Docker;
use bollard::query_parameters::ListNetworksOptions;
use ipnet::{IpNet, Ipv6Net};

use crate::engine::{Engine, EngineNetwork};

/// How long the engine may take to answer. It is asked on the way, so a slow one must not hold anybody up.
const PATIENCE: Duration = Duration::from_secs(5);

/// The engine's answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Answer {
    pub(super) engine: Engine,
    pub(super) networks6: Vec<Ipv6Net>,
}

/// What the engine says of itself; nothing if none answers.
pub(super) fn ask() -> Option<Answer> {
    let host =
        std::env::var("DOCKER_HOST").unwrap_or_else(|_| "unix:///var/run/docker.sock".to_owned());
    if let Some(socket) = host.strip_prefix("unix://")
        && !Path::new(socket).exists()
    {
        return None;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .ok()?;
    runtime.block_on(async {
        tokio::time::timeout(PATIENCE, ask_at(&host))
            .await
            .ok()?
            .ok()
    })
}

async fn ask_at(host: &str) -> Result<Answer, bollard::errors::Error> {
    let docker = Docker::connect_with_host(host)?.negotiate_version().await?;
    let mut answer = Answer::default();
    answer.engine.major = docker
        .version()
        .await?
        .version
        .and_then(|version| version.split('.').next()?.parse().ok());
    for network in docker.list_networks(None::<ListNetworksOptions>).await? {
        let name = network.name.unwrap_or_default();
        for config in network
            .ipam
            .and_then(|ipam| ipam.config)
            .into_iter()
            .flatten()
        {
            match config.subnet.and_then(|subnet| subnet.parse().ok()) {
                Some(IpNet::V4(subnet)) => {
                    let mut one = EngineNetwork::new(&name, subnet);
                    one.range = config.ip_range.and_then(|range| range.parse().ok());
                    one.gateway = config.gateway.and_then(|gateway| gateway.parse().ok());
                    answer.engine.networks.push(one);
                }
                Some(IpNet::V6(subnet)) => answer.networks6.push(subnet),
                None => {}
            }
        }
    }
    Ok(answer)
}
