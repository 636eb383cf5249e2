//! Devices. spec: client-server §Device Management

use ruma::{DeviceId, OwnedDeviceId, UserId};

use super::{
    Users,
    device_record::{DEVICES, DeviceRecord},
};
use crate::{Error, Result, lengths, store::Batch};

/// A device as its user sees it.
#[derive(Clone, Debug)]
pub struct Device {
    /// Its id.
    pub device_id: OwnedDeviceId,
    /// What its user calls it.
    pub display_name: Option<String>,
    /// When it sent a request last, in milliseconds since the Unix epoch; minutes may be missing.
    pub last_seen: Option<u64>,
}

fn no_such_device() -> Error {
    Error::not_found("There is no such device")
}

impl Users {
    /// The devices of a user.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn devices(&self, user_id: &UserId) -> Result<Vec<Device>> {
        let rows = self.device_records(user_id).await?;
        Ok(rows.into_iter().map(|(id, record)| Device::new(id, record)).collect())
    }

    /// One device of a user.
    ///
    /// # Errors
    /// 404 `M_NOT_FOUND`
    pub async fn device(&self, user_id: &UserId, device_id: &DeviceId) -> Result<Device> {
        let record = self.device_record(user_id, device_id).await?.ok_or_else(no_such_device)?;
        Ok(Device::new(device_id.to_owned(), record))
    }

    /// Gives a device another name.
    ///
    /// # Errors
    /// 400 `M_INVALID_PARAM`, 404 `M_NOT_FOUND`
    pub async fn rename_device(
        &self,
        user_id: &UserId,
        device_id: &DeviceId,
        display_name: String,
    ) -> Result<()> {
        lengths::text("The device's name", Some(&display_name))?;
        let _guard = self.inner.locks.lock(user_id.to_owned()).await;
        let record = self.device_record(user_id, device_id).await?;
        let mut record = record.ok_or_else(no_such_device)?;
        record.display_name = Some(display_name);
        let shown = self.stored_device_keys(user_id, device_id).await?.is_some();
        let mut batch = Batch::new();
        self.put_device(&mut batch, user_id, device_id, &record)?;
        if shown {
            self.record_device_list(&mut batch, user_id);
        }
        Ok(self.inner.store.commit(batch).await?)
    }

    /// Deletes devices with all that belongs to them: tokens, keys, pushers, messages that wait
    /// for them.
    /// Devices that are not there are passed over.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn delete_devices(&self, user_id: &UserId, devices: &[OwnedDeviceId]) -> Result<()> {
        let _guard = self.inner.locks.lock(user_id.to_owned()).await;
        let mut batch = Batch::new();
        let goes = |of: &DeviceId| devices.iter().any(|device| device == of);
        self.remove_pushers(&mut batch, user_id, goes).await?;
        self.remove_devices(&mut batch, user_id, devices).await?;
        Ok(self.inner.store.commit(batch).await?)
    }

    /// Deletes all devices of a user but `keep`.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn delete_other_devices(
        &self,
        user_id: &UserId,
        keep: Option<&DeviceId>,
    ) -> Result<()> {
        let _guard = self.inner.locks.lock(user_id.to_owned()).await;
        let mut batch = Batch::new();
        self.remove_other_devices(&mut batch, user_id, keep).await?;
        Ok(self.inner.store.commit(batch).await?)
    }

    /// Writes the deletion of all devices but `keep` into `batch`; the caller holds the user's
    /// lock and submits without waiting for anything else.
    pub(super) async fn remove_other_devices(
        &self,
        batch: &mut Batch,
        user_id: &UserId,
        keep: Option<&DeviceId>,
    ) -> Result<()> {
        self.remove_pushers(batch, user_id, |of| Some(of) != keep).await?;
        let devices = self.device_records(user_id).await?;
        let devices: Vec<OwnedDeviceId> =
            devices.into_iter().map(|(id, _)| id).filter(|id| Some(&**id) != keep).collect();
        self.remove_devices(batch, user_id, &devices).await
    }

    /// Writes into `batch` that every device of a user stays without its tokens; the caller holds
    /// the user's lock.
    pub(super) async fn revoke_all(&self, batch: &mut Batch, user_id: &UserId) -> Result<()> {
        for (device_id, mut record) in self.device_records(user_id).await? {
            for pair in std::mem::take(&mut record.tokens) {
                self.revoke(batch, &pair);
            }
            self.put_device(batch, user_id, &device_id, &record)?;
        }
        Ok(())
    }

    async fn remove_devices(
        &self,
        batch: &mut Batch,
        user_id: &UserId,
        devices: &[OwnedDeviceId],
    ) -> Result<()> {
        batch.makes_room();
        let mut shown = false;
        for device_id in devices {
            let Some(record) = self.device_record(user_id, device_id).await? else { continue };
            for pair in &record.tokens {
                self.revoke(batch, pair);
            }
            shown |= self.remove_rows_of_device(batch, user_id, device_id).await?;
        }
        // Last, since nothing may be waited for from here to the submission.
        if shown {
            self.record_device_list(batch, user_id);
        }
        Ok(())
    }

    async fn device_records(&self, user_id: &UserId) -> Result<Vec<(OwnedDeviceId, DeviceRecord)>> {
        let rows = DEVICES.scan((user_id,)).rows(&self.inner.store).await?;
        Ok(rows.into_iter().map(|((device_id,), record)| (device_id, record)).collect())
    }
}

impl Device {
    fn new(device_id: OwnedDeviceId, record: DeviceRecord) -> Self {
        Self { device_id, display_name: record.display_name, last_seen: record.last_seen }
    }
}
