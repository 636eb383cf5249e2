//! Neurite: a Matrix homeserver that lives in a browser tab.
//!
//! `docs/architecture.md` says what the modules are, and which may use which.
//!
//! Without the feature `homeserver` there are only the log, the platform, the store and the queue.
//!
//! Everything runs on one thread: handles are `Rc`, futures are not `Send`.

// In the library alone: what suites share is `pub` for suites that use none of it.
#![warn(unreachable_pub)]
// Bad input gets an error of the specification; only tests may panic.
#![cfg_attr(
    not(test),
    warn(
        clippy::exit,
        clippy::expect_used,
        clippy::panic,
        clippy::print_stderr,
        clippy::print_stdout,
        clippy::string_slice,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]

#[cfg(feature = "homeserver")]
pub mod bus;
#[cfg(feature = "homeserver")]
pub mod client_api;
#[cfg(feature = "homeserver")]
pub mod config;
#[cfg(feature = "homeserver")]
mod enumerations;
#[cfg(feature = "homeserver")]
mod error;
#[cfg(feature = "homeserver")]
pub mod feed;
#[cfg(feature = "homeserver")]
pub mod follow_ups;
#[cfg(feature = "homeserver")]
pub mod homeserver;
#[cfg(feature = "homeserver")]
pub mod http;
#[cfg(feature = "homeserver")]
pub mod json;
#[cfg(feature = "homeserver")]
mod lengths;
pub mod log;
#[cfg(feature = "homeserver")]
pub mod media;
pub mod platform;
#[cfg(feature = "homeserver")]
pub mod push;
pub mod queue;
#[cfg(feature = "homeserver")]
pub mod rooms;
#[cfg(feature = "homeserver")]
pub mod search;
#[cfg(feature = "homeserver")]
pub mod services;
pub mod store;
#[cfg(feature = "homeserver")]
pub mod sync;
#[cfg(feature = "homeserver")]
pub mod users;
#[cfg(target_arch = "wasm32")]
#[allow(unreachable_pub, reason = "wasm-bindgen exports only what is public")]
mod web;

#[cfg(feature = "homeserver")]
pub use config::Config;
#[cfg(feature = "homeserver")]
pub use error::{Error, Result};
#[cfg(feature = "homeserver")]
pub use homeserver::Homeserver;
#[cfg(feature = "homeserver")]
pub use services::Services;
