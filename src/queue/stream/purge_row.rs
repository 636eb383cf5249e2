//! Purges as they are stored, to be carried out later.

use serde::{Deserialize, Serialize};

use crate::queue::config::LAST_SEQUENCE;

/// Messages to remove.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct PurgeRow {
    pub(super) filter: String,
    /// Only messages with lower sequence numbers.
    pub(super) below: u64,
    pub(super) keep: u64,
    /// Whether so many are kept of each subject.
    #[serde(default)]
    pub(super) each: bool,
    /// Whether the counts are without the messages already, so that only rows are left to delete.
    #[serde(default)]
    pub(super) garbage: bool,
}

impl PurgeRow {
    /// All of a subject but the newest.
    pub(super) fn of_subject(subject: &str, below: u64, keep: u64) -> Self {
        Self { filter: subject.to_owned(), below, keep, each: false, garbage: false }
    }

    /// All of every subject but the newest.
    pub(super) fn of_each_subject(below: u64, keep: u64) -> Self {
        Self { filter: ">".to_owned(), below, keep, each: true, garbage: false }
    }

    /// Everything, with only the rows left to delete.
    pub(super) fn of_garbage(below: u64) -> Self {
        Self { garbage: true, ..Self::of_all(below) }
    }

    /// Reads a row.
    pub(super) fn read(row: &[u8]) -> Option<Self> {
        let row: Self = serde_json::from_slice(row).ok()?;
        Some(row).filter(|row| row.below <= LAST_SEQUENCE + 1)
    }

    /// Everything.
    pub(super) fn of_all(below: u64) -> Self {
        Self { filter: ">".to_owned(), below, keep: 0, each: false, garbage: false }
    }
}
