//! How far the clients are that a consumer pushes to.

use std::rc::Rc;

use crate::queue::broker::Subscription;

/// Flow control, rate limit and replay of a push consumer.
#[derive(Default)]
pub(super) struct Flow {
    /// Bytes sent since the last answer to flow control.
    pub(super) sent: u64,
    pub(super) asked: Option<FlowControlRequest>,
    /// When the next heartbeat is due.
    pub(super) heartbeat_at: u64,
    /// When the rate limit allows more, in microseconds.
    pub(super) ready_at: u64,
    /// When the last message was stored and when it was delivered, while messages are replayed.
    pub(super) replayed: Option<(u64, u64)>,
    /// Whether the replay has reached the end of the stream.
    pub(super) caught_up: bool,
}

/// A flow control request that is not answered yet.
pub(super) struct FlowControlRequest {
    pub(super) reply: Rc<str>,
    /// Bytes that were sent before it.
    pub(super) sent: u64,
    pub(super) _answer: Subscription,
}
