//! Messages that go for all consumers, with a batch.

use std::{collections::BTreeMap, rc::Rc};

use bytes::Bytes;

use super::{Stage, Stream, row::MessageRow};
use crate::{
    queue::{
        consumer::{self, Pending},
        error::Result,
    },
    store::Batch,
};

/// A removal under way; takes itself back when its batch fails.
pub(in crate::queue) struct Removal {
    stream: Rc<Stream>,
    removed: Vec<Removed>,
    /// Consumers that one message less will be delivered to, and how many.
    undelivered: Vec<(Rc<consumer::Inner>, u64)>,
    /// What was pending.
    pending: Vec<(Rc<consumer::Inner>, BTreeMap<u64, Pending>)>,
    stage: Stage,
    /// Whether consumers tell of what was not acknowledged: a purge does that by itself.
    is_told: bool,
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
        rows: Vec<(u64, Bytes)>,
        mut batch: Batch,
    ) -> Result<u64> {
        let mut removal = Removal::new(self);
        for (sequence, row) in rows {
            match MessageRow::decode(&row) {
                Some(message) => removal.add(&mut batch, sequence, message.subject, message.size()),
                None => removal.add(&mut batch, sequence, "", 0),
            }
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
            undelivered: Vec::new(),
            pending: Vec::new(),
            stage: Stage::Submitted,
            is_told: true,
        }
    }

    pub(super) fn of_purge(stream: &Rc<Stream>) -> Self {
        let mut removal = Self::new(stream);
        removal.is_told = false;
        removal
    }

    /// Nothing, when nothing was removed.
    pub(in crate::queue) fn into_some(self) -> Option<Self> {
        (!self.removed.is_empty()).then_some(self)
    }

    pub(in crate::queue) fn add(
        &mut self,
        batch: &mut Batch,
        sequence: u64,
        subject: &str,
        size: u64,
    ) {
        let stream = self.stream.clone();
        {
            let mut counts = stream.counts.borrow_mut();
            if !counts.removing.insert(sequence) {
                return;
            }
            // What is lost was subtracted when that was found out.
            if !counts.lost.remove(&sequence) {
                counts.subtract(sequence, size);
            }
        }
        self.removed.push(Removed { sequence, subject: subject.into(), size });
        stream.delete_rows(batch, sequence, subject);
        for consumer in stream.consumers.borrow().values() {
            let pending = consumer.deliveries.borrow_mut().remove(sequence);
            if let Some(pending) = pending {
                consumer.write(&stream, batch);
                match self.pending.iter_mut().find(|(other, _)| Rc::ptr_eq(other, consumer)) {
                    Some((_, entries)) => _ = entries.insert(sequence, pending),
                    None => self.pending.push((consumer.clone(), [(sequence, pending)].into())),
                }
            } else if consumer.awaits(sequence, subject) {
                let mut deliveries = consumer.deliveries.borrow_mut();
                deliveries.matched = deliveries.matched.saturating_sub(1);
                match self.undelivered.iter_mut().find(|(other, _)| Rc::ptr_eq(other, consumer)) {
                    Some((_, count)) => *count += 1,
                    None => self.undelivered.push((consumer.clone(), 1)),
                }
            }
        }
    }

    pub(in crate::queue) fn durable(mut self) {
        self.stage = Stage::Durable;
        let mut counts = self.stream.counts.borrow_mut();
        counts.removals += 1;
        for Removed { sequence, .. } in &self.removed {
            counts.removing.remove(sequence);
        }
        drop(counts);
        for (consumer, pending) in self.pending.iter().filter(|_| self.is_told) {
            for (sequence, pending) in pending {
                consumer.tell_deleted(&self.stream, *sequence, pending);
            }
        }
        self.stream.settled.wake();
        self.stream.wake_all();
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
        for (consumer, count) in &self.undelivered {
            consumer.deliveries.borrow_mut().matched += count;
        }
        for (consumer, entries) in &mut self.pending {
            for (sequence, mut pending) in std::mem::take(entries) {
                pending.held = false;
                consumer.deliveries.borrow_mut().insert(sequence, pending);
            }
        }
        self.stream.settled.wake();
        self.stream.wake_all();
    }
}
