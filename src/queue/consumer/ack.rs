//! Acknowledgements, which join a batch.

use std::fmt;

use super::handle::Consumer;
use crate::{
    queue::{
        config::{AckPolicy, Retention},
        stream::Removal,
    },
    store::{self, Batch, Operation, Submission},
};

/// After how many milliseconds a message is redelivered whose acknowledgement could not be stored
/// for want of room.
const WITHOUT_ROOM: u64 = 1000;

/// Why a message is acknowledged, which matters to work queues.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was processed, and is removed.
    Processed,
    /// It was delivered `max_deliver` times. It stays in the stream, as in nats-server.
    Exhausted,
}

/// How far acknowledgements have come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Their batch is not submitted yet.
    Prepared,
    Submitted,
    Durable,
}

/// Acknowledges messages with a batch. It takes itself back when the batch fails or is dropped.
pub struct Acknowledgements {
    consumer: Consumer,
    sequences: Vec<u64>,
    outcome: Outcome,
    /// Sequence number and size of the messages that are removed.
    removed: Vec<(u64, u64)>,
    /// The removal instead of these, where other consumers lose the messages too.
    removal: Option<Removal>,
    /// Whether the store was full before the batch was submitted.
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
        let mut state = self.inner.state.borrow_mut();
        let mut held = Vec::new();
        for sequence in sequences {
            let free = state.pending.get(&sequence).is_some_and(|pending| !pending.held);
            if free {
                state.change(sequence, |pending| pending.held = true);
                held.push(sequence);
            }
        }
        drop(state);
        if held.is_empty() {
            return;
        }
        batch.add(Acknowledgements {
            consumer: self.clone(),
            sequences: held,
            outcome,
            removed: Vec::new(),
            removal: None,
            without_room: false,
            stage: Stage::Prepared,
        });
    }

    /// A batch for acknowledgements alone. Where they remove messages, they make room.
    pub(super) fn batch_of_acks(&self) -> Batch {
        let mut batch = Batch::new();
        if self.stream.config.borrow().retention != Retention::Limits {
            batch.makes_room();
        }
        batch
    }
}

impl Acknowledgements {
    /// The name of the consumer.
    pub fn consumer(&self) -> &str {
        &self.consumer.inner.name
    }

    /// The sequence numbers of the messages in the stream.
    pub fn sequences(&self) -> &[u64] {
        &self.sequences
    }

    fn acknowledge(mut self, batch: &mut Submission) {
        self.stage = Stage::Submitted;
        let Consumer { stream, set, inner } = self.consumer.clone();
        self.without_room = stream.store.is_full();
        self.add_earlier();
        self.removal = set.has_onlookers(&stream).then(|| Removal::new(&stream));
        let mut unknown = false;
        let keeps = stream.config.borrow().retention == Retention::WorkQueue
            && self.outcome == Outcome::Exhausted;
        inner.state.borrow_mut().acknowledged_at = stream.clock.now();
        for &sequence in &self.sequences {
            let mut state = inner.state.borrow_mut();
            let Some(pending) = state.remove(sequence) else { continue };
            let about = pending.message.clone();
            state.acks_in_flight.insert(sequence, pending);
            drop(state);
            match about {
                _ if keeps => {}
                Some((subject, size)) if stream.releases(sequence, &subject) => {
                    if let Some(removal) = &mut self.removal {
                        removal.add(batch, sequence, subject, size);
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
                // Its subject is not known until it is read.
                None => unknown = stream.config.borrow().retention == Retention::Interest,
            }
        }
        if unknown {
            stream.counts.borrow_mut().request_interest_check();
        }
        self.removal = self.removal.take().and_then(Removal::into_some);
        if unknown || !self.removed.is_empty() || self.removal.is_some() {
            stream.write_counts(batch);
        }
        inner.write(&stream, batch);
        inner.wake.notify();
        batch.on_durable(move || self.durable());
    }

    /// Adds all earlier messages, where an acknowledgement stands for these too.
    fn add_earlier(&mut self) {
        let policy = self.consumer.inner.config.borrow().ack_policy;
        let all = matches!(policy, AckPolicy::All | AckPolicy::FlowControl);
        if let (true, Outcome::Processed, Some(last)) =
            (all, self.outcome, self.sequences.iter().copied().max())
        {
            self.sequences = self
                .consumer
                .inner
                .state
                .borrow()
                .pending
                .range(..=last)
                .map(|(s, _)| *s)
                .collect();
        }
    }

    fn durable(mut self) {
        self.stage = Stage::Durable;
        let mut state = self.consumer.inner.state.borrow_mut();
        for sequence in &self.sequences {
            state.acks_in_flight.remove(sequence);
        }
        drop(state);
        let mut counts = self.consumer.stream.counts.borrow_mut();
        for (sequence, _) in &self.removed {
            counts.removing.remove(sequence);
        }
        if counts.check_interest {
            self.consumer.stream.check_limits.notify();
        }
        drop(counts);
        if let Some(removal) = self.removal.take() {
            removal.durable();
        }
    }
}

impl Operation for Acknowledgements {
    fn submit(self: Box<Self>, batch: &mut Submission) -> store::Result<()> {
        let store = self.consumer.stream.store.clone();
        batch.to(&store, |batch| self.acknowledge(batch));
        Ok(())
    }
}

impl fmt::Debug for Acknowledgements {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (consumer, sequences) = (self.consumer(), self.sequences());
        f.debug_struct("Acknowledgements")
            .field("consumer", &consumer)
            .field("sequences", &sequences)
            .finish_non_exhaustive()
    }
}

impl Drop for Acknowledgements {
    fn drop(&mut self) {
        let mut state = self.consumer.inner.state.borrow_mut();
        match self.stage {
            Stage::Durable => return,
            Stage::Prepared => {
                for sequence in &self.sequences {
                    state.change(*sequence, |pending| pending.held = false);
                }
            }
            Stage::Submitted => {
                let mut due = self.consumer.stream.clock.now();
                if self.without_room {
                    // Acknowledged again at once it would fail again.
                    due += WITHOUT_ROOM;
                }
                for sequence in &self.sequences {
                    if let Some(mut pending) = state.acks_in_flight.remove(sequence) {
                        pending.held = false;
                        pending.deadline = due;
                        state.insert(*sequence, pending);
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
        drop(state);
        self.consumer.inner.wake.notify();
    }
}
