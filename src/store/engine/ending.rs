//! The end of something, which those who wait for it learn of at once.

use std::cell::RefCell;

use crate::{platform::Notify, store::Error};

/// Why something has ended, once it has. The first reason stays.
#[derive(Default)]
pub(crate) struct Ending {
    reason: RefCell<Option<Error>>,
    reached: Notify,
}

impl Ending {
    /// It ends, for this reason unless there is one already.
    pub(crate) fn reach(&self, reason: Error) {
        self.reason.borrow_mut().get_or_insert(reason);
        self.reached.notify();
    }

    /// The reason, if it has ended.
    pub(crate) fn reason(&self) -> Option<Error> {
        self.reason.borrow().clone()
    }

    /// Waits for the end, and gives its reason.
    pub(crate) async fn wait(&self) -> Error {
        loop {
            if let Some(reason) = self.reason() {
                return reason;
            }
            self.reached.notified().await;
        }
    }
}
