//! Acknowledgements of clients that no batch has taken yet.

use std::rc::Rc;

/// Acknowledgements that are not in a batch yet: what comes while one becomes durable shares the
/// next.
#[derive(Default)]
pub(super) struct AckInbox {
    pub(super) sequences: Vec<u64>,
    /// Who wants to know when they are durable.
    pub(super) replies: Vec<Rc<str>>,
    /// Whether somebody takes them out.
    pub(super) working: bool,
}
