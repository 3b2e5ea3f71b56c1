//! Which containers have to be made anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::compose::{DEFINITION, Service};
use crate::engine::{Container, State};
use crate::env::{EnvFile, reads};

/// A service as its container should be.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Wanted {
    /// The service.
    pub service: String,
    /// Its container's name.
    pub container: String,
    /// Its image, with everything filled in.
    pub image: String,
    /// The hash of its definition.
    pub definition: String,
    /// The variables that it gets.
    pub environment: BTreeMap<String, String>,
    /// Variables whose values only Compose can tell.
    pub computed: BTreeSet<String>,
}

/// Of the variables, only the names: secrets are among them.
impl fmt::Debug for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wanted")
            .field("service", &self.service)
            .field("container", &self.container)
            .field("image", &self.image)
            .field("definition", &self.definition)
            .field("environment", &self.environment.keys())
            .field("computed", &self.computed)
            .finish()
    }
}

impl Wanted {
    /// `service` with the `mailu.env` and `.env` that are in place.
    pub fn new(service: &Service, mailu_env: &EnvFile, compose_env: &EnvFile) -> Self {
        let mut environment = BTreeMap::new();
        let mut computed = BTreeSet::new();
        if service.env_file {
            for (name, value) in mailu_env.variables() {
                if value.interpolates {
                    computed.insert(name.to_owned());
                } else {
                    environment.insert(name.to_owned(), value.text.clone());
                }
            }
        }
        for (name, value) in &service.environment {
            computed.remove(name);
            environment.insert(name.clone(), value.clone());
        }
        let label = service.labels.iter().find(|(name, _)| name == DEFINITION);
        Self {
            service: service.name.clone(),
            container: service.container_name.clone(),
            image: filled(&service.image, compose_env),
            definition: label.map(|(_, hash)| hash.clone()).unwrap_or_default(),
            environment,
            computed,
        }
    }
}

impl Wanted {
    /// A service of which nothing is known but its container.
    pub fn found(service: &str, container: &Container) -> Self {
        Self {
            service: service.to_owned(),
            container: container.name.clone(),
            image: container.image.clone(),
            definition: String::new(),
            environment: BTreeMap::new(),
            computed: BTreeSet::new(),
        }
    }
}

/// The images of `wanted`, each once, with the services that need it.
pub fn images_of(wanted: &[Wanted]) -> BTreeMap<&str, Vec<&str>> {
    let mut all: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for one in wanted {
        all.entry(&one.image).or_default().push(&one.service);
    }
    all
}

/// An image as Compose understands it: `${NAME:-default}`, with values from `.env`.
fn filled(image: &str, env: &EnvFile) -> String {
    let mut parts = image.split("${");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (inner, rest) = part.split_once('}').unwrap_or((part, ""));
        let (name, default) = inner.split_once(":-").unwrap_or((inner, ""));
        let value = env.get(name).map_or("", |value| value.text.as_str());
        out.push_str(if value.is_empty() { default } else { value });
        out.push_str(rest);
    }
    out
}

/// What has to happen to a service's container.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// There is none.
    Missing,
    /// It is as it should be, and does not run.
    Stopped,
    /// It is as it should be.
    Same,
    /// It has to be made anew; says why.
    Differs(Vec<String>),
    /// Only Compose can tell; says why.
    Undecided(String),
}

/// Compares the container of a service with what it should be.
///
/// `image_id` is the identifier of the wanted image, as the engine has it now; `image_environment` are the variables that the
/// image brings along.
pub fn compare(
    wanted: &Wanted,
    container: Option<&Container>,
    image_id: Option<&str>,
    image_environment: Option<&BTreeMap<String, String>>,
) -> Verdict {
    let Some(container) = container else {
        return Verdict::Missing;
    };
    let mut why = Vec::new();
    if container.image != wanted.image {
        why.push(format!("image {} → {}", container.image, wanted.image));
    } else if image_id.is_some_and(|id| id != container.image_id) {
        why.push(format!("another image has the name {} now", wanted.image));
    }
    match container.labels.get(DEFINITION) {
        Some(hash) if *hash == wanted.definition => {}
        Some(_) => why.push("its definition in docker-compose.yml".to_owned()),
        None => why.push("it was not made by this version of `mailu`".to_owned()),
    }
    let changed = changed(wanted, container, image_environment);
    if !changed.is_empty() {
        let plural = if changed.len() == 1 { "" } else { "s" };
        why.push(format!("variable{plural} {}", changed.join(", ")));
    }
    if !why.is_empty() {
        return Verdict::Differs(why);
    }
    if let Some(name) = wanted
        .computed
        .iter()
        .find(|name| reads(&wanted.service, name))
    {
        return Verdict::Undecided(format!("Compose computes {name}"));
    }
    if container.state == State::Running || container.state == State::Restarting {
        Verdict::Same
    } else {
        Verdict::Stopped
    }
}

/// The variables that the service reads and that its container has otherwise.
fn changed<'a>(
    wanted: &'a Wanted,
    container: &'a Container,
    image: Option<&'a BTreeMap<String, String>>,
) -> Vec<&'a str> {
    let expected = |name: &str| {
        wanted
            .environment
            .get(name)
            .or_else(|| image.and_then(|image| image.get(name)))
    };
    let mut names: BTreeSet<&str> = wanted.environment.keys().map(String::as_str).collect();
    // Without the image, what the container has beyond that may be the image's.
    if image.is_some() {
        names.extend(container.environment.keys().map(String::as_str));
    }
    names
        .into_iter()
        .filter(|name| {
            reads(&wanted.service, name)
                && !wanted.computed.contains(*name)
                && expected(name) != container.environment.get(*name)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(service: &str, env: &str) -> Wanted {
        let definition = Service {
            name: service.to_owned(),
            image: "${DOCKER_ORG:-ghcr.io/mailu}/${DOCKER_PREFIX:-}nginx:${MAILU_VERSION:-1}"
                .to_owned(),
            env_file: true,
            environment: vec![("FRONT_ADDRESS".to_owned(), "smtp".to_owned())],
            labels: vec![(DEFINITION.to_owned(), "abc".to_owned())],
            ..Service::default()
        };
        Wanted::new(
            &definition,
            &EnvFile::parse(env).expect("an environment file"),
            &EnvFile::parse("DOCKER_PREFIX=\nMAILU_VERSION=2\n").expect("an environment file"),
        )
    }

    fn container(of: &Wanted) -> Container {
        let mut container = Container::new("mailu_front", "ghcr.io/mailu/nginx:2");
        container.image_id = "sha256:1".to_owned();
        container.environment = of.environment.clone();
        container.environment.extend(image());
        container
            .labels
            .insert(DEFINITION.to_owned(), "abc".to_owned());
        container
    }

    fn image() -> BTreeMap<String, String> {
        BTreeMap::from([("PATH".to_owned(), "/bin".to_owned())])
    }

    fn verdict(wanted: &Wanted, container: &Container) -> Verdict {
        compare(wanted, Some(container), Some("sha256:1"), Some(&image()))
    }

    #[test]
    fn only_what_a_service_reads_counts() {
        let env = "MESSAGE_SIZE_LIMIT=1\nSITENAME=a\nOWN=x\n";
        let front = wanted("front", env);
        assert_eq!(front.image, "ghcr.io/mailu/nginx:2");
        let there = container(&front);
        assert_eq!(verdict(&front, &there), Verdict::Same);
        let next = wanted("front", "MESSAGE_SIZE_LIMIT=1\nSITENAME=b\nOWN=x\n");
        assert_eq!(verdict(&next, &there), Verdict::Same);
        let next = wanted("front", "MESSAGE_SIZE_LIMIT=2\nSITENAME=b\n");
        assert_eq!(
            verdict(&next, &there),
            Verdict::Differs(vec!["variables MESSAGE_SIZE_LIMIT, OWN".to_owned()])
        );
        // What Compose computes, it has to compare itself.
        let next = wanted("front", "MESSAGE_SIZE_LIMIT=$X\nSITENAME=b\nOWN=x\n");
        assert_eq!(
            verdict(&next, &there),
            Verdict::Undecided("Compose computes MESSAGE_SIZE_LIMIT".to_owned())
        );
        let next = wanted("front", "MESSAGE_SIZE_LIMIT=1\nSITENAME=$X\nOWN=x\n");
        assert_eq!(verdict(&next, &there), Verdict::Same);
    }

    #[test]
    fn definition_image_and_state_count() {
        let front = wanted("front", "");
        let mut there = container(&front);
        there.state = State::Exited;
        assert_eq!(verdict(&front, &there), Verdict::Stopped);
        assert_eq!(compare(&front, None, None, None), Verdict::Missing);
        let image = compare(&front, Some(&there), Some("sha256:2"), Some(&image()));
        assert!(matches!(image, Verdict::Differs(why) if why.len() == 1));
        there.labels.clear();
        assert!(matches!(verdict(&front, &there), Verdict::Differs(_)));
    }
}
