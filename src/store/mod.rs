//! Ordered tables with atomic batches.
//!
//! Reads see only what is durable. Batches become durable in the order in which they were
//! submitted; when one fails, every batch submitted after it and not yet durable fails too, since
//! it may have been built on it.

mod batch;
mod commit;
mod complete;
mod declaration;
mod driver;
#[cfg(feature = "homeserver")]
mod endings;
mod engine;
mod error;
#[cfg(feature = "homeserver")]
mod fact;
#[cfg(feature = "homeserver")]
mod ids;
#[cfg(target_arch = "wasm32")]
mod indexeddb;
mod key;
pub mod memory;
mod options;
mod parts;
#[cfg(feature = "homeserver")]
mod row_count;
mod row_scan;
mod rows;
mod submitting;
mod tables;
mod values;

use std::rc::Rc;

use bytes::Bytes;
use serde::de::DeserializeOwned;

#[cfg(feature = "homeserver")]
pub(crate) use self::fact::TABLES;
pub use self::{
    batch::{Batch, Operation, Submission},
    commit::{Commit, Outcome},
    complete::{CompleteBatch, Write},
    declaration::{Declaration, Erasure, Expires, Expiry, Tables},
    driver::{Driver, Row},
    error::{Error, Result},
    key::{Direction, Key, KeyRange, KeyReader},
    options::{Durability, Options, Usage},
    parts::{AsPart, Kind, Nested, Part, Parts, Prefix, Remainder},
    row_scan::Scan,
    rows::Rows,
    tables::Table,
    values::{Encoded, Json, KeyOf, Nothing, Pack, Packed, Plain, RawJson, Text, Value},
};
use self::{engine::Engine, memory::Memory, submitting::Submitting};
#[cfg(feature = "homeserver")]
pub use self::{fact::Fact, row_count::RowCount};
use crate::platform::{self, Blob};

/// A handle to the one store of a homeserver; clones share it.
#[derive(Clone)]
pub struct Store {
    driver: Rc<dyn Driver>,
    submitting: Submitting,
}

impl Store {
    /// A store that `driver` stands behind.
    pub fn over(driver: Rc<dyn Driver>) -> Self {
        Self { driver, submitting: Submitting::default() }
    }

    /// A store on a disk in memory, which may hold one from before.
    ///
    /// # Errors
    /// When what is on the disk can't be read.
    pub async fn open_memory(disk: &memory::Disk, options: Options) -> Result<Self> {
        Ok(Self::over(Engine::open(Memory::new(disk.clone()), options).await?))
    }

    /// The store in this browser's database of that name, which is made if there is none.
    ///
    /// # Errors
    /// When it is not Neurite's, has a newer schema, is blocked by another page, or holds what
    /// can't be read; nothing was changed then.
    #[cfg(target_arch = "wasm32")]
    pub async fn open_indexeddb(name: &str, options: Options) -> Result<Self> {
        let backend = indexeddb::IndexedDb::open(name, &options).await?;
        Ok(Self::over(Engine::open(backend, options).await?))
    }

    /// Deletes the database of that name, if there is one. Whoever has it open loses it.
    ///
    /// # Errors
    /// When somebody does not let go of it.
    #[cfg(target_arch = "wasm32")]
    pub async fn delete(name: &str) -> Result<()> {
        indexeddb::delete(name, Options::default().patience).await
    }

    /// The value under `key`.
    ///
    /// # Errors
    /// When it can't be read.
    pub async fn get(&self, table: Table, key: impl AsRef<[u8]>) -> Result<Option<Bytes>> {
        platform::give_way().await;
        self.driver.get(table, key.as_ref()).await
    }

    /// The JSON value under `key`.
    ///
    /// # Errors
    /// When it can't be read, or is not of that type.
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

    /// At most `limit` keys and values in `range`, in the order of `direction`, as they were when
    /// the scan began.
    ///
    /// # Errors
    /// When they can't be read.
    pub async fn scan(
        &self,
        table: Table,
        range: KeyRange,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Row>> {
        platform::give_way().await;
        self.driver.scan(table, range, direction, limit).await
    }

    /// Hands a batch in, in this very moment; the [`Commit`] resolves when it is durable.
    pub fn submit(&self, batch: Batch) -> Commit {
        match self.submit_with(batch, |_| Ok::<_, Error>(())) {
            Ok(((), commit)) => commit,
            Err(cause) => Commit::refused(cause),
        }
    }

    /// Hands a batch in that `complete` completes in this very moment: with what has to be numbered in
    /// the order of submissions, or depends on what other batches change until then. Nothing else is
    /// submitted there.
    ///
    /// # Errors
    /// Those of `complete` and of the batch's operations, and when nothing is accepted any more; then
    /// nothing is handed in.
    pub fn submit_with<T, E: From<Error>>(
        &self,
        batch: Batch,
        complete: impl FnOnce(&mut Submission) -> Result<T, E>,
    ) -> Result<(T, Commit), E> {
        self.driver.check_accepting()?;
        let _only = self.submitting.begin()?;
        let mut submission = Submission::new(self, batch);
        let value = complete(&mut submission)?;
        Ok((value, self.driver.clone().submit(submission.finish()?)))
    }

    /// Hands in what was completed together with a batch of another store.
    fn hand_in(&self, submission: Submission) -> Result<Commit> {
        self.driver.check_accepting()?;
        let _only = self.submitting.begin()?;
        Ok(self.driver.clone().submit(submission.finish()?))
    }

    /// Whether both are handles to one store.
    fn is(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.driver, &other.driver)
    }

    /// Submits a batch and waits until it is durable.
    ///
    /// # Errors
    /// When it could not be written: then nothing of it was.
    pub async fn commit(&self, batch: Batch) -> Result<()> {
        self.submit(batch).await
    }

    /// Submits a batch as [`Store::submit_with`] does, and waits until it is durable.
    ///
    /// # Errors
    /// Those of `complete`; when it could not be written: then nothing of it was.
    pub async fn commit_with<T, E: From<Error>>(
        &self,
        batch: Batch,
        complete: impl FnOnce(&mut Submission) -> Result<T, E>,
    ) -> Result<T, E> {
        let (value, commit) = self.submit_with(batch, complete)?;
        commit.await?;
        Ok(value)
    }

    /// Grows each time that submitted batches failed: who has built something in memory on a batch
    /// that was not yet durable has to begin again from what is stored.
    pub fn epoch(&self) -> u64 {
        self.driver.epoch()
    }

    /// Keeps a large value by itself; durable when this returns.
    ///
    /// # Errors
    /// When it could not be written.
    pub async fn put_blob(&self, id: &str, blob: Blob) -> Result<()> {
        self.driver.put_blob(id, blob).await
    }

    /// A large value.
    ///
    /// # Errors
    /// When it can't be read.
    pub async fn blob(&self, id: &str) -> Result<Option<Blob>> {
        self.driver.blob(id).await
    }

    /// Removes a large value, if it is there.
    ///
    /// # Errors
    /// When it could not be removed.
    pub async fn delete_blob(&self, id: &str) -> Result<()> {
        self.driver.delete_blob(id).await
    }

    /// What the store takes.
    ///
    /// # Errors
    /// When the store is closed.
    pub async fn usage(&self) -> Result<Usage> {
        self.driver.usage().await
    }

    /// Whether there is no room for what is to be kept, as far as is known. What is stored can be
    /// read and removed.
    pub fn is_full(&self) -> bool {
        self.driver.is_full()
    }

    /// Calls `watcher` each time that [`Store::is_full`] has changed.
    pub fn watch_full(&self, watcher: impl Fn(bool) + 'static) {
        self.driver.watch_full(Rc::new(watcher));
    }

    /// Why the store can't be used any more, if that is so: it was closed, or its database was
    /// deleted or taken away. Only opening it again helps.
    pub fn closed(&self) -> Option<Error> {
        self.driver.closed()
    }

    /// Waits until the store can't be used any more, and tells why.
    pub async fn ended(&self) -> Error {
        self.driver.ended().await
    }

    /// Makes everything that was submitted durable and closes the database; nothing is accepted
    /// any more.
    pub async fn close(&self) {
        self.driver.clone().close().await;
    }
}
