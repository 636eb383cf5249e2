//! spec: client-server §User Directory

use std::collections::HashMap;

use ruma::{
    OwnedRoomId, RoomId, UserId,
    api::client::user_directory::search_users::v3::{Request, Response, User},
    events::{
        StateEventType,
        room::join_rules::{JoinRule, RoomJoinRulesEventContent},
    },
};

use super::{Incoming, Routes};
use crate::{Result, Services};

pub(super) fn routes(routes: &mut Routes) {
    routes.add(search);
}

/// The most results that are given.
const MAX_LIMIT: usize = 100;

/// `POST /_matrix/client/v3/user_directory/search`: among those who share a room with the sender
/// or are in a public room.
async fn search(services: &Services, request: Incoming<Request>) -> Result<Response> {
    let own = &request.auth.user_id;
    let limit = usize::try_from(request.limit).unwrap_or(MAX_LIMIT).min(MAX_LIMIT);
    let mut results = Vec::new();
    let mut open = OpenRooms::default();
    let mut search = services.users.search(&request.search_term);
    while let Some(page) = search.next_page().await? {
        for (user_id, profile) in page {
            if !is_visible(services, &mut open, own, &user_id).await? {
                continue;
            }
            if results.len() == limit {
                return Ok(Response::new(results, true));
            }
            let mut user = User::new(user_id);
            user.display_name = profile.display_name().map(str::to_owned);
            user.avatar_url = profile.avatar_url();
            results.push(user);
        }
    }
    Ok(Response::new(results, false))
}

/// Rooms, and whether everybody may come or look in: found out once for a search, however many users
/// are in them.
type OpenRooms = HashMap<OwnedRoomId, bool>;

async fn is_visible(
    services: &Services,
    open: &mut OpenRooms,
    own: &UserId,
    user_id: &UserId,
) -> Result<bool> {
    // Oneself is found as by others.
    if user_id != own && services.rooms.shares_room(own, user_id).await? {
        return Ok(true);
    }
    for room_id in services.rooms.joined_rooms(user_id).await? {
        let is_open = match open.get(&room_id) {
            Some(is_open) => *is_open,
            None => is_open(services, &room_id).await?,
        };
        open.insert(room_id, is_open);
        if is_open {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn is_open(services: &Services, room_id: &RoomId) -> Result<bool> {
    let room = services.rooms.room(room_id).await?;
    let rules: Option<RoomJoinRulesEventContent> =
        room.state_content(&StateEventType::RoomJoinRules, "").await?;
    let is_public = rules.is_some_and(|rules| rules.join_rule == JoinRule::Public);
    Ok(is_public || room.is_world_readable().await?)
}
