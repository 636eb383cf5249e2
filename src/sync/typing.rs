//! Who is typing where. spec: client-server §Typing notifications
//!
//! Only in memory: a server that starts again knows nobody who types.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, time::Duration};

use ruma::{OwnedRoomId, OwnedUserId, RoomId, UserId};

use crate::{
    feed::{Change, Feed},
    platform, store,
};

/// The longest time that a client may announce at once.
const MAX_TIMEOUT: Duration = Duration::from_secs(120);

/// Each typing user with the number of their announcement, so that the end of an older one does
/// not end a newer one.
type Typists = BTreeMap<OwnedUserId, u64>;

/// A handle to who is typing; clones share it.
#[derive(Clone)]
pub struct Typing {
    feed: Feed,
    rooms: Rc<RefCell<BTreeMap<OwnedRoomId, Typists>>>,
    announcements: Rc<std::cell::Cell<u64>>,
}

impl Typing {
    pub(super) fn new(feed: Feed) -> Self {
        Self { feed, rooms: Rc::default(), announcements: Rc::default() }
    }

    /// Who is typing in a room.
    pub fn typists(&self, room_id: &RoomId) -> Vec<OwnedUserId> {
        let rooms = self.rooms.borrow();
        rooms.get(room_id).into_iter().flat_map(|typists| typists.keys().cloned()).collect()
    }

    /// A user types in a room for the next `timeout`, unless they announce something else before.
    ///
    /// # Errors
    /// When the store can't take the change.
    pub async fn start(
        &self,
        user_id: &UserId,
        room_id: &RoomId,
        timeout: Duration,
    ) -> store::Result<()> {
        let number = self.announcements.get() + 1;
        self.announcements.set(number);
        let before = self
            .rooms
            .borrow_mut()
            .entry(room_id.to_owned())
            .or_default()
            .insert(user_id.to_owned(), number);
        let (typing, user, room) = (self.clone(), user_id.to_owned(), room_id.to_owned());
        platform::spawn(async move {
            platform::sleep(timeout.min(MAX_TIMEOUT)).await;
            if typing.remove(&user, &room, Some(number))
                && let Err(cause) = typing.announce(&room).await
            {
                tracing::warn!("the end of typing is not announced: {cause}");
            }
        });
        match before {
            Some(_) => Ok(()),
            None => self.announce(room_id).await,
        }
    }

    /// A user stopped typing in a room.
    ///
    /// # Errors
    /// When the store can't take the change.
    pub async fn stop(&self, user_id: &UserId, room_id: &RoomId) -> store::Result<()> {
        match self.remove(user_id, room_id, None) {
            true => self.announce(room_id).await,
            false => Ok(()),
        }
    }

    /// Whether it changed anything; with `number` only if that announcement still stands.
    fn remove(&self, user_id: &UserId, room_id: &RoomId, number: Option<u64>) -> bool {
        let mut rooms = self.rooms.borrow_mut();
        let Some(typists) = rooms.get_mut(room_id) else { return false };
        let stands = typists
            .get(user_id)
            .is_some_and(|current| number.is_none_or(|number| number == *current));
        if stands {
            typists.remove(user_id);
            if typists.is_empty() {
                rooms.remove(room_id);
            }
        }
        stands
    }

    async fn announce(&self, room_id: &RoomId) -> store::Result<()> {
        self.feed.announce(Change::Typing { room_id: room_id.to_owned() }).await?;
        Ok(())
    }
}
