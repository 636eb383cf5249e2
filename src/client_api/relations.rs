//! spec: client-server §Forming relationships between events; §Threading

use ruma::{
    EventId, RoomId, UInt,
    api::client::{
        relations::{
            get_relating_events, get_relating_events_with_rel_type,
            get_relating_events_with_rel_type_and_event_type,
        },
        threads::get_threads::{self, v1::IncludeThreads},
    },
    events::AnyMessageLikeEvent,
    serde::Raw,
};

use super::{
    Incoming, Routes,
    pagination::Token,
    readable,
    timeline::{limit, visible_event},
};
use crate::{
    Result, Services, enumerations,
    feed::Position,
    rooms::{Format, Related, RelationFilter, Room},
    store::Direction,
    users::Session,
};

/// How many relations of relations are followed with `recurse`. spec: client-server §Relations API
const RECURSION_DEPTH: u32 = 3;
/// How many events are answered when the client does not say.
const DEFAULT_LIMIT: u32 = 20;

pub(super) fn routes(routes: &mut Routes) {
    routes.add(get_relations);
    routes.add(get_relations_of_type);
    routes.add(get_relations_of_types);
    routes.add(get_room_threads);
}

/// Answers one of the three endpoints for relations, whose types differ in name alone.
macro_rules! answer {
    ($services:ident, $request:ident, $endpoint:ident, $filter:expr) => {{
        let asked = Asked {
            room_id: &$request.room_id,
            parent: &$request.event_id,
            filter: $filter,
            from: $request.from.as_deref(),
            to: $request.to.as_deref(),
            direction: $request.dir,
            limit: $request.limit,
            recurse: $request.recurse,
        };
        let found = related($services, &$request.auth, asked).await?;
        let mut response = $endpoint::v1::Response::new(found.chunk);
        response.next_batch = found.next_batch;
        response.prev_batch = found.prev_batch;
        response.recursion_depth = found.recursion_depth;
        Ok(response)
    }};
}

/// `GET /_matrix/client/v1/rooms/{roomId}/relations/{eventId}`
async fn get_relations(
    services: &Services,
    request: Incoming<get_relating_events::v1::Request>,
) -> Result<get_relating_events::v1::Response> {
    answer!(services, request, get_relating_events, RelationFilter::default())
}

/// `GET /_matrix/client/v1/rooms/{roomId}/relations/{eventId}/{relType}`
async fn get_relations_of_type(
    services: &Services,
    request: Incoming<get_relating_events_with_rel_type::v1::Request>,
) -> Result<get_relating_events_with_rel_type::v1::Response> {
    let filter = RelationFilter { rel_type: Some(request.rel_type.to_string()), kind: None };
    answer!(services, request, get_relating_events_with_rel_type, filter)
}

/// `GET /_matrix/client/v1/rooms/{roomId}/relations/{eventId}/{relType}/{eventType}`
async fn get_relations_of_types(
    services: &Services,
    request: Incoming<get_relating_events_with_rel_type_and_event_type::v1::Request>,
) -> Result<get_relating_events_with_rel_type_and_event_type::v1::Response> {
    let filter = RelationFilter {
        rel_type: Some(request.rel_type.to_string()),
        kind: Some(request.event_type.clone()),
    };
    answer!(services, request, get_relating_events_with_rel_type_and_event_type, filter)
}

/// `GET /_matrix/client/v1/rooms/{roomId}/threads`
async fn get_room_threads(
    services: &Services,
    request: Incoming<get_threads::v1::Request>,
) -> Result<get_threads::v1::Response> {
    enumerations::check("include", [&request.include])?;
    let viewer = readable::room(services, &request.auth, &request.room_id).await?.viewer;
    let mut before = match &request.from {
        Some(token) => Token::parse(token)?.0 + 1,
        None => Position::MAX,
    };
    let participant =
        (request.include == IncludeThreads::Participated).then_some(&*request.auth.user_id);
    let limit = limit(request.limit.unwrap_or(DEFAULT_LIMIT.into())).max(1);
    let mut chunk = Vec::new();
    let mut next_batch = None;
    loop {
        let wanted = limit - chunk.len();
        let threads = viewer.room().threads(before, participant, wanted).await?;
        let exhausted = threads.len() < wanted;
        for (root, latest) in threads {
            before = latest;
            // A thread in which there is nobody else is none to whoever ignores them.
            if viewer.wants(&root).await? && viewer.thread_of(&root.pdu.event_id).await?.is_some() {
                chunk.push(viewer.event(&root, Format::Timeline).await?);
            }
        }
        if exhausted {
            break;
        }
        if chunk.len() == limit {
            next_batch = Some(Token(before - 1).to_string());
            break;
        }
    }
    let mut response = get_threads::v1::Response::new(chunk);
    response.next_batch = next_batch;
    Ok(response)
}

struct Asked<'a> {
    room_id: &'a RoomId,
    parent: &'a EventId,
    filter: RelationFilter,
    from: Option<&'a str>,
    to: Option<&'a str>,
    direction: ruma::api::Direction,
    limit: Option<UInt>,
    recurse: bool,
}

struct Found {
    chunk: Vec<Raw<AnyMessageLikeEvent>>,
    next_batch: Option<String>,
    prev_batch: Option<String>,
    recursion_depth: Option<UInt>,
}

async fn related(services: &Services, session: &Session, asked: Asked<'_>) -> Result<Found> {
    let viewer = readable::room(services, session, asked.room_id).await?.viewer;
    let room = viewer.room();
    visible_event(&viewer, asked.parent).await?;
    let direction = match asked.direction {
        ruma::api::Direction::Forward => Direction::Forward,
        ruma::api::Direction::Backward => Direction::Backward,
    };
    let place = |token: Option<&str>| token.map(Token::parse).transpose();
    let (start, stop) = (place(asked.from)?, place(asked.to)?);
    let (from, to) = match direction {
        Direction::Forward => {
            (start.map_or(0, |at| at.0 + 1), stop.map_or(Position::MAX, |at| at.0 + 1))
        }
        Direction::Backward => {
            (stop.map_or(0, |at| at.0 + 1), start.map_or(Position::MAX, |at| at.0 + 1))
        }
    };
    let limit = limit(asked.limit.unwrap_or(DEFAULT_LIMIT.into())).max(1);
    let depth = if asked.recurse { RECURSION_DEPTH } else { 1 };
    let span = (from, to, direction);
    // One more than asked for tells whether there is more.
    let mut children = descend(room, asked.parent, &asked.filter, span, limit + 1, depth).await?;
    let more = children.len() > limit;
    children.truncate(limit);
    let mut chunk = Vec::new();
    for child in &children {
        if let Some(event) = room.event(&child.event_id).await?
            && viewer.wants(&event).await?
        {
            chunk.push(viewer.event(&event, Format::Timeline).await?);
        }
    }
    let next = children.last().filter(|_| more).map(|last| match direction {
        Direction::Forward => last.position,
        Direction::Backward => last.position - 1,
    });
    Ok(Found {
        chunk,
        next_batch: next.map(|next| Token(next).to_string()),
        prev_batch: start.map(|start| start.to_string()),
        recursion_depth: asked.recurse.then_some(RECURSION_DEPTH.into()),
    })
}

/// The children of an event down to `depth` generations, in the order of their positions.
async fn descend(
    room: &Room,
    parent: &EventId,
    filter: &RelationFilter,
    (from, to, direction): (Position, Position, Direction),
    limit: usize,
    depth: u32,
) -> Result<Vec<Related>> {
    if depth == 1 {
        return room.related(parent, filter, from, to, direction, limit).await;
    }
    let mut found: Vec<Related> = Vec::new();
    let mut parents = vec![parent.to_owned()];
    for _ in 0..depth {
        let mut generation = Vec::new();
        for parent in &parents {
            // Children that the filter or the span leaves out may have children that they let in.
            let all = RelationFilter::default();
            let children =
                room.related(parent, &all, 0, Position::MAX, direction, usize::MAX).await?;
            generation.extend(children);
        }
        parents = generation.iter().map(|child| child.event_id.clone()).collect();
        found.extend(generation.into_iter().filter(|child| {
            (from..to).contains(&child.position)
                && filter.rel_type.as_ref().is_none_or(|only| *only == child.rel_type)
                && filter.kind.as_ref().is_none_or(|only| *only == child.kind)
        }));
    }
    found.sort_by_key(|child| child.position);
    if direction == Direction::Backward {
        found.reverse();
    }
    found.truncate(limit);
    Ok(found)
}
