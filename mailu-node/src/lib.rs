#![doc = include_str!("../README.md")]

// Every function returns JSON text, which `index.js` parses: napi's own conversion sorts the keys, refuses more than a
// million values, and builds objects property by property.

mod answer;
mod input;

use mailu_core::{ErrorKind, api, config};
use napi::bindgen_prelude::Unknown;
use napi_derive::napi;

use crate::answer::{Result, answer};
use crate::input::Options;

/// The version of this package.
#[expect(non_upper_case_globals, reason = "its name in JavaScript")]
#[napi]
pub const version: &str = env!("CARGO_PKG_VERSION");

/// Everything that is wrong with a configuration, or worth knowing about it.
///
/// # Errors
///
/// As [`api::check_config`].
#[napi]
pub fn check_config(config: Unknown<'_>) -> Result<String> {
    let config = input::config(config)?;
    answer(|| api::check_config(&config))
}

/// Every generated file of a deployment.
///
/// # Errors
///
/// As [`api::render_files`].
#[napi]
pub fn render(config: Unknown<'_>, options: Unknown<'_>) -> Result<String> {
    let config = input::config(config)?;
    let mut options = Options::read(options)?;
    let secrets = options.texts("secrets")?;
    let dkim_keys = options.texts("dkimKeys")?;
    options.finish()?;
    answer(|| api::render_files(&config, &secrets, &dkim_keys))
}

/// The DNS records that a configuration needs, by zone.
///
/// # Errors
///
/// As [`api::dns_records`].
#[napi]
pub fn dns_records(config: Unknown<'_>, options: Unknown<'_>) -> Result<String> {
    let config = input::config(config)?;
    let mut options = Options::read(options)?;
    let dkim_keys = options.texts("dkimKeys")?;
    options.finish()?;
    answer(|| api::dns_records(&config, &dkim_keys))
}

/// The JSON Schema of `mailu.toml`.
///
/// # Errors
///
/// Only after a panic.
#[napi]
pub fn config_schema() -> Result<String> {
    answer(|| Ok(config::json_schema()))
}

/// Every kind of error.
///
/// # Errors
///
/// Only after a panic.
#[napi]
pub fn error_kinds() -> Result<String> {
    answer(|| Ok(ErrorKind::ALL))
}
