//! The next messages of a consumer: redeliveries, then new ones, each in the order of sequence
//! numbers.

use std::time::Duration;

use super::{
    ack::Outcome,
    ack_subject::ack_subject_size,
    advisory,
    delivery::{Content, Delivery},
    handle::Consumer,
    pending::Pending,
};
use crate::{
    queue::{
        error::{Error, Result},
        stream::StoredRow,
    },
    store::Direction,
};

/// How many messages are read at once while most are not for the consumer.
const READ_AHEAD: usize = 64;

/// How much is wanted.
#[derive(Clone, Copy)]
pub(super) struct Wanted {
    pub(super) messages: usize,
    pub(super) bytes: u64,
}

/// Messages that are delivered.
#[derive(Default)]
pub(super) struct Deliveries {
    pub(super) messages: Vec<Delivery>,
    bytes: u64,
    /// Whether the next message has more bytes than are left.
    pub(super) exceeds_bytes: bool,
}

impl Wanted {
    pub(super) fn messages(messages: usize) -> Self {
        Self { messages, bytes: u64::MAX }
    }
}

impl Deliveries {
    /// Whether a message fits in the bytes that are left.
    fn admit(
        &mut self,
        consumer: &Consumer,
        (sequence, times): (u64, u64),
        size: u64,
        wanted: Wanted,
    ) -> bool {
        if wanted.bytes == u64::MAX {
            return true;
        }
        let size = size + ack_subject_size(&consumer.stream, &consumer.inner, sequence, times);
        self.exceeds_bytes = size > wanted.bytes - self.bytes;
        if !self.exceeds_bytes {
            self.bytes += size;
        }
        !self.exceeds_bytes
    }
}

impl Consumer {
    pub(super) async fn next_messages(&self, wanted: Wanted) -> Result<Deliveries> {
        let _turn = self.inner.turn.lock().await;
        if self.inner.deleted.get() {
            return Err(Error::CONSUMER_NOT_FOUND);
        }
        let mut deliveries = Deliveries::default();
        if self.inner.config.borrow().paused_until() > self.stream.clock.now() {
            return Ok(deliveries);
        }
        // Messages beyond the limits are not delivered.
        if self.stream.exceeds_limits() {
            self.stream.enforce_limits().await?;
        }
        self.redeliver(wanted, &mut deliveries).await?;
        if deliveries.messages.len() < wanted.messages && !deliveries.exceeds_bytes {
            self.deliver_new(wanted, &mut deliveries).await?;
        }
        self.store_deliveries(&deliveries.messages);
        Ok(deliveries)
    }

    /// Stores deliveries where that matters before the next acknowledgement.
    fn store_deliveries(&self, messages: &[Delivery]) {
        if messages.is_empty() {
            return;
        }
        let config = self.inner.config();
        let mut batch = self.batch_of_acks();
        // When this fails, some messages are delivered once more.
        if !config.acknowledges() {
            let sequences = messages.iter().map(|message| message.stream_sequence);
            self.acknowledge(&mut batch, sequences, Outcome::Processed);
            batch.wait_for_others();
            drop(self.stream.store.submit(batch));
        } else if config.max_deliver > 0 && !self.inner.progress.records.get() {
            // Deliveries are counted over restarts: a message may be what ends the worker.
            drop(self.inner.submit_state(&self.stream, batch));
        }
    }

    async fn redeliver(&self, wanted: Wanted, deliveries: &mut Deliveries) -> Result<()> {
        self.enforce_max_deliver();
        let due: Vec<_> = {
            let (state, now) = (self.inner.state.borrow(), self.stream.clock.now());
            state.redelivery().due(now).take(wanted.messages).collect()
        };
        for sequence in due {
            let message = self.stream.read(sequence).await?;
            let now = self.stream.clock.now();
            let mut state = self.inner.state.borrow_mut();
            // It may have been acknowledged or delayed while it was read.
            let still = |pending: &&Pending| !pending.held && pending.deadline <= now;
            let Some(pending) = state.pending.get(&sequence).filter(still) else { continue };
            let times = pending.deliveries + 1;
            let Some(message) = message else {
                tracing::error!("message {sequence} of a stream is lost");
                state.remove(sequence);
                continue;
            };
            drop(state);
            let content = Content::of(message, self.inner.config.borrow().headers_only);
            if !deliveries.admit(self, (sequence, times), content.size(), wanted) {
                return Ok(());
            }
            let mut state = self.inner.state.borrow_mut();
            state.consumer_sequence += 1;
            state.delivered_at = now;
            let wait = self.inner.config.borrow().wait(times);
            state.change(sequence, |pending| {
                pending.deliveries = times;
                pending.deadline = now.saturating_add(wait.as_millis() as u64);
                pending.delayed = false;
                pending.delivered_at = now;
                pending.message = Some((content.subject.clone(), content.stored_size));
            });
            let (of, left) = (state.consumer_sequence, state.num_pending());
            deliveries.messages.push(content.delivery(sequence, of, times, left));
        }
        Ok(())
    }

    /// Gives up messages that were delivered `max_deliver` times and not acknowledged.
    pub(super) fn enforce_max_deliver(&self) {
        let exhausted: Vec<_> = {
            let state = self.inner.state.borrow();
            let exhausted = state.redelivery().exhausted(self.stream.clock.now());
            exhausted.map(|sequence| (sequence, state.pending[&sequence].deliveries)).collect()
        };
        if !exhausted.is_empty() {
            let mut batch = self.batch_of_acks();
            let sequences = exhausted.iter().map(|(sequence, _)| *sequence);
            self.acknowledge(&mut batch, sequences, Outcome::Exhausted);
            let (inner, count) = (self.inner.clone(), exhausted.len() as u64);
            batch.on_durable(move || inner.set_aside.set(inner.set_aside.get() + count));
            // When this fails, they are due again and it is tried again.
            drop(self.stream.store.submit(batch));
            for (sequence, times) in exhausted {
                let (stream, name) = (&self.stream.name, &self.inner.name);
                tracing::warn!(
                    "message {sequence} of {stream} is set aside: {name} got it {times} times"
                );
                advisory::max_deliveries(&self.stream, &self.inner, sequence, times);
            }
        }
    }

    async fn deliver_new(&self, wanted: Wanted, deliveries: &mut Deliveries) -> Result<()> {
        let most =
            wanted.messages.min(deliveries.messages.len().saturating_add(self.inner.capacity()));
        let headers_only = self.inner.config.borrow().headers_only;
        while deliveries.messages.len() < most && !deliveries.exceeds_bytes {
            let cursor = self.inner.state.borrow().cursor;
            let (visible, removals) = {
                let counts = self.stream.counts.borrow();
                (counts.visible(), counts.removals)
            };
            if cursor > visible {
                break;
            }
            let limit = (most - deliveries.messages.len()).max(self.read_ahead());
            let selected = self.inner.selected.borrow().next(cursor);
            let rows = match selected {
                Some(next) if next > visible => Vec::new(),
                // One by one, since few messages are selected among many.
                Some(next) => self.stream.rows(next, next, Direction::Forward, 1).await?,
                None => self.stream.rows(cursor, visible, Direction::Forward, limit).await?,
            };
            if self.stream.counts.borrow().removals != removals {
                // Some of them may be gone by now.
                continue;
            }
            let complete = selected.is_none() && rows.len() < limit;
            let mut next = selected.map_or(cursor, |next| next.min(visible) + 1);
            let mut stopped = false;
            let mut blocked = None;
            for StoredRow { sequence, message } in rows {
                if deliveries.messages.len() == most {
                    next = sequence;
                    stopped = true;
                    break;
                }
                if let Some(message) = message
                    && self.inner.awaits(sequence, message.subject())
                {
                    if self.stream.counts.borrow().removing.contains(&sequence) {
                        blocked = Some(self.stream.settled.listen());
                        next = sequence;
                        break;
                    }
                    let content = Content::of(message, headers_only);
                    if !deliveries.admit(self, (sequence, 1), content.size(), wanted) {
                        next = sequence;
                        stopped = true;
                        break;
                    }
                    deliveries.messages.push(self.deliver(sequence, content));
                }
                next = sequence + 1;
            }
            if complete && !stopped && blocked.is_none() {
                next = visible + 1;
            } else if deliveries.messages.is_empty()
                && !stopped
                && blocked.is_none()
                && selected.is_none()
            {
                next = self.step_over(next, visible).await?;
            }
            self.inner.state.borrow_mut().cursor = next;
            if let Some(settled) = blocked {
                if !deliveries.messages.is_empty() {
                    break;
                }
                // Whether it is removed is known when the removal is durable or has failed. The
                // bell goes only with the stream, which this borrows.
                let _ = settled.await;
            }
        }
        Ok(())
    }

    /// Where to go on after reading messages that were all for others: at the next message for it,
    /// or at the end.
    async fn step_over(&self, from: u64, visible: u64) -> Result<u64> {
        let state = || {
            let counts = self.stream.counts.borrow();
            (counts.removals, counts.removing.len(), self.stream.store.epoch())
        };
        let before = state();
        let next = self.next_message(from, visible).await?;
        // A message that is being removed is not found, and may stay after all.
        let settled = before.1 == 0 && state() == before;
        Ok(if settled { next.map_or(visible + 1, |(sequence, _)| sequence) } else { from })
    }

    fn read_ahead(&self) -> usize {
        if self.inner.config.borrow().filters().is_empty() { 1 } else { READ_AHEAD }
    }

    fn deliver(&self, sequence: u64, content: Content) -> Delivery {
        let now = self.stream.clock.now();
        let mut state = self.inner.state.borrow_mut();
        state.delivered += 1;
        state.consumer_sequence += 1;
        state.stream_sequence = sequence;
        state.delivered_at = now;
        let consumer_sequence = state.consumer_sequence;
        let deadline = match self.inner.config.borrow().wait(1) {
            // Flow control acknowledges, however long that takes.
            Duration::ZERO => u64::MAX,
            wait => now.saturating_add(wait.as_millis() as u64),
        };
        state.insert(
            sequence,
            Pending {
                deliveries: 1,
                consumer_sequence,
                deadline,
                delayed: false,
                held: false,
                delivered_at: now,
                message: Some((content.subject.clone(), content.stored_size)),
            },
        );
        content.delivery(sequence, consumer_sequence, 1, state.num_pending())
    }
}
