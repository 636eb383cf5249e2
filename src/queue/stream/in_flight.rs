//! Publishes in flight: what they do to their stream when their batch is submitted, when it is durable,
//! and when it fails.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use super::{
    base::{Stage, Stream},
    purge_row::PurgeRow,
    removal::Removal,
};
use crate::{queue::broker::CoreMessage, store::Batch};

impl Stream {
    /// Adds a publish to its batch.
    pub(super) fn put_in_flight(self: &Rc<Self>, batch: &mut Batch, publish: Publish) {
        self.publishes(batch).all.borrow_mut().push(publish);
    }

    /// The publishes of a batch.
    fn publishes(self: &Rc<Self>, batch: &mut Batch) -> Rc<Publishes> {
        if let Some(publishes) = batch.part(|part: &Publishes| Rc::ptr_eq(&part.stream, self)) {
            return publishes;
        }
        let publishes = Rc::new(Publishes {
            stream: self.clone(),
            all: RefCell::default(),
            removals: RefCell::default(),
            stage: Cell::new(Stage::Prepared),
        });
        batch.add_part(publishes.clone());
        let part = publishes.clone();
        batch.on_submit(move |batch| part.submit(batch));
        publishes
    }
}

/// The publishes of one batch in flight; they take themselves back when it fails or is dropped.
struct Publishes {
    stream: Rc<Stream>,
    all: RefCell<Vec<Publish>>,
    removals: RefCell<Option<Removal>>,
    stage: Cell<Stage>,
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
    fn submit(self: Rc<Self>, batch: &mut Batch) {
        self.stage.set(Stage::Submitted);
        let stream = &self.stream;
        let mut removal = Removal::new(stream);
        for publish in &*self.all.borrow() {
            if !publish.stored {
                continue;
            }
            self.unprepare(publish);
            {
                let mut counts = stream.counts.borrow_mut();
                counts.add(publish.sequence, publish.size);
                counts.last_time = counts.last_time.max(publish.time);
            }
            stream.interest.count(publish.sequence, &publish.subject, 1);
            for (sequence, size) in &publish.evicted {
                removal.add(batch, *sequence, &publish.subject, *size);
            }
        }
        stream.write_counts(batch);
        *self.removals.borrow_mut() = removal.into_some();
        batch.on_durable(move || self.durable());
    }

    fn durable(&self) {
        self.stage.set(Stage::Durable);
        let stream = &self.stream;
        if let Some(removal) = self.removals.take() {
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

    fn unprepare(&self, publish: &Publish) {
        let prepared = &mut self.stream.counts.borrow_mut().prepared;
        prepared.0 -= 1;
        prepared.1 -= publish.size;
    }
}

impl Drop for Publishes {
    fn drop(&mut self) {
        let (stage, stream) = (self.stage.get(), self.stream.clone());
        if stage == Stage::Durable {
            return;
        }
        // Gives back what was removed.
        drop(self.removals.take());
        for publish in self.all.take().into_iter().rev() {
            match stage {
                Stage::Prepared if publish.stored => self.unprepare(&publish),
                Stage::Submitted if publish.stored => {
                    stream.counts.borrow_mut().subtract(publish.sequence, publish.size);
                    stream.interest.count(publish.sequence, &publish.subject, -1);
                }
                _ => {}
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
