//! Where a test keeps its store: in browsers in a database of its own, natively on a disk in memory.

#![allow(dead_code, reason = "not every suite opens a store again")]

use neurite::store::{Options, Store};

/// A place in which a store can be opened again and again.
#[cfg(target_arch = "wasm32")]
pub struct Place(String);

#[cfg(target_arch = "wasm32")]
impl Place {
    pub fn new() -> Self {
        Self(format!("test-{}", neurite::platform::random_string(16)))
    }

    /// Opens what is there. Whoever had it open loses it at that moment, as when it is killed.
    pub async fn open(&self) -> Store {
        Store::open_indexeddb(&self.0, Options::default()).await.unwrap()
    }
}

/// A place in which a store can be opened again and again.
#[cfg(not(target_arch = "wasm32"))]
pub struct Place(neurite::store::memory::Disk);

#[cfg(not(target_arch = "wasm32"))]
impl Place {
    pub fn new() -> Self {
        Self(neurite::store::memory::Disk::new())
    }

    /// Opens what is there. Whoever had it open loses it at that moment, as when it is killed.
    pub async fn open(&self) -> Store {
        self.0.kill();
        Store::open_memory(&self.0, Options::default()).await.unwrap()
    }
}
