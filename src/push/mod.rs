//! Push rules, notifications and unread counts: a consumer of the rooms' output.
//!
//! What an event means is written in one batch with the acknowledgement of the message that told of
//! it, so that a redelivery counts nothing twice: in one row for all whom it means the same, however
//! many they are, and in rows of their own for the others.

mod conditions;
mod consumer;
mod counting;
mod counts;
mod effects;
mod evaluate;
mod glob;
mod listing;
mod notifications;
mod replacement;
mod room_notifications;
mod rules;
mod tables;
#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests;

use std::{cell::Cell, rc::Rc};

use ruma::{OwnedRoomId, OwnedUserId};

use self::rules::RuleCache;
pub use self::{
    counts::{Counts, UnreadCounts},
    listing::Notification,
};
pub(crate) use self::{rules::id_in_ruleset, tables::TABLES};
pub use crate::users::PUSH_RULES;
use crate::{
    Result,
    bus::{Bus, Consumer},
    feed::{Feed, Position},
    platform::KeyedMutex,
    rooms::Rooms,
    store::Store,
    users::Users,
};

/// A handle to push rules, notifications and unread counts; clones share it.
#[derive(Clone)]
pub struct Push {
    inner: Rc<Inner>,
}

struct Inner {
    store: Store,
    feed: Feed,
    rooms: Rooms,
    users: Users,
    rules: RuleCache,
    consumer: Rc<dyn Consumer>,
    /// Up to here events may have been worked on without notifications of their room, once that is
    /// read.
    begins: Cell<Option<Position>>,
    /// Held from reading a user's counts in a room until what was made of them is durable. Whoever
    /// takes several takes them in order.
    counting: KeyedMutex<(OwnedUserId, OwnedRoomId)>,
}

impl Push {
    /// Begins to listen to the rooms' output.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn open(
        store: Store,
        feed: Feed,
        bus: &dyn Bus,
        rooms: Rooms,
        users: Users,
    ) -> Result<Self> {
        let push = Self::new(store, feed, bus, rooms, users).await?;
        push.listen();
        Ok(push)
    }

    async fn new(
        store: Store,
        feed: Feed,
        bus: &dyn Bus,
        rooms: Rooms,
        users: Users,
    ) -> Result<Self> {
        let consumer = consumer::create(bus).await?;
        Ok(Self {
            inner: Rc::new(Inner {
                store,
                feed,
                rooms,
                users,
                rules: RuleCache::default(),
                consumer,
                begins: Cell::new(None),
                counting: KeyedMutex::default(),
            }),
        })
    }
}
