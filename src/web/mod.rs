//! The face towards JavaScript: what the workers' scripts call.

mod errors;
mod log;
mod nats;
mod storage;

// One of the two faces, each in a wasm of its own.
#[cfg(feature = "homeserver")]
mod exchange;
#[cfg(feature = "homeserver")]
mod helper;
#[cfg(feature = "homeserver")]
mod homeserver;
#[cfg(feature = "homeserver")]
mod options;
#[cfg(not(feature = "homeserver"))]
mod queue;
#[cfg(feature = "homeserver")]
mod request;
