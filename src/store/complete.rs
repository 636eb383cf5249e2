//! A batch as drivers get it.

use std::{any::Any, fmt};

use super::Table;

/// A batch in which everything is that belongs to it: writes that become durable together, in the
/// order given; the last write of a key counts.
#[derive(Default)]
pub struct CompleteBatch {
    pub(super) writes: Vec<Write>,
    pub(super) on_durable: Vec<Box<dyn FnOnce()>>,
    /// Held until it is settled or dropped.
    pub(super) guards: Vec<Box<dyn Any>>,
    pub(super) is_patient: bool,
    pub(super) makes_room: bool,
}

/// One write: a value, or none to delete.
pub struct Write {
    /// The full key.
    pub(super) key: Vec<u8>,
    pub(super) value: Option<Vec<u8>>,
}

/// The key of a row among the rows of all tables.
pub(super) fn full_key(table: Table, key: &[u8]) -> Vec<u8> {
    let mut full = Vec::with_capacity(key.len() + 1);
    full.push(table as u8);
    full.extend_from_slice(key);
    full
}

impl Write {
    /// The number of the table.
    pub fn table(&self) -> u8 {
        self.key[0]
    }

    /// The key in the table.
    pub fn key(&self) -> &[u8] {
        &self.key[1..]
    }

    /// The value, or `None` when the row is deleted.
    pub fn value(&self) -> Option<&[u8]> {
        self.value.as_deref()
    }
}

impl fmt::Debug for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Keys and values may be secrets.
        let (table, key) = (self.table(), self.key().len());
        match self.value() {
            Some(value) => write!(f, "Put({table}, {key} bytes, {} bytes)", value.len()),
            None => write!(f, "Delete({table}, {key} bytes)"),
        }
    }
}

impl CompleteBatch {
    /// The writes, in their order.
    pub fn writes(&self) -> &[Write] {
        &self.writes
    }

    /// Whether it may wait a little for others to become durable with: nobody waits for it.
    pub fn is_patient(&self) -> bool {
        self.is_patient
    }

    /// Whether it may use room that is kept in reserve, since it makes more than it takes.
    pub fn is_making_room(&self) -> bool {
        self.makes_room || self.writes.iter().all(|write| write.value.is_none())
    }

    /// Does what was to be done once the batch is durable. When it has failed, it is to be dropped.
    pub fn settle(self) {
        self.on_durable.into_iter().for_each(|then| then());
    }

    /// How many bytes its keys and values have.
    pub(super) fn bytes(&self) -> usize {
        let value = |write: &Write| write.value.as_ref().map_or(0, Vec::len);
        self.writes.iter().map(|write| write.key.len() + value(write)).sum()
    }
}
