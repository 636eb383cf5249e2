//! The configurations of streams and consumers in the store: each twice, in two tables, so that no
//! damaged record loses one. A stream or consumer whose configuration can't be read in either place
//! is offline; its rows stay, and its id is not given to another.
//!
//! `QueueStreams` has the streams, and the consumers once more; `QueueConsumers` has the consumers,
//! and each stream once more under the consumer id 0, which no consumer has.

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{
    error::Result,
    json,
    reader::{self, Damaged, or_log},
};
use crate::store::{self, Batch, Direction, Key, KeyRange, KeyReader, Store, Table};

/// The consumer id that streams have in `QueueConsumers`.
const NO_CONSUMER: u64 = 0;
/// How many ids are skipped when it is not certain which was the last.
const MARGIN: u64 = 4096;

/// A configuration in the store.
pub(super) enum Stored<T> {
    Read(T),
    Offline(Offline),
}

/// A configuration that can't be read.
pub(super) struct Offline {
    pub(super) id: u64,
    /// The name of the stream or consumer, if that much can be read.
    pub(super) name: Option<String>,
    pub(super) cause: String,
}

impl Offline {
    /// Its name, or else a description that no name can be, and why it can't be read.
    pub(super) fn into_named(self, kind: &str) -> (String, String) {
        let Self { id, name, cause } = self;
        let name = name.unwrap_or_else(|| format!("{kind} {id}"));
        tracing::error!("the configuration of {kind} {name:?} can't be read: {cause}");
        (name, cause)
    }
}

/// The two places of a row.
type Places = [(Table, Key); 2];

/// Where the id of the next stream is stored. Ids are never used again.
fn next_places() -> Places {
    [(Table::QueueStreams, Key::new()), (Table::QueueConsumers, Key::new())]
}

fn stream_places(id: u64) -> Places {
    let key = Key::new().u64(id);
    [(Table::QueueStreams, key.clone()), (Table::QueueConsumers, key.u64(NO_CONSUMER))]
}

fn consumer_places(stream: u64, id: u64) -> Places {
    let key = Key::new().u64(stream).u64(id);
    [(Table::QueueConsumers, key.clone()), (Table::QueueStreams, key)]
}

fn put(batch: &mut Batch, places: Places, value: &impl Serialize) -> Result<()> {
    let value = serde_json::to_vec(value).map_err(store::Error::encoding)?;
    for (table, key) in places {
        batch.put(table, key, value.clone());
    }
    Ok(())
}

fn delete(batch: &mut Batch, places: Places) {
    for (table, key) in places {
        batch.delete(table, key);
    }
}

pub(super) fn put_next_stream(batch: &mut Batch, id: u64) -> Result<()> {
    put(batch, next_places(), &id)
}

pub(super) fn put_stream(batch: &mut Batch, id: u64, row: &impl Serialize) -> Result<()> {
    put(batch, stream_places(id), row)
}

pub(super) fn put_consumer(
    batch: &mut Batch,
    stream: u64,
    id: u64,
    row: &impl Serialize,
) -> Result<()> {
    put(batch, consumer_places(stream, id), row)
}

/// Puts the row of a consumer as it was stored.
pub(super) fn put_consumer_row(batch: &mut Batch, key: Vec<u8>, row: Bytes) {
    batch.put(Table::QueueConsumers, key.clone(), row.clone());
    batch.put(Table::QueueStreams, key, row);
}

pub(super) fn delete_stream(batch: &mut Batch, id: u64) {
    delete(batch, stream_places(id));
}

pub(super) fn delete_consumer(batch: &mut Batch, stream: u64, id: u64) {
    delete(batch, consumer_places(stream, id));
}

/// Whether the key of a row in `QueueConsumers` is that of a stream.
pub(super) fn is_of_stream(key: &[u8]) -> bool {
    let mut key = KeyReader::new(key);
    key.u64().is_some() && key.u64() == Some(NO_CONSUMER)
}

/// The id of the next stream, and the streams.
pub(super) async fn streams<T: DeserializeOwned>(store: &Store) -> Result<(u64, Vec<Stored<T>>)> {
    let rows = scan(store, Table::QueueStreams, KeyRange::all()).await?;
    let next = read::<u64>(store, next_places()).await?;
    let mut next = match (next, &rows) {
        (Some(Ok(next)), _) => next,
        (None, Some(_)) => 1,
        _ => next_unused(store).await?,
    };
    let ids = match rows {
        Some(rows) => {
            let whole = rows.iter().filter(|(key, _)| key.len() == size_of::<u64>());
            whole.filter_map(|(key, _)| KeyReader::new(key).u64()).collect()
        }
        None => Vec::from_iter(1..next),
    };
    next = ids.last().map_or(next, |last| next.max(last + 1));
    let mut streams = Vec::new();
    for id in ids {
        let stored = match read(store, stream_places(id)).await? {
            Some(Ok(row)) => Stored::Read(row),
            Some(Err((name, cause))) => {
                // A damaged record may have had this id or not, which other rows show.
                let traces = [Table::QueueStates, Table::QueueMessages];
                if name.is_none() && !has_rows(store, traces, Key::new().u64(id)).await? {
                    continue;
                }
                Stored::Offline(Offline { id, name, cause })
            }
            None => continue,
        };
        streams.push(stored);
    }
    Ok((next, streams))
}

/// The consumers of a stream whose next has the id `next`.
pub(super) async fn consumers<T: DeserializeOwned>(
    store: &Store,
    stream: u64,
    next: u64,
) -> Result<Vec<Stored<(u64, T)>>> {
    let range = KeyRange::prefix(Key::new().u64(stream));
    let ids = match scan(store, Table::QueueConsumers, range).await? {
        Some(rows) => {
            let rows = rows.iter().filter(|(key, _)| !is_of_stream(key));
            rows.filter_map(|(key, _)| key.last_chunk().map(|id| u64::from_be_bytes(*id))).collect()
        }
        None => Vec::from_iter(NO_CONSUMER + 1..next),
    };
    let mut consumers = Vec::new();
    for id in ids {
        let stored = match read(store, consumer_places(stream, id)).await? {
            Some(Ok(row)) => Stored::Read((id, row)),
            Some(Err((name, cause))) => {
                let key = Key::new().u64(stream).u64(id);
                if name.is_none() && !has_rows(store, [Table::QueueConsumerStates], key).await? {
                    continue;
                }
                Stored::Offline(Offline { id, name, cause })
            }
            None => continue,
        };
        consumers.push(stored);
    }
    Ok(consumers)
}

/// The rows of a range; `None` when a record is damaged that had some of them.
async fn scan(store: &Store, table: Table, range: KeyRange) -> Result<Option<Vec<(Bytes, Bytes)>>> {
    let rows = reader::scan(store, table, range, Direction::Forward, usize::MAX).await?;
    Ok(or_log(rows, "some of the queue's configurations"))
}

/// The row in the first of the places that can be read. When there is a row and neither can be
/// read: its name, if that can be read, and the cause.
async fn read<T: DeserializeOwned>(
    store: &Store,
    places: Places,
) -> Result<Option<Result<T, (Option<String>, String)>>> {
    let (mut name, mut found) = (None, None);
    for (table, key) in places {
        match reader::get(store, table, key).await? {
            // Both are written together.
            Ok(None) if found.is_none() => return Ok(None),
            Ok(None) => {}
            // Read as what clients send is, for each of which there is code already.
            Ok(Some(row)) => match json::parse(&row) {
                Ok(row) => return Ok(Some(Ok(row))),
                Err(cause) => {
                    let row = serde_json::from_slice::<Value>(&row).unwrap_or_default();
                    name = name.or_else(|| name_in(&row["config"]));
                    found.get_or_insert(cause.to_string());
                }
            },
            Err(Damaged(cause)) => _ = found.get_or_insert(cause),
        }
    }
    Ok(found.map(|cause| Err((name, cause))))
}

fn name_in(config: &Value) -> Option<String> {
    let names = ["name", "durable_name"].into_iter().filter_map(|field| config[field].as_str());
    names.filter(|name| !name.is_empty()).map(str::to_owned).next()
}

async fn has_rows<const N: usize>(store: &Store, tables: [Table; N], prefix: Key) -> Result<bool> {
    for table in tables {
        let range = KeyRange::prefix(&*prefix);
        let rows = reader::scan(store, table, range, Direction::Forward, 1).await?;
        if rows.is_ok_and(|rows| !rows.is_empty()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// An id above those of all streams that have rows.
async fn next_unused(store: &Store) -> Result<u64> {
    let (mut next, mut is_certain) = (1, true);
    for table in [
        Table::QueueStreams,
        Table::QueueStates,
        Table::QueueMessages,
        Table::QueueConsumers,
        Table::QueueSubjects,
    ] {
        match reader::scan(store, table, KeyRange::all(), Direction::Backward, 1).await? {
            Ok(rows) => {
                let last = rows.first().and_then(|(key, _)| KeyReader::new(key).u64());
                next = next.max(last.map_or(1, |last| last + 1));
            }
            Err(_) => is_certain = false,
        }
    }
    Ok(if is_certain { next } else { next + MARGIN })
}
