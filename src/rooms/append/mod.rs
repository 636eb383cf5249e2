//! How events become part of a room: the door for local users, the door for other servers, and the
//! draft that both write.

mod accept;
mod draft;
mod local;
mod redaction;
mod transactions;

pub use self::accept::Accepted;
pub(super) use self::draft::{Draft, submit};
pub(super) use self::{
    accept::EARLY_REDACTIONS,
    transactions::{TRANSACTION_TIMES, TRANSACTIONS},
};
