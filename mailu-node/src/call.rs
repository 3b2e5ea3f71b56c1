//! Calls on this host: each on a thread of its own, so that neither Node's event loop nor its pool waits for one.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use mailu_core::host::api::{self, Event, Listening};
use mailu_core::{Error, ErrorKind};
use napi::Status;
use napi::bindgen_prelude::Unknown;
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi_derive::napi;
use serde_json::{Value, json};

use crate::answer::{Result, mailu_error};
use crate::input;

/// What the main thread of a program usually has.
const STACK: usize = 8 << 20;

/// How often a thread that waits for room looks whether there is still somebody who could make some.
const LOOK: Duration = Duration::from_millis(200);

/// Weak: `index.js` says how long the process has to live for a call.
type Hear = ThreadsafeFunction<String, (), String, Status, false, true>;

/// A call that runs.
#[napi]
#[derive(Debug)]
pub struct Call(Arc<Control>);

#[derive(Debug)]
struct Control {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    stopped: bool,
    /// How many more items may be handed over.
    room: u32,
}

#[napi]
impl Call {
    /// Ends it where it can be ended.
    #[napi]
    pub fn stop(&self) {
        self.0.state().stopped = true;
        self.0.changed.notify_all();
    }

    /// An item was taken: there is room for another one.
    #[napi]
    pub fn more(&self) {
        self.0.state().room += 1;
        self.0.changed.notify_all();
    }
}

impl Control {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for room for an item; breaks if there is nobody to get it.
    fn take_room(&self, hear: &Hear) -> ControlFlow<()> {
        let mut state = self.state();
        loop {
            if state.stopped || hear.aborted() {
                return ControlFlow::Break(());
            }
            if state.room > 0 {
                state.room -= 1;
                return ControlFlow::Continue(());
            }
            state = self
                .changed
                .wait_timeout(state, LOOK)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}

/// Starts an operation. `hear` gets JSON: `{"event": …}` for each event, and at last `{"value": …}` or `{"error": …}`. With `room`, no more items than that
/// are handed over until there is more; without `listen`, only what has to be heard.
///
/// # Errors
///
/// For options that no operation can have, and if there can be no more threads.
#[napi]
pub fn start(
    root: String,
    operation: String,
    request: Unknown<'_>,
    room: Option<u32>,
    listen: bool,
    hear: Hear,
) -> Result<Call> {
    let request = input::request(request)?;
    let control = Arc::new(Control {
        state: Mutex::new(State {
            stopped: false,
            room: room.unwrap_or_default(),
        }),
        changed: Condvar::new(),
    });
    let call = Call(Arc::clone(&control));
    let root = PathBuf::from(root);
    thread::Builder::new()
        .name("mailu".to_owned())
        .stack_size(STACK)
        .spawn(move || {
            let streaming = room.is_some();
            let hear_event = |event: Event| {
                let item = matches!(event, Event::Item { .. });
                if streaming && item {
                    control.take_room(&hear)?;
                } else if !listen {
                    return ControlFlow::Continue(());
                }
                tell(&hear, &json!({ "event": event }))
            };
            let stop = || control.state().stopped || hear.aborted();
            let mut progress = Listening::new(hear_event, stop);
            let last = match api::call(&root, &operation, request, &mut progress) {
                Ok(value) => json!({ "value": value }),
                Err(error) => json!({ "error": error.to_json() }),
            };
            // Where nobody is left to hear it, it is lost; so is the process, or its worker.
            let _ = tell(&hear, &last);
        })
        .map_err(|error| {
            let cannot = "start a call: there can be no more threads";
            mailu_error(&Error::new(ErrorKind::Io, "call.no_thread", cannot).source(error))
        })?;
    Ok(call)
}

/// Hands text over; breaks if there is nobody any more.
fn tell(hear: &Hear, message: &Value) -> ControlFlow<()> {
    match hear.call(message.to_string(), ThreadsafeFunctionCallMode::NonBlocking) {
        Status::Ok => ControlFlow::Continue(()),
        _ => ControlFlow::Break(()),
    }
}
