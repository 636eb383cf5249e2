//! What a user was notified of, as clients list it. spec: client-server §Listing notifications

use std::collections::{BTreeMap, VecDeque};

use ruma::{
    MilliSecondsSinceUnixEpoch, OwnedEventId, OwnedRoomId, RoomId, UserId,
    events::room::member::MembershipState, push::Action,
};

use super::{
    Push,
    counting::Counting,
    counts::UNREAD,
    notifications::{NOTIFICATIONS, NotificationRow, is_kept},
    room_notifications::{RoomNotification, RoomNotifications},
};
use crate::{
    Result,
    feed::Position,
    platform,
    rooms::Viewer,
    store::{Json, Scan},
};

/// Something that a user was notified of.
#[derive(Clone, Debug)]
pub struct Notification {
    /// The room.
    pub room_id: OwnedRoomId,
    /// The event.
    pub event_id: OwnedEventId,
    /// Its position.
    pub position: Position,
    /// What the push rule said.
    pub actions: Vec<Action>,
    /// When the user was notified.
    pub ts: MilliSecondsSinceUnixEpoch,
    /// Whether the user has read it since.
    pub read: bool,
}

impl Push {
    /// At most `limit` of a user's notifications before `before`, newest first; perhaps only
    /// those that were highlighted.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn notifications(
        &self,
        user_id: &UserId,
        before: Position,
        limit: usize,
        only_highlights: bool,
    ) -> Result<Vec<Notification>> {
        let asked = Asked { push: self, user_id, limit, only_highlights };
        let stored = NOTIFICATIONS.scan((user_id,)).until((before,)).backward();
        let mut own = Own { asked, stored, rows: VecDeque::new() };
        let mut common = Common::new(asked, before).await?;
        let (mut own_next, mut common_next) = (own.next().await?, common.next().await?);
        let mut found = Vec::new();
        while found.len() < limit {
            let position = |of: &Option<Notification>| of.as_ref().map(|of| of.position);
            let next = match position(&own_next) >= position(&common_next) {
                true => std::mem::replace(&mut own_next, own.next().await?),
                false => std::mem::replace(&mut common_next, common.next().await?),
            };
            let Some(next) = next else { break };
            found.push(next);
        }
        Ok(found)
    }
}

#[derive(Clone, Copy)]
struct Asked<'a> {
    push: &'a Push,
    user_id: &'a UserId,
    /// How many are read at once.
    limit: usize,
    only_highlights: bool,
}

impl Asked<'_> {
    fn wants(&self, actions: &[Action]) -> bool {
        !self.only_highlights || actions.iter().any(Action::is_highlight)
    }
}

/// The notifications that have rows of the user's own, newest first.
struct Own<'a> {
    asked: Asked<'a>,
    stored: Scan<(Position,), Json<NotificationRow>>,
    /// Those that were read.
    rows: VecDeque<((Position,), NotificationRow)>,
}

impl Own<'_> {
    async fn next(&mut self) -> Result<Option<Notification>> {
        let Asked { push, user_id, limit, .. } = self.asked;
        let store = &push.inner.store;
        loop {
            let Some(((position,), row)) = self.rows.pop_front() else {
                match self.stored.next_page(store, limit).await? {
                    Some(rows) => self.rows = rows.into(),
                    None => return Ok(None),
                }
                continue;
            };
            if !self.asked.wants(&row.actions) {
                continue;
            }
            let read = !UNREAD.has(store, (user_id, &row.room_id, position)).await?;
            let NotificationRow { room_id, event_id, actions, ts } = row;
            return Ok(Some(Notification { room_id, event_id, position, actions, ts, read }));
        }
    }
}

/// What everybody in the user's rooms was notified of while the user was there, newest first.
struct Common<'a> {
    asked: Asked<'a>,
    rooms: Vec<InRoom>,
    /// The next position of each room that has more, with the room's place.
    next: BTreeMap<Position, usize>,
}

struct InRoom {
    room_id: OwnedRoomId,
    before: Position,
    rows: VecDeque<(Position, RoomNotification)>,
    seen: Option<Seen>,
}

/// How the user sees a room, and what of it they have read; nothing is unread where they are not.
struct Seen {
    viewer: Viewer,
    counting: Option<Counting>,
}

impl<'a> Common<'a> {
    async fn new(asked: Asked<'a>, before: Position) -> Result<Self> {
        let mut common = Self { asked, rooms: Vec::new(), next: BTreeMap::new() };
        for room in asked.push.inner.rooms.memberships(asked.user_id).await?.values() {
            let was_there = [MembershipState::Join, MembershipState::Leave, MembershipState::Ban];
            if was_there.contains(&room.membership) {
                let (room_id, rows) = (room.room_id.clone(), VecDeque::new());
                common.rooms.push(InRoom { room_id, before, rows, seen: None });
                common.find_next(common.rooms.len() - 1, 1).await?;
            }
        }
        Ok(common)
    }

    /// Finds the next row of a room, unless there is none that is still kept.
    async fn find_next(&mut self, place: usize, limit: usize) -> Result<()> {
        let Some(room) = self.rooms.get_mut(place) else { return Ok(()) };
        if room.rows.is_empty() {
            let rows = self.asked.push.newest_in_room(&room.room_id, room.before, limit).await?;
            room.rows = rows.into();
        }
        if let Some((position, row)) = room.rows.front()
            && is_kept(row.ts, platform::now())
        {
            room.before = *position;
            self.next.insert(*position, place);
        }
        Ok(())
    }

    async fn next(&mut self) -> Result<Option<Notification>> {
        while let Some((position, place)) = self.next.pop_last() {
            let Some(room) = self.rooms.get_mut(place) else { continue };
            let Some((_, row)) = room.rows.pop_front() else { continue };
            let notification = self.notification(place, position, row).await;
            self.find_next(place, self.asked.limit).await?;
            if let Some(notification) = notification? {
                return Ok(Some(notification));
            }
        }
        Ok(None)
    }

    async fn notification(
        &mut self,
        place: usize,
        position: Position,
        row: RoomNotification,
    ) -> Result<Option<Notification>> {
        let Some(room) = self.rooms.get_mut(place) else { return Ok(None) };
        let Asked { push, user_id, .. } = self.asked;
        if row.is_except(user_id) {
            return Ok(None);
        }
        let RoomNotification { event_id, part, ts, actions: Some(actions), withdrawn, .. } = row
        else {
            return Ok(None);
        };
        if !self.asked.wants(&actions) {
            return Ok(None);
        }
        let seen = match &mut room.seen {
            Some(seen) => seen,
            seen => seen.insert(push.seen(user_id, &room.room_id).await?),
        };
        let Some(event) = seen.viewer.room().event(&event_id).await? else { return Ok(None) };
        if seen.viewer.membership_at(&event).await? != MembershipState::Join {
            return Ok(None);
        }
        let unread = seen.counting.as_ref().is_some_and(|of| !of.has_read(&part, position));
        let (room_id, read) = (room.room_id.clone(), withdrawn || !unread);
        Ok(Some(Notification { room_id, event_id, position, actions, ts, read }))
    }
}

impl Push {
    async fn seen(&self, user_id: &UserId, room_id: &RoomId) -> Result<Seen> {
        let viewer = self.inner.rooms.room(room_id).await?.viewer(user_id, None).await?;
        let mut counting = self.counting((user_id.to_owned(), room_id.to_owned())).await?;
        let is_joined = self.catch_up_with(&mut counting, &RoomNotifications::default()).await?;
        Ok(Seen { viewer, counting: is_joined.then_some(counting) })
    }
}
