//! spec: client-server §Server Side Search

use std::collections::{BTreeMap, HashMap};

use ruma::{
    OwnedRoomId, OwnedUserId, UInt,
    api::client::{
        filter::RoomEventFilter,
        search::search_events::v3::{
            self, Criteria, EventContext, EventContextResult, GroupingKey, OrderBy, Request,
            Response, ResultGroup, ResultGroupMap, ResultRoomEvents, SearchKeys, SearchResult,
            UserProfile,
        },
    },
    events::{StateEventType, room::member::RoomMemberEventContent},
    serde::JsonObject,
};
use serde_json::Value;

use super::{Incoming, Routes, pagination::Token, readable};
use crate::{
    Error, Result, Services, enumerations,
    feed::Position,
    rooms::{Event, Format, Room, Viewer},
    search::{Hit, SearchKey},
    store::Direction,
    sync::event_passes,
    users::Session,
};

/// How many results an answer has, unless asked for, and at most.
const RESULTS: u64 = 10;
const MAX_RESULTS: u64 = 100;
/// How many events are told before or after a result at most.
const MAX_CONTEXT: u64 = 50;

pub(super) fn routes(routes: &mut Routes) {
    routes.add_completed(search, check_shape);
}

/// `POST /_matrix/client/v3/search`
async fn search(services: &Services, request: Incoming<Request>) -> Result<Response> {
    let mut categories = v3::ResultCategories::new();
    if let Some(criteria) = &request.search_categories.room_events {
        check(criteria)?;
        let from = match &request.next_batch {
            Some(token) => Place::parse(token)?,
            None => {
                services.search.catch_up().await;
                Place { last: services.feed.current(), skip: 0 }
            }
        };
        categories.room_events = room_events(services, &request.auth, criteria, from).await?;
    }
    Ok(Response::new(categories))
}

/// Refuses a list where an object is to be: ruma takes an empty one for an object without members.
fn check_shape(body: &mut JsonObject) -> Result<()> {
    let criteria = body.get("search_categories").and_then(|of| of.get("room_events"));
    for name in ["event_context", "filter", "groupings"] {
        if criteria.and_then(|criteria| criteria.get(name)).is_some_and(Value::is_array) {
            return Err(Error::bad_json(format!("{name} is not an object")));
        }
    }
    Ok(())
}

/// Refuses what is to be searched for, or how, in a way that is not known.
fn check(criteria: &Criteria) -> Result<()> {
    enumerations::check("A key", criteria.keys.iter().flatten())?;
    enumerations::check("order_by", &criteria.order_by)?;
    let groups = criteria.groupings.group_by.iter();
    enumerations::check("The key of a group", groups.flat_map(|group| &group.key))
}

/// Where in its results a search goes on: what came in since it began changes nothing.
struct Place {
    last: Position,
    skip: usize,
}

impl Place {
    fn parse(token: &str) -> Result<Self> {
        let invalid = || Error::invalid_param("next_batch is not a token of this server");
        let (last, skip) = token.split_once('_').ok_or_else(invalid)?;
        let last = last.parse().map_err(|_| invalid())?;
        Ok(Self { last, skip: skip.parse().map_err(|_| invalid())? })
    }
}

fn key(key: &SearchKeys) -> Option<SearchKey> {
    match key {
        SearchKeys::ContentBody => Some(SearchKey::Body),
        SearchKeys::ContentName => Some(SearchKey::Name),
        SearchKeys::ContentTopic => Some(SearchKey::Topic),
        _ => None,
    }
}

async fn room_events(
    services: &Services,
    session: &Session,
    criteria: &Criteria,
    from: Place,
) -> Result<ResultRoomEvents> {
    let hits = hits(services, session, criteria, from.last).await?;
    let limit = criteria.filter.limit.map_or(RESULTS, u64::from).clamp(1, MAX_RESULTS) as usize;
    let mut viewers = HashMap::new();
    let mut answer = ResultRoomEvents::new();
    answer.count = Some(UInt::try_from(hits.len() as u64).unwrap_or(UInt::MAX));
    answer.highlights = services.search.words(&criteria.search_term);
    let mut found = Vec::new();
    for (place, (room_id, hit)) in hits.iter().enumerate().skip(from.skip) {
        if found.len() == limit {
            answer.next_batch = Some(format!("{}_{place}", from.last));
            break;
        }
        if !viewers.contains_key(room_id) {
            let room = services.rooms.room(room_id).await?;
            let viewer = readable::viewer(services, session, &room).await?;
            viewers.insert(room_id.clone(), viewer);
        }
        let Some(viewer) = viewers.get(room_id) else { continue };
        if let Some(event) = shown(viewer, hit, &criteria.filter).await? {
            answer.results.push(result(viewer, &event, hit, &criteria.event_context).await?);
            found.push(event);
        }
    }
    answer.groups = groups(criteria, &found);
    if criteria.include_state == Some(true) {
        for event in &found {
            let room_id = &event.pdu.room_id;
            if !answer.state.contains_key(room_id) {
                let readable = readable::room(services, session, room_id).await?;
                answer.state.insert(room_id.clone(), readable.state_events().await?);
            }
        }
    }
    Ok(answer)
}

/// What matches in the rooms that the user is or was in, in the order that was asked for.
async fn hits(
    services: &Services,
    session: &Session,
    criteria: &Criteria,
    last: Position,
) -> Result<Vec<(OwnedRoomId, Hit)>> {
    let keys: Vec<_> = match &criteria.keys {
        Some(keys) => keys.iter().filter_map(key).collect(),
        None => vec![SearchKey::Body, SearchKey::Name, SearchKey::Topic],
    };
    let filter = &criteria.filter;
    let mut hits = Vec::new();
    for (room_id, membership) in services.rooms.memberships(&session.user_id).await?.iter() {
        let wanted = filter.rooms.as_ref().is_none_or(|only| only.contains(room_id))
            && !filter.not_rooms.contains(room_id);
        if wanted && !membership.forgotten {
            let found = services.search.find(room_id, &criteria.search_term, &keys, last).await?;
            hits.extend(found.into_iter().map(|hit| (room_id.clone(), hit)));
        }
    }
    let by_rank = criteria.order_by != Some(OrderBy::Recent);
    hits.sort_by(|(_, a), (_, b)| {
        let rank = if by_rank { b.rank.total_cmp(&a.rank) } else { std::cmp::Ordering::Equal };
        rank.then(b.position.cmp(&a.position))
    });
    Ok(hits)
}

/// The event of a hit, if the user may see it and the filter lets it through.
async fn shown(viewer: &Viewer, hit: &Hit, filter: &RoomEventFilter) -> Result<Option<Event>> {
    let at = hit.position;
    let event = viewer.room().timeline(at, at + 1, Direction::Forward, 1).await?.pop();
    match event {
        Some(event)
            if event.redacted_because.is_none()
                && event_passes(filter, &event.pdu)
                && viewer.wants(&event).await? =>
        {
            Ok(Some(event))
        }
        _ => Ok(None),
    }
}

async fn result(
    viewer: &Viewer,
    event: &Event,
    hit: &Hit,
    asked: &EventContext,
) -> Result<SearchResult> {
    let limit = |asked: UInt| u64::from(asked).min(MAX_CONTEXT) as usize;
    let room = viewer.room();
    let at = event.position;
    let before = room.timeline(0, at, Direction::Backward, limit(asked.before_limit)).await?;
    let after =
        room.timeline(at + 1, Position::MAX, Direction::Forward, limit(asked.after_limit)).await?;
    let (start, end) = (before.last().unwrap_or(event), after.last().unwrap_or(event));
    let mut context = EventContextResult::new();
    context.start = Some(Token(start.position - 1).to_string());
    context.end = Some(Token(end.position).to_string());
    let before = viewer.wanted(before).await?;
    let after = viewer.wanted(after).await?;
    if asked.include_profile {
        for event in before.iter().chain([event]).chain(&after) {
            let profile = profile(room, event).await?;
            context.profile_info.insert(event.pdu.sender.clone(), profile);
        }
    }
    context.events_before = viewer.events(&before, Format::Timeline).await?;
    context.events_after = viewer.events(&after, Format::Timeline).await?;
    let mut result = SearchResult::new();
    result.context = context;
    result.rank = Some(hit.rank);
    result.result = Some(viewer.event(event, Format::Timeline).await?);
    Ok(result)
}

/// How the sender of an event was called then.
async fn profile(room: &Room, event: &Event) -> Result<UserProfile> {
    let member = StateEventType::RoomMember;
    let sender = event.pdu.sender.as_str();
    let member = room.state_event_at(event.state_before, &member, sender).await?;
    let content = member.and_then(|member| member.content_as::<RoomMemberEventContent>());
    let mut profile = UserProfile::new();
    if let Some(content) = content {
        profile.displayname = content.displayname;
        profile.avatar_url = content.avatar_url;
    }
    Ok(profile)
}

/// The results by room or sender, as asked.
fn groups(criteria: &Criteria, found: &[Event]) -> v3::ResultGroupMapsByGroupingKey {
    fn by<K: Ord>(found: &[Event], key: impl Fn(&Event) -> K) -> BTreeMap<K, ResultGroup> {
        let mut groups = BTreeMap::<K, ResultGroup>::new();
        for event in found {
            let order = groups.len() as u32 + 1;
            let group = groups.entry(key(event)).or_default();
            group.order.get_or_insert_with(|| order.into());
            group.results.push(event.pdu.event_id.clone());
        }
        groups
    }
    let asked = criteria.groupings.group_by.iter().filter_map(|grouping| grouping.key.as_ref());
    asked
        .filter_map(|key| match key {
            GroupingKey::RoomId => {
                let rooms: BTreeMap<OwnedRoomId, _> = by(found, |event| event.pdu.room_id.clone());
                Some(ResultGroupMap::RoomId(rooms))
            }
            GroupingKey::Sender => {
                let senders: BTreeMap<OwnedUserId, _> = by(found, |event| event.pdu.sender.clone());
                Some(ResultGroupMap::Sender(senders))
            }
            _ => None,
        })
        .collect()
}
