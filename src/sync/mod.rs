//! `/sync`: what changed for a user since a position.
//!
//! spec: client-server §Syncing
//!
//! A token is a position of the feed. An answer is made from the feed's entries after it and from
//! reads of what they name; nothing goes through all rooms or all members but the first sync, and one
//! from a token older than what the feed keeps. The same token gives the same answer, or one with more in it.

mod account_data;
mod catch_up;
mod changes;
mod device;
mod events;
mod filter;
mod presence;
mod receipts;
mod response;
mod room;
mod span;
mod state;
mod summary;
mod told_members;
mod typing;
mod unread;

use std::{rc::Rc, time::Duration};

use ruma::{
    OwnedRoomId, RoomId, UserId,
    api::client::filter::{EventFormat, FilterDefinition},
    events::room::member::MembershipState,
    presence::PresenceState,
    serde::Raw,
};
use serde_json::value::to_raw_value;
use tracing::Instrument;

pub(crate) use self::filter::event_passes;
pub(crate) use self::receipts::TABLES;
use self::{
    changes::{Changes, RoomChanges, may_concern},
    device::Moves,
    response::{Events, JoinedRoom, LeftRoom, StrippedRoom},
    span::Span,
    told_members::ToldMembers,
};
pub use self::{
    presence::{Presence, UserPresence},
    receipts::{Receipt, Receipts},
    response::{DeviceLists, Response, StateForm},
    typing::Typing,
};
use crate::{
    Error, Result,
    feed::{Feed, Position},
    platform::{self, Caller},
    push::Push,
    rooms::{Room, Rooms, UserRoom, UserRooms, Viewer, unless_damaged},
    store::Store,
    users::{Session, Users},
};

/// The longest time that a sync waits, in all: browsers end what a service worker has not answered
/// for much longer.
const MAX_TIMEOUT: Duration = Duration::from_secs(30);

/// What a client asks.
#[derive(Debug, Default)]
pub struct SyncRequest {
    /// The token of the sync before; `None` for the first.
    pub since: Option<Position>,
    /// Tell the whole state of rooms.
    pub full_state: bool,
    /// What to tell.
    pub filter: FilterDefinition,
    /// How long to wait for something to tell.
    pub timeout: Duration,
    /// Which state to tell.
    pub state_form: StateForm,
    /// How the user is while they sync.
    pub set_presence: PresenceState,
    /// Who waits for the answer.
    pub caller: Caller,
}

/// A handle to what syncs need; clones share it.
#[derive(Clone)]
pub struct Sync {
    inner: Rc<Inner>,
}

struct Inner {
    feed: Feed,
    rooms: Rooms,
    users: Users,
    push: Push,
    typing: Typing,
    presence: Presence,
    receipts: Receipts,
    told_members: ToldMembers,
}

impl Sync {
    /// Syncs over the parts that hold what changes.
    pub fn new(store: Store, feed: Feed, rooms: Rooms, users: Users, push: Push) -> Self {
        Self {
            inner: Rc::new(Inner {
                typing: Typing::new(feed.clone()),
                presence: Presence::new(feed.clone(), rooms.clone()),
                receipts: Receipts::new(store, feed.clone(), push.clone()),
                told_members: ToldMembers::default(),
                feed,
                rooms,
                users,
                push,
            }),
        }
    }

    /// Who types where.
    pub fn typing(&self) -> &Typing {
        &self.inner.typing
    }

    /// Who is online.
    pub fn presence(&self) -> &Presence {
        &self.inner.presence
    }

    /// Who has read what.
    pub fn receipts(&self) -> &Receipts {
        &self.inner.receipts
    }

    /// Answers a sync: at once if there is something to tell or nothing to wait for, else as soon
    /// as there is, or the caller has left.
    ///
    /// # Errors
    /// 400 `M_INVALID_PARAM` for a token that was never given out; when the store can't be read.
    pub async fn sync(&self, session: &Session, request: &SyncRequest) -> Result<Response> {
        let inner = &self.inner;
        if let Some(since) = request.since {
            if since > inner.feed.current() {
                return Err(Error::invalid_param("The token is from no sync of this server"));
            }
            let (user_id, device_id) = (&session.user_id, &session.device_id);
            if let Err(cause) = inner.users.acknowledge_to_device(user_id, device_id, since).await {
                // The next sync tries it again.
                tracing::warn!("messages that {device_id} has are not removed: {cause}");
            }
        }
        if request.set_presence != PresenceState::Offline {
            let state = request.set_presence.clone();
            if let Err(cause) = inner.presence.syncing(&session.user_id, state).await {
                tracing::warn!("that {} is there is not announced: {cause}", session.user_id);
            }
        }
        let response = self.wait_for_something(session, request).await;
        inner.presence.seen(&session.user_id);
        response
    }

    async fn wait_for_something(
        &self,
        session: &Session,
        request: &SyncRequest,
    ) -> Result<Response> {
        let waits = request.since.is_some() && !request.full_state;
        let timeout = if waits { request.timeout.min(MAX_TIMEOUT) } else { Duration::ZERO };
        let mut time_is_up = std::pin::pin!(futures::FutureExt::fuse(platform::sleep(timeout)));
        let mut waited = timeout.is_zero();
        loop {
            let rooms = self.inner.rooms.memberships(&session.user_id).await?;
            // Nothing is awaited in between: the memberships are those of this position.
            let to = self.inner.feed.current();
            let span = tracing::info_span!("sync");
            let response = self.answer(session, request, &rooms, to).instrument(span).await?;
            // Nobody who waits holds the list, or each change of it would make a copy.
            drop(rooms);
            if waited || !response.is_empty() {
                return Ok(response);
            }
            let news = {
                let (session, rooms) = (session.clone(), self.inner.rooms.clone());
                self.inner.feed.wait_for(to, move |change| may_concern(change, &session, &rooms))
            };
            let news = request.caller.wait_for(news);
            let mut news = std::pin::pin!(futures::FutureExt::fuse(news));
            futures::select_biased! {
                news = news => match news {
                    Some(()) => {}
                    None => return Ok(response),
                },
                () = time_is_up => waited = true,
            }
        }
    }

    async fn answer(
        &self,
        session: &Session,
        request: &SyncRequest,
        rooms: &UserRooms,
        to: Position,
    ) -> Result<Response> {
        let changes = match request.since {
            Some(since) => self.changes(session, rooms, since, to).await?,
            None => Changes::default(),
        };
        let mut response = Response { next_batch: format!("s{to}"), ..Response::default() };
        self.add_rooms(&mut response, session, request, rooms, &changes, to).await?;
        self.add_account_data(&mut response, session, request, &changes).await?;
        let moves = match request.since {
            Some(since) => self.moves(session, rooms, &changes, since).await?,
            None => Moves::default(),
        };
        self.add_presence(&mut response, session, request, &moves, &changes).await?;
        self.add_device(&mut response, session, request, moves, &changes, to).await?;
        Ok(response)
    }

    async fn add_rooms(
        &self,
        response: &mut Response,
        session: &Session,
        request: &SyncRequest,
        rooms: &UserRooms,
        changes: &Changes,
        to: Position,
    ) -> Result<()> {
        let filter = &request.filter.room;
        let wanted = |room_id: &RoomId| {
            filter.rooms.as_ref().is_none_or(|only| only.iter().any(|of| of == room_id))
                && !filter.not_rooms.iter().any(|of| of == room_id)
        };
        let whole = request.since.is_none() || request.full_state;
        let nothing = RoomChanges::default();
        // Unless everything is told, only through the rooms that changed, however many there are.
        let room_ids: Box<dyn Iterator<Item = &OwnedRoomId>> = match whole {
            true => Box::new(rooms.keys()),
            false => Box::new(changes.rooms.keys()),
        };
        for room_id in room_ids.filter(|room_id| wanted(room_id)) {
            let Some(membership) = rooms.get(room_id) else { continue };
            let changed = changes.rooms.get(room_id).unwrap_or(&nothing);
            let is_new = request.since.is_none_or(|since| membership.position > since);
            // Of a room left and forgotten since, other devices still have to learn the leaving.
            let untold = request.since.is_some() && is_new;
            if membership.forgotten && !untold {
                continue;
            }
            let span = Span {
                session,
                filter,
                federation_format: request.filter.event_format == EventFormat::Federation,
                since: request.since,
                to,
                state_form: request.state_form,
                full_state: request.full_state,
            };
            match membership.membership {
                MembershipState::Join => {
                    let room = self.joined_room(room_id, &span, changed).await;
                    if let Some(room) = unless_damaged(room_id, room)?
                        && (whole || !room.is_empty())
                    {
                        response.rooms.join.insert(room_id.clone(), room);
                    }
                }
                MembershipState::Invite if is_new => {
                    let room = self.stripped_room(&session.user_id, membership, "invite_state");
                    if let Some(room) = unless_damaged(room_id, room.await)?.flatten() {
                        response.rooms.invite.insert(room_id.clone(), room);
                    }
                }
                MembershipState::Knock if is_new => {
                    let room = self.stripped_room(&session.user_id, membership, "knock_state");
                    if let Some(room) = unless_damaged(room_id, room.await)?.flatten() {
                        response.rooms.knock.insert(room_id.clone(), room);
                    }
                }
                MembershipState::Leave | MembershipState::Ban
                    if is_new && (request.since.is_some() || filter.include_leave) =>
                {
                    let room = self.left_room(membership, span, changed).await;
                    if let Some(room) = unless_damaged(room_id, room)? {
                        response.rooms.leave.insert(room_id.clone(), room);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    async fn joined_room(
        &self,
        room_id: &RoomId,
        span: &Span<'_>,
        changed: &RoomChanges,
    ) -> Result<JoinedRoom> {
        let user_id = &span.session.user_id;
        let room = self.inner.rooms.room(room_id).await?;
        let viewer = self.viewer(span.session, &room).await?;
        let mut joined = JoinedRoom::default();
        let mut whole = span.since.is_none() || span.full_state;
        // Before the state, which tells the members that the summary names.
        if whole || !changed.members.is_empty() || self.is_renamed(&room, span, changed).await? {
            joined.summary = Some(self.summary(&room, user_id).await?);
        }
        if whole || changed.events {
            let heroes = joined.summary.as_ref().and_then(|summary| summary.heroes.as_deref());
            let part = self.room_events(&viewer, span, heroes.unwrap_or_default()).await?;
            whole |= part.whole;
            joined.events = part.events;
        } else {
            joined.events.state_form = span.state_form;
        }
        self.add_ephemeral(&mut joined, &room, span, changed, whole).await?;
        joined.account_data.events = self.room_account_data(&room, span, changed, whole).await?;
        if !whole
            && joined.tells_members_alone()
            && !self.has_other_summary(&room, span, changed).await?
        {
            joined.summary = None;
        }
        // With whatever else is told: clients take counts that are absent for zero.
        if whole || changed.unread || !joined.is_empty() {
            self.add_unread(&mut joined, room_id, span).await?;
        }
        Ok(joined)
    }

    async fn add_ephemeral(
        &self,
        joined: &mut JoinedRoom,
        room: &Room,
        span: &Span<'_>,
        changed: &RoomChanges,
        whole: bool,
    ) -> Result<()> {
        let user_id = &span.session.user_id;
        let filter = &span.filter.ephemeral;
        if !filter::room_passes(filter, room.id()) {
            return Ok(());
        }
        let typists = self.inner.typing.typists(room.id());
        if filter::kind_passes(filter, "m.typing")
            && (changed.typing || (whole && !typists.is_empty()))
        {
            let content = serde_json::json!({ "user_ids": typists });
            let typing = serde_json::json!({ "type": "m.typing", "content": content });
            joined.ephemeral.events.push(to_raw_value(&typing).map_err(Error::internal)?);
        }
        if !filter::kind_passes(filter, "m.receipt") {
            return Ok(());
        }
        let mut moved = Vec::new();
        if whole || changed.pruned {
            moved = self.inner.receipts.all(room.id()).await?;
        } else {
            for (of, receipt_type, thread) in &changed.receipts {
                moved.extend(self.inner.receipts.get(room.id(), of, receipt_type, thread).await?);
            }
        }
        if let Some(receipts) = receipts::event(&moved, user_id) {
            joined.ephemeral.events.push(to_raw_value(&receipts).map_err(Error::internal)?);
        }
        Ok(())
    }

    /// What a user who is not in a room is shown of it; `None` for an invite that they do not want.
    /// spec: client-server §Stripped state, §Ignoring users, §Invite permission
    async fn stripped_room(
        &self,
        user_id: &UserId,
        membership: &UserRoom,
        name: &'static str,
    ) -> Result<Option<StrippedRoom>> {
        let users = &self.inner.users;
        if users.ignored_users(user_id).await?.contains(&membership.sender) {
            return Ok(None);
        }
        if membership.membership == MembershipState::Invite && users.blocks_invites(user_id).await?
        {
            return Ok(None);
        }
        let room = self.inner.rooms.room(&membership.room_id).await?;
        let Some(own) = room.event(&membership.event_id).await? else { return Ok(None) };
        let events = room.stripped_state(&own).await?.into_iter().map(Raw::into_json).collect();
        Ok(Some(StrippedRoom { name, state: Events { events } }))
    }

    async fn left_room(
        &self,
        membership: &UserRoom,
        span: Span<'_>,
        changed: &RoomChanges,
    ) -> Result<LeftRoom> {
        let room = self.inner.rooms.room(&membership.room_id).await?;
        let session = span.session;
        let viewer = self.viewer(session, &room).await?;
        // Nothing after the leaving.
        let span = Span { to: membership.position.min(span.to), ..span };
        let part = self.room_events(&viewer, &span, &[]).await?;
        let account_data = self.room_account_data(&room, &span, changed, part.whole).await?;
        Ok(LeftRoom { events: part.events, account_data: Events { events: account_data } })
    }

    /// How the user of a session sees a room.
    async fn viewer(&self, session: &Session, room: &Room) -> Result<Viewer> {
        let viewer = room.viewer(&session.user_id, Some(&session.device_id)).await?;
        Ok(viewer.ignoring(self.inner.users.ignored_users(&session.user_id).await?))
    }
}
