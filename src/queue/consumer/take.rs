//! Taking messages: what is due again, then what is new, each in the order of sequence numbers.

use std::time::Duration;

use super::{
    ack::Outcome,
    ack_subject::ack_subject_size,
    advisory,
    delivery::{Content, Taken},
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

/// What was taken.
#[derive(Default)]
pub(super) struct Takings {
    pub(super) messages: Vec<Taken>,
    bytes: u64,
    /// Whether there is a message for which there is no room.
    pub(super) is_cut: bool,
}

impl Wanted {
    pub(super) fn messages(messages: usize) -> Self {
        Self { messages, bytes: u64::MAX }
    }
}

impl Takings {
    /// Whether a message still has room; it is the last that is looked at otherwise.
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
        self.is_cut = size > wanted.bytes - self.bytes;
        if !self.is_cut {
            self.bytes += size;
        }
        !self.is_cut
    }
}

impl Consumer {
    pub(super) async fn take(&self, wanted: Wanted) -> Result<Takings> {
        let _turn = self.inner.turn.lock().await;
        if self.inner.deleted.get() {
            return Err(Error::CONSUMER_NOT_FOUND);
        }
        let mut takings = Takings::default();
        if self.inner.config.borrow().paused_until() > self.stream.clock.now() {
            return Ok(takings);
        }
        // What the limits let go of is not delivered.
        if self.stream.is_untidy() {
            self.stream.tidy().await?;
        }
        self.deliver_again(wanted, &mut takings).await?;
        if takings.messages.len() < wanted.messages && !takings.is_cut {
            self.deliver_new(wanted, &mut takings).await?;
        }
        self.note(&takings.messages);
        Ok(takings)
    }

    /// Has the store know of the deliveries where that matters before the next acknowledgement.
    fn note(&self, messages: &[Taken]) {
        if messages.is_empty() {
            return;
        }
        let config = self.inner.config();
        let mut batch = self.batch_of_acks();
        if !config.acknowledges() {
            let sequences = messages.iter().map(|message| message.stream_sequence);
            self.acknowledge(&mut batch, sequences, Outcome::Processed);
            batch.wait_for_others();
        } else if config.max_deliver > 0 && !self.inner.progress.records.get() {
            // Deliveries are counted over restarts, as a message may be what ends the worker.
            self.inner.write(&self.stream, &mut batch);
        } else {
            return;
        }
        // When it fails, some are delivered once more.
        drop(self.stream.store.submit(batch));
    }

    async fn deliver_again(&self, wanted: Wanted, takings: &mut Takings) -> Result<()> {
        self.give_up();
        let due: Vec<_> = {
            let (deliveries, now) = (self.inner.deliveries.borrow(), self.stream.clock.now());
            deliveries.redelivery().due(now).take(wanted.messages).collect()
        };
        for sequence in due {
            let message = self.stream.read(sequence).await?;
            let now = self.stream.clock.now();
            let mut deliveries = self.inner.deliveries.borrow_mut();
            // It may have been acknowledged or put off while it was read.
            let still = |pending: &&Pending| !pending.held && pending.deadline <= now;
            let Some(pending) = deliveries.pending.get(&sequence).filter(still) else { continue };
            let times = pending.deliveries + 1;
            let Some(message) = message else {
                tracing::error!("message {sequence} of a stream is lost");
                deliveries.remove(sequence);
                continue;
            };
            drop(deliveries);
            let content = Content::of(message, self.inner.config.borrow().headers_only);
            if !takings.admit(self, (sequence, times), content.size(), wanted) {
                return Ok(());
            }
            let mut deliveries = self.inner.deliveries.borrow_mut();
            deliveries.consumer_sequence += 1;
            deliveries.delivered_at = now;
            let wait = self.inner.config.borrow().wait(times);
            deliveries.change(sequence, |pending| {
                pending.deliveries = times;
                pending.deadline = now.saturating_add(wait.as_millis() as u64);
                pending.delayed = false;
                pending.at = now;
                pending.about = Some((content.subject.clone(), content.stored_size));
            });
            let (of, left) = (deliveries.consumer_sequence, deliveries.num_pending());
            takings.messages.push(content.taken(sequence, of, times, left));
        }
        Ok(())
    }

    /// Lets go of what was delivered as often as is allowed and not acknowledged.
    pub(super) fn give_up(&self) {
        let exhausted: Vec<_> = {
            let deliveries = self.inner.deliveries.borrow();
            let exhausted = deliveries.redelivery().exhausted(self.stream.clock.now());
            exhausted.map(|sequence| (sequence, deliveries.pending[&sequence].deliveries)).collect()
        };
        if !exhausted.is_empty() {
            let mut batch = self.batch_of_acks();
            let sequences = exhausted.iter().map(|(sequence, _)| *sequence);
            self.acknowledge(&mut batch, sequences, Outcome::Exhausted);
            let (inner, count) = (self.inner.clone(), exhausted.len() as u64);
            batch.on_durable(move || inner.set_aside.set(inner.set_aside.get() + count));
            // When it fails, they are due again and this is tried again.
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

    async fn deliver_new(&self, wanted: Wanted, takings: &mut Takings) -> Result<()> {
        let most =
            wanted.messages.min(takings.messages.len().saturating_add(self.inner.capacity()));
        let headers_only = self.inner.config.borrow().headers_only;
        while takings.messages.len() < most && !takings.is_cut {
            let cursor = self.inner.deliveries.borrow().cursor;
            let (visible, removals) = {
                let counts = self.stream.counts.borrow();
                (counts.visible(), counts.removals)
            };
            if cursor > visible {
                break;
            }
            let limit = (most - takings.messages.len()).max(self.read_ahead());
            let selected = self.inner.selected.borrow().next(cursor);
            let rows = match selected {
                Some(next) if next > visible => Vec::new(),
                // One by one, since few are among many.
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
                if takings.messages.len() == most {
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
                    if !takings.admit(self, (sequence, 1), content.size(), wanted) {
                        next = sequence;
                        stopped = true;
                        break;
                    }
                    takings.messages.push(self.deliver(sequence, content));
                }
                next = sequence + 1;
            }
            if complete && !stopped && blocked.is_none() {
                next = visible + 1;
            } else if takings.messages.is_empty()
                && !stopped
                && blocked.is_none()
                && selected.is_none()
            {
                next = self.step_over(next, visible).await?;
            }
            self.inner.deliveries.borrow_mut().cursor = next;
            if let Some(settled) = blocked {
                if !takings.messages.is_empty() {
                    break;
                }
                // Whether it goes is known when its removal is durable or has failed. The bell is
                // gone only with the stream, which this borrows.
                let _ = settled.await;
            }
        }
        Ok(())
    }

    /// The next message that is for it, or the end, when what was read last was all for others.
    async fn step_over(&self, from: u64, visible: u64) -> Result<u64> {
        let state = || {
            let counts = self.stream.counts.borrow();
            (counts.removals, counts.removing.len(), self.stream.store.epoch())
        };
        let before = state();
        let next = self.next_message(from, visible).await?;
        // What is being removed is not found, and may stay after all.
        let settled = before.1 == 0 && state() == before;
        Ok(if settled { next.map_or(visible + 1, |(sequence, _)| sequence) } else { from })
    }

    fn read_ahead(&self) -> usize {
        if self.inner.config.borrow().filters().is_empty() { 1 } else { READ_AHEAD }
    }

    fn deliver(&self, sequence: u64, content: Content) -> Taken {
        let now = self.stream.clock.now();
        let mut deliveries = self.inner.deliveries.borrow_mut();
        deliveries.taken += 1;
        deliveries.consumer_sequence += 1;
        deliveries.stream_sequence = sequence;
        deliveries.delivered_at = now;
        let consumer_sequence = deliveries.consumer_sequence;
        let deadline = match self.inner.config.borrow().wait(1) {
            // Flow control acknowledges, however long that takes.
            Duration::ZERO => u64::MAX,
            wait => now.saturating_add(wait.as_millis() as u64),
        };
        deliveries.insert(
            sequence,
            Pending {
                deliveries: 1,
                consumer_sequence,
                deadline,
                delayed: false,
                held: false,
                at: now,
                about: Some((content.subject.clone(), content.stored_size)),
            },
        );
        content.taken(sequence, consumer_sequence, 1, deliveries.num_pending())
    }
}
