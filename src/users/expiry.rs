//! What a user was given for a while goes when that is over.
//!
//! Access tokens are not among it: one that has expired is still answered with a soft logout, and
//! a client that gets none forgets its keys. They go with what takes their place, or with their
//! device, so that a device never has more than two. spec: client-server §Soft logout

use serde::Deserialize;

use super::Users;
use crate::{
    Result,
    store::{Batch, Direction, KeyRange, Table},
};

#[derive(Deserialize)]
struct Expires {
    /// In milliseconds since the Unix epoch.
    expires: u64,
}

impl Users {
    /// Removes what has expired at `now`, in milliseconds since the Unix epoch: login tokens,
    /// OpenID tokens, sessions of User-Interactive Authentication, messages that no device will fetch.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn expire(&self, now: u64) -> Result<()> {
        self.inner.interactive.expire(now);
        let store = &self.inner.store;
        let mut batch = Batch::new();
        for table in [Table::LoginTokens, Table::OpenIdTokens] {
            // They hold what was given out within a few hours, so they are read through.
            let rows = store.scan(table, KeyRange::all(), Direction::Forward, usize::MAX);
            for (key, row) in rows.await? {
                let row: Option<Expires> = serde_json::from_slice(&row).ok();
                if row.is_none_or(|row| row.expires <= now) {
                    batch.delete(table, key);
                }
            }
        }
        if !batch.is_empty() {
            store.commit(batch).await?;
        }
        self.expire_to_device(now).await
    }
}
