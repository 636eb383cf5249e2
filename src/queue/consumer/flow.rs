//! How far those are that a consumer pushes to.

use std::rc::Rc;

use crate::queue::broker::Subscription;

/// How far whom it pushes to is.
#[derive(Default)]
pub(super) struct Flow {
    /// Bytes that were sent since the last answer.
    pub(super) sent: u64,
    pub(super) asked: Option<Asked>,
    /// When to say next that it is still there.
    pub(super) beat_at: u64,
    /// When the rate lets more be sent, in microseconds.
    pub(super) ready_at: u64,
    /// When the last message was stored and when it was delivered, while these are told apart.
    pub(super) replayed: Option<(u64, u64)>,
    /// Whether everything that was there was replayed.
    pub(super) caught_up: bool,
}

/// A question how far they are.
pub(super) struct Asked {
    pub(super) reply: Rc<str>,
    /// What was sent until then.
    pub(super) sent: u64,
    pub(super) _answer: Subscription,
}
