//! What is durable in a journal and not yet in the leaves, in memory.

use std::{
    collections::BTreeMap,
    ops::{Bound, Range},
    rc::Rc,
};

use bytes::Bytes;

use super::journal::Record;
use crate::store::Direction;

/// Rows by their full keys; `None` is a row that was deleted.
pub(super) type Rows = BTreeMap<Bytes, Option<Bytes>>;

/// The newest rows of one journal.
#[derive(Default)]
pub(super) struct Overlay {
    rows: Rows,
    /// Rows of the newest record that are not among the others yet.
    newest: Rows,
    records: usize,
    bytes: usize,
    sequence: u64,
}

impl Overlay {
    /// Adds the record of this sequence number, which is newer than all before.
    pub(super) fn apply(&mut self, sequence: u64, record: &Record) {
        self.apply_rows(sequence, record.size(), record.rows().collect());
        self.merge();
    }

    /// The same, given the record's size and rows. To find them their places among the others is
    /// left to [`Overlay::merge`], so that nobody who waits for the commit waits for that.
    pub(super) fn apply_rows(&mut self, sequence: u64, size: usize, rows: Rows) {
        self.merge();
        self.sequence = sequence;
        self.records += 1;
        self.bytes += size;
        self.newest = rows;
    }

    /// Puts the rows of the newest record among the others.
    pub(super) fn merge(&mut self) {
        self.rows.extend(std::mem::take(&mut self.newest));
    }

    /// The sequence number of the newest record.
    pub(super) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// How many records it is made of.
    pub(super) fn records(&self) -> usize {
        self.records
    }

    /// The size of its records, which it keeps in memory.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The row of a key, if this journal has one.
    pub(super) fn get(&self, key: &[u8]) -> Option<&Option<Bytes>> {
        self.newest.get(key).or_else(|| self.rows.get(key))
    }

    /// How many rows it has.
    pub(super) fn rows(&self) -> usize {
        let new = self.newest.keys().filter(|key| !self.rows.contains_key(*key)).count();
        self.rows.len() + new
    }

    /// The rows from `range`, in key order, when those of the newest record were merged.
    pub(super) fn range(
        &self,
        range: Range<&[u8]>,
    ) -> impl DoubleEndedIterator<Item = (&Bytes, &Option<Bytes>)> {
        self.rows.range::<[u8], _>((Bound::Included(range.start), Bound::Excluded(range.end)))
    }
}

/// The overlay that commits go to, over the one that a checkpoint works off.
#[derive(Default)]
pub(super) struct Overlays {
    /// Of the journal that commits go to.
    pub active: Overlay,
    /// Of the journal that is being merged into the leaves.
    pub frozen: Option<Rc<Overlay>>,
}

impl Overlays {
    /// The newest row of a key, if a journal has one.
    pub(super) fn get(&self, key: &[u8]) -> Option<&Option<Bytes>> {
        self.active.get(key).or_else(|| self.frozen.as_ref()?.get(key))
    }

    /// Freezes the active one: commits go to one that is empty.
    pub(super) fn freeze(&mut self) {
        self.active.merge();
        self.frozen = Some(Rc::new(std::mem::take(&mut self.active)));
    }

    /// The newest rows in `range` as they are now, in the order of `direction`; ends after `limit`
    /// rows that are not deleted, since a scan needs none beyond them.
    pub(super) fn collect(
        &mut self,
        range: Range<&[u8]>,
        direction: Direction,
        limit: usize,
    ) -> Vec<(Bytes, Option<Bytes>)> {
        self.active.merge();
        let empty = Overlay::default();
        let frozen = self.frozen.as_deref().unwrap_or(&empty);
        let (active, frozen) = (self.active.range(range.clone()), frozen.range(range));
        match direction {
            Direction::Forward => merge(active, frozen, limit, |a, b| a < b),
            Direction::Backward => merge(active.rev(), frozen.rev(), limit, |a, b| a > b),
        }
    }
}

fn merge<'a>(
    newer: impl Iterator<Item = (&'a Bytes, &'a Option<Bytes>)>,
    older: impl Iterator<Item = (&'a Bytes, &'a Option<Bytes>)>,
    limit: usize,
    comes_first: impl Fn(&Bytes, &Bytes) -> bool,
) -> Vec<(Bytes, Option<Bytes>)> {
    let (mut newer, mut older) = (newer.peekable(), older.peekable());
    let mut merged = Vec::new();
    let mut live = 0;
    while live < limit {
        let row = match (newer.peek(), older.peek()) {
            (Some((newer_key, _)), Some((older_key, _))) => {
                if comes_first(older_key, newer_key) {
                    older.next()
                } else {
                    if newer_key == older_key {
                        older.next();
                    }
                    newer.next()
                }
            }
            (Some(_), None) => newer.next(),
            (None, _) => older.next(),
        };
        let Some((key, value)) = row else { break };
        live += usize::from(value.is_some());
        merged.push((key.clone(), value.clone()));
    }
    merged
}
