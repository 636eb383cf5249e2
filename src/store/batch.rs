//! What is written together or not at all.

use std::{
    any::Any,
    collections::BTreeMap,
    fmt::{self, Debug},
    ops::{Deref, DerefMut},
    rc::Rc,
};

use serde::Serialize;

use super::{
    CompleteBatch, Result, Store, Table,
    complete::{Write, full_key},
};

/// What writes a row, and what belongs to it, when everything else of a submission is done.
type WriteLast = Box<dyn FnOnce(&mut Batch)>;

/// What becomes durable together: writes, of which the last of a key counts, and operations.
#[derive(Default)]
pub struct Batch {
    done: CompleteBatch,
    operations: Vec<Box<dyn Operation>>,
}

/// Something that a batch does besides plain writes, such as to record a change or to acknowledge
/// messages: what it is as data, and what that means at the submission.
pub trait Operation: Any + Debug {
    /// Does it with the batch that is being submitted.
    ///
    /// # Errors
    /// When it can't be done; then nothing of the batch is.
    fn submit(self: Box<Self>, batch: &mut Submission) -> Result<()>;
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes `value` under `key`.
    pub fn put(&mut self, table: Table, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        self.done
            .writes
            .push(Write { key: full_key(table, &key.into()), value: Some(value.into()) });
    }

    /// Writes `value` as JSON.
    ///
    /// # Errors
    /// When `value` has a shape that JSON does not, such as a map with keys that are not strings.
    pub fn put_json(
        &mut self,
        table: Table,
        key: impl Into<Vec<u8>>,
        value: &impl Serialize,
    ) -> Result<()> {
        self.put(table, key, serde_json::to_vec(value).map_err(super::Error::encoding)?);
        Ok(())
    }

    /// Removes `key`, if it is there.
    pub fn delete(&mut self, table: Table, key: impl Into<Vec<u8>>) {
        self.done.writes.push(Write { key: full_key(table, &key.into()), value: None });
    }

    /// Runs `then` once the batch is durable, before its [`Commit`](super::Commit) resolves and in
    /// the order of submission. Not run when the commit fails.
    pub fn on_durable(&mut self, then: impl FnOnce() + 'static) {
        self.done.on_durable.push(Box::new(then));
    }

    /// Adds an operation. Operations are done in their order, after what completes the batch at its
    /// submission ([`Store::submit_with`]).
    pub fn add(&mut self, operation: impl Operation) {
        self.operations.push(Box::new(operation));
    }

    /// The operations of one kind.
    pub fn operations<O: Operation>(&self) -> impl Iterator<Item = &O> {
        let any = self.operations.iter().map(|operation| -> &dyn Any { &**operation });
        any.filter_map(|operation| operation.downcast_ref())
    }

    /// Holds a guard, such as a lock, until the batch is durable or has failed.
    pub fn hold(&mut self, guard: impl Any) {
        self.done.guards.push(Box::new(guard));
    }

    /// Lets the batch wait a little for others to become durable with, instead of taking a
    /// transaction for itself: for what nobody waits for, such as a consumer's progress.
    pub fn wait_for_others(&mut self) {
        self.done.is_patient = true;
    }

    /// Says that what the batch removes, or lets others remove, is worth more room than what it
    /// writes: where there is none it may use what is kept in reserve. A batch that only deletes
    /// need not say it.
    pub fn makes_room(&mut self) {
        self.done.makes_room = true;
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.done.writes.is_empty() && self.operations.is_empty()
    }
}

impl Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { done, operations } = self;
        f.debug_struct("Batch")
            .field("writes", &done.writes)
            .field("operations", operations)
            .field("guards", &done.guards.len())
            .field("on_durable", &done.on_durable.len())
            .finish_non_exhaustive()
    }
}

/// A batch that is being submitted. There is one only inside of a closure that the store calls as it
/// takes the batch, and no such closure can wait. So whatever is numbered by one, as positions of the
/// feed are, has its numbers in the order in which batches become durable.
pub struct Submission {
    store: Store,
    batch: Batch,
    parts: Vec<Rc<dyn Any>>,
    last: BTreeMap<(Table, Vec<u8>), WriteLast>,
    /// Batches of other stores.
    others: Vec<Self>,
}

impl Submission {
    pub(super) fn new(store: &Store, batch: Batch) -> Self {
        Self {
            store: store.clone(),
            batch,
            parts: Vec::new(),
            last: BTreeMap::new(),
            others: Vec::new(),
        }
    }

    /// What was given to [`Submission::add_part`] and `is_it`.
    pub(crate) fn part<T: 'static>(&self, is_it: impl Fn(&T) -> bool) -> Option<Rc<T>> {
        let mut parts = self.parts.iter().filter_map(|part| part.clone().downcast::<T>().ok());
        parts.find(|part| is_it(part))
    }

    /// Keeps something that several writers share, until the batch is submitted.
    pub(crate) fn add_part(&mut self, part: Rc<dyn Any>) {
        self.parts.push(part);
    }

    /// Has `write` write the row under `key` when everything else is done: a row that is made of what
    /// all writers of the batch change. Of several for one key the first is called.
    pub(crate) fn write_last(
        &mut self,
        table: Table,
        key: impl Into<Vec<u8>>,
        write: impl FnOnce(&mut Batch) + 'static,
    ) {
        self.last.entry((table, key.into())).or_insert_with(|| Box::new(write));
    }

    /// Lets `write` write to `store`: into this batch, if it is of that store, and otherwise into
    /// one that is handed in there once this one is durable.
    pub(crate) fn to<T>(&mut self, store: &Store, write: impl FnOnce(&mut Self) -> T) -> T {
        if self.store.is(store) {
            return write(self);
        }
        let place = self.others.iter().position(|other| other.store.is(store));
        let place = place.unwrap_or_else(|| {
            self.others.push(Self::new(store, Batch::new()));
            self.others.len() - 1
        });
        write(&mut self.others[place])
    }

    /// Does what is left to do.
    ///
    /// # Errors
    /// When an operation can't be done.
    pub(super) fn finish(mut self) -> Result<CompleteBatch> {
        while !self.batch.operations.is_empty() {
            for operation in std::mem::take(&mut self.batch.operations) {
                operation.submit(&mut self)?;
            }
        }
        for write in std::mem::take(&mut self.last).into_values() {
            write(&mut self.batch);
        }
        for other in std::mem::take(&mut self.others) {
            // Its store is in memory, and fails only as a whole.
            self.batch.on_durable(move || drop(other.store.clone().hand_in(other)));
        }
        Ok(self.batch.done)
    }
}

impl Deref for Submission {
    type Target = Batch;

    fn deref(&self) -> &Batch {
        &self.batch
    }
}

impl DerefMut for Submission {
    fn deref_mut(&mut self) -> &mut Batch {
        &mut self.batch
    }
}
