//! The NATS client protocol, over anything that carries bytes both ways: the protocol of a
//! nats-server without accounts, clusters and TLS.
//!
//! What is sent to a client is gathered until the work at hand is done, and then sent at once. A
//! client that doesn't keep up gets an error, and its connection is closed.

mod connection;
mod info;
mod outbound;
pub mod parser;
mod server;

pub use self::{connection::Connection, info::MAX_PAYLOAD, outbound::Outlet, server::Server};
pub use super::{
    error::ProtocolError as Error,
    server::{API_LEVEL, VERSION},
};
