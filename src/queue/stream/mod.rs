//! Streams: messages in the order of their sequence numbers, kept within limits.

mod answer;
mod atomic;
mod base;
mod configuration;
mod counter;
mod counting;
mod counts;
mod cron;
mod damage;
mod direct;
mod directives;
mod empty;
mod expectations;
mod fast;
mod get;
mod ids;
mod in_flight;
mod inbox;
mod incoming;
mod index;
mod info;
mod ingest;
mod limits;
mod lookup;
mod lost;
mod open;
mod pub_ack;
mod publish;
mod purge;
mod purge_row;
mod reader;
mod removal;
mod republish;
pub(super) mod row;
mod schedule;
mod snapshot;
mod stored;
mod subjects;
mod timers;
mod wipe;

pub(super) use self::{
    base::{Interest, InterestRemoval, Parts, Reserved, Stream},
    configuration::StreamRow,
    incoming::{Incoming, Origin},
    limits::keep_within_limits,
    lookup::Admin,
    removal::Removal,
    snapshot::{Restored, Snapshot},
    stored::{Stored, StoredRow},
};
pub use self::{
    direct::{DirectReply, DirectRequest},
    get::{MessageRequest, StoredMessage},
    info::{LostState, StreamState},
    pub_ack::PubAck,
    purge::Purge,
};
