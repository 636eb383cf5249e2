//! A consumer in memory.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use futures::lock::Mutex;

use super::{
    ack_inbox::AckInbox, configuration::ConsumerRow, flow::Flow, pause::Pause, pinned::Group,
    progress::Progress, row, selected::Selected, state::State, waiting::Waiting,
};
use crate::{
    platform::Notify,
    queue::{config::ConsumerConfig, stream::Stream, time::Timestamp},
    store::{self, Batch, Commit, Submission, Table},
};

pub(in crate::queue) struct Inner {
    pub(super) id: u64,
    pub(in crate::queue) name: Rc<str>,
    pub(super) created: u64,
    pub(super) config: RefCell<Rc<ConsumerConfig>>,
    pub(super) state: RefCell<State>,
    /// The only messages that it starts with, when it starts with the last of each subject.
    pub(super) selected: RefCell<Selected>,
    /// Messages up to this one were counted when the consumer was made, those after it as they
    /// were published.
    pub(super) base: Cell<u64>,
    /// Rings when there may be something to deliver.
    pub(in crate::queue) wake: Notify,
    /// Held while messages are read for delivery.
    pub(super) turn: Mutex<()>,
    pub(super) deleted: Cell<bool>,
    /// Whether it is the program's own.
    pub(super) reserved: Cell<bool>,
    /// How many fetches wait.
    pub(super) fetching: Cell<usize>,
    /// Pull requests that wait.
    pub(super) waiting: RefCell<Waiting>,
    pub(super) group: RefCell<Group>,
    pub(super) flow: RefCell<Flow>,
    pub(super) acks: RefCell<AckInbox>,
    pub(super) progress: Progress,
    /// How many messages reached `max_deliver` since the queue was opened.
    pub(super) set_aside: Cell<u64>,
    /// Whether the task that delivers runs.
    pub(super) delivering: Cell<bool>,
    /// Whether an advisory is due at the end of a pause.
    pub(super) paused: Cell<bool>,
    /// When it was used last.
    pub(super) active_at: Cell<u64>,
}

/// Rows of pending messages that are being written; when that fails, they have to be written again.
struct Writing {
    consumer: Rc<Inner>,
    chunks: Vec<u64>,
}

impl Drop for Writing {
    fn drop(&mut self) {
        self.consumer.state.borrow_mut().chunks.doubt(&self.chunks);
    }
}

impl Inner {
    pub(super) fn new(id: u64, row: &ConsumerRow, mut state: State, now: u64) -> Self {
        state.limit_deliveries(row.config.max_deliveries());
        Self {
            id,
            // The name is the durable one, if it is stored without another.
            name: match row.config.name.as_str() {
                "" => row.config.durable_name.as_str().into(),
                name => name.into(),
            },
            created: row.created,
            config: RefCell::new(Rc::new(row.config.clone())),
            state: RefCell::new(state),
            selected: RefCell::new(row.selected.clone()),
            base: Cell::new(0),
            wake: Notify::default(),
            turn: Mutex::new(()),
            deleted: Cell::new(false),
            reserved: Cell::new(false),
            fetching: Cell::new(0),
            waiting: RefCell::default(),
            group: RefCell::default(),
            flow: RefCell::default(),
            acks: RefCell::default(),
            progress: Progress::default(),
            set_aside: Cell::new(0),
            delivering: Cell::new(false),
            paused: Cell::new(row.config.paused_until() > now),
            active_at: Cell::new(now),
        }
    }

    pub(super) fn config(&self) -> Rc<ConsumerConfig> {
        self.config.borrow().clone()
    }

    pub(super) fn set_config(&self, config: Rc<ConsumerConfig>) {
        self.state.borrow_mut().limit_deliveries(config.max_deliveries());
        *self.config.borrow_mut() = config;
    }

    /// Whether messages of this subject are for it.
    pub(super) fn takes(&self, subject: &str) -> bool {
        self.config.borrow().takes(subject)
    }

    /// Whether it counts a message that is published with this number.
    pub(super) fn counts(&self, sequence: u64, subject: &str) -> bool {
        // It may start at a later message.
        sequence > self.base.get() && sequence >= self.state.borrow().cursor && self.takes(subject)
    }

    /// Whether the message is for it and was not delivered yet.
    pub(super) fn awaits(&self, sequence: u64, subject: &str) -> bool {
        sequence >= self.state.borrow().cursor
            && self.selected.borrow().has(sequence)
            && self.takes(subject)
    }

    /// Whether the message has still to be delivered or to be acknowledged.
    pub(super) fn needs(&self, sequence: u64, subject: &str) -> bool {
        self.state.borrow().pending.contains_key(&sequence) || self.awaits(sequence, subject)
    }

    /// How many more messages may be delivered before some are acknowledged.
    pub(super) fn capacity(&self) -> usize {
        let config = self.config.borrow();
        if !config.acknowledges() || config.max_ack_pending <= 0 {
            return usize::MAX;
        }
        let pending = self.state.borrow().pending.len();
        usize::try_from(config.max_ack_pending).unwrap_or(usize::MAX).saturating_sub(pending)
    }

    pub(super) fn pause(&self, now: u64) -> Pause {
        let pause_until = self.config.borrow().pause_until;
        let left =
            |until: Timestamp| until.nanos().saturating_sub(Timestamp::from_millis(now).nanos());
        let pause_remaining = pause_until.map_or(0, left);
        Pause { paused: pause_remaining > 0, pause_until, pause_remaining }
    }

    /// Whether there is a subscription to the subject that it pushes to, in its `deliver_group` if
    /// it has one. As in nats-server, a subscription to a pattern does not count.
    pub(super) fn is_bound(&self, stream: &Stream) -> bool {
        let config = self.config.borrow();
        let group = config.deliver_group.as_deref();
        config.deliver_subject.as_ref().is_some_and(|to| stream.broker.has_member(to, group))
    }

    /// How many pull requests wait, without those of clients that have left.
    pub(super) fn num_waiting(&self, stream: &Stream) -> usize {
        let waiting = self.waiting.borrow();
        waiting.requests.iter().filter(|request| stream.broker.has_interest(&request.reply)).count()
    }

    /// Has the batch write the state of the consumer as it is in the end.
    pub(super) fn write(self: &Rc<Self>, stream: &Stream, batch: &mut Submission) {
        if self.deleted.get() || self.is_in_memory(stream) {
            return;
        }
        let (consumer, stream) = (self.clone(), stream.id);
        let key = row::consumer_key(stream, self.id);
        batch.write_last(Table::QueueConsumerStates, key.clone(), move |batch| {
            consumer.write_chunks(stream, batch);
            batch.put(Table::QueueConsumerStates, key, consumer.state.borrow().encode());
        });
    }

    /// Submits its state with what `batch` has.
    pub(super) fn submit_state(
        self: &Rc<Self>,
        stream: &Stream,
        batch: Batch,
    ) -> store::Result<Commit> {
        let write = |batch: &mut Submission| {
            self.write(stream, batch);
            Ok(())
        };
        stream.store.submit_with(batch, write).map(|((), commit)| commit)
    }

    /// Whether it goes with the queue although its stream stays.
    pub(super) fn is_in_memory(&self, stream: &Stream) -> bool {
        self.config.borrow().mem_storage && !stream.is_in_memory()
    }

    /// Writes what has changed of the rows of pending messages.
    fn write_chunks(self: &Rc<Self>, stream: u64, batch: &mut Batch) {
        let mut state = self.state.borrow_mut();
        let State { chunks, pending, .. } = &mut *state;
        let rows = chunks.take(pending);
        if rows.is_empty() {
            return;
        }
        let mut writing = Writing { consumer: self.clone(), chunks: Vec::new() };
        for (chunk, row) in rows {
            writing.chunks.push(chunk);
            let key = chunks.key(stream, self.id, chunk);
            match row {
                Some(row) => batch.put(Table::QueueConsumerStates, key, row),
                None => batch.delete(Table::QueueConsumerStates, key),
            }
        }
        batch.on_durable(move || {
            let mut writing = writing;
            writing.chunks.clear();
        });
    }
}
