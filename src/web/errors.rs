//! Errors that `start()` throws; their names are those of `worker/shared/errors.ts`.

#[cfg(feature = "homeserver")]
use http::StatusCode;
use wasm_bindgen::JsValue;

use crate::store;

/// A JavaScript Error of that name.
pub(super) fn named(name: &str, message: &str) -> JsValue {
    let error = js_sys::Error::new(message);
    error.set_name(name);
    error.into()
}

/// An option has no meaning.
pub(super) fn config_error(message: &str) -> JsValue {
    named("ConfigError", message)
}

/// The database can't be opened.
pub(super) fn from_store(cause: store::Error) -> JsValue {
    let name = match cause {
        store::Error::QuotaExceeded => "QuotaExceededError",
        store::Error::SchemaTooNew { .. } => "SchemaTooNewError",
        store::Error::Blocked => "BlockedError",
        _ => "StorageError",
    };
    named(name, &capitalized(&cause.to_string()))
}

/// What the database holds can't be read or written.
#[cfg(not(feature = "homeserver"))]
pub(super) fn from_queue(cause: crate::queue::Error) -> JsValue {
    match cause {
        cause if cause == crate::queue::Error::INSUFFICIENT_STORAGE => {
            from_store(store::Error::QuotaExceeded)
        }
        cause => named("StorageError", &capitalized(&cause.to_string())),
    }
}

/// What the database holds can't be read or written.
#[cfg(feature = "homeserver")]
pub(super) fn from_homeserver(cause: crate::Error) -> JsValue {
    match cause {
        crate::Error::Matrix(error) if error.status_code == StatusCode::INSUFFICIENT_STORAGE => {
            from_store(store::Error::QuotaExceeded)
        }
        cause => named("StorageError", &capitalized(&cause.to_string())),
    }
}

/// Messages are clauses here and sentences there.
fn capitalized(message: &str) -> String {
    let mut chars = message.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
