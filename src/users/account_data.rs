//! Account data, global and for a room. spec: client-server §Client Config

use ruma::{OwnedRoomId, OwnedUserId, RoomId, UserId};
use serde::Serialize;
use serde_json::value::RawValue;

use super::Users;
use crate::{
    Result,
    feed::Change,
    lengths,
    store::{Batch, Erasure, RawJson, Rows, Table},
};

/// User, room or nothing, type → content of account data.
pub(super) const ACCOUNT_DATA: Rows<(OwnedUserId, Option<OwnedRoomId>, String), RawJson> =
    Rows::new(Table::AccountData, Erasure::Removed);

/// One type of a user's account data; as JSON the event that clients get.
#[derive(Clone, Debug, Serialize)]
pub struct AccountData {
    /// The type of the event.
    #[serde(rename = "type")]
    pub event_type: String,
    /// Its content, an object.
    pub content: Box<RawValue>,
}

impl Users {
    /// The content of one type of account data.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn account_data(
        &self,
        user_id: &UserId,
        room_id: Option<&RoomId>,
        event_type: &str,
    ) -> Result<Option<Box<RawValue>>> {
        Ok(ACCOUNT_DATA.get(&self.inner.store, (user_id, room_id, event_type)).await?)
    }

    /// All account data of a user for a room, or all that is global.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn all_account_data(
        &self,
        user_id: &UserId,
        room_id: Option<&RoomId>,
    ) -> Result<Vec<AccountData>> {
        let rows = ACCOUNT_DATA.scan((user_id, room_id)).rows(&self.inner.store).await?;
        let found = rows.into_iter();
        Ok(found.map(|((event_type,), content)| AccountData { event_type, content }).collect())
    }

    /// Sets one type of account data.
    ///
    /// # Errors
    /// 413 `M_TOO_LARGE` or 400 `M_INVALID_PARAM` for what is too large or long.
    pub async fn set_account_data(
        &self,
        user_id: &UserId,
        room_id: Option<&RoomId>,
        event_type: &str,
        content: Box<RawValue>,
    ) -> Result<()> {
        self.update_account_data(user_id, room_id, event_type, |_| Ok(content)).await
    }

    /// Makes new account data of what is there, which nobody changes meanwhile.
    ///
    /// # Errors
    /// 400 `M_INVALID_PARAM`, 413 `M_TOO_LARGE`; those of `update`
    pub async fn update_account_data(
        &self,
        user_id: &UserId,
        room_id: Option<&RoomId>,
        event_type: &str,
        update: impl FnOnce(Option<&RawValue>) -> Result<Box<RawValue>>,
    ) -> Result<()> {
        lengths::id("The type", event_type)?;
        let _guard = self.inner.locks.lock(user_id.to_owned()).await;
        let before = self.account_data(user_id, room_id, event_type).await?;
        let content = update(before.as_deref())?;
        lengths::account_data(&content)?;
        let mut batch = Batch::new();
        self.put_account_data(&mut batch, user_id, room_id, event_type, &content);
        Ok(self.inner.store.commit(batch).await?)
    }

    /// Writes one type of account data into `batch`: such as nobody makes of what is there.
    pub fn put_account_data(
        &self,
        batch: &mut Batch,
        user_id: &UserId,
        room_id: Option<&RoomId>,
        event_type: &str,
        content: &RawValue,
    ) {
        let change = Change::AccountData {
            user_id: user_id.to_owned(),
            room_id: room_id.map(ToOwned::to_owned),
            event_type: event_type.to_owned(),
        };
        self.inner.feed.record(batch, change);
        self.note_individual(batch, user_id, room_id, event_type);
        ACCOUNT_DATA.put(batch, (user_id, room_id, event_type), content);
    }
}
