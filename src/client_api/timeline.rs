//! spec: client-server §Getting events for a room: its timeline

use std::collections::BTreeSet;

use ruma::{
    MilliSecondsSinceUnixEpoch, UInt,
    api::client::{
        context::get_context,
        filter::{LazyLoadOptions, RoomEventFilter},
        message::get_message_events,
        room::{get_event_by_timestamp, get_room_event},
    },
    events::{AnyStateEvent, StateEventType},
    serde::Raw,
};

use super::{Incoming, Routes, pagination::Token, readable};
use crate::{
    Error, Result, Services,
    feed::Position,
    rooms::{Event, Format, StateId, Viewer},
    store::Direction,
    sync::event_passes,
};

/// The most events of one answer.
const MAX_LIMIT: usize = 1000;

pub(super) fn routes(routes: &mut Routes) {
    routes.add(get_messages);
    routes.add(get_event_context);
    routes.add(get_event);
    routes.add(get_event_at_time);
}

/// `GET /_matrix/client/v3/rooms/{roomId}/messages`
async fn get_messages(
    services: &Services,
    request: Incoming<get_message_events::v3::Request>,
) -> Result<get_message_events::v3::Response> {
    let session = &request.auth;
    let viewer = readable::room(services, session, &request.room_id).await?.viewer;
    let direction = match request.dir {
        ruma::api::Direction::Forward => Direction::Forward,
        ruma::api::Direction::Backward => Direction::Backward,
    };
    let from = match (&request.from, direction) {
        (Some(token), _) => Token::parse(token)?.0,
        (None, Direction::Forward) => 0,
        (None, Direction::Backward) => viewer.room().head(),
    };
    let to = request.to.as_deref().map(Token::parse).transpose()?.map(|token| token.0);
    let span = Span { from, to, direction };
    let page = page(&viewer, span, limit(request.limit), &request.filter).await?;
    let mut response = get_message_events::v3::Response::new();
    response.start = Token(from).to_string();
    response.end = page.end.map(|end| Token(end).to_string());
    response.state = lazy_members(&viewer, &page.events, &request.filter).await?;
    response.chunk = viewer.events(&page.events, Format::Timeline).await?;
    Ok(response)
}

/// `GET /_matrix/client/v3/rooms/{roomId}/context/{eventId}`
async fn get_event_context(
    services: &Services,
    request: Incoming<get_context::v3::Request>,
) -> Result<get_context::v3::Response> {
    let session = &request.auth;
    let viewer = readable::room(services, session, &request.room_id).await?.viewer;
    let event = visible_event(&viewer, &request.event_id).await?;
    let limit = limit(request.limit);
    let around = |from, direction, limit| {
        page(&viewer, Span { from, to: None, direction }, limit, &request.filter)
    };
    let before = around(event.position - 1, Direction::Backward, limit / 2).await?;
    let after = around(event.position, Direction::Forward, limit - limit / 2).await?;
    let mut response = get_context::v3::Response::new();
    let start = before.events.last().map_or(event.position, |event| event.position) - 1;
    let end = after.events.last().unwrap_or(&event).position;
    response.start = Some(Token(start).to_string());
    response.end = Some(Token(end).to_string());
    let last = after.events.last().unwrap_or(&event);
    let mut shown: Vec<Event> = before.events.clone();
    shown.push(event.clone());
    shown.extend(after.events.iter().cloned());
    response.state = context_state(&viewer, last.state_after, &shown, &request.filter).await?;
    response.event = Some(viewer.event(&event, Format::Timeline).await?);
    response.events_before = viewer.events(&before.events, Format::Timeline).await?;
    response.events_after = viewer.events(&after.events, Format::Timeline).await?;
    Ok(response)
}

/// `GET /_matrix/client/v3/rooms/{roomId}/event/{eventId}`
async fn get_event(
    services: &Services,
    request: Incoming<get_room_event::v3::Request>,
) -> Result<get_room_event::v3::Response> {
    let missing = || Error::not_found("There is no such event, or you may not see it");
    let session = &request.auth;
    let room =
        services.rooms.room(&request.room_id).await.map_err(|cause| cause.hidden_by(missing()))?;
    if !readable::is_open(services, session, &room).await? {
        return Err(missing());
    }
    let viewer = readable::viewer(services, session, &room).await?;
    let event = visible_event(&viewer, &request.event_id).await?;
    Ok(get_room_event::v3::Response::new(viewer.event(&event, Format::Timeline).await?))
}

/// `GET /_matrix/client/v1/rooms/{roomId}/timestamp_to_event`
async fn get_event_at_time(
    services: &Services,
    request: Incoming<get_event_by_timestamp::v1::Request>,
) -> Result<get_event_by_timestamp::v1::Response> {
    let viewer = readable::room(services, &request.auth, &request.room_id).await?.viewer;
    let direction = match request.dir {
        ruma::api::Direction::Forward => Direction::Forward,
        ruma::api::Direction::Backward => Direction::Backward,
    };
    let event = nearest(&viewer, request.ts, direction)
        .await?
        .ok_or_else(|| Error::not_found("There is no event on that side"))?;
    Ok(get_event_by_timestamp::v1::Response::new(
        event.pdu.event_id.clone(),
        event.pdu.origin_server_ts,
    ))
}

/// An event of a room that a user may see.
///
/// # Errors
/// 404 `M_NOT_FOUND` for events that are not there and for those that the user may not see alike.
pub(super) async fn visible_event(viewer: &Viewer, event_id: &ruma::EventId) -> Result<Event> {
    if let Some(event) = viewer.room().event(event_id).await?
        && viewer.sees(&event).await?
    {
        return Ok(event);
    }
    Err(Error::not_found("There is no such event, or you may not see it"))
}

pub(super) fn limit(limit: UInt) -> usize {
    capped(limit.into())
}

pub(super) fn capped(limit: u64) -> usize {
    usize::try_from(limit).unwrap_or(MAX_LIMIT).min(MAX_LIMIT)
}

/// A part of a timeline between two places.
pub(super) struct Span {
    pub(super) from: Position,
    pub(super) to: Option<Position>,
    pub(super) direction: Direction,
}

/// Some of the events of a span.
pub(super) struct Page {
    pub(super) events: Vec<Event>,
    /// The place after the last event looked at; `None` when there is nothing beyond it. The live
    /// end of a room is a place beyond which there will be something.
    end: Option<Position>,
}

/// At most `limit` events of a span that the user may see and the filter lets through.
pub(super) async fn page(
    viewer: &Viewer,
    span: Span,
    limit: usize,
    filter: &RoomEventFilter,
) -> Result<Page> {
    let mut events = Vec::new();
    let mut place = span.from;
    while events.len() < limit {
        // Positions are counted after the place forward, and up to it backward.
        let (from, to) = match span.direction {
            Direction::Forward => (place + 1, span.to.map_or(Position::MAX, |to| to + 1)),
            Direction::Backward => (span.to.map_or(0, |to| to + 1), place + 1),
        };
        let wanted = limit - events.len();
        let some = viewer.room().timeline(from, to, span.direction, wanted).await?;
        let exhausted = some.len() < wanted;
        for event in some {
            place = match span.direction {
                Direction::Forward => event.position,
                Direction::Backward => event.position - 1,
            };
            if event_passes(filter, &event.pdu) && viewer.wants(&event).await? {
                events.push(event);
            }
        }
        if exhausted {
            let goes_on = span.direction == Direction::Forward && !events.is_empty();
            return Ok(Page { events, end: goes_on.then_some(place) });
        }
    }
    Ok(Page { events, end: Some(place) })
}

/// The membership events of who sent `events`, where members are loaded lazily.
/// spec: client-server §Lazy-loading room members
async fn lazy_members(
    viewer: &Viewer,
    events: &[Event],
    filter: &RoomEventFilter,
) -> Result<Vec<Raw<AnyStateEvent>>> {
    if filter.lazy_load_options == LazyLoadOptions::Disabled {
        return Ok(Vec::new());
    }
    let mut seen = BTreeSet::new();
    let mut members = Vec::new();
    for event in events {
        if !seen.insert(event.pdu.sender.clone()) {
            continue;
        }
        let kind = StateEventType::RoomMember;
        let sender = event.pdu.sender.as_str();
        let room = viewer.room();
        if let Some(member) = room.state_event_at(event.state_after, &kind, sender).await?
            && let Some(member) = room.event(&member.event_id).await?
        {
            members.push(viewer.event(&member, Format::Timeline).await?);
        }
    }
    Ok(members)
}

/// The state at the end of a context: whole, or with only those members who sent what is shown.
async fn context_state(
    viewer: &Viewer,
    state: StateId,
    shown: &[Event],
    filter: &RoomEventFilter,
) -> Result<Vec<Raw<AnyStateEvent>>> {
    let lazy = filter.lazy_load_options != LazyLoadOptions::Disabled;
    let mut events = Vec::new();
    for (kind, key, event_id) in viewer.room().state_at(state).await?.iter() {
        let is_sender = || shown.iter().any(|event| event.pdu.sender == key);
        if lazy && *kind == StateEventType::RoomMember && !is_sender() {
            continue;
        }
        let event = viewer.room().event(event_id).await?;
        if let Some(event) = event.filter(|event| event_passes(filter, &event.pdu)) {
            events.push(viewer.event(&event, Format::Timeline).await?);
        }
    }
    Ok(events)
}

/// The visible event nearest to a time, on the side that `direction` goes to.
///
/// The clocks of servers differ, so times do not always grow along a timeline; for events of one
/// server they nearly do, and a search by halves finds the place. spec: client-server
/// §GET /rooms/{roomId}/timestamp_to_event
async fn nearest(
    viewer: &Viewer,
    ts: MilliSecondsSinceUnixEpoch,
    direction: Direction,
) -> Result<Option<Event>> {
    let room = viewer.room();
    // The first position whose event is not older than `ts`.
    let (mut low, mut high) = (0, room.head() + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        let next = room.timeline(middle, high, Direction::Forward, 1).await?;
        match next.first() {
            Some(event) if event.pdu.origin_server_ts < ts => low = event.position + 1,
            _ => high = middle,
        }
    }
    let (mut from, mut to) = match direction {
        Direction::Forward => (low, Position::MAX),
        // An event of that very time counts for both sides.
        Direction::Backward => {
            let at = room.timeline(low, Position::MAX, Direction::Forward, 1).await?;
            let exact = at.first().filter(|event| event.pdu.origin_server_ts == ts);
            (0, exact.map_or(low, |event| event.position + 1))
        }
    };
    loop {
        let next = room.timeline(from, to, direction, 1).await?.pop();
        let Some(event) = next else { return Ok(None) };
        match direction {
            Direction::Forward => from = event.position + 1,
            Direction::Backward => to = event.position,
        }
        if viewer.wants(&event).await? {
            return Ok(Some(event));
        }
    }
}
