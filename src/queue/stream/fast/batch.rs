//! The progress of a fast batch, and the pace at which it is acknowledged.

use std::rc::Rc;

use super::place::{Operation, Place};

/// How many messages of all batches together are acknowledged at once.
const MOST_FLOW: u64 = 500;

/// A fast batch.
#[derive(Default)]
pub(super) struct FastBatch {
    gap_ok: bool,
    /// How many messages at most are acknowledged at once, and how many are now.
    most: u64,
    flow: u64,
    /// The batch sequence numbers of the last message that came, that is durable, and that was
    /// acknowledged.
    last: u64,
    durable: u64,
    acknowledged: u64,
    /// How many messages are not durable yet.
    pub(super) pending: u64,
    /// The stream's sequence number of the last durable message.
    stored: u64,
    /// The reply subject of the message that ended the batch.
    ended_by: Option<Rc<str>>,
    pub(super) deadline: u64,
}

/// What is done with a message of a batch.
pub(super) struct Step {
    /// The gap before it: the first missing sequence number, and the next one that came.
    pub(super) gap: Option<(u64, u64)>,
    pub(super) then: Then,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    Store,
    /// Send an acknowledgement.
    Acknowledge,
    /// Do nothing.
    Skip,
    /// End the batch before it.
    End,
}

/// The content of an acknowledgement.
#[derive(Clone, Copy)]
pub(super) struct Pace {
    pub(super) acknowledged: u64,
    pub(super) flow: u64,
}

impl FastBatch {
    /// The batch that begins with this message, beside `others`.
    pub(super) fn new(place: Place<'_>, others: usize, deadline: u64) -> Self {
        Self {
            deadline,
            gap_ok: place.gap_ok,
            most: place.flow,
            // Beside others a batch begins slowly.
            flow: if others == 0 { place.flow.min(MOST_FLOW) } else { 1 },
            ..Self::default()
        }
    }

    /// Adds a message, with its reply subject.
    pub(super) fn step(&mut self, place: Place<'_>, reply: &str) -> Step {
        let expected = self.last + 1;
        if place.operation == Operation::Ping {
            // It has the number of the last message that was sent.
            let gap = (place.sequence > self.last).then_some((expected, place.sequence + 1));
            if gap.is_none() {
                return Step { gap, then: Then::Acknowledge };
            }
            if self.gap_ok {
                self.last = place.sequence;
                self.settle();
            }
            return Step { gap, then: if self.gap_ok { Then::Acknowledge } else { Then::End } };
        }
        if self.ended_by.is_some() {
            return Step { gap: None, then: Then::Skip };
        }
        let gap = (place.sequence > expected).then_some((expected, place.sequence));
        if place.sequence < expected || (gap.is_some() && !self.gap_ok) {
            return Step { gap, then: Then::End };
        }
        if place.operation == Operation::End {
            self.last = place.sequence - 1;
            self.settle();
            return Step { gap, then: Then::End };
        }
        self.last = place.sequence;
        if place.operation == Operation::Commit {
            self.end(reply);
        }
        Step { gap, then: Then::Store }
    }

    /// The last message is a duplicate; returns whether the batch has no other.
    pub(super) fn skip(&mut self, place: Place<'_>) -> bool {
        self.settle();
        self.is_alone(place)
    }

    /// The last message was refused: it is a gap if the batch goes on, and not part of it
    /// otherwise. Returns whether the batch has no other.
    pub(super) fn refuse(&mut self, place: Place<'_>, goes_on: bool) -> bool {
        let is_alone = self.is_alone(place);
        if !goes_on {
            self.last -= 1;
            self.settle();
        }
        is_alone
    }

    fn is_alone(&self, place: Place<'_>) -> bool {
        !place.gap_ok && self.last == 1
    }

    /// While nothing is in flight, everything that came counts as durable.
    fn settle(&mut self) {
        if self.pending == 0 {
            self.durable = self.last;
        }
    }

    /// The message at this place is durable, under this sequence number of the stream.
    pub(super) fn note_durable(&mut self, place: u64, sequence: u64) {
        self.pending = self.pending.saturating_sub(1);
        self.stored = sequence;
        self.durable = place;
        self.settle();
    }

    /// Ends the batch; that is acknowledged to `reply`.
    pub(super) fn end(&mut self, reply: &str) {
        self.ended_by.get_or_insert_with(|| reply.into());
    }

    /// When it has ended and everything is durable: the reply subject, the stream's last sequence
    /// number, and how many messages it had.
    pub(super) fn outcome(&self) -> Option<(Rc<str>, u64, u64)> {
        let reply = self.ended_by.clone().filter(|_| self.durable == self.last)?;
        Some((reply, self.stored, self.last))
    }

    /// The reply subject for the failure of the message with this reply subject.
    pub(super) fn last_reply(self, reply: &str) -> Rc<str> {
        self.ended_by.unwrap_or_else(|| reply.into())
    }

    pub(super) fn pace(&self) -> Pace {
        Pace { acknowledged: self.acknowledged, flow: self.flow }
    }

    /// The acknowledgement that is due, if one is; with so many batches in all.
    pub(super) fn acknowledge(&mut self, batches: usize) -> Option<Pace> {
        if self.durable < self.acknowledged + self.flow {
            return None;
        }
        let steps = (self.durable - self.acknowledged) / self.flow;
        self.acknowledged += steps * self.flow;
        // All batches share the messages in flight.
        let share = (MOST_FLOW / batches.max(1) as u64).max(1);
        let most = share.min(self.most);
        self.flow = match self.flow {
            slow if slow < most => (slow * 2).min(most),
            fast if fast > most => (fast / 2).max(most),
            right => right,
        };
        Some(self.pace())
    }
}
