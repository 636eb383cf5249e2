//! What a user was notified of. spec: client-server §Listing notifications

use ruma::{MilliSecondsSinceUnixEpoch, OwnedEventId, OwnedRoomId, UserId, push::Action};
use serde::{Deserialize, Serialize};

use super::{Push, counts::unread_key};
use crate::{
    Error, Result,
    feed::Position,
    store::{Batch, Direction, Key, KeyRange, KeyReader, Table},
};

/// How long notifications are kept, in milliseconds.
const KEPT: u64 = 30 * 24 * 60 * 60 * 1000;

/// A notification, as it is stored.
#[derive(Serialize, Deserialize)]
pub(super) struct NotificationRow {
    pub(super) room_id: OwnedRoomId,
    pub(super) event_id: OwnedEventId,
    pub(super) actions: Vec<Action>,
    pub(super) ts: MilliSecondsSinceUnixEpoch,
}

/// Something that a user was notified of.
#[derive(Clone, Debug)]
pub struct Notification {
    /// The room.
    pub room_id: OwnedRoomId,
    /// The event.
    pub event_id: OwnedEventId,
    /// Its position.
    pub position: Position,
    /// What the push rule said.
    pub actions: Vec<Action>,
    /// When the user was notified.
    pub ts: MilliSecondsSinceUnixEpoch,
    /// Whether the user has read it since.
    pub read: bool,
}

fn key(user_id: &UserId, position: Position) -> Key {
    Key::new().str(user_id).u64(position)
}

impl Push {
    /// Keeps a notification, and lets go of the user's oldest ones that are too old.
    pub(super) async fn keep_notification(
        &self,
        batch: &mut Batch,
        user_id: &UserId,
        position: Position,
        row: &NotificationRow,
    ) -> Result<()> {
        batch.put_json(Table::Notifications, key(user_id, position), row)?;
        // Two go for each one that comes: so the old ones end.
        let range = KeyRange::prefix(Key::new().str(user_id));
        let oldest =
            self.inner.store.scan(Table::Notifications, range, Direction::Forward, 2).await?;
        for (key, value) in oldest {
            let kept = serde_json::from_slice::<NotificationRow>(&value)
                .is_ok_and(|old| u64::from(old.ts.get()) + KEPT > u64::from(row.ts.get()));
            if !kept {
                batch.delete(Table::Notifications, &*key);
            }
        }
        Ok(())
    }

    /// At most `limit` of a user's notifications before `before`, newest first; perhaps only
    /// those that were highlighted.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn notifications(
        &self,
        user_id: &UserId,
        before: Position,
        limit: usize,
        only_highlights: bool,
    ) -> Result<Vec<Notification>> {
        let mut end = before;
        let mut found = Vec::new();
        while found.len() < limit {
            let range = KeyRange::between(Key::new().str(user_id), key(user_id, end));
            let rows = self
                .inner
                .store
                .scan(Table::Notifications, range, Direction::Backward, limit)
                .await?;
            let complete = rows.len() < limit;
            for (key, value) in rows {
                let mut key = KeyReader::new(&key);
                let Some(position) = key.str().and(key.u64()) else { continue };
                end = position;
                let row: NotificationRow =
                    serde_json::from_slice(&value).map_err(Error::internal)?;
                if only_highlights && !row.actions.iter().any(Action::is_highlight) {
                    continue;
                }
                let unread = unread_key(user_id, &row.room_id, position);
                let unread = self.inner.store.get(Table::Unread, unread).await?;
                found.push(Notification {
                    room_id: row.room_id,
                    event_id: row.event_id,
                    position,
                    actions: row.actions,
                    ts: row.ts,
                    read: unread.is_none(),
                });
                if found.len() == limit {
                    break;
                }
            }
            if complete {
                break;
            }
        }
        Ok(found)
    }
}
