//! Streams and durable consumers with JetStream's behaviour, in the homeserver's own store.
//!
//! A publish joins the batch of the change that it is about, and an acknowledgement the batch of
//! what was derived from the message: either all of it happens or nothing does. Sequence numbers
//! are given at once; consumers see a message when its batch is durable. docs/queue.md says what is
//! promised.

mod advisory;
mod api;
mod broker;
mod clock;
mod codec;
mod config;
mod configurations;
mod consumer;
mod error;
mod facade;
mod headers;
mod json;
mod open;
pub mod protocol;
mod reader;
mod server;
mod sourcing;
mod stream;
mod streams;
pub mod subject;
pub mod time;
mod transform;

pub use self::{
    broker::{Broker, ClientId, CoreMessage, Subscription},
    clock::{Clock, ManualClock, SystemClock},
    config::{
        AckPolicy, Compression, ConsumerConfig, ConsumerLimits, DeliverPolicy, Discard,
        ExternalStream, PersistMode, Placement, PriorityPolicy, ReplayPolicy, Republish, Retention,
        SourceConsumer, Storage, StreamConfig, StreamSource, SubjectTransform,
    },
    consumer::{
        Acknowledgements, Consumer, ConsumerInfo, Message, Pause, PriorityGroupState, SequenceInfo,
        work,
    },
    error::{Error, Result},
    facade::{ConsumerStatus, OfflineStatus, Publish, Queue, StreamInfo, StreamStatus},
    headers::Headers,
    sourcing::StreamSourceInfo,
    stream::{
        DirectReply, DirectRequest, LostState, MessageRequest, PubAck, Purge, StoredMessage,
        StreamState,
    },
};
