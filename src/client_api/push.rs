//! spec: client-server §Push Notifications

use ruma::{
    api::client::push::{
        get_notifications, get_pushers,
        set_pusher::{self, v3::PusherAction},
    },
    serde::JsonObject,
};
use serde_json::Value;

use super::{Incoming, Routes, readable};
use crate::{Error, Result, Services, feed::Position, rooms::Format};

/// How many notifications are told at once, unless asked for, and at most.
const NOTIFICATIONS: u64 = 50;
const MAX_NOTIFICATIONS: u64 = 200;

pub(super) fn routes(routes: &mut Routes) {
    routes.add(notifications);
    routes.add(pushers);
    routes.add_completed(set_pusher, check_members);
}

/// `GET /_matrix/client/v3/notifications`
async fn notifications(
    services: &Services,
    request: Incoming<get_notifications::v3::Request>,
) -> Result<get_notifications::v3::Response> {
    let user_id = &request.auth.user_id;
    let before = match &request.from {
        Some(from) => from.parse().map_err(|_| Error::invalid_param("from is no token"))?,
        None => {
            services.push.catch_up().await;
            Position::MAX
        }
    };
    let limit = request.limit.map_or(NOTIFICATIONS, u64::from).clamp(1, MAX_NOTIFICATIONS) as usize;
    let only_highlights = request.only.as_deref() == Some("highlight");
    let found = services.push.notifications(user_id, before, limit, only_highlights).await?;
    let next = found.last().filter(|_| found.len() == limit).map(|last| last.position.to_string());
    let mut told = Vec::with_capacity(found.len());
    for notification in found {
        let room = services.rooms.room(&notification.room_id).await?;
        let Some(event) = room.event(&notification.event_id).await? else { continue };
        let viewer = readable::viewer(services, &request.auth, &room).await?;
        if !viewer.wants(&event).await? {
            continue;
        }
        told.push(get_notifications::v3::Notification::new(
            notification.actions,
            viewer.event(&event, Format::Sync).await?,
            notification.read,
            notification.room_id,
            notification.ts,
        ));
    }
    let mut response = get_notifications::v3::Response::new(told);
    response.next_token = next;
    Ok(response)
}

/// `GET /_matrix/client/v3/pushers`
async fn pushers(
    services: &Services,
    request: Incoming<get_pushers::v3::Request>,
) -> Result<get_pushers::v3::Response> {
    let pushers = services.users.pushers(&request.auth.user_id).await?;
    Ok(get_pushers::v3::Response::new(pushers))
}

/// Tells which parameters of a pusher are missing. spec: client-server §POST /pushers/set
fn check_members(body: &mut JsonObject) -> Result<()> {
    let required: &[&str] = match body.get("kind") {
        Some(Value::Null) => &["app_id", "pushkey"],
        _ => &[
            "kind",
            "app_id",
            "pushkey",
            "app_display_name",
            "device_display_name",
            "lang",
            "data",
        ],
    };
    let mut missing: Vec<_> =
        required.iter().copied().filter(|member| !body.contains_key(*member)).collect();
    let is_http = body.get("kind").is_some_and(|kind| kind == "http");
    if is_http && body.get("data").is_some_and(|data| data.is_object() && data.get("url").is_none())
    {
        missing.push("data.url");
    }
    match missing.is_empty() {
        true => Ok(()),
        false => Err(Error::missing_param(format!("Missing parameters: {}", missing.join(", ")))),
    }
}

/// `POST /_matrix/client/v3/pushers/set`
async fn set_pusher(
    services: &Services,
    request: Incoming<set_pusher::v3::Request>,
) -> Result<set_pusher::v3::Response> {
    let users = &services.users;
    match &request.action {
        PusherAction::Post(post) => {
            users.set_pusher(&request.auth, &post.pusher, post.append).await?;
        }
        PusherAction::Delete(ids) => users.delete_pusher(&request.auth.user_id, ids).await?,
        _ => return Err(Error::invalid_param("The pusher can't be understood")),
    }
    Ok(set_pusher::v3::Response::new())
}
