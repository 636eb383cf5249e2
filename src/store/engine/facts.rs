//! Facts about the database: which opening owns it, and how far the leaves are.
//!
//! They are sealed as other records are. In databases of before they are bare numbers, and there
//! is no floor before the first checkpoint; opening such a database seals them.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::{
    backend::{OWNER_KEY, Records, Space},
    codec::{self, Reader, Writer},
};
use crate::store::{Error, Result};

/// The key of the record that tells up to where the leaves hold everything.
const FLOOR_KEY: &[u8] = &[1];
const FORMAT: u8 = 1;

/// A record that says a number and, it may be, more.
#[derive(Debug, PartialEq, Eq)]
struct Fact {
    number: u64,
    /// What is said beside the number.
    rest: Bytes,
    /// Whether it is nothing but the number.
    bare: bool,
}

impl Fact {
    fn read(key: &[u8], record: &Bytes) -> Result<Self> {
        if let Ok(number) = record[..].try_into() {
            let number = u64::from_be_bytes(number);
            return Ok(Self { number, rest: Bytes::new(), bare: true });
        }
        let content = codec::open(FORMAT, record)?;
        let mut reader = Reader::new(&content);
        if reader.bytes(key.len())? != key {
            return Err(Error::Corrupt("it is in the wrong place".to_owned()));
        }
        let number = reader.fixed()?;
        Ok(Self { number, rest: content.slice(reader.rest()), bare: false })
    }

    fn seal(key: &[u8], number: u64, rest: &[u8]) -> Bytes {
        let mut writer = Writer::new(key.len() + 8 + rest.len());
        writer.bytes(key);
        // At its full length, so that no record is as long as a bare number.
        writer.bytes(&number.to_be_bytes());
        writer.bytes(rest);
        codec::seal(FORMAT, &writer.finish())
    }
}

/// The opening that owns the database.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Owner(Fact);

impl Owner {
    /// The newest owner so far; none of a new database.
    ///
    /// # Errors
    /// When the record in one of the spaces is damaged or missing.
    pub(crate) fn find(records: &Records) -> Result<Option<Self>> {
        let about = |cause| Error::Corrupt(format!("the owner's number: {cause}"));
        let read = |space| {
            let record = records.get(space, OWNER_KEY);
            record.map(|record| Fact::read(OWNER_KEY, record).map_err(about)).transpose()
        };
        let [meta, others @ ..] = Space::READ_AT_START.map(read);
        let meta = meta?;
        for other in others {
            if other? != meta {
                return Err(Error::Corrupt("the owner's number differs between spaces".to_owned()));
            }
        }
        let journals = Space::READ_AT_START.into_iter().filter(|space| *space != Space::Meta);
        let is_new = records.get(Space::Meta, FLOOR_KEY).is_none()
            && journals.into_iter().all(|journal| records.of(journal).next().is_none());
        if meta.is_none() && !is_new {
            return Err(Error::Corrupt("the owner's number is missing".to_owned()));
        }
        Ok(meta.map(Self))
    }

    /// The number of the opening that follows.
    ///
    /// # Errors
    /// When it can't be this number, because none follows it.
    pub(crate) fn next(newest: Option<&Self>) -> Result<u32> {
        let number = newest.map_or(0, |owner| owner.0.number);
        let next = u32::try_from(number).ok().and_then(|number| number.checked_add(1));
        next.ok_or_else(|| Error::Corrupt("the owner's number is too large".to_owned()))
    }

    /// Whether it is this one.
    pub(crate) fn is(&self, number: u32) -> bool {
        self.0.number == u64::from(number)
    }

    /// The record, in each space, of the owner of this number.
    pub(crate) fn record(number: u32) -> Bytes {
        Fact::seal(OWNER_KEY, number.into(), &[])
    }
}

/// How far the leaves are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Floor {
    /// The sequence number of the last journal record that they hold.
    pub sequence: u64,
    /// The tables that have a leaf at their very beginning.
    pub tables: BTreeSet<u8>,
}

impl Floor {
    /// What the database of this owner says.
    ///
    /// # Errors
    /// When its record is damaged or missing.
    pub(crate) fn find(records: &Records, owner: Option<&Owner>) -> Result<Self> {
        let sealed = owner.is_some_and(|owner| !owner.0.bare);
        let about = |cause| Error::Corrupt(format!("the floor of the journals: {cause}"));
        match records.get(Space::Meta, FLOOR_KEY) {
            Some(record) => {
                let fact = Fact::read(FLOOR_KEY, record).map_err(about)?;
                Ok(Self { sequence: fact.number, tables: fact.rest.into_iter().collect() })
            }
            None if sealed => {
                Err(Error::Corrupt("the floor of the journals is missing".to_owned()))
            }
            None => Ok(Self::default()),
        }
    }

    /// Its key and its record.
    pub(crate) fn record(&self) -> (Bytes, Bytes) {
        let tables: Vec<u8> = self.tables.iter().copied().collect();
        (Bytes::from_static(FLOOR_KEY), Fact::seal(FLOOR_KEY, self.sequence, &tables))
    }
}
