//! spec: client-server §Getting events for a room: its state and members

use std::collections::BTreeMap;

use ruma::{
    OwnedMxcUri, OwnedUserId,
    api::client::{
        membership::{get_member_events, joined_members},
        state::{
            get_state_event_for_key::{self, v3::StateEventFormat},
            get_state_events,
        },
    },
    events::{AnyStateEvent, StateEventType, room::member::MembershipState},
};
use serde::Serialize;

use super::{Incoming, Routes, pagination::Token, readable};
use crate::{
    Error, Result, Services, enumerations,
    http::{Body, Sent, json_response},
    rooms::Format,
};

pub(super) fn routes(routes: &mut Routes) {
    routes.add(get_state);
    routes.add(get_state_event);
    routes.add_with_empty_state_key(get_state_event);
    routes.add(get_members);
    routes.add_with_sent(get_joined_members);
}

/// `GET /_matrix/client/v3/rooms/{roomId}/state`
async fn get_state(
    services: &Services,
    request: Incoming<get_state_events::v3::Request>,
) -> Result<get_state_events::v3::Response> {
    let readable = readable::room(services, &request.auth, &request.room_id).await?;
    Ok(get_state_events::v3::Response::new(readable.state_events().await?))
}

/// `GET /_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}`
async fn get_state_event(
    services: &Services,
    request: Incoming<get_state_event_for_key::v3::Request>,
) -> Result<get_state_event_for_key::v3::Response> {
    enumerations::check("format", [&request.format])?;
    let readable = readable::room(services, &request.auth, &request.room_id).await?;
    let pdu = readable
        .state_event(&request.event_type, &request.state_key)
        .await?
        .ok_or_else(|| Error::not_found("The room has no such state event"))?;
    if request.format == StateEventFormat::Event {
        let event = readable.viewer.room().event(&pdu.event_id).await?;
        let event = event.ok_or_else(|| Error::not_found("The room has no such state event"))?;
        let event = readable.viewer.event::<AnyStateEvent>(&event, Format::Timeline).await?;
        return Ok(event.into());
    }
    Ok(get_state_event_for_key::v3::Response::new(pdu.content.clone()))
}

/// `GET /_matrix/client/v3/rooms/{roomId}/members`
async fn get_members(
    services: &Services,
    request: Incoming<get_member_events::v3::Request>,
) -> Result<get_member_events::v3::Response> {
    enumerations::check("membership", &request.membership)?;
    enumerations::check("not_membership", &request.not_membership)?;
    let readable = readable::room(services, &request.auth, &request.room_id).await?;
    let state = match &request.at {
        None => readable.state().await?,
        Some(token) => {
            let at = match (Token::parse(token)?.0, readable.viewer.joined_until()) {
                (at, 0) => at,
                // Former members know the room up to their leaving.
                (at, until) => at.min(until),
            };
            let room = readable.viewer.room();
            room.state_at(room.state_id_at(at).await?).await?
        }
    };
    let mut chunk = Vec::new();
    for (_, event_id) in state.of_type(&StateEventType::RoomMember) {
        let Some(event) = readable.viewer.room().event(event_id).await? else { continue };
        let membership = event.pdu.membership();
        let is = |of: &MembershipState| membership.as_ref() == Some(of);
        // "Either": both together let more through than one. spec: client-server §GET members
        let wanted = match (&request.membership, &request.not_membership) {
            (None, None) => true,
            (only, not) => {
                only.as_ref().is_some_and(is) || not.as_ref().is_some_and(|not| !is(not))
            }
        };
        if wanted {
            chunk.push(readable.viewer.event(&event, Format::Timeline).await?);
        }
    }
    Ok(get_member_events::v3::Response::new(chunk))
}

/// The body of an answer, which may be long.
#[derive(Serialize)]
struct JoinedMembers<'a> {
    joined: BTreeMap<&'a OwnedUserId, JoinedMember<'a>>,
}

#[derive(Serialize)]
struct JoinedMember<'a> {
    display_name: &'a Option<String>,
    avatar_url: &'a Option<OwnedMxcUri>,
}

/// `GET /_matrix/client/v3/rooms/{roomId}/joined_members`. Ruma leaves out what is null, which
/// clients count on.
async fn get_joined_members(
    services: &Services,
    request: Incoming<joined_members::v3::Request>,
    _: Sent,
) -> Result<http::Response<Body>> {
    let forbidden = || Error::forbidden("You are not in this room");
    let room = services
        .rooms
        .room(&request.room_id)
        .await
        .map_err(|cause| cause.hidden_by(forbidden()))?;
    if !room.is_joined(&request.auth.user_id).await? {
        return Err(forbidden());
    }
    let members = room.members().await?;
    let joined = members.iter().filter(|(_, member)| member.membership == MembershipState::Join);
    let joined = joined
        .map(|(user_id, member)| {
            let (display_name, avatar_url) = (&member.displayname, &member.avatar_url);
            (user_id, JoinedMember { display_name, avatar_url })
        })
        .collect();
    json_response(&JoinedMembers { joined })
}
