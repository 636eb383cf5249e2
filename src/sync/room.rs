//! State and timeline of one room for one sync.

use ruma::{
    OwnedUserId,
    events::{AnySyncTimelineEvent, StateEventType},
    serde::Raw,
};

use super::{
    Sync, filter,
    response::{Json, RoomEvents, StateForm},
    span::Span,
    state::{Known, Shown},
};
use crate::{
    Result,
    feed::Position,
    rooms::{Event, Format, Viewer},
    store::Direction,
};

/// How many events a timeline has at most, when the filter does not say.
const DEFAULT_LIMIT: usize = 10;
/// How many events a timeline has at most, whatever the filter says.
const MAX_LIMIT: usize = 1000;

/// A room's part of an answer, with what the rest of the answer needs to know of it.
pub(super) struct RoomPart {
    pub(super) events: RoomEvents,
    /// Everything of the room is told as to somebody who has never seen it.
    pub(super) whole: bool,
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
        let known = self.known(room, span).await?;
        let limit = span
            .filter
            .timeline
            .limit
            .and_then(|limit| usize::try_from(u64::from(limit)).ok())
            .map_or(DEFAULT_LIMIT, |limit| limit.min(MAX_LIMIT));
        let from = match span.since {
            Some(since) if known.joined => since + 1,
            _ => 0,
        };
        let (mut timeline, limited) = self.newest(viewer, span, from, limit).await?;
        let mut limited = limited || self.came_later(viewer, span, &known).await?;
        let mut target = self.target(room, span).await?;
        if span.state_form == StateForm::Before {
            limited |= target.cut(&mut timeline, span).await?;
            target.precede(&timeline).await?;
        }
        let shown = Shown { timeline: &timeline, heroes };
        let state = self.state_events(&target, span, &known, &shown).await?;

        let prev_batch = match timeline.first() {
            Some(event) => event.position - 1,
            None => span.to,
        };
        let mut events = RoomEvents {
            state_form: span.state_form,
            limited,
            // Also where nothing is before: clients that keep a timeline begin it at one that has this.
            prev_batch: Some(format!("s{prev_batch}")),
            ..RoomEvents::default()
        };
        events.timeline = json(viewer, &timeline, span).await?;
        events.state = json(viewer, &state, span).await?;
        Ok(RoomPart { events, whole: !known.joined })
    }

    /// Whether the user came to a room that others had made before: there is more of it than what
    /// happened since the client's token, which is a gap however little more it is.
    async fn came_later(&self, viewer: &Viewer, span: &Span<'_>, known: &Known) -> Result<bool> {
        if span.since.is_none() || known.joined || viewer.joined_until() != Position::MAX {
            return Ok(false);
        }
        let create = viewer.room().state_event(&StateEventType::RoomCreate, "").await?;
        Ok(create.is_some_and(|create| create.sender != span.session.user_id))
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
            let limited = newest.len() > limit;
            if limited || exhausted {
                newest.truncate(limit);
                newest.reverse();
                return Ok((newest, limited));
            }
        }
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
