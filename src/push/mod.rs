//! Push rules, notifications and unread counts: a consumer of the rooms' output.
//!
//! What an event means for each member is written in one batch with the acknowledgement of the
//! message that told of it, so that a redelivery counts nothing twice.

mod conditions;
mod consumer;
mod counts;
mod evaluate;
mod glob;
mod notifications;
mod replacement;
mod rules;

use std::rc::Rc;

use ruma::{OwnedRoomId, OwnedUserId};

use self::rules::RuleCache;
pub use self::{
    counts::{Counts, UnreadCounts},
    notifications::Notification,
    rules::PUSH_RULES,
};
use crate::{
    Result,
    feed::Feed,
    platform::KeyedMutex,
    queue::{Consumer, Queue},
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
    consumer: Consumer,
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
        queue: &Queue,
        rooms: Rooms,
        users: Users,
    ) -> Result<Self> {
        let consumer = consumer::create(queue).await?;
        let push = Self {
            inner: Rc::new(Inner {
                store,
                feed,
                rooms,
                users,
                rules: RuleCache::default(),
                consumer,
                counting: KeyedMutex::default(),
            }),
        };
        push.listen();
        Ok(push)
    }
}
