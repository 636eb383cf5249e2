//! spec: client-server §Client Config

use http::StatusCode;
use ruma::{
    RoomId, UserId,
    api::{
        client::config::{
            get_global_account_data, get_room_account_data, set_global_account_data,
            set_room_account_data,
        },
        error::ErrorKind,
    },
    serde::Raw,
};
use serde_json::value::RawValue;

use super::{Incoming, Routes};
use crate::{Error, Result, Services, json, push::PUSH_RULES, users::Session};

pub(super) fn routes(routes: &mut Routes) {
    routes.add(set_global);
    routes.add(get_global);
    routes.add(set_for_room);
    routes.add(get_for_room);
}

/// The types that only the homeserver sets.
const MANAGED: [&str; 2] = ["m.fully_read", PUSH_RULES];

pub(super) fn own(sender: &Session, user_id: &UserId) -> Result<()> {
    if sender.user_id == user_id {
        Ok(())
    } else {
        Err(Error::forbidden("The account data is somebody else's"))
    }
}

async fn set(
    services: &Services,
    user_id: &UserId,
    room_id: Option<&RoomId>,
    event_type: &str,
    content: Box<RawValue>,
) -> Result<()> {
    if MANAGED.contains(&event_type) {
        let message = format!("{event_type} can't be set here");
        return Err(Error::new(StatusCode::METHOD_NOT_ALLOWED, ErrorKind::BadJson, message));
    }
    json::check_object(&content)?;
    services.users.set_account_data(user_id, room_id, event_type, content).await
}

async fn get<T>(
    services: &Services,
    user_id: &UserId,
    room_id: Option<&RoomId>,
    event_type: &str,
) -> Result<Raw<T>> {
    if room_id.is_none() && event_type == PUSH_RULES {
        return Ok(Raw::from_json(services.push.rules_content(user_id).await?));
    }
    let content = services.users.account_data(user_id, room_id, event_type).await?;
    let content = content.ok_or_else(|| Error::not_found("There is no such account data"))?;
    Ok(Raw::from_json(content))
}

/// `PUT /_matrix/client/v3/user/{userId}/account_data/{type}`
async fn set_global(
    services: &Services,
    request: Incoming<set_global_account_data::v3::Request>,
) -> Result<set_global_account_data::v3::Response> {
    own(&request.auth, &request.user_id)?;
    let request = request.request;
    let event_type = request.event_type.to_string();
    set(services, &request.user_id, None, &event_type, request.data.into_json()).await?;
    Ok(set_global_account_data::v3::Response::new())
}

/// `GET /_matrix/client/v3/user/{userId}/account_data/{type}`
async fn get_global(
    services: &Services,
    request: Incoming<get_global_account_data::v3::Request>,
) -> Result<get_global_account_data::v3::Response> {
    own(&request.auth, &request.user_id)?;
    let content = get(services, &request.user_id, None, &request.event_type.to_string()).await?;
    Ok(get_global_account_data::v3::Response::new(content))
}

/// `PUT /_matrix/client/v3/user/{userId}/rooms/{roomId}/account_data/{type}`
async fn set_for_room(
    services: &Services,
    request: Incoming<set_room_account_data::v3::Request>,
) -> Result<set_room_account_data::v3::Response> {
    own(&request.auth, &request.user_id)?;
    let request = request.request;
    let (room_id, event_type) = (&request.room_id, request.event_type.to_string());
    set(services, &request.user_id, Some(room_id), &event_type, request.data.into_json()).await?;
    Ok(set_room_account_data::v3::Response::new())
}

/// `GET /_matrix/client/v3/user/{userId}/rooms/{roomId}/account_data/{type}`
async fn get_for_room(
    services: &Services,
    request: Incoming<get_room_account_data::v3::Request>,
) -> Result<get_room_account_data::v3::Response> {
    own(&request.auth, &request.user_id)?;
    let (room_id, event_type) = (&request.room_id, request.event_type.to_string());
    let content = get(services, &request.user_id, Some(room_id), &event_type).await?;
    Ok(get_room_account_data::v3::Response::new(content))
}
