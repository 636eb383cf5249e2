//! Whose devices or keys changed when. spec: client-server §Tracking the device list for a user

use ruma::{OwnedUserId, UserId};

use super::Users;
use crate::{
    Error, Result,
    feed::{Change, Position},
    store::{Batch, Direction, Key, KeyRange, KeyReader, Table},
};

/// The place of a user's last change, which the next one takes over.
pub(super) struct DeviceListPlace(Option<Position>);

impl Users {
    /// The users whose devices or keys changed after `after` up to and with `upto`.
    pub async fn device_list_changes(
        &self,
        after: Position,
        upto: Position,
    ) -> Result<Vec<OwnedUserId>> {
        let range = KeyRange::between(
            Key::new().u64(after.saturating_add(1)),
            Key::new().u64(upto.saturating_add(1)),
        );
        let rows = self
            .inner
            .store
            .scan(Table::DeviceListChanges, range, Direction::Forward, usize::MAX)
            .await?;
        rows.iter().map(|(_, user_id)| parse_user_id(user_id)).collect()
    }

    /// The users whose keys `user_id` signed after `after` up to and with `upto`: a change of
    /// their keys that only `user_id` sees.
    pub async fn signed_users(
        &self,
        user_id: &UserId,
        after: Position,
        upto: Position,
    ) -> Result<Vec<OwnedUserId>> {
        let key = |position: Position| Key::new().str(user_id).u64(position);
        let range = KeyRange::between(key(after.saturating_add(1)), key(upto.saturating_add(1)));
        let rows = self
            .inner
            .store
            .scan(Table::SignedUsers, range, Direction::Forward, usize::MAX)
            .await?;
        rows.iter().map(|(_, user_id)| parse_user_id(user_id)).collect()
    }

    /// Where the user's devices changed last; read before [`Users::record_device_list`], under the
    /// user's lock.
    pub(super) async fn device_list_place(&self, user_id: &UserId) -> Result<DeviceListPlace> {
        let row = self.inner.store.get(Table::DeviceListPositions, Key::new().str(user_id)).await?;
        Ok(DeviceListPlace(row.and_then(|row| KeyReader::new(&row).u64())))
    }

    /// Records that a user's devices or their keys change with `batch`.
    pub(super) fn record_device_list(
        &self,
        batch: &mut Batch,
        user_id: &UserId,
        before: DeviceListPlace,
    ) {
        let change = Change::DeviceList { user_id: user_id.to_owned() };
        let position = self.inner.feed.record(batch, change);
        if let Some(before) = before.0 {
            batch.delete(Table::DeviceListChanges, Key::new().u64(before));
        }
        batch.put(Table::DeviceListChanges, Key::new().u64(position), user_id.as_str());
        let position = Key::new().u64(position);
        batch.put(Table::DeviceListPositions, Key::new().str(user_id), position);
    }

    /// Records that `user_id` signs a key of `of` with `batch`.
    pub(super) fn record_signature(&self, batch: &mut Batch, user_id: &UserId, of: &UserId) {
        let change = Change::UserSignature { user_id: user_id.to_owned(), of: of.to_owned() };
        let position = self.inner.feed.record(batch, change);
        batch.put(Table::SignedUsers, Key::new().str(user_id).u64(position), of.as_str());
    }
}

fn parse_user_id(bytes: &[u8]) -> Result<OwnedUserId> {
    let user_id = std::str::from_utf8(bytes).map_err(Error::internal)?;
    OwnedUserId::try_from(user_id).map_err(Error::internal)
}
