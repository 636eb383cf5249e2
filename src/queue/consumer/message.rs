//! A message as it is delivered to Rust.

use std::{rc::Rc, time::Duration};

use bytes::Bytes;

use super::{ack::Outcome, delivery::Delivery, handle::Consumer};
use crate::{
    queue::{error::Result, headers::Headers},
    store::Batch,
};

/// After how long a message that could not be worked on is redelivered for the first time.
const RETRY: Duration = Duration::from_secs(10);

/// A delivered message, to be acknowledged.
#[derive(Clone)]
pub struct Message {
    consumer: Consumer,
    /// Its subject.
    pub subject: Rc<str>,
    /// Its headers.
    pub headers: Headers,
    /// Its payload.
    pub payload: Bytes,
    /// Its sequence number in the stream.
    pub stream_sequence: u64,
    /// The number of this delivery among all of the consumer.
    pub consumer_sequence: u64,
    /// How often it has been delivered, including this time.
    pub num_delivered: u64,
    /// How many messages are still to be delivered to the consumer.
    pub num_pending: u64,
    /// When it was stored, in milliseconds since the Unix epoch.
    pub time: u64,
}

impl Message {
    pub(super) fn new(consumer: Consumer, delivery: Delivery) -> Self {
        Self {
            consumer,
            subject: delivery.subject,
            headers: Headers::decode(&delivery.headers),
            payload: delivery.payload,
            stream_sequence: delivery.stream_sequence,
            consumer_sequence: delivery.consumer_sequence,
            num_delivered: delivery.num_delivered,
            num_pending: delivery.num_pending,
            time: delivery.time,
        }
    }

    /// Acknowledges it with the batch: together with what was derived from it, or not at all. When
    /// the batch fails or is dropped, it is redelivered.
    pub fn ack(&self, batch: &mut Batch) {
        self.finish(batch);
    }

    /// Acknowledges several messages of one consumer with the batch, as one.
    pub fn ack_all(messages: &[Self], batch: &mut Batch) {
        if let Some(Self { consumer, .. }) = messages.first() {
            consumer.ack_all(batch, messages.iter().map(|message| message.stream_sequence));
        }
    }

    /// Acknowledges it by itself; durable when this returns.
    ///
    /// # Errors
    /// When the store can't be written; it is redelivered then.
    pub async fn ack_now(&self) -> Result<()> {
        let mut batch = self.consumer.batch_of_acks();
        self.finish(&mut batch);
        Ok(self.consumer.stream.store.commit(batch).await?)
    }

    /// Terminates it with the batch: it can't be processed, and is not redelivered.
    pub fn term(&self, batch: &mut Batch) {
        self.finish(batch);
    }

    fn finish(&self, batch: &mut Batch) {
        self.consumer.acknowledge(batch, [self.stream_sequence], Outcome::Processed);
    }

    /// Has it redelivered: now, or after `delay`, which outlasts a restart.
    pub fn nak(&self, delay: Option<Duration>) {
        self.consumer.nak(self.stream_sequence, delay);
    }

    /// Has it redelivered later, with a longer delay each time: what is missing now may be there by
    /// then.
    pub fn put_off(&self) {
        self.consumer.put_off(self.stream_sequence, self.num_delivered);
    }

    /// Says that it is still being worked on: `ack_wait` begins anew.
    pub fn in_progress(&self) {
        self.consumer.in_progress(self.stream_sequence);
    }
}

impl Consumer {
    /// Acknowledges messages with the batch, as one, by their sequence numbers in the stream.
    pub fn ack_all(&self, batch: &mut Batch, sequences: impl IntoIterator<Item = u64>) {
        self.acknowledge(batch, sequences, Outcome::Processed);
    }

    /// Does for a message that was delivered so often what [`Message::put_off`] does.
    pub fn put_off(&self, sequence: u64, num_delivered: u64) {
        let times = u32::try_from(num_delivered.saturating_sub(1)).unwrap_or(u32::MAX);
        self.nak(sequence, Some(RETRY.saturating_mul(4u32.saturating_pow(times))));
    }

    /// Has a message redelivered; returns its consumer sequence and how often it was delivered, if
    /// it was pending.
    pub(super) fn nak(&self, sequence: u64, delay: Option<Duration>) -> Option<(u64, u64)> {
        let Self { stream, inner, .. } = self;
        let wait = delay.unwrap_or_default().as_millis() as u64;
        let deadline = stream.clock.now().saturating_add(wait);
        let mut about = None;
        inner.state.borrow_mut().change(sequence, |pending| {
            pending.deadline = deadline;
            pending.delayed = wait > 0;
            about = Some((pending.consumer_sequence, pending.deliveries));
        });
        let (consumer_sequence, times) = about?;
        if wait > 0 {
            let mut batch = Batch::new();
            batch.wait_for_others();
            // When this fails, a restart redelivers it before its time.
            drop(inner.submit_state(stream, batch));
        }
        inner.wake.notify();
        Some((consumer_sequence, times))
    }

    /// Begins `ack_wait` anew.
    pub(super) fn in_progress(&self, sequence: u64) {
        let Self { stream, inner, .. } = self;
        let (now, config) = (stream.clock.now(), inner.config());
        inner.state.borrow_mut().change(sequence, |pending| {
            let wait = config.wait(pending.deliveries).as_millis() as u64;
            pending.deadline = now.saturating_add(wait);
            pending.delayed = false;
        });
    }
}
