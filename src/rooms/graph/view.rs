//! Where the graph and the state of a room stand.

use std::rc::Rc;

use ruma::{
    OwnedEventId, OwnedRoomId, RoomVersionId,
    events::{StateEventType, room::member::MembershipState},
    room_version_rules::RoomVersionRules,
};
use serde::{Deserialize, Serialize};

use super::{StateGroup, StateId};
use crate::{
    Result,
    feed::Position,
    rooms::events::auth::{Subject, auth_keys},
    store::{Erasure, Json, Rows, Table},
};

/// Room → where its graph and state stand.
pub(in crate::rooms) const ROOMS: Rows<(OwnedRoomId,), Json<Head>> =
    Rows::new(Table::Rooms, Erasure::Nobodys);

/// The row of a room: where its graph and state stand.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::rooms) struct Head {
    pub(in crate::rooms) version: RoomVersionId,
    pub(in crate::rooms) create: OwnedEventId,
    /// The events that no event follows yet. spec: server-server §PDUs
    pub(in crate::rooms) extremities: Vec<OwnedEventId>,
    /// The greatest depth among the extremities.
    pub(in crate::rooms) depth: u64,
    /// The resolved state after the extremities.
    pub(in crate::rooms) state: StateId,
    /// The greatest state id given out.
    pub(in crate::rooms) last_state: u64,
    /// The position of the newest event in the timeline.
    pub(in crate::rooms) position: Position,
    /// How many users are joined; not known of rooms of older versions whose members nobody has
    /// read since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::rooms) joined: Option<u64>,
    /// Whether any event of the room relates to another.
    #[serde(default)]
    pub(in crate::rooms) relations: bool,
}

impl Head {
    /// Lets the count follow a change of a membership.
    pub(in crate::rooms) fn count_joined(
        &mut self,
        before: Option<MembershipState>,
        after: Option<MembershipState>,
    ) {
        let is_joined = |of: Option<MembershipState>| u64::from(of == Some(MembershipState::Join));
        let joined = self.joined.map(|joined| joined + is_joined(after));
        self.joined = joined.and_then(|joined| joined.checked_sub(is_joined(before)));
    }
}

/// Where a room stands at one moment.
#[derive(Clone, Debug)]
pub(in crate::rooms) struct View {
    pub(in crate::rooms) head: Head,
    /// `None` only before the create event.
    pub(in crate::rooms) group: Option<Rc<StateGroup>>,
}

impl View {
    /// The event that sets an entry of the current state.
    pub(in crate::rooms) fn state(
        &self,
        kind: &StateEventType,
        key: &str,
    ) -> Option<&OwnedEventId> {
        self.group.as_ref()?.get(kind, key)
    }

    /// The state events that it has for an event's authorization: first those to name in
    /// `auth_events`, then, where the room version does not name it, the create event.
    pub(in crate::rooms) fn auth_events(
        &self,
        subject: Subject<'_>,
        rules: &RoomVersionRules,
    ) -> Result<(Vec<OwnedEventId>, OwnedEventId)> {
        let named = auth_keys(subject, &rules.authorization)?
            .iter()
            .filter_map(|(kind, key)| self.state(kind, key).cloned())
            .collect();
        Ok((named, self.head.create.clone()))
    }
}
