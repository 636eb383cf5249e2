//! Waking whoever waits for something to happen.

use std::cell::RefCell;

use futures::channel::oneshot;

/// A bell: those who listened before it rings are woken.
#[derive(Default)]
pub(super) struct Notify {
    waiting: RefCell<Vec<oneshot::Sender<()>>>,
}

impl Notify {
    /// Resolves when the bell rings next, or is gone. Listen first, then look whether there is
    /// something, then await: nothing is missed in between.
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
            // A receiver that is gone waits for nothing.
            let _ = sender.send(());
        }
    }
}
