//! The state of rooms, kept as deltas.
//!
//! States form a tree: each is its parent with some entries changed. A state at depth `i` of the
//! tree stores everything that changed since its ancestor at depth `i` without its lowest set bit
//! (a Fenwick tree along every branch). So the whole of a state is read from at most log₂(i) + 1
//! rows, and a room with n changes of state stores n log₂(n) / 2 entries at most.

use std::{cmp::Ordering, collections::BTreeMap, rc::Rc};

use ruma::{EventId, OwnedEventId, OwnedRoomId, events::StateEventType};
use serde::{Deserialize, Serialize};

use crate::store::{Erasure, Key, KeyReader, Plain, Rows, Table};

/// Room, state id → state, as a delta.
pub(in crate::rooms) const ROOM_STATES: Rows<(OwnedRoomId, u64), Plain> =
    Rows::new(Table::RoomStates, Erasure::Kept);

/// What an entry takes in memory, about, in bytes: two short strings, and pointers to it.
const ENTRY: usize = 160;

/// Names one state of one room. 0 is the state before the create event: nothing.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct StateId(pub(in crate::rooms) u64);

/// One entry of a state.
#[derive(Debug, PartialEq, Eq)]
pub struct StateEntry {
    kind: StateEventType,
    key: String,
    /// The event that sets it; `None` where an entry of the parent is gone, as state resolution
    /// may have it.
    event_id: Option<OwnedEventId>,
}

impl StateEntry {
    pub(in crate::rooms) fn new(
        kind: StateEventType,
        key: &str,
        event_id: Option<OwnedEventId>,
    ) -> Rc<Self> {
        Rc::new(Self { kind, key: key.to_owned(), event_id })
    }

    /// The type of the events that set it.
    pub fn kind(&self) -> &StateEventType {
        &self.kind
    }

    /// The state key of the events that set it.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The event that sets it; `None` where it is gone.
    pub fn event_id(&self) -> Option<&OwnedEventId> {
        self.event_id.as_ref()
    }

    fn order(&self, kind: &StateEventType, key: &str) -> Ordering {
        self.kind.cmp(kind).then_with(|| self.key.as_str().cmp(key))
    }
}

fn find<'a>(
    entries: &'a [Rc<StateEntry>],
    kind: &StateEventType,
    key: &str,
) -> Option<&'a Rc<StateEntry>> {
    let place = entries.binary_search_by(|entry| entry.order(kind, key)).ok()?;
    entries.get(place)
}

/// Merges two lists of entries; where both have a key, `newer` counts.
fn merge(older: &[Rc<StateEntry>], newer: &[Rc<StateEntry>]) -> Vec<Rc<StateEntry>> {
    let mut merged = Vec::with_capacity(older.len() + newer.len());
    let (mut older, mut newer) = (older.iter().peekable(), newer.iter().peekable());
    loop {
        let order = match (older.peek(), newer.peek()) {
            (Some(old), Some(new)) => old.order(&new.kind, &new.key),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => return merged,
        };
        if order == Ordering::Equal {
            older.next();
        }
        let next = if order == Ordering::Less { older.next() } else { newer.next() };
        merged.extend(next.cloned());
    }
}

/// One state with the ancestors that it is read from.
#[derive(Debug)]
pub(in crate::rooms) struct StateGroup {
    pub(in crate::rooms) id: StateId,
    /// Its depth in the tree of the room's states, from 1.
    index: u64,
    /// What changed since `base`, sorted.
    delta: Vec<Rc<StateEntry>>,
    /// The ancestor at depth `index` without its lowest set bit; `None` at depth 0.
    base: Option<Rc<StateGroup>>,
}

/// The depth of the ancestor that a state at depth `index` is stored against.
fn base_index(index: u64) -> u64 {
    index & (index - 1)
}

impl StateGroup {
    /// The state `id`, which differs from `parent` by `changes`.
    pub(in crate::rooms) fn child(
        parent: Option<&Rc<StateGroup>>,
        id: StateId,
        mut changes: Vec<Rc<StateEntry>>,
    ) -> Rc<Self> {
        changes.sort_by(|a, b| a.order(&b.kind, &b.key));
        let index = parent.map_or(0, |parent| parent.index) + 1;
        let base_index = base_index(index);
        let mut ancestor = parent;
        while let Some(group) = ancestor.filter(|group| group.index > base_index) {
            changes = merge(&group.delta, &changes);
            ancestor = group.base.as_ref();
        }
        Rc::new(Self { id, index, delta: changes, base: ancestor.cloned() })
    }

    /// The event that sets an entry.
    pub(in crate::rooms) fn get(&self, kind: &StateEventType, key: &str) -> Option<&OwnedEventId> {
        let mut group = Some(self);
        while let Some(at) = group {
            if let Some(entry) = find(&at.delta, kind, key) {
                return entry.event_id.as_ref();
            }
            group = at.base.as_deref();
        }
        None
    }

    /// What another state has otherwise. Reads only the deltas between the two and the newest state
    /// that both are stored against, so that it takes long only where much has changed.
    pub(in crate::rooms) fn changes(
        from: Option<&Rc<StateGroup>>,
        to: Option<&Rc<StateGroup>>,
    ) -> Vec<Rc<StateEntry>> {
        let (mut old, mut new) = (from, to);
        let (mut old_delta, mut new_delta) = (Vec::new(), Vec::new());
        // Bases have smaller indexes: that with the greater index is no base of the other.
        while old.map(|group| group.id) != new.map(|group| group.id) {
            let index = |group: Option<&Rc<StateGroup>>| group.map_or(0, |group| group.index);
            let (side, delta) = match index(old) > index(new) {
                true => (&mut old, &mut old_delta),
                false => (&mut new, &mut new_delta),
            };
            let Some(group) = *side else { break };
            *delta = merge(&group.delta, delta);
            *side = group.base.as_ref();
        }
        let get = |delta: &[Rc<StateEntry>], entry: &StateEntry| match find(
            delta,
            &entry.kind,
            &entry.key,
        ) {
            Some(entry) => entry.event_id.clone(),
            None => old.and_then(|base| base.get(&entry.kind, &entry.key)).cloned(),
        };
        merge(&old_delta, &new_delta)
            .into_iter()
            .filter_map(|entry| {
                let event_id = get(&new_delta, &entry);
                match get(&old_delta, &entry) == event_id {
                    true => None,
                    false if entry.event_id == event_id => Some(entry),
                    false => Some(StateEntry::new(entry.kind.clone(), &entry.key, event_id)),
                }
            })
            .collect()
    }

    /// The whole state.
    pub(in crate::rooms) fn map(&self) -> StateMap {
        let mut entries = Vec::new();
        let mut group = Some(self);
        while let Some(at) = group {
            entries = merge(&at.delta, &entries);
            group = at.base.as_deref();
        }
        entries.retain(|entry| entry.event_id.is_some());
        StateMap { entries }
    }

    /// How much memory it takes beside its ancestors, about, in bytes.
    pub(in crate::rooms) fn weight(&self) -> usize {
        size_of::<Self>() + self.delta.len() * ENTRY
    }

    /// The row to store.
    pub(in crate::rooms) fn to_row(&self) -> Vec<u8> {
        let base = self.base.as_ref().map_or(0, |base| base.id.0);
        let mut row = Key::new().u64(self.index).u64(base);
        for entry in &self.delta {
            row = row
                .str(entry.kind.to_string())
                .str(&entry.key)
                .str(entry.event_id.as_deref().map_or("", EventId::as_str));
        }
        row.into()
    }

    /// The state that [`StateGroup::to_row`] wrote, once its base is known.
    pub(in crate::rooms) fn from_row(
        id: StateId,
        row: StateRow,
        base: Option<Rc<StateGroup>>,
    ) -> Rc<Self> {
        Rc::new(Self { id, index: row.index, delta: row.delta, base })
    }
}

/// A state as its row has it.
pub(in crate::rooms) struct StateRow {
    index: u64,
    delta: Vec<Rc<StateEntry>>,
    /// The state that it is stored against; `None` for nothing.
    pub(in crate::rooms) base: Option<StateId>,
}

impl StateRow {
    /// The row that [`StateGroup::to_row`] wrote; `None` when it is none.
    pub(in crate::rooms) fn parse(row: &[u8]) -> Option<Self> {
        let mut reader = KeyReader::new(row);
        let index = reader.u64()?;
        let base = reader.u64()?;
        let mut delta = Vec::new();
        while !reader.is_empty() {
            let kind = reader.str()?;
            let key = reader.str()?;
            let event_id = match reader.str()?.as_str() {
                "" => None,
                id => Some(OwnedEventId::try_from(id).ok()?),
            };
            delta.push(Rc::new(StateEntry { kind: kind.into(), key, event_id }));
        }
        Some(Self { index, delta, base: (base != 0).then_some(StateId(base)) })
    }
}

/// A whole state: type and state key to event id. Sorted by type and key; never changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct StateMap {
    entries: Vec<Rc<StateEntry>>,
}

impl StateMap {
    /// The event that sets an entry.
    pub fn get(&self, kind: &StateEventType, key: &str) -> Option<&OwnedEventId> {
        find(&self.entries, kind, key)?.event_id.as_ref()
    }

    /// How much memory it takes, about, in bytes: its entries are those of groups.
    pub(in crate::rooms) fn weight(&self) -> usize {
        size_of::<Self>() + self.entries.len() * size_of::<Rc<StateEntry>>()
    }

    /// Every type, state key and event id.
    pub fn iter(&self) -> impl Iterator<Item = (&StateEventType, &str, &OwnedEventId)> {
        self.entries
            .iter()
            .filter_map(|entry| Some((&entry.kind, entry.key.as_str(), entry.event_id.as_ref()?)))
    }

    /// The state keys and event ids of one type.
    pub fn of_type<'a>(
        &'a self,
        kind: &'a StateEventType,
    ) -> impl Iterator<Item = (&'a str, &'a OwnedEventId)> {
        let start = self.entries.partition_point(|entry| entry.kind < *kind);
        self.entries[start..]
            .iter()
            .take_while(move |entry| entry.kind == *kind)
            .filter_map(|entry| Some((entry.key.as_str(), entry.event_id.as_ref()?)))
    }

    /// How many entries it has.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it has none, as before the create event.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What has to change in this state to make it the other.
    pub(in crate::rooms) fn changes_to(
        &self,
        other: &BTreeMap<(StateEventType, String), OwnedEventId>,
    ) -> Vec<Rc<StateEntry>> {
        let gone = self
            .iter()
            .filter(|(kind, key, _)| !other.contains_key(&((*kind).clone(), (*key).to_owned())))
            .map(|(kind, key, _)| StateEntry::new(kind.clone(), key, None));
        let set = other
            .iter()
            .filter(|((kind, key), event_id)| self.get(kind, key) != Some(event_id))
            .map(|((kind, key), id)| StateEntry::new(kind.clone(), key, Some(id.clone())));
        gone.chain(set).collect()
    }
}
