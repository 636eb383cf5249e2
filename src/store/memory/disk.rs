//! What a store in memory is kept on.

use std::{cell::RefCell, collections::BTreeMap, ops::Bound, rc::Rc};

use bytes::Bytes;

use crate::{
    platform::Notify,
    store::{
        Blob, Durability, Error, Result,
        engine::{
            backend::{Change, OWNER_KEY, Space},
            journal::{Head, RecordId},
        },
    },
};

/// A disk in memory; clones share it. It survives the stores that use it.
#[derive(Clone, Default)]
pub struct Disk {
    state: Rc<RefCell<State>>,
    /// Connections have ended.
    ended: Rc<Notify>,
}

/// What records were before a transaction.
type Undo = Vec<((Space, Bytes), Option<Bytes>)>;

#[derive(Default)]
struct State {
    records: BTreeMap<(Space, Bytes), Bytes>,
    blobs: BTreeMap<String, Blob>,
    /// What undoes the relaxed transactions since the last strict one, oldest first.
    unflushed: Vec<Undo>,
    connections: u64,
    /// Why connections up to a number have ended.
    ended: Option<(u64, Error)>,
    operations: u64,
    fault: Option<(u64, Fault)>,
    refuse_leaves: Option<Error>,
    quota: Option<u64>,
}

impl State {
    fn bytes(&self) -> u64 {
        let records: usize =
            self.records.iter().map(|((_, key), value)| key.len() + value.len()).sum();
        records as u64 + self.blobs.values().map(Blob::len).sum::<u64>()
    }

    fn check_quota(&self, more: u64) -> Result<()> {
        match self.quota {
            Some(quota) if more > 0 && self.bytes() + more > quota => Err(Error::QuotaExceeded),
            _ => Ok(()),
        }
    }
}

/// How an operation goes wrong.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Not at all.
    None,
    /// It has no effect and fails with this; the disk goes on to work.
    Fail(Error),
    /// It has no effect, and everything ends there.
    KillBefore,
    /// It has its effect, and everything ends before anybody hears of it.
    KillAfter,
}

impl Fault {
    /// The failure of an operation that has no effect anyway.
    pub(super) fn before(self) -> Result<()> {
        match self {
            Self::None => Ok(()),
            Self::Fail(cause) => Err(cause),
            Self::KillBefore | Self::KillAfter => Err(killed()),
        }
    }
}

fn killed() -> Error {
    Error::Closed("it was killed".to_owned())
}

impl Disk {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets the operation after the next `after` ones go wrong.
    pub fn fault_after(&self, after: u64, fault: Fault) {
        let mut state = self.state.borrow_mut();
        state.fault = Some((state.operations + after + 1, fault));
    }

    /// Lets every write to the leaves fail, until told otherwise.
    pub fn refuse_leaves(&self, cause: Option<Error>) {
        self.state.borrow_mut().refuse_leaves = cause;
    }

    /// Gives no more room than for so many bytes, as browsers do: what would add bytes beyond them
    /// fails, what only removes does not.
    pub fn set_quota(&self, bytes: Option<u64>) {
        self.state.borrow_mut().quota = bytes;
    }

    /// Gives no more room than what is in use.
    pub fn fill_up(&self) {
        self.set_quota(Some(self.bytes()));
    }

    /// How many bytes its records and blobs have.
    pub fn bytes(&self) -> u64 {
        self.state.borrow().bytes()
    }

    /// How many operations there were.
    pub fn operations(&self) -> u64 {
        self.state.borrow().operations
    }

    /// Ends every connection at once; a fault still to come is forgotten.
    pub fn kill(&self) {
        let mut state = self.state.borrow_mut();
        state.fault = None;
        state.ended = Some((state.connections, killed()));
        self.ended.notify();
    }

    /// Ends every connection, and undoes the newest `lose` of the transactions that were not
    /// flushed, as a power cut may.
    pub fn power_cut(&self, lose: usize) {
        self.kill();
        let mut state = self.state.borrow_mut();
        for _ in 0..lose {
            let Some(undo) = state.unflushed.pop() else { break };
            for (place, value) in undo.into_iter().rev() {
                match value {
                    Some(value) => state.records.insert(place, value),
                    None => state.records.remove(&place),
                };
            }
        }
        state.unflushed.clear();
    }

    /// How many transactions a power cut may undo.
    pub fn unflushed(&self) -> usize {
        self.state.borrow().unflushed.len()
    }

    /// Flips a bit in every leaf whose record key begins with `prefix`; tells how many.
    pub fn damage_leaves(&self, prefix: &[u8]) -> usize {
        self.damage(|space, key| space == Space::Leaves && key.starts_with(prefix))
    }

    /// Flips a bit in every journal record; tells how many.
    pub fn damage_journal(&self) -> usize {
        self.damage(|space, _| matches!(space, Space::JournalA | Space::JournalB))
    }

    /// The keys of the leaves.
    pub fn leaf_keys(&self) -> Vec<Bytes> {
        let leaves = self.records(Space::Leaves).into_iter().map(|(key, _)| key);
        leaves.filter(|key| key != OWNER_KEY).collect()
    }

    /// How many journal records there are.
    pub fn journal_records(&self) -> usize {
        let is_record = |key: &Bytes| RecordId::read(key).is_some_and(|id| !Head::has_key(id));
        let count = |space| self.records(space).iter().filter(|(key, _)| is_record(key)).count();
        count(Space::JournalA) + count(Space::JournalB)
    }

    /// Every record: the name of its space, its key, its bytes.
    pub fn dump(&self) -> Vec<(&'static str, Bytes, Bytes)> {
        let state = self.state.borrow();
        let record = |((space, key), bytes): (&(Space, Bytes), &Bytes)| {
            (space.name(), key.clone(), bytes.clone())
        };
        state.records.iter().map(record).collect()
    }

    /// Puts a record in the space of that name, or removes it.
    pub fn set(&self, space: &str, key: Bytes, bytes: Option<Bytes>) {
        let Some(space) = Space::ALL.into_iter().find(|one| one.name() == space) else { return };
        let records = &mut self.state.borrow_mut().records;
        match bytes {
            Some(bytes) => records.insert((space, key), bytes),
            None => records.remove(&(space, key)),
        };
    }

    fn damage(&self, hits: impl Fn(Space, &[u8]) -> bool) -> usize {
        let mut damaged = 0;
        for ((space, key), value) in &mut self.state.borrow_mut().records {
            if key != OWNER_KEY && hits(*space, key) {
                let mut bytes = value.to_vec();
                let last = bytes.len() - 1;
                bytes[last] ^= 1;
                *value = bytes.into();
                damaged += 1;
            }
        }
        damaged
    }

    pub(super) fn connect(&self) -> u64 {
        let mut state = self.state.borrow_mut();
        state.connections += 1;
        state.connections
    }

    pub(super) fn disconnect(&self, connection: u64) {
        let mut state = self.state.borrow_mut();
        if state.connections == connection {
            state.ended = Some((connection, Error::Closed("it was closed".to_owned())));
            self.ended.notify();
        }
    }

    pub(super) fn closed(&self, connection: u64) -> Option<Error> {
        let state = self.state.borrow();
        state.ended.clone().filter(|(last, _)| connection <= *last).map(|(_, cause)| cause)
    }

    pub(super) async fn ended(&self, connection: u64) -> Error {
        loop {
            if let Some(cause) = self.closed(connection) {
                return cause;
            }
            self.ended.notified().await;
        }
    }

    /// Counts an operation; tells how it goes wrong.
    pub(super) fn operation(&self, connection: u64) -> Result<Fault> {
        if let Some(cause) = self.closed(connection) {
            return Err(cause);
        }
        let mut state = self.state.borrow_mut();
        state.operations += 1;
        let due = state.fault.as_ref().is_some_and(|(at, _)| *at == state.operations);
        let fault = if due { state.fault.take() } else { None };
        drop(state);
        let fault = fault.map_or(Fault::None, |(_, fault)| fault);
        if matches!(fault, Fault::KillBefore | Fault::KillAfter) {
            self.kill();
        }
        Ok(fault)
    }

    pub(super) fn get(&self, space: Space, key: &[u8]) -> Option<Bytes> {
        self.state.borrow().records.get(&(space, Bytes::copy_from_slice(key))).cloned()
    }

    pub(super) fn records(&self, space: Space) -> Vec<(Bytes, Bytes)> {
        let state = self.state.borrow();
        let from = (Bound::Included((space, Bytes::new())), Bound::Unbounded);
        let records = state.records.range(from).take_while(|((of, _), _)| *of == space);
        records.map(|((_, key), value)| (key.clone(), value.clone())).collect()
    }

    pub(super) fn write(
        &self,
        changes: Vec<Change>,
        durability: Durability,
        fault: Fault,
    ) -> Result<()> {
        if !matches!(fault, Fault::KillAfter) {
            fault.clone().before()?;
        }
        let mut state = self.state.borrow_mut();
        if let Some(cause) = &state.refuse_leaves
            && changes.iter().any(|change| change.space() == Space::Leaves)
        {
            return Err(cause.clone());
        }
        let put = |change: &Change| match change {
            Change::Put(_, key, value) => (key.len() + value.len()) as u64,
            Change::Delete(..) | Change::DeleteThrough(..) => 0,
        };
        state.check_quota(changes.iter().map(put).sum())?;
        let mut undo = Vec::new();
        for change in changes {
            match change {
                Change::Put(space, key, value) => {
                    let place = (space, key);
                    undo.push((place.clone(), state.records.insert(place, value)));
                }
                Change::Delete(space, key) => {
                    let place = (space, key);
                    undo.push((place.clone(), state.records.remove(&place)));
                }
                Change::DeleteThrough(space, last) => {
                    let range = (
                        Bound::Excluded((space, Bytes::from_static(OWNER_KEY))),
                        Bound::Included((space, last)),
                    );
                    let removed = state.records.extract_if(range, |_, _| true);
                    undo.extend(removed.map(|(place, value)| (place, Some(value))));
                }
            }
        }
        state.unflushed.push(undo);
        if durability == Durability::Strict {
            state.unflushed.clear();
        }
        drop(state);
        fault.before()
    }

    pub(super) fn put_blob(&self, id: &str, blob: Option<Blob>, fault: Fault) -> Result<()> {
        if !matches!(fault, Fault::KillAfter) {
            fault.clone().before()?;
        }
        let mut state = self.state.borrow_mut();
        state.check_quota(blob.as_ref().map_or(0, Blob::len))?;
        match blob {
            Some(blob) => state.blobs.insert(id.to_owned(), blob),
            None => state.blobs.remove(id),
        };
        drop(state);
        fault.before()
    }

    pub(super) fn blob(&self, id: &str) -> Option<Blob> {
        self.state.borrow().blobs.get(id).cloned()
    }

    pub(super) fn quota(&self) -> Option<u64> {
        self.state.borrow().quota
    }
}
