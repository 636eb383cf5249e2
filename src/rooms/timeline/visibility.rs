//! Who may see which event. spec: client-server §Room history visibility

use std::{
    cell::RefCell,
    collections::{BTreeSet, HashMap},
    rc::Rc,
};

use ruma::{
    DeviceId, OwnedDeviceId, OwnedUserId, UserId,
    events::{
        StateEventType, TimelineEventType,
        room::{history_visibility::HistoryVisibility, member::MembershipState},
    },
};
use serde::Deserialize;

use crate::{
    Result,
    feed::Position,
    rooms::{Event, Room, Rooms, StateId},
};

/// A user, perhaps by one of their devices, who looks at a room. Remembers what it found out:
/// make one for a request and ask it for every event.
pub struct Viewer {
    pub(in crate::rooms) room: Room,
    pub(in crate::rooms) user_id: OwnedUserId,
    pub(in crate::rooms) device_id: Option<OwnedDeviceId>,
    /// The user was joined at some time at or after every event before this position.
    joined_until: Position,
    /// Whose messages they do not want.
    pub(in crate::rooms) ignored: Rc<BTreeSet<OwnedUserId>>,
    seen: RefCell<HashMap<StateId, Sight>>,
}

/// What one state says of seeing.
#[derive(Clone)]
struct Sight {
    visibility: HistoryVisibility,
    membership: Option<MembershipState>,
}

#[derive(Deserialize)]
struct VisibilityContent {
    history_visibility: HistoryVisibility,
}

impl Room {
    /// How a user sees this room.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn viewer(&self, user_id: &UserId, device_id: Option<&DeviceId>) -> Result<Viewer> {
        Ok(Viewer {
            room: self.clone(),
            user_id: user_id.to_owned(),
            device_id: device_id.map(ToOwned::to_owned),
            joined_until: self.joined_until(user_id).await?,
            ignored: Rc::default(),
            seen: RefCell::default(),
        })
    }

    /// The end of the last time that a user was joined: `Position::MAX` while they are, 0 when
    /// they never were.
    async fn joined_until(&self, user_id: &UserId) -> Result<Position> {
        let Some(member) = self.membership_of(user_id).await? else { return Ok(0) };
        if member.membership == MembershipState::Join {
            return Ok(Position::MAX);
        }
        let mut next = self.event(&member.event_id).await?;
        while let Some(event) = next {
            let Some(before) = &event.replaces_state else { return Ok(0) };
            next = self.event(before).await?;
            let joined = next.as_ref().and_then(|event| event.pdu.membership())
                == Some(MembershipState::Join);
            if joined {
                return Ok(event.position);
            }
        }
        Ok(0)
    }

    /// The history visibility that one of its states has.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn history_visibility_at(&self, id: StateId) -> Result<HistoryVisibility> {
        let event = self.state_event_at(id, &StateEventType::RoomHistoryVisibility, "").await?;
        Ok(event
            .and_then(|pdu| pdu.content_as::<VisibilityContent>())
            .map_or(HistoryVisibility::Shared, |content| content.history_visibility))
    }

    /// Whether everybody may read the room now.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn is_world_readable(&self) -> Result<bool> {
        let visibility = self.history_visibility_at(self.current_state_id()).await?;
        Ok(visibility == HistoryVisibility::WorldReadable)
    }
}

impl Viewer {
    /// The same for somebody who ignores these users.
    pub fn ignoring(self, ignored: Rc<BTreeSet<OwnedUserId>>) -> Self {
        Self { ignored, ..self }
    }

    /// The room.
    pub fn room(&self) -> &Room {
        &self.room
    }

    /// Until which position the user sees the room's history as a member: `Position::MAX` while
    /// they are joined, 0 when they never were.
    pub fn joined_until(&self) -> Position {
        self.joined_until
    }

    /// The user's membership at an event, with its effect if it is their own.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn membership_at(&self, event: &Event) -> Result<MembershipState> {
        if self.is_own_membership(event)
            && let Some(membership) = event.pdu.membership()
        {
            return Ok(membership);
        }
        let sight = self.sight(event.state_before).await?;
        Ok(sight.membership.unwrap_or(MembershipState::Leave))
    }

    /// Whether the user may see an event.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn sees(&self, event: &Event) -> Result<bool> {
        if self.is_own_membership(event) {
            return Ok(true);
        }
        let before = self.sight(event.state_before).await?;
        if self.sees_by(&before, event.position) {
            return Ok(true);
        }
        // For a change of the visibility itself either side of it counts.
        if event.pdu.kind == TimelineEventType::RoomHistoryVisibility {
            let after = self.sight(event.state_after).await?;
            return Ok(self.sees_by(&after, event.position));
        }
        Ok(false)
    }

    /// Whether an event belongs among those that the user is shown: they may see it, and want to.
    /// State counts, whoever sent it. spec: client-server §Ignoring Users
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn wants(&self, event: &Event) -> Result<bool> {
        let ignored = event.pdu.state_key.is_none() && self.ignored.contains(&event.pdu.sender);
        Ok(!ignored && self.sees(event).await?)
    }

    /// Those of some events that the user is shown.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn wanted(&self, events: Vec<Event>) -> Result<Vec<Event>> {
        let mut wanted = Vec::with_capacity(events.len());
        for event in events {
            if self.wants(&event).await? {
                wanted.push(event);
            }
        }
        Ok(wanted)
    }

    fn sees_by(&self, sight: &Sight, position: Position) -> bool {
        match (&sight.visibility, &sight.membership) {
            (HistoryVisibility::WorldReadable, _) => true,
            (_, Some(MembershipState::Join)) => true,
            (HistoryVisibility::Invited, Some(MembershipState::Invite)) => true,
            (HistoryVisibility::Invited | HistoryVisibility::Joined, _) => false,
            // "shared", and what no server knows counts as that.
            _ => position < self.joined_until,
        }
    }

    fn is_own_membership(&self, event: &Event) -> bool {
        event.pdu.kind == TimelineEventType::RoomMember
            && event.pdu.state_key.as_deref() == Some(self.user_id.as_str())
    }

    async fn sight(&self, id: StateId) -> Result<Sight> {
        if let Some(sight) = self.seen.borrow().get(&id) {
            return Ok(sight.clone());
        }
        let own = self
            .room
            .state_event_at(id, &StateEventType::RoomMember, self.user_id.as_str())
            .await?;
        let sight = Sight {
            visibility: self.room.history_visibility_at(id).await?,
            membership: own.and_then(|pdu| pdu.membership()),
        };
        self.seen.borrow_mut().insert(id, sight.clone());
        Ok(sight)
    }
}

impl Rooms {
    /// Whether a user may see an event. For more than one event of a room ask a [`Viewer`].
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn visible(&self, user_id: &UserId, event: &Event) -> Result<bool> {
        let room = self.room(&event.pdu.room_id).await?;
        room.viewer(user_id, None).await?.sees(event).await
    }
}
