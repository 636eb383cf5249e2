//! The backend in memory, for tests and for those who want nothing kept.
//!
//! A [`Disk`] outlives the stores that are opened on it, fails on demand, and can be cut off in
//! the middle of anything: what a test of recovery needs.

mod disk;

use std::rc::Rc;

use bytes::Bytes;
use futures::{FutureExt, future::LocalBoxFuture};

pub use self::disk::{Disk, Fault};
use super::{
    Blob, Error, Result,
    engine::{
        backend::{
            Backend, Check, Claim, LeafQuery, LeafRun, OWNER_KEY, Operation, Records, Room, Space,
            Transaction,
        },
        facts::Owner,
    },
};

/// A connection to a disk in memory.
pub struct Memory {
    disk: Disk,
    connection: u64,
}

impl Memory {
    /// Connects to `disk`.
    pub fn new(disk: Disk) -> Rc<Self> {
        Rc::new(Self { connection: disk.connect(), disk })
    }

    /// Lets others run, as a real disk would, then counts the operation.
    async fn operation(&self) -> Result<Fault> {
        yield_now().await;
        self.disk.operation(self.connection)
    }
}

/// Returns to the executor once.
async fn yield_now() {
    let mut yielded = false;
    std::future::poll_fn(move |context| {
        if std::mem::replace(&mut yielded, true) {
            return std::task::Poll::Ready(());
        }
        context.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}

impl Backend for Memory {
    fn claim<'a>(&'a self, claim: Claim<'a>) -> Operation<'a, ()> {
        async move {
            // At once, so that a store in memory can be had without waiting.
            let fault = self.disk.operation(self.connection)?;
            let mut records = Records::default();
            for space in Space::READ_AT_START {
                records.0.insert(space, self.disk.records(space));
            }
            let changes = claim(records)?;
            self.disk.write(changes, super::Durability::Strict, fault)
        }
        .boxed_local()
    }

    fn write(&self, transaction: Transaction) -> Operation<'_, ()> {
        async move {
            let fault = self.operation().await?;
            let owner = Owner::record(transaction.owner);
            let owns = |space| self.disk.get(space, OWNER_KEY).as_ref() == Some(&owner);
            let owns_all = transaction.changes.iter().all(|change| owns(change.space()));
            if !owns_all && transaction.check == Check::Before {
                return Err(Error::taken_over());
            }
            self.disk.write(transaction.changes, transaction.durability, fault)?;
            // As in a browser, where what was added is there then.
            let trusted = owns_all || transaction.check == Check::Leased;
            if trusted { Ok(()) } else { Err(Error::taken_over()) }
        }
        .boxed_local()
    }

    fn leaves<'a>(&'a self, query: LeafQuery<'a>) -> Operation<'a, LeafRun> {
        async move {
            self.operation().await?.before()?;
            let all = self.disk.records(Space::Leaves);
            let table: Vec<(Bytes, Bytes)> =
                all.into_iter().filter(|(key, _)| key[0] == query.table).collect();
            let covered = table.partition_point(|(key, _)| query.covers(key));
            let (from, to) = match (covered, query.backward) {
                (0, true) => (0, 0),
                (_, true) => (covered.saturating_sub(query.more + 1), covered),
                (0, false) => (0, query.more),
                (_, false) => (covered - 1, covered + query.more),
            };
            let to = to.min(table.len());
            Ok(LeafRun {
                records: table[from..to].to_vec(),
                next: table.get(to).map(|(key, _)| key.clone()),
            })
        }
        .boxed_local()
    }

    fn put_blob<'a>(&'a self, id: &'a str, blob: Blob) -> Operation<'a, ()> {
        async move {
            let fault = self.operation().await?;
            self.disk.put_blob(id, Some(blob), fault)
        }
        .boxed_local()
    }

    fn blob<'a>(&'a self, id: &'a str) -> Operation<'a, Option<Blob>> {
        async move {
            self.operation().await?.before()?;
            Ok(self.disk.blob(id))
        }
        .boxed_local()
    }

    fn delete_blob<'a>(&'a self, id: &'a str) -> Operation<'a, ()> {
        async move {
            let fault = self.operation().await?;
            self.disk.put_blob(id, None, fault)
        }
        .boxed_local()
    }

    fn room(&self) -> Operation<'_, Room> {
        async move {
            self.operation().await?.before()?;
            Ok(Room { usage: Some(self.disk.bytes()), quota: self.disk.quota() })
        }
        .boxed_local()
    }

    fn closed(&self) -> Option<Error> {
        self.disk.closed(self.connection)
    }

    fn ended(&self) -> LocalBoxFuture<'_, Error> {
        self.disk.ended(self.connection).boxed_local()
    }

    fn close(&self) {
        self.disk.disconnect(self.connection);
    }
}
