//! What an event means for the members of its room, in one row of the room: for all who have no
//! push rules of their own, are not named by the event and ignore nobody it means the same.

use std::collections::BTreeMap;

use ruma::{
    MilliSecondsSinceUnixEpoch, OwnedEventId, OwnedRoomId, OwnedUserId, RoomId, UserId,
    push::Action,
};
use serde::{Deserialize, Serialize};

use super::Push;
use crate::{
    Result,
    feed::Position,
    rooms::UserRoom,
    store::{Batch, Erasure, Json, Rows, Store, Table},
};

/// Room, position of an event → what the event means.
pub(super) const ROOM_NOTIFICATIONS: Rows<(OwnedRoomId, Position), Json<RoomNotification>> =
    Rows::new(Table::RoomNotifications, Erasure::Kept);

/// What an event means, as it is stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RoomNotification {
    pub(super) event_id: OwnedEventId,
    /// The thread that it is in, or the main timeline.
    pub(super) part: String,
    pub(super) ts: MilliSecondsSinceUnixEpoch,
    /// How everybody is notified who is joined to the room then; `None` for not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) actions: Option<Vec<Action>>,
    /// For whom that does not hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) except: Vec<OwnedUserId>,
    /// Those of them who have a notification of their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) own: Vec<OwnedUserId>,
    /// Whether the event was redacted since.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) withdrawn: bool,
    /// For a redaction, what it withdraws.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) withdraws: Option<Withdrawal>,
}

/// Which notification of everybody a redaction withdraws, with what is to be known to count it no
/// longer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Withdrawal {
    pub(super) position: Position,
    pub(super) part: String,
    pub(super) highlight: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) except: Vec<OwnedUserId>,
}

impl RoomNotification {
    /// Whether a joined user is notified as everybody is, and the event still there.
    pub(super) fn notifies(&self, user_id: &UserId) -> bool {
        self.actions.is_some() && !self.withdrawn && !self.is_except(user_id)
    }

    /// Whether what holds for everybody does not hold for this user.
    pub(super) fn is_except(&self, user_id: &UserId) -> bool {
        self.except.iter().any(|except| except == user_id)
    }

    pub(super) fn is_highlight(&self) -> bool {
        self.actions.iter().flatten().any(Action::is_highlight)
    }
}

impl Withdrawal {
    /// Whether it is nothing to this user.
    pub(super) fn is_except(&self, user_id: &UserId) -> bool {
        self.except.iter().any(|except| except == user_id)
    }
}

/// The rows of rooms, with those that are about to be written.
#[derive(Default)]
pub(super) struct RoomNotifications {
    fresh: BTreeMap<(OwnedRoomId, Position), RoomNotification>,
}

impl RoomNotifications {
    pub(super) fn put(&mut self, room_id: &RoomId, position: Position, row: RoomNotification) {
        self.fresh.insert((room_id.to_owned(), position), row);
    }

    /// What an event means.
    pub(super) async fn get(
        &self,
        store: &Store,
        room_id: &RoomId,
        position: Position,
    ) -> Result<Option<RoomNotification>> {
        match self.fresh.get(&(room_id.to_owned(), position)) {
            Some(fresh) => Ok(Some(fresh.clone())),
            None => Ok(ROOM_NOTIFICATIONS.get(store, (room_id, position)).await?),
        }
    }

    /// What the events of a room after `after` mean, oldest first.
    pub(super) async fn after(
        &self,
        store: &Store,
        room_id: &RoomId,
        after: Position,
    ) -> Result<Vec<(Position, RoomNotification)>> {
        let rows = ROOM_NOTIFICATIONS.scan((room_id,)).starting_at((after.saturating_add(1),));
        let rows = rows.rows(store).await?.into_iter();
        let mut all: BTreeMap<_, _> = rows.map(|((position,), row)| (position, row)).collect();
        let room_id = room_id.to_owned();
        let fresh = (room_id.clone(), after.saturating_add(1))..=(room_id, Position::MAX);
        for ((_, position), row) in self.fresh.range(fresh) {
            all.insert(*position, row.clone());
        }
        Ok(all.into_iter().collect())
    }

    /// Whether any event of a room after `after` notified somebody.
    pub(super) async fn any_after(
        &self,
        store: &Store,
        room_id: &RoomId,
        after: Position,
    ) -> Result<bool> {
        let rows = ROOM_NOTIFICATIONS.scan((room_id,)).starting_at((after.saturating_add(1),));
        let room_id = room_id.to_owned();
        let fresh = (room_id.clone(), after.saturating_add(1))..=(room_id, Position::MAX);
        Ok(self.fresh.range(fresh).next().is_some() || !rows.is_empty(store).await?)
    }

    /// Writes those that are new.
    pub(super) fn write(self, batch: &mut Batch) -> Result<()> {
        for ((room_id, position), row) in self.fresh {
            ROOM_NOTIFICATIONS.put(batch, (&room_id, position), &row)?;
        }
        Ok(())
    }
}

impl Push {
    /// What the newest events of a room before `before` mean, newest first.
    pub(super) async fn newest_in_room(
        &self,
        room_id: &RoomId,
        before: Position,
        limit: usize,
    ) -> Result<Vec<(Position, RoomNotification)>> {
        let rows = ROOM_NOTIFICATIONS.scan((room_id,)).until((before,)).backward().limit(limit);
        let rows = rows.rows(&self.inner.store).await?.into_iter();
        Ok(rows.map(|((position,), row)| (position, row)).collect())
    }

    /// Since when a user is joined to a room, as far as their newest membership event tells: 0 when
    /// it is older; `None` when they are not joined.
    pub(super) async fn joined_since(
        &self,
        user_id: &UserId,
        room_id: &RoomId,
    ) -> Result<Option<Position>> {
        let room = self.inner.rooms.membership(user_id, room_id).await?;
        Ok(room.filter(UserRoom::is_joined).map(|room| room.joined_by().unwrap_or_default()))
    }
}
