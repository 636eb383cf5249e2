//! A consumer in memory: where it is, and what it was delivered and has not acknowledged.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use futures::lock::Mutex;

use super::{
    config::{AckPolicy, ConsumerConfig},
    notify::Notify,
    row::{self, DeliveriesRow},
    stream::Stream,
};
use crate::store::{Batch, Table};

pub(super) struct Inner {
    pub(super) id: u64,
    pub(super) created: u64,
    pub(super) config: RefCell<Rc<ConsumerConfig>>,
    pub(super) deliveries: RefCell<Deliveries>,
    /// Messages up to this one were counted when the consumer was made, those after it as they
    /// were published.
    pub(super) base: Cell<u64>,
    /// Rings when there may be something to deliver.
    pub(super) wake: Notify,
    /// Held while messages are read for delivery.
    pub(super) turn: Mutex<()>,
    pub(super) deleted: Cell<bool>,
}

/// Where a consumer is.
#[derive(Default)]
pub(super) struct Deliveries {
    /// The sequence number to look at next.
    pub(super) cursor: u64,
    /// How many messages have been for it, and how many of these it was delivered.
    pub(super) matched: u64,
    pub(super) taken: u64,
    /// How many deliveries there were, and the highest sequence number delivered.
    pub(super) consumer_sequence: u64,
    pub(super) stream_sequence: u64,
    pub(super) pending: BTreeMap<u64, Pending>,
    /// Acknowledged by batches that are not durable yet.
    pub(super) acking: BTreeMap<u64, Pending>,
    /// When each of `pending` is delivered again, except those that are held.
    deadlines: BTreeSet<(u64, u64)>,
}

/// A message that was delivered and not acknowledged.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    pub(super) deliveries: u64,
    pub(super) consumer_sequence: u64,
    pub(super) deadline: u64,
    /// Whether the deadline was asked for and outlasts a restart.
    pub(super) delayed: bool,
    /// Acknowledged in a batch that is not submitted yet.
    pub(super) held: bool,
    /// Subject and size, when it was delivered since the queue was opened.
    pub(super) about: Option<(Rc<str>, u64)>,
}

impl Deliveries {
    pub(super) fn insert(&mut self, sequence: u64, pending: Pending) {
        if !pending.held {
            self.deadlines.insert((pending.deadline, sequence));
        }
        self.pending.insert(sequence, pending);
    }

    pub(super) fn remove(&mut self, sequence: u64) -> Option<Pending> {
        let pending = self.pending.remove(&sequence)?;
        self.deadlines.remove(&(pending.deadline, sequence));
        Some(pending)
    }

    /// Changes the entry of a message that is pending.
    pub(super) fn change(&mut self, sequence: u64, change: impl FnOnce(&mut Pending)) -> bool {
        let Some(mut pending) = self.remove(sequence) else { return false };
        change(&mut pending);
        self.insert(sequence, pending);
        true
    }

    /// At most `limit` messages that are to be delivered again by now, lowest sequence number
    /// first among equals.
    pub(super) fn due(&self, now: u64, limit: usize) -> Vec<u64> {
        self.deadlines
            .iter()
            .take_while(|(deadline, _)| *deadline <= now)
            .take(limit)
            .map(|(_, sequence)| *sequence)
            .collect()
    }

    /// When the next message is to be delivered again.
    pub(super) fn next_due(&self) -> Option<u64> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// Consumer and stream sequence number up to which everything is acknowledged.
    pub(super) fn ack_floor(&self) -> (u64, u64) {
        match self.pending.first_key_value() {
            Some((sequence, pending)) => (pending.consumer_sequence - 1, sequence - 1),
            None => (self.consumer_sequence, self.stream_sequence),
        }
    }

    pub(super) fn num_pending(&self) -> u64 {
        self.matched.saturating_sub(self.taken)
    }

    fn row(&self) -> DeliveriesRow {
        let pending = self.pending.iter().map(|(sequence, pending)| {
            let delayed = pending.delayed.then_some(pending.deadline);
            (*sequence, (pending.deliveries, pending.consumer_sequence, delayed))
        });
        DeliveriesRow {
            cursor: self.cursor,
            taken: self.taken,
            consumer_sequence: self.consumer_sequence,
            stream_sequence: self.stream_sequence,
            pending: pending.collect(),
        }
    }
}

impl Inner {
    /// A consumer that starts at `cursor`.
    pub(super) fn new(id: u64, created: u64, config: ConsumerConfig, cursor: u64) -> Self {
        let deliveries = Deliveries {
            cursor,
            stream_sequence: cursor.saturating_sub(1),
            ..Deliveries::default()
        };
        Self::with(id, created, config, deliveries)
    }

    /// A consumer that goes on where a row says. Whoever was delivered what is pending is gone with
    /// the queue that delivered it, so it is due now, unless it was put off.
    pub(super) fn restored(
        id: u64,
        created: u64,
        config: ConsumerConfig,
        row: DeliveriesRow,
        matched: u64,
    ) -> Self {
        let mut deliveries = Deliveries {
            cursor: row.cursor,
            matched,
            taken: row.taken,
            consumer_sequence: row.consumer_sequence,
            stream_sequence: row.stream_sequence,
            ..Deliveries::default()
        };
        for (sequence, (times, consumer_sequence, delayed)) in row.pending {
            deliveries.insert(
                sequence,
                Pending {
                    deliveries: times,
                    consumer_sequence,
                    deadline: delayed.unwrap_or(0),
                    delayed: delayed.is_some(),
                    held: false,
                    about: None,
                },
            );
        }
        Self::with(id, created, config, deliveries)
    }

    fn with(id: u64, created: u64, config: ConsumerConfig, deliveries: Deliveries) -> Self {
        Self {
            id,
            created,
            config: RefCell::new(Rc::new(config)),
            deliveries: RefCell::new(deliveries),
            base: Cell::new(0),
            wake: Notify::default(),
            turn: Mutex::new(()),
            deleted: Cell::new(false),
        }
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
        sequence > self.base.get() && self.takes(subject)
    }

    /// Whether it has still to be delivered the message or to acknowledge it.
    pub(super) fn needs(&self, sequence: u64, subject: &str) -> bool {
        let deliveries = self.deliveries.borrow();
        (sequence >= deliveries.cursor || deliveries.pending.contains_key(&sequence))
            && self.takes(subject)
    }

    /// Whether acknowledgements are waited for.
    pub(super) fn acknowledges(&self) -> bool {
        self.config.borrow().ack_policy != AckPolicy::None
    }

    /// How many more messages may be delivered before some are acknowledged.
    pub(super) fn capacity(&self) -> usize {
        let config = self.config.borrow();
        if config.ack_policy == AckPolicy::None || config.max_ack_pending < 0 {
            return usize::MAX;
        }
        let pending = self.deliveries.borrow().pending.len();
        usize::try_from(config.max_ack_pending).unwrap_or(usize::MAX).saturating_sub(pending)
    }

    /// Has the batch write where the consumer is when it is submitted.
    pub(super) fn write(self: &Rc<Self>, stream: &Stream, batch: &mut Batch) {
        if self.deleted.get() {
            return;
        }
        let consumer = self.clone();
        let key = row::consumer_key(stream.id, self.id);
        batch.put_at_submit(Table::QueueConsumerStates, key, move || {
            consumer.deliveries.borrow().row().encode()
        });
    }
}
