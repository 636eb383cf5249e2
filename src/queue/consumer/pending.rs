//! Pending messages: delivered and not acknowledged.

use std::rc::Rc;

use super::row::Entry;

/// A pending message.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    pub(super) deliveries: u64,
    pub(super) consumer_sequence: u64,
    pub(super) deadline: u64,
    /// Whether the deadline comes from a `nak` with delay, which outlasts a restart.
    pub(super) delayed: bool,
    /// Whether it is acknowledged in a batch that is not submitted yet.
    pub(super) held: bool,
    /// When it was delivered last; 0 when that was before the queue was opened.
    pub(super) delivered_at: u64,
    /// Subject and size, when it was delivered since the queue was opened.
    pub(super) message: Option<(Rc<str>, u64)>,
}

impl Pending {
    /// What is stored of it.
    pub(super) fn entry(&self) -> Entry {
        let delayed = self.delayed.then_some(self.deadline);
        (self.deliveries, self.consumer_sequence, delayed)
    }
}
