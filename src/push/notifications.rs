//! What a user was notified of otherwise than most in a room.

use ruma::{MilliSecondsSinceUnixEpoch, OwnedEventId, OwnedRoomId, UserId, push::Action};
use serde::{Deserialize, Serialize};

use super::Push;
use crate::{
    Result,
    feed::Position,
    store::{Batch, Direction, Key, KeyRange, Table},
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

/// Whether a notification of that time is kept now.
pub(super) fn is_kept(ts: MilliSecondsSinceUnixEpoch, now: MilliSecondsSinceUnixEpoch) -> bool {
    u64::from(ts.get()) + KEPT > u64::from(now.get())
}

pub(super) fn key(user_id: &UserId, position: Position) -> Key {
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
            let old = serde_json::from_slice::<NotificationRow>(&value);
            if !old.is_ok_and(|old| is_kept(old.ts, row.ts)) {
                batch.delete(Table::Notifications, &*key);
            }
        }
        Ok(())
    }
}
