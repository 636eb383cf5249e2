//! Taking messages: what is due again, then what is new, each in the order of sequence numbers.

use std::{rc::Rc, time::Duration};

use bytes::Bytes;

use super::{
    Consumer, Pending,
    ack::{self, Outcome},
    advisory,
    pull::ack_subject_size,
};
use crate::{
    queue::{
        error::{Error, Result},
        stream::row::{MessageRow, message_key},
    },
    store::{Batch, Direction, Table},
};

/// How many messages are read at once while most are not for the consumer.
const READ_AHEAD: usize = 64;

/// A message that was taken.
pub(super) struct Taken {
    pub(super) subject: Rc<str>,
    pub(super) headers: Bytes,
    pub(super) payload: Bytes,
    pub(super) stream_sequence: u64,
    pub(super) consumer_sequence: u64,
    pub(super) num_delivered: u64,
    pub(super) num_pending: u64,
    pub(super) time: u64,
    /// Of subject, headers and payload.
    pub(super) size: u64,
}

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
    fn admit(&mut self, consumer: &Consumer, sequence: u64, size: u64, wanted: Wanted) -> bool {
        if wanted.bytes == u64::MAX {
            return true;
        }
        let size = size + ack_subject_size(&consumer.stream, &consumer.inner, sequence);
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
        let mut batch = Batch::new();
        if !config.acknowledges() {
            let sequences = messages.iter().map(|message| message.stream_sequence);
            ack::acknowledge(&self.stream, &self.inner, &mut batch, sequences, Outcome::Processed);
            batch.wait_for_others();
        } else if config.max_deliver > 0 {
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
        let due = self.inner.deliveries.borrow().due(self.stream.clock.now(), wanted.messages);
        for sequence in due {
            let key = message_key(self.stream.id, sequence);
            let row = self.stream.store.get(Table::QueueMessages, key).await?;
            let now = self.stream.clock.now();
            let mut deliveries = self.inner.deliveries.borrow_mut();
            // It may have been acknowledged or put off while it was read.
            let still = |pending: &&Pending| !pending.held && pending.deadline <= now;
            let Some(pending) = deliveries.pending.get(&sequence).filter(still) else { continue };
            let times = pending.deliveries + 1;
            let Some((row, stored)) =
                row.as_ref().and_then(|row| Some((row, MessageRow::decode(row)?)))
            else {
                tracing::error!("message {sequence} of a stream is lost");
                deliveries.remove(sequence);
                continue;
            };
            if !takings.admit(self, sequence, size(&stored), wanted) {
                return Ok(());
            }
            deliveries.consumer_sequence += 1;
            deliveries.delivered_at = now;
            let wait = self.inner.config.borrow().wait(times);
            let subject = Rc::<str>::from(stored.subject);
            deliveries.change(sequence, |pending| {
                pending.deliveries = times;
                pending.deadline = now.saturating_add(wait.as_millis() as u64);
                pending.delayed = false;
                pending.at = now;
                pending.about = Some((subject.clone(), stored.size()));
            });
            takings.messages.push(Taken {
                subject,
                headers: row.slice_ref(stored.headers),
                payload: row.slice_ref(stored.payload),
                stream_sequence: sequence,
                consumer_sequence: deliveries.consumer_sequence,
                num_delivered: times,
                num_pending: deliveries.num_pending(),
                time: stored.time,
                size: size(&stored),
            });
        }
        Ok(())
    }

    /// Lets go of what was delivered as often as is allowed and not acknowledged.
    pub(super) fn give_up(&self) {
        let Ok(max_deliver) = u64::try_from(self.inner.config.borrow().max_deliver) else { return };
        let deliveries = self.inner.deliveries.borrow();
        let due = deliveries.due(self.stream.clock.now(), usize::MAX);
        let exhausted: Vec<_> = due
            .into_iter()
            .map(|sequence| (sequence, deliveries.pending[&sequence].deliveries))
            .filter(|(_, times)| *times >= max_deliver)
            .collect();
        drop(deliveries);
        if !exhausted.is_empty() {
            let mut batch = Batch::new();
            let sequences = exhausted.iter().map(|(sequence, _)| *sequence);
            ack::acknowledge(&self.stream, &self.inner, &mut batch, sequences, Outcome::Exhausted);
            // When it fails, they are due again and this is tried again.
            drop(self.stream.store.submit(batch));
            for (sequence, times) in exhausted {
                advisory::max_deliveries(&self.stream, &self.inner, sequence, times);
            }
        }
    }

    async fn deliver_new(&self, wanted: Wanted, takings: &mut Takings) -> Result<()> {
        let most =
            wanted.messages.min(takings.messages.len().saturating_add(self.inner.capacity()));
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
            for (sequence, row) in rows {
                if takings.messages.len() == most {
                    next = sequence;
                    stopped = true;
                    break;
                }
                match MessageRow::decode(&row) {
                    Some(stored) if self.inner.awaits(sequence, stored.subject) => {
                        if self.stream.counts.borrow().removing.contains(&sequence) {
                            blocked = Some(self.stream.settled.listen());
                            next = sequence;
                            break;
                        }
                        if !takings.admit(self, sequence, size(&stored), wanted) {
                            next = sequence;
                            stopped = true;
                            break;
                        }
                        takings.messages.push(self.deliver(sequence, &row, &stored));
                    }
                    Some(_) => {}
                    None => self.stream.note_lost(sequence),
                }
                next = sequence + 1;
            }
            if complete && !stopped && blocked.is_none() {
                next = visible + 1;
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

    fn read_ahead(&self) -> usize {
        if self.inner.config.borrow().filters().is_empty() { 1 } else { READ_AHEAD }
    }

    fn deliver(&self, sequence: u64, row: &Bytes, stored: &MessageRow<'_>) -> Taken {
        let subject = Rc::<str>::from(stored.subject);
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
                about: Some((subject.clone(), stored.size())),
            },
        );
        Taken {
            subject,
            headers: row.slice_ref(stored.headers),
            payload: row.slice_ref(stored.payload),
            stream_sequence: sequence,
            consumer_sequence,
            num_delivered: 1,
            num_pending: deliveries.num_pending(),
            time: stored.time,
            size: size(stored),
        }
    }
}

fn size(stored: &MessageRow<'_>) -> u64 {
    (stored.subject.len() + stored.headers.len() + stored.payload.len()) as u64
}
