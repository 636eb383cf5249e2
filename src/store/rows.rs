//! Tables whose rows have types.
//!
//! The part that has a table declares it as a constant, beside what its values are: which table it
//! is, the parts of its keys, the form of its values, and what becomes of its rows.

use std::marker::PhantomData;

use serde::{Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use super::{
    Batch, Declaration, Encoded, Erasure, Error, Expires, Expiry, Json, Key, KeyOf, Nothing, Pack,
    Packed, Parts, Plain, Prefix, RawJson, Result, Scan, Store, Table, Text, Value,
};

/// A table with keys of the parts `K` and values of the form `V`.
pub struct Rows<K, V> {
    declaration: Declaration,
    of: PhantomData<fn() -> (K, V)>,
}

impl<K: Parts, V: Value> Rows<K, V> {
    /// Declares a table whose rows do not expire.
    pub const fn new(table: Table, erasure: Erasure) -> Self {
        let declaration = Declaration { table, key: K::KINDS, erasure, expiry: Expiry::Never };
        Self { declaration, of: PhantomData }
    }

    /// Declares how the rows expire.
    pub const fn expiring(mut self, expiry: Expiry) -> Self {
        self.declaration.expiry = expiry;
        self
    }

    /// Declares that the rows expire at the time that is in their values.
    pub const fn expiring_by_value(self) -> Self
    where
        V::Read: Expires,
    {
        self.expiring(Expiry::At(|row| Ok(V::read(row)?.expires())))
    }

    /// Another view of a table that has more than one kind of rows.
    pub const fn view<L: Parts, W: Value>(&self) -> Rows<L, W> {
        Rows { declaration: self.declaration, of: PhantomData }
    }

    /// What is declared of it, whatever the types.
    pub const fn declaration(&self) -> Declaration {
        self.declaration
    }

    /// The key of a row, for what is kept apart by it.
    pub fn key<Q: Prefix<K, Rest = ()>>(&self, key: Q) -> Key {
        key.append(Key::new())
    }

    /// The value of a row.
    ///
    /// # Errors
    /// When it can't be read.
    pub async fn get<Q>(&self, store: &Store, key: Q) -> Result<Option<V::Read>>
    where
        Q: Prefix<K, Rest = ()>,
    {
        let key = key.append(Key::new());
        match store.get(self.declaration.table, &key).await? {
            Some(row) => V::read(row).map(Some).map_err(|cause| self.unreadable_at(&key, &cause)),
            None => Ok(None),
        }
    }

    /// Whether there is a row.
    ///
    /// # Errors
    /// When it can't be read.
    pub async fn has<Q>(&self, store: &Store, key: Q) -> Result<bool>
    where
        Q: Prefix<K, Rest = ()>,
    {
        Ok(store.get(self.declaration.table, key.append(Key::new())).await?.is_some())
    }

    /// The rows whose keys begin so, to be read: all of them, in the order of their keys.
    pub fn scan<Q: Prefix<K>>(&self, prefix: Q) -> Scan<Q::Rest, V> {
        Scan::new(self.declaration.table, prefix.append(Key::new()))
    }

    /// Removes a row, if it is there.
    pub fn delete<Q>(&self, batch: &mut Batch, key: Q)
    where
        Q: Prefix<K, Rest = ()>,
    {
        batch.delete(self.declaration.table, key.append(Key::new()));
    }

    /// That a row can't be read, for those whose values only the part can read that has the table.
    pub fn unreadable<Q>(&self, key: Q, cause: &impl std::fmt::Display) -> Error
    where
        Q: Prefix<K, Rest = ()>,
    {
        self.unreadable_at(&key.append(Key::new()), cause)
    }

    fn unreadable_at(&self, key: &[u8], cause: &impl std::fmt::Display) -> Error {
        Error::unreadable(self.declaration.table, key, cause)
    }

    fn write(&self, batch: &mut Batch, key: impl Prefix<K, Rest = ()>, value: impl Into<Vec<u8>>) {
        batch.put(self.declaration.table, key.append(Key::new()), value);
    }
}

impl<K: Parts, T: Serialize + DeserializeOwned> Rows<K, Json<T>> {
    /// Writes a row.
    ///
    /// # Errors
    /// When `value` has a shape that JSON does not, such as a map with keys that are not strings.
    pub fn put<Q>(&self, batch: &mut Batch, key: Q, value: &T) -> Result<()>
    where
        Q: Prefix<K, Rest = ()>,
    {
        self.put_encoded(batch, key, Encoded::new(value)?);
        Ok(())
    }

    /// Writes a row with a value that was encoded before.
    pub fn put_encoded<Q>(&self, batch: &mut Batch, key: Q, value: Encoded<T>)
    where
        Q: Prefix<K, Rest = ()>,
    {
        self.write(batch, key, value.row);
    }
}

impl<K: Parts> Rows<K, RawJson> {
    /// Writes a row.
    pub fn put<Q: Prefix<K, Rest = ()>>(&self, batch: &mut Batch, key: Q, value: &RawValue) {
        self.write(batch, key, value.get());
    }
}

impl<K: Parts, T: TryFrom<String>> Rows<K, Text<T>> {
    /// Writes a row; `value` is the text of a `T`.
    pub fn put<Q>(&self, batch: &mut Batch, key: Q, value: impl AsRef<str>)
    where
        Q: Prefix<K, Rest = ()>,
    {
        self.write(batch, key, value.as_ref());
    }
}

impl<K: Parts, L: Parts> Rows<K, KeyOf<L>> {
    /// Writes a row.
    pub fn put<Q, W>(&self, batch: &mut Batch, key: Q, value: W)
    where
        Q: Prefix<K, Rest = ()>,
        W: Prefix<L, Rest = ()>,
    {
        self.write(batch, key, value.append(Key::new()));
    }
}

impl<K: Parts, T: Pack> Rows<K, Packed<T>> {
    /// Writes a row.
    pub fn put<Q: Prefix<K, Rest = ()>>(&self, batch: &mut Batch, key: Q, value: &T) {
        self.write(batch, key, value.pack());
    }
}

impl<K: Parts> Rows<K, Plain> {
    /// Writes a row.
    pub fn put<Q>(&self, batch: &mut Batch, key: Q, value: impl Into<Vec<u8>>)
    where
        Q: Prefix<K, Rest = ()>,
    {
        self.write(batch, key, value);
    }
}

impl<K: Parts> Rows<K, Nothing> {
    /// Writes a row.
    pub fn put<Q: Prefix<K, Rest = ()>>(&self, batch: &mut Batch, key: Q) {
        self.write(batch, key, []);
    }
}
