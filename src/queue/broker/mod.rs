//! Core NATS inside the process: who listens to which subject, and is given what is published there.
//!
//! Delivery happens within `publish`: what is delivered may publish, subscribe and unsubscribe in
//! turn. Nothing is kept for who is not there.

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
use super::{notify::Notify, subject};
use crate::platform;

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
    /// Which member of a queue group is next.
    turn: Cell<usize>,
    /// How many clients have had an id.
    clients: Cell<u64>,
    /// Clients that have much to take before they get more.
    behind: RefCell<HashSet<ClientId>>,
    /// Rings when one of these has taken it.
    caught_up: Notify,
    /// Where no client may publish.
    reserved: RefCell<BTreeSet<String>>,
}

/// The interest of one listener; ends when dropped.
#[must_use = "a subscription ends when it is dropped"]
pub struct Subscription {
    broker: Weak<Inner>,
    listener: Rc<Listener>,
}

impl Broker {
    /// A broker that nobody listens to yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Delivers a message to everybody who listens to its subject, and to one member of each queue
    /// group that does; returns how many that were.
    pub fn publish(&self, message: &CoreMessage) -> usize {
        self.deliver(&message.subject, message, None)
    }

    /// Delivers a message as if its subject were `to`: what a consumer delivers keeps its own.
    pub fn publish_to(&self, to: &str, message: &CoreMessage) -> usize {
        self.deliver(to, message, None)
    }

    /// The same as [`Broker::publish`] for what a client published, which may not want to hear itself.
    pub fn publish_from(&self, client: ClientId, message: &CoreMessage) -> usize {
        self.deliver(&message.subject, message, Some(client))
    }

    /// From now on no client may publish to subjects that `filter` matches.
    pub(super) fn reserve(&self, filter: &str) {
        self.inner.reserved.borrow_mut().insert(filter.to_owned());
    }

    /// Whether no client may publish to `subject`.
    pub(super) fn is_reserved(&self, subject: &str) -> bool {
        self.inner.reserved.borrow().iter().any(|filter| subject::matches(filter, subject))
    }

    /// Delivers what is published to subjects that `filter` matches. Of all who share a queue group
    /// each message is delivered to one.
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

    /// The same for a listener that says of each message whether it takes it: one that it does not
    /// take is as if it did not listen.
    pub fn subscribe_choosing(
        &self,
        filter: &str,
        queue_group: Option<&str>,
        deliver: impl Fn(&CoreMessage) -> bool + 'static,
    ) -> Subscription {
        self.listen(Listener::new(filter, queue_group, None, Box::new(deliver)))
    }

    /// The same for a client, which may not want to hear what it publishes itself.
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

    /// Notes whether a client has much to take before it gets more.
    pub fn set_behind(&self, client: ClientId, is_behind: bool) {
        if is_behind {
            self.inner.behind.borrow_mut().insert(client);
        } else if self.inner.behind.borrow_mut().remove(&client) {
            self.inner.caught_up.wake();
        }
    }

    /// Resolves when no client that listens to `subject` is behind, or one has been for too long.
    /// Who has much to deliver awaits this now and then.
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

    /// Whether anybody listens to `subject` itself and not to a pattern: in that queue group, or in
    /// none.
    pub fn has_member(&self, subject: &str, group: Option<&str>) -> bool {
        self.inner.interest.borrow().has_exactly(subject, group)
    }

    /// Resolves when a subscription comes or goes next. Call it, then look at
    /// [`Broker::has_interest`], then await: nothing is missed in between.
    pub fn watch_interest(&self) -> impl Future<Output = ()> + 'static {
        let changed = self.inner.changed.listen();
        // Gone with the broker: nothing changes any more, and nobody is to wait for it.
        async move { changed.await.unwrap_or_default() }
    }

    /// A subject for answers that nobody else has.
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
        self.inner.changed.wake();
        Subscription { broker: Rc::downgrade(&self.inner), listener }
    }

    fn deliver(&self, to: &str, message: &CoreMessage, from: Option<ClientId>) -> usize {
        // Nothing is borrowed while listeners are called.
        let Matched { each, groups } = self.inner.interest.borrow().matching(to);
        let mut delivered = 0;
        for listener in each {
            delivered += usize::from(listener.hear(message, from));
        }
        for (_, members) in groups {
            let turn = self.inner.turn.get();
            self.inner.turn.set(turn.wrapping_add(1));
            // The next who takes it: some may have gone meanwhile or not want to hear themselves.
            let taken = (0..members.len())
                .map(|offset| &members[turn.wrapping_add(offset) % members.len()])
                .any(|member| member.hear(message, from));
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
            broker.changed.wake();
        }
    }
}

#[cfg(test)]
mod tests;
