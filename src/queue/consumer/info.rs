//! What is known of consumers, under JetStream's names.

use serde::Serialize;

use super::inner::Inner;
use crate::queue::{
    config::ConsumerConfig,
    stream::Stream,
    time::{Timestamp, or_zero},
};

/// A place in a consumer's and in its stream's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SequenceInfo {
    /// Counted by the consumer.
    pub consumer_seq: u64,
    /// Counted by the stream.
    pub stream_seq: u64,
    /// When it came there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_active: Option<Timestamp>,
}

/// A consumer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConsumerInfo {
    /// Its stream.
    pub stream_name: String,
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created: Timestamp,
    /// What it was told to be.
    pub config: ConsumerConfig,
    /// The last delivery.
    pub delivered: SequenceInfo,
    /// Up to where everything is acknowledged.
    pub ack_floor: SequenceInfo,
    /// How many messages are delivered and not acknowledged.
    pub num_ack_pending: usize,
    /// How many of these were delivered more than once.
    pub num_redelivered: usize,
    /// How many requests and fetches wait for messages.
    pub num_waiting: usize,
    /// How many messages it has still to be delivered.
    pub num_pending: u64,
    /// How many messages it gave up since the queue was opened, since they were delivered as often
    /// as is allowed. JetStream tells that by advisories only.
    #[serde(skip)]
    pub set_aside: u64,
    /// Whether somebody listens to what is pushed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub push_bound: bool,
    /// Whether it is paused.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub paused: bool,
    /// For how long from now on, in nanoseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pause_remaining: Option<u64>,
    /// When this was said.
    pub ts: Timestamp,
    /// Who is served in its groups.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub priority_groups: Vec<PriorityGroupState>,
}

/// Who is served in a priority group. ADR-42
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PriorityGroupState {
    /// The group.
    pub group: String,
    /// The client that is pinned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pinned_client_id: Option<String>,
    /// Since when.
    #[serde(serialize_with = "or_zero")]
    pub pinned_ts: Option<Timestamp>,
}

impl ConsumerInfo {
    pub(in crate::queue) fn of(stream: &Stream, consumer: &Inner) -> Self {
        let now = stream.clock.now();
        let deliveries = consumer.deliveries.borrow();
        let (consumer_seq, stream_seq) = deliveries.ack_floor();
        let config = consumer.config();
        // Delivered once each, whatever is noted of them.
        let once = config.max_deliver == 1;
        let redelivered = if once { 0 } else { deliveries.num_redelivered() };
        let active = |at: u64| (at > 0).then(|| Timestamp::from_millis(at));
        let pause = consumer.pause(now);
        Self {
            stream_name: stream.config().name.clone(),
            name: consumer.name.to_string(),
            created: Timestamp::from_millis(consumer.created),
            delivered: SequenceInfo {
                consumer_seq: deliveries.consumer_sequence,
                stream_seq: deliveries.stream_sequence,
                last_active: active(deliveries.delivered_at),
            },
            ack_floor: SequenceInfo {
                consumer_seq,
                stream_seq,
                // What needs no acknowledgement has none.
                last_active: active(deliveries.acknowledged_at).filter(|_| config.acknowledges()),
            },
            num_ack_pending: deliveries.pending.len(),
            num_redelivered: redelivered,
            num_waiting: consumer.fetching.get() + consumer.num_waiting(stream),
            num_pending: deliveries.num_pending(),
            set_aside: consumer.set_aside.get(),
            push_bound: consumer.is_bound(stream),
            paused: pause.paused,
            pause_remaining: pause.paused.then_some(pause.pause_remaining),
            ts: Timestamp::from_millis(now),
            priority_groups: consumer.group_states(),
            config: (*config).clone(),
        }
    }
}
