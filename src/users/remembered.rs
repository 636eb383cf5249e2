//! What is remembered of a device's past, to know it again when it is repeated: the newest so many
//! of a kind, so that no device's memory grows without bound.
//!
//! Its rows are owner, 0, item → nothing, and owner, 1, place → the item's row.

use crate::{
    Result,
    store::{Batch, Direction, Key, KeyRange, Store, Table},
};

/// A table of what is remembered, and how much of it for each owner.
pub(super) struct Remembered {
    pub(super) table: Table,
    pub(super) limit: u64,
}

/// The bytes of a place at the end of its row's key.
const PLACE: usize = size_of::<u64>();

impl Remembered {
    /// The row of an item, which the caller adds to it.
    pub(super) fn item(owner: &Key) -> Key {
        owner.clone().u64(0)
    }

    /// Whether an item is remembered.
    pub(super) async fn has(&self, store: &Store, item: &Key) -> Result<bool> {
        Ok(store.get(self.table, item).await?.is_some())
    }

    /// Writes into `batch` that an item is remembered, and forgets the oldest where it is one too
    /// many.
    pub(super) async fn add(
        &self,
        store: &Store,
        batch: &mut Batch,
        owner: &Key,
        item: &Key,
    ) -> Result<()> {
        let places = owner.clone().u64(1);
        let range = KeyRange::prefix(places.clone());
        let newest = store.scan(self.table, range, Direction::Backward, 1).await?;
        let newest = newest.first().and_then(|(key, _)| key.last_chunk::<PLACE>());
        let place = 1 + newest.copied().map(u64::from_be_bytes).unwrap_or_default();
        let oldest = places.clone().u64(place.saturating_sub(self.limit));
        if let Some(forgotten) = store.get(self.table, &oldest).await? {
            batch.delete(self.table, oldest);
            batch.delete(self.table, forgotten);
        }
        batch.put(self.table, &**item, []);
        batch.put(self.table, places.u64(place), &**item);
        Ok(())
    }
}
