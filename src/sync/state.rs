//! What an answer tells of a room's state.
//!
//! The invariant: a client that has the state up to its token and applies the answer has the state
//! at the end of the answer, whatever the timeline's filter and history visibility hide. Clients
//! apply the list of state first and then, unless it is `state_after`, the state events of the
//! timeline. Therefore:
//!
//! - The list has every entry that changed, with its value at the end.
//! - Only entries that the timeline sets are listed with their value at the timeline's start.
//! - A timeline whose last event for an entry is not the value at the end is cut after that event,
//!   and limited.
//!
//! Entries that the filter of state excludes are exempt; of lazily loaded members only those that
//! the client was told of have to be right.
//! spec: client-server §Syncing, §Lazy-loading room members

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use ruma::{
    OwnedEventId, OwnedUserId, UserId,
    api::client::filter::LazyLoadOptions,
    events::{
        StateEventType, TimelineEventType,
        room::{history_visibility::HistoryVisibility, member::MembershipState},
    },
};

use super::{Sync, filter, span::Span};
use crate::{
    Result,
    feed::Position,
    rooms::{Event, Pdu, Room, StateEntry, StateId},
};

/// What a client has of a room's state at its token.
pub(super) struct Known {
    /// The newest state that it was told, if any.
    state: Option<StateId>,
    /// Whether the user was joined at the token. If not, the client may have dropped the state, and
    /// the whole of it has to be told again.
    pub(super) joined: bool,
}

/// The state that an answer leaves a client with, and what the list of state says of it.
pub(super) struct Target<'a> {
    room: &'a Room,
    /// The position of the state at the end.
    until: Position,
    end: StateId,
    /// Entries that are told with another value than they have at the end.
    otherwise: BTreeMap<StateEventType, BTreeMap<String, Option<OwnedEventId>>>,
}

/// What an answer shows of a room's members, beside their membership.
pub(super) struct Shown<'a> {
    pub(super) timeline: &'a [Event],
    /// Those whom the summary names.
    pub(super) heroes: &'a [OwnedUserId],
}

impl Shown<'_> {
    /// Who has to be known to show it.
    fn users(&self) -> BTreeSet<&str> {
        let senders = self.timeline.iter().map(|event| &event.pdu.sender);
        senders.chain(self.heroes).map(|user_id| user_id.as_str()).collect()
    }

    /// Whose membership changes in it.
    fn members(&self) -> impl Iterator<Item = &str> {
        let members =
            self.timeline.iter().filter(|event| event.pdu.kind == TimelineEventType::RoomMember);
        members.filter_map(|event| event.pdu.state_key.as_deref())
    }
}

impl Target<'_> {
    /// The value to tell for an entry.
    async fn get(&self, kind: &StateEventType, key: &str) -> Result<Option<OwnedEventId>> {
        match self.otherwise.get(kind).and_then(|keys| keys.get(key)) {
            Some(value) => Ok(value.clone()),
            None => self.room.state_entry_at(self.end, kind, key).await,
        }
    }

    fn set(&mut self, kind: StateEventType, key: &str, value: Option<OwnedEventId>) {
        self.otherwise.entry(kind).or_default().insert(key.to_owned(), value);
    }

    /// Cuts a timeline after the newest event that would leave a client with another value than
    /// the target's, because the event that replaced it is hidden. Whether anything was cut off.
    pub(super) async fn cut(&self, timeline: &mut Vec<Event>, span: &Span<'_>) -> Result<bool> {
        let mut settled = BTreeSet::new();
        for (index, event) in timeline.iter().enumerate().rev() {
            let Some((kind, key)) = event.pdu.state_entry() else { continue };
            if !settled.insert((kind.clone(), key.to_owned())) {
                continue;
            }
            let last = self.get(&kind, key).await?;
            if last.as_ref() == Some(&event.pdu.event_id) {
                continue;
            }
            // The client asked not to be told the value at the end: cutting would not help.
            if let Some(last) = last
                && let Some(last) = self.room.event(&last).await?
                && !filter::event_passes(&span.filter.state, &last.pdu)
            {
                continue;
            }
            timeline.drain(..=index);
            return Ok(true);
        }
        Ok(false)
    }

    /// Makes the entries that a timeline sets be told as they were at its start.
    pub(super) async fn precede(&mut self, timeline: &[Event]) -> Result<()> {
        let entries: Vec<_> = timeline.iter().filter_map(|event| event.pdu.state_entry()).collect();
        let (Some(first), false) = (timeline.first(), entries.is_empty()) else { return Ok(()) };
        let start = self.room.state_id_at((first.position - 1).min(self.until)).await?;
        for (kind, key) in entries {
            let value = self.room.state_entry_at(start, &kind, key).await?;
            self.set(kind, key, value);
        }
        Ok(())
    }

    /// The events of the whole state or, if not `whole`, of what differs from the known state.
    async fn changed_since(
        &self,
        known: &Known,
        whole: bool,
        wanted: impl Fn(&StateEntry) -> bool,
    ) -> Result<Vec<OwnedEventId>> {
        let base = known.state.filter(|_| !whole).unwrap_or_default();
        let mut events = Vec::new();
        for entry in self.room.state_changes(base, self.end).await? {
            let keys = self.otherwise.get(entry.kind());
            let is_otherwise = keys.is_some_and(|keys| keys.contains_key(entry.key()));
            if !is_otherwise && wanted(&entry) {
                events.extend(entry.event_id().cloned());
            }
        }
        for (kind, keys) in &self.otherwise {
            for (key, value) in keys {
                let is_known = self.room.state_entry_at(base, kind, key).await? == *value;
                events.extend(value.clone().filter(|_| !is_known));
            }
        }
        Ok(events)
    }
}

impl Sync {
    /// What the client has of a room's state before the answer.
    pub(super) async fn known(&self, room: &Room, span: &Span<'_>) -> Result<Known> {
        let nothing = Known { state: None, joined: false };
        let Some(since) = span.since else { return Ok(nothing) };
        let state = room.state_id_at(since).await?;
        let Some(own) = own_membership(room, state, &span.session.user_id).await? else {
            return Ok(nothing);
        };
        let told_until = match own.membership() {
            Some(MembershipState::Join) => return Ok(Known { state: Some(state), joined: true }),
            Some(MembershipState::Leave | MembershipState::Ban) => told_until(room, &own).await?,
            // If they were in the room before, the invite may have been told in place of their
            // leave, and what the client has may be of any time.
            _ => told_since(room, &own).await?,
        };
        match told_until {
            Some(position) => {
                Ok(Known { state: Some(room.state_id_at(position).await?), joined: false })
            }
            None => Ok(nothing),
        }
    }

    /// The state at the end of an answer.
    pub(super) async fn target<'a>(&self, room: &'a Room, span: &Span<'_>) -> Result<Target<'a>> {
        let last = room.state_id_at(span.to).await?;
        let otherwise = BTreeMap::new();
        let user_id = &span.session.user_id;
        let nothing = Target { room, until: 0, end: StateId::default(), otherwise };
        let Some(own) = own_membership(room, last, user_id).await? else { return Ok(nothing) };
        if own.membership() == Some(MembershipState::Join) {
            return Ok(Target { until: span.to, end: last, ..nothing });
        }
        let mut target = match told_until(room, &own).await? {
            Some(until) => Target { until, end: room.state_id_at(until).await?, ..nothing },
            None => nothing,
        };
        // Users know their own newest membership in any case.
        target.set(StateEventType::RoomMember, user_id.as_str(), Some(own.event_id.clone()));
        Ok(target)
    }

    /// The list of state of an answer, filtered.
    pub(super) async fn state_events(
        &self,
        target: &Target<'_>,
        span: &Span<'_>,
        known: &Known,
        shown: &Shown<'_>,
    ) -> Result<Vec<Event>> {
        let whole = span.full_state || !known.joined;
        let LazyLoadOptions::Enabled { include_redundant_members } =
            span.filter.state.lazy_load_options
        else {
            let events = target.changed_since(known, whole, |_| true).await?;
            return passing(target.room, span, events).await;
        };
        let mut users = shown.users();
        let mut changed = Vec::new();
        if whole {
            users.insert(span.session.user_id.as_str());
            users.extend(shown.members());
            // The client may still have members from before: those that changed are told, too.
            if let Some(known) = known.state {
                changed = target.room.state_changes(known, target.end).await?;
            }
        }
        let wanted = |entry: &StateEntry| {
            let order =
                |of: &Rc<StateEntry>| (of.kind(), of.key()).cmp(&(entry.kind(), entry.key()));
            !whole
                || *entry.kind() != StateEventType::RoomMember
                || users.contains(entry.key())
                || changed.binary_search_by(order).is_ok()
        };
        let mut events = target.changed_since(known, whole, wanted).await?;
        let told_members = &self.inner.told_members;
        let since = span.since.filter(|_| !whole).unwrap_or_default();
        if !whole {
            let mut needed = Vec::new();
            for user_id in users {
                let member = target.get(&StateEventType::RoomMember, user_id).await?;
                needed.extend(member.filter(|member| !events.contains(member)));
            }
            if !include_redundant_members {
                needed = told_members.untold(span.session, target.room.id(), since, needed);
            }
            events.extend(needed);
        }
        let events = passing(target.room, span, events).await?;
        let members = events
            .iter()
            .filter(|event| event.pdu.kind == TimelineEventType::RoomMember)
            .map(|event| event.pdu.event_id.clone());
        told_members.tell(span.session, target.room.id(), since, span.to, members);
        Ok(events)
    }
}

/// A user's membership event in one of a room's states.
pub(super) async fn own_membership(
    room: &Room,
    state: StateId,
    user_id: &UserId,
) -> Result<Option<Rc<Pdu>>> {
    room.state_event_at(state, &StateEventType::RoomMember, user_id.as_str()).await
}

/// Up to where a user who is not in a room is told its state, by their membership event: up to
/// their leave, or a later change of their membership at which everybody could read the room. `None`
/// if there is neither: a declined invite shows nothing. Never goes back, so that nobody is told an
/// older state than before. spec: client-server §Room history visibility
async fn told_until(room: &Room, own: &Pdu) -> Result<Option<Position>> {
    let mut next = room.event(&own.event_id).await?;
    let mut position = None;
    while let Some(event) = next {
        if event.pdu.membership() == Some(MembershipState::Join) {
            return Ok(position);
        }
        position = Some(event.position);
        let visibility = room.history_visibility_at(event.room_state).await?;
        if visibility == HistoryVisibility::WorldReadable {
            return Ok(position);
        }
        next = replaced(room, &event).await?;
    }
    Ok(None)
}

/// From where on a user may have been told a room's state, by their newest membership event: from
/// the first time that they were joined, or not in the room any more.
async fn told_since(room: &Room, own: &Pdu) -> Result<Option<Position>> {
    let mut next = room.event(&own.event_id).await?;
    let mut position = None;
    while let Some(event) = next {
        let membership = event.pdu.membership();
        if !matches!(membership, Some(MembershipState::Invite | MembershipState::Knock)) {
            position = Some(event.position);
        }
        next = replaced(room, &event).await?;
    }
    Ok(position)
}

/// The state event that an event took the place of.
async fn replaced(room: &Room, event: &Event) -> Result<Option<Event>> {
    match &event.replaces_state {
        Some(before) => room.event(before).await,
        None => Ok(None),
    }
}

/// Reads events and leaves out those that the filter of state excludes.
async fn passing(room: &Room, span: &Span<'_>, events: Vec<OwnedEventId>) -> Result<Vec<Event>> {
    let mut passing = Vec::new();
    for event_id in events {
        if let Some(event) = room.event(&event_id).await?
            && filter::event_passes(&span.filter.state, &event.pdu)
        {
            passing.push(event);
        }
    }
    Ok(passing)
}
