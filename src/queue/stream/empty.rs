//! Purging everything: the counts change at once, the rows go bit by bit.

use std::{collections::BTreeSet, rc::Rc};

use super::{
    base::{InterestRemoval, Stream},
    purge_row::PurgeRow,
    row,
    stored::StoredRow,
};
use crate::{
    queue::error::{Error, Result},
    store::{Batch, Direction, Submission, Table},
};

/// How many rows are deleted in one batch.
const CHUNK: usize = 1024;

/// A stream that is being emptied; gives everything back when the batch fails.
struct Emptied {
    stream: Rc<Stream>,
    first: u64,
    messages: u64,
    bytes: u64,
    lost: BTreeSet<u64>,
    /// What the consumers lose by it; taken once the batch is durable.
    interest: Option<Box<dyn InterestRemoval>>,
}

impl Stream {
    /// Whether nothing is in flight.
    pub(super) fn is_quiet(&self) -> bool {
        let counts = self.counts.borrow();
        counts.in_flight.is_empty() && counts.removing.is_empty()
    }

    /// Removes all messages, which are below this sequence number; returns how many.
    pub(super) async fn empty(self: &Rc<Self>, below: u64) -> Result<u64> {
        let empty = |batch: &mut Submission| {
            batch.makes_room();
            let (id, row) = self.put_purge(batch, PurgeRow::of_garbage(below));
            self.write_counts(batch);
            Ok::<_, Error>((id, row, self.take_all(batch, below)))
        };
        let (id, row, mut emptied) = self.store.commit_with(Batch::new(), empty).await?;
        let count = emptied.messages;
        if let Some(interest) = emptied.interest.take() {
            interest.durable(self, false);
        }
        self.counts.borrow_mut().removals += 1;
        self.garbage.borrow_mut().insert(id, row);
        self.check_limits.notify();
        self.settled.notify();
        self.interest.wake_all();
        Ok(count)
    }

    fn take_all(self: &Rc<Self>, batch: &mut Submission, below: u64) -> Emptied {
        let mut counts = self.counts.borrow_mut();
        let mut emptied = Emptied {
            stream: self.clone(),
            first: std::mem::replace(&mut counts.first, below),
            messages: std::mem::take(&mut counts.messages),
            bytes: std::mem::take(&mut counts.bytes),
            lost: std::mem::take(&mut counts.lost),
            interest: None,
        };
        drop(counts);
        self.subjects.borrow_mut().purge(None);
        emptied.interest = Some(self.interest.clone().remove_all(self, batch));
        emptied
    }

    /// Deletes the rows of messages that were removed.
    pub(super) async fn collect_garbage(&self) -> Result<()> {
        loop {
            let next = self.garbage.borrow().first_key_value().map(|(id, row)| (*id, row.below));
            let Some((id, below)) = next else { return Ok(()) };
            let rows = match below {
                0 => Vec::new(),
                below => self.stored_rows(0, below - 1, Direction::Forward, CHUNK).await?,
            };
            let mut batch = Batch::new();
            if rows.is_empty() {
                batch.delete(Table::QueuePurges, row::message_key(self.id, id));
            }
            for StoredRow { sequence, message } in &rows {
                batch.delete(Table::QueueMessages, row::message_key(self.id, *sequence));
                if let Some(message) = message {
                    let key = row::index_key(self.id, message.subject(), *sequence);
                    batch.delete(Table::QueueSubjects, key);
                }
            }
            if self.deleted.get() {
                return Ok(());
            }
            self.store.commit(batch).await?;
            if rows.is_empty() {
                self.garbage.borrow_mut().remove(&id);
            }
        }
    }
}

impl Drop for Emptied {
    fn drop(&mut self) {
        let Some(interest) = self.interest.take() else { return };
        let mut counts = self.stream.counts.borrow_mut();
        counts.first = counts.first.min(self.first);
        counts.messages += self.messages;
        counts.bytes += self.bytes;
        counts.lost.append(&mut self.lost);
        drop(counts);
        self.stream.look_up_again();
        drop(interest);
        self.stream.interest.wake_all();
    }
}
