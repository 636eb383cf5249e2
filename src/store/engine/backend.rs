//! What the engine asks of the place where records are kept.
//!
//! A backend knows nothing of tables, batches or leaves: only a few spaces of records in key
//! order, written by atomic transactions. IndexedDB is one; a map in memory is the other.

use std::{cmp::Ordering, collections::BTreeMap};

use bytes::Bytes;
use futures::future::LocalBoxFuture;

use crate::store::{Blob, Durability, Error, Result};

/// What every operation of a backend returns.
pub(crate) type Operation<'a, T> = LocalBoxFuture<'a, Result<T>>;

/// A space of records, each with a key of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Space {
    /// Facts about the database itself.
    Meta,
    /// One of the two journals.
    JournalA,
    /// The other one, so that a checkpoint can work off one while commits go to the other.
    JournalB,
    /// The tables, packed.
    Leaves,
}

impl Space {
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [Self::Meta, Self::JournalA, Self::JournalB, Self::Leaves];
    /// Those whose records are all read at start.
    pub(crate) const READ_AT_START: [Self; 3] = [Self::Meta, Self::JournalA, Self::JournalB];

    /// The name under which it is kept.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::JournalA => "journal_a",
            Self::JournalB => "journal_b",
            Self::Leaves => "leaves",
        }
    }
}

/// The key, in every space, of the record that tells which opening of the database owns it.
/// It sorts before every other key.
pub(crate) const OWNER_KEY: &[u8] = &[0];

/// One change of one transaction.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// Writes a record.
    Put(Space, Bytes, Bytes),
    /// Removes a record, if it is there.
    Delete(Space, Bytes),
    /// Removes every record after the owner's, up to and with this key.
    DeleteThrough(Space, Bytes),
}

impl Change {
    /// The space that is changed.
    pub(crate) fn space(&self) -> Space {
        match self {
            Self::Put(space, ..) | Self::Delete(space, _) | Self::DeleteThrough(space, _) => *space,
        }
    }
}

/// When a transaction finds out that another opening has taken the database over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Check {
    /// Before anything is written.
    Before,
    /// At the latest when it completes: quicker, for records that the new owner ignores.
    Alongside,
    /// Not at all: a check of a moment ago still holds.
    Leased,
}

/// Changes that are written together or not at all.
#[derive(Clone, Debug)]
pub(crate) struct Transaction {
    /// What is changed; not empty.
    pub changes: Vec<Change>,
    /// Whether it is on the disk when the transaction completes.
    pub durability: Durability,
    /// The owner that writes.
    pub owner: u32,
    /// How the ownership is checked.
    pub check: Check,
}

/// The records of the spaces that are read at start: all but the leaves.
#[derive(Debug, Default)]
pub(crate) struct Records(pub BTreeMap<Space, Vec<(Bytes, Bytes)>>);

impl Records {
    /// The records of a space in key order, without the owner's.
    pub(crate) fn of(&self, space: Space) -> impl Iterator<Item = &(Bytes, Bytes)> {
        self.0.get(&space).into_iter().flatten().filter(|(key, _)| key != OWNER_KEY)
    }

    /// One record.
    pub(crate) fn get(&self, space: Space, key: &[u8]) -> Option<&Bytes> {
        let records = self.0.get(&space)?;
        records.iter().find(|(found, _)| found == key).map(|(_, value)| value)
    }
}

/// Decides, from what the database holds, what the new owner writes first.
pub(crate) type Claim<'a> = Box<dyn FnOnce(Records) -> Result<Vec<Change>> + 'a>;

/// Where a run of leaves is looked for, within one table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LeafQuery<'a> {
    /// The first byte of every key of the table.
    pub table: u8,
    /// Forward: the run begins with the last record at or before this key. Backward: it ends with
    /// the last record before this key.
    pub key: &'a [u8],
    /// Whether the run goes backward.
    pub backward: bool,
    /// How many more records belong to the run.
    pub more: usize,
}

impl LeafQuery<'_> {
    /// Whether a record of this key may be the one that the run begins or ends with.
    pub(crate) fn covers(&self, key: &[u8]) -> bool {
        match key.cmp(self.key) {
            Ordering::Less => true,
            Ordering::Equal => !self.backward,
            Ordering::Greater => false,
        }
    }
}

/// Consecutive records of the leaves.
#[derive(Debug, Default)]
pub(crate) struct LeafRun {
    /// The records, in key order; none when no record of the table covers the key.
    pub records: Vec<(Bytes, Bytes)>,
    /// The key of the record of the table that follows the last of them or, when there is none,
    /// the key asked for.
    pub next: Option<Bytes>,
}

/// How much room there is, as far as the backend knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Room {
    /// Bytes in use.
    pub usage: Option<u64>,
    /// Bytes that may be used.
    pub quota: Option<u64>,
}

/// A place for records.
pub(crate) trait Backend {
    /// Takes the database over in one strict transaction: reads all records but the leaves, writes
    /// what `claim` decides. When that fails, nothing is written.
    fn claim<'a>(&'a self, claim: Claim<'a>) -> Operation<'a, ()>;

    /// Carries out a transaction; when this returns, it is as durable as asked for.
    fn write(&self, transaction: Transaction) -> Operation<'_, ()>;

    /// Reads leaves, all in one transaction.
    fn leaves<'a>(&'a self, query: LeafQuery<'a>) -> Operation<'a, LeafRun>;

    /// Keeps a blob, strictly.
    fn put_blob<'a>(&'a self, id: &'a str, blob: Blob) -> Operation<'a, ()>;

    /// Reads a blob.
    fn blob<'a>(&'a self, id: &'a str) -> Operation<'a, Option<Blob>>;

    /// Removes a blob.
    fn delete_blob<'a>(&'a self, id: &'a str) -> Operation<'a, ()>;

    /// How much room there is.
    fn room(&self) -> Operation<'_, Room>;

    /// Why the connection has ended, if it has.
    fn closed(&self) -> Option<Error>;

    /// Waits until it has ended, whether it is used or not.
    fn ended(&self) -> LocalBoxFuture<'_, Error>;

    /// Ends the connection; operations after this fail.
    fn close(&self);
}
