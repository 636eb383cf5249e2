//! Acknowledgements, which join a batch.

use super::handle::Consumer;
use crate::{
    queue::{
        config::{AckPolicy, Retention},
        stream::{Removal, Stage},
    },
    store::Batch,
};

/// After how many milliseconds what was acknowledged is delivered again when there was no room to
/// store that.
const WITHOUT_ROOM: u64 = 1000;

/// What an acknowledgement means for a work queue's message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Done with: it goes.
    Processed,
    /// Delivered as often as is allowed: it stays, for somebody to look at.
    Exhausted,
}

/// An acknowledgement under way; takes itself back when its batch fails or is dropped.
pub(super) struct Ack {
    consumer: Consumer,
    sequences: Vec<u64>,
    outcome: Outcome,
    /// Sequence number and size of what goes with it.
    removed: Vec<(u64, u64)>,
    /// Or all that goes, where there are consumers that it goes for all the same.
    removal: Option<Removal>,
    /// Whether there was no room before it was submitted.
    without_room: bool,
    stage: Stage,
}

impl Consumer {
    /// Acknowledges those of `sequences` that are pending, with the batch.
    pub(super) fn acknowledge(
        &self,
        batch: &mut Batch,
        sequences: impl IntoIterator<Item = u64>,
        outcome: Outcome,
    ) {
        let mut deliveries = self.inner.deliveries.borrow_mut();
        let mut held = Vec::new();
        for sequence in sequences {
            let free = deliveries.pending.get(&sequence).is_some_and(|pending| !pending.held);
            if free {
                deliveries.change(sequence, |pending| pending.held = true);
                held.push(sequence);
            }
        }
        drop(deliveries);
        if held.is_empty() {
            return;
        }
        let ack = Ack {
            consumer: self.clone(),
            sequences: held,
            outcome,
            removed: Vec::new(),
            removal: None,
            without_room: false,
            stage: Stage::Prepared,
        };
        batch.on_submit(move |batch| ack.submit(batch));
    }

    /// A batch for acknowledgements alone. Where messages go with them, they make room.
    pub(super) fn batch_of_acks(&self) -> Batch {
        let mut batch = Batch::new();
        if self.stream.config.borrow().retention != Retention::Limits {
            batch.makes_room();
        }
        batch
    }
}

impl Ack {
    fn submit(mut self, batch: &mut Batch) {
        self.stage = Stage::Submitted;
        let Consumer { stream, set, inner } = self.consumer.clone();
        self.without_room = stream.store.is_full();
        self.take_earlier();
        self.removal = set.has_onlookers(&stream).then(|| Removal::new(&stream));
        let mut unknown = false;
        let keeps = stream.config.borrow().retention == Retention::WorkQueue
            && self.outcome == Outcome::Exhausted;
        inner.deliveries.borrow_mut().acknowledged_at = stream.clock.now();
        for &sequence in &self.sequences {
            let mut deliveries = inner.deliveries.borrow_mut();
            let Some(pending) = deliveries.remove(sequence) else { continue };
            let about = pending.about.clone();
            deliveries.acking.insert(sequence, pending);
            drop(deliveries);
            match about {
                _ if keeps => {}
                Some((subject, size)) if stream.releases(sequence, &subject) => {
                    if let Some(removal) = &mut self.removal {
                        removal.add(batch, sequence, &subject, size);
                        continue;
                    }
                    let mut counts = stream.counts.borrow_mut();
                    if counts.removing.insert(sequence) {
                        counts.subtract(sequence, size);
                        self.removed.push((sequence, size));
                        drop(counts);
                        stream.delete_rows(batch, sequence, &subject);
                    }
                }
                Some(_) => {}
                // What it is about is not known until it is read.
                None => unknown = stream.config.borrow().retention == Retention::Interest,
            }
        }
        if unknown {
            stream.counts.borrow_mut().ask_sweep();
        }
        self.removal = self.removal.take().and_then(Removal::into_some);
        if unknown || !self.removed.is_empty() || self.removal.is_some() {
            stream.write_counts(batch);
        }
        inner.write(&stream, batch);
        inner.wake.wake();
        batch.on_durable(move || self.durable());
    }

    /// Where an acknowledgement stands for all before it, these too.
    fn take_earlier(&mut self) {
        let policy = self.consumer.inner.config.borrow().ack_policy;
        let all = matches!(policy, AckPolicy::All | AckPolicy::FlowControl);
        if let (true, Outcome::Processed, Some(last)) =
            (all, self.outcome, self.sequences.iter().copied().max())
        {
            self.sequences = self
                .consumer
                .inner
                .deliveries
                .borrow()
                .pending
                .range(..=last)
                .map(|(s, _)| *s)
                .collect();
        }
    }

    fn durable(mut self) {
        self.stage = Stage::Durable;
        let mut deliveries = self.consumer.inner.deliveries.borrow_mut();
        for sequence in &self.sequences {
            deliveries.acking.remove(sequence);
        }
        drop(deliveries);
        let mut counts = self.consumer.stream.counts.borrow_mut();
        for (sequence, _) in &self.removed {
            counts.removing.remove(sequence);
        }
        if counts.sweep {
            self.consumer.stream.untidy.wake();
        }
        drop(counts);
        if let Some(removal) = self.removal.take() {
            removal.durable();
        }
    }
}

impl Drop for Ack {
    fn drop(&mut self) {
        let mut deliveries = self.consumer.inner.deliveries.borrow_mut();
        match self.stage {
            Stage::Durable => return,
            Stage::Prepared => {
                for sequence in &self.sequences {
                    deliveries.change(*sequence, |pending| pending.held = false);
                }
            }
            Stage::Submitted => {
                let mut due = self.consumer.stream.clock.now();
                if self.without_room {
                    // It would fail again at once, and again.
                    due += WITHOUT_ROOM;
                }
                for sequence in &self.sequences {
                    if let Some(mut pending) = deliveries.acking.remove(sequence) {
                        pending.held = false;
                        pending.deadline = due;
                        deliveries.insert(*sequence, pending);
                    }
                }
                let mut counts = self.consumer.stream.counts.borrow_mut();
                for (sequence, size) in &self.removed {
                    counts.removing.remove(sequence);
                    counts.add(*sequence, *size);
                }
                if !self.removed.is_empty() {
                    self.consumer.stream.look_up_again();
                }
            }
        }
        drop(deliveries);
        self.consumer.inner.wake.wake();
    }
}
