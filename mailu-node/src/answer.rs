//! From the core's results and errors to what `index.js` expects.

use mailu_core::{Error, ErrorKind};
use serde::Serialize;

use mailu_core::api::guarded;

/// The status is the `code` of the JavaScript error: [`MAILU_ERROR`] or [`TYPE_ERROR`].
pub(crate) type Result<T> = napi::Result<T, &'static str>;

/// The message is the JSON form of the core's error.
const MAILU_ERROR: &str = "MailuError";

/// The message is for people.
const TYPE_ERROR: &str = "TypeError";

/// Calls the core, and turns its answer into JSON text.
pub(crate) fn answer<T: Serialize>(
    operation: impl FnOnce() -> std::result::Result<T, Error>,
) -> Result<String> {
    guarded(|| {
        serde_json::to_string(&operation()?).map_err(|error| {
            Error::new(ErrorKind::Internal, "internal.json", "write an answer").source(error)
        })
    })
    .map_err(|error| mailu_error(&error))
}

/// A failure.
pub(crate) fn mailu_error(error: &Error) -> napi::Error<&'static str> {
    napi::Error::new(MAILU_ERROR, error.to_json().to_string())
}

/// An argument of the wrong type.
pub(crate) fn type_error(message: impl Into<String>) -> napi::Error<&'static str> {
    napi::Error::new(TYPE_ERROR, message.into())
}
