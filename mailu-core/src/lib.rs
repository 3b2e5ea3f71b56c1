#![doc = include_str!("../README.md")]
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod accounts;
pub mod acme;
pub mod api;
pub mod apps;
pub mod backup;
pub mod certs;
pub mod compose;
pub mod config;
pub mod delivery;
pub mod deps;
pub mod diagnose;
pub mod dkim;
pub mod dns;
pub mod engine;
pub mod env;
mod error;
mod finding;
pub mod fleet;
mod hash;
#[cfg(feature = "host")]
pub mod host;
pub mod migrate;
pub mod mta_sts;
pub mod names;
pub mod network;
pub mod pages;
pub mod paths;
pub mod plan;
pub mod preflight;
mod render;
pub mod restore;
mod secret;
pub mod start;
pub mod status;
pub mod timer;
pub mod traefik;
pub mod update;

pub use config::Config;
pub use error::{Error, ErrorKind, Failure, Invalid};
pub use finding::{Finding, Severity, has_errors};
pub use render::{Rendered, RenderedFile, render};
pub use secret::{Revealed, Secret, Secrets};
