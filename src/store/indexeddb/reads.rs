//! Reads.

use bytes::Bytes;
use indexed_db_futures::{
    KeyRange,
    cursor::{Cursor, CursorDirection},
    object_store::ObjectStore,
    prelude::*,
};
use js_sys::{Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use super::{BLOBS, IndexedDb};
use crate::store::{
    Blob, Error, Result,
    engine::backend::{LeafQuery, LeafRun, Room, Space},
};

/// A key as IndexedDB takes it.
pub(super) fn to_key(key: &[u8]) -> JsValue {
    Uint8Array::from(key).into()
}

/// A key as IndexedDB gives it: an ArrayBuffer.
pub(super) fn from_key(key: &JsValue) -> Bytes {
    Uint8Array::new(key).to_vec().into()
}

/// A value; one that is not bytes was not written here, and is shown as an empty record, which is
/// corrupt.
pub(super) fn from_value(value: JsValue) -> Bytes {
    value.dyn_into::<Uint8Array>().map(|value| value.to_vec()).unwrap_or_default().into()
}

impl IndexedDb {
    /// Reads consecutive leaves: one request finds the leaf, another what follows it, both at once.
    pub(super) async fn read_leaves(&self, query: LeafQuery<'_>) -> Result<LeafRun> {
        let database = self.connection.database()?;
        let store = Space::Leaves.name();
        let transaction = self.read(database, store)?;
        let run = async {
            let store = transaction.object_store(store)?;
            let (key, from, to) =
                (to_key(query.key), to_key(&[query.table]), to_key(&[query.table + 1]));
            let covering = KeyRange::Bound(from, false, key.clone(), query.backward);
            let covering = store
                .open_cursor()
                .with_query::<JsValue, _>(covering)
                .with_direction(CursorDirection::Prev)
                .primitive()?;
            if query.backward {
                let next = if query.key == [query.table + 1] {
                    None
                } else {
                    let after = KeyRange::Bound(key, false, to, true);
                    Some(store.get_key::<JsValue, _>(after).primitive()?)
                };
                let records = backward(covering.await?, query.more).await?;
                let next = match next {
                    Some(next) => next.await?.as_ref().map(from_key),
                    None => None,
                };
                return Ok(LeafRun { records, next });
            }
            let after = KeyRange::Bound(key, true, to, true);
            let following = Following::ask(&store, after, query.more)?;
            let mut run = LeafRun { records: backward(covering.await?, 0).await?, next: None };
            following.add_to(&mut run).await?;
            Ok(run)
        };
        run.await.map_err(|cause| self.connection.failure(cause))
    }

    pub(super) async fn read_blob(&self, id: &str) -> Result<Option<Blob>> {
        let database = self.connection.database()?;
        let transaction = self.read(database, BLOBS)?;
        let found = async {
            let store = transaction.object_store(BLOBS)?;
            store.get::<JsValue, _, _>(id).primitive()?.await
        };
        let found: Option<JsValue> = found.await.map_err(|cause| self.connection.failure(cause))?;
        found
            .map(|blob| {
                let blob = blob.dyn_into::<web_sys::Blob>();
                blob.map(Blob::from).map_err(|_| Error::Corrupt(format!("blob {id}")))
            })
            .transpose()
    }
}

/// The record at a cursor and `more` before it, in key order.
async fn backward(
    cursor: Option<Cursor<'_, ObjectStore<'_>>>,
    more: usize,
) -> indexed_db_futures::Result<Vec<(Bytes, Bytes)>> {
    let mut records = Vec::new();
    if let Some(mut cursor) = cursor {
        while records.len() <= more
            && let Some(value) = cursor.next_record::<JsValue>().await?
            && let Some(key) = cursor.key::<JsValue>()?
        {
            records.push((from_key(&key), from_value(value)));
        }
    }
    records.reverse();
    Ok(records)
}

/// The records after a key, being asked for.
struct Following<Values, Keys> {
    values: Option<Values>,
    keys: Keys,
    more: usize,
}

type Values = indexed_db_futures::future::GetAllPrimitiveRequest<JsValue>;

impl Following<Values, Values> {
    fn ask(
        store: &ObjectStore<'_>,
        range: KeyRange<JsValue>,
        more: usize,
    ) -> indexed_db_futures::Result<Self> {
        let values = if more == 0 {
            None
        } else {
            let values = store.get_all::<JsValue>().with_query::<JsValue, _>(range.clone());
            Some(values.with_limit(more as u32).primitive()?)
        };
        // One key more: that of the record after the run.
        let keys = store.get_all_keys::<JsValue>().with_query::<JsValue, _>(range);
        Ok(Self { values, keys: keys.with_limit(more as u32 + 1).primitive()?, more })
    }

    async fn add_to(self, run: &mut LeafRun) -> indexed_db_futures::Result<()> {
        let values = match self.values {
            Some(values) => values.await?.collect::<indexed_db_futures::Result<Vec<_>>>()?,
            None => Vec::new(),
        };
        let keys = self.keys.await?.collect::<indexed_db_futures::Result<Vec<_>>>()?;
        run.next = keys.get(self.more).map(from_key);
        let values = values.into_iter().map(from_value);
        run.records.extend(keys.iter().map(from_key).zip(values));
        Ok(())
    }
}

/// What `navigator.storage.estimate()` says.
pub(super) async fn room() -> Room {
    let estimate = async {
        let storage = get(&get(&js_sys::global(), "navigator")?, "storage")?;
        let estimate = get(&storage, "estimate")?.dyn_into::<js_sys::Function>()?;
        JsFuture::from(estimate.call0(&storage)?.dyn_into::<js_sys::Promise>()?).await
    };
    // A browser without it tells nothing.
    let estimate: Result<JsValue, JsValue> = estimate.await;
    let number = |name| {
        let number = get(estimate.as_ref().ok()?, name).ok()?.as_f64()?;
        Some(number as u64)
    };
    Room { usage: number("usage"), quota: number("quota") }
}

fn get(object: &JsValue, name: &str) -> Result<JsValue, JsValue> {
    Reflect::get(object, &name.into())
}
