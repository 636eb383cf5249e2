//! Where and how to store.

use std::time::Duration;

use serde::Deserialize;

use crate::store::{self, Store};

/// The worker holds the lock of its database, which no other takes from it. What a worker that was
/// frozen does when it wakes up is long after its last check.
const LEASE: Duration = Duration::from_millis(100);

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
    pub(super) async fn open(self) -> store::Result<Store> {
        let durability = match self.durability {
            Durability::Strict => store::Durability::Strict,
            Durability::Relaxed => store::Durability::Relaxed,
        };
        let options = store::Options { durability, lease: LEASE, ..store::Options::default() };
        Store::open_indexeddb(&self.storage, options).await
    }

    pub(super) async fn delete(name: &str) -> store::Result<()> {
        Store::delete(name).await
    }
}
