//! Waking tasks that wait until something may have changed.

use std::cell::RefCell;

use futures::channel::oneshot;

/// Wakes everybody who waits. Each then looks whether the change is the one that it waits for.
#[derive(Default)]
pub struct Notify {
    waiting: RefCell<Vec<oneshot::Sender<()>>>,
}

impl Notify {
    /// Wakes everybody who waits now.
    pub fn notify(&self) {
        for sender in self.waiting.take() {
            // The receiver may be gone.
            let _ = sender.send(());
        }
    }

    /// Resolves at the next [`Notify::notify`], or when there can be none any more. Listen first,
    /// then look whether there is something to do, then await: nothing is missed in between.
    pub fn listen(&self) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        let mut waiting = self.waiting.borrow_mut();
        waiting.retain(|sender| !sender.is_canceled());
        waiting.push(sender);
        receiver
    }

    /// Waits for the next [`Notify::notify`].
    pub async fn notified(&self) {
        // The sender lives in `self`, which is borrowed.
        let _ = self.listen().await;
    }
}
