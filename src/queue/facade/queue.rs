//! The handle to a queue.

use std::{
    cell::{Cell, RefCell},
    rc::{Rc, Weak},
};

use futures::lock::Mutex;

use super::listening::Listening;
use crate::{
    queue::{
        advisory::{self, Action},
        broker::{Broker, Subscription},
        clock::Clock,
        config::{Storage, StreamConfig},
        consumer::Consumers,
        error::Result,
        sourcing::Sourcing,
        stream::{Parts, Stream},
        streams::Streams,
    },
    store::Store,
};

/// A handle to the queue; clones share it.
#[derive(Clone)]
pub struct Queue {
    pub(in crate::queue) inner: Rc<Inner>,
}

/// A handle that keeps nothing alive.
pub(in crate::queue) struct WeakQueue {
    inner: Weak<Inner>,
}

impl WeakQueue {
    pub(in crate::queue) fn upgrade(&self) -> Option<Queue> {
        Some(Queue { inner: self.inner.upgrade()? })
    }
}

pub(in crate::queue) struct Inner {
    pub(in crate::queue) store: Store,
    /// The store of the streams that are kept in memory.
    memory: Store,
    pub(in crate::queue) clock: Rc<dyn Clock>,
    pub(super) broker: Broker,
    pub(in crate::queue) streams: Rc<Streams>,
    pub(super) next_stream: Cell<u64>,
    pub(super) listening: Listening,
    pub(super) sourcing: Sourcing,
    /// The subscriptions of the API, which ends with the queue.
    pub(in crate::queue) api: RefCell<Vec<Subscription>>,
    /// Held while streams are created, changed or deleted.
    pub(super) admin: Mutex<()>,
}

impl Queue {
    /// A queue over `store` that has no streams yet; the next one gets the id `next_stream`.
    /// Streams that are kept in memory are in `memory`.
    pub(in crate::queue) fn new(
        store: Store,
        memory: Store,
        clock: Rc<dyn Clock>,
        next_stream: u64,
    ) -> Self {
        let inner = Inner {
            store,
            memory,
            clock,
            broker: Broker::new(),
            streams: Rc::default(),
            next_stream: Cell::new(next_stream),
            listening: Listening::default(),
            sourcing: Sourcing::default(),
            api: RefCell::default(),
            admin: Mutex::new(()),
        };
        Self { inner: Rc::new(inner) }
    }

    pub(in crate::queue) fn downgrade(&self) -> WeakQueue {
        WeakQueue { inner: Rc::downgrade(&self.inner) }
    }

    /// Core NATS: where clients and the queue's parts publish and subscribe.
    pub fn broker(&self) -> &Broker {
        &self.inner.broker
    }

    /// A stream with its consumers.
    pub(in crate::queue) fn consumers(&self, stream: &str) -> Result<Consumers> {
        self.inner.streams.consumers(stream)
    }

    pub(in crate::queue) fn stream(&self, name: &str) -> Result<Rc<Stream>> {
        self.inner.streams.stream(name)
    }

    /// The time.
    pub(in crate::queue) fn now(&self) -> u64 {
        self.inner.clock.now()
    }

    /// What a stream of this configuration works with.
    pub(super) fn parts(&self, config: &StreamConfig) -> Parts {
        let durable = self.durable_parts();
        match config.storage {
            Storage::File => durable,
            Storage::Memory => Parts { store: self.inner.memory.clone(), ..durable },
        }
    }

    /// What a stream in the queue's store works with.
    pub(in crate::queue) fn durable_parts(&self) -> Parts {
        let Inner { store, clock, broker, .. } = &*self.inner;
        Parts {
            store: store.clone(),
            durable: store.clone(),
            clock: clock.clone(),
            broker: broker.clone(),
        }
    }

    pub(super) fn advise(&self, stream: &str, action: Action) {
        advisory::stream(self.broker(), self.now(), stream, action);
    }
}
