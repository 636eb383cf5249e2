//! Where pending messages are stored: in the consumer's row while they are few, and otherwise in
//! rows of their own, each for a range of sequence numbers, of which only the changed ones are
//! written.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    pending::Pending,
    row::{self, SPAN},
};
use crate::store::Key;

/// With more than so many, pending messages get rows of their own; with fewer than the least they
/// go back.
const MOST_INLINE: usize = 512;
const LEAST_SPLIT: usize = 128;

/// Which rows there are, and which of them have to be written.
#[derive(Default)]
pub(super) struct Chunks {
    is_split: bool,
    /// Rows of another generation are older ones, which could not be read.
    generation: u64,
    stored: BTreeSet<u64>,
    changed: BTreeSet<u64>,
}

impl Chunks {
    /// As they are in the store.
    pub(super) fn restored(generation: u64, stored: BTreeSet<u64>) -> Self {
        Self { is_split: true, generation, stored, changed: BTreeSet::new() }
    }

    /// The generation of the rows, when the pending messages are not in the consumer's row.
    pub(super) fn generation(&self) -> Option<u64> {
        self.is_split.then_some(self.generation)
    }

    /// The key of one of the rows.
    pub(super) fn key(&self, stream: u64, consumer: u64, chunk: u64) -> Key {
        row::chunk_key(stream, consumer, self.generation, chunk)
    }

    /// The keys of all that are stored.
    pub(super) fn keys(&self, stream: u64, consumer: u64) -> impl Iterator<Item = Key> + '_ {
        self.stored.iter().map(move |chunk| self.key(stream, consumer, *chunk))
    }

    /// Marks the row of this message as changed.
    pub(super) fn note(&mut self, sequence: u64) {
        if self.is_split {
            self.changed.insert(sequence / SPAN);
        }
    }

    /// Marks all rows as changed.
    pub(super) fn note_all(&mut self) {
        self.changed.extend(&self.stored);
    }

    /// The rows to write, and `None` for those to delete. From here on they count as stored.
    pub(super) fn take(&mut self, pending: &BTreeMap<u64, Pending>) -> Vec<(u64, Option<Vec<u8>>)> {
        if !self.is_split && pending.len() > MOST_INLINE {
            self.is_split = true;
            if self.generation == 0 {
                self.generation = rand::random_range(1..=u64::from(u32::MAX));
            }
            self.changed.extend(pending.keys().map(|sequence| sequence / SPAN));
        } else if self.is_split && pending.len() < LEAST_SPLIT {
            self.is_split = false;
        }
        let mut rows = Vec::new();
        if !self.is_split {
            self.changed.clear();
            rows.extend(std::mem::take(&mut self.stored).into_iter().map(|chunk| (chunk, None)));
            return rows;
        }
        for chunk in std::mem::take(&mut self.changed) {
            let mut entries = pending.range(chunk * SPAN..(chunk + 1) * SPAN).peekable();
            if entries.peek().is_some() {
                let entries: Vec<_> =
                    entries.map(|(sequence, one)| (*sequence, one.entry())).collect();
                self.stored.insert(chunk);
                rows.push((chunk, Some(row::encode_entries(entries.into_iter()))));
            } else if self.stored.remove(&chunk) {
                rows.push((chunk, None));
            }
        }
        rows
    }

    /// These rows were not written after all.
    pub(super) fn doubt(&mut self, chunks: &[u64]) {
        self.stored.extend(chunks);
        self.changed.extend(chunks);
    }
}
