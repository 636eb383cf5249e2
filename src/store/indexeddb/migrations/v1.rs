//! Version 1: the object stores, and the record that tells whose they are.

use indexed_db_futures::{Build, Result, database::Database, typed_array::Uint8Array};

use super::{super::failure::Failure, MAGIC, MAGIC_KEY};

/// Makes a new database.
pub(super) fn upgrade(database: &Database) -> Result<Failure> {
    for name in ["journal_a", "journal_b", "leaves", "blobs"] {
        database.create_object_store(name).build()?;
    }
    let meta = database.create_object_store("meta").build()?;
    let magic = meta.put(Uint8Array::from(MAGIC.to_vec()));
    magic.with_key(Uint8Array::from(MAGIC_KEY.to_vec())).without_key_type().build()?;
    Ok(Failure::of_store(&meta))
}
