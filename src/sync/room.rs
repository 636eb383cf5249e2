//! State and timeline of one room for one sync.

use ruma::{
    OwnedEventId, OwnedUserId,
    api::client::filter::{LazyLoadOptions, RoomFilter},
    events::{
        AnySyncTimelineEvent, StateEventType, TimelineEventType,
        room::{history_visibility::HistoryVisibility, member::MembershipState},
    },
    serde::Raw,
};

use super::{
    Sync, filter,
    response::{Json, RoomEvents, StateForm},
};
use crate::{
    Result,
    feed::Position,
    rooms::{Event, Format, Room, StateId, StateMap, Viewer},
    store::Direction,
    users::Session,
};

/// How many events a timeline has at most, when the filter does not say.
const DEFAULT_LIMIT: usize = 10;
/// How many events a timeline has at most, whatever the filter says.
const MAX_LIMIT: usize = 1000;

/// What of a room to tell.
pub(super) struct Span<'a> {
    pub(super) session: &'a Session,
    pub(super) filter: &'a RoomFilter,
    pub(super) federation_format: bool,
    /// After which position; `None` tells everything.
    pub(super) since: Option<Position>,
    /// Up to and with which position.
    pub(super) to: Position,
    pub(super) state_form: StateForm,
    /// Tell the whole state, but only the timeline after `since`.
    pub(super) full_state: bool,
}

/// A room's part of an answer, with what the rest of the answer needs to know of it.
pub(super) struct RoomPart {
    pub(super) events: RoomEvents,
    /// Everything of the room is told as to somebody who has never seen it.
    pub(super) whole: bool,
}

/// What an answer shows of a room's members, beside their membership.
struct Shown<'a> {
    timeline: &'a [Event],
    /// Those whom the summary names.
    heroes: &'a [OwnedUserId],
}

impl Shown<'_> {
    /// Who has to be known to show it.
    fn users(&self) -> impl Iterator<Item = &OwnedUserId> {
        self.timeline.iter().map(|event| &event.pdu.sender).chain(self.heroes)
    }

    /// Whether a member is told even where members are loaded lazily.
    fn needs(&self, span: &Span<'_>, user_id: &str) -> bool {
        let changes = |event: &Event| event.pdu.state_key.as_deref() == Some(user_id);
        span.session.user_id == user_id
            || self.users().any(|of| of == user_id)
            || self.timeline.iter().any(changes)
    }
}

/// The state events that are not known, of the members only those that are `needed`.
fn changed_state(
    known: &StateMap,
    state: &StateMap,
    needed: impl Fn(&str) -> bool,
) -> Vec<OwnedEventId> {
    state
        .iter()
        .filter(|(kind, key, event_id)| {
            known.get(kind, key) != Some(event_id)
                && (**kind != StateEventType::RoomMember || needed(key))
        })
        .map(|(_, _, event_id)| event_id.clone())
        .collect()
}

impl Sync {
    /// State and timeline of a room.
    pub(super) async fn room_events(
        &self,
        viewer: &Viewer,
        span: &Span<'_>,
        heroes: &[OwnedUserId],
    ) -> Result<RoomPart> {
        let room = viewer.room();
        let user_id = &span.session.user_id;
        let first_new = match span.since {
            Some(since) => room.timeline(since + 1, span.to + 1, Direction::Forward, 1).await?,
            None => Vec::new(),
        };
        // The state at `since` is that before the first event after it.
        let state_at_since = match first_new.first() {
            Some(event) => event.state_before,
            None => room.current_state_id(),
        };
        let was_joined =
            span.since.is_some() && self.is_joined_at(room, state_at_since, user_id).await?;
        let whole = !was_joined;
        let limit = span
            .filter
            .timeline
            .limit
            .and_then(|limit| usize::try_from(u64::from(limit)).ok())
            .map_or(DEFAULT_LIMIT, |limit| limit.min(MAX_LIMIT));
        let from = match span.since {
            Some(since) if was_joined => since + 1,
            _ => 0,
        };
        let (timeline, limited) = self.newest(viewer, span, from, limit).await?;

        let until = self.state_until(viewer, span).await?;
        let end = self.state_at(room, until).await?;
        let start = match timeline.first() {
            Some(event) if event.position <= until => event.state_before,
            _ => end,
        };
        let told_before = if span.full_state || whole { None } else { Some(state_at_since) };
        let target = if span.state_form == StateForm::Before { start } else { end };
        let shown = Shown { timeline: &timeline, heroes };
        let mut state = match until {
            0 => Vec::new(),
            _ => self.state_events(room, span, told_before, target, &shown).await?,
        };
        if until < span.to && span.state_form != StateForm::Before {
            let own = |event: &&Event| {
                event.pdu.kind == TimelineEventType::RoomMember
                    && event.pdu.state_key.as_deref() == Some(user_id.as_str())
            };
            state.retain(|event| !own(&event));
            state.extend(timeline.iter().rfind(own).cloned());
        }

        let prev_batch = match timeline.first() {
            Some(event) => event.position - 1,
            None => span.to,
        };
        let mut events = RoomEvents {
            state_form: span.state_form,
            limited,
            prev_batch: Some(format!("s{prev_batch}")),
            ..RoomEvents::default()
        };
        events.timeline = json(viewer, &timeline, span).await?;
        events.state = json(viewer, &state, span).await?;
        Ok(RoomPart { events, whole })
    }

    /// Up to where the user is told a room's state. Who is not in the room may know it as it was
    /// when they left; 0 when they never were in it: an invite, once declined, shows nothing.
    /// spec: client-server §Room history visibility
    async fn state_until(&self, viewer: &Viewer, span: &Span<'_>) -> Result<Position> {
        let joined_until = viewer.joined_until();
        if joined_until >= span.to {
            return Ok(span.to);
        }
        let last = self.state_at(viewer.room(), span.to).await?;
        match viewer.room().history_visibility_at(last).await? {
            HistoryVisibility::WorldReadable => Ok(span.to),
            _ => Ok(joined_until),
        }
    }

    /// The newest events of a span that the user may see and the filter lets through, oldest
    /// first, and whether older ones were left out.
    async fn newest(
        &self,
        viewer: &Viewer,
        span: &Span<'_>,
        from: Position,
        limit: usize,
    ) -> Result<(Vec<Event>, bool)> {
        let mut newest = Vec::new();
        let mut to = span.to + 1;
        if !filter::room_passes(&span.filter.timeline, viewer.room().id()) {
            return Ok((newest, false));
        }
        loop {
            let wanted = limit + 1 - newest.len();
            let some = viewer.room().timeline(from, to, Direction::Backward, wanted).await?;
            let exhausted = some.len() < wanted;
            for event in some {
                to = event.position;
                if filter::event_passes(&span.filter.timeline, &event.pdu)
                    && viewer.wants(&event).await?
                {
                    newest.push(event);
                }
            }
            if newest.len() > limit {
                newest.truncate(limit);
                newest.reverse();
                return Ok((newest, true));
            }
            if exhausted {
                newest.reverse();
                return Ok((newest, false));
            }
        }
    }

    /// The state events that make the state of `told_before` that of `target`, through the filter.
    async fn state_events(
        &self,
        room: &Room,
        span: &Span<'_>,
        told_before: Option<StateId>,
        target: StateId,
        shown: &Shown<'_>,
    ) -> Result<Vec<Event>> {
        if told_before == Some(target)
            && span.filter.state.lazy_load_options == LazyLoadOptions::Disabled
        {
            return Ok(Vec::new());
        }
        let known = match told_before {
            Some(id) => room.state_at(id).await?,
            None => Default::default(),
        };
        let state = room.state_at(target).await?;
        let mut wanted: Vec<OwnedEventId> = match told_before == Some(target) {
            true => Vec::new(),
            false => {
                // Of a gap all members are told who changed: spec: client-server §Syncing, `limited`.
                let lazy = told_before.is_none()
                    && span.filter.state.lazy_load_options != LazyLoadOptions::Disabled;
                changed_state(&known, &state, |user_id| !lazy || shown.needs(span, user_id))
            }
        };
        self.add_lazy_members(room, span, &state, told_before, shown, &mut wanted);
        let mut events = Vec::new();
        for event_id in wanted {
            if let Some(event) = room.event(&event_id).await?
                && filter::event_passes(&span.filter.state, &event.pdu)
            {
                events.push(event);
            }
        }
        Ok(events)
    }

    /// Adds the membership of who sent what the timeline shows and of who gives the room its name,
    /// where the client was not told before. spec: client-server §Lazy-loading room members
    fn add_lazy_members(
        &self,
        room: &Room,
        span: &Span<'_>,
        state: &StateMap,
        told_before: Option<StateId>,
        shown: &Shown<'_>,
        wanted: &mut Vec<OwnedEventId>,
    ) {
        let LazyLoadOptions::Enabled { include_redundant_members } =
            span.filter.state.lazy_load_options
        else {
            return;
        };
        let mut told = self.inner.told_members.of(
            span.session,
            room.id(),
            span.since.filter(|_| told_before.is_some()),
        );
        for event_id in wanted.iter() {
            told.insert(event_id.clone());
        }
        for user_id in shown.users() {
            let member = state.get(&StateEventType::RoomMember, user_id.as_str());
            let Some(member) = member else { continue };
            let is_new = told.insert(member.clone());
            if (is_new || include_redundant_members) && !wanted.contains(member) {
                wanted.push(member.clone());
            }
        }
        self.inner.told_members.remember(span.session, room.id(), span.since, told);
    }

    /// Names the state after the newest event up to a position.
    async fn state_at(&self, room: &Room, position: Position) -> Result<StateId> {
        let last = room.timeline(0, position + 1, Direction::Backward, 1).await?;
        Ok(last.first().map_or_else(|| room.current_state_id(), |event| event.state_after))
    }

    async fn is_joined_at(&self, room: &Room, state: StateId, user: &OwnedUserId) -> Result<bool> {
        let member = room.state_event_at(state, &StateEventType::RoomMember, user.as_str()).await?;
        Ok(member.and_then(|member| member.membership()) == Some(MembershipState::Join))
    }
}

/// Events in the form that the filter asks for.
async fn json(viewer: &Viewer, events: &[Event], span: &Span<'_>) -> Result<Vec<Json>> {
    let format = match span.federation_format {
        true => Format::Federation,
        false => Format::Sync,
    };
    let events = viewer.events::<AnySyncTimelineEvent>(events, format).await?;
    Ok(events.into_iter().map(Raw::into_json).collect())
}
