//! Core NATS inside the process: subscriptions to subjects, and the delivery of what is published.
//!
//! Messages are delivered within `publish`; a listener may publish, subscribe and unsubscribe in
//! turn. Nothing is kept for later.

mod interest;
mod message;

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeSet, HashSet},
    future::Future,
    rc::{Rc, Weak},
    time::Duration,
};

use self::interest::{Interest, Listener, Matched};
pub use self::message::{ClientId, CoreMessage};
use super::subject;
use crate::platform::{self, Notify};

/// How long one client that is behind may hold up others: it may be gone.
const PATIENCE: Duration = Duration::from_secs(1);

/// Core NATS of one queue: one flat space of subjects. Clones share it.
#[derive(Clone, Default)]
pub struct Broker {
    inner: Rc<Inner>,
}

#[derive(Default)]
struct Inner {
    interest: RefCell<Interest>,
    /// Rings when subscriptions come or go.
    changed: Notify,
    /// Which member of a queue group gets the next message.
    turn: Cell<usize>,
    /// How many ids were given out.
    clients: Cell<u64>,
    /// Clients that are behind with taking what they were sent.
    behind: RefCell<HashSet<ClientId>>,
    /// Rings when one of these has caught up.
    caught_up: Notify,
    /// Filters of subjects that clients must not publish to.
    reserved: RefCell<BTreeSet<String>>,
}

/// A subscription; it ends when dropped.
#[must_use = "a subscription ends when it is dropped"]
pub struct Subscription {
    broker: Weak<Inner>,
    listener: Rc<Listener>,
}

impl Broker {
    /// A broker without subscriptions.
    pub fn new() -> Self {
        Self::default()
    }

    /// Delivers a message to all subscriptions to its subject, and to one member of each queue
    /// group; returns how many got it.
    pub fn publish(&self, message: &CoreMessage) -> usize {
        self.deliver(&message.subject, message, None)
    }

    /// Delivers a message as if its subject were `to`. Consumers deliver messages under their own
    /// subjects.
    pub fn publish_to(&self, to: &str, message: &CoreMessage) -> usize {
        self.deliver(to, message, None)
    }

    /// Like [`Broker::publish`], for a message of a client, which may not want its own messages.
    pub fn publish_from(&self, client: ClientId, message: &CoreMessage) -> usize {
        self.deliver(&message.subject, message, Some(client))
    }

    /// From now on clients must not publish to subjects that `filter` matches.
    pub(super) fn reserve(&self, filter: &str) {
        self.inner.reserved.borrow_mut().insert(filter.to_owned());
    }

    /// Whether clients must not publish to `subject`.
    pub(super) fn is_reserved(&self, subject: &str) -> bool {
        self.inner.reserved.borrow().iter().any(|filter| subject::matches(filter, subject))
    }

    /// Subscribes to subjects that `filter` matches. Of the members of a queue group one gets each
    /// message.
    pub fn subscribe(
        &self,
        filter: &str,
        queue_group: Option<&str>,
        deliver: impl Fn(&CoreMessage) + 'static,
    ) -> Subscription {
        let deliver = Box::new(move |message: &CoreMessage| {
            deliver(message);
            true
        });
        self.listen(Listener::new(filter, queue_group, None, deliver))
    }

    /// The same for a listener that may decline messages. Declined, a message counts as not
    /// delivered.
    pub fn subscribe_choosing(
        &self,
        filter: &str,
        queue_group: Option<&str>,
        deliver: impl Fn(&CoreMessage) -> bool + 'static,
    ) -> Subscription {
        self.listen(Listener::new(filter, queue_group, None, Box::new(deliver)))
    }

    /// The same for a client. Without `echo` it does not get its own messages.
    pub fn subscribe_as(
        &self,
        client: ClientId,
        echo: bool,
        filter: &str,
        queue_group: Option<&str>,
        deliver: impl Fn(&CoreMessage) + 'static,
    ) -> Subscription {
        let deliver = Box::new(move |message: &CoreMessage| {
            deliver(message);
            true
        });
        self.listen(Listener::new(filter, queue_group, Some((client, echo)), deliver))
    }

    /// Notes whether a client is behind with taking what it was sent.
    pub fn set_behind(&self, client: ClientId, is_behind: bool) {
        if is_behind {
            self.inner.behind.borrow_mut().insert(client);
        } else if self.inner.behind.borrow_mut().remove(&client) {
            self.inner.caught_up.notify();
        }
    }

    /// Resolves when no client that listens to `subject` is behind, or one has been for too long.
    /// Whatever delivers much awaits this now and then.
    pub async fn keep_pace(&self, subject: &str) {
        if !self.is_behind(subject) {
            return;
        }
        let caught_up = async {
            while self.is_behind(subject) {
                // Gone only with the broker, which is here.
                let _ = self.inner.caught_up.listen().await;
            }
        };
        platform::timeout(PATIENCE, caught_up).await;
    }

    fn is_behind(&self, subject: &str) -> bool {
        let behind = self.inner.behind.borrow();
        !behind.is_empty() && self.inner.interest.borrow().has_one_of(&behind, subject)
    }

    /// Whether anybody listens to `subject`.
    pub fn has_interest(&self, subject: &str) -> bool {
        self.inner.interest.borrow().has(subject)
    }

    /// Whether anybody listens to exactly `subject`, not to a pattern: in that queue group, or in
    /// none.
    pub fn has_member(&self, subject: &str, group: Option<&str>) -> bool {
        self.inner.interest.borrow().has_exactly(subject, group)
    }

    /// Resolves when a subscription comes or goes next. Call it, then look at
    /// [`Broker::has_interest`], then await: nothing is missed in between.
    pub fn watch_interest(&self) -> impl Future<Output = ()> + 'static {
        let changed = self.inner.changed.listen();
        // It resolves too when the broker is gone: nothing changes any more.
        async move { changed.await.unwrap_or_default() }
    }

    /// A subject for answers that is not used elsewhere.
    pub fn inbox(&self) -> String {
        format!("_INBOX.{}", platform::random_string(22))
    }

    /// An id for one more client.
    pub fn client_id(&self) -> ClientId {
        let id = self.inner.clients.get() + 1;
        self.inner.clients.set(id);
        ClientId::new(id)
    }

    fn listen(&self, listener: Listener) -> Subscription {
        let listener = Rc::new(listener);
        self.inner.interest.borrow_mut().add(listener.clone());
        self.inner.changed.notify();
        Subscription { broker: Rc::downgrade(&self.inner), listener }
    }

    fn deliver(&self, to: &str, message: &CoreMessage, from: Option<ClientId>) -> usize {
        // Nothing is borrowed while listeners are called.
        let Matched { each, groups } = self.inner.interest.borrow().matching(to);
        let mut delivered = 0;
        for listener in each {
            delivered += usize::from(listener.receive(message, from));
        }
        for (_, members) in groups {
            let turn = self.inner.turn.get();
            self.inner.turn.set(turn.wrapping_add(1));
            // Some members may be gone by now, or decline it.
            let taken = (0..members.len())
                .map(|offset| &members[turn.wrapping_add(offset) % members.len()])
                .any(|member| member.receive(message, from));
            delivered += usize::from(taken);
        }
        delivered
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.listener.leave();
        if let Some(broker) = self.broker.upgrade() {
            broker.interest.borrow_mut().remove(&self.listener);
            broker.changed.notify();
        }
    }
}

#[cfg(test)]
mod tests;
