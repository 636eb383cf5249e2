//! A change on its way into the feed.

use std::fmt;

use super::{Change, Feed};
use crate::store::{Operation, Result, Submission};

/// Records a change with a batch.
pub struct Recording {
    pub(super) feed: Feed,
    pub(super) change: Change,
}

impl Recording {
    /// The change.
    pub fn change(&self) -> &Change {
        &self.change
    }
}

impl Operation for Recording {
    fn submit(self: Box<Self>, batch: &mut Submission) -> Result<()> {
        self.feed.record_now(batch, self.change);
        Ok(())
    }
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Recording").field(&self.change).finish()
    }
}
