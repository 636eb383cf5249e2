//! A stream in memory: its counts and what is in flight.
//!
//! What a batch does to a stream it does at its submission, where sequence numbers are given and the
//! stream's state row is written. Each change in flight is held by a guard in its batch: when the batch
//! fails or is not submitted after all, the guard takes the change back.

use std::{
    borrow::Cow,
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
};

use futures::lock::Mutex;

use super::{
    atomic::staged::AtomicBatches,
    counts::Counts,
    damage::Damage,
    fast::batches::FastBatches,
    ids::MessageIds,
    inbox::Inbox,
    purge_row::PurgeRow,
    row::{self, StateRow},
    subjects::Subjects,
};
use crate::{
    platform::Notify,
    queue::{
        broker::Broker,
        clock::Clock,
        config::{Retention, Storage, StreamConfig},
        error::Result,
        transform::Transform,
    },
    store::{Batch, Store, Submission, Table},
};

pub(in crate::queue) struct Stream {
    /// Where its rows are.
    pub(in crate::queue) store: Store,
    /// The queue's store, which is the same unless the stream is in memory.
    pub(in crate::queue) durable: Store,
    pub(in crate::queue) clock: Rc<dyn Clock>,
    pub(in crate::queue) broker: Broker,
    pub(in crate::queue) interest: Rc<dyn Interest>,
    pub(in crate::queue) id: u64,
    pub(in crate::queue) name: Rc<str>,
    pub(in crate::queue) created: u64,
    pub(in crate::queue) config: RefCell<Rc<StreamConfig>>,
    /// How subjects are transformed before messages are stored, and republished afterwards.
    pub(super) transform: RefCell<Option<Transform>>,
    pub(super) republish: RefCell<Option<Transform>>,
    pub(in crate::queue) next_consumer: Cell<u64>,
    pub(in crate::queue) counts: RefCell<Counts>,
    pub(super) ids: RefCell<MessageIds>,
    pub(super) subjects: RefCell<Subjects>,
    /// How many subjects there were when the stream's counts were these.
    pub(super) subject_count: Cell<((u64, u64, u64), u64)>,
    /// Purges that are durable and not carried out yet.
    pub(super) purges: RefCell<BTreeMap<u64, PurgeRow>>,
    /// Purges of which only the rows are left to delete.
    pub(super) garbage: RefCell<BTreeMap<u64, PurgeRow>>,
    pub(super) next_purge: Cell<u64>,
    pub(super) damage: RefCell<Damage>,
    pub(super) inbox: RefCell<Inbox>,
    pub(super) atomic: RefCell<AtomicBatches>,
    pub(super) fast: RefCell<FastBatches>,
    /// When the next message expires or the next timer is due; [`u64::MAX`] is never, 0 is not known
    /// yet.
    pub(in crate::queue) next_expiry: Cell<u64>,
    /// Whether what is expired or due is being dealt with.
    pub(super) expiring: Cell<bool>,
    /// Rings when a publish or a removal has become durable or failed.
    pub(in crate::queue) settled: Notify,
    /// Rings when there may be messages that have to go.
    pub(in crate::queue) check_limits: Notify,
    /// Held by whatever removes messages other than by acknowledgement, or changes consumers.
    pub(in crate::queue) admin: Mutex<()>,
    pub(in crate::queue) deleted: Cell<bool>,
    pub(in crate::queue) reserved: Cell<Reserved>,
}

/// What a stream works with.
pub(in crate::queue) struct Parts {
    pub(in crate::queue) store: Store,
    /// The queue's store, which is the same unless the stream is in memory.
    pub(in crate::queue) durable: Store,
    pub(in crate::queue) clock: Rc<dyn Clock>,
    pub(in crate::queue) broker: Broker,
}

/// The interest in a stream: its consumers, as far as the stream has to know of them and notify
/// them.
pub(in crate::queue) trait Interest {
    /// How many messages there have been for each consumer, by the consumer's id.
    fn matched(&self) -> BTreeMap<u64, u64>;

    /// Whether the stream has to keep messages of this subject for a consumer.
    fn has_interest(&self, stream: &Stream, subject: &str) -> bool;

    /// Whether a consumer that the stream keeps messages for has yet to be delivered this one or to
    /// acknowledge it.
    fn needs(&self, stream: &Stream, sequence: u64, subject: &str) -> bool;

    /// Counts a message that was published; -1 for one that was taken back.
    fn count(&self, sequence: u64, subject: &str, by: i64);

    /// Messages of these subjects have become visible.
    fn wake(&self, subjects: &[&str]);

    /// Anything may have become visible.
    fn wake_all(&self);

    /// After a purge of `filter`, when `first` is the first message and `first_left` the first of the
    /// filter that is left.
    fn skip(
        &self,
        stream: &Stream,
        batch: &mut Submission,
        filter: &str,
        first: u64,
        first_left: u64,
    );

    /// A message can't be read.
    fn lose(&self, stream: &Stream, batch: &mut Submission, sequence: u64, subject: &str);

    /// Begins to remove messages.
    fn removal(self: Rc<Self>) -> Box<dyn InterestRemoval>;

    /// Removes all messages.
    fn remove_all(
        self: Rc<Self>,
        stream: &Stream,
        batch: &mut Submission,
    ) -> Box<dyn InterestRemoval>;
}

/// What consumers lose to a removal in flight. Dropped before it is durable, it gives everything back.
pub(in crate::queue) trait InterestRemoval {
    /// One more message goes.
    fn add(&mut self, stream: &Stream, batch: &mut Submission, sequence: u64, subject: &str);

    /// The removal is durable; `advise` says whether what was not acknowledged is reported by advisories.
    fn durable(self: Box<Self>, stream: &Stream, advise: bool);
}

/// Whether a stream is the program's own.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::queue) enum Reserved {
    #[default]
    No,
    /// It is, and the program has not said yet which of its consumers are: all may be.
    Begun,
    Yes,
}

impl Stream {
    /// A stream that holds nothing yet.
    pub(in crate::queue) fn new(
        parts: Parts,
        interest: Rc<dyn Interest>,
        id: u64,
        created: u64,
        config: Rc<StreamConfig>,
    ) -> Self {
        let Parts { store, durable, clock, broker } = parts;
        let first = config.first_seq.max(1);
        let counts = Counts { first, last: first - 1, durable: first - 1, ..Counts::default() };
        let stream = Self {
            store,
            durable,
            clock,
            broker,
            interest,
            id,
            name: config.name.as_str().into(),
            created,
            config: RefCell::new(config.clone()),
            transform: RefCell::default(),
            republish: RefCell::default(),
            next_consumer: Cell::new(1),
            counts: RefCell::new(counts),
            ids: RefCell::default(),
            subjects: RefCell::default(),
            subject_count: Cell::default(),
            purges: RefCell::default(),
            garbage: RefCell::default(),
            next_purge: Cell::new(1),
            damage: RefCell::default(),
            inbox: RefCell::default(),
            atomic: RefCell::default(),
            fast: RefCell::default(),
            next_expiry: Cell::new(0),
            expiring: Cell::new(false),
            settled: Notify::default(),
            check_limits: Notify::default(),
            admin: Mutex::new(()),
            deleted: Cell::new(false),
            reserved: Cell::default(),
        };
        stream.set_config(config);
        stream
    }

    pub(in crate::queue) fn config(&self) -> Rc<StreamConfig> {
        self.config.borrow().clone()
    }

    /// Sets a configuration that was checked.
    pub(super) fn set_config(&self, config: Rc<StreamConfig>) {
        // The check has made both transforms, so that they can be made.
        *self.transform.borrow_mut() = (config.subject_transform.as_ref())
            .and_then(|transform| Transform::new(&transform.src, &transform.dest).ok());
        *self.republish.borrow_mut() = (config.republish.as_ref())
            .and_then(|republish| Transform::new(&republish.src, &republish.dest).ok());
        self.subjects.borrow_mut().forget_all();
        *self.config.borrow_mut() = config;
    }

    /// Whether its rows are in memory, and go with the queue.
    pub(in crate::queue) fn is_in_memory(&self) -> bool {
        self.config.borrow().storage == Storage::Memory
    }

    /// Whether it is the program's own, so that clients do not change it.
    pub(in crate::queue) fn is_reserved(&self) -> bool {
        self.reserved.get() != Reserved::No
    }

    /// A batch that changes the configuration of the stream or of one of its consumers. What the
    /// program can't do without may use the room that is kept in reserve.
    pub(in crate::queue) fn batch_of_configuration(&self) -> Batch {
        let mut batch = Batch::new();
        if self.reserved.get() == Reserved::Begun {
            batch.makes_room();
        }
        batch
    }

    /// Has the batch write the counts as they are in the end.
    pub(in crate::queue) fn write_counts(self: &Rc<Self>, batch: &mut Submission) {
        let (stream, key) = (self.clone(), row::stream_key(self.id));
        batch.write_last(Table::QueueStates, key.clone(), move |batch| {
            let counts = stream.counts.borrow();
            let row = StateRow {
                first: counts.first,
                last: counts.last,
                messages: counts.messages,
                bytes: counts.bytes,
                check_interest: counts.check_interest,
                matched: stream.interest.matched(),
                last_time: counts.last_time,
                lost: Cow::Borrowed(&counts.lost),
            };
            batch.put(Table::QueueStates, key, row.encode());
        });
    }

    /// Commits the counts as they are at the submission, and what `batch` has.
    pub(in crate::queue) async fn commit_counts(self: &Rc<Self>, batch: Batch) -> Result<()> {
        let write = |batch: &mut Submission| {
            self.write_counts(batch);
            Ok(())
        };
        self.store.commit_with(batch, write).await
    }

    /// Whether a message can be removed now that a consumer has acknowledged it.
    pub(in crate::queue) fn releases(&self, sequence: u64, subject: &str) -> bool {
        match self.config.borrow().retention {
            Retention::Limits => false,
            Retention::WorkQueue => true,
            Retention::Interest => !self.interest.needs(self, sequence, subject),
        }
    }

    /// Has messages removed that no consumer needs any longer, with interest retention.
    pub(in crate::queue) fn request_interest_check(&self) {
        if self.config.borrow().retention == Retention::Interest {
            self.counts.borrow_mut().request_interest_check();
            self.check_limits.notify();
        }
    }

    /// Deletes the rows of a message.
    pub(in crate::queue) fn delete_rows(&self, batch: &mut Batch, sequence: u64, subject: &str) {
        batch.delete(Table::QueueMessages, row::message_key(self.id, sequence));
        batch.delete(Table::QueueSubjects, row::index_key(self.id, subject, sequence));
        self.subjects.borrow_mut().remove(subject, sequence);
    }

    /// Forgets what is known of subjects: messages stay that were to be removed.
    pub(in crate::queue) fn look_up_again(&self) {
        self.subjects.borrow_mut().forget_all();
    }
}
