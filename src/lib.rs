//! Neurite: a Matrix homeserver that lives in a browser tab.
//!
//! Modules from the ground up; each uses those above it in this list, never those below:
//! [`platform`], [`store`], [`feed`], [`queue`], [`rooms`], [`users`], [`media`], [`sync`],
//! [`client_api`], [`homeserver`] and, in a browser, `web`.
//!
//! Everything runs on one thread: handles are `Rc`, futures are not `Send`.

#![forbid(unsafe_code)]

pub mod client_api;
mod error;
pub mod feed;
pub mod homeserver;
pub mod media;
pub mod platform;
pub mod push;
pub mod queue;
pub mod rooms;
pub mod search;
pub mod store;
pub mod sync;
pub mod users;
#[cfg(target_arch = "wasm32")]
mod web;

pub use error::{Error, Result};
pub use homeserver::{Config, Homeserver};
