//! The messages that a consumer with deliver policy `last_per_subject` starts with.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// Of the messages up to `to` only these, and all after it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Selected {
    to: u64,
    messages: BTreeSet<u64>,
}

impl Selected {
    pub(super) fn new(to: u64, messages: BTreeSet<u64>) -> Self {
        Self { to, messages }
    }

    pub(super) fn has(&self, sequence: u64) -> bool {
        sequence > self.to || self.messages.contains(&sequence)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.to == 0
    }

    /// The next selected message at `from` or later; `None` beyond `to`.
    pub(super) fn next(&self, from: u64) -> Option<u64> {
        (from <= self.to)
            .then(|| self.messages.range(from..).next().copied().unwrap_or(self.to + 1))
    }

    pub(super) fn count_from(&self, from: u64) -> u64 {
        self.messages.range(from..).count() as u64
    }

    /// The last message that had to be selected.
    pub(super) fn end(&self) -> u64 {
        self.to
    }
}
