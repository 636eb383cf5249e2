//! The leaves used most recently, in memory, up to a number of bytes.

use std::{
    cell::Cell,
    collections::{BTreeMap, VecDeque},
    ops::Bound,
    rc::Rc,
};

use bytes::Bytes;

use super::leaf::Leaf;

/// A cache of leaves by where they begin. Which leaf to give up is found as a clock's hand goes
/// round: the first one that was not used since the hand passed it last.
pub(super) struct Cache {
    leaves: BTreeMap<Bytes, Entry>,
    ring: VecDeque<Bytes>,
    bytes: usize,
    capacity: usize,
}

struct Entry {
    leaf: Rc<Leaf>,
    used: Cell<bool>,
}

impl Cache {
    /// A cache of at most `capacity` bytes.
    pub(super) fn new(capacity: usize) -> Self {
        Self { leaves: BTreeMap::new(), ring: VecDeque::new(), bytes: 0, capacity }
    }

    /// The leaf whose stretch has `key` in it.
    pub(super) fn at(&self, key: &[u8]) -> Option<Rc<Leaf>> {
        let upto = (Bound::Unbounded, Bound::Included(key));
        let (_, entry) = self.leaves.range::<[u8], _>(upto).next_back()?;
        (key < entry.leaf.end).then(|| entry.take())
    }

    /// The leaf whose stretch has the keys just before `key` in it.
    pub(super) fn before(&self, key: &[u8]) -> Option<Rc<Leaf>> {
        let upto = (Bound::Unbounded, Bound::Excluded(key));
        let (_, entry) = self.leaves.range::<[u8], _>(upto).next_back()?;
        (key <= entry.leaf.end).then(|| entry.take())
    }

    /// Whether the leaf that begins at `start` is here.
    pub(super) fn contains(&self, start: &[u8]) -> bool {
        self.leaves.contains_key(start)
    }

    /// Keeps a leaf, in place of one that begins at the same key.
    pub(super) fn insert(&mut self, leaf: Rc<Leaf>) {
        let start = leaf.start.clone();
        self.bytes += leaf.memory();
        match self.leaves.insert(start.clone(), Entry { leaf, used: Cell::new(false) }) {
            Some(replaced) => self.bytes -= replaced.leaf.memory(),
            None => self.ring.push_back(start),
        }
        while self.bytes > self.capacity
            && let Some(start) = self.ring.pop_front()
        {
            match self.leaves.get(&start) {
                Some(entry) if entry.used.take() => self.ring.push_back(start),
                Some(_) => self.remove_entry(&start),
                None => {}
            }
        }
    }

    /// Forgets the leaf that begins at `start`.
    pub(super) fn remove(&mut self, start: &[u8]) {
        if self.leaves.contains_key(start) {
            self.remove_entry(start);
            self.ring.retain(|other| other != start);
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        *self = Self::new(self.capacity);
    }

    /// How many bytes it holds.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    fn remove_entry(&mut self, start: &[u8]) {
        if let Some(entry) = self.leaves.remove(start) {
            self.bytes -= entry.leaf.memory();
        }
    }
}

impl Entry {
    fn take(&self) -> Rc<Leaf> {
        self.used.set(true);
        self.leaf.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::engine::leaf::pack;

    fn leaf(start: &str, end: &str) -> Rc<Leaf> {
        let rows = [(Bytes::copy_from_slice(start.as_bytes()), Bytes::from(vec![0; 1000]))];
        let packed = pack(start.as_bytes(), end.as_bytes(), &rows);
        let bytes = |text: &str| Bytes::copy_from_slice(text.as_bytes());
        Rc::new(Leaf::read(bytes(start), bytes(end), &packed))
    }

    #[test]
    fn a_leaf_is_found_by_every_key_of_its_stretch_and_by_no_other() {
        let mut cache = Cache::new(1 << 20);
        cache.insert(leaf("b", "d"));
        assert!(cache.at(b"b").is_some() && cache.at(b"czz").is_some());
        assert!(cache.at(b"a").is_none() && cache.at(b"d").is_none());
        assert!(cache.before(b"d").is_some() && cache.before(b"bb").is_some());
        assert!(cache.before(b"b").is_none() && cache.before(b"dd").is_none());
    }

    #[test]
    fn it_stays_within_its_bytes_and_keeps_what_is_used() {
        let mut cache = Cache::new(5000);
        cache.insert(leaf("a", "b"));
        for n in 0..50 {
            assert!(cache.at(b"a").is_some(), "used between every two others");
            cache.insert(leaf(&format!("b{n:02}"), &format!("b{:02}", n + 1)));
            assert!(cache.bytes() <= 5000);
        }
        assert!(cache.at(b"b00").is_none());
        cache.remove(b"a");
        assert!(cache.at(b"a").is_none());
    }
}
