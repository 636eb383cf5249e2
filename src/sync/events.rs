//! The stream of new events, one after the other. spec: client-server §GET /events

use std::{
    collections::{BTreeMap, HashMap, hash_map::Entry},
    time::Duration,
};

use ruma::{OwnedRoomId, RoomId};

use super::{MAX_TIMEOUT, Sync};
use crate::{
    Error, Result,
    feed::{Change, Position},
    platform::{self, Caller},
    rooms::{Event, Format, Viewer, unless_damaged},
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
            if end < to {
                // There are more, of which some may be readable.
                continue;
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
        let concerns = |of: &RoomId| match room {
            Some(room) => room == of,
            None => own.get(of).is_some_and(|membership| !membership.forgotten),
        };
        let (places, to) = match (self.inner.feed.since(from, to).await?, room) {
            (Some(changes), _) => (places_in(changes, concerns), to),
            (None, Some(room)) => self.places_after(from, to, [room]).await?,
            (None, None) => {
                let own = own.keys().map(|room_id| &**room_id);
                self.places_after(from, to, own.filter(|room_id| concerns(room_id))).await?
            }
        };
        let mut viewers = HashMap::new();
        let mut chunk = Vec::new();
        for (position, room_id) in places {
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

    /// Where events are after `from`, which is older than what the feed keeps; with the position up
    /// to which these are all.
    async fn places_after(
        &self,
        from: Position,
        mut to: Position,
        rooms: impl IntoIterator<Item = &RoomId>,
    ) -> Result<(Places, Position)> {
        let mut places = Places::new();
        for room_id in rooms {
            let some = unless_damaged(room_id, self.some_after(room_id, from, to).await)?;
            let some = some.unwrap_or_default();
            if some.len() == MAX_EVENTS {
                to = some.last().copied().unwrap_or(to);
            }
            places.extend(some.into_iter().map(|position| (position, room_id.to_owned())));
        }
        places.retain(|position, _| *position <= to);
        Ok((places, to))
    }

    /// Where the first events of a room are after `from` up to `to`.
    async fn some_after(
        &self,
        room_id: &RoomId,
        from: Position,
        to: Position,
    ) -> Result<Vec<Position>> {
        let room = self.inner.rooms.room(room_id).await?;
        if room.head() <= from {
            return Ok(Vec::new());
        }
        let some = room.timeline(from + 1, to + 1, Direction::Forward, MAX_EVENTS).await?;
        Ok(some.iter().map(|event| event.position).collect())
    }
}

/// Where events are, and in which room each is.
type Places = BTreeMap<Position, OwnedRoomId>;

fn places_in(changes: Vec<(Position, Change)>, concerns: impl Fn(&RoomId) -> bool) -> Places {
    let places = changes.into_iter().filter_map(|(position, change)| match change {
        Change::Event { room_id, .. } => Some((position, room_id)),
        _ => None,
    });
    places.filter(|(_, room_id)| concerns(room_id)).collect()
}

async fn json(viewer: &Viewer, event: &Event) -> Result<super::response::Json> {
    let event = viewer.event::<ruma::events::AnyTimelineEvent>(event, Format::Timeline).await?;
    Ok(event.into_json())
}
