//! What services wrote.

use std::ops::ControlFlow;

use serde::Serialize;

use super::engine::{Docker, LogLine, LogWish};
use super::operate::{chosen, no_containers};
use super::root::Mailu;
use super::{hints, observe, ready, status};
use crate::error::{Error, ErrorKind};
use crate::paths::Layout;

/// Which lines are wanted.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct LogRequest {
    /// Of these services; of all if none is named.
    pub services: Vec<String>,
    /// Only lines since then: a time (RFC 3339), or how long ago (`10m`, `2h`, `1d`).
    pub since: Option<String>,
    /// Only the last so many, of all services together.
    pub tail: Option<u64>,
    /// Whether to go on with what is written from now on.
    pub follow: bool,
}

/// A line that a service wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct LogEntry {
    /// When, RFC 3339 in UTC.
    pub at: String,
    /// The service.
    pub service: String,
    /// Its container.
    pub container: String,
    /// The line.
    pub text: String,
}

impl Mailu {
    /// Hands over what services of the deployment at `layout` wrote, in order of time; with `follow`, until `each` breaks, which is asked
    /// between lines, too.
    /// Containers that are restarted or made anew are followed on. Secrets of the deployment are shown as `***`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] for a service that the deployment does not have, or where it has no containers;
    /// [`ErrorKind::InvalidInput`] for a time that cannot be read; [`ErrorKind::Docker`] where the engine does not answer.
    pub fn logs(
        &self,
        layout: &Layout,
        request: &LogRequest,
        each: &mut dyn FnMut(Option<LogEntry>) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        self.logged(layout, request, each)
            .map_err(|error| hints::error(error, self.root()))
    }

    /// The services of the deployment at `layout`, in the order in which they start.
    ///
    /// # Errors
    ///
    /// As [`Mailu::config`].
    pub fn services(&self, layout: &Layout) -> Result<Vec<String>, Error> {
        let (config, _) = self.config(layout)?;
        let wanted = status::wanted(layout, &config);
        Ok(wanted.into_iter().map(|one| one.service).collect())
    }

    fn logged(
        &self,
        layout: &Layout,
        request: &LogRequest,
        each: &mut dyn FnMut(Option<LogEntry>) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let (config, _) = self.config(layout)?;
        let project = status::project(layout, &config);
        let files = status::wanted(layout, &config);
        let docker = Docker::connect();
        let there = match &docker {
            Ok(docker) => docker.project(&project)?,
            Err(_) => Vec::new(),
        };
        let wanted = status::with_own(layout, files, &there);
        let services = chosen(&request.services, &wanted, &config)?;
        let since = request
            .since
            .as_deref()
            .map(|text| since(text, observe::now_seconds()))
            .transpose()?;
        let docker = docker?;
        let of_these: Vec<_> = there
            .iter()
            .filter(|one| {
                one.service
                    .as_ref()
                    .is_some_and(|name| services.contains(name))
            })
            .collect();
        if of_these.is_empty() && !request.follow {
            if there.is_empty() {
                return Err(no_containers(layout, &config, "show what is logged by"));
            }
            return Err(Error::new(
                ErrorKind::NotFound,
                "service.absent",
                format!(
                    "show what is logged by {}: no container of {}",
                    services.join(", "),
                    config.mail_host
                ),
            )
            .hint(format!(
                "`mailu start {}` makes what is missing",
                config.options()
            )));
        }
        let secrets = ready::secrets(layout);
        let mut hand_over = |line: Option<(&str, LogLine)>| {
            each(line.map(|(service, line)| LogEntry {
                at: line.at,
                service: service.to_owned(),
                container: line.container,
                text: ready::without(&secrets, &line.text),
            }))
        };
        let wish = LogWish {
            tail: request.tail,
            since,
            follow: request.follow,
        };
        docker.project_logs(&project, &services, &wish, &mut hand_over)
    }
}

/// A time, or how long ago, in seconds since 1970.
fn since(text: &str, now: i64) -> Result<i64, Error> {
    let text = text.trim();
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        return Ok(at.as_second());
    }
    let here = jiff::tz::TimeZone::system();
    if let Ok(at) = text.parse::<jiff::civil::DateTime>()
        && let Ok(at) = at.to_zoned(here)
    {
        return Ok(at.timestamp().as_second());
    }
    let ago = text.parse::<jiff::Span>().ok().and_then(|span| {
        let days = jiff::SpanRelativeTo::days_are_24_hours();
        span.total((jiff::Unit::Second, days)).ok()
    });
    match ago {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "seconds, far below the limit"
        )]
        Some(seconds) if seconds >= 0.0 => Ok(now.saturating_sub(seconds as i64)),
        _ => Err(Error::new(
            ErrorKind::InvalidInput,
            "logs.since",
            format!("understand `{text}` as a time"),
        )
        .hint(
            "say how long ago: `10m`, `2h`, `3d`; or when: `2026-11-22`, `2026-11-22T10:00:00Z`",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_understood_in_both_forms() {
        let read = |text: &str| since(text, 1_000_000).map_err(|error| error.code());
        assert_eq!(read("10m"), Ok(1_000_000 - 600));
        assert_eq!(read("1h30m"), Ok(1_000_000 - 5400));
        assert_eq!(read("2d"), Ok(1_000_000 - 172_800));
        assert_eq!(read("90s"), Ok(1_000_000 - 90));
        assert_eq!(read("1970-01-02T00:00:00Z"), Ok(86_400));
        assert!(read("2026-11-22").is_ok());
        for text in ["", "yesterday", "10", "-5m"] {
            assert_eq!(read(text), Err("logs.since"), "{text}");
        }
    }
}
