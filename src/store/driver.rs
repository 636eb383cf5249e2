//! What stands behind a [`Store`](super::Store).

use std::rc::Rc;

use bytes::Bytes;
use futures::future::LocalBoxFuture;

use super::{Commit, CompleteBatch, Direction, Error, KeyRange, Result, Table, Usage};
use crate::platform::Blob;

/// A key and its value.
pub type Row = (Bytes, Bytes);

/// Ordered tables with atomic batches, and large values.
///
/// Reads see only what is durable. Batches become durable in the order in which they were submitted,
/// and are settled in that order; when one fails, every batch submitted after it and not yet durable
/// fails too, since it may have been built on it.
pub trait Driver {
    /// The value under `key`.
    fn get(&self, table: Table, key: &[u8]) -> LocalBoxFuture<'_, Result<Option<Bytes>>>;

    /// At most `limit` rows in `range`, in the order of `direction`, as they were when the scan began.
    fn scan(
        &self,
        table: Table,
        range: KeyRange,
        direction: Direction,
        limit: usize,
    ) -> LocalBoxFuture<'_, Result<Vec<Row>>>;

    /// Whether batches are taken.
    ///
    /// # Errors
    /// When nothing new is accepted any more.
    fn check_accepting(&self) -> Result<()>;

    /// Takes a batch, in this very moment and after [`Driver::check_accepting`]. Nothing of it is
    /// settled before this returns.
    fn submit(self: Rc<Self>, batch: CompleteBatch) -> Commit;

    /// Grows each time that submitted batches failed.
    fn epoch(&self) -> u64;

    /// Keeps a large value by itself; durable when this returns.
    fn put_blob<'a>(&'a self, id: &'a str, blob: Blob) -> LocalBoxFuture<'a, Result<()>>;

    /// A large value.
    fn blob<'a>(&'a self, id: &'a str) -> LocalBoxFuture<'a, Result<Option<Blob>>>;

    /// Removes a large value, if it is there.
    fn delete_blob<'a>(&'a self, id: &'a str) -> LocalBoxFuture<'a, Result<()>>;

    /// What it takes.
    fn usage(&self) -> LocalBoxFuture<'_, Result<Usage>>;

    /// Whether there is no room for what is to be kept, as far as is known.
    fn is_full(&self) -> bool;

    /// Calls `watcher` each time that [`Driver::is_full`] has changed.
    fn watch_full(&self, watcher: Rc<dyn Fn(bool)>);

    /// Why it can't be used any more, if that is so.
    fn closed(&self) -> Option<Error>;

    /// Waits until that is so.
    fn ended(&self) -> LocalBoxFuture<'_, Error>;

    /// Makes everything that was submitted durable, and accepts nothing any more.
    fn close(self: Rc<Self>) -> LocalBoxFuture<'static, ()>;
}
