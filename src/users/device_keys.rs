//! The identity keys of devices. spec: client-server §Key Distribution

use std::collections::BTreeMap;

use ruma::{DeviceId, OwnedDeviceId, OwnedUserId, UserId};
use serde_json::{Map, Value};

use super::{
    Users,
    key_forms::{KeyObject, check_device_keys},
    one_time_keys::KeysById,
    sessions::Session,
};
use crate::{
    Error, Result,
    store::{Batch, Erasure, Json, Rows, Table},
};

/// User, device → its identity keys.
pub(super) const DEVICE_KEYS: Rows<(OwnedUserId, OwnedDeviceId), Json<KeyObject>> =
    Rows::new(Table::DeviceKeys, Erasure::Removed);

impl Users {
    /// Publishes the identity keys of the sender's device, adds one-time keys and replaces fallback
    /// keys.
    ///
    /// # Errors
    /// 400 `M_BAD_JSON` when keys lack what each has; 400 `M_INVALID_PARAM` when identity keys name
    /// another user or device, or a one-time key has the id of another that is there; 403 `M_FORBIDDEN` for a device with the id of a
    /// cross-signing key.
    pub async fn upload_keys(
        &self,
        sender: &Session,
        device_keys: Option<KeyObject>,
        one_time_keys: KeysById,
        fallback_keys: KeysById,
    ) -> Result<()> {
        let _guard = self.inner.locks.lock(sender.user_id.clone()).await;
        let device_keys = match device_keys {
            Some(keys) => self.changed_device_keys(sender, keys).await?,
            None => None,
        };
        let mut batch = Batch::new();
        self.add_one_time_keys(&mut batch, sender, one_time_keys, fallback_keys).await?;
        if let Some(keys) = device_keys {
            DEVICE_KEYS.put(&mut batch, (&sender.user_id, &sender.device_id), &keys)?;
            self.record_device_list(&mut batch, &sender.user_id);
        }
        if batch.is_empty() {
            return Ok(());
        }
        Ok(self.inner.store.commit(batch).await?)
    }

    /// Identity keys of the sender's device as they are to be kept, if they are not kept so; the
    /// caller holds the user's lock.
    async fn changed_device_keys(
        &self,
        sender: &Session,
        mut keys: KeyObject,
    ) -> Result<Option<KeyObject>> {
        let named = |field: &str| keys.get(field).and_then(Value::as_str);
        if named("user_id") != Some(sender.user_id.as_str())
            || named("device_id") != Some(sender.device_id.as_str())
        {
            return Err(Error::invalid_param("The keys are those of another device"));
        }
        check_device_keys(&keys)?;
        // What the homeserver adds and does not keep.
        keys.remove("unsigned");
        let before = self.stored_device_keys(&sender.user_id, &sender.device_id).await?;
        if before.as_ref() == Some(&keys) {
            return Ok(None);
        }
        // spec: client-server §Key and signature security
        if self.is_cross_signing_key(&sender.user_id, sender.device_id.as_str()).await? {
            return Err(Error::forbidden("The device has the id of a cross-signing key"));
        }
        Ok(Some(keys))
    }

    /// The identity keys of a user's devices, or of those in `devices` if there are any, with the
    /// signatures that `requester` may see.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn device_keys(
        &self,
        user_id: &UserId,
        devices: &[OwnedDeviceId],
        requester: &UserId,
    ) -> Result<BTreeMap<OwnedDeviceId, KeyObject>> {
        let mut all = self.all_device_keys(user_id).await?;
        if !devices.is_empty() {
            all.retain(|device_id, _| devices.contains(device_id));
        }
        for (device_id, keys) in &mut all {
            self.add_signatures(keys, user_id, device_id.as_str(), requester).await?;
            let device = self.device_record(user_id, device_id).await?;
            if let Some(name) = device.and_then(|device| device.display_name) {
                let mut unsigned = Map::new();
                unsigned.insert("device_display_name".to_owned(), name.into());
                keys.insert("unsigned".to_owned(), unsigned.into());
            }
        }
        Ok(all)
    }

    /// The identity keys of a device as it uploaded them.
    pub(super) async fn stored_device_keys(
        &self,
        user_id: &UserId,
        device_id: &DeviceId,
    ) -> Result<Option<KeyObject>> {
        Ok(DEVICE_KEYS.get(&self.inner.store, (user_id, device_id)).await?)
    }

    async fn all_device_keys(
        &self,
        user_id: &UserId,
    ) -> Result<BTreeMap<OwnedDeviceId, KeyObject>> {
        let rows = DEVICE_KEYS.scan((user_id,)).rows(&self.inner.store).await?;
        Ok(rows.into_iter().map(|((device_id,), keys)| (device_id, keys)).collect())
    }
}
