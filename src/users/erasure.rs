//! What goes when a user asks to be erased. spec: client-server §POST /account/deactivate

use ruma::UserId;

use super::Users;
use crate::{
    Result,
    store::{Batch, Direction, Key, KeyRange, KeyReader, Table},
};

/// What is a user's alone: the keys of these rows begin with the user.
const OWN: [Table; 17] = [
    Table::Profiles,
    Table::AccountData,
    Table::Filters,
    Table::DeviceKeys,
    Table::OneTimeKeys,
    Table::ClaimedKeys,
    Table::FallbackKeys,
    Table::CrossSigningKeys,
    Table::Signatures,
    Table::Backups,
    Table::BackupKeys,
    Table::ToDevice,
    Table::ToDeviceTransactions,
    Table::Individuals,
    Table::Notifications,
    Table::Unread,
    Table::UnreadCounts,
];

impl Users {
    /// Writes into `batch` that everything goes which is a user's and no event; whether others saw
    /// any of it as keys. Devices are removed apart from it. The caller holds the user's lock.
    pub(super) async fn erase(&self, batch: &mut Batch, user_id: &UserId) -> Result<bool> {
        let store = &self.inner.store;
        let mut shown = false;
        for table in OWN {
            let range = KeyRange::prefix(Key::new().str(user_id));
            for (key, _) in store.scan(table, range, Direction::Forward, usize::MAX).await? {
                shown |= table == Table::CrossSigningKeys;
                batch.delete(table, key);
            }
        }
        // How far they have read, in all rooms that they ever had to do with.
        let rooms = KeyRange::prefix(Key::new().str(user_id));
        for (key, _) in store.scan(Table::UserRooms, rooms, Direction::Forward, usize::MAX).await? {
            let mut parts = KeyReader::new(&key);
            let Some(room_id) = parts.str().and_then(|_| parts.str()) else { continue };
            let range = KeyRange::prefix(Key::new().str(room_id).str(user_id));
            for (key, _) in
                store.scan(Table::Receipts, range, Direction::Forward, usize::MAX).await?
            {
                batch.delete(Table::Receipts, key);
            }
        }
        // Whom they have verified: these are rows of the others' keys, so they are looked for.
        let all = KeyRange::all();
        for (key, _) in store.scan(Table::Signatures, all, Direction::Forward, usize::MAX).await? {
            let mut parts = KeyReader::new(&key);
            let signer = parts.str().and(parts.str()).and(parts.str());
            if signer.is_some_and(|signer| signer == *user_id) {
                batch.delete(Table::Signatures, key);
            }
        }
        Ok(shown)
    }
}
