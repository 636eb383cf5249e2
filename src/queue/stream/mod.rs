//! A stream in memory: its counts and what is under way.
//!
//! What batches do to a stream counts from their submission on, which is when their state rows are
//! written; before that a publish has only its sequence number. Each change under way is held by a
//! guard in its batch: when the batch fails or is dropped, the guard takes the change back.

mod atomic;
mod copying;
mod counter;
mod counts;
mod cron;
mod damage;
mod direct;
mod empty;
mod expectations;
mod fast;
mod get;
mod ids;
mod index;
mod info;
mod ingest;
mod lookup;
mod manage;
mod open;
mod pub_ack;
mod publish;
mod publishes;
mod purge;
mod remove;
mod republish;
pub(super) mod row;
mod schedule;
mod snapshot;
mod source;
mod subjects;
mod tidy;
mod timers;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
};

use futures::lock::Mutex;

use self::{
    atomic::AtomicBatches, copying::Copying, damage::Damage, fast::FastBatches, ids::MessageIds,
    ingest::Inbox, purge::PurgeRow, row::StateRow, subjects::Subjects,
};
pub use self::{
    copying::StreamSourceInfo,
    direct::{DirectReply, DirectRequest},
    get::{MessageRequest, StoredMessage},
    info::{LostState, StreamInfo, StreamState},
    pub_ack::PubAck,
    purge::Purge,
};
pub(super) use self::{
    counts::Counts,
    manage::StreamRow,
    open::Parts,
    publish::Incoming,
    remove::Removal,
    snapshot::{Restore, Snapshot},
};
use super::{
    broker::Broker,
    clock::Clock,
    config::{Retention, Storage, StreamConfig},
    consumer,
    notify::Notify,
    reserved::Reserved,
    transform::Transform,
};
use crate::store::{Batch, Store, Table};

pub(super) struct Stream {
    /// Where its rows are.
    pub(super) store: Store,
    /// The queue's store, which is the same unless the stream is in memory.
    durable: Store,
    pub(super) clock: Rc<dyn Clock>,
    pub(super) broker: Broker,
    pub(super) id: u64,
    name: Rc<str>,
    pub(super) created: u64,
    pub(super) config: RefCell<Rc<StreamConfig>>,
    /// What is done to subjects, and where what is stored is published again.
    transform: RefCell<Option<Transform>>,
    republish: RefCell<Option<Transform>>,
    pub(super) next_consumer: Cell<u64>,
    pub(super) counts: RefCell<Counts>,
    pub(super) consumers: RefCell<BTreeMap<String, Rc<consumer::Inner>>>,
    /// Consumers whose configuration can't be read, and why, by name or else by id: nothing of them
    /// is touched.
    pub(super) offline: RefCell<BTreeMap<String, String>>,
    /// Up to here an interest stream keeps everything, since one of these may need it.
    kept_to: Cell<u64>,
    ids: RefCell<MessageIds>,
    subjects: RefCell<Subjects>,
    /// How many subjects there were when the stream was as this says.
    subject_count: Cell<((u64, u64, u64), u64)>,
    /// Messages that are to go, whose batch is durable.
    purges: RefCell<BTreeMap<u64, PurgeRow>>,
    /// Those of which only rows are left.
    garbage: RefCell<BTreeMap<u64, PurgeRow>>,
    next_purge: Cell<u64>,
    damage: RefCell<Damage>,
    /// The streams that it copies.
    copying: RefCell<Vec<Rc<Copying>>>,
    inbox: RefCell<Inbox>,
    atomic: RefCell<AtomicBatches>,
    fast: RefCell<FastBatches>,
    /// When the next message is too old, or something is due; [`u64::MAX`] is never, 0 is not
    /// known yet.
    pub(super) next_expiry: Cell<u64>,
    /// Whether what is too old or due is being seen to.
    expiring: Cell<bool>,
    /// Rings when a publish or a removal has become durable or failed.
    pub(super) settled: Notify,
    /// Rings when there may be messages to let go of.
    pub(super) untidy: Notify,
    /// Held by whatever removes messages other than by acknowledgement, or changes consumers.
    pub(super) admin: Mutex<()>,
    /// Held while a message is worked on that may be what ended the worker before.
    pub(super) suspects: Mutex<()>,
    pub(super) deleted: Cell<bool>,
    pub(super) reserved: Cell<Reserved>,
}

/// How far a change has come that is part of a batch.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Prepared,
    Submitted,
    Durable,
}

impl Stream {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn config(&self) -> Rc<StreamConfig> {
        self.config.borrow().clone()
    }

    /// Takes on a configuration, which was checked.
    fn configure(&self, config: Rc<StreamConfig>) {
        // What was checked can be made.
        *self.transform.borrow_mut() = (config.subject_transform.as_ref())
            .and_then(|transform| Transform::new(&transform.src, &transform.dest).ok());
        *self.republish.borrow_mut() = (config.republish.as_ref())
            .and_then(|republish| Transform::new(&republish.src, &republish.dest).ok());
        self.subjects.borrow_mut().forget_all();
        *self.config.borrow_mut() = config;
    }

    /// Whether its rows are in memory, and go with the queue.
    pub(super) fn is_in_memory(&self) -> bool {
        self.config.borrow().storage == Storage::Memory
    }

    /// Has `write` write rows of the stream with a batch that may be of the durable store.
    pub(super) fn join(self: &Rc<Self>, batch: &mut Batch, write: impl FnOnce(&mut Batch)) {
        if !self.is_in_memory() {
            return write(batch);
        }
        let mut own = Batch::new();
        write(&mut own);
        let store = self.store.clone();
        // Memory fails with the queue.
        batch.on_durable(move || drop(store.submit(own)));
    }

    /// Has the batch write the counts as they are when it is submitted.
    pub(super) fn write_counts(self: &Rc<Self>, batch: &mut Batch) {
        let stream = self.clone();
        batch.put_at_submit(Table::QueueStates, row::stream_key(self.id), move || {
            let counts = stream.counts.borrow();
            let consumers = stream.consumers.borrow();
            let matched = consumers.values();
            StateRow {
                first: counts.first,
                last: counts.last,
                messages: counts.messages,
                bytes: counts.bytes,
                sweep: counts.sweep,
                matched: matched
                    .map(|consumer| (consumer.id, consumer.deliveries.borrow().matched))
                    .collect(),
                last_time: counts.last_time,
                lost: std::borrow::Cow::Borrowed(&counts.lost),
            }
            .encode()
        });
    }

    /// Whether `sequence` may go now that one consumer has acknowledged it.
    pub(super) fn releases(&self, sequence: u64, subject: &str) -> bool {
        match self.config.borrow().retention {
            Retention::Limits => false,
            Retention::WorkQueue => true,
            Retention::Interest => {
                sequence > self.kept_to.get()
                    && !self.keeps_for(|consumer| consumer.needs(sequence, subject))
            }
        }
    }

    /// Deletes the rows of a message.
    pub(super) fn delete_rows(&self, batch: &mut Batch, sequence: u64, subject: &str) {
        batch.delete(Table::QueueMessages, row::message_key(self.id, sequence));
        batch.delete(Table::QueueSubjects, row::index_key(self.id, subject, sequence));
        self.subjects.borrow_mut().remove(subject, sequence);
    }

    /// Has what is known of subjects looked up again: messages stay that were to go.
    pub(super) fn look_up_again(&self) {
        self.subjects.borrow_mut().forget_all();
    }

    pub(super) fn wake_all(&self) {
        for consumer in self.consumers.borrow().values() {
            consumer.wake.wake();
        }
    }
}
