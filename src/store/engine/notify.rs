//! Waiting until something may have changed.

use std::cell::RefCell;

use futures::channel::oneshot;

/// Wakes whoever waits; who waits looks again whether the change is the one waited for.
#[derive(Default)]
pub struct Notify {
    waiting: RefCell<Vec<oneshot::Sender<()>>>,
}

impl Notify {
    /// Wakes everybody who waits now.
    pub fn notify(&self) {
        for sender in self.waiting.take() {
            // Who has stopped waiting need not be woken.
            let _ = sender.send(());
        }
    }

    /// Waits for the next [`Notify::notify`].
    pub async fn notified(&self) {
        let (sender, receiver) = oneshot::channel();
        self.waiting.borrow_mut().push(sender);
        // The sender lives in `self`, which is borrowed.
        let _ = receiver.await;
    }
}
