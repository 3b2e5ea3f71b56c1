#![doc = include_str!("../README.md")]

// Everything is handed over as JSON text, which `index.js` parses: napi's own conversion sorts the keys, refuses more than a
// million values, and builds objects property by property.

mod answer;
pub mod call;
mod input;

use mailu_core::{ErrorKind, accounts, api, config};
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
    let dkim_keys = options.texts("dkim_keys")?;
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
    let dkim_keys = options.texts("dkim_keys")?;
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

/// Every attribute of accounts.
///
/// # Errors
///
/// Only after a panic.
#[napi]
pub fn accounts_schema() -> Result<String> {
    answer(|| Ok(accounts::schema()))
}

/// The apps that can be told how to send through a server.
///
/// # Errors
///
/// Only after a panic.
#[napi]
pub fn app_list() -> Result<String> {
    answer(|| Ok(api::app_list()))
}

/// What an app is to be told of any server.
///
/// # Errors
///
/// As [`api::app_settings`].
#[napi]
pub fn settings_of_app(
    app: Unknown<'_>,
    profile: Unknown<'_>,
    options: Unknown<'_>,
) -> Result<String> {
    let app = input::text("app", app)?;
    let profile = input::object("profile", profile)?;
    let mut options = Options::read(options)?;
    let format = options.text("format")?;
    options.finish()?;
    answer(|| api::app_settings(&app, format.as_deref(), &profile))
}

/// Every operation with its types; `generate.js` makes the package's declarations of it.
///
/// # Errors
///
/// Only after a panic.
#[napi]
pub fn schema() -> Result<String> {
    answer(|| Ok(mailu_core::host::api::schema()))
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

/// Where AgencyStack lives, if nothing else is said.
#[expect(non_upper_case_globals, reason = "its name in JavaScript")]
#[napi]
pub const defaultRoot: &str = mailu_core::paths::DEFAULT_ROOT;
