//! What clients published and no batch has taken yet.

use std::collections::VecDeque;

use crate::queue::broker::CoreMessage;

/// What was published to a stream and is not in a batch yet.
#[derive(Default)]
pub(super) struct Inbox {
    pub(super) waiting: VecDeque<CoreMessage>,
    /// Bytes that are here or in batches that are not durable.
    pub(super) bytes: usize,
    /// Whether somebody takes it out.
    pub(super) working: bool,
}
