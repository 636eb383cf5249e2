//! A consumer's messages, delivered when they are asked for.

use std::{pin::pin, rc::Rc, time::Duration};

use futures::future::{Either, select};

use super::{
    ack::{self, Outcome},
    consumer::{self, Pending},
    error::{Error, Result},
    message::Message,
    row::{self, MessageRow},
    status::ConsumerInfo,
    stream::Stream,
};
use crate::store::{Batch, Direction, Table};

/// How many messages are read at once while most are not for the consumer.
const READ_AHEAD: usize = 64;

/// A handle to a consumer; clones share it.
#[derive(Clone)]
pub struct Consumer {
    pub(super) stream: Rc<Stream>,
    pub(super) inner: Rc<consumer::Inner>,
}

impl Consumer {
    /// At most `max` messages: as soon as there is one, those that there are; none when `wait` has
    /// passed. What is due again comes first, then what is new, each in the order of sequence
    /// numbers.
    ///
    /// # Errors
    /// 10014 when the consumer is deleted; when the store can't be read.
    pub async fn fetch(&self, max: usize, wait: Duration) -> Result<Vec<Message>> {
        let clock = self.stream.clock.clone();
        let until = clock.now().saturating_add(wait.as_millis() as u64);
        loop {
            let woken = self.inner.wake.listen();
            let messages = self.take(max).await?;
            if !messages.is_empty() || clock.now() >= until {
                return Ok(messages);
            }
            let due = self.inner.deliveries.borrow().next_due().unwrap_or(u64::MAX);
            match select(woken, pin!(clock.sleep_until(due.min(until)))).await {
                Either::Left(_) | Either::Right(_) => {}
            }
        }
    }

    /// What is known of the consumer.
    pub fn info(&self) -> ConsumerInfo {
        ConsumerInfo::of(&self.stream, &self.inner)
    }

    async fn take(&self, max: usize) -> Result<Vec<Message>> {
        let _turn = self.inner.turn.lock().await;
        if self.inner.deleted.get() {
            return Err(Error::CONSUMER_NOT_FOUND);
        }
        // What the limits let go of is not delivered.
        if self.stream.is_untidy() {
            self.stream.tidy().await?;
        }
        let mut messages = Vec::new();
        self.deliver_again(max, &mut messages).await?;
        if messages.len() < max {
            self.deliver_new(max - messages.len(), &mut messages).await?;
        }
        self.note(&messages);
        Ok(messages)
    }

    /// Has the store know of the deliveries where that matters before the next acknowledgement.
    fn note(&self, messages: &[Message]) {
        if messages.is_empty() {
            return;
        }
        let mut batch = Batch::new();
        if !self.inner.acknowledges() {
            let sequences = messages.iter().map(|message| message.stream_sequence);
            ack::acknowledge(&self.stream, &self.inner, &mut batch, sequences, Outcome::Processed);
        } else if self.inner.config.borrow().max_deliver > 0 {
            // Deliveries are counted over restarts, as a message may be what ends the worker.
            self.inner.write(&self.stream, &mut batch);
        } else {
            return;
        }
        // When it fails, some are delivered once more.
        drop(self.stream.store.submit(batch));
    }

    async fn deliver_again(&self, limit: usize, messages: &mut Vec<Message>) -> Result<()> {
        self.give_up();
        let due = self.inner.deliveries.borrow().due(self.stream.clock.now(), limit);
        for sequence in due {
            let key = row::message_key(self.stream.id, sequence);
            let row = self.stream.store.get(Table::QueueMessages, key).await?;
            let now = self.stream.clock.now();
            let mut deliveries = self.inner.deliveries.borrow_mut();
            // It may have been acknowledged or put off while it was read.
            let still = |pending: &&Pending| !pending.held && pending.deadline <= now;
            let Some(pending) = deliveries.pending.get(&sequence).filter(still) else { continue };
            let times = pending.deliveries + 1;
            let Some(stored) = row.as_deref().and_then(MessageRow::decode) else {
                tracing::error!("message {sequence} of a stream is lost");
                deliveries.remove(sequence);
                continue;
            };
            deliveries.consumer_sequence += 1;
            let wait = self.inner.config.borrow().wait(times);
            let subject = Rc::<str>::from(stored.subject);
            deliveries.change(sequence, |pending| {
                pending.deliveries = times;
                pending.deadline = now.saturating_add(wait.as_millis() as u64);
                pending.delayed = false;
                pending.about = Some((subject.clone(), stored.size()));
            });
            let (consumer_sequence, num_pending) =
                (deliveries.consumer_sequence, deliveries.num_pending());
            drop(deliveries);
            let place = (sequence, consumer_sequence, times, num_pending);
            messages.push(Message::new(self.clone(), subject, &stored, place));
        }
        Ok(())
    }

    /// Lets go of what was delivered as often as is allowed and not acknowledged.
    fn give_up(&self) {
        let Ok(max_deliver) = u64::try_from(self.inner.config.borrow().max_deliver) else { return };
        let deliveries = self.inner.deliveries.borrow();
        let mut exhausted = deliveries.due(self.stream.clock.now(), usize::MAX);
        exhausted.retain(|sequence| deliveries.pending[sequence].deliveries >= max_deliver);
        drop(deliveries);
        if !exhausted.is_empty() {
            let mut batch = Batch::new();
            ack::acknowledge(&self.stream, &self.inner, &mut batch, exhausted, Outcome::Exhausted);
            // When it fails, they are due again and this is tried again.
            drop(self.stream.store.submit(batch));
        }
    }

    async fn deliver_new(&self, limit: usize, messages: &mut Vec<Message>) -> Result<()> {
        let wanted = messages.len() + limit.min(self.inner.capacity());
        while messages.len() < wanted {
            let cursor = self.inner.deliveries.borrow().cursor;
            let (visible, removals) = {
                let counts = self.stream.counts.borrow();
                (counts.visible(), counts.removals)
            };
            if cursor > visible {
                break;
            }
            let limit = (wanted - messages.len()).max(if self.filters() { READ_AHEAD } else { 1 });
            let rows = self.stream.rows(cursor, visible, Direction::Forward, limit).await?;
            if self.stream.counts.borrow().removals != removals {
                // Some of them may be gone by now.
                continue;
            }
            let complete = rows.len() < limit;
            let mut next = cursor;
            let mut stopped = false;
            let mut blocked = None;
            for (sequence, row) in rows {
                if messages.len() == wanted {
                    stopped = true;
                    break;
                }
                match MessageRow::decode(&row) {
                    Some(stored) if self.inner.takes(stored.subject) => {
                        if self.stream.counts.borrow().removing.contains(&sequence) {
                            blocked = Some(self.stream.settled.listen());
                            next = sequence;
                            break;
                        }
                        messages.push(self.deliver(sequence, &stored));
                    }
                    Some(_) => {}
                    None => tracing::error!("message {sequence} of a stream can't be read"),
                }
                next = sequence + 1;
            }
            if complete && !stopped && blocked.is_none() {
                next = visible + 1;
            }
            self.inner.deliveries.borrow_mut().cursor = next;
            if let Some(settled) = blocked {
                if !messages.is_empty() {
                    break;
                }
                // Whether it goes is known when its removal is durable or has failed. The bell is
                // gone only with the stream, which this borrows.
                let _ = settled.await;
            }
        }
        Ok(())
    }

    fn filters(&self) -> bool {
        !self.inner.config.borrow().filters().is_empty()
    }

    fn deliver(&self, sequence: u64, stored: &MessageRow<'_>) -> Message {
        let subject = Rc::<str>::from(stored.subject);
        let mut deliveries = self.inner.deliveries.borrow_mut();
        deliveries.taken += 1;
        deliveries.consumer_sequence += 1;
        deliveries.stream_sequence = sequence;
        let consumer_sequence = deliveries.consumer_sequence;
        let wait = self.inner.config.borrow().wait(1);
        deliveries.insert(
            sequence,
            Pending {
                deliveries: 1,
                consumer_sequence,
                deadline: self.stream.clock.now().saturating_add(wait.as_millis() as u64),
                delayed: false,
                held: false,
                about: Some((subject.clone(), stored.size())),
            },
        );
        let place = (sequence, consumer_sequence, 1, deliveries.num_pending());
        drop(deliveries);
        Message::new(self.clone(), subject, stored, place)
    }
}
