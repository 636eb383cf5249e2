//! The rows of members and of users' rooms, read and kept in memory.

use std::rc::Rc;

use ruma::{OwnedRoomId, OwnedUserId, RoomId, UserId};

use super::{Member, Members, ROOM_MEMBERS, USER_ROOMS, UserRoom, UserRooms};
use crate::{
    Result,
    rooms::{Rooms, graph::LiveRoom},
};

impl Rooms {
    /// The rooms that a user is or was in, is invited to, knocked on or is banned from.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn memberships(&self, user_id: &UserId) -> Result<Rc<UserRooms>> {
        loop {
            if let Some(rooms) = self.inner.user_rooms.borrow_mut().get(user_id) {
                return Ok(rooms);
            }
            let changes = self.inner.user_rooms_changes.get();
            let mut rooms = UserRooms::default();
            for room in USER_ROOMS.scan((user_id,)).values(&self.inner.store).await? {
                rooms.set(room.room_id.clone(), Some(room));
            }
            // Overtaken by a commit: what was read may lack it.
            if changes != self.inner.user_rooms_changes.get() {
                continue;
            }
            let rooms = Rc::new(rooms);
            self.inner.user_rooms.borrow_mut().insert(
                user_id.to_owned(),
                rooms.clone(),
                rooms.len() + 8,
                |_| false,
            );
            return Ok(rooms);
        }
    }

    /// The same without reading: `None` when it is not in memory. No use that keeps it there.
    pub(crate) fn memberships_in_memory(&self, user_id: &UserId) -> Option<Rc<UserRooms>> {
        self.inner.user_rooms.borrow().peek(user_id)
    }

    /// A user's membership in a room that this server knows.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn membership(&self, user_id: &UserId, room_id: &RoomId) -> Result<Option<UserRoom>> {
        Ok(self.memberships(user_id).await?.get(room_id).cloned())
    }

    /// The rooms that a user is joined to.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn joined_rooms(&self, user_id: &UserId) -> Result<Vec<OwnedRoomId>> {
        let rooms = self.memberships(user_id).await?;
        let joined = rooms.values().filter(|room| room.is_joined());
        Ok(joined.map(|room| room.room_id.clone()).collect())
    }

    /// Whether two users are joined to a room together.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn shares_room(&self, a: &UserId, b: &UserId) -> Result<bool> {
        Ok(self.memberships(a).await?.shares(&*self.memberships(b).await?))
    }

    /// Lets the lists of users' rooms in memory follow what has become durable.
    pub(in crate::rooms) fn update_user_rooms(
        &self,
        changed: Vec<(OwnedUserId, OwnedRoomId, Option<UserRoom>)>,
    ) {
        if changed.is_empty() {
            return;
        }
        self.inner.user_rooms_changes.set(self.inner.user_rooms_changes.get() + 1);
        let mut cache = self.inner.user_rooms.borrow_mut();
        for (user_id, room_id, room) in changed {
            let Some(mut rooms) = cache.get(&*user_id) else { continue };
            // Out of the cache first: then a list that nobody reads is not copied.
            cache.remove(&*user_id);
            Rc::make_mut(&mut rooms).set(room_id, room);
            let weight = rooms.len() + 8;
            cache.insert(user_id, rooms, weight, |_| false);
        }
    }

    /// The members of a room, as far as they are durable.
    pub(in crate::rooms) async fn members(&self, live: &LiveRoom) -> Result<Rc<Members>> {
        loop {
            if let Some(members) = live.members() {
                return Ok(members);
            }
            let changes = live.members_changes.get();
            let mut members = Members::default();
            let rows = ROOM_MEMBERS.scan((&live.room_id,)).rows(&self.inner.store).await?;
            for ((user_id,), member) in rows {
                members.set(user_id, Some(member));
            }
            if changes == live.members_changes.get() {
                let members = Rc::new(members);
                live.keep_members(members.clone());
                return Ok(members);
            }
        }
    }

    /// What a room's current state says of a user: one row, unless the members are in memory.
    pub(in crate::rooms) async fn member(
        &self,
        live: &LiveRoom,
        user_id: &UserId,
    ) -> Result<Option<Member>> {
        if let Some(members) = live.members() {
            return Ok(members.get(user_id).cloned());
        }
        Ok(ROOM_MEMBERS.get(&self.inner.store, (&live.room_id, user_id)).await?)
    }
}
