//! Consumers: what each was delivered and has acknowledged, and how it gets its messages.
//!
//! Messages are taken in the order of the stream, what is due again first ([`take`]). They are taken
//! by whoever calls [`Consumer::fetch`], by pull requests, or by a subscription that they are pushed
//! to ([`pump`]).

mod ack;
mod acks;
mod advisory;
mod chunks;
mod deal;
mod deliveries;
mod fetch;
mod groups;
mod info;
mod manage;
mod message;
mod pull;
mod pump;
mod push;
mod request;
pub(super) mod row;
mod start;
mod steer;
mod take;
mod work;

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use futures::lock::Mutex;

use self::{
    acks::AckInbox, groups::Group, pull::Waiting, push::Flow, start::Selected, work::Progress,
};
pub(super) use self::{
    deliveries::{Deliveries, Pending},
    manage::{Action, ConsumerRow},
    request::{AckSubject, PullRequest},
};
pub use self::{
    fetch::Consumer,
    info::{ConsumerInfo, PriorityGroupState, SequenceInfo},
    message::Message,
    steer::Pause,
    work::work,
};
use super::{config::ConsumerConfig, notify::Notify, stream::Stream};
use crate::store::{Batch, Table};

pub(super) struct Inner {
    pub(super) id: u64,
    pub(super) name: Rc<str>,
    pub(super) created: u64,
    pub(super) config: RefCell<Rc<ConsumerConfig>>,
    pub(super) deliveries: RefCell<Deliveries>,
    /// The only messages that it starts with, when it starts with the last of each subject.
    selected: RefCell<Selected>,
    /// Messages up to this one were counted when the consumer was made, those after it as they
    /// were published.
    pub(super) base: Cell<u64>,
    /// Rings when there may be something to deliver.
    pub(super) wake: Notify,
    /// Held while messages are read for delivery.
    turn: Mutex<()>,
    pub(super) deleted: Cell<bool>,
    /// Whether it is the program's own.
    pub(super) reserved: Cell<bool>,
    /// How many fetches wait.
    fetching: Cell<usize>,
    /// Pull requests that wait.
    waiting: RefCell<Waiting>,
    group: RefCell<Group>,
    flow: RefCell<Flow>,
    acks: RefCell<AckInbox>,
    progress: Progress,
    /// How many messages it gave up since the queue was opened.
    set_aside: Cell<u64>,
    /// Whether a task delivers.
    pumping: Cell<bool>,
    /// Whether it has to be told that a pause is over.
    paused: Cell<bool>,
    /// When there was interest last.
    active_at: Cell<u64>,
}

impl Inner {
    fn new(id: u64, row: &ConsumerRow, deliveries: Deliveries, now: u64) -> Self {
        Self {
            id,
            // The name is the durable one, if it is stored without another.
            name: match row.config.name.as_str() {
                "" => row.config.durable_name.as_str().into(),
                name => name.into(),
            },
            created: row.created,
            config: RefCell::new(Rc::new(row.config.clone())),
            deliveries: RefCell::new(deliveries),
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
            pumping: Cell::new(false),
            paused: Cell::new(row.config.paused_until() > now),
            active_at: Cell::new(now),
        }
    }

    /// The consumer of a row. Without a state that can be read it begins anew at `first`: rather
    /// everything once more than something never.
    pub(super) fn restored(
        id: u64,
        row: &ConsumerRow,
        state: Option<row::DeliveriesRow>,
        matched: Option<u64>,
        (first, now): (u64, u64),
    ) -> Self {
        let deliveries = match state {
            Some(state) => {
                let matched = matched.unwrap_or(state.taken);
                Deliveries::restored(state, matched)
            }
            None => Deliveries::starting(first),
        };
        Self::new(id, row, deliveries, now)
    }

    pub(super) fn config(&self) -> Rc<ConsumerConfig> {
        self.config.borrow().clone()
    }

    /// Whether messages of this subject are for it.
    pub(super) fn takes(&self, subject: &str) -> bool {
        self.config.borrow().takes(subject)
    }

    /// Whether a publish of that number counts as one more for it.
    pub(super) fn counts(&self, sequence: u64, subject: &str) -> bool {
        // It may start at what comes later.
        sequence > self.base.get()
            && sequence >= self.deliveries.borrow().cursor
            && self.takes(subject)
    }

    /// Whether the message is for it and was not delivered yet.
    pub(super) fn awaits(&self, sequence: u64, subject: &str) -> bool {
        sequence >= self.deliveries.borrow().cursor
            && self.selected.borrow().has(sequence)
            && self.takes(subject)
    }

    /// Whether it has still to be delivered the message or to acknowledge it.
    pub(super) fn needs(&self, sequence: u64, subject: &str) -> bool {
        self.deliveries.borrow().pending.contains_key(&sequence) || self.awaits(sequence, subject)
    }

    /// How many more messages may be delivered before some are acknowledged.
    fn capacity(&self) -> usize {
        let config = self.config.borrow();
        if !config.acknowledges() || config.max_ack_pending <= 0 {
            return usize::MAX;
        }
        let pending = self.deliveries.borrow().pending.len();
        usize::try_from(config.max_ack_pending).unwrap_or(usize::MAX).saturating_sub(pending)
    }

    /// Has the batch write where the consumer is when it is submitted.
    pub(super) fn write(self: &Rc<Self>, stream: &Stream, batch: &mut Batch) {
        if self.deleted.get() || self.is_in_memory(stream) {
            return;
        }
        let (consumer, id) = (self.clone(), stream.id);
        batch.on_submit(move |batch| consumer.write_chunks(id, batch));
        let consumer = self.clone();
        let key = row::consumer_key(stream.id, self.id);
        batch.put_at_submit(Table::QueueConsumerStates, key, move || {
            consumer.deliveries.borrow().encode()
        });
    }

    /// Whether it goes with the queue although its stream stays.
    fn is_in_memory(&self, stream: &Stream) -> bool {
        self.config.borrow().mem_storage && !stream.is_in_memory()
    }
}
