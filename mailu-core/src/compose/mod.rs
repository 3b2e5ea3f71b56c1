//! `docker-compose.yml`: services, networks and volumes as data, and the template that writes them down.

mod build;
mod labels;
pub(crate) use labels::published;
mod render;

pub use build::{Compose, DEFINITION, Health, Mount, NetworkDef, Service, build};
pub(crate) use render::environment;
pub use render::render;
