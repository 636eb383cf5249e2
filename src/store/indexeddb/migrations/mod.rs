//! The schema of the database, and how each version is made from the one before.
//!
//! A new version is a new variant of [`Version`] with a module of its own. What is in the records
//! has versions of its own, in their format bytes, and needs no step here.

mod v1;

use indexed_db_futures::{Result, database::Database};

use super::failure::{Failure, refuse_upgrade};

/// The key, in the facts, of the record that tells that the database is Neurite's.
pub(super) const MAGIC_KEY: &[u8] = &[0xff];
/// What that record says.
pub(super) const MAGIC: &[u8] = b"neurite";

/// The version that is written.
pub(super) const CURRENT: u32 = Version::ALL[Version::ALL.len() - 1] as u32;

/// The versions of the schema; IndexedDB's version of the database is the number.
#[derive(Clone, Copy)]
enum Version {
    /// Journals, leaves, facts and blobs.
    V1 = 1,
}

impl Version {
    const ALL: [Self; 1] = [Self::V1];

    /// Makes this version from the one before; what is returned knows why that fails later.
    fn upgrade(self, database: &Database) -> Result<Failure> {
        match self {
            Self::V1 => v1::upgrade(database),
        }
    }
}

/// Upgrades a database from `old`, which is 0 when it is new. Whatever fails undoes all steps; what
/// is returned knows why, should they fail when they become durable.
pub(super) fn upgrade(old: u32, database: &Database) -> Result<Option<Failure>> {
    let names: Vec<String> = database.object_store_names().collect();
    if old > 0 && !names.iter().any(|name| name == "meta") {
        return Err(refuse_upgrade("the database was not made by Neurite"));
    }
    let mut steps = Version::ALL.into_iter().filter(|version| *version as u32 > old);
    steps.try_fold(None, |_, version| version.upgrade(database).map(Some))
}
