//! What `apply` would do to the containers of a server that has some.

use std::fs;

use super::compose::Compose;
use super::engine::Docker;
use super::ready;
use super::up::of_service;
use crate::compose;
use crate::env::EnvFile;
use crate::paths::Layout;
use crate::plan::Deployment;
use crate::start::{self, Done, ServiceRun, Verdict, Wanted};

/// The containers that would be touched, as far as that can be told: without an engine, without containers, and where Compose
/// alone can tell, none are named.
pub(super) fn touched(layout: &Layout, deployment: &Deployment) -> Vec<ServiceRun> {
    look(layout, deployment).unwrap_or_default()
}

fn look(layout: &Layout, deployment: &Deployment) -> Option<Vec<ServiceRun>> {
    if !deployment.plan.conflicts.is_empty() || ready::override_of(layout).is_some() {
        return None;
    }
    // As the plan leaves them.
    let file = |name: &str| -> Option<String> {
        let path = layout.file(name);
        let written = deployment.plan.steps.iter().rev().find_map(|step| {
            let content = step.content.as_ref().filter(|_| step.path == path)?;
            String::from_utf8(content.0.clone()).ok()
        });
        written.or_else(|| fs::read_to_string(&path).ok())
    };
    if file("docker-compose.yml")? != deployment.rendered.compose {
        return None;
    }
    let mailu_env = EnvFile::parse(&file("mailu.env")?).ok()?;
    let compose_env = EnvFile::parse(&file(".env")?).ok()?;
    let project = compose_env.get("COMPOSE_PROJECT_NAME")?.text.clone();
    let docker = Docker::connect().ok()?;
    let containers = docker.project(&project).ok()?;
    if containers.is_empty() || Compose::find()?.is_first() {
        return None;
    }
    let mut all = Vec::new();
    for service in compose::build(&deployment.config).services {
        let wanted = Wanted::new(&service, &mailu_env, &compose_env);
        let there = of_service(&containers, &wanted.service);
        let image = docker.image(&wanted.image).ok()?;
        let environment =
            there.and_then(|there| docker.image_environment(&there.image_id).ok().flatten());
        let id = image.as_ref().map(|image| image.id.as_str());
        let (done, why) = match start::compare(&wanted, there, id, environment.as_ref()) {
            Verdict::Missing => (Done::Created, Vec::new()),
            Verdict::Stopped => (Done::Started, Vec::new()),
            Verdict::Differs(why) => (Done::Recreated, why),
            Verdict::Same | Verdict::Undecided(_) => continue,
        };
        all.push(ServiceRun::new(wanted.service, wanted.container, done, why));
    }
    Some(all)
}
