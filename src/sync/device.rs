//! What concerns the syncing device: messages for it, its keys, and whose devices changed.
//! spec: client-server §End-to-end encryption, Extensions to /sync

use std::collections::BTreeSet;

use ruma::{
    OwnedUserId, RoomId, UserId,
    events::{
        StateEventType,
        room::member::MembershipState::{self, Join},
    },
};

use super::{
    Sync, SyncRequest,
    changes::{Changes, RoomChanges},
    response::{DeviceLists, Response},
    state::own_membership,
};
use crate::{
    Result,
    feed::Position,
    rooms::{Room, StateId, UserRooms, unless_damaged},
    users::Session,
};

/// Who came into and left the rooms of a user, and with whom the user came or left.
#[derive(Default)]
pub(super) struct Moves {
    /// Those who are in one of the user's rooms now.
    pub(super) came: BTreeSet<OwnedUserId>,
    /// Those who are no longer in some room that the user is or was in.
    pub(super) left: BTreeSet<OwnedUserId>,
}

impl Sync {
    pub(super) async fn add_device(
        &self,
        response: &mut Response,
        session: &Session,
        request: &SyncRequest,
        moves: Moves,
        changes: &Changes,
        to: Position,
    ) -> Result<()> {
        let Session { user_id, device_id, .. } = session;
        let users = &self.inner.users;
        let after = request.since.unwrap_or_default();
        if request.since.is_none() || changes.to_device {
            // All of them: with the next token, everything up to this answer counts as received.
            let messages = users.to_device(user_id, device_id, after, to, usize::MAX).await?;
            response.to_device.events = messages.into_iter().map(|(_, event)| event).collect();
        }
        if request.since.is_some() {
            response.device_lists = self.device_lists(session, moves, changes).await?;
        }
        let counts = users.key_counts(user_id, device_id).await?;
        response.device_one_time_keys_count = counts.one_time_keys.clone();
        response.device_unused_fallback_key_types = counts.unused_fallback_keys.clone();
        Ok(())
    }

    /// Whose devices a client has to look at again because of what came after `from` up to `to`,
    /// and whose no longer. spec: client-server §GET /keys/changes
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn device_list_changes(
        &self,
        session: &Session,
        from: Position,
        to: Position,
    ) -> Result<DeviceLists> {
        let rooms = self.inner.rooms.memberships(&session.user_id).await?;
        let changes = self.changes(session, &rooms, from, to).await?;
        let moves = self.moves(session, &rooms, &changes, from).await?;
        self.device_lists(session, moves, &changes).await
    }

    /// Users whose devices changed or who came to share a room, and those who share none any more.
    async fn device_lists(
        &self,
        session: &Session,
        Moves { came, left }: Moves,
        changes: &Changes,
    ) -> Result<DeviceLists> {
        let own = &session.user_id;
        let mut lists = DeviceLists::default();
        for user_id in changes.device_lists.union(&came) {
            if self.shares(own, user_id).await? {
                lists.changed.push(user_id.clone());
            }
        }
        for user_id in left {
            if user_id != *own && !self.shares(own, &user_id).await? {
                lists.left.push(user_id);
            }
        }
        Ok(lists)
    }

    /// Who came and left in what a user's rooms have new after `since`.
    pub(super) async fn moves(
        &self,
        session: &Session,
        rooms: &UserRooms,
        changes: &Changes,
        since: Position,
    ) -> Result<Moves> {
        let own = &session.user_id;
        let mut moves = Moves::default();
        for (room_id, changed) in &changes.rooms {
            let Some(membership) = rooms.get(room_id) else { continue };
            let joined = membership.membership == Join;
            let moved = changed.members.contains(own) && membership.position > since;
            if changed.members.is_empty() || (!joined && !moved) {
                continue;
            }
            let in_room = self.moves_in(own, room_id, changed, joined, moved, since).await;
            // Of a damaged room both may be so: what is told still depends on whether they share
            // another.
            let Moves { came, left } = unless_damaged(room_id, in_room)?.unwrap_or_else(|| Moves {
                came: changed.members.clone(),
                left: changed.members.clone(),
            });
            moves.came.extend(came);
            moves.left.extend(left);
        }
        Ok(moves)
    }

    /// Who came and left in one room after `since`. The user is joined to it now or not; `moved` is
    /// whether their own membership event has changed.
    async fn moves_in(
        &self,
        own: &UserId,
        room_id: &RoomId,
        changed: &RoomChanges,
        joined: bool,
        moved: bool,
        since: Position,
    ) -> Result<Moves> {
        let mut moves = Moves::default();
        let room = self.inner.rooms.room(room_id).await?;
        let before = room.state_id_at(since).await?;
        let was_joined = !moved || membership(&room, before, own).await? == Some(Join);
        let others = match (was_joined, joined) {
            (false, false) => return Ok(moves),
            (false, true) => {
                moves.came = room.joined_members().await?;
                return Ok(moves);
            }
            (true, true) if !moved => changed.members.clone(),
            // The feed leaves out for the user who came and left while they were not in the room.
            (true, true) => changed_members(&room, before, room.current_state_id()).await?,
            (true, false) => {
                moves.left = room.joined_members().await?;
                changed_members(&room, before, room.current_state_id()).await?
            }
        };
        for user_id in others {
            let was_there = membership(&room, before, &user_id).await? == Some(Join);
            let is_there = joined && room.is_joined(&user_id).await?;
            match (was_there, is_there) {
                (false, true) => moves.came.insert(user_id),
                (true, false) => moves.left.insert(user_id),
                // Such as a new name.
                _ => false,
            };
        }
        Ok(moves)
    }

    /// Whether a user is told of another: they share a room, or are the same.
    pub(super) async fn shares(&self, own: &UserId, other: &UserId) -> Result<bool> {
        Ok(own == other || self.inner.rooms.shares_room(own, other).await?)
    }
}

/// What a room's state says of a user.
pub(super) async fn membership(
    room: &Room,
    state: StateId,
    user_id: &UserId,
) -> Result<Option<MembershipState>> {
    Ok(own_membership(room, state, user_id).await?.and_then(|member| member.membership()))
}

/// Whose membership event is another in a room's state than in one before.
pub(super) async fn changed_members(
    room: &Room,
    before: StateId,
    after: StateId,
) -> Result<BTreeSet<OwnedUserId>> {
    let changes = room.state_changes(before, after).await?;
    let members = changes.iter().filter(|entry| *entry.kind() == StateEventType::RoomMember);
    Ok(members.filter_map(|entry| entry.key().try_into().ok()).collect())
}
