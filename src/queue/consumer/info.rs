//! The state and configuration of consumers, with JetStream's names.

use serde::Serialize;

use super::inner::Inner;
use crate::queue::{
    config::ConsumerConfig,
    stream::Stream,
    time::{Timestamp, or_zero},
};

/// A pair of sequence numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SequenceInfo {
    /// The consumer's.
    pub consumer_seq: u64,
    /// The stream's.
    pub stream_seq: u64,
    /// When it was reached.
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
    /// When it was created.
    pub created: Timestamp,
    /// Its configuration.
    pub config: ConsumerConfig,
    /// The last delivery.
    pub delivered: SequenceInfo,
    /// Everything up to here is acknowledged.
    pub ack_floor: SequenceInfo,
    /// How many messages are delivered and not acknowledged.
    pub num_ack_pending: usize,
    /// How many of these were delivered more than once.
    pub num_redelivered: usize,
    /// How many requests and fetches wait for messages.
    pub num_waiting: usize,
    /// How many messages are still to be delivered.
    pub num_pending: u64,
    /// How many messages reached `max_deliver` since the queue was opened. In JetStream only
    /// advisories report that.
    #[serde(skip)]
    pub set_aside: u64,
    /// Whether there is a subscription to the subject that it pushes to.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub push_bound: bool,
    /// Whether it is paused.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub paused: bool,
    /// For how long from now on, in nanoseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pause_remaining: Option<u64>,
    /// When this was true.
    pub ts: Timestamp,
    /// Its priority groups.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub priority_groups: Vec<PriorityGroupState>,
}

/// The state of a priority group. ADR-42
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PriorityGroupState {
    /// Its name.
    pub group: String,
    /// The client that is pinned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pinned_client_id: Option<String>,
    /// When it was pinned.
    #[serde(serialize_with = "or_zero")]
    pub pinned_ts: Option<Timestamp>,
}

impl ConsumerInfo {
    pub(in crate::queue) fn of(stream: &Stream, consumer: &Inner) -> Self {
        let now = stream.clock.now();
        let state = consumer.state.borrow();
        let (consumer_seq, stream_seq) = state.ack_floor();
        let config = consumer.config();
        // Each is delivered once, whatever is noted of them.
        let once = config.max_deliver == 1;
        let redelivered = if once { 0 } else { state.num_redelivered() };
        let active = |at: u64| (at > 0).then(|| Timestamp::from_millis(at));
        let pause = consumer.pause(now);
        Self {
            stream_name: stream.config().name.clone(),
            name: consumer.name.to_string(),
            created: Timestamp::from_millis(consumer.created),
            delivered: SequenceInfo {
                consumer_seq: state.consumer_sequence,
                stream_seq: state.stream_sequence,
                last_active: active(state.delivered_at),
            },
            ack_floor: SequenceInfo {
                consumer_seq,
                stream_seq,
                // Without acknowledgements there is no time of the last one.
                last_active: active(state.acknowledged_at).filter(|_| config.acknowledges()),
            },
            num_ack_pending: state.pending.len(),
            num_redelivered: redelivered,
            num_waiting: consumer.fetching.get() + consumer.num_waiting(stream),
            num_pending: state.num_pending(),
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
