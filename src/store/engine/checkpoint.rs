//! Checkpoints: the rows of a full journal are merged into the leaves, then the journal is cleared.
//!
//! Commits go on meanwhile, to the other journal. Everything is written in small transactions that
//! can be repeated: when a checkpoint is cut off, the journal is still there and the next start
//! begins it again.

use std::{collections::VecDeque, rc::Rc, time::Duration};

use bytes::Bytes;
use tracing::Instrument;

use super::{
    Engine,
    backend::{Change, Check, Space, Transaction},
    facts::Floor,
    journal,
    leaf::Leaf,
    leaves::Replaced,
    overlay::Overlay,
    recovery,
    shortage::Purpose,
    split,
};
use crate::{
    platform,
    store::{Durability, Result, complete::Write},
};

/// A transaction takes no further leaves beyond this size.
const CHUNK_BYTES: usize = 128 << 10;
/// Nor beyond this number, since they may have to be read one after the other.
const CHUNK_LEAVES: usize = 32;
/// To one that has become empty, at most so many are added at a time.
const MOST_EMPTY: usize = CHUNK_LEAVES;
/// How many leaves are read at once when they are all needed.
const READ_AHEAD: usize = 15;
/// Browsers keep larger records in files of their own, which only a strict transaction is sure to
/// bring to the disk before the journal is cleared.
const FILE_BYTES: usize = 48 << 10;
/// How many times larger than due a journal may get while a checkpoint does not come to its end.
const MOST_JOURNALS: usize = 4;
const FIRST_RETRY: Duration = Duration::from_millis(100);
const LAST_RETRY: Duration = Duration::from_secs(30);

impl Engine {
    /// Works off the active journal if it is long enough.
    pub(crate) fn checkpoint_if_due(self: &Rc<Self>) {
        let overlays = self.overlays.borrow();
        let active = &overlays.active;
        let due = active.bytes() >= self.options.journal_bytes
            || active.records() >= self.options.journal_records;
        drop(overlays);
        if due {
            self.freeze();
        }
    }

    /// Works off the active journal, even if it is not so long, once nothing was committed for a
    /// while.
    pub(crate) fn checkpoint_when_idle(self: &Rc<Self>) {
        if self.idling.replace(true) {
            return;
        }
        let (engine, idle_after) = (Rc::downgrade(self), self.options.idle_after);
        platform::spawn(async move {
            let mut seen = None;
            while let Some(sequence) = engine.upgrade().map(|engine| engine.sequence.get()) {
                if seen.replace(sequence) == Some(sequence) {
                    break;
                }
                platform::sleep(idle_after).await;
            }
            let Some(engine) = engine.upgrade() else { return };
            engine.idling.set(false);
            let records = engine.overlays.borrow().active.records();
            if engine.writing.get() || engine.check_working().is_err() {
                return;
            }
            let much = records >= engine.options.journal_records / 4;
            let makes_room = engine.shortage.is_full() && engine.shortage.has_freed();
            if much || makes_room {
                engine.freeze();
            } else if let Err(cause) = engine.write_head().await {
                tracing::warn!("the newest journal record is not noted: {cause}");
            }
        });
    }

    /// Works off what the journals hold, if that is much, so that the next start has little to read.
    /// Gives up when a checkpoint fails.
    pub(crate) async fn work_off_journals(self: &Rc<Self>) {
        let mut frozen_here = false;
        while self.check_working().is_ok() && self.checkpoint_failure.borrow().is_none() {
            let (frozen, records) = {
                let overlays = self.overlays.borrow();
                (overlays.frozen.is_some(), overlays.active.records())
            };
            if frozen {
                self.checkpointed.notified().await;
            } else if frozen_here || records < self.options.journal_records / 16 {
                return;
            } else if self.writing.get() {
                self.settled.notified().await;
            } else {
                frozen_here = true;
                self.freeze();
            }
        }
    }

    /// Freezes the active journal and begins to work it off, if no other checkpoint is under way.
    /// Only called while no transaction writes to the journal.
    fn freeze(self: &Rc<Self>) {
        let mut overlays = self.overlays.borrow_mut();
        if overlays.frozen.is_some() || self.check_working().is_err() {
            return;
        }
        overlays.freeze();
        drop(overlays);
        self.shortage.take_freed();
        self.journal.set(journal::other(self.journal.get()));
        self.scans.next_era();
        self.start_checkpoint();
    }

    /// Begins to work off the frozen journal.
    pub(crate) fn start_checkpoint(self: &Rc<Self>) {
        platform::spawn(self.clone().checkpoint());
    }

    /// Holds commits up when journals would grow without bound because no checkpoint comes to its
    /// end.
    ///
    /// # Errors
    /// Why the checkpoint does not.
    pub(crate) async fn wait_for_checkpoint(&self) -> Result<()> {
        let most = MOST_JOURNALS * self.options.journal_bytes;
        while self.overlays.borrow().active.bytes() >= most
            && self.overlays.borrow().frozen.is_some()
            && !self.only_carries()
        {
            if let Some(cause) = self.checkpoint_failure.borrow().clone() {
                return Err(cause);
            }
            self.checkpointed.notified().await;
        }
        Ok(())
    }

    async fn checkpoint(self: Rc<Self>) {
        let Some(frozen) = self.overlays.borrow().frozen.clone() else { return };
        self.scans.ended().await;
        let records = frozen.records();
        let mut work = Work::new(frozen);
        let mut retry = FIRST_RETRY;
        loop {
            self.checkpointing.set(true);
            let span = tracing::info_span!("checkpoint", records);
            let outcome = self.work_off(&mut work).instrument(span).await;
            self.checkpointing.set(false);
            self.settled.notify();
            let Err(cause) = outcome else { break };
            self.note_failure(&cause);
            self.checkpoint_failure.replace(Some(cause.clone()));
            self.checkpointed.notify();
            if self.check_working().is_err() {
                return;
            }
            tracing::warn!("a checkpoint is put off: {cause}");
            platform::sleep(retry).await;
            if self.check_working().is_err() {
                return;
            }
            retry = LAST_RETRY.min(retry * 2);
            work.restart();
        }
        tracing::debug!(records, "a journal is worked off");
        self.overlays.borrow_mut().frozen = None;
        self.checkpoint_failure.take();
        self.shortage.note_made();
        self.checkpointed.notify();
        if !self.writing.get() {
            self.checkpoint_if_due();
        }
    }

    async fn work_off(self: &Rc<Self>, work: &mut Work) -> Result<()> {
        // Before leaves are read that are to be replaced.
        self.prepare(Purpose::MakeRoom).await?;
        while let Some(key) = work.first_from(&work.next) {
            let chunk = self.merge_chunk(work, key).await?;
            if !chunk.changes.is_empty() {
                self.leaves.writing();
                let written = self.write_chunk(&chunk).await;
                self.leaves.written(chunk.replaced, written.is_ok());
                written?;
            }
            work.carried.extend(chunk.carried);
            work.next = chunk.end;
            self.check_working()?;
        }
        if !work.carried.is_empty() {
            self.carry(std::mem::take(&mut work.carried)).await?;
        }
        let frozen = journal::other(self.journal.get());
        let floor = Floor { sequence: work.frozen.sequence(), tables: self.leaves.tables() };
        let clear = recovery::clear(frozen, &floor, self.owner);
        self.write_to_backend(clear, Purpose::MakeRoom).await
    }

    async fn write_chunk(&self, chunk: &Chunk) -> Result<()> {
        let is_large = |change: &Change| matches!(change, Change::Put(_, _, record) if record.len() > FILE_BYTES);
        let durability = match chunk.changes.iter().any(is_large) {
            true => Durability::Strict,
            false => Durability::Relaxed,
        };
        let changes = chunk.changes.clone();
        let (owner, check) = (self.owner, Check::Before);
        let transaction = Transaction { changes, durability, owner, check };
        self.write_to_backend(transaction, Purpose::MakeRoom).await
    }

    /// Merges what the frozen journal has from `key` on into as many leaves as make a chunk.
    async fn merge_chunk(&self, work: &mut Work, key: Bytes) -> Result<Chunk> {
        let mut chunk = Chunk::default();
        let (mut key, mut bytes, mut leaves) = (key, 0, 0);
        loop {
            let leaf = self.leaf_to_merge(work, &key).await?;
            leaves += 1;
            chunk.end = leaf.end.clone();
            match split::merge(&leaf, &work.frozen) {
                Ok(merged) if merged.changed || merged.rows.is_empty() => {
                    let start = leaf.start.clone();
                    let (old, merged, end) = self.fill_up(work, leaf, merged).await?;
                    leaves += old.len() - 1;
                    let goes_on = merged.rows.is_empty() && old.len() > MOST_EMPTY;
                    chunk.end = if goes_on { &start } else { &end }.clone();
                    if merged.changed {
                        let size = self.options.leaf_bytes;
                        let new = split::pack(start, end, &merged.rows, size, merged.appended);
                        bytes += chunk.replace(old, new);
                    }
                    if goes_on {
                        // The next chunk begins with the empty leaf, as it is then.
                        work.ahead.clear();
                        return Ok(chunk);
                    }
                }
                Ok(_) => {}
                Err(cause) => {
                    tracing::error!("rows stay in the journal: {cause}");
                    chunk.carry(&leaf, &work.frozen);
                }
            }
            match work.first_from(&chunk.end) {
                Some(next) if bytes < CHUNK_BYTES && leaves < CHUNK_LEAVES => key = next,
                _ => return Ok(chunk),
            }
        }
    }

    /// The leaf of a key. When leaf after leaf is merged, several are read at once.
    async fn leaf_to_merge(&self, work: &mut Work, key: &[u8]) -> Result<Rc<Leaf>> {
        let mut leaf = work.ahead.pop_front();
        while leaf.as_ref().is_some_and(|leaf| leaf.end <= key) {
            leaf = work.ahead.pop_front();
        }
        let leaf = match leaf {
            Some(leaf) => leaf,
            None => {
                let more = if work.adjacent { READ_AHEAD } else { 0 };
                let mut run = VecDeque::from(self.leaves.run_to_merge(key, more).await?);
                // A run is never empty: it begins with the stretch of the key.
                let leaf = run[0].clone();
                run.pop_front();
                work.ahead = run;
                work.adjacent = leaf.start == work.last_end;
                leaf
            }
        };
        work.last_end = leaf.end.clone();
        Ok(leaf)
    }

    /// Adds the rows of the next leaf to those of one that has become small, if both fit in one. To
    /// one without rows those of the next are always added, so that no empty leaves stay behind.
    async fn fill_up(
        &self,
        work: &mut Work,
        leaf: Rc<Leaf>,
        mut merged: split::Merged,
    ) -> Result<(Vec<Rc<Leaf>>, split::Merged, Bytes)> {
        let table_end = [leaf.start[0] + 1];
        let mut end = leaf.end.clone();
        let mut old = vec![leaf];
        while end[..] != table_end {
            let size: usize = merged.rows.iter().map(super::leaf::row_size).sum();
            let most = if merged.rows.is_empty() { MOST_EMPTY } else { 1 };
            if size >= self.options.leaf_bytes / 4 || old.len() > most {
                break;
            }
            let next = self.leaf_to_merge(work, &end).await?;
            let fits =
                merged.rows.is_empty() || next.size() + size <= self.options.leaf_bytes * 3 / 4;
            // A damaged neighbour is left as it is.
            match split::merge(&next, &work.frozen) {
                Ok(more) if fits && next.start == end => {
                    merged.rows.extend(more.rows);
                    merged.changed = true;
                    merged.appended = false;
                    end = next.end.clone();
                    old.push(next);
                }
                _ => {
                    work.ahead.push_front(next);
                    break;
                }
            }
        }
        Ok((old, merged, end))
    }
}

/// A checkpoint under way.
struct Work {
    frozen: Rc<Overlay>,
    /// Everything before this key is in the leaves.
    next: Bytes,
    /// Rows for which the leaves have no place, because theirs is damaged.
    carried: Vec<Write>,
    /// Leaves that were read and come next.
    ahead: VecDeque<Rc<Leaf>>,
    /// Whether the last leaves were neighbours.
    adjacent: bool,
    /// Where the last leaf ended.
    last_end: Bytes,
}

impl Work {
    fn new(frozen: Rc<Overlay>) -> Self {
        Self {
            frozen,
            next: Bytes::new(),
            carried: Vec::new(),
            ahead: VecDeque::new(),
            adjacent: false,
            last_end: Bytes::new(),
        }
    }

    /// Begins again after a failure, with what is certainly there.
    fn restart(&mut self) {
        *self = Self::new(self.frozen.clone());
    }

    fn first_from(&self, key: &[u8]) -> Option<Bytes> {
        self.frozen.range(key..&[u8::MAX]).next().map(|(key, _)| key.clone())
    }
}

/// What one transaction changes in the leaves.
#[derive(Default)]
struct Chunk {
    changes: Vec<Change>,
    replaced: Vec<Replaced>,
    carried: Vec<Write>,
    /// Everything before this key is done with it.
    end: Bytes,
}

impl Chunk {
    /// Puts new leaves in the place of old ones; tells how many bytes are written.
    fn replace(&mut self, old: Vec<Rc<Leaf>>, new: Vec<(Leaf, Bytes)>) -> usize {
        for leaf in &old {
            if leaf.stored && !new.iter().any(|(new, _)| new.start == leaf.start) {
                self.changes.push(Change::Delete(Space::Leaves, leaf.start.clone()));
            }
        }
        let mut written = 0;
        let mut leaves = Vec::with_capacity(new.len());
        for (leaf, bytes) in new {
            written += bytes.len();
            self.changes.push(Change::Put(Space::Leaves, leaf.start.clone(), bytes));
            leaves.push(leaf);
        }
        self.replaced.push((old, leaves));
        written
    }

    fn carry(&mut self, leaf: &Leaf, frozen: &Overlay) {
        let rows = frozen.range(&leaf.start..&leaf.end);
        self.carried.extend(rows.map(|(key, value)| Write {
            key: key.to_vec(),
            value: value.as_ref().map(|value| value.to_vec()),
        }));
    }
}
