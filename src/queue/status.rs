//! What is known of consumers, under JetStream's names.

use serde::Serialize;

use super::{config::ConsumerConfig, consumer, stream::Stream};

/// A place in a consumer's and in its stream's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SequenceInfo {
    /// Counted by the consumer.
    pub consumer_seq: u64,
    /// Counted by the stream.
    pub stream_seq: u64,
}

/// A consumer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConsumerInfo {
    /// Its stream.
    pub stream_name: String,
    /// Its name.
    pub name: String,
    /// When it was made, in milliseconds since the Unix epoch.
    pub created: u64,
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
    /// How many fetches wait for messages.
    pub num_waiting: usize,
    /// How many messages it has still to be delivered.
    pub num_pending: u64,
}

impl ConsumerInfo {
    pub(super) fn of(stream: &Stream, consumer: &consumer::Inner) -> Self {
        let deliveries = consumer.deliveries.borrow();
        let (consumer_seq, stream_seq) = deliveries.ack_floor();
        let config = consumer.config();
        let redelivered = deliveries.pending.values().filter(|pending| pending.deliveries > 1);
        Self {
            stream_name: stream.config().name.clone(),
            name: config.durable_name.clone(),
            created: consumer.created,
            config: (*config).clone(),
            delivered: SequenceInfo {
                consumer_seq: deliveries.consumer_sequence,
                stream_seq: deliveries.stream_sequence,
            },
            ack_floor: SequenceInfo { consumer_seq, stream_seq },
            num_ack_pending: deliveries.pending.len(),
            num_redelivered: redelivered.count(),
            num_waiting: consumer.wake.count(),
            num_pending: deliveries.num_pending(),
        }
    }
}
