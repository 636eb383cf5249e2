//! Publishes in flight: what they do to their stream at the submission of their batch, when it is
//! durable, and when it fails.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use super::{base::Stream, purge_row::PurgeRow, removal::Removal};
use crate::{queue::broker::CoreMessage, store::Submission};

impl Stream {
    /// Counts a publish, which is part of the batch.
    pub(super) fn put_in_flight(self: &Rc<Self>, batch: &mut Submission, publish: Publish) {
        let publishes = self.publishes(batch);
        if publish.stored {
            {
                let mut counts = self.counts.borrow_mut();
                counts.add(publish.sequence, publish.size);
                counts.last_time = counts.last_time.max(publish.time);
            }
            self.interest.count(publish.sequence, &publish.subject, 1);
            if !publish.evicted.is_empty() {
                let mut removal = publishes.removal.borrow_mut();
                let removal = removal.get_or_insert_with(|| Removal::new(self));
                for (sequence, size) in &publish.evicted {
                    removal.add(batch, *sequence, publish.subject.clone(), *size);
                }
            }
        }
        publishes.all.borrow_mut().push(publish);
    }

    /// The publishes of a batch.
    fn publishes(self: &Rc<Self>, batch: &mut Submission) -> Rc<Publishes> {
        if let Some(publishes) = batch.part(|part: &Publishes| Rc::ptr_eq(&part.stream, self)) {
            return publishes;
        }
        let publishes = Rc::new(Publishes {
            stream: self.clone(),
            all: RefCell::default(),
            removal: RefCell::default(),
            last_time: self.counts.borrow().last_time,
            is_durable: Cell::new(false),
        });
        batch.add_part(publishes.clone());
        self.write_counts(batch);
        let part = publishes.clone();
        batch.on_durable(move || part.durable());
        publishes
    }
}

/// The publishes of one batch in flight; they take themselves back when it fails.
struct Publishes {
    stream: Rc<Stream>,
    all: RefCell<Vec<Publish>>,
    removal: RefCell<Option<Removal>>,
    /// When the last message before them was stored.
    last_time: u64,
    is_durable: Cell<bool>,
}

/// A publish in flight.
pub(super) struct Publish {
    pub(super) sequence: u64,
    pub(super) subject: Rc<str>,
    pub(super) size: u64,
    pub(super) time: u64,
    pub(super) stored: bool,
    pub(super) id: Option<Rc<str>>,
    /// The messages that it takes the place of: sequence number and size.
    pub(super) evicted: Vec<(u64, u64)>,
    pub(super) purges: Vec<(u64, PurgeRow)>,
    pub(super) republish: Option<Box<CoreMessage>>,
    /// When it expires or is due; [`u64::MAX`] is never.
    pub(super) timer: u64,
}

impl Publishes {
    fn durable(&self) {
        self.is_durable.set(true);
        let stream = &self.stream;
        if let Some(removal) = self.removal.take().and_then(Removal::into_some) {
            removal.durable();
        }
        let all = self.all.take();
        let mut purges = false;
        {
            let mut counts = stream.counts.borrow_mut();
            for publish in &all {
                counts.settle(publish.sequence, true);
            }
        }
        for publish in &all {
            // It was not visible to a search for the next expiry meanwhile.
            stream.next_expiry.set(stream.next_expiry.get().min(publish.timer));
            purges |= !publish.purges.is_empty();
            stream.purges.borrow_mut().extend(publish.purges.iter().cloned());
        }
        stream.settled.notify();
        // Messages that were published after these and became durable before them are visible now too.
        let newest = all.last().map_or(0, |publish| publish.sequence);
        if stream.counts.borrow().last == newest {
            let subjects: Vec<_> = all.iter().map(|publish| &*publish.subject).collect();
            stream.interest.wake(&subjects);
        } else {
            stream.interest.wake_all();
        }
        let timers = all.iter().any(|publish| publish.timer < u64::MAX);
        if purges || timers || stream.exceeds_limits() {
            stream.check_limits.notify();
        }
        for message in all.into_iter().filter_map(|publish| publish.republish) {
            stream.broker.publish(&message);
        }
    }
}

impl Drop for Publishes {
    fn drop(&mut self) {
        if self.is_durable.get() {
            return;
        }
        let stream = self.stream.clone();
        // Gives back what was removed.
        drop(self.removal.take());
        let all = self.all.take();
        let times = all.iter().filter(|publish| publish.stored).map(|publish| publish.time);
        if times.max() == Some(stream.counts.borrow().last_time) {
            stream.counts.borrow_mut().last_time = self.last_time;
        }
        for publish in all.into_iter().rev() {
            if publish.stored {
                stream.counts.borrow_mut().subtract(publish.sequence, publish.size);
                stream.interest.count(publish.sequence, &publish.subject, -1);
            }
            let mut subjects = stream.subjects.borrow_mut();
            subjects.take_back(&publish.subject, publish.sequence);
            for (sequence, size) in publish.evicted {
                subjects.restore(&publish.subject, sequence, size);
            }
            if !publish.purges.is_empty() {
                subjects.forget_all();
            }
            drop(subjects);
            if let Some(id) = &publish.id {
                stream.ids.borrow_mut().forget(id, publish.sequence);
            }
            stream.counts.borrow_mut().settle(publish.sequence, false);
        }
        stream.settled.notify();
        stream.interest.wake_all();
    }
}
