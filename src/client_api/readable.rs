//! Which part of a room a user may read. spec: client-server §Room history visibility

use std::rc::Rc;

use ruma::{
    RoomId,
    events::{AnyStateEvent, StateEventType},
    serde::Raw,
};

use crate::{
    Error, Result, Services,
    feed::Position,
    rooms::{Format, Pdu, Room, StateId, StateMap, Viewer},
    users::Session,
};

/// A room as a user may read it now: whole for members, up to their leaving for former members,
/// and for others if everybody may.
pub(super) struct Readable {
    pub(super) viewer: Viewer,
    state: StateId,
}

impl Readable {
    /// The state that the user may see: that of their leaving, if they have left.
    pub(super) async fn state(&self) -> Result<Rc<StateMap>> {
        self.viewer.room().state_at(self.state).await
    }

    /// The events of that state, as the user gets them.
    pub(super) async fn state_events(&self) -> Result<Vec<Raw<AnyStateEvent>>> {
        let mut events = Vec::new();
        for (_, _, event_id) in self.state().await?.iter() {
            if let Some(event) = self.viewer.room().event(event_id).await? {
                events.push(self.viewer.event(&event, Format::Timeline).await?);
            }
        }
        Ok(events)
    }

    /// An event of that state.
    pub(super) async fn state_event(
        &self,
        kind: &StateEventType,
        key: &str,
    ) -> Result<Option<Rc<Pdu>>> {
        self.viewer.room().state_event_at(self.state, kind, key).await
    }
}

/// How the user of a session sees a room.
pub(super) async fn viewer(services: &Services, session: &Session, room: &Room) -> Result<Viewer> {
    let viewer = room.viewer(&session.user_id, Some(&session.device_id)).await?;
    Ok(viewer.ignoring(services.users.ignored_users(&session.user_id).await?))
}

/// The room, if the user may read anything of it.
///
/// # Errors
/// 403 `M_FORBIDDEN`, also for a room that is not known, so that nobody can find out which are.
pub(super) async fn room(
    services: &Services,
    session: &Session,
    room_id: &RoomId,
) -> Result<Readable> {
    let forbidden = || Error::forbidden("You are not in this room and may not read it");
    let room = services.rooms.room(room_id).await.map_err(|cause| cause.hidden_by(forbidden()))?;
    let forgotten = is_forgotten(services, session, room_id).await?;
    let viewer = viewer(services, session, &room).await?;
    let state = match viewer.joined_until() {
        Position::MAX => room.current_state_id(),
        0 => world_readable(&room).await?.ok_or_else(forbidden)?,
        _ if forgotten => world_readable(&room).await?.ok_or_else(forbidden)?,
        left => room.state_id_at(left).await?,
    };
    Ok(Readable { viewer, state })
}

/// Whether the user forgot a room, after which its history is no longer theirs to read.
/// spec: client-server §Leaving rooms
async fn is_forgotten(services: &Services, session: &Session, room_id: &RoomId) -> Result<bool> {
    let membership = services.rooms.membership(&session.user_id, room_id).await?;
    Ok(membership.is_some_and(|membership| membership.forgotten))
}

/// Whether a user may see single events of a room: not of one that they forgot, unless everybody
/// may read it.
pub(super) async fn is_open(services: &Services, session: &Session, room: &Room) -> Result<bool> {
    Ok(!is_forgotten(services, session, room.id()).await? || room.is_world_readable().await?)
}

async fn world_readable(room: &Room) -> Result<Option<StateId>> {
    Ok(room.is_world_readable().await?.then(|| room.current_state_id()))
}
