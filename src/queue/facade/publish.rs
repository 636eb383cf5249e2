//! A message on its way into a batch.

use std::{fmt, rc::Rc};

use super::queue::Queue;
use crate::{
    queue::headers::Headers,
    store::{self, Batch, Operation, Submission},
};

/// Publishes a message with a batch.
pub struct Publish {
    queue: Queue,
    subject: Rc<str>,
    headers: Headers,
    payload: Vec<u8>,
}

impl Queue {
    /// Has a message published when the batch is submitted, as [`Queue::publish`] does; where that
    /// refuses it, the batch is.
    pub fn publish_with(
        &self,
        batch: &mut Batch,
        subject: Rc<str>,
        headers: Headers,
        payload: Vec<u8>,
    ) {
        batch.add(Publish { queue: self.clone(), subject, headers, payload });
    }
}

impl Publish {
    /// The subject.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The payload.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }
}

impl Operation for Publish {
    fn submit(self: Box<Self>, batch: &mut Submission) -> store::Result<()> {
        let Self { queue, subject, headers, payload } = *self;
        let outcome = queue.publish(batch, &subject, &headers, payload);
        outcome.map(drop).map_err(|cause| store::Error::Refused(cause.to_string()))
    }
}

impl fmt::Debug for Publish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Publish({}, {} bytes)", self.subject, self.payload.len())
    }
}
