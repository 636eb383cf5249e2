//! Acknowledgements of clients that are not in a batch yet.

use std::rc::Rc;

/// Acknowledgements that come while a batch becomes durable share the next one.
#[derive(Default)]
pub(super) struct AckInbox {
    pub(super) sequences: Vec<u64>,
    /// Where to confirm that they are durable.
    pub(super) replies: Vec<Rc<str>>,
    /// Whether a task commits them.
    pub(super) working: bool,
}
