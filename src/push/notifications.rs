//! What a user was notified of otherwise than most in a room.

use std::time::Duration;

use ruma::{
    MilliSecondsSinceUnixEpoch, OwnedEventId, OwnedRoomId, OwnedUserId, UserId, push::Action,
};
use serde::{Deserialize, Serialize};

use super::Push;
use crate::{
    Result,
    feed::Position,
    store::{Batch, Erasure, Expiry, Json, Rows, Table},
};

/// User, position → notification.
pub(super) const NOTIFICATIONS: Rows<(OwnedUserId, Position), Json<NotificationRow>> =
    Rows::new(Table::Notifications, Erasure::Removed)
        .expiring(Expiry::After(Duration::from_secs(30 * 24 * 60 * 60)));

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
    u64::from(ts.get()) + NOTIFICATIONS.declaration().lifetime() > u64::from(now.get())
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
        NOTIFICATIONS.put(batch, (user_id, position), row)?;
        // Two go for each one that comes: so the old ones end.
        let oldest = NOTIFICATIONS.scan((user_id,)).limit(2);
        for ((position,), old) in oldest.readable(&self.inner.store).await? {
            if !is_kept(old.ts, row.ts) {
                NOTIFICATIONS.delete(batch, (user_id, position));
            }
        }
        Ok(())
    }
}
