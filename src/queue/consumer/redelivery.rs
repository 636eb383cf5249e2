//! When the pending messages of a consumer are due for redelivery.
//!
//! They are kept in the order of their deadlines, and those that were delivered `max_deliver` times
//! apart from the others, so that what is due is found without going through all that is pending.

use std::collections::BTreeSet;

/// Deadlines, each with the sequence number of its message.
#[derive(Debug, Default)]
pub(super) struct Redelivery {
    waiting: BTreeSet<(u64, u64)>,
    /// Messages that are not delivered again: when they are due, they are given up.
    exhausted: BTreeSet<(u64, u64)>,
    /// How often a message is delivered, where that is limited.
    max_deliver: Option<u64>,
}

impl Redelivery {
    pub(super) fn max_deliver(&self) -> Option<u64> {
        self.max_deliver
    }

    /// Begins anew without any deadlines.
    pub(super) fn reset(&mut self, max_deliver: Option<u64>) {
        *self = Self { max_deliver, ..Self::default() };
    }

    /// Adds a message that was delivered so many times.
    pub(super) fn insert(&mut self, sequence: u64, deadline: u64, deliveries: u64) {
        self.place(deliveries).insert((deadline, sequence));
    }

    pub(super) fn remove(&mut self, sequence: u64, deadline: u64, deliveries: u64) {
        self.place(deliveries).remove(&(deadline, sequence));
    }

    fn place(&mut self, deliveries: u64) -> &mut BTreeSet<(u64, u64)> {
        match self.max_deliver.is_some_and(|most| deliveries >= most) {
            true => &mut self.exhausted,
            false => &mut self.waiting,
        }
    }

    /// The messages to deliver again by now, those that have been due for longest first.
    pub(super) fn due(&self, now: u64) -> impl Iterator<Item = u64> {
        until(&self.waiting, now)
    }

    /// The messages to give up by now.
    pub(super) fn exhausted(&self, now: u64) -> impl Iterator<Item = u64> {
        until(&self.exhausted, now)
    }

    /// When the next message is due.
    pub(super) fn next(&self) -> Option<u64> {
        let firsts = [self.waiting.first(), self.exhausted.first()];
        firsts.into_iter().flatten().map(|(deadline, _)| *deadline).min()
    }

    /// When the last message is due.
    pub(super) fn last(&self) -> Option<u64> {
        let lasts = [self.waiting.last(), self.exhausted.last()];
        lasts.into_iter().flatten().map(|(deadline, _)| *deadline).max()
    }
}

fn until(deadlines: &BTreeSet<(u64, u64)>, now: u64) -> impl Iterator<Item = u64> {
    deadlines.range(..=(now, u64::MAX)).map(|(_, sequence)| *sequence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_due_by_deadline_and_given_up_when_exhausted() {
        let mut redelivery = Redelivery::default();
        redelivery.reset(Some(3));
        for (sequence, deadline, deliveries) in [(1, 30, 1), (2, 10, 2), (3, 20, 3), (4, 10, 1)] {
            redelivery.insert(sequence, deadline, deliveries);
        }
        assert_eq!(redelivery.due(20).collect::<Vec<_>>(), [2, 4]);
        assert_eq!(redelivery.exhausted(19).count(), 0);
        assert_eq!(redelivery.exhausted(20).collect::<Vec<_>>(), [3]);
        assert_eq!((redelivery.next(), redelivery.last()), (Some(10), Some(30)));
        redelivery.remove(2, 10, 2);
        redelivery.remove(3, 20, 3);
        assert_eq!(redelivery.due(u64::MAX).collect::<Vec<_>>(), [4, 1]);
        assert_eq!(redelivery.exhausted(u64::MAX).count(), 0);
    }
}
