//! Reading a stream's messages. Damaged ones are noted here, and skipped by everybody else; their
//! rows stay where they are.

use bytes::Bytes;

use super::{
    base::Stream,
    row,
    stored::{Stored, StoredRow},
};
use crate::{
    queue::{
        error::{Error, Result},
        reader::{self, Damaged, Readable, or_log},
    },
    store::{Direction, KeyRange, Table},
};

/// How many rows are read at once.
const CHUNK: usize = 1024;
/// How many damaged ranges one call may find.
const MOST_ATTEMPTS: usize = 64;

impl Stream {
    /// What was read, or the default where it can't be read, which is logged.
    pub(in crate::queue) fn unless_damaged<T: Default>(&self, read: Readable<T>) -> T {
        or_log(read, format_args!("something of stream {}", self.name)).unwrap_or_default()
    }

    /// At most `limit` messages from `from` to `to`, both included.
    pub(in crate::queue) async fn rows(
        &self,
        from: u64,
        to: u64,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<StoredRow>> {
        let from = from.max(self.counts.borrow().first);
        self.stored_rows(from, to, direction, limit).await
    }

    /// The same, with removed messages whose rows are not deleted yet.
    pub(super) async fn stored_rows(
        &self,
        from: u64,
        to: u64,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<StoredRow>> {
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
                match self.scan_rows(from, to, direction, limit).await? {
                    Ok(found) => rows.extend(found),
                    Err(Damaged(cause)) if attempts < MOST_ATTEMPTS => {
                        tracing::error!("messages of stream {} can't be read: {cause}", self.name);
                        self.find_damage(from, to, direction).await?;
                        continue 'again;
                    }
                    Err(Damaged(cause)) => return Err(Error::stream_offline(cause)),
                }
            }
            let rows = rows.iter().map(|(sequence, row)| self.decode(*sequence, row));
            return Ok(rows.collect());
        }
    }

    fn decode(&self, sequence: u64, row: &Bytes) -> StoredRow {
        let row = StoredRow::decode(sequence, row);
        if row.message.is_none() {
            self.note_lost(sequence);
        }
        row
    }

    async fn scan_rows(
        &self,
        from: u64,
        to: u64,
        direction: Direction,
        limit: usize,
    ) -> Result<Readable<Vec<(u64, Bytes)>>> {
        let range = KeyRange::between(
            row::message_key(self.id, from),
            row::message_key(self.id, to.saturating_add(1)),
        );
        let rows = reader::scan(&self.store, Table::QueueMessages, range, direction, limit).await?;
        let numbered = |rows: Vec<(Bytes, Bytes)>| {
            rows.into_iter().map(|(key, value)| (row::sequence(&key), value)).collect()
        };
        Ok(rows.map(numbered))
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
    async fn row(&self, sequence: u64) -> Result<Option<Bytes>> {
        let key = row::message_key(self.id, sequence);
        let row = reader::get(&self.store, Table::QueueMessages, key).await?;
        if row.is_err() {
            self.note_lost(sequence);
        }
        Ok(row.unwrap_or_default())
    }

    /// A message that can be read, even if it is not visible or being removed.
    pub(in crate::queue) async fn read(&self, sequence: u64) -> Result<Option<Stored>> {
        let row = self.row(sequence).await?;
        Ok(row.and_then(|row| self.decode(sequence, &row).message))
    }

    /// A message that is there and can be read.
    pub(super) async fn load(&self, sequence: u64) -> Result<Option<Stored>> {
        let is_there = {
            let counts = self.counts.borrow();
            (counts.first..=counts.visible()).contains(&sequence)
        };
        if !is_there {
            return Ok(None);
        }
        let message = self.read(sequence).await?;
        Ok(message.filter(|_| !self.counts.borrow().removing.contains(&sequence)))
    }

    /// Finds a range that can't be read, which is known to be between `from` and `to`.
    async fn find_damage(&self, from: u64, to: u64, direction: Direction) -> Result<()> {
        // The first part that can't be read, in the direction of reading.
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
        // How far the damaged record reaches from there.
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
            // The next messages are in the same record.
            end = u64::MAX;
        }
        self.damage.borrow_mut().add_stretch(start, end);
        Ok(())
    }

    async fn is_damaged(&self, from: u64, to: u64) -> Result<bool> {
        Ok(self.scan_rows(from, to, Direction::Forward, usize::MAX).await?.is_err())
    }

    /// Remembers that a message can't be read.
    fn note_lost(&self, sequence: u64) {
        let mut damage = self.damage.borrow_mut();
        if !self.counts.borrow().lost.contains(&sequence) && damage.seen.insert(sequence) {
            damage.found.insert(sequence);
            drop(damage);
            self.check_limits.notify();
        }
    }
}
