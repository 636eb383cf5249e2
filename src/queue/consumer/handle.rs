//! Handles to consumers, and to the consumers of a stream together.

use std::rc::{Rc, Weak};

use super::{inner::Inner, interest::ConsumerSet};
use crate::queue::{
    error::{Error, Result},
    stream::Stream,
};

/// A handle to a consumer; clones share it.
#[derive(Clone)]
pub struct Consumer {
    pub(in crate::queue) stream: Rc<Stream>,
    pub(super) set: Rc<ConsumerSet>,
    pub(in crate::queue) inner: Rc<Inner>,
}

/// A stream with its consumers; clones share them.
#[derive(Clone)]
pub(in crate::queue) struct Consumers {
    pub(in crate::queue) stream: Rc<Stream>,
    pub(super) set: Rc<ConsumerSet>,
}

/// A handle that keeps nothing alive.
pub(super) struct WeakConsumer {
    stream: Weak<Stream>,
    set: Weak<ConsumerSet>,
    inner: Weak<Inner>,
}

impl WeakConsumer {
    pub(super) fn upgrade(&self) -> Option<Consumer> {
        let (stream, set) = (self.stream.upgrade()?, self.set.upgrade()?);
        Some(Consumer { stream, set, inner: self.inner.upgrade()? })
    }
}

impl Consumers {
    /// The consumer of that name, if there is one.
    pub(in crate::queue) fn get(&self, name: &str) -> Option<Consumer> {
        let inner = self.set.by_name.borrow().get(name)?.clone();
        Some(self.handle(inner))
    }

    /// The consumer of that name.
    pub(in crate::queue) fn find(&self, name: &str) -> Result<Consumer> {
        self.check_not_offline(name)?;
        self.get(name).ok_or(Error::CONSUMER_NOT_FOUND)
    }

    /// All consumers, by name.
    pub(in crate::queue) fn all(&self) -> Vec<Consumer> {
        self.set.by_name.borrow().values().map(|inner| self.handle(inner.clone())).collect()
    }

    pub(in crate::queue) fn names(&self) -> Vec<String> {
        self.set.by_name.borrow().keys().cloned().collect()
    }

    pub(super) fn check_not_offline(&self, name: &str) -> Result<()> {
        match self.set.offline.borrow().get(name) {
            Some(cause) => Err(Error::consumer_offline(cause)),
            None => Ok(()),
        }
    }

    /// Consumers whose configuration can't be read, and why.
    pub(in crate::queue) fn offline(&self) -> std::collections::BTreeMap<String, String> {
        self.set.offline.borrow().clone()
    }

    pub(super) fn handle(&self, inner: Rc<Inner>) -> Consumer {
        Consumer { stream: self.stream.clone(), set: self.set.clone(), inner }
    }
}

impl Consumer {
    pub(super) fn downgrade(&self) -> WeakConsumer {
        WeakConsumer {
            stream: Rc::downgrade(&self.stream),
            set: Rc::downgrade(&self.set),
            inner: Rc::downgrade(&self.inner),
        }
    }

    /// The consumers of its stream.
    pub(super) fn consumers(&self) -> Consumers {
        Consumers { stream: self.stream.clone(), set: self.set.clone() }
    }
}
