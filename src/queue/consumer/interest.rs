//! The consumers of a stream, as its interest.
//!
//! Consumers of clients on a stream that is the program's own are onlookers: nothing is kept for them.
//! A message goes once the program's consumers have acknowledged it.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
};

use futures::lock::Mutex;

use super::{advisory, inner::Inner, pending::Pending};
use crate::{
    queue::{
        stream::{Interest, InterestRemoval, Reserved, Stream},
        subject,
    },
    store::Submission,
};

/// The consumers of a stream.
#[derive(Default)]
pub(in crate::queue) struct ConsumerSet {
    pub(super) by_name: RefCell<BTreeMap<String, Rc<Inner>>>,
    /// Consumers whose configuration can't be read, and why, by name or else by id. Their rows are not
    /// touched.
    pub(super) offline: RefCell<BTreeMap<String, String>>,
    /// Up to here an interest stream keeps everything, since an offline consumer may need it.
    pub(super) kept_to: Cell<u64>,
    /// Held while a message is worked on that may have ended the worker before.
    pub(super) suspects: Mutex<()>,
}

impl ConsumerSet {
    /// Whether a consumer is a client's while the stream is the program's own.
    pub(super) fn is_onlooker(stream: &Stream, consumer: &Inner) -> bool {
        stream.reserved.get() == Reserved::Yes && !consumer.reserved.get()
    }

    /// Whether there are consumers that messages are not kept for.
    pub(super) fn has_onlookers(&self, stream: &Stream) -> bool {
        stream.reserved.get() == Reserved::Yes
            && self.by_name.borrow().values().any(|consumer| Self::is_onlooker(stream, consumer))
    }

    /// Whether messages are kept for a consumer of which `is_for_it` is true.
    fn keeps_for(&self, stream: &Stream, is_for_it: impl Fn(&Inner) -> bool) -> bool {
        let consumers = self.by_name.borrow();
        consumers.values().any(|one| !Self::is_onlooker(stream, one) && is_for_it(one))
    }
}

impl Interest for ConsumerSet {
    fn matched(&self) -> BTreeMap<u64, u64> {
        let consumers = self.by_name.borrow();
        let matched = consumers.values().map(|one| (one.id, one.state.borrow().matched));
        matched.collect()
    }

    fn has_interest(&self, stream: &Stream, subject: &str) -> bool {
        self.keeps_for(stream, |consumer| consumer.takes(subject))
    }

    fn needs(&self, stream: &Stream, sequence: u64, subject: &str) -> bool {
        sequence <= self.kept_to.get()
            || self.keeps_for(stream, |consumer| consumer.needs(sequence, subject))
    }

    fn count(&self, sequence: u64, subject: &str, by: i64) {
        for consumer in self.by_name.borrow().values() {
            if consumer.counts(sequence, subject) {
                let matched = &mut consumer.state.borrow_mut().matched;
                *matched = matched.saturating_add_signed(by);
            }
        }
    }

    fn wake(&self, subjects: &[&str]) {
        for consumer in self.by_name.borrow().values() {
            if subjects.iter().any(|subject| consumer.takes(subject)) {
                consumer.wake.notify();
            }
        }
    }

    fn wake_all(&self) {
        for consumer in self.by_name.borrow().values() {
            consumer.wake.notify();
        }
    }

    fn skip(
        &self,
        stream: &Stream,
        batch: &mut Submission,
        filter: &str,
        first: u64,
        first_left: u64,
    ) {
        for consumer in self.by_name.borrow().values() {
            let config = consumer.config();
            let of =
                |is: fn(&str, &str) -> bool| config.filters().iter().any(|own| is(own, filter));
            let start = if filter == ">" || of(subject::is_subset) {
                first_left
            } else if config.filters().is_empty() || of(subject::overlap) {
                first
            } else {
                continue;
            };
            consumer.state.borrow_mut().skip_to(start);
            consumer.write(stream, batch);
        }
    }

    fn lose(&self, stream: &Stream, batch: &mut Submission, sequence: u64, subject: &str) {
        for consumer in self.by_name.borrow().values() {
            let pending = consumer.state.borrow_mut().remove(sequence);
            if pending.is_some() {
                consumer.write(stream, batch);
            } else if consumer.awaits(sequence, subject) {
                let mut state = consumer.state.borrow_mut();
                state.matched = state.matched.saturating_sub(1);
            }
        }
    }

    fn removal(self: Rc<Self>) -> Box<dyn InterestRemoval> {
        Box::new(Removal { consumers: self, lost: Vec::new(), durable: false })
    }

    fn remove_all(
        self: Rc<Self>,
        stream: &Stream,
        batch: &mut Submission,
    ) -> Box<dyn InterestRemoval> {
        let take = |consumer: &Rc<Inner>| {
            let mut state = consumer.state.borrow_mut();
            let undelivered = state.num_pending();
            state.matched -= undelivered;
            let sequences: Vec<_> = state.pending.keys().copied().collect();
            let pending = sequences.into_iter();
            let pending = pending.filter_map(|of| state.remove(of).map(|pending| (of, pending)));
            let pending = pending.collect();
            drop(state);
            consumer.write(stream, batch);
            Lost { consumer: consumer.clone(), undelivered, pending }
        };
        let lost = self.by_name.borrow().values().map(take).collect();
        Box::new(Removal { consumers: self, lost, durable: false })
    }
}

/// What consumers lose to a removal in flight.
struct Removal {
    consumers: Rc<ConsumerSet>,
    lost: Vec<Lost>,
    durable: bool,
}

/// What one of the consumers loses.
struct Lost {
    consumer: Rc<Inner>,
    /// How many messages that were not delivered yet.
    undelivered: u64,
    /// Messages that were delivered and not acknowledged.
    pending: BTreeMap<u64, Pending>,
}

impl Removal {
    fn of(&mut self, consumer: &Rc<Inner>) -> &mut Lost {
        let place = self.lost.iter().position(|lost| Rc::ptr_eq(&lost.consumer, consumer));
        let place = place.unwrap_or_else(|| {
            let consumer = consumer.clone();
            self.lost.push(Lost { consumer, undelivered: 0, pending: BTreeMap::new() });
            self.lost.len() - 1
        });
        &mut self.lost[place]
    }
}

impl InterestRemoval for Removal {
    fn add(&mut self, stream: &Stream, batch: &mut Submission, sequence: u64, subject: &str) {
        let consumers = self.consumers.clone();
        for consumer in consumers.by_name.borrow().values() {
            let pending = consumer.state.borrow_mut().remove(sequence);
            if let Some(pending) = pending {
                consumer.write(stream, batch);
                self.of(consumer).pending.insert(sequence, pending);
            } else if consumer.awaits(sequence, subject) {
                let mut state = consumer.state.borrow_mut();
                state.matched = state.matched.saturating_sub(1);
                self.of(consumer).undelivered += 1;
            }
        }
    }

    fn durable(mut self: Box<Self>, stream: &Stream, advise: bool) {
        self.durable = true;
        for Lost { consumer, pending, .. } in self.lost.iter().filter(|_| advise) {
            for (sequence, pending) in pending {
                let delivery = (pending.consumer_sequence, pending.deliveries);
                let reason = "Unacknowledged message was deleted";
                advisory::terminated(stream, consumer, *sequence, delivery, reason);
            }
        }
    }
}

impl Drop for Removal {
    fn drop(&mut self) {
        if self.durable {
            return;
        }
        for Lost { consumer, undelivered, pending } in &mut self.lost {
            let mut state = consumer.state.borrow_mut();
            state.matched += *undelivered;
            for (sequence, mut pending) in std::mem::take(pending) {
                pending.held = false;
                state.insert(sequence, pending);
            }
        }
    }
}
