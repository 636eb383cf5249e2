//! What goes with a user who asks to be erased, and with a device: what is declared so of the tables.
//! spec: client-server §POST /account/deactivate

use ruma::{DeviceId, UserId};

use super::Users;
use crate::{
    Result,
    rooms::USER_ROOMS,
    store::{Batch, Table},
};

impl Users {
    /// Writes into `batch` that everything goes which is a user's and no event; whether others saw
    /// any of it as keys. The caller holds the user's lock.
    pub(super) async fn erase(&self, batch: &mut Batch, user_id: &UserId) -> Result<bool> {
        let store = &self.inner.store;
        // All that they ever had to do with: in some they may have left receipts.
        let rooms = USER_ROOMS.scan((user_id,)).readable_keys(store).await?;
        let rooms: Vec<_> = rooms.into_iter().map(|(room_id,)| room_id).collect();
        let mut shown = false;
        for table in self.inner.tables.iter().copied().flatten() {
            for key in table.rows_of_user(store, user_id, &rooms).await? {
                shown |= table.table == Table::CrossSigningKeys;
                batch.delete(table.table, key);
            }
        }
        Ok(shown)
    }

    /// Erases what has come of an erased user since, such as what they were notified of before they
    /// had left their rooms.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn erase_rest(&self, user_id: &UserId) -> Result<()> {
        let _guard = self.inner.locks.lock(user_id.to_owned()).await;
        let mut batch = Batch::new();
        self.erase(&mut batch, user_id).await?;
        match batch.is_empty() {
            true => Ok(()),
            false => Ok(self.inner.store.commit(batch).await?),
        }
    }

    /// Writes into `batch` that everything goes which belongs to a device, but for its tokens and
    /// pushers; what the list of devices needs for it, if the device had keys.
    pub(super) async fn remove_rows_of_device(
        &self,
        batch: &mut Batch,
        user_id: &UserId,
        device_id: &DeviceId,
    ) -> Result<bool> {
        let mut shown = false;
        for table in self.inner.tables.iter().copied().flatten() {
            for key in table.rows_of_device(&self.inner.store, user_id, device_id).await? {
                shown |= table.table == Table::DeviceKeys;
                batch.delete(table.table, key);
            }
        }
        self.forget_key_counts(batch, user_id, device_id);
        Ok(shown)
    }
}
