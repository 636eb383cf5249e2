//! The atomic batches of a stream that wait for their last message.

use std::{collections::HashMap, rc::Rc};

use crate::queue::broker::CoreMessage;

/// JetStream's own limits.
pub(super) const MOST_MESSAGES: usize = 1000;
pub(super) const MOST_BATCHES: usize = 50;
pub(in crate::queue::stream) const MAX_ID_LENGTH: usize = 64;
/// After how many milliseconds without a message a batch is abandoned.
pub(in crate::queue::stream) const PATIENCE: u64 = 10_000;

/// The batches of a stream that wait for their last message.
#[derive(Default)]
pub(in crate::queue::stream) struct AtomicBatches {
    pub(super) batches: HashMap<Rc<str>, Staged>,
    /// Whether a task abandons batches that get no more messages.
    pub(super) watched: bool,
}

pub(super) struct Staged {
    pub(super) messages: Vec<CoreMessage>,
    pub(super) deadline: u64,
}

/// What follows from a message of an atomic batch.
pub(in crate::queue::stream) enum Staging {
    /// It waits for the others.
    Waits,
    /// All are there.
    Commit { id: Rc<str>, messages: Vec<CoreMessage> },
}
