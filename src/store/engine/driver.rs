//! The engine as what stands behind a store.

use std::{rc::Rc, time::Duration};

use bytes::Bytes;
use futures::{FutureExt, future::LocalBoxFuture};

use super::Engine;
use crate::{
    platform::{self, Blob},
    store::{
        Commit, CompleteBatch, Direction, Driver, Error, KeyRange, Result, Table, Usage,
        complete::full_key, driver::Row,
    },
};

/// How long closing may take for what makes the next start quick.
const PACKING_UP: Duration = Duration::from_secs(5);

impl Driver for Engine {
    fn get(&self, table: Table, key: &[u8]) -> LocalBoxFuture<'_, Result<Option<Bytes>>> {
        let key = full_key(table, key);
        async move {
            self.check_open()?;
            if let Some(row) = self.overlays.borrow().get(&key) {
                return Ok(row.clone());
            }
            self.leaves.at(&key).await?.get(&key)
        }
        .boxed_local()
    }

    fn scan(
        &self,
        table: Table,
        range: KeyRange,
        direction: Direction,
        limit: usize,
    ) -> LocalBoxFuture<'_, Result<Vec<Row>>> {
        let start = full_key(table, &range.start.unwrap_or_default());
        let end = range.end.map_or_else(|| vec![table as u8 + 1], |end| full_key(table, &end));
        self.rows(start..end, direction, limit).boxed_local()
    }

    fn check_accepting(&self) -> Result<()> {
        self.check_accepting()
    }

    fn submit(self: Rc<Self>, batch: CompleteBatch) -> Commit {
        self.add(batch)
    }

    fn epoch(&self) -> u64 {
        self.epoch.get()
    }

    fn put_blob<'a>(&'a self, id: &'a str, blob: Blob) -> LocalBoxFuture<'a, Result<()>> {
        self.put_blob(id, blob).boxed_local()
    }

    fn blob<'a>(&'a self, id: &'a str) -> LocalBoxFuture<'a, Result<Option<Blob>>> {
        async move {
            self.check_open()?;
            self.backend.blob(id).await
        }
        .boxed_local()
    }

    fn delete_blob<'a>(&'a self, id: &'a str) -> LocalBoxFuture<'a, Result<()>> {
        self.delete_blob(id).boxed_local()
    }

    fn usage(&self) -> LocalBoxFuture<'_, Result<Usage>> {
        async move {
            self.check_open()?;
            let room = self.backend.room().await?;
            let overlays = self.overlays.borrow();
            let frozen = overlays.frozen.as_deref();
            Ok(Usage {
                usage: room.usage,
                quota: room.quota,
                journal_records: overlays.active.records() + frozen.map_or(0, |o| o.records()),
                journal_bytes: overlays.active.bytes() + frozen.map_or(0, |o| o.bytes()),
                journal_rows: overlays.active.rows() + frozen.map_or(0, |o| o.rows()),
                cached_bytes: self.leaves.cached_bytes(),
            })
        }
        .boxed_local()
    }

    fn is_full(&self) -> bool {
        self.shortage.is_full()
    }

    fn watch_full(&self, watcher: Rc<dyn Fn(bool)>) {
        self.shortage.watch(watcher);
    }

    fn closed(&self) -> Option<Error> {
        self.closed()
    }

    fn ended(&self) -> LocalBoxFuture<'_, Error> {
        self.ended().boxed_local()
    }

    fn close(self: Rc<Self>) -> LocalBoxFuture<'static, ()> {
        async move {
            self.refusing.set(true);
            // What is not worked off in time is read by the next start.
            platform::timeout(PACKING_UP, self.work_off_journals()).await;
            self.closing.set(true);
            while self.writing.get() || self.checkpointing.get() || !self.queue.borrow().is_empty()
            {
                self.settled.notified().await;
            }
            if self.closed().is_none()
                && let Err(cause) = self.write_head().await
            {
                tracing::warn!("the newest journal record is not noted: {cause}");
            }
            self.closed.reach(Error::Closed("it was stopped".to_owned()));
            self.backend.close();
        }
        .boxed_local()
    }
}
