//! A cache of bounded weight that forgets what was not used for longest.

use std::{
    borrow::Borrow,
    collections::{BTreeMap, HashMap},
    hash::Hash,
};

/// Keys to values, each with a weight.
pub(super) struct Cache<K, V> {
    slots: HashMap<K, Slot<V>>,
    /// By the time of the last use.
    order: BTreeMap<u64, K>,
    clock: u64,
    weight: usize,
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
        Self { slots: HashMap::new(), order: BTreeMap::new(), clock: 0, weight: 0, limit }
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
        self.weight += weight;
        let mut place = 0;
        while self.weight > self.limit
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
            self.weight -= slot.weight;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Cache;

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
}
