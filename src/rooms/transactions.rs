//! Requests that a client repeats make one event. spec: client-server §Transaction identifiers

use ruma::{OwnedEventId, RoomId};

use super::{NewEvent, Pdu, Rooms, Txn};
use crate::{
    Result,
    store::{self, Batch, Key, Table},
};

impl Rooms {
    /// The event that the same transaction made before.
    pub(super) async fn transaction(
        &self,
        room_id: &RoomId,
        new: &NewEvent,
        txn: &Txn,
    ) -> Result<Option<OwnedEventId>> {
        let row = self.inner.store.get(Table::Transactions, key(room_id, new, txn)).await?;
        let Some(row) = row else { return Ok(None) };
        let id = std::str::from_utf8(&row).map_err(store::Error::encoding)?;
        Ok(Some(OwnedEventId::try_from(id).map_err(store::Error::encoding)?))
    }

    /// Remembers which event a transaction made.
    pub(super) fn record_transaction(
        &self,
        batch: &mut Batch,
        room_id: &RoomId,
        new: &NewEvent,
        txn: &Txn,
        pdu: &Pdu,
    ) {
        batch.put(Table::Transactions, key(room_id, new, txn), pdu.event_id.as_str());
    }
}

/// A transaction id means something for one device and one path of the API.
pub(super) fn key(room_id: &RoomId, new: &NewEvent, txn: &Txn) -> Key {
    Key::new()
        .str(&txn.user_id)
        .str(&txn.device_id)
        .str(room_id)
        .str(new.redacts.as_ref().map_or_else(|| new.kind.to_string(), ToString::to_string))
        .str(&txn.txn_id)
}
