//! What was kept for a while only, is removed when that is over: at the start, and from time to
//! time. How long a while is, each part says for its own.

use std::{
    rc::{Rc, Weak},
    time::Duration,
};

use super::Homeserver;
use crate::{
    Result, platform,
    services::TABLES,
    store::{self, Batch},
};

/// How often it is looked for.
const INTERVAL: Duration = Duration::from_secs(60 * 60);

impl Homeserver {
    /// Removes what has expired at `now`, in milliseconds since the Unix epoch.
    ///
    /// # Errors
    /// When the store fails; what can be removed is removed all the same.
    pub async fn expire(&self, now: u64) -> Result<()> {
        let outcomes = [
            self.feed.prune().await.map_err(Into::into),
            self.expire_rows(now).await.map_err(Into::into),
            self.users.expire(now).await,
            self.media.expire(now).await,
            self.rooms.forget_transactions(now).await,
        ];
        outcomes.into_iter().collect()
    }

    /// Removes the rows that say of themselves that they have expired: there are few, so they are read
    /// through.
    async fn expire_rows(&self, now: u64) -> store::Result<()> {
        let mut batch = Batch::new();
        for table in TABLES.iter().copied().flatten() {
            for key in table.expired(&self.store, now).await? {
                batch.delete(table.table, key);
            }
        }
        match batch.is_empty() {
            true => Ok(()),
            false => self.store.commit(batch).await,
        }
    }

    /// Removes what expires for as long as the homeserver lives.
    pub(super) fn keep_expiring(self: &Rc<Self>) {
        let server = Rc::downgrade(self);
        platform::spawn(async move {
            while let Some(outcome) = expire_now(&server).await {
                if let Err(cause) = outcome {
                    // The next time finds it too.
                    tracing::warn!("what has expired can't be removed: {cause}");
                }
                platform::sleep(INTERVAL).await;
                let Some(server) = server.upgrade() else { return };
                server.finish_follow_ups_or_warn().await;
            }
        });
    }
}

async fn expire_now(server: &Weak<Homeserver>) -> Option<Result<()>> {
    Some(server.upgrade()?.expire(platform::unix_millis()).await)
}
