//! What this server says of itself, to clients of the protocol and of JetStream's API.

/// The server's name.
pub(super) const NAME: &str = "neurite";
/// The release of nats-server whose features are here; clients choose their requests by it.
pub const VERSION: &str = "2.14.0";
/// The level of JetStream's API that belongs to it. ADR-44
pub const API_LEVEL: u32 = 4;
