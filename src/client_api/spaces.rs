//! spec: client-server §Spaces; §Room summaries

use std::collections::BTreeSet;

use ruma::{
    OwnedRoomId, RoomId,
    api::client::{
        room::get_summary,
        space::{SpaceHierarchyRoomsChunk, get_hierarchy},
    },
    events::{
        StateEventType,
        room::member::MembershipState,
        space::child::{HierarchySpaceChildEvent, SpaceChildEventContent},
    },
    room::{JoinRuleSummary, RoomType},
    serde::Raw,
};

use super::{Incoming, Routes, membership::resolve};
use crate::{
    Error, Result, Services,
    rooms::{Room, unless_damaged},
    users::Session,
};

/// The most rooms of one answer.
const MAX_LIMIT: usize = 50;
/// The deepest that a walk goes, whatever the client asks.
const MAX_DEPTH: u64 = 16;

pub(super) fn routes(routes: &mut Routes) {
    routes.add(summary);
    routes.add(hierarchy);
}

/// `GET /_matrix/client/v1/room_summary/{roomIdOrAlias}`
async fn summary(
    services: &Services,
    request: Incoming<get_summary::v1::Request>,
) -> Result<get_summary::v1::Response> {
    let missing = || Error::not_found("There is no such room, or you may not see it");
    let room_id = resolve(services, &request.room_id_or_alias).await?;
    let room = services.rooms.room(&room_id).await.map_err(|cause| cause.hidden_by(missing()))?;
    if !may_see(services, request.auth.as_ref(), &room).await? {
        return Err(missing());
    }
    let mut response = get_summary::v1::Response::new(room.summary().await?);
    if let Some(session) = &request.auth {
        let membership = services.rooms.membership(&session.user_id, &room_id).await?;
        response.membership =
            Some(membership.map_or(MembershipState::Leave, |here| here.membership));
    }
    Ok(response)
}

/// `GET /_matrix/client/v1/rooms/{roomId}/hierarchy`
async fn hierarchy(
    services: &Services,
    request: Incoming<get_hierarchy::v1::Request>,
) -> Result<get_hierarchy::v1::Response> {
    let forbidden = || Error::forbidden("There is no such room, or you may not see it");
    let session = &request.auth;
    let root = services
        .rooms
        .room(&request.room_id)
        .await
        .map_err(|cause| cause.hidden_by(forbidden()))?;
    if !may_see(services, Some(session), &root).await? {
        return Err(forbidden());
    }
    let limit = request.limit.map_or(MAX_LIMIT, |limit| {
        usize::try_from(u64::from(limit)).unwrap_or(MAX_LIMIT).clamp(1, MAX_LIMIT)
    });
    let max_depth = request.max_depth.map_or(MAX_DEPTH, |depth| MAX_DEPTH.min(depth.into()));
    // What the walk is of stands in the token, since it has to stay the same over all pages.
    let of = format!("_{max_depth}_{}", request.suggested_only);
    let skip = match &request.from {
        Some(token) => token
            .strip_prefix('h')
            .and_then(|token| token.strip_suffix(&of)?.parse::<usize>().ok())
            .ok_or_else(|| Error::invalid_param("The token is from no such walk"))?,
        None => 0,
    };
    let walk = Walk { services, session, suggested_only: request.suggested_only, max_depth };
    // One more than asked for tells whether there is more.
    let mut rooms = walk.rooms(root, skip + limit + 1).await?;
    let more = rooms.len() > skip + limit;
    rooms.truncate(skip + limit);
    let mut response = get_hierarchy::v1::Response::new();
    response.rooms = rooms.into_iter().skip(skip).collect();
    response.next_batch = more.then(|| format!("h{}{of}", skip + limit));
    Ok(response)
}

/// A walk through a space, depth first, each room once.
struct Walk<'a> {
    services: &'a Services,
    session: &'a Session,
    suggested_only: bool,
    max_depth: u64,
}

impl Walk<'_> {
    async fn rooms(&self, root: Room, enough: usize) -> Result<Vec<SpaceHierarchyRoomsChunk>> {
        let mut found = Vec::new();
        let mut seen = BTreeSet::from([root.id().to_owned()]);
        let mut ahead = vec![(root, 0)];
        while let Some((room, depth)) = ahead.pop() {
            let children = match room.room_type().await? {
                Some(RoomType::Space) => self.children(&room).await?,
                _ => Vec::new(),
            };
            let state = children.iter().map(|child| child.event.clone()).collect();
            found.push(SpaceHierarchyRoomsChunk::new(room.summary().await?, state));
            if found.len() == enough {
                break;
            }
            if depth == self.max_depth {
                continue;
            }
            for child in children.into_iter().rev() {
                if !seen.insert(child.room_id.clone()) {
                    continue;
                }
                if let Some(room) = self.visible(&child.room_id).await? {
                    ahead.push((room, depth + 1));
                }
            }
        }
        Ok(found)
    }

    async fn visible(&self, room_id: &RoomId) -> Result<Option<Room>> {
        let room = match self.services.rooms.room(room_id).await {
            Err(cause) if !cause.is_server_error() => return Ok(None),
            room => room,
        };
        let Some(room) = unless_damaged(room_id, room)? else { return Ok(None) };
        let visible = may_see(self.services, Some(self.session), &room).await;
        Ok(unless_damaged(room_id, visible)?.unwrap_or_default().then_some(room))
    }

    /// The children of a space in their order. spec: client-server §Ordering of children within a
    /// space
    async fn children(&self, space: &Room) -> Result<Vec<Child>> {
        let mut children = Vec::new();
        for (key, event_id) in space.current_state().of_type(&StateEventType::SpaceChild) {
            let Ok(room_id) = OwnedRoomId::try_from(key) else { continue };
            let Some(event) = space.event(event_id).await? else { continue };
            // Without servers to join by it is no child any more.
            let Some(content) = event.pdu.content_as::<SpaceChildEventContent>() else { continue };
            if content.via.is_empty() || (self.suggested_only && !content.suggested) {
                continue;
            }
            let stripped = crate::rooms::stripped(&event.pdu)?;
            let mut json: serde_json::Value =
                serde_json::from_str(stripped.json().get()).map_err(Error::internal)?;
            json["origin_server_ts"] = u64::from(event.pdu.origin_server_ts.get()).into();
            children.push(Child {
                order: (
                    content.order.is_none(),
                    content.order.map(|order| order.to_string()),
                    event.pdu.origin_server_ts,
                ),
                room_id,
                event: Raw::new(&json).map_err(Error::internal)?.cast_unchecked(),
            });
        }
        children.sort_by(|a, b| (&a.order, &a.room_id).cmp(&(&b.order, &b.room_id)));
        Ok(children)
    }
}

struct Child {
    order: (bool, Option<String>, ruma::MilliSecondsSinceUnixEpoch),
    room_id: OwnedRoomId,
    event: Raw<HierarchySpaceChildEvent>,
}

/// Whether somebody may know that a room is there: who is in it or invited, who could join it or
/// knock, or everybody, if its history is for everybody.
async fn may_see(services: &Services, session: Option<&Session>, room: &Room) -> Result<bool> {
    if room.is_world_readable().await? {
        return Ok(true);
    }
    let rule = room.summary().await?.join_rule;
    if matches!(rule, JoinRuleSummary::Public | JoinRuleSummary::Knock) {
        return Ok(true);
    }
    let Some(session) = session else { return Ok(false) };
    if let JoinRuleSummary::KnockRestricted(_) = rule {
        return Ok(true);
    }
    let membership = services.rooms.membership(&session.user_id, room.id()).await?;
    if membership.is_some_and(|here| {
        matches!(here.membership, MembershipState::Join | MembershipState::Invite)
    }) {
        return Ok(true);
    }
    if let JoinRuleSummary::Restricted(restricted) = rule {
        for allowed in &restricted.allowed_room_ids {
            let membership = services.rooms.membership(&session.user_id, allowed).await?;
            if membership.is_some_and(|there| there.membership == MembershipState::Join) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}
