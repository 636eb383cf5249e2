//! The row of a device.

use ruma::{DeviceId, UserId};
use serde::{Deserialize, Serialize};

use super::{Users, tokens::TokenPair};
use crate::{
    Result,
    store::{Batch, Key, Table},
};

/// A row of devices.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct DeviceRecord {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) display_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) last_seen: Option<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) tokens: Vec<TokenPair>,
}

impl DeviceRecord {
    pub(super) fn new(display_name: Option<String>) -> Self {
        Self { display_name, ..Self::default() }
    }
}

/// The key of what belongs to a device, in every table that has such rows.
pub(super) fn device_key(user_id: &UserId, device_id: &DeviceId) -> Key {
    Key::new().str(user_id).str(device_id)
}

impl Users {
    pub(super) async fn device_record(
        &self,
        user_id: &UserId,
        device_id: &DeviceId,
    ) -> Result<Option<DeviceRecord>> {
        let key = device_key(user_id, device_id);
        Ok(self.inner.store.get_json(Table::Devices, key).await?)
    }

    pub(super) fn put_device(
        &self,
        batch: &mut Batch,
        user_id: &UserId,
        device_id: &DeviceId,
        record: &DeviceRecord,
    ) -> Result<()> {
        Ok(batch.put_json(Table::Devices, device_key(user_id, device_id), record)?)
    }
}
