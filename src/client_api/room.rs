//! spec: client-server §Creation; §Room aliases; §Published room directory; §Room upgrades

use ruma::{
    api::client::{
        alias::{create_alias, delete_alias, get_alias},
        directory::{
            get_public_rooms, get_public_rooms_filtered, get_room_visibility, set_room_visibility,
        },
        room::{Visibility, aliases, create_room, upgrade_room},
    },
    directory::RoomNetwork,
    events::{StateEventType, TimelineEventType},
};

use serde_json::Value;

use super::{
    Incoming, Routes,
    membership::{check_invite, check_invited, member_profile},
    presence, readable,
    timeline::limit,
};
use crate::{
    Error, Result, Services, enumerations,
    http::bodies,
    rooms::{CreateRoom, DirectoryFilter, room_version},
};

/// How many rooms a page of the directory has, when the client does not say.
const DEFAULT_LIMIT: u32 = 100;

pub(super) fn routes(routes: &mut Routes) {
    routes.add_completed(create, |body| check_version(body.get("room_version")));
    routes.add_completed(upgrade, |body| check_version(body.get("new_version")));
    routes.add(put_alias);
    routes.add(get_room_of_alias);
    routes.add(remove_alias);
    routes.add(get_aliases);
    routes.add(get_visibility);
    routes.add_completed(set_visibility, |body| {
        // spec: client-server §PUT directory/list/room, "Defaults to `public`"
        body.entry("visibility").or_insert("public".into());
        Ok(())
    });
    routes.add(public_rooms);
    routes.add_completed(public_rooms_filtered, |body| {
        // Ruma makes one of the two, whatever else they are.
        bodies::check_texts(body, &["third_party_instance_id"])?;
        match body.get("include_all_networks") {
            None | Some(Value::Bool(_) | Value::Null) => Ok(()),
            Some(_) => Err(Error::bad_json("include_all_networks is not a boolean")),
        }
    });
}

/// Refuses a version of which no room can be made, before it is refused for its form.
fn check_version(named: Option<&Value>) -> Result<()> {
    named.and_then(Value::as_str).map_or(Ok(()), |named| room_version(named).map(drop))
}

/// `POST /_matrix/client/v3/createRoom`
async fn create(
    services: &Services,
    request: Incoming<create_room::v3::Request>,
) -> Result<create_room::v3::Response> {
    let Incoming { request, auth, .. } = request;
    if !request.invite_3pid.is_empty() {
        return Err(Error::forbidden("No identity server can be reached to find whom to invite"));
    }
    let mut room = CreateRoom::try_from(request)?;
    for user_id in &room.invite {
        check_invited(services, user_id).await?;
    }
    for event in &room.initial_state {
        check_invite(services, event).await?;
    }
    for user_id in room.invite.iter().chain([&auth.user_id]) {
        let profile = member_profile(services, user_id).await?;
        room.profiles.insert(user_id.clone(), profile);
    }
    let room_id = services.rooms.create(&auth.user_id, room).await?;
    presence::active(services, &auth.user_id).await;
    Ok(create_room::v3::Response::new(room_id))
}

/// `POST /_matrix/client/v3/rooms/{roomId}/upgrade`
async fn upgrade(
    services: &Services,
    request: Incoming<upgrade_room::v3::Request>,
) -> Result<upgrade_room::v3::Response> {
    let Incoming { request, auth, .. } = request;
    let profile = member_profile(services, &auth.user_id).await?;
    let replacement = services
        .rooms
        .upgrade(
            &auth.user_id,
            &request.room_id,
            request.new_version,
            &request.additional_creators,
            profile,
        )
        .await?;
    presence::active(services, &auth.user_id).await;
    Ok(upgrade_room::v3::Response::new(replacement))
}

/// `PUT /_matrix/client/v3/directory/room/{roomAlias}`
async fn put_alias(
    services: &Services,
    request: Incoming<create_alias::v3::Request>,
) -> Result<create_alias::v3::Response> {
    let user_id = &request.auth.user_id;
    services.rooms.set_alias(user_id, &request.room_alias, &request.room_id).await?;
    Ok(create_alias::v3::Response::new())
}

/// `GET /_matrix/client/v3/directory/room/{roomAlias}`
async fn get_room_of_alias(
    services: &Services,
    request: Incoming<get_alias::v3::Request>,
) -> Result<get_alias::v3::Response> {
    let alias = &request.room_alias;
    let room_id = services.rooms.resolve_alias(alias).await?;
    let room_id = room_id.ok_or_else(|| Error::not_found(format!("There is no alias {alias}")))?;
    Ok(get_alias::v3::Response::new(room_id, vec![services.config.server_name.clone()]))
}

/// `DELETE /_matrix/client/v3/directory/room/{roomAlias}`
async fn remove_alias(
    services: &Services,
    request: Incoming<delete_alias::v3::Request>,
) -> Result<delete_alias::v3::Response> {
    let rest = services.rooms.delete_alias(&request.auth.user_id, &request.room_alias).await?;
    services.follow_up(rest).await?;
    Ok(delete_alias::v3::Response::new())
}

/// `GET /_matrix/client/v3/rooms/{roomId}/aliases`
async fn get_aliases(
    services: &Services,
    request: Incoming<aliases::v3::Request>,
) -> Result<aliases::v3::Response> {
    readable::room(services, &request.auth, &request.room_id).await?;
    Ok(aliases::v3::Response::new(services.rooms.aliases(&request.room_id).await?))
}

/// `GET /_matrix/client/v3/directory/list/room/{roomId}`
async fn get_visibility(
    services: &Services,
    request: Incoming<get_room_visibility::v3::Request>,
) -> Result<get_room_visibility::v3::Response> {
    services.rooms.room(&request.room_id).await?;
    let visibility = match services.rooms.is_published(&request.room_id).await? {
        true => Visibility::Public,
        false => Visibility::Private,
    };
    Ok(get_room_visibility::v3::Response::new(visibility))
}

/// `PUT /_matrix/client/v3/directory/list/room/{roomId}`: for those who may set the room's
/// canonical alias.
async fn set_visibility(
    services: &Services,
    request: Incoming<set_room_visibility::v3::Request>,
) -> Result<set_room_visibility::v3::Response> {
    enumerations::check("visibility", [&request.visibility])?;
    let room = services.rooms.room(&request.room_id).await?;
    let user_id = &request.auth.user_id;
    let kind = TimelineEventType::from(StateEventType::RoomCanonicalAlias.to_string());
    let levels = room.power_levels().await?;
    if !room.is_joined(user_id).await? || !levels.allow_send(user_id, &kind, Some("")) {
        return Err(Error::forbidden("You may not publish this room"));
    }
    let published = request.visibility == Visibility::Public;
    services.rooms.set_published(&request.room_id, published).await?;
    Ok(set_room_visibility::v3::Response::new())
}

/// `GET /_matrix/client/v3/publicRooms`
async fn public_rooms(
    services: &Services,
    request: Incoming<get_public_rooms::v3::Request>,
) -> Result<get_public_rooms::v3::Response> {
    let mut filtered = get_public_rooms_filtered::v3::Request::new();
    filtered.limit = request.limit;
    filtered.since = request.since.clone();
    filtered.server = request.server.clone();
    let found = directory(services, &filtered).await?;
    let mut response = get_public_rooms::v3::Response::new(found.chunk);
    response.next_batch = found.next_batch;
    response.prev_batch = found.prev_batch;
    response.total_room_count_estimate = found.total_room_count_estimate;
    Ok(response)
}

/// `POST /_matrix/client/v3/publicRooms`
async fn public_rooms_filtered(
    services: &Services,
    request: Incoming<get_public_rooms_filtered::v3::Request>,
) -> Result<get_public_rooms_filtered::v3::Response> {
    directory(services, &request).await
}

async fn directory(
    services: &Services,
    request: &get_public_rooms_filtered::v3::Request,
) -> Result<get_public_rooms_filtered::v3::Response> {
    if request.server.as_ref().is_some_and(|name| *name != services.config.server_name) {
        return Err(Error::not_found("The directory of another server can't be reached"));
    }
    // There are no bridges, so no third-party networks.
    if matches!(&request.room_network, RoomNetwork::ThirdParty(_)) {
        return Ok(get_public_rooms_filtered::v3::Response::new());
    }
    let filter = DirectoryFilter {
        term: request.filter.generic_search_term.clone(),
        room_types: request.filter.room_types.clone(),
    };
    let limit = limit(request.limit.unwrap_or(DEFAULT_LIMIT.into()));
    let page = services.rooms.public_rooms(&filter, limit, request.since.as_deref()).await?;
    let mut response = get_public_rooms_filtered::v3::Response::new();
    response.chunk = page.chunk;
    response.prev_batch = page.prev_batch;
    response.next_batch = page.next_batch;
    response.total_room_count_estimate = Some(page.total);
    Ok(response)
}
