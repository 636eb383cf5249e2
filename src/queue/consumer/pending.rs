//! What is known of a message that was delivered and not acknowledged.

use std::rc::Rc;

use super::row::Entry;

/// A message that was delivered and not acknowledged.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    pub(super) deliveries: u64,
    pub(super) consumer_sequence: u64,
    pub(super) deadline: u64,
    /// Whether the deadline was asked for and outlasts a restart.
    pub(super) delayed: bool,
    /// Acknowledged in a batch that is not submitted yet.
    pub(super) held: bool,
    /// When it was delivered last.
    pub(super) at: u64,
    /// Subject and size, when it was delivered since the queue was opened.
    pub(super) about: Option<(Rc<str>, u64)>,
}

impl Pending {
    /// What is stored of it.
    pub(super) fn entry(&self) -> Entry {
        let delayed = self.delayed.then_some(self.deadline);
        (self.deliveries, self.consumer_sequence, delayed)
    }
}
