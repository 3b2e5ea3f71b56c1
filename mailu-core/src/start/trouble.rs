//! What Compose's and Docker's words mean, and what helps.

/// A known reason of a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Trouble {
    /// Stable.
    pub code: &'static str,
    /// What is wrong.
    pub why: String,
    /// What to do.
    pub hints: Vec<String>,
    /// The port that it is about.
    pub port: Option<u16>,
    /// The container that it is about.
    pub container: Option<String>,
}

fn trouble(code: &'static str, why: impl Into<String>, hints: &[&str]) -> Trouble {
    Trouble {
        code,
        why: why.into(),
        hints: hints.iter().map(|hint| (*hint).to_owned()).collect(),
        port: None,
        container: None,
    }
}

/// The reason in what was `said`, if it is a known one.
pub fn explain(said: &str) -> Option<Trouble> {
    let lower = said.to_ascii_lowercase();
    let any = |texts: &[&str]| texts.iter().any(|text| lower.contains(text));
    if any(&["no space left on device", "disk quota exceeded"]) {
        return Some(trouble(
            "disk.full",
            "the disk is full",
            &[
                "free some space (`docker system df` shows what Docker holds, `df -h` the disks) and run the same command again",
            ],
        ));
    }
    if any(&[
        "cannot connect to the docker daemon",
        "error during connect",
        "couldn't connect to docker daemon",
        "is the docker daemon running",
    ]) {
        return Some(trouble(
            "engine.gone",
            "the Docker engine does not answer any more",
            &["`systemctl start docker`, then run the same command again: it continues"],
        ));
    }
    if any(&["is already in use by container"]) {
        let name = said
            .split("container name \"")
            .nth(1)
            .and_then(|rest| rest.split('"').next())
            .map(|name| name.trim_start_matches('/').to_owned());
        let mut found = trouble(
            "container.name_taken",
            "another container has the name",
            &[
                "remove that container if nobody needs it (`docker rm NAME`), or choose other names with `project`",
            ],
        );
        found.container = name;
        return Some(found);
    }
    if any(&[
        "port is already allocated",
        "address already in use",
        "failed to bind host port",
        "ports are not available",
    ]) && !any(&["failed to set up container networking: address already in use"])
    {
        let mut found = trouble("port.taken", "a port is taken", &[]);
        found.port = port(said);
        return Some(found);
    }
    if any(&[
        "pool overlaps",
        "address already in use",
        "invalid pool request",
    ]) {
        return Some(trouble(
            "network.taken",
            "another network has these addresses",
            &[
                "`docker network ls` and `docker network inspect` show which; remove it if nobody needs it, or set `network.subnet` to free addresses",
            ],
        ));
    }
    if any(&["network", "not found"]) && any(&["declared as external"]) {
        return Some(trouble(
            "network.missing",
            "the network shared with Traefik is missing",
            &[],
        ));
    }
    if any(&["toomanyrequests", "rate limit"]) {
        return Some(trouble(
            "image.rate_limit",
            "the registry refuses more downloads for now",
            &["wait, or log in with `docker login`, and run the same command again"],
        ));
    }
    if any(&[
        "unauthorized",
        "authentication required",
        "denied: requested access",
        "pull access denied",
    ]) {
        return Some(trouble(
            "image.denied",
            "the registry does not give it to us, or does not have it",
            &[
                "`docker login` for a private registry; `images` in mailu.toml says where images come from",
            ],
        ));
    }
    if any(&[
        "manifest unknown",
        "manifest for",
        "not found: manifest",
        "repository does not exist",
        "no matching manifest",
    ]) {
        return Some(trouble(
            "image.unknown",
            "the registry does not have it",
            &["check `version` and `images` in mailu.toml, and `.env` for edits of them"],
        ));
    }
    if any(&[
        "no such host",
        "dial tcp",
        "i/o timeout",
        "tls handshake timeout",
        "connection refused",
        "temporary failure in name resolution",
        "context deadline exceeded",
        "request canceled",
    ]) {
        return Some(trouble(
            "image.unreachable",
            "the registry cannot be reached",
            &[
                "check this host's way to the internet (names, proxy, firewall), and run the same command again; images that were loaded with `docker load` are used as they are",
            ],
        ));
    }
    None
}

/// The port in Docker's words: `0.0.0.0:25`, `Bind for :::25 failed`, `listen tcp4 127.0.0.2:993:`.
fn port(said: &str) -> Option<u16> {
    let words = said.split_whitespace();
    words
        .filter_map(|word| {
            let word = word.trim_end_matches([':', ',', '.']);
            let (before, number) = word.rsplit_once(':')?;
            let address = before.rsplit("//").next()?;
            let plain = address
                .bytes()
                .all(|b| b.is_ascii_digit() || b.is_ascii_hexdigit() || b".:[]".contains(&b));
            plain
                .then(|| number.split('/').next()?.parse().ok())
                .flatten()
        })
        .find(|port| *port != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(said: &str) -> &'static str {
        explain(said).map_or("", |found| found.code)
    }

    #[test]
    fn dockers_words_are_understood() {
        for (said, expected) in [
            (
                "Error response from daemon: driver failed programming external connectivity on endpoint mailu_front (ab): Bind for 127.0.0.2:25 failed: port is already allocated",
                "port.taken",
            ),
            (
                "Error starting userland proxy: listen tcp4 0.0.0.0:993: bind: address already in use",
                "port.taken",
            ),
            (
                "failed to bind host port 0.0.0.0:465/tcp: address already in use",
                "port.taken",
            ),
            (
                "write /var/lib/docker/tmp/x: no space left on device",
                "disk.full",
            ),
            (
                "Error response from daemon: manifest for redis:9 not found: manifest unknown: manifest unknown",
                "image.unknown",
            ),
            (
                "Error response from daemon: pull access denied for x, repository does not exist or may require 'docker login': denied: requested access to the resource is denied",
                "image.denied",
            ),
            (
                "Error response from daemon: Get \"https://ghcr.io/v2/\": dial tcp: lookup ghcr.io: no such host",
                "image.unreachable",
            ),
            (
                "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
                "engine.gone",
            ),
            (
                "failed to create network mailu_default: Error response from daemon: Pool overlaps with other one on this address space",
                "network.taken",
            ),
            (
                "Conflict. The container name \"/mailu_front\" is already in use by container \"abc\". You have to remove",
                "container.name_taken",
            ),
            ("something else", ""),
        ] {
            assert_eq!(code(said), expected, "{said}");
        }
        let ports: Vec<_> = [
            "Bind for 127.0.0.2:25 failed: port is already allocated",
            "listen tcp4 0.0.0.0:993: bind: address already in use",
            "failed to bind host port 0.0.0.0:465/tcp: address already in use",
            "Bind for :::587 failed: port is already allocated",
        ]
        .iter()
        .map(|said| explain(said).and_then(|found| found.port))
        .collect();
        assert_eq!(ports, [Some(25), Some(993), Some(465), Some(587)]);
        let name = explain("The container name \"/mailu_front\" is already in use by container x");
        assert_eq!(
            name.and_then(|found| found.container).as_deref(),
            Some("mailu_front")
        );
    }
}
