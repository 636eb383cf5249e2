//! Messages to devices. spec: client-server §Send-to-Device messaging

use std::collections::BTreeMap;

use ruma::{
    DeviceId, OwnedDeviceId, OwnedUserId, TransactionId, UserId, serde::Raw,
    to_device::DeviceIdOrAllDevices,
};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::{Users, device_record::device_key, remembered::Remembered, sessions::Session};
use crate::{
    Error, Result,
    feed::{Change, Position},
    json, lengths,
    store::{Batch, Direction, Key, KeyRange, KeyReader, Submission, Table},
};

/// The transactions of a device.
const TRANSACTIONS: Remembered = Remembered { table: Table::ToDeviceTransactions, limit: 512 };

/// After which time without a request, in milliseconds, a device counts as abandoned: 30 days.
const ABANDONED_AFTER: u64 = 30 * 24 * 60 * 60 * 1000;
/// How many messages wait for an abandoned device at most. For others there is no limit: whoever sends
/// many must not be able to remove the keys of rooms that wait there.
const ABANDONED: usize = 10_000;

/// The content for each device, or for all devices of a user.
pub type Messages<T> = BTreeMap<OwnedUserId, BTreeMap<DeviceIdOrAllDevices, Raw<T>>>;

#[derive(Serialize)]
struct Event<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    sender: &'a UserId,
    content: &'a RawValue,
}

fn message_key(user_id: &UserId, device_id: &DeviceId, position: Position) -> Key {
    device_key(user_id, device_id).u64(position)
}

impl Users {
    /// Sends a message to each of the devices that are there. A transaction that was seen before
    /// sends nothing.
    ///
    /// # Errors
    /// 400 `M_BAD_JSON`, 400 `M_INVALID_PARAM`, 413 `M_TOO_LARGE`
    pub async fn send_to_device<T>(
        &self,
        sender: &Session,
        transaction: &TransactionId,
        event_type: &str,
        messages: &Messages<T>,
    ) -> Result<()> {
        lengths::id("The type", event_type)?;
        for content in messages.values().flat_map(BTreeMap::values) {
            json::check_object(content.json())?;
            lengths::part("A message", content.json())?;
        }
        // A transaction id means something for one device and one path.
        // spec: client-server §Transaction identifiers
        let of_sender = device_key(&sender.user_id, &sender.device_id);
        let seen = Remembered::item(&of_sender).str(event_type).str(transaction);
        // Held until the transaction is durable: the same one at the same time waits for it.
        let _guard = self.inner.transactions.lock(seen.to_vec()).await;
        let store = &self.inner.store;
        if TRANSACTIONS.has(store, &seen).await? {
            return Ok(());
        }
        let mut batch = Batch::new();
        TRANSACTIONS.add(store, &mut batch, &of_sender, &seen).await?;
        let mut deliveries = Vec::new();
        for (user_id, devices) in messages {
            for (device, content) in devices {
                let event =
                    Event { kind: event_type, sender: &sender.user_id, content: content.json() };
                let event = to_raw_value(&event).map_err(Error::internal)?;
                match device {
                    DeviceIdOrAllDevices::DeviceId(device_id) => {
                        if self.device_record(user_id, device_id).await?.is_some() {
                            deliveries.push((user_id.clone(), device_id.clone(), event));
                        }
                    }
                    DeviceIdOrAllDevices::AllDevices => {
                        for device in self.devices(user_id).await? {
                            deliveries.push((user_id.clone(), device.device_id, event.clone()));
                        }
                    }
                }
            }
        }
        let deliver = |submission: &mut Submission| {
            for (user_id, device_id, event) in deliveries {
                let change =
                    Change::ToDevice { user_id: user_id.clone(), device_id: device_id.clone() };
                let position = self.inner.feed.record_now(submission, change);
                let key = message_key(&user_id, &device_id, position);
                submission.put(Table::ToDevice, key, event.get());
            }
            Ok(())
        };
        store.commit_with(batch, deliver).await
    }

    /// At most `limit` messages for a device after `after` up to and with `upto`, oldest first,
    /// each as the event that the device gets.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn to_device(
        &self,
        user_id: &UserId,
        device_id: &DeviceId,
        after: Position,
        upto: Position,
        limit: usize,
    ) -> Result<Vec<(Position, Box<RawValue>)>> {
        let range = KeyRange::between(
            message_key(user_id, device_id, after.saturating_add(1)),
            message_key(user_id, device_id, upto.saturating_add(1)),
        );
        let rows = self.inner.store.scan(Table::ToDevice, range, Direction::Forward, limit).await?;
        let mut messages = Vec::with_capacity(rows.len());
        for (key, event) in rows {
            let mut key = KeyReader::new(&key);
            let (Some(_), Some(_), Some(position)) = (key.str(), key.str(), key.u64()) else {
                continue;
            };
            messages.push((position, serde_json::from_slice(&event).map_err(Error::internal)?));
        }
        Ok(messages)
    }

    /// Deletes the messages for a device up to and with `upto`: it has them.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn acknowledge_to_device(
        &self,
        user_id: &UserId,
        device_id: &DeviceId,
        upto: Position,
    ) -> Result<()> {
        let range = KeyRange::between(
            message_key(user_id, device_id, 0),
            message_key(user_id, device_id, upto.saturating_add(1)),
        );
        let store = &self.inner.store;
        let rows = store.scan(Table::ToDevice, range, Direction::Forward, usize::MAX).await?;
        if rows.is_empty() {
            return Ok(());
        }
        let mut batch = Batch::new();
        for (key, _) in rows {
            batch.delete(Table::ToDevice, key);
        }
        Ok(store.commit(batch).await?)
    }

    /// Removes messages that nobody will fetch: those for devices that were deleted while the messages
    /// were sent, and the oldest of many for abandoned devices.
    ///
    /// # Errors
    /// When the store fails.
    pub(super) async fn expire_to_device(&self, now: u64) -> Result<()> {
        let store = &self.inner.store;
        let mut rest = KeyRange::all();
        loop {
            let next = store.scan(Table::ToDevice, rest.clone(), Direction::Forward, 1).await?;
            let Some((key, _)) = next.first() else { return Ok(()) };
            let mut parts = KeyReader::new(key);
            let (Some(user_id), Some(device_id)) = (parts.str(), parts.str()) else {
                return Ok(());
            };
            let user_id = OwnedUserId::try_from(user_id).map_err(Error::internal)?;
            let device_id = OwnedDeviceId::from(device_id);
            let messages = KeyRange::prefix(device_key(&user_id, &device_id));
            rest.start = messages.end.clone();
            // So that nobody logs in with the device's id meanwhile.
            let _guard = self.inner.locks.lock(user_id.clone()).await;
            let kept = match self.device_record(&user_id, &device_id).await? {
                None => 0,
                Some(device) => match device.last_seen {
                    Some(seen) if now.saturating_sub(seen) > ABANDONED_AFTER => ABANDONED,
                    _ => continue,
                },
            };
            store.trim(Table::ToDevice, messages, kept, |_, _| {}).await?;
        }
    }
}
