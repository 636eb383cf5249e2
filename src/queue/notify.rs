//! Waking tasks that wait for something to happen.

use std::cell::RefCell;

use futures::channel::oneshot;

/// A bell: it wakes those that listened before it rang.
#[derive(Default)]
pub(super) struct Notify {
    waiting: RefCell<Vec<oneshot::Sender<()>>>,
}

impl Notify {
    /// Resolves when the bell rings next, or is dropped. Listen first, then check whether there is
    /// something to do, then await: nothing is missed in between.
    pub(super) fn listen(&self) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        let mut waiting = self.waiting.borrow_mut();
        waiting.retain(|sender| !sender.is_canceled());
        waiting.push(sender);
        receiver
    }

    /// Rings.
    pub(super) fn wake(&self) {
        for sender in self.waiting.take() {
            // The receiver may be gone.
            let _ = sender.send(());
        }
    }
}
