//! The configurations of streams and consumers.

mod check;
mod check_sourcing;
mod consumer;
mod consumer_check;
mod consumer_update;
mod json;
mod stream;
mod update;
mod values;

pub(super) use self::{
    check::Checker,
    consumer_check::is_group_name,
    values::{LAST_SEQUENCE, limit},
};
pub use self::{
    consumer::{AckPolicy, ConsumerConfig, DeliverPolicy, PriorityPolicy, ReplayPolicy},
    stream::{
        Compression, ConsumerLimits, Discard, ExternalStream, PersistMode, Placement, Republish,
        Retention, SourceConsumer, Storage, StreamConfig, StreamSource, SubjectTransform,
    },
};
