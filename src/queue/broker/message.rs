//! Messages of core NATS, and who publishes them.

use std::rc::Rc;

use bytes::Bytes;

/// A message as it is published and delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoreMessage {
    /// The subject that it was published to.
    pub subject: Rc<str>,
    /// The subject for an answer.
    pub reply: Option<Rc<str>>,
    /// The whole header block, from `NATS/1.0` to the empty line; empty when there are no headers.
    pub headers: Bytes,
    /// The payload.
    pub payload: Bytes,
}

/// A client, by which its own messages are known from those of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientId(u64);

impl ClientId {
    pub(super) fn new(id: u64) -> Self {
        Self(id)
    }

    /// The number, which the client gets as `client_id`.
    pub fn get(self) -> u64 {
        self.0
    }
}

impl CoreMessage {
    /// A message without headers and without a reply subject.
    pub fn new(subject: &str, payload: impl Into<Bytes>) -> Self {
        Self {
            subject: subject.into(),
            reply: None,
            headers: Bytes::new(),
            payload: payload.into(),
        }
    }
}
