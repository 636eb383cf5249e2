//! spec: client-server §Room membership

use http::StatusCode;
use ruma::{
    OwnedRoomId, RoomOrAliasId, UserId,
    api::{
        client::{
            knock::knock_room,
            membership::{
                ban_user, forget_room, invite_user, join_room_by_id, join_room_by_id_or_alias,
                joined_rooms, kick_user, leave_room, unban_user,
            },
        },
        error::ErrorKind,
    },
    events::room::member::MembershipState,
    serde::JsonObject,
};
use serde_json::json;

use super::{Incoming, Routes, guests, presence};
use crate::{
    Error, Result, Services,
    http::{Body, Sent, json_response},
    rooms::{NewEvent, Profile},
    users::Session,
};

pub(super) fn routes(routes: &mut Routes) {
    routes.add(get_joined_rooms);
    routes.add(invite);
    routes.add_with_sent(join);
    routes.add_with_sent(join_by_id_or_alias);
    routes.add(knock);
    routes.add(leave);
    routes.add(forget);
    routes.add(kick);
    routes.add(ban);
    routes.add(unban);
}

/// `GET /_matrix/client/v3/joined_rooms`
async fn get_joined_rooms(
    services: &Services,
    request: Incoming<joined_rooms::v3::Request>,
) -> Result<joined_rooms::v3::Response> {
    let joined = services.rooms.joined_rooms(&request.auth.user_id).await?;
    Ok(joined_rooms::v3::Response::new(joined))
}

/// `POST /_matrix/client/v3/rooms/{roomId}/invite`
async fn invite(
    services: &Services,
    request: Incoming<invite_user::v3::Request>,
) -> Result<invite_user::v3::Response> {
    let invite_user::v3::InvitationRecipient::UserId(invited) = &request.recipient else {
        return Err(Error::forbidden("No identity server can be reached to find who that is"));
    };
    check_invited(services, &invited.user_id).await?;
    let profile = member_profile(services, &invited.user_id).await?;
    let (sender, reason) = (&request.auth.user_id, invited.reason.clone());
    services.rooms.invite(sender, &request.room_id, &invited.user_id, profile, reason).await?;
    presence::active(services, sender).await;
    Ok(invite_user::v3::Response::new())
}

/// `POST /_matrix/client/v3/rooms/{roomId}/join`
async fn join(
    services: &Services,
    request: Incoming<join_room_by_id::v3::Request>,
    sent: Sent,
) -> Result<http::Response<Body>> {
    let room_id = &request.room_id;
    join_room(services, &request.auth, room_id, request.reason.clone(), extra(&sent.body)).await?;
    json_response(&json!({ "room_id": room_id }))
}

/// `POST /_matrix/client/v3/join/{roomIdOrAlias}`
async fn join_by_id_or_alias(
    services: &Services,
    request: Incoming<join_room_by_id_or_alias::v3::Request>,
    sent: Sent,
) -> Result<http::Response<Body>> {
    let room_id = resolve(services, &request.room_id_or_alias).await?;
    join_room(services, &request.auth, &room_id, request.reason.clone(), extra(&sent.body)).await?;
    json_response(&json!({ "room_id": room_id }))
}

/// What ruma does not know of a request to join, which goes into the membership event, as clients
/// expect of servers.
fn extra(body: &[u8]) -> JsonObject {
    serde_json::from_slice(body).unwrap_or_default()
}

/// `POST /_matrix/client/v3/knock/{roomIdOrAlias}`
async fn knock(
    services: &Services,
    request: Incoming<knock_room::v3::Request>,
) -> Result<knock_room::v3::Response> {
    let room_id = resolve(services, &request.room_id_or_alias).await?;
    let user_id = &request.auth.user_id;
    let profile = member_profile(services, user_id).await?;
    services.rooms.knock(user_id, &room_id, profile, request.reason.clone()).await?;
    presence::active(services, user_id).await;
    Ok(knock_room::v3::Response::new(room_id))
}

/// `POST /_matrix/client/v3/rooms/{roomId}/leave`
async fn leave(
    services: &Services,
    request: Incoming<leave_room::v3::Request>,
) -> Result<leave_room::v3::Response> {
    let reason = request.reason.clone();
    services.rooms.leave(&request.auth.user_id, &request.room_id, reason).await?;
    presence::active(services, &request.auth.user_id).await;
    Ok(leave_room::v3::Response::new())
}

/// `POST /_matrix/client/v3/rooms/{roomId}/forget`
async fn forget(
    services: &Services,
    request: Incoming<forget_room::v3::Request>,
) -> Result<forget_room::v3::Response> {
    services.rooms.forget(&request.auth.user_id, &request.room_id).await?;
    Ok(forget_room::v3::Response::new())
}

/// `POST /_matrix/client/v3/rooms/{roomId}/kick`
async fn kick(
    services: &Services,
    request: Incoming<kick_user::v3::Request>,
) -> Result<kick_user::v3::Response> {
    let (sender, reason) = (&request.auth.user_id, request.reason.clone());
    services.rooms.kick(sender, &request.room_id, &request.user_id, reason).await?;
    presence::active(services, sender).await;
    Ok(kick_user::v3::Response::new())
}

/// `POST /_matrix/client/v3/rooms/{roomId}/ban`
async fn ban(
    services: &Services,
    request: Incoming<ban_user::v3::Request>,
) -> Result<ban_user::v3::Response> {
    let (sender, reason) = (&request.auth.user_id, request.reason.clone());
    services.rooms.ban(sender, &request.room_id, &request.user_id, reason).await?;
    presence::active(services, sender).await;
    Ok(ban_user::v3::Response::new())
}

/// `POST /_matrix/client/v3/rooms/{roomId}/unban`
async fn unban(
    services: &Services,
    request: Incoming<unban_user::v3::Request>,
) -> Result<unban_user::v3::Response> {
    let (sender, reason) = (&request.auth.user_id, request.reason.clone());
    services.rooms.unban(sender, &request.room_id, &request.user_id, reason).await?;
    presence::active(services, sender).await;
    Ok(unban_user::v3::Response::new())
}

async fn join_room(
    services: &Services,
    sender: &Session,
    room_id: &ruma::RoomId,
    reason: Option<String>,
    extra: JsonObject,
) -> Result<()> {
    if sender.guest {
        guests::check_join(services, room_id).await?;
    }
    let profile = member_profile(services, &sender.user_id).await?;
    services.rooms.join_with(&sender.user_id, room_id, profile, reason, extra).await?;
    presence::active(services, &sender.user_id).await;
    Ok(())
}

/// Spares one who wants no invites all of them. spec: client-server §Invite permission
pub(super) async fn check_invited(services: &Services, user_id: &UserId) -> Result<()> {
    if services.users.blocks_invites(user_id).await? {
        let message = format!("{user_id} does not want to be invited");
        return Err(Error::new(StatusCode::FORBIDDEN, ErrorKind::InviteBlocked, message));
    }
    Ok(())
}

/// The same where the invite is sent as a state event.
pub(super) async fn check_invite(services: &Services, event: &NewEvent) -> Result<()> {
    match event.membership() {
        Some((user_id, MembershipState::Invite)) => check_invited(services, user_id).await,
        _ => Ok(()),
    }
}

/// What a user's membership events tell of them.
pub(super) async fn member_profile(services: &Services, user_id: &UserId) -> Result<Profile> {
    let profile = services.users.profile(user_id).await?;
    Ok(Profile {
        displayname: profile.display_name().map(ToOwned::to_owned),
        avatar_url: profile.avatar_url(),
    })
}

/// The room that an id or alias names.
pub(super) async fn resolve(services: &Services, name: &RoomOrAliasId) -> Result<OwnedRoomId> {
    match <&ruma::RoomId>::try_from(name) {
        Ok(room_id) => Ok(room_id.to_owned()),
        Err(alias) => services
            .rooms
            .resolve_alias(alias)
            .await?
            .ok_or_else(|| Error::not_found(format!("There is no alias {alias}"))),
    }
}
