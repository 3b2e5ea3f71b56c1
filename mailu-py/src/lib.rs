#![doc = include_str!("../README.md")]
#![expect(
    clippy::needless_pass_by_value,
    reason = "pyo3 extracts arguments by value"
)]

mod error;
mod host;
mod input;

use mailu_core::{ErrorKind, api, config};
use pyo3::prelude::*;
use pythonize::pythonize;

use crate::error::run;
use crate::input::{Config, Texts};

/// Everything that is wrong with a configuration, or worth knowing about it. Empty: all is well.
#[pyfunction]
fn check_config(py: Python<'_>, config: Config) -> PyResult<Bound<'_, PyAny>> {
    let findings = run(py, || api::check_config(&config.0))?;
    Ok(pythonize(py, &findings)?)
}

/// Every generated file of a deployment.
///
/// `secrets` are named as their files are (`secret_key`, `api_token`, `relay_password`), `dkim_keys` (PEM) by email domain;
/// what is missing is left out of the files.
#[pyfunction]
#[pyo3(signature = (config, *, secrets=None, dkim_keys=None))]
fn render(
    py: Python<'_>,
    config: Config,
    secrets: Option<Texts>,
    dkim_keys: Option<Texts>,
) -> PyResult<Bound<'_, PyAny>> {
    let secrets = secrets.unwrap_or_default().0;
    let dkim_keys = dkim_keys.unwrap_or_default().0;
    let files = run(py, || api::render_files(&config.0, &secrets, &dkim_keys))?;
    Ok(pythonize(py, &files)?)
}

/// The DNS records that a configuration needs, by zone. `dkim_keys` (PEM) are named by email domain.
#[pyfunction]
#[pyo3(signature = (config, *, dkim_keys=None))]
fn dns_records(
    py: Python<'_>,
    config: Config,
    dkim_keys: Option<Texts>,
) -> PyResult<Bound<'_, PyAny>> {
    let dkim_keys = dkim_keys.unwrap_or_default().0;
    let report = run(py, || api::dns_records(&config.0, &dkim_keys))?;
    Ok(pythonize(py, &report)?)
}

/// The JSON Schema of `mailu.toml`.
#[pyfunction]
fn config_schema(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    let schema = run(py, || Ok(config::json_schema()))?;
    Ok(pythonize(py, &schema)?)
}

/// Every kind of error; each has a subclass of `MailuError`.
#[pyfunction]
fn error_kinds() -> Vec<&'static str> {
    ErrorKind::ALL.map(ErrorKind::as_str).to_vec()
}

#[pymodule]
fn _mailu(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_function(wrap_pyfunction!(check_config, module)?)?;
    module.add_function(wrap_pyfunction!(render, module)?)?;
    module.add_function(wrap_pyfunction!(dns_records, module)?)?;
    module.add_function(wrap_pyfunction!(config_schema, module)?)?;
    module.add_function(wrap_pyfunction!(error_kinds, module)?)?;
    module.add_class::<host::Stop>()?;
    module.add_function(wrap_pyfunction!(host::call, module)?)?;
    module.add_function(wrap_pyfunction!(host::schema, module)?)?;
    module.add_function(wrap_pyfunction!(host::end, module)?)?;
    module.add_function(wrap_pyfunction!(host::forked, module)?)?;
    Ok(())
}
