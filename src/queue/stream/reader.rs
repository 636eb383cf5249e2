//! Messages that can't be read: they are found out by reading, told as lost, and stepped over. What
//! is stored of them stays where it is.

use std::rc::Rc;

use bytes::Bytes;

use super::{
    base::Stream,
    row::{self, MessageRow},
};
use crate::{
    queue::error::Result,
    store::{self, Batch, Direction, KeyRange, KeyReader, Table},
};

/// How many rows are read at once.
const CHUNK: usize = 1024;
/// How many damaged stretches may be found by one reading.
const MOST_ATTEMPTS: usize = 64;

impl Stream {
    /// At most `limit` messages from `from` to `to`, both in, as they are stored.
    pub(in crate::queue) async fn rows(
        &self,
        from: u64,
        to: u64,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<(u64, Bytes)>> {
        let from = from.max(self.counts.borrow().first);
        self.stored_rows(from, to, direction, limit).await
    }

    /// The same, with rows of messages that went and are not gone.
    pub(super) async fn stored_rows(
        &self,
        from: u64,
        to: u64,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<(u64, Bytes)>> {
        if from > to {
            return Ok(Vec::new());
        }
        let mut attempts = 0;
        'again: loop {
            attempts += 1;
            let mut rows = Vec::new();
            let pieces = self.damage.borrow().pieces(from, to, direction);
            for (from, to, damaged) in pieces {
                let limit = limit - rows.len();
                if limit == 0 {
                    break;
                }
                if damaged {
                    rows.extend(self.rows_one_by_one(from, to, direction, limit).await?);
                    continue;
                }
                match self.scan_rows(from, to, direction, limit).await {
                    Ok(found) => rows.extend(found),
                    Err(store::Error::Corrupt(cause)) if attempts < MOST_ATTEMPTS => {
                        tracing::error!("messages of stream {} can't be read: {cause}", self.name);
                        self.find_damage(from, to, direction).await?;
                        continue 'again;
                    }
                    Err(cause) => return Err(cause.into()),
                }
            }
            for (sequence, row) in &rows {
                if MessageRow::decode(row).is_none() {
                    self.note_lost(*sequence);
                }
            }
            return Ok(rows);
        }
    }

    async fn scan_rows(
        &self,
        from: u64,
        to: u64,
        direction: Direction,
        limit: usize,
    ) -> store::Result<Vec<(u64, Bytes)>> {
        let range = KeyRange::between(
            row::message_key(self.id, from),
            row::message_key(self.id, to.saturating_add(1)),
        );
        let rows = self.store.scan(Table::QueueMessages, range, direction, limit).await?;
        let numbered = rows.into_iter().map(|(key, value)| (row::sequence(&key), value));
        Ok(numbered.collect())
    }

    async fn rows_one_by_one(
        &self,
        from: u64,
        to: u64,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<(u64, Bytes)>> {
        let to = to.min(self.counts.borrow().last);
        let mut rows = Vec::new();
        let mut next = if direction == Direction::Forward { from } else { to };
        while (from..=to).contains(&next) && rows.len() < limit {
            rows.extend(self.row(next).await?.map(|row| (next, row)));
            next = match direction {
                Direction::Forward => next + 1,
                Direction::Backward if next > 0 => next - 1,
                Direction::Backward => break,
            };
        }
        Ok(rows)
    }

    /// The row of a message, if it is there and its record can be read.
    pub(in crate::queue) async fn row(&self, sequence: u64) -> Result<Option<Bytes>> {
        let key = row::message_key(self.id, sequence);
        match self.store.get(Table::QueueMessages, key).await {
            Ok(row) => Ok(row),
            Err(store::Error::Corrupt(_)) => {
                self.note_lost(sequence);
                Ok(None)
            }
            Err(cause) => Err(cause.into()),
        }
    }

    /// Finds a stretch that can't be read and that is known to be between `from` and `to`.
    async fn find_damage(&self, from: u64, to: u64, direction: Direction) -> Result<()> {
        // The stretch that was to be read first and can't be.
        let (mut low, mut high) = (from, to);
        let window = CHUNK as u64;
        loop {
            match direction {
                Direction::Forward => high = to.min(low.saturating_add(window - 1)),
                Direction::Backward => low = from.max(high.saturating_sub(window - 1)),
            }
            if self.is_damaged(low, high).await? {
                break;
            }
            match direction {
                Direction::Forward if high < to => low = high + 1,
                Direction::Backward if low > from => high = low - 1,
                // It can be read after all.
                _ => return Ok(()),
            }
        }
        while low < high {
            let middle = low + (high - low) / 2;
            if self.is_damaged(low, middle).await? { high = middle } else { low = middle + 1 }
        }
        let point = low;
        // How far the record reaches from there.
        let (mut start, mut outside) = (point, from);
        while outside < start {
            let middle = outside + (start - outside) / 2;
            if self.is_damaged(middle, middle).await? {
                start = middle;
            } else {
                outside = middle + 1;
            }
        }
        let (mut end, mut outside) = (point, to);
        while end < outside {
            let middle = end + (outside - end).div_ceil(2);
            if self.is_damaged(middle, middle).await? { end = middle } else { outside = middle - 1 }
        }
        if end >= self.counts.borrow().visible() {
            // What comes next has its place in the same record.
            end = u64::MAX;
        }
        self.damage.borrow_mut().add_stretch(start, end);
        Ok(())
    }

    async fn is_damaged(&self, from: u64, to: u64) -> Result<bool> {
        match self.scan_rows(from, to, Direction::Forward, usize::MAX).await {
            Ok(_) => Ok(false),
            Err(store::Error::Corrupt(_)) => Ok(true),
            Err(cause) => Err(cause.into()),
        }
    }

    /// Remembers that a message can't be read.
    pub(in crate::queue) fn note_lost(&self, sequence: u64) {
        let mut damage = self.damage.borrow_mut();
        if !self.counts.borrow().lost.contains(&sequence) && damage.seen.insert(sequence) {
            damage.found.insert(sequence);
            drop(damage);
            self.untidy.wake();
        }
    }

    /// Counts what was found to be lost: the index tells what there was.
    pub(super) async fn count_damage(self: &Rc<Self>) -> Result<()> {
        let found = std::mem::take(&mut self.damage.borrow_mut().found);
        if found.is_empty() {
            return Ok(());
        }
        let mut batch = Batch::new();
        let KeyRange { mut start, end } = KeyRange::prefix(row::stream_key(self.id));
        loop {
            let range = KeyRange { start: start.clone(), end: end.clone() };
            // Without the index it is not known what there was.
            let rows = self.index_rows(range, Direction::Forward, CHUNK).await?;
            let rows = rows.unwrap_or_default();
            let Some((last, _)) = rows.last() else { break };
            start = Some([&last[..], &[0]].concat());
            for (key, size) in &rows {
                let sequence = row::sequence(key);
                let mut parts = KeyReader::new(key);
                let subject = parts.u64().and_then(|_| parts.str()).unwrap_or_default();
                if found.contains(&sequence) {
                    self.lose(&mut batch, sequence, &subject, row::decode_size(size));
                }
            }
        }
        self.write_counts(&mut batch);
        Ok(self.store.commit(batch).await?)
    }

    fn lose(self: &Rc<Self>, batch: &mut Batch, sequence: u64, subject: &str, size: u64) {
        tracing::error!("message {sequence} of stream {} is lost", self.name);
        {
            let mut counts = self.counts.borrow_mut();
            if counts.removing.contains(&sequence) || !counts.lost.insert(sequence) {
                return;
            }
            counts.subtract(sequence, size);
        }
        batch.delete(Table::QueueSubjects, row::index_key(self.id, subject, sequence));
        self.subjects.borrow_mut().remove(subject, sequence);
        self.interest.lose(self, batch, sequence, subject);
    }
}
