//! Operations by name: the lock of the interpreter is given back meanwhile, and signals are looked at.

use std::cell::{Cell, RefCell};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use mailu_core::host::api::{self, Event, Listening};
use pyo3::prelude::*;
use pythonize::pythonize;

use crate::error::exception;
use crate::input::Request;

/// How often signals are looked at: each look needs the interpreter's lock.
const LOOK: Duration = Duration::from_millis(50);

/// The interpreter ends: whatever runs is to stop.
static ENDING: AtomicBool = AtomicBool::new(false);

/// How many calls run.
static RUNNING: AtomicUsize = AtomicUsize::new(0);

struct Running;

impl Running {
    fn begin() -> Self {
        RUNNING.fetch_add(1, Ordering::SeqCst);
        Self
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Tells a call from another thread that it is to stop.
#[pyclass(frozen, module = "mailu._mailu")]
#[derive(Debug, Default)]
pub(crate) struct Stop(AtomicBool);

#[pymethods]
impl Stop {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// From now on.
    fn set(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether it was said.
    fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// Performs an operation. `hear` gets each event; what it raises, and what a signal's handler raises, stops the operation and is raised here.
#[pyfunction]
#[pyo3(signature = (root, operation, request, hear=None, stop=None))]
pub(crate) fn call(
    py: Python<'_>,
    root: PathBuf,
    operation: String,
    request: Request,
    hear: Option<Py<PyAny>>,
    stop: Option<Py<Stop>>,
) -> PyResult<Bound<'_, PyAny>> {
    let (result, raised) = py.detach(|| {
        let _running = Running::begin();
        let raised = RefCell::new(None);
        let looked = Cell::new(Instant::now());
        let told = || {
            ENDING.load(Ordering::SeqCst) || stop.as_ref().is_some_and(|stop| stop.get().is_set())
        };
        let mut listening = Listening::new(
            |event| {
                let Some(hear) = &hear else {
                    return ControlFlow::Continue(());
                };
                if raised.borrow().is_some() || told() {
                    return ControlFlow::Break(());
                }
                match Python::try_attach(|py| tell(py, hear, &event)) {
                    Some(Ok(())) => ControlFlow::Continue(()),
                    Some(Err(error)) => {
                        raised.replace(Some(error));
                        ControlFlow::Break(())
                    }
                    // The interpreter is about to be gone.
                    None => ControlFlow::Break(()),
                }
            },
            || {
                if raised.borrow().is_some() || told() {
                    return true;
                }
                if looked.get().elapsed() < LOOK {
                    return false;
                }
                looked.set(Instant::now());
                #[expect(
                    clippy::redundant_closure_for_method_calls,
                    reason = "the method itself is bound to one lifetime"
                )]
                let signals = Python::try_attach(|py| py.check_signals());
                match signals {
                    Some(Ok(())) => false,
                    Some(Err(error)) => {
                        raised.replace(Some(error));
                        true
                    }
                    None => true,
                }
            },
        );
        let result = api::call(&root, &operation, request.0, &mut listening);
        (result, raised.into_inner())
    });
    if let Some(raised) = raised {
        return Err(raised);
    }
    match result {
        Ok(value) => Ok(pythonize(py, &value)?),
        Err(error) => Err(exception(py, &error).unwrap_or_else(|failure| failure)),
    }
}

fn tell(py: Python<'_>, hear: &Py<PyAny>, event: &Event) -> PyResult<()> {
    let data = pythonize(py, event)?;
    hear.call1(py, (data,)).map(drop)
}

/// What operations take and give, as JSON Schemas.
#[pyfunction]
pub(crate) fn schema(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    Ok(pythonize(py, &api::schema())?)
}

/// Tells all calls to stop, because the interpreter ends, and waits for them so many seconds. Whether none runs any more.
#[pyfunction]
pub(crate) fn end(py: Python<'_>, seconds: f64) -> bool {
    ENDING.store(true, Ordering::SeqCst);
    let patience = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    py.detach(|| {
        let begun = Instant::now();
        while RUNNING.load(Ordering::SeqCst) > 0 && begun.elapsed() < patience {
            thread::sleep(Duration::from_millis(5));
        }
        RUNNING.load(Ordering::SeqCst) == 0
    })
}

/// After a fork: calls of the parent's threads are none of the child's.
#[pyfunction]
pub(crate) fn forked() {
    RUNNING.store(0, Ordering::SeqCst);
}
