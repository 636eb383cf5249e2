//! Removing messages for all consumers, with a batch.

use std::rc::Rc;

use super::{
    base::{InterestRemoval, Stream},
    stored::{Stored, StoredRow},
};
use crate::{
    queue::error::Result,
    store::{Batch, Submission},
};

/// A removal in flight; takes itself back when its batch fails.
pub(in crate::queue) struct Removal {
    stream: Rc<Stream>,
    removed: Vec<Removed>,
    /// What the consumers lose by it.
    interest: Option<Box<dyn InterestRemoval>>,
    is_durable: bool,
    /// Whether there are advisories of messages that were not acknowledged. After a purge there are
    /// none.
    advise: bool,
}

/// A message that goes.
pub(super) struct Removed {
    pub(super) sequence: u64,
    pub(super) subject: Rc<str>,
    pub(super) size: u64,
}

impl Removed {
    /// The message of a row.
    pub(super) fn of(row: &StoredRow) -> Self {
        let subject = row.message.as_ref().map_or("", Stored::subject);
        Self { sequence: row.sequence, subject: subject.into(), size: row.size() }
    }
}

impl Stream {
    /// Removes these messages; returns how many were still there.
    pub(super) async fn remove(self: &Rc<Self>, rows: &[StoredRow]) -> Result<u64> {
        let going = rows.iter().map(Removed::of).collect();
        self.commit_removal(Removal::new(self), going).await
    }

    /// Commits the removal of messages; returns how many of them went.
    pub(super) async fn commit_removal(
        self: &Rc<Self>,
        mut removal: Removal,
        going: Vec<Removed>,
    ) -> Result<u64> {
        if going.is_empty() {
            return Ok(0);
        }
        let remove = |batch: &mut Submission| {
            for Removed { sequence, subject, size } in going {
                removal.add(batch, sequence, subject, size);
            }
            let count = removal.removed.len() as u64;
            if let Some(removal) = removal.into_some() {
                batch.makes_room();
                self.write_counts(batch);
                batch.on_durable(move || removal.durable());
            }
            Ok(count)
        };
        self.store.commit_with(Batch::new(), remove).await
    }
}

impl Removal {
    pub(in crate::queue) fn new(stream: &Rc<Stream>) -> Self {
        Self {
            stream: stream.clone(),
            removed: Vec::new(),
            interest: None,
            is_durable: false,
            advise: true,
        }
    }

    pub(super) fn of_purge(stream: &Rc<Stream>) -> Self {
        let mut removal = Self::new(stream);
        removal.advise = false;
        removal
    }

    /// Nothing, when nothing was removed.
    pub(in crate::queue) fn into_some(self) -> Option<Self> {
        (!self.removed.is_empty()).then_some(self)
    }

    pub(in crate::queue) fn add(
        &mut self,
        batch: &mut Submission,
        sequence: u64,
        subject: Rc<str>,
        size: u64,
    ) {
        let stream = &self.stream;
        {
            let mut counts = stream.counts.borrow_mut();
            if !counts.removing.insert(sequence) {
                return;
            }
            // A lost message was subtracted when it was found to be lost.
            if !counts.lost.remove(&sequence) {
                counts.subtract(sequence, size);
            }
        }
        stream.delete_rows(batch, sequence, &subject);
        let interest = self.interest.get_or_insert_with(|| stream.interest.clone().removal());
        interest.add(stream, batch, sequence, &subject);
        self.removed.push(Removed { sequence, subject, size });
    }

    pub(in crate::queue) fn durable(mut self) {
        self.is_durable = true;
        let mut counts = self.stream.counts.borrow_mut();
        counts.removals += 1;
        for Removed { sequence, .. } in &self.removed {
            counts.removing.remove(sequence);
        }
        drop(counts);
        if let Some(interest) = self.interest.take() {
            interest.durable(&self.stream, self.advise);
        }
        self.stream.settled.notify();
        self.stream.interest.wake_all();
    }
}

impl Drop for Removal {
    fn drop(&mut self) {
        if self.is_durable || self.removed.is_empty() {
            return;
        }
        let mut counts = self.stream.counts.borrow_mut();
        for Removed { sequence, subject, size } in &self.removed {
            counts.removing.remove(sequence);
            counts.add(*sequence, *size);
            self.stream.subjects.borrow_mut().restore(subject, *sequence, *size);
        }
        drop(counts);
        // The consumers get back what they lost.
        drop(self.interest.take());
        self.stream.settled.notify();
        self.stream.interest.wake_all();
    }
}
