//! The streams of a queue by name, each with its consumers.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use futures::channel::oneshot;

use super::{
    config::StreamConfig,
    configurations::Offline,
    consumer::Consumers,
    error::{Error, Result},
    stream::Stream,
};
use crate::platform::Notify;

#[derive(Default)]
pub(super) struct Streams {
    by_name: RefCell<BTreeMap<String, Consumers>>,
    /// Streams whose configuration can't be read, and why, by name or else by id. Their rows are not
    /// touched.
    offline: RefCell<BTreeMap<String, String>>,
    /// Rings when streams come or go, or are configured anew.
    changed: Notify,
}

impl Streams {
    /// A stream with its consumers.
    pub(super) fn consumers(&self, stream: &str) -> Result<Consumers> {
        let found = self.by_name.borrow().get(stream).cloned();
        found.ok_or_else(|| self.check_not_offline(stream).err().unwrap_or(Error::STREAM_NOT_FOUND))
    }

    pub(super) fn stream(&self, name: &str) -> Result<Rc<Stream>> {
        Ok(self.consumers(name)?.stream)
    }

    /// All streams, in the order of their names.
    pub(super) fn all(&self) -> Vec<Consumers> {
        self.by_name.borrow().values().cloned().collect()
    }

    /// The configuration of a stream, if there is one of that name.
    pub(super) fn config(&self, name: &str) -> Option<Rc<StreamConfig>> {
        Some(self.by_name.borrow().get(name)?.stream.config())
    }

    /// The configurations of all streams, in the order of their names.
    pub(super) fn configs(&self) -> Vec<Rc<StreamConfig>> {
        self.by_name.borrow().values().map(|one| one.stream.config()).collect()
    }

    /// The stream that takes messages of this subject.
    pub(super) fn of_subject(&self, subject: &str) -> Option<Rc<Stream>> {
        let streams = self.by_name.borrow();
        let streams = streams.values().map(|one| &one.stream);
        let mut takes = streams.filter(|stream| stream.config.borrow().takes(subject));
        let first = takes.next()?;
        // In older versions clients could create others that take it too.
        let reserved = std::iter::once(first).chain(takes).find(|stream| stream.is_reserved());
        Some(reserved.unwrap_or(first).clone())
    }

    pub(super) fn check_not_offline(&self, name: &str) -> Result<()> {
        match self.offline.borrow().get(name) {
            Some(cause) => Err(Error::stream_offline(cause)),
            None => Ok(()),
        }
    }

    /// Refuses a configuration that takes subjects of another stream.
    pub(super) fn check_overlap(&self, config: &StreamConfig) -> Result<()> {
        let overlaps = |(name, other): (&String, &Consumers)| {
            *name != config.name && other.stream.config.borrow().overlaps(config)
        };
        match self.by_name.borrow().iter().any(overlaps) {
            true => Err(Error::SUBJECTS_OVERLAP),
            false => Ok(()),
        }
    }

    pub(super) fn insert(&self, stream: Consumers) {
        let name = stream.stream.name.to_string();
        self.by_name.borrow_mut().insert(name, stream);
    }

    pub(super) fn remove(&self, name: &str) {
        let removed = self.by_name.borrow_mut().remove(name);
        drop(removed);
    }

    /// Keeps a stream whose configuration can't be read.
    pub(super) fn set_offline(&self, offline: Offline) {
        let (name, cause) = offline.into_named("stream");
        self.offline.borrow_mut().insert(name, cause);
    }

    /// The streams whose configuration can't be read, and why.
    pub(super) fn offline(&self) -> BTreeMap<String, String> {
        self.offline.borrow().clone()
    }

    /// Wakes those that wait for a change.
    pub(super) fn note_change(&self) {
        self.changed.notify();
    }

    /// Resolves with the next change.
    pub(super) fn listen(&self) -> oneshot::Receiver<()> {
        self.changed.listen()
    }
}
