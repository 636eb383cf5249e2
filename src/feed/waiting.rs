//! Who waits for which changes.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, VecDeque},
    rc::Rc,
};

use futures::channel::oneshot;

use super::Change;
use crate::platform;

/// Those who wait; clones share them.
#[derive(Clone, Default)]
pub(super) struct Waiting {
    inner: Rc<Inner>,
}

#[derive(Default)]
struct Inner {
    waiters: RefCell<BTreeMap<u64, Waiter>>,
    next_id: Cell<u64>,
    /// Whose change has come, and who go on one after the other.
    woken: RefCell<VecDeque<oneshot::Sender<()>>>,
    waking: Cell<bool>,
}

struct Waiter {
    concerns: Box<dyn Fn(&Change) -> bool>,
    wake: oneshot::Sender<()>,
}

/// Takes a waiter off the list, however its waiting ends.
struct Listed {
    waiting: Waiting,
    id: u64,
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.waiting.inner.waiters.borrow_mut().remove(&self.id);
    }
}

impl Waiting {
    /// Waits for the next change that concerns the waiter.
    pub(super) async fn wait(&self, concerns: impl Fn(&Change) -> bool + 'static) {
        let (wake, woken) = oneshot::channel();
        let id = self.inner.next_id.get();
        self.inner.next_id.set(id + 1);
        let waiter = Waiter { concerns: Box::new(concerns), wake };
        self.inner.waiters.borrow_mut().insert(id, waiter);
        let _listed = Listed { waiting: self.clone(), id };
        // The sender is dropped only with the list, which this holds.
        let _ = woken.await;
    }

    /// A change has come: wakes those whom it concerns.
    pub(super) fn wake(&self, change: &Change) {
        let concerned: Vec<_> = {
            let mut waiters = self.inner.waiters.borrow_mut();
            waiters.extract_if(.., |_, waiter| (waiter.concerns)(change)).collect()
        };
        if concerned.is_empty() {
            return;
        }
        self.inner.woken.borrow_mut().extend(concerned.into_iter().map(|(_, waiter)| waiter.wake));
        if !self.inner.waking.replace(true) {
            platform::spawn(self.clone().wake_all());
        }
    }

    /// One in each turn of the event loop: whoever made the change is answered first, and new
    /// requests are worked on between the answers to those who waited, however many these are.
    async fn wake_all(self) {
        let next = || self.inner.woken.borrow_mut().pop_front();
        while let Some(wake) = next() {
            // One that is gone waits for nothing.
            if wake.send(()).is_ok() {
                platform::next_turn().await;
            }
        }
        self.inner.waking.set(false);
    }
}
