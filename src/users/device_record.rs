//! The row of a device.

use ruma::{DeviceId, OwnedDeviceId, OwnedUserId, UserId};
use serde::{Deserialize, Serialize};

use super::{Users, tokens::TokenPair};
use crate::{
    Result,
    store::{Batch, Erasure, Json, Rows, Table},
};

/// User, device → name, time seen, hashes of its tokens.
pub(super) const DEVICES: Rows<(OwnedUserId, OwnedDeviceId), Json<DeviceRecord>> =
    Rows::new(Table::Devices, Erasure::Removed);

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

impl Users {
    pub(super) async fn device_record(
        &self,
        user_id: &UserId,
        device_id: &DeviceId,
    ) -> Result<Option<DeviceRecord>> {
        Ok(DEVICES.get(&self.inner.store, (user_id, device_id)).await?)
    }

    pub(super) fn put_device(
        &self,
        batch: &mut Batch,
        user_id: &UserId,
        device_id: &DeviceId,
        record: &DeviceRecord,
    ) -> Result<()> {
        Ok(DEVICES.put(batch, (user_id, device_id), record)?)
    }
}
