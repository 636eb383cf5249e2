//! Who is typing where. spec: client-server §Typing notifications
//!
//! Only in memory: a server that starts again knows nobody who types.

use std::{cell::RefCell, collections::BTreeMap, convert::Infallible, rc::Rc, time::Duration};

use futures::channel::oneshot;
use ruma::{OwnedRoomId, OwnedUserId, RoomId, UserId};

use crate::{
    feed::{Change, Feed},
    platform, store,
};

/// The longest time that a client may announce at once.
const MAX_TIMEOUT: Duration = Duration::from_secs(120);

/// Each typing user, with what ends the task that waits for their timeout when it is dropped.
type Typists = BTreeMap<OwnedUserId, oneshot::Sender<Infallible>>;

/// A handle to who is typing; clones share it.
#[derive(Clone)]
pub struct Typing {
    feed: Feed,
    rooms: Rc<RefCell<BTreeMap<OwnedRoomId, Typists>>>,
}

impl Typing {
    pub(super) fn new(feed: Feed) -> Self {
        Self { feed, rooms: Rc::default() }
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
        let (stands, overtaken) = oneshot::channel();
        let before = self
            .rooms
            .borrow_mut()
            .entry(room_id.to_owned())
            .or_default()
            .insert(user_id.to_owned(), stands);
        let (typing, user, room) = (self.clone(), user_id.to_owned(), room_id.to_owned());
        platform::spawn(async move {
            let time_is_up = platform::timeout(timeout.min(MAX_TIMEOUT), overtaken).await.is_none();
            if time_is_up
                && typing.remove(&user, &room)
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
        match self.remove(user_id, room_id) {
            true => self.announce(room_id).await,
            false => Ok(()),
        }
    }

    /// Whether it changed anything.
    fn remove(&self, user_id: &UserId, room_id: &RoomId) -> bool {
        let mut rooms = self.rooms.borrow_mut();
        let Some(typists) = rooms.get_mut(room_id) else { return false };
        let typed = typists.remove(user_id).is_some();
        if typists.is_empty() {
            rooms.remove(room_id);
        }
        typed
    }

    async fn announce(&self, room_id: &RoomId) -> store::Result<()> {
        self.feed.announce(Change::Typing { room_id: room_id.to_owned() }).await?;
        Ok(())
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use ruma::{room_id, user_id};

    use super::*;
    use crate::{
        config::KeptChanges,
        store::{Options, Store, memory::Disk},
    };

    #[test]
    fn no_timer_stays_behind_an_announcement_that_another_replaced() {
        platform::run(async {
            let store = Store::open_memory(&Disk::new(), Options::default()).await.unwrap();
            let feed = Feed::open(store, KeptChanges::default()).await.unwrap();
            let (user, room) = (user_id!("@a:neurite.test"), room_id!("!a:neurite.test"));
            let typing = Typing::new(feed);
            let handles = async |count: usize| {
                let reached = async {
                    while Rc::strong_count(&typing.rooms) > count {
                        platform::next_turn().await;
                    }
                };
                let reached = platform::timeout(Duration::from_secs(10), reached).await;
                assert!(reached.is_some(), "{} handles", Rc::strong_count(&typing.rooms));
            };
            for _ in 0..100 {
                typing.start(user, room, MAX_TIMEOUT).await.unwrap();
            }
            handles(2).await;
            assert_eq!(typing.typists(room), [user]);
            typing.stop(user, room).await.unwrap();
            handles(1).await;
            assert!(typing.typists(room).is_empty() && typing.rooms.borrow().is_empty());
        });
    }
}
