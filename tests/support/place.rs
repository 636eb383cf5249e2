//! Where a test keeps its store: in browsers in a database of its own, natively on a disk in memory.

#![allow(dead_code, reason = "not every suite opens a store again")]

use neurite::store::{Options, Store, memory::Disk};

/// A place in which a store can be opened again and again.
pub enum Place {
    #[cfg(target_arch = "wasm32")]
    Database(String),
    /// Also in browsers, for a test that needs a disk that fails when it is told to.
    Memory(Disk),
}

impl Place {
    #[cfg(target_arch = "wasm32")]
    pub fn new() -> Self {
        Self::Database(format!("test-{}", neurite::platform::random_string(16)))
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub fn new() -> Self {
        Self::Memory(Disk::new())
    }

    /// Opens what is there. Whoever had it open loses it at that moment, as when it is killed.
    pub async fn open(&self) -> Store {
        self.open_with(Options::default()).await
    }

    pub async fn open_with(&self, options: Options) -> Store {
        let opened = match self {
            #[cfg(target_arch = "wasm32")]
            Self::Database(name) => Store::open_indexeddb(name, options).await,
            Self::Memory(disk) => {
                disk.kill();
                Store::open_memory(disk, options).await
            }
        };
        opened.unwrap()
    }
}
