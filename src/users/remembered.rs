//! What is remembered of a device's past, to know it again when it is repeated: the newest so many
//! of a kind, so that no device's memory grows without bound.
//!
//! Its rows are user, device, 0, item → nothing, and user, device, 1, place → the key of the item's
//! row.

use ruma::{DeviceId, OwnedDeviceId, OwnedUserId, UserId};

use crate::{
    Result,
    store::{
        Batch, Declaration, Erasure, Expiry, Key, KeyOf, Nothing, Remainder, Rows, Store, Table,
    },
};

/// The number in the keys of items, and in those of places.
const ITEM: u64 = 0;
const PLACE: u64 = 1;

type Item = (OwnedUserId, OwnedDeviceId, u64, Remainder);
type Place = (OwnedUserId, OwnedDeviceId, u64, u64);

/// Whose past it is.
type Device<'a> = (&'a UserId, &'a DeviceId);

/// A table of what is remembered.
pub(super) struct Remembered {
    items: Rows<Item, Nothing>,
    places: Rows<Place, KeyOf<Item>>,
}

impl Remembered {
    /// Declares a table that remembers so much of each device.
    pub(super) const fn new(table: Table, limit: usize) -> Self {
        let items = Rows::new(table, Erasure::Removed).expiring(Expiry::Newest(limit));
        Self { places: items.view(), items }
    }

    pub(super) const fn declaration(&self) -> Declaration {
        self.items.declaration()
    }

    /// The key of an item's row.
    pub(super) fn key(&self, (user_id, device_id): Device<'_>, item: &Key) -> Key {
        self.items.key((user_id, device_id, ITEM, item))
    }

    /// Whether an item is remembered.
    pub(super) async fn has(
        &self,
        store: &Store,
        (user_id, device_id): Device<'_>,
        item: &Key,
    ) -> Result<bool> {
        Ok(self.items.has(store, (user_id, device_id, ITEM, item)).await?)
    }

    /// Writes into `batch` that an item is remembered, and forgets the oldest where it is one too
    /// many.
    pub(super) async fn add(
        &self,
        store: &Store,
        batch: &mut Batch,
        (user_id, device_id): Device<'_>,
        item: &Key,
    ) -> Result<()> {
        let places = self.places.scan((user_id, device_id, PLACE));
        let newest = places.backward().first_key(store).await?;
        let place = 1 + newest.map_or(0, |(place,)| place);
        let limit = self.declaration().most() as u64;
        let oldest = (user_id, device_id, PLACE, place.saturating_sub(limit));
        if let Some(forgotten) = self.places.get(store, oldest).await? {
            self.places.delete(batch, oldest);
            self.items.delete(batch, forgotten);
        }
        self.items.put(batch, (user_id, device_id, ITEM, item));
        self.places.put(
            batch,
            (user_id, device_id, PLACE, place),
            (user_id, device_id, ITEM, item),
        );
        Ok(())
    }
}
