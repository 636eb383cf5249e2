//! Writes.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures::future::join;
use indexed_db_futures::{KeyRange, object_store::ObjectStore, prelude::*, transaction};
use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;

use super::{
    BLOBS, IndexedDb,
    failure::{self, Failure},
    reads::{from_key, from_value, to_key},
};
use crate::store::{
    Blob, Durability, Error, Result,
    engine::{
        backend::{Change, Check, Claim, OWNER_KEY, Records, Space, Transaction},
        facts::Owner,
    },
};

type Idb<T> = indexed_db_futures::Result<T>;

impl IndexedDb {
    pub(super) async fn take_over(&self, claim: Claim<'_>) -> Result<()> {
        let database = self.connection.database()?;
        let stores = Space::ALL.map(Space::name);
        let transaction = self.begin(database, &stores, Durability::Strict)?;
        let end = Failure::of(&transaction);
        let records = read_all(&transaction).await.map_err(|cause| end.explain(cause))?;
        // On an error the transaction is dropped here, and so aborted.
        let changes = claim(records)?;
        request(&transaction, &changes).map_err(|cause| end.explain(cause))?;
        transaction.commit().await.map_err(|cause| self.explain(&end, cause))
    }

    pub(super) async fn carry_out(&self, asked: Transaction) -> Result<()> {
        let database = self.connection.database()?;
        let spaces: BTreeSet<Space> = asked.changes.iter().map(Change::space).collect();
        let stores: Vec<&str> = spaces.iter().map(|space| space.name()).collect();
        let transaction = self.begin(database, &stores, asked.durability)?;
        let end = Failure::of(&transaction);
        let explain = |cause| self.explain(&end, cause);
        let owner = Owner::record(asked.owner);
        let is_ours =
            |found: Option<JsValue>| found.is_some_and(|found| from_value(found) == owner);
        let mut checks = Vec::new();
        let checked = if asked.check == Check::Leased { Vec::new() } else { stores };
        for store in checked {
            let store = transaction.object_store(store).map_err(explain)?;
            let owner = store.get::<JsValue, _, _>(to_key(OWNER_KEY)).primitive();
            checks.push(owner.map_err(explain)?);
        }
        match asked.check {
            Check::Before => {
                for check in checks {
                    if !is_ours(check.await.map_err(explain)?) {
                        return Err(self.taken_over());
                    }
                }
                request(&transaction, &asked.changes).map_err(explain)?;
                transaction.commit().await.map_err(explain)
            }
            Check::Alongside | Check::Leased => {
                request(&transaction, &asked.changes).map_err(explain)?;
                let checks = futures::future::try_join_all(checks);
                let (found, outcome) = join(checks, transaction.commit()).await;
                outcome.map_err(explain)?;
                if found.map_err(explain)?.into_iter().all(is_ours) {
                    Ok(())
                } else {
                    Err(self.taken_over())
                }
            }
        }
    }

    pub(super) async fn write_blob(&self, id: &str, blob: Option<Blob>) -> Result<()> {
        let database = self.connection.database()?;
        let transaction = self.begin(database, &[BLOBS], Durability::Strict)?;
        let end = Failure::of(&transaction);
        let explain = |cause| self.explain(&end, cause);
        let store = transaction.object_store(BLOBS).map_err(explain)?;
        let Some(blob) = blob else {
            store.delete::<&str, _>(id).primitive().map_err(explain)?;
            return transaction.commit().await.map_err(explain);
        };
        let value: &JsValue = blob.as_web().as_ref();
        let put = store.put(value.clone()).with_key(id).without_key_type().primitive();
        let put = put.map_err(explain)?;
        let (put, outcome) = join(put, transaction.commit()).await;
        outcome.map_err(|cause| match put.err().map(failure::from) {
            // Of blobs, Firefox says it of the request and not of the transaction.
            Some(Error::QuotaExceeded) => Error::QuotaExceeded,
            _ => explain(cause),
        })
    }

    fn explain(&self, end: &Failure, cause: indexed_db_futures::error::Error) -> Error {
        self.connection.closed().unwrap_or_else(|| end.explain(cause))
    }

    fn taken_over(&self) -> Error {
        let cause = Error::taken_over();
        self.connection.close(cause.clone());
        cause
    }
}

/// Reads every space but the leaves.
async fn read_all(transaction: &transaction::Transaction<'_>) -> Idb<Records> {
    let mut asked = Vec::new();
    for space in Space::READ_AT_START {
        let store = transaction.object_store(space.name())?;
        let keys = store.get_all_keys::<JsValue>().primitive()?;
        asked.push((space, keys, store.get_all::<JsValue>().primitive()?));
    }
    let mut records = Records::default();
    for (space, keys, values) in asked {
        let keys = keys.await?.collect::<Idb<Vec<_>>>()?;
        let values = values.await?.collect::<Idb<Vec<_>>>()?;
        let keys = keys.iter().map(from_key);
        records.0.insert(space, keys.zip(values.into_iter().map(from_value)).collect());
    }
    Ok(records)
}

/// Makes the requests of all changes; the transaction's end tells how they went.
fn request(transaction: &transaction::Transaction<'_>, changes: &[Change]) -> Idb<()> {
    for change in changes {
        let store = transaction.object_store(change.space().name())?;
        match change {
            Change::Put(_, key, value) => put(&store, key, value)?,
            Change::Delete(_, key) => {
                store.delete::<JsValue, _>(to_key(key)).primitive()?;
            }
            Change::DeleteThrough(_, last) => {
                let range = KeyRange::Bound(to_key(OWNER_KEY), true, to_key(last), false);
                store.delete::<JsValue, _>(range).primitive()?;
            }
        }
    }
    Ok(())
}

fn put(store: &ObjectStore<'_>, key: &Bytes, value: &Bytes) -> Idb<()> {
    let value: JsValue = Uint8Array::from(&value[..]).into();
    store.put(value).with_key(to_key(key)).without_key_type().primitive()?;
    Ok(())
}
