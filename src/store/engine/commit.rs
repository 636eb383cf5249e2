//! Group commit: one transaction at a time, with everything that was submitted before it began.

use std::{collections::VecDeque, rc::Rc, time::Duration};

use futures::future::join;
use tracing::Instrument;
use web_time::Instant;

use super::{
    Engine,
    backend::{Change, Check, Transaction},
    journal::{Record, RecordId},
    recovery,
    shortage::Purpose,
};
use crate::{
    platform,
    store::{Commit, CompleteBatch, Durability, Error, Outcome, Result, complete::Write},
};

/// A group takes no further batches beyond this size; one batch may be larger.
const GROUP_BYTES: usize = 1 << 20;
/// How long a group waits for more at most.
const GATHERING: Duration = Duration::from_millis(5);
/// How long a batch that may wait for others waits at most.
const PATIENCE: Duration = Duration::from_millis(25);

/// A batch that waits for its transaction.
pub(super) struct Submitted {
    /// Counted from the opening of the store.
    number: u64,
    batch: CompleteBatch,
    outcome: Outcome,
    /// Whether its rows are older than everything in the active journal: they were in the frozen
    /// one and have no place in the leaves.
    carried: bool,
}

impl Engine {
    /// Puts a batch in the queue.
    pub(super) fn add(self: &Rc<Self>, batch: CompleteBatch) -> Commit {
        if !batch.is_making_room()
            && let Err(cause) = self.check_room()
        {
            // What the batch did at its submission has to be undone.
            self.epoch.set(self.epoch.get() + 1);
            return Commit::refused(cause);
        }
        let (outcome, commit) = Commit::pending();
        let patient = batch.is_patient();
        let number = self.next_number();
        self.queue.borrow_mut().push_back(Submitted { number, batch, outcome, carried: false });
        match patient {
            true => self.write_after_patience(number),
            false => self.start_writing(),
        }
        commit
    }

    /// Puts rows of the frozen journal into the active one, where it has nothing newer.
    pub(crate) fn carry(self: &Rc<Self>, writes: Vec<Write>) -> Commit {
        let (outcome, commit) = Commit::pending();
        let batch = CompleteBatch { writes, ..CompleteBatch::default() };
        let number = self.next_number();
        self.queue.borrow_mut().push_front(Submitted { number, batch, outcome, carried: true });
        // Whoever waits for the checkpoint would wait for this.
        self.checkpointed.notify();
        self.start_writing();
        commit
    }

    /// Whether nothing waits for a transaction but what the checkpoint carries over.
    pub(crate) fn only_carries(&self) -> bool {
        self.queue.borrow().front().is_none_or(|submitted| submitted.carried)
    }

    fn start_writing(self: &Rc<Self>) {
        if !self.writing.replace(true) {
            platform::spawn(self.clone().write());
        }
    }

    fn next_number(&self) -> u64 {
        self.submitted.replace(self.submitted.get() + 1)
    }

    /// Writes a batch that waits for others, should nobody come.
    fn write_after_patience(self: &Rc<Self>, number: u64) {
        let engine = Rc::downgrade(self);
        platform::spawn(async move {
            platform::sleep(PATIENCE).await;
            let Some(engine) = engine.upgrade() else { return };
            let waits = engine.queue.borrow().iter().any(|submitted| submitted.number == number);
            if waits {
                engine.patience_ended.set(true);
                engine.start_writing();
            }
        });
    }

    /// Whether anything waits that is not waiting for others.
    fn is_due(&self) -> bool {
        self.patience_ended.get()
            || self.closing.get()
            || self.queue.borrow().iter().any(|submitted| !submitted.batch.is_patient())
    }

    async fn write(self: Rc<Self>) {
        while self.is_due() {
            self.gather().await;
            let held_up = self.wait_for_checkpoint().await;
            self.patience_ended.set(false);
            let group = self.next_group();
            if group.is_empty() {
                break;
            }
            let size = group.len();
            let outcome = match held_up {
                Ok(()) => {
                    let span = tracing::info_span!("commit", batches = size);
                    self.write_group(&group).instrument(span).await
                }
                Err(cause) => Err(cause),
            };
            self.under_way.set(size + self.queue.borrow().len());
            match outcome {
                Ok(()) => settle(group),
                Err(cause) => {
                    self.note_failure(&cause);
                    self.fail(group, &cause);
                }
            }
            self.checkpoint_if_due();
        }
        self.writing.set(false);
        self.settled.notify();
        self.checkpoint_when_idle();
    }

    /// Lets more come for the next group, as long as each turn of the event loop brings some.
    ///
    /// A transaction costs as much as some requests do. Where many ask at a time, those that the
    /// group before answered ask again in a moment; half of them are enough, since the others come
    /// while that half is written.
    async fn gather(&self) {
        let begun = Instant::now();
        let waiting = || self.queue.borrow().len();
        while waiting() < self.under_way.get() / 2 && begun.elapsed() < GATHERING {
            let before = waiting();
            platform::next_turn().await;
            if waiting() == before {
                break;
            }
        }
    }

    fn next_group(&self) -> VecDeque<Submitted> {
        let mut queue = self.queue.borrow_mut();
        let (mut count, mut bytes) = (0, 0);
        for submitted in queue.iter() {
            bytes += submitted.batch.bytes();
            if count > 0 && bytes > GROUP_BYTES {
                break;
            }
            count += 1;
        }
        let rest = queue.split_off(count);
        std::mem::replace(&mut *queue, rest)
    }

    /// Makes a group durable and visible. A group without writes needs no transaction.
    async fn write_group(&self, group: &VecDeque<Submitted>) -> Result<()> {
        if group.iter().all(|submitted| submitted.batch.writes.is_empty()) {
            return self.check_open();
        }
        let id = RecordId { owner: self.owner, sequence: self.sequence.get() };
        let record = {
            let overlays = self.overlays.borrow();
            let writes = group.iter().flat_map(|submitted| {
                let newer = |write: &&Write| {
                    !submitted.carried || overlays.active.get(&write.key).is_none()
                };
                submitted.batch.writes.iter().filter(newer)
            });
            Record::pack(id, writes)
        };
        let begun = Instant::now();
        let leased = self.checked.get().is_some_and(|at| begun - at < self.options.lease);
        let mut changes = vec![Change::Put(self.journal.get(), id.key(), record.sealed())];
        if !leased {
            changes.push(recovery::head(self.journal.get(), id));
        }
        let transaction = Transaction {
            changes,
            durability: self.options.durability,
            owner: self.owner,
            check: if leased { Check::Leased } else { Check::Alongside },
        };
        let makes_room = group.iter().all(|one| one.carried || one.batch.is_making_room());
        let purpose = if makes_room { Purpose::MakeRoom } else { Purpose::Keep };
        // What can be done while the transaction is under way is done then.
        let meanwhile = async {
            self.overlays.borrow_mut().active.merge();
            record.rows().collect()
        };
        let (outcome, rows) = join(self.write_to_backend(transaction, purpose), meanwhile).await;
        outcome?;
        if makes_room {
            self.shortage.note_freed();
        }
        if !leased {
            self.checked.set(Some(begun));
            self.head.set(id.sequence);
        }
        self.sequence.set(id.sequence + 1);
        self.overlays.borrow_mut().active.apply_rows(id.sequence, record.size(), rows);
        Ok(())
    }

    /// Notes which record is the newest, if that was not done with it and there is room.
    pub(crate) async fn write_head(&self) -> Result<()> {
        let newest = self.overlays.borrow().active.sequence();
        if newest <= self.head.get() || self.shortage.is_full() {
            return Ok(());
        }
        let id = RecordId { owner: self.owner, sequence: newest };
        let transaction = Transaction {
            changes: vec![recovery::head(self.journal.get(), id)],
            durability: Durability::Relaxed,
            owner: self.owner,
            check: Check::Alongside,
        };
        self.write_to_backend(transaction, Purpose::Keep).await?;
        self.head.set(newest.max(self.head.get()));
        Ok(())
    }

    /// Fails a group and everything submitted since, which may have been built on it.
    fn fail(&self, group: VecDeque<Submitted>, cause: &Error) {
        self.epoch.set(self.epoch.get() + 1);
        let submitted_since = self.queue.take();
        for submitted in group.into_iter().chain(submitted_since) {
            submitted.outcome.is(Err(cause.clone()));
        }
    }
}

/// Tells everybody that a group is durable: first what its batches wanted done, in order.
fn settle(group: VecDeque<Submitted>) {
    let mut outcomes = Vec::with_capacity(group.len());
    for submitted in group {
        submitted.batch.settle();
        outcomes.push(submitted.outcome);
    }
    for outcome in outcomes {
        outcome.is(Ok(()));
    }
}
