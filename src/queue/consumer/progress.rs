//! How far [`work`](super::work()) is with a consumer's messages.

use std::cell::Cell;

use crate::platform::Notify;

/// The progress.
#[derive(Default)]
pub(super) struct Progress {
    /// Whether `work` gets the messages, which stores deliveries itself.
    pub(super) records: Cell<bool>,
    /// Whether messages are being worked on.
    pub(super) busy: Cell<bool>,
    /// Everything up to this sequence number was worked on, durably.
    pub(super) done: Cell<u64>,
    /// Rings when messages were worked on.
    pub(super) advanced: Notify,
}
