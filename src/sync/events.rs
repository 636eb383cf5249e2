//! The stream of new events, one after the other. spec: client-server §GET /events

use std::{
    collections::{HashMap, hash_map::Entry},
    time::Duration,
};

use ruma::{OwnedRoomId, RoomId};

use super::{MAX_TIMEOUT, Sync};
use crate::{
    Error, Result,
    feed::{Change, Position},
    platform::{self, Caller},
    rooms::{Event, Format, Viewer},
    store::Direction,
    users::Session,
};

/// How many events are told at once.
const MAX_EVENTS: usize = 1000;

/// Some of the stream.
pub struct EventStream {
    /// The events in the client's form, oldest first.
    pub chunk: Vec<super::response::Json>,
    /// After which position the stream goes on.
    pub end: Position,
}

impl Sync {
    /// The events after `from`, as soon as there are any or the caller has left, of the user's rooms
    /// or of one room.
    /// Whether the user may read that room is the caller's to ask.
    ///
    /// # Errors
    /// 400 `M_INVALID_PARAM` for a token that was never given out; when the store can't be read.
    pub async fn events(
        &self,
        session: &Session,
        room: Option<&RoomId>,
        from: Position,
        timeout: Duration,
        caller: &Caller,
    ) -> Result<EventStream> {
        let feed = &self.inner.feed;
        if from > feed.current() {
            return Err(Error::invalid_param("The token is from no answer of this server"));
        }
        let timeout = platform::sleep(timeout.min(MAX_TIMEOUT));
        let mut time_is_up = std::pin::pin!(futures::FutureExt::fuse(timeout));
        let mut waited = false;
        let mut end = from;
        loop {
            let to = feed.current();
            let stream = self.events_between(session, room, end, to).await?;
            end = stream.end;
            if waited || !stream.chunk.is_empty() {
                return Ok(stream);
            }
            let (user_id, rooms) = (session.user_id.clone(), self.inner.rooms.clone());
            let only = room.map(ToOwned::to_owned);
            let news = feed.wait_for(to, move |change| {
                let Change::Event { room_id, member, .. } = change else { return false };
                match &only {
                    Some(only) => only == room_id,
                    None => {
                        let own = rooms.memberships_in_memory(&user_id);
                        member.as_ref() == Some(&user_id)
                            || own.is_none_or(|own| own.contains_key(room_id))
                    }
                }
            });
            let news = caller.wait_for(news);
            let mut news = std::pin::pin!(futures::FutureExt::fuse(news));
            futures::select_biased! {
                news = news => match news {
                    Some(()) => {}
                    None => return Ok(stream),
                },
                () = time_is_up => waited = true,
            }
        }
    }

    async fn events_between(
        &self,
        session: &Session,
        room: Option<&RoomId>,
        from: Position,
        to: Position,
    ) -> Result<EventStream> {
        let own = self.inner.rooms.memberships(&session.user_id).await?;
        let concerns = |of: &OwnedRoomId| match room {
            Some(room) => room == of,
            None => own.get(of).is_some_and(|membership| !membership.forgotten),
        };
        let mut viewers = HashMap::new();
        let mut chunk = Vec::new();
        for (position, change) in self.inner.feed.since(from, to).await? {
            let Change::Event { room_id, .. } = change else { continue };
            if !concerns(&room_id) {
                continue;
            }
            let viewer: &Viewer = match viewers.entry(room_id) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => {
                    let room = self.inner.rooms.room(new.key()).await?;
                    new.insert(self.viewer(session, &room).await?)
                }
            };
            let at = viewer.room().timeline(position, position + 1, Direction::Forward, 1).await?;
            let Some(event) = at.first() else { continue };
            if viewer.wants(event).await? {
                chunk.push(json(viewer, event).await?);
            }
            if chunk.len() == MAX_EVENTS {
                return Ok(EventStream { chunk, end: position });
            }
        }
        Ok(EventStream { chunk, end: to })
    }
}

async fn json(viewer: &Viewer, event: &Event) -> Result<super::response::Json> {
    let event = viewer.event::<ruma::events::AnyTimelineEvent>(event, Format::Timeline).await?;
    Ok(event.into_json())
}
