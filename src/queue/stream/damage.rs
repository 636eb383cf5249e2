//! The damage to a stream's messages that is known.

use std::collections::BTreeSet;

use crate::store::Direction;

/// The damage to a stream's messages that is known.
#[derive(Default)]
pub(super) struct Damage {
    /// Ranges of sequence numbers, both ends included, that can only be read one by one: a record
    /// of the store with messages from there is damaged.
    stretches: Vec<(u64, u64)>,
    /// Sequence numbers of messages that can't be read.
    pub(super) seen: BTreeSet<u64>,
    /// Those of them that are not counted as lost yet.
    pub(super) found: BTreeSet<u64>,
}

impl Damage {
    /// Whether there is any that is not counted yet.
    pub(super) fn is_new(&self) -> bool {
        !self.found.is_empty()
    }

    /// The pieces of a range, and whether each can only be read one by one.
    pub(super) fn pieces(&self, from: u64, to: u64, direction: Direction) -> Vec<(u64, u64, bool)> {
        let mut pieces = Vec::new();
        let mut next = from;
        for &(start, end) in &self.stretches {
            if end < next || start > to {
                continue;
            }
            if start > next {
                pieces.push((next, start - 1, false));
            }
            pieces.push((start.max(next), end.min(to), true));
            next = end.saturating_add(1);
        }
        if next <= to {
            pieces.push((next, to, false));
        }
        if direction == Direction::Backward {
            pieces.reverse();
        }
        pieces
    }

    pub(super) fn add_stretch(&mut self, start: u64, end: u64) {
        let joined = |stretch: &(u64, u64)| stretch.0 <= end && start <= stretch.1;
        let (mut start, mut end) = (start, end);
        for (other_start, other_end) in self.stretches.extract_if(.., |stretch| joined(stretch)) {
            (start, end) = (start.min(other_start), end.max(other_end));
        }
        self.stretches.push((start, end));
        self.stretches.sort_unstable();
    }
}
