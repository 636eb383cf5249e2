//! The counts of a stream, with all submitted batches.

use std::collections::BTreeSet;

#[derive(Default)]
pub(in crate::queue) struct Counts {
    /// No message has a lower sequence number; the first may have a higher one.
    pub(in crate::queue) first: u64,
    /// The last sequence number given out.
    pub(in crate::queue) last: u64,
    /// The last sequence number that is durable.
    pub(in crate::queue) durable: u64,
    /// When the last message was stored, and the first, where that is known.
    pub(super) last_time: u64,
    pub(super) first_time: u64,
    pub(in crate::queue) messages: u64,
    pub(in crate::queue) bytes: u64,
    /// Sequence numbers given out to batches that are not durable yet.
    pub(in crate::queue) in_flight: BTreeSet<u64>,
    /// Messages whose removal is submitted and not durable yet.
    pub(in crate::queue) removing: BTreeSet<u64>,
    /// Grows when a removal has become durable.
    pub(in crate::queue) removals: u64,
    /// Whether there may be messages that no consumer needs any longer.
    pub(in crate::queue) check_interest: bool,
    /// How often that was requested.
    pub(super) interest_checks: u64,
    /// Messages that can't be read.
    pub(super) lost: BTreeSet<u64>,
}

impl Counts {
    pub(in crate::queue) fn request_interest_check(&mut self) {
        self.check_interest = true;
        self.interest_checks += 1;
    }

    /// The last sequence number up to which everything is durable or has failed.
    pub(in crate::queue) fn visible(&self) -> u64 {
        self.in_flight.first().map_or(self.last, |first| first - 1)
    }

    /// Whether the message with this sequence number counts as being there.
    pub(super) fn has(&self, sequence: u64) -> bool {
        sequence >= self.first
            && !self.removing.contains(&sequence)
            && !self.lost.contains(&sequence)
    }

    pub(in crate::queue) fn add(&mut self, sequence: u64, size: u64) {
        self.messages += 1;
        self.bytes += size;
        self.first = self.first.min(sequence);
    }

    pub(in crate::queue) fn subtract(&mut self, sequence: u64, size: u64) {
        self.messages = self.messages.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(size);
        if sequence == self.first {
            self.first += 1;
        }
    }

    pub(super) fn settle(&mut self, sequence: u64, durable: bool) {
        self.in_flight.remove(&sequence);
        if durable {
            self.durable = self.durable.max(sequence);
        }
        // A number whose batch failed is free again, unless a later one is in use.
        self.last = self.durable.max(self.in_flight.last().copied().unwrap_or(0));
        self.first = self.first.min(self.last + 1);
    }
}
