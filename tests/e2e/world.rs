//! The machine that `tests/stack/engine.sh` makes, and the Internet around it.

use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::succeed;

/// The machine is one: whoever uses it holds this.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static MACHINE: Mutex<()> = Mutex::new(());
    MACHINE.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn docker(args: &[&str]) -> String {
    succeed(Command::new("docker").args(args))
}

pub(crate) fn inspect(name: &str) -> Value {
    let all: Value = serde_json::from_str(&docker(&["inspect", name])).unwrap();
    all[0].clone()
}

/// Waits until `condition` gives something.
pub(crate) fn wait_for<T>(what: &str, condition: impl FnMut() -> Option<T>) -> T {
    wait_long(what, Duration::from_secs(60), condition)
}

pub(crate) fn wait_long<T>(
    what: &str,
    limit: Duration,
    mut condition: impl FnMut() -> Option<T>,
) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(start.elapsed() < limit, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(100));
    }
}
