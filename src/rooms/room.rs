//! A room as readers see it: what is durable.

use std::{collections::BTreeSet, rc::Rc};

use ruma::{
    EventId, OwnedEventId, OwnedUserId, RoomId, RoomVersionId, UserId,
    events::{
        StateEventType,
        room::{
            guest_access::{GuestAccess, RoomGuestAccessEventContent},
            member::MembershipState,
        },
    },
    room_version_rules::RoomVersionRules,
};

use super::{
    Event, Member, Members, Pdu, PowerLevels, Rooms, StateEntry, StateId, StateMap, Status,
    events::TIMELINE,
    graph::{LiveRoom, StateGroup, View},
    timeline::Annotations,
};
use crate::{
    Result,
    feed::Position,
    store::{Direction, Store},
};

/// A room to read from; each call sees what is durable then. Cheap to clone.
#[derive(Clone)]
pub struct Room {
    rooms: Rooms,
    live: Rc<LiveRoom>,
}

impl Room {
    pub(super) fn new(rooms: Rooms, live: Rc<LiveRoom>) -> Self {
        Self { rooms, live }
    }

    pub(super) fn store(&self) -> &Store {
        &self.rooms.inner.store
    }

    pub(super) fn annotations(&self) -> &Annotations {
        &self.live.annotations
    }

    pub(super) fn view(&self) -> Rc<View> {
        self.live.durable()
    }

    /// Its id.
    pub fn id(&self) -> &RoomId {
        &self.live.room_id
    }

    /// Its version.
    pub fn version(&self) -> &RoomVersionId {
        &self.live.version
    }

    /// The rules of its version.
    pub fn rules(&self) -> &RoomVersionRules {
        &self.live.rules
    }

    /// The position of its newest event.
    pub fn head(&self) -> Position {
        self.view().head.position
    }

    /// Its current state.
    pub fn current_state(&self) -> Rc<StateMap> {
        self.live.map(self.view().group.as_ref())
    }

    /// Names its current state.
    pub fn current_state_id(&self) -> StateId {
        self.view().head.state
    }

    /// Names the state that was current at a position.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn state_id_at(&self, position: Position) -> Result<StateId> {
        if position >= self.head() {
            return Ok(self.current_state_id());
        }
        let before = self.timeline(0, position + 1, Direction::Backward, 1).await?;
        Ok(before.first().map_or_else(StateId::default, |event| event.room_state))
    }

    /// One of its states.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn state_at(&self, id: StateId) -> Result<Rc<StateMap>> {
        let group = self.rooms.group(&self.live, id).await?;
        Ok(self.live.map(group.as_ref()))
    }

    /// The event that sets an entry of the current state.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn state_event(&self, kind: &StateEventType, key: &str) -> Result<Option<Rc<Pdu>>> {
        match self.view().state(kind, key) {
            Some(event_id) => self.pdu(event_id).await,
            None => Ok(None),
        }
    }

    /// The event that sets an entry of one of its states; reads no more of the state than that.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn state_event_at(
        &self,
        id: StateId,
        kind: &StateEventType,
        key: &str,
    ) -> Result<Option<Rc<Pdu>>> {
        match self.state_entry_at(id, kind, key).await? {
            Some(event_id) => self.pdu(&event_id).await,
            None => Ok(None),
        }
    }

    /// The id of that event.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn state_entry_at(
        &self,
        id: StateId,
        kind: &StateEventType,
        key: &str,
    ) -> Result<Option<OwnedEventId>> {
        let group = self.rooms.group(&self.live, id).await?;
        Ok(group.and_then(|group| group.get(kind, key).cloned()))
    }

    /// What the state `to` has otherwise than the state `from`, sorted; reads no more of the two
    /// than that.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn state_changes(&self, from: StateId, to: StateId) -> Result<Vec<Rc<StateEntry>>> {
        if from == to {
            return Ok(Vec::new());
        }
        let from = self.rooms.group(&self.live, from).await?;
        let to = self.rooms.group(&self.live, to).await?;
        Ok(StateGroup::changes(from.as_ref(), to.as_ref()))
    }

    /// Whether guests may join. spec: client-server §Guest Access
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn lets_guests_in(&self) -> Result<bool> {
        let access: Option<RoomGuestAccessEventContent> =
            self.state_content(&StateEventType::RoomGuestAccess, "").await?;
        Ok(access.is_some_and(|access| access.guest_access == GuestAccess::CanJoin))
    }

    /// The content of a current state event as a type; `None` when there is none of that form.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn state_content<T: serde::de::DeserializeOwned>(
        &self,
        kind: &StateEventType,
        key: &str,
    ) -> Result<Option<T>> {
        Ok(self.state_event(kind, key).await?.and_then(|pdu| pdu.content_as()))
    }

    /// An event of the room, wherever it stands; not one that was rejected or soft-failed.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn event(&self, event_id: &EventId) -> Result<Option<Event>> {
        let event = self.rooms.stored_event(&self.live, event_id).await?;
        Ok(event.filter(|event| event.status == Status::Accepted))
    }

    async fn pdu(&self, event_id: &EventId) -> Result<Option<Rc<Pdu>>> {
        let known = self.live.auth.borrow_mut().get(event_id);
        if known.is_some() {
            return Ok(known);
        }
        Ok(self.event(event_id).await?.map(|event| event.pdu))
    }

    /// The events with a position from `from` (in) to `to` (out), in the order of `direction`, at
    /// most `limit`.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn timeline(
        &self,
        from: Position,
        to: Position,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Event>> {
        // Rows of events that are submitted and not durable are not in the store.
        if from >= to || from > self.head() || limit == 0 {
            return Ok(Vec::new());
        }
        let rows = TIMELINE.scan((self.id(),)).starting_at((from,)).until((to,));
        let rows = rows.direction(direction).limit(limit).rows(self.store()).await?;
        rows.into_iter()
            .map(|((position,), row)| {
                let event = Event::from_row(&row, position, &self.live.rules);
                Ok(event.map_err(|cause| TIMELINE.unreadable((self.id(), position), &cause))?)
            })
            .collect()
    }

    /// Everybody whom the current state names as a member, with their membership.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn members(&self) -> Result<Rc<Members>> {
        self.rooms.members(&self.live).await
    }

    /// How many are joined; reads no members, unless the room is of an older version.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn joined_count(&self) -> Result<u64> {
        match self.view().head.joined {
            Some(joined) => Ok(joined),
            None => Ok(self.members().await?.joined_count() as u64),
        }
    }

    /// What the current state says of a user.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn membership_of(&self, user_id: &UserId) -> Result<Option<Member>> {
        self.rooms.member(&self.live, user_id).await
    }

    /// Whether a user is joined.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn is_joined(&self, user_id: &UserId) -> Result<bool> {
        let member = self.membership_of(user_id).await?;
        Ok(member.is_some_and(|member| member.membership == MembershipState::Join))
    }

    /// Who is joined.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn joined_members(&self) -> Result<BTreeSet<OwnedUserId>> {
        let members = self.members().await?;
        let joined = members.iter().filter(|(_, m)| m.membership == MembershipState::Join);
        Ok(joined.map(|(user_id, _)| user_id.clone()).collect())
    }

    /// Who may do what now.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn power_levels(&self) -> Result<PowerLevels> {
        self.rooms.power_levels(&self.live, &self.view()).await
    }
}
