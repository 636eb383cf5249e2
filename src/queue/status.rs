//! What is known of streams and consumers, under JetStream's names.

use serde::Serialize;

use super::{
    config::{ConsumerConfig, StreamConfig},
    consumer,
    error::Result,
    stream::Stream,
};
use crate::store::Direction;

/// A stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StreamInfo {
    /// What it was told to be.
    pub config: StreamConfig,
    /// When it was made, in milliseconds since the Unix epoch.
    pub created: u64,
    /// What it holds.
    pub state: StreamState,
    /// Its consumers, by name.
    pub consumers: Vec<ConsumerInfo>,
}

/// What a stream holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StreamState {
    /// How many messages.
    pub messages: u64,
    /// How many bytes these are, with what it takes to keep them.
    pub bytes: u64,
    /// The sequence number of the first; of the next to come when there is none.
    pub first_seq: u64,
    /// The sequence number that was given out last.
    pub last_seq: u64,
    /// How many consumers it has.
    pub consumer_count: usize,
}

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

impl Stream {
    /// What is known of the stream, once it is within its limits.
    pub(super) async fn info(self: &std::rc::Rc<Self>) -> Result<StreamInfo> {
        if self.is_untidy() {
            self.tidy().await?;
        }
        self.find_first().await?;
        let counts = self.counts.borrow();
        let consumers: Vec<_> = self
            .consumers
            .borrow()
            .values()
            .map(|consumer| ConsumerInfo::of(self, consumer))
            .collect();
        Ok(StreamInfo {
            config: (*self.config()).clone(),
            created: self.created,
            state: StreamState {
                messages: counts.messages,
                bytes: counts.bytes,
                first_seq: if counts.messages == 0 { counts.last + 1 } else { counts.first },
                last_seq: counts.last,
                consumer_count: consumers.len(),
            },
            consumers,
        })
    }

    /// Moves `first` on to the first message that there is.
    async fn find_first(&self) -> Result<()> {
        let (from, visible, removals) = {
            let counts = self.counts.borrow();
            (counts.first, counts.visible(), counts.removals)
        };
        let rows = self.rows(from, visible, Direction::Forward, 1).await?;
        let mut counts = self.counts.borrow_mut();
        if let Some((sequence, _)) = rows.first()
            && counts.removals == removals
            && counts.removing.is_empty()
            && counts.first == from
        {
            counts.first = *sequence;
        }
        Ok(())
    }
}
