//! Errors and statuses with nats-server's codes and words.

mod refusal;
mod status;
mod table;

pub(super) use self::status::Status;
pub use self::{
    refusal::{Error, Result},
    table::ProtocolError,
};
