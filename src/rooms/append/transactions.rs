//! Requests that a client repeats make one event. spec: client-server §Transaction identifiers

use std::time::Duration;

use ruma::{DeviceId, OwnedDeviceId, OwnedEventId, OwnedRoomId, OwnedUserId, RoomId, UserId};

use crate::{
    Result, platform,
    rooms::{NewEvent, Pdu, Rooms, Txn},
    store::{Batch, Erasure, Expiry, Key, Nested, Nothing, Rows, Table, Text},
};

type Transaction = (OwnedUserId, OwnedDeviceId, OwnedRoomId, String, String);

/// User, device, room, event type or redacted event, transaction id → event id.
pub(in crate::rooms) const TRANSACTIONS: Rows<Transaction, Text<OwnedEventId>> =
    Rows::new(Table::Transactions, Erasure::Expires)
        .expiring(Expiry::With(Table::TransactionTimes));
/// Time, key of a transaction → nothing. It is remembered for longer than a client keeps trying to send
/// something, those too that keep what is to be sent over a restart and come back after weeks.
pub(in crate::rooms) const TRANSACTION_TIMES: Rows<(u64, Nested<Transaction>), Nothing> =
    Rows::new(Table::TransactionTimes, Erasure::Expires)
        .expiring(Expiry::After(Duration::from_secs(30 * 24 * 60 * 60)));

/// How many transactions are forgotten in one batch.
const FORGOTTEN_AT_ONCE: usize = 1000;

impl Rooms {
    /// The event that the same transaction made before.
    pub(in crate::rooms) async fn transaction(
        &self,
        room_id: &RoomId,
        new: &NewEvent,
        txn: &Txn,
    ) -> Result<Option<OwnedEventId>> {
        Ok(TRANSACTIONS.get(&self.inner.store, place(room_id, new, txn)).await?)
    }

    /// Remembers which event a transaction made.
    pub(in crate::rooms) fn record_transaction(
        &self,
        batch: &mut Batch,
        room_id: &RoomId,
        new: &NewEvent,
        txn: &Txn,
        pdu: &Pdu,
    ) {
        let (now, place) = (platform::unix_millis(), place(room_id, new, txn));
        TRANSACTION_TIMES.put(batch, (now, TRANSACTIONS.key(&place)));
        TRANSACTIONS.put(batch, place, &pdu.event_id);
    }

    /// Forgets the transactions that are old enough at `now`, in milliseconds since the Unix epoch.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn forget_transactions(&self, now: u64) -> Result<()> {
        let until = now.saturating_sub(TRANSACTION_TIMES.declaration().lifetime());
        let store = &self.inner.store;
        let mut times = TRANSACTION_TIMES.scan(()).until((until,));
        while let Some(page) = times.next_page(store, FORGOTTEN_AT_ONCE).await? {
            let mut batch = Batch::new();
            for ((time, Nested(transaction)), ()) in page {
                TRANSACTION_TIMES.delete(&mut batch, (time, TRANSACTIONS.key(&transaction)));
                TRANSACTIONS.delete(&mut batch, transaction);
            }
            if !batch.is_empty() {
                store.commit(batch).await?;
            }
        }
        Ok(())
    }
}

/// A transaction id means something for one device and one path of the API.
fn place<'a>(
    room_id: &'a RoomId,
    new: &NewEvent,
    txn: &'a Txn,
) -> (&'a UserId, &'a DeviceId, &'a RoomId, String, &'a str) {
    let target = new.redacts.as_ref().map_or_else(|| new.kind.to_string(), ToString::to_string);
    (&txn.user_id, &txn.device_id, room_id, target, txn.txn_id.as_str())
}

/// What it is known by.
pub(in crate::rooms) fn key(room_id: &RoomId, new: &NewEvent, txn: &Txn) -> Key {
    TRANSACTIONS.key(place(room_id, new, txn))
}
