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
    OwnedEventId, OwnedUserId,
    api::client::filter::LazyLoadOptions,
    events::{StateEventType, TimelineEventType, room::history_visibility::HistoryVisibility},
};

use super::{Sync, filter, room::Span};
use crate::{
    Result,
    feed::Position,
    rooms::{Event, Room, StateEntry, StateId, Viewer},
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
    pub(super) async fn known(&self, viewer: &Viewer, span: &Span<'_>) -> Result<Known> {
        let nothing = Known { state: None, joined: false };
        let Some(since) = span.since else { return Ok(nothing) };
        let room = viewer.room();
        let state = room.state_id_at(since).await?;
        match room.joined_until(state, &span.session.user_id).await? {
            Position::MAX => Ok(Known { state: Some(state), joined: true }),
            0 => Ok(nothing),
            left => Ok(Known { state: Some(room.state_id_at(left).await?), joined: false }),
        }
    }

    /// The state at the end of an answer.
    pub(super) async fn target<'a>(
        &self,
        viewer: &'a Viewer,
        span: &Span<'_>,
    ) -> Result<Target<'a>> {
        let room = viewer.room();
        let last = room.state_id_at(span.to).await?;
        let until = self.state_until(viewer, span, last).await?;
        let end = match until {
            0 => StateId::default(),
            _ if until == span.to => last,
            _ => room.state_id_at(until).await?,
        };
        let mut target = Target { room, until, end, otherwise: BTreeMap::new() };
        // Users know their own newest membership in any case.
        if until < span.to {
            let user_id = span.session.user_id.as_str();
            let own = room.state_entry_at(last, &StateEventType::RoomMember, user_id).await?;
            target.set(StateEventType::RoomMember, user_id, own);
        }
        Ok(target)
    }

    /// Up to where the user is told a room's state. Who is not in the room may know it as it was
    /// when they left; 0 when they never were in it: an invite, once declined, shows nothing.
    /// spec: client-server §Room history visibility
    async fn state_until(
        &self,
        viewer: &Viewer,
        span: &Span<'_>,
        last: StateId,
    ) -> Result<Position> {
        let joined_until = viewer.joined_until();
        if joined_until >= span.to {
            return Ok(span.to);
        }
        match viewer.room().history_visibility_at(last).await? {
            HistoryVisibility::WorldReadable => Ok(span.to),
            _ => Ok(joined_until),
        }
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
