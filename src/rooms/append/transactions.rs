//! Requests that a client repeats make one event. spec: client-server §Transaction identifiers

use std::time::Duration;

use ruma::{OwnedEventId, RoomId};

use crate::{
    Result, platform,
    rooms::{NewEvent, Pdu, Rooms, Txn},
    store::{self, Batch, Direction, Key, KeyRange, KeyReader, Table},
};

/// How long a transaction is remembered: longer than a client keeps trying to send something,
/// those too that keep what is to be sent over a restart and come back after weeks.
const REMEMBERED: Duration = Duration::from_secs(30 * 24 * 60 * 60);
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
        let row = self.inner.store.get(Table::Transactions, key(room_id, new, txn)).await?;
        let Some(row) = row else { return Ok(None) };
        let id = std::str::from_utf8(&row).map_err(store::Error::encoding)?;
        Ok(Some(OwnedEventId::try_from(id).map_err(store::Error::encoding)?))
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
        let key = key(room_id, new, txn);
        let time = Key::new().u64(platform::now().get().into()).bytes(&key);
        batch.put(Table::TransactionTimes, time, []);
        batch.put(Table::Transactions, key, pdu.event_id.as_str());
    }

    /// Forgets the transactions that are old enough at `now`, in milliseconds since the Unix epoch.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn forget_transactions(&self, now: u64) -> Result<()> {
        let until = now.saturating_sub(REMEMBERED.as_millis() as u64);
        let range = KeyRange::between(Key::new(), Key::new().u64(until));
        let store = &self.inner.store;
        loop {
            let range = range.clone();
            let rows = store
                .scan(Table::TransactionTimes, range, Direction::Forward, FORGOTTEN_AT_ONCE)
                .await?;
            let all = rows.len() < FORGOTTEN_AT_ONCE;
            let mut batch = Batch::new();
            for (time, _) in rows {
                let mut reader = KeyReader::new(&time);
                if let Some(key) = reader.u64().and_then(|_| reader.bytes()) {
                    batch.delete(Table::Transactions, key);
                }
                batch.delete(Table::TransactionTimes, time);
            }
            if !batch.is_empty() {
                store.commit(batch).await?;
            }
            if all {
                return Ok(());
            }
        }
    }
}

/// A transaction id means something for one device and one path of the API.
pub(in crate::rooms) fn key(room_id: &RoomId, new: &NewEvent, txn: &Txn) -> Key {
    Key::new()
        .str(&txn.user_id)
        .str(&txn.device_id)
        .str(room_id)
        .str(new.redacts.as_ref().map_or_else(|| new.kind.to_string(), ToString::to_string))
        .str(&txn.txn_id)
}
