//! A member of a room, and a user's rooms: derived from the state, one row each, so that a question
//! about members reads no events.

use std::{collections::BTreeMap, ops::Deref};

use ruma::{
    OwnedEventId, OwnedMxcUri, OwnedRoomId, OwnedUserId, RoomId,
    events::room::member::MembershipState,
};
use serde::{Deserialize, Serialize};

use crate::{
    feed::Position,
    rooms::Pdu,
    store::{Erasure, Json, Rows, Table},
};

/// Room, user → what the current state says of them.
pub(in crate::rooms) const ROOM_MEMBERS: Rows<(OwnedRoomId, OwnedUserId), Json<Member>> =
    Rows::new(Table::RoomMembers, Erasure::Kept);
/// User of this server, room → membership.
pub(crate) const USER_ROOMS: Rows<(OwnedUserId, OwnedRoomId), Json<UserRoom>> =
    Rows::new(Table::UserRooms, Erasure::Kept);

/// What a room's current state says of a user.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// Their membership.
    pub membership: MembershipState,
    /// The membership event.
    pub event_id: OwnedEventId,
    /// Its position.
    pub position: Position,
    /// Who sent it.
    pub sender: OwnedUserId,
    /// The name that they have in the room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub displayname: Option<String>,
    /// The picture that they have in the room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avatar_url: Option<OwnedMxcUri>,
}

/// What a membership event says, read as leniently as the authorization rules do.
#[derive(Deserialize)]
struct Content {
    membership: MembershipState,
    displayname: Option<serde_json::Value>,
    avatar_url: Option<serde_json::Value>,
}

impl Member {
    /// The row for a membership event; `None` when it has no membership.
    pub(in crate::rooms) fn of(pdu: &Pdu, position: Position) -> Option<Self> {
        let content: Content = pdu.content_as()?;
        let text = |value: Option<serde_json::Value>| match value {
            Some(serde_json::Value::String(text)) => Some(text),
            _ => None,
        };
        Some(Self {
            membership: content.membership,
            event_id: pdu.event_id.clone(),
            position,
            sender: pdu.sender.clone(),
            displayname: text(content.displayname),
            avatar_url: text(content.avatar_url).map(OwnedMxcUri::from),
        })
    }
}

/// A user's membership in one room.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UserRoom {
    /// The room.
    pub room_id: OwnedRoomId,
    /// The user's membership.
    pub membership: MembershipState,
    /// The membership before this one, if there was any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<MembershipState>,
    /// The membership event.
    pub event_id: OwnedEventId,
    /// Its position.
    pub position: Position,
    /// Who sent it.
    pub sender: OwnedUserId,
    /// Whether the user forgot the room since. spec: client-server §Leaving rooms
    #[serde(default)]
    pub forgotten: bool,
}

impl UserRoom {
    /// Whether the user is joined.
    pub fn is_joined(&self) -> bool {
        self.membership == MembershipState::Join
    }

    /// The position of the event by which the user came, if nothing about their membership has
    /// changed since.
    pub fn joined_by(&self) -> Option<Position> {
        let came = self.is_joined() && self.previous != Some(MembershipState::Join);
        came.then_some(self.position)
    }
}

/// A user's rooms.
#[derive(Clone, Debug, Default)]
pub struct UserRooms(BTreeMap<OwnedRoomId, UserRoom>);

impl UserRooms {
    /// Whether the user is joined to a room.
    pub fn joined(&self, room_id: &RoomId) -> bool {
        self.get(room_id).is_some_and(UserRoom::is_joined)
    }

    /// Whether somebody with these rooms is joined to one of them together with the user.
    pub fn shares(&self, other: &Self) -> bool {
        let (few, many) = if self.len() <= other.len() { (self, other) } else { (other, self) };
        few.values().any(|room| room.is_joined() && many.joined(&room.room_id))
    }

    pub(super) fn set(&mut self, room_id: OwnedRoomId, room: Option<UserRoom>) {
        match room {
            Some(room) => self.0.insert(room_id, room),
            None => self.0.remove(&room_id),
        };
    }
}

impl Deref for UserRooms {
    type Target = BTreeMap<OwnedRoomId, UserRoom>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

/// New rows of members with the membership before; `None` where the state names them no longer.
pub(in crate::rooms) type MemberChanges =
    BTreeMap<OwnedUserId, Option<(Member, Option<MembershipState>)>>;
