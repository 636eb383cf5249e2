//! Consumers: what each was delivered and has acknowledged, and how it gets its messages.
//!
//! Messages are taken in the order of the stream, what is due again first ([`take`]). They are taken
//! by [`Consumer::fetch`], for pull requests, or for the subject that they are pushed to ([`pump`]).

mod ack;
mod ack_inbox;
mod ack_subject;
mod acks;
mod advisory;
mod chunks;
mod configuration;
mod create;
mod deal;
mod deliveries;
mod delivery;
mod fetch;
mod flow;
mod groups;
mod handle;
mod info;
mod inner;
mod interest;
mod message;
mod open;
mod pause;
mod pending;
mod pinned;
mod progress;
mod pull;
mod pump;
mod push;
mod redelivery;
mod request;
mod reserve;
mod row;
mod selected;
mod start;
mod steer;
mod take;
mod waiting;
mod work;

pub(super) use self::{
    create::Action,
    handle::Consumers,
    request::{AckSubject, PullRequest},
};
pub use self::{
    handle::Consumer,
    info::{ConsumerInfo, PriorityGroupState, SequenceInfo},
    message::Message,
    pause::Pause,
    work::work,
};
