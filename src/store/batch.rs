//! What is written together or not at all.

use serde::Serialize;

use super::Table;

/// Writes that become durable together, in the order given; the last write of a key counts.
#[derive(Default)]
pub struct Batch {
    pub(super) writes: Vec<Write>,
    pub(super) first_position: Option<u64>,
    pub(super) on_durable: Vec<Box<dyn FnOnce()>>,
}

/// One write: a value, or `None` to delete.
pub(super) struct Write {
    pub(super) table: Table,
    pub(super) key: Vec<u8>,
    pub(super) value: Option<Vec<u8>>,
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes `value` under `key`.
    pub fn put(&mut self, table: Table, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        self.writes.push(Write { table, key: key.into(), value: Some(value.into()) });
    }

    /// Writes `value` as JSON.
    ///
    /// # Errors
    /// When `value` has a shape that JSON does not, such as a map with keys that are not strings.
    pub fn put_json(
        &mut self,
        table: Table,
        key: impl Into<Vec<u8>>,
        value: &impl Serialize,
    ) -> super::Result<()> {
        self.put(table, key, serde_json::to_vec(value).map_err(super::Error::encoding)?);
        Ok(())
    }

    /// Removes `key`, if it is there.
    pub fn delete(&mut self, table: Table, key: impl Into<Vec<u8>>) {
        self.writes.push(Write { table, key: key.into(), value: None });
    }

    /// Runs `then` once the batch is durable, before its [`Commit`](super::Commit) resolves and in
    /// the order of submission. Not run when the commit fails.
    pub fn on_durable(&mut self, then: impl FnOnce() + 'static) {
        self.on_durable.push(Box::new(then));
    }

    /// Notes that the batch holds `position` of the feed, so that the store can refuse batches
    /// that are submitted in another order than their positions were taken.
    pub(crate) fn note_position(&mut self, position: u64) {
        self.first_position.get_or_insert(position);
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }
}
