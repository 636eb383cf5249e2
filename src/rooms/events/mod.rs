//! Events: what is in one, how it is made, signed and authorized, and the form in which it is kept.

pub(super) mod auth;
pub(super) mod build;
mod event;
pub(super) mod limits;
mod new_event;
mod pdu;
pub(super) mod power_levels;
mod signing;

pub(super) use self::event::{EVENT_INDEX, HIDDEN_EVENTS, TIMELINE};
pub use self::{
    event::{Event, Status},
    new_event::{NewEvent, Txn},
    pdu::Pdu,
    power_levels::PowerLevels,
    signing::ServerKey,
};
