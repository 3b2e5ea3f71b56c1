//! The engine, Compose and logging.

use super::{EngineFacts, Facts, Verdict, version};
use crate::config::{Config, LogDriver};
use crate::finding::Finding;

/// The oldest Docker that Traefik 3.6 and later speak to.
const DOCKER_SINCE: (u32, u32, u32) = (19, 3, 0);

/// Releases of Docker that break Mailu, and how.
const BROKEN: [((u32, u32, u32), &str); 2] = [
    (
        (24, 0, 0),
        "its DNS drops the mark of validated answers, for which Mailu's admin waits for ever",
    ),
    (
        (26, 1, 3),
        "containers with a `dns` setting do not reach that server, so that Mailu's resolver is not asked",
    ),
];

/// The oldest of each series that reads the generated docker-compose.yml.
const COMPOSE_SINCE: [(u32, u32, u32); 2] = [(1, 27, 0), (2, 0, 0)];

const INSTALL: &str = "`mailu install --with-deps` installs it on Debian and Ubuntu; for other systems: https://docs.docker.com/engine/install/";

pub(super) fn engine(_: &Config, facts: &Facts) -> Verdict {
    const ID: &str = "preflight.engine";
    let engine = match &facts.engine {
        None => return Verdict::undone("not asked"),
        Some(Err(why)) => {
            return Verdict::of(
                "does not answer",
                vec![
                    Finding::error(ID, "docker", format!("does not answer {why}"))
                        .hint("start it: `systemctl start docker`; `docker info` shows whether it runs")
                        .hint(INSTALL),
                ],
            );
        }
        Some(Ok(engine)) => engine,
    };
    let EngineFacts {
        version: text,
        other,
        rootless,
        remote,
        ..
    } = engine;
    let mut out = Vec::new();
    let error = |message: String| Finding::error(ID, "docker", message).value(text);
    if let Some(name) = other {
        out.push(
            error(format!("is {name}: Mailu's admin does not start where there is no /.dockerenv, and networks behave otherwise"))
                .hint("install Docker itself")
                .hint(INSTALL),
        );
    } else {
        match version(text) {
            Some(there) if there < DOCKER_SINCE => out.push(
                error("is too old: Traefik needs an engine of 19.03 or later".to_owned())
                    .hint("update Docker")
                    .hint(INSTALL),
            ),
            Some(there) => {
                if let Some((_, how)) = BROKEN.iter().find(|(broken, _)| *broken == there) {
                    out.push(
                        error(format!("cannot run Mailu: {how}"))
                            .hint("update Docker: `apt-get update && apt-get install --only-upgrade docker-ce docker-ce-cli`"),
                    );
                }
            }
            None => out.push(
                Finding::warning(ID, "docker", "does not say its version, so that releases which break Mailu are not recognised")
                    .hint("`docker version` shows what it is"),
            ),
        }
    }
    if let Some(place) = remote {
        out.push(
            error(format!("is on another host ({place}): its containers would not see the files that are written here"))
                .hint("install on that host, or unset DOCKER_HOST to use this one's"),
        );
    }
    if *rootless {
        out.push(
            error("runs without root's rights: it cannot take ports below 1024, and hides where connections come from, so that limits, SPF and block lists see one client only".to_owned())
                .hint("run Docker as root: `systemctl enable --now docker`, and unset DOCKER_HOST"),
        );
    }
    Verdict::of(format!("Docker {text}"), out)
}

pub(super) fn compose(_: &Config, facts: &Facts) -> Verdict {
    const ID: &str = "preflight.compose";
    let Some(text) = &facts.compose else {
        return Verdict::of(
            "missing",
            vec![
                Finding::error(ID, "compose", "is missing: neither `docker compose` nor `docker-compose` answers")
                    .hint("`mailu install --with-deps` installs it; or install the package docker-compose-plugin (Docker's own) or docker-compose (Debian's)"),
            ],
        );
    };
    let docker = match &facts.engine {
        Some(Ok(engine)) => version(&engine.version),
        _ => None,
    };
    let mut out = Vec::new();
    if let Some(there) = version(text) {
        let first = there.0 == 1;
        let since = if first {
            COMPOSE_SINCE[0]
        } else {
            COMPOSE_SINCE[1]
        };
        if there < since {
            out.push(
                Finding::error(
                    ID,
                    "compose",
                    "is too old: files without `version`, as Mailu's are, need 1.27 or later",
                )
                .value(text)
                .hint("install the package docker-compose-plugin (Docker's own), or `mailu install --with-deps`"),
            );
        } else if first && docker.is_some_and(|docker| docker.0 >= 29) {
            out.push(
                Finding::error(
                    ID,
                    "compose",
                    "of the first series speaks API 1.38 at most, and Docker 29 refuses what is older than 1.44",
                )
                .value(text)
                .hint("install the package docker-compose-plugin"),
            );
        } else if first {
            out.push(
                Finding::notice(
                    ID,
                    "compose",
                    "works, and has not been maintained since 2023",
                )
                .value(text)
                .hint("install the package docker-compose-plugin, which is preferred once it is there"),
            );
        }
    }
    Verdict::of(format!("Compose {text}"), out)
}

pub(super) fn logs(config: &Config, facts: &Facts) -> Verdict {
    const ID: &str = "preflight.logs";
    let Some(Ok(engine)) = &facts.engine else {
        return Verdict::not_needed();
    };
    let driver = config.logs.driver;
    let mut out = Vec::new();
    let other = || config.setting(&["logs.driver=json-file"]);
    if !engine.log_drivers.is_empty() && !engine.log_drivers.iter().any(|d| d == driver.as_str()) {
        out.push(
            Finding::error(
                ID,
                "logs.driver",
                format!(
                    "is none of this engine's log drivers, which are: {}",
                    engine.log_drivers.join(", ")
                ),
            )
            .value(driver)
            .hint(format!("take another: {}", other())),
        );
    } else if driver == LogDriver::Journald && !facts.journal {
        out.push(
            Finding::error(
                ID,
                "logs.driver",
                "needs systemd's journal, and there is no /run/systemd/journal/socket: no container would start",
            )
            .value(driver)
            .hint("`systemctl start systemd-journald`")
            .hint(format!("or take another: {}", other())),
        );
    }
    Verdict::of(format!("log driver {driver}"), out)
}
