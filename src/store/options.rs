//! How a store behaves, and what it tells about itself.

use std::time::Duration;

/// When a commit counts as durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// When it is on the disk: it survives a power cut.
    #[default]
    Strict,
    /// When the operating system has it: it survives the end of the browser.
    Relaxed,
}

/// The options of a store.
#[derive(Clone, Debug)]
pub struct Options {
    /// When a commit counts as durable.
    pub durability: Durability,
    /// For how long after it was checked that nobody has taken the database over commits need not
    /// check it again, which makes them quicker. More than zero is for those who hold a lock that
    /// keeps others out, and who take it from nobody without having waited for so long.
    pub lease: Duration,
    /// A journal of so many bytes is merged into the tables. It is read at start and kept in
    /// memory until then.
    pub journal_bytes: usize,
    /// The same for the number of its records, one a group of commits.
    pub journal_records: usize,
    /// A journal with a quarter of those records is merged already when nothing was committed for
    /// so long, so that the next start is quick.
    pub idle_after: Duration,
    /// The size of the records that tables are packed into.
    pub leaf_bytes: usize,
    /// How much of the tables is kept in memory.
    pub cache_bytes: usize,
    /// The size of a blob that is kept as long as there is room, and given up for what makes room
    /// where there is none; 0 for none.
    pub reserve_bytes: usize,
    /// How long another page that has an older version of the database open may take to let go of
    /// it.
    pub patience: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            durability: Durability::Strict,
            lease: Duration::ZERO,
            journal_bytes: 4 << 20,
            journal_records: 1024,
            idle_after: Duration::from_secs(3),
            leaf_bytes: 12 << 10,
            cache_bytes: 16 << 20,
            reserve_bytes: 0,
            patience: Duration::from_secs(4),
        }
    }
}

/// What a store takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// Bytes that the browser counts for the whole origin.
    pub usage: Option<u64>,
    /// Bytes that the browser allows for the whole origin.
    pub quota: Option<u64>,
    /// Records of the journals, each a group of commits.
    pub journal_records: usize,
    /// Their bytes, all in memory too.
    pub journal_bytes: usize,
    /// Keys written in them.
    pub journal_rows: usize,
    /// Bytes of tables in memory.
    pub cached_bytes: usize,
}
