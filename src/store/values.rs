//! What the rows of tables hold, as types.

use std::marker::PhantomData;

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use super::{Error, KeyReader, Parts};

/// The form of a table's values.
pub trait Value {
    /// What a value is read as.
    type Read;

    /// Reads a value.
    ///
    /// # Errors
    /// Why it can't be read.
    fn read(row: Bytes) -> Result<Self::Read, String>;
}

/// JSON.
pub struct Json<T>(PhantomData<fn() -> T>);

impl<T: DeserializeOwned> Value for Json<T> {
    type Read = T;

    fn read(row: Bytes) -> Result<T, String> {
        serde_json::from_slice(&row).map_err(|cause| cause.to_string())
    }
}

/// A value in its JSON, for where its key is known only as its batch is submitted.
pub struct Encoded<T> {
    pub(super) row: Vec<u8>,
    of: PhantomData<fn() -> T>,
}

impl<T: Serialize> Encoded<T> {
    /// Of a value.
    ///
    /// # Errors
    /// When it has a shape that JSON does not, such as a map with keys that are not strings.
    pub fn new(value: &T) -> super::Result<Self> {
        let row = serde_json::to_vec(value).map_err(Error::encoding)?;
        Ok(Self { row, of: PhantomData })
    }
}

/// JSON that is kept as it was sent.
pub struct RawJson;

impl Value for RawJson {
    type Read = Box<RawValue>;

    fn read(row: Bytes) -> Result<Box<RawValue>, String> {
        Json::read(row)
    }
}

/// A text that is a `T`, such as an id.
pub struct Text<T>(PhantomData<fn() -> T>);

impl<T: TryFrom<String>> Value for Text<T> {
    type Read = T;

    fn read(row: Bytes) -> Result<T, String> {
        let text = String::from_utf8(row.into()).map_err(|_| "it is not UTF-8".to_owned())?;
        // What it is instead is not told.
        text.try_into().map_err(|_| "it is of another form".to_owned())
    }
}

/// The key of a row.
pub struct KeyOf<K>(PhantomData<fn() -> K>);

impl<K: Parts> Value for KeyOf<K> {
    type Read = K;

    fn read(row: Bytes) -> Result<K, String> {
        K::read(KeyReader::new(&row)).ok_or_else(|| "it is no such key".to_owned())
    }
}

/// A value with a form of its own.
pub trait Pack: Sized {
    /// Its bytes.
    fn pack(&self) -> Vec<u8>;

    /// What has these bytes; `None` when nothing has.
    fn unpack(row: &[u8]) -> Option<Self>;
}

/// A value with a form of its own.
pub struct Packed<T>(PhantomData<fn() -> T>);

impl<T: Pack> Value for Packed<T> {
    type Read = T;

    fn read(row: Bytes) -> Result<T, String> {
        T::unpack(&row).ok_or_else(|| "it is of another form".to_owned())
    }
}

/// Bytes whose form the part that has the table knows.
pub struct Plain;

impl Value for Plain {
    type Read = Bytes;

    fn read(row: Bytes) -> Result<Bytes, String> {
        Ok(row)
    }
}

/// Nothing: all is in the key.
pub struct Nothing;

impl Value for Nothing {
    type Read = ();

    fn read(_: Bytes) -> Result<(), String> {
        Ok(())
    }
}
