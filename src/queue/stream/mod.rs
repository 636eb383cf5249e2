//! A stream in memory: its counts, what is under way, and publishing to it.
//!
//! What batches do to a stream counts from their submission on, which is when their state rows are
//! written; before that a publish has only its sequence number. Each change under way is held by a
//! guard in its batch: when the batch fails or is dropped, the guard takes the change back.

mod ids;
mod manage;
mod open;
mod tidy;

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use bytes::Bytes;
use futures::lock::Mutex;

use self::ids::MessageIds;
pub(in crate::queue) use self::manage::StreamRow;
use crate::queue::{
    clock::Clock,
    config::{Discard, Retention, StreamConfig, limit},
    consumer,
    error::{Error, Result},
    headers::{self, Headers},
    notify::Notify,
    row::{self, StateRow},
};
use crate::store::{Batch, Direction, KeyRange, Store, Table};

/// The largest header block.
const MAX_HEADER_BYTES: usize = 64 * 1024;

/// The answer to a publish, true once its batch is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PubAck {
    /// The stream.
    pub stream: String,
    /// The sequence number of the message.
    pub sequence: u64,
    /// Whether a message of that id was stored before; `sequence` is its number then.
    pub duplicate: bool,
}

pub(in crate::queue) struct Stream {
    pub(in crate::queue) store: Store,
    pub(in crate::queue) clock: Rc<dyn Clock>,
    pub(in crate::queue) id: u64,
    pub(in crate::queue) created: u64,
    pub(in crate::queue) config: RefCell<Rc<StreamConfig>>,
    pub(in crate::queue) next_consumer: Cell<u64>,
    pub(in crate::queue) counts: RefCell<Counts>,
    pub(in crate::queue) consumers: RefCell<BTreeMap<String, Rc<consumer::Inner>>>,
    pub(in crate::queue) ids: RefCell<MessageIds>,
    /// Subjects that may hold more messages than they are allowed to.
    pub(in crate::queue) full: RefCell<BTreeSet<String>>,
    /// When the next message is too old; [`u64::MAX`] is never, 0 is not known yet.
    pub(in crate::queue) next_expiry: Cell<u64>,
    /// Rings when a publish or a removal has become durable or failed.
    pub(in crate::queue) settled: Notify,
    /// Rings when there may be messages to let go of.
    pub(in crate::queue) untidy: Notify,
    /// Held by whatever removes messages other than by acknowledgement, or changes consumers.
    pub(in crate::queue) admin: Mutex<()>,
    pub(in crate::queue) deleted: Cell<bool>,
}

/// The counts of a stream, as of the batches submitted.
#[derive(Default)]
pub(in crate::queue) struct Counts {
    /// No message has a lower sequence number; the first may have a higher one.
    pub(in crate::queue) first: u64,
    /// The last sequence number given out.
    pub(in crate::queue) last: u64,
    /// The last sequence number that is durable.
    pub(in crate::queue) durable: u64,
    pub(in crate::queue) messages: u64,
    pub(in crate::queue) bytes: u64,
    /// Sequence numbers given out to batches that are not durable yet.
    pub(in crate::queue) in_flight: BTreeSet<u64>,
    /// Messages and bytes of batches that are not submitted yet.
    pub(in crate::queue) prepared: (u64, u64),
    /// Messages whose removal is submitted and not durable yet.
    pub(in crate::queue) removing: BTreeSet<u64>,
    /// Grows when a removal has become durable.
    pub(in crate::queue) removals: u64,
    /// Whether there may be messages that no consumer needs any longer.
    pub(in crate::queue) sweep: bool,
    /// How often that was said.
    pub(in crate::queue) sweeps_asked: u64,
}

impl Counts {
    pub(in crate::queue) fn ask_sweep(&mut self) {
        self.sweep = true;
        self.sweeps_asked += 1;
    }

    /// The last sequence number up to which everything is durable or has failed.
    pub(in crate::queue) fn visible(&self) -> u64 {
        self.in_flight.first().map_or(self.last, |first| first - 1)
    }

    pub(in crate::queue) fn add(&mut self, sequence: u64, size: u64) {
        self.messages += 1;
        self.bytes += size;
        self.first = self.first.min(sequence);
    }

    pub(in crate::queue) fn subtract(&mut self, sequence: u64, size: u64) {
        self.messages = self.messages.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(size);
        if sequence == self.first {
            self.first += 1;
        }
    }

    fn settle(&mut self, sequence: u64, durable: bool) {
        self.in_flight.remove(&sequence);
        if durable {
            self.durable = self.durable.max(sequence);
        }
        // A number whose batch failed is free again, unless a later one is in use.
        self.last = self.durable.max(self.in_flight.last().copied().unwrap_or(0));
    }
}

impl Stream {
    pub(in crate::queue) fn config(&self) -> Rc<StreamConfig> {
        self.config.borrow().clone()
    }

    /// Stores a message with the batch.
    pub(in crate::queue) fn publish(
        self: &Rc<Self>,
        batch: &mut Batch,
        subject: &str,
        headers: &Headers,
        payload: &[u8],
    ) -> Result<PubAck> {
        let config = self.config();
        let block = headers.encode();
        self.check(&config, headers, &block, payload)?;
        let answer =
            |sequence, duplicate| PubAck { stream: config.name.clone(), sequence, duplicate };
        let now = self.clock.now();
        let id = headers.get(headers::MESSAGE_ID).map(Rc::<str>::from);
        let oldest = now.saturating_sub(config.duplicate_window.as_millis() as u64);
        if let Some(id) = &id
            && let Some(sequence) = self.ids.borrow().find(id, oldest)
        {
            return Ok(answer(sequence, true));
        }
        let size = row::message_size(subject, &block, payload);
        let stored = config.retention != Retention::Interest
            || self.consumers.borrow().values().any(|consumer| consumer.takes(subject));
        let mut counts = self.counts.borrow_mut();
        if config.discard == Discard::New && stored {
            if counts.messages + counts.prepared.0 >= limit(config.max_msgs) {
                return Err(Error::store_failed("maximum messages exceeded"));
            }
            if counts.bytes + counts.prepared.1 + size > limit(config.max_bytes) {
                return Err(Error::store_failed("maximum bytes exceeded"));
            }
        }
        let sequence = counts.last + 1;
        counts.last = sequence;
        counts.in_flight.insert(sequence);
        if stored {
            counts.prepared.0 += 1;
            counts.prepared.1 += size;
            let value = row::encode_message(now, subject, &block, payload);
            batch.put(Table::QueueMessages, row::message_key(self.id, sequence), value);
            if config.limits_subjects() {
                let key = row::subject_key(self.id, subject, sequence);
                batch.put(Table::QueueSubjects, key, []);
                batch.put(Table::QueueFullSubjects, row::full_key(self.id, subject), []);
            }
        }
        drop(counts);
        let mut ids = self.ids.borrow_mut();
        for (time, sequence) in ids.expire(oldest) {
            batch.delete(Table::QueueMessageIds, row::id_key(self.id, time, sequence));
        }
        if let Some(id) = &id {
            ids.insert(id.clone(), now, sequence);
            batch.put(
                Table::QueueMessageIds,
                row::id_key(self.id, now, sequence),
                id.as_bytes().to_vec(),
            );
        }
        drop(ids);
        let publish = Publish {
            stream: self.clone(),
            sequence,
            subject: subject.into(),
            size,
            stored,
            id,
            stage: Stage::Prepared,
        };
        batch.on_submit(move |batch| publish.submit(batch));
        Ok(answer(sequence, false))
    }

    fn check(
        &self,
        config: &StreamConfig,
        headers: &Headers,
        block: &[u8],
        payload: &[u8],
    ) -> Result<()> {
        if !headers.is_valid() {
            return Err(Error::BAD_REQUEST);
        }
        if block.len() > MAX_HEADER_BYTES {
            return Err(Error::HEADERS_TOO_LARGE);
        }
        if (block.len() + payload.len()) as u64 > limit(config.max_msg_size) {
            return Err(Error::MESSAGE_TOO_LARGE);
        }
        if headers.get(headers::EXPECTED_STREAM).is_some_and(|expected| expected != config.name) {
            return Err(Error::STREAM_DOES_NOT_MATCH);
        }
        if let Some(expected) = headers.get(headers::EXPECTED_LAST_SEQUENCE) {
            let last = self.counts.borrow().last;
            if expected.parse() != Ok(last) {
                return Err(Error::wrong_last_sequence(last));
            }
        }
        Ok(())
    }

    /// At most `limit` messages from `from` to `to`, both in, as they are stored.
    pub(in crate::queue) async fn rows(
        &self,
        from: u64,
        to: u64,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<(u64, Bytes)>> {
        let range = KeyRange::between(
            row::message_key(self.id, from),
            row::message_key(self.id, to.saturating_add(1)),
        );
        let rows = self.store.scan(Table::QueueMessages, range, direction, limit).await?;
        let numbered = rows.into_iter().map(|(key, value)| (row::sequence(&key), value));
        Ok(numbered.collect())
    }

    /// Has the batch write the counts as they are when it is submitted.
    pub(in crate::queue) fn write_counts(self: &Rc<Self>, batch: &mut Batch) {
        let stream = self.clone();
        batch.put_at_submit(Table::QueueStates, row::stream_key(self.id), move || {
            let counts = stream.counts.borrow();
            StateRow {
                first: counts.first,
                last: counts.last,
                messages: counts.messages,
                bytes: counts.bytes,
                sweep: counts.sweep,
                matched: stream
                    .consumers
                    .borrow()
                    .values()
                    .map(|consumer| (consumer.id, consumer.deliveries.borrow().matched))
                    .collect(),
            }
            .encode()
        });
    }

    /// Whether `sequence` may go now that one consumer has acknowledged it.
    pub(in crate::queue) fn releases(&self, sequence: u64, subject: &str) -> bool {
        match self.config.borrow().retention {
            Retention::Limits => false,
            Retention::WorkQueue => true,
            Retention::Interest => {
                !self.consumers.borrow().values().any(|other| other.needs(sequence, subject))
            }
        }
    }

    /// Deletes the rows of a message.
    pub(in crate::queue) fn delete_rows(&self, batch: &mut Batch, sequence: u64, subject: &str) {
        batch.delete(Table::QueueMessages, row::message_key(self.id, sequence));
        if self.config.borrow().limits_subjects() {
            batch.delete(Table::QueueSubjects, row::subject_key(self.id, subject, sequence));
        }
    }

    /// Wakes the consumers that a message of `subject` is for.
    fn wake(&self, subject: &str) {
        for consumer in self.consumers.borrow().values() {
            if consumer.takes(subject) {
                consumer.wake.wake();
            }
        }
    }

    pub(in crate::queue) fn wake_all(&self) {
        for consumer in self.consumers.borrow().values() {
            consumer.wake.wake();
        }
    }
}

/// How far a change has come that is part of a batch.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::queue) enum Stage {
    Prepared,
    Submitted,
    Durable,
}

/// A publish under way.
struct Publish {
    stream: Rc<Stream>,
    sequence: u64,
    subject: Box<str>,
    size: u64,
    stored: bool,
    id: Option<Rc<str>>,
    stage: Stage,
}

impl Publish {
    fn submit(mut self, batch: &mut Batch) {
        self.stage = Stage::Submitted;
        if self.stored {
            self.unprepare();
            self.stream.counts.borrow_mut().add(self.sequence, self.size);
            self.match_consumers(1);
        }
        self.stream.write_counts(batch);
        batch.on_durable(move || self.durable());
    }

    fn durable(mut self) {
        self.stage = Stage::Durable;
        let stream = &self.stream;
        stream.counts.borrow_mut().settle(self.sequence, true);
        stream.settled.wake();
        // Whoever was published after this one and became durable before it is visible now too.
        if stream.counts.borrow().last == self.sequence {
            stream.wake(&self.subject);
        } else {
            stream.wake_all();
        }
        if self.stored {
            if stream.config.borrow().limits_subjects() {
                stream.full.borrow_mut().insert(self.subject.to_string());
            }
            if stream.is_untidy() {
                stream.untidy.wake();
            }
        }
    }

    fn unprepare(&self) {
        let prepared = &mut self.stream.counts.borrow_mut().prepared;
        prepared.0 -= 1;
        prepared.1 -= self.size;
    }

    fn match_consumers(&self, by: i64) {
        for consumer in self.stream.consumers.borrow().values() {
            if consumer.counts(self.sequence, &self.subject) {
                let matched = &mut consumer.deliveries.borrow_mut().matched;
                *matched = matched.saturating_add_signed(by);
            }
        }
    }
}

impl Drop for Publish {
    fn drop(&mut self) {
        match self.stage {
            Stage::Durable => return,
            Stage::Prepared if self.stored => self.unprepare(),
            Stage::Submitted if self.stored => {
                self.stream.counts.borrow_mut().subtract(self.sequence, self.size);
                self.match_consumers(-1);
            }
            Stage::Prepared | Stage::Submitted => {}
        }
        if let Some(id) = &self.id {
            self.stream.ids.borrow_mut().forget(id, self.sequence);
        }
        self.stream.counts.borrow_mut().settle(self.sequence, false);
        self.stream.settled.wake();
        self.stream.wake_all();
    }
}
