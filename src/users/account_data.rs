//! Account data, global and for a room. spec: client-server §Client Config

use ruma::{RoomId, UserId};
use serde::Serialize;
use serde_json::value::RawValue;

use super::Users;
use crate::{
    Error, Result,
    feed::Change,
    lengths,
    store::{Batch, Direction, Key, KeyRange, KeyReader, Table},
};

/// One type of a user's account data; as JSON the event that clients get.
#[derive(Clone, Debug, Serialize)]
pub struct AccountData {
    /// The type of the event.
    #[serde(rename = "type")]
    pub event_type: String,
    /// Its content, an object.
    pub content: Box<RawValue>,
}

fn prefix(user_id: &UserId, room_id: Option<&RoomId>) -> Key {
    Key::new().str(user_id).str(room_id.map_or("", RoomId::as_str))
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
        let key = prefix(user_id, room_id).str(event_type);
        Ok(self.inner.store.get_json(Table::AccountData, key).await?)
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
        let range = KeyRange::prefix(prefix(user_id, room_id));
        let rows = self
            .inner
            .store
            .scan(Table::AccountData, range, Direction::Forward, usize::MAX)
            .await?;
        let mut found = Vec::with_capacity(rows.len());
        for (key, value) in rows {
            let mut key = KeyReader::new(&key);
            let (Some(_), Some(_), Some(event_type)) = (key.str(), key.str(), key.str()) else {
                continue;
            };
            let content = serde_json::from_slice(&value).map_err(Error::internal)?;
            found.push(AccountData { event_type, content });
        }
        Ok(found)
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
        self.put_account_data(&mut batch, user_id, room_id, event_type, &content)?;
        Ok(self.inner.store.commit(batch).await?)
    }

    /// Writes one type of account data into `batch`: such as nobody makes of what is there.
    ///
    /// # Errors
    /// When the content has no JSON form.
    pub fn put_account_data(
        &self,
        batch: &mut Batch,
        user_id: &UserId,
        room_id: Option<&RoomId>,
        event_type: &str,
        content: &RawValue,
    ) -> Result<()> {
        let change = Change::AccountData {
            user_id: user_id.to_owned(),
            room_id: room_id.map(ToOwned::to_owned),
            event_type: event_type.to_owned(),
        };
        self.inner.feed.record(batch, change);
        self.note_individual(batch, user_id, room_id, event_type);
        let key = prefix(user_id, room_id).str(event_type);
        Ok(batch.put_json(Table::AccountData, key, &content)?)
    }
}
