//! One asynchronous lock for each key, for read-modify-write on one entity.

use std::{cell::RefCell, collections::HashMap, hash::Hash, rc::Rc};

use futures::lock::{Mutex, OwnedMutexGuard};

/// Locks by key. A key's lock exists only while somebody holds or awaits it.
pub struct KeyedMutex<K> {
    locks: Rc<RefCell<HashMap<K, std::sync::Arc<Mutex<()>>>>>,
}

impl<K: Hash + Eq + Clone> Default for KeyedMutex<K> {
    fn default() -> Self {
        Self { locks: Rc::default() }
    }
}

impl<K: Hash + Eq + Clone> KeyedMutex<K> {
    /// Waits until nobody else holds `key`, in the order of asking.
    pub async fn lock(&self, key: K) -> KeyedGuard<K> {
        let lock = self.locks.borrow_mut().entry(key.clone()).or_default().clone();
        let guard = lock.lock_owned().await;
        KeyedGuard { guard: Some(guard), key, locks: self.locks.clone() }
    }
}

/// Holds a key of a [`KeyedMutex`] until dropped.
pub struct KeyedGuard<K: Hash + Eq> {
    guard: Option<OwnedMutexGuard<()>>,
    key: K,
    locks: Rc<RefCell<HashMap<K, std::sync::Arc<Mutex<()>>>>>,
}

impl<K: Hash + Eq> Drop for KeyedGuard<K> {
    fn drop(&mut self) {
        self.guard = None;
        let mut locks = self.locks.borrow_mut();
        // Only the map still knows the lock: nobody holds it and nobody waits for it.
        if locks.get(&self.key).is_some_and(|lock| std::sync::Arc::strong_count(lock) == 1) {
            locks.remove(&self.key);
        }
    }
}
