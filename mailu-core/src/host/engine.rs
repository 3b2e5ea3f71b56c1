//! The container engine, over its API. No other file names bollard.

use std::path::Path;
use std::time::Duration;

use bollard::Docker;
use bollard::query_parameters::ListNetworksOptions;
use ipnet::IpNet;

/// How long the engine may take to answer. It is asked on the way, so a slow one must not hold anybody up.
const PATIENCE: Duration = Duration::from_secs(5);

/// A network of the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EngineNetwork {
    pub(super) name: String,
    pub(super) subnets: Vec<IpNet>,
}

/// The engine's networks; nothing if no engine answers.
pub(super) fn networks() -> Option<Vec<EngineNetwork>> {
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
    runtime.block_on(async { tokio::time::timeout(PATIENCE, ask(&host)).await.ok()?.ok() })
}

async fn ask(host: &str) -> Result<Vec<EngineNetwork>, bollard::errors::Error> {
    let docker = Docker::connect_with_host(host)?.negotiate_version().await?;
    let networks = docker.list_networks(None::<ListNetworksOptions>).await?;
    Ok(networks
        .into_iter()
        .map(|network| EngineNetwork {
            name: network.name.unwrap_or_default(),
            subnets: network
                .ipam
                .and_then(|ipam| ipam.config)
                .into_iter()
                .flatten()
                .filter_map(|config| config.subnet?.parse().ok())
                .collect(),
        })
        .collect())
}
