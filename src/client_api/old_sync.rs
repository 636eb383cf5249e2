//! What clients used before there was `/sync`, and to look into rooms that they are not in.
//! spec: client-server §Syncing, §Room previews

use std::time::Duration;

use http::Method;
use ruma::{
    EventId, OwnedRoomId, RoomId, UInt,
    api::{
        Metadata,
        client::{
            filter::{FilterDefinition, RoomEventFilter, RoomFilter},
            peeking::{get_current_state, listen_to_new_events},
            room::Visibility,
        },
        path_builder::PathBuilder,
    },
    events::{AnyStateEvent, AnyTimelineEvent, room::member::MembershipState},
    presence::PresenceState,
    serde::Raw,
};
use serde::Serialize;

use super::{
    Incoming, Routes,
    api::{self, ClientApi},
    guests,
    pagination::Token,
    readable::{self, Readable},
    timeline::{self, Span},
};
use crate::{
    Error, Result, Services,
    http::{Body, Sent, admit, caller, json_response, parameter},
    rooms::{Format, UserRoom, unless_damaged},
    store::Direction,
    sync::SyncRequest,
    users::{AccountData, Session},
};

/// How many messages of a room are told, when the client does not say.
const DEFAULT_LIMIT: usize = 10;
/// How long a client waits for events, when it does not say.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

pub(super) fn routes(routes: &mut Routes) {
    for path in listen_to_new_events::v3::Request::PATH_BUILDER.all_paths() {
        routes.add_raw(Method::GET, path, get_events);
        let one = format!("{path}/{{eventId}}");
        routes.add_raw(Method::GET, &one, get_one_event);
        let all = path.replace("/events", "/initialSync");
        routes.add_raw(Method::GET, &all, initial_sync);
    }
    routes.add_with_sent(room_initial_sync);
}

/// One room, as these endpoints tell it.
#[derive(Serialize)]
struct RoomInfo {
    room_id: OwnedRoomId,
    #[serde(skip_serializing_if = "Option::is_none")]
    membership: Option<MembershipState>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invite: Option<Raw<AnyTimelineEvent>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    messages: Option<Messages>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    state: Vec<Raw<AnyStateEvent>>,
    visibility: Visibility,
    account_data: Vec<AccountData>,
}

/// What happened between two places.
#[derive(Serialize)]
struct EventStream<E> {
    start: String,
    end: String,
    chunk: E,
}

/// All that a user has to do with.
#[derive(Serialize)]
struct InitialSync<P, A> {
    end: String,
    presence: P,
    account_data: A,
    rooms: Vec<RoomInfo>,
}

#[derive(Serialize)]
struct Messages {
    start: String,
    end: String,
    chunk: Vec<Raw<AnyTimelineEvent>>,
}

/// `GET /_matrix/client/v3/events`, of all rooms of the user, or of one that they may read.
async fn get_events(
    services: &Services,
    request: http::Request<Body>,
    _: Vec<String>,
) -> Result<http::Response<Body>> {
    let session = admit::<ClientApi, listen_to_new_events::v3::Request>(services, &request).await?;
    let head = request.map(|_| ());
    let room = query(&head, "room_id").map(OwnedRoomId::try_from).transpose();
    let room = room.map_err(|_| Error::invalid_param("room_id is not the id of a room"))?;
    match &room {
        Some(room_id) => drop(readable::room(services, &session, room_id).await?),
        None if session.guest => return Err(guests::forbidden()),
        None => {}
    }
    let from = match query(&head, "from") {
        Some(token) => Token::parse(&token)?.0,
        None => services.feed.current(),
    };
    let timeout = number(&head, "timeout")?.map_or(DEFAULT_TIMEOUT, Duration::from_millis);
    let caller = caller(&head);
    let stream = services.sync.events(&session, room.as_deref(), from, timeout, &caller).await?;
    json_response(&EventStream {
        start: Token(from).to_string(),
        end: Token(stream.end).to_string(),
        chunk: stream.chunk,
    })
}

/// `GET /_matrix/client/v3/events/{eventId}`: no room is named, so all those of the user are asked.
async fn get_one_event(
    services: &Services,
    request: http::Request<Body>,
    args: Vec<String>,
) -> Result<http::Response<Body>> {
    let session = member(services, &request.map(|_| ())).await?;
    let missing = || Error::not_found("There is no such event, or you may not see it");
    let event_id = args.first().and_then(|id| EventId::parse(id).ok()).ok_or_else(missing)?;
    for room_id in services.rooms.memberships(&session.user_id).await?.keys() {
        let event = event_in(services, &session, room_id, &event_id).await;
        if let Some(event) = unless_damaged(room_id, event)?.flatten() {
            return json_response(&event);
        }
    }
    Err(missing())
}

/// An event of a room, if it has that one and the user may see it.
async fn event_in(
    services: &Services,
    session: &Session,
    room_id: &RoomId,
    event_id: &EventId,
) -> Result<Option<Raw<AnyTimelineEvent>>> {
    let room = services.rooms.room(room_id).await?;
    let Some(event) = room.event(event_id).await? else { return Ok(None) };
    let viewer = readable::viewer(services, session, &room).await?;
    if readable::is_open(services, session, &room).await? && viewer.sees(&event).await? {
        return viewer.event(&event, Format::Timeline).await.map(Some);
    }
    Ok(None)
}

/// `GET /_matrix/client/v3/initialSync`
async fn initial_sync(
    services: &Services,
    request: http::Request<Body>,
    _: Vec<String>,
) -> Result<http::Response<Body>> {
    let head = request.map(|_| ());
    let session = member(services, &head).await?;
    let limit = number(&head, "limit")?.map_or(DEFAULT_LIMIT, timeline::capped);
    let archived = match query(&head, "archived").as_deref() {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(Error::invalid_param("archived is neither true nor false")),
    };
    // Everything but the rooms is as in a first sync.
    let mut filter = FilterDefinition::default();
    filter.room = RoomFilter::ignore_all();
    let request =
        SyncRequest { filter, set_presence: PresenceState::Offline, ..SyncRequest::default() };
    // What comes in meanwhile is told again rather than never.
    let end = services.feed.current();
    let rest = services.sync.sync(&session, &request).await?;
    let ignored = services.users.ignored_users(&session.user_id).await?;
    let mut rooms = Vec::new();
    for room in services.rooms.memberships(&session.user_id).await?.values() {
        let told = match room.membership {
            MembershipState::Join => true,
            MembershipState::Invite => !ignored.contains(&room.sender),
            MembershipState::Leave | MembershipState::Ban => archived && !room.forgotten,
            _ => false,
        };
        if told {
            let told = own_room(services, &session, room, limit).await;
            rooms.extend(unless_damaged(&room.room_id, told)?);
        }
    }
    json_response(&InitialSync {
        end: Token(end).to_string(),
        presence: rest.presence.events,
        account_data: rest.account_data.events,
        rooms,
    })
}

/// `GET /_matrix/client/v3/rooms/{roomId}/initialSync`
async fn room_initial_sync(
    services: &Services,
    request: Incoming<get_current_state::v3::Request>,
    sent: Sent,
) -> Result<http::Response<Body>> {
    let Incoming { request: asked, auth: session, .. } = request;
    let readable = readable::room(services, &session, &asked.room_id).await?;
    let mut info = info(services, &session, &asked.room_id).await?;
    let own = services.rooms.membership(&session.user_id, &asked.room_id).await?;
    info.membership = own.filter(|own| !own.forgotten).map(|own| own.membership);
    let limit = number(&sent.head, "limit")?.map_or(DEFAULT_LIMIT, timeline::capped);
    fill(&mut info, &readable, limit).await?;
    json_response(&info)
}

/// A room that a user has to do with.
async fn own_room(
    services: &Services,
    session: &Session,
    own: &UserRoom,
    limit: usize,
) -> Result<RoomInfo> {
    let mut info = info(services, session, &own.room_id).await?;
    info.membership = Some(own.membership.clone());
    if own.membership == MembershipState::Invite {
        let room = services.rooms.room(&own.room_id).await?;
        let viewer = readable::viewer(services, session, &room).await?;
        if let Some(invite) = room.event(&own.event_id).await? {
            info.invite = Some(viewer.event(&invite, Format::Timeline).await?);
        }
        return Ok(info);
    }
    // Who was invited and never joined, has left a room that they may not read.
    match readable::room(services, session, &own.room_id).await {
        Ok(readable) => fill(&mut info, &readable, limit).await?,
        Err(Error::Matrix(error)) if error.status_code.is_client_error() => {}
        Err(cause) => return Err(cause),
    }
    Ok(info)
}

/// What is told of a room to somebody who may not read it.
async fn info(services: &Services, session: &Session, room_id: &RoomId) -> Result<RoomInfo> {
    let account_data = services.users.all_account_data(&session.user_id, Some(room_id)).await?;
    let public = services.rooms.is_published(room_id).await?;
    Ok(RoomInfo {
        room_id: room_id.to_owned(),
        membership: None,
        invite: None,
        messages: None,
        state: Vec::new(),
        visibility: if public { Visibility::Public } else { Visibility::Private },
        account_data,
    })
}

/// Adds what is told to who may read the room: state and newest messages.
async fn fill(info: &mut RoomInfo, readable: &Readable, limit: usize) -> Result<()> {
    let viewer = &readable.viewer;
    let head = viewer.room().head();
    // Of a room that the user has left, what came before.
    let end = match viewer.joined_until() {
        0 => head,
        until => head.min(until),
    };
    let span = Span { from: end, to: None, direction: Direction::Backward };
    let page = timeline::page(viewer, span, limit, &RoomEventFilter::default()).await?;
    let start = page.events.last().map_or(end, |event| event.position - 1);
    let mut chunk = viewer.events(&page.events, Format::Timeline).await?;
    chunk.reverse();
    info.messages =
        Some(Messages { start: Token(start).to_string(), end: Token(end).to_string(), chunk });
    info.state = readable.state_events().await?;
    Ok(())
}

/// The session of a request, if it is no guest's.
async fn member(services: &Services, head: &http::Request<()>) -> Result<Session> {
    let session = api::sender(services, head).await?;
    match session.guest {
        true => Err(guests::forbidden()),
        false => Ok(session),
    }
}

fn query(head: &http::Request<()>, name: &str) -> Option<String> {
    parameter(head.uri().query().unwrap_or_default().as_bytes(), name)
}

fn number(head: &http::Request<()>, name: &str) -> Result<Option<u64>> {
    let number = query(head, name).map(|number| number.parse::<UInt>()).transpose();
    let number = number.map_err(|_| Error::invalid_param(format!("{name} is not a number")))?;
    Ok(number.map(u64::from))
}
