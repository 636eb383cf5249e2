//! How many rows a table has that only grows.

use std::{cell::Cell, rc::Rc};

use super::{Batch, Direction, KeyRange, Result, Store, Table};

/// The number of rows of a table, which is counted once and then followed; clones share it.
#[derive(Clone)]
pub struct RowCount {
    table: Table,
    inner: Rc<Inner>,
}

#[derive(Default)]
struct Inner {
    known: Cell<Option<usize>>,
    /// How many rows were added since the start.
    added: Cell<usize>,
}

impl RowCount {
    /// Of a table to which whoever adds a row says so by [`RowCount::add`].
    pub fn new(table: Table) -> Self {
        Self { table, inner: Rc::default() }
    }

    /// With the batch a new row is added.
    pub fn add(&self, batch: &mut Batch) {
        let inner = self.inner.clone();
        batch.on_durable(move || {
            inner.added.set(inner.added.get() + 1);
            inner.known.set(inner.known.get().map(|known| known + 1));
        });
    }

    /// How many there are.
    ///
    /// # Errors
    /// When they can't be read.
    pub async fn get(&self, store: &Store) -> Result<usize> {
        loop {
            if let Some(known) = self.inner.known.get() {
                return Ok(known);
            }
            let added = self.inner.added.get();
            let rows = store.scan(self.table, KeyRange::all(), Direction::Forward, usize::MAX);
            let count = rows.await?.len();
            // Overtaken by one that is new: it may be among those that were counted or not.
            if added == self.inner.added.get() {
                self.inner.known.set(Some(count));
            }
        }
    }
}
