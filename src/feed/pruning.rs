//! Only the newest changes are stored: a sync from an older token is answered from the other tables, as
//! if everything had changed (`sync/catch_up.rs`).

use super::{FEED, Feed, Position};
use crate::{
    platform,
    store::{Batch, Fact, Result},
};

/// Up to here changes were removed.
pub(super) const HORIZON: Fact<Position> = Fact::new("feed_horizon");

impl Feed {
    /// Removes all but the newest of the stored changes.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn prune(&self) -> Result<()> {
        let _only = self.inner.pruning.lock().await;
        let horizon = &self.inner.horizon;
        let removed = |batch: &mut Batch, (last,): (Position,)| {
            // Before the rows go: a read that is under way may find some of them gone.
            horizon.set(horizon.get().max(last));
            HORIZON.set(batch, horizon.get());
        };
        FEED.scan(()).trim(&self.inner.store, self.inner.kept.stored, removed).await
    }

    /// Counts a stored change, and prunes once a quarter more than what is kept has come.
    pub(super) fn count(&self) {
        let (unpruned, kept) = (&self.inner.unpruned, self.inner.kept.stored);
        unpruned.set(unpruned.get() + 1);
        if unpruned.get() > kept / 4 {
            unpruned.set(0);
            let feed = self.clone();
            platform::spawn(async move {
                if let Err(cause) = feed.prune().await {
                    // The next time finds them too.
                    tracing::warn!(target: "neurite::homeserver", "the oldest changes are not removed: {cause}");
                }
            });
        }
    }

    /// Whether changes after a position were removed.
    pub(super) fn is_pruned_after(&self, from: Position) -> bool {
        from < self.inner.horizon.get()
    }
}
