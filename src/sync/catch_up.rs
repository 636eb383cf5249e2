//! What changed after a token that is older than what the feed keeps. It is taken from the other
//! tables, and where these have no order of time, everything counts as changed.

use std::collections::BTreeSet;

use ruma::{OwnedUserId, RoomId, events::room::member::MembershipState};

use super::{
    Sync,
    changes::{Changes, RoomChanges},
    device::changed_members,
};
use crate::{
    Result,
    feed::Position,
    rooms::{UserRooms, unless_damaged},
    users::Session,
};

impl Sync {
    /// What after `from` up to `to` may concern a user with these rooms.
    pub(super) async fn changes(
        &self,
        session: &Session,
        rooms: &UserRooms,
        from: Position,
        to: Position,
    ) -> Result<Changes> {
        match self.inner.feed.since(from, to).await? {
            Some(changes) => Ok(Changes::of(changes, session, rooms)),
            None => self.possible_changes(session, rooms, from, to).await,
        }
    }

    async fn possible_changes(
        &self,
        session: &Session,
        rooms: &UserRooms,
        from: Position,
        to: Position,
    ) -> Result<Changes> {
        let mut all = Changes {
            pruned: true,
            to_device: true,
            one_time_keys: true,
            device_lists: BTreeSet::from([session.user_id.clone()]),
            presence: self.inner.presence.known_users(),
            ..Changes::default()
        };
        for (room_id, membership) in rooms.iter() {
            let joined = membership.membership == MembershipState::Join;
            let moved = membership.position > from;
            if !joined && !moved {
                continue;
            }
            let changed = self.possible_changes_in(room_id, from, to).await;
            // Of a damaged room, only the user's own membership is known.
            let (mut changed, members) = unless_damaged(room_id, changed)?.unwrap_or_default();
            changed.pruned = true;
            changed.events |= moved;
            if joined {
                (changed.typing, changed.unread) = (true, true);
                all.device_lists.extend(members);
            }
            all.rooms.insert(room_id.clone(), changed);
        }
        Ok(all)
    }

    /// What happened in a room, by its timeline and its states, and who is joined to it.
    async fn possible_changes_in(
        &self,
        room_id: &RoomId,
        from: Position,
        to: Position,
    ) -> Result<(RoomChanges, BTreeSet<OwnedUserId>)> {
        let room = self.inner.rooms.room(room_id).await?;
        let mut changed = RoomChanges { events: room.head() > from, ..RoomChanges::default() };
        let (before, after) = (room.state_id_at(from).await?, room.state_id_at(to).await?);
        changed.members = changed_members(&room, before, after).await?;
        Ok((changed, room.joined_members().await?))
    }
}
