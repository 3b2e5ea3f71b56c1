//! Postfix stays out of the way while front is away.
//!
//! Postfix delivers by way of front, whom it finds by name. Docker knows the name of a running container only, and Postfix takes
//! a name that does not exist for good: it returns the mail to the sender (5.4.4) where it would keep it if front just did not
//! answer. So it stops before front does, and starts after front has.

use super::engine::Docker;
use crate::engine::{Container, State};
use crate::error::Error;

/// How long Postfix has to end, in seconds.
const GRACE: i32 = 10;

/// Postfix, stopped; or nothing, where it did not run.
#[derive(Debug)]
pub(super) struct Pause {
    smtp: Option<String>,
}

impl Pause {
    /// Stops Postfix among `containers`, those of one deployment.
    pub(super) fn begin(docker: &Docker, containers: &[Container]) -> Result<Self, Error> {
        let smtp = running(containers, "smtp").map(|container| container.name.clone());
        if let Some(smtp) = &smtp {
            docker.stop(smtp, GRACE)?;
        }
        Ok(Self { smtp })
    }

    /// Starts it again.
    pub(super) fn end(self, docker: &Docker) -> Result<(), Error> {
        match &self.smtp {
            Some(smtp) => docker.start(smtp),
            None => Ok(()),
        }
    }
}

/// The container of `service`, if it runs or is about to.
pub(super) fn running<'c>(containers: &'c [Container], service: &str) -> Option<&'c Container> {
    containers.iter().find(|container| {
        container.service.as_deref() == Some(service)
            && matches!(container.state, State::Running | State::Restarting)
    })
}
