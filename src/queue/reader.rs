//! Reading the store where it may be damaged. Damage is a value here and not an error, so that each
//! caller says what takes the place of what can't be read. Without a replacement it is logged.

use std::fmt::Display;

use bytes::Bytes;

use super::error::Result;
use crate::store::{self, Direction, KeyRange, Store, Table};

/// Why something can't be read: its record in the store is damaged.
#[derive(Debug)]
pub(super) struct Damaged(pub(super) String);

pub(super) type Readable<T> = std::result::Result<T, Damaged>;

/// A row.
pub(super) async fn get(
    store: &Store,
    table: Table,
    key: impl AsRef<[u8]>,
) -> Result<Readable<Option<Bytes>>> {
    readable(store.get(table, key).await)
}

/// At most `limit` rows of a range, with their keys.
pub(super) async fn scan(
    store: &Store,
    table: Table,
    range: KeyRange,
    direction: Direction,
    limit: usize,
) -> Result<Readable<Vec<(Bytes, Bytes)>>> {
    readable(store.scan(table, range, direction, limit).await)
}

fn readable<T>(read: store::Result<T>) -> Result<Readable<T>> {
    match read {
        Ok(value) => Ok(Ok(value)),
        Err(store::Error::Corrupt(cause)) => Ok(Err(Damaged(cause))),
        Err(cause) => Err(cause.into()),
    }
}

/// What was read; `None` where it can't be, which is logged with `what` it is.
pub(super) fn or_log<T>(read: Readable<T>, what: impl Display) -> Option<T> {
    match read {
        Ok(value) => Some(value),
        Err(Damaged(cause)) => {
            tracing::error!("{what} can't be read: {cause}");
            None
        }
    }
}
