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
        // The sender lives in `self`, which is borrowed.
        let _ = self.listen().await;
    }

    /// Hears of the next [`Notify::notify`], or that there will be none.
    pub fn listen(&self) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        let mut waiting = self.waiting.borrow_mut();
        waiting.retain(|sender: &oneshot::Sender<()>| !sender.is_canceled());
        waiting.push(sender);
        receiver
    }
}
