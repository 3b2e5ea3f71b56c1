//! What others on this host have already: deployments, containers, networks.

use std::collections::BTreeMap;
use std::path::Path;

use ipnet::IpNet;

use super::{Facts, Verdict, listed};
use crate::config::{Config, DEFAULT_PROXY_NETWORK};
use crate::engine::Container;
use crate::finding::{Finding, Severity};
use crate::network;
use crate::paths::quoted;

/// What planning found already, whoever it is about; memory and Traefik's network have checks of their own.
pub(super) fn fleet(_: &Config, facts: &Facts) -> Verdict {
    let out: Vec<Finding> = facts
        .settled
        .iter()
        .filter(|finding| finding.id != "host.memory" && !finding.id.starts_with("engine."))
        .filter(|finding| finding.severity == Severity::Error || finding.id.starts_with("fleet."))
        .cloned()
        .collect();
    let clashes = crate::config::errors(&out).count();
    Verdict::of(
        match clashes {
            0 => "nothing is promised twice".to_owned(),
            1 => "1 clash".to_owned(),
            n => format!("{n} clashes"),
        },
        out,
    )
}

/// The directory from which Compose made a container.
fn made_from(container: &Container) -> Option<&str> {
    container
        .labels
        .get("com.docker.compose.project.working_dir")
        .map(String::as_str)
}

/// Whether a container is one of this deployment's.
pub(super) fn is_ours(container: &Container, project: &str, facts: &Facts) -> bool {
    container.project.as_deref() == Some(project)
        && made_from(container).is_none_or(|from| {
            let from = Path::new(from);
            from == facts.directory || Some(from) == facts.real_directory.as_deref()
        })
}

pub(super) fn containers(config: &Config, facts: &Facts) -> Verdict {
    const ID: &str = "preflight.containers";
    let Some(Ok(engine)) = &facts.engine else {
        return Verdict::not_needed();
    };
    let project = config.project_name();
    let names: Vec<String> = crate::compose::build(config)
        .services
        .into_iter()
        .map(|service| service.container_name)
        .collect();
    let mut out = Vec::new();
    let mut elsewhere: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut foreign: Vec<&Container> = Vec::new();
    for container in &engine.containers {
        if is_ours(container, &project, facts) {
            continue;
        }
        if container.project.as_deref() == Some(project.as_str()) {
            elsewhere
                .entry(made_from(container).unwrap_or_default())
                .or_default()
                .push(&container.name);
        } else if names.contains(&container.name) {
            foreign.push(container);
        }
    }
    for (from, containers) in elsewhere {
        out.push(
            Finding::error(
                ID,
                "project",
                format!(
                    "is a Compose project of {from} already ({}): starting this one would replace its containers",
                    listed(containers)
                ),
            )
            .value(&project)
            .hint(format!("give this one a prefix of its own: {}", config.setting(&["project=mailu_two"])))
            .hint(format!("or, if that one is not needed any more: `cd {} && docker compose down`", quoted(Path::new(from)))),
        );
    }
    for container in foreign {
        let owner = match (&container.project, made_from(container)) {
            (Some(project), Some(from)) => format!(" of the Compose project {project} in {from}"),
            (Some(project), None) => format!(" of the Compose project {project}"),
            (None, _) => String::new(),
        };
        out.push(
            Finding::error(
                ID,
                format!("container {}", container.name),
                format!(
                    "exists already{owner} (image {}, {}): Docker refuses two containers of one name",
                    container.image,
                    container.state.as_str()
                ),
            )
            .hint(format!("remove it if it is not needed: `docker rm -f {}`", container.name))
            .hint(format!("or give this deployment another prefix: {}", config.setting(&["project=mailu_two"]))),
        );
    }
    let ours = engine
        .containers
        .iter()
        .filter(|container| is_ours(container, &project, facts))
        .count();
    Verdict::of(
        match ours {
            0 => format!("{project}_… is free"),
            n => format!("{n} of this deployment's are there"),
        },
        out,
    )
}

pub(super) fn networks(config: &Config, facts: &Facts) -> Verdict {
    const ID: &str = "preflight.networks";
    let Some(Ok(engine)) = &facts.engine else {
        return Verdict::not_needed();
    };
    let project = config.project_name();
    let proxy = config.traefik.network.as_str();
    let mut out = Vec::new();
    let claimed = network::claimed(config);
    for there in &engine.networks {
        if there.project.as_deref() == Some(project.as_str()) {
            continue;
        }
        let clashes: Vec<(&'static str, &IpNet)> = claimed
            .iter()
            .filter(|(key, _)| *key != "traefik.subnet" || there.name != proxy)
            .filter(|(_, mine)| {
                there
                    .subnets
                    .iter()
                    .any(|net| network::overlap(*mine, *net))
            })
            .map(|(key, mine)| (*key, mine))
            .collect();
        if clashes.is_empty() {
            continue;
        }
        let owner = there
            .project
            .as_ref()
            .map(|project| format!(" of the Compose project {project}"))
            .unwrap_or_default();
        let message = format!(
            "{} {}, which the Docker network `{}`{owner} has: Docker makes no second one there",
            if clashes.len() == 1 {
                "overlaps"
            } else {
                "overlap"
            },
            listed(&there.subnets),
            there.name,
        );
        out.push(overlap(ID, &clashes, message, config).hint(format!(
            "or remove that network if nothing needs it: `docker network rm {}`",
            there.name
        )));
    }
    for (key, mine) in &claimed {
        let mine_is_there = engine
            .networks
            .iter()
            .any(|there| there.subnets.contains(mine));
        // An interface's address in there that is not Docker's: the host would talk to containers instead of its neighbours.
        if let Some(address) = facts
            .addresses
            .iter()
            .find(|address| mine.contains(*address) && !mine_is_there)
        {
            out.push(overlap(
                ID,
                &[(key, mine)],
                format!("contains {address}, an address of this host outside Docker"),
                config,
            ));
        }
    }
    let summary = claimed.first().map_or_else(
        || "none drawn".to_owned(),
        |(_, net)| format!("{net} and its side networks"),
    );
    Verdict::of(summary, out)
}

fn overlap(id: &str, mine: &[(&'static str, &IpNet)], message: String, config: &Config) -> Finding {
    let keys: Vec<&str> = mine.iter().map(|(key, _)| *key).collect();
    let nets: Vec<String> = mine.iter().map(|(_, net)| net.to_string()).collect();
    let finding = Finding::error(id, keys.join(", "), message).value(nets.join(", "));
    if keys == ["traefik.subnet"] && config.traefik.network.as_str() != DEFAULT_PROXY_NETWORK {
        return finding.hint("set `traefik.subnet` to what that network has");
    }
    finding.hint(format!(
        "have others drawn: `mailu config unset {} {}`",
        config.options(),
        keys.join(" ")
    ))
}
