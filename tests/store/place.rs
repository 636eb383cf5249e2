//! Where a test keeps its store.

use neurite::store::{Batch, Direction, KeyRange, Options, Store, Table, memory::Disk};

/// A place in which a store can be opened again and again.
pub enum Place {
    Memory(Disk),
    #[cfg(target_arch = "wasm32")]
    IndexedDb(String),
}

impl Place {
    pub fn memory() -> Self {
        Self::Memory(Disk::new())
    }

    /// A database that no other test uses.
    #[cfg(target_arch = "wasm32")]
    pub fn indexeddb() -> Self {
        Self::IndexedDb(format!("test-{}", neurite::platform::random_string(16)))
    }

    pub async fn open(&self) -> Store {
        self.open_with(Options::default()).await
    }

    pub async fn open_with(&self, options: Options) -> Store {
        match self {
            Self::Memory(disk) => Store::open_memory(disk, options).await.unwrap(),
            #[cfg(target_arch = "wasm32")]
            Self::IndexedDb(name) => Store::open_indexeddb(name, options).await.unwrap(),
        }
    }

    /// Opens a store that packs its tables after every few commits, into leaves of a few rows.
    pub async fn open_small(&self) -> Store {
        self.open_with(small()).await
    }
}

/// Options under which little data takes all the paths that much data takes.
pub fn small() -> Options {
    Options {
        journal_bytes: 2000,
        journal_records: 20,
        leaf_bytes: 300,
        cache_bytes: 4000,
        ..Options::default()
    }
}

/// Declares tests that run on every backend there is.
macro_rules! on_every_backend {
    ($(async fn $name:ident($place:ident) $body:block)*) => {
        $(async fn $name($place: super::place::Place) $body)*

        mod memory {
            tests! {$(
                async fn $name() {
                    super::$name(super::super::place::Place::memory()).await;
                }
            )*}
        }

        #[cfg(target_arch = "wasm32")]
        mod indexeddb {
            tests! {$(
                async fn $name() {
                    super::$name(super::super::place::Place::indexeddb()).await;
                }
            )*}
        }
    };
}

pub const TABLE: Table = Table::Server;
pub const OTHER: Table = Table::Feed;

pub fn put(table: Table, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Batch {
    let mut batch = Batch::new();
    batch.put(table, key, value);
    batch
}

pub fn key(n: usize) -> String {
    format!("key/{n:06}")
}

pub async fn read(store: &Store, key: impl AsRef<[u8]>) -> Option<String> {
    let value = store.get(TABLE, key).await.unwrap()?;
    Some(String::from_utf8(value.to_vec()).unwrap())
}

/// The keys and values of a table, as text.
pub async fn scan(
    store: &Store,
    range: KeyRange,
    direction: Direction,
    limit: usize,
) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let rows = store.scan(TABLE, range, direction, limit).await.unwrap();
    rows.iter().map(|(key, value)| (text(key), text(value))).collect()
}

/// Waits until no checkpoint is under way any more.
pub async fn checkpointed(store: &Store, options: &Options) {
    while store.usage().await.unwrap().journal_records >= options.journal_records {
        neurite::platform::sleep(std::time::Duration::from_millis(1)).await;
    }
}
