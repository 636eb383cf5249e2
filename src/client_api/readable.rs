//! Which part of a room a user may read. spec: client-server §Room history visibility

use std::rc::Rc;

use ruma::{
    EventId, RoomId, UserId,
    events::{
        StateEventType,
        room::{
            history_visibility::{HistoryVisibility, RoomHistoryVisibilityEventContent},
            member::MembershipState,
        },
    },
};

use crate::{
    Error, Homeserver, Result,
    rooms::{Pdu, Room, StateId, StateMap},
};

/// A room as a user may read it now: whole for members, up to their leaving for former members,
/// and for others if everybody may.
pub(super) struct Readable {
    pub(super) room: Room,
    /// The state that the user may see: that of their leaving, if they have left.
    left_at: Option<StateId>,
}

impl Readable {
    /// The state that the user may see.
    pub(super) async fn state(&self) -> Result<Rc<StateMap>> {
        match self.left_at {
            None => Ok(self.room.current_state()),
            Some(id) => self.room.state_at(id).await,
        }
    }

    /// An event of that state.
    pub(super) async fn state_event(
        &self,
        kind: &StateEventType,
        key: &str,
    ) -> Result<Option<Rc<Pdu>>> {
        match self.left_at {
            None => self.room.state_event(kind, key).await,
            Some(id) => self.room.state_event_at(id, kind, key).await,
        }
    }
}

/// The room, if the user may read anything of it.
///
/// # Errors
/// 403 `M_FORBIDDEN`, also for a room that is not known, so that nobody can find out which are.
pub(super) async fn room(
    server: &Homeserver,
    user_id: &UserId,
    room_id: &RoomId,
) -> Result<Readable> {
    let forbidden = || Error::forbidden("You are not in this room and may not read it");
    let room = server.rooms.room(room_id).await.map_err(|_| forbidden())?;
    let membership = server.rooms.membership(user_id, room_id).await?;
    match membership.filter(|membership| !membership.forgotten) {
        Some(here) if here.membership == MembershipState::Join => {
            return Ok(Readable { room, left_at: None });
        }
        Some(here) if matches!(here.membership, MembershipState::Leave | MembershipState::Ban) => {
            if let Some(left) = left_at(&room, &here.event_id).await? {
                return Ok(Readable { room, left_at: Some(left) });
            }
        }
        _ => {}
    }
    let visibility = room
        .state_content::<RoomHistoryVisibilityEventContent>(
            &StateEventType::RoomHistoryVisibility,
            "",
        )
        .await?;
    match visibility.map(|content| content.history_visibility) {
        Some(HistoryVisibility::WorldReadable) => Ok(Readable { room, left_at: None }),
        _ => Err(forbidden()),
    }
}

/// The state after the end of a user's last stay in a room, found from their newest membership
/// event; `None` for those who were never in it, but invited or banned, say.
async fn left_at(room: &Room, newest: &EventId) -> Result<Option<StateId>> {
    #[derive(serde::Deserialize)]
    struct Content {
        membership: MembershipState,
    }
    let mut next = room.event(newest).await?;
    while let Some(event) = next {
        let Some(before) = &event.replaces_state else { return Ok(None) };
        let before = room.event(before).await?;
        let content = before.as_ref().and_then(|before| before.pdu.content_as::<Content>());
        if content.is_some_and(|content| content.membership == MembershipState::Join) {
            return Ok(Some(event.state_after));
        }
        next = before;
    }
    Ok(None)
}
