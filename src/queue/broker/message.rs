//! Messages of core NATS, and who publishes them.

use std::rc::Rc;

use bytes::Bytes;

/// A message as it is published and delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoreMessage {
    /// Where it was published.
    pub subject: Rc<str>,
    /// Where an answer is awaited.
    pub reply: Option<Rc<str>>,
    /// The whole header block, from `NATS/1.0` to the empty line; empty when there are no headers.
    pub headers: Bytes,
    /// What it says.
    pub payload: Bytes,
}

/// A client, to tell what it published itself from what others did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientId(u64);

impl ClientId {
    pub(super) fn new(id: u64) -> Self {
        Self(id)
    }

    /// The number that the client is told.
    pub fn get(self) -> u64 {
        self.0
    }
}

impl CoreMessage {
    /// A message without headers and without a place for an answer.
    pub fn new(subject: &str, payload: impl Into<Bytes>) -> Self {
        Self {
            subject: subject.into(),
            reply: None,
            headers: Bytes::new(),
            payload: payload.into(),
        }
    }
}
