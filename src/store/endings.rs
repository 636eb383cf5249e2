//! Which rows end, by what is declared of their tables.

use bytes::Bytes;
use ruma::{DeviceId, OwnedRoomId, UserId};

use super::{
    Declaration, Direction, Erasure, Error, Expiry, Key, KeyRange, KeyReader, Kind, Result, Store,
};

impl Declaration {
    /// The keys of the rows that go when a user is erased who has had to do with these rooms.
    ///
    /// # Errors
    /// When the store can't be read.
    pub(crate) async fn rows_of_user(
        &self,
        store: &Store,
        user_id: &UserId,
        rooms: &[OwnedRoomId],
    ) -> Result<Vec<Bytes>> {
        if self.erasure != Erasure::Removed {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        let places = self.key.iter().enumerate().filter(|(_, kind)| **kind == Kind::User);
        for (place, _) in places {
            match self.key.get(..place) {
                Some([]) => found.extend(self.keys(store, Key::new().str(user_id)).await?),
                Some([Kind::Room]) => {
                    for room_id in rooms {
                        let prefix = Key::new().str(room_id).str(user_id);
                        found.extend(self.keys(store, prefix).await?);
                    }
                }
                _ => {
                    let keys = self.keys(store, Key::new()).await?.into_iter();
                    found.extend(keys.filter(|key| self.names(key, place, user_id)));
                }
            }
        }
        Ok(found)
    }

    /// The keys of the rows that go with a device.
    ///
    /// # Errors
    /// When the store can't be read.
    pub(crate) async fn rows_of_device(
        &self,
        store: &Store,
        user_id: &UserId,
        device_id: &DeviceId,
    ) -> Result<Vec<Bytes>> {
        match (self.erasure, self.key) {
            (Erasure::Removed, [Kind::User, Kind::Device, ..]) => {
                self.keys(store, Key::new().str(user_id).str(device_id)).await
            }
            _ => Ok(Vec::new()),
        }
    }

    /// The keys of the rows whose time is over at `now`, in milliseconds since the Unix epoch. Rows
    /// that can't be read are logged.
    ///
    /// # Errors
    /// When the store can't be read.
    pub(crate) async fn expired(&self, store: &Store, now: u64) -> Result<Vec<Bytes>> {
        let Expiry::At(expires) = self.expiry else { return Ok(Vec::new()) };
        let rows = store.scan(self.table, KeyRange::all(), Direction::Forward, usize::MAX).await?;
        let is_over = |key: &Bytes, row| match expires(row) {
            Ok(expires) => expires <= now,
            Err(cause) => {
                let cause = Error::unreadable(self.table, key, &cause);
                tracing::warn!("a row may have expired: {cause}");
                false
            }
        };
        Ok(rows.into_iter().filter_map(|(key, row)| is_over(&key, row).then_some(key)).collect())
    }

    async fn keys(&self, store: &Store, prefix: Key) -> Result<Vec<Bytes>> {
        let range = KeyRange::prefix(prefix);
        let rows = store.scan(self.table, range, Direction::Forward, usize::MAX).await?;
        Ok(rows.into_iter().map(|(key, _)| key).collect())
    }

    /// Whether the part of a key at this place is a user's id.
    fn names(&self, key: &[u8], place: usize, user_id: &UserId) -> bool {
        let mut reader = KeyReader::new(key);
        let before = self.key.iter().take(place);
        let skipped = before.map(|kind| match kind {
            Kind::Number => reader.u64().map(|_| ()),
            _ => reader.bytes().map(|_| ()),
        });
        let part = skipped.collect::<Option<()>>().and_then(|()| reader.bytes());
        if part.is_none() {
            let cause = Error::unreadable(self.table, key, &"the key is of another form");
            tracing::warn!("a row may be an erased user's: {cause}");
        }
        part.is_some_and(|part| part == user_id.as_bytes())
    }
}
