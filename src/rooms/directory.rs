//! The published rooms of this server. spec: client-server §Published room directory

use ruma::RoomId;

use super::Rooms;
use crate::{
    Result,
    store::{Batch, Key, Table},
};

impl Rooms {
    /// Whether the directory lists a room.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn is_published(&self, room_id: &RoomId) -> Result<bool> {
        let row = self.inner.store.get(Table::PublishedRooms, Key::new().str(room_id)).await?;
        Ok(row.is_some())
    }

    /// Lists a room in the directory, or no longer.
    ///
    /// # Errors
    /// 404 `M_NOT_FOUND` when there is no such room.
    pub async fn set_published(&self, room_id: &RoomId, published: bool) -> Result<()> {
        self.room(room_id).await?;
        let mut batch = Batch::new();
        self.write_published(&mut batch, room_id, published);
        Ok(self.inner.store.commit(batch).await?)
    }

    pub(super) fn write_published(&self, batch: &mut Batch, room_id: &RoomId, published: bool) {
        let key = Key::new().str(room_id);
        match published {
            true => batch.put(Table::PublishedRooms, key, *b"{}"),
            false => batch.delete(Table::PublishedRooms, key),
        }
    }
}
