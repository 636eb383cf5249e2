//! Messages to devices. spec: client-server §Send-to-Device messaging

use std::collections::BTreeMap;

use ruma::{
    DeviceId, OwnedDeviceId, OwnedUserId, TransactionId, UserId, serde::Raw,
    to_device::DeviceIdOrAllDevices,
};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::{Users, remembered::Remembered, sessions::Session};
use crate::{
    Error, Result,
    feed::{Change, Position},
    json, lengths,
    store::{Batch, Erasure, Expiry, Key, RawJson, Rows, Submission, Table},
};

/// User, device, position → message to the device.
pub(super) const TO_DEVICE: Rows<(OwnedUserId, OwnedDeviceId, Position), RawJson> =
    Rows::new(Table::ToDevice, Erasure::Removed).expiring(Expiry::Newest(ABANDONED));
/// The transactions of a device: event type, transaction id.
pub(super) const TO_DEVICE_TRANSACTIONS: Remembered =
    Remembered::new(Table::ToDeviceTransactions, 512);

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
        let of_sender = (&*sender.user_id, &*sender.device_id);
        let seen = Key::new().str(event_type).str(transaction);
        // Held until the transaction is durable: the same one at the same time waits for it.
        let only = TO_DEVICE_TRANSACTIONS.key(of_sender, &seen);
        let _guard = self.inner.transactions.lock(only.into()).await;
        let store = &self.inner.store;
        if TO_DEVICE_TRANSACTIONS.has(store, of_sender, &seen).await? {
            return Ok(());
        }
        let mut batch = Batch::new();
        TO_DEVICE_TRANSACTIONS.add(store, &mut batch, of_sender, &seen).await?;
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
                TO_DEVICE.put(submission, (&user_id, &device_id, position), &event);
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
        let (from, to) = (after.saturating_add(1), upto.saturating_add(1));
        let messages = TO_DEVICE.scan((user_id, device_id)).starting_at((from,)).until((to,));
        let rows = messages.limit(limit).rows(&self.inner.store).await?.into_iter();
        Ok(rows.map(|((position,), event)| (position, event)).collect())
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
        let messages = TO_DEVICE.scan((user_id, device_id)).until((upto.saturating_add(1),));
        let mut batch = Batch::new();
        let store = &self.inner.store;
        if messages.delete(store, &mut batch).await? == 0 {
            return Ok(());
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
        let mut rest = TO_DEVICE.scan(());
        while let Some((user_id, device_id, _)) = rest.next_key(store).await? {
            rest = rest.after((&user_id, &device_id));
            // So that nobody logs in with the device's id meanwhile.
            let _guard = self.inner.locks.lock(user_id.clone()).await;
            let kept = match self.device_record(&user_id, &device_id).await? {
                None => 0,
                Some(device) => match device.last_seen {
                    Some(seen) if now.saturating_sub(seen) > ABANDONED_AFTER => ABANDONED,
                    _ => continue,
                },
            };
            TO_DEVICE.scan((&user_id, &device_id)).trim(store, kept, |_, _| {}).await?;
        }
        Ok(())
    }
}
