//! The homeserver's own facts: rows of one table, each with a name and a form of its own.

use std::marker::PhantomData;

use serde::{Serialize, de::DeserializeOwned};

use super::{Batch, Declaration, Erasure, Json, Plain, Result, Rows, Store, Table};

/// The table of all facts.
const FACTS: Rows<(String,), Plain> = Rows::new(Table::Server, Erasure::Nobodys);

/// What is declared of it.
pub(crate) const TABLES: &[Declaration] = &[FACTS.declaration()];

/// A fact, declared by the part that it is about.
pub struct Fact<T> {
    name: &'static str,
    of: PhantomData<fn() -> T>,
}

impl<T: Serialize + DeserializeOwned> Fact<T> {
    /// The fact of this name, which no other has.
    pub const fn new(name: &'static str) -> Self {
        Self { name, of: PhantomData }
    }

    /// What is known.
    ///
    /// # Errors
    /// When it can't be read.
    pub async fn get(&self, store: &Store) -> Result<Option<T>> {
        FACTS.view::<(String,), Json<T>>().get(store, (self.name,)).await
    }

    /// Writes it.
    ///
    /// # Errors
    /// When it has a shape that JSON does not.
    pub fn put(&self, batch: &mut Batch, value: &T) -> Result<()> {
        FACTS.view::<(String,), Json<T>>().put(batch, (self.name,), value)
    }
}

impl Fact<u64> {
    /// Writes a number, of which every one has its JSON.
    pub fn set(&self, batch: &mut Batch, number: u64) {
        FACTS.put(batch, (self.name,), number.to_string());
    }
}
