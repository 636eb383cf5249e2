//! A cache of bounded weight that forgets what was not used for longest.

use std::{
    borrow::Borrow,
    cell::Cell,
    collections::{BTreeMap, HashMap},
    hash::Hash,
    rc::Rc,
};

/// How much memory something takes, which counts for what it is a part of too, until it is dropped.
#[derive(Default)]
pub(super) struct Memory {
    taken: Cell<usize>,
    whole: Option<Rc<Memory>>,
}

impl Memory {
    /// That of a part of something.
    pub(super) fn part_of(whole: &Rc<Self>) -> Self {
        Self { taken: Cell::new(0), whole: Some(whole.clone()) }
    }

    /// How much it is, with its parts.
    pub(super) fn taken(&self) -> usize {
        self.taken.get()
    }

    pub(super) fn take(&self, more: usize) {
        self.taken.set(self.taken.get() + more);
        if let Some(whole) = &self.whole {
            whole.take(more);
        }
    }

    pub(super) fn give_back(&self, less: usize) {
        self.taken.set(self.taken.get() - less);
        if let Some(whole) = &self.whole {
            whole.give_back(less);
        }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.give_back(self.taken());
    }
}

/// Keys to values, each with a weight.
pub(super) struct Cache<K, V> {
    slots: HashMap<K, Slot<V>>,
    /// By the time of the last use.
    order: BTreeMap<u64, K>,
    clock: u64,
    memory: Rc<Memory>,
    limit: usize,
}

struct Slot<V> {
    value: V,
    weight: usize,
    used: u64,
}

impl<K: Hash + Eq + Clone, V: Clone> Cache<K, V> {
    /// A cache that holds values of at most `limit` together.
    pub(super) fn new(limit: usize) -> Self {
        Self::over(limit, Memory::default())
    }

    /// The same, whose memory is this.
    pub(super) fn over(limit: usize, memory: Memory) -> Self {
        Self {
            slots: HashMap::new(),
            order: BTreeMap::new(),
            clock: 0,
            memory: Rc::new(memory),
            limit,
        }
    }

    /// How much memory the values take, with what counts as part of it.
    pub(super) fn memory(&self) -> &Rc<Memory> {
        &self.memory
    }

    /// The value under `key`, which counts as a use.
    pub(super) fn get<Q>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let slot = self.slots.get_mut(key)?;
        self.clock += 1;
        if let Some(key) = self.order.remove(&slot.used) {
            self.order.insert(self.clock, key);
        }
        slot.used = self.clock;
        Some(slot.value.clone())
    }

    /// The value under `key`, without counting as a use.
    pub(super) fn peek<Q>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        Some(self.slots.get(key)?.value.clone())
    }

    /// Keeps `value` and forgets others as far as the limit asks; never one for which `pinned`.
    pub(super) fn insert(&mut self, key: K, value: V, weight: usize, pinned: impl Fn(&V) -> bool) {
        self.remove(&key);
        self.clock += 1;
        self.order.insert(self.clock, key.clone());
        self.slots.insert(key.clone(), Slot { value, weight, used: self.clock });
        self.memory.take(weight);
        self.trim(pinned);
    }

    /// Forgets as much as the limit asks, but for what was used last.
    pub(super) fn trim(&mut self, pinned: impl Fn(&V) -> bool) {
        let mut place = 0;
        while self.memory.taken() > self.limit
            && let Some((&used, oldest)) = self.order.range(place..self.clock).next()
        {
            place = used + 1;
            if !self.slots.get(oldest).is_some_and(|slot| pinned(&slot.value)) {
                let oldest = oldest.clone();
                self.remove(&oldest);
            }
        }
    }

    /// Forgets `key`.
    pub(super) fn remove<Q>(&mut self, key: &Q)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        if let Some(slot) = self.slots.remove(key) {
            self.order.remove(&slot.used);
            self.memory.give_back(slot.weight);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_unused_is_forgotten_unless_pinned() {
        let mut cache = Cache::new(3);
        for key in ["a", "b", "c"] {
            cache.insert(key, key, 1, |_| false);
        }
        assert_eq!(cache.get("a"), Some("a"));
        cache.insert("d", "d", 1, |_| false);
        assert_eq!(cache.get("b"), None);
        cache.insert("e", "e", 1, |value| *value == "c");
        assert_eq!((cache.get("c"), cache.get("a")), (Some("c"), None));
    }

    #[test]
    fn what_a_value_takes_by_and_by_counts_too() {
        let mut whole: Cache<&str, Rc<Memory>> = Cache::new(10);
        let memory = whole.memory().clone();
        for key in ["a", "b", "c"] {
            whole.insert(key, Rc::new(Memory::part_of(&memory)), 1, |_| false);
        }
        let in_use = whole.get("b").unwrap();
        let mut part = Cache::over(100, Memory::part_of(&memory));
        part.insert("x", (), 4, |_| false);
        part.insert("x", (), 3, |_| false);
        assert_eq!(memory.taken(), 6);
        whole.get("a").unwrap().take(2);
        in_use.take(4);
        assert_eq!(memory.taken(), 12);
        assert!(whole.get("c").is_some());
        // It is the longest unused, but in use.
        whole.trim(|part| Rc::strong_count(part) > 1);
        assert_eq!((whole.get("a").is_some(), memory.taken()), (false, 9));
        drop((in_use, part));
        assert_eq!(memory.taken(), 6);
        whole.remove("b");
        whole.remove("c");
        assert_eq!(memory.taken(), 0);
    }
}
