//! The state of a consumer: what it was delivered, and what of that is pending.

use std::collections::BTreeMap;

use super::{
    chunks::Chunks,
    pending::Pending,
    redelivery::Redelivery,
    row::{self, StateRow},
};

#[derive(Default)]
pub(super) struct State {
    /// The sequence number to look at next.
    pub(super) cursor: u64,
    /// How many messages there have been for it, and how many of these were delivered.
    pub(super) matched: u64,
    pub(super) delivered: u64,
    /// How many deliveries there were, and the highest sequence number delivered.
    pub(super) consumer_sequence: u64,
    pub(super) stream_sequence: u64,
    pub(super) pending: BTreeMap<u64, Pending>,
    pub(super) chunks: Chunks,
    /// Messages that are acknowledged by batches that are not durable yet.
    pub(super) acks_in_flight: BTreeMap<u64, Pending>,
    /// When the pending messages are due for redelivery, except those that are held.
    redelivery: Redelivery,
    /// How many of them were delivered more than once.
    redelivered: usize,
    /// When something was delivered and acknowledged last.
    pub(super) delivered_at: u64,
    pub(super) acknowledged_at: u64,
}

impl State {
    /// The state of a consumer that starts at `cursor`.
    pub(super) fn starting(cursor: u64) -> Self {
        Self { cursor, stream_sequence: cursor.saturating_sub(1), ..Self::default() }
    }

    /// The state of a row. The clients that have the pending messages are gone with the queue that
    /// delivered them, so these are due now, unless a `nak` delayed them.
    pub(super) fn restored(row: StateRow, matched: u64) -> Self {
        let mut state = Self {
            cursor: row.cursor,
            matched,
            delivered: row.delivered,
            consumer_sequence: row.consumer_sequence,
            stream_sequence: row.stream_sequence,
            chunks: (row.chunks)
                .map(|(generation, stored)| Chunks::restored(generation, stored))
                .unwrap_or_default(),
            ..Self::default()
        };
        for (sequence, (times, consumer_sequence, delayed)) in row.pending {
            state.put(
                sequence,
                Pending {
                    deliveries: times,
                    consumer_sequence,
                    deadline: delayed.unwrap_or(0),
                    delayed: delayed.is_some(),
                    held: false,
                    delivered_at: 0,
                    message: None,
                },
            );
        }
        state
    }

    /// Its row, which is written with each acknowledgement.
    pub(super) fn encode(&self) -> Vec<u8> {
        let head = [self.cursor, self.delivered, self.consumer_sequence, self.stream_sequence];
        let pending = self.pending.iter().map(|(sequence, pending)| (*sequence, pending.entry()));
        row::encode(head, self.chunks.generation().map_or(Ok(pending), Err))
    }

    pub(super) fn insert(&mut self, sequence: u64, pending: Pending) {
        self.chunks.note(sequence);
        self.put(sequence, pending);
    }

    pub(super) fn remove(&mut self, sequence: u64) -> Option<Pending> {
        let pending = self.take(sequence)?;
        self.chunks.note(sequence);
        Some(pending)
    }

    /// Changes a pending message.
    pub(super) fn change(&mut self, sequence: u64, change: impl FnOnce(&mut Pending)) -> bool {
        let Some(mut pending) = self.take(sequence) else { return false };
        let before = pending.entry();
        change(&mut pending);
        if pending.entry() != before {
            self.chunks.note(sequence);
        }
        self.put(sequence, pending);
        true
    }

    fn put(&mut self, sequence: u64, pending: Pending) {
        if !pending.held {
            self.redelivery.insert(sequence, pending.deadline, pending.deliveries);
        }
        self.redelivered += usize::from(pending.deliveries > 1);
        self.pending.insert(sequence, pending);
    }

    fn take(&mut self, sequence: u64) -> Option<Pending> {
        let pending = self.pending.remove(&sequence)?;
        self.redelivery.remove(sequence, pending.deadline, pending.deliveries);
        self.redelivered -= usize::from(pending.deliveries > 1);
        Some(pending)
    }

    /// Sets how often a message may be delivered.
    pub(super) fn limit_deliveries(&mut self, most: Option<u64>) {
        if self.redelivery.max_deliver() == most {
            return;
        }
        self.redelivery.reset(most);
        for (sequence, pending) in self.pending.iter().filter(|(_, pending)| !pending.held) {
            self.redelivery.insert(*sequence, pending.deadline, pending.deliveries);
        }
    }

    /// When messages are due for redelivery.
    pub(super) fn redelivery(&self) -> &Redelivery {
        &self.redelivery
    }

    /// How many pending messages were delivered more than once.
    pub(super) fn num_redelivered(&self) -> usize {
        self.redelivered
    }

    /// Consumer and stream sequence number up to which everything is acknowledged.
    pub(super) fn ack_floor(&self) -> (u64, u64) {
        match self.pending.first_key_value() {
            Some((sequence, pending)) => (pending.consumer_sequence - 1, sequence - 1),
            None => (self.consumer_sequence, self.stream_sequence),
        }
    }

    /// How many messages are still to be delivered.
    pub(super) fn num_pending(&self) -> u64 {
        self.matched.saturating_sub(self.delivered)
    }

    /// Goes on at `cursor` or later, as if everything before had been delivered.
    pub(super) fn skip_to(&mut self, cursor: u64) {
        self.cursor = self.cursor.max(cursor);
        self.stream_sequence = self.stream_sequence.max(cursor.saturating_sub(1));
    }

    /// Begins anew at `cursor`, with the consumer sequence at its beginning.
    pub(super) fn reset(&mut self, cursor: u64) {
        self.pending.clear();
        self.chunks.note_all();
        self.redelivery.reset(self.redelivery.max_deliver());
        self.redelivered = 0;
        self.cursor = cursor;
        self.consumer_sequence = 0;
        self.stream_sequence = cursor.saturating_sub(1);
        self.delivered_at = 0;
        self.acknowledged_at = 0;
    }
}
