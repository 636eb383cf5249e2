//! One submission at a time.

use std::{cell::Cell, rc::Rc};

use super::{Error, Result};

/// Whether a batch is being submitted to a store: a second one, in the midst of it, would become
/// durable before the first.
#[derive(Clone, Default)]
pub(super) struct Submitting {
    under_way: Rc<Cell<bool>>,
}

impl Submitting {
    /// Until what is returned is dropped, a batch is being submitted.
    ///
    /// # Errors
    /// When one is already.
    pub(super) fn begin(&self) -> Result<impl Drop + use<>> {
        match self.under_way.replace(true) {
            true => Err(Error::Nested),
            false => Ok(End(self.under_way.clone())),
        }
    }
}

struct End(Rc<Cell<bool>>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.set(false);
    }
}
