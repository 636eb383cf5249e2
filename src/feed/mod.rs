//! The one position: everything that a client can see through `/sync` takes its place here.
//!
//! A position is given when the change's batch is submitted, so the order of positions is the
//! order of commits, and a sync that has read up to [`Feed::current`] has missed nothing.
//!
//! Positions never go back, not even those of changes that are announced without being stored: a
//! durable ceiling lies above every position given out, and a restart goes on from it.
//!
//! Only the newest changes are kept; a durable horizon says up to where they were removed.

mod change;
mod pruning;
mod recording;
mod waiting;

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
};

use futures::lock::Mutex;

pub use self::change::Change;
pub(crate) use self::change::is_unthreaded;
pub use self::recording::Recording;
use self::{pruning::HORIZON, waiting::Waiting};
use crate::{
    config::KeptChanges,
    store::{
        Batch, Declaration, Erasure, Error, Expiry, Fact, Json, Result, Rows, Store, Submission,
        Table,
    },
};

/// Position → change. Of those there are the newest; a homeserver can be told how many.
const FEED: Rows<(Position,), Json<Change>> =
    Rows::new(Table::Feed, Erasure::Expires).expiring(Expiry::Newest(KeptChanges::STORED));
/// All tables of this part.
pub(crate) const TABLES: &[Declaration] = &[FEED.declaration()];
/// No position above it was given out.
const CEILING: Fact<Position> = Fact::new("feed_ceiling");

/// A place in the order of everything that happened; 0 is before the first.
pub type Position = u64;

/// How far beyond the positions given out the durable ceiling is moved at once.
const CEILING_STEP: u64 = 4096;

/// A handle to the feed; clones share it.
#[derive(Clone)]
pub struct Feed {
    inner: Rc<Inner>,
}

struct Inner {
    store: Store,
    /// The position given out last.
    last: Cell<Position>,
    /// The newest position up to which everything is durable or announced.
    current: Cell<Position>,
    /// Durable: no position above it may be given out without one that is higher.
    ceiling: Cell<Position>,
    /// The newest changes; complete above `recent_from`.
    recent: RefCell<VecDeque<(Position, Change)>>,
    recent_from: Cell<Position>,
    kept: KeptChanges,
    /// Changes up to and including this one were removed.
    horizon: Cell<Position>,
    /// How many were stored since it was last pruned.
    unpruned: Cell<usize>,
    pruning: Mutex<()>,
    waiting: Waiting,
}

impl Feed {
    /// Opens the feed that `store` holds.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn open(store: Store, kept: KeptChanges) -> Result<Self> {
        let ceiling = CEILING.get(&store).await?.unwrap_or(0);
        let horizon = HORIZON.get(&store).await?.unwrap_or(0);
        Ok(Self {
            inner: Rc::new(Inner {
                store,
                last: Cell::new(ceiling),
                current: Cell::new(ceiling),
                ceiling: Cell::new(ceiling),
                recent: RefCell::default(),
                recent_from: Cell::new(ceiling),
                kept,
                horizon: Cell::new(horizon),
                unpruned: Cell::default(),
                pruning: Mutex::default(),
                waiting: Waiting::default(),
            }),
        })
    }

    /// Has `change` take its position when `batch` is submitted, and records it with the batch.
    pub fn record(&self, batch: &mut Batch, change: Change) {
        batch.add(Recording { feed: self.clone(), change });
    }

    /// Gives `change` the next position and records it with the batch that is being submitted.
    pub fn record_now(&self, submission: &mut Submission, change: Change) -> Position {
        let position = self.next(submission);
        if let Err(cause) = FEED.put(submission, (position,), &change) {
            // It has only strings and options of them: serde_json has no reason to refuse it.
            tracing::error!(target: "neurite::homeserver", "a change is not stored: {cause}");
        }
        let feed = self.clone();
        submission.on_durable(move || {
            feed.advance(position, change);
            feed.count();
        });
        position
    }

    /// Gives `change` a position without storing it: for what may be forgotten when the worker
    /// ends. It is visible once everything recorded before it is durable.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn announce(&self, change: Change) -> Result<Position> {
        // An empty batch queues behind those under way, so the order of positions holds.
        let mut batch = Batch::new();
        // Who is online or types is told without room too; a ceiling is a few bytes now and then.
        batch.makes_room();
        let announce = |submission: &mut Submission| {
            let position = self.next(submission);
            let feed = self.clone();
            submission.on_durable(move || feed.advance(position, change));
            Ok(position)
        };
        self.inner.store.commit_with(batch, announce).await
    }

    /// The newest position: every change up to it is durable or announced.
    pub fn current(&self) -> Position {
        self.inner.current.get()
    }

    /// The changes after `from` up to and with `to`, oldest first; `None` when some of them were
    /// removed or can't be read, so that anything may have changed.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn since(
        &self,
        from: Position,
        to: Position,
    ) -> Result<Option<Vec<(Position, Change)>>> {
        let recent = |above: Position| {
            let recent = self.inner.recent.borrow();
            let start = recent.partition_point(|(position, _)| *position <= above);
            recent
                .range(start..)
                .take_while(|(position, _)| *position <= to)
                .cloned()
                .collect::<Vec<_>>()
        };
        if from >= self.inner.recent_from.get() {
            return Ok(Some(recent(from)));
        }
        if self.is_pruned_after(from) {
            return Ok(None);
        }
        let stored = FEED.scan(()).starting_at((from.saturating_add(1),));
        let stored = stored.until((to.saturating_add(1),)).rows(&self.inner.store).await;
        if self.is_pruned_after(from) {
            return Ok(None);
        }
        let stored = match stored {
            Err(cause @ Error::Corrupt(_)) => {
                tracing::warn!(target: "neurite::homeserver", "anything may have changed: {cause}");
                return Ok(None);
            }
            stored => stored?.into_iter(),
        };
        let mut changes: Vec<_> = stored.map(|((position,), change)| (position, change)).collect();
        // What is announced only, is not in the table.
        changes.extend(recent(from).into_iter().filter(|(_, change)| {
            matches!(change, Change::Presence { .. } | Change::Typing { .. })
        }));
        changes.sort_by_key(|(position, _)| *position);
        Ok(Some(changes))
    }

    /// Waits until there is a change beyond `position` that `concerns` the waiter, or may have been.
    /// It is asked for every change, so it is quick.
    pub async fn wait_for(&self, position: Position, concerns: impl Fn(&Change) -> bool + 'static) {
        let come = position < self.inner.recent_from.get() || {
            let recent = self.inner.recent.borrow();
            let start = recent.partition_point(|(at, _)| *at <= position);
            recent.range(start..).any(|(_, change)| concerns(change))
        };
        if !come {
            self.inner.waiting.wait(concerns).await;
        }
    }

    fn next(&self, submission: &mut Submission) -> Position {
        let position = self.inner.last.get() + 1;
        self.inner.last.set(position);
        if position > self.inner.ceiling.get() {
            let ceiling = position + CEILING_STEP;
            CEILING.set(submission, ceiling);
            let inner = self.inner.clone();
            submission.on_durable(move || inner.ceiling.set(inner.ceiling.get().max(ceiling)));
        }
        position
    }

    fn advance(&self, position: Position, change: Change) {
        let inner = &self.inner;
        inner.current.set(position);
        inner.waiting.wake(&change);
        let mut recent = inner.recent.borrow_mut();
        recent.push_back((position, change));
        if recent.len() > inner.kept.in_memory
            && let Some((dropped, _)) = recent.pop_front()
        {
            inner.recent_from.set(dropped);
        }
    }
}
