//! spec: client-server §Room Tagging
//!
//! Tags are edited as they were sent: what clients keep beside the order of a room stays, and the
//! order in its own form of a number.

use std::collections::BTreeMap;

use ruma::api::client::tag::{create_tag, delete_tag, get_tags};
use serde_json::{
    json,
    value::{RawValue, to_raw_value},
};

use super::{Incoming, Routes, account_data::own};
use crate::{
    Error, Result, Services,
    http::{Body, Sent, json_response},
};

/// The type of the account data that holds a room's tags.
const TAGS: &str = "m.tag";

type RawObject = BTreeMap<String, Box<RawValue>>;

pub(super) fn routes(routes: &mut Routes) {
    routes.add_with_sent(get);
    routes.add_with_sent(create);
    routes.add(delete);
}

/// An object member by member; what is none has none.
fn object(json: Option<&RawValue>) -> RawObject {
    json.and_then(|json| serde_json::from_str(json.get()).ok()).unwrap_or_default()
}

/// A content whose tags `change` has changed.
fn changed(
    content: Option<&RawValue>,
    change: impl FnOnce(&mut RawObject),
) -> Result<Box<RawValue>> {
    let mut content = object(content);
    let mut tags = object(content.get("tags").map(|tags| &**tags));
    change(&mut tags);
    content.insert("tags".to_owned(), to_raw_value(&tags).map_err(Error::internal)?);
    to_raw_value(&content).map_err(Error::internal)
}

/// `GET /_matrix/client/v3/user/{userId}/rooms/{roomId}/tags`
async fn get(
    services: &Services,
    request: Incoming<get_tags::v3::Request>,
    _: Sent,
) -> Result<http::Response<Body>> {
    own(&request.auth, &request.user_id)?;
    let content =
        services.users.account_data(&request.user_id, Some(&request.room_id), TAGS).await?;
    let tags = object(object(content.as_deref()).get("tags").map(|tags| &**tags));
    json_response(&BTreeMap::from([("tags", tags)]))
}

/// `PUT /_matrix/client/v3/user/{userId}/rooms/{roomId}/tags/{tag}`
async fn create(
    services: &Services,
    request: Incoming<create_tag::v3::Request>,
    sent: Sent,
) -> Result<http::Response<Body>> {
    own(&request.auth, &request.user_id)?;
    let info: Box<RawValue> =
        serde_json::from_slice(&sent.body).map_err(|cause| Error::not_json(cause.to_string()))?;
    let create_tag::v3::Request { user_id, room_id, tag, .. } = request.request;
    let users = &services.users;
    users
        .update_account_data(&user_id, Some(&room_id), TAGS, |content| {
            changed(content, |tags| _ = tags.insert(tag, info))
        })
        .await?;
    json_response(&json!({}))
}

/// `DELETE /_matrix/client/v3/user/{userId}/rooms/{roomId}/tags/{tag}`
async fn delete(
    services: &Services,
    request: Incoming<delete_tag::v3::Request>,
) -> Result<delete_tag::v3::Response> {
    own(&request.auth, &request.user_id)?;
    let users = &services.users;
    users
        .update_account_data(&request.user_id, Some(&request.room_id), TAGS, |content| {
            changed(content, |tags| _ = tags.remove(&request.tag))
        })
        .await?;
    Ok(delete_tag::v3::Response::new())
}
