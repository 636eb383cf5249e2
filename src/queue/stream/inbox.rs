//! What clients published and no batch has taken yet.

use std::collections::VecDeque;

use crate::queue::broker::CoreMessage;

/// Messages that are not in a batch yet.
#[derive(Default)]
pub(super) struct Inbox {
    pub(super) waiting: VecDeque<CoreMessage>,
    /// The bytes of these, and of messages in batches that are not durable.
    pub(super) bytes: usize,
    /// Whether a task publishes them.
    pub(super) working: bool,
}
