//! The backend in a browser: IndexedDB.
//!
//! Each space is an object store, keys are binary, values are byte arrays. Transactions are
//! committed explicitly, which saves waiting for the browser to notice that they are complete.

mod connection;
mod failure;
mod log;
mod migrations;
mod reads;
mod writes;

use std::rc::Rc;

use futures::{FutureExt, future::LocalBoxFuture};
use indexed_db_futures::{
    Build,
    database::Database,
    transaction::{Transaction as Idb, TransactionDurability, TransactionMode, TransactionOptions},
};

pub(super) use self::connection::delete;
use self::{connection::Connection, failure::Failure};
use super::{
    Blob, Durability, Error, Options, Result,
    engine::backend::{Backend, Claim, LeafQuery, LeafRun, Operation, Room, Transaction},
};

/// The object store of the blobs; its keys are their ids.
const BLOBS: &str = "blobs";

/// A connection to a database of this browser.
pub(super) struct IndexedDb {
    connection: Connection,
}

impl IndexedDb {
    /// Opens the database of this name, or makes it.
    ///
    /// # Errors
    /// When it is not Neurite's, has a newer schema, or is blocked.
    pub(super) async fn open(name: &str, options: &Options) -> Result<Rc<Self>> {
        let connection = Connection::open(name, options.patience).await?;
        Ok(Rc::new(Self { connection }))
    }

    /// Begins a transaction that reads.
    fn read<'a>(&self, database: &'a Database, store: &str) -> Result<Idb<'a>> {
        let transaction = database.transaction(store).with_mode(TransactionMode::Readonly);
        transaction.build().map_err(|cause| self.connection.failure(cause))
    }

    /// Begins a transaction that writes.
    fn begin<'a>(
        &self,
        database: &'a Database,
        stores: &[&str],
        durability: Durability,
    ) -> Result<Idb<'a>> {
        let durability = match durability {
            Durability::Strict => TransactionDurability::Strict,
            Durability::Relaxed => TransactionDurability::Relaxed,
        };
        let transaction = database
            .transaction(stores)
            .with_mode(TransactionMode::Readwrite)
            .with_options(TransactionOptions::new().with_durability(durability))
            .build()
            .map_err(|cause| self.connection.failure(cause))?;
        Failure::only_from_the_end(&transaction);
        Ok(transaction)
    }
}

impl Backend for IndexedDb {
    fn claim<'a>(&'a self, claim: Claim<'a>) -> Operation<'a, ()> {
        self.take_over(claim).boxed_local()
    }

    fn write(&self, transaction: Transaction) -> Operation<'_, ()> {
        self.carry_out(transaction).boxed_local()
    }

    fn leaves<'a>(&'a self, query: LeafQuery<'a>) -> Operation<'a, LeafRun> {
        self.read_leaves(query).boxed_local()
    }

    fn put_blob<'a>(&'a self, id: &'a str, blob: Blob) -> Operation<'a, ()> {
        self.write_blob(id, Some(blob)).boxed_local()
    }

    fn blob<'a>(&'a self, id: &'a str) -> Operation<'a, Option<Blob>> {
        self.read_blob(id).boxed_local()
    }

    fn delete_blob<'a>(&'a self, id: &'a str) -> Operation<'a, ()> {
        self.write_blob(id, None).boxed_local()
    }

    fn room(&self) -> Operation<'_, Room> {
        async { Ok(reads::room().await) }.boxed_local()
    }

    fn closed(&self) -> Option<Error> {
        self.connection.closed()
    }

    fn ended(&self) -> LocalBoxFuture<'_, Error> {
        self.connection.ended().boxed_local()
    }

    fn close(&self) {
        self.connection.close(Error::Closed("it was stopped".to_owned()));
    }
}
