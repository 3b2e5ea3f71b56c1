//! From the core's errors to `mailu.MailuError`.

use mailu_core::Error;
use pyo3::prelude::*;
use pythonize::pythonize;

use mailu_core::api::guarded;

/// Calls the core while other Python threads run.
pub(crate) fn run<T: Send>(
    py: Python<'_>,
    operation: impl FnOnce() -> Result<T, Error> + Send,
) -> PyResult<T> {
    py.detach(|| guarded(operation))
        .map_err(|error| exception(py, &error).unwrap_or_else(|failure| failure))
}

/// The classes are Python's: only there can they have typed attributes under the stable ABI.
pub(crate) fn exception(py: Python<'_>, error: &Error) -> PyResult<PyErr> {
    let data = pythonize(py, &error.to_json())?;
    let instance = py
        .import("mailu.errors")?
        .getattr("from_core")?
        .call1((data,))?;
    Ok(PyErr::from_value(instance))
}
