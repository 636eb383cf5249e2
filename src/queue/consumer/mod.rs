//! Consumers: what each was delivered and has acknowledged, and how it gets its messages.
//!
//! Redeliveries come first, then new messages in the order of the stream ([`next`]). They are
//! fetched from Rust ([`fetch`]), delivered to pull requests ([`serve`]), or pushed to a subject
//! ([`push`]); [`deliver`] is the task that does the latter two.

mod ack;
mod ack_inbox;
mod ack_subject;
mod advisory;
mod chunks;
mod client_acks;
mod configuration;
mod control;
mod create;
mod deliver;
mod delivery;
mod fetch;
mod flow;
mod groups;
mod handle;
mod info;
mod inner;
mod interest;
mod message;
mod next;
mod open;
mod pause;
mod pending;
mod pinned;
mod progress;
mod pull;
mod push;
mod redelivery;
mod request;
mod reserve;
mod row;
mod selected;
mod serve;
mod start;
mod state;
mod waiting;
mod work;

pub use self::{
    ack::Acknowledgements,
    handle::Consumer,
    info::{ConsumerInfo, PriorityGroupState, SequenceInfo},
    message::Message,
    pause::Pause,
    work::work,
};
pub(super) use self::{
    create::Action,
    handle::Consumers,
    request::{AckSubject, PullRequest},
};
