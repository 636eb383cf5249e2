//! Removing messages for all consumers, with a batch.

use std::rc::Rc;

use super::{
    base::{InterestRemoval, Stage, Stream},
    stored::{Stored, StoredRow},
};
use crate::{queue::error::Result, store::Batch};

/// A removal in flight; takes itself back when its batch fails.
pub(in crate::queue) struct Removal {
    stream: Rc<Stream>,
    removed: Vec<Removed>,
    /// What the consumers lose by it.
    interest: Option<Box<dyn InterestRemoval>>,
    stage: Stage,
    /// Whether there are advisories of messages that were not acknowledged. After a purge there are
    /// none.
    advise: bool,
}

struct Removed {
    sequence: u64,
    subject: Rc<str>,
    size: u64,
}

impl Stream {
    /// Removes these messages; returns how many were still there.
    pub(super) async fn remove(
        self: &Rc<Self>,
        rows: impl IntoIterator<Item = StoredRow>,
        mut batch: Batch,
    ) -> Result<u64> {
        let mut removal = Removal::new(self);
        for row in rows {
            removal.add_row(&mut batch, &row);
        }
        self.commit_removal(removal, batch).await
    }

    /// Commits a batch with a removal; returns how many messages went.
    pub(super) async fn commit_removal(
        self: &Rc<Self>,
        removal: Removal,
        mut batch: Batch,
    ) -> Result<u64> {
        let count = removal.removed.len() as u64;
        if count > 0 {
            batch.makes_room();
            self.write_counts(&mut batch);
            batch.on_durable(move || removal.durable());
        }
        if !batch.is_empty() {
            self.store.commit(batch).await?;
        }
        Ok(count)
    }
}

impl Removal {
    pub(in crate::queue) fn new(stream: &Rc<Stream>) -> Self {
        Self {
            stream: stream.clone(),
            removed: Vec::new(),
            interest: None,
            stage: Stage::Submitted,
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

    pub(super) fn add_row(&mut self, batch: &mut Batch, row: &StoredRow) {
        let subject = row.message.as_ref().map_or("", Stored::subject);
        self.add(batch, row.sequence, subject, row.size());
    }

    pub(in crate::queue) fn add(
        &mut self,
        batch: &mut Batch,
        sequence: u64,
        subject: &str,
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
        self.removed.push(Removed { sequence, subject: subject.into(), size });
        stream.delete_rows(batch, sequence, subject);
        let interest = self.interest.get_or_insert_with(|| stream.interest.clone().removal());
        interest.add(stream, batch, sequence, subject);
    }

    pub(in crate::queue) fn durable(mut self) {
        self.stage = Stage::Durable;
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
        if self.stage == Stage::Durable || self.removed.is_empty() {
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
