//! Where and how to store.

use std::time::Duration;

use serde::Deserialize;

use crate::store::{self, Store};

/// The worker holds the lock of its database. Another that takes it, since this one did not answer,
/// waits for longer than this (`LET_GO_WITHIN` of worker/server/run.ts) before it opens the database. What a
/// worker that was frozen does when it wakes up is long after its last check.
const LEASE: Duration = Duration::from_millis(100);
/// Enough for thousands of deletions and for the largest chunks of a checkpoint; written once for
/// each database.
const RESERVE_BYTES: usize = 512 << 10;

/// A database of the browser.
#[derive(Deserialize)]
pub(super) struct Storage {
    /// Its name.
    storage: String,
    durability: Durability,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Durability {
    Strict,
    Relaxed,
}

impl Storage {
    pub(super) async fn open(&self) -> store::Result<Store> {
        let durability = match self.durability {
            Durability::Strict => store::Durability::Strict,
            Durability::Relaxed => store::Durability::Relaxed,
        };
        let options = store::Options {
            durability,
            lease: LEASE,
            reserve_bytes: RESERVE_BYTES,
            ..store::Options::default()
        };
        Store::open_indexeddb(&self.storage, options).await
    }

    pub(super) async fn delete(name: &str) -> store::Result<()> {
        Store::delete(name).await
    }
}
