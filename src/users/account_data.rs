//! Account data, global and for a room. spec: client-server §Client Config

use ruma::{OwnedRoomId, RoomId, UserId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Users;
use crate::{
    Error, Result,
    feed::{Change, Position},
    store::{Batch, Direction, Key, KeyRange, KeyReader, Table},
};

/// One type of a user's account data.
#[derive(Clone, Debug)]
pub struct AccountData {
    /// The room that it is for; `None` is global.
    pub room_id: Option<OwnedRoomId>,
    /// The type of the event.
    pub event_type: String,
    /// Its content, an object.
    pub content: Box<RawValue>,
    /// Where it was set.
    pub position: Position,
}

#[derive(Serialize, Deserialize)]
struct Row {
    position: Position,
    content: Box<RawValue>,
}

fn prefix(user_id: &UserId, room_id: Option<&RoomId>) -> Key {
    Key::new().str(user_id).str(room_id.map_or("", RoomId::as_str))
}

fn position_key(user_id: &UserId, position: Position) -> Key {
    Key::new().str(user_id).u64(position)
}

impl Users {
    /// The content of one type of account data.
    pub async fn account_data(
        &self,
        user_id: &UserId,
        room_id: Option<&RoomId>,
        event_type: &str,
    ) -> Result<Option<Box<RawValue>>> {
        let row = self.account_data_row(user_id, room_id, event_type).await?;
        Ok(row.map(|row| row.content))
    }

    /// All account data of a user for a room, or all that is global.
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
            let Row { position, content } =
                serde_json::from_slice(&value).map_err(Error::internal)?;
            let room_id = room_id.map(ToOwned::to_owned);
            found.push(AccountData { room_id, event_type, content, position });
        }
        Ok(found)
    }

    /// The account data, global and of every room, that was set after `after` up to and with
    /// `upto`, each as it is now.
    pub async fn account_data_changes(
        &self,
        user_id: &UserId,
        after: Position,
        upto: Position,
    ) -> Result<Vec<AccountData>> {
        let range = KeyRange::between(
            position_key(user_id, after.saturating_add(1)),
            position_key(user_id, upto.saturating_add(1)),
        );
        let store = &self.inner.store;
        let rows =
            store.scan(Table::AccountDataPositions, range, Direction::Forward, usize::MAX).await?;
        let mut found = Vec::with_capacity(rows.len());
        for (_, value) in rows {
            let (room_id, event_type): (Option<OwnedRoomId>, String) =
                serde_json::from_slice(&value).map_err(Error::internal)?;
            let row = self.account_data_row(user_id, room_id.as_deref(), &event_type).await?;
            let Some(Row { position, content }) = row else { continue };
            found.push(AccountData { room_id, event_type, content, position });
        }
        Ok(found)
    }

    /// Sets one type of account data.
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
    /// Those of `update`; when the store can't be read or written.
    pub async fn update_account_data(
        &self,
        user_id: &UserId,
        room_id: Option<&RoomId>,
        event_type: &str,
        update: impl FnOnce(Option<&RawValue>) -> Result<Box<RawValue>>,
    ) -> Result<()> {
        let _guard = self.inner.locks.lock(user_id.to_owned()).await;
        let before = self.account_data_row(user_id, room_id, event_type).await?;
        let content = update(before.as_ref().map(|row| &*row.content))?;
        let place = (room_id.map(ToOwned::to_owned), event_type.to_owned());
        let mut batch = Batch::new();
        let change = Change::AccountData {
            user_id: user_id.to_owned(),
            room_id: place.0.clone(),
            event_type: place.1.clone(),
        };
        let position = self.inner.feed.record(&mut batch, change);
        if let Some(before) = before {
            batch.delete(Table::AccountDataPositions, position_key(user_id, before.position));
        }
        batch.put_json(Table::AccountDataPositions, position_key(user_id, position), &place)?;
        let key = prefix(user_id, room_id).str(event_type);
        batch.put_json(Table::AccountData, key, &Row { position, content })?;
        Ok(self.inner.store.commit(batch).await?)
    }

    async fn account_data_row(
        &self,
        user_id: &UserId,
        room_id: Option<&RoomId>,
        event_type: &str,
    ) -> Result<Option<Row>> {
        let key = prefix(user_id, room_id).str(event_type);
        Ok(self.inner.store.get_json(Table::AccountData, key).await?)
    }
}
