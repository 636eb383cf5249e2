//! How far the program is with a consumer's messages.

use std::cell::Cell;

use crate::queue::notify::Notify;

/// How far what [`work`] does with a consumer's messages has come.
#[derive(Default)]
pub(super) struct Progress {
    /// Whether [`work`] has the messages, which records their deliveries itself.
    pub(super) records: Cell<bool>,
    /// Whether messages are being worked on.
    pub(super) busy: Cell<bool>,
    /// Up to this sequence number everything was worked on, and what came of it is durable.
    pub(super) done: Cell<u64>,
    /// Rings when some were worked on.
    pub(super) advanced: Notify,
}
