//! One asynchronous lock for each key, for read-modify-write on one entity.

use std::{cell::RefCell, collections::HashMap, hash::Hash, rc::Rc, sync::Arc};

use futures::lock::{Mutex, OwnedMutexGuard};

type Locks<K> = Rc<RefCell<HashMap<K, Arc<Mutex<()>>>>>;

/// Locks by key. A key's lock exists only while somebody holds or awaits it.
pub struct KeyedMutex<K> {
    locks: Locks<K>,
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
        // Before waiting: who is dropped while they wait takes the lock away too.
        let mut held = KeyedGuard { guard: None, key, locks: self.locks.clone() };
        held.guard = Some(lock.lock_owned().await);
        held
    }
}

/// Holds a key of a [`KeyedMutex`] until dropped.
pub struct KeyedGuard<K: Hash + Eq> {
    guard: Option<OwnedMutexGuard<()>>,
    key: K,
    locks: Locks<K>,
}

impl<K: Hash + Eq> Drop for KeyedGuard<K> {
    fn drop(&mut self) {
        self.guard = None;
        let mut locks = self.locks.borrow_mut();
        // Only the map still knows the lock: nobody holds it and nobody waits for it.
        if locks.get(&self.key).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            locks.remove(&self.key);
        }
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use futures::{FutureExt, poll};

    use super::*;
    use crate::platform::run;

    #[test]
    fn a_lock_is_gone_with_the_last_who_holds_or_awaits_it() {
        run(async {
            let mutex = KeyedMutex::default();
            let known = || mutex.locks.borrow().len();
            let held = mutex.lock("a").await;
            let other = mutex.lock("b").await;
            let mut first = Box::pin(mutex.lock("a"));
            let mut second = Box::pin(mutex.lock("a"));
            let unasked = mutex.lock("a");
            assert!(poll!(&mut first).is_pending());
            assert!(poll!(&mut second).is_pending());
            drop(unasked);
            drop(other);
            assert_eq!(known(), 1);
            // It is the first one's turn, who leaves without taking it.
            drop(held);
            drop(first);
            let held = second.now_or_never().expect("the turn is passed on");
            let mut third = Box::pin(mutex.lock("a"));
            assert!(poll!(&mut third).is_pending());
            drop(third);
            assert_eq!(known(), 1);
            drop(held);
            assert_eq!(known(), 0);
        });
    }

    #[test]
    fn who_leaves_last_while_waiting_takes_the_lock_away() {
        run(async {
            let mutex = KeyedMutex::default();
            let held = mutex.lock("a").await;
            let mut waiting = Box::pin(mutex.lock("a"));
            assert!(poll!(&mut waiting).is_pending());
            drop(held);
            assert_eq!(mutex.locks.borrow().len(), 1);
            drop(waiting);
            assert_eq!(mutex.locks.borrow().len(), 0);
        });
    }
}
