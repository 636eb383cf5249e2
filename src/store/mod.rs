//! Ordered tables with atomic batches.
//!
//! Reads see only what is durable. Batches become durable in the order in which they were
//! submitted; when one fails, every batch submitted after it and not yet durable fails too, since
//! it may have been built on it.

mod batch;
mod blob;
mod error;
mod key;
mod tables;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    future::Future,
    ops::Bound,
    pin::Pin,
    rc::Rc,
};

use bytes::Bytes;
use serde::de::DeserializeOwned;

pub use self::{
    batch::Batch,
    blob::Blob,
    error::{Error, Result},
    key::{Direction, Key, KeyRange, KeyReader},
    tables::Table,
};

/// A handle to the one store of a homeserver; clones share it.
#[derive(Clone)]
pub struct Store {
    inner: Rc<Inner>,
}

struct Inner {
    rows: RefCell<BTreeMap<(Table, Vec<u8>), Bytes>>,
    blobs: RefCell<BTreeMap<String, Blob>>,
    last_position: Cell<u64>,
}

impl Store {
    /// A store in memory, gone with its last handle.
    pub fn memory() -> Self {
        Self {
            inner: Rc::new(Inner {
                rows: RefCell::default(),
                blobs: RefCell::default(),
                last_position: Cell::new(0),
            }),
        }
    }

    /// The value under `key`.
    pub async fn get(&self, table: Table, key: impl AsRef<[u8]>) -> Result<Option<Bytes>> {
        Ok(self.inner.rows.borrow().get(&(table, key.as_ref().to_vec())).cloned())
    }

    /// The JSON value under `key`.
    pub async fn get_json<T: DeserializeOwned>(
        &self,
        table: Table,
        key: impl AsRef<[u8]>,
    ) -> Result<Option<T>> {
        match self.get(table, key).await? {
            Some(value) => serde_json::from_slice(&value).map(Some).map_err(Error::encoding),
            None => Ok(None),
        }
    }

    /// At most `limit` keys and values in `range`, in the order of `direction`.
    pub async fn scan(
        &self,
        table: Table,
        range: KeyRange,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>> {
        let rows = self.inner.rows.borrow();
        let start = Bound::Included((table, range.start.clone().unwrap_or_default()));
        let found = rows
            .range((start, Bound::Unbounded))
            .take_while(|((of, key), _)| *of == table && range.contains(key))
            .map(|((_, key), value)| (Bytes::copy_from_slice(key), value.clone()));
        Ok(match direction {
            Direction::Forward => found.take(limit).collect(),
            Direction::Backward => {
                let mut all: Vec<_> = found.collect();
                all.reverse();
                all.truncate(limit);
                all
            }
        })
    }

    /// Hands a batch in, in this very moment; the [`Commit`] resolves when it is durable.
    pub fn submit(&self, mut batch: Batch) -> Commit {
        batch.complete();
        if let Some(position) = batch.first_position
            && self.inner.last_position.replace(position) > position
        {
            return Commit { outcome: Some(Err(Error::OutOfOrder)) };
        }
        let mut rows = self.inner.rows.borrow_mut();
        for write in batch.writes {
            match write.value {
                Some(value) => rows.insert((write.table, write.key), value.into()),
                None => rows.remove(&(write.table, write.key)),
            };
        }
        drop(rows);
        batch.on_durable.into_iter().for_each(|then| then());
        Commit { outcome: Some(Ok(())) }
    }

    /// Submits a batch and waits until it is durable.
    pub async fn commit(&self, batch: Batch) -> Result<()> {
        self.submit(batch).await
    }

    /// Keeps a large value by itself; durable when this returns.
    pub async fn put_blob(&self, id: &str, blob: Blob) -> Result<()> {
        self.inner.blobs.borrow_mut().insert(id.to_owned(), blob);
        Ok(())
    }

    /// A large value.
    pub async fn blob(&self, id: &str) -> Result<Option<Blob>> {
        Ok(self.inner.blobs.borrow().get(id).cloned())
    }

    /// Removes a large value, if it is there.
    pub async fn delete_blob(&self, id: &str) -> Result<()> {
        self.inner.blobs.borrow_mut().remove(id);
        Ok(())
    }
}

/// A submitted batch; resolves when it is durable or has failed. Dropping it changes nothing.
#[must_use = "a batch is durable only when its commit has resolved"]
pub struct Commit {
    outcome: Option<Result<()>>,
}

impl Future for Commit {
    type Output = Result<()>;

    fn poll(
        mut self: Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<()>> {
        match self.outcome.take() {
            Some(outcome) => std::task::Poll::Ready(outcome),
            None => std::task::Poll::Pending,
        }
    }
}
