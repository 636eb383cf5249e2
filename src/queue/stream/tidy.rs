//! Letting go of messages other than by acknowledgement: limits, age, purging, and what no consumer
//! needs any longer.

use std::{
    collections::BTreeMap,
    rc::{Rc, Weak},
};

use bytes::Bytes;
use futures::future::{Either, select};

use super::{Stage, Stream};
use crate::queue::{
    config::limit,
    consumer::{self, Pending},
    error::{Error, Result},
    row::{self, MessageRow},
};
use crate::store::{Batch, Direction, KeyRange, KeyReader, Table};

/// How many messages are let go of in one batch.
const CHUNK: usize = 256;

/// Keeps a stream within its limits until it is gone.
pub(in crate::queue) async fn keep_tidy(stream: Weak<Stream>) {
    loop {
        let Some(strong) = stream.upgrade() else { return };
        let untidy = strong.untidy.listen();
        if strong.deleted.get() {
            return;
        }
        let mut next = u64::MAX;
        match strong.tidy().await {
            Ok(()) => next = strong.next_expiry.get(),
            Err(cause) => tracing::error!("a stream can't let go of messages: {cause}"),
        }
        let expiry = strong.clock.sleep_until(next);
        // Only the bell keeps this alive, and it goes with the stream.
        drop(strong);
        match select(untidy, expiry).await {
            Either::Left(_) | Either::Right(_) => {}
        }
    }
}

impl Stream {
    /// Whether there may be messages to let go of now.
    pub(in crate::queue) fn is_untidy(&self) -> bool {
        let (counts, config) = (self.counts.borrow(), self.config.borrow());
        counts.sweep
            || counts.messages > limit(config.max_msgs)
            || counts.bytes > limit(config.max_bytes)
            || !self.full.borrow().is_empty()
            || self.next_expiry.get() <= self.clock.now()
    }

    /// Lets go of what the stream should not hold.
    pub(in crate::queue) async fn tidy(self: &Rc<Self>) -> Result<()> {
        let _admin = self.admin.lock().await;
        if self.deleted.get() {
            return Ok(());
        }
        self.trim_subjects().await?;
        self.trim().await?;
        if self.counts.borrow().sweep {
            self.sweep().await?;
        }
        self.expire().await
    }

    /// Removes the oldest messages until number and size are within limits.
    async fn trim(self: &Rc<Self>) -> Result<()> {
        loop {
            let config = self.config();
            let (mut messages, mut bytes, first, visible) = {
                let counts = self.counts.borrow();
                (counts.messages, counts.bytes, counts.first, counts.visible())
            };
            let (max_msgs, max_bytes) = (limit(config.max_msgs), limit(config.max_bytes));
            if messages <= max_msgs && bytes <= max_bytes {
                return Ok(());
            }
            let mut rows = self.rows(first, visible, Direction::Forward, CHUNK).await?;
            let mut count = 0;
            for (sequence, row) in &rows {
                if messages <= max_msgs && bytes <= max_bytes {
                    break;
                }
                count += 1;
                if !self.counts.borrow().removing.contains(sequence) {
                    messages -= 1;
                    bytes = bytes.saturating_sub(MessageRow::decode(row).map_or(0, |m| m.size()));
                }
            }
            rows.truncate(count);
            if rows.is_empty() {
                // The rest is not durable yet; its publishes ring again.
                return Ok(());
            }
            self.remove(rows, Batch::new()).await?;
        }
    }

    /// Removes the oldest messages of subjects that have too many.
    async fn trim_subjects(self: &Rc<Self>) -> Result<()> {
        loop {
            let next = self.full.borrow_mut().pop_first();
            let Some(subject) = next else { break };
            let keep =
                usize::try_from(limit(self.config().max_msgs_per_subject)).unwrap_or(usize::MAX);
            let range = KeyRange::prefix(row::full_key(self.id, &subject));
            let newest = keep.saturating_add(CHUNK);
            let found =
                self.store.scan(Table::QueueSubjects, range, Direction::Backward, newest).await?;
            let mut rows = Vec::new();
            for (key, _) in found.iter().skip(keep) {
                let sequence = row::sequence(key);
                let key = row::message_key(self.id, sequence);
                if let Some(row) = self.store.get(Table::QueueMessages, key).await? {
                    rows.push((sequence, row));
                }
            }
            let mut batch = Batch::new();
            if found.len() == newest || !self.counts.borrow().in_flight.is_empty() {
                // There may be more, now or in a moment: the mark stays.
                if found.len() == newest {
                    self.full.borrow_mut().insert(subject);
                }
            } else {
                batch.delete(Table::QueueFullSubjects, row::full_key(self.id, &subject));
            }
            self.remove(rows, batch).await?;
        }
        Ok(())
    }

    /// Removes what is too old, and finds out when the next message will be.
    async fn expire(self: &Rc<Self>) -> Result<()> {
        let max_age = self.config().max_age.as_millis() as u64;
        if max_age == 0 {
            self.next_expiry.set(u64::MAX);
            return Ok(());
        }
        loop {
            let now = self.clock.now();
            let (first, visible) = {
                let counts = self.counts.borrow();
                (counts.first, counts.visible())
            };
            let mut rows = self.rows(first, visible, Direction::Forward, CHUNK).await?;
            let expiry =
                |row: &Bytes| MessageRow::decode(row).map_or(0, |message| message.time) + max_age;
            let expired = rows.iter().take_while(|(_, row)| expiry(row) <= now).count();
            // When there is none, what comes next is not due before this.
            let next =
                rows.get(expired).map_or(now.saturating_add(max_age), |(_, row)| expiry(row));
            let complete = rows.len() < CHUNK || expired < rows.len();
            rows.truncate(expired);
            self.remove(rows, Batch::new()).await?;
            if complete {
                self.next_expiry.set(next);
                return Ok(());
            }
        }
    }

    /// Removes what no consumer needs any longer.
    async fn sweep(self: &Rc<Self>) -> Result<()> {
        let (mut from, asked) = {
            let counts = self.counts.borrow();
            (counts.first, counts.sweeps_asked)
        };
        loop {
            let visible = self.counts.borrow().visible();
            let mut rows = self.rows(from, visible, Direction::Forward, CHUNK).await?;
            let Some((last, _)) = rows.last() else { break };
            from = last + 1;
            rows.retain(|(sequence, row)| {
                MessageRow::decode(row)
                    .is_some_and(|message| self.releases(*sequence, message.subject))
            });
            self.remove(rows, Batch::new()).await?;
        }
        {
            let mut counts = self.counts.borrow_mut();
            if counts.sweeps_asked == asked {
                counts.sweep = false;
            }
        }
        let mut batch = Batch::new();
        self.write_counts(&mut batch);
        Ok(self.store.commit(batch).await?)
    }

    /// Removes all messages; returns how many.
    pub(in crate::queue) async fn purge(self: &Rc<Self>) -> Result<u64> {
        let _admin = self.admin.lock().await;
        let last = self.counts.borrow().visible();
        let mut purged = 0;
        loop {
            let first = self.counts.borrow().first;
            let rows = self.rows(first, last, Direction::Forward, CHUNK).await?;
            if rows.is_empty() {
                return Ok(purged);
            }
            purged += self.remove(rows, Batch::new()).await?;
        }
    }

    /// Removes one message.
    pub(in crate::queue) async fn delete(self: &Rc<Self>, sequence: u64) -> Result<()> {
        let _admin = self.admin.lock().await;
        let rows = self.rows(sequence, sequence, Direction::Forward, 1).await?;
        match self.remove(rows, Batch::new()).await? {
            0 => Err(Error::NO_MESSAGE_FOUND),
            _ => Ok(()),
        }
    }

    /// Removes these messages for all consumers; returns how many were still there.
    async fn remove(self: &Rc<Self>, rows: Vec<(u64, Bytes)>, mut batch: Batch) -> Result<u64> {
        let mut removal = Removal {
            stream: self.clone(),
            removed: Vec::new(),
            undelivered: Vec::new(),
            pending: Vec::new(),
            stage: Stage::Submitted,
        };
        for (sequence, row) in rows {
            removal.add(&mut batch, sequence, &row);
        }
        let count = removal.removed.len() as u64;
        if count > 0 {
            self.write_counts(&mut batch);
            batch.on_durable(move || removal.durable());
        }
        if !batch.is_empty() {
            self.store.commit(batch).await?;
        }
        Ok(count)
    }

    /// The subjects that were left over their limit when the queue was last open.
    pub(in crate::queue) async fn restore_full_subjects(&self) -> Result<()> {
        let range = KeyRange::prefix(row::stream_key(self.id));
        let marks = self
            .store
            .scan(Table::QueueFullSubjects, range, Direction::Forward, usize::MAX)
            .await?;
        for (key, _) in marks {
            let mut key = KeyReader::new(&key);
            if let (Some(_), Some(subject)) = (key.u64(), key.str()) {
                self.full.borrow_mut().insert(subject);
            }
        }
        Ok(())
    }
}

/// A removal under way; takes itself back when its batch fails.
struct Removal {
    stream: Rc<Stream>,
    /// Sequence number and size.
    removed: Vec<(u64, u64)>,
    /// Consumers that one message less will be delivered to, and how many.
    undelivered: Vec<(Rc<consumer::Inner>, u64)>,
    /// What was pending.
    pending: Vec<(Rc<consumer::Inner>, BTreeMap<u64, Pending>)>,
    stage: Stage,
}

impl Removal {
    fn add(&mut self, batch: &mut Batch, sequence: u64, row: &Bytes) {
        let stream = self.stream.clone();
        let (subject, size) = match MessageRow::decode(row) {
            Some(message) => (message.subject, message.size()),
            None => ("", 0),
        };
        let mut counts = stream.counts.borrow_mut();
        if !counts.removing.insert(sequence) {
            return;
        }
        counts.subtract(sequence, size);
        drop(counts);
        self.removed.push((sequence, size));
        stream.delete_rows(batch, sequence, subject);
        for consumer in stream.consumers.borrow().values() {
            let mut deliveries = consumer.deliveries.borrow_mut();
            if let Some(pending) = deliveries.remove(sequence) {
                drop(deliveries);
                consumer.write(&stream, batch);
                match self.pending.iter_mut().find(|(other, _)| Rc::ptr_eq(other, consumer)) {
                    Some((_, entries)) => _ = entries.insert(sequence, pending),
                    None => self.pending.push((consumer.clone(), [(sequence, pending)].into())),
                }
            } else if sequence >= deliveries.cursor && consumer.takes(subject) {
                deliveries.matched = deliveries.matched.saturating_sub(1);
                match self.undelivered.iter_mut().find(|(other, _)| Rc::ptr_eq(other, consumer)) {
                    Some((_, count)) => *count += 1,
                    None => self.undelivered.push((consumer.clone(), 1)),
                }
            }
        }
    }

    fn durable(mut self) {
        self.stage = Stage::Durable;
        let mut counts = self.stream.counts.borrow_mut();
        counts.removals += 1;
        for (sequence, _) in &self.removed {
            counts.removing.remove(sequence);
        }
        drop(counts);
        self.stream.settled.wake();
        self.stream.wake_all();
    }
}

impl Drop for Removal {
    fn drop(&mut self) {
        if self.stage == Stage::Durable {
            return;
        }
        let mut counts = self.stream.counts.borrow_mut();
        for (sequence, size) in &self.removed {
            counts.removing.remove(sequence);
            counts.add(*sequence, *size);
        }
        drop(counts);
        for (consumer, count) in &self.undelivered {
            consumer.deliveries.borrow_mut().matched += count;
        }
        for (consumer, entries) in &mut self.pending {
            for (sequence, mut pending) in std::mem::take(entries) {
                pending.held = false;
                consumer.deliveries.borrow_mut().insert(sequence, pending);
            }
        }
        self.stream.settled.wake();
        self.stream.wake_all();
    }
}
